"""Racks on hand per megawatt: sums by hand, the closed form where nothing follows, successors, faults."""

import copy

import numpy as np
import pytest

from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import base_case
from rackecon.economics.cost_table import residual_at
from rackecon.economics.returns import present_value_factors
from rackecon.errors import InputError
from rackecon.planner.owned import owned_racks, slot_machines
from rackecon.planner.plan import described, plan
from rackecon.planner.points import tier_case
from rackecon.planner.records import plan_of

BASE = {
    "platforms": ["gb300-nvl72"],
    "racks_on_hand": {"h200-sxm": 20},
    "limits": {"power_mw": 1},
    "load_share": 1,
    "tiers": {"standard": {"tok_s_per_user": 30}},
    "demand": [{"workload": "rag-summarise", "model": "deepseek-r1", "tiers": {"standard": 1}}],
    "replacement": {"platform": "h200-sxm", "age_years": 2, "successors": {"gb300-nvl72": 0}, "let": False},
}


def asked(assumptions=None, **changes):
    raw = copy.deepcopy(BASE)
    raw["replacement"].update(changes)
    return plan_of({**raw, "assumptions": assumptions or {}})


def test_a_year_of_a_megawatt_is_that_of_evaluate():
    case = asked()
    machines, _ = slot_machines(case, case.replacement, ["h200-sxm"])
    row = evaluate(["h200-sxm"], ["deepseek-r1"], [tier_case(case, 0, "standard")], intervals=False).iloc[0]
    base = base_case()
    year = present_value_factors(base.wacc, base.price_decline_per_year, 1.0)
    launch = row["revenue_usd_per_mw_year"] / row["level_price_factor"]
    running = row["running_usd_per_gpu_hour"] * 8760.0 * row["gpus_per_mw"]
    for t in (0, 3):
        sold = launch * (1.0 - base.price_decline_per_year) ** t * float(year.revenue_years)
        assert machines[0].earns[t, 2] == pytest.approx(sold - running * float(year.cost_years))
    price = row["investment_usd_per_gpu"] * row["gpus_per_mw"]
    assert machines[0].resale[0, 3] == pytest.approx(price * row["resells"] * float(residual_at(3.0)))


def test_five_years_add_up_to_the_present_value_of_evaluate():
    """Bought, worked over the base case's horizon and resold at its end: the dynamic program holds the same money."""
    case = asked(years=5)
    machines, _ = slot_machines(case, case.replacement, ["gb300-nvl72"])
    row = evaluate(["gb300-nvl72"], ["deepseek-r1"], [tier_case(case, 0, "standard")], intervals=False).iloc[0]
    v = 1.0 / (1.0 + base_case().wacc)
    at = np.arange(5)
    worth = machines[0].earns[at, at] @ v**at - machines[0].price[0] + machines[0].resale[5, 5] * v**5
    assert worth == pytest.approx(row["npv_usd_per_gpu"] * row["gpus_per_mw"], rel=1e-9)


def test_with_nothing_to_follow_and_a_free_room_it_works_until_sales_no_longer_cover_running():
    # without resale: a price fall so steep that the end comes within the years looked at
    found = owned_racks(asked({"price_decline_per_year": 0.5}, successors={}, years=12))
    assert 0 < found.retire_age_years < 12
    assert found.free.leaves_after_years <= int(np.ceil(found.retire_age_years))
    longer = owned_racks(asked({"price_decline_per_year": 0.3}, successors={}, years=12))
    assert longer.retire_age_years > found.retire_age_years
    assert longer.free.leaves_after_years >= found.free.leaves_after_years


def test_a_successor_or_the_price_of_its_room_takes_it_sooner():
    found = owned_racks(asked(), 1e8)
    assert found.chain.leaves_after_years == 0
    assert found.alone.leaves_after_years == 0
    assert 0 < found.free.leaves_after_years < 8
    assert found.years["accelerator"].tolist()[0] == "gb300-nvl72"
    dear = {"price_factor": 3.0}  # at which the racks on hand earn until the successor comes
    later = owned_racks(asked(dear, successors={"gb300-nvl72": 3}), 0.0)
    assert later.chain.leaves_after_years == 3
    assert later.alone.leaves_after_years == later.free.leaves_after_years
    assert later.chain.value_usd < owned_racks(asked(dear), 1e8).chain.value_usd


def test_faster_software_and_cheaper_successors_help():
    base = owned_racks(asked()).chain.value_usd
    assert owned_racks(asked(software_gain_per_year=0.2)).chain.value_usd > base
    assert owned_racks(asked(rack_price_fall_per_year=0.2)).chain.value_usd >= base
    assert owned_racks(asked(let=True)).chain.value_usd >= base


def test_a_plan_says_what_becomes_of_racks_on_hand():
    found = plan(asked())
    assert found.owned is not None
    assert found.owned.mw_usd_per_year == pytest.approx(found.mw_usd_per_year)
    text = "\n".join(described(found))
    assert "H200 of 2 years: goes after 0 years with its successors in sight" in text
    assert "year 0: serve GB300 NVL72, 0 years old, H200 sold" in text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"platform": "h20000"}, "unknown accelerator"),
        ({"successors": {"groq-lpu1": 0}}, "replacement: groq-lpu1 is not served"),
        ({"age_years": -1}, "replacement.age_years"),
        ({"years": 0}, "replacement.years"),
        ({"yeers": 3}, "nearest is 'years'"),
    ],
)
def test_faults_are_one_line(changes, text):
    with pytest.raises(InputError) as fault:
        asked(**changes)
    assert text in str(fault.value)


def test_a_plan_without_replacement_has_none():
    bare = {name: value for name, value in BASE.items() if name != "replacement"}
    with pytest.raises(InputError, match="no replacement"):
        owned_racks(plan_of(bare))
