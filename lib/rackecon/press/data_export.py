"""Every table and every published result as files that other programs read: CSV and Parquet, each with its schema."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rackecon.catalog.cached import one_state
from rackecon.catalog.paths import data_dir, listed, read_rows, table_names, user_dir
from rackecon.catalog.tables import described
from rackecon.catalog.written import csv_text, whole_file, whole_folder, write_file
from rackecon.errors import InputError, unknown_name
from rackecon.lazy import pd
from rackecon.press.results import FOLDER, read_results
from rackecon.press.run import report_names, reports_dir

PACKAGE: Final = "datapackage.json"
RESULT_FIELDS: Final = (
    {"name": "page", "description": "page that publishes it", "unit": "-", "type": "string"},
    {"name": "key", "description": "what it is, from the general to the particular", "unit": "-", "type": "string"},
    {"name": "value", "description": "number or text, as published", "unit": "see unit", "type": "string"},
    {"name": "number", "description": "the value where it is a number", "unit": "see unit", "type": "number"},
    {"name": "unit", "description": "unit of the value; text for words", "unit": "-", "type": "string"},
)
Row = Mapping[str, str]


def _result_rows(pages: Sequence[str]) -> list[dict[str, str]]:
    out = []
    for page in pages:
        for key, (value, unit) in sorted(read_results(reports_dir(), page).items()):
            out.append({"page": page, "key": key, "value": value, "number": _number(value), "unit": unit})
    return out


def _number(text: str) -> str:
    try:
        float(text)
    except ValueError:
        return ""
    return text


def results(page: str | None = None) -> pd.DataFrame:
    """The published numbers of the report's pages: what reports/results/ holds.

    Parameters
    ----------
    page : str, optional
        Such as ``09_cost``; all pages by default.

    Returns
    -------
    pandas.DataFrame
        ``page, key, value, number, unit``: ``number`` is NaN where the value is text.

    Raises
    ------
    InputError
        No such page, or no published results beside the library.

    Examples
    --------
    >>> sorted(results("09_cost").columns)
    ['key', 'number', 'page', 'unit', 'value']
    """
    pages = report_names()
    if page is not None and page not in pages:
        raise unknown_name("page", page, pages, f"{FOLDER}/")
    rows = _result_rows([page] if page else pages)
    if not rows:
        raise InputError(f"no published results in {reports_dir().name}/{FOLDER}/: run `rackecon report` first")
    frame = pd.DataFrame(rows)
    frame["number"] = pd.to_numeric(frame["number"])
    return frame


@one_state()
def export_data(folder: Path) -> dict[str, int]:
    """Write every table of data/ and every published result into a new folder.

    Parameters
    ----------
    folder : Path
        New, or empty; not inside data/ or reports/. Holds ``tables/NAME.csv`` and ``.parquet``, ``results/results.csv`` and
        ``.parquet``, and ``datapackage.json`` (Frictionless) with the schema of each; a Parquet column carries its
        description and unit as metadata.

    Returns
    -------
    dict of int
        Rows by file stem. The user's own rows are in them, as the library reads them.

    Raises
    ------
    InputError
        A folder that holds something, or that belongs to the program.

    Notes
    -----
    Written beside the folder and renamed: a failed run leaves nothing.
    """
    target = folder.resolve()
    for kept in (data_dir().resolve(), reports_dir().resolve()):
        if target == kept or kept in target.parents:
            raise InputError(
                f"{folder}: lies in {kept.name}/, which the program writes itself; name a folder of your own"
            )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{folder}: holds something already; name a new or an empty folder")
    if not target.parent.is_dir():
        raise InputError(f"{folder}: the folder that it is to lie in does not exist")
    with whole_folder(folder) as fresh:
        return _written(fresh)


@one_state()
def report_data(target: Path) -> bool:
    """The same beside a whole report, in its folder ``data``; left alone where no table and no published number is newer.

    Returns
    -------
    bool
        Whether it was written.
    """
    home = target / "data"
    made = home / PACKAGE
    own = user_dir()
    sources = [*listed(data_dir(), "*"), *(listed(own, "*.csv") if own else ()), *listed(target / FOLDER, "*.csv")]
    if made.is_file() and made.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return False
    with whole_folder(home) as fresh:
        _written(fresh)
        shutil.rmtree(home, ignore_errors=True)
    return True


def _written(fresh: Path) -> dict[str, int]:
    resources, counted = [], {}
    for name in table_names():
        entry = described(name)
        fields = entry["schema"]["fields"]
        resources += _both(fresh, f"tables/{name}", entry, fields, read_rows(name))
        counted[name] = len(read_rows(name))
    rows = _result_rows(report_names())
    if rows:
        entry = {
            "name": "results",
            "title": "Published numbers of the report's pages",
            "schema": {"fields": list(RESULT_FIELDS)},
        }
        resources += _both(fresh, "results/results", entry, RESULT_FIELDS, rows)
        counted["results"] = len(rows)
    whole = json.loads((data_dir() / PACKAGE).read_text(encoding="utf-8")) | {
        "name": "rackecon-export",
        "resources": resources,
    }
    write_file(fresh / PACKAGE, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return counted


def _both(
    fresh: Path, stem: str, entry: Mapping[str, Any], fields: Sequence[Mapping[str, Any]], rows: Sequence[Row]
) -> list[dict[str, Any]]:
    """A table as CSV and as Parquet; the two entries that describe them."""
    write_file(fresh / f"{stem}.csv", csv_text([field["name"] for field in fields], rows))
    _parquet(fresh / f"{stem}.parquet", fields, rows)
    base = {key: value for key, value in entry.items() if key not in ("path", "format", "mediatype", "profile")}
    # A key of another table's rows is not checked here: own rows may stand in place of shipped ones
    base["schema"] = {key: value for key, value in entry["schema"].items() if key != "foreignKeys"}
    return [
        base | {"path": f"{stem}.csv", "format": "csv", "mediatype": "text/csv", "profile": "tabular-data-resource"},
        base | {"name": f"{entry['name']}-parquet", "path": f"{stem}.parquet", "format": "parquet"},
    ]


def _parquet(path: Path, fields: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_()}
    turned: dict[str, Callable[[str], Any]] = {
        "number": float,
        "integer": lambda cell: int(float(cell)),
        "boolean": lambda cell: cell.lower() == "true",
    }
    columns, schema = [], []
    for field in fields:
        kind = field["type"]
        turn = turned.get(kind, str)
        cells = [row.get(field["name"], "") for row in rows]
        columns.append(pa.array([turn(cell) if cell else None for cell in cells], types.get(kind, pa.string())))
        said = {"description": str(field.get("description", "")), "unit": str(field.get("unit", "-"))}
        schema.append(pa.field(field["name"], types.get(kind, pa.string()), metadata=said))
    with whole_file(path) as handle:
        pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(schema)), handle, compression="zstd")
