"""Every page as its sheets: as wide as the paper, and nothing that belongs together parted or taller than a sheet."""

from __future__ import annotations

import numpy as np
import pypdfium2
import pytest
from test_pages import RESTING, opened

from conftest import REPORTS, page_names

SHEET = (688, 1016)
"""What margins of 14 mm leave of A4, in CSS pixels."""
# a wide table's few rows are tall, of cells with intervals: kept whole it would leave half a sheet empty before it
FAULTS = """([width, height]) => {
  const name = e => `${e.tagName.toLowerCase()}#${e.id || (e.closest("[id]") || {}).id}: ${e.textContent.trim().slice(0, 40)}`;
  const seen = selector => [...document.querySelectorAll(selector)].filter(e => e.getBoundingClientRect().height > 0 && !e.closest(".sr"));
  const wide = seen("main *").filter(e => e.getBoundingClientRect().right > width + 1 && !e.closest("svg")).map(e => `wide ${name(e)}`);
  const left = seen("main *").filter(e => e.getBoundingClientRect().left < -1 && !e.closest("svg")).map(e => `cut at the left ${name(e)}`);
  const over = seen("thead th").filter(e => e.scrollWidth > e.clientWidth + 1).map(e => `heading over its neighbour ${name(e)}`);
  const split = seen("figure, tr, .math, .card, #live, caption, summary, dt").flatMap(e =>
    (getComputedStyle(e).breakInside === "avoid" ? [] : [`may split ${name(e)}`]).concat(
      e.getBoundingClientRect().height <= height ? [] : [`taller than a sheet ${name(e)}`]));
  const parted = seen("h1, h2, h3, .finding, .measure, caption, details.fold > summary").filter(e =>
    getComputedStyle(e).breakAfter !== "avoid").map(e => `may part from what follows ${name(e)}`);
  const few = seen("table:not(.wide)").filter(t => t.rows.length <= 10 && t.tBodies.length < 6 && !t.closest("[aria-label^=Parameters]") && getComputedStyle(t).breakInside !== "avoid")
    .map(t => `short table may split ${name(t)}`);
  const mute = seen("tbody a[href^=http]").filter(a => !getComputedStyle(a, "::after").content.includes(a.getAttribute("href")))
    .map(a => `address unsaid ${name(a)}`);
  const cut = seen("td > code").filter(e => getComputedStyle(e).overflowWrap !== "normal").map(e => `a name may break in itself ${name(e)}`);
  const useless = seen("button:not(.dfn):not(.sort), input, select").map(e => `control on paper ${name(e)}`);
  return [...wide, ...left, ...over, ...split, ...parted, ...few, ...mute, ...cut, ...useless].slice(0, 8);
}"""


LONG = """<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><div style="height:{above}px"></div>
<details class="fold" open><summary>Rows</summary><div class="scroll"><table class="table"><caption>Rows</caption>
<thead><tr><th>row</th></tr></thead><tbody>{rows}</tbody></table></div></details>"""


def sheets(browser, tmp_path, above: int) -> int:
    """Sheets that a table of eleven rows, each a tenth of a sheet, takes below so many pixels of something else."""
    (tmp_path / "page.css").write_text((REPORTS / "assets/page.css").read_text(encoding="utf-8"), encoding="utf-8")
    page, rows = tmp_path / "long.html", '<tr style="height:100px"><th>a</th></tr>' * 11
    page.write_text(LONG.format(above=above, rows=rows), encoding="utf-8")
    shown = browser.new_page()
    try:
        shown.goto(page.as_uri())
        margins = dict.fromkeys(("top", "bottom", "left", "right"), "14mm")
        return shown.pdf(format="A4", margin=margins).count(b"/Type /Page\n")
    finally:
        shown.close()


def test_a_long_table_begins_on_the_sheet_that_has_room_for_its_head_and_two_rows(browser, tmp_path):
    """Begun there it ends on the second sheet; moved whole it would on the third."""
    assert sheets(browser, tmp_path, SHEET[1] - 320) == 2
    assert sheets(browser, tmp_path, SHEET[1] - 150) == 3


def reached(printed: bytes) -> list[float]:
    """How far down the content of each sheet reaches, as shares of what margins of 14 mm leave."""
    shares = []
    for sheet in pypdfium2.PdfDocument(printed):
        grey = sheet.render(scale=20 / 72, grayscale=True).to_numpy()
        inked = np.flatnonzero(grey.min(axis=1) < 235)
        shares.append((float(inked.max()) / len(grey) - 14 / 297) / (1 - 28 / 297))
    return shares


LEAST = 0.55
"""Share of a sheet's height that its content reaches down to, but for the last."""
FIRST = """[...document.querySelectorAll("main :is(figure.chart, figure.plot, .scroll:not(:has(.searchable)))")].filter(e => !e.closest("h2 ~ *"))
  .filter(e => e.getBoundingClientRect().height > 0).map(e => e.getBoundingClientRect().bottom + scrollY)[0] || 0"""
SMALL = """[...document.querySelectorAll(".canvas text")].filter(t => t.textContent.trim()).map(t => {
  const at = t.getScreenCTM();
  return [Math.hypot(at.a, at.b) * parseFloat(getComputedStyle(t).fontSize) * 0.75, t.textContent];
}).filter(t => t[0] < 6.5).slice(0, 4)"""


def fits_its_sheets(page) -> None:
    """Everything as wide as a sheet, and what belongs together kept together."""
    page.set_viewport_size({"width": SHEET[0], "height": 844})
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.evaluate(RESTING)
    assert page.evaluate(FAULTS, list(SHEET)) == []


def fills_its_sheets_from_a_screen(page, name: str) -> None:
    """As a reader prints it from a wide screen: no inner sheet half empty, its pictures legible."""
    margins = dict.fromkeys(("top", "bottom", "left", "right"), "14mm")
    *inner, _ = reached(page.pdf(format="A4", margin=margins))
    assert [round(share, 2) for share in inner if share < LEAST] == []
    page.emulate_media(media="print")
    narrow = page.add_style_tag(
        content=f"main {{ width: {SHEET[0]}px }}"
    )  # a picture drawn on a screen shrinks onto paper
    page.evaluate(RESTING)
    bottom = page.evaluate(FIRST)
    assert bottom <= SHEET[1]  # the first picture, on the first sheet below the answer
    assert bottom or name == "11_claims.html"  # whose answer is a list of claims, longer than a sheet
    assert page.evaluate(SMALL) == []
    narrow.evaluate("e => e.remove()")


@pytest.mark.parametrize("name", [name for name in page_names() if "/" not in name])
def test_a_page_on_paper_fills_its_sheets_and_keeps_together_what_belongs_together(browser, name):
    page, _ = opened(browser, name, "light", 1280)
    try:
        if name[:2].isdigit():
            fills_its_sheets_from_a_screen(page, name)
        fits_its_sheets(page)
    finally:
        page.context.close()
