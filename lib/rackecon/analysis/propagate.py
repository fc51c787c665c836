"""From uncertain inputs to money: every draw chooses its own most profitable configuration inside the latency limits.

Serving rates come from short lists (:mod:`rackecon.analysis.shortlist`), are moved by the serving model's own error,
checked against the limits, priced and costed with the functions of :mod:`rackecon.economics`. With every input at its
median the result is that of :func:`rackecon.analysis.evaluate.evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon.analysis.assumptions import Assumptions, assumptions
from rackecon.analysis.distributions import Distribution, distributions, recentred, two_piece
from rackecon.analysis.money import Platform, cards_for, platforms_for
from rackecon.analysis.sampling import PHYSICAL_POINTS, SEED, Design, Scores, design, sample
from rackecon.analysis.shortlist import PHYSICAL, RATES, Work, exact_rows, relevant, shortlist, tails, work_at
from rackecon.economics.money_step import level_price_factor, money_step, per_year
from rackecon.economics.power import draw_share, drawn_kw_per_gpu
from rackecon.economics.power_table import draw_curve
from rackecon.economics.price_table import listings
from rackecon.economics.restated import restated_cost_usd_per_gpu_hour
from rackecon.economics.returns import returns
from rackecon.economics.revenue import PriceCard
from rackecon.economics.tokens import cost_usd_per_mtok
from rackecon.errors import InputError
from rackecon.evidence.intervals import interval_factors

if TYPE_CHECKING:
    from rackecon.catalog import Scenario

__all__ = ["DRAWS", "OUTPUTS", "Cell", "Outcomes", "Portfolio", "Terms", "portfolio", "propagate", "run"]

FloatArray = NDArray[np.float64]
DRAWS: Final = 32768
"""Draws of the reports: enough that twice as many move no reported percentile by 1 % of its range."""
Z90: Final = 1.6448536269514722
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
RECENTRED: Final = {
    "utilisation": "utilisation",
    "wacc": "wacc",
    "electricity_usd_per_kwh": "electricity_usd_per_kwh",
    "pue": "pue",
    "price_decline": "price_decline_per_year",
    "life_years": "horizon_years",
}
"""Inputs whose median is an assumption of the report: another assumption moves the whole distribution."""


@dataclass(frozen=True)
class Cell:
    """One platform serving one model under one scenario, ready to be drawn."""

    accelerator: str
    model: str
    scenario: str
    reason: str
    platform: Platform
    card: PriceCard | None
    platform_index: int
    model_index: int
    price: tuple[float, float, float, float]
    """Lowest, 10th and 90th percentile, highest price level: factors on the card."""


@dataclass(frozen=True)
class Portfolio:
    """Cells of platforms x models x scenarios with the distributions and factors behind their draws."""

    cells: tuple[Cell, ...]
    cases: Mapping[str, Scenario]
    inputs: Mapping[str, Distribution]
    plan: Design
    assume: Assumptions
    options: Mapping[str, Any] = field(default_factory=dict)
    lists: dict[tuple[Any, ...], dict[str, NDArray[Any]]] = field(default_factory=dict, compare=False, repr=False)
    """Short lists already searched, by cell and physical point."""

    def listed(self, cell: Cell, scores: FloatArray) -> dict[str, NDArray[Any]]:
        """Short list of a cell at one physical point, searched once."""
        key = (cell.accelerator, cell.model, cell.scenario, *scores.tolist())
        if key not in self.lists:
            case = self.cases[cell.scenario]
            work = work_at(case, cell.model, self.inputs, scores[None, :])
            self.lists[key] = shortlist(exact_rows(cell.accelerator, cell.model, work, 0, self.options), case)
        return self.lists[key]


@dataclass(frozen=True)
class Outcomes:
    """Every output of every cell in every draw: ``values[output]`` is ``(cells, draws)``, NaN where no result."""

    portfolio: Portfolio
    values: Mapping[str, FloatArray]
    served: NDArray[np.bool_]
    """Whether any configuration met the limits in that draw; if not, it earns nothing and costs all."""
    layout: NDArray[np.str_]
    """Chosen configuration: mode, layout, draft tokens, requests in flight; empty where nothing served."""

    @property
    def draws(self) -> int:
        """Number of draws."""
        return int(self.served.shape[1])

    def rows(self, model: str, scenario: str) -> NDArray[np.intp]:
        """Cells of one comparison, in the order of the platforms."""
        cells = self.portfolio.cells
        return np.array([i for i, c in enumerate(cells) if (c.model, c.scenario) == (model, scenario)], dtype=np.intp)


def portfolio(
    accelerators: Sequence[str],
    models: Sequence[str],
    scenarios: Iterable[str | Scenario],
    *,
    price_cards: Mapping[str, PriceCard] | None = None,
    search_options: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Distribution] | None = None,
    **overrides: Any,
) -> Portfolio:
    """Search the short lists and line up distributions, prices and costs.

    Parameters
    ----------
    accelerators, models : sequence of str
        Ids.
    scenarios : iterable of str or Scenario
        Ids of data/scenarios.csv or records.
    price_cards, search_options : mapping, optional
        As in :func:`rackecon.analysis.evaluate.evaluate`.
    inputs : mapping of Distribution, optional
        Those of data/distributions.csv by default; their medians follow the assumptions.
    **overrides
        Fields of :class:`~rackecon.analysis.assumptions.Assumptions`.

    Returns
    -------
    Portfolio
    """
    from rackecon import catalog

    assume = assumptions(**overrides)
    known = dict(inputs) if inputs is not None else distributions()
    for name, owner in RECENTRED.items():
        known[name] = recentred(known[name], float(getattr(assume, owner)))
    cases = {c.id: c for c in (catalog.scenario(s) if isinstance(s, str) else s for s in scenarios)}
    platforms = platforms_for(accelerators, assume)
    cards = cards_for(models, assume, price_cards)
    widths = {name: _price_width(name, assume, known["price_level"]) for name in models}
    cells = []
    for case in cases.values():
        for m, name in enumerate(models):
            for p, key in enumerate(accelerators):
                reason = platforms[key].reason
                if cards[name] is None:
                    reason = "no standard listing of the model at the as-of date"
                cells.append(Cell(key, name, case.id, reason, platforms[key], cards[name], p, m, widths[name]))
    return Portfolio(
        tuple(cells), cases, known, design(accelerators, models, known), assume, dict(search_options or {})
    )


def _price_width(model: str, assume: Assumptions, item: Distribution) -> tuple[float, float, float, float]:
    """Lowest, 10th and 90th percentile, highest output price over the median; the table's where few list the model."""
    from rackecon import catalog

    found = listings(catalog.table("prices"), model, assume.as_of_date)["output"].to_numpy(dtype=float)
    found = found[found > 0]
    if len(found) < 3:
        return 0.0, item.low, item.high, math.inf
    least, low, high, most = np.quantile(found / np.median(found), [0.0, 0.1, 0.9, 1.0])
    return float(least), min(float(low), 1.0), max(float(high), 1.0), float(most)


def run(
    accelerators: Sequence[str],
    models: Sequence[str],
    scenarios: Iterable[str | Scenario],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    physical_points: int = PHYSICAL_POINTS,
    **options: Any,
) -> Outcomes:
    """Portfolio, draws from the recorded seed and propagation in one call.

    Parameters
    ----------
    accelerators, models, scenarios
        As :func:`portfolio`.
    draws, seed, physical_points : int
        As :func:`rackecon.analysis.sampling.sample`.
    **options
        The other options of :func:`portfolio`.

    Returns
    -------
    Outcomes
    """
    made = portfolio(accelerators, models, scenarios, **options)
    return propagate(made, sample(made.plan, draws, seed, physical_points=physical_points))


def propagate(made: Portfolio, scores: Scores) -> Outcomes:
    """Outputs of every cell in every draw.

    Parameters
    ----------
    made : Portfolio
    scores : Scores
        From :func:`rackecon.analysis.sampling.sample`, or set by hand (a tornado, a grid).

    Returns
    -------
    Outcomes
    """
    n = len(scores)
    values = {name: np.full((len(made.cells), n), np.nan) for name in OUTPUTS}
    served = np.zeros((len(made.cells), n), dtype=bool)
    layouts = np.full((len(made.cells), n), "", dtype="<U96")
    for i, cell in enumerate(made.cells):
        if cell.reason:
            continue
        terms = Terms(made, cell, scores)
        rates, load = np.ones((3, n)), np.zeros(n)
        points, group = np.unique(terms.physical, axis=0, return_inverse=True)
        order = np.argsort(group, kind="stable")
        ends = np.cumsum(np.bincount(group, minlength=len(points)))
        for at, part in zip(points, np.split(order, ends[:-1]), strict=True):
            rows = made.listed(cell, at)
            if not len(rows["mode"]):
                continue
            best, ok, chosen = terms.choose(rows, part)
            served[i, part] = ok
            rates[:, part] = np.where(ok, chosen, 1.0)
            load[part] = np.where(ok, drawn_it_kw(cell, rows)[best], 0.0)
            layouts[i, part] = np.where(ok, _names(rows)[best], "")
        for name, value in terms.money(rates, served[i], load).items():
            values[name][i] = value
    return Outcomes(made, values, served, layouts)


def _names(rows: Mapping[str, NDArray[Any]]) -> NDArray[np.str_]:
    texts = [
        f"{mode}, {layout}, {draft:g} draft, {load:g} in flight"
        for mode, layout, draft, load in zip(
            rows["mode"], rows["layout"], rows["draft_tokens"], rows["concurrency"], strict=True
        )
    ]
    return np.array(texts, dtype="<U96")


def drawn_it_kw(cell: Cell, rows: Mapping[str, NDArray[Any]]) -> FloatArray:
    """IT power drawn by each configuration [kW/GPU]; 0 where the platform's is unknown."""
    it_kw = cell.platform.it_kw_per_gpu
    if math.isnan(it_kw):
        return np.zeros(len(rows["gpus"]))
    share = draw_share(draw_curve(), rows["concurrency"] / rows["gpus"])
    return np.nan_to_num(drawn_kw_per_gpu(cell.platform.tdp_w, it_kw, share))


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
        level = level_price_factor(x["wacc"], x["price_decline"], x["life_years"])
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
            free_share=base.free_share,
            price_factor=base.price_factor * level * price,
        ).revenue_usd_per_gpu_hour
        self.base_cost = p.cost.usd_per_gpu_hour * (1.0 if p.investment_usd_per_gpu == 0 else base.cost_factor)
        if p.investment_usd_per_gpu == 0:
            self.base_cost = p.running_usd_per_gpu_hour
        self.cost = restated_cost_usd_per_gpu_hour(
            self.base_cost,
            p.investment_usd_per_gpu,
            residual_usd_per_gpu=p.residual_usd_per_gpu,
            base_rate_per_year=base.wacc,
            base_life_years=base.horizon_years,
            capex_factor=x["capex"],
            rate_per_year=x["wacc"],
            life_years=x["life_years"],
            residual_share=np.minimum(x["residual_share"], 1.0 - _share(p)),
        )
        self.bill = x["electricity_usd_per_kwh"] * x["pue"] - _base_bill(p)

    def errors(self, mode: str, part: NDArray[np.intp]) -> FloatArray:
        """Log errors of :data:`RATES` in a mode, ``(3, draws)``: one error for all of a cell's configurations."""
        link = self.made.inputs[f"speed_follows_rate_{mode}"].central
        rate = self.z["rate_error"][part]
        speed = link * rate + math.sqrt(1.0 - link * link) * self.z["speed_error"][part]
        out = []
        for quantity, z in zip(RATES, (rate, speed, self.z["ttft_error"][part]), strict=True):
            low, high = np.log(interval_factors(self.cell.accelerator, self.cell.model, mode, quantity))
            out.append(z * np.where(z < 0, -low, high) / Z90)
        return np.stack(out)

    def choose(
        self, rows: Mapping[str, NDArray[Any]], part: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_], FloatArray]:
        """Most profitable configuration inside the limits, whether there is one, and its rates ``(3, draws)``.

        Parameters
        ----------
        rows : mapping of ndarray
            Configurations at the draws' common physical point.
        part : ndarray of int
            The draws.
        """
        case, tail = self.case, tails(self.case)
        wanted = 1000.0 * tail[0] / case.tpot_limit_ms * (1 - 1e-9) if case.tpot_limit_ms is not None else 0.0
        latest = case.ttft_limit_ms / tail[1] * (1 + 1e-9) if case.ttft_limit_ms is not None else np.inf
        split = np.asarray(rows["mode"]) == "disaggregated"
        factor = np.empty((3, len(part), len(split)))
        for flag, mode in ((False, "aggregated"), (True, "disaggregated")):
            if (split == flag).any():
                factor[:, :, split == flag] = np.exp(self.errors(mode, part))[:, :, None]
        rates = factor * np.stack([rows[name] for name in RATES])[:, None, :]
        gain = rates[0] * self.unit_revenue[part, None] - self.bill[part, None] * drawn_it_kw(self.cell, rows)
        gain = np.where((rates[1] >= wanted) & (rates[2] <= latest), gain, -np.inf)
        best = np.argmax(gain, axis=1)
        at = np.arange(len(part))
        return best, np.isfinite(gain[at, best]), rates[:, at, best]

    def money(self, rates: FloatArray, served: NDArray[np.bool_], drawn_kw: FloatArray) -> dict[str, FloatArray]:
        """Outputs of the chosen configurations."""
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
            running = p.running_usd_per_gpu_hour + self.base_cost_gap() + self.bill * drawn_kw
            share = np.minimum(x["residual_share"] + _share(p), 1.0)
            result = returns(
                investment_usd=invested,
                revenue_usd_per_year=per_year(revenue) / self.level,
                running_cost_usd_per_year=per_year(np.maximum(running, 0.0)),
                horizon_years=x["life_years"],
                rate_per_year=x["wacc"],
                price_decline_per_year=x["price_decline"],
                residual_usd=share * invested,
            )
            out["profit_usd_per_invested_usd_year"] = per_year(profit, 1.0 / invested)
            out["npv_usd_per_rack"] = result.npv_usd * p.gpus_per_rack
            out["vendor_roi"], out["profit_roi"] = result.vendor_roi, result.profit_roi
            out["payback_years"] = result.payback_years
        return out

    def base_cost_gap(self) -> float:
        """What of the base cost is neither capital charge nor running cost (0 on the published basis)."""
        from rackecon.economics.restated import capital_charge_usd_per_gpu_hour

        p, base = self.cell.platform, self.made.assume
        charge = capital_charge_usd_per_gpu_hour(
            p.investment_usd_per_gpu, p.residual_usd_per_gpu, base.wacc, base.horizon_years
        )
        return float(self.base_cost - charge - p.running_usd_per_gpu_hour)


def _share(p: Platform) -> float:
    return p.residual_usd_per_gpu / p.investment_usd_per_gpu if p.investment_usd_per_gpu > 0 else 0.0


def _base_bill(p: Platform) -> float:
    """Electricity price times PUE behind a published ownership figure: the base case's [USD/kWh]."""
    from rackecon import catalog

    base = catalog.base_case()
    return base.electricity_usd_per_kwh * base.pue
