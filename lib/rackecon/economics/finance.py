"""Capital recovery, present value, internal rate of return and levelised cost.

One convention for time, used everywhere in this package: a year has 8,760 hours and 12 equal months of
730 hours; investment falls at month 0, every other flow at the *end* of its month; the monthly discount
rate is ``(1 + rate)^(1/12) - 1``; a price that falls by ``d`` a year stands at ``(1 - d)^((m - 1/2)/12)``
of its launch value in month ``m`` (the middle of the month).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_fall, check_non_negative, check_positive, check_share
from rackecon.units import MONTHS_PER_YEAR

_SCAN: Final = (1 / 11, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0, 1.01, 1.02, 1.05, 1.1, 1.3, 2.0, 4.0, 10.0)
TAX_LIFE_YEARS: Final = 5.0
"""Years over which computers are written off for tax (US five-year property, IRS Publication 946), straight line here."""


def crf(rate_per_year: Numeric, years: Numeric) -> FloatArray:
    """Capital recovery factor: the level yearly payment that repays 1 over ``years``.

    Parameters
    ----------
    rate_per_year : float or array
        Cost of capital [1/year], 0 or more.
    years : float or array
        Life [years], above 0. Broadcasts with the rate.

    Returns
    -------
    ndarray
        [1/year].

    Raises
    ------
    InputError
        Life of 0 or less, or a negative rate.

    Notes
    -----
    .. math:: \\mathrm{CRF}(r, n) = \\frac{r}{1 - (1 + r)^{-n}}, \\qquad \\lim_{r \\to 0} = 1/n

    Textbook annuity identity.

    Source: the annuity formula (Brealey, Myers and Allen, Principles of Corporate Finance).

    Examples
    --------
    >>> float(crf(0.10, 4))
    0.315471
    >>> float(crf(0.0, 4))
    0.25
    """
    rate = check_non_negative("rate_per_year", rate_per_year)
    life = check_positive("years", years)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = rate / -np.expm1(-life * np.log1p(rate))
    return np.asarray(np.where(rate < 1e-12, 1.0 / life, factor), dtype=float)


def tax_adjusted_capital_cost(
    annual_cost_usd: Numeric, tax_rate: Numeric, rate_per_year: Numeric, depreciation_years: Numeric = TAX_LIFE_YEARS
) -> FloatArray:
    """The pre-tax revenue needed each year to pay capital after tax, with straight-line tax depreciation.

    Parameters
    ----------
    annual_cost_usd : float or array
        Level yearly capital cost before tax [USD/year].
    tax_rate : float or array
        Share of taxable profit [-], 0 to below 1.
    rate_per_year : float or array
        After-tax cost of capital [1/year].
    depreciation_years : float or array
        Tax life [years]; 0 means all written off at once (bonus depreciation).

    Returns
    -------
    ndarray
        [USD/year].

    Notes
    -----
    .. math:: a_t = a \\, \\frac{1 - t\\,z}{1 - t}, \\qquad z = \\frac{1}{n_t\\,\\mathrm{CRF}(r, n_t)}

    ``z`` is the present value of the depreciation of 1. Full write-off at once makes ``z`` 1, and tax then
    adds nothing.

    Source: the fixed charge rate before tax of Short, Packey and Holt (NREL/TP-462-5173, 1995).

    Examples
    --------
    >>> float(tax_adjusted_capital_cost(100.0, 0.21, 0.10, 0.0))
    100.0
    >>> float(tax_adjusted_capital_cost(100.0, 0.21, 0.10, 5.0))
    106.43
    """
    tax = check_share("tax_rate", tax_rate, open_top=True)
    life = check_non_negative("depreciation_years", depreciation_years)
    annual = np.asarray(annual_cost_usd, dtype=float)
    safe = np.where(life > 0, life, 1.0)
    present = np.where(life > 0, 1.0 / (safe * crf(rate_per_year, safe)), 1.0)
    return np.asarray(annual * (1.0 - tax * present) / (1.0 - tax), dtype=float)


def monthly_rate(rate_per_year: Numeric) -> FloatArray:
    """Monthly rate that compounds to the yearly one [1/month].

    Source: the effective rate of compound interest.

    Examples
    --------
    >>> float(monthly_rate(0.10))
    0.0079741
    """
    rate = np.asarray(rate_per_year, dtype=float)
    return np.asarray(np.expm1(np.log1p(rate) / MONTHS_PER_YEAR), dtype=float)


def months_of(years: Numeric) -> FloatArray:
    """Whole months in a horizon, at least one. Life 0 is refused.

    Examples
    --------
    >>> int(months_of(4.0))
    48
    """
    return np.maximum(np.round(check_positive("horizon_years", years) * MONTHS_PER_YEAR), 1.0)


def price_path(decline_per_year: Numeric, months: int) -> FloatArray:
    """Price in each month as a share of the launch price.

    Parameters
    ----------
    decline_per_year : float or array
        Fall per year [share], below 1; below 0 a rise.
    months : int
        Number of months.

    Returns
    -------
    ndarray
        Shape ``(..., months)`` [-].

    Notes
    -----
    .. math:: p_m / p_0 = (1 - d)^{(m - 1/2)/12}

    Own convention: a constant yearly fall, taken in the middle of each month.

    Examples
    --------
    >>> [round(float(x), 4) for x in price_path(0.3, 13)[[0, 12]]]
    [0.9852, 0.6897]
    """
    decline = check_fall(decline_per_year)
    middle = (np.arange(months) + 0.5) / MONTHS_PER_YEAR
    return np.asarray(np.exp(np.log1p(-decline)[..., None] * middle), dtype=float)


def npv(rate_per_period: Numeric, flows: Numeric) -> FloatArray:
    """Present value of flows at times 0, 1, 2, ... along the last axis.

    Parameters
    ----------
    rate_per_period : float or array
        Rate per period; broadcasts against ``flows`` without its last axis.
    flows : array
        Shape ``(..., periods + 1)`` [USD]; the first is at time 0, undiscounted.

    Returns
    -------
    ndarray
        [USD].

    Notes
    -----
    .. math:: \\mathrm{NPV} = \\sum_t c_t (1 + r)^{-t}

    Source: Brealey, Myers and Allen, Principles of Corporate Finance; as ``numpy_financial.npv``.

    Examples
    --------
    >>> float(npv(0.1, [-100.0, 60.0, 60.0]))
    4.1322
    """
    cash = np.asarray(flows, dtype=float)
    factor = 1.0 / (1.0 + np.asarray(rate_per_period, dtype=float))
    total = np.zeros(np.broadcast_shapes(factor.shape, cash.shape[:-1]))
    for period in range(cash.shape[-1] - 1, -1, -1):  # Horner: no powers, and one pass over many draws
        total = total * factor + cash[..., period]
    return np.asarray(total, dtype=float)


def irr(flows: Numeric, *, periods_per_year: float = 1.0) -> FloatArray:
    """Internal rate of return along the last axis, NaN where there is none.

    Parameters
    ----------
    flows : array
        Shape ``(..., periods + 1)`` [USD], an outlay first.
    periods_per_year : float
        12 turns a monthly rate into the effective yearly one.

    Returns
    -------
    ndarray
        [1/year] (or per period, with the default).

    Notes
    -----
    Scan and bisection on the discount factor ``1/(1+i)`` from 1/11 to 10 per period (rates of 1,000 % down to -90 %).
    With several roots the one of the highest rate is taken: the first at which the outlay is earned back.

    Source: Brealey, Myers and Allen, Principles of Corporate Finance; bracketing is own.

    Examples
    --------
    >>> float(irr([-100.0, 60.0, 60.0]))
    0.13066
    """
    cash = np.asarray(flows, dtype=float)
    root = first_root(lambda factor: npv(1.0 / factor - 1.0, cash), cash.shape[:-1])
    return np.asarray(np.power(1.0 / root, periods_per_year) - 1.0, dtype=float)


def first_root(value: Callable[[FloatArray], FloatArray], shape: tuple[int, ...], *, halvings: int = 44) -> FloatArray:
    """Smallest discount factor (highest rate) at which a present value turns from negative to positive.

    Parameters
    ----------
    value : callable
        Present value [USD] as a function of the discount factor per period, array in, array out.
    shape : tuple of int
        Shape of the arrays.
    halvings : int
        Bisection steps inside the bracket that the scan finds.

    Returns
    -------
    ndarray
        Discount factor per period [-]; NaN where the value never turns positive, or is so from the start.
    """
    low = np.full(shape, _SCAN[0])
    high = np.full(shape, np.nan)
    starts_negative = value(low) < 0
    for factor in _SCAN[1:]:
        trial = np.full(shape, factor)
        positive = value(trial) > 0
        open_still = np.isnan(high)
        low = np.where(open_still & ~positive, trial, low)
        high = np.where(open_still & positive, trial, high)
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        positive = value(middle) > 0
        low, high = np.where(positive, low, middle), np.where(positive, middle, high)
    return np.asarray(np.where(starts_negative, 0.5 * (low + high), np.nan), dtype=float)
