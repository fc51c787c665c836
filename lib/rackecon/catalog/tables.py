"""Whole tables as data frames, for analysis; small records have their own light readers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rackecon.catalog.paths import Stamp, read_rows, table_stamp

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["table"]


def table(name: str) -> pd.DataFrame:
    """A table of data/ as a data frame, the user's own rows last; a copy, so that a caller may change it.

    Examples
    --------
    >>> len(table("measured_serving")) > 1600
    True
    """
    return _frame(name, table_stamp(name)).copy()


@lru_cache(maxsize=64)
def _frame(name: str, stamp: Stamp) -> pd.DataFrame:
    import csv
    import io

    import pandas as pd

    if len(stamp) == 1:
        return pd.read_csv(stamp[0][0], low_memory=False)
    # one text, so that the user's rows cannot change how a column is typed
    rows, joined = read_rows(name), io.StringIO()
    writer = csv.DictWriter(joined, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    joined.seek(0)
    return pd.read_csv(joined, low_memory=False)
