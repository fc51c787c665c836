"""``rackecon new``: a notebook to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from rackecon.errors import InputError


def new(name: Annotated[str, typer.Argument(help="NN_topic, such as 20_batch_size.")]) -> None:
    """Start notebooks/NN_topic.ipynb from the template; it runs and passes the checks as it is."""
    import re

    from rackecon.appraisal.parameters import own_notebooks
    from rackecon.catalog.paths import listed
    from rackecon.catalog.written import write_file

    if not re.fullmatch(r"[0-9]{2}_[a-z][a-z0-9_]{1,60}", name):
        raise InputError(f"'{name[:80]}' is not NN_topic: two digits, '_', lower-case letters, digits, '_'")
    folder = own_notebooks()
    target = folder / f"{name}.ipynb"
    taken = [path.stem for path in listed(folder, f"{name[:2]}_*.ipynb")]
    if taken:
        raise InputError(f"number {name[:2]} is taken by {taken[0]}; choose another")
    source = (folder / "template.ipynb").read_text(encoding="utf-8")
    write_file(target, source.replace('\\"template\\"', f'\\"{name}\\"'))
    typer.echo(f"notebooks/{target.name}: edit it, then `rackecon report {name} --name draft`")
