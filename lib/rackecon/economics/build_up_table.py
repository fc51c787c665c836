"""Build-up of the platforms whose rack or server has a graded price in data/costs.csv, or one that the user added."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import CAPEX, CAPEX_BASIS, OWN_SOURCE, read_rows, shipped_rows
from rackecon.economics.build_up import BuildUp, BuildUpInputs, build_up
from rackecon.economics.checks import Numeric
from rackecon.economics.cost_table import published_terms, range_of, residual_at, value_of
from rackecon.economics.power import drawn_kw_per_gpu
from rackecon.economics.power_table import all_in_kw, typical_draw_share
from rackecon.economics.records import UNSOLD, CostRecord

UNPRICED: Final = "no graded price of a rack or server"
NO_CAPEX: Final = f"{UNPRICED}: rental or published basis only"
INCLUDES: Final = (
    "rack or server, network, storage, installation, spares, resale, colocation, electricity, upkeep, people, insurance, "
    "ramp-up; pre-tax unless stated"
)


@dataclass(frozen=True)
class HardwarePrice:
    """Price of a whole rack or server as sold [USD], with its range, and the GPUs in it."""

    usd: float
    low: float
    high: float
    gpus: int
    item: str
    source_id: str
    grade: str


@by_data(64, "costs", "racks", "accelerators")
def hardware_price(accelerator: str) -> HardwarePrice | None:
    """What a platform's rack or server costs: the user's own row, else the shipped one; None without either.

    Examples
    --------
    >>> price = hardware_price("gb200-nvl72")
    >>> price.usd / price.gpus, price.grade
    (45833.33, 'published')
    """
    rows = [
        row
        for row in read_rows("costs")
        if row["accelerator"] == accelerator and row["category"] in CAPEX and row["basis"] == CAPEX_BASIS
    ]
    if not rows:
        return None
    row = next((row for row in rows if row["source_id"] == OWN_SOURCE), rows[0])
    if row["category"] == CAPEX[0]:
        gpus = catalog.accelerator(accelerator).gpus_per_server
    elif row["source_id"] == OWN_SOURCE:
        gpus = int(catalog.rack(accelerator).gpus_per_rack)
    else:  # of the rack that is priced, whatever rack the user fills
        gpus = int(next(rack for rack in shipped_rows("racks") if rack["accelerator"] == accelerator)["gpus_per_rack"])
    value = float(row["value"])
    low, high = (float(row[end] or value) for end in ("low", "high"))
    return HardwarePrice(value, low, high, gpus, row["item"], row["source_id"], row["grade"])


def has_capex(accelerator: str) -> bool:
    """Whether a build-up is possible: a whole rack or server has a graded price, and its power is known."""
    return hardware_price(accelerator) is not None and all_in_kw(accelerator) > 0


def build_up_inputs(
    accelerator: str,
    *,
    rate_per_year: Numeric,
    electricity_usd_per_kwh: Numeric,
    pue: Numeric,
    it_life_years: float,
    tax_rate: float = 0.0,
    kw_per_gpu: float | None = None,
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
    kw_per_gpu : float, optional
        Provisioned IT power in place of the published one [kW].
    **changes
        Any field of :class:`~rackecon.economics.build_up.BuildUpInputs`.
    """
    price = hardware_price(accelerator)
    it_kw = all_in_kw(accelerator) if kw_per_gpu is None else kw_per_gpu
    if price is None or not it_kw > 0:
        return None
    part, gpus = catalog.accelerator(accelerator), price.gpus
    drawn = drawn_kw_per_gpu(part.tdp_w, it_kw, typical_draw_share())
    values: dict[str, Any] = {
        "gpus": gpus,
        "hardware_usd": price.usd,
        "provisioned_kw": it_kw * gpus,
        "drawn_it_kw": drawn * gpus,
        "electricity_usd_per_kwh": electricity_usd_per_kwh,
        "pue": pue,
        "rate_per_year": rate_per_year,
        "it_life_years": it_life_years,
        "residual_share": float(residual_at(it_life_years)),
        "people_usd_per_year": value_of("opex", "admin labour per (generic) server") * gpus / part.gpus_per_server,
        "tax_rate": tax_rate,
        "waiting_rate_per_year": catalog.base_case().wacc,
        **{name: value_of(*row) * scale for name, (row, scale) in _parts(accelerator).items()},
    }
    return BuildUpInputs(**{**values, **changes})


PARTS: Final[dict[str, tuple[tuple[str, str], float]]] = {
    "network_share": (("networking adder", "network of a cluster"), 0.01),
    "storage_share": (("storage adder", "storage of a cluster"), 0.01),
    "installation_share": (("networking adder", "installation and software"), 0.01),
    "spares_share": (("opex", "spares / over-provisioning"), 0.01),
    "colocation_usd_per_kw_month": (("colocation", "same, H1 2025"), 1.0),
    "maintenance_share_per_year": (("opex", "hardware maintenance contract"), 0.01),
    "insurance_share_per_year": (("opex", "insurance of the hardware"), 0.01),
    "licence_usd_per_gpu_year": (("opex", "software licence a GPU"), 1.0),
    "ramp_months": (("opex", "months from paying to full service"), 1.0),
}
"""Row of data/costs.csv behind each part of a build-up, and the factor from its unit."""
NETWORK_OF: Final = {"tpu-v7": ("networking adder", "network of TPU v7")}
"""Platforms whose network has a row of its own."""


def _parts(accelerator: str) -> dict[str, tuple[tuple[str, str], float]]:
    return PARTS | ({"network_share": (NETWORK_OF[accelerator], 0.01)} if accelerator in NETWORK_OF else {})


def reconciling_steps(accelerator: str, *, low_rate_per_year: float) -> dict[str, dict[str, Any]]:
    """From an owner at retail prices to the figure published for one at scale, in the order applied.

    First the terms of the published figure, then the other end of each published range, or a published alternative.
    """
    price = hardware_price(accelerator)
    rate, life = published_terms()
    building = value_of("data centre construction", "global average shell+MEP")
    parts = _parts(accelerator)

    def low(name: str) -> float:
        row, scale = parts[name]
        return range_of(*row)[0] * scale

    return {
        "its own terms: life, cost of capital, no resale": {
            "rate_per_year": rate, "it_life_years": life, "residual_share": 0.0,
        },
        "no insurance or ramp-up": {"insurance_share_per_year": 0.0, "ramp_months": 0.0},
        "low end of the rack or server price": {"hardware_usd": price.low if price else 0.0},
        "own building, not retail colocation": {
            "colocation_usd_per_kw_month": None, "building_usd_per_kw": building * 1000.0,
        },
        "low end of network, storage and installation": {
            name: low(name) for name in ("network_share", "storage_share", "installation_share")
        },
        "low end of upkeep": {"maintenance_share_per_year": low("maintenance_share_per_year")},
        "low end of the cost of capital": {"rate_per_year": low_rate_per_year},
    }  # fmt: skip


def build_up_record(accelerator: str, inputs: BuildUpInputs) -> CostRecord:
    """A build-up as a cost record, comparable with published ones (scalars); its range is that of the hardware's price."""
    price = hardware_price(accelerator)
    assert price is not None
    ends = (replace(inputs, hardware_usd=usd) for usd in (price.usd, price.low, price.high))
    value, low, high = (float(build_up(end).usd_per_gpu_hour) for end in ends)
    own = price.source_id == OWN_SOURCE
    return CostRecord(
        accelerator=accelerator,
        basis="build_up",
        tier="own parts",
        vintage="as of the base case",
        usd_per_gpu_hour=value,
        low=low,
        high=high,
        includes=INCLUDES,
        unsold_hours=UNSOLD["ownership"],
        source_id=price.source_id,
        grade=f"own row, {price.grade}" if own else price.grade,
    )


@by_data(256)
def cost_by_build_up(accelerator: str, kw_per_gpu: float | None = None) -> tuple[CostRecord, BuildUp] | None:
    """Record and parts of a platform's build-up at the base case's terms, before resale and tax.

    None without a graded price of its hardware or without its power. Other terms restate it as they do a published cost
    (:func:`rackecon.economics.restated.terms_factor`): the two ways to one sum agree.
    """
    base = catalog.base_case()
    inputs = build_up_inputs(
        accelerator,
        rate_per_year=base.wacc,
        electricity_usd_per_kwh=base.electricity_usd_per_kwh,
        pue=base.pue,
        it_life_years=base.horizon_years,
        kw_per_gpu=kw_per_gpu,
        residual_share=0.0,
    )
    if inputs is None:
        return None
    return build_up_record(accelerator, inputs), build_up(inputs)
