"""The assumptions one evaluation runs with: the base case of data/, with named overrides checked for sense."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from rackecon.catalog import CaseTerms, base_case
from rackecon.catalog.assumption_table import allowed_values, own_costs
from rackecon.economics.checks import check_one_basis
from rackecon.economics.cost_table import residual_at
from rackecon.economics.money_step import revenue_fall
from rackecon.errors import InputError, check_known

ASKED: Final = ("cost_tier", "cost_vintage", "as_of_date")
"""Words that the tables of costs and prices know themselves, more than a notebook offers."""
PUBLISHED: Final = ("cost_tier", "cost_vintage", "cost_usd_per_gpu_hour")
"""What is said of a cost that is not summed here: naming one asks for the published basis where none is named."""


@dataclass(frozen=True, kw_only=True)
class Assumptions(CaseTerms):
    """Money and power assumptions of one evaluation; every field can be overridden by name."""

    licence_share: float = 0.0
    own_software_gain_per_year: float = 0.0
    """Gain in tokens of a machine of one's own by software alone, while prices follow the market [1/year]."""
    sold_by_load: bool = False
    """Whether the share sold follows from the demand of a public trace on each platform, in place of ``utilisation``."""
    speed_premium: bool = False
    """Whether a request served fast sells at the published premium of fast tiers."""
    price_factor: float = 1.0
    """Multiplies every price of the card."""
    cost_usd_per_gpu_hour: float | None = None
    """A cost given outright for every platform; excludes a build-up."""
    kw_per_gpu: float | None = None
    """Provisioned IT power per GPU given outright for every platform [kW]."""
    cost_factor: float = 1.0
    """Multiplies every cost per GPU-hour."""
    own_costs: str = ""
    """Costs at the base case's terms [USD/GPU-hour] in place of the report's: ``gb200-nvl72=1.8,mi355x=1.2``."""
    allocation_rule: str = "gpu_seconds"
    residual_share: float | None = None
    """Resale at the end of the horizon as a share of the investment; None takes that of its age."""

    @property
    def revenue_fall_per_year(self) -> float:
        """Yearly fall of a GPU's revenue [share/year]: prices fall, its own software makes more tokens."""
        return float(revenue_fall(self.price_decline_per_year, self.own_software_gain_per_year))

    def stated_share(self) -> Assumptions:
        """The same, refused where the share sold follows from load: some answers hold one share for every platform.

        Raises
        ------
        InputError
        """
        if self.sold_by_load:
            raise InputError("sold_by_load: this answer holds one share sold for every platform; give utilisation")
        return self

    @property
    def kept_share(self) -> float:
        """Share of the value of sold tokens that is kept after free traffic and licences [-]."""
        return (1.0 - self.free_share) * (1.0 - self.licence_share)

    @property
    def resale_share(self) -> float:
        """Resale at the end of the horizon as a share of the investment [-]."""
        return float(residual_at(self.horizon_years)) if self.residual_share is None else self.residual_share


def assumptions(**overrides: Any) -> Assumptions:
    """Base case with overrides.

    Parameters
    ----------
    **overrides
        Fields of :class:`Assumptions`; None leaves the base case's value.

    Raises
    ------
    InputError
        Unknown field, a value outside its range in data/assumptions.csv, a build-up together with a given $/GPU-hour.
    """
    names = [field.name for field in fields(Assumptions)]
    for name in overrides:
        check_known("assumption", name, names)
    base = base_case()
    values: dict[str, Any] = {field.name: getattr(base, field.name) for field in fields(CaseTerms)}
    given = {name: value for name, value in overrides.items() if value is not None}
    if any(name in given for name in PUBLISHED):
        values["cost_basis"] = "ownership"
    values.update(given)
    out = Assumptions(**values)
    rules = allowed_values()
    for name in overrides:
        if name in rules and getattr(out, name) is not None and name not in ASKED:
            fault = rules[name].fault(getattr(out, name))
            if fault:
                raise InputError(fault)
    if own_costs(out.own_costs) and out.cost_usd_per_gpu_hour is not None:
        raise InputError("own_costs stand in place of single platforms' costs: not with cost_usd_per_gpu_hour")
    if out.cost_usd_per_gpu_hour is not None:
        check_one_basis(
            build_up=True if out.cost_basis == "build_up" else None, cost_usd_per_gpu_hour=out.cost_usd_per_gpu_hour
        )
    return out
