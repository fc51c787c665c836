"""The summary's sentences follow from its tables, whatever the rerun: ties, rank changes, losses, nothing served."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import cache

import pandas as pd
import pytest

from rackecon import catalog
from rackecon.answer import deciding, summary
from rackecon.appraisal.evaluate import PLATFORMS
from rackecon.economics.measures import MEASURES
from rackecon.errors import InputError
from rackecon.evidence.measured import load_evidence
from rackecon.evidence.novelty import platform_named
from rackecon.pages.summary_words import case_words, headline_words, other_measures, sure_words
from rackecon.walks import walk as walks

FAST = {"draws": 64, "physical_points": 1}
CASES = [
    {},
    {"measure": "mw"},
    {"measure": "usd", "model": "gpt-oss-120b"},
    {"model": "gpt-oss-120b", "scenario": "chat", "horizon_years": 2.0, "electricity_usd_per_kwh": 0.2},
    {"scenario": "reasoning", "utilisation": 0.2, "cost_factor": 2.0},
    {"scenario": "agentic-coding", "price_decline_per_year": 0.8},
    {"price_factor": 0.01},
]


def story(case: dict) -> tuple[summary.Summary, str]:
    return told(json.dumps(case))


@cache
def told(case: str) -> tuple[summary.Summary, str]:
    given = json.loads(case)
    measure = given.pop("measure", "rack")
    model, scenario = given.pop("model", "deepseek-r1"), given.pop("scenario", "rag-summarise")
    return summary.summarise(PLATFORMS, model, scenario, measure, **FAST, **given), measure


@pytest.mark.parametrize("case", CASES, ids=str)
def test_headline_names_the_first_row_and_its_figure(case):
    found, measure = story(case)
    ranked = found.rankings[measure]
    known = ranked[ranked["value"].notna()]
    top = known.iloc[0]
    assert str(top["platform"]) in headline_words(found)
    assert top["value"] == known["value"].max()
    assert MEASURES[measure].amount(abs(float(top["value"]))) in headline_words(found)
    said = {"nobody earns": "Nobody earns", "too close to call": "cannot be told apart"}
    assert said.get(str(top["verdict"]), "earns the most") in headline_words(found)
    assert ("earns the most" in headline_words(found)) == (str(top["verdict"]) == top["accelerator"])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sentences_state_wins_and_ties_as_the_table_has_them(case):
    found, measure = story(case)
    ranked = found.rankings[measure]
    top = ranked[ranked["value"].notna()].iloc[0]
    text = f"{sure_words(found)} {other_measures(found)}"
    if ranked["verdict"].iloc[0] == "nobody earns":
        assert "Every platform loses money" in text
        return
    assert f"{round(100 * float(top['win_share']))} of 100" in text
    assert ("too close to call" in text) == (float(top["win_share"]) < 0.8)
    for key in ("rack", "mw", "usd"):
        if key != measure:
            ranking = found.rankings[key]
            known = ranking[ranking["value"].notna()]
            leader, verdict = str(known["platform"].iloc[0]), str(ranking["verdict"].iloc[0])
            where = rf"{MEASURES[key].name}( and per [a-z ]+)?, "
            tied = rf"{where}[^.]*{re.escape(leader)}[^.]* cannot be told apart"
            said = {"nobody earns": f"{where}nobody earns", "too close to call": tied}.get(
                verdict, rf"{where}{re.escape(platform_named(leader))} comes first"
            )
            assert re.search(said, text, re.IGNORECASE), (said, text)


@pytest.mark.parametrize("measure", ["rack", "usd"])
def test_count_and_interval_are_those_of_the_page_on_uncertainty(measure):
    from rackecon.uncertainty.outcomes import win_table
    from rackecon.uncertainty.propagate import run

    chips, few = ["h200-sxm", "gb200-nvl72", "gb300-nvl72"], {"draws": 256, "physical_points": 2}
    found = summary.summarise(chips, "gpt-oss-120b", "chat", measure, **few)
    column = MEASURES[measure].column
    theirs = win_table(run(chips, ["gpt-oss-120b"], ["chat"], **few), column, found.table).set_index("accelerator")
    ours = found.rankings[measure].set_index("accelerator")
    assert ours.index.tolist() == theirs.index.tolist()
    assert ours["value"].tolist() == theirs["value"].tolist()
    for mine, drawn in (
        ("win_share", "win_share"),
        ("value_low", "p5"),
        ("value_middle", "p50"),
        ("value_high", "p95"),
    ):
        assert ours[mine].to_numpy() == pytest.approx(theirs[drawn].to_numpy(), rel=1e-12)
    assert ours["wins"].sum() <= 256
    assert f"all {found.inputs} uncertain inputs drawn" in sure_words(found)
    assert found.inputs > 4


def test_what_public_runs_alone_would_earn_is_the_run_at_the_prices_and_costs_of_the_case():
    chips = ["gb200-nvl72", "b200-hgx", "tpu-v7"]
    case = catalog.scenario("rag-summarise")
    story = summary.summarise(chips, "deepseek-r1", case, **FAST)
    table = story.table.set_index("accelerator")
    rates = dict(zip(chips, summary.public_rates(story.table, case), strict=True))
    runs = load_evidence()
    kept = (runs.frame["model"] == "deepseek-r1") & (runs.frame["isl"] == 8192) & (runs.frame["osl"] == 1024)
    kept &= (runs.tok_s_per_user >= 30.0) & (runs.ttft_ms <= 5000.0) & ~runs.broken
    for chip in chips[:2]:
        best = runs.total_tok_s_per_gpu[kept & (runs.frame["accelerator"] == chip)].max()
        assert rates[chip] == pytest.approx(best)
    assert math.isnan(rates["tpu-v7"])
    for key, measure in MEASURES.items():
        ranked = story.rankings[key].set_index("accelerator")
        for chip in chips[:2]:
            ratio = rates[chip] / table.loc[chip, "total_tok_s_per_gpu"]
            earned = table.loc[chip, f"revenue_usd_per_{measure.unit}_year"] * ratio
            expected = earned - table.loc[chip, f"cost_usd_per_{measure.unit}_year"]
            assert ranked.loc[chip, "value_measured"] == pytest.approx(expected)
        assert math.isnan(ranked.loc["tpu-v7", "value_measured"])


def test_public_runs_keep_what_the_case_asks_for():
    case = catalog.scenario("rag-summarise")
    row = {"accelerator": "gb200-nvl72", "model": "deepseek-r1", "isl_tokens": 8192, "osl_tokens": 1024}
    rows = pd.DataFrame([row])
    [usual] = summary.public_rates(rows, case)
    [slow] = summary.public_rates(rows, replace(case, tpot_limit_ms=None))
    [wide] = summary.public_rates(rows, replace(case, weight_precision="fp8"))
    [prompt] = summary.public_rates(rows, replace(case, ttft_limit_ms=600.0))
    [early] = summary.public_rates(rows, replace(case, software_date="2025-12-31"))
    [cached] = summary.public_rates(rows.assign(prefix_cache_hit=0.5), case)
    assert max(wide, prompt) < usual < slow
    assert early <= usual
    assert math.isnan(cached)


def test_basis_says_model_lengths_limits_cost_power_and_vintage():
    found, _ = story({"utilisation": 0.35, "horizon_years": 3.0})
    for part in (
        "document summaries (long prompt, short answer: 8,192 tokens in, 1,024 out)",
        "30 tokens a second",
        "35 %",
        "3 years",
        "costs built up from the price of the hardware;",
        "provisioned (2026-07)",
        "before tax",
    ):
        assert part in case_words(found)


def test_a_workload_that_nothing_serves_says_why():
    case = summary.own_case("chat", 5000.0, None)
    found = summary.summarise(PLATFORMS, "deepseek-r1", case, **FAST)
    assert headline_words(found) == "No platform serves this workload within its limits."
    assert "no layout reaches 5,000 tok/s/user" in sure_words(found)


def test_deciding_assumptions_find_a_flip_that_is_there():
    case = catalog.scenario("rag-summarise")
    found = {
        item.name: item
        for item in deciding.deciding_assumptions(("h100-sxm", "gb300-nvl72"), "deepseek-r1", case, "rack")
    }
    assert found["price_factor"].low < 1.0 < found["price_factor"].high
    assert found["price_factor"].swing_usd > found["pue"].swing_usd
    alone = deciding.deciding_assumptions(("h100-sxm",), "deepseek-r1", case, "rack", price_factor=2.0)  # near nothing
    flips = {item.name: item.flips for item in alone}
    assert any(flips.values())
    assert all(before != after for flip in flips.values() for _, before, after in flip)


def test_own_prices_replace_the_listing_and_keep_the_cached_share():
    listed = summary.own_prices("deepseek-r1", None, None)
    assert listed == {}
    card = summary.own_prices("deepseek-r1", 1.0, 4.0)["price_cards"]["deepseek-r1"]
    assert (card.fresh_input, card.output) == (1.0, 4.0)
    assert 0.0 <= card.cached_input <= 1.0
    dear = summary.summarise(
        ("b200-hgx",), "deepseek-r1", "chat", **FAST, **summary.own_prices("deepseek-r1", None, 40.0)
    )
    plain = summary.summarise(("b200-hgx",), "deepseek-r1", "chat", **FAST)
    assert dear.rankings["rack"]["value"].iloc[0] > plain.rankings["rack"]["value"].iloc[0]


def test_more_experts_never_raise_throughput_much_and_more_per_token_never_do():
    case = catalog.scenario("chat")
    counts = walks.expert_counts(["gb200-nvl72"], "deepseek-r1", case, (128, 256, 512))
    free = counts[counts["line"] == walks.RETUNED].sort_values("experts")["total_tok_s_per_gpu"].to_numpy()
    assert (free[1:] <= free[:-1] * 1.05).all()
    top_ks = walks.expert_top_k(["gb200-nvl72"], "deepseek-r1", case, (2, 4, 8, 16))
    falls = top_ks[top_ks["line"] == walks.RETUNED].sort_values("top_k")["total_tok_s_per_gpu"].to_numpy()
    assert (falls[1:] <= falls[:-1] * 1.02).all()


def test_a_held_layout_never_beats_the_searched_one():
    walk = walks.context_length(
        ["gb200-nvl72", "mi355x"], "deepseek-r1", catalog.scenario("rag-summarise"), (1024, 8192, 32768)
    )
    free, held = (
        walk[walk["line"] == line].set_index(["accelerator", "walked_tokens"])[
            ["profit_usd_per_mw_year", "draft_tokens"]
        ]
        for line in (walks.RETUNED, walks.HELD)
    )
    # an open search drafts as deep as public recipes do at its load; a depth held from another load is outside its space
    same = held.dropna().index
    both = same[(held.loc[same, "draft_tokens"] == free.loc[same, "draft_tokens"]).to_numpy()]
    assert len(both) > 2
    gain = held.loc[both, "profit_usd_per_mw_year"] - free.loc[both, "profit_usd_per_mw_year"]
    assert (gain <= 1.0).all()


def test_context_beyond_the_model_is_refused_with_its_limit():
    with pytest.raises(InputError, match="exceed the"):
        walks.context_length(["b200-hgx"], "deepseek-r1", catalog.scenario("rag-summarise"), (1_000_000,))


def test_a_summary_asked_again_is_not_drawn_again_and_another_is(monkeypatch):
    asked = {"draws": 64, "physical_points": 2}
    first = summary.summarise(["gb200-nvl72"], "deepseek-r1", "rag-summarise", **asked)

    def fail(*args, **kwargs):
        raise AssertionError("drawn anew")

    monkeypatch.setattr(summary, "run", fail)
    again = summary.summarise(["gb200-nvl72"], "deepseek-r1", "rag-summarise", **asked)
    pd.testing.assert_frame_equal(again.rankings["rack"], first.rankings["rack"])
    with pytest.raises(AssertionError, match="drawn anew"):
        summary.summarise(["gb200-nvl72"], "deepseek-r1", "rag-summarise", utilisation=0.6, **asked)
