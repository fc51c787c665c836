"""Measured serving points made ready for scoring and calibration: flags applied, repeats marked, weights set.

data/measured_flags.csv names each row that misleads, with the reason and what is done about it; nothing is dropped in
silence and broken rows stay in every total.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog.cached import by_data
from rackecon.lazy import pd
from rackecon.serving.points import LAYOUT_COLUMNS, LENGTH_FACTOR, Points, launched
from rackecon.serving.predict import Prepared, prepare

LOW_WEIGHT = 0.25
TABLE_WEIGHT = 0.7  # a throughput table says nothing of latency and little of its load
THROUGHPUT_ONLY_SOURCES = ("serving-trtllm-10", "serving-trtllm-12", "serving-trtllm-017", "serving-trtllm-bp")
CONFIGURATION = (
    "accelerator",
    "model",
    "weight_precision",
    "engine",
    "mode",
    *LAYOUT_COLUMNS,
    "isl",
    "osl",
    "concurrency",
    "draft_tokens",
    "speculative",
)


@dataclass(frozen=True)
class Evidence:
    """Rows that the model can be held against, with what was measured."""

    frame: pd.DataFrame
    points: Points
    prepared: Prepared
    total_tok_s_per_gpu: FloatArray
    tok_s_per_user: FloatArray
    ttft_ms: FloatArray
    weight: FloatArray
    broken: BoolArray
    newest: BoolArray
    throughput_only: BoolArray
    group: IntArray
    cell: NDArray[np.str_]
    parts: dict[int, tuple[IntArray, Prepared]] = field(default_factory=dict)

    def touched(self, position: int, names: tuple[str, ...]) -> tuple[IntArray, Prepared]:
        """Rows whose prediction depends on the parameter at a position, prepared on their own."""
        if position not in self.parts:
            users = np.zeros(len(self), dtype=bool)
            ready = self.prepared
            for rows, engine in (
                (ready.agg_rows, ready.agg),
                (ready.dis_rows, ready.dis),
                (ready.dis_rows, ready.dis_prefill),
            ):
                if engine is not None:
                    for found in engine.keys.values():
                        users[rows] |= found == position
            if names[position].startswith("closed_loop."):
                users[:] = True
            chosen = np.flatnonzero(users)
            self.parts[position] = (chosen, prepare(self.points.select(chosen)) if len(chosen) else ready)
        return self.parts[position]

    def __len__(self) -> int:
        return len(self.frame)


@by_data(2)
def load_evidence() -> Evidence:
    """All measured serving rows with a layout: those with concurrency, and the throughput-only tables.

    Returns
    -------
    Evidence
        A throughput-only row (a vendor's table without a load) is held against the largest batch that fits.
    """
    frame = catalog.table("measured_serving")
    frame = frame[frame["mode"].isin(["aggregated", "disaggregated"])].copy()
    for name in ("tok_s_per_user", "ttft_ms", "tpot_ms", "total_tok_s_per_gpu"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    table_rows = frame["concurrency"].isna() & frame["source_id"].isin(THROUGHPUT_ONLY_SOURCES)
    frame = frame[(frame["concurrency"].notna() | table_rows) & (frame["tp"].notna() | frame["decode_gpus"].notna())]
    frame = frame[frame["total_tok_s_per_gpu"].notna()].reset_index(drop=True)
    best = frame["source_id"].isin(["serving-ix-blog", "serving-ix-best"]) & (frame["length_draw"] == "as stated")
    frame.loc[best, "length_draw"] = "uniform 80-100% of nominal"
    flags = catalog.table("measured_flags").set_index("point_id")
    action = frame["point_id"].map(flags["action"]).fillna("")
    frame["flag"] = frame["point_id"].map(flags["flag"]).fillna("")
    only = frame["concurrency"].isna().to_numpy()
    given = frame.copy()
    ranks = (action == "attention_dp").to_numpy()
    given.loc[ranks, "dp_attention"] = "true"
    given["concurrency"] = given["concurrency"].fillna(_saturating(given))
    points = Points.from_frame(launched(given))
    prepared = prepare(points)
    repeats = frame.groupby(list(CONFIGURATION), dropna=False)["date"]
    newest = (repeats.rank(method="first", ascending=False) == 1).to_numpy()
    size = repeats.transform("size").to_numpy()
    cell = (frame["accelerator"] + "|" + frame["model"] + "|" + frame["mode"]).to_numpy(dtype=str)
    weight = 1.0 / np.sqrt(size)
    per_cell = pd.Series(weight).groupby(cell).transform("sum").to_numpy()
    weight = weight * per_cell ** (-CELL_BALANCE)
    weight = weight / weight.mean()
    weight = np.where(only, weight * TABLE_WEIGHT, weight)
    weight = np.where(action == "low_weight", weight * LOW_WEIGHT, weight)
    weight = np.where(action == "drop", 0.0, weight)
    ttft = np.where(action == "ignore_ttft", np.nan, frame["ttft_ms"].to_numpy(dtype=float))
    _, group = np.unique(frame["split_group"].to_numpy(dtype=str), return_inverse=True)
    return Evidence(
        frame=frame,
        points=points,
        prepared=prepared,
        total_tok_s_per_gpu=frame["total_tok_s_per_gpu"].to_numpy(dtype=float),
        tok_s_per_user=np.where(only, np.nan, frame["tok_s_per_user"].to_numpy(dtype=float)),
        ttft_ms=np.where(only, np.nan, ttft),
        weight=weight,
        broken=(frame["flag"] == "broken_build").to_numpy(),
        newest=newest,
        throughput_only=only,
        group=group.astype(np.intp),
        cell=cell,
    )


def _saturating(frame: pd.DataFrame) -> pd.Series:
    """Requests in flight of a throughput-only row: all of the benchmark's requests, up to the engine's own limit."""
    table = catalog.table("benchmark_requests")
    known = table.set_index(["isl_tokens", "osl_tokens"])["requests"].astype(float)
    lengths = zip(frame["isl"].astype(float), frame["osl"].astype(float), strict=True)
    sent = pd.Series([known.get(pair, known.median()) for pair in lengths], index=frame.index)
    ranks = frame["tp"].astype(float).where(frame["dp_attention"].astype(str).str.lower() == "true", 1.0)
    return sent.clip(upper=SATURATING_CONCURRENCY * ranks)


# Largest batch of running requests per attention rank that trtllm-bench sets by itself
SATURATING_CONCURRENCY = 4096.0
CELL_BALANCE = 0.35  # 0: one vote a row; 1: one vote a cell. DeepSeek-R1 has nine rows in ten.
assert LENGTH_FACTOR < 1.0
