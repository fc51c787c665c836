"""Hostile text in every cell that a user may fill, and in addresses of pages: refused in one line, or shown as text alone."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import bad_input
import commands
import legal
from faults import ROOT

Attempt = tuple[str, Callable[[], str]]
TURNS = 2
"""Reports that are made, the texts standing in other cells each time."""
SEEN = 3
"""Texts that are read on some page of each at least: notes and sources are shown where a row is."""
SCRIPT = "<img src=q onerror=window.broken=1>"
NAMES = (
    SCRIPT,
    "<!--<script>",
    "</script><script>window.broken=1</script>",
    '"><svg onload=window.broken=1>',
    "javascript:window.broken=1",
    "');background:url(//x",
    "__proto__",
    "constructor",
    "\u202eevil",
    "{{7*7}}${7*7}<a href=//x>",
    "[x](javascript:window.broken=1)",
)
BASE = {
    "accelerators": "h100-sxm", "racks": "h100-sxm", "costs": "h100-sxm", "power": "h100-sxm", "models": "deepseek-r1",
    "prices": "deepseek-r1", "workloads": "azure2023_code", "scenarios": "rag-summarise",
}  # fmt: skip
"""Rows that every page shows; an own one stands in place of each."""
KEYS = (
    "model", "scenario", "metric", "speed", "pin", "pout", "hit", "util", "level", "software", "precision", "without", "basis",
    "__proto__", "first", "constructor",
)  # fmt: skip
VALUES = (
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "1e999",
    "NaN",
    "-1",
    "%3Cimg%20src%3Dq%20onerror%3Dwindow.broken%3D1%3E",
)
FRAGMENTS = (
    "#__proto__",
    "#constructor",
    "#%3Cimg%20src%3Dq%20onerror%3Dwindow.broken%3D1%3E",
    "#q=%3Cscript%3E(((%5B",
    "#%E0%A4%A",
)
ADDRESSES = (*(f"#{key}={value}" for key in KEYS for value in VALUES), "#pout=", "#speed=")
PROBE = """() => [window.broken === undefined ? "" : "a script ran",
  ...[...document.querySelectorAll("body *")].filter(e => e.getAttributeNames().some(n => n.startsWith("on"))).map(e => e.outerHTML.slice(0, 80)),
  ...[...document.querySelectorAll("img[src=q], svg[onload], a[href^='javascript:'], a[href='//x']")].map(e => e.outerHTML.slice(0, 80)),
].filter(Boolean)"""


def base_rows() -> dict[str, dict[str, str]]:
    """A good row of every table that takes some, in place of a shipped one where there is one of its key."""
    from rackecon.catalog.paths import KEYS as COLUMNS
    from rackecon.catalog.paths import shipped_rows

    given = {"measured_serving": commands.MEASURED, "costs": commands.COST, "power": commands.COST}
    rows = {name: next(csv.DictReader(io.StringIO(text))) for name, text in given.items()}
    for table in COLUMNS:
        key = COLUMNS[table][0] if table != "prices" else "model_id"
        if table not in rows:
            rows[table] = dict(next(row for row in shipped_rows(table) if row[key] == BASE[table]))
    return rows


def text_columns(table: str) -> list[str]:
    """Columns that hold text."""
    from rackecon.catalog.user_rows import table_fields

    return [name for name, field in table_fields(table).items() if field["type"] == "string"]


def csv_bytes(row: dict[str, str]) -> bytes:
    """A table of one row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return out.getvalue().encode()


def rows(folder: Path) -> Iterator[Attempt]:
    """Every text in every column of text of every table, and by the other doors: refused in one line, or taken as it is."""
    for table, base in base_rows().items():
        for column in text_columns(table):
            for name in NAMES:
                given = {"file.csv": csv_bytes(base | {column: name})}
                row = ("row", ("data", "add", table, "file.csv"), given, False)
                yield f"{table} {column} {name!r}", lambda row=row: bad_input.judged(row, folder)
    config = {"config.json": json.dumps(commands.CONFIG).encode()}
    for name in NAMES:
        own = {"config.json": json.dumps(commands.CONFIG | {"_name_or_path": name, "architectures": [name]}).encode()}
        points = {
            "points.csv": commands.MEASURED.replace("llama-3.1-70b", f'"{name.replace(chr(34), chr(34) * 2)}"').encode()
        }
        for door in (
            ("model of the name", ("data", "add-model", "config.json"), own, False),
            (
                "--id of a model",
                ("data", "add-model", "config.json", "--id", name),
                config,
                not name.strip("_").isalpha(),
            ),
            (
                "--id of a workload",
                ("data", "add-workload", "trace.csv", "--id", name),
                {"trace.csv": commands.TRACE.encode()},
                False,
            ),
            ("measured model", ("data", "add-measured", "points.csv"), points, True),
            ("name of a report", ("report", "01_platforms_and_models", "--name", name), {}, False),
            ("name of a notebook", ("new", name), {}, True),
        ):
            yield f"{door[0]} {name!r}", lambda door=door: bad_input.judged(door, folder)


def accepted(folder: Path) -> dict[str, list[str]]:
    """Columns of each table that take any text."""
    return {
        table: [
            column
            for column in text_columns(table)
            if not bad_input.judged(("row", ("data", "add", table, "file.csv"), {"file.csv": csv_bytes(base | {column: NAMES[0]})}, False), folder)
            and (folder / "own" / f"{table}.csv").is_file()
        ]
        for table, base in base_rows().items()
    }  # fmt: skip


def own_folder(folder: Path, turn: int) -> tuple[Path, set[str]]:
    """Own rows of every table, each cell that takes any text holding a hostile one, and the texts that were taken."""
    columns, texts, taken = accepted(folder / "probe"), cycle(NAMES), set()
    for _ in range(turn):
        next(texts)
    environment = os.environ | {"RACKECON_USER_DATA": str(folder / "own")}
    for table, base in base_rows().items():
        if table == "workloads":  # added from a trace; their words come in by hand alone
            row = base | {column: next(texts) for column in text_columns(table) if column not in ("workload", "kind")}
            (folder / "own" / "workloads.csv").write_bytes(csv_bytes(row))
            continue
        row = base | {column: next(texts) for column in columns[table]}
        (folder / "file.csv").write_bytes(csv_bytes(row))
        command = [sys.executable, "-m", "rackecon", "data", "add", table, str(folder / "file.csv")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        while done.returncode:  # a text that this column refuses: the next one
            bad = next((column for column in columns[table] if f" {column}:" in done.stderr), "")
            assert bad, done.stderr
            row[bad] = next(texts)
            (folder / "file.csv").write_bytes(csv_bytes(row))
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        taken |= {row[column] for column in columns[table]}
    return folder / "own", taken


def site(folder: Path, turn: int) -> tuple[Path, set[str]]:
    """The whole report made with hostile rows in place of the shipped ones."""
    (folder / "reports").mkdir(parents=True)
    own, taken = own_folder(folder, turn)
    environment = os.environ | {"RACKECON_USER_DATA": str(own), "RACKECON_REPORTS": str(folder / "reports")}
    command = [sys.executable, "-m", "rackecon", "report", "--jobs", "1", "--force"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-1000:]
    return folder / "reports", taken


def page_names() -> list[str]:
    """Every page of the report."""
    return [
        path.relative_to(ROOT / "reports").as_posix()
        for path in (*sorted((ROOT / "reports").glob("*.html")), *sorted((ROOT / "reports" / "api").glob("*.html")))
    ]


def pages(folder: Path) -> Iterator[Attempt]:
    """Every page of reports made with hostile rows: no script ran, none is broken, and each text is read somewhere as text."""
    with chromium() as browser:
        for turn in range(TURNS):
            held: dict[str, Any] = {}

            def made(turn: int = turn, held: dict[str, Any] = held) -> str:
                held["reports"], held["texts"] = site(folder / str(turn), turn)
                return ""

            def whole(held: dict[str, Any] = held) -> str:
                read = " ".join(held.get("read", ()))
                seen = [text for text in held["texts"] if " ".join(text.split()) in read]
                return "" if len(seen) >= SEEN else f"only {seen} are read on any page"

            yield f"turn {turn}: the report", made
            for name in page_names():
                yield (
                    f"turn {turn}: {name}",
                    lambda name=name, held=held: shown(browser, held["reports"] / name, held.setdefault("read", [])),
                )
            yield f"turn {turn}: the texts are read", whole


def addresses() -> Iterator[Attempt]:
    """Every address of the pages with controls, and fragments that are none on every page."""
    with chromium() as browser:
        for name in page_names():
            live = name == "index.html"
            for address in (*FRAGMENTS, *(ADDRESSES if live else ())):
                path = ROOT / "reports" / name
                yield f"{name} {address}", lambda path=path, address=address: addressed(browser, path, address)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a network."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        found = play.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=arguments)
        yield found
        found.close()


def opened(browser: Any, path: Path, address: str = "") -> tuple[Any, list[str]]:
    """A page at an address, and what goes wrong in it."""
    page = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(f"fault: {fault}"))
    page.on(
        "request", lambda asked: None if asked.url.startswith(("file:", "data:", "blob:")) else faults.append(asked.url)
    )
    page.goto(path.as_uri() + address)
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    return page, faults


def shown(browser: Any, path: Path, read: list[str]) -> str:
    """Open a page of hostile rows: empty where it is whole, nothing of theirs ran, and none of them became an element."""
    page, faults = opened(browser, path)
    drawn = "html:not(:has(figure.chart)), html[data-charts=drawn]"
    try:
        page.wait_for_selector(drawn, state="attached", timeout=30000)
        if page.locator("#live").count():
            page.wait_for_selector("#live:not([hidden])", timeout=30000)
    except Exception as fault:
        faults.append(str(fault)[:200])
    faults += page.evaluate(PROBE)
    read.append(" ".join(page.evaluate("document.body.textContent").split()))
    page.context.close()
    text = path.read_text(encoding="utf-8")
    broken = "" if path.parent.name == "api" else legal.untrue(text)  # the reference may say None
    return "; ".join([*faults, *([broken] if broken else [])])


def addressed(browser: Any, path: Path, address: str) -> str:
    """Open a page at a hostile address: empty where it falls back, with a word where its controls were asked."""
    page, faults = opened(browser, path, address)
    faults += page.evaluate(PROBE)
    if "=" in address and page.locator("#live").count():
        words = page.inner_text(".live-verdict")
        faults += [
            f"says {word}" for word in ("function", "NaN", "undefined", "native code", "Infinity") if word in words
        ]
        if not page.inner_text(".live-status").startswith("The address asks for what this page cannot show: "):
            faults.append(f"no word, but {page.inner_text('.live-status')!r}")
    page.context.close()
    return "; ".join(faults)
