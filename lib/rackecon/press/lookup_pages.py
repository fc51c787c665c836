"""Pages to look things up in: terms, tables of data, and every chart, table and section of the report."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rackecon import catalog
from rackecon.catalog.paths import data_dir, read_rows
from rackecon.figures.tables import framed
from rackecon.press.frame import framed_page
from rackecon.words import page_words

__all__ = ["data_page", "find_page", "glossary_page"]

DATA: Final = "../data/"
"""Way from the report's pages to the tables."""
PARTS: Final = re.compile(
    r'<h2 id="(?P<section>[^"]+)">(?P<heading>.*?)</h2>'
    r'|<figure class="chart" id="(?P<chart>[^"]+)"[^>]*><p class="finding">(?P<finding>.*?)</p>'
    r'|<div class="scroll" id="(?P<table>[^"]+)"[^>]*><table[^>]*>\s*<caption>(?P<caption>.*?)</caption>',
    re.S,
)


def _table(caption: str, heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A table with a filter; each row an id and ready cells."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    lines = [
        f'<tr id="{html.escape(key, quote=True)}"><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for key, (first, *rest) in rows
    ]
    body = f"<tbody>{''.join(lines)}</tbody>"
    return framed(caption, head, body, columns=len(heads), rows=len(lines), searchable=True, folded=False)


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def glossary_page(names: Sequence[str]) -> str:
    """Every term of data/glossary.csv with symbol, unit and meaning, each with an address of its own; beside the pages of some notebooks."""
    rows = sorted(read_rows("glossary"), key=lambda row: row["term"].lower())
    title = "What do the words mean?"
    lines = [
        (_key(row["term"]), [html.escape(row[name]) for name in ("term", "symbol", "unit", "meaning")]) for row in rows
    ]
    return framed_page(
        title=title,
        description="Terms of the report with unit and meaning",
        body=f"<h1>{title}</h1>" + _table("Terms", ("term", "symbol", "unit", "meaning"), lines),
        contents=[(_key(row["term"]), row["term"]) for row in rows],
        here="glossary.html",
        walk=names,
    )


def data_page(names: Sequence[str]) -> str:
    """Every table of data/ with what it holds, how many rows, and the file itself beside its dictionary; beside the pages of some notebooks."""
    package = json.loads((data_dir() / "datapackage.json").read_text(encoding="utf-8"))
    title = "Which data is the report made of?"
    lines = [
        (
            one["name"],
            [
                f'<a href="{DATA}{one["path"]}">{html.escape(one["name"])}</a>',
                html.escape(one["title"]),
                f"{len(read_rows(one['name'])):,}",
                html.escape(", ".join(field["name"] for field in one["schema"]["fields"])),
            ],
        )
        for one in package["resources"]
        if one["name"] in catalog.table_names()
    ]
    about = (
        f"<p>CSV files with a source, a date and a grade in every row, described field by field with units in "
        f'<a href="{DATA}datapackage.json">datapackage.json</a>, a Frictionless data package. What each page publishes stands in '
        "<code>results/</code>, one file a page.</p>"
    )
    return framed_page(
        title=title,
        description="Tables of data with rows and columns",
        body=f"<h1>{title}</h1>{about}"
        + _table("Tables of data/", ("table", "what it holds", "rows", "columns"), lines),
        contents=[(key, key.replace("_", " ")) for key, _ in lines],
        here="data.html",
        walk=names,
    )


def find_page(target: Path, names: Sequence[str]) -> str:
    """Every section, chart and table of the pages in a folder by its words, each linked, with a filter over all."""
    title = "Where is it?"
    lines: list[tuple[str, Sequence[str]]] = []
    firsts: list[tuple[str, str]] = []
    for name in names:
        page, words = (target / f"{name}.html").read_text(encoding="utf-8"), page_words(name)
        for found in PARTS.finditer(page):
            kind = next(kind for kind in ("section", "chart", "table") if found[kind])
            text = re.sub(r"<[^>]+>", "", found["heading"] or found["finding"] or found["caption"])
            key = f"{name}-{found[kind]}"
            if not firsts or not firsts[-1][0].startswith(f"{name}-"):
                firsts.append((key, words))
            lines.append((key, [f'<a href="{name}.html#{found[kind]}">{text}</a>', kind, html.escape(words)]))
    return framed_page(
        title=title,
        description="Every section, chart and table of the report",
        body=f"<h1>{title}</h1>" + _table("Sections, charts and tables of every page", ("what", "kind", "page"), lines),
        contents=firsts,
        here="find.html",
        walk=names,
    )
