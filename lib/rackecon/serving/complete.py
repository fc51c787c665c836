"""Fill in what a serving point leaves open: mode, layout, draft depth and load, by trying each and keeping the best.

What is given is held; what is open is searched for the highest throughput within the latency limits of the point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Accelerator, Model, accelerator, model
from rackecon.performance.families import default_engine
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.layouts import Layout, decode_layouts, engine_layouts, prefill_layouts
from rackecon.serving.points import Points
from rackecon.serving.predict import Predictions, predict
from rackecon.serving.tails import tail_factors

__all__ = ["Completed", "complete", "is_open"]

Row = Mapping[str, Any]
# Requests per attention rank that a search tries; engines stop at about 2,048 running requests
LOADS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
WORKERS = (1, 2, 4, 8)
LIMIT_GPUS = 128


@dataclass(frozen=True)
class Completed:
    """The best candidate of an open point: its conditions, its prediction, or why there is none."""

    row: dict[str, Any]
    prediction: dict[str, Any]
    candidates: int


def _given(row: Row, name: str) -> bool:
    return str(row.get(name, "") if row.get(name) is not None else "").strip() not in ("", "nan")


def _number(row: Row, name: str) -> float:
    return float(row[name]) if _given(row, name) else math.nan


def _truth(row: Row, name: str) -> bool:
    return str(row.get(name, "")).strip().lower() in ("true", "1", "1.0")


def is_open(row: Row) -> bool:
    """Whether a point leaves its mode, its layout or its load to be searched."""
    mode = str(row.get("mode", "") or "").strip()
    if mode not in ("aggregated", "disaggregated") or not _given(row, "tp") or not _given(row, "concurrency"):
        return True
    sizes = _given(row, "decode_gpus") or _given(row, "decode_workers")
    feeders = _given(row, "prefill_gpus") or _given(row, "prefill_workers")
    return mode == "disaggregated" and not (sizes and feeders and _given(row, "prefill_tp"))


def _allowed(layouts: list[Layout], row: Row, prefix: str = "") -> list[Layout]:
    """Layouts with the values that the row gives; one made of them where the usual list has none."""
    held = {name: _number(row, prefix + name) for name in ("tp", "ep", "pp") if _given(row, prefix + name)}
    found = [x for x in layouts if all(getattr(x, name) == value for name, value in held.items())]
    key = prefix + "dp_attention"
    if _given(row, key):
        found = [x for x in found if x.dp_attention == _truth(row, key)] or found
    if not found and "tp" in held:
        width = int(held["tp"])
        found = [Layout(width, int(held.get("ep", 1)), int(held.get("pp", 1)), _truth(row, key))]
    return found


def _loads(row: Row, ranks: int) -> list[float]:
    return [_number(row, "concurrency")] if _given(row, "concurrency") else [float(n * ranks) for n in LOADS]


def _aggregated(row: Row, chip: Accelerator, arch: Model) -> list[dict[str, Any]]:
    out = []
    gpus = _number(row, "gpus")
    for layout in _allowed(engine_layouts(chip, arch), row):
        if math.isfinite(gpus) and (layout.gpus > gpus or gpus % layout.gpus):
            continue
        total = gpus if math.isfinite(gpus) else layout.gpus
        ranks = (layout.tp if layout.dp_attention else 1) * int(total // layout.gpus)
        for load in _loads(row, ranks):
            out.append(
                {
                    **row,
                    "mode": "aggregated",
                    "tp": layout.tp,
                    "ep": layout.ep,
                    "pp": layout.pp,
                    "dp_attention": layout.dp_attention,
                    "gpus": total,
                    "concurrency": load,
                }
            )
    return out


def _disaggregated(row: Row, chip: Accelerator, arch: Model) -> list[dict[str, Any]]:
    out = []
    gpus = _number(row, "gpus")
    feeders = _allowed(prefill_layouts(chip, arch), row, "prefill_")
    for layout, feeder in product(_allowed(decode_layouts(chip, arch), row), feeders):
        for nd, npre in product(_pool(row, "decode", layout), _pool(row, "prefill", feeder)):
            d, p = nd * layout.gpus, npre * feeder.gpus
            if (d + p > LIMIT_GPUS and not math.isfinite(gpus)) or (
                math.isfinite(gpus) and not 0.75 * gpus <= d + p <= gpus
            ):
                continue
            ranks = (layout.tp if layout.dp_attention else 1) * nd
            for load in _loads(row, ranks):
                out.append(
                    {
                        **row,
                        "mode": "disaggregated",
                        "tp": layout.tp,
                        "ep": layout.ep,
                        "pp": layout.pp,
                        "dp_attention": layout.dp_attention,
                        "prefill_tp": feeder.tp,
                        "prefill_ep": feeder.ep,
                        "prefill_dp_attention": feeder.dp_attention,
                        "decode_workers": nd,
                        "decode_gpus": d,
                        "prefill_workers": npre,
                        "prefill_gpus": p,
                        "gpus": d + p,
                        "concurrency": load,
                    }
                )
    return out


def _pool(row: Row, which: str, layout: Layout) -> list[int]:
    if _given(row, f"{which}_workers"):
        return [int(_number(row, f"{which}_workers"))]
    if _given(row, f"{which}_gpus"):
        return [max(int(_number(row, f"{which}_gpus") // layout.gpus), 1)]
    return list(WORKERS)


def _thin(rows: list[dict[str, Any]], most: int = 6000) -> list[dict[str, Any]]:
    """A regular choice of at most ``most`` rows."""
    return rows if len(rows) <= most else [rows[i] for i in np.linspace(0, len(rows) - 1, most).astype(int)]


def complete(row: Row, parameters: ServingParameters | None = None) -> Completed:
    """The candidate with the highest throughput within the point's limits.

    Parameters
    ----------
    row : mapping
        One point, columns as for ``rackecon predict``; what is given is held.
    parameters : ServingParameters, optional
        The shipped ones by default.

    Returns
    -------
    Completed
        The filled row, its prediction (with ``status`` and ``reason``) and how many candidates were tried.
    """
    chip, arch = accelerator(str(row["accelerator"]).strip()), model(str(row["model"]).strip())
    wanted = str(row.get("mode", "") or "").strip()
    candidates: list[dict[str, Any]] = []
    split_given = _given(row, "decode_gpus") or _given(row, "prefill_gpus")
    if wanted != "disaggregated" and not split_given:
        candidates += _aggregated(row, chip, arch)
    if wanted != "aggregated" and chip.servable and (wanted == "disaggregated" or arch.is_moe):
        pairs = _disaggregated(row, chip, arch)
        if not str(row.get("engine", "") or "").strip():
            usual = default_engine(chip, "disaggregated")
            pairs = [{**pair, "engine": usual} for pair in pairs]
        candidates += _thin(pairs)
    if not candidates:
        text = "no layout has the values given: check gpus, tp, ep, pp and the two pools"
        return Completed(dict(row), {"status": "unsupported", "reason": text}, 0)
    points = Points.from_rows(candidates)
    found = predict(points, parameters or load_parameters())
    best = _best(found, row)
    if best is None:
        reasons = [r for r in found.reason if r]
        status = "does_not_fit" if (found.status == "does_not_fit").any() else "unsupported"
        text = reasons[0] if reasons else ""
        if status == "does_not_fit":
            text = f"none of {len(candidates)} layouts and loads fits: {text}"
        return Completed(dict(row), {"status": status, "reason": text}, len(candidates))
    return Completed(candidates[best], _row_of(found, best, row), len(candidates))


def _excess(found: Predictions, row: Row) -> NDArray[np.float64]:
    """How far each candidate exceeds its worst limit, as a ratio; at most 1 is within."""
    step, first = tail_factors(str(row.get("latency_statistic", "") or "median").strip())
    excess = np.zeros(len(found.tpot_ms))
    if _given(row, "ttft_limit_ms"):
        excess = np.fmax(excess, found.ttft_ms * first / _number(row, "ttft_limit_ms"))
    if _given(row, "tpot_limit_ms"):
        excess = np.fmax(excess, found.tpot_ms * step / _number(row, "tpot_limit_ms"))
    return excess


def _best(found: Predictions, row: Row) -> int | None:
    ok = (found.status == "ok") & np.isfinite(found.total_tok_s_per_gpu)
    if not ok.any():
        return None
    excess = _excess(found, row)
    within = ok & (excess <= 1.0 + 1e-9)
    if within.any():
        rate = np.where(within, found.total_tok_s_per_gpu, -np.inf)
        # past saturation more load only lengthens the queue: of rates within 1 % the soonest first token
        good = rate >= 0.99 * rate.max()
        return int(np.argmin(np.where(good, found.ttft_ms, np.inf)))
    return int(np.argmin(np.where(ok, excess, np.inf)))


def _row_of(found: Predictions, i: int, row: Row) -> dict[str, Any]:
    out = {name: getattr(found, name)[i] for name in found.__dataclass_fields__}
    if _excess(found, row)[i] > 1.0 + 1e-9:
        out["reason"] = "no candidate meets the latency limits; this one comes nearest"
    return out
