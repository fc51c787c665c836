"""Shares of a chip's own peaks that kernels reach: central values of the kernel fits (data/kernel_fits.csv).

Fitted parameters multiply them by family. Chips without kernel measurements of their own take the general value.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rackecon.catalog import Accelerator

__all__ = ["ATTENTION_SHARE", "BANDWIDTH_SHARE", "KV_BANDWIDTH_SHARE", "product_share"]

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


def product_share(chip: Accelerator, precision: str) -> float:
    """Share of the chip's own peak in large products: a format that runs in a wider one reaches that one's share.

    Parameters
    ----------
    chip : Accelerator
    precision : str
        ``bf16``, ``fp8``, ``fp4`` or ``int4``.

    Examples
    --------
    >>> from rackecon.catalog import accelerator
    >>> product_share(accelerator("b200-hgx"), "fp4"), product_share(accelerator("gb300-nvl72"), "fp4")
    (0.4, 0.32)
    """
    for step in {"fp4": ("fp4", "bf16"), "fp8": ("fp8", "bf16"), "int4": ("bf16",), "bf16": ("bf16",)}[precision]:
        if np.isfinite(getattr(chip, f"peak_{step}_flops")):
            own = (chip.kernel_hw, step) if chip.vendor == "nvidia" else ("", "")
            return OWN_PRODUCT_SHARE.get(own, PRODUCT_SHARE[step])
    return PRODUCT_SHARE["bf16"]
