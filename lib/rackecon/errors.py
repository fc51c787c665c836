"""Faults in what a caller gave us, each told in one line: what, where, what is allowed, the nearest match."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from typing import Final

__all__ = ["InputError", "disk_fault", "plain", "unknown_name"]


LONGEST: Final = 1200
NUMBERED: Final = frozenset({"accelerator", "model", "model_id", "weight_precision", "kv_precision"})
"""Kinds whose names differ by their numbers: one with another number is another thing, however alike the spelling."""
LONGEST_NAME: Final = 80
SHORTEST_PART: Final = 2
"""Letters of a part of a name by which the whole is offered."""


def plain(text: str, longest: int = LONGEST) -> str:
    """Foreign text on one line, fit for a terminal: nothing invisible or that turns the direction, the middle cut out.

    Examples
    --------
    >>> plain(f"a{chr(27)}[31m{chr(0x202E)}b"), len(plain("x" * 5000))
    ('a?[31m?b', 1200)
    """
    shown = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    half = (longest - 5) // 2
    return shown if len(shown) <= longest else f"{shown[: longest - half - 5]} ... {shown[-half:]}"


def disk_fault(fault: OSError) -> str:
    """A fault of the system, and of which file, in one line.

    Examples
    --------
    >>> disk_fault(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'a.csv: No such file or directory'
    """
    words = fault.strerror or str(fault)
    return plain(f"{fault.filename}: {words}" if fault.filename else words)


class InputError(ValueError):
    """Bad input. The message is one line fit to show a person; the command line prints it and exits with 2.

    Examples
    --------
    >>> str(InputError("utilisation 7 is out of range:\\n allowed 0.01 to 1"))
    'utilisation 7 is out of range: allowed 0.01 to 1'
    """

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


def unknown_name(kind: str, name: object, allowed: Iterable[str], where: str = "") -> InputError:
    """The fault for a name that is not in a list.

    Parameters
    ----------
    kind : str
        What the name stands for, such as ``"accelerator"``.
    name : object
        What was given.
    allowed : iterable of str
        Every valid name.
    where : str, optional
        Where it was given, such as ``"points.csv row 3"``.

    Returns
    -------
    InputError
        Not raised, so that the caller's line shows in a traceback.

    Examples
    --------
    >>> str(unknown_name("accelerator", "h100-sxn", ["h100-sxm", "mi355x"]))
    "unknown accelerator 'h100-sxn': nearest is 'h100-sxm'; allowed: h100-sxm, mi355x"
    >>> str(unknown_name("accelerator", "gh200", ["h200-sxm"]))
    "unknown accelerator 'gh200': allowed: h200-sxm"
    >>> str(unknown_name("model", "r1", ["deepseek-r1", "deepseek-v3"]))
    "unknown model 'r1': nearest is 'deepseek-r1'; allowed: deepseek-r1, deepseek-v3"
    >>> str(unknown_name("run", "mine", []))
    "unknown run 'mine': allowed: there is none yet"
    """
    names = sorted(allowed)
    given = plain(str(name)[:LONGEST_NAME])
    told = set(re.findall(r"[a-z]*\d+[a-z]*", given.lower())) if kind in NUMBERED else set()
    alike = [name for name in names if told <= set(re.findall(r"[a-z]*\d+[a-z]*", name.lower()))]
    short = given.lower()
    near = difflib.get_close_matches(short, alike, n=1, cutoff=0.4)
    if not near and len(short) >= SHORTEST_PART:
        near = sorted((name for name in alike if short in name.lower()), key=len)
    prefix = f"{where}: " if where else ""
    hint = f"nearest is '{near[0]}'; " if near else ""
    return InputError(f"{prefix}unknown {kind} '{given}': {hint}allowed: {', '.join(names) or 'there is none yet'}")


def check_known(kind: str, name: object, allowed: Collection[str], where: str = "") -> None:
    """Raise :func:`unknown_name` of a name that is not among ``allowed``.

    Examples
    --------
    >>> check_known("accelerator", "mi355x", ["h100-sxm", "mi355x"])
    """
    if name not in allowed:
        raise unknown_name(kind, name, allowed, where)
