"""Number and phrase formats, for notebooks; their home is :mod:`rackecon.analysis.phrases`, below the pages."""

from rackecon.analysis.phrases import (
    count,
    join_words,
    money,
    number,
    per_mtok,
    percent,
    plural,
    tidy,
    times,
    years_text,
)

__all__ = ["count", "join_words", "money", "number", "per_mtok", "percent", "plural", "tidy", "times", "years_text"]
