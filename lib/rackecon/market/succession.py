"""Which model a rack sells: the models bought today side by side, and a rack that serves one model after another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import PLATFORMS, evaluate
from rackecon.appraisal.site_limits import leaders
from rackecon.catalog import Scenario
from rackecon.economics.market_table import market_model
from rackecon.errors import InputError
from rackecon.lazy import pd

SOLD_TODAY: Final = ("deepseek-v4-flash", "deepseek-v4-pro", "glm-5.2", "kimi-k2.5", "gpt-oss-120b", "deepseek-r1")
"""Open models that several sellers offer, by tokens bought in August 2026, and the one of the headline."""


def measured_platforms(accelerators: Iterable[str] = PLATFORMS) -> dict[str, int]:
    """On how many of the platforms each model has public measurements, most first.

    Examples
    --------
    >>> next(iter(measured_platforms()))
    'deepseek-r1'
    """
    points = catalog.table("measured_serving")
    found = points[points["accelerator"].isin(list(accelerators))].groupby("model")["accelerator"].nunique()
    return {str(name): int(n) for name, n in found.sort_values(ascending=False, kind="stable").items()}


def most_sold() -> str:
    """The open model of :data:`SOLD_TODAY` of which the marketplace that publishes volumes sells the most tokens.

    Examples
    --------
    >>> most_sold() in SOLD_TODAY
    True
    """
    return max(SOLD_TODAY, key=lambda name: market_model(name).tokens_per_day)


def sold_today(
    scenario: str | Scenario,
    models: Iterable[str] = SOLD_TODAY,
    *,
    accelerators: Iterable[str] = PLATFORMS,
    metric: str = "profit_usd_per_rack_year",
    **overrides: Any,
) -> pd.DataFrame:
    """Who earns the most on each model that is bought today, and on how many platforms the model was ever measured.

    Parameters
    ----------
    scenario, models, accelerators
        As in :func:`rackecon.appraisal.evaluate.evaluate`; models with a market price and volume.
    metric : str
        A profit column.
    **overrides
        Assumptions.

    Returns
    -------
    pandas.DataFrame
        ``model, tokens_per_day, leader, value, runner_up, next_value, measured_on``: tokens on the marketplace that
        publishes them, platforms by name, how many platforms have public measurements of the model.
    """
    keys = list(accelerators)
    table = evaluate(keys, list(models), [scenario], intervals=False, **overrides)
    known = measured_platforms(keys)
    out = leaders(table, metric).drop(columns=["scenario", "leaders"])
    out.insert(1, "tokens_per_day", [market_model(name).tokens_per_day for name in out["model"]])
    return out.assign(measured_on=[known.get(name, 0) for name in out["model"]])


def succession(
    shares: Mapping[str, float],
    scenario: str | Scenario,
    *,
    accelerators: Iterable[str] = PLATFORMS,
    metric: str = "profit_usd_per_rack_year",
    **overrides: Any,
) -> pd.DataFrame:
    r"""Yearly profit of a rack that serves several models in turn, each for its share of the time.

    Parameters
    ----------
    shares : mapping
        Share of the time by model [-]; they sum to 1.
    scenario, accelerators, metric, **overrides
        As in :func:`sold_today`.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, value, reason``, most first; NaN with its reason where a platform cannot serve one of them.

    Raises
    ------
    InputError
        No model, a share outside 0 to 1, shares that do not sum to 1.

    Notes
    -----
    .. math:: P = \sum_k s_k\, P_k

    Cost runs whichever model is loaded, so profits weigh as time does; each model is served at its own best point.
    Source: linearity of the money step (:mod:`rackecon.economics.money_step`) in time.

    Examples
    --------
    >>> one = succession({"gpt-oss-120b": 1.0}, "chat", accelerators=["b200-hgx"]).iloc[0]["value"]
    >>> half = succession({"gpt-oss-120b": 0.5, "gpt-oss-20b": 0.5}, "chat", accelerators=["b200-hgx"]).iloc[0]["value"]
    >>> bool(half != one)
    True
    """
    if not shares or any(not 0.0 <= share <= 1.0 for share in shares.values()):
        raise InputError("shares: needs at least one model, each with a share from 0 to 1")
    total = sum(shares.values())
    if not math.isclose(total, 1.0, abs_tol=1e-9):
        raise InputError(f"shares sum to {total:g}; they are shares of one rack's time and sum to 1")
    table = evaluate(list(accelerators), list(shares), [scenario], intervals=False, **overrides)
    rows = []
    for key, group in table.groupby("accelerator", sort=False):
        profit, reason = (dict(zip(group["model"], group[name], strict=True)) for name in (metric, "reason"))
        value = float(np.sum([share * float(profit[name]) for name, share in shares.items() if share > 0]))
        why = "; ".join(f"{name}: {reason[name]}" for name in shares if reason[name])
        rows.append({"accelerator": key, "platform": group["platform"].iloc[0], "value": value, "reason": why})
    return pd.DataFrame(rows).sort_values(["value", "accelerator"], ascending=[False, True], ignore_index=True)
