"""Solving for what must be true, and prices held against what came after."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from rackecon.appraisal.break_even import INPUTS, must_be_true, needed_speed_premium, solve
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import base_case, table
from rackecon.catalog.assumption_table import allowed_values
from rackecon.errors import InputError
from rackecon.uncertainty.price_backtest import _History, backtest, coverage

WHERE = ("b200-hgx", "deepseek-r1", "rag-summarise")


def test_break_even_utilisation_is_the_closed_form() -> None:
    """With the operating point unmoved the formula says cost over revenue times utilisation."""
    row = evaluate([WHERE[0]], [WHERE[1]], [WHERE[2]], intervals=False).iloc[0]
    found = solve(*WHERE, name="utilisation")
    assert found.feasible
    assert found.needed[0] == pytest.approx(row["break_even_utilisation"], rel=1e-5)
    assert found.base_value == base_case().utilisation


def test_break_even_price_is_the_closed_form() -> None:
    row = evaluate([WHERE[0]], [WHERE[1]], [WHERE[2]], intervals=False).iloc[0]
    found = solve(*WHERE, name="output_price_usd_per_mtok")
    assert found.needed[0] == pytest.approx(row["break_even_output_usd_per_mtok"], rel=1e-5)
    assert found.base_value == row["price_output_usd_per_mtok"]


@pytest.mark.parametrize("name", ["electricity_usd_per_kwh", "price_decline_per_year", "interactivity_tok_s_user"])
def test_solution_solves(name: str) -> None:
    found = solve("h100-sxm", *WHERE[1:], name=name, price_level="list", cost_basis="ownership")
    assert len(found.needed) == 1
    assert found.holds[0][0] <= found.base_value <= found.holds[0][1]
    assert f"{found.needed[0]:.4g}" in found.statement


def test_any_output_can_be_the_target() -> None:
    found = solve(*WHERE, output="gross_margin", target=0.5, name="cost_factor")
    check = evaluate([WHERE[0]], [WHERE[1]], [WHERE[2]], intervals=False, cost_factor=found.needed[0])
    assert check["gross_margin"].iloc[0] == pytest.approx(0.5, abs=1e-5)


def test_infeasible_says_how_close_it_gets() -> None:
    found = solve(*WHERE, target=1e12, name="utilisation", points=5)
    assert not found.feasible
    assert found.needed == ()
    assert "stays below" in found.statement
    assert (found.best_value, found.best_output < 1e12) == (1.0, True)
    nothing = solve(*WHERE, name="interactivity_tok_s_user", low=5000.0, high=9000.0, points=3)
    assert "there is no result" in nothing.statement
    always = solve(*WHERE, name="pue", points=3)
    assert always.statement.startswith("always")


def test_unknown_input_or_output_names_the_nearest() -> None:
    with pytest.raises(InputError, match="nearest is 'utilisation'"):
        solve(*WHERE, name="utilization")
    with pytest.raises(InputError, match="nearest is 'gross_margin'"):
        solve(*WHERE, output="gross_margins")
    with pytest.raises(InputError, match="low 3 must be below high 2"):
        solve(*WHERE, name="price_factor", low=3.0, high=2.0)


def test_faster_service_needs_a_premium() -> None:
    slow, fast = (needed_speed_premium("gb200-nvl72", *WHERE[1:], s).needed[0] for s in (60.0, 120.0))
    assert 1.0 < slow < fast
    assert not needed_speed_premium("h100-sxm", *WHERE[1:], 2000.0).feasible


def test_what_must_be_true_against_a_rival() -> None:
    table = must_be_true("gb200-nvl72", "gb300-nvl72", *WHERE[1:], names=("price_factor", "utilisation")).set_index(
        "input"
    )
    rival = evaluate(["gb300-nvl72"], [WHERE[1]], [WHERE[2]], intervals=False)["profit_usd_per_rack_year"].iloc[0]
    found = evaluate(
        ["gb200-nvl72"],
        [WHERE[1]],
        [WHERE[2]],
        intervals=False,
        price_factor=float(table.loc["price_factor", "needed"]),
    )
    assert found["profit_usd_per_rack_year"].iloc[0] == pytest.approx(rival, rel=1e-5)
    assert table["feasible"].all()


def test_every_input_has_a_range_and_unit() -> None:
    for name in INPUTS.values():
        assert allowed_values()[name].numeric, name


def _listings(model: str, prices: dict[str, float], providers: int = 4) -> pd.DataFrame:
    rows = [
        {
            "kind": "open-weight API price",
            "provider": f"p{i}",
            "model": model,
            "model_id": model,
            "tier": "standard",
            "unit": "$/M tokens",
            "value_input": price / 4,
            "value_cached_input": np.nan,
            "value_output": price * (1 + 0.02 * i),
            "valid_from": date,
            "valid_to": "",
            "source_date": date,
            "source_id": "made-up",
            "flag": "",
        }
        for date, price in prices.items()
        for i in range(providers)
    ]
    return pd.DataFrame(rows)


def test_backtest_catches_a_price_that_rose_tenfold_and_passes_one_that_fell_as_expected() -> None:
    table = pd.concat(
        [
            _listings("steady", {"2025-06-01": 2.0, "2026-05-01": 1.7}),
            _listings("leaping", {"2025-06-01": 2.0, "2026-05-01": 20.0}),
        ]
    )
    tested = backtest(table, cutoffs=("2025-12-31",), months=(6,))
    median = tested[(tested["method"] == "report") & (tested["measure"] == "median card")].set_index("model")
    assert bool(median.loc["steady", "inside"])
    assert not bool(median.loc["leaping", "inside"])
    share = coverage(tested).query("measure == 'median card'").iloc[0]
    assert share["covered_share"] == 0.5
    assert share["above_share"] == 0.5
    assert share["low"] < 0.5 < share["high"]


def test_backtest_uses_nothing_after_the_cutoff() -> None:
    before = _listings("m", {"2025-06-01": 2.0, "2025-10-01": 1.5})
    after = pd.concat([before, _listings("m", {"2026-04-01": 0.1})])
    low = [backtest(t, cutoffs=("2025-12-31",), months=(6,))["low"].iloc[0] for t in (before, after)]
    assert low[0] == low[1]


@pytest.mark.slow
def test_coverage_on_the_dated_history_is_near_what_is_claimed() -> None:
    share = coverage(backtest()).set_index(["method", "measure", "months"])
    for span in (3, 6):
        row = share.loc[("report", "median card", span)]
        assert row["forecasts"] >= 50
        assert row["low"] <= 0.9 <= row["high"]


@pytest.mark.parametrize(("asked", "median"), [((1.0, 3.0), 2.0), ((1.0,), math.nan), ((), math.nan)])
def test_a_median_price_is_of_two_providers_or_more(asked, median):
    history = _History(table("prices").iloc[:0])
    history.at = lambda model, date: [{"output": price} for price in asked]
    assert history.median("a", "2026-01-01") == pytest.approx(median, nan_ok=True)
