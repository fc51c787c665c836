"""What moves the verdict: one input at a time, shares of variance, and the line where the winner changes.

Variance is attributed to *independent factors*: latent factors that inputs share, and each input's own part. The same
factor of all platforms, models or cells moves as one group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.errors import InputError, check_known
from rackecon.lazy import pd
from rackecon.uncertainty.distributions import Z10
from rackecon.uncertainty.portfolio import Portfolio
from rackecon.uncertainty.propagate import Outcomes, propagate
from rackecon.uncertainty.sampling import SEED, median_scores, normal_points

Measure = Callable[[Outcomes], FloatArray]


def tornado(made: Portfolio, model: str, scenario: str, metric: str = "profit_usd_per_rack_year") -> pd.DataFrame:
    """Every input at its 10th and 90th percentile in turn, all platforms together, the rest at their medians.

    Parameters
    ----------
    model, scenario : str
        Of one comparison.

    Returns
    -------
    pandas.DataFrame
        Long: ``accelerator, platform, input, drives, unit, low_value, high_value, at_low, base, at_high, swing,
        leader_at_low, leader_at_high``. Input values are NaN where their width is that of the evidence.
    """
    from rackecon.uncertainty.sampling import Scores

    names = list(made.plan.inputs)
    n = len(names)
    middle = median_scores(made.plan, 2 * n + 1)
    values = {}
    for j, name in enumerate(names):
        z = middle.values[name].copy()
        z[1 + j], z[1 + n + j] = -Z10, Z10
        values[name] = z
    outcomes = propagate(made, Scores(made.plan, values), (metric,))
    at = outcomes.rows(model, scenario)
    drawn = outcomes.values[metric][at]
    labels = [made.cells[i].platform.label for i in at]
    keys = [made.cells[i].accelerator for i in at]
    filled = np.where(np.isnan(drawn), -np.inf, drawn)
    leader = [keys[i] for i in np.argmax(filled, axis=0)]
    rows = []
    for j, name in enumerate(names):
        item = made.inputs[name]
        told = item.form not in ("evidence", "listings")
        ends = item.quantile_of_normal(np.array([-Z10, Z10])) if told else np.full(2, np.nan)
        for k, key in enumerate(keys):
            low, high = drawn[k, 1 + j], drawn[k, 1 + n + j]
            # the price level's ends are those of the model's own listings
            low_value, high_value = made.cells[at[k]].price[1:3] if item.form == "listings" else ends
            rows.append(
                {
                    "accelerator": key,
                    "platform": labels[k],
                    "input": name,
                    "drives": item.drives,
                    "unit": item.unit,
                    "low_value": low_value,
                    "high_value": high_value,
                    "at_low": low,
                    "base": drawn[k, 0],
                    "at_high": high,
                    "swing": max(low, high, drawn[k, 0]) - min(low, high, drawn[k, 0]),
                    "leader_at_low": leader[1 + j],
                    "leader_at_high": leader[1 + n + j],
                }
            )
    table = pd.DataFrame(rows)
    return table.sort_values(
        ["accelerator", "swing", "input"], ascending=[True, False, True], ignore_index=True, kind="stable"
    )


def sobol_points(
    groups: Mapping[str, Sequence[int]],
    columns: int,
    draws: int,
    seed: int = SEED,
    prepare: Callable[[FloatArray, int], FloatArray] | None = None,
) -> FloatArray:
    """Rows on which a function is needed for Sobol indices: samples A, B, and A with each group taken from B."""
    z = normal_points(draws, 2 * columns, seed)
    a, b = z[:, :columns], z[:, columns:]
    if prepare is not None:
        a, b = prepare(a, 0), prepare(b, 1)
    mixed = []
    for chosen in groups.values():
        one = a.copy()
        one[:, list(chosen)] = b[:, list(chosen)]
        mixed.append(one)
    return np.concatenate([a, b, *mixed])


def indices(parts: FloatArray, names: Sequence[str], *, confidence: float | None = 0.95) -> pd.DataFrame:
    """First-order and total indices from values on :func:`sobol_points`, ``(groups + 2, draws)``.

    ``confidence`` None leaves the bootstrap out.
    """
    from scipy.stats import sobol_indices

    if not np.isfinite(parts).all():
        raise InputError("variance cannot be attributed: the measure is not finite in every draw")
    fields = ("first", "first_low", "first_high", "total", "total_low", "total_high")
    if np.ptp(parts) == 0:
        return pd.DataFrame([{"factor": name, **dict.fromkeys(fields, 0.0)} for name in names])
    given = {"f_A": parts[0][None, :], "f_B": parts[1][None, :], "f_AB": parts[2:][:, None, :]}
    found = sobol_indices(func=given, n=parts.shape[1])
    table = pd.DataFrame(
        {"factor": list(names), "first": np.ravel(found.first_order), "total": np.ravel(found.total_order)}
    )
    if confidence is not None:
        tail = 0.5 * (1.0 - confidence)
        for name, drawn in zip(("first", "total"), _resampled(parts), strict=True):
            table[f"{name}_low"], table[f"{name}_high"] = np.quantile(drawn, [tail, 1.0 - tail], axis=0)
        table = table[["factor", *fields]]
    return table.fillna(0.0).sort_values(["total", "factor"], ascending=[False, True], kind="stable", ignore_index=True)


RESAMPLES: Final = 200


def _resampled(parts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First-order and total indices of seeded resamples of the draws, ``(resamples, factors)``.

    The library's own bootstrap takes no seed, so a page could not be rebuilt. Estimators: Saltelli 2010 and Jansen.
    """
    n = parts.shape[1]
    first, total = [], []
    for rows in np.random.default_rng(SEED).integers(n, size=(RESAMPLES, n)):
        a, b, mixed = parts[0, rows], parts[1, rows], parts[2:, rows]
        spread = np.var(np.concatenate([a, b]))
        spread = spread if spread > 0 else 1.0
        first.append(np.mean(b * (mixed - a), axis=1) / spread)
        total.append(0.5 * np.mean((a - mixed) ** 2, axis=1) / spread)
    return np.array(first), np.array(total)


def _pair(made: Portfolio, model: str, scenario: str, pair: tuple[str, str]) -> list[int]:
    place = {c.accelerator: i for i, c in enumerate(made.cells) if (c.model, c.scenario) == (model, scenario)}
    for name in pair:
        check_known("platform of the comparison", name, place)
        if made.cells[place[name]].reason:
            raise InputError(f"{name}, {model}, {scenario}: {made.cells[place[name]].reason}")
    return [place[name] for name in pair]


REACH: Final = 2.0
"""Score to which a map goes either way: 95 % of a distribution."""


@dataclass(frozen=True)
class FlipMap:
    """Who leads of two platforms over a grid of two inputs, and whether the lead changes there."""

    table: pd.DataFrame
    """``x, y, difference, leader`` on the grid; input values, not scores."""
    x_input: str
    y_input: str
    verdict: str


def flip_map(
    made: Portfolio,
    model: str,
    scenario: str,
    pair: tuple[str, str],
    inputs: tuple[str, str],
    *,
    metric: str = "profit_usd_per_rack_year",
    points: int = 25,
    reach: float = REACH,
) -> FlipMap:
    """The verdict between two platforms over two inputs, the others at their medians.

    Parameters
    ----------
    pair : tuple of str
        Two platforms.
    inputs : tuple of str
        Two uncertain inputs. One that differs by platform (``rate_error``, ``capex``) moves the *first* platform only
        and is shown as its score.
    points : int
        Grid points along each input.
    reach : float
        Range of scores, from -reach to +reach: 2 covers 95 % of the distribution.
    """
    from rackecon.uncertainty.sampling import Scores

    at = _pair(made, model, scenario, pair)
    for name in inputs:
        check_known("uncertain input", name, made.plan.inputs)
    z = np.linspace(-reach, reach, points)
    grid = [g.ravel() for g in np.meshgrid(z, z, indexing="xy")]
    scores = median_scores(made.plan, points * points)
    values = dict(scores.values)
    shown = []
    for name, score in zip(inputs, grid, strict=True):
        item = made.inputs[name]
        block = values[name].copy()
        own = item.scope in ("platform", "cell")
        first = made.cells[at[0]]
        wide = len(made.plan.platforms)
        column = first.platform_index + (first.model_index * wide if item.scope == "cell" else 0)
        block[:, [column] if own else slice(None)] = score[:, None]
        values[name] = block
        told = item.form not in ("evidence", "listings")
        shown.append(item.quantile_of_normal(score) if told else score)
    outcomes = propagate(made, Scores(made.plan, values), (metric,))
    gap = outcomes.values[metric][at[0]] - outcomes.values[metric][at[1]]
    table = pd.DataFrame({"x": shown[0], "y": shown[1], "difference": gap})
    table["leader"] = np.where(gap >= 0, pair[0], pair[1])
    ahead = [name for name, leads in zip(pair, (gap > 0, gap < 0), strict=True) if leads.any()] or list(pair[:1])
    verdict = "the lead changes" if len(ahead) > 1 else f"{ahead[0]} leads everywhere in this range"
    return FlipMap(table, inputs[0], inputs[1], verdict)
