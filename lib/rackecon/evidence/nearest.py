"""The measured points nearest to a question, each with what the model predicts for it from other curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rackecon import catalog

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["nearest_points"]

# Distance of two conditions: one unit for another accelerator, model or mode, less for what moves a rate less
MISMATCH = {"accelerator": 1.0, "model": 1.0, "mode": 0.7, "weight_precision": 0.5, "engine": 0.3, "speculative": 0.3}
OCTAVE = {"isl": 0.15, "osl": 0.15, "concurrency": 0.1}  # per doubling


def nearest_points(conditions: Mapping[str, Any], count: int = 5) -> pd.DataFrame:
    """Measured points nearest to some conditions.

    Parameters
    ----------
    conditions : mapping
        Any of accelerator, model, mode, weight_precision, engine, speculative, isl, osl, concurrency.
    count : int
        How many.

    Returns
    -------
    pandas.DataFrame
        Rows of data/validation_points.csv with ``distance`` (0: the same conditions) and ``error_pct`` of the held-out
        prediction of total tokens per second and GPU [%].

    Examples
    --------
    >>> asked = {"accelerator": "b200-hgx", "model": "deepseek-r1", "mode": "aggregated", "isl": 1024, "osl": 1024}
    >>> set(nearest_points(asked, 3)["accelerator"])
    {'b200-hgx'}
    """
    table = catalog.table("validation_points")
    distance = np.zeros(len(table))
    for name, cost in MISMATCH.items():
        if conditions.get(name):
            distance += cost * (table[name].fillna("none").astype(str) != str(conditions[name])).to_numpy()
    for name, cost in OCTAVE.items():
        if conditions.get(name):
            ratio = table[name].to_numpy(dtype=float) / float(conditions[name])
            distance += cost * np.nan_to_num(np.abs(np.log2(ratio)), nan=3.0)
    table["distance"] = distance
    measured, predicted = table["measured_total_tok_s_per_gpu"], table["held_out_total_tok_s_per_gpu"]
    table["error_pct"] = 100.0 * (predicted / measured - 1.0)
    return table.sort_values(["distance", "point_id"], kind="stable").head(count).reset_index(drop=True)
