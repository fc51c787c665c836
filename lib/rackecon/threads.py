"""Processes that run side by side leave each other the cores."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["one_thread_each"]

BLAS: Final = "OPENBLAS_NUM_THREADS"


def one_thread_each() -> None:
    """Let processes started from here do linear algebra in one thread, unless the environment says how many.

    Threads of the many small products of a search wait for each other by spinning: on cores that another process uses too
    they take several times the processor time of one.
    """
    os.environ.setdefault(BLAS, "1")
