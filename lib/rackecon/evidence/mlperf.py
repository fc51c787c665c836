"""MLPerf Inference as a test: the best configuration found under its limits against the best submission.

One factor per scenario is learnt from rounds up to v5.1 (submitters tune one workload for months; Server and
Interactive runs are Poisson arrivals, not a closed loop); round v6.0 is only scored.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rackecon import catalog
from rackecon.errors import InputError
from rackecon.serving.frontier import search

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["best_submissions", "mlperf_scores"]

SCORED_ROUND = "v6.0"
OUTLIERS = (("Google", "GB200", "deepseek-r1", "Server"), ("NeuralMagic", "L40S", "llama2-70b", ""))


def best_submissions() -> pd.DataFrame:
    """Best submission per round, accelerator, benchmark and scenario, with catalog ids and lengths.

    Returns
    -------
    pandas.DataFrame
        ``output_tok_s_per_gpu`` is output tokens only, over all accelerators of the system.
    """
    table, work = catalog.table("measured_mlperf"), catalog.table("mlperf_workloads").set_index("benchmark")
    ids = catalog.table("ids")
    chips = ids[(ids["kind"] == "accelerator") & ids["mlperf_name"].notna()].set_index("mlperf_name")["id"]
    table = table[table["accelerator"].isin(chips.index) & table["benchmark"].isin(work.index)].copy()
    for submitter, chip, benchmark, scenario in OUTLIERS:
        odd = (table["submitter"] == submitter) & (table["accelerator"] == chip) & (table["benchmark"] == benchmark)
        table = table[~(odd & ((table["scenario"] == scenario) | (scenario == "")))]
    keys = ["round", "accelerator", "benchmark", "scenario"]
    best = table.loc[table.groupby(keys)["tokens_per_s_per_accel"].idxmax()].copy()
    best["accelerator"] = best["accelerator"].map(chips)
    best["model"] = best["benchmark"].map(work["model"])
    best["isl_tokens"] = best["benchmark"].map(work["isl_mean_tokens"])
    best["osl_tokens"] = best["benchmark"].map(work["osl_mean_tokens"])
    best = best.rename(columns={"tokens_per_s_per_accel": "output_tok_s_per_gpu"})
    names = [*keys, "model", "isl_tokens", "osl_tokens", "output_tok_s_per_gpu", "precision_effective"]
    names += ["accelerators_total", "ttft_limit_ms", "tpot_limit_ms", "submitter", "date"]
    return best[names].sort_values(keys, kind="stable").reset_index(drop=True)


def _predicted(row: pd.Series) -> float:
    """Best output rate per GPU that a search finds under the row's limits; NaN where none."""
    model = catalog.model(str(row["model"]))
    spec = (
        "mtp" if (row["benchmark"], row["scenario"], row["round"]) == ("deepseek-r1", "Interactive", "v6.0") else "none"
    )
    weight = {"nvfp4": "fp4", "mxfp4": "fp4", "fp8": "fp8"}.get(str(row["precision_effective"]))
    if model.native_expert_bits < 8.0:
        weight = "fp4"
    limited = row["scenario"] != "Offline"
    limits = {
        name: float(row[name]) for name in ("ttft_limit_ms", "tpot_limit_ms") if limited and row[name] == row[name]
    }
    try:
        front = search(
            str(row["accelerator"]),
            model.id,
            float(row["isl_tokens"]),
            float(row["osl_tokens"]),
            weight_precision=weight,
            latency_statistic="p99",
            speculative=spec,
            date=str(row["date"])[:10],
            max_gpus=max(int(row["accelerators_total"]), 1),
            **limits,  # type: ignore[arg-type]
        )
    except InputError:
        return float("nan")
    best = front.best()
    return float("nan") if best is None else float(best["output_tok_s_per_gpu"])


@lru_cache(maxsize=1)
def _scored() -> pd.DataFrame:
    table = best_submissions()
    table["raw_tok_s_per_gpu"] = [_predicted(row) for _, row in table.iterrows()]
    table["ratio"] = table["output_tok_s_per_gpu"] / table["raw_tok_s_per_gpu"]
    earlier = table["round"] != SCORED_ROUND
    factors = table[earlier].groupby("scenario")["ratio"].median()
    table["factor"] = table["scenario"].map(factors).fillna(1.0)
    table["predicted_tok_s_per_gpu"] = table["raw_tok_s_per_gpu"] * table["factor"]
    table["error_pct"] = 100.0 * (table["predicted_tok_s_per_gpu"] / table["output_tok_s_per_gpu"] - 1.0).abs()
    table["scored"] = ~earlier
    return table


def mlperf_scores(scored_only: bool = True) -> pd.DataFrame:
    """Predicted against best submitted rates.

    Parameters
    ----------
    scored_only : bool
        Only round v6.0, which nothing was fitted to; else also the rounds that gave the factors.

    Returns
    -------
    pandas.DataFrame
        One row per round, accelerator, benchmark and scenario: ``output_tok_s_per_gpu`` (submitted),
        ``predicted_tok_s_per_gpu``, ``factor`` of the scenario, ``error_pct``.
    """
    table = _scored().copy()
    return table[table["scored"]].reset_index(drop=True) if scored_only else table
