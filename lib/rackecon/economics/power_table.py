"""Provisioned kW per GPU by vintage, read from data/power.csv, and the draw of boards fitted to measurements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import OWN_SOURCE, read_rows
from rackecon.economics.checks import Numeric
from rackecon.economics.power import PhaseDraw, draw_share, drawn_kw_per_gpu
from rackecon.errors import check_known

VINTAGE_METRICS: Final = {
    "2026-07": "all_in_kw_per_accelerator_current",
    "2025-10": "all_in_kw_per_accelerator_2025_dashboard",
}
IT_VINTAGE: Final = "2026-07"
"""The vintage whose figures leave the facility's overhead out."""


@by_data(1, "power")
def _provisioned() -> dict[tuple[str, str], tuple[float, bool]]:
    """Power by accelerator and vintage [kW/GPU], and whether the user's own row states it."""
    found: dict[tuple[str, str], tuple[float, bool]] = {}
    vintages = {metric: vintage for vintage, metric in VINTAGE_METRICS.items()}
    for row in read_rows("power"):
        vintage = vintages.get(row["metric"])
        if vintage and row["accelerator"]:
            value = float(row["value"] or np.nan)
            found.setdefault((row["accelerator"], vintage), (value, row["source_id"] == OWN_SOURCE))
    return found


def all_in_kw(accelerator: str, vintage: str = "2026-07") -> float:
    """Provisioned all-in power per GPU [kW]; NaN where that vintage has none.

    Parameters
    ----------
    accelerator : str
        Accelerator id.
    vintage : str
        ``2026-07`` (IT power: :func:`provisioned_it_kw`) or ``2025-10`` (utility power, facility overhead counted).
    """
    check_known("power_vintage", vintage, VINTAGE_METRICS)
    if vintage == IT_VINTAGE:
        return provisioned_it_kw(accelerator)
    return _provisioned().get((accelerator, vintage), (float("nan"), False))[0]


def provisioned_it_kw(accelerator: str) -> float:
    """Provisioned IT power per GPU, its share of host and network counted, no facility overhead [kW/GPU]; NaN if unknown.

    The one source of it: the published all-in figure of data/power.csv. The power of a rack is this times its GPUs; what
    data/racks.csv states for one is taken where no figure per GPU is published, or where it is the user's own row.

    Examples
    --------
    >>> provisioned_it_kw("gb200-nvl72"), provisioned_it_kw("tpu-v7")
    (1.87, 1.207)
    """
    published, own = _provisioned().get((accelerator, IT_VINTAGE), (float("nan"), False))
    rack = catalog.racks().get(accelerator)
    if rack is None or own:
        return published
    stated = rack.rack_it_kw / rack.gpus_per_rack
    return stated if np.isnan(published) or rack.source_id == OWN_SOURCE else published


def phase_draw(accelerator: str) -> PhaseDraw:
    """What a board draws while it waits, decodes and works on prompts, over TDP (data/power_parameters.csv).

    A family without measurements takes the common values.

    Examples
    --------
    >>> 0.2 < phase_draw("b200-hgx").idle < 0.4
    True
    """
    return family_draw(power_parameters(), catalog.accelerator(accelerator).family)


def family_draw(value: Mapping[str, float], family: str) -> PhaseDraw:
    """The draw of a family of chips, of parameters by name: its factor is a log, 0 where there is none."""
    factor = float(np.exp(value.get(f"family.{family}", 0.0)))
    return PhaseDraw(value["idle"], value["decode"] * factor, value["prefill"] * factor)


@by_data(1, "power_parameters")
def power_parameters() -> dict[str, float]:
    """Fitted parameters of drawn power by name."""
    return {row["name"]: float(row["value"]) for row in read_rows("power_parameters")}


def drawn_it_kw(accelerator: str, tdp_w: Numeric, it_kw_per_gpu: Numeric, rows: Mapping[str, Any]) -> FloatArray:
    """IT power that operating points of an accelerator draw per GPU, its share of the server counted [kW/GPU].

    Parameters
    ----------
    accelerator : str
        Accelerator id: its family's draw.
    tdp_w, it_kw_per_gpu : float or array
        As in :func:`rackecon.economics.power.drawn_kw_per_gpu`.
    rows : mapping
        ``decode_busy_share`` and ``prefill_busy_share`` of each point.
    """
    share = draw_share(phase_draw(accelerator), rows["decode_busy_share"], rows["prefill_busy_share"])
    return drawn_kw_per_gpu(tdp_w, it_kw_per_gpu, share)


@by_data(1, "power")
def typical_draw_share() -> float:
    """Median of the published per-task medians of board power over TDP (vLLM, H100 and B200) [-]."""
    notes = [row["note"] for row in read_rows("power") if row["metric"].startswith("measured_gpu_power_median")]
    shares = [float(m.group(1)) / 100.0 for note in notes if (m := re.search(r"median = (\d+)% of TDP", note))]
    return float(np.median(shares))
