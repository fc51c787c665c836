"""Serving points: one row of conditions each, checked and laid out as arrays for the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Accelerator, Model, accelerators, models, table
from rackecon.errors import InputError, check_known, unknown_name
from rackecon.lazy import pd
from rackecon.performance.engine import PRECISION_BITS, Engine, build_engine
from rackecon.performance.families import ENGINES, NODE_GPUS, default_engine, engine_family, intercept_cell
from rackecon.performance.parameters import load_parameters
from rackecon.serving.query import TOKENLESS, context_fault, default_date, default_kv_precision, software_years

# A uniform draw of 80-100 % of the nominal length has a mean of 0.9
LENGTH_FACTOR = 0.9
NEEDED = ("accelerator", "model", "weight_precision", "isl", "osl")
LAYOUT_COLUMNS = (
    "tp",
    "ep",
    "pp",
    "dp_attention",
    "decode_workers",
    "decode_gpus",
    "prefill_workers",
    "prefill_gpus",
    "prefill_tp",
    "prefill_ep",
    "prefill_dp_attention",
)
"""What lays a deployment out: widths of an engine, and the pools of a disaggregated one."""
POINT_COLUMNS = (
    *NEEDED,
    "kv_precision",
    "engine",
    "date",
    "gpus",
    "mode",
    *LAYOUT_COLUMNS,
    "concurrency",
    "max_sequences",
    "draft_tokens",
    "speculative",
    "length_draw",
    "ttft_limit_ms",
    "tpot_limit_ms",
    "latency_statistic",
    "prefix_cache_hit",
)


@dataclass(frozen=True)
class Points:
    """Checked conditions, one a row; numbers are NaN where a row leaves them open.

    Examples
    --------
    >>> row = dict(accelerator="h100-sxm", model="gpt-oss-20b", weight_precision="fp4", isl=1000, osl=500)
    >>> len(Points.from_rows([row]))
    1
    """

    accelerator: tuple[str, ...]
    model: tuple[str, ...]
    weight_precision: tuple[str, ...]
    kv_precision: tuple[str, ...]
    engine: tuple[str, ...]
    mode: tuple[str, ...]
    date: tuple[str, ...]
    statistic: tuple[str, ...]
    numbers: Mapping[str, FloatArray]
    named: tuple[tuple[str, str], ...]  # engine and cache precision as given; empty where the usual was filled in

    def __len__(self) -> int:
        return len(self.accelerator)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Points:
        """Points of a data frame with the columns of ``rackecon predict``."""
        return cls.from_rows(frame.astype(object).where(frame.notna(), "").to_dict("records"))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[Any, Any]]) -> Points:
        """Points of rows of text or numbers; a fault names its row and column.

        Needed: ``accelerator``, ``model``, ``weight_precision``, ``isl`` and ``osl`` [tokens]; further names are the
        columns of data/measured_serving.csv, and ``max_sequences``: requests that one decode (or only) engine takes at once.
        """
        known_a, known_m = accelerators(), models()
        dates: dict[str, str] = {}  # one look at the tables for all rows of a platform
        texts: list[tuple[str, ...]] = []
        numbers: dict[str, list[float]] = {name: [] for name in _NUMBERS}
        named: list[tuple[str, str]] = []
        for line, row in enumerate(rows, start=2):
            for name in NEEDED:
                if not _text(row, name):
                    raise InputError(f"row {line}: column '{name}' is missing or empty")
            a, m, w = (_text(row, name) for name in NEEDED[:3])
            check_known("accelerator", a, known_a, f"row {line}")
            check_known("model", m, known_m, f"row {line}")
            if a not in dates:
                dates[a] = default_date(known_a[a])
            mode = _text(row, "mode") or "unstated"
            check_known("mode", mode, ("aggregated", "disaggregated", "unstated"), f"row {line}")
            engine, kv = _text(row, "engine"), _text(row, "kv_precision")
            engine = "" if engine == "not stated" else engine
            named.append((engine, kv))
            e = engine or default_engine(known_a[a], mode)
            check_known("engine", e, ENGINES, f"row {line}")
            k = kv or default_kv_precision(known_a[a], known_m[m], w, e)
            for kind, value in (("weight_precision", w), ("kv_precision", k)):
                check_known(kind, value, PRECISION_BITS, f"row {line}")
            texts.append(
                (a, m, w, k, e, mode, _text(row, "date") or dates[a], _text(row, "latency_statistic") or "median")
            )
            for name in _NUMBERS:
                numbers[name].append(_number(row, name, line))
        arrays = {name: np.array(values) for name, values in numbers.items()}
        columns = dict(zip(_TEXTS, zip(*texts, strict=True) if texts else [()] * len(_TEXTS), strict=True))
        return cls(**columns, numbers=arrays, named=tuple(named))

    def select(self, rows: BoolArray | IntArray) -> Points:
        """The same conditions for a choice of rows."""
        positions = np.arange(len(self))[rows]
        texts = {name: tuple(getattr(self, name)[i] for i in positions) for name in (*_TEXTS, "named")}
        return Points(**texts, numbers={name: values[positions] for name, values in self.numbers.items()})

    @cached_property
    def open(self) -> BoolArray:
        """Rows that leave their mode, layout or load to be searched."""
        known = {name: np.isfinite(values) for name, values in self.numbers.items()}
        mode = np.array(self.mode)
        pools = (known["decode_gpus"] | known["decode_workers"]) & (known["prefill_gpus"] | known["prefill_workers"])
        given = known["tp"] & known["concurrency"] & (mode != "unstated")
        return np.asarray(~given | ((mode == "disaggregated") & ~(pools & known["prefill_tp"])))

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """Why a row cannot be served as it is described; empty where it can."""
        return tuple(
            self._fault({name: float(values[i]) for name, values in self.numbers.items()}, i) for i in range(len(self))
        )

    def _fault(self, n: Mapping[str, float], i: int) -> str:
        for name in ("isl", "osl"):
            if not n[name] >= 1.0:
                return f"{name} is not a number of tokens"
        for name, most in _WHOLE.items():
            if math.isfinite(n[name]) and (n[name] != round(n[name]) or n[name] > most):
                return f"{name} {n[name]:g}: needs a whole number up to {most:,.0f}"
        if n["concurrency"] > MOST_IN_FLIGHT:
            return f"concurrency {n['concurrency']:g}: needs at most {MOST_IN_FLIGHT:,.0f}"
        if math.isfinite(n["max_sequences"]) and self.open[i]:
            return "max_sequences is of a deployment: needs its mode, tp, concurrency and, of pools, their sizes"
        if n["prefix_cache_hit"] >= 1.0:
            return f"prefix_cache_hit {n['prefix_cache_hit']:g}: needs a share below 1"
        if fault := context_fault(self.records[1][i], n["isl"] + n["osl"]):
            return fault
        width = n["tp"] * (n["pp"] if math.isfinite(n["pp"]) else 1.0)
        pool = "decode_gpus" if self.mode[i] == "disaggregated" else "gpus"
        for name, size in ((pool, width), ("prefill_gpus", n["prefill_tp"])):
            if math.isfinite(n[name]) and math.isfinite(size) and n[name] % size:
                return f"{name} {n[name]:g} is no multiple of the {size:g} GPUs of an engine"
        return ""

    @cached_property
    def records(self) -> tuple[tuple[Accelerator, ...], tuple[Model, ...]]:
        """Accelerator and model records of each row."""
        known_a, known_m = accelerators(), models()
        return tuple(known_a[x] for x in self.accelerator), tuple(known_m[x] for x in self.model)

    @cached_property
    def years(self) -> FloatArray:
        """Years since the start of 2026."""
        return np.array([software_years(text) for text in self.date])

    @cached_property
    def cells(self) -> tuple[str, ...]:
        """Intercept cell of each row."""
        chips, _ = self.records
        return tuple(
            intercept_cell(a.id, engine_family(e, a.vendor), w, mode)
            for a, e, w, mode in zip(chips, self.engine, self.weight_precision, self.mode, strict=True)
        )

    def engines(self, prefill: bool = False) -> Engine:
        """Engine arrays of the decode (or only) engine, or of the prefill engine of disaggregated rows."""
        n = self.numbers
        chips, archs = self.records
        index = {name: i for i, name in enumerate(load_parameters().names)}
        if prefill:
            tp = _first(n["prefill_tp"], n["prefill_gpus"] / n["prefill_workers"], n["tp"])
            ep, dp = _first(n["prefill_ep"], np.ones_like(tp)), n["prefill_dp_attention"]
            pp = np.ones_like(tp)
        else:
            tp, dp = n["tp"], n["dp_attention"]
            ep, pp = (_first(n[name], np.ones_like(tp)) for name in ("ep", "pp"))
        tp = np.where(np.isfinite(tp), tp, 1.0)
        wide = (dp > 0) & (tp > NODE_GPUS) & (ep <= 1)
        ep = np.where(wide, tp, ep)
        return build_engine(
            chips, archs, self.weight_precision, self.kv_precision, self.engine, self.mode, tp, ep, pp, dp > 0, index
        )


def launched(frame: pd.DataFrame) -> pd.DataFrame:
    """Measured rows with ``max_sequences`` and ``draft_tokens`` where data/launch_settings.csv knows what a run was launched with.

    A depth that a row states itself stays.
    """
    known = table("launch_settings").pivot(index="point_id", columns="setting", values="value")
    each = {name: frame["point_id"].map(known[name]) for name in ("max_sequences", "draft_tokens")}
    stated = frame["draft_tokens"].replace("", np.nan).astype(float)
    return frame.assign(max_sequences=each["max_sequences"], draft_tokens=stated.fillna(each["draft_tokens"]))


_TEXTS = ("accelerator", "model", "weight_precision", "kv_precision", "engine", "mode", "date", "statistic")
_GPUS = ("gpus", "tp", "ep", "pp", "decode_workers", "decode_gpus", "prefill_workers", "prefill_gpus")
MOST_COUNTED = 1e6  # GPUs or workers of a deployment: none is near
MOST_IN_FLIGHT = 1e8
_WHOLE = {
    **dict.fromkeys((*_GPUS, "prefill_tp", "prefill_ep"), MOST_COUNTED),
    "draft_tokens": 7.0,
    "max_sequences": MOST_IN_FLIGHT,
}
_NUMBERS = (
    "isl",
    "osl",
    "gpus",
    *LAYOUT_COLUMNS,
    "concurrency",
    "max_sequences",
    "draft_tokens",
    "speculative",
    "length_draw",
    "ttft_limit_ms",
    "tpot_limit_ms",
    "prefix_cache_hit",
)
_POSITIVE = ("isl", "osl", "gpus", "tp", "ep", "pp", "concurrency", "max_sequences", "ttft_limit_ms", "tpot_limit_ms")


def _text(row: Mapping[Any, Any], name: str) -> str:
    found = row.get(name)
    return "" if found is None else str(found).strip()


def _number(row: Mapping[Any, Any], name: str, line: int) -> float:
    cell = _text(row, name)
    if name.endswith("dp_attention"):
        if cell.lower() in ("", "nan"):
            return math.nan
        if cell.lower() in ("false", "0", "0.0"):
            return 0.0
        if cell.lower() in ("true", "1", "1.0"):
            return 1.0
        raise InputError(f"row {line} column '{name}': '{cell}' is not true or false")
    if name == "speculative":
        if cell in ("", "none", "nan"):
            return 0.0
        if cell in ("mtp", "eagle3"):
            return 1.0
        raise unknown_name("speculative", cell, ("none", "mtp", "eagle3"), f"row {line}")
    if name == "length_draw":
        return 1.0 if cell in ("", "as stated", "nan") else LENGTH_FACTOR
    if cell in ("", "nan"):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"row {line} column '{name}': '{cell}' is not a number") from None
    if not math.isfinite(value) or (name in _POSITIVE and value <= 0) or value < 0:
        needed = "positive" if name in _POSITIVE else "non-negative"
        hint = f"; {TOKENLESS}" if name == "osl" and value == 0 else ""
        raise InputError(f"row {line} column '{name}': {cell} is out of range; needs a {needed} number{hint}")
    return value


def _first(*candidates: FloatArray) -> FloatArray:
    out = candidates[0]
    for other in candidates[1:]:
        out = np.where(np.isfinite(out), out, other)
    return np.asarray(out)
