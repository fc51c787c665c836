"""Money columns for operating points: the join of token rates with prices, costs, power and racks.

Vectorised over rows; the formulas live in :mod:`rackecon.economics`, this module only lines their inputs up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.arrays import FloatArray, IntArray
from rackecon.catalog.assumption_table import own_costs
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import OWN_SOURCE
from rackecon.economics.build_up_table import UNPRICED, cost_by_build_up
from rackecon.economics.checks import Numeric
from rackecon.economics.cost import implied_investment, select_cost
from rackecon.economics.cost_table import ownership_split, published_terms, residual_at
from rackecon.economics.market_table import card_at_level
from rackecon.economics.money_step import MoneyStep, level_price_factor, money_step, per_year
from rackecon.economics.power import drawn_kw_per_gpu, energy_cost_usd_per_gpu_hour, joules_per_token
from rackecon.economics.power_table import all_in_kw, drawn_it_kw, typical_draw_share
from rackecon.economics.price_table import speed_tiers
from rackecon.economics.racks import rack_units
from rackecon.economics.records import UNSOLD, CostRecord
from rackecon.economics.restated import capital_charge_usd_per_gpu_hour, terms_factor
from rackecon.economics.returns import returns
from rackecon.economics.revenue import PriceCard, speed_premium
from rackecon.economics.tokens import cost_usd_per_mtok, token_cost
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.words import percent

TOKEN_COUNTING: Final = "total = input (cached counted) + output tokens, over all GPUs, prefill and decode"
NO_LISTING: Final = "no standard listing of the model at the as-of date"
BACKED_OUT: Final = "backed out of a cost per GPU-hour: nobody publishes a price of the hardware that it stands for"
PRICED: Final = "price of the hardware: {}"
ROI_KIND: Final = (
    "vendor ROI = revenue / investment; profit ROI = (revenue - running - investment + resale) / investment"
)


@dataclass(frozen=True)
class Platform:
    """Money, power and rack facts of one accelerator under one set of assumptions; NaN where unknown."""

    accelerator: str
    label: str
    cost: CostRecord | None
    reason: str
    investment_usd_per_gpu: float
    running_usd_per_gpu_hour: float
    residual_usd_per_gpu: float
    kw_per_gpu: float
    it_kw_per_gpu: float
    tdp_w: float
    gpus_per_rack: float
    gpus_per_mw: float
    gpus_per_position: float
    rack_it_kw: float
    rack_grade: str
    built_rate_per_year: float
    """Cost of capital [1/year] and life [years] that its cost of owning is built with."""
    built_life_years: float
    kept_share: float
    """Share of the cost that no cost of capital, life or resale moves [-]; 1 where nothing is owned."""
    resells: float
    """Share of the investment that the resale value is of [-]; 0 where none comes on top of the cost."""
    investment_rule: str
    power_reason: str = ""
    """Why the power provisioned or drawn is not known; empty where both are."""


@dataclass(frozen=True)
class Basis:
    """What one GPU-hour of a platform rests on, before resale; NaN where unknown."""

    record: CostRecord | None
    reason: str = ""
    investment_usd_per_gpu: float = np.nan
    running_usd_per_gpu_hour: float = np.nan
    kept_share: float = 1.0
    built: tuple[float, float] = (np.nan, np.nan)
    resells: float = 0.0
    rule: str = ""

    def times(self, factor: float) -> Basis:
        """The same with all of its money multiplied."""
        if self.record is None or factor == 1.0:
            return self
        money = {name: getattr(self.record, name) * factor for name in ("usd_per_gpu_hour", "low", "high")}
        return replace(
            self,
            record=replace(self.record, **money),
            investment_usd_per_gpu=self.investment_usd_per_gpu * factor,
            running_usd_per_gpu_hour=self.running_usd_per_gpu_hour * factor,
        )


def _basis_of(accelerator: str, assume: Assumptions) -> Basis:
    """What a platform's cost rests on: the user's own cost, then the basis asked for.

    Where nobody prices its hardware a platform of a build-up stands on the published cost of owning, and says so.
    """
    if assume.cost_usd_per_gpu_hour is not None:
        value = assume.cost_usd_per_gpu_hour
        record = CostRecord(
            accelerator, "given", "given", "given", value, value, value, "all in", UNSOLD["ownership"], "", "given"
        )
        return _untaxed(_backed_out(record, (assume.wacc, assume.horizon_years), 0.0), assume)
    basis = "ownership" if assume.cost_basis == "build_up" else assume.cost_basis
    found = select_cost(accelerator, basis=basis, tier=assume.cost_tier, vintage=assume.cost_vintage)
    own = found is not None and found.source_id == OWN_SOURCE
    if assume.cost_basis == "build_up" and not own:
        built = _built_up(accelerator, assume.kw_per_gpu)
        if built is not None:
            return _own_cost(built, assume)
    if found is None:
        nothing = f"no published $/GPU-hour ({basis}, {assume.cost_tier}, vintage {assume.cost_vintage})"
        return Basis(None, f"{nothing}; {UNPRICED}" if assume.cost_basis == "build_up" else nothing)
    if found.basis == "rental":
        paid = Basis(found, "", 0.0, found.usd_per_gpu_hour, rule="nothing is invested")
        return _own_cost(_untaxed(paid, assume), assume)
    terms = _base_terms() if own else published_terms()
    resells = 0.0 if own and assume.residual_share is None else 1.0
    return _own_cost(_backed_out(found, terms, resells), assume)


def _untaxed(basis: Basis, assume: Assumptions) -> Basis:
    if assume.tax_rate and basis.record is not None:
        raise InputError(
            f"tax_rate {assume.tax_rate:g} changes nothing here: {basis.record.basis} capacity has no investment to write "
            "off; use cost_basis ownership or build_up"
        )
    return basis


def _base_terms() -> tuple[float, float]:
    base = catalog.base_case()
    return base.wacc, base.horizon_years


def _backed_out(record: CostRecord, built: tuple[float, float], resells: float) -> Basis:
    """A cost of owning and the investment that it stands for at the terms it is built with."""
    kept = ownership_split()[0]
    split = implied_investment(record.usd_per_gpu_hour, running_share=kept, rate_per_year=built[0], life_years=built[1])
    money = float(split.investment_usd_per_gpu), float(split.running_usd_per_gpu_hour)
    return Basis(record, "", *money, kept, built, resells, BACKED_OUT)


@by_data(256)
def _built_up(accelerator: str, kw_per_gpu: float | None) -> Basis | None:
    """A build-up, where there is one: its investment is the price of the hardware and of what goes with it."""
    built = cost_by_build_up(accelerator, kw_per_gpu)
    if built is None:
        return None
    record, parts = built
    invested, hour = float(parts.investment_usd_per_gpu), float(parts.usd_per_gpu_hour)
    charge = float(capital_charge_usd_per_gpu_hour(invested, 0.0, *_base_terms()))
    hardware = float(parts.hardware_usd_per_gpu)
    kept = 1.0 - charge / hour
    return Basis(
        record,
        "",
        invested,
        hour - charge,
        kept,
        _base_terms(),
        hardware / invested,
        PRICED.format(record.grade.split(", ")[0]),
    )


def _own_cost(basis: Basis, assume: Assumptions) -> Basis:
    """The same, moved to the reader's own figure at the base case's terms where ``own_costs`` holds one."""
    own = own_costs(assume.own_costs).get(basis.record.accelerator) if basis.record is not None else None
    if own is None or basis.record is None:
        return basis
    wacc, horizon = _base_terms()
    resale = basis.resells * float(residual_at(horizon))
    terms = 1.0
    if basis.kept_share < 1.0:
        terms = float(terms_factor(wacc, horizon, resale, kept_share=basis.kept_share, built=basis.built))
    return basis.times(own / (basis.record.usd_per_gpu_hour * terms))


def level_factor(price_decline_per_year: Numeric, horizon_years: Numeric) -> FloatArray:
    """Level equivalent of a falling price, months weighed at the base case's cost of capital whatever the owner's own.

    Weighed at the owner's own rate, early high prices would count for more the dearer capital is, and a yearly profit would
    rise with it. At the base case's rate profit and present value have one sign; at others the present value decides.

    Examples
    --------
    >>> float(level_factor(0.0, 5.0))
    1.0
    """
    return level_price_factor(catalog.base_case().wacc, price_decline_per_year, horizon_years)


def platforms_for(accelerators: Iterable[str], assume: Assumptions) -> dict[str, Platform]:
    """Money, power and rack facts of each accelerator.

    Parameters
    ----------
    accelerators : iterable of str
        Accelerator ids.

    Returns
    -------
    dict of Platform
        By accelerator id, in the order given.
    """
    racks = catalog.racks()
    out: dict[str, Platform] = {}
    for key in accelerators:
        part = catalog.accelerator(key)
        basis = _basis_of(key, assume)
        invested = basis.investment_usd_per_gpu * assume.cost_factor
        given = assume.kw_per_gpu
        kw, it_kw = (all_in_kw(key, assume.power_vintage), all_in_kw(key)) if given is None else (given, given)
        rack = racks.get(key)
        gpus = float(rack.gpus_per_rack) if rack is not None else np.nan
        units = rack_units(gpus, kw)
        out[key] = Platform(
            accelerator=key,
            label=part.label,
            cost=basis.record,
            reason=basis.reason,
            investment_usd_per_gpu=invested,
            running_usd_per_gpu_hour=basis.running_usd_per_gpu_hour * assume.cost_factor,
            residual_usd_per_gpu=invested * basis.resells * assume.resale_share,
            kw_per_gpu=kw,
            it_kw_per_gpu=it_kw,
            tdp_w=float(part.tdp_w),
            gpus_per_rack=gpus,
            gpus_per_mw=float(units.gpus_per_mw),
            gpus_per_position=float(units.gpus_per_position),
            rack_it_kw=it_kw * gpus,
            rack_grade=str(rack.grade) if rack is not None else "no rack layout",
            built_rate_per_year=basis.built[0],
            built_life_years=basis.built[1],
            kept_share=basis.kept_share,
            resells=basis.resells,
            investment_rule=basis.rule,
            power_reason=_no_power(it_kw, float(part.tdp_w)),
        )
    return out


def _no_power(it_kw: float, tdp_w: float) -> str:
    if np.isnan(it_kw):
        return "no published kW per GPU (kw_per_gpu gives one)"
    return "no published board power: what is drawn is not known" if np.isnan(tdp_w) else ""


def cards_for(
    models: Iterable[str], assume: Assumptions, given: Mapping[str, PriceCard] | None = None
) -> dict[str, PriceCard | None]:
    """Price card of each model; None where nothing is listed at the as-of date."""
    out: dict[str, PriceCard | None] = {}
    for model in models:
        if given is not None and model in given:
            out[model] = given[model]
            continue
        try:
            out[model] = card_at_level(model, assume.price_level, assume.as_of_date)
        except InputError:
            out[model] = None
    return out


def _level(assume: Assumptions) -> float:
    return float(level_factor(assume.revenue_fall_per_year, assume.horizon_years))


def _joined(points: pd.DataFrame, new: Mapping[str, Any]) -> pd.DataFrame:
    """The points with new columns, all set at once: one by one they take most of the time of an evaluation."""
    kept = points.drop(columns=[name for name in new if name in points])
    return pd.concat([kept, pd.DataFrame(new, index=points.index)], axis=1)


def _distinct(keys: Iterable[str]) -> tuple[list[str], IntArray]:
    """Each key that occurs, and which of them each row has."""
    order: dict[str, int] = {}
    which = np.array([order.setdefault(key, len(order)) for key in keys], dtype=np.intp)
    return list(order), which


@dataclass(frozen=True)
class _Rows:
    """Operating points lined up with money: which platform and which model each is of."""

    points: Mapping[str, Any] | pd.DataFrame
    accelerators: list[str]
    own: IntArray
    models: list[str]
    listed: IntArray

    @classmethod
    def of(cls, points: Mapping[str, Any] | pd.DataFrame) -> _Rows:
        """Those of some points."""
        return cls(points, *_distinct(points["accelerator"]), *_distinct(points["model"]))

    def __getitem__(self, name: str) -> FloatArray:
        return np.asarray(self.points[name], dtype=float)


@dataclass(frozen=True)
class _Paid:
    """What :func:`~rackecon.economics.money_step.money_step` takes of rows under one set of assumptions, and what goes with it.

    Prices are NaN where the model is not listed.
    """

    step: dict[str, Any]
    plat: list[Platform]
    card: list[PriceCard | None]
    drawn_it_kw_per_gpu: FloatArray
    cost_low: FloatArray
    cost_high: FloatArray


PRICES: Final = tuple(f"price_{name}_usd_per_mtok" for name in ("fresh_input", "cached_input", "output"))
Terms = tuple[Assumptions, Mapping[str, Platform], Mapping[str, "PriceCard | None"]]
"""Assumptions, with the platforms and price cards under them."""


def _paid(rows: _Rows, assume: Assumptions, platforms: Mapping[str, Platform], cards: Mapping[str, Any]) -> _Paid:
    plat, card = [platforms[key] for key in rows.accelerators], [cards.get(key) for key in rows.models]
    drawn_it = _drawn(plat, rows)
    cost, low, high = platform_costs(plat, assume, drawn_it, rows.own)
    step: dict[str, Any] = {name: rows[name] for name in ("total_tok_s_per_gpu", "output_tok_s_per_gpu")}
    for name in PRICES:
        field = name.removeprefix("price_").removesuffix("_usd_per_mtok")
        step[name] = np.array([getattr(c, field) if c is not None else np.nan for c in card], dtype=float)[rows.listed]
    step |= {
        "cost_usd_per_gpu_hour": cost,
        "prefix_cache_hit": rows["prefix_cache_hit"],
        "utilisation": _sold(rows.points, assume),
        "licence_share": assume.licence_share,
        "free_share": assume.free_share,
        "speed_premium": speed_premium(rows["tok_s_per_user"], speed_tiers()) if assume.speed_premium else 1.0,
        "price_factor": assume.price_factor * _level(assume),
    }
    return _Paid(step, plat, card, drawn_it, low, high)


def _stepped(step: Mapping[str, Any]) -> MoneyStep:
    """The money step, NaN but for its cost where the model is not listed."""
    unlisted = np.isnan(step[PRICES[-1]])
    found = money_step(**{**step, **{name: np.nan_to_num(step[name]) for name in PRICES}})
    blank = {
        each.name: np.where(unlisted, np.nan, getattr(found, each.name))
        for each in fields(found)
        if each.name != "cost_usd_per_gpu_hour"
    }
    return replace(found, **blank)


def profits_usd_per_gpu_hour(points: Mapping[str, Any], terms: Sequence[Terms]) -> FloatArray:
    """Profit of each point under each set of assumptions: rows are the sets, and what :func:`money_columns` finds for them."""
    rows = _Rows.of(points)
    each = [_paid(rows, *one).step for one in terms]
    whole = {name: np.stack([np.broadcast_to(one[name], rows.own.shape) for one in each]) for name in each[0]}
    return _stepped(whole).profit_usd_per_gpu_hour


def _facts(plat: Sequence[Platform], which: Any, name: str) -> FloatArray:
    """A fact of each row's platform; NaN where it is unknown."""
    found: FloatArray = np.array([getattr(one, name) for one in plat], dtype=float)[which]
    return found


def gpus_of(plat: Sequence[Platform]) -> dict[str, FloatArray]:
    """GPUs of each platform in a unit that profit is counted for, by the column that holds them [-]."""
    fact = partial(_facts, plat, slice(None))
    units = {name: fact(name) for name in ("gpus_per_rack", "gpus_per_mw", "gpus_per_position")}
    invested = fact("investment_usd_per_gpu")
    with np.errstate(divide="ignore", invalid="ignore"):
        return units | {"gpus_per_invested_usd": np.where(invested > 0, 1.0 / invested, np.nan)}


def _drawn(plat: Sequence[Platform], rows: _Rows) -> FloatArray:
    """IT power drawn by each point [kW/GPU]."""
    busy = {name: rows[name] for name in ("decode_busy_share", "prefill_busy_share")}
    out = np.full(len(rows.own), np.nan)
    for i, one in enumerate(plat):
        at = rows.own == i
        out[at] = drawn_it_kw(one.accelerator, one.tdp_w, one.it_kw_per_gpu, {name: x[at] for name, x in busy.items()})
    return out


def with_money(
    points: pd.DataFrame,
    assume: Assumptions,
    platforms: Mapping[str, Platform],
    cards: Mapping[str, PriceCard | None],
) -> pd.DataFrame:
    """Revenue, cost and profit columns for operating points.

    Parameters
    ----------
    points : pandas.DataFrame
        Rows with ``accelerator, model, prefix_cache_hit, total_tok_s_per_gpu, output_tok_s_per_gpu, tok_s_per_user,
        concurrency, gpus, prefill_gpu_share, decode_busy_share, prefill_busy_share``.
    platforms, cards : mapping
        From :func:`platforms_for` and :func:`cards_for`.

    Returns
    -------
    pandas.DataFrame
        A copy with, per GPU-hour: revenue, cost (low, high), profit; cost per million tokens by rule; break-evens;
        power drawn; and per rack-year, MW-year, equal-power position-year, GPU-year and invested dollar-year.
    """
    return _joined(points, money_columns(points, assume, platforms, cards))


def _sold(points: Mapping[str, Any] | pd.DataFrame, assume: Assumptions) -> Any:
    """Share of capacity sold: the one stated, or that of each row by the load of its platform [-]."""
    if not assume.sold_by_load:
        return assume.utilisation
    if "sold_share" not in points:
        raise InputError("sold_by_load needs a workload: rows name no share that their platform sells")
    return np.asarray(points["sold_share"], dtype=float)


def money_columns(
    points: Mapping[str, Any] | pd.DataFrame,
    assume: Assumptions,
    platforms: Mapping[str, Platform],
    cards: Mapping[str, PriceCard | None],
) -> dict[str, Any]:
    """The columns that :func:`with_money` adds, as arrays, or as single values where every row has the same."""
    rows = _Rows.of(points)
    paid = _paid(rows, assume, platforms, cards)
    step, fact = _stepped(paid.step), partial(_facts, paid.plat, rows.own)
    return {
        **_hourly(rows, paid, step, assume),
        **_per_mtok(rows, paid.step, assume),
        **_electricity(paid, assume, fact("it_kw_per_gpu")),
        **{
            f"{name}_per_mw": paid.step[f"{name}_per_gpu"] * fact("gpus_per_mw")
            for name in ("total_tok_s", "output_tok_s")
        },
        **_yearly(rows, paid, step),
        "profit_usd_per_gpu_year": per_year(step.profit_usd_per_gpu_hour),
        "rack_it_kw": fact("rack_it_kw"),
        "investment_usd_per_gpu": fact("investment_usd_per_gpu"),
    }


def _hourly(rows: _Rows, paid: _Paid, step: MoneyStep, assume: Assumptions) -> dict[str, Any]:
    """What a GPU-hour brings and costs, at which prices, and where it breaks even."""
    terms = paid.step
    levels = np.array([c.level_range() if c is not None else (1.0, 1.0) for c in paid.card])[rows.listed]
    return {
        "utilisation": terms["utilisation"],
        "level_price_factor": _level(assume),
        **{name: terms[name] for name in ("licence_share", "free_share", "speed_premium")},
        "revenue_usd_per_gpu_hour": step.revenue_usd_per_gpu_hour,
        "cost_usd_per_gpu_hour": terms["cost_usd_per_gpu_hour"],
        "cost_usd_per_gpu_hour_low": paid.cost_low,
        "cost_usd_per_gpu_hour_high": paid.cost_high,
        "profit_usd_per_gpu_hour": step.profit_usd_per_gpu_hour,
        "gross_margin": step.gross_margin,
        **{name: terms[name] for name in PRICES},
        "price_level_low": levels[:, 0],
        "price_level_high": levels[:, 1],
        "break_even_price_factor": step.break_even_price_factor,
        "break_even_output_usd_per_mtok": terms[PRICES[-1]] * step.break_even_price_factor,
        "break_even_utilisation": step.break_even_utilisation,
    }


def _per_mtok(rows: _Rows, terms: Mapping[str, Any], assume: Assumptions) -> dict[str, Any]:
    """What a million tokens cost, all of it on them and by the rule of allocation."""
    cost, sold = terms["cost_usd_per_gpu_hour"], terms["utilisation"]
    total, output = terms["total_tok_s_per_gpu"], terms["output_tok_s_per_gpu"]
    phase = token_cost(
        cost,
        total,
        output,
        prefill_gpu_share=np.clip(rows["prefill_gpu_share"], 0.0, 1.0),
        prefix_cache_hit=terms["prefix_cache_hit"],
        utilisation=sold,
        rule=assume.allocation_rule,
    )
    return {
        "cost_usd_per_mtok_total": phase.total,
        "cost_usd_per_mtok_output": cost_usd_per_mtok(cost, output, sold),
        "cost_usd_per_mtok_output_by_phase": phase.output,
        "cost_usd_per_mtok_fresh_input_by_phase": phase.fresh_input,
        "allocation_rule": phase.rule,
    }


def _electricity(paid: _Paid, assume: Assumptions, it_kw: Any) -> dict[str, Any]:
    """Power drawn and provisioned, and what the drawn costs."""
    drawn = paid.drawn_it_kw_per_gpu * assume.pue
    bill = energy_cost_usd_per_gpu_hour(drawn, assume.electricity_usd_per_kwh)
    return {
        "drawn_it_kw_per_gpu": paid.drawn_it_kw_per_gpu,
        "drawn_utility_kw_per_gpu": drawn,
        "provisioned_it_kw_per_gpu": it_kw,
        "provisioned_utility_kw_per_gpu": it_kw * assume.pue,
        "energy_usd_per_gpu_hour": bill,
        "energy_share_of_cost": bill / paid.step["cost_usd_per_gpu_hour"],
        "drawn_joules_per_total_token": joules_per_token(paid.step["total_tok_s_per_gpu"], drawn),
    }


def _yearly(rows: _Rows, paid: _Paid, step: MoneyStep) -> dict[str, Any]:
    """Revenue, cost and profit of every unit that holds GPUs."""
    money = {
        "revenue": step.revenue_usd_per_gpu_hour,
        "cost": paid.step["cost_usd_per_gpu_hour"],
        "profit": step.profit_usd_per_gpu_hour,
    }
    new: dict[str, Any] = {}
    for unit, each in gpus_of(paid.plat).items():
        new[unit] = gpus = each[rows.own]
        unit_name = unit.removeprefix("gpus_per_")
        new |= {f"{name}_usd_per_{unit_name}_year": per_year(hourly, gpus) for name, hourly in money.items()}
    return new


def platform_costs(
    plat: list[Platform], assume: Assumptions, drawn_it_kw: Any, which: Any = slice(None)
) -> tuple[Any, Any, Any]:
    """Cost per GPU-hour with its range, at the terms asked for; a cost of owning moves with the electricity bill.

    A published figure holds its source's electricity. The base case's price and PUE stand for that, and are a build-up's;
    another price or PUE changes the figure by the difference in the bill of the power drawn.
    Capacity rented on demand is paid for the hours sold only.
    """
    base = catalog.base_case()

    def ends(name: str) -> Any:
        return np.array([getattr(p.cost, name) if p.cost is not None else np.nan for p in plat], dtype=float)[which]

    bill = assume.electricity_usd_per_kwh * assume.pue - base.electricity_usd_per_kwh * base.pue
    owned = np.array([p.kept_share < 1.0 for p in plat])[which]
    change = np.where(owned & (bill != 0.0), np.nan_to_num(drawn_it_kw) * bill, 0.0)
    by_the_hour = np.array([p.cost is not None and p.cost.unsold_hours == UNSOLD["on_demand"] for p in plat])[which]
    terms = np.where(owned, platform_terms(plat, assume, which), 1.0)
    used = assume.stated_share().utilisation if np.any(by_the_hour) else 1.0
    paid = assume.cost_factor * np.where(by_the_hour, used, 1.0) * terms
    value, low, high = (np.maximum(ends(name) * paid + change, 0.0) for name in ("usd_per_gpu_hour", "low", "high"))
    return value, low, high


def platform_cost(platform: Platform, assume: Assumptions) -> tuple[float, float, float]:
    """Cost of a platform's GPU-hour at the terms asked for and its typical draw, and the ends of its range; NaN without one."""
    share = drawn_kw_per_gpu(platform.tdp_w, platform.it_kw_per_gpu, typical_draw_share())
    value, low, high = (float(end[0]) for end in platform_costs([platform], assume, np.atleast_1d(share)))
    return value, low if np.isfinite(low) else value, high if np.isfinite(high) else value


def cost_words(platform: Platform, assume: Assumptions) -> str:
    """What a platform's cost rests on and, where capital is in it, at which terms; its reason where there is none."""
    if platform.cost is None:
        return platform.reason
    terms = f" at {percent(assume.wacc)} cost of capital over {assume.horizon_years:g} years"
    return platform.cost.label() + (terms if platform.kept_share < 1.0 and platform.cost.basis != "given" else "")


def platform_terms(plat: list[Platform], assume: Assumptions, which: Any) -> FloatArray:
    """Factor from what each platform's cost is built with to the terms asked for [-]; NaN where nothing is owned."""
    of = partial(_facts, plat, which)
    safe = {
        name: np.where(of("kept_share") < 1.0, of(f"built_{name}"), 1.0) for name in ("rate_per_year", "life_years")
    }
    resale = of("resells") * assume.resale_share
    return terms_factor(
        assume.wacc,
        assume.horizon_years,
        resale,
        assume.tax_rate,
        kept_share=of("kept_share"),
        built=(safe["rate_per_year"], safe["life_years"]),
    )


def with_returns(points: pd.DataFrame, assume: Assumptions, platforms: Mapping[str, Platform]) -> pd.DataFrame:
    """ROI both ways, net present value, internal rate, payback and retirement age for rows of :func:`with_money`.

    Parameters
    ----------
    points : pandas.DataFrame
        From :func:`with_money`.

    Returns
    -------
    pandas.DataFrame
        A copy with ``vendor_roi, profit_roi, npv_usd_per_rack, irr_per_year, payback_years,
        break_even_launch_price_factor, retire_age_years``; NaN for rented capacity, where nothing is invested.
    """
    return _joined(points, return_columns(points, assume, platforms))


def return_columns(
    points: Mapping[str, Any] | pd.DataFrame, assume: Assumptions, platforms: Mapping[str, Platform]
) -> dict[str, Any]:
    """The columns that :func:`with_returns` adds, as arrays."""
    fact = partial(_facts, [platforms[key] for key in points["accelerator"]], slice(None))
    launch = per_year(np.asarray(points["revenue_usd_per_gpu_hour"], dtype=float)) / _level(assume)
    # What of the cost is no capital charge is paid as one goes: profit and present value are then one statement.
    charge = capital_charge_usd_per_gpu_hour(
        fact("investment_usd_per_gpu"), fact("residual_usd_per_gpu"), assume.wacc, assume.horizon_years
    )
    running = np.maximum(np.asarray(points["cost_usd_per_gpu_hour"], dtype=float) - charge, 0.0)
    result = returns(
        investment_usd=fact("investment_usd_per_gpu"),
        revenue_usd_per_year=launch,
        running_cost_usd_per_year=per_year(running),
        horizon_years=assume.horizon_years,
        rate_per_year=assume.wacc,
        price_decline_per_year=assume.revenue_fall_per_year,
        residual_usd=fact("residual_usd_per_gpu"),
    )
    return {
        "vendor_roi": result.vendor_roi,
        "profit_roi": result.profit_roi,
        "npv_usd_per_gpu": result.npv_usd,
        "npv_usd_per_rack": result.npv_usd * fact("gpus_per_rack"),
        "irr_per_year": result.irr_per_year,
        "payback_years": result.payback_years,
        "break_even_launch_price_factor": result.break_even_launch_price_factor,
        "retire_age_years": result.retire_age_years,
        "running_usd_per_gpu_hour": running,
        "residual_usd_per_gpu": fact("residual_usd_per_gpu"),
        "resells": fact("resells"),
    }


def frontier_money(table: pd.DataFrame, *, prefix_cache_hit: float = 0.0, **overrides: Any) -> pd.DataFrame:
    """Cost and revenue columns for a whole serving frontier.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Frontier.table`` of :func:`rackecon.serving.frontier.search`.
    prefix_cache_hit : float
        Share of input billed as cached [-], as in the search.
    **overrides
        Fields of :class:`~rackecon.appraisal.assumptions.Assumptions`.

    Returns
    -------
    pandas.DataFrame
        The table with the columns of :func:`with_money`; money is NaN where no price or cost is published.

    Examples
    --------
    >>> from rackecon.serving.frontier import search
    >>> first = frontier_money(search("b200-hgx", "gpt-oss-120b", 1000, 500).table, utilisation=0.5).iloc[0]
    >>> float(first["revenue_usd_per_gpu_hour"] / first["cost_usd_per_gpu_hour"] * (1 - first["gross_margin"]))
    1.00
    """
    if table.empty:
        return table.copy()
    return pd.DataFrame(with_frontier_money(table, prefix_cache_hit=prefix_cache_hit, **overrides), index=table.index)


def with_frontier_money(
    columns: Mapping[str, Any] | pd.DataFrame, *, prefix_cache_hit: float = 0.0, **overrides: Any
) -> dict[str, Any]:
    """:func:`frontier_money` of a front's columns, as columns."""
    assume = assumptions(**overrides)
    rows: dict[str, Any] = {str(name): values for name, values in columns.items()}
    rows["prefix_cache_hit"] = np.full(len(rows["model"]), prefix_cache_hit)
    platforms = platforms_for(dict.fromkeys(rows["accelerator"]), assume)
    cards = cards_for(dict.fromkeys(rows["model"]), assume)
    return rows | money_columns(rows, assume, platforms, cards)


def missing_money(accelerator: str, model: str, **overrides: Any) -> list[str]:
    """Why money or power columns of a platform and model are blank: a line each, none where all are filled.

    Parameters
    ----------
    accelerator, model : str
        Ids.
    **overrides
        As in :func:`frontier_money`.

    Examples
    --------
    >>> missing_money("tpu-v6e", "llama-3.1-8b", cost_usd_per_gpu_hour=1.0)
    ['power: no published kW per GPU (kw_per_gpu gives one)']
    """
    assume = assumptions(**overrides)
    found = platforms_for([accelerator], assume)[accelerator]
    unlisted = NO_LISTING if cards_for([model], assume)[model] is None else ""
    no_cost = f"{found.reason} (cost_usd_per_gpu_hour gives one)" if found.reason else ""
    reasons = {"cost and profit": no_cost, "revenue and profit": unlisted, "power": found.power_reason}
    return [f"{what}: {why}" for what, why in reasons.items() if why]
