"""Cost records read from data/costs.csv: published ownership by tier and vintage, and rents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog.assumption_table import allowed_values
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import OWN_SOURCE, read_rows
from rackecon.economics.checks import Numeric, check_non_negative
from rackecon.economics.records import UNSOLD, CostRecord
from rackecon.errors import InputError

VINTAGES: Final = {"Aug-2025": "2025-08", "Jul-2026": "2026-07"}
OWNING: Final = {
    "own - hyperscaler": "hyperscaler",
    "own - external": "hyperscaler",
    "own - neocloud giant": "neocloud",
    "own - Google internal": "internal",
}
RENTING: Final = {"rent - 3 yr": "3-year", "rent - 3 yr (first July import)": "3-year, superseded"}
OWNERSHIP_INCLUDES: Final = "capital over 4 years with its cost, colocation, electricity, operations; 100 % of hours"
RENT_INCLUDES: Final = "everything the landlord provides, his margin and scarcity included"


def _grade(row: Mapping[str, str]) -> str:
    if row["source_id"] == OWN_SOURCE:
        return f"own row, {row['grade']}"
    return f"{row['grade']}, {row['confidence']} confidence"


def _record(
    row: Mapping[str, str], basis: str, tier: str, vintage: str, unsold: str, includes: str
) -> CostRecord | None:
    value = float(row["value"] or np.nan)
    if not row["accelerator"] or not np.isfinite(value):
        return None
    low, high = value, value
    if row["source_id"] == OWN_SOURCE:
        low, high = (float(row[end] or value) for end in ("low", "high"))
    words = includes, UNSOLD[unsold], row["source_id"], _grade(row)
    return CostRecord(row["accelerator"], basis, tier, vintage, value, low, high, *words)


def records_from(rows: Iterable[Mapping[str, str]]) -> list[CostRecord]:
    """Cost records of rows shaped like those of data/costs.csv.

    Parameters
    ----------
    rows : iterable of mapping
        Columns ``category, item, accelerator, basis, value, source_date, source_id, confidence, grade``.

    Returns
    -------
    list of CostRecord
        Ownership by tier and vintage, 3-year rents (take-or-pay) and listed rents by term. ``low`` and ``high`` span
        the tiers of one vintage (ownership) or the landlords of one term (rents). A user's own row stands in place of
        every published one of its accelerator, basis, tier and vintage, with the range it states itself.
    """
    found: list[CostRecord] = []
    for row in rows:
        category, basis = row["category"], row["basis"]
        if category.startswith("TCO $/GPU-hr"):
            vintage = next((new for old, new in VINTAGES.items() if old in category), category)
            if basis in OWNING:
                made = _record(row, "ownership", OWNING[basis], vintage, "ownership", OWNERSHIP_INCLUDES)
            elif basis in RENTING:
                made = _record(row, "rental", RENTING[basis], vintage, "take_or_pay", RENT_INCLUDES)
            else:
                made = None
        elif category == "rental market price":
            unsold = "on_demand" if basis in ("on-demand", "spot", "marketplace", "community") else "take_or_pay"
            made = _record(row, "rental", basis, row["source_date"][:4], unsold, RENT_INCLUDES)
        else:
            made = None
        if made is not None:
            found.append(made)
    return _with_ranges(found)


def _with_ranges(records: list[CostRecord]) -> list[CostRecord]:
    from dataclasses import replace

    def key(record: CostRecord) -> tuple[str, ...]:
        return record.accelerator, record.basis, record.tier, record.vintage

    own = {key(record): record for record in records if record.source_id == OWN_SOURCE}
    published = [record for record in records if record.source_id != OWN_SOURCE]
    alike: dict[tuple[str, ...], list[float]] = {}
    tiers: dict[tuple[str, ...], list[float]] = {}
    for record in published:
        alike.setdefault(key(record), []).append(record.usd_per_gpu_hour)
        tiers.setdefault((record.accelerator, record.basis, record.vintage), []).append(record.usd_per_gpu_hour)
    out: dict[tuple[str, ...], CostRecord] = {}
    for record in published:
        if key(record) in out:
            continue
        if record.basis == "ownership":
            span = tiers[record.accelerator, record.basis, record.vintage]
            out[key(record)] = replace(record, low=min(span), high=max(span))
        else:
            span = alike[key(record)]
            out[key(record)] = replace(record, usd_per_gpu_hour=float(np.median(span)), low=min(span), high=max(span))
    return list((out | own).values())


@by_data(1, "costs")
def read_records() -> tuple[CostRecord, ...]:
    """All records of data/costs.csv."""
    return tuple(records_from(read_rows("costs")))


def published_tiers(basis: str) -> list[str]:
    """Buyer tiers, of those that can be asked for, in which a cost basis is published.

    Examples
    --------
    >>> published_tiers("rental")
    ['3-year']
    """
    known = {record.tier for record in read_records() if record.basis == basis}
    return [tier for tier in allowed_values()["cost_tier"].choices if tier in known]


def value_of(category: str, item: str) -> float:
    """Value of one row of data/costs.csv, in its unit; where only a range is published, the middle of it.

    Parameters
    ----------
    category, item : str
        The row's category, and the beginning of its item. The first match counts.
    """
    return _stated(category, item)[0]


def range_of(category: str, item: str) -> tuple[float, float]:
    """Low and high of a row as :func:`value_of` finds it; a missing end is the value itself."""
    return _stated(category, item)[1:]


@by_data(128, "costs")
def _stated(category: str, item: str) -> tuple[float, float, float]:
    ours = (row for row in read_rows("costs") if row["category"] == category and row["item"].startswith(item))
    row = next(ours, None)
    if row is None:
        raise InputError(f"data/costs.csv has no row '{item}' of category '{category}'")
    value, low, high = (float(row[name] or np.nan) for name in ("value", "low", "high"))
    if np.isnan(value):
        ends = [end for end in (low, high) if np.isfinite(end)]
        value = float(np.mean(ends))
    return value, low if np.isfinite(low) else value, high if np.isfinite(high) else value


def hours_served_share() -> float:
    """Share of the hours of a year that a GPU can serve [-]; a cost is of all of them, what is sold of these.

    Of GPUs with spares beside them, which every basis pays for: a build-up as one of its parts, a rent to the landlord.

    Examples
    --------
    >>> hours_served_share()
    0.999
    """
    return value_of("opex", "share of hours a GPU can serve") / 100.0


def residual_at(age_years: Numeric) -> FloatArray:
    """Resale value at an age as a share of the price [-]: straight between published ages, the last yearly fall beyond.

    Source: a lender's figures for one part (data/costs.csv, low confidence), taken for all.

    Examples
    --------
    >>> [round(float(x), 3) for x in residual_at([4.0, 4.5, 5.0, 6.0])]
    [0.175, 0.15, 0.125, 0.089]
    """
    age = np.asarray(check_non_negative("age_years", age_years), dtype=float)
    shares = np.array([1.0, *(value_of("residual value", f"H100 year {n}") / 100.0 for n in range(1, 6))])
    ages = np.arange(len(shares), dtype=float)
    beyond = (shares[-1] / shares[-2]) ** np.maximum(age - ages[-1], 0.0)
    return np.asarray(np.interp(age, ages, shares) * beyond)


def ownership_split() -> tuple[float, float]:
    """Running share of a published ownership cost [-] and the life behind it [years], as the source states them."""
    share = value_of("opex", "colo rent + electricity share of TCO") / 100.0
    return share, value_of("useful life", "SemiAnalysis/InferenceMAX economic life")


def published_terms() -> tuple[float, float]:
    """Cost of capital [1/year] and life [years] that a published ownership figure is taken to be built with."""
    return value_of("financing", "cost of capital behind a published cost of owning") / 100.0, ownership_split()[1]
