"""``rackecon new``: a notebook to start from."""

from __future__ import annotations

import os
from typing import Annotated

import typer

__all__ = ["register"]


def new(name: Annotated[str, typer.Argument(help="NN_topic, such as 20_batch_size.")]) -> None:
    """Start notebooks/NN_topic.ipynb from the template; it runs and passes the checks as it is."""
    import re

    from rackecon.appraisal.parameters import notebooks_dir
    from rackecon.errors import InputError

    if not re.fullmatch(r"[0-9]{2}_[a-z][a-z0-9_]{1,60}", name):
        raise InputError(f"'{name[:80]}' is not NN_topic: two digits, '_', lower-case letters, digits, '_'")
    folder = notebooks_dir()
    target = folder / f"{name}.ipynb"
    taken = sorted(path.stem for path in folder.glob(f"{name[:2]}_*.ipynb"))
    if taken:
        raise InputError(f"number {name[:2]} is taken by {taken[0]}; choose another")
    source = (folder / "template.ipynb").read_text(encoding="utf-8")
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_text(source.replace('\\"template\\"', f'\\"{name}\\"'), encoding="utf-8")
    os.replace(fresh, target)
    typer.echo(f"notebooks/{target.name}: edit it, then `rackecon report {name} --name draft`")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(new)
