"""The figures of README's table of speeds, measured anew and shown beside the earlier ones.

    python tests/benchmarks/record.py                    # measure and compare
    python tests/benchmarks/record.py --write            # and put them into tests/benchmarks/figures.csv and README.md
    python tests/benchmarks/record.py frontier evaluate  # some of them
    python tests/benchmarks/record.py --long             # the report too, cold and unchanged
    python tests/benchmarks/record.py --against v0.1.0   # each beside the same of an earlier commit, in turn

A whole process is the least of its runs in processor time, of all its threads; a call inside one the least of its processor
times: both hold on a shared machine. The report is its wall time.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIGURES = Path(__file__).with_name("figures.csv")
MARKS = ("<!-- figures -->\n", "<!-- /figures -->\n")
RUNS = 5
LENGTHS = 140  # asked at once
LIBRARY: dict[str, str] = {}
RACKECON = [sys.executable, "-c", "from rackecon.cli import main; main()"]
SEVEN = (
    "from dataclasses import replace; from rackecon.appraisal.evaluate import PLATFORMS as P, evaluate as e; import pandas; "
    "from rackecon.catalog import scenario; c = scenario('rag-summarise'); e(P, ['deepseek-r1'], [c])"
)
GRID = (
    "{fixed: {accelerator: %s, model: %s, osl_tokens: 1000}, grid: {isl_tokens: {from: 1000, to: 30000, points: 150}}}"
)


def ran(words: Sequence[str]) -> str:
    """What a process prints, of the library in use: ours, or that of an earlier commit; bytecode is kept, as a user's is."""
    env = os.environ | LIBRARY | {"PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT, env=env).stdout


def process(*words: str, runs: int = RUNS) -> float:
    """Processor time of a whole process [s]."""
    taken = []
    for _ in range(runs):
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        ran(words)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime)
    return min(taken)


def waited(*words: str, runs: int = 1) -> float:
    """Wall time of a whole process [s]."""
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        ran(words)
        taken.append(time.perf_counter() - begun)
    return min(taken)


@contextmanager
def earlier(commit: str) -> Iterator[None]:
    """The library of an earlier commit, in a checkout of its own, in place of ours."""
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", f"{folder}/then", commit], check=True, capture_output=True)
        LIBRARY["PYTHONPATH"] = f"{folder}/then/lib"
        try:
            yield
        finally:
            del LIBRARY["PYTHONPATH"]
            subprocess.run([*git, "remove", "--force", f"{folder}/then"], check=True, capture_output=True)


def inside(setup: str, call: str, runs: int = 15) -> float:
    """Processor time of a call in a fresh process [s]; ``i`` counts the runs."""
    code = (
        f"import time\n{setup}\ntaken = []\nfor i in range({runs}):\n"
        f"    begun = time.process_time()\n    {call}\n    taken.append(time.process_time() - begun)\nprint(min(taken))"
    )
    return float(ran([sys.executable, "-c", code]).splitlines()[-1])


def searched(accelerator: str, model: str) -> str:
    """A search alone, and as one of many lengths: candidates that fit a second; what is dropped unevaluated is none."""
    setup = (
        "from rackecon.serving.frontier import find_together as find, search; from rackecon.serving.query import Query; "
        f"asked = Query.of('{accelerator}', '{model}', 1024, 1024); find([asked])"
    )
    alone = f"search('{accelerator}', '{model}', 1025 + i, 1024)"
    many = f"find([asked.at(1024 + x, 1024) for x in range({LENGTHS})])"
    counts = ran(
        [sys.executable, "-c", f"{setup}; print(*(sum(x.fitting for x in y) for y in (find([asked]), {many})))"]
    )
    one, all_of = (int(x) for x in counts.split())
    taken, together = inside(setup, alone), inside(setup, many, runs=5)
    rates = [f"{fitting / seconds / 1e6:.2f}" for fitting, seconds in ((one, taken), (all_of, together))]
    return (
        f"{1e3 * taken:.1f} ms, {one:,} fit: {rates[0]} million a second, {rates[1]} of {LENGTHS} lengths asked at once"
    )


def swept(accelerator: str, model: str) -> str:
    """Physical points a second of a sweep on one core."""
    from_text = (
        f"from rackecon.sweeps.chunk import run_chunk as run; text = '{GRID % (accelerator, model)}'; run(text, 0, 10)"
    )
    return f"{140 / inside(from_text, 'run(text, 10, 140)', runs=1):.0f} a second and core"


def reported(*options: str) -> str:
    """The report into a folder of its own, cold; or over it again."""
    with tempfile.TemporaryDirectory() as folder:
        code = f"from pathlib import Path; from rackecon.press.run import *; run_reports(report_names(), {{}}, Path('{folder}'), 2"
        cold = waited(sys.executable, "-c", f"{code}, force=True)")
        return f"{cold:.0f} s" if "cold" in options else f"{waited(sys.executable, '-c', f'{code})', runs=2):.1f} s"


def ms(seconds: float) -> str:
    """Milliseconds."""
    return f"{1e3 * seconds:.1f} ms"


ASKED = ["--accelerator=b200-hgx", "--model=deepseek-r1", "--isl=1024", "--osl=1024"]
MONEY = "e(P, ['deepseek-r1'], [c], utilisation=0.4 + 0.01 * i)"
SEARCHES = "e(P, ['deepseek-r1'], [replace(c, isl_tokens=8000 + i)])"
DRAWN = "from rackecon.uncertainty.propagate import run; import scipy.stats"
DRAWS = "run(P, ['deepseek-r1', 'gpt-oss-120b'], ['chat'], draws=16384)"
SENT = (
    "import sys; sys.path[:0] = ['tests/benchmarks', 'tests/load']; from rackecon.load.replay import Fleet, replay; "
    "from replayed import saturated_rps; from rackecon.load.requests import load_trace, steady; from rackecon.load.step_times import StepTimes; "
    "t = StepTimes.linear((10, 0.1), (15, 0.3, 0.0002), 32); lengths = load_trace('azure2023_conv'); "
    "sent = steady(lengths, 20_000, 0.8 * saturated_rps(lengths.first(4000), t))"
)
BY_SIMPY = "Line(sent, (10, 0.1), (15, 0.3, 0.0002), 32).run()"
STEPS = "from rackecon.evidence.crosscheck import load_steps, our_step_ms; steps = load_steps()"
PEER = f"{STEPS}; from rackecon.evidence.crosscheck_peer import golden"


def peer_steps() -> str:
    """The same steps by aiconfigurator-core, its engines built anew and its tables read before."""
    if find_spec("aiconfigurator_core") is None:
        return "not installed: pip install 'rackecon[crosscheck]'"
    return f"{inside(PEER, 'golden(steps)', runs=2):.1f} s"


MEASURED: dict[str, Callable[[], str]] = {
    "import": lambda: f"{process(sys.executable, '-c', 'import rackecon') - process(sys.executable, '-c', ''):.2f} s",
    "help": lambda: f"{process(*RACKECON, '--help'):.2f} s",
    "frontier": lambda: f"{process(*RACKECON, 'frontier', *ASKED):.2f} s",
    "search_moe": lambda: searched("gb200-nvl72", "deepseek-r1"),
    "search_dense": lambda: searched("h200-sxm", "llama-3.1-70b"),
    "evaluate": lambda: ms(inside(SEVEN, MONEY)),
    "evaluate_cold": lambda: ms(inside(SEVEN, SEARCHES)),
    "sweep_moe": lambda: swept("h200-sxm", "deepseek-r1"),
    "sweep_dense": lambda: swept("h200-sxm", "llama-3.1-70b"),
    "steps": lambda: ms(inside(STEPS, "our_step_ms(steps)")),
    "steps_peer": peer_steps,
    "replay": lambda: f"{inside(SENT, 'replay(sent, Fleet(times=t))', runs=3):.2f} s",
    "replay_simpy": lambda: f"{inside(f'{SENT}; from by_simpy import Line', BY_SIMPY, runs=3):.2f} s",
    # a process remembers its short lists: each run in one of its own
    "draws": lambda: f"{min(inside(f'{SEVEN}; {DRAWN}', DRAWS, runs=1) for _ in range(3)):.1f} s",
}
LONG: dict[str, Callable[[], str]] = {"report_cold": lambda: reported("cold"), "report_same": lambda: reported()}


def table(rows: list[dict[str, str]]) -> str:
    """README's table."""
    lines = [f"| {row['what']} | {row['measured']} | {row['with']} |" for row in rows]
    return "\n".join(["| what | measured | with |", "| --- | --- | --- |", *lines]) + "\n"


def main() -> None:
    """Measure, compare, and write where asked."""
    asks = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asks.add_argument("names", nargs="*", help=f"of {', '.join((*MEASURED, *LONG))}")
    asks.add_argument("--long", action="store_true")
    asks.add_argument("--write", action="store_true")
    asks.add_argument("--against", metavar="COMMIT", help="show each beside the same of an earlier commit")
    given = asks.parse_args()
    every = MEASURED | LONG
    with open(FIGURES, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    names = given.names or [*MEASURED, *(LONG if given.long else ())]
    for row in rows:
        if row["key"] in names:
            before, row["measured"] = row["measured"], every[row["key"]]()
            then = ""
            if given.against:
                with earlier(given.against):
                    then = f"; {given.against[:12]} now {every[row['key']]()}"
            print(f"{row['what']}: {row['measured']} (on record {before}{then})", flush=True)
    if given.write:
        with open(FIGURES, "w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        page = ROOT / "README.md"
        before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
        page.write_text(before + MARKS[0] + table(rows) + MARKS[1] + rest.split(MARKS[1])[1], encoding="utf-8")


if __name__ == "__main__":
    main()
