"""Worked numbers of the economics pages, from the rows beside them, and the words of what was changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from rackecon import catalog
from rackecon.answer.deciding import ASSUMPTIONS
from rackecon.lazy import pd
from rackecon.pages.sentences import say
from rackecon.words import money, number, percent

LABELS: Final[Mapping[str, str]] = {
    **{name: item.label for name, item in ASSUMPTIONS.items()},
    "wacc": "cost of capital a year",
    "power_vintage": "power vintage",
}
SHARES: Final = ("utilisation", "wacc", "price_decline_per_year")


def changed_words(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of changed assumptions (``assumption, value`` first) with names and units that a reader knows."""
    names = frame["assumption"].astype(str)
    pairs = zip(names, frame["value"].astype(str), strict=True)
    return frame.assign(
        assumption=[LABELS.get(name, name) for name in names],
        value=[_changed_value(name, value) for name, value in pairs],
    )


def leads_told(swept: pd.DataFrame) -> list[str]:
    """Who leads each row of a table of changed assumptions, with its profit; a tie of the platforms that tie in a limit's first row, and so on the page, by their number alone.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"limit": ["1 MW"] * 3, "lead": ["tie: A and B", "A", "tie: B and A"]})
    >>> rows = rows.assign(leaders=["a b", "a", "a b"], profit_usd_year=[1e6, 2e6, 3e6])
    >>> leads_told(rows)
    ['the same 2 ($1.00M a year)', 'A ($2.00M a year)', 'the same 2 ($3.00M a year)']
    """
    first: dict[str, str] = {}
    told = []
    columns = (swept[name] for name in ("limit", "lead", "leaders", "profit_usd_year"))
    for limit, lead, ids, profit in zip(*columns, strict=True):
        tied = len(ids.split())
        same = first.setdefault(limit, ids) == ids and tied > 1
        told.append(f"{f'the same {tied}' if same else lead} ({money(profit)} a year)")
    return told


def _changed_value(name: str, value: str) -> str:
    if name not in ASSUMPTIONS and name not in SHARES:
        return value
    show: Callable[[float], str] = percent if name in SHARES else number
    unit = ASSUMPTIONS[name].unit if name in ASSUMPTIONS and name not in SHARES else ""
    return f"{show(float(value))} {unit}".strip()


def draw_example(power: pd.DataFrame, pue: float) -> str:
    """The equation of drawn power with the figures of the first platform that has them all."""
    for row in power.to_dict("records"):
        tdp = catalog.accelerator(row["accelerator"]).tdp_w / 1000.0
        kw, drawn = float(row["provisioned_it_kw_per_gpu_2026_07"]), float(row["drawn_utility_kw_per_gpu"])
        share = 1.0 - (kw - drawn / pue) / tdp
        if math.isfinite(share):
            known = {"platform": str(row["platform"]), "kw": kw, "tdp": tdp, "share": share, "drawn": drawn}
            return say("08_power", "draw", pue=pue, **known)
    return say("08_power", "draw", platform="")


def draw_source() -> str:
    """What the drawn power of a platform rests on: how many measurements, of which machines, and its error."""
    scores = catalog.table("validation_energy").query("scheme == 'platform held out' and quantity == 'board power'")
    each = scores[scores["phase"] == "all"].set_index("platform").to_dict("index")
    whole = each.pop("all")
    machines = [catalog.accelerator(str(key)).label for key in each]
    return say(
        "08_power", "draw_source", points=float(whole["points"]), machines=machines, error=float(whole["median_pct"])
    )


def energy_errors() -> pd.DataFrame:
    """Error of board power and of joules per total token by platform and phase, the platform held out."""
    scores = catalog.table("validation_energy")
    scores = scores[scores["scheme"] == "platform held out"]
    names = {"board power": "power", "joules per total token": "joules"}
    wide = scores.assign(quantity=scores["quantity"].map(names)).pivot(
        index=["platform", "phase"], columns="quantity", values=["points", "median_pct", "bias_pct"]
    )
    wide.columns = ["_".join(map(str, reversed(tuple(column)))) for column in wide.columns]
    out = wide.reset_index().drop(columns=["joules_points"])
    labels = {key: catalog.accelerator(key).label for key in out["platform"] if key != "all"}
    return out.assign(platform=out["platform"].map(labels).fillna("all"))


def rent_example(against: pd.DataFrame) -> str:
    """The crossing of owning and renting with the figures of the first platform that has both."""
    known = against[against["crossing_utilisation"].notna()]
    if known.empty:
        return say("09_cost", "crossing", platform="")
    row = known.iloc[0]
    names = {"own": "own_usd_per_gpu_hour", "rent": "rent_on_demand_usd_per_gpu_hour", "share": "crossing_utilisation"}
    figures = {name: float(row[column]) for name, column in names.items()}
    return say("09_cost", "crossing", platform=str(row["platform"]), **figures)


def launch_words(launch: pd.DataFrame) -> str:
    """How much dearer the launch must be at each fall of prices; the factor is every platform's."""
    known = launch[launch["launch_usd_per_mtok_total"].notna() & (launch["price_decline_per_year"] > 0)]
    first = known.drop_duplicates("price_decline_per_year").sort_values("price_decline_per_year", kind="stable")
    ratio = first["launch_usd_per_mtok_total"] / first["levelised_usd_per_mtok_total"]
    return say("09_cost", "launch", factors=list(zip(first["price_decline_per_year"], ratio, strict=True)))


def price_span(model: str) -> str:
    """How far providers' listings of a model differ, of the kind of token where they differ most.

    Examples
    --------
    >>> price_span("gpt-oss-120b").startswith("Listings of gpt-oss-120b differ by up to")
    True
    """
    from rackecon.economics.price_table import price_card

    card = price_card(model)
    ends = {name: getattr(card, f"{name}_range") for name in ("fresh_input", "cached_input", "output")}
    ratio = {name: high / low for name, (low, high) in ends.items() if low > 0}
    widest = max(ratio, key=lambda name: ratio[name], default="")
    low, high = ends[widest] if widest else (0.0, 0.0)
    return say("10_revenue_and_roi", "price_span", model=model, tokens=widest.replace("_", " "), low=low, high=high)
