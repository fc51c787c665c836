"""What changed between two editions: rows of data, answers, verdicts and the headline's figures; as a page and as an Atom feed."""

from __future__ import annotations

import csv
import html
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rackecon.catalog.paths import KEYS, listed
from rackecon.errors import InputError
from rackecon.figures.tables import ready_table
from rackecon.press.compare import ABSENT, differences
from rackecon.press.frame import framed_page
from rackecon.press.results import FOLDER, read_results
from rackecon.words import page_words

TOLD: Final = ("answer", "verdict")
"""Results that are words a reader may have quoted."""
HEADLINE: Final = "00_executive_summary"
LEADING: Final = "profit/rack/"
"""Figures of the headline's ranking."""


@dataclass(frozen=True)
class Edition:
    """Where an edition's pages and tables lie, and the date of its data."""

    reports: Path
    data: Path
    vintage: str


@dataclass(frozen=True)
class TableChange:
    """How many rows of a table are new, differ, or are gone."""

    table: str
    added: int
    changed: int
    dropped: int


@dataclass(frozen=True)
class AnswerChange:
    """A published result that is another one now; ``absent`` where one edition has none."""

    page: str
    key: str
    before: str
    after: str
    unit: str


def read_edition(folder: Path) -> Edition:
    """The edition of a checkout, or of a folder with ``results/`` beside or above ``data/``.

    Raises
    ------
    InputError
        No results or no tables there.
    """
    reports = next((at for at in (folder / "reports", folder) if (at / FOLDER).is_dir()), None)
    data = next((at for at in (folder / "data", folder.parent / "data") if (at / "base_case.csv").is_file()), None)
    if reports is None or data is None:
        what = "reports/results/" if reports is None else "data/base_case.csv"
        raise InputError(f"{folder.name or folder}: no {what}: needs the folder of an edition, such as a checkout")
    dates = [row["value"] for row in _rows(data / "base_case.csv") if row.get("parameter") == "as_of_date"]
    return Edition(reports, data, dates[0] if dates else "")


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    try:
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"data/{path.name}: no table of comma-separated values") from None


def table_changes(old: Path, new: Path) -> list[TableChange]:
    """Tables whose rows differ, by the columns that tell their rows apart; a table without such columns by whole rows."""
    names = sorted({path.stem for folder in (old, new) for path in listed(folder, "*.csv")})
    found = [_table_change(name, _rows(old / f"{name}.csv"), _rows(new / f"{name}.csv")) for name in names]
    return [change for change in found if change.added or change.changed or change.dropped]


def _table_change(name: str, before: list[dict[str, str]], after: list[dict[str, str]]) -> TableChange:
    columns = [name for name in (before or after or [{}])[0] if name in (after or before or [{}])[0]]
    first, second = (Counter(tuple(row.get(c) or "" for c in columns) for row in rows) for rows in (before, after))
    keys = [columns.index(key) for key in KEYS.get(name, ()) if key in columns]

    def only(rows: Counter[tuple[str, ...]], others: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
        return Counter(tuple(row[i] for i in keys) if keys else row for row in (rows - others).elements())

    gone, new = only(first, second), only(second, first)
    changed = (gone & new).total() if keys else 0
    return TableChange(name, new.total() - changed, changed, gone.total() - changed)


def answer_changes(old: Path, new: Path) -> list[AnswerChange]:
    """Answers and verdicts that read otherwise, and the headline's figures that moved, in the order of the pages."""
    pages = sorted({path.stem for folder in (old, new) for path in listed(folder / FOLDER, "*.csv")})
    out = []
    for page in pages:
        before, after = read_results(old, page), read_results(new, page)
        for key, pair in differences(before, after).items():
            told = key.rpartition("/")[2] in TOLD or (page == HEADLINE and key.startswith(LEADING))
            if told:
                a, b = (ABSENT if row == ABSENT else row[0] for row in pair)
                unit = next(row[1] for row in reversed(pair) if row != ABSENT)
                out.append(AnswerChange(page, key, a, b, "" if unit in ("text", "-") else unit))
    return out


def edition_page(tables: list[TableChange], answers: list[AnswerChange], old: Edition, new: Edition) -> str:
    """The page on what changed, as HTML."""
    title = "What changed since the last edition?"
    lead = f"Data as of {new.vintage}, before of {old.vintage}: {len(answers)} answers and verdicts and rows of {len(tables)} tables differ."
    told = [
        (f"{page_words(one.page)}: {one.key}", _cell(one.before, one.unit), _cell(one.after, one.unit))
        for one in answers
    ]
    counted = [(one.table, str(one.added), str(one.changed), str(one.dropped)) for one in tables]
    body = (
        f'<h1>{title}</h1><p class="answer">{html.escape(lead)}</p><h2 id="answers">Answers and verdicts</h2>'
        + _table("Answers, verdicts and the headline's figures that moved", ("what", "before", "now"), told)
        + '<h2 id="data">Rows of data</h2>'
        + _table("Rows of data, told apart by their keys", ("table", "added", "changed", "dropped"), counted)
    )
    contents = [("answers", "Answers and verdicts"), ("data", "Rows of data")]
    return framed_page(title=title, description=lead, body=body, contents=contents, here="changes.html", walk=())


def _cell(value: str, unit: str) -> str:
    return f"{value} {unit}".strip() or "none"


def _table(caption: str, heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return "<p>Nothing.</p>"
    return ready_table(caption, heads, [list(map(html.escape, row)) for row in rows])


def feed(tables: list[TableChange], answers: list[AnswerChange], old: Edition, new: Edition) -> str:
    """An Atom feed with an entry for this edition and one for each answer that reads otherwise.

    Notes
    -----
    RFC 4287; times are those of the data, so that the same editions make the same bytes.
    """
    updated = f"{new.vintage}T00:00:00Z"
    rows = sum(one.added + one.changed + one.dropped for one in tables)
    entries = [
        (
            "edition",
            f"{len(answers)} answers and verdicts and {rows} rows of data differ from those of {old.vintage}",
            "",
        )
    ]
    entries += [
        (
            f"{one.page}/{one.key}",
            f"{page_words(one.page)}: {one.key}",
            f"Before: {_cell(one.before, one.unit)}. Now: {_cell(one.after, one.unit)}.",
        )
        for one in answers
    ]
    told = "".join(
        f"<entry><id>urn:rackecon:{new.vintage}:{html.escape(key, quote=True)}</id><title>{html.escape(title)}</title>"
        f'<updated>{updated}</updated><link href="changes.html"/><summary>{html.escape(text or title)}</summary></entry>\n'
        for key, title, text in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>urn:rackecon:editions</id><title>rackecon: what changed</title><updated>{updated}</updated>"
        f"<author><name>The rackecon authors</name></author>\n{told}</feed>\n"
    )
