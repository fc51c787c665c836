"""``rackecon calibrate``: fit the serving parameters to the measured tables, score what was held out, write both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer


def calibrate(
    report: Annotated[
        bool, typer.Option(help="Also score on held-out curves, models, accelerators and later dates.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Fit and print; write nothing.")] = False,
    physics: Annotated[bool, typer.Option(help="Fit the physics anew; without it only the residual around it.")] = True,
    only: Annotated[
        str, typer.Option(help="Words, with commas between: fit only the parameters whose names hold one of them.")
    ] = "",
    shipped: Annotated[bool, typer.Option(help="Write to data/, for a fit to be committed.")] = False,
    power: Annotated[bool, typer.Option(help="Fit and score drawn power alone, for data/ (with --shipped).")] = False,
    agents: Annotated[bool, typer.Option(help="Fit what replays of coding agents say alone, and score it.")] = False,
    scales: Annotated[
        bool, typer.Option(help="Choose the scales of the learned residual anew, on rows left out in four ways.")
    ] = False,
) -> None:
    """Fit the serving parameters to measured points and write them to your own folder, where they replace data/'s."""
    from rackecon.economics.energy import power_fit
    from rackecon.evidence.record import run
    from rackecon.evidence.scales import record as choose_scales
    from rackecon.load.agentic_runs import record

    lines: Iterable[str]
    if scales:
        lines = choose_scales(not dry_run, shipped)
    elif power:
        lines = power_fit(shipped and not dry_run)
    elif agents:
        lines = record(not dry_run, shipped)
    else:
        lines = run(
            report=report,
            write=not dry_run,
            shipped=shipped,
            physics=physics,
            only=[x.strip() for x in only.split(",") if x.strip()],
        )
    for line in lines:
        typer.echo(line)
