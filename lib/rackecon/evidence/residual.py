"""Fit of the residual process: the weights of measured points on top of fitted physics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rackecon.evidence.calibration import log_predictions
from rackecon.evidence.measured import Evidence
from rackecon.performance.parameters import ServingParameters, load_kernel
from rackecon.performance.residual import FEATURES, NAMES, Residual

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AS_OF", "corrected_logs", "fit_residual", "residual_table", "with_residual"]

FloatArray = NDArray[np.float64]
FURTHEST = 0.25
"""Distance from the mean beyond which a point pulls no harder [log]: about three times the drift between builds."""
ROUNDS = 2
AS_OF = "2026-11-28"
VOTES = (0.3, 3.0)
"""Least and most weight of a point over the median one."""


def fit_residual(evidence: Evidence, parameters: ServingParameters, rows: NDArray[np.bool_] | None = None) -> Residual:
    """The process conditioned on measured rows, around the physics of some parameters.

    Parameters
    ----------
    evidence : Evidence
        Measured rows.
    parameters : ServingParameters
        Fitted physics; its intercepts are not used.
    rows : array of bool, optional
        Rows to use; all by default. Broken rows are left out.

    Returns
    -------
    Residual

    Notes
    -----
    Weights :math:`(K + N)^{-1} y`, found again ``ROUNDS`` times with each point moved to at most ``FURTHEST`` from the
    mean (Huber's proposal), so that single odd rows do not bend it.
    """
    kernel = load_kernel()
    total, user, _ = log_predictions(evidence.prepared, parameters, parameters.values())
    with np.errstate(all="ignore"):
        wanted = (np.log(evidence.total_tok_s_per_gpu) - total, np.log(evidence.tok_s_per_user) - user)
    usable = np.isfinite(wanted[0]) & (evidence.weight > 0)
    usable &= np.ones(len(evidence), dtype=bool) if rows is None else rows
    sites = evidence.prepared.sites.select(usable)
    votes = np.clip(evidence.weight[usable] / np.median(evidence.weight), *VOTES)
    noise = kernel["noise"] / np.sqrt(votes)
    empty = Residual(sites, np.zeros(len(sites)), np.zeros(len(sites)), noise, kernel)
    own = empty.covariance(sites)
    found = []
    for values in wanted:
        aim = values[usable]
        known = np.isfinite(aim)  # a throughput table says nothing of speed
        weights = np.zeros(len(sites))
        weights[known] = _weights(own[np.ix_(known, known)], noise[known], aim[known])
        found.append(weights)
    return Residual(sites, found[0], found[1], noise, kernel)


def _weights(own: FloatArray, noise: FloatArray, aim: FloatArray) -> FloatArray:
    from scipy.linalg import cho_factor, cho_solve

    solved = cho_factor(own + np.diag(noise**2), lower=True)
    weights = cho_solve(solved, aim)
    for _ in range(ROUNDS):
        mean = own @ weights
        weights = cho_solve(solved, mean + np.clip(aim - mean, -FURTHEST, FURTHEST))
    return np.asarray(weights)


def with_residual(
    evidence: Evidence, parameters: ServingParameters, rows: NDArray[np.bool_] | None = None
) -> ServingParameters:
    """Fitted parameters with the residual process of the same rows on top."""
    from dataclasses import replace

    return replace(parameters, residual=fit_residual(evidence, parameters, rows))


def corrected_logs(evidence: Evidence, parameters: ServingParameters) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logs of predicted total rate, speed per user and first-token time with all that was fitted on top of physics."""
    from rackecon.serving.corrections import design

    ready = evidence.prepared
    total, user, ttft = log_predictions(ready, parameters, parameters.values())
    names, rate, first = design(ready.cells, ready.models, ready.conditions)
    effects = np.array([parameters.intercepts.get(name, 0.0) for name in names])
    shifts = (rate @ effects,) * 2 if parameters.residual is None else parameters.residual.mean(ready.sites)
    return total + shifts[0], user + shifts[1], ttft + first @ effects


def residual_table(evidence: Evidence, residual: Residual) -> pd.DataFrame:
    """The process as data/serving_residual.csv holds it: a row for each point that it has seen."""
    import pandas as pd

    usable = np.isfinite(evidence.total_tok_s_per_gpu) & (evidence.weight > 0)
    out = pd.DataFrame({"point_id": evidence.frame.loc[usable, "point_id"].to_numpy()})
    for i, name in enumerate(NAMES):
        out[name] = residual.sites.names[:, i]
    for i, name in enumerate(FEATURES):
        out[name] = np.round(residual.sites.features[:, i], 6)
    for name, digits in (("noise", 5), ("total", 6), ("user", 6)):
        out[name] = [f"{x:.{digits}g}" for x in getattr(residual, name)]
    return out.assign(source_id="calibration", date=AS_OF, grade="derived")
