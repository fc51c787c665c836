"""The command line: ``rackecon COMMAND``."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from rackecon.errors import InputError

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
COMMANDS = ("predict", "calibrate")


@app.callback()
def _root() -> None:
    """Serving economics of accelerator platforms."""


for _name in COMMANDS:
    import_module(f"rackecon.cli.{_name}").register(app)


def main() -> None:
    """Run a command; a fault in what was given is one line on stderr and exit status 2."""
    try:
        app()
    except InputError as fault:
        print(f"rackecon: {fault}", file=sys.stderr)
        sys.exit(2)
