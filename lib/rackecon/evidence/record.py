"""The calibration run: fit, hold out, score, and write what the fit and its validation found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from rackecon.catalog.paths import fit_dir
from rackecon.catalog.written import check_folder, write_file
from rackecon.evidence import calibration
from rackecon.evidence.fronts import front_excess, front_points, front_scores
from rackecon.evidence.measured import Evidence, load_evidence
from rackecon.evidence.residual import AS_OF, fit_first_token, fit_residual, residual_table
from rackecon.evidence.scores import QUANTITIES
from rackecon.evidence.validation import (
    SHUFFLES,
    HeldOut,
    forward,
    hold_out,
    score_table,
)
from rackecon.evidence.widths import coverage, interval_scales, interval_scores
from rackecon.lazy import pd
from rackecon.performance.parameters import ServingParameters, load_parameters

WORKERS = 2
CUTS = ("2025-12-01", "2026-02-01", "2026-04-01", "2026-05-01")
"""Dates before which rows are fitted, to predict those after."""
FORWARD = ("software of the cut", "software of its date")
FORWARD_SLICES = ("all with load", "aggregated", "disaggregated", "NVIDIA", "AMD")


def _job(task: tuple[str, int, ServingParameters]) -> HeldOut:
    kind, number, start = task
    evidence = load_evidence()
    if kind in FORWARD:
        return forward(evidence, start, CUTS[number], frozen=kind == FORWARD[0])
    one = hold_out(evidence, start, calibration.homes_of(evidence, kind, number))
    # of one set of lengths the curves of each platform stand together: three sets are too few to say how they differ
    return replace(one, homes=calibration.by_platform(one.homes, evidence)) if kind == "lengths" else one


def held_out_points(held: list[HeldOut]) -> pd.DataFrame:
    """Each measured row that counts, with its prediction by fits that had not seen its curve (mean of the shuffles)."""
    evidence = load_evidence()
    keep = evidence.newest | evidence.broken
    names = ["point_id", "split_group", "accelerator", "model", "mode", "engine", "weight_precision", "date"]
    names += ["isl", "osl", "concurrency", "speculative"]
    out = evidence.frame.loc[keep, names].copy()
    out["newest"], out["broken"] = evidence.newest[keep], evidence.broken[keep]
    out["throughput_only"], out["flag"] = evidence.throughput_only[keep], evidence.frame.loc[keep, "flag"]
    for name in QUANTITIES:
        values, mean = getattr(evidence, name), np.mean([one.by_name(name) for one in held], axis=0)
        out[f"measured_{name}"] = [f"{x:.5g}" if np.isfinite(x) else "" for x in values[keep]]
        predicted = (values * np.exp(mean))[keep]
        out[f"held_out_{name}"] = [f"{x:.5g}" if np.isfinite(x) else "" for x in predicted]
    return out.assign(source_id="calibration", grade="derived")


def write_table(name: str, table: pd.DataFrame, folder: Path) -> None:
    """Write a table of a fit, the file whole or not at all."""
    write_file(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n", float_format="%.5g"))


def _line(row: dict[str, Any]) -> str:
    tail = float(row["p90_pct"])
    both = f"{float(row['median_pct']):.1f}" + (f" / {tail:.1f}" if np.isfinite(tail) else "")
    return f"{row['scheme']}, {row['slice']}, {row['quantity']}: {both} % ({row['points']} points)"


def run(
    report: bool = False, write: bool = True, shipped: bool = False, physics: bool = True, only: Sequence[str] = ()
) -> Iterator[str]:
    """Fit the parameters; with ``report`` also score on what was held out.

    Parameters
    ----------
    report : bool
        Whole curves (5 folds, 3 shuffles), pairs, models, accelerators and what was measured after four dates held out, in
        two processes.
    write : bool
        Whether to write the tables that came out.
    shipped : bool
        Whether they are written to data/; by default to the user's own folder, where they take the place of the
        shipped ones.
    physics : bool
        Whether the serving parameters are fitted anew; else only the residual process around those in use.
    only : sequence of str
        Words: only the parameters whose names hold one of them are fitted, the others stay as they are; all by default.

    Yields
    ------
    str
        Lines that say what came out.
    """

    folder = fit_dir(shipped) if write else None
    if folder:
        check_folder(folder)
    evidence, known = load_evidence(), load_parameters()
    start = known.from_vector(np.zeros(len(known.free()))).with_intercepts({})
    used = known
    if physics:
        done = calibration.fit(evidence, known.holding_others(only) if only else start)
        used = done.parameters
        yield f"{len(evidence)} rows, {len(used.free())} parameters, {done.evaluations} evaluations, cost {done.cost:.1f}"
        if folder:
            calibration.write_parameters(done, evidence, AS_OF, folder)
    found, first = fit_residual(evidence, used), fit_first_token(evidence, used)
    yield f"{len(found.point_ids)} points condition the residual, {len(found.choices)} of them choices of searches"
    if folder:
        write_table("serving_residual", residual_table(found, first), folder)
        yield f"written to {folder.name}/" + ("" if shipped else ", read from now on in place of data/")
    if not report:
        return
    tasks = [("curves", number, start) for number in range(SHUFFLES)]
    tasks += [(kind, 0, start) for kind in NEW.values()]
    later = [(kind, number, start) for kind in FORWARD for number in range(len(CUTS))]
    with ProcessPoolExecutor(WORKERS) as pool:
        each = list(pool.map(_job, tasks + later))
    held, new = each[:SHUFFLES], dict(zip(NEW, each[SHUFFLES : len(tasks)], strict=True))
    ahead = {f"from {CUTS[n]}, {kind}": one for (kind, n, _), one in zip(later, each[len(tasks) :], strict=True)}
    tables = report_tables(held, new, ahead)
    if folder:
        for name, table in tables.items():
            write_table(name, table, folder)
    scores = tables["validation_scores"]
    for line in scores[scores["slice"].isin(SUMMARY)].itertuples(index=False, name=None):
        yield _line(dict(zip(scores.columns, line, strict=True)))
    yield f"searched over measured fronts, median of sweeps: {front_excess(tables['validation_fronts']):+.3f} in log"
    for row in front_scores(tables["validation_fronts"]).to_dict("records"):
        error = f"{row['median_pct']:.1f} % at equal speed, {row['both_pct']:.1f} % of speed and rate alike"
        yield f"searched front, {row['slice']}: {error}, bias {row['bias_log']:+.3f} ({row['points']} points)"


NEW: Final = {
    "new pair": "pair",
    "new model": "model",
    "new accelerator": "accelerator",
    "new engine": "engine",
    "new lengths": "lengths",
}
"""Kinds of novelty, each with what is held out whole for it (:func:`rackecon.evidence.calibration.homes_of`)."""


Tables: TypeAlias = "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]"


def report_tables(held: list[HeldOut], new: dict[str, HeldOut], ahead: dict[str, HeldOut]) -> dict[str, pd.DataFrame]:
    """Every validation table of the fits with whole curves (``held``), pairs, models, accelerators and later dates held out."""
    evidence = load_evidence()
    mark = {"source_id": "calibration", "date": AS_OF, "grade": "derived"}
    scores, intervals, fronts = _scored(evidence, held, new, ahead)
    bare_new, bare_ahead = ({name: one.alone() for name, one in some.items()} for some in (new, ahead))
    alone = _scored(evidence, [one.alone() for one in held], bare_new, bare_ahead)
    found = both_ways(alone, (scores, intervals, fronts))
    return {
        "validation_scores": pd.concat([scores, coverage(evidence, held)], ignore_index=True).assign(**mark),
        "residual_scales": interval_scales(evidence, held, new),
        "validation_intervals": intervals.assign(**mark),
        "validation_points": held_out_points(held),
        "validation_fronts": fronts.assign(source_id="calibration", grade="derived"),
        "validation_physics": found.assign(**mark),
    }


def _scored(evidence: Evidence, held: list[HeldOut], new: dict[str, HeldOut], ahead: dict[str, HeldOut]) -> Tables:
    """Scores, scores of intervals, and points of fronts."""
    scores = [score_table(evidence, held, SCHEMES["known"])]
    scores += [
        score_table(evidence, [new[name]], SCHEMES[name])
        for name in ("new model", "new accelerator", "new pair", "new engine", "new lengths")
    ]
    for name, one in ahead.items():
        later = score_table(evidence, [one], name)
        scores.append(later[later["slice"].isin(FORWARD_SLICES)])
    intervals = [
        interval_scores(evidence, held, "known"),
        *(interval_scores(evidence, [one], name) for name, one in new.items()),
    ]
    tables = (pd.concat(scores, ignore_index=True), pd.concat(intervals, ignore_index=True))
    return *tables, pd.concat(
        [front_points(one, evidence, n) for n, one in enumerate(held, start=1)], ignore_index=True
    )


SCHEMES = {
    "known": "held-out curves",
    "new pair": "leave one pair out",
    "new model": "leave one model out",
    "new accelerator": "leave one accelerator out",
    "new engine": "leave one engine of a platform out",
    "new lengths": "leave one set of lengths out",
}


def both_ways(alone: Tables, learnt: Tables) -> pd.DataFrame:
    """Held-out errors and intervals by physics alone and with what is learnt on top, of the slices that a reader compares.

    Parameters
    ----------
    alone, learnt : tuple of pandas.DataFrame
        Scores, scores of intervals, and points of fronts.

    Returns
    -------
    pandas.DataFrame
        ``scheme, slice, quantity, points``; and of each way (``physics_`` before the name for physics alone) ``median_pct,
        p90_pct``, and where intervals are scored ``coverage_pct, width_log, interval_score, weighted_score``.
    """
    ways = []
    for scores, intervals, fronts in (alone, learnt):
        fit = scores[scores["slice"].isin(SUMMARY)].drop(columns="bias_log")
        named = intervals.assign(scheme=intervals["evidence"].map(SCHEMES), slice="all with load")
        fit = fit.merge(named.drop(columns=["evidence", "points"]), "left", ["scheme", "slice", "quantity"])
        whole = front_scores(fronts).iloc[0]
        for n, name in enumerate(("median_pct", "both_pct")):
            at = {"scheme": "searched fronts", "slice": ("at equal speed", "of speed and rate alike")[n]}
            fit.loc[len(fit)] = {
                **at,
                "quantity": "total_tok_s_per_gpu",
                "points": whole["points"],
                "median_pct": whole[name],
            }
        ways.append(fit)
    first, second = ways
    key = ["scheme", "slice", "quantity"]
    out = second.merge(first.drop(columns="points").rename(columns=lambda x: x if x in key else f"physics_{x}"), on=key)
    return out.astype({"points": int})


SUMMARY = ("all with load", "aggregated", "disaggregated", "throughput tables", "NVIDIA", "AMD", "all rows", "overall")
