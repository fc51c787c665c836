"""Bad input by every way in, drawn by a seed: one printable line and status 2, nothing written; or, where it may be good, no traceback."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import typer
from commands import ACCELERATOR, CASE, CONFIG, COST, GRID, MEASURED, PLAN, PRICE, RACK, SIZED, TRACE
from faults import Files, files
from typer.testing import CliRunner

PLACES = ("RACKECON_USER_DATA", "RACKECON_REPORTS")
SECONDS = 60
LINE = 1400
Attempt = tuple[str, Sequence[str], dict[str, bytes], bool]
"""What it is, the command, its files, whether it must be refused."""
NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "-1",
    "-1e9",
    "1e30",
    "1e400",
    "many",
    "8 GB",
    "1,5",
    "0x10",
    "--",
    "1e",
    "١٢",
    "9" * 400,
    "",
    " ",
)
WORDS = (
    "", "x", "nan", "\x1b[31mred", "a\u202eb", "x" * 5000, "../../etc/passwd", "<script>alert(1)</script>", "${HOME}", "'; drop",
    "null", "NaN", "\u200b", "1e999", "{}", "[]", "__proto__",
)  # fmt: skip
VALUES = (
    "9" * 400,
    "NaN",
    "Infinity",
    "1e400",
    "-1e400",
    "null",
    "{}",
    "[[]]",
    '{"a": 1}',
    '"\\u202e"',
    "[" * 3000,
    "9" * 5000,
    '["x"]',
    "\x1b[2J",
)
JUNK = (b"\0", b"\xff", b"\xc3(", b"\xe2\x28\xa1", b"\xed\xa0\x80")
TABLES = {
    "add-accelerator": (("data", "add-accelerator"), ACCELERATOR), "add-price": (("data", "add-price"), PRICE),
    "add costs": (("data", "add", "costs"), COST), "add power": (("data", "add", "power"), COST),
    "add racks": (("data", "add", "racks"), RACK), "add-measured": (("data", "add-measured"), MEASURED),
    "add-workload": (("data", "add-workload"), TRACE), "predict": (("predict", "-o", "out.csv"), MEASURED),
    "diagnose": (("diagnose",), MEASURED), "forecasts": (("forecasts", "score"), MEASURED),
}  # fmt: skip
SETTLED = ("predict", "diagnose", "forecasts", "add-workload", "add-measured")
"""Commands that read files as people keep them: more columns, or cells left out, may be taken with a word."""
NEEDED_KEYS = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")
OPTIONS = {
    "frontier": (("frontier", *CASE), ("--accelerator", "--model", "--isl", "--osl", "--weight-precision", "--kv-precision",
        "--ttft-limit-ms", "--tpot-limit-ms", "--latency-statistic", "--mode", "--engine", "--date", "--speculative",
        "--prefix-cache-hit", "--max-gpus", "--usd-per-gpu-hour", "--kw-per-gpu")),
    "size": (("size", *SIZED), ("--model", "--isl", "--osl", "--users", "--rps", "--think-s", "--ttft-ms", "--tpot-ms",
        "--accelerator", "--mode", "--max-gpus", "--usd-per-gpu-hour", "--lengths")),
    "claims": (("claims",), ("--id",)), "compare": (("compare", "a", "b"), ("--most",)),
    "sweep": (("sweep", "grid.yaml", "-o", "out.parquet", "--quiet"), ("--jobs", "--chunk", "--scheduler")),
    "plan": (("plan", "plan.yaml", "--quiet"), ("--time-limit", "--draws")),
    "new": (("new",), ("",)), "edition": (("edition", "own"), ("",)), "report": (("report", "--name"), ("",)),
}  # fmt: skip


def _csv(dice: random.Random, text: str) -> tuple[str, bytes, bool]:
    rows = [line.split(",") for line in text.strip().splitlines()]
    line, column = dice.randrange(1, len(rows)), dice.randrange(len(rows[0]))
    what = dice.choice(
        ("column", "twice", "unknown", "cell", "cell", "ragged", "junk", "none", "long", "wide", "quote")
    )
    sure = True
    if what == "column":
        rows = [row[:column] + row[column + 1 :] for row in rows]
    elif what == "twice":
        rows = [[*row, row[column]] for row in rows]
    elif what == "unknown":
        rows = [[*row, "1"] for row in rows]
        rows[0][-1] = "zz" + dice.choice(("", "\x1b", "x" * 3000))
    elif what == "cell":
        rows[line][column], sure = dice.choice((*NUMBERS, *WORDS)).replace(",", ";").replace("'", ""), False
    elif what == "ragged":
        rows[line] = [*rows[line], "x"] if dice.random() < 0.5 else rows[line][:-1]
    elif what == "none":
        rows = rows[: dice.randrange(2)]
    elif what == "long":
        rows[line][column], sure = "y" * 200_000, False
    elif what == "wide":
        rows = [row + ["1"] * 3000 for row in rows]
    elif what == "quote":
        rows[line][column] = '"' + rows[line][column]
    whole = "\n".join(",".join(row) for row in rows).encode() + b"\n"
    if what == "junk":
        place = dice.randrange(len(whole))
        whole, sure = whole[:place] + dice.choice(JUNK) + whole[place:], True
    return what, whole, sure


def tables(dice: random.Random) -> Iterator[Attempt]:
    """Tables with a column, a cell, a row or a byte that is wrong."""
    while True:
        for name, (words, text) in TABLES.items():
            what, whole, sure = _csv(dice, text)
            yield f"{name}: {what}", (*words, "file.csv"), {"file.csv": whole}, sure and name not in SETTLED


def _mutated(dice: random.Random, whole: bytes) -> bytes:
    """Bytes with some of them changed, cut, doubled or put in."""
    for _ in range(dice.randrange(1, 4)):
        place = dice.randrange(len(whole) or 1)
        what = dice.randrange(5)
        if what == 0:
            whole = whole[:place]
        elif what == 1:
            whole = (
                whole[:place]
                + dice.choice((*JUNK, b"[", b"{", b'"', b":", b"&a ", b"*a ", b"-", b"1e999", b"\t"))
                + whole[place:]
            )
        elif what == 2:
            whole = whole[:place] + bytes([dice.randrange(256)]) + whole[place + 1 :]
        elif what == 3:
            whole += whole[place:]
        else:
            number = dice.choice(NUMBERS).encode()
            whole = whole[:place] + number + whole[place + 1 :]
    return whole


def configs(dice: random.Random) -> Iterator[Attempt]:
    """Model configurations: keys missing, values that are no sizes, deep, cut."""
    while True:
        config, key = dict(CONFIG), dice.choice(NEEDED_KEYS)
        sure = dice.random() < 0.7
        if sure:
            config[key] = dice.choice((-1, 0, 0.5, 1e30, 10**400, float("nan"), "many", [], {}, True, None, "x" * 5000))
            whole = json.dumps(config).encode()
        else:
            whole = _mutated(dice, json.dumps(config).encode())
        yield f"config: {key}", ("data", "add-model", "config.json", "--id", "mine"), {"config.json": whole}, sure
        whole = dice.choice(
            (b"[]", b"null", b"7", b'"x"', b"[" * 50_000, b'{"a":' * 5_000, b"{}", b"NaN", b"\xef\xbb\xbf")
        )
        yield "config: no object", ("data", "add-model", "config.json"), {"config.json": whole}, True


def grids(dice: random.Random) -> Iterator[Attempt]:
    """Grids, plans and files of parameters in YAML that are none or say what cannot be."""
    bomb = "a: &a [1,1]\nb: &b [*a,*a]\ngrid: {utilisation: *b}\n"
    for text in (
        bomb,
        "1: 2",
        "null: 3",
        "[]",
        "7",
        "!!python/object/apply:os.system [id]",
        "? [a]\n: b",
        "- a: &x *x",
    ):
        for words in (
            ("sweep", "grid.yaml", "-o", "o.parquet"),
            ("plan", "grid.yaml"),
            ("report", "-f", "grid.yaml", "--name", "x"),
        ):
            yield f"yaml: {text[:20]!r}", words, {"grid.yaml": text.encode()}, True
    while True:
        old = dice.choice((b"h100-sxm", b"gpt-oss-20b", b"isl_tokens", b"fixed", b"1000", b"500", b"0.2"))
        new = dice.choice(
            (
                b"-1",
                b"many",
                b"1e30",
                b".nan",
                b".inf",
                b"[]",
                b"{}",
                b"",
                b"x" * 3000,
                b"\xe2\x80\xae",
                b"2001-01-01",
                b"!!binary aaaa",
            )
        )
        words = ("sweep", "grid.yaml", "-o", "out.parquet", "--jobs", "1", "--quiet")
        yield f"grid: {old!r} {new[:9]!r}", words, {"grid.yaml": GRID.encode().replace(old, new, 1)}, False
        yield "grid: bytes", words, {"grid.yaml": _mutated(dice, GRID.encode())}, False
        yield (
            "plan: bytes",
            ("plan", "plan.yaml", "--quiet", "--time-limit", "2"),
            {"plan.yaml": _mutated(dice, PLAN.encode())},
            False,
        )


def options(dice: random.Random) -> Iterator[Attempt]:
    """Options of the commands with values that are none."""
    while True:
        name = dice.choice(tuple(OPTIONS))
        words, names = OPTIONS[name]
        option, value = dice.choice(names), dice.choice((*NUMBERS, *WORDS))
        if "\0" in value or (option == "--jobs" and value == "9" * 400):
            continue
        given = {"grid.yaml": GRID.encode(), "plan.yaml": PLAN.encode()}
        yield f"{name} {option} {value[:12]!r}", (*words, *((option, value) if option else (value,))), given, False


def parameters(dice: random.Random) -> Iterator[Attempt]:
    """Parameters of every notebook that are of no type, out of range, or not spelt so."""
    from rackecon.appraisal.parameters import notebook_path, read_parameters
    from rackecon.press.run import report_names

    known = [(name, key) for name in report_names() for key in read_parameters(notebook_path(name))]
    while True:
        name, key = dice.choice(known)
        value, spelt = dice.choice((*VALUES, *WORDS[1:5], "-1e9")), dice.random() < 0.9
        key = key if spelt else dice.choice((key + "x", "__class__", "x" * 3000, "\x1b[31m", ""))
        nothing = value in ("null",)
        yield (
            f"-p {name} {key[:20]} {value[:12]!r}",
            ("report", name, "-p", f"{key}={value}", "--name", "x"),
            {},
            not nothing,
        )


def records(dice: random.Random) -> Iterator[Attempt]:
    """run.json, a sweep's manifest and its chunks, results of a sweep: cut, changed, of another kind."""
    from rackecon.sweeps.sweep import sweep_record

    manifest = (json.dumps(sweep_record(GRID, 2), indent=1) + "\n").encode()
    good = json.dumps(
        {"version": "0.1.0", "notebooks": ["03_context_length"], "parameters": {}, "data": {}, "values": {}}
    ).encode()
    sweep = ("sweep", "grid.yaml", "-o", "out.parquet", "--jobs", "1", "--chunk", "2", "--quiet")
    while True:
        whole = dice.choice(
            (
                b"[]",
                b"null",
                b"7",
                b"{}",
                b"[" * 20_000,
                b'{"a":' * 3000,
                b"",
                _mutated(dice, good),
                _mutated(dice, good),
            )
        )
        yield "run.json", ("compare", "run", "run"), {"run/run.json": whole}, False
        yield "run.json", ("report", "--from", "run", "--name", "x"), {"run/run.json": whole}, False
        held = dice.choice((b"[]", b"null", b"{}", b"", _mutated(dice, manifest), _mutated(dice, manifest)))
        yield "manifest", sweep, {"grid.yaml": GRID.encode(), "out.parquet.parts/manifest.json": held}, False
        chunk = dice.choice((b"", b"PAR1", b"PAR1" + bytes(90) + b"PAR1", dice.randbytes(500)))
        name = f"out.parquet.parts/part-{dice.randrange(4):09d}-{dice.randrange(16**16):016x}.parquet"
        yield (
            "chunk",
            sweep,
            {"grid.yaml": GRID.encode(), "out.parquet.parts/manifest.json": manifest, name: chunk},
            False,
        )
        yield "parquet", ("compare", "a.parquet", "b.parquet"), {"a.parquet": chunk, "b.parquet": chunk}, True


WAYS: dict[str, tuple[Callable[[random.Random], Iterator[Attempt]], int]] = {
    "tables": (tables, 500), "configurations": (configs, 200), "yaml": (grids, 200), "options": (options, 250),
    "notebook parameters": (parameters, 300), "records": (records, 150),
}  # fmt: skip
"""Ways in, and attempts of each in a whole run."""


class Accepted(Exception):
    """A report that would be made."""


def _no_report(*_: object, **__: object) -> None:
    raise Accepted


def _stop(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def judged(attempt: Attempt, folder: Path) -> str:
    """Try one: empty where it is refused as it should be, or taken where it may be."""
    from rackecon.cli import app
    from rackecon.errors import InputError, disk_fault, plain
    from rackecon.press import run

    what, words, given, sure = attempt
    kept = {name: os.environ.get(name) for name in PLACES}
    before = _laid(folder, given)
    here, made = os.getcwd(), run._made
    os.chdir(folder)
    run._made = _no_report
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(SECONDS)
    try:
        done = CliRunner().invoke(app, list(words), standalone_mode=False)
    finally:
        signal.alarm(0)
        os.chdir(here)
        run._made = made
        for name, value in kept.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
    fault = done.exception
    if isinstance(fault, Accepted) or (fault is None and done.exit_code in (0, 1)):
        return f"taken: {what}" if sure else ""
    if isinstance(fault, SystemExit):
        return ""
    if isinstance(fault, InputError):
        line = str(fault)
    elif isinstance(fault, typer.TyperException):
        line = plain(fault.format_message())
    elif isinstance(fault, OSError) and not isinstance(fault, TimeoutError):
        line = disk_fault(fault)
    else:
        return f"{type(fault).__name__}: {str(fault)[:200]}"
    if not line.isprintable() or len(line) > LINE:
        return f"said {line[:200]!r}"
    left = {name: held for name, held in files(folder).items() if "/part-" not in name}
    return (
        ""
        if left == {name: held for name, held in before.items() if "/part-" not in name}
        else f"wrote {set(left) ^ set(before)}"
    )


def _laid(folder: Path, given: dict[str, bytes]) -> Files:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    for name, whole in given.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(whole)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["RACKECON_USER_DATA"] = str(folder / "own")
    os.environ["RACKECON_REPORTS"] = str(folder)
    return files(folder)


def attempts(way: str, times: int, folder: Path, seed: int = 22) -> Iterator[tuple[str, Callable[[], str]]]:
    """So many attempts by a way in, each to be made by a call that gives what it broke."""
    made = WAYS[way][0](random.Random(f"{seed} {way}"))
    for number, attempt in zip(range(times), made, strict=False):
        yield f"{way} {number}: {attempt[0]}", lambda attempt=attempt: judged(attempt, folder)
