"""``rackecon notebooks``: keep the source notebooks clean, list their parameters."""

from __future__ import annotations

import json

import typer

group = typer.Typer(no_args_is_help=True, help="Source notebooks: clean them, list their parameters.")


@group.command()
def clean() -> None:
    """Strip outputs, counters and editor metadata from notebooks/."""
    from rackecon.appraisal.parameters import own_notebooks
    from rackecon.catalog.paths import listed
    from rackecon.catalog.written import write_file
    from rackecon.press.clean import stripped

    for path in listed(own_notebooks(), "*.ipynb"):
        before = path.read_text(encoding="utf-8")
        after = json.dumps(stripped(json.loads(before)), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        if after != before:
            write_file(path, after)
            typer.echo(f"cleaned {path.name}")


@group.command()
def parameters() -> None:
    """List every parameter of every notebook with default, unit, range."""
    from rackecon.appraisal.parameters import notebook_path, read_parameters
    from rackecon.press.run import report_names

    for name in report_names():
        for item in read_parameters(notebook_path(name)).values():
            typer.echo(f"{name}\t{item.name}: {item.type} = {item.default!r}\t{item.allowed}\t{item.meaning}")
