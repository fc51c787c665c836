"""Worked numbers of the economics pages, from the rows beside them, and the words of what was changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from rackecon import catalog
from rackecon.answer.deciding import ASSUMPTIONS
from rackecon.words import join_words, money, number, percent, times

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "changed_words",
    "draw_example",
    "draw_source",
    "energy_errors",
    "launch_words",
    "price_span",
    "rent_example",
]

LABELS: Final[Mapping[str, str]] = {
    **{name: item.label for name, item in ASSUMPTIONS.items()},
    "wacc": "cost of capital a year",
    "power_vintage": "power vintage",
    "cost_tier": "buyer tier",
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
            return (
                f"With the figures of {row['platform']}: {number(kw)} kW provisioned, a TDP of {number(tdp)} kW of which "
                f"{percent(share)} is drawn, and a PUE of {number(pue)} give ({number(kw)} − {number(tdp)} × "
                f"{number(1.0 - share, 2)}) × {number(pue)} = {number(drawn)} kW."
            )
    return "No platform has all figures of the equation."


def draw_source() -> str:
    """What the drawn power of a platform rests on: how many measurements, of which machines, and its error."""
    scores = catalog.table("validation_energy").query("scheme == 'platform held out' and quantity == 'board power'")
    each = scores[scores["phase"] == "all"].set_index("platform").to_dict("index")
    whole = each.pop("all")
    machines = [catalog.accelerator(str(key)).label for key in each]
    return (
        f"Provisioned figures are published; the power drawn by a platform rests on {number(float(whole['points']))} "
        f"measurements of {join_words(machines)}, missed by {number(float(whole['median_pct']), 1)} % (median) where the "
        "platform was held out; it is an estimate for every other one."
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
        return "No platform has both an owning cost and an on-demand rent."
    row = known.iloc[0]
    own, rent = float(row["own_usd_per_gpu_hour"]), float(row["rent_on_demand_usd_per_gpu_hour"])
    return (
        f"With the figures of {row['platform']}: {money(own)} to own and {money(rent)} on demand cross at a use of "
        f"{percent(float(row['crossing_utilisation']))}."
    )


def launch_words(launch: pd.DataFrame) -> str:
    """How much dearer the launch must be at each fall of prices; the factor is every platform's."""
    known = launch[launch["launch_usd_per_mtok_total"].notna() & (launch["price_decline_per_year"] > 0)]
    if known.empty:
        return "No platform has a cost per token."
    first = known.drop_duplicates("price_decline_per_year").sort_values("price_decline_per_year", kind="stable")
    ratio = first["launch_usd_per_mtok_total"] / first["levelised_usd_per_mtok_total"]
    told = [
        f"{times(float(r))} at {percent(float(d))}" for r, d in zip(ratio, first["price_decline_per_year"], strict=True)
    ]
    return f"The launch price over the flat one, by the fall of prices a year, on every platform: {join_words(told)}."


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
    if not ratio:
        return f"No provider lists {model}."
    widest = max(ratio, key=lambda name: ratio[name])
    low, high = ends[widest]
    return (
        f"Listings of {model} differ by up to {times(ratio[widest])}: {widest.replace('_', ' ')} sells for {money(low)} to "
        f"{money(high)} per million tokens."
    )
