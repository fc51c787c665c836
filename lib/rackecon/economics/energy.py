"""What boards draw and what a token costs in joules: fitted to measured power, scored on platforms held out.

A board waits at a share of its design power; time spent on decode and on prompts adds to it, each its own share, by a factor
of the chip's family. How long a GPU works on either is predicted (:func:`rackecon.serving.bottlenecks.busy_shares`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.economics.power import draw_share
from rackecon.economics.power_table import family_draw
from rackecon.errors import InputError
from rackecon.lazy import pd

SPREAD: Final = 0.1
"""Standard deviation that a board's mean power is taken to have about the model [log]."""
PHASES: Final = ("mostly decode", "mostly prompts")


@by_data(1)
def energy_rows() -> pd.DataFrame:
    """Measured board power beside the predicted time and rate of its conditions, one row a measurement.

    Returns
    -------
    pandas.DataFrame
        Conditions, ``power_w``, ``share`` of TDP, ``decode_busy_share``, ``prefill_busy_share``, ``predicted_tok_s_per_gpu``,
        ``phase`` (what the busy time mostly goes to), ``family``. Rows of both measured tables whose layout is given.
    """
    from rackecon.performance.parameters import load_parameters
    from rackecon.serving.bottlenecks import busy_shares
    from rackecon.serving.points import Points, launched
    from rackecon.serving.predict import predict, prepare, solve

    tables = [catalog.table(name) for name in ("measured_serving", "measured_outside")]
    frame = pd.concat([t[t["avg_power_w_per_gpu"].notna() & t["concurrency"].notna()] for t in tables])
    frame = frame.dropna(axis="columns", how="all").reset_index(drop=True)
    points, used = Points.from_frame(launched(frame)), load_parameters()
    chips = points.records[0]
    out = frame[
        ["point_id", "split_group", "accelerator", "model", "mode", "concurrency", "total_tok_s_per_gpu"]
    ].copy()
    out["power_w"] = frame["avg_power_w_per_gpu"].astype(float)
    out["share"] = out["power_w"] / [chip.tdp_w for chip in chips]
    out["family"] = [chip.family for chip in chips]
    out["predicted_tok_s_per_gpu"] = predict(points, used).total_tok_s_per_gpu
    *_, parts = solve(prepare(points), used.values(), {name: i for i, name in enumerate(used.names)})
    for rows, done in parts:
        busy = busy_shares(done.step, np.clip(done.prefill_gpu_share, 0.0, 1.0), done.prefill_use)
        out.loc[rows, "decode_busy_share"], out.loc[rows, "prefill_busy_share"] = busy
    out["phase"] = np.where(out["prefill_busy_share"] > out["decode_busy_share"], PHASES[1], PHASES[0])
    return out


def _drawing(rows: pd.DataFrame) -> Callable[[dict[str, float]], FloatArray]:
    """Predicted board power over TDP of some rows, as a function of parameters: a fit asks some hundred times."""
    families = rows["family"].to_numpy(dtype=str)
    decode, prefill = (rows[name].to_numpy(dtype=float) for name in ("decode_busy_share", "prefill_busy_share"))
    each = [(name, at, decode[at], prefill[at]) for name in dict.fromkeys(families) for at in [families == name]]

    def draw(values: dict[str, float]) -> FloatArray:
        out = np.full(len(families), np.nan)
        for name, at, *busy in each:
            out[at] = draw_share(family_draw(values, name), *busy)
        return out

    return draw


def fit_draw(rows: pd.DataFrame) -> dict[str, float]:
    """Parameters of drawn power that fit measurements best, given their priors.

    Parameters
    ----------
    rows : pandas.DataFrame
        As :func:`energy_rows`.

    Returns
    -------
    dict
        By name of data/power_parameters.csv: shares of TDP, logs of the factors of families; a family without rows keeps
        its prior.

    Notes
    -----
    Least squares of logs with Gaussian priors (the largest posterior), each parameter inside its range.
    """
    from scipy.optimize import least_squares

    table = catalog.table("power_parameters").set_index("name")
    if rows.empty:
        raise InputError("drawn power: no measured row to fit")
    prior, sd, low, high = (table[name].to_numpy(dtype=float) for name in ("prior", "prior_sd", "low", "high"))
    measured, draw = np.log(rows["share"].to_numpy(dtype=float)), _drawing(rows)

    def misfit(x: FloatArray) -> FloatArray:
        predicted = draw(dict(zip(table.index, x, strict=True)))
        return np.concatenate([(np.log(predicted) - measured) / SPREAD, (x - prior) / sd])

    found = least_squares(misfit, prior, bounds=(low, high)).x
    return {str(name): float(value) for name, value in zip(table.index, found, strict=True)}


def held_out(rows: pd.DataFrame, by: str) -> FloatArray:
    """Board power over TDP of each row by a fit to the others.

    Parameters
    ----------
    rows : pandas.DataFrame
        As :func:`energy_rows`.
    by : str
        Column whose every value is left out whole: ``accelerator``, ``split_group``.
    """
    out = np.full(len(rows), np.nan)
    for value in rows[by].unique():
        test = (rows[by] == value).to_numpy()
        out[test] = _drawing(rows[test])(fit_draw(rows[~test]))
    return out


def energy_scores(rows: pd.DataFrame) -> pd.DataFrame:
    """Error of board power and of joules per total token, by what is held out, platform and phase [%].

    The joules are of predicted power over predicted rate, against measured over measured.
    """
    out = []
    for scheme, by in (("platform held out", "accelerator"), ("curve held out", "split_group")):
        power = np.log(held_out(rows, by) / rows["share"].to_numpy(dtype=float))
        joules = power - np.log((rows["predicted_tok_s_per_gpu"] / rows["total_tok_s_per_gpu"]).to_numpy(dtype=float))
        for quantity, log in (("board power", power), ("joules per total token", joules)):
            for platform in ("all", *sorted(rows["accelerator"].unique())):
                for phase in ("all", *PHASES):
                    use = np.isfinite(log) & ((rows["accelerator"] == platform) | (platform == "all")).to_numpy()
                    use &= ((rows["phase"] == phase) | (phase == "all")).to_numpy()
                    if use.any():
                        error = 100.0 * np.abs(np.expm1(log[use]))
                        ends = float(np.median(error)), float(np.quantile(error, 0.9))
                        bias = 100.0 * float(np.expm1(np.median(log[use])))
                        out.append((scheme, quantity, platform, phase, int(use.sum()), *ends, bias))
    names = ["scheme", "quantity", "platform", "phase", "points", "median_pct", "p90_pct", "bias_pct"]
    return pd.DataFrame(out, columns=names)


def wall_rows() -> pd.DataFrame:
    """MLPerf submissions metered at the wall beside the power that the model says their system draws.

    Returns
    -------
    pandas.DataFrame
        ``measured_w`` and ``drawn_w`` per GPU [W], the latter with its share of the provisioned server and network at the
        point that a search finds under the row's limits; ``reason`` where a row tests nothing: boards at a lower limit that
        is not stated (``MaxQ`` in the platform's name), or a card that the catalogue has not.

    Notes
    -----
    Not in the fit, which is of boards alone. A submission is one server on a bench, what is provisioned counts a
    cluster's network too, so the model should lie above.
    """
    from rackecon.economics.power_table import drawn_it_kw, provisioned_it_kw
    from rackecon.evidence.mlperf import best_points, submissions
    from rackecon.performance.parameters import load_parameters
    from rackecon.serving.corrections import without_history

    every, parameters = catalog.table("measured_mlperf"), without_history(load_parameters())
    every = every[every["power_w_per_accel"].notna()]
    known, out = submissions(), []
    tried = [i for i in every.index.tolist() if i in known.index and "MaxQ" not in str(every.loc[i, "platform"])]
    points = dict(zip(tried, best_points(known.loc[tried], parameters), strict=True))
    for index in every.index.tolist():
        row = every.loc[index]
        made = {"platform": row["platform"], "benchmark": row["benchmark"], "scenario": row["scenario"]}
        made |= {"measured_w": float(row["power_w_per_accel"]), "drawn_w": np.nan, "reason": ""}
        if index not in known.index:
            made["reason"] = f"{row['accelerator']} is not in the catalogue"
        elif index not in points:
            made["reason"] = "boards at a lower limit, not stated"
        elif (point := points[index]) is not None:
            chip = catalog.accelerator(str(known.loc[index, "accelerator"]))
            drawn = drawn_it_kw(chip.id, chip.tdp_w, provisioned_it_kw(chip.id), point)
            made["drawn_w"] = 1000.0 * float(drawn)
        out.append(made)
    return pd.DataFrame(out)


def power_fit(write: bool = False) -> list[str]:
    """Fit and score drawn power; lines that say what came out.

    Parameters
    ----------
    write : bool
        Whether to write power_parameters.csv and validation_energy.csv to data/; refused while own rows are there.
    """
    from rackecon.catalog.paths import fit_dir
    from rackecon.evidence.record import write_table
    from rackecon.evidence.residual import AS_OF

    folder = fit_dir(shipped=True) if write else None
    rows, table = energy_rows(), catalog.table("power_parameters")
    values = fit_draw(rows)
    table["value"] = [float(f"{values[name]:.5g}") for name in table["name"]]
    scores = energy_scores(rows).round(1).assign(source_id="calibration", date=AS_OF, grade="derived")
    if folder:
        for name, made in (("power_parameters", table), ("validation_energy", scores)):
            write_table(name, made, folder)
    told = scores[(scores["platform"] == "all") & (scores["phase"] == "all")]
    return [
        f"{row['scheme']}, {row['quantity']}: median {row['median_pct']:g} %, 90th percentile {row['p90_pct']:g} %, "
        f"bias {row['bias_pct']:+g} % ({row['points']} rows)"
        for row in told.to_dict("records")
    ]
