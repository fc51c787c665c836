"""Do the fast tests notice a wrong formula? A seeded sample of one-line mutations of the physics and the money.

    python tests/mutation/run.py [--sample 40] [--seed 1] [--rooms performance serving economics] [--quick] [--out results.csv]

Needs cosmic-ray (pip install cosmic-ray). Works in a copy of the checkout. Each mutant meets three stages in turn: the
reference answers, the fast tests and doctests of its own room, the fast tests of the rooms above. Prints which stage noticed
it, and the share that was noticed; one that runs past its time (a loop that no longer ends) is counted apart. ``--quick``
leaves the third stage out: what it says is then a lower bound.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from cosmic_ray.modules import find_modules
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = ("performance", "serving", "economics")
"""Drawn from unless others are named: the physics and the money."""
ABOVE = ("tests/evidence", "tests/appraisal", "tests/serving", "tests/market")
REFERENCE = ("tests/reference",)
EQUIVALENT = ("BitOr", "BitAnd", "BitXor", "LShift", "RShift", "ExceptionReplacer", "Variable")
"""Annotations are read as ``A | B``; shifts and sets of bits stand in no formula here."""
SECONDS = 900


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


def outcome(copy: Path, where: tuple[str, ...], said: list[str] | None = None) -> str:
    """What the fast tests say in the copy: ``pass``, ``fail`` or ``late``; the end of their words goes to ``said``."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *where]
    try:
        done = subprocess.run(
            command, cwd=copy, capture_output=True, text=True, timeout=SECONDS, env=_environment(copy), check=False
        )
    except subprocess.TimeoutExpired:
        return "late"
    if said is not None:
        said.append(done.stdout[-2000:])
    return "fail" if done.returncode else "pass"


def stages(room: str, *, quick: bool) -> dict[str, tuple[str, ...]]:
    """Tests that a mutant of a room meets, in their order."""
    own = (f"tests/{room}", f"lib/rackecon/{room}")
    found = {"reference": REFERENCE, "room": own}
    return found if quick else {**found, "above": tuple(x for x in ABOVE if x not in own)}


def verdict(copy: Path, room: str, *, quick: bool) -> str:
    """The first stage that notices; ``late`` where one runs past its time; ``survived``."""
    for name, where in stages(room, quick=quick).items():
        found = outcome(copy, where)
        if found != "pass":
            return name if found == "fail" else "late"
    return "survived"


def _environment(copy: Path) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(copy / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}


def _score(rows: list[tuple[str, str, int, str, str]]) -> str:
    told = Counter(row[-1] for row in rows)
    noticed = len(rows) - told["survived"] - told["late"]
    return f"{noticed} of {len(rows)} noticed ({', '.join(f'{name} {n}' for name, n in sorted(told.items()))})"


def main() -> None:
    """Parse the command line, mutate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "reports", ".*_cache"))
        for room in given.rooms:
            every = mutants(room)
            for stage, where in stages(room, quick=given.quick).items():
                said: list[str] = []
                if outcome(copy, where, said) != "pass":
                    sys.exit(f"{room}: the tests of stage {stage} do not pass before any mutation\n{''.join(said)}")
            for file, name, place in random.Random(given.seed).sample(every, min(given.sample, len(every))):
                path = copy / file
                original = path.read_text(encoding="utf-8")
                changed = mutate_code(original, get_operator(name)(), place)
                if changed is None or changed == original:
                    continue
                path.write_text(changed, encoding="utf-8")
                seen = verdict(copy, room, quick=given.quick)
                path.write_text(original, encoding="utf-8")
                line = next(
                    (
                        i
                        for i, (a, b) in enumerate(zip(original.split("\n"), changed.split("\n"), strict=False), 1)
                        if a != b
                    ),
                    0,
                )
                rows.append((room, str(file), line, name.split("/")[-1], seen))
                print(*rows[-1], changed.split("\n")[line - 1].strip()[:100], flush=True)
            ours = [row for row in rows if row[0] == room]
            print(f"{room}: {_score(ours)}, drawn from {len(every)}", flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows([("room", "file", "line", "operator", "outcome"), *rows])
    print(_score(rows))


if __name__ == "__main__":
    main()
