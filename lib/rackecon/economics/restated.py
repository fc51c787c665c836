"""A cost per GPU-hour restated for another price of the machine, cost of capital, life and resale value."""

from __future__ import annotations

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_non_negative, check_share
from rackecon.economics.finance import tax_adjusted_capital_cost
from rackecon.economics.returns import present_value_factors
from rackecon.units import HOURS_PER_YEAR


def capital_charge_usd_per_gpu_hour(
    investment_usd_per_gpu: Numeric, residual_usd_per_gpu: Numeric, rate_per_year: Numeric, life_years: Numeric
) -> FloatArray:
    """Level charge that pays an investment back with interest over its life, resale counted [USD/GPU-hour].

    Parameters
    ----------
    investment_usd_per_gpu, residual_usd_per_gpu : float or array
        Paid at month 0, resold at the end [USD/GPU].
    rate_per_year, life_years : float or array
        [1/year], [years].

    Returns
    -------
    ndarray
        [USD/GPU-hour].

    Notes
    -----
    .. math:: a = \\frac{I - R\\,v^{M}}{8760\\,A_C}

    ``A_C`` is paid monthly, as sales are: the inverse of :func:`rackecon.economics.cost.implied_investment`.

    Own derivation from the annuity formula.

    Examples
    --------
    >>> float(capital_charge_usd_per_gpu_hour(43180.01, 0.0, 0.10, 4))
    1.488
    """
    invested = check_non_negative("investment_usd_per_gpu", investment_usd_per_gpu, nan_allowed=True)
    resale = check_non_negative("residual_usd_per_gpu", residual_usd_per_gpu, nan_allowed=True)
    factors = present_value_factors(rate_per_year, 0.0, life_years)
    return np.asarray((invested - resale * factors.terminal) / factors.cost_years / HOURS_PER_YEAR)


def terms_factor(
    rate_per_year: Numeric,
    life_years: Numeric,
    resale_share: Numeric = 0.0,
    tax_rate: Numeric = 0.0,
    *,
    kept_share: Numeric,
    built: tuple[Numeric, Numeric],
    capex_factor: Numeric = 1.0,
) -> FloatArray:
    """A cost of owning restated for another cost of capital, life, resale, tax and price of the machine, as a factor on it.

    The investment behind the figure stays; its charge is that of the terms asked for, over the life, less the resale,
    raised by the tax as in a build-up.

    Parameters
    ----------
    rate_per_year, life_years, resale_share, tax_rate : float or array
        Terms asked for [1/year], [years]; resale as a share of the investment [-]; [-].
    kept_share : float or array
        Share of the cost that is no capital charge [-].
    built : tuple
        Cost of capital [1/year] and life [years] that the figure is built with, without resale or tax.
    capex_factor : float or array
        Factor on the investment [-].

    Returns
    -------
    ndarray
        [-].

    Notes
    -----
    .. math:: f = k + (1 - k)\\,\\phi\\,\\frac{A_C(r_0, n_0)}{A_C(r, n)}\\,(1 - s\\,v^{M})\\,t

    ``t`` is :func:`rackecon.economics.finance.tax_adjusted_capital_cost` of 1. Own derivation.

    Examples
    --------
    >>> published = dict(kept_share=0.2, built=(0.10, 4.0))
    >>> [float(terms_factor(*terms, **published)) for terms in ((0.10, 4.0), (0.15, 4.0), (0.10, 6.0))]
    [1.0, 1.07, 0.78]
    """
    base = present_value_factors(built[0], 0.0, built[1]).cost_years
    asked = present_value_factors(rate_per_year, 0.0, life_years)
    sunk = 1.0 - check_share("resale_share", resale_share) * asked.terminal
    taxed = tax_adjusted_capital_cost(1.0, tax_rate, rate_per_year)
    kept = np.asarray(kept_share, dtype=float)
    moved = check_non_negative("capex_factor", capex_factor) * base * sunk / asked.cost_years * taxed
    return np.asarray(kept + (1.0 - kept) * moved)
