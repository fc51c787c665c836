"""What an hour of a GPU costs: three bases that are never mixed.

*rental*: a price paid to somebody else; *ownership*: a published all-in $/GPU-hour of owning, from a named source,
buyer tier and vintage; *build_up*: summed here from parts (:mod:`rackecon.economics.build_up`). Each lands in the
same :class:`~rackecon.economics.records.CostRecord`, which says what is inside and who bears the hours nobody buys.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.economics.checks import Numeric, check_non_negative, check_positive, check_share
from rackecon.economics.cost_table import read_records
from rackecon.economics.records import CostRecord
from rackecon.economics.returns import present_value_factors
from rackecon.errors import InputError, check_known
from rackecon.units import HOURS_PER_YEAR

BASES = {
    "ownership": "published all-in $/GPU-hour of owning",
    "rental": "price of renting, $/GPU-hour",
    "build_up": "summed here from rack, network, hosting, power, people and cost of capital",
}


@dataclass(frozen=True)
class ImpliedInvestment:
    """A published $/GPU-hour split into money put in and money spent as one goes."""

    investment_usd_per_gpu: FloatArray
    running_usd_per_gpu_hour: FloatArray
    residual_usd_per_gpu: FloatArray


def implied_investment(
    usd_per_gpu_hour: Numeric,
    *,
    running_share: Numeric,
    rate_per_year: Numeric,
    life_years: Numeric,
    horizon_years: Numeric | None = None,
) -> ImpliedInvestment:
    """The investment that a published ownership cost stands for.

    A $/GPU-hour of owning holds a capital charge and running costs. Capitalising the charge at the stated cost of
    capital over the published life gives an investment on the *same* basis, so that profit, NPV and payback agree
    with each other and no separate rack price slips in.

    Parameters
    ----------
    usd_per_gpu_hour : float or array
        Published cost [USD/GPU-hour].
    running_share : float or array
        Hosting, electricity and operations as a share of it [-].
    rate_per_year, life_years : float or array
        Cost of capital [1/year]; life behind the published figure [years].
    horizon_years : float or array, optional
        Exit [years]; the life by default. Before the end of life the unrecovered balance is the residual value.

    Notes
    -----
    .. math:: I = (1 - s)\\, c \\cdot 8760\\, A(r, n), \\qquad S_h = (1 - s)\\, c \\cdot 8760\\, A(r, n - h)

    ``A`` is the present value of 1 a year paid monthly, as sales are, so that selling at cost earns exactly ``r``.

    Own derivation: the annuity formula solved for the price.

    Examples
    --------
    >>> split = implied_investment(1.86, running_share=0.2, rate_per_year=0.10, life_years=4)
    >>> float(split.investment_usd_per_gpu), float(split.running_usd_per_gpu_hour)
    (43180.01, 0.372)
    """
    cost = check_non_negative("cost_usd_per_gpu_hour", usd_per_gpu_hour, nan_allowed=True)
    share = check_share("running_share", running_share)
    life = check_positive("life_years", life_years)
    horizon = check_positive("horizon_years", life if horizon_years is None else horizon_years)
    charge = (1.0 - share) * cost * HOURS_PER_YEAR
    left = np.maximum(life - horizon, 0.0)

    def worth(years: FloatArray) -> FloatArray:
        return present_value_factors(rate_per_year, 0.0, years).cost_years

    balance = np.where(left > 0, charge * worth(np.where(left > 0, left, 1.0)), 0.0)
    return ImpliedInvestment(np.asarray(charge * worth(life)), np.asarray(share * cost), balance)


def own_rent_crossing(own_usd_per_gpu_hour: Numeric, on_demand_usd_per_gpu_hour: Numeric) -> FloatArray:
    """Utilisation above which owning beats renting on demand [-]; above 1: renting always wins.

    Parameters
    ----------
    own_usd_per_gpu_hour : float or array
        Paid for every hour [USD/GPU-hour].
    on_demand_usd_per_gpu_hour : float or array
        Paid for hours used only [USD/GPU-hour].

    Returns
    -------
    ndarray
        [-]. Take-or-pay rent is paid for every hour too, and is simply compared with the cost of owning.

    Notes
    -----
    Own: equal cost of an hour used.

    Examples
    --------
    >>> float(own_rent_crossing(1.17, 3.29))
    0.35562
    """
    own = check_non_negative("own_usd_per_gpu_hour", own_usd_per_gpu_hour)
    return np.asarray(own / check_positive("on_demand_usd_per_gpu_hour", on_demand_usd_per_gpu_hour))


def published_records(accelerator: str | None = None) -> list[CostRecord]:
    """Every published $/GPU-hour of data/costs.csv, of one accelerator or of all."""
    records = read_records()
    return [record for record in records if accelerator is None or record.accelerator == accelerator]


def select_cost(
    accelerator: str, *, basis: str = "ownership", tier: str = "hyperscaler", vintage: str = "2026-07"
) -> CostRecord | None:
    """The published record of an accelerator on one basis, tier and vintage; None when nothing is published.

    Parameters
    ----------
    accelerator : str
        Accelerator id.
    basis, tier, vintage : str
        As in the records; a basis, tier or vintage that exists for no accelerator at all is refused.

    Raises
    ------
    InputError
        Unknown basis, tier or vintage, or the build-up basis (which is summed, not looked up).
    """
    if basis == "build_up":
        raise InputError("cost basis build_up is summed from parts (economics.build_up), not looked up")
    return _selected(accelerator, basis, tier, vintage)


@by_data(256, "costs")
def _selected(accelerator: str, basis: str, tier: str, vintage: str) -> CostRecord | None:
    records = published_records()
    for kind, value in (("cost_basis", basis), ("cost_tier", tier), ("cost_vintage", vintage)):
        allowed = sorted({str(getattr(record, kind[5:])) for record in records})
        check_known(kind, value, allowed)
    found = [r for r in records if (r.accelerator, r.basis, r.tier, r.vintage) == (accelerator, basis, tier, vintage)]
    return found[-1] if found else None
