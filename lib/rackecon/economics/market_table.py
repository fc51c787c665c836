"""What the market paid: effective price cards, token mixes, volumes and rents, read from data/."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import read_rows
from rackecon.economics.cost import published_records
from rackecon.economics.price_table import OWN_RULE, price_card
from rackecon.economics.revenue import PriceCard, blended_usd_per_mtok
from rackecon.errors import InputError, check_known
from rackecon.lazy import pd

MARKET: Final = ("market_prices", "token_volumes")
EFFECTIVE_RULE: Final = "list prices weighted by requests over sellers"
TERMS: Final = ("3 years", "1 year", "reserved, mixed terms", "on demand", "spot")
"""Terms that a rent is asked for, longest first: whole years from data/costs.csv, the others from data/rents.csv."""
COMMITTED: Final = {"3 years": "3-year", "1 year": "1yr-commit"}
"""Tier of data/costs.csv that holds the market's rents of a term."""


@dataclass(frozen=True)
class MarketModel:
    """One model at the largest open marketplace: what its tokens cost there and how many were bought."""

    model: str
    listing: str
    date: str
    fresh_input_usd_per_mtok: float
    cached_input_usd_per_mtok: float
    output_usd_per_mtok: float
    effective_all_usd_per_mtok: float
    """Price paid per token of the marketplace's own mix: most of it input, most of that cached. Never to be multiplied
    by a rate of fresh tokens."""
    input_share: float
    cached_share: float
    """Share of input billed at the cache-read price, implied by the prices; NaN where they imply none."""
    tokens_per_day: float
    source_id: str
    grade: str


@dataclass(frozen=True)
class Rent:
    """Rent of one accelerator at a date [USD/GPU-hour], power and hosting included."""

    accelerator: str
    term: str
    usd_per_gpu_hour: float
    low: float
    high: float
    date: str
    listings: int
    source_id: str
    grade: str


def market_models() -> list[str]:
    """Models with a market price and a market volume, by id.

    Examples
    --------
    >>> "gpt-oss-120b" in market_models()
    True
    """
    priced, sold = ({row["model_id"] for row in read_rows(name)} for name in MARKET)
    return sorted((priced & sold) - {""})


@by_data(128, "market_prices", "token_volumes")
def market_model(model: str) -> MarketModel:
    """The market of a model: the listing with the most tokens, with the tokens of all of its listings.

    Parameters
    ----------
    model : str
        Model id.

    Raises
    ------
    InputError
        No market price or volume of the model.

    Examples
    --------
    >>> found = market_model("gpt-oss-120b")
    >>> found.date, found.output_usd_per_mtok
    ('2026-08-22', 0.37172)
    """
    prices, volumes = ([row for row in read_rows(name) if row["model_id"] == model] for name in MARKET)
    listed = {row["listing"] for row in prices}
    volumes = [row for row in volumes if row["measure"] == "tokens served per day" and row["listing"] in listed]
    if not volumes:
        raise InputError(f"no market price and volume of model '{model}': known are {', '.join(market_models())}")
    last = max(row["date"] for row in volumes)
    newest = [(float(row["value"]), row["listing"]) for row in volumes if row["date"] == last]
    listing = max(newest, key=itemgetter(0))[1]
    ours = [row for row in prices if row["listing"] == listing]
    value = {row["measure"]: float(row["value"]) for row in ours}
    return MarketModel(
        model=model,
        listing=listing,
        date=max(row["date"] for row in ours),
        fresh_input_usd_per_mtok=value["weighted_fresh_input"],
        cached_input_usd_per_mtok=min(value["weighted_cached_input"], value["weighted_fresh_input"]),
        output_usd_per_mtok=value["weighted_output"],
        effective_all_usd_per_mtok=value["effective_all"],
        input_share=value["input_share"],
        cached_share=value.get("cached_share", float("nan")),
        tokens_per_day=sum(tokens for tokens, _ in newest),
        source_id=ours[0]["source_id"],
        grade="derived",
    )


def effective_card(model: str) -> PriceCard:
    """The price card that buyers meet: list prices of each token type weighted by requests over sellers.

    Examples
    --------
    >>> effective_card("deepseek-r1").output
    2.1829
    """
    found = market_model(model)
    return PriceCard(
        model=model,
        fresh_input=found.fresh_input_usd_per_mtok,
        cached_input=found.cached_input_usd_per_mtok,
        output=found.output_usd_per_mtok,
        as_of_date=found.date,
        rule=EFFECTIVE_RULE,
        newest_listing=found.date,
        cached_note="cached input weighted by requests over sellers",
    )


@by_data(1, "market_prices", "token_volumes", "prices", "base_case")
def market_over_list() -> tuple[float, float, float]:
    """Effective over list price [-], each model at its own mix of tokens in the market: median, 10th and 90th percentile.

    The ends are what a seller may find paid of a list price, and the width of the effective price in every draw.
    """
    ratios = []
    for model in market_models():
        found = market_model(model)
        hit = found.cached_share if np.isfinite(found.cached_share) else 0.0
        mix = found.input_share, 1.0 - found.input_share, hit
        try:
            listed = price_card(model)
        except InputError:
            continue
        ratios.append(float(blended_usd_per_mtok(effective_card(model), *mix) / blended_usd_per_mtok(listed, *mix)))
    middle, low, high = np.quantile(ratios, [0.5, 0.1, 0.9])
    return float(middle), float(low), float(high)


@by_data(256, "prices", "market_prices", "token_volumes", "base_case")
def card_at_level(model: str, level: str, as_of_date: str) -> PriceCard:
    """The price card of a level, with the range of the listings, or of what is paid of list prices.

    Parameters
    ----------
    level : str
        ``list`` or ``effective``. Where the market's price of a model is unknown at the date, or the user added listings,
        the effective card is the list card: times the median ratio of other models, or as the user gave it.
    as_of_date : str
        ISO date.

    Raises
    ------
    InputError
        No standard listing of the model in force at the date.

    Examples
    --------
    >>> round(card_at_level("deepseek-r1", "effective", "2026-11-23").output, 2)
    2.18
    """
    card = price_card(model, as_of_date)
    if level == "list" or card.rule == OWN_RULE:
        return card
    middle, low, high = market_over_list()
    try:
        paid: PriceCard | None = effective_card(model)
    except InputError:
        paid = None
    if paid is None or paid.as_of_date > as_of_date:
        card = card.scaled(middle)
    else:
        names = ("fresh_input", "cached_input", "output", "rule", "cached_note", "newest_listing")
        card = replace(card, **{name: getattr(paid, name) for name in names})
    return replace(card, output_p10_p90=(card.output * low / middle, card.output * high / middle))


def rent_series(accelerator: str, term: str) -> pd.DataFrame:
    """Rents of an accelerator by month: ``date, value, low, high, listings, source_id, grade`` [USD/GPU-hour].

    Several figures of one month are one row, their median.
    """
    table = catalog.table("rents")
    found = table[(table["accelerator"] == accelerator) & (table["term"] == term)]
    months = found.assign(month=found["date"].astype(str).str[:7])
    grouped = months.groupby("month", sort=True)
    return grouped.agg(
        date=("date", "max"),
        value=("value", "median"),
        low=("value", "min"),
        high=("value", "max"),
        listings=("value", "size"),
        source_id=("source_id", "first"),
        grade=("grade", "first"),
    ).reset_index(drop=True)


def rent(accelerator: str, term: str = "3 years", as_of_date: str | None = None) -> Rent | None:
    """The newest rent of an accelerator and term at a date; None where nobody states one.

    Parameters
    ----------
    accelerator : str
        Id of the catalog.
    term : str
        One of :data:`TERMS`.
    as_of_date : str, optional
        ISO date; the base case's by default.

    Examples
    --------
    >>> rent("gb200-nvl72").usd_per_gpu_hour
    4.0
    """
    check_known("rent term", term, TERMS)
    date = as_of_date or str(catalog.base_case().as_of_date)
    if term in COMMITTED:
        return _committed_rent(accelerator, term, date)
    series = rent_series(accelerator, term)
    series = series[series["date"].astype(str) <= date]
    if series.empty:
        return None
    last = series.iloc[-1]
    return Rent(
        accelerator,
        term,
        float(last["value"]),
        float(last["low"]),
        float(last["high"]),
        str(last["date"]),
        int(last["listings"]),
        str(last["source_id"]),
        str(last["grade"]),
    )


def _committed_rent(accelerator: str, term: str, date: str) -> Rent | None:
    """Rent of whole years, of the newest vintage in force at a date."""
    found = [
        record
        for record in published_records(accelerator)
        if (record.basis, record.tier) == ("rental", COMMITTED[term]) and record.vintage <= date
    ]
    if not found:
        return None
    r = max(enumerate(found), key=lambda item: (item[1].vintage, item[0]))[1]
    return Rent(accelerator, term, r.usd_per_gpu_hour, r.low, r.high, r.vintage, 1, r.source_id, r.grade)
