"""Whole tables as data frames, for analysis, and what their columns mean; small records have their own light readers."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from rackecon.catalog.cached import of_arguments
from rackecon.catalog.paths import Stamp, data_dir, read_rows, table_stamp
from rackecon.errors import check_known
from rackecon.lazy import pd


def table(name: str) -> pd.DataFrame:
    """A table of data/ as a data frame, the user's own rows last; a copy, so that a caller may change it.

    Parameters
    ----------
    name : str
        File of data/ without its ending: ``costs``, ``prices``, ``power``, ``racks``, ``accelerators``, ``models``,
        ``scenarios``, ``workloads``, ``measured_serving``, ``sources``, ...

    Returns
    -------
    pandas.DataFrame
        One row a fact; :func:`dictionary` says what each column means and in which unit, ``source_id`` names a row of
        table ``sources``, ``grade`` says how well it is known.

    Raises
    ------
    InputError
        No such table, with the nearest name.

    Examples
    --------
    >>> len(table("measured_serving")) > 1600
    True
    """
    return _frame(name, table_stamp(name)).copy()


def dictionary(name: str) -> pd.DataFrame:
    """What the columns of a table of data/ mean.

    Parameters
    ----------
    name : str
        As in :func:`table`.

    Returns
    -------
    pandas.DataFrame
        By column: ``description``, ``unit``, ``type``, ``allowed`` (range or words, where it is limited).

    Raises
    ------
    InputError
        No such table.

    Examples
    --------
    >>> dictionary("costs").loc["value", "description"], list(dictionary("costs").columns)
    ('the figure, in the unit of its row', ['description', 'unit', 'type', 'allowed'])
    """
    rows = [
        {
            "column": field["name"],
            "description": field["description"],
            "unit": field.get("unit", "-"),
            "type": field["type"],
            "allowed": _allowed(field.get("constraints") or {}),
        }
        for field in described(name)["schema"]["fields"]
    ]
    return pd.DataFrame(rows).set_index("column")


def described(name: str) -> dict[str, Any]:
    """The entry of a table in data/datapackage.json: title, path, schema."""
    known = {item["name"]: item for item in _package(data_dir() / "datapackage.json")["resources"]}
    check_known("table", name, known, "data/")
    found: dict[str, Any] = known[name]
    return found


@of_arguments(8)
def _package(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _allowed(limits: dict[str, Any]) -> str:
    if "enum" in limits:
        return ", ".join(map(str, limits["enum"]))
    ends = (("at least", limits.get("minimum")), ("at most", limits.get("maximum")))
    return " ".join(f"{word} {end:g}" for word, end in ends if end is not None)


@lru_cache(maxsize=64)
def _frame(name: str, stamp: Stamp) -> pd.DataFrame:
    import csv
    import io

    if len(stamp) == 1:
        return pd.read_csv(stamp[0][0], low_memory=False)
    # one text, so that the user's rows cannot change how a column is typed
    rows, joined = read_rows(name), io.StringIO()
    writer = csv.DictWriter(joined, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    joined.seek(0)
    return pd.read_csv(joined, low_memory=False)
