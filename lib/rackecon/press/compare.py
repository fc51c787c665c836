"""What differs between two runs: parameters, data, results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rackecon.errors import InputError
from rackecon.lazy import pd

ABSENT = "absent"


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Entries that two mappings do not share, in order of the first, then of the second.

    Examples
    --------
    >>> differences({"a": 1, "b": 2}, {"b": 3, "a": 1, "c": 4})
    {'b': (2, 3), 'c': ('absent', 4)}
    """
    names = list(dict.fromkeys([*first, *second]))
    pairs = {name: (first.get(name, ABSENT), second.get(name, ABSENT)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def sweep_differences(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Columns of two sweeps' points that differ, with the median and largest relative change.

    Parameters
    ----------
    first, second : pandas.DataFrame
        Sweeps with ``point``; those of both are compared.

    Returns
    -------
    pandas.DataFrame
        ``column, points, median_change, largest_change``: points that differ, changes relative to the first [-].

    Raises
    ------
    InputError
        No point in common.
    """
    both = first.merge(second, on="point", suffixes=("_a", "_b"))
    if both.empty:
        raise InputError("the two sweeps have no point in common")
    rows = []
    for name in first.columns:
        if name == "point" or name not in second.columns:
            continue
        a, b = both[f"{name}_a"], both[f"{name}_b"]
        changed = ((a != b) & ~(a.isna() & b.isna())).to_numpy()
        if not changed.any():
            continue
        share = np.array([np.nan])
        if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
            with np.errstate(divide="ignore", invalid="ignore"):
                share = (b.to_numpy(dtype=float) / a.to_numpy(dtype=float) - 1.0)[changed]
            share = share[np.isfinite(share)] if np.isfinite(share).any() else np.array([np.nan])
        largest = float(share[np.argmax(np.abs(share))])
        rows.append((name, int(changed.sum()), float(np.median(share)), largest))
    return pd.DataFrame(rows, columns=["column", "points", "median_change", "largest_change"])
