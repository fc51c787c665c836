"""What public measurements say: published fronts per configuration, read at a speed.

A rate read at a speed between two measured points is interpolated on a log scale and said to be so; its range is then
that of the two points, so that a gap of a sweep is not taken for knowledge.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog.cached import by_data
from rackecon.claims.records import Quote, quotes
from rackecon.lazy import pd

UNNAMED: Final = "not stated"
"""Engine of a run that names none."""
NEAR: Final = 0.03
"""A measured point within this share of the speed asked for is taken as it stands."""
REPEAT_DAYS: Final = 10.0
"""Runs of one configuration so close in time differ by chance, not by software."""
REPEAT_SHARE: Final = 0.9
LOAD: Final = ("accelerator", "model", "weight_precision", "isl", "osl", "gpus", "concurrency")
RATES: Final = ("tok_s_per_user", "total_tok_s_per_gpu")
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


@dataclass(frozen=True)
class _Runs:
    """Public runs of one configuration, as columns."""

    point_id: NDArray[np.str_]
    date: NDArray[np.str_]
    source_id: NDArray[np.str_]
    tok_s_per_user: FloatArray
    total_tok_s_per_gpu: FloatArray
    speculative: NDArray[np.str_]
    mode: NDArray[np.str_]
    engine: NDArray[np.str_]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]]) -> _Runs:
        """Of columns by name; what is no number is none."""
        return cls(
            **{one.name: np.asarray(columns[one.name], float if one.name in RATES else str) for one in fields(cls)}
        )

    def of_rows(self, rows: IntArray) -> _Runs:
        """Some of the runs."""
        return _Runs(*(getattr(self, one.name)[rows] for one in fields(self)))

    def joined(self, other: _Runs) -> _Runs:
        """These runs, then others."""
        both = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return _Runs(*(np.concatenate(pair) for pair in both))

    def of_speculation(self, speculative: str) -> BoolArray:
        """Which runs speculate by a method; those of ``none`` name it or nothing."""
        return np.isin(self.speculative, ("none", "") if speculative in ("none", "") else (speculative,))

    def of_engine(self, engine: str) -> BoolArray:
        """Which runs are of an engine, as far as they say."""
        return np.asarray((np.char.find(self.engine, engine) >= 0) | (self.engine == UNNAMED))


@by_data(1, "measured_serving", "measured_flags")
def _runs() -> dict[Hashable, _Runs]:
    frame = catalog.table("measured_serving")
    for name in RATES:
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    flags = catalog.table("measured_flags").set_index("point_id")["flag"]
    frame["speculative"] = frame["speculative"].fillna("")
    sound = frame[~frame["point_id"].map(flags).eq("broken_build")]
    every = _Runs.of({one.name: sound[one.name].tolist() for one in fields(_Runs)})
    groups = sound.groupby(["accelerator", "model", "weight_precision", "isl", "osl"]).indices
    return {key: every.of_rows(np.asarray(rows)) for key, rows in groups.items()}


def _of_case(accelerator: str, model: str, workload: str, weight_precision: str) -> _Runs | None:
    isl, osl = (int(x) for x in workload.split("/"))
    return _runs().get((accelerator, model, weight_precision, isl, osl))


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
    found = _of_case(accelerator, model, workload, weight_precision)
    cited = _cited(accelerator, model, workload, weight_precision) if not mode else None
    runs = found.joined(cited) if found and cited else found or cited
    if runs is None:
        return EMPTY
    keep = np.isfinite(runs.tok_s_per_user) & (runs.date <= until) & runs.of_speculation(speculative)
    keep = keep & runs.of_engine(engine) & ((runs.mode == mode) if mode else True)
    runs = runs.of_rows(np.flatnonzero(keep))
    if not len(runs.point_id):
        return EMPTY
    runs = runs.of_rows(np.lexsort((-runs.total_tok_s_per_gpu, -runs.tok_s_per_user)))
    speed, rate = runs.tok_s_per_user, runs.total_tok_s_per_gpu
    before = np.maximum.accumulate(np.concatenate([[-np.inf], rate[:-1]]))
    front = np.flatnonzero(rate > before * (1.0 + 1e-9))[::-1]
    ends = float(speed.min()), float(speed.max())
    return MeasuredFront(speed[front], rate[front], tuple(runs.point_id[front].tolist()), *ends, len(speed))


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


def _cited(accelerator: str, model: str, workload: str, weight_precision: str) -> _Runs | None:
    """Measured rates that were copied by hand, as runs beside those of the table of measurements."""
    asked = (accelerator, model, workload, weight_precision)
    found = [
        {**vars(one), "point_id": f"{one.source_id} {one.date}", "mode": "unstated", "engine": UNNAMED}
        for one in _second_hand()
        if (one.accelerator, one.model, one.workload, one.weight_precision) == asked
    ]
    return _Runs.of({name: [one[name] for one in found] for name in found[0]}) if found else None


@by_data(1, "claim_evidence")
def _second_hand() -> tuple[Quote, ...]:
    return tuple(one for one in quotes() if one.kind == "second-hand" and math.isfinite(one.tok_s_per_user))


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
    runs = _of_case(accelerator, model, workload, weight_precision)
    if runs is None:
        return []
    rate = runs.total_tok_s_per_gpu
    keep = np.isfinite(rate) & (runs.date <= until) & runs.of_engine(engine)
    if speculative:
        keep = keep & runs.of_speculation(speculative)
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(-rate[rows], kind="stable")]
    names = ("point_id", "date", "source_id", "total_tok_s_per_gpu", "tok_s_per_user")
    columns = [getattr(runs, name)[rows].tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


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
    apart, gain = _pairs(more)
    return np.sort(gain[(apart >= least) & (apart <= most)])


@by_data(2, "measured_serving", "measured_flags")
def _pairs(more: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Days between, and later over earlier rate, of every two runs of one platform, load and ``more``."""
    frame = catalog.table("measured_serving")
    flags = catalog.table("measured_flags").set_index("point_id")["flag"]
    frame["when"] = pd.to_datetime(frame["date"], errors="coerce")
    known = frame[
        frame["concurrency"].notna() & frame["when"].notna() & frame["point_id"].map(flags).ne("broken_build")
    ]
    group = known.groupby([*LOAD, *more], dropna=False).ngroup().to_numpy()
    when = known["when"].to_numpy().astype("datetime64[D]").astype(float)
    rate = known["total_tok_s_per_gpu"].to_numpy(dtype=float)
    order = np.lexsort((when, group))
    apart, gain = [np.array([])], [np.array([])]
    for runs in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        later, earlier = (runs[some] for some in np.tril_indices(len(runs), -1))
        apart.append(when[later] - when[earlier])
        gain.append(rate[later] / rate[earlier])
    return np.concatenate(apart), np.concatenate(gain)
