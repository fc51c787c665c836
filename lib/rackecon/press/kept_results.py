"""Where a checkout keeps what its pages share, and kernels that take from there: JupyterLab, papermill and `rackecon report` alike."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from rackecon.catalog.kept import FOLDER
from rackecon.catalog.paths import in_checkout
from rackecon.press.stamps import LIBRARY, common


def kept_home() -> Path | None:
    """Folder of a checkout that holds one for each state of library and tables; none of an installed library."""
    checkout = in_checkout("reports")
    return checkout.parent / "build" / "kept" if checkout else None


def kept_folder(home: Path) -> Path:
    """That of the state there is now."""
    return home / common()[:16]


def share_with_report() -> None:
    """In a notebook's kernel, take what the last report worked out, and leave what is worked out here for the next.

    A kernel whose library was edited since it began takes and leaves nothing: what it runs is neither the old state nor the new.
    That is asked before each cell, as code is loaded again between cells.
    """
    shell, home = _shell(), kept_home()
    if home is None or FOLDER in os.environ or not hasattr(shell, "kernel"):
        return
    began, folder = _written(), str(kept_folder(home))

    def look(*_: object) -> None:
        if os.environ.get(FOLDER) == folder and _written() != began:
            del os.environ[FOLDER]

    os.environ[FOLDER] = folder
    shell.events.register("pre_run_cell", look)


def _shell() -> Any:
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _written() -> tuple[int, int]:
    """How many files the library has, and when the last of them was written [ns]: a thousandth of a second."""
    times = [
        os.stat(os.path.join(place, name)).st_mtime_ns
        for place, _, names in os.walk(LIBRARY)
        if not place.endswith("__pycache__")
        for name in names
    ]
    return len(times), max(times)
