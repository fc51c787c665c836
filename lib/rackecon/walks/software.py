"""Number format, draft tokens and software taken apart: predicted levers, measured history, the calibrated trend."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from rackecon import catalog
from rackecon.catalog import Scenario
from rackecon.evidence.intervals import ratio_ends, row_factors
from rackecon.evidence.novelty import best_run
from rackecon.lazy import pd
from rackecon.serving.query import Query, default_date, newest_measurement, software_date
from rackecon.walks.findings import drawn
from rackecon.words import RUNS, engine_words

NAMES = {"none": "none", "mtp": "MTP"}
STEPS = (("fp8", "none"), ("fp8", "mtp"), ("fp4", "none"), ("fp4", "mtp"))
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
class Ratio:
    """Throughput of one setting over another's, and the ends of 90 % of it [-]."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Lead:
    """A platform's throughput over the baseline's [-], and its three factors in each order in which they can be counted."""

    platform: str
    orders: tuple[tuple[float, float, float], ...]
    """Factors of chip, number format and drafting, one triple an order."""
    whole: Ratio
    """4-bit weights with drafting over the baseline in FP8 without."""
    alone: Ratio
    """Chip against chip: both in FP8 without drafting."""
    even: Ratio
    """The same lead where the baseline drafts too."""
    measured: float = math.nan
    """The whole in the best runs at these limits; NaN where either was not run."""

    @property
    def factors(self) -> tuple[float, float, float]:
        """Mean factors over the orders, in logarithms (Shapley); their product is the whole.

        Examples
        --------
        >>> one = Ratio(6.0)
        >>> [round(x, 2) for x in Lead("A", ((2.0, 1.5, 2.0), (1.0, 1.5, 4.0)), one, one, one).factors]
        [1.41, 1.5, 2.83]
        """
        chip, bits, drafts = (float(x) for x in np.exp(np.log(self.orders).mean(axis=0)))
        return chip, bits, drafts

    def share_ends(self, lever: int) -> tuple[float, float]:
        """Least and most share of a lever in the logarithm of the whole, over the orders."""
        shares = np.log(self.orders)[:, lever] / math.log(self.whole.value)
        return float(shares.min()), float(shares.max())


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
    runs: tuple[str, str, float, float] | None
    """Two dates, and the gain between them of its best measured runs and of its line; None where there are no two dates with runs."""
    resplit: bool
    """Whether its best layout went from shared to split pools on the way, or back."""
    first_date: str
    last_date: str
    missing: tuple[str, ...]


def levers(accelerators: Sequence[str], model: str, case: Scenario) -> pd.DataFrame:
    """Best throughput within the limits in FP8 and in 4 bit, without and with drafting, one row each."""
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
    learnt = pd.DataFrame(rows)
    most = _gains(learnt, "accelerator").idxmax()
    return drawn(learnt, "year", "total_tok_s_per_gpu", "asked_tok_s_per_user", also=(str(most),))


def dated(accelerators: Sequence[str], case: Scenario, years: float) -> list[Scenario]:
    """The workload with the software of a date, for each platform; on none beyond its newest measurement.

    Parameters
    ----------
    accelerators : sequence of str
        Ids.
    years : float
        Date of the software, years from 1 January 2026 (:func:`rackecon.serving.query.software_years`).

    Examples
    --------
    >>> [one.software_date for one in dated(["h100-sxm", "b200-hgx"], catalog.scenario("chat"), 0.0)]
    ['2026-01-01', '2026-01-01']
    """
    newest = [default_date(catalog.accelerator(key)) for key in accelerators]
    return [replace(case, software_date=min(software_date(years), day)) for day in newest]


def _gains(learnt: pd.DataFrame, by: str) -> pd.Series:
    """Predicted throughput at the last date over that at the first, by platform."""
    rates = learnt.sort_values("year", kind="stable").groupby(by, sort=False)["total_tok_s_per_gpu"]
    return rates.agg(lambda v: float(v.iloc[-1] / v.iloc[0]))


def _ratio(top: pd.Series, first: pd.Series) -> Ratio:
    """Throughput of one setting over another's with the ends of 90 %."""
    two, one = (row_factors(row.to_frame().T)[0].tolist() for row in (top, first))
    low, high = ratio_ends(two, one)
    ratio = float(top["total_tok_s_per_gpu"] / first["total_tok_s_per_gpu"])
    return Ratio(ratio, ratio * float(low), ratio * float(high))


def _orders(base: pd.DataFrame, other: pd.DataFrame) -> tuple[tuple[float, float, float], ...]:
    """Factors of chip, format and drafting in each order; 4-bit weights before the chip only where both chips have them."""
    rates = [dict(zip(STEPS, group["total_tok_s_per_gpu"].astype(float), strict=True)) for group in (base, other)]
    both = all(group["weight_precision"].iloc[-1] == "FP4" for group in (base, other))

    def rate(done: Sequence[int]) -> float:
        chip, bits, drafts = (lever in done for lever in range(3))
        return rates[chip]["fp4" if bits else "fp8", "mtp" if drafts else "none"]

    found = []
    for order in itertools.permutations(range(3)):
        if both or order.index(0) < order.index(1):
            made = [rate(order[:k]) for k in range(4)]
            each = {lever: made[k + 1] / made[k] for k, lever in enumerate(order)}
            found.append((each[0], each[1], each[2]))
    return tuple(found)


def _lead(base: pd.DataFrame, other: pd.DataFrame) -> Lead | None:
    """The lead of a platform over the baseline, both with the rows of :data:`STEPS`; None where one does not serve or none leads."""
    rates = np.concatenate([group["total_tok_s_per_gpu"].to_numpy(dtype=float) for group in (base, other)])
    if not np.isfinite(rates).all() or rates[-1] <= rates[0]:
        return None
    first, first_drafting, top = base.iloc[0], base.iloc[STEPS.index(("fp8", "mtp"))], other.iloc[-1]
    return Lead(
        platform=str(top["platform"]),
        orders=_orders(base, other),
        whole=_ratio(top, first),
        alone=_ratio(other.iloc[0], first),
        even=_ratio(top, first_drafting),
        measured=_measured(top, first),
    )


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


def _runs(learnt: pd.DataFrame, platform: str) -> tuple[str, str, float, float] | None:
    """First and last date with a measured run of a platform, and the gain between them of its best runs and of its line."""
    if "total_tok_s_per_gpu_measured" not in learnt:
        return None
    own = learnt[(learnt["platform"] == platform) & learnt["total_tok_s_per_gpu_measured"].notna()]
    own = own.sort_values("year", kind="stable").drop_duplicates("year")
    if len(own) < 2:
        return None
    first, last = own.iloc[0], own.iloc[-1]
    runs, line = (float(last[name] / first[name]) for name in ("total_tok_s_per_gpu_measured", "total_tok_s_per_gpu"))
    return str(first["until"])[:7], str(last["until"])[:7], runs, line


def _parts(leads: Sequence[Lead]) -> pd.DataFrame:
    """Mean share of each lever in each lead, in logarithms."""
    parts = [
        {"platform": lead.platform, "lever": lever, "share": math.log(factor) / math.log(lead.whole.value)}
        for lead in leads
        for lever, factor in zip(LEVERS, lead.factors, strict=True)
    ]
    return pd.DataFrame(parts, columns=["platform", "lever", "share"])


def found(levers: pd.DataFrame, past: pd.DataFrame, learnt: pd.DataFrame, baseline: str) -> SoftwareFound:
    """Factors of every lead over the baseline, and ends of what was measured and learnt; adds ``ratio`` to ``levers``."""
    groups = {str(key): group for key, group in levers.groupby("accelerator", sort=False)}
    base = groups.get(baseline, levers.iloc[:0])
    levers["ratio"] = levers["total_tok_s_per_gpu"] / (base["total_tok_s_per_gpu"].iloc[0] if len(base) else math.nan)
    others = [group for key, group in groups.items() if key != baseline and len(base)]
    leads = tuple(lead for group in others if (lead := _lead(base, group)))
    ends = past.sort_values("months", kind="stable").groupby("platform", sort=False)["gain"].last().astype(float)
    year = _gains(learnt, "platform")
    most = str(year.idxmax()) if len(year) else ""
    (_, first_date), *_, (_, last_date) = software_dates()
    missing = levers[levers["total_tok_s_per_gpu"].isna()]
    return SoftwareFound(
        baseline=catalog.accelerator(baseline).label,
        leads=leads,
        parts=_parts(leads),
        measured=tuple((str(ends.index[i]), float(ends.iloc[i])) for i in (ends.argmin(), ends.argmax()))
        if len(ends)
        else (),
        stacks=len(ends),
        learnt=(most, float(year.max())) if most else None,
        kept=_kept(ends, most) if most else None,
        runs=_runs(learnt, most),
        resplit=bool(most) and learnt.loc[learnt["platform"] == most, "mode"].nunique() > 1,
        first_date=first_date[:7],
        last_date=last_date[:7],
        missing=tuple(f"{r.platform} ({r.weight_precision}, {r.speculative})" for r in missing.itertuples()),
    )
