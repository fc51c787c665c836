"""``rackecon compare``: what differs between two runs, or two sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rackecon.errors import InputError

SHORT = 110


def compare(
    run_a: Annotated[
        str, typer.Argument(help="Name or folder of a run, reports for the report itself, or a sweep's .parquet.")
    ],
    run_b: Annotated[str, typer.Argument(help="The other one.")],
    most: Annotated[int, typer.Option("--most", min=1, help="Results shown.")] = 60,
) -> None:
    """List the parameters, the data and the results in which two runs differ."""
    sweeps = [name.endswith(".parquet") for name in (run_a, run_b)]
    if all(sweeps):
        _sweeps(Path(run_a), Path(run_b))
        return
    if any(sweeps):
        raise InputError("a run compares with a run, a sweep with a sweep")
    from rackecon.press.compare import differences
    from rackecon.press.record import read_record, run_results
    from rackecon.press.run import reports_dir

    runs = reports_dir() / "runs"
    _record(read_record(runs, run_a), read_record(runs, run_b))
    found_a, found_b = run_results(runs, run_a), run_results(runs, run_b)
    changed = differences(found_a, found_b)
    typer.echo(f"results: {len(changed)} of {len(found_a.keys() | found_b.keys())} differ")
    for name, (a, b) in list(changed.items())[:most]:
        typer.echo(f"  {name}\n    A {_result(a)}\n    B {_result(b)}{_change(a, b)}")
    if len(changed) > most:
        typer.echo(f"  and {len(changed) - most} more (--most)")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def _result(row: Any) -> str:
    """Value and unit of a result; a run that does not have it says so."""
    if isinstance(row, str):
        return row
    value, unit = row
    return _short(value or "none") + ("" if unit in ("-", "text") or not value else f" {unit}")


def _change(a: Any, b: Any) -> str:
    """By how much of the first the second differs, where both are numbers."""
    try:
        before, after = float(a[0]), float(b[0])
    except ValueError:
        return ""
    return f" ({100 * (after / before - 1):+.3g} %)" if before else ""


def _record(first: dict[str, Any], second: dict[str, Any]) -> None:
    from rackecon.press.compare import differences

    if first["version"] != second["version"]:
        typer.echo(f"version: A {first['version']}, B {second['version']}")
    for name, words in (("parameters", "default"), ("defaults", "absent"), ("data", "absent")):
        changed = differences(_part(first, name), _part(second, name))
        if name == "defaults" and not changed:
            continue
        typer.echo(f"{name}: {len(changed)} differ")
        for key, pair in changed.items():
            a, b = (words if value == "absent" else _short(value) for value in pair)
            typer.echo(f"  {key}: A {a}, B {b}")


def _part(record: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a record; of its values, those that nobody gave."""
    if name != "defaults":
        part: dict[str, Any] = record[name]
        return part
    return {
        f"{notebook} {key}": value
        for notebook, values in record.get("values", {}).items()
        for key, value in values.items()
        if key not in record["parameters"]
    }


def _sweeps(first: Path, second: Path) -> None:
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from rackecon.press.compare import sweep_differences

    for path in (first, second):
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    try:
        tables = [pq.read_table(path) for path in (first, second)]
        records = [json.loads(table.schema.metadata[b"rackecon"]) for table in tables]
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError):
        raise InputError(f"{first.name}, {second.name}: not two sweeps of rackecon") from None
    _record(*records)
    found = sweep_differences(tables[0].to_pandas(), tables[1].to_pandas())
    typer.echo(f"points: A {tables[0].num_rows:,}, B {tables[1].num_rows:,}; columns that differ: {len(found)}")
    if len(found):
        typer.echo(found.to_string(index=False, float_format=lambda value: f"{value:+.3%}"))
