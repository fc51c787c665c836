"""Adding the reader's own rows: everything is checked before anything is written."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import (
    CAPEX,
    CAPEX_BASIS,
    KEYS,
    OWN_SOURCE,
    listed,
    read_rows,
    shipped_rows,
    table_names,
    user_dir,
)
from rackecon.catalog.tables import described
from rackecon.catalog.text_file import check_width, csv_lines, read_text
from rackecon.catalog.written import csv_text, locked, write_file
from rackecon.errors import InputError, check_known, unknown_name

MOST_ROWS: Final = 100_000
LARGEST_BYTES: Final = 2**28
"""Of an own table that is added to."""
MOST_COLUMNS: Final = 500
OWN, OWN_HARDWARE = "own_rows", "own_hardware_rows"
"""Property of a field that says what an own row's cell may hold, and one's that prices hardware: see :func:`table_fields`."""
IDENTIFIERS: Final = {
    "accelerators": "id",
    "models": "id",
    "scenarios": "id",
    "workloads": "workload",
    "measured_serving": "point_id",
}
IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.IGNORECASE)
OBJECT_WORDS: Final = frozenset((
    "__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__", "constructor",
    "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "prototype", "toLocaleString", "toString", "valueOf",
))  # fmt: skip
"""What every JavaScript object has already: a chart with a platform of that name draws nothing."""
FIRST_DAY, LAST_DAY = "2015-01-01", "2040-12-31"
"""Dates outside are slips of the pen: no served model is older, no price is announced for later."""
LINKS: Final = {"accelerator": "accelerators", "model": "models", "model_id": "models"}
RENTAL: Final = "rental market price"
DATES: Final = ("valid_from", "valid_to", "date")
LONGEST_CELL: Final = 2000
JOURNAL: Final = ".adding.json"
LINKED_IN: Final = ("racks", "costs", "power", "measured_serving", "prices")


def parsed(name: str, text: str, separator: str = ",") -> list[dict[str, str]]:
    """Rows of CSV text; a row of another width than the header is refused."""
    lines = [line for line in csv_lines(name, text, separator) if any(map(str.strip, line))]
    if not lines:
        raise InputError(f"{name}: empty")
    header = [word.strip() for word in lines[0]]
    if len(header) > MOST_COLUMNS:
        raise InputError(f"{name}: {len(header):,} columns are more than a table has ({MOST_COLUMNS})")
    twice = [word for word, times in Counter(header).items() if times > 1]
    if twice:
        raise InputError(f"{name}: column '{min(twice)[:60]}' is given twice")
    for number, line in enumerate(lines[1:], start=2):
        check_width(name, number, line, header)
    return [dict(zip(header, map(str.strip, line), strict=True)) for line in lines[1:]]


def table_fields(table: str) -> dict[str, dict[str, Any]]:
    """Fields of a table's schema in data/datapackage.json, by name.

    ``own_rows`` of a field says what a cell of an own row may hold where the table leaves it open (other rows would be taken
    and never read): the least, the most and their unit, whole numbers, words, or what the shipped rows hold; whether a row
    cannot do without it; what stands where a row has nothing. ``own_hardware_rows`` the same of a row that prices a whole
    server or rack.
    """
    return {field["name"]: field for field in described(table)["schema"]["fields"]}


def needed_columns(table: str) -> tuple[str, ...]:
    """Columns that a table's own row cannot do without.

    Examples
    --------
    >>> needed_columns("racks")
    ('accelerator', 'gpus_per_rack', 'rack_it_kw')
    """
    return _needed(table_fields(table))


def _needed(fields: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(name for name, field in fields.items() if field.get(OWN, {}).get("needed"))


def checked_rows(table: str, path: Path) -> list[dict[str, str]]:
    """Rows of a file, complete with defaults, fit for a table.

    Parameters
    ----------
    table : str
        One of :data:`rackecon.catalog.paths.KEYS`.
    path : Path
        CSV with columns of data/TABLE.csv, in any order; those of :func:`needed_columns` are needed.

    Raises
    ------
    InputError
        The first fault, in one line: file, row, column, what is wrong, what is allowed.
    """
    check_known("table", table, KEYS)
    return checked_cells(table, path.name, parsed(path.name, read_text(path)))


def checked_cells(
    table: str, name: str, rows: Sequence[Mapping[str, str]], wheres: Sequence[str] = ()
) -> list[dict[str, str]]:
    """:func:`checked_rows` for rows that are read already; a fault names the file's row, or what ``wheres`` calls it."""
    fields = table_fields(table)
    if not rows:
        raise InputError(f"{name}: no rows")
    if len(rows) > MOST_ROWS:
        raise InputError(f"{name}: {len(rows):,} rows are more than are taken at once ({MOST_ROWS:,})")
    for column in needed_columns(table):
        if column not in rows[0]:
            raise InputError(f"{name}: column '{column}' is missing")
    for column in rows[0]:
        check_known("column", column[:60], fields, name)
    out = []
    for number, row in enumerate(rows, start=2):
        full = complete(table, row)
        _check_row(wheres[number - 2] if wheres else f"{name} row {number}", table, full, fields)
        out.append(full)
    _once(name, table, out)
    return out


def complete(table: str, row: Mapping[str, str]) -> dict[str, str]:
    """A row with every column of its table, defaults where it has none."""
    fields = table_fields(table)
    kinds = (OWN_HARDWARE, OWN) if _prices_hardware(table, row) else (OWN,)
    full = {
        name: row.get(name) or next((field[kind]["default"] for kind in kinds if "default" in field.get(kind, {})), "")
        for name, field in fields.items()
    }
    if "source_id" in fields:
        full["source_id"] = full["source_id"] or OWN_SOURCE
    if table == "accelerators":
        shipped = shipped_rows("accelerators")
        same = next((found for found in shipped if found["id"] == full["id"]), {})
        alike = next((found for found in shipped if found["family"] == full["family"]), {})
        for name in ("vendor", "kernel_hw"):
            full[name] = full[name] or same.get(name, "") or alike.get(name, "")
        for name in ("name", "label", "launch"):
            full[name] = full[name] or same.get(name, "")
        full["name"], full["label"] = full["name"] or full["id"], full["label"] or full["name"] or full["id"]
    if table == "models":
        _size_rest(full)
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


def _prices_hardware(table: str, row: Mapping[str, str]) -> bool:
    return table == "costs" and row.get("category", "") in CAPEX


def _size_rest(full: dict[str, str]) -> None:
    """What follows from a model's stated sizes, where the row leaves it open and its numbers can be read."""
    full["name"] = full["name"] or full["id"]
    try:
        layers, window, linear = (float(full[key]) for key in ("layers", "window_layers", "linear_layers"))
        vocab, hidden, bits = (float(full[key]) for key in ("vocab", "hidden", "native_expert_bits"))
        total, routed = (float(full[key]) for key in ("stated_total_params", "stated_routed_expert_params"))
        cache = float(full["stated_kv_bytes_per_token_bf16"])
        other = float(full["native_other_bits"] or bits)
    except ValueError:
        return
    embed = vocab * hidden * (1 if full["tied"].lower() == "true" else 2)
    weights = (max(total - routed - embed, 0.0) * other + routed * bits) / 8 + embed * 2
    rest = {
        "full_layers": layers - window - linear, "native_other_bits": other, "stated_embed_params": embed,
        "stated_native_weight_bytes": weights, "stated_kv_bytes_per_token_fp8": cache / 2,
    }  # fmt: skip
    for column, value in rest.items():
        full[column] = full[column] or f"{value:.12g}"
    full["native"] = full["native"] or (
        "BF16" if bits == 16 else f"FP8 ({bits:g} bits)" if bits >= 8 else f"FP4 ({bits:g} bits)"
    )


def _check_row(where: str, table: str, row: Mapping[str, str], fields: Mapping[str, Mapping[str, Any]]) -> None:
    needed = _needed(fields)
    for column in needed:
        if not row[column]:
            raise InputError(f"{where}: {column} is empty")
    kind = OWN_HARDWARE if _prices_hardware(table, row) else OWN
    for column, field in fields.items():
        cell = row[column]
        if not cell.isprintable() or len(cell) > LONGEST_CELL:
            raise InputError(f"{where} {column}: a control character or more than {LONGEST_CELL:,} characters")
        if cell:
            _check_sayable(f"{where} {column}", cell)
            _check_number(f"{where} {column}", cell, field, field.get(kind, {}))
            _check_word(where, table, column, cell, field)
            if column in DATES and (column in needed or field["type"] == "date" or column != "date"):
                _check_date(f"{where} {column}", cell, LAST_DAY)
    _check_together(where, table, row)


def _check_number(where: str, cell: str, field: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """A number is finite, whole where it counts things, and in the range of own rows, else of all."""
    ranged, whole = "minimum" in own, field["type"] == "integer" or own.get("whole", False)
    if not (whole or field["type"] == "number" or ranged):
        return
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (whole and value != int(value)):
        raise InputError(f"{where}: '{cell[:60]}' is not a {'whole ' * whole}number")
    limits = own if ranged else field.get("constraints") or {}
    low, high = limits.get("minimum"), limits.get("maximum")
    if (low is not None and value < float(low)) or (high is not None and value > float(high)):
        ends = " ".join(f"{word} {end:g}" for word, end in (("at least", low), ("at most", high)) if end is not None)
        raise InputError(f"{where}: {cell[:60]} is out of range, allowed {ends} {own.get('unit', '')}".rstrip())


def _check_word(where: str, table: str, column: str, cell: str, field: Mapping[str, Any]) -> None:
    """A word is one of a list; an id is short and plain; a name of another table's row is known there."""
    if field["type"] == "boolean" and cell.lower() not in ("true", "false"):
        raise InputError(f"{where} {column}: '{cell[:60]}' is not true or false")
    if IDENTIFIERS.get(table) == column:
        checked_id(f"{where} {column}", cell)
    own = field.get(OWN, {})
    allowed = own.get("words") or (field.get("constraints") or {}).get("enum")
    if own.get("as_shipped"):
        allowed = _held(table, column)
    if column in LINKS and table in LINKED_IN and (table, column) != ("prices", "model"):  # a provider's own name
        allowed = tuple(found["id"] for found in read_rows(LINKS[column]))
    if allowed and cell not in allowed:
        raise unknown_name(column, cell[:60], map(str, allowed), where)


def _check_sayable(where: str, cell: object) -> None:
    """No text of a row is one that a page's charts and controls cannot tell from their own."""
    if cell in OBJECT_WORDS:
        raise InputError(f"{where}: '{cell}' is a word of JavaScript's own, which no chart can show as a name")


def checked_id(where: str, name: str) -> str:
    """The name where it can be an id: in a page, an address, a file's name and a command without quoting.

    Raises
    ------
    InputError
        Another letter, or too many.

    Examples
    --------
    >>> checked_id("--id", "mychip-1.5")
    'mychip-1.5'
    """
    if not IDENTIFIER.fullmatch(name):
        raise InputError(f"{where}: '{name[:60]}' is not an id: at most 64 letters, digits, dots, - and _")
    _check_sayable(where, name)
    return name


@by_data(64)
def _held(table: str, column: str) -> tuple[str, ...]:
    return tuple(sorted({found[column] for found in shipped_rows(table) if found[column]}))


def _check_date(where: str, cell: str, last: str) -> None:
    from datetime import date

    try:
        date.fromisoformat(cell)
    except ValueError:
        raise InputError(f"{where}: '{cell[:60]}' is not an ISO date (2026-01-31)") from None
    if not FIRST_DAY <= cell <= last:
        raise InputError(f"{where}: {cell} is out of range, allowed {FIRST_DAY} to {last}")


def _check_together(where: str, table: str, row: Mapping[str, str]) -> None:
    """What two cells of a row say of each other."""
    if row.get("low") and row.get("high") and float(row["low"]) > float(row["high"]):
        raise InputError(f"{where}: low {row['low']} is above high {row['high']}")
    if table == "models":
        _check_model(where, row)
    if table == "prices" and float(row["value_cached_input"] or 0) > float(row["value_input"]):
        raise InputError(
            f"{where}: cached input {row['value_cached_input']} costs more than fresh {row['value_input']}"
        )
    if table == "costs":
        market, of_model = row["category"] == RENTAL, row["basis"].startswith(("own - ", "rent - "))
        hardware = _prices_hardware(table, row)
        if hardware != (row["basis"] == CAPEX_BASIS) or (market == of_model and not hardware):
            raise InputError(f"{where}: basis '{row['basis']}' is not one of category '{row['category']}'")
        if hardware != (row["unit"] == "$"):
            raise InputError(f"{where}: unit '{row['unit']}' is not one of category '{row['category']}'")
        if market and not row["source_date"][:4].isdigit():
            raise InputError(f"{where}: source_date '{row['source_date'][:60]}' has no year; a rent is told by it")
    if table == "measured_serving":
        from datetime import date

        _check_date(f"{where} date", row["date"], date.today().isoformat())
        if float(row["output_tok_s_per_gpu"] or 0) > float(row["total_tok_s_per_gpu"]):
            raise InputError(f"{where}: output rate above the total rate; total counts input and output tokens")


def _check_model(where: str, row: Mapping[str, str]) -> None:
    """Sizes of a model that agree with each other."""
    total, active, routed = (float(row[f"stated_{name}_params"] or 0) for name in ("total", "active", "routed_expert"))
    if active > total * 1.5:
        raise InputError(f"{where}: stated_active_params {active:g} are more than stated_total_params {total:g}")
    if float(row["n_experts"] or 0):
        for column in ("top_k", "moe_layers", "moe_inter"):
            if not float(row[column] or 0):
                raise InputError(f"{where}: {column} is empty; a model of n_experts experts has it")
        if not routed:
            raise InputError(f"{where}: stated_routed_expert_params is empty; a model of n_experts experts has it")
    if float(row["full_layers"] or 0) < 0:
        raise InputError(f"{where}: window_layers and linear_layers are more than layers")


def _once(name: str, table: str, rows: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, str]] = ()) -> None:
    """No two own rows of one key; a shipped row of that key is what an own one stands in place of."""
    columns = KEYS[table]
    known = {tuple(row.get(column, "") for column in columns): 0 for row in held}
    for number, row in enumerate(rows, start=2):
        key = tuple(str(row.get(column, "")) for column in columns)
        if key in known:
            first = f"row {known[key]}" if known[key] else f"your own {table}.csv, where it can be changed"
            raise InputError(
                f"{name} row {number}: {', '.join(columns)} '{', '.join(key)[:120]}' is already in {first}"
            )
        known[key] = number


def own_faults() -> list[str]:
    """What is wrong with the user's own rows: the first fault of each table, as ``rackecon data check`` tells them."""
    folder = user_dir()
    faults = []
    for path in listed(folder, "*.csv") if folder is not None else ():
        where, table = f"{path.parent.name}/{path.name}", path.stem
        try:
            if table not in table_names():
                raise unknown_name("table", table, table_names(), where)
            rows = parsed(where, read_text(path))
            if table in KEYS and rows:
                checked_cells(table, where, rows)
            fields = table_fields(table)
            for number, row in enumerate(rows, start=2):
                kind = OWN_HARDWARE if _prices_hardware(table, row) else OWN
                for column, cell in row.items():
                    if cell and column in fields:
                        own = fields[column].get(kind, {})
                        _check_number(f"{where} row {number} {column}", cell, fields[column], own)
        except (InputError, OSError) as fault:
            faults.append(str(fault) if isinstance(fault, InputError) else f"{where}: {fault.strerror}")
    return faults


def add_rows(table: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Append checked rows to the reader's own table; the file is replaced whole or not at all."""
    return add_tables({table: rows}) / f"{table}.csv"


def add_tables(added: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """Append checked rows to several own tables: to all of them or to none, one caller at a time.

    Returns
    -------
    Path
        The folder of own rows.

    Raises
    ------
    InputError
        No folder for own rows or none that takes them, or a key that an own row has already.
    """
    folder = user_dir()
    if folder is None:
        raise InputError("no folder for own rows: set RACKECON_USER_DATA")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            _finish(folder)
            texts = {f"{table}.csv": _with_rows(folder, table, rows) for table, rows in added.items()}
            if len(texts) == 1:
                write_file(folder / next(iter(texts)), next(iter(texts.values())))
            else:  # kept whole before any of them is put in place: after a crash the next caller does the rest
                write_file(folder / JOURNAL, json.dumps(texts))
                _finish(folder)
    except OSError as error:
        raise InputError(f"{folder.name}: own rows cannot be written: {error.strerror}") from None
    return folder


def _with_rows(folder: Path, table: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Text of an own table with rows after those it has."""
    path = folder / f"{table}.csv"
    columns = list(table_fields(table))
    held = parsed(f"{folder.name}/{path.name}", read_text(path, largest=LARGEST_BYTES)) if path.is_file() else []
    _once(table, table, rows, held)
    for column, cell in ((column, cell) for row in rows for column, cell in row.items()):
        _check_sayable(f"{table} {column}", cell)
    columns += [column for column in (held[0] if held else ()) if column not in columns]
    new = [{k: ("true" if v else "false") if isinstance(v, bool) else v for k, v in row.items()} for row in rows]
    return csv_text(columns, [*held, *new])


def _finish(folder: Path) -> None:
    """Put the tables of an addition in place, also of one that a crash cut short."""
    journal = folder / JOURNAL
    if not journal.is_file():
        return
    try:
        texts = json.loads(read_text(journal, largest=LARGEST_BYTES))
        whole = all(Path(name).stem in KEYS and isinstance(text, str) for name, text in texts.items())
    except (ValueError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise InputError(f"{folder.name}/{JOURNAL}: damaged; what it was to add is lost, remove it")
    first = True
    for name, text in texts.items():
        try:
            write_file(folder / name, text)
        except InputError:
            if first:  # none is in place: the addition did not happen
                journal.unlink()
            raise
        first = False
    journal.unlink()
