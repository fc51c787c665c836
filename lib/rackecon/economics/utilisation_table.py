"""Sold share of capacity: published figures, and shares derived from a demand shape with head-room."""

from __future__ import annotations

from rackecon import catalog
from rackecon.economics.checks import check_share
from rackecon.lazy import pd


def utilisation_cases(headroom: float = 0.0) -> pd.DataFrame:
    """Sold shares a planner may start from.

    Parameters
    ----------
    headroom : float
        Capacity kept spare above the peak, as a share of the fleet [-]; taken off derived shares only.

    Returns
    -------
    pandas.DataFrame
        ``case, kind, utilisation, source_id``: *assumed* (a published default) or *derived* (mean over peak demand of a
        disclosed fleet, less head-room; then also held to the load at which goodput inside latency limits peaks).

    Examples
    --------
    >>> [round(float(x), 3) for x in utilisation_cases()["utilisation"]]
    [0.6, 0.816, 0.571]
    """
    spare = float(check_share("headroom", headroom, open_top=True))
    table = catalog.table("utilization")

    def row(item: str) -> pd.Series:
        found: pd.Series = table[table["item"].astype(str).str.strip() == item].iloc[0]
        return found

    default = row("InferenceX profit-estimator default utilisation")
    limit = row("load at which latency-SLO goodput peaks")
    mean, peak = row("DeepSeek V3/R1 average nodes"), row("DeepSeek peak nodes")
    derived = float(mean["value"]) / float(peak["value"]) * (1.0 - spare)
    kept = derived * float(limit["value"]) / 100.0
    cases = [
        ("InferenceX profit estimator", "assumed", float(default["value"]) / 100.0, default["source_id"]),
        ("DeepSeek's day: mean over peak nodes", "derived", derived, mean["source_id"]),
        ("the same, nodes loaded to where goodput peaks", "derived", kept, limit["source_id"]),
    ]
    return pd.DataFrame(cases, columns=["case", "kind", "utilisation", "source_id"])
