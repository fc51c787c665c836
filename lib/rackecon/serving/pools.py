"""What a layout is deployed as: engines that do everything, or pools of prefill and decode engines with their sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.performance.cells import ByCell, Cells
from rackecon.performance.engine import Engine
from rackecon.performance.families import engine_family, intercept_cell
from rackecon.performance.memory import ledger
from rackecon.performance.step import DecodeTerms, PassTerms, pass_terms, prefill_pass
from rackecon.serving.closed_loop import (
    CHUNK_TOKENS,
    MS,
    STEADY_USE,
    Load,
    PoolPrompts,
    Solution,
    aggregated,
    decode_side,
    disaggregated,
    pool_prompts,
)
from rackecon.serving.corrections import Conditions, correction
from rackecon.serving.layouts import NODE_WIDTHS, Layout
from rackecon.serving.query import Query
from rackecon.serving.task import COMBINATIONS, Task

Widths = tuple[FloatArray, FloatArray, FloatArray]
"""Tensor and expert width of a prefill engine, and 1 with data-parallel attention."""
PREFILL_HEADROOM = 1.1  # prefill pools are sized to run at 91 % of their capacity
NONE = np.zeros(1)
DECODE_ENGINES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
PREFILL_ROOM = (1.0, 1.25, 1.6, 2.2)  # sizes of a prefill pool tried, over the least, where its load is given
PASSES = 3  # of sizing a prefill pool and of what its prompts then cost
SETTLING = 5  # turns of what is in flight before a pool and of what its prompts then cost
LEAST_FREE = 1e-9  # share of a prefill worker
BULK_PROMPTS = 4.0  # of a rank in the pass that layouts are compared by
WORTH_OF_SPEED = (
    0.1  # power of GPUs: one that is soonest with one prompt must be 7 % sooner to be worth twice the GPUs; own
)
TARGET_MARGIN = 1e-3  # by which a pool is sized to keep a time to first token


@dataclass(frozen=True)
class Pools:
    """GPUs and workers of each pool, and the load of the whole deployment."""

    load: Load
    decode_gpus: FloatArray
    prefill_gpus: FloatArray
    decode_workers: FloatArray
    prefill_workers: FloatArray
    feeder: Widths = (NONE, NONE, NONE)
    match: Match | None = None  # of those matched in rate


def of_each(task: Task, values: Sequence[Any] | NDArray[Any], rows: NDArray[Any]) -> Any:
    """One value of each query at its rows, which stand one query's after another's; that of the only one as it is."""
    if len(task.each) == 1:
        return values[0]
    return np.repeat(values, len(rows) // len(task.each)).reshape(-1, *(1,) * (rows.ndim - 1))


def taken(task: Task, mode: str, layouts: tuple[Layout, ...], which: IntArray) -> tuple[Engine, PassTerms]:
    """Engines at rows of each query, on the first axis, with the parameters of theirs, and what their passes cost."""
    engine, known = task.each[0].placed(mode, layouts)
    if len(task.each) == 1:
        return engine.take(which), known.at(Cells(engine.tp.shape, which))
    values = task.values.reshape(len(task.each), -1)
    by = np.arange(len(values)).reshape(-1, *(1,) * (which.ndim - 1)) * values.shape[1]
    rows = engine.take(which).shifted(by, (values != values[0]).any(axis=0))
    return rows, pass_terms(rows, task.values)


def cell_of(asked: Query, mode: str) -> str:
    return intercept_cell(asked.chip.id, engine_family(asked.engine_of(mode), asked.chip.vendor), asked.weight, mode)


def factors(
    task: Task, mode: str, dp: FloatArray, load: Load, load_per_gpu: FloatArray, years: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Shrunk corrections of rates and of the time to first token."""
    asked, cell = task.query, cell_of(task.query, mode)
    drafting, ranks = (load.draft_tokens > 0).astype(float), (dp > 1).astype(float)
    where = Conditions(load_per_gpu, load.isl_tokens, load.osl_tokens, drafting, ranks, years)
    return correction(asked.parameters.intercepts, cell, asked.arch.id, where)


Deployed = tuple[Solution, Pools, BoolArray]


def alone(task: Task, rows: Engine, shared: PassTerms, load: Load) -> Deployed:
    """Equal engines that do everything: one, or as many as the GPUs held make."""
    none, size = np.zeros_like(load.speed), rows.tp * rows.pp
    engines = float(task.query.held["gpus"]) / size if "gpus" in task.query.held else np.ones_like(load.speed)
    if "concurrency" not in task.query.held:
        load = replace(load, concurrency=load.concurrency * engines)
    done = aggregated(rows, task.values, load, engines, shared)
    return done, Pools(load, engines * size, none, engines, none), np.ones(1, dtype=bool)


@dataclass(frozen=True)
class _Feeders:
    """Prefill layouts to try, as arrays, with what a prompt costs each of them in bulk."""

    engine: Engine
    shared: PassTerms
    busy_s: FloatArray
    gpus: FloatArray
    fits: BoolArray
    times: IntArray  # that each is picked
    split: IntArray  # number of each among all

    @property
    def layout(self) -> Widths:
        """See :data:`Widths`."""
        return self.engine.tp, self.engine.ep, (self.engine.dp > 1).astype(float)


def _feeders(task: Task, split: IntArray | None, each: int, rows: int = 0, fitting: bool = False) -> _Feeders:
    """The most productive prefill layout of each size, and the one that is soonest done with one prompt.

    Each stands ``each`` times on an axis before the loads, or at the places that ``split`` picks; for each of ``rows`` decode
    layouts where several queries are evaluated on their grids. With ``fitting``, a grid leaves out those that hold no prompt
    of any query, but for one, and repetitions.
    """
    layouts = task.prefill_layouts
    if split is None:
        picks, busy, fits = _picks(task.each)
        times, numbers = np.ones(picks.shape[1], dtype=np.intp), np.arange(picks.shape[1])
        if fitting:
            numbers, times = _distinct(picks, fits)
            picks = picks[:, numbers]
        own, rows = (np.arange(len(picks))[:, None], picks), rows if len(task.each) > 1 else 1

        def of_rows(values: NDArray[Any]) -> NDArray[Any]:
            return np.repeat(np.repeat(values, each, axis=1), rows // len(values), axis=0).reshape(rows, 1, -1, 1)

        if len(task.each) > 1:
            engine = task.each[0].placed("disaggregated", layouts)[0].take(of_rows(picks))
            terms = pass_terms(engine, task.values)
        else:
            engine, terms = task.placed("disaggregated", tuple(layouts[i] for i in np.repeat(picks, each)), 1)
        size, times = engine.tp * engine.pp, np.repeat(times, each)[:, None]
        split = np.add.outer(numbers * each, np.arange(each)).reshape(-1, 1)
        return _Feeders(engine, terms, of_rows(busy[own]), size, of_rows(fits[own]), times, split)
    every = np.arange(len(layouts))[None, None]
    picks, *bulk = _picks(task.each, (*taken(task, "disaggregated", layouts, every), task.values))
    at = split // each + np.arange(len(picks))[:, None] * picks.shape[1]
    picked, busy, fits = (x.ravel()[at] for x in (picks, *(np.take_along_axis(x, picks, axis=1) for x in bulk)))
    engine, terms = taken(task, "disaggregated", layouts, picked)
    return _Feeders(engine, terms, busy, engine.tp * engine.pp, fits, np.ones(1, dtype=np.intp), split)


def _picks(
    tasks: Sequence[Task], rows: tuple[Engine, PassTerms, FloatArray] | None = None
) -> tuple[IntArray, FloatArray, BoolArray]:
    """Prefill layouts that each query tries; of every layout, time per prompt in bulk [s], and whether it fits: queries on
    the first axis.

    ``rows`` are engines of the layouts with what their passes cost, ``(queries, 1, layouts)``, and the values of parameters
    that they point into; by default all queries are of the first one's parameters.
    """
    layouts = tasks[0].prefill_layouts
    pool, shared, v = rows or (*tasks[0].placed("disaggregated", layouts), tasks[0].values)
    isl, hit = (np.array([[getattr(x.query, name)] for x in tasks]) for name in ("isl_tokens", "prefix_cache_hit"))
    past = isl * hit
    fresh, one = isl - past, np.ones(1)
    # a full pass for what prompts cost in bulk, one prompt in flight for how soon it is done
    prompts = np.concatenate([np.clip(CHUNK_TOKENS / np.maximum(fresh, 1.0), 1.0, BULK_PROMPTS), np.ones_like(isl)], 1)
    latency, bulk = prefill_pass(pool, v, fresh[..., None], past[..., None], prompts[..., None], one, shared)
    busy, alone = (bulk[:, :1] + v[pool.keys["handoff"]] * MS / pool.dp)[:, 0], latency[:, 1]
    fits = ledger(pool, isl[..., None]).fits[:, 0]
    gpus = np.broadcast_to(pool.tp * pool.pp, (len(tasks), 1, len(layouts)))[0, 0]
    picks = []
    for among in tasks[0].prefill_choices:
        cost, sooner = (np.where(fits & among, x, np.inf) for x in (busy * gpus, alone * gpus**WORTH_OF_SPEED))
        picks += [np.argmin(np.where(gpus == size, cost, np.inf), axis=1) for size in NODE_WIDTHS]
        picks.append(np.argmin(sooner, axis=1))
    return np.stack(picks, 1), busy, fits


def _distinct(picks: IntArray, fits: BoolArray) -> tuple[IntArray, IntArray]:
    """Numbers of the picks less those that hold no prompt of any query, but for one, and repetitions; how often each stands."""
    able = np.flatnonzero(np.take_along_axis(fits, picks, axis=1).any(axis=0))
    kept = able if len(able) else np.zeros(1, dtype=np.intp)
    _, first, times = np.unique(picks[:, kept], axis=1, return_index=True, return_counts=True)
    order = np.argsort(first)
    return kept[first[order]], times[order]


def gpus_each(
    engines: float | FloatArray, least: FloatArray, sizes: tuple[FloatArray, FloatArray], most: float
) -> FloatArray:
    """GPUs of a deployment over its decode engines; infinite where it exceeds ``most``.

    ``least`` counts prefill workers that a decode engine needs, ``sizes`` the GPUs of a decode and of a prefill engine.
    """
    whole = np.maximum(np.ceil(engines * least), 1.0) * sizes[1] + engines * sizes[0]
    return np.where(whole <= most, whole / engines, np.inf)


@dataclass(frozen=True)
class Match(ByCell):
    """Pools matched in rate at each number of running sequences, before the number of decode engines is picked."""

    load: Load
    prompts: PoolPrompts
    terms: DecodeTerms
    sizes: tuple[FloatArray, FloatArray]  # GPUs of a decode and of a prefill engine
    feeder: Widths
    room: FloatArray  # sequences that fit in a decode engine
    fits: BoolArray
    times: IntArray  # candidates that each stands for
    split: IntArray  # number of each prefill layout and size among all
    n: FloatArray  # running in a decode engine
    life: FloatArray  # of a sequence in decode [s]
    need: FloatArray  # prefill workers that a decode engine keeps busy
    least: FloatArray  # prefill workers that a decode engine needs
    flight: FloatArray  # requests of a decode engine
    first: FloatArray  # time to first token without a queue [s]

    def deployed(self, task: Task, engines: FloatArray) -> Deployed:
        """Pools of a number of decode engines."""
        n, nd, load, first, need, queue = self.n, engines, self.load, self.first, self.need, self.prompts.queueing
        rate = n / self.life
        npre = np.maximum(np.ceil(nd * self.least), 1.0)
        workers = npre / nd
        flight, last = n + rate * first + queue * need * need / np.maximum(workers - need, LEAST_FREE), None
        for _ in range(
            SETTLING
        ):  # the load of a worker is that of the whole pool, which the queue before it is part of
            first, busy = self.prompts.times(flight / workers)
            need = rate * busy * load.speed
            short = n + rate * first + queue * need * need / np.maximum(workers - need, LEAST_FREE) - flight
            flight, last = np.fmax(_settled(flight, short, last), n), (flight, short)
        size_d, size_p = self.sizes
        done = Solution(
            rate * nd,
            n * nd,
            self.life / load.osl_tokens,
            (flight - n) / rate,
            npre * size_p / (npre * size_p + nd * size_d),
            np.zeros(1),
            self.room,
            self.fits,
            self.terms,
            n,
            np.minimum(need / workers, 1.0),
        )
        whole = replace(load, concurrency=flight * nd)
        pools = Pools(whole, nd * size_d, npre * size_p, nd, npre, self.feeder, self)
        fits = np.isfinite(gpus_each(nd, self.least, self.sizes, task.query.most_gpus)) & (need <= STEADY_USE * workers)
        return done, pools, fits


def matched(
    task: Task,
    decode: Engine,
    decode_shared: PassTerms,
    load: Load,
    split: IntArray | None,
    slower: Callable[[FloatArray], FloatArray],
    fitting: bool = False,
) -> Deployed:
    """Pools matched in rate: at each number of running sequences, the fewest prefill GPUs that keep up.

    With ``n`` sequences running in a decode engine, its rate ``r`` needs prefill workers for a share ``b = r t`` of one
    worker's time; with ``s`` workers a decode engine, prompts queue for ``k b^2 / (s - b) / r`` (see
    :mod:`rackecon.serving.closed_loop`), so a time to first token of ``T`` needs ``s >= b + k b^2 / (r (T - T_first))``.
    Nothing but GPUs depends on ``s`` at a given ``n``, so the number of decode engines that wastes least is picked; what is
    learnt of loads may thank another (:func:`rackecon.serving.candidates.other_engines`). Own derivation. ``slower`` gives
    the factor on the time to first token at a load per GPU; ``fitting`` is as for :func:`_feeders`.
    """
    v, targets = task.values, np.array([one.targets for one in task.each])
    feeders = _feeders(task, split, targets.shape[1], len(decode.tp), fitting)
    size_d, size_p = decode.tp * decode.pp, feeders.gpus
    if split is None:
        tiled = np.tile(targets, size_p.shape[-2] // targets.shape[1])
        latest = np.repeat(tiled, len(decode.tp) // len(tiled) if len(tiled) > 1 else 1, axis=0)[:, None, :, None]
    else:
        latest = targets[:, (split % targets.shape[1])[0]]
    side = decode_side(decode, v, load, decode_shared)
    n = np.minimum(load.concurrency, np.maximum(side.room.max_sequences, 1.0))
    life = side.steps * side.terms.curve.total(n)
    rate, prompts = n / life, pool_prompts(decode, feeders.engine, v, load, feeders.shared)
    queue = prompts.queueing
    need = rate * feeders.busy_s * load.speed
    least, flight = PREFILL_HEADROOM * need, n
    for turn in range(PASSES):
        first, busy = prompts.times(flight / least)
        need = rate * busy * load.speed
        sized, least = least, need
        if np.isfinite(latest).all():
            late = slower(flight / (size_d + sized * size_p))
            spare = latest * (1.0 - TARGET_MARGIN) / 1e3 / late - first
            least = np.where(spare > 0, need + queue * need * need / (rate * spare), np.inf)
        least = np.maximum(PREFILL_HEADROOM * need, least)
        if turn == PASSES - 1:  # where turns swing about the size that keeps the time, the larger does
            least = np.maximum(sized, least)
        flight = n + rate * first + queue * need * need / (least - need)
    known = (load, prompts, side.terms, (size_d, size_p), feeders.layout)
    fits = side.room.fits & feeders.fits
    match = Match(
        *known, side.room.max_sequences, fits, feeders.times, feeders.split, n, life, need, least, flight, first
    )
    nd, waste = np.ones_like(least), np.full_like(least, np.inf)
    for count in DECODE_ENGINES:
        each = gpus_each(count, least, match.sizes, task.query.most_gpus)
        nd = np.where(each < waste, count, nd)
        waste = np.minimum(waste, each)
    return match.deployed(task, nd)


def _settled(at: FloatArray, short: FloatArray, last: tuple[FloatArray, FloatArray] | None) -> FloatArray:
    """Where what is missing vanishes, by the line through two places (secant); the sum where there is one place alone."""
    if last is None:
        return at + short
    change = short - last[1]
    np.copyto(change, np.inf, where=change == 0.0)
    return np.asarray(at - short * ((at - last[0]) / change))


def enumerated(task: Task, decode: Engine, decode_shared: PassTerms, load: Load, split: IntArray | None) -> Deployed:
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
    return solved, Pools(whole, nd * size_d, npre * size_p, nd, npre, feeders.layout), possible
