"""One run of a benchmark's result file: its fields, numbers in one unit, days, and what follows from others."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rackecon.errors import InputError

NOT_GIVEN: Final = ("", "n/a", "na", "-", "none", "null", "nan")
LATEST_NS: Final = 4e18  # of 2096, in nanoseconds since 1970
COUNTED: Final = ("isl", "osl", "concurrency")
LEAST, MOST = 1e-12, 1e15
"""What a count, a rate or a time can be, in any unit."""


@dataclass(frozen=True)
class Fields:
    """Fields of one run and where they stand, for the line that refuses a bad one."""

    where: str
    held: Mapping[str, Any]

    def find(self, *path: str) -> Any:
        """The value under nested keys; None where one of them is absent."""
        found: Any = self.held
        for key in path:
            if not isinstance(found, Mapping) or key not in found:
                return None
            found = found[key]
        return found

    def text(self, *path: str) -> str | None:
        """Text of a field; None where it is empty."""
        found = self.find(*path)
        return None if found is None or str(found).strip().lower() in NOT_GIVEN else str(found).strip()

    def number(self, *path: str, scale: float = 1.0) -> float | None:
        """A number of 0 or more, times ``scale``; None where it is not given or not finite."""
        found = self.find(*path)
        if found is None or (isinstance(found, str) and found.strip().lower() in NOT_GIVEN):
            return None
        try:
            value = float("" if isinstance(found, bool | Mapping | list) else str(found).replace(",", ""))
        except ValueError:
            raise self.fault(path, f"'{str(found)[:60]}' is not a number") from None
        if value < 0:
            raise self.fault(path, f"{value:g} is below 0")
        if not math.isfinite(value):
            return None
        if value and not LEAST <= value <= MOST:
            raise self.fault(path, f"{value:g} is out of range, allowed {LEAST:g} to {MOST:g}")
        return value * scale

    def flag(self, *path: str) -> bool | None:
        """True or false, as JSON or as a word."""
        found = self.text(*path)
        return None if found is None else found.lower() in ("true", "1", "yes")

    def needed(self, *path: str, scale: float = 1.0) -> float:
        """A number above 0 that the run cannot do without."""
        found = self.number(*path, scale=scale)
        if not found:
            raise self.fault(path, "is missing or 0")
        return found

    def fault(self, path: tuple[str, ...], what: str) -> InputError:
        """The one line for a field."""
        return InputError(f"{self.where} {'.'.join(path)}: {what}")


@dataclass(frozen=True)
class Run:
    """One run, by column of data/measured_serving.csv; None where its file does not say.

    Beside those columns, ``total_tok_s`` and ``output_tok_s`` are rates of the whole deployment. Units: lengths [tokens],
    rates [tok/s], latencies [ms] in the median, power of a GPU's board [W].
    """

    tool: str
    where: str
    cells: Mapping[str, str | float | bool | None]
    notes: tuple[str, ...] = ()
    worked_out: tuple[str, ...] = ()
    """Columns that follow from others (Little's law): an option may say better."""

    def loaded(self, stated: float | None, worked: float | None, how: str) -> Run:
        """The same with its requests in flight: as stated, or worked out and said so."""
        held = {**self.cells, "concurrency": stated or worked or None}
        if stated or not worked:
            return replace(self, cells=held)
        said = f"concurrency {max(round(worked), 1)} by Little's law from {how}"
        return replace(self, cells=held, notes=(*self.notes, said), worked_out=("concurrency",))

    def text(self) -> dict[str, str]:
        """What the run says, as cells of a row; whole numbers where the table counts."""
        out: dict[str, str] = {}
        for column, value in self.cells.items():
            if isinstance(value, bool):
                out[column] = "true" if value else "false"
            elif isinstance(value, float | int):
                out[column] = f"{max(round(value), 1)}" if column in COUNTED else f"{value:.10g}"
            elif value is not None:
                out[column] = value
        return out | {"source": f"{self.tool}, {self.where}", "notes": "; ".join(self.notes)}


def in_flight(requests_per_s: float | None, latency_ms: float | None) -> float | None:
    """Mean requests in flight by Little's law [requests].

    Examples
    --------
    >>> in_flight(2.5, 12_000.0)
    30.0
    """
    return requests_per_s * latency_ms / 1e3 if requests_per_s and latency_ms else None


def request_ms(ttft_ms: float | None, tpot_ms: float | None, osl: float | None) -> float | None:
    """Mean time of a request from those to its first and to each further token [ms].

    Examples
    --------
    >>> request_ms(500.0, 10.0, 101.0)
    1500.0
    """
    return ttft_ms + tpot_ms * max(osl - 1.0, 0.0) if ttft_ms and tpot_ms and osl else None


def speed_of(tpot_ms: float | None) -> float | None:
    """Speed that each user gets [tok/s].

    Examples
    --------
    >>> speed_of(20.0)
    50.0
    """
    return 1e3 / tpot_ms if tpot_ms else None


def date_of(text: str | None) -> str | None:
    """ISO day of a stamp: ISO, 20260115-101500, or seconds to nanoseconds since 1970.

    Examples
    --------
    >>> date_of("20260115-101500"), date_of("1768435200")
    ('2026-01-15', '2026-01-15')
    """
    if text is None:
        return None
    if found := re.match(r"(\d{4})-?(\d{2})-?(\d{2})(?!\d)", text):
        return "-".join(found.groups())
    try:
        value = float(text)
    except ValueError:
        return None
    from datetime import UTC, datetime

    if not 1e9 < value < LATEST_NS:
        return None
    while value > 1e11:
        value /= 1e3
    return datetime.fromtimestamp(value, UTC).date().isoformat()


def method_of(name: str | None) -> str | None:
    """Draft method of the tables; another is told by its name when the row is checked.

    Examples
    --------
    >>> method_of("NEXTN"), method_of("EAGLE")
    ('mtp', 'eagle3')
    """
    if name is None:
        return None
    word = name.strip().lower()
    if word in ("none", "false"):
        return "none"
    return "mtp" if word in ("mtp", "nextn", "deepseek_mtp") else "eagle3" if word.startswith("eagle") else word
