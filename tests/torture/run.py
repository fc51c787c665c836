"""Everything that was thought of to break it, counted: kind, tried, survived, failed.

    python tests/torture/run.py [KIND ...] [--only TEXT] [--resume] [--most 6]
    python tests/torture/run.py --table

Each kind is a generator of attempts, and each attempt a call that says what it broke, empty where nothing was. All are kept
in build/torture.jsonl, from which the table is made: a part run by itself takes the place of what was known of its attempts.
``--resume`` leaves out what is known to have survived; ``--most`` bounds the steps of a kind that are failed in a command.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import bad_input
import commands
import faults
import hostile
import kills
import legal
import places

Attempt = tuple[str, Callable[[], str]]
Attempts = Iterator[Attempt]
RECORD = faults.ROOT / "build" / "torture.jsonl"
SLOW = {"report": 2, "report --name": 2, "data check": 2, "edition": 3}
"""Steps of a kind that are failed in commands of many seconds, at most."""


def outputs(folder: Path, most: int) -> Attempts:
    """Outputs into places that take none, or are no files."""
    for case, word in places.outputs():
        for place in places.PLACES:
            yield (
                f"{case.name}: {place}",
                lambda c=case, w=word, p=place: places.placed(c, w, p, folder / c.name / "work"),
            )
    for case, word in places.FOLDERS:
        for place in places.FOLDER_PLACES:
            yield (
                f"{case.name}: {place}",
                lambda c=case, w=word, p=place: places.placed_folder(c, w, p, folder / c.name / "work"),
            )
    for place in places.REPORT_PLACES:
        yield f"report: {place}", lambda p=place: places.placed_report(p, folder / "report")


def unreadable(folder: Path, most: int) -> Attempts:
    """Inputs that cannot be read."""
    for case, word in places.inputs():
        for fault in places.UNREADABLE:
            yield (
                f"{case.name}: {word} {fault}",
                lambda c=case, w=word, f=fault: places.unreadable(c, w, f, folder / "work"),
            )


def steps(folder: Path, most: int) -> Attempts:
    """The n-th step of every command fails, or the process dies at it."""
    for case in (*commands.WRITERS, *commands.READERS):
        bound = min(most, SLOW.get(case.name, most))
        for fault, attempt in faults.tortured(case, folder / case.name, bound):
            yield f"{case.name}: {fault}", attempt


def bad(folder: Path, most: int) -> Attempts:
    """Bad input by every way in."""
    for way, (_, times) in bad_input.WAYS.items():
        yield from bad_input.attempts(way, times, folder / "work")


def random_kills(folder: Path, most: int) -> Attempts:
    """Commands killed at random moments."""
    for what in kills.CASES:
        yield from kills.attempts(what, folder / what / "work")


def legal_ends(folder: Path, most: int) -> Attempts:
    """Legal values of every notebook's parameters."""
    from rackecon.press.run import report_names

    os.environ["RACKECON_KEPT"] = str(folder)  # what pages share is worked out once
    warm: set[str] = set()

    def attempt(name: str, change: dict[str, Any]) -> str:
        if name not in warm:
            legal.warm(name)
            warm.add(name)
        return legal.judged(name, change)

    for name in report_names():
        for what, change in legal.changes(name):
            yield f"{name} {what}", lambda n=name, c=change: attempt(n, c)


def hostile_rows(folder: Path, most: int) -> Attempts:
    """Hostile text in every cell and name that a user may fill."""
    yield from hostile.rows(folder / "work")


def hostile_pages(folder: Path, most: int) -> Attempts:
    """Every page of a report made with hostile rows, in a browser."""
    yield from hostile.pages(folder)


def addresses(folder: Path, most: int) -> Attempts:
    """Hostile addresses of every page, in a browser."""
    yield from hostile.addresses()


KINDS: dict[str, Callable[[Path, int], Attempts]] = {
    "outputs that cannot be": outputs,
    "inputs that cannot be read": unreadable,
    "failed and fatal steps": steps,
    "random kills": random_kills,
    "bad input": bad,
    "legal extremes of notebooks": legal_ends,
    "hostile rows": hostile_rows,
    "pages of hostile rows": hostile_pages,
    "hostile addresses": addresses,
}


def on_record() -> dict[tuple[str, str], dict[str, Any]]:
    """The last that is known of each attempt."""
    lines = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.is_file() else []
    return {(found["kind"], found["attempt"]): found for found in map(json.loads, lines)}


def keep(known: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Write the record again, each attempt once."""
    RECORD.write_text("".join(json.dumps(one) + "\n" for one in known.values()), encoding="utf-8")


def table(found: Iterable[dict[str, Any]]) -> str:
    """Kind, tried, survived, failed, seconds; then what failed."""
    rows: dict[str, list[float]] = {kind: [0, 0, 0.0] for kind in KINDS}
    broken = []
    for one in found:
        row = rows.setdefault(one["kind"], [0, 0, 0.0])
        row[0], row[1], row[2] = row[0] + 1, row[1] + bool(one["why"]), row[2] + one["seconds"]
        broken += [f"{one['kind']}: {one['attempt']}: {one['why']}"] if one["why"] else []
    lines = [f"{'kind':34}{'tried':>8}{'survived':>10}{'failed':>8}{'seconds':>9}"]
    lines += [
        f"{kind:34}{tried:8,}{tried - failed:10,}{failed:8,}{took:9,.0f}"
        for kind, (tried, failed, took) in rows.items()
    ]
    return "\n".join([*lines, *broken])


def main() -> None:
    """Try, keep, and print the table; status 1 where anything broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"beginning of {', '.join(KINDS)}; all by default")
    parser.add_argument("--only", default="", help="attempts whose name holds this")
    parser.add_argument("--resume", action="store_true", help="leave out what is known to have survived")
    parser.add_argument("--most", type=int, default=6)
    parser.add_argument("--table", action="store_true", help="print what is known and try nothing")
    given = parser.parse_args()
    RECORD.parent.mkdir(exist_ok=True)
    known = on_record()
    if not given.table:
        faults.warm()
        for kind, attempts in KINDS.items():
            if given.kinds and not any(kind.startswith(word) for word in given.kinds):
                continue
            if not (given.only or given.resume):  # a whole kind: nothing of an earlier state stays
                known = {key: one for key, one in known.items() if key[0] != kind}
                keep(known)
            with tempfile.TemporaryDirectory(prefix="rackecon-torture-") as folder:
                for what, attempt in attempts(Path(folder), given.most):
                    if given.only not in what:
                        continue
                    if given.resume and (kind, what) in known and not known[kind, what]["why"]:
                        continue
                    begun = time.monotonic()
                    why = attempt()
                    took = round(time.monotonic() - begun, 2)
                    known[kind, what] = {"kind": kind, "attempt": what, "why": why, "seconds": took}
                    with open(RECORD, "a", encoding="utf-8") as record:
                        record.write(json.dumps(known[kind, what]) + "\n")
                    if why:
                        print(f"{kind}: {what}: {why}", file=sys.stderr, flush=True)
        known = on_record()
        keep(known)
    print(table(known.values()))
    sys.exit(any(one["why"] for one in known.values()))


if __name__ == "__main__":
    main()
