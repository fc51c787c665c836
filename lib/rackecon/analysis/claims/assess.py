"""A claim, what was measured, what the model says, and the verdict that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rackecon.analysis.claims.evidence import Reading, measured_front, peak_rows
from rackecon.analysis.claims.model import Points, cases, evaluate, side
from rackecon.analysis.claims.records import Claim, claims, source
from rackecon.analysis.claims.verdict import Span, decide

__all__ = ["Assessment", "assess", "assess_all", "conditions_needed", "record"]


@dataclass(frozen=True)
class Assessment:
    """The answers to one claim.

    ``computed`` with ``low`` and ``high`` is the 90 % interval at the stated conditions where nothing is open;
    otherwise the median over what is open, and the extremes. ``middle`` and ``everywhere`` are the spans of the
    verdict; ``holds_at`` are the operating points whose interval contains the claimed value.
    """

    claim: Claim
    points: Points
    computed: float
    low: float
    high: float
    middle: Span
    everywhere: Span
    verdict: str
    holds_at: Points

    @property
    def stated(self) -> bool:
        """Whether the stated conditions leave nothing open."""
        return not self.claim.open_conditions


def _span(low: Any, high: Any) -> Span:
    return Span(float(np.min(low)), float(np.max(high))) if len(low) else Span()


def _pick(points: Points, keep: Any) -> Points:
    mask = np.asarray(keep, dtype=bool)
    names = tuple(n for n, k in zip(points.case, mask, strict=True) if k)
    kinds = tuple(n for n, k in zip(points.kind, mask, strict=True) if k)
    columns = (points.tok_s_per_user, points.position, points.value, points.low, points.high)
    return Points(names, kinds, *(c[mask] for c in columns))


def assess(claim: Claim) -> Assessment:
    """Evaluate one claim.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    Assessment
        The verdict is :func:`~rackecon.analysis.claims.verdict.decide` on the spans found here.
    """
    points = evaluate(claim)
    inside = np.asarray(points.in_middle, dtype=bool)
    # An open speed runs over the whole frontier, and its extremes need no model error on top
    ends = (points.value, points.value) if "tok_s_per_user" in claim.open_conditions else (points.low, points.high)
    middle = _span(ends[0][inside], ends[1][inside])
    everywhere = _span(*ends)
    stated = not claim.open_conditions
    found = decide(
        claim.value,
        stated=stated,
        middle=middle,
        everywhere=everywhere,
        step=claim.value_step,
        one_sided=bool(claim.bound),
        misattributed=claim.misattributed,
    )
    holds = (points.low <= claim.value + claim.value_step) & (claim.value - claim.value_step <= points.high)
    modelled = points.value[np.array([kind == "model" for kind in points.kind], dtype=bool)]
    computed = float(np.median(modelled)) if len(modelled) else math.nan
    return Assessment(
        claim, points, computed, everywhere.low, everywhere.high, middle, everywhere, found, _pick(points, holds)
    )


def assess_all() -> list[Assessment]:
    """Every claim of data/claims.csv, in file order."""
    return [assess(one) for one in claims().values()]


def measured(claim: Claim) -> list[dict[str, Any]]:
    """Public measurements for a claim: the subject's and the baseline's front read at the claim's speeds.

    Returns
    -------
    list of dict
        Per case and side: ``side, accelerator, model, workload, weight_precision, speculative, tok_s_per_user,
        total_tok_s_per_gpu, kind, points, peak_tok_s_per_gpu, peak_source_id, published``.
    """
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, ...]] = set()
    for case in cases(claim):
        for which in ("subject", "baseline"):
            if which not in case or case[which] == "":
                continue
            base = which == "baseline"
            one = side(case, which)
            precision = case.get("baseline_precision" if base else "weight_precision", "")
            if precision in ("", "usual") and len(one.front):
                precision = str(one.front.rows["weight_precision"][0])
            speculative = case.get("baseline_speculative" if base else "speculative", "none")
            speed = case.get("tok_s_per_user", "")
            key = (which, one.accelerator, case["model"], case["workload"], precision, speculative, speed)
            if key in seen:
                continue
            seen.add(key)
            front = measured_front(one.accelerator, case["model"], case["workload"], precision, speculative)
            peak = peak_rows(one.accelerator, case["model"], case["workload"], precision)
            read = front.at(float(speed)) if speed else Reading(math.nan, "none", ())
            rows.append(
                {
                    "side": which,
                    "accelerator": one.accelerator,
                    "model": case["model"],
                    "workload": case["workload"],
                    "weight_precision": precision,
                    "speculative": speculative,
                    "tok_s_per_user": float(speed) if speed else math.nan,
                    "total_tok_s_per_gpu": read.total_tok_s_per_gpu,
                    "kind": read.kind,
                    "points": ", ".join(read.points),
                    "peak_tok_s_per_gpu": float(peak[0]["total_tok_s_per_gpu"]) if peak else math.nan,
                    "peak_source_id": str(peak[0]["source_id"]) if peak else "",
                    "published": len(peak),
                }
            )
    return rows


def conditions_needed(result: Assessment) -> str:
    """Where the claimed value is reached, in words: speeds and cases, or how far away the nearest point is."""
    claim, points, holds = result.claim, result.points, result.holds_at
    if not len(points):
        return "the model serves none of the conditions"
    if not len(holds):
        away = np.where(points.high < claim.value, claim.value / points.high, points.low / claim.value)
        near = int(np.argmin(away))
        side_text = "below" if points.high[near] < claim.value else "above"
        where = f" ({points.case[near]})" if points.case[near] else ""
        return f"nowhere: the nearest interval ends {away[near]:.2g} times {side_text} the claim{where}"
    speeds = holds.tok_s_per_user
    low, high = float(speeds.min()), float(speeds.max())
    span = f"{low:.3g} tok/s/user" if high < 1.02 * low else f"{low:.3g} to {high:.3g} tok/s/user"
    named = dict.fromkeys(holds.case)
    total = len(dict.fromkeys(points.case))
    if total == 1:
        return f"at {span}"
    listed = "; ".join(list(named)[:3]) + ("; …" if len(named) > 3 else "")
    return f"at {span} in {len(named)} of {total} cases: {listed}"


def record(result: Assessment) -> dict[str, Any]:
    """One line of ``rackecon claims --json``; numbers unrounded."""
    claim = result.claim
    return {
        "id": claim.id,
        "title": claim.title,
        "claimant": claim.claimant,
        "date": claim.date,
        "subject": claim.subject_text,
        "metric": claim.metric,
        "unit": claim.unit,
        "claimed": claim.value,
        "claimed_text": claim.value_text,
        "token_counting": claim.token_counting,
        "computed": result.computed,
        "computed_low": result.low,
        "computed_high": result.high,
        "computed_at": "the stated conditions, 90 % interval" if result.stated else "extremes over what is not stated",
        "verdict": result.verdict,
        "conditions_stated": claim.stated,
        "conditions_by_reference": claim.by_reference,
        "conditions_not_stated": claim.not_stated,
        "conditions_open": list(claim.open_conditions),
        "conditions_needed": conditions_needed(result),
        "sources": [vars_of(s) for s in claim.primary],
        "repeated_by": [vars_of(s) for s in claim.repeats],
        "distortion": claim.distortion,
    }


def vars_of(source_id: str) -> dict[str, str]:
    """A source as title, publisher, address and date."""
    found = source(source_id)
    return {
        "id": found.id,
        "title": found.title,
        "publisher": found.publisher,
        "address": found.address,
        "date": found.date,
    }
