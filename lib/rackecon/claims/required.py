"""What must be true for a claim to hold: combinations of price, utilisation, horizon, speed and throughput."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon.claims import arithmetic
from rackecon.claims.evidence import software_gains
from rackecon.claims.model import COMPARED, Side, case_name, cases, plain_value, rack_gpus, ratio_factor, side
from rackecon.claims.records import Claim
from rackecon.claims.special import (
    GPUS_PER_NODE,
    SPECIAL,
    accounts,
    blended_range,
    fleet_day,
    gain_days,
)
from rackecon.economics.checks import FloatArray
from rackecon.units import HOURS_PER_DAY
from rackecon.words import plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Required", "holding_speeds", "required", "speed_for_revenue"]

UTILISATIONS: Final = np.round(np.arange(0.30, 1.0001, 0.05), 2)
SAMPLES: Final = 61


@dataclass(frozen=True)
class Required:
    """Curves of combinations under which a claim holds: ``series, x, y`` with the meaning of both axes."""

    frame: pd.DataFrame
    x_title: str
    y_title: str
    reading: str


def _roots(function: Callable[[FloatArray], FloatArray], grid: FloatArray) -> list[float]:
    """All sign changes of a function between neighbouring grid points, refined by Brent's method."""
    from scipy.optimize import brentq

    if not len(grid):
        return []
    values = function(grid)
    change = np.isfinite(values[:-1]) & np.isfinite(values[1:]) & (values[:-1] * values[1:] < 0)

    def one(speed: float) -> float:
        return float(function(np.array([speed]))[0])

    return [float(brentq(one, float(grid[i]), float(grid[i + 1]))) for i in np.flatnonzero(change)]


def _grid(sides: list[Side]) -> FloatArray:
    ends = [s.front.rows["tok_s_per_user"][[0, -1]] for s in sides if len(s.front)]
    if len(ends) < len(sides):
        return np.array([])
    low, high = max(float(e[0]) for e in ends), min(float(e[1]) for e in ends)
    return np.geomspace(low, high * (1 - 1e-9), SAMPLES) if high > low else np.array([])


def _values(claim: Claim, case: Mapping[str, str], sides: list[Side], speed: FloatArray) -> FloatArray:
    rate = sides[0].rate(speed)[0]
    if claim.metric in COMPARED:
        return np.asarray(ratio_factor(claim.metric, case) * rate / sides[1].rate(speed)[0])
    return accounts(claim, case, rate)[0]


def holding_speeds(claim: Claim) -> list[tuple[str, float]]:
    """Interactivities at which the middle estimate equals the claimed value, per case.

    Parameters
    ----------
    claim : Claim
        Of any metric that is a function of speed.

    Returns
    -------
    list of tuple
        Case in words, speed [tok/s/user]; a claim with a stated speed is solved over the speed all the same.
    """
    if claim.metric in SPECIAL:
        return []
    out: list[tuple[str, float]] = []
    for case in cases(claim):
        sides = [side(case)] + ([side(case, "baseline")] if claim.metric in COMPARED else [])

        def gap(speed: FloatArray, case: dict[str, str] = case, sides: list[Side] = sides) -> FloatArray:
            return np.log(_values(claim, case, sides, speed) / claim.value)

        out.extend((case_name(claim, case), root) for root in _roots(gap, _grid(sides)))
    return out


def speed_for_revenue(claim: Claim, case: Mapping[str, str], usd_per_mtok: float, utilisation: float) -> float:
    """Interactivity at which a rack earns the claimed revenue at a price and utilisation [tok/s/user]; NaN if none."""
    one = side(case)
    gpus, years = rack_gpus(case["subject"]), float(case["horizon_years"])

    def gap(speed: FloatArray) -> FloatArray:
        earned = arithmetic.revenue_usd(one.rate(speed)[0], gpus, years, usd_per_mtok, utilisation)
        return np.asarray(earned / claim.value - 1.0)

    found = _roots(gap, _grid([one]))
    return max(found) if found else math.nan


def required(claim: Claim) -> Required:
    """The combinations under which a claim holds.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    Required
        Revenue: price per million total tokens against utilisation, by horizon, at the claim's rate, and the prices
        listed at its date. Ratios: the rate the subject must reach against speed, and the rate it reaches. Costs and
        rates: $/GPU-hour or rate against speed. Software: share of public repeats that gained so much. Fleet margin:
        paid share of the list price against margin.
    """
    import pandas as pd

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
    if claim.metric == "tok_s_per_user":
        for case in cases(claim):
            table = side(case).front.rows
            for speed, rate in zip(table["tok_s_per_user"], table["total_tok_s_per_gpu"], strict=True):
                rows.append((f"searched front, {case_name(claim, case)}", float(speed), float(rate)))
        frame = pd.DataFrame(rows, columns=["series", "x", "y"])
        return Required(frame, "tok/s/user", "total tok/s/GPU", "")
    for case in cases(claim)[:6]:
        sides = [side(case)] + ([side(case, "baseline")] if claim.metric in COMPARED else [])
        name = case_name(claim, case)
        grid = _grid(sides)
        if not len(grid):
            continue
        reached = sides[0].rate(grid)[0]
        if claim.metric in COMPARED:
            needed = claim.value / ratio_factor(claim.metric, case) * sides[1].rate(grid)[0]
        else:
            needed = np.full(grid.shape, rate_needed(claim, case))
        suffix = f", {name}" if name else ""
        for label, values in ((f"needed{suffix}", needed), (f"modelled{suffix}", reached)):
            rows.extend((label, float(x), float(y)) for x, y in zip(grid, values, strict=True))
    frame = pd.DataFrame(rows, columns=["series", "x", "y"])
    return Required(frame, "tok/s/user", "total tok/s/GPU of the subject", "the claim holds where the two lines meet")


def rate_needed(claim: Claim, case: Mapping[str, str]) -> float:
    """Rate per GPU that an absolute claim needs, whatever the speed [total tok/s/GPU]."""
    one, sign = plain_value(claim.metric, case, np.array([1.0]))
    return claim.value / float(one[0]) if sign > 0 else float(one[0]) / claim.value


def _revenue(claim: Claim) -> Required:
    import pandas as pd

    rows: list[tuple[str, float, float]] = []
    fixed = claim.conditions["tok_s_per_user"].stated
    speed = float(claim.only("tok_s_per_user")) if fixed else 50.0
    horizons = claim.conditions["horizon_years"].options
    seen: set[tuple[str, str]] = set()
    for case in cases(claim):
        if case["model"] != claim.conditions["model"].options[0] or (case["workload"], case["horizon_years"]) in seen:
            continue
        if case["workload"] != claim.conditions["workload"].options[-1]:
            continue
        seen.add((case["workload"], case["horizon_years"]))
        rate = float(side(case).rate(np.array([speed]))[0][0])
        price = arithmetic.price_needed_usd_per_mtok(
            claim.value, rate, rack_gpus(case["subject"]), float(case["horizon_years"]), UTILISATIONS
        )
        label = plural(float(case["horizon_years"]), "year") if len(horizons) > 1 else "needed"
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
        f"at {speed:.0f} tok/s/user and {lengths}",
    )
