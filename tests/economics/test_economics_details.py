"""Small parts of the money by hand, where a wrong formula would go unnoticed."""

import math

import numpy as np
import pytest
from published_check import published_cost_check

from rackecon.economics.build_up_table import build_up_inputs
from rackecon.economics.finance import monthly_rate, payback_years
from rackecon.economics.financing import Contract, Financing, _debt, level_debt_payment
from rackecon.economics.power_table import IT_VINTAGE, all_in_kw
from rackecon.economics.returns import retire_age_years


def test_interest_is_paid_on_what_is_still_owed() -> None:
    """A debt of 100 over a year: each month's interest on the balance before, and the payments clear it."""
    rate = float(monthly_rate(0.12))
    payment = float(level_debt_payment(100.0, 0.12, 1.0))
    paid, interest = _debt(np.array([[100.0]]), Financing(1.0, 0.12, 1.0), 13)
    owed = 100.0
    for month in range(1, 13):
        assert interest[0, month] == pytest.approx(owed * rate)
        assert paid[0, month] == pytest.approx(payment)
        owed += owed * rate - payment
    assert owed == pytest.approx(0.0, abs=1e-9)
    assert paid[0, [0, 13]].tolist() == interest[0, [0, 13]].tolist() == [0.0, 0.0]


def test_no_contract_covers_nothing() -> None:
    assert (Contract().share, Contract().years, Contract().prepaid_share) == (0.0, 0.0, 0.0)


def test_paid_back_on_the_cent_is_paid_back() -> None:
    assert float(payback_years([-100.0, 50.0, 50.0, 0.0], periods_per_year=1)) == 2.0
    assert float(payback_years([-100.0, 50.0, 49.5], periods_per_year=1)) == math.inf
    assert float(payback_years([-1.0, 0.5, 0.25, 0.5], periods_per_year=1)) == 2.5


def test_a_machine_whose_price_does_not_fall_is_never_retired() -> None:
    assert float(retire_age_years(2.0, 1.0, 0.0)) == math.inf
    assert float(retire_age_years(1.0, 2.0, 0.0)) == 0.0


def test_digits_of_a_published_cost_meet_at_their_ends() -> None:
    """$3.60 an hour and 1,000 tokens a second are $1.00; rates rounded to 100 and costs to 0.1 reach 0.939 to 1.067."""
    found = published_cost_check(1.0, 0.01, 1000.0, 100.0, 3.6, 0.1)
    assert found["computed"] == pytest.approx(1.0)
    assert found["low"] == pytest.approx(3.55 / 1050.0 / 3600e-6)
    assert found["high"] == pytest.approx(3.65 / 950.0 / 3600e-6)
    assert published_cost_check(1.1, 0.1, 1000.0, 0.0, 3.78, 0.0)["compatible"]  # 1.05: the lower end of 1.1
    assert published_cost_check(1.0, 0.1, 1000.0, 0.0, 3.78, 0.0)["compatible"]  # and the upper of 1.0
    assert not published_cost_check(1.2, 0.1, 1000.0, 0.0, 3.78, 0.0)["compatible"]


def test_a_build_up_is_before_tax_unless_a_rate_is_given() -> None:
    bare = build_up_inputs("gb200-nvl72", rate_per_year=0.1, electricity_usd_per_kwh=0.1, pue=1.2, it_life_years=5.0)
    assert bare is not None
    assert bare.tax_rate == 0.0
    assert 0.0 < bare.network_share < 1.0


def test_the_vintage_of_a_power_figure_is_the_one_asked_for() -> None:
    assert all_in_kw("gb200-nvl72", IT_VINTAGE) < all_in_kw("gb200-nvl72", "2025-10")
