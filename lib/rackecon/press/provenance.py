"""The last cell of a page: what it ran with, which data it read, and how to run it again."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import rackecon
from rackecon import catalog
from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.catalog.paths import read_rows, shipped_rows, tables_read, user_path
from rackecon.figures.display import Html
from rackecon.figures.tables import ready_table

COLUMNS = ("parameter", "value", "meaning", "allowed")
PACKAGES = ("altair", "numpy", "pandas", "scipy")


def provenance(name: str, namespace: Mapping[str, Any]) -> Html:
    """Parameters with meaning, versions, digests of the tables read, and the command that reruns the page.

    No clock time and no commit: they could never reproduce.
    """
    declared = read_parameters(notebook_path(name))
    rows, command = [], f"rackecon report {name}"
    for item in declared.values():
        value = namespace.get(item.name, item.default)
        changed = value != item.default
        shown = json.dumps(value, ensure_ascii=False)
        if changed:
            command += f" -p {item.name} '{shown if not isinstance(value, str) else value}'"
        mark = " (changed)" if changed else ""
        words = (html.escape(text) for text in (item.meaning, item.allowed))
        rows.append([f"<code>{item.name}</code>", html.escape(shown) + mark, *words])
    example = next((item for item in declared.values() if item.type in ("int", "float")), None)
    if command.endswith(name) and example is not None:
        command += f" -p {example.name} {json.dumps(example.default)}"
    command += " --name mine"
    tables = ", ".join(f"{t} {catalog.table_digest(t)}" for t in sorted(tables_read()))
    libraries = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    markup = (
        ready_table("Parameters of this page", COLUMNS, rows)
        + f"<p>Run it yourself: <code>{html.escape(command)}</code></p>"
        f'<p class="kicker">rackecon {rackecon.__version__}; {libraries}. Data read (first digits of each digest): {tables}.{_own_rows()}</p>'
    )
    return Html(markup, command)


def _own_rows() -> str:
    """A sentence on the user's own rows in the tables read, where there are any."""
    shares = []
    for name in sorted(tables_read()):
        if user_path(name) is not None:
            shipped = {tuple(row.items()) for row in shipped_rows(name)}
            own = sum(tuple(row.items()) not in shipped for row in read_rows(name))
            shares.append(f"{own} in {name}")
    return (
        f" With your own rows, which stand in place of shipped ones of the same key: {', '.join(shares)}."
        if shares
        else ""
    )
