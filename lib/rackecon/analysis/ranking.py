"""Which platform comes first, and whether that can be said: paired draws over shared and own errors.

Platforms are compared inside one model and scenario, and in every draw they meet the same market (price level, sold
share, buyer tier) and the same shared part of the serving model's error; only the rest of that error is their own.
A lead that survives in under 80 % of draws is *too close to call*; where every platform loses money, *nobody earns*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rackecon.economics.checks import FloatArray, check_share
from rackecon.economics.money_step import per_year
from rackecon.errors import unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METRICS", "DrawFactors", "RankingDraws", "draw_factors", "profit_draws", "rank", "verdicts"]

METRICS = {
    "profit_usd_per_rack_year": "gpus_per_rack",
    "profit_usd_per_mw_year": "gpus_per_mw",
    "profit_usd_per_position_year": "gpus_per_position",
    "profit_usd_per_invested_usd_year": "gpus_per_invested_usd",
    "profit_usd_per_gpu_year": "",
}
DECIDED_SHARE = 0.8
Z90 = 1.6448536269514722
"""Half-width of a central 90 % interval of a normal, in standard deviations."""


@dataclass(frozen=True)
class RankingDraws:
    """What varies between draws; seed and count are recorded with every result."""

    draws: int = 1000
    seed: int = 20261123
    shared_error_share: float = 0.5
    """Share of the serving model's error variance common to all platforms [-]. An estimate: held-out residuals of two
    platforms of one vendor correlate by about 0.1 inside the measured domain (data/validation_points.csv), and
    scenarios far from any measurement share more."""
    utilisation_range: tuple[float, float] | None = None
    """Low and high of a triangle around the base value; None leaves it fixed."""

    @classmethod
    def from_base_case(cls, *, draws: int = 1000, seed: int = 20261123) -> RankingDraws:
        """Draws over the base case's own range of utilisation."""
        from rackecon import catalog

        low, high = catalog.base_case().range("utilisation")
        return cls(draws=draws, seed=seed, utilisation_range=(float(low), float(high)))


def _triangle(u: FloatArray, low: FloatArray, mode: FloatArray, high: FloatArray) -> FloatArray:
    """Quantile of a triangular distribution; a zero-width one returns its mode."""
    width = np.maximum(high - low, 1e-300)
    cut = np.clip((mode - low) / width, 0.0, 1.0)
    left = low + np.sqrt(u * width * np.maximum(mode - low, 0.0))
    right = high - np.sqrt((1.0 - u) * width * np.maximum(high - mode, 0.0))
    return np.asarray(np.where(u < cut, left, right), dtype=float)


def _column(frame: pd.DataFrame, name: str, default: FloatArray) -> FloatArray:
    values = frame[name].to_numpy(dtype=float) if name in frame else np.full(len(frame), np.nan)
    return np.asarray(np.where(np.isfinite(values), values, default), dtype=float)


@dataclass(frozen=True)
class DrawFactors:
    """Factors on the base case in every draw: token rate and cost by platform, price and sold share for all [-]."""

    rate: FloatArray
    cost: FloatArray
    price: FloatArray
    sold: FloatArray


def draw_factors(frame: pd.DataFrame, settings: RankingDraws) -> DrawFactors:
    """Factors of :func:`profit_draws` for the rows of one comparison; shapes ``(platforms, draws)`` or ``(1 or platforms, draws)``."""
    share = float(check_share("shared_error_share", settings.shared_error_share))
    rng = np.random.default_rng(settings.seed)
    n = settings.draws
    common, market, sold, tier = rng.standard_normal(n), rng.random(n), rng.random(n), rng.random(n)
    own = rng.standard_normal((len(frame), n))
    z = np.sqrt(share) * common + np.sqrt(1.0 - share) * own
    rate = _column(frame, "total_tok_s_per_gpu", np.array(np.nan))
    low = _column(frame, "total_tok_s_per_gpu_low", rate)
    high = _column(frame, "total_tok_s_per_gpu_high", rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.log(rate / low) / Z90
        up = np.log(high / rate) / Z90
    factor = np.exp(z * np.where(z < 0, down[:, None], up[:, None]))
    price_low, price_high = (
        _column(frame, "price_level_low", np.ones(1)),
        _column(frame, "price_level_high", np.ones(1)),
    )
    price = np.exp(
        _triangle(market[None, :], np.log(price_low)[:, None], np.zeros((1, 1)), np.log(price_high)[:, None])
    )
    scale = np.ones((1, n))
    if settings.utilisation_range is not None and len(frame):
        base = float(frame["utilisation"].iloc[0])
        ends = settings.utilisation_range
        lowest, highest = np.asarray(min(ends[0], base)), np.asarray(max(ends[1], base))
        scale = _triangle(sold, lowest, np.asarray(base), highest)[None, :] / base
    cost = _column(frame, "cost_usd_per_gpu_hour", np.array(np.nan))
    costs = _triangle(
        tier[None, :],
        np.minimum(_column(frame, "cost_usd_per_gpu_hour_low", cost), cost)[:, None],
        cost[:, None],
        np.maximum(_column(frame, "cost_usd_per_gpu_hour_high", cost), cost)[:, None],
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return DrawFactors(rate=factor, cost=costs / cost[:, None], price=price, sold=scale)


def profit_draws(frame: pd.DataFrame, metric: str, settings: RankingDraws) -> FloatArray:
    """Profit of every platform of one comparison in every draw.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of :func:`rackecon.analysis.evaluate.evaluate` of one model and scenario.
    metric : str
        One of :data:`METRICS`.
    settings : RankingDraws

    Returns
    -------
    ndarray
        Shape ``(platforms, draws)`` [USD/year per unit]; NaN for platforms without a result.

    Notes
    -----
    Revenue is linear in the token rate, so a rate error ``e`` multiplies revenue by ``exp(e)``:
    ``e = s_i (sqrt(w) z_shared + sqrt(1 - w) z_i)`` with ``s_i`` from the row's own 90 % interval.
    """
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    drawn = draw_factors(frame, settings)
    cost = _column(frame, "cost_usd_per_gpu_hour", np.array(np.nan))[:, None] * drawn.cost
    revenue = (
        _column(frame, "revenue_usd_per_gpu_hour", np.array(np.nan))[:, None] * drawn.rate * drawn.price * drawn.sold
    )
    gpus = _column(frame, METRICS[metric], np.array(np.nan)) if METRICS[metric] else np.ones(len(frame))
    return per_year(revenue - cost, gpus[:, None])


def rank(
    table: pd.DataFrame, metric: str = "profit_usd_per_rack_year", settings: RankingDraws | None = None
) -> pd.DataFrame:
    """Order platforms inside each model and scenario, with win counts.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`rackecon.analysis.evaluate.evaluate`.
    metric : str
        One of :data:`METRICS`.
    settings : RankingDraws, optional

    Returns
    -------
    pandas.DataFrame
        The rows' ``model, scenario, accelerator, platform``, then ``metric, value, value_low, value_high`` (5th and
        95th percentile of the draws), ``wins, draws, win_share, rank`` and ``verdict`` of the comparison: the winner's
        id, ``too close to call``, ``nobody earns`` or ``no result``. Sorted; ties broken by accelerator id.
    """
    import pandas as pd

    settings = settings or RankingDraws()
    parts: list[pd.DataFrame] = []
    for (model, scenario), group in table.groupby(["model", "scenario"], sort=False):
        frame = group.reset_index(drop=True)
        drawn = profit_draws(frame, metric, settings)
        valid = np.asarray(np.isfinite(drawn).all(axis=1), dtype=bool)
        wins = np.zeros(len(frame), dtype=int)
        value = np.full(len(frame), np.nan)
        low, high = value.copy(), value.copy()
        if valid.any():
            best = np.argmax(np.where(valid[:, None], drawn, -np.inf), axis=0)
            earns = drawn[best, np.arange(drawn.shape[1])] > 0
            np.add.at(wins, best[earns], 1)
            value[valid] = frame[metric].to_numpy(dtype=float)[valid]
            low[valid], high[valid] = np.quantile(drawn[valid], [0.05, 0.95], axis=1)
        out = pd.DataFrame(
            {
                "model": model,
                "scenario": scenario,
                "accelerator": frame["accelerator"],
                "platform": frame.get("platform", frame["accelerator"]),
                "metric": metric,
                "value": value,
                "value_low": low,
                "value_high": high,
                "wins": wins,
                "draws": settings.draws,
                "win_share": wins / settings.draws,
                "reason": frame.get("reason", ""),
            }
        )
        out = out.sort_values(["value", "accelerator"], ascending=[False, True], na_position="last")
        out["rank"] = np.where(out["value"].notna(), np.arange(1, len(out) + 1), 0)
        out["verdict"] = _verdict(out)
        parts.append(out)
    return pd.concat(parts, ignore_index=True)


def _verdict(ranked: pd.DataFrame) -> str:
    known = ranked[ranked["value"].notna()]
    if known.empty:
        return "no result"
    if (known["value"] <= 0).all():
        return "nobody earns"
    leader = known.iloc[0]
    if leader["win_share"] < DECIDED_SHARE:
        return "too close to call"
    return str(leader["accelerator"])


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
    import pandas as pd

    rows = []
    for (model, scenario), group in ranked.groupby(["model", "scenario"], sort=False):
        known = group[group["value"].notna()]
        first = known.iloc[0] if len(known) else None
        rows.append(
            {
                "model": model,
                "scenario": scenario,
                "metric": group["metric"].iloc[0],
                "leader": first["accelerator"] if first is not None else "",
                "value": first["value"] if first is not None else np.nan,
                "value_low": first["value_low"] if first is not None else np.nan,
                "value_high": first["value_high"] if first is not None else np.nan,
                "win_share": first["win_share"] if first is not None else np.nan,
                "runner_up": known["accelerator"].iloc[1] if len(known) > 1 else "",
                "verdict": group["verdict"].iloc[0],
            }
        )
    return pd.DataFrame(rows)
