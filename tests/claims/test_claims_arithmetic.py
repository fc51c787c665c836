"""The arithmetic behind the headlines, by hand and as published."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon.claims import arithmetic as a
from rackecon.claims.model import cost_per_gpu_hour
from rackecon.economics.cost import select_cost
from rackecon.economics.power_table import all_in_kw

YEAR_S = 365 * 24 * 3600


def test_75_million_needs_a_dollar_ten_per_million_total_tokens():
    price = float(a.price_needed_usd_per_mtok(75e6, 10_000, 72, 3))
    assert price == pytest.approx(75e6 / (10_000 * 72 * 3 * YEAR_S) * 1e6)
    assert price == pytest.approx(1.10, abs=0.005)
    # only the one token in nine that is output paid for: $9.9
    assert float(a.price_needed_usd_per_mtok(75e6, 10_000 / 9, 72, 3)) == pytest.approx(9.9, abs=0.05)
    assert pytest.approx(6.8e13, rel=0.005) == 10_000 * 72 * 3 * YEAR_S


def test_five_million_lies_between_three_years_at_the_two_published_rates():
    rates = [
        select_cost("gb200-nvl72", basis="ownership", tier=tier, vintage="2025-08").usd_per_gpu_hour
        for tier in ("hyperscaler", "neocloud")
    ]
    assert rates == pytest.approx([2.21, 2.75])
    low, high = (float(a.ownership_usd(rate, 72, 3)) / 1e6 for rate in rates)
    assert (low, high) == pytest.approx((4.18, 5.20), abs=0.005)
    assert low < 5.0 < high


@pytest.mark.parametrize(("vintage", "published"), [("2025-10", 12.4), ("2026-07", 11.0)])
def test_15_times_per_gpu_is_less_per_megawatt(vintage, published):
    kw = all_in_kw("gb200-nvl72", vintage), all_in_kw("h200-sxm", vintage)
    assert 15.0 * kw[1] / kw[0] == pytest.approx(published, abs=0.06)


def test_15_times_the_throughput_is_9_6_times_cheaper_and_15_times_cheaper_needs_more():
    gb200, b200, h200 = (cost_per_gpu_hour(chip, "2025") for chip in ("gb200-nvl72", "b200-hgx", "h200-sxm"))
    assert 15.0 * h200 / gb200 == pytest.approx(9.6, abs=0.05)
    assert float(a.throughput_ratio_for_cost_ratio(15.0, gb200, h200)) == pytest.approx(23.5, abs=0.05)
    assert float(a.throughput_ratio_for_cost_ratio(15.0, b200, h200)) == pytest.approx(20.7, abs=0.05)


def test_two_cents_and_eleven_cents_as_rates():
    cost = cost_per_gpu_hour("b200-hgx", "2025")
    assert round(float(a.rate_from_cost(cost, 0.02))) == 27_083
    assert round(float(a.rate_from_cost(cost, 0.11))) == 4_924
    assert float(a.rate_from_cost(2.34, 0.02)) == pytest.approx(32_500)


def test_the_50_and_35_times_pair_from_its_own_unrounded_figures():
    h200 = float(a.rate_from_cost(1.41, 4.20))
    assert h200 == pytest.approx(93.3, abs=0.06)
    assert float(a.rate_from_cost(2.652, 4.20 / 35)) == pytest.approx(6_139, abs=1)
    assert float(a.tok_s_per_mw(h200, 1.73)) == pytest.approx(54e3, rel=0.005)


@pytest.mark.parametrize(
    ("years", "sold", "price"),
    [(1, 1.0, 1.59), (3, 1.0, 0.53), (4, 1.0, 0.40), (5, 1.0, 0.32), (1, 0.816, 1.94), (3, 0.6, 0.88), (4, 0.6, 0.66)],
)
def test_the_gpt_oss_version_at_one_and_a_half_million_tokens_a_second(years, sold, price):
    found = float(a.price_needed_usd_per_mtok(75e6, 1.5e6 / 72, 72, years, sold))
    assert found == pytest.approx(price, abs=0.0056)


def test_falling_prices_cap_the_total():
    assert float(a.level_revenue_years(0.9, 60.0)) == pytest.approx(0.434, abs=0.001)
    assert float(a.level_revenue_years(0.5, 4.0)) == pytest.approx(1.35, abs=0.005)
    assert float(a.level_revenue_years(0.0, 3.0)) == 3.0


@given(rate=st.floats(10, 1e5), years=st.floats(0.5, 10), price=st.floats(0.01, 50), sold=st.floats(0.05, 1.0))
def test_the_price_needed_gives_the_revenue_back(rate, years, price, sold):
    revenue = float(a.revenue_usd(rate, 72, years, price, sold))
    assert float(a.price_needed_usd_per_mtok(revenue, rate, 72, years, sold)) == pytest.approx(price)


def test_arrays_broadcast():
    price = a.price_needed_usd_per_mtok(75e6, 10_000, 72, np.array([[1.0], [3.0]]), np.array([0.5, 1.0]))
    assert price.shape == (2, 2)
    assert price[0, 0] == pytest.approx(6 * price[1, 1])
