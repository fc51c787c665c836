"""Shrunk corrections on top of the physics: what measured siblings of a point say about its software.

Each correction is a coefficient times a term of the conditions; coefficients were pulled towards zero in the
calibration, so that a platform, engine or model without measurements gets none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.performance.parameters import ServingParameters

LATENCY_PREFIX = "first token|"
# Standard deviation around zero of each kind of coefficient [log]
# Software moves in steps: half quarters that have measurements, and one name for what lies outside
ERA_ENDS = (-0.25, -0.125, 0.0, 0.125, 0.25, 0.375, 0.5)
ERA_NAMES = ("before", "2025Q4a", "2025Q4b", "2026Q1a", "2026Q1b", "2026Q2a", "2026Q2b", "after")
LOAD_ENDS, RATIO_ENDS = (
    (-1.5, 2.0),
    (-1.2, 1.2),
)  # of the terms of load and of input over output: what measured rows span
OCTAVES = 3.0  # that a term counts as one; 8 requests a GPU are the middle of load
LEAST_LOAD = 1e-2  # requests a GPU
SPREAD = {
    "": 0.03,
    "load": 0.02,
    "input": 0.02,
    "draft": 0.02,
    "dp": 0.02,
    "era": 0.06,
    "era aggregated": 0.15,  # pools are measured on few dates, where an era is hardly told from an intercept
    "model": 0.04,  # little, so that what models share moves the physics, which a model never seen has too
    "model input": 0.03,
    "first token": 0.15,
}


@dataclass(frozen=True)
class Conditions:
    """What the terms depend on; arrays broadcast."""

    load_per_gpu: FloatArray  # requests in flight per GPU
    isl_tokens: FloatArray
    osl_tokens: FloatArray
    drafting: FloatArray  # 1 with speculative decoding
    dp_attention: FloatArray  # 1 with data-parallel attention
    years: FloatArray  # of the software, since the start of 2026


def _load(c: Conditions) -> FloatArray:
    return np.asarray(np.clip((np.log2(np.maximum(c.load_per_gpu, LEAST_LOAD)) - OCTAVES) / OCTAVES, *LOAD_ENDS))


def _ratio(c: Conditions) -> FloatArray:
    return np.asarray(np.clip(np.log2(c.isl_tokens / c.osl_tokens) / OCTAVES, *RATIO_ENDS))


def _era(name: str) -> Callable[[Conditions], FloatArray]:
    place = ERA_NAMES.index(name)
    return lambda c: (np.searchsorted(ERA_ENDS, c.years, side="right") == place).astype(float)


TERMS: Mapping[str, Callable[[Conditions], FloatArray]] = {
    "": lambda c: np.ones(1),
    "load": _load,
    "input": _ratio,
    "draft": lambda c: c.drafting,
    "dp": lambda c: c.dp_attention,
    **{name: _era(name) for name in ERA_NAMES},
}


def _effect_kinds(cell: str, model: str) -> list[tuple[str, str]]:
    """Names of the coefficients that apply to a cell and model, each with its term."""
    of = {
        cell: TERMS,
        f"model {model}": ("", "input"),
        f"{LATENCY_PREFIX}{cell}": ("", "load", "input", "draft", "dp"),
    }
    return [(f"{start}|{kind}" if kind else start, kind) for start, kinds in of.items() for kind in kinds]


def effect_terms(cell: str, model: str, c: Conditions) -> list[tuple[str, FloatArray]]:
    """Names of the coefficients that apply to a cell and model, each with the term it multiplies.

    A term has the axes of what it depends on; all broadcast to the shape of the load.
    """
    return [(name, TERMS[kind](c)) for name, kind in _effect_kinds(cell, model)]


def effect_sd(name: str) -> float:
    """Standard deviation around zero of a coefficient [log]."""
    if name.startswith(LATENCY_PREFIX):
        return SPREAD["first token"]
    tail = name.rsplit("|", 1)[-1]
    if name.startswith("model "):
        return SPREAD["model input" if tail == "input" else "model"]
    if tail in ERA_NAMES:
        return SPREAD["era aggregated" if "|aggregated|" in name else "era"]
    return SPREAD[tail if tail in SPREAD else ""]


def correction(effects: Mapping[str, float], cell: str, model: str, c: Conditions) -> tuple[FloatArray, FloatArray]:
    """Factors on rates and on the time to first token.

    Source: partial pooling (Gelman and Hill, 2007); the terms are own.

    Returns
    -------
    tuple of ndarray
        ``(rate, first_token)``, both 1 where nothing was measured; on the axes that the coefficients make them depend
        on.
    """
    rate = first = np.zeros(1)
    terms: dict[str, FloatArray] = {}
    for name, kind in _effect_kinds(cell, model):
        value = effects.get(name, 0.0)
        if not value:
            continue
        term = terms[kind] = terms[kind] if kind in terms else TERMS[kind](c)
        if name.startswith(LATENCY_PREFIX):
            first = first + value * term
        else:
            rate = rate + value * term
    return np.exp(rate), np.exp(first - rate)


def within_stay(first_ms: FloatArray, concurrency: FloatArray, requests_per_s: FloatArray) -> FloatArray:
    """Times to first token, none longer than a request stays: what is learnt of rate and first token apart may not break that.

    Parameters
    ----------
    first_ms : array
        Time to first token as corrected [ms].
    concurrency, requests_per_s : array
        Requests in flight, and finished each second as corrected, of the same engines.

    Notes
    -----
    .. math:: T_{first} \\le C / X

    Source: Little's law (1961), with :math:`C` the requests in flight and :math:`X` the rate.

    Examples
    --------
    >>> within_stay(np.array([500.0, 90e3]), np.array(100.0), np.array(2.0)).tolist()
    [500.0, 50000.0]
    """
    return np.minimum(first_ms, 1e3 * concurrency / requests_per_s)


def load_range(effects: Mapping[str, float], cell: str) -> float:
    """The most that load moves the factor on rates of a cell."""
    return float(np.exp((LOAD_ENDS[1] - LOAD_ENDS[0]) * abs(effects.get(f"{cell}|load", 0.0))))


def without_history(parameters: ServingParameters) -> ServingParameters:
    """Parameters by which every date has the same software: no yearly trend, no correction of an era.

    Examples
    --------
    >>> from rackecon.performance.parameters import load_parameters
    >>> steady = without_history(load_parameters())
    >>> float(steady.values()[steady.index("trend.open")])
    0.0
    """
    items = tuple(
        replace(item, value=0.0) if item.name.startswith("trend.") else item for item in parameters.parameters
    )
    kept = {name: x for name, x in parameters.intercepts.items() if name.rsplit("|", 1)[-1] not in ERA_NAMES}
    steady = parameters.residual.without_history() if parameters.residual else None
    first = {mode: x.without_history() for mode, x in (parameters.first_token or {}).items()}
    return replace(parameters, parameters=items, intercepts=kept, residual=steady, first_token=first)


def design(
    cells: Sequence[str], models: Sequence[str], c: Conditions
) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Coefficient names and the matrices of terms for rates and for log first-token time, one row a point."""
    entries: dict[str, dict[int, float]] = {}
    pairs = list(zip(cells, models, strict=True))
    for pair in sorted(set(pairs)):
        rows = np.array([i for i, x in enumerate(pairs) if x == pair])
        part = Conditions(*(np.asarray(getattr(c, name), dtype=float)[rows] for name in c.__dataclass_fields__))
        for name, term in effect_terms(*pair, part):
            every = np.broadcast_to(term, rows.shape)
            entries.setdefault(name, {}).update(zip(rows.tolist(), every.tolist(), strict=True))
    names = tuple(sorted(name for name, values in entries.items() if any(values.values())))
    rate = np.zeros((len(pairs), len(names)))
    first = np.zeros_like(rate)
    for j, name in enumerate(names):
        target = first if name.startswith(LATENCY_PREFIX) else rate
        for i, value in entries[name].items():
            target[i, j] = value
    return names, rate, first - rate
