"""What must be true for a claim to hold: combinations of price, utilisation, horizon, speed and throughput."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
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
    reading: str = ""

    @classmethod
    def of(cls, rows: Iterable[tuple[str, float, float]], *words: str) -> Required:
        """Of points, each with the name of its curve; what both axes are, and how they are read."""
        return cls(pd.DataFrame(list(rows), columns=["series", "x", "y"]), *words)


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
    if claim.metric == "rack_revenue_usd":
        return _revenue(claim)
    if claim.metric == "software_gain":
        return Required.of(_gains(claim), "gain asked for, times", "share of public repeats that gained so much")
    if claim.metric == "margin_over_cost":
        return Required.of(_paid(claim), "share of tokens that is paid for", "$ per million total tokens paid for")
    if (claim.metric in SPECIAL and claim.metric != "tok_s_per_user") or published(claim.id) or claim.identity:
        return Required.of((), "", "")
    if claim.metric == "tok_s_per_user":
        fronts = [(f"searched front, {case_name(claim, case)}", side(case).front.rows) for case in cases(claim)]
        points = (
            point for name, rows in fronts for point in _line(name, rows["tok_s_per_user"], rows["total_tok_s_per_gpu"])
        )
        return Required.of(points, "tok/s/user", "total tok/s/GPU")
    reading = "the claim holds where the modelled rate is the needed one or more"
    return Required.of(_rates(claim), "tok/s/user", "total tok/s/GPU of the subject", reading)


def _line(name: str, x: Iterable[float], y: Iterable[float]) -> Iterator[tuple[str, float, float]]:
    return ((name, float(at), float(value)) for at, value in zip(x, y, strict=True))


def _gains(claim: Claim) -> Iterator[tuple[str, float, float]]:
    """Shares of public repeats that gained as much as is asked for, on one layout and on any."""
    wanted = np.geomspace(1.0, 2.0 * claim.value, 25)
    for name, same in (("same layout", True), ("any layout", False)):
        gains = software_gains(gain_days(cases(claim)[0]), same_layout=same)
        yield from _line(name, wanted, [float(np.mean(gains >= x)) if len(gains) else math.nan for x in wanted])


def _paid(claim: Claim) -> Iterator[tuple[str, float, float]]:
    """Prices of the published day's paid tokens that make the margin, and that break even, by the share that is paid for."""
    day = fleet_day()
    per_mtok = (claim.value + 1.0) * day.usd_per_gpu_hour * HOURS_PER_DAY * GPUS_PER_NODE * day.nodes
    tokens = (day.input_tokens + day.output_tokens) / 1e6
    for paid in map(float, UTILISATIONS):
        yield claim.value_text, paid, per_mtok / tokens / paid
        yield "break-even", paid, per_mtok / (claim.value + 1.0) / tokens / paid


def _rates(claim: Claim) -> Iterator[tuple[str, float, float]]:
    """Rates needed and modelled over speeds, of the first readings."""
    for case in cases(claim)[:6]:
        sides = sides_of(claim, case)
        name = case_name(claim, case)
        grid = _grid(sides)
        if not len(grid):
            continue
        if claim.metric in COMPARED:
            needed = claim.value / ratio_factor(claim.metric, case) * sides[1].modelled(grid).value
        else:
            needed = np.full(grid.shape, rate_needed(claim, case))
        suffix = f", {name}" if name else ""
        yield from _line(f"needed{suffix}", grid, needed)
        yield from _line(f"modelled{suffix}", grid, sides[0].modelled(grid).value)


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
        rows += _line(label, UTILISATIONS, price)
    model, workload = claim.conditions["model"].options[0], claim.conditions["workload"].options[-1]
    for name, level in blended_range(model, workload, claim.date).items():
        if name == "cheapest" and len(horizons) > 3:
            continue
        rows.extend((f"{name} price of {claim.date}", float(u), level) for u in UTILISATIONS[[0, -1]])
    lengths = "/".join(f"{round(int(part) / 1024)}k" for part in workload.split("/"))
    reading = ", ".join([*taken.values(), f"at {speed:.0f} tok/s/user and {lengths}"])
    return Required.of(rows, "share of capacity sold", "$ per million total tokens", reading)
