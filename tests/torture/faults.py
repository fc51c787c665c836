"""Commands of rackecon with one step of the system failing, or the process dying at it, and what is left afterwards."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("read", "list", "create", "write", "fsync", "rename", "mkdir", "remove", "lock")
ERRORS = {
    "read": (errno.EIO, errno.EACCES, errno.ENOENT), "list": (errno.EIO, errno.EACCES),
    "create": (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EMFILE), "write": (errno.ENOSPC, errno.EDQUOT, errno.EIO),
    "fsync": (errno.EIO, errno.ENOSPC), "rename": (errno.EACCES, errno.ENOSPC, errno.EXDEV),
    "mkdir": (errno.EROFS, errno.ENOSPC), "remove": (errno.EACCES, errno.EROFS), "lock": (errno.ENOLCK,),
}  # fmt: skip
EVENTS = {
    "os.listdir": "list", "os.scandir": "list", "os.rename": "rename", "os.mkdir": "mkdir", "os.remove": "remove",
    "os.rmdir": "remove", "fcntl.flock": "lock",
}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
KILLED = 99
SECONDS = 120
LARGE = 2**28
NOTED = "/.made.json"
"""What a report notes as it goes: page after page."""
Files = dict[str, bytes]


@dataclass(frozen=True)
class Case:
    """A command, what lies in the folder that it runs in, and what is put in place of its slow parts."""

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Path], None]
    stub: Callable[[], None] = lambda: None
    codes: tuple[int, ...] = (2,)
    """Exit status where a step fails."""
    environment: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Fault:
    """The step of a kind that fails with an error, or at which the process dies."""

    kind: str
    number: int
    error: int = 0


@dataclass(frozen=True)
class Ended:
    """How a command went: exit status, what it said, steps by kind, whether the fault was met."""

    code: int
    said: str
    steps: Counter[str]
    met: bool


def _steps(folder: Path, fault: Fault | None, counts: Counter[str], met: Callable[[], None]) -> None:
    """Count the steps that this process takes on the folder and on what the project reads; let one of them fail."""
    places = [
        os.path.realpath(place) for place in (folder, *(ROOT / name for name in ("data", "notebooks", "reports")))
    ]

    def step(kind: str) -> None:
        counts[kind] += 1
        if fault is not None and (fault.kind, fault.number) == (kind, counts[kind]):
            met()
            if not fault.error:
                os._exit(KILLED)
            raise OSError(fault.error, os.strerror(fault.error))

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            kind = "create" if isinstance(flags, int) and flags & WRITING else "read"
        elif event in EVENTS:
            path, kind = arguments[0], EVENTS[event]
        else:
            return
        if event != "fcntl.flock":
            if not isinstance(path, str | os.PathLike):
                return
            whole = os.path.abspath(path)
            if not any(whole.startswith(place) for place in places) or "__pycache__" in whole:
                return
        step(kind)

    really = {"write": os.write, "fsync": os.fsync}

    def counted(kind: str) -> Callable[..., int | None]:
        def call(*arguments: object) -> int | None:
            step(kind)
            if kind == "write" and fault is not None and (fault.kind, fault.number) == (kind, counts[kind] + 1):
                arguments = (arguments[0], memoryview(arguments[1])[:7])  # the one before is cut short
            return really[kind](*arguments)

        return call

    for kind in really:
        setattr(os, kind, counted(kind))
    sys.addaudithook(hook)


def run(case: Case, folder: Path, fault: Fault | None = None, limit: int | None = None) -> Ended:
    """Run a case's command in a process of its own, in a folder; ``limit`` bounds the size of the files it writes [bytes]."""
    report, said = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _child(case, folder, fault, limit, report[1], said[1])
        finally:
            os._exit(97)  # a traceback
    for handle in (report[1], said[1]):
        os.close(handle)
    words, text = (_all_of(handle) for handle in (report[0], said[0]))
    _, status = os.waitpid(child, 0)
    met, _, steps = words.partition("|")
    counts = Counter({name: int(number) for name, number in (item.split("=") for item in steps.split(",") if item)})
    return Ended(os.waitstatus_to_exitcode(status), text, counts, met == "met")


def _all_of(handle: int) -> str:
    with os.fdopen(handle, encoding="utf-8", errors="replace") as pipe:
        return pipe.read()


def _child(case: Case, folder: Path, fault: Fault | None, limit: int | None, report: int, said: int) -> None:
    import resource
    import signal

    signal.alarm(SECONDS)
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(said, 2)
    sys.stdout, sys.stderr = (os.fdopen(handle, "w", encoding="utf-8", closefd=False) for handle in (1, 2))
    os.chdir(folder)
    os.environ |= {"RACKECON_USER_DATA": str(folder / "own"), "XDG_CACHE_HOME": str(folder.parent / "cache")}
    os.environ |= {name: value.format(folder=folder) for name, value in case.environment.items()}
    case.stub()
    from rackecon.cli import main

    counts: Counter[str] = Counter()
    write = os.write
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    else:
        _steps(folder, fault, counts, lambda: write(report, b"met"))
    sys.argv = ["rackecon", *case.words]
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 98
    sys.stderr.flush()
    write(report, ("|" + ",".join(f"{name}={number}" for name, number in counts.items())).encode())
    os._exit(code)


def files(folder: Path) -> Files:
    """Every file of a folder by its path; of one too large to compare, its size."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.stat().st_size < LARGE else b"%d" % path.stat().st_size
        for path in found
    }


def fresh(case: Case, folder: Path) -> Path:
    """The case's folder as it is before the command."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case.prepare(folder)
    return folder


def spare(name: str) -> bool:
    """Whether a file is one that a dead writer may leave until the next one comes."""
    return (
        any(part.startswith(".") and part.endswith((".new", ".json")) for part in Path(name).parts) or ".parts/" in name
    )


def strangers(before: Files, good: Files, left: Files) -> list[str]:
    """Files that were not there before and that a whole run does not make."""
    return [name for name in left if name not in before and name not in good]


def damage(before: Files, good: Files, left: Files) -> str:
    """What a command that was cut short has done to a folder: empty where every file is as before or as it was to be."""
    for name in before.keys() | good.keys():
        if left.get(name) not in (before.get(name), good.get(name)) and not name.endswith(NOTED):
            return f"{name} is neither as before nor as it was to be"
    strange = [name for name in strangers(before, good, left) if not spare(name)]
    return f"left behind {strange}" if strange else ""


def judged(case: Case, folder: Path, before: Files, good: Files, fault: Fault) -> str:
    """Let a case meet a fault and run again: empty where nothing was lost, else what was."""
    ended = run(case, fresh(case, folder), fault)
    if not ended.met:
        return "not met"
    left = files(folder)
    lines = ended.said.splitlines()
    if fault.error:
        if ended.code not in (0, *case.codes) or "Traceback" in ended.said:
            return f"ended with {ended.code}: {ended.said[-300:]}"
        if ended.code and len(lines) != 1:
            return f"said {len(lines)} lines: {ended.said[:300]}"
        if ended.code == 0 and left != good:
            return f"status 0, but {changed(left, good)}"
        begun = "/.adding.json"  # of two tables one stands: the next addition does the rest
        litter = [name for name in strangers(before, good, left) if "/part-" not in name and not name.endswith(begun)]
        if litter and fault.kind != "remove" and not all(name.endswith("manifest.json") for name in litter):
            return f"left behind {litter}"
    elif ended.code != KILLED:
        return f"lived on: {ended.code}"
    harm = damage(before, good, left)
    if harm:
        return harm
    again = run(case, folder)
    left = files(folder)
    if left != good or "Traceback" in again.said:
        return f"run again ({again.code}): {changed(left, good)} {again.said[-200:]}"
    if again.code not in (0, 2):
        return f"run again: {again.code} {again.said[-200:]}"
    return ""


def changed(left: Files, good: Files) -> str:
    """Which files differ, in words."""
    return ", ".join(sorted(name for name in left.keys() | good.keys() if left.get(name) != good.get(name)))


def faults_of(case: Case, steps: Counter[str], most: int, kinds: Sequence[str] = KINDS) -> Iterator[Fault]:
    """Faults for a case: for each kind of step, at most so many of its steps, spread over all; each fails and each kills."""
    for kind in kinds:
        total = steps[kind]
        numbers = sorted({1 + round(i * (total - 1) / max(min(most, total) - 1, 1)) for i in range(min(most, total))})
        for at, number in enumerate(numbers):
            yield Fault(kind, number, ERRORS[kind][at % len(ERRORS[kind])])
            if kind not in ("read", "list"):
                yield Fault(kind, number)


def tortured(
    case: Case, folder: Path, most: int, kinds: Sequence[str] = KINDS
) -> Iterator[tuple[Fault, Callable[[], str]]]:
    """Each fault of a case, to be tried by a call that gives what it broke, empty where it broke nothing."""
    run(case, fresh(case, folder / "work"))  # what is kept beside the folder for the next time is then there
    before = files(fresh(case, folder / "work"))
    ended = run(case, folder / "work")
    good = files(folder / "work")
    assert ended.code == 0, (case.name, ended)
    for fault in faults_of(case, ended.steps, most, kinds):
        yield fault, lambda fault=fault: judged(case, folder / "work", before, good, fault)


def warm() -> None:
    """Import once what the commands import when they run; a child then starts with all of it."""
    import importlib
    import pkgutil

    import rackecon

    for module in pkgutil.walk_packages(rackecon.__path__, "rackecon."):
        importlib.import_module(module.name)
    for name in (
        "pandas",
        "pyarrow.parquet",
        "scipy.optimize",
        "scipy.stats",
        "nbconvert",
        "papermill",
        "pdoc",
        "rich.progress",
        "yaml",
    ):
        importlib.import_module(name)
