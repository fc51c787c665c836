"""What limits a site decides who wins it: megawatts, money, floor positions or racks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog.cached import one_state
from rackecon.economics.measures import EVERY_MEASURE
from rackecon.economics.power import gpus_for_site
from rackecon.evidence.intervals import rate_factors
from rackecon.evidence.leads import ahead, behind, lead_words
from rackecon.evidence.novelty import best_runs
from rackecon.lazy import pd
from rackecon.units import HOURS_PER_YEAR
from rackecon.words import money

FILLED_BY: Final = ("model", "scenario", "accelerator", "platform", "power_vintage", "cost_label")
SWEPT: Final = ("utilisation", "electricity_usd_per_kwh", "pue", "price_decline_per_year", "wacc")
PROFIT: Final = "profit_usd_year"


def leaders(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Who leads each model and workload at the assumptions as they stand, within the model's error, and who comes next.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`rackecon.appraisal.evaluate.evaluate`.
    metric : str
        Column ranked by.

    Returns
    -------
    pandas.DataFrame
        ``model, scenario, leader, leaders, value, runner_up, next_value``; platforms by name, blank where there is none, in
        ``leaders`` by id, the first one first. A tie is said as one (:func:`rackecon.evidence.leads.lead_words`): ``value`` is
        then its first's.
    """
    rows = []
    for (model, scenario), group in table.groupby(["model", "scenario"], sort=False):
        first = ahead(group, metric)
        after = behind(group, first, metric)
        value = first[metric].iloc[0] if len(first) else math.nan
        row = {
            "leader": lead_words(first["platform"], loses=value <= 0),
            "leaders": " ".join(first["accelerator"]),
            "value": value,
            "runner_up": lead_words(after["platform"].head(1)),
            "next_value": after[metric].iloc[0] if len(after) else math.nan,
        }
        rows.append({"model": model, "scenario": scenario, **row})
    return pd.DataFrame(rows)


def site_comparison(table: pd.DataFrame, *, site_mw: float, budget_usd: float) -> pd.DataFrame:
    """Fill the same site twice with each platform: once until the power is used up, once until the money is.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`rackecon.appraisal.evaluate.evaluate`.
    site_mw : float
        Provisioned power [MW], counted in the table's power vintage.
    budget_usd : float
        Investment [USD]. On the published basis a platform's investment is the capital its own $/GPU-hour implies.

    Returns
    -------
    pandas.DataFrame
        Two rows per row of the table: ``model, scenario, accelerator, platform, mode, limit, gpus, racks, mw, investment_usd,
        output_tok_s, total_tok_s, revenue_usd_year, profit_usd_year, power_vintage, cost_label``; where the table has
        intervals also ``profit_usd_year_low, profit_usd_year_high``, and ``profit_usd_year_measured`` with its ``run`` and
        ``run_date``.
    """
    kw = 1000.0 / table["gpus_per_mw"].to_numpy(dtype=float)
    invested = table["investment_usd_per_gpu"].to_numpy(dtype=float)
    usd = np.where(invested > 0, invested, np.nan)
    fills = {
        f"{site_mw:g} MW": gpus_for_site(site_mw=site_mw, all_in_kw_per_gpu=kw),
        money(budget_usd): gpus_for_site(budget_usd=budget_usd, usd_per_gpu=usd),
    }
    rates, runs = _other_rates(table)
    parts = []
    for limit, gpus in fills.items():
        part = table.reindex(columns=[*FILLED_BY, "mode"])
        part["limit"] = limit
        part["gpus"] = gpus
        part["racks"] = gpus / table["gpus_per_rack"].to_numpy(dtype=float)
        part["mw"] = gpus * kw / 1000.0
        part["investment_usd"] = gpus * invested
        part["output_tok_s"] = gpus * table["output_tok_s_per_gpu"].to_numpy(dtype=float)
        part["total_tok_s"] = gpus * table["total_tok_s_per_gpu"].to_numpy(dtype=float)
        part["revenue_usd_year"] = gpus * table["revenue_usd_per_gpu_hour"].to_numpy(dtype=float) * HOURS_PER_YEAR
        part["profit_usd_year"] = gpus * table["profit_usd_per_gpu_year"].to_numpy(dtype=float)
        for end, ratio in rates.items():
            part[f"profit_usd_year{end}"] = part["revenue_usd_year"] * (ratio - 1.0) + part["profit_usd_year"]
        parts.append(part.assign(**runs))
    return pd.concat(parts, ignore_index=True)


def _other_rates(rows: pd.DataFrame) -> tuple[dict[str, FloatArray], dict[str, list[str]]]:
    """Ends of 90 % and best measured rates over the predicted ones, and kind and date of the runs; nothing without intervals."""
    if "total_tok_s_per_gpu_low" not in rows:
        return {}, {}
    runs = best_runs(rows)
    ends = {f"_{end}": factor for end, factor in rate_factors(rows).items()}
    measured = np.array([run.total_tok_s_per_gpu for run in runs]) / rows["total_tok_s_per_gpu"].to_numpy(dtype=float)
    told = {"run": [run.kind for run in runs], "run_date": [run.date for run in runs]}
    return ends | {"_measured": measured}, told


def winners(comparison: pd.DataFrame) -> pd.DataFrame:
    """The best platform of each model, scenario and limit; none where every platform is unknown.

    Parameters
    ----------
    comparison : pandas.DataFrame
        From :func:`site_comparison`.

    Returns
    -------
    pandas.DataFrame
        The rows of most profit, equal ones by accelerator id; in ``lead`` who leads in words, a tie as one, in ``leaders`` their ids, the first one first.
    """
    groups = comparison[comparison[PROFIT].notna()].groupby(["model", "scenario", "limit"])
    best = [ahead(part, PROFIT) for _, part in groups]
    rows = [first.head(1).assign(lead=_lead(first), leaders=" ".join(first["accelerator"])) for first in best]
    return pd.concat(rows) if rows else comparison.head(0).assign(lead="", leaders="")


def _lead(first: pd.DataFrame) -> str:
    return lead_words(first["platform"], loses=bool(first[PROFIT].iloc[0] <= 0))


def unit_ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Rank of every platform by each unit, side by side, with the profit behind it.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`rackecon.appraisal.evaluate.evaluate`.

    Returns
    -------
    pandas.DataFrame
        Long: ``model, scenario, accelerator, platform, metric, unit, value, rank``; rank 0 where there is no result.
    """
    parts = []
    for measure in EVERY_MEASURE.values():
        part = table[["model", "scenario", "accelerator", "platform"]].copy()
        part["metric"], part["unit"] = measure.column, measure.name
        part["value"] = table[measure.column].to_numpy(dtype=float)
        order = part.groupby(["model", "scenario"])["value"].rank(ascending=False, method="first")
        part["rank"] = order.fillna(0).astype(int)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@one_state()
def operating_power(points: pd.DataFrame) -> pd.DataFrame:
    """Provisioned and drawn power figures of operating points, both vintages of kW side by side.

    Parameters
    ----------
    points : pandas.DataFrame
        Rows of :func:`rackecon.appraisal.money.with_money` or ``evaluate``.

    Returns
    -------
    pandas.DataFrame
        A copy with, for vintages 2026-07 (IT power) and 2025-10 (utility power), kW per GPU and total and output tok/s
        per provisioned MW; tok/s per MW of IT power drawn, to be held against the first; joules per token drawn from
        the utility (PUE counted).
    """
    from rackecon.economics.power import joules_per_token, tokens_per_mw
    from rackecon.economics.power_table import IT_VINTAGE, VINTAGE_METRICS, all_in_kw

    out = points.copy()
    for vintage in VINTAGE_METRICS:
        kw = np.array([all_in_kw(key, vintage) for key in out["accelerator"]])
        known = np.where(np.isnan(kw), 1.0, kw)
        name = vintage.replace("-", "_")
        out[f"provisioned_{'it' if vintage == IT_VINTAGE else 'utility'}_kw_per_gpu_{name}"] = kw
        for tokens in ("total", "output"):
            rate = tokens_per_mw(out[f"{tokens}_tok_s_per_gpu"].to_numpy(dtype=float), known)
            out[f"{tokens}_tok_s_per_mw_{name}"] = np.where(np.isnan(kw), np.nan, rate)
    drawn_it, drawn = (out[f"drawn_{basis}_kw_per_gpu"].to_numpy(dtype=float) for basis in ("it", "utility"))
    known = np.isfinite(drawn) & (drawn > 0)
    safe_it, safe = np.where(known, drawn_it, 1.0), np.where(known, drawn, 1.0)
    for tokens in ("total", "output"):
        rate = out[f"{tokens}_tok_s_per_gpu"].to_numpy(dtype=float)
        out[f"{tokens}_tok_s_per_drawn_it_mw"] = np.where(known, tokens_per_mw(rate, safe_it), np.nan)
        out[f"drawn_joules_per_{tokens}_token"] = np.where(known, joules_per_token(rate, safe), np.nan)
    return out


def power_long(power: pd.DataFrame) -> pd.DataFrame:
    """Output tokens per second per MW by kind of power, long form for a chart.

    Parameters
    ----------
    power : pandas.DataFrame
        From :func:`operating_power`.

    Returns
    -------
    pandas.DataFrame
        ``accelerator, platform, power, tok_s_per_mw``, where the rows have intervals with ``_low``, ``_high`` and ``_measured``
        and the ``run`` and ``run_date`` of the last.
    """
    names = {
        "output_tok_s_per_mw_2026_07": "IT power provisioned, vintage 2026-07",
        "output_tok_s_per_mw_2025_10": "utility power provisioned, vintage 2025-10",
        "output_tok_s_per_drawn_it_mw": "IT power drawn",
    }
    rates, runs = _other_rates(power)
    known = power.assign(**{f"ratio{end}": ratio for end, ratio in rates.items()}, **runs)
    kept = ["accelerator", "platform", *(f"ratio{end}" for end in rates), *runs]
    long = known.melt(kept, list(names), "power", "tok_s_per_mw")
    for end in rates:
        long[f"tok_s_per_mw{end}"] = long["tok_s_per_mw"] * long.pop(f"ratio{end}")
    return long.assign(power=long["power"].map(names))


def sweep_winners(
    accelerators: Iterable[str], model: str, scenario: str, *, site_mw: float, budget_usd: float, **overrides: Any
) -> pd.DataFrame:
    """Who fills each limit best when one assumption moves to the ends of its range.

    Parameters
    ----------
    accelerators, model, scenario
        As in :func:`rackecon.appraisal.evaluate.evaluate`, one model and scenario.
    site_mw, budget_usd : float
        Limits [MW], [USD].
    **overrides
        Assumptions held in every case.

    Returns
    -------
    pandas.DataFrame
        Long: ``assumption, value, limit, accelerator, platform, lead, leaders, profit_usd_year``, the best of each case and limit.
    """
    from rackecon.appraisal.evaluate import moved

    others = [
        ("power_vintage", "2025-10", {"power_vintage": "2025-10"}),
        ("published cost", "neocloud", {"cost_basis": "ownership", "cost_tier": "neocloud"}),
    ]
    parts = []
    for case, table in moved(accelerators, model, scenario, SWEPT, others, intervals=False, **overrides):
        parts.append(winners(site_comparison(table, site_mw=site_mw, budget_usd=budget_usd)).assign(**case))
    columns = ["assumption", "value", "limit", "accelerator", "platform", "lead", "leaders", "profit_usd_year"]
    return pd.concat(parts, ignore_index=True)[columns]
