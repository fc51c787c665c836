"""Tables, charts and computed sentences of the page on uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon.analysis.distributions import Distribution, distributions
from rackecon.reporting.display import Html, enable
from rackecon.reporting.tables import table
from rackecon.reporting.text import count, join_words, money, number, percent, tidy
from rackecon.reporting.theme import platform_colours

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from rackecon.analysis.sensitivity import FlipMap

__all__ = [
    "METRICS",
    "answer_sentences",
    "coverage_sentence",
    "distribution_table",
    "driver_sentence",
    "factor_label",
    "flip_chart",
    "flip_sentence",
    "flip_table",
    "interval_rows",
    "named",
    "pair_table",
    "ranking_rows",
    "short_title",
    "tornado_rows",
]

METRICS: Final = {
    "rack": ("profit_usd_per_rack_year", "per physical rack"),
    "mw": ("profit_usd_per_mw_year", "per provisioned MW"),
    "position": ("profit_usd_per_position_year", "per equal-power rack position"),
    "usd": ("profit_usd_per_invested_usd_year", "per invested dollar"),
}
LATENT: Final = {
    "market": "market (in prices, sales and price path)",
    "obsolescence": "obsolescence (in price path, life, resale)",
    "capital": "capital (in platform prices, cost of money)",
    "serving": "serving error common to all",
    "serving/vendor": "serving error common to a vendor",
}
SHOWN: Final = {
    "cost_usd_per_mtok_total": "USD per million total tokens",
    "cost_usd_per_mtok_output": "USD per million output tokens",
    "revenue_usd_per_rack_year": "revenue per rack and year, level",
    "npv_usd_per_rack": "net present value per rack",
    "vendor_roi": "vendor ROI (revenue / investment)",
    "profit_roi": "profit ROI",
}


def factor_label(name: str) -> str:
    """A factor's or input's short name.

    Examples
    --------
    >>> factor_label("wacc"), factor_label("capital")
    ('cost of capital', 'capital (in platform prices, cost of money)')
    """
    return LATENT[name] if name in LATENT else distributions()[name].label


def named(names: dict[str, str], key: str) -> str:
    """A platform's chart name."""
    return names.get(key, key)


def ranking_rows(wins: pd.DataFrame) -> pd.DataFrame:
    """Win table with the columns that a ranking table draws."""
    out = wins.rename(columns={"p50": "middle", "p5": "middle_low", "p95": "middle_high"})
    return out.assign(reason=out.get("reason", "no result"))


def interval_rows(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per platform and quantity, 5th, 50th and 95th percentile as text."""
    part = summary[summary["output"].isin(list(SHOWN))].copy()
    show = {name: (money if "usd" in name and "mtok" not in name else number) for name in SHOWN}
    for end in ("p5", "p50", "p95"):
        part[end] = [show[o](v) if np.isfinite(v) else "none" for o, v in zip(part["output"], part[end], strict=True)]
    part["quantity"] = part["output"].map(SHOWN)
    part["range"] = part["p50"] + " (" + part["p5"] + " to " + part["p95"] + ")"
    wide = part.pivot_table(index="platform", columns="quantity", values="range", aggfunc="first", sort=False)
    wide["loses money"] = part.groupby("platform", sort=False)["loss_share"].first()
    wide["misses the limits"] = 1.0 - part.groupby("platform", sort=False)["served_share"].first()
    order = [name for name in SHOWN.values() if name in wide]
    return wide[[*order, "loses money", "misses the limits"]].reset_index()


def answer_sentences(wins: pd.DataFrame, metric: str) -> tuple[str, str]:
    """The two sentences under the question."""
    unit = METRICS[metric][1]
    known = wins[wins["rank"] > 0]
    if known.empty:
        return "No platform has a result.", "The ranking says why."
    first = known.iloc[0]
    if first["p50"] <= 0:
        text = f"Nobody earns in the middle case; {first['platform']} loses least {unit}, {money(first['p50'])} a year."
    else:
        text = (
            f"{first['platform']} earns the most {unit} in {count(first['win_share'])} draws; nine draws in ten lie "
            f"between {money(first['p5'])} and {money(first['p95'])} a year."
        )
    if len(known) < 2:
        return text, "It has no rival here."
    rival = known.iloc[1]
    call = "Too close to call" if first["win_share"] < 0.8 else "That is a clear lead"
    return text, (
        f"{call}: it beats {rival['platform']} in {count(first['beats_next_share'])}, and choosing it costs "
        f"{money(first['expected_regret'])} a year on average against choosing right every time."
    )


def short_title(wins: pd.DataFrame, metric: str) -> str:
    """A chart title of at most 70 signs."""
    known = wins[wins["rank"] > 0]
    if known.empty:
        return "No platform has a result"
    return f"{known['platform'].iloc[0]}: {money(known['p5'].iloc[0])} to {money(known['p95'].iloc[0])} a year"


def tornado_rows(tornado: pd.DataFrame, accelerator: str, most: int = 10) -> pd.DataFrame:
    """Widest swings of one platform, with the input's name and range in the label."""
    part = tornado[(tornado["accelerator"] == accelerator) & (tornado["swing"] > 0)].head(most).copy()
    part["assumption"] = [
        factor_label(r["input"])
        + ("" if np.isnan(r["low_value"]) else f", {number(r['low_value'])} to {number(r['high_value'])}")
        for r in part.to_dict("records")
    ]
    return part


def driver_sentence(own: pd.DataFrame, accelerator: str, platform: str) -> str:
    """What the variance of one platform's result comes from."""
    part = own[own["accelerator"] == accelerator].head(3)
    told = [
        f"{factor_label(str(r['factor']))} ({percent(min(max(float(r['total']), 0.0), 1.0))})"
        for r in part.to_dict("records")
    ]
    small = own[(own["accelerator"] == accelerator) & (own["total"] < 0.01)]["factor"]
    quiet = [factor_label(name) for name in small if name not in LATENT][:4]
    tail = f" Under one per cent each: {join_words(quiet)}." if quiet else ""
    return f"Of the variance of {platform}, the largest parts involve {join_words(told)}.{tail}"


def pair_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairwise win shares as text."""
    out = pairs.map(lambda x: "" if not np.isfinite(x) else count(x))
    return out.reset_index(names="platform")


def flip_table(flips: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """One row per pair in words."""
    known = distributions()

    def told(item: Distribution, value: float) -> str:
        if not np.isfinite(value):
            return "no change of lead"
        if item.form in ("evidence", "listings"):
            return f"{value:+.1f} sd".replace("-", "\u2212")
        return f"{number(value)} {item.unit}".replace(" -", "")

    out: pd.DataFrame = tidy(
        flips.assign(
            pair=[
                f"{named(names, a)} over {named(names, b)}"
                for a, b in zip(flips["leader"], flips["rival"], strict=True)
            ],
            decided_by=[
                f"{known[x].label}, {known[y].label}" for x, y in zip(flips["x_input"], flips["y_input"], strict=True)
            ],
            flips_at=[told(known[x], v) for x, v in zip(flips["x_input"], flips["x_flip"], strict=True)],
            at_low=[told(known[x], v) for x, v in zip(flips["x_input"], flips["x_flip_at_low_y"], strict=True)],
            at_high=[told(known[x], v) for x, v in zip(flips["x_input"], flips["x_flip_at_high_y"], strict=True)],
        )[["pair", "beats_share", "decided_by", "flips_at", "at_low", "at_high"]]
    )
    return out


def _axis(name: str, platform: str) -> str:
    item = distributions()[name]
    who = f" of {platform}" if item.scope in ("cell", "platform") else ""
    unit = "standard deviations" if item.form in ("evidence", "listings") else item.unit
    return f"{item.label}{who}, {unit}".replace(", -", "")


def flip_chart(found: FlipMap, names: dict[str, str], leader: str, *, title: str, subtitle: str) -> alt.Chart:
    """Who leads over two inputs: coloured cells, a line where the lead changes."""
    enable()
    import altair as alt_

    cells = tidy(found.table.assign(platform=[named(names, key) for key in found.table["leader"]]))
    keys = list(dict.fromkeys(found.table["leader"]))
    scale = alt_.Scale(domain=[named(names, k) for k in keys], range=platform_colours(keys))
    x_title, y_title = _axis(found.x_input, named(names, leader)), _axis(found.y_input, named(names, leader))
    base = alt_.Chart(cells).encode(
        x=alt_.X("x:O", title=x_title, axis=alt_.Axis(format=".2~f", labelOverlap=True, labelAngle=0)),
        y=alt_.Y("y:O", sort="descending", title=y_title, axis=alt_.Axis(format=".2~f", labelOverlap=True)),
    )
    tips: list[Any] = [alt_.Tooltip("x:Q", title=x_title), alt_.Tooltip("y:Q", title=y_title), "platform:N"]
    tips.append(alt_.Tooltip("difference:Q", title="difference, USD a year", format=",.4~g"))
    fill = alt_.Color("platform:N", scale=scale, title="leads")
    chart: alt.Chart = (
        base.mark_rect(opacity=0.8)
        .encode(color=fill, tooltip=tips)
        .properties(
            width="container",
            height=300,
            title={"text": title, "subtitle": subtitle},
            description=f"{title}. {subtitle}",
        )
        .configure_view(stroke=None)
    )
    return chart


def flip_sentence(row: Any, names: dict[str, str]) -> str:
    """What would turn one pair's order."""
    known = distributions()[row.x_input]
    lead, rival = named(names, row.leader), named(names, row.rival)
    if not np.isfinite(row.x_flip):
        return f"No value of {known.label} within 95 % of its range puts {rival} before {lead}."
    if known.form in ("evidence", "listings"):
        where = f"{abs(row.x_flip):.1f} standard deviations {'below' if row.x_flip < 0 else 'above'} its middle"
    else:
        where = f"{number(row.x_flip)} {known.unit}".replace(" -", "")
    whose = f" of {lead} alone" if known.scope in ("cell", "platform") else ""
    return (
        f"The order of {lead} and {rival} turns when the {known.label}{whose} passes {where}, all else at its middle."
    )


def coverage_sentence(covered: pd.DataFrame) -> str:
    """What the price back-test found, in words."""
    part = covered[(covered["method"] == "report") & (covered["measure"] == "median card")]
    told = [
        f"{percent(r['covered_share'])} after {r['months']} months ({r['forecasts']} forecasts of {r['models']} models)"
        for r in part.to_dict("records")
    ]
    single = covered[covered["measure"] == "single listing"]["covered_share"].min()
    return (
        f"The report's 90 % intervals, made from listings up to a date, held the median price of the card in "
        f"{join_words(told)}; a single provider's new price they held in {percent(single)} at worst: they are intervals "
        "for the card, not for one listing. Prices of different models move together, so this is weaker evidence than "
        "the counts suggest."
    )


def distribution_table() -> Html:
    """Every uncertain input with form, range, what it drives, source and grade."""
    import pandas as pd

    rows = []
    for item in distributions().values():
        told = item.form not in ("fixed", "evidence")
        rows.append(
            {
                "input": item.label,
                "drives": item.drives,
                "form": item.form.replace("_", " "),
                "p10": item.low if told else np.nan,
                "median": item.central if np.isfinite(item.central) else np.nan,
                "p90": item.high if told else np.nan,
                "unit": item.unit,
                "differs by": item.scope,
                "shared with": ", ".join(f"{k} {v:g}" for k, v in item.loadings.items()),
                "grade": item.grade,
                "basis": item.basis,
            }
        )
    return table(pd.DataFrame(rows), "Distributions of the uncertain inputs (data/distributions.csv)", searchable=True)
