"""Finance against hand-worked figures, numpy-financial, and month tables built here with plain loops."""

import math

import numpy as np
import numpy_financial as npf
import pytest

from rackecon.economics.cash_flow import cash_flow_table
from rackecon.economics.finance import (
    crf,
    irr,
    npv,
    tax_adjusted_capital_cost,
)
from rackecon.economics.money_step import mean_price_factor
from rackecon.economics.returns import present_value_factors, retire_age_years, returns
from rackecon.economics.tokens import launch_price_factor
from rackecon.errors import InputError


def test_capital_recovery_with_resale_hand_worked():
    # 40,000 x 0.329234 = 13,169.4; 8,000 x (0.329234 - 0.12) = 1,673.9; difference 11,495.5
    factor = float(crf(0.12, 4))
    assert factor == pytest.approx(0.329234, abs=1e-6)
    assert 40_000 * factor - 8_000 * (factor - 0.12) == pytest.approx(11_496, abs=1)


@pytest.mark.parametrize(("years", "expected"), [(3, 0.402), (4, 0.315), (5, 0.264), (6, 0.230)])
def test_crf_at_ten_percent(years, expected):
    assert float(crf(0.10, years)) == pytest.approx(expected, abs=5e-4)


def test_crf_without_cost_of_money_is_straight_line():
    assert float(crf(0.0, 5)) == 0.2
    assert float(crf(1e-9, 5)) == pytest.approx(0.2, rel=1e-6)


def test_npv_and_irr_match_numpy_financial():
    rng = np.random.default_rng(7)
    for periods in (3, 12, 48):
        flows = np.concatenate([[-1000.0], rng.uniform(5.0, 120.0, periods)])
        assert float(npv(0.013, flows)) == pytest.approx(npf.npv(0.013, flows), rel=1e-12)
        assert float(irr(flows)) == pytest.approx(npf.irr(flows), abs=1e-9)


def test_irr_is_vectorised_and_nan_without_an_outlay_or_return():
    flows = np.array([[-100.0, 60.0, 60.0], [100.0, 60.0, 60.0], [-100.0, -1.0, -1.0]])
    out = irr(flows)
    assert out[0] == pytest.approx(npf.irr(flows[0]), abs=1e-9)
    assert np.isnan(out[1:]).all()


def test_a_rate_of_return_does_not_depend_on_the_unit_of_money():
    # 0.50 now, 0.55 in a year: 10 %; so for a part of a dollar, which is less than one, as for a site
    for scale in (1e-6, 1.0, 1e9):
        assert float(irr([-0.5 * scale, 0.55 * scale])) == pytest.approx(0.10, abs=1e-9)


def test_returns_do_not_depend_on_the_unit_of_money():
    rest = {"horizon_years": 4.0, "rate_per_year": 0.1, "residual_usd": 0.0}
    for scale in (1e-6, 1.0, 1e3):
        money = {
            "investment_usd": 3e6 * scale,
            "revenue_usd_per_year": 5e6 * scale,
            "running_cost_usd_per_year": 4e5 * scale,
        }
        even, turned = (returns(**money, price_decline_per_year=fall, **rest) for fall in (0.0, 0.9))
        month = (1.0 + float(even.irr_per_year)) ** (1 / 12)
        assert sum(4.6 / 12 / month**k for k in range(1, 49)) == pytest.approx(3.0, rel=1e-6)
        assert math.isnan(float(turned.irr_per_year))  # its last months lose: no single rate
        assert float(even.payback_years) == pytest.approx(3.0 / 4.6, rel=1e-9)


def test_irr_of_monthly_flows_is_effective_yearly():
    yearly = irr([-1000.0] + [0.0] * 11 + [1100.0], periods_per_year=12)
    assert float(yearly) == pytest.approx(0.10, abs=1e-9)


def test_launch_price_earns_zero_where_flat_levelised_price_loses():
    step, fall = 1.10 ** (1 / 12), 0.7
    flat, falling = 0.0, 0.0
    for month in range(1, 49):
        flat += step**-month
        falling += step**-month * fall ** ((month - 0.5) / 12)
    assert float(launch_price_factor(0.10, 0.30, 4)) == pytest.approx(flat / falling, rel=1e-12)
    assert float(launch_price_factor(0.10, 0.0, 4)) == pytest.approx(1.0, rel=1e-12)


def test_mean_price_factor_is_the_mean_of_the_path():
    direct = sum(0.7 ** ((m - 0.5) / 12) for m in range(1, 49)) / 48
    assert float(mean_price_factor(0.3, 4)) == pytest.approx(direct, rel=1e-12)
    assert float(mean_price_factor(0.0, 4)) == 1.0


@pytest.mark.parametrize("decline", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("residual", [0.0, 5e5])
def test_closed_forms_equal_the_month_table(decline, residual):
    case = {"horizon_years": 4.0, "rate_per_year": 0.1, "price_decline_per_year": decline, "residual_usd": residual}
    table = cash_flow_table(3e6, 5e6, 4e5, **case)
    out = returns(investment_usd=3e6, revenue_usd_per_year=5e6, running_cost_usd_per_year=4e5, **case)
    assert float(out.npv_usd) == pytest.approx(table["present_value_usd"].sum(), rel=1e-10)
    assert float(out.revenue_usd) == pytest.approx(table["revenue_usd"].sum(), rel=1e-12)
    net = table["net_usd"].to_numpy()
    turns = int(np.count_nonzero(np.diff(np.sign(net[net != 0.0]))))
    assert turns == (1 if decline < 0.9 else 2 if residual == 0 else 3)
    # late months that lose money turn the flow again, a resale once more: no single rate is promised then
    rate = float(irr(net, periods_per_year=12)) if turns == 1 else math.nan
    assert float(out.irr_per_year) == pytest.approx(rate, rel=1e-6, nan_ok=True)
    left, month = np.cumsum(net), int(np.argmax(np.cumsum(net) >= 0.0))
    paid = (month - left[month - 1] / net[month] - 1) / 12 if left.max() >= 0.0 else math.inf
    assert float(out.payback_years) == pytest.approx(paid, rel=1e-9)
    zero = returns(
        investment_usd=3e6,
        revenue_usd_per_year=5e6 * float(out.break_even_launch_price_factor),
        running_cost_usd_per_year=4e5,
        **case,
    )
    assert float(zero.npv_usd) == pytest.approx(0.0, abs=1e-3)
    if decline < 0.9:  # at 90 % a year late months lose money, so 10 % is the second root and the higher one is given
        assert float(zero.irr_per_year) == pytest.approx(0.10, abs=1e-6)


def test_month_table_has_49_rows_and_its_own_totals():
    table = cash_flow_table(1e6, 6e5, 1e5, horizon_years=4, rate_per_year=0.1, ramp_months=6)
    assert len(table) == 49
    assert table["revenue_usd"].iloc[3] == pytest.approx(6e5 / 12 / 2)
    assert table["cumulative_usd"].iloc[-1] == pytest.approx(table["net_usd"].sum())
    level = cash_flow_table(1e6, 6e5, 1e5, horizon_years=4, rate_per_year=0.1)
    assert table["present_value_usd"].sum() < level["present_value_usd"].sum()


def test_tax_takes_its_share_and_bonus_depreciation_gives_it_back():
    kind = {"horizon_years": 4, "rate_per_year": 0.1}
    before = cash_flow_table(1e6, 6e5, 1e5, **kind)["net_usd"]
    after = cash_flow_table(1e6, 6e5, 1e5, tax_rate=0.21, tax_life_years=5, **kind)["net_usd"]
    assert after.sum() == pytest.approx(0.79 * before.sum())
    # a sixtieth of the rack a month, and in the last of 48 what is left of it
    relief = 0.21 * 1e6 / 60
    assert (after - 0.79 * before)[1:48].tolist() == pytest.approx([relief] * 47)
    assert (after - 0.79 * before)[48] == pytest.approx(13 * relief)
    bonus = cash_flow_table(1e6, 6e5, 1e5, tax_rate=0.21, **kind)
    slow = cash_flow_table(1e6, 6e5, 1e5, tax_rate=0.21, tax_life_years=5, **kind)
    assert bonus["present_value_usd"].sum() > slow["present_value_usd"].sum()
    assert float(tax_adjusted_capital_cost(100.0, 0.21, 0.1, 0.0)) == pytest.approx(100.0)


def test_retirement_is_where_price_meets_running_cost():
    age = float(retire_age_years(1e6, 1e5, 0.3))
    assert 1e6 * 0.7**age == pytest.approx(1e5)
    assert float(retire_age_years(1e5, 2e5, 0.3)) == 0.0
    assert np.isinf(float(retire_age_years(1e6, 1e5, 0.0)))


def test_rented_capacity_has_no_return_on_investment():
    out = returns(
        investment_usd=0.0, revenue_usd_per_year=2.0, running_cost_usd_per_year=1.0, horizon_years=3, rate_per_year=0.1
    )
    assert np.isnan([out.vendor_roi, out.profit_roi, out.irr_per_year, out.payback_years]).all()
    assert float(out.npv_usd) > 0


def test_present_value_factors_without_discount_count_years():
    factors = present_value_factors(0.0, 0.0, 5)
    assert float(factors.cost_years) == 5.0
    assert float(factors.revenue_years) == 5.0
    assert float(factors.terminal) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: crf(0.1, 0.0), r"years must be above 0, got 0"),
        (lambda: crf(-0.1, 4.0), r"rate_per_year must be 0 or more"),
        (lambda: cash_flow_table(1.0, 1.0, 1.0, horizon_years=0, rate_per_year=0.1), r"horizon_years must be above 0"),
        (
            lambda: cash_flow_table(1.0, 1.0, 1.0, horizon_years=1, rate_per_year=0.1, residual_usd=2.0),
            r"residual_usd 2 exceeds investment_usd 1",
        ),
        (lambda: mean_price_factor(1.0, 4), r"price_decline_per_year must be below 1, got 1"),
    ],
)
def test_contradictory_inputs_are_refused_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_internal_rate_is_left_out_on_request_and_nothing_else_changes():
    terms = {"investment_usd": 3e6, "revenue_usd_per_year": 4e6, "running_cost_usd_per_year": 4e5}
    terms |= {"horizon_years": 4, "rate_per_year": 0.1, "price_decline_per_year": 0.3}
    whole, part = returns(**terms), returns(**terms, internal_rate=False)
    assert float(whole.irr_per_year) > 0
    assert np.isnan(part.irr_per_year)
    for name in ("npv_usd", "vendor_roi", "profit_roi", "payback_years"):
        assert getattr(part, name) == getattr(whole, name)
