"""What must be true: the value of one input at which an output reaches a target, and whether any value does.

Any output of :func:`rackecon.appraisal.evaluate.evaluate` is solved for any assumption, length or latency limit. At
every trial value the search and the choice of operating point are made afresh, so outputs may jump: the range is
scanned first, every crossing is found between two of its values, and where there is none the answer says how close
it gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import Scenario
from rackecon.catalog.assumption_table import allowed_values
from rackecon.economics.market_table import card_at_level
from rackecon.errors import InputError, check_known, unknown_name
from rackecon.lazy import pd

INPUTS: Final = {
    "utilisation": "utilisation",
    "price_factor": "price_factor",
    "output_price_usd_per_mtok": "price_output_usd_per_mtok",
    "cost_factor": "cost_factor",
    "cost_usd_per_gpu_hour": "cost_usd_per_gpu_hour",
    "electricity_usd_per_kwh": "electricity_usd_per_kwh",
    "pue": "pue",
    "wacc": "wacc",
    "horizon_years": "horizon_years",
    "price_decline_per_year": "price_decline_per_year",
    "licence_share": "licence_share",
    "free_share": "free_share",
    "tax_rate": "tax_rate",
    "isl_tokens": "isl_tokens",
    "osl_tokens": "osl_tokens",
    "prefix_cache_hit": "prefix_cache_hit",
    "interactivity_tok_s_user": "tok_s_per_user",
    "ttft_limit_ms": "ttft_limit_ms",
}
"""Inputs that can be solved for, with the row of data/assumptions.csv that holds range and unit."""
WORKLOAD: Final = ("isl_tokens", "osl_tokens", "prefix_cache_hit", "interactivity_tok_s_user", "ttft_limit_ms")
LOG_REACH: Final = 1e-5
"""Lowest value looked at over the highest where values are walked by factors and 0 is allowed [-]."""


@dataclass(frozen=True)
class BreakEven:
    """Answer of :func:`solve`."""

    output: str
    target: float
    input: str
    unit: str
    base_value: float
    needed: tuple[float, ...]
    """Values of the input at which the output crosses the target, in rising order; empty where it never does."""
    holds: tuple[tuple[float, float], ...]
    """Ranges of the input in which the output is at or above the target."""
    feasible: bool
    statement: str
    best_value: float
    """Scanned value of the input at which the output is highest; NaN where there is no result."""
    best_output: float


def _values(
    accelerator: str,
    model: str,
    scenario: Scenario,
    output: str,
    name: str,
    value: float | None,
    given: Mapping[str, Any],
) -> tuple[float, pd.Series]:
    case, overrides = scenario, dict(given)
    if value is not None:
        if name in ("isl_tokens", "osl_tokens"):
            case = replace(case, **{name: max(round(value), 1)})  # type: ignore[arg-type]
        elif name == "interactivity_tok_s_user":
            case = replace(case, tpot_limit_ms=1000.0 / value)
        elif name in WORKLOAD:
            case = replace(case, **{name: value})  # type: ignore[arg-type]
        elif name == "output_price_usd_per_mtok":
            assume = assumptions(**overrides)
            overrides["price_factor"] = value / card_at_level(model, assume.price_level, assume.as_of_date).output
        else:
            overrides[name] = value
    table = evaluate([accelerator], [model], [case], intervals=False, **overrides)
    if output not in table:
        if table["reason"].iloc[0]:
            return float("nan"), table.iloc[0]
        numbers = list(table.select_dtypes("number").columns)
        raise unknown_name("output", output, numbers)
    return float(table[output].iloc[0]), table.iloc[0]


def solve(
    accelerator: str,
    model: str,
    scenario: str | Scenario,
    *,
    output: str = "profit_usd_per_rack_year",
    target: float = 0.0,
    name: str = "output_price_usd_per_mtok",
    low: float | None = None,
    high: float | None = None,
    points: int = 25,
    **overrides: Any,
) -> BreakEven:
    """The value of one input at which an output reaches a target.

    Parameters
    ----------
    accelerator, model : str
        Ids.
    output : str
        A numeric column of :func:`rackecon.appraisal.evaluate.evaluate`.
    target : float
        In the output's unit.
    name : str
        One of :data:`INPUTS`.
    low, high : float, optional
        Range to look in, all that is allowed by default.
    points : int
        Values scanned for crossings.
    **overrides
        The other assumptions.

    Returns
    -------
    BreakEven
        ``feasible`` is False with a sentence on how close the output gets where no value in the range reaches it.

    Raises
    ------
    InputError
        Unknown input or output, an empty range.

    Examples
    --------
    >>> found = solve("b200-hgx", "deepseek-r1", "rag-summarise", name="utilisation")
    >>> found.feasible and 0.01 < found.needed[0] < 0.6
    True
    """
    check_known("input to solve for", name, INPUTS)
    rule = allowed_values()[INPUTS[name]]
    unit, floor = rule.unit, max(rule.low, rule.high * LOG_REACH) if rule.logarithmic else rule.low
    start, stop = floor if low is None else low, rule.high if high is None else high
    if not start < stop:
        raise InputError(f"range of {name}: low {start:g} must be below high {stop:g}")
    case = catalog.as_scenario(scenario)
    if high is None and name == "isl_tokens":
        stop = min(stop, float((catalog.model(model).max_context_tokens or stop + case.osl_tokens) - case.osl_tokens))
    now = _current(name, case, _values(accelerator, model, case, output, name, None, overrides)[1], overrides)

    def at(value: float) -> float:
        return _values(accelerator, model, case, output, name, value, overrides)[0]

    grid = np.geomspace(start, stop, points) if rule.logarithmic else np.linspace(start, stop, points)
    values = np.array([at(float(x)) for x in grid])
    roots: list[float] = []
    reached = values >= target
    for i in range(points - 1):
        if np.isfinite(values[i : i + 2]).all() and reached[i] != reached[i + 1]:
            roots.append(_crossing(at, target, grid[i : i + 2], values[i : i + 2]))
    ranges = _ranges(grid, values, reached, roots)
    statement = _statement(output, target, name, unit, grid, values, roots, ranges, now)
    best = int(np.nanargmax(values)) if np.isfinite(values).any() else 0
    return BreakEven(
        output,
        target,
        name,
        unit,
        now,
        tuple(roots),
        tuple(ranges),
        bool(reached.any()),
        statement,
        best_value=float(grid[best]) if np.isfinite(values[best]) else float("nan"),
        best_output=float(values[best]),
    )


def _crossing(at: Any, target: float, ends: Any, values: Any) -> float:
    """The crossing between two scanned values (Brent's method), whether the output is smooth there or jumps."""
    from scipy.optimize import brentq

    known = dict(zip(map(float, ends), map(float, values), strict=True))

    def gap(x: float) -> float:
        value = known[x] if x in known else at(x)
        # no result is no target reached
        return float(value - target) if np.isfinite(value) else -max(abs(target), 1.0)

    left, right = known
    return float(brentq(gap, left, right, xtol=1e-9 * max(abs(left), abs(right)), rtol=1e-9))


def _ranges(grid: Any, values: Any, reached: Any, roots: list[float]) -> list[tuple[float, float]]:
    """Stretches of the scanned range where the target is reached, ends set by crossings, gaps or the range itself."""
    out: list[tuple[float, float]] = []
    opened: float | None = float(grid[0]) if reached[0] else None
    crossings = list(roots)
    for i in range(len(grid) - 1):
        if reached[i] == reached[i + 1]:
            continue
        known = bool(np.isfinite(values[i : i + 2]).all())
        edge = crossings.pop(0) if known and crossings else float(grid[i + 1] if reached[i + 1] else grid[i])
        if reached[i + 1]:
            opened = edge
        elif opened is not None:
            out.append((opened, edge))
            opened = None
    if opened is not None:
        out.append((opened, float(grid[-1])))
    return out


def _current(name: str, case: Scenario, row: pd.Series, overrides: Mapping[str, Any]) -> float:
    if name == "interactivity_tok_s_user":
        return case.promised_tok_s_per_user or float("nan")
    if name in WORKLOAD:
        return float(getattr(case, name) or np.nan)
    if name == "output_price_usd_per_mtok":
        return float(row.get("price_output_usd_per_mtok", np.nan)) * float(overrides.get("price_factor", 1.0))
    if name == "cost_usd_per_gpu_hour":
        return float(row.get(name, np.nan))
    from rackecon.appraisal.assumptions import assumptions

    assume = assumptions(**overrides)
    return float(getattr(assume, name)) if name in {f.name for f in fields(Assumptions)} else float("nan")


def _statement(
    output: str,
    target: float,
    name: str,
    unit: str,
    grid: Any,
    values: Any,
    roots: list[float],
    ranges: list[tuple[float, float]],
    now: float,
) -> str:
    if not np.isfinite(values).any():
        return f"not feasible: there is no result at any {name} from {grid[0]:.4g} to {grid[-1]:.4g}"
    if not ranges:
        best = int(np.nanargmax(values))
        return (
            f"not feasible: {output} stays below {target:.4g} for every {name} from {grid[0]:.4g} to {grid[-1]:.4g}; "
            f"the nearest is {values[best]:.4g} at {grid[best]:.4g}"
        )
    if not roots and len(ranges) == 1 and ranges[0] == (float(grid[0]), float(grid[-1])):
        return f"always: {output} is at or above {target:.4g} for every {name} from {grid[0]:.4g} to {grid[-1]:.4g}"
    told = " or ".join(f"{a:.4g} to {b:.4g}" for a, b in ranges)
    return f"{output} is at or above {target:.4g} with {name} ({unit}) {told}; now {now:.4g}"


def needed_speed_premium(
    accelerator: str, model: str, scenario: str | Scenario, tok_s_per_user: float, **overrides: Any
) -> BreakEven:
    """Price multiple at which serving faster earns as much per rack as the scenario's own speed.

    Parameters
    ----------
    accelerator, model : str
        Ids.
    tok_s_per_user : float
        Promised speed [tok/s/user].
    **overrides
        Assumptions.

    Returns
    -------
    BreakEven
        Of ``price_factor``; not feasible where no layout reaches the speed.
    """
    case = catalog.as_scenario(scenario)
    if tok_s_per_user <= 0:
        raise InputError(f"tok_s_per_user must be above 0, got {tok_s_per_user:g}")
    target = float(
        evaluate([accelerator], [model], [case], intervals=False, **overrides)["profit_usd_per_rack_year"].iloc[0]
    )
    fast = replace(case, tpot_limit_ms=1000.0 / tok_s_per_user)
    return solve(accelerator, model, fast, target=target, name="price_factor", **overrides)


def must_be_true(
    accelerator: str, rival: str, model: str, scenario: str | Scenario, names: tuple[str, ...] = (), **options: Any
) -> pd.DataFrame:
    """What must be true, one input at a time, for a platform to earn as much as a rival earns at the base case.

    Parameters
    ----------
    accelerator, rival, model : str
        Ids; the rival keeps the base case.
    names : tuple of str
        Inputs, a default choice where empty: those that could differ between two owners.
    **options
        ``output`` and assumptions, as :func:`solve`.

    Returns
    -------
    pandas.DataFrame
        ``input, unit, now, needed, change, feasible, target, holds, best_value, best_output, statement``; ``needed`` is
        the crossing nearest to now, the rest as in :class:`BreakEven`.
    """
    case = catalog.as_scenario(scenario)
    output = str(options.pop("output", "profit_usd_per_rack_year"))
    other = evaluate([rival], [model], [case], intervals=False, **options)
    if output not in other or not np.isfinite(other[output].iloc[0]):
        raise InputError(f"{rival}, {model}, {case.id}: no {output} to reach ({other['reason'].iloc[0]})")
    target = float(other[output].iloc[0])
    rows = []
    for name in names or ("utilisation", "price_factor", "cost_usd_per_gpu_hour", "interactivity_tok_s_user"):
        found = solve(accelerator, model, case, output=output, target=target, name=name, **options)
        nearest = min(found.needed, key=lambda x: abs(x - found.base_value), default=np.nan)
        rows.append(
            {
                "input": name,
                "unit": found.unit,
                "now": found.base_value,
                "needed": nearest,
                "change": nearest / found.base_value - 1.0,
                "feasible": found.feasible,
                "target": found.target,
                "holds": found.holds,
                "best_value": found.best_value,
                "best_output": found.best_output,
                "statement": found.statement,
            }
        )
    return pd.DataFrame(rows)
