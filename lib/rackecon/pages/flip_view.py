"""The map of who leads over the two inputs that decide between a pair, with its finding as the title."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rackecon.figures.base import altair_module, finish, top_title
from rackecon.figures.theme import platform_colours
from rackecon.lazy import pd
from rackecon.pages.sentences import say
from rackecon.pages.uncertainty_page import named
from rackecon.uncertainty.distributions import distributions
from rackecon.uncertainty.sensitivity import REACH, FlipMap
from rackecon.words import number, tidy

if TYPE_CHECKING:
    import altair as alt

OWN: Final = ("cell", "platform")
"""Scopes of an input that each platform draws for itself."""
PAGE: Final = "12_uncertainty"
ERRORS: Final = (0.0, -50.0, 100.0, 900.0, -90.0, 400.0, -75.0, 50.0, -25.0, 25.0, 300.0, 1900.0, 200.0)
"""Percentages off the model that an axis of errors names, the first where there is no room for all."""
APART: Final = 0.1
"""Least distance of two ticks, as a share of the axis."""


def flip_title(found: FlipMap, names: dict[str, str], leader: str) -> str:
    """In how many draws of the two inputs each platform leads, all else at its middle; a map that one leads on throughout says so.

    An area of the map is no chance: its cells count by how often draws fall there. An input that differs by platform moves
    ``leader`` alone, and the title says so.
    """
    share = _chances(len(found.table)).groupby(found.table["leader"].to_numpy(), sort=False).sum()
    told = share.sort_values(ascending=False, kind="stable")
    alone = any(distributions()[name].scope in OWN for name in (found.x_input, found.y_input))
    parts = [(named(names, str(key)), float(part)) for key, part in told.items()]
    return say(PAGE, "flip_title", parts=parts, mover=named(names, leader) if alone else "")


def _chances(cells: int) -> pd.Series[float]:
    """Share of the draws of two independent inputs that falls to each cell of a square map, by rows."""
    import numpy as np

    density = np.exp(-0.5 * np.linspace(-REACH, REACH, math.isqrt(cells)) ** 2)
    weights = np.outer(density, density).ravel()
    return pd.Series(weights / weights.sum())


def _axis(name: str, platform: str) -> str:
    item = distributions()[name]
    who = f" of {platform}" if item.scope in OWN else ""
    unit = {"evidence": "% off the model", "listings": "USD per million output tokens"}.get(item.form, item.unit)
    return f"{item.label}{who}, {unit}".replace(", -", "")


def round_ticks(steps: Sequence[float], evidence: bool) -> dict[float, float]:
    """Round values of an axis and their places on it, counted in cells; ``steps`` are the values of the cells, rising.

    Examples
    --------
    >>> round_ticks([0.0, 1.0, 2.0, 3.0], False)
    {0.0: 0.0, 1.0: 1.0, 2.0: 2.0, 3.0: 3.0}
    """
    import numpy as np

    low, high = steps[0], steps[-1]
    known = ERRORS if evidence else _even(low, high)
    inside = [value for value in known if low <= value <= high]
    places = dict(zip(inside, map(float, np.interp(inside, steps, range(len(steps)))), strict=True))
    kept: dict[float, float] = {}
    for value in sorted(places, key=ERRORS.index if evidence else inside.index):
        if all(abs(places[value] - other) >= APART * (len(steps) - 1) for other in kept.values()):
            kept[value] = tidy(places[value])
    return dict(sorted(kept.items()))


def _even(low: float, high: float) -> list[float]:
    """Some five round values between two ends."""

    rough = (high - low) / 5.0 or 1.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1.0, 2.0, 5.0, 10.0) if size * times >= rough)
    return [tidy(step * k) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _marks(ticks: Mapping[float, float], evidence: bool) -> dict[str, Any]:
    """Axis settings of values at their places."""
    words = {
        f"{place:.3f}": f"{'+' if evidence and value > 0 else ''}{number(value)}" for value, place in ticks.items()
    }
    label = f"{json.dumps(words, ensure_ascii=False)}[format(datum.value, '.3f')]"
    return {"values": list(ticks.values()), "labelExpr": label, "grid": False, "tickCount": 100}


def flip_chart(
    found: FlipMap,
    names: dict[str, str],
    leader: str,
    worth: Callable[[str, float], float],
    *,
    title: str,
    subtitle: str,
) -> alt.Chart:
    """Who leads over two inputs: coloured cells, evenly spaced as draws are, ticks at round values.

    ``worth`` gives the value of an input at a score, as :func:`rackecon.uncertainty.pairs.natural` does for a cell.
    """
    alt_ = altair_module()
    side = math.isqrt(len(found.table))
    inputs = {"x": found.x_input, "y": found.y_input}
    cells = found.table[["difference"]].assign(platform=[named(names, key) for key in found.table["leader"]])
    axes = {}
    for axis, name in inputs.items():
        evidence = distributions()[name].form == "evidence"
        place = [at % side if axis == "x" else at // side for at in range(len(cells))]
        scores = found.table[axis].iloc[:side] if axis == "x" else found.table[axis].iloc[::side]
        steps = [(100.0 if evidence else 1.0) * worth(name, float(score)) for score in scores]
        cells = cells.assign(
            **{
                axis: [k - 0.5 for k in place],
                f"{axis}2": [k + 0.5 for k in place],
                f"{axis}_value": [tidy(steps[k], 3) for k in place],
            }
        )
        axes[axis] = _marks(round_ticks(steps, evidence), evidence)
    keys = list(dict.fromkeys(found.table["leader"]))
    scale = alt_.Scale(domain=[named(names, k) for k in keys], range=platform_colours(keys))
    x_title, y_title = (_axis(name, named(names, leader)) for name in inputs.values())
    span = alt_.Scale(domain=[-0.5, side - 0.5], nice=False, zero=False)
    base = alt_.Chart(tidy(cells)).encode(
        x=alt_.X("x:Q", title=x_title, scale=span, axis=alt_.Axis(**axes["x"])),
        y=alt_.Y("y:Q", title=y_title, scale=span, axis=top_title(alt_, **axes["y"])),
        x2=alt_.X2("x2"),
        y2=alt_.Y2("y2"),
    )
    tips: list[Any] = [
        alt_.Tooltip("x_value:Q", title=x_title),
        alt_.Tooltip("y_value:Q", title=y_title),
        alt_.Tooltip("platform:N"),
    ]
    tips.append(alt_.Tooltip("difference:Q", title="difference, USD a year", format=",.4~g"))
    key: dict[str, Any] = {"scale": scale, "title": None, "legend": alt_.Legend(offset=30)}
    fill, edge = alt_.Color("platform:N", **key), alt_.Stroke("platform:N", **key)
    # edges in the colour of the cell: no seam shows between cells
    chart = base.mark_rect().encode(color=fill, stroke=edge, tooltip=tips)
    return finish(chart, title, subtitle)
