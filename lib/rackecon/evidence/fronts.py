"""The searched front against the measured one at equal speed: the error that every figure of money rests on.

A public sweep is one curve (``split_group``: platform, model, lengths, precision, engine, mode, speculation) in one
quarter. Its upper envelope is held against the front that the search finds for the same engine, precision, mode and
date, by parameters fitted without that curve. Writes data/validation_fronts.csv.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.evidence.intervals import row_factors
from rackecon.evidence.measured import CONFIGURATION, Evidence, load_evidence
from rackecon.evidence.public_fronts import PublicFront, searched_by_home
from rackecon.evidence.validation import HeldOut
from rackecon.lazy import pd
from rackecon.serving.front import pareto_rows

BANDS = (0.0, 20.0, 40.0, 70.0, 100.0, 140.0, np.inf)
"""Ends of the speed bands [tok/s/user]."""
RESAMPLES: Final = 1000
"""Draws of sweeps, with replacement."""
SEED: Final = 20261130
ENDS: Final = (0.05, 0.95)
"""Nine in ten lie between."""
FEWEST_REPEATED = 3
REPEAT_DAYS = (0, 7, 30, 60, 120)
SWEEP = ("accelerator", "model", "mode", "engine", "weight_precision", "isl", "osl", "speculative")


def front_points(held: HeldOut, evidence: Evidence | None = None, shuffle: int = 1) -> pd.DataFrame:
    """Each measured front point and the searched rate at its speed, by a fit that had not seen its curve.

    Parameters
    ----------
    held : HeldOut
        Fits with whole curves held out.
    evidence : Evidence, optional
        Measured rows; all by default.
    shuffle : int
        Number of the way in which curves were dealt to folds.

    Returns
    -------
    pandas.DataFrame
        ``measured`` and ``searched`` total tok/s per GPU at ``tok_s_per_user``; ``searched`` is NaN beyond the searched
        front's fastest point (``fastest``, tok/s/user). ``log_ratio`` is measured over searched [log]; ``log_ratio_both``
        the factor on speed and rate alike that brings the searched front to the point (:func:`both_ratio`) [log].
        ``own`` is the rate at its speed of the sweep's own configurations by the same fit (:func:`own_front`), nothing searched.
    """
    known = evidence or load_evidence()
    rows: list[dict[str, Any]] = []
    own: dict[tuple[str, str], tuple[FloatArray, FloatArray]] = {}
    for one, i, front in searched_by_home(known, held.homes, held.parameters):
        if (one.group, one.window) not in own:
            own[one.group, one.window] = own_front(one, known, held)
        speed, rate = float(known.tok_s_per_user[i]), float(known.total_tok_s_per_gpu[i])
        searched = front.rate_at(speed)
        rows.append(
            {
                "point_id": known.frame["point_id"].iloc[i],
                "split_group": one.group,
                "window": one.window,
                "shuffle": shuffle,
                **{name: known.frame[name].iloc[i] for name in SWEEP},
                "tok_s_per_user": speed,
                "measured": rate,
                "searched": searched,
                "own": float(_at(speed, *own[one.group, one.window])),
                "fastest": float(front.rows["tok_s_per_user"][-1]) if len(front) else np.nan,
                "log_ratio": np.log(rate / searched) if np.isfinite(searched) else np.nan,
                "log_ratio_both": both_ratio(
                    front.rows["tok_s_per_user"], front.rows["total_tok_s_per_gpu"], speed, rate
                ),
            }
        )
    return pd.DataFrame(rows)


def own_front(front: PublicFront, evidence: Evidence, held: HeldOut) -> tuple[FloatArray, FloatArray]:
    """The front, speeds and rates, that a sweep's own configurations would have by the fit that had not seen them.

    What it errs by, the configurations err by: nothing was chosen. What a searched front errs by beyond it comes of choosing.

    Returns
    -------
    tuple of ndarray
        Speeds [tok/s/user], rising, and total tok/s per GPU; empty where none is known.
    """
    speed, rate = (
        measured[front.every] * np.exp(off[front.every])
        for measured, off in (
            (evidence.tok_s_per_user, held.tok_s_per_user),
            (evidence.total_tok_s_per_gpu, held.total_tok_s_per_gpu),
        )
    )
    known = np.isfinite(speed) & np.isfinite(rate)
    return _envelope(speed[known], rate[known])


def both_ratio(front_speed: FloatArray, front_rate: FloatArray, tok_s_per_user: float, tok_s_per_gpu: float) -> float:
    """Log of the factor on speed and rate alike that brings a front, by rising speed, to a point; NaN of an empty front.

    Where a front is steep, a small error of speed is a large one of rate at equal speed; a system that is slower by a
    factor lies below by it on both axes, and this is that factor. Own derivation: on logs of both axes such a move keeps the
    difference of rate and speed. Left of its slowest point a front is level, beyond its fastest it falls at once.

    Examples
    --------
    >>> float(both_ratio(np.array([20.0, 40.0]), np.array([900.0, 200.0]), 36.0, 180.0))
    -0.105361
    """
    if not len(front_speed):
        return float("nan")
    speed, rate = np.log(front_speed), np.log(front_rate)
    apart, wanted = rate - speed, np.log(tok_s_per_gpu / tok_s_per_user)
    if wanted > apart[0]:
        return float(np.log(tok_s_per_gpu) - rate[0])
    return float(np.log(tok_s_per_user) - np.interp(wanted, apart[::-1], speed[::-1]))


def front_excess(points: pd.DataFrame) -> float:
    """What searched fronts still exceed measured ones by: the median over sweeps of each sweep's median [log].

    The best of many predictions lies above the best of few runs; rates of a search are not lowered by it.

    Examples
    --------
    >>> import pandas as pd
    >>> front_excess(pd.DataFrame({"split_group": ["a", "a", "b"], "window": "q", "log_ratio": [-0.2, -0.1, 0.05]}))
    0.05
    """
    each = points.groupby(["split_group", "window"])["log_ratio"].median().dropna()
    return round(-float(each.median()), 4)


def with_inside(points: pd.DataFrame) -> pd.DataFrame:
    """Points with ``inside``: 1 where the report's 90 % interval around the search holds what was measured, else 0; NaN unreached.

    Parameters
    ----------
    points : pandas.DataFrame
        Of :func:`front_points`.

    Examples
    --------
    >>> import pandas as pd
    >>> of = {"accelerator": "b200-hgx", "model": "deepseek-r1", "mode": "aggregated"}
    >>> with_inside(pd.DataFrame([of | {"log_ratio": 0.1}, of | {"log_ratio": -3.0}]))["inside"].tolist()
    [1.0, 0.0]
    """
    low, high = np.log(row_factors(points)).T
    found = points["log_ratio"].to_numpy(dtype=float)
    return points.assign(inside=np.where(np.isfinite(found), (low <= found) & (found <= high), np.nan))


def within_reach(points: pd.DataFrame) -> tuple[int, int]:
    """Of the points that are faster than the searched front, those within the 90 % interval of its fastest speed; and all of them.

    Parameters
    ----------
    points : pandas.DataFrame
        Of :func:`front_points`; those of the first shuffle count.

    Examples
    --------
    >>> import pandas as pd
    >>> of = {"accelerator": "b200-hgx", "model": "deepseek-r1", "mode": "aggregated", "shuffle": 1, "searched": float("nan")}
    >>> within_reach(pd.DataFrame([of | {"fastest": 300.0, "tok_s_per_user": x} for x in (310.0, 900.0)]))
    (1, 2)
    """
    beyond = points[points["searched"].isna() & (points["shuffle"] == 1) & points["fastest"].notna()]
    high = row_factors(beyond, "tok_s_per_user")[:, 1]
    return int((beyond["tok_s_per_user"] <= beyond["fastest"] * high).sum()), len(beyond)


def front_scores(points: pd.DataFrame) -> pd.DataFrame:
    """Median error and bias of searched fronts, over all, by platform, mode and speed band, the mean of the shuffles.

    Parameters
    ----------
    points : pandas.DataFrame
        Of :func:`front_points`; with ``inside`` (:func:`with_inside`) where its share is asked for.

    Returns
    -------
    pandas.DataFrame
        ``slice``; of the first shuffle ``points``, ``sweeps`` and ``unreached`` (measured points faster than the searched
        front); ``median_pct`` and ``p90_pct`` (of searched over measured less one), ``bias_log`` (median of measured over
        searched; negative is too high),
        ``both_pct`` (median of the factor on speed and rate alike less one, with those unreached), ``own_pct`` (median error
        at equal speed of the sweep's own configurations, where both reach) and ``inside_pct`` (points inside their intervals).
    """
    rows = []
    for name, chosen in _slices(points).items():
        each = [_front_score(part) for _, part in points[chosen].groupby("shuffle")]
        told = [one for one in each if one[0]]
        if told:
            rows.append((name, *each[0][:3], *np.mean([one[3:] for one in told], axis=0).tolist()))
    names = ["slice", "points", "sweeps", "unreached"]
    names += ["median_pct", "bias_log", "both_pct", "p90_pct", "own_pct", "inside_pct"]
    return pd.DataFrame(rows, columns=names)


def _slices(points: pd.DataFrame) -> dict[str, BoolArray]:
    """Which points are of each slice, by its name."""
    speed = points["tok_s_per_user"].to_numpy(dtype=float)
    band = np.array(band_names())[np.digitize(speed, BANDS[1:-1])]
    mode = points["mode"].to_numpy(dtype=str)
    chip = points["accelerator"].to_numpy(dtype=str)
    slices = {"all": np.ones(len(points), dtype=bool)}
    for kind, values in (("mode", mode), ("band", band), ("accelerator", chip)):
        slices |= {f"{kind} {name}": values == name for name in sorted(set(values), key=_rank)}
    for m in sorted(set(mode)):
        slices |= {f"{m} {name}": (mode == m) & (band == name) for name in band_names()}
        slices |= {f"{m} {name}": (mode == m) & (chip == name) for name in sorted(set(chip))}
    return slices


def front_ranges(points: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Where nine in ten of the figures of :func:`front_scores` lie when its sweeps are drawn again.

    Points of a sweep share its faults, so whole sweeps are drawn, with replacement (cluster bootstrap: Davison and Hinkley 1997,
    Bootstrap Methods and their Application, section 3.8): a few sweeps of large and unlike errors leave their bias open.

    Parameters
    ----------
    points : pandas.DataFrame
        Of :func:`front_points`.
    names : iterable of str
        Slices of :func:`front_scores`.

    Returns
    -------
    pandas.DataFrame
        ``slice``, ``median_low_pct, median_high_pct`` of the median error and ``bias_low_log, bias_high_log`` of the median of
        measured over searched.

    Examples
    --------
    >>> import pandas as pd
    >>> of = {"accelerator": "x", "mode": "aggregated", "tok_s_per_user": 30.0, "shuffle": 1}
    >>> two = pd.DataFrame([of | {"split_group": "a", "log_ratio": -0.2}, of | {"split_group": "b", "log_ratio": 0.1}])
    >>> front_ranges(two, ["all"])[["bias_low_log", "bias_high_log"]].to_numpy().tolist()
    [[-0.2, 0.1]]
    """
    slices, rows = _slices(points), []
    for name in names:
        part = points[slices[name] & points["log_ratio"].notna().to_numpy()]
        sweep, kinds = pd.factorize(part["split_group"])
        times = np.random.default_rng(SEED).multinomial(len(kinds), np.full(len(kinds), 1 / len(kinds)), RESAMPLES)
        off = part["log_ratio"].to_numpy(dtype=float)
        drawn = [
            [_drawn_medians(of[chosen], times[:, sweep[chosen]]) for of in (100.0 * np.abs(np.expm1(-off)), off)]
            for chosen in (part["shuffle"].to_numpy() == x for x in sorted(set(part["shuffle"])))
        ]
        rows.append((name, *np.nanquantile(np.mean(drawn, axis=0), ENDS, axis=1).T.ravel()))
    ends = ["median_low_pct", "median_high_pct", "bias_low_log", "bias_high_log"]
    return pd.DataFrame(rows, columns=["slice", *ends])


def _drawn_medians(values: FloatArray, times: IntArray) -> FloatArray:
    """Median of the values, each as often as drawn, ``(resamples,)``; NaN where none is."""
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(times[:, order], axis=1)
    half = 0.5 * upto[:, -1:]
    ends = [values[order][np.argmax(reached, axis=1)] for reached in (upto >= half, upto > half)]
    return np.where(half[:, 0] > 0, 0.5 * (ends[0] + ends[1]), np.nan)


def _front_score(part: pd.DataFrame) -> tuple[float, ...]:
    """Points, sweeps, points not reached, median error, bias, error of speed and rate alike, 90th percentile, own and inside of one shuffle."""
    found = part["log_ratio"].to_numpy(dtype=float)
    known = found[np.isfinite(found)]
    if not len(known):
        return 0, 0, len(found), *[np.nan] * 6
    off, both = (100.0 * np.abs(np.expm1(-x)) for x in (known, part["log_ratio_both"]))
    own = 100.0 * np.abs(part["own"] / part["measured"] - 1.0)[np.isfinite(found)]
    counts = len(known), part["split_group"].nunique(), len(found) - len(known)
    return (
        *counts,
        float(np.median(off)),
        float(np.median(known)),
        float(np.nanmedian(both)),
        float(np.quantile(off, 0.9)),
        float(own.median()),
        100.0 * float(part["inside"].mean()) if "inside" in part else np.nan,
    )


def front_repeats(evidence: Evidence | None = None) -> pd.DataFrame:
    """How far the fronts of the same configurations of one curve, measured on two days, lie apart: no model errs less.

    Each curve has one vote: the median of its points. Broken builds are left out; what the later day measured is held
    against the front of the earlier, of the configurations that both ran (``FEWEST_REPEATED`` or more).

    Returns
    -------
    pandas.DataFrame
        ``days`` apart, ``curves``, ``points``, and medians of curves [%]: ``median_pct`` of the rate at equal speed,
        ``both_pct`` of the factor on speed and rate alike.
    """
    known = evidence or load_evidence()
    used = ~known.throughput_only & ~known.broken & np.isfinite(known.tok_s_per_user)
    frame = known.frame.assign(speed=known.tok_s_per_user, rate=known.total_tok_s_per_gpu)[used]
    frame = frame.assign(
        run=frame.groupby(list(CONFIGURATION), dropna=False).ngroup(),
        day=pd.to_datetime(frame["date"]).map(pd.Timestamp.toordinal),
    )
    found = []
    for group, part in frame.drop_duplicates(["day", "run"]).groupby("split_group"):
        part = part.sort_values(["day", "run"])
        run, speed, rate, day = (part[name].to_numpy() for name in ("run", "speed", "rate", "day"))
        days = np.split(np.arange(len(part)), np.flatnonzero(np.diff(day)) + 1)
        for one, other in combinations(days, 2):
            _, *both = np.intersect1d(run[one], run[other], assume_unique=True, return_indices=True)
            if len(both[0]) >= FEWEST_REPEATED:
                ends = (_envelope(speed[x[at]], rate[x[at]]) for x, at in zip((one, other), both, strict=True))
                found += [(group, day[other[0]] - day[one[0]], *off) for off in _apart(*ends)]
    table = pd.DataFrame(found, columns=["curve", "gap", "equal", "both"])
    table["days"] = pd.cut(table["gap"], REPEAT_DAYS, labels=[f"{a + 1} to {b}" for a, b in pairwise(REPEAT_DAYS)])
    table[["equal", "both"]] = 100.0 * np.abs(np.expm1(table[["equal", "both"]]))
    each = table.groupby(["days", "curve"], observed=True)[["equal", "both"]].median().groupby("days", observed=True)
    out = each.median().set_axis(["median_pct", "both_pct"], axis=1)
    out.insert(0, "points", table["days"].value_counts())
    out.insert(0, "curves", each.size())
    return out.reset_index()


def _envelope(speed: FloatArray, rate: FloatArray) -> tuple[FloatArray, FloatArray]:
    kept = pareto_rows(speed, rate, np.ones(len(speed), dtype=bool))
    return speed[kept], rate[kept]


def _at(tok_s_per_user: float | FloatArray, speed: FloatArray, rate: FloatArray) -> Any:
    """Rate of a front of few points at a speed: between two of them on its log, NaN beyond the fastest and of none."""
    if not len(speed):
        return np.full(np.shape(tok_s_per_user), np.nan)
    return np.exp(np.interp(tok_s_per_user, speed, np.log(rate), right=np.nan))


def _apart(front: tuple[FloatArray, FloatArray], later: tuple[FloatArray, FloatArray]) -> list[tuple[float, float]]:
    """Logs of each later point over a front: at equal speed (NaN beyond it), and of speed and rate alike."""
    equal = np.log(later[1] / _at(later[0], *front))
    return [(float(x), both_ratio(*front, speed, rate)) for x, speed, rate in zip(equal, *later, strict=True)]


def band_names() -> list[str]:
    """Names of the speed bands.

    Examples
    --------
    >>> band_names()[0], band_names()[-1]
    ('to 20 tok/s/user', 'beyond 140 tok/s/user')
    """
    ends = [f"{low:g} to {high:g} tok/s/user" for low, high in pairwise(BANDS[1:-1])]
    return [f"to {BANDS[1]:g} tok/s/user", *ends, f"beyond {BANDS[-2]:g} tok/s/user"]


def _rank(name: str) -> tuple[int, str]:
    known = band_names()
    return (known.index(name) if name in known else -1, name)
