"""What speed costs: fronts, promises of interactivity and promises on the first token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from rackecon import catalog
from rackecon.catalog import Scenario
from rackecon.catalog.cached import one_state
from rackecon.evidence.leads import ahead, behind, lead_words
from rackecon.lazy import pd
from rackecon.walks.findings import METRIC, drawn
from rackecon.walks.walk import asked_ttft_ms, walked
from rackecon.words import join_words


@one_state()
def fronts(
    accelerators: Sequence[str], model: str, case: Scenario, ttft_limit_ms: float, statistic: str
) -> pd.DataFrame:
    """Pareto front of each platform under the first-token limit, speed against throughput, as its chart draws it."""
    from rackecon.serving.frontier import search_case

    asked = replace(case, tpot_limit_ms=None, ttft_limit_ms=ttft_limit_ms, latency_statistic=statistic)
    blocks = []
    for key in accelerators:
        found = search_case(key, model, asked)
        if len(found):
            blocks.append(found.table.assign(platform=catalog.accelerator(key).label))
    names = ["accelerator", "platform", "model", "tok_s_per_user", "total_tok_s_per_gpu", "layout", "mode"]
    front = pd.concat(blocks, ignore_index=True)[names] if blocks else pd.DataFrame(columns=names)
    lengths = {"isl_tokens": case.isl_tokens, "osl_tokens": case.osl_tokens}
    front = front.assign(model=model, asked_ttft_ms=asked_ttft_ms(asked), **lengths)
    return drawn(front, "tok_s_per_user", "total_tok_s_per_gpu", "tok_s_per_user", front=True)


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
    limited = replace(case, ttft_limit_ms=ttft_limit_ms, latency_statistic=statistic)
    asked = [
        (
            replace(limited, id=f"{speed:g} tok/s/user", tpot_limit_ms=1e3 / speed),
            {"tok_s_per_user_target": float(speed)},
        )
        for speed in speeds
    ]
    return walked(accelerators, model, asked, **overrides)


def first_token(
    accelerators: Sequence[str],
    model: str,
    case: Scenario,
    limits_ms: Iterable[float],
    statistic: str,
    **overrides: Any,
) -> pd.DataFrame:
    """Evaluation at each first-token limit, the workload's speed held; ``ttft_limit_s`` says which."""
    asked = [
        (
            replace(case, id=f"TTFT {limit:g} ms", ttft_limit_ms=float(limit), latency_statistic=statistic),
            {"ttft_limit_s": limit / 1e3},
        )
        for limit in limits_ms
    ]
    return walked(accelerators, model, asked, **overrides)


def tier_table(found: pd.DataFrame) -> pd.DataFrame:
    """Who leads at each promised speed, a tie as one with the figures of its first, who comes next, and who cannot serve it."""
    rows = []
    for speed, group in found.groupby("tok_s_per_user_target", sort=True):
        first = ahead(group, METRIC)
        if first.empty:
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
        top = first.iloc[0]
        rows.append(
            {
                "tok_s_per_user_target": speed,
                "leader": lead_words(first["platform"], loses=bool(top[METRIC] <= 0)),
                "profit": float(top[METRIC]),
                "cost": float(top["cost_usd_per_mtok_output"]),
                "layout": top["layout"],
                "runner_up": lead_words(behind(group, first, METRIC)["platform"].head(1)),
                "cannot": join_words(group[group["total_tok_s_per_gpu"].isna()]["platform"]) or "none",
            }
        )
    table = pd.DataFrame(rows)
    return table.drop(columns="cannot") if len(table) and (table["cannot"] == "none").all() else table
