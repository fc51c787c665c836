"""Request traces as their publishers write them, told apart by content and read line by line.

Azure 2023, 2024 and its multimodal one, BurstGPT, Vidur's and Splitwise's are CSV; Mooncake, Dynamo, AIPerf, Qwen-Bailian,
ServeGen and the agentic sessions that AIPerf calls Weka are JSON lines; the own layout is ``timestamp, input_tokens,
output_tokens [, prefix_hash]``, as CSV or JSON lines.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import FloatArray
from rackecon.catalog.request_trace import Arrived, trace_row
from rackecon.catalog.text_file import FIRST_BYTES, check_ordinary, check_text, check_width
from rackecon.errors import InputError, unknown_name
from rackecon.load.requests import Requests

LARGEST_BYTES: Final = 4 * 2**30
MOST_TOKENS: Final = 1e7
FEWEST: Final = 2
LONGEST_S: Final = 3.2e9
TIME_UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
EPOCHS: Final = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"))
"""Numbers above these can only be times since 1970 in that unit."""
ODD_RATES: Final = (1.0 / 3600.0, 1e6)
"""Requests a second outside these are told: the unit of time may be another."""


@dataclass(frozen=True)
class Layout:
    """How a publisher names the fields of a request."""

    name: str
    time: str
    input: str
    output: str
    unit: str = "s"
    blocks: str = ""
    block_tokens: int = 0
    session: str = ""
    parent: str = ""
    failures: bool = False  # requests without output are failures, left out and counted
    others: tuple[str, ...] | None = ()  # further columns allowed; None: any

    @property
    def needed(self) -> tuple[str, str, str]:
        """Fields that no request may lack."""
        return self.time, self.input, self.output


AGENTIC: Final = "agentic sessions (Weka)"
SEPARATORS: Final = (",", ";", "\t")
DECIMAL_COMMA: Final = re.compile(r"-?\d+,\d+")
OWN: Final = Layout("own layout", "timestamp", "input_tokens", "output_tokens", blocks="prefix_hash")
LAYOUTS: Final = (
    Layout("Azure LLM inference", "TIMESTAMP", "ContextTokens", "GeneratedTokens", failures=True, others=("NumImages",)),
    Layout(
        "BurstGPT", "Timestamp", "Request tokens", "Response tokens", session="Session ID", failures=True,
        others=("Model", "Total tokens", "Log Type", "Elapsed time"),
    ),
    Layout(
        "Qwen-Bailian", "timestamp", "input_length", "output_length", blocks="hash_ids", block_tokens=16,
        session="chat_id", parent="parent_chat_id", others=None,
    ),
    Layout(
        "Mooncake, Dynamo or AIPerf", "timestamp", "input_length", "output_length", unit="ms", blocks="hash_ids",
        block_tokens=512, session="session_id", others=None,
    ),
    Layout("Vidur", "arrived_at", "num_prefill_tokens", "num_decode_tokens", session="session_id", others=None),
    Layout("Splitwise simulator", "arrival_timestamp", "prompt_size", "token_size", others=None),
    Layout(AGENTIC, "t", "in", "out", blocks="hash_ids", block_tokens=64, session="session", others=None),
    Layout("rackecon trace", "arrival_ms", "input_tokens", "output_tokens", unit="ms", blocks="block_ids",
           session="session", others=("turn", "client")),
    Layout("ServeGen", "timestamp", "input_tokens", "output_tokens", session="session_id", others=("request_id", "client_id")),
    OWN,
)  # fmt: skip
"""Layouts by how telling their fields are; the first whose fields all occur is taken."""


@dataclass
class Trace:
    """Requests in order of arrival, from 0 s."""

    name: str
    layout: Layout
    times_s: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    blocks: list[list[int]] | None
    sessions: NDArray[np.int64] | None
    failed: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def block_tokens(self) -> int | None:
        """Tokens of a block where the layout says so."""
        return self.layout.block_tokens or None

    def requests(self, block_tokens: int | None = None) -> Requests:
        """The same to replay; a request without output is asked for one token.

        ``block_tokens`` is needed for blocks whose size the layout does not say, without it they are left out.
        """
        size = block_tokens or self.layout.block_tokens
        return Requests(
            self.times_s,
            self.input_tokens.astype(np.int64),
            np.maximum(self.output_tokens, 1.0).astype(np.int64),
            session=self.sessions,
            blocks=self.blocks if size else None,
            block_tokens=size,
        )


@dataclass
class _Columns:
    """Growing columns: 8 bytes a number, blocks by small integers."""

    name: str
    layout: Layout
    unit: str | None
    times: array[float] = field(default_factory=lambda: array("d"))
    inputs: array[float] = field(default_factory=lambda: array("d"))
    outputs: array[float] = field(default_factory=lambda: array("d"))
    blocks: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    sessions: array[int] = field(default_factory=lambda: array("q"))
    known: dict[Any, int] = field(default_factory=dict)
    homes: dict[Any, int] = field(default_factory=dict)
    iso: bool | None = None
    failed: int = 0

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        """One request; the fault of a bad one is its line and field."""
        plan = self.layout
        when = self._time(line, row)
        given = [self._tokens(line, row, name) for name in (plan.input, plan.output)]
        if plan.failures and given[1] == 0:
            self.failed += 1
            return
        blocks = self._blocks(line, row) if plan.blocks else None
        self.times.append(when)
        self.inputs.append(given[0])
        self.outputs.append(given[1])
        if blocks is not None:
            self.blocks.extend(self.known.setdefault(block, len(self.known)) for block in blocks)
        self.ends.append(len(self.blocks))
        if plan.session and row.get(plan.session) not in (None, ""):
            parent = row.get(plan.parent) if plan.parent else None
            own = row[plan.session]
            home = self.homes.get(parent, -1) if parent not in (None, -1, "-1", "") else self.homes.get(own, -1)
            self.homes[own] = home if home >= 0 else len(self.homes)
            self.sessions.append(self.homes[own])

    def _fault(self, line: int, name: str, what: str) -> InputError:
        return InputError(f"{self.name} line {line} {name}: {what}")

    def _value(self, line: int, row: Mapping[str, Any], name: str) -> Any:
        found = row.get(name)
        if found is None:
            raise self._fault(line, name, "is missing")
        return found

    def _tokens(self, line: int, row: Mapping[str, Any], name: str) -> float:
        given = self._value(line, row, name)
        try:
            value = float(given) if not isinstance(given, bool) else float("nan")
        except (TypeError, ValueError):
            raise self._fault(line, name, f"'{str(given)[:60]}' is not a number") from None
        if not 0 <= value <= MOST_TOKENS:
            raise self._fault(line, name, f"{str(given)[:60]} is not 0 to {MOST_TOKENS:g} tokens")
        return value

    def _time(self, line: int, row: Mapping[str, Any]) -> float:
        given = self._value(line, row, self.layout.time)
        try:
            seconds = float(given) if self.iso is not True else None
        except (TypeError, ValueError):
            seconds = None
        iso = seconds is None
        if iso and self.iso is not False:
            seconds = _iso_seconds(str(given))
        if seconds is None:
            raise self._fault(line, self.layout.time, f"'{str(given)[:60]}' is not seconds or an ISO time")
        if not np.isfinite(seconds):
            raise self._fault(line, self.layout.time, f"{given} is not finite")
        self.iso = iso
        return seconds

    def _blocks(self, line: int, row: Mapping[str, Any]) -> list[Any]:
        given = row.get(self.layout.blocks)
        if given is None:
            return []
        if isinstance(given, str):
            return given.split()
        if isinstance(given, list) and all(isinstance(block, int | str) for block in given):
            return given
        raise self._fault(line, self.layout.blocks, "is not a list of block ids")


def _iso_seconds(text: str) -> float | None:
    from datetime import UTC, datetime

    head, dot, tail = text.strip().partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))] if dot else ""
    try:
        when = datetime.fromisoformat(head + tail[len(digits) :])
    except ValueError:
        return None
    whole = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return whole + (float(f"0.{digits}") if digits else 0.0)


def _opened(path: Path) -> io.TextIOWrapper:
    check_ordinary(path, LARGEST_BYTES)
    raw = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")  # noqa: SIM115
    try:
        check_text(raw.read(FIRST_BYTES), path.name)
        raw.seek(0)
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read: {error}") from None
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _json_rows(name: str, lines: Iterator[str], bad: list[int] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            if not isinstance(found, dict):
                raise InputError(f"{name} line {number}: not a JSON object")
        except (ValueError, RecursionError, InputError) as error:
            if bad is None:
                text = (
                    str(error)
                    if isinstance(error, InputError)
                    else f"{name} line {number}: not JSON ({str(error)[:60]})"
                )
                raise InputError(text) from None
            bad.append(number)
            continue
        if isinstance(found.get("requests"), list):
            yield from ((number, one) for one in _session_rows(name, number, found))
            continue
        inner = found.pop("data", None)
        yield number, found | inner if isinstance(inner, dict) else found


def _session_rows(name: str, number: int, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Requests of one agentic session: the agent's own and those of agents it called, in order; blocks are the session's."""
    size, local = found.get("block_size"), found.get("hash_id_scope", "local") != "global"
    if size != _layout(AGENTIC).block_tokens:
        raise InputError(
            f"{name} line {number} block_size: {str(size)[:60]}, only {_layout(AGENTIC).block_tokens} is read"
        )
    waiting = [item for item in found["requests"] if isinstance(item, dict)]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one.get("requests"), list):
            waiting = [item for item in one["requests"] if isinstance(item, dict)] + waiting
            continue
        blocks = one.get("hash_ids")
        if local and isinstance(blocks, list):
            blocks = [f"{number}/{block}" for block in blocks]
        yield {"t": one.get("t"), "in": one.get("in"), "out": one.get("out"), "hash_ids": blocks, "session": number}


def _layout(name: str) -> Layout:
    return next(layout for layout in LAYOUTS if layout.name == name)


def _csv_rows(
    name: str, reader: Iterator[list[str]], header: list[str], bad: list[int] | None, separator: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, cells in enumerate(reader, start=2):
        if not any(map(str.strip, cells)):
            continue
        if bad is None:
            check_width(name, number, cells, header)
        elif len(cells) != len(header):
            bad.append(number)
            continue
        cells = list(map(str.strip, cells))
        if separator != ",":
            cells = [cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
        yield number, dict(zip(header, cells, strict=True))


def _recognised(name: str, fields: list[str]) -> tuple[Layout, list[str]]:
    """Layout of these fields, and the fields spelt as the layout spells them."""
    lowered = [word.strip().lower() for word in fields]
    twice = sorted({word for word in lowered if lowered.count(word) > 1})
    if twice:
        raise InputError(f"{name}: column '{twice[0][:60]}' is given twice")
    for layout in LAYOUTS:
        spelt = {word.lower(): word for word in (*layout.needed, layout.blocks, layout.session, layout.parent) if word}
        telling = set(map(str.lower, layout.needed)) | ({layout.parent.lower()} if layout.parent else set())
        if layout.name == "ServeGen":
            telling.add("request_id")
        if telling <= set(lowered):
            if layout.others is not None:
                allowed = {*spelt, *map(str.lower, layout.others)}
                for word in lowered:
                    if word not in allowed:
                        raise unknown_name("column", word[:60], sorted({*spelt.values(), *layout.others}), name)
            return layout, [spelt.get(word, word) for word in lowered]
    missing = next(word for word in OWN.needed if word not in lowered)
    raise InputError(f"{name}: column '{missing}' is missing; known layouts: " + ", ".join(x.name for x in LAYOUTS))


def _unit(columns: _Columns, notes: list[str]) -> float:
    """Seconds of one unit of the timestamps, said where it was not given."""
    if columns.iso:
        if columns.unit:
            raise InputError(f"{columns.name}: --time-unit does not go with ISO times")
        return 1.0
    if columns.unit:
        return TIME_UNITS[columns.unit]
    most = max(map(abs, columns.times))
    for least, unit in EPOCHS:
        if most > least:
            notes.append(f"timestamps above {least:g} read as {unit} since 1970")
            return TIME_UNITS[unit]
    if columns.layout.unit != "s":
        notes.append(f"timestamps in {columns.layout.unit}, as {columns.layout.name} writes them")
    return TIME_UNITS[columns.layout.unit]


def _filled(
    columns: _Columns, rows: Iterator[tuple[int, dict[str, Any]]], names: dict[str, str], bad: list[int] | None
) -> None:
    for number, row in rows:
        try:
            columns.add(number, {names.get(key, key): value for key, value in row.items()} if names else row)
        except InputError:
            if bad is None:
                raise
            bad.append(number)


def read_trace(path: Path, *, time_unit: str | None = None, skip_bad: bool = False) -> Trace:
    """Requests of a trace file.

    Parameters
    ----------
    path : Path
        CSV or JSON lines, also gzipped, of a layout of :data:`LAYOUTS`.
    time_unit : str, optional
        ``s``, ``ms``, ``us`` or ``ns`` of numeric timestamps; by default the layout's, or what their size says.
    skip_bad : bool
        Leave malformed lines out and count them.

    Raises
    ------
    InputError
        The first malformed line: file, line, field, what is wrong.
    """
    if time_unit is not None and time_unit not in TIME_UNITS:
        raise unknown_name("time unit", time_unit, TIME_UNITS)
    bad: list[int] | None = [] if skip_bad else None
    with _opened(path) as handle:
        try:
            columns = _read(path.name, handle, time_unit, bad)
        except UnicodeDecodeError as error:
            raise InputError(f"{path.name}: not UTF-8 text (byte {error.start})") from None
        except csv.Error as error:
            raise InputError(f"{path.name}: not CSV: {error}") from None
        except (EOFError, OSError) as error:
            raise InputError(f"{path.name}: cannot be read: {error}") from None
    count = len(columns.times)
    if count < FEWEST:
        raise InputError(f"{path.name}: {count} requests; at least {FEWEST} are needed")
    return _ordered(columns, bad or [])


def _read(name: str, handle: io.TextIOWrapper, unit: str | None, bad: list[int] | None) -> _Columns:
    first = handle.readline()
    while first and not first.strip():
        first = handle.readline()
    if not first:
        raise InputError(f"{name}: empty")
    handle.seek(0)
    if first.lstrip().startswith("{"):
        rows = _json_rows(name, iter(handle), bad)
        try:
            number, row = next(rows)
        except StopIteration:
            raise InputError(f"{name}: empty") from None
        layout, spelt = _recognised(name, [str(key) for key in row])
        columns, names = _Columns(name, layout, unit), dict(zip(row, spelt, strict=True))
        _filled(columns, iter([(number, row)]), names, bad)
        _filled(columns, rows, names if any(a != b for a, b in names.items()) else {}, bad)
        return columns
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(handle, delimiter=separator, strict=True)
    header = next((row for row in reader if any(map(str.strip, row))), [])
    layout, spelt = _recognised(name, header)
    columns = _Columns(name, layout, unit)
    _filled(columns, _csv_rows(name, reader, spelt, bad, separator), {}, bad)
    return columns


def _ordered(columns: _Columns, bad: list[int]) -> Trace:
    notes: list[str] = []
    times = np.array(columns.times) * _unit(columns, notes)
    order = np.argsort(times, kind="stable")
    times = times[order] - times.min()
    span = float(times[-1])
    if span <= 0 or span > LONGEST_S:
        raise InputError(f"{columns.name}: the requests span {span:g} s; timestamps are seconds or ISO times")
    inputs, outputs = np.array(columns.inputs)[order], np.array(columns.outputs)[order]
    for name, values in ((columns.layout.input, inputs), (columns.layout.output, outputs)):
        if not values.any():
            raise InputError(f"{columns.name}: {name} is 0 in every row")
    rate = (len(times) - 1) / span
    if not ODD_RATES[0] <= rate <= ODD_RATES[1]:
        notes.append(f"{rate:.3g} requests a second: is the time unit right (--time-unit)?")
    blocks: list[list[int]] | None = None
    if len(columns.blocks):
        starts = [0, *columns.ends[:-1]]
        blocks = [columns.blocks[starts[i] : columns.ends[i]].tolist() for i in order]
    sessions = np.array(columns.sessions)[order] if len(columns.sessions) == len(times) else None
    if columns.layout is not OWN:
        notes.insert(0, columns.layout.name)
    if columns.layout.name == AGENTIC:
        notes.append("times run from the start of each session: the rate is of all sessions at once, not of a service")
    if sessions is not None:
        notes.append(f"{len(set(sessions.tolist()))} sessions of {len(times) / len(set(sessions.tolist())):.3g} turns")
    if columns.failed:
        notes.append(f"{columns.failed} without a response left out")
    if bad:
        notes.append(f"{len(bad)} malformed lines skipped, the first {bad[0]}")
    return Trace(
        columns.name, columns.layout, times, inputs, outputs, blocks, sessions, columns.failed, len(bad), notes
    )


def workload_row(
    path: Path,
    workload: str,
    block_tokens: int | None = None,
    *,
    time_unit: str | None = None,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Summary of a trace file as a row of data/workloads.csv; see :func:`rackecon.catalog.request_trace.trace_row`."""
    trace = read_trace(path, time_unit=time_unit, skip_bad=skip_bad)
    arrived = Arrived(trace.name, trace.times_s, trace.input_tokens, trace.output_tokens, trace.blocks)
    row = trace_row(arrived, workload, block_tokens or trace.block_tokens)
    if trace.notes:
        row["note"] = "; ".join([*trace.notes, *([row["note"]] if "note" in row else [])])
    return row
