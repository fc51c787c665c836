"""Facts of data/ and of the calibration that pages quote beside their results, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rackecon import catalog
from rackecon.pages.sentences import say
from rackecon.words import number, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "accuracy_words",
    "draft_words",
    "measured_reach",
    "recipe_words",
    "routing_words",
    "tail_words",
    "traffic_words",
]

TRAFFIC = ("raw", "digitised", "published")
NO_TRAFFIC = ("benchmark", "not re-verified")


def routing_words(model: str) -> str:
    """How skewed routing is, what even routing would cost, and what redundant experts do.

    Examples
    --------
    >>> routing_words("deepseek-r1").split(";")[0]
    'Popularity of experts is log-normal with a spread of 1, which fits the published counts of one model'
    """
    from rackecon.performance.moe import POPULARITY_SIGMA, distinct_experts
    from rackecon.performance.step import EPLB_IMBALANCE

    arch = catalog.model(model)
    if not arch.is_moe:
        return f"{arch.name} is dense: nothing is routed."
    tokens = 2.0 ** np.arange(15)
    even, skewed = (distinct_experts(tokens, arch.n_experts, arch.top_k, s) for s in (0.0, POPULARITY_SIGMA))
    most = int(np.argmax(even / skewed))
    return (
        f"Popularity of experts is log-normal with a spread of {POPULARITY_SIGMA:g}, which fits the published counts of one "
        f"model; even routing of {arch.name} would read up to {percent(float(even[most] / skewed[most]) - 1.0)} more experts "
        f"(at {number(float(tokens[most]))} tokens a step). The busiest rank sets the pace, and redundant experts are taken "
        f"to leave {percent(EPLB_IMBALANCE)} of the imbalance."
    )


def measured_reach(model: str, longest: int) -> str:
    """How far the input lengths of measured rows reach beside the longest that a page walks.

    Examples
    --------
    >>> "lies within them" in measured_reach("deepseek-r1", 1024)
    True
    """
    rows = catalog.table("validation_points")
    mine, any_model = rows.loc[rows["model"] == model, "isl"], int(rows["isl"].max())
    name = catalog.model(model).name
    if mine.empty:
        return f"No measured row behind the model is of {name}; of other models they reach {any_model:,} input tokens."
    far = int(mine.max())
    text = f"Measured rows behind the model reach {far:,} input tokens for {name} and {any_model:,} for any model"
    if longest <= far:
        return f"{text}; the walk lies within them."
    return f"{text}; beyond them the walk extrapolates the physics, and its interval is too narrow to the same degree."


def traffic_words(frame: pd.DataFrame, x: str = "input_per_output") -> str:
    """Input per output token of published traffic (data/workloads.csv), beside the ratios walked."""
    rows = catalog.table("workloads").dropna(subset=["ratio_agg_prefill_decode"])
    kind = rows["kind"].astype(str)
    rows = rows[kind.str.startswith(TRAFFIC) & ~kind.str.contains("|".join(NO_TRAFFIC))]
    rows = rows.sort_values("ratio_agg_prefill_decode", kind="stable")
    value, name = rows["ratio_agg_prefill_decode"].astype(float), rows["workload"].str.replace("_", " ")
    walked = frame[x]
    inside = int(value.between(walked.min(), walked.max()).sum())
    return (
        f"Published traffic has {number(float(value.iloc[0]), 2)} ({name.iloc[0]}) to {number(float(value.iloc[-1]), 3)} "
        f"({name.iloc[-1]}) input tokens per output token, caches not counted, {number(float(value.median()), 2)} in the "
        f"median of {len(rows)} traces and services; {inside} of them lie inside the first walk."
    )


def tail_words(statistic: str) -> str:
    """Which statistic limits bind, and the factors from the model's medians to the 99th percentile.

    Examples
    --------
    >>> tail_words("median").split(";")[0]
    'Limits bind the median'
    """
    from rackecon.serving.tails import tail_factors

    tpot, ttft = tail_factors("p99")
    return (
        f"Limits bind the {statistic}; for p99 the model multiplies TPOT by {number(tpot)} and TTFT by {number(ttft)}, "
        "medians over MLPerf runs at their limits."
    )


def accuracy_words(slices: Sequence[str] = ("all with load",)) -> str:
    """Median error of held-out curves: what is predicted worst, or how slices differ in tok/s per GPU.

    Examples
    --------
    >>> accuracy_words().startswith("Weakest of the model's outputs")
    True
    """
    scores = catalog.table("validation_scores")
    held = scores[scores["scheme"] == "held-out curves"].set_index(["slice", "quantity"])["median_pct"].astype(float)
    if len(slices) > 1:
        parts = [f"{percent(float(held[name, 'total_tok_s_per_gpu']) / 100.0)} {name}" for name in slices]
        return f"Median error of tok/s per GPU on held-out curves: {', '.join(parts)}."
    names = {
        "total_tok_s_per_gpu": "tok/s per GPU",
        "tok_s_per_user": "tok/s per user",
        "ttft_ms": "time to first token under load",
    }
    errors = sorted(((float(held[slices[0], key]) / 100.0, name) for key, name in names.items()), reverse=True)
    rest = " and ".join(f"{percent(error)} for {name}" for error, name in errors[1:])
    return (
        f"Weakest of the model's outputs is {errors[0][1]}: {percent(errors[0][0])} median error on held-out curves, "
        f"against {rest}."
    )


def recipe_words() -> str:
    """How many GPUs a split may take here, and which splits were measured."""
    from rackecon.serving.query import MOST_GPUS

    table = catalog.table("measured_serving")
    split = table[(table["mode"] == "disaggregated") & (table["prefill_gpus"] > 0) & (table["decode_gpus"] > 0)]
    split = split.assign(ratio=split["prefill_gpus"] / split["decode_gpus"]).sort_values("ratio", kind="stable")
    rows = [split.iloc[0], split.iloc[-1]]
    ends = [f"{row['prefill_gpus']:.0f} prefill GPUs for {row['decode_gpus']:.0f} decode GPUs" for row in rows]
    return (
        f"Measured deployments run from {ends[0]} to {ends[1]}; the search tries splits of up to {MOST_GPUS} GPUs in whole "
        "workers."
    )


def draft_words() -> str:
    """How often a draft token is accepted, calibrated, and how far texts and heads move that.

    Examples
    --------
    >>> draft_words().startswith("Acceptance of draft tokens depends on the text")
    True
    """
    from rackecon.performance.parameters import load_parameters

    used = load_parameters()
    chance = float(used.values()[used.index("accept.mtp")])
    row = next(r for r in catalog.read_rows("distributions") if r["id"] == "acceptance")
    return say("06_precision_and_software", "drafts", chance=chance, low=float(row["low"]), high=float(row["high"]))
