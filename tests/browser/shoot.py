"""Pictures of pages for people: python tests/browser/shoot.py PAGE OUT [light|dark] [width]."""

from __future__ import annotations

import sys

from conftest import ARGUMENTS, REPORTS
from playwright.sync_api import sync_playwright

if __name__ == "__main__":
    name, out = sys.argv[1:3]
    scheme, width = (sys.argv[3:4] or ["light"])[0], int((sys.argv[4:5] or ["1280"])[0])
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 844})
        page = context.new_page()
        page.goto((REPORTS / name).as_uri())
        page.wait_for_timeout(2500)
        page.screenshot(path=out, full_page=True)
        browser.close()
