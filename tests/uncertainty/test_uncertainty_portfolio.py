"""Propagation on the real portfolio: the base case at the middle, calibrated physics, steady percentiles, regret."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from thorough import tries

from rackecon import catalog
from rackecon.appraisal.evaluate import PLATFORMS, evaluate
from rackecon.errors import InputError
from rackecon.evidence.intervals import AT_SPEED, Z90, interval_factors, row_factors
from rackecon.serving.frontier import candidates, search
from rackecon.serving.query import LIMIT_SLACK, Limits
from rackecon.uncertainty.numerical_checks import CHECKED, MODELS, doubled_move
from rackecon.uncertainty.outcomes import pairwise, summary, win_table
from rackecon.uncertainty.pairs import _crossing, natural, pair_drivers, pair_flips
from rackecon.uncertainty.portfolio import portfolio
from rackecon.uncertainty.propagate import DRAWS, Terms, propagate, run
from rackecon.uncertainty.sampling import PHYSICAL_POINTS, median_scores, sample
from rackecon.uncertainty.sensitivity import flip_map, tornado
from rackecon.uncertainty.shortlist import KEPT, RATES, exact_rows, scouts, shortlists, work_at
from rackecon.uncertainty.shortlist_check import check_shortlist

MODEL, CASE = "deepseek-r1", "rag-summarise"
SAME = (
    "total_tok_s_per_gpu",
    "tok_s_per_user",
    "cost_usd_per_gpu_hour",
    "cost_usd_per_mtok_total",
    "profit_usd_per_rack_year",
    "profit_usd_per_mw_year",
    "profit_usd_per_invested_usd_year",
    "npv_usd_per_rack",
    "vendor_roi",
    "profit_roi",
    "payback_years",
)


@pytest.fixture(scope="module")
def two():
    return portfolio(["gb200-nvl72", "mi355x"], [MODEL], [CASE])


@pytest.mark.parametrize("case", ["rag-summarise", "agentic-coding", "offline-batch"])
def test_every_input_at_its_median_gives_the_evaluated_row(case: str) -> None:
    made = portfolio(["h200-sxm", "gb300-nvl72", "mi355x"], [MODEL, "gpt-oss-120b"], [case])
    drawn = propagate(made, median_scores(made.plan))
    table = evaluate(["h200-sxm", "gb300-nvl72", "mi355x"], [MODEL, "gpt-oss-120b"], [case], intervals=False)
    for i, cell in enumerate(made.cells):
        row = table[(table["accelerator"] == cell.accelerator) & (table["model"] == cell.model)].iloc[0]
        if not np.isfinite(row["total_tok_s_per_gpu"]):
            assert not drawn.served[i, 0]
            continue
        for name in SAME:
            assert drawn.values[name][i, 0] == pytest.approx(float(row[name]), rel=1e-9), (cell.accelerator, name)


def test_a_drawn_error_alone_moves_profit_between_the_ends_that_pages_state() -> None:
    """One interval: with the error of rates at its 5th and 95th percentile and the rest at the middle, GB300 NVL72, whose layout
    stays, makes and earns what a row of ``evaluate`` says of its 90 %."""
    made = portfolio(["gb300-nvl72"], [MODEL], [CASE])
    scores = median_scores(made.plan, 2).replaced(rate_error=np.array([-Z90, Z90]))
    drawn = propagate(made, scores)
    row = evaluate(["gb300-nvl72"], [MODEL], [CASE]).iloc[0]
    ends = [row[f"total_tok_s_per_gpu_{end}"] for end in ("low", "high")]
    assert drawn.values["total_tok_s_per_gpu"][0].tolist() == pytest.approx(ends, rel=1e-6)
    each = row["revenue_usd_per_rack_year"] * (np.array(ends) / row["total_tok_s_per_gpu"] - 1.0)
    assert drawn.values["profit_usd_per_rack_year"][0] == pytest.approx(
        row["profit_usd_per_rack_year"] + each, rel=0.01
    )


@pytest.mark.parametrize("share", [1.1, 0.9])
def test_a_promise_is_kept_where_the_fastest_speed_errs_far_enough(share: float) -> None:
    """A tenth beyond or within the fastest: lost where speeds are an eighth lower, kept where they are an eighth higher."""
    case = catalog.scenario(CASE)
    front = search("b200-hgx", MODEL, case.isl_tokens, case.osl_tokens)
    promise = share * float(front.rows["tok_s_per_user"][-1])
    made = portfolio(["b200-hgx"], [MODEL], [replace(case, tpot_limit_ms=1000.0 / promise, ttft_limit_ms=None)])
    low, high = np.abs(np.log(interval_factors("b200-hgx", MODEL, "aggregated", "tok_s_per_user", also=())))
    eighth = Z90 * np.log(1.125) * np.array([-1.0 / low, 1.0 / high])
    drawn = propagate(made, median_scores(made.plan, 2).replaced(speed_error=eighth))
    assert drawn.served[0].tolist() == [False, True]
    rate, speed = (drawn.values[name][0, 1] for name in ("total_tok_s_per_gpu", "tok_s_per_user"))
    assert rate == pytest.approx(front.rate_at(min(promise, float(front.rows["tok_s_per_user"][-1]))), rel=0.3)
    assert speed >= promise * (1.0 - LIMIT_SLACK)


@pytest.mark.parametrize("more", [{}, {"tax_rate": 0.25}, {"own_costs": "b200-hgx=2.4", "tax_rate": 0.1}], ids=str)
def test_other_assumptions_move_the_middle_too(more) -> None:
    given = {"utilisation": 0.7, "wacc": 0.12, "price_decline_per_year": 0.2, "cost_tier": "neocloud", **more}
    made = portfolio(["b200-hgx"], [MODEL], [CASE], **given)
    drawn = propagate(made, median_scores(made.plan))
    row = evaluate(["b200-hgx"], [MODEL], [CASE], intervals=False, **given).iloc[0]
    for name in SAME:
        assert drawn.values[name][0, 0] == pytest.approx(float(row[name]), rel=1e-9), name


def test_present_value_and_yearly_profit_agree_in_sign_and_size(two) -> None:
    drawn = propagate(two, sample(two.plan, 256, physical_points=4))
    profit, npv = drawn.values["profit_usd_per_rack_year"], drawn.values["npv_usd_per_rack"]
    clear = np.abs(profit) > 0.1 * np.abs(profit).mean()
    assert (np.sign(profit) == np.sign(npv))[clear].all()
    years = npv / profit
    assert years[clear].min() > 1.5
    assert years[clear].max() < 8.0


def test_physics_interval_is_the_calibrated_one(two) -> None:
    """5 % and 95 % of the drawn rate error are the ends of the 90 % interval that validation scores."""
    scores = sample(two.plan, 16384)
    for cell in two.cells:
        terms = Terms(two, cell, scores)
        for mode in ("aggregated", "disaggregated"):
            drawn = terms.errors(mode)[0]
            ends = interval_factors(cell.accelerator, cell.model, mode, AT_SPEED, also=())
            assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx(ends, rel=0.01)


def test_shortlist_equals_the_search_without_error_terms(two) -> None:
    found = check_shortlist(two, draws=16)
    assert found.ratio.shape == (2, 16)
    assert found.missed_share <= 1 / 16
    assert found.ratio.min() > 0.9


def test_wins_regret_and_pairs_hang_together() -> None:
    drawn = run(["h100-sxm", "gb200-nvl72", "gb300-nvl72"], [MODEL], [CASE], draws=512, physical_points=4)
    table = win_table(drawn).set_index("accelerator")
    assert table["win_share"].sum() <= 1.0 + 1e-12
    assert (table["expected_regret"] >= 0).all()
    assert table["p5"].le(table["p50"]).all()
    assert table["p50"].le(table["p95"]).all()
    assert table.loc["h100-sxm", "rank"] == 3
    # of equal power: where nobody earns, the smaller rack loses less
    assert pairwise(drawn, MODEL, CASE, "profit_usd_per_mw_year").loc["gb300-nvl72", "h100-sxm"] > 0.95
    pair = pairwise(drawn, MODEL, CASE)
    assert pair.loc["gb300-nvl72", "gb200-nvl72"] + pair.loc["gb200-nvl72", "gb300-nvl72"] == pytest.approx(1.0)
    again = win_table(run(["h100-sxm", "gb200-nvl72", "gb300-nvl72"], [MODEL], [CASE], draws=512, physical_points=4))
    assert again["p50"].tolist() == win_table(drawn)["p50"].tolist()
    # whether anybody earns is judged by what the table is sorted by: values where it is given them, else medians of the draws
    metric = "profit_usd_per_rack_year"
    losing = pd.DataFrame({"accelerator": table.index, metric: -1.0})
    assert (table["p50"] > 0).any()
    assert set(win_table(drawn, metric, losing)["verdict"]) == {"nobody earns"} != set(table["verdict"])


def test_summary_says_why_a_platform_has_no_result() -> None:
    drawn = run(["b200-hgx", "vr-nvl72"], [MODEL], [CASE], draws=64, physical_points=1, cost_tier="neocloud")
    table = summary(drawn, ["npv_usd_per_rack"]).set_index("accelerator")
    assert np.isfinite(table.loc["b200-hgx", "p50"])
    assert np.isnan(table.loc["vr-nvl72", "p50"])
    assert "no published $/GPU-hour" in table.loc["vr-nvl72", "reason"]


def test_tornado_moves_each_input_the_right_way(two) -> None:
    table = tornado(two, MODEL, CASE)
    rows = table[table["accelerator"] == "gb200-nvl72"].set_index("input")
    base = evaluate(["gb200-nvl72"], [MODEL], [CASE], intervals=False)["profit_usd_per_rack_year"].iloc[0]
    assert rows["base"].to_numpy() == pytest.approx(base)
    for name in ("price_level", "utilisation", "rate_error"):
        assert rows.loc[name, "at_low"] < base < rows.loc[name, "at_high"]
    for name in ("price_decline", "electricity_usd_per_kwh", "pue", "capex"):
        assert rows.loc[name, "at_low"] > base > rows.loc[name, "at_high"]
    sold = evaluate(["gb200-nvl72"], [MODEL], [CASE], intervals=False, utilisation=two.inputs["utilisation"].low)
    assert rows.loc["utilisation", "at_low"] == pytest.approx(sold["profit_usd_per_rack_year"].iloc[0], rel=1e-6)
    assert rows.loc["prefix_cache_hit", "swing"] == 0.0


def test_flip_map_finds_the_line_where_rates_offset(two) -> None:
    found = flip_map(two, MODEL, CASE, ("mi355x", "gb200-nvl72"), ("rate_error", "utilisation"), points=9)
    assert len(found.table) == 81
    assert set(found.table["leader"]) <= {"mi355x", "gb200-nvl72"}
    assert found.verdict == "gb200-nvl72 leads everywhere in this range"
    near = flip_map(two, MODEL, CASE, ("gb200-nvl72", "mi355x"), ("rate_error", "utilisation"), points=9, reach=8.0)
    assert near.verdict == "the lead changes"
    with pytest.raises(InputError, match="unknown uncertain input 'utilization': nearest is 'utilisation'"):
        flip_map(two, MODEL, CASE, ("mi355x", "gb200-nvl72"), ("rate_error", "utilization"))


@pytest.mark.slow
def test_the_shortlist_misses_few_optima() -> None:
    made = portfolio(PLATFORMS, [MODEL, "gpt-oss-120b"], [CASE])
    found = check_shortlist(made, draws=tries(16, 32))
    assert found.missed_share < 0.05
    assert np.nanmedian(found.ratio) == pytest.approx(1.0)


@pytest.mark.slow
def test_twice_the_draws_move_no_percentile_by_one_percent() -> None:
    made = portfolio(["gb200-nvl72", "gb300-nvl72", "mi355x"], [MODEL], [CASE])
    assert doubled_move(made) < 0.01
    assert doubled_move(made, draws=256, physical_points=4) > 0.01


def test_kept_checks_are_those_of_the_reports_and_within_their_bounds() -> None:
    table = catalog.table("uncertainty_checks").set_index(["check", "model"])
    for model in MODELS:
        short, twice = table.loc[("short list misses", model)], table.loc[("doubled draws move", model)]
        assert (short["draws"], short["platforms"]) == (CHECKED, len(PLATFORMS))
        assert (twice["draws"], twice["physical_points"]) == (DRAWS, PHYSICAL_POINTS)
        assert 0 <= short["share"] < 0.05
        assert 0 < twice["share"] < 0.01
    assert table.loc["short list misses", "share"].max() > 0


def test_some_rows_of_the_search_are_those_of_the_whole() -> None:
    every = candidates("mi355x", MODEL, 8000.0, 1000.0)
    split = np.flatnonzero(every["mode"] == "disaggregated")
    for some in (np.array([3, 40, 41, split[0], split[-1]]), split[5:9], np.array([0])):
        part = candidates("mi355x", MODEL, 8000.0, 1000.0, only=some)
        for name, column in every.items():
            assert np.array_equal(part[name], column[some], equal_nan=column.dtype.kind == "f"), name


def test_a_pool_that_lacks_the_best_is_found_out(two) -> None:
    poor = portfolio(["gb200-nvl72"], [MODEL], [CASE])
    pool = poor.pool(poor.cells[0])
    rates = candidates("gb200-nvl72", MODEL, 8000.0, 1000.0, **poor.searched_with(poor.cells[0]))[
        "total_tok_s_per_gpu"
    ][pool]
    poor.places[("gb200-nvl72", MODEL, CASE)] = pool[np.argsort(np.nan_to_num(rates))[: len(pool) // 4]]
    poor.places[("gb200-nvl72", MODEL, CASE)].sort()
    assert check_shortlist(poor, draws=8).missed_share > 0.5


def test_only_known_outputs_are_propagated(two) -> None:
    scores = sample(two.plan, 64, physical_points=1)
    some, every = propagate(two, scores, ("vendor_roi",)), propagate(two, scores)
    assert set(some.values) == {"vendor_roi"}
    assert np.array_equal(some.values["vendor_roi"], every.values["vendor_roi"])
    with pytest.raises(InputError, match="unknown output 'vendor_roy': nearest is 'vendor_roi'"):
        propagate(two, scores, ("vendor_roy",))


def test_pairs_share_one_set_of_draws_and_say_where_the_lead_changes(two) -> None:
    decide, own = pair_drivers(two, MODEL, CASE, draws=64, physical_points=1)
    assert set(own["accelerator"]) == {"gb200-nvl72", "mi355x"}
    drawn = propagate(two, sample(two.plan, 256, physical_points=1))
    flips = pair_flips(two, drawn, decide, MODEL, CASE, points=5)
    assert len(flips) == 1
    row = flips.iloc[0]
    assert row["leader"] == "gb200-nvl72"
    assert row["beats_share"] > 0.5
    assert row["x_share"] >= row["y_share"]
    alone = portfolio(["gb200-nvl72"], [MODEL], [CASE])
    with pytest.raises(InputError, match="needs two platforms with a result"):
        pair_drivers(alone, MODEL, CASE, draws=64, physical_points=1)


def test_a_map_moves_its_first_platform_alone_and_its_cells_by_hand(two, monkeypatch) -> None:
    """Scores of a 3 by 3 grid, x running fastest; the lead changes where neighbours along x or along y differ in sign."""
    from rackecon.uncertainty import sensitivity

    seen = {}

    def told(gaps: list[float]):
        def propagated(made, scores, outputs):
            seen.update(scores.values)
            values = np.zeros((len(made.cells), 9))
            values[[x.accelerator for x in made.cells].index("mi355x")] = gaps
            return SimpleNamespace(values={outputs[0]: values})

        monkeypatch.setattr(sensitivity, "propagate", propagated)
        return flip_map(two, MODEL, CASE, ("mi355x", "gb200-nvl72"), ("rate_error", "utilisation"), points=3)

    found = told([1.0] * 9)
    assert found.verdict == "mi355x leads everywhere in this range"
    assert found.table["x"].tolist() == [-2.0, 0.0, 2.0] * 3
    column = two.plan.platforms.index("mi355x")
    assert seen["rate_error"][:, column].tolist() == [-2.0, 0.0, 2.0] * 3
    others = np.delete(seen["rate_error"], column, axis=1)
    assert (others == others[0]).all()
    assert seen["utilisation"][:, 0].tolist() == [-2.0] * 3 + [0.0] * 3 + [2.0] * 3
    assert found.table["y"].to_numpy() == pytest.approx(
        np.repeat(two.inputs["utilisation"].quantile_of_normal(np.array([-2.0, 0.0, 2.0])), 3)
    )
    assert told([-1.0] * 9).verdict == "gb200-nvl72 leads everywhere in this range"
    for gaps in ([1, 1, 1, 1, 1, 1, -1, -1, -1], [1, 1, -1] * 3):  # along y alone, along x alone
        found = told([float(x) for x in gaps])
        assert found.verdict == "the lead changes"
        assert found.table["leader"].tolist() == ["mi355x" if x > 0 else "gb200-nvl72" for x in gaps]
    assert told([1.0, 1.0, 0.0] * 3).verdict == "mi355x leads everywhere in this range"
    assert told([0.0, -1.0, -1.0] * 3).verdict == "gb200-nvl72 leads everywhere in this range"
    assert told([1.0, 0.0, -1.0] * 3).verdict == "the lead changes"


def test_what_decides_a_pair_by_hand(two, monkeypatch) -> None:
    """The lead changes at x = y / 2 + 1/4: at -1/4, 1/4 and 3/4 where y stands at -1, 0 and 1 on a grid of five from -2 to 2."""
    from rackecon.uncertainty import pairs
    from rackecon.uncertainty.sensitivity import FlipMap

    asked = []

    def mapped(made, model, scenario, pair, inputs, *, metric, points):
        asked.append((pair, inputs, metric, points))
        side = np.linspace(-2.0, 2.0, points)
        table = pd.DataFrame({"x": np.tile(side, points), "y": np.repeat(side, points)})
        return FlipMap(table.assign(difference=table["x"] - table["y"] / 2.0 - 0.25), *inputs, "as drawn")

    monkeypatch.setattr(pairs, "flip_map", mapped)
    metric = "profit_usd_per_rack_year"
    drawn = propagate(two, sample(two.plan, 64, physical_points=1), (metric,))
    place = {x.accelerator: i for i, x in enumerate(two.cells)}
    for ahead, behind in (("gb200-nvl72", "mi355x"), ("mi355x", "gb200-nvl72")):
        profit = np.zeros((len(two.cells), 4))
        profit[place[ahead]], profit[place[behind]] = [5.0, 5.0, 5.0, 0.0], [1.0, 1.0, 4.0, 2.0]
        outcomes = replace(drawn, values={metric: profit})
        for first, second in ((ahead, behind), (behind, ahead)):
            factors = ["somebody else", "utilisation", "price_decline", "capex"]
            drivers = pd.DataFrame({"factor": factors, "total": [0.9, 0.5, 0.25, 0.1]})
            drivers = drivers.assign(first_platform=first, second_platform=second)
            row = pair_flips(two, outcomes, drivers, MODEL, CASE, points=5).iloc[0]
            assert (row["leader"], row["rival"], row["beats_share"]) == (ahead, behind, 0.75)
            assert row[["x_input", "y_input"]].tolist() == ["utilisation", "price_decline"]
            assert row[["x_share", "y_share"]].tolist() == [0.5, 0.25]
            assert [row[f"x_flip{end}"] for end in ("", "_at_low_y", "_at_high_y")] == pytest.approx(
                [0.25, -0.25, 0.75]
            )
            assert row["verdict"] == "as drawn"
            assert asked[-1] == ((ahead, behind), ("utilisation", "price_decline"), metric, 5)


def test_a_score_is_told_in_the_units_of_its_input(two) -> None:
    """At the 95th percentile of a score stands the end of the 90 % interval; at the 10th of prices, the table's own."""
    drawn = propagate(two, sample(two.plan, 64, physical_points=1))
    cell = two.cells[0]
    ends = [
        interval_factors(cell.accelerator, MODEL, mode, AT_SPEED, also=()) for mode in ("aggregated", "disaggregated")
    ]
    for score, side in ((-1.6448536269514722, 0), (1.6448536269514722, 1)):
        assert any(natural(two, drawn, 0, "rate_error", score) == pytest.approx(end[side] - 1.0) for end in ends)
    assert natural(two, drawn, 0, "rate_error", 0.0) == 0.0
    assert natural(two, drawn, 0, "price_level", -1.2815515655446004) == pytest.approx(cell.card.output * cell.price[1])
    assert natural(two, drawn, 0, "utilisation", 0.4) == 0.4


def test_distribution_rows_have_sources() -> None:
    from rackecon.uncertainty.distributions import distributions

    known = set(catalog.table("sources")["source_id"])
    for item in distributions().values():
        assert item.source_id in known, item.id
        assert item.grade in ("measured", "published", "derived", "estimate")
        assert len(item.basis) > 10 or item.form == "fixed"


def _worth_keeping(rows, case) -> np.ndarray:
    """Rows that no other of their mode beats in rate, speed and first token at once, one by one."""
    limits = Limits.of_case(case)
    wanted, latest = limits.least_tok_s_per_user, limits.latest_ttft_ms
    rate, speed, first = (rows[name] for name in RATES)
    able = rows["fits"] & np.isfinite(rate) & (rate > 0) & (speed >= 0.4 * wanted) & (first <= 20.0 * latest)
    speed = np.minimum(speed, 2.5 * wanted)
    first = np.maximum(first, 0.02 * latest) if np.isfinite(latest) else np.zeros(len(first))
    among = np.flatnonzero(able)
    mode, rate, speed, first = (values[among] for values in (rows["mode"], rate, speed, first))
    kept = []
    for row in range(len(among)):
        no_worse = np.flatnonzero((rate >= rate[row]) & (speed >= speed[row]) & (first <= first[row]))
        no_worse = no_worse[mode[no_worse] == mode[row]]
        better = (rate[no_worse] > rate[row]) | (speed[no_worse] > speed[row]) | (first[no_worse] < first[row])
        if not better.any() and row == no_worse[0]:
            kept.append(row)
    return among[np.array(kept, dtype=int)]


@pytest.mark.parametrize(
    ("key", "model", "name", "options"),
    [
        ("gb200-nvl72", MODEL, CASE, {}),
        ("h200-sxm", "gpt-oss-120b", "chat", {}),
        ("mi355x", MODEL, CASE, {"max_gpus": 16}),
        ("h100-sxm", MODEL, "chat", {"max_gpus": 128}),
        ("gb200-nvl72", MODEL, CASE, {"hold": {"decode_workers": 2, "concurrency": 64}}),
        ("b200-hgx", MODEL, "chat", {"hold": {"draft_tokens": 1}}),
    ],
    ids=str,
)
def test_short_lists_are_what_no_other_configuration_beats_of_every_one_to_the_last_bit(
    key, model, name, options
) -> None:
    """At scouts and elsewhere, among all and among some, in one pass as in one each."""
    made = portfolio([key], [model], [name], search_options=options)
    (cell,) = made.cells
    case, asked, pool = made.cases[name], made.searched_with(cell), made.pool(cell)
    points = np.concatenate([scouts(model, case)[[0, -1]], np.random.default_rng(5).normal(size=(1, 5))])
    work = work_at(case, model, made.inputs, points)
    for only in (None, pool[::3]):
        for at, (numbers, found) in enumerate(shortlists(key, model, case, work, asked, only)):
            every = exact_rows(key, model, work, at, asked, only)
            best = _worth_keeping(every, case)
            assert numbers.tolist() == (best if only is None else only[best]).tolist()
            for column in KEPT:
                np.testing.assert_array_equal(found[column], every[column][best], err_msg=column)
    assert shortlists(key, model, case, work, asked, pool[:0])[0][0].size == 0


def test_short_lists_of_what_never_fits_or_is_not_modelled_are_empty() -> None:
    for key, model in (("h100-sxm", "kimi-k2"), ("cerebras-wse3", MODEL)):
        made = portfolio([key], [model], [CASE])
        work = work_at(made.cases[CASE], model, made.inputs, np.zeros((2, 5)))
        for numbers, rows in shortlists(key, model, made.cases[CASE], work, {"max_gpus": 8}):
            assert len(numbers) == len(rows["mode"]) == 0


def test_the_share_of_losses_is_where_profit_crosses_nothing(two) -> None:
    drawn = propagate(two, sample(two.plan, 1024, physical_points=4))
    found = summary(drawn, ["profit_usd_per_rack_year"])
    profit = drawn.values["profit_usd_per_rack_year"]
    for share, values in zip(found["loss_share"], profit, strict=True):
        # a quantile at that share is nothing, within a draw
        ends = np.quantile(values, [max(share - 1e-3, 0.0), min(share + 1e-3, 1.0)])
        assert ends[0] <= 0.0 <= ends[1] or (share == 0.0 and values.min() >= 0.0)
    assert found["loss_share"].max() > 0.02


def test_a_lead_changes_where_a_straight_line_crosses_nothing() -> None:
    line = pd.DataFrame({"x": [0.0, 1.0, 3.0], "difference": [3.0, 1.0, -3.0]})
    assert _crossing(line) == pytest.approx(1.5)
    assert math.isnan(_crossing(line.assign(difference=[3.0, 1.0, 0.5])))


def test_a_lead_changes_at_a_point_where_both_earn_the_same_and_not_where_they_only_meet() -> None:
    line = pd.DataFrame({"x": [0.0, 1.0, 3.0, 4.0]})
    for gaps, where in (([2.0, 0.0, -1.0, -2.0], 1.0), ([2.0, 0.0, 0.0, -2.0], 2.0)):
        assert _crossing(line.assign(difference=gaps)) == pytest.approx(where)
    for gaps in ([2.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 0.0], [0.0] * 4):
        assert math.isnan(_crossing(line.assign(difference=gaps)))


def test_draws_of_an_engine_never_run_on_a_platform_err_as_wide_as_its_answers() -> None:
    """vLLM is new to H200 with DeepSeek-R1: the draws' ends are those that a row of it has, wider than the usual engine's."""
    usual, new = (portfolio(["h200-sxm"], [MODEL], [CASE], search_options=more) for more in (None, {"engine": "vllm"}))
    row = {"accelerator": ["h200-sxm"], "model": [MODEL], "mode": ["aggregated"], "engine": ["vllm"]}
    wide = new.error_ends(new.cells[0], "aggregated", AT_SPEED)
    assert wide == tuple(row_factors(row)[0])
    known = usual.error_ends(usual.cells[0], "aggregated", AT_SPEED)
    assert wide[0] < known[0] < 1.0 < known[1] < wide[1]
    scores = sample(new.plan, 4096)
    assert np.quantile(Terms(new, new.cells[0], scores).errors("aggregated")[0], [0.05, 0.95]) == pytest.approx(
        wide, rel=0.02
    )


def test_draws_at_lengths_never_measured_err_as_wide_in_speed_as_their_answers() -> None:
    case = replace(catalog.scenario(CASE), isl_tokens=131072)
    made = portfolio(["h200-sxm"], [MODEL], [case])
    row = {"accelerator": ["h200-sxm"], "model": [MODEL], "mode": ["aggregated"]}
    asked = row | {"isl_tokens": [131072], "osl_tokens": [case.osl_tokens]}
    found = made.error_ends(made.cells[0], "aggregated", "tok_s_per_user")
    assert found == tuple(row_factors(asked, "tok_s_per_user")[0]) != tuple(row_factors(row, "tok_s_per_user")[0])
