"""The summary's two charts that follow the controls, as the library draws them for the report's own case.

Lines are SVG, words and cells HTML, so that text keeps its size on any screen; assets/figures.js sets the same elements again
when a reader moves a control.
"""

from __future__ import annotations

import html
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from rackecon.answer.lead_map import (
    NO_ONE_SERVES,
    NOBODY,
    PRICES,
    SHARES,
    Cell,
    LeadMap,
    Marks,
    flips_of,
    lasting,
    reigns,
)
from rackecon.economics.measures import MEASURES
from rackecon.evidence.novelty import platform_named
from rackecon.figures.display import Html
from rackecon.figures.lines import spread
from rackecon.figures.theme import swatch
from rackecon.walks.findings import Line
from rackecon.words import RUNS, money, number, percent

OWN: Final = "the report's own case"
WIDE: Final = 5
"""Columns of the map that hold a name."""
NEAR: Final = (26.0, 10.0)
"""Least distance of a name and the ring, across and up, of 100."""
GAP: Final = 6.2
"""Least distance of two names, of 100."""
TICKS: Final = 5
"""Steps of an axis at most."""
SPEEDS: Final = 5
"""Figures along the axis of speeds."""
WORDS: Final = {NOBODY: "nobody earns", NO_ONE_SERVES: "nobody serves this"}


def shade_key() -> str:
    """What full, pale, hatched and empty cells mean."""
    kinds = (
        ("sure", "leads in 80 of 100 quick cases or more,"),
        ("pale", "in 60 to 80,"),
        ("close", "in fewer;"),
        ("none", "nobody earns"),
    )
    cells = " ".join(f'<span class="ribbon"><i class="{kind}"></i></span> {text}' for kind, text in kinds)
    return f"In the leader's colour: {cells}"


def _tenth(value: float) -> float:
    return math.floor(10.0 * value + 0.5) / 10.0


def _amount(value: float, measure: str) -> str:
    return percent(value) if measure == "usd" else money(value)


def _axis(text: str) -> str:
    """An amount without the zeros that an axis can spare.

    Examples
    --------
    >>> _axis("$5.00M"), _axis("$12.5M"), _axis("$0")
    ('$5M', '$12.5M', '$0')
    """
    return re.sub(r"\.(?=\D*$)", "", re.sub(r"(\.\d*?)0+(?=\D*$)", r"\1", text))


def ticks(low: float, high: float) -> list[float]:
    """Round values from the lowest to above the highest.

    Examples
    --------
    >>> ticks(-0.2, 3.1)
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    unit = 10.0 ** math.floor(math.log10((high - low) / TICKS or 1.0))
    step = next(m * unit for m in (1, 2, 5, 10) if (high - low) / (m * unit) <= TICKS)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.ceil(high / step - 1e-9) + 1)]


def _at(line: Line, speed: float) -> float | None:
    return next((profit for upto, profit in line if upto >= speed * (1 - 1e-9)), None)


def _figure(key: str, finding: str, measure: str, told: str, kind: str, drawing: str, note: str = "") -> Html:
    text = f"{finding}. {measure}. {told}"
    words = html.escape(text, quote=True)
    markup = (
        f'<figure class="plot" id="{key}"><p class="finding">{html.escape(finding)}</p><p class="measure">{html.escape(measure)}</p>'
        f'<div class="{kind}" role="img" aria-label="{words}">{drawing}</div>{note}'
        '<figcaption><span class="links"></span></figcaption></figure>'
    )
    return Html(markup, text)


def marks_key(marks: Mapping[str, Marks]) -> str:
    """What dashes, bands and the marks of measured runs stand for, and from when the runs are."""
    runs = [run for mark in marks.values() for _, _, run in mark.runs]
    words = ["dashed: beyond what was measured", "band: nine measurements in ten", "lines: best layouts"]
    if runs:
        kinds = ", ".join(
            f'<i class="run k{i}"></i> {kind.removeprefix("measured, ")}'
            for i, kind in enumerate(RUNS)
            if kind in {run.kind for run in runs}
        )
        months = sorted(run.date[:7] for run in runs)
        when = months[0] + (f" to {months[-1]}" if months[-1] != months[0] else "")
        words.append(f"best public runs: {kinds}, software of {when}")
    return f'<p class="live-key">{"; ".join(words).capitalize()}</p>'


def speed_figure(
    lines: Mapping[str, Line],
    labels: Mapping[str, str],
    speed: float,
    ends: tuple[float, float],
    measure: str,
    marks: Mapping[str, Marks] | None = None,
) -> Html:
    """Yearly profit of each platform by the speed promised, a rule at the chosen speed.

    Parameters
    ----------
    lines : mapping
        Of :func:`rackecon.answer.lead_map.speed_lines`.
    labels : mapping
        Name of each platform.
    speed : float
        The chosen one [tok/s/user].
    ends : tuple of float
        Ends of the axis [tok/s/user].
    measure : str
        Key of :data:`rackecon.economics.measures.MEASURES`.
    marks : mapping, optional
        Of :func:`rackecon.answer.lead_map.line_marks`.
    """
    marks = marks or dict.fromkeys(lines, Marks([], math.inf, ()))
    values = [0.0, *(profit for line in lines.values() for _, profit in line)]
    values += [v for mark in marks.values() for pair in (*mark.band, *(run[1:2] for run in mark.runs)) for v in pair]
    low, high = min(values), 1.02 * max(values) or 1.0
    rungs = [rung for rung in ticks(low, high) if rung <= high]

    def x(value: float) -> float:
        return _tenth(100.0 * (value - ends[0]) / (ends[1] - ends[0]))

    def y(value: float) -> float:
        return _tenth(100.0 * (high - value) / (high - low))

    paths, runs, names = _platform_lines(lines, marks, labels, speed, x, y)
    grid = "".join(
        f'<span class="{"" if mark else "zero"}" style="top:{y(mark):g}%"><b>{_axis(_amount(mark, measure))}</b></span>'
        for mark in rungs
    )
    late = " late" if x(speed) > 70 else ""
    axis = "".join(
        f'<span style="left:{x(mark):g}%">{number(mark)}</span>' for mark in np.linspace(0.0, ends[1], SPEEDS + 1)[1:]
    )
    drawing = (
        f'<div class="grid">{grid}</div><svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{paths}</svg>'
        f"{runs}"
        f'<div class="rule{late}" style="left:{x(speed):g}%"><span>{number(speed)} tok/s/user</span></div>{names}<div class="across">{axis}</div>'
    )
    found = sorted(((v, labels[k]) for k in lines if (v := _at(lines[k], speed)) is not None), reverse=True)
    told = ", ".join(f"{name} {_amount(value, measure)}" for value, name in found) or "nobody serves"
    subtitle = f"profit {MEASURES[measure].yearly} by the speed each user gets (tok/s/user); {OWN}"
    finding = speed_finding(reigns(lines), labels, speed)
    told = f"At {number(speed)} tok/s/user: {told}."
    return _figure("speed-profit", finding, subtitle, told, "lines plotted", drawing, marks_key(marks))


Scale = Callable[[float], float]
"""Place of a value along one side of a chart, of 100."""


def _platform_lines(
    lines: Mapping[str, Line],
    marks: Mapping[str, Marks],
    labels: Mapping[str, str],
    speed: float,
    x: Scale,
    y: Scale,
) -> tuple[str, str, str]:
    """Bands and lines, measured runs, and names with the dots of the chosen speed."""
    drawn = [key for key in lines if lines[key]]
    tops = dict(zip(drawn, spread([y(lines[key][0][1]) for key in drawn], GAP, 0.0, 100.0), strict=True))
    bands, paths, names, runs = [], [], [], []
    for key, line in lines.items():
        mark, start = marks[key], ""
        near = sum(upto <= mark.measured_up_to for upto, _ in line)
        if line:
            start = f"M-2 {_tenth(tops[key]):g}L0 {y(line[0][1]):g}"
        colour = f"stroke:{swatch(key)}"
        bands.append(f'<path data-band="" style="fill:{swatch(key)}" d="{_band(line, mark.band, x, y)}"/>')
        paths.append(
            f'<path data-line="" style="{colour}" d="{_steps(line[:near], 0.0, x, y)}"/>'
            f'<path data-far="" style="{colour}" d="{_steps(line[near:], x(line[near - 1][0]) if near else 0.0, x, y)}"/>'
            f'<path class="hair" data-hair="" style="{colour}" d="{start}"/>'
        )
        name = html.escape(platform_named(labels[key]))
        names.append(f'<span data-name=""{_place(top=tops.get(key))}>{name}</span>')
        value = _at(line, speed)
        spot = _place(colour=key, left=None if value is None else x(speed), top=None if value is None else y(value))
        names.append(f'<i class="dot" data-dot=""{spot}></i>')
        runs.append(f'<div data-runs="" style="--swatch:{swatch(key)}">{_crosses(mark, x, y)}</div>')
    return "".join(bands + paths), "".join(runs), "".join(names)


def _crosses(mark: Marks, x: Scale, y: Scale) -> str:
    return "".join(
        f'<i class="run k{RUNS.index(run.kind)}"{_place(left=x(at), top=y(profit))}></i>'
        for at, profit, run in mark.runs
    )


def _steps(line: Line, left: float, x: Scale, y: Scale) -> str:
    """Path of a line's steps from a place on."""
    if not line:
        return ""
    steps = "".join((f"V{y(profit):g}" if i else "") + f"H{x(upto):g}" for i, (upto, profit) in enumerate(line))
    return f"M{left:g} {y(line[0][1]):g}{steps}"


def _band(line: Line, band: Line, x: Scale, y: Scale) -> str:
    """Path around the steps of a band; empty where there is none."""
    if not band:
        return ""
    below, left = "", [0.0, *(x(upto) for upto, _ in line)]
    for at, (lowest, _) in list(zip(left, band, strict=False))[::-1]:
        below += f"V{y(lowest):g}H{at:g}"
    top = [(upto, high) for (upto, _), (_, high) in zip(line, band, strict=True)]
    return f"{_steps(top, 0.0, x, y)}{below}Z"


def _place(colour: str = "", **shares: float | None) -> str:
    """Style of an element placed in a chart; hidden where it has no place."""
    ink = f"--swatch:{swatch(colour)};" if colour else ""
    if any(value is None for value in shares.values()):
        return f' style="{ink}" hidden' if ink else " hidden"
    return f' style="{ink}{";".join(f"{side}:{_tenth(float(v or 0.0)):g}%" for side, v in shares.items())}"'


def speed_finding(found: Sequence[tuple[float, str]], labels: Mapping[str, str], speed: float) -> str:
    """Whom middle values put first at which speed; leads that last for a step or so apart.

    Examples
    --------
    >>> speed_finding([(40.0, "a"), (40.2, "b"), (40.3, "a"), (90.0, "none")], {"a": "A100"}, 30.0)
    'Middle values put A100 first up to 40.3 tok/s/user, nobody above'
    """

    def name(key: str) -> str:
        return platform_named(labels.get(key, "nobody"))

    if not found:
        return "No platform serves this workload"
    flips = flips_of(found)
    found = [*((upto, before) for upto, before, _ in lasting(flips) or flips), found[-1]]
    if len(found) == 1 and found[0][1] == NOBODY:
        return f"Nobody earns at any speed up to {number(found[0][0])} tok/s/user"
    now = next((key for upto, key in found if upto >= speed * (1 - 1e-9)), NO_ONE_SERVES)
    first = f"Middle values put {name(now if len(found) > 2 else found[0][1])} first"
    if len(found) == 1:
        return f"{first} at every speed up to {number(found[0][0])} tok/s/user"
    if len(found) == 2:
        return f"{first} up to {number(found[0][0])} tok/s/user, {name(found[1][1])} above"
    return (
        f"{first} at {number(speed)} tok/s/user; the lead changes {len(found) - 1} times up to {number(found[-1][0])}"
    )


def map_figure(found: LeadMap, labels: Mapping[str, str], share: float, measure: str) -> Html:
    """Who leads at each price of tokens and share of capacity sold; ties pale or hatched.

    Parameters
    ----------
    found : LeadMap
        Of :func:`rackecon.answer.lead_map.lead_map`.
    labels : mapping
        Name of each platform.
    share : float
        The chosen share of capacity sold.
    measure : str
        Key of :data:`rackecon.economics.measures.MEASURES`.
    """
    names = dict(labels) | WORDS
    rows = "".join(
        f'<div class="ribbon" data-price="{price:.5g}">{_cells(row)}</div>'
        for price, row in zip(found.prices, found.rows, strict=True)
    )
    first, last, _ = SHARES
    low, high, _ = PRICES
    powers = range(round(math.log2(low)), round(math.log2(high)) + 1)
    up = "".join(
        f'<span style="top:{_tenth(_height(2.0**p)):g}%">{"1/" if p < 0 else ""}{2 ** abs(p)} x</span>' for p in powers
    )
    across = "".join(
        f'<span style="left:{_tenth(100 * (s - first) / (last - first)):g}%">{percent(s)}</span>'
        for s in (0.2, 0.4, 0.6, 0.8, 1.0)
    )
    order = _by_revenue(found)
    ring = (100.0 * (share - first) / (last - first), _height(1.0))
    drawing = (
        f'<div class="up">{up}</div>{rows}<div class="spots">{_spots(found, order, names, ring)}</div>'
        f'<i class="ring"{_place(left=ring[0], top=ring[1])}></i>'
        f'<div class="across">{across}</div>'
    )
    subtitle = (
        f"who leads on profit {MEASURES[measure].yearly}, by share of capacity sold and by price of all tokens, times the chosen "
        f"prices (logarithmic); ring: {OWN}"
    )
    told = "Hatched or pale where the leader comes first in fewer than 80 of 100 quick cases."
    key = f'<p class="live-key">{shade_key()}</p>'
    return _figure("price-share", map_finding(order, names), subtitle, told, "map plotted", drawing, key)


def _height(price: float) -> float:
    low, high, _ = PRICES
    return 100.0 * math.log(high / price) / math.log(high / low)


def _cells(row: Sequence[Cell]) -> str:
    return "".join(
        f'<i class="{kind}" style="{"" if kind == "none" else f"--swatch:{swatch(leader)};"}flex-grow:{len(list(cells))}"></i>'
        for (leader, kind), cells in itertools.groupby(row, key=lambda cell: (cell.leader, cell.kind))
    )


def _by_revenue(found: LeadMap) -> list[str]:
    """Leaders from the least to the most revenue sold."""
    seen = sorted(
        (price * share, i, cell.leader)
        for i, (price, row) in enumerate(zip(found.prices, found.rows, strict=True))
        for share, cell in zip(found.shares, row, strict=True)
    )
    return list(dict.fromkeys(leader for *_, leader in seen))


def _spots(found: LeadMap, order: Sequence[str], names: Mapping[str, str], ring: tuple[float, float]) -> str:
    """Each leader's name in the middle of its longest rows, not over the ring."""
    best: dict[str, list[tuple[int, int, float, float]]] = {}
    columns = len(found.shares)
    for at, row in enumerate(found.rows):
        start = 0
        for leader, group in itertools.groupby(row, key=lambda cell: cell.leader):
            length = len(list(group))
            left, top = 100.0 * (start + length / 2) / columns, 100.0 * (at + 0.5) / len(found.rows)
            near = abs(left - ring[0]) < NEAR[0] and abs(top - ring[1]) < NEAR[1]
            best.setdefault(leader, []).append((length - columns if near else length, length, left, top))
            start += length
    out = []
    for leader in order:
        longest = [spot for spot in best[leader] if spot[0] == max(best[leader])[0]]
        _, length, left, top = longest[(len(longest) - 1) // 2]
        if length >= WIDE:
            out.append(f"<span{_place(left=left, top=top)}>{html.escape(platform_named(names[leader]))}</span>")
    return "".join(out)


def map_finding(order: Sequence[str], names: Mapping[str, str]) -> str:
    """Who leads where, from little revenue to much.

    Examples
    --------
    >>> map_finding(["none", "b", "a"], {"none": "nobody earns", "a": "A100", "b": "B200"})
    'As price and share sold rise: nobody earns, then B200, then A100'
    """
    leaders = [platform_named(names.get(key, "")) for key in order]
    if len(order) == 1:
        if order[0] == NOBODY:
            return "Nobody earns at any price and share sold shown"
        if order[0] == NO_ONE_SERVES:
            return "No platform serves this workload within its limits"
        return f"{leaders[0]} leads at every price and share sold shown"
    if len(order) == 2 and order[0] == NOBODY:
        return f"{leaders[1]} leads wherever anybody earns"
    return f"As price and share sold rise: {', then '.join(leaders)}"
