"""Move the operating point: how a headline ratio changes with speed, lengths, precision, speculation and vintage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rackecon.claims.model import VINTAGES, cost_per_gpu_hour, side
from rackecon.claims.records import quotes
from rackecon.economics.power_table import all_in_kw
from rackecon.lazy import pd

SPEEDS = (30.0, 50.0, 75.0, 100.0)


def ratio_points(
    subject: str,
    baseline: str,
    model: str,
    workloads: Iterable[str],
    speeds: Sequence[float] = SPEEDS,
    *,
    precision: str = "fp4",
    baseline_precision: str = "fp8",
    speculative: str = "mtp",
    baseline_speculative: str = "none",
    date: str = "",
    baseline_date: str = "",
    vintage: str = "2025",
) -> pd.DataFrame:
    """Throughput ratio of two platforms at equal speed, per GPU, per megawatt and per dollar.

    Parameters
    ----------
    subject, baseline, model : str
        Ids.
    workloads : iterable of str
        Nominal lengths, ``1024/1024``.
    speeds : sequence of float
        Interactivities [tok/s/user].
    precision, baseline_precision, speculative, baseline_speculative, date, baseline_date : str
        Conditions of the two sides; dates of the software, ISO.
    vintage : str
        ``2025`` or ``2026``: published kW and $/GPU-hour.

    Returns
    -------
    pandas.DataFrame
        ``workload, tok_s_per_user, basis`` (GPU, MW, $), ``ratio, low, high`` (90 %, modelled; NaN where one platform
        is not that fast), ``measured`` with ``measured_low`` and ``measured_high`` (the points that it was read between),
        ``kind`` (measured, interpolated, none) and ``front_points`` (how many points the two published fronts rest on).
    """
    kw = VINTAGES[vintage][1]
    factors = {
        "GPU": 1.0,
        "MW": all_in_kw(baseline, kw) / all_in_kw(subject, kw),
        "$": cost_per_gpu_hour(baseline, vintage) / cost_per_gpu_hour(subject, vintage),
    }
    at = np.asarray(speeds, dtype=float)
    rows: list[dict[str, Any]] = []
    for workload in workloads:
        case = {
            "subject": subject,
            "baseline": baseline,
            "model": model,
            "workload": workload,
            "weight_precision": precision,
            "baseline_precision": baseline_precision,
            "speculative": speculative,
            "baseline_speculative": baseline_speculative,
            "software_date": date,
            "baseline_software_date": baseline_date or date,
        }
        ours, theirs = side(case), side(case, "baseline")
        found, seen = (getattr(ours, how)(at).over(getattr(theirs, how)(at)) for how in ("modelled", "measured"))
        for i, speed in enumerate(at):
            both = [one.published.at(float(speed)).kind for one in (ours, theirs)]
            kind = "none" if "none" in both else "interpolated" if "interpolated" in both else "measured"
            for basis, factor in factors.items():
                rows.append(
                    {
                        "workload": workload,
                        "tok_s_per_user": float(speed),
                        "basis": basis,
                        "ratio": float(factor * found.value[i]),
                        "low": float(factor * found.low[i]),
                        "high": float(factor * found.high[i]),
                        "measured": float(factor * seen.value[i]),
                        "measured_low": float(factor * seen.low[i]),
                        "measured_high": float(factor * seen.high[i]),
                        "kind": kind,
                        "front_points": f"{len(ours.published.point_ids)} and {len(theirs.published.point_ids)}",
                    }
                )
    return pd.DataFrame(rows)


def variants(
    subject: str,
    baseline: str,
    model: str,
    workload: str,
    speed: float,
    *,
    precision: str,
    baseline_precision: str,
    date: str,
) -> pd.DataFrame:
    """One ratio with one condition changed at a time.

    Returns
    -------
    pandas.DataFrame
        ``variant, GPU, MW, $``: the ratios at one speed.
    """

    def at(name: str, lengths: str = workload, **changes: str) -> dict[str, Any]:
        given = {
            "precision": precision,
            "baseline_precision": baseline_precision,
            "speculative": "mtp",
            "baseline_speculative": "none",
            "date": date,
            **changes,
        }
        found = ratio_points(subject, baseline, model, [lengths], [speed], **given)
        return {"variant": name, **dict(zip(found["basis"], found["ratio"], strict=True))}

    other = "8192/1024" if workload == "1024/1024" else "1024/1024"
    return pd.DataFrame(
        [
            at("MTP on the new side only"),
            at("MTP on both sides", baseline_speculative="mtp"),
            at("MTP on neither side", speculative="none"),
            at(f"both at {baseline_precision}", precision=baseline_precision),
            at("other lengths", lengths=other),
            at("kW and $ of 2026", vintage="2026"),
        ]
    )


def citations(claim_id: str) -> pd.DataFrame:
    """Second-hand and interpolated rates for a claim, each with its source."""
    names = ["accelerator", "workload", "tok_s_per_user", "total_tok_s_per_gpu", "kind", "note", "source_id", "date"]
    rows = [[getattr(q, name) for name in names] for q in quotes(claim_id)]
    return pd.DataFrame(rows, columns=names)
