"""A claim's number at every operating point that its conditions allow, by the model and as published."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rackecon.claims.evidence import peak_rows
from rackecon.claims.model import (
    COMPARED,
    Side,
    case_name,
    cases,
    operating_speeds,
    ratio_factor,
    relative_position,
    side,
)
from rackecon.claims.records import Claim
from rackecon.claims.special import SPECIAL, accounts
from rackecon.claims.verdict import EDGE_SHARE
from rackecon.economics.checks import FloatArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Points", "evaluate"]

Block = tuple[str, str, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True)
class Points:
    """Operating points of all cases of a claim, modelled and measured, as columns of equal length."""

    case: tuple[str, ...]
    kind: tuple[str, ...]
    tok_s_per_user: FloatArray
    position: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.value)

    @property
    def in_middle(self) -> FloatArray:
        """Whether a point lies in the middle 80 % of the interactivity range; unknown positions count as inside."""
        known = np.isfinite(self.position)
        return np.asarray(~known | ((self.position >= EDGE_SHARE) & (self.position <= 1.0 - EDGE_SHARE)))

    @property
    def frame(self) -> pd.DataFrame:
        """The points as a data frame."""
        import pandas as pd

        return pd.DataFrame(
            {
                "case": self.case,
                "kind": self.kind,
                "tok_s_per_user": self.tok_s_per_user,
                "position": self.position,
                "value": self.value,
                "low": self.low,
                "high": self.high,
            }
        )


def evaluate(claim: Claim) -> Points:
    """The claim's number, in its own unit, at every operating point its conditions allow.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    Points
        Points that no layout reaches are left out; empty where the model serves none of the cases.
    """
    rows: list[Block] = []
    for case in cases(claim):
        name = case_name(claim, case)
        if claim.metric in SPECIAL:
            rows.append((name, "model", *SPECIAL[claim.metric](claim, case)))
            continue
        sides = [side(case)] + ([side(case, "baseline")] if claim.metric in COMPARED else [])
        speed = operating_speeds(case, sides)
        rate, low, high = sides[0].rate(speed)
        if claim.metric in COMPARED:
            factor = ratio_factor(claim.metric, case)
            other, other_low, other_high = sides[1].rate(speed)
            value = factor * rate / other
            spread = (-np.hypot(low, other_high), np.hypot(high, other_low))
        else:
            value, sign = accounts(claim, case, rate)
            spread = (low, high) if sign > 0 else (-high, -low)
        ends = value * np.exp(spread[0]), value * np.exp(spread[1])
        rows.append((name, "model", speed, relative_position(speed, sides), value, *ends))
        at, rates = _published(case, sides, speed)
        found = factor * rates if claim.metric in COMPARED else accounts(claim, case, rates)[0]
        rows.append((name, "measured", at, relative_position(at, sides), found, found, found))
    return _join(rows)


def _join(rows: list[Block]) -> Points:
    names = tuple(itertools.chain.from_iterable([row[0]] * len(row[2]) for row in rows))
    kinds = tuple(itertools.chain.from_iterable([row[1]] * len(row[2]) for row in rows))
    columns = [np.concatenate([np.asarray(row[i], dtype=float) for row in rows]) for i in range(2, 7)]
    keep = np.flatnonzero(np.isfinite(columns[2]))
    return Points(
        tuple(names[i] for i in keep),
        tuple(kinds[i] for i in keep),
        columns[0][keep],
        columns[1][keep],
        columns[2][keep],
        columns[3][keep],
        columns[4][keep],
    )


def _published(case: Mapping[str, str], sides: list[Side], speeds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Speeds and rates (or ratios of rates at one speed) that public measurements give for a case."""
    fronts = [one.published for one in sides]
    fixed = case.get("tok_s_per_user", "") or case.get("baseline_tok_s_per_gpu", "")
    if len(sides) == 1 and not fixed:
        rows = peak_rows(sides[0].accelerator, case["model"], case["workload"], sides[0].precision)
        return (
            np.array([float(row["tok_s_per_user"]) for row in rows]),
            np.array([float(row["total_tok_s_per_gpu"]) for row in rows]),
        )
    at = speeds if fixed else fronts[0].tok_s_per_user
    read = [[front.at(float(v)).total_tok_s_per_gpu for v in at] for front in fronts]
    rates = np.array(read[0], dtype=float)
    return np.asarray(at, dtype=float), rates if len(read) == 1 else rates / np.array(read[1], dtype=float)
