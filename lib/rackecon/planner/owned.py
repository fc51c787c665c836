"""Racks on hand per megawatt: when they go, given what the room they take would earn with something newer in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.arrays import FloatArray, IntArray
from rackecon.catalog.assumption_table import allowed_values
from rackecon.economics.cost_table import residual_at
from rackecon.economics.market_table import rent
from rackecon.economics.money_step import per_year
from rackecon.economics.returns import present_value_factors
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.planner.points import tier_case
from rackecon.planner.records import Plan, Replacement
from rackecon.planner.replacement import Machine, Schedule, replacement


@dataclass(frozen=True)
class OwnedRacks:
    """What becomes of racks on hand, per megawatt of provisioned IT power.

    ``chain`` puts successors in their place; ``alone`` has none, and pays the price of a megawatt for the room; ``free`` has
    none and pays nothing. ``years`` holds a row per year: ``year, action, accelerator, platform, age, cash_usd,
    slot_usd_per_year, keep_usd``.
    """

    asked: Replacement
    chain: Schedule
    alone: Schedule
    free: Schedule
    mw_usd_per_year: float
    retire_age_years: float
    """Age at which sales no longer cover running cost, whatever else the room could hold."""
    years: pd.DataFrame


def owned_racks(plan: Plan, mw_usd_per_year: float = 0.0) -> OwnedRacks:
    """When the racks on hand of a plan go.

    Parameters
    ----------
    plan : Plan
        With a ``replacement``.
    mw_usd_per_year : float
        Worth of one more megawatt in the plan, at level prices [USD/year].

    Raises
    ------
    InputError
        No ``replacement``, or the racks on hand do not serve the plan's first demand.
    """
    asked = plan.replacement
    if asked is None:
        raise InputError("the plan has no replacement to work out")
    names = list(dict.fromkeys((asked.platform, *asked.successors)))
    machines, retire = slot_machines(plan, asked, names)
    own = next((one for one in machines if one.name == asked.platform), None)
    if own is None:
        raise InputError(f"replacement: {asked.platform} does not serve the plan's first demand")
    rate = _assume(plan).wacc
    start = (asked.platform, min(asked.age_years, own.earns.shape[1]))
    gone = replace(own, price=np.full(asked.years, np.inf))
    room = float(present_value_factors(rate, 0.0, 1.0).cost_years) * mw_usd_per_year
    charged = replace(gone, earns=own.earns - room, rent=own.rent - room)
    chain = replacement(machines, start=start, rate_per_year=rate)
    return OwnedRacks(
        asked,
        chain,
        replacement([charged], start=start, rate_per_year=rate),
        replacement([gone], start=start, rate_per_year=rate),
        mw_usd_per_year,
        retire[asked.platform],
        _table(chain),
    )


def _assume(plan: Plan) -> Assumptions:
    return assumptions(**plan.assumptions)


def slot_machines(plan: Plan, asked: Replacement, names: Sequence[str]) -> tuple[list[Machine], dict[str, float]]:
    """Platforms as machines of a slot of one megawatt, with the age at which each no longer covers its running cost.

    Notes
    -----
    Sales of year ``t`` are those of today's prices and rates times :math:`((1 - d)(1 + g))^t`; amounts of a year are worth
    their month-by-month present value at its start. Resale follows age alone (:func:`rackecon.economics.cost_table.residual_at`).
    """
    assume, item = _assume(plan), plan.demand[0]
    case = tier_case(plan, 0, next(iter(item.tiers)))
    table = evaluate(names, [item.model], [case], intervals=False, **plan.assumptions)
    years = np.arange(asked.years)
    ages = asked.years + asked.age_years
    within = present_value_factors(assume.wacc, assume.revenue_fall_per_year, 1.0)
    path = ((1.0 - assume.revenue_fall_per_year) * (1.0 + asked.software_gain_per_year)) ** years
    out, retire = [], {}
    for row in table.to_dict("records"):
        if row["reason"]:
            continue
        mw = float(row["gpus_per_mw"])
        sales = per_year(row["revenue_usd_per_gpu_hour"] / row["level_price_factor"], mw)
        running = per_year(row["running_usd_per_gpu_hour"], mw)
        price = float(row["investment_usd_per_gpu"]) * mw
        dear = price * (1.0 - asked.rack_price_fall_per_year) ** years
        known = years >= asked.successors.get(row["accelerator"], 0)
        known &= row["accelerator"] in asked.successors or row["accelerator"] != asked.platform
        earns = sales * path * within.revenue_years - running * within.cost_years
        let = _rent(row, mw, asked, years, float(within.cost_years), float(running))
        out.append(
            Machine(
                row["accelerator"],
                _by_age(earns, ages),
                np.where(known, dear, np.inf),
                np.tile(price * float(row["resells"]) * residual_at(np.arange(ages + 1.0)), (asked.years + 1, 1)),
                _by_age(let, ages),
            )
        )
        retire[row["accelerator"]] = float(row["retire_age_years"])
    return out, retire


def _by_age(yearly: FloatArray, ages: int) -> FloatArray:
    return np.tile(np.asarray(yearly)[:, None], (1, ages))


def _rent(
    row: dict[Any, Any], gpus: float, asked: Replacement, years: IntArray, within: float, running: float
) -> FloatArray:
    """Rent of a megawatt less its running cost, by year; minus infinity where it is not let."""
    found = rent(str(row["accelerator"])) if asked.let else None
    if found is None:
        return np.full(len(years), -np.inf)
    falls = float(allowed_values()["rent_factor"].default)
    return np.asarray((per_year(found.usd_per_gpu_hour, gpus) * falls**years - running) * within)


def _table(chain: Schedule) -> pd.DataFrame:
    rows = [
        {
            "year": step.year,
            "action": step.action,
            "accelerator": step.machine,
            "platform": catalog.accelerator(step.machine).label if step.machine else "",
            "age": step.age,
            "sold": step.sold,
            "cash_usd": step.cash_usd,
            "slot_usd_per_year": slot,
            "keep_usd": keep,
        }
        for step, slot, keep in zip(chain.steps, chain.slot_usd_per_year, chain.keep_usd, strict=False)
    ]
    return pd.DataFrame(rows)
