"""Which assumptions decide the answer: each over its sourced range, and beyond it where nothing flips inside."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog.assumption_table import allowed_values
from rackecon.economics.measures import MEASURES
from rackecon.words import number

if TYPE_CHECKING:
    import pandas as pd

    from rackecon.catalog import Scenario

__all__ = ["NOBODY", "Deciding", "deciding_assumptions"]

NOBODY: Final = "nobody earns"
SCAN: Final = 11
"""Values tried over a range."""
BEYOND: Final = 3
"""Values tried on either side of it, up to the end of what makes sense."""
HALVINGS: Final = 12
NARROW: Final = 0.01
"""Width, as a share of its value, at which the place of a change of lead is known well enough."""
Flip = tuple[float, str, str]


@dataclass(frozen=True)
class Deciding:
    """One assumption: its range, what the leader's profit does over it, and where the lead changes."""

    name: str
    label: str
    value: float
    low: float
    high: float
    unit: str
    swing_usd: float
    flips: tuple[Flip, ...]
    """Value, who leads below it, who above it, inside the range."""
    source: str
    beyond: tuple[Flip, ...] = ()
    """The same outside the range, looked for only where nothing flips inside."""

    def stated(self) -> str:
        """The report's value with its unit.

        Examples
        --------
        >>> Deciding("f", "price", 1.0, 0.5, 2.0, "times the price it sells at", 0.0, (), "").stated()
        'the price it sells at'
        """
        if self.value == 1.0 and self.unit.startswith("times "):
            return self.unit.removeprefix("times ")
        return f"{number(self.value)} {self.unit}".strip()

    def sentence(self) -> str:
        """Where the lead changes, in words."""
        if self.flips:
            return f"{self._where(self.flips)}."
        if self.beyond:
            where = self._where(self.beyond)
            return f"No value in this range changes who leads; outside it, {where[0].lower()}{where[1:]}."
        return "No value in this range changes who leads."

    def _where(self, flips: Sequence[Flip]) -> str:
        at, before, after = min(flips, key=lambda flip: abs(flip[0] - self.value))
        side, winner = ("above", after) if at > self.value else ("below", before)
        return f"{side.capitalize()} {number(at)} {self.unit}".strip() + f": {winner}"


@dataclass(frozen=True)
class Assumption:
    """Words for one assumption."""

    label: str
    unit: str
    source: str
    beyond: bool = True
    """Whether the rest of its allowed range is looked at where nothing flips inside; a search each is dear."""


ASSUMPTIONS: Final = {
    "price_factor": Assumption(
        "price of tokens", "times the price it sells at", "cheapest to dearest listing at the as-of date"
    ),
    "utilisation": Assumption("share of capacity sold", "of capacity", "base case range"),
    "cost_factor": Assumption("cost per GPU-hour", "times the published one", "hyperscaler to neocloud tier and rents"),
    "tok_s_per_user": Assumption("speed each user gets", "tok/s/user", "free tier to fast tier", False),
    "price_decline_per_year": Assumption("yearly fall of prices", "a year", "base case range"),
    "horizon_years": Assumption("years the rack earns", "years", "base case range"),
    "electricity_usd_per_kwh": Assumption("electricity", "USD/kWh", "base case range"),
    "pue": Assumption("PUE", "", "base case range"),
}


def _range(name: str, scenario: Scenario, card_range: tuple[float, float]) -> tuple[float, float, float]:
    base = catalog.base_case()
    if name == "price_factor":
        return 1.0, card_range[0], card_range[1]
    if name == "cost_factor":
        return 1.0, 0.6, 2.4
    if name == "tok_s_per_user":
        value = 1e3 / scenario.tpot_limit_ms if scenario.tpot_limit_ms else 10.0
        return value, min(10.0, value), max(150.0, value)
    low, high = base.range(name)
    return float(getattr(base, name)), float(low), float(high)


def deciding_assumptions(
    accelerators: Sequence[str], model: str, scenario: Scenario, measure: str = "rack", **overrides: Any
) -> list[Deciding]:
    """Each assumption over its sourced range, one at a time: swing of the leader's profit and where the lead changes.

    Sorted by whether the lead changes, then by the swing.
    """
    column = MEASURES[measure].column

    def run(name: str, value: float) -> pd.DataFrame:
        case, given = scenario, dict(overrides)
        if name == "tok_s_per_user":
            case = replace(scenario, tpot_limit_ms=1e3 / value)
        elif name:
            given[name] = value
        return evaluate(accelerators, [model], [case], intervals=False, **given)

    start = run("", 0.0)
    if not start[column].notna().any():
        return []
    lead = start.sort_values(column, ascending=False, kind="stable", na_position="last").iloc[0]
    card = (float(lead["price_level_low"]), float(lead["price_level_high"]))
    found = []
    for name, words in ASSUMPTIONS.items():
        value, low, high = _range(name, scenario, card)
        if name in overrides:
            value = float(overrides[name])
            low, high = min(low, value), max(high, value)
        grid = np.geomspace(low, high, SCAN) if low > 0 else np.linspace(low, high, SCAN)
        reign: list[tuple[float, str]] = []
        leads = []
        for step in np.unique(np.concatenate([grid, [value]])):
            rows = run(name, float(step))
            same = rows.loc[rows["accelerator"] == lead["accelerator"], column]
            leads.append(float(same.iloc[0]))
            reign.append((float(step), _leader(rows, column)))

        def who(x: float, name: str = name) -> str:
            return _leader(run(name, x), column)

        flips = _flips(reign, who)
        beyond = () if flips else _flips(_outside(reign, name, who), who)
        swing = float(np.nanmax(leads) - np.nanmin(leads)) if np.isfinite(leads).any() else 0.0
        found.append(Deciding(name, words.label, value, low, high, words.unit, swing, flips, words.source, beyond))
    return sorted(found, key=lambda item: (not item.flips, -item.swing_usd))


def _leader(rows: pd.DataFrame, column: str) -> str:
    values = rows[column]
    if values.notna().any() and float(values.max()) > 0:
        return str(rows["platform"].iloc[int(np.nanargmax(values.to_numpy(dtype=float)))])
    return NOBODY


def _outside(reign: Sequence[tuple[float, str]], name: str, who: Callable[[float], str]) -> list[tuple[float, str]]:
    """Leaders from the ends of the range outwards, each side no further than the first change."""
    below, above = [reign[0]], [reign[-1]]
    rule = allowed_values()[name]
    reach = (rule.low, rule.high) if ASSUMPTIONS[name].beyond else ()
    for seen, end in zip((below, above), reach, strict=False):
        start = seen[0][0]
        if start == end or (end < start) != (seen is below):
            continue
        steps = np.geomspace(start, end, BEYOND + 1) if min(start, end) > 0 else np.linspace(start, end, BEYOND + 1)
        for step in steps[1:]:
            seen.append((float(step), who(float(step))))
            if seen[-1][1] != seen[0][1]:
                break
    return [*reversed(below), *above]


def _flips(reign: Sequence[tuple[float, str]], who: Callable[[float], str]) -> tuple[Flip, ...]:
    """Where the lead changes, each place found by halving the step that holds it."""
    found = []
    for (low, before), (high, after) in itertools.pairwise(reign):
        if before == after:
            continue
        for _ in range(HALVINGS):
            if high - low <= NARROW * abs(high):
                break
            middle = math.sqrt(low * high) if low > 0 else (low + high) / 2.0
            if who(middle) == before:
                low = middle
            else:
                high = middle
        found.append(((low + high) / 2.0, before, after))
    return tuple(found)
