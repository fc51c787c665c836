"""Everything that was thought of to break it, counted: kind, tried, survived, failed.

    python tests/torture/run.py [KIND ...] [--most 6] [--out failed.txt]

Each kind is a generator of attempts with what they broke, empty where nothing was. ``--most`` bounds the steps of a kind
that are failed in each command.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bad_input
import commands
import faults
import kills
import legal
import places

Attempts = Iterator[tuple[str, str]]


def outputs(folder: Path, most: int) -> Attempts:
    """Outputs into places that take none, or are no files."""
    for case, word in places.outputs():
        for place in places.PLACES:
            yield f"{case.name}: {place}", places.placed(case, word, place, folder / case.name / "work")
    for case, word in places.FOLDERS:
        for place in places.FOLDER_PLACES:
            yield f"{case.name}: {place}", places.placed_folder(case, word, place, folder / case.name / "work")
    for place in places.REPORT_PLACES:
        yield f"report: {place}", places.placed_report(place, folder / "report")


def unreadable(folder: Path, most: int) -> Attempts:
    """Inputs that cannot be read."""
    for case, word in places.inputs():
        for fault in places.UNREADABLE:
            yield f"{case.name}: {word} {fault}", places.unreadable(case, word, fault, folder / "work")


def steps(folder: Path, most: int) -> Attempts:
    """The n-th step of every command fails, or the process dies at it."""
    for case in (*commands.WRITERS, *commands.READERS):
        for fault, why in faults.tortured(case, folder / case.name, most):
            yield f"{case.name}: {fault}", why


def bad(folder: Path, most: int) -> Attempts:
    """Bad input by every way in."""
    for way, (_, times) in bad_input.WAYS.items():
        yield from bad_input.attempts(way, times, folder / "work")


def random_kills(folder: Path, most: int) -> Attempts:
    """Reports and sweeps killed at random moments."""
    yield from kills.attempts("sweep", 40)
    yield from kills.attempts("report", 24)


def legal_ends(folder: Path, most: int) -> Attempts:
    """Legal values of every notebook's parameters."""
    from rackecon.press.run import report_names

    os.environ["RACKECON_KEPT"] = str(folder)  # what pages share is worked out once
    for name in report_names():
        legal.warm(name)
        for what, change in legal.changes(name):
            yield f"{name} {what}", legal.judged(name, change)


KINDS: dict[str, Callable[[Path, int], Attempts]] = {
    "outputs that cannot be": outputs,
    "inputs that cannot be read": unreadable,
    "failed and fatal steps": steps,
    "random kills": random_kills,
    "bad input": bad,
    "legal extremes of notebooks": legal_ends,
}


def main() -> None:
    """Print the table; status 1 where anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--most", type=int, default=6)
    parser.add_argument("--out", type=Path, help="file for what broke, line by line")
    given = parser.parse_args()
    faults.warm()
    rows, broken = [], []
    for kind, attempts in KINDS.items():
        if given.kinds and not any(word in kind for word in given.kinds):
            continue
        tried, failed, begun = 0, 0, time.monotonic()
        with tempfile.TemporaryDirectory(prefix="rackecon-torture-") as folder:
            for what, why in attempts(Path(folder), given.most):
                tried += 1
                if why:
                    failed += 1
                    broken.append(f"{kind}: {what}: {why}")
                    print(broken[-1], file=sys.stderr, flush=True)
        rows.append((kind, tried, tried - failed, failed, time.monotonic() - begun))
    if given.out:
        given.out.write_text("\n".join(broken) + "\n", encoding="utf-8")
    print(f"{'kind':34}{'tried':>8}{'survived':>10}{'failed':>8}{'seconds':>9}")
    for kind, tried, survived, failed, seconds in rows:
        print(f"{kind:34}{tried:8,}{survived:10,}{failed:8,}{seconds:9,.0f}")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
