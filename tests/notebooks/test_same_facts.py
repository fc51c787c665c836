"""One fact, one number: what two pages both publish is equal, and a page says in words what it publishes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon import catalog
from rackecon.catalog import accelerators, label
from rackecon.economics.measures import EVERY_MEASURE
from rackecon.evidence.novelty import measured_platforms
from rackecon.figures.display import first_sentence
from rackecon.press.results import read_results
from rackecon.evidence.leads import DECIDED_SHARE
from rackecon.words import count, money, money_ends, money_span

REPORTS = Path(__file__).resolve().parents[2] / "reports"
SUMMARY, UNCERTAINTY = "00_executive_summary", "12_uncertainty"
EXPERTS, CONTEXT, RATIO, LATENCY = (
    "02_moe_experts", "03_context_length", "04_prefill_decode_ratio", "05_latency_targets",
)  # fmt: skip
SPLIT, COST, RETURN = "07_disaggregated_serving", "09_cost", "10_revenue_and_roi"
MW = "profit_usd_per_mw_year"
SAME = [
    (SUMMARY, r"profit/rack/([^/]+)/win_share", UNCERTAINTY, r"profit/\1/win_share"),
    (SUMMARY, r"profit/rack/([^/]+)/value_low", UNCERTAINTY, r"profit/\1/p5"),
    (SUMMARY, r"profit/rack/([^/]+)/value_middle", UNCERTAINTY, r"profit/\1/p50"),
    (SUMMARY, r"profit/rack/([^/]+)/value_high", UNCERTAINTY, r"profit/\1/p95"),
    (SUMMARY, rf"grid/deepseek-r1/rag-summarise/([^/]+)/{MW}", SUMMARY, r"profit/mw/\1/value"),
    (SUMMARY, rf"grid/deepseek-r1/rag-summarise/([^/]+)/{MW}", CONTEXT, rf"fresh/\1/8192/{MW}"),
    (SUMMARY, rf"grid/deepseek-r1/rag-summarise/([^/]+)/{MW}", RATIO, rf"output_fixed/\1/8/{MW}"),
    (SUMMARY, rf"grid/deepseek-r1/rag-summarise/([^/]+)/{MW}", LATENCY, rf"speed/\1/30/{MW}"),
    (SUMMARY, rf"grid/deepseek-r1/chat/([^/]+)/{MW}", EXPERTS, rf"models/\1/deepseek-r1/{MW}"),
    (SUMMARY, rf"grid/gpt-oss-120b/chat/([^/]+)/{MW}", EXPERTS, rf"models/\1/gpt-oss-120b/{MW}"),
    (SUMMARY, rf"grid/gpt-oss-120b/chat/([^/]+)/{MW}", RETURN, rf"return/\1/{MW}"),
    (SUMMARY, r"point/([^/]+)/total_tok_s_per_gpu", CONTEXT, r"fresh/\1/8192/total_tok_s_per_gpu"),
    (SUMMARY, r"point/([^/]+)/total_tok_s_per_gpu", RATIO, r"output_fixed/\1/8/total_tok_s_per_gpu"),
    (CONTEXT, r"fresh/([^/]+)/8192/cost_usd_per_mtok_output", LATENCY, r"speed/\1/30/cost_usd_per_mtok_output"),
    (COST, r"cost/([^/]+)/break_even_price_factor", RETURN, r"return/\1/break_even_price_factor"),
]
"""A key of one page and the key of the same fact on another."""


@pytest.mark.parametrize(("page", "key", "other", "there"), SAME, ids=lambda part: str(part))
def test_a_fact_on_two_pages_is_one_number(page, key, other, there):
    ours, theirs = read_results(REPORTS, page), read_results(REPORTS, other)
    shared = {name: re.sub(key, there, name) for name in ours if re.fullmatch(key, name)}
    assert len(shared) >= 5
    assert {name: ours[name] for name in shared} == {name: theirs[also] for name, also in shared.items()}


PER = {
    "usd_per_gpu_hour": "USD/GPU-hour", "usd_per_mtok": "USD/Mtok", "npv_usd_per_rack": "USD/rack",
    "tok_s_per_gpu": "tok/s/GPU", "tok_s_per_user": "tok/s/user", "tok_s_per_mw": "tok/s/MW", "tok_s_per_drawn_it_mw": "tok/s/MW",
    **{f"usd_per_{measure.unit}_year": measure.a_year for measure in EVERY_MEASURE.values()},
}  # fmt: skip
"""End of a result's name, to the unit that it names."""


def _named(key: str) -> str:
    """Unit that the last part of a key names; empty where it names none."""
    column = re.sub(r"_(low|high|total|output|by_phase|20\d\d_\d\d)$", "", key.rsplit("/", 1)[-1])
    return next((unit for end, unit in sorted(PER.items(), key=lambda x: -len(x[0])) if column.endswith(end)), "")


def _units_apart(results):
    return {key: unit for key, (_, unit) in results.items() if unit != "%" and _named(key) not in ("", unit)}


def test_a_unit_that_contradicts_its_name_is_noticed():
    good = {"a/profit_usd_per_mw_year_low": ("1", "USD/MW-year"), "b/total_tok_s_per_gpu": ("1", "%"), "c/years": ("1", "years")}
    bad = {"a/profit_usd_per_mw_year": ("1", "USD/year"), "b/cost_usd_per_mtok_total": ("1", "USD"), "c/tok_s_per_user": ("1", "tok/s")}
    assert _units_apart(good | bad) == {key: unit for key, (_, unit) in bad.items()}


@pytest.mark.parametrize("page", [path.stem for path in sorted((REPORTS / "results").glob("*.csv"))])
def test_a_result_has_the_unit_that_its_name_says(page):
    assert _units_apart(read_results(REPORTS, page)) == {}


@pytest.mark.parametrize("page", (SUMMARY, UNCERTAINTY))
def test_profit_by_a_measure_has_the_unit_of_that_measure(page):
    for key, (_, unit) in read_results(REPORTS, page).items():
        found = re.fullmatch(r"profit/(?:(\w+)/)?[^/]+/(?:value\w*|p\d+)", key)
        if found:
            assert unit == EVERY_MEASURE[found[1] or "rack"].a_year, key


def test_the_share_sold_of_the_base_case_is_what_the_page_on_load_finds():
    sold = [
        float(value)
        for key, (value, _) in read_results(REPORTS, "15_load").items()
        if re.fullmatch(r"sold/[^/]+/fixed at the (peak|99th percentile)/utilisation", key)
    ]
    told = f"{min(sold):.2f} to {max(sold):.2f}"
    assert len(sold) >= 10
    assert told in catalog.table("base_case").set_index("parameter").loc["utilisation", "basis"]
    assert told in catalog.table("distributions").set_index("id").loc["utilisation", "basis"]


def test_the_best_of_both_modes_is_the_point_of_the_summary():
    ours, theirs = read_results(REPORTS, SUMMARY), read_results(REPORTS, SPLIT)
    modes = ("aggregated", "disaggregated")
    for name in (name for name in theirs if re.fullmatch(r"speed/[^/]+/aggregated/30/total_tok_s_per_gpu", name)):
        chip = name.split("/")[1]
        best = max(float(theirs.get(name.replace("aggregated", mode, 1), ("0",))[0]) for mode in modes)
        assert best == float(ours[f"point/{chip}/total_tok_s_per_gpu"][0]), chip


def test_answers_say_the_count_and_the_interval_that_both_pages_publish():
    theirs = read_results(REPORTS, UNCERTAINTY)
    wins, low, high = (float(theirs[f"lead/{name}"][0]) for name in ("wins", "low", "high"))
    for page in (SUMMARY, UNCERTAINTY):
        text = read_results(REPORTS, page)["answer"][0]
        assert f" {count(wins)}" in text
        assert f"between {' and '.join(money_ends([low, high]))}" in text


def test_the_error_that_the_summary_quotes_is_that_of_the_validation_page():
    theirs = read_results(REPORTS, "13_validation")
    rows = "required/all rows with a load/tok/s per GPU"
    text = " ".join(re.sub(r"<[^>]+>", "", (REPORTS / f"{SUMMARY}.html").read_text(encoding="utf-8")).split())
    points, error = re.search(
        r"On (\d+) measured configurations that the fit had not seen, .*? is ([\d.]+) %", text
    ).groups()
    assert points == theirs[f"{rows}/points"][0]
    assert float(error) == pytest.approx(float(theirs[f"{rows}/median"][0]), abs=0.5)


def test_the_scatter_of_held_out_points_is_as_far_off_as_the_answer_and_the_table_say():
    ours = read_results(REPORTS, "13_validation")
    page = " ".join((REPORTS / "13_validation.html").read_text(encoding="utf-8").split())
    (drawn,) = set(re.findall(r"Over \d orders of magnitude the median held-out error is (\d+) % under load, (\d+) % in tables of peak rates\.", page))
    rows = ("all rows with a load", "throughput tables")
    said = [float(ours[f"required/{name}/tok/s per GPU/median"][0]) for name in rows]
    assert f"median error is {said[0]:.0f} % of tokens" in ours["answer"][0]
    assert drawn == tuple(f"{error:.0f}" for error in said)
    assert f"are {100 * float(ours['front_median'][0]):.0f} % off at equal speed" in ours["answer"][0]


def test_a_headline_on_splitting_gives_the_measured_gain_beside_the_predicted():
    """How many of the runs measured both ways lie inside the band the page says wherever it promises a gain."""
    ours = read_results(REPORTS, SPLIT)
    inside, below, of = (ours[name][0] for name in ("compared_inside", "compared_below", "compared"))
    told = f"of {of} pairs of runs measured both ways for document summaries, {below} lie below the interval"
    assert told in ours["answer"][0].replace("Of ", "of ")
    assert ("Runs gained less" in ours["answer"][0]) == (int(below) > 0.2 * int(of))
    page = " ".join((REPORTS / f"{SPLIT}.html").read_text(encoding="utf-8").split())
    assert f"{inside} of {of} measured gains lie inside their platform's band" in page
    assert int(inside) + int(below) <= int(of)
    said = re.search(r"multiplies the throughput of [\w ]+ by (\d[\d.]*) in the model \((\d[\d.]*) to (\d[\d.]*)\), (?:which no run shows|by (\d[\d.]*) in runs)", page).groups()
    known = [ours[at][0] for at in ("at_gain", "at_low", "at_high", "at_run") if ours[at][0]]
    assert [float(value) for value in said if value] == pytest.approx(list(map(float, known)), rel=0.05)


def test_splitting_is_said_in_money_and_its_interval_holds_nothing_where_no_gain_is_sure():
    ours = read_results(REPORTS, SPLIT)
    usd, *ends = (float(ours[f"worth_{name}"][0]) for name in ("usd", "low", "high"))
    assert f"it adds {money(usd)} a year to what a rack of" in ours["answer"][0]
    assert f"nine measurements in ten: {money_span(ends)}" in ours["answer"][0]
    assert (ends[0] < 0.0) == ("No pair still gains" in ours["answer"][0])


def test_a_plan_that_does_not_beat_the_one_beside_it_is_called_a_tie():
    ours = read_results(REPORTS, "16_plan")
    wins, answer = float(ours["site/wins"][0]), ours["answer"][0]
    assert ("too close to call" in first_sentence(answer)[0]) == (1 - DECIDED_SHARE < wins < DECIDED_SHARE)
    assert ours["site/rival_plan"][0] in answer
    profit, *ends = (float(ours[f"site/{name}"][0]) for name in ("rival_profit", "rival_low", "rival_high"))
    assert all(words in answer for words in (money(profit), " and ".join(money_ends(ends))))


@pytest.mark.parametrize(
    ("page", "group"), [(SUMMARY, f"profit/{unit}") for unit in ("rack", "mw", "usd")] + [(RETURN, "profit")]
)
def test_a_leader_that_comes_first_less_often_than_another_is_called_a_tie(page, group):
    ours = read_results(REPORTS, page)
    shares = {name: float(ours[name][0]) for name in ours if re.fullmatch(rf"{group}/[^/]+/win_share", name)}
    profits = {name: float(ours[name.replace("win_share", "value")][0]) for name in shares}
    assert len(shares) >= 5
    leader = max(profits, key=profits.__getitem__)
    tie = "too close to call" in ours.get(f"{group}/verdict", ours["answer"])[0]
    assert tie or shares[leader] == max(shares.values())


def test_what_moves_profit_most_is_said_with_the_figures_that_the_summary_publishes():
    """Page 12 draws fewer inputs than the summary walks; where both name one, its two ends are the same profits."""
    ours, theirs = read_results(REPORTS, SUMMARY), read_results(REPORTS, UNCERTAINTY)
    named = {"price_decline": "price_decline_per_year", "utilisation": "utilisation"}[theirs["driver/input"][0]]
    for end in ("low", "high"):
        assert theirs[f"driver/{end}"][0] == ours[f"deciding/{named}/profit_{end}"][0]


@pytest.mark.parametrize("page", [UNCERTAINTY, RETURN])
def test_an_answer_about_money_names_what_moves_it_most_and_how_far(page):
    ours = read_results(REPORTS, page)
    told = money_span(float(ours[f"driver/{end}"][0]) for end in ("low", "high"))
    assert f"moves its profit most: {told} a year" in ours["answer"][0]


@pytest.mark.parametrize("number", ["00", "03", "04", "05", "06", "07", "08", "09", "10", "12", "14", "16"])
def test_an_answer_of_rates_or_money_gives_its_interval(number):
    """What the first lines of the README promise."""
    (page,) = (path.stem for path in (REPORTS / "results").glob(f"{number}_*.csv"))
    assert re.search(r"[Nn]ine (\w+ )?in ten", read_results(REPORTS, page)["answer"][0])


def test_a_cost_has_its_interval_at_both_ends_of_a_walk_and_so_has_their_ratio():
    answer = read_results(REPORTS, LATENCY)["answer"][0]
    assert len(re.findall("nine measurements in ten", answer)) == 2
    assert re.search(r"in ten: [\d.]+ to [\d.]+\): at .*; nine .* in ten: \$[\d.]+ to \$[\d.]+\) .* \(\$[\d.]+ to \$[\d.]+\) at", answer)


def test_whether_a_rack_is_a_good_investment_is_said_and_follows_its_interval():
    ours = read_results(REPORTS, RETURN)
    first = max((name for name in ours if re.fullmatch(r"profit/[^/]+/value", name)), key=lambda name: float(ours[name][0]))
    ends = [float(ours[name][0]) > 0 for name in (first, f"{first}_low")]
    said = "yes while" if all(ends) else "cannot be told" if any(ends) else "no,"
    assert f"A good investment: {said}" in ours["answer"][0]


def test_the_market_s_floor_names_every_platform_inside_the_interval_of_the_lowest():
    ours = read_results(REPORTS, "14_market")
    prices = {name.split("/")[1]: float(ours[name][0]) for name in ours if re.fullmatch(r"entrant/[^/]+/price_usd_per_mtok", name)}
    near = [accelerators()[chip].label for chip, price in prices.items() if price <= float(ours["entrant_high"][0])]
    assert len(prices) > len(near) >= 1
    (title,) = set(re.findall(r"([^<>\"]*) sets? the market's floor", (REPORTS / "14_market.html").read_text(encoding="utf-8")))
    for words in (title, ours["answer"][0]):
        assert [name for name in near if name not in words] == []


@pytest.mark.parametrize("page", [path.stem for path in sorted((REPORTS / "results").glob("*.csv"))])
def test_both_ends_of_a_range_of_times_have_as_many_digits(page):
    """3.9 to 7.3 times, not 3.88 to 7.3."""
    text = str(read_results(REPORTS, page).get("answer", ("", ""))[0])
    for ends in re.findall(r"(\d[\d.]*) to (\d[\d.]*) times", text):
        digits = {len(end.replace(".", "").lstrip("0")) for end in ends}
        decimals = {len(end.partition(".")[2]) for end in ends}
        assert 1 in (len(digits), len(decimals)), ends
    for ends in re.findall(r"\$(0\.\d+) (?:to|and) \$(0\.\d+)", text):
        assert len({len(end) for end in ends}) == 1, ends


def _amount(text: str) -> float:
    scale = {"": 1.0, "k": 1e3, "M": 1e6, "bn": 1e9}
    number, unit = re.fullmatch(r"([\d.,]+)(k|M|bn)?", text).groups()
    return float(number.replace(",", "")) * scale[unit or ""]


def test_worked_equations_give_the_numbers_of_the_answer():
    """Cells that evaluate an equation start from the page's own case: an assumption left out of them shows here."""
    text = " ".join((REPORTS / f"{SUMMARY}.html").read_text(encoding="utf-8").split())
    hour, gpus, rack = re.search(
        r"so it earns \$([\d.]+); (\d+) GPUs and 8,760 hours, in service or not, make that \$([\d.]+M)", text
    ).groups()
    assert _amount(hour) * float(gpus) * 8760 == pytest.approx(_amount(rack), rel=0.01)
    market = (REPORTS / "14_market.html").read_text(encoding="utf-8")
    platform, asked = re.search(
        r"rents ([\w ]+) for .*? of it needs \$([\d.]+) \(", market
    ).groups()
    worked = re.search(rf"On {platform}: \$([\d.]+) per million total tokens", market).group(1)
    assert float(worked) == pytest.approx(float(asked), rel=0.01)


def claims_text() -> str:
    """The page of claims without its tags, what may not break in one piece."""
    page = (REPORTS / "11_claims.html").read_text(encoding="utf-8")
    whole = re.sub(r'<span class="nb">([^<]*)</span>', r"\1", page)
    return " ".join(re.sub(r"<[^>]+>", " ", whole).split())


RATE = r"(?P<value>[\d,]+) total tok/s/GPU"
ONE_FIGURE = {
    "measured at a speed": rf"(?P<what>[A-Z][^.;:()]*, [^.;:()]*): {RATE} at (?P<also>\d+ tok/s/user)",
    "best measured": rf"(?P<what>[A-Z][^.;:()]*, [^.;:()]*): [\d,]+ public rates?, the highest {RATE}(?P<also>)",
    "modelled": rf"(?P<what>[\w/-]+, [^.;:()]* tok/s/user), \d+ years?(?P<also>, with software of [\d-]+|): at the modelled {RATE}",
}


@pytest.mark.parametrize("kind", ONE_FIGURE)
def test_the_claims_give_one_figure_of_what_was_measured_or_modelled_at_one_condition(kind):
    text = claims_text()
    told: dict[tuple[str, str], set[str]] = {}
    for found in re.finditer(ONE_FIGURE[kind], text):
        told.setdefault((found["what"], found["also"]), set()).add(found["value"])
    assert len(told) >= 2
    assert {what: values for what, values in told.items() if len(values) > 1} == {}


def test_what_the_75_million_need_is_one_range_in_the_line_the_chart_and_the_table():
    text = claims_text()
    asked = r"(\$[\d.]+) to (\$[\d.]+)"
    (title,) = set(re.findall(rf"needs {asked} per million tokens, fully sold", text))
    (line,) = set(re.findall(rf"fully sold it needs {asked} per million total tokens", text))
    assert title == line
    listed = re.findall(r"needed, with(?:out)? multi-token prediction (?:[\d.]+ )*?([\d.]+) (?=needed|cheapest)", text)
    assert sorted(float(value) for value in listed[:2]) == sorted(float(value.lstrip("$")) for value in title)


@pytest.mark.parametrize("page", [path.stem for path in sorted((REPORTS / "results").glob("*.csv"))])
def test_an_answer_that_names_a_platform_never_measured_says_so(page):
    unseen = [chip.label for chip in accelerators().values() if chip.id not in measured_platforms()]
    answer, _ = read_results(REPORTS, page).get("answer", ("", ""))
    if answer:
        named = [name for name in unseen if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", str(answer))]
        assert not named or re.search("unmeasured|never measured|announced|not measured", str(answer)), (named, answer)


def of_a_model() -> list[str]:
    """Pages whose answer holds for the model that their parameters name."""
    every = [path.stem for path in sorted(REPORTS.glob("[01]*.html"))]
    about_all = (SUMMARY, "01_platforms_and_models")  # the one says its case below its answer
    return [page for page in every if page not in about_all and "model" in read_parameters(notebook_path(page))]


@pytest.mark.parametrize("page", of_a_model())
def test_a_page_names_its_model_and_workload_above_its_answer(page):
    """Pages lead with different models: an amount quoted without its own would contradict the next page's."""
    asked = {name: item.default for name, item in read_parameters(notebook_path(page)).items()}
    before = (REPORTS / f"{page}.html").read_text(encoding="utf-8").split('<p class="answer">', 1)[0]
    case = re.search(r'<p class="kicker">(Case: [^<]*)</p>$', before)
    assert case
    assert label(asked["model"]) in case[1]
    assert page == SPLIT or label(asked["scenario"]) in case[1]
