"""Rankings as pages show them: beside a platform that was never measured stands that it was not."""

from __future__ import annotations

from typing import Any

from rackecon.evidence.novelty import platform_named
from rackecon.figures import tables
from rackecon.figures.display import Html
from rackecon.lazy import pd


def ranking_table(frame: pd.DataFrame, *args: Any, **more: Any) -> Html:
    """:func:`rackecon.figures.tables.ranking_table` with platforms that the fit has seen no run of marked."""
    return tables.ranking_table(
        frame.assign(platform=[platform_named(str(p)) for p in frame["platform"]]), *args, **more
    )
