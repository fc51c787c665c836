"""Reports and sweeps killed at random moments: nothing that was there is lost, no process stays, the next run completes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from commands import GRID, reports
from faults import Files, damage, files

GONE_S = 30.0
COMMAND = (sys.executable, "-m", "rackecon")
SWEEP = ("sweep", "grid.yaml", "-o", "out.parquet", "--jobs", "2", "--chunk", "1", "--quiet")
REPORT = ("report", "03_context_length", "--name", "x", "--jobs", "2", "--force")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def _start(words: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    places = {"RACKECON_NOTEBOOKS": str(folder / "notebooks"), "RACKECON_REPORTS": str(folder / "reports")}
    given = os.environ | places | {"TMPDIR": str(folder.parent / "tmp"), "RACKECON_USER_DATA": str(folder / "own")}
    given = {name: value for name, value in given.items() if "reports" in str(words) or name != "RACKECON_NOTEBOOKS"}
    (folder.parent / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [*COMMAND, *words], cwd=folder, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def killed(words: tuple[str, ...], folder: Path, good: Files, seconds: float, by: signal.Signals) -> str:
    """Kill a command after some seconds and run it again: empty where all is as it should be."""
    before = files(folder)
    running = _start(words, folder)
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
    again = _start(words, folder)
    _, said_again = again.communicate(timeout=600)
    if again.returncode or files(folder) != good:
        return f"run again: {again.returncode} {said_again.decode()[-200:]}"
    rest = [path.name for path in (folder.parent / "tmp").glob("rackecon-*")]
    return f"temporary folders stay: {rest}" if rest else ""


def attempts(what: str, times: int, seed: int = 22) -> Iterator[tuple[str, str]]:
    """Kill a report or a sweep so many times at moments drawn over its whole run."""
    dice = random.Random(f"{seed} {what}")
    with tempfile.TemporaryDirectory(prefix="rackecon-kills-") as scratch:
        folder = Path(scratch) / "work"
        folder.mkdir()
        (folder / "own").mkdir()
        words = SWEEP if what == "sweep" else REPORT
        if what == "sweep":
            (folder / "grid.yaml").write_text(GRID.replace("isl_tokens: 1000", "isl_tokens: 4000"), encoding="utf-8")
        else:
            reports(folder)
        begun = time.monotonic()
        done = _start(words, folder)
        _, said = done.communicate(timeout=600)
        assert done.returncode == 0, said
        whole = time.monotonic() - begun
        good = files(folder)
        for number in range(times):
            moment, by = dice.uniform(0.02, 1.0) * whole, SIGNALS[number % len(SIGNALS)]
            if what == "sweep":
                (folder / "out.parquet").unlink(missing_ok=True)
            yield f"{what} {number}: {by.name} after {moment:.2f} s", killed(words, folder, good, moment, by)
