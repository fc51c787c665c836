"""The best that a platform does for a model and a workload: throughput per GPU against speed per user.

Every layout, split of prefill and decode, batch and draft depth is evaluated at once; what does not fit in memory or
misses a latency limit falls out with a reason; the rest is reduced to its Pareto front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Model, accelerator, base_case, model
from rackecon.errors import InputError, unknown_name
from rackecon.performance.engine import PRECISION_BITS
from rackecon.performance.families import ENGINES
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.candidates import MODES, Task, evaluate_all
from rackecon.serving.front import Frontier, empty_front, layout_texts, pareto_rows
from rackecon.serving.layouts import default_precision
from rackecon.serving.points import years_since_2026
from rackecon.serving.tails import tail_factors

__all__ = ["Frontier", "candidates", "search"]

MOST_GPUS = 128


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
    tail, first_tail = tail_factors(latency_statistic, parameters)
    for name, limit in (("ttft_limit_ms", ttft_limit_ms), ("tpot_limit_ms", tpot_limit_ms)):
        if limit is not None and not (math.isfinite(limit) and limit > 0):
            raise InputError(f"{name} {limit:g} is out of range: needs a positive number of milliseconds")
    task = _task(
        accelerator_id,
        model_id,
        isl_tokens,
        osl_tokens,
        prefix_cache_hit,
        weight_precision,
        kv_precision,
        mode,
        engine,
        date,
        max_gpus,
        speculative,
        parameters,
        hold,
    )
    if not task.chip.servable:
        return empty_front(task.chip, task.arch, isl_tokens, osl_tokens, f"not modelled: {task.chip.note}")
    found = evaluate_all(task)
    ledger_text = found.ledgers[0]
    ok, speed, rate = (found.column(name) for name in ("fits", "tok_s_per_user", "total_tok_s_per_gpu"))
    count, fitting = len(ok), int(ok.sum())
    if not fitting:
        reason = f"does not fit: {ledger_text}"
        return empty_front(task.chip, task.arch, isl_tokens, osl_tokens, reason, count, ledger_text)
    within, reason = ok, ""
    if tpot_limit_ms is not None:
        within = ok & (1e3 / speed * tail <= tpot_limit_ms * (1 + 1e-9))
        if not within.any():
            fastest = float(speed[ok].max()) / tail
            reason = f"no layout reaches {1e3 / tpot_limit_ms:.3g} tok/s/user: the fastest gives {fastest:.3g}"
    if ttft_limit_ms is not None and within.any():
        before, first = within, found.column("ttft_ms") * first_tail
        within = before & (first <= ttft_limit_ms * (1 + 1e-9))
        if not within.any():
            soonest = float(first[before].min())
            reason = (
                f"no layout gives the first token within {ttft_limit_ms:.4g} ms: the soonest takes {soonest:.4g} ms"
            )
    if not within.any():
        return empty_front(task.chip, task.arch, isl_tokens, osl_tokens, reason, count, ledger_text)
    keep = pareto_rows(speed, rate, within)
    front = found.rows(keep)
    del front["fits"]
    front["layout"] = layout_texts(front)
    front["weight_precision"] = np.full(len(keep), task.weight)
    front["kv_precision"] = np.full(len(keep), task.kv)
    return Frontier(task.chip.id, task.arch.id, isl_tokens, osl_tokens, front, "", count, fitting, ledger_text)


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
    task = _task(
        accelerator_id,
        model_id,
        isl_tokens,
        osl_tokens,
        prefix_cache_hit,
        weight_precision,
        kv_precision,
        mode,
        engine,
        date,
        max_gpus,
        speculative,
        parameters,
        hold,
    )
    return evaluate_all(task, only).rows() if task.chip.servable else {}


def _task(
    accelerator_id: str,
    model_id: str | Model,
    isl: float,
    osl: float,
    hit: float,
    weight: str | None,
    kv: str | None,
    mode: str | None,
    engine: str | None,
    date: str | None,
    max_gpus: int | None,
    speculative: str | None,
    parameters: ServingParameters | None,
    hold: Mapping[str, object] | None,
) -> Task:
    """What is searched, checked."""
    chip = accelerator(accelerator_id)
    arch = model_id if isinstance(model_id, Model) else model(model_id)
    for name, value in (("isl_tokens", isl), ("osl_tokens", osl)):
        if not (math.isfinite(value) and value >= 1):
            raise InputError(f"{name} {value:g} is out of range: needs at least 1 token")
    if not 0.0 <= hit < 1.0:
        raise InputError(f"prefix_cache_hit {hit:g} is out of range: needs 0 to below 1")
    weight = weight or default_precision(chip, arch)
    kv = kv or ("fp8" if weight in ("fp8", "fp4") else "bf16")
    for kind, text, allowed in (
        ("mode", mode, MODES),
        ("speculative", speculative, ("none", "mtp", "eagle3")),
        ("weight_precision", weight, tuple(PRECISION_BITS)),
        ("kv_precision", kv, tuple(PRECISION_BITS)),
        ("engine", engine, ENGINES),
    ):
        if text is not None and text not in allowed:
            raise unknown_name(kind, text, allowed)
    longest = arch.max_context_tokens
    if longest and isl + osl > longest * 1.05:
        raise InputError(f"{isl + osl:g} tokens exceed the {longest} that {arch.id} was made for")
    return Task(
        chip=chip,
        arch=arch,
        isl_tokens=isl,
        osl_tokens=osl,
        prefix_cache_hit=hit,
        weight=weight,
        kv=kv,
        engine=engine,
        years=years_since_2026(date or base_case().as_of_date),
        mode=mode,
        most_gpus=max_gpus or MOST_GPUS,
        speculative=speculative,
        parameters=parameters or load_parameters(),
        held=dict(hold or {}),
    )
