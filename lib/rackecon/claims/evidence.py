"""What public measurements say: published fronts per configuration, read at a speed.

A rate read at a speed between two measured points is interpolated on a log scale and said to be so; its range is then
that of the two points, so that a gap of a sweep is not taken for knowledge.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.claims.records import quotes
from rackecon.economics.checks import FloatArray

if TYPE_CHECKING:
    import pandas as pd

UNNAMED: Final = "not stated"
"""Engine of a run that names none."""
NEAR: Final = 0.03
"""A measured point within this share of the speed asked for is taken as it stands."""
REPEAT_DAYS: Final = 10.0
"""Runs of one configuration so close in time differ by chance, not by software."""
REPEAT_SHARE: Final = 0.9
LOAD: Final = ("accelerator", "model", "weight_precision", "isl", "osl", "gpus", "concurrency")
LAYOUT: Final = (
    *("mode", "tp", "ep", "dp_attention", "prefill_gpus", "decode_gpus"),
    *("speculative", "draft_tokens"),
)


@dataclass(frozen=True)
class Reading:
    """A rate read at a speed [total tok/s/GPU], and how it came about: measured, interpolated, or none.

    ``low`` and ``high`` are the rates of the two points that it was read between.
    """

    total_tok_s_per_gpu: float
    kind: str
    points: tuple[str, ...]
    low: float
    high: float


NOTHING: Final = Reading(math.nan, "none", (), math.nan, math.nan)


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
        """The rate at a speed, log-linear between points; none outside them.

        Examples
        --------
        >>> front = measured_front("h200-sxm", "deepseek-r1", "1024/1024", "fp8", "none")
        >>> front.at(200.0).kind
        'none'
        """
        speed, rate = self.tok_s_per_user, self.total_tok_s_per_gpu
        if not len(speed):
            return NOTHING
        near = int(np.argmin(np.abs(speed / tok_s_per_user - 1.0)))
        if abs(speed[near] / tok_s_per_user - 1.0) <= NEAR:
            one = float(rate[near])
            return Reading(one, "measured", (self.point_ids[near],), one, one)
        if not speed[0] <= tok_s_per_user <= speed[-1]:
            return NOTHING
        right = int(np.searchsorted(speed, tok_s_per_user))
        value = float(np.exp(np.interp(tok_s_per_user, speed, np.log(rate))))
        names = (self.point_ids[right - 1], self.point_ids[right])
        return Reading(value, "interpolated", names, float(rate[right]), float(rate[right - 1]))

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


@by_data(1024, "measured_serving", "measured_flags", "claim_evidence")
def measured_front(
    accelerator: str,
    model: str,
    workload: str,
    weight_precision: str,
    speculative: str = "none",
    *,
    mode: str = "",
    engine: str = "",
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
        ``none``: runs without speculation; else runs with that method.
    mode : str
        ``aggregated`` or ``disaggregated``; all runs where empty.
    engine : str
        Runs of this engine, alone or under an orchestrator, and runs that name none; all where empty.
    until : str
        ISO date of the newest run counted.

    Returns
    -------
    MeasuredFront
        Empty where nothing was published. Rows marked as broken builds are left out; rates that a publication gives and
        that were copied by hand (data/claim_evidence.csv) count, under the name of their source.
    """
    import pandas as pd

    frame = _frame(accelerator, model, workload, weight_precision)
    cited = _cited(accelerator, model, workload, weight_precision) if not mode else None
    parts = [part for part in (frame, cited) if part is not None]
    if not parts:
        return EMPTY
    rows = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    wanted = ("none", "") if speculative in ("none", "") else (speculative,)
    keep = rows["tok_s_per_user"].notna() & (rows["date"].astype(str) <= until) & rows["speculative"].isin(wanted)
    rows = rows[keep & (rows["mode"].eq(mode) if mode else True) & _ran(rows["engine"], engine)]
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


def _ran(engines: pd.Series[str], engine: str) -> pd.Series[bool]:
    """Which runs are of an engine, as far as they say."""
    return engines.str.contains(engine, regex=False) | engines.eq(UNNAMED)


@by_data(256, "measured_serving", "measured_flags")
def engine_measured(accelerator: str, model: str, engine: str) -> bool:
    """Whether any public run of a platform and a model names an engine.

    Examples
    --------
    >>> engine_measured("gb200-nvl72", "deepseek-r1", "sglang"), engine_measured("gb200-nvl72", "gpt-oss-120b", "vllm")
    (True, False)
    """
    frame = catalog.table("measured_serving")
    of_pair = frame[frame["accelerator"].eq(accelerator) & frame["model"].eq(model)]
    return bool(of_pair["engine"].str.contains(engine, regex=False).any())


def _cited(accelerator: str, model: str, workload: str, weight_precision: str) -> pd.DataFrame | None:
    """Measured rates that were copied by hand, as rows of the table of measurements."""
    import pandas as pd

    rows = [
        (f"{q.source_id} {q.date}", q.date, q.tok_s_per_user, q.total_tok_s_per_gpu, q.speculative, "unstated", UNNAMED)
        for q in quotes()
        if (q.accelerator, q.model, q.workload, q.weight_precision) == (accelerator, model, workload, weight_precision)
        and q.kind == "second-hand"
        and math.isfinite(q.tok_s_per_user)
    ]
    names = ["point_id", "date", "tok_s_per_user", "total_tok_s_per_gpu", "speculative", "mode", "engine"]
    return pd.DataFrame(rows, columns=names) if rows else None


@by_data(1, "measured_serving", "measured_flags")
def repeat_spread() -> float:
    """Factor within which nine in ten repeats of one public configuration within ten days agree [-].

    Examples
    --------
    >>> round(repeat_spread(), 2)
    1.06
    """
    return float(np.exp(np.quantile(np.abs(np.log(_gains(0.0, REPEAT_DAYS, (*LAYOUT, "engine")))), REPEAT_SHARE)))


@by_data(256, "measured_serving", "measured_flags")
def peak_rows(
    accelerator: str,
    model: str,
    workload: str,
    weight_precision: str,
    speculative: str = "",
    *,
    engine: str = "",
    until: str = "9999",
) -> list[dict[str, Any]]:
    """Published rates of a configuration, highest first, those without a speed counted too.

    Parameters
    ----------
    accelerator, model, workload, weight_precision, speculative, engine, until : str
        As in :func:`measured_front`; runs of any speculation where that is empty.

    Returns
    -------
    list of dict
        ``point_id, date, source_id, total_tok_s_per_gpu, tok_s_per_user`` (NaN where not published).
    """
    frame = _frame(accelerator, model, workload, weight_precision)
    if frame is None:
        return []
    names = ["point_id", "date", "source_id", "total_tok_s_per_gpu", "tok_s_per_user"]
    wanted = ("none", "") if speculative == "none" else (speculative,)
    frame = frame[(frame["date"].astype(str) <= until) & (frame["speculative"].isin(wanted) | (speculative == ""))]
    frame = frame[_ran(frame["engine"], engine)]
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
    return _gains(0.5 * days, days, LAYOUT if same_layout else ())


def _gains(least: float, most: float, more: tuple[str, ...]) -> FloatArray:
    """Later over earlier rate of runs of one platform, load and ``more``, so many days apart; sorted."""
    import pandas as pd

    frame = catalog.table("measured_serving")
    flags = catalog.table("measured_flags").set_index("point_id")["flag"]
    frame["when"] = pd.to_datetime(frame["date"], errors="coerce")
    known = frame[
        frame["concurrency"].notna() & frame["when"].notna() & frame["point_id"].map(flags).ne("broken_build")
    ]
    out: list[float] = []
    for _, group in known.groupby([*LOAD, *more], dropna=False):
        if len(group) < 2:
            continue
        ordered = group.sort_values("when", kind="stable")
        when = ordered["when"].to_numpy().astype("datetime64[D]").astype(float)
        rate = ordered["total_tok_s_per_gpu"].to_numpy(dtype=float)
        later, earlier = np.tril_indices(len(rate), -1)
        apart = when[later] - when[earlier]
        near = (apart >= least) & (apart <= most)
        out.extend((rate[later] / rate[earlier])[near].tolist())
    return np.sort(np.array(out, dtype=float))
