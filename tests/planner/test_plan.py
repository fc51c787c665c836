"""Plans of real platforms: against evaluate() where they must agree, faults in one line, the command."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import data_dir
from rackecon.cli import app
from rackecon.economics.price_table import speed_tiers
from rackecon.errors import InputError
from rackecon.planner import points
from rackecon.planner.day import blocks_of, mean_day
from rackecon.planner.formulated import Cell
from rackecon.planner.plan import _check_served, described, plan
from rackecon.planner.records import plan_of, read_plan

RUN = CliRunner()
BASE = {
    "platforms": ["h200-sxm", "gb300-nvl72"],
    "limits": {"power_mw": 2},
    "load_share": 1,
    "tiers": {"standard": {"tok_s_per_user": 30}},
    "demand": [{"workload": "rag-summarise", "model": "deepseek-r1", "tiers": {"standard": 1}}],
}


def asked(**changes):
    return {**copy.deepcopy(BASE), **changes}


def demand(**changes):
    return [{**BASE["demand"][0], **changes}]


def test_demand_without_end_gives_what_evaluate_gives_sold_out():
    found = plan(asked())
    row = evaluate(["gb300-nvl72"], ["deepseek-r1"], ["rag-summarise"], utilisation=1.0, intervals=False).iloc[0]
    racks = found.racks.set_index("accelerator")["bought"]
    assert racks["gb300-nvl72"] == int(2000 / (row["rack_it_kw"]))
    assert (
        racks["h200-sxm"]
        == (2000 - racks["gb300-nvl72"] * row["rack_it_kw"]) // found.form.menu.platforms["h200-sxm"].rack_it_kw
    )
    only = plan(asked(platforms=["gb300-nvl72"]))
    bought = only.racks["bought"].iloc[0]
    assert only.profit_usd_per_year == pytest.approx(bought * row["profit_usd_per_rack_year"])
    assert only.npv_usd == pytest.approx(bought * row["npv_usd_per_rack"])
    assert only.investment_usd == pytest.approx(bought * row["investment_usd_per_gpu"] * 72)
    assert only.busy_share == pytest.approx(1.0)


@pytest.mark.parametrize("wacc", [0.08, 0.15])
def test_present_value_is_that_of_evaluate_at_another_cost_of_capital(wacc):
    case = asked(platforms=["gb300-nvl72"], assumptions={"wacc": wacc, "horizon_years": 4})
    row = evaluate(
        ["gb300-nvl72"], ["deepseek-r1"], ["rag-summarise"], utilisation=1.0, wacc=wacc, horizon_years=4
    ).iloc[0]
    profit, value = plan(case), plan({**case, "objective": "npv"})
    bought = profit.racks["bought"].iloc[0]
    assert profit.racks["bought"].tolist() == value.racks["bought"].tolist()
    for found in (profit, value):
        assert found.npv_usd == pytest.approx(bought * row["npv_usd_per_rack"], rel=1e-3)
        assert found.profit_usd_per_year == pytest.approx(bought * row["profit_usd_per_rack_year"], rel=1e-3)


def test_a_plan_keeps_its_limits_and_serves_no_more_than_is_asked():
    limits = {"power_mw": 3, "capital_usd": 3e7, "floor_positions": 9, "supply": {"gb300-nvl72": 4}}
    wanted = demand(tokens_per_day=3e12)
    found = plan(asked(limits=limits, demand=wanted, demand_shape="azure2024_conv", racks_on_hand={"h200-sxm": 3}))
    assert np.all(found.limits["used"] <= found.limits["amount"] * (1 + 1e-9))
    assert set(found.limits["limit"]) == {"power_mw", "capital_usd", "floor_positions", "supply.gb300-nvl72"}
    assert np.all(found.demand["served_tok_s"] <= found.demand["wanted_tok_s"] * (1 + 1e-6))
    seconds = 3600.0 * np.array([block.hours for block in found.form.blocks])
    assert (found.demand["wanted_tok_s"].to_numpy() * seconds).sum() == pytest.approx(3e12)
    own = found.flows.groupby("block")["tok_s"].sum()
    served = found.demand.set_index("block")["served_tok_s"]
    assert own.reindex(served.index, fill_value=0.0).to_numpy() == pytest.approx(served.to_numpy(), rel=1e-4)
    assert found.gap <= found.asked.gap
    busy = found.flows.groupby(["accelerator", "block"])["racks"].sum()
    racks = found.racks.set_index("accelerator").eval("bought + kept")
    assert all(value <= racks[key] + 1e-6 for (key, _), value in busy.items())


def test_a_faster_tier_costs_more_racks_and_sells_at_its_multiple():
    tiers = {"standard": {"tok_s_per_user": 30}, "fast": {"tok_s_per_user": 120, "price_multiple": "published"}}
    wanted = demand(tokens_per_day=5e11, tiers={"standard": 0.5, "fast": 0.5})
    found = plan(asked(tiers=tiers, demand=wanted))
    points = found.form.menu.points.set_index(["accelerator", "tier"])
    slow, fast = points.loc[("gb300-nvl72", "standard")], points.loc[("gb300-nvl72", "fast")]
    assert fast["tok_s_per_user"] >= 120 > slow["tok_s_per_user"]
    assert fast["total_tok_s_per_gpu"] < slow["total_tok_s_per_gpu"]
    per_token = fast["revenue_usd_per_gpu_hour"] / fast["total_tok_s_per_gpu"]
    assert speed_tiers()[0].multiple > 1
    assert per_token == pytest.approx(
        speed_tiers()[0].multiple * slow["revenue_usd_per_gpu_hour"] / slow["total_tok_s_per_gpu"]
    )


def test_racks_on_hand_are_used_before_any_is_bought_for_the_least_cost():
    wanted = demand(tokens_per_day=2e11)
    bare = plan(asked(objective="cost", demand=wanted))
    owned = plan(asked(objective="cost", demand=wanted, racks_on_hand={"gb300-nvl72": 50}))
    assert owned.racks["bought"].sum() == 0
    assert 0 < owned.racks["kept"].sum() < 50
    assert owned.cost_usd_per_year < bare.cost_usd_per_year == pytest.approx(-bare.profit_usd_per_year)
    assert bare.demand["served_tok_s"].to_numpy() == pytest.approx(bare.demand["wanted_tok_s"].to_numpy(), rel=1e-6)
    assert bare.demand["usd_per_mtok"].max() < 0  # one more million tokens costs


def test_the_price_at_which_a_platform_would_be_bought():
    wanted = demand(tokens_per_day=1e13)
    pair = ["gb200-nvl72", "gb300-nvl72"]
    case = asked(
        platforms=pair, limits={"capital_usd": 1e9}, demand=wanted
    )  # of many racks: no gap that whole ones leave
    found = plan(case).racks.set_index("accelerator")
    loser = "gb300-nvl72" if found.loc["gb300-nvl72", "bought"] == 0 else "gb200-nvl72"
    entry = found.loc[loser, "entry_factor"]
    assert 0 < entry < 1
    from dataclasses import replace

    from rackecon.planner.program import Limit, relaxed

    program = plan(case).form.program
    at = program.platforms.index(loser)
    for factor, bought in ((entry * 0.999, True), (entry * 1.001, False)):
        scale = np.where(np.arange(2) == at, factor, 1.0)
        capital = program.limits["capital_usd"]
        cheaper = replace(
            program,
            bought_value=program.bought_value * scale,
            limits={"capital_usd": Limit(capital.per_bought * scale, capital.per_kept, capital.amount)},
        )
        assert (relaxed(cheaper).objective > relaxed(program).objective * (1 + 1e-9)) == bought


def test_derived_load_is_a_share_of_all_hours_those_out_of_service_too(monkeypatch):
    case = asked(load_share="derived", demand=demand(tokens_per_day=1e11))
    share = plan(case).form.menu.points["load_share"]
    assert share.between(0.01, 0.999 + 1e-9).all()
    monkeypatch.setattr(points, "hours_served_share", lambda: 1.0)
    monkeypatch.setattr(points, "_sustained", points._sustained.__wrapped__)
    assert share.to_numpy() == pytest.approx(0.999 * plan(case).form.menu.points["load_share"].to_numpy())


FAULTS = [
    ({"limits": {"power_mv": 1}}, "limits: unknown name 'power_mv': nearest is 'power_mw'"),
    ({"limits": {"power_mw": -1}}, "limits.power_mw: Input should be greater than 0"),
    ({"limits": {"power_mw": "much"}}, "'much' is not a number"),
    ({"limits": {"power_mw": float("nan")}}, "limits.power_mw"),
    ({"limits": {"supply": {"h200": 1}}}, "nearest is 'h200-sxm'"),
    ({"limits": 3}, "limits: is not a mapping"),
    ({"platforms": []}, "platforms: is empty"),
    ({"platforms": ["h200-sxm", "h200-sxm"]}, "named twice"),
    ({"platforms": ["groq-lpu1"]}, "is not served by the model"),
    ({"platforms": ["h20000"]}, "unknown accelerator"),
    ({"demand": []}, "demand: is empty"),
    ({"demand": demand(tiers={"fast": 1})}, "demand 1: unknown tier 'fast'"),
    ({"demand": demand(tiers={"standard": 0.4})}, "sum to 0.4, not to 1"),
    ({"demand": demand(tokens_per_day=0)}, "greater than 0"),
    ({"demand": demand(workload="chatter")}, "nearest is 'chat'"),
    ({"demand": demand(must_serve=1)}, "tokens_per_day is needed"),
    ({"objective": "cost"}, "tokens_per_day is needed"),
    ({"objective": "best"}, "objective: Input should be 'profit', 'npv' or 'cost'"),
    ({"racks_on_hand": {"h200-sxm": 1.5}}, "racks_on_hand.h200-sxm"),
    ({"racks_on_hand": {"h200-sxm": -1}}, "racks_on_hand.h200-sxm"),
    ({"tiers": {"standard": {"tok_s_per_user": True}}}, "tiers.standard.tok_s_per_user"),
    (
        {"tiers": {"standard": {"tok_s_per_user": 30, "price_multiple": "list"}}},
        "neither a number above 0 nor 'published'",
    ),
    ({"load_share": 1.2}, "load_share 1.2 is out of range"),
    ({"demand_shape": "azure"}, "unknown demand trace 'azure'"),
    ({"demand_shape": "azure2023_conv"}, "a mean day needs one"),
    ({"demand_shape": "azure2024_conv", "blocks": 7}, "do not divide"),
    ({"day": [{"name": "noon", "hours": 3, "share": 1}]}, "3 hours"),
    ({"prices": {"deepseek-r1": {"output": 1}}}, "needs fresh_input"),
    ({"assumptions": {"utilisation": 0.6}}, "use load_share"),
    ({"assumptions": {"waccc": 0.1}}, "nearest is 'wacc'"),
    ({"assumptions": {"wacc": 3}}, "wacc 3 is out of range"),
    ({"limits": {}}, "the plan is unbounded"),
    ({"tiers": {"standard": {"tok_s_per_user": 9000}}}, "no platform serves the demand: no layout reaches"),
    ({"colour": 1}, "unknown name 'colour'"),
]


@pytest.mark.parametrize(("changes", "text"), FAULTS)
def test_faults_are_one_line(changes, text):
    with pytest.raises(InputError) as fault:
        plan(asked(**changes))
    assert text in str(fault.value)
    assert "\n" not in str(fault.value)


def test_limits_that_conflict_are_named_with_by_how_much():
    wanted = demand(tokens_per_day=1e12)
    free = plan(asked(objective="cost", limits={}, demand=wanted))
    with pytest.raises(InputError, match=r"power_mw of 0\.3 MW would have to be ([\d.]+) MW") as fault:
        plan(asked(objective="cost", limits={"power_mw": 0.3}, demand=wanted))
    needed = float(str(fault.value).split("would have to be ")[1].split(" ")[0])
    assert 0.3 < needed <= free.power_mw * (1 + 1e-3)
    plan(asked(objective="cost", limits={"power_mw": needed * 1.001}, demand=wanted))
    with pytest.raises(InputError, match=r"power_mw .* and floor_positions .* together; as they are, [\d.]+ % of it"):
        plan(asked(objective="cost", limits={"power_mw": 0.3, "floor_positions": 2}, demand=wanted))


def test_demand_that_nothing_serves_is_named():
    tiers = {"standard": {"tok_s_per_user": 30}, "dash": {"tok_s_per_user": 5000}}
    wanted = demand(tokens_per_day=1e12, must_serve=1, tiers={"standard": 0.9, "dash": 0.1})
    with pytest.raises(InputError, match="no platform of the plan serves deepseek-r1, rag-summarise, tier dash"):
        plan(asked(tiers=tiers, demand=wanted))


def test_mean_day_sums_to_a_day():
    day = mean_day("azure2024_conv", 12)
    assert sum(block.share for block in day) == pytest.approx(1.0)
    assert sum(block.hours for block in day) == pytest.approx(24.0)
    assert blocks_of(plan_of(asked()))[0].hours == 24.0


def test_the_command_prints_the_plan_and_writes_its_flows(tmp_path):
    file, flows = tmp_path / "plan.yaml", tmp_path / "flows.csv"
    file.write_text(yaml.safe_dump(asked(demand=demand(tokens_per_day=1e12))))
    done = RUN.invoke(app, ["plan", str(file), "--flows", str(flows), "--quiet"])
    assert done.exit_code == 0, done.output
    for text in ("buy", "MW of provisioned IT power", "power_mw:", "one more is worth"):
        assert text in done.output
    assert flows.read_text().startswith("accelerator,platform,workload,model,tier,block,racks")
    assert not list(tmp_path.glob("*.part"))


def test_a_faulty_file_writes_nothing(tmp_path):
    file, flows = tmp_path / "plan.yaml", tmp_path / "flows.csv"
    file.write_text(
        yaml.safe_dump(asked(objective="cost", limits={"power_mw": 0.1}, demand=demand(tokens_per_day=1e12)))
    )
    done = RUN.invoke(app, ["plan", str(file), "--flows", str(flows), "--quiet"])
    assert done.exit_code != 0
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("plan.yaml: the demand that must be served does not fit")
    assert not flows.exists()
    for text, found in (("- 1", "a plan holds"), ("{a: [", "not YAML"), ("", "empty")):
        file.write_text(text)
        with pytest.raises(InputError, match=found):
            read_plan(file)


@pytest.mark.slow
@pytest.mark.parametrize("file", sorted((data_dir() / "plans").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_plans_are_solved(file):
    found = plan(read_plan(file))
    assert found.racks["bought"].sum() > 0
    assert found.gap <= found.asked.gap
    assert described(found)[0].startswith(found.asked.name)


def test_reasons_of_platforms_and_of_tiers_are_told_where_they_belong(monkeypatch):
    """A platform that cannot be planned with is missing everywhere, one that serves no tier of an item there alone."""
    monkeypatch.setattr(points, "_unusable", lambda platform: "no rack" if platform.label == "H200" else "")
    found = points.menu(plan_of(asked()))
    assert found.reasons == {("h200-sxm", -1, ""): "no rack"}
    assert set(found.points["accelerator"]) == {"gb300-nvl72"}
    form = SimpleNamespace(
        flows={"cell": [1]},
        cells=(
            Cell(0, "fast", 0, 9.0, 5.0, 24.0),
            Cell(1, "fast", 0, 9.0, 5.0, 24.0),
            Cell(2, "fast", 0, 9.0, 0.0, 24.0),
        ),
        plan=SimpleNamespace(demand=[SimpleNamespace(model="m", workload="w")] * 3),
        menu=SimpleNamespace(
            reasons={
                ("b", 0, "fast"): "too slow",
                ("a", -1, ""): "no cost",
                ("c", 1, "fast"): "x",
                ("d", 0, "slow"): "y",
            }
        ),
    )
    with pytest.raises(InputError, match="no platform of the plan serves m, w, tier fast: a: no cost; b: too slow"):
        _check_served(form)


def test_the_busiest_hours_of_a_tier_by_hand(monkeypatch):
    """A quarter of 7.2 billion tokens a day, half of them within 6 hours: 900 million in 21,600 seconds."""
    blocks = [SimpleNamespace(share=0.5, hours=6.0), SimpleNamespace(share=0.5, hours=18.0)]
    monkeypatch.setattr(points, "blocks_of", lambda plan: blocks)
    item = SimpleNamespace(tokens_per_day=7.2e9, tiers={"fast": 0.25, "slow": 0.75})
    of = SimpleNamespace(demand=[None, item])
    assert points._peak_tok_s(of, 1, "fast") == pytest.approx(9e8 / 21_600.0)
    assert points._peak_tok_s(of, 1, "slow") == pytest.approx(27e8 / 21_600.0)
    item.tokens_per_day = None
    assert points._peak_tok_s(of, 1, "fast") == float("inf")
