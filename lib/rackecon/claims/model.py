"""What the model says about a claim: its number at every operating point that its conditions allow, with intervals.

Conditions that the source leaves open are all tried. A rate at a speed is the searched front's, times the median of
published over searched rates (:mod:`rackecon.claims.accuracy`): it stands for what a public measurement would
show, and its 90 % interval comes from the same residuals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.claims import arithmetic
from rackecon.claims.accuracy import FrontScale, front_scale
from rackecon.claims.evidence import MeasuredFront, measured_front, peak_rows
from rackecon.claims.records import CONDITIONS, Claim
from rackecon.claims.verdict import EDGE_SHARE
from rackecon.economics.checks import FloatArray
from rackecon.economics.cost import select_cost
from rackecon.economics.power_table import all_in_kw
from rackecon.economics.tokens import cost_usd_per_mtok
from rackecon.errors import InputError
from rackecon.evidence.intervals import evidence_class, interval_factors
from rackecon.serving.frontier import Frontier, search
from rackecon.words import percent, plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COMPARED",
    "VINTAGES",
    "Points",
    "Side",
    "case_name",
    "cases",
    "cost_per_gpu_hour",
    "evaluate",
    "operating_speeds",
    "plain_value",
    "rack_gpus",
    "ratio_factor",
    "side",
    "unmeasured_factors",
]

VINTAGES: Final = {"2025": ("2025-08", "2025-10"), "2026": ("2026-07", "2026-07")}
"""Vintage of published figures: $/GPU-hour and kW per GPU."""
GRID: Final = 41
MEASURED_SPECULATION: Final = ("", "none", "mtp")
Block = tuple[str, str, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
COMPARED: Final = ("ratio_tok_s_per_gpu", "ratio_tok_s_per_mw", "ratio_cost")


@dataclass(frozen=True)
class Side:
    """One platform under one set of conditions: its searched front, its published one, its residuals."""

    accelerator: str
    front: Frontier
    scale: FrontScale
    precision: str
    published: MeasuredFront
    sweep: tuple[float, float]
    extra_log: tuple[float, float]

    def rate(self, tok_s_per_user: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Middle [tok/s/GPU, total], and natural logs of the interval's ends over the middle (low, high)."""
        speed, rate = self.front.rows["tok_s_per_user"], self.front.rows["total_tok_s_per_gpu"]
        at = np.asarray(tok_s_per_user, dtype=float)
        if not len(speed):
            nothing = np.full(at.shape, np.nan)
            return nothing, nothing, nothing
        value = np.exp(np.interp(at, speed, np.log(rate)) + self.scale.log_mid)
        value = np.where(at > speed[-1] * (1 + 1e-9), np.nan, value)
        low = -math.hypot(self.scale.log_mid - self.scale.log_low, self.extra_log[0])
        high = math.hypot(self.scale.log_high - self.scale.log_mid, self.extra_log[1])
        return value, np.full(at.shape, low), np.full(at.shape, high)


@dataclass(frozen=True)
class Points:
    """Operating points of all cases of a claim, modelled and measured, as columns of equal length."""

    case: tuple[str, ...]
    kind: tuple[str, ...]
    tok_s_per_user: FloatArray
    position: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.value)

    @property
    def in_middle(self) -> FloatArray:
        """Whether a point lies in the middle 80 % of the interactivity range; unknown positions count as inside."""
        known = np.isfinite(self.position)
        return np.asarray(~known | ((self.position >= EDGE_SHARE) & (self.position <= 1.0 - EDGE_SHARE)))

    @property
    def frame(self) -> pd.DataFrame:
        """The points as a data frame."""
        import pandas as pd

        return pd.DataFrame(
            {
                "case": self.case,
                "kind": self.kind,
                "tok_s_per_user": self.tok_s_per_user,
                "position": self.position,
                "value": self.value,
                "low": self.low,
                "high": self.high,
            }
        )


def cases(claim: Claim) -> list[dict[str, str]]:
    """Every combination of the conditions, stated ones fixed; ``=`` on the baseline copies the subject's condition."""
    names = [n for n in CONDITIONS if n in claim.conditions and claim.conditions[n].options]
    out = []
    for values in itertools.product(*(claim.conditions[n].options for n in names)):
        case = dict(zip(names, values, strict=True))
        for ours, theirs in (("weight_precision", "baseline_precision"), ("speculative", "baseline_speculative")):
            if case.get(theirs) == "=":
                case[theirs] = case.get(ours, "")
        out.append(case)
    return out


@by_data(512)
def _front(
    accelerator: str, model: str, workload: str, precision: str, speculative: str, date: str, hit: float
) -> Frontier:
    isl, osl = (float(x) for x in workload.split("/"))
    weight = None if precision in ("", "usual") else precision
    try:
        return search(
            accelerator,
            model,
            isl,
            osl,
            prefix_cache_hit=hit,
            weight_precision=weight,
            speculative=speculative or "none",
            date=date or None,
        )
    except InputError as error:
        raise InputError(f"{accelerator}, {model}, {workload}: {error}") from error


def side(case: Mapping[str, str], which: str = "subject") -> Side:
    """The subject or the baseline of a case."""
    base = which == "baseline"
    accelerator, model = case[which], case["model"]
    precision = case.get("baseline_precision" if base else "weight_precision", "")
    speculative = case.get("baseline_speculative" if base else "speculative", "none") or "none"
    date = (case.get("baseline_software_date") if base else "") or case.get("software_date", "")
    hit = float(case.get("prefix_cache_hit") or 0.0)
    front = _front(accelerator, model, case["workload"], precision, speculative, date, hit)
    if precision in ("", "usual") and len(front):
        precision = str(front.rows["weight_precision"][0])
    published = measured_front(accelerator, model, case["workload"], precision, speculative)
    known = published.points >= 3 and published.sweep_high > 1.5 * published.sweep_low
    sweep = (published.sweep_low, published.sweep_high) if known else _range(front)
    scale, extra = front_scale(accelerator, model, speculative), _extra(accelerator, model, speculative)
    return Side(accelerator, front, scale, precision, published, sweep, extra)


def _range(front: Frontier) -> tuple[float, float]:
    speed = front.rows["tok_s_per_user"]
    return (float(speed[0]), float(speed[-1])) if len(speed) else (math.nan, math.nan)


def unmeasured_factors(accelerator: str, model: str, speculative: str, quantity: str) -> tuple[float, float] | None:
    """Interval factors where the platform, the model or the kind of speculation has no measurement; else None."""
    if evidence_class(accelerator, model, "aggregated").startswith("new"):
        return interval_factors(accelerator, model, "aggregated", quantity)
    if speculative not in MEASURED_SPECULATION:
        return interval_factors(accelerator, "", "aggregated", quantity)
    return None


def _extra(accelerator: str, model: str, speculative: str) -> tuple[float, float]:
    """Logs that widen an interval where something has no measurement."""
    factors = unmeasured_factors(accelerator, model, speculative, "total_tok_s_per_gpu")
    return (math.log(factors[0]), math.log(factors[1])) if factors else (0.0, 0.0)


def cost_per_gpu_hour(accelerator: str, vintage: str) -> float:
    """Published hyperscaler ownership cost of a vintage [USD/GPU-hour]; NaN where none is published."""
    found = select_cost(accelerator, basis="ownership", tier="hyperscaler", vintage=VINTAGES[vintage][0])
    return found.usd_per_gpu_hour if found is not None else math.nan


def rack_gpus(accelerator: str) -> int:
    """GPUs of a rack."""
    return int(catalog.rack(accelerator).gpus_per_rack)


def operating_speeds(case: Mapping[str, str], sides: list[Side]) -> FloatArray:
    """Interactivities of a case: the stated one, that of the stated baseline rate, or a grid over both fronts."""
    fixed = case.get("tok_s_per_user", "")
    if fixed:
        return np.array([float(fixed)])
    rate = case.get("baseline_tok_s_per_gpu", "")
    if rate:
        return _speed_of_rate(sides[-1], float(rate))
    ends = [(s.front.rows["tok_s_per_user"][0], s.front.rows["tok_s_per_user"][-1]) for s in sides if len(s.front)]
    if len(ends) < len(sides):
        return np.array([])
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    return np.geomspace(low, high, GRID) if high > low else np.array([])


def _speed_of_rate(one: Side, rate: float) -> FloatArray:
    """Speed at which a platform gives a rate: on its published front where that covers the rate, else on the searched.

    Where the searched front never falls so low, its fast end.
    """
    from scipy.optimize import brentq

    front = one.published
    if len(front.point_ids) and front.total_tok_s_per_gpu[-1] <= rate <= front.total_tok_s_per_gpu[0]:
        # both columns fall against each other: turned round, the rate is the rising axis
        rates, speeds = np.log(front.total_tok_s_per_gpu[::-1]), front.tok_s_per_user[::-1]
        return np.array([float(np.interp(math.log(rate), rates, speeds))])
    low, high = _range(one.front)
    if not high > low:
        return np.array([])

    def gap(speed: float) -> float:
        return math.log(float(one.rate(np.array([speed]))[0][0]) / rate)

    if gap(high) >= 0:
        return np.array([high])
    if gap(low) <= 0:
        return np.array([low])
    return np.array([brentq(gap, low, high)])


def _position(speed: FloatArray, sides: list[Side]) -> FloatArray:
    """Place, on a log scale, in the interactivity range of the limiting platform: the baseline where there is one.

    The range is that of the published sweep where there is one, else that of the searched front.
    """
    low, high = sides[-1].sweep
    if not high > low:
        return np.full(speed.shape, np.nan)
    return np.asarray(np.log(speed / low) / np.log(high / low))


def evaluate(claim: Claim) -> Points:
    """The claim's number, in its own unit, at every operating point its conditions allow.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    Points
        Points that no layout reaches are left out; empty where the model serves none of the cases.
    """
    from rackecon.claims.special import SPECIAL, accounts

    rows: list[Block] = []
    for case in cases(claim):
        name = case_name(claim, case)
        if claim.metric in SPECIAL:
            rows.append((name, "model", *SPECIAL[claim.metric](claim, case)))
            continue
        sides = [side(case)] + ([side(case, "baseline")] if claim.metric in COMPARED else [])
        speed = operating_speeds(case, sides)
        rate, low, high = sides[0].rate(speed)
        if claim.metric in COMPARED:
            factor = ratio_factor(claim.metric, case)
            other, other_low, other_high = sides[1].rate(speed)
            value = factor * rate / other
            spread = (-np.hypot(low, other_high), np.hypot(high, other_low))
        else:
            value, sign = accounts(claim, case, rate)
            spread = (low, high) if sign > 0 else (-high, -low)
        ends = value * np.exp(spread[0]), value * np.exp(spread[1])
        rows.append((name, "model", speed, _position(speed, sides), value, *ends))
        at, rates = _published(case, sides, speed)
        found = factor * rates if claim.metric in COMPARED else accounts(claim, case, rates)[0]
        rows.append((name, "measured", at, _position(at, sides), found, found, found))
    return _join(rows)


def _join(rows: list[Block]) -> Points:
    names = tuple(itertools.chain.from_iterable([row[0]] * len(row[2]) for row in rows))
    kinds = tuple(itertools.chain.from_iterable([row[1]] * len(row[2]) for row in rows))
    columns = [np.concatenate([np.asarray(row[i], dtype=float) for row in rows]) for i in range(2, 7)]
    keep = np.flatnonzero(np.isfinite(columns[2]))
    return Points(
        tuple(names[i] for i in keep),
        tuple(kinds[i] for i in keep),
        columns[0][keep],
        columns[1][keep],
        columns[2][keep],
        columns[3][keep],
        columns[4][keep],
    )


def _published(case: Mapping[str, str], sides: list[Side], speeds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Speeds and rates (or ratios of rates at one speed) that public measurements give for a case."""
    fronts = [one.published for one in sides]
    fixed = case.get("tok_s_per_user", "") or case.get("baseline_tok_s_per_gpu", "")
    if len(sides) == 1 and not fixed:
        rows = peak_rows(sides[0].accelerator, case["model"], case["workload"], sides[0].precision)
        return (
            np.array([float(row["tok_s_per_user"]) for row in rows]),
            np.array([float(row["total_tok_s_per_gpu"]) for row in rows]),
        )
    at = speeds if fixed else fronts[0].tok_s_per_user
    read = [[front.at(float(v)).total_tok_s_per_gpu for v in at] for front in fronts]
    rates = np.array(read[0], dtype=float)
    return np.asarray(at, dtype=float), rates if len(read) == 1 else rates / np.array(read[1], dtype=float)


def case_name(claim: Claim, case: Mapping[str, str]) -> str:
    """The values of the open conditions, as a short text."""
    shown = [case[n] for n in claim.open_conditions if n in case and n != "tok_s_per_user"]
    return ", ".join(_words(n, v) for n, v in zip([n for n in claim.open_conditions if n in case], shown, strict=False))


def _words(name: str, value: str) -> str:
    if name in ("subject", "baseline"):
        return catalog.accelerator(value).label
    if name == "workload":
        return "/".join(f"{round(int(part) / 1024)}k" for part in value.split("/"))
    if name == "speculative":
        return "MTP" if value == "mtp" else "no MTP"
    if name == "baseline_speculative":
        return "baseline with MTP" if value == "mtp" else "baseline without MTP"
    if name == "horizon_years":
        return plural(float(value), "year")
    if name == "utilisation":
        return f"{percent(float(value))} sold"
    return {
        "token_price": f"{value} price",
        "baseline_precision": f"baseline {value}",
        "counting": f"{value} tokens counted",
    }.get(name, value)


def ratio_factor(metric: str, case: Mapping[str, str]) -> float:
    """What turns a throughput ratio per GPU into the claim's ratio."""
    ours, theirs = case["subject"], case["baseline"]
    if metric == "ratio_tok_s_per_mw":
        kw = VINTAGES[case["vintage"]][1]
        return all_in_kw(theirs, kw) / all_in_kw(ours, kw)
    if metric == "ratio_cost":
        vintage = case["vintage"]
        return cost_per_gpu_hour(theirs, vintage) / cost_per_gpu_hour(ours, vintage)
    return 1.0


def plain_value(metric: str, case: Mapping[str, str], rate: FloatArray) -> tuple[FloatArray, int]:
    """A total rate per GPU in the unit of a metric, and whether that grows (1) or falls (-1) with the rate."""
    if case.get("counting") == "output":
        isl, osl = (float(part) for part in case["workload"].split("/"))
        rate = rate * osl / (isl + osl)
    if metric == "rack_tok_s":
        return rate * rack_gpus(case["subject"]), 1
    if metric == "tok_s_per_mw":
        return arithmetic.tok_s_per_mw(rate, all_in_kw(case["subject"], VINTAGES[case["vintage"]][1])), 1
    if metric == "cost_usd_per_mtok":
        return cost_usd_per_mtok(cost_per_gpu_hour(case["subject"], case["vintage"]), rate), -1
    return rate, 1
