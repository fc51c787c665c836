"""``rackecon calibrate``: fit the serving parameters to the measured tables, score what was held out, write both to the user's own folder."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def calibrate(
    report: Annotated[bool, typer.Option(help="Also score on held-out curves, models and accelerators.")] = False,
    shipped: Annotated[bool, typer.Option(help="Write into data/: what everyone gets.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Fit and print; write nothing.")] = False,
) -> None:
    """Fit the serving parameters to measured points, your own included; write them to your own folder.

    Your calibration is read in place of the shipped one from then on; delete its files to go back.
    """
    from rackecon.evidence.record import run

    for line in run(report=report, write=not dry_run, shipped=shipped):
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(calibrate)
