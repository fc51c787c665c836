"""Vendor claims on trial: records, evidence, model answers, what must be true, and a verdict by rule."""

from rackecon.claims.assess import Assessment, assess, assess_all, conditions_needed, measured, record
from rackecon.claims.records import Claim, Source, claim, claims, quotes, source
from rackecon.claims.verdict import MEANING, VERDICTS, decide

__all__ = [
    "MEANING",
    "VERDICTS",
    "Assessment",
    "Claim",
    "Source",
    "assess",
    "assess_all",
    "claim",
    "claims",
    "conditions_needed",
    "decide",
    "measured",
    "quotes",
    "record",
    "source",
]
