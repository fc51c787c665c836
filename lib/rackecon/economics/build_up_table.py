"""Build-up of the platforms whose rack or server has a graded price in data/costs.csv."""

from __future__ import annotations

from typing import Any, Final

from rackecon.economics.build_up import BuildUp, BuildUpInputs, build_up
from rackecon.economics.checks import Numeric
from rackecon.economics.cost_table import residual_at, value_of
from rackecon.economics.power import drawn_kw_per_gpu
from rackecon.economics.power_table import all_in_kw, typical_draw_share
from rackecon.economics.records import UNSOLD, CostRecord

__all__ = [
    "CAPEX_ITEMS",
    "NO_CAPEX",
    "build_up_inputs",
    "build_up_record",
    "cost_by_build_up",
    "has_capex",
    "reconciling_steps",
]

CAPEX_ITEMS: Final[dict[str, tuple[str, str]]] = {
    "h100-sxm": ("capex server", "HGX H100 8-GPU server"),
    "b200-hgx": ("capex server", "HGX B200 8-GPU server"),
    "gb200-nvl72": ("capex rack", "GB200 NVL72 rack (compute only)"),
    "gb300-nvl72": ("capex rack", "GB300 NVL72 rack"),
    "vr-nvl72": ("capex rack", "Vera Rubin VR200 NVL72 rack"),
}
"""Rows of data/costs.csv that price a whole rack or server; a bare accelerator's street price is not one."""
NO_CAPEX: Final = "no graded price of a rack or server: rental or published basis only"
INCLUDES: Final = (
    "rack or server, scale-out network and storage, spares, resale, colocation, electricity, upkeep, people; "
    "no insurance (no figure found), pre-tax unless stated"
)


def has_capex(accelerator: str) -> bool:
    """Whether a build-up is possible: a whole rack or server has a graded price."""
    return accelerator in CAPEX_ITEMS


def build_up_inputs(
    accelerator: str,
    *,
    rate_per_year: Numeric,
    electricity_usd_per_kwh: Numeric,
    pue: Numeric,
    it_life_years: float,
    tax_rate: float = 0.0,
    **changes: Any,
) -> BuildUpInputs | None:
    """Inputs of a build-up from the data tables, or None without a graded price.

    Parameters
    ----------
    accelerator : str
        Accelerator id.
    rate_per_year, electricity_usd_per_kwh, pue : float or array
        [1/year], [USD/kWh], [-].
    it_life_years : float
        Life of the computers [years]; the resale share is that published for this age.
    tax_rate : float
        0 is pre-tax.
    **changes
        Any field of :class:`~rackecon.economics.build_up.BuildUpInputs`.

    Returns
    -------
    BuildUpInputs or None
    """
    from rackecon import catalog

    if not has_capex(accelerator):
        return None
    part = catalog.accelerator(accelerator)
    category, item = CAPEX_ITEMS[accelerator]
    gpus = part.gpus_per_server if category == "capex server" else int(catalog.rack(accelerator).gpus_per_rack)
    it_kw = all_in_kw(accelerator)
    drawn = drawn_kw_per_gpu(part.tdp_w, it_kw, typical_draw_share()[0])
    values: dict[str, Any] = {
        "gpus": gpus,
        "hardware_usd": value_of(category, item)[0],
        "provisioned_kw": it_kw * gpus,
        "drawn_it_kw": drawn * gpus,
        "electricity_usd_per_kwh": electricity_usd_per_kwh,
        "pue": pue,
        "rate_per_year": rate_per_year,
        "it_life_years": it_life_years,
        "network_storage_share": value_of("networking adder", "GB200 rack network+storage")[0] / 100.0,
        "spares_share": value_of("opex", "spares / over-provisioning")[0] / 100.0,
        "residual_share": float(residual_at(it_life_years)),
        "colocation_usd_per_kw_month": value_of("colocation", "same, H1 2025")[0],
        "maintenance_share_per_year": value_of("opex", "hardware maintenance contract")[0] / 100.0,
        "people_usd_per_year": value_of("opex", "admin labour per (generic) server")[0] * gpus / part.gpus_per_server,
        "tax_rate": tax_rate,
    }
    return BuildUpInputs(**{**values, **changes})


def reconciling_steps(accelerator: str, *, low_rate_per_year: float) -> dict[str, dict[str, Any]]:
    """Assumptions a large owner may have that retail figures do not, in the order they are applied.

    Each is the other end of a published range, or a published alternative, in data/costs.csv.
    """
    category, item = CAPEX_ITEMS[accelerator]
    building = value_of("data centre construction", "global average shell+MEP")[0]
    return {
        "low end of the rack or server price": {"hardware_usd": value_of(category, item)[1]},
        "own building, not retail colocation": {
            "colocation_usd_per_kw_month": None,
            "building_usd_per_kw": building * 1000.0,
        },
        "low end of network and storage": {
            "network_storage_share": value_of("networking adder", "GB200 rack network+storage")[1] / 100.0
        },
        "low end of upkeep": {
            "maintenance_share_per_year": value_of("opex", "hardware maintenance contract")[1] / 100.0
        },
        "low end of the cost of capital": {"rate_per_year": low_rate_per_year},
    }


def build_up_record(accelerator: str, result: BuildUp) -> CostRecord:
    """A build-up as a cost record, comparable with published ones (scalars)."""
    cost = float(result.usd_per_gpu_hour)
    return CostRecord(
        accelerator=accelerator,
        basis="build_up",
        tier="own parts",
        vintage="as of the base case",
        usd_per_gpu_hour=cost,
        low=cost,
        high=cost,
        includes=INCLUDES,
        unsold_hours=UNSOLD["ownership"],
        source_id="costs.csv",
        grade="derived",
    )


def cost_by_build_up(accelerator: str, **settings: Any) -> tuple[CostRecord, BuildUp] | None:
    """Record and parts of a platform's build-up, or None without a graded price."""
    inputs = build_up_inputs(accelerator, **settings)
    if inputs is None:
        return None
    result = build_up(inputs)
    return build_up_record(accelerator, result), result
