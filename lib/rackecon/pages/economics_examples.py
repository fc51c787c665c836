"""Worked numbers of the economics pages, from the rows beside them, and the words of what was changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from rackecon import catalog
from rackecon.answer.deciding import ASSUMPTIONS
from rackecon.evidence.novelty import platform_named
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


class Lead(NamedTuple):
    """Who leads a row of a table: in words, by id with the first one first, and the profit of that one."""

    lead: str
    leaders: str
    profit: float


def kept_lead(was: Lead, now: Lead) -> str:
    """Who leads, beside who leads as on the page: a tie of the same platforms by their number, and by its first where that is another.

    Examples
    --------
    >>> page = Lead("tie: A and B", "a b", 2e6)
    >>> kept_lead(page, Lead("tie: A and B", "a b", 1e6)), kept_lead(page, Lead("A", "a", 1e6))
    ('the same 2', 'A')
    >>> kept_lead(Lead("tie: B200 and H200", "b200-hgx h200-sxm", 2e6), Lead("tie: H200 and B200", "h200-sxm b200-hgx", 1e6))
    'the same 2, H200 first'
    >>> kept_lead(page, Lead("least loss: A and B", "a b", -1e6))
    'least loss: A and B'
    """
    old, new = was.leaders.split(), now.leaders.split()
    if len(new) < 2 or set(old) != set(new) or (was.profit > 0) != (now.profit > 0):
        return now.lead
    return f"the same {len(new)}{'' if old[0] == new[0] else f', {platform_named(new[0])} first'}"


def changed_leads(changes: pd.DataFrame) -> list[str]:
    """Who leads each row of :func:`rackecon.answer.return_views.profit_changes`: the first by name, the others as :func:`kept_lead` says.

    Examples
    --------
    >>> rows = pd.DataFrame({"leader": ["tie: A and B"] * 2, "leaders": ["a b"] * 2, "profit": [2e6, 1e6]})
    >>> changed_leads(rows)
    ['tie: A and B', 'the same 2']
    """
    found = [Lead(*row) for row in changes[["leader", "leaders", "profit"]].itertuples(index=False)]
    return [found[0].lead, *(kept_lead(found[0], one) for one in found[1:])] if found else []


def leads_told(swept: pd.DataFrame) -> list[str]:
    """Who leads each row of a table of changed assumptions, with its profit, beside the lead in its limit's first row, which the page names.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"limit": ["1 MW"] * 3, "lead": ["tie: A and B", "A", "tie: B and A"]})
    >>> rows = rows.assign(leaders=["a b", "a", "b a"], profit_usd_year=[1e6, 2e6, 3e6])
    >>> leads_told(rows)
    ['the same 2 ($1.00M a year)', 'A ($2.00M a year)', 'the same 2, b first ($3.00M a year)']
    """
    first: dict[str, Lead] = {}
    told = []
    for limit, *row in swept[["limit", "lead", "leaders", "profit_usd_year"]].itertuples(index=False):
        now = Lead(*row)
        told.append(f"{kept_lead(first.setdefault(limit, now), now)} ({money(now.profit)} a year)")
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
