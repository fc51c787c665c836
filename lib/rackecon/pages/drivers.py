"""What drives the answer: every assumption's range, what it does to the leader's profit and lead, and its page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Final

from rackecon.answer.deciding import DATED, Deciding
from rackecon.economics.measures import MEASURES
from rackecon.figures.display import Html
from rackecon.figures.results import Figure, key_part
from rackecon.figures.tables import bar_cell, bare, framed
from rackecon.pages.sentences import say

PAGE: Final = "00_executive_summary"
NAMED: Final = 3
"""Assumptions that the sentence names."""
KINDS: Final = {True: "workload", False: "money"}
OTHER_KINDS: Final = {DATED: "software"}
"""Assumptions of neither."""


def drivers_words(found: Sequence[Deciding], platform: str, measure: str) -> str:
    """Which assumptions change who leads, and which move the leader's profit most."""
    flips = [item for item in found if item.flips_inside]
    leads: dict[str, list[tuple[str, str, bool]]] = {}
    for item in flips[:NAMED]:
        where, who, further = item.first_turn()
        leads.setdefault(who, []).append((where, item.here, further))
    moved = sorted(found, key=lambda item: -item.swing_usd)[:NAMED]
    return say(
        PAGE,
        "drivers",
        platform=platform,
        per=MEASURES[measure].name,
        flips=[item.label for item in flips],
        leads=list(leads.items()),
        total=len(found),
        moved=[(item.label, *MEASURES[measure].ends(*item.profit)) for item in moved],
    )


def drivers_title(found: Sequence[Deciding]) -> str:
    """The finding of the chart: what turns the lead, and what moves the profit most."""
    flips = [item.label for item in found if item.flips_inside]
    most = max(found, key=lambda item: item.swing_usd).label if found else ""
    return say(PAGE, "drivers_title", flips=flips, most=most)


def drivers_chart(found: Sequence[Deciding], platform: str, now: tuple[float, float], measure: str) -> Html:
    """Assumptions in order: bars of the leader's profit and of its lead over the range, the flip, a link to the page.

    Parameters
    ----------
    found : sequence of Deciding
        From :func:`rackecon.answer.deciding.deciding_assumptions`.
    platform : str
        Name of the platform that leads.
    now : tuple of float
        Its profit and its lead over the next in the report's case, marked in the bars.
    measure : str
        Key of :data:`rackecon.economics.measures.MEASURES`.
    """
    profits, leads = _axis([item.profit for item in found]), _axis([item.lead for item in found])
    rows, texts = [], []
    for item in found:
        kind = KINDS[item.workload]
        label = html.escape(item.label[0].upper() + item.label[1:])
        named = f'<a href="{html.escape(item.page, quote=True)}.html">{label}</a>' if item.page else label
        cells = [
            f'<th scope="row">{named}{bare("; ")}<span class="ends">{OTHER_KINDS.get(item.name, kind)}</span></th>',
            f'<td title="{html.escape(item.source, quote=True)}">{html.escape(item.ends())}{bare("; ")}<span class="ends">report: {html.escape(item.stated())}</span></td>',
            _bar(item.profit, profits, now[0], measure),
            _bar(item.lead, leads, now[1], measure),
            f"<td>{html.escape(_flip(item))}</td>",
        ]
        rows.append(f'<tr class="{kind}">{"".join(cells)}</tr>')
        texts.append(f"{item.label}: {item.sentence()}")
    heads = ("assumption", "range", f"profit of {platform}", "its lead over the next", "another leads")
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    caption = say(PAGE, "drivers_caption", platform=platform, yearly=MEASURES[measure].yearly)
    body = framed(
        caption, head, f"<tbody>{''.join(rows)}</tbody>", columns=5, rows=len(rows), folded=False, kind="drivers"
    )
    title = f'<p class="finding">{html.escape(drivers_title(found))}</p>'
    return Html(title + body, "\n".join(texts))


def driver_figures(found: Sequence[Deciding], unit: str) -> list[Figure]:
    """Results of every assumption: what it does to profit and lead, and where the lead changes."""
    made: list[Figure] = []
    for item in found:
        made.append(Figure(f"deciding/{item.name}/swing", item.swing_usd, unit))
        for name, ends in (("profit", item.profit), ("lead", item.lead)):
            made += [
                Figure(f"deciding/{item.name}/{name}_{end}", x, unit)
                for end, x in zip(("low", "high"), ends, strict=True)
            ]
        made += [
            Figure(f"deciding/{item.name}/flip {i}", at, item.unit or "-") for i, (at, _, _) in enumerate(item.flips, 1)
        ]
        made += [Figure(f"deciding/{item.name}/{key_part(name)}", who, "text") for name, who in item.choices]
    return made


def _flip(item: Deciding) -> str:
    """Where another leads, as short as a cell asks."""
    return f"outside only, {item.brief()}" if item.beyond and not item.flips_inside else item.brief() or "no"


def _bar(ends: tuple[float, float], axis: tuple[float, float], now: float, measure: str) -> str:
    if not all(map(math.isfinite, (*ends, now))):
        return "<td>–</td>"
    told = " to ".join(MEASURES[measure].ends(*ends, beside=max(map(abs, axis))))
    return bar_cell(ends[0], now, ends[1], axis, told)


def _axis(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    known = [x for pair in pairs for x in pair if math.isfinite(x)]
    return min([0.0, *known]), max([0.0, *known])
