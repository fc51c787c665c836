"""The best that a platform does for a model and a workload: throughput per GPU against speed per user.

Every layout, split of prefill and decode, batch and draft depth is evaluated at once; what does not fit in memory or
misses a latency limit falls out with a reason; the rest is reduced to its Pareto front.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Model
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.candidates import Outcome, evaluate_all, evaluate_fitting
from rackecon.serving.front import Frontier, empty_front, layout_texts, pareto_rows
from rackecon.serving.task import Limits, Task
from rackecon.words import number

__all__ = ["Frontier", "candidates", "search"]


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

    Examples
    --------
    >>> front = search("gb200-nvl72", "deepseek-r1", 1024, 1024)
    >>> len(front) > 5
    True
    """
    limits = Limits.checked(ttft_limit_ms, tpot_limit_ms, latency_statistic, parameters)
    task = Task.checked(
        accelerator_id=accelerator_id,
        model_id=model_id,
        isl_tokens=isl_tokens,
        osl_tokens=osl_tokens,
        prefix_cache_hit=prefix_cache_hit,
        weight_precision=weight_precision,
        kv_precision=kv_precision,
        mode=mode,
        engine=engine,
        date=date,
        max_gpus=max_gpus,
        speculative=speculative,
        parameters=parameters,
        hold=hold,
    )
    if not task.chip.servable:
        return empty_front(task.chip, task.arch, isl_tokens, osl_tokens, f"not modelled: {task.chip.note}")
    found = evaluate_fitting(task)
    seen = found.outcome()
    fitting = int(seen.fits.sum())
    within, reason = _within(limits, seen) if fitting else (seen.fits, f"does not fit: {found.room}")
    if reason:
        return empty_front(task.chip, task.arch, isl_tokens, osl_tokens, reason, found.count, found.room)
    keep = pareto_rows(seen.tok_s_per_user, seen.total_tok_s_per_gpu, within)
    front = found.rows(keep)
    del front["fits"]
    front["layout"] = layout_texts(front)
    front["weight_precision"] = np.full(len(keep), task.weight)
    front["kv_precision"] = np.full(len(keep), task.kv)
    return Frontier(task.chip.id, task.arch.id, isl_tokens, osl_tokens, front, "", found.count, fitting, found.room)


def _within(limits: Limits, seen: Outcome) -> tuple[NDArray[np.bool_], str]:
    """Candidates that fit and keep the limits; why there are none."""
    within = seen.fits
    if limits.tpot_ms is not None:
        speed = seen.tok_s_per_user / limits.tpot_tail
        within = within & (1e3 / speed <= limits.tpot_ms * (1 + 1e-9))
        if not within.any():
            fastest = number(float(speed[seen.fits].max()))
            return within, f"no layout reaches {number(1e3 / limits.tpot_ms)} tok/s/user: the fastest gives {fastest}"
    if limits.ttft_ms is not None:
        before, first = within, seen.ttft_ms * limits.ttft_tail
        within = before & (first <= limits.ttft_ms * (1 + 1e-9))
        if not within.any():
            wanted, soonest = number(limits.ttft_ms, 4), number(float(first[before].min()), 4)
            return within, f"no layout gives the first token within {wanted} ms: the soonest takes {soonest} ms"
    return within, ""


def candidates(
    accelerator_id: str,
    model_id: str,
    isl_tokens: float,
    osl_tokens: float,
    *,
    prefix_cache_hit: float = 0.0,
    parameters: ServingParameters | None = None,
    weight_precision: str | None = None,
    kv_precision: str | None = None,
    mode: str | None = None,
    engine: str | None = None,
    date: str | None = None,
    max_gpus: int | None = None,
    speculative: str | None = None,
    hold: Mapping[str, object] | None = None,
    only: NDArray[np.intp] | None = None,
) -> dict[str, NDArray[Any]]:
    """Every configuration that :func:`search` looks at, before limits, in an order that lengths do not change.

    Row ``k`` is the same layout, load and draft depth in any two calls for one platform, model and set of options, so
    that the same configurations can be followed through changed lengths, cache hits and parameters.

    Parameters
    ----------
    accelerator_id, model_id, isl_tokens, osl_tokens, prefix_cache_hit, parameters, ...
        As in :func:`search`.
    only : ndarray of int, optional
        Row numbers, rising: these configurations alone, exactly as they stand among all.

    Returns
    -------
    dict of ndarray
        Columns of a front, and ``fits``; empty for an accelerator that is not modelled.
    """
    task = Task.checked(
        accelerator_id=accelerator_id,
        model_id=model_id,
        isl_tokens=isl_tokens,
        osl_tokens=osl_tokens,
        prefix_cache_hit=prefix_cache_hit,
        weight_precision=weight_precision,
        kv_precision=kv_precision,
        mode=mode,
        engine=engine,
        date=date,
        max_gpus=max_gpus,
        speculative=speculative,
        parameters=parameters,
        hold=hold,
    )
    return evaluate_all(task, only).rows() if task.chip.servable else {}
