"""90 % predictive intervals: how far a measurement under the same conditions lies from the prediction, nine times in ten.

Of one configuration at its load; and of what a search found, at the speed that it promises (:data:`AT_SPEED`). The latter
is twice as wide: a small error of speed is a large one of rate where a front is steep, and a search tries what no sweep ran.

The scale comes from held-out residuals (data/residual_scales.csv) of the matching kind of novelty and mode: whole curves
held out where this model was measured on this platform, whole pairs, models or platforms where it was not. Each class is
widened until folds held against the others cover 90 % (:mod:`rackecon.evidence.widths`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.catalog.cached import by_data, one_state
from rackecon.catalog.fields import Row
from rackecon.evidence.novelty import kind_of

if TYPE_CHECKING:
    import pandas as pd

QUANTITIES = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")
HELD_OUT_VENDORS = ("nvidia", "amd")
RATES = {
    "total_tok_s_per_gpu": "total_tok_s_per_gpu",
    "output_tok_s_per_gpu": "total_tok_s_per_gpu",
    "tok_s_per_user": "tok_s_per_user",
    "ttft_ms": "ttft_ms",
}
Z90: Final = 1.6448536269514722
"""Half-width of a central 90 % interval of a normal, in standard deviations."""
AT_SPEED: Final = "total_tok_s_per_gpu_at_speed"
"""The rate of a searched front at a promised speed, held out against the fronts of public sweeps."""
IN_ONE_RACK: Final = " in one rack"
"""Split pools that one scale-up domain holds are a class of their own at a promised speed: their fronts err half as much."""
OF_A_SEARCH: Final = {**RATES, "total_tok_s_per_gpu": AT_SPEED, "output_tok_s_per_gpu": AT_SPEED}
"""Whose interval each quantity of a searched row has."""


@by_data(1, "residual_scales")
def _table() -> dict[tuple[str, str], tuple[float, float]]:
    found = {}
    for line, cells in enumerate(catalog.read_rows("residual_scales"), start=2):
        row = Row("residual_scales", line, cells)
        found[row.text("evidence"), row.text("quantity")] = (row.number("log_low"), row.number("log_high"))
    return found


def evidence_class(accelerator: str, model: str, mode: str) -> str:
    """Class of evidence behind a prediction.

    Examples
    --------
    >>> evidence_class("gb200-nvl72", "deepseek-r1", "disaggregated"), evidence_class("tpu-v7", "deepseek-r1", "aggregated")
    ('disaggregated', 'new accelerator aggregated')
    >>> evidence_class("mi355x", "minimax-m2.5", "aggregated")
    'new pair aggregated'
    """
    split = "disaggregated" if mode == "disaggregated" else "aggregated"
    kind = kind_of(accelerator, model)
    if kind == "known" and catalog.accelerator(accelerator).vendor not in HELD_OUT_VENDORS:
        kind = "new pair"  # an own part of another maker, measured and fitted: no curve of such was ever held out
    return split if kind == "known" else f"{kind} {split}"


def interval_factors(
    accelerator: str, model: str, mode: str, quantity: str, years_beyond: float = 0.0
) -> tuple[float, float]:
    """Factors on a prediction that give the ends of its 90 % interval.

    Parameters
    ----------
    accelerator, model, mode : str
        Ids and serving mode.
    quantity : str
        ``total_tok_s_per_gpu``, ``output_tok_s_per_gpu``, ``tok_s_per_user`` or ``ttft_ms`` of a configuration at its load;
        :data:`AT_SPEED` of what a search found.
    years_beyond : float
        How far the software's date lies after its last measurement [years].

    Returns
    -------
    tuple of float
        ``(low, high)`` [-], below and above 1.

    Notes
    -----
    The drift of software beyond its last measurement is a random walk: its 90 % end after a quarter is that of equal
    configurations measured 60 to 120 days apart (class ``drift of a quarter``), and adds in squares.
    """
    table, wanted = _table(), RATES.get(quantity, quantity)
    known = evidence_class(accelerator, model, mode)
    if wanted == AT_SPEED and mode == "disaggregated" and catalog.accelerator(accelerator).rack_scale:
        known += IN_ONE_RACK
    low, high = table[known, wanted]
    if years_beyond > 0.0:
        drift = table["drift of a quarter", wanted]
        grown = (years_beyond / 0.25) ** 0.5
        low, high = -float(np.hypot(low, drift[0] * grown)), float(np.hypot(high, drift[1] * grown))
    return float(np.exp(low)), float(np.exp(high))


def drawn_logs(accelerator: str, model: str, mode: str, quantity: str, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logs of drawn errors of a prediction: normal on either side, nine in ten between the ends of its interval.

    Parameters
    ----------
    accelerator, model, mode, quantity : str
        As in :func:`interval_factors`.
    z : array
        Standard normal scores.

    Examples
    --------
    >>> ends = drawn_logs("gb200-nvl72", "deepseek-r1", "aggregated", "tok_s_per_user", np.array([-Z90, 0.0, Z90]))
    >>> bool(np.allclose(np.exp(ends)[[0, 2]], interval_factors("gb200-nvl72", "deepseek-r1", "aggregated", "tok_s_per_user")))
    True
    """
    low, high = np.log(interval_factors(accelerator, model, mode, quantity))
    return np.asarray(z * np.where(z < 0, -low, high) / Z90)


@one_state()
def add_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The table of searched rows with ``_low`` and ``_high`` columns for each rate and latency, and the class of evidence."""
    return table.assign(**interval_columns(table))


def interval_columns(table: Mapping[str, Any] | pd.DataFrame, years_beyond: float = 0.0) -> dict[str, Any]:
    """The columns that :func:`add_intervals` adds, as arrays.

    ``years_beyond`` is how far the software's date lies after its last measurement [years].
    """
    rows = list(zip(table["accelerator"], table["model"], table["mode"], strict=True))
    out: dict[str, Any] = {"evidence": [evidence_class(*row) for row in rows]}
    for quantity, scale in OF_A_SEARCH.items():
        if quantity not in table:
            continue
        factors = np.array([interval_factors(*row, scale, years_beyond) for row in rows]).reshape(-1, 2)
        values = np.asarray(table[quantity])
        out[f"{quantity}_low"], out[f"{quantity}_high"] = values * factors[:, 0], values * factors[:, 1]
    return out


def rate_factors(rows: Mapping[str, Any] | pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """The ends of 90 % of each row's total rate over the rate itself, ``low`` and ``high`` [-].

    Examples
    --------
    >>> rows = {"total_tok_s_per_gpu": [10.0], "total_tok_s_per_gpu_low": [8.0], "total_tok_s_per_gpu_high": [12.5]}
    >>> {end: factor.tolist() for end, factor in rate_factors(rows).items()}
    {'low': [0.8], 'high': [1.25]}
    """
    rate = np.asarray(rows["total_tok_s_per_gpu"], dtype=float)
    return {end: np.asarray(rows[f"total_tok_s_per_gpu_{end}"], dtype=float) / rate for end in ("low", "high")}


def ratio_ends(
    over: tuple[float | NDArray[np.float64], float | NDArray[np.float64]],
    under: tuple[float | NDArray[np.float64], float | NDArray[np.float64]],
) -> tuple[Any, Any]:
    """Factors on a ratio of two predictions that give the ends of its 90 % interval, their errors taken as independent.

    Errors that the two share cancel, so that the interval is wide rather than narrow.

    Parameters
    ----------
    over, under : tuple of float or array
        Factors that give the ends of each interval (:func:`interval_factors`).

    Notes
    -----
    .. math:: \\ln f_{low} = -\\sqrt{\\ln^2 l_1 + \\ln^2 h_2}, \\qquad \\ln f_{high} = \\sqrt{\\ln^2 h_1 + \\ln^2 l_2}

    Own: half widths of independent errors add in squares, each side apart.

    Examples
    --------
    >>> low, high = ratio_ends((0.5, 2.0), (1.0, 1.0))
    >>> float(low), float(high)
    (0.50, 2.00)
    """
    (low_1, high_1), (low_2, high_2) = (tuple(np.log(end) for end in ends) for ends in (over, under))
    return np.exp(-np.hypot(low_1, high_2)), np.exp(np.hypot(high_1, low_2))
