"""A page says its piece in at most 900 words of prose before anything is unfolded."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

REPORTS = Path(__file__).resolve().parents[2] / "reports"
REGISTER = "11_claims"
"""A register that is looked up one claim at a time, not read through."""
PAGES = [path for path in sorted(REPORTS.glob("[0-9i]*.html")) if path.stem != REGISTER]
MOST = 900
MOST_OF_THE_REGISTER = 2500
WORD = re.compile(r"[^\W\d_][\w'’-]*")
ASIDE = ("details", "table", "script", "style", "math", "svg", "select", "button", "code", "nav")
"""What is no prose: folded parts, cells, controls, equations, code, ways to other pages."""


class Prose(HTMLParser):
    """Words of a page's content outside what is folded, tabulated or operated; captions count."""

    def __init__(self, asides: tuple[str, ...] = ASIDE) -> None:
        super().__init__()
        self.asides = asides
        self.inside = self.caption = False
        self.aside: list[str] = []
        self.words = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inside |= tag == "main"
        self.caption |= tag == "caption"
        spoken = "sr" in (given.get("class") or "").split()
        if tag in self.asides or given.get("id") in ("live", "pages") or spoken or (self.aside and tag == self.aside[-1]):
            self.aside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.inside &= tag != "main"
        self.caption &= tag != "caption"
        if self.aside and tag == self.aside[-1]:
            self.aside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside and (not self.aside or (self.caption and self.aside == ["table"])):
            self.words += len(WORD.findall(data))


def words(text: str, asides: tuple[str, ...] = ASIDE) -> int:
    """Words of prose of a page."""
    found = Prose(asides)
    found.feed(text)
    return found.words


def test_folded_parts_cells_and_code_do_not_count_and_captions_do():
    page = "<main><p>one two</p><table><caption>three</caption><tr><td>no</td></tr></table><details><p>no</p></details></main>"
    assert words(page) == 3
    assert words('<p>no</p><main><section id="live"><p>no</p></section><p>four <code>no</code></p></main>') == 1


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_read_in_a_few_minutes(path):
    assert words(path.read_text(encoding="utf-8")) <= MOST


def test_the_register_and_its_tables_stay_short():
    """All that is read before a card is opened: prose, the line a claim, the article's statements."""
    seen = words((REPORTS / f"{REGISTER}.html").read_text(encoding="utf-8"), tuple(x for x in ASIDE if x != "table"))
    assert 0 < seen <= MOST_OF_THE_REGISTER
