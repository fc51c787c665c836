"""A plan by years: what is bought when, how long it stays, and what takes its place, under the limits of every year.

A kind of rack here is a platform bought at the start of year ``v`` and sold at the start of year ``w``; it stands in the years
between, and takes their power. All kinds of a platform serve alike. The objective is the present value of sales, running
costs, purchases and resale, prices of tokens falling and demand growing from year to year; at the end everything is sold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rackecon.appraisal.money import level_factor
from rackecon.arrays import BoolArray, FloatArray
from rackecon.economics.cost_table import residual_at
from rackecon.economics.money_step import per_year
from rackecon.economics.returns import PresentValueFactors, present_value_factors
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.planner.formulated import Formulated
from rackecon.planner.program import Limit, Program, Solution, relaxed, solve
from rackecon.planner.records import Stages


class Kind(NamedTuple):
    """Racks of one platform (by its number) that come and go together; on hand: they were there before."""

    platform: int
    comes: int
    goes: int
    on_hand: bool


@dataclass(frozen=True)
class StagedPlan:
    """A solved plan by years.

    ``racks`` has a row per year and platform: ``year, accelerator, platform, racks, bought, sold, power_mw``; ``years`` one
    per year: ``year, power_mw, spent_usd, served_tok_s, mw_usd`` (present value of one more megawatt in
    that year, racks divisible).
    """

    racks: pd.DataFrame
    years: pd.DataFrame
    npv_usd: float
    solution: Solution


def staged(form: Formulated, *, time_limit_s: float | None = None) -> StagedPlan:
    """The plan by years of a plan that is lined up.

    Parameters
    ----------
    form : Formulated
        Of a plan with ``stages``.
    time_limit_s : float, optional
        In place of the plan's own.

    Raises
    ------
    InputError
        No ``stages``, a plan of least cost, or limits that conflict in some year.
    """
    asked = form.plan.stages
    if asked is None:
        raise InputError("the plan has no stages to work out")
    if form.plan.objective == "cost":
        raise InputError("stages maximise present value: the plan must not be one of least cost")
    kinds = _kinds(form, asked)
    program = _program(form, asked, kinds)
    found = solve(
        program, time_limit_s=form.plan.time_limit_s if time_limit_s is None else time_limit_s, gap=form.plan.gap
    )
    if found is None:
        raise InputError("the demand that must be served does not fit the limits of every year")
    free = relaxed(program)
    assert free is not None  # a plan in whole racks is one in divisible racks
    racks, spent = _racks(form, asked, kinds, found), _kind_values(form, asked, kinds)[1]
    by_year = np.bincount([kind.comes for kind in kinds], weights=found.bought * spent, minlength=asked.years)
    served = found.served(program).reshape(asked.years, -1)
    hours = np.array([cell.day_share for cell in form.cells])
    years = racks.groupby("year", as_index=False)["power_mw"].sum()
    years = years.assign(
        spent_usd=by_year[: asked.years],
        served_tok_s=served @ hours,
        mw_usd=[free.limits.get(f"power_mw/{year}", 0.0) for year in range(asked.years)],
    )
    return StagedPlan(racks, years, found.objective, found)


def _kinds(form: Formulated, asked: Stages) -> list[Kind]:
    """Every coming and going: bought when on sale, gone a year later at the earliest, on hand possibly at once."""
    names, out = form.program.platforms, []
    for p, name in enumerate(names):
        if form.program.most_bought[p] > 0:
            first = asked.available.get(name, 0)
            out += [Kind(p, v, w, False) for v in range(first, asked.years) for w in range(v + 1, asked.years + 1)]
        if form.program.on_hand[p] > 0:
            out += [Kind(p, 0, w, True) for w in range(asked.years + 1)]
    return out


def _within(form: Formulated) -> PresentValueFactors:
    assume = form.menu.assume
    return present_value_factors(assume.wacc, assume.revenue_fall_per_year, 1.0)


def _kind_values(form: Formulated, asked: Stages, kinds: list[Kind]) -> tuple[FloatArray, FloatArray]:
    """Present value of coming, standing and going [USD], and what is spent on coming."""
    assume, cost = form.menu.assume, float(_within(form).cost_years)
    v = 1.0 / (1.0 + assume.wacc)
    values, spent = [], []
    for kind in kinds:
        new = form.investment_usd_per_rack[kind.platform] * (1.0 - asked.rack_price_fall_per_year) ** kind.comes
        age = kind.goes - kind.comes + (asked.age_years if kind.on_hand else 0)
        price = 0.0 if kind.on_hand else new
        sold = new * form.resells[kind.platform]
        running = form.running_usd_per_rack_year[kind.platform] * cost * sum(v**t for t in range(kind.comes, kind.goes))
        values.append(-price * v**kind.comes - running + sold * float(residual_at(float(age))) * v**kind.goes)
        spent.append(price)
    return np.array(values), np.array(spent)


def _program(form: Formulated, asked: Stages, kinds: list[Kind]) -> Program:
    """All years as one program: blocks, cells and flows once a year, kinds of racks in pools by platform."""
    base, years = form.program, asked.years
    t = np.arange(years)
    assume, v = form.menu.assume, 1.0 / (1.0 + form.menu.assume.wacc)
    # the program's yearly sales are level equivalents: launch prices are what falls here
    level = float(level_factor(assume.revenue_fall_per_year, assume.horizon_years))
    points, gpus, hours = form.of_flows()
    each = {n: points[f"{n}_usd_per_gpu_hour"].to_numpy(dtype=float) for n in ("revenue", "busy")}
    sales = per_year(each["revenue"] * points["load_share"].to_numpy(dtype=float), gpus) * hours / level
    busy = per_year(each["busy"], gpus) * hours
    factors, faster = _within(form), (1.0 + asked.software_gain_per_year) ** t
    path = ((1.0 - assume.revenue_fall_per_year) ** t * faster)[:, None]
    value = (sales * path * factors.revenue_years - busy * factors.cost_years) * (v**t)[:, None]
    growth = (1.0 + asked.demand_growth_per_year) ** t
    stands = np.array([[kind.comes <= year < kind.goes for year in t] for kind in kinds])
    values, spent = _kind_values(form, asked, kinds)
    on_hand = np.array([kind.on_hand for kind in kinds])
    own = np.array([base.on_hand[kind.platform] for kind in kinds])
    return Program(
        platforms=tuple(f"{base.platforms[k.platform]}/{k.comes}/{k.goes}/{k.on_hand}" for k in kinds),
        bought_value=values,
        kept_value=values,
        on_hand=np.where(on_hand, own, 0.0),
        most_bought=np.where(on_hand, 0.0, np.inf),
        limits=_limits(form, kinds, stands, spent),
        block=(t[:, None] * base.blocks + base.block).ravel(),
        wanted=(growth[:, None] * base.wanted).ravel(),
        must=(growth[:, None] * base.must).ravel(),
        flow_platform=np.tile(base.flow_platform, years),
        flow_cell=(t[:, None] * len(base.wanted) + base.flow_cell).ravel(),
        flow_rate=(faster[:, None] * base.flow_rate).ravel(),
        flow_value=value.ravel(),
        pool=np.array([kind.platform for kind in kinds]),
        works=np.repeat(stands, base.blocks, axis=1),
    )


def _limits(form: Formulated, kinds: list[Kind], stands: BoolArray, spent: FloatArray) -> dict[str, Limit]:
    """Limits of every year: what stands takes power and floor, what comes takes capital and supply; each rack is on hand once."""
    of = np.array([kind.platform for kind in kinds])
    comes, none = np.array([kind.comes for kind in kinds]), np.zeros(len(kinds))
    out = {}
    for name, limit in form.program.limits.items():
        for year in range(stands.shape[1]):
            key = f"{name}/{year}"
            if name == "capital_usd":
                out[key] = Limit(np.where(comes == year, spent, 0.0), none, limit.amount)
            elif name.startswith("supply."):
                out[key] = Limit(np.where(comes == year, limit.per_bought[of], 0.0), none, limit.amount)
            else:
                use = limit.per_kept[of] * stands[:, year]
                out[key] = Limit(use, use, limit.amount)
    for p in np.flatnonzero(form.program.on_hand):
        mine = np.array([float(kind.platform == p and kind.on_hand) for kind in kinds])
        out[f"on_hand/{p}"] = Limit(none, mine, float(form.program.on_hand[p]))
    return out


def _racks(form: Formulated, asked: Stages, kinds: list[Kind], found: Solution) -> pd.DataFrame:
    count = found.bought + found.kept
    rows = []
    for year in range(asked.years):
        for p, name in enumerate(form.program.platforms):
            mine = [(kind, n) for kind, n in zip(kinds, count, strict=True) if kind.platform == p]
            here = sum(n for kind, n in mine if kind.comes <= year < kind.goes)
            platform = form.menu.platforms[name]
            rows.append(
                {
                    "year": year,
                    "accelerator": name,
                    "platform": platform.label,
                    "racks": int(here),
                    "bought": int(sum(n for kind, n in mine if kind.comes == year and not kind.on_hand)),
                    "sold": int(sum(n for kind, n in mine if kind.goes == year)),
                    "power_mw": here * platform.rack_it_kw / 1e3,
                }
            )
    return pd.DataFrame(rows)
