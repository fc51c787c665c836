"""What must be true for a claim to hold, as a set of named conditions; and what is missing where nothing decides."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import one_state
from rackecon.claims.cells import cells_of, questions
from rackecon.claims.evidence import engine_measured
from rackecon.claims.model import AGGREGATED_ONLY, option_words
from rackecon.claims.records import published
from rackecon.claims.special import SPECIAL
from rackecon.claims.verdict import FALSE, OPEN, TRUE, widest_ratio
from rackecon.serving.frontier import searched
from rackecon.serving.query import newest_measurement
from rackecon.words import join_words, plural

if TYPE_CHECKING:
    from rackecon.claims.assess import Assessment

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
    "mode": ("aggregated", "disaggregated"),
    "baseline_mode": ("aggregated", "disaggregated"),
    "engine": ("trtllm", "sglang"),
    "baseline_engine": ("trtllm", "sglang"),
    "cost_basis": ("ownership", "rented"),
    "token_price": ("cheapest", "paid", "list", "dearest"),
    "utilisation": ("0.5", "1.0"),
    "software_date": (),  # the newest measurement's
}
"""Values that a stated condition is moved to, one at a time and two together."""
OF_BASELINE: Final = ("baseline_speculative", "baseline_mode", "baseline_engine")
Key = tuple[int, ...]


@dataclass(frozen=True)
class Move:
    """A claim with conditions at other values: whether it is true then, at which speeds, on how wide an interval."""

    conditions: tuple[str, ...]
    parts: tuple[str, ...]
    state: str
    slowest: float
    fastest: float
    width: float

    @property
    def words(self) -> str:
        """The changes in words."""
        return join_words(list(self.parts))


@dataclass(frozen=True)
class Box:
    """A product of conditions, every combination of which holds: values by condition, and the speeds common to all."""

    values: Mapping[str, tuple[str, ...]]
    slowest: float
    fastest: float
    measured: bool


@dataclass(frozen=True)
class Fewest:
    """The fewest conditions that together make a claim true, in words: of its own readings, or moved from them.

    ``moved`` where the claim is true in no reading of its own; its conditions are then empty where no change of one or two
    makes it true.
    """

    words: tuple[str, ...]
    moved: bool = False


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

    Returns
    -------
    list of Box
        Widest range of speeds first; empty where no reading is true.
    """
    axes = _axes(result)
    found, basis = _true_keys(result, axes)
    sizes, left, boxes = [len(options) for options in axes.values()], dict(found), []
    grown = {key: _grown([[i] for i in key], found, sizes) for key in found}
    while left:
        sets = grown[max(left, key=lambda key: (_usual(key, axes), basis[key], _reach(grown[key], found)))]
        boxes.append(_box(sets, axes, found, basis))
        inside = list(itertools.product(*sets))
        left = {key: ends for key, ends in left.items() if key not in set(inside)}
    return boxes


def _true_keys(
    result: Assessment, axes: Mapping[str, tuple[str, ...]]
) -> tuple[dict[Key, tuple[float, float]], dict[Key, bool]]:
    """True readings by the places of their values on the axes: their speeds, and whether they were measured."""
    place = {name: {value: i for i, value in enumerate(options)} for name, options in axes.items()}
    found: dict[Key, tuple[float, float]] = {}
    basis: dict[Key, bool] = {}
    for case, ends, reading in zip(result.cases, _true_speeds(result), result.readings, strict=True):
        if ends is not None:
            key = tuple(place[name][case[name]] for name in axes)
            found[key], basis[key] = ends, reading.measured
    return found, basis


def _box(
    sets: list[list[int]],
    axes: Mapping[str, tuple[str, ...]],
    found: Mapping[Key, tuple[float, float]],
    basis: Mapping[Key, bool],
) -> Box:
    """A product of places on the axes as values, with the speeds that all of them share."""
    inside = list(itertools.product(*sets))
    shared = _common([found[key] for key in inside]) or (math.nan, math.nan)
    values = {
        name: tuple(options[i] for i in chosen) for (name, options), chosen in zip(axes.items(), sets, strict=True)
    }
    return Box(values, *shared, all(basis[key] for key in inside))


def _usual(key: Key, axes: Mapping[str, tuple[str, ...]]) -> int:
    """How many conditions of a combination have a usual value."""
    return sum(options[i] in USUAL.get(name, ()) for i, (name, options) in zip(key, axes.items(), strict=True))


def _reach(sets: list[list[int]], found: Mapping[Key, tuple[float, float]]) -> float:
    """How much a product of conditions covers: combinations times octaves of speed that they share."""
    inside = list(itertools.product(*sets))
    low, high = _common([found[key] for key in inside]) or (math.nan, math.nan)
    return len(inside) * (1.0 + (math.log2(high / low) if high > low else 0.0))


def _grown(sets: list[list[int]], found: Mapping[Key, tuple[float, float]], sizes: list[int]) -> list[list[int]]:
    """Grow a product, axis by axis, by values that keep every combination true at a common speed."""
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
    return join_words([option_words(name, value) for value in chosen], "or")


def _box_parts(box: Box, axes: Mapping[str, tuple[str, ...]], *, fixed: bool) -> tuple[str, ...]:
    parts = [
        _chosen_words(name, chosen, axes[name]) for name, chosen in box.values.items() if len(chosen) < len(axes[name])
    ]
    speed = _speed_words(box, fixed=fixed)
    return (*([speed] if speed else []), *parts)


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
    told = [", ".join(_box_parts(box, axes, fixed=fixed)) for box in boxes[:most]]
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
        for low, high, state in zip(cells.used.low, cells.used.high, cells.state, strict=True)
        if state == OPEN
    ]
    if not widths:
        return "the model serves none of its conditions"
    narrowest, allowed = min(widths), widest_ratio()
    near = np.isfinite(result.column("measured")).any()
    runs = "public runs too far apart" if near else "no public run"
    if narrowest > allowed:
        digits = 2 if f"{narrowest:.2g}" != f"{allowed:g}" else 3  # what is more than allowed is said as more
        return f"{runs}, interval {narrowest:.{digits}g}-fold ({allowed:g} allowed)"
    return f"{runs}, and only the upper part of the interval reaches it"


def undecided(result: Assessment) -> tuple[str, float]:
    """Workloads that nothing decides, in words, and the narrowest interval there, high over low [-]."""
    options = _axes(result).get("scenario", ())
    open_ones, widths = [], []
    for value in options:
        at = [i for i, case in enumerate(result.cases) if case["scenario"] == value]
        if all(result.readings[i].state == OPEN for i in at):
            open_ones.append(option_words("scenario", value))
            widths += [
                float(hi / lo)
                for i in at
                for lo, hi in zip(result.cells[i].modelled.low, result.cells[i].modelled.high, strict=True)
            ]
    return join_words(open_ones), min(widths, default=math.nan)


@one_state()
def moves(result: Assessment) -> list[Move]:
    """A claim with one condition moved at a time, from the first set under which it holds, or else its first reading.

    Returns
    -------
    list of Move
        Values of the axes that apply to the claim; true where any speed is, false where all are, open between.
    """
    if not _movable(result):
        return []
    base = _base(result)
    return _moves(result, base, [{name: value} for name, value in _changes(base)])


@one_state()
def tried(result: Assessment) -> dict[str, list[str]]:
    """Every condition that is varied for a claim, with its values: what the claim leaves open, then what is moved."""
    out = {name: list(result.claim.conditions[name].options) for name in result.claim.open_conditions}
    base = _base(result) if _movable(result) else {}
    for name, value in _changes(base) if base else ():
        values = out.setdefault(name, [base[name]] if base.get(name) else [])
        if value not in values:
            values.append(value)
    return out


@one_state()
def fewest(result: Assessment) -> Fewest | None:
    """The fewest conditions that together make a claim true.

    Returns
    -------
    Fewest or None
        Of its own readings the smallest set of conditions, a range of speeds counted as one, within which every reading is
        true; usual values and measurements first, then what covers most. Of a claim that is true in none of them one
        change of its conditions or else two together, the narrowest interval first. None where nothing can be varied.

    Examples
    --------
    >>> from rackecon.claims import assess, claim
    >>> fewest(assess(claim("gb200-10k-dsr1"))).words
    ('with multi-token prediction', 'on TensorRT-LLM')
    """
    axes = _axes(result)
    found, basis = _true_keys(result, axes)
    if not found:
        return _fewest_moves(result) if _movable(result) else None
    sizes, fixed = [len(options) for options in axes.values()], result.claim.says("tok_s_per_user")
    for count in range(len(sizes) + 1):
        sets = [
            _grown(seed, found, sizes)
            for free in itertools.combinations(range(len(sizes)), len(sizes) - count)
            for seed in _seeds(free, sizes)
            if _holds(seed, found)
        ]
        if sets:
            best = max(sets, key=lambda one: _preference(_box(one, axes, found, basis), _reach(one, found)))
            return Fewest(_box_parts(_box(best, axes, found, basis), axes, fixed=fixed))
    return None


def _seeds(free: tuple[int, ...], sizes: list[int]) -> list[list[list[int]]]:
    """Products with one value on each axis but the free ones, which keep all."""
    return [
        [list(chosen) for chosen in picked]
        for picked in itertools.product(
            *([tuple(range(size))] if axis in free else [(i,) for i in range(size)] for axis, size in enumerate(sizes))
        )
    ]


def _holds(sets: list[list[int]], found: Mapping[Key, tuple[float, float]]) -> bool:
    """Whether every combination of a product is true at a common speed."""
    inside = list(itertools.product(*sets))
    return all(key in found for key in inside) and _common([found[key] for key in inside]) is not None


def _preference(box: Box, reach: float) -> tuple[int, bool, float]:
    usual = sum(any(value in USUAL.get(name, ()) for value in chosen) for name, chosen in box.values.items())
    return usual, box.measured, reach


def _fewest_moves(result: Assessment) -> Fewest:
    """One change of the conditions that makes a claim true, or else two together that do where neither does alone."""
    base = _base(result)
    changes = _changes(base)
    pairs = [
        {one: a, other: b}
        for (one, a), (other, b) in itertools.combinations(changes, 2)
        if one != other and (result.claim.says(one) or result.claim.says(other))
    ]
    for several in ([{name: value} for name, value in changes], pairs):
        true = [move for move in _moves(result, base, several) if move.state == TRUE]
        if true:
            best = min(
                true, key=lambda move: float(f"{move.width:.3g}")
            )  # what differs in the last bits alone is a tie
            return Fewest(best.parts, moved=True)
    return Fewest((), moved=True)


def _movable(result: Assessment) -> bool:
    """Whether conditions of a claim can be moved: it has a modelled subject."""
    claim = result.claim
    return not (claim.metric in SPECIAL or published(claim.id)) and bool(result.cases[0].get("subject"))


def _base(result: Assessment) -> Mapping[str, str]:
    """The reading that conditions are moved from: of the first set under which the claim holds, or the nearest to it."""
    boxes = true_boxes(result)
    if boxes:
        first = {name: chosen[0] for name, chosen in boxes[0].values.items()}
        return next(case for case in result.cases if all(case[name] == value for name, value in first.items()))
    falls = result.claim.falls_with_rate
    best = [
        max((float(x) for x in (1.0 / cells.used.value if falls else cells.used.value)), default=-math.inf)
        for cells in result.cells
    ]
    return result.cases[int(np.argmax(best))]


def _changes(base: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every single change of a reading's conditions: name and new value."""
    return [
        (name, value)
        for name, values in MOVED.items()
        for value in (values or (newest_measurement(),))
        if value != base.get(name) and _applies(name, value, base)
    ]


def _applies(name: str, value: str, base: Mapping[str, str]) -> bool:
    """Whether a condition can take a value: a model without a draft head drafts nothing, a chip may lack a precision."""
    which = "baseline" if name in OF_BASELINE else "subject"
    if not base.get(which):
        return False
    if name in ("mode", "baseline_mode"):
        return base.get(name.replace("mode", "engine")) not in AGGREGATED_ONLY
    if name in ("engine", "baseline_engine"):
        return engine_measured(base[which], base["model"], value)
    if not base.get(name) or (base.get("baseline_tok_s_per_gpu") and name == "workload"):
        return False
    if value == "mtp":
        return catalog.model(base["model"]).mtp_layers > 0
    if name == "weight_precision":
        return base["model"] == "deepseek-r1"
    return True


def _changed_words(name: str, value: str, base: Mapping[str, str]) -> str:
    if name == "tok_s_per_user":
        return f"at {value} tok/s/user"
    if (name, value) == ("speculative", "none") and base[name] != "mtp":
        return "without speculation"
    return option_words(name, value)


def _moves(result: Assessment, base: Mapping[str, str], changes: Sequence[Mapping[str, str]]) -> list[Move]:
    """Each of some changes, their fronts searched together."""
    searched([asked for change in changes for asked in questions(result.claim, {**base, **change})])
    return [_move(result, base, change) for change in changes]


def _move(result: Assessment, base: Mapping[str, str], change: Mapping[str, str]) -> Move:
    cells = cells_of(result.claim, {**base, **change})
    true = np.array([state == TRUE for state in cells.state], dtype=bool)
    speeds = np.asarray(cells.tok_s_per_user)[true] if len(cells) else np.array([])
    speeds = speeds[np.isfinite(speeds)]
    ends = (float(speeds.min()), float(speeds.max())) if len(speeds) else (math.nan, math.nan)
    shut = bool(len(cells)) and all(state == FALSE for state in cells.state)
    parts = tuple(_changed_words(name, value, base) for name, value in change.items())
    widths = cells.used.high[true] / cells.used.low[true]
    state = TRUE if true.any() else FALSE if shut else OPEN
    return Move(tuple(change), parts, state, *ends, float(widths.min()) if len(widths) else math.inf)
