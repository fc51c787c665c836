"""The three cost bases beside each other, own against rent, and a build-up walked to the published figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.economics.build_up import BuildUpInputs, build_up, reconcile
from rackecon.economics.build_up_table import (
    NO_CAPEX,
    build_up_inputs,
    build_up_record,
    hardware_price,
    has_capex,
    reconciling_steps,
)
from rackecon.economics.cost import own_rent_crossing, published_records, select_cost
from rackecon.economics.cost_table import published_tiers
from rackecon.economics.tokens import launch_price_factor
from rackecon.errors import InputError
from rackecon.lazy import pd

OWNER: Final = "owner"
"""Stands for the buyer tier asked for."""
BASIS_MARKS: Final = {
    ("ownership", OWNER, "2026-07"): "own, 2026-07",
    ("ownership", OWNER, "2025-08"): "own, 2025-08",
    ("rental", "3-year", "2026-07"): "rent, 3 years",
    ("rental", "on-demand", "2026"): "rent, on demand",
    ("build_up", "own parts", "as of the base case"): "build-up",
}


def _inputs(accelerator: str, assume: Assumptions) -> BuildUpInputs:
    made = build_up_inputs(
        accelerator,
        rate_per_year=assume.wacc,
        electricity_usd_per_kwh=assume.electricity_usd_per_kwh,
        pue=assume.pue,
        it_life_years=assume.horizon_years,
        tax_rate=assume.tax_rate,
        residual_share=assume.resale_share,
    )
    if made is None:
        raise InputError(f"build-up of '{accelerator}': {NO_CAPEX}")
    return made


def cost_bases(accelerators: Iterable[str], **overrides: Any) -> pd.DataFrame:
    """Every published or built-up $/GPU-hour of each accelerator, one row per basis, tier and vintage.

    Parameters
    ----------
    accelerators : iterable of str
        Ids.
    **overrides
        Assumptions of the build-up (:class:`~rackecon.appraisal.assumptions.Assumptions`).

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, basis, tier, vintage, usd_per_gpu_hour, low, high, includes, unsold_hours, grade,
        source_id, reason``. A build-up without a graded price has NaN and its reason.
    """
    assume = assumptions(**overrides)
    rows: list[dict[str, Any]] = []
    for key in accelerators:
        label = catalog.accelerator(key).label
        records = list(published_records(key))
        if has_capex(key):
            records.append(build_up_record(key, _inputs(key, assume)))
        rows.extend({"platform": label, **vars(record), "reason": ""} for record in records)
        if not has_capex(key):
            rows.append({"platform": label, "accelerator": key, "basis": "build_up", "reason": NO_CAPEX})
    order = ["accelerator", "platform", "basis", "tier", "vintage", "usd_per_gpu_hour", "low", "high"]
    columns = [*order, "includes", "unsold_hours", "grade", "source_id", "reason"]
    return pd.DataFrame(rows, columns=columns)


def own_against_rent(
    accelerators: Iterable[str], *, tier: str = "hyperscaler", vintage: str = "2026-07"
) -> pd.DataFrame:
    """Owning against renting, with the utilisation at which they cross.

    Parameters
    ----------
    accelerators : iterable of str
        Ids.
    tier, vintage : str
        Of the published ownership cost and the 3-year rent.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, tier, own, rent_3_year, rent_on_demand, rent_over_own, crossing_utilisation``
        [USD/GPU-hour], [-]. On-demand rent is the median of the listings found; the crossing is NaN without one.
    """
    rows = []
    for key in accelerators:
        own = select_cost(key, tier=tier, vintage=vintage)
        rent = select_cost(key, basis="rental", tier="3-year", vintage=vintage)
        listed = [r for r in published_records(key) if r.basis == "rental" and r.tier == "on-demand"]
        on_demand = listed[-1].usd_per_gpu_hour if listed else np.nan
        mine = own.usd_per_gpu_hour if own else np.nan
        term = rent.usd_per_gpu_hour if rent else np.nan
        known = own is not None and bool(listed)
        rows.append(
            {
                "accelerator": key,
                "platform": catalog.accelerator(key).label,
                "tier": tier,
                "own_usd_per_gpu_hour": mine,
                "rent_3_year_usd_per_gpu_hour": term,
                "rent_on_demand_usd_per_gpu_hour": on_demand,
                "rent_over_own": term / mine,
                "crossing_utilisation": float(own_rent_crossing(mine, on_demand)) if known else np.nan,
            }
        )
    return pd.DataFrame(rows)


def waterfall(accelerator: str, **overrides: Any) -> pd.DataFrame:
    """Parts of a built-up $/GPU-hour in order (:meth:`rackecon.economics.build_up.BuildUp.waterfall`)."""
    return build_up(_inputs(accelerator, assumptions(**overrides))).waterfall()


def rented(cost_basis: str) -> dict[str, str]:
    """The tier of a rented cost, in place of the owner's, where the basis is rent.

    Examples
    --------
    >>> rented("rental"), rented("build_up")
    ({'cost_tier': '3-year'}, {})
    """
    return {"cost_tier": published_tiers("rental")[0]} if cost_basis == "rental" else {}


def reconciliation(accelerator: str, **overrides: Any) -> pd.DataFrame:
    """From the build-up to the published ownership figure, one assumption after another.

    Parameters
    ----------
    accelerator : str
        One with a graded rack or server price.
    **overrides
        Assumptions; the published figure is that of ``cost_tier`` and ``cost_vintage``.

    Returns
    -------
    pandas.DataFrame
        ``step, change_usd_per_gpu_hour, usd_per_gpu_hour``; what is left after all steps is shown as not explained.
    """
    assume = assumptions(**overrides)
    published = select_cost(accelerator, basis="ownership", tier=assume.cost_tier, vintage=assume.cost_vintage)
    if published is None:
        raise InputError(f"no published ownership cost of '{accelerator}' to reconcile with")
    steps = reconciling_steps(accelerator, low_rate_per_year=float(catalog.base_case().range("wacc")[0]))
    return reconcile(_inputs(accelerator, assume), published.usd_per_gpu_hour, steps)


def reconciliations(accelerators: Iterable[str], **overrides: Any) -> pd.DataFrame:
    """The build-up of each platform beside its published cost, and what stands between them.

    Parameters
    ----------
    accelerators : iterable of str
        Ids; one without a graded price or a published cost is left out.
    **overrides
        As in :func:`reconciliation`.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, hardware_usd_per_gpu, grade, source_id, built, published, terms, retail, not_explained``:
        [USD/GPU], then [USD/GPU-hour] of the build-up, of the published cost, and of the steps between them by kind.
    """
    columns = ["accelerator", "platform", "hardware_usd_per_gpu", "grade", "source_id", "built", "terms", "retail"]
    columns += ["not_explained", "published"]
    rows = []
    for key in accelerators:
        price = hardware_price(key)
        try:
            walk = reconciliation(key, **overrides)
        except InputError:
            continue
        assert price is not None
        moved = walk["change_usd_per_gpu_hour"].to_numpy(dtype=float)
        rows.append(
            {
                "accelerator": key,
                "platform": catalog.accelerator(key).label,
                "hardware_usd_per_gpu": price.usd / price.gpus,
                "grade": price.grade,
                "source_id": price.source_id,
                "built": float(walk["usd_per_gpu_hour"].iloc[0]),
                "terms": float(moved[1:3].sum()),
                "retail": float(moved[3:-2].sum()),
                "not_explained": float(moved[-2]),
                "published": float(walk["usd_per_gpu_hour"].iloc[-1]),
            }
        )
    return pd.DataFrame(rows, columns=columns)


def launch_prices(table: pd.DataFrame, declines: Iterable[float], *, wacc: float, horizon_years: float) -> pd.DataFrame:
    """Break-even launch price under falling prices against the flat levelised cost, per million total tokens.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`rackecon.appraisal.evaluate.evaluate`.
    declines : iterable of float
        Price falls [share/year].
    wacc, horizon_years : float
        [1/year], [years].

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, price_decline_per_year, levelised_usd_per_mtok_total, launch_usd_per_mtok_total``.
    """
    parts = []
    for decline in declines:
        part = table[["accelerator", "platform", "model", "scenario"]].copy()
        part["price_decline_per_year"] = decline
        part["levelised_usd_per_mtok_total"] = table["cost_usd_per_mtok_total"]
        factor = float(launch_price_factor(wacc, decline, horizon_years))
        part["launch_usd_per_mtok_total"] = table["cost_usd_per_mtok_total"] * factor
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def basis_marks(bases: pd.DataFrame, tier: str = "hyperscaler") -> pd.DataFrame:
    """The bases a reader compares, one mark each, in a fixed order of kinds.

    Parameters
    ----------
    bases : pandas.DataFrame
        From :func:`cost_bases`.
    tier : str
        Buyer tier of the ownership marks.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, kind, usd_per_gpu_hour``.
    """
    keys = zip(bases["basis"], bases["tier"].replace({tier: OWNER}), bases["vintage"], strict=True)
    out = bases.assign(kind=[BASIS_MARKS.get(key, "") for key in keys])
    out = out[out["kind"] != ""]
    place = {kind: i for i, kind in enumerate(BASIS_MARKS.values())}
    return out.sort_values("kind", key=lambda s: s.map(place), kind="stable")[
        ["accelerator", "platform", "kind", "usd_per_gpu_hour"]
    ]


def waterfall_bars(parts: pd.DataFrame) -> pd.DataFrame:
    """Parts of a build-up with their total last, as ``part, value``."""
    bars = parts.rename(columns={"usd_per_gpu_hour": "value"})[["part", "value"]]
    total = pd.DataFrame({"part": ["total"], "value": [bars["value"].sum()]})
    return pd.concat([bars, total], ignore_index=True)


def reconciliation_bars(walk: pd.DataFrame) -> pd.DataFrame:
    """Steps from build-up to published as ``part, value``; both ends are drawn from zero."""
    values = walk["change_usd_per_gpu_hour"].to_numpy(dtype=float).copy()
    values[0], values[-1] = walk["usd_per_gpu_hour"].iloc[0], walk["usd_per_gpu_hour"].iloc[-1]
    return walk.assign(value=values).rename(columns={"step": "part"})[["part", "value"]]


CHEAPEST: Final = ("platform", "cost_usd_per_mtok_total", "cost_label")


def cost_changes(accelerators: Iterable[str], model: str, scenario: str, **overrides: Any) -> pd.DataFrame:
    """Cheapest platform per million total tokens when one assumption moves.

    Parameters
    ----------
    accelerators, model, scenario
        As in :func:`rackecon.appraisal.evaluate.evaluate`, one model and scenario.
    **overrides
        Assumptions held in every case.

    Returns
    -------
    pandas.DataFrame
        ``assumption, value, platform, cost_usd_per_mtok_total, cost_label``.
    """
    from rackecon.appraisal.evaluate import moved

    swept = "utilisation", "electricity_usd_per_kwh", "pue"
    others: list[tuple[str, Any, dict[str, Any]]] = [
        *(
            (
                "published cost",
                f"{tier}, {vintage}",
                {"cost_basis": "ownership", "cost_tier": tier, "cost_vintage": vintage},
            )
            for tier, vintage in (("hyperscaler", "2026-07"), ("hyperscaler", "2025-08"), ("neocloud", "2026-07"))
        ),
        ("rent", "3-year", {"cost_basis": "rental", "cost_tier": "3-year", "cost_vintage": "2026-07"}),
    ]
    rows = []
    for case, table in moved(accelerators, model, scenario, swept, others, intervals=False, **overrides):
        known = table[table["cost_usd_per_mtok_total"].notna()]
        if not known.empty:
            best = known.sort_values(["cost_usd_per_mtok_total", "accelerator"], kind="stable").iloc[0]
            rows.append({**case, **{key: best[key] for key in CHEAPEST}})
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["assumption", "value", *CHEAPEST])
