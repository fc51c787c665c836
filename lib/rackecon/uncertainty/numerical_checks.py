"""Numerical checks of the draws, kept in data/uncertainty_checks.csv: what the short list misses, what more draws move.

They take a minute, so pages quote the table; ``make bench`` measures them again and compares. To write it anew:
``python -c "from rackecon.uncertainty.numerical_checks import record; record()"``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import PLATFORMS
from rackecon.catalog.written import write_file
from rackecon.lazy import pd
from rackecon.uncertainty.outcomes import percentiles
from rackecon.uncertainty.portfolio import Portfolio, portfolio
from rackecon.uncertainty.propagate import DRAWS, propagate
from rackecon.uncertainty.sampling import PHYSICAL_POINTS, SEED, sample
from rackecon.uncertainty.shortlist_check import check_shortlist

MODELS: Final = ("deepseek-r1", "gpt-oss-120b")
SCENARIO: Final = "rag-summarise"
CHECKED: Final = 256
"""Draws in which every configuration is searched."""
REPORTED: Final = (
    "profit_usd_per_rack_year",
    "profit_usd_per_mw_year",
    "profit_usd_per_position_year",
    "profit_usd_per_invested_usd_year",
    "cost_usd_per_mtok_total",
    "cost_usd_per_mtok_output",
    "revenue_usd_per_rack_year",
    "npv_usd_per_rack",
    "vendor_roi",
    "profit_roi",
)
"""Outputs whose percentiles a page shows. Payback is not among them: where it is often never its percentiles jump."""


def doubled_move(made: Portfolio, draws: int = DRAWS, physical_points: int = PHYSICAL_POINTS) -> float:
    """Largest move of a reported 5th, 50th or 95th percentile when draws and physical points both double.

    Parameters
    ----------
    draws, physical_points : int
        As :func:`rackecon.uncertainty.sampling.sample`; the second set has twice as many of both.

    Returns
    -------
    float
        Share of the 5th to 95th percentile range [-], the worst over cells, outputs and percentiles.
    """
    few, many = (
        propagate(made, sample(made.plan, k * draws, SEED, physical_points=k * physical_points)) for k in (1, 2)
    )
    worst = 0.0
    for name in REPORTED:
        before, after = percentiles(few.values[name]), percentiles(many.values[name])
        known = np.isfinite(after).all(axis=0)
        move = np.abs(before - after)[:, known] / (after[2] - after[0])[known]
        worst = max(worst, float(move.max(initial=0.0)))
    return worst


def measured() -> pd.DataFrame:
    """Both checks for each model of the reports' base comparison.

    Returns
    -------
    pandas.DataFrame
        Shaped like data/uncertainty_checks.csv: ``check, model, scenario, platforms, draws, physical_points, share,
        source_id, date, grade``.
    """
    rows = []
    for model in MODELS:
        made = portfolio(PLATFORMS, [model], [SCENARIO])
        missed = check_shortlist(made, draws=CHECKED).missed_share
        rows.append(("short list misses", model, SCENARIO, len(PLATFORMS), CHECKED, CHECKED, missed))
        rows.append(("doubled draws move", model, SCENARIO, len(PLATFORMS), DRAWS, PHYSICAL_POINTS, doubled_move(made)))
    columns = ["check", "model", "scenario", "platforms", "draws", "physical_points", "share"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(
        share=table["share"].round(5),
        source_id="uncertainty-checks",
        date=str(catalog.base_case().as_of_date),
        grade="derived",
    )


def record() -> None:
    """Measure and write data/uncertainty_checks.csv."""
    text = measured().to_csv(index=False, lineterminator="\n")
    write_file(catalog.data_dir() / "uncertainty_checks.csv", text)
