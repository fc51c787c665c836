"""90 % predictive intervals: how far a measurement under the same conditions lies from the prediction, nine times in ten.

The scale comes from held-out residuals (data/residual_scales.csv): by mode and vendor where the platform and the model
have been measured, from leave-one-out residuals where one of them has not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import Row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["add_intervals", "evidence_class", "interval_factors", "measured_pairs"]

QUANTITIES = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")
RATES = {
    "total_tok_s_per_gpu": "total_tok_s_per_gpu",
    "output_tok_s_per_gpu": "total_tok_s_per_gpu",
    "tok_s_per_user": "tok_s_per_user",
    "ttft_ms": "ttft_ms",
}


@by_data(1, "residual_scales")
def _table() -> dict[tuple[str, str], tuple[float, float]]:
    found = {}
    for line, cells in enumerate(catalog.read_rows("residual_scales"), start=2):
        row = Row("residual_scales", line, cells)
        found[row.text("evidence"), row.text("quantity")] = (row.number("log_low"), row.number("log_high"))
    return found


@by_data(1, "measured_serving")
def measured_pairs() -> tuple[frozenset[str], frozenset[str]]:
    """Accelerators and models that have measured serving rows."""
    rows = catalog.read_rows("measured_serving")
    return frozenset(r["accelerator"] for r in rows), frozenset(r["model"] for r in rows)


def evidence_class(accelerator: str, model: str, mode: str) -> str:
    """Class of evidence behind a prediction.

    Examples
    --------
    >>> evidence_class("gb200-nvl72", "deepseek-r1", "disaggregated"), evidence_class("tpu-v7", "deepseek-r1", "aggregated")
    ('disaggregated nvidia', 'new accelerator other')
    """
    vendor = catalog.accelerator(accelerator).vendor
    chips, archs = measured_pairs()
    known = vendor if vendor in ("nvidia", "amd") else "other"
    if accelerator not in chips or known == "other":
        return f"new accelerator {known}"
    if model not in archs:
        return f"new model {known}"
    return f"{'disaggregated' if mode == 'disaggregated' else 'aggregated'} {known}"


def interval_factors(accelerator: str, model: str, mode: str, quantity: str) -> tuple[float, float]:
    """Factors on a prediction that give the ends of its 90 % interval.

    Parameters
    ----------
    accelerator, model, mode : str
        Ids and serving mode.
    quantity : str
        ``total_tok_s_per_gpu``, ``output_tok_s_per_gpu``, ``tok_s_per_user`` or ``ttft_ms``.

    Returns
    -------
    tuple of float
        ``(low, high)`` [-], below and above 1.
    """
    table, wanted = _table(), RATES[quantity]
    name = evidence_class(accelerator, model, mode)
    low, high = table.get((name, wanted)) or table[f"new accelerator {name.rsplit(' ', 1)[1]}", wanted]
    return float(np.exp(low)), float(np.exp(high))


def add_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The table with ``_low`` and ``_high`` columns for each rate and latency it has, and the class of evidence."""
    out = table.copy()
    rows = list(zip(out["accelerator"], out["model"], out["mode"], strict=True))
    out["evidence"] = [evidence_class(*row) for row in rows]
    for quantity in RATES:
        if quantity not in out:
            continue
        factors = np.array([interval_factors(*row, quantity) for row in rows]).reshape(-1, 2)
        out[f"{quantity}_low"] = out[quantity] * factors[:, 0]
        out[f"{quantity}_high"] = out[quantity] * factors[:, 1]
    return out
