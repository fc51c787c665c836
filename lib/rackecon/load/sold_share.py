"""Share of a fleet's capacity that a demand shape buys under a policy of sizing it.

With demand :math:`d_t` and capacity :math:`c_t` on one grid, sold is :math:`\\sum\\min(d,c)/\\sum c` and served
:math:`\\sum\\min(d,c)/\\sum d`. Demand inside a bin is taken as even: what bursts cost is :mod:`rackecon.load.queueing`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rackecon.arrays import FloatArray
from rackecon.errors import InputError, check_known
from rackecon.load.demand import Demand
from rackecon.units import MINUTES_PER_HOUR

KINDS: Final = ("fixed", "daily", "autoscaled")
BASES: Final = ("foresight", "previous_day", "last_week")
HOLD_MINUTES: Final = 30
EXPIRY_HOURS: Final = 24.0
WEEK_DAYS: Final = 7


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How many replicas stand ready.

    ``fixed`` holds a quantile of demand, ``daily`` that of a day known ahead or seen before, ``autoscaled`` follows the
    most of the last ``hold`` minutes with a delay of start and a margin. Capacity comes in whole units, each ``unit`` of
    peak demand where given. ``backfill`` adds batch work, as a share of mean demand, to what interactive work leaves.
    """

    kind: str = "fixed"
    quantile: float = 1.0
    basis: str = "foresight"
    start_delay_min: int = 0
    margin: float = 0.0
    unit: float = 0.0
    backfill: float = 0.0

    def __post_init__(self) -> None:
        check_known("policy", self.kind, KINDS)
        check_known("basis", self.basis, BASES)
        for name, value, high in (("quantile", self.quantile, 1.0), ("margin", self.margin, np.inf)):
            if not 0.0 <= value <= high:
                raise InputError(f"{name} {value:g} is out of range: needs 0 to {high:g}")
        if self.unit < 0.0 or self.backfill < 0.0 or self.start_delay_min < 0:
            raise InputError("unit, backfill and start_delay_min are 0 or more")


POLICIES: Final[dict[str, Policy]] = {
    "fixed at the peak": Policy(),
    "fixed at the 99th percentile": Policy(quantile=0.99),
    "resized daily, day known": Policy(kind="daily"),
    "resized daily to yesterday": Policy(kind="daily", basis="previous_day"),
    "autoscaled, 15 min start": Policy(kind="autoscaled", start_delay_min=15, margin=0.25),
    "autoscaled, 5 min start": Policy(kind="autoscaled", start_delay_min=5, margin=0.25),
    "fixed at the 99th percentile, batch backfill": Policy(quantile=0.99, backfill=0.5),
}
"""The policies that the report compares."""


@dataclass(frozen=True)
class SoldShare:
    """What a policy sells; shares are of capacity (sold) or of demand (served)."""

    sold: float  # interactive and batch work together
    interactive: float
    served: float
    batch_served: float  # NaN without backfill
    capacity: FloatArray
    demand: FloatArray


def _quantile(values: FloatArray, quantile: float) -> FloatArray:
    return np.asarray(values.max(axis=-1) if quantile == 1.0 else np.quantile(values, quantile, axis=-1))


def _daily(values: FloatArray, per_day: int, policy: Policy) -> tuple[FloatArray, FloatArray]:
    whole = len(values) // per_day
    if whole < 2:
        raise InputError(f"resizing daily needs two days of demand, not {len(values) / per_day:.2g}")
    days = values[: whole * per_day].reshape(whole, per_day)
    size = _quantile(days, policy.quantile)
    if policy.basis == "previous_day":
        days, size = days[1:], size[:-1]
    elif policy.basis == "last_week":
        if whole <= WEEK_DAYS:
            raise InputError(f"sizing by last week needs more than {WEEK_DAYS} days of demand, not {whole}")
        days, size = days[WEEK_DAYS:], size[:-WEEK_DAYS]
    return days.ravel(), np.repeat(size, per_day)


def _autoscaled(values: FloatArray, minutes: float, policy: Policy) -> tuple[FloatArray, FloatArray]:
    grid = np.repeat(values, round(minutes))
    behind = HOLD_MINUTES + policy.start_delay_min  # minutes that the first decision looks back on are left out
    if len(grid) <= behind:
        raise InputError(f"autoscaling needs more than {behind} minutes of demand, not {len(grid)}")
    windows = sliding_window_view(grid, HOLD_MINUTES + 1)[: len(grid) - behind]
    return grid[behind:], (1.0 + policy.margin) * windows.max(axis=1)


def _backfilled(spare: FloatArray, arriving: float, bins_alive: int) -> tuple[float, float]:
    """Batch work done, first come first served, and what came: each bin's arrival dies after ``bins_alive`` bins."""
    queue: deque[list[float]] = deque()
    done = 0.0
    for at, room in enumerate(spare.tolist()):
        queue.append([at, arriving])
        while queue and queue[0][0] <= at - bins_alive:
            queue.popleft()
        while queue and room > 0.0:
            taken = min(room, queue[0][1])
            done, room = done + taken, room - taken
            if taken == queue[0][1]:
                queue.popleft()
            else:
                queue[0][1] -= taken
    return done, arriving * len(spare)


def sold_share(demand: Demand, policy: Policy) -> SoldShare:
    """Sold and served shares of a demand shape under a policy.

    Parameters
    ----------
    demand : Demand
        Demand per bin.
    policy : Policy
        How capacity follows it.

    Returns
    -------
    SoldShare
        Shares [-], and the two series on the grid of the policy (minutes where autoscaled, else bins).

    Examples
    --------
    Azure's chat of a week of May 2024, a fleet for its peak:

    >>> from rackecon.load.demand import demand as shape
    >>> round(sold_share(shape("azure2024_conv"), Policy()).sold, 3)
    0.578
    """
    values, minutes = demand.values, demand.bin_minutes
    peak = float(values.max())
    if policy.kind == "fixed":
        wanted, ready = values, np.full(len(values), float(_quantile(values, policy.quantile)))
    elif policy.kind == "daily":
        wanted, ready = _daily(values, demand.bins_per_day, policy)
    else:
        wanted, ready = _autoscaled(values, minutes, policy)
        minutes = 1.0
    if policy.unit > 0.0:
        size = policy.unit * peak
        ready = size * np.maximum(np.ceil(ready / size - 1e-9), 1.0)
    used = np.minimum(wanted, ready)
    capacity, interactive = float(ready.sum()), float(used.sum())
    batch, batch_served = 0.0, float("nan")
    if policy.backfill > 0.0:
        batch, came = _backfilled(
            ready - used, policy.backfill * wanted.mean(), round(EXPIRY_HOURS * MINUTES_PER_HOUR / minutes)
        )
        batch_served = batch / came
    return SoldShare(
        sold=(interactive + batch) / capacity,
        interactive=interactive / capacity,
        served=interactive / float(wanted.sum()),
        batch_served=batch_served,
        capacity=ready,
        demand=wanted,
    )
