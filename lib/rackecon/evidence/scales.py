"""Scales and lengths of the residual process (data/residual_kernel.csv), by what it says of rows it has not seen.

A scale that is chosen on curves of known chips alone says nothing of how far a chip's error is shared with its family or
vendor. Rows are therefore left out in four ways: whole curves (one of the three shuffles; the two others are the check),
platforms, models, and pairs of a platform and a model.

The mean at points left out needs no process without them: with :math:`A = (K + N)^{-1}` of all points,

.. math:: \\mu_T = -A_{TT}^{-1} A_{TR} \\, y_R

Source: Rasmussen and Williams (2006), equation 5.12, for groups of points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog.paths import fit_dir, read_rows
from rackecon.catalog.written import check_folder, csv_text, write_file
from rackecon.evidence.calibration import fit, homes_of
from rackecon.evidence.measured import Evidence, load_evidence
from rackecon.evidence.residual import aims_of, noise_of, pulled
from rackecon.performance.parameters import ServingParameters, load_kernel, load_parameters
from rackecon.performance.residual import TERMS, Residual

KINDS = {"curves": 3.0, "accelerator": 1.0, "model": 0.6, "pair": 1.0}
"""How rows are left out, and the vote of each: most questions are about known chips."""
SHARES = (1.0, 0.8, 0.4)  # of rates under a load, speeds, rates of tables without one
FLOOR, CEILING = 0.03, 0.6  # errors below and beyond which a row says no more [log]
FIXED = ("noise", "choice")
BOUNDS = {True: (0.005, 1.0), False: (0.05, 12.0)}  # of scales [log], of lengths
STEPS = (0.5, 0.1)  # first and last step of a search [log]


@dataclass(frozen=True)
class Fold:
    """Rows left out, what physics that had not seen them leaves to explain, and the same with odd rows pulled in [log]."""

    kind: str
    test: BoolArray
    aims: tuple[FloatArray, FloatArray]  # of rate and speed
    seen: tuple[FloatArray, FloatArray]


def folds_of(evidence: Evidence, start: ServingParameters) -> Iterator[Fold]:
    """Each fold of :data:`KINDS`, its physics fitted to the other rows: a fit each, minutes in all."""
    for kind in KINDS:
        homes = homes_of(evidence, kind)
        for home in np.unique(homes):
            test = np.asarray(homes == home)
            yield fold(kind, test, aims_of(evidence, fit(evidence, start, ~test).parameters), evidence)


def fold(kind: str, test: BoolArray, aims: tuple[FloatArray, FloatArray], evidence: Evidence) -> Fold:
    """A fold of known aims; rows that condition it are pulled in with the scales in use."""
    from scipy.linalg import cho_factor

    kernel = load_kernel()
    noise, seen = noise_of(evidence, kernel), []
    for aim in aims:
        rows = np.flatnonzero(_usable(evidence, aim) & ~test)
        own = _covariance(evidence, rows, kernel)
        drawn = aim.copy()
        drawn[rows] = pulled(own, cho_factor(own + np.diag(noise[rows] ** 2), lower=True), aim[rows])
        seen.append(drawn)
    return Fold(kind, test, aims, (seen[0], seen[1]))


def _usable(evidence: Evidence, aim: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(aim) & (evidence.weight > 0))


def _covariance(evidence: Evidence, rows: IntArray, kernel: Mapping[str, float]) -> FloatArray:
    sites, zero = evidence.prepared.sites.select(rows), np.zeros(len(rows))
    return Residual(sites, zero, zero, zero, kernel).covariance(sites)


def left_out(inverse: FloatArray, aim: FloatArray, rows: IntArray) -> FloatArray:
    """Mean of a process at some of its points, had it not seen them.

    Parameters
    ----------
    inverse : array
        (points, points), :math:`(K + N)^{-1}`.
    aim : array
        What was measured at each point; at the rows it is not read.

    Examples
    --------
    >>> left_out(np.linalg.inv(np.array([[1.0, 0.5], [0.5, 1.0]])), np.array([9.0, 2.0]), np.array([0]))
    array([1.])
    """
    seen = aim.copy()
    seen[rows] = 0.0
    return np.asarray(-np.linalg.solve(inverse[np.ix_(rows, rows)], inverse[rows] @ seen))


def criterion(evidence: Evidence, folds: list[Fold], kernel: Mapping[str, float]) -> float:
    """Error of rates and speeds left out, the votes of :data:`KINDS` over all kinds [log]; the smaller the better.

    Of each row the absolute error counts, smooth at zero and level beyond ``CEILING``; broken builds and repeats do not.
    """
    noise = noise_of(evidence, kernel)
    errors = {kind: np.full((2, len(evidence)), np.nan) for kind in KINDS}
    for which in range(2):
        known = np.flatnonzero(_usable(evidence, folds[0].aims[which]))
        own = _covariance(evidence, known, kernel) + np.diag(noise[known] ** 2)
        inverse: FloatArray = np.linalg.inv(own).astype(float)
        for one in folds:
            rows = np.flatnonzero(one.test[known])
            if len(rows):
                mean = left_out(inverse, one.seen[which][known], rows)
                errors[one.kind][which, known[rows]] = mean - one.aims[which][known[rows]]
    counted, tables = evidence.newest & ~evidence.broken, evidence.throughput_only
    parts = ((0, ~tables), (1, ~tables), (0, tables))
    total = 0.0
    for kind, vote in KINDS.items():
        for share, (which, chosen) in zip(SHARES, parts, strict=True):
            error = errors[kind][which, counted & chosen]
            error = error[np.isfinite(error)]
            total += vote * share * float(np.mean(np.minimum(np.hypot(error, FLOOR), CEILING))) if len(error) else 0.0
    return total


def choose(evidence: Evidence, folds: list[Fold]) -> dict[str, float]:
    """The scales and lengths of least :func:`criterion`: one after another up or down, by ever smaller steps.

    Starts at those in use, which it returns where nothing is better.
    """
    kernel = load_kernel()
    best, scales = criterion(evidence, folds, kernel), {name for name, _, _ in TERMS}
    steps = {name: STEPS[0] for name in kernel if name not in FIXED}
    while max(steps.values()) >= STEPS[1]:
        for name in steps:
            tried = [
                kernel | {name: float(np.clip(kernel[name] * np.exp(sign * steps[name]), *BOUNDS[name in scales]))}
                for sign in (1.0, -1.0)
            ]
            found = [(criterion(evidence, folds, one), one) for one in tried]
            least, one = min(found, key=lambda pair: pair[0])
            if least < best:
                best, kernel = least, one
            else:
                steps[name] *= 0.5
    return kernel


def record(write: bool, shipped: bool) -> Iterator[str]:
    """Choose the scales anew and write data/residual_kernel.csv; the process itself is fitted by the run after.

    Parameters
    ----------
    write : bool
        Whether to write the table.
    shipped : bool
        Whether it is written to data/; by default to the user's own folder.

    Yields
    ------
    str
        The criterion before and after, and each scale that moved.
    """
    folder = fit_dir(shipped) if write else None
    if folder:
        check_folder(folder)
    evidence, known, before = load_evidence(), load_parameters(), load_kernel()
    start = known.from_vector(np.zeros(len(known.free()))).with_intercepts({})
    folds = list(folds_of(evidence, start))
    after = choose(evidence, folds)
    each = [criterion(evidence, folds, kernel) for kernel in (before, after)]
    yield f"{len(folds)} folds, criterion {each[0]:.4f} -> {each[1]:.4f}"
    yield from (f"{name}: {before[name]:g} -> {x:.3g}" for name, x in after.items() if x != before[name])
    if folder:
        rows = [
            row | ({"value": f"{after[row['name']]:.3g}"} if after.get(row["name"]) != before.get(row["name"]) else {})
            for row in read_rows("residual_kernel")
        ]
        write_file(folder / "residual_kernel.csv", csv_text(list(rows[0]), rows))
