"""How much of a slow test is tried: a fixed part in `make test`, all of it in `make torture`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
THOROUGH = os.environ.get("RACKECON_THOROUGH") == "1"


def part(rows: Sequence[T], step: int) -> Sequence[T]:
    """Every step-th of the rows, from the first on; all of them where everything is tried."""
    return rows if THOROUGH else rows[::step]


def tries(few: int, all_of_them: int) -> int:
    """How many of one kind are tried."""
    return all_of_them if THOROUGH else few
