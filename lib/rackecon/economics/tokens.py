"""What a million tokens costs to make: counting rules kept apart and named.

``total`` divides by input plus output (the dashboards' rule), ``output_only`` lays all cost on generated
tokens, ``gpu_seconds`` charges each phase with the GPU-seconds it used, ``price_ratio`` splits so that an
output token costs ``k`` input tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_non_negative, check_share
from rackecon.economics.money_step import level_price_factor, split_rates
from rackecon.errors import check_known
from rackecon.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK

AllocationRule = Literal["gpu_seconds", "output_only", "price_ratio"]
ALLOCATION_RULES: tuple[AllocationRule, ...] = ("gpu_seconds", "output_only", "price_ratio")
OUTPUT_WEIGHT: Final = 4.0
"""Input tokens that an output token is as dear as by ``price_ratio`` [-]: the feed of InferenceX takes an input token as 0.25 of one."""


@dataclass(frozen=True)
class TokenCost:
    """Cost per million tokens under a named allocation rule [USD/Mtok]."""

    rule: str
    total: FloatArray
    output: FloatArray
    fresh_input: FloatArray
    cached_input: FloatArray


def cost_usd_per_mtok(cost_usd_per_gpu_hour: Numeric, tok_s_per_gpu: Numeric, utilisation: Numeric = 1.0) -> FloatArray:
    """Cost per million of whichever tokens the rate counts.

    Parameters
    ----------
    cost_usd_per_gpu_hour : float or array
        [USD/GPU-hour].
    tok_s_per_gpu : float or array
        Rate over all GPUs [tok/s/GPU]: total tokens give $/M total, output tokens give all cost on outputs.
    utilisation : float or array
        Share of capacity sold [-]; published $/M figures use 1, and so does a rate already averaged over idle
        hours.

    Returns
    -------
    ndarray
        [USD per million tokens]; inf where the rate or utilisation is 0.

    Notes
    -----
    .. math:: k = \\frac{c}{3600 \\cdot 10^{-6}\\, x\\, u}

    Source: InferenceX cost metric (inferencex_method, section 2).

    Examples
    --------
    >>> float(cost_usd_per_mtok(2.65, 6000.0))
    0.12269
    """
    cost = check_non_negative("cost_usd_per_gpu_hour", cost_usd_per_gpu_hour, nan_allowed=True)
    sold = np.asarray(tok_s_per_gpu, dtype=float) * check_share("utilisation", utilisation)
    with np.errstate(divide="ignore"):
        return np.asarray(cost / (sold * SECONDS_PER_HOUR / TOKENS_PER_MTOK), dtype=float)


def token_cost(
    cost_usd_per_gpu_hour: Numeric,
    total_tok_s_per_gpu: Numeric,
    output_tok_s_per_gpu: Numeric,
    *,
    prefill_gpu_share: Numeric = np.nan,
    prefix_cache_hit: Numeric = 0.0,
    utilisation: Numeric = 1.0,
    rule: str = "gpu_seconds",
) -> TokenCost:
    """Cost per million total, output, fresh input and cached input tokens.

    Parameters
    ----------
    cost_usd_per_gpu_hour : float or array
        [USD/GPU-hour].
    total_tok_s_per_gpu, output_tok_s_per_gpu : float or array
        Rates over all GPUs [tok/s/GPU]; total counts cached input.
    prefill_gpu_share : float or array
        Share of GPU-seconds spent on prefill [-]; needed by ``gpu_seconds``.
    prefix_cache_hit, utilisation : float or array
        Cached share of input; share of capacity sold [-].
    rule : str
        One of :data:`ALLOCATION_RULES`: by GPU-seconds, in which cached input takes none; all on output; or an output token
        as dear as :data:`OUTPUT_WEIGHT` of input.

    Examples
    --------
    >>> cost = token_cost(2.0, 9000.0, 1000.0, prefill_gpu_share=0.4)
    >>> float(cost.total), float(cost.output), float(cost.fresh_input)
    (0.061728, 0.33333, 0.027778)
    """
    check_known("allocation rule", rule, ALLOCATION_RULES)
    fresh, cached, output = split_rates(total_tok_s_per_gpu, output_tok_s_per_gpu, prefix_cache_hit)
    total = cost_usd_per_mtok(cost_usd_per_gpu_hour, total_tok_s_per_gpu, utilisation)
    money = np.asarray(cost_usd_per_gpu_hour, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if rule == "output_only":
            zero = np.zeros_like(total)
            return TokenCost(rule, total, cost_usd_per_mtok(money, output, utilisation), zero, zero)
        if rule == "price_ratio":
            per_input = cost_usd_per_mtok(money, fresh + cached + output * OUTPUT_WEIGHT, utilisation)
            return TokenCost(rule, total, per_input * OUTPUT_WEIGHT, per_input, per_input)
        share = check_share("prefill_gpu_share", prefill_gpu_share)
        per_fresh = cost_usd_per_mtok(money * share, fresh, utilisation)
        per_output = cost_usd_per_mtok(money * (1.0 - share), output, utilisation)
        return TokenCost(rule, total, per_output, per_fresh, np.zeros_like(total))


def launch_price_factor(rate_per_year: Numeric, price_decline_per_year: Numeric, horizon_years: Numeric) -> FloatArray:
    """Launch price that breaks even under falling prices, over the flat levelised cost.

    Parameters
    ----------
    rate_per_year, price_decline_per_year, horizon_years : float or array
        Cost of capital [1/year], price fall [share/year], horizon [years].

    Returns
    -------
    ndarray
        [-], 1 or more.

    Notes
    -----
    .. math:: \\frac{p_{launch}}{p_{flat}} = \\frac{\\sum_m v^m}{\\sum_m v^m q^{m - 1/2}}

    The inverse of :func:`~rackecon.economics.money_step.level_price_factor`.

    Own derivation.

    Examples
    --------
    >>> float(launch_price_factor(0.10, 0.30, 4))
    1.7982
    """
    return np.asarray(1.0 / level_price_factor(rate_per_year, price_decline_per_year, horizon_years))
