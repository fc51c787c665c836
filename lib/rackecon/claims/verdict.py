"""The verdict rule: rows of data/verdict_rule.csv, tried in order on what was found for each reading of a claim.

A claim that leaves conditions open has several readings, one per combination of them. Each reading is true, false or
open; measurements decide before the model, and a model whose interval is wider than the rule allows decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import rows_of
from rackecon.errors import check_known

TRUE: Final = "true"
FALSE: Final = "false"
OPEN: Final = "open"


@dataclass(frozen=True)
class Reading:
    """One reading of a claim: whether it is true so read, and whether measurements alone say so."""

    state: str
    measured: bool = False


@dataclass(frozen=True)
class Findings:
    """What the rule looks at.

    ``everywhere`` says that a reading counts wherever it is reached: its speed is stated, or the claim says ``up to``;
    ``own`` that its author alone measured it.
    """

    readings: tuple[Reading, ...] = ()
    everywhere: bool = True
    own: bool = False
    misattributed: bool = False
    identity: bool = False
    unpublished: bool = False

    def all_are(self, state: str) -> bool:
        """Whether every reading has a state; never without readings."""
        return bool(self.readings) and all(one.state == state for one in self.readings)


NEEDS: Final[dict[str, Callable[[Findings], bool]]] = {
    "another subject": lambda f: f.misattributed,
    "own figures": lambda f: f.identity,
    "never published": lambda f: f.unpublished,
    "measured everywhere": lambda f: (
        f.everywhere and not f.own and f.all_are(TRUE) and all(one.measured for one in f.readings)
    ),
    "true somewhere": lambda f: any(one.state == TRUE for one in f.readings),
    "measured false everywhere": lambda f: f.all_are(FALSE) and any(one.measured for one in f.readings),
    "false everywhere": lambda f: f.all_are(FALSE),
    "otherwise": lambda f: True,
}
"""What a row may need, by the name that the table gives it."""


@dataclass(frozen=True)
class Rule:
    """One row: the verdict where what it needs is there, and the widest interval, high over low, that it may rest on."""

    verdict: str
    needs: str
    widest_ratio: float
    meaning: str


@by_data(1, "verdict_rule")
def rules() -> tuple[Rule, ...]:
    """The rows of data/verdict_rule.csv, in order.

    Raises
    ------
    InputError
        A row needs something that is not known.
    """
    found = []
    for row in rows_of("verdict_rule"):
        needs = row.text("needs")
        check_known("needs", needs, NEEDS, row.where)
        found.append(
            (row.whole("order"), Rule(row.text("verdict"), needs, row.number("widest_ratio"), row.text("meaning")))
        )
    return tuple(rule for _, rule in sorted(found, key=lambda item: item[0]))


def verdicts() -> tuple[str, ...]:
    """Every verdict once, in the order of the rule."""
    return tuple(dict.fromkeys(rule.verdict for rule in rules()))


def meanings() -> dict[str, str]:
    """What each verdict means; where several rows give it, all of them."""
    return {name: "; or: ".join(rule.meaning for rule in rules() if rule.verdict == name) for name in verdicts()}


def widest_ratio() -> float:
    """High over low end up to which an interval decides anything [-]: the narrowest that any row allows.

    Examples
    --------
    >>> widest_ratio()
    4.0
    """
    return min(rule.widest_ratio for rule in rules() if rule.widest_ratio == rule.widest_ratio)


def decide(found: Findings | Sequence[Reading]) -> str:
    """The verdict: that of the first row whose need is met.

    Examples
    --------
    >>> decide([Reading(TRUE, measured=True)]), decide([Reading(TRUE), Reading(OPEN)]), decide([Reading(OPEN)])
    ('measured', 'holds if', 'not checkable')
    >>> decide([Reading(FALSE, measured=True)]), decide([Reading(FALSE)])
    ('contradicted', 'exaggerated')
    """
    seen = found if isinstance(found, Findings) else Findings(tuple(found))
    return next(rule.verdict for rule in rules() if NEEDS[rule.needs](seen))
