"""Fit of the residual process: the weights of measured points, and of what searches prefer to them, on top of fitted physics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray
from rackecon.evidence.calibration import log_predictions
from rackecon.evidence.choices import Choices, choices_of, no_choices
from rackecon.evidence.measured import Evidence
from rackecon.evidence.public_fronts import public_fronts
from rackecon.lazy import pd
from rackecon.performance.parameters import FIRST_TOKEN, ServingParameters, load_kernel
from rackecon.performance.residual import FEATURES, NAMES, Residual
from rackecon.serving.predict import log_factors

FURTHEST = 0.25
"""Distance from the mean beyond which a point pulls no harder [log]: about three times the drift between builds."""
FURTHEST_FIRST = 1.0  # the same of the time to first token
ROUNDS = 2
SEARCHES = 2
CHOICE = "choice "
KINDS = ("measured", "choice")
AS_OF = "2026-11-30"
VOTES = (0.3, 3.0)
"""Least and most weight of a point over the median one."""


@dataclass(frozen=True)
class Conditioned:
    """A residual process and what it was conditioned on."""

    residual: Residual
    point_ids: tuple[str, ...]
    choices: Choices


def fit_first_token(
    evidence: Evidence, parameters: ServingParameters, rows: BoolArray | None = None
) -> dict[str, Conditioned]:
    """The process of each mode's time to first token, conditioned on measured rows around the physics of some parameters.

    Arguments as of :func:`fit_residual`.
    """
    physics = log_predictions(evidence.prepared, parameters, parameters.values())[2]
    with np.errstate(all="ignore"):
        aim = np.log(evidence.ttft_ms) - physics
    usable, found = _usable(evidence, aim, rows), {}
    for mode in sorted(set(evidence.frame["mode"])):
        chosen, kernel = usable & (evidence.frame["mode"] == mode).to_numpy(), load_kernel(mode)
        if not chosen.any():
            continue
        sites, noise = evidence.prepared.sites.select(chosen), noise_of(evidence, kernel)[chosen]
        zero = np.zeros(len(sites))
        own = Residual(sites, zero, zero, noise, kernel).covariance(sites)
        (weights,) = _weights(own, noise, [aim[chosen]], FURTHEST_FIRST)
        ids = tuple(f"{FIRST_TOKEN} {point}" for point in evidence.frame.loc[chosen, "point_id"])
        found[mode] = Conditioned(Residual(sites, weights, zero, noise, kernel), ids, no_choices(evidence))
    return found


def fit_residual(evidence: Evidence, parameters: ServingParameters, rows: BoolArray | None = None) -> Conditioned:
    """The process conditioned on measured rows and on what searches prefer to them, around the physics of some parameters.

    Parameters
    ----------
    evidence : Evidence
        Measured rows.
    parameters : ServingParameters
        Fitted physics; its intercepts are not used.
    rows : array of bool, optional
        Rows to use; all by default. Broken rows are left out.

    Notes
    -----
    Searches of the process so far give the choices of the next (:mod:`rackecon.evidence.choices`), ``SEARCHES`` times.
    """
    fronts = public_fronts(evidence, rows)
    found = _conditioned(evidence, parameters, rows, no_choices(evidence))
    for _ in range(SEARCHES):
        searched = choices_of(evidence, replace(parameters, residual=found.residual), fronts)
        found = _conditioned(evidence, parameters, rows, found.choices.with_more(searched))
    return found


def _conditioned(
    evidence: Evidence, parameters: ServingParameters, rows: BoolArray | None, choices: Choices
) -> Conditioned:
    """Weights :math:`(K + N)^{-1} y`, found again ``ROUNDS`` times with each point moved to at most ``FURTHEST`` from the
    mean (Huber's proposal), so that single odd rows do not bend it.

    Rate and speed are taken apart: where both are measured at every point, a joint process of one correlation between them
    and between their errors has the same means (autokrigeability: Wackernagel, *Multivariate Geostatistics*, 2003).
    """
    kernel = load_kernel()
    wanted = aims_of(evidence, parameters)
    usable = _usable(evidence, wanted[0], rows)
    sites = evidence.prepared.sites.select(usable).joined(choices.sites)
    noise = np.concatenate([noise_of(evidence, kernel)[usable], np.full(len(choices), kernel["choice"])])
    empty = Residual(sites, np.zeros(len(sites)), np.zeros(len(sites)), noise, kernel)
    aims = [np.concatenate([x[usable], y]) for x, y in zip(wanted, (choices.total, choices.user), strict=True)]
    found = _weights(empty.covariance(sites), noise, aims)
    ids = (*evidence.frame.loc[usable, "point_id"], *(f"{CHOICE}{n} {x}" for n, x in enumerate(choices.ids, start=1)))
    return Conditioned(Residual(sites, found[0], found[1], noise, kernel), ids, choices)


def _usable(evidence: Evidence, aim: FloatArray, rows: BoolArray | None) -> BoolArray:
    """Rows asked for that are whole and have an aim."""
    usable = np.isfinite(aim) & (evidence.weight > 0)
    return usable if rows is None else usable & rows


def _weights(
    own: FloatArray, noise: FloatArray, aims: Sequence[FloatArray], furthest: float = FURTHEST
) -> list[FloatArray]:
    """Weights of each quantity; points of which the last is not known (a throughput table's speed) weigh nothing there."""
    from scipy.linalg import cho_factor, cho_solve

    order = np.argsort(~np.isfinite(aims[-1]), kind="stable")
    own = own[np.ix_(order, order)]
    factor, lower = cho_factor(own + np.diag(noise[order] ** 2), lower=True)
    out = []
    for aim in (each[order] for each in aims):
        known = int(np.isfinite(aim).sum())
        part, solved, aim = own[:known, :known], (factor[:known, :known], lower), aim[:known]
        whole = np.zeros(len(order))
        whole[order[:known]] = cho_solve(solved, pulled(part, solved, aim, furthest))
        out.append(whole)
    return out


def pulled(own: FloatArray, solved: tuple[FloatArray, bool], aim: FloatArray, furthest: float = FURTHEST) -> FloatArray:
    """Aims, each moved to at most ``furthest`` from the mean of all, ``ROUNDS`` times.

    ``own`` is the covariance of the points, ``solved`` the Cholesky factor of it and the noise.
    """
    from scipy.linalg import cho_solve

    moved = aim
    for _ in range(ROUNDS):
        mean = own @ cho_solve(solved, moved)
        moved = mean + np.clip(aim - mean, -furthest, furthest)
    return np.asarray(moved)


def aims_of(evidence: Evidence, parameters: ServingParameters) -> tuple[FloatArray, FloatArray]:
    """Logs of measured over physics, of total rate and of speed per user; NaN where nothing was measured."""
    total, user, _ = log_predictions(evidence.prepared, parameters, parameters.values())
    with np.errstate(all="ignore"):
        return np.log(evidence.total_tok_s_per_gpu) - total, np.log(evidence.tok_s_per_user) - user


def noise_of(evidence: Evidence, kernel: Mapping[str, float]) -> FloatArray:
    """Standard deviation of each measured row around the process [log]."""
    votes = np.clip(evidence.weight / np.median(evidence.weight), *VOTES)
    return np.asarray(kernel["noise"] / np.sqrt(votes))


def with_residual(
    evidence: Evidence, parameters: ServingParameters, rows: BoolArray | None = None
) -> ServingParameters:
    """Fitted parameters with the residual processes of the same rows on top."""
    first = {mode: one.residual for mode, one in fit_first_token(evidence, parameters, rows).items()}
    return replace(parameters, residual=fit_residual(evidence, parameters, rows).residual, first_token=first)


def corrected_logs(evidence: Evidence, parameters: ServingParameters) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logs of predicted total rate, speed per user and first-token time with all that was fitted on top of physics."""
    ready = evidence.prepared
    logs = zip(log_predictions(ready, parameters, parameters.values()), log_factors(ready, parameters), strict=True)
    total, user, ttft = (physics + fitted for physics, fitted in logs)
    return total, user, np.log(ready.first_within_stay(np.exp(ttft), np.exp(total)))


def residual_table(found: Conditioned, first: Mapping[str, Conditioned]) -> pd.DataFrame:
    """The processes as data/serving_residual.csv holds them: a row for each point that conditions one."""
    count = len(found.point_ids) - len(found.choices)
    parts = [_rows(found, np.repeat(KINDS, (count, len(found.choices))))]
    parts += [_rows(one, np.repeat(FIRST_TOKEN, len(one.point_ids))) for one in first.values()]
    return pd.concat(parts, ignore_index=True).assign(source_id="calibration", date=AS_OF, grade="derived")


def _rows(found: Conditioned, kinds: NDArray[np.str_]) -> pd.DataFrame:
    residual = found.residual
    out = pd.DataFrame({"point_id": found.point_ids, "kind": kinds})
    for i, name in enumerate(NAMES):
        out[name] = residual.sites.names[:, i]
    for i, name in enumerate(FEATURES):
        out[name] = np.round(residual.sites.features[:, i], 6)
    for name, digits in (("noise", 5), ("total", 6), ("user", 6)):
        out[name] = [f"{x:.{digits}g}" for x in getattr(residual, name)]
    return out
