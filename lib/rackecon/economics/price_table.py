"""Price cards and the speed premium, read from data/prices.csv."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import OWN_SOURCE, read_rows
from rackecon.economics.revenue import PriceCard, SpeedTier
from rackecon.errors import InputError
from rackecon.lazy import pd

STANDARD_TIERS: Final = ("standard", "list", "flat", "off-peak")
LISTING_KINDS: Final = ("open-weight API price", "closed-model list price")
MOVING_NAMES: Final = ("deepseek-chat", "deepseek-reasoner")
"""Endpoint names that the provider re-pointed to newer models: their later prices are another model's."""
LISTED: Final = ("provider", "listing", "from_date", "fresh_input", "cached_input", "output", "source_id")
OWN_RULE: Final = "median of the listings added by the user, newest of each provider in force"
RULE: Final = "median standard listing over providers, newest of each provider in force"


def listings(table: pd.DataFrame, model: str, as_of_date: str) -> pd.DataFrame:
    """The listing of each provider in force at a date: one row per provider.

    Parameters
    ----------
    table : pandas.DataFrame
        Shaped like data/prices.csv.
    model : str
        Model id.
    as_of_date : str
        ISO date.

    Returns
    -------
    pandas.DataFrame
        ``provider, listing, from_date, fresh_input, cached_input, output, source_id`` [USD/Mtok], sorted by provider;
        cached input NaN where the provider names none. Of several listings of one provider the newest counts (then the
        cheapest output).
    """
    ours = table[(table["model_id"] == model).to_numpy()].to_dict("records")
    return pd.DataFrame(in_force(ours, as_of_date), columns=list(LISTED))


def in_force(rows: Iterable[Mapping[Any, Any]], as_of_date: str) -> list[dict[str, Any]]:
    """Rows of :func:`listings`, of those of one model: few, which pandas' calls would cost more than they hold."""
    found = []
    for row in rows:
        counts = row["kind"] in LISTING_KINDS and row["tier"] in STANDARD_TIERS and row["unit"] == "$/M tokens"
        if not counts or row["model"] in MOVING_NAMES or row["flag"] in ("suspect", "superseded"):
            continue
        begun, stated, ended = (_text(row[name]) for name in ("valid_from", "source_date", "valid_to"))
        fresh, cached, output = (_number(row[f"value_{name}"]) for name in ("input", "cached_input", "output"))
        if (begun or stated) > as_of_date or (ended and ended < as_of_date) or math.isnan(fresh) or math.isnan(output):
            continue
        values = (row["provider"], row["model"], begun or stated, fresh, cached, output, row["source_id"])
        found.append(dict(zip(LISTED, values, strict=True)))
    found.sort(key=itemgetter("output"))
    found.sort(key=itemgetter("from_date"), reverse=True)
    newest = {row["provider"]: row for row in reversed(found)}
    return [newest[provider] for provider in sorted(newest)]


def _text(cell: Any) -> str:
    """A cell's text; empty where there is none."""
    return "" if cell is None or cell != cell else str(cell)


def _number(cell: Any) -> float:
    """A cell's number; NaN where there is none."""
    return float(_text(cell) or math.nan)


def card_from(rows: Iterable[Mapping[str, Any]], model: str, as_of_date: str) -> PriceCard:
    """Median card of a model over providers at a date.

    Parameters
    ----------
    rows : iterable of mapping
        Shaped like rows of data/prices.csv.
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
    found = in_force((row for row in rows if row["model_id"] == model), as_of_date)
    own = [row for row in found if row["source_id"] == OWN_SOURCE]
    found = own or found
    if not found:
        raise InputError(f"no standard listing of model '{model}' in data/prices.csv in force at {as_of_date}")
    price = {name: np.array([row[name] for row in found]) for name in ("fresh_input", "cached_input", "output")}
    cached, output = price["cached_input"][np.isfinite(price["cached_input"])], price["output"]
    fresh = float(np.median(price["fresh_input"]))
    level = min(float(np.median(cached)), fresh) if len(cached) else fresh
    billed = np.fmin(price["cached_input"], price["fresh_input"])  # unpriced, it is billed as fresh
    return PriceCard(
        model=model,
        fresh_input=fresh,
        cached_input=level,
        output=float(np.median(output)),
        as_of_date=as_of_date,
        rule=OWN_RULE if own else RULE,
        listings=len(found),
        fresh_input_range=_ends(price["fresh_input"]),
        cached_input_range=_ends(billed),
        output_range=_ends(output),
        output_p10_p90=(float(np.quantile(output, 0.1)), float(np.quantile(output, 0.9))),
        newest_listing=max(row["from_date"] for row in found),
        cached_note=f"{len(cached)} of {len(found)} price cached input, the rest as fresh",
    )


def _ends(values: FloatArray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


@by_data(256, "prices", "base_case")
def price_card(model: str, as_of_date: str | None = None) -> PriceCard:
    """Median card of a model from data/prices.csv at a date, the base case's by default."""
    return card_from(read_rows("prices"), model, as_of_date or str(catalog.base_case().as_of_date))


@by_data(1, "prices")
def speed_tiers() -> tuple[SpeedTier, ...]:
    """The price multiple of fast service and the interactivity it starts at, from published fast tiers.

    Returns
    -------
    tuple of SpeedTier
        One tier: the median published premium, from 2.5 times (as the fast modes state) the median speed of standard
        listings that state one.
    """
    rows = read_rows("prices")
    notes = [row["note"] for row in rows if row["kind"] == "priority/fast tier"]
    premium = [float(m.group(1)) for note in notes if (m := re.search(r"([\d.]+)x output", note))]
    faster = [float(m.group(1)) for row in rows if (m := re.search(r"~([\d.]+)x speed", row["tier"]))]
    plain = [row for row in rows if row["tier"] in ("standard", "list", "list <=512K")]
    stated = [row["speed_tok_s_user"] for row in plain if row["kind"] != "cost vs interactivity"]
    speeds = [float(text) for text in stated if re.fullmatch(r"\d+(?:\.\d+)?", text)]
    if not (premium and faster and speeds):
        raise InputError("data/prices.csv has no fast tier with a stated premium and speed")
    start = float(np.median(faster) * np.median(speeds))
    basis = f"median of {len(premium)} published fast tiers; range {min(premium):g}-{max(premium):g}x"
    return (SpeedTier(start, float(np.median(premium)), basis),)
