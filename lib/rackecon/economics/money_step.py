"""The money step: from token rates to revenue, cost and profit. The one home of these formulas.

Pages recompute this step in the browser, so it stays small, explicit and *linear in the token rates*; the
JavaScript mirror is tested against it. All amounts are per GPU and per hour of a deployed GPU, all GPUs of
the deployment counted (prefill and decode).

.. math::

    R = 3600 \\cdot 10^{-6}\\; u\\,(1 - f)\\,(1 - \\ell)\\; m\\, \\pi\\,
        [\\,x_{fresh} p_{fresh} + x_{cached} p_{cached} + x_{out} p_{out}\\,], \\qquad P = R - c

with ``u`` the share sold of what all hours of the year could serve, ``f`` the share of traffic given away, ``l`` the licence share,
``m`` the speed premium, ``pi`` the level equivalent of the price path (:func:`level_price_factor`), ``c`` the cost
per GPU-hour. By definition: an account of what is sold and paid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_fall, check_non_negative, check_share
from rackecon.economics.finance import monthly_rate, months_of
from rackecon.units import HOURS_PER_YEAR, MONTHS_PER_YEAR, SECONDS_PER_HOUR, TOKENS_PER_MTOK


@dataclass(frozen=True)
class MoneyStep:
    """Revenue, cost and profit per GPU-hour, arrays of one broadcast shape [USD/GPU-hour]."""

    gross_revenue_usd_per_gpu_hour: FloatArray
    revenue_usd_per_gpu_hour: FloatArray
    cost_usd_per_gpu_hour: FloatArray
    profit_usd_per_gpu_hour: FloatArray
    gross_margin: FloatArray
    break_even_price_factor: FloatArray
    break_even_utilisation: FloatArray


def split_rates(
    total_tok_s_per_gpu: Numeric, output_tok_s_per_gpu: Numeric, prefix_cache_hit: Numeric
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fresh input, cached input and output rates from total and output.

    Parameters
    ----------
    total_tok_s_per_gpu : float or array
        Input (cached counted) plus output tokens over all GPUs [tok/s/GPU].
    output_tok_s_per_gpu : float or array
        Output tokens only, over all GPUs [tok/s/GPU].
    prefix_cache_hit : float or array
        Share of input tokens served from cache [-].

    Returns
    -------
    tuple of ndarray
        ``(fresh, cached, output)`` [tok/s/GPU].

    Notes
    -----
    Own accounting.

    Examples
    --------
    >>> [float(x) for x in split_rates(900.0, 100.0, 0.25)]
    [600.0, 200.0, 100.0]
    """
    hit = check_share("prefix_cache_hit", prefix_cache_hit)
    total = np.asarray(total_tok_s_per_gpu, dtype=float)
    output = np.asarray(output_tok_s_per_gpu, dtype=float)
    fed = total - output
    return fed * (1.0 - hit), fed * hit, output


def mean_price_factor(price_decline_per_year: Numeric, horizon_years: Numeric) -> FloatArray:
    """Mean price over the horizon as a share of the launch price (level demand, undiscounted).

    Parameters
    ----------
    price_decline_per_year : float or array
        [share/year], below 1; below 0 it rises.
    horizon_years : float or array
        [years].

    Returns
    -------
    ndarray
        [-].

    Notes
    -----
    .. math::

        \\pi = \\frac{1}{M}\\sum_{m=1}^{M} q^{m - 1/2} = q^{1/2}\\,\\frac{1 - q^{M}}{M (1 - q)},
        \\quad q = (1 - d)^{1/12}

    Own: the geometric series of the price path.

    Examples
    --------
    >>> float(mean_price_factor(0.3, 4))
    0.53261
    """
    decline = check_fall(price_decline_per_year)
    months = months_of(horizon_years)
    log_q = np.log1p(-decline) / MONTHS_PER_YEAR
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(0.5 * log_q) * np.expm1(months * log_q) / (months * np.expm1(log_q))
    return np.asarray(np.where(decline != 0, mean, 1.0), dtype=float)


def revenue_fall(price_decline_per_year: Numeric, own_software_gain_per_year: Numeric) -> FloatArray:
    """Yearly fall of a GPU's revenue where prices fall and its own software makes more tokens [share/year]; below 0 a rise.

    Parameters
    ----------
    price_decline_per_year : float or array
        Fall of the market's price [share/year].
    own_software_gain_per_year : float or array
        Gain in tokens of the owner's own GPU by software alone [1/year].

    Returns
    -------
    ndarray
        [share/year].

    Notes
    -----
    .. math:: d_R = 1 - (1 - d)(1 + g)

    Revenue is price times tokens, both on constant yearly rates. Source: own derivation; at ``g`` equal to the gain of the
    market's best platform, revenue moves with rents alone (:func:`~rackecon.economics.market.linked_price_factor`).

    Examples
    --------
    >>> round(float(revenue_fall(0.21, 0.1)), 4)
    0.131
    """
    fall = check_fall(price_decline_per_year)
    gain = check_non_negative("own_software_gain_per_year", own_software_gain_per_year)
    return np.asarray(1.0 - (1.0 - fall) * (1.0 + gain))


def level_price_factor(rate_per_year: Numeric, price_decline_per_year: Numeric, horizon_years: Numeric) -> FloatArray:
    """The level price worth as much today as a falling one, as a share of the launch price.

    Costs per GPU-hour are level yearly equivalents at the cost of capital; revenue under falling prices is put on the
    same footing, so that a yearly profit above 0 and a net present value above 0 are the same statement.

    Parameters
    ----------
    rate_per_year, price_decline_per_year, horizon_years : float or array
        Cost of capital [1/year], price fall [share/year], horizon [years].

    Returns
    -------
    ndarray
        [-], at most 1 where prices do not rise.

    Notes
    -----
    .. math:: \\pi = \\frac{\\sum_{m=1}^{M} v^m q^{m - 1/2}}{\\sum_{m=1}^{M} v^m}, \\quad v = (1 + r)^{-1/12},\\;
        q = (1 - d)^{1/12}

    Sales are level in tokens, paid at the end of each month.

    Own: level annuity of a falling revenue, two geometric series.

    Examples
    --------
    >>> float(level_price_factor(0.10, 0.30, 4))
    0.55611
    """
    decline = check_fall(price_decline_per_year)
    months = months_of(horizon_years)
    v = np.asarray(1.0 / (1.0 + monthly_rate(check_non_negative("rate_per_year", rate_per_year))))
    q = np.power(1.0 - decline, 1.0 / MONTHS_PER_YEAR)
    return np.asarray(geometric_sum(v * q, months) / np.sqrt(q) / geometric_sum(v, months), dtype=float)


def geometric_sum(ratio: FloatArray, terms: FloatArray) -> FloatArray:
    """``ratio + ratio^2 + ... + ratio^terms``, with its limit at a ratio of 1.

    Source: the geometric series.

    Examples
    --------
    >>> float(geometric_sum(np.asarray(0.5), np.asarray(3.0)))
    0.875
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total = ratio * (1.0 - ratio**terms) / (1.0 - ratio)
    return np.asarray(np.where(np.abs(1.0 - ratio) < 1e-12, terms, total), dtype=float)


def money_step(
    *,
    total_tok_s_per_gpu: Numeric,
    output_tok_s_per_gpu: Numeric,
    price_fresh_input_usd_per_mtok: Numeric,
    price_cached_input_usd_per_mtok: Numeric,
    price_output_usd_per_mtok: Numeric,
    cost_usd_per_gpu_hour: Numeric,
    prefix_cache_hit: Numeric = 0.0,
    utilisation: Numeric = 1.0,
    licence_share: Numeric = 0.0,
    free_share: Numeric = 0.0,
    speed_premium: Numeric = 1.0,
    price_factor: Numeric = 1.0,
) -> MoneyStep:
    """Revenue, cost and profit of one GPU for one hour; every argument broadcasts.

    Parameters
    ----------
    total_tok_s_per_gpu, output_tok_s_per_gpu : float or array
        Token rates over all GPUs [tok/s/GPU]; total counts cached input.
    price_fresh_input_usd_per_mtok, price_cached_input_usd_per_mtok, price_output_usd_per_mtok : float or array
        List prices [USD per million tokens].
    cost_usd_per_gpu_hour : float or array
        All-in cost of a deployed GPU, paid whether sold or not [USD/GPU-hour].
    prefix_cache_hit : float or array
        Share of input billed as cached [-].
    utilisation : float or array
        Share of capacity sold [-].
    licence_share, free_share : float or array
        Share of revenue passed to the model's owner; share of sold traffic given away [-].
    speed_premium, price_factor : float or array
        Multipliers on the card: for interactivity, and for the level equivalent of the price path [-].

    Raises
    ------
    InputError
        Negative price or cost, a share outside 0..1.

    Examples
    --------
    >>> step = money_step(
    ...     total_tok_s_per_gpu=9000.0, output_tok_s_per_gpu=1000.0, price_fresh_input_usd_per_mtok=0.5,
    ...     price_cached_input_usd_per_mtok=0.1, price_output_usd_per_mtok=2.0, cost_usd_per_gpu_hour=2.0,
    ...     utilisation=0.5)
    >>> float(step.revenue_usd_per_gpu_hour), float(step.profit_usd_per_gpu_hour)
    (10.8, 8.8)
    """
    fresh, cached, output = split_rates(total_tok_s_per_gpu, output_tok_s_per_gpu, prefix_cache_hit)
    per_second = (
        fresh * check_non_negative("price_fresh_input_usd_per_mtok", price_fresh_input_usd_per_mtok)
        + cached * check_non_negative("price_cached_input_usd_per_mtok", price_cached_input_usd_per_mtok)
        + output * check_non_negative("price_output_usd_per_mtok", price_output_usd_per_mtok)
    ) / TOKENS_PER_MTOK
    kept = (1.0 - check_share("free_share", free_share)) * (1.0 - check_share("licence_share", licence_share))
    sold = check_share("utilisation", utilisation)
    scale = check_non_negative("speed_premium", speed_premium) * check_non_negative("price_factor", price_factor)
    gross = SECONDS_PER_HOUR * per_second * sold * scale * (1.0 - np.asarray(free_share, dtype=float))
    revenue = SECONDS_PER_HOUR * per_second * sold * scale * kept
    cost = check_non_negative("cost_usd_per_gpu_hour", cost_usd_per_gpu_hour, nan_allowed=True)
    profit = revenue - cost
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = profit / revenue
        factor = cost / revenue
        whole = factor * sold
    return MoneyStep(
        gross_revenue_usd_per_gpu_hour=np.asarray(gross),
        revenue_usd_per_gpu_hour=np.asarray(revenue),
        cost_usd_per_gpu_hour=np.asarray(cost),
        profit_usd_per_gpu_hour=np.asarray(profit),
        gross_margin=np.asarray(margin),
        break_even_price_factor=np.asarray(factor),
        break_even_utilisation=np.asarray(whole),
    )


def per_year(usd_per_gpu_hour: Numeric, gpus: Numeric = 1.0) -> FloatArray:
    """Yearly amount of a unit of ``gpus`` GPUs [USD/year], at 8,760 hours.

    Examples
    --------
    >>> float(per_year(1.86, 72))
    1173139.2
    """
    return np.asarray(np.asarray(usd_per_gpu_hour, dtype=float) * np.asarray(gpus, dtype=float) * HOURS_PER_YEAR)
