"""Tables for readers: caption, units in the header, figures right-aligned, intervals drawn in the row."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from rackecon.figures.display import Html
from rackecon.figures.theme import swatch
from rackecon.lazy import pd
from rackecon.words import MINUS, alike, even, format_words, layout_words, money, money_ends, number

Format = Callable[[Any], str]
PLAIN: Final = 4
"""Columns up to which long text stays in its cell."""
PROSE: Final = 60
"""Signs beyond which a text is prose and goes under its row."""
LONG: Final = 14
"""Rows beyond which a table is folded."""
ROOMY: Final = 4
CROWDED: Final = 8
"""Columns beyond which type and padding shrink, a little and more."""
UNLIKE: Final = 10
"""Times that the greater end of an interval is the smaller, from which it lends it its scale."""
SHOWN: Final[Mapping[str, Format]] = {"layout": layout_words, "weight_precision": format_words}
"""Columns that every table writes alike."""
HOURLY: Final = re.compile(r"usd_per_gpu_hour(_high|_low)?$")
"""Columns of dollars for a GPU-hour, which are written to the cent."""
RIGHT: Final = ' class="n"'
DATED: Final = ' class="d"'
FIGURE: Final = re.compile(r"^(> )?[−$]*\d[\d.,]*( ?%|k|M|bn)?[*†]*( \([−$\d.,kMbn %]+ to [>−$\d.,kMbn %]+\))?$")
MONTH: Final = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b")
KEPT: Final = r'<span class="nb">\g<0></span>'
"""A date in a heading, which breaks nowhere."""
NAME: Final = re.compile(r"^[a-z]+(_[a-z]+)+$")
DATE: Final = re.compile(r"^\d{4}(-\d{2}){0,2}$")
RANGE: Final = re.compile(r"^((?:> )?\S+(?: %)?) \((\S+(?: %)? to (?:> )?\S+(?: %)?)\)$")


def table(
    frame: pd.DataFrame,
    caption: str,
    *,
    headers: Mapping[str, str] | None = None,
    formats: Mapping[str, Format] | None = None,
    searchable: bool = False,
    folded: bool | None = None,
    ready: Sequence[str] = (),
) -> Html:
    """A data frame as an accessible table that fits its column.

    Text too long for a cell goes under its row, over the whole width; a column without a word in any row is left out. A value with its range (``5 (3 to 8)``) takes two
    lines that do not break.

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
    folded : bool, optional
        Whether the table is closed until asked for (open on paper); by default where it is long and not searchable.
    ready : sequence of str
        Columns whose cells are markup already; every other cell is text, whatever stands in it.
    """
    names, how = dict(headers or {}), dict(formats or {})
    columns = [c for c in frame.columns if len(frame) == 0 or c in how or (frame[c].astype(str) != "").any()]
    numeric = {c: frame[c].dtype.kind in "ifu" or c in how for c in columns}
    lines = frame.to_dict("records")
    texts = {c: _column(how.get(c, _form(c)), [line[c] for line in lines], at > 0) for at, c in enumerate(columns)}
    long = [
        c
        for i, c in enumerate(columns)
        if i
        and not numeric[c]
        and c not in ready
        and max(map(len, texts[c]), default=0) > PROSE
        and len(columns) > PLAIN
    ]
    short = [c for c in columns if c not in long]
    right = {c: numeric[c] or _all(FIGURE, texts[c]) for c in columns}
    title = {c: MONTH.sub(KEPT, html.escape(names.get(c, c.replace("_", " ")))) for c in columns}
    head = "".join(f'<th scope="col"{RIGHT if right[c] and i else ""}>{title[c]}</th>' for i, c in enumerate(short))
    records = []
    for at, line in enumerate(lines):
        cells = []
        for i, column in enumerate(short):
            markup = texts[column][at] if column in ready else _markup(texts[column][at])
            sort = _sort_key(line[column]) if searchable else ""
            if i == 0:
                markup = markup.replace("_", " ") if NAME.match(markup) else markup
                cells.append(f'<th scope="row">{markup}</th>')
            else:
                kind = RIGHT if right[column] else DATED if _all(DATE, texts[column]) else ""
                cells.append(f"<td{kind}{sort}>{markup}</td>")
        told = " ".join(
            f'<span class="what">{title[c]}:</span> {_markup(texts[c][at])}'
            for c in long
            if texts[c][at] not in ("", "–")
        )
        over = ' class="over"' if told else ""
        row = f"<tr{over}>{''.join(cells)}</tr>"
        if told:
            row += f'<tr class="under"><td colspan="{len(short)}">{told}</td></tr>'
        records.append(row)
    body = "".join(f"<tbody>{row}</tbody>" for row in records) if long else f"<tbody>{''.join(records)}</tbody>"
    return Html(
        framed(caption, head, body, columns=len(short), rows=len(frame), searchable=searchable, folded=folded),
        frame.to_string(index=False),
    )


def framed(
    caption: str,
    head: str,
    body: str,
    *,
    columns: int,
    rows: int,
    searchable: bool = False,
    folded: bool | None = None,
    kind: str = "",
) -> str:
    """A table's markup around ready cells: it scrolls rather than widen the page, and folds where it is long."""
    density = "dense" if columns > CROWDED else "wide" if columns > ROOMY else ""
    classes = " ".join(filter(None, ("table", kind, "searchable" if searchable else "", density)))
    words = html.escape(caption)
    markup = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(caption, quote=True)}"><table class="{classes}">'
        f"<caption>{words}</caption><thead><tr>{head}</tr></thead>{body}</table></div>"
    )
    if folded is None:
        folded = rows > LONG and not searchable
    return f'<details class="fold"><summary>{words} ({rows} rows)</summary>{markup}</details>' if folded else markup


def ready_table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    keys: Sequence[str] = (),
    searchable: bool = False,
    kind: str = "",
) -> str:
    """A table of cells that are markup already, the first of a row its heading; ``keys`` are addresses of the rows.

    Examples
    --------
    >>> ready_table("Few", ["what", "how many"], [["racks", "2"]], keys=["racks"]).partition("<tbody>")[2]
    '<tr id="racks"><th scope="row">racks</th><td>2</td></tr></tbody></table></div>'
    """
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    marks = [f' id="{html.escape(key, quote=True)}"' for key in keys] or [""] * len(rows)
    lines = (
        f'<tr{mark}><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for mark, (first, *rest) in zip(marks, rows, strict=True)
    )
    body, shape = f"<tbody>{''.join(lines)}</tbody>", {"columns": len(heads), "rows": len(rows)}
    return framed(caption, head, body, **shape, searchable=searchable, folded=False, kind=kind)


def _all(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    told = [t for t in texts if t not in ("", "–")]
    return bool(told) and all(pattern.match(t) for t in told)


def _markup(text: str) -> str:
    found = RANGE.match(text)
    if not found:
        return html.escape(text)
    middle, ends = (html.escape(part) for part in found.groups())
    return f'{middle} <span class="ends">({ends})</span>'


def _name(platform: str) -> str:
    """A platform's name, and on a line of its own what stands in brackets behind it."""
    name, there, rest = html.escape(platform).partition(" (")
    return f'{name} <span class="ends">({rest}</span>' if there else name


def _sort_key(value: Any) -> str:
    if isinstance(value, int | float) and value == value:
        return f' data-v="{float(value):.6g}"'
    return ""


def _written(form: Format, value: Any) -> str:
    text = form(value)
    return "–" if value != value and "nan" in text else text  # a form may have its own word for what is missing


def _column(form: Format, values: Sequence[Any], figures: bool) -> list[str]:
    """Cells of a column, figures of one size in one unit and to one count of decimals."""
    known = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    way = even(number if form is _cell else form, known) if figures else form
    return [_written(way if isinstance(v, int | float) and not isinstance(v, bool) else form, v) for v in values]


def spans(
    form: Format, middles: Iterable[float], lows: Iterable[float], highs: Iterable[float], *, none: str = "none"
) -> list[str]:
    """Figures of a column, each with its ends if it has some, written as the column is.

    Examples
    --------
    >>> spans(number, [1.2, 3.0], [0.953, 2.0], [2.0, 4.0]), spans(number, [math.nan, 1.0], [1.0, math.nan], [2.0, math.nan])
    (['1.2 (0.95 to 2.0)', '3.0 (2.0 to 4.0)'], ['none', '1'])
    >>> spans(money, [5.93e6, 139e3], [-164e3, 20e3], [14.64e6, 2.0e6])
    ['$5.93M (−$0.16M to $14.6M)', '$0.14M ($0.02M to $2.00M)']
    """
    told = list(zip(middles, lows, highs, strict=True))
    way, most = even(form, (middle for middle, *_ in told)), greatest(middle for middle, *_ in told)
    return [
        none
        if not math.isfinite(x)
        else f"{way(x)} ({ends_words(form, way, low, high, most)})"
        if math.isfinite(low)
        else way(x)
        for x, low, high in told
    ]


def greatest(values: Iterable[float]) -> float:
    """The greatest size in a column, 0 where it has no figure.

    Examples
    --------
    >>> greatest([-3.0, math.nan, 2.0]), greatest([])
    (3.0, 0.0)
    """
    return max((abs(x) for x in values if math.isfinite(x)), default=0.0)


def ends_words(form: Format, way: Format, low: float, high: float, most: float = 0.0) -> str:
    """The ends of an interval beside a column that is written one ``way``, ``most`` its greatest: amounts, and ends of unlike size, as a sentence has them.

    Examples
    --------
    >>> ends_words(money, str, -164e3, 14.64e6), ends_words(money, str, -527e3, 778e3, 5.4e6), ends_words(number, str, 0.5, 2)
    ('−$0.16M to $14.6M', '−$0.53M to $0.78M', '0.5 to 2')
    >>> ends_words(number, str, 0.0361, 15.2)
    '0.04 to 15.2'
    """
    if form is money:
        return " to ".join(money_ends([low, high], most))
    unlike = form is number and UNLIKE * min(abs(low), abs(high)) < max(abs(low), abs(high))
    return " to ".join(alike(number, [low, high]) if unlike else map(way, (low, high)))


def _form(column: str) -> Format:
    """How a column is written that no page writes in a way of its own."""
    return to_the_cent if HOURLY.search(column) else SHOWN.get(column, _cell)


def to_the_cent(value: Any) -> str:
    """Dollars for a GPU-hour, without their sign.

    Examples
    --------
    >>> to_the_cent(0.0796), to_the_cent(-0.1)
    ('0.08', '−0.10')
    """
    return _cell(value) if value is None or value != value else f"{MINUS if value < 0 else ''}{abs(float(value)):,.2f}"


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value))
    return str(value)


def bare(text: str) -> str:
    """Words that the page's own styles hide: what is drawn or set apart there, as JupyterLab and a copied table show it.

    Examples
    --------
    >>> bare("1 to 2")
    '<span class="bare">1 to 2</span>'
    """
    return f'<span class="bare">{html.escape(text)}</span>'


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


def bar_cell(low: float, middle: float, high: float, axis: tuple[float, float], told: str, label: str = "") -> str:
    """A cell with :func:`interval_bar` and the ends in words under it; ``label`` is what is read aloud, if not they."""
    bar = interval_bar(low, middle, high, axis, label or told)
    return f'<td class="barcell">{bar}<span class="ends">{html.escape(told)}</span></td>'


def ranking_table(
    frame: pd.DataFrame,
    caption: str,
    metric: str,
    show: Format,
    extra: Mapping[str, tuple[str, Format]] | None = None,
    heading: str = "middle",
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
    heading : str
        Header of the metric's column.
    """
    known = frame[frame[metric].notna()]
    way = even(show, known[metric])
    more = {key: (title, even(form, known[key])) for key, (title, form) in (extra or {}).items()}
    low = min(0.0, float(known[f"{metric}_low"].min())) if len(known) else 0.0
    high = max(0.0, float(known[f"{metric}_high"].max())) if len(known) else 1.0
    head = f'<th scope="col">platform</th><th scope="col" class="n">{html.escape(heading)}</th><th scope="col">90 % interval</th>'
    head += "".join(f'<th scope="col" class="n">{html.escape(title)}</th>' for title, _ in more.values())
    rows = []
    for record in frame.to_dict("records"):
        name = f'<th scope="row" style="--swatch:{swatch(str(record["accelerator"]))}">{_name(str(record["platform"]))}</th>'
        value = record[metric]
        if value != value or value is None:
            rows.append(
                f'<tr>{name}<td class="why" colspan="{2 + len(more)}">{html.escape(str(record.get("reason", "")))}</td></tr>'
            )
            continue
        ends = record[f"{metric}_low"], record[f"{metric}_high"]
        told = ends_words(show, way, *ends, greatest(known[metric]))
        bar = bar_cell(ends[0], value, ends[1], (low, high), told, f"90 % interval {told}")
        cells = f'<td class="n">{html.escape(way(value))}</td>{bar}'
        cells += "".join(f'<td class="n">{html.escape(form(record[key]))}</td>' for key, (_, form) in more.items())
        rows.append(f"<tr>{name}{cells}</tr>")
    markup = framed(
        caption,
        head,
        f"<tbody>{''.join(rows)}</tbody>",
        columns=3 + len(more),
        rows=len(rows),
        folded=False,
        kind="ranking",
    )
    return Html(markup, frame[["platform", metric]].to_string(index=False))
