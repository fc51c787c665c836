"""What speed costs: fronts, promises of interactivity, promises on the first token, and the words for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.walks.stories import basis_words
from rackecon.words import join_words, money, number, times

if TYPE_CHECKING:
    import pandas as pd

    from rackecon.catalog import Scenario

__all__ = ["LatencyStory", "first_token", "fronts", "story", "tier_table", "tiers"]

METRIC = "profit_usd_per_mw_year"


@dataclass(frozen=True)
class LatencyStory:
    """Computed words of the latency page."""

    answer: tuple[str, ...]
    title: str
    cost_title: str
    first_title: str
    meaning: str
    flip: str
    basis: str


def fronts(
    accelerators: Sequence[str], model: str, case: Scenario, ttft_limit_ms: float, statistic: str, **overrides: Any
) -> pd.DataFrame:
    """Pareto front of each platform under the first-token limit, speed against throughput."""
    import pandas as pd

    from rackecon.serving.frontier import search_case

    asked = replace(case, tpot_limit_ms=None, ttft_limit_ms=ttft_limit_ms, latency_statistic=statistic)
    blocks = []
    for key in accelerators:
        found = search_case(key, model, asked)
        if len(found):
            blocks.append(found.table.assign(platform=catalog.accelerator(key).label))
    names = ["accelerator", "platform", "tok_s_per_user", "total_tok_s_per_gpu", "layout", "mode"]
    return pd.concat(blocks, ignore_index=True)[names] if blocks else pd.DataFrame(columns=names)


def tiers(
    accelerators: Sequence[str],
    model: str,
    case: Scenario,
    speeds: Iterable[float],
    ttft_limit_ms: float,
    statistic: str,
    **overrides: Any,
) -> pd.DataFrame:
    """Evaluation at each promised speed; ``tok_s_per_user_target`` says which."""
    import pandas as pd

    blocks = []
    for speed in speeds:
        asked = replace(
            case,
            id=f"{speed:g} tok/s/user",
            tpot_limit_ms=1e3 / speed,
            ttft_limit_ms=ttft_limit_ms,
            latency_statistic=statistic,
        )
        blocks.append(evaluate(accelerators, [model], [asked], **overrides).assign(tok_s_per_user_target=float(speed)))
    return pd.concat(blocks, ignore_index=True)


def first_token(
    accelerators: Sequence[str],
    model: str,
    case: Scenario,
    limits_ms: Iterable[float],
    statistic: str,
    **overrides: Any,
) -> pd.DataFrame:
    """Evaluation at each first-token limit, the workload's speed held; ``ttft_limit_s`` says which."""
    import pandas as pd

    blocks = []
    for limit in limits_ms:
        asked = replace(case, id=f"TTFT {limit:g} ms", ttft_limit_ms=float(limit), latency_statistic=statistic)
        blocks.append(evaluate(accelerators, [model], [asked], **overrides).assign(ttft_limit_s=limit / 1e3))
    return pd.concat(blocks, ignore_index=True)


def tier_table(found: pd.DataFrame) -> pd.DataFrame:
    """Winner and runner-up at each promised speed."""
    import pandas as pd

    rows = []
    for speed, group in found.groupby("tok_s_per_user_target", sort=True):
        known = group[group[METRIC].notna()].sort_values(METRIC, ascending=False, kind="stable")
        if known.empty:
            rows.append(
                {
                    "tok_s_per_user_target": speed,
                    "leader": "no platform",
                    "profit": float("nan"),
                    "cost": float("nan"),
                    "layout": "",
                    "runner_up": "",
                    "cannot": "all",
                }
            )
            continue
        top = known.iloc[0]
        rows.append(
            {
                "tok_s_per_user_target": speed,
                "leader": top["platform"],
                "profit": float(top[METRIC]),
                "cost": float(top["cost_usd_per_mtok_output"]),
                "layout": top["layout"],
                "runner_up": known["platform"].iloc[1] if len(known) > 1 else "",
                "cannot": join_words(group[group["total_tok_s_per_gpu"].isna()]["platform"]) or "none",
            }
        )
    return pd.DataFrame(rows)


def _front_title(front: pd.DataFrame, speed: float) -> str:
    """Whose front lies highest at a speed, and whose reaches furthest."""
    kept = front[front["tok_s_per_user"] >= speed]
    fastest = str(front.sort_values("tok_s_per_user", kind="stable")["platform"].iloc[-1])
    if kept.empty:
        return f"Nobody keeps {number(speed)} tok/s/user; {fastest} is fastest"
    most = str(kept.sort_values("total_tok_s_per_gpu", kind="stable")["platform"].iloc[-1])
    if most == fastest:
        return f"{most} makes most tokens at {number(speed)} tok/s/user and reaches the highest speed"
    return f"{most} makes most tokens at {number(speed)} tok/s/user, {fastest} reaches the highest speed"


def story(front: pd.DataFrame, found: pd.DataFrame, firsts: pd.DataFrame, case: Scenario) -> LatencyStory:
    """Words computed from the three walks."""
    basis = basis_words(found)
    known = found[found[METRIC].notna()]
    if known.empty or front.empty:
        none = "No platform serves this workload within its limits."
        return LatencyStory((none,), none, none, none, "", "", basis)
    slow, fast = float(known["tok_s_per_user_target"].min()), float(known["tok_s_per_user_target"].max())
    best = (
        known.sort_values(METRIC, ascending=False, kind="stable")
        .drop_duplicates("tok_s_per_user_target")
        .set_index("tok_s_per_user_target")
    )
    cheap = (
        known.sort_values("cost_usd_per_mtok_output", kind="stable")
        .drop_duplicates("tok_s_per_user_target")
        .set_index("tok_s_per_user_target")["cost_usd_per_mtok_output"]
    )
    rise = float(cheap.loc[fast] / cheap.loc[slow])
    leaders = [str(best.loc[s, "platform"]) for s in sorted(best.index)]
    changes = [leaders[0]] + [b for a, b in itertools.pairwise(leaders) if a != b]
    lead = (
        f"{leaders[0]} earns most per megawatt at every promise"
        if len(changes) == 1
        else f"the lead per megawatt passes from {changes[0]} to {join_words(changes[1:])}"
    )
    first = f"Promising {number(fast)} instead of {number(slow)} tokens per second and user raises the lowest cost of an output token {times(rise)}; {lead}."
    ends = front.groupby("platform", sort=False)["tok_s_per_user"].max().sort_values(kind="stable")
    second = f"The fastest layouts reach {number(float(ends.iloc[-1]))} tok/s/user on {ends.index[-1]} and {number(float(ends.iloc[0]))} on {ends.index[0]}."
    at = firsts[firsts[METRIC].notna()].sort_values("ttft_limit_s", kind="stable")
    out = []
    for name, group in firsts.sort_values("ttft_limit_s", kind="stable").groupby("platform", sort=False):
        served = group[group["total_tok_s_per_gpu"].notna()]
        if len(served) and len(served) < len(group):
            out.append(f"{name} needs {number(float(served['ttft_limit_s'].iloc[0]))} s")
    spread = at.groupby("platform", sort=False)[METRIC].agg(lambda v: float(v.iloc[-1] - v.iloc[0]))
    most = str(spread.idxmax()) if len(spread) else ""
    first_title = (
        f"{most} gains most from a patient reader: {money(float(spread.max()))} per MW-year"
        if most and float(spread.max()) > 0
        else "The first-token limit hardly binds"
    )
    meaning = (
        f"Of the limits walked, {join_words(out)} to serve at all."
        if out
        else "Every platform meets even the tightest first-token limit walked."
    )
    target = 1e3 / case.tpot_limit_ms if case.tpot_limit_ms else None
    losers = known[(known[METRIC] < 0)]
    gone = []
    for name, group in losers.sort_values("tok_s_per_user_target", kind="stable").groupby("platform", sort=False):
        gone.append(f"{name} from {number(float(group['tok_s_per_user_target'].iloc[0]))}")
    flip = (
        f"At list prices these stop earning as the promise grows: {join_words(gone)} tok/s/user."
        if gone
        else "At list prices every platform that can keep the promise earns at every speed walked."
    )
    if target:
        flip += f" The workload's own target is {number(target)} tok/s/user."
    return LatencyStory(
        (first, second),
        _front_title(front, target or slow),
        f"The cheapest output token at {number(fast)} tok/s/user costs {times(rise)} what it costs at {number(slow)}",
        first_title,
        meaning,
        flip,
        basis,
    )
