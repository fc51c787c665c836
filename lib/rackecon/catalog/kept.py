"""Results kept for whoever asks again: on disk for the pages of one report, in memory for a notebook that is run again.

They are on disk where ``RACKECON_KEPT`` names a folder: :func:`rackecon.press.run.run_reports` does, one folder for each
state of the library and the tables.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from rackecon.catalog.cached import data_stamp
from rackecon.catalog.paths import noted_tables, tables_read
from rackecon.catalog.written import write_file
from rackecon.errors import InputError

T = TypeVar("T")
FOLDER: Final = "RACKECON_KEPT"
"""Variable that names the folder."""
NUMPY: Final = ("_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar")
"""What a pickled array is made with."""
ADDRESS: Final = " at 0x"
"""Of an object without a text of its own: another process's may stand at the same place."""
REMEMBERED: Final = 32
"""Results that a process without a folder remembers; a page asks for about ten."""
_REMEMBERED: dict[str, tuple[Any, list[str]]] = {}


def kept(name: str, key: object, make: Callable[[], T], disk: bool = True, apart: bool = False) -> T:
    """What ``make`` gives, where neither a page of this report nor this process has already worked it out.

    Parameters
    ----------
    name : str
        What it is.
    key : object
        All that it depends on besides library and tables; its ``repr`` must tell values apart.
    make : callable
        Works it out; what it gives is read only.
    disk : bool
        Whether it can be pickled.
    apart : bool
        Whether pages share it only where they have read the same tables before: a page that reads few does not count
        those of another that made it first.

    Examples
    --------
    >>> kept("sum", (1, 2), lambda: 1 + 2)
    3
    """
    given, text = os.environ.get(FOLDER), repr(key)
    if ADDRESS in text:
        return make()
    before = sorted(tables_read()) if apart else []
    digest = hashlib.sha256(f"{name}\\0{text}\\0{data_stamp()}{before or ''}".encode()).hexdigest()
    result: T
    if not given or not disk:
        found = _REMEMBERED.get(digest)
        if found is None:
            found = _REMEMBERED[digest] = _made(make)
            while len(_REMEMBERED) > REMEMBERED:
                del _REMEMBERED[next(iter(_REMEMBERED))]
        result = _noted(found)
        return result
    path = Path(given) / f"{name}-{digest[:32]}"
    with _alone(path):
        found = _read(path)
        if found is None:
            found = _made(make)
            _write(path, found)
    result = _noted(found)
    return result


def _made(make: Callable[[], T]) -> tuple[T, list[str]]:
    """A result, and the tables read by then: what it took from memory may rest on those read before."""
    with noted_tables() as tables:
        result = make()
    return result, sorted(tables)


def _noted(found: tuple[Any, list[str]]) -> Any:
    """A result, its tables noted as read."""
    with noted_tables() as tables:
        tables.update(found[1])
    return found[0]


class _Values(pickle.Unpickler):
    """Reads arrays and records of this library alone: nothing else that a file names is looked up, so none of it runs."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in NUMPY:
            return super().find_class(module, name)
        found = super().find_class(module, name) if module.startswith("rackecon.") else None
        if isinstance(found, type) and is_dataclass(found):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no value")


def _read(path: Path) -> tuple[Any, list[str]] | None:
    """What a file holds; None where there is none or it is not as it was written."""
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            return None
        found: tuple[Any, list[str]] = _Values(io.BytesIO(data[32:])).load()
        return found
    except Exception:  # a damaged file may fail in any way; it is made again
        return None


def _write(path: Path, found: tuple[Any, list[str]]) -> None:
    data = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
    with suppress(InputError):  # a full disk or a folder that went: the next page works it out for itself
        write_file(path, hashlib.sha256(data).digest() + data)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a result's lock, so that of two pages that want it one works it out and the other waits."""
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path.with_suffix(".lock"), "w")  # noqa: SIM115
    except (ImportError, OSError):
        yield
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # let go when the file closes, or the process ends
        yield
