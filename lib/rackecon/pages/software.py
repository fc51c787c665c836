"""The page on number format, draft tokens and software: its sentences' figures and its results."""

from __future__ import annotations

from typing import Any

from rackecon.figures.results import Figure, key_part
from rackecon.walks.software import SoftwareFound


def quoted(found: SoftwareFound) -> dict[str, Any]:
    """What the page's sentences quote, by name."""
    top = max(found.leads, key=lambda lead: lead.whole, default=None)
    chip = found.parts[found.parts["lever"] == found.parts["lever"].iloc[0]]["share"] if len(found.parts) else None
    factors = zip(("chip", "number_format", "drafts"), top.factors if top else (0.0, 0.0, 0.0), strict=True)
    low, high = (found.measured * 2)[:2] if found.measured else (("", 0.0), ("", 0.0))
    return {
        "baseline": found.baseline,
        "platform": top.platform if top else "",
        "whole": top.whole if top else 0.0,
        **dict(factors),
        "low": top.low if top else 0.0,
        "high": top.high if top else 0.0,
        "run": top.measured if top else 0.0,
        "stacks": found.stacks,
        "share_low": float(chip.min()) if chip is not None else 0.0,
        "share_high": float(chip.max()) if chip is not None else 0.0,
        "slow": low[0],
        "slow_gain": low[1],
        "fast": high[0],
        "fast_gain": high[1],
        "learnt": found.learnt[0] if found.learnt else "",
        "learnt_gain": found.learnt[1] if found.learnt else 0.0,
        "resplit": found.resplit,
        "kept": found.kept,
        "first_date": found.first_date,
        "last_date": found.last_date,
        "missing": list(found.missing),
    }


def figures(found: SoftwareFound) -> list[Figure]:
    """The page's results by key."""
    made = [
        Figure(f"lead/{key_part(lead.platform)}/{name}", value, "-")
        for lead in found.leads
        for name, value in (
            *zip(("chip", "number_format", "drafts"), lead.factors, strict=True),
            ("whole", lead.whole),
            ("whole_low", lead.low),
            ("whole_high", lead.high),
            ("whole_measured", lead.measured),
        )
    ]
    if found.measured:
        made += [
            Figure(f"measured/{end}", gain, "-") for end, (_, gain) in zip(("low", "high"), found.measured, strict=True)
        ]
    return made + ([Figure("learnt/most", found.learnt[1], "-")] if found.learnt else [])
