"""Hold the model against what it has not seen: whole curves, whole models, whole accelerators.

Writes data/validation_scores.csv (what the report says of the model's accuracy) and data/validation_points.csv (each
held-out prediction beside its measurement); :mod:`rackecon.evidence.widths` makes intervals of the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.evidence.calibration import EVALUATIONS, fit
from rackecon.evidence.intervals import AT_SPEED
from rackecon.evidence.measured import Evidence
from rackecon.evidence.public_fronts import searched_by_home
from rackecon.evidence.residual import corrected_logs, with_residual
from rackecon.evidence.scores import QUANTITIES
from rackecon.lazy import pd
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.predict import prepare

SHUFFLES = 3


@dataclass(frozen=True)
class HeldOut:
    """Log residuals (predicted over measured) of rows that the fit had not seen; NaN where nothing was measured."""

    total_tok_s_per_gpu: FloatArray
    tok_s_per_user: FloatArray
    ttft_ms: FloatArray
    sd: FloatArray  # of the residual process at each row, by the fit that had not seen it [log]
    homes: IntArray
    parameters: dict[int, ServingParameters]  # of each home's fit to all the others
    physics: tuple[FloatArray, ...] = ()  # residuals of each quantity by the physics of those fits alone
    at_speed: FloatArray | None = None  # of the searched front at the speed of each row on a public front

    def alone(self) -> HeldOut:
        """The same by physics alone, without what is learnt on top of it."""
        bare = {home: one.with_intercepts({}) for home, one in self.parameters.items()}
        found: dict[str, Any] = dict(zip(QUANTITIES, self.physics, strict=True))
        return replace(self, **found, parameters=bare, at_speed=None)

    def by_name(self, quantity: str) -> FloatArray:
        """Residuals of one quantity."""
        if quantity == AT_SPEED:
            return np.full(len(self.sd), np.nan) if self.at_speed is None else self.at_speed
        found: FloatArray = getattr(self, quantity)
        return found


def hold_out(evidence: Evidence, start: ServingParameters, homes: IntArray) -> HeldOut:
    """Residuals of each home's rows by a fit to all the other homes.

    Parameters
    ----------
    evidence : Evidence
        Measured rows.
    start : ServingParameters
        Names and priors; every fit begins at the priors, so that none has seen what it is held against.
    homes : array of int
        Fold of each row; rows of a negative one are in every fit, and have no residual.
    """
    out, physics = ([np.full(len(evidence), np.nan) for _ in QUANTITIES] for _ in range(2))
    fresh = start.from_vector(np.zeros(len(start.free()))).with_intercepts({})
    spread, records = np.full(len(evidence), np.nan), dict[int, ServingParameters]()
    for home in np.unique(homes[homes >= 0]):
        test = homes == home
        done = with_residual(evidence, fit(evidence, fresh, ~test, EVALUATIONS).parameters, ~test)
        records[int(home)] = done
        for into, used in ((out, done), (physics, done.with_intercepts({}))):
            for values, found in zip(into, _residuals(evidence, used), strict=True):
                values[test] = found[test]
        if done.residual is not None:
            spread[test] = done.residual.sd(evidence.prepared.sites.select(test))
    ahead = _at_speed(evidence, homes, records)
    return HeldOut(out[0], out[1], out[2], spread, homes, records, tuple(physics), ahead)


def _at_speed(evidence: Evidence, homes: IntArray, records: dict[int, ServingParameters]) -> FloatArray:
    """Log of the searched over the measured rate at the speed of each row on a public front, by its home's fit; NaN elsewhere."""
    out = np.full(len(evidence), np.nan)
    for _, i, front in searched_by_home(evidence, homes, records):
        out[i] = np.log(front.rate_at(float(evidence.tok_s_per_user[i])) / evidence.total_tok_s_per_gpu[i])
    return out


def _residuals(evidence: Evidence, parameters: ServingParameters) -> list[FloatArray]:
    """Log of predicted over measured, of each quantity."""
    measured = (getattr(evidence, name) for name in QUANTITIES)
    with np.errstate(all="ignore"):
        return [log - np.log(known) for log, known in zip(corrected_logs(evidence, parameters), measured, strict=True)]


def forward(evidence: Evidence, start: ServingParameters, cut: str, *, frozen: bool) -> HeldOut:
    """Residuals of the rows measured from a date on, by a fit to those before it.

    Parameters
    ----------
    start : ServingParameters
        Names and priors; the fit begins at the priors.
    cut : str
        ISO date.
    frozen : bool
        Whether later rows are predicted with the software of the cut, as a search does by default, or with that of their
        own date, which extrapolates the trends.
    """
    after = (evidence.frame["date"] >= cut).to_numpy()
    fresh = start.from_vector(np.zeros(len(start.free()))).with_intercepts({})
    done = with_residual(evidence, fit(evidence, fresh, ~after).parameters, ~after)
    if frozen:
        dates = tuple(min(date, cut) for date in evidence.points.date)
        evidence = replace(evidence, prepared=prepare(replace(evidence.points, date=dates)))
    (total, user, ttft), physics = (
        [np.where(after, found, np.nan) for found in _residuals(evidence, used)]
        for used in (done, done.with_intercepts({}))
    )
    homes = after.astype(np.intp)
    return HeldOut(total, user, ttft, np.full(len(evidence), np.nan), homes, {1: done}, tuple(physics))


def score_table(evidence: Evidence, held: list[HeldOut], label: str) -> pd.DataFrame:
    """Median and 90th percentile of the error, one row per slice and quantity, the mean over shuffles.

    Repeats of one configuration count once (the newest). ``cells`` is the median over accelerator x model x mode.
    """
    frame = evidence.frame
    mode = frame["mode"].to_numpy(dtype=str)
    vendor = np.array([evidence.points.records[0][i].vendor for i in range(len(evidence))])
    loaded = ~evidence.throughput_only
    slices: dict[str, BoolArray] = {
        "all rows": np.ones(len(frame), dtype=bool),
        "all with load": loaded,
        "aggregated": loaded & (mode == "aggregated"),
        "disaggregated": mode == "disaggregated",
        "throughput tables": evidence.throughput_only,
        "without broken rows": loaded & ~evidence.broken,
        "broken rows": evidence.broken,
        "NVIDIA": loaded & (vendor == "nvidia"),
        "AMD": loaded & (vendor == "amd"),
    }
    kinds = {kind: frame[kind].to_numpy(dtype=str) for kind in ("model", "accelerator", "engine")} | {
        "cell": evidence.cell
    }
    slices |= {f"{kind} {name}": names == name for kind, names in kinds.items() for name in sorted(set(names.tolist()))}
    rows = []
    for text, chosen in slices.items():
        use = chosen & (evidence.newest | (text == "broken rows"))
        for quantity in QUANTITIES:
            found = [each for one in held if (each := _errors(one.by_name(quantity)[use]))]
            if found:
                median, tail, bias, count = np.mean(found, axis=0).tolist()
                rows.append((label, text, quantity, int(count), median, tail, bias))
    for quantity in QUANTITIES:
        cells = [row for row in rows if row[1].startswith("cell ") and row[2] == quantity]
        if cells:
            middle, tail, bias = (float(np.median([row[k] for row in cells])) for k in (4, 5, 6))
            rows.append((label, "median over cells", quantity, len(cells), middle, tail, bias))
    names = ["scheme", "slice", "quantity", "points", "median_pct", "p90_pct", "bias_log"]
    return pd.DataFrame(rows, columns=names)


def _errors(off: FloatArray) -> tuple[float, float, float, int] | None:
    """Median and 90th percentile of the errors of some residuals [%], their median [log], and how many they are."""
    error = 100.0 * np.abs(np.expm1(off))
    known = np.isfinite(error)
    if not known.any():
        return None
    middle, tail = float(np.median(error[known])), float(np.quantile(error[known], 0.9))
    return middle, tail, float(np.median(off[known])), int(known.sum())
