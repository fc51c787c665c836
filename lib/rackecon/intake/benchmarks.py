"""Runs of serving benchmarks, as their tools write them, in the terms of data/measured_serving.csv.

A file is told apart by its content (:mod:`rackecon.intake.benchmark_layouts`) and read into records, each a :class:`~rackecon.intake.benchmark_fields.Run`;
what a file does not say is asked for in one line, and what it says is never overruled.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from rackecon.catalog.engine_versions import version_date, version_in
from rackecon.catalog.text_file import read_text
from rackecon.catalog.user_rows import checked_cells, needed_columns, parsed, table_fields
from rackecon.errors import InputError
from rackecon.intake.benchmark_fields import Run
from rackecon.intake.benchmark_layouts import runs_of
from rackecon.intake.benchmark_text import LARGEST_BYTES
from rackecon.intake.point_sheets import NAMES, measured_rows

ASKED: Final = {
    "accelerator": "--accelerator",
    "gpus": "--gpus",
    "model": "--model",
    "weight_precision": "--precision",
    "engine": "--engine",
    "tp": "--tp",
    "isl": "--isl",
    "osl": "--osl",
    "concurrency": "--concurrency",
    "total_tok_s_per_gpu": "--total-tok-s-per-gpu",
}
"""What no measured point can do without, and the option that gives it where a file does not."""
USUAL: Final = {"mode": "aggregated", "ep": "1", "pp": "1", "dp_attention": "false"}
"""What is taken, and said, where a file says nothing: one engine layout without further parallelism."""
SAID: Final = {"mode": "{} taken", "ep": "ep {} taken", "date": "{} taken, the day of the file"}
MOST_IN_FLIGHT, FEWEST_IN_FLIGHT = 2.0, 0.2
"""Requests in flight by Little's law, over those stated, beyond which a unit is wrong, and below which it may be."""
WHOLE_RATES: Final = ("total_tok_s", "output_tok_s")
OWN_COLUMNS: Final = 2  # columns of data/measured_serving.csv that make a header one of a table of one's own
FIRST_ROW: Final = 2
SAME: Final = 1e-6  # two figures for one quantity


@dataclass(frozen=True)
class Stated:
    """What a file says of one run, as text by column of data/measured_serving.csv.

    Beside those columns, ``total_tok_s`` and ``output_tok_s`` are rates of the whole deployment [tok/s].
    """

    where: str
    cells: Mapping[str, str]
    notes: tuple[str, ...]
    worked_out: tuple[str, ...]
    asked: Mapping[str, str]
    usual: Mapping[str, str]


def read_runs(path: Path) -> list[Stated]:
    """Runs of a benchmark's result file, or of a CSV with columns of data/measured_serving.csv.

    Parameters
    ----------
    path : Path
        JSON, JSON lines or CSV of a tool of :data:`rackecon.intake.benchmark_layouts.LAYOUTS`; or a table of one's own.

    Raises
    ------
    InputError
        No known layout, or the first malformed field: file, line, field, what is wrong.
    """
    text = read_text(path, largest=LARGEST_BYTES)
    day = date.fromtimestamp(path.stat().st_mtime).isoformat()
    table = _own_table(path.name, text, day)
    return table if table is not None else [stated(run, day) for run in runs_of(path.name, text)]


def stated(run: Run, day: str) -> Stated:
    """A run of a tool's file, whose day is taken where it names none."""
    return Stated(run.where, run.text(), run.notes, run.worked_out, ASKED, USUAL | {"date": day})


def _own_table(name: str, text: str, day: str) -> list[Stated] | None:
    """Rows of a table of one's own; None where the text is none. Columns that no table has are left out, with a word.

    One under the table's own headers is complete or refused; of a sheet under other headers the usual is taken and said.
    """
    columns = table_fields("measured_serving")
    first = {word.strip().strip('"') for word in text.lstrip().split("\n", 1)[0].split(",")}
    if text.lstrip().startswith(("{", "[")):
        return None
    own = len(first & {*columns, *WHOLE_RATES}) >= OWN_COLUMNS
    rows = parsed(name, text) if own else measured_rows(name, text)
    if rows is None:
        return None
    if not rows:
        raise InputError(f"{name}: no rows")
    notes = tuple(
        _left_out(column, columns) for column in rows[0] if column not in columns and column not in WHOLE_RATES
    )
    asked = {column: _option(column) for column in needed_columns("measured_serving")} if own else ASKED
    usual = {} if own else USUAL | {"date": day}
    out = []
    for number, row in enumerate(rows, start=2):
        held = {column: cell for column, cell in row.items() if cell and (column in columns or column in WHOLE_RATES)}
        known = {column: NAMES[column](cell) or cell for column, cell in held.items() if column in NAMES and own}
        where, said = f"{name} row {number}", notes if number == FIRST_ROW else ()
        out.append(Stated(where, held | known, said, (), asked, usual))
    return out


def _left_out(column: str, columns: Collection[str]) -> str:
    near = difflib.get_close_matches(column, columns, n=1, cutoff=0.75)
    return f"column '{column[:60]}' left out" + (f" (nearest is '{near[0]}')" if near else "")


def filled_row(found: Stated, given: Mapping[str, str]) -> tuple[dict[str, str], list[str], list[str]]:
    """A row of data/measured_serving.csv of what a file says and of what the user adds.

    Parameters
    ----------
    given : mapping
        Columns of the row by name, as options give them; empty where not given.

    Returns
    -------
    tuple
        The row's cells; what has been taken for granted, in words; the options that are still missing.

    Raises
    ------
    InputError
        An option that contradicts the file.
    """
    cells, said = dict(found.cells), list(found.notes)
    unknown: dict[str, str] = {}
    for column, named in NAMES.items() if found.usual else ():
        if column in cells:
            name = named(cells[column])
            if name is None:
                unknown[column] = cells.pop(column)
            else:
                cells[column] = name
    for column, value in given.items():
        if not value:
            continue
        wanted = (NAMES[column](value) or value) if column in NAMES else value
        if column in cells and column not in found.worked_out and not _same(cells[column], wanted):
            raise InputError(f"{found.where}: {_option(column)} {value}, but the file says {column} {cells[column]}")
        cells[column] = wanted
    _rates(cells)
    if found.usual and not cells.get("date"):
        said += _dated(found, given, cells)
    for column, usual in found.usual.items():
        if column not in cells:
            cells[column] = usual
            if column in SAID:
                said.append(SAID[column].format(usual))
    whole = {name: cells.pop(name) for name in WHOLE_RATES if name in cells}
    if whole and cells.get("gpus") and _number(cells, "gpus") is None:
        raise InputError(
            f"{found.where} gpus: '{cells['gpus'][:40]}' is not a number of GPUs to share the rate of all among"
        )
    missing = []
    for column, option in found.asked.items():
        follows = column == "total_tok_s_per_gpu" and (whole or cells.get("output_tok_s_per_gpu"))
        if not cells.get(column) and not follows:
            missing.append(option + (f" (no row for '{unknown[column][:60]}')" if column in unknown else ""))
    said += _contradictions(found.where, cells)
    return cells, said, missing


def _dated(found: Stated, given: Mapping[str, str], cells: dict[str, str]) -> list[str]:
    """Date of the engine's version, where a run of it was measured."""
    texts = (given.get("engine", ""), found.cells.get("engine", ""), cells.get("engine_version", ""))
    version = next((word for word in map(version_in, texts) if word), None)
    day = version_date(cells.get("engine", ""), version) if version else None
    if day is None:
        return []
    cells["date"] = day
    return [f"{day} taken, of the newest measured run of {cells['engine']} {version}"]


def _contradictions(where: str, cells: Mapping[str, str]) -> list[str]:
    """Whether rate, latencies and load agree: by Little's law as many requests are in flight as the run says."""
    names = ("output_tok_s_per_gpu", "gpus", "osl", "ttft_ms", "tpot_ms", "concurrency")
    output, gpus, osl, ttft, tpot, load = (_number(cells, name) or math.nan for name in names)
    flight = output * gpus / osl * (ttft + (osl - 1.0) * tpot) / 1e3
    if flight > MOST_IN_FLIGHT * load:
        raise InputError(
            f"{where}: {flight:.4g} requests in flight follow from its rate and latencies, {load:g} are stated: "
            "a unit (ms or s) or a rate (per user, per GPU or of all GPUs) is another"
        )
    if flight < FEWEST_IN_FLIGHT * load:
        return [f"only {flight:.3g} of {load:g} requests in flight by Little's law: a light load, or a unit is another"]
    return []


def _option(column: str) -> str:
    return ASKED.get(column, "--" + column.replace("_", "-"))


def _same(held: str, wanted: str) -> bool:
    try:
        return math.isclose(float(held), float(wanted), rel_tol=SAME)
    except ValueError:
        return held.lower() == wanted.lower()


def _rates(cells: dict[str, str]) -> None:
    """Rates per GPU of those of the deployment, and the total of the output rate and the lengths."""
    gpus = _number(cells, "gpus")
    for name in WHOLE_RATES:
        value = _number(cells, name)
        if gpus and value and not cells.get(f"{name}_per_gpu"):
            cells[f"{name}_per_gpu"] = f"{value / gpus:.10g}"
    isl, osl, output = (_number(cells, name) for name in ("isl", "osl", "output_tok_s_per_gpu"))
    if isl and osl and output and not cells.get("total_tok_s_per_gpu"):
        cells["total_tok_s_per_gpu"] = f"{output * (isl + osl) / osl:.10g}"


def _number(cells: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(cells.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def checked_runs(
    path: Path, given: Mapping[str, str], asking: Callable[[str], str] = str
) -> list[tuple[Stated, dict[str, str], list[str]]]:
    """Runs of a file, each with its row of data/measured_serving.csv and what was taken for granted, in words.

    Parameters
    ----------
    path, given
        As in :func:`read_runs` and :func:`filled_row`.
    asking : callable
        How an option that is missing is asked for.

    Raises
    ------
    InputError
        What the file lacks, in one line; or the first fault of a row.
    """
    runs = read_runs(path)
    filled = [filled_row(run, given) for run in runs]
    asked = dict.fromkeys(asking(option) for _, _, missing in filled for option in missing)
    if asked:
        raise InputError(f"{path.name} does not say all that a measured point needs: give {', '.join(asked)}")
    wheres = [run.where for run in runs]
    rows = checked_cells("measured_serving", path.name, [cells for cells, _, _ in filled], wheres)
    return [(run, row, said) for run, row, (_, said, _) in zip(runs, rows, filled, strict=True)]
