"""Four price levels of one workload, never mixed: list, effective, realised, and the entrant's.

*List* is the median standard listing. *Effective* weighs each seller's list prices by the requests it serves. *Realised* is
what was paid per token of a marketplace's own mix, most of it cached input: it is shown beside the same mix at list,
and never multiplied by a rate of fresh tokens. *Entrant* is what a newcomer who rents the best platform must charge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import PLATFORMS, evaluate
from rackecon.catalog import Scenario, accelerator, as_scenario
from rackecon.economics.market import entrant_price_usd_per_mtok
from rackecon.economics.market_table import effective_card, market_model, rent
from rackecon.economics.price_table import price_card
from rackecon.economics.revenue import PriceCard, blended_usd_per_mtok
from rackecon.errors import InputError, check_known
from rackecon.lazy import pd

LEVELS: Final = ("list", "effective", "entrant")
"""Levels that a workload can be priced at; *realised* is an average of another mix and prices none."""


@dataclass(frozen=True)
class Entry:
    """What a newcomer must charge for a workload, and on what it stands."""

    price_usd_per_mtok: float
    """Per million total tokens of the workload."""
    price_factor: float
    """Over the list card at the same mix [-]."""
    accelerator: str
    rent_usd_per_gpu_hour: float
    rent_date: str
    total_tok_s_per_gpu: float


def entrant_table(
    model: str,
    scenario: str | Scenario,
    *,
    accelerators: Iterable[str] = PLATFORMS,
    term: str = "3 years",
    rent_factor: float = 1.0,
    term_years: float = 3.0,
    rent_date: str | None = None,
    search_options: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> pd.DataFrame:
    """Price that an entrant on each platform must charge, cheapest first: the market's cost curve.

    Parameters
    ----------
    accelerators : iterable of str
        Platforms that can be rented; those without a published rent of the term are left out.
    term : str
        Term of data/rents.csv.
    rent_factor : float
        Revenue of a GPU a year from now over today's [1/year]
        (:func:`~rackecon.economics.market.linked_price_factor`).
    term_years : float
        Length of the contract [years].
    rent_date : str, optional
        Rents as of an ISO date; the base case's by default.
    search_options : mapping, optional
        As in :func:`~rackecon.appraisal.evaluate.evaluate`.
    **overrides
        Fields of :class:`~rackecon.appraisal.assumptions.Assumptions`: ``utilisation``, ``wacc`` ...

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, rent_usd_per_gpu_hour, rent_date, total_tok_s_per_gpu`` with its bounds,
        ``price_usd_per_mtok`` (total tokens) with its bounds from the serving model, ``price_factor`` over the list card.
    """
    case = as_scenario(scenario)
    rents = {key: rent(key, term, rent_date) for key in accelerators}
    keys = [key for key, found in rents.items() if found is not None]
    if not keys:
        raise InputError(f"no rent of term '{term}' for any of {', '.join(rents)} in data/rents.csv")
    assume = assumptions(**overrides).stated_share()
    rows = evaluate(keys, [model], [case], search_options=search_options, **overrides)
    rows = rows[rows["total_tok_s_per_gpu"].notna()].reset_index(drop=True)
    if rows.empty:
        return pd.DataFrame(columns=["accelerator", "platform", "price_usd_per_mtok", "price_factor"])
    paid = [found for key in rows["accelerator"] if (found := rents[key]) is not None]

    def price(rate: Any) -> Any:
        return entrant_price_usd_per_mtok(
            [r.usd_per_gpu_hour for r in paid],
            rate,
            utilisation=assume.utilisation,
            wacc=assume.wacc,
            rent_factor=rent_factor,
            term_years=term_years,
            kept_share=assume.kept_share,
        )

    at_list = float(blended_usd_per_mtok(price_card(model), case.isl_tokens, case.osl_tokens, case.prefix_cache_hit))
    out = rows[
        ["accelerator", "platform", "total_tok_s_per_gpu", "total_tok_s_per_gpu_low", "total_tok_s_per_gpu_high"]
    ]
    out = out.assign(
        rent_usd_per_gpu_hour=[r.usd_per_gpu_hour for r in paid],
        rent_date=[r.date for r in paid],
        price_usd_per_mtok=price(rows["total_tok_s_per_gpu"]),
        price_usd_per_mtok_low=price(rows["total_tok_s_per_gpu_high"]),
        price_usd_per_mtok_high=price(rows["total_tok_s_per_gpu_low"]),
    )
    out["price_factor"] = out["price_usd_per_mtok"] / at_list
    return out.sort_values(["price_usd_per_mtok", "accelerator"], kind="stable").reset_index(drop=True)


def entrant(model: str, scenario: str | Scenario, **options: Any) -> Entry:
    """The lowest of :func:`entrant_table`: the price that competition on rented capacity can reach.

    Raises
    ------
    InputError
        No rented platform serves the workload.
    """
    return cheapest(entrant_table(model, scenario, **options), model, scenario)


def cheapest(table: pd.DataFrame, model: str, scenario: str | Scenario) -> Entry:
    """The first row of :func:`entrant_table`; see :func:`entrant`."""
    if table.empty:
        raise InputError(f"no rented platform serves {model} within the limits of {as_scenario(scenario).id}")
    best = table.iloc[0]
    return Entry(
        float(best["price_usd_per_mtok"]),
        float(best["price_factor"]),
        str(best["accelerator"]),
        float(best["rent_usd_per_gpu_hour"]),
        str(best["rent_date"]),
        float(best["total_tok_s_per_gpu"]),
    )


def level_card(model: str, level: str, scenario: str | Scenario, **options: Any) -> PriceCard:
    """Price card of a level: the median listing, the request-weighted one, or the list card scaled to the entrant's price.

    Raises
    ------
    InputError
        Unknown level, or no figure behind it.
    """
    check_known("price level", level, LEVELS)
    if level == "effective":
        return effective_card(model)
    card = price_card(model)
    return card if level == "list" else card.scaled(entrant(model, scenario, **options).price_factor)


def price_levels(model: str, scenario: str | Scenario, entry: Entry | None = None, **options: Any) -> pd.DataFrame:
    """The levels of a workload beside each other [USD per million total tokens].

    Parameters
    ----------
    entry : Entry, optional
        The entrant where it is known already; else computed with ``options`` (:func:`entrant_table`).

    Returns
    -------
    pandas.DataFrame
        ``level, price_usd_per_mtok, over_list, mix, date, rule``; the row *realised* counts the marketplace's own mix, and
        its ``over_list`` compares with the list card at that mix, cached input at its cached price.
    """
    case = as_scenario(scenario)
    card, paid, found = price_card(model), effective_card(model), market_model(model)

    def blend(priced: PriceCard) -> float:
        return float(blended_usd_per_mtok(priced, case.isl_tokens, case.osl_tokens, case.prefix_cache_hit))

    entry = entry or entrant(model, scenario, **options)
    at_list, real = blend(card), found.effective_all_usd_per_mtok
    fed = found.input_share
    hit = found.cached_share if found.cached_share == found.cached_share else 0.0
    same_mix = float(blended_usd_per_mtok(card, fed, 1.0 - fed, hit))
    effective = blend(paid)
    mix = f"{case.isl_tokens:,} in, {case.osl_tokens:,} out"
    rows = [
        ("list", at_list, 1.0, mix, card.newest_listing, card.rule),
        ("effective", effective, effective / at_list, mix, found.date, paid.rule),
        ("realised", real, real / same_mix, "the marketplace's own", found.date, "revenue over all tokens served"),
        (
            "entrant",
            entry.price_usd_per_mtok,
            entry.price_factor,
            mix,
            entry.rent_date,
            f"rented {accelerator(entry.accelerator).label}",
        ),
    ]
    return pd.DataFrame(rows, columns=["level", "price_usd_per_mtok", "over_list", "mix", "date", "rule"])
