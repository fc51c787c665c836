"""The results of a run, read back from its executed notebooks: answers, and every cell of every table."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rackecon.errors import InputError
from rackecon.press.record import read_record

__all__ = ["load_run", "results"]


class _Reader(HTMLParser):
    """Cells of tables by row and column heading; the other text by paragraph."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[str, str] = {}
        self.lines: list[str] = []
        self.caption = ""
        self.heads: list[str] = []
        self.row: list[str] = []
        self.text: list[str] = []
        self.inside = self.hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("script", "style", "svg"):
            self.hidden += 1
        elif tag == "table":
            self.inside, self.caption, self.heads = self.inside + 1, "", []
        elif tag == "tr":
            self.row = []
        if tag in ("td", "th", "caption", "p", "li", "div"):
            self._flush()

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "svg"):
            self.hidden = max(self.hidden - 1, 0)
        elif tag == "caption":
            self.caption, self.text = self._words(), []
        elif tag in ("td", "th"):
            self.row.append(self._words())
            self.text = []
        elif tag == "tr" and self.row:
            if not self.heads:
                self.heads = self.row
            else:
                for head, cell in zip(self.heads[1:], self.row[1:], strict=False):
                    self._put(f"{self.caption}: {self.row[0]}, {head}", cell)
        elif tag == "table":
            self.inside -= 1
        elif tag in ("p", "li", "div"):
            self._flush()

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.text.append(data)

    def _words(self) -> str:
        return " ".join("".join(self.text).split())

    def _flush(self) -> None:
        if not self.inside and self._words():
            self.lines.append(self._words())
        if not self.inside:
            self.text = []

    def _put(self, key: str, value: str) -> None:
        number, name = 2, key
        while name in self.cells:
            name, number = f"{key} ({number})", number + 1
        self.cells[name] = value


def results(notebook: Path) -> dict[str, str]:
    """Answers and table cells of one executed notebook, by a name that two runs share."""
    out: dict[str, str] = {}
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, OSError):
        raise InputError(f"{notebook.name}: not a notebook") from None
    for number, cell in enumerate(cells[:-1]):  # the last cell is the provenance
        for output in cell.get("outputs", []):
            markup = "".join(output.get("data", {}).get("text/html", ""))
            reader = _Reader()
            reader.feed(markup)
            reader.close()
            out |= {f"{notebook.stem}: {key}": value for key, value in reader.cells.items()}
            out |= {f"{notebook.stem} cell {number}, sentence {i}": line for i, line in enumerate(reader.lines, 1)}
    return out


def load_run(runs: Path, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Record and results of a run by name or folder."""
    record = read_record(runs, name)
    folder = next(path for path in (Path(name), runs / name) if (path / "run.json").is_file())
    found: dict[str, str] = {}
    for notebook in record["notebooks"]:
        if (folder / f"{notebook}.ipynb").is_file():
            found |= results(folder / f"{notebook}.ipynb")
    return record, found
