"""The page on disaggregated serving: gain by workload, split by speed, and what they find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon import catalog
from rackecon.evidence.leads import rate_error
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.lazy import pd
from rackecon.walks.split import MODES, Worth, by_speed, gain_ends, gain_lines, gains, worth

SPEEDS: Final = (10, 20, 30, 50, 75, 100, 150)
X: Final = "tok_s_per_user_target"
SPLIT_ENDS: Final = {"slow_split": "first", "slow_speed": "min", "fast_split": "last", "fast_speed": "max"}


@dataclass(frozen=True)
class SplitResult:
    """What the page computes: both tables, and the figures and names that its sentences quote."""

    gains: pd.DataFrame
    speeds: pd.DataFrame
    model_name: str
    case_name: str
    both: int = field(metadata=in_unit("pairs"))
    wins: int = field(metadata=in_unit("pairs"))
    error: float
    most_platform: str
    most_scenario: str
    most_gain: float = field(metadata=in_unit("-"))
    most_low: float = field(metadata=in_unit("-"))
    most_high: float = field(metadata=in_unit("-"))
    sure: int = field(metadata=in_unit("pairs"))
    """Pairs of which even the low end of 90 % gains."""
    least_platform: str
    least_scenario: str
    least_gain: float = field(metadata=in_unit("-"))
    best_scenario: str
    best_median: float
    worst_scenario: str
    moving: str
    slow_split: float
    slow_speed: float
    """The slowest and the fastest promise that it keeps split [tok/s/user], and the split there."""
    fast_split: float
    fast_speed: float
    split_platforms: int
    falling: int
    at_platform: str
    at_speed: float
    at_gain: float = field(metadata=in_unit("-"))
    at_low: float = field(metadata=in_unit("-"))
    at_high: float = field(metadata=in_unit("-"))
    """Ends of 90 % of that gain."""
    at_run: float = field(metadata=in_unit("-"))
    """The same gain in the best runs measured both ways there; NaN where there are none."""
    one_way: tuple[tuple[str, str, str], ...]
    lines: pd.DataFrame
    compared: int = field(metadata=in_unit("pairs of runs"))
    """Pairs of runs measured both ways, each at the fastest promise that it keeps, and those whose gain lies inside 90 %."""
    compared_inside: int = field(metadata=in_unit("pairs of runs"))
    compared_below: int = field(metadata=in_unit("pairs of runs"))
    """Those below it: the chart promises more than was measured."""
    compared_on: tuple[tuple[str, float, float], ...]
    """Platforms so measured, with the median gain of their runs and of the model at the same promises."""
    worth_platform: str = ""
    """The platform whose rack earns most split on the case, and what splitting adds to its profit [USD/rack-year]."""
    worth_usd: float = field(default=math.nan, metadata=in_unit("USD/rack-year"))
    worth_low: float = field(default=math.nan, metadata=in_unit("USD/rack-year"))
    worth_high: float = field(default=math.nan, metadata=in_unit("USD/rack-year"))
    """Ends of 90 % of that."""
    worth_basis: str = ""


def split_result(accelerators: Sequence[str], model: str, scenarios: Sequence[str], scenario: str) -> SplitResult:
    """Both modes compared by workload, and by speed for one of them."""
    found = gains(accelerators, model, scenarios)
    found["workload"] = [catalog.label(name) for name in found["scenario"]]
    case = catalog.scenario(scenario)
    speeds = by_speed(accelerators, model, case, SPEEDS)
    return split_found(found, speeds, catalog.model(model).name, case.name, worth(accelerators, model, case))


def _split_by_speed(speeds: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Split at the slowest and the fastest promise by platform, and where it moves most."""
    apart = speeds[speeds["mode"] == "disaggregated"].sort_values(X, kind="stable")
    each = apart.groupby("platform", sort=False)
    ends = each["prefill_per_decode"].agg(["first", "last"]).join(each[X].agg(["min", "max"]))
    ratio = ends["first"] / ends["last"].clip(lower=1e-6)
    return ends, str(ratio.idxmax()) if len(ends) else ""


def _moved(splits: pd.DataFrame, moving: str) -> dict[str, Any]:
    """Where and how a platform's split moves most; NaN where none does."""
    return {name: float(splits[end][moving]) if moving else math.nan for name, end in SPLIT_ENDS.items()}


def _most_at_speed(speeds: pd.DataFrame) -> dict[str, Any]:
    """Platform and promise where splitting gains most, and the gain with its ends."""
    wide = speeds.pivot_table(
        index=["accelerator", "model", "platform", X], columns="mode", values="total_tok_s_per_gpu"
    )
    if not set(MODES) <= set(wide.columns) or wide.dropna().empty:
        return {"at_platform": "", **dict.fromkeys(("at_speed", "at_gain", "at_low", "at_high"), math.nan)}
    wide = wide.dropna().assign(gain=lambda t: t["disaggregated"] / t["aggregated"]).reset_index()
    top = wide.iloc[int(wide["gain"].to_numpy().argmax())]
    gain, ends = float(top["gain"]), gain_ends(str(top["accelerator"]), str(top["model"]))
    low, high = (gain * end for end in ends)
    return {
        "at_platform": str(top["platform"]),
        "at_speed": float(top[X]),
        "at_gain": gain,
        "at_low": low,
        "at_high": high,
    }


def _run_at(both_ways: pd.DataFrame, platform: str, speed: float) -> float:
    """Measured gain of a platform at a promise."""
    there = both_ways[(both_ways["platform"] == platform) & (both_ways[X] == speed)]
    return float(there["gain_measured"].iloc[0]) if len(there) else math.nan


def _on_platforms(both_ways: pd.DataFrame) -> tuple[tuple[str, float, float], ...]:
    """Each platform measured both ways, with the median gain of its runs and of the model at the same promises."""
    middle = both_ways.groupby("platform", sort=False)[["gain_measured", "gain"]].median()
    return tuple((str(name), float(run), float(made)) for name, run, made in middle.itertuples())


def _pair(known: pd.DataFrame, at: int) -> tuple[str, str, float]:
    """Platform, workload and gain of a row; empty where there is none."""
    if known.empty:
        return "", "", math.nan
    row = known.iloc[at]
    return str(row["platform"]), str(row["workload"]), float(row["gain"])


def split_found(
    found: pd.DataFrame, speeds: pd.DataFrame, model_name: str, case_name: str, paid: Worth | None = None
) -> SplitResult:
    """What both comparisons find."""
    error, paid = rate_error(), paid or Worth()
    known = found[found["gain"].notna()].sort_values("gain", kind="stable")
    ends = [gain_ends(*pair) for pair in zip(known["accelerator"], known["model"], strict=True)]
    most_low, most_high = (known["gain"].iloc[-1] * end for end in ends[-1]) if ends else (math.nan, math.nan)
    lines = gain_lines(speeds)
    both_ways = lines.dropna(subset=["gain_measured"]).drop_duplicates(["platform", X])
    factors = [gain_ends(*pair) for pair in zip(both_ways["accelerator"], both_ways["model"], strict=True)]
    ratios = both_ways["gain_measured"] / both_ways["gain"]
    least, most = _pair(known, 0), _pair(known, -1)
    medians = known.groupby("workload", sort=False)["gain"].median().sort_values(ascending=False, kind="stable")
    splits, moving = _split_by_speed(speeds)
    at = _most_at_speed(speeds)
    only = found[found["text"].isin(["only split", "only shared", "not served"])]
    return SplitResult(
        gains=found,
        speeds=speeds,
        model_name=model_name,
        case_name=case_name,
        both=len(known),
        wins=int((known["gain"] > 1.0 + error).sum()),
        error=error,
        most_platform=most[0],
        most_scenario=most[1],
        most_gain=most[2],
        most_low=float(most_low),
        most_high=float(most_high),
        sure=sum(gain * low > 1.0 for gain, (low, _) in zip(known["gain"], ends, strict=True)),
        least_platform=least[0],
        least_scenario=least[1],
        least_gain=least[2],
        best_scenario=str(medians.index[0]) if len(medians) else "",
        best_median=float(medians.iloc[0]) if len(medians) else math.nan,
        worst_scenario=str(medians.index[-1]) if len(medians) else "",
        moving=moving,
        **_moved(splits, moving),
        split_platforms=len(splits),
        falling=int((splits["last"] < splits["first"]).sum()),
        **at,
        at_run=_run_at(both_ways, at["at_platform"], at["at_speed"]),
        one_way=tuple(zip(only["platform"], only["workload"], only["text"], strict=True)),
        lines=lines,
        compared=len(both_ways),
        compared_inside=sum(low <= ratio <= high for ratio, (low, high) in zip(ratios, factors, strict=True)),
        compared_below=sum(ratio < low for ratio, (low, _) in zip(ratios, factors, strict=True)),
        compared_on=_on_platforms(both_ways),
        worth_platform=paid.platform,
        worth_usd=paid.usd,
        worth_low=paid.low,
        worth_high=paid.high,
        worth_basis=paid.cost_label,
    )


def figures(result: SplitResult) -> list[Figure]:
    """The page's results by key."""
    rate = {"total_tok_s_per_gpu": "tok/s/GPU"}
    return [
        *field_figures(result),
        *column_figures(result.gains, ["accelerator", "scenario"], {"gain": "-"}, "gain"),
        *column_figures(result.speeds, ["accelerator", "mode", X], rate, "speed"),
    ]
