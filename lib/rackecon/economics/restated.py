"""A cost per GPU-hour restated for another price of the machine, cost of capital, life and resale value."""

from __future__ import annotations

import numpy as np

from rackecon.economics.checks import FloatArray, Numeric, check_non_negative, check_share
from rackecon.economics.returns import present_value_factors
from rackecon.units import HOURS_PER_YEAR

__all__ = ["capital_charge_usd_per_gpu_hour", "restated_cost_usd_per_gpu_hour"]


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


def restated_cost_usd_per_gpu_hour(
    cost_usd_per_gpu_hour: Numeric,
    investment_usd_per_gpu: Numeric,
    *,
    residual_usd_per_gpu: Numeric,
    base_rate_per_year: Numeric,
    base_life_years: Numeric,
    capex_factor: Numeric = 1.0,
    rate_per_year: Numeric,
    life_years: Numeric,
    residual_share: Numeric = 0.0,
) -> FloatArray:
    """A cost with its capital charge exchanged for that of other terms; the base terms give it back unchanged.

    Parameters
    ----------
    cost_usd_per_gpu_hour : float or array
        Cost at the base terms [USD/GPU-hour].
    investment_usd_per_gpu, residual_usd_per_gpu : float or array
        Behind it at the base terms [USD/GPU]. Without an investment (rent) the whole cost moves with ``capex_factor``.
    base_rate_per_year, base_life_years : float or array
        Base terms [1/year], [years].
    capex_factor : float or array
        Factor on the investment [-].
    rate_per_year, life_years, residual_share : float or array
        Other terms [1/year], [years]; further resale as a share of the price [-].

    Returns
    -------
    ndarray
        [USD/GPU-hour].

    Notes
    -----
    Own derivation.

    Examples
    --------
    >>> terms = dict(residual_usd_per_gpu=0.0, base_rate_per_year=0.10, base_life_years=4)
    >>> float(restated_cost_usd_per_gpu_hour(1.86, 43180.01, **terms, rate_per_year=0.10, life_years=4))
    1.86
    >>> float(restated_cost_usd_per_gpu_hour(1.86, 43180.01, **terms, rate_per_year=0.10, life_years=6))
    1.455
    """
    cost = check_non_negative("cost_usd_per_gpu_hour", cost_usd_per_gpu_hour, nan_allowed=True)
    invested = np.asarray(investment_usd_per_gpu, dtype=float)
    factor = check_non_negative("capex_factor", capex_factor)
    resale = np.asarray(residual_usd_per_gpu) + check_share("residual_share", residual_share) * invested
    before = capital_charge_usd_per_gpu_hour(invested, residual_usd_per_gpu, base_rate_per_year, base_life_years)
    after = capital_charge_usd_per_gpu_hour(invested * factor, resale * factor, rate_per_year, life_years)
    return np.asarray(np.where(invested > 0, np.maximum(cost - before + after, 0.0), cost * factor))
