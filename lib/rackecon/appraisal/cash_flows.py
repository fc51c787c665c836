"""The monthly cash flow of an evaluated row: what stands behind its net present value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rackecon.appraisal.assumptions import assumptions
from rackecon.economics.cash_flow import cash_flow_table
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.units import HOURS_PER_YEAR


def rack_cash_flow(row: Mapping[str, Any], *, ramp_months: int = 0, **overrides: Any) -> pd.DataFrame:
    """Month-by-month cash flow of one rack at an evaluated operating point.

    Parameters
    ----------
    row : mapping
        One row of :func:`rackecon.appraisal.evaluate.evaluate` (a Series will do).
    ramp_months : int
        Months over which sales rise to full; 0 is the footing of the row's own present value.
    **overrides
        The assumptions the row was evaluated with.

    Returns
    -------
    pandas.DataFrame
        As :func:`rackecon.economics.cash_flow.cash_flow_table`; its present values sum to the row's
        ``npv_usd_per_rack`` when ``ramp_months`` is 0 and no tax is given.

    Raises
    ------
    InputError
        The row has no result.
    """
    if row["reason"]:
        raise InputError(f"no cash flow of {row['accelerator']}: {row['reason']}")
    assume = assumptions(**overrides)
    gpus = float(row["gpus_per_rack"])
    launch = float(row["revenue_usd_per_gpu_hour"]) / float(row["level_price_factor"])
    return cash_flow_table(
        float(row["investment_usd_per_gpu"]) * gpus,
        launch * HOURS_PER_YEAR * gpus,
        float(row["running_usd_per_gpu_hour"]) * HOURS_PER_YEAR * gpus,
        horizon_years=assume.horizon_years,
        rate_per_year=assume.wacc,
        price_decline_per_year=assume.revenue_fall_per_year,
        residual_usd=float(row["residual_usd_per_gpu"]) * gpus,
        ramp_months=ramp_months,
        tax_rate=assume.tax_rate,
    )
