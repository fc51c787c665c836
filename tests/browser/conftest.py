"""A headless Chromium without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
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
ALIKE = 3
"""Cells of one look that are held against their background; a table has hundreds."""
# files may not read one another's styles: asked for ahead, they come to nothing but a line in the console
VIOLATIONS = """([part, most, tags]) => {
  const looks = ["color", "backgroundColor", "backgroundImage", "opacity", "filter", "mixBlendMode", "fontSize", "fontWeight",
    "textShadow", "display", "position"];
  const chains = new Map(), counts = new Map(), placed = new Map();
  const chain = e => {  // what is drawn behind a text, and how
    if (!e) return "";
    if (!chains.has(e)) {
      const style = getComputedStyle(e);
      chains.set(e, `${chain(e.parentElement)}|${e.localName},${looks.map(look => style[look])}`);
    }
    return chains.get(e);
  };
  const over = cell => {  // something may lie over its text
    if (!placed.has(cell)) placed.set(cell, [...cell.querySelectorAll("*")].some(e => getComputedStyle(e).position !== "static"));
    return placed.get(cell);
  };
  for (const e of document.querySelectorAll(":is(td, th, pre):not(:has(*)), :is(td, th, pre) :not(:has(*))")) {
    if ((part && !e.closest(part)) || !e.checkVisibility() || over(e.closest("td, th, pre"))) continue;
    counts.set(chain(e), (counts.get(chain(e)) || 0) + 1);
    e.toggleAttribute("data-alike", counts.get(chain(e)) > most);
  }
  axe.configure({ rules: [{ id: "color-contrast", selector: ":not([data-alike])" }] });  // the slowest rule by far
  const runOnly = tags.length ? { runOnly: tags } : {};
  return axe.run(part || document, { resultTypes: ["violations"], preload: false, ...runOnly }).then(all => {
    document.querySelectorAll("[data-alike]").forEach(e => e.removeAttribute("data-alike"));
    return all.violations;
  });
}"""


def page_names() -> list[str]:
    """Every page of the site."""
    return [
        path.relative_to(REPORTS).as_posix()
        for folder in (REPORTS, REPORTS / "api")
        for path in sorted(folder.glob("*.html"))
    ]


def serious(page: Page, context: str | None = None, tags: Sequence[str] = ()) -> list[str]:
    """What axe finds of weight, in a page or in parts of it, by all of its rules or those of some tags."""
    page.evaluate(Axe().axe_script)
    found = page.evaluate(VIOLATIONS, [context, ALIKE, list(tags)])
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS)
        yield found
        found.close()
