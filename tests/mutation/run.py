"""Do the fast tests notice a wrong formula? A seeded sample of one-line mutations of the physics and the money.

    python tests/mutation/run.py [--sample 40] [--seed 1] [--rooms performance serving economics] [--out results.csv]

Needs cosmic-ray (pip install cosmic-ray). Works in a copy of the checkout; each mutant meets the fast tests and doctests of
its own room, and where those let it pass, the fast tests of the rooms above. Prints the share that was noticed.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cosmic_ray.modules import find_modules
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = {
    "performance": ("tests/performance", "lib/rackecon/performance"),
    "serving": ("tests/serving", "lib/rackecon/serving"),
    "economics": ("tests/economics", "lib/rackecon/economics"),
}
ABOVE = ("tests/evidence", "tests/appraisal", "tests/serving", "tests/market")
EQUIVALENT = ("BitOr", "BitAnd", "BitXor", "LShift", "RShift", "ExceptionReplacer", "Variable")
"""Annotations are read as ``A | B``; shifts and sets of bits stand in no formula here."""
SECONDS = 240


def mutants(room: str) -> list[tuple[Path, str, int]]:
    """Every mutation of a room: file, operator, occurrence."""
    import parso

    found = []
    for module in find_modules([CHECKOUT / "lib" / "rackecon" / room]):
        tree = parso.parse(module.read_text(encoding="utf-8"))
        for name in sorted(operator_names()):
            if any(word in name for word in EQUIVALENT):
                continue
            operator = get_operator(name)()
            places, nodes = 0, [tree]
            while nodes:
                node = nodes.pop()
                places += len(list(operator.mutation_positions(node)))
                nodes += getattr(node, "children", [])
            found += [(module.relative_to(CHECKOUT), name, k) for k in range(places)]
    return found


def noticed(copy: Path, where: tuple[str, ...]) -> bool:
    """Whether the fast tests fail in the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *where]
    try:
        done = subprocess.run(
            command, cwd=copy, capture_output=True, timeout=SECONDS, env=_environment(copy), check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def _environment(copy: Path) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(copy / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}


def main() -> None:
    """Parse the command line, mutate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "reports", ".*_cache"))
        for room in given.rooms:
            every = mutants(room)
            if noticed(copy, ROOMS[room]):
                sys.exit(f"{room}: the tests fail before any mutation")
            for file, name, place in random.Random(given.seed).sample(every, min(given.sample, len(every))):
                path = copy / file
                original = path.read_text(encoding="utf-8")
                changed = mutate_code(original, get_operator(name)(), place)
                if changed is None or changed == original:
                    continue
                path.write_text(changed, encoding="utf-8")
                seen = noticed(copy, ROOMS[room]) or noticed(copy, tuple(x for x in ABOVE if x not in ROOMS[room]))
                path.write_text(original, encoding="utf-8")
                line = next(
                    (
                        i
                        for i, (a, b) in enumerate(zip(original.split("\n"), changed.split("\n"), strict=False), 1)
                        if a != b
                    ),
                    0,
                )
                rows.append((room, str(file), line, name.split("/")[-1], "noticed" if seen else "survived"))
                print(*rows[-1], changed.split("\n")[line - 1].strip()[:100], flush=True)
            ours = [row for row in rows if row[0] == room]
            print(f"{room}: {sum(r[-1] == 'noticed' for r in ours)} of {len(ours)} noticed, drawn from {len(every)}")
    if given.out:
        with open(given.out, "w", encoding="utf-8", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows([("room", "file", "line", "operator", "outcome"), *rows])
    print(f"{sum(r[-1] == 'noticed' for r in rows)} of {len(rows)} noticed")


if __name__ == "__main__":
    main()
