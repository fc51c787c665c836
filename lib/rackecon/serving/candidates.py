"""Every configuration of a search evaluated at once: layouts, draft depths, splits of prefill and decode, and loads.

A mode's candidates are the cells of a grid (layout, draft depth, prefill layout, load). Each quantity is computed on the
axes it depends on and broadcast only where they meet, so that what a layout costs is not worked out again per load; the
longest axis comes last, so that rows of it are computed at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog.cached import of_arguments
from rackecon.performance.cells import Cells
from rackecon.performance.engine import Engine
from rackecon.performance.families import engine_family
from rackecon.performance.memory import ledger, reserved_context
from rackecon.performance.residual import Places, Residual, Shape, load_feature, names_of
from rackecon.serving.bottlenecks import bottlenecks, busy_shares
from rackecon.serving.closed_loop import Load, Solution, context_tokens
from rackecon.serving.corrections import load_range, within_stay
from rackecon.serving.layouts import Layout
from rackecon.serving.pools import (
    DECODE_ENGINES,
    Deployed,
    Pools,
    alone,
    cell_of,
    enumerated,
    factors,
    gpus_each,
    matched,
    of_each,
    taken,
)
from rackecon.serving.query import LIMIT_SLACK, MODES, Query
from rackecon.serving.recipes import recipe_depth
from rackecon.serving.task import Task, Tasks

Rows = dict[str, NDArray[Any]]
MOST_QUEUED = 0.05  # share of the load that may wait for a slot; more is not a steady operating point
FLIGHT_SLACK = 1.05  # on the requests in flight: fewer prompts in a pass of prefill take longer each
ROUNDING = 1e-9
GRID_AXES = 3  # behind the layouts: draft depths, prefill layouts, loads


@dataclass(frozen=True)
class Outcome:
    """Of each candidate: whether it fits and runs steadily, speed of a user, throughput of a GPU, first token, whose it is."""

    fits: BoolArray
    tok_s_per_user: FloatArray
    total_tok_s_per_gpu: FloatArray
    ttft_ms: FloatArray
    query: IntArray  # of those evaluated together
    times: IntArray  # candidates that it stands for: alike to the last

    def take(self, rows: IntArray) -> Outcome:
        """The same of some candidates."""
        return Outcome(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def joined(self, other: Outcome) -> Outcome:
        """These candidates, then others."""
        names = self.__dataclass_fields__
        return Outcome(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


@dataclass(frozen=True)
class _Space:
    """Candidates of one mode before they are evaluated: the whole grid by its axes, or a choice of its cells as one."""

    task: Task
    mode: str
    layouts: tuple[Layout, ...]
    shape: tuple[int, ...]
    place: IntArray  # of the layout, one query's layouts after another's
    widths: tuple[FloatArray, FloatArray, FloatArray, FloatArray]  # tp, ep, pp, attention ranks
    learnt: tuple[FloatArray | None, FloatArray | None]  # of each layout: rates and speeds, times to first token


@dataclass(frozen=True)
class _Part(_Space):
    """Candidates of one mode: what is known of each cell, on the axes it depends on."""

    pools: Pools
    done: Solution
    gpus: FloatArray
    total: FloatArray
    user: FloatArray
    first_ms: FloatArray
    fits: BoolArray

    @property
    def count(self) -> int:
        """Cells."""
        return math.prod(self.shape)

    def outcome(self) -> Outcome:
        """What limits and fronts look at, of every cell."""
        times = self.pools.match.times if self.pools.match is not None else np.ones(1, dtype=np.intp)
        known: Any = (self.fits, self.user, self.total, self.first_ms, self.place // len(self.layouts), times)
        return Outcome(*(_laid(x, self.shape) for x in known))

    def table(self, cells: Cells) -> Rows:
        """All quantities of some cells."""
        task, pools, load, done, count = self.task, self.pools, self.pools.load, self.done, len(cells)

        def of(values: NDArray[Any]) -> NDArray[Any]:
            found = cells.of(values)
            return found if len(found) == count else np.repeat(found, count)

        drafts, total, user = of(load.draft_tokens), of(self.total), of(self.user)
        step, prompts = done.step_at(cells), np.clip(of(done.prefill_gpu_share), 0.0, 1.0)
        busy = busy_shares(step, prompts, of(done.prefill_use))
        isl, osl = of(load.isl_tokens), of(load.osl_tokens)
        mode = np.full(count, MODES.index(self.mode))  # names are as wide as that of either mode
        return {
            "engine": np.array([task.query.engine_of(x) for x in MODES])[mode],
            "mode": np.array(MODES)[mode],
            "layout": np.array([x.name for x in self.layouts])[of(self.place) % len(self.layouts)],
            "weight_precision": np.full(count, task.query.weight),
            "kv_precision": np.array([task.query.kv_of(x) for x in MODES])[mode],
            "speculative": np.where(drafts > 0, task.query.arch.draft_method, "none"),
            **{name: of(width) for name, width in zip(("tp", "ep", "pp"), self.widths, strict=False)},
            "dp_attention": of(self.widths[3]) > 1,
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
            "ttft_ms": of(self.first_ms),
            "prefill_gpu_share": prompts,
            "decode_busy_share": busy[0],
            "prefill_busy_share": busy[1],
            "fits": of(self.fits),
            "bottleneck": bottlenecks(step),
        }


def _laid(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Values of every cell, flat; ``np.broadcast_to`` takes longer than to write most grids."""
    if values.shape != shape:
        out = np.empty(shape, values.dtype)
        out[...] = values
        return out.reshape(-1)
    return values.reshape(-1)


@dataclass(frozen=True)
class Evaluated:
    """Candidates of each mode, one after the other; columns are laid out only for the rows that are asked for."""

    parts: tuple[_Part, ...]
    count: int  # of all candidates of a query, those left out unevaluated because their layout does not fit too
    rooms: tuple[str, ...] = ()  # of each query: memory of the first mode's layout that leaves most to the cache

    def outcome(self) -> Outcome:
        """What limits and fronts look at, of every candidate evaluated; they are none where no layout fits."""
        rates, none = np.zeros(0), np.zeros(0, dtype=np.intp)
        each = [part.outcome() for part in self.parts] or [Outcome(none > 0, rates, rates, rates, none, none)]
        return reduce(Outcome.joined, each)

    def rows(self, chosen: IntArray | None = None) -> Rows:
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


def evaluate_all(task: Task, only: IntArray | None = None) -> Evaluated:
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


def evaluate_together(tasks: Sequence[Task], only: IntArray) -> list[Rows]:
    """:func:`evaluate_all` of queries that differ in lengths, cache hit and values of parameters alone, in one pass."""
    found = evaluate_all(Tasks(tasks[0].query, tuple(tasks)), only)
    tables = [part.table(Cells(part.shape, np.arange(part.count))) for part in found.parts]
    each = [{name: values.reshape(len(tasks), -1) for name, values in table.items()} for table in tables]
    return [{name: np.concatenate([table[name][i] for table in each]) for name in each[0]} for i in range(len(tasks))]


def evaluate_picked(
    tasks: Sequence[Task],
    pick: Callable[[Outcome], IntArray],
    names: Sequence[str],
    only: IntArray | None = None,
) -> list[tuple[IntArray, Rows]]:
    """Candidates that ``pick`` keeps of each mode's outcome: their row numbers in :func:`evaluate_all`, and some quantities.

    For each of some queries, which are as for :func:`evaluate_fitting`, or as for :func:`evaluate_together` where row numbers
    are given. ``pick`` gives places in the outcome, rising; one query's candidates stand after another's.
    """
    together = Tasks(tasks[0].query, tuple(tasks))
    parts = evaluate_fitting(tasks).parts if only is None else evaluate_all(together, only).parts
    found: list[list[tuple[IntArray, Rows]]] = [[] for _ in tasks]
    for part in parts:
        cells = Cells(part.shape, pick(part.outcome()))
        if not len(cells):
            continue
        numbers, table = _numbers(part, cells, only), part.table(cells)
        ends = np.searchsorted(cells.of(part.place) // len(part.layouts), np.arange(len(tasks) + 1))
        for mine, start, end in zip(found, ends[:-1], ends[1:], strict=True):
            mine.append((numbers[start:end], {name: table[name][start:end] for name in names}))
    return [_joined(each) for each in found]


def _joined(parts: Sequence[tuple[IntArray, Rows]]) -> tuple[IntArray, Rows]:
    """Row numbers and quantities of one mode's candidates, then the other's."""
    names = parts[0][1] if parts else ()
    numbers = np.concatenate([np.zeros(0, dtype=np.intp), *(number for number, _ in parts)])
    return numbers, {name: np.concatenate([table[name] for _, table in parts]) for name in names}


def _numbers(part: _Part, cells: Cells, only: IntArray | None) -> IntArray:
    """Row number in :func:`evaluate_all` of some cells of a part."""
    task, start = part.task, 0
    for mode, layouts in task.spaces():
        sizes = task.sizes(mode, layouts)
        if mode == part.mode:
            break
        start += math.prod(sizes)
    if only is not None:
        mine = only[(only >= start) & (only < start + math.prod(sizes))]
        return np.asarray(mine[cells.chosen % len(mine)])
    layout = np.array([layouts.index(x) for x in part.layouts])[cells.of(part.place) % len(part.layouts)]
    draft = np.searchsorted(task.drafts, cells.of(part.pools.load.draft_tokens))
    split = cells.along[2] if part.pools.match is None else cells.of(part.pools.match.split)
    return start + np.ravel_multi_index((layout, draft, split, cells.along[3]), sizes)


def evaluate_fitting(tasks: Sequence[Task]) -> Evaluated:
    """As :func:`evaluate_all`, without the layouts whose weights and one sequence exceed the memory.

    Of one query, or of several that differ in lengths, cache hit, limits and date alone, try the same layouts and whose pools
    are matched: their grids stand one after the other on the axis of layouts, with all layouts and loads that any of them needs.
    """
    first = tasks[0]
    whole = Tasks(first.query, tuple(tasks)) if len(tasks) > 1 else first
    parts: list[_Part] = []
    rooms: tuple[str, ...] = ()
    count = 0
    isl, osl = (np.array([[getattr(x.query, name)] for x in tasks]) for name in ("isl_tokens", "osl_tokens"))
    for mode, layouts in whole.spaces():
        count += math.prod(whole.sizes(mode, layouts))
        engine, _ = first.placed(mode, layouts)
        room = ledger(engine, reserved_context(engine, isl, osl))
        loads, levels = whole.loads, np.full(len(tasks), len(whole.loads))
        if mode == "disaggregated" and whole.matched:  # a decode engine runs what fits: all heavier loads are one
            levels = np.minimum(1 + np.searchsorted(loads, np.max(room.max_sequences / engine.dp, axis=1)), len(loads))
        rooms = rooms or _roomiest(engine, context_tokens(isl, osl))
        used = np.flatnonzero(room.fits.any(axis=0))
        if len(used):
            kept = tuple(layouts[i] for i in used)
            part = _evaluate(whole, mode, kept, None, (loads[: max(levels)], _possible_drafts(whole, mode, kept)))
            if len(tasks) > 1:
                own = np.arange(max(levels)) < levels.repeat(len(used)).reshape(-1, 1, 1, 1)
                part = replace(part, fits=part.fits & own, done=replace(part.done, fits=part.done.fits & own))
            parts.append(part)
    return Evaluated(tuple(parts), count, rooms)


def other_engines(found: Evaluated, front: Outcome) -> Evaluated:
    """Candidates with other numbers of decode engines than the least wasteful, where they could reach beyond a front.

    Nothing but the GPUs of a sequence, and the load of a GPU that the learnt rates depend on, differs between them. So one
    can be beyond the front only where the rate of its sibling, less the GPUs it wastes, is, both moved by the most that the
    load moves what is learnt. Own derivation.

    Parameters
    ----------
    found : Evaluated
        From :func:`evaluate_fitting`.
    front : Outcome
        The fronts, one query's after another's, each by rising speed.

    Returns
    -------
    Evaluated
        One part of their own, or none.
    """
    if not found.parts or (match := found.parts[-1].pools.match) is None:
        return Evaluated((), 0)
    part = found.parts[-1]
    pools, asked = part.pools, part.task.query
    with np.errstate(all="ignore"):
        moved, least = _most_moved(part), (pools.decode_gpus + pools.prefill_gpus) / pools.decode_workers
        user, total = part.user * moved[1], part.total * moved[0] * (least * (1.0 + ROUNDING))
        ahead = _ahead(part, front, user)
        slowest = _of_query(part, [one.query.limits.least_tok_s_per_user for one in part.task.each])
        able = part.done.fits & (user >= slowest * (1.0 - LIMIT_SLACK)) & _near_drafts(part)
        near = Cells(part.shape, np.flatnonzero(np.broadcast_to(able & (total > ahead * least), part.shape)))
        total, ahead, least, workers = (near.of(x) for x in (total, ahead, least, match.least))
        sizes, fewest = near.pair(match.sizes), np.full(1, np.inf)
        cells, engines = [], []
        for count in DECODE_ENGINES:  # those that a deployment of fewer GPUs would have picked
            each = gpus_each(count, workers, sizes, asked.most_gpus)
            beyond = (each < fewest * (1.0 - ROUNDING)) & (each > least * (1.0 + ROUNDING)) & (total > ahead * each)
            cells.append(near.chosen[beyond])
            engines.append(np.full(len(cells[-1]), count))
            fewest = np.minimum(fewest, each)
        wanted = np.concatenate(cells)
        if not len(wanted):
            return Evaluated((), 0)
        picked = Cells(part.shape, wanted)
        tp, ep, pp, dp = (picked.of(x) for x in part.widths)
        place = picked.of(part.place)
        space = _Space(part.task, part.mode, part.layouts, wanted.shape, place, (tp, ep, pp, dp), part.learnt)
        return Evaluated((_rated(space, match.at(picked).deployed(part.task, np.concatenate(engines))),), len(wanted))


def _ahead(part: _Part, front: Outcome, user: FloatArray) -> FloatArray:
    """Rate of the front of a cell's query at its speed; 0 beyond the fastest."""
    each = np.broadcast_to(user, part.shape).reshape(len(part.task.each), -1)
    ends = np.searchsorted(front.query, np.arange(len(each) + 1))
    out = [
        np.append(front.total_tok_s_per_gpu[start:end], 0.0)[np.searchsorted(front.tok_s_per_user[start:end], own)]
        for start, end, own in zip(ends[:-1], ends[1:], each, strict=True)
    ]
    return np.concatenate(out).reshape(part.shape)


def _most_moved(part: _Part) -> FloatArray:
    """The most that the load moves what is learnt of rates and of speeds, as factors, by layout and draft depth."""
    asked = part.task.query
    if part.learnt[0] is None:
        return np.full(2, load_range(asked.parameters.intercepts, cell_of(asked, part.mode)))
    ends = np.ptp(part.learnt[0], axis=2)
    drafting = np.broadcast_to(part.pools.load.draft_tokens > 0, (*part.shape[:2], 1, 1)).astype(int)
    return np.asarray(np.exp(np.take_along_axis(ends.reshape(2, -1, 2, 1, 1), drafting[None], axis=2)))


def _near_drafts(part: _Part) -> BoolArray:
    """Whether a draft depth is usual at any load between the running sequences alone and what is in flight."""
    asked, load, pools = part.task.query, part.pools.load, part.pools
    if asked.held.get("draft_tokens") is not None or not load.draft_tokens.any():
        return np.ones(1, dtype=bool)
    running = part.done.sequences * pools.decode_workers
    flight = np.where(load.concurrency > running, FLIGHT_SLACK * load.concurrency, np.inf)
    ends = [_usual_depth(asked, part.mode, x / pools.decode_gpus, part.widths[3]) for x in (running, flight)]
    draft = load.draft_tokens
    return np.asarray((draft == 0.0) | (draft <= ends[0]) & (draft >= ends[1]))


def _roomiest(engine: Engine, context: FloatArray) -> tuple[str, ...]:
    room = ledger(engine, context)
    return room.texts(int(np.argmax(room.cache_bytes)))


def _evaluate(
    task: Task,
    mode: str,
    layouts: tuple[Layout, ...],
    wanted: IntArray | None,
    fitting: tuple[FloatArray, FloatArray] | None = None,
) -> _Part:
    """``fitting`` are loads, and draft depths of each layout, that may fit; by default all, and all prefill layouts."""
    loads, drafts = fitting or (task.loads, task.drafts)
    sizes: tuple[int, ...] = (len(layouts), drafts.shape[-1], task.sizes(mode, layouts)[2], len(loads))
    if wanted is None:
        rows, shared = task.each[0].placed(mode, layouts * len(task.each), GRID_AXES)
        drafts = np.tile(drafts, (len(task.each), 1))[..., None, None] if drafts.ndim > 1 else drafts[:, None, None]
        split, place = None, np.arange(rows.tp.size).reshape(rows.tp.shape)
        shape: tuple[int, ...] = (len(rows.tp), *sizes[1:])
    else:
        which, depth, split, level = (x[None] for x in np.unravel_index(wanted, sizes))
        rows, shared = taken(task, mode, layouts, which)
        drafts, loads = drafts[depth], loads[level]
        place = which + np.arange(len(task.each))[:, None] * len(layouts)
        shape = place.shape
    isl, osl, hit = (
        of_each(task, [getattr(one.query, name) for one in task.each], place)
        for name in ("isl_tokens", "osl_tokens", "prefix_cache_hit")
    )
    years = of_each(task, [one.query.years for one in task.each], place)
    speed = np.exp(-task.values[rows.keys["trend"]] * years)
    load = Load(
        np.full_like(speed, isl),
        np.full_like(speed, osl),
        np.full_like(speed, hit),
        loads if "concurrency" in task.query.held else loads * rows.dp,
        drafts,
        speed,
    )
    space = _Space(
        task, mode, layouts, shape, place, (rows.tp, rows.ep, rows.pp, rows.dp), _learnt(task, mode, layouts)
    )
    with np.errstate(all="ignore"):
        if mode == "aggregated":
            return _rated(space, alone(task, rows, shared, load))
        if task.matched:
            whole = fitting is not None
            deployed = matched(task, rows, shared, load, split, partial(_slower, space, load), whole)
            if whole:
                space = replace(space, shape=(*shape[:2], deployed[1].prefill_gpus.shape[2], shape[3]))
            return _rated(space, deployed)
        return _rated(space, enumerated(task, rows, shared, load, split))


def _rated(space: _Space, deployed: Deployed) -> _Part:
    """Rates and latencies of what is deployed, with what measurements have taught."""
    task, mode, place, dp = space.task, space.mode, space.place, space.widths[3]
    done, pools, possible = deployed
    load, used, held = pools.load, task.query.parameters, task.query.held
    fits = done.fits & possible & (done.queued <= MOST_QUEUED * load.concurrency)
    gpus = pools.decode_gpus + pools.prefill_gpus
    if "gpus" in held:  # those that no pool can use are paid for too
        gpus = np.full_like(gpus, float(held["gpus"]))
    loops = np.array([one.values[used.index(f"closed_loop.{mode}")] for one in task.each])
    loop = loops[place // len(space.layouts)]
    each = load.concurrency / gpus
    places = _places(space, load, each)
    if space.learnt[0] is None:
        factor, user_factor = (factors(task, mode, dp, load, each, _years(space))[0],) * 2
    else:
        factor, user_factor = (np.exp(x) for x in places.read(space.learnt[0]))
    total = factor * done.requests_per_s * (loop * (load.isl_tokens + load.osl_tokens) / gpus)
    user = user_factor / done.tpot_s
    fits = fits & np.isfinite(total)
    if held.get("draft_tokens") is None and load.draft_tokens.any():
        depth = _usual_depth(task.query, mode, load.concurrency / pools.decode_gpus, dp)
        fits = fits & ((load.draft_tokens == 0.0) | (load.draft_tokens == depth))
    requests_per_s = total * gpus / (load.isl_tokens + load.osl_tokens)
    first_ms = within_stay(done.ttft_s * 1e3 * _slower(space, load, each, places), load.concurrency, requests_per_s)
    given = (task, mode, space.layouts, space.shape, place, space.widths, space.learnt)
    return _Part(*given, pools, done, gpus, total, user, first_ms, fits)


def _slower(space: _Space, load: Load, load_per_gpu: FloatArray, places: Places | None = None) -> FloatArray:
    """Factor of measurements on the time to first token of physics."""
    if space.learnt[1] is None:
        return factors(space.task, space.mode, space.widths[3], load, load_per_gpu, _years(space))[1]
    (late,) = (places or _places(space, load, load_per_gpu)).read(space.learnt[1][:1])
    return np.asarray(np.exp(late))


def _years(space: _Space) -> FloatArray:
    """Software of each candidate's query, in years since the start of 2026."""
    return _of_query(space, [one.query.years for one in space.task.each])


def _of_query(space: _Space, values: Sequence[float]) -> FloatArray:
    """One value of each query at its candidates."""
    return np.full(1, values[0]) if len(values) == 1 else np.array(values)[space.place // len(space.layouts)]


def _places(space: _Space, load: Load, load_per_gpu: FloatArray) -> Places:
    """Where candidates lie in the surfaces of their query's layouts."""
    return Places.of(2 * space.place + (load.draft_tokens > 0), load_feature(load_per_gpu))


def _learnt(task: Task, mode: str, layouts: tuple[Layout, ...]) -> tuple[FloatArray | None, FloatArray | None]:
    """What is learnt of each query's layouts, without and with drafts, over the loads; no other parameter moves it."""
    asked, points = task.query, tuple((x.query.isl_tokens, x.query.osl_tokens, x.query.years) for x in task.each)
    names = names_of(asked.chip, asked.arch, asked.engine_of(mode), asked.weight, mode)
    rates, first = asked.parameters.residual, (asked.parameters.first_token or {}).get(mode)
    return (
        None if rates is None else _surfaces(rates, names, layouts, points),
        None if first is None else _surfaces(first, names, layouts, points),
    )


@of_arguments(maxsize=64)
def _surfaces(
    residual: Residual, names: tuple[str, ...], layouts: tuple[Layout, ...], points: tuple[tuple[float, ...], ...]
) -> FloatArray:
    parts = [
        _shape(residual, names, layouts, years).at_each(np.array([[math.log2(x) for x in point[:2]] for point in some]))
        for years, some in groupby(points, key=lambda point: point[2])
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


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


def _possible_drafts(task: Task, mode: str, layouts: tuple[Layout, ...]) -> FloatArray:
    """Draft depths of each layout that are usual at some load, which none is deeper at than at none; others fill the rows."""
    asked = task.query
    if asked.held.get("draft_tokens") is not None:
        return task.drafts
    family = engine_family(asked.engine_of(mode), asked.chip.vendor)
    ranks = tuple(x.dp_attention and x.tp > 1 for x in layouts)
    return _usual_drafts(family, mode, asked.weight, tuple(task.drafts.tolist()), ranks)


@of_arguments(256)
def _usual_drafts(
    family: str, mode: str, weight: str, depths: tuple[float, ...], ranks: tuple[bool, ...]
) -> FloatArray:
    drafts, dp = np.array(depths), np.array(ranks)[:, None]
    most, least = (
        recipe_depth(family, np.array([[x]]), dp, mode == "aggregated", weight).round() for x in (0.0, np.inf)
    )
    usual = np.broadcast_to((drafts == 0.0) | (drafts >= least) & (drafts <= most), (len(ranks), len(drafts)))
    first = np.argsort(~usual, axis=1, kind="stable")[:, : max(usual.sum(axis=1))]
    return np.sort(drafts[first], axis=1)


def _usual_depth(asked: Query, mode: str, load_per_decode_gpu: FloatArray, dp: FloatArray) -> FloatArray:
    """Draft depth that public recipes of a query's engine run where they draft [tokens], whole."""
    family = engine_family(asked.engine_of(mode), asked.chip.vendor)
    return np.round(recipe_depth(family, load_per_decode_gpu, dp > 1.0, mode == "aggregated", asked.weight))
