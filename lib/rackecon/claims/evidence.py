"""What public measurements say: published fronts per configuration, read at a speed, and how the model compares.

A rate read at a speed between two measured points is interpolated on a log scale and said to be so.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.economics.checks import FloatArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MeasuredFront", "Reading", "measured_front", "peak_rows", "software_gains"]

NEAR: Final = 0.03
"""A measured point within this share of the speed asked for is taken as it stands."""
WIDEST: Final = 8.0
"""Points whose rates differ by more than this factor are too far apart to read between."""


@dataclass(frozen=True)
class Reading:
    """A rate read at a speed, and how it came about: measured, interpolated, or none."""

    total_tok_s_per_gpu: float
    kind: str
    points: tuple[str, ...]


@dataclass(frozen=True)
class MeasuredFront:
    """Published points that no other published point of the same configuration beats, slowest first."""

    tok_s_per_user: FloatArray
    total_tok_s_per_gpu: FloatArray
    point_ids: tuple[str, ...]
    sweep_low: float
    sweep_high: float
    points: int

    def at(self, tok_s_per_user: float) -> Reading:
        """The rate at a speed, log-linear between points; none outside them or across too wide a gap.

        Examples
        --------
        >>> front = measured_front("h200-sxm", "deepseek-r1", "1024/1024", "fp8", "none")
        >>> front.at(200.0).kind
        'none'
        """
        speed, rate = self.tok_s_per_user, self.total_tok_s_per_gpu
        if not len(speed):
            return Reading(math.nan, "none", ())
        near = int(np.argmin(np.abs(speed / tok_s_per_user - 1.0)))
        if abs(speed[near] / tok_s_per_user - 1.0) <= NEAR:
            return Reading(float(rate[near]), "measured", (self.point_ids[near],))
        if not speed[0] <= tok_s_per_user <= speed[-1]:
            return Reading(math.nan, "none", ())
        right = int(np.searchsorted(speed, tok_s_per_user))
        if rate[right - 1] > WIDEST * rate[right]:
            return Reading(math.nan, "none", ())
        value = float(np.exp(np.interp(tok_s_per_user, speed, np.log(rate))))
        return Reading(value, "interpolated", (self.point_ids[right - 1], self.point_ids[right]))

    def position(self, tok_s_per_user: float) -> float:
        """Where a speed lies in the published sweep: 0 at its slow end, 1 at its fast end; NaN without a range."""
        span = self.sweep_high - self.sweep_low
        return (tok_s_per_user - self.sweep_low) / span if span > 0 else math.nan


EMPTY: Final = MeasuredFront(np.array([]), np.array([]), (), math.nan, math.nan, 0)


@by_data(1, "measured_serving", "measured_flags")
def _frames() -> dict[Hashable, pd.DataFrame]:
    import pandas as pd

    frame = catalog.table("measured_serving")
    for name in ("tok_s_per_user", "total_tok_s_per_gpu"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    flags = catalog.table("measured_flags").set_index("point_id")["flag"]
    frame["broken"] = frame["point_id"].map(flags).eq("broken_build")
    frame["speculative"] = frame["speculative"].fillna("")
    return dict(list(frame[~frame["broken"]].groupby(["accelerator", "model", "weight_precision", "isl", "osl"])))


def _frame(accelerator: str, model: str, workload: str, weight_precision: str) -> pd.DataFrame | None:
    isl, osl = (int(x) for x in workload.split("/"))
    return _frames().get((accelerator, model, weight_precision, isl, osl))


def measured_front(
    accelerator: str,
    model: str,
    workload: str,
    weight_precision: str,
    speculative: str = "none",
    until: str = "9999",
) -> MeasuredFront:
    """The front of public measurements of one configuration.

    Parameters
    ----------
    accelerator, model, weight_precision : str
        Ids and precision.
    workload : str
        Nominal lengths, ``1024/1024``.
    speculative : str
        ``none``: runs without speculation only; otherwise all runs, since a front may use it or not.
    until : str
        ISO date of the newest run counted.

    Returns
    -------
    MeasuredFront
        Empty where nothing was published. Rows marked as broken builds are left out.
    """
    frame = _frame(accelerator, model, workload, weight_precision)
    if frame is None:
        return EMPTY
    rows = frame[frame["tok_s_per_user"].notna() & (frame["date"].astype(str) <= until)]
    if speculative == "none":
        rows = rows[rows["speculative"].isin(("none", ""))]
    if rows.empty:
        return EMPTY
    rows = rows.sort_values(["tok_s_per_user", "total_tok_s_per_gpu"], ascending=False, kind="stable")
    rate = rows["total_tok_s_per_gpu"].to_numpy(dtype=float)
    before = np.maximum.accumulate(np.concatenate([[-np.inf], rate[:-1]]))
    front = rows[rate > before * (1.0 + 1e-9)].iloc[::-1]
    speed = rows["tok_s_per_user"]
    return MeasuredFront(
        front["tok_s_per_user"].to_numpy(dtype=float),
        front["total_tok_s_per_gpu"].to_numpy(dtype=float),
        tuple(front["point_id"]),
        float(speed.min()),
        float(speed.max()),
        len(rows),
    )


def peak_rows(accelerator: str, model: str, workload: str, weight_precision: str) -> list[dict[str, Any]]:
    """Published rates of a configuration, highest first, those without a speed counted too.

    Returns
    -------
    list of dict
        ``point_id, date, source_id, total_tok_s_per_gpu, tok_s_per_user`` (NaN where not published).
    """
    frame = _frame(accelerator, model, workload, weight_precision)
    if frame is None:
        return []
    names = ["point_id", "date", "source_id", "total_tok_s_per_gpu", "tok_s_per_user"]
    rows = frame.dropna(subset=["total_tok_s_per_gpu"]).sort_values(
        "total_tok_s_per_gpu", ascending=False, kind="stable"
    )
    return [{str(k): v for k, v in row.items()} for row in rows[names].to_dict("records")]


def software_gains(days: float, *, same_layout: bool = True) -> FloatArray:
    """How much faster one platform became on one load: later over earlier rate, all pairs so far apart.

    Parameters
    ----------
    days : float
        Distance in time [days]; pairs between half of it and all of it count.
    same_layout : bool
        Whether engine mode, layout and speculation are the same too; otherwise only accelerator, model, precision,
        lengths, GPUs and concurrency.

    Returns
    -------
    ndarray
        Ratios [-], sorted; empty where nothing was run twice. Broken builds are left out.
    """
    import pandas as pd

    frame = catalog.table("measured_serving")
    flags = catalog.table("measured_flags").set_index("point_id")["flag"]
    frame["when"] = pd.to_datetime(frame["date"], errors="coerce")
    known = frame[
        frame["concurrency"].notna() & frame["when"].notna() & frame["point_id"].map(flags).ne("broken_build")
    ]
    keys = ["accelerator", "model", "weight_precision", "isl", "osl", "gpus", "concurrency"]
    if same_layout:
        keys += ["mode", "tp", "ep", "dp_attention", "prefill_gpus", "decode_gpus", "speculative", "draft_tokens"]
    out: list[float] = []
    for _, group in known.groupby(keys, dropna=False):
        if len(group) < 2:
            continue
        ordered = group.sort_values("when", kind="stable")
        when = ordered["when"].to_numpy().astype("datetime64[D]").astype(float)
        rate = ordered["total_tok_s_per_gpu"].to_numpy(dtype=float)
        later, earlier = np.tril_indices(len(rate), -1)
        apart = when[later] - when[earlier]
        near = (apart >= 0.5 * days) & (apart <= days) & (apart > 0)
        out.extend((rate[later] / rate[earlier])[near].tolist())
    return np.sort(np.array(out, dtype=float))
