"""How wide 90 % intervals are: from residuals of what a fit had not seen, by kind of novelty and mode.

Writes data/residual_scales.csv (the ends of every class) and data/validation_intervals.csv (how well they hold).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.evidence.intervals import AT_SPEED, IN_ONE_RACK, interval_score, weighted_score
from rackecon.evidence.measured import CONFIGURATION, Evidence
from rackecon.evidence.residual import AS_OF
from rackecon.evidence.scores import QUANTITIES, RATE
from rackecon.evidence.validation import HeldOut
from rackecon.lazy import pd

Ends = dict[str, tuple[float, float]]
COVERED = 0.9
LEVELS = (0.05, 0.95)
MODES = ("aggregated", "disaggregated")
PEAKS = (
    "peak rates"  # published without a load: known to a few per cent, which says nothing of a rate at a promised speed
)
EITHER = "either mode"  # where one mode has too few homes to stand alone
RACKED = f"disaggregated{IN_ONE_RACK}"
SHAPES = ((*MODES, EITHER, RACKED), (PEAKS,))
"""Kinds of rows whose residuals share percentiles, each in units of its kind's mean residual."""
FEWEST = 8  # residuals from which a kind has a size of its own
FEWEST_HOMES = 5  # homes from which a kind stands alone, and from which the others say how far each is to be widened
WIDENINGS = np.round(np.arange(1.0, 3.005, 0.01), 2)
HELD_AS_KNOWN = (
    ("new lengths", AT_SPEED),
)  # whose left-out fronts the interval of known ones holds as often as its own
NARROWEST = 0.05  # no end lies nearer: equal runs differ by as much


@dataclass(frozen=True)
class Misses:
    """Logs of measurement over prediction of rows that a fit had not seen."""

    off: FloatArray
    kinds: NDArray[np.str_]  # of SHAPES
    homes: IntArray  # held out together
    sound: BoolArray  # not of a broken build: those are scored, and widen nothing

    def select(self, chosen: BoolArray) -> Misses:
        """Some of the rows."""
        return Misses(self.off[chosen], self.kinds[chosen], self.homes[chosen], self.sound[chosen])

    def placed(self, ends: Ends) -> FloatArray:
        """Ends of each row by its kind, ``(2, rows)``; NaN where the kind has none."""
        none = (np.nan, np.nan)
        return np.array([ends.get(str(kind), none) for kind in self.kinds]).reshape(-1, 2).T

    def inside(self, ends: FloatArray) -> BoolArray:
        """Whether each row lies between its ends ``(2, rows)``."""
        return np.asarray((self.off >= ends[0]) & (self.off <= ends[1]))


def misses(evidence: Evidence, held: HeldOut, quantity: str) -> tuple[Misses, BoolArray]:
    """Residuals of one quantity, and which rows they are of.

    Repeats of one configuration count once, the newest; on public fronts every one counts, each with the software of its day.
    """
    off = -held.by_name(quantity)
    used = np.isfinite(off) & (evidence.newest | (quantity == AT_SPEED))
    mode = evidence.frame["mode"].to_numpy(dtype=str)
    if quantity == AT_SPEED:
        racked = [chip.rack_scale for chip in evidence.points.records[0]]
        mode = np.where((mode == "disaggregated") & racked, RACKED, mode)
    elif any(len(np.unique(held.homes[used & ~evidence.throughput_only & (mode == m)])) < FEWEST_HOMES for m in MODES):
        mode = np.full(len(mode), EITHER)
    kinds = np.where(evidence.throughput_only, PEAKS, mode)
    return Misses(off, kinds, held.homes, ~evidence.broken).select(used), used


def percentiles(found: Misses) -> Ends:
    """5th and 95th percentile of each kind's residuals.

    Notes
    -----
    .. math:: q_k(p) = s_k \\, Q_p(\\{r_i / s_{k(i)}\\}), \\qquad s_k = \\overline{|r|}_k

    Own: a mode's few curves say how large its residuals are, all modes together how they are spread. Percentiles of one
    mode alone, or of one vendor's rows in it, have a worse weighted score on curves held out.

    Examples
    --------
    >>> some = Misses(np.linspace(-1.0, 1.0, 21), np.repeat("aggregated", 21), np.arange(21), np.ones(21, dtype=bool))
    >>> percentiles(some)["aggregated"]
    (-0.90, 0.90)
    """
    out: Ends = {}
    for shape in SHAPES:
        mine = found.sound & np.isin(found.kinds, shape)
        if mine.sum() < FEWEST:
            continue
        whole = np.abs(found.off[mine]).mean()
        own = {kind: np.abs(found.off[mine & (found.kinds == kind)]) for kind in shape}
        size = {kind: float(x.mean() if len(x) >= FEWEST else whole) for kind, x in own.items()}
        units = np.array([size[kind] for kind in found.kinds[mine].tolist()])
        low, high = np.quantile(found.off[mine] / units, LEVELS)
        out |= {kind: (one * float(low), one * float(high)) for kind, one in size.items()}
    return out


def by_the_others(found: Misses) -> FloatArray:
    """Percentiles of each home's rows by all the other homes, ``(2, rows)``."""
    out = np.full((2, len(found.off)), np.nan)
    for home in np.unique(found.homes):
        test = found.homes == home
        out[:, test] = found.select(test).placed(percentiles(found.select(~test)))
    return out


def widenings(found: Misses) -> dict[str, float]:
    """How far each kind's percentiles are widened, both ends alike, until each home is covered by the others at 90 %."""
    ends, out = by_the_others(found), {}
    for kind in np.unique(found.kinds):
        mine = (found.kinds == kind) & np.isfinite(ends[0])
        one = found.select(mine)
        fits = (float(w) for w in WIDENINGS if not mine.any() or one.inside(w * ends[:, mine]).mean() >= COVERED)
        out[str(kind)] = next(fits, float(WIDENINGS[-1]))
    return out


def interval_ends(found: Misses) -> Ends:
    """Ends of the interval of each kind: percentiles, widened."""
    wider = widenings(found)
    return {
        kind: (wider.get(kind, 1.0) * low, wider.get(kind, 1.0) * high)
        for kind, (low, high) in percentiles(found).items()
    }


def held_intervals(found: Misses) -> FloatArray:
    """Ends ``(2, rows)`` of each row's interval by homes that are not its own.

    Percentiles and widening are the others'. Of a kind with less than ``FEWEST_HOMES`` the others are too few to say how
    far: it is widened as it ships, over all its homes.
    """
    out, wider = by_the_others(found), widenings(found)
    many = np.zeros(len(found.off), dtype=bool)
    for kind in np.unique(found.kinds):
        mine = found.kinds == kind
        many |= mine & (len(np.unique(found.homes[mine])) >= FEWEST_HOMES)
        out[:, mine] *= wider[str(kind)]
    for home in np.unique(found.homes[many]):
        test = many & (found.homes == home)
        out[:, test] = found.select(test).placed(interval_ends(found.select(found.homes != home)))
    return out


def interval_scales(evidence: Evidence, known: list[HeldOut], new: dict[str, HeldOut]) -> pd.DataFrame:
    """Log offsets of measurement over prediction that hold nine cases in ten, by class of evidence and quantity.

    Parameters
    ----------
    known : list of HeldOut
        Whole curves held out: classes ``aggregated`` and ``disaggregated``, the mean of the shuffles.
    new : dict
        ``new pair``, ``new model``, ``new accelerator``, ``new engine`` and ``new lengths``: those held out whole. Where
        neither platform nor model is known the ends of these two add in squares.
    """
    rows: list[tuple[str, str, int, float, float]] = []
    every = {"": known, **{f"{name} ": [one] for name, one in new.items()}}
    asked = [(name, mode) for name in QUANTITIES for mode in MODES] + [(AT_SPEED, mode) for mode in (*MODES, RACKED)]
    rated: dict[str, dict[str, Scale]] = {}
    for quantity, mode in asked:
        asked_of = {kind: held for kind, held in every.items() if (kind.strip(), quantity) not in HELD_AS_KNOWN}
        found = {kind: _scale(evidence, held, quantity, mode) for kind, held in asked_of.items()}
        if quantity == RATE:
            rated[mode] = found
        if quantity == AT_SPEED:
            of_one = {kind: one for kind, one in rated[mode.removesuffix(IN_ONE_RACK)].items() if kind in asked_of}
            found |= {kind: _grown(found[""], one, of_one[""]) for kind, one in of_one.items() if not found[kind][0]}
        one, two = found["new model "], found["new accelerator "]
        both = min(one[0], two[0]), -float(np.hypot(one[1], two[1])), float(np.hypot(one[2], two[2]))
        rows += [(f"{kind}{mode}", quantity, *ends) for kind, ends in {**found, "new both ": both}.items()]
    rows += [_drift(evidence, quantity) for quantity in (*QUANTITIES, AT_SPEED)]
    rows.sort(key=lambda row: (*QUANTITIES, AT_SPEED).index(row[1]))
    out = pd.DataFrame(rows, columns=["evidence", "quantity", "points", "log_low", "log_high"]).round(4)
    return out.assign(source_id="calibration", date=AS_OF, grade="derived")


Scale = tuple[int, float, float]  # points behind it, and the logs of both ends


def _scale(evidence: Evidence, held: list[HeldOut], quantity: str, mode: str) -> Scale:
    """Ends of one class in a mode, the mean of its shuffles; of no points where public fronts have too few homes."""
    each = [misses(evidence, one, quantity)[0] for one in held]
    if quantity == AT_SPEED and len(np.unique(each[0].homes[each[0].kinds == mode])) < FEWEST_HOMES:
        return 0, np.nan, np.nan
    own = mode if mode in each[0].kinds else EITHER
    low, high = np.mean([interval_ends(one)[own] for one in each], axis=0)
    count = int((each[0].sound & (each[0].kinds == own)).sum())
    return count, min(float(low), -NARROWEST), max(float(high), NARROWEST)


def _grown(front: Scale, one: Scale, known: Scale) -> Scale:
    """Ends of a searched front in a class of which too few fronts are public: those of known fronts, grown as one configuration's.

    What is new moves speed and rate alike, so that a steep front makes as many times as much of it as of what was known.

    Examples
    --------
    >>> _grown((9, -0.6, 0.5), (40, -0.4, 0.3), (30, -0.2, 0.2))
    (40, -1.20, 0.75)
    """
    return one[0], front[1] * one[1] / known[1], front[2] * one[2] / known[2]


def _drift(evidence: Evidence, quantity: str) -> tuple[str, str, int, float, float]:
    """How far equal configurations measured 60 to 120 days apart lie from one another, nine in ten."""
    value = getattr(evidence, RATE if quantity == AT_SPEED else quantity)
    frame = evidence.frame.assign(log=np.log(value), day=pd.to_datetime(evidence.frame["date"]))
    frame = frame[(frame["flag"] == "") & np.isfinite(frame["log"])]
    apart: list[float] = []
    for _, part in frame.groupby(list(CONFIGURATION), dropna=False):
        days, logs = part["day"].to_numpy(), part["log"].to_numpy()
        gap = (days[None, :] - days[:, None]) / np.timedelta64(1, "D")
        first, second = np.nonzero((gap >= 60) & (gap <= 120))
        apart += list(np.abs(logs[second] - logs[first]))
    end = float(np.quantile(apart, 0.9))
    return ("drift of a quarter", quantity, len(apart), -end, end)


def interval_scores(evidence: Evidence, held: list[HeldOut], label: str) -> pd.DataFrame:
    """Coverage, width, interval score and weighted interval score of one scheme, each home by the others; mean of shuffles.

    The scores are of log rates: :func:`~rackecon.evidence.intervals.interval_score`.
    """
    rows = []
    for quantity in (*QUANTITIES, AT_SPEED):
        each = []
        for one in held:
            found = misses(evidence, one, quantity)[0]
            ends = held_intervals(found)
            told = np.isfinite(ends[0])
            if told.any() and (quantity != AT_SPEED or len(np.unique(found.homes)) >= FEWEST_HOMES):
                each.append((int(told.sum()), *_scores(found.select(told), ends[:, told])))
        if each:
            rows.append((label, quantity, each[0][0], *np.mean(each, axis=0)[1:]))
    names = ["evidence", "quantity", "points", "coverage_pct", "width_log", "interval_score", "weighted_score"]
    return pd.DataFrame(rows, columns=names)


def _scores(found: Misses, ends: FloatArray) -> tuple[float, float, float, float]:
    """Share inside [%], median width, interval score and weighted interval score."""
    (low, high), y = ends, found.off
    score, weighted = interval_score(y, low, high), weighted_score(y, 0.0, low, high)
    inside = 100.0 * float(found.inside(ends).mean())
    return inside, float(np.median(high - low)), float(score.mean()), float(weighted.mean())


def coverage(evidence: Evidence, held: list[HeldOut]) -> pd.DataFrame:
    """Share of held-out points inside their 90 % interval, overall, by mode and by vendor [%]; mean of shuffles.

    Each fold's interval is the others', so that no point widens its own.
    """
    mode = evidence.frame["mode"].to_numpy(dtype=str)
    vendor = np.array([chip.vendor for chip in evidence.points.records[0]])
    slices = {
        "overall": np.ones(len(mode), dtype=bool),
        "aggregated": mode == "aggregated",
        "disaggregated": mode == "disaggregated",
        "NVIDIA": vendor == "nvidia",
        "AMD": vendor == "amd",
    }
    rows = []
    for quantity in (*QUANTITIES, AT_SPEED):
        hits = np.full((len(held), len(mode)), np.nan)
        for hit, one in zip(hits, held, strict=True):
            found, used = misses(evidence, one, quantity)
            hit[used] = found.inside(held_intervals(found))
        for name, chosen in slices.items():
            share = float(np.mean(np.nanmean(100.0 * hits[:, chosen], axis=1)))
            count = int(np.isfinite(hits[0, chosen]).sum())
            rows.append(("coverage of 90 % interval", name, quantity, count, share, np.nan, np.nan))
    names = ["scheme", "slice", "quantity", "points", "median_pct", "p90_pct", "bias_log"]
    return pd.DataFrame(rows, columns=names)
