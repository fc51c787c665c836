"""How a plan fares in futures other than the one it was made for: the draws of every uncertain input, a plan for each.

In a draw every platform serves every tier at its own best rate, with its own price, cost and error
(:func:`rackecon.uncertainty.propagate.propagate`), and demand moves with the drawn share sold over its median. *Regret* of a
plan in a draw is what the best plan of that draw earns more, racks of both put to their best use (Savage 1951).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray, IntArray
from rackecon.errors import InputError
from rackecon.evidence.novelty import measured_platforms, platform_named
from rackecon.lazy import pd
from rackecon.planner.formulated import Formulated
from rackecon.planner.plan import PlanResult
from rackecon.planner.points import cards, tier_case
from rackecon.planner.program import Limit, Program, objectives, solve
from rackecon.uncertainty.portfolio import Portfolio, portfolio
from rackecon.uncertainty.propagate import propagate
from rackecon.uncertainty.sampling import SEED, Design, Scores, median_scores, sample
from rackecon.words import join_words, percent, plural

DRAWS: Final = 64
CLOSE: Final = 0.01
"""Share of the best profit within which a plan counts as best."""
MOST_PLANS: Final = 12
"""Plans compared in every draw: the plan asked about, and those of the draws, the commonest first."""
NOTHING: Final = 1e-9
PROFIT_ENDS: Final = ("mean_usd_per_year", "p5_usd_per_year", "p95_usd_per_year")
DRAW_GAP: Final = 2e-3
PHYSICAL_POINTS: Final = 8
OUTPUTS: Final = (
    "revenue_usd_per_rack_year",
    "total_tok_s_per_gpu",
    "cost_usd_per_gpu_hour",
    "profit_usd_per_gpu_year",
)


@dataclass(frozen=True)
class Regret:
    """Plans against futures.

    ``plans`` has a row per plan: ``plan`` (its racks in words), ``racks`` (their number by platform id), ``base``, ``robust``, ``mean_usd_per_year, p5_usd_per_year,
    p95_usd_per_year, mean_regret, p95_regret`` (shares of the best profit), ``best_share`` (draws in which it is within
    :data:`CLOSE` of the best), ``measured`` (whether the fit has seen a run of each of its platforms). ``profit`` is
    ``(plans, draws)``, ``best`` of each draw's own plan; ``beside`` of racks that other limits chose.
    """

    plans: pd.DataFrame
    profit: FloatArray
    best: FloatArray
    leader: str
    """Platform that takes most of the plan's power."""
    leader_share: float
    """Draws in which it takes most of the best plan's power too [-]."""
    draws: int
    beside: FloatArray

    def wins(self, other: Mapping[str, Any]) -> float:
        """Share of draws in which the plan asked about earns more than another of :attr:`plans` [-]."""
        names = self.plans["plan"].tolist()
        ours, theirs = (self.profit[names.index(row["plan"])] for row in (self.base, other))
        return float(np.mean(ours > theirs))

    @property
    def measured(self) -> Mapping[str, Any] | None:
        """The row of least mean regret among plans of measured platforms alone; None where there is none."""
        rows = self.plans[self.plans["measured"]].sort_values("mean_regret", kind="stable")
        return dict(rows.iloc[0]) if len(rows) else None

    @property
    def base(self) -> Mapping[str, Any]:
        """The row of the plan asked about."""
        return dict(self.plans[self.plans["base"]].iloc[0])

    @property
    def robust(self) -> Mapping[str, Any]:
        """The row of the plan that is good in most futures: least mean regret."""
        return dict(self.plans[self.plans["robust"]].iloc[0])


def regret(
    found: PlanResult,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    progress: Callable[[int, int], None] | None = None,
    beside: Sequence[PlanResult] = (),
) -> Regret:
    """Regret of a plan over draws of every uncertain input, beside plans that were best in some of them.

    Parameters
    ----------
    found : PlanResult
        A plan for profit or present value; judged by yearly profit.
    draws : int
        A power of two.
    progress : callable, optional
        Called with the draws planned and their number.
    beside : sequence of PlanResult
        Plans of the same platforms and traffic under other limits: what their racks earn in the same draws.

    Raises
    ------
    InputError
        A plan of least cost, or one with demand that must be served: it is not judged by profit.
    """
    form = found.form
    if found.asked.objective == "cost" or form.program.must.any():
        raise InputError(
            "regret judges by profit: the plan must not be one of least cost or of demand that must be served"
        )
    points = min(PHYSICAL_POINTS, draws)
    programs = futures(form, lambda design: sample(design, draws, seed, physical_points=points))
    own = []
    for number, program in enumerate(programs):
        solution = solve(program, time_limit_s=found.asked.time_limit_s, gap=DRAW_GAP)
        assert solution is not None  # nothing must be served: no rack at all is a plan
        own.append(solution)
        if progress is not None:
            progress(number + 1, draws)
    plans = _candidates((found.solution.bought, found.solution.kept), [(one.bought, one.kept) for one in own])
    profit = np.array([_earned(program, plans) for program in programs]).T
    best = np.maximum(np.array([one.objective for one in own]), profit.max(axis=0))
    mw = np.array([form.menu.platforms[name].rack_it_kw for name in form.program.platforms])
    leads = [int(np.argmax((one.bought + one.kept) * mw)) for one in own]
    lead = int(np.argmax((found.solution.bought + found.solution.kept) * mw))
    table = _table(form, plans, profit, best)
    share = float(np.mean([at == lead for at in leads]))
    others = np.array([[*one.solution.bought, *one.solution.kept] for one in beside])
    earned = np.array([objectives(program, others) for program in programs]).T if beside else np.empty((0, draws))
    return Regret(table, profit, best, form.program.platforms[lead], share, draws, earned)


def futures(form: Formulated, scores_of: Callable[[Design], Scores]) -> list[Program]:
    """The program of a plan in each of some draws.

    Parameters
    ----------
    scores_of : callable
        Scores of a design, such as :func:`rackecon.uncertainty.sampling.sample` gives.

    Notes
    -----
    A draw moves a point's rate and sales by the ratio of what its platform serves in the draw to what it serves with every
    input at its median: at the median the program is the plan's own, whatever deployment bears its open arrivals.
    """
    made, places = _portfolio(form)
    scores = scores_of(made.plan)
    drawn, middle = propagate(made, scores, OUTPUTS), propagate(made, median_scores(made.plan), OUTPUTS)
    names = form.program.platforms
    sold = made.inputs["utilisation"].quantile_of_normal(scores.of("utilisation", 0, 0))
    share = sold / made.assume.utilisation
    capex = np.array([made.inputs["capex"].quantile_of_normal(scores.of("capex", p, 0)) for p in range(len(names))])
    rate, sales, cost = (
        np.nan_to_num(drawn.values[name]) / np.where(middle.values[name] > 0, middle.values[name], np.inf)
        for name in ("total_tok_s_per_gpu", "revenue_usd_per_rack_year", "cost_usd_per_gpu_hour")
    )
    of = {cell.accelerator: n for n, cell in reversed(list(enumerate(made.cells))) if not cell.reason}
    dearer = cost[[of[name] for name in names]]
    return [
        _in_draw(form, rate[places, j], sales[places, j] / share[j], dearer[:, j], float(share[j]), capex[:, j])
        for j in range(len(scores))
    ]


def _portfolio(form: Formulated) -> tuple[Portfolio, IntArray]:
    """Cells of what the plan serves, ready to be drawn, and the cell of each flow."""
    plan = form.plan
    cases = {
        (i, tier): replace(tier_case(plan, i, tier), id=f"{i}/{tier}")
        for i, item in enumerate(plan.demand)
        for tier in item.tiers
    }
    models = list(dict.fromkeys(item.model for item in plan.demand))
    listed = {name: card for name, card in cards(plan, form.menu.assume).items() if card is not None}
    made = portfolio(form.program.platforms, models, cases.values(), price_cards=listed, **plan.assumptions)
    # each workload is drawn with its own model alone
    asked = {(plan.demand[i].model, case.id) for (i, _), case in cases.items()}
    cells = tuple(c if (c.model, c.scenario) in asked else replace(c, reason="not asked for") for c in made.cells)
    place = {(c.accelerator, c.model, c.scenario): n for n, c in enumerate(cells)}
    points = form.menu.points.iloc[form.flows["point"].to_numpy(dtype=int)]
    rows = zip(points["accelerator"], points["item"], points["tier"], strict=True)
    return replace(made, cells=cells), np.array(
        [place[key, plan.demand[i].model, f"{i}/{tier}"] for key, i, tier in rows]
    )


def _in_draw(
    form: Formulated, rate: FloatArray, sales: FloatArray, cost: FloatArray, demand: float, capex: FloatArray
) -> Program:
    """The program of yearly profit with its rates, sales, costs, demand and prices of racks moved by factors."""
    program = form.program
    limits = dict(program.limits)
    if "capital_usd" in limits:
        limits["capital_usd"] = replace(limits["capital_usd"], per_bought=limits["capital_usd"].per_bought * capex)
    yearly = program.flow_value if form.plan.objective == "profit" else form.other_flow_value
    return replace(
        program,
        bought_value=-form.cost_usd_per_rack_year * cost,
        kept_value=-form.running_usd_per_rack_year,
        limits=limits,
        wanted=program.wanted * demand,
        # what serves nothing in a draw has no rate: a tiny one keeps its row
        flow_rate=program.flow_rate * np.maximum(rate, NOTHING),
        flow_value=yearly * sales,
    )


Racks = tuple[FloatArray, FloatArray]


def _candidates(base: Racks, own: Sequence[Racks]) -> list[Racks]:
    """The plan asked about, then unlike plans of the draws, the commonest first: alike within a twentieth of all racks."""
    groups: dict[tuple[int, ...], list[Racks]] = {}
    for bought, kept in own:
        racks = bought + kept
        groups.setdefault(tuple(np.round(20.0 * racks / max(racks.sum(), 1.0)).astype(int)), []).append((bought, kept))
    some = [group[len(group) // 2] for group in sorted(groups.values(), key=len, reverse=True)]
    return [base, *some[: MOST_PLANS - 1]]


def _earned(program: Program, plans: Sequence[Racks]) -> FloatArray:
    """Profit of given racks in a draw; where its limits no longer carry them all, whole racks are left out in proportion."""
    fleets = []
    for bought, kept in plans:
        share = min([1.0, *(_room(limit, bought, kept) for limit in program.limits.values())])
        racks = np.concatenate([bought, kept])
        fleets.append(np.floor(racks * share) if share < 1.0 else racks)
    return objectives(program, np.array(fleets))


def _room(limit: Limit, bought: FloatArray, kept: FloatArray) -> float:
    used = float(limit.per_bought @ bought + limit.per_kept @ kept)
    return limit.amount * (1 + 1e-9) / used if used > 0 else 1.0


def _table(form: Formulated, plans: Sequence[Racks], profit: FloatArray, best: FloatArray) -> pd.DataFrame:
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.where(best > 0, (best - profit) / best, 0.0)
    labels = [platform_named(form.menu.platforms[name].label) for name in form.program.platforms]
    seen = np.array([name in measured_platforms() for name in form.program.platforms], dtype=bool)
    rows = []
    for k, (bought, kept) in enumerate(plans):
        racks = bought + kept
        words = [f"{plural(int(n), 'rack')} of {label}" for n, label in zip(racks, labels, strict=True) if n]
        rows.append(
            {
                "plan": join_words(words) or "nothing",
                "racks": {name: int(n) for name, n in zip(form.program.platforms, racks, strict=True) if n},
                "base": k == 0,
                "measured": bool(seen[racks > 0].all()),
                **dict(zip(PROFIT_ENDS, profit_ends(profit[k]), strict=True)),
                "mean_regret": float(lost[k].mean()),
                "p95_regret": float(np.quantile(lost[k], 0.95)),
                "best_share": float((lost[k] <= CLOSE).mean()),
            }
        )
    table = pd.DataFrame(rows)
    least = table["mean_regret"] == table["mean_regret"].min()
    return table.assign(robust=least & ~least.duplicated())


def profit_ends(profit: FloatArray) -> tuple[float, float, float]:
    """Mean and ends of 90 % of a plan's profit over futures [USD/year].

    Examples
    --------
    >>> profit_ends(np.arange(21.0) ** 2)
    (136.67, 1.0, 361.0)
    """
    low, high = np.quantile(profit, [0.05, 0.95])
    return float(profit.mean()), float(low), float(high)


def told(judged: Regret) -> list[str]:
    """What the draws say of a plan, in two lines."""
    base, robust = judged.base, judged.robust
    lines = [
        f"of {judged.draws} futures the plan is within {percent(CLOSE)} of the best in {percent(base['best_share'])}, and earns "
        f"{percent(base['mean_regret'])} less on average; {catalog.accelerator(judged.leader).label} takes most power in "
        f"{percent(judged.leader_share)} of their best plans"
    ]
    if not base["robust"]:
        lines.append(f"least regret, {percent(robust['mean_regret'])} on average: {robust['plan']}")
    return lines
