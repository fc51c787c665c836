"""``rackecon``, and ``python -m rackecon``: the command line, ready for an interrupt before anything is loaded."""

from __future__ import annotations

import gc
import os
import signal
from types import FrameType
from typing import Final, NoReturn

__all__ = ["main"]

INTERRUPTED: Final = 130
LAST_S: Final = 10
"""Time that an interrupted command has to put its things away [s]."""
COLLECTED_EVERY: Final = 50_000
"""Objects made between two looks for cycles: most that a command makes, its modules and tables, lasts as long as it does."""


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Stop, and at the latest after some seconds: what waits for others, or has lost the exception, ends by the alarm."""
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LAST_S)
    raise KeyboardInterrupt


def main() -> None:
    """Run a command."""
    gc.set_threshold(COLLECTED_EVERY)
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # one started in the background ignores it
            signal.signal(signal.SIGINT, _interrupted)
        from rackecon.cli import main as run
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
