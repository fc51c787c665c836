"""One process that draws the charts of all pages of a report: the engine behind them takes most of a second to start.

A kernel that finds no such process, or gets no answer, draws for itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from threading import Thread
from typing import Final

ADDRESS: Final = "RACKECON_RENDERER"
"""Variable that names the process's socket."""
VL_VERSION: Final = "6.4"
SERVE: Final = "import sys; from rackecon.figures.renderer import serve; serve(sys.argv[1])"


def png_of(spec: str) -> bytes:
    """A chart's specification as a picture."""
    address = os.environ.get(ADDRESS)
    if address:
        with suppress(OSError, EOFError), Client(address, "AF_UNIX") as asked:
            asked.send_bytes(spec.encode())
            return asked.recv_bytes()
    return _drawn(spec)


def _drawn(spec: str) -> bytes:
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(spec, vl_version=VL_VERSION, scale=1, ppi=72))


@contextmanager
def renderer(folder: Path) -> Iterator[None]:
    """The process, for the kernels that are started inside; its socket lies in a folder."""
    before, address = os.environ.get(ADDRESS), str(folder / "renderer")
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVE, address], stdin=subprocess.PIPE, start_new_session=True
    )
    os.environ[ADDRESS] = address
    try:
        yield
    finally:
        os.environ.pop(ADDRESS) if before is None else os.environ.update({ADDRESS: before})
        process.communicate()


def serve(address: str) -> None:
    """Draw what is asked for at a socket, until standard input ends."""
    Thread(target=_listen, args=(address,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)


def _listen(address: str) -> None:
    with Listener(address, "AF_UNIX") as listener:
        while True:
            Thread(target=_answer, args=(listener.accept(),), daemon=True).start()


def _answer(asked: Connection) -> None:
    with asked, suppress(Exception):  # the kernel, left without an answer, draws it again and says what is wrong
        asked.send_bytes(_drawn(asked.recv_bytes().decode()))
