"""Fit the serving parameters to measured points: robust, with priors, whole curves held out for scoring.

Residuals are logs of predicted over measured rates; each fitted parameter is pulled to its prior by its own standard
deviation. On top, one intercept per accelerator, engine family, precision and mode, shrunk towards zero (ridge).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.evidence.measured import Evidence
from rackecon.performance.families import engine_family
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.corrections import design as effect_design
from rackecon.serving.corrections import effect_sd
from rackecon.serving.predict import Prepared, solve

TTFT_WEIGHT = 0.25
USER_WEIGHT = 0.8
SCALE = 0.09  # residual at which the loss turns from square to linear: about the noise of an unknown build
PRIOR_STRENGTH = 1.0
FOLDS = 5
PAIR_FOLDS = 10
NEGLIGIBLE = 5e-4  # a smaller correction is left out of the table [log]
STEP = 0.02
EVALUATIONS = 40  # most of one fit; it settles in fewer


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


@dataclass(frozen=True)
class _Problem:
    """Residuals of a vector: fitted parameters in prior standard deviations, then intercepts in theirs."""

    evidence: Evidence
    parameters: ServingParameters
    effects: tuple[str, ...]
    spread: FloatArray
    design: tuple[FloatArray, FloatArray, FloatArray]
    weight: FloatArray
    measured: tuple[FloatArray, FloatArray, FloatArray]

    def split(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Parameter part and intercepts [log]."""
        count = len(vector) - len(self.effects)
        return vector[:count], vector[count:] * self.spread

    def differences(self, vector: FloatArray) -> FloatArray:
        """Log of predicted over measured, (3, rows); 0 where nothing was measured."""
        first, effects = self.split(vector)
        logs = log_predictions(self.evidence.prepared, self.parameters, self.parameters.natural(first))
        rows = [p - m + d @ effects for p, m, d in zip(logs, self.measured, self.design, strict=True)]
        return np.nan_to_num(np.stack(rows), nan=0.0, posinf=3.0, neginf=-3.0)

    def residuals(self, vector: FloatArray) -> FloatArray:
        """Soft-L1 as transformed residuals, so that the priors stay Gaussian, then the priors."""
        z = self.differences(vector) / SCALE
        soft = np.sign(z) * np.sqrt(2.0 * (np.sqrt(1.0 + z * z) - 1.0))
        return np.concatenate([(self.weight * soft).ravel(), PRIOR_STRENGTH * vector])

    def jacobian(self, vector: FloatArray) -> FloatArray:
        """Forward differences for the parameters (the solver's answers are iterative), exact for the intercepts."""
        base = self.differences(vector)
        z = base / SCALE
        slope = self.weight * _soft_slope(z) / SCALE
        count = len(vector) - len(self.effects)
        out = np.zeros((base.size + len(vector), len(vector)))
        first, effects = self.split(vector)
        shift = [d @ effects for d in self.design]
        for i, position in enumerate(self.parameters.free()):
            rows, part = self.evidence.touched(int(position), self.parameters.names)
            if not len(rows):
                continue
            moved = first.copy()
            moved[i] += STEP
            logs = log_predictions(part, self.parameters, self.parameters.natural(moved))
            column = np.zeros_like(base)
            for k in range(3):
                change = logs[k] - self.measured[k][rows] + shift[k][rows]
                column[k, rows] = np.nan_to_num(change, nan=0.0, posinf=3.0, neginf=-3.0) - base[k, rows]
            out[: base.size, i] = (slope * column / STEP).ravel()
        for k, design in enumerate(self.design):
            block = slice(k * base.shape[1], (k + 1) * base.shape[1])
            known = np.isfinite(self.measured[k])
            out[block, count:] = (slope[k] * known)[:, None] * design * self.spread[None, :]
        out[base.size :, :] = PRIOR_STRENGTH * np.eye(len(vector))
        return out


def _soft_slope(z: FloatArray) -> FloatArray:
    """Derivative of the transformed residual by the plain one; 1 at zero."""
    root = np.sqrt(1.0 + z * z)
    soft = np.sqrt(2.0 * (root - 1.0))
    return np.where(np.abs(z) < 1e-4, 1.0, np.abs(z) / np.maximum(root * soft, 1e-12))


def _problem(evidence: Evidence, parameters: ServingParameters, rows: FloatArray) -> _Problem:
    with np.errstate(all="ignore"):
        measured = (
            np.log(evidence.total_tok_s_per_gpu),
            np.log(evidence.tok_s_per_user),
            np.log(evidence.ttft_ms),
        )
    scales = np.sqrt([1.0, USER_WEIGHT, TTFT_WEIGHT])
    weight = scales[:, None] * np.sqrt(evidence.weight * rows)[None, :]
    ready = evidence.prepared
    names, rate, first = effect_design(ready.cells, ready.models, ready.conditions)
    spread = np.array([effect_sd(name) for name in names])
    return _Problem(evidence, parameters, names, spread, (rate, rate, first), weight, measured)


def fit(
    evidence: Evidence,
    start: ServingParameters,
    rows: BoolArray | None = None,
    evaluations: int = EVALUATIONS,
) -> Fit:
    """Fit the free parameters and the shrunk intercepts together to a choice of rows.

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
    problem = _problem(evidence, start, chosen)
    bound = 4.0
    first = np.clip(start.to_vector(), -bound + 0.01, bound - 0.01)
    cells = np.array([start.intercepts.get(name, 0.0) for name in problem.effects]) / problem.spread
    done = least_squares(
        problem.residuals,
        np.concatenate([first, np.clip(cells, -bound + 0.01, bound - 0.01)]),
        jac=problem.jacobian,
        method="trf",
        tr_solver="lsmr",
        bounds=(-bound, bound),
        max_nfev=evaluations,
        x_scale=1.0,
        ftol=1e-4,
        xtol=1e-4,
    )
    values, shifts = problem.split(done.x)
    fitted = start.from_vector(values).with_intercepts(
        {cell: float(shift) for cell, shift in zip(problem.effects, shifts, strict=True)}
    )
    spread = np.sqrt(np.clip(np.diag(np.linalg.pinv(done.jac.T @ done.jac)), 0.0, None))
    return Fit(fitted, float(done.cost), int(done.nfev), spread[: len(values)])


def deal(names: NDArray[Any], folds: int, shuffle: int | None = None) -> IntArray:
    """Fold of each row: rows of one name together, largest names first, each to the emptiest fold.

    Names of one size come in their order, or with ``shuffle`` in the one that it seeds.

    Examples
    --------
    >>> deal(np.array(["a", "a", "a", "b", "b", "c"]), 2).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    _, place = np.unique(names, return_inverse=True)
    counts = np.bincount(place)
    order = np.arange(len(counts)) if shuffle is None else np.random.default_rng(shuffle).permutation(len(counts))
    load, home = np.zeros(folds), np.zeros(len(counts), dtype=np.intp)
    for name in order[np.argsort(-counts[order], kind="stable")]:
        home[name] = int(np.argmin(load))
        load[home[name]] += counts[name]
    return np.asarray(home[place], dtype=np.intp)


def homes_of(evidence: Evidence, kind: str, shuffle: int = 0) -> IntArray:
    """Fold of each row, of one way of leaving rows out.

    Parameters
    ----------
    kind : str
        ``curves``; ``pair`` (of a platform and a model) and ``engine`` (a family of engines on a platform that others ran on
        too; -1 elsewhere), dealt to ``PAIR_FOLDS``; ``lengths`` (input and output to the nearest octave, dealt to ``FOLDS``: each of the three that sweeps
        have lies in one of its own); or a column whose every value is a fold.
    shuffle : int
        Of curves.
    """
    if kind == "curves":
        return deal(evidence.group, FOLDS, shuffle)
    if kind == "pair":
        return deal((evidence.frame["accelerator"] + "|" + evidence.frame["model"]).to_numpy(dtype=str), PAIR_FOLDS)
    if kind == "engine":
        return _engine_homes(evidence)
    if kind == "lengths":
        octaves = np.round(np.log2(evidence.frame[["isl", "osl"]].to_numpy(dtype=float))).astype(int).astype(str)
        return deal(np.char.add(np.char.add(octaves[:, 0], "|"), octaves[:, 1]), FOLDS)
    return np.unique(evidence.frame[kind].to_numpy(dtype=str), return_inverse=True)[1].astype(np.intp)


def by_platform(homes: IntArray, evidence: Evidence) -> IntArray:
    """Each fold's rows of one platform as a fold of their own, numbered from 0; those of a negative one stay together at -1.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> rows = SimpleNamespace(frame=pd.DataFrame({"accelerator": ["a", "b", "a", "a"]}))
    >>> by_platform(np.array([0, 0, 1, -1]), rows).tolist()
    [0, 1, 2, -1]
    """
    chips = np.unique(evidence.frame["accelerator"].to_numpy(dtype=str), return_inverse=True)[1]
    out = np.full(len(homes), -1, dtype=np.intp)
    of = homes >= 0
    out[of] = np.unique(homes[of] * (chips.max() + 1) + chips[of], return_inverse=True)[1]
    return out


def _engine_homes(evidence: Evidence) -> IntArray:
    chips = evidence.frame["accelerator"].to_numpy(dtype=str)
    engines = zip(evidence.frame["engine"], evidence.points.records[0], strict=True)
    names = np.char.add(np.char.add(chips, "|"), [engine_family(str(name), chip.vendor) for name, chip in engines])
    platforms, families = np.unique([name.split("|")[0] for name in np.unique(names).tolist()], return_counts=True)
    several = np.isin(chips, platforms[families > 1])
    homes = np.full(len(names), -1, dtype=np.intp)
    homes[several] = deal(names[several], PAIR_FOLDS)
    return homes


def write_parameters(fitted: Fit, evidence: Evidence, as_of_date: str, folder: Path) -> None:
    """Write the fitted values and intercepts to a folder, each file by a temporary one and a rename."""
    from rackecon.catalog.paths import shipped_rows
    from rackecon.catalog.written import csv_text, write_file

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
    ready = evidence.prepared
    names, rate, first = effect_design(ready.cells, ready.models, ready.conditions)
    seen = dict(
        zip(
            names,
            ((np.abs(rate) + np.abs(first)) > 0).sum(axis=0).tolist(),
            strict=True,
        )
    )
    cells = [
        {
            "cell": name,
            "log_factor": f"{value:.5g}",
            "points": str(seen.get(name, 0)),
            "source_id": "calibration",
            "date": as_of_date,
            "grade": "derived",
        }
        for name, value in sorted(fitted.parameters.intercepts.items())
        if abs(value) >= NEGLIGIBLE
    ]
    for name, table in (("serving_parameters", out), ("serving_intercepts", cells)):
        write_file(folder / f"{name}.csv", csv_text(list(shipped_rows(name)[0]), table))
