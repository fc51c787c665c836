"""Every configuration of a search evaluated at once: layouts, splits of prefill and decode, loads and draft depths.

A mode's candidates are the cells of a grid (layout, load, draft depth, prefill layout). Each quantity is computed on the
axes it depends on and broadcast only where they meet, so that what a layout costs is not worked out again per load.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Accelerator, Model
from rackecon.errors import InputError
from rackecon.performance.engine import Engine, build_engine
from rackecon.performance.families import default_engine, engine_family, intercept_cell
from rackecon.performance.memory import ledger
from rackecon.performance.parameters import ServingParameters
from rackecon.performance.step import StepTime, prefill_pass
from rackecon.serving.closed_loop import CHUNK_TOKENS, MS, Load, Solution, aggregated, decode_pool, disaggregated
from rackecon.serving.corrections import Conditions, correction
from rackecon.serving.layouts import Layout, decode_layouts, engine_layouts, matches, prefill_layouts

__all__ = ["MODES", "Evaluated", "Task", "evaluate_all"]

FloatArray = NDArray[np.float64]
Rows = dict[str, NDArray[Any]]
MODES = ("aggregated", "disaggregated")
CONCURRENCY = np.unique(np.round(2.0 ** np.arange(0.0, 12.01, 0.25)))
DRAFTS = (0.0, 1.0, 2.0, 3.0)
PREFILL_CHOICES = 2  # prefill layouts tried per decode layout: the most productive, the soonest
PREFILL_HEADROOM = 1.1  # prefill pools are sized to run at 91 % of their capacity
MOST_QUEUED = 0.05  # share of the load that may wait for a slot; more is not a steady operating point
DECODE_ENGINES = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
BOTTLENECKS = np.array(["weights", "kv", "network", "host"])


@dataclass(frozen=True)
class Task:
    """What is searched: platform, model, workload and what is held."""

    chip: Accelerator
    arch: Model
    isl_tokens: float
    osl_tokens: float
    prefix_cache_hit: float
    weight: str
    kv: str
    engine: str | None
    years: float  # of the software, since the start of 2026
    mode: str | None
    most_gpus: int
    speculative: str | None
    parameters: ServingParameters
    held: Mapping[str, object]

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes to search."""
        return tuple(m for m in MODES if m == (self.mode or self.held.get("mode") or m))

    @property
    def drafts(self) -> FloatArray:
        """Draft depths to try [tokens]."""
        if self.held.get("draft_tokens") is not None:
            return np.array([float(str(self.held["draft_tokens"]))])
        if self.speculative == "none" or (self.speculative is None and self.arch.mtp_layers == 0):
            return np.zeros(1)
        return np.array(DRAFTS)

    @property
    def loads(self) -> FloatArray:
        """Requests in flight per attention rank to try."""
        given = self.held.get("concurrency")
        return CONCURRENCY if given is None else np.array([float(str(given))])

    def layouts(self, mode: str) -> tuple[Layout, ...]:
        """Layouts of the aggregated or decode engine to try."""
        every = (engine_layouts if mode == "aggregated" else decode_layouts)(self.chip, self.arch)
        found = tuple(x for x in every if matches(x, self.held) and x.gpus <= self.most_gpus)
        if not found:
            raise InputError(f"no layout of {self.chip.id} has the held values {dict(self.held)}")
        return found

    def engine_of(self, mode: str) -> str:
        """Serving engine of a mode: the one given, or the platform's usual."""
        if self.engine is not None:
            return self.engine
        usual = default_engine(self.chip)
        return usual if mode == "aggregated" else POOL_ENGINES.get(self.chip.vendor, usual)

    def sizes(self, mode: str, layouts: tuple[Layout, ...]) -> tuple[int, int, int, int]:
        """Grid of a mode: layouts, loads, draft depths, prefill layouts."""
        splits = 1 if mode == "aggregated" else PREFILL_CHOICES
        return len(layouts), len(self.loads), len(self.drafts), splits

    def built(self, mode: str, layouts: tuple[Layout, ...]) -> Engine:
        """Engine arrays of layouts."""
        return _built(
            self.chip, self.arch, self.weight, self.kv, self.engine_of(mode), mode, layouts, self.parameters.names
        )


POOL_ENGINES = {"nvidia": "dynamo-trtllm", "amd": "mori-sglang"}


@lru_cache(maxsize=512)
def _built(
    chip: Accelerator,
    arch: Model,
    weight: str,
    kv: str,
    engine: str,
    mode: str,
    layouts: tuple[Layout, ...],
    names: tuple[str, ...],
) -> Engine:
    n = len(layouts)
    return build_engine(
        [chip] * n,
        [arch] * n,
        [weight] * n,
        [kv] * n,
        [engine] * n,
        [mode] * n,
        np.array([x.tp for x in layouts], dtype=float),
        np.array([x.ep for x in layouts], dtype=float),
        np.array([x.pp for x in layouts], dtype=float),
        np.array([x.dp_attention for x in layouts]),
        {name: i for i, name in enumerate(names)},
    )


@dataclass(frozen=True)
class Evaluated:
    """Candidates of each mode, one after the other; columns are laid out only for the rows that are asked for."""

    shapes: tuple[tuple[int, ...], ...]
    columns: tuple[dict[str, NDArray[Any]], ...]
    steps: tuple[StepTime, ...]
    ledgers: tuple[str, ...]  # of the roomiest layout of each mode

    def column(self, name: str) -> NDArray[Any]:
        """One quantity of every candidate."""
        parts = zip(self.columns, self.shapes, strict=True)
        return np.concatenate([np.broadcast_to(values[name], shape).ravel() for values, shape in parts])

    def rows(self, chosen: NDArray[np.intp] | None = None) -> Rows:
        """All quantities of every candidate, or of the rows chosen, in their order."""
        every, parts, start = [], [], 0
        for values, shape, step in zip(self.columns, self.shapes, self.steps, strict=True):
            count = math.prod(shape)
            here = None if chosen is None else np.flatnonzero((chosen >= start) & (chosen < start + count))
            at = np.unravel_index(np.arange(count) if chosen is None else chosen[here] - start, shape)
            part = {name: np.broadcast_to(value, shape)[at] for name, value in values.items()}
            parts.append({**part, "bottleneck": _bottleneck(step, shape, at)})
            every.append(here)
            start += count
        out = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if chosen is None:
            return out
        order = np.argsort(np.concatenate(every), kind="stable")  # type: ignore[arg-type]
        return {name: values[order] for name, values in out.items()}


def evaluate_all(task: Task, only: NDArray[np.intp] | None = None) -> Evaluated:
    """Rates, latencies and fit of every candidate, or of those whose row numbers are given, rising."""
    parts, start = [], 0
    for mode in task.modes:
        layouts = task.layouts(mode)
        sizes = task.sizes(mode, layouts)
        count = math.prod(sizes)
        wanted = None if only is None else only[(only >= start) & (only < start + count)] - start
        start += count
        if wanted is None or len(wanted):
            parts.append(_evaluate(task, mode, layouts, sizes, wanted))
    shapes, columns, steps, ledgers = zip(*parts, strict=True)
    return Evaluated(shapes, columns, steps, ledgers)


def _evaluate(
    task: Task,
    mode: str,
    layouts: tuple[Layout, ...],
    sizes: tuple[int, int, int, int],
    wanted: NDArray[np.intp] | None,
) -> tuple[tuple[int, ...], dict[str, NDArray[Any]], StepTime, str]:
    # the whole grid by its axes, or a choice of its cells as one axis: the equations broadcast either way
    index = np.ogrid[tuple(map(slice, sizes))] if wanted is None else np.unravel_index(wanted, sizes)
    shape = sizes if wanted is None else (len(wanted),)
    which, load_index, draft_index, split_index = index
    base = task.built(mode, layouts)
    used = task.parameters
    v = used.values()
    rows = base.take(which)
    isl, osl = task.isl_tokens, task.osl_tokens
    speed = np.exp(-v[rows.keys["trend"]] * task.years)
    load = Load(
        np.full_like(speed, isl),
        np.full_like(speed, osl),
        np.full_like(speed, task.prefix_cache_hit),
        task.loads[load_index] * rows.dp,
        task.drafts[draft_index],
        speed,
    )
    room = ledger(base, np.full(len(layouts), isl + 0.5 * osl))
    text = room.text(int(np.argmax(room.cache_bytes)))
    with np.errstate(all="ignore"):
        if mode == "aggregated":
            done = aggregated(rows, v, load, np.ones_like(speed))
            pools = _Pools(load, rows.tp * rows.pp, np.zeros_like(speed), np.ones_like(speed), np.zeros_like(speed))
            fits = done.fits
        else:
            done, pools, possible = _split(task, rows, v, load, split_index)
            load = pools.load
            fits = done.fits & possible
        fits = fits & (done.queued <= MOST_QUEUED * load.concurrency)
        gpus = pools.decode_gpus + pools.prefill_gpus
        factor, first_factor = correction(
            used.intercepts,
            intercept_cell(task.chip.id, engine_family(task.engine_of(mode), task.chip.vendor), task.weight, mode),
            task.arch.id,
            Conditions(
                load.concurrency / gpus,
                load.isl_tokens,
                load.osl_tokens,
                (load.draft_tokens > 0).astype(float),
                (rows.dp > 1).astype(float),
                np.full_like(speed, task.years),
            ),
        )
        loop = v[used.index(f"closed_loop.{mode}")]
        total = factor * loop * done.requests_per_s * (isl + osl) / gpus
        user = factor / done.tpot_s
    drafting = load.draft_tokens > 0
    columns = {
        "engine": np.array(task.engine_of(mode)),
        "mode": np.array(mode),
        "layout": np.array([x.name for x in layouts])[which],
        "speculative": np.where(drafting, "mtp" if task.arch.mtp_layers else "eagle3", "none"),
        "tp": rows.tp,
        "ep": rows.ep,
        "pp": rows.pp,
        "dp_attention": rows.dp > 1,
        "draft_tokens": load.draft_tokens,
        "gpus": gpus,
        "prefill_gpus": pools.prefill_gpus,
        "decode_gpus": pools.decode_gpus,
        "prefill_workers": pools.prefill_workers,
        "decode_workers": pools.decode_workers,
        "concurrency": load.concurrency,
        "total_tok_s_per_gpu": total,
        "output_tok_s_per_gpu": total * osl / (isl + osl),
        "tok_s_per_user": user,
        "tpot_ms": 1e3 / user,
        "ttft_ms": done.ttft_s * 1e3 * first_factor,
        "prefill_gpu_share": np.clip(done.prefill_gpu_share, 0.0, 1.0),
        "fits": fits & np.isfinite(total),
    }
    return shape, columns, done.step, text


@dataclass(frozen=True)
class _Pools:
    """GPUs and workers of each pool, and the load of the whole deployment."""

    load: Load
    decode_gpus: FloatArray
    prefill_gpus: FloatArray
    decode_workers: FloatArray
    prefill_workers: FloatArray


def _split(
    task: Task, decode: Engine, v: FloatArray, load: Load, split_index: NDArray[np.intp]
) -> tuple[Solution, _Pools, NDArray[np.bool_]]:
    """Pools matched in rate: as many prefill workers as the decode engines can use, of two layouts in turn.

    ``split_index`` 0 is the prefill layout of most prompts per GPU, 1 the one that is soonest done with one prompt.
    """
    pool = task.built("disaggregated", tuple(prefill_layouts(task.chip, task.arch)))
    ones = np.ones_like(pool.tp)
    isl, past = task.isl_tokens, task.isl_tokens * task.prefix_cache_hit
    fresh = isl - past
    prompts = min(4.0, max(CHUNK_TOKENS / max(fresh, 1.0), 1.0))
    _, busy = prefill_pass(pool, v, fresh * ones, past * ones, prompts * ones)
    busy = busy + v[pool.keys["handoff"]] * MS / pool.dp
    alone, _ = prefill_pass(pool, v, fresh * ones, past * ones, ones, ones)
    fits = ledger(pool, isl * ones).fits
    cost = np.where(fits, busy * pool.tp * pool.pp, np.inf)
    # a layout that is 2 % sooner is not worth twice the GPUs
    sooner = np.where(fits, alone * (pool.tp * pool.pp) ** 0.1, np.inf)
    best = np.array([int(np.argmin(cost)), int(np.argmin(sooner))])[split_index]
    busy_s, alone_s = busy[best] * load.speed, alone[best] * load.speed
    done = decode_pool(decode, v, load, alone_s, busy_s)
    need = done.requests_per_s * busy_s * PREFILL_HEADROOM
    size_d, size_p = decode.tp * decode.pp, (pool.tp * pool.pp)[best]
    # as many decode engines as make the prefill pool a whole number of workers without much waste
    nd, npre, most = np.ones_like(need), np.ones_like(need), np.full_like(need, -1.0)
    for count in DECODE_ENGINES:
        workers = np.maximum(np.ceil(count * need), 1.0)
        gpus = count * size_d + workers * size_p
        per_gpu = np.where(gpus <= task.most_gpus, count / gpus, 0.0)
        better = per_gpu > most
        most, nd, npre = np.where(better, per_gpu, most), np.where(better, count, nd), np.where(better, workers, npre)
    whole = replace(load, concurrency=load.concurrency * nd)
    solved = disaggregated(decode, pool.take(best), v, whole, nd, npre)
    return solved, _Pools(whole, nd * size_d, npre * size_p, nd, npre), most > 0


def _bottleneck(step: StepTime, shape: tuple[int, ...], at: tuple[NDArray[np.intp], ...]) -> NDArray[np.str_]:
    terms = (step.attention_weights + step.dense + step.experts + step.head, step.kv, step.network, step.fixed)
    chosen = np.stack([np.broadcast_to(term, shape)[at] for term in terms])
    return np.asarray(BOTTLENECKS[np.argmax(np.nan_to_num(chosen), axis=0)])
