"""Linked paths: the market's price falls as its best platform and software improve, while an owner's own machine gains too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.assumption_table import allowed_values
from rackecon.economics.market import linked_price_factor
from rackecon.errors import InputError
from rackecon.lazy import pd

MATURE: Final = "mature phase"
"""Rows of data/price_paths.csv that measure software on one part after its first months."""
DAYS_PER_YEAR: Final = 365.25
QUARTERS: Final = 4


@dataclass(frozen=True)
class Gain:
    """Yearly gain in tokens of one part by software alone, with the quartiles of what was measured [1/year]."""

    value: float
    low: float
    high: float
    date: str
    source_id: str


def mature_gain() -> Gain:
    """Gain of a mature model on unchanged hardware as the fronts measured it, each ratio put on a year.

    Source: data/price_paths.csv, median and quartiles of the best rates at two dates.

    Examples
    --------
    >>> found = mature_gain()
    >>> round(found.value, 2), round(found.low, 2)
    (0.45, 0.0)
    """
    table = catalog.table("price_paths")
    found = table[table["subject"].astype(str).str.contains(MATURE)]
    if len(found) != 1:
        raise InputError(f"data/price_paths.csv holds {len(found)} rows of the {MATURE}: one is needed")
    row = found.iloc[0]
    years = (pd.Timestamp(row["end"]) - pd.Timestamp(row["start"])).days / DAYS_PER_YEAR
    value, low, high = (float(row[name]) ** (1.0 / years) - 1.0 for name in ("value", "low", "high"))
    return Gain(value, low, high, str(row["date"]), str(row["source_id"]))


def _bounded(gain: float, throughput_factor: float) -> float:
    """An owner's gain, not above that of the market's best, which sets the price, nor above what is allowed."""
    highest = allowed_values()["own_software_gain_per_year"].high
    return float(np.clip(gain, 0.0, min(max(throughput_factor - 1.0, 0.0), highest)))


def linked_paths(rent_factor: float, throughput_factor: float, horizon_years: float) -> pd.DataFrame:
    """Price of a token, tokens of an owner's machine and what it takes in, over what they are today.

    Parameters
    ----------
    rent_factor, throughput_factor : float
        As in :func:`rackecon.economics.market.linked_price_factor` [1/year].
    horizon_years : float
        End of the paths, a point a quarter [years].

    Returns
    -------
    pandas.DataFrame
        ``path, year, factor, factor_low, factor_high``; the own gain is that of :func:`mature_gain`, from its lower quartile
        to the market's gain at most.

    Notes
    -----
    .. math:: p(t) = (r / g)^t, \\qquad x(t) = (1 + s)^t, \\qquad R(t) = p(t)\\, x(t), \\qquad 0 \\le s \\le g - 1

    Source: own derivation.

    Examples
    --------
    >>> ends = linked_paths(0.9, 1.2, 1.0).query("year == 1").set_index("path")["factor_high"]
    >>> [round(float(x), 3) for x in ends]
    [0.75, 1.2, 0.9]
    """
    t = np.linspace(0.0, horizon_years, int(np.ceil(QUARTERS * horizon_years)) + 1)
    price = linked_price_factor(rent_factor, throughput_factor, t)
    gain = mature_gain()
    mid, low, high = ((1.0 + _bounded(s, throughput_factor)) ** t for s in (gain.value, gain.low, gain.high))
    paths = {
        "price of a token": (price, price, price),
        "tokens of an own GPU": (mid, low, high),
        "revenue of an own GPU": (price * mid, price * low, price * high),
    }
    rows = [
        pd.DataFrame({"path": name, "year": t, "factor": a, "factor_low": b, "factor_high": c})
        for name, (a, b, c) in paths.items()
    ]
    return pd.concat(rows, ignore_index=True)


def yearly_fall(rent_factor: float, throughput_factor: float) -> float:
    """Fall of a token's price in a year where competition passes rent and software on [1/year]; 0 where it would rise.

    By :func:`rackecon.economics.market.linked_price_factor`.

    Examples
    --------
    >>> round(yearly_fall(0.92, 1.45), 3), yearly_fall(1.5, 1.45)
    (0.366, 0.0)
    """
    return max(1.0 - float(linked_price_factor(rent_factor, throughput_factor)), 0.0)


def linked_profits(
    accelerator: str, model: str, scenario: str, rent_factor: float, throughput_factor: float, **overrides: Any
) -> pd.DataFrame:
    """Profit of one platform on the linked paths, beside that at the assumptions as they stand.

    Returns
    -------
    pandas.DataFrame
        ``paths, price_decline_per_year, own_software_gain_per_year`` and of each, evaluated, ``revenue_fall_per_year,
        profit_usd_per_rack_year, npv_usd_per_rack``. A price that would rise is held level.
    """
    from rackecon.appraisal.assumptions import assumptions
    from rackecon.appraisal.evaluate import evaluate

    falls = yearly_fall(rent_factor, throughput_factor)
    gain = mature_gain()
    cases: dict[str, dict[str, float]] = {"as assumed": {}}
    for name, own in (
        ("linked, own software as measured", gain.value),
        ("linked, own software stands still", gain.low),
    ):
        cases[name] = {
            "price_decline_per_year": falls,
            "own_software_gain_per_year": _bounded(own, throughput_factor),
        }
    rows = []
    for name, given in cases.items():
        used = assumptions(**{**overrides, **given})
        found = evaluate([accelerator], [model], [scenario], intervals=False, **{**overrides, **given}).iloc[0]
        rows.append(
            {
                "paths": name,
                "price_decline_per_year": used.price_decline_per_year,
                "own_software_gain_per_year": used.own_software_gain_per_year,
                "revenue_fall_per_year": used.revenue_fall_per_year,
                "profit_usd_per_rack_year": float(found["profit_usd_per_rack_year"]),
                "npv_usd_per_rack": float(found["npv_usd_per_rack"]),
            }
        )
    return pd.DataFrame(rows)
