"""The verdict rule: a pure function of the claimed number and of what was computed for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["EDGE_SHARE", "MEANING", "VERDICTS", "Span", "decide"]

REPRODUCED: Final = "reproduced"
AT_THE_EDGE: Final = "reproduced at the edge"
BOUNDED: Final = "bounded"
NOT_REPRODUCIBLE: Final = "not reproducible as stated"
MISATTRIBUTED: Final = "misattributed"
VERDICTS: Final = (REPRODUCED, AT_THE_EDGE, BOUNDED, NOT_REPRODUCIBLE, MISATTRIBUTED)
MEANING: Final = {
    REPRODUCED: "the claimed value lies inside the 90 % interval at the stated conditions",
    AT_THE_EDGE: "only at operating points outside the middle 80 % of the frontier's interactivity range",
    BOUNDED: "the conditions are too vague for one answer; the value lies between the extremes over what is unstated",
    NOT_REPRODUCIBLE: "outside even the extremes over what is unstated",
    MISATTRIBUTED: "the source's own conditions name another subject",
}
EDGE_SHARE: Final = 0.1
"""Share of the interactivity range at each end that counts as its edge."""


@dataclass(frozen=True)
class Span:
    """From the lowest to the highest computed value; empty where nothing was computed."""

    low: float = math.nan
    high: float = math.nan

    def holds(self, value: float, step: float = 0.0, *, one_sided: bool = False) -> bool:
        """Whether a value known to plus or minus ``step`` lies inside or, one-sided, is reached at all."""
        return bool(self.high >= value - step and (one_sided or self.low <= value + step))


def decide(
    value: float,
    *,
    stated: bool,
    middle: Span,
    everywhere: Span,
    step: float = 0.0,
    one_sided: bool = False,
    misattributed: bool = False,
) -> str:
    """The verdict on a claimed value.

    Parameters
    ----------
    value : float
        What is claimed.
    stated : bool
        Whether the stated conditions leave nothing open that the number depends on.
    middle, everywhere : Span
        Extremes over everything that is left open: at operating points in the middle 80 % of the interactivity range,
        and at all of them. With nothing left open, these are the 90 % interval itself, or empty.
    step : float
        Half of the claim's last printed digit.
    one_sided : bool
        The claim says ``up to`` or ``at least``: it holds where the computed span reaches it.
    misattributed : bool
        Whether the source's own conditions name another subject.

    Returns
    -------
    str
        One of :data:`VERDICTS`.

    Examples
    --------
    >>> decide(15.0, stated=True, middle=Span(9.0, 20.0), everywhere=Span(9.0, 20.0))
    'reproduced'
    >>> decide(50.0, stated=False, middle=Span(9.0, 20.0), everywhere=Span(5.0, 60.0))
    'reproduced at the edge'
    """
    if misattributed:
        return MISATTRIBUTED
    if middle.holds(value, step, one_sided=one_sided):
        return REPRODUCED if stated else BOUNDED
    if everywhere.holds(value, step, one_sided=one_sided):
        return AT_THE_EDGE
    return NOT_REPRODUCIBLE
