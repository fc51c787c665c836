"""Answers for a file of points: one prediction with its interval per row, or the reason why there is none."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rackecon.catalog import accelerator
from rackecon.catalog.text_file import read_text
from rackecon.errors import InputError
from rackecon.evidence.intervals import interval_factors
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.points import NEEDED, POINT_COLUMNS, Points
from rackecon.serving.predict import predict
from rackecon.serving.query import years_beyond

__all__ = ["ADDED_COLUMNS", "answer", "read_points", "write_answers"]

LARGEST_BYTES = 256 * 2**20
QUANTITIES = ("total_tok_s_per_gpu", "output_tok_s_per_gpu", "tok_s_per_user")
ADDED_COLUMNS = (
    *(f"predicted_{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")),
    "predicted_ttft_ms",
    "bottleneck",
    "status",
    "reason",
)


def read_points(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Header and rows of a CSV file of points.

    Raises
    ------
    InputError
        Missing file, no header, a column that is needed and absent, or a row with too many or too few cells.
    """
    text = read_text(path, largest=LARGEST_BYTES)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as fault:
        raise InputError(f"{path}: not a readable CSV file: {fault}") from None
    lines = [line for line in lines if line]
    if not lines:
        raise InputError(f"{path}: empty; the first line must name the columns")
    header = [name.strip() for name in lines[0]]
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise InputError(f"{path}: column '{missing[0]}' is missing; needed: {', '.join(NEEDED)}")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(f"{path}: column '{twice}' appears more than once")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise InputError(f"{path} row {number}: {len(line)} cells where the header has {len(header)}")
    return header, [dict(zip(header, line, strict=True)) for line in lines[1:]]


def answer(rows: Sequence[Mapping[str, Any]], parameters: ServingParameters | None = None) -> list[dict[str, Any]]:
    """Predictions with 90 % intervals, one per row in the rows' order.

    Parameters
    ----------
    rows : sequence of mapping
        Points; only the columns of conditions are read, never a measured one.
    parameters : ServingParameters, optional
        The shipped ones by default.

    Returns
    -------
    list of dict
        The columns of ``ADDED_COLUMNS``. Rates count all GPUs; total counts input and output tokens.

    Raises
    ------
    InputError
        A name, number or date that is not allowed; the line says which row.
    """
    used = parameters or load_parameters()
    conditions = [{name: row.get(name, "") for name in POINT_COLUMNS} for row in rows]
    points = Points.from_rows(conditions)
    _ = points.years
    found = predict(points, used)
    names = found.__dataclass_fields__
    return [_columns(row, {name: getattr(found, name)[i] for name in names}) for i, row in enumerate(conditions)]


def _columns(row: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = dict.fromkeys(ADDED_COLUMNS, "")
    out.update(status=str(found["status"]), reason=str(found["reason"]))
    if out["status"] != "ok" or not math.isfinite(float(found["total_tok_s_per_gpu"])):
        return out
    mode, date = str(found["mode"]), str(row.get("date", "") or "").strip()
    chip = accelerator(str(row["accelerator"]).strip())
    late = years_beyond(chip, date) if date else 0.0
    for name in QUANTITIES:
        value = float(found[name])
        low, high = interval_factors(chip.id, str(row["model"]).strip(), mode, name, late)
        out[f"predicted_{name}"] = _short(value)
        out[f"predicted_{name}_low"] = _short(value * low)
        out[f"predicted_{name}_high"] = _short(value * high)
    out["predicted_ttft_ms"] = _short(float(found["ttft_ms"]))
    out["bottleneck"] = str(found["bottleneck"])
    if not out["reason"] and chip.kernel_inherited:
        out["reason"] = f"no kernel measurements of {chip.name}: inherited, with a wider interval"
    return out


def _short(value: float) -> str:
    return f"{value:.6g}"


def write_answers(
    path: Path, header: Sequence[str], rows: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]]
) -> None:
    """Write the rows with their answers, by a temporary file and a rename, so that a failed run leaves no half file."""
    names = [*(name for name in header if name not in ADDED_COLUMNS), *ADDED_COLUMNS]
    if path.parent and not path.parent.is_dir():
        raise InputError(f"{path}: its folder does not exist")
    fresh = path.with_name(path.name + ".part")
    with open(fresh, "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for row, found in zip(rows, answers, strict=True):
            writer.writerow({**row, **found})
    os.replace(fresh, path)
