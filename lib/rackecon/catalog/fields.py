"""Text of a cell to a typed value, with the table, row and column in the fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from rackecon.catalog.paths import Cells, read_rows
from rackecon.errors import InputError


class Row:
    """One row of a table, read by column and type."""

    def __init__(self, table: str, line: int, cells: Mapping[str, str]) -> None:
        self.cells = cells
        self.file, self.where = f"data/{table}.csv", f"data/{table}.csv row {line}"
        if isinstance(cells, Cells):
            self.file, self.where = cells.where.rpartition(" row ")[0], cells.where

    def _cell(self, column: str) -> str:
        if column not in self.cells:
            raise InputError(f"{self.file}: column '{column}' is missing")
        return (self.cells[column] or "").strip()

    def _fault(self, column: str, wanted: str) -> InputError:
        return InputError(f"{self.where} column '{column}': '{self._cell(column)[:60]}' is not {wanted}")

    def text(self, column: str) -> str:
        """The cell as text."""
        return self._cell(column)

    def number(self, column: str, empty: float = math.nan) -> float:
        """The cell as a number; ``empty`` where it has none."""
        cell = self._cell(column)
        if not cell:
            return empty
        try:
            return float(cell)
        except ValueError:
            raise self._fault(column, "a number") from None

    def whole(self, column: str, empty: int = 0) -> int:
        """The cell as a whole number."""
        value = self.number(column, float(empty))
        if not math.isfinite(value) or value != int(value):
            raise self._fault(column, "a whole number")
        return int(value)

    def flag(self, column: str) -> bool:
        """The cell as true or false."""
        cell = self._cell(column).lower()
        if cell not in ("true", "false"):
            raise self._fault(column, "true or false")
        return cell == "true"

    def fields_of(self, record: type, *apart: str, **empty: float) -> dict[str, Any]:
        """Cells of the columns that a record has fields of the same name for, each by the field's type; not those ``apart``.

        ``empty`` gives numbers for empty cells.
        """
        read: dict[str, Callable[[str], object]] = {
            "str": self.text,
            "float": self.number,
            "int": self.whole,
            "bool": self.flag,
        }
        out: dict[str, Any] = {}
        for field in fields(record):
            if field.name in empty:
                value = self.number(field.name, empty[field.name])
                out[field.name] = self.whole(field.name, int(value)) if field.type == "int" else value
            elif field.name not in apart:
                out[field.name] = read[str(field.type)](field.name)
        return out


def rows_of(table: str) -> Iterator[Row]:
    """Rows of a table, the user's own last."""
    return (Row(table, line, cells) for line, cells in enumerate(read_rows(table), start=2))
