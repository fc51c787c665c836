"""Sentences and titles of the power, cost and revenue pages, filled from results, ties and losses included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from rackecon.appraisal.cost_comparison import waterfall
from rackecon.appraisal.money import PRICED
from rackecon.appraisal.site_limits import PROFIT as SITE_PROFIT
from rackecon.economics.measures import EVERY_MEASURE, MEASURES
from rackecon.evidence.intervals import rate_factors
from rackecon.evidence.leads import ahead, in_order, level
from rackecon.evidence.novelty import best_runs, platform_named
from rackecon.lazy import pd
from rackecon.pages.sentences import say
from rackecon.uncertainty.outcomes import summary
from rackecon.uncertainty.propagate import Outcomes
from rackecon.uncertainty.ranking import ALONE, tied
from rackecon.units import HOURS_PER_YEAR
from rackecon.words import count, percent

PAGE: Final = "10_revenue_and_roi"


def rate_text(value: float) -> str:
    """A yearly rate of return.

    Examples
    --------
    >>> rate_text(0.234), rate_text(57.0), rate_text(float("nan"))
    ('23 %', 'over 1,000 %', 'none')
    """
    if value is None or not math.isfinite(value):
        return "none"
    return "over 1,000 %" if value > 10 else percent(value)


def price_kind(rule: str) -> str:
    """What an investment rests on, below a heading that names the price of the hardware: the price's grade, or why there is none.

    Examples
    --------
    >>> price_kind("price of the hardware: estimate"), price_kind("backed out")
    ('estimate', 'backed out')
    """
    return rule.removeprefix(PRICED.format(""))


def wins_text(share: float) -> str:
    """In how many of a hundred draws a platform comes first and earns; a dash where there is no result.

    Examples
    --------
    >>> wins_text(0.645), wins_text(float("nan"))
    ('64 of 100', '–')
    """
    return count(share) if math.isfinite(share) else "–"


def age_text(years: float) -> str:
    """Age at which a machine is switched off.

    Examples
    --------
    >>> age_text(0.0), age_text(6.46), age_text(float("inf"))
    ('at once', '6.5 years', 'never')
    """
    if years is None or math.isnan(years):
        return "–"
    if math.isinf(years):
        return "never"
    return f"{years:.2g} years" if years > 0 else "at once"


def _leaders(frame: pd.DataFrame, column: str) -> tuple[Any, Any] | None:
    known = in_order(frame[frame[column].notna()], column)
    if known.empty:
        return None
    return known.iloc[0], known.iloc[-1]


def power_quoted(power: pd.DataFrame, table: pd.DataFrame) -> dict[str, Any]:
    """Output tokens per provisioned megawatt: who makes the most, how sure that is, and who would by the older vintage."""
    new, old = "output_tok_s_per_mw_2026_07", "output_tok_s_per_mw_2025_10"
    quoted: dict[str, Any] = dict.fromkeys(("first", "last"), "") | {"made": 0.0, "ratio": 1.0, "inside": []}
    quoted |= dict.fromkeys(("low", "high", "drawn", "utility", "drawn_low", "drawn_high"))
    quoted |= {"counted_before": True, "before": []}
    ends = _leaders(power, new)
    power = _with_rates(power, table, (new, old))
    before = level(power, old)
    if ends is None:
        return quoted
    first, last = ends
    quoted |= {"first": first["platform"], "made": float(first[new])}
    if first["accelerator"] != last["accelerator"]:
        quoted |= {"last": last["platform"], "ratio": float(first[new] / last[new])}
    quoted |= {"before": list(before["platform"]), "counted_before": math.isfinite(first[old])}
    for name, column in (("drawn", "output_tok_s_per_drawn_it_mw"), ("utility", old)):
        value = float(first.get(column, math.nan))
        quoted[name] = value if math.isfinite(value) else None
    tied = level(power, new)
    low, high = (float(tied[f"{new}_{end}"].iloc[0]) for end in ("low", "high"))
    quoted |= {"low": low, "high": high, "inside": list(tied["platform"].iloc[1:])}
    if quoted["drawn"] is not None:
        quoted |= {f"drawn_{end}": quoted["drawn"] * quoted[end] / quoted["made"] for end in ("low", "high")}
    return quoted


def _with_rates(power: pd.DataFrame, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rates per megawatt with the ends of 90 % that those per GPU have."""
    factors = rate_factors(table.set_index("accelerator").reindex(power["accelerator"]))
    return power.assign(
        **{
            f"{name}_{end}": power[name].to_numpy(dtype=float) * factor
            for name in columns
            for end, factor in factors.items()
        }
    )


def site_moves(swept: pd.DataFrame, limit: str) -> dict[str, Any]:
    """The assumption that moves the profit of the best platform of a limit most, and how far.

    Parameters
    ----------
    swept : pandas.DataFrame
        Of :func:`rackecon.appraisal.site_limits.sweep_winners`, its assumptions in words, the page's own case first.
    limit : str
        One of its limits.
    """
    first = swept[swept["limit"] == limit]
    if len(first) < 2:
        return {"moved": "", "limit": limit, "low": 0.0, "high": 0.0}
    base = float(first[SITE_PROFIT].iloc[0])
    ends = first.iloc[1:].groupby("assumption", sort=False)[SITE_PROFIT].agg(["min", "max"])
    ends = ends.assign(least=ends["min"].clip(upper=base), most=ends["max"].clip(lower=base))
    most = ends.iloc[int((ends["most"] - ends["least"]).to_numpy().argmax())]
    return {"moved": str(most.name), "limit": limit, "low": float(most["least"]), "high": float(most["most"])}


def site_quoted(comparison: pd.DataFrame) -> dict[str, Any]:
    """Who fills each limit of a site best, its profit, and who is too close to tell from it."""
    best = {
        str(limit): ahead(part, SITE_PROFIT).to_dict("records")
        for limit, part in comparison.groupby("limit", sort=False)
    }
    limits = [
        (limit, str(rows[0]["platform"]), float(rows[0][SITE_PROFIT]), [str(row["platform"]) for row in rows[1:]])
        if rows
        else (limit, "", 0.0, [])
        for limit, rows in best.items()
    ]
    who = [platform for _, platform, _, _ in limits if platform]
    both = len(who) == len(limits) == 2
    shared = {who[0], *limits[0][3]} & {who[1], *limits[1][3]} if both else set()
    alike = both and who[0] == who[1] and not any(near for *_, near in limits)
    firsts = {limit: rows[0] for limit, rows in best.items() if rows}
    return {
        "limits": limits,
        "ends": {
            limit: [row.get(f"{SITE_PROFIT}_{end}", math.nan) for end in ("low", "high")]
            for limit, row in firsts.items()
        },
        "markets": {limit: row.get("market_multiple", math.nan) for limit, row in firsts.items()},
        "winners": list(dict.fromkeys(who)),
        "alike": alike,
        "apart": both and not shared,
        "unsure": bool(shared) and not alike,
        "nobody": bool(who) and all(profit <= 0 for _, platform, profit, _ in limits if platform),
    }


def limits_quoted(comparison: pd.DataFrame) -> dict[str, Any]:
    """In how many workloads the two limits pick different platforms, ties aside, and which; and how many are too close to tell."""
    apart, close, pairs, unseen = [], 0, 0, []
    for (model, scenario), part in comparison.groupby(["model", "scenario"], sort=False):
        picks = [ahead(one, SITE_PROFIT).to_dict("records") for _, one in part.groupby("limit", sort=False)]
        if not all(picks):
            continue
        pairs += 1
        names = [{row["platform"] for row in rows} for rows in picks]
        if not set.intersection(*names):
            apart.append(f"{model} {scenario}")
            unseen += [
                rows[0]["platform"] for rows in picks if platform_named(rows[0]["platform"]) != rows[0]["platform"]
            ]
        elif len({rows[0]["platform"] for rows in picks}) > 1:
            close += 1
    return {"pairs": pairs, "apart": apart, "close": close, "unseen": list(dict.fromkeys(unseen))}


def energy_quoted(power: pd.DataFrame, **assume: Any) -> dict[str, Any]:
    """Least and most share of electricity in the cost of a GPU-hour; and of the platform with the most tokens per MW its bill at this load and, where the cost is built up, at the typical load of a build-up [USD/GPU-hour]."""
    share = power["energy_share_of_cost"].dropna()
    quoted: dict[str, Any] = {"least": None, "most": None, "platform": "", "here": 0.0, "built": 0.0}
    if share.empty:
        return quoted
    quoted |= {"least": float(share.min()), "most": float(share.max())}
    built = power[power["cost_label"].str.startswith("build-up") & power["energy_usd_per_gpu_hour"].notna()]
    first = in_order(built, "output_tok_s_per_mw_2026_07").head(1).to_dict("records")
    for row in first:
        parts = waterfall(str(row["accelerator"]), **assume).set_index("part")["usd_per_gpu_hour"]
        bills = {"here": float(row["energy_usd_per_gpu_hour"]), "built": float(parts["electricity"])}
        quoted |= {"platform": str(row["platform"]), **bills}
    return quoted


def wall_quoted() -> dict[str, Any]:
    """Power at the wall of MLPerf's metered systems, measured and as the model draws it, and why other rows test nothing."""
    from rackecon.economics.energy import wall_rows

    rows = wall_rows()
    used = rows[rows["drawn_w"].notna()]
    apart = rows.loc[rows["reason"] != "", "reason"].value_counts().to_dict()
    if used.empty:
        return {"count": 0, "apart": sum(apart.values())}
    return {
        "count": len(used),
        "measured": float(used["measured_w"].median()),
        "drawn": float(used["drawn_w"].median()),
        "error": float((used["drawn_w"] / used["measured_w"]).median() - 1.0),
        "apart": int(sum(apart.values())),
    }


def speed_energy(points: pd.DataFrame) -> dict[str, Any]:
    """What the fastest point of a platform costs in energy over its thriftiest, least and most of the platforms; None where nothing serves."""
    ratio = points.groupby("platform")["drawn_joules_per_output_token"].agg(lambda x: x.max() / x.min())
    return {"least": None, "most": None} if ratio.empty else {"least": float(ratio.min()), "most": float(ratio.max())}


def cost_quoted(table: pd.DataFrame, against: pd.DataFrame) -> dict[str, Any]:
    """What the page says of the cheapest tokens on the stated basis, and of owning against renting."""
    column = "cost_usd_per_mtok_output"
    known = table[table[column].notna()].sort_values([column, "accelerator"], kind="stable")
    rents = against["rent_over_own"].dropna()
    crossing = against["crossing_utilisation"].dropna()
    quoted: dict[str, Any] = dict.fromkeys(("platform", "worst", "basis"), "") | {
        "cost": 0.0,
        "most": 0.0,
        "ratio": 1.0,
        "inside": [],
        "hours": [],
    }
    quoted |= dict.fromkeys(("low", "high", "rent_low", "rent_high", "cross_low", "cross_high"))
    quoted["tier"] = "" if rents.empty else str(against["tier"].iloc[0])
    for name, values in (("rent", rents), ("cross", crossing)):
        if len(values):
            quoted |= {f"{name}_low": float(values.min()), f"{name}_high": float(values.max())}
    if known.empty:
        return quoted
    best, worst, rest = known.iloc[0], known.iloc[-1], known.iloc[1:]
    quoted |= {
        "platform": best["platform"],
        "cost": float(best[column]),
        "basis": best["cost_label"],
        "sold": float(best.get("utilisation", math.nan)),
    }
    if len(rest):
        quoted |= {"worst": worst["platform"], "ratio": float(worst[column] / best[column])}
    if f"{column}_high" in known:
        low, high = float(best[f"{column}_low"]), float(best[f"{column}_high"])
        near = level(known, column, most=False).iloc[1:]
        quoted |= {"low": low, "high": high, "inside": list(near["platform"]), "most": float(near[column].max())}
    return quoted | {"hours": _hours(best, against)}


def _hours(best: pd.Series, against: pd.DataFrame) -> list[tuple[float, str]]:
    """What an hour of a platform's GPU costs by each basis that has a figure of it, the page's own among them [USD/GPU-hour]."""
    row = against[against["accelerator"] == best["accelerator"]]
    known = {} if row.empty else row.iloc[0].to_dict()
    own, hour = known.get("own_usd_per_gpu_hour", math.nan), float(best["cost_usd_per_gpu_hour"])
    told = [(own, f"to own ({known.get('tier')}, published)")]
    if str(best["cost_label"]).startswith("build-up"):
        told.append((hour, "built up from the price of the hardware"))
    told.append((known.get("rent_3_year_usd_per_gpu_hour", math.nan), "on a three-year rent"))
    return [(float(value), words) for value, words in told if value == value]


def build_up_quoted(platform: str, walk: pd.DataFrame) -> dict[str, Any]:
    """What the title of the reconciliation says: the gap, and how much of it named steps explain."""
    built, published = (float(walk["usd_per_gpu_hour"].iloc[k]) for k in (0, -1))
    gap = built - published
    steps = -float(walk["change_usd_per_gpu_hour"].iloc[1:-2].sum())
    explained = None if abs(gap) < 0.005 else steps / gap
    return {"platform": platform, "built": built, "published": published, "explained": explained}


def tax_words(tax_rate: float | None) -> str:
    """What a caption says of tax.

    Examples
    --------
    >>> tax_words(None), tax_words(0.21)
    ('pre-tax', 'after a tax of 21 % on the return that capital needs')
    """
    return f"after a tax of {percent(tax_rate)} on the return that capital needs" if tax_rate else "pre-tax"


def tax_note(flows: pd.DataFrame, untaxed: pd.DataFrame, accelerator: str, tax_rate: float | None) -> str:
    """Present value of a platform's rack before tax and, hardware written off at once, after it."""
    if not tax_rate or flows.empty:
        return say(PAGE, "tax", tax=0.0)
    before = untaxed.loc[untaxed["accelerator"] == accelerator].iloc[0]
    after = float(flows.loc[flows["accelerator"] == accelerator, "present_value_usd"].sum())
    terms = {"platform": before["platform"], "before": float(before["npv_usd_per_rack"]), "after": after}
    return say(PAGE, "tax", tax=tax_rate, **terms)


def missing_note(table: pd.DataFrame, figure: str = "a figure") -> str:
    """Which platforms have no figure, or not the one named, and why; empty when all have one."""
    gone = table[table["reason"] != ""]
    return say(
        "notes",
        "missing",
        figure=figure,
        gone=[(list(part["platform"]), str(why)) for why, part in gone.groupby("reason", sort=False)],
    )


def interval_note(table: pd.DataFrame) -> str:
    """How far a measurement may lie from the model's token rates, nine times in ten, and what the best published runs make of them."""
    known = table[table["reason"] == ""]
    if known.empty or "total_tok_s_per_gpu_low" not in known:
        return say("notes", "intervals", low=None, high=None, runs=[], outside=[])
    rate = known["total_tok_s_per_gpu"]
    low, high = (float(np.median(factor)) for factor in rate_factors(known).values())
    ends = (known[f"total_tok_s_per_gpu_{end}"] for end in ("low", "high"))
    beside = [row for row in zip(known["platform"], rate, *ends, best_runs(known), strict=True) if row[-1].kind]
    runs = [
        (name, run.total_tok_s_per_gpu / made, run.date[:7], run.kind.removeprefix("measured, "))
        for name, made, *_, run in beside
    ]
    outside = [name for name, _, least, most, run in beside if not least <= run.total_tok_s_per_gpu <= most]
    return say("notes", "intervals", low=low, high=high, runs=runs, outside=outside)


def revenue_answer(
    ranked: pd.DataFrame, row: Any, unit: str = "rack", sure: Mapping[str, float] | None = None
) -> tuple[str, str, str]:
    """Who earns most, by how much and how surely; whether that is a good investment; and what it must sell and pays.

    Parameters
    ----------
    ranked : pandas.DataFrame
        From :func:`rackecon.uncertainty.ranking.rank`, one model and scenario.
    row : Series or None
        The leader's row of the evaluation.
    unit : str
        ``rack``, ``mw``, ``position`` or ``usd``: what profit is counted per.
    sure : mapping, optional
        From :func:`return_ends`; ``tax``, the share of profit taxed, where that is not none.
    """
    known = ranked[ranked["value"].notna()]
    empty: dict[str, Any] = dict.fromkeys(("platform", "per", "amount", "rival", "lead"), "")
    empty |= {"ends": [], "loses": False, "close": False, "only": False, "wins": 0.0, "tied": [], "amounts": []}
    if known.empty or row is None:
        return say(PAGE, "answer", **empty), *return_sentences(None, known)
    first, amount, alone = known.iloc[0], MEASURES[unit].amount, len(known) == 1
    facts = {
        "platform": str(first["platform"]),
        "loses": bool(first["value"] <= 0),
        "per": MEASURES[unit].name,
        "amount": amount(first["value"]),
        "ends": MEASURES[unit].ends(float(first["value_low"]), float(first["value_high"])),
        "wins": float(first["win_share"]),
        "close": str(first["verdict"]) == "too close to call" and not alone,
        "only": str(first["verdict"]) == ALONE,
        "tied": list(tied(known)["platform"]),
        "amounts": MEASURES[unit].ends(*tied(known)["value"]),
        "rival": "" if alone else str(known["platform"].iloc[1]),
        "lead": "" if alone else amount(first["value"] - known["value"].iloc[1]),
    }
    return say(PAGE, "answer", **facts), *return_sentences(row, known, sure)


RETURN_ENDS: Final = ("npv_low", "npv_high", "payback_low", "payback_high", "load")


def return_ends(drawn: Outcomes, loaded: pd.DataFrame, accelerator: str) -> dict[str, float]:
    """Ends of nine cases in ten of a platform's present value and payback, and the share that its load sells; NaN where unknown.

    Parameters
    ----------
    drawn : Outcomes
        One model and scenario.
    loaded : pandas.DataFrame
        From :func:`rackecon.answer.return_views.profits_by_load`.
    """
    table = summary(drawn, ("npv_usd_per_rack", "payback_years"))
    ends = table.loc[table["accelerator"] == accelerator, ["p5", "p95"]].to_numpy(dtype=float).ravel().tolist()
    load = loaded.loc[loaded["accelerator"] == accelerator, "utilisation"].astype(float).tolist()
    return dict(zip(RETURN_ENDS, [*ends, *(load or [math.nan])], strict=True))


def return_sentences(row: Any, ranked: pd.DataFrame, sure: Mapping[str, float] | None = None) -> tuple[str, str]:
    """Whether what leads a ranking pays more than capital costs; what it must sell for that, its present value and payback, if it invests."""
    ends = [float(ranked[name].iloc[0]) > 0 for name in ("value", "value_low") if len(ranked)]
    shares = {"needs": "break_even_utilisation", "sold": "utilisation", "demand": "demand_utilisation"}
    money = {"npv": "npv_usd_per_rack", "payback": "payback_years", "years": "horizon_years", "vendor": "vendor_roi"}
    known = {} if row is None else dict(row)
    facts = {name: float(known.get(column, math.nan)) for name, column in (shares | money).items()}
    invested = math.isfinite(facts["vendor"])
    platform = "" if row is None else str(row["platform"])
    told = "yes" if all(ends) else "" if any(ends) else "no"
    good = say(PAGE, "return", platform=platform, sure=told, vendor=facts.pop("vendor") if invested else None)
    if not invested:
        return good, ""
    return good, say(
        PAGE, "needed", platform=platform, **facts, **{"tax": 0.0, **(sure or dict.fromkeys(RETURN_ENDS, math.nan))}
    )


def units_quoted(ranks: pd.DataFrame, table: pd.DataFrame) -> dict[str, Any]:
    """Who comes first by which unit, by which units the next is too close to tell, and how far the racks compared differ in size."""
    first = ranks[ranks["rank"] == 1]
    known = table[table["gpus_per_rack"].notna()]
    sizes = [known[name].agg(end) for name in ("gpus_per_rack", "rack_it_kw") for end in ("min", "max")]
    table = table.assign(revenue_usd_per_gpu_year=table["revenue_usd_per_gpu_hour"] * HOURS_PER_YEAR)
    close = [measure.name for measure in EVERY_MEASURE.values() if len(ahead(table, measure.column)) > 1]
    return {
        "first": [(str(name), list(part["unit"])) for name, part in first.groupby("platform", sort=False)],
        "close": [name for name in close if name in set(first["unit"])],
        "unsure": set(close) >= set(first["unit"]),
        "racks": [float(size) for size in sizes] if len(known) else [],
    }


def cash_quoted(results: pd.DataFrame) -> dict[str, Any]:
    """How many are paid back, who first and who last, and when."""
    known = results[results["payback_years"].notna()].sort_values(["payback_years", "accelerator"], kind="stable")
    paid = known[known["payback_years"] < math.inf]
    back = [paid.iloc[at] for at in (0, -1) if len(paid)]
    return {
        "invested": len(known),
        "back": len(paid),
        "ends": list(dict.fromkeys((str(row["platform"]), float(row["payback_years"])) for row in back)),
    }


def price_quoted(table: pd.DataFrame) -> dict[str, Any]:
    """How far prices may fall before the first and the last platform loses, as shares of the card, and who loses at the card."""
    column = "break_even_price_factor"
    known = table[table[column].notna()].sort_values(column, kind="stable")
    if known.empty:
        return {"platform": "", "last": "", "losers": [], "least": 0.0, "most": 0.0}
    names, values = known["platform"], known[column]
    ends = {"least": float(values.iloc[0]), "most": float(values.iloc[-1])}
    losers = [str(name) for name in names[values >= 1.0]]
    return {"platform": str(names.iloc[0]), "last": str(names.iloc[-1]), "losers": losers, **ends}


def load_quoted(loaded: pd.DataFrame) -> dict[str, Any]:
    """Who leads where each platform sells what its load allows, beside who leads at one share."""
    if loaded.empty:
        return {"leader": ""}
    order, before = in_order(loaded, "profit"), in_order(loaded, "profit_stated").iloc[0]
    first = order.iloc[0]
    near = order[(order["profit_high"] >= first["profit_low"]) & (order["accelerator"] != first["accelerator"])]
    return {
        "leader": str(first["platform"]),
        "stated": str(before["platform"]),
        "share": float(first["utilisation"]),
        **{
            name: float(first[column])
            for name, column in (("profit", "profit"), ("low", "profit_low"), ("high", "profit_high"))
        },
        "stated_share": float(before["utilisation"]),
        "stated_profit": float(before["profit"]),
        "near": list(near["platform"]),
    }
