"""The market page: price levels, rent and demand checks, buy or rent or API, back-test; its result and its titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon import catalog
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import Scenario
from rackecon.economics.market import years_to_fall
from rackecon.economics.market_table import market_model, rent
from rackecon.errors import InputError
from rackecon.evidence.leads import ahead, level
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.lazy import pd
from rackecon.market.checks import market_checks
from rackecon.market.levels import cheapest, entrant, entrant_table, price_levels
from rackecon.market.linked import Gain, mature_gain, yearly_fall
from rackecon.words import years_text

MARGINS: Final = ("gross margin", "compute margin")


@dataclass(frozen=True)
class MarketResult:
    """What the page computes: the tables that it shows and the numbers that its sentences quote."""

    rows: pd.DataFrame
    effective: pd.DataFrame
    curve: pd.DataFrame
    levels: pd.DataFrame
    checks: pd.DataFrame
    entrant_platform: str = field(metadata=in_unit("text"))
    entrants: tuple[str, ...]
    """The platform with the lowest price for an entrant, and those whose price lies inside its interval."""
    entrants_usd_per_mtok: float
    """The highest of their prices."""
    entrant_rent_usd_per_gpu_hour: float
    entrant_usd_per_mtok: float = field(metadata=in_unit("USD/Mtok"))
    entrant_over_list: float = field(metadata=in_unit("-"))
    entrant_low: float = field(metadata=in_unit("USD/Mtok"))
    entrant_high: float = field(metadata=in_unit("USD/Mtok"))
    effective_over_list: float = field(metadata=in_unit("-"))
    realised_over_list: float = field(metadata=in_unit("-"))
    leader: str = field(metadata=in_unit("text"))
    leader_id: str
    tied: tuple[str, ...]
    """Platforms that cannot be told from the leader."""
    rent_multiple: float = field(metadata=in_unit("-"))
    margin_at_list: float = field(metadata=in_unit("-"))
    margin_at_effective: float = field(metadata=in_unit("-"))
    margin_at_entrant: float = field(metadata=in_unit("-"))
    payback_years_at_effective: float = field(metadata=in_unit("years"))
    sold_tokens_per_rack_day: float = field(metadata=in_unit("tokens/day"))
    market_tokens_per_day: float = field(metadata=in_unit("tokens/day"))
    racks_taken: float = field(metadata=in_unit("racks"))
    horizon_years: float
    utilisation: float
    kept_share: float
    """Share of sold tokens' value kept after free traffic and licences [-]."""
    wacc: float


def market_result(
    accelerators: Sequence[str],
    model: str,
    scenario: str,
    *,
    rent_factor: float,
    demand_multiple: float,
    seller_share: float,
    **overrides: Any,
) -> MarketResult:
    """Everything on the page, from one evaluation at list and one at effective prices.

    Raises
    ------
    InputError
        No platform serves the workload at a price, or nothing is known of the model's market.
    """
    assume = assumptions(**overrides)
    listed = {**overrides, "price_level": "list"}
    rows = evaluate(accelerators, [model], [scenario], **listed)
    curve = entrant_table(model, scenario, accelerators=accelerators, rent_factor=rent_factor, **overrides)
    entry = cheapest(curve, model, scenario)
    levels = price_levels(model, scenario, entry)
    checks = market_checks(rows, demand_multiple=demand_multiple, seller_share=seller_share, **overrides)
    ties = ahead(rows, "profit_usd_per_rack_year")
    lead = int(ties.index[0])
    over = levels.set_index("level")["over_list"]
    paid = {**overrides, "price_level": "effective"}
    effective = evaluate(accelerators, [model], [scenario], **paid)
    near = level(curve, "price_usd_per_mtok", most=False)
    paid_row = effective[effective["platform"] == rows["platform"][lead]].iloc[0]
    return MarketResult(
        rows=rows,
        effective=effective,
        curve=curve,
        levels=levels,
        checks=checks,
        entrant_platform=str(curve["platform"].iloc[0]),
        entrants=tuple(str(name) for name in near["platform"]),
        entrants_usd_per_mtok=float(near["price_usd_per_mtok"].max()),
        entrant_rent_usd_per_gpu_hour=entry.rent_usd_per_gpu_hour,
        entrant_usd_per_mtok=entry.price_usd_per_mtok,
        entrant_over_list=float(over["entrant"]),
        entrant_low=float(curve["price_usd_per_mtok_low"].iloc[0]),
        entrant_high=float(curve["price_usd_per_mtok_high"].iloc[0]),
        effective_over_list=float(over["effective"]),
        realised_over_list=float(over["realised"]),
        leader=str(rows["platform"][lead]),
        leader_id=str(rows["accelerator"][lead]),
        tied=tuple(ties["platform"].iloc[1:]),
        rent_multiple=float(checks["rent_multiple"][lead]),
        margin_at_list=float(rows["gross_margin"][lead]),
        margin_at_effective=float(paid_row["gross_margin"]),
        # cost stays while revenue falls in proportion
        margin_at_entrant=1.0 - (1.0 - float(rows["gross_margin"][lead])) / float(over["entrant"]),
        payback_years_at_effective=float(paid_row["payback_years"]),
        sold_tokens_per_rack_day=float(checks["sold_tokens_per_rack_day"][lead]),
        market_tokens_per_day=market_model(model).tokens_per_day * demand_multiple,
        racks_taken=float(checks["racks_taken"][lead]),
        horizon_years=assume.horizon_years,
        utilisation=assume.utilisation,
        kept_share=assume.kept_share,
        wacc=assume.wacc,
    )


def standing(first: Any, model: str, case: Scenario, accelerators: Sequence[str], **overrides: Any) -> dict[str, Any]:
    """Where an operating point stands in the market: rent multiple and entrant's price; empty where no rent is known."""
    from rackecon.catalog.assumption_table import allowed_values

    found = rent(str(first["accelerator"]))
    if found is None:
        return {}
    falls = float(allowed_values()["rent_factor"].default)
    try:
        entry = entrant(model, case, accelerators=accelerators, rent_factor=falls, **overrides)
    except InputError:  # no listing of the model, or nobody rents out a platform that serves it
        return {}
    multiple = float(first["revenue_usd_per_gpu_hour"]) / found.usd_per_gpu_hour
    return {
        "platform": str(first["platform"]),
        "rent_multiple": multiple,
        "entrant_platform": catalog.accelerator(entry.accelerator).label,
        "entrant_over_list": entry.price_factor,
    }


KINDS: Final = ("disclosed", "reported", "forecast", "of others")


def company_margins(since: str = "2025-01-01") -> pd.DataFrame:
    """Gross and compute margins of companies since a date [% of revenue]: those they disclosed first, each kind from the highest down."""
    table = catalog.table("margins")
    kept = table[table["measure"].isin(MARGINS) & (table["date"].astype(str) >= since)]
    kept = kept.assign(order=kept["kind"].map(KINDS.index))
    kept = kept.sort_values(["order", "value", "entity"], ascending=[True, False, True], kind="stable")
    return kept[["entity", "scope", "measure", "value", "kind", "date", "note", "source_id"]].reset_index(drop=True)


def target_payback_years() -> float:
    """Payback that a listed provider aims at for a cluster [years]."""
    table = catalog.table("resale")
    return float(table.loc[table["measure"] == "target payback of a cluster", "value"].iloc[0])


def every_workload(
    accelerators: Sequence[str], model: str, *, demand_multiple: float, seller_share: float, **overrides: Any
) -> pd.DataFrame:
    """Rent multiple, demand share and price of the flip of every platform and base workload, at effective prices."""
    paid = {**overrides, "price_level": "effective"}
    rows = evaluate(accelerators, [model], list(catalog.scenarios()), **paid)
    known = rows[rows["revenue_usd_per_gpu_hour"].notna()].reset_index(drop=True)
    out = market_checks(known, demand_multiple=demand_multiple, seller_share=seller_share, **overrides)
    wanted = ["scenario", "platform", "rent_multiple", "demand_share", "flip_price_factor"]
    return out[wanted].assign(
        gross_margin=known["gross_margin"].to_numpy(), payback_years=known["payback_years"].to_numpy()
    )


def figures(result: MarketResult) -> list[Figure]:
    """The page's results by key."""
    return [
        *field_figures(result),
        *(Figure(name, value, "years") for name, value in lasting(result).items()),
        *column_figures(
            result.curve, ["accelerator"], {"price_usd_per_mtok": "USD/Mtok", "price_factor": "-"}, "entrant"
        ),
        *column_figures(
            result.checks,
            ["accelerator"],
            {"rent_multiple": "-", "racks_taken": "racks", "flip_price_factor": "-"},
            "checks",
        ),
        *column_figures(result.levels, ["level"], {"price_usd_per_mtok": "USD/Mtok", "over_list": "-"}, "levels"),
    ]


def quoted(result: MarketResult) -> dict[str, Any]:
    """What the page's sentences quote, by name."""
    margins, levels = company_margins(), result.levels.set_index("level")["price_usd_per_mtok"]
    told = margins[margins["kind"] == KINDS[0]]
    return {
        **{name: value for name, value in vars(result).items() if not hasattr(value, "columns")},
        **lasting(result),
        "assumed_fall": catalog.base_case().price_decline_per_year,
        "fastest_fall": catalog.base_case().range("price_decline_per_year")[1],
        "list_usd_per_mtok": float(levels["list"]),
        "effective_usd_per_mtok": float(levels["effective"]),
        "market_racks": result.market_tokens_per_day / result.sold_tokens_per_rack_day,
        "lowest_margin": float(told["value"].min()) / 100.0,
        "highest_margin": float(told["value"].max()) / 100.0,
        "disclosed": len(told),
        "told_otherwise": len(margins) - len(told),
        "payback": years_text(result.payback_years_at_effective),
        "target_payback": years_text(target_payback_years()),
    }


def lasting(result: MarketResult) -> dict[str, float]:
    """Years until buyers pay what a newcomer needs today, as prices are taken to fall and at the fastest fall of their range."""
    case = catalog.base_case()
    falls = (case.price_decline_per_year, case.range("price_decline_per_year")[1])
    found = years_to_fall(result.entrant_over_list / result.effective_over_list, falls)
    return dict(zip(("lasts_years", "lasts_least_years"), map(float, found), strict=True))


def quoted_paths(profits: pd.DataFrame, gain: Gain) -> dict[str, Any]:
    """What the sentence on linked paths quotes, of :func:`rackecon.market.linked.linked_profits`."""
    assumed, kept, still = profits.to_dict("records")
    return {
        "falls": kept["price_decline_per_year"],
        "gain": kept["own_software_gain_per_year"],
        "measured": gain.value,
        "low": gain.low,
        "high": gain.high,
        "as_of": gain.date,
        "revenue_fall": kept["revenue_fall_per_year"],
        "assumed_fall": assumed["price_decline_per_year"],
        "assumed_gain": assumed["own_software_gain_per_year"],
        "assumed": assumed["profit_usd_per_rack_year"],
        "kept": kept["profit_usd_per_rack_year"],
        "still": still["profit_usd_per_rack_year"],
    }


def path_ends(paths: pd.DataFrame) -> dict[str, float]:
    """Price of a token and revenue of an owner's machine at the end of :func:`rackecon.market.linked.linked_paths`, over today's.

    Examples
    --------
    >>> from rackecon.market.linked import linked_paths
    >>> path_ends(linked_paths(0.9, 1.2, 1.0))
    {'price': 0.75, 'revenue': 0.90}
    """
    ends = paths.groupby("path", sort=False)["factor"].last()
    return {"price": float(ends["price of a token"]), "revenue": float(ends["revenue of an own GPU"])}


WAYS: Final = {
    "own": "owned",
    "rent, 3 years": "rented",
    "rent, spot": "rented",
    "rent, on demand": "rented",
    "API": "API",
}
"""Ways that are drawn, and how: of more the lines could not be told apart."""
STYLES: Final = tuple(dict.fromkeys(WAYS.values()))


def way_lines(drawn: pd.DataFrame) -> pd.DataFrame:
    """Curves of :func:`rackecon.market.choice.curves`, each way named in short, as a phone has room for, with its platform and ``kind``."""
    drawn = drawn[drawn["way"].isin(WAYS)]
    who = drawn["platform"].fillna("")
    short = drawn["way"].str.removeprefix("rent, ").str.partition(",")[0]
    names = [f"{way}: {name}" if name else way for way, name in zip(short, who, strict=True)]
    return drawn.assign(platform=names, accelerator=drawn["accelerator"].fillna(""), kind=drawn["way"].map(WAYS))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The table with models and accelerators by their names."""
    words: dict[str, Any] = {"model": lambda key: catalog.model(key).name}
    words["accelerator"] = lambda key: catalog.accelerator(key).label if isinstance(key, str) else ""
    return table.assign(**{name: table[name].map(words[name]) for name in words if name in table})


def falls_quoted(rent_factor: float, throughput_factor: float) -> dict[str, float]:
    """Yearly fall of a newcomer's price, and its ends at the quartiles of what software gained."""
    gain = mature_gain()
    factors = {"falls": throughput_factor, "falls_low": 1.0 + gain.low, "falls_high": 1.0 + gain.high}
    return {name: yearly_fall(rent_factor, factor) for name, factor in factors.items()}


def scored(backtest: pd.DataFrame) -> dict[str, Any]:
    """What the sentence on the back-test quotes: entrant's price over the price paid later, least, most and middle."""
    ratio = 1.0 / backtest["effective_over_entrant"].dropna()
    if ratio.empty:
        return {"scored": 0}
    return {
        "scored": len(ratio),
        "least": float(ratio.min()),
        "most": float(ratio.max()),
        "median": float(ratio.median()),
    }
