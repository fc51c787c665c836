"""From a plan and its menu to the arrays of the program: yearly money of racks and flows, limits, cells of demand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from rackecon.appraisal.assumptions import Assumptions
from rackecon.appraisal.money import level_factor
from rackecon.arrays import FloatArray
from rackecon.economics.money_step import level_price_factor, per_year
from rackecon.economics.returns import present_value_factors
from rackecon.lazy import pd
from rackecon.planner.day import blocks_of
from rackecon.planner.points import Menu
from rackecon.planner.program import Limit, Program
from rackecon.planner.records import Block, Plan
from rackecon.units import HOURS_PER_DAY, HOURS_PER_YEAR, SECONDS_PER_HOUR

LIMIT_UNITS: Final = {"power_mw": "MW", "capital_usd": "USD"}
"""Units of limits that racks use up, of power provisioned IT power; the others are counted in racks."""


@dataclass(frozen=True)
class Cell:
    """One item of demand in one tier and block."""

    item: int
    tier: str
    block: int
    wanted_tok_s: float
    must_tok_s: float
    hours_per_day: float

    @property
    def day_share(self) -> float:
        """Share of the day that its block takes [-]."""
        return self.hours_per_day / HOURS_PER_DAY


@dataclass(frozen=True)
class Formulated:
    """The program of a plan, with what its arrays stand for."""

    plan: Plan
    menu: Menu
    program: Program
    blocks: tuple[Block, ...]
    cells: tuple[Cell, ...]
    flows: pd.DataFrame
    """Point and cell of each flow: ``point`` (row of the menu) and ``cell``."""
    years: float
    """What the objective counts a yearly dollar of cost as: 1, or the annuity of the horizon for a net present value."""
    other_flow_value: FloatArray
    """Of flows by the other of the two measures: present value where profit is sought, profit where present value is."""
    annuity: float
    investment_usd_per_rack: FloatArray
    resells: FloatArray
    """Share of the investment that the resale value is of [-]."""
    cost_usd_per_rack_year: FloatArray
    """All-in, capital charge counted, of a rack bought."""
    running_usd_per_rack_year: FloatArray
    """Of a rack on hand."""

    def of_flows(self) -> tuple[pd.DataFrame, FloatArray, FloatArray]:
        """Point of the menu, GPUs of a rack and share of the day of every flow."""
        points = self.menu.points.iloc[self.flows["point"].to_numpy(dtype=int)]
        gpus = np.array([self.menu.platforms[name].gpus_per_rack for name in points["accelerator"]])
        return points, gpus, np.array([self.cells[k].day_share for k in self.flows["cell"]])


def formulated(plan: Plan, found: Menu) -> Formulated:
    """Line a plan up as a program.

    Notes
    -----
    Yearly money is the level equivalent of falling prices over the horizon, its months weighed at the base case's cost of
    capital (:func:`rackecon.appraisal.money.level_factor`); present value weighs them at the plan's own. Costs are level: their
    present value is the yearly figure times the annuity factor of the horizon.
    """
    names = tuple(dict.fromkeys(found.points["accelerator"]))
    cells = _cells(plan)
    flows = _pairs(found, cells)
    assume = found.assume
    annuity = float(present_value_factors(assume.wacc, 0.0, assume.horizon_years).cost_years)
    years = annuity if plan.objective == "npv" else 1.0
    gpus = np.array([found.platforms[name].gpus_per_rack for name in names])
    standing = found.points.groupby("accelerator")["standing_usd_per_gpu_hour"].first()
    cost = per_year(np.array([standing[name] for name in names]), gpus)
    running = per_year(np.array([found.running_usd_per_gpu_hour[name] for name in names]), gpus)
    invested = np.array([found.platforms[name].investment_usd_per_gpu for name in names]) * gpus
    points = found.points.iloc[flows["point"].to_numpy(dtype=int)]
    of_platform = np.array([names.index(name) for name in points["accelerator"]])
    rate, sold, busy = _of_busy_racks(plan, points, gpus[of_platform])
    hours = np.array([cells[k].day_share for k in flows["cell"]]) * HOURS_PER_YEAR
    yearly, present = (sold - busy) * hours, (sold * _own_level(assume) - busy) * hours * annuity
    values = (present, yearly) if plan.objective == "npv" else (yearly, present)
    program = Program(
        platforms=names,
        bought_value=-cost * years,
        kept_value=-running * years,
        on_hand=np.array([float(plan.racks_on_hand.get(name, 0)) for name in names]),
        most_bought=np.array([math.inf if name in plan.platforms else 0.0 for name in names]),
        limits=_limits(plan, found, names, invested),
        block=np.array([cell.block for cell in cells]),
        wanted=np.array([cell.wanted_tok_s for cell in cells]),
        must=np.array([cell.must_tok_s for cell in cells]),
        flow_platform=of_platform,
        flow_cell=flows["cell"].to_numpy(dtype=np.intp),
        flow_rate=rate,
        flow_value=values[0],
    )
    return Formulated(
        plan=plan,
        menu=found,
        program=program,
        blocks=blocks_of(plan),
        cells=cells,
        flows=flows,
        years=years,
        other_flow_value=values[1],
        annuity=annuity,
        investment_usd_per_rack=invested,
        resells=np.array([found.platforms[name].resells for name in names]),
        cost_usd_per_rack_year=cost,
        running_usd_per_rack_year=running,
    )


def _pairs(found: Menu, cells: tuple[Cell, ...]) -> pd.DataFrame:
    """Every point of the menu with every cell that it serves."""
    pairs = [
        (point, number)
        for point, (item, tier) in enumerate(zip(found.points["item"], found.points["tier"], strict=True))
        for number, cell in enumerate(cells)
        if (cell.item, cell.tier) == (item, tier)
    ]
    return pd.DataFrame(pairs, columns=["point", "cell"])


def _own_level(assume: Assumptions) -> float:
    """Level equivalent of falling prices at the plan's own cost of capital, over that at the base case's."""
    own = level_price_factor(assume.wacc, assume.revenue_fall_per_year, assume.horizon_years)
    return float(own / level_factor(assume.revenue_fall_per_year, assume.horizon_years))


def _of_busy_racks(plan: Plan, points: pd.DataFrame, gpus: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rate [tok/s], sales and cost on top [USD/h] of a busy rack at each point."""

    def column(name: str) -> FloatArray:
        return points[name].to_numpy(dtype=float)

    sold = 0.0 if plan.objective == "cost" else column("revenue_usd_per_gpu_hour") * column("load_share")
    rate = column("total_tok_s_per_gpu") * column("load_share") * gpus
    return rate, sold * gpus, column("busy_usd_per_gpu_hour") * gpus


def _cells(plan: Plan) -> tuple[Cell, ...]:
    out = []
    for number, item in enumerate(plan.demand):
        least = item.must_serve if item.must_serve is not None else float(plan.objective == "cost")
        for tier, share in item.tiers.items():
            for block, part in enumerate(blocks_of(plan)):
                seconds = part.hours * SECONDS_PER_HOUR
                wanted = math.inf if item.tokens_per_day is None else item.tokens_per_day * share * part.share / seconds
                must = least * wanted if least else 0.0
                if wanted > 0:
                    out.append(Cell(number, tier, block, wanted, must, part.hours))
    return tuple(out)


def _limits(plan: Plan, found: Menu, names: tuple[str, ...], invested: FloatArray) -> Mapping[str, Limit]:
    """Limits that bind, of one rack of each platform."""
    mw = np.array([found.platforms[name].rack_it_kw for name in names]) / 1e3
    one, none = np.ones(len(names)), np.zeros(len(names))
    uses = {"power_mw": (mw, mw), "capital_usd": (invested, none), "floor_positions": (one, one)}
    amounts = {name: getattr(plan.limits, name) for name in uses}
    limits = {name: Limit(*uses[name], float(amount)) for name, amount in amounts.items() if amount is not None}
    for p, name in enumerate(names):
        if name in plan.limits.supply:
            limits[f"supply.{name}"] = Limit(np.eye(len(names))[p], none, float(plan.limits.supply[name]))
    return limits
