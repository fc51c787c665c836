"""Where the tables are, and how a small one is read without pandas."""

from __future__ import annotations

import csv
import hashlib
import os
from functools import lru_cache
from pathlib import Path

from rackecon.errors import InputError, unknown_name

__all__ = ["data_dir", "read_rows", "table_digest", "table_names", "table_path", "tables_read"]


def data_dir() -> Path:
    """Folder of the tables: ``RACKECON_DATA`` if set, else data/ of the checkout, else the copy in the package."""
    given = os.environ.get("RACKECON_DATA")
    if given:
        folder = Path(given)
        if not folder.is_dir():
            raise InputError(f"RACKECON_DATA: no folder {given}")
        return folder
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1] / "data"
    return checkout if (checkout / "accelerators.csv").is_file() else package / "_data"


def table_names() -> list[str]:
    """Names of all tables, sorted."""
    return sorted(path.stem for path in data_dir().glob("*.csv"))


_USED: set[str] = set()


def table_path(name: str) -> Path:
    """Path of a table; an unknown name is refused with the nearest one."""
    path = data_dir() / f"{name}.csv"
    if not path.is_file():
        raise unknown_name("table", name, table_names(), "data/")
    _USED.add(name)
    return path


def tables_read() -> frozenset[str]:
    """Names of the tables that this process has read: what a page's results rest on."""
    return frozenset(_USED)


def read_rows(name: str) -> list[dict[str, str]]:
    """Rows of a table as text, in file order."""
    path = table_path(name)
    return _read(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: str, _modified: int) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    except UnicodeDecodeError as error:
        raise InputError(f"{Path(path).name}: not UTF-8 text (byte {error.start})") from error


def table_digest(name: str) -> str:
    """First 12 hexadecimal digits of a table's SHA-256."""
    return hashlib.sha256(table_path(name).read_bytes()).hexdigest()[:12]
