"""Power: provisioned is not drawn, and two published vintages of provisioned kW differ by up to 27 %.

*Provisioned* all-in kW per GPU sets how many GPUs a site can hold; the vintage "2025" includes facility overhead, the
vintage "2026-07" is close to IT power alone. *Drawn* power is what the meter bills: GPU draw follows the load,
the rest of the server (CPU, NIC, fans, switches) is taken as constant, and the facility multiplies by PUE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_non_negative, check_positive, check_share
from rackecon.economics.finance import crf
from rackecon.errors import InputError


@dataclass(frozen=True)
class PhaseDraw:
    """GPU board power over TDP: waiting, and what time spent on decode and on prompts adds, all of it [-]."""

    idle: float
    decode: float
    prefill: float


def tokens_per_mw(tok_s_per_gpu: Numeric, kw_per_gpu: Numeric) -> FloatArray:
    """Tokens per second per megawatt [tok/s/MW], of whichever tokens and whichever power are given.

    By definition.

    Examples
    --------
    >>> float(tokens_per_mw(90.0, 1.73))
    52023.1
    """
    return np.asarray(np.asarray(tok_s_per_gpu, dtype=float) * 1000.0 / check_positive("kw_per_gpu", kw_per_gpu))


def joules_per_token(tok_s_per_gpu: Numeric, kw_per_gpu: Numeric) -> FloatArray:
    """Energy per token [J/token].

    Notes
    -----
    .. math:: e = 1000\\, k / x

    By definition: a watt is a joule a second.

    Examples
    --------
    >>> float(joules_per_token(6000.0, 2.10))
    0.35
    """
    with np.errstate(divide="ignore"):
        return np.asarray(
            check_non_negative("kw_per_gpu", kw_per_gpu, nan_allowed=True)
            * 1000.0
            / np.asarray(tok_s_per_gpu, dtype=float)
        )


def draw_share(draw: PhaseDraw, decode_busy_share: Numeric, prefill_busy_share: Numeric) -> FloatArray:
    """GPU board power as a share of TDP by what the GPU's time goes to [-].

    Parameters
    ----------
    draw : PhaseDraw
        From :func:`rackecon.economics.power_table.phase_draw`.
    decode_busy_share, prefill_busy_share : float or array
        Shares of GPU time that work for decode and for prompts, as a frontier gives them [-]; the rest waits.

    Returns
    -------
    ndarray
        [-], at most 1: a board is kept inside its design power.

    Notes
    -----
    .. math:: s = \\min(1, s_0 + s_d\\,t_d + s_p\\,t_p)

    Own form, fitted to measured draw (:mod:`rackecon.economics.energy`).

    Examples
    --------
    >>> float(draw_share(PhaseDraw(0.3, 0.4, 0.7), 0.5, 0.25))
    0.675
    """
    decode, prefill = np.asarray(decode_busy_share, dtype=float), np.asarray(prefill_busy_share, dtype=float)
    return np.asarray(np.clip(draw.idle + draw.decode * decode + draw.prefill * prefill, 0.0, 1.0))


def drawn_kw_per_gpu(
    tdp_w: Numeric, it_kw_per_gpu: Numeric, gpu_draw_share: Numeric, *, pue: Numeric = 1.0
) -> FloatArray:
    """Power drawn per GPU with its share of the server and network, times PUE [kW/GPU].

    Parameters
    ----------
    tdp_w : float or array
        Thermal design power of the GPU [W].
    it_kw_per_gpu : float or array
        Provisioned IT power per GPU, everything but the building (vintage 2026-07) [kW/GPU].
    gpu_draw_share : float or array
        Board power over TDP [-].
    pue : float or array
        Facility power over IT power [-], 1 or more.

    Returns
    -------
    ndarray
        [kW/GPU]; NaN where the design power or the provisioned power is not known.

    Notes
    -----
    .. math:: k = (k_{IT} - k_{TDP}(1 - s))\\, \\mathrm{PUE}

    Examples
    --------
    >>> float(drawn_kw_per_gpu(1200.0, 1.87, 0.75, pue=1.25))
    1.9625
    """
    if np.any(np.asarray(pue, dtype=float) < 1.0):
        raise InputError(f"pue must be 1 or more, got {float(np.min(np.asarray(pue, dtype=float))):g}")
    share = check_share("gpu_draw_share", gpu_draw_share)
    board = check_non_negative("tdp_w", tdp_w, nan_allowed=True) / 1000.0
    provisioned = check_positive("it_kw_per_gpu", it_kw_per_gpu, nan_allowed=True)
    return np.asarray(np.maximum(provisioned - board * (1.0 - share), board * share) * np.asarray(pue, dtype=float))


def energy_cost_usd_per_gpu_hour(drawn_kw: Numeric, electricity_usd_per_kwh: Numeric) -> FloatArray:
    """Electricity bill of a GPU for an hour [USD/GPU-hour].

    By definition.

    Examples
    --------
    >>> float(energy_cost_usd_per_gpu_hour(1.96, 0.0871))
    0.17072
    """
    return np.asarray(
        check_non_negative("drawn_kw", drawn_kw, nan_allowed=True)
        * check_non_negative("electricity_usd_per_kwh", electricity_usd_per_kwh)
    )


def gpus_for_site(
    *,
    site_mw: Numeric | None = None,
    budget_usd: Numeric | None = None,
    all_in_kw_per_gpu: Numeric = np.nan,
    usd_per_gpu: Numeric = np.nan,
) -> FloatArray:
    """GPUs that a power limit or a money limit allows; exactly one limit is given.

    Parameters
    ----------
    site_mw : float or array, optional
        Provisioned power [MW].
    budget_usd : float or array, optional
        Money to invest [USD].
    all_in_kw_per_gpu, usd_per_gpu : float or array
        What one GPU takes of it [kW], [USD].

    Returns
    -------
    ndarray
        [GPU], not rounded to racks.

    Notes
    -----
    By definition.

    Examples
    --------
    >>> float(gpus_for_site(site_mw=10.0, all_in_kw_per_gpu=1.87))
    5347.6
    """
    if (site_mw is None) == (budget_usd is None):
        raise InputError("give exactly one of site_mw and budget_usd")
    if site_mw is not None:
        return np.asarray(check_positive("site_mw", site_mw) * 1000.0 / np.asarray(all_in_kw_per_gpu, dtype=float))
    assert budget_usd is not None
    return np.asarray(check_positive("budget_usd", budget_usd) / np.asarray(usd_per_gpu, dtype=float))


def hosting_usd_per_kw_year(build_usd_per_kw: Numeric, rate_per_year: Numeric, life_years: Numeric) -> FloatArray:
    """Level yearly cost of a kW of one's own building [USD/kW-year].

    Source: capital recovery, :func:`rackecon.economics.finance.crf`.

    Examples
    --------
    >>> float(hosting_usd_per_kw_year(11_300.0, 0.10, 20.0))
    1327.29
    """
    return np.asarray(check_positive("build_usd_per_kw", build_usd_per_kw) * crf(rate_per_year, life_years))
