"""The answer to a plan: racks, what runs where, what binds, what one more of it is worth, and what is never bought."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import one_state
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.planner.formulated import LIMIT_UNITS, Formulated, formulated
from rackecon.planner.owned import OwnedRacks, owned_racks
from rackecon.planner.points import menu
from rackecon.planner.program import Marginals, Program, Shortfall, Solution, marginals, relaxed, shortfall, solve
from rackecon.planner.records import Plan, plan_of
from rackecon.planner.replacement import Schedule
from rackecon.planner.staged import StagedPlan, staged
from rackecon.units import HOURS_PER_YEAR, SECONDS_PER_HOUR, TOKENS_PER_MTOK
from rackecon.words import join_words, money, number, percent, plural

USED = 1e-6
"""Racks and shares below which a flow is none."""
OF_POINT = ("tok_s_per_user", "load_share", "layout", "gpus")
"""What a flow has of its operating point."""


@dataclass(frozen=True)
class PlanResult:
    """A solved plan.

    Attributes
    ----------
    racks : pandas.DataFrame
        A row per platform: ``accelerator, platform, bought, kept, idle, power_mw, investment_usd, cost_usd_per_year,
        busy_share, next_rack_usd`` (worth of one more, its cost paid, limits aside), ``entry_factor`` (share of its price at
        which a platform not bought would be; NaN where bought), ``entry_usd_per_rack``, ``reason``.
    flows : pandas.DataFrame
        ``accelerator, platform, workload, model, tier, block, racks, tok_s, tok_s_per_user, layout``.
    limits : pandas.DataFrame
        ``limit, unit, amount, used, usd_per_unit``: worth of one more unit, racks divisible.
    demand : pandas.DataFrame
        ``workload, model, tier, block, wanted_tok_s, served_tok_s, usd_per_mtok``: worth of a further million
        tokens asked for, divisible racks bought for them.
    """

    asked: Plan
    form: Formulated
    solution: Solution
    racks: pd.DataFrame
    flows: pd.DataFrame
    limits: pd.DataFrame
    demand: pd.DataFrame
    profit_usd_per_year: float
    """At level prices; of the least cost: less than 0, nothing is counted as sold."""
    npv_usd: float
    cost_usd_per_year: float
    investment_usd: float
    power_mw: float
    owned: OwnedRacks | None = None
    """What becomes of racks on hand, where the plan asks."""
    staged: StagedPlan | None = None
    """The plan by years, where the plan asks."""

    @property
    def mw_usd_per_year(self) -> float:
        """Worth of one more megawatt, racks divisible; 0 where power does not bind [USD/year]."""
        return self._worth("power_mw")

    def _worth(self, limit: str) -> float:
        found = self.limits.loc[self.limits["limit"] == limit, "usd_per_unit"]
        return float(found.iloc[0]) / self.form.years if len(found) else 0.0

    @property
    def gap(self) -> float:
        """How far a better plan could lie above this one, as a share of it [-]."""
        return self.solution.gap

    @property
    def busy_share(self) -> float:
        """Rack-hours busy, of those that stand ready [-]."""
        racks = self.racks["bought"] + self.racks["kept"]
        return float((self.racks["busy_share"].fillna(0.0) * racks).sum() / racks.sum()) if racks.sum() else 0.0


@one_state()
def plan(asked: Plan | Mapping[str, Any], *, time_limit_s: float | None = None) -> PlanResult:
    """Which racks to buy, and what runs on them.

    Parameters
    ----------
    asked : Plan or mapping
        As in a plan file (:mod:`rackecon.planner.records`).
    time_limit_s : float, optional
        In place of the plan's own; the best plan found by then is returned with its gap.

    Raises
    ------
    InputError
        A fault of the plan; limits that conflict, with by how much.

    Examples
    --------
    >>> asked = {"platforms": ["h200-sxm", "gb300-nvl72"], "limits": {"power_mw": 2}, "load_share": 1,
    ...     "tiers": {"normal": {"tok_s_per_user": 30}},
    ...     "demand": [{"workload": "rag-summarise", "model": "deepseek-r1", "tiers": {"normal": 1}}]}
    >>> found = plan(asked)
    >>> found.racks.set_index("accelerator")["bought"].to_dict()
    {'gb300-nvl72': 13, 'h200-sxm': 0}
    """
    known = asked if isinstance(asked, Plan) else plan_of(asked)
    found = solved(formulated(known, menu(known)), time_limit_s=time_limit_s)
    if known.replacement is not None:
        found = replace(found, owned=owned_racks(known, found.mw_usd_per_year))
    if known.stages is not None:
        found = replace(found, staged=staged(found.form, time_limit_s=time_limit_s))
    return found


def solved(form: Formulated, *, time_limit_s: float | None = None) -> PlanResult:
    """Solve a plan that is lined up."""
    asked, program = form.plan, form.program
    _check_served(form)
    solution = solve(program, time_limit_s=asked.time_limit_s if time_limit_s is None else time_limit_s, gap=asked.gap)
    if solution is None:
        raise InputError(_conflict(form, shortfall(program)))
    held, free = marginals(program, solution.bought, solution.kept), relaxed(program)
    if held is None or free is None:
        raise InputError("the plan is met only within the solver's tolerance: loosen must_serve or a limit by a little")
    racks = solution.bought + solution.kept
    mw = np.array([form.menu.platforms[name].rack_it_kw for name in program.platforms]) / 1e3
    cost = solution.bought @ form.cost_usd_per_rack_year + solution.kept @ form.running_usd_per_rack_year
    other = float(solution.busy @ form.other_flow_value - cost * (1.0 if asked.objective == "npv" else form.annuity))
    profit, value = (other, solution.objective) if asked.objective == "npv" else (solution.objective, other)
    return PlanResult(
        asked=asked,
        form=form,
        solution=solution,
        racks=_racks(form, solution, held, free),
        flows=_flows(form, solution),
        limits=_limits(program, solution, free),
        demand=_demand(form, solution, free),
        profit_usd_per_year=profit,
        npv_usd=value,
        cost_usd_per_year=_cost(form, solution),
        investment_usd=float(solution.bought @ form.investment_usd_per_rack),
        power_mw=float(racks @ mw),
    )


def _cost(form: Formulated, solution: Solution) -> float:
    """Racks bought and kept, and what they cost on top while busy [USD/year]."""
    points, gpus, days = form.of_flows()
    busy = float(
        (solution.busy * gpus * (days * HOURS_PER_YEAR) * points["busy_usd_per_gpu_hour"].to_numpy(dtype=float)).sum()
    )
    return float(solution.bought @ form.cost_usd_per_rack_year + solution.kept @ form.running_usd_per_rack_year) + busy


def _check_served(form: Formulated) -> None:
    """Demand that must be served and that no platform of the plan serves at all."""
    reachable = set(form.flows["cell"])
    for number_, cell in enumerate(form.cells):
        if cell.must_tok_s > 0 and number_ not in reachable:
            item = form.plan.demand[cell.item]
            here = ((-1, ""), (cell.item, cell.tier))
            why = [f"{key}: {text}" for (key, *place), text in form.menu.reasons.items() if tuple(place) in here]
            what = f"{item.model}, {item.workload}, tier {cell.tier}"
            raise InputError(f"no platform of the plan serves {what}: {'; '.join(sorted(why))}")


def _conflict(form: Formulated, missing: Shortfall) -> str:
    """The limits that conflict with what must be served, in one line, each with what it would have to be."""
    limits = form.program.limits

    def moved(amounts: Mapping[str, float]) -> list[str]:
        return [
            f"{name} of {_amount(name, limits[name].amount)} would have to be {_amount(name, needed)} "
            f"({_amount(name, needed - limits[name].amount)} more)"
            for name, needed in amounts.items()
        ]

    fault = "the demand that must be served does not fit the limits"
    most = f"as they are, {percent(missing.share_served, 1)} of it can be served"
    if missing.alone:
        return f"{fault}: {', or '.join(moved(missing.alone))}; {most}"
    if missing.together:
        return f"{fault}: {join_words(moved(missing.together))}, together; {most}"
    return f"{fault}, and more of {join_words(limits)} does not help: nothing that may be bought serves it; {most}"


def _amount(name: str, value: float) -> str:
    return money(value) if name == "capital_usd" else f"{number(value, 4)} {LIMIT_UNITS.get(name, 'racks')}"


def _racks(form: Formulated, solution: Solution, held: Marginals, free: Marginals) -> pd.DataFrame:
    program = form.program
    busy = np.zeros(len(program.platforms))
    np.add.at(busy, program.flow_platform, solution.busy * form.of_flows()[2])
    rows = []
    for p, name in enumerate(program.platforms):
        platform, racks = form.menu.platforms[name], solution.bought[p] + solution.kept[p]
        entry = _entry_factor(form, p, free) if not solution.bought[p] and name in form.plan.platforms else math.nan
        rows.append(
            {
                "accelerator": name,
                "platform": platform.label,
                "bought": int(solution.bought[p]),
                "kept": int(solution.kept[p]),
                "idle": int(program.on_hand[p] - solution.kept[p]),
                "power_mw": racks * platform.rack_it_kw / 1e3,
                "investment_usd": solution.bought[p] * form.investment_usd_per_rack[p] + 0.0,
                "cost_usd_per_year": solution.bought[p] * form.cost_usd_per_rack_year[p]
                + solution.kept[p] * form.running_usd_per_rack_year[p],
                "busy_share": busy[p] / racks if racks else math.nan,
                "next_rack_usd": held.bought[p] + 0.0,
                "entry_factor": entry,
                "entry_usd_per_rack": entry * form.investment_usd_per_rack[p],
                "reason": "",
            }
        )
    for name in form.plan.every_platform:
        if name not in program.platforms:
            why = next((text for (key, _, _), text in form.menu.reasons.items() if key == name), "serves no tier")
            idle = int(form.plan.racks_on_hand.get(name, 0))
            label = catalog.accelerator(name).label
            rows.append({"accelerator": name, "platform": label, "bought": 0, "kept": 0, "idle": idle, "reason": why})
    return pd.DataFrame(rows)


def _entry_factor(form: Formulated, p: int, free: Marginals) -> float:
    """Share of its cost (price, running cost and all) at which the first rack of a platform not bought pays.

    With divisible racks one more loses ``-free.bought``; all of its cost and what it takes of the capital fall in one
    proportion. NaN where it does not lose; 0 or less where it would not pay for nothing.
    """
    capital = form.program.limits.get("capital_usd")
    tied = free.limits["capital_usd"] * capital.per_bought[p] if capital is not None else 0.0
    moved = -form.program.bought_value[p] + tied
    return 1.0 + free.bought[p] / moved if moved > 0 and free.bought[p] < 0 else math.nan


def _flows(form: Formulated, solution: Solution) -> pd.DataFrame:
    rows = []
    for flow in np.flatnonzero(solution.busy > USED):
        point = form.menu.points.iloc[int(form.flows["point"][flow])]
        cell = form.cells[int(form.flows["cell"][flow])]
        item = form.plan.demand[cell.item]
        platform, racks = form.menu.platforms[point["accelerator"]].label, solution.busy[flow]
        work = item.workload, item.model, cell.tier, form.blocks[cell.block].name
        rate = racks * form.program.flow_rate[flow]
        rows.append((point["accelerator"], platform, *work, racks, rate, *(point[name] for name in OF_POINT)))
    columns = ["accelerator", "platform", "workload", "model", "tier", "block", "racks", "tok_s", *OF_POINT]
    return pd.DataFrame(rows, columns=columns)


def _limits(program: Program, solution: Solution, free: Marginals) -> pd.DataFrame:
    rows = [
        (
            name,
            LIMIT_UNITS.get(name, "racks"),
            limit.amount,
            float(solution.bought @ limit.per_bought + solution.kept @ limit.per_kept),
            free.limits[name],
        )
        for name, limit in program.limits.items()
    ]
    return pd.DataFrame(rows, columns=["limit", "unit", "amount", "used", "usd_per_unit"])


def _demand(form: Formulated, solution: Solution, free: Marginals) -> pd.DataFrame:
    served = solution.served(form.program)
    rows = []
    for d, cell in enumerate(form.cells):
        item = form.plan.demand[cell.item]
        # the objective counts a level year: of tok/s all year through the block
        mtok = cell.day_share * HOURS_PER_YEAR * SECONDS_PER_HOUR / TOKENS_PER_MTOK * form.years
        worth = (free.wanted[d] + free.must[d]) / mtok
        block = form.blocks[cell.block].name
        rows.append((item.workload, item.model, cell.tier, block, cell.wanted_tok_s, served[d], worth))
    columns = ["workload", "model", "tier", "block", "wanted_tok_s", "served_tok_s", "usd_per_mtok"]
    return pd.DataFrame(rows, columns=columns)


def described(found: PlanResult) -> list[str]:
    """A solved plan in a few lines of text."""
    asked, racks = found.asked, found.racks.to_dict("records")
    buy = [f"{plural(row['bought'], 'rack')} of {row['platform']}" for row in racks if row["bought"]]
    keep = [f"{plural(row['kept'], 'rack')} of {row['platform']}" for row in racks if row["kept"]]
    late = f", the best found in {number(found.solution.seconds)} s" if found.solution.timed_out else ""
    if asked.objective == "cost":
        earns = f"least cost {money(found.cost_usd_per_year)} a year"
    else:
        earns = f"profit {money(found.profit_usd_per_year)} a year at level prices, net present value {money(found.npv_usd)}"
    lines = [
        f"{asked.name}: buy {join_words(buy) or 'nothing'}" + (f"; keep {join_words(keep)}" if keep else ""),
        f"{earns}; a better plan lies at most {percent(found.gap, 2)} further{late}",
        f"{money(found.investment_usd)} invested, {number(found.power_mw)} MW of provisioned IT power, "
        f"{percent(found.busy_share)} of rack-hours busy",
    ]
    per = "of net present value" if asked.objective == "npv" else "a year"
    for row in found.limits.to_dict("records"):
        used = f"{number(row['used'], 4)} of {number(row['amount'], 4)} {row['unit']} used"
        lines.append(f"{row['limit']}: {used}; one more is worth {money(row['usd_per_unit'])} {per}")
    for row in racks:
        if row["reason"]:
            lines.append(f"{row['platform']}: not planned with, {row['reason']}")
        elif math.isfinite(row["entry_factor"]):
            below = f"; it would be below {percent(row['entry_factor'])} of its cost"
            lines.append(f"{row['platform']}: not bought{below if row['entry_factor'] > 0 else ' at any price'}")
    lines += [] if found.owned is None else _fate(found.owned)
    return lines if found.staged is None else [*lines, *_stages(found.staged)]


def _stages(by_years: StagedPlan) -> list[str]:
    """A plan by years, a line for each."""
    gap = percent(by_years.solution.gap, 2)
    lines = [f"by years: net present value {money(by_years.npv_usd)}; a better plan lies at most {gap} further"]
    for row in by_years.years.to_dict("records"):
        racks = by_years.racks[by_years.racks["year"] == row["year"]].to_dict("records")
        buy = [f"{plural(each['bought'], 'rack')} of {each['platform']}" for each in racks if each["bought"]]
        sell = [f"{plural(each['sold'], 'rack')} of {each['platform']}" for each in racks if each["sold"]]
        does = [f"buy {join_words(buy)}"] * bool(buy) + [f"sell {join_words(sell)}"] * bool(sell)
        lines.append(
            f"  year {row['year']}: {', '.join(does) or 'keep what there is'}; {number(row['power_mw'])} MW, "
            f"{money(row['spent_usd'])} spent"
        )
    return lines


def _fate(owned: OwnedRacks) -> list[str]:
    """What becomes of racks on hand, year by year, in a few lines."""
    label = catalog.accelerator(owned.asked.platform).label
    room = money(owned.mw_usd_per_year)

    def goes(schedule: Schedule) -> str:
        years = schedule.leaves_after_years
        return "stays to the end" if years >= owned.asked.years else f"goes after {plural(years, 'year')}"

    lines = [
        f"{label} of {plural(owned.asked.age_years, 'year')}: {goes(owned.chain)} with its successors in sight, "
        f"{goes(owned.alone)} without any at {room} a year for a megawatt, {goes(owned.free)} if its room costs nothing"
    ]
    for row in owned.years.to_dict("records"):
        what = f"{row['action']} {row['platform']}, {plural(row['age'], 'year')} old" if row["platform"] else "empty"
        sold = f", {catalog.accelerator(row['sold']).label} sold" if row["sold"] else ""
        lines.append(f"  year {row['year']}: {what}{sold}; {money(row['cash_usd'])} a megawatt")
    return lines
