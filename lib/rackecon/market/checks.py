"""Two checks before a margin is believed: would a renter have taken it, and would the market take the tokens?"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from rackecon.appraisal.assumptions import assumptions
from rackecon.catalog.assumption_table import allowed_values
from rackecon.economics.market import demand_share, rent_multiple
from rackecon.economics.market_table import market_model, market_models, rent
from rackecon.lazy import pd
from rackecon.units import SECONDS_PER_DAY

ESTIMATES: Final = ("demand_multiple", "seller_share")


def estimates() -> dict[str, float]:
    """What the base case takes of a market: its tokens over the marketplace's, and the share that one seller can win [-]."""
    return {name: float(allowed_values()[name].default) for name in ESTIMATES}


def with_market(sites: pd.DataFrame, sold: float) -> pd.DataFrame:
    """Filled sites with the tokens that they must sell over all that the market of their model buys.

    Parameters
    ----------
    sites : pandas.DataFrame
        ``model`` and ``total_tok_s``, as :func:`rackecon.appraisal.site_limits.site_comparison` gives them.
    sold : float
        Share of capacity sold [-].

    Returns
    -------
    pandas.DataFrame
        A copy with ``market_multiple`` [-], NaN where the market of a model is not known.
    """
    known = {key: market_model(key).tokens_per_day for key in set(sites["model"]) & set(market_models())}
    bought = sites["model"].map(known).to_numpy(dtype=float) * estimates()["demand_multiple"]
    made = sites["total_tok_s"].to_numpy(dtype=float) * SECONDS_PER_DAY * sold
    with np.errstate(invalid="ignore"):
        share = demand_share(made, np.where(np.isfinite(bought), bought, 1.0))
    return sites.assign(market_multiple=np.where(np.isfinite(bought), share, np.nan))


def with_demand(rows: pd.DataFrame, **overrides: Any) -> pd.DataFrame:
    """Evaluated rows with the share of one rack's capacity that one seller's part of the market fills.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of :func:`~rackecon.appraisal.evaluate.evaluate`.
    **overrides
        The overrides that ``rows`` were evaluated with.

    Returns
    -------
    pandas.DataFrame
        A copy with ``demand_utilisation`` [-], NaN where the market of a model is not known.
    """
    if not set(rows["model"]) <= set(market_models()):
        return rows.assign(demand_utilisation=np.nan)
    checks = market_checks(rows, **{**overrides, **estimates()})
    sold = assumptions(**overrides).stated_share().utilisation
    return rows.assign(demand_utilisation=checks["racks_taken"].to_numpy() * sold)


def market_checks(
    rows: pd.DataFrame, *, demand_multiple: float, seller_share: float, term: str = "3 years", **overrides: Any
) -> pd.DataFrame:
    """Rent multiple, demand share and price of the flip for every platform and workload.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of :func:`~rackecon.appraisal.evaluate.evaluate`, with prices of one level.
    demand_multiple : float
        Tokens a day that the whole market buys of a model, over those of the marketplace that publishes them [-].
    seller_share : float
        Share of that market which one seller can win [-].
    term : str
        Term of the rent.
    **overrides
        The overrides that ``rows`` were evaluated with.

    Returns
    -------
    pandas.DataFrame
        Per row: ``revenue_usd_per_gpu_hour`` (level), ``rent_usd_per_gpu_hour``, ``rent_multiple``,
        ``sold_tokens_per_rack_day`` (total tokens), ``demand_share`` of one rack, ``racks_taken`` (racks that one seller's
        share fills), ``flip_price_factor`` (price over that of ``rows`` below which another platform earns the most per rack than
        today's leader, or the platform itself overtakes). NaN where a fact is missing.
    """
    sold = assumptions(**overrides).stated_share().utilisation
    out = rows[["accelerator", "platform", "model", "scenario", "revenue_usd_per_gpu_hour"]].copy()
    rents = {key: rent(key, term) for key in dict.fromkeys(rows["accelerator"])}
    paid = np.array([found.usd_per_gpu_hour if (found := rents[key]) else np.nan for key in rows["accelerator"]])
    revenue, rate, gpus = (
        rows[name].to_numpy(dtype=float)
        for name in ("revenue_usd_per_gpu_hour", "total_tok_s_per_gpu", "gpus_per_rack")
    )
    market = {key: market_model(key).tokens_per_day for key in dict.fromkeys(rows["model"])}
    bought = np.array([market[key] for key in rows["model"]]) * demand_multiple * seller_share
    sold_per_day = rate * gpus * SECONDS_PER_DAY * sold
    share = demand_share(sold_per_day, bought)
    flips = np.full(len(rows), np.nan)
    for where in rows.reset_index(drop=True).groupby(["model", "scenario"], sort=False).indices.values():
        flips[where] = _flips(rows.iloc[where])
    return out.assign(
        rent_usd_per_gpu_hour=paid,
        rent_multiple=rent_multiple(revenue, paid),
        sold_tokens_per_rack_day=sold_per_day,
        demand_share=share,
        racks_taken=1.0 / share,
        flip_price_factor=flips,
    )


def _flips(part: pd.DataFrame) -> Any:
    """Flip of each platform against the leader of its workload."""
    gpus = part["gpus_per_rack"].to_numpy(dtype=float)
    earned = part["revenue_usd_per_gpu_hour"].to_numpy(dtype=float) * gpus
    spent = part["cost_usd_per_gpu_hour"].to_numpy(dtype=float) * gpus
    profit = earned - spent
    if not np.isfinite(profit).any():
        return np.full(len(part), np.nan)
    lead = int(np.nanargmax(profit))
    return flip_price_factor(earned, spent, earned[lead], spent[lead])


def flip_price_factor(revenue_usd: Any, cost_usd: Any, leader_revenue_usd: float, leader_cost_usd: float) -> Any:
    """Price factor below 1 at which a platform overtakes the leader, operating points held [-]; NaN where none does.

    Notes
    -----
    .. math:: \\varphi R_i - C_i = \\varphi R_L - C_L \\;\\Rightarrow\\; \\varphi = \\frac{C_L - C_i}{R_L - R_i}

    Own derivation: profits equal at one price factor.

    Examples
    --------
    >>> [round(float(x), 2) for x in flip_price_factor([10.0, 4.0], [4.0, 1.0], 10.0, 4.0)]
    [nan, 0.5]
    """
    earned, spent = np.asarray(revenue_usd, dtype=float), np.asarray(cost_usd, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = (leader_cost_usd - spent) / (leader_revenue_usd - earned)
    return np.where((factor > 0.0) & (factor < 1.0), factor, np.nan)
