"""The user's own rows: checked, then added to a folder of their own; shipped tables are never written."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rackecon.catalog.paths import read_rows, table_path, user_dir
from rackecon.errors import InputError

__all__ = ["USER_SOURCE", "add_rows", "need_user_dir"]

USER_SOURCE = "user-data"
"""Source of every row that is the user's own."""


def need_user_dir() -> Path:
    """The user's folder; refused where none is named."""
    folder = user_dir()
    if folder is None:
        raise InputError(
            "set RACKECON_USER_DATA to a folder of your own, such as user-data; shipped tables stay as they are"
        )
    return folder


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def add_rows(tables: Mapping[str, Sequence[Mapping[str, Any]]], keys: Mapping[str, Sequence[str]]) -> list[Path]:
    """Add rows to the user's tables, all of them or none.

    Parameters
    ----------
    tables : mapping
        Rows by table; columns are those of the shipped table, absent ones empty.
    keys : mapping
        Columns that name a row, by table: a row of the same key, shipped or the user's, is refused.

    Returns
    -------
    list of Path
        Files written.

    Raises
    ------
    InputError
        No folder named, a column that the table lacks, a row that exists.
    """
    folder = need_user_dir()
    ready: dict[str, tuple[list[str], list[dict[str, str]]]] = {}
    for name, rows in tables.items():
        with open(table_path(name), encoding="utf-8", newline="") as handle:
            columns = next(csv.reader(handle))
        fresh = [{column: _cell(row.get(column)) for column in columns} for row in rows]
        for row in rows:
            strange = sorted(set(row) - set(columns))
            if strange:
                raise InputError(f"table {name} has no column '{strange[0]}'")
        existing = read_rows(name)
        key = list(keys.get(name, ()))
        seen = {tuple(row[k] for k in key) for row in existing} if key else set()
        for row in fresh:
            if not key:
                break
            this = tuple(row[k] for k in key)
            if this in seen:
                raise InputError(f"{name}: {', '.join(this)} is there already; choose another {' and '.join(key)}")
            seen.add(this)
        shipped = _count(table_path(name))
        ready[name] = (columns, [{c: row.get(c) or "" for c in columns} for row in existing[shipped:]] + fresh)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = []
    for name, (columns, lines) in ready.items():
        path = folder / f".{name}.csv.new"
        with open(path, "w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)
        scratch.append((path, folder / f"{name}.csv"))
    for path, target in scratch:
        os.replace(path, target)
    return [target for _, target in scratch]


def _count(path: Path) -> int:
    with open(path, encoding="utf-8", newline="") as handle:
        return sum(1 for _ in csv.DictReader(handle))
