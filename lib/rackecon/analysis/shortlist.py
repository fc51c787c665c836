"""A short list of configurations per platform, model and workload, with how their rates answer to uncertain physics.

The search is run at the middle and at the 10th and 90th percentile of every physical input; whatever is on a front
anywhere there is kept. Each kept configuration gets a second-order response of its log rates to each input's score:

.. math:: \\ln y_k(z) = \\ln y_k(0) + \\sum_j (b_{jk} z_j + c_{jk} z_j^2)

so that thousands of draws cost one matrix product. How often this misses a full search is measured, not assumed
(:mod:`rackecon.analysis.shortlist_check`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.analysis.distributions import Z10, Distribution
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.frontier import P99_TPOT_FACTOR, P99_TTFT_FACTOR, candidates

if TYPE_CHECKING:
    from rackecon.catalog import Scenario

__all__ = ["PHYSICAL", "RATES", "Shortlist", "Work", "exact_rows", "shortlist", "work_at"]

FloatArray = NDArray[np.float64]
PHYSICAL: Final = ("acceptance", "routing_skew", "prefix_cache_hit", "input_length", "output_length")
RATES: Final = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")
TTFT_STEPS: Final = (math.inf, 1.0, 0.5, 0.2)
"""Shares of the first-token limit at which fronts are taken: a way out where first tokens come later than predicted."""
PASSES: Final = 3
"""Layers of each front that are kept: the second-best configuration may be best elsewhere."""


@dataclass(frozen=True)
class Work:
    """Lengths, cache hit and serving-parameter factors of one draw or many."""

    isl_tokens: FloatArray
    osl_tokens: FloatArray
    prefix_cache_hit: FloatArray
    acceptance: FloatArray
    routing_skew: FloatArray


@dataclass(frozen=True)
class Shortlist:
    """Kept configurations of one cell and their response. Arrays end in the configurations."""

    accelerator: str
    model: str
    scenario: str
    rows: Mapping[str, NDArray[Any]]
    """Columns of the front at the middle of every input."""
    base: FloatArray
    """Log rates at the middle, ``(3, kept)``."""
    linear: FloatArray
    """``(3, inputs, kept)``."""
    square: FloatArray
    fits_from: FloatArray
    """Lowest and highest score of each input at which a configuration still fits memory, ``(inputs, kept)``."""
    fits_to: FloatArray
    candidates: int

    def __len__(self) -> int:
        return int(self.base.shape[-1])

    def log_rates(self, scores: FloatArray) -> FloatArray:
        """Log of :data:`RATES`, ``(3, draws, kept)``, -inf throughput where a configuration does not fit.

        Parameters
        ----------
        scores : ndarray
            ``(draws, inputs)`` in the order of :data:`PHYSICAL`.
        """
        out = self.base[:, None, :] + scores @ self.linear + (scores * scores) @ self.square
        for j in range(scores.shape[1]):
            tight = np.flatnonzero((self.fits_from[j] > -np.inf) | (self.fits_to[j] < np.inf))
            for k in tight:
                z = scores[:, j]
                out[0, (z < self.fits_from[j, k]) | (z > self.fits_to[j, k]), k] = -np.inf
        return np.asarray(out)


def work_at(case: Scenario, model: str, inputs: Mapping[str, Distribution], scores: Mapping[str, FloatArray]) -> Work:
    """Workload and parameter factors at given scores; lengths stay inside the model's context.

    Parameters
    ----------
    case : Scenario
    model : str
        Model id.
    inputs : mapping of Distribution
        Of :data:`PHYSICAL`.
    scores : mapping of ndarray
        Score of each of :data:`PHYSICAL`, one shape.

    Returns
    -------
    Work
    """
    value = {name: inputs[name].quantile_of_normal(scores[name]) for name in PHYSICAL}
    longest = float(catalog.model(model).max_context_tokens or np.inf)
    osl = np.clip(case.osl_tokens * value["output_length"], 1.0, max(0.5 * longest, float(case.osl_tokens)))
    isl = np.clip(case.isl_tokens * value["input_length"], 1.0, np.maximum(longest - osl, float(case.isl_tokens)))
    hit = np.zeros_like(isl)
    if case.prefix_cache_hit > 0:
        middle = math.log(case.prefix_cache_hit / (1.0 - case.prefix_cache_hit))
        hit = np.minimum(1.0 / (1.0 + np.exp(-(middle + value["prefix_cache_hit"]))), 0.995)
    return Work(isl, osl, hit, value["acceptance"], value["routing_skew"])


def _parameters(acceptance: float, skew: float) -> ServingParameters:
    shipped = load_parameters()
    items = []
    for item in shipped.parameters:
        if item.name.startswith("accept."):
            item = replace(item, value=min(item.value * acceptance, 0.95))
        elif item.name.startswith("imbalance."):
            item = replace(item, value=item.value * skew)
        items.append(item)
    return replace(shipped, parameters=tuple(items))


def exact_rows(
    accelerator: str, model: str, work: Work, at: int = 0, options: Mapping[str, Any] | None = None
) -> dict[str, NDArray[Any]]:
    """Every candidate of the search under the conditions of one draw."""
    isl, osl, hit = (float(np.ravel(x)[at]) for x in (work.isl_tokens, work.osl_tokens, work.prefix_cache_hit))
    factors = float(np.ravel(work.acceptance)[at]), float(np.ravel(work.routing_skew)[at])
    return candidates(
        accelerator, model, isl, osl, prefix_cache_hit=hit, parameters=_parameters(*factors), **(options or {})
    )


def tails(case: Scenario) -> tuple[float, float]:
    """Factors from medians to the statistic that the scenario's limits bind: of TPOT and of TTFT."""
    return (P99_TPOT_FACTOR, P99_TTFT_FACTOR) if case.latency_statistic == "p99" else (1.0, 1.0)


def _fronts(rows: Mapping[str, NDArray[Any]], case: Scenario, reach: tuple[float, float]) -> NDArray[np.intp]:
    """Rows on the first layers of the fronts of either mode, first-token limits tightened stepwise."""
    speed, rate, first = rows["tok_s_per_user"], rows["total_tok_s_per_gpu"], rows["ttft_ms"]
    fits = rows["fits"].astype(bool) & np.isfinite(rate) & (rate > 0)
    tail_tpot, tail_ttft = tails(case)
    floor, ceiling = 0.0, np.inf
    if case.tpot_limit_ms is not None:
        wanted = 1000.0 * tail_tpot / case.tpot_limit_ms
        floor, ceiling = wanted * reach[0], wanted * reach[1]
    kept: list[NDArray[np.intp]] = []
    for mode in np.unique(rows["mode"]):
        for step in TTFT_STEPS if case.ttft_limit_ms is not None else (math.inf,):
            limit = math.inf if math.isinf(step) else step * float(case.ttft_limit_ms or math.inf) / tail_ttft
            left = fits & (rows["mode"] == mode) & (first <= limit) & (speed >= floor)
            for _ in range(PASSES):
                at = np.flatnonzero(left)
                order = at[np.lexsort((-rate[at], -speed[at]))]
                if not len(order):
                    break
                before = np.maximum.accumulate(np.concatenate([[-np.inf], rate[order][:-1]]))
                front = order[rate[order] > before]
                near = front[speed[front] <= ceiling]
                # beyond the reach of any plausible error only the slowest of the fast points can matter
                beyond = front[speed[front] > ceiling][-1:]
                kept += [near, beyond]
                left[front] = False
    return np.unique(np.concatenate(kept)) if kept else np.array([], dtype=np.intp)


def shortlist(
    accelerator: str,
    model: str,
    case: Scenario,
    inputs: Mapping[str, Distribution],
    *,
    reach: tuple[float, float] = (0.4, 2.5),
    options: Mapping[str, Any] | None = None,
) -> Shortlist | None:
    """Search at the middle and both ends of every physical input, keep what is on a front, and fit its response.

    Parameters
    ----------
    accelerator, model : str
        Ids.
    case : Scenario
        Lengths, cache hit and limits.
    inputs : mapping of Distribution
        Of :data:`PHYSICAL`.
    reach : tuple of float
        Speeds kept, as shares of the limit's: how far a prediction may be off.
    options : mapping, optional
        Options of the search.

    Returns
    -------
    Shortlist or None
        None when nothing fits.
    """
    middle = {name: np.zeros(1) for name in PHYSICAL}
    tables: dict[tuple[str, float], dict[str, NDArray[Any]]] = {
        ("", 0.0): exact_rows(accelerator, model, work_at(case, model, inputs, middle), 0, options)
    }
    if not tables["", 0.0]:
        return None
    moving = [name for name in PHYSICAL if name != "prefix_cache_hit" or case.prefix_cache_hit > 0]
    for name in moving:
        for z in (-Z10, Z10):
            there = work_at(case, model, inputs, {**middle, name: np.full(1, z)})
            tables[name, z] = exact_rows(accelerator, model, there, 0, options)
    found = [_fronts(rows, case, reach) for rows in tables.values()]
    center = tables["", 0.0]
    usable = center["fits"].astype(bool) & np.isfinite(center["total_tok_s_per_gpu"])
    keep = np.unique(np.concatenate(found))
    keep = keep[usable[keep]]
    if not len(keep):
        return None
    with np.errstate(all="ignore"):
        base = np.log(np.stack([center[name][keep] for name in RATES]).astype(float))
    shape = (len(PHYSICAL), len(keep))
    linear, square = np.zeros((3, *shape)), np.zeros((3, *shape))
    start, stop = np.full(shape, -np.inf), np.full(shape, np.inf)
    for j, name in enumerate(PHYSICAL):
        if name not in moving:
            continue
        ends = []
        for z in (-Z10, Z10):
            rows = tables[name, z]
            with np.errstate(all="ignore"):
                moved = np.log(np.stack([rows[r][keep] for r in RATES]).astype(float)) - base
            good = rows["fits"].astype(bool)[keep] & np.isfinite(moved).all(axis=0)
            (start if z < 0 else stop)[j, ~good] = 0.5 * z
            ends.append(np.where(good, moved, 0.0))
        both = (np.isneginf(start[j]) & np.isposinf(stop[j])).astype(float)
        linear[:, j] = (ends[1] - ends[0]) / (2 * Z10) * np.where(both, 1.0, 2.0)
        square[:, j] = (ends[1] + ends[0]) / (2 * Z10 * Z10) * both
    rows = {name: values[keep] for name, values in center.items()}
    return Shortlist(
        accelerator, model, case.id, rows, base, linear, square, start, stop, len(center["total_tok_s_per_gpu"])
    )
