"""Outputs into places that take none, inputs that cannot be read: one line, status 2, and every file as it was."""

from __future__ import annotations

import ctypes
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from commands import EARLIER, INPUTS, WRITERS, edition
from faults import Case, Files, files, fresh, run

OUTPUTS = {"out.csv", "out.parquet"}
REPORT = next(case for case in WRITERS if case.name == "report --name")
EXPORT = next(case for case in WRITERS if case.name == "data export")
EDITION = Case("edition --out", ("edition", "old", "new", "--out", "out"), edition)
FOLDERS = ((EXPORT, "exported"), (EDITION, "out"))
PLACES = (
    "missing folder", "folder", "name too long", "file on the way", "read-only folder", "read-only file", "full disk",
    "full after a few bytes", "full device", "null device", "pipe", "link", "link to nothing", "loop of links",
)  # fmt: skip
FOLDER_PLACES = ("file", "file on the way", "name too long", "read-only folder", "full disk")
REPORT_PLACES = ("file on the way", "read-only folder", "full disk")
UNREADABLE = ("missing", "folder", "no permission", "pipe", "device", "empty", "zeros", "half a gigabyte")
CAPABILITIES = 0x20080522


def without_privileges() -> None:
    """Let root meet permissions as anybody does."""
    header, none = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None, use_errno=True).capset(header, none) == 0


def _unprivileged(case: Case) -> Case:
    def stub() -> None:
        without_privileges()
        case.stub()

    return replace(case, stub=stub)


def outputs() -> Iterator[tuple[Case, str]]:
    """Cases with a file, and the word of it."""
    for case in WRITERS:
        for word in case.words:
            if word in OUTPUTS:
                yield case, word


def inputs() -> Iterator[tuple[Case, str]]:
    """Cases with a file that they read, and its name."""
    for case in WRITERS:
        for word in case.words:
            if word in INPUTS and word not in OUTPUTS:
                yield case, word


def _with(case: Case, word: str, place: str) -> Case:
    return replace(case, words=tuple(place if item == word else item for item in case.words))


def _device(path: Path, of: str) -> Path:
    """A device of one's own, so that what would rename over it harms nothing; as nobody in particular, the system's."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.stat(of).st_rdev)
    except PermissionError:
        return Path(of)
    return path


def _refused(case: Case, folder: Path, before: Files, limit: int | None = None) -> str:
    ended = run(case, folder, limit=limit)
    lines = ended.said.splitlines()
    if ended.code not in case.codes or len(lines) != 1 or "Traceback" in ended.said:
        return f"status {ended.code}, {len(lines)} lines: {ended.said[-300:]}"
    if len(lines[0]) > 1300 or not lines[0].isprintable():
        return f"said {lines[0][:200]!r}"
    left = {name: held for name, held in files(folder).items() if "/part-" not in name}  # finished chunks are kept
    left = (
        {name: held for name, held in left.items() if not name.endswith("/manifest.json")} if left != before else left
    )
    return "" if left == before else f"changed {sorted(left.keys() ^ before.keys())}"[:400]


def placed(case: Case, word: str, place: str, folder: Path) -> str:
    """Send a case's output to a place: empty where it went as it should, else what went wrong."""
    target = fresh(case, folder) / word
    limit = {"full disk": 0, "full after a few bytes": 9}.get(place)
    if place in ("full device", "null device", "pipe"):
        return _written_to(case, word, place, folder)
    if place in ("link", "link to nothing"):
        return _followed(case, word, place, folder)
    names = {
        "missing folder": f"no/{word}",
        "folder": "own",
        "name too long": "x" * 300,
        "file on the way": "grid.yaml/x",
    }
    if place == "loop of links":
        target.unlink()
        target.symlink_to(target)
    if place.startswith("read-only"):
        held = folder / "held"
        held.mkdir()
        (held / word).write_text(EARLIER, encoding="utf-8")
        ((held / word) if place.endswith("file") else held).chmod(0o444 if place.endswith("file") else 0o555)
        names[place], case = f"held/{word}", _unprivileged(case)
    return _refused(_with(case, word, names.get(place, word)), folder, files(folder), limit)


@cache
def _good(case: Case, word: str, folder: Path) -> bytes:
    assert run(case, fresh(case, folder)).code == 0, case.name
    return files(folder)[word]


def _written_to(case: Case, word: str, place: str, folder: Path) -> str:
    """A pipe or a device takes what is written and stays what it is."""
    path, got = folder / "place", [b""]
    if place == "pipe":
        os.mkfifo(path)
        reader = threading.Thread(target=lambda: got.__setitem__(0, path.read_bytes()), daemon=True)
        reader.start()
    else:
        path = _device(path, "/dev/full" if place == "full device" else "/dev/null")
    kind = stat.S_IFMT(path.lstat().st_mode), path.lstat().st_rdev
    before = files(folder)
    if place == "full device":
        fault = _refused(_with(case, word, str(path)), folder, before)
    else:
        ended = run(_with(case, word, str(path)), folder)
        fault = "" if ended.code == 0 and files(folder) == before else f"status {ended.code}: {ended.said[-300:]}"
    if place == "pipe" and not fault:
        reader.join(30)
        good = _good(case, word, folder.with_name("good"))
        fault = "" if got[0] == good else f"{len(got[0])} bytes came through, not {len(good)}"
    return fault or ("" if (stat.S_IFMT(path.lstat().st_mode), path.lstat().st_rdev) == kind else "replaced")


def _followed(case: Case, word: str, place: str, folder: Path) -> str:
    target, good = folder / word, _good(case, word, folder.with_name("good"))
    (folder / "there").mkdir()
    behind = folder / "there" / "behind"
    if place == "link":
        behind.write_text(EARLIER, encoding="utf-8")
        behind.chmod(0o640)
    target.unlink()
    target.symlink_to(behind)
    ended = run(case, folder)
    if ended.code or not target.is_symlink() or not behind.is_file() or behind.read_bytes() != good:
        return f"not followed ({ended.code}): {ended.said[-300:]}"
    return "" if place != "link" or stat.S_IMODE(behind.stat().st_mode) == 0o640 else "another mode"


def placed_folder(case: Case, word: str, place: str, folder: Path) -> str:
    """Send a case's folder of outputs to a place that takes none: empty where that is said in one line."""
    fresh(case, folder)
    if place == "file":
        (folder / word).write_text(EARLIER, encoding="utf-8")
    elif place == "read-only folder":
        folder.chmod(0o555)
    other = {"file on the way": f"{next(folder.rglob('*.csv')).relative_to(folder)}/x", "name too long": "x" * 300}
    case = _with(_unprivileged(case), word, other.get(place, word))
    fault = _refused(case, folder, files(folder), 0 if place == "full disk" else None)
    folder.chmod(0o755)
    return fault


def placed_report(place: str, folder: Path) -> str:
    """Let a report be made where none can be written: empty where that is said in one line before a kernel starts."""
    case = _unprivileged(REPORT)
    fresh(case, folder)
    if place == "file on the way":
        (folder / "reports" / "runs").write_text(EARLIER, encoding="utf-8")
    elif place == "read-only folder":
        (folder / "reports").chmod(0o555)
    fault = _refused(case, folder, files(folder), 0 if place == "full disk" else None)
    (folder / "reports").chmod(0o755)
    return fault


def unreadable(case: Case, word: str, fault: str, folder: Path) -> str:
    """Make a case's input unreadable in a way: empty where it is refused in one line."""
    fresh(case, folder)
    path = folder / word
    if fault != "no permission":
        path.unlink()
    match fault:
        case "folder":
            path.mkdir()
        case "no permission":
            path.chmod(0)
            before = files(folder)
            return _refused(_unprivileged(case), folder, before)
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to(_device(folder / "device", "/dev/zero"))
        case "empty":
            path.touch()
        case "zeros":
            path.write_bytes(bytes(1000))
        case "half a gigabyte":
            with open(path, "wb") as handle:
                handle.truncate(2**29)
    return _refused(case, folder, files(folder))
