"""From medians to the statistic that a latency limit binds."""

from __future__ import annotations

from rackecon.errors import check_known
from rackecon.performance.parameters import ServingParameters, load_parameters

STATISTICS = ("median", "p99")


def tail_factors(statistic: str, parameters: ServingParameters | None = None) -> tuple[float, float]:
    """Factors from the model's medians to a statistic: of time per output token, of time to first token [-].

    Parameters
    ----------
    statistic : str
        ``median`` or ``p99``. The factors of ``p99`` are medians over MLPerf runs that reach 90 % of the limit in
        question, rounds to v5.1 (data/measured_mlperf.csv): p99 over p50 TPOT, p99 over mean TTFT.
    parameters : ServingParameters, optional
        The shipped ones by default.

    Raises
    ------
    InputError
        Another statistic.

    Examples
    --------
    >>> tail_factors("median"), tail_factors("p99")
    ((1.0, 1.0), (1.11, 3.1))
    """
    check_known("latency_statistic", statistic, STATISTICS)
    if statistic == "median":
        return 1.0, 1.0
    used = parameters or load_parameters()
    values = used.values()
    return float(values[used.index("tail.tpot")]), float(values[used.index("tail.ttft")])
