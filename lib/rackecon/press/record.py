"""What a run was made of: parameters, data, version, and the digests of what it gave; enough to repeat it and to compare two."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.catalog.paths import table_digests
from rackecon.catalog.written import write_file
from rackecon.errors import InputError, unknown_name
from rackecon.press.compare import differences
from rackecon.press.results import FOLDER, read_results, results_digest
from rackecon.press.run import report_names

NAME = "run.json"


def _made_of(notebooks: Sequence[str], parameters: Mapping[str, Any]) -> dict[str, Any]:
    import rackecon

    values = {}
    for name in notebooks:
        declared = read_parameters(notebook_path(name))
        values[name] = {key: parameters.get(key, item.default) for key, item in declared.items()}
    return {
        "version": rackecon.__version__,
        "notebooks": list(notebooks),
        "parameters": dict(parameters),
        "values": values,
        "data": table_digests(),
    }


def write_record(
    target: Path, notebooks: Sequence[str], parameters: Mapping[str, Any], read: Mapping[str, str]
) -> None:
    """Write run.json beside the pages of a run: what was given, every value with its default, data, version, results.

    Parameters
    ----------
    target : Path
        Folder of the pages.
    notebooks, parameters
        Which, and what was given.
    read : mapping
        Digest of each table before the first page was made.

    Raises
    ------
    InputError
        A table has changed since: the pages are of no one state, and no record says that they are.
    """
    results = {name: results_digest(target, name) for name in notebooks}
    record = _made_of(notebooks, parameters) | {"results": results}
    changed = sorted(differences(dict(read), record["data"]))
    if changed:
        (target / NAME).unlink(missing_ok=True)
        raise InputError(f"data of {', '.join(changed)} changed while the pages were made: run it again")
    write_file(target / NAME, json.dumps(record, indent=1, sort_keys=True) + "\n")


def changed_since(record: Mapping[str, Any]) -> list[str]:
    """What a repeated run would not have in common with the recorded one: version, defaults, data."""
    known = set(report_names())
    now = _made_of([name for name in record["notebooks"] if name in known], record["parameters"])
    found = [] if now["version"] == record["version"] else [f"version {record['version']}, now {now['version']}"]
    for name, values in record.get("values", {}).items():
        for key, (before, after) in differences(values, now["values"].get(name, {})).items():
            found.append(f"{name} {key} was {before!r}, now {after!r}")
    return found + [f"data of {name}" for name in differences(record["data"], now["data"])]


def _folder(runs: Path, name: str) -> Path:
    folders = [runs / name, *([runs.parent] if name == runs.parent.name else []), Path(name)]
    found = next((folder for folder in folders if (folder / NAME).is_file()), None)
    if found is None:
        raise unknown_name("run", name, [path.parent.name for path in runs.glob(f"*/{NAME}")], "reports/runs/")
    return found


def read_record(runs: Path, name: str) -> dict[str, Any]:
    """The record of a run by its name or folder; an unknown one names the nearest. ``reports`` is the report itself."""
    folder = _folder(runs, name)
    try:
        record = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not {"version", "notebooks", "parameters", "data"} <= record.keys():
        raise InputError(f"{folder.name}/{NAME}: not a run record")
    return record


def run_results(runs: Path, name: str) -> dict[str, tuple[str, str]]:
    """Value and unit of every result of a run, by page and key.

    Raises
    ------
    InputError
        No such run, or one without results.
    """
    folder = _folder(runs, name)
    found = {
        f"{page} {key}": row
        for page in read_record(runs, name)["notebooks"]
        for key, row in read_results(folder, page).items()
    }
    if not found:
        raise InputError(f"{folder.name}: no results in {folder.name}/{FOLDER}/; run it again")
    return found
