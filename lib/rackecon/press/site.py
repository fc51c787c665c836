"""The pages together: an index that leads with the answer and lists all pages with theirs, and the pages of reference."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path

from rackecon.figures.display import ANSWER
from rackecon.press.api_page import api_page
from rackecon.press.html import question, render_page
from rackecon.press.parameters_page import parameters_page
from rackecon.press.results import read_results
from rackecon.press.shared_files import write_file

__all__ = ["REFERENCE", "write_index", "write_reference"]

SUMMARY = "00_executive_summary"
REFERENCE = {
    "parameters.html": "Every parameter of every notebook, with default, unit and range",
    "api/rackecon.html": "The library, function by function",
}


def write_reference(target: Path, names: Sequence[str]) -> None:
    """Write the pages of parameters and of the library's functions."""
    for path, text in zip(REFERENCE, (parameters_page(names), api_page()), strict=True):
        write_file(target / path, text)


def write_index(target: Path) -> None:
    """Write index.html: the executive summary where there is one, with a list of all pages and their answers."""
    notebooks = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(target.glob("[0-9][0-9]_*.ipynb"))
    }
    if not notebooks:
        return
    items = "".join(
        f'<li><a href="{name}.html">{html.escape(question(notebook) or name)}</a><p>{html.escape(_answer(target, name))}</p></li>'
        for name, notebook in notebooks.items()
        if name != SUMMARY
    )
    links = "".join(
        f'<p><a href="{path}">{words}</a></p>' for path, words in REFERENCE.items() if (target / path).is_file()
    )
    listing = f'<section id="pages"><h2 id="all-pages">All pages</h2><ol class="pages">{items}</ol>{links}</section>'
    first = SUMMARY if SUMMARY in notebooks else next(iter(notebooks))
    write_file(target / "index.html", render_page(notebooks[first], first, list(notebooks), index=listing))


def _answer(target: Path, name: str) -> str:
    return read_results(target, name).get(ANSWER, ("", ""))[0]
