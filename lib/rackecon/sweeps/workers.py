"""Who computes the chunks of a sweep: local processes, or the workers of a Dask cluster, behind one way to hand out work."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol

from rackecon.errors import InputError


class Workers(Protocol):
    """A number of workers, each given one piece of work at a time."""

    count: int

    def submit(self, worker: int, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Hand work to a worker."""

    def renew(self, worker: int) -> None:
        """Put a new worker in place of one that died."""


def leave_with_parent() -> None:
    """End this worker when the process that started it is gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Processes:
    """Local processes, each in a pool of its own: one that is killed takes no other's chunk with it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pools = [self._pool() for _ in range(count)]

    @staticmethod
    def _pool() -> Executor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=leave_with_parent)

    def submit(self, worker: int, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            return self.pools[worker].submit(work, *arguments)
        except BrokenProcessPool:  # it died while it had nothing to do
            self.renew(worker)
            return self.pools[worker].submit(work, *arguments)

    def renew(self, worker: int) -> None:
        self.pools[worker].shutdown(wait=False)
        self.pools[worker] = self._pool()

    def close(self, *, at_once: bool) -> None:
        for pool in self.pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children() if at_once else ():
            process.kill()  # its chunk would keep this process for as long as it takes


class _Cluster:
    """Workers of a Dask cluster, which replaces one that dies by itself."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.count = max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)
        self.pool = client.get_executor(pure=False)

    def submit(self, worker: int, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        handed: Future[Any] = self.pool.submit(work, *arguments)
        return handed

    def renew(self, worker: int) -> None:
        """Nothing to do."""


def _version() -> str:
    import rackecon

    return rackecon.__version__


def check_versions(client: Any, scheduler: str) -> None:
    """Every worker of a cluster has this library, of this version.

    Raises
    ------
    InputError
        One has not: one line.
    """
    try:
        found: dict[str, str] = client.run(_version)
    except Exception as fault:  # a worker without it fails in the way of whatever it lacks
        raise InputError(f"the workers at {scheduler} cannot load rackecon {_version()}: {str(fault)[:200]}") from None
    for worker, version in found.items():
        if version != _version():
            raise InputError(f"worker {worker} has rackecon {version}, this is {_version()}")


@contextmanager
def workers_at(scheduler: str | None, jobs: int) -> Iterator[Workers]:
    """Workers to hand out to, given back at the end.

    Parameters
    ----------
    scheduler : str or None
        Address of a Dask scheduler; local processes by default.
    jobs : int
        Local processes.

    Raises
    ------
    InputError
        No Dask, or no scheduler at the address.
    """
    if scheduler is None:
        local = _Processes(jobs)
        try:
            yield local
        except BaseException:
            local.close(at_once=True)
            raise
        local.close(at_once=False)
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--scheduler needs the extra 'dask': pip install 'rackecon[dask]'") from None
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError, TypeError):
        raise InputError(f"no Dask scheduler answers at {scheduler}") from None
    try:
        check_versions(client, scheduler)
        yield _Cluster(client)
    finally:
        client.close()
