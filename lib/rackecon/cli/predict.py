"""``rackecon predict``: a file of serving points in, the same rows with predictions and intervals out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rackecon.errors import InputError


def predict(
    points: Annotated[Path, typer.Argument(help="CSV of points; columns as in data/measured_serving.csv.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV to write.")],
    explain_evidence: Annotated[bool, typer.Option(help="Say for each row what of it was measured.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing where a row cannot be read; status 2.")
    ] = False,
) -> None:
    """Predict throughput and latency of serving points: one row in, one row out, same order.

    A row that cannot be read has the status refused and its reason; what names stood for is in the column stood_for.
    """
    from rackecon.catalog.written import check_output
    from rackecon.evidence.answers import answer_each, write_answers
    from rackecon.intake.point_sheets import read_sheet

    check_output(output)
    sheet = read_sheet(points)
    found = answer_each(sheet.points, sheet.faults)
    for row, said in zip(found, sheet.stood_for, strict=True):
        row["stood_for"] = said
    refused = [i for i, row in enumerate(found) if row["status"] == "refused"]
    if refused and (strict or len(refused) == len(found)):
        more = f" (and {len(refused) - 1:,} rows more)" if len(refused) > 1 else ""
        raise InputError(f"{points.name} row {sheet.lines[refused[0]]}: {found[refused[0]]['reason']}{more}")
    write_answers(output, sheet.header, sheet.cells, found)
    for remark in sheet.remarks:
        typer.echo(f"rackecon: {remark}", err=True)
    good = sum(1 for row in found if row["status"] == "ok")
    last = f"; row {sheet.lines[refused[0]]}: {found[refused[0]]['reason']}" if refused else ""
    typer.echo(f"{len(found)} rows, {good} predicted, {len(refused)} refused: {output}{last}")
    if explain_evidence:
        from rackecon.evidence.explained import explain

        for line, row, of in zip(sheet.lines, sheet.points, found, strict=True):
            typer.echo(f"row {line}: {of['reason'] if of['status'] == 'refused' else explain(row, of)}")
