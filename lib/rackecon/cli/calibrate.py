"""``rackecon calibrate``: fit the serving parameters to the measured tables, score what was held out, write both."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def calibrate(
    report: Annotated[bool, typer.Option(help="Also score on held-out curves, models and accelerators.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Fit and print; write nothing.")] = False,
    shipped: Annotated[bool, typer.Option(help="Write to data/, for a fit to be committed.")] = False,
    power: Annotated[bool, typer.Option(help="Fit and score drawn power alone, for data/ (with --shipped).")] = False,
) -> None:
    """Fit the serving parameters to measured points and write them to your own folder, where they replace data/'s."""
    from rackecon.economics.energy import power_fit
    from rackecon.evidence.record import run

    if power:
        for line in power_fit(shipped and not dry_run):
            typer.echo(line)
        return
    for line in run(report=report, write=not dry_run, shipped=shipped):
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(calibrate)
