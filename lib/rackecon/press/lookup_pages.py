"""Pages to look things up in: terms, tables of data, and every chart, table and section of the report."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rackecon import catalog
from rackecon.catalog.paths import data_dir, in_checkout, read_rows
from rackecon.figures.display import embedded
from rackecon.figures.tables import ready_table
from rackecon.press.frame import framed_page
from rackecon.words import join_words, page_words

RECORDED: Final = {"source_id": "source", "date": "date", "grade": "grade"}
"""Columns that say what a row rests on, by name and in words."""
PARTS: Final = re.compile(
    r'<h2 id="(?P<section>[^"]+)">(?P<heading>.*?)</h2>'
    r'|<figure class="chart" id="(?P<chart>[^"]+)"[^>]*><p class="finding">(?P<finding>.*?)</p>'
    r'|<div class="scroll" id="(?P<table>[^"]+)"[^>]*><table[^>]*>\s*<caption>(?P<caption>.*?)</caption>',
    re.S,
)


PASSAGES: Final = re.compile(
    r'<(?P<tag>h1|h2|h3|caption|figure|div)\b[^>]*?\bid="(?P<id>[^"]+)"'
    r"|<(?P<kind>h1|h2|h3|p|li|caption|summary)\b(?P<attributes>[^>]*)>(?P<text>.*?)</(?P=kind)>",
    re.S,
)
"""Addresses and texts of a page, in order."""
WEIGHTS: Final = {"answer": 5, "heading": 4, "chart": 3, "table": 3, "text": 1}
"""How much a hit counts in each kind of passage."""
UNREAD: Final = re.compile(
    r'<(script|style|svg|math|pre|nav|select)\b.*?</\1>|<details class="code".*?</details>', re.S
)
"""What holds no prose."""


def passages(markup: str) -> list[tuple[str, str, str]]:
    """Address, kind and words of everything that a page says in sentences, in its order.

    Examples
    --------
    >>> passages('<h2 id="why">Why</h2><p>It earns <b>more</b>.</p><figure class="chart" id="chart-1"><p class="finding">Up</p>')
    [('why', 'heading', 'Why'), ('why', 'text', 'It earns more.'), ('chart-1', 'chart', 'Up')]
    """
    out: list[tuple[str, str, str]] = []
    main = re.search(r"<main\b[^>]*>(.*)</main>", markup, re.S)
    inside, here = UNREAD.sub(" ", main[1] if main else markup), ""
    kinds = {"h1": "heading", "h2": "heading", "h3": "heading", "summary": "heading", "caption": "table"}
    at = 0
    while found := PASSAGES.search(inside, at):
        if found["id"] is not None:
            here, at = html.unescape(found["id"]), found.end("id")
            if found["tag"] in ("figure", "div"):
                continue
            found = re.compile(rf"[^>]*>(?P<text>.*?)</{found['tag']}>", re.S).match(inside, at)
            if found is None:
                continue
            kind = "heading"
        else:
            named = found["attributes"]
            chart = "finding" in named or "measure" in named
            kind = "answer" if "answer" in named else "chart" if chart else kinds.get(found["kind"], "text")
        at = found.end()
        words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found["text"])).split())
        if words:
            out.append((here, kind, re.sub(r" (?=[,.;:)])", "", words)))
    return out


def _search(pages: Sequence[tuple[str, str, str]]) -> str:
    """A box over the words of pages, given as file, words and markup; what it looks in stands beside it."""
    lines = [(i, *passage) for i, (_, _, markup) in enumerate(pages) for passage in passages(markup)]
    body = {"pages": [page[:2] for page in pages], "weights": WEIGHTS, "passages": lines}
    return (
        '<form id="search" role="search" hidden><label for="search-box">Words that a sentence, title or caption of the report holds</label>'
        '<input type="search" id="search-box" autocomplete="off" spellcheck="false"><p role="status"></p><ol></ol></form>'
        f'<script type="application/json" id="passages">{embedded(body)}</script>'
    )


def _table(caption: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], kind: str = "") -> str:
    """A table with a filter; each row an id and ready cells."""
    keys, cells = [key for key, _ in rows], [cells for _, cells in rows]
    return ready_table(caption, heads, cells, keys=keys, searchable=True, kind=kind)


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _initials(rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Contents of a long list in order: its initial letters, each leading to the first row that has it.

    Examples
    --------
    >>> _initials([("batch", "Batch"), ("base", "base"), ("cache", "cache")])
    [('batch', 'B'), ('cache', 'C')]
    """
    first: dict[str, str] = {}
    for key, name in rows:
        first.setdefault(name[0].upper(), key)
    return [(key, letter) for letter, key in first.items()]


def _term(term: str, unit: str) -> str:
    """A term with its unit, if it has one, under it."""
    has_unit = unit not in ("", "-")
    return html.escape(term) + (f' <span class="ends">{html.escape(unit)}</span>' if has_unit else "")


def glossary_page(names: Sequence[str]) -> str:
    """Every term of data/glossary.csv with unit and meaning, each with an address of its own; beside the pages of some notebooks."""
    rows = sorted(read_rows("glossary"), key=lambda row: row["term"].lower())
    title = "What do the words mean?"
    lines = [(_key(row["term"]), [_term(row["term"], row["unit"]), html.escape(row["meaning"])]) for row in rows]
    return framed_page(
        title=title,
        description="Terms of the report with unit and meaning",
        body=f"<h1>{title}</h1>" + _table("Terms, their units under them", ("term", "meaning"), lines, "terms"),
        contents=_initials([(_key(row["term"]), row["term"]) for row in rows]),
        here="glossary.html",
        walk=names,
    )


def _lacking(tables: Sequence[Mapping[str, Any]]) -> str:
    """Which tables lack what every row is to have, in words: tables that lack the same together.

    Examples
    --------
    >>> none, dated = {"fields": []}, {"fields": [{"name": "date"}]}
    >>> _lacking([{"name": "ids", "schema": dated}, {"name": "a", "schema": none}, {"name": "b", "schema": none}])
    '; no source or grade in ids, no source, date or grade in a and b'
    >>> _lacking([])
    ''
    """
    found: dict[str, list[str]] = {}
    for table in tables:
        there = {field["name"] for field in table["schema"]["fields"]}
        gone = [name for column, name in RECORDED.items() if column not in there]
        if gone:
            found.setdefault(join_words(gone, "or"), []).append(str(table["name"]))
    told = [f"no {gone} in {join_words(names)}" for gone, names in found.items()]
    return f"; {', '.join(told)}" if told else ""


def data_page(names: Sequence[str], target: Path) -> str:
    """Every table of data/ with what it holds, how many rows, and the file itself beside its dictionary; beside the pages of some notebooks.

    ``target`` is the folder that the page goes into, from which it leads to the tables where they stand beside it in one
    tree or come with an installed package; elsewhere it names the place that reports/ has beside data/, so that a page is the same wherever it is made.
    """
    home = data_dir().resolve()
    beside = in_checkout("data") is None or Path(target).resolve().is_relative_to(home.parent)
    way = (Path(os.path.relpath(home, Path(target).resolve())).as_posix() if beside else "../data") + "/"
    package = json.loads((data_dir() / "datapackage.json").read_text(encoding="utf-8"))
    listed = sorted(package["resources"], key=lambda one: str(one["name"]))
    title = "Which data is the report made of?"
    lines = [
        (
            one["name"],
            [
                f'<a href="{way}{one["path"]}">{html.escape(one["name"])}</a>',
                html.escape(one["title"]),
                f"{len(read_rows(one['name'])):,}",
                html.escape(", ".join(field["name"] for field in one["schema"]["fields"])),
            ],
        )
        for one in listed
        if one["name"] in catalog.table_names()
    ]
    about = (
        f'<p class="answer">{len(lines)} tables of facts, among them {len(read_rows("measured_serving")):,} measured runs and '
        f"{len(read_rows('sources')):,} sources.</p>"
        f"<p>CSV files. Every row has a source, a date and a grade{_lacking(package['resources'])}. They are described field by field with units in "
        f'<a href="{way}datapackage.json">datapackage.json</a>, a Frictionless data package. What each page publishes stands in '
        "<code>results/</code>, one file a page.</p>"
    )
    return framed_page(
        title=title,
        description="Tables of data with rows and columns",
        body=f"<h1>{title}</h1>{about}"
        + _table("Tables of data/", ("table", "what it holds", "rows", "columns"), lines),
        contents=_initials([(key, key) for key, _ in lines]),
        here="data.html",
        walk=names,
    )


def find_page(target: Path, names: Sequence[str]) -> str:
    """Search over the words of all pages of a folder, and every section, chart and table of them, each linked."""
    title = "Where is it?"
    lines: list[tuple[str, Sequence[str]]] = []
    firsts: list[tuple[str, str]] = []
    texts: list[tuple[str, str, str]] = []
    for name in names:
        page, words = (target / f"{name}.html").read_text(encoding="utf-8"), page_words(name)
        texts.append((f"{name}.html", words, page))
        for found in PARTS.finditer(page):
            kind = next(kind for kind in ("section", "chart", "table") if found[kind])
            text = re.sub(r"<[^>]+>", "", found["heading"] or found["finding"] or found["caption"])
            key = f"{name}-{found[kind]}"
            if not firsts or not firsts[-1][0].startswith(f"{name}-"):
                firsts.append((key, words))
            lines.append((key, [f'<a href="{name}.html#{found[kind]}">{text}</a>', kind, html.escape(words)]))
    return framed_page(
        title=title,
        description="Search over every page; every section, chart and table of the report",
        body=f"<h1>{title}</h1>{_search([*texts, ('glossary.html', 'glossary', glossary_page(names))])}"
        + "<h2>Page by page</h2>"
        + _table("Sections, charts and tables of every page", ("what", "kind", "page"), lines),
        contents=firsts,
        here="find.html",
        walk=names,
        scripts=["find.js"],
    )
