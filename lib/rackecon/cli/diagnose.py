"""``rackecon diagnose``: is a measured throughput low for its set-up, and which setting explains the most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rackecon.errors import InputError

SHOWN = 6


def diagnose(
    file: Annotated[Path, typer.Argument(help="A benchmark's result, or a sheet of measured points.")],
    given: Annotated[
        list[str] | None, typer.Option("--set", help="COLUMN=VALUE that the file does not say; repeat for several.")
    ] = None,
) -> None:
    """Say whether measured throughput is low for its set-up, and which setting, were it another, explains the most.

    One setting is changed at a time, the others held. Nothing is written.
    """
    from rackecon.evidence.diagnosis import diagnose as diagnosis
    from rackecon.intake.benchmarks import checked_runs

    pairs = dict(word.partition("=")[::2] for word in given or ())
    empty = next((word for word in given or () if "=" not in word), None)
    if empty is not None:
        raise InputError(f"--set {empty}: needs COLUMN=VALUE")
    for run, row, said in checked_runs(file, pairs, lambda option: f"--set {_column(option)}=..."):
        found = diagnosis(row)
        typer.echo(
            f"{run.where}: {row['model']} {row['weight_precision']} on {row['gpus']} {row['accelerator']}, {row['engine']}, "
            f"TP{row['tp']}, {row['concurrency']} in flight: measured {found.measured:.5g} total tok/s/GPU, expected "
            f"{found.predicted:.5g} (90 % interval {found.low:.5g} to {found.high:.5g}): {found.verdict}"
        )
        if said:
            typer.echo(f"  {'; '.join(said)}")
        told = [item for item in found.explanations if item.explained > 0.0][:SHOWN]
        if not told:
            typer.echo("  no single setting, were it another, brings the expected nearer to the measured")
        for item in told:
            typer.echo(
                f"  {item.setting} {item.instead} instead of {item.stated}: {item.predicted:.5g} "
                f"({item.predicted / found.predicted - 1:+.0%}), explains {item.explained:.0%} of the gap"
            )
        if found.best_layout:
            typer.echo(
                f"  best layout found for these GPUs and load: {found.best_layout}, {found.best_rate:.5g} "
                f"({found.best_rate / found.predicted - 1:+.0%} on the expected)"
            )


def _column(option: str) -> str:
    from rackecon.intake.benchmarks import ASKED

    word, _, why = option.partition(" ")
    name = {text: column for column, text in ASKED.items()}.get(word, word.lstrip("-").replace("-", "_"))
    return f"{name} {why}".strip()
