"""Results kept for whoever asks again: on disk for the pages of one report, in memory for a notebook that is run again.

They are on disk where ``RACKECON_KEPT`` names a folder, one for each state of the library and the tables:
:func:`rackecon.press.run.run_reports` does, and a kernel in a checkout (:func:`rackecon.press.kept_results.share_with_report`).
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rackecon.catalog.cached import data_stamp
from rackecon.catalog.paths import note_read, noted_tables
from rackecon.catalog.written import write_file
from rackecon.errors import InputError

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")
FOLDER: Final = "RACKECON_KEPT"
"""Variable that names the folder."""
NUMPY: Final = ("_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar")
"""What a pickled array is made with."""
ADDRESS: Final = " at 0x"
"""Of an object without a text of its own: another process's may stand at the same place."""
REMEMBERED: Final = 64
"""Results that a process without a folder remembers; a page asks for about twenty."""
_REMEMBERED: dict[str, tuple[Any, list[str]]] = {}
CODEC: Final = "lz4"
"""A ninth of the time of zlib's least compression, at the same size."""
SHELF: Final = "shelf.sqlite"
"""File of the folder that many small results lie in."""
_SHELVES: dict[tuple[int, str], sqlite3.Connection | None] = {}


def kept(name: str, key: object, make: Callable[[], T], disk: bool = True) -> T:
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

    Examples
    --------
    >>> kept("sum", (1, 2), lambda: 1 + 2)
    3
    """
    given, text = os.environ.get(FOLDER), repr(key)
    if ADDRESS in text:
        return make()
    digest = hashlib.sha256(f"{name}\\0{text}\\0{data_stamp()}".encode()).hexdigest()
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


def shelved(name: str, keys: Sequence[str], make: Callable[[list[int]], Sequence[T]]) -> list[T]:
    """:func:`kept` of many small results at once, where a folder is named.

    Parameters
    ----------
    name : str
        What they are.
    keys : sequence of str
        All that each depends on besides library and tables.
    make : callable
        Works out those of some numbers; they rest on tables alone that whoever asks has read.

    Examples
    --------
    >>> shelved("squares", ["2", "3"], lambda numbers: [(2, 3)[i] ** 2 for i in numbers])
    [4, 9]
    """
    given = os.environ.get(FOLDER)
    shelf = _shelf(given) if given else None
    if shelf is None:
        return list(make(list(range(len(keys)))))
    begun = hashlib.sha256(f"{name}\0{data_stamp()}\0".encode())
    digests = []
    for key in keys:
        digest = begun.copy()
        digest.update(key.encode())
        digests.append(digest.digest())
    found = {i: value[0] for i, digest in enumerate(digests) if (value := _taken(shelf, digest)) is not None}
    missing = [i for i in range(len(keys)) if i not in found]
    if missing:
        made = dict(zip(missing, make(missing), strict=True))
        _put(shelf, [(digests[i], value) for i, value in made.items()])
        found |= made
    return [found[i] for i in range(len(keys))]


def shelf_named() -> bool:
    """Whether a folder is named where :func:`shelved` keeps results: their keys are not needed otherwise."""
    return bool(os.environ.get(FOLDER))


def _shelf(folder: str) -> sqlite3.Connection | None:
    """The open shelf of a folder; None where there is no place for one."""
    place = os.getpid(), folder
    if place not in _SHELVES:
        import sqlite3

        shelf = None
        with suppress(OSError, sqlite3.Error):
            os.makedirs(folder, exist_ok=True)
            # whoever is killed leaves it whole; what the machine loses when it stops is made again
            shelf = sqlite3.connect(os.path.join(folder, SHELF), isolation_level=None, check_same_thread=False)
            shelf.execute("PRAGMA journal_mode=WAL")
            shelf.execute("PRAGMA synchronous=OFF")
            shelf.execute("CREATE TABLE IF NOT EXISTS shelf (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
            _SHELVES[place] = shelf
        _SHELVES.setdefault(place, None)
    return _SHELVES[place]


def _taken(shelf: sqlite3.Connection, digest: bytes) -> tuple[Any] | None:
    """What lies on a shelf; None where nothing does, or not as it was put there."""
    import sqlite3

    with suppress(sqlite3.Error):
        row = shelf.execute("SELECT value FROM shelf WHERE key = ?", (digest,)).fetchone()
        found: tuple[Any] | None = row and _unpacked(row[0])
        return found
    return None


def _put(shelf: sqlite3.Connection, found: Sequence[tuple[bytes, Any]]) -> None:
    import sqlite3

    rows = [(key, _packed((value,))) for key, value in found]
    with suppress(sqlite3.Error), shelf:  # a full disk: whoever asks next works it out for itself
        shelf.execute("BEGIN IMMEDIATE")
        shelf.executemany("INSERT OR REPLACE INTO shelf VALUES (?, ?)", rows)


def digest_of(value: object) -> str:
    """What tells a value of arrays and records from another: for a key.

    Examples
    --------
    >>> import numpy as np
    >>> digest_of(np.zeros(2)) == digest_of(np.zeros(4)[::2]) != digest_of(np.zeros(3))
    True
    """
    out = io.BytesIO()
    pickler = pickle.Pickler(out, 4)  # the same bytes for whatever an array is a view of
    pickler.fast = True  # and whether or not two parts are one object
    pickler.dump(value)
    return hashlib.sha256(out.getvalue()).hexdigest()


def _made(make: Callable[[], T]) -> tuple[T, list[str]]:
    """A result, and the tables it rests on, those of what it took from memory among them."""
    with noted_tables() as tables:
        result = make()
        return result, sorted(tables)


def _noted(found: tuple[Any, list[str]]) -> Any:
    """A result, its tables noted as read."""
    note_read(found[1])
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
        found: tuple[Any, list[str]] | None = _unpacked(path.read_bytes())
    except OSError:
        return None
    return found


def _unpacked(data: bytes) -> Any:
    """What was packed; None where the bytes are not as they were."""
    try:
        import pyarrow

        if _digest(data[32:]) != data[:32]:
            return None
        size = int.from_bytes(data[32:40], "big")
        return _Values(io.BytesIO(pyarrow.decompress(data[40:], size, codec=CODEC, asbytes=True))).load()
    except Exception:  # damaged bytes may fail in any way; the value is made again
        return None


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _packed(found: Any) -> bytes:
    """Digest of the rest, size, and what is pickled, compressed."""
    import pyarrow

    plain = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
    data: bytes = len(plain).to_bytes(8, "big") + pyarrow.compress(plain, codec=CODEC, asbytes=True)
    return _digest(data) + data


def _write(path: Path, found: tuple[Any, list[str]]) -> None:
    with suppress(InputError):  # a full disk or a folder that went: the next page works it out for itself
        write_file(path, _packed(found))


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
