"""A workload row from a request trace: lengths, burstiness, cache hits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from rackecon.catalog.prefix_cache import prefix_share
from rackecon.catalog.user_rows import parsed, read_csv
from rackecon.errors import InputError, unknown_name

__all__ = ["workload_row"]

LARGEST_BYTES: Final = 512 * 2**20
COLUMNS: Final = ("timestamp", "input_tokens", "output_tokens", "prefix_hash")
MOST_TOKENS: Final = 1e7
FEWEST: Final = 2
QUANTILES: Final = (10, 25, 50, 75, 90, 99)


def _numbers(name: str, rows: list[dict[str, str]], column: str) -> Any:
    out = np.empty(len(rows))
    for number, row in enumerate(rows):
        try:
            out[number] = float(row[column])
        except ValueError:
            raise InputError(f"{name} row {number + 2} {column}: '{row[column][:60]}' is not a number") from None
    return out


def workload_row(path: Path, workload: str, block_tokens: int | None = None) -> dict[str, Any]:
    """Summary of a trace as a row of data/workloads.csv.

    Parameters
    ----------
    path : Path
        CSV of ``timestamp`` [s] (or ISO times), ``input_tokens``, ``output_tokens`` and optionally ``prefix_hash``:
        one hash a request, or one a block of its prefix, separated by spaces.
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
    import pandas as pd
    from scipy import stats

    rows = parsed(path.name, read_csv(path, largest=LARGEST_BYTES))
    if len(rows) < FEWEST:
        raise InputError(f"{path.name}: {len(rows)} requests; at least {FEWEST} are needed")
    for column in COLUMNS[:3]:
        if column not in rows[0]:
            raise InputError(f"{path.name}: column '{column}' is missing")
    for column in rows[0]:
        if column not in COLUMNS:
            raise unknown_name("column", column[:60], COLUMNS, path.name)
    given = _numbers(path.name, rows, "input_tokens"), _numbers(path.name, rows, "output_tokens")
    for column, values in zip(COLUMNS[1:3], given, strict=True):
        bad = np.flatnonzero(~((values >= 0) & (values <= MOST_TOKENS)))
        if len(bad):
            shown = rows[bad[0]][column][:60]
            raise InputError(f"{path.name} row {bad[0] + 2} {column}: {shown} is not 0 to {MOST_TOKENS:g} tokens")
        if not values.any():
            raise InputError(f"{path.name}: {column} is 0 in every row")
    try:
        times = _numbers(path.name, rows, "timestamp")
    except InputError:
        parsed_times = pd.to_datetime(
            pd.Series([row["timestamp"] for row in rows]), errors="coerce", utc=True, format="ISO8601"
        )
        if parsed_times.isna().any():
            line = int(np.flatnonzero(parsed_times.isna())[0])
            shown = rows[line]["timestamp"][:60]
            raise InputError(f"{path.name} row {line + 2} timestamp: '{shown}' is not seconds or an ISO time") from None
        times = parsed_times.astype("datetime64[ns, UTC]").astype("int64").to_numpy() / 1e9
    if not np.isfinite(times).all():
        raise InputError(f"{path.name}: a timestamp is not finite")
    order = np.argsort(times, kind="stable")
    times = times[order] - times.min()
    isl, osl = given[0][order], given[1][order]
    span = float(times[-1])
    if span <= 0 or span > 3.2e9:
        raise InputError(f"{path.name}: the requests span {span:g} s; timestamps are seconds or ISO times")
    out: dict[str, Any] = {"workload": workload, "kind": "raw", "n_requests": len(rows), "duration": f"{span:.0f}s"}
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
    out["rate_mean_rps"] = len(rows) / span
    for name, seconds in (("1min", 60.0), ("1h", 3600.0)):
        if span >= 2 * seconds:
            counts = np.bincount((times // seconds).astype(np.int64))[: int(span // seconds)]
            out[f"peak_to_mean_{name}"] = float(counts.max() / counts.mean())
    gaps = np.diff(times)
    out["interarrival_cv"] = float(gaps.std() / gaps.mean())
    if "prefix_hash" in rows[0]:
        blocks = [rows[index]["prefix_hash"].split() for index in order]
        found = prefix_share(path.name, isl.tolist(), blocks, block_tokens)
        out["note"] = found.note
        if found.tokens is not None:
            out["prefix_hit_tokens_infinite"] = found.tokens / float(isl.sum())
            out["ratio_agg_uncached"] = float((isl.sum() - found.tokens) / osl.sum())
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in out.items()}
