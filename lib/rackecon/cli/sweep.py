"""``rackecon sweep``: a grid of parameters into one Parquet file."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer


def sweep(
    grid: Annotated[Path, typer.Argument(help="YAML with fixed:, grid:, list:, sobol:.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.")],
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Local worker processes; 0: one per core.")] = 0,
    chunk: Annotated[
        int | None, typer.Option("--chunk", help="Points per chunk; about a second's worth by default.")
    ] = None,
    scheduler: Annotated[str | None, typer.Option("--scheduler", help="Dask scheduler, tcp://HOST:PORT.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Evaluate every point of a grid; interrupted and restarted it continues where it was."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    from rackecon.sweeps.sweep import sweep as run

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "left", TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=quiet)
    task = bar.add_task("points", total=None)
    with ExitStack() as shown:

        def progress(done: int, total: int) -> None:
            if bar.tasks[0].total is None:  # a fault of the file is told before a bar is drawn
                shown.enter_context(bar)
            bar.update(task, completed=done, total=total)

        record = run(
            grid, output, jobs=jobs or os.cpu_count() or 1, chunk=chunk, scheduler=scheduler, progress=progress
        )
    typer.echo(f"{output}: {record['points']:,} points")
