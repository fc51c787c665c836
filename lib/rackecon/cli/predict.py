"""``rackecon predict``: a file of serving points in, the same rows with predictions and intervals out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def predict(
    points: Annotated[Path, typer.Argument(help="CSV of points; columns as in data/measured_serving.csv.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV to write.")],
    explain_evidence: Annotated[bool, typer.Option(help="Say for each row what of it was measured.")] = False,
) -> None:
    """Predict throughput and latency of serving points: one row in, one row out, same order."""
    from rackecon.evidence.answers import answer, read_points, write_answers

    header, rows = read_points(points)
    found = answer(rows)
    write_answers(output, header, rows, found)
    good = sum(1 for row in found if row["status"] == "ok")
    typer.echo(f"{len(rows)} rows, {good} predicted: {output}")
    if explain_evidence:
        from rackecon.evidence.explained import explain

        for line, row in enumerate(rows, start=2):
            typer.echo(f"row {line}: {explain(row)}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)
