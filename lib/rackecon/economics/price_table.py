"""Price cards and the speed premium, read from data/prices.csv."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import OWN_SOURCE
from rackecon.economics.revenue import PriceCard, SpeedTier
from rackecon.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["card_from", "listings", "price_card", "speed_tiers"]

STANDARD_TIERS: Final = ("standard", "list", "flat", "off-peak")
LISTING_KINDS: Final = ("open-weight API price", "closed-model list price")
MOVING_NAMES: Final = ("deepseek-chat", "deepseek-reasoner")
"""Endpoint names that the provider re-pointed to newer models: their later prices are another model's."""
OWN_RULE: Final = "median of the listings added by the user, newest of each provider in force"
RULE: Final = "median standard listing over providers, newest of each provider in force"


def listings(table: pd.DataFrame, model: str, as_of_date: str, tiers: tuple[str, ...] = STANDARD_TIERS) -> pd.DataFrame:
    """The listing of each provider in force at a date: one row per provider.

    Parameters
    ----------
    table : pandas.DataFrame
        Shaped like data/prices.csv.
    model : str
        Model id.
    as_of_date : str
        ISO date.
    tiers : tuple of str
        Tiers that count.

    Returns
    -------
    pandas.DataFrame
        ``provider, listing, from_date, fresh_input, cached_input, output, source_id`` [USD/Mtok], sorted by provider;
        cached input NaN where the provider names none. Of several listings of one provider the newest counts (then the
        cheapest output).
    """
    import pandas as pd

    frame = table[table["kind"].isin(LISTING_KINDS) & table["tier"].isin(tiers) & (table["unit"] == "$/M tokens")]
    frame = frame[(frame["model_id"] == model) & ~frame["model"].isin(MOVING_NAMES)]
    frame = frame[~frame["flag"].isin(("suspect", "superseded"))]
    begun = frame["valid_from"].fillna("").astype(str)
    dated = begun.where(begun != "", frame["source_date"].fillna("").astype(str))
    ended = frame["valid_to"].fillna("").astype(str)
    keep = (dated <= as_of_date) & ((ended == "") | (ended >= as_of_date))
    out = pd.DataFrame(
        {
            "provider": frame["provider"],
            "listing": frame["model"],
            "from_date": dated,
            "fresh_input": pd.to_numeric(frame["value_input"]),
            "cached_input": pd.to_numeric(frame["value_cached_input"]),
            "output": pd.to_numeric(frame["value_output"]),
            "source_id": frame["source_id"],
        }
    )[keep]
    out = out.dropna(subset=["fresh_input", "output"])
    out = out.sort_values(["provider", "from_date", "output"], ascending=[True, False, True], kind="stable")
    return out.drop_duplicates("provider").reset_index(drop=True)


def card_from(table: pd.DataFrame, model: str, as_of_date: str) -> PriceCard:
    """Median card of a model over providers at a date.

    Parameters
    ----------
    table : pandas.DataFrame
        Shaped like data/prices.csv.
    model, as_of_date : str
        Model id, ISO date.

    Returns
    -------
    PriceCard
        Cached input is the median over providers that price it; where none does it is charged as fresh. Listings that
        the user added replace the published ones of their model.

    Raises
    ------
    InputError
        No listing of the model in force at the date.
    """
    found = listings(table, model, as_of_date)
    own = found[found["source_id"] == OWN_SOURCE]
    found = own if len(own) else found
    if found.empty:
        raise InputError(f"no standard listing of model '{model}' in data/prices.csv in force at {as_of_date}")
    fresh, output = float(found["fresh_input"].median()), float(found["output"].median())
    cached = found["cached_input"].dropna()
    level = min(float(cached.median()), fresh) if len(cached) else fresh
    spread = (float(cached.min()), float(cached.max())) if len(cached) else (fresh, fresh)
    return PriceCard(
        model=model,
        fresh_input=fresh,
        cached_input=level,
        output=output,
        as_of_date=as_of_date,
        rule=OWN_RULE if len(own) else RULE,
        listings=len(found),
        fresh_input_range=(float(found["fresh_input"].min()), float(found["fresh_input"].max())),
        cached_input_range=spread,
        output_range=(float(found["output"].min()), float(found["output"].max())),
        output_p10_p90=(float(found["output"].quantile(0.1)), float(found["output"].quantile(0.9))),
        newest_listing=str(found["from_date"].max()),
        cached_note=f"{len(cached)} of {len(found)} providers price cached input",
    )


@by_data(256, "prices", "base_case")
def price_card(model: str, as_of_date: str | None = None) -> PriceCard:
    """Median card of a model from data/prices.csv at a date, the base case's by default."""
    from rackecon import catalog

    return card_from(catalog.table("prices"), model, as_of_date or str(catalog.base_case().as_of_date))


@by_data(1, "prices")
def speed_tiers() -> tuple[SpeedTier, ...]:
    """The price multiple of fast service and the interactivity it starts at, from published fast tiers.

    Returns
    -------
    tuple of SpeedTier
        One tier: the median published premium, from 2.5 times (as the fast modes state) the median speed of standard
        listings that state one.
    """
    from rackecon import catalog

    table = catalog.table("prices")
    notes = table.loc[table["kind"] == "priority/fast tier", "note"].fillna("").astype(str)
    premium = [float(m.group(1)) for note in notes if (m := re.search(r"([\d.]+)x output", note))]
    faster = [float(m.group(1)) for tier in table["tier"].dropna() if (m := re.search(r"~([\d.]+)x speed", str(tier)))]
    standard = table["tier"].isin(("standard", "list", "list <=512K")) & table["kind"].ne("cost vs interactivity")
    stated = table.loc[standard, "speed_tok_s_user"].dropna().astype(str)
    speeds = [float(text) for text in stated if re.fullmatch(r"[\d.]+", text)]
    if not (premium and faster and speeds):
        raise InputError("data/prices.csv has no fast tier with a stated premium and speed")
    start = float(np.median(faster) * np.median(speeds))
    basis = f"median of {len(premium)} published fast tiers; range {min(premium):g}-{max(premium):g}x"
    return (SpeedTier(start, float(np.median(premium)), basis),)
