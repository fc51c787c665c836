"""Tables for readers: caption, units in the header, figures right-aligned, intervals drawn in the row."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rackecon.reporting.display import Html
from rackecon.reporting.text import number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["interval_bar", "ranking_table", "table"]

Format = Callable[[Any], str]


def table(
    frame: pd.DataFrame,
    caption: str,
    *,
    headers: Mapping[str, str] | None = None,
    formats: Mapping[str, Format] | None = None,
    searchable: bool = False,
) -> Html:
    """A data frame as an accessible table.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns in the order shown; the first names the row.
    caption : str
        What it shows, with basis and unit where the header does not say.
    headers : mapping, optional
        Column name to header with unit.
    formats : mapping, optional
        Column name to a function from value to text; numbers take three significant figures by default.
    searchable : bool
        Whether the page adds a filter box and sorting buttons.

    Returns
    -------
    Html
    """
    names, how = dict(headers or {}), dict(formats or {})
    columns = list(frame.columns)
    numeric = {c: frame[c].dtype.kind in "ifu" or c in how for c in columns}
    right = ' class="n"'
    head = "".join(
        f'<th scope="col"{right if numeric[c] and i else ""}>{html.escape(names.get(c, c.replace("_", " ")))}</th>'
        for i, c in enumerate(columns)
    )
    body = []
    for record in frame.to_dict("records"):
        cells = []
        for i, column in enumerate(columns):
            value = record[column]
            text = how[column](value) if column in how else _cell(value)
            markup = text if text.startswith("<") else html.escape(text)
            sort = (
                f' data-v="{float(value):.6g}"'
                if searchable and isinstance(value, int | float) and value == value
                else ""
            )
            if i == 0:
                cells.append(f'<th scope="row">{markup}</th>')
            else:
                cells.append(f"<td{right if numeric[column] else ''}{sort}>{markup}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    kind = "table searchable" if searchable else "table"
    markup = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(caption, quote=True)}"><table class="{kind}">'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
    return Html(markup, frame.to_string(index=False))


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value))
    return str(value)


def interval_bar(low: float, middle: float, high: float, ends: tuple[float, float], label: str) -> str:
    """A 90 % interval as a thin bar with a tick at its middle and a line at zero, drawn in HTML."""
    span = (ends[1] - ends[0]) or 1.0

    def at(value: float) -> float:
        return min(100.0, max(0.0, 100.0 * (value - ends[0]) / span))

    return (
        f'<span class="ibar" role="img" aria-label="{html.escape(label, quote=True)}">'
        f'<i class="zero" style="left:{at(0.0):.1f}%"></i>'
        f'<i class="range" style="left:{at(low):.1f}%;width:{max(at(high) - at(low), 0.6):.1f}%"></i>'
        f'<i class="mid" style="left:{at(middle):.1f}%"></i></span>'
    )


def ranking_table(
    frame: pd.DataFrame,
    caption: str,
    metric: str,
    show: Format,
    extra: Mapping[str, tuple[str, Format]] | None = None,
) -> Html:
    """Platforms ranked by a metric, each with its interval drawn in the row; platforms without a value say why.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``platform``, ``accelerator``, the metric with ``_low`` and ``_high``, ``reason``; sorted as shown.
    caption, metric : str
        Caption; column ranked.
    show : callable
        Value to text.
    extra : mapping, optional
        Further columns: name to header and format.
    """
    more = dict(extra or {})
    known = frame[frame[metric].notna()]
    low = min(0.0, float(known[f"{metric}_low"].min())) if len(known) else 0.0
    high = max(0.0, float(known[f"{metric}_high"].max())) if len(known) else 1.0
    head = '<th scope="col">platform</th><th scope="col" class="n">middle</th><th scope="col">90 % interval</th>'
    head += "".join(f'<th scope="col" class="n">{html.escape(title)}</th>' for title, _ in more.values())
    rows = []
    for record in frame.to_dict("records"):
        name = f'<th scope="row" style="--swatch:var(--p-{record["accelerator"]})">{html.escape(str(record["platform"]))}</th>'
        value = record[metric]
        if value != value or value is None:
            rows.append(
                f'<tr>{name}<td class="why" colspan="{2 + len(more)}">{html.escape(str(record.get("reason", "")))}</td></tr>'
            )
            continue
        ends = record[f"{metric}_low"], record[f"{metric}_high"]
        bar = interval_bar(ends[0], value, ends[1], (low, high), f"90 % interval {show(ends[0])} to {show(ends[1])}")
        cells = f'<td class="n">{html.escape(show(value))}</td><td class="barcell">{bar}</td>'
        cells += "".join(f'<td class="n">{html.escape(form(record[key]))}</td>' for key, (_, form) in more.items())
        rows.append(f"<tr>{name}{cells}</tr>")
    markup = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(caption, quote=True)}"><table class="table ranking">'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return Html(markup, frame[["platform", metric]].to_string(index=False))
