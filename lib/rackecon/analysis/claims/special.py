"""Claims about money, about one user's speed, about software over time: how each becomes a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.analysis.claims import arithmetic, model
from rackecon.analysis.claims.evidence import software_gains
from rackecon.analysis.claims.records import Claim
from rackecon.economics.checks import FloatArray
from rackecon.economics.price_table import listings
from rackecon.economics.revenue import PriceCard, blended_usd_per_mtok
from rackecon.errors import unknown_name
from rackecon.evidence.intervals import interval_factors
from rackecon.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK

__all__ = ["DEEPSEEK_USD_PER_GPU_HOUR", "SPECIAL", "accounts", "blended_range", "card_of"]

DEEPSEEK_USD_PER_GPU_HOUR: Final = "DeepSeek assumed lease"
Columns = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


@lru_cache(maxsize=64)
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
    prices = blended_range(case["model"], case["workload"], claim.date)
    if wanted not in prices:
        raise unknown_name("token_price", wanted, prices, "data/claims.csv")
    return prices[wanted]


@lru_cache(maxsize=1)
def _lease_usd_per_gpu_hour() -> float:
    rows = catalog.read_rows("utilization")
    return float(next(r["value"] for r in rows if r["item"] == DEEPSEEK_USD_PER_GPU_HOUR))


def accounts(claim: Claim, case: Mapping[str, str], rate: FloatArray) -> tuple[FloatArray, int]:
    """A total rate per GPU as revenue of a rack or as profit over cost; other metrics as they are."""
    if claim.metric == "rack_revenue_usd":
        years, sold = float(case["horizon_years"]), float(case["utilisation"])
        return arithmetic.revenue_usd(rate, model.rack_gpus(case["subject"]), years, _price(claim, case), sold), 1
    if claim.metric == "margin_over_cost":
        per_hour = rate * float(case["utilisation"]) * SECONDS_PER_HOUR / TOKENS_PER_MTOK * _price(claim, case)
        return per_hour / _lease_usd_per_gpu_hour() - 1.0, 1
    return model.plain_value(claim.metric, case, rate)


def _fastest(claim: Claim, case: Mapping[str, str]) -> Columns:
    """The fastest user of the whole front; the very end of the curve by definition."""
    front = model.side(case).front
    if not len(front):
        nothing = np.array([np.nan])
        return nothing, nothing, nothing, nothing, nothing
    speed = front.rows["tok_s_per_user"][-1:]
    low, high = interval_factors(case["subject"], case["model"], str(front.rows["mode"][-1]), "tok_s_per_user")
    return speed, np.ones(1), speed, speed * low, speed * high


@lru_cache(maxsize=4)
def _gains(days: float) -> tuple[float, float]:
    found = software_gains(days)
    return (float(np.quantile(found, 0.05)), float(np.quantile(found, 0.95))) if len(found) else (1.0, 1.0)


def _gain(claim: Claim, case: Mapping[str, str]) -> Columns:
    """Rate at the later date over rate at the earlier one, same speed; interval from repeated public runs."""
    from datetime import date

    before = dict(case, software_date=case["baseline_software_date"])
    speed = np.array([float(case["tok_s_per_user"])])
    now, then = model.side(case), model.side(before)
    value = now.rate(speed)[0] / then.rate(speed)[0]
    days = (date.fromisoformat(case["software_date"]) - date.fromisoformat(case["baseline_software_date"])).days
    low, high = _gains(float(days))
    return speed, np.full(1, np.nan), value, np.minimum(value, low), np.maximum(value, high)


SPECIAL: Final[dict[str, Callable[[Claim, Mapping[str, str]], Columns]]] = {
    "tok_s_per_user": _fastest,
    "software_gain": _gain,
}
