"""The summary page's pieces: headline, ranking with intervals, matrix, deciding assumptions, claims, accuracy."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rackecon import catalog
from rackecon.answer.deciding import Deciding
from rackecon.answer.lead_map import lead_map, line_marks, speed_lines
from rackecon.answer.live_case import base_state, money_fronts
from rackecon.answer.summary import Summary
from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.catalog import Scenario
from rackecon.economics.measures import MEASURES
from rackecon.economics.money_step import MoneyStep
from rackecon.economics.revenue import PriceCard
from rackecon.evidence.leads import ahead, lead_words, rate_error
from rackecon.evidence.novelty import measured_platforms, platform_named
from rackecon.evidence.scores import FIRST, HELD, LOADED, NAMES, RATE, scores
from rackecon.figures import charts
from rackecon.figures.display import ANSWER, Html, note, prose
from rackecon.figures.results import Figure, column_figures
from rackecon.figures.tables import table
from rackecon.lazy import pd
from rackecon.pages.drivers import driver_figures, drivers_chart, drivers_words
from rackecon.pages.live import slider_ends
from rackecon.pages.live_figures import map_figure, speed_figure
from rackecon.pages.market import standing
from rackecon.pages.rankings import ranking_table
from rackecon.pages.sentences import say
from rackecon.pages.summary_words import case_words, close, headline_words, other_measures, sure_words
from rackecon.pages.unmeasured import once
from rackecon.uncertainty.ranking import ALONE, tied
from rackecon.words import even, join_words, money, number, percent, years_text

PAGE: Final = "00_executive_summary"
MARKET: Final = "14_market"
FULL: Final = 0.97
"""Share of what its GPUs could serve from which a rack on its own is not told apart from one of many."""
MOST_NAMED: Final = 4
"""Pairs of model and workload that a sentence names one by one; more are "the others"."""
UNDECIDED: Final = ("too close to call", ALONE, "nobody earns", "no result")


def headline(story: Summary, found: Sequence[Deciding], measure: str) -> Html:
    """The answer as a heading, with how surely it holds; then what decides it and the other measures."""
    first = leader(story, measure)
    lead = once(headline_words(story))
    sure = once(f"{lead} {sure_words(story)}").removeprefix(f"{lead} ")
    more = [once(other_measures(story))]
    if first is not None and found:
        more.insert(0, once(drivers_words(found, str(first["platform"]), measure)))
    text = " ".join(filter(None, (lead, sure, *more)))
    markup = f'<p class="answer"><strong>{prose(lead)}</strong> {prose(sure)}</p>'
    markup += "".join(f'<p class="note">{prose(words)}</p>' for words in more if words)
    return Html(markup, text, [Figure(ANSWER, text, "text")])


def stated(story: Summary) -> Html:
    """The case in small print: below the ranking, so that a first screen holds the answer, what decides it and the picture."""
    return Html(f'<p class="kicker">{prose(case_words(story))}</p>', case_words(story))


def drivers(story: Summary, found: Sequence[Deciding], measure: str) -> Html:
    """What moves the answer, ranked; nothing where nobody serves the workload."""
    known = story.rankings[measure].dropna(subset=["value"])
    if known.empty:
        return Html("", "")
    values = [float(value) for value in known["value"]]
    now = values[0], values[0] - values[1] if len(values) > 1 else float("nan")
    return drivers_chart(found, str(known["platform"].iloc[0]), now, measure)


def leader(story: Summary, measure: str) -> pd.Series | None:
    """The operating point of the platform that comes first on a measure; none where nothing is served."""
    known = story.rankings[measure].dropna(subset=["value"])
    return None if known.empty else story.table[story.table["accelerator"] == known["accelerator"].iloc[0]].iloc[0]


def money_text(first: pd.Series, step: MoneyStep) -> str:
    """The money of one GPU-hour, and of a rack-year, in words."""
    hour = {name: float(getattr(step, f"{name}_usd_per_gpu_hour")) for name in ("revenue", "cost", "profit")}
    racks = first[["gpus_per_rack", "profit_usd_per_rack_year"]].astype(float).to_dict()
    return say(PAGE, "money", platform=str(first["platform"]), **hour, **racks)


def summary_figures(story: Summary, grid: pd.DataFrame, found: Sequence[Deciding], measure: str) -> list[Figure]:
    """The results of the page: every ranking, the matrix, what decides."""
    made: list[Figure] = []
    for key, ranked in story.rankings.items():
        values = ("value", "value_low", "value_middle", "value_high", "value_measured")
        units = dict.fromkeys(values, MEASURES[key].a_year) | {"win_share": "-"}
        made += column_figures(ranked, ["accelerator"], units, f"profit/{key}")
        made.append(Figure(f"profit/{key}/verdict", str(ranked["verdict"].iloc[0]), "text"))
    point = {
        "total_tok_s_per_gpu": "tok/s/GPU",
        "tok_s_per_user": "tok/s/user",
        "cost_usd_per_gpu_hour": "USD/GPU-hour",
        "cost_usd_per_mtok_total": "USD/Mtok",
        "gross_margin": "-",
        "payback_years": "years",
        "layout": "text",
        "gpus": "-",
        "rack_alone_share": "-",
    }
    there = {name: unit for name, unit in point.items() if name in story.table}
    made += column_figures(story.table, ["accelerator"], there, "point")
    cells = {
        MEASURES["mw"].column: MEASURES["mw"].a_year,
        "break_even_output_usd_per_mtok": "USD/Mtok",
        "verdict": "text",
    }
    made += column_figures(grid, ["model", "scenario", "accelerator"], cells, "grid")
    return made + driver_figures(found, MEASURES[measure].a_year)


def _shown(measure: str) -> Any:
    return percent if measure == "usd" else money


def ranking(story: Summary, measure: str) -> Html:
    """Ranking table of one measure: profit with its interval, wins, cost, margin, payback."""
    column, unit = MEASURES[measure].column, MEASURES[measure].yearly
    frame = story.rankings[measure].rename(
        columns={"value": column, "value_low": f"{column}_low", "value_high": f"{column}_high"}
    )
    draws = int(frame["draws"].iloc[0])
    return ranking_table(
        frame,
        f"{catalog.label(story.model)}, {story.case.name}: profit {unit} at the case's values; bars: nine in ten of {draws:,} paired draws; {story.table['cost_label'].iloc[0]}; power {story.table['power_vintage'].iloc[0]}",
        column,
        _shown(measure),
        {
            "win_share": ("first, of 100", lambda v: f"{100 * v:.0f}"),
            "value_measured": ("at the best public run", even(_shown(measure), frame[column])),
            "cost_usd_per_mtok_total": ("USD per million total tokens", money),
            "gross_margin": ("margin", lambda v: "< −100 %" if v < -1 else percent(float(v))),
            "payback_years": ("payback", years_text),
        },
        heading="profit",
    )


def trust(story: Summary) -> Html:
    """The model's error on what it had not seen, the platforms that nobody has measured, and what public runs alone would earn."""
    every = scores()[HELD, LOADED, RATE]
    chips = measured_platforms()
    unseen = [str(row.platform) for row in story.table.itertuples() if row.accelerator not in chips]
    runs = (
        story.rankings[story.measure].dropna(subset=["value_measured"]).sort_values("value_measured", ascending=False)
    )
    shown = MEASURES[story.measure].amount
    best = [(str(row.platform), shown(row.value_measured), row.value_measured > 0) for row in runs.head(2).itertuples()]
    said = say(
        PAGE, "trust", points=every.points, error=every.median / 100, fronts=rate_error(), unseen=unseen, runs=best
    )
    return _linked(said, "13_validation", "How accurate")


def market(story: Summary, measure: str, model: str, case: Scenario, **overrides: Any) -> Html:
    """Beside the profit: what a tenant would make of it, and what an entrant would charge."""
    first = leader(story, measure)
    chips = list(story.table["accelerator"])
    known = {} if first is None else standing(first, model, case, chips, **overrides)
    rule = str(story.table["price_rule"].iloc[0])
    asked = catalog.model(str(read_parameters(notebook_path(MARKET))["model"].default)).name
    text = say(PAGE, "market", **{"platform": "", **known}, rule=rule)
    return _linked(text, MARKET, f"What the market would pay for {asked}")


def _linked(text: str, page: str, words: str) -> Html:
    """A paragraph that ends in a link to the page that shows more."""
    return Html(f'<p class="note">{html.escape(text)} <a href="{page}.html">{words}</a>.</p>', text)


def sureness(story: Summary, measure: str) -> Html:
    """The middle of the simulated cases beside the case itself, with the page that shows the draws."""
    first = story.rankings[measure].iloc[0]
    known = {"middle": float(first["value_middle"]), "case": float(first["value"]), "usd": measure == "usd"}
    nobody = 1.0 - float(story.rankings[measure]["win_share"].sum())
    text = say(PAGE, "sureness", platform=str(first["platform"]), nobody=nobody, **known)
    return _linked(text, "12_uncertainty", "How sure")


def drawn_counts(story: Summary) -> dict[str, Any]:
    """What the controls show while nothing is changed: ends of the interval and win share of every platform, by measure."""
    return {
        "inputs": story.inputs,
        "rows": {
            key: {
                row.accelerator: [float(row.value_low), float(row.value_high), float(row.win_share)]
                for row in ranked[ranked["value"].notna()].itertuples()
            }
            for key, ranked in story.rankings.items()
        },
    }


def three_measures(story: Summary) -> Html:
    """Who leads on each measure, a tie as one, and the best of the others."""
    rows = []
    for key, unit in ((key, m.yearly) for key, m in MEASURES.items()):
        ranked = story.rankings[key]
        known = ranked[ranked["value"].notna()]
        if known.empty:
            continue
        top = tied(known) if close(known) else known.head(1)
        rivals = known.drop(top.index).sort_values("win_share", ascending=False, kind="stable")
        verdict = str(ranked["verdict"].iloc[0])
        rows.append(
            {
                "measure": f"profit {unit}",
                "leader": lead_words(top["platform"], loses=bool(top["value"].iloc[0] <= 0)),
                "profit": join_words(MEASURES[key].ends(*top["value"])),
                "nine in ten of the first": " to ".join(
                    MEASURES[key].ends(float(top["value_low"].iloc[0]), float(top["value_high"].iloc[0]))
                ),
                "first, of 100": join_words([f"{100 * share:.0f}" for share in top["win_share"]]),
                "next": ""
                if rivals.empty
                else f"{lead_words(rivals['platform'].head(1))} ({100 * float(rivals['win_share'].iloc[0]):.0f})",
                "verdict": verdict if verdict in UNDECIDED else "clear",
            }
        )
    return table(
        pd.DataFrame(rows), "Who leads on each measure at the case's values, with win counts of 100 simulated cases"
    )


def _named(grid: pd.DataFrame) -> pd.DataFrame:
    """The matrix with workloads by their names."""
    return grid.assign(scenario=[catalog.label(str(key)) for key in grid["scenario"]])


def grid_chart(grid: pd.DataFrame, model: str) -> Any:
    """Platform x scenario matrix of one model."""
    frame = _named(grid[grid["model"] == model])
    column = MEASURES["mw"].column
    frame["value"] = frame[column].fillna(0.0)
    served = frame[frame[column].notna()]
    losers = served[served[column] < 0]
    first = [ahead(group, column) for _, group in served.groupby("scenario", sort=False)]
    leaders = list(dict.fromkeys(platform_named(name) for best in first for name in best["platform"][best[column] > 0]))
    title = say(
        PAGE,
        "grid_title",
        model=catalog.model(model).name,
        served=not served.empty,
        leaders=leaders,
        losers=list(losers["platform"].value_counts(sort=False).items()),
        total=frame["scenario"].nunique(),
    )
    return charts.matrix(
        frame,
        row="platform",
        column="scenario",
        value="value",
        text="text",
        title=title,
        subtitle="profit per provisioned MW-year (USD), power vintage "
        f"{grid['power_vintage'].iloc[0] if 'power_vintage' in grid else catalog.base_case().power_vintage}, where "
        "each workload's limits let it earn most",
        rows=list(dict.fromkeys(frame["platform"])),
        columns=list(dict.fromkeys(frame["scenario"])),
    )


def grid_words(grid: pd.DataFrame) -> Html:
    """How surely each cell's leader leads."""
    groups: dict[str, list[str]] = {}
    for (model, scenario), group in grid.groupby(["model", "scenario"], sort=False):
        verdict = str(group["verdict"].iloc[0])
        kind = verdict if verdict in UNDECIDED else "decided"
        groups.setdefault(kind, []).append(f"{catalog.label(str(model))} {catalog.label(str(scenario))}")
    told = sorted(((kind, groups[kind]) for kind in ("decided", *UNDECIDED) if kind in groups), key=lambda x: len(x[1]))
    return note(say(PAGE, "grid", groups=told, total=sum(map(len, groups.values())), named=MOST_NAMED))


def price_table(grid: pd.DataFrame, model: str, folded: bool = False) -> Html:
    """At which price each platform stops earning, for each workload of one model."""
    part = _named(grid[grid["model"] == model])
    listed = part["price_output_usd_per_mtok"].dropna()
    wide = part.pivot_table(
        index="platform", columns="scenario", values="break_even_output_usd_per_mtok", sort=False, observed=True
    ).reindex(index=list(dict.fromkeys(part["platform"])), columns=list(dict.fromkeys(part["scenario"])))
    price = (
        f"it sells at {money(float(listed.iloc[0]))}, {part['price_rule'].iloc[0]}"
        if len(listed)
        else "no price is known"
    )
    return table(
        wide.reset_index(),
        f"{catalog.model(model).name}: price of output tokens at which each platform breaks even, USD per million ({price}; input "
        "prices in proportion); a dash: not served",
        formats=dict.fromkeys(wide.columns, money),
        folded=folded,
    )


def rack_words(story: Summary) -> Html:
    """How much the racks differ, so why one measure is not enough."""
    racks = story.table.dropna(subset=["gpus_per_rack", "rack_it_kw"])
    ends = {}
    for name, column in (("chips", "gpus_per_rack"), ("kilowatts", "rack_it_kw")):
        low, high = float(racks[column].min()), float(racks[column].max())
        ends[name] = number(low) if low == high else f"{number(low)} to {number(high)}"
    short = racks[racks["rack_alone_share"] < FULL].sort_values("rack_alone_share").to_dict("records")
    alone = [(row["platform"], 1.0 - row["rack_alone_share"]) for row in short]
    return note(say(PAGE, "racks", known=bool(len(racks)), alone=alone, **ends))


def speed_chart(
    accelerators: Sequence[str],
    model: str,
    case: Scenario,
    measure: str,
    price_cards: Mapping[str, PriceCard] | None = None,
    **overrides: Any,
) -> Html:
    """Profit of each platform by the speed promised, for the report's own case; the controls move it."""
    state = base_state(model, case, measure, price_cards, **overrides)
    ends = slider_ends("speed", state["speed"])[:2]
    fronts = money_fronts(accelerators, model, case, price_cards, **overrides)
    labels = {key: catalog.accelerator(key).label for key in accelerators}
    column = MEASURES[measure].column
    marks = line_marks(fronts, model, case, column, *ends)
    return speed_figure(speed_lines(fronts, column, *ends), labels, state["speed"], ends, measure, marks)


def lead_chart(story: Summary, measure: str, *, utilisation: float, **_: float) -> Html:
    """Who leads by price and share of capacity sold, for the report's own case; the controls move it."""
    labels = dict(zip(story.table["accelerator"], story.table["platform"], strict=True))
    found = lead_map(story.table, MEASURES[measure].column)
    return map_figure(found, labels, utilisation, measure)


def tried(sold: pd.DataFrame, wide: pd.DataFrame, measure: str) -> Html:
    """Who earns most in the two exercises, and how much."""
    ahead = [_ahead(table, measure) for table in (sold, wide)]
    return note(say(PAGE, "tried", sold=ahead[0], wide=ahead[1]))


def _ahead(table: pd.DataFrame, measure: str) -> tuple[str, str]:
    known = table.dropna(subset=[MEASURES[measure].column])
    if known.empty:
        return "nobody", "nothing"
    row = known.loc[known[MEASURES[measure].column].idxmax()]
    return str(row["platform"]), MEASURES[measure].amount(float(row[MEASURES[measure].column]))


def claims_words() -> Html:
    """How many claims got which verdict."""
    from rackecon.claims import assess_all
    from rackecon.pages.claims_text import verdicts_sentence

    return _linked(verdicts_sentence(assess_all()), "11_claims", "Each on trial")


def claims_table() -> Html:
    """Claims with their verdicts, each linked to its card."""
    from rackecon.claims import assess_all
    from rackecon.pages import claims_page

    return claims_page.claims_table(assess_all(), "11_claims.html")


def accuracy_table() -> Html:
    """Held-out errors by slice."""
    rows = []
    for scheme, where, label in (
        (HELD, "aggregated", "whole curves held out, one pool"),
        (HELD, "disaggregated", "whole curves held out, prefill and decode apart"),
        (HELD, "throughput tables", "throughput tables without a load"),
        ("leave one model out", "all with load", "a model never seen"),
        ("leave one accelerator out", "NVIDIA", "an NVIDIA accelerator never seen"),
        ("leave one accelerator out", "AMD", "an AMD accelerator never seen"),
    ):
        line: dict[str, Any] = {"what was held out": label}
        for quantity, name in (NAMES | {FIRST: "TTFT"}).items():
            found = scores().get((scheme, where, quantity))
            if found:
                line.setdefault("points", found.points)
            line[f"{name}, error %"] = f"{found.median:.0f} ({found.p90:.0f})" if found else "–"
        rows.append(line)
    return table(
        pd.DataFrame(rows), "Median error, and in brackets the error that nine in ten stay under; repeats counted once"
    )


def assumptions_table() -> Html:
    """The base case with ranges, bases and grades."""
    rows = catalog.table("base_case").astype(object).fillna("").astype(str)
    both = [f"{a} to {b}" if a and b else "–" for a, b in zip(rows["low"], rows["high"], strict=True)]
    frame = rows.assign(
        parameter=rows["parameter"].str.replace("_", " "), unit=rows["unit"].replace("-", "–"), range=both
    )
    return table(
        frame[["parameter", "value", "unit", "range", "basis", "grade"]],
        "The base case (data/base_case.csv); grade estimate marks a figure without a source",
        folded=True,
    )
