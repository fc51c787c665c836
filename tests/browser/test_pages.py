"""Every page: offline, light and dark, wide and narrow: nothing fetched, nothing broken, every chart drawn, axe clean."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import REPORTS, page_names
from playwright.sync_api import Browser, Page

DRAWN = (
    "document.querySelectorAll('figure.chart').length === document.querySelectorAll('figure.chart[data-drawn]').length"
)
PHONE, DESK = 390, 1280


def opened(browser: Browser, name: str, scheme: str, width: int) -> tuple[Page, list[str]]:
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 844})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.on("request", lambda r: faults.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto((REPORTS / name).as_uri())
    page.wait_for_function(DRAWN, timeout=15000)
    return page, faults


@pytest.mark.parametrize("name", page_names())
@pytest.mark.parametrize(("scheme", "width"), [("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)])
def test_page_opens_whole_and_fits(browser, name, scheme, width):
    page, faults = opened(browser, name, scheme, width)
    try:
        assert faults == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for figure in page.query_selector_all("figure.chart"):
            assert figure.query_selector("svg"), figure.get_attribute("id")
            assert figure.query_selector_all("svg path, svg rect, svg text")
    finally:
        page.context.close()


@pytest.mark.parametrize("name", page_names())
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, name, scheme):
    page, _ = opened(browser, name, scheme, DESK)
    try:
        found = Axe().run(page).response["violations"]
        serious = [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in ("serious", "critical")]
        assert serious == []
    finally:
        page.context.close()


def test_pages_stay_light():
    assets = sum(path.stat().st_size for path in (REPORTS / "assets").iterdir())
    assert (REPORTS / "index.html").stat().st_size + assets <= 1.3e6
    for name in page_names():
        assert (REPORTS / name).stat().st_size <= 2.5e6, name


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
