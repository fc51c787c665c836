"""Kernels forked from one process that has imported what notebooks import: none of them pays for it again.

Such a kernel is ipykernel's own, with the same arguments and environment as one that is started afresh. Where processes
cannot be forked, kernels are started afresh.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

IMPORTED: Final = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "rackecon.notebook",
    "rackecon.answer.summary",
    "rackecon.answer.deciding",
    "rackecon.claims.assess",
    "rackecon.figures.charts",
    "rackecon.pages.summary_view",
    "rackecon.pages.uncertainty_page",
    "rackecon.uncertainty.sensitivity",
    "rackecon.walks.walk",
    "altair",
    "jsonschema",
    "pandas",
    "PIL.Image",
    "scipy.stats",
    "vl_convert",
)
"""Modules that most notebooks use."""
HOST: Final = "from rackecon.press.kernels import host; host(alone={alone})"


def host(imported: Sequence[str] = IMPORTED, alone: bool = False) -> None:
    """Import once, then fork a kernel for each line asked on standard input, until that ends; print each one's number.

    A kernel that is expected ``alone`` imports for itself, which is less; the import waits for a second one.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that end are not waited for
    waiting, mine = imported if alone else _import(imported), os.getpid()
    for line in sys.stdin:
        if waiting and not alone:
            waiting = _import(waiting)
        alone = False
        number = os.fork()
        if number == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(mine, **json.loads(line))
        print(number, flush=True)


def _import(names: Sequence[str]) -> tuple[str, ...]:
    """Import what kernels will use; what is left to import: none."""
    for name in names:
        with suppress(ImportError):  # the cell that needs it says so
            import_module(name)
    gc.freeze()  # what is imported is no garbage of any kernel
    return ()


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


class _Host:
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


_HOST: Final = _Host()


class _Process:
    """A forked process with the methods of :class:`subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            _HOST.running.discard(self.pid)
            return 0
        return None

    def wait(self) -> int | None:
        while self.poll() is None:
            time.sleep(0.02)
        return 0

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Provisioner(LocalProvisioner):
    """Forks where the usual one starts a program."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        where = str(kwargs.get("cwd") or os.getcwd())
        pid = _HOST.fork(arguments=arguments, cwd=where, environment=dict(kwargs.get("env") or os.environ))
        popen: Any = _Process(pid)
        self.process, self.pid, self.cwd = popen, pid, kwargs.get("cwd")
        return self.connection_info


class WarmKernels(AsyncKernelManager):
    """Manager of forked kernels."""

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or kwargs.pop("kernel_id", None) or "warm"
            self.provisioner = _Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        return await super()._async_pre_start_kernel(**kwargs)

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:  # a kernel that ends has no cell to stop, and would say that it was stopped
            await super()._async_interrupt_kernel()

    async def _end(self, now: bool = False, restart: bool = False) -> None:
        await super()._async_shutdown_kernel(now=True, restart=restart)

    shutdown_kernel = _end
    """A page's kernel has nothing to put away, so that it ends at once, whatever it does."""


def expect(pages: int) -> None:
    """How many pages are about to ask for a kernel: what the first one's process imports before it is forked hangs on it."""
    _HOST.alone = pages == 1
    if pages > 1 and kernels():  # it imports while this process does
        _HOST.start()


def end_kernels() -> None:
    """End every kernel that this process runs."""
    for number in list(_HOST.running):
        _Process(number).kill()


def kernels() -> dict[str, Any]:
    """Options of papermill for forked kernels; none where processes cannot safely be forked."""
    return {"kernel_manager_class": WarmKernels} if sys.platform == "linux" else {}
