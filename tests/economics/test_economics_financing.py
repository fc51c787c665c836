"""Debt, tax and contracts against closed forms and an independent library."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackecon.economics.finance import crf
from rackecon.economics.financing import (
    Contract,
    Financing,
    depreciation_by_month,
    financed_return,
    level_debt_payment,
    macrs_shares,
    revenue_by_month,
)
from rackecon.errors import InputError

TERMS = {"horizon_years": 5.0, "rate_per_year": 0.11, "price_decline_per_year": 0.21}
RACK = (100.0, 80.0, 12.0, 12.5)


def test_macrs_is_the_published_table() -> None:
    assert macrs_shares() == pytest.approx((0.20, 0.32, 0.192, 0.1152, 0.1152, 0.0576), abs=1e-12)
    assert depreciation_by_month("macrs", 72).sum() == pytest.approx(1.0, abs=1e-12)
    assert depreciation_by_month("macrs", 12).sum() == pytest.approx(0.20, abs=1e-12)
    with pytest.raises(InputError, match="unknown depreciation 'marcs': nearest is 'macrs'"):
        depreciation_by_month("marcs", 12)


@pytest.mark.parametrize("rate", [0.0, 0.06, 0.13])
def test_a_debt_payment_is_that_of_the_library(rate: float) -> None:
    monthly = (1 + rate) ** (1 / 12) - 1
    theirs = -npf.pmt(monthly, 48, 1000.0)
    assert float(level_debt_payment(1000.0, rate, 4.0)) == pytest.approx(theirs, rel=1e-12)


def test_cover_of_level_sales_without_tax_is_the_closed_form() -> None:
    """100 invested, 60 borrowed at 8 % over 4 years; 50 a year kept: cover is 50 over the level payment."""
    found = financed_return(
        100.0, 70.0, 20.0, 0.0, horizon_years=4.0, rate_per_year=0.1, financing=Financing(0.6, 0.08, 4.0)
    )
    monthly = 1.08 ** (1 / 12) - 1
    yearly = 12 * 60.0 * monthly / (1 - (1 + monthly) ** -48)
    assert float(found.debt_service_usd_per_year) == pytest.approx(yearly, rel=1e-12)
    assert float(found.least_dscr) == pytest.approx(50.0 / yearly, rel=1e-12)
    assert float(found.equity_usd) == pytest.approx(40.0)


def test_a_levered_rate_worked_by_hand() -> None:
    """The owner puts in 40 and keeps 50 a year less the payment: the rate that npf finds for that annuity."""
    terms = Financing(0.6, 0.08, 4.0)
    found = financed_return(100.0, 70.0, 20.0, 0.0, horizon_years=4.0, rate_per_year=0.1, financing=terms)
    payment = float(level_debt_payment(60.0, 0.08, 4.0))
    theirs = (1 + npf.rate(48, 50.0 / 12 - payment, -40.0, 0.0)) ** 12 - 1
    assert float(found.levered_irr_per_year) == pytest.approx(theirs, rel=1e-9)
    assert float(found.unlevered_irr_per_year) == pytest.approx((1 + npf.rate(48, 50.0 / 12, -100.0, 0.0)) ** 12 - 1)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.9), st.floats(0.5, 5.0))
def test_debt_at_the_projects_own_rate_changes_nothing(share: float, years: float) -> None:
    level = TERMS | {"price_decline_per_year": 0.0}
    plain = financed_return(*RACK, **level)
    rate = float(plain.unlevered_irr_per_year)
    years = round(years * 12) / 12
    levered = float(financed_return(*RACK, **level, financing=Financing(share, rate, years)).levered_irr_per_year)
    assert levered == pytest.approx(rate, rel=1e-6)


def test_a_flow_that_turns_twice_has_no_rate() -> None:
    """Nine tenths borrowed while prices fall: the last payments cost more than the rack brings, and then it is free again."""
    found = financed_return(*RACK, **TERMS, financing=Financing(0.898, 0.43, 4.0))
    assert np.isnan(float(found.levered_irr_per_year))
    assert float(found.least_dscr) < 1.0


def test_cheaper_debt_lifts_and_dearer_debt_lowers_the_owners_return() -> None:
    level = TERMS | {"price_decline_per_year": 0.0}
    plain = float(financed_return(*RACK, **level).unlevered_irr_per_year)
    low, high = (financed_return(*RACK, **level, financing=Financing(0.5, r, 4.0)) for r in (0.05, plain + 0.2))
    assert float(high.levered_irr_per_year) < plain < float(low.levered_irr_per_year)


def test_tax_by_hand_over_one_year() -> None:
    """100 written off straight over one year, 130 taken in, a quarter taxed: the present value at 0 % is 0.75 x 30."""
    terms = Financing(tax_rate=0.25, depreciation="straight")
    found = financed_return(100.0, 130.0, 0.0, 0.0, horizon_years=1.0, rate_per_year=0.0, financing=terms)
    assert float(found.after_tax_npv_usd) == pytest.approx(22.5, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["macrs", "straight", "at_once"]), st.integers(12, 96), st.floats(0.0, 0.3))
def test_whatever_the_schedule_the_same_profit_is_taxed(kind: str, months: int, resale: float) -> None:
    terms = Financing(tax_rate=0.3, depreciation=kind)
    span = {"horizon_years": months / 12, "rate_per_year": 0.0}
    profit = 60.0 * months / 12 - 100.0 + 100.0 * resale
    found = financed_return(100.0, 80.0, 20.0, 100.0 * resale, **span, financing=terms)
    assert float(found.after_tax_npv_usd) == pytest.approx(0.7 * profit, abs=1e-9)


def test_the_sooner_it_is_written_off_the_more_it_is_worth() -> None:
    worth = [
        float(financed_return(*RACK, **TERMS, financing=Financing(tax_rate=0.21, depreciation=k)).after_tax_npv_usd)
        for k in ("at_once", "macrs", "straight")
    ]
    assert worth[0] > worth[1] > worth[2]


def test_contracts_hold_the_price_and_prepayment_moves_money_forward() -> None:
    open_sales = revenue_by_month(1200.0, 0.3, 48)
    assert open_sales[0] == 0.0
    held = revenue_by_month(1200.0, 0.3, 48, Contract(1.0, 2.0))
    assert held[1:25] == pytest.approx(100.0)
    assert held[25:] == pytest.approx(open_sales[25:])
    before = revenue_by_month(1200.0, 0.3, 48, Contract(1.0, 2.0, 0.25))
    assert before[0] == pytest.approx(0.25 * 2400.0)
    assert before.sum() == pytest.approx(held.sum())


def test_unlevered_matches_the_capital_recovery_factor_at_level_prices() -> None:
    """Selling at exactly the annuity earns the rate."""
    monthly = 1.1 ** (1 / 12) - 1
    level = 12 * 100.0 * monthly / (1 - 1.1**-4)
    found = financed_return(100.0, level, 0.0, 0.0, horizon_years=4.0, rate_per_year=0.1)
    assert float(found.unlevered_irr_per_year) == pytest.approx(0.1, abs=1e-9)
    assert level < 100.0 * float(crf(0.1, 4.0))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (Financing(1.0, 0.1, 2.0), "debt_share 1 leaves no money"),
        (Financing(0.5, 0.1, 9.0), "debt_years 9 is beyond horizon_years 5"),
        (Financing(0.5, 0.1, 0.0), "debt_years"),
        (Financing(tax_rate=1.5), "tax_rate"),
    ],
)
def test_impossible_terms_are_refused(terms: Financing, words: str) -> None:
    with pytest.raises(InputError, match=words):
        financed_return(*RACK, **TERMS, financing=terms)


def test_rates_broadcast_over_platforms() -> None:
    found = financed_return(np.array([100.0, 120.0]), np.array([80.0, 80.0]), np.array([12.0, 12.0]), 0.0, **TERMS)
    assert found.levered_irr_per_year.shape == (2,)
    assert found.levered_irr_per_year[0] > found.levered_irr_per_year[1]
