"""The pages together: an index that leads with the answer and lists all pages with theirs, and the pages of reference."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rackecon.catalog.paths import listed
from rackecon.catalog.written import write_file
from rackecon.figures.display import ANSWER, CASE, first_sentence, prose
from rackecon.figures.pictures import PNG_MIME
from rackecon.press.api_page import api_page
from rackecon.press.frame import REFERENCE, SUMMARY
from rackecon.press.html import question, render_page
from rackecon.press.lookup_pages import data_page, find_page, glossary_page
from rackecon.press.parameters_page import parameters_page
from rackecon.press.results import read_results

__all__ = ["ANSWER_PICTURE", "LOOKED_UP", "REFERENCE", "write_answer_picture", "write_index", "write_reference"]


ANSWER_PICTURE: Final = "assets/answer.png"
"""The summary's first chart, as the README shows it."""


def write_answer_picture(target: Path) -> None:
    """Write the first picture of the summary as a file of its own, which the README shows; nothing where it has none."""
    path = target / f"{SUMMARY}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.is_file() else []
    drawn = (out.get("data", {}).get(PNG_MIME) for cell in cells for out in cell.get("outputs", []))
    found = next(filter(None, drawn), None)
    if found:
        write_file(target / ANSWER_PICTURE, base64.b64decode("".join(found)))


def write_reference(target: Path, names: Sequence[str]) -> None:
    """Write the pages of parameters and of the library's functions."""
    for path, text in zip(REFERENCE, (parameters_page(names), api_page()), strict=True):
        write_file(target / path, text)


LOOKED_UP: Final = ("glossary.html", "data.html", "find.html")
"""Pages of terms, of data, and of what stands where."""


def write_lookup(target: Path, names: Sequence[str]) -> None:
    """Write the pages of terms and of data, and the one that finds what stands on the pages of a folder."""
    for path, text in zip(
        LOOKED_UP, (glossary_page(names), data_page(names, target), find_page(target, names)), strict=True
    ):
        write_file(target / path, text)


def write_index(target: Path) -> None:
    """Write index.html: the executive summary where there is one, with a list of all pages and their answers."""
    notebooks = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in listed(target, "[0-9][0-9]_*.ipynb")
    }
    if not notebooks:
        return
    items = "".join(
        f'<li><a href="{name}.html">{html.escape(question(notebook) or name)}</a>{_case(target, name)}<p>{prose(_answer(target, name))}</p></li>'
        for name, notebook in notebooks.items()
        if name != SUMMARY
    )
    write_lookup(target, [name for name in notebooks if (target / f"{name}.html").is_file()])
    links = "".join(
        f'<p><a href="{path}">{words}</a></p>' for path, words in REFERENCE.items() if (target / path).is_file()
    )
    listing = f'<section id="pages"><h2 id="all-pages">All pages</h2><ol class="pages">{items}</ol>{links}</section>'
    first = SUMMARY if SUMMARY in notebooks else next(iter(notebooks))
    write_file(target / "index.html", render_page(notebooks[first], first, list(notebooks), index=listing))


def _case(target: Path, name: str) -> str:
    """What a page's answer holds for, where it says so before it."""
    told = read_results(target, name).get(CASE, ("", ""))[0]
    return f'<p class="kicker">{prose(told)}</p>' if told else ""


def _answer(target: Path, name: str) -> str:
    """The first sentence of a page's answer."""
    return first_sentence(read_results(target, name).get(ANSWER, ("", ""))[0])[0]
