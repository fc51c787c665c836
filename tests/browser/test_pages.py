"""Every page: offline, light and dark, wide and narrow: nothing fetched, nothing broken, every chart drawn, axe clean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from conftest import REPORTS, page_names, serious

DRAWN = "html:not(:has(figure.chart)), html[data-charts=drawn]"
FILLED = "html:not(:has(#live)), #live[data-ribbons=filled]"
WIDE = (
    "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
    ".map(e => e.getAttribute('aria-label'))"
)
PHONE, DESK = 390, 1280
PICTURE = "main figure.chart .canvas, main table"
SHOWN = "t => [...(t.tBodies.length > 1 ? t.tBodies : t.tBodies[0].rows)].filter(e => e.getBoundingClientRect().height > 0).length"
LONGEST = 20000
"""Pixels that a page may measure on a phone."""
HELD = """() => [...document.querySelectorAll('*')].filter(e => ['sticky', 'fixed'].includes(getComputedStyle(e).position))
  .map(e => e.getBoundingClientRect().height)"""
"""Heights of what stays while a page is scrolled."""
WORDS = """() => [...document.querySelectorAll("figure.chart svg")].flatMap(svg => {
  const box = svg.getBoundingClientRect(), id = svg.closest("figure").id;
  const all = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim() && getComputedStyle(t).opacity !== "0")
    .map(t => [t.textContent, t.getBoundingClientRect()]).filter(([, r]) => r.width > 0);
  const cut = all.filter(([, r]) => r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1
    || r.bottom > box.bottom + 1).map(([text]) => `${id}: '${text}' is cut`);
  const over = all.flatMap(([text, a], i) => all.slice(i + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3)
    .map(([other]) => `${id}: '${text}' lies on '${other}'`));
  return cut.concat(over);
})"""
"""Words of charts that reach past their picture, or over one another."""
RESTING = """() => new Promise(done => {
  let last = "", still = 0;
  const look = () => {
    const now = [...document.querySelectorAll("figure.chart svg")].map(e => e.outerHTML).join();
    still = now === last ? still + 1 : 0;
    last = now;
    still === 3 ? done() : requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
"""Once the charts have stood through three frames."""
PLACES = """() => [...document.querySelectorAll("main *")].map(e => {
  const box = e.getBoundingClientRect();
  return [e.tagName, box.x, box.y + scrollY, box.width, box.height].join();
}).concat([...document.querySelectorAll("figure.chart svg")].map(e => e.outerHTML.replace(/clip\\d+/g, "clip")))"""
"""Where everything of a page stands, and its charts."""
READ = """() => [...document.querySelectorAll("body, body :not(.vg-tooltip)")].map(e => [e.localName, e.checkVisibility(),
  ...[...e.attributes].filter(a => a.name !== "style" && (!e.closest("svg") || /^(role|aria-.*|tabindex|href)$/.test(a.name)))
    .map(a => `${a.name}=${a.value}`)].join(" "))"""
"""All that axe's rules read but those of colour; what a chart shows at the pointer, once that has been over it, is not of the page."""
EMPTY = """() => [...document.querySelectorAll("figure.chart")].filter(e => !e.querySelector("svg :is(path, rect, text)")).map(e => e.id)"""
LOST = """() => [...document.querySelectorAll("nav.contents a")].map(e => e.getAttribute("href").slice(1))
  .filter(id => document.querySelectorAll(`[id='${id}']`).length !== 1)"""
"""Entries of a page's contents that lead to nothing, or to two places."""
TOPS = "all => all.map(e => e.getBoundingClientRect()).filter(b => b.width || b.height).map(b => [b.y, b.height])"


def opened(browser: Browser, name: str, scheme: str, width: int) -> tuple[Page, list[str]]:
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 844})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.on("request", lambda r: faults.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto((REPORTS / name).as_uri())
    page.wait_for_selector(DRAWN, state="attached", timeout=15000)
    return page, faults


def turn(page: Page, scheme: str, width: int) -> None:
    """The open page as it is in another scheme and width."""
    if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") != (scheme == "dark"):
        page.evaluate("delete document.documentElement.dataset.charts")
        page.emulate_media(color_scheme=scheme)
        page.wait_for_selector(DRAWN, state="attached", timeout=15000)
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate(RESTING)


def walked(name: str) -> bool:
    """Whether a page is one of the walk, with an answer and a picture."""
    return name[0].isdigit() or name == "index.html"


def fits(page: Page, name: str) -> None:
    """Nothing wider than the screen, every chart drawn; unfolds what is folded."""
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(WIDE) == []
    assert page.evaluate(EMPTY) == []


def shows_its_answer_and_the_beginning_of_its_picture(page: Page, name: str) -> None:
    if not walked(name):
        return
    tall = page.viewport_size["height"]
    tops = [top for top, height in page.eval_on_selector_all(PICTURE, TOPS) if height > 60]
    assert page.query_selector("main .answer").bounding_box()["y"] < 0.35 * tall
    assert min(tops) < 0.85 * tall
    # what introduces the page follows its picture; nothing of a later part comes before either
    assert min(tops) < min(top for top, _ in page.eval_on_selector_all("main h2", TOPS))
    assert all(height < 0.15 * tall for height in page.evaluate(HELD))


def shows_the_first_rows_of_a_long_table_and_the_rest_when_asked(page: Page, name: str) -> None:
    if not walked(name) and name != "find.html":
        return
    assert page.evaluate("document.documentElement.scrollHeight") <= LONGEST
    for table in page.query_selector_all("table.cut"):
        if not table.is_visible():
            continue  # inside a part that is folded
        assert table.evaluate(SHOWN) == 6
        rest = table.evaluate_handle("t => t.nextElementSibling")
        rows = int(rest.inner_text().split()[1])
        rest.click()
        assert table.evaluate(SHOWN) == rows
        assert not rest.is_visible()


def cuts_or_covers_no_word_of_a_chart(page: Page, name: str) -> None:
    assert page.evaluate(WORDS) == []


def has_no_serious_fault_of_colour(page: Page, name: str) -> None:
    page.wait_for_selector(FILLED, state="attached")
    page.evaluate(f"window.read = ({READ})()")
    assert serious(page, tags=["cat.color"]) == []


def has_nothing_serious_for_axe(page: Page, name: str) -> None:
    """By rules of colour here, by the others in the other scheme too, in which the page reads the same."""
    assert page.evaluate(f"({READ})().filter((line, i) => line !== window.read[i])") == []
    assert page.evaluate(f"window.read.length === ({READ})().length")
    assert serious(page) == []


def has_words_and_both_exports_at_every_chart(page: Page, name: str) -> None:
    for figure in page.query_selector_all("figure.chart"):
        assert len(figure.get_attribute("aria-label")) > 20
        assert figure.query_selector("svg").get_attribute("aria-label") == figure.get_attribute("aria-label")
        assert [b.text_content() for b in figure.query_selector_all(".links button")] == [
            "Data as CSV",
            "Image as PNG",
            "Cite",
        ]
    first = page.query_selector("figure.chart .links button")
    if first:
        with page.expect_download() as saved:
            first.click()
        text = Path(saved.value.path()).read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert len(text.splitlines()) > 3


def is_reached_by_keyboard_and_leads_on(page: Page, name: str) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    hidden = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, select')].filter(e => e.tabIndex < 0).length"
    )
    assert hidden == 0
    assert page.locator("nav.contents a").count() >= 4
    # pages in the walk lead back and on; lists beside it lead to the summary
    assert page.locator("nav.pager a").count() >= (2 if walked(name) else 1)
    assert page.evaluate(LOST) == []


OPENED = {
    "desk": (
        ("dark", DESK, (has_no_serious_fault_of_colour,)),
        ("light", DESK, (is_reached_by_keyboard_and_leads_on, has_nothing_serious_for_axe)),
        ("light", DESK, (has_words_and_both_exports_at_every_chart,)),
        ("light", 900, (cuts_or_covers_no_word_of_a_chart,)),
        ("light", 1400, (cuts_or_covers_no_word_of_a_chart,)),
        ("light", DESK, (fits,)),
        ("dark", DESK, (fits,)),
    ),
    "phone": (
        ("light", PHONE, (shows_its_answer_and_the_beginning_of_its_picture, cuts_or_covers_no_word_of_a_chart)),
        ("light", PHONE, (shows_the_first_rows_of_a_long_table_and_the_rest_when_asked, fits)),
        ("dark", PHONE, (fits,)),
    ),
}
"""What a page does on each screen, in an order in which none disturbs the next: it opens once for all of a machine."""


@pytest.mark.parametrize("name", page_names())
@pytest.mark.parametrize("machine", list(OPENED))
def test_every_page_on_every_screen(browser, name, machine):
    scheme, width, _ = OPENED[machine][0]
    page, faults = opened(browser, name, scheme, width)
    try:
        assert faults == []  # nothing fetched, nothing broken
        for scheme, width, checks in OPENED[machine]:
            turn(page, scheme, width)
            for check in checks:
                check(page, name)
        assert faults == []
    finally:
        page.context.close()


@pytest.mark.parametrize("name", ["04_prefill_decode_ratio.html", "08_power.html"])
def test_a_page_turned_to_another_screen_is_the_page_opened_on_it(browser, name):
    """What lets a page open once for several screens."""
    page, _ = opened(browser, name, "dark", DESK)
    for scheme, width in (("light", 900), ("light", 1400), ("dark", DESK)):
        turn(page, scheme, width)
        fresh, _ = opened(browser, name, scheme, width)
        fresh.evaluate(RESTING)
        assert page.evaluate(PLACES) == fresh.evaluate(PLACES)
        fresh.context.close()
    page.context.close()


@pytest.mark.parametrize("row", ["tbody tr:nth-child(20)", "tbody tr"], ids=["one", "all"])
@pytest.mark.parametrize("style", ["color: #bbb", "background: #777", "opacity: 0.4"])
def test_pale_text_is_found_among_cells_that_look_alike(browser, row, style):
    page, _ = opened(browser, "parameters.html", "light", DESK)
    page.add_style_tag(content=f"{row} {{ {style} }}")
    assert [fault[:15] for fault in serious(page)] == ["color-contrast:"]
    page.context.close()


def test_what_a_phone_leaves_out_of_a_long_table_is_found_by_its_filter_and_shown_on_a_desk(browser):
    page, _ = opened(browser, "01_platforms_and_models.html", "light", PHONE)
    table = page.locator("table.searchable").first
    last = table.locator("tbody th").last
    assert not last.is_visible()
    page.get_by_label("Filter rows: " + table.locator("caption").inner_text()).fill(last.text_content())
    assert last.is_visible()
    page.context.close()
    page, _ = opened(browser, "01_platforms_and_models.html", "light", DESK)
    assert page.locator("table.cut").count() == 0
    page.context.close()


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_the_menu_of_pages_lies_on_the_screen(browser, width):
    page, _ = opened(browser, "glossary.html", "light", width)
    try:
        page.locator(".goto > summary").click()
        box = page.locator(".goto nav").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    finally:
        page.context.close()


def test_pages_stay_light():
    asked_for = re.findall('data-file="assets/([a-z.]+)"', (REPORTS / "index.html").read_text(encoding="utf-8"))
    assert asked_for  # when a reader wants it, not with the page
    assets = sum(path.stat().st_size for path in (REPORTS / "assets").iterdir() if path.name not in asked_for)
    assert (REPORTS / "index.html").stat().st_size + assets <= 1.4e6
    for name in page_names():
        assert (REPORTS / name).stat().st_size <= 2.5e6, name


def test_folded_tables_open_on_paper_and_close_again(browser):
    page, _ = opened(browser, "00_executive_summary.html", "light", DESK)
    closed = "document.querySelectorAll('details.fold:not([open])').length"
    before = page.evaluate(closed)
    assert before
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(closed) == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(closed) == before
    page.context.close()


def test_a_filter_keeps_a_row_and_the_text_under_it_together(browser):
    page, _ = opened(browser, "01_platforms_and_models.html", "light", DESK)
    table = page.locator("table.searchable:has(tr.under)").first
    unit = table.locator("tbody:has(tr.under)").first
    name = unit.locator("th").inner_text()
    box = page.get_by_label("Filter rows: " + table.locator("caption").inner_text())
    box.fill(name)
    assert unit.locator("tr.under").is_visible()
    box.fill("nothing is called this")
    assert not unit.locator("tr.under").is_visible()
    page.context.close()


def test_without_a_script_the_answer_and_its_table_stand(browser):
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto((REPORTS / "index.html").as_uri())
    assert len(page.inner_text("p.answer")) > 60
    assert page.locator("table.ranking tbody tr").count() >= 7
    context.close()


def test_code_opens_with_one_button(browser):
    page, _ = opened(browser, page_names()[1], "light", DESK)
    assert page.locator("details.code[open]").count() == 0
    page.click("#code-toggle")
    assert page.locator("details.code:not([open])").count() == 0
    page.context.close()
