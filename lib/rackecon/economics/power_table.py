"""Provisioned kW per GPU by vintage, and the measured draw curve, read from data/power.csv."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import OWN_SOURCE
from rackecon.economics.power import DrawCurve, fit_draw_curve
from rackecon.errors import unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "VINTAGE_METRICS",
    "all_in_kw",
    "draw_curve",
    "draw_measurements",
    "provisioned_it_kw",
    "typical_draw_share",
]

VINTAGE_METRICS: Final = {
    "2026-07": "all_in_kw_per_accelerator_current",
    "2025-10": "all_in_kw_per_accelerator_2025_dashboard",
}
IT_VINTAGE: Final = "2026-07"
"""The vintage whose figures leave the facility's overhead out."""


@by_data(1, "power")
def _provisioned() -> dict[tuple[str, str], tuple[float, bool]]:
    """Power by accelerator and vintage [kW/GPU], and whether the user's own row states it."""
    from rackecon import catalog

    found: dict[tuple[str, str], tuple[float, bool]] = {}
    vintages = {metric: vintage for vintage, metric in VINTAGE_METRICS.items()}
    for row in catalog.table("power").to_dict("records"):
        vintage = vintages.get(str(row["metric"]))
        named = row["accelerator"]
        if vintage and isinstance(named, str) and named:
            found.setdefault((named, vintage), (float(row["value"]), row["source_id"] == OWN_SOURCE))
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
    if vintage not in VINTAGE_METRICS:
        raise unknown_name("power_vintage", vintage, VINTAGE_METRICS)
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
    from rackecon import catalog

    published, own = _provisioned().get((accelerator, IT_VINTAGE), (float("nan"), False))
    rack = catalog.racks().get(accelerator)
    if rack is None or own:
        return published
    stated = rack.rack_it_kw / rack.gpus_per_rack
    return stated if np.isnan(published) or rack.source_id == OWN_SOURCE else published


def draw_measurements(table: pd.DataFrame) -> pd.DataFrame:
    """Measured board power against load: one row per measurement.

    Parameters
    ----------
    table : pandas.DataFrame
        Shaped like data/power.csv. Concurrency, tensor parallel degree and share of TDP stand in the note; a row that
        names no degree continues the row above it.

    Returns
    -------
    pandas.DataFrame
        ``item, gpus, concurrency, requests_per_gpu, board_w, share_of_tdp``.
    """
    import pandas as pd

    rows, gpus, item = [], np.nan, ""
    for row in table[table["metric"] == "measured_avg_gpu_board_power"].to_dict("records"):
        note = str(row["note"])
        if str(row["item"]) != item:
            item, gpus = str(row["item"]), np.nan
        if degree := re.search(r"\bTP(\d+)\b", note):
            gpus = float(degree.group(1))
        load, tdp = re.search(r"concurrency (\d+)", note), re.search(r"of ([\d.]+) W TDP", note)
        if load and tdp and np.isfinite(gpus):
            flight, board = float(load.group(1)), float(row["value"])
            rows.append((item, gpus, flight, flight / gpus, board, board / float(tdp.group(1))))
    names = ["item", "gpus", "concurrency", "requests_per_gpu", "board_w", "share_of_tdp"]
    return pd.DataFrame(rows, columns=names)


@by_data(1, "power")
def draw_curve() -> DrawCurve:
    """Board power as a share of TDP against requests per GPU, fitted to data/power.csv."""
    from rackecon import catalog

    found = draw_measurements(catalog.table("power"))
    return fit_draw_curve(found["requests_per_gpu"].to_numpy(), found["share_of_tdp"].to_numpy())


@by_data(1, "power")
def typical_draw_share() -> tuple[float, float, float]:
    """Median, low and high of the published per-task medians of board power over TDP (vLLM, H100 and B200) [-]."""
    from rackecon import catalog

    table = catalog.table("power")
    notes = (
        table.loc[table["metric"].astype(str).str.startswith("measured_gpu_power_median"), "note"]
        .fillna("")
        .astype(str)
    )
    shares = [float(m.group(1)) / 100.0 for note in notes if (m := re.search(r"median = (\d+)% of TDP", note))]
    return float(np.median(shares)), min(shares), max(shares)
