"""Which platform comes first, and whether that can be said: paired draws over shared and own errors.

Platforms are compared inside one model and scenario. In every draw they meet the same market (price level, sold share)
and share what data/distributions.csv says they share of the serving model's error and of the price of capital; only the
rest is their own. Every distribution has the base case as its median, so that the middle of the draws is the headline.
A lead that survives in under 80 % of draws is *too close to call*; where one platform earns in fewer and no other ever does,
it *earns alone*: who never earns shares no lead. Where every platform loses money, *nobody earns*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import FloatArray
from rackecon.economics.measures import EVERY_MEASURE, measure_of
from rackecon.economics.money_step import per_year
from rackecon.errors import check_known
from rackecon.evidence.intervals import Z90
from rackecon.evidence.leads import DECIDED_SHARE, in_order
from rackecon.lazy import pd
from rackecon.uncertainty.distributions import Distribution, distributions, recentred, two_piece
from rackecon.uncertainty.sampling import SEED, design, sample

DRAWS = 1024
VARIED = ("rate_error", "price_level", "utilisation", "capex")
"""Inputs that a comparison draws."""


@dataclass(frozen=True)
class RankingDraws:
    """What varies between draws; seed and count are recorded with every result."""

    draws: int = DRAWS
    """A power of two (:func:`rackecon.uncertainty.sampling.normal_points`)."""
    seed: int = SEED
    held: tuple[str, ...] = ()
    """Inputs kept at their median: of ``rate_error``, ``price_level``, ``utilisation``, ``capex``."""
    inputs: Mapping[str, Distribution] | None = None
    """Distributions by id; those of data/distributions.csv by default."""


def _column(frame: pd.DataFrame, name: str, default: FloatArray) -> FloatArray:
    values = frame[name].to_numpy(dtype=float) if name in frame else np.full(len(frame), np.nan)
    return np.asarray(np.where(np.isfinite(values), values, default), dtype=float)


def profit_draws(frame: pd.DataFrame, metric: str, settings: RankingDraws) -> FloatArray:
    """Profit of every platform of one comparison in every draw.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of :func:`rackecon.appraisal.evaluate.evaluate` of one model and scenario.
    metric : str
        A profit column of :data:`rackecon.economics.measures.EVERY_MEASURE`.

    Returns
    -------
    ndarray
        Shape ``(platforms, draws)`` [USD/year per unit]; NaN for platforms without a result.

    Notes
    -----
    Revenue is linear in the token rate, so a rate error ``e`` multiplies it by ``exp(e)``, with
    ``e = s_i (a z_shared + b z_vendor + sqrt(1 - a^2 - b^2) z_i)`` and ``s_i`` from the row's own 90 % interval. Price
    level and sold share multiply revenue for all alike; the price of capital multiplies the part of the cost that is
    not running cost (rent is a contract and stays).
    """
    names = [measure.column for measure in EVERY_MEASURE.values()]
    check_known("metric", metric, names)
    unit = measure_of(metric).gpus
    factors = draw_factors(frame, settings)
    revenue = _column(frame, "revenue_usd_per_gpu_hour", np.array(np.nan))[:, None] * factors.revenue
    costs = _column(frame, "cost_usd_per_gpu_hour", np.array(np.nan))[:, None] * factors.cost
    gpus = _column(frame, unit, np.array(np.nan)) if unit else np.ones(len(frame))
    return per_year(revenue - costs, gpus[:, None])


@dataclass(frozen=True)
class DrawFactors:
    """Factors on revenue and on cost of every platform in every draw; shape ``(platforms, draws)`` [-]."""

    revenue: FloatArray
    cost: FloatArray


@dataclass(frozen=True)
class DrawScores:
    """Standard normal scores behind the factors, for pages that redo the last step themselves [-]."""

    rate: FloatArray
    """Error of the token rate, ``(platforms, draws)``."""
    price: FloatArray
    """Price level, ``(1, draws)``."""
    sold: FloatArray
    """Share of capacity sold, ``(1, draws)``."""
    capital: FloatArray
    """Price of capital, ``(platforms, draws)``."""
    inputs: Mapping[str, Distribution]


def draw_scores(accelerators: Sequence[str], settings: RankingDraws) -> DrawScores:
    """Scores of every input for platforms compared with one another; they depend on no model, workload or assumption."""
    known = dict(settings.inputs) if settings.inputs is not None else distributions()
    inputs = {name: known[name] for name in VARIED}
    drawn = sample(design(accelerators, ("",), inputs), settings.draws, settings.seed).replaced(
        **dict.fromkeys(settings.held, 0.0)
    )
    rate, price, sold, capital = (np.ascontiguousarray(drawn.values[name].T) for name in VARIED)
    return DrawScores(rate=rate, price=price, sold=sold, capital=capital, inputs=inputs)


def draw_factors(frame: pd.DataFrame, settings: RankingDraws) -> DrawFactors:
    """The factors behind :func:`profit_draws`."""
    scores = draw_scores([str(key) for key in frame["accelerator"]], settings)
    rate = _column(frame, "total_tok_s_per_gpu", np.array(np.nan))
    low = _column(frame, "total_tok_s_per_gpu_low", rate)
    high = _column(frame, "total_tok_s_per_gpu_high", rate)
    z = scores.rate
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.log(rate / low) / Z90
        up = np.log(high / rate) / Z90
    factor = np.exp(z * np.where(z < 0, down[:, None], up[:, None]))
    ends = [np.log(_column(frame, f"price_level_{end}", np.ones(1)))[:, None] for end in ("low", "high")]
    factor = factor * np.exp(two_piece(scores.price, ends[0], 0.0, ends[1]))
    if "utilisation" in frame and frame["utilisation"].notna().any():
        own = frame["utilisation"].to_numpy(dtype=float)
        for base in np.unique(own[(own > 0.0) & (own < 1.0)]):  # one for all, or each platform's by the load on it
            sold = recentred(scores.inputs["utilisation"], float(base))
            factor[own == base] *= sold.quantile_of_normal(scores.sold) / base
    cost = _column(frame, "cost_usd_per_gpu_hour", np.array(np.nan))
    running = np.minimum(_column(frame, "running_usd_per_gpu_hour", np.zeros(1)), cost)
    capital = scores.inputs["capex"].quantile_of_normal(scores.capital)
    with np.errstate(divide="ignore", invalid="ignore"):
        return DrawFactors(factor, (running[:, None] + (cost - running)[:, None] * capital) / cost[:, None])


def win_counts(drawn: FloatArray) -> NDArray[np.int_]:
    """In how many draws each row comes first and earns; rows without a result never do.

    Examples
    --------
    >>> win_counts(np.array([[1.0, -2.0, 3.0], [2.0, -1.0, 1.0]])).tolist()
    [1, 1]
    """
    known = np.asarray(np.isfinite(drawn).all(axis=1), dtype=bool)
    wins = np.zeros(len(drawn), dtype=int)
    if known.any():
        best = np.argmax(np.where(known[:, None], drawn, -np.inf), axis=0)
        earns = drawn[best, np.arange(drawn.shape[1])] > 0
        np.add.at(wins, best[earns], 1)
    return wins


def rank(
    table: pd.DataFrame, metric: str = "profit_usd_per_rack_year", settings: RankingDraws | None = None
) -> pd.DataFrame:
    """Order platforms inside each model and scenario, with win counts.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`rackecon.appraisal.evaluate.evaluate`.
    metric : str
        A profit column of :data:`rackecon.economics.measures.EVERY_MEASURE`.

    Returns
    -------
    pandas.DataFrame
        The rows' ``model, scenario, accelerator, platform``, then ``metric, value, value_low, value_high`` (5th and
        95th percentile of the draws), ``wins, draws, win_share, rank`` and ``verdict`` of the comparison: the winner's
        id, ``too close to call``, ``earns alone``, ``nobody earns`` or ``no result``. Sorted; ties broken by accelerator id.
    """
    settings = settings or RankingDraws()
    parts: list[pd.DataFrame] = []
    for _, group in table.groupby(["model", "scenario"], sort=False):
        frame = group.reset_index(drop=True)
        drawn = profit_draws(frame, metric, settings)
        valid = np.asarray(np.isfinite(drawn).all(axis=1), dtype=bool)
        wins = np.zeros(len(frame), dtype=int)
        low, high = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
        if valid.any():
            wins = win_counts(drawn)
            low[valid], high[valid] = np.quantile(drawn[valid], [0.05, 0.95], axis=1)
        parts.append(ordered(frame[valid], metric, low[valid], high[valid], wins[valid], settings.draws, frame[~valid]))
    return pd.concat(parts, ignore_index=True)


def ordered(
    served: pd.DataFrame,
    metric: str,
    low: FloatArray,
    high: FloatArray,
    wins: NDArray[np.int_],
    draws: int,
    missed: pd.DataFrame,
) -> pd.DataFrame:
    """The rows of :func:`rank` for one comparison, from what draws said of it.

    Parameters
    ----------
    served, missed : pandas.DataFrame
        Rows of :func:`rackecon.appraisal.evaluate.evaluate` with a result and without.
    metric : str
        Column ranked by.
    low, high : ndarray
        5th and 95th percentile of the draws of each row that is served.
    wins : ndarray
        In how many draws each of them comes first and earns.
    """
    frame = pd.concat([served, missed]).reset_index(drop=True)
    gone = np.full(len(missed), np.nan)
    won = np.concatenate([wins, np.zeros(len(missed), dtype=int)])
    out = pd.DataFrame(
        {
            "model": frame["model"],
            "scenario": frame["scenario"],
            "accelerator": frame["accelerator"],
            "platform": frame.get("platform", frame["accelerator"]),
            "metric": metric,
            "value": np.concatenate([served[metric].to_numpy(dtype=float), gone]),
            "value_low": np.concatenate([low, gone]),
            "value_high": np.concatenate([high, gone]),
            "wins": won,
            "draws": draws,
            "win_share": won / draws,
            "reason": frame.get("reason", ""),
        }
    )
    out = in_order(out, "value")
    out["rank"] = np.where(out["value"].notna(), np.arange(1, len(out) + 1), 0)
    out["verdict"] = _verdict(out)
    return out.reset_index(drop=True)


def _verdict(ranked: pd.DataFrame) -> str:
    known = ranked[ranked["value"].notna()]
    if known.empty:
        return "no result"
    if (known["value"] <= 0).all():
        return "nobody earns"
    return call(known)


ALONE: Final = "earns alone"
"""Verdict where one platform of several earns in fewer cases than a clear lead needs, and no other in any."""


def call(known: pd.DataFrame) -> str:
    """How surely the first of a comparison leads, one that earns: its id where that is clear.

    Examples
    --------
    >>> rows = pd.DataFrame({"accelerator": ["a", "b"], "win_share": [0.6, 0.0]})
    >>> call(rows), call(rows.assign(win_share=[0.6, 0.1])), call(rows.assign(win_share=[0.9, 0.0]))
    ('earns alone', 'too close to call', 'a')
    """
    first, others = float(known["win_share"].iloc[0]), known["win_share"].iloc[1:]
    if first >= DECIDED_SHARE:
        return str(known["accelerator"].iloc[0])
    return ALONE if first > 0.0 and len(others) and (others == 0.0).all() else "too close to call"


def sharing(known: pd.DataFrame) -> list[str]:
    """Platforms that share a lead: by how often they come first, until together they hold what a clear lead needs.

    It needs :data:`DECIDED_SHARE` of the cases in which anybody earns.
    """
    often = known.sort_values("win_share", ascending=False, kind="stable")
    before = often["win_share"].cumsum() - often["win_share"]
    kept = [str(name) for name in often["platform"][before < DECIDED_SHARE * often["win_share"].sum()]]
    return kept if len(kept) > 1 else [str(name) for name in often["platform"].head(2)]


def tied(known: pd.DataFrame) -> pd.DataFrame:
    """Rows of a comparison whose lead is too close to call that a headline names together: the first, and those that share its lead."""
    rows: pd.DataFrame = known[known["platform"].isin(sharing(known)) | (np.arange(len(known)) == 0)]
    return rows


def verdicts(ranked: pd.DataFrame) -> pd.DataFrame:
    """One row per model and scenario: leader, its win share, runner-up, verdict.

    Parameters
    ----------
    ranked : pandas.DataFrame
        From :func:`rank`.

    Returns
    -------
    pandas.DataFrame
        ``model, scenario, metric, leader, value, value_low, value_high, win_share, runner_up, verdict``.
    """
    rows = []
    for (model, scenario), group in ranked.groupby(["model", "scenario"], sort=False):
        known = group[group["value"].notna()]
        leader, runner_up = [*known["accelerator"].head(2), "", ""][:2]
        figures = ("value", "value_low", "value_high", "win_share")
        rows.append(
            {"model": model, "scenario": scenario, "metric": group["metric"].iloc[0], "leader": leader}
            | {name: known[name].iloc[0] if len(known) else np.nan for name in figures}
            | {"runner_up": runner_up, "verdict": group["verdict"].iloc[0]}
        )
    return pd.DataFrame(rows)
