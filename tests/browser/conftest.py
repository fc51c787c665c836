"""A headless Chromium without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
REPORTS = Path(os.environ["PAGES"]) if "PAGES" in os.environ else ROOT / "reports"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# files may not read one another's styles: asked for ahead, they come to nothing but a line in the console
VIOLATIONS = (
    """part => axe.run(part || document, { resultTypes: ["violations"], preload: false }).then(all => all.violations)"""
)


def page_names() -> list[str]:
    """Every page of the site."""
    return [
        path.relative_to(REPORTS).as_posix()
        for folder in (REPORTS, REPORTS / "api")
        for path in sorted(folder.glob("*.html"))
    ]


def serious(page: Page, context: str | None = None) -> list[str]:
    """What axe finds of weight, in a page or in parts of it."""
    page.evaluate(Axe().axe_script)
    found = page.evaluate(VIOLATIONS, context)
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS)
        yield found
        found.close()
