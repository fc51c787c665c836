"""The published results of pages as files: key, value and unit, sorted, the same bytes from the same results."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rackecon.catalog.written import csv_text, write_file
from rackecon.errors import InputError
from rackecon.figures.results import RESULTS_MIME

FOLDER = "results"
COLUMNS = ["key", "value", "unit"]
Rows = dict[str, tuple[str, str]]


def published(notebook: Mapping[str, Any], name: str) -> Rows:
    """Value and unit by key of all that an executed notebook published.

    Raises
    ------
    InputError
        A key twice, or results in another page's name.
    """
    found: Rows = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            bundle = output.get("data", {}).get(RESULTS_MIME)
            if bundle is None:
                continue
            if bundle.get("page", name) != name:
                raise InputError(f"{name}: publishes results of {bundle['page']}")
            for key, value, unit in bundle["results"]:
                if key in found:
                    raise InputError(f"{name}: result '{key}' is published twice")
                found[key] = (value, unit)
    return found


def results_text(rows: Rows) -> str:
    """The file's text."""
    return csv_text(COLUMNS, (dict(zip(COLUMNS, (key, *rows[key]), strict=True)) for key in sorted(rows)))


def results_path(folder: Path, name: str) -> Path:
    """Where a page's results lie beside the pages of ``folder``."""
    return folder / FOLDER / f"{name}.csv"


def write_results(folder: Path, name: str, rows: Rows) -> None:
    """Write the results of a page beside the pages of ``folder``."""
    write_file(results_path(folder, name), results_text(rows))


def results_digest(folder: Path, name: str) -> str:
    """First digits of the SHA-256 of a page's results; empty where nothing was written."""
    path = results_path(folder, name)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""


def read_results(folder: Path, name: str) -> Rows:
    """Results of a page by key; none where nothing was written.

    Raises
    ------
    InputError
        A file that holds no results.
    """
    path = results_path(folder, name)
    if not path.is_file():
        return {}
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error):
        lines = []
    if not lines or lines[0] != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
        raise InputError(f"{FOLDER}/{path.name}: needs the columns {', '.join(COLUMNS)}")
    return {key: (value, unit) for key, value, unit in lines[1:]}
