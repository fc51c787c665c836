"""Predictions for serving points whose layout and load are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rackecon.performance.engine import Engine
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.performance.residual import NAMES, Sites, load_feature, names_of
from rackecon.serving.bottlenecks import bottlenecks
from rackecon.serving.closed_loop import Load, Solution, aggregated, disaggregated
from rackecon.serving.corrections import Conditions, design
from rackecon.serving.points import UNKNOWN_DRAFT_TOKENS, Points

__all__ = ["Predictions", "Prepared", "predict", "prepare"]

FloatArray = NDArray[np.float64]
LIGHT_LOAD = 80.0  # requests per data-parallel rank up to which recipes draft 3 tokens


@dataclass(frozen=True)
class Predictions:
    """One value a row; NaN with a ``status`` and ``reason`` where there is no prediction."""

    total_tok_s_per_gpu: FloatArray
    output_tok_s_per_gpu: FloatArray
    tok_s_per_user: FloatArray
    tpot_ms: FloatArray
    ttft_ms: FloatArray
    queued_share: FloatArray
    prefill_gpu_share: FloatArray
    bottleneck: NDArray[np.str_]
    status: NDArray[np.str_]
    reason: NDArray[np.str_]


@dataclass(frozen=True)
class Prepared:
    """Everything of the points that no parameter changes: engine arrays by mode, loads, rows."""

    size: int
    agg_rows: NDArray[np.intp]
    agg: Engine | None
    agg_load: Load | None
    agg_engines: FloatArray
    dis_rows: NDArray[np.intp]
    dis: Engine | None
    dis_prefill: Engine | None
    dis_load: Load | None
    dis_workers: tuple[FloatArray, FloatArray]
    gpus: FloatArray
    tokens: FloatArray
    output_share: FloatArray
    years: FloatArray
    cells: tuple[str, ...]
    models: tuple[str, ...]
    conditions: Conditions
    disaggregated: NDArray[np.bool_]
    supported: NDArray[np.bool_]
    sites: Sites


def usual_draft_tokens(points: Points, rows: NDArray[np.intp]) -> FloatArray:
    """Expected draft depth where a row names a method but no depth [tokens]: :func:`recipe_depth`, else the mean of 1 to 3."""
    n = points.numbers
    ranks = np.where(np.isfinite(n["decode_gpus"]), n["decode_gpus"], n["tp"])[rows]
    load = n["concurrency"][rows] / np.maximum(np.nan_to_num(ranks, nan=1.0), 1.0)
    one_engine = np.array([points.mode[i] == "aggregated" for i in rows], dtype=bool)
    stated = np.array(["trtllm" in points.engine[i] for i in rows], dtype=bool)
    depth = recipe_depth(load, n["dp_attention"][rows] > 0, one_engine)
    return np.where(stated, depth, UNKNOWN_DRAFT_TOKENS)


def recipe_depth(
    load_per_gpu: FloatArray, dp_attention: NDArray[np.bool_], aggregated: NDArray[np.bool_] | bool
) -> FloatArray:
    """Draft depth of published TensorRT-LLM recipes [tokens]; ``load_per_gpu`` counts decode GPUs.

    They draft 3 tokens with tensor-parallel attention. With data-parallel attention they draft 1 in one engine (the
    benchmark's launch scripts), and 3 at light load falling to 1 at heavy load in pools (data/measured_serving.csv, rows
    that state it).

    Examples
    --------
    >>> recipe_depth(np.array([4.0, 160.0, 640.0]), np.array([True]), False).tolist()
    [3.0, 2.0, 1.0]
    """
    spread = np.clip(3.0 - np.log2(np.maximum(load_per_gpu, 1.0) / LIGHT_LOAD), 1.0, 3.0)
    return np.where(dp_attention, np.where(aggregated, 1.0, spread), 3.0)


def _load(points: Points, rows: NDArray[np.intp]) -> Load:
    n = points.numbers
    factor = n["length_draw"][rows]
    draft = n["draft_tokens"][rows]
    method = n["speculative"][rows] > 0
    unknown = usual_draft_tokens(points, rows)
    draft = np.where(method, np.where(np.isfinite(draft) & (draft > 0), draft, unknown), 0.0)
    hit = np.nan_to_num(n["prefix_cache_hit"][rows])
    return Load(
        n["isl"][rows] * factor, n["osl"][rows] * factor, hit, n["concurrency"][rows], draft, np.ones(len(rows))
    )


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
        nd = np.where(np.isfinite(m["decode_workers"]), m["decode_workers"], m["decode_gpus"] / decode.tp)
        npre = np.where(np.isfinite(m["prefill_workers"]), m["prefill_workers"], m["prefill_gpus"] / prefill.tp)
        nd, npre = np.maximum(nd, 1.0), np.maximum(npre, 1.0)
        workers = (nd, npre)
        summed = nd * decode.tp * decode.pp + npre * prefill.tp
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
        (ep > 1) | (ranked & (tp > 8)),
        ranked,
        n["speculative"] > 0,
        points.years,
    )
    rows = zip(chips, archs, points.engine, points.weight_precision, points.mode, strict=True)
    names = np.array([names_of(*row) for row in rows]).reshape(len(points), len(NAMES))
    return Sites(names, np.stack([np.asarray(x, dtype=float) for x in columns], axis=1))


def _with_speed(load: Load, speed: FloatArray) -> Load:
    return Load(load.isl_tokens, load.osl_tokens, load.prefix_cache_hit, load.concurrency, load.draft_tokens, speed)


def solve(prepared: Prepared, v: FloatArray, index: dict[str, int]) -> tuple[FloatArray, ...]:
    """Rates and latencies of prepared points for one parameter vector, without intercepts."""
    total, user, ttft, queued, share = (np.full(prepared.size, np.nan) for _ in range(5))
    parts: list[tuple[NDArray[np.intp], Solution]] = []
    if prepared.agg is not None and prepared.agg_load is not None:
        rows = prepared.agg_rows
        speed = np.exp(-v[prepared.agg.keys["trend"]] * prepared.years[rows])
        done = aggregated(prepared.agg, v, _with_speed(prepared.agg_load, speed), prepared.agg_engines)
        parts.append((rows, done))
    if prepared.dis is not None and prepared.dis_prefill is not None and prepared.dis_load is not None:
        rows = prepared.dis_rows
        speed = np.exp(-v[prepared.dis.keys["trend"]] * prepared.years[rows])
        done = disaggregated(
            prepared.dis, prepared.dis_prefill, v, _with_speed(prepared.dis_load, speed), *prepared.dis_workers
        )
        parts.append((rows, done))
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
    """Predict rates and latencies of points with a given layout, mode and concurrency.

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
    ready = prepared or prepare(points)
    index = {name: i for i, name in enumerate(used.names)}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total, user, ttft, queued, share, parts = solve(ready, used.values(), index)
    coefficients, rates, firsts = design(ready.cells, ready.models, ready.conditions)
    effects = np.array([used.intercepts.get(name, 0.0) for name in coefficients])
    shifts = used.residual.mean(ready.sites) if used.residual is not None else (rates @ effects,) * 2
    factor, user_factor, first_factor = (np.exp(x) for x in (*shifts, firsts @ effects))
    status = np.full(ready.size, "ok", dtype="<U16")
    reason = np.full(ready.size, "", dtype="<U200")
    bottleneck = np.full(ready.size, "", dtype="<U8")
    status[~ready.supported] = "unsupported"
    for i in np.flatnonzero(~ready.supported):
        reason[i] = f"no facts enough for {points.accelerator[i]}: see its note in data/accelerators.csv"
    for rows, done in parts:
        bottleneck[rows] = bottlenecks(done.step)
        for i, ok in zip(rows, done.fits, strict=True):
            if not ok:
                status[i] = "does_not_fit"
                reason[i] = "weights and one sequence exceed the memory of the layout"
    ok = status == "ok"
    total, user = np.where(ok, total * factor, np.nan), np.where(ok, user * user_factor, np.nan)
    ttft = np.where(ok, ttft * first_factor, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Predictions(
            total_tok_s_per_gpu=total,
            output_tok_s_per_gpu=total * ready.output_share,
            tok_s_per_user=user,
            tpot_ms=1e3 / user,
            ttft_ms=ttft,
            queued_share=queued,
            prefill_gpu_share=share,
            bottleneck=bottleneck,
            status=status,
            reason=reason,
        )
