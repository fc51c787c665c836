"""From uncertain inputs to money: every draw chooses its own most profitable configuration inside the latency limits.

Serving rates come from short lists (:mod:`rackecon.uncertainty.shortlist`), are moved by the serving model's own error,
checked against the limits, priced and costed with the functions of :mod:`rackecon.economics`. With every input at its
median the result is that of :func:`rackecon.appraisal.evaluate.evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.appraisal.money import level_factor
from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Scenario
from rackecon.catalog.cached import one_state
from rackecon.economics import power_table
from rackecon.economics.money_step import money_step, per_year, revenue_fall
from rackecon.economics.records import UNSOLD
from rackecon.economics.restated import capital_charge_usd_per_gpu_hour, terms_factor
from rackecon.economics.returns import returns
from rackecon.economics.tokens import cost_usd_per_mtok
from rackecon.errors import InputError, check_known
from rackecon.evidence.intervals import AT_SPEED, drawn_logs
from rackecon.serving.query import LIMIT_SLACK, Limits
from rackecon.uncertainty.distributions import two_piece
from rackecon.uncertainty.portfolio import Cell, Portfolio, portfolio
from rackecon.uncertainty.sampling import PHYSICAL_POINTS, SEED, Scores, sample
from rackecon.uncertainty.shortlist import BUSY, PHYSICAL, RATES, Work, relevant, work_at

DRAWS: Final = 32768
"""Draws of the reports: enough that twice as many move no reported percentile by 1 % of its range."""
OUTPUTS: Final = (
    "profit_usd_per_rack_year",
    "profit_usd_per_mw_year",
    "profit_usd_per_position_year",
    "profit_usd_per_invested_usd_year",
    "profit_usd_per_gpu_year",
    "revenue_usd_per_rack_year",
    "cost_usd_per_mtok_total",
    "cost_usd_per_mtok_output",
    "cost_usd_per_gpu_hour",
    "npv_usd_per_rack",
    "vendor_roi",
    "profit_roi",
    "payback_years",
    "total_tok_s_per_gpu",
    "output_tok_s_per_gpu",
    "tok_s_per_user",
)
ERRORS: Final = {"rate_error": AT_SPEED, "speed_error": "tok_s_per_user", "ttft_error": "ttft_ms"}
"""Whose interval each error of the serving model has: of a search's rate at the promised speed, of the fastest speed that it
finds (whether a promise is kept at all), of its first token."""
RETURNS: Final = frozenset({"npv_usd_per_rack", "vendor_roi", "profit_roi", "payback_years"})
BLOCK: Final = 512
"""Draws weighed at once: more fall out of the processor's cache."""


@dataclass(frozen=True)
class Outcomes:
    """Every output of every cell in every draw: ``values[output]`` is ``(cells, draws)``, NaN where no result."""

    portfolio: Portfolio
    values: Mapping[str, FloatArray]
    served: BoolArray
    """Whether any configuration met the limits in that draw; if not, it earns nothing and costs all."""
    layout: NDArray[np.object_]
    """Chosen configuration: mode, layout, draft tokens, requests in flight; empty where nothing served."""

    @property
    def draws(self) -> int:
        """Number of draws."""
        return int(self.served.shape[1])

    def rows(self, model: str, scenario: str) -> IntArray:
        """Cells of one comparison, in the order of the platforms."""
        cells = self.portfolio.cells
        return np.array([i for i, c in enumerate(cells) if (c.model, c.scenario) == (model, scenario)], dtype=np.intp)


def run(
    accelerators: Sequence[str],
    models: Sequence[str],
    scenarios: Iterable[str | Scenario],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    physical_points: int = PHYSICAL_POINTS,
    outputs: Sequence[str] = OUTPUTS,
    **options: Any,
) -> Outcomes:
    """Portfolio, draws from the recorded seed and propagation in one call.

    Parameters
    ----------
    accelerators, models, scenarios
        As :func:`portfolio`.
    draws, seed, physical_points : int
        As :func:`rackecon.uncertainty.sampling.sample`.
    outputs : sequence of str
        As :func:`propagate`.
    **options
        The other options of :func:`portfolio`.
    """
    made = portfolio(accelerators, models, scenarios, **options)
    return propagate(made, sample(made.plan, draws, seed, physical_points=physical_points), outputs)


@one_state()
def propagate(made: Portfolio, scores: Scores, outputs: Sequence[str] = OUTPUTS) -> Outcomes:
    """Outputs of every cell in every draw.

    Parameters
    ----------
    scores : Scores
        From :func:`rackecon.uncertainty.sampling.sample`, or set by hand (a tornado, a grid).
    outputs : sequence of str
        Those of :data:`OUTPUTS` that are wanted.
    """
    n = len(scores)
    for name in outputs:
        check_known("output", name, OUTPUTS)
    values = {name: np.full((len(made.cells), n), np.nan) for name in outputs}
    served = np.zeros((len(made.cells), n), dtype=bool)
    layouts = np.full((len(made.cells), n), "", dtype=object)
    for i, cell in enumerate(made.cells):
        if cell.reason:
            continue
        terms = Terms(made, cell, scores)
        rates, load = np.ones((3, n)), np.zeros(n)
        same = list(_same_point(terms.physical))
        made.prepare(cell, np.array([at for at, _ in same]))
        lists = [made.listed(cell, at) for at, _ in same]
        drawn = drawn_it_kw(cell, {name: np.concatenate([rows[name] for rows in lists]) for name in BUSY})
        ends = np.cumsum([len(rows["mode"]) for rows in lists])
        for (_, part), rows, drawn_kw in zip(same, lists, np.split(drawn, ends[:-1]), strict=True):
            if not len(drawn_kw):
                continue
            for some in np.split(part, range(BLOCK, len(part), BLOCK)):
                best, ok, chosen = terms.choose(rows, some, drawn_kw)
                served[i, some] = ok
                rates[:, some] = np.where(ok, chosen, 1.0)
                load[some] = np.where(ok, drawn_kw[best], 0.0)
                layouts[i, some] = np.where(ok, _names(rows, best), "")
        with_returns = not RETURNS.isdisjoint(outputs)
        for name, value in terms.money(rates, served[i], load, with_returns=with_returns).items():
            if name in values:
                values[name][i] = value
    return Outcomes(made, values, served, layouts)


def _same_point(physical: FloatArray) -> Iterator[tuple[FloatArray, IntArray]]:
    """Each distinct point, in rising order, and the draws at it. Draws at one point mostly stand in one run."""
    new = np.concatenate([[True], (physical[1:] != physical[:-1]).any(axis=1)])
    starts = np.flatnonzero(new)
    points, of_run = np.unique(physical[starts], axis=0, return_inverse=True)
    group = np.ravel(of_run)[np.cumsum(new) - 1]
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=len(points)))
    yield from zip(points, np.split(order, ends[:-1]), strict=True)


def _names(rows: Mapping[str, NDArray[Any]], best: IntArray) -> NDArray[np.object_]:
    """Text of each draw's configuration; only those that were chosen are written out."""
    used = np.flatnonzero(np.bincount(best))
    parts = (rows[name][used] for name in ("mode", "layout", "draft_tokens", "concurrency"))
    texts = [
        f"{mode}, {layout}, {draft:g} draft, {load:g} in flight"
        for mode, layout, draft, load in zip(*parts, strict=True)
    ]
    return np.array(texts, dtype=object)[np.searchsorted(used, best)]


def drawn_it_kw(cell: Cell, rows: Mapping[str, NDArray[Any]]) -> FloatArray:
    """IT power drawn by each configuration [kW/GPU]; 0 where the platform's is unknown."""
    plat = cell.platform
    return np.nan_to_num(power_table.drawn_it_kw(plat.accelerator, plat.tdp_w, plat.it_kw_per_gpu, rows))


class Terms:
    """Prices, costs, limits and serving errors of one cell in every draw."""

    def __init__(self, made: Portfolio, cell: Cell, scores: Scores) -> None:
        self.made, self.cell = made, cell
        self.case = made.cases[cell.scenario]
        z = {name: scores.of(name, cell.platform_index, cell.model_index) for name in made.plan.inputs}
        self.z = z
        item = made.inputs
        matters = relevant(cell.model, self.case)
        self.physical = np.stack(
            [z[n] if use else np.zeros(len(scores)) for n, use in zip(PHYSICAL, matters, strict=True)], 1
        )
        self.work: Work = work_at(self.case, cell.model, item, self.physical)
        own = [n for n in made.plan.inputs if item[n].form not in ("evidence", "listings") and n not in PHYSICAL]
        self.x = {name: item[name].quantile_of_normal(z[name]) for name in own}
        x, base, p, card = self.x, made.assume, cell.platform, cell.card
        if card is None or p.cost is None:
            raise InputError(f"{cell.accelerator}, {cell.model}: {cell.reason}")
        self.fall = revenue_fall(x["price_decline"], base.own_software_gain_per_year)
        level = level_factor(self.fall, x["life_years"])
        least, low, high, most = cell.price
        price = np.clip(np.exp(two_piece(z["price_level"], math.log(low), 0.0, math.log(high))), least, most)
        self.level = level
        self.output_share = self.work.osl_tokens / (self.work.isl_tokens + self.work.osl_tokens)
        self.unit_revenue = money_step(
            total_tok_s_per_gpu=1.0,
            output_tok_s_per_gpu=self.output_share,
            price_fresh_input_usd_per_mtok=card.fresh_input,
            price_cached_input_usd_per_mtok=card.cached_input,
            price_output_usd_per_mtok=card.output,
            cost_usd_per_gpu_hour=0.0,
            prefix_cache_hit=self.work.prefix_cache_hit,
            utilisation=x["utilisation"],
            licence_share=base.licence_share,
            free_share=x["free_share"],
            price_factor=base.price_factor * level * price,
        ).revenue_usd_per_gpu_hour
        self.resale = x["residual_share"] * p.resells
        self.cost = p.cost.usd_per_gpu_hour * base.cost_factor * x["rent"]
        if p.kept_share < 1.0:
            built = p.built_rate_per_year, p.built_life_years
            terms = (x["wacc"], x["life_years"], self.resale, base.tax_rate)
            factor = terms_factor(*terms, kept_share=p.kept_share, built=built, capex_factor=x["capex"])
            self.cost = p.cost.usd_per_gpu_hour * base.cost_factor * factor
        elif p.cost.unsold_hours == UNSOLD["on_demand"]:
            self.cost = self.cost * x["utilisation"]
        self.bill = (x["electricity_usd_per_kwh"] * x["pue"] - _base_bill()) * (p.kept_share < 1.0)
        self.factors: dict[str, FloatArray] = {}

    def errors(self, mode: str) -> FloatArray:
        """The :data:`ERRORS` in a mode, as factors, ``(3, draws)``: one for all of a cell's configurations."""
        if mode not in self.factors:
            ends = (self.made.error_ends(self.cell, mode, of) for of in ERRORS.values())
            self.factors[mode] = np.exp([drawn_logs(end, self.z[name]) for name, end in zip(ERRORS, ends, strict=True)])
        return self.factors[mode]

    def choose(
        self, rows: Mapping[str, NDArray[Any]], part: IntArray, drawn_kw: FloatArray
    ) -> tuple[IntArray, BoolArray, FloatArray]:
        """Most profitable configuration inside the limits, whether there is one, and its rates ``(3, draws)``.

        The rate at the promised speed errs as a search does; a promise beyond the fastest configuration is kept by that one
        where speeds are so much higher, and none is kept where the fastest is too slow.

        Parameters
        ----------
        rows : mapping of ndarray
            Configurations at the draws' common physical point.
        part : ndarray of int
            The draws.
        drawn_kw : ndarray
            From :func:`drawn_it_kw`.
        """
        limits = Limits.of_case(self.case)
        wanted, latest = limits.least_tok_s_per_user * (1 - LIMIT_SLACK), limits.latest_ttft_ms * (1 + LIMIT_SLACK)
        split = np.asarray(rows["mode"]) == "disaggregated"
        columns = [np.asarray(rows[name], dtype=float) for name in RATES]
        unit, bill = self.unit_revenue[part, None], self.bill[part, None]
        most = np.full(len(part), -np.inf)
        best, chosen = np.zeros(len(part), dtype=np.intp), np.ones((3, len(part)))
        # one mode at a time: its configurations share their error, so that no array of errors by configuration is made
        for flag, mode in ((False, "aggregated"), (True, "disaggregated")):
            at = np.flatnonzero(split == flag)
            if not len(at):
                continue
            factor = self.errors(mode)[:, part]
            fastest = columns[1][at].max()
            at = at[columns[1][at] >= min(wanted, fastest)]
            rate, speed, first = (column[at] for column in columns)
            gain = factor[0][:, None] * unit * rate
            gain -= bill * drawn_kw[at]
            out = (fastest * factor[1] < wanted)[:, None]
            if np.isfinite(latest):
                out = out | (first > latest / factor[2][:, None])
            np.copyto(gain, -np.inf, where=out)
            here = np.argmax(gain, axis=1)
            top = gain[np.arange(len(part)), here]
            better = (top > most) | ((top == most) & (at[here] < best))
            best = np.where(better, at[here], best)
            most = np.where(better, top, most)
            mine = np.stack([factor[0] * rate[here], np.maximum(speed[here], wanted), factor[2] * first[here]])
            chosen = np.where(better, mine, chosen)
        return best, np.isfinite(most), chosen

    def money(
        self, rates: FloatArray, served: BoolArray, drawn_kw: FloatArray, *, with_returns: bool = True
    ) -> dict[str, FloatArray]:
        """Outputs of the chosen configurations, :data:`RETURNS` among them where wanted."""
        p, x = self.cell.platform, self.x
        total = np.where(served, rates[0], 0.0)
        cost = np.maximum(self.cost + self.bill * drawn_kw, 0.0)
        revenue = total * self.unit_revenue
        profit = revenue - cost
        invested = p.investment_usd_per_gpu * x["capex"]
        out: dict[str, FloatArray] = {
            "cost_usd_per_gpu_hour": cost,
            "total_tok_s_per_gpu": total,
            "output_tok_s_per_gpu": total * self.output_share,
            "tok_s_per_user": np.where(served, rates[1], np.nan),
            "cost_usd_per_mtok_total": cost_usd_per_mtok(cost, total, x["utilisation"]),
            "cost_usd_per_mtok_output": cost_usd_per_mtok(cost, total * self.output_share, x["utilisation"]),
            "revenue_usd_per_rack_year": per_year(revenue, p.gpus_per_rack),
            "profit_usd_per_rack_year": per_year(profit, p.gpus_per_rack),
            "profit_usd_per_mw_year": per_year(profit, p.gpus_per_mw),
            "profit_usd_per_position_year": per_year(profit, p.gpus_per_position),
            "profit_usd_per_gpu_year": per_year(profit),
        }
        if p.investment_usd_per_gpu > 0:
            out["profit_usd_per_invested_usd_year"] = per_year(profit, 1.0 / invested)
        if p.investment_usd_per_gpu > 0 and with_returns:
            charge = capital_charge_usd_per_gpu_hour(invested, self.resale * invested, x["wacc"], x["life_years"])
            result = returns(
                investment_usd=invested,
                revenue_usd_per_year=per_year(revenue) / self.level,
                running_cost_usd_per_year=per_year(np.maximum(cost - charge, 0.0)),
                horizon_years=x["life_years"],
                rate_per_year=x["wacc"],
                price_decline_per_year=self.fall,
                residual_usd=self.resale * invested,
                internal_rate=False,
            )
            out["npv_usd_per_rack"] = result.npv_usd * p.gpus_per_rack
            out["vendor_roi"], out["profit_roi"] = result.vendor_roi, result.profit_roi
            out["payback_years"] = result.payback_years
        return out


def _base_bill() -> float:
    """Electricity price times PUE behind a cost of owning: the base case's [USD/kWh]."""
    base = catalog.base_case()
    return base.electricity_usd_per_kwh * base.pue
