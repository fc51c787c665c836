"""A claim, what was measured, what the model says, and the verdict that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data, one_state
from rackecon.catalog.kept import kept
from rackecon.claims.cells import Cells, cells_of, questions
from rackecon.claims.conditions import fewest, tried, true_when, undecided, what_is_missing
from rackecon.claims.evidence import NOTHING, peak_rows
from rackecon.claims.model import ENDS, cases, side
from rackecon.claims.records import Claim, claims, published, source
from rackecon.claims.special import SPECIAL
from rackecon.claims.verdict import FALSE, OPEN, TRUE, Findings, Reading, decide
from rackecon.serving.frontier import searched


@dataclass(frozen=True)
class Assessment:
    """The answers to one claim: its readings, the cells of each, and the verdict by rule."""

    claim: Claim
    cases: tuple[Mapping[str, str], ...]
    cells: tuple[Cells, ...]
    readings: tuple[Reading, ...]
    verdict: str

    @property
    def stated(self) -> bool:
        """Whether the stated conditions leave nothing open."""
        return not self.claim.open_conditions

    def column(self, rates: str, end: str = "value") -> FloatArray:
        """``measured``, ``modelled`` or ``used`` rates of all readings, or the ``low`` or ``high`` ends of them."""
        return np.concatenate([getattr(getattr(one, rates), end) for one in self.cells] or [np.array([])])

    def span(self, rates: str, end: str = "value") -> tuple[float, float]:
        """Least and greatest finite value of a column; NaN where there is none."""
        values = self.column(rates, end)
        values = values[np.isfinite(values)]
        return (float(values.min()), float(values.max())) if len(values) else (math.nan, math.nan)

    @property
    def computed(self) -> float:
        """Median of the model's values over what is open; NaN where the model has none."""
        values = self.column("modelled")
        values = values[np.isfinite(values)]
        return float(np.median(values)) if len(values) else math.nan

    @property
    def shown(self) -> tuple[float, float]:
        """The 90 % interval at the stated conditions, or the extremes of the model's values over what is open."""
        if len(self.column("modelled")) == 1:
            return self.span("modelled", "low")[0], self.span("modelled", "high")[1]
        return self.span("modelled")

    @property
    def best(self) -> float:
        """The number nearest to the claim or beyond it that measurements or else the model reach at its conditions."""
        low, high = self.span("used")
        return low if self.claim.falls_with_rate else high

    @property
    def exaggeration(self) -> float:
        """How many times the claim exceeds :attr:`best`."""
        ratio = self.claim.value / self.best
        return 1.0 / ratio if self.claim.falls_with_rate else ratio


@dataclass(frozen=True)
class Coverage:
    """Measured numbers against the model's intervals at equal conditions: inside, above and below."""

    cells: int
    inside: int
    above: int
    below: int

    @property
    def share(self) -> float:
        """Share of measured numbers inside the model's 90 % interval [-]."""
        return self.inside / self.cells if self.cells else math.nan


def _reading(cells: Cells) -> Reading:
    states = np.array(cells.state, dtype=object)
    measured = np.array([kind == "measured" for kind in cells.used.kind], dtype=bool)
    true, false = states == TRUE, states == FALSE
    if true.any():
        return Reading(TRUE, bool((true & measured).any()))
    if len(states) and false.all():
        return Reading(FALSE, bool(measured.any()))
    return Reading(OPEN)


@one_state()
def assess(claim: Claim) -> Assessment:
    """Evaluate one claim.

    Returns
    -------
    Assessment
        The verdict is :func:`~rackecon.claims.verdict.decide` on its readings.
    """
    every = cases(claim)
    cells = tuple(cells_of(claim, case) for case in every)
    readings = tuple(_reading(one) for one in cells)
    found = Findings(
        readings,
        everywhere="tok_s_per_user" not in claim.open_conditions or claim.bound == "up_to",
        own=own_runs(claim),
        misattributed=claim.misattributed,
        identity=bool(claim.identity),
        unpublished=bool(claim.unpublished),
    )
    return Assessment(claim, tuple(every), cells, readings, decide(found))


def own_runs(claim: Claim) -> bool:
    """Whether a claim's number was measured by its author, or the subject's maker, alone.

    Examples
    --------
    >>> from rackecon.claims import claim
    >>> own_runs(claim("tpu-v7-50pct-dollar")), own_runs(claim("b200-2cents"))
    (True, False)
    """
    seen = published(claim.id)
    return bool(seen) and all(one.own_run for one in seen)


def assess_all() -> list[Assessment]:
    """Every claim of data/claims.csv, in file order; worked out once for the tables as they are."""
    return list(_assessed())


@by_data(1)
def _assessed() -> tuple[Assessment, ...]:
    return kept("claims", "all", _worked_out)


@one_state()
def _worked_out() -> tuple[Assessment, ...]:
    every = claims().values()
    searched([asked for one in every for case in cases(one) for asked in questions(one, case)])
    return tuple(assess(one) for one in every)


def coverage(results: list[Assessment]) -> Coverage:
    """How often a measured number lies inside the model's 90 % interval, over all cells that have both.

    A gap of a sweep counts by its two points: inside where their range and the interval meet.
    """
    seen, low, high, least, most = (
        np.concatenate([one.column(rates, end) for one in results] or [np.array([])])
        for rates, end in (*(("measured", end) for end in ENDS), ("modelled", "low"), ("modelled", "high"))
    )
    both = np.isfinite(seen) & np.isfinite(least)
    above, below = both & (low > most), both & (high < least)
    return Coverage(int(both.sum()), int((both & ~above & ~below).sum()), int(above.sum()), int(below.sum()))


@one_state()
def measured(claim: Claim) -> list[dict[str, Any]]:
    """Public measurements for a claim: the subject's and the baseline's front read at the claim's speeds.

    Returns
    -------
    list of dict
        Per case and side: ``side, accelerator, model, workload, weight_precision, speculative, engine, tok_s_per_user,
        total_tok_s_per_gpu, low, high, kind, points, peak_tok_s_per_gpu, peak_source_id, published``.
    """
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, ...]] = set()
    for case in cases(claim):
        for which in ("subject", "baseline"):
            if not case.get(which) or claim.metric in SPECIAL:
                continue
            one = side(case, which)
            speculative = case.get("baseline_speculative" if which == "baseline" else "speculative", "none")
            speed = case.get("tok_s_per_user", "")
            key = (which, one.accelerator, one.model, case["workload"], one.precision, speculative, one.engine, speed)
            if key in seen:
                continue
            seen.add(key)
            peak = peak_rows(one.accelerator, one.model, case["workload"], one.precision, engine=one.engine)
            read = one.published.at(float(speed)) if speed else NOTHING
            rows.append(
                {
                    "side": which,
                    "accelerator": one.accelerator,
                    "model": one.model,
                    "workload": case["workload"],
                    "weight_precision": one.precision,
                    "speculative": speculative,
                    "engine": one.engine,
                    "tok_s_per_user": float(speed) if speed else math.nan,
                    "total_tok_s_per_gpu": read.total_tok_s_per_gpu,
                    "low": read.low,
                    "high": read.high,
                    "kind": read.kind,
                    "points": ", ".join(read.points),
                    "peak_tok_s_per_gpu": float(peak[0]["total_tok_s_per_gpu"]) if peak else math.nan,
                    "peak_source_id": str(peak[0]["source_id"]) if peak else "",
                    "published": len(peak),
                }
            )
    return rows


def record(result: Assessment) -> dict[str, Any]:
    """One line of ``rackecon claims --json``; numbers unrounded."""
    claim = result.claim
    low, high = result.shown
    used = sorted({name for one in result.cells for points in one.used.points for name in points})
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
        "computed_low": low,
        "computed_high": high,
        "computed_at": "the stated conditions, 90 % interval" if result.stated else "extremes over what is not stated",
        "measured": [x for x in result.span("measured") if math.isfinite(x)],
        "measured_points": used,
        "verdict": result.verdict,
        "true_when": true_when(result),
        "missing": what_is_missing(result),
        "not_checkable_for": undecided(result)[0],
        "readings": len(result.readings),
        "readings_true": sum(one.state == TRUE for one in result.readings),
        "readings_false": sum(one.state == FALSE for one in result.readings),
        "conditions_stated": claim.stated,
        "conditions_by_reference": claim.by_reference,
        "conditions_not_stated": claim.not_stated,
        "conditions_open": list(claim.open_conditions),
        "axes_tried": tried(result),
        "fewest_conditions": _fewest(result),
        "sources": [vars(source(s)) for s in claim.primary],
        "repeated_by": [vars(source(s)) for s in claim.repeats],
        "distortion": claim.distortion,
    }


def _fewest(result: Assessment) -> list[str]:
    found = fewest(result)
    return list(found.words) if found else []
