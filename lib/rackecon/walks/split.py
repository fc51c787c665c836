"""Prefill and decode together or apart: gain by workload, split by speed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rackecon import catalog

if TYPE_CHECKING:
    import pandas as pd

    from rackecon.catalog import Scenario

__all__ = ["MODES", "by_speed", "gains"]

MODES = ("aggregated", "disaggregated")


def _best(key: str, model: str, case: Scenario, mode: str) -> dict[str, Any] | None:
    from rackecon.serving.frontier import search_case

    return search_case(key, model, case, mode=mode).best()


def gains(accelerators: Sequence[str], model: str, scenarios: Sequence[str]) -> pd.DataFrame:
    """Best throughput of each mode for each platform and workload, and their ratio."""
    import pandas as pd

    rows = []
    for key in accelerators:
        for name in scenarios:
            case = catalog.scenario(name)
            one, two = (_best(key, model, case, mode) for mode in MODES)
            gain = two["total_tok_s_per_gpu"] / one["total_tok_s_per_gpu"] if one and two else math.nan
            text = f"{gain:.2f}" if one and two else "only split" if two else "only shared" if one else "not served"
            rows.append(
                {
                    "accelerator": key,
                    "platform": catalog.accelerator(key).label,
                    "scenario": name,
                    "gain": gain,
                    "log_gain": math.log(gain) if gain == gain else 0.0,
                    "text": text,
                    "prefill_gpus": two["prefill_gpus"] if two else math.nan,
                    "decode_gpus": two["decode_gpus"] if two else math.nan,
                    "layout": two["layout"] if two else "",
                    "ttft_ms": two["ttft_ms"] if two else math.nan,
                    "total_tok_s_per_gpu": two["total_tok_s_per_gpu"] if two else math.nan,
                }
            )
    return pd.DataFrame(rows)


def by_speed(accelerators: Sequence[str], model: str, case: Scenario, speeds: Iterable[float]) -> pd.DataFrame:
    """Best point of each mode at each promised speed."""
    import pandas as pd

    rows = []
    for key in accelerators:
        for speed in speeds:
            for mode in MODES:
                best = _best(key, model, replace(case, tpot_limit_ms=1e3 / speed), mode)
                if best is not None:
                    rows.append(
                        {
                            "accelerator": key,
                            "platform": catalog.accelerator(key).label,
                            "tok_s_per_user_target": float(speed),
                            "mode": mode,
                            "total_tok_s_per_gpu": best["total_tok_s_per_gpu"],
                            "prefill_per_decode": best["prefill_gpus"] / best["decode_gpus"]
                            if mode == "disaggregated"
                            else 0.0,
                        }
                    )
    return pd.DataFrame(
        rows,
        columns=[
            "accelerator",
            "platform",
            "tok_s_per_user_target",
            "mode",
            "total_tok_s_per_gpu",
            "prefill_per_decode",
        ],
    )
