"""Cost bases: capitalising a published rate, own against rent, build-up waterfall and its reconciliation."""

from dataclasses import replace

import numpy as np
import pytest

from rackecon.economics.build_up import BuildUpInputs, build_up, reconcile
from rackecon.economics.cost import implied_investment, own_rent_crossing
from rackecon.economics.cost_table import ownership_split, published_terms
from rackecon.economics.finance import crf
from rackecon.economics.money_step import level_price_factor
from rackecon.economics.returns import present_value_factors, returns
from rackecon.errors import InputError

RACK = BuildUpInputs(
    gpus=72,
    hardware_usd=3.3e6,
    provisioned_kw=134.6,
    drawn_it_kw=110.0,
    electricity_usd_per_kwh=0.0871,
    pue=1.25,
    rate_per_year=0.10,
    it_life_years=4.0,
    network_share=0.2,
    residual_share=0.175,
    colocation_usd_per_kw_month=188.7,
    maintenance_share_per_year=0.035,
)


def test_build_up_by_hand():
    """Rack 3.3 MUSD and 0.66 of network, paid back monthly over 4 years at 10 %, 0.5775 resold, space, power, 3.5 % upkeep."""
    month = 1.1 ** (1 / 12) - 1
    factor = 12 * month / (1 - 1.1**-4)
    capital = (3.96e6 - 577_500 * 1.1**-4) * factor
    space = 134.6 * 188.7 * 12
    power = 110 * 1.25 * 8760 * 0.0871
    upkeep = 3.96e6 * 0.035
    by_hand = (capital + space + power + upkeep) / (72 * 8760)
    out = build_up(RACK)
    assert float(out.usd_per_gpu_hour) == pytest.approx(by_hand, rel=1e-12)
    assert float(out.running_usd_per_gpu_hour) == pytest.approx((space + power + upkeep) / (72 * 8760), rel=1e-12)
    frame = out.waterfall()
    assert frame["usd_per_gpu_hour"].sum() == pytest.approx(by_hand)
    assert frame["end"].iloc[-1] == pytest.approx(by_hand)
    assert frame["share"].sum() == pytest.approx(1.0)


def test_ramp_up_by_hand():
    """Six months at half capacity: a quarter of a year's running cost joins the investment, and a quarter's interest at 12 % on
    3.3 MUSD of rack and 0.66 of network."""
    plain, slow = build_up(RACK), build_up(replace(RACK, ramp_months=6.0, waiting_rate_per_year=0.12))
    before = float(plain.running_usd_per_gpu_hour) * 8760 / 4 + 3.96e6 * (1.12**0.25 - 1.0) / 72
    assert float(slow.investment_usd_per_gpu - plain.investment_usd_per_gpu) == pytest.approx(before, rel=1e-12)
    month = 1.1 ** (1 / 12) - 1
    more = before * 12 * month / (1 - 1.1**-4) / 8760
    assert float(slow.usd_per_gpu_hour) == pytest.approx(float(plain.usd_per_gpu_hour) + more, rel=1e-12)


def test_what_a_gpu_costs_and_leaves_by_hand():
    """3.96 MUSD over 72 GPUs of which the rack is 3.3, resold for 17.5 % of that; tax is of the capital that is not resold:
    written off over five years, its deductions are worth 5 x 0.1 / (1 - 1.1^-5) of it less."""
    out = build_up(replace(RACK, tax_rate=0.21))
    per_gpu = (out.investment_usd_per_gpu, out.hardware_usd_per_gpu, out.residual_usd_per_gpu)
    assert [float(x) for x in per_gpu] == pytest.approx([3.96e6 / 72, 3.3e6 / 72, 577_500 / 72], rel=1e-12)
    month = 1.1 ** (1 / 12) - 1
    capital = (3.96e6 - 577_500 * 1.1**-4) * 12 * month / (1 - 1.1**-4)
    present = (1 - 1.1**-5) / 0.1 / 5
    more = capital * ((1 - 0.21 * present) / (1 - 0.21) - 1)
    assert float(out.parts["tax"]) == pytest.approx(more / (72 * 8760), rel=1e-12)
    assert float(out.usd_per_gpu_hour - build_up(RACK).usd_per_gpu_hour) == pytest.approx(more / (72 * 8760), rel=1e-9)
    resold = 577_500 * 1.1**-4 * 12 * month / (1 - 1.1**-4)
    assert float(out.parts["resale credit"]) == pytest.approx(-resold / (72 * 8760), rel=1e-12)


def test_own_building_outlives_the_computers():
    own = build_up(replace(RACK, colocation_usd_per_kw_month=None, building_usd_per_kw=11_300.0))
    yearly = float(own.parts["building"]) * 72 * 8760
    assert yearly == pytest.approx(134.6 * 11_300 * float(crf(0.10, 20)))
    assert float(own.investment_usd_per_gpu) > float(build_up(RACK).investment_usd_per_gpu)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("storage_share", 0.05),
        ("installation_share", 0.05),
        ("licence_usd_per_gpu_year", 4500.0),
        ("spares_share", 0.05),
        ("people_usd_per_year", 30_000.0),
        ("insurance_share_per_year", 0.005),
        ("ramp_months", 6.0),
        ("tax_rate", 0.21),
        ("electricity_usd_per_kwh", 0.12),
        ("rate_per_year", 0.15),
    ],
)
def test_each_added_burden_raises_the_cost(field, value):
    assert float(build_up(replace(RACK, **{field: value})).usd_per_gpu_hour) > float(build_up(RACK).usd_per_gpu_hour)


def test_resale_lowers_the_cost_and_broadcasts():
    out = build_up(replace(RACK, residual_share=np.array([0.0, 0.175, 0.4])))
    assert (np.diff(out.usd_per_gpu_hour) < 0).all()


def test_reconciliation_adds_up_to_the_published_figure():
    steps = {"rack at 3.0 MUSD": {"hardware_usd": 3.0e6}, "no upkeep contract": {"maintenance_share_per_year": 0.0}}
    walk = reconcile(RACK, 1.86, steps)
    assert walk["usd_per_gpu_hour"].iloc[0] == pytest.approx(float(build_up(RACK).usd_per_gpu_hour))
    assert walk["usd_per_gpu_hour"].iloc[0] + walk["change_usd_per_gpu_hour"].sum() == pytest.approx(1.86)
    assert list(walk["step"][-2:]) == ["not explained", "published"]


def test_capitalised_published_rate_returns_exactly_the_cost_of_capital():
    """Selling at the published cost for its life, month by month, has a present value of 0 and earns the rate."""
    split = implied_investment(1.86, running_share=0.2, rate_per_year=0.10, life_years=4)
    out = returns(
        investment_usd=split.investment_usd_per_gpu,
        revenue_usd_per_year=1.86 * 8760,
        running_cost_usd_per_year=split.running_usd_per_gpu_hour * 8760,
        horizon_years=4,
        rate_per_year=0.10,
    )
    assert float(out.npv_usd) == pytest.approx(0.0, abs=1e-6)
    assert float(out.irr_per_year) == pytest.approx(0.10, abs=1e-8)


def test_early_exit_leaves_the_unrecovered_balance():
    """Four-year rate left after three: the resale is the fourth year's charge, so selling at cost earns 10 %."""
    split = implied_investment(1.86, running_share=0.2, rate_per_year=0.10, life_years=4, horizon_years=3)
    out = returns(
        investment_usd=split.investment_usd_per_gpu,
        revenue_usd_per_year=1.86 * 8760,
        running_cost_usd_per_year=split.running_usd_per_gpu_hour * 8760,
        horizon_years=3,
        rate_per_year=0.10,
        residual_usd=split.residual_usd_per_gpu,
    )
    assert float(out.irr_per_year) == pytest.approx(0.10, abs=1e-8)


def test_five_million_for_the_rack_is_three_years_of_ownership():
    """The vendor's 5 MUSD investment lies between 72 GPUs x 3 years at the two published 2025 ownership rates."""
    hours = 72 * 3 * 8760
    assert 2.21 * hours == pytest.approx(4.18e6, rel=2e-3)
    assert 2.75 * hours == pytest.approx(5.20e6, rel=2e-3)


def test_owning_crosses_on_demand_rent():
    crossing = float(own_rent_crossing(1.17, 3.29))
    assert crossing * 3.29 == pytest.approx(1.17)
    assert float(own_rent_crossing(4.0, 3.29)) > 1.0


@pytest.mark.parametrize("decline", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("factor", [0.5, 1.3])
def test_yearly_profit_and_present_value_are_one_statement(decline, factor):
    """On the published basis the net present value is the level yearly profit times the annuity of the horizon."""
    split = implied_investment(1.86, running_share=0.2, rate_per_year=0.10, life_years=4)
    level = float(level_price_factor(0.10, decline, 4))
    revenue = 1.86 * factor * 8760
    out = returns(
        investment_usd=split.investment_usd_per_gpu,
        revenue_usd_per_year=revenue / level,
        running_cost_usd_per_year=split.running_usd_per_gpu_hour * 8760,
        horizon_years=4,
        rate_per_year=0.10,
        price_decline_per_year=decline,
    )
    annuity = float(present_value_factors(0.10, 0.0, 4).cost_years)
    assert float(out.npv_usd) == pytest.approx((revenue - 1.86 * 8760) * annuity, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"building_usd_per_kw": 11_300.0}, r"exactly one of colocation_usd_per_kw_month and building_usd_per_kw"),
        ({"colocation_usd_per_kw_month": None}, r"exactly one of colocation_usd_per_kw_month"),
        ({"residual_share": 1.2}, r"residual_share must lie between 0 and 1, got 1.2"),
        ({"it_life_years": 0.0}, r"years must be above 0, got 0"),
        ({"pue": 0.9}, r"pue must be 1 or more"),
        ({"hardware_usd": -1.0}, r"hardware_usd must be 0 or more"),
    ],
)
def test_contradictory_build_ups_are_refused(change, message):
    with pytest.raises(InputError, match=message) as caught:
        build_up(replace(RACK, **change))
    assert "\n" not in str(caught.value)


def test_a_published_cost_of_owning_stands_on_its_source_s_terms():
    # data/costs.csv: 10 % of capital (estimate), an economic life of 4 years, running costs under 20 % of the whole
    assert published_terms() == (0.10, 4.0)
    assert ownership_split() == (0.20, 4.0)
