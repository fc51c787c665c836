"""Named workloads and the base case: the stated defaults of every page."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import rows_of
from rackecon.errors import InputError, check_known, unknown_name


@dataclass(frozen=True)
class Scenario:
    """A workload with its latency limits; a limit of None does not bind."""

    id: str
    name: str
    meaning: str
    isl_tokens: int
    osl_tokens: int
    prefix_cache_hit: float
    ttft_limit_ms: float | None
    tpot_limit_ms: float | None
    latency_statistic: str
    weight_precision: str | None = None
    """Number format of the weights; None takes each platform's usual."""
    software_date: str | None = None
    """Date of the serving software (ISO); None takes each platform's newest measurement."""

    @property
    def promised_tok_s_per_user(self) -> float:
        """Speed that the limit per output token promises each user [tok/s]; 0 without one.

        Examples
        --------
        >>> scenario("rag-summarise").promised_tok_s_per_user
        30.0
        """
        return 1e3 / self.tpot_limit_ms if self.tpot_limit_ms else 0.0


@dataclass(frozen=True, kw_only=True)
class CaseTerms:
    """Money and power of a case: what every evaluation assumes, whether or not it was said."""

    as_of_date: str
    horizon_years: float
    utilisation: float
    wacc: float
    """Cost of capital [1/year], nominal."""
    electricity_usd_per_kwh: float
    pue: float
    price_decline_per_year: float
    cost_basis: str
    """``ownership`` (published), ``rental`` or ``build_up``."""
    cost_tier: str
    cost_vintage: str
    power_vintage: str
    price_level: str
    """``effective`` (list prices weighted by the requests that sellers serve) or ``list`` (median standard listing)."""
    free_share: float
    tax_rate: float
    """On what a machine of one's own earns; 0 is pre-tax."""


@dataclass(frozen=True, kw_only=True)
class BaseCase(CaseTerms):
    """The default assumptions; :meth:`range` gives the stated low and high of a number."""

    rack_position_kw: float

    def range(self, name: str) -> tuple[float, float]:
        """Stated low and high of a numeric parameter; its value twice where no range is stated.

        Examples
        --------
        >>> base_case().range("utilisation")
        (0.35, 0.65)
        """
        for row in rows_of("base_case"):
            if row.text("parameter") == name:
                value = row.number("value")
                return row.number("low", value), row.number("high", value)
        raise unknown_name("base case parameter", name, [field.name for field in fields(self)])


def scenarios() -> dict[str, Scenario]:
    """All scenarios by id, in the table's order."""
    found: dict[str, Scenario] = {}
    for row in rows_of("scenarios"):
        ttft, tpot = row.number("ttft_limit_ms"), row.number("tpot_limit_ms")
        found[row.text("id")] = Scenario(
            id=row.text("id"),
            name=row.cells.get("name") or row.text("id").replace("-", " "),
            meaning=row.text("meaning"),
            isl_tokens=row.whole("isl_tokens"),
            osl_tokens=row.whole("osl_tokens"),
            prefix_cache_hit=row.number("prefix_cache_hit", 0.0),
            ttft_limit_ms=None if math.isnan(ttft) else ttft,
            tpot_limit_ms=None if math.isnan(tpot) else tpot,
            latency_statistic=row.text("latency_statistic") or "median",
        )
    return found


def scenario(name: str) -> Scenario:
    """One workload with its latency limits, by id.

    Raises
    ------
    InputError
        Unknown id, with the nearest one.

    Examples
    --------
    >>> case = scenario("chat")
    >>> case.isl_tokens, case.osl_tokens, case.tpot_limit_ms
    (1024, 1024, 20.0)
    """
    known = scenarios()
    check_known("scenario", name, known)
    return known[name]


def as_scenario(named: str | Scenario) -> Scenario:
    """The scenario of an id, or the record itself.

    Examples
    --------
    >>> as_scenario("chat") == as_scenario(scenario("chat"))
    True
    """
    return scenario(named) if isinstance(named, str) else named


@by_data(1, "base_case")
def base_case() -> BaseCase:
    """The base case of data/base_case.csv."""
    given = {row.text("parameter"): row for row in rows_of("base_case")}
    values: dict[str, float | str] = {}
    for field in fields(BaseCase):
        if field.name not in given:
            raise InputError(f"data/base_case.csv: parameter '{field.name}' is missing")
        row = given[field.name]
        values[field.name] = row.number("value") if field.type == "float" else row.text("value")
    return BaseCase(**values)  # type: ignore[arg-type]
