"""The join of serving and money, on a small frontier made here, so that every figure can be worked by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rackecon import catalog
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.cost_comparison import waterfall
from rackecon.appraisal.evaluate import PLATFORMS, cell_profits, evaluate, frontier_points, profits
from rackecon.appraisal.money import platforms_for
from rackecon.economics.cost import select_cost
from rackecon.economics.market_table import effective_card
from rackecon.economics.measures import EVERY_MEASURE
from rackecon.economics.power_table import all_in_kw
from rackecon.economics.price_table import price_card
from rackecon.economics.revenue import PriceCard
from rackecon.errors import InputError

SPEED = {"h100-sxm": 1, "h200-sxm": 1.5, "b200-hgx": 4, "gb200-nvl72": 6, "gb300-nvl72": 7, "mi355x": 3, "tpu-v7": 2}
CARD = {
    "deepseek-r1": PriceCard("deepseek-r1", 1.0, 0.1, 3.0),
    "gpt-oss-120b": PriceCard("gpt-oss-120b", 0.1, 0.01, 0.5),
}


def frontier(accelerator, model, isl, osl, **settings):
    """Four points of a front; the TPU does not fit long prompts."""
    if accelerator == "tpu-v7" and isl > 100_000:
        return SimpleNamespace(table=pd.DataFrame(), reason="does not fit: 12 GB short")
    per_user = np.array([20.0, 40.0, 80.0, 160.0])
    total = SPEED[accelerator] * 1000.0 * np.array([2.0, 1.5, 0.8, 0.2])
    table = pd.DataFrame(
        {
            "tok_s_per_user": per_user,
            "tpot_ms": 1000.0 / per_user,
            "ttft_ms": 500.0,
            "total_tok_s_per_gpu": total,
            "output_tok_s_per_gpu": total * osl / (isl + osl),
            "concurrency": [512, 256, 64, 8],
            "gpus": 8,
            "prefill_gpu_share": 0.3,
            "decode_busy_share": 0.5,
            "prefill_busy_share": 0.3,
            "layout": ["slow", "middle", "fast", "fastest"],
        }
    )
    return SimpleNamespace(table=table, reason="")


def run(accelerators=("gb200-nvl72",), models=("deepseek-r1",), scenarios=("chat",), **settings):
    settings = {"search": frontier, "intervals": False, "price_cards": CARD, **settings}
    return evaluate(accelerators, models, scenarios, **settings)


def test_one_row_per_combination_in_the_order_given():
    table = run(PLATFORMS, ("gpt-oss-120b", "deepseek-r1"), ("chat", "agentic-coding"))
    assert len(table) == 7 * 2 * 2
    assert list(table["accelerator"][:7]) == list(PLATFORMS)
    assert list(table["scenario"][:14]) == ["chat"] * 7 + ["agentic-coding"] * 7


AS_PUBLISHED = {"cost_basis": "ownership", "wacc": 0.1, "horizon_years": 4.0, "residual_share": 0.0}
"""Terms that a published $/GPU-hour is taken to be built with."""


def test_money_by_hand_without_decline():
    """GB200, chat at 50 tok/s/user: 4,800 total tok/s/GPU, half out; 60 % sold; 1.86 USD an hour; 72 GPUs."""
    row = run(price_decline_per_year=0.0, utilisation=0.6, free_share=0.0, **AS_PUBLISHED).iloc[0]
    assert row["layout"] == "fast"  # 20 and 40 tok/s/user miss the limit, 160 earns less
    revenue = 0.0036 * 0.6 * (2400 * 1.0 + 2400 * 3.0)
    assert row["revenue_usd_per_gpu_hour"] == pytest.approx(revenue)
    assert row["profit_usd_per_rack_year"] == pytest.approx((revenue - 1.86) * 72 * 8760)
    assert row["profit_usd_per_mw_year"] == pytest.approx((revenue - 1.86) * 1000 / 1.87 * 8760)
    assert row["profit_usd_per_position_year"] == pytest.approx((revenue - 1.86) * 132 / 1.87 * 8760)
    assert row["cost_usd_per_mtok_total"] == pytest.approx(1.86 / (0.0036 * 4800 * 0.6))
    assert row["cost_usd_per_mtok_output"] == pytest.approx(2 * row["cost_usd_per_mtok_total"])
    assert row["break_even_price_factor"] == pytest.approx(1.86 / revenue)
    assert row["break_even_output_usd_per_mtok"] == pytest.approx(3.0 * 1.86 / revenue)
    assert row["break_even_utilisation"] == pytest.approx(0.6 * 1.86 / revenue)
    assert row["vendor_roi"] == pytest.approx(4 * revenue * 8760 / row["investment_usd_per_gpu"])


def test_profit_and_present_value_share_their_sign():
    table = run(PLATFORMS, ("gpt-oss-120b", "deepseek-r1"), ("chat", "rag-summarise"))
    assert (np.sign(table["profit_usd_per_gpu_hour"]) == np.sign(table["npv_usd_per_gpu"])).all()
    assert table["profit_usd_per_gpu_hour"].min() < 0 < table["profit_usd_per_gpu_hour"].max()


def test_batch_without_limits_takes_the_slowest_fullest_point():
    assert run(scenarios=("offline-batch",)).iloc[0]["layout"] == "slow"


def test_speed_premium_can_make_the_fast_point_the_most_profitable():
    assert run(speed_premium=False).iloc[0]["layout"] == "fast"
    fast = catalog.scenario("chat")

    def steep(*args, **settings):
        out = frontier(*args, **settings)
        out.table.loc[3, ["total_tok_s_per_gpu", "output_tok_s_per_gpu"]] = [4000.0, 2000.0]
        return out

    assert run(scenarios=(fast,), search=steep).iloc[0]["layout"] == "fast"
    assert run(scenarios=(fast,), search=steep, speed_premium=True).iloc[0]["layout"] == "fastest"


def test_reasons_stand_where_figures_cannot():
    table = run(("tpu-v7", "h100-sxm"), scenarios=("agentic-coding",))
    assert table.loc[0, "reason"] == "does not fit: 12 GB short"
    assert np.isnan(table.loc[0, "profit_usd_per_rack_year"])
    assert table.loc[1, "reason"] == ""
    strict = replace(catalog.scenario("chat"), tpot_limit_ms=1.0)
    assert run(scenarios=(strict,)).loc[0, "reason"].startswith("no layout reaches 1,000 tok/s/user")
    assert run(("mi355x",), cost_tier="internal").loc[0, "reason"] == (
        "no published $/GPU-hour (ownership, internal, vintage 2026-07)"
    )


def test_every_row_says_on_which_basis_it_stands():
    table = run(PLATFORMS, scenarios=("chat", "agentic-coding"))
    for column in ("cost_label", "power_vintage", "token_counting", "roi_kind", "price_rule", "unsold_hours"):
        assert table[column].astype(str).str.len().min() > 0
    assert set(table["cost_label"]) == {"build-up cost"}
    published = run(PLATFORMS, scenarios=("chat",), cost_basis="ownership")
    assert set(published["cost_label"]) == {"ownership, hyperscaler, vintage 2026-07"}


def test_power_vintage_moves_megawatts_only():
    new, old = run().iloc[0], run(power_vintage="2025-10").iloc[0]
    assert old["profit_usd_per_mw_year"] / new["profit_usd_per_mw_year"] == pytest.approx(1.87 / 2.10)
    assert old["profit_usd_per_rack_year"] == new["profit_usd_per_rack_year"]


def test_electricity_moves_the_published_cost_by_the_bill_alone():
    base, dear = run(**AS_PUBLISHED).iloc[0], run(electricity_usd_per_kwh=0.12, **AS_PUBLISHED).iloc[0]
    assert base["cost_usd_per_gpu_hour"] == 1.86
    bill = base["drawn_utility_kw_per_gpu"] * (0.12 - 0.0871)
    assert dear["cost_usd_per_gpu_hour"] - 1.86 == pytest.approx(bill)
    assert dear["npv_usd_per_gpu"] < base["npv_usd_per_gpu"]


def test_rented_capacity_pays_its_rent_and_invests_nothing():
    row = run(cost_basis="rental", cost_tier="3-year").iloc[0]
    assert row["cost_usd_per_gpu_hour"] == 4.0
    assert row["investment_usd_per_gpu"] == 0.0
    assert np.isnan(row["irr_per_year"])
    assert row["unsold_hours"].startswith("tenant")


def test_on_demand_rent_is_paid_for_hours_sold_only():
    full = run(cost_basis="rental", cost_tier="on-demand", cost_vintage="2026", utilisation=1.0).iloc[0]
    half = run(cost_basis="rental", cost_tier="on-demand", cost_vintage="2026", utilisation=0.5).iloc[0]
    assert half["cost_usd_per_gpu_hour"] == pytest.approx(full["cost_usd_per_gpu_hour"] / 2)
    assert half["cost_usd_per_mtok_total"] == pytest.approx(full["cost_usd_per_mtok_total"])
    assert half["unsold_hours"].startswith("landlord")


def test_the_investment_is_the_published_price_and_is_backed_out_only_where_nobody_publishes_one():
    """GB200: 3.3 MUSD a rack, network, storage and installation 23 %, spares 5 %; an eighth of a year's running cost and of interest at 11 %."""
    table = run(("gb200-nvl72", "mi355x")).set_index("accelerator")
    kw = 1.87  # provisioned
    capital = 3.3e6 * 1.23 * 1.05
    drawn = table.loc["gb200-nvl72", "investment_usd_per_gpu"]
    space = kw * 188.7 * 12 + capital / 72 * 0.03825 + 1500 / 4
    energy = (drawn - capital / 72 * 1.11**0.125) / 0.125 - space
    assert 0.8 < energy / (kw * 1.25 * 0.0871 * 8760) < 1.0  # of the power provisioned, what is typically drawn
    assert table["investment_rule"].str.startswith("price of the hardware").all()
    assert "estimate" in table.loc["mi355x", "investment_rule"]
    found = platforms_for(["gb200-nvl72", "rtx-pro-6000-blackwell"], assumptions())
    assert found["rtx-pro-6000-blackwell"].cost.basis == "ownership"
    assert found["rtx-pro-6000-blackwell"].investment_rule.startswith("backed out of a cost per GPU-hour")


def test_the_cost_of_a_row_is_that_of_the_build_up_at_any_terms():
    for terms in ({}, {"wacc": 0.15, "horizon_years": 4.0, "tax_rate": 0.21}, {"residual_share": 0.3}):
        row = run(("h200-sxm",), **terms).iloc[0]
        assert row["cost_usd_per_gpu_hour"] == pytest.approx(
            waterfall("h200-sxm", **terms)["usd_per_gpu_hour"].sum(), rel=1e-12
        )


def test_build_up_costs_more_than_the_published_ownership_figure():
    table = run(("gb200-nvl72", "h100-sxm"), cost_basis="build_up")
    assert (table["cost_usd_per_gpu_hour"] > [1.86, 1.17]).all()
    assert (table["cost_basis"] == "build_up").all()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"utilisation": 1.2}, r"utilisation 1.2 is out of range: allowed 0.01 to 1 share"),
        ({"horizon_years": 0}, r"horizon_years 0 is out of range: allowed 0.25 to 15 years"),
        ({"utilization": 0.5}, r"unknown assumption 'utilization': nearest is 'utilisation'"),
        ({"cost_basis": "build_up", "cost_usd_per_gpu_hour": 2.0}, r"exactly one cost basis of build_up, cost_usd_per"),
        ({"cost_tier": "hyperscale"}, r"unknown cost_tier 'hyperscale': nearest is 'hyperscaler'"),
        ({"power_vintage": "2026"}, r"unknown power_vintage '2026'"),
        ({"pue": 0.8}, r"pue 0.8 is out of range: allowed 1 to 3"),
        ({"cost_usd_per_gpu_hour": -1.0}, r"cost_usd_per_gpu_hour -1 is out of range: allowed 0.05 to 100 USD"),
    ],
)
def test_contradictory_assumptions_are_refused_in_one_line(override, message):
    with pytest.raises(InputError, match=message) as caught:
        run(**override)
    assert "\n" not in str(caught.value)


def test_unknown_ids_are_named():
    with pytest.raises(InputError, match="h1000"):
        run(("h1000",))
    with pytest.raises(InputError, match="chatt"):
        run(scenarios=("chatt",))


def test_base_case_is_the_default():
    base = catalog.base_case()
    out = assumptions()
    assert (out.utilisation, out.wacc, out.pue) == (base.utilisation, base.wacc, base.pue)
    assert (out.cost_basis, out.cost_tier, out.cost_vintage) == ("build_up", "hyperscaler", "2026-07")
    assert assumptions(cost_tier="neocloud").cost_basis == "ownership"
    assert assumptions(cost_tier="3-year", cost_basis="rental").cost_basis == "rental"


@pytest.mark.parametrize(("accelerator", "own", "rent"), [("h100-sxm", 1.17, 2.0), ("gb200-nvl72", 1.86, 4.0)])
def test_published_costs_are_read_by_basis_tier_and_vintage(accelerator, own, rent):
    assert select_cost(accelerator).usd_per_gpu_hour == own
    assert select_cost(accelerator, basis="rental", tier="3-year").usd_per_gpu_hour == rent
    assert select_cost(accelerator, vintage="2025-08").usd_per_gpu_hour > own


def test_power_vintages_are_read():
    assert (all_in_kw("gb200-nvl72"), all_in_kw("gb200-nvl72", "2025-10")) == (1.87, 2.10)
    assert np.isnan(all_in_kw("tpu-v7", "2025-10"))


def test_a_seller_without_a_cached_price_bills_cached_input_as_fresh():
    """3 of 17 sellers of gpt-oss-120b price it, at $0.015 to 0.045; what is effectively paid, $0.0745, lies above them."""
    card = price_card("gpt-oss-120b", "2026-11-23")
    low, high = card.cached_input_range
    assert (low, high) == (0.015, card.fresh_input_range[1])
    assert low < effective_card("gpt-oss-120b").cached_input < high


def test_price_cards_take_the_newest_listing_of_each_provider():
    card = price_card("gpt-oss-120b", "2026-11-23")
    assert card.output == 0.6
    assert card.output_range == (0.15, 0.75)
    assert card.cached_input <= card.fresh_input
    early = price_card("gpt-oss-120b", "2025-08-31")
    assert early.listings < card.listings
    with pytest.raises(InputError, match=r"no standard listing of model .gpt-oss-120b. .* in force at 2024-01-01"):
        price_card("gpt-oss-120b", "2024-01-01")


def test_prices_are_of_the_day_that_they_were_published_not_of_the_day_that_they_are_asked_for():
    for level, date in (
        ("effective", effective_card("gpt-oss-120b").as_of_date),
        ("list", price_card("gpt-oss-120b").newest_listing),
    ):
        row = evaluate(["h100-sxm"], ["gpt-oss-120b"], ["chat"], price_level=level, intervals=False).iloc[0]
        assert row["price_date"] == date < str(catalog.base_case().as_of_date)


def test_names_that_moved_to_newer_models_do_not_price_the_old_one():
    """The reasoner endpoint sells a newer model at 0.28 by 2026; DeepSeek-R1's cheapest listing is far above."""
    assert price_card("deepseek-r1", "2026-11-23").output_range[0] > 2.0


def test_whole_frontiers_ignore_the_limits():
    points = frontier_points(["h100-sxm", "tpu-v7"], "deepseek-r1", "chat", search=frontier, price_cards=CARD)
    assert len(points) == 8
    assert points["profit_usd_per_gpu_hour"].notna().all()
    assert frontier_points(["tpu-v7"], "deepseek-r1", "agentic-coding", search=frontier).empty


def test_a_case_that_nobody_serves_has_the_columns_of_one_that_is_served():
    hasty = replace(catalog.scenario("chat"), ttft_limit_ms=1.0)
    nobody = evaluate(["b200-hgx"], ["gpt-oss-120b"], [hasty], utilisation=0.5)
    served = evaluate(["b200-hgx"], ["gpt-oss-120b"], ["chat"])
    assert set(nobody.columns) == set(served.columns)
    assert nobody["reason"].iloc[0] != ""
    assert nobody["utilisation"].iloc[0] == 0.5
    assert np.isnan(nobody["profit_usd_per_rack_year"].iloc[0])


CHANGES = (
    {"utilisation": 0.3},
    {"utilisation": 0.9, "price_factor": 0.2},
    {"cost_factor": 2.4},
    {"price_decline_per_year": 0.6},
    {"horizon_years": 2.5},
    {"electricity_usd_per_kwh": 0.3},
    {"pue": 1.6},
    {"cost_basis": "ownership"},
    {"kw_per_gpu": 2.0},
)


@pytest.mark.parametrize("measure", EVERY_MEASURE)
@pytest.mark.parametrize("scenario", ["rag-summarise", "chat"])
def test_many_changes_of_money_at_once_give_what_each_gives_alone(measure, scenario):
    asked = {"search": frontier, "free_share": 0.1}
    together = profits(PLATFORMS, "deepseek-r1", scenario, measure, CHANGES, price_cards=CARD, **asked)
    for row, change in zip(together, CHANGES, strict=True):
        alone = evaluate(PLATFORMS, ["deepseek-r1"], [scenario], price_cards=CARD, **asked, **change, intervals=False)
        np.testing.assert_array_equal(row, alone[EVERY_MEASURE[measure].column])


@pytest.mark.parametrize("measure", EVERY_MEASURE)
def test_many_cells_at_once_earn_what_each_earns_alone(measure):
    far = replace(catalog.scenario("chat"), isl_tokens=200_000)
    asked = {"search": frontier, "free_share": 0.1, "price_cards": CARD}
    cells = [
        (key, name, case) for name in CARD for case in (far, catalog.scenario("rag-summarise")) for key in PLATFORMS
    ]
    together = cell_profits(cells[::-1], measure, **asked)[::-1]
    alone = [evaluate([key], [name], [case], **asked, intervals=False) for key, name, case in cells]
    np.testing.assert_array_equal(together, pd.concat(alone)[EVERY_MEASURE[measure].column])
    assert np.isnan(together).sum() == len(CARD)
    assert cell_profits([], measure).shape == (0,)


def test_many_changes_where_nothing_is_served_or_listed_or_asked():
    far = replace(catalog.scenario("chat"), isl_tokens=200_000)
    row = profits(["tpu-v7", "b200-hgx"], "deepseek-r1", far, "rack", [{}], search=frontier, price_cards=CARD)[0]
    assert np.isnan(row[0])
    assert row[1] != 0
    assert np.isnan(profits(["tpu-v7"], "deepseek-r1", far, "gpu", [{}, {}], search=frontier)).all()
    assert profits(["b200-hgx"], "deepseek-r1", "chat", "gpu", [], search=frontier).shape == (0, 1)
