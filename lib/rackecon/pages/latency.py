"""The page on latency targets: fronts, speeds promised, first-token limits, and what they find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon import catalog
from rackecon.catalog import Scenario
from rackecon.evidence.intervals import add_intervals, ratio_ends
from rackecon.evidence.leads import level, rate_error
from rackecon.evidence.novelty import named
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.lazy import pd
from rackecon.walks import findings
from rackecon.walks.findings import METRIC, Basis
from rackecon.walks.latency import first_token, fronts, tiers

RATE: Final = "total_tok_s_per_gpu"
SPEED: Final = "tok_s_per_user"
X: Final = "tok_s_per_user_target"
SPEEDS: Final = (15, 30, 50, 75, 100, 150)
FIRST_LIMITS_MS: Final = (300, 600, 1000, 2000, 5000, 15000)
COST: Final = "cost_usd_per_mtok_output"


@dataclass(frozen=True)
class LatencyResult:
    """What the page computes: its three walks, and the figures and names that its sentences quote."""

    front: pd.DataFrame
    tiers: pd.DataFrame
    firsts: pd.DataFrame
    model_name: str
    served: bool
    slow: float = field(metadata=in_unit("tok/s/user"))
    fast: float = field(metadata=in_unit("tok/s/user"))
    cost_slow: float = field(metadata=in_unit("USD/Mtok"))
    cost_fast: float = field(metadata=in_unit("USD/Mtok"))
    first_profit: float
    """What the first of the leaders makes a MW-year at the slowest promise."""
    last_profit: float
    first: tuple[str, ...]
    last: tuple[str, ...]
    fastest: tuple[str, ...]
    """Platforms whose top speed cannot be told from the highest, that first."""
    fastest_named: tuple[str, ...]
    """The same, and what about them was never measured."""
    cheapest_slow: str
    cheapest_fast: str
    slow_low: float
    slow_high: float
    fast_low: float
    fast_high: float
    times_low: float = field(metadata=in_unit("-"))
    times_high: float = field(metadata=in_unit("-"))
    """Ends of 90 % of how many times the slow answer's cost the fast one's is."""
    top_speed: float = field(metadata=in_unit("tok/s/user"))
    near_speed: float = field(metadata=in_unit("tok/s/user"))
    """Least top speed of those that cannot be told from it."""
    slowest: str
    least_speed: float = field(metadata=in_unit("tok/s/user"))
    target: float
    has_target: bool
    most: tuple[str, ...]
    gains_most: tuple[str, ...]
    """Platforms whose gain lies within the model's error of the most, the most first."""
    still_lose: tuple[str, ...]
    """Those of them that lose money with the most patient reader too: their gain is a smaller loss."""
    gain: float = field(metadata=in_unit("USD/MW-year"))
    tied_gain: float
    slow_first: tuple[tuple[str, float], ...]
    never: tuple[str, ...]
    losing: tuple[tuple[str, float], ...]
    """Platforms that earn at some promises, and the slowest at which each does not."""
    unprofitable: tuple[str, ...]
    """Those that earn at none."""
    money_basis: Basis

    @property
    def tier_lines(self) -> pd.DataFrame:
        """Cost by promise as its chart draws it."""
        return findings.drawn(self.tiers, X, COST, X)

    @property
    def first_lines(self) -> pd.DataFrame:
        """Profit by first-token limit as its chart draws it."""
        return findings.drawn(self.firsts, "ttft_limit_s", METRIC)


def latency_result(
    accelerators: Sequence[str], model: str, scenario: str, ttft_limit_ms: float, statistic: str, **overrides: Any
) -> LatencyResult:
    """All walks of the page."""
    case = catalog.scenario(scenario)
    front = fronts(accelerators, model, case, ttft_limit_ms, statistic)
    found = tiers(accelerators, model, case, SPEEDS, ttft_limit_ms, statistic, **overrides)
    firsts = first_token(accelerators, model, case, FIRST_LIMITS_MS, statistic, **overrides)
    return latency_found(front, found, firsts, case, catalog.model(model).name)


def _needs(firsts: pd.DataFrame) -> tuple[tuple[tuple[str, float], ...], tuple[str, ...]]:
    """First-token limit [s] from which a platform serves, where the tightest is not met; and those that never do."""
    ordered = firsts.sort_values("ttft_limit_s", kind="stable")
    served = ordered[ordered["total_tok_s_per_gpu"].notna()].groupby("platform", sort=False)["ttft_limit_s"].first()
    tightest = float(ordered["ttft_limit_s"].min())
    late = tuple((str(name), float(at)) for name, at in served.items() if at > tightest)
    return late, tuple(name for name in dict.fromkeys(ordered["platform"]) if name not in served.index)


def latency_found(
    front: pd.DataFrame, found: pd.DataFrame, firsts: pd.DataFrame, case: Scenario, model_name: str
) -> LatencyResult:
    """What the walks find."""
    error = rate_error()
    known = found.dropna(subset=[METRIC])
    served = len(known) > 0
    asked = {"isl_tokens": case.isl_tokens, "osl_tokens": case.osl_tokens, **found.reindex(columns=["model"]).iloc[0]}
    slow, fast = (float(known[X].min()), float(known[X].max())) if served else (math.nan, math.nan)
    cheapest_slow, cost_slow, slow_low, slow_high = _cheapest(known, slow)
    cheapest_fast, cost_fast, fast_low, fast_high = _cheapest(known, fast)
    ends = ratio_ends((fast_low / cost_fast, fast_high / cost_fast), (slow_low / cost_slow, slow_high / cost_slow))
    quickest = _most(front, SPEED)
    reach = front.groupby("platform", sort=False)["tok_s_per_user"].max().sort_values(kind="stable")
    target = case.promised_tok_s_per_user or slow
    kept = front[front[SPEED] >= target]
    ordered = firsts.dropna(subset=[METRIC]).sort_values("ttft_limit_s", kind="stable").groupby("platform", sort=False)
    patient = ordered[METRIC].last()
    spread = patient - ordered[METRIC].first()
    gains = bool(len(spread)) and float(spread.max()) > 0
    spread = spread[spread >= (1.0 - error) * spread.max()].sort_values(ascending=False, kind="stable")
    late, never = _needs(firsts)
    unprofitable = findings.earning_nowhere(found)
    return LatencyResult(
        front=front,
        tiers=found,
        firsts=firsts,
        model_name=model_name,
        served=served,
        slow=slow,
        fast=fast,
        cost_slow=cost_slow,
        cost_fast=cost_fast,
        first_profit=findings.first_profit(found, X, slow),
        last_profit=findings.first_profit(found, X, fast),
        first=findings.leaders_at(found, X, slow),
        last=findings.leaders_at(found, X, fast),
        fastest=tuple(map(str, quickest["platform"])),
        fastest_named=tuple(named(asked | row) for row in quickest.to_dict("records")),
        cheapest_slow=cheapest_slow,
        cheapest_fast=cheapest_fast,
        slow_low=slow_low,
        slow_high=slow_high,
        fast_low=fast_low,
        fast_high=fast_high,
        times_low=cost_fast / cost_slow * float(ends[0]),
        times_high=cost_fast / cost_slow * float(ends[1]),
        top_speed=float(reach.iloc[-1]) if len(reach) else math.nan,
        near_speed=float(quickest[SPEED].min()) if len(reach) else math.nan,
        slowest=str(reach.index[0]) if len(reach) else "",
        least_speed=float(reach.iloc[0]) if len(reach) else math.nan,
        target=target,
        has_target=bool(case.tpot_limit_ms),
        most=tuple(map(str, _most(kept, RATE)["platform"])),
        gains_most=tuple(str(name) for name in spread.index) if gains else (),
        still_lose=tuple(str(name) for name in spread.index if gains and patient[name] <= 0),
        gain=float(spread.max()) if gains else 0.0,
        tied_gain=float(spread.min()) if gains else 0.0,
        slow_first=late,
        never=never,
        losing=tuple(one for one in findings.losing_from(found, X) if one[0] not in unprofitable),
        unprofitable=unprofitable,
        money_basis=findings.basis(found),
    )


def _most(front: pd.DataFrame, by: str) -> pd.DataFrame:
    """The highest point of each platform, of those platforms alone that cannot be told from the first."""
    best = front.sort_values(by, kind="stable").drop_duplicates("accelerator", keep="last")
    return level(add_intervals(best), by)


def _cheapest(known: pd.DataFrame, speed: float) -> tuple[str, float, float, float]:
    """Platform with the lowest cost at a promise, that cost and its interval; empty and NaN without one."""
    rows = known[known[X] == speed].sort_values(COST, kind="stable").to_dict("records")
    if not rows:
        return "", math.nan, math.nan, math.nan
    cost, low, high = (float(rows[0].get(f"{COST}{end}", math.nan)) for end in ("", "_low", "_high"))
    return named(rows[0]), cost, low, high


def figures(result: LatencyResult) -> list[Figure]:
    """The page's results by key."""
    columns = {METRIC: "USD/MW-year", COST: "USD/Mtok"}
    return [
        *field_figures(result),
        *column_figures(result.tiers, ["accelerator", X], columns, "speed"),
        *column_figures(result.firsts, ["accelerator", "ttft_limit_s"], columns, "first_token"),
    ]
