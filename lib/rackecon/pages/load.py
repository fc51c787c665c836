"""The page on load: what can be sold under a latency limit, which policy pays, agents; its results and its sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.errors import InputError
from rackecon.figures.results import Figure, column_figures
from rackecon.load.agentic import agentic_front, measured_errors
from rackecon.load.derived import derived_utilisation, sold_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["LoadResult", "figures", "load_result", "quoted"]

SIZES: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Mean demand over the page's, for the line of sold share against size."""
SIZED: Final = "fixed at p99"


@dataclass(frozen=True)
class LoadResult:
    """Tables of the page."""

    sold: pd.DataFrame
    sizes: pd.DataFrame
    agents: pd.DataFrame
    measured: pd.DataFrame


def _named(measured: pd.DataFrame) -> pd.DataFrame:
    """Measured curves by the names of their platforms and models."""
    return measured.assign(curve=[catalog.relabelled(str(name)) for name in measured["curve"]])


def _label(accelerator: str) -> str:
    return catalog.accelerator(accelerator).label


def load_result(
    accelerators: Sequence[str],
    model: str,
    scenario: str,
    demand_shape: str,
    *,
    mean_rps: float,
    batch_price_factor: float,
    agent_model: str,
    agent_tok_s_per_user: float,
) -> LoadResult:
    """Everything on the page.

    Raises
    ------
    InputError
        No platform serves the workload within its limits.
    """
    sold = sold_table(list(accelerators), model, scenario, demand_shape, mean_rps=mean_rps)
    sold = sold[sold["reason"] == ""].rename(columns={"platform": "accelerator"})
    if sold.empty:
        raise InputError(f"no platform serves {model} within the limits of {scenario}")
    money = evaluate(sorted(set(sold["accelerator"])), [model], [scenario], utilisation=1.0, intervals=False)
    per_hour = money.set_index("accelerator")[["revenue_usd_per_gpu_hour", "cost_usd_per_gpu_hour"]]
    full, cost = (per_hour.loc[sold["accelerator"], name].to_numpy(dtype=float) for name in per_hour)
    paid = sold["utilisation"] - (1.0 - batch_price_factor) * sold["batch_sold"] * sold["open_load"]
    sold = sold.assign(
        platform=[_label(name) for name in sold["accelerator"]],
        profit_usd_per_gpu_hour=paid * full - cost,
        stranded_usd_per_gpu_hour=sold["stranded_share"] * cost,
    )
    return LoadResult(
        sold.reset_index(drop=True),
        _sizes(sorted(set(sold["accelerator"])), model, scenario, demand_shape, mean_rps),
        _agents(accelerators, agent_model, agent_tok_s_per_user),
        _named(measured_errors()),
    )


def _sizes(names: Sequence[str], model: str, scenario: str, shape: str, mean_rps: float) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (name, _label(name), mean_rps * times, found.utilisation, found.units)
        for name in names
        for times in SIZES
        for found in [derived_utilisation(name, model, scenario, shape, SIZED, mean_rps=mean_rps * times)]
    ]
    return pd.DataFrame(rows, columns=["accelerator", "platform", "mean_rps", "utilisation", "units"])


def _agents(names: Sequence[str], model: str, speed: float) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for name in names:
        front = agentic_front(name, model)
        rate = front.rate_at(speed)
        if np.isfinite(rate):
            hit = float(np.interp(speed, front.tok_s_per_user, front.cache_hit))
            rows.append((name, _label(name), front.sessions_per_gpu_at(speed), hit, rate))
    columns = ["accelerator", "platform", "sessions_per_gpu", "cache_hit", "total_tok_s_per_gpu"]
    return pd.DataFrame(rows, columns=columns).sort_values("total_tok_s_per_gpu", ascending=False, ignore_index=True)


def figures(result: LoadResult) -> list[Figure]:
    """The page's results by key."""
    shares = {"utilisation": "-", "low": "-", "high": "-", "profit_usd_per_gpu_hour": "USD/GPU-hour"}
    agents = {"sessions_per_gpu": "sessions/GPU", "cache_hit": "-", "total_tok_s_per_gpu": "tok/s/GPU"}
    policies = result.sold.assign(policy=[name.replace(",", "") for name in result.sold["policy"]])
    return [
        *column_figures(policies, ["accelerator", "policy"], shares, "sold"),
        *column_figures(result.agents, ["accelerator"], agents, "agents"),
        Figure("agents/measured_error/median", float((result.measured["ratio"] - 1.0).abs().median()), "-"),
    ]


def quoted(result: LoadResult) -> dict[str, Any]:
    """What the page's sentences quote, by name."""
    sold = result.sold
    best = sold.loc[sold["profit_usd_per_gpu_hour"].idxmax()]
    peak = sold[sold["policy"] == "fixed at the peak"].set_index("accelerator")["utilisation"]
    own = sold[sold["accelerator"] == best["accelerator"]].set_index("policy")
    small = result.sizes.sort_values("mean_rps").drop_duplicates("accelerator")
    worst = small.loc[small["utilisation"].idxmin()]
    reached = result.measured["ratio"].dropna()
    return {
        "best_platform": str(best["platform"]),
        "best_policy": str(best["policy"]),
        "best_utilisation": float(best["utilisation"]),
        "best_profit": float(best["profit_usd_per_gpu_hour"]),
        "peak_low": float(peak.min()),
        "peak_high": float(peak.max()),
        "own_peak": float(own.loc["fixed at the peak", "utilisation"]),
        "own_peak_stranded": float(own.loc["fixed at the peak", "stranded_usd_per_gpu_hour"]),
        "small_platform": str(worst["platform"]),
        "small_share": float(worst["utilisation"]),
        "small_rps": float(worst["mean_rps"]),
        "agents": len(result.agents),
        "agent_platform": "" if result.agents.empty else str(result.agents["platform"][0]),
        "agent_sessions": 0.0 if result.agents.empty else float(result.agents["sessions_per_gpu"][0]),
        "agent_hit": 0.0 if result.agents.empty else float(result.agents["cache_hit"][0]),
        "points": len(result.measured),
        "reached": len(reached),
        "ratio_low": float(reached.min()),
        "ratio_median": float(reached.median()),
        "ratio_high": float(reached.max()),
    }
