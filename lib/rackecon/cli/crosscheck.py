"""``rackecon crosscheck``: our step times beside another model's, from the golden numbers kept in data/."""

from __future__ import annotations

from typing import Annotated

import typer


def crosscheck(
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Recompute the golden numbers first; needs the extra 'crosscheck'.")
    ] = False,
    worst: Annotated[int, typer.Option("--worst", help="Largest differences shown.")] = 8,
) -> None:
    """Our time of an engine's step against that of aiconfigurator-core, which is needed only for --refresh.

    Ratios are ours over theirs; nothing is fitted to them.
    """
    if refresh:
        from rackecon.evidence.crosscheck_peer import refresh as recompute

        typer.echo(recompute())
    from rackecon.evidence import crosscheck as check

    steps = check.load_steps()
    compared = check.compare(steps)
    typer.echo(f"{len(steps)} steps of {steps[0].package}; log ratio of our time over theirs")
    typer.echo(check.summary(compared).to_string(index=False, float_format=lambda x: f"{x:.3f}"))
    for before, after in check.peer_falls(steps):
        typer.echo(
            f"theirs falls with load, {before.accelerator} {before.model} {before.engine} {before.weight_precision}: "
            f"{before.step_ms:.4g} ms at {before.sequences} sequences, {after.step_ms:.4g} ms at {after.sequences}"
        )
    if worst:
        names = ["accelerator", "model", "label", "golden_ms", "our_ms", "log_ratio"]
        typer.echo("\nLargest differences")
        typer.echo(check.worst(compared, worst)[names].to_string(index=False, float_format=lambda x: f"{x:.4g}"))
