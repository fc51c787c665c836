"""Short lists of configurations: what a search keeps under uncertain physics, exactly evaluated at a few dozen points.

A draw of the physical inputs (lengths, cache hit, acceptance of drafts, routing skew) moves every candidate's rates,
and not smoothly: pools hold whole workers. So the search itself is run at each *physical point*, and what could be best
there under any price, cost or error inside reach of the limits is kept. Many draws share a physical point and differ in
everything else. How often a short list misses a full search is measured (:mod:`rackecon.analysis.shortlist_check`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.analysis.distributions import Distribution
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.frontier import P99_TPOT_FACTOR, P99_TTFT_FACTOR, candidates

if TYPE_CHECKING:
    from rackecon.catalog import Scenario

__all__ = ["KEPT", "PHYSICAL", "RATES", "Work", "exact_rows", "relevant", "shortlist", "tails", "work_at"]

FloatArray = NDArray[np.float64]
Rows = dict[str, NDArray[Any]]
PHYSICAL: Final = ("acceptance", "routing_skew", "prefix_cache_hit", "input_length", "output_length")
RATES: Final = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")
KEPT: Final = (*RATES, "mode", "layout", "draft_tokens", "concurrency", "gpus", "prefill_gpu_share")
TTFT_STEPS: Final = (math.inf, 1.0, 0.5, 0.2)
"""Shares of the first-token limit at which fronts are taken: a way out where first tokens come later than predicted."""
REACH: Final = (0.4, 2.5)
"""Speeds kept, as shares of the limit's: further off than any serving error inside its 99 % range."""


@dataclass(frozen=True)
class Work:
    """Lengths [tokens], cache hit [-] and serving-parameter factors [-], one shape."""

    isl_tokens: FloatArray
    osl_tokens: FloatArray
    prefix_cache_hit: FloatArray
    acceptance: FloatArray
    routing_skew: FloatArray


def relevant(model: str, case: Scenario) -> tuple[bool, ...]:
    """Which of :data:`PHYSICAL` can change anything for a model and workload.

    Examples
    --------
    >>> relevant("gpt-oss-120b", catalog.scenario("chat"))
    (False, True, False, True, True)
    """
    arch = catalog.model(model)
    return arch.mtp_layers > 0, bool(arch.is_moe), case.prefix_cache_hit > 0, True, True


def work_at(case: Scenario, model: str, inputs: Mapping[str, Distribution], scores: FloatArray) -> Work:
    """Workload and parameter factors at given scores; lengths stay inside the model's context.

    Parameters
    ----------
    case : Scenario
    model : str
        Model id.
    inputs : mapping of Distribution
        Of :data:`PHYSICAL`.
    scores : ndarray
        ``(draws, 5)`` in the order of :data:`PHYSICAL`.

    Returns
    -------
    Work
        Arrays of ``(draws,)``.
    """
    value = {name: inputs[name].quantile_of_normal(scores[:, j]) for j, name in enumerate(PHYSICAL)}
    longest = float(catalog.model(model).max_context_tokens or np.inf)
    osl = np.clip(case.osl_tokens * value["output_length"], 1.0, max(0.5 * longest, float(case.osl_tokens)))
    isl = np.clip(case.isl_tokens * value["input_length"], 1.0, np.maximum(longest - osl, float(case.isl_tokens)))
    hit = np.zeros_like(isl)
    if case.prefix_cache_hit > 0:
        middle = math.log(case.prefix_cache_hit / (1.0 - case.prefix_cache_hit))
        # nothing is uncertain at the middle: the scenario's own figure, to the last digit
        moved = np.minimum(1.0 / (1.0 + np.exp(-(middle + value["prefix_cache_hit"]))), 0.995)
        hit = np.where(value["prefix_cache_hit"] == 0.0, case.prefix_cache_hit, moved)
    return Work(isl, osl, hit, value["acceptance"], value["routing_skew"])


def exact_rows(accelerator: str, model: str, work: Work, at: int = 0, options: Mapping[str, Any] | None = None) -> Rows:
    """Every candidate of the search under the conditions of one draw."""
    isl, osl, hit = (float(x[at]) for x in (work.isl_tokens, work.osl_tokens, work.prefix_cache_hit))
    factors = float(work.acceptance[at]), float(work.routing_skew[at])
    shipped = load_parameters()
    used = shipped if factors == (1.0, 1.0) else _moved(factors)
    return candidates(accelerator, model, isl, osl, prefix_cache_hit=hit, parameters=used, **(options or {}))


@lru_cache(maxsize=1024)
def _moved(factors: tuple[float, float]) -> ServingParameters:
    shipped = load_parameters()
    items = []
    for item in shipped.parameters:
        if item.name.startswith("accept."):
            item = replace(item, value=min(item.value * factors[0], 0.95))
        elif item.name.startswith("imbalance."):
            item = replace(item, value=item.value * factors[1])
        items.append(item)
    return replace(shipped, parameters=tuple(items))


def tails(case: Scenario) -> tuple[float, float]:
    """Factors from medians to the statistic that the scenario's limits bind: of TPOT and of TTFT."""
    return (P99_TPOT_FACTOR, P99_TTFT_FACTOR) if case.latency_statistic == "p99" else (1.0, 1.0)


def shortlist(rows: Rows, case: Scenario, reach: tuple[float, float] = REACH) -> Rows:
    """Candidates that could be the most profitable inside the limits whatever the prices and the serving error.

    Parameters
    ----------
    rows : dict of ndarray
        From :func:`exact_rows`.
    case : Scenario
        Its limits count.
    reach : tuple of float
        Speeds kept, as shares of the limit's.

    Returns
    -------
    dict of ndarray
        Columns of the kept rows: fronts of speed against throughput in either mode, first-token limits tightened
        stepwise; empty arrays where nothing fits.
    """
    if not rows:
        return {name: np.array([]) for name in KEPT}
    tail_tpot, tail_ttft = tails(case)
    floor, ceiling = 0.0, math.inf
    if case.tpot_limit_ms is not None:
        wanted = 1000.0 * tail_tpot / case.tpot_limit_ms
        floor, ceiling = wanted * reach[0], wanted * reach[1]
    fits = rows["fits"].astype(bool) & np.isfinite(rows["total_tok_s_per_gpu"]) & (rows["tok_s_per_user"] >= floor)
    at = np.flatnonzero(fits & (rows["total_tok_s_per_gpu"] > 0))
    at = at[np.lexsort((-rows["total_tok_s_per_gpu"][at], -rows["tok_s_per_user"][at]))]
    speed, rate, first = (rows[name][at] for name in ("tok_s_per_user", "total_tok_s_per_gpu", "ttft_ms"))
    mode = rows["mode"][at] == "disaggregated"
    keep = np.zeros(len(at), dtype=bool)
    for split in (False, True):
        for step in TTFT_STEPS if case.ttft_limit_ms is not None else (math.inf,):
            limit = math.inf if math.isinf(step) else step * float(case.ttft_limit_ms or math.inf) / tail_ttft
            some = np.flatnonzero((mode == split) & (first <= limit))
            if not len(some):
                continue
            before = np.maximum.accumulate(np.concatenate([[-np.inf], rate[some][:-1]]))
            front = some[rate[some] > before]
            fast = speed[front] > ceiling
            keep[front[~fast]] = True
            # beyond the reach of any plausible error only the slowest of the fast points can matter
            keep[front[fast][-1:]] = True
    chosen = at[keep]
    return {name: rows[name][chosen] for name in KEPT}
