"""One-line refusals of inputs that contradict each other or themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rackecon.arrays import BoolArray, FloatArray
from rackecon.errors import InputError

Numeric = float | Sequence[float] | FloatArray


def _first_bad(values: FloatArray, bad: BoolArray) -> str:
    return f"{float(values[bad].flat[0]):g}"


def check_fall(value: Numeric) -> FloatArray:
    """A yearly fall of prices as an array, refused at 1 or above; below zero it is a rise.

    Examples
    --------
    >>> check_fall(1.0)
    Traceback (most recent call last):
    rackecon.errors.InputError: price_decline_per_year must be below 1, got 1
    """
    values = np.asarray(value, dtype=float)
    bad = ~(values < 1.0) | np.isinf(values)
    if bad.any():
        raise InputError(f"price_decline_per_year must be below 1, got {_first_bad(values, bad)}")
    return values


def check_non_negative(name: str, value: Numeric, *, nan_allowed: bool = False) -> FloatArray:
    """The value as an array, refused below zero (and, by default, where missing).

    Examples
    --------
    >>> check_non_negative("price_usd_per_mtok", -1.0)
    Traceback (most recent call last):
    rackecon.errors.InputError: price_usd_per_mtok must be 0 or more, got -1
    """
    values = np.asarray(value, dtype=float)
    bad = (values < 0) | (np.isnan(values) & (not nan_allowed))
    if bad.any():
        raise InputError(f"{name} must be 0 or more, got {_first_bad(values, bad)}")
    return values


def check_positive(name: str, value: Numeric, *, nan_allowed: bool = False) -> FloatArray:
    """The value as an array, refused at or below zero (and, by default, where missing)."""
    values = np.asarray(value, dtype=float)
    bad = (values <= 0) | (np.isnan(values) & (not nan_allowed))
    if bad.any():
        raise InputError(f"{name} must be above 0, got {_first_bad(values, bad)}")
    return values


def check_share(name: str, value: Numeric, *, open_top: bool = False) -> FloatArray:
    """The value as an array, refused outside 0..1 (``open_top``: 1 itself too).

    Examples
    --------
    >>> check_share("utilisation", 1.2)
    Traceback (most recent call last):
    rackecon.errors.InputError: utilisation must lie between 0 and 1, got 1.2
    """
    values = np.asarray(value, dtype=float)
    bad = ~((values >= 0) & ((values < 1) if open_top else (values <= 1)))
    if bad.any():
        limit = "be at least 0 and below 1" if open_top else "lie between 0 and 1"
        raise InputError(f"{name} must {limit}, got {_first_bad(values, bad)}")
    return values


def check_one_basis(**bases: object) -> str:
    """The name of the single cost basis that was given; none or two are refused.

    Examples
    --------
    >>> check_one_basis(build_up=None, usd_per_gpu_hour=1.86)
    'usd_per_gpu_hour'
    """
    given = [name for name, value in bases.items() if value is not None]
    if len(given) != 1:
        got = " and ".join(given) if given else "none"
        raise InputError(f"give exactly one cost basis of {', '.join(bases)}; got {got}")
    return given[0]
