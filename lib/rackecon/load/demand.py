"""Demand of public request traces in bins, in the measure that capacity is counted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog import table
from rackecon.catalog.cached import by_data
from rackecon.errors import InputError, check_known, unknown_name

MEASURES: Final = ("requests", "output_tokens", "work")
OUTPUT_WEIGHT: Final = 5.0
"""Input tokens that one output token counts for in ``work``: the usual ratio of the two prices."""
GAP_SHARE: Final = 0.02
"""Bins below this share of the mean are missing data where gaps are filled."""
DAY_MINUTES: Final = 1440


@dataclass(frozen=True)
class Demand:
    """Demand per bin; the unit is the measure's, only ratios to capacity matter."""

    trace: str
    measure: str
    bin_minutes: float
    values: FloatArray
    interarrival_cv: float  # median over the bins, NaN where none is published

    @property
    def bins_per_day(self) -> int:
        """Bins of a day."""
        return round(DAY_MINUTES / self.bin_minutes)

    @property
    def days(self) -> float:
        """Length [d]."""
        return float(len(self.values) * self.bin_minutes / DAY_MINUTES)

    def filled(self) -> Demand:
        """The same with bins of missing data interpolated."""
        good = self.values >= GAP_SHARE * self.values.mean()
        at = np.arange(len(self.values))
        values = np.interp(at, at[good], self.values[good])
        return Demand(self.trace, self.measure, self.bin_minutes, values, self.interarrival_cv)


def demand_names() -> list[str]:
    """Traces of data/demand_shape.csv."""
    return [str(name) for name in table("demand_traces")["trace"]]


@by_data(64, "demand_traces", "demand_shape")
def demand(trace: str, measure: str = "requests") -> Demand:
    """Demand of a trace per bin.

    Parameters
    ----------
    trace : str
        A trace of data/demand_traces.csv.
    measure : str
        ``requests``, ``output_tokens``, or ``work``: input tokens plus five times the output tokens.

    Raises
    ------
    InputError
        Unknown trace or measure, or one the trace does not have.

    Examples
    --------
    >>> demand("azure2024_conv").days
    7.0
    """
    check_known("measure", measure, MEASURES)
    known = table("demand_traces").set_index("trace")
    if trace not in known.index:
        raise unknown_name("demand trace", trace, list(known.index))
    rows = table("demand_shape")
    rows = rows[rows["trace"] == trace].sort_values("bin")
    values = rows["input_tokens"] + OUTPUT_WEIGHT * rows["output_tokens"] if measure == "work" else rows[measure]
    if values.isna().all():
        raise InputError(f"demand trace '{trace}' has no {measure}")
    cv = float(rows["interarrival_cv"].median()) if rows["interarrival_cv"].notna().any() else float("nan")
    width = float(known.loc[trace, "bin_minutes"])  # type: ignore[arg-type]
    return Demand(trace, measure, width, values.fillna(0.0).to_numpy(dtype=float), cv)
