"""Number and phrase formats, for notebooks; their home is :mod:`rackecon.analysis.phrases`, below the pages."""

from rackecon.analysis.phrases import (
    count,
    engine_words,
    join_words,
    money,
    number,
    page_words,
    per_mtok,
    percent,
    plural,
    tidy,
    times,
    years_text,
)

__all__ = [
    "count",
    "engine_words",
    "join_words",
    "money",
    "number",
    "page_words",
    "per_mtok",
    "percent",
    "plural",
    "tidy",
    "times",
    "years_text",
]
