"""Prices as a market sets them: what an entrant must charge, what rent a revenue implies, how many racks demand takes.

Rates count *total* tokens (input, cached counted, plus output) over all GPUs unless a name says otherwise.
"""

from __future__ import annotations

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_non_negative, check_positive, check_share
from rackecon.economics.money_step import level_price_factor
from rackecon.errors import InputError
from rackecon.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK


def linked_price_factor(rent_factor: Numeric, throughput_factor: Numeric, years: Numeric = 1.0) -> FloatArray:
    """Price of a token after some years over today's, where competition passes rent and software on [-].

    Parameters
    ----------
    rent_factor, throughput_factor : float or array
        Rent and throughput of one GPU a year from now over today's [1/year].
    years : float or array
        Time passed [years].

    Returns
    -------
    ndarray
        [-].

    Notes
    -----
    .. math:: p(t) / p(0) = (r / g)^t

    A token costs rent over throughput; with free entry its price follows. Revenue of a GPU (price times its own
    throughput) then moves with rent alone: price and throughput must never be moved one without the other.
    Source: own derivation; B200 from February to June 2026, 1.15 / 1.45 (data/price_paths.csv).

    Examples
    --------
    >>> round(float(linked_price_factor(1.15, 1.45)), 3)
    0.793
    """
    rent = check_positive("rent_factor", rent_factor)
    made = check_positive("throughput_factor", throughput_factor)
    return np.asarray((rent / made) ** np.asarray(years, dtype=float))


def entrant_price_usd_per_mtok(
    rent_usd_per_gpu_hour: Numeric,
    total_tok_s_per_gpu: Numeric,
    *,
    utilisation: Numeric,
    wacc: Numeric = 0.0,
    rent_factor: Numeric = 1.0,
    term_years: Numeric = 3.0,
    kept_share: Numeric = 1.0,
) -> FloatArray:
    """Launch price at which a newcomer on rented accelerators just earns its cost of capital [USD/Mtok, total tokens].

    Parameters
    ----------
    rent_usd_per_gpu_hour : float or array
        Rent fixed for the term, power and hosting included [USD/GPU-hour].
    total_tok_s_per_gpu : float or array
        What the rented GPU delivers when busy [tok/s/GPU].
    utilisation : float or array
        Share of capacity sold [-].
    wacc : float or array
        Cost of capital [1/year].
    rent_factor : float or array
        Revenue of a GPU a year from now over today's, as the linked path gives it [1/year].
    term_years : float or array
        Length of the contract [years].
    kept_share : float or array
        Share of sold tokens' value that is kept after free traffic and licences [-].

    Returns
    -------
    ndarray
        [USD/Mtok].

    Notes
    -----
    .. math:: p = \\frac{10^6\\, r}{3600\\, x\\, u\\, k\\, \\pi},\\quad
        \\pi = \\frac{\\sum_m v^m q^{m-1/2}}{\\sum_m v^m}

    ``r`` rent, ``x`` rate, ``u`` share sold, ``k`` share kept; ``pi`` is :func:`~rackecon.economics.money_step.level_price_factor`
    of the revenue's decline: the rent is level over its term while revenue follows the market. Source: own derivation
    (present value of revenue equals that of rent).

    Examples
    --------
    >>> round(float(entrant_price_usd_per_mtok(3.6, 10_000.0, utilisation=0.5)), 4)
    0.2
    """
    rent = check_non_negative("rent_usd_per_gpu_hour", rent_usd_per_gpu_hour, nan_allowed=True)
    rate = check_positive("total_tok_s_per_gpu", total_tok_s_per_gpu)
    sold = check_positive("utilisation", check_share("utilisation", utilisation))
    kept = check_positive("kept_share", check_share("kept_share", kept_share))
    factor = check_positive("rent_factor", rent_factor)
    if bool(np.any(factor > 1.0)):
        growth = np.asarray(factor, dtype=float)
        raise InputError(f"rent_factor {growth.max():g} is above 1: an entrant's price assumes that rents do not rise")
    level = level_price_factor(wacc, 1.0 - factor, term_years)
    return np.asarray(rent * TOKENS_PER_MTOK / (SECONDS_PER_HOUR * rate * sold * kept * level))


def years_to_fall(price_factor: Numeric, fall_per_year: Numeric) -> FloatArray:
    """Years until a price that falls by a share a year is a factor of today's [years].

    Parameters
    ----------
    price_factor : float or array
        Price at the end over today's [-].
    fall_per_year : float or array
        Share that the price loses in a year [1/year].

    Returns
    -------
    ndarray
        [years]; 0 where it is there today, infinite where it does not fall.

    Notes
    -----
    .. math:: t = \\ln(p / p_0) / \\ln(1 - d)

    Own derivation.

    Examples
    --------
    >>> years_to_fall([0.25, 0.25, 2.0], [0.5, 0.0, 0.5]).tolist()
    [2.0, inf, 0.0]
    """
    left = np.minimum(check_positive("price_factor", price_factor), 1.0)
    kept = 1.0 - np.asarray(check_share("fall_per_year", fall_per_year))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left == 1.0, 0.0, np.abs(np.log(left) / np.log(kept)))


def rent_multiple(revenue_usd_per_gpu_hour: Numeric, rent_usd_per_gpu_hour: Numeric) -> FloatArray:
    """Revenue of a GPU-hour over the market rent of the same part [-]: what a renter would take in for each dollar paid;
    NaN where a figure is missing.

    Own definition.

    Examples
    --------
    >>> float(rent_multiple(20.4, 4.0))
    5.1
    """
    rent = check_non_negative("rent_usd_per_gpu_hour", rent_usd_per_gpu_hour, nan_allowed=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.asarray(revenue_usd_per_gpu_hour, dtype=float) / rent)


def demand_share(sold_tokens_per_day: Numeric, market_tokens_per_day: Numeric) -> FloatArray:
    """Share of a market's tokens that a unit of capacity would have to win [-]; above 1 the market cannot fill it;
    NaN where the capacity is unknown.

    Own definition.

    Examples
    --------
    >>> float(demand_share(30e9, 120e9))
    0.25
    """
    market = check_positive("market_tokens_per_day", market_tokens_per_day)
    return np.asarray(check_non_negative("sold_tokens_per_day", sold_tokens_per_day, nan_allowed=True) / market)


def api_break_even_tokens_per_day(cost_usd_per_day: Numeric, api_usd_per_mtok: Numeric) -> FloatArray:
    """Tokens a day above which own or rented capacity costs less than buying them from an API [tokens/day].

    Own: equal cost of a day.

    Examples
    --------
    >>> float(api_break_even_tokens_per_day(8 * 24 * 3.0, 0.36))
    1600000000.0
    """
    price = check_positive("api_usd_per_mtok", api_usd_per_mtok)
    return np.asarray(check_non_negative("cost_usd_per_day", cost_usd_per_day) / price * TOKENS_PER_MTOK)
