"""A claim's number at every operating point that its conditions allow: as measured, as modelled, and what that decides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.claims.evidence import peak_rows, repeat_spread
from rackecon.claims.model import COMPARED, Rates, Side, last_public_day, operating_speeds, question, ratio_factor, side
from rackecon.claims.records import Claim, Published, published
from rackecon.claims.special import SPECIAL, accounts
from rackecon.claims.verdict import FALSE, OPEN, TRUE, widest_ratio
from rackecon.errors import InputError
from rackecon.serving.query import Query


@dataclass(frozen=True)
class Cells:
    """Operating points of one reading of a claim, as columns of equal length, in the claim's unit.

    ``measured`` where every side was measured, with the ends that gaps of the sweeps leave; ``modelled`` with the 90 %
    interval; ``used`` what decides, of a ``kind`` that says where it comes from (measured, model, mixed).
    """

    tok_s_per_user: FloatArray
    measured: Rates
    modelled: Rates
    used: Rates
    state: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.state)


def sides_of(claim: Claim, case: Mapping[str, str]) -> list[Side]:
    """The subject of a case, and the baseline where the claim compares."""
    return [side(case)] + ([side(case, "baseline")] if claim.metric in COMPARED else [])


def questions(claim: Claim, case: Mapping[str, str]) -> list[Query]:
    """What :func:`cells_of` will search for its sides; nothing where other sources answer, or a side cannot be asked."""
    if claim.metric in SPECIAL or not case.get("subject") or published(claim.id):
        return []
    with suppress(InputError):
        return [question(case)] + ([question(case, "baseline")] if claim.metric in COMPARED else [])
    return []


def _joined(claim: Claim, case: Mapping[str, str], found: list[Rates]) -> Rates:
    """Rates of the sides as the claim's number, ends in order."""
    if claim.metric in COMPARED:
        ratio, factor = found[0].over(found[1]), ratio_factor(claim.metric, case)
        return Rates(factor * ratio.value, factor * ratio.low, factor * ratio.high, ratio.kind, ratio.points)
    one = found[0]
    value, low, high = (accounts(claim, case, x)[0] for x in (one.value, one.low, one.high))
    return Rates(value, np.minimum(low, high), np.maximum(low, high), one.kind, one.points)


def states(claim: Claim, sign: int, used: Rates) -> tuple[str, ...]:
    """Whether the claimed number is reached at each point, not reached, or undecided.

    A measurement reaches it with the upper end of what it leaves open; the model with its middle, and only where its
    interval is as narrow as the rule demands. Only what lies wholly short of the number fails it.
    """
    goal, step, widest = claim.value, claim.value_step, widest_ratio()
    narrow = used.high <= widest * used.low
    measured = np.array([kind == "measured" for kind in used.kind], dtype=bool)
    if claim.bound == "equals":
        inside = (used.low <= goal + step) & (used.high >= goal - step)
        true, false = narrow & inside, narrow & ~inside
    elif sign > 0:
        reach = np.where(measured, used.value * repeat_spread(), used.value)
        true, false = narrow & (reach >= goal - step), used.high < goal - step
    else:
        reach = np.where(measured, used.value / repeat_spread(), used.value)
        true, false = narrow & (reach <= goal + step), used.low > goal + step
    false = false & narrow
    return tuple(TRUE if t else FALSE if f else OPEN for t, f in zip(true, false, strict=True))


def cells_of(claim: Claim, case: Mapping[str, str]) -> Cells:
    """The operating points of one reading.

    Parameters
    ----------
    case : mapping
        One of :func:`rackecon.claims.model.cases`.

    Returns
    -------
    Cells
        Speeds that no layout reaches are left out; empty where the model serves none.
    """
    seen = published(claim.id)
    if seen:
        return _cells_of_published(claim, [one for one in seen if one.compared_with == case.get("compared_with", "")])
    if claim.metric not in SPECIAL and not case.get("subject"):
        return _cells(claim, 1, np.array([]), *(Rates.unknown(0),) * 3)
    if claim.metric in SPECIAL:
        speed, value, low, high = SPECIAL[claim.metric](claim, case)
        nothing = Rates.unknown(len(speed))
        used = replace(nothing, value=value, low=low, high=high)
        return _cells(claim, 1, speed, nothing, used, used)
    sides = sides_of(claim, case)
    speed, sign = operating_speeds(case, sides), accounts(claim, case, np.ones(1))[1]
    modelled = _joined(claim, case, [one.modelled(speed) for one in sides])
    measured = _joined(claim, case, [one.measured(speed) for one in sides])
    used = _joined(claim, case, [one.best(speed, widest_ratio()) for one in sides])
    main = _cells(claim, sign, speed, measured, modelled, used)
    return main if len(sides) > 1 or case.get("tok_s_per_user") else _with_peaks(claim, case, sides[0], sign, main)


def _cells_of_published(claim: Claim, seen: list[Published]) -> Cells:
    """Numbers that others measured, at the speeds that they give."""
    speed, value, low, high = (
        np.array([getattr(one, name) for one in seen], dtype=float)
        for name in ("tok_s_per_user", "value", "low", "high")
    )
    kinds, points = ("measured",) * len(seen), tuple((f"{one.source_id} {one.date}",) for one in seen)
    used = Rates(value, low / repeat_spread(), high * repeat_spread(), kinds, points)
    return _cells(claim, 1, speed, used, Rates.unknown(len(seen)), used)


def _cells(claim: Claim, sign: int, speed: FloatArray, measured: Rates, modelled: Rates, used: Rates) -> Cells:
    keep = np.flatnonzero(np.isfinite(used.value))
    decided = states(claim, sign, used)
    measured, modelled, used = (one.take(keep) for one in (measured, modelled, used))
    return Cells(speed[keep], measured, modelled, used, tuple(decided[i] for i in keep))


def _with_peaks(claim: Claim, case: Mapping[str, str], one: Side, sign: int, main: Cells) -> Cells:
    """Public rates that reach the number beside the cells, those without a speed too; no single run fails a claim."""
    rows = peak_rows(
        *(one.accelerator, one.model, case["workload"], one.precision),
        case.get("speculative", "none"),
        engine=case.get("engine", ""),
        until=last_public_day(case.get("software_date", "")),
    )
    rate = np.array([float(row["total_tok_s_per_gpu"]) for row in rows])
    value, spread = accounts(claim, case, rate)[0], repeat_spread()
    points = tuple((str(row["point_id"]),) for row in rows)
    found = Rates(value, value / spread, value * spread, ("measured",) * len(rows), points)
    keep = [i for i, state in enumerate(states(claim, sign, found)) if state == TRUE]
    if not keep:
        return main
    speed, seen = [float(rows[i]["tok_s_per_user"]) for i in keep], found.take(keep)
    return Cells(
        np.concatenate([main.tok_s_per_user, speed]),
        main.measured.joined(seen),
        main.modelled.joined(Rates.unknown(len(keep))),
        main.used.joined(seen),
        main.state + (TRUE,) * len(keep),
    )
