"""The mixed-integer program of a plan as plain arrays, its solution and its marginal values.

Whole racks are bought or kept; each is busy with some cell of demand for a share of each block of time. With racks
:math:`n_p` bought and :math:`o_p` kept, and busy racks :math:`y_f` of flow ``f`` (a platform serving a cell at one of its
operating points),

.. math::

    \\max\\; \\sum_f v_f y_f + \\sum_p (b_p n_p + k_p o_p), \\qquad
    \\sum_{f \\in (p, t)} y_f \\le n_p + o_p, \\qquad
    m_d \\le \\sum_{f \\in d} r_f y_f \\le w_d, \\qquad
    \\sum_p (u_{lp} n_p + h_{lp} o_p) \\le U_l

with ``n`` and ``o`` whole numbers, kept ones at most what is on hand. Solved by HiGHS through SciPy
(Huangfu and Hall 2018, doi:10.1007/s12532-017-0130-5).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.economics.checks import check_positive
from rackecon.errors import InputError

UNBOUNDED: Final = "the plan is unbounded: demand without end needs a limit of power, capital, floor or supply"
EXPLAIN_S: Final = 20.0
"""Longest search for what would make a plan possible [s]."""
SLACK: Final = 1e-7
"""Share of a limit below which it has not moved."""
GAP: Final = 1e-6
"""Relative gap to which a plan is solved where none is asked for."""


@dataclass(frozen=True)
class Limit:
    """Something that racks use up: of one rack bought or kept of each platform, and how much there is."""

    per_bought: FloatArray
    per_kept: FloatArray
    amount: float


@dataclass(frozen=True)
class Program:
    """A plan as arrays: ``(P,)`` by platform, ``(D,)`` by cell of demand, ``(F,)`` by flow."""

    platforms: tuple[str, ...]
    bought_value: FloatArray
    """Of one rack bought, its cost counted below 0 [objective]."""
    kept_value: FloatArray
    on_hand: FloatArray
    most_bought: FloatArray
    """Most racks that can be bought: 0 of platforms that are only on hand."""
    limits: Mapping[str, Limit]
    block: IntArray
    """Block of time of each cell."""
    wanted: FloatArray
    """Most that each cell takes [tok/s]; infinite where it takes all."""
    must: FloatArray
    """Least that each cell is served [tok/s]."""
    flow_platform: IntArray
    flow_cell: IntArray
    flow_rate: FloatArray
    """Of one busy rack [tok/s]."""
    flow_value: FloatArray
    """Of one rack busy all through the cell's block [objective]."""
    pool: IntArray | None = None
    """Pool of each kind of rack, which flows name; each kind is its own by default."""
    works: BoolArray | None = None
    """``(P, blocks)``: whether a kind of rack stands in a block; always by default."""

    @cached_property
    def pools(self) -> IntArray:
        """Pool of each kind of rack."""
        return np.arange(len(self.platforms)) if self.pool is None else self.pool

    @property
    def pool_count(self) -> int:
        """Pools: also those that flows name and no kind of rack stands in, whose flows are then nothing."""
        named = [part.max() for part in (self.pools, self.flow_platform) if len(part)]
        return int(max(named)) + 1 if named else 0

    @cached_property
    def standing(self) -> BoolArray:
        """Whether each kind of rack stands in each block."""
        return np.ones((len(self.platforms), self.blocks), dtype=bool) if self.works is None else self.works

    @property
    def blocks(self) -> int:
        """Blocks of time."""
        return int(self.block.max()) + 1 if len(self.block) else 0

    @cached_property
    def cell_scale(self) -> FloatArray:
        """Fastest rack of each cell [tok/s]: rows of demand are counted in it."""
        most = np.zeros(len(self.wanted))
        np.maximum.at(most, self.flow_cell, self.flow_rate)
        return np.where(most > 0, most, 1.0)

    @cached_property
    def value_scale(self) -> float:
        """Largest value: the solver sees values as shares of it."""
        values = [np.abs(part) for part in (self.flow_value, self.bought_value, self.kept_value)]
        return float(max([1e-12, *(part.max() for part in values if len(part))]))

    @cached_property
    def rows(self) -> tuple[Any, FloatArray, FloatArray]:
        """Sparse matrix over (bought, kept, flows), lower and upper bounds: capacity, demand, limits in turn."""
        from scipy.sparse import coo_array, csr_array, vstack

        p, f, d, t = len(self.platforms), len(self.flow_rate), len(self.wanted), self.blocks
        q = self.pool_count
        flows = 2 * p + np.arange(f)
        of_row = self.flow_platform * t + self.block[self.flow_cell] if f else np.zeros(0, dtype=int)
        kind, when = np.nonzero(self.standing)
        slot = self.pools[kind] * t + when
        capacity = coo_array(
            (
                np.concatenate([np.ones(f), -np.ones(2 * len(kind))]),
                (np.concatenate([of_row, slot, slot]), np.concatenate([flows, kind, p + kind])),
            ),
            shape=(q * t, 2 * p + f),
        )
        share = self.flow_rate / self.cell_scale[self.flow_cell]
        demand = coo_array((share, (self.flow_cell, flows)), shape=(d, 2 * p + f))
        uses = [np.concatenate([limit.per_bought, limit.per_kept, np.zeros(f)]) for limit in self.limits.values()]
        limited = csr_array(np.array(uses).reshape(len(uses), 2 * p + f))
        low = np.concatenate([np.full(q * t, -np.inf), self.must / self.cell_scale, np.full(len(uses), -np.inf)])
        amounts = [limit.amount for limit in self.limits.values()]
        high = np.concatenate([np.zeros(q * t), self.wanted / self.cell_scale, amounts])
        return vstack([capacity, demand, limited], format="csr"), low, high

    @property
    def first_demand(self) -> int:
        """Row of the first cell of demand: rows of capacity come before."""
        return self.pool_count * self.blocks

    @property
    def objective(self) -> FloatArray:
        """Value of each variable, as the solver sees it."""
        return np.concatenate([self.bought_value, self.kept_value, self.flow_value]) / self.value_scale

    @property
    def highest(self) -> FloatArray:
        """Upper bound of each variable."""
        return np.concatenate([self.most_bought, self.on_hand, np.full(len(self.flow_rate), np.inf)])


@dataclass(frozen=True)
class Solution:
    """Racks and flows; ``gap`` is how far the best bound lies above the objective, as a share of it."""

    bought: FloatArray
    kept: FloatArray
    busy: FloatArray
    objective: float
    bound: float
    gap: float
    seconds: float
    timed_out: bool

    def served(self, program: Program) -> FloatArray:
        """Served of each cell [tok/s]."""
        out = np.zeros(len(program.wanted))
        np.add.at(out, program.flow_cell, self.busy * program.flow_rate)
        return out


@dataclass(frozen=True)
class Marginals:
    """What one more of each thing is worth at the optimum of a linear program [objective per unit]."""

    objective: float
    bought: FloatArray
    """Of one more rack of each platform, its own cost and what it takes of the limits paid."""
    kept: FloatArray
    limits: Mapping[str, float]
    wanted: FloatArray
    """Of one more tok/s asked for by a cell."""
    must: FloatArray
    """Of one tok/s more that must be served: 0 or a loss."""


def solve(program: Program, *, time_limit_s: float | None = None, gap: float = GAP) -> Solution | None:
    """The best plan in whole racks; None where no plan keeps every limit.

    Parameters
    ----------
    time_limit_s : float, optional
        After which the best plan found is returned with its gap.
    gap : float
        Share of the objective at which the search stops [-].

    Raises
    ------
    InputError
        Unbounded, no time is given, or no plan was found in it.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, low, high = program.rows
    whole = np.zeros(matrix.shape[1])
    whole[: 2 * len(program.platforms)] = 1
    options: dict[str, Any] = {"mip_rel_gap": gap}
    if time_limit_s is not None:
        options["time_limit"] = float(check_positive("time_limit_s", time_limit_s))
    start = time.perf_counter()
    found = milp(
        -program.objective,
        integrality=whole,
        bounds=Bounds(0.0, program.highest),
        constraints=LinearConstraint(matrix, low, high),
        options=options,
    )
    if found.status == 2:
        return None
    if found.status in (3, 4) and _linear(program).status == 3:
        raise InputError(UNBOUNDED)
    if found.x is None:
        within = "" if time_limit_s is None else f" within {time_limit_s:g} s: give it more time"
        raise InputError(f"no plan was found{within}")
    return _solution(program, found, time.perf_counter() - start)


def _solution(program: Program, found: Any, seconds: float) -> Solution:
    p = len(program.platforms)
    racks = np.round(found.x[: 2 * p])
    busy = np.maximum(found.x[2 * p :], 0.0)
    objective = -float(found.fun) * program.value_scale
    bound = -float(found.mip_dual_bound) * program.value_scale if found.mip_dual_bound is not None else objective
    bound = max(bound, objective) if math.isfinite(bound) else math.inf
    gap = (bound - objective) / max(abs(objective), 1e-12) if bound > objective else 0.0
    return Solution(racks[:p], racks[p:], busy, objective, bound, gap, seconds, found.status == 1)


def relaxed(program: Program) -> Marginals | None:
    """Objective and marginal values with racks divisible; None where no plan keeps every limit.

    Notes
    -----
    Limits bind racks alone, so that once whole racks are held a limit has no price. Its price is that of the program with
    divisible racks: the slope of a concave function, at a kink any slope between those of its two sides.
    """
    return _marginals(program, None)


def marginals(program: Program, bought: FloatArray, kept: FloatArray) -> Marginals | None:
    """Objective and marginal values with whole racks held and limits set aside; None where demand is not met."""
    return _marginals(replace(program, limits={}), np.concatenate([bought, kept]))


def _marginals(program: Program, racks: FloatArray | None) -> Marginals | None:
    _, low, high = program.rows
    p, first, d = len(program.platforms), program.first_demand, len(program.wanted)
    found = _linear(program, racks)
    if found.status == 2:
        return None
    if found.status != 0:
        raise InputError(UNBOUNDED)
    above, below = np.isfinite(high), np.isfinite(low)
    price, floor = np.zeros(len(high)), np.zeros(len(low))
    price[above] = -found.ineqlin.marginals[: above.sum()]
    floor[below] = found.ineqlin.marginals[above.sum() :]
    scale = program.value_scale
    limits = price[first + d :] * scale
    wanted, must = (each[first : first + d] * scale / program.cell_scale for each in (price, floor))
    busy = _busy_worth(program, wanted + must)
    uses = [(limit.per_bought, limit.per_kept) for limit in program.limits.values()]
    taken = [sum((worth * use[i] for worth, use in zip(limits, uses, strict=True)), np.zeros(p)) for i in (0, 1)]
    return Marginals(
        objective=-float(found.fun) * scale,
        bought=program.bought_value + busy - taken[0],
        kept=program.kept_value + busy - taken[1],
        limits=dict(zip(program.limits, limits.tolist(), strict=True)),
        wanted=wanted,
        must=must,
    )


def _busy_worth(program: Program, demand_price: FloatArray) -> FloatArray:
    """What a rack of each platform earns at the prices of demand: in each block with its best use, or idle.

    The solver's own prices of capacity say no more of racks that are there, and anything of racks that are not.
    """
    worth = np.zeros((program.pool_count, program.blocks))
    left = program.flow_value - program.flow_rate * demand_price[program.flow_cell]
    np.maximum.at(worth, (program.flow_platform, program.block[program.flow_cell]), left)
    return np.asarray((worth[program.pools] * program.standing).sum(axis=1))


def objectives(program: Program, fleets: FloatArray) -> FloatArray:
    """Objective with each of some fleets held, limits and what must be served set aside: one program of unlinked parts.

    Parameters
    ----------
    fleets : ndarray
        (fleets, 2 P): racks bought, then kept, of each platform.

    Returns
    -------
    ndarray
        (fleets,): what :func:`marginals` gives for each, the building and starting of many small programs saved.
    """
    from scipy.sparse import eye_array, kron

    matrix, _, high = replace(program, limits={}).rows
    held, value = fleets.shape[1], program.objective
    left = high - (matrix[:, :held] @ fleets.T).T
    apart = kron(eye_array(len(fleets)), matrix[:, held:], format="csr")
    none = np.full(left.size, -np.inf)
    found = _highest(np.tile(value[held:], len(fleets)), apart, none, left.ravel(), (0.0, np.inf))
    if found.status != 0:
        raise InputError(UNBOUNDED)
    busy = found.x.reshape(len(fleets), -1)
    return np.asarray((fleets @ value[:held] + busy @ value[held:]) * program.value_scale)


def _linear(program: Program, racks: FloatArray | None = None) -> Any:
    """The linear program, with racks (bought, then kept) held where given."""
    matrix, low, high = program.rows
    bounds = np.stack([np.zeros(matrix.shape[1]), program.highest], axis=1)
    if racks is not None:
        bounds[: len(racks)] = racks[:, None]
    return _highest(program.objective, matrix, low, high, bounds)


def _highest(value: FloatArray, matrix: Any, low: FloatArray, high: FloatArray, bounds: Any) -> Any:
    """Of all amounts within bounds and rows, those of the highest value."""
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    above, below = np.isfinite(high), np.isfinite(low)
    return linprog(
        -value,
        A_ub=vstack([matrix[above], -matrix[below]], format="csr"),
        b_ub=np.concatenate([high[above], -low[below]]),
        bounds=bounds,
        method="highs",
    )


@dataclass(frozen=True)
class Shortfall:
    """Why no plan keeps every limit: what limits would have to be, and how much demand they carry as they are."""

    alone: Mapping[str, float]
    """Least amount of each limit, the others held, at which all that must be served is; those that do not help are absent."""
    together: Mapping[str, float]
    """Amounts of the limits that have to move at once, least in the sum of their shares; empty where nothing helps."""
    share_served: float
    """Largest share of every cell's least demand that the limits carry [-]."""


def shortfall(program: Program) -> Shortfall:
    """What is missing of a program that has no solution, in whole racks: the same program with elastic limits."""
    alone = {name: found[name] for name in program.limits if (found := _widened(program, [name]))}
    return Shortfall(alone, {} if alone else _widened(program, list(program.limits)), _carried(program))


def _widened(program: Program, elastic: list[str]) -> dict[str, float]:
    """Least amounts of some limits that let everything be served; empty where they alone do not."""
    first = program.first_demand + len(program.wanted)
    rows = [first + list(program.limits).index(name) for name in elastic]
    amounts = np.array([program.limits[name].amount for name in elastic])
    unit = np.where(amounts > 0, amounts, 1.0)
    found = _stretched(program, rows, -unit, np.ones(len(rows)), np.full(len(rows), np.inf))
    if found is None:
        return {}
    more = dict(zip(elastic, (amounts + found * unit).tolist(), strict=True))
    return {name: value for (name, value), share in zip(more.items(), found, strict=True) if share > SLACK}


def _carried(program: Program) -> float:
    """Largest share of the least demand, the same for every cell, that can be served."""
    first = program.first_demand
    asked = program.must / program.cell_scale
    rows = first + np.flatnonzero(asked)
    # demand falls by a share of itself: one variable in every row
    found = _stretched(program, rows.tolist(), asked[asked > 0], np.ones(1), np.ones(1))
    return 0.0 if found is None else 1.0 - float(found[0])


def _stretched(
    program: Program, rows: list[int], coefficients: FloatArray, cost: FloatArray, most: FloatArray
) -> FloatArray | None:
    """Cheapest stretch of some rows that makes a program feasible: one variable a row, or one for all; None if none does."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array, hstack

    matrix, low, high = program.rows
    columns = np.arange(len(rows)) if len(cost) == len(rows) else np.zeros(len(rows), dtype=int)
    stretch = coo_array((coefficients, (rows, columns)), shape=(len(low), len(cost)))
    whole = np.zeros(matrix.shape[1] + len(cost))
    whole[: 2 * len(program.platforms)] = 1
    found = milp(
        np.concatenate([np.zeros(matrix.shape[1]), cost]),
        integrality=whole,
        bounds=Bounds(0.0, np.concatenate([program.highest, most])),
        constraints=LinearConstraint(hstack([matrix, stretch], format="csr"), low, high),
        options={"time_limit": EXPLAIN_S},
    )
    return None if found.x is None else np.asarray(found.x[matrix.shape[1] :])
