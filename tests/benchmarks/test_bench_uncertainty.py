"""Time of the report's propagation: 16,384 draws over 7 platforms and 2 models, search included."""

from __future__ import annotations

from typing import Any

from rackecon.analysis.evaluate import PLATFORMS
from rackecon.analysis.propagate import run
from rackecon.analysis.shortlist_check import check_shortlist

BUDGET_S = 20.0


def test_propagation_of_the_base_case(benchmark: Any) -> None:
    def once() -> Any:
        return run(PLATFORMS, ["deepseek-r1", "gpt-oss-120b"], ["rag-summarise"], draws=16384)

    drawn = benchmark.pedantic(once, rounds=1, iterations=1)
    assert drawn.served.shape == (14, 16384)
    assert benchmark.stats["max"] < BUDGET_S


def test_short_list_against_a_full_search_of_256_draws(benchmark: Any) -> None:
    from rackecon.analysis.propagate import portfolio

    made = portfolio(PLATFORMS, ["deepseek-r1", "gpt-oss-120b"], ["rag-summarise"])
    found = benchmark.pedantic(lambda: check_shortlist(made, draws=256), rounds=1, iterations=1)
    benchmark.extra_info["missed_share"] = found.missed_share
    assert found.missed_share < 0.05
