"""Linear algebra in one thread: importing the library sees to it, for a process that has not loaded NumPy before."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["one_thread_each"]

BLAS: Final = "OPENBLAS_NUM_THREADS"


def one_thread_each() -> None:
    """Let this process and those started from it do linear algebra in one thread, unless the environment says how many.

    Threads of the many small products of a search wait for each other by spinning: on cores that another process uses too
    they take several times the processor time of one.
    """
    os.environ.setdefault(BLAS, "1")
