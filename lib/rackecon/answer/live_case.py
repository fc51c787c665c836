"""What a page needs to recompute its case: frontiers, prices, costs, draws; and the same case computed here.

Physics stays in the library: the page reads a frontier at the wanted speed and does the last, linear money step.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rackecon import catalog
from rackecon.answer.lead_map import LEANING_SHARE, PRICES, SHARES
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.appraisal.money import cards_for, platform_costs, platforms_for, with_money
from rackecon.catalog.assumption_table import own_costs
from rackecon.economics.cost_table import residual_at
from rackecon.economics.finance import TAX_LIFE_YEARS
from rackecon.economics.returns import present_value_factors
from rackecon.evidence.intervals import interval_factors
from rackecon.uncertainty.distributions import Z10, Z90
from rackecon.uncertainty.ranking import DECIDED_SHARE, RankingDraws, draw_scores
from rackecon.words import tidy

if TYPE_CHECKING:
    import pandas as pd

    from rackecon.appraisal.assumptions import Assumptions
    from rackecon.catalog import Scenario
    from rackecon.economics.revenue import PriceCard

__all__ = ["HITS", "base_costs", "base_state", "costs_moved", "live_data", "live_values", "money_fronts"]

HITS = (0.0, 0.9)
DRAW_STEPS = 4096
"""Steps per unit of a packed draw, two bytes each: a fineness of 0.0002 over -8 to 8."""
RESALE_YEARS = 15
"""Highest horizon of data/assumptions.csv, and so of a page's control [years]."""
FREE_SPEED = 1.0  # tok/s/user asked for where a workload has no limit


def _speed(tpot_limit_ms: float | None) -> float:
    """Speed that a limit asks for, without the crumbs of its rounding to milliseconds [tok/s/user]."""
    if not tpot_limit_ms:
        return FREE_SPEED
    exact = 1e3 / tpot_limit_ms
    return float(round(exact)) if abs(round(exact) / exact - 1.0) < 2e-3 else float(tidy(exact, 6))


def base_state(
    model: str,
    case: str | Scenario,
    measure: str,
    price_cards: Mapping[str, PriceCard] | None = None,
    **overrides: Any,
) -> dict[str, Any]:
    """The report's own case as control values."""
    case, assume = catalog.as_scenario(case), assumptions(**overrides)
    card = cards_for([model], assume, price_cards)[model]
    return {
        "metric": measure,
        "model": model,
        "scenario": case.id,
        "hit": case.prefix_cache_hit,
        "speed": _speed(case.tpot_limit_ms),
        "pout": card.output if card else 0.0,
        "pin": card.fresh_input if card else 0.0,
        "util": assume.utilisation,
        "years": assume.horizon_years,
        "decline": assume.price_decline_per_year,
        "elec": assume.electricity_usd_per_kwh,
        "pue": assume.pue,
        "cost": assume.cost_factor,
        "licence": assume.licence_share,
        "wacc": assume.wacc,
        "tax": assume.tax_rate,
    }


def base_costs(accelerators: Sequence[str], **overrides: Any) -> dict[str, float]:
    """Cost of each platform at the base case's cost of capital, life and resale [USD/GPU-hour]; absent without one.

    Examples
    --------
    >>> base_costs(["gb200-nvl72"], own_costs="gb200-nvl72=1.8", wacc=0.2)
    {'gb200-nvl72': 1.8}
    """
    base = catalog.base_case()
    assume = assumptions(
        **overrides
        | {
            "wacc": base.wacc,
            "horizon_years": base.horizon_years,
            "residual_share": None,
            "tax_rate": 0.0,
            "cost_factor": 1.0,
        }
    )
    platforms = platforms_for(accelerators, assume)
    costs = platform_costs(
        list(platforms.values()),
        replace(assume, electricity_usd_per_kwh=base.electricity_usd_per_kwh, pue=base.pue),
        0.0,
    )[0]
    return {key: float(tidy(float(cost), 6)) for key, cost in zip(platforms, costs, strict=True) if cost == cost}


def live_values(accelerators: Sequence[str], state: Mapping[str, Any], **overrides: Any) -> dict[str, dict[str, float]]:
    """The library's own answer for a state of the controls: what the page must show.

    Costs of the state that are the report's own are left to the tables.

    Returns
    -------
    dict
        Accelerator id to ``rack, mw, usd`` (profit a year), ``mtok`` (USD per million total tokens sold), ``margin``,
        ``revenueRack``, ``payback``.
    """
    from rackecon.economics.revenue import PriceCard

    case = catalog.scenario(str(state["scenario"]))
    case = replace(case, prefix_cache_hit=float(state["hit"]), tpot_limit_ms=1e3 / float(state["speed"]))
    model = str(state["model"])
    base_card = cards_for([model], assumptions(**overrides))[model]
    share = base_card.cached_input / base_card.fresh_input if base_card and base_card.fresh_input else 0.0
    card = PriceCard(model, float(state["pin"]), float(state["pin"]) * share, float(state["pout"]))
    given = dict(overrides) | {
        "utilisation": float(state["util"]),
        "horizon_years": float(state["years"]),
        "price_decline_per_year": float(state["decline"]),
        "electricity_usd_per_kwh": float(state["elec"]),
        "pue": float(state["pue"]),
        "cost_factor": float(state["cost"]),
        "licence_share": float(state["licence"]),
        "wacc": float(state["wacc"]),
        "tax_rate": float(state["tax"]),
        "own_costs": costs_moved(state, base_costs(accelerators, **overrides), str(overrides.get("own_costs") or "")),
    }
    found = evaluate(accelerators, [model], [case], price_cards={model: card}, intervals=False, **given)
    out = {}
    for row in found.itertuples():
        if row.reason or row.profit_usd_per_rack_year != row.profit_usd_per_rack_year:
            continue
        out[str(row.accelerator)] = {
            "rack": float(row.profit_usd_per_rack_year),
            "mw": float(row.profit_usd_per_mw_year),
            "usd": float(row.profit_usd_per_invested_usd_year),
            "mtok": float(row.cost_usd_per_mtok_total),
            "margin": float(row.gross_margin),
            "revenueRack": float(row.revenue_usd_per_rack_year),
            "payback": float(row.payback_years),
        }
    return out


def costs_moved(state: Mapping[str, Any], standing: Mapping[str, float], given: str) -> str:
    """Costs of a state that its reader or the report itself moved, as ``own_costs`` takes them."""
    kept = own_costs(given)
    moved = {key: float(state[key]) for key, cost in standing.items() if key in state and state[key] != tidy(cost, 4)}
    return ",".join(f"{key}={cost:g}" for key, cost in (kept | moved).items())


def live_data(
    accelerators: Sequence[str],
    models: Sequence[str],
    scenarios: Sequence[str],
    model: str,
    case: str | Scenario,
    measure: str,
    price_cards: Mapping[str, PriceCard] | None = None,
    report: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> dict[str, Any]:
    """Everything the page's controls need, as plain numbers, with library answers to check itself against.

    Parameters
    ----------
    accelerators, models, scenarios : sequence of str
        Platforms, and what the menus offer.
    model, case, measure : str, str or Scenario, str
        The report's own case; a changed copy of a scenario keeps the reader's speed and cache share.
    price_cards : mapping, optional
        Prices that the report ran with, in place of the median listing.
    report : mapping, optional
        Intervals and win shares of the report's own case with every input drawn, which stand while nothing is changed.
    **overrides
        Assumptions that the report ran with.
    """
    assume = assumptions(**overrides)
    case = catalog.as_scenario(case)
    platforms, cards = platforms_for(accelerators, assume), cards_for(models, assume)
    fronts: dict[str, Any] = {}
    for name in models:
        for key in scenarios:
            its = catalog.scenario(key)
            own = {case.prefix_cache_hit} if key == case.id else set()
            for hit in sorted({*HITS, its.prefix_cache_hit} | own):
                fronts[f"{name}|{key}|{hit:g}"] = _fronts(
                    accelerators, name, replace(its, prefix_cache_hit=hit), **overrides
                )
    standing = base_costs(accelerators, **overrides)
    base = base_state(model, case, measure, price_cards, **overrides) | {
        key: tidy(cost, 4) for key, cost in standing.items()
    }
    data: dict[str, Any] = {
        "platforms": [_platform(p, assume) | {"now": standing.get(key)} for key, p in platforms.items()],
        "models": {name: _model(name, card, accelerators) for name, card in cards.items() if card is not None},
        "scenarios": {key: _scenario(catalog.scenario(key)) for key in scenarios},
        "own": own_costs(assume.own_costs),
        "taxed": TAX_LIFE_YEARS,
        "levelled": catalog.base_case().wacc,
        "free": assume.free_share,
        "resale": [float(x) for x in residual_at(np.arange(RESALE_YEARS + 1.0))],
        "base": base,
        "map": {"shares": [*SHARES], "prices": [*PRICES], "sure": [DECIDED_SHARE, LEANING_SHARE]},
    }
    moved = {**base, "util": 0.8, "cost": 1.3, "decline": 0.1, "years": 3.0, "elec": 0.11, "wacc": 0.15, "tax": 0.21}
    moved |= {key: 1.5 * cost for key, cost in list(standing.items())[:1]}
    last = data["models"].get(models[-1], {})
    other = {**base, "model": models[-1], "pin": last.get("pin", 0.0), "pout": last.get("pout", 0.0)}
    checks = []
    for state in (base, moved, other):
        for key, values in live_values(accelerators, state, **overrides).items():
            checks.append({"platform": key, "state": state, **{k: v for k, v in values.items() if np.isfinite(v)}})
    data["check"] = checks
    settings = RankingDraws.from_base_case()
    return {key: tidy(value, 6) for key, value in data.items()} | {
        "fronts": fronts,
        "draws": _draws(accelerators, settings),
        "report": tidy(dict(report or {}), 6),
        "z10": Z10,
    }


def _draws(accelerators: Sequence[str], settings: RankingDraws) -> dict[str, Any]:
    """The report's own paired draws, packed small enough for a page.

    ``rate`` and ``price`` are scores, whose width depends on platform, model and mode; ``sold`` is added to the log odds of
    the share sold; ``capital`` multiplies the part of the cost that is capital.
    """
    scores = draw_scores(accelerators, settings)
    share, capital = scores.inputs["utilisation"], scores.inputs["capex"].quantile_of_normal(scores.capital)
    sold = share.quantile_of_normal(scores.sold)
    odds = np.log(sold / (1.0 - sold)) - np.log(share.central / (1.0 - share.central))

    def packed(values: Any) -> str:
        steps = np.clip(np.rint(np.asarray(values) * DRAW_STEPS), -32768, 32767).astype("<i2")
        return base64.b64encode(steps.tobytes()).decode("ascii")

    return {
        "steps": DRAW_STEPS,
        "rate": [packed(row) for row in scores.rate],
        "price": packed(scores.price[0]),
        "sold": packed(odds[0]),
        "capital": [packed(row) for row in capital],
    }


def _platform(p: Any, assume: Assumptions) -> dict[str, Any]:
    invested = p.investment_usd_per_gpu
    return {
        "id": p.accelerator,
        "label": p.label,
        "gpus": p.gpus_per_rack,
        "kw": p.kw_per_gpu,
        "c": None if p.cost is None else p.cost.usd_per_gpu_hour,
        "capital": None if invested != invested else invested / assume.cost_factor,
        "kept": p.kept_share,
        "worth": float(present_value_factors(p.built_rate_per_year, 0.0, p.built_life_years).cost_years)
        if p.kept_share < 1.0
        else 1.0,
        "resells": p.resells,
    }


def _model(name: str, card: PriceCard, accelerators: Sequence[str]) -> dict[str, Any]:
    """Prices, their spread (logs of the 10th and 90th percentile) and how wrong the rate may be on each platform."""
    spread = {
        key: {
            mode[0]: [abs(math.log(x)) / Z90 for x in interval_factors(key, name, mode, "total_tok_s_per_gpu")]
            for mode in ("aggregated", "disaggregated")
        }
        for key in accelerators
    }
    return {
        "name": catalog.model(name).name,
        "pin": card.fresh_input,
        "pout": card.output,
        "cachedShare": card.cached_input / card.fresh_input if card.fresh_input else 0.0,
        "level": [abs(math.log(x)) for x in card.level_range()],
        "spread": spread,
    }


def _scenario(case: Scenario) -> dict[str, Any]:
    return {
        "isl": case.isl_tokens,
        "osl": case.osl_tokens,
        "hit": case.prefix_cache_hit,
        "speed": _speed(case.tpot_limit_ms),
        "meaning": case.meaning,
        "name": case.name,
    }


def money_fronts(
    accelerators: Sequence[str],
    model: str,
    case: Scenario,
    price_cards: Mapping[str, PriceCard] | None = None,
    **overrides: Any,
) -> dict[str, pd.DataFrame | str]:
    """Front of each platform under the first-token limit alone, with its money; the reason where there is none."""
    from rackecon.serving.frontier import search_case

    assume = assumptions(**overrides)
    platforms, cards = platforms_for(accelerators, assume), cards_for([model], assume, price_cards)
    out: dict[str, pd.DataFrame | str] = {}
    for key in accelerators:
        found = search_case(key, model, case, tpot_limit_ms=None)
        paid = found.table.assign(prefix_cache_hit=case.prefix_cache_hit)
        out[key] = with_money(paid, assume, platforms, cards) if len(found) else str(found.reason)
    return out


def _fronts(accelerators: Sequence[str], model: str, case: Scenario, **overrides: Any) -> dict[str, Any]:
    """Speed, total rate, IT power drawn per GPU and mode along each front."""
    out: dict[str, Any] = {}
    for key, mine in money_fronts(accelerators, model, case, **overrides).items():
        if isinstance(mine, str):
            out[key] = {"why": mine}
            continue
        it_kw = mine["drawn_it_kw_per_gpu"]
        out[key] = {
            "s": [tidy(float(x), 5) for x in mine["tok_s_per_user"]],
            "t": [tidy(float(x), 5) for x in mine["total_tok_s_per_gpu"]],
            "d": [tidy(float(x), 3) if x == x else 0.0 for x in it_kw],
            "m": "".join("d" if mode == "disaggregated" else "a" for mode in mine["mode"]),
        }
    return out
