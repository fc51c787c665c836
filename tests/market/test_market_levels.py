"""Price levels, checks and choices of the market, worked from their own rows."""

from __future__ import annotations

import numpy as np
import pytest

from rackecon import evaluate
from rackecon.economics.market_table import market_model, rent
from rackecon.economics.price_table import price_card
from rackecon.errors import InputError
from rackecon.market.backtest import entrant_backtest
from rackecon.market.checks import flip_price_factor, market_checks
from rackecon.market.choice import buy_rent_or_api
from rackecon.market.levels import entrant, entrant_table, level_card, price_levels

MODEL, CASE = "gpt-oss-120b", "chat"
PAIR = ("b200-hgx", "h100-sxm")


def test_the_entrant_is_the_cheapest_rented_platform_and_earns_exactly_its_rent() -> None:
    table = entrant_table(MODEL, CASE, accelerators=PAIR, utilisation=0.5, wacc=0.0, free_share=0.0)
    best = entrant(MODEL, CASE, accelerators=PAIR, utilisation=0.5, wacc=0.0, free_share=0.0)
    assert best.price_usd_per_mtok == table["price_usd_per_mtok"].min()
    hourly = best.price_usd_per_mtok * best.total_tok_s_per_gpu * 0.5 * 3600 / 1e6
    assert hourly == pytest.approx(best.rent_usd_per_gpu_hour, rel=1e-12)


def test_at_the_entrants_price_the_cheapest_renter_breaks_even() -> None:
    """The level card fed back into the money step: a tenant without decline earns nothing and loses nothing."""
    settings = {"utilisation": 0.5, "wacc": 0.0}
    card = level_card(MODEL, "entrant", CASE, accelerators=PAIR, **settings)
    found = rent("b200-hgx")
    assert found is not None
    rows = evaluate(
        ["b200-hgx"],
        [MODEL],
        [CASE],
        price_cards={MODEL: card},
        cost_usd_per_gpu_hour=found.usd_per_gpu_hour,
        price_decline_per_year=0.0,
        **settings,
    )
    assert float(rows["profit_usd_per_gpu_hour"].iloc[0]) == pytest.approx(0.0, abs=1e-9)


def test_realised_compares_like_with_like() -> None:
    levels = price_levels(MODEL, CASE, accelerators=PAIR).set_index("level")
    found, card = market_model(MODEL), price_card(MODEL)
    # nothing implies a cached share for this model: the list card at the marketplace's mix, all of it fresh
    same = found.input_share * card.fresh_input + (1 - found.input_share) * card.output
    assert levels.loc["realised", "over_list"] == pytest.approx(found.effective_all_usd_per_mtok / same, rel=1e-9)
    assert levels.loc["list", "over_list"] == 1.0
    assert levels.loc["list", "price_usd_per_mtok"] == pytest.approx((card.fresh_input + card.output) / 2, rel=1e-12)


def test_checks_are_worked_from_the_rows() -> None:
    rows = evaluate([*PAIR, "tpu-v7"], [MODEL], [CASE, "rag-summarise"], utilisation=0.5)
    checks = market_checks(rows, demand_multiple=5.0, seller_share=0.1, utilisation=0.5)
    first, row = checks.iloc[0], rows.iloc[0]
    found = rent("b200-hgx")
    assert found is not None
    assert first["rent_multiple"] == pytest.approx(row["revenue_usd_per_gpu_hour"] / found.usd_per_gpu_hour, rel=1e-12)
    sold = row["total_tok_s_per_gpu"] * row["gpus_per_rack"] * 86_400 * 0.5
    assert first["racks_taken"] == pytest.approx(market_model(MODEL).tokens_per_day * 0.5 / sold, rel=1e-12)
    for where in checks.index[checks["flip_price_factor"].notna()]:
        part = rows[rows["scenario"] == rows["scenario"][where]]
        factor = checks["flip_price_factor"][where]
        profit = (part["revenue_usd_per_gpu_hour"] * factor - part["cost_usd_per_gpu_hour"]) * part["gpus_per_rack"]
        lead = part["profit_usd_per_rack_year"].idxmax()
        assert profit[where] == pytest.approx(profit[lead], rel=1e-9)


def test_a_flip_lies_below_todays_price() -> None:
    assert np.isnan(flip_price_factor([10.0], [4.0], 10.0, 4.0)).all()
    assert float(flip_price_factor([4.0], [1.0], 10.0, 4.0)[0]) == 0.5
    assert np.isnan(flip_price_factor([4.0], [9.0], 10.0, 4.0)).all()


def test_buying_renting_and_calling_an_api_in_whole_units() -> None:
    few = buy_rent_or_api(MODEL, CASE, 1e6, accelerators=PAIR, utilisation=0.5)
    assert few["way"].iloc[0] == "API"
    assert (few["units"].dropna() == 1).all()
    many = buy_rent_or_api(MODEL, CASE, 1e13, accelerators=PAIR, utilisation=0.5)
    assert many["way"].iloc[0] != "API"
    own = many[(many["way"] == "own") & (many["accelerator"] == "b200-hgx")].iloc[0]
    # at its break-even volume one unit costs what the API does
    api = float(many.loc[many["way"] == "API", "usd_per_mtok"].iloc[0])
    assert own["break_even_tokens_per_day"] * api / 1e6 == pytest.approx(own["usd_per_day"] / own["units"], rel=1e-9)
    with pytest.raises(InputError, match="tokens_per_day"):
        buy_rent_or_api(MODEL, CASE, 0.0)


@pytest.mark.slow
def test_the_backtest_uses_nothing_from_after_its_date() -> None:
    table = entrant_backtest(CASE, models=["gpt-oss-120b", "deepseek-r1"], months=[6], utilisation=0.5)
    assert (table["as_of_date"] < table["effective_date"]).all()
    worked = table["effective_usd_per_mtok"] / table["entrant_usd_per_mtok"]
    np.testing.assert_allclose(table["effective_over_entrant"], worked)
