"""Utilisation that follows from a demand shape, a policy and a latency limit, with its interval."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rackecon.catalog import Scenario, as_scenario
from rackecon.catalog.cached import by_data, one_state
from rackecon.economics.cost_table import hours_served_share
from rackecon.errors import InputError, check_known
from rackecon.lazy import pd
from rackecon.load.demand import Demand, demand, demand_names
from rackecon.load.platforms import Replica, open_load, platform_replica, scaled_lengths, unit_gpus
from rackecon.load.queueing import Burstiness
from rackecon.load.sold_share import POLICIES, Policy, sold_share

LENGTHS: Final = "azure2023_conv"
WEEK_DAYS: Final = 7.0
LEVEL: Final = (0.05, 0.95)
DRAWS: Final = 20
LEAST_LOAD: Final = 0.01  # of the closed-loop rate, under which nothing is sold within the limits


@dataclass(frozen=True)
class DerivedUtilisation:
    """Share that a fleet sells, within the limits, of what it could serve in every hour of a year, and what it is made of."""

    utilisation: float
    low: float  # 5 % of demand shapes and days
    high: float
    shape_sold: float  # of capacity, bursts aside
    batch_sold: float  # of it, batch work behind the interactive
    open_load: float  # share of the closed-loop rate that open arrivals may bring
    served: float  # share of demand served
    stranded_share: float
    units: float  # units bought at the peak
    unit_gpus: int


@by_data(3, "demand_traces", "demand_shape")
def _shapes(measure: str) -> tuple[Demand, ...]:
    """Every public shape of a week or more that has the measure."""
    out = []
    for name in demand_names():
        try:
            found = demand(name, measure)
        except InputError:
            continue
        if found.days >= WEEK_DAYS:
            out.append(found.filled())
    return tuple(out)


def _day_draws(shape: Demand, policy: Policy) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Sold shares of weeks made of the shape's days, drawn with replacement."""
    per, draw = shape.bins_per_day, np.random.default_rng(0)
    days = shape.values[: len(shape.values) // per * per].reshape(-1, per)
    shares = [
        sold_share(replace(shape, values=days[draw.integers(0, len(days), len(days))].ravel()), policy).sold
        for _ in range(DRAWS)
    ]
    return np.array(shares)


@one_state()
def derived_utilisation(
    platform: str,
    model: str,
    case: str | Scenario,
    shape: str | Demand = "azure2024_conv",
    policy: str | Policy = "fixed at the peak",
    *,
    mean_rps: float = 100.0,
) -> DerivedUtilisation:
    """Share of capacity sold on a platform under a latency limit.

    Parameters
    ----------
    platform, model : str
        Ids of the catalog.
    case : str or Scenario
        Workload with its limits; 99 % of requests are to keep them.
    shape : str or Demand
        Trace of data/demand_traces.csv, or a demand of yours.
    policy : str or Policy
        One of :data:`~rackecon.load.sold_share.POLICIES`, or a policy.
    mean_rps : float
        Mean requests a second: it says how coarse a rack is against the demand.

    Returns
    -------
    DerivedUtilisation
        The interval spans every public demand shape of a week or more under the same policy, and the days of the shape
        drawn again; it is about demand, not about the serving model, whose own interval stands beside the rate.

    Notes
    -----
    :math:`u = \\text{sold}(d, c) \\times \\rho_{max} \\times a`: capacity is bought in whole units, each loaded to the share
    :math:`\\rho_{max}` of its closed-loop rate at which open arrivals still keep the limits, in the share :math:`a` of all
    hours in which it can serve. Where the most productive
    deployment is wider than a unit, one that fits a unit is tried too, its lower rate counted against it. Own definition.
    """
    known = as_scenario(case)
    wanted = demand(shape) if isinstance(shape, str) else shape
    if isinstance(policy, str):
        check_known("policy", policy, POLICIES)
        policy = POLICIES[policy]
    if not mean_rps > 0:
        raise InputError(f"mean_rps {mean_rps:g} is out of range: needs a positive rate")
    widest = platform_replica(platform, model, known)
    best = _sold(widest, known, wanted, policy, mean_rps)
    if widest.unit_gpus > unit_gpus(platform):
        try:
            narrow = platform_replica(platform, model, known, max_gpus=unit_gpus(platform))
        except InputError:
            return best
        other = _sold(narrow, known, wanted, policy, mean_rps)
        loss = narrow.rps_per_gpu / widest.rps_per_gpu
        if other.utilisation * loss > best.utilisation:
            shares = ("utilisation", "low", "high", "open_load")
            best = replace(other, **{name: getattr(other, name) * loss for name in shares})
            best = replace(best, stranded_share=1.0 - best.utilisation)
    return best


def _sold(replica: Replica, case: Scenario, wanted: Demand, policy: Policy, mean_rps: float) -> DerivedUtilisation:
    """With one deployment; arrivals inside a bin are Poisson."""
    peak = mean_rps * float(wanted.values.max() / wanted.values.mean())
    lengths = scaled_lengths(LENGTHS, case)
    deployments = max(round(peak / replica.closed_rps), 1)
    load = open_load(replica, case, lengths, deployments, Burstiness.poisson())
    if load <= LEAST_LOAD:
        return DerivedUtilisation(0.0, 0.0, 0.0, 0.0, 0.0, load, 0.0, 1.0, 0.0, replica.unit_gpus)
    unit = replica.unit_rps * load / peak
    sized = replace(policy, unit=unit)
    found = sold_share(wanted, sized)
    others = []
    for each in _shapes("requests"):
        step = replica.unit_rps * load / (mean_rps * float(each.values.max() / each.values.mean()))
        others.append(sold_share(each, replace(policy, unit=step)).sold)
    if wanted.days >= 2:
        others += _day_draws(wanted, sized).tolist()
    low, high = np.quantile([*others, found.sold], LEVEL)
    served = load * hours_served_share()
    return DerivedUtilisation(
        found.sold * served,
        float(low) * served,
        float(high) * served,
        found.sold,
        found.sold - found.interactive,
        load,
        found.served,
        1.0 - found.sold * served,
        float(np.ceil(found.capacity.max() / float(wanted.values.max()) / unit - 1e-9)),
        replica.unit_gpus,
    )


def sold_table(
    platforms: list[str],
    model: str,
    case: str | Scenario,
    shape: str = "azure2024_conv",
    policies: list[str] | None = None,
    *,
    mean_rps: float = 100.0,
) -> pd.DataFrame:
    """:func:`derived_utilisation` of platforms and policies, one row each; ``reason`` where a platform cannot serve."""
    rows = []
    for platform in platforms:
        for name in policies or list(POLICIES):
            try:
                found = derived_utilisation(platform, model, case, shape, name, mean_rps=mean_rps)
            except InputError as error:
                rows.append({"platform": platform, "policy": name, "reason": str(error)})
                continue
            rows.append({"platform": platform, "policy": name, "reason": "", **found.__dict__})
    return pd.DataFrame(rows)
