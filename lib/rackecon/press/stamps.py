"""What each page was made of and what it gave, so that a page whose inputs and outputs are unchanged is not made again.

A page is made of its notebook and parameters, the tables, the user's rows, the library, the versions installed, and the list of pages
that its navigation names. The record lies beside the pages and is not committed: a fresh checkout makes everything once.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import rackecon
from rackecon.appraisal.parameters import notebook_path
from rackecon.catalog.paths import data_dir, listed, user_dir
from rackecon.catalog.written import write_file
from rackecon.press.results import FOLDER

NAME: Final = ".made.json"
LIBRARY: Final = Path(rackecon.__file__).resolve().parent
SITE: Final = "site"
"""Index, shared files and pages of reference: made again when any page is."""


def _files(folder: Path | None) -> Iterable[Path]:
    if folder is None or not folder.is_dir():
        return ()
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _installed() -> list[str]:
    """Names and versions of what is installed, as the folders of their metadata say."""
    return sorted(path.name for entry in sys.path if entry for path in Path(entry).glob("*.dist-info"))


def common() -> str:
    """Digest of all that every result depends on."""
    digest = hashlib.sha256(json.dumps([sys.version, _installed()]).encode())
    for folder in (LIBRARY, data_dir(), user_dir()):
        for path in _files(folder):
            digest.update(f"{path.relative_to(folder or path)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def made_of(parameters: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> dict[str, str]:
    """Digest of what each page is made of.

    Parameters
    ----------
    parameters : mapping
        Given parameters of each page, by name.
    names : iterable of str
        All pages of the report, which each page's navigation names.

    Returns
    -------
    dict of str
        By page.
    """
    shared, pages = common(), list(names)
    out = {}
    for name, given in parameters.items():
        text = json.dumps([shared, pages, dict(given)], sort_keys=True, default=str)
        out[name] = hashlib.sha256(text.encode() + notebook_path(name).read_bytes()).hexdigest()
    return out


class Stamps:
    """The record of a folder of pages: read once, written as each page is done."""

    def __init__(self, target: Path, made: Mapping[str, str]) -> None:
        self.target, self.made = target, dict(made)
        try:
            known = json.loads((target / NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            known = {}
        self.known: dict[str, Any] = known if isinstance(known, dict) else {}

    def _gave(self, files: Iterable[str]) -> dict[str, str]:
        return {name: hashlib.sha256((self.target / name).read_bytes()).hexdigest() for name in files}

    def fresh(self, page: str) -> bool:
        """Whether a page was made of the same and still stands as it was made."""
        entry = self.known.get(page)
        if not isinstance(entry, dict) or entry.get("of") != self.made.get(page) or not entry.get("gave"):
            return False
        try:
            return bool(self._gave(entry["gave"]) == entry["gave"])
        except OSError:
            return False

    def own(self, page: str) -> tuple[str, str, str]:
        """Files that every notebook's page is."""
        return f"{page}.ipynb", f"{page}.html", f"{FOLDER}/{page}.csv"

    def done(self, page: str, files: Iterable[str] | None = None) -> None:
        """Keep what a page gave."""
        gave = self._gave(files or self.own(page))
        self.known[page] = {"of": self.made[page], "gave": gave}
        self._write()

    def forget(self, page: str) -> None:
        """A page that is to be made again, or failed."""
        if self.known.pop(page, None) is not None:
            self._write()

    def _write(self) -> None:
        write_file(self.target / NAME, json.dumps(self.known, indent=1, sort_keys=True) + "\n")

    def site_of(self) -> str:
        """Digest of what index, shared files and reference are made of: every page that stands in the folder."""
        pages = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in listed(self.target, "[0-9][0-9]_*.ipynb")
        }
        return hashlib.sha256(json.dumps([self.made, pages], sort_keys=True).encode()).hexdigest()
