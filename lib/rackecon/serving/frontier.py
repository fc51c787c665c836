"""The best that a platform does for a model and a workload: throughput per GPU against speed per user.

Every layout, split of prefill and decode, batch and draft depth is evaluated at once; what does not fit in memory or
misses a latency limit falls out with a reason; the rest is reduced to its Pareto front.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import IntArray
from rackecon.catalog import Accelerator, Model, Scenario
from rackecon.catalog.cached import by_data, of_arguments, one_state
from rackecon.catalog.kept import shelf_named, shelved
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.candidates import (
    Evaluated,
    Outcome,
    evaluate_all,
    evaluate_fitting,
    evaluate_picked,
    evaluate_together,
    other_engines,
)
from rackecon.serving.front import Frontier, empty_front, fronts, layout_texts, one_row
from rackecon.serving.public_layouts import TABLES
from rackecon.serving.query import LIMIT_SLACK, Limits, Query, excess
from rackecon.serving.task import Task
from rackecon.words import number

T = TypeVar("T")
ROWS_TOGETHER = 32768  # more at once no longer stay in the processor's cache
KEPT_FRONTS = 2048
LENGTHS = ("isl_tokens", "osl_tokens", "prefix_cache_hit")
GRID_TOGETHER = 131_072  # cells of grids, of which those that cannot fit are not evaluated


@one_state()
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
    return searched(
        [
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
        ]
    )[0]


@one_state()
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
    return searched([Query.of_case(accelerator_id, model_id, case, **options)])[0]


def find(asked: Query) -> Frontier:
    """The answer of a query: the Pareto front of what it leaves free."""
    return find_together([asked])[0]


@one_state()
def searched(queries: Sequence[Query]) -> list[Frontier]:
    """:func:`find_together`, with what was searched before with the shipped parameters from memory.

    Fronts depend on no money, so every price and cost of a report shares them; a caller that will ask one by one asks for all
    first.
    """
    known, shipped = _known(), load_parameters()
    keys = [(*asked.space, asked.date, asked.limits, *(getattr(asked, name) for name in LENGTHS)) for asked in queries]
    new = {key: asked for key, asked in zip(keys, queries, strict=True) if key not in known}
    found = dict(zip(new, _shelved(list(new.values()), shipped), strict=True))
    out = [found[key] if key in found else known[key][1] for key in keys]
    known.update((key, (asked, found[key])) for key, asked in new.items() if asked.parameters is shipped)
    for key in list(known)[: max(len(known) - KEPT_FRONTS, 0)]:
        del known[key]
    return out


def _shelved(queries: list[Query], shipped: ServingParameters) -> list[Frontier]:
    """:func:`find_together`, with what any page of the report searched with the shipped parameters."""
    if not shelf_named() or not all(asked.parameters is shipped for asked in queries):
        return find_together(queries)
    keys = [repr([_text(value) for name, value in vars(asked).items() if name != "parameters"]) for asked in queries]
    return shelved("fronts", keys, lambda some: find_together([queries[i] for i in some]))


def _text(value: Any) -> str:
    """A field of a query; of the long records once."""
    return _record_text(value) if isinstance(value, Accelerator | Model) else repr(value)


@of_arguments(1024)
def _record_text(record: Accelerator | Model) -> str:
    return repr(record)


@by_data(1, *TABLES)
def _known() -> dict[tuple[Any, ...], tuple[Query, Frontier]]:
    """Fronts of this state of the tables; a query is kept so that no other gets the address of its parameters."""
    return {}


@one_state()
def find_together(queries: Sequence[Query]) -> list[Frontier]:
    """:func:`find` of each of some queries, to the last bit.

    Most of a search's time does not depend on its rows: queries that differ in lengths, cache hit, limits and date alone pay
    for it once.
    """
    found: dict[int, Frontier] = {}
    for group in _alike(queries):
        found.update(zip(group, _together([queries[i] for i in group]), strict=True))
    return [found[i] for i in range(len(queries))]


def _alike(queries: Sequence[Query]) -> list[list[int]]:
    """Numbers of the queries, those together that try the same candidates."""
    dated: dict[tuple[Any, ...], dict[str, list[int]]] = {}
    for i, asked in enumerate(queries):
        key = (*asked.space, math.isfinite(asked.limits.latest_ttft_ms))
        dated.setdefault(key, {}).setdefault(asked.date, []).append(i)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for key, dates in dated.items():
        for some in dates.values():
            task = Task(queries[some[0]])
            told_apart = len(dates) > 1 and task.query.chip.servable
            tried = (tuple(task.spaces()), task.prefill_layouts) if told_apart else ()
            groups.setdefault((key, tried), []).extend(some)
    return list(groups.values())


def _together(queries: Sequence[Query]) -> list[Frontier]:
    """Fronts of queries alike."""
    tasks, chip = [Task(asked) for asked in queries], queries[0].chip
    if not chip.servable:
        return [empty_front(chip, x.arch, x.isl_tokens, x.osl_tokens, f"not modelled: {chip.note}", 0) for x in queries]
    each = _portions(tasks)
    return [front for some in each for front in _answers([x.query for x in some], evaluate_fitting(some))]


def _portions(tasks: Sequence[Task]) -> list[Sequence[Task]]:
    """Queries alike, as many at once as their grids stay small."""
    step = 1
    if len(tasks) > 1 and tasks[0].matched:
        step = max(GRID_TOGETHER // _candidates(tasks[0]), 1)
    turns = -(-len(tasks) // step)
    return _split(tasks, -(-len(tasks) // turns))  # none of a few that would pay for themselves


def _split(items: Sequence[T], step: int) -> list[Sequence[T]]:
    """So many at once, in order."""
    return [items[start : start + step] for start in range(0, len(items), step)]


def _candidates(task: Task) -> int:
    """Candidates of a query."""
    return sum(math.prod(task.sizes(*space)) for space in task.spaces())


def _answers(queries: Sequence[Query], found: Evaluated) -> list[Frontier]:
    """The front of each query among what was evaluated."""
    seen = found.outcome()
    keep = _front(queries, seen, np.flatnonzero(seen.fits))
    more = other_engines(found, seen.take(keep))
    counts = np.full(len(queries), found.count)
    if more.count:
        beside = more.outcome()
        near = np.append(keep, len(seen.fits) + np.flatnonzero(beside.fits))
        seen, found = seen.joined(beside), replace(found, parts=found.parts + more.parts)
        counts = counts + np.bincount(beside.query, beside.times, len(queries))
        keep = _front(queries, seen, near)
    fitting = np.bincount(seen.query[seen.fits], seen.times[seen.fits], len(queries))
    table = found.rows(keep) if len(keep) else {}
    table.pop("fits", None)
    texts = layout_texts(table) if table else []
    ends = np.searchsorted(seen.query[keep], np.arange(len(queries) + 1)).tolist()
    out = []
    for i, asked in enumerate(queries):
        case = (asked.chip.id, asked.arch.id, asked.isl_tokens, asked.osl_tokens)
        count, fit = int(counts[i]), int(fitting[i])
        if ends[i] == ends[i + 1]:
            out.append(_empty(asked, found, seen, np.flatnonzero(seen.fits & (seen.query == i)), count, found.rooms[i]))
            continue
        front = {name: values[ends[i] : ends[i + 1]] for name, values in table.items()}
        front["layout"] = np.array(texts[ends[i] : ends[i + 1]], dtype=np.str_)
        out.append(Frontier(*case, front, "", count, fit))
    return out


def _empty(asked: Query, found: Evaluated, seen: Outcome, fitting: IntArray, count: int, room: str) -> Frontier:
    """The answer of a query that nothing meets: why, and of what fits the candidate that comes nearest to its limits."""
    able, limits = seen.take(fitting), asked.limits
    reason = _reason(limits, able) if len(fitting) else f"does not fit: {room}"
    empty = empty_front(asked.chip, asked.arch, asked.isl_tokens, asked.osl_tokens, reason, count)
    if not len(fitting):
        return empty
    nearest = fitting[np.argmin(limits.excess(1e3 / able.tok_s_per_user, able.ttft_ms))]
    return replace(empty, nearest=one_row(found.rows(np.array([nearest])), 0))


def _front(queries: Sequence[Query], seen: Outcome, among: IntArray) -> IntArray:
    """Rows of the Pareto front of each query within its limits, by rising speed, of those that fit."""
    some = seen.take(among)
    each = np.array([(x.limits.least_tok_s_per_user, x.limits.latest_ttft_ms) for x in queries])
    least, latest = each[0] if len(each) == 1 else each.T[:, some.query]
    kept = excess(least, latest, 1e3 / some.tok_s_per_user, some.ttft_ms) <= 1.0 + LIMIT_SLACK
    return among[fronts(some.tok_s_per_user, some.total_tok_s_per_gpu, kept, some.query)]


def _reason(limits: Limits, able: Outcome) -> str:
    """Why none of the candidates that fit keeps the limits."""
    quick = limits.keeps(1e3 / able.tok_s_per_user, np.zeros(1))
    if limits.tpot_ms is not None and not quick.any():
        fastest = number(float(able.tok_s_per_user.max()) / limits.tpot_tail)
        return f"no layout reaches {number(1e3 / limits.tpot_ms)} tok/s/user: the fastest gives {fastest}"
    wanted, soonest = (
        number(limits.latest_ttft_ms * limits.ttft_tail, 4),
        number(float(able.ttft_ms[quick].min()) * limits.ttft_tail, 4),
    )
    return f"no layout gives the first token within {wanted} ms: the soonest takes {soonest} ms"


def candidates(
    accelerator_id: str,
    model_id: str,
    isl_tokens: float,
    osl_tokens: float,
    *,
    only: IntArray | None = None,
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


def candidates_together(queries: Sequence[Query]) -> list[dict[str, NDArray[Any]]]:
    """:func:`candidates` of queries that differ in lengths, cache hit and values of parameters alone.

    Returns
    -------
    list of dict of ndarray
        As :func:`candidates` gives for each, to the last bit: most of a call's time does not depend on its rows, and many
        queries pay for it once.
    """
    if not queries or not queries[0].chip.servable:
        return [{} for _ in queries]
    tasks = [Task(asked) for asked in queries]
    every = np.arange(_candidates(tasks[0]))
    parts = [evaluate_together(some, every) for some in _split(tasks, max(ROWS_TOGETHER // len(every), 1))]
    return [rows for part in parts for rows in part]


@one_state()
def candidates_picked(
    queries: Sequence[Query],
    pick: Callable[[Outcome], IntArray],
    names: Sequence[str],
    only: IntArray | None = None,
) -> list[tuple[IntArray, dict[str, NDArray[Any]]]]:
    """Of :func:`candidates` of each query those that ``pick`` keeps, and which rows they are: to the last bit, without the rest.

    Parameters
    ----------
    queries : sequence of Query
        Where rows are given they differ in lengths, cache hit and values of parameters alone.
    pick : callable
        Places that it keeps, rising, of the outcomes of one mode, one query's after another's. Candidates that do not fit
        may be missing there; no answer may depend on them.
    names : sequence of str
        Columns wanted.
    only : ndarray of int, optional
        Row numbers, rising; all by default.

    Returns
    -------
    list of tuple
        Row numbers, and those columns as of :func:`candidates`; none of either for an accelerator that is not modelled.
    """
    none: tuple[IntArray, dict[str, NDArray[Any]]] = (np.zeros(0, dtype=np.intp), {})
    found = [none for _ in queries]
    groups: Sequence[Sequence[int]] = (
        _alike(queries) if only is None else _split(range(len(queries)), max(ROWS_TOGETHER // max(len(only), 1), 1))
    )
    for group in groups:
        if not queries[group[0]].chip.servable:
            continue
        tasks = [Task(queries[i]) for i in group]
        each = _portions(tasks) if only is None else [tasks]
        some = [answer for portion in each for answer in evaluate_picked(portion, pick, names, only)]
        for i, answer in zip(group, some, strict=True):
            found[i] = answer
    return found
