"""``rackecon forecasts``: dated predictions for what nobody had measured, and their score once somebody has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rackecon.errors import InputError

group = typer.Typer(no_args_is_help=True, help="Dated predictions on record, and their score once measured.")


@group.command("list")
def show() -> None:
    """List the forecasts on record."""
    from rackecon.evidence.forecasts import ledger

    for row in ledger():
        ends = f"{row['total_tok_s_per_gpu_low']} to {row['total_tok_s_per_gpu_high']}"
        typer.echo(
            f"{row['made']} {row['accelerator']}, {row['model']}, {row['isl']}/{row['osl']}, {row['weight_precision']}, "
            f"{float(row['tok_s_per_user']):g} tok/s/user: {row['total_tok_s_per_gpu']} tok/s/GPU ({ends})"
        )


@group.command("make")
def make(
    made: Annotated[str, typer.Argument(help="Date they are made, as 2026-11-30; one that has some is refused.")],
    pair: Annotated[
        list[str] | None,
        typer.Option(help="ACCELERATOR:MODEL, repeatedly; those of the newest forecasts on record by default."),
    ] = None,
) -> None:
    """Predict pairs that nobody has measured and put them on record in data/forecasts/."""
    from rackecon.catalog.paths import fit_dir
    from rackecon.evidence.forecasts import forecast_dir, forecasts, named_pairs, write_forecasts

    fit_dir(shipped=True)  # own rows are refused: a forecast on record is the shipped data's
    target = write_forecasts(forecasts(named_pairs(pair), made), forecast_dir(), made)
    typer.echo(f"written to data/forecasts/{target.name}")


@group.command("score")
def score_file(
    measured: Annotated[Path, typer.Argument(help="CSV of measured points; columns as in data/measured_serving.csv.")],
) -> None:
    """Score what has been measured since a forecast was made."""
    from rackecon.catalog.text_file import read_text
    from rackecon.catalog.user_rows import parsed
    from rackecon.evidence.forecasts import KEY, score

    rows = parsed(measured.name, read_text(measured))
    needed = (*KEY, "date", "tok_s_per_user", "total_tok_s_per_gpu")
    missing = [name for name in needed if not rows or name not in rows[0]]
    if missing:
        raise InputError(
            f"{measured}: column '{missing[0]}' is missing or there is no row; needed: {', '.join(needed)}"
        )
    found = score(rows)
    for row in found:
        word = "inside" if row["inside"] else "outside"
        typer.echo(
            f"{row['made']} {row['accelerator']}, {row['model']}, {float(row['tok_s_per_user']):g} tok/s/user: "
            f"{row['total_tok_s_per_gpu']} forecast, {row['measured']:.5g} measured, {word} the 90 % interval"
        )
    inside = sum(row["inside"] for row in found)
    mean = sum(row["weighted_score"] for row in found) / len(found) if found else float("nan")
    tail = f", mean weighted interval score {mean:.3f}" if found else ""
    typer.echo(f"{len(found)} forecasts measured since, {inside} inside their 90 % interval{tail}")
