"""The summary on two sheets of A4, printed by a Chromium where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from rackecon import catalog
from rackecon.catalog.written import write_file
from rackecon.errors import InputError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Programs that print, in the order they are looked for; CHROMIUM names another."""
SUMMARY_PDF: Final = "summary.pdf"
LONGEST_S: Final = 120
"""Seconds after which a browser that does not print is given up."""
HEADINGS: Final = ('<h2 id="what-decides-it"', '<h2 id="the-same-question-by-other-measures"')
"""Where the two parts below the answer begin."""
SHEETS: Final = (
    "@page{size:A4;margin:13mm 14mm}body{font-size:9.5pt!important;line-height:1.26}.contents,.pager,.links,.filter,.top,nav{display:none!important}"
    "h1{font-size:15pt;margin:0 0 6pt}h2{font-size:12.5pt;margin:7pt 0 2pt}p{margin:2pt 0!important;max-width:none!important}"
    ".answer{font-size:10.5pt!important;padding:3pt 10pt}.kicker,.foot,caption,.measure{font-size:8.5pt!important}.table,.table th{font-size:8pt!important;line-height:1.1}.table .ends,.under td{font-size:7.5pt!important}"
    ".ranking .barcell{white-space:nowrap}.ranking .ibar{display:inline-block;width:44%;min-width:0;vertical-align:middle}.ranking td .ends{display:inline;margin-left:5px}"
    "#what-decides-it{break-before:page}th,td{padding-top:1.2px!important;padding-bottom:1.2px!important}"
)
"""What two sheets need beyond the pages' own print style."""


def summary_sheets(index: str) -> str:
    """The index as text and tables without a script: the answer and its measures, then what decides it."""
    # paper follows no link: one that ends a paragraph goes with its words, others leave theirs
    dropped = r'<script\b.*?</script>|<details class="code".*?</details>|<a class="skip".*?</a>|\s*<a\b[^>]*>[^<]*</a>[.]?(?=</(?:p|div)>)|</?a\b[^>]*>|</?section\b[^>]*>|<div class="apart">'
    whole = re.sub(dropped, "", index, flags=re.S)
    main = re.search(r"(<main\b[^>]*>)(.*)</main>", whole, re.S)
    ends = [-1] if main is None else [main[2].find(mark) for mark in (*HEADINGS, '<details class="fold part"')]
    if main is None or min(ends) < 0:
        raise InputError("index.html holds no summary to print: rackecon report 00_executive_summary makes it")
    body, (decides, measures, folded) = main[2], ends
    edition = re.search(r'<p id="edition"[^>]*>(Edition .*?, data as of [0-9-]+[.])', body)
    head = whole[: main.start()].replace("</head>", f"<style>{SHEETS}</style></head>")
    foot = f'<p class="foot">{edition[1] if edition else ""} Summary of the report index.html.</p>'
    return f"{head}{main[1]}{body[:decides]}{body[measures:folded]}{body[decides:measures]}{foot}</main></div></body></html>"


def browser() -> str:
    """The program that prints."""
    named = os.environ.get("CHROMIUM", "")
    found = shutil.which(named) if named else next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        wanted = f"CHROMIUM={named} is no program" if named else "no Chromium or Chrome on this machine"
        raise InputError(f"report --pdf: {wanted}; install the package chromium, or print index.html from any browser")
    return found


def summary_pdf(folder: Path) -> Path:
    """Print the summary of a folder of pages as ``summary.pdf`` beside them; equal pages give equal bytes.

    Parameters
    ----------
    folder : Path
        With ``index.html`` and ``assets/``.

    Returns
    -------
    Path
        Of the file written.

    Raises
    ------
    InputError
        No index with a summary, no browser, or one that does not print; nothing is written then.
    """
    index = folder / "index.html"
    if not index.is_file():
        raise InputError(f"report --pdf: no {index.name} in {folder}")
    program, sheets = browser(), summary_sheets(index.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="rackecon-pdf-") as scratch:
        page, out = Path(scratch) / "summary.html", Path(scratch) / SUMMARY_PDF
        shutil.copytree(folder / "assets", Path(scratch) / "assets", ignore=shutil.ignore_patterns("*.js"))
        page.write_text(sheets, encoding="utf-8")
        words = [
            program, "--headless", "--disable-gpu", "--no-sandbox", "--no-first-run", "--disable-background-networking",
            f"--user-data-dir={scratch}/profile", "--no-pdf-header-footer", f"--print-to-pdf={out}", page.as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(words, capture_output=True, timeout=LONGEST_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"report --pdf: {Path(program).name} did not print: {type(error).__name__}") from None
        if done.returncode or not out.is_file():
            raise InputError(f"report --pdf: {Path(program).name} did not print (exit {done.returncode})")
        write_file(folder / SUMMARY_PDF, _dated(out.read_bytes()))
    return folder / SUMMARY_PDF


def _dated(pdf: bytes) -> bytes:
    """The file dated by its data, not by the clock, its length kept."""
    day = str(catalog.base_case().as_of_date).replace("-", "").encode()
    return re.sub(rb"(/(?:Creation|Mod)Date \(D:)\d{14}", lambda found: found[1] + day + b"000000", pdf)
