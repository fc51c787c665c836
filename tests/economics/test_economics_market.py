"""Market formulas against hand-worked figures, limits and monotonicity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon.economics.market import (
    api_break_even_tokens_per_day,
    demand_share,
    entrant_price_usd_per_mtok,
    linked_price_factor,
    rent_multiple,
)
from rackecon.economics.market_table import TERMS, effective_card, market_model, market_models, rent, rent_series
from rackecon.errors import InputError

RATES = st.floats(1.0, 1e6)
SHARES = st.floats(0.01, 1.0)


def test_an_entrants_price_worked_by_hand() -> None:
    # $4 an hour, 10,000 tok/s sold half the time is 18M tokens an hour: 4 / 18 = 0.2222 USD/Mtok
    assert float(entrant_price_usd_per_mtok(4.0, 10_000.0, utilisation=0.5)) == pytest.approx(4.0 / 18.0, rel=1e-12)


def test_an_entrants_revenue_is_worth_his_rent() -> None:
    """Discounted month by month, falling revenue at the entrant's launch price pays the level rent of the term."""
    price = float(
        entrant_price_usd_per_mtok(4.0, 10_000.0, utilisation=0.5, wacc=0.11, rent_factor=0.92, term_years=3.0)
    )
    months = np.arange(1, 37)
    v, q = 1.11 ** (-1 / 12), 0.92 ** (1 / 12)
    hourly = price * 18.0 * q ** (months - 0.5)
    assert np.sum(v**months * hourly) == pytest.approx(np.sum(v**months * 4.0), rel=1e-12)


@given(RATES, SHARES, st.floats(0.0, 0.5), st.floats(0.5, 1.0))
def test_an_entrant_asks_for_more_where_he_sells_less_or_capital_follows_falling_rents(
    rate: float, sold: float, wacc: float, factor: float
) -> None:
    def price(**changed: float) -> float:
        given = {"utilisation": sold, "wacc": wacc, "rent_factor": factor} | changed
        return float(entrant_price_usd_per_mtok(3.0, rate, **given))

    assert price(utilisation=sold / 2) == pytest.approx(2 * price(), rel=1e-9)
    assert price(rent_factor=1.0) <= price() * (1 + 1e-12)


def test_rising_rents_are_refused_for_an_entrant() -> None:
    with pytest.raises(InputError, match=r"rent_factor 1\.2 is above 1"):
        entrant_price_usd_per_mtok(3.0, 100.0, utilisation=0.5, rent_factor=1.2)


def test_price_and_throughput_move_together() -> None:
    assert float(linked_price_factor(0.92, 1.45)) == pytest.approx(0.6345, abs=1e-4)
    assert float(linked_price_factor(0.92, 1.45, 2.0)) == pytest.approx(0.6345**2, abs=2e-4)
    # revenue of a GPU: price times its own throughput moves with rent alone
    assert float(linked_price_factor(0.92, 1.9) * 1.9) == pytest.approx(0.92, rel=1e-12)


def test_multiples_and_shares() -> None:
    assert np.isnan(rent_multiple(3.0, np.nan))
    assert float(rent_multiple(3.0, 1.5)) == 2.0
    assert float(demand_share(5.0, 20.0)) == 0.25
    # 8 GPUs at $3 an hour are $576 a day; at $0.36 a million tokens that buys 1.6 bn
    assert float(api_break_even_tokens_per_day(576.0, 0.36)) == pytest.approx(1.6e9, rel=1e-12)


def test_every_market_model_has_a_card_below_its_dearest_listing() -> None:
    for name in market_models():
        card, found = effective_card(name), market_model(name)
        assert 0 < card.cached_input <= card.fresh_input <= card.output * 1.000001, name
        assert 0.5 < found.input_share < 1.0, name
        # the average of the marketplace's own mix lies below the price of its dearest token
        assert found.effective_all_usd_per_mtok <= card.output * 1.05, name


def test_an_unknown_model_is_named_with_what_is_known() -> None:
    with pytest.raises(InputError, match="no market price and volume of model 'llama-2-70b': known are"):
        market_model("llama-2-70b")


def test_rents_are_those_in_force() -> None:
    early, late = rent("b200-hgx", "3 years", "2026-02-20"), rent("b200-hgx", "3 years", "2026-11-23")
    assert early is not None
    assert late is not None
    assert (early.usd_per_gpu_hour, late.usd_per_gpu_hour) == (2.9, 3.7)
    assert rent("b200-hgx", "3 years", "2024-01-01") is None
    assert rent("tpu-v7", "spot") is None
    with pytest.raises(InputError, match="rent term 'weekly'"):
        rent("b200-hgx", "weekly")


def test_a_month_with_several_sellers_is_their_median() -> None:
    series = rent_series("h100-sxm", "on demand")
    assert series["date"].is_monotonic_increasing
    assert (series["low"] <= series["value"]).all()
    assert (series["value"] <= series["high"]).all()
    assert TERMS[0] == "3 years"
