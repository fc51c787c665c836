"""The summary as a PDF: two sheets, the same bytes twice, no table split."""

from __future__ import annotations

import re
import shutil

from conftest import REPORTS
from rackecon.press.paper import summary_pdf, summary_sheets


def test_the_summary_prints_on_two_sheets_that_are_the_same_twice(tmp_path):
    shutil.copytree(REPORTS / "assets", tmp_path / "assets")
    shutil.copy(REPORTS / "index.html", tmp_path)
    first, second = (summary_pdf(tmp_path).read_bytes() for _ in range(2))
    assert first == second
    assert len(re.findall(rb"/Type ?/Page\b", first)) == 2
    assert b"file:" not in first


def test_each_part_fits_its_sheet(browser, tmp_path):
    """Answer and measures on one sheet, what decides it on the next: neither taller than A4 inside its margins."""
    shutil.copytree(REPORTS / "assets", tmp_path / "assets")
    page_file = tmp_path / "summary.html"
    page_file.write_text(summary_sheets((REPORTS / "index.html").read_text(encoding="utf-8")), encoding="utf-8")
    inside = {"width": round((210 - 28) / 25.4 * 96), "height": round((297 - 26) / 25.4 * 96)}
    context = browser.new_context(offline=True, viewport=inside)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.emulate_media(media="print")
    top, turn, end = page.evaluate(
        "[document.querySelector('h1'), document.getElementById('what-decides-it'), document.querySelector('main').lastElementChild]"
        ".map((e, i) => e.getBoundingClientRect()[i === 2 ? 'bottom' : 'top'])"
    )
    assert turn - top < inside["height"]
    assert end - turn < inside["height"]
    context.close()
