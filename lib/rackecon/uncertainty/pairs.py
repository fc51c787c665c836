"""Every pair of platforms: what decides between them, and the values at which the lead changes."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np

from rackecon.errors import InputError
from rackecon.evidence.intervals import drawn_logs
from rackecon.lazy import pd
from rackecon.uncertainty.distributions import two_piece
from rackecon.uncertainty.outcomes import beaten
from rackecon.uncertainty.portfolio import Portfolio
from rackecon.uncertainty.propagate import ERRORS, Outcomes, propagate
from rackecon.uncertainty.sampling import SEED, blocked
from rackecon.uncertainty.sensitivity import REACH, flip_map, indices, sobol_points


def pair_drivers(
    made: Portfolio,
    model: str,
    scenario: str,
    metric: str = "profit_usd_per_rack_year",
    *,
    draws: int = 256,
    physical_points: int = 8,
    seed: int = SEED,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sobol indices of the difference of every pair, and of each platform's own result, from one set of draws.

    Returns
    -------
    tuple of pandas.DataFrame
        ``first_platform, second_platform, factor, first, total`` and ``accelerator, factor, first, first_low,
        first_high, total, total_low, total_high``.
    """
    plan = made.plan

    def prepare(z: np.ndarray, which: int) -> np.ndarray:
        return blocked(plan, z, physical_points, seed + 10 * which)

    points = sobol_points(plan.columns, len(plan.factors), draws, seed, prepare)
    outcomes = propagate(made, plan.scores(points), (metric,))
    names = list(plan.columns)
    at = {made.cells[i].accelerator: i for i in outcomes.rows(model, scenario) if not made.cells[i].reason}
    if len(at) < 2:
        raise InputError(f"a comparison needs two platforms with a result, {model} {scenario} has {len(at)}")
    values = {key: outcomes.values[metric][i].reshape(len(names) + 2, draws) for key, i in at.items()}
    pairs = [
        indices(values[a] - values[b], names, confidence=None).assign(first_platform=a, second_platform=b)
        for a, b in itertools.combinations(at, 2)
    ]
    own = [indices(v, names).assign(accelerator=key) for key, v in values.items()]
    return pd.concat(pairs, ignore_index=True), pd.concat(own, ignore_index=True)


def pair_flips(
    made: Portfolio,
    outcomes: Outcomes,
    drivers: pd.DataFrame,
    model: str,
    scenario: str,
    metric: str = "profit_usd_per_rack_year",
    *,
    points: int = 13,
) -> pd.DataFrame:
    """For every pair: how often the better one wins, the two inputs that decide, and where the lead changes.

    Parameters
    ----------
    outcomes : Outcomes
        Draws for the win shares.
    drivers : pandas.DataFrame
        First table of :func:`pair_drivers`.
    points : int
        Grid points of the map along each input.

    Returns
    -------
    pandas.DataFrame
        ``leader, rival, beats_share, x_input, y_input, x_share, y_share, x_flip, x_flip_at_low_y, x_flip_at_high_y,
        verdict``. Flip values are those of ``x_input`` with everything else (or all but ``y_input``) at its median,
        NaN where the lead does not change within 95 % of the input's range. An input of the platform itself moves the
        leader only. An error of the serving model stands as the share by which the quantity differs, the price level as
        the price of output tokens [USD per million].
    """
    at = {made.cells[i].accelerator: i for i in outcomes.rows(model, scenario)}
    rows = []
    for key, part in drivers.groupby(["first_platform", "second_platform"], sort=False):
        a, b = map(str, key)
        drawn = outcomes.values[metric][[at[a], at[b]]]
        share = float(beaten(drawn)[0, 1])
        leader, rival = (a, b) if np.median(drawn[0] - drawn[1]) >= 0 else (b, a)
        moved = part[part["factor"].isin(list(made.plan.inputs))].head(2)
        x_name, y_name = (str(moved["factor"].iloc[i]) for i in (0, 1))
        found = flip_map(made, model, scenario, (leader, rival), (x_name, y_name), metric=metric, points=points)
        grid = found.table.assign(row=np.repeat(np.arange(points), points))
        flips = [_crossing(grid[grid["row"] == row]) for row in (points // 2, _row(points, -1.0), _row(points, 1.0))]
        worth = partial(natural, made, outcomes, at[leader], x_name)
        rows.append(
            {
                "leader": leader,
                "rival": rival,
                "beats_share": share if leader == a else 1.0 - share,
                "x_input": x_name,
                "y_input": y_name,
                "x_share": float(moved["total"].iloc[0]),
                "y_share": float(moved["total"].iloc[1]),
                "x_flip": worth(flips[0]),
                "x_flip_at_low_y": worth(flips[1]),
                "x_flip_at_high_y": worth(flips[2]),
                "verdict": found.verdict,
            }
        )
    return pd.DataFrame(rows)


def natural(made: Portfolio, outcomes: Outcomes, cell: int, name: str, score: float) -> float:
    """What a score of an input whose width is another table's means for one cell; other inputs' values as they are.

    Parameters
    ----------
    outcomes : Outcomes
        Draws, for the mode that the cell mostly runs in: aggregated and disaggregated serving err differently.
    cell : int
        Of the platform, model and workload.
    name : str
        Input.
    score : float
        Standard normal score, or the input's value.

    Returns
    -------
    float
        Share by which the rate, speed or first-token time differs from the model's; USD per million output tokens for the
        price level; the value itself otherwise.
    """
    form, here = made.inputs[name].form, made.cells[cell]
    if form == "evidence":
        split = np.char.startswith(outcomes.layout[cell][outcomes.served[cell]].astype(str), "disaggregated")
        mode = "disaggregated" if split.mean() > 0.5 else "aggregated"
        return float(np.expm1(drawn_logs(made.error_ends(here, mode, ERRORS[name]), np.asarray(score))))
    if form == "listings" and here.card is not None:
        least, low, high, most = here.price
        factor = np.exp(two_piece(np.asarray(score), math.log(low), 0.0, math.log(high)))
        return here.card.output * float(np.clip(factor, least, most))
    return score


def _row(points: int, score: float) -> int:
    """Grid row nearest to a score."""
    return int(np.argmin(np.abs(np.linspace(-REACH, REACH, points) - score)))


def _crossing(line: pd.DataFrame) -> float:
    """Where the lead changes nearest to the middle of the range; points at which both earn the same are no side's."""
    gap, x = line["difference"].to_numpy(), line["x"].to_numpy()
    led = np.flatnonzero(gap)
    before, after = led[:-1], led[1:]
    change = np.flatnonzero(np.sign(gap[before]) * np.sign(gap[after]) < 0)
    if not len(change):
        return float("nan")
    nearest = change[np.argmin(np.abs((before[change] + after[change]) / 2 - len(x) / 2))]
    i, j = int(before[nearest]), int(after[nearest])
    if j > i + 1:
        return float(x[i + 1 : j].mean())
    return float(x[i] + gap[i] / (gap[i] - gap[j]) * (x[j] - x[i]))
