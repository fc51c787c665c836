"""Who is ahead of whom: the order of two platforms by searched fronts against that by their public sweeps, held out."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.evidence.leads import least_lead
from rackecon.lazy import pd

QUESTION: Final = ("model", "isl", "osl")
PLACES: Final = 3
"""Speeds at which two sweeps are compared, evenly over the logs of what both reach."""
NARROW: Final = 1.5
"""How many times what a lead must exceed, up to which it is called narrowly."""
CALLS: Final = ("too close to call", "called narrowly", "called clearly")


def orders(points: pd.DataFrame) -> pd.DataFrame:
    """Every two public sweeps of one model and lengths on two platforms, at speeds that both reach.

    Parameters
    ----------
    points : pandas.DataFrame
        Of :func:`rackecon.evidence.fronts.front_points`.

    Returns
    -------
    pandas.DataFrame
        ``first`` and ``second`` platform, ``model, isl, osl, shuffle``, ``error_first, error_second`` (log of measured over
        searched), ``predicted`` and ``measured`` (log of the first rate over the second), and ``limit``: what a predicted
        lead must exceed to be called, by :func:`rackecon.evidence.leads.least_lead` from the ends of both rates.
    """
    rows: list[tuple[Any, ...]] = []
    known = points.dropna(subset=["log_ratio"])
    for (*asked, shuffle), part in known.groupby([*QUESTION, "shuffle"]):
        sweeps = [_sweep(one) for _, one in part.groupby(["split_group", "window"]) if len(one) > 1]
        for one, two in combinations(sweeps, 2):
            if one.accelerator != two.accelerator:
                rows += [(one.accelerator, two.accelerator, *asked, shuffle, *place) for place in _places(one, two)]
    names = ["first", "second", *QUESTION, "shuffle", "error_first", "error_second", "predicted", "measured", "limit"]
    return pd.DataFrame(rows, columns=names)


class _Sweep(NamedTuple):
    """One public front by rising speed, all in logs."""

    accelerator: str
    speed: FloatArray
    rate: FloatArray
    error: FloatArray
    ends: tuple[float, float]  # how far 90 % of rates lie below and above


def _sweep(one: pd.DataFrame) -> _Sweep:
    rows = one.sort_values("tok_s_per_user")
    accelerator, model, mode = (str(rows[name].iloc[0]) for name in ("accelerator", "model", "mode"))
    low, high = np.abs(np.log(interval_factors(accelerator, model, mode, AT_SPEED, also=())))
    speed, rate = (np.log(rows[name].to_numpy(dtype=float)) for name in ("tok_s_per_user", "measured"))
    return _Sweep(accelerator, speed, rate, rows["log_ratio"].to_numpy(dtype=float), (float(low), float(high)))


def _places(one: _Sweep, two: _Sweep) -> list[tuple[float, ...]]:
    """Errors of both, the predicted and the measured lead, and what calls it, at speeds that both reach."""
    least, most = max(one.speed[0], two.speed[0]), min(one.speed[-1], two.speed[-1])
    if most < least:
        return []
    at = np.linspace(least, most, PLACES)
    (rate_1, error_1), (rate_2, error_2) = (
        tuple(np.interp(at, x.speed, values) for values in (x.rate, x.error)) for x in (one, two)
    )
    measured = rate_1 - rate_2
    predicted = measured - error_1 + error_2
    (low_1, high_1), (low_2, high_2) = one.ends, two.ends
    limit = np.where(predicted > 0.0, least_lead(low_1, high_2), least_lead(low_2, high_1))
    return list(zip(*(x.tolist() for x in (error_1, error_2, predicted, measured, limit)), strict=True))


def order_scores(found: pd.DataFrame) -> pd.DataFrame:
    """How often the order was right, by how the lead is called: one vote for every pair of platforms and question.

    Parameters
    ----------
    found : pandas.DataFrame
        Of :func:`orders`.

    Returns
    -------
    pandas.DataFrame
        ``call`` (of :data:`CALLS`), ``places`` (mean of the shuffles), ``share_pct`` of the votes, ``right_pct`` of them.

    Examples
    --------
    >>> import pandas as pd
    >>> one = {"first": "a", "second": "b", "model": "m", "isl": 1, "osl": 1, "shuffle": 1, "limit": 0.3, "measured": 0.2}
    >>> order_scores(pd.DataFrame([{**one, "predicted": x} for x in (0.1, -0.1, 0.4, 1.0)]))["right_pct"].tolist()
    [50.0, 100.0, 100.0]
    """
    votes = 1.0 / found.groupby(["first", "second", *QUESTION])["limit"].transform("size").to_numpy(dtype=float)
    over = (found["predicted"].abs() / found["limit"]).to_numpy(dtype=float)
    right = (np.sign(found["predicted"]) == np.sign(found["measured"])).to_numpy()
    call = np.digitize(over, [1.0, NARROW])
    shuffles = found["shuffle"].nunique()
    rows = []
    for number, name in enumerate(CALLS):
        mine = call == number
        if mine.any():
            weight = votes[mine]
            share, good = weight.sum() / votes.sum(), (weight * right[mine]).sum() / weight.sum()
            rows.append((name, round(mine.sum() / shuffles), 100.0 * float(share), 100.0 * float(good)))
    return pd.DataFrame(rows, columns=["call", "places", "share_pct", "right_pct"])


def shared_error(found: pd.DataFrame) -> float:
    """Correlation of the errors of two platforms at one speed: none where the leads' rule may take them as independent."""
    return float(np.corrcoef(found["error_first"], found["error_second"])[0, 1])
