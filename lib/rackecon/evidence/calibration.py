"""Fit the serving parameters to measured points: robust, with priors, whole curves held out for scoring.

Residuals are logs of predicted over measured rates; each fitted parameter is pulled to its prior by its own standard
deviation. On top, one intercept per accelerator, engine family, precision and mode, shrunk towards zero (ridge).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rackecon.evidence.measured import Evidence
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.predict import Prepared, solve

__all__ = ["Fit", "fit", "fold_rows", "intercepts", "log_predictions"]

FloatArray = NDArray[np.float64]
TTFT_WEIGHT = 0.25
USER_WEIGHT = 0.8
SCALE = 0.12  # residual at which the loss turns from square to linear: about the noise of an unknown build
PRIOR_STRENGTH = 1.0
RIDGE_POINTS = 6.0  # an intercept on this many rows is pulled half-way to zero
FOLDS = 5


@dataclass(frozen=True)
class Fit:
    """A fitted record, and how it went."""

    parameters: ServingParameters
    cost: float
    evaluations: int
    standard_deviations: FloatArray


def log_predictions(
    prepared: Prepared, parameters: ServingParameters, values: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logs of predicted total rate, speed per user and time to first token, without intercepts."""
    index = {name: i for i, name in enumerate(parameters.names)}
    with np.errstate(all="ignore"):
        total, user, ttft, *_ = solve(prepared, values, index)
        return np.log(total), np.log(user), np.log(ttft)


def _residuals(
    evidence: Evidence, parameters: ServingParameters, rows: FloatArray
) -> Callable[[FloatArray], FloatArray]:
    weight = np.sqrt(evidence.weight * rows)
    with np.errstate(all="ignore"):
        measured = np.log(evidence.total_tok_s_per_gpu), np.log(evidence.tok_s_per_user), np.log(evidence.ttft_ms)
    scales = 1.0, np.sqrt(USER_WEIGHT), np.sqrt(TTFT_WEIGHT)

    def residuals(vector: FloatArray) -> FloatArray:
        values = parameters.natural(vector)
        predicted = log_predictions(evidence.prepared, parameters, values)
        out = []
        for p, m, s in zip(predicted, measured, scales, strict=True):
            difference = np.nan_to_num(p - m, nan=0.0, posinf=3.0, neginf=-3.0)
            # soft-L1 as a transformed residual, so that the priors stay Gaussian
            z = difference / SCALE
            out.append(weight * s * np.sign(z) * np.sqrt(2.0 * (np.sqrt(1.0 + z * z) - 1.0)))
        return np.concatenate([*out, PRIOR_STRENGTH * vector])

    return residuals


def fit(
    evidence: Evidence, start: ServingParameters, rows: NDArray[np.bool_] | None = None, evaluations: int = 25
) -> Fit:
    """Fit the free parameters to a choice of rows.

    Parameters
    ----------
    evidence : Evidence
        Measured rows.
    start : ServingParameters
        Where to begin; its priors are the fit's.
    rows : array of bool, optional
        Rows to use; all by default. Broken rows carry no weight.
    evaluations : int
        Most evaluations of the residual (each Jacobian counts once).

    Returns
    -------
    Fit
        Parameters with intercepts from the same rows.
    """
    from scipy.optimize import least_squares

    chosen = np.ones(len(evidence)) if rows is None else rows.astype(float)
    residuals = _residuals(evidence, start, chosen)
    bound = 4.0
    first = np.clip(start.to_vector(), -bound + 0.01, bound - 0.01)
    done = least_squares(
        residuals, first, method="trf", bounds=(-bound, bound), max_nfev=evaluations, x_scale=1.0, ftol=1e-4, xtol=1e-4
    )
    fitted = start.from_vector(done.x)
    fitted = fitted.with_intercepts(intercepts(evidence, fitted, chosen))
    information = done.jac.T @ done.jac
    spread = np.sqrt(np.clip(np.diag(np.linalg.pinv(information)), 0.0, None))
    return Fit(fitted, float(done.cost), int(done.nfev), spread)


def intercepts(evidence: Evidence, parameters: ServingParameters, rows: FloatArray) -> Mapping[str, float]:
    """Shrunk intercept of each cell: the weighted mean log residual of rate and speed, pulled towards zero."""
    total, user, _ = log_predictions(evidence.prepared, parameters, parameters.values())
    with np.errstate(all="ignore"):
        first = np.log(evidence.total_tok_s_per_gpu) - total
        second = np.log(evidence.tok_s_per_user) - user
    residual = np.where(np.isfinite(second), 0.5 * (first + second), first)
    weight = evidence.weight * rows * np.isfinite(residual)
    robust = weight / np.sqrt(1.0 + (np.nan_to_num(residual) / (2 * SCALE)) ** 2)
    cells = np.array(evidence.prepared.cells)
    out: dict[str, float] = {}
    for cell in np.unique(cells):
        mine = cells == cell
        total_weight = float(robust[mine].sum())
        if total_weight > 0:
            out[str(cell)] = float((robust[mine] * np.nan_to_num(residual[mine])).sum() / (total_weight + RIDGE_POINTS))
    return out


def fold_rows(evidence: Evidence, shuffle: int, folds: int = FOLDS) -> NDArray[np.intp]:
    """Fold of each row: whole curves (``split_group``) together, dealt by a seeded shuffle, largest groups first.

    Returns
    -------
    ndarray of int
        0 to ``folds`` - 1.
    """
    counts = np.bincount(evidence.group)
    order = np.random.default_rng(shuffle).permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    load = np.zeros(folds)
    home = np.zeros(len(counts), dtype=np.intp)
    for group in order:
        target = int(np.argmin(load))
        home[group] = target
        load[target] += counts[group]
    return home[evidence.group]


def write_parameters(fitted: Fit, evidence: Evidence, as_of_date: str) -> None:
    """Write the fitted values and intercepts to data/, each file by a temporary one and a rename."""
    import csv
    import os

    from rackecon import catalog

    folder = catalog.data_dir()
    free = set(fitted.parameters.free().tolist())
    spread = iter(fitted.standard_deviations)
    rows = catalog.read_rows("serving_parameters")
    out = []
    for i, (row, item) in enumerate(zip(rows, fitted.parameters.parameters, strict=True)):
        new = dict(row)
        if i in free:
            new.update(
                value=f"{item.value:.5g}",
                sd=f"{next(spread) * item.prior_sd:.3g}",
                source_id="calibration",
                date=as_of_date,
                grade="derived",
            )
        out.append(new)
    weights: dict[str, int] = {}
    for cell in evidence.prepared.cells:
        weights[cell] = weights.get(cell, 0) + 1
    cells = [
        {
            "cell": cell,
            "log_factor": f"{value:.5g}",
            "points": str(weights.get(cell, 0)),
            "source_id": "calibration",
            "date": as_of_date,
            "grade": "derived",
        }
        for cell, value in sorted(fitted.parameters.intercepts.items())
    ]
    for name, table in (("serving_parameters", out), ("serving_intercepts", cells)):
        target = folder / f"{name}.csv"
        fresh = target.with_suffix(".csv.new")
        with open(fresh, "w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
        os.replace(fresh, target)
