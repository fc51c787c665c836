"""Small parts of the money by hand, where a wrong formula would go unnoticed."""

import math
from dataclasses import replace

import numpy as np
import pytest
from published_check import published_cost_check

from rackecon.catalog import read_rows
from rackecon.catalog.paths import OWN_SOURCE
from rackecon.economics.build_up import BuildUpInputs, build_up
from rackecon.economics.build_up_table import build_up_inputs, build_up_record, hardware_price, reconciling_steps
from rackecon.economics.cost_table import hours_served_share, range_of, records_from, value_of
from rackecon.economics.finance import monthly_rate, tax_adjusted_capital_cost
from rackecon.economics.financing import Contract, Financing, _debt, _least_dscr, _one_rate, level_debt_payment
from rackecon.economics.market import entrant_price_usd_per_mtok
from rackecon.economics.market_table import rent
from rackecon.economics.money_step import money_step
from rackecon.economics.power_table import IT_VINTAGE, all_in_kw
from rackecon.economics.returns import retire_age_years, returns
from rackecon.economics.utilisation_table import utilisation_cases


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


def test_a_licence_is_of_a_gpu_and_a_year() -> None:
    one = BuildUpInputs(
        gpus=72, hardware_usd=3.3e6, provisioned_kw=134.6, drawn_it_kw=110.0, electricity_usd_per_kwh=0.09, pue=1.25,
        rate_per_year=0.10, it_life_years=4.0, colocation_usd_per_kw_month=188.7, licence_usd_per_gpu_year=4_500.0,
    )  # fmt: skip
    assert float(build_up(one).parts["software licence"]) == pytest.approx(4_500 / 8_760, rel=1e-12)


def test_paid_back_on_the_cent_is_paid_back() -> None:
    def paid_back(revenue: float, residual: float = 0.0) -> float:
        case = {"horizon_years": 2.0, "rate_per_year": 0.1, "price_decline_per_year": 0.0, "residual_usd": residual}
        known = returns(investment_usd=100.0, revenue_usd_per_year=revenue, running_cost_usd_per_year=0.0, **case)
        return float(known.payback_years)

    assert paid_back(50.0) == pytest.approx(2.0, rel=1e-12)
    assert paid_back(49.5) == math.inf
    assert paid_back(80.0) == pytest.approx(1.25, rel=1e-12)
    assert paid_back(24.0, 98.0) == pytest.approx(
        (23 + 54 / 100) / 12, rel=1e-12
    )  # 46 earned, the last month brings 100


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


def test_steps_to_a_published_figure_are_the_low_ends_of_what_was_published() -> None:
    """In their order; of a rack without a graded price the price is none."""
    price = hardware_price("gb300-nvl72")
    assert price is not None
    steps = reconciling_steps("gb300-nvl72", low_rate_per_year=0.06)
    assert steps["low end of the rack or server price"] == {"hardware_usd": price.low}
    assert steps["no insurance or ramp-up"] == {"insurance_share_per_year": 0.0, "ramp_months": 0.0}
    assert steps["own building, not retail colocation"]["colocation_usd_per_kw_month"] is None
    assert steps["own building, not retail colocation"]["building_usd_per_kw"] == 1000.0 * value_of("data centre construction", "global average shell+MEP")  # fmt: skip
    assert list(steps)[-1] == "low end of the cost of capital"
    assert steps[list(steps)[-1]] == {"rate_per_year": 0.06}
    terms = {"rate_per_year": 0.1, "electricity_usd_per_kwh": 0.1, "pue": 1.2, "it_life_years": 4.0}
    usual = build_up_inputs("gb300-nvl72", **terms)
    assert usual is not None
    for name in ("network_share", "storage_share", "installation_share"):
        assert 0.0 <= steps["low end of network, storage and installation"][name] <= float(getattr(usual, name))


def test_a_build_up_s_range_is_that_of_its_hardware() -> None:
    price = hardware_price("gb300-nvl72")
    inputs = build_up_inputs("gb300-nvl72", rate_per_year=0.1, electricity_usd_per_kwh=0.1, pue=1.2, it_life_years=4.0)
    assert price is not None
    assert inputs is not None
    record = build_up_record("gb300-nvl72", inputs)
    ends = [
        float(build_up(replace(inputs, hardware_usd=usd)).usd_per_gpu_hour)
        for usd in (price.usd, price.low, price.high)
    ]
    assert [record.usd_per_gpu_hour, record.low, record.high] == pytest.approx(ends, rel=1e-9)
    assert record.low < record.usd_per_gpu_hour < record.high
    assert (record.source_id, record.grade) == (price.source_id, price.grade) == (price.source_id, "published")


def test_the_vintage_of_a_power_figure_is_the_one_asked_for() -> None:
    assert all_in_kw("gb200-nvl72", IT_VINTAGE) < all_in_kw("gb200-nvl72", "2025-10")


def test_a_flow_that_turns_more_than_once_has_no_one_rate() -> None:
    """A month of nothing keeps the sign before it: the second flow turns twice, in its third month and in its fifth."""
    flows = np.array([[-100.0, 0.0, 150.0, 0.0, 0.0], [-100.0, 50.0, 60.0, 0.0, -1.0], [-100.0, 60.0, 0.0, 0.0, 60.0]])
    found = _one_rate(flows)
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[0] == pytest.approx(1.5**6 - 1.0)


def test_an_entrant_asks_more_for_what_is_given_away_and_for_rents_that_fall() -> None:
    """$3.60 an hour, 10,000 tokens a second, half sold, four fifths kept; a rent that halves over a year, month by month."""
    month = 0.5 ** (1.0 / 12.0)
    level = sum(month ** (m - 0.5) for m in range(1, 13)) / 12.0
    found = entrant_price_usd_per_mtok(
        3.6, 10_000.0, utilisation=0.5, kept_share=0.8, rent_factor=0.5, wacc=0.0, term_years=1.0
    )
    assert float(found) == pytest.approx(0.2 / 0.8 / level, rel=1e-9)


def test_revenue_before_licences_is_that_of_what_is_paid_for() -> None:
    """$0.006 a second at list; half sold, a quarter of it free, at 1.2 times 0.9 of the card, a fifth to the owner."""
    step = money_step(
        total_tok_s_per_gpu=9000.0, output_tok_s_per_gpu=1000.0, price_fresh_input_usd_per_mtok=0.5,
        price_cached_input_usd_per_mtok=0.1, price_output_usd_per_mtok=2.0, cost_usd_per_gpu_hour=2.0, utilisation=0.5,
        licence_share=0.2, free_share=0.25, speed_premium=1.2, price_factor=0.9,
    )  # fmt: skip
    assert float(step.gross_revenue_usd_per_gpu_hour) == pytest.approx(3600 * 0.006 * 0.5 * 1.08 * 0.75)
    assert float(step.revenue_usd_per_gpu_hour) == pytest.approx(3600 * 0.006 * 0.5 * 1.08 * 0.75 * 0.8)


def test_capital_is_written_off_over_five_years_unless_a_tax_life_is_given() -> None:
    assert tax_adjusted_capital_cost(100.0, 0.21, 0.1) == tax_adjusted_capital_cost(100.0, 0.21, 0.1, 5.0)
    assert tax_adjusted_capital_cost(100.0, 0.21, 0.1) > tax_adjusted_capital_cost(100.0, 0.21, 0.1, 4.0)


def test_a_rent_over_years_is_one_quotation() -> None:
    found = rent("h100-sxm", "3 years")
    assert found is not None
    assert found.listings == 1


def test_a_cost_says_whether_its_row_is_the_reader_s_own() -> None:
    row = {
        "category": "rental market price",
        "item": "",
        "accelerator": "h100-sxm",
        "basis": "on-demand",
        "value": "2.5",
    }
    rest = {"low": "2", "high": "3", "source_date": "2026-06-01", "confidence": "medium", "grade": "measured"}
    own, shipped = (records_from([{**row, **rest, "source_id": x}]) for x in (OWN_SOURCE, "a landlord"))
    assert [x.grade for x in own] == ["own row, measured"]
    assert [x.grade for x in shipped] == ["measured, medium confidence"]


def test_the_least_cover_of_a_debt_is_that_of_its_own_worst_year() -> None:
    """Two racks, two years: 1.5 and 1.2 times what is owed; 1.1 and 2; a year without a debt says nothing."""
    cash = np.repeat([[0.0, 15.0, 12.0], [0.0, 11.0, 20.0]], [1, 12, 12], axis=1)
    owed = np.repeat([[0.0, 10.0, 10.0], [0.0, 10.0, 0.0]], [1, 12, 12], axis=1)
    assert _least_dscr(cash, owed, 24).tolist() == pytest.approx([1.2, 1.1])


def test_what_a_machine_resells_for_is_told_by_the_gpu() -> None:
    bare = build_up_inputs("gb200-nvl72", rate_per_year=0.1, electricity_usd_per_kwh=0.1, pue=1.2, it_life_years=5.0)
    assert bare is not None
    out = build_up(replace(bare, residual_share=0.25))
    assert float(out.residual_usd_per_gpu) == pytest.approx(0.25 * float(out.hardware_usd_per_gpu))


def test_head_room_is_taken_off_derived_shares_alone() -> None:
    # 226.75 of 278 nodes on average, at 70 % of their load; a quarter of the fleet kept spare
    assumed, derived, kept = utilisation_cases(headroom=0.25)["utilisation"]
    assert assumed == 0.6
    assert derived == pytest.approx(226.75 / 278 * 0.75)
    assert kept == pytest.approx(226.75 / 278 * 0.75 * 0.7)


def test_hours_out_of_service_are_those_of_deployments_that_fail_one_by_one() -> None:
    """A GPU is interrupted so often a year; each time its deployment of 8 to 72 GPUs stops until it has recovered."""
    known = {row["item"].strip(): float(row["value"] or "nan") for row in read_rows("utilization")}
    a_year, hours = known["annualised all-cause interruption rate"] / 100.0, known["recovery time per job failure"]
    row = "opex", "share of hours a GPU can serve"
    ends = [100.0 / (1.0 + gpus * a_year * hours / 8760.0) for gpus in (72, 8)]
    assert ends == pytest.approx(range_of(*row), abs=0.02)
    assert ends[0] < value_of(*row) < ends[1]
    assert hours_served_share() == value_of(*row) / 100.0
