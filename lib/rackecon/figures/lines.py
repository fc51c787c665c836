"""One line per platform over an assumption, each named at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon.figures.base import (
    HEIGHT,
    altair_module,
    axis_words,
    finish,
    log_ticks,
    nothing_drawn,
    platform_scale,
    rules,
    top_title,
)
from rackecon.lazy import pd
from rackecon.words import RUNS, STRETCHES, join_words, tidy

if TYPE_CHECKING:
    import altair as alt

CROSSES: Final = ("M-1,0L1,0M0,-1L0,1", "M-.8,-.8L.8,.8M.8,-.8L-.8,.8", "circle")
"""Marks of the kinds of measured runs: a plus, a cross, a ring."""
APART: Final = ": lines show the best layout, format and software, which few runs had"
"""Why measured runs lie outside the model's interval: what a line is and a mark is not. A page says it once."""
GAP: Final = 14.0 / HEIGHT
"""Least distance between two line ends' names, as a share of the axis."""
STEPS: Final = 8
"""Points of a walk up to which a log axis names each of them."""


def _log(values: Any) -> Any:
    return np.log(np.maximum(np.asarray(values, dtype=float), 1e-12))


def _domain(frame: pd.DataFrame, columns: list[str], log: bool, more: float | None) -> tuple[float, float]:
    """Ends of the vertical axis: zero counts unless it is logarithmic, and a little room above."""
    seen = frame[[c for c in columns if c in frame]].to_numpy(dtype=float)
    seen = seen[np.isfinite(seen) & (seen > 0 if log else True)]
    values = [*seen.tolist(), *([] if more is None else [more])]
    if not values:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = min(values), max(values)
    if log:
        low, high = low / 1.25, high * 1.25
        if high / low < 10:  # a decade at least, so that two or more round figures stand on the axis
            middle = (high * low) ** 0.5
            low, high = middle / 10**0.5, middle * 10**0.5
        return low, high
    low, high = min(0.0, low), max(0.0, high)
    room = 0.04 * ((high - low) or 1.0)
    return (low - room if low < 0 else low), high + room


def spread(values: Any, gap: float, bottom: float, top: float) -> Any:
    """Heights pushed apart to a least distance, in their order and each as near its own as that allows, none outside.

    Neighbours too close share the mean of where each would push the others: least squares under a given order (Ayer et al., 1955).

    Examples
    --------
    >>> spread([1.0, 1.2, 5.0], 1.0, 0.0, 5.0).tolist(), spread([0.1, 0.1], 1.0, 0.0, 5.0).tolist()
    ([0.6, 1.6, 5.0], [0.0, 1.0])
    """
    heights = np.asarray(values, dtype=float)
    order, steps = np.argsort(heights, kind="stable"), gap * np.arange(len(heights))
    runs: list[tuple[float, int]] = []
    for height in heights[order] - steps:
        level, n = float(height), 1
        while runs and runs[-1][0] > level:
            other, more = runs.pop()
            level, n = (level * n + other * more) / (n + more), n + more
        runs.append((level, n))
    placed = np.empty_like(heights)
    levels = np.repeat([level for level, _ in runs], [n for _, n in runs])
    placed[order] = np.minimum(top - gap * (len(heights) - 1), np.maximum(bottom, levels)) + steps
    return placed


def _line_ends(frame: pd.DataFrame, x: str, y: str, domain: tuple[float, float], log_y: bool) -> pd.DataFrame:
    """Each line's right end with the place of its name in a column at the right, names pushed apart, none outside."""
    ends = frame.sort_values(x, kind="stable").groupby("platform", as_index=False, sort=False).last()
    scale = _log if log_y else (lambda v: np.asarray(v, dtype=float))
    bottom, top = (float(v) for v in scale(domain))
    placed = spread(scale(ends[y]), GAP * (top - bottom), bottom, top)
    ends["label_y"] = np.exp(placed) if log_y else placed
    ends["label_x"] = float(frame[x].max())
    return ends


def _ticks(values: pd.Series, x_format: str, log: bool) -> dict[str, Any]:
    """Ticks of a time axis at the starts of quarters, so that no month is rounded, and of a log axis at a short walk's steps or at round figures."""
    if log and 1 < values.nunique() <= STEPS:
        return {"values": sorted(set(values.tolist())), "tickCount": STEPS}
    if log:
        return log_ticks(float(values.min()), float(values.max()))
    if x_format != "month" or values.empty:
        return {}
    first, last = np.ceil(4.0 * float(values.min())), np.floor(4.0 * float(values.max()))
    return {"values": (np.arange(first, last + 1.0) / 4.0).tolist()}


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
    stretches: tuple[str, ...] = (),
    y_format: str = "~s",
    x_format: str = "~s",
    far: str = APART,
) -> alt.Chart:
    """One line per platform over an assumption, named at its end; a hair line joins the end to its name.

    A frame of :func:`rackecon.walks.findings.drawn` draws what lies beyond measurements dashed, a band for the platforms
    ahead at the ends and a cross for each measured run, and its key says so.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``accelerator``, ``platform``, the two columns, ``y_low`` and ``y_high`` where ``band``; ``dash`` names a column whose
        values draw solid and dashed lines, of which each platform has several, or which are ``stretches`` of one, the solid first;
        in a frame with stretches of its own they are told apart by strength.
    x, y : str
        Columns.
    x_format, y_format : str
        d3 formats of the axes; ``month`` for a year with a fraction.
    far : str
        Why measured runs lie outside the model's interval; without a word nothing is said of them.
    """
    kept, key = (dash if "stretch" in frame else None), []
    if "stretch" in frame:
        band, dash, stretches, key = True, "evidence", STRETCHES, _key(frame, x, y, kept, far)
    keep = ["accelerator", "platform", x, y, dash, kept, f"{y}_low", f"{y}_high", f"{y}_measured", "run", "stretch"]
    data = tidy(frame[[c for c in dict.fromkeys(keep) if c and c in frame]].dropna(subset=[x, y]))
    if data.empty:
        return nothing_drawn(title)
    alt_ = altair_module()
    domain = _domain(data, [y, f"{y}_measured", *([f"{y}_low", f"{y}_high"] if band else [])], log_y, rule_y)
    plot = _Plot(
        data=data,
        x=x,
        y=y,
        x_title=x_title,
        y_title=y_title,
        x_axis=_x_axis(alt_, data[x], x, x_title, x_format, log_x),
        y_scale=alt_.Scale(type="log" if log_y else "linear", domain=tidy(list(domain)), nice=False),
        y_axis=top_title(alt_, labelExpr=axis_words(y_format), **(log_ticks(*domain) if log_y else {})),
        colour=alt_.Color("platform:N", scale=platform_scale(alt_, data), legend=None),
    )
    # stretches of one line end where the line does; of several lines of a platform the first is named
    several = kept or (dash if not stretches else None)
    named_part = data[data[several] == data[several].iloc[0]] if several else data
    ends = tidy(_line_ends(named_part, x, y, domain, log_y)[["platform", x, y, "label_x", "label_y"]])
    layers = [
        *(_bands(alt_, plot) if band else []),
        *_lines(alt_, plot, dash, stretches, kept),
        *_runs(alt_, plot),
        *_names(alt_, plot, ends),
        *rules(alt_, rule_x, rule_y, rule_label),
    ]
    return finish(alt_.layer(*layers), title, subtitle, key=key)


@dataclass(frozen=True)
class _Plot:
    """Rows that are drawn, the columns of their axes, and the encodings that all layers share."""

    data: pd.DataFrame
    x: str
    y: str
    x_title: str
    y_title: str
    x_axis: Any
    y_scale: Any
    y_axis: Any
    colour: Any


def _x_axis(alt_: Any, values: pd.Series, x: str, x_title: str, x_format: str, log: bool) -> Any:
    words = {"grid": False, "labelFlush": True, "labelSeparation": 6, **_ticks(values, x_format, log)}
    scale = alt_.Scale(type="log", nice=False) if log else alt_.Scale(zero=False, nice=False)
    return alt_.X(f"{x}:Q", title=x_title, scale=scale, axis=alt_.Axis(labelExpr=axis_words(x_format), **words))


def _bands(alt_: Any, plot: _Plot) -> list[Any]:
    """Nine measurements in ten, where they are known."""
    held = _kept(plot.data, plot.x, f"{plot.y}_low", f"{plot.y}_high")
    low = alt_.Y(f"{plot.y}_low:Q", title=plot.y_title, scale=plot.y_scale)
    area = alt_.Chart(held).mark_area(opacity=0.13)
    return [area.encode(x=plot.x_axis, y=low, y2=alt_.Y2(f"{plot.y}_high:Q"), color=plot.colour)] if len(held) else []


def _lines(alt_: Any, plot: _Plot, dash: str | None, stretches: tuple[str, ...], kept: str | None) -> list[Any]:
    """The lines, dashed by the kinds of ``dash`` and, in a frame with stretches of its own, as strong as ``kept`` says."""
    tips = [
        alt_.Tooltip("platform:N"),
        alt_.Tooltip(f"{plot.x}:Q", title=plot.x_title, format=",.4~g"),
        alt_.Tooltip(f"{plot.y}:Q", title=plot.y_title, format=",.4~g"),
    ]
    style, detail = alt_.StrokeDashValue([1, 0]), []
    if dash:
        style = _dashes(alt_, list(stretches or dict.fromkeys(plot.data[dash])), dash, set(plot.data[dash]))
        detail = [alt_.Detail(f"{'stretch' if 'stretch' in plot.data else dash}:N")]
        tips.append(alt_.Tooltip(f"{dash}:N"))
    place = {"x": plot.x_axis, "y": alt_.Y(f"{plot.y}:Q", title=plot.y_title, scale=plot.y_scale, axis=plot.y_axis)}
    base, dots = alt_.Chart(plot.data), alt_.OverlayMarkDef(size=22, filled=True)
    line = base.mark_line(point=not kept and dots).encode(**place, color=plot.colour, strokeDash=style, tooltip=tips)
    layers = []
    if kept:  # the strength of a line is its size, which its dots would share
        strength = alt_.Scale(domain=list(dict.fromkeys(plot.data[kept])), range=[2.6, 1.0])
        line = line.encode(size=alt_.Size(f"{kept}:O", scale=strength, legend=None))
        detail.append(alt_.Detail(f"{kept}:N"))
        layers.append(base.mark_point(size=22, filled=True, opacity=1).encode(**place, color=plot.colour))
    return [*layers, line.encode(detail=detail) if detail else line]


def _dashes(alt_: Any, kinds: list[str], dash: str, drawn: set[str]) -> Any:
    """Solid, dashed and dotted for kinds in turn, with a legend of those that are drawn."""
    legend = {"labelLimit": 260, "symbolType": "stroke", "symbolStrokeColor": "#59616d", "offset": 30}
    return alt_.StrokeDash(
        f"{dash}:N",
        title=None,
        scale=alt_.Scale(domain=kinds, range=[[1, 0], [5, 4], [2, 2]][: len(kinds)]),
        legend=alt_.Legend(**legend, values=[kind for kind in kinds if kind in drawn]),
    )


def _runs(alt_: Any, plot: _Plot) -> list[Any]:
    """A mark for each measured run."""
    runs = _kept(plot.data, plot.x, f"{plot.y}_measured")
    if runs.empty:
        return []
    crosses = alt_.Chart(runs).mark_point(size=44, filled=False, strokeWidth=1.8)
    at = alt_.Y(f"{plot.y}_measured:Q", title=plot.y_title, scale=plot.y_scale)
    return [crosses.encode(x=plot.x_axis, y=at, color=plot.colour, shape=run_shapes(alt_, runs))]


def _names(alt_: Any, plot: _Plot, ends: pd.DataFrame) -> list[Any]:
    """A name at the end of each line, with a swatch and the hair line that joins them."""
    tail, at = alt_.Chart(ends), alt_.Y("label_y:Q", title=plot.y_title, scale=plot.y_scale)
    hair = tail.mark_rule(x2Offset=12, strokeWidth=1, aria=False)
    swatch = tail.mark_point(xOffset=15, shape="square", size=36, filled=True, opacity=1, aria=False)
    name = tail.mark_text(align="left", dx=21, fontSize=11, aria=False)
    end = alt_.Y(f"{plot.y}:Q", scale=plot.y_scale)
    return [
        hair.encode(x=alt_.X(f"{plot.x}:Q"), x2=alt_.X2("label_x"), y=end, y2=alt_.Y2("label_y"), color=plot.colour),
        swatch.encode(x=alt_.X("label_x:Q"), y=at, color=plot.colour),
        name.encode(x=alt_.X("label_x:Q"), y=at, text=alt_.Text("platform:N")),
    ]


def _kept(data: pd.DataFrame, x: str, *columns: str) -> pd.DataFrame:
    """Rows of which some columns are known, once a platform and place; none where there are no such columns."""
    known = data.dropna(subset=list(columns)) if set(columns) <= set(data) else data.iloc[:0]
    return known.drop_duplicates(["platform", x])


def run_shapes(alt_: Any, runs: pd.DataFrame) -> Any:
    """Marks of measured runs, by whether they drafted, with a legend of the kinds that there are."""
    if "run" not in runs:
        return alt_.ShapeValue(CROSSES[0])
    drawn = [kind for kind in RUNS if kind in set(runs["run"])]
    scale = alt_.Scale(domain=drawn, range=[CROSSES[RUNS.index(kind)] for kind in drawn])
    legend = alt_.Legend(symbolStrokeColor="#59616d", symbolFillColor="transparent", symbolStrokeWidth=1.8, offset=30)
    return alt_.Shape("run:N", title=None, scale=scale, legend=legend)


def _key(frame: pd.DataFrame, x: str, y: str, kept: str | None, far: str) -> list[str]:
    """What strengths, bands and crosses are, as far as there are any."""
    bands, runs = (name in frame and bool(frame[name].notna().any()) for name in (f"{y}_low", f"{y}_measured"))
    told = (
        ["; ".join(f"{how} {kind}" for how, kind in zip(("strong:", "thin:"), frame[kept].unique(), strict=False))]
        if kept
        else []
    )
    told += [band_words(frame, f"{y}_low")] if bands else []
    told += [run_words(frame, f"{y}_measured")] if runs else []
    return told + (outside_words(frame.dropna(subset=[f"{y}_measured"]), x, far) if runs and far else [])


def band_words(frame: pd.DataFrame, low: str) -> str:
    """Whose bands are drawn, and what they are.

    Examples
    --------
    >>> import pandas as pd
    >>> band_words(pd.DataFrame({"platform": ["A", "B", "C"], "low": [1.0, float("nan"), 2.0]}), "low")
    'bands: nine measurements in ten of A and C'
    """
    names = list(dict.fromkeys(frame.loc[frame[low].notna(), "platform"]))
    return f"{'bands' if len(names) > 1 else 'band'}: nine measurements in ten of {join_words(names)}"


def outside_words(runs: pd.DataFrame, x: str, far: str = APART) -> list[str]:
    """How many marks lie outside the model's interval, where some do, and why.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"platform": ["A", "B", "B"], "x": [1.0, 1.0, 1.0], "outside": [False, True, True]})
    >>> outside_words(rows, "x")
    ['1 of 2 marks lie outside nine in ten: lines show the best layout, format and software, which few runs had']
    >>> outside_words(rows.assign(outside=False), "x")
    []
    """
    marks = runs.drop_duplicates(["platform", x])
    out = int(marks["outside"].sum()) if "outside" in marks else 0
    return [f"{out} of {len(marks)} marks lie outside nine in ten{far}"] if out else []


def run_words(frame: pd.DataFrame, measured: str) -> str:
    """What the marks of measured runs stand for, and from when they are.

    Examples
    --------
    >>> import pandas as pd
    >>> run_words(pd.DataFrame({"y": [1.0, 2.0], "run_date": ["2026-01-09", "2025-10-02"]}), "y")
    'measured: at the best public rate, software of 2025-10 to 2026-01'
    """
    dates = sorted(date[:7] for date in frame.loc[frame[measured].notna(), "run_date"]) if "run_date" in frame else []
    when = "" if not dates else f", software of {dates[0]}" + (f" to {dates[-1]}" if dates[-1] != dates[0] else "")
    return f"measured: at the best public rate{when}"


def frontier_chart(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str,
    limit_tok_s_per_user: float | None = None,
) -> alt.Chart:
    """Throughput per GPU against speed per user, one line per platform, with the target speed as a rule.

    The fronts of :func:`rackecon.walks.findings.drawn` bring their stretches, bands and measured runs.
    """
    label = "" if limit_tok_s_per_user is None else f"target {limit_tok_s_per_user:.3g} tok/s/user"
    return assumption_lines(
        frame,
        "tok_s_per_user",
        "total_tok_s_per_gpu",
        title=title,
        subtitle=subtitle,
        x_title="tokens per second and user",
        y_title="total tok/s per GPU",
        log_y=True,
        log_x=True,
        rule_x=limit_tok_s_per_user,
        rule_label=label,
    )
