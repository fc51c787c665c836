"""A headless Chromium without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
REPORTS = Path(os.environ["PAGES"]) if "PAGES" in os.environ else ROOT / "reports"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def page_names() -> list[str]:
    """Every page of the site."""
    return [
        path.relative_to(REPORTS).as_posix()
        for folder in (REPORTS, REPORTS / "api")
        for path in sorted(folder.glob("*.html"))
    ]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS)
        yield found
        found.close()
