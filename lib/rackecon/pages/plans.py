"""The page on plans: a site, a sum of money, racks on hand; its results, charts' tables and what its sentences quote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rackecon import catalog
from rackecon.appraisal.possible import renewal_fault
from rackecon.catalog.plans import shipped_plan
from rackecon.errors import InputError
from rackecon.evidence.leads import DECIDED_SHARE
from rackecon.evidence.novelty import measured_platforms, platform_named
from rackecon.figures.results import Figure, column_figures
from rackecon.lazy import pd
from rackecon.planner.formulated import formulated
from rackecon.planner.plan import PlanResult, plan
from rackecon.planner.program import relaxed
from rackecon.planner.records import Limits
from rackecon.planner.regret import CLOSE, PROFIT_ENDS, Regret, profit_ends, regret
from rackecon.uncertainty.sampling import SEED
from rackecon.words import join_words, plural

ENDS: Final = ("mean", "low", "high")
FIRST, MEASURED, LEAST_REGRET = "most at middle values", "of measured platforms", "least regret"
"""What tells the plans of the answer apart."""
SITES: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)
"""Power of a site over the page's, for the line of what a megawatt is worth."""


@dataclass(frozen=True)
class PlansResult:
    """The page's three plans, the futures of the first, and what a megawatt is worth at other sites."""

    site: PlanResult
    futures: Regret
    worth: pd.DataFrame
    capital: PlanResult
    renewal: PlanResult


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the page is asked: the notebook's parameters."""

    accelerators: Sequence[str]
    site_mw: float
    budget_usd: float
    traffic_factor: float
    demand_shape: str
    owned: str
    owned_age_years: int
    stage_years: int
    demand_growth_per_year: float
    draws: int
    seed: int = SEED


def plans_result(asked: Asked) -> PlansResult:
    """Everything on the page.

    Raises
    ------
    InputError
        No platform serves the traffic; racks on hand that do not serve it.
    """
    site = site_plan(asked)
    capital = plan(_changed("capital_100m", asked, {"capital_usd": asked.budget_usd}))
    judged = regret(site, draws=asked.draws, seed=asked.seed, beside=[capital])
    return PlansResult(site, judged, _worth(site, asked.site_mw), capital, _renewal(asked))


def site_plan(asked: Asked) -> PlanResult:
    """The plan for the site's power."""
    return plan(_changed("site_20mw", asked, {"power_mw": asked.site_mw}))


def tried(asked: Asked, factor: float, shape: str) -> dict[str, Any]:
    """What the exercises find: the plan at another traffic, and over another day."""
    less, night = (
        site_plan(replace(asked, **change)) for change in ({"traffic_factor": factor}, {"demand_shape": shape})
    )
    return {
        "less_racks": racks_text(less) or "nothing",
        "less_mw": less.power_mw,
        "night_racks": racks_text(night) or "nothing",
        "night_busy": night.busy_share,
    }


def _changed(name: str, asked: Asked, limits: Mapping[str, float]) -> dict[str, Any]:
    """A shipped plan with the page's platforms, traffic and limits."""
    raw = shipped_plan(name)
    factor = asked.traffic_factor
    demand = [{**item, "tokens_per_day": float(item["tokens_per_day"]) * factor} for item in raw["demand"]]
    shape = asked.demand_shape
    return {**raw, "platforms": list(asked.accelerators), "demand_shape": shape, "demand": demand, "limits": limits}


def _renewal(asked: Asked) -> PlanResult:
    """The site full of racks on hand; what may follow them is the shipped plan's."""
    raw = shipped_plan("replace_h200")
    if fault := renewal_fault(asked.owned):
        raise InputError(fault)
    given = {**_changed("replace_h200", asked, {"power_mw": asked.site_mw}), "platforms": raw["platforms"]}
    years = {"years": asked.stage_years, "demand_growth_per_year": asked.demand_growth_per_year}
    age = {"age_years": asked.owned_age_years}
    return plan(
        {
            **given,
            "racks_on_hand": {asked.owned: int(1e3 * asked.site_mw / _rack_kw(asked.owned))},
            "replacement": {**raw["replacement"], **age, "platform": asked.owned},
            "stages": {**raw["stages"], **age, **years},
        }
    )


def _rack_kw(key: str) -> float:
    from rackecon.appraisal.assumptions import assumptions
    from rackecon.appraisal.money import platforms_for

    return platforms_for([key], assumptions())[key].rack_it_kw


def _worth(site: PlanResult, site_mw: float) -> pd.DataFrame:
    """Profit and worth of one more megawatt at sites of other power, racks divisible."""
    rows = []
    for factor in SITES:
        other = site.asked.model_copy(update={"limits": Limits(power_mw=site_mw * factor)})
        found = relaxed(formulated(other, site.form.menu).program)
        assert found is not None  # nothing must be served
        rows.append((site_mw * factor, found.limits["power_mw"], found.objective))
    return pd.DataFrame(rows, columns=["site_mw", "usd_per_mw_year", "profit_usd_per_year"])


def allocation_table(found: PlanResult) -> pd.DataFrame:
    """Power of busy racks by platform, work and hour."""
    hours = {block.name: i for i, block in enumerate(found.form.blocks)}
    kw = {name: found.form.menu.platforms[name].rack_it_kw for name in found.form.program.platforms}
    flows = found.flows
    # a workload tells works apart only where one model serves two
    twice = len({item.model for item in found.asked.demand}) < len(found.asked.demand)
    work = [
        ", ".join([catalog.model(row["model"]).name, *([row["workload"]] if twice else []), row["tier"]])
        for row in flows.to_dict("records")
    ]
    return pd.DataFrame(
        {
            "accelerator": flows["accelerator"],
            "platform": flows["platform"],
            "work": work,
            "hour": [hours[name] for name in flows["block"]],
            "power_mw": flows["racks"] * flows["accelerator"].map(kw) / 1e3,
        }
    )


def compared(result: PlansResult) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plans that the answer names, the page's first: profit of each over the futures, and its racks by platform, most power first."""
    judged = result.futures
    rival = _rival(judged)
    named = {FIRST: judged.base}
    if rival is not None:
        named[MEASURED if _all_measured(judged, rival) else LEAST_REGRET] = rival
    platforms = result.site.form.menu.platforms
    racks = pd.DataFrame(
        [
            (name, key, platforms[key].label, count, count * platforms[key].rack_it_kw / 1e3)
            for name, row in named.items()
            for key, count in row["racks"].items()
        ],
        columns=["plan", "accelerator", "platform", "racks", "power_mw"],
    )
    place = racks["plan"].map(list(named).index)
    racks = racks.assign(place=place).sort_values(["place", "power_mw"], ascending=[True, False], kind="stable")
    profits = pd.DataFrame(
        [(name, *(row[end] for end in PROFIT_ENDS)) for name, row in named.items()], columns=["plan", *ENDS]
    )
    return profits, racks.drop(columns="place").reset_index(drop=True)


def demand_table(found: PlanResult) -> pd.DataFrame:
    """Tokens wanted and served a day by work and tier, and what a further million is worth on average."""
    hours = {block.name: block.hours * 3600.0 for block in found.form.blocks}
    seconds = found.demand["block"].map(hours)
    each = found.demand.assign(
        model=[catalog.model(name).name for name in found.demand["model"]],
        workload=[catalog.label(str(name)) for name in found.demand["workload"]],
        wanted=found.demand["wanted_tok_s"] * seconds,
        served=found.demand["served_tok_s"] * seconds,
        worth=found.demand["usd_per_mtok"] * found.demand["wanted_tok_s"] * seconds,
    )
    total = each.groupby(["model", "workload", "tier"], as_index=False, sort=False)[["wanted", "served", "worth"]].sum()
    return total.assign(
        served_share=total["served"] / total["wanted"], usd_per_mtok=total["worth"] / total["wanted"]
    ).drop(columns=["worth", "served"])


def racks_text(found: PlanResult) -> str:
    """Racks that a plan buys in words, most power first."""
    rows = found.racks[found.racks["bought"] > 0].sort_values("power_mw", ascending=False, kind="stable")
    return _racks(rows.to_dict("records"))


def _racks(rows: Sequence[Mapping[Any, Any]]) -> str:
    return join_words(f"{plural(row['bought'], 'rack')} of {platform_named(str(row['platform']))}" for row in rows)


def _never_measured(found: PlanResult) -> int:
    """Racks that a plan buys of platforms that no run of the fit was measured on."""
    return int(found.racks.loc[~found.racks["accelerator"].isin(measured_platforms()), "bought"].sum())


def _rival(judged: Regret) -> Mapping[str, Any] | None:
    """The plan to name beside the page's: of measured platforms alone where the page's is not, else of least regret."""
    base = judged.base
    other = judged.robust if base["measured"] else judged.measured
    return None if other is None or other["plan"] == base["plan"] else other


def _all_measured(judged: Regret, other: Mapping[str, Any]) -> bool:
    """Whether the plan beside the page's differs from it in that each of its platforms was measured."""
    return bool(other["measured"]) and not bool(judged.base["measured"])


def figures(result: PlansResult) -> list[Figure]:
    """The page's results by key."""
    rack = {"bought": "racks", "kept": "racks", "power_mw": "MW", "entry_factor": "-"}
    out = []
    for name, found in (("site", result.site), ("capital", result.capital)):
        out += column_figures(found.racks, ["accelerator"], rack, name)
        out += column_figures(found.limits, ["limit"], {"used": "-", "usd_per_unit": "USD per unit"}, name)
        out += [
            Figure(f"{name}/profit_usd_per_year", found.profit_usd_per_year, "USD/year"),
            Figure(f"{name}/npv_usd", found.npv_usd, "USD"),
            Figure(f"{name}/gap", found.gap, "-"),
        ]
    base, robust = result.futures.base, result.futures.robust
    out += [
        Figure("site/best_share", base["best_share"], "-"),
        Figure("site/mean_regret", base["mean_regret"], "-"),
        Figure("site/futures_usd_per_year/mean", base["mean_usd_per_year"], "USD/year"),
        Figure("site/futures_usd_per_year/p5", base["p5_usd_per_year"], "USD/year"),
        Figure("site/futures_usd_per_year/p95", base["p95_usd_per_year"], "USD/year"),
        Figure("site/leader_share", result.futures.leader_share, "-"),
        Figure("site/robust_plan", robust["plan"], "text"),
        Figure("site/robust_usd_per_year", robust["mean_usd_per_year"], "USD/year"),
        Figure("site/robust_mean_regret", robust["mean_regret"], "-"),
    ]
    other = _rival_figures(result.futures)
    if other["rival_plan"]:
        units = {"rival_plan": "text", "wins": "-", "rival_regret": "-"}
        units |= dict.fromkeys(("rival_profit", "rival_low", "rival_high"), "USD/year")
        out += [Figure(f"site/{name}", other[name], unit) for name, unit in units.items()]
    spread = zip(ENDS, profit_ends(result.futures.beside[0]), strict=True)
    out += [Figure(f"capital/futures_usd_per_year/{name}", value, "USD/year") for name, value in spread]
    out += column_figures(result.worth, ["site_mw"], {"usd_per_mw_year": "USD/MW-year"}, "worth")
    by_years = result.renewal.staged
    assert by_years is not None  # the plan file asks for both
    assert result.renewal.owned is not None
    standing = by_years.racks[by_years.racks["racks"] > 0]
    out += column_figures(standing, ["year", "accelerator"], {"racks": "racks"}, "renewal")
    out += [
        Figure("renewal/npv_usd", by_years.npv_usd, "USD"),
        Figure("renewal/leaves_after_years", result.renewal.owned.chain.leaves_after_years, "years"),
        Figure("renewal/retire_age_years", result.renewal.owned.retire_age_years, "years"),
    ]
    return out


def quoted(result: PlansResult) -> dict[str, Any]:
    """What the page's sentences quote, by name."""
    site, capital, owned, by_years = result.site, result.capital, result.renewal.owned, result.renewal.staged
    assert owned is not None
    assert by_years is not None
    limit = site.asked.limits.power_mw or 0.0
    never = site.racks[(site.racks["bought"] == 0) & (site.racks["entry_factor"] > 0)]
    near = max(never.to_dict("records"), key=lambda row: row["entry_factor"], default=None)
    last_year = int(by_years.racks["year"].max())
    now, last = (by_years.racks[by_years.racks["year"] == year].to_dict("records") for year in (0, last_year))
    lead = max(last, key=lambda row: row["power_mw"])
    sold = owned.asked.platform
    goes = by_years.racks[(by_years.racks["accelerator"] == sold) & (by_years.racks["sold"] > 0)]
    return {
        "site_mw": limit,
        "site_racks": racks_text(site) or "nothing",
        "decided": DECIDED_SHARE,
        **_rival_figures(result.futures),
        "site_profit": site.profit_usd_per_year,
        "site_invested": site.investment_usd,
        "site_used_mw": site.power_mw,
        "site_busy": site.busy_share,
        "close": CLOSE,
        "draws": result.futures.draws,
        "best_share": float(result.futures.base["best_share"]),
        "mean_regret": float(result.futures.base["mean_regret"]),
        "mean_profit": float(result.futures.base["mean_usd_per_year"]),
        "low_profit": float(result.futures.base["p5_usd_per_year"]),
        "high_profit": float(result.futures.base["p95_usd_per_year"]),
        "robust_is_base": bool(result.futures.base["robust"]),
        "robust_plan": str(result.futures.robust["plan"]),
        "robust_profit": float(result.futures.robust["mean_usd_per_year"]),
        "robust_regret": float(result.futures.robust["mean_regret"]),
        "leader": catalog.accelerator(result.futures.leader).label,
        "leader_share": result.futures.leader_share,
        "mw_worth": site.mw_usd_per_year,
        "near_platform": "" if near is None else str(near["platform"]),
        "near_factor": 0.0 if near is None else float(near["entry_factor"]),
        "budget": capital.asked.limits.capital_usd or 0.0,
        "capital_racks": racks_text(capital) or "nothing",
        "capital_bought": int(capital.racks["bought"].sum()),
        "capital_unmeasured": _never_measured(capital),
        **dict(zip((f"capital_{name}" for name in ENDS), profit_ends(result.futures.beside[0]), strict=True)),
        "capital_npv": capital.npv_usd,
        "capital_mw": capital.power_mw,
        "dollar_worth": float(capital.limits["usd_per_unit"].iloc[0]),
        "owned_platform": catalog.accelerator(sold).label,
        "owned_age": owned.asked.age_years,
        "owned_goes": int(goes["year"].min()) if len(goes) else -1,
        "owned_retire_age": owned.retire_age_years,
        "first_buys": _racks([row for row in now if row["bought"]]),
        "first_mw": float(sum(row["power_mw"] for row in now)),
        **_slot(owned.years),
        "renewal_tokens": sum(float(item.tokens_per_day or 0.0) for item in result.renewal.asked.demand),
        "renewal_model": result.renewal.asked.demand[0].model,
        "growth": float(result.renewal.asked.stages.demand_growth_per_year if result.renewal.asked.stages else 0.0),
        "last_year": last_year,
        "last_platform": str(lead["platform"]),
        "last_racks": int(lead["racks"]),
        "renewal_npv": by_years.npv_usd,
    }


def _rival_figures(judged: Regret) -> dict[str, Any]:
    """What is said of the plan beside the page's; an empty name where there is none."""
    other = _rival(judged)
    if other is None:
        return {"rival_plan": ""}
    return {
        "rival_plan": str(other["plan"]),
        "rival_measured": _all_measured(judged, other),
        "rival_profit": float(other["mean_usd_per_year"]),
        "rival_low": float(other["p5_usd_per_year"]),
        "rival_high": float(other["p95_usd_per_year"]),
        "rival_regret": float(other["mean_regret"]),
        "wins": judged.wins(other),
    }


def _slot(years: pd.DataFrame) -> dict[str, Any]:
    """What stands in one megawatt at first and what takes its place, and from when on room is worth nothing."""
    stands = years[years["platform"] != ""]
    first = str(stands["platform"].iloc[0]) if len(stands) else ""
    later = stands[stands["platform"] != first]
    idle = years[years["slot_usd_per_year"] <= 0]
    return {
        "slot_first": first,
        "slot_next": str(later["platform"].iloc[0]) if len(later) else "",
        "slot_year": int(later["year"].iloc[0]) if len(later) else -1,
        "slot_years": len(years),
        "slot_idle": int(idle["year"].iloc[0]) if len(idle) else -1,
    }
