"""The section beside another model's step times: its words and marks come from the comparison."""

from __future__ import annotations

import math
import re

import pytest

from rackecon.evidence import crosscheck
from rackecon.pages import crosscheck_view as view


def test_sentences_quote_the_comparison():
    compared = crosscheck.compare()
    told = view.answer_text()
    decode = compared[compared["kind"] == "decode"]
    for family in ("dense", "MoE"):
        off = decode[decode["family"] == family]["log_ratio"].abs().median()
        assert f"{100 * math.expm1(off):.0f} % for {family} models (expected" in told
    assert f"over all {len(compared)} steps" in told
    assert f"over {len(compared) - len(decode)} steps" in told


def test_each_cause_brings_its_group_closer_or_says_that_none_does():
    told = view.cause_text(4)
    groups = re.findall(r"[A-Z][^:.]*: ours is .*? it would be [^.]*\.", told)
    assert len(groups) == 4
    for text, row in zip(groups, crosscheck.causes().head(4).to_dict("records"), strict=True):
        shown = [int(x) for x in re.findall(r"(\d+) % (?:longer|shorter)", text)]
        assert shown[0] == pytest.approx(100 * abs(math.expm1(row["as it is"])), abs=0.51)
        nearer = any(abs(row[name]) < abs(row["as it is"]) for name in crosscheck.CHANGES)
        assert nearer != ("none of our parts explains it" in text)
    assert "gets shorter as sequences are added" in told


def test_the_chart_draws_every_step_in_its_platform_colour_and_shape():
    chart = view.step_chart().to_dict()
    line, points = chart["layer"]
    assert set(points["encoding"]["shape"]["scale"]["domain"]) == set(crosscheck.KINDS)
    assert (
        points["encoding"]["color"]["scale"]["domain"][points["encoding"]["color"]["scale"]["range"].index("#063c69")]
        == "B200"
    )
    data = chart["datasets"][points["data"]["name"]]
    assert len(data) == len(crosscheck.load_steps())
    assert points["encoding"]["x"]["scale"]["type"] == points["encoding"]["y"]["scale"]["type"] == "log"
    assert line["mark"]["strokeDash"]


def test_tables_are_ratios_and_percentages():
    table = view.cause_table(3)
    assert len(table) == 3
    assert (table["as it is"] > 0).all()
    whole = view.summary_table().set_index("slice").loc["all steps"]
    assert whole["median_pct"] == pytest.approx(100 * math.expm1(crosscheck.compare()["log_ratio"].abs().median()))
