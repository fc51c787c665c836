"""Market formulas against hand-worked figures, limits and monotonicity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon.economics import market_table
from rackecon.economics.market import (
    api_break_even_tokens_per_day,
    demand_share,
    entrant_price_usd_per_mtok,
    linked_price_factor,
    rent_multiple,
    years_to_fall,
)
from rackecon.economics.market_table import (
    EFFECTIVE_RULE,
    TERMS,
    card_at_level,
    effective_card,
    market_model,
    market_models,
    rent,
    rent_series,
)
from rackecon.economics.price_table import OWN_RULE, card_from
from rackecon.economics.revenue import PriceCard
from rackecon.errors import InputError

RATES = st.floats(1.0, 1e6)
SHARES = st.floats(0.01, 1.0)


def test_a_price_that_halves_each_year_is_an_eighth_after_three() -> None:
    assert years_to_fall(0.125, 0.5) == pytest.approx(3.0)
    assert years_to_fall([0.5, 1.0, 3.0], 0.0).tolist() == [np.inf, 0.0, 0.0]
    with pytest.raises(InputError, match="fall_per_year must lie between 0 and 1"):
        years_to_fall(0.5, 1.5)


@given(factor=st.floats(0.01, 0.99), fall=st.floats(0.01, 0.9))
def test_a_price_that_falls_for_so_long_is_there(factor: float, fall: float) -> None:
    assert (1.0 - fall) ** float(years_to_fall(factor, fall)) == pytest.approx(factor)


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


def _listing(provider: int, output: float, **other: str) -> dict[str, str]:
    row = {"kind": "open-weight API price", "tier": "standard", "unit": "$/M tokens", "model": "m", "flag": ""}
    row |= {"model_id": "m", "provider": f"p{provider:02d}", "source_id": "s", "valid_to": "", "source_date": ""}
    row |= {"valid_from": "2026-01-01", "value_input": "1.0", "value_cached_input": "", "value_output": f"{output}"}
    return row | other


def test_listings_between_their_tenth_and_ninetieth_percentile_by_hand() -> None:
    """Eleven sellers at 1 to 11 dollars: a tenth of the ten steps between them lies below 2, a tenth above 10."""
    sellers = [_listing(i, float(i)) for i in range(1, 12)]
    card = card_from([*sellers, _listing(99, 500.0, tier="batch")], "m", "2026-06-01")
    assert (card.output, card.output_p10_p90, card.listings) == (6.0, (2.0, 10.0), 11)


def test_the_effective_price_and_its_range_by_hand(monkeypatch) -> None:
    """Half of list prices is paid in the middle, a quarter and nine tenths at the ends: as shares of 0.5, 0.5 and 1.8."""
    listed = PriceCard("hand", 1.0, 0.2, 4.0, as_of_date="2026-06-01", output_p10_p90=(3.0, 5.0), listings=7)
    paid = PriceCard("hand", 0.8, 0.4, 3.0, as_of_date="2026-05-01", rule=EFFECTIVE_RULE, cached_note="weighted")
    cards = {"hand": paid, "late": replace(paid, as_of_date="2026-07-01")}

    def effective(model: str) -> PriceCard:
        if model not in cards:
            raise InputError("no market")
        return cards[model]

    own = replace(listed, rule=OWN_RULE)
    monkeypatch.setattr(market_table, "price_card", lambda model, date: own if model == "own" else listed)
    monkeypatch.setattr(market_table, "effective_card", effective)
    monkeypatch.setattr(market_table, "market_over_list", lambda: (0.5, 0.25, 0.9))
    level = card_at_level.__wrapped__
    met = level("hand", "effective", "2026-06-01")
    assert (met.fresh_input, met.cached_input, met.output) == (0.8, 0.4, 3.0)
    assert (met.rule, met.cached_note, met.listings) == (EFFECTIVE_RULE, "weighted", 7)
    assert met.output_p10_p90 == pytest.approx((1.5, 5.4))
    assert met.level_range() == pytest.approx((0.5, 1.8))
    for model in ("late", "unknown"):  # measured after the date, or never: what is paid of other models' list prices
        scaled = level(model, "effective", "2026-06-01")
        assert (scaled.fresh_input, scaled.cached_input, scaled.output) == pytest.approx((0.5, 0.1, 2.0))
        assert scaled.output_p10_p90 == pytest.approx((1.0, 3.6))
    assert level("hand", "effective", "2026-05-01").output == 3.0
    assert level("hand", "list", "2026-06-01") == listed
    assert level("own", "effective", "2026-06-01") == own


def test_what_is_paid_of_list_prices_by_hand(monkeypatch) -> None:
    """Eleven models at one and the same mix, paid 0.1 to 1.1 of their lists: 0.6 in the middle, 0.2 and 1.0 at the ends."""
    shares = {f"m{i}": i / 10.0 for i in range(1, 12)}
    found = replace(market_model("gpt-oss-120b"), input_share=0.75, cached_share=0.5)

    def listed(model: str) -> PriceCard:
        if model == "unlisted":
            raise InputError("no listing")
        return PriceCard(model, 2.0, 1.0, 8.0)

    monkeypatch.setattr(market_table, "market_models", lambda: [*shares, "unlisted"])
    monkeypatch.setattr(market_table, "market_model", lambda model: found)
    monkeypatch.setattr(market_table, "price_card", listed)
    monkeypatch.setattr(market_table, "effective_card", lambda model: listed(model).scaled(shares[model]))
    assert market_table.market_over_list.__wrapped__() == pytest.approx((0.6, 0.2, 1.0))
    # of three quarters input, half of it cached: (0.375 x 2 + 0.375 x 1 + 0.25 x 4) over (0.375 x 2 + 0.375 x 1 + 0.25 x 8)
    monkeypatch.setattr(market_table, "effective_card", lambda model: PriceCard(model, 2.0, 1.0, 4.0))
    assert market_table.market_over_list.__wrapped__()[0] == pytest.approx(2.125 / 3.125)
    # without a share of cached input none is taken: (0.75 x 2 + 0.25 x 4) over (0.75 x 2 + 0.25 x 8)
    found = replace(found, cached_share=float("nan"))
    assert market_table.market_over_list.__wrapped__()[0] == pytest.approx(2.5 / 3.5)
