"""The report's answer: who earns most, on three measures, how surely, and which assumptions decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.economics.measures import MEASURES
from rackecon.uncertainty.outcomes import ranked
from rackecon.uncertainty.propagate import DRAWS, run
from rackecon.uncertainty.ranking import DECIDED_SHARE, RankingDraws, rank, verdicts
from rackecon.uncertainty.sampling import PHYSICAL_POINTS
from rackecon.words import count, join_words, money, number, percent

if TYPE_CHECKING:
    import pandas as pd

    from rackecon.catalog import Scenario

__all__ = [
    "Summary",
    "own_case",
    "own_prices",
    "scenario_grid",
    "summarise",
]


@dataclass(frozen=True)
class Summary:
    """Computed words and tables of the summary page."""

    table: pd.DataFrame
    rankings: dict[str, pd.DataFrame]
    headline: str
    sentences: tuple[str, ...]
    basis: str
    inputs: int
    """How many uncertain inputs every simulated case draws."""


def _amount(value: float, measure: str) -> str:
    return MEASURES[measure].amount(value) + (" a year" if measure == "usd" else "")


def summarise(
    accelerators: Sequence[str],
    model: str,
    scenario: str | Scenario,
    measure: str = "rack",
    *,
    draws: int = DRAWS,
    physical_points: int = PHYSICAL_POINTS,
    **overrides: Any,
) -> Summary:
    """Evaluate, rank on every measure with every uncertain input drawn, and say the answer.

    The draws are those of the page on uncertainty, so that a count and an interval are the same on both.

    Parameters
    ----------
    accelerators : sequence of str
        Platforms.
    model : str
        Model id.
    scenario : str or Scenario
        Workload.
    measure : str
        Key of :data:`MEASURES` that leads the page.
    draws, physical_points : int
        As :func:`rackecon.uncertainty.sampling.sample`.
    **overrides
        Assumptions in place of the base case's.
    """
    table = evaluate(accelerators, [model], [scenario], **overrides)
    drawn = run(accelerators, [model], [scenario], draws=draws, physical_points=physical_points, **overrides)
    inputs = len(drawn.portfolio.plan.inputs)
    rankings = {key: _with_reasons(ranked(table, drawn, m.column), table) for key, m in MEASURES.items()}
    first = rankings[measure]
    known = first[first["value"].notna()]
    case = catalog.as_scenario(scenario)
    assume = assumptions(**{name: value for name, value in overrides.items() if name != "price_cards"})
    basis = _basis(assume, model, case, "price_cards" in overrides)
    unit, short = MEASURES[measure].yearly, MEASURES[measure].name
    if known.empty:
        return Summary(
            table, rankings, "No platform serves this workload within its limits", (_reasons(table),), basis, inputs
        )
    top = known.iloc[0]
    if (known["value"] <= 0).all():
        headline = (
            f"Nobody earns {short}: {top['platform']} loses least, {_amount(-float(top['value']), measure)} {unit}"
        )
    else:
        headline = f"{top['platform']} earns the most {short}: {_amount(float(top['value']), measure)} {unit.replace(' and year', '')}"
    sentences = [_win_sentence(first, measure, inputs)]
    said: dict[str, list[str]] = {}
    for k in MEASURES:
        if k not in (measure, "position"):
            said.setdefault(_winner_words(rankings[k]), []).append(MEASURES[k].name)
    others = join_words([f"{join_words(where)} {words}" for words, where in said.items()])
    sentences.append(f"{others[0].upper()}{others[1:]}.")
    return Summary(table, rankings, headline, tuple(sentences), basis, inputs)


def _with_reasons(ranked: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    names = ["cost_usd_per_mtok_total", "cost_usd_per_mtok_output", "gross_margin", "payback_years", "evidence"]
    extra = table.set_index("accelerator").reindex(columns=names)  # absent where nothing could be served
    return ranked.drop(columns=[c for c in extra.columns if c in ranked]).join(extra, on="accelerator")


def _winner_words(ranked: pd.DataFrame) -> str:
    verdict = str(ranked["verdict"].iloc[0])
    known = ranked[ranked["value"].notna()]
    if known.empty:
        return "nothing can be served"
    name = str(known["platform"].iloc[0])
    if verdict == "nobody earns":
        return "nobody earns"
    if verdict == "too close to call":
        return f"{join_words(_sharing(known))} cannot be told apart"
    return f"{name} comes first"


def _sharing(known: pd.DataFrame) -> list[str]:
    """Platforms that share a lead: by how often they come first, until together they hold what a clear lead needs."""
    often = known.sort_values("win_share", ascending=False, kind="stable")
    before = often["win_share"].cumsum() - often["win_share"]
    kept = [str(name) for name in often["platform"][before < DECIDED_SHARE]]
    return kept if len(kept) > 1 else [str(name) for name in often["platform"].head(2)]


def _win_sentence(ranked: pd.DataFrame, measure: str, inputs: int) -> str:
    known = ranked[ranked["value"].notna()]
    top = known.iloc[0]
    ends = f"nine cases in ten lie between {_amount(float(top['value_low']), measure)} and {_amount(float(top['value_high']), measure)}"
    rivals = known.iloc[1:].sort_values("win_share", ascending=False, kind="stable")
    if str(ranked["verdict"].iloc[0]) == "nobody earns":
        return f"Every platform loses money at these assumptions; {ends}."
    close = (
        ""
        if float(top["win_share"]) >= DECIDED_SHARE or rivals.empty
        else f" Too close to call against {rivals['platform'].iloc[0]} ({count(float(rivals['win_share'].iloc[0]))})."
    )
    drawn = f"all {inputs} uncertain inputs drawn and every platform set anew in each"
    return f"It comes first in {count(float(top['win_share']))} simulated cases, {drawn}; {ends}.{close}"


def _reasons(table: pd.DataFrame) -> str:
    return "; ".join(f"{row.platform}: {row.reason}" for row in table.itertuples()) + "."


def _basis(assume: Assumptions, model: str, case: Scenario, own_prices: bool) -> str:
    limits = []
    if case.tpot_limit_ms:
        limits.append(f"at least {number(1e3 / case.tpot_limit_ms)} tok/s/user")
    if case.ttft_limit_ms:
        limits.append(f"first token within {number(case.ttft_limit_ms / 1e3)} s")
    cost = f"{assume.cost_basis}, {assume.cost_tier}, vintage {assume.cost_vintage}"
    if assume.cost_factor != 1.0:
        cost += f", times {number(assume.cost_factor)}"
    prices = "prices given by the reader" if own_prices else f"{assume.price_level} prices of {assume.as_of_date}"
    if assume.price_factor != 1.0:
        prices += f", times {number(assume.price_factor)}"
    return (
        f"{catalog.model(model).name}, {case.id}: {case.isl_tokens:,} input and {case.osl_tokens:,} output tokens, "
        f"{', '.join(limits) or 'no latency limit'} ({case.latency_statistic or 'median'}); {cost}; {percent(assume.utilisation)} of "
        f"capacity sold; {number(assume.horizon_years)} years; {prices} falling {percent(assume.price_decline_per_year)} a year; "
        f"power provisioned, vintage {assume.power_vintage}; both input and output tokens sold; pre-tax"
    )


def own_case(scenario: str, tok_s_per_user: float | None, prefix_cache_hit: float | None) -> Scenario:
    """The workload with the reader's speed and cache share in place of its own."""
    case = catalog.scenario(scenario)
    if tok_s_per_user is not None:
        case = replace(case, tpot_limit_ms=1e3 / tok_s_per_user)
    return case if prefix_cache_hit is None else replace(case, prefix_cache_hit=prefix_cache_hit)


def own_prices(model: str, fresh_input: float | None, output: float | None) -> dict[str, Any]:
    """The reader's prices as an override of :func:`rackecon.appraisal.evaluate.evaluate`; empty where none is given.

    Cached input keeps the share of fresh input that the base case's card has.
    """
    from rackecon.economics.market_table import card_at_level
    from rackecon.economics.revenue import PriceCard

    if fresh_input is None and output is None:
        return {}
    base = catalog.base_case()
    listed = card_at_level(model, base.price_level, str(base.as_of_date))
    fresh = listed.fresh_input if fresh_input is None else fresh_input
    share = listed.cached_input / listed.fresh_input if listed.fresh_input else 0.0
    return {"price_cards": {model: PriceCard(model, fresh, fresh * share, listed.output if output is None else output)}}


def scenario_grid(
    accelerators: Sequence[str], models: Sequence[str], scenarios: Sequence[str], measure: str = "mw", **overrides: Any
) -> pd.DataFrame:
    """Platform x scenario for each model: profit on a measure, cost per million output tokens, and who leads how surely."""
    table = evaluate(accelerators, models, scenarios, **overrides)
    column = MEASURES[measure].column
    ranked = rank(table, column, RankingDraws.from_base_case())
    who = verdicts(ranked).set_index(["model", "scenario"])["verdict"]
    table["verdict"] = [who.loc[(m, s)] for m, s in zip(table["model"], table["scenario"], strict=True)]
    table["text"] = [
        "not served"
        if v != v and str(r)
        else "no price"
        if v != v
        else _amount(float(v), measure).replace(" a year", "")
        for v, r in zip(table[column], table["reason"], strict=True)
    ]
    table["detail"] = [
        str(r) or f"break-even output price {money(float(b))} per million"
        for r, b in zip(table["reason"], table["break_even_output_usd_per_mtok"], strict=True)
    ]
    return table
