"""Plans by years: one position against the dynamic program of a slot, limits of every year, faults."""

import copy

import numpy as np
import pytest

from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import base_case
from rackecon.economics.cost_table import residual_at
from rackecon.economics.returns import present_value_factors
from rackecon.errors import InputError
from rackecon.planner.formulated import formulated
from rackecon.planner.plan import described, plan
from rackecon.planner.points import menu, tier_case
from rackecon.planner.records import plan_of
from rackecon.planner.replacement import Machine, replacement
from rackecon.planner.staged import staged

BASE = {
    "platforms": ["gb300-nvl72", "vr-nvl72"],
    "limits": {"floor_positions": 1},
    "load_share": 1,
    "tiers": {"standard": {"tok_s_per_user": 30}},
    "demand": [{"workload": "rag-summarise", "model": "deepseek-r1", "tiers": {"standard": 1}}],
    "stages": {"years": 6, "available": {"vr-nvl72": 2}},
    "gap": 0,
}


def lined_up(stages=None, **changes):
    raw = {**copy.deepcopy(BASE), **changes}
    raw["stages"].update(stages or {})
    asked = plan_of(raw)
    return formulated(asked, menu(asked))


def machines(case, years, ages, sale):
    """The same racks as machines of a slot, from evaluate() sold out."""
    base = base_case()
    scenario = tier_case(case, 0, "standard")
    rows = evaluate(list(sale), ["deepseek-r1"], [scenario], utilisation=1.0, intervals=False).to_dict("records")
    year = present_value_factors(base.wacc, base.price_decline_per_year, 1.0)
    t = np.arange(years)
    out = []
    for row in rows:
        racks = row["gpus_per_rack"]
        launch = row["revenue_usd_per_rack_year"] / row["level_price_factor"]
        running = row["running_usd_per_gpu_hour"] * 8760.0 * racks
        earns = launch * (1.0 - base.price_decline_per_year) ** t * year.revenue_years - running * year.cost_years
        price = row["investment_usd_per_gpu"] * racks
        out.append(
            Machine(
                row["accelerator"],
                np.tile(earns[:, None], (1, ages)),
                np.where(t >= sale[row["accelerator"]], price, np.inf),
                np.tile(price * row["resells"] * residual_at(np.arange(ages + 1.0)), (years + 1, 1)),
            )
        )
    return out


@pytest.mark.parametrize("sale", [{"gb300-nvl72": 0, "vr-nvl72": 2}, {"gb300-nvl72": 1, "vr-nvl72": 4}])
def test_one_position_is_the_slot_of_the_dynamic_program(sale):
    form = lined_up({"available": sale})
    found = staged(form)
    best = replacement(machines(form.plan, 6, 6, sale), rate_per_year=base_case().wacc)
    assert found.npv_usd == pytest.approx(best.value_usd, rel=1e-6)
    stands = found.racks[found.racks["racks"] > 0].set_index("year")["accelerator"]
    assert [stands.get(year, "") for year in range(6)] == [step.machine for step in best.steps[:6]]


def test_a_rack_on_hand_is_the_start_of_the_dynamic_program():
    form = lined_up({"age_years": 1}, racks_on_hand={"h200-sxm": 1})
    found = staged(form)
    sale = {"gb300-nvl72": 0, "vr-nvl72": 2, "h200-sxm": np.inf}
    best = replacement(machines(form.plan, 6, 7, sale), start=("h200-sxm", 1), rate_per_year=base_case().wacc)
    assert found.npv_usd == pytest.approx(best.value_usd, rel=1e-6)
    sold = found.racks[(found.racks["accelerator"] == "h200-sxm") & (found.racks["sold"] > 0)]
    # with one position the rack on hand is sold at once, in the first year
    assert best.leaves_after_years == 0 == sold["year"].iloc[0]


def test_limits_hold_in_every_year_and_racks_add_up():
    demand = [{**BASE["demand"][0], "tokens_per_day": 2e12}]
    limits = {"power_mw": 3, "capital_usd": 2.5e7, "supply": {"vr-nvl72": 2}}
    form = lined_up({"demand_growth_per_year": 0.4}, limits=limits, demand=demand)
    found = staged(form)
    assert np.all(found.years["power_mw"] <= 3 * (1 + 1e-9))
    assert np.all(found.years["spent_usd"] <= 2.5e7 * (1 + 1e-9))
    newer = found.racks[found.racks["accelerator"] == "vr-nvl72"].set_index("year")
    assert newer["bought"].max() <= 2
    assert newer.loc[[0, 1], "bought"].sum() == 0
    for _, mine in found.racks.groupby("accelerator"):
        assert mine["racks"].tolist() == (mine["bought"] - mine["sold"]).cumsum().tolist()
    wanted = 2e12 / 86400.0 * 1.4 ** np.arange(6)
    assert np.all(found.years["served_tok_s"] <= wanted * (1 + 1e-6))
    assert found.solution.gap <= 1e-6


def test_dearer_power_in_a_year_shows_where_demand_outgrows_the_site():
    demand = [{**BASE["demand"][0], "tokens_per_day": 5e11}]
    found = staged(lined_up({"demand_growth_per_year": 1.0}, limits={"power_mw": 1.5}, demand=demand))
    assert found.years["mw_usd"].iloc[0] == pytest.approx(0.0, abs=1.0)
    assert found.years["mw_usd"].iloc[-1] > 1e5


def test_growth_gain_and_cheaper_racks_help():
    demand = [{**BASE["demand"][0], "tokens_per_day": 5e11}]
    limits = {"power_mw": 1.5}
    base = staged(lined_up(limits=limits, demand=demand)).npv_usd
    for change in ({"demand_growth_per_year": 0.5}, {"software_gain_per_year": 0.2}, {"rack_price_fall_per_year": 0.2}):
        assert staged(lined_up(change, limits=limits, demand=demand)).npv_usd >= base * (1 - 1e-6)


def test_a_platform_that_comes_after_the_last_year_changes_nothing():
    both, alone = (
        staged(lined_up({"years": 1})),
        staged(lined_up({"years": 1, "available": {}}, platforms=["gb300-nvl72"])),
    )
    assert both.npv_usd == pytest.approx(alone.npv_usd, rel=1e-9)
    assert both.racks.groupby("accelerator")["racks"].sum().to_dict() == {"gb300-nvl72": 1, "vr-nvl72": 0}


def test_a_plan_tells_its_years():
    found = plan({**BASE, "limits": {"power_mw": 1}})
    assert found.staged is not None
    text = "\n".join(described(found))
    assert "year 0: buy" in text
    assert "by years: net present value" in text


def test_faults():
    with pytest.raises(InputError, match="no stages"):
        staged(formulated(plan_of({k: v for k, v in BASE.items() if k != "stages"}), lined_up().menu))
    with pytest.raises(InputError, match="nearest is 'vr-nvl72'"):
        lined_up({"available": {"vr-nvl": 1}})
    with pytest.raises(InputError, match="stages"):
        lined_up({"years": 99})
    demand = [{**BASE["demand"][0], "tokens_per_day": 1e12, "must_serve": 1}]
    with pytest.raises(InputError, match="does not fit the limits of every year"):
        staged(lined_up({"demand_growth_per_year": 1.0}, limits={"power_mw": 2}, demand=demand))
