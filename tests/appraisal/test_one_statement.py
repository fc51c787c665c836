"""Profit, present value and internal rate say the same; dearer capital moves the charge and never the investment."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_evaluate import CARD, frontier

from rackecon.appraisal.evaluate import PLATFORMS, evaluate
from rackecon.catalog import base_case
from rackecon.economics.cost_table import residual_at
from rackecon.economics.money_step import level_price_factor
from rackecon.economics.returns import present_value_factors
from rackecon.errors import InputError

RATES = st.floats(0.0, 0.4)
MONTHS = st.integers(12, 120)


def rows(**terms):
    found = evaluate(PLATFORMS, ["deepseek-r1"], ["chat"], search=frontier, intervals=False, price_cards=CARD, **terms)
    return found[found["profit_usd_per_gpu_year"].notna()]


@settings(max_examples=25, deadline=None)
@given(
    RATES,
    MONTHS,
    st.floats(0.0, 0.8),
    st.floats(0.0, 0.45),
    st.floats(-3.0, 1.0),
    st.sampled_from(["ownership", "build_up"]),
)
def test_a_profit_is_a_present_value_spread_over_the_horizon(rate, months, decline, gain, price, basis):
    """Exact at the base case's cost of capital; at another one, months of a falling price weigh differently, and by no more."""
    found = rows(
        wacc=rate,
        horizon_years=months / 12,
        price_decline_per_year=decline,
        own_software_gain_per_year=gain,
        price_factor=10.0**price,
        cost_basis=basis,
    )
    assume(len(found))
    profit, worth = (found[name].to_numpy() for name in ("profit_usd_per_gpu_year", "npv_usd_per_gpu"))
    years = float(present_value_factors(rate, 0.0, months / 12).cost_years)
    scale = found["cost_usd_per_gpu_hour"].to_numpy() * 8760.0 * years
    falls = 1.0 - (1.0 - decline) * (1.0 + gain)
    own, common = (float(level_price_factor(r, falls, months / 12)) for r in (rate, base_case().wacc))
    profit = profit + found["revenue_usd_per_gpu_hour"].to_numpy() * 8760.0 * (own / common - 1.0)
    assert worth / scale == pytest.approx(profit * years / scale, abs=1e-9)
    # months before the last that do not pay their running cost turn the flow again: one of several rates is given
    late = found["revenue_usd_per_gpu_hour"] / found["level_price_factor"] * (1.0 - falls) ** ((months - 1.5) / 12)
    once = (late >= found["running_usd_per_gpu_hour"]).to_numpy()
    sure = once & np.isfinite(found["irr_per_year"].to_numpy()) & (np.abs(profit * years / scale) > 1e-6)
    assert ((found["irr_per_year"].to_numpy() > rate) == (profit > 0))[sure].all()


def test_software_that_gains_what_prices_lose_leaves_revenue_level():
    """By hand: at a fall of 20 % and a gain of 25 % a year, 0.8 x 1.25 = 1."""
    level = rows(price_decline_per_year=0.0)
    linked = rows(price_decline_per_year=0.2, own_software_gain_per_year=0.25)
    assert linked["level_price_factor"].to_numpy() == pytest.approx(1.0, abs=1e-12)
    for name in ("profit_usd_per_rack_year", "npv_usd_per_rack", "irr_per_year", "payback_years"):
        assert linked[name].to_numpy() == pytest.approx(level[name].to_numpy(), rel=1e-9)


def test_at_the_base_cost_of_capital_profit_and_present_value_have_one_sign():
    for decline in (0.0, 0.3, 0.7):
        found = rows(price_decline_per_year=decline, price_factor=0.2)
        assert (np.sign(found["profit_usd_per_gpu_year"]) == np.sign(found["npv_usd_per_gpu"])).all()


@settings(max_examples=40, deadline=None)
@given(RATES, st.floats(0.005, 0.1), MONTHS, st.floats(0.0, 0.8), st.sampled_from(["ownership", "build_up"]))
def test_dearer_capital_raises_cost_and_lowers_profit_whatever_prices_do(rate, more, months, decline, basis):
    given = {"horizon_years": months / 12, "price_decline_per_year": decline, "cost_basis": basis}
    cheap, dear = (rows(wacc=wacc, **given) for wacc in (rate, rate + more))
    assert (dear["cost_usd_per_gpu_hour"].to_numpy() > cheap["cost_usd_per_gpu_hour"].to_numpy()).all()
    assert (dear["profit_usd_per_gpu_year"].to_numpy() < cheap["profit_usd_per_gpu_year"].to_numpy()).all()
    same = cheap["investment_usd_per_gpu"].to_numpy()
    assert dear["investment_usd_per_gpu"].to_numpy() == pytest.approx(same, rel=1e-12)
    # a last month that pays its own running cost: else a present value rightly rises as that loss is put off
    last = cheap["revenue_usd_per_gpu_hour"].to_numpy() / cheap["level_price_factor"].to_numpy()
    last = last * (1.0 - decline) ** ((months - 0.5) / 12)
    earns = cheap["running_usd_per_gpu_hour"].to_numpy() < last
    assert (dear["npv_usd_per_gpu"].to_numpy() < cheap["npv_usd_per_gpu"].to_numpy())[earns].all()


@settings(max_examples=15, deadline=None)
@given(MONTHS, st.integers(1, 24))
def test_a_longer_life_lowers_the_charge_and_resale_follows_the_age(months, more):
    short, long = (rows(horizon_years=m / 12, residual_share=0.0) for m in (months, months + more))
    assert (long["cost_usd_per_gpu_hour"].to_numpy() < short["cost_usd_per_gpu_hour"].to_numpy()).all()
    aged = rows(horizon_years=months / 12, cost_basis="ownership")
    share = float(residual_at(months / 12))
    assert aged["residual_usd_per_gpu"].to_numpy() == pytest.approx(share * aged["investment_usd_per_gpu"].to_numpy())
    sold = rows(horizon_years=months / 12)["cost_usd_per_gpu_hour"].to_numpy()
    assert (sold < short["cost_usd_per_gpu_hour"].to_numpy()).all()


def test_a_tax_that_would_change_nothing_is_refused_in_one_line():
    for terms in ({"cost_basis": "rental", "cost_tier": "3-year"}, {"cost_usd_per_gpu_hour": 2.0}):
        with pytest.raises(InputError, match=r"tax_rate 0.3 changes nothing.*build_up"):
            rows(tax_rate=0.3, **terms)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.0, 0.6), st.floats(0.03, 0.3), st.sampled_from(["ownership", "build_up"]))
def test_tax_raises_the_charge_by_the_textbook_factor_and_nothing_else(tax, rate, basis):
    """Cost before tax less running cost is the charge; straight-line write-off of 1 over five years is worth z."""
    given = {"wacc": rate, "residual_share": 0.0, "cost_basis": basis}
    before, after = (rows(tax_rate=t, **given) for t in (0.0, tax))
    charge = (before["cost_usd_per_gpu_hour"] - before["running_usd_per_gpu_hour"]).to_numpy()
    worth = (1.0 - (1.0 + rate) ** -5) / (5.0 * rate)
    more = charge * ((1.0 - tax * worth) / (1.0 - tax) - 1.0)
    for name, sign in (("cost", 1.0), ("running", 1.0), ("profit", -1.0)):
        moved = after[f"{name}_usd_per_gpu_hour"].to_numpy() - before[f"{name}_usd_per_gpu_hour"].to_numpy()
        assert moved == pytest.approx(sign * more, rel=1e-9, abs=1e-12)
    assert after["investment_usd_per_gpu"].to_numpy() == pytest.approx(before["investment_usd_per_gpu"].to_numpy())


def test_an_own_cost_is_the_cost_at_the_base_cases_terms_and_moves_with_them():
    base, same, dear = (rows(**given) for given in ({}, {"own_costs": ""}, {"own_costs": "gb200-nvl72=3.1"}))
    assert same.equals(base)
    at = base["accelerator"] == "gb200-nvl72"
    assert float(dear.loc[at, "cost_usd_per_gpu_hour"].iloc[0]) == pytest.approx(3.1, rel=1e-12)
    assert dear.loc[~at, "cost_usd_per_gpu_hour"].equals(base.loc[~at, "cost_usd_per_gpu_hour"])
    factor = 3.1 / float(base.loc[at, "cost_usd_per_gpu_hour"].iloc[0])
    other, moved = (rows(wacc=0.2, horizon_years=3.0, **given) for given in ({}, {"own_costs": "gb200-nvl72=3.1"}))
    for name in ("cost_usd_per_gpu_hour", "investment_usd_per_gpu", "running_usd_per_gpu_hour"):
        assert float(moved.loc[at, name].iloc[0]) == pytest.approx(
            factor * float(other.loc[at, name].iloc[0]), rel=1e-9
        )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"own_costs": "gb200=1.8"}, r"unknown accelerator 'gb200'.*gb200-nvl72"),
        ({"own_costs": "gb200-nvl72"}, r"own_costs 'gb200-nvl72': no cost.*gb200-nvl72=1.8"),
        ({"own_costs": "gb200-nvl72=500"}, r"own_costs 'gb200-nvl72=500': .*out of range: allowed 0.05 to 100"),
        ({"own_costs": "mi355x=1,mi355x=2"}, "own_costs: mi355x is named twice"),
        (
            {"own_costs": "mi355x=1", "cost_usd_per_gpu_hour": 2.0},
            "own_costs stand in place of single platforms' costs",
        ),
    ],
)
def test_own_costs_that_cannot_be_are_refused_in_one_line(given, said):
    with pytest.raises(InputError, match=said):
        rows(**given)


def test_a_flow_that_turns_twice_has_no_internal_rate():
    """Prices that fall by three quarters a year leave the last months at a loss: NPV falls, then rises with the rate."""
    found = rows(wacc=0.0, horizon_years=89 / 12, price_decline_per_year=0.75, residual_share=0.0)
    running = found["running_usd_per_gpu_hour"].to_numpy()
    last = found["revenue_usd_per_gpu_hour"].to_numpy() / found["level_price_factor"].to_numpy() * 0.25 ** (88.5 / 12)
    assert (last < running).all()
    assert found["irr_per_year"].isna().all()
