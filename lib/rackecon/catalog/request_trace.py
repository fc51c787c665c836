"""A workload row from a request trace: lengths, burstiness, cache hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog.prefix_cache import prefix_share

QUANTILES: Final = (10, 25, 50, 75, 90, 99)


@dataclass(frozen=True)
class Arrived:
    """Requests of a trace in order of arrival, from 0 s; ``blocks`` are ids of each prefix's blocks."""

    name: str
    times_s: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    blocks: Sequence[Sequence[Any]] | None = None


def trace_row(trace: Arrived, workload: str, block_tokens: int | None = None) -> dict[str, Any]:
    """Summary of a trace as a row of data/workloads.csv.

    Parameters
    ----------
    trace : Arrived
        Requests, at least two at different times.
    workload : str
        Id of the new row.
    block_tokens : int, optional
        Tokens of a hashed block; by default the size that every request's number of blocks agrees with.

    Returns
    -------
    dict
        Quantiles, ratio, correlation, log-normal fits, mean rate, peak to mean, variation of the gaps between arrivals,
        share of input tokens that an unlimited prefix cache holds, counted by blocks; ``note`` says how, and that one
        hash a request gives no share, only a bound.
    """
    from scipy import stats

    times, isl, osl = trace.times_s, trace.input_tokens, trace.output_tokens
    span = float(times[-1])
    out: dict[str, Any] = {"workload": workload, "kind": "raw", "n_requests": len(times), "duration": f"{span:.0f}s"}
    for name, values in (("isl", isl), ("osl", osl)):
        out[f"{name}_mean"] = float(values.mean())
        out |= {f"{name}_p{q}": float(np.percentile(values, q)) for q in QUANTILES}
        logs = np.log(values[values > 0])
        out[f"{name}_ln_mu"], out[f"{name}_ln_sigma"] = float(logs.mean()), float(logs.std())
        if logs.std() > 0:
            out[f"{name}_ks"] = float(stats.kstest(logs, "norm", args=(logs.mean(), logs.std())).statistic)
    ratio = (isl / np.where(osl > 0, osl, np.nan))[osl > 0]
    out["ratio_agg_prefill_decode"] = float(isl.sum() / osl.sum())
    out |= {f"ratio_p{q}": float(np.percentile(ratio, q)) for q in QUANTILES[:-1]}
    if isl.std() > 0 and osl.std() > 0:
        out["pearson"] = float(np.corrcoef(isl, osl)[0, 1])
        out["spearman"] = float(stats.spearmanr(isl, osl).statistic)
    out["rate_mean_rps"] = len(times) / span
    for name, seconds in (("1min", 60.0), ("1h", 3600.0)):
        if span >= 2 * seconds:
            counts = np.bincount((times // seconds).astype(np.int64))[: int(span // seconds)]
            out[f"peak_to_mean_{name}"] = float(counts.max() / counts.mean())
    gaps = np.diff(times)
    out["interarrival_cv"] = float(gaps.std() / gaps.mean())
    if trace.blocks is not None:
        found = prefix_share(trace.name, isl.tolist(), trace.blocks, block_tokens)
        out["note"] = found.note
        if found.tokens is not None:
            out["prefix_hit_tokens_infinite"] = found.tokens / float(isl.sum())
            out["ratio_agg_uncached"] = float((isl.sum() - found.tokens) / osl.sum())
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in out.items()}
