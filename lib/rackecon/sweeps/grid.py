"""A grid file: which points a sweep visits, numbered so that any chunk of them can be rebuilt alone.

A sweep is the product of its ``grid`` axes, its ``list`` of cases and its ``sobol`` sample, on top of ``fixed`` values.
Whatever moves physics changes slowest, so that consecutive points share one search of the serving frontier.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rackecon import catalog
from rackecon.catalog.assumption_table import allowed_values
from rackecon.catalog.cached import of_arguments
from rackecon.catalog.record_faults import record_fault
from rackecon.catalog.text_file import read_text, yaml_of
from rackecon.errors import InputError, unknown_name

PHYSICS: Final = (
    "accelerator",
    "model",
    "isl_tokens",
    "osl_tokens",
    "prefix_cache_hit",
    "ttft_limit_ms",
    "tpot_limit_ms",
    "latency_statistic",
    "weight_precision",
    "kv_precision",
    "mode",
    "max_gpus",
    "speculative",
)
"""What decides a serving frontier."""
SETTINGS: Final = ("cost_basis", "cost_tier", "cost_vintage", "power_vintage", "pue")
"""What decides the cost and power record of a platform."""
MONEY: Final = (
    "utilisation",
    "horizon_years",
    "wacc",
    "electricity_usd_per_kwh",
    "price_decline_per_year",
    "own_software_gain_per_year",
    "price_factor",
    "cost_factor",
    "licence_share",
    "free_share",
)
"""What moves money alone: evaluated for all points of a frontier at once."""
NUMBERS: Final = ("isl_tokens", "osl_tokens", "prefix_cache_hit", "ttft_limit_ms", "tpot_limit_ms", "max_gpus", "pue")
WORDS: Final = ("latency_statistic", "weight_precision", "kv_precision", "mode", "speculative", "cost_basis")
REQUIRED: Final = ("accelerator", "model", "isl_tokens", "osl_tokens")
LARGEST_BYTES: Final = 2**20
MOST_POINTS: Final = 10**9
MOST_SAMPLES: Final = 2**24


class Sobol(BaseModel):
    """A scrambled Sobol sample over continuous ranges."""

    model_config = ConfigDict(extra="forbid")
    samples: int = Field(gt=0, le=MOST_SAMPLES)
    seed: int = Field(default=1, ge=0)
    ranges: dict[str, tuple[float, float]] = Field(min_length=1)


@of_arguments(16)
def _spaced(start: float, to: float, points: int, log: bool) -> Any:
    return (np.geomspace if log else np.linspace)(start, to, points)


class Span(BaseModel):
    """Evenly or geometrically spaced values of one axis."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    start: float = Field(alias="from")
    to: float
    points: int = Field(gt=0, le=10**7)
    log: bool = False

    def ends(self) -> list[Any]:
        """First and last value, which bound the others."""
        if self.log and min(self.start, self.to) <= 0:
            raise InputError("a logarithmic axis needs ends above 0")
        return [self.start, self.to]

    def column(self) -> Any:
        """The values as an array, ends included."""
        return _spaced(self.start, self.to, self.points, self.log)


class Grid(BaseModel):
    """A grid file as written."""

    model_config = ConfigDict(extra="forbid")
    fixed: dict[str, str | float | None] = Field(default_factory=dict)
    grid: dict[str, list[str | float | None] | Span] = Field(default_factory=dict)
    cases: list[dict[str, str | float | None]] = Field(default_factory=list, alias="list")
    sobol: Sobol | None = None


def read_grid(path: Path) -> str:
    """Text of a grid file, checked.

    Raises
    ------
    InputError
        Missing, too large, not UTF-8, not YAML, unknown parameter, value out of range: one line.
    """
    text = read_text(path, largest=LARGEST_BYTES)
    try:
        grid_from_text(text)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    return text


@of_arguments(4)
def grid_from_text(text: str) -> Grid:
    """A checked grid from its YAML text."""
    raw = yaml_of("", text)
    if not isinstance(raw, dict):
        raise InputError("a grid holds fixed:, grid:, list:, sobol:")
    try:
        grid = Grid.model_validate(raw)
    except ValidationError as error:
        raise record_fault(error, Grid, {"sobol": Sobol}, "grid") from None
    _check(grid)
    return grid


def _check(grid: Grid) -> None:
    places: dict[str, list[tuple[str, list[Any]]]] = {}
    for name, value in grid.fixed.items():
        places.setdefault(name, []).append(("fixed", [value]))
    for name, axis in grid.grid.items():
        places.setdefault(name, []).append(("grid", axis.ends() if isinstance(axis, Span) else axis))
    names = set(grid.cases[0]) if grid.cases else set()
    for number, case in enumerate(grid.cases, start=1):
        if set(case) != names:
            raise InputError(f"list case {number}: gives {sorted(case)}, the first gives {sorted(names)}")
    for name in sorted(names, key=str):
        places.setdefault(name, []).append(("list", [case[name] for case in grid.cases]))
    for name, (low, high) in grid.sobol.ranges.items() if grid.sobol else ():
        if name not in (*NUMBERS, *MONEY):
            allowed = ", ".join(sorted((*NUMBERS, *MONEY)))
            raise InputError(f"sobol: '{name}' is not a parameter with a range; allowed: {allowed}")
        if not low < high:
            raise InputError(f"sobol {name}: from {low:g} to {high:g} is no range")
        places.setdefault(name, []).append(("sobol", [low, high]))
    for name, found in places.items():
        if len(found) > 1:
            raise InputError(f"{name} is given twice: {' and '.join(where for where, _ in found)}")
        where, values = found[0]
        if not values:
            raise InputError(f"{where} {name}: no values")
        _check_values(where, name, values)
    for name in REQUIRED:
        if name not in places:
            raise InputError(f"{name} is not given; a sweep needs {', '.join(REQUIRED)}")
    if size_of(grid) > MOST_POINTS:
        raise InputError(f"{size_of(grid):,} points are more than a sweep may have ({MOST_POINTS:,})")


def _check_values(where: str, name: str, values: list[Any]) -> None:
    if name in (*NUMBERS, *MONEY):
        rule = allowed_values()[name]
        for value in values:
            if value is None and name in ("ttft_limit_ms", "tpot_limit_ms", "max_gpus"):
                continue
            if isinstance(value, str) or value is None or not rule.low <= value <= rule.high:
                raise InputError(f"{where} {name}: {value!r} is not a number from {rule.low:g} to {rule.high:g}")
        return
    for value in values:
        if name == "accelerator":
            if not catalog.accelerator(str(value)).servable:
                raise InputError(f"{where} accelerator: {value} is not served by the model")
        elif name == "model":
            catalog.model(str(value))
        elif name in WORDS:
            known = [word for word in allowed_values()[name].choices if word]
            if value not in known and not (value is None and name in PHYSICS):
                raise unknown_name(name, value, known, where)
        elif name in SETTINGS:
            if not isinstance(value, str):
                raise InputError(f"{where} {name}: {value!r} is not text")
        else:
            raise unknown_name("parameter", name, (*PHYSICS, *SETTINGS, *MONEY), where)


def _components(grid: Grid) -> list[tuple[tuple[str, ...], int, Any]]:
    """(names, length, values) of each factor of the product, physics first."""
    out: list[tuple[tuple[str, ...], int, Any]] = []
    for name, axis in grid.grid.items():
        out.append(((name,), axis.points if isinstance(axis, Span) else len(axis), {name: axis}))
    if grid.cases:
        names = tuple(grid.cases[0])
        out.append((names, len(grid.cases), {n: [case[n] for case in grid.cases] for n in names}))
    if grid.sobol:
        out.append((tuple(grid.sobol.ranges), grid.sobol.samples, None))
    return sorted(out, key=lambda part: not set(part[0]) & {*PHYSICS, *SETTINGS})


def size_of(grid: Grid) -> int:
    """Number of points."""
    return math.prod(length for _, length, _ in _components(grid))


def points_a_search(grid: Grid) -> int:
    """Points that follow one another on one frontier, apart in money alone.

    Examples
    --------
    >>> text = "{fixed: {accelerator: h100-sxm, model: gpt-oss-120b, osl_tokens: 1000}, " \\
    ...     "grid: {utilisation: [0.4, 0.6], isl_tokens: [1000, 8000]}}"
    >>> points_a_search(grid_from_text(text))
    2
    """
    return math.prod(length for names, length, _ in _components(grid) if not set(names) & {*PHYSICS, *SETTINGS})


@of_arguments(2)
def _sample(samples: int, seed: int, low: tuple[float, ...], high: tuple[float, ...]) -> Any:
    from scipy.stats import qmc

    power = max(math.ceil(math.log2(samples)), 0)
    unit = qmc.Sobol(len(low), scramble=True, rng=seed).random_base2(power)[:samples]
    return qmc.scale(unit, low, high)


def points_of(grid: Grid, first: int, count: int) -> dict[str, Any]:
    """Parameters of ``count`` points from number ``first`` [columns of arrays].

    Examples
    --------
    >>> text = "{fixed: {accelerator: h100-sxm, model: gpt-oss-120b, osl_tokens: 1000}, " \\
    ...     "grid: {utilisation: [0.4, 0.6], isl_tokens: [1000, 8000]}}"
    >>> points = points_of(grid_from_text(text), 1, 2)
    >>> [float(x) for x in points["isl_tokens"]], [float(x) for x in points["utilisation"]]
    ([1000.0, 8000.0], [0.6, 0.4])
    """
    numbers = np.arange(first, first + count)
    columns: dict[str, Any] = {name: _column([value])[np.zeros(count, int)] for name, value in grid.fixed.items()}
    parts = _components(grid)
    places = np.unravel_index(numbers, [length for _, length, _ in parts]) if parts else ()
    for (names, _, values), place in zip(parts, places, strict=True):
        if values is None:
            assert grid.sobol is not None
            low, high = zip(*grid.sobol.ranges.values(), strict=True)
            rows = _sample(grid.sobol.samples, grid.sobol.seed, low, high)[place]
            columns.update({name: rows[:, i] for i, name in enumerate(names)})
        else:
            columns.update({name: _column(values[name])[place] for name in names})
    return columns


def _column(values: list[Any] | Span) -> Any:
    if isinstance(values, Span):
        return values.column()
    if any(isinstance(value, str) for value in values):
        return np.array(values, dtype=object)
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def grid_digest(text: str) -> str:
    """Digest of what a grid means, whatever its layout or comments."""
    meaning = json.dumps(grid_from_text(text).model_dump(mode="json"), sort_keys=False)
    return hashlib.sha256(meaning.encode()).hexdigest()[:16]
