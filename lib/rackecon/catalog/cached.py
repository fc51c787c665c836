"""The two ways to remember a result: of the data, forgotten when any table changes; or of the arguments alone.

``functools.cache`` is banned elsewhere (ruff TID251): a bare cache above data/ goes on answering from rows that somebody
has since edited in JupyterLab.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from rackecon.catalog.paths import Stamp, data_dir, note_read, noted_tables, table_stamp, user_dir

P = ParamSpec("P")
T = TypeVar("T")
DataStamp = tuple[tuple[str, tuple[tuple[str, int, int, int], ...]], ...]
"""Folder, then name, time of change, size and inode of each of its tables."""


class _Held(threading.local):
    """What was looked at by whom :func:`one_state` holds, of each thread."""

    def __init__(self) -> None:
        self.states: list[tuple[list[DataStamp], dict[str, Stamp], dict[tuple[str, ...], tuple[Stamp, ...]]]] = []


_HELD = _Held()


def data_stamp() -> DataStamp:
    """State of every table, shipped and own: what a result computed from data stands on."""
    held = _HELD.states
    if held:
        whole = held[-1][0]
        if not whole:
            whole.append(_looked())
        return whole[0]
    return _looked()


def _looked() -> DataStamp:
    return tuple((str(folder), _files(folder)) for folder in (data_dir(), user_dir()) if folder is not None)


def _files(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    try:
        with os.scandir(folder) as entries:
            seen = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".csv")]
    except OSError:  # no own rows, or a file that went while it was looked at
        return ()
    return tuple(sorted((name, found.st_mtime_ns, found.st_size, found.st_ino) for name, found in seen))


@contextmanager
def one_state() -> Iterator[None]:
    """Look at each table once for everything inside: a search, a chunk of a sweep, thousands of evaluations of one page."""
    held = _HELD.states
    held.append(held[-1] if held else ([], {}, {}))
    try:
        yield
    finally:
        held.pop()


def _state(tables: tuple[str, ...]) -> DataStamp | tuple[Stamp, ...]:
    """What a result of these tables stands on, the same inside :func:`one_state` and out; of all where none is named."""
    if not tables:
        return data_stamp()
    held = _HELD.states
    if not held:
        return tuple(table_stamp(name) for name in tables)
    note_read(tables)
    _, seen, states = held[-1]
    if tables not in states:
        for name in tables:
            if name not in seen:
                seen[name] = table_stamp(name)
        states[tables] = tuple(seen[name] for name in tables)
    return states[tables]


def by_data(maxsize: int = 128, *tables: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Remember results until a table changes.

    Parameters
    ----------
    maxsize : int
        Results kept.
    *tables : str
        The only tables that the function reads, itself or through what it calls; all of them where none is named, which
        costs a look at every file and cannot forget one.

    Examples
    --------
    >>> @by_data(1, "racks")
    ... def rows() -> int:
    ...     from rackecon.catalog import read_rows
    ...     return len(read_rows("racks"))
    >>> rows() == rows()
    True
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        held: Any = lru_cache(maxsize=maxsize)(function if tables else _with_tables(function))
        seen: list[DataStamp | tuple[Stamp, ...]] = []

        @wraps(function)
        def remembered(*args: P.args, **kwargs: P.kwargs) -> T:
            now = _state(tables)
            if seen != [now]:
                held.cache_clear()
                seen[:] = [now]
            found = held(*args, **kwargs)
            if tables:
                return cast("T", found)
            note_read(found[1])
            return cast("T", found[0])

        return remembered

    return decorate


def _with_tables(function: Callable[P, T]) -> Callable[P, tuple[T, frozenset[str]]]:
    """A function that also gives the tables that it read, so that they count as read when it is remembered."""

    def noting(*args: P.args, **kwargs: P.kwargs) -> tuple[T, frozenset[str]]:
        with noted_tables() as read:
            result = function(*args, **kwargs)
            return result, frozenset(read)

    return noting


def of_arguments(maxsize: int | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Remember results of a function that reads nothing but its arguments and the program's own files."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        held: Any = lru_cache(maxsize=maxsize)(function)

        @wraps(function)
        def remembered(*args: P.args, **kwargs: P.kwargs) -> T:
            result: T = held(*args, **kwargs)
            return result

        return remembered

    return decorate
