"""Sweeps that outgrow memory, patience or one machine: chunks written as they finish, resumed, merged in order."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rackecon.catalog.paths import listed, table_digests
from rackecon.catalog.text_file import read_text
from rackecon.catalog.written import check_output, locked, whole_file, write_file
from rackecon.errors import InputError
from rackecon.sweeps.chunk import chunk_bytes
from rackecon.sweeps.grid import Grid, grid_digest, grid_from_text, points_a_search, read_grid, size_of
from rackecon.sweeps.workers import workers_at

PARTS: Final = "part-*.parquet"
CHUNK_S: Final = 1.0
"""Processor time that a chunk is meant to take, given that of a search and of a point's money [s]."""
SEARCH_S: Final = 2e-3
MONEY_S: Final = 5e-6
MOST_POINTS: Final = 10_000
FEWEST_CHUNKS: Final = 8
ROW_GROUP: Final = 100_000
MOST_LOSSES: Final = 5  # workers that died at one chunk: the chunk itself is the fault


def chunk_points(grid: Grid) -> int:
    """Points of a chunk that takes about a second, in whole searches where these are shorter; of the grid alone.

    Workers then share from the first hundred points, progress moves, and an interruption costs seconds.

    Examples
    --------
    >>> text = "{fixed: {accelerator: h100-sxm, model: gpt-oss-120b, osl_tokens: 1000}, grid: {isl_tokens: %s}}"
    >>> chunk_points(grid_from_text(text % "{from: 1000, to: 8000, points: 100}"))
    13
    >>> chunk_points(grid_from_text(text % "{from: 1000, to: 8000, points: 100000}"))
    498
    """
    run, total = points_a_search(grid), size_of(grid)
    usual = min(CHUNK_S / (SEARCH_S / run + MONEY_S), MOST_POINTS, -(-total // FEWEST_CHUNKS))
    whole = max(int(usual), 1)
    return -(-whole // run) * run if run <= whole else whole


def sweep_record(text: str, chunk: int) -> dict[str, Any]:
    """What a sweep is made of: its grid, the data and the version."""
    import rackecon

    return {
        "version": rackecon.__version__,
        "grid": grid_digest(text),
        "parameters": grid_from_text(text).model_dump(mode="json", by_alias=True),
        "points": size_of(grid_from_text(text)),
        "chunk": chunk,
        "data": table_digests(),
    }


def sweep(
    grid_file: Path,
    output: Path,
    *,
    jobs: int = 1,
    chunk: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Evaluate every point of a grid file into one Parquet file.

    Parameters
    ----------
    grid_file : Path
        YAML (see :mod:`rackecon.sweeps.grid`).
    output : Path
        Parquet file; until it is complete its chunks lie in ``OUTPUT.parts/``.
    jobs : int
        Local worker processes; 1 works in this process.
    chunk : int
        Points per chunk: what an interruption may cost each worker; those of :func:`chunk_points` by default.
    scheduler : str, optional
        Address of a Dask scheduler in place of local processes.
    progress : callable, optional
        Called with (points done, points in all).

    Returns
    -------
    dict
        The record, also in the file's metadata under ``rackecon``.

    Raises
    ------
    InputError
        A bad grid, another sweep's chunks at the output, no cluster at the address.

    Notes
    -----
    Content depends on the grid, the data, the version and the chunk size, never on the workers.

    Examples
    --------
    >>> import tempfile
    >>> text = "fixed: {accelerator: h100-sxm, model: gpt-oss-20b, isl_tokens: 1000, osl_tokens: 500}\\n"
    >>> text += "grid: {utilisation: [0.4, 0.6, 0.8]}"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "grid.yaml"
    ...     _ = path.write_text(text)
    ...     sweep(path, path.with_name("out.parquet"))["points"]
    3
    """
    text = read_grid(grid_file)
    check_output(output)
    chunk = chunk_points(grid_from_text(text)) if chunk is None else chunk
    if chunk < 1 or jobs < 1:
        raise InputError("--chunk and --jobs must be 1 or more")
    record = sweep_record(text, chunk)
    with _chunks_of(output, record) as chunks:
        total, last = record["points"], -(-record["points"] // chunk)
        missing = [number for number in range(last) if chunks.read(number) is None]
        done = total - sum(min(chunk, total - number * chunk) for number in missing)
        if progress:
            progress(done, total)
        for number, held in _computed(text, missing, chunk, total, record["data"], jobs, scheduler):
            chunks.write(number, held)
            done += min(chunk, total - number * chunk)
            if progress:
                progress(done, total)
        _merge(chunks, output, last, record)
    return record


class _Chunks:
    """The finished chunks of a sweep, each named by its number and a digest of the sweep, the number and its bytes."""

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder = folder
        self.sweep = json.dumps(_made_of(record), sort_keys=True)
        self.kept: dict[str, Path] = {path.name[: len(_stem(0))]: path for path in listed(folder, PARTS)}

    def _name(self, number: int, held: bytes) -> str:
        digest = hashlib.sha256(f"{self.sweep}\0{number}\0".encode() + held).hexdigest()
        return f"{_stem(number)}-{digest[:16]}.parquet"

    def read(self, number: int) -> bytes | None:
        """Bytes of a chunk; one that is another's, or damaged, is removed and made again."""
        path = self.kept.get(_stem(number))
        if path is None or not path.is_file():
            return None
        held = path.read_bytes()
        if path.name == self._name(number, held):
            return held
        path.unlink()
        return None

    def write(self, number: int, held: bytes) -> None:
        """Keep a chunk."""
        path = self.kept[_stem(number)] = self.folder / self._name(number, held)
        write_file(path, held)


def _stem(number: int) -> str:
    return f"part-{number:09d}"


def _made_of(record: dict[str, Any]) -> dict[str, Any]:
    """What tells one sweep from another."""
    return {name: value for name, value in record.items() if name != "parameters"}


@contextmanager
def _chunks_of(output: Path, record: dict[str, Any]) -> Iterator[_Chunks]:
    """Where the chunks lie until the output is whole; what cannot start, or has begun nothing, leaves no folder."""
    folder = output.with_name(output.name + ".parts")
    fresh = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        with locked(folder, f"{output}: another sweep writes it now"):
            try:
                _claim(folder, record)
                yield _Chunks(folder, record)
                for path in listed(folder, PARTS):  # before what says whose they are
                    path.unlink()
                shutil.rmtree(folder)
            finally:
                if fresh and not any(listed(folder, PARTS)):
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as fault:
        raise InputError(f"{output}: cannot be written: {fault.strerror or fault}") from None


def _claim(parts: Path, record: dict[str, Any]) -> None:
    """Start or continue: chunks of another grid, other data or another version are never mixed in."""
    manifest = parts / "manifest.json"
    if manifest.is_file():
        try:
            found = json.loads(read_text(manifest))
        except (InputError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{parts.name}: its manifest.json cannot be read; remove the folder")
        differs = [name for name, value in _made_of(record).items() if found.get(name) != value]
        if differs:
            raise InputError(
                f"{parts.name} holds an unfinished sweep of another {' and '.join(differs)}; "
                "finish that one, remove the folder, or choose another --output"
            )
        return
    if any(listed(parts, PARTS)):
        raise InputError(f"{parts.name} holds chunks without a manifest; remove the folder")
    write_file(manifest, json.dumps(record, indent=1) + "\n")


def _computed(
    text: str, missing: list[int], chunk: int, total: int, digests: dict[str, str], jobs: int, scheduler: str | None
) -> Iterator[tuple[int, bytes]]:
    """Chunks as they finish, in any order.

    A worker is given its next chunk when its last one is written, so that an interruption costs each at most one.
    """

    def arguments(number: int) -> tuple[str, int, int, dict[str, str]]:
        return text, number * chunk, min(chunk, total - number * chunk), digests

    if not missing:
        return
    if scheduler is None and jobs == 1:
        for number in missing:
            yield number, chunk_bytes(*arguments(number))
        return
    losses: Counter[int] = Counter()
    waiting = deque(missing)
    running: dict[Future[bytes], tuple[int, int]] = {}
    with workers_at(scheduler, min(jobs, len(missing))) as workers:
        idle = list(range(workers.count))
        while waiting or running:
            while waiting and idle:
                number, worker = waiting.popleft(), idle.pop()
                running[workers.submit(worker, chunk_bytes, *arguments(number))] = (number, worker)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, worker = running.pop(future)
                idle.append(worker)
                try:
                    held = future.result()
                except BrokenProcessPool:
                    losses[number] += 1
                    if losses[number] >= MOST_LOSSES:
                        raise InputError(
                            f"workers died {losses[number]} times at one chunk; try a smaller --chunk"
                        ) from None
                    workers.renew(worker)
                    waiting.appendleft(number)
                    continue
                except (InputError, MemoryError):
                    raise
                except Exception as fault:  # of the cluster: whatever its machines and its network come to
                    if scheduler is None:
                        raise
                    raise InputError(
                        f"the cluster at {scheduler} failed ({type(fault).__name__}: {str(fault)[:200]}); "
                        "what is finished is kept: run it again to go on"
                    ) from None
                yield number, held


def _merge(chunks: _Chunks, output: Path, last: int, record: dict[str, Any]) -> None:
    """All chunks in point order, in row groups of a fixed size."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def table_of(number: int) -> Any:
        kept = chunks.read(number)
        if kept is None:
            raise InputError(f"{output}: chunk {number} was damaged or removed meanwhile; run it again")
        return pq.ParquetFile(pa.BufferReader(kept)).read()  # read_table would import pandas

    about = json.dumps(record, sort_keys=True)
    schema = table_of(0).schema.with_metadata({b"rackecon": about.encode()})
    with whole_file(output) as handle, pq.ParquetWriter(handle, schema, compression="zstd") as writer:
        held: list[Any] = []
        rows = 0
        for number in range(last):
            held.append(table_of(number))
            rows += held[-1].num_rows
            while rows >= ROW_GROUP or (number == last - 1 and rows):
                table = pa.concat_tables(held).combine_chunks()
                writer.write_table(table.slice(0, ROW_GROUP).cast(schema), row_group_size=ROW_GROUP)
                rest = table.slice(ROW_GROUP)
                held, rows = [rest] if rest.num_rows else [], rest.num_rows
