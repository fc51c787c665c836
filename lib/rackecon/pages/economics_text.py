"""Sentences and titles of the power, cost and revenue pages, filled from results, ties and losses included."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rackecon.economics.measures import MEASURES
from rackecon.evidence.novelty import platform_named
from rackecon.pages.sentences import say
from rackecon.words import count, join_words, money, number, percent, times, years_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "age_text",
    "build_up_quoted",
    "cash_title",
    "cost_quoted",
    "energy_quoted",
    "interval_note",
    "limits_quoted",
    "missing_note",
    "power_quoted",
    "price_title",
    "rack_note",
    "rate_text",
    "return_sentence",
    "revenue_answer",
    "revenue_title",
    "site_quoted",
    "speed_energy_ratio",
    "tax_note",
    "tax_words",
    "units_short",
    "units_title",
    "wall_quoted",
    "wins_text",
]


def rate_text(value: float) -> str:
    """A yearly rate of return.

    Examples
    --------
    >>> rate_text(0.234), rate_text(57.0), rate_text(float("nan"))
    ('23 %', '> 1,000 %', 'none')
    """
    if value is None or not math.isfinite(value):
        return "none"
    return "> 1,000 %" if value > 10 else percent(value)


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


def rack_note(table: pd.DataFrame) -> str:
    """How far the racks compared differ in size."""
    known = table[table["gpus_per_rack"].notna()]
    if known.empty:
        return ""
    gpus, kw = known["gpus_per_rack"], known["rack_it_kw"]
    return (
        f"The racks compared hold {gpus.min():.0f} to {gpus.max():.0f} accelerators and take {kw.min():.0f} to "
        f"{kw.max():.0f} kW."
    )


def missing_note(table: pd.DataFrame, figure: str = "a figure") -> str:
    """Which platforms have no figure, or not the one named, and why; empty when all have one."""
    gone = table[table["reason"] != ""]
    words = [f"{join_words(part['platform'])} ({reason})" for reason, part in gone.groupby("reason", sort=False)]
    return f"Without {figure}: {'; '.join(words)}." if words else ""


def _leaders(frame: pd.DataFrame, column: str) -> tuple[Any, Any] | None:
    known = frame[frame[column].notna()].sort_values([column, "accelerator"], ascending=[False, True], kind="stable")
    if known.empty:
        return None
    return known.iloc[0], known.iloc[-1]


def power_quoted(power: pd.DataFrame, table: pd.DataFrame) -> dict[str, Any]:
    """Output tokens per provisioned megawatt: who makes the most, how sure that is, and who would by the older vintage."""
    new, old = "output_tok_s_per_mw_2026_07", "output_tok_s_per_mw_2025_10"
    quoted: dict[str, Any] = dict.fromkeys(("first", "last", "before"), "") | {"made": 0.0, "ratio": 1.0, "inside": []}
    quoted |= dict.fromkeys(("low", "high")) | {"counted_before": True}
    ends, before = _leaders(power, new), _leaders(power, old)
    if ends is None:
        return quoted
    first, last = ends
    quoted |= {"first": first["platform"], "made": float(first[new])}
    if first["accelerator"] != last["accelerator"]:
        quoted |= {"last": last["platform"], "ratio": float(first[new] / last[new])}
    if before is not None:
        quoted |= {"before": before[0]["platform"], "counted_before": math.isfinite(first[old])}
    if "total_tok_s_per_gpu_low" in table:
        row = table[table["accelerator"] == first["accelerator"]].iloc[0]
        low, high = (
            float(first[new] * row[f"total_tok_s_per_gpu_{end}"] / row["total_tok_s_per_gpu"])
            for end in ("low", "high")
        )
        near = power[(power[new] >= low) & (power["accelerator"] != first["accelerator"])].sort_values(
            new, ascending=False
        )
        quoted |= {"low": low, "high": high, "inside": list(near["platform"])}
    return quoted


def site_quoted(comparison: pd.DataFrame, by: str = "profit_usd_year") -> dict[str, Any]:
    """Who fills each limit of a site best."""
    best = {str(limit): _leaders(part, by) for limit, part in comparison.groupby("limit", sort=False)}
    limits = [
        (limit, "", 0.0) if ends is None else (limit, ends[0]["platform"], float(ends[0][by]))
        for limit, ends in best.items()
    ]
    who = [platform for _, platform, _ in limits if platform]
    return {
        "limits": limits,
        "winners": list(dict.fromkeys(who)),
        "alike": len(who) == len(limits) == 2 and who[0] == who[1],
        "nobody": bool(who) and all(profit <= 0 for _, platform, profit in limits if platform),
    }


def limits_quoted(winners: pd.DataFrame) -> dict[str, Any]:
    """In how many workloads the two limits pick different platforms, and which."""
    wide = winners.pivot(index=["model", "scenario"], columns="limit", values="platform").dropna()
    return {"pairs": len(wide), "apart": [f"{row[0]} {row[1]}" for row in wide[wide.nunique(axis=1) > 1].index]}


def energy_quoted(power: pd.DataFrame) -> dict[str, Any]:
    """Least and most share of electricity in the cost of a GPU-hour."""
    share = power["energy_share_of_cost"].dropna()
    return {"least": None, "most": None} if share.empty else {"least": float(share.min()), "most": float(share.max())}


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
        "why": "; ".join(f"{count}: {reason}" for reason, count in apart.items()),
    }


def speed_energy_ratio(points: pd.DataFrame) -> float | None:
    """What the fastest point costs in energy over the thriftiest, middle platform; None where nothing serves."""
    ratio = points.groupby("platform")["drawn_joules_per_output_token"].agg(lambda x: x.max() / x.min())
    return None if ratio.empty else float(ratio.median())


def interval_note(table: pd.DataFrame) -> str:
    """How far a measurement may lie from the model's token rates, nine times in ten."""
    known = table[table["reason"] == ""]
    if known.empty or "total_tok_s_per_gpu_low" not in known:
        return "Token rates come from the serving model."
    low = float((known["total_tok_s_per_gpu_low"] / known["total_tok_s_per_gpu"]).median())
    high = float((known["total_tok_s_per_gpu_high"] / known["total_tok_s_per_gpu"]).median())
    return (
        f"Token rates come from the serving model: nine measurements in ten lie between {low:.2f} and {high:.2f} times "
        "its figure (middle platform), so small leads are not settled."
    )


def cost_quoted(table: pd.DataFrame, against: pd.DataFrame) -> dict[str, Any]:
    """What the page says of the cheapest tokens on the stated basis, and of owning against renting."""
    column = "cost_usd_per_mtok_output"
    known = table[table[column].notna()].sort_values([column, "accelerator"], kind="stable")
    rents = against["rent_over_own"].dropna()
    crossing = against["crossing_utilisation"].dropna()
    quoted: dict[str, Any] = dict.fromkeys(("platform", "worst", "basis"), "") | {
        "cost": 0.0,
        "ratio": 1.0,
        "inside": [],
    }
    quoted |= dict.fromkeys(("low", "high", "rent_low", "rent_high", "cross_low", "cross_high"))
    quoted["tier"] = "" if rents.empty else str(against["tier"].iloc[0])
    for name, values in (("rent", rents), ("cross", crossing)):
        if len(values):
            quoted |= {f"{name}_low": float(values.min()), f"{name}_high": float(values.max())}
    if known.empty:
        return quoted
    best, worst, rest = known.iloc[0], known.iloc[-1], known.iloc[1:]
    quoted |= {"platform": best["platform"], "cost": float(best[column]), "basis": best["cost_label"]}
    if len(rest):
        quoted |= {"worst": worst["platform"], "ratio": float(worst[column] / best[column])}
    if f"{column}_high" in known:
        low, high = float(best[f"{column}_low"]), float(best[f"{column}_high"])
        quoted |= {"low": low, "high": high, "inside": list(rest.loc[rest[column] <= high, "platform"])}
    return quoted


def build_up_quoted(platform: str, walk: pd.DataFrame) -> dict[str, Any]:
    """What the title of the reconciliation says: the gap, and how much of it named steps explain."""
    built, published = (float(walk["usd_per_gpu_hour"].iloc[k]) for k in (0, -1))
    gap = built - published
    steps = -float(walk["change_usd_per_gpu_hour"].iloc[1:-2].sum())
    explained = None if abs(gap) < 0.005 else steps / gap
    return {"platform": platform, "built": built, "published": published, "explained": explained}


def revenue_title(ranked: pd.DataFrame, unit: str = "rack") -> str:
    """Finding of the profit chart, by verdict."""
    known = ranked[ranked["value"].notna()]
    if known.empty:
        return "No platform serves this workload within its limits"
    first = known.iloc[0]
    verdict = str(first["verdict"])
    if verdict == "nobody earns":
        return f"Nobody earns; {first['platform']} loses least"
    if verdict == "too close to call":
        rivals = [first["platform"], *known["platform"].iloc[1:2]]
        return f"Too close to call: {join_words(rivals)} lead"
    return f"{first['platform']} earns the most {MEASURES[unit].name}: {MEASURES[unit].amount(first['value'])} a year"


def revenue_answer(ranked: pd.DataFrame, row: Any, unit: str = "rack") -> tuple[str, str]:
    """The page's two sentences: who earns most per rack and how surely, and what that is as a return.

    Parameters
    ----------
    ranked : pandas.DataFrame
        From :func:`rackecon.uncertainty.ranking.rank`, one model and scenario.
    row : Series or None
        The leader's row of the evaluation.
    unit : str
        ``rack``, ``mw``, ``position`` or ``usd``: what profit is counted per.
    """
    known = ranked[ranked["value"].notna()]
    if known.empty or row is None:
        return "No platform serves this workload within its limits.", "There is no return to state."
    first = known.iloc[0]
    amount = MEASURES[unit].amount
    interval = f"nine cases in ten lie between {amount(first['value_low'])} and {amount(first['value_high'])}"
    verb = f"{'loses least' if first['value'] <= 0 else 'earns the most'} {MEASURES[unit].name}"
    one = f"{platform_named(first['platform'])} {verb}, {amount(first['value'])} a year; {interval}"
    one += f", and it leads in {count(first['win_share'])} cases"
    if str(first["verdict"]) == "too close to call" and len(known) > 1:
        one += f", too close to call against {platform_named(known['platform'].iloc[1])}"
    return f"{one}.", return_sentence(row)


def return_sentence(row: Any) -> str:
    """Both kinds of ROI, present value, internal rate and payback of one evaluated row."""
    if not math.isfinite(row["vendor_roi"]):
        return f"Capacity of {row['platform']} is rented: nothing is invested, so there is no ROI, rate or payback."
    vendor, profit = number(row["vendor_roi"], 2), number(row["profit_roi"], 2)
    return (
        f"Over {row['horizon_years']:g} years its vendor ROI (revenue over investment) is {vendor} and its profit ROI "
        f"{profit}; net present value {money(row['npv_usd_per_rack'])} a rack, internal rate "
        f"{rate_text(row['irr_per_year'])} a year, payback {years_text(row['payback_years'])}."
    )


def tax_words(tax_rate: float | None) -> str:
    """What a caption says of tax.

    Examples
    --------
    >>> tax_words(None), tax_words(0.21)
    ('pre-tax', 'after a tax of 21 % on profit')
    """
    return f"after a tax of {percent(tax_rate)} on profit" if tax_rate else "pre-tax"


def tax_note(flows: pd.DataFrame, untaxed: pd.DataFrame, accelerator: str, tax_rate: float | None) -> str:
    """Present value of a platform's rack before tax and, hardware written off at once, after it."""
    if not tax_rate or flows.empty:
        return say("10_revenue_and_roi", "tax", tax=0.0)
    before = untaxed.loc[untaxed["accelerator"] == accelerator].iloc[0]
    after = float(flows.loc[flows["accelerator"] == accelerator, "present_value_usd"].sum())
    terms = {"platform": before["platform"], "before": float(before["npv_usd_per_rack"]), "after": after}
    return say("10_revenue_and_roi", "tax", tax=tax_rate, **terms)


def units_title(ranks: pd.DataFrame) -> str:
    """Finding of the side-by-side ranking: one winner, or which unit names whom."""
    first = ranks[ranks["rank"] == 1]
    if first.empty:
        return "No platform has a result"
    names = list(dict.fromkeys(first["platform"]))
    if len(names) == 1:
        return f"{names[0]} comes first by every unit"
    parts = [f"{name} {join_words(first.loc[first['platform'] == name, 'unit'])}" for name in names]
    return f"The unit decides: {'; '.join(parts)}"


def units_short(ranks: pd.DataFrame) -> str:
    """Short finding of the side-by-side ranking."""
    names = list(dict.fromkeys(ranks.loc[ranks["rank"] == 1, "platform"]))
    if not names:
        return "No platform has a result"
    return (
        f"{names[0]} comes first by every unit" if len(names) == 1 else f"The unit decides between {join_words(names)}"
    )


def cash_title(results: pd.DataFrame) -> str:
    """Finding of the cash-flow chart: who is paid back, and how fast at best."""
    known = results[results["payback_years"].notna()]
    if known.empty:
        return "Nothing is invested in rented capacity"
    back = known[known["payback_years"] < math.inf]
    if back.empty:
        return "No platform is paid back"
    best = back.sort_values(["payback_years", "accelerator"], kind="stable").iloc[0]
    who = "Every platform is" if len(back) == len(known) else f"{len(back)} of {len(known)} platforms are"
    return f"{who} paid back, {best['platform']} first, after {years_text(best['payback_years'])}"


def price_title(table: pd.DataFrame) -> str:
    """Finding on the break-even price: how far prices may fall."""
    known = table[table["break_even_price_factor"].notna()]
    if known.empty:
        return "No platform has a break-even price"
    low, high = known.sort_values("break_even_price_factor", kind="stable").iloc[[0, -1]].to_dict("records")
    if low["break_even_price_factor"] >= 1:
        need = times(low["break_even_price_factor"])
        return f"No platform earns at the card; {low['platform']} would need {need} the price"
    cut = percent(1.0 - low["break_even_price_factor"])
    if high["break_even_price_factor"] >= 1:
        return f"{low['platform']} still earns with prices {cut} lower; {high['platform']} loses already"
    less = percent(1.0 - high["break_even_price_factor"])
    return f"Prices may fall {less} before {high['platform']} loses, {cut} before {low['platform']} does"
