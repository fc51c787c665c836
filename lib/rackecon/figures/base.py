"""What every chart builder shares: finish, platform colours, rules, axes whose figures are read as the prose writes them."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rackecon.figures.display import enable, note
from rackecon.figures.theme import GREY, platform_colours
from rackecon.lazy import pd
from rackecon.words import tidy

if TYPE_CHECKING:
    import altair as alt

HEIGHT = 300


def altair_module() -> Any:
    """Altair with the offline renderer and the theme on."""
    import altair

    enable()
    return altair


def finish(chart: Any, title: str, subtitle: str, height: int = HEIGHT, key: Iterable[str] = ()) -> alt.Chart:
    """The chart with finding, measure and text alternative, as wide as its column.

    ``key`` says what bands and marks are: the subtitle's second line, which a page sets under the chart.
    """
    told = ". ".join(f"{part[0].upper()}{part[1:]}" for part in key)
    lines = [subtitle, told] if told else [subtitle]
    out: Any = chart.properties(
        width="container",
        height=height,
        title={"text": title, "subtitle": lines if told else subtitle},
        description=". ".join([title, *lines]),
    ).configure_view(stroke=None)
    return out


def nothing_drawn(title: str) -> Any:
    """What stands in a chart's place where no row has a figure to draw: its finding, and that there is no figure.

    Examples
    --------
    >>> nothing_drawn("Nobody serves this workload")
    Nobody serves this workload: there is nothing to draw.
    """
    return note(f"{title}: there is nothing to draw.")


def platform_scale(alt_: Any, frame: pd.DataFrame) -> Any:
    """Colour of each platform, the same on every page whoever else is drawn; dashes say what was not measured."""
    pairs = frame[["platform", "accelerator"]].drop_duplicates()
    names, ids = pairs["platform"].tolist(), pairs["accelerator"].tolist()
    return alt_.Scale(domain=names, range=platform_colours(ids))


def axis_words(form: str) -> str:
    """Axis labels by a d3 format, as the prose writes them: 0.2 and not 200m, 2bn and not 2G; ``month`` reads 2026.5 as 2026-07.

    Examples
    --------
    >>> axis_words(".0%") == "replace(format(datum.value, '.0%'), '%', '\u00a0%')"
    True
    >>> axis_words("$~s")
    "datum.label === '' ? '' : replace(abs(datum.value) < 1 ? format(datum.value, '$~g') : format(datum.value, '$~s'), 'G', 'bn')"
    """
    if form == "month":
        month = "1 + round(12 * (datum.value - floor(datum.value)))"
        return f"format(floor(datum.value), 'd') + '-' + format({month}, '02d')"
    if form.endswith("%"):
        return f"replace(format(datum.value, '{form}'), '%', '\u00a0%')"
    small = form.replace("~s", "~g")
    return (
        f"datum.label === '' ? '' : replace(abs(datum.value) < 1 ? format(datum.value, '{small}')"
        f" : format(datum.value, '{form}'), 'G', 'bn')"
    )


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Axis settings of a log axis between two ends: ticks at 1, 2 and 5 of each decade, at 3 too on a short one; over three decades at each alone.

    What Vega would label of such an axis is uneven: 20k, 10k, 2k, 1k.

    Examples
    --------
    >>> log_ticks(80.0, 3e3)["values"]
    [100.0, 200.0, 500.0, 1000.0, 2000.0]
    >>> log_ticks(0.5, 2e4)["values"]
    [1.0, 10.0, 100.0, 1000.0, 10000.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = math.log10(high / low)
    steps = (1.0,) if decades > 3.0 else (1.0, 2.0, 5.0) if decades > 1.3 else (1.0, 2.0, 3.0, 5.0)
    known = [tidy(step * 10.0**k) for k in range(first, last + 1) for step in steps]
    # a count beyond theirs: Vega leaves out labels of a log axis that has fewer
    return {"values": [value for value in known if low <= value <= high], "tickCount": 100}


def round_below(value: float) -> float:
    """The round figure (1, 2 or 5 of its decade) at or below a value: where a log axis begins so that its first mark has a tick to its left.

    Examples
    --------
    >>> round_below(1.17), round_below(0.04), round_below(50.0)
    (1.0, 0.02, 50.0)
    """
    decade = 10.0 ** math.floor(math.log10(value))
    return float(tidy(max(step for step in (1.0, 2.0, 5.0) if step * decade <= value * (1.0 + 1e-9)) * decade))


def in_lines(words: Iterable[str], width: int = 28) -> dict[str, Any]:
    """Axis settings under which names longer than a width stand in lines of about one length: a chart keeps its own on a phone.

    Examples
    --------
    >>> in_lines(["own building, not retail"], 16)["labelExpr"]
    '{"own building, not retail": ["own building,", "not retail"]}[datum.label]'
    """
    lines = {}
    for word in map(str, words):
        most = len(textwrap.wrap(word, width))
        even = next(
            (
                cut
                for n in range(1, width)
                if len(cut := textwrap.wrap(word, n)) <= most and max(map(len, cut)) <= width
            ),
            [word],
        )
        lines[word] = even
    return {"labelExpr": f"{json.dumps(lines, ensure_ascii=False)}[datum.label]", "labelLineHeight": 11}


def named_lines() -> dict[str, Any]:
    """Axis settings under which what stands in brackets behind a platform's name has a line of its own.

    Examples
    --------
    >>> named_lines()["labelExpr"]
    "split(replace(datum.label, ' (', '|('), '|')"
    """
    return {"labelExpr": "split(replace(datum.label, ' (', '|('), '|')", "labelLineHeight": 11}


def top_title(alt_: Any, **given: Any) -> Any:
    """A vertical axis with its unit written level, above its top."""
    return alt_.Axis(titleAngle=0, titleAlign="left", titleY=-10, titleX=0, **given)


def rules(
    alt_: Any, rule_x: float | None, rule_y: float | None, label: str, top: float = 8.0, *, left: bool = False
) -> list[Any]:
    """Dashed lines at a value of either axis, with a word; that of an upright one stands ``top`` pixels below the frame.

    That of a level one stands at the right, or at the ``left`` where lines and marks rise towards it.
    """
    out = []
    for value, axis in ((rule_x, "x"), (rule_y, "y")):
        if value is None:
            continue
        point = alt_.Chart({"values": [{"at": tidy(float(value)), "label": label}]})
        mark = point.mark_rule(strokeDash=[3, 3], color=GREY, aria=False)
        word = {"fontSize": 11, "color": "#59616d", "aria": False}
        if axis == "x":
            text = point.mark_text(align="left", dx=4, **word)
            out += [
                mark.encode(x=alt_.X("at:Q")),
                text.encode(x=alt_.X("at:Q"), y=alt_.YValue(top), text=alt_.Text("label:N")),
            ]
        else:  # at the right, where lines and marks lie farther apart
            text = point.mark_text(align="left" if left else "right", dx=4 if left else -4, dy=-6, **word)
            at = alt_.XValue(0 if left else "width")
            out += [mark.encode(y=alt_.Y("at:Q")), text.encode(y=alt_.Y("at:Q"), x=at, text=alt_.Text("label:N"))]
    return out
