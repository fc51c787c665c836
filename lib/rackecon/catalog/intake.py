"""Files that people hand in: read strictly, refused in one line, never larger than they need be."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rackecon.errors import InputError, unknown_name

__all__ = ["LARGEST_BYTES", "Column", "check_id", "read_csv", "read_json"]

LARGEST_BYTES = 16 * 2**20
LONGEST_LINE = 1 << 16
TRUE_FALSE = ("true", "false")


@dataclass(frozen=True)
class Column:
    """One column of a file handed in: ``kind`` is text, number, whole, flag or date."""

    name: str
    kind: str = "number"
    required: bool = True
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    allowed: tuple[str, ...] = ()

    def value(self, cell: str, where: str) -> Any:
        """The cell as its type; None where an optional one is empty.

        Examples
        --------
        >>> Column("tdp_w", low=50, high=20000, unit="W").value("0.7", "chip.csv row 2")
        Traceback (most recent call last):
        rackecon.errors.InputError: chip.csv row 2 column 'tdp_w': 0.7 is outside 50 to 20000 [W]: another unit?
        """
        text, at = cell.strip(), f"{where} column '{self.name}'"
        if not text:
            if self.required:
                raise InputError(f"{at}: empty")
            return None
        if self.kind in ("number", "whole"):
            return self._number(text, at)
        if self.kind == "flag":
            if text.lower() not in TRUE_FALSE:
                raise InputError(f"{at}: '{text[:40]}' is not true or false")
            return text.lower()
        if self.kind == "date":
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError:
                raise InputError(f"{at}: '{text[:40]}' is not a date such as 2026-11-23") from None
        if self.allowed and text not in self.allowed:
            raise unknown_name(self.name, text[:40], self.allowed, where)
        return text

    def _number(self, text: str, at: str) -> float | int:
        try:
            number = float(text)
        except ValueError:
            raise InputError(f"{at}: '{text[:40]}' is not a number") from None
        unit = f" [{self.unit}]" if self.unit else ""
        if not math.isfinite(number):
            raise InputError(f"{at}: {text[:40]} is not a finite number")
        if not self.low <= number <= self.high:
            raise InputError(f"{at}: {number:g} is outside {self.low:g} to {self.high:g}{unit}: another unit?")
        if self.kind == "whole":
            if number != int(number):
                raise InputError(f"{at}: {number:g} is not a whole number")
            return int(number)
        return number


def check_id(text: str, what: str = "id") -> str:
    """An id fit for a table: lower case, digits, dot and dash."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", text):
        raise InputError(f"{what} '{text[:64]}': needs lower-case letters, digits, dot or dash")
    return text


def _open_checked(path: Path, largest_bytes: int) -> None:
    if not path.exists():
        raise InputError(f"{path.name}: no such file")
    if not path.is_file():
        raise InputError(f"{path.name}: not a plain file")
    size = path.stat().st_size
    if size > largest_bytes:
        raise InputError(f"{path.name}: {size:,} bytes is more than such a file may have ({largest_bytes:,})")
    if size == 0:
        raise InputError(f"{path.name}: empty")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path.name}: cannot be read")


def _lines(path: Path) -> Iterator[str]:
    """Lines as text; junk is refused at its first line that is too long or not text, the rest unread."""
    number = 0
    with open(path, "rb") as handle:
        while raw := handle.readline(LONGEST_LINE + 1):
            number += 1
            if len(raw) > LONGEST_LINE:
                raise InputError(f"{path.name} line {number}: longer than {LONGEST_LINE:,} bytes")
            if b"\0" in raw:
                raise InputError(f"{path.name} line {number}: not text")
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise InputError(f"{path.name} line {number}: not UTF-8 text") from None


def read_csv(path: Path, columns: Sequence[Column], *, largest_bytes: int = LARGEST_BYTES) -> list[dict[str, Any]]:
    """Typed rows of a CSV file.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of Column
        What may and must be in it.
    largest_bytes : int
        A larger file is refused unread.

    Returns
    -------
    list of dict
        Every column in every row, None where an optional one is absent or empty.

    Raises
    ------
    InputError
        Missing, too large, not text, no header, a column missing, unknown or twice, a ragged row, a bad cell.
    """
    _open_checked(path, largest_bytes)
    known = {column.name: column for column in columns}
    reader = csv.reader(_lines(path), strict=True)
    rows: list[dict[str, Any]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        for name in header:
            if name not in known:
                raise unknown_name("column", name[:40], known, path.name)
            if header.count(name) > 1:
                raise InputError(f"{path.name}: column '{name}' stands twice")
        for column in columns:
            if column.required and column.name not in header:
                raise InputError(f"{path.name}: column '{column.name}' is missing; it has {', '.join(header)[:120]}")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{path.name} row {reader.line_num}"
            if len(cells) != len(header):
                raise InputError(f"{where}: {len(cells)} cells under {len(header)} columns")
            given = dict(zip(header, cells, strict=True))
            rows.append({name: column.value(given.get(name, ""), where) for name, column in known.items()})
    except csv.Error as error:
        raise InputError(f"{path.name} line {reader.line_num}: not CSV: {error}") from None
    if not rows:
        raise InputError(f"{path.name}: no rows")
    return rows


def read_json(path: Path, *, largest_bytes: int = LARGEST_BYTES) -> dict[str, Any]:
    """A JSON object from a file; the faults of :func:`read_csv`."""
    _open_checked(path, largest_bytes)
    try:
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 text (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path.name}: needs an object of names and values")
    return found
