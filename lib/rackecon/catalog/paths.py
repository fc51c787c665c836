"""Where the tables are, and how a small one is read without pandas."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from stat import S_ISREG
from typing import Final

from rackecon.errors import InputError, unknown_name

FITTED: Final = (
    "serving_parameters",
    "serving_intercepts",
    "serving_residual",
    "residual_scales",
    "validation_points",
    "agentic_parameters",
    "validation_agentic",
    "validation_fronts",
    "validation_intervals",
    "validation_physics",
    "validation_scores",
)
"""Results of a calibration: the user's own stand in place of the shipped ones, where other own rows follow them."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "accelerators": ("id",),
    "costs": ("category", "accelerator", "basis"),
    "measured_serving": ("point_id",),
    "models": ("id",),
    "power": ("metric", "accelerator"),
    "prices": ("provider", "model_id", "tier", "valid_from"),
    "racks": ("accelerator",),
    "scenarios": ("id",),
    "workloads": ("workload",),
}
"""Columns that tell the rows of a table apart: an own row stands in place of every shipped row of its key."""
CAPEX: Final = ("capex server", "capex rack")
"""Categories of data/costs.csv that price a whole server or rack; those of :data:`CAPEX_BASIS` stand behind a build-up."""
CAPEX_BASIS: Final = "build-up"
OWN_SOURCE: Final = "own"
"""Source of the user's own rows, by which results that rest on them say so."""

PACKAGE: Final = Path(__file__).resolve().parents[1]
CHECKOUT: Final = PACKAGE.parents[1]
# Where they are is settled once: every record read asks for it, some thousand times a second in a sweep
SHIPPED: Final = CHECKOUT / "data" if (CHECKOUT / "data" / "accelerators.csv").is_file() else PACKAGE / "_data"
OWN: Final = CHECKOUT / "user-data" if (CHECKOUT / "pyproject.toml").is_file() else None

Stamp = tuple[tuple[str, int], ...]
"""Path and time of change of each file a table is read from: what a cached reading stands on."""


class Cells(dict[str, str]):
    """The cells of one row by column, and the file and row they stand in."""

    def __init__(self, cells: Mapping[str, str] | Iterable[tuple[str, str]], where: str) -> None:
        super().__init__(cells)
        self.where = where


def data_dir() -> Path:
    """Folder of the tables: ``RACKECON_DATA`` if set, else data/ of the checkout, else the copy in the package."""
    return given_folder("RACKECON_DATA") or SHIPPED


def given_folder(variable: str) -> Path | None:
    """Folder that a variable of the environment names; None where it is not set.

    Raises
    ------
    InputError
        There is no such folder.
    """
    given = os.environ.get(variable)
    if given and not Path(given).is_dir():
        raise InputError(f"{variable}: no folder {given}")
    return Path(given) if given else None


def in_checkout(name: str) -> Path | None:
    """A folder of the checkout; None in an installed package."""
    return CHECKOUT / name if OWN is not None else None


def listed(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder whose names fit, in order; none where there is no such folder.

    One that may not be read is a fault of the system here, where ``Path.glob`` would find nothing in it.

    Examples
    --------
    >>> [path.name for path in listed(data_dir(), "p*r.csv")]
    ['power.csv']
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(folder / name for name in names if fnmatchcase(name, pattern))


def table_names() -> list[str]:
    """Names of all tables, sorted."""
    return [path.stem for path in listed(data_dir(), "*.csv")]


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


@contextmanager
def noted_tables() -> Iterator[set[str]]:
    """The tables read inside, or set down as read; they then count as read by this process too."""
    before = set(_USED)
    _USED.clear()
    try:
        yield _USED
    finally:
        _USED.update(before)


@contextmanager
def read_ahead() -> Iterator[None]:
    """Tables read inside do not count as read: what is remembered of them does once somebody asks for it."""
    before = set(_USED)
    try:
        yield
    finally:
        _USED.clear()
        _USED.update(before)


def user_dir() -> Path | None:
    """Folder of the user's own rows: ``RACKECON_USER_DATA``, else user-data/ of the checkout where there is one."""
    given = os.environ.get("RACKECON_USER_DATA")
    if not given:
        return OWN
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
    """Files that a table is read from, shipped rows first, with their times of change."""
    found = _stamped(data_dir(), name)
    if found is None:
        raise unknown_name("table", name, table_names(), "data/")
    _USED.add(name)
    folder = user_dir()
    own = _stamped(folder, name) if folder else None
    if own is None:
        return (found,)
    return (own,) if name in FITTED else (found, own)


def _stamped(folder: Path, name: str) -> tuple[str, int] | None:
    """A table's file and its time of change; asked some thousand times a second, so that no Path is made."""
    path = f"{folder}{os.sep}{name}.csv"
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return (path, seen.st_mtime_ns) if S_ISREG(seen.st_mode) else None


def note_read(names: Iterable[str]) -> None:
    """Count tables as read: a remembered result rests on them too."""
    _USED.update(names)


def read_rows(name: str) -> list[dict[str, str]]:
    """Rows of a table as text, in file order; the user's own rows last, in place of shipped ones of the same key."""
    return _read(name, table_stamp(name))


def shipped_rows(name: str) -> list[dict[str, str]]:
    """Rows of a table as shipped, whatever the user's own folder holds."""
    path = table_path(name)
    return _read(name, ((str(path), path.stat().st_mtime_ns),))


def fit_dir(shipped: bool) -> Path:
    """Folder that a calibration writes to: the user's own, or data/ where that is asked for.

    Raises
    ------
    InputError
        No folder for own rows; or own rows that would flow into the shipped fit.
    """
    folder = user_dir()
    if shipped:
        held = [path.name for path in listed(folder, "*.csv")] if folder else []
        if held:
            raise InputError(
                f"{folder.name if folder else ''}/ holds {', '.join(held)}, which would flow into data/; "
                "set RACKECON_USER_DATA to an empty folder"
            )
        return data_dir()
    if folder is None:
        raise InputError("no folder for own rows: set RACKECON_USER_DATA")
    return folder


@lru_cache(maxsize=64)
def _read(name: str, stamp: Stamp) -> list[dict[str, str]]:
    first, *own = (_file_rows(Path(path)) for path, _ in stamp)
    rows: list[dict[str, str]] = list(first[1])
    for _, added in own:
        turned = [Cells({column: cells.get(column) or "" for column in first[0]}, cells.where) for cells in added]
        rows = _overridden(name, rows, turned)
    return rows


def _file_rows(path: Path) -> tuple[list[str], list[Cells]]:
    """Header and rows of one file."""
    where = f"{path.parent.name}/{path.name}"
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            reader = csv.reader(handle)
            header = next(reader, [])
            filled = enumerate((cells for cells in reader if cells), start=2)
            return header, [Cells(zip_longest(header, cells), f"{where} row {line}") for line, cells in filled]
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text (byte {error.start})") from error


def _overridden(name: str, shipped: list[dict[str, str]], own: list[Cells]) -> list[dict[str, str]]:
    """Shipped rows, each own row in place of the first of its key; the others of that key are left out."""
    columns = KEYS.get(name)
    if columns is None:
        return [*shipped, *own]
    for cells in own:
        if name != "measured_serving":  # whose sources tell how a point was taken
            cells["source_id"] = OWN_SOURCE
    mine = {tuple(cells[column] for column in columns): cells for cells in own}
    out: list[dict[str, str]] = []
    placed: set[tuple[str, ...]] = set()
    for row in shipped:
        key = tuple(row[column] for column in columns)
        if key not in mine:
            out.append(row)
        elif key not in placed:
            placed.add(key)
            out.append(mine[key])
    return [*out, *(cells for key, cells in mine.items() if key not in placed)]


def table_digest(name: str) -> str:
    """First 12 hexadecimal digits of a table's SHA-256, the user's own rows included."""
    digest = hashlib.sha256()
    for path, _ in table_stamp(name):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()[:12]


def table_digests() -> dict[str, str]:
    """:func:`table_digest` of every table."""
    return {name: table_digest(name) for name in table_names()}
