"""Distributions of the uncertain inputs, read from data/distributions.csv and refused where they make no sense.

``low`` and ``high`` are the 10th and 90th percentile, ``central`` the median, which is the base case: the middle of
every distribution reproduces the report's own figures. Two half-widths let a range lean to one side. A form of
``evidence`` or ``listings`` takes its widths from another table (held-out residuals, price listings) when it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.fields import Row
from rackecon.errors import InputError, check_known

Z10: Final = 1.2815515655446004
"""Standard deviations from the median to the 10th or 90th percentile of a normal."""
FORMS: Final = ("two_piece_normal", "two_piece_lognormal", "logit_normal", "uniform", "fixed", "evidence", "listings")
SCOPES: Final = ("shared", "platform", "model", "cell")


@dataclass(frozen=True)
class Distribution:
    """One uncertain input. ``loadings`` are correlations with latent factors, ``name/vendor`` one latent per vendor."""

    id: str
    label: str
    """Short name for charts and tables."""
    drives: str
    form: str
    low: float
    central: float
    high: float
    lower: float
    upper: float
    unit: str
    scope: str
    loadings: Mapping[str, float]
    source_id: str
    grade: str
    basis: str

    @property
    def start(self) -> float:
        """Where a log-normal input begins: at its lower bound, or 0 where it has none."""
        return self.lower if math.isfinite(self.lower) else 0.0

    def quantile_of_normal(self, z: FloatArray) -> FloatArray:
        """Values of the input for standard normal scores; 0 gives the median, +-1.2816 ``high`` and ``low``.

        Examples
        --------
        >>> wacc = distributions()["wacc"]
        >>> [float(x) for x in wacc.quantile_of_normal(np.array([-Z10, 0.0, Z10]))]
        [0.08, 0.11, 0.15]
        """
        z = np.asarray(z, dtype=float)
        if self.form == "fixed":
            return np.full(z.shape, self.central)
        if self.form == "uniform":
            from scipy.special import ndtr

            span = (self.high - self.low) / 0.8
            value = self.low + span * (ndtr(z) - 0.1)
        elif self.form == "two_piece_lognormal":
            start = self.start
            logs = [math.log(x - start) for x in (self.low, self.central, self.high)]
            value = start + np.exp(two_piece(z, *logs))
        elif self.form == "logit_normal":
            logits = [math.log(x / (1.0 - x)) for x in (self.low, self.central, self.high)]
            value = 1.0 / (1.0 + np.exp(-two_piece(z, *logits)))
        elif self.form == "two_piece_normal":
            value = two_piece(z, self.low, self.central, self.high)
        else:
            raise InputError(f"distribution '{self.id}' takes its width from another table: {self.form}")
        return np.asarray(np.clip(value, self.lower, self.upper))


def recentred(item: Distribution, central: float) -> Distribution:
    """The distribution moved to another median: same width in its own scale, inside its own bounds.

    Examples
    --------
    >>> moved = recentred(distributions()["wacc"], 0.12)
    >>> round(moved.low, 4), round(moved.high, 4)
    (0.0873, 0.1636)
    """
    if math.isclose(central, item.central, rel_tol=1e-12):
        return item
    if item.form in ("two_piece_lognormal", "listings"):
        start = item.start
        if central <= start:
            raise InputError(f"{item.id} {central:g}: its distribution needs a median above {start:g}")
        scale = (central - start) / (item.central - start)
        low, high = start + (item.low - start) * scale, start + (item.high - start) * scale
    elif item.form == "logit_normal":
        if not 0.0 < central < 1.0:
            raise InputError(f"{item.id} {central:g}: its distribution needs a median strictly inside 0 to 1")
        shift = math.log(central / (1 - central)) - math.log(item.central / (1 - item.central))
        low, high = (1 / (1 + math.exp(-(math.log(x / (1 - x)) + shift))) for x in (item.low, item.high))
    else:
        low, high = item.low + central - item.central, item.high + central - item.central
    bounded = (min(max(x, item.lower), item.upper) for x in (low, central, high))
    low, middle, high = bounded
    return replace(item, low=low, central=middle, high=high)


def two_piece(
    z: FloatArray, low: float | FloatArray, central: float | FloatArray, high: float | FloatArray
) -> FloatArray:
    """Normal with two half-widths: ``central`` at 0, ``low`` and ``high`` at the 10th and 90th percentile.

    Examples
    --------
    >>> [float(x) for x in two_piece(np.array([-Z10, 0.0, 2 * Z10]), 0.0, 1.0, 3.0)]
    [0.0, 1.0, 5.0]
    """
    score = np.asarray(z, dtype=float) / Z10
    step = np.where(score < 0, np.asarray(central) - np.asarray(low), np.asarray(high) - np.asarray(central))
    return np.asarray(np.asarray(central) + score * step, dtype=float)


def distributions() -> dict[str, Distribution]:
    """All uncertain inputs by id, checked; in the table's order.

    Raises
    ------
    InputError
        One line naming the row: 10th percentile above the 90th, a share outside 0 to 1, an unknown form or scope,
        loadings that explain more than the whole variance.

    Examples
    --------
    >>> distributions()["utilisation"].high
    0.65
    """
    return check_distributions(catalog.read_rows("distributions"))


def check_distributions(rows: Iterable[Mapping[str, str]]) -> dict[str, Distribution]:
    """Distributions of table rows (text cells), each checked.

    Parameters
    ----------
    rows : iterable of mapping
        Cells by column, as in data/distributions.csv.

    Raises
    ------
    InputError
        As :func:`distributions`.
    """
    found: dict[str, Distribution] = {}
    for line, cells in enumerate(rows, start=2):
        row = Row("distributions", line, cells)
        name = row.text("id")
        where = f"data/distributions.csv row {line} ('{name}')"
        if name in found:
            raise InputError(f"{where}: the id stands there twice")
        item = Distribution(
            **row.fields_of(Distribution, "loadings", lower=-math.inf, upper=math.inf),
            loadings=_loadings(row.text("loadings"), where),
        )
        _check(item, where)
        found[name] = item
    return found


def _loadings(text: str, where: str) -> dict[str, float]:
    out: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, value = part.partition("=")
        try:
            out[name.strip()] = float(value)
        except ValueError:
            raise InputError(f"{where}: loading '{part}' is not name=number") from None
    if not sum(x * x for x in out.values()) <= 1.0 + 1e-9:
        raise InputError(f"{where}: loadings explain more than the whole variance (their squares sum above 1)")
    return out


def _check(item: Distribution, where: str) -> None:
    check_known("form", item.form, FORMS, where)
    check_known("scope", item.scope, SCOPES, where)
    if item.scope in ("shared", "model") and any(name.endswith("/vendor") for name in item.loadings):
        raise InputError(f"{where}: a latent per vendor needs an input per platform or cell, not scope '{item.scope}'")
    if item.form == "fixed":
        if not math.isfinite(item.central):
            raise InputError(f"{where}: a fixed input needs its value in 'central'")
        if not item.lower <= item.central <= item.upper:
            raise InputError(f"{where}: central {item.central:g} is not in {item.lower:g} to {item.upper:g}")
        return
    if item.form == "evidence":
        return
    if not (math.isfinite(item.low) and math.isfinite(item.high)):
        raise InputError(f"{where}: low (p10) and high (p90) must both be numbers")
    if item.low > item.high:
        raise InputError(f"{where}: low (p10) {item.low:g} is above high (p90) {item.high:g}")
    if item.form != "uniform" and not item.low <= item.central <= item.high:
        raise InputError(f"{where}: central {item.central:g} lies outside low {item.low:g} to high {item.high:g}")
    share = item.unit.split("/")[0] == "share"
    floor, ceiling = (max(item.lower, 0.0), min(item.upper, 1.0)) if share else (item.lower, item.upper)
    if item.low < floor or item.high > ceiling:
        kind = "a share must lie in 0 to 1" if share else f"allowed {item.lower:g} to {item.upper:g}"
        raise InputError(f"{where}: low {item.low:g} to high {item.high:g} leaves its bounds: {kind}")
    if item.form == "logit_normal" and not 0.0 < item.low <= item.high < 1.0:
        raise InputError(f"{where}: a logit-normal share needs low and high strictly inside 0 to 1")
    if item.form in ("two_piece_lognormal", "listings"):
        start = item.start
        if item.low <= start:
            raise InputError(f"{where}: a log-normal input needs low above {start:g}, got {item.low:g}")
