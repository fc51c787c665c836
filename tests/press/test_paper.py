"""The summary on two sheets: what they hold, and what is said where nothing can print them."""

from __future__ import annotations

import re

import pytest

from rackecon.errors import InputError
from rackecon.press.paper import SUMMARY_PDF, summary_pdf, summary_sheets
from rackecon.press.run import reports_dir

INDEX = reports_dir() / "index.html"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_the_sheets_hold_the_answer_its_measures_and_what_decides_it_without_links_or_scripts():
    index = INDEX.read_text(encoding="utf-8")
    sheets = summary_sheets(index)
    answer = re.search(r'<p class="answer">.*?</p>', index, re.S)
    assert answer
    assert answer[0] in sheets
    parts = [
        sheets.index(mark) for mark in ('class="answer"', 'id="the-same-question', 'id="what-decides-it"', "data as of")
    ]
    assert parts == sorted(parts)
    assert "<script" not in sheets
    assert "href=" not in re.sub(r"<link\b[^>]*>", "", sheets)
    assert 'id="live"' not in sheets
    assert sheets.count("<table") == index[: index.index('<details class="fold part"')].count("<table")


def test_a_page_without_a_summary_is_refused():
    with pytest.raises(InputError, match="holds no summary to print"):
        summary_sheets("<main><h2>Other</h2></main>")


@pytest.mark.parametrize(
    ("named", "said"),
    [("no-such-program", "CHROMIUM=no-such-program is no program"), ("false", r"false did not print \(exit 1\)")],
)
def test_what_cannot_print_says_so_and_writes_nothing(folder, monkeypatch, named, said):
    monkeypatch.setenv("CHROMIUM", named)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(InputError, match=said):
        summary_pdf(folder)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_without_any_browser_the_way_out_is_named(folder, monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(
        InputError, match="no Chromium or Chrome on this machine; install the package chromium, or print"
    ):
        summary_pdf(folder)


def test_a_print_is_dated_by_its_data_and_replaces_the_last(folder, monkeypatch):
    """A stand-in for the browser writes a file with the clock's date where it is told to."""
    fake = folder / "printer"
    fake.write_text(
        '#!/bin/sh\nfor word in "$@"; do case $word in --print-to-pdf=*) '
        "printf '%%PDF /CreationDate (D:20991231235959) /ModDate (D:20991231235959)' > \"${word#*=}\";; esac; done\n",
        encoding="utf-8",
    )
    fake.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(fake))
    (folder / SUMMARY_PDF).write_bytes(b"old")
    assert summary_pdf(folder).read_bytes() == b"%PDF /CreationDate (D:20261123000000) /ModDate (D:20261123000000)"
    with pytest.raises(InputError, match=r"no index\.html in"):
        summary_pdf(folder / "assets")
