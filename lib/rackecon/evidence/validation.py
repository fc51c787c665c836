"""Hold the model against what it has not seen: whole curves, whole models, whole accelerators.

Writes data/validation_scores.csv (what the report says of the model's accuracy), data/residual_scales.csv (what its
intervals are made of) and data/validation_points.csv (each held-out prediction beside its measurement).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rackecon.evidence.calibration import FOLDS, Fit, fit, fold_rows, log_predictions
from rackecon.evidence.measured import Evidence
from rackecon.serving.corrections import design

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SHUFFLES",
    "HeldOut",
    "cross_validate",
    "interval_scales",
    "leave_one_out",
    "score_table",
]

FloatArray = NDArray[np.float64]
SHUFFLES = 3
QUANTITIES = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")


@dataclass(frozen=True)
class HeldOut:
    """Log residuals (predicted over measured) of rows that the fit had not seen; NaN where nothing was measured."""

    total: FloatArray
    user: FloatArray
    ttft: FloatArray

    def by_name(self, quantity: str) -> FloatArray:
        """Residuals of one quantity."""
        return {
            "total_tok_s_per_gpu": self.total,
            "tok_s_per_user": self.user,
            "ttft_ms": self.ttft,
        }[quantity]


def _held(evidence: Evidence, start: Fit, homes: NDArray[np.intp], evaluations: int) -> HeldOut:
    out = [np.full(len(evidence), np.nan) for _ in QUANTITIES]
    measured = (evidence.total_tok_s_per_gpu, evidence.tok_s_per_user, evidence.ttft_ms)
    for home in np.unique(homes):
        test = homes == home
        # from the priors: a start at the full fit would have seen the rows held out
        fresh = start.parameters.from_vector(np.zeros(len(start.parameters.free()))).with_intercepts({})
        done = fit(evidence, fresh, ~test, evaluations)
        effects = done.parameters.intercepts
        names, rate, first = design(
            evidence.prepared.cells,
            evidence.prepared.models,
            evidence.prepared.conditions,
        )
        values_of = np.array([effects.get(name, 0.0) for name in names])
        shifts = (rate @ values_of, rate @ values_of, first @ values_of)
        logs = log_predictions(evidence.prepared, done.parameters, done.parameters.values())
        for values, log, known, shift in zip(out, logs, measured, shifts, strict=True):
            with np.errstate(all="ignore"):
                values[test] = (log + shift - np.log(known))[test]
    return HeldOut(*out)


def cross_validate(evidence: Evidence, start: Fit, shuffles: int = SHUFFLES, evaluations: int = 8) -> list[HeldOut]:
    """Residuals of whole held-out curves, one record per shuffle of the folds."""
    return [_held(evidence, start, fold_rows(evidence, shuffle, FOLDS), evaluations) for shuffle in range(shuffles)]


def leave_one_out(evidence: Evidence, start: Fit, column: str, evaluations: int = 6) -> HeldOut:
    """Residuals where every row of one model or one accelerator is held out in turn."""
    _, homes = np.unique(evidence.frame[column].to_numpy(dtype=str), return_inverse=True)
    return _held(evidence, start, homes.astype(np.intp), evaluations)


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
    names = [
        "scheme",
        "slice",
        "quantity",
        "points",
        "median_pct",
        "p90_pct",
        "bias_log",
    ]
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
        low, high = np.quantile(-sample, [0.05, 0.95])
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


def coverage(
    evidence: Evidence,
    held: list[HeldOut],
    scales: Callable[[str, str, str], tuple[float, float]],
) -> pd.DataFrame:
    """Share of held-out points inside the interval, overall, by mode and by vendor."""
    import pandas as pd

    mode = evidence.frame["mode"].to_numpy(dtype=str)
    vendor = np.array([chip.vendor for chip in evidence.points.records[0]])
    rows = []
    for quantity in QUANTITIES:
        bounds = np.array([scales(m, v, quantity) for m, v in zip(mode, vendor, strict=True)])
        for name, chosen in (
            ("overall", np.ones(len(mode), dtype=bool)),
            ("aggregated", mode == "aggregated"),
            ("disaggregated", mode == "disaggregated"),
            ("NVIDIA", vendor == "nvidia"),
            ("AMD", vendor == "amd"),
        ):
            shares = []
            for one in held:
                r = -one.by_name(quantity)
                use = chosen & np.isfinite(r) & evidence.newest
                shares.append(np.mean((r[use] >= bounds[use, 0]) & (r[use] <= bounds[use, 1])))
            rows.append(
                (
                    "coverage of 90 % interval",
                    name,
                    quantity,
                    int(use.sum()),
                    round(100 * float(np.mean(shares)), 4),
                )
            )
    return pd.DataFrame(rows, columns=["scheme", "slice", "quantity", "points", "median_pct"])
