"""Accelerators and racks: what the data sheets say, per GPU package or chip."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import rows_of
from rackecon.catalog.paths import OWN_SOURCE
from rackecon.errors import check_known
from rackecon.units import BITS_PER_BYTE, GB_BYTES, GIB_BYTES

RACK_SCALE_GPUS = 64
"""Scale-up domain from which a platform is laid out and fitted as a rack [GPU]: 72 of NVL72 and above; boxes have 8 to 16."""
TERA = 1e12
LADDERS = {"fp4": ("fp4", "bf16"), "fp8": ("fp8", "bf16"), "int4": ("bf16",), "bf16": ("bf16",)}
"""Formats of arithmetic that weights of a precision run in: the first that a chip has."""


@dataclass(frozen=True)
class Accelerator:
    """One accelerator. Rates are dense peaks; links are one direction per GPU; memory counts a vendor's GB as GiB."""

    id: str
    name: str
    label: str
    vendor: str
    family: str
    status: str
    servable: bool
    peak_bf16_flops: float
    peak_fp8_flops: float
    peak_fp4_flops: float
    hbm_bytes: float
    hbm_bytes_per_s: float
    scaleup_bytes_per_s: float
    scaleup_domain_gpus: int
    scaleout_bytes_per_s: float
    gpus_per_server: int
    tdp_w: float
    launch: str
    kernel_hw: str
    kernel_inherited: bool
    note: str
    source_id: str

    @property
    def rack_scale(self) -> bool:
        """Whether the scale-up domain is a rack's."""
        return self.scaleup_domain_gpus >= RACK_SCALE_GPUS

    def peak_flops(self, precision: str) -> float:
        """Dense peak of the arithmetic that weights of a precision run in [FLOP/s].

        Formats that a chip lacks run in the next wider one it has: weights are widened to bf16 on the way in.
        """
        check_known("precision", precision, LADDERS)
        for step in LADDERS[precision]:
            value = float(getattr(self, f"peak_{step}_flops"))
            if math.isfinite(value):
                return value
        return math.nan


@dataclass(frozen=True)
class Rack:
    """A rack as sold or usually laid out."""

    accelerator: str
    gpus_per_rack: int
    rack_it_kw: float
    layout: str
    source_id: str
    grade: str


def accelerators() -> dict[str, Accelerator]:
    """All accelerators by id, in the table's order."""
    return dict(_accelerators())


@by_data(1, "accelerators")
def _accelerators() -> dict[str, Accelerator]:
    units = ("hbm_bytes", "hbm_bytes_per_s", "scaleup_bytes_per_s", "scaleout_bytes_per_s")
    return {
        row.text("id"): Accelerator(
            **row.fields_of(Accelerator, *units, scaleup_domain_gpus=1, gpus_per_server=8),
            hbm_bytes=row.number("hbm_gib") * GIB_BYTES,
            hbm_bytes_per_s=row.number("hbm_tb_per_s") * TERA,
            scaleup_bytes_per_s=row.number("scaleup_gb_per_s") * GB_BYTES,
            scaleout_bytes_per_s=row.number("scaleout_gbit_per_s") * GB_BYTES / BITS_PER_BYTE,
        )
        for row in rows_of("accelerators")
    }


def accelerator(name: str) -> Accelerator:
    """One accelerator by id.

    Raises
    ------
    InputError
        Unknown id, with the nearest one.

    Examples
    --------
    >>> accelerator("gb200-nvl72").scaleup_domain_gpus
    72
    """
    known = _accelerators()
    check_known("accelerator", name, known)
    return known[name]


def racks() -> dict[str, Rack]:
    """All racks by accelerator id."""
    return dict(_racks())


@by_data(1, "racks")
def _racks() -> dict[str, Rack]:
    return {
        row.text("accelerator"): Rack(
            **row.fields_of(Rack, "grade"),
            grade=("own row, " if row.text("source_id") == OWN_SOURCE else "") + row.text("grade"),
        )
        for row in rows_of("racks")
    }


def rack(accelerator_id: str) -> Rack:
    """The rack of an accelerator; one that has none is refused."""
    known = racks()
    check_known("rack", accelerator_id, known, "data/racks.csv")
    return known[accelerator_id]
