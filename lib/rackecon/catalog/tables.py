"""Whole tables as data frames, for analysis; small records have their own light readers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rackecon.catalog.paths import table_path

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["table"]


def table(name: str) -> pd.DataFrame:
    """A table of data/ as a data frame; a copy, so that a caller may change it.

    Examples
    --------
    >>> len(table("measured_serving")) > 1600
    True
    """
    path = table_path(name)
    return _frame(str(path), path.stat().st_mtime_ns).copy()


@lru_cache(maxsize=64)
def _frame(path: str, _modified: int) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(path, low_memory=False)
