"""The month-by-month table behind every net present value; time convention of :mod:`rackecon.economics.finance`."""

from __future__ import annotations

import numpy as np

from rackecon.economics.checks import check_non_negative, check_share
from rackecon.economics.finance import monthly_rate, months_of, price_path
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.units import MONTHS_PER_YEAR


def cash_flow_table(
    investment_usd: float,
    revenue_usd_per_year: float,
    running_cost_usd_per_year: float,
    *,
    horizon_years: float,
    rate_per_year: float,
    price_decline_per_year: float = 0.0,
    residual_usd: float = 0.0,
    ramp_months: int = 0,
    tax_rate: float = 0.0,
    tax_life_years: float = 0.0,
) -> pd.DataFrame:
    """The month-by-month flows behind a net present value, fit to download as CSV.

    Parameters
    ----------
    investment_usd : float
        Paid at month 0 [USD].
    revenue_usd_per_year : float
        Revenue at launch prices and full sales [USD/year].
    running_cost_usd_per_year : float
        Everything paid as one goes [USD/year]; paid from month 1, ramp or not.
    horizon_years, rate_per_year, price_decline_per_year : float
        Horizon [years], discount rate [1/year], fall in price [share/year].
    residual_usd : float
        Resale at the last month [USD], not above the investment.
    ramp_months : int
        Months over which sales rise in a straight line to full.
    tax_rate, tax_life_years : float
        Tax on profit [-], straight-line depreciation over ``tax_life_years`` [years]; losses earn credit at once.
        0 is pre-tax.

    Returns
    -------
    pandas.DataFrame
        One row per month from 0: ``month, investment_usd, revenue_usd, running_cost_usd, residual_usd, tax_usd,
        net_usd, discount_factor, present_value_usd, cumulative_usd, cumulative_present_value_usd``.

    Raises
    ------
    InputError
        Residual above the investment, horizon 0, negative amounts.
    """
    check_non_negative("investment_usd", investment_usd)
    check_non_negative("running_cost_usd_per_year", running_cost_usd_per_year)
    check_non_negative("residual_usd", residual_usd)
    if residual_usd > investment_usd:
        raise InputError(f"residual_usd {residual_usd:g} exceeds investment_usd {investment_usd:g}")
    months = int(months_of(horizon_years))
    count = np.arange(months + 1)
    ramp = np.minimum(1.0, count[1:] / ramp_months) if ramp_months else np.ones(months)
    revenue, cost, resale, depreciation = (np.zeros(months + 1) for _ in range(4))
    revenue[1:] = revenue_usd_per_year / MONTHS_PER_YEAR * price_path(price_decline_per_year, months) * ramp
    cost[1:] = running_cost_usd_per_year / MONTHS_PER_YEAR
    resale[-1] = residual_usd
    written = investment_usd - residual_usd
    if tax_life_years > 0:
        span = min(months, int(months_of(tax_life_years)))
        depreciation[1 : span + 1] = written / float(months_of(tax_life_years))
        depreciation[-1] += written - depreciation.sum()
    else:
        depreciation[0] = written
    invested = np.where(count == 0, investment_usd, 0.0)
    tax = check_share("tax_rate", tax_rate, open_top=True) * (revenue - cost - depreciation)
    net = revenue + resale - cost - invested - tax
    factor = np.power(1.0 + float(monthly_rate(rate_per_year)), -count)
    return pd.DataFrame(
        {
            "month": count,
            "investment_usd": -invested,
            "revenue_usd": revenue,
            "running_cost_usd": -cost,
            "residual_usd": resale,
            "tax_usd": -tax,
            "net_usd": net,
            "discount_factor": factor,
            "present_value_usd": net * factor,
            "cumulative_usd": np.cumsum(net),
            "cumulative_present_value_usd": np.cumsum(net * factor),
        }
    )
