"""The command line: ``rackecon COMMAND``."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from rackecon.errors import InputError, disk_fault, plain

__all__ = ["app", "main"]

# Order of the help; a command is the function of its module's name, or `group`, and imports what it needs only when it runs
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
    "notebooks",
    "new",
    "compare",
    "edition",
)
JOINS_DATA = "extend"
"""Module that adds commands of its own to the group ``rackecon data``."""

FEW_COLLECTIONS = 50_000
"""Objects made before those that are no longer used are looked for: at Python's 700, what a command imports is gone through
over and over, a sixth of the time of a short one."""
SAME_AS = {
    "isl": "isl_tokens",
    "osl": "osl_tokens",
    "usd_per_gpu_hour": "cost_usd_per_gpu_hour",
    "ttft_ms": "ttft_limit_ms",
    "tpot_ms": "tpot_limit_ms",
    "precision": "weight_precision",
}
"""Options that are assumptions of data/assumptions.csv under a shorter name."""
OR_NONE = ("draws", "worst")
"""Options that may also be 0: none."""


class _AsGiven:
    """Turns an option's text into its value: words stand as given and numbers are Python's.

    The usual way imports pydantic for them, an eighth of a short command; it remains for whatever else is given.
    """

    def __init__(self, option: Any) -> None:
        self.option, self.kind = option, option.type_descriptor.annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None or (self.kind in (str, float) and isinstance(value, self.kind)):
            return value
        if self.kind in (float, int) and isinstance(value, str):
            ranged = self.option.type_descriptor.is_ranged  # ends of the command's own are held the usual way
            try:
                number = float(value)
            except ValueError:
                raise InputError(self._no_number(value)) from None
            if self.kind is int and not number.is_integer():
                raise InputError(f"{self.option.opts[0]}: '{value[:40]}' is not a whole number")
            if self.kind is float and value.isascii() and "_" not in value and not ranged:
                return number
        self.option._runtime_param = None
        return self.option.get_runtime_param().coerce(value, param=param, ctx=ctx)

    def _no_number(self, value: str) -> str:
        from rackecon.catalog.assumption_table import allowed_values

        known = allowed_values().get(SAME_AS.get(self.option.name, self.option.name))
        allowed = f": allowed {known.range} {known.unit}" if known and known.numeric else ""
        written = "; write it in digits alone" if any(map(str.isdigit, value)) else ""
        return f"{self.option.opts[0]}: '{value[:40]}' is not a number{allowed}{written}"


def _as_given(parameters: list[Any]) -> list[Any]:
    """Parameters of a command, help's too, each option of one value turned into it by :class:`_AsGiven`."""
    for one in parameters:
        if one.param_type_name == "option" and one.nargs == 1 and not one.multiple and one._runtime_param is None:
            one._runtime_param = _AsGiven(one)
    return parameters


def _ranged(command: Any) -> Any:
    """A command whose numbers keep to data/assumptions.csv, and whose help says what the table allows."""
    for inner in getattr(command, "commands", {}).values():
        _ranged(inner)
    parameters = command.get_params
    command.get_params = lambda context: _as_given(parameters(context))
    without, invoke = command.format_help, command.invoke

    def format_help(context: Any, formatter: Any) -> None:
        for option, found in _assumed(command):
            ends = f" {_ends(option.name, found)}."
            option.help = option.help.removesuffix(ends) + ends
        without(context, formatter)

    def checked(context: Any) -> Any:
        given = any(map(_is_number, context.params.values()))
        for option, found in _assumed(command) if given else ():
            value = context.params.get(option.name)
            if _is_number(value) and not (value == 0 and option.name in OR_NONE) and (fault := found.fault(value)):
                raise InputError(f"{option.opts[0]}: {fault}")
        return invoke(context)

    command.format_help, command.invoke = format_help, checked
    return command


def _ends(name: str, found: Any) -> str:
    """What the table allows, as a sentence without its stop."""
    if found.choices:
        return f"One of {', '.join(filter(None, found.choices))}"
    return f"0, or {found.range}" if name in OR_NONE else f"From {found.range}"


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _assumed(command: Any) -> Iterator[tuple[Any, Any]]:
    """Options that data/assumptions.csv holds a range or choices of, each with what it allows."""
    from rackecon.catalog.assumption_table import allowed_values

    for option in command.params:
        found = allowed_values().get(SAME_AS.get(option.name, option.name))
        if found is not None and (found.numeric or found.choices) and option.param_type_name == "option":
            yield option, found


class _Commands(Mapping[str, Any]):
    """Commands by name, each built when it is asked for: one that runs does not wait for the options of the others."""

    def __init__(self) -> None:
        found = {item.name for item in iter_modules(__path__)} - {JOINS_DATA}
        self.names = (*(name for name in ORDER if name in found), *sorted(found - set(ORDER)))

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        part = typer.Typer(rich_markup_mode=None)
        module = import_module(f"rackecon.cli.{JOINS_DATA if name == 'data' else name}")
        if group := getattr(module, "group", None):
            part.add_typer(group, name=name)
        else:
            part.command(name)(getattr(module, name))
        return _ranged(get_group(part).commands[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class _Group(TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Commands()  # type: ignore[assignment]  # only ever read

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        return _as_given(super().get_params(ctx))

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Names alone: the usual way builds every command for them."""
        return list(self.commands)


# no markup: it takes the units in square brackets out of the help
app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=__doc__,
)


@app.callback()
def _root() -> None:
    """Serving economics of accelerator platforms."""


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
    gc.set_threshold(FEW_COLLECTIONS)
    code, fault = _run(sys.argv[1:])
    if fault:
        print(f"rackecon: {fault}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # what is left of the output has no place; it is not tried again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # the interpreter's last look for cycles, a seventh of a short command, has nothing to go through
    sys.exit(code)
