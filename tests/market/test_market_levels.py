"""Price levels, checks and choices of the market, worked from their own rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from rackecon import evaluate
from rackecon.economics.market_table import market_model, rent
from rackecon.economics.price_table import price_card
from rackecon.errors import InputError
from rackecon.market import checks
from rackecon.market.backtest import entrant_backtest
from rackecon.market.checks import flip_price_factor, market_checks
from rackecon.market.choice import buy_rent_or_api, curves, quoted_choice, volumes
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
    # ahead at 1.4 times the prices alone, and level at those of today: neither lies below them
    assert np.isnan(flip_price_factor([20.0, 12.0], [18.0, 6.0], 10.0, 4.0)).all()


def test_buying_renting_and_calling_an_api_in_whole_units() -> None:
    ways = buy_rent_or_api(MODEL, CASE, [1e6, 1e13], accelerators=PAIR, utilisation=0.5)
    few, many = (part for _, part in ways.groupby("tokens_per_day"))
    assert (few["way"].iloc[0], many["way"].iloc[0] != "API") == ("API", True)
    assert (few["units"].dropna() == 1).all()
    own = many[(many["way"] == "own") & (many["accelerator"] == "b200-hgx")].iloc[0]
    # at its break-even volume one unit costs what the API does
    api = float(many.loc[many["way"] == "API", "usd_per_mtok"].iloc[0])
    monthly = own["usd_per_month"] / own["units"]
    assert own["break_even_tokens_per_day"] * api / 1e6 * 365 / 12 == pytest.approx(monthly, rel=1e-9)
    rows = evaluate(["b200-hgx"], [MODEL], [CASE], utilisation=0.5).iloc[0]
    assert monthly == pytest.approx(rows["cost_usd_per_gpu_hour"] * rows["gpus"] * 730, rel=1e-9)
    assert (many["used_share"].dropna() <= 0.5).all()
    with pytest.raises(InputError, match="tokens_per_day"):
        buy_rent_or_api(MODEL, CASE, 0.0)


def test_rents_by_the_hour_pay_for_hours_used_and_terms_for_all() -> None:
    half, all_hours = (
        buy_rent_or_api(MODEL, CASE, 1e6, accelerators=["b200-hgx"], utilisation=sold).set_index("way")
        for sold in (0.5, 1.0)
    )
    for way, share in {"rent, 3 years": 1.0, "rent, on demand": 0.5, "rent, spot": 0.5}.items():
        assert half.loc[way, "usd_per_month"] == pytest.approx(share * all_hours.loc[way, "usd_per_month"], rel=1e-9)
    paid = rent("b200-hgx", "on demand")
    assert paid is not None
    expected = 0.5 * paid.usd_per_gpu_hour * half.loc["rent, on demand", "gpus"] * 730
    assert half.loc["rent, on demand", "usd_per_month"] == pytest.approx(expected, rel=1e-9)


def test_the_curve_of_each_way_rises_with_volume_and_meets_the_api_at_its_break_even() -> None:
    drawn = curves(buy_rent_or_api(MODEL, CASE, volumes(1e9), accelerators=PAIR, utilisation=0.5), 1e9)
    assert drawn.groupby("way")["platform"].nunique().max() <= 1
    api = drawn[drawn["way"] == "API"].set_index("tokens_per_day")["usd_per_month"]
    for way, part in drawn.groupby("way"):
        assert part["usd_per_month"].is_monotonic_increasing
        if way == "API":
            continue
        one = part[part["units"] == 1]
        cheaper = one["usd_per_month"].to_numpy() < api.loc[one["tokens_per_day"]].to_numpy()
        assert (cheaper == (one["tokens_per_day"] > one["break_even_tokens_per_day"]).to_numpy()).all()
    told = quoted_choice(drawn, 1e9, 0.5)
    at = drawn[np.isclose(drawn["tokens_per_day"], 1e9)]
    assert told["cost"] == at["usd_per_month"].min()
    assert told["own"]["reached"] == (told["own"]["break_even_utilisation"] <= 0.5)


def test_an_api_with_caching_is_cheaper_than_one_without() -> None:
    ways = buy_rent_or_api("deepseek-r1", "agentic-coding", 1e9, accelerators=["b200-hgx"]).set_index("way")
    assert ways.loc["API", "usd_per_month"] < ways.loc["API, nothing cached", "usd_per_month"]


@pytest.mark.slow
def test_the_backtest_uses_nothing_from_after_its_date() -> None:
    table = entrant_backtest(CASE, models=["gpt-oss-120b", "deepseek-r1"], months=[6], utilisation=0.5)
    assert (table["as_of_date"] < table["effective_date"]).all()
    worked = table["effective_usd_per_mtok"] / table["entrant_usd_per_mtok"]
    np.testing.assert_allclose(table["effective_over_entrant"], worked)


def test_a_site_is_held_against_the_whole_market_of_its_model_and_a_rack_against_a_sellers_part() -> None:
    """By hand: tokens of a day sold over tokens a day bought; a rack's capacity that one seller's part fills."""
    bought = market_model("gpt-oss-120b").tokens_per_day * checks.estimates()["demand_multiple"]
    sites = pd.DataFrame({"model": ["gpt-oss-120b", "m"], "total_tok_s": 1e7})
    found = checks.with_market(sites, 0.5)["market_multiple"]
    assert found[0] == pytest.approx(1e7 * 86400 * 0.5 / bought)
    assert math.isnan(found[1])
    rows = evaluate(["b200-hgx"], ["gpt-oss-120b"], ["chat"], intervals=False)
    filled = checks.with_demand(rows)["demand_utilisation"][0]
    rack = float(rows["total_tok_s_per_gpu"][0] * rows["gpus_per_rack"][0]) * 86400
    assert filled == pytest.approx(bought * checks.estimates()["seller_share"] / rack)
    assert checks.with_demand(rows.assign(model="m"))["demand_utilisation"].isna().all()
