"""Plan files that ship with the data."""

from __future__ import annotations

from typing import Any

from rackecon.catalog.paths import data_dir
from rackecon.catalog.text_file import read_text, yaml_of

__all__ = ["shipped_plan"]


def shipped_plan(name: str) -> dict[str, Any]:
    """A plan file of data/plans.

    Examples
    --------
    >>> shipped_plan("replace_h200")["limits"]
    {'power_mw': 20}
    """
    file = data_dir() / "plans" / f"{name}.yaml"
    raw: dict[str, Any] = yaml_of(file.name, read_text(file))
    return raw
