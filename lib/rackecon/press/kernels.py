"""Kernels forked from one process that has imported what notebooks import: none of them pays for it again.

Such a kernel is ipykernel's own, with the same arguments and environment as one that is started afresh. Where processes
cannot be forked, kernels are started afresh.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from rackecon.press import forks
from rackecon.press.forks import FORKS


class _Process:
    """A forked process with the methods of :class:`subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            forks.RUNNING.running.discard(self.pid)
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
        pid = forks.RUNNING.fork(arguments=arguments, cwd=where, environment=dict(kwargs.get("env") or os.environ))
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


def end_kernels() -> None:
    """End every kernel that this process runs."""
    for number in list(forks.RUNNING.running):
        _Process(number).kill()


def kernels() -> dict[str, Any]:
    """Options of papermill for forked kernels; none where processes cannot safely be forked."""
    return {"kernel_manager_class": WarmKernels} if FORKS else {}
