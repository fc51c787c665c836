"""Validate data/: the Frictionless description of every table, and what it cannot say.

Types, ranges, enumerations, unique keys and foreign keys are Frictionless' work; sources, units, descriptions, prices and
staleness are checked here.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackecon.catalog.paths import listed
from rackecon.errors import InputError

GRADES = ("measured", "published", "derived", "estimate")
STALE_DAYS = 180
LARGEST_BYTES = 64 * 2**20
LISTED = 8
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(/[\w.-]+)*")
FILE_ENDINGS = (".csv", ".html", ".json", ".jsonl", ".md", ".py", ".toml", ".ts", ".yaml")
OWN, UNKNOWN = "rackecon", "unknown ("


@dataclass(frozen=True)
class Findings:
    """Faults, one line each, and remarks that are not faults."""

    faults: tuple[str, ...]
    remarks: tuple[str, ...]
    tables: int
    rows: int


def check_data(folder: Path | None = None) -> Findings:
    """Check every table of a data folder.

    Parameters
    ----------
    folder : Path, optional
        data/ and the user's own rows by default.

    Returns
    -------
    Findings
        Faults say table, row, column, what is wrong and what is allowed.
    """
    from rackecon.catalog.paths import data_dir
    from rackecon.catalog.user_rows import own_faults

    home = folder or data_dir()
    faults: list[str] = own_faults() if folder is None else []
    package = _package(home, faults)
    if package is None:
        return Findings(tuple(faults), (), 0, 0)
    unreadable = _readable(home, package)
    faults += unreadable
    rows = 0
    if not unreadable:
        faults += _frictionless(home)
        tables = {item["name"]: _rows(home / item["path"]) for item in package["resources"]}
        rows = sum(len(table) for table in tables.values())
        faults += _described(package, home)
        faults += _sourced(tables)
        faults += _published(tables.get("sources", []))
        faults += _sensible(tables)
        return Findings(tuple(faults), tuple(_stale(tables)), len(tables), rows)
    return Findings(tuple(faults), (), len(package["resources"]), rows)


def _package(home: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((home / "datapackage.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        faults.append(f"datapackage.json: cannot be read: {' '.join(str(error).split())}")
        return None
    return found


def _readable(home: Path, package: dict[str, Any]) -> list[str]:
    faults = []
    for item in package["resources"]:
        path = home / item["path"]
        if not path.is_file():
            faults.append(f"{item['path']}: the file is missing")
            continue
        if path.stat().st_size > LARGEST_BYTES:
            faults.append(
                f"{item['path']}: {path.stat().st_size / 2**20:.0f} MiB is more than a table may have ({LARGEST_BYTES // 2**20} MiB)"
            )
            continue
        try:
            with open(path, encoding="utf-8", newline="") as handle:
                header = next(csv.reader(handle), [])
                for _ in handle:
                    pass
        except UnicodeDecodeError as error:
            faults.append(f"{item['path']}: not UTF-8 text (byte {error.start})")
            continue
        wanted = [field["name"] for field in item["schema"]["fields"]]
        faults += [f"{item['path']}: column '{name}' is missing" for name in wanted if name not in header]
        faults += [
            f"{item['path']}: column '{name}' is not described in datapackage.json"
            for name in header
            if name not in wanted
        ]
    described = {item["path"] for item in package["resources"]}
    faults += [
        f"{path.name}: not described in datapackage.json"
        for path in listed(home, "*.csv")
        if path.name not in described
    ]
    return faults


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _frictionless(home: Path) -> list[str]:
    from frictionless import Package, system

    with system.use_context(trusted=True):
        report = Package(str(home / "datapackage.json")).validate()
    faults = []
    for task in report.tasks:
        for error in task.errors[:LISTED]:
            row = f" row {error.row_number}" if getattr(error, "row_number", None) else ""
            column = f" column '{error.field_name}'" if getattr(error, "field_name", None) else ""
            faults.append(f"{task.name}.csv{row}{column}: {' '.join(error.note.split()) or error.type}")
        if len(task.errors) > LISTED:
            faults.append(f"{task.name}.csv: and {len(task.errors) - LISTED} more faults")
    return faults


def _described(package: dict[str, Any], home: Path) -> list[str]:
    faults = []
    for item in package["resources"]:
        for field in item["schema"]["fields"]:
            for need in ("type", "description", "unit"):
                if not field.get(need):
                    faults.append(f"datapackage.json: {item['name']}.{field['name']} has no {need}")
    return faults


def _sourced(tables: dict[str, list[dict[str, str]]]) -> list[str]:
    known = {row["source_id"] for row in tables.get("sources", [])}
    faults = []
    for name, rows in tables.items():
        if name == "sources" or not rows or "source_id" not in rows[0]:
            continue
        missing = sorted({s for row in rows for s in re.split(r"[;|]\s*", row["source_id"]) if s and s not in known})
        faults += [f"{name}.csv: source '{source}' is not in sources.csv" for source in missing[:LISTED]]
    return faults


def _published(sources: list[dict[str, str]]) -> list[str]:
    """Publishers that are no publisher: a file, a piece of an address, or the first words of a title."""
    proven = {row["publisher"] for row in sources if not row["title"].startswith(row["publisher"])}
    faults = []
    for line, row in enumerate(sources, start=2):
        name, address = row["publisher"], row["address"]
        if name == OWN:
            good = address.startswith("data/")
        elif name.startswith(UNKNOWN):
            good = not address.startswith("http")
        elif HOST.fullmatch(name):
            good = not name.endswith(FILE_ENDINGS) or name.startswith("github.com/")
            good = good and (not address.startswith("http") or _host(address) == name.split("/")[0])
            good = good and (not name.startswith("github.com") or name.count("/") == 2)
        else:
            good = all(part[:1].isupper() or HOST.fullmatch(part) for part in re.split(r"[;,] ", name))
            good = good and not re.search(r"[:/]|;$", name) and (name in proven or name.lower() in address.lower())
        if not good:
            allowed = (
                "a host as in the address, github.com/owner/repository, a name, rackecon for data/, or unknown (what)"
            )
            faults.append(f"sources.csv row {line}: publisher '{name}' names nobody; {allowed}")
    return faults


def _host(address: str) -> str:
    """Host of a web address."""
    return re.sub(r"^https?://(www\.)?", "", address).split("/")[0].split(" ")[0].lower()


def _sensible(tables: dict[str, list[dict[str, str]]]) -> list[str]:
    faults = []
    for name, rows in tables.items():
        for line, row in enumerate(rows, start=2):
            low, high = row.get("low", ""), row.get("high", "")
            try:
                if low and high and float(low) > float(high):
                    faults.append(f"{name}.csv row {line}: low {low} is above high {high}")
            except ValueError:
                continue
    for line, row in enumerate(tables.get("prices", []), start=2):
        fresh, cached = row["value_input"], row["value_cached_input"]
        if fresh and cached and row["flag"] == "" and float(cached) > float(fresh) * 1.0001:
            faults.append(f"prices.csv row {line}: cached input {cached} costs more than fresh input {fresh}")
    return faults


def _stale(tables: dict[str, list[dict[str, str]]]) -> list[str]:
    """Prices last recorded long before the base case's date, by model."""
    from datetime import date

    try:
        as_of = date.fromisoformat(next(r["value"] for r in tables["base_case"] if r["parameter"] == "as_of_date"))
    except (StopIteration, KeyError, ValueError):
        raise InputError("base_case.csv: as_of_date is missing or not an ISO date") from None
    newest: dict[str, str] = {}
    for row in tables.get("prices", []):
        model, when = row["model_id"], (row["valid_from"] or row["source_date"])[:10]
        if model and len(when) == 10:
            newest[model] = max(newest.get(model, ""), when)
    out = []
    for model, when in sorted(newest.items()):
        age = (as_of - date.fromisoformat(when)).days
        if age > STALE_DAYS:
            out.append(f"stale: newest price of {model} is of {when}, {age} days before {as_of}")
    return out
