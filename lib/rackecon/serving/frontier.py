"""The best that a platform does for a model and a workload: throughput per GPU against speed per user.

Every layout, split of prefill and decode, batch and draft depth is evaluated at once; what does not fit in memory or
misses a latency limit falls out with a reason; the rest is reduced to its Pareto front.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Accelerator, Model, accelerator, base_case, model
from rackecon.errors import InputError, unknown_name
from rackecon.performance.engine import PRECISION_BITS, Engine, build_engine
from rackecon.performance.families import ENGINES, default_engine, engine_family, intercept_cell
from rackecon.performance.memory import ledger
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.performance.step import prefill_pass
from rackecon.serving.closed_loop import CHUNK_TOKENS, MS, Load, Solution, aggregated, decode_pool, disaggregated
from rackecon.serving.corrections import Conditions, correction
from rackecon.serving.layouts import Layout, decode_layouts, default_precision, engine_layouts, matches, prefill_layouts
from rackecon.serving.points import years_since_2026

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["P99_TPOT_FACTOR", "P99_TTFT_FACTOR", "Frontier", "candidates", "search"]

FloatArray = NDArray[np.float64]
# 99th percentile over median, from MLPerf runs at their limits (data/measured_mlperf.csv: p99 over p50 TPOT, p99 over
# mean TTFT, medians over submissions)
P99_TPOT_FACTOR = 1.3
P99_TTFT_FACTOR = 3.0
CONCURRENCY = np.unique(np.round(2.0 ** np.arange(0.0, 12.01, 0.25)))
DRAFTS = (0.0, 1.0, 2.0, 3.0)
PREFILL_CHOICES = 2  # prefill layouts tried per decode layout: the most productive, the soonest
PREFILL_HEADROOM = 1.1  # prefill pools are sized to run at 91 % of their capacity
MOST_QUEUED = 0.05  # share of the load that may wait for a slot; more is not a steady operating point
MODES = ("aggregated", "disaggregated")
COLUMNS = (
    "tp",
    "ep",
    "pp",
    "dp_attention",
    "draft_tokens",
    "gpus",
    "prefill_gpus",
    "decode_gpus",
    "prefill_workers",
    "decode_workers",
    "concurrency",
    "total_tok_s_per_gpu",
    "output_tok_s_per_gpu",
    "tok_s_per_user",
    "tpot_ms",
    "ttft_ms",
    "prefill_gpu_share",
)


@dataclass(frozen=True)
class Frontier:
    """Pareto front of one platform, model and workload; empty with a ``reason`` where nothing serves it.

    Examples
    --------
    >>> front = search("b200-hgx", "gpt-oss-120b", 1000, 500, tpot_limit_ms=20.0)
    >>> bool(front.table["tpot_ms"].max() <= 20.0)
    True
    """

    accelerator: str
    model: str
    isl_tokens: float
    osl_tokens: float
    rows: Mapping[str, NDArray[Any]]
    reason: str
    candidates: int
    fitting: int
    ledger_text: str

    def __len__(self) -> int:
        return len(self.rows["tok_s_per_user"])

    @property
    def table(self) -> pd.DataFrame:
        """The front as a data frame, slowest and most productive point first."""
        import pandas as pd

        frame = pd.DataFrame(dict(self.rows))
        for position, (name, value) in enumerate(
            (
                ("accelerator", self.accelerator),
                ("model", self.model),
                ("isl_tokens", self.isl_tokens),
                ("osl_tokens", self.osl_tokens),
            )
        ):
            frame.insert(position, name, value)  # type: ignore[arg-type]
        return frame

    def best(self) -> dict[str, Any] | None:
        """The point of highest throughput within the limits, or None."""
        if not len(self):
            return None
        i = int(np.argmax(self.rows["total_tok_s_per_gpu"]))
        return {
            name: values[i].item() if hasattr(values[i], "item") else values[i] for name, values in self.rows.items()
        }

    def rate_at(self, tok_s_per_user: float) -> float:
        """Total tokens per second and GPU at a speed, log-linear between points; NaN beyond the fastest point."""
        speed, rate = self.rows["tok_s_per_user"], self.rows["total_tok_s_per_gpu"]
        if not len(self) or tok_s_per_user > speed[-1]:
            return math.nan
        return float(np.exp(np.interp(tok_s_per_user, speed, np.log(rate))))


def search(
    accelerator_id: str,
    model_id: str | Model,
    isl_tokens: float,
    osl_tokens: float,
    *,
    prefix_cache_hit: float = 0.0,
    weight_precision: str | None = None,
    kv_precision: str | None = None,
    ttft_limit_ms: float | None = None,
    tpot_limit_ms: float | None = None,
    latency_statistic: str = "median",
    mode: str | None = None,
    engine: str | None = None,
    date: str | None = None,
    max_gpus: int | None = None,
    speculative: str | None = None,
    parameters: ServingParameters | None = None,
    hold: Mapping[str, object] | None = None,
) -> Frontier:
    """Search every layout for the Pareto front of throughput per GPU against speed per user.

    Parameters
    ----------
    accelerator_id : str
        Id of the catalog.
    model_id : str or Model
        Id of the catalog, or a record (a changed copy walks an architecture).
    isl_tokens, osl_tokens : float
        Mean input and output length [tokens].
    prefix_cache_hit : float
        Share of input tokens served from a prefix cache [-].
    weight_precision, kv_precision : str, optional
        bf16, fp8, fp4 or int4; the platform's usual by default.
    ttft_limit_ms, tpot_limit_ms : float, optional
        Latency limits [ms]; none by default.
    latency_statistic : str
        ``median`` or ``p99``: which statistic the limits bind.
    mode : str, optional
        ``aggregated`` or ``disaggregated``; both by default.
    engine : str, optional
        Serving engine; the platform's usual by default.
    date : str, optional
        ISO date of the software; the base case's by default.
    max_gpus : int, optional
        Largest deployment [GPU]; 128 by default.
    speculative : str, optional
        ``none`` or ``mtp``; by default ``mtp`` where the model ships a draft head.
    parameters : ServingParameters, optional
        The shipped ones by default.
    hold : mapping, optional
        Values held: tp, ep, pp, dp_attention, draft_tokens, mode, concurrency.

    Returns
    -------
    Frontier
        Rates over all GPUs, prefill and decode; total counts input (cached too) and output tokens.

    Raises
    ------
    InputError
        Unknown name, length or limit out of range.

    Examples
    --------
    >>> front = search("gb200-nvl72", "deepseek-r1", 1024, 1024)
    >>> len(front) > 5
    True
    """
    chip = accelerator(accelerator_id)
    arch = model_id if isinstance(model_id, Model) else model(model_id)
    _check(
        isl_tokens,
        osl_tokens,
        prefix_cache_hit,
        ttft_limit_ms,
        tpot_limit_ms,
        latency_statistic,
        mode,
        speculative,
        arch,
    )
    if not chip.servable:
        return _empty(chip, arch, isl_tokens, osl_tokens, f"not modelled: {chip.note}")
    weight = weight_precision or default_precision(chip, arch)
    kv = kv_precision or ("fp8" if weight in ("fp8", "fp4") else "bf16")
    for kind, value in (("weight_precision", weight), ("kv_precision", kv)):
        if value not in PRECISION_BITS:
            raise unknown_name(kind, value, PRECISION_BITS)
    if engine is not None and engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    rows, texts = _all_rows(
        chip,
        arch,
        isl_tokens,
        osl_tokens,
        prefix_cache_hit,
        weight,
        kv,
        engine,
        date,
        mode,
        max_gpus,
        speculative,
        parameters,
        hold,
    )
    fits = rows.pop("fits").astype(bool)
    tail = P99_TPOT_FACTOR if latency_statistic == "p99" else 1.0
    first_tail = P99_TTFT_FACTOR if latency_statistic == "p99" else 1.0
    ok = fits & np.isfinite(rows["total_tok_s_per_gpu"])
    count, fitting = len(ok), int(ok.sum())
    if not fitting:
        return _empty(chip, arch, isl_tokens, osl_tokens, f"does not fit: {texts[0]}", count, texts[0])
    within = ok.copy()
    if tpot_limit_ms is not None:
        within &= rows["tpot_ms"] * tail <= tpot_limit_ms * (1 + 1e-9)
    reason = ""
    if not within.any() and tpot_limit_ms is not None:
        fastest = float(rows["tok_s_per_user"][ok].max())
        reason = f"no layout reaches {1e3 / tpot_limit_ms:.3g} tok/s/user: the fastest gives {fastest / tail:.3g}"
    if ttft_limit_ms is not None:
        before = within.copy()
        within &= rows["ttft_ms"] * first_tail <= ttft_limit_ms * (1 + 1e-9)
        if before.any() and not within.any():
            soonest = float(rows["ttft_ms"][before].min()) * first_tail
            reason = (
                f"no layout gives the first token within {ttft_limit_ms:.4g} ms: the soonest takes {soonest:.4g} ms"
            )
    if not within.any():
        return _empty(chip, arch, isl_tokens, osl_tokens, reason, count, texts[0])
    keep = _pareto(rows["tok_s_per_user"], rows["total_tok_s_per_gpu"], within)
    front = {name: values[keep] for name, values in rows.items()}
    front["layout"] = _layout_texts(front)
    front["weight_precision"] = np.full(len(keep), weight)
    front["kv_precision"] = np.full(len(keep), kv)
    return Frontier(accelerator_id, arch.id, isl_tokens, osl_tokens, front, "", count, fitting, texts[0])


def _all_rows(
    chip: Accelerator,
    arch: Model,
    isl: float,
    osl: float,
    hit: float,
    weight: str,
    kv: str,
    engine: str | None,
    date: str | None,
    mode: str | None,
    max_gpus: int | None,
    speculative: str | None,
    parameters: ServingParameters | None,
    hold: Mapping[str, object] | None,
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    used = parameters or load_parameters()
    years = years_since_2026(date or base_case().as_of_date)
    held = dict(hold or {})
    drafts = _drafts(arch, speculative, held)
    modes = [m for m in MODES if m == (mode or held.get("mode") or m)]
    parts, texts = [], []
    for m in modes:
        part, text = _evaluate(
            chip,
            arch,
            weight,
            kv,
            engine or _engine(chip, m),
            m,
            isl,
            osl,
            hit,
            years,
            drafts,
            max_gpus or 128,
            used,
            held,
        )
        parts.append(part)
        texts.append(text)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, texts


def candidates(
    accelerator_id: str,
    model_id: str,
    isl_tokens: float,
    osl_tokens: float,
    *,
    prefix_cache_hit: float = 0.0,
    parameters: ServingParameters | None = None,
    weight_precision: str | None = None,
    kv_precision: str | None = None,
    mode: str | None = None,
    engine: str | None = None,
    date: str | None = None,
    max_gpus: int | None = None,
    speculative: str | None = None,
    hold: Mapping[str, object] | None = None,
) -> dict[str, NDArray[Any]]:
    """Every configuration that :func:`search` looks at, before limits, in an order that lengths do not change.

    Row ``k`` is the same layout, load and draft depth in any two calls for one platform, model and set of options, so
    that the same configurations can be followed through changed lengths, cache hits and parameters.

    Parameters
    ----------
    accelerator_id, model_id, isl_tokens, osl_tokens, prefix_cache_hit, parameters, ...
        As in :func:`search`.

    Returns
    -------
    dict of ndarray
        Columns of a front, and ``fits``; empty for an accelerator that is not modelled.
    """
    chip = accelerator(accelerator_id)
    arch = model_id if isinstance(model_id, Model) else model(model_id)
    _check(isl_tokens, osl_tokens, prefix_cache_hit, None, None, "median", mode, speculative, arch)
    if not chip.servable:
        return {}
    weight = weight_precision or default_precision(chip, arch)
    kv = kv_precision or ("fp8" if weight in ("fp8", "fp4") else "bf16")
    rows, _ = _all_rows(
        chip,
        arch,
        isl_tokens,
        osl_tokens,
        prefix_cache_hit,
        weight,
        kv,
        engine,
        date,
        mode,
        max_gpus,
        speculative,
        parameters,
        hold,
    )
    return rows


def _check(
    isl: float,
    osl: float,
    hit: float,
    ttft: float | None,
    tpot: float | None,
    statistic: str,
    mode: str | None,
    speculative: str | None,
    arch: Model,
) -> None:
    for name, value in (("isl_tokens", isl), ("osl_tokens", osl)):
        if not (math.isfinite(value) and value >= 1):
            raise InputError(f"{name} {value:g} is out of range: needs at least 1 token")
    if not 0.0 <= hit < 1.0:
        raise InputError(f"prefix_cache_hit {hit:g} is out of range: needs 0 to below 1")
    for name, limit in (("ttft_limit_ms", ttft), ("tpot_limit_ms", tpot)):
        if limit is not None and not (math.isfinite(limit) and limit > 0):
            raise InputError(f"{name} {limit:g} is out of range: needs a positive number of milliseconds")
    if statistic not in ("median", "p99"):
        raise unknown_name("latency_statistic", statistic, ("median", "p99"))
    if mode is not None and mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    if speculative not in (None, "none", "mtp", "eagle3"):
        raise unknown_name("speculative", speculative, ("none", "mtp", "eagle3"))
    longest = arch.max_context_tokens
    if longest and isl + osl > longest * 1.05:
        raise InputError(f"{isl + osl:g} tokens exceed the {longest} that {arch.id} was made for")


def _drafts(arch: Model, speculative: str | None, held: Mapping[str, object]) -> tuple[float, ...]:
    if "draft_tokens" in held and held["draft_tokens"] is not None:
        return (float(str(held["draft_tokens"])),)
    if speculative == "none" or (speculative is None and arch.mtp_layers == 0):
        return (0.0,)
    return DRAFTS


def _engine(chip: Accelerator, mode: str) -> str:
    if mode == "aggregated":
        return default_engine(chip)
    return {"nvidia": "dynamo-trtllm", "amd": "mori-sglang"}.get(chip.vendor, default_engine(chip))


@lru_cache(maxsize=512)
def _engines(
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


@lru_cache(maxsize=16)
def _combinations(sizes: tuple[int, ...], *engine: Hashable) -> tuple[Engine, tuple[NDArray[np.intp], ...]]:
    """Rows of every combination of layout, load, draft depth and prefill layout, with the four positions of each."""
    places = tuple(x.ravel() for x in np.indices(sizes))
    return _engines(*engine).take(places[0]), places


def _evaluate(
    chip: Accelerator,
    arch: Model,
    weight: str,
    kv: str,
    engine: str,
    mode: str,
    isl: float,
    osl: float,
    hit: float,
    years: float,
    drafts: tuple[float, ...],
    most: int,
    used: ServingParameters,
    held: Mapping[str, object],
) -> tuple[dict[str, NDArray[Any]], str]:
    every = engine_layouts(chip, arch) if mode == "aggregated" else decode_layouts(chip, arch)
    layouts = tuple(x for x in every if matches(x, held) and x.gpus <= most)
    if not layouts:
        raise InputError(f"no layout of {chip.id} has the held values {dict(held)}")
    base = _engines(chip, arch, weight, kv, engine, mode, layouts, used.names)
    v, index = used.values(), {name: i for i, name in enumerate(used.names)}
    loads = CONCURRENCY if held.get("concurrency") is None else np.array([float(str(held["concurrency"]))])
    sizes = (len(layouts), len(loads), len(drafts), 1 if mode == "aggregated" else PREFILL_CHOICES)
    rows, (which, load_index, draft_index, prefill_index) = _combinations(
        sizes, chip, arch, weight, kv, engine, mode, layouts, used.names
    )
    per_rank = loads[load_index]
    speed = np.exp(-v[rows.keys["trend"]] * years)
    ones = np.ones(len(which))
    concurrency = per_rank * rows.dp
    load = Load(isl * ones, osl * ones, hit * ones, concurrency, np.array(drafts)[draft_index], speed)
    cell = intercept_cell(chip.id, engine_family(engine, chip.vendor), weight, mode)
    room = ledger(base, np.full(len(layouts), isl + 0.5 * osl))
    text = room.text(int(np.argmax(room.cache_bytes)))
    with np.errstate(all="ignore"):
        if mode == "aggregated":
            done = aggregated(rows, v, load, ones)
            gpus_d, gpus_p, nd, npre = rows.tp * rows.pp, 0.0 * ones, ones, 0.0 * ones
            first = done.ttft_s
            fits = done.fits & (done.queued <= MOST_QUEUED * concurrency)
        else:
            done, gpus_d, gpus_p, nd, npre, fits, load = _split(
                chip, arch, weight, kv, engine, rows, v, load, most, used, prefill_index
            )
            first = done.ttft_s
        gpus = gpus_d + gpus_p
        factor, first_factor = correction(
            used.intercepts,
            cell,
            arch.id,
            Conditions(
                load.concurrency / gpus,
                load.isl_tokens,
                load.osl_tokens,
                (load.draft_tokens > 0).astype(float),
                (rows.dp > 1).astype(float),
                years * ones,
            ),
        )
        loop = v[index[f"closed_loop.{mode}"]]
        total = factor * loop * done.requests_per_s * (isl + osl) / gpus
        user = factor / done.tpot_s
    names = np.array([x.name for x in layouts])[which]
    method = "mtp" if arch.mtp_layers else "eagle3"
    return {
        "engine": np.full(len(which), engine),
        "mode": np.full(len(which), mode),
        "layout": names,
        "speculative": np.where(load.draft_tokens > 0, method, "none"),
        "tp": rows.tp,
        "ep": rows.ep,
        "pp": rows.pp,
        "dp_attention": rows.dp > 1,
        "draft_tokens": load.draft_tokens,
        "gpus": gpus,
        "prefill_gpus": gpus_p,
        "decode_gpus": gpus_d,
        "prefill_workers": npre,
        "decode_workers": nd,
        "concurrency": load.concurrency,
        "total_tok_s_per_gpu": total,
        "output_tok_s_per_gpu": total * osl / (isl + osl),
        "tok_s_per_user": user,
        "tpot_ms": 1e3 / user,
        "ttft_ms": first * 1e3 * first_factor,
        "prefill_gpu_share": np.clip(done.prefill_gpu_share, 0.0, 1.0),
        "bottleneck": _bottleneck(done),
        "fits": fits,
    }, text


def _split(
    chip: Accelerator,
    arch: Model,
    weight: str,
    kv: str,
    engine: str,
    decode: Engine,
    v: FloatArray,
    load: Load,
    most: int,
    used: ServingParameters,
    prefill_index: NDArray[np.intp],
) -> tuple[Solution, FloatArray, FloatArray, FloatArray, FloatArray, NDArray[np.bool_], Load]:
    """Pools matched in rate: as many prefill workers as the decode engines can use, of two layouts in turn.

    ``prefill_index`` 0 is the prefill layout of most prompts per GPU, 1 the one that is soonest done with one prompt.
    """
    layouts = tuple(prefill_layouts(chip, arch))
    pool = _engines(chip, arch, weight, kv, engine, "disaggregated", layouts, used.names)
    ones = np.ones(len(layouts))
    isl, hit = load.isl_tokens[0], load.prefix_cache_hit[0]
    fresh, past = isl * (1 - hit), isl * hit
    prompts = min(4.0, max(CHUNK_TOKENS / max(fresh, 1.0), 1.0))
    _, busy = prefill_pass(pool, v, fresh * ones, past * ones, prompts * ones)
    busy = busy + v[pool.keys["handoff"]] * MS / pool.dp
    alone, _ = prefill_pass(pool, v, fresh * ones, past * ones, ones, ones)
    fits = ledger(pool, isl * ones).fits
    cost = np.where(fits, busy * pool.tp * pool.pp, np.inf)
    # a layout that is 2 % sooner is not worth twice the GPUs
    sooner = np.where(fits, alone * (pool.tp * pool.pp) ** 0.1, np.inf)
    best = np.array([int(np.argmin(cost)), int(np.argmin(sooner))])[prefill_index]
    busy_s = busy[best] * load.speed
    alone_s = alone[best] * load.speed
    done = decode_pool(decode, v, load, alone_s, busy_s)
    need = done.requests_per_s * busy_s * PREFILL_HEADROOM
    size_d, size_p = decode.tp * decode.pp, (pool.tp * pool.pp)[best]
    # as many decode engines as make the prefill pool a whole number of workers without much waste
    counts = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 8.0])[:, None]
    workers = np.maximum(np.ceil(counts * need), 1.0)
    gpus = counts * size_d + workers * size_p
    per_gpu = np.where(gpus <= most, counts / gpus, 0.0)
    choice = np.argmax(per_gpu, axis=0)
    pick = np.arange(len(choice))
    nd, npre = counts[choice, 0], workers[choice, pick]
    whole = Load(
        load.isl_tokens, load.osl_tokens, load.prefix_cache_hit, load.concurrency * nd, load.draft_tokens, load.speed
    )
    solved = disaggregated(decode, pool.take(best), v, whole, nd, npre)
    ok = solved.fits & (per_gpu[choice, pick] > 0) & (solved.queued <= MOST_QUEUED * whole.concurrency)
    return solved, nd * size_d, npre * size_p, nd, npre, ok, whole


def _layout_texts(rows: Mapping[str, NDArray[Any]]) -> NDArray[np.str_]:
    """Layouts as shown: the decode layout and the GPUs of each pool where there are two."""
    pairs = zip(rows["layout"], rows["mode"], rows["prefill_gpus"], rows["decode_gpus"], strict=True)
    return np.array(
        [f"{x} decode, {p:g}P:{d:g}D" if mode == "disaggregated" else str(x) for x, mode, p, d in pairs], dtype=np.str_
    )


def _bottleneck(done: Solution) -> NDArray[np.str_]:
    step = done.step
    terms = np.stack(
        [step.attention_weights + step.dense + step.experts + step.head, step.kv, step.network, step.fixed]
    )
    return np.asarray(np.array(["weights", "kv", "network", "host"])[np.argmax(np.nan_to_num(terms), axis=0)])


def _pareto(speed: FloatArray, rate: FloatArray, allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Rows on the front, by rising speed and falling rate."""
    rows = np.flatnonzero(allowed)
    order = rows[np.lexsort((-rate[rows], -speed[rows]))]
    best = np.maximum.accumulate(np.concatenate([[-np.inf], rate[order][:-1]]))
    return np.asarray(order[rate[order] > best * (1 + 1e-9)][::-1])


def _empty(
    chip: Accelerator, arch: Model, isl: float, osl: float, reason: str, candidates: int = 0, text: str = ""
) -> Frontier:
    names = ("engine", "mode", "layout", "speculative", "bottleneck", "weight_precision", "kv_precision")
    rows: dict[str, NDArray[Any]] = {name: np.array([], dtype="<U1") for name in names}
    rows.update({name: np.array([]) for name in COLUMNS})
    return Frontier(chip.id, arch.id, isl, osl, rows, reason, candidates, 0, text)
