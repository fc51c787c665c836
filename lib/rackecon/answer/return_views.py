"""How profit moves when a price, the sold share, a licence or another assumption moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rackecon.appraisal.evaluate import evaluate, moved
from rackecon.appraisal.site_limits import leaders
from rackecon.evidence.novelty import ASKED, best_runs
from rackecon.lazy import pd
from rackecon.walks.findings import drawn

if TYPE_CHECKING:
    from rackecon.economics.financing import Contract, Financing

BY_LOAD: Final = ("utilisation_low", "utilisation_high", "profit", "profit_low", "profit_high", "profit_stated")
SWEPT: Final = ("utilisation", "price_decline_per_year", "wacc", "horizon_years", "electricity_usd_per_kwh")


def profit_sweep(
    accelerators: Iterable[str], model: str, scenario: str, assumption: str, values: Iterable[float], **overrides: Any
) -> pd.DataFrame:
    """Profit of every platform at several values of one assumption, the operating point chosen anew each time.

    Parameters
    ----------
    accelerators, model, scenario
        As in :func:`rackecon.appraisal.evaluate.evaluate`, one model and scenario.
    assumption : str
        Field of :class:`~rackecon.appraisal.assumptions.Assumptions`.
    values : iterable of float
        Values to try.
    **overrides
        Assumptions held.

    Returns
    -------
    pandas.DataFrame
        Rows of ``evaluate`` with the assumption as a column.
    """
    keys = list(accelerators)
    parts = []
    for value in values:
        table = evaluate(keys, [model], [scenario], intervals=False, **{**overrides, assumption: value})
        table[assumption] = value
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def profit_changes(
    accelerators: Iterable[str],
    model: str,
    scenario: str,
    metric: str,
    **overrides: Any,
) -> pd.DataFrame:
    """Leader and runner-up when one assumption moves to the ends of its range, or to an alternative.

    Parameters
    ----------
    accelerators, model, scenario
        As in :func:`rackecon.appraisal.evaluate.evaluate`, one model and scenario.
    metric : str
        One of :data:`rackecon.economics.measures.EVERY_MEASURE`'s columns.
    **overrides
        Assumptions held in every case.

    Returns
    -------
    pandas.DataFrame
        ``assumption, value, leader, leaders, profit, runner_up, next_profit``; platforms by name, blank without a second, in
        ``leaders`` by id.
    """
    # nothing is written off where nothing is owned: a tax does not go with rent
    rented = {"cost_basis": "rental", "cost_tier": "3-year", "cost_vintage": "2026-07", "tax_rate": 0.0}
    others: list[tuple[str, Any, dict[str, Any]]] = [
        ("price of every token", "half", {"price_factor": 0.5}),
        ("price of every token", "double", {"price_factor": 2.0}),
        ("licence share", 0.3, {"licence_share": 0.3}),
        ("traffic given away", 0.3, {"free_share": 0.3}),
        ("premium for speed", "published", {"speed_premium": True}),
        ("published cost", "neocloud", {"cost_basis": "ownership", "cost_tier": "neocloud"}),
        ("rent, before tax", "3-year", rented),
    ]
    names = {
        "leader": "leader",
        "leaders": "leaders",
        "value": "profit",
        "runner_up": "runner_up",
        "next_value": "next_profit",
    }
    rows = []
    for case, table in moved(accelerators, model, scenario, SWEPT, others, **overrides):
        best = leaders(table, metric).iloc[0]
        rows.append({**case, **{new: best[old] for old, new in names.items()}})
    return pd.DataFrame(rows)


FLOW_COLUMNS: Final = ("accelerator", "platform", "month", "present_value_usd", "cumulative_usd")
"""Columns that stand where no rack has a cash flow."""


def rack_cash_flows(results: pd.DataFrame, **overrides: Any) -> pd.DataFrame:
    """Monthly cash flows of one rack of every platform with a result, stacked.

    Parameters
    ----------
    results : pandas.DataFrame
        From :func:`rackecon.appraisal.evaluate.evaluate`, one model and scenario.
    **overrides
        The assumptions the rows were evaluated with.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform`` and the columns of :func:`rackecon.economics.cash_flow.cash_flow_table`.
    """
    from rackecon.appraisal.cash_flows import rack_cash_flow

    parts = []
    for row in results[results["reason"] == ""].to_dict("records"):
        flow = rack_cash_flow({str(key): value for key, value in row.items()}, **overrides)
        flow.insert(0, "platform", row["platform"])
        flow.insert(0, "accelerator", row["accelerator"])
        parts.append(flow)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=FLOW_COLUMNS)


def cash_lines(results: pd.DataFrame, **overrides: Any) -> pd.DataFrame:
    """Cumulative cash of one rack as its chart draws it: at the predicted rates, the ends of 90 %, and in the end the best measured.

    Parameters
    ----------
    results, **overrides
        As in :func:`rack_cash_flows`; rows with the intervals of the serving model.
    """
    known = results[results["reason"] == ""]
    if known.empty:
        return rack_cash_flows(known)

    def cash(rates: pd.Series) -> pd.Series:
        revenue = known["revenue_usd_per_gpu_hour"] * rates.fillna(0.0) / known["total_tok_s_per_gpu"]
        return rack_cash_flows(known.assign(revenue_usd_per_gpu_hour=revenue), **overrides)["cumulative_usd"]

    runs = best_runs(known)
    facts = known[list(ASKED)].assign(
        rate=[run.total_tok_s_per_gpu for run in runs],
        run=[run.kind for run in runs],
        run_date=[run.date for run in runs],
    )
    flows = rack_cash_flows(known, **overrides)
    ends = {f"cumulative_usd_{end}": cash(known[f"total_tok_s_per_gpu_{end}"]) for end in ("low", "high")}
    flows = flows.assign(**ends, cumulative_usd_measured=cash(facts["rate"])).merge(facts, on="accelerator")
    told = (flows["month"] == flows["month"].max()) & flows["rate"].notna()
    flows["cumulative_usd_measured"] = flows["cumulative_usd_measured"].where(told)
    return drawn(flows, "month", "cumulative_usd")


def profits_by_load(accelerators: Sequence[str], model: str, scenario: str, **overrides: Any) -> pd.DataFrame:
    """Share sold that the load of each platform allows, and its profit at that share and at the one stated.

    Parameters
    ----------
    accelerators, model, scenario, **overrides
        As in :func:`rackecon.appraisal.evaluate.evaluate`; ``utilisation`` is the share stated.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, utilisation, utilisation_low, utilisation_high, profit, profit_low, profit_high, profit_stated``
        [USD a rack-year]; the ends are those of demand shapes and days. Platforms without a result are left out.

    Notes
    -----
    .. math:: P(u) = R\\,u / u_0 - c

    Own: revenue is in proportion to the share sold, cost is not.
    """
    asked: dict[str, Any] = {
        "accelerators": accelerators,
        "models": [model],
        "scenarios": [scenario],
        "intervals": False,
    }
    stated, found = (evaluate(**asked, **{**overrides, "sold_by_load": on}) for on in (False, True))
    out = found[["accelerator", "platform", "utilisation"]].copy()
    if "utilisation_low" not in found:
        return pd.DataFrame(columns=[*out, *BY_LOAD])
    revenue, cost = (found[f"{name}_usd_per_rack_year"] for name in ("revenue", "cost"))
    for end in ("low", "high"):
        out[f"utilisation_{end}"] = found[f"utilisation_{end}"]
        out[f"profit_{end}"] = revenue * found[f"utilisation_{end}"] / found["utilisation"] - cost
    out["profit"], out["profit_stated"] = (x["profit_usd_per_rack_year"] for x in (found, stated))
    return out[out["profit"].notna()].reset_index(drop=True)[["accelerator", "platform", "utilisation", *BY_LOAD]]


def financed_returns(results: pd.DataFrame, financing: Financing, contract: Contract, **overrides: Any) -> pd.DataFrame:
    """Return of one rack of every platform before tax, after tax, and of the owner's own money.

    Parameters
    ----------
    results : pandas.DataFrame
        From :func:`rackecon.appraisal.evaluate.evaluate`, one model and scenario.
    **overrides
        The assumptions the rows were evaluated with.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform`` and the fields of :class:`~rackecon.economics.financing.FinancedReturn`, per rack; rented capacity
        and rows without a result are left out.
    """
    from rackecon.appraisal.assumptions import assumptions
    from rackecon.economics.financing import financed_return
    from rackecon.economics.money_step import per_year

    assume = assumptions(**{name: value for name, value in overrides.items() if name != "price_cards"})
    known = results[(results["investment_usd_per_gpu"] > 0) & results["revenue_usd_per_gpu_hour"].notna()]
    known = known[known["gpus_per_rack"].notna()].reset_index(drop=True)

    def of(name: str) -> Any:
        return known[name].to_numpy(dtype=float)

    gpus = of("gpus_per_rack")
    found = financed_return(
        of("investment_usd_per_gpu") * gpus,
        per_year(of("revenue_usd_per_gpu_hour") / of("level_price_factor"), gpus),
        per_year(of("running_usd_per_gpu_hour"), gpus),
        of("residual_usd_per_gpu") * gpus,
        horizon_years=assume.horizon_years,
        rate_per_year=assume.wacc,
        price_decline_per_year=assume.revenue_fall_per_year,
        financing=financing,
        contract=contract,
    )
    return pd.DataFrame({"accelerator": known["accelerator"], "platform": known["platform"], **vars(found)})
