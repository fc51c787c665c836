"""Who leads a comparison, and who cannot be told from it: one order, one rule, one way to say a tie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.evidence.intervals import Z90, rate_factors, row_factors
from rackecon.evidence.novelty import platform_named
from rackecon.lazy import pd
from rackecon.words import join_named

DECIDED_SHARE: Final = 0.8
"""Share of cases in which a platform must come first for its lead to be called."""
WITHIN: Final = 0.8416212335729143 / Z90
"""How far that share reaches, of the half width of a 90 % interval: the normal's 80 % quantile over its 95 %."""
LEAST_RATE: Final = 1e-6
"""Least factor on a rate."""


@by_data(1, "validation_physics")
def rate_error() -> float:
    """Median error of searched tokens per second and GPU at a speed, on curves that calibration did not see, a share.

    Examples
    --------
    >>> 0.0 < rate_error() < 1.0
    True
    """
    scores = catalog.table("validation_physics").set_index(["scheme", "slice"])["median_pct"].astype(float)
    return float(scores["searched fronts", "at equal speed"]) / 100.0


def least_lead(below: float | FloatArray, above: float | FloatArray) -> FloatArray:
    """How far a rate must be ahead of another to be called so [log]: by how far 90 % reach below the first and above the other.

    Examples
    --------
    >>> float(least_lead(0.3, 0.4))
    0.255834
    """
    return np.asarray(WITHIN * np.hypot(below, above))


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


def ahead(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows that lead one comparison of profit: the first, and those that cannot be told from it.

    Another cannot be told from the first where, by the errors of the two token rates alone, the first would earn more in
    fewer than :data:`DECIDED_SHARE` of measurements; prices and costs are held.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``accelerator``, a profit column and the revenue of the same name, and what 90 % of rates lie between: the ends of
        the profit, or of ``total_tok_s_per_gpu``, or ``model`` and ``mode``, whose interval is then looked up.
    by : str
        The profit column.

    Returns
    -------
    pandas.DataFrame
        Of the rows with a figure, in order; empty where there is none.

    Notes
    -----
    With half widths :math:`l_1` of the first below and :math:`h_2` of the other above, in logarithms of the rate at 90 %,
    and :math:`k = z_{0.8} / z_{0.95}`:

    .. math:: p_1 - p_2 \\le \\sqrt{R_1^2 (1 - e^{-k l_1})^2 + R_2^2 (e^{k h_2} - 1)^2}

    Own: errors of the two taken as independent, as in :func:`rackecon.evidence.intervals.ratio_ends`; those of public sweeps
    are (:mod:`rackecon.evidence.orders`).

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"accelerator": ["a", "b", "c"], "profit_usd": [9.0, 8.5, 5.0], "revenue_usd": 10.0})
    >>> rows = rows.assign(profit_usd_low=rows["profit_usd"] - 2.0, profit_usd_high=rows["profit_usd"] + 3.0)
    >>> ahead(rows, "profit_usd")["accelerator"].tolist()
    ['a', 'b']
    """
    known = in_order(rows[rows[by].notna()], by)
    if known.empty:
        return known
    profit = known[by].to_numpy(dtype=float)
    revenue = np.maximum(known[by.replace("profit", "revenue", 1)].to_numpy(dtype=float), 0.0)
    below, above = _rate_ends(known, by, profit, revenue)
    room = np.hypot(revenue[0] * (1.0 - np.exp(-WITHIN * below[0])), revenue * np.expm1(WITHIN * above))
    return known.iloc[np.flatnonzero(profit[0] - profit <= np.nan_to_num(room))]


def _rate_ends(rows: pd.DataFrame, by: str, profit: FloatArray, revenue: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Half widths of 90 % of each row's rate, below and above, in logarithms."""
    if f"{by}_low" in rows:
        paid = np.where(revenue > 0.0, revenue, np.nan)
        ends = [1.0 + (rows[f"{by}_{end}"].to_numpy(dtype=float) - profit) / paid for end in ("low", "high")]
    elif "total_tok_s_per_gpu_low" in rows:
        ends = list(rate_factors(rows).values())
    else:
        ends = list(row_factors(rows).T)
    low, high = (np.nan_to_num(end, nan=1.0) for end in ends)
    return -np.log(np.maximum(low, LEAST_RATE)), np.log(np.maximum(high, 1.0))


def level(rows: pd.DataFrame, by: str, *, most: bool = True) -> pd.DataFrame:
    """Rows that lead one comparison of a rate or of a cost per token: the first, and those that cannot be told from it.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``accelerator``, and a column with its ends of 90 %, ``_low`` and ``_high``.
    by : str
        The column.
    most : bool
        Whether the highest leads; the lowest otherwise.

    Returns
    -------
    pandas.DataFrame
        As :func:`ahead`, whose rule it is for what is proportional to the rate or to its inverse.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"accelerator": ["a", "b", "c"], "cost": [1.0, 1.1, 2.0]})
    >>> rows = rows.assign(cost_low=0.8 * rows["cost"], cost_high=1.25 * rows["cost"])
    >>> level(rows, "cost", most=False)["accelerator"].tolist()
    ['a', 'b']
    """
    known = rows[rows[by].notna()]
    known = known.sort_values([by, "accelerator"], ascending=[not most, True], kind="stable")
    if known.empty:
        return known
    value, low, high = (np.log(known[f"{by}{end}"].to_numpy(dtype=float)) for end in ("", "_low", "_high"))
    worse, better = (value - low, high - value) if most else (high - value, value - low)
    kept = np.abs(value - value[0]) <= least_lead(worse[0], better)
    kept[0] = True
    return known.iloc[np.flatnonzero(kept)]


def behind(rows: pd.DataFrame, first: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows of one comparison that neither lead nor tie, most first.

    Who ties need not be the nearest by middle values: one of a wide error ties past one of a narrow.

    Parameters
    ----------
    rows : pandas.DataFrame
    first : pandas.DataFrame
        What :func:`ahead` found in them.
    by : str
        The profit column.

    Examples
    --------
    >>> rows = pd.DataFrame({"accelerator": ["a", "b", "c"], "profit": [9.0, 6.0, 5.0]})
    >>> behind(rows, rows.iloc[[0, 2]], "profit")["accelerator"].tolist()
    ['b']
    """
    return in_order(rows[rows[by].notna() & ~rows["accelerator"].isin(first["accelerator"])], by)


def lead_words(platforms: Iterable[str], *, loses: bool = False) -> str:
    """Who leads, in a cell of a table: a tie said as one, who loses least where nobody earns, and what was never measured.

    Examples
    --------
    >>> lead_words(["B200"]), lead_words(["B200", "TPU v7"]), lead_words([])
    ('B200', 'tie: B200 and TPU v7 (unmeasured)', '')
    >>> lead_words(["B200"], loses=True), lead_words(["B200", "H200"], loses=True)
    ('least loss: B200', 'least loss: B200 and H200')
    """
    names = [platform_named(name) for name in platforms]
    before = "least loss: " if loses and names else "tie: " if len(names) > 1 else ""
    return before + join_named(names)
