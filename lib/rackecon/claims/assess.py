"""A claim, what was measured, what the model says, and the verdict that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rackecon.catalog.cached import by_data
from rackecon.claims.evidence import Reading, measured_front, peak_rows
from rackecon.claims.model import Points, cases, evaluate, side
from rackecon.claims.records import Claim, claims, source
from rackecon.claims.verdict import Span, decide

__all__ = ["Assessment", "assess", "assess_all", "conditions_needed", "record"]

NEAR_LOG: Final = 0.1
"""A public value within this natural logarithm of a claim is near it."""


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
        The verdict is :func:`~rackecon.claims.verdict.decide` on the spans found here.
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
    """Every claim of data/claims.csv, in file order; worked out once for the tables as they are."""
    return list(_assessed())


@by_data(1)
def _assessed() -> tuple[Assessment, ...]:
    return tuple(assess(one) for one in claims().values())


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
    """Where the claimed value is reached, in words, or how far away the nearest point is.

    Parameters
    ----------
    result : Assessment

    Returns
    -------
    str
        With a fixed speed: the cases whose interval holds the value. With an open speed: the speeds at which the middle
        estimate meets it, or the public point nearest to it.
    """
    claim, points = result.claim, result.points
    if not len(points):
        return "the model serves none of the conditions"
    total = len(dict.fromkeys(points.case))
    if "tok_s_per_user" in claim.open_conditions:
        met = _crossings(points, claim.value)
        if met:
            return _reached([speed for _, speed in met], dict.fromkeys(name for name, _ in met), total)
        near = _nearest_public(points, claim.value)
        if near:
            return near
        if claim.bound and result.everywhere.low >= claim.value:
            return "at every point computed"
        return _nearest(points.case, points.value, points.value, claim.value, "middle estimate is")
    elif len(result.holds_at):
        return _reached(result.holds_at.tok_s_per_user, dict.fromkeys(result.holds_at.case), total)
    return _nearest(points.case, points.low, points.high, claim.value, "interval ends")


def _nearest(names: tuple[str, ...], low: Any, high: Any, value: float, what: str) -> str:
    """How far the nearest of several spans, none of which holds a value, lies from it."""
    below = high < value
    with np.errstate(divide="ignore"):
        away = np.where(below, value / high, low / value)
    best = int(np.argmin(away))
    where = f" ({names[best]})" if names[best] else ""
    return f"nowhere: the nearest {what} {away[best]:.2g} times {'below' if below[best] else 'above'} the claim{where}"


def _reached(speeds: Any, named: dict[str, None], total: int) -> str:
    low, high = float(np.min(speeds)), float(np.max(speeds))
    span = f"at {low:.3g} tok/s/user" if high < 1.02 * low else f"at {low:.3g} to {high:.3g} tok/s/user"
    if total == 1:
        return span
    listed = "; ".join(list(named)[:3]) + ("; …" if len(named) > 3 else "")
    return f"{span} in {len(named)} of {total} cases: {listed}"


def _crossings(points: Points, value: float) -> list[tuple[str, float]]:
    """Case and speed wherever the middle estimate passes the value."""
    frame = points.frame
    out: list[tuple[str, float]] = []
    for name, part in frame[frame["kind"] == "model"].groupby("case", sort=False):
        speed, gap = part["tok_s_per_user"].to_numpy(dtype=float), np.log(part["value"].to_numpy(dtype=float) / value)
        for left in np.flatnonzero(gap[:-1] * gap[1:] < 0):
            share = gap[left] / (gap[left] - gap[left + 1])
            out.append((str(name), float(speed[left] + share * (speed[left + 1] - speed[left]))))
    return out


def _nearest_public(points: Points, value: float) -> str:
    """The public point within a tenth of the value, in words; empty where there is none."""
    frame = points.frame
    seen = frame[frame["kind"] == "measured"]
    if seen.empty:
        return ""
    away = np.abs(np.log(seen["value"].to_numpy(dtype=float) / value))
    best = seen.iloc[int(np.argmin(away))]
    if float(np.min(away)) > NEAR_LOG:
        return ""
    speed = float(best["tok_s_per_user"])
    where = f"at {speed:.3g} tok/s/user" if math.isfinite(speed) else "at an unpublished speed"
    case = f" ({best['case']})" if best["case"] else ""
    return f"{where}{case}: a public measurement lies within a tenth; the middle estimate does not reach it"


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
