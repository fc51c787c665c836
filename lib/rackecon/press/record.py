"""What a run was made of: parameters, data, version; enough to repeat it and to compare two."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.errors import InputError, unknown_name
from rackecon.press.compare import differences
from rackecon.press.run import report_names

__all__ = ["changed_since", "read_record", "write_record"]

NAME = "run.json"


def _made_of(notebooks: Sequence[str], parameters: Mapping[str, Any]) -> dict[str, Any]:
    import rackecon
    from rackecon import catalog

    values = {}
    for name in notebooks:
        declared = read_parameters(notebook_path(name))
        values[name] = {key: parameters.get(key, item.default) for key, item in declared.items()}
    return {
        "version": rackecon.__version__,
        "notebooks": list(notebooks),
        "parameters": dict(parameters),
        "values": values,
        "data": {name: catalog.table_digest(name) for name in catalog.table_names()},
    }


def write_record(target: Path, notebooks: Sequence[str], parameters: Mapping[str, Any]) -> None:
    """Write run.json beside the pages of a run: what was given, every value with its default, data, version."""
    record = _made_of(notebooks, parameters)
    fresh = target / f".{NAME}.new"
    fresh.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(fresh, target / NAME)


def changed_since(record: Mapping[str, Any]) -> list[str]:
    """What a repeated run would not have in common with the recorded one: version, defaults, data."""
    known = set(report_names())
    now = _made_of([name for name in record["notebooks"] if name in known], record["parameters"])
    found = [] if now["version"] == record["version"] else [f"version {record['version']}, now {now['version']}"]
    for name, values in record.get("values", {}).items():
        for key, (before, after) in differences(values, now["values"].get(name, {})).items():
            found.append(f"{name} {key} was {before!r}, now {after!r}")
    return found + [f"data of {name}" for name in differences(record["data"], now["data"])]


def read_record(runs: Path, name: str) -> dict[str, Any]:
    """The record of a run by its name or folder; an unknown one names the nearest."""
    for folder in (Path(name), runs / name):
        if (folder / NAME).is_file():
            try:
                record: dict[str, Any] = json.loads((folder / NAME).read_text(encoding="utf-8"))
            except ValueError:
                raise InputError(f"{folder.name}/{NAME}: not a run record") from None
            return record
    raise unknown_name("run", name, [path.parent.name for path in runs.glob(f"*/{NAME}")], "reports/runs/")
