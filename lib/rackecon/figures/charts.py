"""Charts of the report: Altair, one theme, direct labels, intervals drawn, the finding as the title.

Every builder takes tidy data with only the columns it draws, and a title that the caller computed from the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rackecon.figures.base import (
    altair_module,
    axis_words,
    finish,
    in_lines,
    log_ticks,
    named_lines,
    nothing_drawn,
    rules,
    top_title,
)
from rackecon.figures.lines import assumption_lines, frontier_chart
from rackecon.figures.tables import to_the_cent
from rackecon.figures.theme import ACCENT, BAD, GREY
from rackecon.lazy import pd
from rackecon.words import tidy

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    "assumption_lines",
    "frontier_chart",
    "matrix",
    "ratio_chart",
    "scatter_measured",
    "stacked_bars",
    "tornado",
    "waterfall",
]


ROOM: Final = 0.2
"""Share of a waterfall's width kept for the figures at the right of its bars."""


def matrix(
    frame: pd.DataFrame,
    *,
    row: str,
    column: str,
    value: str,
    text: str,
    title: str,
    subtitle: str,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> alt.Chart:
    """A grid of cells coloured by gain (blue) and loss (orange), each with its figure."""
    alt_ = altair_module()
    keep = [c for c in dict.fromkeys([row, column, value, text, "detail"]) if c in frame]
    data = tidy(frame[keep])
    top = float(data[value].abs().max()) or 1.0
    base = alt_.Chart(data).encode(
        x=alt_.X(
            f"{column}:N",
            title=None,
            sort=list(columns) if columns else None,
            axis=alt_.Axis(
                orient="top",
                labelAngle=0,
                domain=False,
                ticks=False,
                labelExpr="split(datum.label, ' ')",
                labelPadding=18,
            ),
        ),
        y=alt_.Y(
            f"{row}:N",
            title=None,
            sort=list(rows) if rows else None,
            axis=alt_.Axis(domain=False, ticks=False, **named_lines()),
        ),
    )
    tips = [alt_.Tooltip(f"{row}:N"), alt_.Tooltip(f"{column}:N"), alt_.Tooltip(f"{text}:N", title="value")]
    if "detail" in data:
        tips.append(alt_.Tooltip("detail:N", title="why"))
    cells = base.mark_rect(stroke="#ffffff", strokeWidth=2).encode(
        color=alt_.Color(
            f"{value}:Q",
            scale=alt_.Scale(domain=[-top, 0, top], range=["#d98a64", "#f1f2f4", "#7fb0d6"], interpolate="rgb"),
            legend=None,
        ),
        tooltip=tips,
    )
    labels = base.mark_text(fontSize=11, color="#1c2026", aria=False, lineBreak=" ").encode(text=alt_.Text(f"{text}:N"))
    height = 38 * max(int(data[row].nunique()), 1) + 20
    return finish(alt_.layer(cells, labels), title, subtitle, height)


def waterfall(frame: pd.DataFrame, *, title: str, subtitle: str, unit: str) -> alt.Chart:
    """Parts that add up to a total: columns ``part``, ``value``; a last part named total is drawn from zero."""
    alt_ = altair_module()
    data = frame[["part", "value"]].copy()
    start, end, kind, level = [], [], [], 0.0
    for part, value in zip(data["part"], data["value"], strict=True):
        if str(part).startswith("total") or str(part).startswith("published"):
            start.append(0.0)
            end.append(float(value))
            kind.append("total")
        else:
            start.append(level)
            level += float(value)
            end.append(level)
            kind.append("adds" if value >= 0 else "takes off")
    data = tidy(data.assign(start=start, end=end, kind=kind))
    data["label"] = [to_the_cent(v) for v in data["value"]]
    data["right"] = data[["start", "end"]].max(axis=1)
    base = alt_.Chart(data).encode(
        y=alt_.Y("part:N", sort=None, title=None, axis=alt_.Axis(domain=False, ticks=False, **in_lines(data["part"])))
    )
    low, high = min(0.0, *start, *end), max(0.0, *start, *end)
    room = alt_.Scale(domain=tidy([low, high + ROOM * (high - low)]), nice=False)  # a figure stands right of its bar
    bars = base.mark_bar(size=16).encode(
        x=alt_.X("start:Q", title=unit, scale=room),
        x2=alt_.X2("end:Q"),
        color=alt_.Color(
            "kind:N",
            scale=alt_.Scale(domain=["total", "adds", "takes off"], range=["#5c6470", ACCENT, BAD]),
            legend=None,
        ),
        tooltip=[alt_.Tooltip("part:N"), alt_.Tooltip("value:Q", format=",.4~g", title=unit)],
    )
    text = base.mark_text(align="left", dx=5, fontSize=11, aria=False).encode(
        x=alt_.X("right:Q"), text=alt_.Text("label:N")
    )
    chart = finish(alt_.layer(bars, text), title, subtitle, 27 * max(len(data), 1) + 20)
    out: alt.Chart = chart.properties(padding={"right": 45, "left": 5, "top": 5, "bottom": 5})
    return out


def stacked_bars(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    part: str,
    title: str,
    subtitle: str,
    x_title: str,
    order: Sequence[str] | None = None,
) -> alt.Chart:
    """Horizontal bars made of parts, one bar per ``y``."""
    alt_ = altair_module()
    data = tidy(frame[[x, y, part]])
    if data.empty:
        return nothing_drawn(title)
    palette = ["#063c69", "#25a5a5", "#a28c21", "#8d71f9", "#9e411b", "#8b94a1", "#468360", "#4e0823"]
    chart = (
        alt_.Chart(data)
        .mark_bar(size=18)
        .encode(
            x=alt_.X(f"{x}:Q", title=x_title, stack="zero"),
            y=alt_.Y(f"{y}:N", title=None, sort=list(order) if order else None, axis=alt_.Axis(**named_lines())),
            color=alt_.Color(
                f"{part}:N",
                sort=None,
                title=None,
                scale=alt_.Scale(domain=list(dict.fromkeys(data[part])), range=palette),
            ),
            order=alt_.Order("rank:Q"),
            tooltip=[
                alt_.Tooltip(f"{y}:N"),
                alt_.Tooltip(f"{part}:N"),
                alt_.Tooltip(f"{x}:Q", title=x_title, format=",.4~g"),
            ],
        )
        .transform_calculate(rank=f"indexof({list(dict.fromkeys(data[part]))!r}, datum.{part})")
    )
    return finish(chart, title, subtitle, 34 * max(int(data[y].nunique()), 1) + 20)


def equal_line(pair: pd.DataFrame) -> tuple[Any, Any, Any]:
    """Scale and axis of both directions of a chart of one quantity against another, logarithmic, and the line where both are equal."""
    alt_ = altair_module()
    low, high = float(pair.min().min()), float(pair.max().max())
    ends = [low * 0.8, high * 1.25]
    scale = alt_.Scale(type="log", domain=ends, nice=False)
    line = (
        alt_.Chart({"values": [{"m": low, "p": low}, {"m": high, "p": high}]})
        .mark_line(color=GREY, strokeDash=[3, 3], strokeWidth=1, aria=False)
        .encode(x=alt_.X("m:Q", scale=scale), y=alt_.Y("p:Q", scale=scale))
    )
    return scale, alt_.Axis(labelExpr=axis_words("~s"), **log_ticks(*ends)), line


def scatter_measured(
    frame: pd.DataFrame,
    *,
    measured: str,
    predicted: str,
    colour: str,
    title: str,
    subtitle: str,
    unit: str,
    shape: str | None = None,
    band: tuple[float, float] | None = None,
) -> alt.Chart:
    """Prediction against measurement on log axes, with the 1:1 line and a band of measured over predicted."""
    alt_ = altair_module()
    told = shape or colour
    data = tidy(frame[list(dict.fromkeys([measured, predicted, colour, told, "point_id"]))].dropna(), 3)
    scale, axis, line = equal_line(data[[measured, predicted]])
    under = [line]
    if band is not None:
        ends = [{"m": m, "low": m / band[1], "high": m / band[0]} for m in scale.domain]
        shade = alt_.Chart({"values": ends}).mark_area(color=GREY, opacity=0.12, clip=True, aria=False)
        under = [shade.encode(x=alt_.X("m:Q", scale=scale), y=alt_.Y("low:Q", scale=scale), y2=alt_.Y2("high:Q")), line]
    groups, kinds = (sorted(data[name].unique()) for name in (colour, told))
    palette = ["#063c69", "#9e411b", "#25a5a5", "#a28c21", "#8d71f9"]
    points = (
        alt_.Chart(data)
        .mark_point(filled=True, size=26, opacity=0.65)
        .encode(
            x=alt_.X(f"{measured}:Q", scale=scale, title=f"measured, {unit}", axis=axis),
            y=alt_.Y(f"{predicted}:Q", scale=scale, title=f"predicted, {unit}", axis=axis),
            color=alt_.Color(f"{colour}:N", title=None, scale=alt_.Scale(domain=groups, range=palette[: len(groups)])),
            shape=alt_.Shape(f"{told}:N", title=None, scale=alt_.Scale(domain=kinds)),
            tooltip=[
                alt_.Tooltip("point_id:N"),
                *(alt_.Tooltip(f"{name}:N") for name in dict.fromkeys((colour, told))),
                alt_.Tooltip(f"{measured}:Q", format=",.3~g"),
                alt_.Tooltip(f"{predicted}:Q", format=",.3~g"),
            ],
        )
    )
    return finish(alt_.layer(*under, points), title, subtitle, 380)


def ratio_chart(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    title: str,
    subtitle: str,
    x_title: str,
    y_title: str,
    claim: float | None = None,
    claim_label: str = "",
) -> alt.Chart:
    """A ratio over an operating point, on a log axis, with a claimed value drawn as a line and measured points if given.

    A line for each ``series``; a column ``kind`` splits modelled lines from measured points (``measured``, ``interpolated``, ``second-hand``).
    """
    alt_ = altair_module()
    keep = [c for c in dict.fromkeys([x, y, "series", "kind", f"{y}_low", f"{y}_high"]) if c in frame]
    data = tidy(frame[keep].dropna(subset=[x, y]))
    if "kind" not in data:
        data["kind"] = "model"
    palette = ["#063c69", "#9e411b", "#25a5a5", "#a28c21", "#8d71f9", "#5c6470"]
    names = list(dict.fromkeys(data["series"]))
    colour = alt_.Color(
        "series:N",
        title=None,
        sort=None,
        scale=alt_.Scale(domain=names, range=palette[: len(names)]),
        legend=alt_.Legend(symbolType="stroke", symbolOpacity=1, offset=30, labelLimit=260, columns=2),
    )
    xs = alt_.X(f"{x}:Q", title=x_title, axis=alt_.Axis(grid=False))
    drawn = data[[c for c in (y, f"{y}_low", f"{y}_high") if c in data]].stack()
    ys = alt_.Y(
        f"{y}:Q",
        title=y_title,
        scale=alt_.Scale(type="log", nice=False, padding=8),
        axis=top_title(alt_, labelExpr=axis_words("~s"), **log_ticks(float(drawn.min()), float(drawn.max()))),
    )
    tips = [
        alt_.Tooltip("series:N"),
        alt_.Tooltip("kind:N"),
        alt_.Tooltip(f"{x}:Q", title=x_title, format=",.3~g"),
        alt_.Tooltip(f"{y}:Q", title=y_title, format=",.3~g"),
    ]
    model, points = data[data["kind"] == "model"], data[data["kind"] != "model"]
    layers = []
    if f"{y}_low" in data:
        layers.append(
            alt_.Chart(model)
            .mark_area(opacity=0.12)
            .encode(
                x=xs,
                y=alt_.Y(f"{y}_low:Q", scale=alt_.Scale(type="log", nice=False, padding=8), title=y_title),
                y2=alt_.Y2(f"{y}_high:Q"),
                color=colour,
            )
        )
    layers.append(alt_.Chart(model).mark_line().encode(x=xs, y=ys, color=colour, tooltip=tips))
    if len(points):
        layers.append(
            alt_.Chart(points)
            .mark_point(filled=True, size=60)
            .encode(x=xs, y=ys, color=colour, shape=alt_.Shape("kind:N", title=None), tooltip=tips)
        )
    layers += rules(alt_, None, claim, claim_label, left=True)
    return finish(alt_.layer(*layers), title, subtitle)


def tornado(frame: pd.DataFrame, *, title: str, subtitle: str, unit: str, base: float) -> alt.Chart:
    """One bar per assumption from its low to its high end: columns ``assumption``, ``at_low``, ``at_high``."""
    alt_ = altair_module()
    data = frame[["assumption", "at_low", "at_high"]].copy()
    long = tidy(data.melt("assumption", var_name="end", value_name="value"))
    long["base"] = tidy(float(base))
    long["end"] = long["end"].map({"at_low": "at its low end", "at_high": "at its high end"})
    bars = (
        alt_.Chart(long)
        .mark_bar(size=15)
        .encode(
            y=alt_.Y(
                "assumption:N",
                sort=list(data["assumption"]),
                title=None,
                axis=alt_.Axis(**in_lines(data["assumption"])),
            ),
            x=alt_.X("base:Q", title=unit, axis=alt_.Axis(labelExpr=axis_words("$~s" if "USD" in unit else "~s"))),
            x2=alt_.X2("value:Q"),
            color=alt_.Color(
                "end:N",
                title=None,
                scale=alt_.Scale(domain=["at its low end", "at its high end"], range=["#8b94a1", ACCENT]),
            ),
            tooltip=[
                alt_.Tooltip("assumption:N"),
                alt_.Tooltip("end:N"),
                alt_.Tooltip("value:Q", title=unit, format=",.4~g"),
            ],
        )
    )
    rule = (
        alt_.Chart({"values": [{"base": tidy(float(base))}]})
        .mark_rule(color=GREY, aria=False)
        .encode(x=alt_.X("base:Q"))
    )
    return finish(alt_.layer(bars, rule), title, subtitle, 28 * max(len(data), 1) + 30)
