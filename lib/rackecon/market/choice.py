"""Buy, rent, or call an API: what a stated volume costs each way, and from which volume own capacity is cheaper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import PLATFORMS, evaluate
from rackecon.catalog import Scenario
from rackecon.economics.checks import Numeric, check_positive
from rackecon.economics.market import api_break_even_tokens_per_day
from rackecon.economics.market_table import TERMS, rent
from rackecon.economics.revenue import blended_usd_per_mtok
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.market.levels import level_card
from rackecon.units import HOURS_PER_DAY, HOURS_PER_MONTH, SECONDS_PER_DAY, TOKENS_PER_MTOK

__all__ = ["TERMS", "buy_rent_or_api", "curves", "quoted_choice", "volumes"]

BY_THE_HOUR: Final = ("on demand", "spot")
"""Rents that are paid for the hours used only; the others are paid for every hour of the term."""
DAYS_PER_MONTH: Final = HOURS_PER_MONTH / HOURS_PER_DAY
REACH: Final = 100.0
"""Largest volume of the curve over the stated one, and the stated one over the smallest [-]."""
STEPS: Final = 41
UNCACHED: Final = "API, nothing cached"


def buy_rent_or_api(
    model: str,
    scenario: str | Scenario,
    tokens_per_day: Numeric,
    *,
    accelerators: Iterable[str] = PLATFORMS,
    level: str = "effective",
    **overrides: Any,
) -> pd.DataFrame:
    """Cost of a volume by own capacity, by rent of each term and by API.

    Parameters
    ----------
    scenario : str or Scenario
        Lengths, cache share and latency limits; the API is billed with its cache share, and once without.
    tokens_per_day : float or array
        Total tokens (input, cached counted, plus output) [tokens/day]; several volumes are a curve.
    level : str
        Price level of the API: ``list`` or ``effective``.
    **overrides
        As in :func:`~rackecon.appraisal.evaluate.evaluate`; ``utilisation`` is the share of own or rented hours that can be used.

    Returns
    -------
    pandas.DataFrame
        Of each volume, way (own, a rent term, API) and platform: ``units`` (whole deployments of the chosen layout), ``gpus``,
        ``used_share`` (of their capacity), ``usd_per_month``, ``usd_per_mtok``, ``break_even_tokens_per_day`` (from which
        one unit is cheaper than the API) and ``break_even_utilisation`` (of that unit); cheapest way of each volume first.

    Notes
    -----
    .. math:: C(V) = \\lceil V / (u X) \\rceil\\, c, \\qquad V^* = c / p

    ``X`` tokens a day of a unit, ``u`` the share of hours that can be used, ``c`` a unit's cost, ``p`` the API's price.
    Whole units are paid for: a volume of half a unit pays for one. On demand and spot pay for the share of hours used. Own
    cost is that of the platform's cost basis for the GPUs of the layout; a rack bought whole costs more where the layout is
    smaller. Source: own derivation.

    Raises
    ------
    InputError
        A volume of 0 or less; no price of the level.
    """
    volume = np.atleast_1d(check_positive("tokens_per_day", tokens_per_day))
    sold = assumptions(**overrides).stated_share().utilisation
    bills = _api_prices(model, scenario, level)
    api = bills["API"]
    parts = [
        pd.DataFrame(
            {
                "tokens_per_day": volume,
                "way": way,
                "usd_per_month": volume / TOKENS_PER_MTOK * price * DAYS_PER_MONTH,
                "usd_per_mtok": price,
            }
        )
        for way, price in bills.items()
    ]
    for offer in _offers(evaluate(list(accelerators), [model], [scenario], **overrides), sold):
        unit, daily = offer["unit_tokens_per_day"], offer["usd_per_day"]
        units = np.ceil(volume / (unit * sold))
        least = float(api_break_even_tokens_per_day(daily, api))
        parts.append(
            pd.DataFrame(
                {
                    "tokens_per_day": volume,
                    **{name: offer[name] for name in ("way", "accelerator", "platform")},
                    "units": units,
                    "gpus": units * offer["gpus"],
                    "used_share": volume / (units * unit),
                    "usd_per_month": units * daily * DAYS_PER_MONTH,
                    "usd_per_mtok": units * daily / volume * TOKENS_PER_MTOK,
                    "break_even_tokens_per_day": least,
                    "break_even_utilisation": least / unit,
                }
            )
        )
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["tokens_per_day", "usd_per_month"], kind="stable").reset_index(drop=True)


def _api_prices(model: str, scenario: str | Scenario, level: str) -> dict[str, float]:
    """What an API bills [USD/Mtok, total tokens], and where input is cached what it would bill without."""
    if level == "entrant":
        raise InputError("price level 'entrant' is not what an API bills: allowed are list, effective")
    case = catalog.as_scenario(scenario)
    card = level_card(model, level, case)
    shares = {"API": case.prefix_cache_hit} | ({UNCACHED: 0.0} if case.prefix_cache_hit else {})
    return {
        way: float(blended_usd_per_mtok(card, case.isl_tokens, case.osl_tokens, hit)) for way, hit in shares.items()
    }


def _offers(rows: pd.DataFrame, sold: float) -> list[dict[str, Any]]:
    """One deployment of every platform by every way to have it: its GPUs, tokens a day when busy, and cost a day."""
    out = []
    for row in rows[rows["total_tok_s_per_gpu"].notna()].to_dict("records"):
        gpus = float(row["gpus"])
        unit = row["total_tok_s_per_gpu"] * gpus * SECONDS_PER_DAY
        hourly = {"own": row["cost_usd_per_gpu_hour"]} | {
            f"rent, {term}": hit.usd_per_gpu_hour * (sold if term in BY_THE_HOUR else 1.0)
            for term in reversed(TERMS)
            if (hit := rent(row["accelerator"], term))
        }
        out += [
            {
                "way": way,
                "accelerator": row["accelerator"],
                "platform": row["platform"],
                "gpus": gpus,
                "unit_tokens_per_day": unit,
                "usd_per_day": price * gpus * HOURS_PER_DAY,
            }
            for way, price in hourly.items()
            if np.isfinite(price)
        ]
    return out


def volumes(tokens_per_day: float) -> Any:
    """Volumes of a curve around a stated one, which is among them [tokens/day].

    Examples
    --------
    >>> found = volumes(1e9)
    >>> len(found), float(found[20])
    (41, 1000000000.0)
    """
    return check_positive("tokens_per_day", tokens_per_day) * np.geomspace(1.0 / REACH, REACH, STEPS)


def curves(ways: pd.DataFrame, tokens_per_day: float) -> pd.DataFrame:
    """Of each way the platform that is cheapest at the stated volume, at every volume.

    Parameters
    ----------
    ways : pandas.DataFrame
        From :func:`buy_rent_or_api` over :func:`volumes`.
    tokens_per_day : float
        The stated volume [tokens/day].

    Returns
    -------
    pandas.DataFrame
        Rows of ``ways``, cheapest way at the stated volume first.
    """
    at = ways[np.isclose(ways["tokens_per_day"], tokens_per_day)].drop_duplicates("way")
    order = {(way, who): i for i, (way, who) in enumerate(zip(at["way"], at["platform"].fillna(""), strict=True))}
    key = [order.get(pair, len(order)) for pair in zip(ways["way"], ways["platform"].fillna(""), strict=True)]
    kept = ways.assign(order=key)
    kept = kept[kept["order"] < len(order)].sort_values(["order", "tokens_per_day"], kind="stable")
    return kept.drop(columns="order").reset_index(drop=True)


def quoted_choice(drawn: pd.DataFrame, tokens_per_day: float, utilisation: float) -> dict[str, Any]:
    """What the page says of the stated volume: the cheapest way, the API beside it, and where own and rent break even."""
    at = drawn[np.isclose(drawn["tokens_per_day"], tokens_per_day)]
    first, api = at.iloc[0], at[at["way"] == "API"].iloc[0]
    own, rented = at[at["way"] == "own"], at[at["way"].str.startswith("rent")]

    def told(part: pd.DataFrame) -> dict[str, Any] | None:
        if part.empty:
            return None
        row = part.sort_values("break_even_tokens_per_day", kind="stable").iloc[0]
        names = ("way", "platform", "break_even_tokens_per_day", "break_even_utilisation")
        return {name: row[name] for name in names} | {"reached": bool(row["break_even_utilisation"] <= utilisation)}

    return {
        "tokens_per_day": tokens_per_day,
        "way": str(first["way"]),
        "platform": "" if first["way"] in ("API", UNCACHED) else str(first["platform"]),
        "cost": float(first["usd_per_month"]),
        "api": float(api["usd_per_month"]),
        "own": told(own),
        "rent": told(rented),
    }
