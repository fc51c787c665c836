"""Hold the model against what it has not seen: whole curves, whole models, whole accelerators.

Writes data/validation_scores.csv (what the report says of the model's accuracy), data/residual_scales.csv (what its
intervals are made of) and data/validation_points.csv (each held-out prediction beside its measurement).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rackecon.evidence.calibration import EVALUATIONS, fit, fold_rows
from rackecon.evidence.measured import Evidence
from rackecon.evidence.residual import corrected_logs, with_residual
from rackecon.performance.parameters import ServingParameters

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHUFFLES", "HeldOut", "coverage", "hold_out", "interval_scales", "score_table"]

FloatArray = NDArray[np.float64]
SHUFFLES = 3
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
    out = [np.full(len(evidence), np.nan) for _ in QUANTITIES]
    measured = (evidence.total_tok_s_per_gpu, evidence.tok_s_per_user, evidence.ttft_ms)
    fresh = start.from_vector(np.zeros(len(start.free()))).with_intercepts({})
    spread, records = np.full(len(evidence), np.nan), dict[int, ServingParameters]()
    for home in np.unique(homes):
        test = homes == home
        done = with_residual(evidence, fit(evidence, fresh, ~test, evaluations).parameters, ~test)
        records[int(home)] = done
        for values, log, known in zip(out, corrected_logs(evidence, done), measured, strict=True):
            with np.errstate(all="ignore"):
                values[test] = (log - np.log(known))[test]
        if done.residual is not None:
            spread[test] = done.residual.sd(evidence.prepared.sites.select(test))
    return HeldOut(out[0], out[1], out[2], spread, homes, records)


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


def interval_scales(evidence: Evidence, held: list[HeldOut], by_model: HeldOut, by_chip: HeldOut) -> pd.DataFrame:
    """Log offsets of measurement over prediction that hold nine cases in ten, by class of evidence and quantity.

    Classes: ``aggregated`` and ``disaggregated`` by vendor for what has measured siblings; ``new model`` and
    ``new accelerator`` from the leave-one-out residuals.
    """
    import pandas as pd

    mode = evidence.frame["mode"].to_numpy(dtype=str)
    vendor = np.array([chip.vendor for chip in evidence.points.records[0]])
    near = evidence.newest & ~evidence.broken
    rows = []

    def add(name: str, residuals: list[FloatArray], quantity: str) -> None:
        sample = np.concatenate([r[np.isfinite(r)] for r in residuals])
        if len(sample) < 8:
            return
        low, high = WIDENING * np.quantile(-sample, [0.05, 0.95])
        rows.append(
            (
                name,
                quantity,
                len(sample),
                round(float(min(low, -0.05)), 4),
                round(float(max(high, 0.05)), 4),
            )
        )

    for quantity in QUANTITIES:
        for m in ("aggregated", "disaggregated"):
            for v in ("nvidia", "amd"):
                chosen = near & (mode == m) & (vendor == v)
                add(
                    f"{m} {v}",
                    [one.by_name(quantity)[chosen] for one in held],
                    quantity,
                )
        for v in ("nvidia", "amd"):
            add(
                f"new model {v}",
                [by_model.by_name(quantity)[near & (vendor == v)]],
                quantity,
            )
            add(
                f"new accelerator {v}",
                [by_chip.by_name(quantity)[near & (vendor == v)]],
                quantity,
            )
        add("new accelerator other", [by_chip.by_name(quantity)[near]], quantity)
    out = pd.DataFrame(rows, columns=["evidence", "quantity", "points", "log_low", "log_high"])
    return out.assign(source_id="calibration", date="2026-11-23", grade="derived")


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
