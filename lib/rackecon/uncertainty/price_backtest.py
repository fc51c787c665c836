"""Price intervals held against what came after: forecasts from listings up to a date, scored on later listings.

Two forecasts of a model's median card: *report*, the distributions of data/distributions.csv (price level and yearly
decline), and *history*, the spread of price changes seen up to the date over the same number of months. Coverage is
given as it is: few models have a long history, and their prices move together, so its own error is wide.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.economics.price_table import in_force
from rackecon.lazy import pd
from rackecon.uncertainty.distributions import distributions, two_piece
from rackecon.uncertainty.sampling import SEED, normal_points

CUTOFFS: Final = ("2025-08-31", "2025-10-31", "2025-12-31", "2026-02-28", "2026-04-30")
DRAWS: Final = 4096
LEAST_PROVIDERS: Final = 2


def _months_later(date: str, months: int) -> str:
    year, month = int(date[:4]), int(date[5:7]) + months
    return f"{year + (month - 1) // 12}-{(month - 1) % 12 + 1:02d}-28"


class _History:
    """Listings of each model, looked up once between any two dates at which one begins or ends."""

    def __init__(self, prices: pd.DataFrame) -> None:
        self.models = sorted(str(m) for m in prices["model_id"].dropna().unique())
        parts = {model: prices[prices["model_id"] == model] for model in self.models}
        self.rows = {model: part.to_dict("records") for model, part in parts.items()}
        dates = ("valid_from", "source_date", "valid_to")
        self.begun, self.told, self.ended = (
            {model: sorted(part[name].dropna().astype(str)) for model, part in parts.items()} for name in dates
        )
        self.known: dict[tuple[str, int, int, int], list[dict[str, Any]]] = {}

    def at(self, model: str, date: str) -> list[dict[str, Any]]:
        begun, told = (bisect_right(dates[model], date) for dates in (self.begun, self.told))
        key = (model, begun, told, bisect_left(self.ended[model], date))
        if key not in self.known:
            self.known[key] = in_force(self.rows[model], date)
        return self.known[key]

    def median(self, model: str, date: str) -> float:
        found = [row["output"] for row in self.at(model, date)]
        return float(np.median(found)) if len(found) >= LEAST_PROVIDERS else float("nan")

    def set_between(self, model: str, start: str, end: str) -> list[float]:
        return [float(row["output"]) for row in self.at(model, end) if row["from_date"] > start]


def backtest(
    prices: pd.DataFrame | None = None,
    *,
    cutoffs: Sequence[str] = CUTOFFS,
    months: Sequence[int] = (3, 6),
) -> pd.DataFrame:
    """Every forecast of a median output price beside the price that came.

    Parameters
    ----------
    prices : pandas.DataFrame, optional
        Shaped like data/prices.csv, which is the default. Rows after a cutoff are not used by its forecasts.
    cutoffs : sequence of str
        ISO dates.
    months : sequence of int
        Horizons.

    Returns
    -------
    pandas.DataFrame
        ``method, measure, model, cutoff, months, price, low, high, came, inside``. Measure ``median card`` is the
        median over providers; ``single listing`` is each price that a provider set after the cutoff.
    """
    table = prices if prices is not None else catalog.table("prices")
    last = str(catalog.base_case().as_of_date)
    history = _History(table)
    item = distributions()
    z = normal_points(DRAWS, 2, SEED)
    decline = item["price_decline"].quantile_of_normal(z[:, 0])
    ends = (0.05, 0.95)
    rows = []
    for cutoff in cutoffs:
        for span in months:
            later = _months_later(cutoff, span)
            if later > last:
                continue
            seen = _changes(history, cutoff, span)
            for model in history.models:
                price = history.median(model, cutoff)
                came = history.median(model, later)
                if not (np.isfinite(price) and np.isfinite(came)):
                    continue
                level = _level(history, model, cutoff, z[:, 1], item["price_level"].low, item["price_level"].high)
                path = (1.0 - decline) ** (span / 12.0)
                forecasts = {"report": price * level * path}
                if len(seen) >= 8:
                    forecasts["history"] = price * np.exp(seen)
                for method, drawn in forecasts.items():
                    low, high = np.quantile(drawn, ends)
                    known = {"method": method, "model": model, "cutoff": cutoff, "months": span, "price": price}
                    known |= {"low": float(low), "high": float(high)}
                    rows.append({**known, "measure": "median card", "came": came})
                    if method == "report":
                        set_after = history.set_between(model, cutoff, later)
                        rows += [{**known, "measure": "single listing", "came": x} for x in set_after]
    names = ["method", "measure", "model", "cutoff", "months", "price", "low", "high", "came"]
    out = pd.DataFrame(rows, columns=names)
    # a price at the very end of the interval lies inside it: listed prices repeat exactly
    out["inside"] = (out["came"] >= out["low"] * (1 - 1e-9)) & (out["came"] <= out["high"] * (1 + 1e-9))
    return out


def _level(history: _History, model: str, cutoff: str, z: np.ndarray, low: float, high: float) -> np.ndarray:
    """Price levels over the median as the report draws them, from providers in force at the cutoff."""
    found = np.array([row["output"] for row in history.at(model, cutoff)])
    least, most = 0.0, np.inf
    if len(found) >= 3:
        least, low, high, most = np.quantile(found / np.median(found), [0.0, 0.1, 0.9, 1.0])
    drawn = np.exp(two_piece(z, np.log(min(low, 1.0)), 0.0, np.log(max(high, 1.0))))
    return np.asarray(np.clip(drawn, least, most))


def _changes(history: _History, cutoff: str, span: int) -> np.ndarray:
    """Log changes of median cards over ``span`` months that were complete by the cutoff."""
    found = []
    for back in range(span, 13, 2):
        start, end = _months_later(cutoff, -back), _months_later(cutoff, span - back)
        if end > cutoff:
            continue
        for model in history.models:
            before, after = history.median(model, start), history.median(model, end)
            if np.isfinite(before) and np.isfinite(after):
                found.append(np.log(after / before))
    return np.array(found)


def coverage(tested: pd.DataFrame) -> pd.DataFrame:
    """Share of prices that came inside their interval, with the error of that share.

    Parameters
    ----------
    tested : pandas.DataFrame
        From :func:`backtest`.

    Returns
    -------
    pandas.DataFrame
        ``method, measure, months, forecasts, models, covered_share, low, high, above_share, below_share``; ``low``
        and ``high`` bound the share at 90 % were each *model* one independent case (Wilson).
    """
    rows = []
    for (method, measure, span), part in tested.groupby(["method", "measure", "months"], sort=True):
        n, share = part["model"].nunique(), float(part["inside"].mean())
        z2 = 1.6448536269514722**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
        rows.append(
            {
                "method": method,
                "measure": measure,
                "months": span,
                "forecasts": len(part),
                "models": n,
                "covered_share": share,
                "low": middle - half,
                "high": middle + half,
                "above_share": float((part["came"] > part["high"] * (1 + 1e-9)).mean()),
                "below_share": float((part["came"] < part["low"] * (1 - 1e-9)).mean()),
            }
        )
    return pd.DataFrame(rows)
