"""The numbers that a claim's verdict rests on: where they come from, how wide they are, and which need an allowance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon.claims.verdict import FALSE, TRUE

if TYPE_CHECKING:
    from rackecon.claims.assess import Assessment
    from rackecon.claims.cells import Cells

STATE_OF: Final = {"measured": TRUE, "holds if": TRUE, "contradicted": FALSE, "exaggerated": FALSE}
"""Whether true or false operating points make a verdict; no other rests on numbers."""
KINDS: Final = ("measured", "mixed", "model")


@dataclass(frozen=True)
class Deciding:
    """Operating points of one kind that decide a claim, in its unit.

    ``kind`` says whether every side was measured, one side, or none; ``least`` to ``most`` what they give, ``low`` and
    ``high`` the 90 % interval of the one where there is one alone, ``narrowest`` and ``widest`` the intervals' high over
    low; ``allowed`` how many reach the number by an allowance alone.
    """

    kind: str
    points: int
    least: float
    most: float
    low: float
    high: float
    narrowest: float
    widest: float
    allowed: int
    slowest: float
    fastest: float


def deciding(result: Assessment) -> list[Deciding]:
    """What decides a claim, measurements first.

    Returns
    -------
    list of Deciding
        One for each kind that occurs; empty where the verdict rests on no number.

    Examples
    --------
    >>> from rackecon.claims import assess, claim
    >>> [(one.kind, one.points) for one in deciding(assess(claim("gb200-15x-gpu")))]
    [('mixed', 2)]
    """
    state = STATE_OF.get(result.verdict, "")
    found = [_of_kind(result, kind, state) for kind in KINDS] if state else []
    return [one for one in found if one is not None]


def _of_kind(result: Assessment, kind: str, state: str) -> Deciding | None:
    rows = [
        (cells.tok_s_per_user[i], cells.used.value[i], cells.used.low[i], cells.used.high[i])
        for cells in result.cells
        for i in _places(cells, kind, state)
    ]
    if not rows:
        return None
    speed, used, low, high = np.array(rows, dtype=float).T
    ratio = high / low
    short = _short(result, used) if state == TRUE else np.zeros(len(used), dtype=bool)
    known = speed[np.isfinite(speed)]
    ends = (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)
    return Deciding(
        kind=kind,
        points=len(used),
        least=float(used.min()),
        most=float(used.max()),
        low=float(low.min()),
        high=float(high.max()),
        narrowest=float(ratio.min()),
        widest=float(ratio.max()),
        allowed=int(short.sum()),
        slowest=ends[0],
        fastest=ends[1],
    )


def _places(cells: Cells, kind: str, state: str) -> list[int]:
    return [i for i in range(len(cells)) if cells.used.kind[i] == kind and cells.state[i] == state]


def _short(result: Assessment, used: np.ndarray) -> np.ndarray:
    """Which numbers fall short of the claim as it is printed."""
    claim = result.claim
    if claim.bound == "equals":
        return np.zeros(len(used), dtype=bool)
    return used > claim.value if claim.falls_with_rate else used < claim.value
