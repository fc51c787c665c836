"""Pictures of pages for people: python tests/browser/shoot.py OUT [--reports DIR] [--as light] [--as phone] [PAGE ...].

Tall pages come as pieces of a readable height (PAGE-light-1.png, ...), print as the sheets of its PDF.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pypdfium2
from playwright.sync_api import Browser, Page, sync_playwright

from conftest import ARGUMENTS, REPORTS

KINDS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390), "print": ("light", 1280)}
DRAWN = "html:not(:has(figure.chart)), html[data-charts=drawn]"


def opened(browser: Browser, path: Path, scheme: str, width: int) -> Page:
    """The page with every chart drawn and its ribbons filled."""
    page = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 844}).new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN, state="attached", timeout=20000)
    page.wait_for_timeout(500)
    return page


def shoot(browser: Browser, path: Path, kind: str, out: Path, piece: int) -> None:
    """One page in one way, in pieces."""
    scheme, width = KINDS[kind]
    page = opened(browser, path, scheme, width)
    stem = out / f"{path.stem}-{kind}"
    if kind == "print":
        margins = dict.fromkeys(("top", "bottom", "left", "right"), "14mm")
        for number, sheet in enumerate(pypdfium2.PdfDocument(page.pdf(format="A4", margin=margins)), start=1):
            sheet.render(scale=60 / 72).to_pil().save(f"{stem}-{number:02}.png")
    else:
        height = page.evaluate("document.documentElement.scrollHeight")
        for number, top in enumerate(range(0, height, piece), start=1):
            clip = {"x": 0, "y": top, "width": width, "height": min(piece, height - top)}
            page.screenshot(path=f"{stem}-{number}.png", full_page=True, clip=clip)
    page.context.close()


def main() -> None:
    """Parse the command line and shoot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--reports", type=Path, default=REPORTS)
    parser.add_argument("--as", dest="kinds", action="append", choices=list(KINDS))
    parser.add_argument("--piece", type=int, default=1700)
    given = parser.parse_intermixed_args()
    given.out.mkdir(parents=True, exist_ok=True)
    names = given.pages or sorted(path.name for path in given.reports.glob("*.html"))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS)
        for name in names:
            for kind in given.kinds or KINDS:
                shoot(browser, (given.reports / name).resolve(), kind, given.out, given.piece)
        browser.close()


if __name__ == "__main__":
    main()
