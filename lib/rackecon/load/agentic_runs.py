"""Published runs of replayed agents: each predicted at its own layout and number of sessions, then the front they make.

A benchmark tries a handful of layouts and loads; the front of everything that a search may choose lies above them. So the
measured points are set beside the front of the runs that were made (data/agentic_runs.csv), and each point whose run is
known beside that run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import FloatArray
from rackecon.catalog import accelerator, model, table
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import fit_dir
from rackecon.economics.power_table import all_in_kw
from rackecon.evidence.record import write_table
from rackecon.lazy import pd
from rackecon.load.agentic import (
    AgenticFront,
    AgenticParameters,
    Settled,
    agentic_front,
    agentic_parameters,
    agentic_sessions,
    settle,
)
from rackecon.serving.points import Points
from rackecon.serving.predict import predict
from rackecon.serving.query import default_weight_precision

LEAST_FLIGHT: Final = 0.02  # requests
LOADS: Final = np.geomspace(0.02, 2.0, 28)  # requests in flight for each session
WAIT_CAPS_S: Final = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 150.0, 180.0, 240.0, 300.0)
STEPS: Final = np.linspace(0.7, 2.5, 37)  # of 0.05


def _curve(curve: str) -> pd.DataFrame:
    """Runs of a curve of data/agentic_runs.csv."""
    rows = table("agentic_runs")
    return rows[rows["curve"] == curve].reset_index(drop=True)


@by_data(128)
def _rows(curve: str, isl: float, osl: float, hit: float) -> dict[str, NDArray[Any]]:
    """Columns of a front for every run of a curve at every load tried."""
    runs = _curve(curve)
    loads = np.maximum(runs["sessions"].to_numpy(dtype=float)[:, None] * LOADS, LEAST_FLIGHT)  # in flight, of each run
    chip, arch = accelerator(runs["accelerator"][0]), model(runs["model"][0])
    frame = runs.loc[np.repeat(np.arange(len(runs)), loads.shape[1])].reset_index(drop=True)
    frame = frame.assign(isl=isl, osl=osl, prefix_cache_hit=hit, weight_precision=default_weight_precision(chip, arch))
    frame["concurrency"] = loads.reshape(-1)
    frame["speculative"] = np.where(frame["draft_tokens"] > 0, "mtp", "")
    for pool in ("prefill", "decode"):
        width = "tp" if pool == "decode" else "prefill_tp"
        frame[f"{pool}_gpus"] = frame[f"{pool}_workers"] * frame[width]
    points = Points.from_frame(frame)
    found = predict(points)
    out = {name: getattr(found, name) for name in ("total_tok_s_per_gpu", "tpot_ms", "prefill_gpu_share", "layout")}
    for name in ("tp", "ep", "gpus", "concurrency", "draft_tokens", "decode_workers", "prefill_tp", "prefill_gpus"):
        out[name] = np.nan_to_num(points.numbers[name], nan=1.0)
    texts = {"mode": points.mode, "engine": points.engine, "kv_precision": points.kv_precision}
    out |= {name: np.array(values) for name, values in texts.items()}
    out["weight_precision"] = np.array(points.weight_precision)
    for name in ("dp_attention", "prefill_dp_attention"):
        out[name] = points.numbers[name] > 0
    out["pp"], out["fits"] = np.ones(len(points)), found.status == "ok"
    out["series"] = np.repeat(np.arange(len(runs)), loads.shape[1])
    return out


def _at_sessions(found: Settled, sessions: FloatArray, each: int) -> Settled:
    """Of every run, at its own number of sessions."""

    def at(values: FloatArray) -> FloatArray:
        out = np.full(len(sessions), np.nan)
        for i, wanted in enumerate(sessions):
            rows = slice(i * each, (i + 1) * each)
            known = found.fits[rows] & np.isfinite(values[rows])
            if known.any():
                alive = np.maximum.accumulate(found.sessions[rows][known])
                out[i] = np.interp(wanted, alive, values[rows][known])
        return out

    turns = at(found.turns_per_s)
    return Settled(
        sessions, at(found.gpus), turns, at(found.tpot_s), at(found.slow_tpot_s), at(found.hit), np.isfinite(turns)
    )


def fitted_runs(curve: str, parameters: AgenticParameters | None = None) -> tuple[pd.DataFrame, Settled]:
    """Runs of a curve, and what the model gives each at its own layout and number of sessions."""
    runs = _curve(curve)
    each = len(LOADS)
    sessions = runs["sessions"].to_numpy(dtype=float)
    host = runs["host_memory"].astype(str).str.lower().to_numpy() == "true"
    found = settle(
        accelerator(runs["accelerator"][0]),
        model(runs["model"][0]),
        lambda isl, osl, hit: _rows(curve, isl, osl, hit),
        host_memory=np.repeat(host, each),
        sessions=np.repeat(sessions, each),
        parameters=parameters,
    )
    return runs, _at_sessions(found, sessions, each)


def run_front(curve: str, parameters: AgenticParameters | None = None) -> AgenticFront:
    """Front of the published runs of a curve."""
    runs, found = fitted_runs(curve, parameters)
    rows = {"layout": runs["run_id"].to_numpy(dtype=str)}
    return AgenticFront.of(runs["accelerator"][0], runs["model"][0], rows, found)


def _measured() -> pd.DataFrame:
    """Measured points; those published per megawatt at the utility's power of a GPU."""
    points = table("measured_agentic")
    kw = points["accelerator"].map({name: all_in_kw(name) for name in points["accelerator"].unique()})
    per_mw = points["total_tok_s_per_utility_mw"] * kw / 1e3
    return points.assign(measured=points["total_tok_s_per_gpu"].fillna(per_mw).astype(float))


def measured_points(parameters: AgenticParameters | None = None, *, searched: bool = True) -> pd.DataFrame:
    """Each measured point beside the model.

    Returns
    -------
    pandas.DataFrame
        ``curve, split, accelerator, model, speed, sessions, gpus, measured`` and, in total tokens a second and GPU,
        ``front`` (of the published runs, at the measured speed), ``at_run`` (of the point's own run, where it is known)
        with ``run_speed``, and ``searched`` (of every layout that a search may choose on the runs' engine, in their kinds of
        pools). NaN where a speed is not reached.
    """
    points, out = _measured(), []
    for curve, rows in points.groupby("curve", sort=False):
        name, arch = str(rows["accelerator"].iloc[0]), str(rows["model"].iloc[0])
        runs, found = fitted_runs(str(curve), parameters)
        front = run_front(str(curve), parameters)
        # What was not run is no error of the model: engine and kinds of pools are those of the runs
        modes = runs["mode"].unique()
        held: dict[str, Any] = {
            "mode": str(modes[0]) if len(modes) == 1 else None,
            "engine": str(runs["engine"].iloc[0]),
            "date": str(rows["date"].iloc[0]),
        }
        free = agentic_front(name, arch, **held) if searched else None
        own = {run: i for i, run in enumerate(runs["run_id"])}
        tokens = front.total_tok_s_per_gpu / front.turns_per_s_per_gpu
        rate = found.turns_per_s * float(np.mean(tokens)) / runs["gpus"].to_numpy(dtype=float) if len(tokens) else None
        for point in rows.itertuples():
            speed, i = float(point.p90_tok_s_per_user), own.get(point.run_id)  # type: ignore[arg-type]
            known = i is not None and rate is not None
            out.append(
                {
                    "point_id": point.point_id,
                    "curve": curve,
                    "split": point.split,
                    "accelerator": name,
                    "model": arch,
                    "speed": speed,
                    "sessions": point.concurrency_sessions,
                    "gpus": point.gpus,
                    "measured": point.measured,
                    "front": front.rate_at(speed),
                    "at_run": rate[i] if known else np.nan,  # type: ignore[index]
                    "run_speed": 1.0 / found.slow_tpot_s[i] if known else np.nan,
                    "searched": free.rate_at(speed) if free is not None else np.nan,
                }
            )
    return pd.DataFrame(out)


def _errors(points: pd.DataFrame, column: str = "front", against: str = "measured") -> FloatArray:
    """Relative errors; a speed that is not reached counts as all of the rate missed."""
    ratio = points[column].to_numpy(dtype=float) / points[against].to_numpy(dtype=float)
    return np.where(np.isfinite(ratio), np.abs(ratio - 1.0), 1.0)


def _order(points: pd.DataFrame) -> float:
    """Share of pairs of unlike platforms, one model at one speed, in the measured order."""
    right = list[np.bool_]()
    for _, same in points.groupby(["model", "speed"]):
        chips = same["accelerator"].to_numpy(dtype=str)
        found, measured = (same[name].fillna(0.0).to_numpy(dtype=float) for name in ("searched", "measured"))
        a, b = np.triu_indices(len(same), 1)
        agree = (found[a] > found[b]) == (measured[a] > measured[b])
        right += list(agree[chips[a] != chips[b]])
    return float(np.mean(right)) if right else float("nan")


def scores(points: pd.DataFrame) -> pd.DataFrame:
    """Median and 90th percentile of the errors [%] of fitted and of scored points, and the share of pairs in order."""
    published = points["point_id"].str.startswith("agentx")
    parts = {
        "scored curves": points["split"] == "score",
        "fitted curves": points["split"] == "fit",
        "all published points": published,
    }
    out = []
    for name, rows in parts.items():
        part, known = points[rows], points[rows & points["at_run"].notna()]
        for quantity, found in (
            ("rate at the speed", _errors(part)),
            ("rate of the run", _errors(known, "at_run")),
            ("speed of the run", _errors(known, "run_speed", "speed")),
            ("rate at the speed of a search", _errors(part, "searched")),
        ):
            if len(found):
                both = 100.0 * np.quantile(found, [0.5, 0.9])
                out.append((name, quantity, len(found), *both, float("nan")))
        out.append((name, "order of platforms", len(part), float("nan"), float("nan"), 100.0 * _order(part)))
    columns = ["part", "quantity", "points", "median_pct", "p90_pct", "in_order_pct"]
    return pd.DataFrame(out, columns=columns)


@by_data(1, "validation_agentic")
def agentic_range() -> tuple[float, float]:
    """5 and 95 % of measured over searched rates, on curves that fitted nothing (data/validation_agentic.csv).

    Examples
    --------
    >>> low, high = agentic_range()
    >>> low < 1.0 < high
    True
    """
    points = table("validation_agentic")
    points = points[(points["split"] == "score") & points["searched"].notna()]
    low, high = np.quantile(points["measured"] / points["searched"], [0.05, 0.95])
    return float(low), float(high)


def fitted_parameters() -> AgenticParameters:
    """Longest wait and step of compressed attention that fit the runs of the fitted curves best.

    Notes
    -----
    Least mean of absolute logs of predicted over measured rate and speed of a run, on a grid: a few points decide
    between a few values, and the median of an error that a single session may spoil is wanted, not its mean.
    """
    start, points = agentic_parameters(), _measured()
    known = points[(points["split"] == "fit") & points["run_id"].notna()].set_index("run_id")
    best, least = start, np.inf
    for cap in WAIT_CAPS_S:
        for step in STEPS:
            tried = replace(start, wait_cap_s=cap, compressed_step=float(step))
            cost = 0.0
            for curve in known["curve"].unique():
                runs, found = fitted_runs(str(curve), tried)
                cost += _misfit(runs, found, known)
            if cost < least:
                best, least = tried, cost
    return best


def _misfit(runs: pd.DataFrame, found: Settled, known: pd.DataFrame) -> float:
    seen = agentic_sessions()
    tokens = float((seen.input_tokens + seen.output_tokens).mean())
    rows = np.flatnonzero(runs["run_id"].isin(known.index))
    wanted = known.loc[runs["run_id"].iloc[rows]]
    rate = found.turns_per_s[rows] * tokens / runs["gpus"].to_numpy(dtype=float)[rows]
    logs = np.log([rate / wanted["measured"], 1.0 / found.slow_tpot_s[rows] / wanted["p90_tok_s_per_user"]])
    return float(np.nansum(np.abs(logs)))


def record(write: bool, shipped: bool = False) -> Iterator[str]:
    """Fit, score, and write data/agentic_parameters.csv and data/validation_agentic.csv; the lines to print.

    Parameters
    ----------
    write, shipped : bool
        As in :func:`rackecon.evidence.record.run`.
    """
    folder = fit_dir(shipped) if write else None
    found = fitted_parameters()
    yield f"longest wait of a session {found.wait_cap_s:g} s, step of compressed attention {found.compressed_step:g}"
    points = measured_points(found)
    yield from scores(points).to_string(index=False, float_format="%.1f", na_rep="").splitlines()
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        values = {"session_wait_cap_s": found.wait_cap_s, "compressed_attention_step": found.compressed_step}
        fitted = table("agentic_parameters")
        fitted["value"] = fitted["parameter"].map(values)
        columns = ["point_id", "curve", "split", "speed", "measured", "front", "at_run", "run_speed", "searched"]
        write_table("agentic_parameters", fitted, folder)
        write_table("validation_agentic", points[columns].assign(source_id="calibration", grade="derived"), folder)
