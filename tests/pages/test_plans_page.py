"""The page on plans: its sentences say what its tables hold, its charts stack to what stands."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from rackecon.errors import InputError
from rackecon.evidence.novelty import platform_named
from rackecon.figures import plans as charts
from rackecon.figures.results import result_rows
from rackecon.pages.plans import (
    Asked,
    allocation_table,
    compared,
    demand_table,
    figures,
    plans_result,
    quoted,
    racks_text,
    site_plan,
    tried,
)
from rackecon.pages.sentences import environment, say

GIVEN = {
    "site_mw": 1.0,
    "budget_usd": 5e6,
    "traffic_factor": 0.05,
    "demand_shape": "azure2024_conv",
    "owned": "h200-sxm",
    "owned_age_years": 2,
    "stage_years": 3,
    "demand_growth_per_year": 0.5,
    "draws": 4,
}


@pytest.fixture(scope="module")
def result():
    return plans_result(Asked(accelerators=["h200-sxm", "gb200-nvl72", "gb300-nvl72"], **GIVEN))


@pytest.mark.slow
def test_sentences_say_what_the_tables_hold(result):
    said = quoted(result) | {"less_racks": "none", "less_mw": 0.0, "night_racks": "none", "night_busy": 0.0}
    text = {block: say("16_plan", block, **said) for block in environment().get_template("16_plan.md.j2").blocks}
    bought = result.site.racks.set_index("platform")["bought"]
    for platform, count in bought[bought > 0].items():
        assert f"{count} rack" in text["answer"]
        assert platform in text["answer"]
    assert re.match(r"(Two plans for 1 MW are too close to call: |For 1 MW )", text["answer"])
    if said["rival_plan"]:
        assert said["rival_plan"] in text["answer"]
        assert 0.0 <= said["wins"] <= 1.0
    assert said["capital_low"] <= said["capital_mean"] <= said["capital_high"]
    assert platform_named(said["last_platform"]) in text["renewal_title"]
    assert said["low_profit"] <= said["mean_profit"] <= said["high_profit"]
    assert said["mw_worth"] == result.site.limits["usd_per_unit"].iloc[0]
    assert result.worth["usd_per_mw_year"].is_monotonic_decreasing
    assert said["budget"] == 5e6 >= result.capital.investment_usd
    last = result.renewal.staged.racks.query("year == 2")
    assert said["last_racks"] == last.loc[last["power_mw"].idxmax(), "racks"]
    keys = [row[0] for row in result_rows(figures(result))]
    assert len(keys) == len(set(keys)) > 20


@pytest.mark.slow
def test_less_traffic_takes_less_power(result):
    asked = Asked(accelerators=["gb200-nvl72"], **GIVEN)
    found = tried(asked, 0.1 * asked.traffic_factor, "azure2024_code")
    assert found["less_mw"] < site_plan(asked).power_mw
    assert 0.0 < found["night_busy"] <= 1.0


@pytest.mark.slow
def test_the_day_stacks_to_no_more_than_what_stands(result):
    table = allocation_table(result.site)
    assert table.groupby("hour")["power_mw"].sum().max() <= result.site.power_mw * (1 + 1e-6)
    demand = demand_table(result.site)
    assert demand["wanted"].sum() == pytest.approx(30e12 * 0.05)
    assert demand["served_share"].max() <= 1 + 1e-6
    assert racks_text(result.site).count("rack") == int((result.site.racks["bought"] > 0).sum())


@pytest.mark.slow
def test_charts_name_platforms_and_draw_their_rule(result):
    day = charts.allocation(allocation_table(result.site), title="t", subtitle="s", standing_mw=result.site.power_mw)
    years = charts.stacked_years(result.renewal.staged.racks, title="t", subtitle="s", limit_mw=1.0)
    worth = charts.worth_line(
        result.worth, "site_mw", "usd_per_mw_year", title="t", subtitle="s", x_title="x", y_title="y", at=1.0
    )
    both = charts.plans_compared(*compared(result), title="t", subtitle="s")
    for chart, marks in ((both, 2), (day, 3), (years, 3), (worth, 3)):
        spec = json.loads(chart.to_json())
        assert len(spec["layer"]) == marks
    parts = [layer["layer"][0]["encoding"]["x"] for layer in json.loads(both.to_json())["layer"]]
    titles = [part.get("title") or part["axis"]["title"] for part in parts]
    assert titles == ["provisioned IT power, MW", "profit a year, USD"], "two quantities, each on its axis"
    shades = json.loads(day.to_json())["layer"][0]["encoding"]["opacity"]["scale"]
    assert shades["type"] == "ordinal"  # a point scale would spread all works between the first two shades
    assert (shades["range"][0], shades["range"][-1]) == (1.0, 0.25)
    names = set(result.renewal.staged.racks.query("racks > 0")["platform"])
    assert set(json.loads(years.to_json())["layer"][0]["encoding"]["color"]["scale"]["domain"]) == names


@pytest.mark.slow
def test_the_first_chart_draws_the_plans_that_the_answer_names(result):
    profits, racks = compared(result)
    said = quoted(result)
    text = say("16_plan", "answer", **said)
    for row in racks.to_dict("records"):
        assert f"{row['racks']} rack" in text
        assert row["platform"] in text
    first = result.site.racks[result.site.racks["bought"] > 0].set_index("accelerator")
    page = racks[racks["plan"] == "most at middle values"].set_index("accelerator")
    assert page["racks"].to_dict() == first["bought"].to_dict()
    assert page["power_mw"].to_dict() == pytest.approx(first["power_mw"].to_dict())
    assert len(profits) == 1 + bool(said["rival_plan"])
    assert profits.iloc[0, 1:].tolist() == [said[f"{end}_profit"] for end in ("mean", "low", "high")]
    if said["rival_plan"]:
        assert profits.iloc[1, 1:].tolist() == [said[f"rival_{end}"] for end in ("profit", "low", "high")]


def test_plans_without_a_rack_are_said_and_not_drawn():
    none = pd.DataFrame(columns=["plan", "accelerator", "platform", "racks", "power_mw"])
    drawn = charts.plans_compared(pd.DataFrame(columns=["plan", "mean", "low", "high"]), none, title="T", subtitle="s")
    assert "nothing to draw" in str(drawn)


def test_racks_on_hand_that_replace_themselves_are_refused():
    with pytest.raises(InputError, match="one of its own successors"):
        plans_result(Asked(accelerators=["gb200-nvl72"], **{**GIVEN, "owned": "gb300-nvl72"}))
