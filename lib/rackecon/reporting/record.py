"""What a run was made of: parameters, data, version; enough to repeat it and to compare two."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rackecon.errors import InputError, unknown_name

__all__ = ["read_record", "write_record"]

NAME = "run.json"


def write_record(target: Path, notebooks: Sequence[str], parameters: Mapping[str, Any]) -> None:
    """Write run.json beside the pages of a run."""
    import rackecon
    from rackecon import catalog

    record = {
        "version": rackecon.__version__,
        "notebooks": list(notebooks),
        "parameters": dict(parameters),
        "data": {name: catalog.table_digest(name) for name in catalog.table_names()},
    }
    fresh = target / f".{NAME}.new"
    fresh.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(fresh, target / NAME)


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
