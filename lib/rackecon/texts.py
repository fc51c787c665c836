"""Numbers as a reader meets them: two or three figures, thousands with commas, true minus signs."""

from __future__ import annotations

import math

__all__ = ["MINUS", "number"]

MINUS = "\u2212"


def number(value: float, digits: int = 3) -> str:
    """A plain number; millions as M, billions as bn.

    Examples
    --------
    >>> number(15321.0), number(0.02134), number(-3.0), number(2.5e6)
    ('15,300', '0.0213', '−3', '2.5M')
    """
    if value is None or not math.isfinite(value):
        return "–"
    sign, size = (MINUS if value < 0 else ""), abs(value)
    for limit, letter in ((1e9, "bn"), (1e6, "M")):
        if size >= limit:
            return f"{sign}{_plain(size / limit, digits)}{letter}"
    return sign + _plain(size, digits)


def _plain(size: float, digits: int) -> str:
    rounded = float(f"{size:.{digits}g}")
    if rounded >= 100 or rounded == int(rounded):
        return f"{rounded:,.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(rounded))) if rounded else 0
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
