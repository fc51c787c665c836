"""Charts of the report: Altair, one theme, direct labels, intervals drawn, the finding as the title.

Every builder takes tidy data with only the columns it draws, and a title that the caller computed from the result.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rackecon.reporting.display import enable
from rackecon.reporting.text import tidy
from rackecon.reporting.theme import ACCENT, BAD, GREY, platform_colours, platform_dashes

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

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

HEIGHT = 300


def _alt() -> Any:
    import altair

    enable()
    return altair


def _title(title: str, subtitle: str) -> dict[str, Any]:
    return {"text": title, "subtitle": subtitle}


def _finish(chart: Any, title: str, subtitle: str, description: str, height: int = HEIGHT) -> alt.Chart:
    out: Any = chart.properties(
        width="container",
        height=height,
        title=_title(title, subtitle),
        description=description or f"{title}. {subtitle}",
    ).configure_view(stroke=None)
    return out


def _scale(alt_: Any, frame: pd.DataFrame) -> tuple[Any, Any]:
    pairs = frame[["platform", "accelerator"]].drop_duplicates()
    names, ids = pairs["platform"].tolist(), pairs["accelerator"].tolist()
    colour = alt_.Scale(domain=names, range=platform_colours(ids))
    dash = alt_.Scale(domain=names, range=platform_dashes(ids))
    return colour, dash


def _line_ends(frame: pd.DataFrame, x: str, y: str, log_y: bool, gap: float = 0.052) -> pd.DataFrame:
    """Label position at each line's right end, pushed apart so that no two overlap."""
    import numpy as np

    ends = frame.sort_values(x, kind="stable").groupby("platform", as_index=False, sort=False).last()
    values = np.log(ends[y].clip(lower=1e-12)) if log_y else ends[y]
    everything = np.log(frame[y].clip(lower=1e-12)) if log_y else frame[y]
    span = float(everything.max() - min(everything.min(), everything.max() if log_y else 0.0)) or 1.0
    order = np.argsort(values.to_numpy(), kind="stable")
    placed = values.to_numpy(dtype=float).copy()
    for before, after in itertools.pairwise(order):
        placed[after] = max(placed[after], placed[before] + gap * span)
    ends["label_y"] = np.exp(placed) if log_y else placed
    return ends


def assumption_lines(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    title: str,
    subtitle: str,
    x_title: str,
    y_title: str,
    log_x: bool = False,
    log_y: bool = False,
    band: bool = False,
    rule_x: float | None = None,
    rule_y: float | None = None,
    rule_label: str = "",
    dash: str | None = None,
    description: str = "",
    y_format: str = "~s",
    x_format: str = "~s",
) -> alt.Chart:
    """One line per platform over an assumption, named at its end.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``accelerator``, ``platform``, the two columns, ``y_low`` and ``y_high`` where ``band``; ``dash`` names a column whose
        values draw solid and dashed lines.
    x, y : str
        Columns.
    """
    alt_ = _alt()
    keep = [
        c for c in dict.fromkeys(["accelerator", "platform", x, y, dash, f"{y}_low", f"{y}_high"]) if c and c in frame
    ]
    data = tidy(frame[keep].dropna(subset=[x, y]))
    colour, dashes = _scale(alt_, data)
    x_axis = alt_.X(
        f"{x}:Q",
        title=x_title,
        scale=alt_.Scale(type="log", nice=False) if log_x else alt_.Scale(zero=False),
        axis=alt_.Axis(format=x_format, grid=False),
    )
    y_scale = alt_.Scale(type="log") if log_y else alt_.Scale(zero=True)
    y_axis = alt_.Y(
        f"{y}:Q",
        title=y_title,
        scale=y_scale,
        axis=alt_.Axis(format=y_format, titleAngle=0, titleAlign="left", titleY=-10, titleX=0),
    )
    base = alt_.Chart(data)
    layers = []
    if band and f"{y}_low" in data:
        layers.append(
            base.mark_area(opacity=0.13).encode(
                x=x_axis,
                y=alt_.Y(f"{y}_low:Q", title=y_title, scale=y_scale),
                y2=f"{y}_high:Q",
                color=alt_.Color("platform:N", scale=colour, legend=None),
            )
        )
    tips = [
        alt_.Tooltip("platform:N"),
        alt_.Tooltip(f"{x}:Q", title=x_title, format=",.4~g"),
        alt_.Tooltip(f"{y}:Q", title=y_title, format=",.4~g"),
    ]
    if dash:
        kinds = list(dict.fromkeys(data[dash]))
        style = alt_.StrokeDash(
            f"{dash}:N",
            title=None,
            scale=alt_.Scale(domain=kinds, range=[[1, 0], [5, 4], [2, 2]][: len(kinds)]),
            legend=alt_.Legend(labelLimit=260, symbolType="stroke"),
        )
        detail = [alt_.Detail(f"{dash}:N")]
        tips.append(alt_.Tooltip(f"{dash}:N"))
    else:
        style = alt_.StrokeDash("platform:N", scale=dashes, legend=None)
        detail = []
    line = base.mark_line(point=alt_.OverlayMarkDef(size=22, filled=True)).encode(
        x=x_axis, y=y_axis, color=alt_.Color("platform:N", scale=colour, legend=None), strokeDash=style, tooltip=tips
    )
    layers.append(line.encode(detail=detail) if detail else line)
    solid = data if not dash else data[data[dash] == data[dash].iloc[0]]
    ends = tidy(_line_ends(solid, x, y, log_y))
    layers.append(
        alt_.Chart(ends)
        .mark_text(align="left", dx=7, fontSize=11, aria=False)
        .encode(
            x=f"{x}:Q",
            y=alt_.Y("label_y:Q", title=y_title, scale=y_scale),
            text="platform:N",
            color=alt_.Color("platform:N", scale=colour, legend=None),
        )
    )
    layers += _rules(alt_, rule_x, rule_y, rule_label)
    chart = alt_.layer(*layers)
    return _finish(chart, title, subtitle, description).properties(
        padding={"right": 96, "left": 5, "top": 5, "bottom": 5}
    )


def _rules(alt_: Any, rule_x: float | None, rule_y: float | None, label: str) -> list[Any]:
    out = []
    for value, axis in ((rule_x, "x"), (rule_y, "y")):
        if value is None:
            continue
        point = alt_.Chart({"values": [{"at": tidy(float(value)), "label": label}]})
        mark = point.mark_rule(strokeDash=[3, 3], color=GREY, aria=False)
        text = point.mark_text(align="left", dx=4, dy=-6 if axis == "y" else 0, fontSize=10.5, color=GREY, aria=False)
        if axis == "x":
            out += [mark.encode(x="at:Q"), text.encode(x="at:Q", y=alt_.value(8), text="label:N")]
        else:
            out += [mark.encode(y="at:Q"), text.encode(y="at:Q", x=alt_.value(4), text="label:N")]
    return out


def frontier_chart(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str,
    y: str = "total_tok_s_per_gpu",
    y_title: str = "total tok/s per GPU",
    limit_tok_s_per_user: float | None = None,
    description: str = "",
) -> alt.Chart:
    """Throughput per GPU against speed per user, one line per platform, with the target speed as a rule."""
    label = "" if limit_tok_s_per_user is None else f"target {limit_tok_s_per_user:.3g} tok/s/user"
    return assumption_lines(
        frame,
        "tok_s_per_user",
        y,
        title=title,
        subtitle=subtitle,
        x_title="tokens per second and user",
        y_title=y_title,
        log_y=True,
        log_x=True,
        rule_x=limit_tok_s_per_user,
        rule_label=label,
        description=description,
    )


def matrix(
    frame: pd.DataFrame,
    *,
    row: str,
    column: str,
    value: str,
    text: str,
    title: str,
    subtitle: str,
    description: str = "",
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> alt.Chart:
    """A grid of cells coloured by gain (blue) and loss (orange), each with its figure."""
    alt_ = _alt()
    keep = [c for c in dict.fromkeys([row, column, value, text, "detail"]) if c in frame]
    data = tidy(frame[keep])
    top = float(data[value].abs().max()) or 1.0
    base = alt_.Chart(data).encode(
        x=alt_.X(
            f"{column}:N",
            title=None,
            sort=list(columns) if columns else None,
            axis=alt_.Axis(orient="top", labelAngle=0, domain=False, ticks=False, labelLimit=130),
        ),
        y=alt_.Y(f"{row}:N", title=None, sort=list(rows) if rows else None, axis=alt_.Axis(domain=False, ticks=False)),
    )
    tips = [alt_.Tooltip(f"{row}:N"), alt_.Tooltip(f"{column}:N"), alt_.Tooltip(f"{text}:N", title="value")]
    if "detail" in data:
        tips.append(alt_.Tooltip("detail:N", title="why"))
    cells = base.mark_rect(stroke="#ffffff", strokeWidth=2).encode(
        color=alt_.Color(
            f"{value}:Q", scale=alt_.Scale(domain=[-top, 0, top], range=["#d98a64", "#f1f2f4", "#7fb0d6"]), legend=None
        ),
        tooltip=tips,
    )
    labels = base.mark_text(fontSize=11, color="#1c2026", aria=False).encode(text=f"{text}:N")
    height = 38 * max(int(data[row].nunique()), 1) + 20
    return _finish(alt_.layer(cells, labels), title, subtitle, description, height)


def waterfall(frame: pd.DataFrame, *, title: str, subtitle: str, unit: str, description: str = "") -> alt.Chart:
    """Parts that add up to a total: columns ``part``, ``value``; a last part named total is drawn from zero."""
    alt_ = _alt()
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
    data["label"] = [f"{v:,.3g}" for v in data["value"]]
    base = alt_.Chart(data).encode(
        x=alt_.X("part:N", sort=None, title=None, axis=alt_.Axis(labelAngle=-30, grid=False))
    )
    bars = base.mark_bar(size=26).encode(
        y=alt_.Y("start:Q", title=unit, axis=alt_.Axis(titleAngle=0, titleAlign="left", titleY=-10, titleX=0)),
        y2="end:Q",
        color=alt_.Color(
            "kind:N",
            scale=alt_.Scale(domain=["total", "adds", "takes off"], range=["#5c6470", ACCENT, BAD]),
            legend=None,
        ),
        tooltip=["part:N", alt_.Tooltip("value:Q", format=",.4~g", title=unit)],
    )
    text = base.mark_text(dy=-7, fontSize=11, aria=False).encode(y="end:Q", text="label:N")
    return _finish(alt_.layer(bars, text), title, subtitle, description)


def stacked_bars(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    part: str,
    title: str,
    subtitle: str,
    x_title: str,
    description: str = "",
    order: Sequence[str] | None = None,
) -> alt.Chart:
    """Horizontal bars made of parts, one bar per ``y``."""
    alt_ = _alt()
    data = tidy(frame[[x, y, part]])
    palette = ["#063c69", "#25a5a5", "#a28c21", "#8d71f9", "#9e411b", "#8b94a1", "#468360", "#4e0823"]
    chart = (
        alt_.Chart(data)
        .mark_bar(size=18)
        .encode(
            x=alt_.X(f"{x}:Q", title=x_title, stack="zero"),
            y=alt_.Y(f"{y}:N", title=None, sort=list(order) if order else None),
            color=alt_.Color(
                f"{part}:N",
                sort=None,
                title=None,
                scale=alt_.Scale(domain=list(dict.fromkeys(data[part])), range=palette),
            ),
            order=alt_.Order("rank:Q"),
            tooltip=[f"{y}:N", f"{part}:N", alt_.Tooltip(f"{x}:Q", title=x_title, format=",.4~g")],
        )
        .transform_calculate(rank=f"indexof({list(dict.fromkeys(data[part]))!r}, datum.{part})")
    )
    return _finish(chart, title, subtitle, description, 34 * max(int(data[y].nunique()), 1) + 20)


def scatter_measured(
    frame: pd.DataFrame,
    *,
    measured: str,
    predicted: str,
    colour: str,
    title: str,
    subtitle: str,
    unit: str,
    description: str = "",
) -> alt.Chart:
    """Held-out prediction against measurement on log axes, with the 1:1 line."""
    alt_ = _alt()
    data = tidy(frame[[measured, predicted, colour, "point_id"]].dropna(), 3)
    low, high = float(data[[measured, predicted]].min().min()), float(data[[measured, predicted]].max().max())
    scale = alt_.Scale(type="log", domain=[low * 0.8, high * 1.25], nice=False)
    line = (
        alt_.Chart({"values": [{"m": low, "p": low}, {"m": high, "p": high}]})
        .mark_line(color=GREY, strokeDash=[3, 3], strokeWidth=1, aria=False)
        .encode(x=alt_.X("m:Q", scale=scale), y=alt_.Y("p:Q", scale=scale))
    )
    groups = sorted(data[colour].unique())
    palette = ["#063c69", "#9e411b", "#25a5a5", "#a28c21", "#8d71f9"]
    points = (
        alt_.Chart(data)
        .mark_point(filled=True, size=26, opacity=0.65)
        .encode(
            x=alt_.X(f"{measured}:Q", scale=scale, title=f"measured, {unit}", axis=alt_.Axis(format="~s")),
            y=alt_.Y(f"{predicted}:Q", scale=scale, title=f"predicted, {unit}", axis=alt_.Axis(format="~s")),
            color=alt_.Color(f"{colour}:N", title=None, scale=alt_.Scale(domain=groups, range=palette[: len(groups)])),
            shape=alt_.Shape(f"{colour}:N", title=None),
            tooltip=[
                "point_id:N",
                f"{colour}:N",
                alt_.Tooltip(f"{measured}:Q", format=",.3~g"),
                alt_.Tooltip(f"{predicted}:Q", format=",.3~g"),
            ],
        )
    )
    return _finish(alt_.layer(line, points), title, subtitle, description, 380)


def ratio_chart(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    series: str,
    title: str,
    subtitle: str,
    x_title: str,
    y_title: str,
    claim: float | None = None,
    claim_label: str = "",
    description: str = "",
) -> alt.Chart:
    """A ratio over an operating point, on a log axis, with a claimed value drawn as a line and measured points if given.

    A column ``kind`` splits modelled lines from measured points (``measured``, ``interpolated``, ``second-hand``).
    """
    alt_ = _alt()
    keep = [c for c in dict.fromkeys([x, y, series, "kind", f"{y}_low", f"{y}_high"]) if c in frame]
    data = tidy(frame[keep].dropna(subset=[x, y]))
    if "kind" not in data:
        data["kind"] = "model"
    palette = ["#063c69", "#9e411b", "#25a5a5", "#a28c21", "#8d71f9", "#5c6470"]
    names = list(dict.fromkeys(data[series]))
    colour = alt_.Color(
        f"{series}:N", title=None, sort=None, scale=alt_.Scale(domain=names, range=palette[: len(names)])
    )
    xs = alt_.X(f"{x}:Q", title=x_title, axis=alt_.Axis(grid=False))
    ys = alt_.Y(
        f"{y}:Q",
        title=y_title,
        scale=alt_.Scale(type="log"),
        axis=alt_.Axis(titleAngle=0, titleAlign="left", titleY=-10, titleX=0),
    )
    tips = [
        alt_.Tooltip(f"{series}:N"),
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
                y=alt_.Y(f"{y}_low:Q", scale=alt_.Scale(type="log"), title=y_title),
                y2=f"{y}_high:Q",
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
    layers += _rules(alt_, None, claim, claim_label)
    return _finish(alt_.layer(*layers), title, subtitle, description)


def tornado(
    frame: pd.DataFrame, *, title: str, subtitle: str, unit: str, base: float, description: str = ""
) -> alt.Chart:
    """One bar per assumption from its low to its high end: columns ``assumption``, ``at_low``, ``at_high``."""
    alt_ = _alt()
    data = frame[["assumption", "at_low", "at_high"]].copy()
    long = tidy(data.melt("assumption", var_name="end", value_name="value"))
    long["base"] = tidy(float(base))
    long["end"] = long["end"].map({"at_low": "at its low end", "at_high": "at its high end"})
    bars = (
        alt_.Chart(long)
        .mark_bar(size=15)
        .encode(
            y=alt_.Y("assumption:N", sort=list(data["assumption"]), title=None, axis=alt_.Axis(labelLimit=230)),
            x=alt_.X("base:Q", title=unit),
            x2="value:Q",
            color=alt_.Color(
                "end:N",
                title=None,
                scale=alt_.Scale(domain=["at its low end", "at its high end"], range=["#8b94a1", ACCENT]),
            ),
            tooltip=["assumption:N", "end:N", alt_.Tooltip("value:Q", title=unit, format=",.4~g")],
        )
    )
    rule = alt_.Chart({"values": [{"base": tidy(float(base))}]}).mark_rule(color=GREY, aria=False).encode(x="base:Q")
    return _finish(alt_.layer(bars, rule), title, subtitle, description, 28 * max(len(data), 1) + 30)
