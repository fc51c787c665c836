"""Reference answers: what predictions, searches and money came to when the physics was last changed on purpose.

    python tests/reference/make.py

writes ``answers.csv`` again after such a change; its diff shows a reviewer what moved and by how much.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).with_name("answers.csv")
EVERY = 41
"""Of the measured rows each so many-th is predicted: all platforms, models, modes and engines with many rows are met."""
RATES = ("total_tok_s_per_gpu", "output_tok_s_per_gpu", "tpot_ms", "ttft_ms")
PLATFORMS = ("h100-sxm", "h200-sxm", "b200-hgx", "gb300-nvl72", "mi355x", "tpu-v7")
MODELS = ("deepseek-r1", "gpt-oss-120b", "llama-3.1-70b")
CASES = ("rag-summarise", "agentic-coding")
MONEY = (
    "revenue_usd_per_gpu_hour",
    "cost_usd_per_gpu_hour",
    "profit_usd_per_rack_year",
    "profit_usd_per_mw_year",
    "profit_usd_per_position_year",
    "profit_usd_per_invested_usd_year",
    "cost_usd_per_mtok_total",
    "cost_usd_per_mtok_output_by_phase",
    "break_even_utilisation",
    "npv_usd_per_rack",
    "irr_per_year",
    "payback_years",
    "vendor_roi",
    "drawn_it_kw_per_gpu",
    "drawn_joules_per_total_token",
    "total_tok_s_per_gpu_low",
    "ttft_ms_high",
)


def predicted() -> dict[str, float]:
    """Rates and latencies of every so many-th measured row."""
    import numpy as np

    from rackecon import Points, catalog, predict

    frame = catalog.table("measured_serving")
    frame = frame[frame["mode"].isin(["aggregated", "disaggregated"]) & frame["concurrency"].notna()]
    frame = frame.iloc[::EVERY].reset_index(drop=True)
    found = predict(Points.from_frame(frame))
    values = {name: np.asarray(getattr(found, name), dtype=float) for name in RATES}
    return {f"predict/{row}/{name}": values[name][i] for i, row in enumerate(frame["point_id"]) for name in RATES}


def searched() -> dict[str, float]:
    """Length, best rate and fastest speed of fronts without latency limits."""
    from rackecon import scenario, search

    out: dict[str, float] = {}
    for model in MODELS:
        for case in map(scenario, CASES):
            for platform in PLATFORMS:
                front = search(
                    platform, model, case.isl_tokens, case.osl_tokens, prefix_cache_hit=case.prefix_cache_hit
                ).table
                if not len(front):
                    continue
                key = f"search/{platform}/{model}/{case.id}"
                out[f"{key}/points"] = len(front)
                out[f"{key}/best_total_tok_s_per_gpu"] = front["total_tok_s_per_gpu"].max()
                out[f"{key}/fastest_tok_s_per_user"] = front["tok_s_per_user"].max()
                out[f"{key}/mean_gpus"] = front["gpus"].mean()
    return out


def earned() -> dict[str, float]:
    """Money of the base case and of one that moves every other assumption."""
    from rackecon import evaluate

    moved: dict[str, Any] = {
        "utilisation": 0.45, "horizon_years": 5, "wacc": 0.13, "pue": 1.4, "electricity_usd_per_kwh": 0.11,
        "price_decline_per_year": 0.2, "licence_share": 0.1, "free_share": 0.05, "power_vintage": "2025-10",
    }  # fmt: skip
    out = {}
    for name, given in (("base", {}), ("moved", moved)):
        rows = evaluate(PLATFORMS[1:], ["deepseek-r1"], CASES, **given)
        for row in rows.to_dict("records"):
            key = f"money/{name}/{row['accelerator']}/{row['scenario']}"
            out |= {f"{key}/{column}": row[column] for column in MONEY}
    return out


def answers() -> dict[str, float]:
    """Every reference answer by key, those that exist."""
    return {key: float(x) for key, x in (predicted() | searched() | earned()).items() if x == x}


def main() -> None:
    """Write the file."""
    found = sorted(answers().items())
    with ANSWERS.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("key", "value"))
        writer.writerows((key, f"{value:.10g}") for key, value in found)


if __name__ == "__main__":
    main()
