"""What a search returns: the Pareto front of one platform, model and workload."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Accelerator, Model
from rackecon.lazy import pd

STEPS_PER_OCTAVE = 16.0  # of speed, by which a front is thinned before it is put in order
COLUMNS = (
    "tp",
    "ep",
    "pp",
    "dp_attention",
    "draft_tokens",
    "gpus",
    "prefill_gpus",
    "decode_gpus",
    "prefill_workers",
    "decode_workers",
    "prefill_tp",
    "prefill_ep",
    "prefill_dp_attention",
    "concurrency",
    "running_per_engine",
    "total_tok_s_per_gpu",
    "output_tok_s_per_gpu",
    "tok_s_per_user",
    "tpot_ms",
    "ttft_ms",
    "prefill_gpu_share",
    "decode_busy_share",
    "prefill_busy_share",
)


@dataclass(frozen=True)
class Frontier:
    """Pareto front of one platform, model and workload; empty with a ``reason`` where nothing serves it.

    Examples
    --------
    >>> from rackecon.serving.frontier import search
    >>> front = search("b200-hgx", "gpt-oss-120b", 1000, 500, tpot_limit_ms=20.0)
    >>> bool(front.table["tpot_ms"].max() <= 20.0)
    True
    """

    accelerator: str
    model: str
    isl_tokens: float
    osl_tokens: float
    rows: Mapping[str, NDArray[Any]]
    reason: str
    candidates: int
    fitting: int
    nearest: Mapping[str, Any] | None = None  # of an empty front: what comes nearest to its limits

    def __len__(self) -> int:
        return len(self.rows["tok_s_per_user"])

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The front as arrays by name, its case in each row, slowest and most productive point first."""
        case = {name: getattr(self, name) for name in ("accelerator", "model", "isl_tokens", "osl_tokens")}
        return {**{name: np.full(len(self), value) for name, value in case.items()}, **self.rows}

    @property
    def table(self) -> pd.DataFrame:
        """The front as a data frame: :attr:`columns`."""
        return pd.DataFrame(self.columns)

    def best(self) -> dict[str, Any] | None:
        """The point of highest throughput within the limits, or None."""
        if not len(self):
            return None
        return one_row(self.rows, int(np.argmax(self.rows["total_tok_s_per_gpu"])))

    def rate_at(self, tok_s_per_user: float) -> float:
        """Total tokens per second and GPU at a speed, log-linear between points; NaN beyond the fastest point."""
        speed, rate = self.rows["tok_s_per_user"], self.rows["total_tok_s_per_gpu"]
        if not len(self) or tok_s_per_user > speed[-1]:
            return math.nan
        return float(np.exp(np.interp(tok_s_per_user, speed, np.log(rate))))


def one_row(rows: Mapping[str, NDArray[Any]], i: int) -> dict[str, Any]:
    """A row of columns as plain numbers and text."""
    return {name: values[i].item() if hasattr(values[i], "item") else values[i] for name, values in rows.items()}


def layout_texts(rows: Mapping[str, NDArray[Any]]) -> list[str]:
    """Layouts as shown: the decode layout and the GPUs of each pool where there are two."""
    each = list(zip(*(rows[name].tolist() for name in ("layout", "mode", "prefill_gpus", "decode_gpus")), strict=True))
    known = {
        one: f"{one[0]} decode, {one[2]:g}P:{one[3]:g}D" if one[1] == "disaggregated" else one[0] for one in set(each)
    }
    return [known[one] for one in each]


def pareto_rows(speed: FloatArray, rate: FloatArray, allowed: BoolArray) -> IntArray:
    """Rows on the front, by rising speed and falling rate."""
    return fronts(speed, rate, allowed, np.zeros(len(speed), dtype=np.intp))


def fronts(speed: FloatArray, rate: FloatArray, allowed: BoolArray, query: IntArray) -> IntArray:
    """Rows on the front of each query, one front after another, by rising speed and falling rate."""
    rows = np.flatnonzero(allowed)
    if not len(rows):
        return rows
    # what loses to a row of a faster sixteenth of an octave is dropped first: few are left to be put in order
    step = np.floor(STEPS_PER_OCTAVE * np.log2(speed[rows])).astype(np.intp)
    step -= step.min()
    best = np.zeros((int(query.max()) + 1, int(step.max()) + 2))
    step += query[rows] * best.shape[1]
    np.maximum.at(best.reshape(-1), step, rate[rows])
    ahead = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1].reshape(-1)
    rows = rows[rate[rows] >= ahead[step + 1]]
    order = rows[np.lexsort((-rate[rows], -speed[rows], query[rows]))]
    own = query[order]
    place = np.arange(len(order)) - np.searchsorted(own, own)
    faster = np.full((len(best), int(place.max()) + 2), -np.inf)
    faster[own, place + 1] = rate[order]
    beaten = np.maximum.accumulate(faster, axis=1)[own, place]
    kept = order[rate[order] > beaten * (1 + 1e-9)][::-1]
    return np.asarray(kept[np.argsort(query[kept], kind="stable")])


def empty_front(chip: Accelerator, arch: Model, isl: float, osl: float, reason: str, candidates: int) -> Frontier:
    """A front without points, with the reason."""
    names = ("engine", "mode", "layout", "speculative", "bottleneck", "weight_precision", "kv_precision")
    rows: dict[str, NDArray[Any]] = {name: np.array([], dtype="<U1") for name in names}
    rows.update({name: np.array([]) for name in COLUMNS})
    return Frontier(chip.id, arch.id, isl, osl, rows, reason, candidates, 0)
