"""The command line: ``rackecon COMMAND``."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pkgutil import iter_modules

import typer

from rackecon.errors import InputError, disk_fault, plain

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
# Order of the help; a command's module registers itself and imports what it needs only when it runs
ORDER = (
    "report",
    "predict",
    "frontier",
    "size",
    "diagnose",
    "plan",
    "claims",
    "sweep",
    "calibrate",
    "data",
    "extend",
    "notebooks",
    "new",
    "compare",
    "edition",
)


@app.callback()
def _root() -> None:
    """Serving economics of accelerator platforms."""


_found = {item.name for item in iter_modules(__path__)}
for _name in (*(name for name in ORDER if name in _found), *sorted(_found - set(ORDER))):
    import_module(f"rackecon.cli.{_name}").register(app)


def _joined(words: list[str]) -> list[str]:
    """``-p NAME VALUE``, as papermill writes it, as one option word."""
    out: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-p", "--parameter") and len(rest) >= 2 and "=" not in rest[0]:
            out += ["-p", f"{rest.pop(0)}={rest.pop(0)}"]
        else:
            out.append(word)
    return out


def _run(words: list[str]) -> tuple[int, str]:
    """Exit status of a command, and the fault it ended with."""
    try:
        code = app(args=_joined(words), standalone_mode=False)
        sys.stdout.flush()
    except InputError as fault:
        return 2, str(fault)
    except (typer.Abort, KeyboardInterrupt):
        return 130, ""
    except typer.TyperException as fault:
        return 2, plain(str(getattr(fault, "format_message", fault.__str__)()))
    except BrokenPipeError:
        return 0, ""
    except OSError as fault:
        return 2, disk_fault(fault)
    except MemoryError:
        return 2, "not enough memory"
    return code if isinstance(code, int) else 0, ""


def main() -> None:
    """Run a command; a fault in what was given, or of the disk, is one line on stderr and exit status 2."""
    code, fault = _run(sys.argv[1:])
    if fault:
        print(f"rackecon: {fault}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # what is left of the output has no place; it is not tried again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
