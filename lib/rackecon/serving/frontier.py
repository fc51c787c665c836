"""The best that a platform does for a model and a workload: throughput per GPU against speed per user.

Every layout, split of prefill and decode, batch and draft depth is evaluated at once; what does not fit in memory or
misses a latency limit falls out with a reason; the rest is reduced to its Pareto front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Model
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.candidates import (
    Evaluated,
    Outcome,
    evaluate_all,
    evaluate_fitting,
    evaluate_together,
    other_engines,
)
from rackecon.serving.front import Frontier, empty_front, layout_texts, one_row, pareto_rows
from rackecon.serving.query import Limits, Query
from rackecon.serving.task import Task
from rackecon.words import number

if TYPE_CHECKING:
    from rackecon.catalog import Scenario

__all__ = ["Frontier", "candidates", "candidates_together", "find", "find_together", "search", "search_case"]

ROWS_TOGETHER = 8192  # more at once no longer stay in the processor's cache


def search(
    accelerator_id: str,
    model_id: str | Model,
    isl_tokens: float,
    osl_tokens: float,
    *,
    prefix_cache_hit: float = 0.0,
    weight_precision: str | None = None,
    kv_precision: str | None = None,
    ttft_limit_ms: float | None = None,
    tpot_limit_ms: float | None = None,
    latency_statistic: str = "median",
    mode: str | None = None,
    engine: str | None = None,
    date: str | None = None,
    max_gpus: int | None = None,
    speculative: str | None = None,
    parameters: ServingParameters | None = None,
    hold: Mapping[str, object] | None = None,
) -> Frontier:
    """Search every layout for the Pareto front of throughput per GPU against speed per user.

    Parameters
    ----------
    accelerator_id : str
        Id of the catalog.
    model_id : str or Model
        Id of the catalog, or a record (a changed copy walks an architecture).
    isl_tokens, osl_tokens : float
        Mean input and output length [tokens].
    prefix_cache_hit : float
        Share of input tokens served from a prefix cache [-].
    weight_precision, kv_precision : str, optional
        bf16, fp8, fp4 or int4; the platform's usual by default.
    ttft_limit_ms, tpot_limit_ms : float, optional
        Latency limits [ms]; none by default.
    latency_statistic : str
        ``median`` or ``p99``: which statistic the limits bind.
    mode : str, optional
        ``aggregated`` or ``disaggregated``; both by default.
    engine : str, optional
        Serving engine; the platform's usual by default.
    date : str, optional
        ISO date of the software; the base case's by default.
    max_gpus : int, optional
        Largest deployment [GPU]; 128 by default.
    speculative : str, optional
        ``none`` or ``mtp``; by default ``mtp`` where the model ships a draft head.
    parameters : ServingParameters, optional
        The shipped ones by default.
    hold : mapping, optional
        Values held: tp, ep, pp, dp_attention, draft_tokens, mode, concurrency.

    Returns
    -------
    Frontier
        Rates over all GPUs, prefill and decode; total counts input (cached too) and output tokens.

    Raises
    ------
    InputError
        Unknown name, length or limit out of range.

    Notes
    -----
    Exact on the loads it tries (:data:`rackecon.serving.query.CONCURRENCY`). A limit is met by the nearest of them, so that
    the best point of all loads yields up to 19 % more from 8 requests a rank up: in the middle 1 %.

    Examples
    --------
    >>> front = search("gb200-nvl72", "deepseek-r1", 1024, 1024)
    >>> len(front) > 5
    True
    """
    return find(
        Query.of(
            accelerator_id,
            model_id,
            isl_tokens,
            osl_tokens,
            prefix_cache_hit=prefix_cache_hit,
            weight_precision=weight_precision,
            kv_precision=kv_precision,
            ttft_limit_ms=ttft_limit_ms,
            tpot_limit_ms=tpot_limit_ms,
            latency_statistic=latency_statistic,
            mode=mode,
            engine=engine,
            date=date,
            max_gpus=max_gpus,
            speculative=speculative,
            parameters=parameters,
            hold=hold,
        )
    )


def search_case(accelerator_id: str, model_id: str | Model, case: Scenario, **options: Any) -> Frontier:
    """:func:`search` for a scenario: its lengths, cache hit and limits, of the statistic that it names.

    Parameters
    ----------
    accelerator_id, model_id
        As in :func:`search`.
    case : Scenario
        A changed copy asks for other lengths or limits.
    **options
        Of :func:`search`; they go before the scenario's.

    Examples
    --------
    >>> from rackecon.catalog import scenario
    >>> search_case("b200-hgx", "gpt-oss-120b", scenario("chat")).best()["tok_s_per_user"] >= 50.0
    True
    """
    return find(Query.of_case(accelerator_id, model_id, case, **options))


def find(asked: Query) -> Frontier:
    """The answer of a query: the Pareto front of what it leaves free."""
    chip = asked.chip
    if not chip.servable:
        return empty_front(chip, asked.arch, asked.isl_tokens, asked.osl_tokens, f"not modelled: {chip.note}")
    return _answer(asked, evaluate_fitting([Task(asked)])[0])


def find_together(queries: Sequence[Query]) -> list[Frontier]:
    """:func:`find` of each of some queries that differ in lengths and cache hit alone, to the last bit.

    Most of a search's time does not depend on its rows, and many queries pay for it once.
    """
    tasks = [Task(asked) for asked in queries]
    if len(tasks) < 2 or not queries[0].chip.servable or not tasks[0].matched:
        return [find(asked) for asked in queries]
    rows = sum(math.prod(tasks[0].sizes(*space)) for space in tasks[0].spaces())
    step, found = max(ROWS_TOGETHER // rows, 1), []
    for start in range(0, len(tasks), step):
        found += evaluate_fitting(tasks[start : start + step])
    return [_answer(asked, one) for asked, one in zip(queries, found, strict=True)]


def _answer(asked: Query, found: Evaluated) -> Frontier:
    """The front among what was evaluated."""
    chip, arch, isl, osl = asked.chip, asked.arch, asked.isl_tokens, asked.osl_tokens
    seen = found.outcome()
    keep, reason = _front(asked.limits, seen, found.room)
    more = other_engines(found, seen.tok_s_per_user[keep], seen.total_tok_s_per_gpu[keep])
    if more.count:
        near = np.append(keep, np.arange(more.count) + len(seen.fits))
        found = replace(found, parts=found.parts + more.parts, count=found.count + more.count)
        seen = found.outcome()
        keep, reason = _front(asked.limits, seen, found.room, near)
    fitting = int(seen.fits.sum())
    if reason:
        empty = empty_front(chip, arch, isl, osl, reason, found.count, found.room)
        return replace(empty, nearest=_nearest(asked.limits, found)) if fitting else empty
    front = found.rows(keep)
    del front["fits"]
    front["layout"] = layout_texts(front)
    return Frontier(chip.id, arch.id, isl, osl, front, "", found.count, fitting, found.room)


def _front(
    limits: Limits, seen: Outcome, room: str, among: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.intp], str]:
    """Rows of the Pareto front within limits, by rising speed; why there are none."""
    none = np.zeros(0, dtype=np.intp)
    if not seen.fits.any():
        return none, f"does not fit: {room}"
    within, reason = _within(limits, seen)
    if reason:
        return none, reason
    if among is not None:
        within = within & np.isin(np.arange(len(within)), among)
    return pareto_rows(seen.tok_s_per_user, seen.total_tok_s_per_gpu, within), ""


def _nearest(limits: Limits, found: Evaluated) -> dict[str, Any]:
    """The candidate that comes nearest to limits that none keeps."""
    seen = found.outcome()
    excess = np.where(seen.fits, limits.excess(1e3 / seen.tok_s_per_user, seen.ttft_ms), np.inf)
    return one_row(found.rows(np.array([np.argmin(excess)])), 0)


def _within(limits: Limits, seen: Outcome) -> tuple[NDArray[np.bool_], str]:
    """Candidates that fit and keep the limits; why there are none."""
    within = seen.fits
    quick = within & limits.keeps(1e3 / seen.tok_s_per_user, np.zeros(1))
    if limits.tpot_ms is not None and not quick.any():
        fastest = number(float(seen.tok_s_per_user[within].max()) / limits.tpot_tail)
        return quick, f"no layout reaches {number(1e3 / limits.tpot_ms)} tok/s/user: the fastest gives {fastest}"
    kept = quick & limits.keeps(np.zeros(1), seen.ttft_ms)
    if limits.ttft_ms is not None and not kept.any():
        wanted, soonest = number(limits.ttft_ms, 4), number(float(seen.ttft_ms[quick].min()) * limits.ttft_tail, 4)
        return kept, f"no layout gives the first token within {wanted} ms: the soonest takes {soonest} ms"
    return kept, ""


def candidates(
    accelerator_id: str,
    model_id: str,
    isl_tokens: float,
    osl_tokens: float,
    *,
    only: NDArray[np.intp] | None = None,
    **options: Any,
) -> dict[str, NDArray[Any]]:
    """Every configuration that :func:`search` looks at, before limits, in an order that lengths do not change.

    Row ``k`` is the same layout, load and draft depth in any two calls for one platform, model and set of options, so
    that the same configurations can be followed through changed lengths, cache hits and parameters.

    Parameters
    ----------
    accelerator_id, model_id, isl_tokens, osl_tokens
        As in :func:`search`.
    only : ndarray of int, optional
        Row numbers, rising: these configurations alone, exactly as they stand among all.
    **options
        As in :func:`search`.

    Returns
    -------
    dict of ndarray
        Columns of a front, and ``fits``; empty for an accelerator that is not modelled.
    """
    task = Task(Query.of(accelerator_id, model_id, isl_tokens, osl_tokens, **options))
    return evaluate_all(task, only).rows() if task.query.chip.servable else {}


def candidates_together(queries: Sequence[Query], only: NDArray[np.intp]) -> list[dict[str, NDArray[Any]]]:
    """:func:`candidates` of queries that differ in lengths, cache hit and values of parameters alone.

    Parameters
    ----------
    queries : sequence of Query
    only : ndarray of int
        Row numbers, rising.

    Returns
    -------
    list of dict of ndarray
        As :func:`candidates` gives for each, to the last bit: most of a call's time does not depend on its rows, and many
        queries pay for it once.
    """
    if not queries or not queries[0].chip.servable:
        return [{} for _ in queries]
    tasks, step = [Task(asked) for asked in queries], max(ROWS_TOGETHER // max(len(only), 1), 1)
    parts = [evaluate_together(tasks[start : start + step], only) for start in range(0, len(tasks), step)]
    return [rows for part in parts for rows in part]
