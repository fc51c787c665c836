"""Errors of the last calibration on rows that it had not seen, by what was held out (data/validation_scores.csv)."""

from __future__ import annotations

from typing import Final, NamedTuple

from rackecon.catalog import table
from rackecon.catalog.cached import by_data

HELD: Final = "held-out curves"
LOADED: Final = "all with load"
RATE, USER, FIRST = "total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms"
QUANTITIES: Final = (RATE, USER, FIRST)
NAMES: Final = {RATE: "tok/s per GPU", USER: "tok/s per user", FIRST: "first token"}


class Score(NamedTuple):
    """Median and 90th percentile of an error [%], over so many points."""

    median: float
    p90: float
    points: int


@by_data(1, "validation_scores")
def scores() -> dict[tuple[str, str, str], Score]:
    """Scores by what was held out, rows scored and quantity.

    Examples
    --------
    >>> scores()[HELD, LOADED, RATE].median < 10.0
    True
    """
    rows = table("validation_scores")[["scheme", "slice", "quantity", "median_pct", "p90_pct", "points"]]
    return {
        (scheme, part, quantity): Score(float(median), float(p90), int(points))
        for scheme, part, quantity, median, p90, points in rows.itertuples(index=False)
    }
