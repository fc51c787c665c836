"""Commands killed at random moments: nothing that was there is lost, no process stays, the next run completes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from commands import GRID, WRITERS, prepare, reports
from faults import Case, Files, damage, files, fresh

GONE_S = 30.0
COMMAND = (sys.executable, "-m", "rackecon")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
READY = 0.15
"""Part of a run that starts the interpreter: nothing can be lost in it."""


def _long_sweep(folder: Path) -> None:
    prepare(folder)
    (folder / "grid.yaml").write_text(GRID.replace("isl_tokens: 1000", "isl_tokens: 4000"), encoding="utf-8")


OWN = {"RACKECON_NOTEBOOKS": "{folder}/notebooks", "RACKECON_REPORTS": "{folder}/reports"}
SWEEP = ("sweep", "grid.yaml", "-o", "out.parquet", "--jobs", "2", "--chunk", "1", "--quiet")
REPORT = ("report", "03_context_length", "--name", "x", "--jobs", "2", "--force")
NAMED = {case.name: case for case in WRITERS}
CASES: dict[str, tuple[Case, int]] = {
    "sweep": (Case("sweep of two workers", SWEEP, _long_sweep), 25),
    "report": (Case("report of one notebook", REPORT, reports, environment=OWN), 8),
    **{name: (NAMED[name], 8) for name in ("predict", "frontier", "data add costs", "data add-workload", "data add-measured", "edition")},
}  # fmt: skip
"""What is killed, and how often in a whole run."""


def _start(case: Case, folder: Path) -> subprocess.Popen[bytes]:
    scratch = folder.parent / "tmp"
    scratch.mkdir(exist_ok=True)
    places = {name: value.format(folder=folder) for name, value in case.environment.items()}
    given = os.environ | {"TMPDIR": str(scratch), "RACKECON_USER_DATA": str(folder / "own")} | places
    return subprocess.Popen(
        [*COMMAND, *case.words], cwd=folder, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def killed(case: Case, folder: Path, good: Files, seconds: float, by: signal.Signals) -> str:
    """Kill a command after some seconds and run it again: empty where all is as it should be."""
    before = files(fresh(case, folder))
    running = _start(case, folder)
    try:
        running.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        family = _family(running.pid)
        running.send_signal(by)
        try:
            running.wait(timeout=60)
        except subprocess.TimeoutExpired:
            running.kill()
            return f"does not end by {by.name}"
        _, alive = psutil.wait_procs(family, timeout=GONE_S)
        if alive:
            for process in alive:
                process.kill()
            return f"{len(alive)} processes stay"
    said = running.stderr.read().decode() if running.stderr else ""
    if by == signal.SIGINT and "Traceback" in said:
        return f"interrupt: {said[-200:]}"
    harm = damage(before, good, files(folder))
    if harm:
        return harm
    again = _start(case, folder)
    _, said_again = again.communicate(timeout=600)
    whole = again.returncode == 0 or (again.returncode == 2 and b"already" in said_again)  # it was done before the kill
    if not whole or files(folder) != good:
        return f"run again: {again.returncode} {said_again.decode()[-200:]}"
    rest = [path.name for path in (folder.parent / "tmp").glob("rackecon-*")]
    return f"temporary folders stay: {rest}" if rest else ""


def attempts(what: str, folder: Path, seed: int = 22, times: int = 0) -> Iterator[tuple[str, Callable[[], str]]]:
    """Kill a command as often as it is planned, or so many times, at moments drawn over its whole run."""
    dice, (case, planned) = random.Random(f"{seed} {what}"), CASES[what]
    done: list[tuple[float, Files]] = []  # worked out when the first of them is asked for

    def attempt(part: float, by: signal.Signals) -> str:
        if not done:
            fresh(case, folder)
            begun = time.monotonic()
            _, said = (whole := _start(case, folder)).communicate(timeout=600)
            assert whole.returncode == 0, said
            done.append((time.monotonic() - begun, files(folder)))
        return killed(case, folder, done[0][1], part * done[0][0], by)

    for number in range(times or planned):
        part, by = dice.uniform(READY, 1.0), SIGNALS[number % len(SIGNALS)]
        yield f"{what} {number}: {by.name} at {part:.0%}", lambda part=part, by=by: attempt(part, by)
