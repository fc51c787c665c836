"""Sweeps that outgrow memory, patience or one machine: chunks written as they finish, resumed, merged in order."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Final

from rackecon.errors import InputError
from rackecon.sweeps.chunk import chunk_bytes, data_digests
from rackecon.sweeps.grid import Grid, grid_digest, grid_from_text, points_a_search, read_grid, size_of
from rackecon.sweeps.workers import workers_at

__all__ = ["chunk_points", "sweep", "sweep_record"]

CHUNK_S: Final = 1.0
"""Processor time that a chunk is meant to take, given that of a search and of a point's money [s]."""
SEARCH_S: Final = 5e-3
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
    199
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
        "data": data_digests(),
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
    if not output.parent.is_dir():
        raise InputError(f"{output}: its folder does not exist")
    chunk = chunk_points(grid_from_text(text)) if chunk is None else chunk
    if chunk < 1 or jobs < 1:
        raise InputError("--chunk and --jobs must be 1 or more")
    record = sweep_record(text, chunk)
    parts = output.with_name(output.name + ".parts")
    _claim(parts, record)
    total, last = record["points"], -(-record["points"] // chunk)
    missing = [number for number in range(last) if not _part(parts, number).is_file()]
    done = total - sum(min(chunk, total - number * chunk) for number in missing)
    if progress:
        progress(done, total)
    for number, held in _computed(text, missing, chunk, total, record["data"], jobs, scheduler):
        _write_part(parts, number, held)
        done += min(chunk, total - number * chunk)
        if progress:
            progress(done, total)
    _merge(parts, output, last, record)
    shutil.rmtree(parts)
    return record


def _part(parts: Path, number: int) -> Path:
    return parts / f"part-{number:07d}.parquet"


def _claim(parts: Path, record: dict[str, Any]) -> None:
    """Start or continue: chunks of another grid, other data or another version are never mixed in."""
    manifest = parts / "manifest.json"
    if manifest.is_file():
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        differs = [name for name in record if found.get(name) != record[name] and name != "parameters"]
        if differs:
            raise InputError(
                f"{parts.name} holds an unfinished sweep of another {' and '.join(differs)}; "
                "finish that one, remove the folder, or choose another --output"
            )
        return
    parts.mkdir(exist_ok=True)
    if any(parts.glob("part-*.parquet")):
        raise InputError(f"{parts.name} holds chunks without a manifest; remove the folder")
    fresh = parts / ".manifest.new"
    fresh.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, manifest)


def _write_part(parts: Path, number: int, held: bytes) -> None:
    fresh = parts / f".part-{number:07d}.new"
    fresh.write_bytes(held)
    os.replace(fresh, _part(parts, number))


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
                yield number, held


def _merge(parts: Path, output: Path, last: int, record: dict[str, Any]) -> None:
    """All chunks in point order, in row groups of a fixed size."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fresh = output.with_name(f".{output.name}.new")
    about = json.dumps(record, sort_keys=True)
    schema = pq.read_schema(_part(parts, 0)).with_metadata({b"rackecon": about.encode()})
    with pq.ParquetWriter(fresh, schema, compression="zstd") as writer:
        held: list[Any] = []
        rows = 0
        for number in range(last):
            held.append(pq.read_table(_part(parts, number)))
            rows += held[-1].num_rows
            while rows >= ROW_GROUP or (number == last - 1 and rows):
                table = pa.concat_tables(held).combine_chunks()
                writer.write_table(table.slice(0, ROW_GROUP).cast(schema), row_group_size=ROW_GROUP)
                rest = table.slice(ROW_GROUP)
                held, rows = [rest] if rest.num_rows else [], rest.num_rows
    os.replace(fresh, output)
