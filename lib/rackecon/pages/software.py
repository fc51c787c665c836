"""The page on number format, draft tokens and software: its sentences' figures and its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rackecon.figures.results import Figure, key_part
from rackecon.lazy import pd
from rackecon.walks.software import LEVERS, Lead, Ratio, SoftwareFound
from rackecon.words import times

CHIP, _, DRAFTS = range(len(LEVERS))
NOTHING = Lead("", ((1.0, 1.0, 1.0),), whole=Ratio(2.0), alone=Ratio(2.0), even=Ratio(2.0))
"""What stands where nobody leads: its sentences quote none of it."""


def quoted(found: SoftwareFound, workload: str = "") -> dict[str, Any]:
    """What the page's sentences quote, by name; a workload other than the page's is named."""
    top = max(found.leads, key=lambda lead: lead.whole.value, default=NOTHING)
    low, high = (found.measured * 2)[:2] if found.measured else (("", 0.0), ("", 0.0))
    shares = found.parts.loc[found.parts["lever"] == LEVERS[CHIP], "share"].astype(float).tolist()
    return {
        "baseline": found.baseline,
        "platform": top.platform,
        "workload": workload,
        **dict(zip(("chip", "number_format", "drafts"), top.factors, strict=True)),
        **{name: vars(ratio) for name, ratio in (("whole", top.whole), ("alone", top.alone), ("even", top.even))},
        **dict(zip(("chip_low", "chip_high"), top.share_ends(CHIP), strict=True)),
        **dict(zip(("drafts_low", "drafts_high"), top.share_ends(DRAFTS), strict=True)),
        **runs_quoted(found.leads),
        "stacks": found.stacks,
        "share_low": min(shares, default=0.0),
        "share_high": max(shares, default=0.0),
        "slow": low[0],
        "slow_gain": low[1],
        "fast": high[0],
        "fast_gain": high[1],
        "learnt": found.learnt[0] if found.learnt else "",
        "learnt_gain": found.learnt[1] if found.learnt else 0.0,
        "runs": found.runs,
        "resplit": found.resplit,
        "kept": found.kept,
        "first_date": found.first_date,
        "last_date": found.last_date,
        "missing": list(found.missing),
    }


def drawn_parts(found: SoftwareFound) -> pd.DataFrame:
    """Parts of every lead in per cent, each platform named with its lead, the largest first."""
    leads = {lead.platform: lead.whole.value for lead in found.leads}
    rows = found.parts.assign(share=100.0 * found.parts["share"], lead=found.parts["platform"].map(leads))
    rows = rows.sort_values("lead", ascending=False, kind="stable")
    return rows.assign(platform=[f"{name}, {times(leads[name])}" for name in rows["platform"]])


def runs_quoted(leads: Sequence[Lead]) -> dict[str, list[tuple[str, float]]]:
    """Whole leads as the best runs have them: those inside their interval, below it and above it, by platform.

    Examples
    --------
    >>> one = Ratio(4.0, 2.0, 8.0)
    >>> runs_quoted([Lead("A", (), one, one, one, 1.5), Lead("B", (), one, one, one)])
    {'inside': [], 'below': [('A', 1.5)], 'above': []}
    """
    where: dict[str, list[tuple[str, float]]] = {"inside": [], "below": [], "above": []}
    for lead in leads:
        if lead.measured == lead.measured:
            place = (
                "below" if lead.measured < lead.whole.low else "above" if lead.measured > lead.whole.high else "inside"
            )
            where[place].append((lead.platform, lead.measured))
    return where


def figures(found: SoftwareFound) -> list[Figure]:
    """The page's results by key: of each lead the mean factors, the wholes with their ends, and the shares over orders."""
    made = []
    for lead in found.leads:
        told = dict(zip(("chip", "number_format", "drafts"), lead.factors, strict=True))
        for name, ratio in (("whole", lead.whole), ("chip_alone", lead.alone), ("baseline_drafting", lead.even)):
            told |= {name: ratio.value, f"{name}_low": ratio.low, f"{name}_high": ratio.high}
        told["whole_measured"] = lead.measured
        for name, lever in (("chip", CHIP), ("drafts", DRAFTS)):
            told |= dict(zip((f"{name}_share_low", f"{name}_share_high"), lead.share_ends(lever), strict=True))
        made += [Figure(f"lead/{key_part(lead.platform)}/{name}", value, "-") for name, value in told.items()]
    if found.measured:
        made += [
            Figure(f"measured/{end}", gain, "-") for end, (_, gain) in zip(("low", "high"), found.measured, strict=True)
        ]
    made += [Figure("learnt/most", found.learnt[1], "-")] if found.learnt else []
    return made + ([Figure("learnt/runs", found.runs[2], "-")] if found.runs else [])
