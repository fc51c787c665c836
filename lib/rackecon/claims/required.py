"""What must be true for a claim to hold: combinations of price, utilisation, horizon, speed and throughput."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.claims import arithmetic
from rackecon.claims.cells import sides_of
from rackecon.claims.evidence import software_gains
from rackecon.claims.model import (
    COMPARED,
    Side,
    case_name,
    cases,
    option_words,
    plain_value,
    rack_gpus,
    ratio_factor,
    side,
)
from rackecon.claims.records import Claim, published
from rackecon.claims.special import GPUS_PER_NODE, SPECIAL, blended_range, fleet_day, gain_days
from rackecon.economics.checks import Numeric
from rackecon.lazy import pd
from rackecon.units import HOURS_PER_DAY
from rackecon.words import plural

UTILISATIONS: Final = np.round(np.arange(0.30, 1.0001, 0.05), 2)
SAMPLES: Final = 61


@dataclass(frozen=True)
class Required:
    """Curves of combinations under which a claim holds: ``series, x, y`` with the meaning of both axes."""

    frame: pd.DataFrame
    x_title: str
    y_title: str
    reading: str


def _grid(sides: list[Side]) -> FloatArray:
    ends = [s.front.rows["tok_s_per_user"][[0, -1]] for s in sides if len(s.front)]
    if len(ends) < len(sides):
        return np.array([])
    low, high = max(float(e[0]) for e in ends), min(float(e[1]) for e in ends)
    return np.geomspace(low, high * (1 - 1e-9), SAMPLES) if high > low else np.array([])


def required(claim: Claim) -> Required:
    """The combinations under which a claim holds.

    Returns
    -------
    Required
        Revenue: price per million total tokens against utilisation, by horizon, at the claim's rate, and the prices
        listed at its date. Ratios: the rate the subject must reach against speed, and the rate it reaches. Costs and
        rates: $/GPU-hour or rate against speed. Software: share of public repeats that gained so much. Fleet margin:
        paid share of the list price against margin.
    """
    rows: list[tuple[str, float, float]] = []
    if claim.metric == "rack_revenue_usd":
        return _revenue(claim)
    if claim.metric == "software_gain":
        days = gain_days(cases(claim)[0])
        for name, same in (("same layout", True), ("any layout", False)):
            gains = software_gains(days, same_layout=same)
            for wanted in np.geomspace(1.0, 2.0 * claim.value, 25):
                rows.append((name, float(wanted), float(np.mean(gains >= wanted)) if len(gains) else math.nan))
        frame = pd.DataFrame(rows, columns=["series", "x", "y"])
        return Required(frame, "gain asked for, times", "share of public repeats that gained so much", "")
    if claim.metric == "margin_over_cost":
        day = fleet_day()
        per_mtok = (claim.value + 1.0) * day.usd_per_gpu_hour * HOURS_PER_DAY * GPUS_PER_NODE * day.nodes
        tokens = (day.input_tokens + day.output_tokens) / 1e6
        for paid in UTILISATIONS:
            rows.append((claim.value_text, float(paid), per_mtok / tokens / float(paid)))
            rows.append(("break-even", float(paid), per_mtok / (claim.value + 1.0) / tokens / float(paid)))
        frame = pd.DataFrame(rows, columns=["series", "x", "y"])
        return Required(frame, "share of tokens that is paid for", "$ per million total tokens paid for", "")
    if (claim.metric in SPECIAL and claim.metric != "tok_s_per_user") or published(claim.id) or claim.identity:
        return Required(pd.DataFrame(columns=["series", "x", "y"]), "", "", "")
    if claim.metric == "tok_s_per_user":
        for case in cases(claim):
            table = side(case).front.rows
            for speed, rate in zip(table["tok_s_per_user"], table["total_tok_s_per_gpu"], strict=True):
                rows.append((f"searched front, {case_name(claim, case)}", float(speed), float(rate)))
        frame = pd.DataFrame(rows, columns=["series", "x", "y"])
        return Required(frame, "tok/s/user", "total tok/s/GPU", "")
    for case in cases(claim)[:6]:
        sides = sides_of(claim, case)
        name = case_name(claim, case)
        grid = _grid(sides)
        if not len(grid):
            continue
        reached = sides[0].modelled(grid).value
        if claim.metric in COMPARED:
            needed = claim.value / ratio_factor(claim.metric, case) * sides[1].modelled(grid).value
        else:
            needed = np.full(grid.shape, rate_needed(claim, case))
        suffix = f", {name}" if name else ""
        for label, values in ((f"needed{suffix}", needed), (f"modelled{suffix}", reached)):
            rows.extend((label, float(x), float(y)) for x, y in zip(grid, values, strict=True))
    frame = pd.DataFrame(rows, columns=["series", "x", "y"])
    return Required(
        frame,
        "tok/s/user",
        "total tok/s/GPU of the subject",
        "the claim holds where the modelled rate is the needed one or more",
    )


def rate_needed(claim: Claim, case: Mapping[str, str]) -> float:
    """Rate per GPU that an absolute claim needs, whatever the speed [total tok/s/GPU]."""
    one, sign = plain_value(claim.metric, case, np.array([1.0]))
    return claim.value / float(one[0]) if sign > 0 else float(one[0]) / claim.value


def price_needed(claim: Claim, case: Mapping[str, str], tok_s_per_user: float, sold: Numeric) -> FloatArray:
    """Price at which a rack earns the claimed revenue at the modelled rate of a speed [USD per million total tokens].

    Parameters
    ----------
    claim : Claim
        Of a rack's revenue.
    case : mapping
        One of its readings.
    tok_s_per_user : float
        Speed [tok/s/user].
    sold : float or array
        Share of capacity sold [-].
    """
    rate = float(side(case).modelled(np.array([tok_s_per_user])).value[0])
    years = float(case["horizon_years"])
    return arithmetic.price_needed_usd_per_mtok(claim.value, rate, rack_gpus(case["subject"]), years, sold)


def prices_needed(frame: pd.DataFrame) -> tuple[float, float]:
    """Least and most that a million total tokens must bring over the readings drawn, all capacity sold [USD].

    Parameters
    ----------
    frame : pandas.DataFrame
        Of :func:`required`, for a claim of a rack's revenue.
    """
    asked = frame[~frame["series"].str.contains(" price of ")].groupby("series")["y"].min()
    return float(asked.min()), float(asked.max())


def _revenue(claim: Claim) -> Required:
    rows: list[tuple[str, float, float]] = []
    fixed = claim.conditions["tok_s_per_user"].stated
    speed = float(claim.only("tok_s_per_user")) if fixed else 50.0
    horizons, drafts = (claim.conditions[name].options for name in ("horizon_years", "speculative"))
    seen: set[tuple[str, ...]] = set()
    taken: dict[str, str] = {}  # of what the claim leaves open, the one that is shown
    for case in cases(claim):
        what = (case["workload"], case["horizon_years"], case["speculative"])
        if case["model"] != claim.conditions["model"].options[0] or what in seen:
            continue
        if case["workload"] != claim.conditions["workload"].options[-1]:
            continue
        seen.add(what)
        taken = taken or {
            name: option_words(name, case[name])
            for name in ("model", "engine")
            if len(claim.conditions[name].options) > 1
        }
        price = price_needed(claim, case, speed, UTILISATIONS)
        label = ", ".join(
            [
                plural(float(case["horizon_years"]), "year") if len(horizons) > 1 else "needed",
                *([option_words("speculative", case["speculative"])] if len(drafts) > 1 else []),
            ]
        )
        rows.extend((label, float(u), float(p)) for u, p in zip(UTILISATIONS, price, strict=True))
    model, workload = claim.conditions["model"].options[0], claim.conditions["workload"].options[-1]
    for name, level in blended_range(model, workload, claim.date).items():
        if name == "cheapest" and len(horizons) > 3:
            continue
        rows.extend((f"{name} price of {claim.date}", float(u), level) for u in UTILISATIONS[[0, -1]])
    frame = pd.DataFrame(rows, columns=["series", "x", "y"])
    lengths = "/".join(f"{round(int(part) / 1024)}k" for part in workload.split("/"))
    return Required(
        frame,
        "share of capacity sold",
        "$ per million total tokens",
        ", ".join([*taken.values(), f"at {speed:.0f} tok/s/user and {lengths}"]),
    )
