"""Adding the reader's own rows: everything is checked before anything is written."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rackecon.catalog.cached import of_arguments
from rackecon.catalog.paths import data_dir, read_rows, user_dir
from rackecon.errors import InputError, unknown_name

__all__ = ["ADDABLE", "add_rows", "checked_rows", "read_csv"]

LARGEST_BYTES: Final = 16 * 2**20
FIRST_BYTES: Final = 4096
MOST_ROWS: Final = 100_000
ADDABLE: Final = {
    "accelerators": (
        "id", "family", "peak_bf16_flops", "hbm_gib", "hbm_tb_per_s", "scaleup_gb_per_s", "scaleup_domain_gpus", "tdp_w",
    ),
    "racks": ("accelerator", "gpus_per_rack", "rack_it_kw"),
    "costs": ("accelerator", "value"),
    "power": ("accelerator", "value"),
    "models": ("id", "layers", "hidden"),
    "prices": ("provider", "model_id", "value_input", "value_output", "valid_from"),
    "measured_serving": (
        "date", "accelerator", "gpus", "model", "weight_precision", "engine", "mode", "tp", "ep", "isl", "osl",
        "concurrency", "total_tok_s_per_gpu",
    ),
    "workloads": ("workload", "isl_mean", "osl_mean"),
    "scenarios": ("id", "isl_tokens", "osl_tokens"),
}  # fmt: skip
"""Tables that take rows, with the columns a row cannot do without."""
KEYS: Final = {
    "accelerators": "id", "models": "id", "racks": "accelerator", "measured_serving": "point_id", "workloads": "workload",
    "scenarios": "id",
}  # fmt: skip
DEFAULTS: Final[dict[str, dict[str, str]]] = {
    "accelerators": {
        "status": "available", "servable": "true", "gpus_per_server": "8", "scaleout_gbit_per_s": "400",
        "kernel_inherited": "true", "grade": "estimate",
    },
    "racks": {"servers_per_rack": "1", "layout": "own rack", "grade": "estimate"},
    "costs": {
        "category": "TCO $/GPU-hr (Jul-2026)", "basis": "own - hyperscaler", "unit": "$/GPU-hr", "confidence": "own",
        "grade": "estimate",
    },
    "power": {"metric": "all_in_kw_per_accelerator_current", "unit": "kW", "grade": "estimate"},
    "scenarios": {"latency_statistic": "median", "prefix_cache_hit": "0", "grade": "measured"},
    "prices": {"kind": "open-weight API price", "tier": "standard", "unit": "$/M tokens", "grade": "published"},
    "measured_serving": {"pp": "1", "dp_attention": "false", "length_draw": "as stated", "grade": "measured"},
    "models": {"grade": "derived"},
    "workloads": {"kind": "raw", "licence": "own", "grade": "measured"},
}  # fmt: skip
RANGES: Final[dict[str, dict[str, tuple[float, float, str]]]] = {
    "accelerators": {
        "peak_bf16_flops": (1e12, 1e18, "FLOP/s"),
        "peak_fp8_flops": (1e12, 1e18, "FLOP/s"),
        "peak_fp4_flops": (1e12, 1e18, "FLOP/s"),
        "peak_int8_flops": (1e12, 1e18, "OP/s"),
        "hbm_gib": (1, 10_000, "GB"),
        "hbm_tb_per_s": (0.05, 1000, "TB/s"),
        "scaleup_gb_per_s": (1, 100_000, "GB/s one way"),
        "scaleout_gbit_per_s": (1, 100_000, "Gbit/s"),
        "scaleup_domain_gpus": (1, 100_000, "GPUs"),
        "gpus_per_server": (1, 1024, "GPUs"),
        "tdp_w": (10, 20_000, "W"),
    },
    "racks": {"gpus_per_rack": (1, 10_000, "GPUs"), "rack_it_kw": (0.1, 10_000, "kW")},
    "prices": {
        "value_input": (0, 10_000, "USD/Mtok"),
        "value_cached_input": (0, 10_000, "USD/Mtok"),
        "value_output": (0, 10_000, "USD/Mtok"),
    },
    "measured_serving": {
        "gpus": (1, 100_000, "GPUs"),
        "tp": (1, 1024, "GPUs"),
        "ep": (1, 1024, "GPUs"),
        "isl": (1, 1e7, "tokens"),
        "osl": (1, 1e7, "tokens"),
        "concurrency": (1, 1e6, "requests"),
        "total_tok_s_per_gpu": (1e-3, 1e7, "tok/s/GPU"),
        "output_tok_s_per_gpu": (1e-3, 1e7, "tok/s/GPU"),
        "tok_s_per_user": (1e-3, 1e5, "tok/s"),
        "ttft_ms": (1e-3, 1e8, "ms"),
        "tpot_ms": (1e-3, 1e7, "ms"),
    },
}
PER_UNIT: Final[dict[tuple[str, str], tuple[float, float, str]]] = {
    ("costs", "$/GPU-hr"): (0.01, 1000, "USD per GPU-hour"),
    ("costs", "$/chip-hr"): (0.01, 1000, "USD per chip-hour"),
    ("power", "kW"): (0.01, 1000, "kW"),
    ("power", "W"): (1, 1e6, "W"),
}
"""Range of ``value`` in tables that hold many units; another unit takes any number of at least 0."""
WORDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "measured_serving": {
        "weight_precision": ("bf16", "fp8", "fp4", "int4"),
        "mode": ("aggregated", "disaggregated"),
    },
    "prices": {"unit": ("$/M tokens",)},
    "accelerators": {"status": ("available", "announced"), "servable": ("true", "false")},
}
LINKS: Final = {"accelerator": "accelerators", "model": "models", "model_id": "models"}
LINKED_IN: Final = ("racks", "costs", "power", "measured_serving", "prices")


def read_csv(path: Path, *, largest: int = LARGEST_BYTES) -> str:
    """Text of a CSV file; its size and first bytes are looked at before the rest is read."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size > largest:
        raise InputError(f"{path.name}: {path.stat().st_size:,} bytes is more than is read ({largest:,})")
    with open(path, "rb") as handle:
        if b"\0" in handle.read(FIRST_BYTES):
            raise InputError(f"{path.name}: not text (a zero byte at its beginning)")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise InputError(f"{path.name}: empty")
    return text


def parsed(name: str, text: str) -> list[dict[str, str]]:
    """Rows of CSV text; a row of another width than the header is refused."""
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if any(map(str.strip, line))]
    except csv.Error as error:
        raise InputError(f"{name}: not CSV: {error}") from None
    if not lines:
        raise InputError(f"{name}: empty")
    header = [word.strip() for word in lines[0]]
    twice = sorted({word for word in header if header.count(word) > 1})
    if twice:
        raise InputError(f"{name}: column '{twice[0][:60]}' is given twice")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise InputError(f"{name} row {number}: {len(line)} cells, the header has {len(header)}")
    return [dict(zip(header, map(str.strip, line), strict=True)) for line in lines[1:]]


@of_arguments(8)
def _fields(package: Path, table: str) -> dict[str, dict[str, Any]]:
    described = json.loads(package.read_text(encoding="utf-8"))
    resource = next(item for item in described["resources"] if item["name"] == table)
    return {field["name"]: field for field in resource["schema"]["fields"]}


def checked_rows(table: str, path: Path) -> list[dict[str, str]]:
    """Rows of a file, complete with defaults, fit for a table.

    Parameters
    ----------
    table : str
        One of :data:`ADDABLE`.
    path : Path
        CSV with columns of data/TABLE.csv, in any order; those in :data:`ADDABLE` are needed.

    Raises
    ------
    InputError
        The first fault, in one line: file, row, column, what is wrong, what is allowed.
    """
    if table not in ADDABLE:
        raise unknown_name("table", table, ADDABLE)
    rows = parsed(path.name, read_csv(path))
    fields = _fields(data_dir() / "datapackage.json", table)
    if not rows:
        raise InputError(f"{path.name}: no rows")
    if len(rows) > MOST_ROWS:
        raise InputError(f"{path.name}: {len(rows):,} rows are more than are taken at once ({MOST_ROWS:,})")
    for column in ADDABLE[table]:
        if column not in rows[0]:
            raise InputError(f"{path.name}: column '{column}' is missing")
    for column in rows[0]:
        if column not in fields:
            raise unknown_name("column", column[:60], fields, path.name)
    out = []
    for number, row in enumerate(rows, start=2):
        full = complete(table, row)
        _check_row(f"{path.name} row {number}", table, full, fields)
        out.append(full)
    _check_keys(path.name, table, out)
    return out


def complete(table: str, row: Mapping[str, str]) -> dict[str, str]:
    """A row with every column of its table, defaults where it has none."""
    fields = _fields(data_dir() / "datapackage.json", table)
    full = {name: row.get(name, "") or DEFAULTS[table].get(name, "") for name in fields}
    if "source_id" in fields:
        full["source_id"] = full["source_id"] or "own"
    if table == "accelerators":
        shipped = (found for found in read_rows("accelerators") if found["family"] == full["family"])
        alike: dict[str, str] = next(shipped, {})
        for name in ("vendor", "kernel_hw"):
            full[name] = full[name] or alike.get(name, "")
        full["name"], full["label"] = full["name"] or full["id"], full["label"] or full["name"] or full["id"]
    if table in ("costs", "power"):
        full["item"] = full["item"] or full["accelerator"]
    if table == "prices":
        full["model"], full["source_date"] = (
            full["model"] or full["model_id"],
            full["source_date"] or full["valid_from"],
        )
    if table == "measured_serving":
        digest = hashlib.sha256(json.dumps(full, sort_keys=True).encode()).hexdigest()
        full["point_id"] = full["point_id"] or f"OWN-{digest[:10]}"
        full["split_group"] = full["split_group"] or digest[:10]
        full["source"] = full["source"] or "own benchmark"
        full["speculative"] = full["speculative"] or "none"
        full["draft_tokens"] = full["draft_tokens"] or "0"
    return full


def _check_row(where: str, table: str, row: Mapping[str, str], fields: Mapping[str, Mapping[str, Any]]) -> None:
    for column in ADDABLE[table]:
        if not row[column]:
            raise InputError(f"{where}: {column} is empty")
    for column, field in fields.items():
        cell = row[column]
        if any(ord(letter) < 32 for letter in cell) or len(cell) > 2000:
            raise InputError(f"{where} {column}: a control character or more than 2,000 characters")
        if not cell:
            continue
        limits = field.get("constraints") or {}
        low, high, unit = RANGES.get(table, {}).get(column, (limits.get("minimum"), limits.get("maximum"), ""))
        mixed = table in ("costs", "power") and column == "value"
        if mixed:
            low, high, unit = PER_UNIT.get((table, row["unit"]), (0, 1e15, row["unit"]))
        if mixed or field["type"] in ("number", "integer") or column in RANGES.get(table, {}):
            try:
                value = float(cell)
            except ValueError:
                raise InputError(f"{where} {column}: '{cell[:60]}' is not a number") from None
            if not math.isfinite(value) or (field["type"] == "integer" and value != int(value)):
                raise InputError(
                    f"{where} {column}: '{cell[:60]}' is not a {'whole ' * (field['type'] == 'integer')}number"
                )
            if (low is not None and value < float(low)) or (high is not None and value > float(high)):
                ends = f"{'' if low is None else f'at least {low:g}'}{'' if high is None else f' at most {high:g}'}"
                raise InputError(
                    f"{where} {column}: {cell[:60]} is out of range, allowed {ends.strip()} {unit}".rstrip()
                )
        if field["type"] == "boolean" and cell.lower() not in ("true", "false"):
            raise InputError(f"{where} {column}: '{cell[:60]}' is not true or false")
        allowed = WORDS.get(table, {}).get(column) or limits.get("enum")
        if allowed and cell not in allowed:
            raise unknown_name(column, cell[:60], map(str, allowed), where)
        if column in LINKS and table in LINKED_IN and not (table == "prices" and column == "model"):
            known = [found["id"] for found in read_rows(LINKS[column])]
            if cell not in known:
                raise unknown_name(column, cell[:60], known, where)
        if column in ("valid_from", "valid_to", "date") and column in ADDABLE[table]:
            from datetime import date

            try:
                date.fromisoformat(cell)
            except ValueError:
                raise InputError(f"{where} {column}: '{cell[:60]}' is not an ISO date (2026-01-31)") from None
    if table == "accelerators":
        known = sorted({found["kernel_hw"] for found in read_rows("accelerators") if found["kernel_hw"]})
        families = sorted({found["family"] for found in read_rows("accelerators")})
        if row["family"] not in families:
            raise unknown_name("family", row["family"][:60], families, where)
        if row["kernel_hw"] not in known:
            raise unknown_name("kernel_hw", row["kernel_hw"][:60], known, where)
    if table == "prices" and row["value_cached_input"] and float(row["value_cached_input"]) > float(row["value_input"]):
        raise InputError(
            f"{where}: cached input {row['value_cached_input']} costs more than fresh {row['value_input']}"
        )
    if table == "measured_serving" and float(row["output_tok_s_per_gpu"] or 0) > float(row["total_tok_s_per_gpu"]):
        raise InputError(f"{where}: output rate above the total rate; total counts input and output tokens")


def _check_keys(name: str, table: str, rows: Sequence[Mapping[str, str]]) -> None:
    key = KEYS.get(table)
    if key is None:
        return
    known = {found[key] for found in read_rows(table)}
    for number, row in enumerate(rows, start=2):
        if row[key] in known:
            raise InputError(f"{name} row {number}: {key} '{row[key][:60]}' is already in {table}")
        known.add(row[key])


def add_rows(table: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Append checked rows to the reader's own table; the file is replaced whole or not at all."""
    folder = user_dir()
    if folder is None:
        raise InputError("no folder for own rows: set RACKECON_USER_DATA")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table}.csv"
    columns = list(_fields(data_dir() / "datapackage.json", table))
    text = path.read_text(encoding="utf-8") if path.is_file() else ",".join(columns) + "\n"
    new = io.StringIO()
    writer = csv.DictWriter(new, columns, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writerows(
        [{k: ("true" if v else "false") if isinstance(v, bool) else v for k, v in r.items()} for r in rows]
    )
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text + new.getvalue(), encoding="utf-8")
    os.replace(fresh, path)
    return path
