"""``rackecon data add-...``: rows of one's own, kept in the folder named by RACKECON_USER_DATA."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def add_accelerator(file: Annotated[Path, typer.Argument(help="CSV, a line per accelerator.")]) -> None:
    """Add accelerators, and their racks where given."""
    from rackecon.analysis.own_rows import add_accelerators

    _tell(add_accelerators(file))


def add_model(
    config: Annotated[Path, typer.Argument(help="A Hugging Face config.json.")],
    name: Annotated[
        str | None, typer.Option("--id", help="Id of the model; from the configuration by default.")
    ] = None,
    published: Annotated[float | None, typer.Option("--published", help="Published parameters, to compare.")] = None,
) -> None:
    """Add a model from its Hugging Face configuration."""
    from rackecon.analysis.own_rows import add_model as run

    _tell(run(config, name, published))


def add_prices(file: Annotated[Path, typer.Argument(help="CSV, a line per listing.")]) -> None:
    """Add price listings; they replace the published ones of their models."""
    from rackecon.analysis.own_rows import add_prices as run

    _tell(run(file))


def add_workload(
    trace: Annotated[Path, typer.Argument(help="CSV: timestamp, input_tokens, output_tokens [, prefix_hash].")],
    name: Annotated[str, typer.Option("--id", help="Id of the workload and its scenario.")],
    block_tokens: Annotated[int, typer.Option("--block-tokens", help="Prompt tokens per hash.")] = 512,
    ttft_limit_ms: Annotated[float | None, typer.Option("--ttft-limit-ms", help="Limit on the first token.")] = None,
    tpot_limit_ms: Annotated[float | None, typer.Option("--tpot-limit-ms", help="Limit per output token.")] = None,
) -> None:
    """Add a workload from a request trace."""
    from rackecon.analysis.own_rows import add_workload as run

    limits = {"ttft_limit_ms": ttft_limit_ms, "tpot_limit_ms": tpot_limit_ms}
    _tell(run(trace, name, block_tokens=block_tokens, **limits))


def add_measured(file: Annotated[Path, typer.Argument(help="CSV, a line per measured point.")]) -> None:
    """Add measured points and print the model's error on them."""
    from rackecon.analysis.own_rows import add_measured as run

    _tell(run(file))


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``data``."""
    group = next(item.typer_instance for item in app.registered_groups if item.name == "data")
    for command in (add_accelerator, add_model, add_prices, add_workload, add_measured):
        assert group is not None
        group.command()(command)
