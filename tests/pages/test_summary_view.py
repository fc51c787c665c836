"""The summary page rerun with other inputs: no sentence contradicts the figures beside it."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from rackecon import catalog
from rackecon.answer import deciding, lead_map, live_case, summary
from rackecon.answer.deciding import NOBODY, Deciding
from rackecon.appraisal.evaluate import evaluate
from rackecon.appraisal.parameters import notebook_path
from rackecon.pages import drivers
from rackecon.pages import summary_view as view
from rackecon.walks import walk
from rackecon.words import percent

FEW = ("h100-sxm", "gb200-nvl72", "mi355x")
MONEY = {
    "price_factor",
    "utilisation",
    "cost_factor",
    "price_decline_per_year",
    "horizon_years",
    "pue",
    "electricity_usd_per_kwh",
}
FAST = {"draws": 64, "physical_points": 1}
RERUNS = [
    {},
    {"model": "gpt-oss-120b", "horizon_years": 2.0, "electricity_usd_per_kwh": 0.25},
    {"model": "gpt-oss-120b", "horizon_years": 6.0, "cost_factor": 12.0},
]


def rows(verdicts: dict[tuple[str, str], str]) -> pd.DataFrame:
    """A grid with given verdicts."""
    return pd.DataFrame([{"model": m, "scenario": s, "verdict": v} for (m, s), v in verdicts.items()])


def test_grid_words_name_each_kind_and_shorten_where_all_agree():
    mixed = rows(
        {
            ("deepseek-r1", "chat"): "gb200-nvl72",
            ("deepseek-r1", "reasoning"): "too close to call",
            ("gpt-oss-120b", "chat"): "nobody earns",
        }
    )
    text = view.grid_words(mixed).text
    assert "On DeepSeek-V3/R1 chat the leader comes first in at least 80 of 100 quick cases." in text
    assert "On DeepSeek-V3/R1 reasoning in fewer: too close to call." in text
    assert "On gpt-oss-120b chat nobody earns." in text
    most = rows(
        {("deepseek-r1", "chat"): "gb200-nvl72"} | {("gpt-oss-120b", str(n)): "too close to call" for n in range(5)}
    )
    assert "On the other 5 of 6 pairs in fewer: too close to call." in view.grid_words(most).text
    tied = rows({("deepseek-r1", s): "too close to call" for s in ("chat", "reasoning")})
    assert view.grid_words(tied).text.count("On all 2 pairs of model and workload the lead is too close") == 1
    assert "at least 80" not in view.grid_words(tied).text


@pytest.mark.parametrize("case", RERUNS, ids=str)
def test_a_rerun_says_what_its_own_tables_hold(case):
    given = dict(case)
    model = given.pop("model", "deepseek-r1")
    workloads = ["chat", "rag-summarise"]
    grid = summary.scenario_grid(FEW, [model], workloads, "mw", **given)
    title = view.grid_chart(grid, model).to_dict()["title"]["text"]
    column = "profit_usd_per_mw_year"
    known = grid[grid[column].notna()]
    best = [part.loc[part[column].idxmax()] for _, part in known.groupby("scenario")]
    earning = [str(one["platform"]) for one in best if one[column] > 0]
    assert all(name in title.split(";")[0] for name in earning)
    assert ("nobody earns" in title) == (not earning)
    losing = known.loc[known[column] < 0, "platform"].value_counts()
    assert len(re.findall(r" on (?:all 2|1 of 2)", title)) == (len(losing) if earning else 0)
    for name, count in losing.items() if earning else ():
        assert re.search(rf"{name} (?:loses )?on {'all 2' if count == 2 else '1 of 2'}\b", title)
    words = view.grid_words(grid).text
    assert ("nobody earns" in words) == bool((grid["verdict"] == "nobody earns").any())
    prices = view.price_table(grid, model)._repr_html_()
    for row in known.itertuples():
        earns = row.break_even_output_usd_per_mtok < row.price_output_usd_per_mtok
        assert earns == (row.profit_usd_per_mw_year > 0)
    assert prices.count("<tr>") == 1 + len(FEW)
    assert "no platform serves any" not in title
    story = summary.summarise(FEW, model, "rag-summarise", "rack", **FAST, **given)
    table = view.three_measures(story)._repr_html_()
    for key in ("rack", "mw", "usd"):
        ranked = story.rankings[key]
        assert str(ranked["platform"].iloc[0]) in table
        if ranked["verdict"].iloc[0] == "nobody earns":
            assert "nobody earns" in table
    base = live_case.base_state(model, "rag-summarise", "rack", **given)
    ours = live_case.live_values(FEW, base, **given)
    for row in story.rankings["rack"].itertuples():
        if row.value == row.value:
            assert ours[row.accelerator]["rack"] == pytest.approx(row.value, rel=1e-3)


@pytest.mark.parametrize("given", [{}, {"price_factor": 0.3, "horizon_years": 3.0}], ids=str)
def test_the_leader_changes_where_a_flip_sentence_says_so(given):
    case = catalog.scenario("rag-summarise")
    found = deciding.deciding_assumptions(FEW, "deepseek-r1", case, "usd", **given)
    flips = [(item, flip) for item in found for flip in (*item.flips, *item.beyond) if item.name in MONEY]
    assert flips
    for item, (at, before, after) in flips:
        assert before in item.sentence() or after in item.sentence()
        for factor, who in ((0.97, before), (1.03, after)):
            table = evaluate(FEW, ["deepseek-r1"], [case], intervals=False, **{**given, item.name: at * factor})
            best = table.loc[table["profit_usd_per_invested_usd_year"].idxmax()]
            leads = str(best["platform"]) if best["profit_usd_per_invested_usd_year"] > 0 else NOBODY
            assert leads == who, (item.name, at, factor)


def test_a_flip_outside_the_range_is_said_to_be_outside():
    inside = Deciding("u", "share", 0.6, 0.4, 0.8, "of capacity", ((0.5, "A", "B"),))
    outside = Deciding("u", "share", 0.6, 0.4, 0.8, "of capacity", (), ((0.1, NOBODY, "B"), (0.9, "B", "A")))
    brief = Deciding("u", "share", 0.6, 0.4, 0.8, "of capacity", ((0.50001, "A", "B"), (0.50002, "B", "A")))
    assert brief.sentence() == "Near 0.5 of capacity: B."
    assert inside.sentence() == "Below 0.5 of capacity: A."
    assert (
        outside.sentence()
        == "No value in this range changes who leads; outside it, above 0.9 of capacity: A; below 0.1: nobody earns."
    )
    narrow = replace(inside, flips=((0.7, "A", "B"), (0.75, "B", "A")))
    assert narrow.sentence() == "Between 0.7 and 0.75 of capacity: B."
    low = replace(inside, flips=((0.45, "A", "B"), (0.5, "B", "A")))
    assert low.sentence() == "Between 0.45 and 0.5 of capacity: B."
    assert (inside.flips_inside, outside.flips_inside) == (True, False)
    words = drivers.drivers_words([outside], "A", "rack")
    assert words.startswith("No assumption of 1, each alone over its range, changes who leads per rack")
    both = drivers.drivers_words([inside, outside], "A", "rack")
    assert both.startswith(
        "1 of 2 assumptions, each alone over its range, changes who leads per rack: share. A takes the lead below 0.5 of capacity (here 0.6)"
    )


@pytest.fixture(scope="module")
def decided() -> list[Deciding]:
    return deciding.deciding_assumptions(FEW, "gpt-oss-120b", catalog.scenario("chat"), "mw")


@pytest.mark.slow
def test_the_workload_is_walked_beside_money_and_every_bar_has_its_page(decided):
    names = {item.name for item in decided}
    workload = {item.name for item in decided if item.workload}
    assert workload == {
        "model", "isl_tokens", "input_per_output", "prefix_cache_hit", "tok_s_per_user", "ttft_limit_ms",
    }  # fmt: skip
    assert {"price_factor", "utilisation", "software_years"} <= names - workload
    markup = drivers.drivers_chart(decided, "Alpha", (1.0, 0.5), "mw").markup
    for item in decided:
        assert f'href="{item.page}.html"' in markup
        assert notebook_path(item.page).is_file()
        assert item.ends()
    assert markup.count('class="ibar"') == 2 * len(decided)
    kinds = [markup.count(f'<span class="ends">{kind}</span></th>') for kind in ("workload", "software", "money")]
    assert kinds == [len(workload), 1, len(decided) - len(workload) - 1]


@pytest.mark.slow
def test_profit_and_lead_are_those_of_the_walk_at_the_ends_of_the_range(decided):
    column = "profit_usd_per_mw_year"
    start = evaluate(FEW, ["gpt-oss-120b"], ["chat"], intervals=False).sort_values(column, ascending=False)
    first, base = start["accelerator"].iloc[0], start[column].iloc[:2].to_numpy()
    item = next(one for one in decided if one.name == "isl_tokens")
    assert item.swing_usd == pytest.approx(item.profit[1] - item.profit[0])
    ends = walk.context_length(
        FEW, "gpt-oss-120b", catalog.scenario("chat"), [int(item.low), int(item.high)], held=False
    )
    paid = ends[ends["accelerator"] == first][column].to_numpy()
    assert item.profit[0] <= paid.min() + 1.0
    assert item.profit[1] >= paid.max() - 1.0
    for one in decided:
        if one.name != "software_years":  # the newest software is the report's own
            assert one.profit[0] <= base[0] * (1 + 1e-9)
        assert one.profit[1] >= base[0] * (1 - 1e-9)
        assert one.lead[0] <= (base[0] - base[1]) * (1 + 1e-9)
        assert one.lead[1] >= (base[0] - base[1]) * (1 - 1e-9)
        assert (one.lead[0] < 0) <= one.flips_inside or one.lead[0] != one.lead[0]


@pytest.mark.slow
def test_the_speeds_that_change_the_lead_are_those_of_the_chart_of_speed(decided):
    case, column = catalog.scenario("chat"), "profit_usd_per_mw_year"
    item = next(one for one in decided if one.name == "tok_s_per_user")
    fronts = live_case.money_fronts(FEW, "gpt-oss-120b", case)
    reign = lead_map.reigns(lead_map.speed_lines(fronts, column, item.low, item.high))
    labels = {key: catalog.accelerator(key).label for key in FEW}
    assert [at for at, _, _ in item.flips] == [upto for upto, _ in reign[:-1]]
    for at, before, after in item.flips:
        for factor, who in ((0.99, before), (1.01, after)):
            asked = replace(case, tpot_limit_ms=1e3 / (at * factor))
            rows = evaluate(FEW, ["gpt-oss-120b"], [asked], intervals=False).set_index("accelerator")[column].dropna()
            best = rows.idxmax()
            assert (labels[best] if rows[best] > 0 else NOBODY) == who


@pytest.mark.slow
def test_values_are_told_in_natural_units(decided):
    told = {item.name: item for item in decided}
    assert told["price_factor"].stated().startswith("$")
    assert told["price_factor"].ends().endswith("per million output tokens")
    assert told["utilisation"].stated() == f"{percent(catalog.base_case().utilisation)} sold"
    assert told["isl_tokens"].ends() == "1,024 to 130,048 input tokens"
    assert told["ttft_limit_ms"].ends() == "2 to 10 s"
    assert re.fullmatch(r"20\d\d-\d\d to 20\d\d-\d\d", told["software_years"].ends())
    assert len(told["model"].choices) >= 5


def test_unmeasured_platforms_are_named_and_measured_ones_are_not():
    story = summary.summarise(("h100-sxm", "tpu-v7"), "deepseek-r1", "rag-summarise", **FAST)
    assert "TPU v7 not measured" in view.trust(story).text
    assert "H100" not in view.trust(story).text
    alone = summary.summarise(("h100-sxm",), "deepseek-r1", "rag-summarise", **FAST)
    assert "not measured" not in view.trust(alone).text
    words = view.rack_words(alone).text
    assert re.search(r"Racks hold 32 accelerators here and are provided with [\d.]+ kW", words)


def test_own_speed_prices_and_cache_share_become_the_controls_own_case():
    case = summary.own_case("rag-summarise", 47.5, 0.5)
    cards = summary.own_prices("deepseek-r1", 1.0, 4.0)["price_cards"]
    state = live_case.base_state("deepseek-r1", case, "rack", cards, utilisation=0.4)
    assert (state["speed"], state["hit"], state["pin"], state["pout"], state["util"]) == (47.5, 0.5, 1.0, 4.0, 0.4)
