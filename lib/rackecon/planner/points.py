"""Operating points that a plan chooses among: the fronts of the one search, with their money and the load they bear."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.money import Platform, cards_for, platforms_for, with_money, with_returns
from rackecon.catalog import Scenario
from rackecon.catalog.cached import by_data, one_state
from rackecon.economics.cost_table import hours_served_share
from rackecon.economics.price_table import speed_tiers
from rackecon.economics.records import UNSOLD
from rackecon.economics.revenue import PriceCard, speed_premium
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.load.platforms import open_load, platform_replica, scaled_lengths, unit_gpus
from rackecon.load.queueing import Burstiness
from rackecon.planner.day import blocks_of
from rackecon.planner.records import Plan
from rackecon.serving.frontier import search
from rackecon.serving.query import Limits, case_options
from rackecon.units import SECONDS_PER_HOUR

LENGTHS: Final = "azure2023_conv"
"""Trace whose spread of lengths open arrivals have."""
LEAST_LOAD: Final = 0.01
ENOUGH: Final = 0.95
"""Share sold from which on no other deployment is tried."""
CANDIDATES: Final = ((False, 1.0), (True, 1.0), (False, 0.5), (False, 0.25))
"""Deployments tried: whether held to a unit of purchase, and the share of the first token's limit they are sized for."""
MOST_REPLICAS: Final = 128
"""Deployments from which on more of them pool no better."""


@dataclass(frozen=True)
class Menu:
    """What a plan chooses among.

    ``points`` has a row per platform, item of demand (by its number), tier and operating point: ``accelerator, item, tier,
    total_tok_s_per_gpu, tok_s_per_user, layout, gpus, load_share, revenue_usd_per_gpu_hour`` (sold out, at the tier's price),
    ``standing_usd_per_gpu_hour`` (paid whether busy or not), ``busy_usd_per_gpu_hour`` (on top, while busy).
    """

    points: pd.DataFrame
    platforms: Mapping[str, Platform]
    running_usd_per_gpu_hour: Mapping[str, float]
    """Of a rack on hand: what is paid beside its price."""
    reasons: Mapping[tuple[str, int, str], str]
    """Why a platform does not serve a tier of an item; item -1 where it serves none."""
    assume: Assumptions


def tier_case(plan: Plan, item: int, tier: str) -> Scenario:
    """The workload of an item of demand with the limits of a tier."""
    case, promise = catalog.scenario(plan.demand[item].workload), plan.tiers[tier]
    first = case.ttft_limit_ms if promise.ttft_ms is None else promise.ttft_ms
    return replace(case, id=f"{case.id}/{tier}", tpot_limit_ms=1e3 / promise.tok_s_per_user, ttft_limit_ms=first)


def menu(plan: Plan) -> Menu:
    """Search every platform for every item and tier of a plan and price what is found.

    Raises
    ------
    InputError
        An unknown assumption, a model without a price, or no platform that serves anything.
    """
    with one_state():
        return _menu(plan)


def _menu(plan: Plan) -> Menu:
    # sold share is the program's: everything is priced as sold out
    assume = assumptions(**{**plan.assumptions, "utilisation": 1.0}).stated_share()
    platforms = platforms_for(plan.every_platform, assume)
    listed = cards(plan, assume)
    reasons = {(key, -1, ""): why for key, p in platforms.items() if (why := _unusable(p))}
    usable = [key for key in platforms if (key, -1, "") not in reasons]
    blocks = []
    for item in range(len(plan.demand)):
        for key in usable:
            found, missing = _fronts(plan, key, item, platforms[key])
            blocks += found
            reasons.update(missing)
    if not blocks:
        raise InputError(f"no platform serves the demand: {next(iter(reasons.values()), 'none is known')}")
    priced = with_money(pd.concat(blocks, ignore_index=True), assume, platforms, listed)
    priced = with_returns(priced, assume, platforms)
    multiple = np.array([multiple_of(plan, tier) for tier in priced["tier"]])
    priced = priced.assign(revenue_usd_per_gpu_hour=priced["revenue_usd_per_gpu_hour"] * multiple)
    running = priced.groupby("accelerator")["running_usd_per_gpu_hour"].min().to_dict()
    points = _undominated(_with_standing(priced, platforms))
    return Menu(points, platforms, {str(k): float(v) for k, v in running.items()}, reasons, assume)


def cards(plan: Plan, assume: Assumptions) -> dict[str, PriceCard | None]:
    """Price card of each model of the demand: the plan's own, or what buyers pay."""
    given = {
        name: PriceCard(name, card["fresh_input"], card["cached_input"], card["output"], rule="given in the plan")
        for name, card in plan.prices.items()
    }
    found = cards_for([item.model for item in plan.demand], assume, given)
    for name, card in found.items():
        if card is None and plan.objective != "cost":
            raise InputError(f"no standard listing of {name} at the as-of date: give prices.{name}")
    return found


def _unusable(platform: Platform) -> str:
    """Why racks of a platform cannot be planned with; empty where they can."""
    if platform.cost is None:
        return platform.reason
    if math.isnan(platform.gpus_per_rack):
        return "no rack layout in data/racks.csv"
    return "no power per GPU in data/power.csv" if math.isnan(platform.it_kw_per_gpu) else ""


def _fronts(
    plan: Plan, key: str, item: int, platform: Platform
) -> tuple[list[pd.DataFrame], dict[tuple[str, int, str], str]]:
    """Points of one platform for one item, a table by tier; reasons where a tier is not served."""
    found, missing = [], {}
    asked = plan.demand[item]
    cases = {tier: tier_case(plan, item, tier) for tier in asked.tiers}
    for tier, case in cases.items():
        # one search serves every tier of the same first token: the slowest of them
        alike = [other for other in cases.values() if other.ttft_limit_ms == case.ttft_limit_ms]
        slowest = max(alike, key=lambda other: other.tpot_limit_ms or math.inf)
        front = search(key, asked.model, case.isl_tokens, case.osl_tokens, **case_options(slowest))
        table = front.table
        if len(table):
            table = table[Limits.of_case(case).keeps(*(table[n].to_numpy(dtype=float) for n in ("tpot_ms", "ttft_ms")))]
        if not len(table):
            speed = plan.tiers[tier].tok_s_per_user
            missing[key, item, tier] = front.reason or f"no layout reaches {speed:g} tok/s/user"
            continue
        if isinstance(plan.load_share, str):
            table = _sustained(key, asked.model, case, _peak_tok_s(plan, item, tier), _site_gpus(plan, platform))
        else:
            table = table.assign(load_share=float(plan.load_share))
        if len(table):
            facts: dict[str, Any] = {"accelerator": key, "model": asked.model, "item": item, "tier": tier}
            found.append(table.assign(**facts, prefix_cache_hit=case.prefix_cache_hit))
        else:
            missing[key, item, tier] = "no open arrivals keep the limits"
    return found, missing


def multiple_of(plan: Plan, tier: str) -> float:
    """What a tier sells for, of the price card."""
    given = plan.tiers[tier].price_multiple
    return float(speed_premium(plan.tiers[tier].tok_s_per_user, speed_tiers())) if isinstance(given, str) else given


def _with_standing(priced: pd.DataFrame, platforms: Mapping[str, Platform]) -> pd.DataFrame:
    """Cost split into what a standing rack costs and what a busy one costs on top."""
    cost = priced["cost_usd_per_gpu_hour"]
    standing = cost.groupby(priced["accelerator"]).transform("min")
    on_demand = [
        getattr(platforms[key].cost, "unsold_hours", "") == UNSOLD["on_demand"] for key in priced["accelerator"]
    ]
    standing = standing.where(~np.array(on_demand), 0.0)
    return priced.assign(standing_usd_per_gpu_hour=standing, busy_usd_per_gpu_hour=cost - standing)


def _undominated(points: pd.DataFrame) -> pd.DataFrame:
    """Points that no other of the same platform, item and tier beats in rate and in cost while busy."""
    order = points.sort_values(
        ["accelerator", "item", "tier", "total_tok_s_per_gpu"], ascending=[True, True, True, False]
    )
    cheapest = order.groupby(["accelerator", "item", "tier"])["busy_usd_per_gpu_hour"].transform(
        lambda column: column.cummin().shift(fill_value=np.inf)
    )
    return order[order["busy_usd_per_gpu_hour"] < cheapest - 1e-12].reset_index(drop=True)


def _site_gpus(plan: Plan, platform: Platform) -> float:
    """GPUs that the site's limits leave room for."""
    room = [
        (plan.limits.power_mw, 1e3 / platform.it_kw_per_gpu),
        (plan.limits.floor_positions, platform.gpus_per_rack),
        (plan.limits.capital_usd, 1.0 / platform.investment_usd_per_gpu if platform.investment_usd_per_gpu else 0.0),
    ]
    return min([math.inf, *(amount * each for amount, each in room if amount is not None and each > 0)])


def _peak_tok_s(plan: Plan, item: int, tier: str) -> float:

    asked = plan.demand[item]
    if asked.tokens_per_day is None:
        return math.inf
    peak = max(block.share / block.hours for block in blocks_of(plan))
    return asked.tokens_per_day * asked.tiers[tier] * peak / SECONDS_PER_HOUR


@by_data(4096)
def _sustained(key: str, model: str, case: Scenario, peak_tok_s: float, site_gpus: float) -> pd.DataFrame:
    """The deployment that sells the most of open arrivals within the limits, with the share of its rate that it sells in all hours.

    The most productive deployment of all, one of a unit of purchase, and ones with time to spare before the first token are
    tried in turn: what fills its limit in a closed loop bears no arrivals that come by chance.
    """
    tokens, best = float(case.isl_tokens + case.osl_tokens), pd.DataFrame()
    most = 0.0
    for max_gpus, spare in CANDIDATES:
        first = None if case.ttft_limit_ms is None else case.ttft_limit_ms * spare
        try:
            limit = unit_gpus(key) if max_gpus else None
            replica = platform_replica(key, model, replace(case, ttft_limit_ms=first), max_gpus=limit)
        except InputError:
            continue
        many = min(peak_tok_s / tokens / replica.closed_rps, site_gpus / replica.times.gpus, MOST_REPLICAS)
        lengths = scaled_lengths(LENGTHS, case)
        share = open_load(replica, case, lengths, max(round(many), 1), Burstiness.poisson())
        sold = share * float(replica.row["total_tok_s_per_gpu"])
        if share > LEAST_LOAD and sold > most:
            most, best = sold, pd.DataFrame([dict(replica.row)]).assign(load_share=share * hours_served_share())
        if share >= ENOUGH:
            break
    return best
