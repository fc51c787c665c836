"""Shares of a chip's own peaks that kernels reach: central values of the kernel fits (data/kernel_fits.csv).

Fitted parameters multiply them by family. Chips without kernel measurements of their own take the general value.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog import Accelerator
from rackecon.catalog.accelerators import LADDERS

PRODUCT_SHARE: Final = {"bf16": 0.72, "fp8": 0.58, "fp4": 0.40, "int4": 0.60}
"""Of arithmetic in large products, by the format they run in (fits ``gemm``, measured at 4,096 rows and more)."""
OWN_PRODUCT_SHARE: Final = {("gb300", "fp4"): 0.32}
"""Where a generation stands apart: its 4-bit peak is three times its 8-bit one, and products follow only in part."""
BANDWIDTH_SHARE: Final = {"bf16": 0.82, "fp8": 0.78, "fp4": 0.65, "int4": 0.65}
"""Of HBM bandwidth in products that wait for their weights (fits ``gemm``, ``em``)."""
ATTENTION_SHARE: Final = {"bf16": 0.50, "fp8": 0.33}
"""Of arithmetic in attention, by the format of the cache (fits ``prefill_attn_gqa``, ``ec``)."""
KV_BANDWIDTH_SHARE: Final = 0.78
"""Of HBM bandwidth in reading the cache (fits ``decode_attn_gqa``, ``em``)."""
MOST_BANDWIDTH: Final = 0.92
"""Of HBM bandwidth that nothing exceeds: published copy and triad runs end at 0.90 to 0.93 of the pin rate."""
SHARPNESS: Final = 8.0
"""How sharply the reached share bends to that end: half the end is reached to 0.05 %."""


def reached_bandwidth(peak: FloatArray, share: FloatArray) -> FloatArray:
    """Bandwidth that a share of the peak comes to, bent so as to stay below :data:`MOST_BANDWIDTH` [bytes/s].

    Parameters
    ----------
    peak : array
        HBM bandwidth [bytes/s].
    share : array
        Share of it that the kernel tables and a fitted multiplier say [-].

    Notes
    -----
    .. math:: b = W s (1 + (s / 0.92)^8)^{-1/8}

    Smooth, so that a fit keeps a slope, and below 0.92 of the peak whatever the multiplier.

    Own form.

    Examples
    --------
    >>> [round(float(reached_bandwidth(np.array(1.0), np.array(s))), 3) for s in (0.46, 0.8, 1.2)]
    [0.46, 0.772, 0.907]
    """
    return np.asarray(peak * share * (1.0 + (share / MOST_BANDWIDTH) ** SHARPNESS) ** (-1.0 / SHARPNESS))


def product_share(chip: Accelerator, precision: str) -> float:
    """Share of the chip's own peak in large products: a format that runs in a wider one reaches that one's share.

    Parameters
    ----------
    precision : str
        ``bf16``, ``fp8``, ``fp4`` or ``int4``.

    Examples
    --------
    >>> from rackecon.catalog import accelerator
    >>> product_share(accelerator("b200-hgx"), "fp4"), product_share(accelerator("gb300-nvl72"), "fp4")
    (0.4, 0.32)
    """
    for step in LADDERS[precision]:
        if np.isfinite(getattr(chip, f"peak_{step}_flops")):
            own = (chip.kernel_hw, step) if chip.vendor == "nvidia" else ("", "")
            return OWN_PRODUCT_SHARE.get(own, PRODUCT_SHARE[step])
    return PRODUCT_SHARE["bf16"]
