"""The page on load: what can be sold under a latency limit, which policy pays, agents; its results and its sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.errors import InputError
from rackecon.evidence.intervals import rate_factors, ratio_ends
from rackecon.evidence.leads import ahead, in_order
from rackecon.figures.results import Figure, column_figures
from rackecon.figures.tables import spans
from rackecon.lazy import pd
from rackecon.load.agentic import agentic_parameters
from rackecon.load.agentic_runs import agentic_range, scores
from rackecon.load.derived import derived_utilisation, sold_table
from rackecon.pages.agents import UNITS, agent_table, told
from rackecon.words import engine_words, money, number, percent

SIZES: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Mean demand over the page's, for the line of sold share against size."""
PEAK: Final = "fixed at the peak"
FILLED: Final = "fixed at the 99th percentile, batch backfill"
WAYS: Final = {
    PEAK: "holding the peak",
    "fixed at the 99th percentile": "holding the 99th percentile of demand",
    FILLED: "filling up with batch work",
    "resized daily, day known": "resizing daily",
    "resized daily to yesterday": "resizing daily",
    "autoscaled, 15 min start": "autoscaling",
    "autoscaled, 5 min start": "autoscaling",
}
"""Policies as a sentence says them; some differ in a delay alone."""
RATE, DEMAND, POLICY = "rate", "demand", "policy"
"""What moves a platform's profit: the model's error of its token rate, other days and demands, the policy."""
SIZED: Final = "fixed at the 99th percentile"


@dataclass(frozen=True)
class LoadResult:
    """Tables of the page."""

    sold: pd.DataFrame
    sizes: pd.DataFrame
    agents: pd.DataFrame
    measured: pd.DataFrame
    errors: pd.DataFrame
    cost_label: str


def _measured() -> pd.DataFrame:
    """Measured replays beside the model as the last fit left them (data/validation_agentic.csv)."""
    points = catalog.table("validation_agentic").drop(columns=["source_id", "grade"])
    places = catalog.table("measured_agentic")[["point_id", "accelerator", "model", "concurrency_sessions", "gpus"]]
    points = points.merge(places, on="point_id")
    curves = [str(name).split() for name in points["curve"]]
    named = [" ".join([_label(chip), catalog.label(model), *map(engine_words, of)]) for chip, model, *of in curves]
    return points.assign(
        named=named,
        platform=[_label(name) for name in points["accelerator"]],
        used=points["split"].map({"fit": "fitted", "score": "held out"}),
        ratio=points["searched"] / points["measured"],
    )


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
    money = evaluate(sorted(set(sold["accelerator"])), [model], [scenario], utilisation=1.0)
    money = money.set_index("accelerator")
    per_hour = money[["revenue_usd_per_gpu_hour", "cost_usd_per_gpu_hour"]]
    if per_hour["cost_usd_per_gpu_hour"].isna().all():
        raise InputError(
            f"no cost is published for {', '.join(per_hour.index)}: what their unsold hours cost cannot be said"
        )
    full, cost = (per_hour.loc[sold["accelerator"], name].to_numpy(dtype=float) for name in per_hour)
    rates = rate_factors(money.loc[sold["accelerator"]])
    batch = (sold["batch_sold"] / sold["shape_sold"]).fillna(0.0)  # of what is sold
    paid = sold["utilisation"] * (1.0 - (1.0 - batch_price_factor) * batch)
    # of both rate and share sold, as of a ratio over the unsold: a share that is 0 throughout has no error
    over = tuple((sold["utilisation"] / sold[end]).fillna(1.0).to_numpy(dtype=float) for end in ("high", "low"))
    low, high = ratio_ends((rates["low"], rates["high"]), (over[0], over[1]))
    sold = sold.assign(
        platform=[_label(name) for name in sold["accelerator"]],
        utilisation_low=sold["low"],
        utilisation_high=sold["high"],
        revenue_usd_per_gpu_hour=paid * full,
        profit_usd_per_gpu_hour=paid * full - cost,
        profit_usd_per_gpu_hour_low=paid * full * low - cost,
        profit_usd_per_gpu_hour_high=paid * full * high - cost,
        **{
            f"{of}_{end}": paid * full * factor - cost
            for of, ends in ((RATE, (rates["low"], rates["high"])), (DEMAND, (1.0 / over[1], 1.0 / over[0])))
            for end, factor in zip(("low", "high"), ends, strict=True)
        },
        stranded_usd_per_gpu_hour=sold["stranded_share"] * cost,
    )
    measured = _measured()
    return LoadResult(
        sold.reset_index(drop=True),
        _sizes(sorted(set(sold["accelerator"])), model, scenario, demand_shape, mean_rps),
        agent_table(per_hour["cost_usd_per_gpu_hour"].to_dict(), agent_model, agent_tok_s_per_user),
        measured,
        scores(measured),
        str(money["cost_label"].iloc[0]),
    )


def _best(sold: pd.DataFrame) -> pd.DataFrame:
    """Each platform with the policy under which it earns most, the platform that earns most first."""
    by = "profit_usd_per_gpu_hour"
    return in_order(sold.loc[sold.groupby("accelerator", sort=False)[by].idxmax()], by)


def shown(sold: pd.DataFrame) -> pd.DataFrame:
    """The table of every policy: shares and profits with their 90 % intervals in words."""

    money_of = "profit_usd_per_gpu_hour"
    table = sold.assign(sold=_spanned(sold, "utilisation", percent), profit=_spanned(sold, money_of, money))
    names = ["platform", "policy", "sold", "open_load", "unit_gpus", "stranded_usd_per_gpu_hour", "profit"]
    return table[names]


def moves(sold: pd.DataFrame) -> list[tuple[str, float, float]]:
    """What moves the profit of the platform that earns most, each alone with the ends between which it does [USD/GPU-hour], the widest first.

    The error of the token rate and other demands at nine in ten, the policies from the worst to the best.
    """
    best = _best(sold).iloc[0]
    ways = sold.loc[sold["accelerator"] == best["accelerator"], "profit_usd_per_gpu_hour"]
    ends = {name: (float(best[f"{name}_low"]), float(best[f"{name}_high"])) for name in (RATE, DEMAND)}
    ends |= {POLICY: (float(ways.min()), float(ways.max()))}
    found = [(name, low, high) for name, (low, high) in ends.items() if high > low]
    return sorted(found, key=lambda one: one[1] - one[2])


def best_shown(sold: pd.DataFrame) -> pd.DataFrame:
    """The policy that pays best on each platform, what it sells and earns with 90 % intervals, and what the peak leaves unsold."""
    best = _best(sold)
    peak = sold[sold["policy"] == PEAK].set_index("accelerator").loc[best["accelerator"]]
    return best.assign(
        policy=[WAYS.get(name, name) for name in best["policy"]],
        sold=_spanned(best, "utilisation", percent),
        profit=_spanned(best, "profit_usd_per_gpu_hour", money),
        peak_sold=peak["utilisation"].to_numpy(dtype=float),
        peak_stranded=peak["stranded_usd_per_gpu_hour"].to_numpy(dtype=float),
    )[["platform", "policy", "sold", "profit", "peak_sold", "peak_stranded"]]


def agents_shown(agents: pd.DataFrame) -> pd.DataFrame:
    """The table of agents: rates and costs with the interval that replays held out give."""
    low, high = agentic_range()
    ends = {"total_tok_s_per_gpu": (low, high)}
    ends |= dict.fromkeys(("usd_per_mtok", "usd_per_session_hour", "usd_per_task"), (1.0 / high, 1.0 / low))
    spans = {
        f"{name}_{end}": agents[name] * factor
        for name, factors in ends.items()
        for end, factor in zip(("low", "high"), factors, strict=True)
    }
    wide = agents.assign(**spans)
    told = {name: _spanned(wide, name, number if name == "total_tok_s_per_gpu" else money) for name in ends}
    return agents.assign(**told).drop(columns=["accelerator", "sessions_per_gpu"])


def _spanned(frame: pd.DataFrame, name: str, write: Callable[[float], str]) -> list[str]:
    """A column's figures in words, each with the ends of its interval."""
    return spans(write, *(frame[f"{name}{end}"] for end in ("", "_low", "_high")))


def _sizes(names: Sequence[str], model: str, scenario: str, shape: str, mean_rps: float) -> pd.DataFrame:
    rows = [
        (name, _label(name), mean_rps * times, found.utilisation, found.units)
        for name in names
        for times in SIZES
        for found in [derived_utilisation(name, model, scenario, shape, SIZED, mean_rps=mean_rps * times)]
    ]
    return pd.DataFrame(rows, columns=["accelerator", "platform", "mean_rps", "utilisation", "units"])


def figures(result: LoadResult) -> list[Figure]:
    """The page's results by key."""
    profit = [f"profit_usd_per_gpu_hour{end}" for end in ("", "_low", "_high")]
    shares = {"utilisation": "-", "low": "-", "high": "-", **dict.fromkeys(profit, "USD/GPU-hour")}
    policies = result.sold.assign(policy=[name.replace(",", "") for name in result.sold["policy"]])
    return [
        *column_figures(policies, ["accelerator", "policy"], shares, "sold"),
        *column_figures(result.agents, ["accelerator"], UNITS, "agents"),
        *(
            Figure(f"agents/error/{row.part}/{row.quantity}/{name}".replace(" ", "_"), float(value), "%")
            for row in result.errors.itertuples()
            for name in ("median", "p90", "in_order")
            for value in [getattr(row, f"{name}_pct")]
            if np.isfinite(value)
        ),
    ]


def _error(result: LoadResult, part: str, quantity: str, name: str) -> float:
    rows = result.errors[(result.errors["part"] == part) & (result.errors["quantity"] == quantity)]
    return float(rows[name].iloc[0]) / 100.0


def _policies(best: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """The policies that pay best, in words, and on which platforms each does."""
    groups: dict[str, list[str]] = {}
    for row in best.to_dict("records"):
        groups.setdefault(WAYS.get(str(row["policy"]), str(row["policy"])), []).append(str(row["platform"]))
    return list(groups.items())


def quoted(result: LoadResult) -> dict[str, Any]:
    """What the page's sentences quote, by name."""
    sold = result.sold
    best_of = _best(sold)
    best, by = best_of.iloc[0], "profit_usd_per_gpu_hour"
    peak, filled = (
        sold[sold["policy"] == name].set_index("platform")["utilisation"].astype(float) for name in (PEAK, FILLED)
    )
    small = result.sizes.sort_values("mean_rps").drop_duplicates("accelerator")
    worst = small.loc[small["utilisation"].idxmin()]
    worst_point = result.measured.loc[(result.measured["ratio"].fillna(1.0).map(np.log).abs()).idxmax()]
    fit, part, at_speed = agentic_parameters(), "scored curves", "rate at the speed"
    of_search = f"{at_speed} of a search"
    return {
        "best_platform": str(best["platform"]),
        "best_profit": float(best[by]),
        "best_low": float(best[f"{by}_low"]),
        "best_high": float(best[f"{by}_high"]),
        "tied": [str(name) for name in ahead(best_of, by)["platform"].iloc[1:]],
        "policies": _policies(best_of),
        "moves": moves(sold),
        "filled_low": float(filled.min()),
        "filled_high": float(filled.max()),
        "peak_low": float(peak.min()),
        "peak_low_platform": str(peak.idxmin()),
        "peak_high": float(peak.max()),
        "peak_high_platform": str(peak.idxmax()),
        "agent_low": agentic_range()[0],
        "agent_high": agentic_range()[1],
        "small_platform": str(worst["platform"]),
        "small_share": float(worst["utilisation"]),
        "small_rps": float(worst["mean_rps"]),
        **told(result.agents),
        "scored": int((result.measured["split"] == "score").sum()),
        "fitted": int((result.measured["split"] == "fit").sum()),
        "error_median": _error(result, part, of_search, "median_pct"),
        "error_p90": _error(result, part, of_search, "p90_pct"),
        "tried_median": _error(result, part, at_speed, "median_pct"),
        "tried_p90": _error(result, part, at_speed, "p90_pct"),
        "in_order": _error(result, part, "order of platforms", "in_order_pct"),
        "run_speed_error": _error(result, part, "speed of the run", "median_pct"),
        "run_rate_error": _error(result, part, "rate of the run", "median_pct"),
        "searched_error": _error(result, "all published points", of_search, "p90_pct"),
        "all_p90": _error(result, "all published points", at_speed, "p90_pct"),
        "worst_curve": str(worst_point["named"]),
        "worst_ratio": float(worst_point["ratio"]),
        "wait_cap": fit.wait_cap_s,
        "compressed": fit.compressed_step,
    }
