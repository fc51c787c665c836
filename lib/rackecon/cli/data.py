"""``rackecon data``: check the tables."""

from __future__ import annotations

import typer

__all__ = ["group", "register"]

group = typer.Typer(no_args_is_help=True, help="The tables of data/: check them, add to them.")


@group.command()
def check() -> None:
    """Validate every table of data/ and list what is stale."""
    from rackecon.catalog.check import check_data

    found = check_data()
    for line in found.remarks:
        typer.echo(line)
    for line in found.faults:
        typer.echo(f"rackecon: {line}", err=True)
    typer.echo(
        f"{found.tables} tables, {found.rows:,} rows, {len(found.faults)} faults, {len(found.remarks)} stale prices"
    )
    if found.faults:
        raise typer.Exit(2)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="data")
