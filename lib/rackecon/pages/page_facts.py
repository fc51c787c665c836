"""Facts of data/ and of the calibration that pages quote beside their results, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rackecon import catalog
from rackecon.evidence.scores import FIRST, HELD, LOADED, NAMES, RATE, scores
from rackecon.lazy import pd
from rackecon.pages.sentences import say

TRAFFIC = ("raw", "digitised", "published")
NO_TRAFFIC = ("benchmark", "not re-verified")


def case_line(model: str, scenario: str = "", varied: Sequence[str] = ()) -> str:
    """What a page's answer holds for: model, workload, lengths and speed promised, but for what the page varies.

    Examples
    --------
    >>> case_line("deepseek-r1", "rag-summarise")
    'Case: DeepSeek-V3/R1, document summaries (8,192 tokens in, 1,024 out, 30 tok/s/user or more).'
    >>> case_line("deepseek-r1", "rag-summarise", ["isl", "osl"])
    'Case: DeepSeek-V3/R1, document summaries (30 tok/s/user or more).'
    """
    case = catalog.scenario(scenario) if scenario else None
    given = {"isl": case.isl_tokens, "osl": case.osl_tokens, "speed": case.promised_tok_s_per_user} if case else {}
    kept = {name: given.get(name, 0) if name not in varied else 0 for name in ("isl", "osl", "speed")}
    return say("notes", "case", model=model, workload=case.name if case else "", **kept)


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
        return say("notes", "routing", routed=False, model=arch.name)
    tokens = 2.0 ** np.arange(15)
    even, skewed = (distinct_experts(tokens, arch.n_experts, arch.top_k, s) for s in (0.0, POPULARITY_SIGMA))
    most = int(np.argmax(even / skewed))
    return say(
        "notes",
        "routing",
        routed=True,
        model=arch.name,
        spread=POPULARITY_SIGMA,
        more=float(even[most] / skewed[most]) - 1.0,
        tokens=float(tokens[most]),
        left=EPLB_IMBALANCE,
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
    own = 0 if mine.empty else int(mine.max())
    return say("notes", "reach", model=catalog.model(model).name, own=own, any=any_model, longest=longest)


def traffic_words(frame: pd.DataFrame) -> str:
    """Input per output token of published traffic (data/workloads.csv), beside the ratios walked."""
    rows = catalog.table("workloads").dropna(subset=["ratio_agg_prefill_decode"])
    kind = rows["kind"].astype(str)
    rows = rows[kind.str.startswith(TRAFFIC) & ~kind.str.contains("|".join(NO_TRAFFIC))]
    value = rows["ratio_agg_prefill_decode"].astype(float)
    walked = frame["input_per_output"]
    inside = int(value.between(walked.min(), walked.max()).sum())
    ends = {"low": float(value.min()), "high": float(value.max()), "middle": float(value.median())}
    return say("notes", "traffic", **ends, rows=len(rows), inside=inside)


def tail_words(statistic: str) -> str:
    """Which statistic limits bind, and the factors from the model's medians to the 99th percentile.

    Examples
    --------
    >>> tail_words("median").split(";")[0]
    'Limits bind the median'
    """
    from rackecon.serving.tails import tail_factors

    tpot, ttft = tail_factors("p99")
    return say("notes", "tail", statistic=statistic, tpot=tpot, ttft=ttft)


def accuracy_words(slices: Sequence[str] = (LOADED,)) -> str:
    """Median error of held-out curves: what is predicted worst, or how slices differ in tok/s per GPU.

    Examples
    --------
    >>> accuracy_words().startswith("Weakest of the model's outputs")
    True
    """
    held = {key[1:]: score.median / 100.0 for key, score in scores().items() if key[0] == HELD}
    if len(slices) > 1:
        return say("notes", "by_slice", slices=[(held[name, RATE], name) for name in slices])
    names = NAMES | {FIRST: "time to first token under load"}
    errors = sorted(((held[slices[0], key], name) for key, name in names.items()), reverse=True)
    return say("notes", "weakest", weakest=errors[0][1], error=errors[0][0], rest=errors[1:])


def recipe_words() -> str:
    """How many GPUs a split may take here, and which splits were measured."""
    from rackecon.serving.query import MOST_GPUS

    table = catalog.table("measured_serving")
    split = table[(table["mode"] == "disaggregated") & (table["prefill_gpus"] > 0) & (table["decode_gpus"] > 0)]
    split = split.assign(ratio=split["prefill_gpus"] / split["decode_gpus"]).sort_values("ratio", kind="stable")
    rows = [split.iloc[0], split.iloc[-1]]
    ends = [(float(row["prefill_gpus"]), float(row["decode_gpus"])) for row in rows]
    return say("notes", "recipes", ends=ends, most=MOST_GPUS)


def draft_words() -> str:
    """How often a draft token is accepted, calibrated, in short and long answers, and how far texts and heads move that.

    Examples
    --------
    >>> draft_words().startswith("Acceptance of draft tokens depends on the text")
    True
    """
    from rackecon.performance.parameters import load_parameters
    from rackecon.serving.closed_loop import DRAFTED_OUTPUTS, accepted

    used = load_parameters()
    keys = {name: used.index(f"{name}.mtp") for name in ("accept", "accept_longer")}
    short, long = accepted(used.values(), keys, np.array(DRAFTED_OUTPUTS)).tolist()
    row = next(r for r in catalog.read_rows("distributions") if r["id"] == "acceptance")
    return say(
        "06_precision_and_software",
        "drafts",
        chances=[short, long],
        outputs=[f"{tokens:,.0f}" for tokens in DRAFTED_OUTPUTS],
        low=float(row["low"]),
        high=float(row["high"]),
    )
