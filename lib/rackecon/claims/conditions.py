"""What must be true for a claim to hold, as a set of named conditions; and what is missing where nothing decides."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon import catalog
from rackecon.claims.cells import cells_of
from rackecon.claims.model import option_words
from rackecon.claims.records import published
from rackecon.claims.special import SPECIAL
from rackecon.claims.verdict import FALSE, OPEN, TRUE, widest_ratio
from rackecon.serving.query import newest_measurement
from rackecon.words import join_words, plural

if TYPE_CHECKING:
    from rackecon.claims.assess import Assessment

__all__ = ["Box", "Move", "moves", "true_boxes", "true_when", "undecided", "what_is_missing"]

MOST_BOXES: Final = 2
SLACK: Final = 1.02
"""Speeds nearer than this factor are one speed."""
USUAL: Final = {"token_price": ("paid", "list", "effective"), "cost_basis": ("ownership",)}
"""Values by which a set of conditions is named first, where it holds under them."""
RISING: Final = {"token_price": "above", "utilisation": "more", "horizon_years": "longer"}
"""Conditions whose values stand in rising order, and the word for what lies beyond one."""
MOVED: Final[dict[str, tuple[str, ...]]] = {
    "speculative": ("none", "mtp"),
    "baseline_speculative": ("none", "mtp"),
    "workload": ("1024/1024", "8192/1024"),
    "weight_precision": ("fp4", "fp8"),
    "tok_s_per_user": ("20", "30", "50", "75", "100"),
    "cost_basis": ("ownership", "rented"),
    "token_price": ("cheapest", "paid", "list", "dearest"),
    "utilisation": ("0.5", "1.0"),
    "software_date": (),  # the newest measurement's
}
"""Values that a stated condition is moved to, one at a time."""
Key = tuple[int, ...]


@dataclass(frozen=True)
class Move:
    """A claim with one condition at another value: whether it is true then, and at which speeds."""

    condition: str
    words: str
    state: str
    slowest: float
    fastest: float


@dataclass(frozen=True)
class Box:
    """A product of conditions, every combination of which holds: values by condition, and the speeds common to all."""

    values: Mapping[str, tuple[str, ...]]
    slowest: float
    fastest: float
    measured: bool


def _axes(result: Assessment) -> dict[str, tuple[str, ...]]:
    claim = result.claim
    return {
        name: claim.conditions[name].options
        for name in claim.open_conditions
        if name != "tok_s_per_user" and len(claim.conditions[name].options) > 1
    }


def _true_speeds(result: Assessment) -> list[tuple[float, float] | None]:
    """The widest unbroken range of true speeds of each reading; NaN where no speed is published, None where none is true."""
    out: list[tuple[float, float] | None] = []
    for cells in result.cells:
        order = np.argsort(np.asarray(cells.tok_s_per_user), kind="stable")
        runs = [
            [float(cells.tok_s_per_user[i]) for i in run]
            for true, run in itertools.groupby(order, key=lambda i: cells.state[i] == TRUE)
            if true
        ]
        known = [ends for run in runs if (ends := [x for x in run if math.isfinite(x)])]
        widest = max(known, key=lambda run: run[-1] / run[0], default=None)
        out.append(None if not runs else (widest[0], widest[-1]) if widest else (math.nan, math.nan))
    return out


def _common(ends: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Speeds that all ranges share; None where there are none."""
    known = [pair for pair in ends if math.isfinite(pair[0])]
    if not known:
        return math.nan, math.nan
    low, high = max(pair[0] for pair in known), min(pair[1] for pair in known)
    return (low, high) if high >= low else None


def true_boxes(result: Assessment) -> list[Box]:
    """The combinations under which a claim holds, as few products of conditions as a greedy search finds.

    Parameters
    ----------
    result : Assessment

    Returns
    -------
    list of Box
        Widest range of speeds first; empty where no reading is true.
    """
    axes, speeds = _axes(result), _true_speeds(result)
    place = {name: {value: i for i, value in enumerate(options)} for name, options in axes.items()}
    found: dict[Key, tuple[float, float]] = {}
    basis: dict[Key, bool] = {}
    for case, ends, reading in zip(result.cases, speeds, result.readings, strict=True):
        if ends is not None:
            key = tuple(place[name][case[name]] for name in axes)
            found[key], basis[key] = ends, reading.measured
    sizes, left, boxes = [len(options) for options in axes.values()], dict(found), []
    grown = {key: _grown(key, found, sizes) for key in found}
    while left:
        sets = grown[max(left, key=lambda key: (_usual(key, axes), basis[key], _reach(grown[key], found)))]
        inside = list(itertools.product(*sets))
        shared = _common([found[key] for key in inside]) or (math.nan, math.nan)
        values = {
            name: tuple(options[i] for i in chosen) for (name, options), chosen in zip(axes.items(), sets, strict=True)
        }
        boxes.append(Box(values, *shared, all(basis[key] for key in inside)))
        left = {key: ends for key, ends in left.items() if key not in set(inside)}
    return boxes


def _usual(key: Key, axes: Mapping[str, tuple[str, ...]]) -> int:
    """How many conditions of a combination have a usual value."""
    return sum(options[i] in USUAL.get(name, ()) for i, (name, options) in zip(key, axes.items(), strict=True))


def _reach(sets: list[list[int]], found: Mapping[Key, tuple[float, float]]) -> float:
    """How much a product of conditions covers: combinations times octaves of speed that they share."""
    inside = list(itertools.product(*sets))
    low, high = _common([found[key] for key in inside]) or (math.nan, math.nan)
    return len(inside) * (1.0 + (math.log2(high / low) if high > low else 0.0))


def _grown(seed: Key, found: Mapping[Key, tuple[float, float]], sizes: list[int]) -> list[list[int]]:
    """Grow a combination, axis by axis, by values that keep every combination true at a common speed."""
    sets = [[i] for i in seed]
    for axis, size in enumerate(sizes):
        for more in range(size):
            if more in sets[axis]:
                continue
            wider = [sorted([*chosen, more]) if i == axis else chosen for i, chosen in enumerate(sets)]
            keys = list(itertools.product(*wider))
            if all(key in found for key in keys) and _common([found[key] for key in keys]) is not None:
                sets = wider
    return sets


def _speed_words(box: Box, *, fixed: bool) -> str:
    if fixed or not math.isfinite(box.slowest):
        return ""
    if box.fastest <= SLACK * box.slowest:
        return f"at {box.slowest:.3g} tok/s/user"
    return f"at {box.slowest:.3g} to {box.fastest:.3g} tok/s/user"


def _chosen_words(name: str, chosen: tuple[str, ...], options: tuple[str, ...]) -> str:
    """Values of one condition; the upper part of a rising one by where it begins."""
    if name in RISING and len(chosen) > 1 and chosen == options[-len(chosen) :]:
        return f"{option_words(name, chosen[0])} or {RISING[name]}"
    return join_words([option_words(name, value) for value in chosen]).replace(" and ", " or ")


def _box_words(box: Box, axes: Mapping[str, tuple[str, ...]], *, fixed: bool) -> str:
    parts = [
        _chosen_words(name, chosen, axes[name]) for name, chosen in box.values.items() if len(chosen) < len(axes[name])
    ]
    speed = _speed_words(box, fixed=fixed)
    return ", ".join([*([speed] if speed else []), *parts])


def true_when(result: Assessment, most: int = MOST_BOXES) -> str:
    """The set of conditions under which a claim holds, in words; empty where none was found.

    ``most`` is how many separate sets are told; how many more there are is said.

    Examples
    --------
    >>> from rackecon.claims import assess, claim
    >>> true_when(assess(claim("b200-2cents")))
    'as stated'
    """
    boxes, axes = true_boxes(result), _axes(result)
    if not boxes:
        return ""
    fixed = result.claim.says("tok_s_per_user")
    told = [_box_words(box, axes, fixed=fixed) for box in boxes[:most]]
    more = len(boxes) - most
    if told == [""]:
        return "as stated" if result.stated else "however it is read"
    return "; or ".join(text or "otherwise as stated" for text in told) + (
        f"; and {plural(more, 'more way')}" if more > 0 else ""
    )


def what_is_missing(result: Assessment) -> str:
    """Why nothing decides: what was never published, or how wide the narrowest interval is; empty for other verdicts."""
    if result.verdict != "not checkable":
        return ""
    if result.claim.unpublished:
        return result.claim.unpublished
    widths = [
        float(high / low)
        for cells in result.cells
        for low, high, state in zip(cells.used_low, cells.used_high, cells.state, strict=True)
        if state == OPEN
    ]
    if not widths:
        return "the model serves none of its conditions"
    narrowest, allowed = min(widths), widest_ratio()
    near = np.isfinite(result.column("measured")).any()
    runs = "public runs too far apart" if near else "no public run"
    if narrowest > allowed:
        return f"{runs}, interval {narrowest:.2g}-fold ({allowed:g} allowed)"
    return f"{runs}, and only the upper part of the interval reaches it"


def undecided(result: Assessment, axis: str = "scenario") -> tuple[str, float]:
    """Values of an open condition that nothing decides, in words, and the narrowest interval there, high over low [-]."""
    options = _axes(result).get(axis, ())
    open_ones, widths = [], []
    for value in options:
        at = [i for i, case in enumerate(result.cases) if case[axis] == value]
        if all(result.readings[i].state == OPEN for i in at):
            open_ones.append(option_words(axis, value))
            widths += [
                float(hi / lo) for i in at for lo, hi in zip(result.cells[i].low, result.cells[i].high, strict=True)
            ]
    return join_words(open_ones), min(widths, default=math.nan)


def moves(result: Assessment) -> list[Move]:
    """A claim with one condition moved at a time, from the first set under which it holds, or else its first reading.

    Returns
    -------
    list of Move
        Values of the axes that apply to the claim; true where any speed is, false where all are, open between.
    """
    claim = result.claim
    if claim.metric in SPECIAL or published(claim.id) or not result.cases[0].get("subject"):
        return []
    boxes = true_boxes(result)
    first = {name: chosen[0] for name, chosen in boxes[0].values.items()} if boxes else {}
    base = next(case for case in result.cases if all(case[name] == value for name, value in first.items()))
    out = []
    for name, values in MOVED.items():
        if not base.get(name) or (base.get("baseline_tok_s_per_gpu") and name == "workload"):
            continue
        for value in values or (newest_measurement(),):
            if value != base[name] and _applies(name, value, base):
                out.append(_move(result, {**base, name: value}, name, value))
    return out


def _applies(name: str, value: str, base: Mapping[str, str]) -> bool:
    """Whether a condition can take a value: a model without a draft head drafts nothing, a chip may lack a precision."""
    if value == "mtp":
        return catalog.model(base["model"]).mtp_layers > 0
    if name == "weight_precision":
        return base["model"] == "deepseek-r1"
    return True


def _move(result: Assessment, case: Mapping[str, str], name: str, value: str) -> Move:
    cells = cells_of(result.claim, case)
    true = np.array([state == TRUE for state in cells.state], dtype=bool)
    speeds = np.asarray(cells.tok_s_per_user)[true] if len(cells) else np.array([])
    speeds = speeds[np.isfinite(speeds)]
    ends = (float(speeds.min()), float(speeds.max())) if len(speeds) else (math.nan, math.nan)
    shut = bool(len(cells)) and all(state == FALSE for state in cells.state)
    words = f"at {value} tok/s/user" if name == "tok_s_per_user" else option_words(name, value)
    return Move(name, words, TRUE if true.any() else FALSE if shut else OPEN, *ends)
