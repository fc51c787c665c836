"""Predictions for serving points: those whose layout and load are given, and, by a search with the rest held, others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog.cached import one_state
from rackecon.errors import InputError
from rackecon.performance.engine import Engine
from rackecon.performance.families import NODE_GPUS, engine_family
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.performance.residual import NAMES, Sites, by_mode, load_feature, names_of
from rackecon.serving.bottlenecks import bottlenecks
from rackecon.serving.closed_loop import Load, Solution, aggregated, disaggregated
from rackecon.serving.corrections import Conditions, design, within_stay
from rackecon.serving.points import Points
from rackecon.serving.query import HELD, Query
from rackecon.serving.recipes import recipe_depth

RATES = ("total_tok_s_per_gpu", "output_tok_s_per_gpu", "tok_s_per_user", "tpot_ms", "ttft_ms")
TEXTS = {"bottleneck": 8, "mode": 16, "status": 16, "reason": 300, "layout": 60}


@dataclass(frozen=True)
class Predictions:
    """One value a row; NaN with a ``status`` and ``reason`` where there is no prediction.

    ``layout``, ``gpus`` and ``concurrency`` are what the rates are of: as given, or as found by the search.
    """

    total_tok_s_per_gpu: FloatArray
    output_tok_s_per_gpu: FloatArray
    tok_s_per_user: FloatArray
    tpot_ms: FloatArray
    ttft_ms: FloatArray
    queued_share: FloatArray
    prefill_gpu_share: FloatArray
    gpus: FloatArray
    concurrency: FloatArray
    bottleneck: NDArray[np.str_]
    mode: NDArray[np.str_]
    status: NDArray[np.str_]
    reason: NDArray[np.str_]
    layout: NDArray[np.str_]

    def put(self, into: Predictions, rows: IntArray) -> None:
        """Write these values into rows of another record."""
        for name in self.__dataclass_fields__:
            getattr(into, name)[rows] = getattr(self, name)


@dataclass(frozen=True)
class Prepared:
    """Everything of the points that no parameter changes: engine arrays by mode, loads, rows."""

    size: int
    agg_rows: IntArray
    agg: Engine | None
    agg_load: Load
    agg_engines: FloatArray
    dis_rows: IntArray
    dis: Engine | None
    dis_prefill: Engine | None
    dis_load: Load
    dis_workers: tuple[FloatArray, FloatArray]
    gpus: FloatArray
    concurrency: FloatArray
    tokens: FloatArray
    output_share: FloatArray
    years: FloatArray
    cells: tuple[str, ...]
    models: tuple[str, ...]
    conditions: Conditions
    disaggregated: BoolArray
    supported: BoolArray
    sites: Sites

    def first_within_stay(self, first_ms: FloatArray, total_tok_s_per_gpu: FloatArray) -> FloatArray:
        """Corrected times to first token [ms], none longer than a request stays at the corrected rate."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return within_stay(first_ms, self.concurrency, total_tok_s_per_gpu * self.gpus / self.tokens)


def usual_draft_tokens(points: Points, rows: IntArray) -> FloatArray:
    """Expected draft depth where a row names a method but no depth [tokens]: :func:`recipe_depth`."""
    n, chips, formats = points.numbers, points.records[0], points.weight_precision
    ranks = np.where(np.isfinite(n["decode_gpus"]), n["decode_gpus"], n["tp"])[rows]
    load = n["concurrency"][rows] / np.maximum(np.nan_to_num(ranks, nan=1.0), 1.0)
    ranked, alone = n["dp_attention"][rows] > 0, np.array([points.mode[i] == "aggregated" for i in rows], dtype=bool)
    kinds = [(engine_family(points.engine[i], chips[i].vendor), formats[i]) for i in rows]
    out = np.zeros(len(rows))
    for kind in dict.fromkeys(kinds):
        at = np.array([one == kind for one in kinds])
        out[at] = recipe_depth(kind[0], load[at], ranked[at], alone[at], kind[1])
    return out


def _load(points: Points, rows: IntArray) -> Load:
    n = points.numbers
    factor = n["length_draw"][rows]
    method = n["speculative"][rows] > 0
    draft = np.where(method, n["draft_tokens"][rows], 0.0)
    left = method & ~(draft > 0)
    draft[left] = usual_draft_tokens(points, rows[left])
    hit = np.nan_to_num(n["prefix_cache_hit"][rows])
    lengths, limit = (n["isl"][rows] * factor, n["osl"][rows] * factor), n["max_sequences"][rows]
    limit = np.where(np.isfinite(limit), limit, np.inf)
    return Load(*lengths, hit, n["concurrency"][rows], draft, np.ones(len(rows)), limit)


@one_state()
def prepare(points: Points) -> Prepared:
    """Lay points out for repeated prediction; every row needs mode, layout and concurrency."""
    n = points.numbers
    dis = np.array([mode == "disaggregated" for mode in points.mode])
    chips, _ = points.records
    supported = np.array([chip.servable for chip in chips])
    agg_rows, dis_rows = np.flatnonzero(~dis & supported), np.flatnonzero(dis & supported)
    engines = points.select(agg_rows)
    agg = engines.engines() if len(agg_rows) else None
    gpus = n["gpus"].copy()
    agg_engines = np.ones(len(agg_rows))
    if agg is not None:
        size = agg.tp * agg.pp
        gpus[agg_rows] = np.where(np.isfinite(gpus[agg_rows]), np.maximum(gpus[agg_rows], size), size)
        agg_engines = np.maximum(np.round(gpus[agg_rows] / size), 1.0)
    prefill = decode = None
    workers = (np.ones(0), np.ones(0))
    if len(dis_rows):
        part = points.select(dis_rows)
        decode, prefill = part.engines(), part.engines(prefill=True)
        m = part.numbers
        size_d, size_p = decode.tp * decode.pp, prefill.tp * prefill.pp
        nd = np.where(np.isfinite(m["decode_workers"]), m["decode_workers"], m["decode_gpus"] / size_d)
        npre = np.where(np.isfinite(m["prefill_workers"]), m["prefill_workers"], m["prefill_gpus"] / size_p)
        nd, npre = np.maximum(nd, 1.0), np.maximum(npre, 1.0)
        workers = (nd, npre)
        summed = nd * size_d + npre * size_p
        gpus[dis_rows] = np.where(np.isfinite(gpus[dis_rows]), gpus[dis_rows], summed)
    tokens = (n["isl"] + n["osl"]) * n["length_draw"]
    return Prepared(
        size=len(points),
        agg_rows=agg_rows,
        agg=agg,
        agg_load=_load(points, agg_rows),
        agg_engines=agg_engines,
        dis_rows=dis_rows,
        dis=decode,
        dis_prefill=prefill,
        dis_load=_load(points, dis_rows),
        dis_workers=workers,
        gpus=gpus,
        concurrency=n["concurrency"],
        tokens=tokens,
        output_share=n["osl"] / (n["isl"] + n["osl"]),
        years=points.years,
        cells=points.cells,
        models=points.model,
        conditions=Conditions(
            n["concurrency"] / gpus,
            n["isl"],
            n["osl"],
            (n["speculative"] > 0).astype(float),
            (n["dp_attention"] > 0).astype(float),
            points.years,
        ),
        disaggregated=dis,
        supported=supported,
        sites=_sites(points, gpus),
    )


def _sites(points: Points, gpus: FloatArray) -> Sites:
    """The points as the residual process sees them."""
    n, (chips, archs) = points.numbers, points.records
    tp, ep = (np.nan_to_num(n[name], nan=1.0) for name in ("tp", "ep"))
    ranked = n["dp_attention"] > 0
    columns = (
        load_feature(n["concurrency"] / gpus),
        np.log2(n["isl"] * n["length_draw"]),
        np.log2(n["osl"] * n["length_draw"]),
        np.log2(np.maximum(tp, 1.0)),
        (ep > 1) | (ranked & (tp > NODE_GPUS)),
        ranked,
        n["speculative"] > 0,
        points.years,
    )
    rows = zip(chips, archs, points.engine, points.weight_precision, points.mode, strict=True)
    names = np.array([names_of(*row) for row in rows]).reshape(len(points), len(NAMES))
    return Sites(names, np.stack([np.asarray(x, dtype=float) for x in columns], axis=1))


def solve(prepared: Prepared, v: FloatArray, index: dict[str, int]) -> tuple[FloatArray, ...]:
    """Rates and latencies of prepared points for one parameter vector, without intercepts."""
    total, user, ttft, queued, share = (np.full(prepared.size, np.nan) for _ in range(5))
    parts: list[tuple[IntArray, Solution]] = []

    def dated(load: Load, engine: Engine, rows: IntArray) -> Load:
        return replace(load, speed=np.exp(-v[engine.keys["trend"]] * prepared.years[rows]))

    if prepared.agg is not None:
        load = dated(prepared.agg_load, prepared.agg, prepared.agg_rows)
        parts.append((prepared.agg_rows, aggregated(prepared.agg, v, load, prepared.agg_engines)))
    if prepared.dis is not None and prepared.dis_prefill is not None:
        load = dated(prepared.dis_load, prepared.dis, prepared.dis_rows)
        done = disaggregated(prepared.dis, prepared.dis_prefill, v, load, *prepared.dis_workers)
        parts.append((prepared.dis_rows, done))
    for rows, done in parts:
        loop = np.where(
            prepared.disaggregated[rows], v[index["closed_loop.disaggregated"]], v[index["closed_loop.aggregated"]]
        )
        total[rows] = loop * done.requests_per_s * prepared.tokens[rows] / prepared.gpus[rows]
        user[rows] = 1.0 / done.tpot_s
        ttft[rows] = done.ttft_s * 1e3
        queued[rows] = done.queued / np.maximum(done.queued + done.running, 1e-9)
        share[rows] = done.prefill_gpu_share
    return total, user, ttft, queued, share, parts  # type: ignore[return-value]


def predict(
    points: Points, parameters: ServingParameters | None = None, prepared: Prepared | None = None
) -> Predictions:
    """Predict rates and latencies of points; what a row leaves open is searched, what it gives is held.

    A row with its mode, layout and concurrency is solved as it is. Any other is the best point of
    :func:`rackecon.serving.frontier.search` with the row's values held, so the two agree.

    Parameters
    ----------
    points : Points
        Conditions.
    parameters : ServingParameters, optional
        The shipped ones by default.
    prepared : Prepared, optional
        From :func:`prepare`, to save it for repeated calls.

    Returns
    -------
    Predictions
        Rates over all GPUs [tok/s per GPU]; total counts input and output tokens. Latencies are medians [ms].

    Examples
    --------
    >>> point = dict(accelerator="h100-sxm", model="gpt-oss-120b", weight_precision="fp4", isl=3000, osl=1000,
    ...     mode="aggregated", tp=2, ep=1, gpus=2, concurrency=64)
    >>> found = predict(Points.from_rows([point]))
    >>> float(found.total_tok_s_per_gpu[0] / found.output_tok_s_per_gpu[0])
    4.00
    """
    used = parameters or load_parameters()
    whole = np.array([not fault for fault in points.faults], dtype=bool)
    served = np.array([chip.servable for chip in points.records[0]], dtype=bool)
    out = _nothing(len(points))
    for i in np.flatnonzero(~(whole & served)):
        name = points.accelerator[i]
        out.reason[i] = points.faults[i] or f"no facts enough for {name}: see its note in data/accelerators.csv"
    closed = np.flatnonzero(whole & served & ~points.open) if prepared is None else np.arange(len(points))
    if len(closed):
        _given(points.select(closed), used, prepared).put(out, closed)
    memory: dict[str, dict[str, Any]] = {}
    for i in np.flatnonzero(whole & served & points.open) if prepared is None else ():
        asked = query_of(points, int(i), used)
        key = repr((asked.chip.id, asked.arch.id, asked.date, asked.limits, sorted(asked.held.items()), *_plain(asked)))
        if key not in memory:
            memory[key] = _searched(asked)
        for name, value in memory[key].items():
            getattr(out, name)[i] = value
    return out


def _plain(asked: Query) -> tuple[object, ...]:
    lengths = (asked.isl_tokens, asked.osl_tokens, asked.prefix_cache_hit)
    return (*lengths, asked.weight, asked.kv, asked.engine, asked.mode, asked.speculative)


def _nothing(size: int) -> Predictions:
    rates = {name: np.full(size, np.nan) for name in Predictions.__dataclass_fields__ if name not in TEXTS}
    texts = {name: np.full(size, "", dtype=f"<U{width}") for name, width in TEXTS.items()}
    texts["status"][:] = "unsupported"
    return Predictions(**rates, **texts)


def query_of(points: Points, i: int, parameters: ServingParameters) -> Query:
    """The question of a row that leaves something open: what it gives is held, the rest is searched."""
    n = {name: float(values[i]) for name, values in points.numbers.items()}
    given = {name: n[name] for name in HELD if name in n and math.isfinite(n[name])}
    drafting = n["speculative"] > 0
    hold: dict[str, object] = {k: bool(v) if k.endswith("dp_attention") else v for k, v in given.items()}
    if not (drafting and n["draft_tokens"] > 0):
        hold.pop("draft_tokens", None)
    engine, kv = points.named[i]
    return Query.of(
        points.accelerator[i],
        points.model[i],
        max(n["isl"] * n["length_draw"], 1.0),
        max(n["osl"] * n["length_draw"], 1.0),
        prefix_cache_hit=n["prefix_cache_hit"] if n["prefix_cache_hit"] > 0 else 0.0,
        weight_precision=points.weight_precision[i],
        kv_precision=kv or None,
        engine=engine or None,
        date=points.date[i],
        mode=None if points.mode[i] == "unstated" else points.mode[i],
        speculative=None if drafting else "none",
        latency_statistic=points.statistic[i],
        parameters=parameters,
        hold=hold,
        **{name: n[name] for name in ("ttft_limit_ms", "tpot_limit_ms") if math.isfinite(n[name])},
    )


def _searched(asked: Query) -> dict[str, Any]:
    """Best point of a search; the nearest to the limits where none keeps them."""
    from rackecon.serving.frontier import find

    try:
        front = find(asked)
    except InputError as fault:
        return {"status": "unsupported", "reason": str(fault)}
    best: Mapping[str, Any] | None = front.best()
    reason = ""
    if best is None and front.nearest is not None:
        best, reason = front.nearest, f"no candidate meets the latency limits; this one comes nearest: {front.reason}"
    if best is None:
        return {"status": "does_not_fit", "reason": front.reason}
    names = (*RATES, "prefill_gpu_share", "gpus", "concurrency", "bottleneck", "mode", "layout")
    return {name: best[name] for name in names} | {"queued_share": 0.0, "status": "ok", "reason": reason}


def log_factors(ready: Prepared, used: ServingParameters) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logs of what is fitted on top of physics: factors on total rate, on speed per user and on first-token time."""
    names, rates, firsts = design(ready.cells, ready.models, ready.conditions)
    effects = np.array([used.intercepts.get(name, 0.0) for name in names])
    rate, user = used.residual.mean(ready.sites) if used.residual is not None else (rates @ effects,) * 2
    return rate, user, by_mode(used.first_token or {}, ready.sites, firsts @ effects)


def _given(points: Points, used: ServingParameters, prepared: Prepared | None) -> Predictions:
    ready = prepared or prepare(points)
    index = {name: i for i, name in enumerate(used.names)}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total, user, ttft, queued, share, parts = solve(ready, used.values(), index)
    factor, user_factor, first_factor = (np.exp(x) for x in log_factors(ready, used))
    out = _nothing(ready.size)
    out.mode[:] = points.mode
    out.status[ready.supported] = "ok"
    for rows, done in parts:
        out.bottleneck[rows] = bottlenecks(done.step)
        full = rows[~done.fits]
        out.status[full] = "does_not_fit"
        out.reason[full] = "weights and one sequence exceed the memory of the layout"
    ok = out.status == "ok"
    first_ms = ready.first_within_stay(ttft * first_factor, total * factor)
    for name, values in (
        ("total_tok_s_per_gpu", total * factor),
        ("output_tok_s_per_gpu", total * factor * ready.output_share),
        ("tok_s_per_user", user * user_factor),
        ("tpot_ms", 1e3 / (user * user_factor)),
        ("ttft_ms", first_ms),
    ):
        getattr(out, name)[:] = np.where(ok, values, np.nan)
    out.queued_share[:], out.prefill_gpu_share[:] = queued, share
    out.gpus[:], out.concurrency[:] = ready.gpus, ready.concurrency
    out.layout[:] = [f"TP{tp:g}" for tp in points.numbers["tp"]]
    return out
