"""Candidates of a search by hand: what is tried, at which draft depth, which siblings could be ahead of a front."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from rackecon import catalog
from rackecon.errors import InputError
from rackecon.performance.parameters import load_parameters
from rackecon.serving.candidates import (
    MOST_QUEUED,
    Outcome,
    _near_drafts,
    _possible_drafts,
    _settings,
    _usual_depth,
    evaluate_all,
    evaluate_fitting,
    other_engines,
)
from rackecon.serving.corrections import load_range
from rackecon.serving.front import Frontier, layout_texts, one_row, pareto_rows
from rackecon.serving.frontier import find
from rackecon.serving.layouts import Layout
from rackecon.serving.points import launched
from rackecon.serving.pools import DECODE_ENGINES, cell_of
from rackecon.serving.query import CONCURRENCY, Query
from rackecon.serving.recipes import SGLANG_DRAFT_TOKENS, UNKNOWN_DRAFT_TOKENS, recipe_depth
from rackecon.serving.task import Task

SPLIT = {"mode": "disaggregated"}


def test_loads_are_whole_numbers_a_quarter_octave_apart_from_eight_up() -> None:
    """1 to 6 each, then 2^(k/4) to the nearest whole number: 7 and 8, up to 4,096."""
    assert CONCURRENCY[:10].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 11.0]
    assert (len(CONCURRENCY), CONCURRENCY[-1]) == (44, 4096.0)
    assert (CONCURRENCY[8:] / CONCURRENCY[7:-1]).max() < 1.26


def test_recipes_draft_less_the_fuller_an_engine_is() -> None:
    """TensorRT-LLM with attention ranks in pools: 3 up to 80 requests a GPU, one less each octave, 1 at least; 1 in one engine."""
    ranks, none, loads = np.array([True]), np.array([False]), np.array([0.5, 1e4])
    many = np.array([0.5, 80.0, 160.0, 320.0, 1e4])
    assert recipe_depth("trt", many, ranks, False, "fp4").tolist() == [3.0, 3.0, 2.0, 1.0, 1.0]
    assert recipe_depth("trt", loads, ranks, True, "fp4").tolist() == [1.0, 1.0]
    assert recipe_depth("trt", loads, none, False, "fp8").tolist() == [3.0, 3.0]


def test_recipes_of_other_engines_draft_what_their_launch_scripts_say() -> None:
    """SGLang 2 on NVIDIA; on AMD 3 in one engine, in pools 3 up to 2 requests a GPU, 1 with attention ranks; ATOM 3 or 1."""
    ranks, none, loads = np.array([True]), np.array([False]), np.array([0.5, 2.0, 4.0, 8.0, 1e4])
    assert recipe_depth("sglang", loads, none, False, "fp8").tolist() == [SGLANG_DRAFT_TOKENS] * 5 == [2.0] * 5
    assert recipe_depth("amd", loads, ranks, True, "fp8").tolist() == [3.0] * 5
    assert recipe_depth("amd", loads, none, False, "fp4").tolist() == [3.0, 3.0, 2.0, 1.0, 1.0]
    assert recipe_depth("amd", loads, ranks, False, "fp4").tolist() == [1.0] * 5
    assert recipe_depth("atom", loads, none, True, "fp8").tolist() == [3.0] * 5
    assert recipe_depth("atom", loads, none, True, "fp4").tolist() == [1.0] * 5


def test_the_usual_depth_is_whole_and_where_no_recipe_states_it_the_mean() -> None:
    dp, split = np.array([8.0]), "disaggregated"
    asked = Query.of("gb200-nvl72", "deepseek-r1", 1024, 1024, engine="dynamo-trtllm")
    assert _usual_depth(asked, split, np.array([100.0, 130.0, 250.0]), dp).tolist() == [3.0, 2.0, 1.0]
    assert _usual_depth(asked, "aggregated", np.array([1.0]), dp).tolist() == [1.0]
    assert _usual_depth(asked, split, np.array([640.0]), np.array([1.0])).tolist() == [3.0]
    other = Query.of("tpu-v7", "deepseek-r1", 1024, 1024)
    assert _usual_depth(other, "aggregated", np.array([1.0]), dp).tolist() == [UNKNOWN_DRAFT_TOKENS] == [2.0]


def test_a_run_is_predicted_with_the_depth_that_it_was_launched_with() -> None:
    """ATOM's default of 1 until its script asked for 3 (data/launch_settings.csv); a depth that a row states stays."""
    rows = catalog.table("measured_serving").set_index("point_id")
    asked = ["IX_API_HIST-0364", "IX_API_HIST-0367", "IX_API-0186"]
    found = launched(rows.loc[asked].reset_index())
    assert found["draft_tokens"].tolist() == [1.0, 3.0, 2.0]
    stated = rows[rows["draft_tokens"].notna()].head(1).reset_index().assign(point_id=asked[0], draft_tokens=2.0)
    assert launched(stated)["draft_tokens"].tolist() == [2.0]


def test_depths_that_no_load_has_are_left_out() -> None:
    """Of TensorRT-LLM: none or 3 without attention ranks, with them in pools any; others fill the shorter row."""
    task = Task(Query.of("gb200-nvl72", "deepseek-r1", 1024, 1024))
    layouts = (Layout(8, 8), Layout(8, 8, 1, True))
    assert _possible_drafts(task, "disaggregated", layouts).tolist() == [[0.0, 1.0, 2.0, 3.0]] * 2
    assert _possible_drafts(task, "disaggregated", layouts[:1]).tolist() == [[0.0, 3.0]]
    assert _possible_drafts(task, "aggregated", layouts).tolist() == [[0.0, 3.0], [0.0, 1.0]]
    held = Task(Query.of("gb200-nvl72", "deepseek-r1", 1024, 1024, hold={"draft_tokens": 2}))
    assert _possible_drafts(held, "aggregated", layouts).tolist() == [2.0]


def test_what_measurements_know_of_a_layout() -> None:
    """Lengths in octaves, width in octaves, experts spread, attention ranks, drafts, years: without drafts, then with."""
    found = _settings((Layout(8, 8, 1, True), Layout(4)), 13.0, 10.0, 0.5)
    wide, plain = [0.0, 13.0, 10.0, 3.0, 1.0, 1.0], [0.0, 13.0, 10.0, 2.0, 0.0, 0.0]
    assert found.tolist() == [[*row, drafts, 0.5] for row in (wide, plain) for drafts in (0.0, 1.0)]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        # 4 layouts of one engine at 44 loads; as decode engines with 5 prefill picks, for a limit of two sizes each
        ({}, 4 * 44 + 4 * 5 * 44),
        ({"ttft_limit_ms": 2000.0}, 4 * 44 + 4 * 5 * 2 * 44),
        ({"mode": "aggregated"}, 4 * 44),
        ({"mode": "disaggregated", "hold": {"tp": 2}}, 5 * 44),
        ({"speculative": "mtp", "mode": "aggregated"}, 4 * 4 * 44),
        ({"hold": {"concurrency": 64}, "mode": "disaggregated"}, 4 * 5 * 24),
        ({"hold": {"concurrency": 64}, "mode": "aggregated"}, 4),
        ({"hold": {"decode_workers": 2}}, 4 * 5 * 24 * 44),
        ({"max_gpus": 4, "mode": "aggregated"}, 3 * 44),
        ({"hold": {"gpus": 4}, "mode": "aggregated"}, 3 * 44),
        ({"hold": {"gpus": 12}, "mode": "aggregated"}, 3 * 44),
    ],
)
def test_how_many_candidates_a_question_has(options, count) -> None:
    """Llama 70B on one node: tensor parallel over 1, 2, 4 or 8; of 12 GPUs no eight make engines."""
    task = Task(Query.of("mi300x", "llama-3.3-70b", 1024, 1024, **{"speculative": "none", **options}))
    assert evaluate_all(task, np.zeros(0, dtype=np.intp)).count == evaluate_fitting([task]).count == count


def test_candidates_of_other_numbers_of_engines_are_all_that_could_be_ahead() -> None:
    """One by one, with what is learnt of loads moving rates and speeds by up to 2^0.2 and 2^0.1."""
    asked = Query.of(
        "b200-hgx", "gpt-oss-120b", 3000, 500, tpot_limit_ms=20.0, hold={**SPLIT, "ep": 1, "dp_attention": False}
    )
    used = replace(load_parameters(), residual=None)
    asked = replace(asked, parameters=used)
    found = evaluate_fitting([Task(asked)])
    seen = found.outcome()
    kept = np.flatnonzero(seen.fits & (seen.tok_s_per_user >= 50.0 * (1.0 - 1e-9)))
    front = seen.take(
        kept[pareto_rows(seen.tok_s_per_user[kept], seen.total_tok_s_per_gpu[kept], np.ones(len(kept), bool))]
    )
    (part,) = found.parts
    match, pools = part.pools.match, part.pools
    moved = load_range(used.intercepts, cell_of(asked, "disaggregated"))

    def flat(values):
        return np.broadcast_to(values, part.shape).reshape(-1).tolist()

    size_d, size_p = map(flat, match.sizes)
    wanted = []
    rows = zip(flat(part.user), flat(part.total), flat(part.done.fits), flat(pools.decode_gpus + pools.prefill_gpus),
               flat(pools.decode_workers), flat(match.least), size_d, size_p, strict=True)  # fmt: skip
    for cell, (user, total, fits, gpus, engines, least, decode, prefill) in enumerate(rows):
        if not fits or not math.isfinite(least) or user * moved < 50.0 * (1.0 - 1e-9):
            continue
        faster = [r for s, r in zip(front.tok_s_per_user, front.total_tok_s_per_gpu, strict=True) if s >= user * moved]
        ahead, own, fewest = max(faster, default=0.0), gpus / engines, math.inf
        for count in DECODE_ENGINES:
            whole = max(math.ceil(count * least), 1.0) * prefill + count * decode
            each = whole / count if whole <= asked.most_gpus else math.inf
            if each < fewest * (1.0 - 1e-9) and each > own * (1.0 + 1e-9) and total * moved * own > ahead * each:
                wanted.append((count, cell))
            fewest = min(fewest, each)
    more = other_engines(found, front)
    assert more.count == len(wanted) > 3
    workers = np.broadcast_to(more.parts[0].pools.decode_workers, more.count)
    assert sorted(workers.tolist()) == sorted(count for count, _ in wanted)


def test_gpus_held_are_those_of_all_engines() -> None:
    """They were taken for those of one: 12 had no layout, and 64 none on any platform but Hopper."""
    found = evaluate_all(
        Task(Query.of("mi300x", "llama-3.3-70b", 1024, 1024, speculative="none", hold={"gpus": 12}))
    ).rows()
    assert set(found["gpus"]) == {12.0}
    one, pools = (found["mode"] == mode for mode in ("aggregated", "disaggregated"))
    assert set(found["tp"][one]) == {1.0, 2.0, 4.0}
    assert set(found["decode_gpus"][one]) == {12.0}
    assert (found["decode_gpus"] + found["prefill_gpus"])[pools & found["fits"]].max() == 12.0
    alone = evaluate_all(
        Task(Query.of("mi300x", "llama-3.3-70b", 1024, 1024, mode="aggregated", hold={"tp": 4}))
    ).rows()
    three = (found["tp"] == 4.0) & one
    for name, factor in (("concurrency", 3.0), ("total_tok_s_per_gpu", 1.0), ("ttft_ms", 1.0)):
        assert found[name][three] == pytest.approx(alone[name] * factor, rel=1e-12), name


def test_a_draft_depth_is_near_where_it_is_usual_between_what_runs_and_what_is_in_flight() -> None:
    """Attention ranks of TensorRT-LLM: depths of the load that runs alone down to that of all requests, a twentieth more."""
    task = Task(Query.of("gb200-nvl72", "deepseek-r1", 1024, 1024, hold={**SPLIT, "tp": 8, "dp_attention": True}))
    (part,) = evaluate_fitting([task]).parts
    near = np.broadcast_to(_near_drafts(part), part.shape)
    pools, load = part.pools, part.pools.load
    drafts = np.broadcast_to(load.draft_tokens, part.shape)
    running = np.broadcast_to(part.done.sequences * pools.decode_workers / pools.decode_gpus, part.shape)
    flight = np.broadcast_to(load.concurrency / pools.decode_gpus, part.shape)
    assert near[drafts == 0.0].all()
    cells = np.flatnonzero(np.isfinite(flight.ravel()) & (flight > running).ravel() & (drafts > 0).ravel())[::11]
    assert len(cells) > 20
    for cell in cells:
        first, last = (
            float(recipe_depth("trt", np.array(x), np.array(True), False, "fp4"))
            for x in (running.flat[cell], 1.05 * flight.flat[cell])
        )
        assert near.flat[cell] == (round(last) <= drafts.flat[cell] <= round(first))
    assert 0 < near[drafts > 0].sum() < (drafts > 0).sum()
    assert _near_drafts(
        evaluate_fitting([Task(Query.of("b200-hgx", "gpt-oss-120b", 1024, 1024, hold=SPLIT))]).parts[0]
    ).all()
    held = Task(Query.of("gb200-nvl72", "deepseek-r1", 1024, 1024, hold={**SPLIT, "tp": 8, "draft_tokens": 2}))
    assert _near_drafts(evaluate_fitting([held]).parts[0]).tolist() == [True]


def test_a_layout_that_one_mode_alone_ran_is_not_tried_in_the_other() -> None:
    """MI355X ran DeepSeek-R1 with experts spread over 8 in decode pools alone; over 4 in neither, which is tried in both."""
    asked = Query.of("mi355x", "deepseek-r1", 1024, 1024)
    held = ({"ep": 8, "dp_attention": False}, {"ep": 4, "dp_attention": False})
    tried = [[Task(replace(asked, held=x)).layouts(mode) for mode in asked.modes] for x in held]
    assert tried == [[(), (Layout(8, 8),)], [(Layout(4, 4),)] * 2]
    alone = Task(replace(asked, held={"tp": 8, "ep": 8, "dp_attention": False}, mode="aggregated"))
    assert alone.layouts("aggregated") == (Layout(8, 8),)
    odd = Task(replace(asked, held={"tp": 6, "pp": 2}))
    assert odd.layouts("aggregated") == (Layout(6, 1, 2),)
    with pytest.raises(InputError, match=r"no layout of mi355x has the held values \{'tp': 256\}"):
        Task(replace(asked, held={"tp": 256})).spaces()


def test_what_a_question_tries_beside_layouts() -> None:
    """Draft depths with a head of the model's or where asked for; two first-token targets of a limit, one without."""
    asked = Query.of("b200-hgx", "deepseek-r1", 1024, 1024, ttft_limit_ms=2000.0)
    plain = Query.of("b200-hgx", "llama-3.3-70b", 1024, 1024)
    drafts = [
        Task(x).drafts.tolist()
        for x in (asked, replace(asked, speculative="none"), plain, replace(plain, speculative="mtp"))
    ]
    assert drafts == [[0.0, 1.0, 2.0, 3.0], [0.0], [0.0], [0.0, 1.0, 2.0, 3.0]]
    assert Task(replace(plain, held={"draft_tokens": 3})).drafts.tolist() == [3.0]
    assert Task(asked).targets.tolist() == [2000.0, 500.0]
    assert Task(plain).targets.tolist() == [math.inf]
    assert Task(replace(plain, held={"concurrency": 7})).loads.tolist() == [7.0]
    matched = [
        Task(replace(plain, held={name: 8})).matched
        for name in ("tp", "draft_tokens", "gpus", "concurrency", "prefill_gpus")
    ]
    assert matched == [True, True, False, False, False]
    assert [mode for mode, _ in Task(plain).spaces()] == ["aggregated", "disaggregated"]


@pytest.mark.parametrize("mode", ["aggregated", "disaggregated"])
def test_where_no_process_has_been_learnt_corrections_move_rates_speeds_and_first_tokens(mode) -> None:
    """exp(0.1) on rates and speeds, exp(0.5 - 0.1) on the time to first token."""
    used = replace(load_parameters(), residual=None, first_token=None)
    asked = Query.of("b200-hgx", "gpt-oss-120b", 1024, 1024, mode=mode, hold={"tp": 2})
    cell = cell_of(asked, mode)
    base, moved = (
        evaluate_all(Task(replace(asked, parameters=used.with_intercepts(effects)))).rows()
        for effects in ({}, {cell: 0.1, f"first token|{cell}": 0.5})
    )
    fits = base["fits"]
    for name, factor in (("ttft_ms", 0.4), ("tok_s_per_user", 0.1), ("total_tok_s_per_gpu", 0.1)):
        assert moved[name][fits] == pytest.approx(base[name][fits] * math.exp(factor), rel=1e-12), name


def test_rows_of_candidates_come_in_the_order_they_are_asked_for() -> None:
    """Of both modes, by number and back to front."""
    found = evaluate_all(Task(Query.of("b200-hgx", "gpt-oss-120b", 1024, 1024)))
    every = found.rows()
    chosen = np.array([found.parts[0].count + 5, 3, found.parts[0].count, 0, found.parts[0].count - 1])
    some = found.rows(chosen)
    for name, values in some.items():
        np.testing.assert_array_equal(values, every[name][chosen], err_msg=name)
    assert some["mode"].tolist() == ["disaggregated", "aggregated", "disaggregated", "aggregated", "aggregated"]


def test_what_waits_for_a_slot_is_no_steady_point() -> None:
    """More than a twentieth of the load: engines that run fewer than that of what is in flight do not fit."""
    (part,) = evaluate_all(
        Task(Query.of("h100-sxm", "llama-3.3-70b", 4096, 1024, hold={"mode": "aggregated", "tp": 2}))
    ).parts
    share = np.broadcast_to(part.done.queued / part.pools.load.concurrency, part.shape)
    assert (share > MOST_QUEUED).any()
    assert ((share <= 0.05) == np.broadcast_to(part.fits, part.shape))[
        np.broadcast_to(part.done.fits, part.shape)
    ].all()


def test_columns_of_a_candidate_hang_together() -> None:
    found = evaluate_all(Task(Query.of("gb200-nvl72", "deepseek-r1", 3072, 1024, hold=SPLIT))).rows()
    rows = {name: values[found["fits"]][::211] for name, values in found.items()}
    assert rows["tpot_ms"] == pytest.approx(1000.0 / rows["tok_s_per_user"], rel=1e-12)
    assert rows["output_tok_s_per_gpu"] == pytest.approx(rows["total_tok_s_per_gpu"] / 4.0, rel=1e-12)
    assert (rows["gpus"] == rows["prefill_gpus"] + rows["decode_gpus"]).all()
    assert (rows["decode_gpus"] == rows["decode_workers"] * rows["tp"]).all()
    assert (rows["prefill_gpus"] == rows["prefill_workers"] * rows["prefill_tp"]).all()
    assert rows["prefill_gpu_share"] == pytest.approx(rows["prefill_gpus"] / rows["gpus"], rel=1e-12)
    assert ((rows["running_per_engine"] * rows["decode_workers"]) <= rows["concurrency"] * (1 + 1e-9)).all()
    assert (rows["decode_busy_share"] + rows["prefill_busy_share"] <= 1.0).all()


def test_outcomes_are_joined_one_after_the_other() -> None:
    one = Outcome(*(np.array([i, i + 10]) for i in range(6)))
    both = one.joined(one.take(np.array([1])))
    assert [getattr(both, name).tolist() for name in both.__dataclass_fields__] == [
        [i, i + 10, i + 10] for i in range(6)
    ]


def _front(speed: list[float], rate: list[float]) -> Frontier:
    rows = {"tok_s_per_user": np.array(speed), "total_tok_s_per_gpu": np.array(rate)}
    return Frontier("a", "m", 1.0, 1.0, rows, "", len(speed), len(speed))


def test_a_rate_between_two_points_of_a_front_is_log_linear_in_speed() -> None:
    """Half way from 400 to 100 is 200; the slowest point serves all that are slower, and beyond the fastest is nothing."""
    front = _front([10.0, 20.0], [400.0, 100.0])
    assert [front.rate_at(x) for x in (5.0, 10.0, 15.0, 20.0)] == pytest.approx([400.0, 400.0, 200.0, 100.0])
    assert math.isnan(front.rate_at(20.000001))
    assert math.isnan(_front([], []).rate_at(1.0))
    assert front.best() == {"tok_s_per_user": 10.0, "total_tok_s_per_gpu": 400.0}
    assert _front([], []).best() is None


def test_a_layout_is_shown_with_its_pools() -> None:
    rows = {"layout": np.array(["TP8", "DEP16"]), "mode": np.array(["aggregated", "disaggregated"]),
            "prefill_gpus": np.array([0.0, 8.0]), "decode_gpus": np.array([8.0, 32.0])}  # fmt: skip
    assert layout_texts(rows) == ["TP8", "DEP16 decode, 8P:32D"]
    assert one_row(rows, 1) == {"layout": "DEP16", "mode": "disaggregated", "prefill_gpus": 8.0, "decode_gpus": 32.0}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tpot_limit_ms": 0.5}, r"no layout reaches 2,000 tok/s/user: the fastest gives \d"),
        ({"ttft_limit_ms": 0.1}, r"no layout gives the first token within 0\.1 ms: the soonest takes [\d.,]+ ms"),
    ],
)
def test_an_empty_front_says_what_comes_nearest(options, reason) -> None:
    """In the statistic that the limit binds: of a p99 limit the fastest is a p99 too."""
    asked = Query.of("h200-sxm", "llama-3.1-8b", 1000, 200, mode="aggregated", speculative="none", **options)
    found = find(asked)
    assert len(found) == 0
    assert re.match(reason, found.reason)
    every = evaluate_all(Task(asked)).rows()
    fits = every["fits"]
    assert found.nearest is not None
    if "tpot_limit_ms" in options:
        assert found.nearest["tpot_ms"] == every["tpot_ms"][fits].min()
    else:
        assert found.nearest["ttft_ms"] == every["ttft_ms"][fits].min()
        assert f"{found.nearest['ttft_ms']:.4g} ms" in found.reason.replace(",", "")


def test_no_candidate_of_a_search_gives_a_first_token_after_its_request_leaves() -> None:
    query = Query.of("mi355x", "deepseek-r1", 32768, 256, mode="disaggregated", max_gpus=16)
    rows = evaluate_all(Task(query)).rows()
    stay_ms = 1e3 * rows["concurrency"] * (32768 + 256) / (rows["total_tok_s_per_gpu"] * rows["gpus"])
    kept = rows["fits"] & np.isfinite(stay_ms)
    assert kept.any()
    assert (rows["ttft_ms"][kept] <= stay_ms[kept] * (1 + 1e-12)).all()
