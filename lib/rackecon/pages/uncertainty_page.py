"""Tables, charts and computed sentences of the page on uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon import catalog
from rackecon.economics.measures import MEASURES
from rackecon.evidence.fronts import within_reach
from rackecon.evidence.intervals import AT_SPEED
from rackecon.evidence.leads import DECIDED_SHARE
from rackecon.evidence.novelty import platform_named
from rackecon.figures.display import Html
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.figures.tables import spans, table
from rackecon.lazy import pd
from rackecon.pages.sentences import say
from rackecon.pages.validation_page import coverage_table
from rackecon.uncertainty.distributions import Z10, Distribution, distributions
from rackecon.uncertainty.ranking import ALONE, call
from rackecon.words import money, number, percent, tidy

if TYPE_CHECKING:
    from rackecon.appraisal.break_even import BreakEven

PAGE: Final = "12_uncertainty"
FORM_UNITS: Final = {"evidence": "-", "listings": "USD/Mtok"}
"""Units of inputs whose width is another table's: a share of the quantity, the price of output tokens."""
ENDS: Final = ("", "_low", "_high")
"""Of a column: its middle and its interval."""
SHARES: Final = ("share", "share/year", "1/year")
"""Units of inputs that are said in per cent."""
LATENT: Final = {
    "market": "market (in prices, sales and price path)",
    "obsolescence": "obsolescence (in price path, life, resale)",
    "capital": "capital (in platform prices, cost of money)",
    "serving": "serving error common to all",
    "serving/vendor": "serving error common to a vendor",
}
OUTPUT_UNITS: Final = {
    "cost_usd_per_mtok_total": "USD/Mtok",
    "cost_usd_per_mtok_output": "USD/Mtok",
    "revenue_usd_per_rack_year": MEASURES["rack"].a_year,
    "npv_usd_per_rack": "USD/rack",
    "vendor_roi": "-",
    "profit_roi": "-",
}
SHOWN: Final = {
    "cost_usd_per_mtok_total": "USD per million total tokens",
    "cost_usd_per_mtok_output": "USD per million output tokens",
    "revenue_usd_per_rack_year": "revenue per rack and year, level",
    "npv_usd_per_rack": "net present value per rack",
    "vendor_roi": "vendor ROI (revenue / investment)",
    "profit_roi": "profit ROI",
}


def factor_label(name: str) -> str:
    """A factor's or input's short name.

    Examples
    --------
    >>> factor_label("wacc"), factor_label("capital")
    ('cost of capital', 'capital (in platform prices, cost of money)')
    """
    return LATENT[name] if name in LATENT else distributions()[name].label


def named(names: dict[str, str], key: str) -> str:
    """A platform's chart name."""
    return names.get(key, key)


def ranking_rows(wins: pd.DataFrame) -> pd.DataFrame:
    """Win table with the columns that a ranking table draws."""
    out = wins.rename(columns={"p50": "middle", "p5": "middle_low", "p95": "middle_high"})
    return out.assign(reason=out.get("reason", "no result"))


def interval_rows(
    summary: pd.DataFrame, wins: pd.DataFrame, outputs: tuple[str, ...], extra: bool = False
) -> pd.DataFrame:
    """One row per platform, best first: 50th percentile with the 5th and 95th of some outputs, as text."""
    part = summary[summary["output"].isin(outputs)].copy()
    show = {name: (money if "usd" in name and "mtok" not in name else number) for name in outputs}
    for name, write in show.items():
        mine = part["output"] == name
        part.loc[mine, "range"] = spans(write, *(part.loc[mine, end] for end in ("p50", "p5", "p95")))
    part["quantity"] = part["output"].map(SHOWN)
    wide = part.pivot_table(index="platform", columns="quantity", values="range", aggfunc="first", sort=False)
    if extra:
        wide["loses money"] = part.groupby("platform", sort=False)["loss_share"].first().map(percent)
        wide["misses limits"] = (1.0 - part.groupby("platform", sort=False)["served_share"].first()).map(percent)
    order = [SHOWN[name] for name in outputs if SHOWN[name] in wide]
    wide = wide[[*order, *(name for name in wide if name not in order)]]
    return wide.reindex([name for name in wins["platform"] if name in wide.index]).reset_index()


@dataclass(frozen=True)
class Leader:
    """The first platform of the win table beside the second; money a year, shares of draws. None where there is none, figures NaN."""

    platform: str | None = field(metadata=in_unit("text"))
    low: float = math.nan
    middle: float = math.nan
    high: float = math.nan
    wins: float = field(default=math.nan, metadata=in_unit("-"))
    regret: float = math.nan
    rival: str | None = field(default=None, metadata=in_unit("text"))
    beats: float | None = field(default=None, metadata=in_unit("-"))
    rival_wins: float | None = field(default=None, metadata=in_unit("-"))
    only: bool = False
    """Whether it earns in fewer draws than a clear lead needs, and no other in any."""


def leading(wins: pd.DataFrame) -> Leader:
    """Who leads, and by how much."""
    known = wins[wins["rank"] > 0]
    if known.empty:
        return Leader(None)
    first = known.iloc[0]
    low, middle, high, won, regret = (float(first[n]) for n in ("p5", "p50", "p95", "win_share", "expected_regret"))
    lead = Leader(str(first["platform"]), low, middle, high, won, regret, only=call(known) == ALONE)
    if len(known) < 2:
        return lead
    second = known.iloc[1]
    beats, won = float(first["beats_next_share"]), float(second["win_share"])
    return replace(lead, rival=str(second["platform"]), beats=beats, rival_wins=won)


def answer_text(lead: Leader, metric: str) -> str:
    """The two sentences under the question."""
    measure = MEASURES[metric]
    told = {"ends": measure.ends(lead.low, lead.high), "amount": measure.amount(lead.middle)}
    told["missed"] = measure.amount(lead.regret)
    return say(PAGE, "answer", per=measure.name, decided=DECIDED_SHARE, **vars(lead) | told)


def uncertainty_figures(
    lead: Leader, wins: pd.DataFrame, summary: pd.DataFrame, flips: pd.DataFrame, metric: str
) -> list[Figure]:
    """The results of the page: who leads, every platform's draws and outputs, where each pair's order turns."""
    profit, ends = MEASURES[metric].a_year, ("p5", "p50", "p95")
    drawn = dict.fromkeys((*ends, "expected_regret"), profit) | dict.fromkeys(("win_share", "beats_next_share"), "-")
    made = field_figures(lead, "lead", dict.fromkeys(("low", "middle", "high", "regret"), profit))
    made += column_figures(wins, ["accelerator"], drawn, "profit")
    for name, unit in OUTPUT_UNITS.items():
        rows = summary[summary["output"] == name]
        made += column_figures(rows, ["platform"], dict.fromkeys(ends, unit), f"output/{name}")
    known = distributions()
    for key, rows in flips.groupby("x_input", sort=False):
        units = {"beats_share": "-", "x_flip": FORM_UNITS.get(known[str(key)].form, known[str(key)].unit)}
        made += column_figures(rows, ["leader", "rival", "x_input"], units, "flip")
    return made


def tornado_title(rows: pd.DataFrame, platform: str) -> str:
    """A chart title of at most 70 signs: the input that moves the result most."""
    name = None if rows.empty else factor_label(rows["input"].iloc[0])
    return say(PAGE, "tornado_title", platform=platform, input=name)[:70]


def ends_text(row: Mapping[Hashable, Any]) -> str:
    """The two values between which an input of the tornado moves, with their unit; empty where the evidence gives a width alone.

    Examples
    --------
    >>> ends_text({"low_value": 0.0, "high_value": 0.45, "unit": "share/year"})
    '0 % to 45 %'
    >>> ends_text({"low_value": 4.0, "high_value": 6.0, "unit": "years"})
    '4 to 6 years'
    """
    ends, unit = (float(row["low_value"]), float(row["high_value"])), str(row["unit"])
    if math.isnan(ends[0]):
        return ""
    low, high = (percent(x) if unit in SHARES else number(x) for x in ends)
    told = {"factor": " times", "-": ""} | dict.fromkeys(SHARES, "")
    return f"{low} to {high}{told.get(unit, f' {unit}')}"


def main_driver(tornado: pd.DataFrame, accelerator: str) -> dict[str, Any] | None:
    """The input that moves a platform's profit most, its ends in words, and the least and most profit; None where none does."""
    rows = tornado_rows(tornado, accelerator, 1)
    if rows.empty:
        return None
    row = rows.iloc[0].to_dict()
    profits = [float(row[at]) for at in ("at_low", "base", "at_high")]
    return {"input": row["input"], "ends": ends_text(row), "low": min(profits), "high": max(profits)}


def driver_figures(tornado: pd.DataFrame, accelerator: str, metric: str) -> list[Figure]:
    """What moves a platform's profit most, published."""
    driver = main_driver(tornado, accelerator) or dict.fromkeys(("input", "low", "high"))
    units = {"input": "text"} | dict.fromkeys(("low", "high"), MEASURES[metric].a_year)
    return [Figure(f"driver/{name}", driver[name], unit) for name, unit in units.items()]


def moves_sentence(tornado: pd.DataFrame, accelerator: str, metric: str) -> str:
    """What the profit of a platform hangs on most: the input, its ends, and the profit between them."""
    driver = main_driver(tornado, accelerator)
    if driver is None:
        return say("notes", "moves", input=None)
    profits = MEASURES[metric].ends(driver["low"], driver["high"])
    return say("notes", "moves", input=factor_label(driver["input"]), ends=driver["ends"], profits=profits)


def leader_sentence(tornado: pd.DataFrame, accelerator: str, names: dict[str, str], metric: str) -> str:
    """Which inputs, alone and between their ends, put another platform first."""
    part = tornado[tornado["accelerator"] == accelerator]
    told = []
    for row in part.to_dict("records"):
        others = {row[f"leader_at_{end}"]: end for end in ("low", "high") if row[f"leader_at_{end}"] != accelerator}
        told += [f"{factor_label(row['input'])} at its {end} end ({named(names, key)})" for key, end in others.items()]
    base = float(part["base"].iloc[0])
    amount = MEASURES[metric].amount(abs(base))
    return say(PAGE, "leader", platform=names[accelerator], base=base, amount=amount, turns=told)


def tornado_rows(
    tornado: pd.DataFrame, accelerator: str, most: int = 10, worth: Callable[[str, float], float] | None = None
) -> pd.DataFrame:
    """Widest swings of one platform, with the input's name and range in the label.

    ``worth`` gives what a standard normal score of an input means, for those whose width is that of the evidence.
    """
    part = tornado[(tornado["accelerator"] == accelerator) & (tornado["swing"] > 0)].head(most).copy()

    def told(row: Mapping[Hashable, Any]) -> str:
        ends = ends_text(row)
        if not ends and worth is not None:
            low, high = (worth(str(row["input"]), score) for score in (-Z10, Z10))
            ends = f"{percent(abs(low))} lower to {percent(high)} higher"
        return ", ".join(part for part in (factor_label(row["input"]), ends) if part)

    return part.assign(assumption=[told(row) for row in part.to_dict("records")])


def driver_sentence(own: pd.DataFrame, accelerator: str, platform: str) -> str:
    """What the variance of one platform's result comes from."""
    part = own[own["accelerator"] == accelerator].head(3)
    told = [(factor_label(str(r["factor"])), min(max(float(r["total"]), 0.0), 1.0)) for r in part.to_dict("records")]
    small = own[(own["accelerator"] == accelerator) & (own["total"] < 0.01)]["factor"]
    quiet = [factor_label(name) for name in small if name not in LATENT][:4]
    return say(PAGE, "drivers", platform=platform, factors=told, quiet=quiet)


def pair_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairwise wins in a hundred draws, as text."""
    out = pairs.map(lambda x: "–" if not np.isfinite(x) else f"{100 * x:.0f}")
    return out.reset_index(names="platform")


NEVER: Final = "never"
FLIPS: Final = ["flips_at", "at_low", "at_high"]


def flipping(table: pd.DataFrame, *, turns: bool) -> pd.DataFrame:
    """Rows of :func:`flip_table` whose lead changes within the range, or those whose never does."""
    still = table[FLIPS].isin([NEVER]).all(axis=1)
    return table[~still] if turns else table[still].drop(columns=FLIPS)


def flip_table(flips: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """One row per pair in words, the closest first."""
    names = {key: platform_named(name) for key, name in names.items()}
    known = distributions()
    flips = flips.sort_values("beats_share", kind="stable", ignore_index=True)

    def told(item: Distribution, value: float) -> str:
        if not np.isfinite(value):
            return NEVER
        if item.form == "evidence":
            return f"{percent(abs(value))} {'lower' if value < 0 else 'higher'}"
        if item.form == "listings":
            return f"{money(value)} per million output"
        if item.unit in SHARES:
            return percent(value) + (" a year" if item.unit.endswith("year") else "")
        return f"{number(value)} {item.unit}".replace(" -", "").replace(" factor", " times")

    def joined(word: str, name: Callable[[str], str], first: str, second: str) -> list[str]:
        return [f"{name(a)}{word}{name(b)}" for a, b in zip(flips[first], flips[second], strict=True)]

    out: pd.DataFrame = tidy(
        flips.assign(
            pair=joined(" over ", lambda key: named(names, key), "leader", "rival"),
            decided_by=joined(", ", lambda key: known[key].label, "x_input", "y_input"),
            **{
                name: [told(known[x], at) for x, at in zip(flips["x_input"], flips[column], strict=True)]
                for name, column in zip(FLIPS, ("x_flip", "x_flip_at_low_y", "x_flip_at_high_y"), strict=True)
            },
        )[["pair", "beats_share", "decided_by", *FLIPS]]
    )
    return out


def limits_sentence() -> str:
    """What the draws leave out, with the share of them that gives no resale."""
    item = distributions()["residual_share"]
    return say(PAGE, "limits", resale=item.central)


def flip_sentence(row: Any, names: dict[str, str]) -> str:
    """What would turn one pair's order."""
    known = distributions()[row.x_input]
    there = bool(np.isfinite(row.x_flip))
    return say(
        PAGE,
        "flip",
        leader=named(names, row.leader),
        rival=named(names, row.rival),
        input=known.label,
        unit="" if known.unit == "-" else known.unit,
        form=known.form,
        alone=known.scope in ("cell", "platform"),
        at=float(row.x_flip) if there else None,
    )


def _of_capacity(share: float) -> str:
    """A share of capacity that must be sold, which none can above all of it."""
    return percent(share) if share <= 1.0 else "> 100 %"


def break_even_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Output price and share sold at which each platform earns nothing, beside today's, and whether that can be."""
    out = table[table["break_even_output_usd_per_mtok"].notna()].sort_values("break_even_output_usd_per_mtok")
    return out.assign(
        listed=out["price_output_usd_per_mtok"],
        price=spans(number, *(out[f"break_even_output_usd_per_mtok{end}"] for end in ENDS)),
        sold=spans(_of_capacity, *(out[f"break_even_utilisation{end}"] for end in ENDS)),
    )[["platform", "price", "listed", "sold"]]


SOLVED: Final = {
    "price_factor": ("every price, times", number),
    "utilisation": ("share of capacity sold", percent),
    "cost_factor": ("cost per GPU-hour, times", number),
}


def needed_rows(needed: pd.DataFrame) -> pd.DataFrame:
    """What must be true, one input a row, in words and with its feasibility."""
    rows = []
    for r in needed.to_dict("records"):
        label, show = SOLVED[r["input"]]
        if r["feasible"]:
            told = "yes"
        elif np.isfinite(r["best_output"]):
            told = f"no: {money(r['best_output'])} at best, at {show(r['best_value'])}; {money(r['target'])} is needed"
        else:
            told = "no: there is no result at any value"
        rows.append((label, show(r["now"]), show(r["needed"]), r["change"], told))
    return pd.DataFrame(rows, columns=["input", "now", "needed", "change", "feasible"])


LEVEL: Final = {
    "price_factor": ("prices", "higher", "lower"),
    "utilisation": ("capacity sold", "more", "less"),
    "cost_factor": ("cost per GPU-hour", "higher", "lower"),
}
"""What a rival needs in words, and how more and less of it are called."""


def level_sentence(needed: pd.DataFrame | None, rival: str | None) -> str:
    """By which changes, each alone, the second platform earns what the first does at the assumptions as they stand."""
    rows = [] if needed is None else needed.to_dict("records")
    changes = [
        (float(row["change"]), *LEVEL[row["input"]])
        for row in rows
        if row["feasible"] and row["change"] == row["change"]
    ]
    return say(PAGE, "level", rival=rival or "", changes=changes)


def speed_sentence(found: BreakEven, platform: str, fast: float, limit_ms: float | None) -> str:
    """Price at which serving faster earns as much."""
    return say(
        PAGE,
        "speed",
        platform=platform,
        fast=fast,
        slow=1000.0 / limit_ms if limit_ms else None,
        price=float(found.needed[0]) if found.needed else None,
        always=found.feasible and not found.needed,
        served=bool(np.isfinite(found.best_output)),
    )


def physics_sentence() -> str:
    """Coverage of the serving model's intervals, the figures of the validation page."""
    found = coverage_table().set_index("slice") / 100.0
    rate = found[AT_SPEED].dropna()
    return say(
        PAGE,
        "physics",
        overall=float(rate["overall"]),
        parts=[(str(name), float(rate[name])) for name in rate.index if name != "overall"],
        user=float(found["tok_s_per_user"]["overall"]),
        first_token=float(found["ttft_ms"]["overall"]),
        reached=within_reach(catalog.table("validation_fronts")),
    )


def checks_sentence() -> str:
    """What the short list misses and what twice the draws move, from data/uncertainty_checks.csv."""
    table = catalog.table("uncertainty_checks")
    short = table[table["check"] == "short list misses"]
    twice = table[table["check"] == "doubled draws move"]

    def told(part: pd.DataFrame) -> list[str]:
        return [f"{percent(r['share'], 2)} ({r['model']})" for r in part.to_dict("records")]

    s, t = short.iloc[0], twice.iloc[0]
    return say(
        PAGE,
        "checks",
        scenario=s["scenario"],
        platforms=int(s["platforms"]),
        searched=int(s["draws"]),
        missed=told(short),
        draws=int(t["draws"]),
        points=int(t["physical_points"]),
        moved=told(twice),
    )


def coverage_rows(covered: pd.DataFrame) -> pd.DataFrame:
    """The price back-test in words."""
    method = {"report": "this report's distributions", "history": "spread of earlier changes"}
    out = covered.assign(method=covered["method"].map(method))
    out["error"] = [f"{percent(a)} to {percent(b)}" for a, b in zip(out["low"], out["high"], strict=True)]
    names = ["method", "measure", "months", "forecasts", "models", "covered_share", "error"]
    return out[[*names, "above_share", "below_share"]]


def coverage_sentence(covered: pd.DataFrame) -> str:
    """What the price back-test found, in words."""
    part = covered[(covered["method"] == "report") & (covered["measure"] == "median card")]
    told = [
        (float(r["covered_share"]), *(int(r[n]) for n in ("months", "forecasts", "models")))
        for r in part.to_dict("records")
    ]
    single = float(covered[covered["measure"] == "single listing"]["covered_share"].min())
    return say(PAGE, "price_coverage", forecasts=told, single=single)


def distribution_table() -> Html:
    """Every uncertain input with form, percentiles, what it differs by, what it moves with, and grade."""
    rows = []
    for item in distributions().values():
        told = item.form not in ("fixed", "evidence")
        shared = ", ".join(f"{k} {number(v)}" for k, v in item.loadings.items())
        rows.append(
            {
                "input": item.label,
                "form": item.form.replace("_", " "),
                "one in ten below": number(item.low) if told else "–",
                "median": number(item.central),  # of a unit of its own, as every row
                "one in ten above": number(item.high) if told else "–",
                "unit": item.unit if item.unit != "-" else "",
                "differs by": item.scope if item.scope != "shared" else "",
                "moves with": shared,
                "grade": item.grade,
            }
        )
    return table(
        pd.DataFrame(rows),
        "Distributions of the uncertain inputs (data/distributions.csv); what takes its width from measurements or listings has it by platform and model, as the chart above says",
        searchable=True,
    )


def basis_table() -> Html:
    """What each uncertain input drives and what its distribution rests on."""
    titles = {row["source_id"]: row["title"] for row in catalog.read_rows("sources")}
    rows = [
        {"input": item.label, "drives": item.drives, "basis": item.basis, "source": titles[item.source_id]}
        for item in distributions().values()
    ]
    return table(pd.DataFrame(rows), "What each distribution drives and rests on", searchable=True)
