"""``rackecon plan``: which racks to buy for a site and its traffic, and what runs on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rackecon.errors import InputError

if TYPE_CHECKING:
    from rackecon.planner.plan import PlanResult
    from rackecon.planner.records import Plan

SHOWN = ("accelerator", "bought", "kept", "power_mw", "investment_usd", "busy_share", "next_rack_usd", "entry_factor")
STEP_S = 0.2


def plan(
    file: Annotated[Path, typer.Argument(help="YAML of a plan, such as data/plans/site_20mw.yaml.")],
    time_limit: Annotated[float | None, typer.Option("--time-limit", min=0.1, help="Seconds to solve.")] = None,
    flows: Annotated[Path | None, typer.Option("--flows", help="Write what runs where to this CSV.")] = None,
    draws: Annotated[int, typer.Option("--draws", help="Futures, a power of two, that the plan is held against.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Racks to buy, what runs on them, what binds, and what one more megawatt or dollar is worth."""
    from rackecon.catalog.written import check_output, write_file
    from rackecon.planner.plan import described
    from rackecon.planner.records import read_plan

    if flows is not None:
        check_output(flows)
    asked = read_plan(file)
    try:
        found = _solved(asked, asked.time_limit_s if time_limit is None else time_limit, quiet)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from None
    for line in described(found):
        typer.echo(line)
    columns = [name for name in SHOWN if name in found.racks]
    typer.echo(found.racks[columns].to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    if draws:
        for line in _futures(found, draws, quiet):
            typer.echo(line)
    if flows is not None:
        write_file(flows, found.flows.to_csv(index=False, lineterminator="\n", float_format="%.6g"))


def _solved(asked: Plan, limit_s: float, quiet: bool) -> PlanResult:
    """The plan, with a bar of the time that is left to it at most; the solver leaves the interpreter free meanwhile."""
    from concurrent.futures import ThreadPoolExecutor
    from concurrent.futures import TimeoutError as NotYet

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TimeElapsedColumn

    from rackecon.planner.plan import plan as solve

    columns = (BarColumn(), TimeElapsedColumn(), "{task.description}")
    with (
        ThreadPoolExecutor(1) as pool,
        Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar,
    ):
        job = pool.submit(solve, asked, time_limit_s=limit_s)
        task = bar.add_task("", total=limit_s)
        while True:
            try:
                return job.result(timeout=STEP_S)
            except NotYet:
                if job.done():
                    return job.result()
                left = limit_s - (bar.tasks[0].elapsed or 0.0)
                bar.update(task, advance=STEP_S, description=f"at most {max(left, 0.0):.0f} s of search left")


def _futures(found: PlanResult, draws: int, quiet: bool) -> list[str]:
    """How the plan fares in draws of every uncertain input, and which plan regrets least."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from rackecon.planner.regret import regret, told

    columns = (BarColumn(), MofNCompleteColumn(), "futures, left", TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("", total=draws)
        judged = regret(found, draws=draws, progress=lambda done, total: bar.update(task, completed=done, total=total))
    return told(judged)
