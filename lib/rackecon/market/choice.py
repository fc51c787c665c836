"""Buy, rent, or call an API: what a stated volume costs each way, and from which volume own capacity is cheaper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import PLATFORMS, evaluate
from rackecon.economics.checks import check_positive
from rackecon.economics.market import api_break_even_tokens_per_day
from rackecon.economics.market_table import TERMS, rent
from rackecon.economics.revenue import blended_usd_per_mtok
from rackecon.errors import InputError
from rackecon.market.levels import level_card
from rackecon.units import HOURS_PER_DAY, SECONDS_PER_DAY, TOKENS_PER_MTOK

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from rackecon.catalog import Scenario

__all__ = ["TERMS", "buy_rent_or_api"]


def buy_rent_or_api(
    model: str,
    scenario: str | Scenario,
    tokens_per_day: float,
    *,
    accelerators: Iterable[str] = PLATFORMS,
    level: str = "effective",
    **overrides: Any,
) -> pd.DataFrame:
    """Cost of a volume by own capacity, by rent of each term and by API.

    Parameters
    ----------
    model : str
    scenario : str or Scenario
        Lengths, cache share and latency limits; the API is billed with its cache share.
    tokens_per_day : float
        Total tokens (input, cached counted, plus output) [tokens/day].
    accelerators : iterable of str
    level : str
        Price level of the API: ``list`` or ``effective``.
    **overrides
        As in :func:`~rackecon.appraisal.evaluate.evaluate`; ``utilisation`` is the share of own or rented hours that can be used.

    Returns
    -------
    pandas.DataFrame
        ``way`` (own, a rent term, API), ``accelerator``, ``units`` (whole deployments of the chosen layout),
        ``gpus``, ``usd_per_day``, ``usd_per_mtok``, ``break_even_tokens_per_day`` (from which one unit is cheaper than the
        API) and ``break_even_utilisation`` (of that unit), cheapest way first.

    Notes
    -----
    Whole units are bought: a volume of half a unit pays for one. Own cost is that of the platform's cost basis for the
    GPUs of the layout; a rack bought whole costs more where the layout is smaller.

    Raises
    ------
    InputError
        A volume of 0 or less; no price of the level.
    """
    import pandas as pd

    from rackecon import catalog

    volume = float(check_positive("tokens_per_day", tokens_per_day))
    if level == "entrant":
        raise InputError("price level 'entrant' is not what an API bills: allowed are list, effective")
    case = catalog.as_scenario(scenario)
    card = level_card(model, level, case)
    api = float(blended_usd_per_mtok(card, case.isl_tokens, case.osl_tokens, case.prefix_cache_hit))
    sold = assumptions(**overrides).utilisation
    rows = evaluate(list(accelerators), [model], [case], **overrides)
    found: list[dict[str, Any]] = [{"way": "API", "usd_per_day": volume / TOKENS_PER_MTOK * api, "usd_per_mtok": api}]
    for row in rows[rows["total_tok_s_per_gpu"].notna()].to_dict("records"):
        gpus = float(row["gpus"])
        unit = row["total_tok_s_per_gpu"] * gpus * SECONDS_PER_DAY
        units = float(np.ceil(volume / (unit * sold)))
        hourly = {"own": row["cost_usd_per_gpu_hour"]} | {
            f"rent, {term}": hit.usd_per_gpu_hour for term in reversed(TERMS) if (hit := rent(row["accelerator"], term))
        }
        for way, price in hourly.items():
            if not np.isfinite(price):
                continue
            daily = price * gpus * HOURS_PER_DAY
            least = float(api_break_even_tokens_per_day(daily, api))
            found.append(
                {
                    "way": way,
                    "accelerator": row["accelerator"],
                    "platform": row["platform"],
                    "units": units,
                    "gpus": units * gpus,
                    "usd_per_day": units * daily,
                    "usd_per_mtok": units * daily / volume * TOKENS_PER_MTOK,
                    "break_even_tokens_per_day": least,
                    "break_even_utilisation": least / unit,
                }
            )
    return pd.DataFrame(found).sort_values("usd_per_day", kind="stable").reset_index(drop=True)
