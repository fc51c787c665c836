"""Where the tables are, and how a small one is read without pandas."""

from __future__ import annotations

import csv
import hashlib
import os
from functools import lru_cache
from pathlib import Path

from rackecon.errors import InputError, unknown_name

__all__ = [
    "Stamp",
    "data_dir",
    "read_rows",
    "table_digest",
    "table_names",
    "table_path",
    "table_stamp",
    "tables_read",
    "user_dir",
    "user_path",
]

Stamp = tuple[tuple[str, int], ...]
"""Path and time of change of each file a table is read from: what a cached reading stands on."""


REPLACED = frozenset(
    {"serving_parameters", "serving_intercepts", "validation_scores", "residual_scales", "validation_points"}
)
"""What a calibration writes: in the user's folder it stands for the shipped table, not beside it."""

_PACKAGE = Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """Folder of the tables: ``RACKECON_DATA`` if set, else data/ of the checkout, else the copy in the package."""
    given = os.environ.get("RACKECON_DATA")
    if given:
        folder = Path(given)
        if not folder.is_dir():
            raise InputError(f"RACKECON_DATA: no folder {given}")
        return folder
    checkout = _PACKAGE.parents[1] / "data"
    return checkout if (checkout / "accelerators.csv").is_file() else _PACKAGE / "_data"


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


def user_dir() -> Path | None:
    """Folder of the user's own rows: ``RACKECON_USER_DATA``, else user-data/ of the checkout where there is one."""
    given = os.environ.get("RACKECON_USER_DATA")
    if not given:
        checkout = _PACKAGE.parents[1]
        return checkout / "user-data" if (checkout / "pyproject.toml").is_file() else None
    folder = Path(given)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"RACKECON_USER_DATA: {folder.name} is not a folder")
    return folder


def user_path(name: str) -> Path | None:
    """The user's own rows of a table; None where there are none."""
    folder = user_dir()
    path = folder / f"{name}.csv" if folder else None
    return path if path is not None and path.is_file() else None


def table_stamp(name: str) -> Stamp:
    """Files that a table is read from, shipped rows first, with their times of change.

    A calibration of the user's own is read alone, in place of the shipped one.
    """
    shipped, own = table_path(name), user_path(name)
    files = [own] if own is not None and name in REPLACED else [shipped, own]
    return tuple((str(path), path.stat().st_mtime_ns) for path in files if path is not None)


def read_rows(name: str) -> list[dict[str, str]]:
    """Rows of a table as text, in file order; the user's own rows follow the shipped ones."""
    return _read(table_stamp(name))


@lru_cache(maxsize=64)
def _read(stamp: Stamp) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    columns: list[str] = []
    for path, _ in stamp:
        try:
            with open(path, encoding="utf-8", newline="") as handle:
                reader = csv.DictReader(handle)
                columns = columns or list(reader.fieldnames or [])
                rows += [{name: row.get(name) or "" for name in columns} for row in reader] if rows else list(reader)
        except UnicodeDecodeError as error:
            raise InputError(f"{Path(path).name}: not UTF-8 text (byte {error.start})") from error
    return rows


def table_digest(name: str) -> str:
    """First 12 hexadecimal digits of a table's SHA-256, the user's own rows included."""
    digest = hashlib.sha256()
    for path, _ in table_stamp(name):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()[:12]
