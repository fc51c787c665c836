"""The calibrated parameters of the serving model: a few dozen numbers with a meaning, a unit, a prior and a range.

They live in data/serving_parameters.csv, are fitted by ``rackecon calibrate`` and never refitted by a report. A
parameter belongs to a *group* (what it scales) and a *key* (which family of accelerators, precision or engine).

How far priors reach (``prior_sd``): shares of bandwidth and arithmetic over the kernel tables 15 %, multipliers of prompts,
routed experts and networks 18 to 30 %, times of hosts and starts a factor of 1.6 to 2.5. Shares once had 25 to 50 %, which let
one platform's rows bend what all share: rows left out by curve, model, platform and pair all err less with six tenths of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from rackecon.arrays import FloatArray, IntArray
from rackecon.catalog.cached import by_data, of_arguments
from rackecon.catalog.fields import rows_of
from rackecon.catalog.paths import read_rows, shipped_rows
from rackecon.errors import InputError, unknown_name
from rackecon.performance.residual import FEATURES, NAMES, TERMS, Residual, Sites

FIRST_TOKEN = "first token"
"""Kind of the rows of data/serving_residual.csv that condition the processes of the time to first token."""


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``scale`` says where its prior is normal: ``log`` (positive numbers) or ``natural``."""

    name: str
    value: float
    prior: float
    prior_sd: float
    scale: str
    unit: str
    meaning: str
    fitted: bool


@dataclass(frozen=True)
class ServingParameters:
    """All parameters, the shrunk intercepts and the residual processes, as one immutable record."""

    parameters: tuple[Parameter, ...]
    intercepts: Mapping[str, float] = field(default_factory=dict)
    residual: Residual | None = None
    first_token: Mapping[str, Residual] | None = None  # by mode; where there is none, intercepts say what is known

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Parameter names in the table's order."""
        return tuple(item.name for item in self.parameters)

    def index(self, name: str) -> int:
        """Position of a parameter."""
        position = _positions(self.names).get(name)
        if position is None:
            raise unknown_name("serving parameter", name, self.names)
        return position

    def indices(self, names: Iterable[str]) -> IntArray:
        """Positions of many parameters, for gathering per point."""
        return np.array([self.index(name) for name in names], dtype=np.intp)

    def values(self) -> FloatArray:
        """Values in natural units, in the table's order."""
        return np.array([item.value for item in self.parameters])

    def free(self) -> IntArray:
        """Positions of the fitted parameters."""
        return np.array([i for i, item in enumerate(self.parameters) if item.fitted], dtype=np.intp)

    def to_vector(self) -> FloatArray:
        """Fitted parameters on the scale of their priors, in prior standard deviations from the prior mean."""
        out = []
        for item in (self.parameters[i] for i in self.free()):
            ends = (math.log(item.value), math.log(item.prior)) if item.scale == "log" else (item.value, item.prior)
            out.append((ends[0] - ends[1]) / item.prior_sd)
        return np.array(out)

    def from_vector(self, vector: FloatArray) -> ServingParameters:
        """The record with fitted values replaced; the inverse of :meth:`to_vector`."""
        values = self.natural(vector)
        items = list(self.parameters)
        for i in self.free():
            items[i] = replace(items[i], value=float(values[i]))
        return replace(self, parameters=tuple(items))

    def natural(self, vector: FloatArray) -> FloatArray:
        """Values of all parameters for a vector of the fitted ones."""
        values = self.values()
        for i, z in zip(self.free(), vector, strict=True):
            item = self.parameters[i]
            values[i] = (
                item.prior * math.exp(z * item.prior_sd) if item.scale == "log" else item.prior + z * item.prior_sd
            )
        return values

    def holding_others(self, words: Sequence[str]) -> ServingParameters:
        """The record with only those parameters free whose names hold one of some words.

        Raises
        ------
        InputError
            No fitted parameter has such a name.
        """
        items = [replace(x, fitted=x.fitted and any(word in x.name for word in words)) for x in self.parameters]
        if not any(x.fitted for x in items):
            raise InputError(f"no fitted parameter's name holds {' or '.join(words)}: see data/serving_parameters.csv")
        return replace(self, parameters=tuple(items))

    def with_intercepts(self, intercepts: Mapping[str, float]) -> ServingParameters:
        """The record with other intercepts, and without the processes that were fitted on top of the old ones."""
        return replace(self, intercepts=dict(intercepts), residual=None, first_token=None)


@of_arguments(16)
def _positions(names: tuple[str, ...]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


@by_data(1, "serving_parameters", "serving_intercepts", "serving_residual", "residual_kernel")
def load_parameters() -> ServingParameters:
    """The parameters of data/serving_parameters.csv and data/serving_intercepts.csv, or of the user's own fit.

    Raises
    ------
    InputError
        An own fit made with another set of parameters than the shipped one.

    Examples
    --------
    >>> len(load_parameters().names) > 40
    True
    """
    if [row["name"] for row in read_rows("serving_parameters")] != [
        row["name"] for row in shipped_rows("serving_parameters")
    ]:
        raise InputError(
            "serving_parameters.csv of your own folder was fitted with other parameters than these: "
            "delete it and serving_intercepts.csv there, or run `rackecon calibrate` after that"
        )
    items = tuple(Parameter(**row.fields_of(Parameter)) for row in rows_of("serving_parameters"))
    intercepts = {row.text("cell"): row.number("log_factor") for row in rows_of("serving_intercepts")}
    rates: list[Mapping[str, str]] = []
    first: dict[str, list[Mapping[str, str]]] = {}
    for row in read_rows("serving_residual"):
        (first.setdefault(row["mode"], []) if row["kind"] == FIRST_TOKEN else rates).append(row)
    times = {mode: _process(rows, load_kernel(mode)) for mode, rows in first.items()}
    return ServingParameters(items, intercepts, _process(rates, load_kernel()), times)


def load_kernel(first_token: str = "") -> dict[str, float]:
    """Scales and lengths of the residual process of data/residual_kernel.csv; with a mode, of its time to first token."""
    every = {row.text("name"): row.number("value") for row in rows_of("residual_kernel")}
    if not first_token:
        return {name: value for name, value in every.items() if "." not in name}
    own = {name.split(".")[1]: value for name, value in every.items() if name.startswith(f"{first_token}.")}
    return {name: 0.0 for name, _, _ in TERMS} | own


def _process(rows: Sequence[Mapping[str, str]], kernel: Mapping[str, float]) -> Residual:
    columns = {name: np.array([float(row[name]) for row in rows]) for name in (*FEATURES, "noise", "total", "user")}
    sites = Sites(
        np.array([[row[name] for name in NAMES] for row in rows]).reshape(len(rows), len(NAMES)),
        np.stack([columns[name] for name in FEATURES], axis=1),
    )
    return Residual(sites, columns["total"], columns["user"], columns["noise"], kernel)
