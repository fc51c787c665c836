"""What a page needs to recompute its case: frontiers, prices, costs, draws; and the same case computed here.

Physics stays in the library: the page reads a frontier at the wanted speed and does the last, linear money step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rackecon import catalog
from rackecon.analysis.assumptions import assumptions
from rackecon.analysis.evaluate import evaluate
from rackecon.analysis.money import cards_for, platforms_for, with_money
from rackecon.analysis.phrases import tidy
from rackecon.analysis.ranking import RankingDraws, draw_factors
from rackecon.economics.cost_table import ownership_split

__all__ = ["HITS", "base_state", "live_data", "live_values"]

HITS = (0.0, 0.9)
DRAWS = 200
FREE_SPEED = 1.0  # tok/s/user asked for where a workload has no limit


def _speed(tpot_limit_ms: float | None) -> float:
    return float(round(1e3 / tpot_limit_ms)) if tpot_limit_ms else FREE_SPEED


def base_state(model: str, scenario: str, measure: str, **overrides: Any) -> dict[str, Any]:
    """The report's own case as control values."""
    case, assume = catalog.scenario(scenario), assumptions(**overrides)
    card = cards_for([model], assume)[model]
    return {
        "metric": measure,
        "model": model,
        "scenario": scenario,
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
    }


def live_values(accelerators: Sequence[str], state: Mapping[str, Any], **overrides: Any) -> dict[str, dict[str, float]]:
    """The library's own answer for a state of the controls: what the page must show.

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


def live_data(
    accelerators: Sequence[str],
    models: Sequence[str],
    scenarios: Sequence[str],
    model: str,
    scenario: str,
    measure: str,
    **overrides: Any,
) -> dict[str, Any]:
    """Everything the page's controls need, as plain numbers, with library answers to check itself against."""
    assume = assumptions(**overrides)
    platforms, cards = platforms_for(accelerators, assume), cards_for(models, assume)
    _running_share, life = ownership_split()
    fronts: dict[str, Any] = {}
    for name in models:
        for key in scenarios:
            case = catalog.scenario(key)
            for hit in sorted({*HITS, case.prefix_cache_hit}):
                fronts[f"{name}|{key}|{hit:g}"] = _fronts(
                    accelerators, name, replace(case, prefix_cache_hit=hit), **overrides
                )
    base = base_state(model, scenario, measure, **overrides)
    settings = replace(RankingDraws.from_base_case(), draws=DRAWS)
    table = evaluate(accelerators, [model], [scenario], **overrides)
    drawn = draw_factors(table, settings)
    data = {
        "platforms": [
            {
                "id": p.accelerator,
                "label": p.label,
                "gpus": p.gpus_per_rack,
                "kw": p.kw_per_gpu,
                "c": None if p.cost is None else p.cost.usd_per_gpu_hour,
                "capital": None
                if p.investment_usd_per_gpu != p.investment_usd_per_gpu
                else p.investment_usd_per_gpu / assume.cost_factor,
                "running": p.running_usd_per_gpu_hour / assume.cost_factor,
            }
            for p in platforms.values()
        ],
        "models": {
            name: {
                "name": catalog.model(name).name,
                "pin": card.fresh_input,
                "pout": card.output,
                "cachedShare": card.cached_input / card.fresh_input if card.fresh_input else 0.0,
            }
            for name, card in cards.items()
            if card is not None
        },
        "scenarios": {
            key: {
                "isl": catalog.scenario(key).isl_tokens,
                "osl": catalog.scenario(key).osl_tokens,
                "hit": catalog.scenario(key).prefix_cache_hit,
                "speed": _speed(catalog.scenario(key).tpot_limit_ms),
                "meaning": catalog.scenario(key).meaning,
            }
            for key in scenarios
        },
        "fronts": fronts,
        "draws": {
            "revenue": np.where(np.isfinite(drawn.revenue), drawn.revenue, 1.0).round(4).tolist(),
            "cost": np.where(np.isfinite(drawn.cost), drawn.cost, 1.0).round(4).tolist(),
        },
        "wacc": assume.wacc,
        "life": life,
        "base": base,
        "check": [],
    }
    moved = {**base, "util": 0.8, "cost": 1.3, "decline": 0.1, "years": 3.0, "elec": 0.11}
    other = {
        **base,
        "model": models[-1],
        "pin": data["models"][models[-1]]["pin"],
        "pout": data["models"][models[-1]]["pout"],
    }
    checks = []
    for state in (base, moved, other):
        for key, values in live_values(accelerators, state, **overrides).items():
            checks.append({"platform": key, "state": state, **{k: v for k, v in values.items() if np.isfinite(v)}})
    data["check"] = checks
    return {key: (tidy(value, 6) if key != "fronts" else value) for key, value in data.items()}


def _fronts(accelerators: Sequence[str], model: str, case: Any, **overrides: Any) -> dict[str, Any]:
    """Front of each platform under the first-token limit alone: speed, total rate, IT power drawn per GPU."""
    from rackecon.serving.frontier import search

    assume = assumptions(**overrides)
    platforms, cards = platforms_for(accelerators, assume), cards_for([model], assume)
    out: dict[str, Any] = {}
    for key in accelerators:
        found = search(
            key,
            model,
            case.isl_tokens,
            case.osl_tokens,
            prefix_cache_hit=case.prefix_cache_hit,
            ttft_limit_ms=case.ttft_limit_ms,
            latency_statistic=case.latency_statistic,
        )
        if not len(found):
            out[key] = {"why": found.reason}
            continue
        mine = with_money(found.table.assign(prefix_cache_hit=case.prefix_cache_hit), assume, platforms, cards)
        it_kw = mine["drawn_kw_per_gpu"] / assume.pue
        out[key] = {
            "s": [tidy(float(x), 5) for x in mine["tok_s_per_user"]],
            "t": [tidy(float(x), 5) for x in mine["total_tok_s_per_gpu"]],
            "d": [tidy(float(x), 3) if x == x else 0.0 for x in it_kw],
        }
    return out
