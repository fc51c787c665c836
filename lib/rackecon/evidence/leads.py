"""Who leads a comparison, and who cannot be told from it: one order, one error, one way to say a tie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.evidence.novelty import platform_named
from rackecon.words import join_named

if TYPE_CHECKING:
    import pandas as pd


@by_data(1, "validation_scores")
def rate_error() -> float:
    """Median error of predicted tokens per second and GPU on curves that calibration did not see, a share.

    Examples
    --------
    >>> 0.0 < rate_error() < 1.0
    True
    """
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])["median_pct"].astype(float)
    return float(scores["held-out curves", "all with load", "total_tok_s_per_gpu"]) / 100.0


def in_order(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows of one comparison, most first, equal ones by accelerator id, those without a figure last: the order of every page.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"accelerator": ["b", "a", "c"], "profit": [1.0, 1.0, 2.0]})
    >>> in_order(rows, "profit")["accelerator"].tolist()
    ['c', 'a', 'b']
    """
    return rows.sort_values([by, "accelerator"], ascending=[False, True], na_position="last", kind="stable")


def ahead(rows: pd.DataFrame, by: str, error: float | None = None) -> pd.DataFrame:
    """Rows that lead one comparison: the first, and those that it would not beat with its token rate too high by the error.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``accelerator``, a profit column and the revenue of the same name.
    by : str
        The profit column.
    error : float, optional
        A share; :func:`rate_error` by default.

    Returns
    -------
    pandas.DataFrame
        Of the rows with a figure, in order; empty where there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"accelerator": ["a", "b", "c"], "profit_usd": [9.0, 8.5, 5.0], "revenue_usd": 10.0})
    >>> ahead(rows, "profit_usd", 0.1)["accelerator"].tolist()
    ['a', 'b']
    """
    known = in_order(rows[rows[by].notna()], by)
    if known.empty:
        return known
    revenue = float(known[by.replace("profit", "revenue", 1)].iloc[0])
    share = rate_error() if error is None else error
    return known[known[by] >= float(known[by].iloc[0]) - share * max(revenue, 0.0)]


def lead_words(platforms: Iterable[str]) -> str:
    """Who leads, in a cell of a table: a tie said as one, and what was never measured.

    Examples
    --------
    >>> lead_words(["B200"]), lead_words(["B200", "TPU v7"]), lead_words([])
    ('B200', 'tie: B200 and TPU v7 (unmeasured platform)', '')
    """
    names = [platform_named(name) for name in platforms]
    return f"tie: {join_named(names)}" if len(names) > 1 else "".join(names)
