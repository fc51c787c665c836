"""Files written whole or not at all: the one way in which anything is put on a disk.

A file is written beside its place under a name of its own and renamed, by one writer at a time. What a writer that died
left there is written over by the next one.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from rackecon.errors import InputError

SPARE_LETTERS: Final = 50
"""Of a file's name that its spare one keeps: a name of the longest kind has room for no more letters."""


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV: these columns alone, nothing where a row has none.

    Examples
    --------
    >>> csv_text(["a", "b"], [{"a": 1, "c": 3}])
    'a,b\\n1,\\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, with the folders it lies in.

    Raises
    ------
    InputError
        It cannot be written: one line.
    """
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as handle:
        handle.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def whole_file(path: Path) -> Iterator[io.RawIOBase]:
    """A handle to write a file with; it takes its place once all of it is written.

    A link is followed. A pipe or a device is written to, and stays what it is.

    Raises
    ------
    InputError
        A folder, a place that takes no file, a full disk: one line, nothing left.
    """
    with _told(path):
        check_output(path)
        if path.exists() and not path.is_file():
            with _Handle(os.open(path, os.O_WRONLY | os.O_CLOEXEC)) as handle:
                yield handle
            return
        target = Path(os.path.realpath(path))
        spare = target.with_name(f".{target.name[:SPARE_LETTERS]}.new")
        with _Handle(_claimed(spare)) as handle:
            try:
                if target.exists():
                    os.fchmod(handle.fileno(), stat.S_IMODE(target.stat().st_mode))
                yield handle
                os.fsync(handle.fileno())
                os.replace(spare, target)
            except BaseException:
                with suppress(OSError):
                    spare.unlink()
                raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; it takes its place, where there is none or an empty one, once all of it is written.

    Raises
    ------
    InputError
        It cannot be written: one line, nothing left.
    """
    target = path.resolve()
    spare = target.with_name(f".{target.name[:SPARE_LETTERS]}.new")
    with _told(path), locked(target.parent, f"{path}: another command writes beside it"):
        shutil.rmtree(spare, ignore_errors=True)
        spare.mkdir()
        try:
            yield spare
            os.replace(spare, target)
        finally:
            shutil.rmtree(spare, ignore_errors=True)


def check_output(path: Path) -> None:
    """Refuse a place that takes no file, before anything is computed for it.

    Raises
    ------
    InputError
        A folder, a name too long, no folder to lie in, a file or folder that is not to be written.
    """
    with _told(path):
        if path.is_dir():
            raise InputError(f"{path}: is a folder")
        with suppress(FileNotFoundError):
            os.stat(path)  # a name too long, a folder on the way that is a file or not to be entered
        folder = Path(os.path.realpath(path)).parent
        if not path.exists() and not folder.is_dir():
            raise InputError(f"{path}: its folder does not exist")
        for place in (path,) if path.exists() and not path.is_file() else (path, folder):
            if place.exists() and not os.access(place, os.W_OK):
                raise InputError(
                    f"{path}: cannot be written: {'it' if place == path else folder.name or '/'} is read-only"
                )


def check_folder(folder: Path) -> None:
    """Refuse a place for a folder of files where none can be made, before anything is computed for it.

    Raises
    ------
    InputError
        A file, or no place that can be written.
    """
    with _told(folder):
        there = folder.absolute()
        while not os.path.lexists(there):
            there = there.parent
        if not there.is_dir():
            raise InputError(f"{folder}: {there.name} is not a folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise InputError(f"{folder}: cannot be written: {there.name or there} is read-only")


@contextmanager
def locked(folder: Path, busy: str = "") -> Iterator[None]:
    """One process at a time works in a folder; the lock goes with the process that holds it.

    Parameters
    ----------
    folder : Path
        One that exists.
    busy : str, optional
        The fault where another holds it; by default it is waited for.

    Raises
    ------
    InputError
        Another process holds it and is not waited for.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise InputError(busy) from None
        yield
    finally:
        os.close(handle)


class _Handle(io.RawIOBase):
    """A file by its descriptor: every byte is written, or the reason why not is raised."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        left = memoryview(content).cast("B")
        whole = len(left)
        while left:
            left = left[os.write(self._descriptor, left) :]
        return whole

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _claimed(spare: Path) -> int:
    """The spare file, empty and held by this writer alone."""
    while True:
        handle = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(spare)):  # else the writer before renamed it
                    os.ftruncate(handle, 0)
                    return handle
        except OSError:
            spare.unlink(missing_ok=True)
            os.close(handle)
            raise
        os.close(handle)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A fault of the disk as one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
