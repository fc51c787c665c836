"""What a page needs to recompute its case: frontiers, prices, costs, draws; and the same case computed here.

Physics stays in the library: the page reads a frontier at the wanted speed and does the last, linear money step.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.answer.lead_map import LEANING_SHARE, PRICES, SHARES
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.evaluate import evaluate, share_sold
from rackecon.appraisal.money import Platform, cards_for, platform_costs, platforms_for, with_money
from rackecon.catalog import Scenario
from rackecon.catalog.assumption_table import allowed_values, own_costs
from rackecon.catalog.cached import one_state
from rackecon.catalog.kept import kept
from rackecon.economics.cost_table import residual_at
from rackecon.economics.finance import TAX_LIFE_YEARS
from rackecon.economics.power_table import drawn_it_kw
from rackecon.economics.returns import present_value_factors
from rackecon.economics.revenue import PriceCard
from rackecon.errors import InputError
from rackecon.evidence.intervals import AT_SPEED, Z90, interval_factors
from rackecon.evidence.leads import DECIDED_SHARE
from rackecon.evidence.novelty import platform_named
from rackecon.lazy import pd
from rackecon.serving.front import Frontier
from rackecon.uncertainty.distributions import Z10
from rackecon.uncertainty.ranking import RankingDraws, draw_scores
from rackecon.words import tidy

HITS = (0.0, 0.9)
ANSWERS: Final = {
    "rack": "profit_usd_per_rack_year",
    "mw": "profit_usd_per_mw_year",
    "usd": "profit_usd_per_invested_usd_year",
    "mtok": "cost_usd_per_mtok_total",
    "margin": "gross_margin",
    "revenueRack": "revenue_usd_per_rack_year",
    "payback": "payback_years",
}
"""What a page works out for a platform, by its keys there."""
CHECKED = ("rack", "mw", "usd", "mtok")
"""What a page compares with the library before it shows a control."""
USUAL, NEWEST, OWN = "usual", "newest", "own"
"""A platform's usual number format, its newest measured software, and a basis of cost that is none of those offered."""
GIVEN, DERIVED = "set", "derived"
"""A share of capacity sold that is stated, and each platform's own by the load on it."""
BASES: Final[dict[str, dict[str, str]]] = {
    "build_up": {"cost_basis": "build_up"},
    "ownership": {"cost_basis": "ownership", "cost_tier": "hyperscaler"},
    "neocloud": {"cost_basis": "ownership", "cost_tier": "neocloud"},
    "rental": {"cost_basis": "rental", "cost_tier": "3-year"},
}
"""What a cost can rest on, and the assumptions that say so."""
CONTROLS: Final = {
    "util": "utilisation",
    "years": "horizon_years",
    "decline": "price_decline_per_year",
    "elec": "electricity_usd_per_kwh",
    "pue": "pue",
    "cost": "cost_factor",
    "licence": "licence_share",
    "wacc": "wacc",
    "tax": "tax_rate",
}
"""Controls of money by their keys in a page, and the assumptions that they move."""
FINE, COARSE = 65535, 127
"""Steps of a packed figure in two bytes, and in seven bits."""
DRAW_STEPS = 4096
"""Steps per unit of a packed draw, two bytes each: a fineness of 0.0002 over -8 to 8."""
RESALE_YEARS = 15
"""Highest horizon of data/assumptions.csv, and so of a page's control [years]."""
FREE_SPEED = 1.0  # tok/s/user asked for where a workload has no limit


def _speed(tpot_limit_ms: float | None) -> float:
    """Speed that a limit asks for [tok/s/user]; the one is the other's inverse, so that no point keeps but one of them."""
    return float(tidy(1e3 / tpot_limit_ms, 10)) if tpot_limit_ms else FREE_SPEED


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
        **{key: getattr(assume, name) for key, name in CONTROLS.items()},
        "basis": basis_of(assume),
        "level": assume.price_level,
        "precision": case.weight_precision or USUAL,
        "software": case.software_date or NEWEST,
        "sold": GIVEN,
        "without": "",
        "with": "",
    }


def basis_of(assume: Assumptions) -> str:
    """Key of :data:`BASES` that an evaluation's cost rests on; ``own`` where it is another.

    Examples
    --------
    >>> basis_of(assumptions()), basis_of(assumptions(cost_usd_per_gpu_hour=2.0))
    ('build_up', 'own')
    """
    plain = assume.cost_usd_per_gpu_hour is None and assume.cost_vintage == catalog.base_case().cost_vintage
    kinds = (key for key, terms in BASES.items() if all(getattr(assume, k) == v for k, v in terms.items()))
    return next(kinds, OWN) if plain else OWN


def _on_basis(key: str) -> dict[str, str]:
    """Assumptions that put an evaluation on a basis; none for the report's own."""
    return BASES.get(key, {})


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
    case = catalog.scenario(str(state["scenario"]))
    case = replace(
        case,
        prefix_cache_hit=float(state["hit"]),
        tpot_limit_ms=1e3 / float(state["speed"]),
        **_served_with(str(state["precision"]), str(state["software"])),
    )
    if state["sold"] == DERIVED:
        case, overrides = catalog.scenario(case.id), overrides | {"sold_by_load": True}
    model = str(state["model"])
    overrides |= _on_basis(str(state["basis"])) | {"price_level": str(state["level"])}
    base_card = cards_for([model], assumptions(**overrides))[model]
    share = base_card.cached_input / base_card.fresh_input if base_card and base_card.fresh_input else 0.0
    card = PriceCard(model, float(state["pin"]), float(state["pin"]) * share, float(state["pout"]))
    costs = costs_moved(state, base_costs(accelerators, **overrides), str(overrides.get("own_costs") or ""))
    given = overrides | {name: float(state[key]) for key, name in CONTROLS.items()} | {"own_costs": costs}
    found = evaluate(accelerators, [model], [case], price_cards={model: card}, intervals=False, **given)
    known = found[(found["reason"] == "") & found["profit_usd_per_rack_year"].notna()].set_index("accelerator")
    return {str(key): {name: float(row[column]) for name, column in ANSWERS.items()} for key, row in known.iterrows()}


def costs_moved(state: Mapping[str, Any], standing: Mapping[str, float], given: str) -> str:
    """Costs of a state that its reader or the report itself moved, as ``own_costs`` takes them."""
    kept = own_costs(given)
    moved = {key: float(state[key]) for key, cost in standing.items() if key in state and state[key] != tidy(cost, 4)}
    return ",".join(f"{key}={cost:g}" for key, cost in (kept | moved).items())


@one_state()
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
        Platforms, and what the menus offer; the report's own case is offered first where they lack it.
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
    base = base_state(model, case, measure, price_cards, **overrides)
    models = models if model in models else [model, *models]
    scenarios = scenarios if base["scenario"] in scenarios else [str(base["scenario"]), *scenarios]
    bases = {key: _basis(accelerators, overrides | _on_basis(key)) for key in dict.fromkeys([base["basis"], *BASES])}
    base |= {key: tidy(row["now"], 4) for key, row in bases[base["basis"]].items() if row["now"] is not None}
    platforms = platforms_for(accelerators, assume)
    power = _power(platforms)
    asked = (tuple(accelerators), tuple(models), tuple(scenarios))
    data: dict[str, Any] = {
        "platforms": [_platform(p) for p in platforms.values()],
        "bases": bases,
        "models": _models(models, accelerators, base["level"], overrides),
        "scenarios": {key: _scenario(catalog.scenario(key)) for key in scenarios},
        "own": own_costs(assume.own_costs),
        "taxed": TAX_LIFE_YEARS,
        "levelled": catalog.base_case().wacc,
        "free": assume.free_share,
        "resale": [float(x) for x in residual_at(np.arange(RESALE_YEARS + 1.0))],
        "base": base,
        "sold": kept("sold", asked, lambda: _sold(*asked)),
        "measured": _measured(accelerators, models, scenarios, _fastest(case)),
        "map": {"shares": [*SHARES], "prices": [*PRICES], "sure": [DECIDED_SHARE, LEANING_SHARE]},
    }
    data["check"] = _checks(accelerators, base, data["models"], overrides)
    settings = RankingDraws()
    return {key: tidy(value, 6) for key, value in data.items()} | {
        "fronts": kept("live-fronts", (power, *asked, case), lambda: _all_fronts(power, models, scenarios, case)),
        "draws": _draws(accelerators, settings),
        "report": tidy(dict(report or {}), 6),
        "z10": Z10,
        "z90": Z90,
    }


@one_state()
def beside_data(data: Mapping[str, Any], case: str | Scenario, **overrides: Any) -> dict[str, Any]:
    """The same of every platform of the catalog that a page was not made with, own rows among them, for a file beside the page.

    Parameters
    ----------
    data : mapping
        Of :func:`live_data`.
    case : str or Scenario
        The report's own case.
    **overrides
        Assumptions that the report ran with.

    Returns
    -------
    dict
        As :func:`live_data` has it of its platforms; under ``left`` name and reason of those that cannot be compared.
    """
    given, base = [p["id"] for p in data["platforms"]], data["base"]
    menus = [*data["models"]], [*data["scenarios"]]
    case, chips = catalog.as_scenario(case), catalog.accelerators()
    others = [key for key in chips if key not in given]
    bases = {key: _basis(others, overrides | _on_basis(key)) for key in data["bases"]}
    left = {key: _unpaid(key, bases) for key in others}
    paid = platforms_for([key for key in others if not left[key]], assumptions(**overrides))
    asked = _power(paid), *map(tuple, menus), case
    fronts = kept("live-fronts", asked, lambda: _all_fronts(*asked))
    for key, front in fronts[_front_key(base)].items():
        if all(row[key] == "=" or "why" in row[key] for row in fronts.values()):
            left[key] = front["why"]
    able = [key for key in others if not left[key]]
    costs = {key: tidy(row["now"], 4) for key in able if (row := bases[base["basis"]][key])["now"] is not None}
    found = {
        "platforms": [_platform(paid[key]) for key in able],
        "base": costs,
        "bases": {basis: {key: rows[key] for key in able} for basis, rows in bases.items()},
        "spread": {name: _spread(name, able) for name in data["models"]},
        "sold": kept("sold", (able, menus), lambda: _sold(able, *menus)),
        "measured": _measured(able, *menus, _fastest(case)),
        "check": _checks(able, {**base, **costs}, data["models"], overrides) if able else [],
        "left": {key: [chips[key].label, why] for key, why in left.items() if why},
    }
    draws = _draws([*given, *able], RankingDraws())
    return {key: tidy(value, 6) for key, value in found.items()} | {
        "fronts": {where: {key: front for key, front in row.items() if key in able} for where, row in fronts.items()},
        "draws": {name: {key: draws[name][key] for key in able} for name in ("rate", "capital")},
    }


def _unpaid(accelerator: str, bases: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Why nothing can be earned on a platform whatever it serves; empty where something can."""
    chip = catalog.accelerator(accelerator)
    if not chip.servable:
        return f"not modelled: {chip.note}"
    return "" if any(row[accelerator]["c"] is not None for row in bases.values()) else "no cost per GPU-hour on record"


def _front_key(state: Mapping[str, Any]) -> str:
    return "|".join(
        [*(str(state[k]) for k in ("model", "scenario")), f"{state['hit']:g}", state["precision"], state["software"]]
    )


def _checks(
    accelerators: Sequence[str], base: Mapping[str, Any], models: Mapping[str, Any], overrides: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Library answers for the report's case and for cases in which every control has moved."""
    costs = [key for key in accelerators if key in base][:1]
    moved = {**base, "util": 0.8, "cost": 1.3, "decline": 0.1, "years": 3.0, "elec": 0.11, "wacc": 0.15, "tax": 0.21}
    moved |= {key: 1.5 * base[key] for key in costs}
    last = [*models][-1]
    other = {**base, "model": last, **{key: models[last]["levels"][base["level"]][key] for key in ("pin", "pout")}}
    served = {
        **other,
        "hit": catalog.scenario(str(base["scenario"])).prefix_cache_hit,
        "precision": "fp8",
        "software": NEWEST,
    }
    own = _scenario(catalog.scenario(str(base["scenario"])))
    derived = (
        base | {key: own[key] for key in ("speed", "hit")} | {"precision": USUAL, "software": NEWEST, "sold": DERIVED}
    )
    return [
        {
            "moved": {key: value for key, value in state.items() if value != base[key]},
            "rows": {
                key: {k: v for k, v in values.items() if k in CHECKED and np.isfinite(v)}
                for key, values in live_values(accelerators, state, **overrides).items()
            },
        }
        for state in (base, moved, other, served, derived)
    ]


def _sold(accelerators: Sequence[str], models: Sequence[str], scenarios: Sequence[str]) -> dict[str, dict[str, float]]:
    """Share that the load on each platform leaves sold, by model and workload at its own limits; none where it cannot serve."""
    from rackecon.appraisal.evaluate import sold_by_load
    from rackecon.serving.frontier import searched
    from rackecon.serving.query import Query

    searched(
        [Query.of_case(p, name, catalog.scenario(key)) for name, key, p in product(models, scenarios, accelerators)]
    )

    def shares(model: str, case: Scenario) -> Iterator[tuple[str, float]]:
        for key in accelerators:
            with suppress(InputError):
                yield key, sold_by_load(key, model, case).utilisation

    return {f"{name}|{key}": dict(shares(name, catalog.scenario(key))) for name in models for key in scenarios}


def _measured(
    accelerators: Sequence[str], models: Sequence[str], scenarios: Sequence[str], fastest: float
) -> dict[str, Any]:
    """Speed up to which something measured stands near, the measured runs that any choice of the page may draw, and what about
    the platform was never measured.

    A run is speed, rate and its places in :data:`rackecon.words.RUNS`, ``days`` and ``formats``.
    """
    from rackecon.evidence.novelty import Run, front_of_runs, measured_up_to, unmeasured
    from rackecon.words import RUNS

    chosen: list[tuple[str, str | None]] = [(day if day != NEWEST else "9999", None) for day in softwares()]
    chosen += [("9999", kind) for kind in precisions() if kind != USUAL]
    near: dict[str, dict[str, tuple[float, list[Run]]]] = {}
    for name in models:
        for case in map(catalog.scenario, scenarios):
            isl, osl = case.isl_tokens, case.osl_tokens
            rows = near.setdefault(f"{name}|{isl:.0f}|{osl:.0f}", {})
            for key in accelerators if not rows else ():
                found = {run for kind in chosen for run in front_of_runs(key, name, isl, osl, *kind, (0.0, fastest))}
                rows[key] = measured_up_to(key, name, isl, osl), sorted(found, key=lambda run: run.tok_s_per_user)
    every = [run for rows in near.values() for _, runs in rows.values() for run in runs]
    days, formats = sorted({run.date for run in every}), sorted({run.weight_precision for run in every})

    def packed(run: Run) -> list[float]:
        places = RUNS.index(run.kind), days.index(run.date), formats.index(run.weight_precision)
        return [tidy(run.tok_s_per_user, 5), tidy(run.total_tok_s_per_gpu, 5), *places]

    packs = {
        where: {
            key: [upto, [*map(packed, runs)], unmeasured(key, name, float(isl), float(osl))]
            for key, (upto, runs) in rows.items()
        }
        for where, rows in near.items()
        for name, isl, osl in [where.split("|")]
    }
    return {"days": days, "formats": formats, "near": packs}


def softwares() -> tuple[str, ...]:
    """Dates of the software that a page offers: the newest of each platform, and half years on record before it."""
    from rackecon.walks.software import software_dates

    return (NEWEST, *(day for _, day in reversed(software_dates()[:-1])))


def precisions() -> tuple[str, ...]:
    """Number formats that a page offers, the usual one of each platform first."""
    return (USUAL, *(kind for kind in allowed_values()["weight_precision"].choices if kind and kind != "int4"))


def _served_with(precision: str, software: str) -> dict[str, str | None]:
    """Fields of a scenario that a number format and a software date stand for."""
    return {
        "weight_precision": None if precision == USUAL else precision,
        "software_date": None if software == NEWEST else software,
    }


def _fastest(case: Scenario) -> float:
    """Fastest speed that the page's control offers [tok/s/user]."""
    control = allowed_values()["tok_s_per_user"].slider
    return max(control[1] if control else math.inf, _speed(case.tpot_limit_ms))


def _power(platforms: Mapping[str, Platform]) -> dict[str, tuple[float, float]]:
    """What a GPU of each platform draws at most and is provisioned for [W, kW]."""
    return {key: (part.tdp_w, part.it_kw_per_gpu) for key, part in platforms.items()}


def _all_fronts(
    power: Mapping[str, tuple[float, float]], models: Sequence[str], scenarios: Sequence[str], case: Scenario
) -> dict[str, Any]:
    """Fronts by model, workload, cache share, number format and software date; formats and dates at the workload's own cache share.

    ``power`` is what a GPU of each platform draws at most and is provisioned for [W, kW], all that money moves here.
    A front that is the usual one over again is kept as ``=``.
    """
    own = (case.weight_precision or USUAL, case.software_date or NEWEST)
    fastest = _fastest(case)
    served = dict.fromkeys(
        [(USUAL, NEWEST), own, *((kind, NEWEST) for kind in precisions()), *((USUAL, day) for day in softwares())]
    )
    asked: dict[tuple[str, str, float, str, str], Scenario] = {}
    for name, key in product(models, scenarios):
        its = catalog.scenario(key)
        mine = its.prefix_cache_hit, *([case.prefix_cache_hit] if key == case.id else [])
        for hit, (kind, day) in product(sorted({*HITS, *mine}), served):
            if hit in mine or (kind, day) == (USUAL, NEWEST):
                asked[name, key, hit, kind, day] = replace(its, prefix_cache_hit=hit, **_served_with(kind, day))
    searches = _open_fronts([*power], [(name, one) for (name, *_), one in asked.items()])
    fronts: dict[str, Any] = {}
    usual: dict[tuple[Any, ...], dict[str, Any]] = {}
    for (name, key, hit, kind, day), each in zip(asked, searches, strict=True):
        found = {p: _packed(p, each[p], *watts, fastest) for p, watts in power.items()}
        first = usual.setdefault((name, key, hit), found)
        again = {p: "=" for p in found if found is not first and found[p] == first[p]}
        fronts[f"{name}|{key}|{hit:g}|{kind}|{day}"] = found | again
    return fronts


def _draws(accelerators: Sequence[str], settings: RankingDraws) -> dict[str, Any]:
    """The report's own paired draws, packed small enough for a page.

    ``rate`` and ``price`` are scores, whose width depends on platform, model and mode; ``sold`` is added to the log odds of
    the share sold; ``capital`` multiplies the part of the cost that is capital. Those of a platform are its own.
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
        "rate": dict(zip(accelerators, map(packed, scores.rate), strict=True)),
        "price": packed(scores.price[0]),
        "sold": packed(odds[0]),
        "capital": dict(zip(accelerators, map(packed, capital), strict=True)),
    }


def _platform(p: Any) -> dict[str, Any]:
    marked = platform_named(p.label)
    return {"id": p.accelerator, "label": p.label, "marked": marked, "gpus": p.gpus_per_rack, "kw": p.kw_per_gpu}


def _basis(accelerators: Sequence[str], overrides: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a GPU-hour of each platform rests on: its cost, what is invested, and how it moves with capital and resale."""
    if overrides.get("cost_basis") == "rental":  # the page's tax control says that nothing is written off there
        overrides = {**overrides, "tax_rate": 0.0}
    assume = assumptions(**overrides)
    standing = base_costs(accelerators, **overrides)
    out = {}
    for key, p in platforms_for(accelerators, assume).items():
        invested = p.investment_usd_per_gpu
        owned = (
            present_value_factors(p.built_rate_per_year, 0.0, p.built_life_years).cost_years
            if p.kept_share < 1.0
            else 1.0
        )
        out[key] = {
            "c": None if p.cost is None else p.cost.usd_per_gpu_hour,
            "capital": None if invested != invested else invested / assume.cost_factor,
            "kept": p.kept_share,
            "worth": float(owned),
            "resells": p.resells,
            "metered": int(assume.cost_basis != "rental"),
            "now": standing.get(key),
        }
    return out


def _models(
    models: Sequence[str], accelerators: Sequence[str], level: str, overrides: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Each model that has a price at the report's level: its prices at every level, and how wrong its rates may be."""
    levels = dict.fromkeys([level, *allowed_values()["price_level"].choices])
    cards = {key: cards_for(models, assumptions(**{**overrides, "price_level": key})) for key in levels}
    return {
        name: {
            "name": catalog.model(name).name,
            "levels": {key: _prices(card) for key in levels if (card := cards[key][name]) is not None},
            "spread": _spread(name, accelerators),
        }
        for name in models
        if cards[level][name] is not None
    }


def _prices(card: PriceCard) -> dict[str, Any]:
    """Prices and their spread (logs of the 10th and 90th percentile)."""
    return {
        "pin": card.fresh_input,
        "pout": card.output,
        "cachedShare": card.cached_input / card.fresh_input if card.fresh_input else 0.0,
        "level": [abs(math.log(x)) for x in card.level_range()],
    }


def _spread(name: str, accelerators: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """How wrong the rate may be on each platform, aggregated and disaggregated."""
    return {
        key: {
            mode[0]: [abs(math.log(x)) / Z90 for x in interval_factors(key, name, mode, AT_SPEED, also=())]
            for mode in ("aggregated", "disaggregated")
        }
        for key in accelerators
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
    assume = assumptions(**overrides)
    platforms, cards = platforms_for(accelerators, assume), cards_for([model], assume, price_cards)
    out: dict[str, pd.DataFrame | str] = {}
    for key, found in _open_fronts(accelerators, [(model, case)])[0].items():
        out[key] = str(found.reason)
        if len(found):
            given = {"prefix_cache_hit": case.prefix_cache_hit, **share_sold(key, model, case, assume.sold_by_load)}
            out[key] = with_money(found.table.assign(**given), assume, platforms, cards)
    return out


def _open_fronts(accelerators: Sequence[str], cases: Sequence[tuple[str, Scenario]]) -> list[dict[str, Frontier]]:
    """Front of each platform for each model and workload, no speed promised."""
    from rackecon.serving.frontier import searched
    from rackecon.serving.query import Query

    found = iter(searched([Query.of_case(p, *one, tpot_limit_ms=None) for one in cases for p in accelerators]))
    return [{p: next(found) for p in accelerators} for _ in cases]


def _packed(accelerator: str, front: Frontier, tdp_w: float, it_kw: float, fastest: float) -> Any:
    """Speed, total rate, IT power drawn per GPU and mode along a front, packed; the reason where there is none.

    What lies past the first point that keeps the fastest promise of the control is never asked for.
    """
    if not len(front):
        return {"why": str(front.reason)}
    drawn = drawn_it_kw(accelerator, tdp_w, it_kw, front.rows)
    return packed_front(up_to({**front.rows, "drawn_it_kw_per_gpu": drawn}, fastest))


def up_to(front: Mapping[str, Any], fastest: float) -> dict[str, Any]:
    """A front, speeds rising, up to the first point at least as fast.

    Examples
    --------
    >>> up_to({"tok_s_per_user": np.array([10.0, 150.0, 160.0, 200.0])}, 151.0)["tok_s_per_user"].tolist()
    [10.0, 150.0, 160.0]
    """
    kept = int((front["tok_s_per_user"] < fastest).sum()) + 1
    return {name: values[:kept] for name, values in front.items()}


def packed_front(front: Mapping[str, Any] | pd.DataFrame) -> list[Any]:
    """A front in five bytes a point: lowest and highest log of speed, of rate, lowest and highest power, and their places between.

    Logs take two bytes, power seven bits and whether prefill is split off the last: within 0.01 % of a rate, and within
    0.1 % of a cost at any price of electricity offered.
    """
    ends: list[float] = []
    places = []
    for column, steps in (("tok_s_per_user", FINE), ("total_tok_s_per_gpu", FINE), ("drawn_it_kw_per_gpu", COARSE)):
        values = np.nan_to_num(np.asarray(front[column], dtype=float))
        values = values if steps == COARSE else np.log(values)
        low, high = tidy(float(values.min()), 8), tidy(float(values.max()), 8)
        ends += [low, high]
        places.append(np.clip(np.rint((values - low) / ((high - low) or 1.0) * steps), 0, steps))
    power = places.pop() + (COARSE + 1) * np.asarray(front["mode"] == "disaggregated")
    packed = np.concatenate(places).astype("<u2").tobytes() + power.astype("u1").tobytes()
    return [*ends, base64.b64encode(packed).decode("ascii")]
