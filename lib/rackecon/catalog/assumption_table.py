"""What can be assumed: every number and choice of data/assumptions.csv, with its range and the check of a value.

Notebook parameters, live controls, grids, break-evens and :func:`rackecon.appraisal.assumptions.assumptions` read their
ranges here and nowhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from numbers import Real
from typing import Any

from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import Row, rows_of
from rackecon.errors import InputError, unknown_name

TABLE = "assumptions"
NUMERIC = ("number", "whole", "power_of_two")
CHOSEN = ("cost_basis", "cost_tier", "price_level", "weight_precision", "software_date")
"""What a list of choices may hold beside the costs of single platforms."""


@dataclass(frozen=True)
class Allowed:
    """One assumption: what it means, what it may be, what it changes and where it is explained."""

    name: str
    meaning: str
    unit: str
    kind: str
    """``number``, ``whole``, ``power_of_two``, ``choice``, ``flag``, ``date``, ``costs`` or ``choices``."""
    default: str
    low: float
    high: float
    """Lowest and highest value [unit]; NaN for what is no number."""
    logarithmic: bool
    slider: tuple[float, float, float] | None
    """Ends and step of its control on the live page [unit]; None where it has none."""
    choices: tuple[str, ...]
    room: str
    changes: str
    no_effect_on: tuple[str, ...]
    page: str
    base_case: str

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.kind in NUMERIC

    @property
    def range(self) -> str:
        """Allowed range or choices as words, without the unit."""
        if self.numeric:
            return f"{self.low:,.15g} to {self.high:,.15g}"
        if self.kind == "costs":
            return "pairs such as gb200-nvl72=1.8,mi355x=1.2"
        if self.kind == "choices":
            return f"pairs such as weight_precision=fp8,gb200-nvl72=1.8; beside platforms: {', '.join(CHOSEN)}"
        return ", ".join(choice or "(empty)" for choice in self.choices)

    def fault(self, value: Any) -> str:
        """Why a value is not allowed, in one line; empty where it is.

        Examples
        --------
        >>> allowed_values()["pue"].fault(0.9)
        'pue 0.9 is out of range: allowed 1 to 3 -'
        """
        if self.numeric:
            if isinstance(value, bool) or not isinstance(value, Real):
                return f"{self.name} '{value}' is not a number"
            number = finite_or_infinite(value)
            if not self.low <= number <= self.high:
                return f"{self.name} {number:g} is out of range: allowed {self.range} {self.unit}"
            if self.kind != "number" and not number.is_integer():
                return f"{self.name} {number:g} is not a whole number"
            if self.kind == "power_of_two" and int(number) & (int(number) - 1):
                return f"{self.name} {number:g} is not a power of two; nearest is {2 ** round(math.log2(number))}"
        elif self.kind == "choice" and value not in self.choices:
            return str(unknown_name(self.name, value, self.choices))
        elif self.kind == "flag" and not isinstance(value, bool):
            return f"{self.name} '{value}' is not true or false"
        elif self.kind in ("costs", "choices"):
            try:
                own_costs(value) if self.kind == "costs" else choices_given(value)
            except InputError as fault:
                return str(fault)
        return ""


def finite_or_infinite(value: Any) -> float:
    """A number as a float; one beyond every float is infinite.

    Examples
    --------
    >>> finite_or_infinite(-(10**400))
    -inf
    """
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


@by_data(1, TABLE)
def allowed_values() -> dict[str, Allowed]:
    """Every assumption of data/assumptions.csv by name, in the table's order.

    Examples
    --------
    >>> allowed_values()["wacc"].low, allowed_values()["wacc"].high
    (0.0, 0.5)
    """
    return {row.text("name"): _allowed(row) for row in rows_of(TABLE)}


def _allowed(row: Row) -> Allowed:
    slider = tuple(row.number(f"slider_{end}") for end in ("low", "high", "step"))
    found = Allowed(
        **row.fields_of(Allowed, "logarithmic", "slider", "choices", "no_effect_on"),
        logarithmic=row.text("scale") == "log",
        slider=None if math.isnan(sum(slider)) else (slider[0], slider[1], slider[2]),
        choices=tuple(row.text("choices").split(";")) if row.text("choices") else (),
        no_effect_on=tuple(name for name in row.text("no_effect_on").split(";") if name),
    )
    if found.numeric and not found.low < found.high:
        raise InputError(f"{row.where}: low {found.low:g} is not below high {found.high:g}")
    return found


def choices_given(text: str) -> dict[str, str]:
    """Choices in place of the usual by name, ``own_costs`` among them where a cost of a platform is given.

    Parameters
    ----------
    text : str
        Such as ``cost_basis=rental,weight_precision=fp8,gb200-nvl72=1.8``.

    Raises
    ------
    InputError
        No pair of name and value; an unknown name or value, or one given twice.

    Examples
    --------
    >>> choices_given("weight_precision=fp8, gb200-nvl72=1.8")
    {'weight_precision': 'fp8', 'own_costs': 'gb200-nvl72=1.8'}
    """
    found: dict[str, str] = {}
    costs = []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name not in CHOSEN:
            costs.append(pair)
            continue
        fault = f"choices: {name} is given twice" if name in found else _choice_fault(name, value)
        if fault:
            raise InputError(fault)
        found[name] = value
    own_costs(",".join(costs))
    return found | ({"own_costs": ",".join(costs)} if costs else {})


def _choice_fault(name: str, value: str) -> str:
    if name != "software_date":
        return allowed_values()[name].fault(value) if value else f"choices: {name} has no value"
    try:
        date.fromisoformat(value)
    except ValueError:
        return f"choices: software_date '{value}' is no date such as 2026-01-01"
    return ""


def own_costs(text: str) -> dict[str, float]:
    """Costs given for single platforms [USD/GPU-hour] by accelerator id.

    Parameters
    ----------
    text : str
        Such as ``gb200-nvl72=1.8,mi355x=1.2``.

    Raises
    ------
    InputError
        No pair of id and number; an unknown platform, or one named twice; a cost out of range.

    Examples
    --------
    >>> own_costs("gb200-nvl72=1.8, mi355x=1.2")
    {'gb200-nvl72': 1.8, 'mi355x': 1.2}
    """
    from rackecon.catalog.accelerators import accelerator

    found: dict[str, float] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, figure = (part.strip() for part in pair.partition("="))
        key = accelerator(name).id
        try:
            value = float(figure)
        except ValueError:
            raise InputError(
                f"own_costs '{pair}': no cost; write a platform and its USD per GPU-hour, such as {key}=1.8"
            ) from None
        fault = allowed_values()["cost_usd_per_gpu_hour"].fault(value)
        if fault or key in found:
            raise InputError(f"own_costs: {key} is named twice" if key in found else f"own_costs '{pair}': {fault}")
        found[key] = value
    return found
