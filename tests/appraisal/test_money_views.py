"""Site limits, unit ranks, cost bases, reconciliation and cash flows of evaluated rows."""

import numpy as np
import pytest
from test_evaluate import CARD, frontier

from rackecon import catalog
from rackecon.answer.return_views import cash_lines, profits_by_load
from rackecon.appraisal.cash_flows import rack_cash_flow
from rackecon.appraisal.cost_comparison import (
    cost_bases,
    cost_changes,
    launch_prices,
    own_against_rent,
    reconciliation,
    reconciliations,
    waterfall,
)
from rackecon.appraisal.evaluate import PLATFORMS, evaluate
from rackecon.appraisal.money import frontier_money
from rackecon.appraisal.site_limits import (
    operating_power,
    power_long,
    site_comparison,
    sweep_winners,
    unit_ranks,
    winners,
)
from rackecon.economics.measures import EVERY_MEASURE
from rackecon.errors import InputError
from rackecon.evidence.novelty import best_run
from rackecon.load.derived import derived_utilisation
from rackecon.uncertainty.portfolio import portfolio


@pytest.fixture(scope="module")
def table():
    return evaluate(
        PLATFORMS, ["deepseek-r1"], ["chat", "agentic-coding"], search=frontier, intervals=False, price_cards=CARD
    )


def test_site_is_filled_to_its_limit(table):
    out = site_comparison(table, site_mw=10.0, budget_usd=100e6)
    assert len(out) == 2 * len(table)
    power, money = out[out["limit"] == "10 MW"], out[out["limit"] == "$100M"]
    known = power["profit_usd_year"].notna()
    assert power.loc[known, "mw"].to_numpy() == pytest.approx(10.0)
    assert money.loc[money["profit_usd_year"].notna(), "investment_usd"].to_numpy() == pytest.approx(100e6)
    gb200 = power[(power["accelerator"] == "gb200-nvl72") & (power["scenario"] == "chat")].iloc[0]
    assert gb200["gpus"] == pytest.approx(10_000 / 1.87)
    best = winners(out)
    assert len(best) == 4
    chat = power[power["scenario"] == "chat"]
    top = chat.loc[chat["profit_usd_year"].idxmax(), "accelerator"]
    assert best[(best["limit"] == "10 MW") & (best["scenario"] == "chat")]["accelerator"].item() == top


def test_ranks_by_unit_differ_because_racks_do(table):
    ranks = unit_ranks(table[table["scenario"] == "chat"])
    wide = ranks.pivot(index="accelerator", columns="metric", values="rank")
    assert set(wide.columns) == {measure.column for measure in EVERY_MEASURE.values()}
    assert sorted(wide["profit_usd_per_rack_year"]) == list(range(1, 8))
    assert not (wide["profit_usd_per_rack_year"] == wide["profit_usd_per_invested_usd_year"]).all()


def test_row_without_result_has_rank_zero(table):
    ranks = unit_ranks(table[table["scenario"] == "agentic-coding"])
    assert (ranks.loc[ranks["accelerator"] == "tpu-v7", "rank"] == 0).all()


def test_both_vintages_of_power_stand_side_by_side(table):
    out = operating_power(table[table["scenario"] == "chat"]).set_index("accelerator")
    ratio = out["total_tok_s_per_mw_2026_07"] / out["total_tok_s_per_mw_2025_10"]
    assert ratio["gb200-nvl72"] == pytest.approx(2.10 / 1.87)
    assert np.isnan(ratio["tpu-v7"])
    joules = out["drawn_joules_per_total_token"] * out["total_tok_s_per_drawn_it_mw"]
    assert joules.to_numpy() == pytest.approx(1e6 * out["drawn_utility_kw_per_gpu"] / out["drawn_it_kw_per_gpu"])
    assert (out["total_tok_s_per_drawn_it_mw"] >= out["total_tok_s_per_mw_2026_07"]).all()


def test_cash_flow_sums_to_the_rows_present_value(table):
    row = table.iloc[3]
    flow = rack_cash_flow(row)
    assert flow["present_value_usd"].sum() == pytest.approx(row["npv_usd_per_rack"], rel=1e-9)
    assert rack_cash_flow(row, ramp_months=6)["present_value_usd"].sum() < row["npv_usd_per_rack"]
    with pytest.raises(InputError, match="no cash flow of tpu-v7: does not fit"):
        rack_cash_flow(table.iloc[13])


def test_bases_are_listed_apart_with_who_bears_unsold_hours():
    bare = "rtx-pro-6000-blackwell"
    out = cost_bases(["gb200-nvl72", bare])
    assert {"ownership", "rental", "build_up"} <= set(out["basis"])
    assert out.loc[(out["accelerator"] == bare) & (out["basis"] == "build_up"), "reason"].str.len().item() > 0
    known = out[out["usd_per_gpu_hour"].notna()]
    assert known["unsold_hours"].str.len().min() > 0
    assert (known["low"] <= known["usd_per_gpu_hour"]).all()
    assert (known["usd_per_gpu_hour"] <= known["high"]).all()


def test_owning_beats_a_three_year_rent_that_holds_the_landlords_margin():
    """Published 3-year rents of September 2026 over hyperscaler ownership: 1.7x for H100, 2.1-2.4x for the others."""
    out = own_against_rent(["h100-sxm", "h200-sxm", "b200-hgx", "gb200-nvl72"]).set_index("accelerator")
    assert out.loc["h100-sxm", "rent_over_own"] == pytest.approx(1.7, abs=0.05)
    assert out.loc["h200-sxm", "rent_over_own"] == pytest.approx(2.4, abs=0.05)
    assert out.loc["gb200-nvl72", "rent_over_own"] == pytest.approx(2.15, abs=0.05)
    assert (out["crossing_utilisation"].dropna() < 1).all()


def test_build_up_of_gb200_walks_to_the_published_figure():
    parts = waterfall("gb200-nvl72")
    walk = reconciliation("gb200-nvl72")
    assert parts["usd_per_gpu_hour"].sum() == pytest.approx(walk["usd_per_gpu_hour"].iloc[0])
    assert walk["usd_per_gpu_hour"].iloc[-1] == 1.86
    assert walk["usd_per_gpu_hour"].iloc[0] + walk["change_usd_per_gpu_hour"].sum() == pytest.approx(1.86)
    explained = walk["change_usd_per_gpu_hour"].iloc[1:-2].sum()
    gap = 1.86 - walk["usd_per_gpu_hour"].iloc[0]
    assert explained / gap > 0.5  # the named steps carry most of the gap
    with pytest.raises(InputError, match="build-up of 'a100-80gb-sxm': no graded price"):
        waterfall("a100-80gb-sxm")


def test_every_platform_of_the_report_is_built_up_and_reconciled_with_its_published_cost():
    out = reconciliations([*PLATFORMS, "b300-hgx", "mi300x", "rtx-pro-6000-blackwell"]).set_index("accelerator")
    assert set(out.index) == {*PLATFORMS, "b300-hgx", "mi300x"}
    steps = out["built"] + out["terms"] + out["retail"] + out["not_explained"]
    assert steps.to_numpy() == pytest.approx(out["published"].to_numpy(), rel=1e-12)
    assert out.loc["gb200-nvl72", "hardware_usd_per_gpu"] == pytest.approx(3.3e6 / 72)
    assert out.loc["h200-sxm", "hardware_usd_per_gpu"] == pytest.approx((8 * 35_000 + 285_000 - 8 * 30_000) / 8)
    assert out.loc["tpu-v7", "hardware_usd_per_gpu"] == pytest.approx(0.39 * 27_000 * 1.207, rel=2e-3)
    assert (out["grade"] == "estimate").sum() == 4 + ("mi355x" in PLATFORMS)


def test_launch_price_rises_with_the_fall_expected(table):
    out = launch_prices(table[table["scenario"] == "chat"], (0.0, 0.3, 0.6), wacc=0.1, horizon_years=4)
    one = out[out["accelerator"] == "h100-sxm"]["launch_usd_per_mtok_total"].to_numpy()
    assert (np.diff(one) > 0).all()
    assert one[0] == pytest.approx(out["levelised_usd_per_mtok_total"].iloc[0])


def test_frontier_gets_the_same_money_as_the_evaluated_row():
    chat = frontier("gb200-nvl72", "deepseek-r1", 1024, 1024).table.assign(
        accelerator="gb200-nvl72", model="deepseek-r1"
    )
    paid = frontier_money(chat)
    row = evaluate(["gb200-nvl72"], ["deepseek-r1"], ["chat"], search=frontier, intervals=False).iloc[0]
    fast = paid[paid["layout"] == "fast"].iloc[0]
    for column in ("revenue_usd_per_gpu_hour", "cost_usd_per_gpu_hour", "cost_usd_per_mtok_output"):
        assert fast[column] == pytest.approx(row[column])
    assert frontier_money(chat.iloc[:0]).empty


def test_winners_are_found_at_both_ends_of_every_swept_assumption():
    out = sweep_winners(
        ["h100-sxm", "gb200-nvl72"],
        "deepseek-r1",
        "chat",
        site_mw=10,
        budget_usd=1e8,
        search=frontier,
        price_cards=CARD,
    )
    assert len(out) == 2 * (1 + 2 * 5 + 2)
    assert set(out["limit"]) == {"10 MW", "$100M"}
    sold = out[(out["assumption"] == "utilisation") & (out["limit"] == "10 MW")]["profit_usd_year"].to_numpy()
    assert sold[1] > sold[0]


@pytest.mark.parametrize("basis", ["build_up", "rental"])
def test_what_is_said_to_move_the_cost_moves_it(basis):
    tier = {"cost_tier": "3-year"} if basis == "rental" else {}
    out = cost_changes(["gb200-nvl72"], "deepseek-r1", "chat", search=frontier, cost_basis=basis, **tier)
    cost, named = out["cost_usd_per_mtok_total"], out["assumption"] + out["value"].astype(str)
    still = set(named[cost == cost.iloc[0]]) - {named.iloc[0]}
    assert still == (
        {"electricity_usd_per_kwh0.05", "electricity_usd_per_kwh0.12", "pue1.09", "pue1.54", "rent3-year"}
        if tier
        else set()
    )


def test_power_marks_hold_three_kinds(table):
    long = power_long(operating_power(table[table["scenario"] == "chat"]))
    assert len(long) == 3 * 7
    assert long["power"].nunique() == 3


def test_the_share_that_a_load_allows_moves_revenue_in_proportion_and_names_its_interval():
    """By hand: revenue at the share by load over revenue at the stated one is the ratio of the shares; cost stays."""
    asked = (["b200-hgx", "h200-sxm"], ["gpt-oss-120b"], ["chat"])
    stated, loaded = (evaluate(*asked, intervals=False, utilisation=0.5, sold_by_load=on) for on in (False, True))
    for k, key in enumerate(asked[0]):
        found = derived_utilisation(
            key, "gpt-oss-120b", "chat", "azure2024_conv", "fixed at the 99th percentile", mean_rps=500.0
        )
        row, plain = loaded.iloc[k], stated.iloc[k]
        assert row["utilisation"] == found.utilisation
        assert (row["utilisation_low"], row["utilisation_high"]) == (found.low, found.high)
        assert row["revenue_usd_per_gpu_hour"] == pytest.approx(
            plain["revenue_usd_per_gpu_hour"] * found.utilisation / 0.5
        )
        assert row["cost_usd_per_gpu_hour"] == plain["cost_usd_per_gpu_hour"]
    shown = profits_by_load(*asked[:1], "gpt-oss-120b", "chat", utilisation=0.5)
    assert (shown["profit_low"] < shown["profit"]).all()
    assert (shown["profit"] < shown["profit_high"]).all()
    low = evaluate(asked[0][:1], *asked[1:], intervals=False, utilisation=float(shown["utilisation_low"].iloc[0]))
    assert shown["profit_low"].iloc[0] == pytest.approx(low["profit_usd_per_rack_year"].iloc[0], rel=1e-9)
    with pytest.raises(InputError, match="sold_by_load: this answer holds one share sold"):
        portfolio(["b200-hgx"], ["gpt-oss-120b"], ["chat"], sold_by_load=True)


def test_cash_is_drawn_at_the_ends_of_the_rates_and_in_the_end_at_the_best_measured():
    """By hand: before tax the cash that a rate adds is in proportion to it, and the first month's is the price of the rack."""
    results = evaluate(["b200-hgx", "tpu-v7"], ["gpt-oss-120b"], ["chat"], tax_rate=0.0)
    lines = cash_lines(results)
    row = results.iloc[0]
    mine = lines[lines["accelerator"] == "b200-hgx"].sort_values("month")
    first, last = mine.iloc[0], mine.iloc[-1]
    assert first["cumulative_usd_low"] == pytest.approx(first["cumulative_usd"])
    per_rate = (last["cumulative_usd_high"] - last["cumulative_usd"]) / (
        row["total_tok_s_per_gpu_high"] - row["total_tok_s_per_gpu"]
    )
    best = best_run("b200-hgx", "gpt-oss-120b", 1024, 1024, 1e3 / catalog.scenario("chat").tpot_limit_ms)
    change = best.total_tok_s_per_gpu - row["total_tok_s_per_gpu"]
    assert last["cumulative_usd_measured"] == pytest.approx(last["cumulative_usd"] + change * per_rate)
    assert mine["cumulative_usd_measured"].notna().sum() == 1
    assert lines[lines["accelerator"] == "tpu-v7"]["cumulative_usd_measured"].isna().all()


def test_a_site_and_its_power_carry_the_ends_of_the_rates():
    results = evaluate(["b200-hgx"], ["gpt-oss-120b"], ["chat"])
    row = results.iloc[0]
    limit = site_comparison(results, site_mw=1.0, budget_usd=1e6).iloc[0]
    assert limit["profit_usd_year_low"] == pytest.approx(limit["gpus"] * row["profit_usd_per_gpu_year_low"])
    assert limit["profit_usd_year_high"] == pytest.approx(limit["gpus"] * row["profit_usd_per_gpu_year_high"])
    kind = power_long(operating_power(results)).iloc[0]
    low = row["total_tok_s_per_gpu_low"] / row["total_tok_s_per_gpu"]
    assert kind["tok_s_per_mw_low"] == pytest.approx(kind["tok_s_per_mw"] * low)
    assert kind["tok_s_per_mw_measured"] < kind["tok_s_per_mw"]
