"""Price and own software on linked paths: closed forms, bounds, and the money step that follows them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackecon import catalog
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog.assumption_table import allowed_values
from rackecon.economics.money_step import level_price_factor, mean_price_factor, revenue_fall
from rackecon.errors import InputError
from rackecon.market.linked import linked_paths, linked_profits, mature_gain

MODEL, CASE = "gpt-oss-120b", "chat"


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 1.0), st.floats(0.6, 4.0), st.floats(0.25, 10.0))
def test_revenue_lies_between_the_price_and_the_rent_path(rents, made, years):
    """An own gain of none leaves the price's path; the market's gain leaves that of rents; price times tokens is revenue."""
    ends = linked_paths(rents, made, years).groupby("path", sort=False).last()
    price, tokens, revenue = (ends.loc[name] for name in ends.index)
    assert price["factor"] == pytest.approx((rents / made) ** years, rel=1e-12)
    assert revenue["factor"] == pytest.approx(price["factor"] * tokens["factor"], rel=1e-12)
    assert revenue["factor_low"] == pytest.approx(price["factor"], rel=1e-12)
    assert revenue["factor_high"] <= max(rents**years, price["factor"]) * (1 + 1e-12)
    assert tokens["factor_low"] <= tokens["factor"] <= tokens["factor_high"]


def test_the_highest_gain_allowed_is_the_measured_one():
    gain, rule = mature_gain(), allowed_values()["own_software_gain_per_year"]
    assert rule.high == pytest.approx(gain.value, abs=0.01)
    assert (rule.low, float(rule.default)) == (gain.low, assumptions().own_software_gain_per_year) == (0.0, 0.0)
    row = catalog.table("price_paths")
    stated = row.loc[row["subject"].astype(str).str.contains("mature phase"), "annualised_factor"].astype(float)
    assert 1.0 + gain.value == pytest.approx(stated.iloc[0], abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 0.9), st.floats(0.0, 0.45), st.floats(0.25, 8.0))
def test_a_gain_of_its_own_works_like_a_slower_fall(falls, gain, years):
    assert float(revenue_fall(falls, 0.0)) == pytest.approx(falls, abs=1e-15)
    fall = float(revenue_fall(falls, gain))
    months = np.arange(1, round(years * 12) + 1)
    path = ((1.0 - falls) * (1.0 + gain)) ** ((months - 0.5) / 12)
    weights = 1.11 ** (-months / 12)
    assert float(level_price_factor(0.11, fall, len(months) / 12)) == pytest.approx(
        (path @ weights) / weights.sum(), rel=1e-9
    )
    assert float(mean_price_factor(fall, len(months) / 12)) == pytest.approx(path.mean(), rel=1e-8)


def test_profits_on_linked_paths_are_the_money_steps():
    """Rents at 0.9 and a market that gains 20 % with an own gain of 20 %: revenue falls a tenth, as without either."""
    kept = linked_profits("b200-hgx", MODEL, CASE, 0.9, 1.2).set_index("paths")
    plain = evaluate(["b200-hgx"], [MODEL], [CASE], intervals=False, price_decline_per_year=0.1).iloc[0]
    with_gain = kept.loc["linked, own software as measured"]
    assert with_gain["own_software_gain_per_year"] == pytest.approx(0.2)
    assert with_gain["profit_usd_per_rack_year"] == pytest.approx(plain["profit_usd_per_rack_year"], rel=1e-9)
    assert with_gain["npv_usd_per_rack"] == pytest.approx(plain["npv_usd_per_rack"], rel=1e-9)
    assert kept.loc["linked, own software stands still", "revenue_fall_per_year"] == pytest.approx(0.25)


def test_a_gain_out_of_range_is_refused_in_one_line():
    with pytest.raises(
        InputError, match=r"own_software_gain_per_year 0\.6 is out of range: allowed 0 to 0\.45 per year"
    ):
        assumptions(own_software_gain_per_year=0.6)
    with pytest.raises(InputError, match=r"own_software_gain_per_year must be 0 or more, got -0\.1"):
        revenue_fall(0.2, -0.1)
