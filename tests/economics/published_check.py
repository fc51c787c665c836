"""Published costs against their own published rates."""

from __future__ import annotations

from rackecon.economics.tokens import cost_usd_per_mtok


def published_cost_check(
    published_usd_per_mtok: float,
    published_step: float,
    tok_s_per_gpu: float,
    rate_step: float,
    cost_usd_per_gpu_hour: float,
    cost_step: float = 0.01,
) -> dict[str, float | bool]:
    """Whether a published $/M follows from its own published throughput and rate, given their rounding.

    Parameters
    ----------
    published_usd_per_mtok, published_step : float
        The figure and the size of its last printed digit [USD/Mtok].
    tok_s_per_gpu, rate_step : float
        Published rate of the tokens the figure counts, and its last digit [tok/s/GPU].
    cost_usd_per_gpu_hour, cost_step : float
        Published cost and its last digit [USD/GPU-hour].

    Returns
    -------
    dict
        ``computed``, ``low``, ``high`` [USD/Mtok], ``residual`` (computed / published - 1), ``compatible``.

    Notes
    -----
    Own: interval arithmetic over the last printed digits.
    """
    computed = float(cost_usd_per_mtok(cost_usd_per_gpu_hour, tok_s_per_gpu))
    low = float(cost_usd_per_mtok(cost_usd_per_gpu_hour - cost_step / 2, tok_s_per_gpu + rate_step / 2))
    high = float(cost_usd_per_mtok(cost_usd_per_gpu_hour + cost_step / 2, tok_s_per_gpu - rate_step / 2))
    near, far = published_usd_per_mtok - published_step / 2, published_usd_per_mtok + published_step / 2
    return {
        "computed": computed,
        "low": low,
        "high": high,
        "residual": computed / published_usd_per_mtok - 1.0,
        "compatible": bool(low <= far * (1 + 1e-12) and high >= near * (1 - 1e-12)),
    }
