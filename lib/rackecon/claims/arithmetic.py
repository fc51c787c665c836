"""What a headline implies: price, throughput, utilisation, horizon and cost solved from the number itself.

Pure arithmetic over broadcasting arrays; no model, no measurement. Rates are total tokens (input plus output) over all
GPUs unless said otherwise.
"""

from __future__ import annotations

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric
from rackecon.units import HOURS_PER_YEAR, SECONDS_PER_HOUR, SECONDS_PER_YEAR, TOKENS_PER_MTOK


def _array(value: Numeric) -> FloatArray:
    return np.asarray(value, dtype=float)


def revenue_usd(
    tok_s_per_gpu: Numeric, gpus: Numeric, years: Numeric, usd_per_mtok: Numeric, utilisation: Numeric = 1.0
) -> FloatArray:
    """Revenue of a rack over a horizon at a constant price [USD].

    Notes
    -----
    .. math:: V = x\\, n\\, u\\, 31\\,536\\,000\\, h\\, p / 10^6

    Examples
    --------
    >>> round(float(revenue_usd(10_000, 72, 3, 1.10)) / 1e6, 1)
    74.9
    """
    tokens = _array(tok_s_per_gpu) * _array(gpus) * _array(utilisation) * SECONDS_PER_YEAR * _array(years)
    return np.asarray(tokens / TOKENS_PER_MTOK * _array(usd_per_mtok))


def price_needed_usd_per_mtok(
    revenue: Numeric, tok_s_per_gpu: Numeric, gpus: Numeric, years: Numeric, utilisation: Numeric = 1.0
) -> FloatArray:
    """Price per million of the counted tokens that gives a revenue [USD/Mtok].

    Examples
    --------
    >>> round(float(price_needed_usd_per_mtok(75e6, 10_000, 72, 3)), 2)
    1.1
    """
    return np.asarray(_array(revenue) / revenue_usd(tok_s_per_gpu, gpus, years, 1.0, utilisation))


def level_revenue_years(price_decline_per_year: Numeric, years: Numeric) -> FloatArray:
    """Years of today's revenue that a horizon is worth when prices fall continuously by a yearly share [years].

    Notes
    -----
    .. math:: \\int_0^h (1-d)^t dt = \\frac{1-(1-d)^h}{-\\ln(1-d)}

    Examples
    --------
    >>> float(level_revenue_years(0.9, 3.0)), float(level_revenue_years(0.5, 4.0))
    (0.43386, 1.35253)
    """
    fall = -np.log1p(-_array(price_decline_per_year))
    horizon = _array(years)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(fall > 0, -np.expm1(-fall * horizon) / fall, horizon))


def ownership_usd(usd_per_gpu_hour: Numeric, gpus: Numeric, years: Numeric) -> FloatArray:
    """Cost of owning a rack for some years [USD].

    Examples
    --------
    >>> float(ownership_usd(2.21, 72, 3)) / 1e6
    4.1817
    """
    return np.asarray(_array(usd_per_gpu_hour) * _array(gpus) * HOURS_PER_YEAR * _array(years))


def rate_from_cost(usd_per_gpu_hour: Numeric, usd_per_mtok: Numeric) -> FloatArray:
    """Rate of the counted tokens behind a cost per million [tok/s/GPU], at full utilisation.

    Examples
    --------
    >>> round(float(rate_from_cost(1.95, 0.02)))
    27083
    """
    return np.asarray(_array(usd_per_gpu_hour) / (SECONDS_PER_HOUR / TOKENS_PER_MTOK) / _array(usd_per_mtok))


def tok_s_per_mw(tok_s_per_gpu: Numeric, kw_per_gpu: Numeric) -> FloatArray:
    """Rate per megawatt of provisioned power [tok/s/MW]."""
    return np.asarray(_array(tok_s_per_gpu) * 1000.0 / _array(kw_per_gpu))


def throughput_ratio_for_cost_ratio(
    cost_ratio: Numeric, usd_per_gpu_hour: Numeric, baseline_usd: Numeric
) -> FloatArray:
    """Throughput ratio per GPU that a cost ratio needs [-].

    Examples
    --------
    >>> round(float(throughput_ratio_for_cost_ratio(15.0, 2.21, 1.41)), 1)
    23.5
    """
    return np.asarray(_array(cost_ratio) * _array(usd_per_gpu_hour) / _array(baseline_usd))
