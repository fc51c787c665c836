"""What a walk says, in sentences computed from its rows: who leads, by how much it falls, where the lead changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rackecon import catalog
from rackecon.walks.walk import HELD, RETUNED, fall_factor, leader_changes
from rackecon.words import join_words, money, number, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Story", "basis_words", "context_story", "expert_story", "ratio_story"]

METRIC = "profit_usd_per_mw_year"
SMALL = 0.02
"""Share below which a whole percentage says too little."""
HARDLY = 1.05
"""Ratio of throughputs below which a change of layout is not worth a title."""


@dataclass(frozen=True)
class Story:
    """Computed words of one page."""

    answer: tuple[str, ...]
    title: str
    cached_title: str = ""
    held_title: str = ""
    meaning: str = ""
    flip: str = ""
    basis: str = ""
    pair: tuple[str, ...] = ()


def basis_words(frame: pd.DataFrame) -> str:
    """Cost basis, utilisation and power vintage of evaluated rows, as words."""
    row = frame.dropna(subset=["profit_usd_per_mw_year"]).iloc[0] if frame[METRIC].notna().any() else frame.iloc[0]
    return f"{row['cost_label']}, {percent(float(row['utilisation']))} sold, power vintage {row['power_vintage']}"


def _leader_sentence(changes: list[tuple[float, str]], unit: str) -> str:
    if not changes:
        return "No platform serves this workload within its limits."
    if len(changes) == 1:
        return f"{changes[0][1]} leads at every point of the walk."
    parts = [f"{name} from {number(at, 5 if at >= 100 else 2)}" for at, name in changes[1:]]
    if changes[-1][0] == 1.0:
        unit = unit.replace("tokens", "token", 1)
    return f"{changes[0][1]} leads at first, then {join_words(parts)} {unit}."


def _losers(frame: pd.DataFrame, x: str, unit: str) -> str:
    """Where each platform stops earning along the walk."""
    ends = []
    for name, group in frame.sort_values(x, kind="stable").groupby("platform", sort=False):
        known = group[group[METRIC].notna()]
        bad = known[known[METRIC] < 0]
        if len(bad):
            ends.append(f"{name} from {number(float(bad[x].iloc[0]))}")
    return (
        f"Below zero: {join_words(ends)} {unit}."
        if ends
        else "Every platform that serves the workload earns along the whole walk."
    )


def _unserved(frame: pd.DataFrame, x: str, unit: str) -> str:
    ends = []
    for name, group in frame.sort_values(x, kind="stable").groupby("platform", sort=False):
        out = group[group["total_tok_s_per_gpu"].isna()]
        if len(out):
            ends.append(f"{name} at {number(float(out[x].iloc[0]))} {unit} ({out['reason'].iloc[0]!s})")
    return f"Cannot serve within the limits: {'; '.join(ends)}." if ends else ""


def _pair(frame: pd.DataFrame, x: str, other: str = "") -> tuple[str, ...]:
    """Two platforms to draw with their first layout kept: the leader at the start, and the one named or the next."""
    start = (
        frame[frame[x] == frame[x].min()].dropna(subset=[METRIC]).sort_values(METRIC, ascending=False, kind="stable")
    )
    named = frame[frame["platform"] == other]["accelerator"]
    return tuple(dict.fromkeys([*start["accelerator"].head(1), *named.head(1), *start["accelerator"].iloc[1:2]]))[:2]


def _held_gap(walk: pd.DataFrame, x: str) -> tuple[float, str]:
    """Largest loss of throughput from keeping the first layout, and whose it is."""
    best, who = 1.0, ""
    free = walk[walk["line"] == RETUNED].set_index(["accelerator", x])["total_tok_s_per_gpu"]
    held = walk[walk["line"] == HELD]
    for row in held.itertuples():
        key = (row.accelerator, getattr(row, x))
        if key in free.index and row.total_tok_s_per_gpu == row.total_tok_s_per_gpu and row.total_tok_s_per_gpu > 0:
            ratio = float(free.loc[key]) / float(row.total_tok_s_per_gpu)
            if math.isfinite(ratio) and ratio > best:
                best, who = ratio, str(row.platform)
    return best, who


def _held_title(walk: pd.DataFrame, x: str, kept: str) -> tuple[str, str]:
    """What keeping the first layout costs at most, as a title, and whose loss that is."""
    ratio, who = _held_gap(walk, x)
    if who and ratio > HARDLY:
        return f"Keeping {kept} divides {who}'s throughput by up to {number(ratio, 2)}", who
    return "Searching the layout again hardly matters here", who


def context_story(walk: pd.DataFrame, hit: float) -> Story:
    """Words of the context-length page."""
    x = "walked_tokens"
    free = walk[walk["line"] == RETUNED]
    fresh, cached = free[free["hit"] == 0.0], free[free["hit"] == hit]
    low, high = int(fresh[x].min()), int(fresh[x].max())
    changes = leader_changes(fresh, x, METRIC)
    basis = basis_words(fresh)
    if not changes:
        return Story(
            ("No platform serves this workload within its limits.", _unserved(fresh, x, "input tokens")),
            "Nothing serves this workload",
            basis=basis,
        )
    start, end = changes[0][1], changes[-1][1]
    per_output = fresh.assign(v=fresh["output_tok_s_per_gpu"])
    falls = fall_factor(per_output, x, "v")
    fall = falls.get(end, float("nan"))
    last = fresh[(fresh[x] == high) & (fresh["platform"] == end)][METRIC]
    who_leads = _leader_sentence(changes, "input tokens")
    first_sentence = f"From {low:,} to {high:,} input tokens: {who_leads}"
    if len(last) and float(last.iloc[0]) > 0:
        first_sentence = (
            f"From {low:,} to {high:,} input tokens the output rate of {end} falls by a factor of {number(float(fall), 2)}, "
            f"and it still makes {money(float(last.iloc[0]))} per MW-year. {who_leads}"
        )
    gain = (cached.set_index(["platform", x])[METRIC] - fresh.set_index(["platform", x])[METRIC]).dropna()
    at_end = gain[gain.index.get_level_values(1) == high]
    cached_changes = leader_changes(cached, x, METRIC)
    helped = at_end.idxmax()[0] if len(at_end) and at_end.max() > 0 else ""
    hurt = join_words([str(k[0]) for k in at_end[at_end < 0].index])
    second = f"With {percent(hit)} of the input cached and billed as cached, {_leader_sentence(cached_changes, 'input tokens')}"
    held_title, who = _held_title(walk[walk["hit"] == 0.0], x, "the short-prompt layout")
    meaning = " ".join(filter(None, (_losers(fresh, x, "input tokens"), _unserved(fresh, x, "input tokens"))))
    if hurt:
        meaning += f" At {high:,} tokens the cache lowers profit for {hurt}: cached input sells for less than it saves."
    elif helped:
        meaning += f" At {high:,} tokens the cache helps {helped} most."
    tops = fresh[fresh[x] == high].dropna(subset=[METRIC]).sort_values(METRIC, ascending=False, kind="stable")
    flip = _flip_words(tops)
    return Story(
        (first_sentence, second),
        f"{start} leads on short prompts" + (f", {end} on long ones" if end != start else " and on long ones"),
        f"With {percent(hit)} cached, {cached_changes[-1][1]} leads at {high:,} tokens"
        if cached_changes
        else "Nothing serves this workload",
        held_title,
        meaning.strip(),
        flip,
        basis,
        _pair(fresh, x, who),
    )


def _flip_words(tops: pd.DataFrame) -> str:
    if len(tops) < 2:
        return "Only one platform serves the far end of the walk, so no change of price there moves the lead."
    first, second = tops.iloc[0], tops.iloc[1]
    gap = float(first[METRIC]) - float(second[METRIC])
    cost = float(first["cost_usd_per_gpu_hour"])
    revenue = float(first["revenue_usd_per_mw_year"])
    extra = gap / (float(first["gpus_per_mw"]) * 8760.0)
    rate = 1.0 - gap / revenue if revenue > 0 else float("nan")
    inside = float(second[f"{METRIC}_high"]) > float(first[f"{METRIC}_low"]) if f"{METRIC}_high" in tops else False
    tie = " Their 90 % intervals overlap, so read the order as likely, not certain." if inside else ""
    return (
        f"At the far end {first['platform']} leads {second['platform']} by {money(gap)} per MW-year. The lead is gone if its GPU-hour "
        f"cost {money(cost + extra)} instead of {money(cost)}, or if its throughput were {percent(1 - rate, 0 if 1 - rate >= SMALL else 1)} lower than predicted.{tie}"
    )


def ratio_story(total: pd.DataFrame, output: pd.DataFrame, total_tokens: int) -> Story:
    """Words of the prefill:decode page."""
    x = "input_per_output"
    a, b = total[total["line"] == RETUNED], output[output["line"] == RETUNED]
    changes, other = leader_changes(a, x, METRIC), leader_changes(b, x, METRIC)
    basis = basis_words(a)
    if not changes:
        return Story(
            ("No platform serves this workload within its limits.",), "Nothing serves this workload", basis=basis
        )
    rate = (
        a.dropna(subset=["total_tok_s_per_gpu"])
        .sort_values(x, kind="stable")
        .groupby("platform", sort=False)["total_tok_s_per_gpu"]
    )
    grows = (rate.last() / rate.first()).sort_values(kind="stable")
    top = grows.index[-1]
    revenue = (
        a.dropna(subset=[METRIC])
        .sort_values(x, kind="stable")
        .groupby("platform", sort=False)["revenue_usd_per_mw_year"]
    )
    change = float((revenue.last() / revenue.first()).loc[top])
    first = (
        f"With {total_tokens:,} tokens per request in all, moving from mostly output to mostly input multiplies {top}'s total "
        f"tokens per second by {number(float(grows.iloc[-1]), 2)} and its revenue per MW by {number(change, 2)}"
        + (": input is cheap to serve and cheap to sell." if change < float(grows.iloc[-1]) else ".")
    )
    held_title, who = _held_title(total, x, "one split")
    tops = a[a[x] == a[x].max()].dropna(subset=[METRIC]).sort_values(METRIC, ascending=False, kind="stable")
    shares = a.dropna(subset=["prefill_gpu_share"]).groupby(x)["prefill_gpu_share"].mean()
    return Story(
        (first, _leader_sentence(changes, "input tokens per output token")),
        f"{changes[0][1]} leads where output dominates"
        + (f", {changes[-1][1]} where input does" if changes[-1][1] != changes[0][1] else " and where input does"),
        _output_title(b, x),
        held_title,
        f"On average over platforms prefill takes {percent(float(shares.iloc[0]))} of GPU time at {number(float(shares.index[0]))} input tokens per output "
        f"token and {percent(float(shares.iloc[-1]))} at {number(float(shares.index[-1]))}. {_losers(a, x, 'input per output token')} "
        f"With the output fixed instead: {_leader_sentence(other, 'input tokens per output token')}",
        _flip_words(tops),
        basis,
        _pair(a, x, who),
    )


def _output_title(frame: pd.DataFrame, x: str) -> str:
    """What more input at the same output does to the best profit of the walk, as a title."""
    best = frame.dropna(subset=[METRIC]).groupby(x)[METRIC].max()
    if len(best) < 2:
        return "One ratio is served at most"
    change = float(best.iloc[-1] / best.iloc[0] - 1.0)
    word = "less" if change < 0 else "more"
    return f"At the same output, {number(float(best.index[-1]))} input tokens per output earn {percent(abs(change))} {word} than {number(float(best.index[0]))}"


def expert_story(counts: pd.DataFrame, top_ks: pd.DataFrame, sizes: pd.DataFrame) -> Story:
    """Words of the experts page."""
    free = counts[(counts["line"] == RETUNED) & counts["total_tok_s_per_gpu"].notna()].sort_values(
        "experts", kind="stable"
    )
    if free.empty:
        return Story(("No platform serves this workload within its limits.",), "Nothing serves this workload")
    ends = free.groupby("platform", sort=False)["total_tok_s_per_gpu"]
    kept = (ends.last() / ends.first()).sort_values(kind="stable")
    low, high = int(free["experts"].min()), int(free["experts"].max())
    second = top_ks[(top_ks["line"] == RETUNED) & top_ks["total_tok_s_per_gpu"].notna()].sort_values(
        "top_k", kind="stable"
    )
    slope = second.groupby("platform", sort=False)["total_tok_s_per_gpu"]
    falls = (slope.first() / slope.last()).sort_values(kind="stable")
    k = f"{int(second['top_k'].min())} to {int(second['top_k'].max())}"
    lost = sorted(set(counts["platform"]) - set(free[free["experts"] == high]["platform"]))
    first = (
        f"From {low} to {high} experts at unchanged active parameters {kept.index[-1]} keeps {percent(min(float(kept.iloc[-1]), 1.0))} of its throughput "
        f"and {kept.index[0]} {percent(float(kept.iloc[0]))}: their scale-up domains hold {_room(free, str(kept.index[-1]))} and {_room(free, str(kept.index[0]))}."
    )
    then = (
        f"Walking {k} experts per token divides throughput by {number(float(falls.iloc[0]), 2)} on {falls.index[0]} "
        f"and by {number(float(falls.iloc[-1]), 2)} on {falls.index[-1]}."
    )
    held_title, who = _held_title(counts, "experts", "the layout of the fewest experts")
    chips = dict(zip(counts["platform"], counts["accelerator"], strict=True))
    known = sizes.dropna(subset=["profit_usd_per_mw_year"])
    winners = known.loc[known.groupby("model_name")["profit_usd_per_mw_year"].idxmax()]
    words = "; ".join(f"{name} on {join_words(rows)}" for name, rows in winners.groupby("platform")["model_name"])
    return Story(
        (first, then),
        f"Total parameters are cheap on {kept.index[-1]}, dear on {kept.index[0]}",
        f"{falls.index[-1]} pays most for more experts per token: throughput divided by {number(float(falls.iloc[-1]), 2)}",
        held_title,
        f"Most profit per MW on real models: {words}."
        + (f" Cannot hold {high} experts within the limits: {join_words(lost)}." if lost else ""),
        "",
        basis_words(sizes),
        tuple(dict.fromkeys(chips[name] for name in (str(kept.index[-1]), who) if name in chips)),
    )


def _room(frame: pd.DataFrame, platform: str) -> str:
    """The scale-up domain of a platform and the memory in it."""
    chip = catalog.accelerator(str(frame.loc[frame["platform"] == platform, "accelerator"].iloc[0]))
    gpus = chip.scaleup_domain_gpus
    return f"{number(gpus * chip.hbm_bytes / 1e12)} TB in {gpus:,} GPUs"
