"""Every configuration of a search evaluated at once: layouts, draft depths, splits of prefill and decode, and loads.

A mode's candidates are the cells of a grid (layout, draft depth, prefill layout, load). Each quantity is computed on the
axes it depends on and broadcast only where they meet, so that what a layout costs is not worked out again per load; the
longest axis comes last, so that rows of it are computed at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog.cached import of_arguments
from rackecon.performance.cells import Cells
from rackecon.performance.engine import Engine
from rackecon.performance.families import engine_family, intercept_cell
from rackecon.performance.memory import ledger, reserved_context
from rackecon.performance.residual import Residual, Shape, names_of, read_surface
from rackecon.performance.step import PassTerms, pass_terms, prefill_pass
from rackecon.serving.bottlenecks import bottlenecks, busy_shares
from rackecon.serving.closed_loop import (
    CHUNK_TOKENS,
    MS,
    STEADY_USE,
    Load,
    Solution,
    aggregated,
    context_tokens,
    decode_side,
    disaggregated,
    pool_terms,
)
from rackecon.serving.corrections import Conditions, correction
from rackecon.serving.layouts import NODE_WIDTHS, Layout
from rackecon.serving.points import UNKNOWN_DRAFT_TOKENS
from rackecon.serving.query import Query
from rackecon.serving.recipes import recipe_depth
from rackecon.serving.task import COMBINATIONS, Task, Tasks

__all__ = ["Evaluated", "Outcome", "evaluate_all", "evaluate_fitting", "evaluate_together"]

FloatArray = NDArray[np.float64]
Rows = dict[str, NDArray[Any]]
PREFILL_HEADROOM = 1.1  # prefill pools are sized to run at 91 % of their capacity
MOST_QUEUED = 0.05  # share of the load that may wait for a slot; more is not a steady operating point
NONE = np.zeros(1)
DECODE_ENGINES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
PREFILL_ROOM = (1.0, 1.25, 1.6, 2.2)  # sizes of a prefill pool tried, over the least, where its load is given
PASSES = 3  # of sizing a prefill pool and of what its prompts then cost
SETTLING = 4
TARGET_MARGIN = 1e-3  # by which a pool is sized to keep a time to first token
GRID_AXES = 3  # behind the layouts: draft depths, prefill layouts, loads


@dataclass(frozen=True)
class Outcome:
    """Of each candidate: whether it fits and runs steadily, speed of a user, throughput of a GPU, first token."""

    fits: NDArray[np.bool_]
    tok_s_per_user: FloatArray
    total_tok_s_per_gpu: FloatArray
    ttft_ms: FloatArray


@dataclass(frozen=True)
class _Pools:
    """GPUs and workers of each pool, and the load of the whole deployment."""

    load: Load
    decode_gpus: FloatArray
    prefill_gpus: FloatArray
    decode_workers: FloatArray
    prefill_workers: FloatArray
    feeder: tuple[FloatArray, FloatArray, FloatArray] = (NONE, NONE, NONE)  # a prefill engine's tp, ep, attention ranks


@dataclass(frozen=True)
class _Part:
    """Candidates of one mode: what is known of each cell, on the axes it depends on."""

    task: Task
    mode: str
    shape: tuple[int, ...]
    layout: NDArray[np.str_]
    rows: Engine
    pools: _Pools
    done: Solution
    gpus: FloatArray
    total: FloatArray
    user: FloatArray
    first_factor: FloatArray
    fits: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Cells."""
        return math.prod(self.shape)

    def outcome(self) -> Outcome:
        """What limits and fronts look at, of every cell."""
        first = self.done.ttft_s * 1e3 * self.first_factor
        fits = np.broadcast_to(self.fits, self.shape).reshape(-1)
        user, total, ttft = (np.broadcast_to(x, self.shape).reshape(-1) for x in (self.user, self.total, first))
        return Outcome(fits, user, total, ttft)

    def table(self, cells: Cells) -> Rows:
        """All quantities of some cells."""
        task, pools, load, done, count = self.task, self.pools, self.pools.load, self.done, len(cells)

        def of(values: NDArray[Any]) -> NDArray[Any]:
            found = cells.of(values)
            return found if len(found) == count else np.repeat(found, count)

        drafts, total, user = of(load.draft_tokens), of(self.total), of(self.user)
        method = "mtp" if task.query.arch.mtp_layers else "eagle3"
        step, prompts = done.step_at(cells), np.clip(of(done.prefill_gpu_share), 0.0, 1.0)
        busy = busy_shares(step, prompts, of(done.prefill_use))
        isl, osl = of(load.isl_tokens), of(load.osl_tokens)
        return {
            "engine": np.full(count, task.query.engine_of(self.mode)),
            "mode": np.full(count, self.mode),
            "layout": of(self.layout),
            "weight_precision": np.full(count, task.query.weight),
            "kv_precision": np.full(count, task.query.kv_of(self.mode)),
            "speculative": np.where(drafts > 0, method, "none"),
            "tp": of(self.rows.tp),
            "ep": of(self.rows.ep),
            "pp": of(self.rows.pp),
            "dp_attention": of(self.rows.dp) > 1,
            "draft_tokens": drafts,
            "gpus": of(self.gpus),
            "prefill_gpus": of(pools.prefill_gpus),
            "decode_gpus": of(pools.decode_gpus),
            "prefill_workers": of(pools.prefill_workers),
            "decode_workers": of(pools.decode_workers),
            "prefill_tp": of(pools.feeder[0]),
            "prefill_ep": of(pools.feeder[1]),
            "prefill_dp_attention": of(pools.feeder[2]),
            "concurrency": of(load.concurrency),
            "running_per_engine": of(done.sequences),
            "total_tok_s_per_gpu": total,
            "output_tok_s_per_gpu": total * osl / (isl + osl),
            "tok_s_per_user": user,
            "tpot_ms": 1e3 / user,
            "ttft_ms": of(done.ttft_s) * 1e3 * of(self.first_factor),
            "prefill_gpu_share": prompts,
            "decode_busy_share": busy[0],
            "prefill_busy_share": busy[1],
            "fits": of(self.fits),
            "bottleneck": bottlenecks(step),
        }


@dataclass(frozen=True)
class Evaluated:
    """Candidates of each mode, one after the other; columns are laid out only for the rows that are asked for."""

    parts: tuple[_Part, ...]
    count: int  # of all candidates, those left out unevaluated because their layout does not fit too
    room: str = ""  # memory of the first mode's layout that leaves most to the cache

    def outcome(self) -> Outcome:
        """What limits and fronts look at, of every candidate evaluated; they are none where no layout fits."""
        each = [part.outcome() for part in self.parts]
        names = ("tok_s_per_user", "total_tok_s_per_gpu", "ttft_ms")
        fits = [x.fits for x in each]
        if not each:
            return Outcome(np.zeros(0, dtype=bool), *(np.zeros(0) for _ in names))
        return Outcome(np.concatenate(fits), *(np.concatenate([getattr(x, name) for x in each]) for name in names))

    def rows(self, chosen: NDArray[np.intp] | None = None) -> Rows:
        """All quantities of every candidate, or of the rows chosen, in their order."""
        places, tables, start = [], [], 0
        for part in self.parts:
            if chosen is None:
                at = np.arange(part.count)
            else:
                here = np.flatnonzero((chosen >= start) & (chosen < start + part.count))
                at = chosen[here] - start
                places.append(here)
            start += part.count
            if len(at):
                tables.append(part.table(Cells(part.shape, at)))
        out = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        if chosen is None:
            return out
        order = np.argsort(np.concatenate(places), kind="stable")
        return {name: values[order] for name, values in out.items()}


def evaluate_all(task: Task, only: NDArray[np.intp] | None = None) -> Evaluated:
    """Rates, latencies and fit of every candidate, or of those whose row numbers are given, rising."""
    parts, start = [], 0
    for mode, layouts in task.spaces():
        sizes = task.sizes(mode, layouts)
        count = math.prod(sizes)
        wanted = None if only is None else only[(only >= start) & (only < start + count)] - start
        start += count
        if wanted is None or len(wanted):
            parts.append(_evaluate(task, mode, layouts, wanted))
    return Evaluated(tuple(parts), start)


def evaluate_together(tasks: Sequence[Task], only: NDArray[np.intp]) -> list[Rows]:
    """:func:`evaluate_all` of queries that differ in lengths, cache hit and values of parameters alone, in one pass."""
    found = evaluate_all(Tasks(tasks[0].query, tuple(tasks)), only)
    tables = [part.table(Cells(part.shape, np.arange(part.count))) for part in found.parts]
    each = [{name: values.reshape(len(tasks), -1) for name, values in table.items()} for table in tables]
    return [{name: np.concatenate([table[name][i] for table in each]) for name in each[0]} for i in range(len(tasks))]


def evaluate_fitting(task: Task) -> Evaluated:
    """As :func:`evaluate_all`, without the layouts whose weights and one sequence exceed the memory."""
    parts, count, text = [], 0, ""
    isl, osl = np.array([task.query.isl_tokens]), np.array([task.query.osl_tokens])
    for mode, layouts in task.spaces():
        count += math.prod(task.sizes(mode, layouts))
        engine, _ = task.placed(mode, layouts)
        fits = ledger(engine, reserved_context(engine, isl, osl)).fits
        text = text or _roomiest(engine, context_tokens(isl, osl))
        kept = layouts if fits.all() else tuple(x for x, ok in zip(layouts, fits, strict=True) if ok)
        if kept:
            parts.append(_evaluate(task, mode, kept, None))
    return Evaluated(tuple(parts), count, text)


def _roomiest(engine: Engine, context: FloatArray) -> str:
    room = ledger(engine, context)
    return room.text(int(np.argmax(room.cache_bytes)))


def _evaluate(task: Task, mode: str, layouts: tuple[Layout, ...], wanted: NDArray[np.intp] | None) -> _Part:
    # the whole grid by its axes, or a choice of its cells as one axis: the equations broadcast either way
    sizes = task.sizes(mode, layouts)
    names = np.array([x.name for x in layouts])
    loads, drafts = task.loads, task.drafts
    if wanted is None:
        shape: tuple[int, ...] = sizes
        rows, shared = task.placed(mode, layouts, GRID_AXES)
        names, drafts = names.reshape(rows.tp.shape), drafts.reshape(-1, 1, 1)
        split, place = None, np.arange(len(layouts)).reshape(rows.tp.shape)
    else:
        which, depth, split, level = np.unravel_index(np.tile(wanted, len(task.each)), sizes)
        shape = which.shape
        rows, shared = _taken(task, mode, layouts, which)
        names, drafts, loads = names[which], drafts[depth], loads[level]
        place = which + _of_each(task, np.arange(len(task.each)) * len(layouts), which)
    used, v = task.query.parameters, task.values
    isl, osl, hit = (
        _of_each(task, [getattr(one.query, name) for one in task.each], place)
        for name in ("isl_tokens", "osl_tokens", "prefix_cache_hit")
    )
    speed = np.exp(-v[rows.keys["trend"]] * task.query.years)
    load = Load(
        np.full_like(speed, isl),
        np.full_like(speed, osl),
        np.full_like(speed, hit),
        loads if "concurrency" in task.query.held else loads * rows.dp,
        drafts,
        speed,
    )
    setting = 2 * place + (load.draft_tokens > 0)
    slower = _slower(task, mode, layouts, rows, setting)
    with np.errstate(all="ignore"):
        if mode == "aggregated":
            done, pools, possible = _alone(task, rows, shared, load)
        elif task.matched:
            done, pools, possible = _matched(task, rows, shared, load, split, slower)
        else:
            done, pools, possible = _enumerated(task, rows, shared, load, split)
        load = pools.load
        fits = done.fits & possible
        fits = fits & (done.queued <= MOST_QUEUED * load.concurrency)
        gpus = pools.decode_gpus + pools.prefill_gpus
        if "gpus" in task.query.held:  # those that no pool can use are paid for too
            gpus = np.full_like(gpus, float(task.query.held["gpus"]))
        first_factor = slower(load, load.concurrency / gpus)
        loop = _of_each(task, [one.values[used.index(f"closed_loop.{mode}")] for one in task.each], place)
        if used.residual is None:
            factor, user_factor = (_factors(task, mode, rows, load, load.concurrency / gpus)[0],) * 2
        else:
            shifts = read_surface(_surface(task, used.residual, mode, layouts), setting, load.concurrency / gpus)
            factor, user_factor = np.exp(shifts[0]), np.exp(shifts[1])
        total = factor * done.requests_per_s * (loop * (isl + osl) / gpus)
        user = user_factor / done.tpot_s
    fits = fits & np.isfinite(total)
    if task.query.held.get("draft_tokens") is None:
        fits = fits & usual_drafts(task.query.engine_of(mode), mode, load, rows.dp, pools.decode_gpus)
    return _Part(task, mode, shape, names, rows, pools, done, gpus, total, user, first_factor, fits)


def _of_each(task: Task, values: Sequence[Any] | NDArray[Any], rows: NDArray[Any]) -> Any:
    """One value of each query at its rows, which stand one query's after another's; that of the only one as it is."""
    return values[0] if len(task.each) == 1 else np.repeat(values, len(rows) // len(task.each))


def _taken(task: Task, mode: str, layouts: tuple[Layout, ...], which: NDArray[np.intp]) -> tuple[Engine, PassTerms]:
    """Engines at rows of each query, with the parameters of theirs, and what their passes cost."""
    engine, known = task.each[0].placed(mode, layouts)
    if len(task.each) == 1:
        return engine.take(which), known.at(Cells(engine.tp.shape, which))
    size = len(task.each[0].values)
    rows = engine.take(which).shifted(_of_each(task, np.arange(len(task.each)) * size, which))
    return rows, pass_terms(rows, task.values)


def _surface(task: Task, residual: Residual, mode: str, layouts: tuple[Layout, ...]) -> FloatArray:
    """The residual of each query's layouts, without and with drafts, over the loads; no other parameter moves it."""
    asked = task.query
    names = names_of(asked.chip, asked.arch, asked.engine_of(mode), asked.weight, mode)
    lengths = [(one.query.isl_tokens, one.query.osl_tokens, one.query.years) for one in task.each]
    each = [_surfaces(residual, names, layouts, point) for point in lengths]
    return np.concatenate(each, 1) if len(each) > 1 else each[0]


def _slower(
    task: Task, mode: str, layouts: tuple[Layout, ...], rows: Engine, setting: NDArray[np.intp]
) -> Callable[[Load, FloatArray], FloatArray]:
    """The factor on the time to first token of rows at a load, given in whole and per GPU."""
    process = (task.query.parameters.first_token or {}).get(mode)
    if process is None:
        return lambda load, per_gpu: _factors(task, mode, rows, load, per_gpu)[1]
    surface = _surface(task, process, mode, layouts)[:1]
    return lambda _, per_gpu: np.exp(read_surface(surface, setting, per_gpu)[0])


@of_arguments(maxsize=64)
def _surfaces(
    residual: Residual, names: tuple[str, ...], layouts: tuple[Layout, ...], point: tuple[float, float, float]
) -> FloatArray:
    isl, osl, years = point
    return _shape(residual, names, layouts, years).at(_settings(layouts, math.log2(isl), math.log2(osl), years))


@of_arguments(maxsize=256)
def _shape(residual: Residual, names: tuple[str, ...], layouts: tuple[Layout, ...], years: float) -> Shape:
    return residual.shape(names, _settings(layouts, 0.0, 0.0, years))


def _settings(layouts: tuple[Layout, ...], log2_isl: float, log2_osl: float, years: float) -> FloatArray:
    """Features of each layout, without and with drafts."""
    features = [
        (0.0, log2_isl, log2_osl, math.log2(x.tp), x.ep > 1, x.dp_attention, drafting, years)
        for x in layouts
        for drafting in (False, True)
    ]
    return np.array(features, dtype=float)


def usual_drafts(engine: str, mode: str, load: Load, dp: FloatArray, decode_gpus: FloatArray) -> NDArray[np.bool_]:
    """Candidates whose draft depth is the one that public recipes of the engine run, or that do not draft.

    TensorRT-LLM states it by layout and load (:func:`~rackecon.serving.predict.recipe_depth`); of the others it is
    unknown, and the mean that the fit takes is searched.
    """
    draft = load.draft_tokens
    if "trtllm" not in engine:
        return np.asarray((draft == 0.0) | (draft == UNKNOWN_DRAFT_TOKENS))
    depth = np.round(recipe_depth(load.concurrency / decode_gpus, dp > 1.0, mode == "aggregated"))
    return np.asarray((draft == 0.0) | (draft == depth))


def _factors(
    task: Task, mode: str, rows: Engine, load: Load, load_per_gpu: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Shrunk corrections of rates and of the time to first token."""
    asked = task.query
    cell = intercept_cell(asked.chip.id, engine_family(asked.engine_of(mode), asked.chip.vendor), asked.weight, mode)
    drafting, ranks = (load.draft_tokens > 0).astype(float), (rows.dp > 1).astype(float)
    where = Conditions(
        load_per_gpu, load.isl_tokens, load.osl_tokens, drafting, ranks, np.full_like(load.isl_tokens, asked.years)
    )
    return correction(asked.parameters.intercepts, cell, asked.arch.id, where)


Deployed = tuple[Solution, _Pools, NDArray[np.bool_]]


def _alone(task: Task, rows: Engine, shared: PassTerms, load: Load) -> Deployed:
    """Equal engines that do everything: one, or as many as the GPUs held make."""
    none, size = np.zeros_like(load.speed), rows.tp * rows.pp
    engines = float(task.query.held["gpus"]) / size if "gpus" in task.query.held else np.ones_like(load.speed)
    if "concurrency" not in task.query.held:
        load = replace(load, concurrency=load.concurrency * engines)
    done = aggregated(rows, task.values, load, engines, shared)
    return done, _Pools(load, engines * size, none, engines, none), np.ones(1, dtype=bool)


@dataclass(frozen=True)
class _Feeders:
    """Prefill layouts to try, as arrays, with what a prompt costs each of them in bulk."""

    engine: Engine
    shared: PassTerms
    busy_s: FloatArray
    gpus: FloatArray
    fits: NDArray[np.bool_]

    @property
    def layout(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Tensor and expert width, and 1 with data-parallel attention."""
        return self.engine.tp, self.engine.ep, (self.engine.dp > 1).astype(float)


def _feeders(task: Task, split: NDArray[np.intp] | None, each: int) -> _Feeders:
    """The most productive prefill layout of each size, and the one that is soonest done with one prompt.

    Each stands ``each`` times on an axis before the loads, or at the places that ``split`` picks.
    """
    layouts = task.prefill_layouts
    if split is None:
        picks, busy, fits = _picks(task)
        picked: NDArray[np.intp] = np.repeat(picks, each)
        engine, terms = task.placed("disaggregated", tuple(layouts[i] for i in picked), 1)
        picked = picked.reshape(-1, 1)
        return _Feeders(engine, terms, busy[picked], (engine.tp * engine.pp), fits[picked])
    parts = [(picks, busy[picks], fits[picks]) for picks, busy, fits in map(_picks, task.each)]
    at = split // each + _of_each(task, np.arange(len(parts)) * len(parts[0][0]), split)
    picked, busy, fits = (np.concatenate(some)[at] for some in zip(*parts, strict=True))
    engine, terms = _taken(task, "disaggregated", layouts, picked)
    return _Feeders(engine, terms, busy, engine.tp * engine.pp, fits)


def _picks(task: Task) -> tuple[NDArray[np.intp], FloatArray, NDArray[np.bool_]]:
    """Prefill layouts that one query tries; of every layout, time per prompt in bulk [s], and whether it fits."""
    v, layouts = task.values, task.prefill_layouts
    pool, shared = task.placed("disaggregated", layouts)
    isl, past = task.query.isl_tokens, task.query.isl_tokens * task.query.prefix_cache_hit
    fresh = isl - past
    # a full pass for what prompts cost in bulk, one prompt in flight for how soon it is done
    prompts, one = np.array([[min(4.0, max(CHUNK_TOKENS / max(fresh, 1.0), 1.0))], [1.0]]), np.ones(1)
    latency, bulk = prefill_pass(pool, v, fresh * one, past * one, prompts, one, shared)
    busy, alone = bulk[0] + v[pool.keys["handoff"]] * MS / pool.dp, latency[1]
    fits = ledger(pool, isl * one).fits
    gpus = pool.tp * pool.pp
    # a layout that is 2 % sooner is not worth twice the GPUs
    picks = []
    for among in task.prefill_choices:
        cost, sooner = (np.where(fits & among, x, np.inf) for x in (busy * gpus, alone * gpus**0.1))
        picks += [np.argmin(np.where(gpus == size, cost, np.inf)) for size in NODE_WIDTHS] + [np.argmin(sooner)]
    return np.array(picks), busy, fits


def _matched(
    task: Task,
    decode: Engine,
    decode_shared: PassTerms,
    load: Load,
    split: NDArray[np.intp] | None,
    slower: Callable[[Load, FloatArray], FloatArray],
) -> Deployed:
    """Pools matched in rate: at each number of running sequences, the fewest prefill GPUs that keep up.

    With ``n`` sequences running in a decode engine, its rate ``r`` needs prefill workers for a share ``b = r t`` of one
    worker's time; with ``s`` workers a decode engine, prompts queue for ``k b^2 / (s - b) / r`` (see
    :mod:`rackecon.serving.closed_loop`), so a time to first token of ``T`` needs ``s >= b + k b^2 / (r (T - T_first))``.
    Nothing but GPUs depends on ``s`` at a given ``n``, so the least waste is the best. Own derivation.
    """
    v, targets = task.values, task.targets
    feeders = _feeders(task, split, len(targets))
    prefill, size_d, size_p = feeders.engine, decode.tp * decode.pp, feeders.gpus
    latest = np.tile(targets, task.feeders).reshape(-1, 1) if split is None else np.tile(targets, task.feeders)[split]
    side = decode_side(decode, v, load, decode_shared)
    n = np.minimum(load.concurrency, np.maximum(side.room.max_sequences, 1.0))
    life = side.steps * side.terms.curve.total(n)
    rate = n / life
    need = rate * feeders.busy_s * load.speed
    least, flight = PREFILL_HEADROOM * need, n
    for turn in range(PASSES):
        first, busy, queue = pool_terms(decode, prefill, v, load, flight / least, feeders.shared)
        need = rate * busy * load.speed
        late = slower(load, flight / (size_d + least * size_p))
        spare = latest * (1.0 - TARGET_MARGIN) / 1e3 / late - first
        sized = least
        least = np.where(spare > 0, need + queue * need * need / (rate * spare), np.inf)
        least = np.maximum(PREFILL_HEADROOM * need, least)
        if turn == PASSES - 1:  # where turns swing about the size that keeps the time, the larger does
            least = np.maximum(sized, least)
        flight = n + rate * first + queue * need * need / (least - need)
    nd, waste = np.ones_like(least), np.full_like(least, np.inf)
    for count in DECODE_ENGINES:
        each = np.maximum(np.ceil(count * least), 1.0) * size_p + count * size_d
        each = np.where(each <= task.query.most_gpus, each / count, np.inf)
        nd = np.where(each < waste, count, nd)
        waste = np.minimum(waste, each)
    npre = np.maximum(np.ceil(nd * least), 1.0)
    workers = npre / nd
    before = [flight]
    for turn in range(SETTLING):  # the load of a worker is that of the whole pool, which the queue before it is part of
        flight = n + rate * first + queue * need * need / np.maximum(workers - need, 1e-9)
        if turn == 2:
            flight = _ahead(before[-2], before[-1], flight)
        before.append(flight)
        first, busy, queue = pool_terms(decode, prefill, v, load, flight / workers, feeders.shared)
        need = rate * busy * load.speed
    flight = n + rate * first + queue * need * need / (workers - need)
    steady = need <= STEADY_USE * workers
    whole = replace(load, concurrency=flight * nd)
    done = Solution(
        rate * nd,
        n * nd,
        life / load.osl_tokens,
        (flight - n) / rate,
        npre * size_p / (npre * size_p + nd * size_d),
        np.zeros(1),
        side.room.max_sequences,
        side.room.fits & feeders.fits,
        side.terms,
        n,
        np.minimum(need / workers, 1.0),
    )
    return done, _Pools(whole, nd * size_d, npre * size_p, nd, npre, feeders.layout), np.isfinite(waste) & steady


def _ahead(first: FloatArray, second: FloatArray, third: FloatArray) -> FloatArray:
    """Where three values of a converging iteration lead (Aitken); the third where they do not converge."""
    one, two = second - first, third - second
    ratio = two / np.where(one == 0.0, 1.0, one)
    return np.asarray(np.where(np.abs(ratio) < 0.95, third + two * ratio / (1.0 - ratio), third))


def _enumerated(
    task: Task, decode: Engine, decode_shared: PassTerms, load: Load, split: NDArray[np.intp] | None
) -> Deployed:
    """Pools of given sizes, load or GPUs: what is open is tried one by one."""
    v, held = task.values, task.query.held
    feeders = _feeders(task, split, COMBINATIONS)
    side = decode_side(decode, v, load, decode_shared)
    size_d, size_p = decode.tp * decode.pp, feeders.gpus
    every = np.arange(task.feeders * COMBINATIONS)
    at = (every.reshape(-1, 1) if split is None else split) % COMBINATIONS
    nd = np.array(DECODE_ENGINES)[at % len(DECODE_ENGINES)]
    room = np.array(PREFILL_ROOM)[at // len(DECODE_ENGINES)]
    if "decode_workers" in held or "decode_gpus" in held:
        nd = float(held["decode_workers"]) * np.ones(1) if "decode_workers" in held else held["decode_gpus"] / size_d
    each = load.concurrency / nd if "concurrency" in held else load.concurrency
    need = side.rate(each) * (feeders.busy_s * load.speed * PREFILL_HEADROOM)
    npre = np.maximum(np.ceil(nd * need * room), 1.0)
    if "prefill_workers" in held or "prefill_gpus" in held:
        npre = (
            float(held["prefill_workers"]) * np.ones(1) if "prefill_workers" in held else held["prefill_gpus"] / size_p
        )
    elif "gpus" in held:
        npre = np.floor((held["gpus"] - nd * size_d) / size_p)
    used = nd * size_d + npre * size_p
    possible = (used <= float(held.get("gpus", task.query.most_gpus))) & (npre >= 1.0) & (nd >= 1.0)
    whole = replace(load, concurrency=each * nd)
    nd, npre = np.maximum(nd, 1.0), np.maximum(npre, 1.0)
    solved = disaggregated(decode, feeders.engine, v, whole, nd, npre, side, feeders.shared)
    return solved, _Pools(whole, nd * size_d, npre * size_p, nd, npre, feeders.layout), possible
