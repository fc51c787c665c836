"""What the draws say: percentiles, who wins how often, and what choosing the wrong platform costs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.errors import InputError, unknown_name
from rackecon.evidence.leads import in_order
from rackecon.lazy import pd
from rackecon.uncertainty.propagate import OUTPUTS, Outcomes
from rackecon.uncertainty.ranking import call, ordered

WINDOW: Final = 0.035
SHARES: Final = (0.05, 0.5, 0.95)


def percentiles(values: FloatArray) -> FloatArray:
    """5th, 50th and 95th percentile of draws along the last axis, steadied by local regression on the ordered draws.

    Parameters
    ----------
    values : ndarray
        ``(..., draws)``.

    Returns
    -------
    ndarray
        ``(3, ...)``. A weighted parabola through the order statistics within 3.5 % of the share, against
        normal scores, read at the share; the plain order statistic where draws are few or infinite. NaN where a draw
        is NaN.

    Examples
    --------
    >>> from rackecon.uncertainty.sampling import normal_points
    >>> z = normal_points(4096, 1)[:, 0]
    >>> [round(float(x), 2) for x in percentiles(z)]
    [-1.64, 0.0, 1.64]
    """
    from scipy.special import ndtri

    data = np.sort(np.atleast_2d(np.asarray(values, dtype=float)), axis=-1)
    n = data.shape[-1]
    flat = data.reshape(-1, n)
    position = (np.arange(n) + 0.5) / n
    out = np.empty((len(SHARES), len(flat)))
    for i, share in enumerate(SHARES):
        with np.errstate(invalid="ignore"):
            out[i] = np.quantile(flat, share, axis=1, method="closest_observation")
        near = np.abs(position - share) < WINDOW
        if near.sum() < 50:
            continue
        weight = np.sqrt(1.0 - ((position[near] - share) / WINDOW) ** 2)
        line = np.stack([(ndtri(position[near]) - ndtri(share)) ** k for k in range(3)], axis=1)
        good = np.isfinite(flat[:, near]).all(axis=1)
        if good.any():
            # the parabola's value at the share is one weighted sum of the draws: weights once for all rows
            out[i, good] = flat[good][:, near] @ (np.linalg.pinv(line * weight[:, None])[0] * weight)
    out[:, np.isnan(flat).any(axis=1)] = np.nan
    return out.reshape((len(SHARES), *np.shape(values)[:-1]))


def _known(outcomes: Outcomes, output: str) -> FloatArray:
    if output not in outcomes.values:
        raise unknown_name("output", output, OUTPUTS)
    return outcomes.values[output]


def summary(outcomes: Outcomes, outputs: Sequence[str] = OUTPUTS) -> pd.DataFrame:
    """5th, 50th and 95th percentile of every output of every cell.

    Returns
    -------
    pandas.DataFrame
        Long: ``model, scenario, accelerator, platform, output, p5, p50, p95, loss_share, served_share, reason``.
        ``loss_share`` is the share of draws with a loss, ``served_share`` that in which the limits could be met.
    """
    parts = []
    cells = outcomes.portfolio.cells
    heads = pd.DataFrame(
        {
            "model": [c.model for c in cells],
            "scenario": [c.scenario for c in cells],
            "accelerator": [c.accelerator for c in cells],
            "platform": [c.platform.label for c in cells],
        }
    )
    loss = np.mean(outcomes.values["profit_usd_per_gpu_year"] < 0, axis=1)
    for output in outputs:
        low, middle, high = percentiles(_known(outcomes, output))
        parts.append(
            heads.assign(
                output=output,
                p5=low,
                p50=middle,
                p95=high,
                loss_share=loss,
                served_share=outcomes.served.mean(axis=1),
                reason=[c.reason for c in cells],
            )
        )
    return pd.concat(parts, ignore_index=True)


def compare(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Win shares and expected regret of alternatives drawn together.

    Parameters
    ----------
    drawn : ndarray
        ``(alternatives, draws)``, more is better; NaN for one without a result, which never wins.

    Returns
    -------
    tuple of ndarray
        Share of draws in which each is best *and earns*; mean shortfall from the best of each draw (not choosing at
        all, 0, counts among the choices).

    Examples
    --------
    >>> wins, regret = compare(np.array([[1.0, 3.0], [2.0, 1.0]]))
    >>> wins.tolist(), regret.tolist()
    ([0.5, 0.5], [0.5, 1.0])
    """
    filled = _filled(drawn)
    best = np.argmax(filled, axis=0)
    top = filled[best, np.arange(filled.shape[1])]
    wins = np.bincount(best[top > 0], minlength=len(filled)) / filled.shape[1]
    regret = np.mean(np.maximum(top, 0.0) - filled, axis=1)
    return wins, np.where(np.isneginf(filled).any(axis=1), np.nan, regret)


def beaten(drawn: FloatArray) -> FloatArray:
    """Share of draws in which a beats b, ``[a, b]``, of alternatives as :func:`compare` takes them; ties count half.

    Examples
    --------
    >>> float(beaten(np.array([[1.0, 3.0], [2.0, 1.0]]))[0, 1])
    0.5
    """
    filled = _filled(drawn)
    with np.errstate(invalid="ignore"):
        gap = filled[:, None, :] - filled[None, :, :]
    return np.asarray(np.mean((gap > 0) + 0.5 * ((gap == 0) | np.isnan(gap)), axis=2))


def _filled(drawn: FloatArray) -> FloatArray:
    """Draws of alternatives, those without a result the worst."""
    drawn = np.asarray(drawn, dtype=float)
    if drawn.ndim != 2 or not drawn.size:
        raise InputError(f"draws of alternatives expected as (alternatives, draws), got shape {drawn.shape}")
    return np.where(np.isnan(drawn), -np.inf, drawn)


def win_table(
    outcomes: Outcomes, metric: str = "profit_usd_per_rack_year", table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Who wins how often, with percentiles and expected regret, one row per platform of every comparison.

    Parameters
    ----------
    metric : str
        An output that more is better of.
    table : pandas.DataFrame, optional
        Rows of :func:`rackecon.appraisal.evaluate.evaluate` of one model and scenario: what is earned at the assumptions as
        they stand, by which :func:`ranked` and so the summary sort.

    Returns
    -------
    pandas.DataFrame
        ``model, scenario, accelerator, platform, metric, value, p5, p50, p95, win_share, expected_regret, beats_next_share,
        rank, verdict, draws``. Sorted by ``value``: that of ``table``, without one the median; ``verdict`` is the winner's id, ``too close to call`` where it
        wins under 80 % of draws, ``earns alone`` where no other then does in any, ``nobody earns`` or ``no result``.
    """
    drawn = _known(outcomes, metric)
    parts = []
    for case in outcomes.portfolio.cases:
        for model in outcomes.portfolio.plan.models:
            at = outcomes.rows(model, case)
            (wins, regret), pair = compare(drawn[at]), beaten(drawn[at])
            low, middle, high = percentiles(drawn[at])
            cells = [outcomes.portfolio.cells[i] for i in at]
            frame = pd.DataFrame(
                {
                    "model": model,
                    "scenario": case,
                    "accelerator": [c.accelerator for c in cells],
                    "platform": [c.platform.label for c in cells],
                    "metric": metric,
                    "p5": low,
                    "p50": middle,
                    "p95": high,
                    "win_share": wins,
                    "expected_regret": regret,
                    "place": range(len(cells)),
                }
            )
            frame["value"] = frame["p50"]
            if table is not None:
                frame["value"] = (
                    frame["accelerator"].map(table.set_index("accelerator")[metric]).where(frame["p50"].notna())
                )
            frame = in_order(frame, "value")
            order = frame.pop("place").to_numpy()
            frame["beats_next_share"] = [
                float(pair[a, b]) if np.isfinite(middle[a]) and np.isfinite(middle[b]) else np.nan
                for a, b in itertools.pairwise(order)
            ] + [np.nan]
            known = int(np.isfinite(frame["value"]).sum())
            frame["rank"] = [k + 1 if k < known else 0 for k in range(len(frame))]
            frame["verdict"] = _verdict(frame, known)
            parts.append(frame.assign(draws=outcomes.draws))
    return pd.concat(parts, ignore_index=True)


def ranked(table: pd.DataFrame, outcomes: Outcomes, metric: str) -> pd.DataFrame:
    """One comparison in the shape of :func:`rackecon.uncertainty.ranking.rank`, with every uncertain input drawn.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of :func:`rackecon.appraisal.evaluate.evaluate` of one model and scenario: what is earned at the
        assumptions as they stand, by which the rows are sorted.
    outcomes : Outcomes
        Draws of the same platforms, model and scenario.
    metric : str
        A profit column that was drawn.

    Returns
    -------
    pandas.DataFrame
        Columns of ``rank`` and ``value_middle``, the median of the draws; ends of the interval and win shares are those of :func:`win_table`. A platform that
        serves nothing at the assumptions as they stand has no value, whatever single draws give it.
    """
    drawn = win_table(outcomes, metric).set_index("accelerator")
    there = table[metric].notna() & table["accelerator"].map(drawn["p50"].notna())
    served = table[there]
    found = drawn.loc[served["accelerator"]]
    wins = np.rint(found["win_share"].to_numpy() * outcomes.draws).astype(int)
    low, high = found["p5"].to_numpy(dtype=float), found["p95"].to_numpy(dtype=float)
    out = ordered(served, metric, low, high, wins, outcomes.draws, table[~there])
    return out.assign(value_middle=out["accelerator"].map(found["p50"]))


def _verdict(frame: pd.DataFrame, known: int) -> str:
    if not known:
        return "no result"
    first = frame.iloc[0]
    if first["p50"] <= 0:
        return "nobody earns"
    return call(frame.iloc[:known])


def pairwise(outcomes: Outcomes, model: str, scenario: str, metric: str = "profit_usd_per_rack_year") -> pd.DataFrame:
    """Share of draws in which the row's platform beats the column's; NaN where either has no result."""
    at = outcomes.rows(model, scenario)
    if not len(at):
        raise unknown_name(
            "comparison", f"{model} {scenario}", [f"{c.model} {c.scenario}" for c in outcomes.portfolio.cells]
        )
    drawn = _known(outcomes, metric)[at]
    names = [outcomes.portfolio.cells[i].accelerator for i in at]
    share = beaten(drawn)
    gone = np.isnan(drawn).any(axis=1)
    share[gone, :], share[:, gone] = np.nan, np.nan
    np.fill_diagonal(share, np.nan)
    return pd.DataFrame(share, index=names, columns=names)
