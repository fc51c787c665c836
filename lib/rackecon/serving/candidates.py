"""Every configuration of a search evaluated at once: layouts, draft depths, splits of prefill and decode, and loads.

A mode's candidates are the cells of a grid (layout, draft depth, prefill layout, load). Each quantity is computed on the
axes it depends on and broadcast only where they meet, so that what a layout costs is not worked out again per load; the
longest axis comes last, so that rows of it are computed at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.performance.cells import Cells
from rackecon.performance.engine import Engine
from rackecon.performance.families import engine_family, intercept_cell
from rackecon.performance.memory import ledger, reserved_context
from rackecon.performance.step import PassTerms, prefill_pass
from rackecon.serving.bottlenecks import bottlenecks
from rackecon.serving.closed_loop import CHUNK_TOKENS, MS, Load, Solution, aggregated, decode_side, disaggregated
from rackecon.serving.corrections import Conditions, correction
from rackecon.serving.layouts import Layout
from rackecon.serving.task import Task

__all__ = ["Evaluated", "Outcome", "evaluate_all", "evaluate_fitting"]

FloatArray = NDArray[np.float64]
Rows = dict[str, NDArray[Any]]
PREFILL_HEADROOM = 1.1  # prefill pools are sized to run at 91 % of their capacity
MOST_QUEUED = 0.05  # share of the load that may wait for a slot; more is not a steady operating point
DECODE_ENGINES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
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
        isl, osl = task.query.isl_tokens, task.query.osl_tokens
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
            "concurrency": of(load.concurrency),
            "total_tok_s_per_gpu": total,
            "output_tok_s_per_gpu": total * osl / (isl + osl),
            "tok_s_per_user": user,
            "tpot_ms": 1e3 / user,
            "ttft_ms": of(done.ttft_s) * 1e3 * of(self.first_factor),
            "prefill_gpu_share": np.clip(of(done.prefill_gpu_share), 0.0, 1.0),
            "fits": of(self.fits),
            "bottleneck": bottlenecks(done.step_at(cells)),
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
    for mode in task.query.modes:
        layouts = task.layouts(mode)
        sizes = task.sizes(mode, layouts)
        count = math.prod(sizes)
        wanted = None if only is None else only[(only >= start) & (only < start + count)] - start
        start += count
        if wanted is None or len(wanted):
            parts.append(_evaluate(task, mode, layouts, wanted))
    return Evaluated(tuple(parts), start)


def evaluate_fitting(task: Task) -> Evaluated:
    """As :func:`evaluate_all`, without the layouts whose weights and one sequence exceed the memory."""
    parts, count, text = [], 0, ""
    isl, osl = np.array([task.query.isl_tokens]), np.array([task.query.osl_tokens])
    for mode in task.query.modes:
        layouts = task.layouts(mode)
        count += math.prod(task.sizes(mode, layouts))
        engine, _ = task.placed(mode, layouts)
        fits = ledger(engine, reserved_context(engine, isl, osl)).fits
        text = text or _roomiest(engine, isl + 0.5 * osl)
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
        split = None
    else:
        shape = (len(wanted),)
        which, depth, split, level = np.unravel_index(wanted, sizes)
        engine, known = task.placed(mode, layouts)
        rows, shared = engine.take(which), known.at(Cells(engine.tp.shape, which))
        names, drafts, loads = names[which], drafts[depth], loads[level]
    used, v = task.query.parameters, task.values
    isl, osl = task.query.isl_tokens, task.query.osl_tokens
    speed = np.exp(-v[rows.keys["trend"]] * task.query.years)
    load = Load(
        np.full_like(speed, isl),
        np.full_like(speed, osl),
        np.full_like(speed, task.query.prefix_cache_hit),
        loads * rows.dp,
        drafts,
        speed,
    )
    with np.errstate(all="ignore"):
        if mode == "aggregated":
            none, one = np.zeros_like(speed), np.ones_like(speed)
            done = aggregated(rows, v, load, one, shared)
            pools = _Pools(load, rows.tp * rows.pp, none, one, none)
            fits = done.fits
        else:
            done, pools, possible = _split(task, rows, shared, load, split)
            load = pools.load
            fits = done.fits & possible
        fits = fits & (done.queued <= MOST_QUEUED * load.concurrency)
        gpus = pools.decode_gpus + pools.prefill_gpus
        factor, first_factor = correction(
            used.intercepts,
            intercept_cell(
                task.query.chip.id,
                engine_family(task.query.engine_of(mode), task.query.chip.vendor),
                task.query.weight,
                mode,
            ),
            task.query.arch.id,
            Conditions(
                load.concurrency / gpus,
                load.isl_tokens,
                load.osl_tokens,
                (load.draft_tokens > 0).astype(float),
                (rows.dp > 1).astype(float),
                np.full_like(speed, task.query.years),
            ),
        )
        loop = v[used.index(f"closed_loop.{mode}")]
        total = factor * done.requests_per_s * (loop * (isl + osl) / gpus)
        user = factor / done.tpot_s
    fits = fits & np.isfinite(total)
    return _Part(task, mode, shape, names, rows, pools, done, gpus, total, user, first_factor, fits)


def _split(
    task: Task, decode: Engine, decode_shared: PassTerms, load: Load, split: NDArray[np.intp] | None
) -> tuple[Solution, _Pools, NDArray[np.bool_]]:
    """Pools matched in rate: as many prefill workers as the decode engines can use, of two layouts in turn.

    ``split`` 0 is the prefill layout of most prompts per GPU, 1 the one that is soonest done with one prompt; None is
    both, on an axis before the loads.
    """
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
    cost, sooner = np.where(fits, busy * gpus, np.inf), np.where(fits, alone * gpus**0.1, np.inf)
    best = np.array([np.argmin(cost), np.argmin(sooner)])
    if split is None:
        feeder, feeding = task.placed("disaggregated", tuple(layouts[i] for i in best), 1)
        best = best.reshape(-1, 1)
    else:
        best = best[split]
        feeder, feeding = pool.take(best), shared.at(Cells(pool.tp.shape, best))
    side = decode_side(decode, v, load, decode_shared)
    need = side.rate(load.concurrency) * (busy[best] * load.speed * PREFILL_HEADROOM)
    size_d, size_p = decode.tp * decode.pp, gpus[best]
    # as many decode engines as make the prefill pool a whole number of workers without much waste
    nd, least = np.ones_like(need), np.full_like(need, np.inf)
    for count in DECODE_ENGINES:
        each = np.maximum(np.ceil(count * need), 1.0) * size_p + count * size_d
        each = np.where(each <= task.query.most_gpus, each / count, np.inf)
        nd = np.where(each < least, count, nd)
        least = np.minimum(least, each)
    npre = np.maximum(np.ceil(nd * need), 1.0)
    whole = replace(load, concurrency=load.concurrency * nd)
    solved = disaggregated(decode, feeder, v, whole, nd, npre, side, feeding)
    return solved, _Pools(whole, nd * size_d, npre * size_p, nd, npre), np.isfinite(least)
