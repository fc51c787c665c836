"""Kernels forked from one process that has imported what notebooks import: none of them pays for it again.

Such a kernel is ipykernel's own, with the same arguments and environment as one that is started afresh. Where processes
cannot be forked, kernels are started afresh.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

__all__ = ["end_kernels", "kernels"]

IMPORTED: Final = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "matplotlib_inline.backend_inline",
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
NAME: Final = "notebook kernel"


def _serve(arguments: list[str], cwd: str, environment: Mapping[str, str]) -> None:
    """Be a kernel: the body of a forked process."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    os.setsid()  # an interrupt of the terminal is the report's to handle
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance(parent_handle=os.getppid())
    app.initialize(arguments)
    app.start()


class _Process:
    """A forked process with the methods of :class:`subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def __init__(self, process: Any) -> None:
        self._process, self.pid = process, process.pid
        self.terminate, self.kill = process.terminate, process.kill

    def poll(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def wait(self) -> int | None:
        self._process.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class _Provisioner(LocalProvisioner):
    """Forks where the usual one starts a program."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(IMPORTED))
        given = (arguments, str(kwargs.get("cwd") or os.getcwd()), dict(kwargs.get("env") or os.environ))
        process = context.Process(target=_serve, args=given, daemon=True, name=NAME)
        process.start()
        popen: Any = _Process(process)
        self.process, self.pid, self.cwd = popen, process.pid, kwargs.get("cwd")
        return self.connection_info


class WarmKernels(AsyncKernelManager):
    """Manager of forked kernels."""

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or kwargs.pop("kernel_id", None) or "warm"
            self.provisioner = _Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        return await super()._async_pre_start_kernel(**kwargs)


def end_kernels() -> None:
    """End every kernel that this process runs."""
    for process in multiprocessing.active_children():
        if process.name == NAME:
            process.kill()


def kernels() -> dict[str, Any]:
    """Options of papermill for forked kernels; none where processes cannot be forked, or kernels are no ipykernels."""
    forks = "forkserver" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return {"kernel_manager_class": WarmKernels} if forks else {}
