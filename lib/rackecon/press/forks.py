"""The process that imports what notebooks import, once, and that their kernels are forked from.

It takes nothing of Jupyter's to start it, so that it imports while the process that asks for kernels still does.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

EVERY: Final = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.debugger",
    "psutil",
    "tornado.platform.asyncio",
    "tornado.queues",
    "rackecon.notebook",
    "rackecon.figures.renderer",
    "pandas",
    "altair",
    "jsonschema",
    "sqlite3",
    "PIL.PngImagePlugin",
    "IPython.core.oinspect",
    "rackecon.figures.pictures",
)
"""Modules that every kernel takes: to begin with, or for the first chart of its notebook."""
IMPORTED: Final = (
    *EVERY,
    "rackecon.answer.summary",
    "rackecon.answer.deciding",
    "rackecon.claims.assess",
    "rackecon.figures.charts",
    "rackecon.pages.summary_view",
    "rackecon.pages.uncertainty_page",
    "rackecon.uncertainty.sensitivity",
    "rackecon.walks.walk",
    "rackecon.load.derived",
    "rackecon.pages.agents",
    "scipy.stats",
    "vl_convert",
)
"""Modules that most notebooks use."""
FORKS: Final = sys.platform == "linux"
"""Whether processes can safely be forked."""
QUIET: Final = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
"""Environment in which a debugger that is imported, and debugs nothing, says nothing."""
HOST: Final = "from rackecon.press.forks import host; host(alone={alone})"


def host(imported: Sequence[str] = IMPORTED, alone: bool = False, reading: bool = True) -> None:
    """Import and read once, then fork a kernel for each line asked on standard input, until that ends; print each one's number.

    A kernel that is expected ``alone`` does for itself what not every notebook needs; that waits for a second one.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that end are not waited for
    _prepare(EVERY if alone else imported, reading and not alone)
    mine, waiting = os.getpid(), alone
    for line in sys.stdin:
        if waiting and not alone:
            _prepare(imported, reading)
            waiting = False
        alone = False
        number = os.fork()
        if number == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(mine, **json.loads(line))
        print(number, flush=True)


def _prepare(imported: Sequence[str], reading: bool) -> None:
    """Import and read what kernels will use."""
    for name in imported:
        with suppress(ImportError):  # the cell that needs it says so
            import_module(name)
    for first in (_read, _draw) if reading else ():
        with suppress(Exception):  # whatever is wrong, the cell that needs it says so
            first()
    gc.freeze()  # what is there is no garbage of any kernel


def _read() -> None:
    """Read the tables and lay out the engines that most notebooks begin with, those of the summary: kernels remember them."""
    from rackecon.appraisal.evaluate import evaluate
    from rackecon.appraisal.parameters import notebook_path, read_parameters
    from rackecon.catalog.kept import FOLDER
    from rackecon.catalog.paths import read_ahead
    from rackecon.pages.summary_view import PAGE

    os.environ.pop(FOLDER, None)  # each kernel is told its own
    with read_ahead():
        asked = {name: item.default for name, item in read_parameters(notebook_path(PAGE)).items()}
        evaluate(asked["accelerators"], asked["models"], [asked["scenario"]])


def _draw() -> None:
    """Draw a chart: what a first one takes beside modules is the schema that it is held to."""
    import pandas as pd
    from PIL import Image

    from rackecon.figures.charts import stacked_bars

    titles = dict.fromkeys(("title", "subtitle", "x_title"), "")
    stacked_bars(
        pd.DataFrame({"value": [1.0], "of": [""], "part": [""]}), x="value", y="of", part="part", **titles
    ).to_dict()
    Image.preinit()


def _become(host_number: int, arguments: list[str], cwd: str, environment: dict[str, str]) -> None:
    """Be a kernel: the body of a forked process. It ends with the host, as one started afresh ends with its client.

    The host may end while its kernel still imports: whoever is the parent by then says nothing of that.
    """
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    os.setsid()
    from ipykernel.kernelapp import IPKernelApp

    try:
        app = IPKernelApp.instance(parent_handle=host_number)
        app.initialize(arguments)
        if os.getppid() == host_number:
            app.start()
    finally:
        os._exit(0)


class Host:
    """The process that has imported, started when the first kernel is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.running: set[int] = set()
        self.alone = False

    def start(self) -> subprocess.Popen[str]:
        """The process, which begins to import."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", HOST.format(alone=self.alone)],
                env=os.environ | QUIET,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # an interrupt of the terminal is the report's to handle
                text=True,
            )
        return self._process

    def fork(self, **asked: Any) -> int:
        """Number of a new kernel's process."""
        with self._lock:
            process = self.start()
            asks, tells = process.stdin, process.stdout
            assert asks is not None
            assert tells is not None
            asks.write(json.dumps(asked) + "\n")
            asks.flush()
            told = tells.readline()
            if not told:
                raise RuntimeError("the process that kernels are forked from ended")
            number = int(told)
            self.running.add(number)
            return number


RUNNING: Final = Host()
"""That of this process."""


def expect(pages: int) -> None:
    """How many pages are about to ask for a kernel: what the first one's process imports before it is forked hangs on it."""
    RUNNING.alone = pages == 1
    if FORKS:  # it imports while this process does
        RUNNING.start()
