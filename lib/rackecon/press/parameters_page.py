"""The page of every parameter of every notebook: default, unit, what is allowed, what it means."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from rackecon.appraisal.parameters import Parameter, notebook_path, read_parameters
from rackecon.figures.tables import ready_table
from rackecon.press.frame import framed_page
from rackecon.press.html import question
from rackecon.words import page_words

COLUMNS = ("parameter", "type", "default", "allowed", "meaning")
TITLE = "What can be changed in each notebook?"


def _cells(item: Parameter) -> list[str]:
    name, default = (html.escape(text) for text in (item.name, json.dumps(item.default, ensure_ascii=False)))
    words = (html.escape(text) for text in (item.allowed, item.meaning))
    return [f"<code>{name}</code>", item.kind, f"<code>{default}</code>", *words]


def _table(name: str, title: str) -> str:
    rows = [_cells(item) for item in read_parameters(notebook_path(name)).values()]
    shown = ready_table(f"Parameters of {name}", COLUMNS, rows)
    return f'<h2 id="{name}"><a href="{name}.html">{html.escape(title)}</a></h2>{shown}'


def parameters_page(names: Sequence[str]) -> str:
    """The page as HTML.

    Parameters
    ----------
    names : sequence of str
        Notebooks, in order.
    """
    example = next(item for item in read_parameters(notebook_path(names[0])).values() if item.type in ("int", "float"))
    command = f"rackecon report {names[0]} -p {example.name} {json.dumps(example.default)} --name mine"
    tables = "".join(
        _table(name, question(json.loads(notebook_path(name).read_text(encoding="utf-8"))) or name) for name in names
    )
    about = (
        f"<p>One of them changed: <code>{html.escape(command)}</code>. A list is given as JSON. Without a notebook's "
        "name the value goes to every notebook that takes it.</p>"
    )
    return framed_page(
        title=TITLE,
        description="Every parameter of every notebook with default, unit and range",
        body=f"<h1>{TITLE}</h1>{about}{tables}",
        contents=[(name, page_words(name)) for name in names],
        here="parameters.html",
    )
