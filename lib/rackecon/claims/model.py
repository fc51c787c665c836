"""What the model says about a claim: its number at every operating point that its conditions allow, with intervals.

Conditions that the source leaves open are all tried. A modelled rate at a speed is that of the searched front, as on
every page of money; its 90 % interval is that of published fronts against searched ones
(:data:`rackecon.evidence.intervals.AT_SPEED`). Where a public measurement of a side is narrow enough it goes before the
model.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray, IntArray
from rackecon.claims import arithmetic
from rackecon.claims.evidence import MeasuredFront, engine_measured, measured_front, repeat_spread
from rackecon.claims.records import CONDITIONS, Claim
from rackecon.economics.cost import select_cost
from rackecon.economics.market_table import rent
from rackecon.economics.power_table import all_in_kw
from rackecon.economics.tokens import cost_usd_per_mtok
from rackecon.errors import InputError
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.evidence.novelty import also_new, kind_of
from rackecon.serving.front import Frontier
from rackecon.serving.frontier import searched
from rackecon.serving.query import Query
from rackecon.words import engine_words, lengths, percent, plural

VINTAGES: Final = {"2025": ("2025-08", "2025-10"), "2026": ("2026-07", "2026-07")}
"""Vintage of published figures: $/GPU-hour and kW per GPU."""
GRID: Final = 41
ENDS: Final = ("value", "low", "high")
MEASURED_SPECULATION: Final = ("", "none", "mtp")
COMPARED: Final = ("ratio_tok_s_per_gpu", "ratio_tok_s_per_mw", "ratio_cost")
COPIED: Final = (
    ("subject", "baseline"),
    ("weight_precision", "baseline_precision"),
    ("speculative", "baseline_speculative"),
    ("engine", "baseline_engine"),
)
AGGREGATED_ONLY: Final = ("atom",)
"""Engines that no public run splits into pools."""
USUAL_ENGINE: Final = "usual"
"""An engine that is left to the platform: its default in a search, any in public runs."""
BARELY: Final = 1.1
"""A rate so little below a published front's last is that point's: printed rates are rounded."""
QUARTER_DAYS: Final = 92
"""Public runs of the quarter after a claim's software date count as of that date."""


@dataclass(frozen=True)
class Rates:
    """Rates at some speeds [total tok/s/GPU] with both ends, how each came about, and the public points behind it."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    kind: tuple[str, ...]
    points: tuple[tuple[str, ...], ...]

    @classmethod
    def unknown(cls, count: int) -> Rates:
        """At so many speeds none."""
        nothing = np.full(count, np.nan)
        return cls(nothing, nothing, nothing, ("model",) * count, ((),) * count)

    def take(self, rows: Sequence[int] | IntArray) -> Rates:
        """Those at some of the speeds."""
        kind, points = tuple(self.kind[i] for i in rows), tuple(self.points[i] for i in rows)
        return Rates(self.value[rows], self.low[rows], self.high[rows], kind, points)

    def joined(self, other: Rates) -> Rates:
        """These, then others."""
        value, low, high = (np.concatenate([getattr(self, name), getattr(other, name)]) for name in ENDS)
        return Rates(value, low, high, self.kind + other.kind, self.points + other.points)

    def over(self, other: Rates) -> Rates:
        """Ratio to another side's rates; errors of the two add in squares."""
        down = np.hypot(np.log(self.low / self.value), np.log(other.high / other.value))
        up = np.hypot(np.log(self.high / self.value), np.log(other.low / other.value))
        value = self.value / other.value
        kinds = tuple(a if a == b else "mixed" for a, b in zip(self.kind, other.kind, strict=True))
        points = tuple(a + b for a, b in zip(self.points, other.points, strict=True))
        return Rates(value, value * np.exp(-down), value * np.exp(up), kinds, points)


@dataclass(frozen=True)
class Side:
    """One platform under one set of conditions: its searched front and its published one."""

    accelerator: str
    model: str
    front: Frontier
    precision: str
    published: MeasuredFront
    untried: bool
    engine: str = ""  # as the case names it; empty: any

    @property
    def unmeasured(self) -> bool:
        """Whether the platform, its kind of speculation or its engine has no measured row."""
        return self.untried or kind_of(self.accelerator, self.model) in ("new accelerator", "new both")

    def modelled(self, tok_s_per_user: FloatArray) -> Rates:
        """The searched front's rates, with the 90 % interval of a front; NaN beyond its fastest point."""
        speed, rate = self.front.rows["tok_s_per_user"], self.front.rows["total_tok_s_per_gpu"]
        at = np.asarray(tok_s_per_user, dtype=float)
        if not len(speed):
            return Rates.unknown(len(at))
        value = np.exp(np.interp(at, speed, np.log(rate)))
        value = np.where(at > speed[-1] * (1 + 1e-9), np.nan, value)
        known = "" if self.untried else self.model
        factors = {
            mode: interval_factors(
                self.accelerator, known, mode, AT_SPEED, also=also_new(self.accelerator, known, self.engine)
            )
            for mode in set(self.front.rows["mode"].tolist())
        }
        served = self.front.rows["mode"][np.minimum(np.searchsorted(speed, at), len(speed) - 1)]
        ends = np.array([factors[mode] for mode in served.tolist()]).reshape(-1, 2)
        return replace(Rates.unknown(len(at)), value=value, low=value * ends[:, 0], high=value * ends[:, 1])

    def measured(self, tok_s_per_user: FloatArray) -> Rates:
        """The published front read at speeds, with the two points read between and the spread of repeats; NaN outside."""
        read = [self.published.at(float(v)) for v in np.asarray(tok_s_per_user, dtype=float)]
        spread = repeat_spread()
        value, low, high = (
            np.array([getattr(r, name) for r in read], dtype=float) for name in ("total_tok_s_per_gpu", "low", "high")
        )
        return Rates(value, low / spread, high * spread, tuple("measured" for _ in read), tuple(r.points for r in read))

    def best(self, tok_s_per_user: FloatArray, widest: float) -> Rates:
        """Measured where that is at most so wide, modelled elsewhere."""
        ours, theirs = self.measured(tok_s_per_user), self.modelled(tok_s_per_user)
        use = np.isfinite(ours.value) & (ours.high <= widest * ours.low)
        value, low, high = (np.where(use, getattr(ours, name), getattr(theirs, name)) for name in ENDS)
        kinds = tuple("measured" if x else "model" for x in use)
        points = tuple(p if x else () for p, x in zip(ours.points, use, strict=True))
        return Rates(value, low, high, kinds, points)


def cases(claim: Claim) -> list[dict[str, str]]:
    """Every combination of the conditions, stated ones fixed; ``=`` on the baseline copies the subject's condition."""
    names = [n for n in CONDITIONS if n in claim.conditions and claim.conditions[n].options]
    out = []
    for values in itertools.product(*(claim.conditions[n].options for n in names)):
        case = dict(zip(names, values, strict=True))
        for ours, theirs in COPIED:
            if case.get(theirs) == "=":
                case[theirs] = case.get(ours, "")
        out.append(case)
    return out


def _conditions(case: Mapping[str, str], which: str) -> tuple[str, str, str, str, str]:
    """Precision, speculative method, software date, mode and engine of a side; empty for the usual."""
    base = which == "baseline"
    precision = case.get("baseline_precision" if base else "weight_precision", "")
    speculative = case.get("baseline_speculative" if base else "speculative", "none") or "none"
    when = (case.get("baseline_software_date") if base else "") or case.get("software_date", "")
    mode = case.get("baseline_mode" if base else "mode", "")
    engine = case.get("baseline_engine" if base else "engine", "")
    return precision, speculative, when, mode, "" if engine == USUAL_ENGINE else engine


def question(case: Mapping[str, str], which: str = "subject") -> Query:
    """What is searched for a side of a case."""
    precision, speculative, when, mode, engine = _conditions(case, which)
    isl, osl = (float(x) for x in case["workload"].split("/"))
    try:
        return Query.of(
            case[which],
            case["model"],
            isl,
            osl,
            prefix_cache_hit=float(case.get("prefix_cache_hit") or 0.0),
            weight_precision=None if precision in ("", "usual") else precision,
            speculative=speculative,
            date=when or None,
            mode=mode or ("aggregated" if engine in AGGREGATED_ONLY else None),
            engine=engine or None,
        )
    except InputError as error:
        raise InputError(f"{case[which]}, {case['model']}, {case['workload']}: {error}") from error


def side(case: Mapping[str, str], which: str = "subject") -> Side:
    """The subject or the baseline of a case."""
    accelerator, model = case[which], case["model"]
    precision, speculative, when, mode, engine = _conditions(case, which)
    (front,) = searched([question(case, which)])
    if precision in ("", "usual") and len(front):
        precision = str(front.rows["weight_precision"][0])
    until = last_public_day(when)
    published = measured_front(
        accelerator, model, case["workload"], precision, speculative, mode=mode, engine=engine, until=until
    )
    known = kind_of(accelerator, model) == "known"
    untried = speculative not in MEASURED_SPECULATION or (
        known and bool(engine) and not engine_measured(accelerator, model, engine)
    )
    return Side(accelerator, model, front, precision, published, untried, engine)


def last_public_day(software_date: str) -> str:
    """ISO date of the newest public run that counts as of a software date; any where none is given.

    Examples
    --------
    >>> last_public_day("2025-10-09")
    '2026-01-09'
    """
    if not software_date:
        return "9999"
    return (date.fromisoformat(software_date) + timedelta(days=QUARTER_DAYS)).isoformat()


def _range(front: Frontier) -> tuple[float, float]:
    speed = front.rows["tok_s_per_user"]
    return (float(speed[0]), float(speed[-1])) if len(speed) else (math.nan, math.nan)


def cost_per_gpu_hour(accelerator: str, vintage: str, basis: str = "ownership") -> float:
    """Published hyperscaler ownership cost of a vintage, or newest three-year rent [USD/GPU-hour]; NaN where none is."""
    if basis == "rented":
        paid = rent(accelerator)
        return paid.usd_per_gpu_hour if paid is not None else math.nan
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
    if len(front.point_ids) and front.total_tok_s_per_gpu[-1] / BARELY <= rate <= front.total_tok_s_per_gpu[-1]:
        return front.tok_s_per_user[-1:]
    if len(front.point_ids) and front.total_tok_s_per_gpu[-1] <= rate <= front.total_tok_s_per_gpu[0]:
        # both columns fall against each other: turned round, the rate is the rising axis
        rates, speeds = np.log(front.total_tok_s_per_gpu[::-1]), front.tok_s_per_user[::-1]
        return np.array([float(np.interp(math.log(rate), rates, speeds))])
    low, high = _range(one.front)
    if not high > low:
        return np.array([])

    def gap(speed: float) -> float:
        return math.log(float(one.modelled(np.array([speed])).value[0]) / rate)

    if gap(high) >= 0:
        return np.array([high])
    if gap(low) <= 0:
        return np.array([low])
    return np.array([brentq(gap, low, high)])


def case_name(claim: Claim, case: Mapping[str, str]) -> str:
    """The values of the open conditions, as a short text."""
    names = [n for n in claim.open_conditions if n in case and n != "tok_s_per_user"]
    return ", ".join(option_words(n, case[n]) for n in names)


FIXED_WORDS: Final = {
    ("speculative", "mtp"): "with multi-token prediction",
    ("speculative", "none"): "without multi-token prediction",
    ("baseline_speculative", "mtp"): "the older machine with multi-token prediction too",
    ("baseline_speculative", "none"): "the older machine without multi-token prediction",
    ("utilisation", "1.0"): "fully sold",
    ("utilisation", "0.5"): "half sold",
    ("token_price", "list"): "at the median list price",
    ("token_price", "cheapest"): "at the cheapest listing",
    ("token_price", "dearest"): "at the dearest listing",
    ("token_price", "paid"): "at the price that buyers paid in 2026-08",
    ("token_price", "effective"): "at the price that buyers pay",
    ("token_price", "entrant"): "at an entrant's price",
    ("utilisation", "derived"): "sold as far as queues and demand allow",
    ("mode", "aggregated"): "with prefill and decode together",
    ("mode", "disaggregated"): "with prefill and decode apart",
    ("baseline_mode", "aggregated"): "the older machine with prefill and decode together",
    ("baseline_mode", "disaggregated"): "the older machine with prefill and decode apart",
    ("cost_basis", "ownership"): "owned",
    ("cost_basis", "rented"): "rented for three years",
    ("layout", "same layout"): "on one layout",
    ("layout", "any layout"): "on any layout",
}


def option_words(name: str, value: str) -> str:
    """A condition's value in words.

    Examples
    --------
    >>> option_words("workload", "8192/1024"), option_words("utilisation", "1.0"), option_words("horizon_years", "1")
    ('8,192 in and 1,024 out', 'fully sold', 'over 1 year')
    """
    if (name, value) in FIXED_WORDS:
        return FIXED_WORDS[name, value]
    if name == "subject":
        return catalog.accelerator(value).label
    if name == "baseline":
        return f"against {catalog.accelerator(value).label}"
    if name == "model":
        return catalog.model(value).name
    if name == "workload":
        return lengths(value)
    if name == "utilisation":
        return f"{percent(float(value))} sold"
    return {
        "horizon_years": f"over {plural(float(value), 'year')}" if name == "horizon_years" else "",
        "weight_precision": f"{value.upper()} weights",
        "baseline_precision": f"the older machine in {value.upper()}",
        "counting": f"{value} tokens counted",
        "engine": f"on {_engine_words(value)}",
        "baseline_engine": f"the older machine on {_engine_words(value)}",
        "software_date": f"with software of {value}",
        "scenario": f"for {catalog.label(value)}",
        "compared_with": f"against {value}",
    }.get(name, value)


def _engine_words(engine: str) -> str:
    return "its usual engine" if engine == USUAL_ENGINE else engine_words(engine)


def ratio_factor(metric: str, case: Mapping[str, str]) -> float:
    """What turns a throughput ratio per GPU into the claim's ratio."""
    ours, theirs = case["subject"], case["baseline"]
    if metric == "ratio_tok_s_per_mw":
        kw = VINTAGES[case["vintage"]][1]
        return all_in_kw(theirs, kw) / all_in_kw(ours, kw)
    if metric == "ratio_cost":
        vintage, basis = case["vintage"], case.get("cost_basis") or "ownership"
        return cost_per_gpu_hour(theirs, vintage, basis) / cost_per_gpu_hour(ours, vintage, basis)
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
        basis = case.get("cost_basis") or "ownership"
        return cost_usd_per_mtok(cost_per_gpu_hour(case["subject"], case["vintage"], basis), rate), -1
    return rate, 1
