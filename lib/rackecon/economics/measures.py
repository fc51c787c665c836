"""What profit is counted per: one name, one column, one divisor and one way of writing it for each measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rackecon.words import money, money_ends, percent


@dataclass(frozen=True)
class Measure:
    """A unit that money is counted per."""

    key: str
    unit: str
    """Its word in column names: ``profit_usd_per_<unit>_year``, ``gpus_per_<unit>``."""
    name: str
    yearly: str
    a_year: str
    """Unit of its yearly profit among the results of a page."""

    @property
    def column(self) -> str:
        """Column of yearly profit [USD/year per unit]."""
        return f"profit_usd_per_{self.unit}_year"

    @property
    def gpus(self) -> str:
        """Column of GPUs in one unit [GPU]; empty for the GPU itself."""
        return "" if self.unit == "gpu" else f"gpus_per_{self.unit}"

    def amount(self, value: float) -> str:
        """A yearly amount in words: dollars, or per cent of what was invested.

        Examples
        --------
        >>> MEASURES["rack"].amount(2.5e6), MEASURES["usd"].amount(0.25)
        ('$2.50M', '25 %')
        """
        return percent(value) if self.key == "usd" else money(value)

    def ends(self, *amounts: float, beside: float = 0.0) -> list[str]:
        """The ends of an interval, or other yearly amounts side by side, in words on one scale, ``beside`` the greatest of their column.

        Examples
        --------
        >>> MEASURES["rack"].ends(-5680.0, 13.4e6), MEASURES["usd"].ends(0.0, 0.25)
        (['−$0.01M', '$13.4M'], ['0 %', '25 %'])
        """
        return list(map(percent, amounts)) if self.key == "usd" else money_ends(amounts, beside)


MEASURES: Final = {
    "rack": Measure("rack", "rack", "per rack", "per rack-year", "USD/rack-year"),
    "mw": Measure("mw", "mw", "per provisioned MW", "per provisioned MW-year", "USD/MW-year"),
    "usd": Measure("usd", "invested_usd", "per invested dollar", "per invested dollar and year", "1/year"),
    "position": Measure(
        *("position", "position", "per equal-power rack position", "per equal-power rack position and year"),
        "USD/position-year",
    ),
}
"""Measures that platforms are ranked by, the one that leads a page first."""
EVERY_MEASURE: Final = MEASURES | {"gpu": Measure("gpu", "gpu", "per GPU", "per GPU-year", "USD/GPU-year")}


def measure_of(column: str) -> Measure:
    """The measure of a profit column.

    Examples
    --------
    >>> measure_of("profit_usd_per_mw_year").name
    'per provisioned MW'
    """
    return next(measure for measure in EVERY_MEASURE.values() if measure.column == column)
