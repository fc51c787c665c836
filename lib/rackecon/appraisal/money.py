"""Money columns for operating points: the join of token rates with prices, costs, power and racks.

Vectorised over rows; the formulas live in :mod:`rackecon.economics`, this module only lines their inputs up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.catalog.assumption_table import own_costs
from rackecon.catalog.paths import OWN_SOURCE
from rackecon.economics.build_up_table import NO_CAPEX, cost_by_build_up
from rackecon.economics.checks import FloatArray, Numeric
from rackecon.economics.cost import implied_investment, select_cost
from rackecon.economics.cost_table import ownership_split, published_terms, residual_at
from rackecon.economics.finance import tax_adjusted_capital_cost
from rackecon.economics.market_table import card_at_level
from rackecon.economics.money_step import level_price_factor, money_step, per_year
from rackecon.economics.power import draw_share, drawn_kw_per_gpu, energy_cost_usd_per_gpu_hour, joules_per_token
from rackecon.economics.power_table import all_in_kw, draw_curve
from rackecon.economics.price_table import speed_tiers
from rackecon.economics.racks import rack_units
from rackecon.economics.records import UNSOLD, CostRecord
from rackecon.economics.restated import capital_charge_usd_per_gpu_hour
from rackecon.economics.returns import present_value_factors, returns
from rackecon.economics.revenue import PriceCard, speed_premium
from rackecon.economics.tokens import cost_usd_per_mtok, token_cost
from rackecon.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ROI_KIND",
    "TOKEN_COUNTING",
    "Platform",
    "cards_for",
    "frontier_money",
    "level_factor",
    "missing_money",
    "money_columns",
    "platform_costs",
    "platforms_for",
    "return_columns",
    "with_money",
    "with_returns",
]

TOKEN_COUNTING: Final = "total = input (cached counted) + output tokens, over all GPUs, prefill and decode"
NO_LISTING: Final = "no standard listing of the model at the as-of date"
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
    """Cost of capital [1/year] and life [years] that its cost of owning is built with; resale on top of it or not."""
    built_life_years: float
    resells: bool
    power_reason: str = ""
    """Why the power provisioned or drawn is not known; empty where both are."""


def _cost_of(accelerator: str, assume: Assumptions) -> tuple[CostRecord | None, str, float, float, float]:
    """Record, reason for none, and investment, running cost, residual of one GPU."""
    nothing = (np.nan, np.nan, np.nan)
    if assume.cost_basis == "build_up":
        built = cost_by_build_up(
            accelerator,
            rate_per_year=assume.wacc,
            electricity_usd_per_kwh=assume.electricity_usd_per_kwh,
            pue=assume.pue,
            it_life_years=assume.horizon_years,
            tax_rate=assume.tax_rate,
            residual_share=assume.resale_share,
        )
        if built is None:
            return None, NO_CAPEX, *nothing
        record, parts = built
        money = parts.investment_usd_per_gpu, parts.running_usd_per_gpu_hour, parts.residual_usd_per_gpu
        return record, "", *(float(x) * assume.cost_factor for x in money)  # type: ignore[return-value]
    if assume.cost_usd_per_gpu_hour is not None:
        value = assume.cost_usd_per_gpu_hour
        record = CostRecord(
            accelerator, "given", "given", "given", value, value, value, "all in", UNSOLD["ownership"], "", "given"
        )
    else:
        found = select_cost(accelerator, basis=assume.cost_basis, tier=assume.cost_tier, vintage=assume.cost_vintage)
        if found is None:
            what = f"{assume.cost_basis}, {assume.cost_tier}, vintage {assume.cost_vintage}"
            return None, f"no published $/GPU-hour ({what})", *nothing
        record = found
    if assume.tax_rate and record.basis != "ownership":
        raise InputError(
            f"tax_rate {assume.tax_rate:g} changes nothing here: {record.basis} capacity has no investment to write off; "
            "use cost_basis ownership or build_up"
        )
    record = _own_cost(record, assume)
    if record.basis == "rental":
        return record, "", 0.0, record.usd_per_gpu_hour * assume.cost_factor, 0.0
    rate, life = built_terms(record)
    split = implied_investment(
        record.usd_per_gpu_hour * assume.cost_factor,
        running_share=ownership_split()[0],
        rate_per_year=rate,
        life_years=life,
    )
    invested = float(split.investment_usd_per_gpu)
    resale = assume.resale_share if resells(record, assume) else 0.0
    return record, "", invested, float(split.running_usd_per_gpu_hour), invested * resale


def _own_cost(record: CostRecord, assume: Assumptions) -> CostRecord:
    """The record, moved to the reader's own figure at the base case's terms where ``own_costs`` holds one."""
    from rackecon import catalog

    own = own_costs(assume.own_costs).get(record.accelerator)
    if own is None:
        return record
    base = catalog.base_case()
    resale = residual_at(base.horizon_years) if resells(record, assume) else 0.0
    terms = (
        terms_factor(base.wacc, base.horizon_years, resale, built_terms(record)) if record.basis == "ownership" else 1.0
    )
    factor = own / (record.usd_per_gpu_hour * float(terms))
    return replace(record, **{name: getattr(record, name) * factor for name in ("usd_per_gpu_hour", "low", "high")})


def built_terms(record: CostRecord | None) -> tuple[float, float]:
    """Terms behind a cost of owning: those of published figures, or the base case's for a row that the user added."""
    from rackecon import catalog

    if record is None or record.source_id != OWN_SOURCE:
        return published_terms()
    base = catalog.base_case()
    return base.wacc, base.horizon_years


def resells(record: CostRecord | None, assume: Assumptions) -> bool:
    """Whether resale comes on top of a cost: not of a row that the user added, which says itself what it costs."""
    own = record is not None and record.source_id == OWN_SOURCE
    return not own or assume.residual_share is not None


def terms_factor(
    wacc: Numeric,
    horizon_years: Numeric,
    residual_share: Numeric = 0.0,
    built: tuple[Numeric, Numeric] | None = None,
    tax_rate: Numeric = 0.0,
) -> FloatArray:
    """A cost of owning restated for another cost of capital, life, resale and tax, as a factor on it.

    The investment behind the figure stays; its charge is that of the terms asked for, over the horizon, less the resale,
    raised by the tax as in a build-up. ``built`` is the cost of capital and life behind it, those of published figures by
    default.

    Examples
    --------
    >>> float(terms_factor(0.10, 4.0)), float(terms_factor(0.15, 4.0)), float(terms_factor(0.10, 6.0))
    (1.00, 1.07, 0.78)
    """
    share = ownership_split()[0]
    rate, life = published_terms() if built is None else built
    base = present_value_factors(rate, 0.0, life).cost_years
    asked = present_value_factors(wacc, 0.0, horizon_years)
    sunk = 1.0 - np.asarray(residual_share, dtype=float) * asked.terminal
    taxed = tax_adjusted_capital_cost(1.0, tax_rate, wacc)
    return np.asarray(share + (1.0 - share) * base * sunk / asked.cost_years * taxed)


def level_factor(price_decline_per_year: Numeric, horizon_years: Numeric) -> FloatArray:
    """Level equivalent of a falling price, months weighed at the base case's cost of capital whatever the owner's own.

    Weighed at the owner's own rate, early high prices would count for more the dearer capital is, and a yearly profit would
    rise with it. At the base case's rate profit and present value have one sign; at others the present value decides.

    Examples
    --------
    >>> float(level_factor(0.0, 5.0))
    1.0
    """
    from rackecon import catalog

    return level_price_factor(catalog.base_case().wacc, price_decline_per_year, horizon_years)


def platforms_for(accelerators: Iterable[str], assume: Assumptions) -> dict[str, Platform]:
    """Money, power and rack facts of each accelerator.

    Parameters
    ----------
    accelerators : iterable of str
        Accelerator ids.
    assume : Assumptions

    Returns
    -------
    dict of Platform
        By accelerator id, in the order given.
    """
    from rackecon import catalog

    racks = catalog.racks()
    out: dict[str, Platform] = {}
    for key in accelerators:
        part = catalog.accelerator(key)
        record, reason, invested, running, residual = _cost_of(key, assume)
        given = assume.kw_per_gpu
        kw, it_kw = (all_in_kw(key, assume.power_vintage), all_in_kw(key)) if given is None else (given, given)
        rack = racks.get(key)
        gpus = float(rack.gpus_per_rack) if rack is not None else np.nan
        units = rack_units(gpus, kw)
        out[key] = Platform(
            accelerator=key,
            label=part.label,
            cost=record,
            reason=reason,
            investment_usd_per_gpu=invested,
            running_usd_per_gpu_hour=running,
            residual_usd_per_gpu=residual,
            kw_per_gpu=kw,
            it_kw_per_gpu=it_kw,
            tdp_w=float(part.tdp_w),
            gpus_per_rack=gpus,
            gpus_per_mw=float(units.gpus_per_mw),
            gpus_per_position=float(units.gpus_per_position),
            rack_it_kw=it_kw * gpus,
            rack_grade=str(rack.grade) if rack is not None else "no rack layout",
            built_rate_per_year=built_terms(record)[0],
            built_life_years=built_terms(record)[1],
            resells=resells(record, assume),
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
    return float(level_factor(assume.price_decline_per_year, assume.horizon_years))


def _joined(points: pd.DataFrame, new: Mapping[str, Any]) -> pd.DataFrame:
    """The points with new columns, all set at once: one by one they take most of the time of an evaluation."""
    import pandas as pd

    kept = points.drop(columns=[name for name in new if name in points])
    return pd.concat([kept, pd.DataFrame(new, index=points.index)], axis=1)


def _distinct(keys: Iterable[str], known: Mapping[str, Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """Records of each key that occurs, None where there is none, and which of them each row has."""
    order: dict[str, int] = {}
    which = np.array([order.setdefault(key, len(order)) for key in keys], dtype=np.intp)
    return [known.get(key) for key in order], which


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
        concurrency, gpus, prefill_gpu_share``.
    assume : Assumptions
    platforms, cards : mapping
        From :func:`platforms_for` and :func:`cards_for`.

    Returns
    -------
    pandas.DataFrame
        A copy with, per GPU-hour: revenue, cost (low, high), profit; cost per million tokens by rule; break-evens;
        power drawn; and per rack-year, MW-year, equal-power position-year, GPU-year and invested dollar-year.
    """
    return _joined(points, money_columns(points, assume, platforms, cards))


def money_columns(
    points: Mapping[str, Any] | pd.DataFrame,
    assume: Assumptions,
    platforms: Mapping[str, Platform],
    cards: Mapping[str, PriceCard | None],
) -> dict[str, Any]:
    """The columns that :func:`with_money` adds, as arrays, or as single values where every row has the same."""
    new: dict[str, Any] = {}
    plat, which = _distinct(points["accelerator"], platforms)
    card, listed = _distinct(points["model"], cards)

    def fact(name: str) -> Any:
        return np.array([getattr(p, name) for p in plat], dtype=float)[which]

    def price(name: str) -> Any:
        return np.array([getattr(c, name) if c is not None else np.nan for c in card], dtype=float)[listed]

    rates = {name: np.asarray(points[name], dtype=float) for name in ("total_tok_s_per_gpu", "output_tok_s_per_gpu")}
    hit = np.asarray(points["prefix_cache_hit"], dtype=float)
    load = np.asarray(points["concurrency"], dtype=float) / np.asarray(points["gpus"], dtype=float)
    it_kw = fact("it_kw_per_gpu")
    drawn_it = drawn_kw_per_gpu(fact("tdp_w"), it_kw, draw_share(draw_curve(), load))
    cost, low, high = platform_costs(plat, assume, drawn_it, which)
    premium = (
        speed_premium(np.asarray(points["tok_s_per_user"], dtype=float), speed_tiers()) if assume.speed_premium else 1.0
    )
    step = money_step(
        **rates,
        price_fresh_input_usd_per_mtok=np.nan_to_num(price("fresh_input")),
        price_cached_input_usd_per_mtok=np.nan_to_num(price("cached_input")),
        price_output_usd_per_mtok=np.nan_to_num(price("output")),
        cost_usd_per_gpu_hour=cost,
        prefix_cache_hit=hit,
        utilisation=assume.utilisation,
        licence_share=assume.licence_share,
        free_share=assume.free_share,
        speed_premium=premium,
        price_factor=assume.price_factor * _level(assume),
    )
    unlisted = np.isnan(price("output"))
    revenue = np.where(unlisted, np.nan, step.revenue_usd_per_gpu_hour)
    profit = np.where(unlisted, np.nan, step.profit_usd_per_gpu_hour)
    factor = np.where(unlisted, np.nan, step.break_even_price_factor)
    new["utilisation"] = assume.utilisation
    new["level_price_factor"] = _level(assume)
    new["licence_share"], new["free_share"] = assume.licence_share, assume.free_share
    new["speed_premium"] = premium
    new["revenue_usd_per_gpu_hour"] = revenue
    new["cost_usd_per_gpu_hour"], new["cost_usd_per_gpu_hour_low"], new["cost_usd_per_gpu_hour_high"] = cost, low, high
    new["profit_usd_per_gpu_hour"] = profit
    new["gross_margin"] = np.where(unlisted, np.nan, step.gross_margin)
    for name in ("fresh_input", "cached_input", "output"):
        new[f"price_{name}_usd_per_mtok"] = price(name)
    levels = np.array([c.level_range() if c is not None else (1.0, 1.0) for c in card])[listed]
    new["price_level_low"], new["price_level_high"] = levels[:, 0], levels[:, 1]
    new["break_even_price_factor"] = factor
    new["break_even_output_usd_per_mtok"] = price("output") * factor
    new["break_even_utilisation"] = np.where(unlisted, np.nan, step.break_even_utilisation)
    new["cost_usd_per_mtok_total"] = cost_usd_per_mtok(cost, rates["total_tok_s_per_gpu"], assume.utilisation)
    new["cost_usd_per_mtok_output"] = cost_usd_per_mtok(cost, rates["output_tok_s_per_gpu"], assume.utilisation)
    phase = token_cost(
        cost,
        **rates,
        prefill_gpu_share=np.clip(np.asarray(points["prefill_gpu_share"], dtype=float), 0.0, 1.0),
        prefix_cache_hit=hit,
        utilisation=assume.utilisation,
        rule=assume.allocation_rule,
    )
    new["cost_usd_per_mtok_output_by_phase"], new["cost_usd_per_mtok_fresh_input_by_phase"] = (
        phase.output,
        phase.fresh_input,
    )
    new["allocation_rule"] = phase.rule
    drawn = drawn_it * assume.pue
    new["drawn_it_kw_per_gpu"], new["drawn_utility_kw_per_gpu"] = drawn_it, drawn
    new["provisioned_it_kw_per_gpu"], new["provisioned_utility_kw_per_gpu"] = it_kw, it_kw * assume.pue
    new["energy_usd_per_gpu_hour"] = energy_cost_usd_per_gpu_hour(drawn, assume.electricity_usd_per_kwh)
    new["energy_share_of_cost"] = new["energy_usd_per_gpu_hour"] / cost
    new["drawn_joules_per_total_token"] = joules_per_token(rates["total_tok_s_per_gpu"], drawn)
    new["total_tok_s_per_mw"] = rates["total_tok_s_per_gpu"] * fact("gpus_per_mw")
    new["output_tok_s_per_mw"] = rates["output_tok_s_per_gpu"] * fact("gpus_per_mw")
    with np.errstate(divide="ignore", invalid="ignore"):
        invested = np.where(fact("investment_usd_per_gpu") > 0, 1.0 / fact("investment_usd_per_gpu"), np.nan)
    units = {name: fact(f"gpus_per_{name}") for name in ("rack", "mw", "position")} | {"invested_usd": invested}
    for name, gpus in units.items():
        new[f"gpus_per_{name}"] = gpus
        new[f"revenue_usd_per_{name}_year"] = per_year(revenue, gpus)
        new[f"cost_usd_per_{name}_year"] = per_year(cost, gpus)
        new[f"profit_usd_per_{name}_year"] = per_year(profit, gpus)
    new["profit_usd_per_gpu_year"] = per_year(profit)
    new["rack_it_kw"] = fact("rack_it_kw")
    new["investment_usd_per_gpu"] = fact("investment_usd_per_gpu")
    return new


def platform_costs(
    plat: list[Platform], assume: Assumptions, drawn_it_kw: Any, which: Any = slice(None)
) -> tuple[Any, Any, Any]:
    """Cost per GPU-hour with its range; a published ownership figure moves with the electricity bill.

    A published figure holds its source's electricity. The base case's price and PUE stand for that; another price or
    PUE changes the figure by the difference in the bill of the power drawn: the base case reproduces it exactly.
    Capacity rented on demand is paid for the hours sold only.
    """
    from rackecon import catalog

    base = catalog.base_case()

    def ends(name: str) -> Any:
        return np.array([getattr(p.cost, name) if p.cost is not None else np.nan for p in plat], dtype=float)[which]

    bill = assume.electricity_usd_per_kwh * assume.pue - base.electricity_usd_per_kwh * base.pue
    owned = np.array([p.cost is not None and p.cost.basis == "ownership" for p in plat])[which]
    change = np.where(owned & (bill != 0.0), np.nan_to_num(drawn_it_kw) * bill, 0.0)
    by_the_hour = np.array([p.cost is not None and p.cost.unsold_hours == UNSOLD["on_demand"] for p in plat])[which]
    built = tuple(
        np.array([getattr(p, f"built_{name}") for p in plat])[which] for name in ("rate_per_year", "life_years")
    )
    resale = np.where(np.array([p.resells for p in plat])[which], assume.resale_share, 0.0)
    asked = (assume.wacc, assume.horizon_years, resale, (built[0], built[1]), assume.tax_rate)
    terms = np.where(owned, terms_factor(*asked), 1.0)
    paid = assume.cost_factor * np.where(by_the_hour, assume.utilisation, 1.0) * terms
    value, low, high = (np.maximum(ends(name) * paid + change, 0.0) for name in ("usd_per_gpu_hour", "low", "high"))
    return value, low, high


def with_returns(points: pd.DataFrame, assume: Assumptions, platforms: Mapping[str, Platform]) -> pd.DataFrame:
    """ROI both ways, net present value, internal rate, payback and retirement age for rows of :func:`with_money`.

    Parameters
    ----------
    points : pandas.DataFrame
        From :func:`with_money`.
    assume : Assumptions
    platforms : mapping

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
    new: dict[str, Any] = {}
    plat = [platforms[key] for key in points["accelerator"]]

    def fact(name: str) -> Any:
        return np.array([getattr(p, name) for p in plat], dtype=float)

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
        price_decline_per_year=assume.price_decline_per_year,
        residual_usd=fact("residual_usd_per_gpu"),
    )
    new["vendor_roi"] = result.vendor_roi
    new["profit_roi"] = result.profit_roi
    new["npv_usd_per_gpu"] = result.npv_usd
    new["npv_usd_per_rack"] = result.npv_usd * fact("gpus_per_rack")
    new["irr_per_year"] = result.irr_per_year
    new["payback_years"] = result.payback_years
    new["break_even_launch_price_factor"] = result.break_even_launch_price_factor
    new["retire_age_years"] = result.retire_age_years
    new["running_usd_per_gpu_hour"] = running
    new["residual_usd_per_gpu"] = fact("residual_usd_per_gpu")
    return new


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
    assume = assumptions(**overrides)
    if table.empty:
        return table.copy()
    platforms = platforms_for(table["accelerator"].unique(), assume)
    cards = cards_for(table["model"].unique(), assume)
    return with_money(table.assign(prefix_cache_hit=prefix_cache_hit), assume, platforms, cards)


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
