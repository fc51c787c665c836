"""The entrant's price held against what came after: computed with rents and software of a date, scored on later prices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import PLATFORMS
from rackecon.catalog import Scenario
from rackecon.economics.market_table import effective_card, market_model
from rackecon.economics.revenue import blended_usd_per_mtok
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.market.levels import entrant_table

MODELS: Final = ("gpt-oss-120b", "deepseek-r1", "llama-3.3-70b", "qwen3-235b-a22b", "glm-4.5")
"""Models with an effective price and software older than a year."""
DAYS_PER_MONTH: Final = 365.25 / 12.0


def entrant_backtest(
    scenario: str | Scenario,
    *,
    models: Iterable[str] = MODELS,
    months: Iterable[int] = (6, 12),
    rent_factor: float = 1.0,
    **overrides: Any,
) -> pd.DataFrame:
    """Entrant's price as of some months before the effective price was read, over that price.

    Parameters
    ----------
    scenario : str or Scenario
        Lengths and latency limits, the same for every model.
    months : iterable of int
        How long before.
    rent_factor : float
        As in :func:`~rackecon.market.levels.entrant_table`.
    **overrides
        Assumptions.

    Returns
    -------
    pandas.DataFrame
        ``model, months, as_of_date, accelerator, entrant_usd_per_mtok`` with its bounds, ``effective_usd_per_mtok``,
        ``effective_date``, ``effective_over_entrant`` [-]; NaN with a ``reason`` where no platform could be computed.

    Notes
    -----
    Effective prices were read once, in August 2026, so each model gives one point a horizon. Rents are those of the
    newest vintage in force, software that of the date.
    """
    case = catalog.as_scenario(scenario)
    rows: list[dict[str, Any]] = []
    for name in models:
        found = market_model(name)
        card = effective_card(name)
        later = float(blended_usd_per_mtok(card, case.isl_tokens, case.osl_tokens, case.prefix_cache_hit))
        for gap in months:
            then = (date.fromisoformat(found.date) - timedelta(days=round(gap * DAYS_PER_MONTH))).isoformat()
            row: dict[str, Any] = {
                "model": name,
                "months": gap,
                "as_of_date": then,
                "effective_usd_per_mtok": later,
                "effective_date": found.date,
                "reason": "",
            }
            try:
                table = entrant_table(
                    name,
                    case,
                    accelerators=PLATFORMS,
                    rent_factor=rent_factor,
                    rent_date=then,
                    search_options={"date": then},
                    **overrides,
                )
            except InputError as fault:
                row["reason"], table = str(fault), pd.DataFrame()
            if len(table):
                best = table.iloc[0]
                row |= {
                    "accelerator": best["accelerator"],
                    "entrant_usd_per_mtok": best["price_usd_per_mtok"],
                    "entrant_usd_per_mtok_low": best["price_usd_per_mtok_low"],
                    "entrant_usd_per_mtok_high": best["price_usd_per_mtok_high"],
                }
            row["effective_over_entrant"] = later / row.get("entrant_usd_per_mtok", np.nan)
            rows.append(row)
    return pd.DataFrame(rows)


def realised_levels() -> pd.DataFrame:
    """What providers disclosed of revenue over all tokens, beside the effective prices that a marketplace's buyers pay.

    Returns
    -------
    pandas.DataFrame
        ``provider, scope, usd_per_mtok, date, effective_low, effective_high`` (least and most paid per token of the
        marketplace's mix, over the releases of the model that the disclosure names, or over all models), ``inside``,
        ``source_id``. Disclosures of another year than the prices are compared as they are.

    Examples
    --------
    >>> realised_levels()[["provider", "inside"]].values.tolist()
    [['Fireworks AI', True], ['DeepSeek', False]]
    """
    told, paid = catalog.table("margins"), catalog.table("market_prices")
    told, paid = told[told["measure"] == "revenue over all tokens"], paid[paid["measure"] == "effective_all"]
    of_model = {key: part["value"] for key, part in paid.groupby("model_id")}
    ranges = [of_model.get(scope, paid["value"]) for scope in told["scope"]]
    out = told.rename(columns={"entity": "provider", "value": "usd_per_mtok"})
    out = out.assign(effective_low=[float(x.min()) for x in ranges], effective_high=[float(x.max()) for x in ranges])
    out["inside"] = out["usd_per_mtok"].between(out["effective_low"], out["effective_high"])
    out["scope"] = [catalog.model(scope).name if scope in of_model else scope for scope in out["scope"]]
    columns = ["provider", "scope", "usd_per_mtok", "date", "effective_low", "effective_high", "inside", "source_id"]
    return out[columns].reset_index(drop=True)
