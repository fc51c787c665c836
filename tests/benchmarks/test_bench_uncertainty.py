"""Time of the report's propagation, short lists included, and its numerical checks measured again."""

from __future__ import annotations

from typing import Any

import pytest

from rackecon import catalog
from rackecon.appraisal.evaluate import PLATFORMS
from rackecon.uncertainty.numerical_checks import MODELS, SCENARIO, measured
from rackecon.uncertainty.propagate import run

BUDGET_S = 20.0


def test_propagation_of_16384_draws_over_7_platforms_and_2_models(benchmark: Any) -> None:
    def once() -> Any:
        return run(PLATFORMS, MODELS, [SCENARIO], draws=16384)

    drawn = benchmark.pedantic(once, rounds=1, iterations=1)
    assert drawn.served.shape == (len(PLATFORMS) * len(MODELS), 16384)
    assert benchmark.stats["max"] < BUDGET_S


def test_short_list_and_doubled_draws_as_kept(benchmark: Any) -> None:
    found = benchmark.pedantic(measured, rounds=1, iterations=1)
    kept = catalog.table("uncertainty_checks")
    assert found["check"].tolist() == kept["check"].tolist()
    assert found["share"].tolist() == pytest.approx(kept["share"].tolist(), abs=2e-3)
