"""The report's answer: who earns most, on each measure, how surely, and which assumptions decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import Scenario
from rackecon.catalog.assumption_table import choices_given
from rackecon.catalog.kept import kept
from rackecon.economics.measures import MEASURES
from rackecon.evidence.novelty import best_runs
from rackecon.lazy import pd
from rackecon.serving.packing import packed_tok_s
from rackecon.serving.query import Query, case_options
from rackecon.uncertainty.outcomes import ranked
from rackecon.uncertainty.propagate import DRAWS, run
from rackecon.uncertainty.ranking import RankingDraws, rank, verdicts
from rackecon.uncertainty.sampling import PHYSICAL_POINTS
from rackecon.walks.findings import at_rates
from rackecon.walks.walk import asked_ttft_ms
from rackecon.words import money

OF_SERVING = ("weight_precision", "software_date")


@dataclass(frozen=True)
class Summary:
    """What the summary page shows and says."""

    table: pd.DataFrame
    rankings: dict[str, pd.DataFrame]
    measure: str
    model: str
    case: Scenario
    assume: Assumptions
    own_prices: bool
    inputs: int
    """How many uncertain inputs every simulated case draws."""


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
    """Evaluate, rank on every measure with every uncertain input drawn.

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
    table, case = evaluate(accelerators, [model], [scenario], **overrides), catalog.as_scenario(scenario)
    table, rates = table.assign(rack_alone_share=rack_alone_shares(table, case)), public_rates(table, case)
    columns = [m.column for m in MEASURES.values()]
    drawn = kept(
        "summary draws",
        (tuple(accelerators), model, case, draws, physical_points, sorted(overrides.items())),
        lambda: run(
            accelerators,
            [model],
            [scenario],
            draws=draws,
            physical_points=physical_points,
            outputs=columns,
            **overrides,
        ),
        disk=False,
    )
    inputs = len(drawn.portfolio.plan.inputs)
    rankings = {
        key: _with_reasons(
            ranked(table, drawn, m.column), table.assign(value_measured=at_rates(table, m.column, rates))
        )
        for key, m in MEASURES.items()
    }
    assume = assumptions(**{name: value for name, value in overrides.items() if name != "price_cards"})
    own = "price_cards" in overrides
    return Summary(table, rankings, measure, model, case, assume, own, inputs)


def public_rates(rows: pd.DataFrame, case: Scenario) -> list[float]:
    """Total rate of the best public run of each evaluated row that keeps its case's limits, number format and software date.

    Nothing is searched or predicted.

    Returns
    -------
    list of float
        Total tok/s per GPU; NaN where there is no such run.

    Examples
    --------
    >>> import pandas as pd
    >>> of = {"model": "deepseek-r1", "isl_tokens": 8192, "osl_tokens": 1024}
    >>> rows = pd.DataFrame({"accelerator": ["gb300-nvl72", "tpu-v7"], **of})
    >>> [round(x, -3) for x in public_rates(rows, catalog.scenario("rag-summarise"))]
    [15000.0, nan]
    """
    held = {"weight_precision": case.weight_precision} if case.weight_precision else {}
    limits = {"until": case.software_date or "9999", "asked_ttft_ms": asked_ttft_ms(case)}
    rows = rows.assign(tok_s_per_user=case.promised_tok_s_per_user, **limits)
    return [run.total_tok_s_per_gpu for run in best_runs(rows, "tok_s_per_user", **held)]


def rack_alone_shares(rows: pd.DataFrame, case: Scenario) -> list[float]:
    """What one rack on its own serves of what a site of many racks does with as many GPUs, for each evaluated row [-].

    NaN where nothing is served or no rack is known.

    Examples
    --------
    >>> from rackecon.appraisal.evaluate import evaluate
    >>> case = catalog.scenario("rag-summarise")
    >>> rows = evaluate(["h200-sxm", "gb300-nvl72"], ["deepseek-r1"], [case], intervals=False)
    >>> [int(x) for x in rows["gpus"]], [round(x, 1) for x in rack_alone_shares(rows, case)]
    ([16, 48], [1.0, 0.9])
    """
    shares = []
    for row in rows.to_dict("records"):
        site = float(row["total_tok_s_per_gpu"]) * float(row["gpus_per_rack"])
        if not np.isfinite(site):
            shares.append(float("nan"))
            continue
        key = row["accelerator"], row["model"], case, int(row["gpus_per_rack"])
        shares.append(min(kept("rack alone", key, partial(_packed, *key), disk=False) / site, 1.0))
    return shares


def _packed(accelerator: str, model: str, case: Scenario, gpus: int) -> float:
    """Total tok/s that whole deployments on one rack's GPUs serve of a workload."""
    return packed_tok_s(Query.of(accelerator, model, case.isl_tokens, case.osl_tokens, **case_options(case)), gpus)


def _with_reasons(ranked: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    names = [
        "value_measured",
        "cost_usd_per_mtok_total",
        "cost_usd_per_mtok_output",
        "gross_margin",
        "payback_years",
        "evidence",
    ]
    extra = table.set_index("accelerator").reindex(columns=names)  # absent where nothing could be served
    return ranked.drop(columns=[c for c in extra.columns if c in ranked]).join(extra, on="accelerator")


def own_case(
    scenario: str, tok_s_per_user: float | None, prefix_cache_hit: float | None, choices: str = ""
) -> Scenario:
    """The workload with the reader's speed and cache share in place of its own, and the number format and software chosen."""
    chosen = choices_given(choices)
    case = replace(
        catalog.scenario(scenario),
        weight_precision=chosen.get("weight_precision"),
        software_date=chosen.get("software_date"),
    )
    if tok_s_per_user is not None:
        case = replace(case, tpot_limit_ms=1e3 / tok_s_per_user)
    return case if prefix_cache_hit is None else replace(case, prefix_cache_hit=prefix_cache_hit)


def own_money(choices: str) -> dict[str, str]:
    """What a list of choices changes of an evaluation's money.

    Examples
    --------
    >>> own_money("cost_basis=ownership,weight_precision=fp8")
    {'cost_basis': 'ownership'}
    """
    return {name: value for name, value in choices_given(choices).items() if name not in OF_SERVING}


def own_prices(model: str, fresh_input: float | None, output: float | None, choices: str = "") -> dict[str, Any]:
    """The reader's prices as an override of :func:`rackecon.appraisal.evaluate.evaluate`; empty where none is given.

    Cached input keeps the share of fresh input that the base case's card has.
    """
    from rackecon.economics.market_table import card_at_level
    from rackecon.economics.revenue import PriceCard

    if fresh_input is None and output is None:
        return {}
    base = catalog.base_case()
    level = choices_given(choices).get("price_level", base.price_level)
    listed = card_at_level(model, level, str(base.as_of_date))
    fresh = listed.fresh_input if fresh_input is None else fresh_input
    share = listed.cached_input / listed.fresh_input if listed.fresh_input else 0.0
    return {"price_cards": {model: PriceCard(model, fresh, fresh * share, listed.output if output is None else output)}}


def scenario_grid(
    accelerators: Sequence[str], models: Sequence[str], scenarios: Sequence[str], measure: str = "mw", **overrides: Any
) -> pd.DataFrame:
    """Platform x scenario for each model: profit on a measure, cost per million output tokens, and who leads how surely."""
    asked = tuple(accelerators), tuple(models), tuple(scenarios), measure
    key = (*asked, sorted(overrides.items()))
    return kept("scenario grid", key, partial(_grid, *asked, **overrides), disk=False).copy()


def _grid(
    accelerators: Sequence[str], models: Sequence[str], scenarios: Sequence[str], measure: str, **overrides: Any
) -> pd.DataFrame:
    table = evaluate(accelerators, models, scenarios, **overrides)
    column = MEASURES[measure].column
    ranked = rank(table, column, RankingDraws())
    who = verdicts(ranked).set_index(["model", "scenario"])["verdict"]
    table["verdict"] = [who.loc[(m, s)] for m, s in zip(table["model"], table["scenario"], strict=True)]
    most = float(table[column].abs().max())
    table["text"] = [
        "not served" if v != v and str(r) else "no price" if v != v else MEASURES[measure].ends(float(v), most)[0]
        for v, r in zip(table[column], table["reason"], strict=True)
    ]
    table["detail"] = [
        str(r) or f"break-even output price {money(float(b))} per million"
        for r, b in zip(table["reason"], table["break_even_output_usd_per_mtok"], strict=True)
    ]
    return table
