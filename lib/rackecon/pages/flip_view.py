"""The map of who leads over the two inputs that decide between a pair, with its finding as the title."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rackecon.figures.base import altair_module, finish, top_title
from rackecon.figures.theme import platform_colours
from rackecon.pages.sentences import say
from rackecon.pages.uncertainty_page import named
from rackecon.uncertainty.distributions import distributions
from rackecon.words import tidy

if TYPE_CHECKING:
    from collections.abc import Callable

    import altair as alt
    import pandas as pd

    from rackecon.uncertainty.sensitivity import FlipMap

PAGE: Final = "12_uncertainty"


def flip_title(found: FlipMap, names: dict[str, str]) -> str:
    """How much of the map each of the two leads on.

    A map that one leads on throughout says so.
    """
    share = found.table["leader"].value_counts(normalize=True, sort=False).sort_values(ascending=False, kind="stable")
    return say(PAGE, "flip_title", parts=[(named(names, str(key)), float(part)) for key, part in share.items()])


def _axis(name: str, platform: str) -> str:
    item = distributions()[name]
    who = f" of {platform}" if item.scope in ("cell", "platform") else ""
    unit = {"evidence": "% off the model", "listings": "USD per million output tokens"}.get(item.form, item.unit)
    return f"{item.label}{who}, {unit}".replace(", -", "")


def _in_units(values: pd.Series[float], name: str, worth: Callable[[str, float], float]) -> list[float]:
    """Values of an input as its axis has them."""
    times = 100.0 if distributions()[name].form == "evidence" else 1.0
    known = {x: tidy(times * worth(name, float(x)), 3) for x in values.unique()}
    return [known[x] for x in values]


def flip_chart(
    found: FlipMap,
    names: dict[str, str],
    leader: str,
    worth: Callable[[str, float], float],
    *,
    title: str,
    subtitle: str,
) -> alt.Chart:
    """Who leads over two inputs: coloured cells, a line where the lead changes.

    ``worth`` gives the value of an input at a score, as :func:`rackecon.uncertainty.pairs.natural` does for a cell.
    """
    alt_ = altair_module()
    table = found.table.assign(
        x=_in_units(found.table["x"], found.x_input, worth), y=_in_units(found.table["y"], found.y_input, worth)
    )
    cells = tidy(table.assign(platform=[named(names, key) for key in table["leader"]]))
    keys = list(dict.fromkeys(found.table["leader"]))
    scale = alt_.Scale(domain=[named(names, k) for k in keys], range=platform_colours(keys))
    x_title, y_title = _axis(found.x_input, named(names, leader)), _axis(found.y_input, named(names, leader))
    marks = {}
    for name in ("x", "y"):
        steps = sorted(set(cells[name]))
        # every sixth step: whole standard deviations on the page's grid
        marks[name] = {"format": ".2~f", "labelAngle": 0, "values": steps[:: max(len(steps) // 4, 1)]}
    base = alt_.Chart(cells).encode(
        x=alt_.X("x:O", title=x_title, axis=alt_.Axis(**marks["x"])),
        y=alt_.Y("y:O", sort="descending", title=y_title, axis=top_title(alt_, **marks["y"])),
    )
    tips: list[Any] = [alt_.Tooltip("x:Q", title=x_title), alt_.Tooltip("y:Q", title=y_title), "platform:N"]
    tips.append(alt_.Tooltip("difference:Q", title="difference, USD a year", format=",.4~g"))
    key: dict[str, Any] = {"scale": scale, "title": None, "legend": alt_.Legend(offset=30)}
    fill, edge = alt_.Color("platform:N", **key), alt_.Stroke("platform:N", **key)
    # edges in the colour of the cell: no seam shows between cells
    chart = base.mark_rect().encode(color=fill, stroke=edge, tooltip=tips)
    return finish(chart, title, subtitle)
