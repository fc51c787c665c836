"""Short lists of configurations: what a search keeps under uncertain physics.

A draw of the physical inputs (lengths, cache hit, acceptance of drafts, routing skew) moves every candidate's rates,
and not smoothly: pools hold whole workers. So candidates are evaluated exactly at each *physical point*, and what could
be best there under any price, cost or error inside reach of the limits is kept. Many draws share a physical point and
differ in everything else.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Scenario
from rackecon.catalog.cached import by_data
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.candidates import Outcome
from rackecon.serving.frontier import candidates, candidates_picked
from rackecon.serving.query import Limits, Query
from rackecon.uncertainty.distributions import Distribution

Rows = dict[str, NDArray[Any]]
PHYSICAL: Final = ("acceptance", "routing_skew", "prefix_cache_hit", "input_length", "output_length")
RATES: Final = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")
BUSY: Final = ("decode_busy_share", "prefill_busy_share")
KEPT: Final = (*RATES, "mode", "layout", "draft_tokens", "concurrency", "gpus", "prefill_gpu_share", *BUSY)
REACH: Final = (0.4, 2.5)
"""Speeds kept, as shares of the limit's: further off than any serving error inside its 99 % range."""
SCOUT: Final = 2.2
"""Standard deviations from the median at which a physical input is scouted: 97 % of its range lie inside."""
TTFT_REACH: Final = (0.02, 20.0)
"""Times to first token told apart, as shares of the limit's: their error is far wider than that of speeds."""
STEPS: Final = 17
"""Times to first token by which rows are first sorted out together."""


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


def scouts(model: str, case: Scenario) -> FloatArray:
    """Physical points at which every configuration is searched: the median, and each input far out alone.

    Examples
    --------
    >>> scouts("gpt-oss-120b", catalog.scenario("chat")).shape
    (7, 5)
    """
    far = SCOUT * np.eye(len(PHYSICAL))[np.array(relevant(model, case))]
    return np.concatenate([np.zeros((1, len(PHYSICAL))), -far, far])


def exact_rows(
    accelerator: str,
    model: str,
    work: Work,
    at: int = 0,
    options: Mapping[str, Any] | None = None,
    only: IntArray | None = None,
) -> Rows:
    """Every candidate of the search, or those in some rows, under the conditions of one draw."""
    isl, osl, given = _conditions(work, at, options)
    return candidates(accelerator, model, isl, osl, only=only, **given)


def shortlists(
    accelerator: str,
    model: str,
    case: Scenario,
    work: Work,
    options: Mapping[str, Any],
    only: IntArray | None = None,
) -> list[tuple[IntArray, Rows]]:
    """Candidates that could be the most profitable inside the limits whatever the prices and the serving error, of each draw.

    Parameters
    ----------
    accelerator, model : str
        Ids.
    case : Scenario
        Its limits count.
    work : Work
        Conditions of the draws.
    options : mapping
        Of the search.
    only : ndarray of int, optional
        Rows of :func:`exact_rows` to look at, rising; all by default.

    Returns
    -------
    list of tuple
        Row numbers, rising, and :data:`KEPT` of the rows that, in either mode, no other beats in throughput, speed and first
        token at once; none where nothing fits.
    """
    every = (_conditions(work, at, options) for at in range(len(work.isl_tokens)))
    queries = [Query.of(accelerator, model, isl, osl, **given) for isl, osl, given in every]
    nothing: Rows = {name: np.array([]) for name in KEPT}
    if only is not None and not len(only):
        return [(only, nothing) for _ in queries]
    found = candidates_picked(queries, lambda seen: undominated(seen, case), KEPT, only)
    return [(numbers, rows or nothing) for numbers, rows in found]


def _conditions(work: Work, at: int, options: Mapping[str, Any] | None) -> tuple[float, float, dict[str, Any]]:
    """Lengths and options of the search under the conditions of one draw."""
    isl, osl, hit = (float(x[at]) for x in (work.isl_tokens, work.osl_tokens, work.prefix_cache_hit))
    factors = float(work.acceptance[at]), float(work.routing_skew[at])
    used = load_parameters() if factors == (1.0, 1.0) else _moved(factors)
    return isl, osl, {"prefix_cache_hit": hit, "parameters": used, **(options or {})}


@by_data(1024, "serving_parameters", "serving_intercepts", "serving_residual", "residual_kernel")
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


def undominated(seen: Outcome, case: Scenario) -> IntArray:
    """Candidates of one mode that could be the most profitable of their query: see :func:`shortlists`.

    Parameters
    ----------
    seen : Outcome
        One query's candidates after another's.
    case : Scenario
        Its limits count.

    Returns
    -------
    ndarray of int
        Their places, rising. Of candidates alike the first is kept.
    """
    limits = Limits.of_case(case)
    wanted, allowed = limits.least_tok_s_per_user, limits.latest_ttft_ms
    rate, speed, first = seen.total_tok_s_per_gpu, seen.tok_s_per_user, seen.ttft_ms
    fits = seen.fits & np.isfinite(rate) & (rate > 0) & (speed >= wanted * REACH[0])
    at = np.flatnonzero(fits & np.isfinite(first) & (first <= allowed * TTFT_REACH[1]))
    # beyond the reach of any plausible error a faster point is as good as another
    speed = np.minimum(speed[at], wanted * REACH[1])
    first = np.maximum(first[at], allowed * TTFT_REACH[0]) if math.isfinite(allowed) else np.zeros(len(at))
    order = np.lexsort((first, -speed, -rate[at], seen.query[at]))
    kept = _staircases(seen.query[at[order]], speed[order], first[order])
    return np.sort(at[order[kept]])


def _staircases(query: IntArray, speed: FloatArray, first: FloatArray) -> IntArray:
    """Rows, in falling order of throughput in each query, that no earlier row of it beats or equals in both speed and first token."""
    some = np.flatnonzero(_not_plainly_beaten(query, speed, first))
    kept: list[int] = []
    # of the kept rows of a query that no other beats in these two: by rising speed, which their first tokens rise with
    speeds: list[float] = []
    firsts: list[float] = []
    last = -1
    for row, mine, fast, soon in zip(*(x.tolist() for x in (some, query[some], speed[some], first[some])), strict=True):
        if mine != last:
            speeds, firsts, last = [], [], mine
        at = bisect_left(speeds, fast)
        if at < len(firsts) and firsts[at] <= soon:
            continue
        kept.append(row)
        above = at + (at < len(speeds) and speeds[at] == fast)
        below = bisect_left(firsts, soon, 0, above)
        speeds[below:above], firsts[below:above] = [fast], [soon]
    return np.array(kept, dtype=np.intp)


def _not_plainly_beaten(query: IntArray, speed: FloatArray, first: FloatArray) -> BoolArray:
    """Rows but those that an earlier row of the query beats or equals in speed, of rows with first tokens under some of
    :data:`STEPS` values between: most of them, in few passes over all."""
    left = np.ones(len(speed), dtype=bool)
    if len(speed) < 2:
        return left
    order = np.argsort(speed, kind="stable")
    rank = np.empty(len(speed), dtype=np.int64)
    rank[order] = np.cumsum(np.concatenate([[0], np.diff(speed[order]) > 0]))
    rank += query * len(speed)  # of a later query above all of an earlier one
    for soon in np.unique(np.quantile(first, np.linspace(0.0, 1.0, STEPS), method="lower")):
        best = np.maximum.accumulate(np.where(first <= soon, rank, -1))
        left[1:] &= (best[:-1] < rank[1:]) | (first[1:] < soon)
    return left
