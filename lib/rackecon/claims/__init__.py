"""Vendor claims on trial: records, evidence, model answers, what must be true, and a verdict by rule."""

from rackecon.claims.assess import Assessment, assess, assess_all, coverage, measured, record
from rackecon.claims.conditions import true_when, undecided, what_is_missing
from rackecon.claims.records import Claim, Source, claim, claims, published, quotes, source, statements
from rackecon.claims.verdict import decide, meanings, verdicts

__all__ = [
    "Assessment",
    "Claim",
    "Source",
    "assess",
    "assess_all",
    "claim",
    "claims",
    "coverage",
    "decide",
    "meanings",
    "measured",
    "published",
    "quotes",
    "record",
    "source",
    "statements",
    "true_when",
    "undecided",
    "verdicts",
    "what_is_missing",
]
