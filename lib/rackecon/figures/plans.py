"""Charts of a plan: what runs over the day, racks over the years, what one more unit of a limit is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon.figures.base import (
    altair_module,
    axis_words,
    finish,
    in_lines,
    nothing_drawn,
    platform_scale,
    rules,
    top_title,
)
from rackecon.figures.theme import ACCENT
from rackecon.lazy import pd
from rackecon.words import tidy

if TYPE_CHECKING:
    import altair as alt

RACKS, PROFIT = "racks", "profit"
"""Parts of a plan's row, from the top."""
PLAN_ROW: Final = 110
"""Height of a plan's row."""
COUNT_ABOVE: Final = 29
"""How far above the middle of a bar the number of its racks stands."""


def _colour(alt_: Any, data: pd.DataFrame, **legend: Any) -> Any:
    return alt_.Color("platform:N", scale=platform_scale(alt_, data), title=None, **legend)


def _shade(alt_: Any, field: str, shades: dict[str, float]) -> Any:
    """Opacity by a field, value by value: the scale that is taken by itself would spread all between the first two."""
    scale = alt_.Scale(type="ordinal", domain=list(shades), range=list(shades.values()))
    return alt_.Opacity(field, scale=scale, title=None, legend=alt_.Legend(columns=1, labelLimit=300, offset=24))


def _megawatts(alt_: Any, title: str, most: float) -> Any:
    """Vertical axis of power with room above a rule for its word."""
    scale = alt_.Scale(domainMin=0, domainMax=tidy(1.1 * most), nice=False)
    return alt_.Y("power_mw:Q", title=title, scale=scale, axis=top_title(alt_, labelExpr=axis_words("~s")))


def allocation(flows: pd.DataFrame, *, title: str, subtitle: str, standing_mw: float) -> alt.Chart:
    """Power of busy racks over the day, stacked by platform (colour) and work (shade); a rule at what stands.

    Parameters
    ----------
    flows : pandas.DataFrame
        ``accelerator, platform, work, hour, power_mw``, a row each hour a platform does a work.
    standing_mw : float
        Power of all racks [MW].
    """
    alt_ = altair_module()
    wide = flows.groupby(["platform", "work"], sort=False)["power_mw"].transform("sum")
    data = tidy(flows.assign(size=wide).sort_values(["platform", "size"], ascending=[True, False], kind="stable"))
    if data.empty:
        return nothing_drawn(title)
    works = list(dict.fromkeys(data.sort_values("size", ascending=False)["work"]))
    shades = {work: tidy(float(shade)) for work, shade in zip(works, np.linspace(1.0, 0.25, len(works)), strict=True)}
    data = data.assign(layer=range(len(data)))
    bars = (
        alt_.Chart(data)
        .mark_bar(stroke="white", strokeWidth=0.6)
        .encode(
            x=alt_.X(
                "hour:O", title="hour of the day", axis=alt_.Axis(labelAngle=0, labelOverlap=True, labelSeparation=4)
            ),
            y=_megawatts(alt_, "MW of busy racks", standing_mw),
            color=_colour(alt_, data, legend=alt_.Legend(labelLimit=300)),
            opacity=_shade(alt_, "work:O", shades),
            order=alt_.Order("layer:Q"),
            tooltip=[
                alt_.Tooltip("platform:N"),
                alt_.Tooltip("work:N"),
                alt_.Tooltip("hour:O"),
                alt_.Tooltip("power_mw:Q", title="MW", format=".3~g"),
            ],
        )
    )
    return finish(alt_.layer(bars, *rules(alt_, None, standing_mw, "all racks")), title, subtitle)


def plans_compared(plans: pd.DataFrame, racks: pd.DataFrame, *, title: str, subtitle: str) -> alt.Chart:
    """Plans one under the other: the racks of each, by platform and power with their number, over its profit.

    Parameters
    ----------
    plans : pandas.DataFrame
        ``plan, mean, low, high``: profit of each plan [USD/year], from the top.
    racks : pandas.DataFrame
        ``plan, accelerator, platform, racks, power_mw``.
    title, subtitle : str
    """
    alt_ = altair_module()
    if racks.empty:
        return nothing_drawn(title)
    ends = racks.groupby("plan", sort=False)["power_mw"].cumsum()
    bars = tidy(racks.assign(start=ends - racks["power_mw"], end=ends, part=RACKS))
    profits = tidy(plans.assign(part=PROFIT))
    names = list(plans["plan"])
    rows = alt_.Y(
        "plan:N", sort=names, title=None, axis=alt_.Axis(**in_lines(names, 16)), scale=alt_.Scale(padding=0.2)
    )
    within = alt_.YOffset("part:N", sort=[RACKS, PROFIT], scale=alt_.Scale(domain=[RACKS, PROFIT]))
    power = alt_.Axis(orient="top", grid=False, title="provisioned IT power, MW", tickCount=4)
    x = alt_.X("start:Q", axis=power, scale=alt_.Scale(domain=[0.0, tidy(float(ends.max()))], nice=False))
    bar = alt_.Chart(bars).encode(y=rows, yOffset=within, x=x)
    tip = [
        alt_.Tooltip("platform:N"),
        alt_.Tooltip("racks:Q", title="racks"),
        alt_.Tooltip("power_mw:Q", title="MW", format=".3~g"),
    ]
    drawn = bar.mark_bar(stroke="white", strokeWidth=0.6).encode(
        x2=alt_.X2("end:Q"), color=_colour(alt_, bars, legend=alt_.Legend(labelLimit=300)), tooltip=tip
    )
    counted = bar.mark_text(align="left", dx=2, dy=-COUNT_ABOVE, aria=False).encode(text=alt_.Text("racks:Q"))
    line = alt_.Chart(profits).encode(y=rows, yOffset=within)
    low = alt_.X(
        "low:Q", title="profit a year, USD", scale=alt_.Scale(zero=True), axis=alt_.Axis(labelExpr=axis_words("$~s"))
    )
    spread = line.mark_rule(strokeWidth=2, color=ACCENT, aria=False).encode(x=low, x2=alt_.X2("high:Q"))
    mean = line.mark_tick(thickness=3, size=16, color=ACCENT).encode(
        x=alt_.X("mean:Q"),
        tooltip=[
            alt_.Tooltip("plan:N"),
            *(alt_.Tooltip(f"{end}:Q", format="$,.3~s") for end in ("mean", "low", "high")),
        ],
    )
    chart = alt_.layer(alt_.layer(drawn, counted), alt_.layer(spread, mean)).resolve_scale(x="independent")
    key = ["number: racks", "line: nine futures in ten; tick: mean"]
    return finish(chart, title, subtitle, height=PLAN_ROW * len(names), key=key)


def stacked_years(racks: pd.DataFrame, *, title: str, subtitle: str, limit_mw: float) -> alt.Chart:
    """Power of racks that stand in each year, stacked by platform; a rule at the site's.

    Parameters
    ----------
    racks : pandas.DataFrame
        ``accelerator, platform, year, racks, power_mw``.
    limit_mw : float
        Power of the site [MW].
    """
    alt_ = altair_module()
    data = tidy(racks.loc[racks["racks"] > 0, ["accelerator", "platform", "year", "racks", "power_mw"]])
    if data.empty:
        return nothing_drawn(title)
    most = max(limit_mw, float(data.groupby("year")["power_mw"].sum().max()))
    bars = (
        alt_.Chart(data)
        .mark_bar(stroke="white", strokeWidth=0.6)
        .encode(
            x=alt_.X("year:O", title="year from now", axis=alt_.Axis(labelAngle=0)),
            y=_megawatts(alt_, "MW of racks", most),
            color=_colour(alt_, data, legend=alt_.Legend(offset=24, labelLimit=300)),  # clear of the axis's title
            tooltip=[
                alt_.Tooltip("platform:N"),
                alt_.Tooltip("year:O"),
                alt_.Tooltip("racks:Q"),
                alt_.Tooltip("power_mw:Q", title="MW", format=".3~g"),
            ],
        )
    )
    return finish(alt_.layer(bars, *rules(alt_, None, limit_mw, "power of the site")), title, subtitle)


def worth_line(
    curve: pd.DataFrame, x: str, y: str, *, title: str, subtitle: str, x_title: str, y_title: str, at: float
) -> alt.Chart:
    """What one more unit is worth against how much there is, as steps; a rule where the plan stands.

    Parameters
    ----------
    x, y : str
        Columns.
    at : float
        The plan's own amount.
    """
    alt_ = altair_module()
    data = tidy(curve[[x, y]])
    if data.empty:
        return nothing_drawn(title)
    line = (
        alt_.Chart(data)
        .mark_line(point=alt_.OverlayMarkDef(size=26, filled=True), color=ACCENT)
        .encode(
            x=alt_.X(f"{x}:Q", title=x_title, scale=alt_.Scale(zero=True, nice=False)),
            y=alt_.Y(f"{y}:Q", title=y_title, axis=top_title(alt_, labelExpr=axis_words("$~s"))),
            tooltip=[alt_.Tooltip(f"{x}:Q", title=x_title), alt_.Tooltip(f"{y}:Q", title=y_title, format="$,.3~s")],
        )
    )
    return finish(alt_.layer(line, *rules(alt_, at, None, "this plan")), title, subtitle)
