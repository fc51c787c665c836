"""Prefill and decode together or apart: gain by workload, split by speed, and the words for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rackecon import catalog
from rackecon.words import join_words, number, percent, times

if TYPE_CHECKING:
    import pandas as pd

    from rackecon.catalog import Scenario

__all__ = ["SplitStory", "by_speed", "gains", "split_table", "story"]

MODES = ("aggregated", "disaggregated")


@dataclass(frozen=True)
class SplitStory:
    """Computed words of the page."""

    answer: tuple[str, ...]
    title: str
    split_title: str
    speed_title: str
    meaning: str
    pair: tuple[str, ...] = ()


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


def split_table(found: pd.DataFrame) -> pd.DataFrame:
    """Split, layout and gain, one row per platform and workload that can be split."""
    names = ["platform", "scenario", "prefill_gpus", "decode_gpus", "layout", "total_tok_s_per_gpu", "ttft_ms", "gain"]
    return found[found["decode_gpus"].notna()][names]


def story(found: pd.DataFrame, speeds: pd.DataFrame) -> SplitStory:
    """Words computed from both walks."""
    known = found[found["gain"].notna()]
    if known.empty or speeds.empty:
        none = "No platform serves these workloads both ways."
        return SplitStory((none,), none, none, none, "")
    top, low = known.loc[known["gain"].idxmax()], known.loc[known["gain"].idxmin()]
    wins = float((known["gain"] > 1.05).mean())
    first = (
        f"Splitting pays by more than 5 % in {percent(wins)} of the platform and workload pairs: most on {top['platform']} for {top['scenario']} "
        f"({number(float(top['gain']), 2)} times) and least on {low['platform']} for {low['scenario']} ({number(float(low['gain']), 2)} times)."
    )
    apart = speeds[speeds["mode"] == "disaggregated"].sort_values("tok_s_per_user_target", kind="stable")
    ends = apart.groupby("platform", sort=False)["prefill_per_decode"].agg(["first", "last"])
    name = str((ends["first"] / ends["last"].clip(lower=1e-6)).idxmax()) if len(ends) else ""
    second = (
        f"The split must move with speed: on {name} from {number(float(ends.loc[name, 'first']), 2)} prefill GPUs per decode GPU at the slowest promise to {number(float(ends.loc[name, 'last']), 2)} at the fastest."
        if name
        else ""
    )
    means = known.groupby("scenario", sort=False)["gain"].median().sort_values(ascending=False, kind="stable")
    title = f"Splitting pays most for {means.index[0]} ({times(float(means.iloc[0]))} at the median platform), least for {means.index[-1]}"
    pivot = speeds.pivot_table(
        index=["platform", "tok_s_per_user_target"], columns="mode", values="total_tok_s_per_gpu"
    )
    both = pivot.dropna() if set(MODES) <= set(pivot.columns) else pivot.iloc[:0]
    ratio = (both["disaggregated"] / both["aggregated"]) if len(both) else None
    speed_title = (
        f"At {number(float(ratio.idxmax()[1]))} tok/s/user splitting multiplies the throughput of {ratio.idxmax()[0]} by {number(float(ratio.max()), 2)}"
        if ratio is not None and len(ratio)
        else "One mode only at these speeds"
    )
    only = found[found["text"].isin(["only split", "only shared", "not served"])]
    meaning = (
        f"Served one way or not at all: {join_words([f'{r.platform} {r.scenario} ({r.text})' for r in only.itertuples()])}."
        if len(only)
        else "Every pair can be served both ways within its limits."
    )
    most = str(ratio.idxmax()[0]) if ratio is not None and len(ratio) else ""
    order = sorted(dict.fromkeys(speeds["platform"]), key=lambda name: name != most)
    chips = dict(zip(speeds["platform"], speeds["accelerator"], strict=True))
    return SplitStory(
        (first, second), title, _split_title(ends), speed_title, meaning, tuple(chips[name] for name in order[:2])
    )


def _split_title(ends: pd.DataFrame) -> str:
    """On how many platforms the share of prefill GPUs falls with the speed promised."""
    falls = int((ends["last"] < ends["first"]).sum())
    text = "A faster promise needs fewer prefill GPUs per decode GPU"
    return text if falls == len(ends) else f"{text} on {falls} of {len(ends)} platforms"
