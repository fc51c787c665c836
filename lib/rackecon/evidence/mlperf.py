"""MLPerf Inference as a test: the best configuration found under its limits against the best submission.

Submitters tune one workload for months, the longer it is asked the better, so a submission is the searched rate times a
factor: effects of its scenario, chip family, workload on that family, and rounds since the workload came, learnt from
rounds up to v5.1. Which effects, and how strong, is chosen by predicting each of those rounds from the others
(:func:`effects_tried`); round v6.0 is only scored.

The case is posed as MLPerf runs it: requests arrive at random for ten minutes, so the first token is late by a queue, not
by a closed loop that starts all at once (:func:`first_token_tail`), and a system smaller than any public split deployment
is one of shared engines. A submission is not a public build of its date: what public builds gained over the years,
submitters had beforehand. The software history of the calibration is therefore left out, which rounds up to v5.1, each
predicted from the others, bear out (:func:`software_readings`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from rackecon import catalog
from rackecon.arrays import BoolArray, FloatArray
from rackecon.catalog.cached import by_data
from rackecon.catalog.kept import kept
from rackecon.errors import InputError, check_known
from rackecon.lazy import pd
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.corrections import without_history
from rackecon.serving.frontier import searched
from rackecon.serving.query import Query, smallest_split
from rackecon.serving.tails import tail_factors

SCORED_ROUND = "v6.0"
OUTLIERS = (("Google", "GB200", "deepseek-r1", "Server"), ("NeuralMagic", "L40S", "llama2-70b", ""))

SOFTWARE = {
    "no history": "every round with the software of the calibration's middle, no trend and no era",
    "public build of the date": "the trend and the era that public builds of the round's date had",
    "public build of today": "the trend and the era of the base case's date, for every round",
}
"""Readings of a submission's software; the first is the one scored."""

FIRST_GUESS = ("gpt-oss-120b", 2000.0)
"""Benchmark whose mean input length was raised after a first scoring, and the length it had then [tokens]; scored apart."""

PRECISIONS = {"nvfp4": "fp4", "mxfp4": "fp4", "fp4": "fp4", "fp8": "fp8"}
EFFECTS: tuple[tuple[str, ...], ...] = (
    (),
    ("scenario",),
    ("scenario", "benchmark"),
    ("scenario", "family"),
    ("scenario", "family", "benchmark"),
    ("scenario", "work"),
    ("scenario", "family", "work"),
    ("scenario", "family", "age"),
    ("scenario", "benchmark", "age"),
    ("scenario", "work", "age"),
    ("scenario", "family", "work", "age"),
    ("scenario", "family", "benchmark", "work", "age"),
)
"""Effects tried: ``work`` is a benchmark on a chip family, ``age`` the rounds since a benchmark came, to two."""
STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Variance of an effect tried, over that of a submission about them [-]."""
OUTLYING = (
    0.15  # of the log beyond which a submission weighs less (Huber); of 0.1, 0.15, 0.3 the best on earlier rounds
)
OLDEST = 2
REWEIGHTED = 15


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
    names += ["accelerators_total", "ttft_limit_ms", "tpot_limit_ms", "submitter", "date", "ttft_p99_ms", "tpot_p50_ms"]
    best = best[names].sort_values(keys, kind="stable").reset_index(drop=True)
    family = [catalog.accelerator(str(chip)).family for chip in best["accelerator"]]
    number = {name: i for i, name in enumerate(sorted(best["round"].unique()))}
    held = best["round"].map(number)
    age = (held - held.groupby(best["benchmark"]).transform("min")).clip(upper=OLDEST).astype(str)
    return best.assign(family=family, work=best["benchmark"] + " " + family, age=age)


def best_points(rows: pd.DataFrame, parameters: ServingParameters, dated: bool = False) -> list[dict[str, Any] | None]:
    """Points of the best rate that searches find under the limits of submissions; none where nothing fits.

    ``rows`` are of :func:`best_submissions`; with ``dated`` each has the software of its date.
    """
    asked: dict[int, Query] = {}
    for i, (_, row) in enumerate(rows.iterrows()):
        limits = {}
        if row["scenario"] != "Offline":
            tail = tail_factors("p99", parameters)[1] / first_token_tail()
            factors = {"ttft_limit_ms": tail, "tpot_limit_ms": 1.0}
            limits = {name: float(row[name]) * by for name, by in factors.items() if row[name] == row[name]}
        chip, gpus = catalog.accelerator(str(row["accelerator"])), int(row["accelerators_total"])
        mode, date = None if gpus >= smallest_split(chip) else "aggregated", str(row["date"])[:10] if dated else None
        with suppress(InputError):
            asked[i] = _question(row, parameters, mode, date=date, **limits)
    found = dict(zip(asked, searched(list(asked.values())), strict=True))
    return [found[i].best() if i in found else None for i in range(len(rows))]


def _question(row: pd.Series, parameters: ServingParameters, mode: str | None, **options: Any) -> Query:
    model = catalog.model(str(row["model"]))
    drafted = (row["benchmark"], row["scenario"], row["round"]) == ("deepseek-r1", "Interactive", "v6.0")
    weight = PRECISIONS.get(str(row["precision_effective"])) if model.native_expert_bits >= 8.0 else "fp4"
    return Query.of(
        str(row["accelerator"]),
        model.id,
        float(row["isl_tokens"]),
        float(row["osl_tokens"]),
        weight_precision=weight,
        latency_statistic="p99",
        speculative="mtp" if drafted else "none",
        max_gpus=max(int(row["accelerators_total"]), 1),
        mode=mode,
        parameters=parameters,
        **options,
    )


@by_data(1)
def first_token_tail() -> float:
    """Time to first token in the 99th percentile of random arrivals over our median in a closed loop [-].

    Median over the logs of earlier rounds, each at the front's point of the logged median time per output token.
    The mean in a log is half our median: a closed loop starts its requests all at once, and shorter runs keep that queue.

    Examples
    --------
    >>> 1.0 < first_token_tail() < 1.5
    True
    """
    return kept("mlperf-tail", "median", _first_token_tail)


def _first_token_tail() -> float:
    table, used = best_submissions(), without_history(load_parameters())
    table = table[(table["round"] != SCORED_ROUND) & (table["scenario"] != "Offline") & table["tpot_p50_ms"].notna()]
    rows, ratios = [row for _, row in table.iterrows()], []
    for row, found in zip(rows, searched([_question(row, used, "aggregated") for row in rows]), strict=True):
        front = found.columns
        order = np.argsort(front["tpot_ms"])
        step, first = (np.log(front[name][order].astype(float)) for name in ("tpot_ms", "ttft_ms"))
        ratios.append(float(row["ttft_p99_ms"]) / np.exp(np.interp(np.log(float(row["tpot_p50_ms"])), step, first)))
    return float(np.median(ratios))


@by_data(len(SOFTWARE) + 1)
def _scored(software: str, first_guess: bool = False) -> pd.DataFrame:
    used = load_parameters() if software != "no history" else without_history(load_parameters())
    table = _scored(software).copy() if first_guess else best_submissions()
    moved = (table["benchmark"] == FIRST_GUESS[0]) | (not first_guess)
    if first_guess:
        table.loc[moved, "isl_tokens"] = FIRST_GUESS[1]

    def rates() -> list[float]:
        points = best_points(table[moved], used, dated=software == "public build of the date")
        return [x["output_tok_s_per_gpu"] if x else np.nan for x in points]

    table.loc[moved, "raw_tok_s_per_gpu"] = kept("mlperf", (software, first_guess), rates)
    table["ratio"] = table["output_tok_s_per_gpu"] / table["raw_tok_s_per_gpu"]
    table["scored"] = table["round"] == SCORED_ROUND
    return table


def _factors(table: pd.DataFrame, used: BoolArray, effects: tuple[str, ...], strength: float) -> FloatArray:
    """Factor of every row by effects that the rows used show, each drawn to none.

    Normal effects of equal variance about one mean, predicted linearly without bias (Henderson 1975, Biometrics 31(2)),
    with Huber's weights (1964).
    """
    used = used & np.isfinite(table["ratio"].to_numpy())
    y = np.log(table["ratio"].to_numpy()[used])
    alike = np.zeros((len(table), len(table)))
    for name in effects:
        keys = table[name].to_numpy()
        alike += strength * (keys[:, None] == keys[None, :])
    known, weight, mean, pull = alike[np.ix_(used, used)], np.ones(len(y)), 0.0, np.zeros(len(y))
    for _ in range(REWEIGHTED):
        inverse = np.linalg.inv(known + np.diag(1.0 / weight))
        mean = float((inverse @ y).sum() / inverse.sum())
        pull = inverse @ (y - mean)
        weight = 1.0 / np.maximum(np.abs(y - mean - known @ pull) / OUTLYING, 1.0)
    return np.asarray(np.exp(mean + alike[:, used] @ pull))


def _earlier_pct(table: pd.DataFrame, effects: tuple[str, ...], strength: float) -> float:
    """Mean error of earlier rounds, each by the factors of the others [%]; of the log, so that twice and half are alike."""
    earlier, rounds = ~table["scored"].to_numpy(), table["round"].to_numpy()
    gone = np.zeros(0)
    for out in np.unique(rounds[earlier]):
        factor, at = _factors(table, earlier & (rounds != out), effects, strength), rounds == out
        gone = np.append(gone, np.log(factor[at] / table["ratio"].to_numpy()[at]))
    return 100.0 * float(np.expm1(np.nanmean(np.abs(gone))))


@by_data(1)
def effects_tried() -> pd.DataFrame:
    """Effects with their strength of least error on earlier rounds, each predicted from the others, the best first.

    Returns
    -------
    pandas.DataFrame
        ``effects`` (tuple), ``strength``, ``earlier_pct``, the mean error [%] on earlier rounds, which chooses, and
        ``scored_pct``, the median on round v6.0 without :data:`FIRST_GUESS`.
    """
    names = ["effects", "strength", "earlier_pct", "scored_pct"]
    tried = pd.DataFrame(kept("mlperf-effects", "no history", _tried), columns=names)
    return tried.sort_values("earlier_pct", kind="stable").reset_index(drop=True)


def _tried() -> list[tuple[tuple[str, ...], float, float, float]]:
    """Rows of :func:`effects_tried`, in the order of the effects."""
    table, rows = _scored("no history"), []
    for effects in EFFECTS:
        earlier, strength = min((_earlier_pct(table, effects, x), x) for x in (STRENGTHS if effects else STRENGTHS[:1]))
        scored = _with_factors(table, effects, strength)
        errors = scored.loc[scored["scored"] & (scored["benchmark"] != FIRST_GUESS[0]), "error_pct"]
        rows.append((effects, strength, earlier, float(errors.median())))
    return rows


def _with_factors(table: pd.DataFrame, effects: tuple[str, ...], strength: float) -> pd.DataFrame:
    factor = _factors(table, ~table["scored"].to_numpy(), effects, strength)
    error = 100.0 * np.abs(factor / table["ratio"] - 1.0)
    return table.assign(factor=factor, predicted_tok_s_per_gpu=table["raw_tok_s_per_gpu"] * factor, error_pct=error)


def _chosen() -> tuple[tuple[str, ...], float]:
    best = effects_tried().iloc[0]
    return tuple(best["effects"]), float(best["strength"])


def mlperf_scores(software: str = "no history", *, first_guess: bool = False) -> pd.DataFrame:
    """Predicted against best submitted rates of round v6.0, which nothing was fitted to.

    Parameters
    ----------
    software : str
        One of :data:`SOFTWARE`.
    first_guess : bool
        With the input length of :data:`FIRST_GUESS`.

    Returns
    -------
    pandas.DataFrame
        One row per accelerator, benchmark and scenario: ``output_tok_s_per_gpu`` (submitted),
        ``predicted_tok_s_per_gpu``, ``factor`` of its effects, ``error_pct``.
    """
    check_known("software reading", software, SOFTWARE)
    table = _with_factors(_scored(software, first_guess), *_chosen())
    return table[table["scored"]].reset_index(drop=True)


def software_readings() -> pd.DataFrame:
    """Each reading of a submission's software, on the rounds that may choose it and on the round that is scored.

    Returns
    -------
    pandas.DataFrame
        ``software, meaning``, and errors [%]: ``earlier_pct``, the mean of rounds up to v5.1, each predicted with the
        factors of the others, and the median ``scored_pct``, round v6.0 without :data:`FIRST_GUESS` with the factors of all of them.
    """
    rows = []
    for name, meaning in SOFTWARE.items():
        scored = mlperf_scores(software=name)
        errors = scored.loc[scored["benchmark"] != FIRST_GUESS[0], "error_pct"]
        rows.append((name, meaning, _earlier_pct(_scored(name), *_chosen()), float(errors.median())))
    return pd.DataFrame(rows, columns=["software", "meaning", "earlier_pct", "scored_pct"])
