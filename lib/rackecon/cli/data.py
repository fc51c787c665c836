"""``rackecon data``: check the tables, write them for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(no_args_is_help=True, help="The tables of data/: check them, add to them, export them.")


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


@group.command()
def export(
    folder: Annotated[Path, typer.Argument(help="New folder of your own, outside data/ and reports/.")],
) -> None:
    """Write every table and every published result as CSV and Parquet, each with its schema (datapackage.json)."""
    from rackecon.press.data_export import export_data

    counted = export_data(folder)
    tables = [name for name in counted if name != "results"]
    typer.echo(
        f"{len(tables)} tables of {sum(counted[name] for name in tables):,} rows and {counted.get('results', 0):,} results "
        f"written to {folder}: CSV and Parquet, described in datapackage.json"
    )
