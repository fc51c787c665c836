"""Charts of the power, cost and revenue pages that the general builders do not draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rackecon.figures.base import (
    altair_module,
    axis_words,
    finish,
    log_ticks,
    named_lines,
    nothing_drawn,
    round_below,
    rules,
)
from rackecon.figures.lines import run_shapes, run_words
from rackecon.figures.theme import platform_colours
from rackecon.lazy import pd
from rackecon.words import tidy

if TYPE_CHECKING:
    import altair as alt

ROW = 40
KIND = 13  # px of height a mark has to itself
CROWD = 3  # kinds up to which marks are large
UNIT_LABEL = "split(replace(datum.label, /physical |provisioned |equal-power |invested /, ''), ' ')"
"""A unit without its qualifier, a word a line, so that five stand side by side on a phone."""


def _colour(alt_: Any, frame: pd.DataFrame) -> Any:
    """Platform colour with a fixed domain, so that a missing platform moves nobody's colour."""
    pairs = frame[["accelerator", "platform"]].drop_duplicates("platform")
    scale = alt_.Scale(domain=list(pairs["platform"]), range=platform_colours(list(pairs["accelerator"])))
    return alt_.Color("platform:N", scale=scale, legend=None)


def marks_by_platform(
    frame: pd.DataFrame,
    value: str,
    kind: str,
    *,
    title: str,
    subtitle: str,
    x_title: str,
    kind_title: str,
    order: Sequence[str] | None = None,
    log_x: bool = False,
    x_format: str = "~s",
    line: str = "nine measurements in ten",
    rule: tuple[float, str] | None = None,
) -> alt.Chart:
    """One row per platform with one mark per kind (a basis, a vintage, a limit), told apart by shape and height, so that none hides another.

    Parameters
    ----------
    frame : pandas.DataFrame
        Long: ``accelerator, platform``, the value and the kind; rows without a value are left out. ``value_low`` and
        ``value_high`` draw a line, ``value_measured`` with ``run`` a plus or cross, and the key says so.
    value, kind : str
        Columns.
    title, subtitle, x_title, kind_title : str
        Finding; measure, unit and basis; axis; legend.
    order : sequence of str, optional
        Platforms from the top; by the first kind's value otherwise.
    log_x : bool
        For ratios and costs over decades; a zero line otherwise.
    x_format : str
        d3 format of the axis.
    line : str
        What a line spans, in the key.
    rule : tuple, optional
        Value of an upright line and its word.
    """
    alt_ = altair_module()
    spans, measured = [f"{value}_low", f"{value}_high"], f"{value}_measured"
    more = [name for name in (*spans, measured, "run", "run_date") if name in frame and name != kind]
    data = tidy(frame[["accelerator", "platform", kind, value, *more]].dropna(subset=[value]))
    if data.empty:
        return nothing_drawn(title)
    kinds = list(dict.fromkeys(data[kind]))
    if order is None:
        first = data[data[kind] == kinds[0]].sort_values(value, ascending=False, kind="stable") if kinds else data
        order = list(dict.fromkeys([*first["platform"], *data["platform"]]))
    ends = (round_below(float(data[value].min())), float(data[value].max())) if log_x else (0.0, 1.0)
    scale = (
        alt_.Scale(type="log", nice=False, domain=tidy([0.95 * ends[0], 1.1 * ends[1]]))
        if log_x
        else alt_.Scale(zero=True)
    )
    y = alt_.Y("platform:N", sort=list(order), title=None, axis=alt_.Axis(grid=True, **named_lines()))
    base = alt_.Chart(data).encode(y=y, yOffset=alt_.YOffset(f"{kind}:N", sort=kinds), color=_colour(alt_, data))
    ticks = log_ticks(*ends) if log_x else {}
    x = alt_.X(f"{value}:Q", title=x_title, scale=scale, axis=alt_.Axis(labelExpr=axis_words(x_format), **ticks))
    layers = [
        base.mark_point(
            filled=True, size=105 if measured not in data and len(kinds) <= CROWD else 60, opacity=1
        ).encode(
            x=x,
            shape=alt_.Shape(f"{kind}:N", sort=kinds, title=kind_title, legend=alt_.Legend(labelLimit=260, columns=2)),
            tooltip=[
                alt_.Tooltip("platform:N"),
                alt_.Tooltip(f"{kind}:N"),
                alt_.Tooltip(f"{value}:Q", title=x_title, format=",.4~g"),
            ],
        )
    ]
    key: list[str] = []
    if set(spans) <= set(data):
        layers.insert(
            0,
            base.mark_rule(strokeWidth=1.6, aria=False).encode(
                x=alt_.X(f"{spans[0]}:Q", title=x_title), x2=alt_.X2(f"{spans[1]}:Q")
            ),
        )
        key.append(f"line: {line}")
    runs = data.dropna(subset=[measured]) if measured in data else data.iloc[:0]
    if len(runs):
        marks = base.mark_point(size=44, filled=False, strokeWidth=1.8).properties(data=runs)
        layers.append(marks.encode(x=alt_.X(f"{measured}:Q", title=x_title), shape=run_shapes(alt_, runs)))
        key.append(run_words(runs, measured))
    layers += rules(alt_, rule[0], None, rule[1]) if rule else []
    chart = alt_.layer(*layers).resolve_scale(shape="independent")
    return finish(chart, title, subtitle, height=max(ROW, KIND * len(kinds)) * max(len(order), 2), key=key)


def rank_lines(ranks: pd.DataFrame, *, title: str, subtitle: str) -> alt.Chart:
    """Rank of each platform by unit, one line per platform across the units, named at its right end.

    Parameters
    ----------
    ranks : pandas.DataFrame
        From :func:`rackecon.appraisal.site_limits.unit_ranks`, one model and scenario.
    """
    alt_ = altair_module()
    known = ranks[ranks["rank"] > 0]
    data = tidy(known[["accelerator", "platform", "unit", "rank", "value"]])
    if data.empty:
        return nothing_drawn(title)
    units = list(dict.fromkeys(data["unit"]))
    x = alt_.X("unit:N", sort=units, title=None, axis=alt_.Axis(labelAngle=0, labelExpr=UNIT_LABEL))
    places = list(range(1, int(data["rank"].max() if len(data) else 1) + 1))
    scale = alt_.Scale(domain=[places[-1] + 0.4, 0.6], nice=False)
    y = alt_.Y("rank:Q", scale=scale, title="rank", axis=alt_.Axis(values=places, format="d", grid=False))
    base = alt_.Chart(data).encode(x=x, y=y, color=_colour(alt_, data))
    lines = base.mark_line()
    tips = [
        alt_.Tooltip("platform:N"),
        alt_.Tooltip("unit:N"),
        alt_.Tooltip("rank:Q"),
        alt_.Tooltip("value:Q", title="profit, USD a year", format=",.4~g"),
    ]
    marks = base.mark_point(filled=True, size=90).encode(tooltip=tips)
    ends = data[data["unit"] == units[-1]] if units else data
    names = alt_.Chart(ends).mark_text(align="left", dx=9, aria=False).encode(x=x, y=y, text=alt_.Text("platform:N"))
    chart = finish(alt_.layer(lines, marks, names), title, subtitle, height=280)
    out: alt.Chart = chart.properties(padding={"right": 24, "left": 5, "top": 5, "bottom": 5})
    return out


def cost_curve(
    curve: pd.DataFrame, levels: Mapping[str, float], *, title: str, subtitle: str, x_title: str
) -> alt.Chart:
    """Price that each platform needs, cheapest on top, with its interval; price levels as dashed rules.

    Parameters
    ----------
    curve : pandas.DataFrame
        From :func:`rackecon.market.levels.entrant_table`.
    levels : mapping
        Name of a price level to its price [USD/Mtok].
    """
    alt_ = altair_module()
    value, low, high = "price_usd_per_mtok", "price_usd_per_mtok_low", "price_usd_per_mtok_high"
    data = tidy(curve[["accelerator", "platform", "rent_usd_per_gpu_hour", value, low, high]])
    order = list(data["platform"])
    ends = [data[low].min(), data[high].max(), *levels.values()]
    scale = alt_.Scale(type="log", domain=[min(ends) / 1.3, max(ends) * 1.3], nice=False)
    y = alt_.Y("platform:N", sort=order, title=None, axis=alt_.Axis(**named_lines()))
    base = alt_.Chart(data)
    interval = base.mark_rule(strokeWidth=2).encode(
        y=y,
        x=alt_.X(
            f"{low}:Q",
            scale=scale,
            title=x_title,
            axis=alt_.Axis(labelExpr=axis_words("$~g"), **log_ticks(*scale.domain)),
        ),
        x2=alt_.X2(f"{high}:Q"),
        color=_colour(alt_, data),
    )
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(
        y=y,
        x=alt_.X(f"{value}:Q", scale=scale),
        color=_colour(alt_, data),
        tooltip=[
            alt_.Tooltip("platform:N"),
            alt_.Tooltip("rent_usd_per_gpu_hour:Q", title="rent, USD/GPU-hour", format=".2f"),
            alt_.Tooltip(f"{value}:Q", title="USD per million total tokens", format=".3g"),
            alt_.Tooltip(f"{low}:Q", title="low", format=".3g"),
            alt_.Tooltip(f"{high}:Q", title="high", format=".3g"),
        ],
    )
    # above the frame, clear of the marks, a step up each: on a narrow screen neighbours would write over one another
    named = enumerate(levels.items())
    marks = [one for nth, (name, price) in named for one in rules(alt_, price, None, name, top=-8.0 - 13.0 * nth)]
    return finish(alt_.layer(interval, dots, *marks), title, subtitle, height=44 * len(order) + 40)
