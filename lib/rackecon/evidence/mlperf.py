"""MLPerf Inference as a test: the best configuration found under its limits against the best submission.

One factor per scenario is learnt from rounds up to v5.1 (submitters tune one workload for months; Server and
Interactive runs are Poisson arrivals, not a closed loop); round v6.0 is only scored.

A submission is not a public build of its date: what public builds gained over the years, submitters had beforehand. The
software history of the calibration is therefore left out, which rounds up to v5.1, each predicted from the others, bear
out (:func:`software_readings`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.errors import InputError, check_known
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.corrections import without_history
from rackecon.serving.frontier import search

if TYPE_CHECKING:
    import pandas as pd

SCORED_ROUND = "v6.0"
OUTLIERS = (("Google", "GB200", "deepseek-r1", "Server"), ("NeuralMagic", "L40S", "llama2-70b", ""))

SOFTWARE = {
    "no history": "every round with the software of the calibration's middle, no trend and no era",
    "public build of the date": "the trend and the era that public builds of the round's date had",
    "public build of today": "the trend and the era of the base case's date, for every round",
}
"""Readings of a submission's software; the first is the one scored."""

FIRST_GUESS = ("gpt-oss-120b", 2000.0)
"""Benchmark whose mean input length was raised after a first scoring, and the length it had then [tokens]."""


def submissions() -> pd.DataFrame:
    """Every submission on an accelerator and a workload of the tables, with their ids and lengths [tokens]."""
    table, work = catalog.table("measured_mlperf"), catalog.table("mlperf_workloads").set_index("benchmark")
    ids = catalog.table("ids")
    chips = ids[(ids["kind"] == "accelerator") & ids["mlperf_name"].notna()].set_index("mlperf_name")["id"]
    table = table[table["accelerator"].isin(chips.index) & table["benchmark"].isin(work.index)].copy()
    chip, known = table["accelerator"].map(chips), work.loc[table["benchmark"]]
    lengths = {"isl_tokens": known["isl_mean_tokens"].to_numpy(), "osl_tokens": known["osl_mean_tokens"].to_numpy()}
    table = table.assign(mlperf_name=table["accelerator"], accelerator=chip, model=known["model"].to_numpy(), **lengths)
    return table.rename(columns={"tokens_per_s_per_accel": "output_tok_s_per_gpu"})


def best_submissions() -> pd.DataFrame:
    """Best submission per round, accelerator, benchmark and scenario, with catalog ids and lengths.

    Returns
    -------
    pandas.DataFrame
        ``output_tok_s_per_gpu`` is output tokens only, over all accelerators of the system.
    """
    table = submissions()
    for submitter, chip, benchmark, scenario in OUTLIERS:
        odd = (table["submitter"] == submitter) & (table["accelerator"] == chip) & (table["benchmark"] == benchmark)
        table = table[~(odd & ((table["scenario"] == scenario) | (scenario == "")))]
    keys = ["round", "accelerator", "benchmark", "scenario"]
    best = table.loc[table.groupby(keys)["output_tok_s_per_gpu"].idxmax()]
    names = [*keys, "model", "isl_tokens", "osl_tokens", "output_tok_s_per_gpu", "precision_effective"]
    names += ["accelerators_total", "ttft_limit_ms", "tpot_limit_ms", "submitter", "date"]
    return best[names].sort_values(keys, kind="stable").reset_index(drop=True)


def best_point(row: pd.Series, date: str | None, parameters: ServingParameters) -> dict[str, Any] | None:
    """Point of the best rate that a search finds under a submission's limits; none where nothing fits.

    ``row`` is one of :func:`best_submissions`; ``date`` is of the software.
    """
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
            date=date,
            max_gpus=max(int(row["accelerators_total"]), 1),
            parameters=parameters,
            **limits,  # type: ignore[arg-type]
        )
    except InputError:
        return None
    return front.best()


def _predicted(row: pd.Series, date: str | None, parameters: ServingParameters) -> float:
    best = best_point(row, date, parameters)
    return float("nan") if best is None else float(best["output_tok_s_per_gpu"])


@by_data(len(SOFTWARE) + 1)
def _scored(software: str, first_guess: bool = False) -> pd.DataFrame:
    used = load_parameters() if software != "no history" else without_history(load_parameters())
    table = _scored(software).copy() if first_guess else best_submissions()
    moved = (table["benchmark"] == FIRST_GUESS[0]) | (not first_guess)
    if first_guess:
        table.loc[moved, "isl_tokens"] = FIRST_GUESS[1]
    table.loc[moved, "raw_tok_s_per_gpu"] = [
        _predicted(row, str(row["date"])[:10] if software == "public build of the date" else None, used)
        for _, row in table[moved].iterrows()
    ]
    table["ratio"] = table["output_tok_s_per_gpu"] / table["raw_tok_s_per_gpu"]
    earlier = table["round"] != SCORED_ROUND
    table["factor"] = _factors(table, earlier)
    table["predicted_tok_s_per_gpu"] = table["raw_tok_s_per_gpu"] * table["factor"]
    table["error_pct"] = _error_pct(table["factor"], table["ratio"])
    table["scored"] = ~earlier
    return table


def _factors(table: pd.DataFrame, used: pd.Series) -> pd.Series:
    """Factor of each row's scenario, learnt from the rows used; 1 where they have none."""
    return table["scenario"].map(table[used].groupby("scenario")["ratio"].median()).fillna(1.0)


def _error_pct(factor: pd.Series, ratio: pd.Series) -> pd.Series:
    return 100.0 * (factor / ratio - 1.0).abs()


def mlperf_scores(scored_only: bool = True, software: str = "no history", *, first_guess: bool = False) -> pd.DataFrame:
    """Predicted against best submitted rates.

    Parameters
    ----------
    scored_only : bool
        Only round v6.0, which nothing was fitted to; else also the rounds that gave the factors.
    software : str
        One of :data:`SOFTWARE`.
    first_guess : bool
        With the input length of :data:`FIRST_GUESS`.

    Returns
    -------
    pandas.DataFrame
        One row per round, accelerator, benchmark and scenario: ``output_tok_s_per_gpu`` (submitted),
        ``predicted_tok_s_per_gpu``, ``factor`` of the scenario, ``error_pct``.
    """
    check_known("software reading", software, SOFTWARE)
    table = _scored(software, first_guess).copy()
    return table[table["scored"]].reset_index(drop=True) if scored_only else table


def software_readings() -> pd.DataFrame:
    """Each reading of a submission's software, on the rounds that may choose it and on the round that is scored.

    Returns
    -------
    pandas.DataFrame
        ``software, meaning``, and median errors [%]: ``earlier_pct``, each round up to v5.1 predicted with the
        factors of the others, and ``scored_pct``, round v6.0 with the factors of all of them.
    """
    import pandas as pd

    rows = []
    for name, meaning in SOFTWARE.items():
        table = _scored(name)
        earlier = table[~table["scored"]]
        errors = []
        for out in earlier["round"].unique():
            factor = _factors(earlier, earlier["round"] != out)
            errors.append(_error_pct(factor, earlier["ratio"])[earlier["round"] == out])
        scored = table.loc[table["scored"], "error_pct"]
        rows.append((name, meaning, float(np.nanmedian(np.concatenate(errors))), float(scored.median())))
    return pd.DataFrame(rows, columns=["software", "meaning", "earlier_pct", "scored_pct"])
