"""No rendered page shows an id of the catalog or a short form that only the field knows, outside code and quotations."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from not_shown import ids_in

from rackecon.catalog.cached import one_state
from rackecon.words import ENGINES, singular

REPORTS = sorted((Path(__file__).resolve().parents[2] / "reports").glob("[0-9][0-9]_*.html"))
ENGINE = re.compile(rf"(?<![\w/.])(?:{'|'.join(ENGINES)})(?:-\w+)?(?![\w/])|\b(?:llama|mixtral)\d*-?\d[\w.-]*")
"""Engines and benchmarks as files write them, in small letters."""
JARGON = re.compile(r"\b(p\d\d|\d+k/\d+k|[TD]?E?P\d+)\b")
"""Percentiles, lengths and layouts in short forms that only the field knows."""
BROKEN = re.compile(
    r"(?<![\w.,/-])1 [a-z]+ (?:decide|are|have|lie|leave|were|hold)\b|of 1 [a-z]+ are\b|,,|;;| [,;] |\bnan\b|\bNone\b|\bundefined\b"
)
"""One thing with the verb of many, stops that follow one another, values that were not there."""
ASIDE = ("script", "style", "code", "pre", "svg", "math", "select", "nav", "q", "datalist", "a")
"""What is no prose: code, controls, quotations, and titles of sources, which are links."""
class Shown(HTMLParser):
    """Lines of a page's content outside code, controls and quotations."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.aside, self.lines = False, [], [""]

    def handle_starttag(self, tag, attrs):
        self.inside |= tag == "main"
        if tag in ASIDE or (self.aside and tag == self.aside[-1]):
            self.aside.append(tag)
        self.lines.append("")

    def handle_endtag(self, tag):
        if self.aside and tag == self.aside[-1]:
            self.aside.pop()
        self.lines.append("")

    def handle_data(self, data):
        if self.inside and not self.aside:
            self.lines[-1] += data


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_no_page_shows_an_id_or_a_short_form(path):
    page = Shown()
    page.feed(path.read_text(encoding="utf-8").partition("Parameters of this page")[0])
    told = [line for line in page.lines if not re.search(r"\.(csv|md|py|json|yaml)\b|^\W*\[|=", line)]
    with one_state():  # a page has thousands of lines: the tables are looked at once for all of them
        assert [line for line in told if ids_in(line) or JARGON.search(line) or ENGINE.search(line)] == []


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_one_is_not_many_and_no_sentence_is_broken(path):
    page = Shown()
    page.feed(path.read_text(encoding="utf-8"))
    assert [line for line in page.lines if BROKEN.search(line) or singular(line) != line] == []


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_no_page_shows_markup_as_text(path):
    page = Shown()
    page.feed(path.read_text(encoding="utf-8"))
    assert [line for line in page.lines if re.search(r"</?[a-z]+[ >]", line)] == []
