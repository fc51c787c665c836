"""Return on what was put in: ROI both ways, present value, internal rate, payback, break-even, retirement.

Everything is computed for a unit (a GPU, a rack, a megawatt, a dollar) with a level launch-year revenue that
falls with the price path, a level running cost, an investment at month 0 and a resale at the horizon. The closed
forms equal the month-by-month table of :func:`rackecon.economics.cash_flow.cash_flow_table`, and broadcast over draws.

Two ROI, never called just "ROI": *vendor ROI* is revenue over the horizon divided by the investment (nothing
subtracted); *profit ROI* is revenue less running cost less investment plus resale, divided by the investment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_fall, check_non_negative
from rackecon.economics.finance import first_root, monthly_rate, months_of
from rackecon.economics.money_step import geometric_sum, mean_price_factor
from rackecon.errors import InputError
from rackecon.units import MONTHS_PER_YEAR


@dataclass(frozen=True)
class PresentValueFactors:
    """Years of level amounts that a horizon is worth today [years], and today's worth of 1 at its end [-]."""

    revenue_years: FloatArray
    cost_years: FloatArray
    terminal: FloatArray


@dataclass(frozen=True)
class Returns:
    """Results of :func:`returns`; arrays of one broadcast shape."""

    horizon_years: FloatArray
    revenue_usd: FloatArray
    """Undiscounted revenue over the horizon [USD]."""
    vendor_roi: FloatArray
    profit_roi: FloatArray
    npv_usd: FloatArray
    irr_per_year: FloatArray
    payback_years: FloatArray
    break_even_launch_price_factor: FloatArray
    """Launch price that makes the net present value 0, as a share of the price used [-]."""
    retire_age_years: FloatArray


def present_value_factors(
    rate_per_year: Numeric, price_decline_per_year: Numeric, horizon_years: Numeric
) -> PresentValueFactors:
    """Present-value factors of a falling revenue, a level cost and a terminal amount.

    Parameters
    ----------
    rate_per_year, price_decline_per_year, horizon_years : float or array
        [1/year], [share/year], [years].

    Notes
    -----
    .. math::

        A_R = \\tfrac{1}{12} \\sum_{m=1}^{M} v^m q^{m-1/2}, \\quad A_C = \\tfrac{1}{12} \\sum_{m=1}^{M} v^m, \\quad v^M

    Own closed forms: geometric series of the monthly flows.

    Examples
    --------
    >>> factors = present_value_factors(0.10, 0.30, 4)
    >>> float(factors.revenue_years), float(factors.cost_years), float(factors.terminal)
    (1.8422, 3.3127, 0.68301)
    """
    decline = check_fall(price_decline_per_year)
    months = months_of(horizon_years)
    v = np.asarray(1.0 / (1.0 + monthly_rate(rate_per_year)))
    q = np.power(1.0 - decline, 1.0 / MONTHS_PER_YEAR)
    return PresentValueFactors(
        revenue_years=np.asarray(geometric_sum(v * q, months) / np.sqrt(q) / MONTHS_PER_YEAR),
        cost_years=np.asarray(geometric_sum(v, months) / MONTHS_PER_YEAR),
        terminal=np.asarray(v**months),
    )


def retire_age_years(
    revenue_usd_per_year: Numeric, running_cost_usd_per_year: Numeric, price_decline_per_year: Numeric
) -> FloatArray:
    """Age at which falling revenue no longer covers running cost, whatever was paid for the machine [years].

    Parameters
    ----------
    revenue_usd_per_year : float or array
        At launch prices [USD/year].
    running_cost_usd_per_year : float or array
        Energy, hosting, staff: what stops when the rack is switched off [USD/year].
    price_decline_per_year : float or array
        [share/year].

    Returns
    -------
    ndarray
        [years]; 0 when it never pays to run, inf when it always does.

    Notes
    -----
    .. math:: t = \\ln(R_0 / O) \\,/\\, {-\\ln(1 - d)}

    Own: the shutdown rule (price equals avoidable cost) on a falling price.

    Examples
    --------
    >>> float(retire_age_years(1_000_000.0, 100_000.0, 0.3))
    6.4557
    """
    decline = check_fall(price_decline_per_year)
    revenue = check_non_negative("revenue_usd_per_year", revenue_usd_per_year, nan_allowed=True)
    running = check_non_negative("running_cost_usd_per_year", running_cost_usd_per_year, nan_allowed=True)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        age = np.log(revenue / running) / -np.log1p(-decline)
    return np.asarray(np.where(revenue <= running, 0.0, np.where(decline > 0, age, np.inf)), dtype=float)


def returns(
    *,
    investment_usd: Numeric,
    revenue_usd_per_year: Numeric,
    running_cost_usd_per_year: Numeric,
    horizon_years: Numeric,
    rate_per_year: Numeric,
    price_decline_per_year: Numeric = 0.0,
    residual_usd: Numeric = 0.0,
    internal_rate: bool = True,
) -> Returns:
    """Every return measure of one unit; all arguments broadcast.

    Parameters
    ----------
    investment_usd : float or array
        Paid at month 0 [USD]. 0 (all rented) leaves ROI, IRR and payback NaN: nothing was invested. IRR is
        NaN too where the last month loses money: the flow then turns twice and no single rate describes it.
    revenue_usd_per_year, running_cost_usd_per_year : float or array
        Launch-price revenue and running cost [USD/year].
    horizon_years, rate_per_year, price_decline_per_year : float or array
        [years], [1/year], [share/year].
    residual_usd : float or array
        Resale at the horizon [USD], not above the investment.
    internal_rate : bool
        False leaves ``irr_per_year`` NaN: its root takes half the time over many draws.

    Raises
    ------
    InputError
        Residual above the investment, horizon 0, negative amounts, a decline of 1 or more.

    Examples
    --------
    >>> result = returns(investment_usd=3e6, revenue_usd_per_year=4e6, running_cost_usd_per_year=4e5, horizon_years=4,
    ...     rate_per_year=0.1, price_decline_per_year=0.3)
    >>> float(result.vendor_roi), float(result.profit_roi), float(result.payback_years)
    (2.8406, 1.3072, 1.0151)
    """
    invested = check_non_negative("investment_usd", investment_usd, nan_allowed=True)
    revenue = check_non_negative("revenue_usd_per_year", revenue_usd_per_year, nan_allowed=True)
    running = check_non_negative("running_cost_usd_per_year", running_cost_usd_per_year, nan_allowed=True)
    residual = check_non_negative("residual_usd", residual_usd, nan_allowed=True)
    if np.any(residual > invested):
        raise InputError("residual_usd exceeds investment_usd: nothing resells above its price here")
    rate = check_non_negative("rate_per_year", rate_per_year)
    decline = check_fall(price_decline_per_year)
    years = months_of(horizon_years) / MONTHS_PER_YEAR
    factors = present_value_factors(rate, decline, years)
    total = revenue * years * mean_price_factor(decline, years)
    costs = invested + running * factors.cost_years - residual * factors.terminal
    with np.errstate(divide="ignore", invalid="ignore"):
        vendor = np.where(invested > 0, total / invested, np.nan)
        profit = np.where(invested > 0, (total - running * years - invested + residual) / invested, np.nan)
        break_even = costs / (revenue * factors.revenue_years)
    return Returns(
        horizon_years=np.asarray(years),
        revenue_usd=np.asarray(total),
        vendor_roi=np.asarray(vendor),
        profit_roi=np.asarray(profit),
        npv_usd=np.asarray(revenue * factors.revenue_years - costs),
        irr_per_year=_level_irr(invested, revenue, running, residual, decline, years)
        if internal_rate
        else np.full(np.shape(vendor), np.nan),
        payback_years=_level_payback(invested, revenue, running, residual, decline, years),
        break_even_launch_price_factor=np.asarray(break_even),
        retire_age_years=retire_age_years(revenue, running, decline),
    )


def _level_irr(
    invested: FloatArray,
    revenue: FloatArray,
    running: FloatArray,
    residual: FloatArray,
    decline: FloatArray,
    years: FloatArray,
) -> FloatArray:
    invested, revenue, running, residual, decline, years = np.broadcast_arrays(
        invested, revenue, running, residual, decline, years
    )
    months = years * MONTHS_PER_YEAR
    q = np.power(1.0 - decline, 1.0 / MONTHS_PER_YEAR)
    launch, level = revenue / MONTHS_PER_YEAR / np.sqrt(q), running / MONTHS_PER_YEAR

    def value(v: FloatArray) -> FloatArray:
        return np.asarray(
            launch * geometric_sum(v * q, months) - level * geometric_sum(v, months) + residual * v**months - invested
        )

    root = first_root(value, invested.shape, halvings=36)
    # months at the end that cost more than they bring turn the flow again: several rates would do, or none. A resale in
    # the very last month hides those before it
    late = launch * q ** np.maximum(months - 1.0, 1.0) - level
    one = (invested > 0) & (late >= 0.0) & (launch * q**months - level + residual >= 0.0)
    return np.asarray(np.where(one, root**-MONTHS_PER_YEAR - 1.0, np.nan), dtype=float)


def _level_payback(
    invested: FloatArray,
    revenue: FloatArray,
    running: FloatArray,
    residual: FloatArray,
    decline: FloatArray,
    years: FloatArray,
) -> FloatArray:
    """Simple payback (Brealey, Myers and Allen, Principles of Corporate Finance): years until flows sum to 0, inf if never."""
    shape = np.broadcast_shapes(*(x.shape for x in (invested, revenue, running, residual, decline, years)))
    months = years * MONTHS_PER_YEAR
    q = np.power(1.0 - decline, 1.0 / MONTHS_PER_YEAR)
    income = np.broadcast_to(revenue / MONTHS_PER_YEAR * np.sqrt(q), shape).copy()
    running_month = running / MONTHS_PER_YEAR
    left = np.broadcast_to(np.asarray(invested, dtype=float), shape).copy()
    found = np.full(shape, np.inf)
    for month in range(1, int(np.max(months)) + 1):
        flow = income - running_month + np.where(month == months, residual, 0.0)
        due = np.isinf(found) & (left <= flow) & (month <= months)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(due, (month - 1 + left / flow) / MONTHS_PER_YEAR, found)
        left = left - flow
        income = income * q
    return np.asarray(np.where(invested > 0, found, np.nan), dtype=float)
