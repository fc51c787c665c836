"""Text of a benchmark's result file as objects, one a run or a file: JSON, JSON lines, and CSV of one table or of several."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rackecon.catalog.text_file import check_width, csv_lines
from rackecon.errors import InputError

LARGEST_BYTES: Final = 256 * 2**20
GUIDELLM_METRICS: Final = {
    ("Server Throughput", "Successful Requests/Sec"): "requests_per_second",
    ("Server Throughput", "Successful Concurrency"): "request_concurrency",
    ("Token Metrics", "Successful Input Tokens"): "prompt_token_count",
    ("Token Metrics", "Successful Output Tokens"): "output_token_count",
    ("Request Latency", "Successful Sec"): "request_latency",
    ("Time to First Token", "Successful ms"): "time_to_first_token_ms",
    ("Inter Token Latency", "Successful ms"): "inter_token_latency_ms",
}
"""guidellm's metrics by group and field of its CSV's header of three lines."""
GUIDELLM_FIRST: Final = "Requests per second"


def objects_in(name: str, text: str) -> Iterator[tuple[str, Any]]:
    """Objects of a JSON file, of a list or of JSON lines, each with where it stands; ``Infinity`` is taken as written."""
    try:
        whole = json.loads(text)
    except RecursionError:
        raise InputError(f"{name}: JSON nested too deep") from None
    except ValueError as error:
        if not (isinstance(error, json.JSONDecodeError) and error.msg == "Extra data"):
            line = getattr(error, "lineno", 1)
            raise InputError(f"{name} line {line}: not JSON ({str(error)[:60]})") from None
    else:
        if isinstance(whole, list):
            yield from ((f"{name} item {number}", held) for number, held in enumerate(whole, start=1))
        else:
            yield name, whole
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield f"{name} line {number}", json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name} line {number}: not JSON ({str(error)[:60]})") from None


def tables_in(name: str, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Runs of CSV text: a row each, with the fields of a tool's JSON; or one run in tables one below another."""
    rows = csv_lines(name, text)
    header = [cell.strip() for cell in next(filter(any, rows), [])]
    if "Server Throughput" in header or f"Successful {GUIDELLM_FIRST} mean" in header:
        yield name, _guidellm_rows(name, rows)
        return
    if "Metric" in header:
        yield name, _stacked(name, rows)
        return
    for number, row in enumerate(rows, start=1):
        if any(map(str.strip, row)) and [cell.strip() for cell in row] != header:
            check_width(name, number, row, header)
            yield f"{name} row {number}", dict(zip(header, row, strict=True))


def _guidellm_rows(name: str, rows: list[list[str]]) -> dict[str, Any]:
    """guidellm's CSV, one benchmark a row under a header of one line (to v0.3) or of three, as the JSON of the same tool."""
    rows = [row for row in rows if any(map(str.strip, row))]
    if "Server Throughput" in rows[0]:
        columns, body = list(zip(*rows[:3], strict=False)), rows[3:]
    else:
        columns, body = [_guidellm_column(cell.strip()) for cell in rows[0]], rows[1:]
    found: list[dict[str, Any]] = []
    for number, row in enumerate(body, start=len(rows) - len(body) + 1):
        check_width(name, number, row, columns)
        metrics: dict[str, Any] = {}
        one: dict[str, Any] = {"metrics": metrics}
        for (group, field, statistic), cell in zip(columns, row, strict=True):
            key = GUIDELLM_METRICS.get((group, field))
            if key and statistic.lower() in ("mean", "median"):
                metrics.setdefault(key, {}).setdefault("successful", {})[statistic.lower()] = cell
            elif (group, field) == ("Run Info", "Backend"):
                one["config"] = {"backend": next((held for _, held in objects_in(name, cell or "{}")), {})}
            elif (group, field) == ("Timings", "Start Time"):
                one["start_time"] = cell
        found.append(one)
    return {"benchmarks": found}


def _guidellm_column(title: str) -> tuple[str, str, str]:
    """Group, field and statistic of a title of one line."""
    for (group, field), key in GUIDELLM_METRICS.items():
        for statistic in ("mean", "median"):
            if title == f"Successful {key.replace('_', ' ').capitalize()} {statistic}":
                return group, field, statistic
    return {"Backend": ("Run Info", "Backend", ""), "Start Time": ("Timings", "Start Time", "")}.get(
        title, ("", title, "")
    )


def _stacked(name: str, rows: list[list[str]]) -> dict[str, Any]:
    """AIPerf's and genai-perf's CSV, tables one below another, as the JSON of the same tools."""
    out: dict[str, Any] = {}
    boards: dict[str, dict[str, Any]] = {}
    header: list[str] = []
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if "Metric" in cells and ("avg" in cells or "Value" in cells):
            header = cells
            continue
        check_width(name, number, cells, header)
        held = dict(zip(header, cells, strict=True))
        key, unit = _metric(held["Metric"])
        values = {"unit": unit, **{k: v for k, v in held.items() if k != "Metric"}}
        if "Value" in values:
            values["avg"] = values.pop("Value")
        if "GPU_Name" in held:
            board = boards.setdefault(
                held.get("GPU_UUID") or held["GPU_Index"], {"gpu_name": held["GPU_Name"], "metrics": {}}
            )
            board["metrics"][key] = values
        else:
            out[key] = values
    return out | ({"telemetry_data": boards} if boards else {})


def _metric(text: str) -> tuple[str, str]:
    """Key and unit of a metric's heading.

    Examples
    --------
    >>> _metric("Time to First Token (ms)"), _metric("Request Count")
    (('time_to_first_token', 'ms'), ('request_count', ''))
    """
    found = re.fullmatch(r"(.*?)\s*(?:\(([^()]*)\))?", text)
    name, unit = found.groups() if found else (text, "")
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"), unit or ""
