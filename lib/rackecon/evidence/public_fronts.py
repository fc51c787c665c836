"""Public sweeps as fronts: the upper envelope of each, and what a search finds under the conditions of its points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.evidence.measured import Evidence
from rackecon.lazy import pd
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.front import Frontier, pareto_rows
from rackecon.serving.frontier import find_together
from rackecon.serving.points import LENGTH_FACTOR
from rackecon.serving.query import METHODS, Query

LONE_SLOPE = -2.0  # of a front of one point: the median of all fronts, log rate by log speed
SLOPES = (-4.0, -0.3)


@dataclass(frozen=True)
class PublicFront:
    """One curve (``split_group``) in one quarter: rows on its upper envelope, by rising speed."""

    group: str
    window: str
    rows: IntArray
    every: IntArray  # all its rows
    slopes: FloatArray  # of log rate by log speed at each row
    most_gpus: float  # of its largest deployment


def public_fronts(evidence: Evidence, rows: BoolArray | None = None) -> list[PublicFront]:
    """The fronts of all public sweeps that state speeds, broken builds left out.

    Parameters
    ----------
    rows : array of bool, optional
        Rows to use; all by default.
    """
    used = ~evidence.throughput_only & ~evidence.broken & np.isfinite(evidence.tok_s_per_user)
    used &= np.ones(len(evidence), dtype=bool) if rows is None else rows
    frame = evidence.frame[used]
    window = pd.PeriodIndex(pd.to_datetime(frame["date"]), freq="Q").astype(str)
    found = []
    for (group, quarter), part in frame.groupby([frame["split_group"], window]):
        every = part.index.to_numpy()
        speed, rate = evidence.tok_s_per_user[every], evidence.total_tok_s_per_gpu[every]
        kept = every[pareto_rows(speed, rate, np.ones(len(every), dtype=bool))]
        slopes = np.full(len(kept), LONE_SLOPE)
        if len(kept) > 1:
            logs = (np.log(x[kept]) for x in (evidence.total_tok_s_per_gpu, evidence.tok_s_per_user))
            slopes = np.clip(np.gradient(*logs), *SLOPES)
        found.append(PublicFront(str(group), str(quarter), kept, every, slopes, float(part["gpus"].max())))
    return found


def searched_points(
    asked: Sequence[tuple[PublicFront, ServingParameters]], evidence: Evidence
) -> Iterator[tuple[PublicFront, int, float, Frontier]]:
    """Each row of fronts with its slope and what a search finds for its engine, precision, mode, drafting and date.

    Software moves inside a quarter, so every row is searched with the builds of its own day. Searches alike, most of which
    differ in date alone, are asked for together.

    Parameters
    ----------
    asked : sequence of (PublicFront, ServingParameters)
        Fronts, each with the parameters to search with.
    """
    dates = evidence.frame["date"].astype(str).tolist()
    questions: dict[tuple[int, str], Query] = {}
    for number, (front, parameters) in enumerate(asked):
        for row in front.rows.tolist():
            if (number, dates[row]) not in questions:
                questions[number, dates[row]] = _question(evidence, row, front.most_gpus, parameters)
    found = dict(zip(questions, find_together(list(questions.values())), strict=True))
    for number, (front, _) in enumerate(asked):
        for row, slope in zip(front.rows.tolist(), front.slopes.tolist(), strict=True):
            yield front, row, slope, found[number, dates[row]]


def searched_by_home(
    evidence: Evidence, homes: IntArray, parameters: Mapping[int, ServingParameters]
) -> Iterator[tuple[PublicFront, int, Frontier]]:
    """Each row of every public front and what a search finds for it by the fit that had not seen its home.

    Parameters
    ----------
    homes : array of int
        Fold of each row; a front lies in one. Those of a negative one are left out.
    parameters : mapping
        The fit to all homes but one, by that home.
    """
    left_out = [one for one in public_fronts(evidence) if homes[one.rows[0]] >= 0]
    asked = [(one, parameters[int(homes[one.rows[0]])]) for one in left_out]
    for one, row, _, front in searched_points(asked, evidence):
        yield one, row, front


def _question(evidence: Evidence, i: int, most_gpus: float, parameters: ServingParameters) -> Query:
    row = evidence.frame.iloc[i]
    share = LENGTH_FACTOR if "uniform" in str(row["length_draw"]) else 1.0
    return Query.of(
        row["accelerator"],
        row["model"],
        share * float(row["isl"]),
        share * float(row["osl"]),
        weight_precision=row["weight_precision"],
        engine=row["engine"],
        mode=row["mode"],
        speculative=str(row["speculative"]) if row["speculative"] in METHODS else "none",
        date=str(row["date"]),
        max_gpus=int(most_gpus) if np.isfinite(most_gpus) else None,
        parameters=parameters,
    )
