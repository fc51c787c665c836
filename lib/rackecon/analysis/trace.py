"""A request trace as a workload: lengths, bursts and what a prefix cache could save."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rackecon.catalog.intake import Column, read_csv
from rackecon.errors import InputError

__all__ = ["TRACE_COLUMNS", "cached_tokens", "describe_trace", "read_trace", "seconds"]

FloatArray = npt.NDArray[np.float64]
LARGEST_BYTES: Final = 512 * 2**20
BLOCK_TOKENS: Final = 512
QUANTILES: Final = (10, 25, 50, 75, 90, 99)
TRACE_COLUMNS: Final = (
    Column("timestamp", "text"),
    Column("input_tokens", "whole", low=1, high=10_000_000, unit="tokens"),
    Column("output_tokens", "whole", low=0, high=10_000_000, unit="tokens"),
    Column("prefix_hash", "text", required=False),
)
"""Columns of a trace; ``prefix_hash`` holds one hash per block of the prompt, in order, parted by spaces."""


def seconds(stamps: Sequence[str], where: str = "trace") -> FloatArray:
    """Times as seconds [s]: numbers are seconds already, else ISO dates.

    Examples
    --------
    >>> seconds(["2026-01-01T00:00:00", "2026-01-01T00:01:30"]).tolist()
    [1767225600.0, 1767225690.0]
    """
    out = np.empty(len(stamps))
    for i, text in enumerate(stamps):
        try:
            out[i] = float(text)
        except ValueError:
            try:
                when = datetime.fromisoformat(text[:26] if len(text) > 26 and "+" not in text else text)
            except ValueError:
                raise InputError(
                    f"{where} entry {i + 1}: timestamp '{text[:40]}' is neither seconds nor an ISO date"
                ) from None
            out[i] = when.timestamp() if when.tzinfo else (when - datetime(1970, 1, 1)).total_seconds()
        if not np.isfinite(out[i]):
            raise InputError(f"{where} entry {i + 1}: timestamp '{text[:40]}' is not finite")
    return out


def cached_tokens(
    hashes: Sequence[str | None], input_tokens: FloatArray, block_tokens: int = BLOCK_TOKENS
) -> FloatArray:
    """Prompt tokens that a cache of unlimited size already holds when each request arrives [tokens].

    Parameters
    ----------
    hashes : sequence of str or None
        Hashes of the prompt's blocks in order, parted by spaces; each stands for the prompt up to its block's end.
    input_tokens : array
        Prompt lengths [tokens].
    block_tokens : int
        Tokens per block.

    Examples
    --------
    >>> cached_tokens(["a b", "a c", "a b"], np.array([1000.0, 900.0, 1000.0])).tolist()
    [0.0, 512.0, 1000.0]
    """
    seen: set[str] = set()
    out = np.zeros(len(hashes))
    for i, text in enumerate(hashes):
        blocks = (text or "").split()
        lead = 0
        while lead < len(blocks) and blocks[lead] in seen:
            lead += 1
        out[i] = min(lead * block_tokens, input_tokens[i])
        seen.update(blocks)
    return out


def read_trace(path: Path) -> dict[str, Any]:
    """Columns of a trace file, in order of time.

    Returns
    -------
    dict
        ``seconds, input_tokens, output_tokens`` arrays [s, tokens] and ``prefix_hash``, a list.

    Raises
    ------
    InputError
        As :func:`rackecon.catalog.intake.read_csv`; fewer than two requests.
    """
    rows = read_csv(path, TRACE_COLUMNS, largest_bytes=LARGEST_BYTES)
    if len(rows) < 2:
        raise InputError(f"{path.name}: {len(rows)} request is no trace")
    at = seconds([row["timestamp"] for row in rows], path.name)
    order = np.argsort(at, kind="stable")
    hashes = [rows[i]["prefix_hash"] for i in order]
    return {
        "seconds": at[order],
        "input_tokens": np.array([rows[i]["input_tokens"] for i in order], dtype=float),
        "output_tokens": np.array([rows[i]["output_tokens"] for i in order], dtype=float),
        "prefix_hash": hashes if any(hashes) else [],
    }


def _peak_to_mean(at: FloatArray, window_s: float) -> float:
    span = at[-1] - at[0]
    if span < 2 * window_s:
        return float("nan")
    counts = np.bincount(((at - at[0]) // window_s).astype(int))
    return float(counts.max() / counts.mean())


def _lognormal(values: FloatArray) -> tuple[float, float, float]:
    """Mean and deviation of the logarithm, and the largest gap between the two distribution functions."""
    from scipy.stats import norm

    logs = np.sort(np.log(values[values > 0]))
    if len(logs) < 2 or logs[0] == logs[-1]:
        return float(logs.mean()) if len(logs) else float("nan"), 0.0, float("nan")
    mu, sigma = float(logs.mean()), float(logs.std())
    fitted = norm.cdf(logs, mu, sigma)
    steps = np.arange(len(logs) + 1) / len(logs)
    return mu, sigma, float(np.maximum(np.abs(fitted - steps[:-1]), np.abs(fitted - steps[1:])).max())


def _correlation(x: FloatArray, y: FloatArray) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else float("nan")


def describe_trace(trace: dict[str, Any], block_tokens: int = BLOCK_TOKENS) -> dict[str, float]:
    """Statistics of a trace, named as the columns of data/workloads.csv.

    Parameters
    ----------
    trace : dict
        From :func:`read_trace`.
    block_tokens : int
        Tokens per hashed block.

    Returns
    -------
    dict
        Lengths (mean and quantiles) [tokens], input per output [-], correlations, lognormal fits, arrivals [1/s],
        peak over mean per minute and hour, coefficient of variation between arrivals (1 for random arrivals), and the
        share of input tokens a prefix cache of unlimited size would hold (NaN without hashes).
    """
    from scipy.stats import rankdata

    at, isl, osl = trace["seconds"], trace["input_tokens"], trace["output_tokens"]
    if osl.sum() <= 0:
        raise InputError("the trace has no output tokens")
    out: dict[str, float] = {"n_requests": float(len(at))}
    for name, values in (("isl", isl), ("osl", osl)):
        out[f"{name}_mean"] = float(values.mean())
        for q, value in zip(QUANTILES, np.percentile(values, QUANTILES), strict=True):
            out[f"{name}_p{q}"] = float(value)
        out[f"{name}_ln_mu"], out[f"{name}_ln_sigma"], out[f"{name}_ks"] = _lognormal(values)
    made = osl > 0
    out["ratio_agg_prefill_decode"] = float(isl.sum() / osl.sum())
    for q, value in zip(QUANTILES[:-1], np.percentile(isl[made] / osl[made], QUANTILES[:-1]), strict=True):
        out[f"ratio_p{q}"] = float(value)
    out["pearson"] = _correlation(isl, osl)
    out["spearman"] = _correlation(rankdata(isl), rankdata(osl))
    out["pearson_log"] = _correlation(np.log(isl[made]), np.log(osl[made]))
    if trace["prefix_hash"]:
        hit = float(cached_tokens(trace["prefix_hash"], isl, block_tokens).sum() / isl.sum())
        out["prefix_hit_tokens_infinite"] = hit
        out["ratio_agg_uncached"] = out["ratio_agg_prefill_decode"] * (1.0 - hit)
    span, gaps = at[-1] - at[0], np.diff(at)
    out["rate_mean_rps"] = float((len(at) - 1) / span) if span > 0 else float("nan")
    out["interarrival_cv"] = float(gaps.std() / gaps.mean()) if span > 0 else float("nan")
    out["peak_to_mean_1min"], out["peak_to_mean_1h"] = _peak_to_mean(at, 60.0), _peak_to_mean(at, 3600.0)
    return {name: value for name, value in out.items() if np.isfinite(value)}
