"""Hold the model against what it has not seen: whole curves, whole models, whole accelerators.

Writes data/validation_scores.csv (what the report says of the model's accuracy), data/residual_scales.csv (what its
intervals are made of) and data/validation_points.csv (each held-out prediction beside its measurement).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rackecon.evidence.calibration import EVALUATIONS, fit, fold_rows
from rackecon.evidence.measured import CONFIGURATION, Evidence
from rackecon.evidence.residual import AS_OF, corrected_logs, with_residual
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.predict import prepare

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
SHUFFLES = 3
FEWEST_HOMES = 3  # held-out models, platforms or pairs from which a vendor has percentiles of its own
FEWEST = 8  # residuals from which a class has percentiles
WIDENINGS = np.round(np.arange(1.0, 3.01, 0.05), 2)
WIDENING = 1.1  # quantiles of few curves are too narrow for the next curve: widened until folds cover 85-95 %
QUANTITIES = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")


@dataclass(frozen=True)
class HeldOut:
    """Log residuals (predicted over measured) of rows that the fit had not seen; NaN where nothing was measured."""

    total: FloatArray
    user: FloatArray
    ttft: FloatArray
    sd: FloatArray  # of the residual process at each row, by the fit that had not seen it [log]
    homes: NDArray[np.intp]
    parameters: dict[int, ServingParameters]  # of each home's fit to all the others
    physics: tuple[FloatArray, ...] = ()  # residuals of each quantity by the physics of those fits alone

    def alone(self) -> HeldOut:
        """The same by physics alone, without what is learnt on top of it."""
        bare = {home: one.with_intercepts({}) for home, one in self.parameters.items()}
        total, user, ttft = self.physics
        return replace(self, total=total, user=user, ttft=ttft, parameters=bare)

    def by_name(self, quantity: str) -> FloatArray:
        """Residuals of one quantity."""
        return {
            "total_tok_s_per_gpu": self.total,
            "tok_s_per_user": self.user,
            "ttft_ms": self.ttft,
        }[quantity]


def hold_out(
    evidence: Evidence, start: ServingParameters, homes: NDArray[np.intp], evaluations: int = EVALUATIONS
) -> HeldOut:
    """Residuals of each home's rows by a fit to all the other homes.

    Parameters
    ----------
    evidence : Evidence
        Measured rows.
    start : ServingParameters
        Names and priors; every fit begins at the priors, so that none has seen what it is held against.
    homes : array of int
        Fold of each row.
    evaluations : int
        Most evaluations of each fit.
    """
    out, physics = ([np.full(len(evidence), np.nan) for _ in QUANTITIES] for _ in range(2))
    fresh = start.from_vector(np.zeros(len(start.free()))).with_intercepts({})
    spread, records = np.full(len(evidence), np.nan), dict[int, ServingParameters]()
    for home in np.unique(homes):
        test = homes == home
        done = with_residual(evidence, fit(evidence, fresh, ~test, evaluations).parameters, ~test)
        records[int(home)] = done
        for into, used in ((out, done), (physics, done.with_intercepts({}))):
            for values, found in zip(into, _residuals(evidence, used), strict=True):
                values[test] = found[test]
        if done.residual is not None:
            spread[test] = done.residual.sd(evidence.prepared.sites.select(test))
    return HeldOut(out[0], out[1], out[2], spread, homes, records, tuple(physics))


def _residuals(evidence: Evidence, parameters: ServingParameters) -> list[FloatArray]:
    """Log of predicted over measured, of each quantity."""
    measured = (evidence.total_tok_s_per_gpu, evidence.tok_s_per_user, evidence.ttft_ms)
    with np.errstate(all="ignore"):
        return [log - np.log(known) for log, known in zip(corrected_logs(evidence, parameters), measured, strict=True)]


def forward(evidence: Evidence, start: ServingParameters, cut: str, *, frozen: bool) -> HeldOut:
    """Residuals of the rows measured from a date on, by a fit to those before it.

    Parameters
    ----------
    evidence : Evidence
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


def _percent(residual: FloatArray) -> FloatArray:
    return np.asarray(100.0 * np.abs(np.expm1(residual)))


def score_table(evidence: Evidence, held: list[HeldOut], label: str) -> pd.DataFrame:
    """Median and 90th percentile of the error, one row per slice and quantity, the mean over shuffles.

    Repeats of one configuration count once (the newest). ``cells`` is the median over accelerator x model x mode.
    """
    import pandas as pd

    frame = evidence.frame
    mode = frame["mode"].to_numpy(dtype=str)
    vendor = np.array([evidence.points.records[0][i].vendor for i in range(len(evidence))])
    loaded = ~evidence.throughput_only
    slices: dict[str, NDArray[np.bool_]] = {
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
    for name in sorted(frame["model"].unique()):
        slices[f"model {name}"] = (frame["model"] == name).to_numpy()
    for name in sorted(frame["accelerator"].unique()):
        slices[f"accelerator {name}"] = (frame["accelerator"] == name).to_numpy()
    for name in sorted(frame["engine"].unique()):
        slices[f"engine {name}"] = (frame["engine"] == name).to_numpy()
    for name in sorted(set(evidence.cell)):
        slices[f"cell {name}"] = evidence.cell == name
    rows = []
    for text, chosen in slices.items():
        for quantity in QUANTITIES:
            found = []
            for one in held:
                error = _percent(one.by_name(quantity))
                use = chosen & np.isfinite(error) & (evidence.newest | (text == "broken rows"))
                if use.any():
                    found.append(
                        (
                            np.median(error[use]),
                            np.quantile(error[use], 0.9),
                            use.sum(),
                            np.median(one.by_name(quantity)[use]),
                        )
                    )
            if found:
                median, tail, count, bias = np.mean(np.array(found), axis=0)
                rows.append(
                    (
                        label,
                        text,
                        quantity,
                        int(count),
                        float(median),
                        float(tail),
                        float(bias),
                    )
                )
    for quantity in QUANTITIES:
        cells = [row for row in rows if row[1].startswith("cell ") and row[2] == quantity]
        if cells:
            middle, tail, bias = (float(np.median([row[k] for row in cells])) for k in (4, 5, 6))
            rows.append((label, "median over cells", quantity, len(cells), middle, tail, bias))
    names = ["scheme", "slice", "quantity", "points", "median_pct", "p90_pct", "bias_log"]
    return pd.DataFrame(rows, columns=names)


def interval_scales(evidence: Evidence, known: list[HeldOut], new: dict[str, HeldOut]) -> pd.DataFrame:
    """Log offsets of measurement over prediction that hold nine cases in ten, by class of evidence and quantity.

    Parameters
    ----------
    evidence : Evidence
    known : list of HeldOut
        Whole curves held out: ``aggregated`` and ``disaggregated`` by vendor.
    new : dict
        ``new pair``, ``new model`` and ``new accelerator``: those held out whole. Where neither platform nor model is
        known the ends of the two last add in squares.
    """
    import pandas as pd

    mode = evidence.frame["mode"].to_numpy(dtype=str)
    vendor = np.array([chip.vendor for chip in evidence.points.records[0]])
    near = evidence.newest & ~evidence.broken
    rows: list[tuple[str, str, int, float, float]] = []
    for quantity in QUANTITIES:
        for m in ("aggregated", "disaggregated"):
            for v in ("nvidia", "amd"):
                rows += _ends(f"{m} {v}", quantity, known, near & (mode == m) & (vendor == v))
        for kind, held in new.items():
            for v in ("nvidia", "amd", "other"):
                own = near & (vendor == v) & np.isfinite(held.by_name(quantity))
                few = len(np.unique(held.homes[own])) < FEWEST_HOMES
                rows += _ends(f"{kind} {v}", quantity, [held], near if few else own)
        found = {name: (count, low, high) for name, what, count, low, high in rows if what == quantity}
        for v in ("nvidia", "amd", "other"):
            one, two = found[f"new model {v}"], found[f"new accelerator {v}"]
            both = min(one[0], two[0]), -float(np.hypot(one[1], two[1])), float(np.hypot(one[2], two[2]))
            rows.append((f"new both {v}", quantity, *both))
        rows.append(_drift(evidence, quantity))
    out = pd.DataFrame(rows, columns=["evidence", "quantity", "points", "log_low", "log_high"]).round(4)
    return out.assign(source_id="calibration", date=AS_OF, grade="derived")


def _ends(
    name: str, quantity: str, held: list[HeldOut], chosen: NDArray[np.bool_]
) -> list[tuple[str, str, int, float, float]]:
    """One class: 5th and 95th percentile, widened alike until each home is covered by the others at 90 %."""
    residuals = [(-one.by_name(quantity)[chosen], one.homes[chosen]) for one in held]
    residuals = [(off[np.isfinite(off)], homes[np.isfinite(off)]) for off, homes in residuals]
    sample = np.concatenate([off for off, _ in residuals])
    if len(sample) < FEWEST:
        return []
    wider = next((w for w in WIDENINGS if _covered(residuals, float(w)) >= 0.9), WIDENINGS[-1])
    low, high = float(wider) * np.quantile(sample, [0.05, 0.95])
    return [(name, quantity, len(sample), float(min(low, -0.05)), float(max(high, 0.05)))]


def _covered(residuals: list[tuple[FloatArray, NDArray[np.intp]]], wider: float) -> float:
    """Share of points inside the widened percentiles of the other homes' residuals."""
    inside: list[FloatArray] = []
    for off, homes in residuals:
        for home in np.unique(homes):
            test = homes == home
            if (~test).sum() >= FEWEST:
                low, high = wider * np.quantile(off[~test], [0.05, 0.95])
                inside.append(np.asarray((off[test] >= low) & (off[test] <= high), dtype=float))
    return float(np.mean(np.concatenate(inside))) if inside else 1.0


def _drift(evidence: Evidence, quantity: str) -> tuple[str, str, int, float, float]:
    """How far equal configurations measured 60 to 120 days apart lie from one another, nine in ten."""
    import pandas as pd

    value = {
        "total_tok_s_per_gpu": evidence.total_tok_s_per_gpu,
        "tok_s_per_user": evidence.tok_s_per_user,
        "ttft_ms": evidence.ttft_ms,
    }[quantity]
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


def interval_scores(evidence: Evidence, held: HeldOut, label: str) -> pd.DataFrame:
    """Coverage, width, interval score and weighted interval score of one scheme, each home against the others.

    Notes
    -----
    Interval score of Gneiting and Raftery (2007), equation 43, at :math:`\\alpha = 0.1`, of log rates:
    :math:`IS = (u - l) + 20 (l - y)_+ + 20 (y - u)_+`; weighted, :math:`WIS = (0.5 |y - m| + 0.05 IS) / 1.5`.
    """
    import pandas as pd

    mode = evidence.frame["mode"].to_numpy(dtype=str)
    vendor = np.array([chip.vendor for chip in evidence.points.records[0]])
    kinds = np.char.add(mode, vendor) if label == "known" else np.full(len(mode), "all")
    rows = []
    for quantity in QUANTITIES:
        off = -held.by_name(quantity)
        usable = np.isfinite(off) & evidence.newest
        parts = []
        for kind in np.unique(kinds):
            chosen = usable & (kinds == kind)
            pair = [(off[chosen & ~evidence.broken], held.homes[chosen & ~evidence.broken])]
            wider = next((w for w in WIDENINGS if _covered(pair, float(w)) >= 0.9), WIDENINGS[-1])
            for home in np.unique(held.homes[chosen]):
                test = chosen & (held.homes == home)
                rest = chosen & (held.homes != home) & ~evidence.broken
                if rest.sum() >= FEWEST:
                    low, high = float(wider) * np.quantile(off[rest], [0.05, 0.95])
                    parts.append(np.stack([off[test], np.full(test.sum(), low), np.full(test.sum(), high)]))
        if not parts:
            continue
        y, low, high = np.concatenate(parts, axis=1)
        score = (high - low) + 20.0 * np.maximum(low - y, 0.0) + 20.0 * np.maximum(y - high, 0.0)
        weighted = (0.5 * np.abs(y) + 0.05 * score) / 1.5
        inside = 100.0 * float(np.mean((y >= low) & (y <= high)))
        rows.append((label, quantity, len(y), inside, float(np.median(high - low)), score.mean(), weighted.mean()))
    names = ["evidence", "quantity", "points", "coverage_pct", "width_log", "interval_score", "weighted_score"]
    return pd.DataFrame(rows, columns=names)


def coverage(evidence: Evidence, held: list[HeldOut]) -> pd.DataFrame:
    """Share of held-out points inside their 90 % interval, overall, by mode and by vendor [%].

    Each fold is held against quantiles of the other folds' residuals, so that no point widens its own interval.
    """
    import pandas as pd

    mode = evidence.frame["mode"].to_numpy(dtype=str)
    vendor = np.array([chip.vendor for chip in evidence.points.records[0]])
    kinds = np.char.add(mode, vendor)
    slices = {
        "overall": np.ones(len(mode), dtype=bool),
        "aggregated": mode == "aggregated",
        "disaggregated": mode == "disaggregated",
        "NVIDIA": vendor == "nvidia",
        "AMD": vendor == "amd",
    }
    rows = []
    for quantity in QUANTITIES:
        inside = []
        for shuffle, one in enumerate(held):
            off, homes = -one.by_name(quantity), fold_rows(evidence, shuffle)
            hit = np.full(len(off), np.nan)
            usable = np.isfinite(off) & evidence.newest
            for home in np.unique(homes):
                for kind in np.unique(kinds):
                    test = usable & (homes == home) & (kinds == kind)
                    known = usable & (homes != home) & (kinds == kind) & ~evidence.broken
                    if test.any() and known.any():
                        low, high = WIDENING * np.quantile(off[known], [0.05, 0.95])
                        hit[test] = (off[test] >= low) & (off[test] <= high)
            inside.append(hit)
        for name, chosen in slices.items():
            shares = [100.0 * float(np.nanmean(hit[chosen])) for hit in inside]
            count = int(np.isfinite(inside[0][chosen]).sum())
            rows.append(("coverage of 90 % interval", name, quantity, count, float(np.mean(shares)), np.nan, np.nan))
    names = ["scheme", "slice", "quantity", "points", "median_pct", "p90_pct", "bias_log"]
    return pd.DataFrame(rows, columns=names)
