"""Pools of prefill and decode engines by hand: which are tried, how many of each, what they hold."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rackecon.performance.memory import ledger
from rackecon.performance.parameters import load_parameters
from rackecon.performance.step import prefill_pass
from rackecon.serving.candidates import evaluate_all, evaluate_fitting
from rackecon.serving.closed_loop import Load, decode_side, pool_prompts
from rackecon.serving.frontier import candidates
from rackecon.serving.layouts import Layout
from rackecon.serving.points import Points
from rackecon.serving.pools import (
    DECODE_ENGINES,
    _distinct,
    _picks,
    cell_of,
    factors,
    gpus_each,
    of_each,
)
from rackecon.serving.predict import predict
from rackecon.serving.query import CONCURRENCY, Query
from rackecon.serving.task import Task, Tasks

CASE = ("b200-hgx", "gpt-oss-120b", 4000, 500)
MATCHED = (("gb200-nvl72", "deepseek-r1", 8192, 1024), ("h200-sxm", "llama-3.3-70b", 3000, 1024))
LIMITS = ({}, {"ttft_limit_ms": 2000.0})
SPLIT = {"mode": "disaggregated"}


def test_gpus_of_a_deployment_are_shared_by_its_decode_engines() -> None:
    """Three engines of 4 need 3 x 0.5 = 2 workers of 8: 28 GPUs, a third each; with 0.1 a worker each, one whole worker."""
    sizes = (np.array([4.0]), np.array([8.0]))
    least = np.array([0.5, 0.1, 1.0])
    assert gpus_each(3.0, least, sizes, 128.0) == pytest.approx([28.0 / 3.0, 20.0 / 3.0, 36.0 / 3.0])
    assert gpus_each(3.0, least, sizes, 28.0) == pytest.approx([28.0 / 3.0, 20.0 / 3.0, math.inf])


def test_one_value_of_each_query_stands_at_its_rows() -> None:
    one, two = SimpleNamespace(each=("a",)), SimpleNamespace(each=("a", "b"))
    rows = np.zeros((6, 1, 1))
    assert of_each(one, [7.0], rows) == 7.0
    found = of_each(two, [7.0, 9.0], rows)
    assert found.shape == (6, 1, 1)
    assert found.ravel().tolist() == [7.0, 7.0, 7.0, 9.0, 9.0, 9.0]


def test_picks_that_hold_no_prompt_of_any_query_are_left_out() -> None:
    """Of layouts 0 to 3, two queries: 1 holds a prompt of neither, 2 one of the second, 0 of both and stands twice."""
    fits = np.array([[True, False, False, True], [True, False, True, True]])
    picks = np.array([[1, 0, 2, 0, 3], [1, 0, 2, 0, 3]])
    kept, times = _distinct(picks, fits)
    assert kept.tolist() == [1, 2, 4]
    assert picks[:, kept].tolist() == [[0, 2, 3]] * 2
    assert times.tolist() == [2, 1, 1]
    none, once = _distinct(picks, np.zeros_like(fits))
    assert (none.tolist(), once.tolist()) == ([0], [1])


@pytest.mark.parametrize(
    ("chip", "model", "isl", "hit"),
    [
        ("b200-hgx", "gpt-oss-120b", 300.0, 0.0),
        ("gb200-nvl72", "qwen3-30b-a3b", 3000.0, 0.5),
        ("h200-sxm", "kimi-k2", 30000.0, 0.0),
    ],
)
def test_prefill_engines_are_the_cheapest_of_each_size_and_the_soonest(chip, model, isl, hit) -> None:
    """Each layout by itself: GPU seconds of a prompt in a full pass of up to four, and how soon one prompt is done, where
    twice the GPUs are worth it from 2^0.1, 7 % sooner."""
    task = Task(Query.of(chip, model, isl, 1024, prefix_cache_hit=hit))
    v, fresh, past = task.values, np.array([isl - isl * hit]), np.array([isl * hit])
    cost, soon, held, gpus = [], [], [], []
    for layout in task.prefill_layouts:
        engine, shared = task.placed("disaggregated", (layout,))
        many = np.array([min(max(8192.0 / fresh[0], 1.0), 4.0)])
        busy = prefill_pass(engine, v, fresh, past, many, np.ones(1), shared)[1]
        alone = prefill_pass(engine, v, fresh, past, np.ones(1), np.ones(1), shared)[0]
        gpus.append(layout.tp * layout.pp)
        cost.append(float((busy + v[engine.keys["handoff"]] * 1e-3 / engine.dp)[0]))
        soon.append(float(alone[0]))
        held.append(bool(ledger(engine, np.array([isl])).fits[0]))
    picks, busy_s, fits = _picks([task])
    assert busy_s[0] == pytest.approx(cost, rel=1e-12)
    assert fits[0].tolist() == held
    wanted = []
    for among in task.prefill_choices:
        able = [i for i in range(len(gpus)) if held[i] and among[i]]
        for size in (1, 2, 4, 8):
            wanted.append(min([i for i in able if gpus[i] == size] or [0], key=lambda i: cost[i] * gpus[i]))
        wanted.append(min(able or [0], key=lambda i: soon[i] * gpus[i] ** 0.1))
    assert picks[0].tolist() == wanted
    assert len(set(wanted)) > 2


def test_wide_deployments_pick_from_narrow_prefill_engines_too() -> None:
    asked = Query.of("h200-sxm", "kimi-k2", 1024, 1024)
    for most, choices in ((95, 1), (96, 2)):
        task = Task(replace(asked, most_gpus=most))
        assert (len(task.prefill_choices), task.feeders) == (choices, 5 * choices)
    wide, narrow = task.prefill_choices
    assert wide.all()
    assert {x.gpus for x, kept in zip(task.prefill_layouts, narrow, strict=True) if not kept} == {32}


def _match(case, **options):
    task = Task(Query.of(*case, hold=SPLIT, **options))
    with np.errstate(all="ignore"):
        (part,) = evaluate_fitting([task]).parts
    assert part.pools.match is not None
    return task, part, part.pools.match


@pytest.mark.parametrize("case", MATCHED)
@pytest.mark.parametrize("options", LIMITS)
def test_requests_of_matched_pools_are_in_decode_in_prefill_or_queue(case, options) -> None:
    """Little's law for what runs and what a prompt takes, and a queue of k b^2 / (s - b) before s busy b of the time."""
    _, part, match = _match(case, **options)
    done, pools = part.done, part.pools
    gpus = pools.prefill_gpus + pools.decode_gpus
    with np.errstate(all="ignore"):
        workers = pools.prefill_workers / pools.decode_workers
        share = pools.prefill_gpus / gpus
        late = pools.load.concurrency / done.requests_per_s - match.life
        per_worker = pools.load.concurrency / pools.prefill_workers
        first, busy = match.prompts.times(per_worker)
        rate = match.n / match.life
        need = rate * busy * match.load.speed
        queue = match.prompts.queueing * need**2 / (workers - need)
        flight = (match.n + rate * first + queue) * pools.decode_workers
        waited, use = first + queue / rate, need / workers
    fits = np.broadcast_to(part.fits, part.shape)
    assert fits.sum() > 300

    def at(values):
        return np.broadcast_to(values, part.shape)[fits]

    assert at(flight) == pytest.approx(at(pools.load.concurrency), rel=1e-9)
    assert at(done.ttft_s) == pytest.approx(at(waited), rel=1e-9)
    assert at(done.ttft_s) == pytest.approx(at(late), rel=1e-9)
    assert at(done.requests_per_s) == pytest.approx(at(rate * pools.decode_workers), rel=1e-12)
    assert at(done.running) == pytest.approx(at(done.sequences * pools.decode_workers), rel=1e-12)
    assert at(done.tpot_s) == pytest.approx(at(match.life / match.load.osl_tokens), rel=1e-12)
    assert at(done.prefill_use) == pytest.approx(at(use), rel=1e-9)
    assert at(done.prefill_gpu_share) == pytest.approx(at(share), rel=1e-12)
    assert (at(done.queued) == 0.0).all()


@pytest.mark.parametrize("model", ["gpt-oss-120b", "deepseek-r1"])
def test_pools_settle_where_more_requests_make_prompts_cheaper(model) -> None:
    """Prompts share a pass the more of them wait, which turns of the sum swung about: in flight was up to 4 times off."""
    _, part, match = _match(("gb300-nvl72", model, 4000, 500))
    pools = part.pools
    with np.errstate(all="ignore"):
        workers = pools.prefill_workers / pools.decode_workers
        first, busy = match.prompts.times(pools.load.concurrency / pools.prefill_workers)
        rate = match.n / match.life
        need = rate * busy * match.load.speed
        flight = match.n + rate * first + match.prompts.queueing * need**2 / (workers - need)
        off = np.abs(flight * pools.decode_workers / pools.load.concurrency - 1.0)
    some = np.broadcast_to(off, part.shape)[np.broadcast_to(part.fits, part.shape)]
    assert len(some) > 900
    assert (some < 1e-4).mean() > 0.99
    assert some.max() < 0.02


@pytest.mark.parametrize("case", MATCHED)
@pytest.mark.parametrize("options", LIMITS)
def test_the_number_of_decode_engines_wastes_fewest_gpus(case, options) -> None:
    """Among 1, 2, 3, 4, 6 and 8, each with the whole prefill workers that it needs, within the largest deployment."""
    task, part, match = _match(case, **options)
    size_d, size_p = (np.broadcast_to(x, part.shape) for x in match.sizes)
    least = np.broadcast_to(match.least, part.shape)
    counts = np.reshape(DECODE_ENGINES, (-1, 1, 1, 1, 1))
    with np.errstate(all="ignore"):
        workers = np.maximum(np.ceil(counts * least), 1.0)
        gpus = workers * size_p + counts * size_d
        each = np.where(gpus <= task.query.most_gpus, gpus / counts, np.inf)
    best = np.argmin(each, axis=0)
    fits = np.broadcast_to(part.fits, part.shape)
    for values, chosen in (
        (part.pools.decode_workers, np.broadcast_to(counts, each.shape)),
        (part.pools.prefill_workers, workers),
    ):
        found = np.broadcast_to(values, part.shape)
        assert (found == np.take_along_axis(chosen, best[None], axis=0)[0])[fits].all()


def test_a_prefill_pool_without_a_limit_runs_at_ten_elevenths() -> None:
    _, part, match = _match(MATCHED[1])
    share = np.broadcast_to(match.need / match.least, part.shape)[np.broadcast_to(part.fits, part.shape)]
    assert share == pytest.approx(10.0 / 11.0, rel=0.01)
    assert share.max() <= 10.0 / 11.0 * (1.0 + 1e-12)


def test_a_prefill_pool_is_as_large_as_its_time_to_first_token_asks() -> None:
    """Where that binds: T less a thousandth, less the pass itself, is the time k b^2 / (s - b) / r that prompts queue. To the
    millionth where nothing learnt of the load moves first tokens; where turns swing, a little sooner."""
    bare = replace(load_parameters().with_intercepts({}), residual=None, first_token=None)
    task = Task(Query.of(*MATCHED[1], hold=SPLIT, ttft_limit_ms=1500.0, parameters=bare))
    (part,) = evaluate_fitting([task]).parts
    match = part.pools.match
    assert match is not None
    feeders = part.shape[2] // 2
    latest = np.tile([1500.0, 375.0], feeders).reshape(-1, 1) * 0.999 / 1e3
    with np.errstate(all="ignore"):
        rate = match.n / match.life
        late = match.first + match.prompts.queueing * match.need**2 / (match.least - match.need) / rate
        binds = np.isfinite(match.least) & (match.least > 1.1 * match.need * (1.0 + 1e-9)) & match.fits
        over = np.broadcast_to(late / latest, part.shape)[np.broadcast_to(binds, part.shape)]
    assert len(over) > 50
    assert np.median(np.abs(over - 1.0)) < 1e-9
    assert (np.abs(over - 1.0) < 1e-6).mean() > 0.94
    assert 0.995 < over.min() <= over.max() < 1.0 + 1e-6


HELD = {**SPLIT, "concurrency": 96, "tp": 2, "ep": 1, "dp_attention": False, "prefill_tp": 1}


def test_pools_of_a_given_load_are_enumerated() -> None:
    """Six numbers of decode engines, by prefill pools of 1, 1.25, 1.6 and 2.2 times what keeps up at 91 %."""
    task = Task(Query.of(*CASE, hold=HELD))
    found = candidates(*CASE, hold=HELD)
    assert set(found["concurrency"]) == {96.0}
    size = len(found["fits"]) // len(task.drafts)
    one = {name: values[:size][found["prefill_tp"][:size] == 1.0] for name, values in found.items()}
    engines = one["decode_workers"].reshape(-1, 24)
    assert (engines == np.resize(DECODE_ENGINES, 24)).all()
    decode, shared = task.placed("disaggregated", task.layouts("disaggregated"))
    speed = np.exp(-task.values[decode.keys["trend"]] * task.query.years)
    isl, osl = np.full(1, 4000.0), np.full(1, 500.0)
    side = decode_side(decode, task.values, Load(isl, osl, 0.0 * isl, isl, 0.0 * isl, speed), shared)
    rates = engines[0] * side.rate(96.0 / engines[0])
    keeps_up = rates * _picks([task])[1][0] * speed * 1.1
    wanted = np.maximum(np.ceil(keeps_up * np.repeat([1.0, 1.25, 1.6, 2.2], 6)), 1.0)
    assert (one["prefill_workers"].reshape(-1, 24)[0] == wanted).all()
    assert len(set(wanted)) > 3


@pytest.mark.parametrize(
    "held",
    [
        {"concurrency": 96},
        {"decode_workers": 3},
        {"prefill_workers": 2},
        {"gpus": 12},
        {"decode_gpus": 8, "prefill_gpus": 4},
        {"decode_workers": 2, "prefill_workers": 1, "concurrency": 16},
    ],
)
def test_what_is_held_of_pools_is_what_a_prediction_of_them_says(held) -> None:
    hold = {**SPLIT, "tp": 2, "ep": 1, "dp_attention": False, "prefill_tp": 1, "draft_tokens": 0, **held}
    found = candidates(*CASE, hold=hold)
    fits = np.flatnonzero(found["fits"])
    assert len(fits)
    for name, value in held.items():
        assert set(found[name][fits]) == {float(value)}, name
    some = fits[:: max(len(fits) // 12, 1)]
    chip, model, isl, osl = CASE
    names = ("weight_precision", "kv_precision", "engine", "mode", "tp", "ep", "pp", "dp_attention", "gpus", "concurrency",
             "decode_workers", "decode_gpus", "prefill_workers", "prefill_gpus", "prefill_tp", "prefill_ep")  # fmt: skip
    rows = [{name: found[name][i] for name in names} for i in some]
    again = predict(
        Points.from_rows([{"accelerator": chip, "model": model, "isl": isl, "osl": osl, **x} for x in rows])
    )
    for name in ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms", "prefill_gpu_share"):
        assert getattr(again, name) == pytest.approx(found[name][some], rel=1e-9), name
    own = found["prefill_gpus"][some] + found["decode_gpus"][some]
    assert (found["gpus"][some] == (float(held["gpus"]) if "gpus" in held else own)).all()


def test_a_given_load_of_several_decode_engines_is_shared_by_them() -> None:
    """Without one held, a load is of each attention rank of each engine."""
    hold = {**SPLIT, "tp": 2, "ep": 1, "dp_attention": False, "prefill_tp": 1, "decode_workers": 3, "draft_tokens": 0}
    found = candidates(*CASE, hold=hold)
    assert np.allclose(np.unique(found["concurrency"]), CONCURRENCY * 3.0)
    assert set(found["prefill_workers"] * found["prefill_tp"]) == set(found["prefill_gpus"])


def test_queries_together_have_the_pools_that_each_has_alone() -> None:
    """Of a few candidates, in all their columns, where a prompt is cheaper in one than in the other."""
    queries = [Query.of(*CASE[:2], isl, 500, hold=SPLIT, ttft_limit_ms=3000.0) for isl in (500, 8000)]
    alone = [evaluate_all(Task(x)).rows() for x in queries]
    only = np.arange(0, len(alone[0]["fits"]), 997)
    both = evaluate_all(Tasks(queries[0], tuple(map(Task, queries))), only).rows()
    for name, values in both.items():
        for rows, own in zip(np.split(values, 2), alone, strict=True):
            np.testing.assert_array_equal(rows, own[name][only], err_msg=name)


def test_corrections_of_pools_are_of_their_load_lengths_and_method() -> None:
    """exp(0.1 + 0.2 x (log2 64 - 3) / 3 + 0.3 for drafts + 0.4 for ranks)."""
    used, asked = load_parameters(), Query.of(*CASE)
    cell = cell_of(asked, "disaggregated")
    effects = {cell: 0.1, f"{cell}|load": 0.2, f"{cell}|draft": 0.3, f"{cell}|dp": 0.4, f"first token|{cell}": 0.5}
    task = Task(replace(asked, parameters=replace(used.with_intercepts(effects), residual=None)))
    one = np.ones(2)
    load = Load(4000.0 * one, 500.0 * one, 0.0 * one, 9.0 * one, np.array([0.0, 1.0]), one)
    rate, first = factors(task, "disaggregated", np.array([1.0, 8.0]), load, np.array([8.0, 64.0]), np.zeros(2))
    assert rate == pytest.approx([math.exp(0.1), math.exp(0.1 + 0.2 + 0.3 + 0.4)])
    assert first == pytest.approx([math.exp(0.5 - 0.1), math.exp(0.5 - 1.0)])


def test_a_prompt_on_its_way_to_decode() -> None:
    """The base of one engine, prefill at the software's speed, and the transfer; a worker is also busy handing over."""
    task = Task(Query.of(*CASE))
    v, layouts = task.values, task.prefill_layouts
    engine, shared = task.placed("disaggregated", layouts)
    one = np.ones_like(engine.tp)
    load = Load(4000.0 * one, 500.0 * one, 0.25 * one, one, 0.0 * one, 0.5 * one)
    prompts = pool_prompts(engine, engine, v, load, shared)
    first, busy = prompts.times(3.0 * one)
    latency, alone = prefill_pass(engine, v, 3000.0 * one, 1000.0 * one, one, 3.0 * one, shared)
    base, transfer, handoff = (v[engine.keys[x]] * 1e-3 for x in ("ttft_base", "kv_transfer", "handoff"))
    assert first == pytest.approx(base + 0.5 * latency + transfer, rel=1e-12)
    assert busy == pytest.approx(alone + handoff / engine.dp, rel=1e-12)
    ranked = np.where(engine.dp > 1, v[engine.keys["ttft_dp"]] * engine.dp, 1.0)
    assert prompts.queueing == pytest.approx(v[engine.keys["ttft_wait"]] * ranked, rel=1e-12)


def test_engines_of_a_few_layouts_are_rows_of_all_that_are_tried() -> None:
    """Whatever was asked for before; an unusual layout, which none of them is, by itself."""
    task = Task(Query.of("h200-sxm", "deepseek-r1", 1024, 1024))
    every = (*task.layouts("disaggregated"), *task.prefill_layouts)
    for layouts in (every[-3:], (Layout(2, 2), Layout(64, 64, 1, True)), (Layout(64, 64, 1, True),) * 2):
        engine, shared = task.placed("disaggregated", layouts)
        assert engine.tp.tolist() == [x.tp for x in layouts]
        for one, layout in enumerate(layouts):
            alone, known = task.placed("disaggregated", (layout,), 2)
            assert alone.tp.shape == (1, 1, 1)
            for name in ("attention", "dense", "experts"):
                rates, own = getattr(shared, name), getattr(known, name)
                assert [np.broadcast_to(x, len(layouts))[one] for x in rates] == [float(x.ravel()[0]) for x in own]
            assert float(alone.dp.ravel()[0]) == engine.dp[one]
