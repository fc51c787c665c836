"""90 % predictive intervals: how far a measurement under the same conditions lies from the prediction, nine times in ten.

Of one configuration at its load; and of what a search found, at the speed that it promises (:data:`AT_SPEED`). The latter
is twice as wide: a small error of speed is a large one of rate where a front is steep, and a search tries what no sweep ran.

The scale comes from held-out residuals (data/residual_scales.csv) of the matching kind of novelty and mode: whole curves
held out where this model was measured on this platform, whole pairs, models or platforms where it was not. Each class is
widened until folds held against the others cover 90 % (:mod:`rackecon.evidence.widths`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data, one_state
from rackecon.catalog.fields import rows_of
from rackecon.evidence.novelty import also_new, kind_of
from rackecon.lazy import pd

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
_TOLD: Final[dict[str, Any]] = {"engine": "", "isl_tokens": 0.0, "osl_tokens": 0.0}
"""Columns that say what else is new about a row, and what stands where one is not there."""


@by_data(1, "residual_scales")
def _table() -> dict[tuple[str, str], tuple[float, float]]:
    found = {}
    for row in rows_of("residual_scales"):
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
    accelerator: str, model: str, mode: str, quantity: str, years_beyond: float = 0.0, *, also: tuple[str, ...]
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
    also : tuple of str
        What else is new (:func:`rackecon.evidence.novelty.also_new`); empty where engine and lengths are the usual ones.

    Returns
    -------
    tuple of float
        ``(low, high)`` [-], below and above 1.

    Notes
    -----
    What else is new adds in squares what it makes the ends of known platforms and models wider by. A searched rate is no
    wider at new lengths: fronts of lengths that no fit had seen lie inside the interval of known ones as often as theirs.

    The drift of software beyond its last measurement is a random walk: its 90 % end after a quarter is that of equal
    configurations measured 60 to 120 days apart (class ``drift of a quarter``), and adds in squares.
    """
    table, wanted = _table(), RATES.get(quantity, quantity)
    known, split = (
        evidence_class(accelerator, model, mode),
        "disaggregated" if mode == "disaggregated" else "aggregated",
    )
    if wanted == AT_SPEED and split == "disaggregated" and catalog.accelerator(accelerator).rack_scale:
        known, split = known + IN_ONE_RACK, split + IN_ONE_RACK
    low, high = table[known, wanted]
    for name in also:
        wider, plain = table.get((f"{name} {split}", wanted)), table[split, wanted]
        if wider is not None:
            low, high = (
                float(np.sign(end) * _with_excess(end, *pair))
                for end, *pair in zip((low, high), wider, plain, strict=True)
            )
    if years_beyond > 0.0:
        drift = table["drift of a quarter", wanted]
        grown = (years_beyond / 0.25) ** 0.5
        low, high = -float(np.hypot(low, drift[0] * grown)), float(np.hypot(high, drift[1] * grown))
    return float(np.exp(low)), float(np.exp(high))


def _with_excess(end: float, wider: float, plain: float) -> float:
    """Width of an end that has, in squares, what another is wider than the plain one.

    Examples
    --------
    >>> _with_excess(-0.4, -0.5, -0.4), _with_excess(0.3, 0.2, 0.4)
    (0.50, 0.30)
    """
    return math.sqrt(end * end + max(wider * wider - plain * plain, 0.0))


def weighted_score(y: FloatArray | float, middle: float, low: FloatArray | float, high: FloatArray | float) -> Any:
    """Weighted interval score of a 90 % interval and its middle, :math:`WIS = (0.5 |y - m| + 0.05 IS) / 1.5`."""
    return (0.5 * np.abs(y - middle) + 0.05 * interval_score(y, low, high)) / 1.5


def interval_score(y: FloatArray | float, low: FloatArray | float, high: FloatArray | float) -> Any:
    """Interval score of a 90 % interval, in the unit of what it holds; less is better.

    Notes
    -----
    .. math:: IS = (u - l) + 20 (l - y)_+ + 20 (y - u)_+

    Source: Gneiting and Raftery (2007), equation 43, at :math:`\\alpha = 0.1`.

    Examples
    --------
    >>> float(interval_score(1.2, 0.0, 1.0))
    5.0
    """
    return (high - low) + 20.0 * np.maximum(low - y, 0.0) + 20.0 * np.maximum(y - high, 0.0)


def drawn_logs(ends: tuple[float, float], z: FloatArray) -> FloatArray:
    """Logs of drawn errors of a prediction: normal on either side, nine in ten between the ends of its interval.

    Parameters
    ----------
    ends : tuple of float
        Of :func:`interval_factors`.
    z : array
        Standard normal scores.

    Examples
    --------
    >>> np.exp(drawn_logs((0.8, 1.5), np.array([-Z90, 0.0, Z90]))).tolist()
    [0.8, 1.0, 1.5]
    """
    low, high = np.log(ends)
    return np.asarray(z * np.where(z < 0, -low, high) / Z90)


@one_state()
def add_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The table of searched rows with ``_low`` and ``_high`` columns for each rate and latency, and the class of evidence."""
    return table.assign(**interval_columns(table))


def interval_columns(table: Mapping[str, Any] | pd.DataFrame, years_beyond: float = 0.0) -> dict[str, Any]:
    """The columns that :func:`add_intervals` adds, as arrays.

    ``years_beyond`` is how far the software's date lies after its last measurement [years].
    """
    rows = zip(table["accelerator"], table["model"], table["mode"], strict=True)
    out: dict[str, Any] = {"evidence": [evidence_class(*row) for row in rows]}
    for quantity, scale in OF_A_SEARCH.items():
        if quantity not in table:
            continue
        low, high = row_factors(table, scale, years_beyond).T
        values = np.asarray(table[quantity])
        out[f"{quantity}_low"], out[f"{quantity}_high"] = values * low, values * high
    return out


def row_factors(
    table: Mapping[str, Any] | pd.DataFrame, quantity: str = AT_SPEED, years_beyond: float = 0.0
) -> FloatArray:
    """The ends of 90 % of each row of a table [-], ``(rows, 2)``: :func:`interval_factors` of all that its columns say is new.

    Examples
    --------
    >>> row = {"accelerator": ["h200-sxm"] * 2, "model": ["deepseek-r1"] * 2, "mode": ["aggregated"] * 2}
    >>> usual, new = row_factors(row | {"engine": ["sglang", "vllm"]}).tolist()
    >>> new[0] < usual[0] < 1.0 < usual[1] < new[1]
    True
    """
    rows = zip(table["accelerator"], table["model"], table["mode"], strict=True)
    told = [table[name] if name in table else itertools.repeat(none) for name, none in _TOLD.items()]
    ends = [
        interval_factors(chip, model, mode, quantity, years_beyond, also=also_new(chip, model, *more))
        for (chip, model, mode), *more in zip(rows, *told, strict=False)
    ]
    return np.array(ends).reshape(-1, 2)


def rate_factors(rows: Mapping[str, Any] | pd.DataFrame) -> dict[str, FloatArray]:
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
    over: tuple[float | FloatArray, float | FloatArray],
    under: tuple[float | FloatArray, float | FloatArray],
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
