"""Number format, draft tokens and software taken apart: predicted levers, measured history, the calibrated trend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.evidence.intervals import interval_factors, ratio_ends
from rackecon.evidence.novelty import best_run
from rackecon.serving.query import Query, default_date, newest_measurement, software_date
from rackecon.walks.findings import drawn
from rackecon.words import RUNS, engine_words

if TYPE_CHECKING:
    import pandas as pd

    from rackecon.catalog import Scenario

NAMES = {"none": "none", "mtp": "MTP"}
STEPS = (("fp8", "none"), ("fp4", "none"), ("fp4", "mtp"))
APART = 0.02
"""Share by which two runs must differ to be drawn apart."""
ASKED_OF = ("accelerator", "model", "isl_tokens", "osl_tokens", "asked_tok_s_per_user")
"""Columns that say what a measured run must be of and keep."""
LEVERS = ("chip, in FP8", "4-bit weights", "draft tokens")
CONFIGURATION = [
    "accelerator",
    "model",
    "weight_precision",
    "engine",
    "mode",
    "tp",
    "ep",
    "dp_attention",
    "isl",
    "osl",
    "concurrency",
    "draft_tokens",
    "speculative",
    "decode_gpus",
    "prefill_gpus",
]


@dataclass(frozen=True)
class Lead:
    """A platform's throughput over the baseline's, as the product of three factors [-]; 90 % of the whole, and as measured."""

    platform: str
    chip: float
    number_format: float
    drafts: float
    low: float = math.nan
    high: float = math.nan
    measured: float = math.nan

    @property
    def factors(self) -> tuple[float, float, float]:
        """Factors from hardware outwards."""
        return self.chip, self.number_format, self.drafts

    @property
    def whole(self) -> float:
        """Their product.

        Examples
        --------
        >>> Lead("A", 2.0, 1.5, 1.2).whole
        3.6
        """
        return math.prod(self.factors)


@dataclass(frozen=True)
class SoftwareFound:
    """What the page finds: leads taken apart, and the ends of measured and learnt gains by software alone."""

    baseline: str
    leads: tuple[Lead, ...]
    parts: pd.DataFrame
    measured: tuple[tuple[str, float], ...]
    """Stack and gain of the smallest and of the largest gain; empty where nothing was measured twice."""
    stacks: int
    """Stacks measured on several dates."""
    learnt: tuple[str, float] | None
    kept: tuple[float, float] | None
    """Least and most measured gain of the stacks of that platform at settings held; None where none was repeated."""
    resplit: bool
    """Whether its best layout went from shared to split pools on the way, or back."""
    first_date: str
    last_date: str
    missing: tuple[str, ...]


def levers(accelerators: Sequence[str], model: str, case: Scenario) -> pd.DataFrame:
    """Best throughput within the limits in FP8, in 4 bit, and in 4 bit with drafting, one row each."""
    import pandas as pd

    from rackecon.serving.frontier import search_case

    rows = []
    for key in accelerators:
        chip = catalog.accelerator(key)
        for precision, drafting in STEPS:
            line = {
                "accelerator": key,
                "platform": chip.label,
                "model": model,
                "isl_tokens": case.isl_tokens,
                "osl_tokens": case.osl_tokens,
                "asked_tok_s_per_user": case.promised_tok_s_per_user,
                "weight_precision": precision.upper(),
                "speculative": NAMES[drafting],
            }
            if (
                precision == "fp4"
                and not math.isfinite(chip.peak_fp4_flops)
                and catalog.model(model).native_expert_bits >= 8.0
            ):
                precision = "fp8"  # no 4-bit arithmetic and no 4-bit release: the lever does not exist
                line["weight_precision"] = "FP8 (no 4-bit)"
            found = search_case(key, model, case, weight_precision=precision, speculative=drafting)
            best = found.best()
            rows.append(
                {
                    **line,
                    "total_tok_s_per_gpu": float("nan") if best is None else best["total_tok_s_per_gpu"],
                    "tok_s_per_user": float("nan") if best is None else best["tok_s_per_user"],
                    "layout": "" if best is None else best["layout"],
                    "mode": "" if best is None else best["mode"],
                    "reason": found.reason,
                }
            )
    return pd.DataFrame(rows)


def history(model: str) -> pd.DataFrame:
    """Measured gain of complete configurations over their first run, by platform and month, median over configurations."""
    import pandas as pd

    rows = catalog.table("measured_serving")
    flags = catalog.table("measured_flags")
    broken = set(flags.loc[flags["action"] == "drop", "point_id"])
    rows = rows[(rows["model"] == model) & ~rows["point_id"].isin(broken) & rows["concurrency"].notna()].copy()
    rows["day"] = pd.to_datetime(rows["date"])
    rows["rate"] = pd.to_numeric(rows["total_tok_s_per_gpu"], errors="coerce")
    rows = rows.sort_values("day", kind="stable")
    number = rows.groupby(CONFIGURATION, dropna=False).ngroup().to_numpy()
    first = rows.iloc[np.unique(number, return_index=True)[1][number]]  # of each row's configuration
    found = rows[["accelerator", "engine"]].assign(
        months=((rows["day"].to_numpy() - first["day"].to_numpy()) / np.timedelta64(1, "D") / 30.44).round(),
        gain=rows["rate"].to_numpy() / first["rate"].to_numpy(),
    )
    found = found[found["months"] >= 1]
    grouped = found.groupby(["accelerator", "engine", "months"])["gain"].agg(["median", "size"]).reset_index()
    grouped = grouped[grouped["size"] >= 2].rename(columns={"median": "gain", "size": "configurations"})
    grouped["platform"] = [
        f"{catalog.accelerator(a).label} {engine_words(e)}"
        for a, e in zip(grouped["accelerator"], grouped["engine"], strict=True)
    ]
    enough = grouped.groupby("platform")["months"].transform("size") >= 2
    return grouped[enough].reset_index(drop=True)


def run_marks(past: pd.DataFrame) -> pd.DataFrame:
    """Of each stack of :func:`history` the last run over the first, and the slowest and fastest where they lie elsewhere."""
    import pandas as pd

    rows = []
    for name, group in past.sort_values("months", kind="stable").groupby("platform", sort=False):
        gain = group["gain"].astype(float)
        last = float(gain.iloc[-1])
        marks = [("last", last), ("slowest", float(gain.min())), ("fastest", float(gain.max()))]
        rows += [
            {"accelerator": group["accelerator"].iloc[0], "platform": name, "run": run, "gain": value}
            for run, value in marks
            if run == "last" or abs(value / last - 1.0) > APART
        ]
    return pd.DataFrame(rows, columns=["accelerator", "platform", "run", "gain"])


def software_dates() -> list[tuple[float, str]]:
    """Half years of software on record, the last at the newest measurement, each as a year with a fraction and a date."""
    measured = catalog.table("measured_serving")["date"].astype(str).str[:10]
    first, end = date.fromisoformat(measured.min()), date.fromisoformat(newest_measurement())
    starts = [date(year, month, 1) for year in range(first.year, end.year + 1) for month in (1, 7)]
    dates = [*[day for day in starts if first <= day < end][-3:], end]
    return [(round(day.year + (day.month - 1) / 12.0, 3), day.isoformat()) for day in dates]


def trend(accelerators: Sequence[str], model: str, case: Scenario) -> pd.DataFrame:
    """Predicted throughput at the limits by date of the software, as its chart draws it: measured runs up to each date."""
    import pandas as pd

    from rackecon.serving.frontier import searched

    rows, dates = [], software_dates()
    for key in accelerators:
        last = default_date(catalog.accelerator(key))
        found = searched([Query.of_case(key, model, case, date=min(day, last)) for _, day in dates])
        for (year, day), front in zip(dates, found, strict=True):
            best = front.best()
            if best is not None:
                rows.append(
                    {
                        "accelerator": key,
                        "platform": catalog.accelerator(key).label,
                        "year": year,
                        "until": day,
                        "asked_tok_s_per_user": case.promised_tok_s_per_user,
                        "isl_tokens": case.isl_tokens,
                        "osl_tokens": case.osl_tokens,
                        "model": model,
                        **{name: best[name] for name in ("mode", "tok_s_per_user", "total_tok_s_per_gpu")},
                    }
                )
    if not rows:
        return pd.DataFrame(columns=["accelerator", "platform", "year", "total_tok_s_per_gpu"])
    return drawn(pd.DataFrame(rows), "year", "total_tok_s_per_gpu", "asked_tok_s_per_user")


def dated(
    accelerators: Sequence[str], model: str, case: Scenario, years: Sequence[float], **overrides: Any
) -> pd.DataFrame:
    """Evaluation with the software of some dates, one after the other; on no platform beyond its newest measurement.

    Parameters
    ----------
    accelerators, model, case, **overrides
        As :func:`rackecon.appraisal.evaluate.evaluate`.
    years : sequence of float
        Dates of the software, years from 1 January 2026 (:func:`rackecon.serving.query.software_years`).
    """
    import pandas as pd

    from rackecon.serving.frontier import searched

    newest = {key: default_date(catalog.accelerator(key)) for key in accelerators}
    each = [(key, min(software_date(year), newest[key])) for year in years for key in accelerators]
    days: dict[str, list[str]] = {}
    for key, day in dict.fromkeys(each):
        days.setdefault(day, []).append(key)
    searched([Query.of_case(key, model, case, date=day) for day, keys in days.items() for key in keys])
    blocks = [
        evaluate(keys, [model], [case], search_options={"date": day}, **overrides).assign(day=day)
        for day, keys in days.items()
    ]
    rows = pd.concat(blocks, ignore_index=True)
    places = {where: i for i, where in enumerate(zip(rows["accelerator"], rows["day"], strict=True))}
    ordered = rows.iloc[[places[where] for where in each]].drop(columns="day").reset_index(drop=True)
    return ordered.assign(years=np.repeat(years, len(accelerators)))


def _whole_ends(top: pd.Series, first: pd.Series) -> tuple[float, float]:
    """Ends of 90 % of a lead: the platform's best setting over the baseline's first."""
    two, one = (
        interval_factors(row["accelerator"], row["model"], row["mode"], "total_tok_s_per_gpu") for row in (top, first)
    )
    low, high = ratio_ends(two, one)
    ratio = float(top["total_tok_s_per_gpu"] / first["total_tok_s_per_gpu"])
    return ratio * float(low), ratio * float(high)


def _measured(top: pd.Series, first: pd.Series) -> float:
    """The same lead in the best runs measured at these limits: drafting in 4 bit over FP8 without; NaN where either is missing."""
    settings = ((top, RUNS[0], "fp4"), (first, RUNS[1], "fp8"))
    two, one = (
        best_run(*(row[name] for name in ASKED_OF), kind=kind, weight_precision=bits).total_tok_s_per_gpu
        for row, kind, bits in settings
    )
    return two / one


def _kept(ends: pd.Series, platform: str) -> tuple[float, float] | None:
    """Least and most of the measured gains (by stack) of one platform."""
    own = ends[[str(stack).startswith(f"{platform} ") for stack in ends.index]]
    return (float(own.min()), float(own.max())) if len(own) else None


def found(levers: pd.DataFrame, past: pd.DataFrame, learnt: pd.DataFrame, baseline: str) -> SoftwareFound:
    """Factors of every lead over the baseline, and ends of what was measured and learnt; adds ``ratio`` to ``levers``."""
    import pandas as pd

    start = levers[(levers["accelerator"] == baseline) & (levers["speculative"] == "none")]
    base = float(start["total_tok_s_per_gpu"].iloc[0]) if len(start) else float("nan")
    first = start.iloc[0] if len(start) else None
    levers["ratio"] = levers["total_tok_s_per_gpu"] / base
    leads, parts = [], []
    for key, group in levers.groupby("accelerator", sort=False):
        rates = group["total_tok_s_per_gpu"].to_numpy(dtype=float)
        if key == baseline or not np.isfinite(rates).all() or not np.isfinite(base) or rates[-1] <= base:
            continue
        chip, bits, drafts = (float(x) for x in rates / np.array([base, *rates[:-1]]))
        low, high = _whole_ends(group.iloc[-1], first)
        measured = _measured(group.iloc[-1], first)
        lead = Lead(str(group["platform"].iloc[0]), chip, bits, drafts, low, high, measured)
        leads.append(lead)
        parts += [
            {"platform": lead.platform, "lever": lever, "share": math.log(factor) / math.log(lead.whole)}
            for lever, factor in zip(LEVERS, lead.factors, strict=True)
        ]
    ends = past.sort_values("months", kind="stable").groupby("platform", sort=False)["gain"].last().astype(float)
    year = (
        learnt.sort_values("year", kind="stable")
        .groupby("platform", sort=False)["total_tok_s_per_gpu"]
        .agg(lambda v: float(v.iloc[-1] / v.iloc[0]))
    )
    (_, first_date), *_, (_, last_date) = software_dates()
    missing = levers[levers["total_tok_s_per_gpu"].isna()]
    return SoftwareFound(
        baseline=catalog.accelerator(baseline).label,
        leads=tuple(leads),
        parts=pd.DataFrame(parts, columns=["platform", "lever", "share"]),
        measured=tuple((str(ends.index[i]), float(ends.iloc[i])) for i in (ends.argmin(), ends.argmax()))
        if len(ends)
        else (),
        stacks=len(ends),
        learnt=(str(year.idxmax()), float(year.max())) if len(year) else None,
        kept=_kept(ends, str(year.idxmax())) if len(year) else None,
        resplit=bool(len(year)) and learnt.loc[learnt["platform"] == year.idxmax(), "mode"].nunique() > 1,
        first_date=first_date[:7],
        last_date=last_date[:7],
        missing=tuple(f"{r.platform} ({r.weight_precision}, {r.speculative})" for r in missing.itertuples()),
    )
