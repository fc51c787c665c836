"""Claims about money, about one user's speed, about software over time: how each becomes a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.claims import arithmetic, model
from rackecon.claims.evidence import software_gains
from rackecon.claims.records import Claim
from rackecon.economics.market_table import effective_card
from rackecon.economics.price_table import listings
from rackecon.economics.revenue import PriceCard, blended_usd_per_mtok
from rackecon.errors import InputError, check_known
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.evidence.novelty import also_new
from rackecon.units import HOURS_PER_DAY, TOKENS_PER_MTOK

SAME_LAYOUT: Final = "same layout"
DERIVED: Final = "derived"
GPUS_PER_NODE: Final = 8
ROUNDING_TOKENS: Final = 0.5e9
"""Half of the last digit of the published token counts, which are whole billions."""
Columns = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""Speed, value, both ends."""


@by_data(64)
def blended_range(model_id: str, workload: str, date: str) -> dict[str, float]:
    """Cheapest, median and dearest standard listing at a date, per million total tokens of a workload [USD/Mtok]."""
    isl, osl = (float(x) for x in workload.split("/"))
    found = listings(catalog.table("prices"), model_id, date)
    each = (found["fresh_input"] * isl + found["output"] * osl) / (isl + osl)
    return {"cheapest": float(each.min()), "list": float(each.median()), "dearest": float(each.max())}


def card_of(text: str, model_id: str) -> PriceCard:
    """A price card written as ``fresh input/cached input/output``."""
    fresh, cached, output = (float(x) for x in text.split("/"))
    return PriceCard(model_id, fresh, cached, output)


def _price(claim: Claim, case: Mapping[str, str]) -> float:
    """Revenue per million total tokens under a case [USD/Mtok]."""
    wanted = case["token_price"]
    isl, osl = (float(x) for x in case["workload"].split("/"))
    if "/" in wanted:
        hit = float(case.get("prefix_cache_hit") or 0.0)
        return float(blended_usd_per_mtok(card_of(wanted, case["model"]), isl, osl, hit))
    if wanted == "paid":
        return float(blended_usd_per_mtok(effective_card(case["model"]), isl, osl, 0.0))
    prices = blended_range(case["model"], case["workload"], claim.date)
    check_known("token_price", wanted, prices, "data/claims.csv")
    return prices[wanted]


def accounts(claim: Claim, case: Mapping[str, str], rate: FloatArray) -> tuple[FloatArray, int]:
    """A total rate per GPU as revenue of a rack; other metrics as they are."""
    if claim.metric == "rack_revenue_usd":
        years, sold = float(case["horizon_years"]), float(case["utilisation"])
        return arithmetic.revenue_usd(rate, model.rack_gpus(case["subject"]), years, _price(claim, case), sold), 1
    return model.plain_value(claim.metric, case, rate)


def _fastest(claim: Claim, case: Mapping[str, str]) -> Columns:
    """The fastest user of the whole front; the very end of the curve by definition."""
    one = model.side(case)
    front = one.front
    if not len(front):
        nothing = np.array([np.nan])
        return nothing, nothing, nothing, nothing
    speed = front.rows["tok_s_per_user"][-1:]
    known = "" if one.untried else one.model
    pair = one.accelerator, known
    also = also_new(*pair, one.engine)
    low, high = interval_factors(*pair, str(front.rows["mode"][-1]), "tok_s_per_user", also=also)
    return speed, speed, speed * low, speed * high


@by_data(4)
def gain_range(days: float, layout: str) -> tuple[float, float]:
    """Gains of public repeats: 90 % interval at the same layout, lowest and highest where the layout is open."""
    found = software_gains(days, same_layout=layout == SAME_LAYOUT)
    if not len(found):
        return 1.0, 1.0
    ends = (0.05, 0.95) if layout == SAME_LAYOUT else (0.0, 1.0)
    return float(np.quantile(found, ends[0])), float(np.quantile(found, ends[1]))


def gain_days(case: Mapping[str, str]) -> float:
    """Days between the two software dates of a case."""
    from datetime import date

    return float((date.fromisoformat(case["software_date"]) - date.fromisoformat(case["baseline_software_date"])).days)


def _gain(claim: Claim, case: Mapping[str, str]) -> Columns:
    """Rate at the later date over rate at the earlier one, same speed; interval from repeated public runs."""
    before = dict(case, software_date=case["baseline_software_date"])
    speed = np.array([float(case["tok_s_per_user"])])
    value = model.side(case).modelled(speed).value / model.side(before).modelled(speed).value
    low, high = gain_range(gain_days(case), case["layout"])
    return speed, value, np.minimum(value, low), np.maximum(value, high)


@dataclass(frozen=True)
class FleetDay:
    """One day of a served fleet as its operator published it, with the last digit of each figure."""

    input_tokens: float
    output_tokens: float
    nodes: float
    usd_per_gpu_hour: float


@by_data(1)
def fleet_day() -> FleetDay:
    """DeepSeek's published day, from data/utilization.csv."""
    rows = {r["item"]: r for r in catalog.read_rows("utilization")}

    def value(item: str) -> float:
        return float(rows[item]["value"])

    return FleetDay(
        value("DeepSeek input tokens per day"),
        value("DeepSeek output tokens per day"),
        value("DeepSeek V3/R1 average nodes"),
        value("DeepSeek assumed lease"),
    )


def _margin(claim: Claim, case: Mapping[str, str]) -> Columns:
    """Profit over cost of the published day at the case's prices; the interval is the rounding of the figures."""
    day, card = fleet_day(), card_of(case["token_price"], case["model"])
    hit = float(case["prefix_cache_hit"])
    cost = day.usd_per_gpu_hour * day.nodes * GPUS_PER_NODE * HOURS_PER_DAY

    def margin(step: float) -> float:
        fed, made = day.input_tokens + step * ROUNDING_TOKENS, day.output_tokens + step * ROUNDING_TOKENS
        paid = fed * ((1.0 - hit) * card.fresh_input + hit * card.cached_input) + made * card.output
        return paid / TOKENS_PER_MTOK / cost - 1.0

    speed = np.array([float(case["tok_s_per_user"])])
    ends = (np.array([margin(step)]) for step in (0.0, -1.0, 1.0))
    return speed, *ends  # type: ignore[return-value]


def _sold(case: Mapping[str, str]) -> float:
    """Share sold of a case: the one given, or what the load model derives for the platform; NaN where it derives none."""
    if case["utilisation"] != DERIVED:
        return float(case["utilisation"])
    return _derived(case["subject"], case["model"], case["scenario"])


@by_data(64)
def _derived(accelerator: str, model_id: str, scenario: str) -> float:
    from rackecon.load.derived import derived_utilisation

    try:
        return derived_utilisation(accelerator, model_id, scenario).utilisation
    except InputError:
        return math.nan


@by_data(64)
def _level_card(model_id: str, level: str, scenario: str) -> PriceCard:
    """A price level's card; an entrant's costs a search of every platform."""
    from rackecon.market.levels import level_card

    return level_card(model_id, level, scenario)


def _engine_option(case: Mapping[str, str]) -> dict[str, Any]:
    """The engine of a case as a search's option; none where it is left to the platform."""
    engine = case.get("engine", model.USUAL_ENGINE)
    return {} if engine == model.USUAL_ENGINE else {"engine": engine}


def _earning(claim: Claim, case: Mapping[str, str]) -> Columns:
    """Revenue over cost of a rack at a price level and a share sold.

    The interval is that of the rate; for agents at least as wide as measured replays lie about the model.
    """
    from rackecon.appraisal.evaluate import evaluate
    from rackecon.load.agentic import AGENTS
    from rackecon.load.agentic_runs import agentic_range

    speed, sold = np.full(1, np.nan), _sold(case)
    if not sold > 0:
        return speed, speed, speed, speed
    card = _level_card(case["model"], case["token_price"], case["scenario"])
    row = evaluate(
        *([case[name]] for name in ("subject", "model", "scenario")),
        price_cards={case["model"]: card},
        search_options=_engine_option(case),
        utilisation=sold,
    ).iloc[0]
    middle = float(row["revenue_usd_per_rack_year"]) / float(row["cost_usd_per_rack_year"])
    rate = float(row["total_tok_s_per_gpu"])
    low, high = (float(row[f"total_tok_s_per_gpu_{end}"]) / rate for end in ("low", "high"))
    if case["scenario"] == AGENTS:
        least, most = agentic_range()
        low, high = min(low, least), max(high, most)
    return speed, np.array([middle]), np.array([low * middle]), np.array([high * middle])


def _limit_cost(claim: Claim, case: Mapping[str, str]) -> Columns:
    """Best rate without latency limits over the best within those of a workload."""
    from rackecon.serving.frontier import search, search_case

    work, pair, how = catalog.scenario(case["scenario"]), (case["subject"], case["model"]), _engine_option(case)
    free = search(*pair, work.isl_tokens, work.osl_tokens, prefix_cache_hit=work.prefix_cache_hit, **how).best()
    bound = search_case(*pair, work, **how).best()
    nothing = np.full(1, np.nan)
    if free is None or bound is None:
        return nothing, nothing, nothing, nothing
    low, high = interval_factors(*pair, str(bound["mode"]), AT_SPEED, also=also_new(*pair, **how))
    value = np.array([float(free["total_tok_s_per_gpu"]) / float(bound["total_tok_s_per_gpu"])])
    return nothing, value, value / high, value / low


SPECIAL: Final[dict[str, Callable[[Claim, Mapping[str, str]], Columns]]] = {
    "tok_s_per_user": _fastest,
    "software_gain": _gain,
    "margin_over_cost": _margin,
    "revenue_over_cost": _earning,
    "limit_cost": _limit_cost,
}
