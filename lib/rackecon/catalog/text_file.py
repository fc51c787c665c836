"""Text that a user hands in: its kind, size and first bytes are looked at before the rest is read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sized
from pathlib import Path
from typing import Any, Final

from rackecon.errors import InputError

LARGEST_BYTES: Final = 16 * 2**20
FIRST_BYTES: Final = 4096


def check_ordinary(path: Path, largest: int) -> None:
    """Refuse what is missing, a folder or device, or larger than ``largest`` [bytes]."""
    if not path.is_file():
        raise InputError(f"{path.name}: " + ("not an ordinary file" if path.exists() else "no such file"))
    if path.stat().st_size > largest:
        raise InputError(f"{path.name}: {path.stat().st_size:,} bytes is more than is read ({largest:,})")


def check_text(first: bytes, name: str) -> bytes:
    """First bytes of a file, refused where they are not text."""
    if b"\0" in first:
        raise InputError(f"{name}: not text (a zero byte at its beginning)")
    return first


def read_text(path: Path, *, largest: int = LARGEST_BYTES) -> str:
    """Text of an ordinary UTF-8 file.

    Parameters
    ----------
    largest : int
        Size from which on it is not read [bytes].

    Raises
    ------
    InputError
        Missing, a folder or device, not to be read, too large, not UTF-8, empty: one line.

    Examples
    --------
    >>> read_text(Path("/dev/null"))
    Traceback (most recent call last):
    rackecon.errors.InputError: null: not an ordinary file
    """
    try:
        check_ordinary(path, largest)
        with open(path, "rb") as handle:
            text = (check_text(handle.read(FIRST_BYTES), path.name) + handle.read(largest)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{path.name[:60]}: {error.strerror}") from None
    if not text.strip():
        raise InputError(f"{path.name}: empty")
    return text


def csv_lines(name: str, text: str, separator: str = ",") -> list[list[str]]:
    """Cells of each line of CSV text, empty lines too.

    Raises
    ------
    InputError
        A quote that does not close.

    Examples
    --------
    >>> csv_lines("x", 'a;"b;c"', ";")
    [['a', 'b;c']]
    """
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{name}: not CSV: {error}") from None


def check_width(name: str, row: int, cells: Sized, header: Sized) -> None:
    """Refuse a row of another width than its header."""
    if len(cells) != len(header):
        raise InputError(f"{name} row {row}: {len(cells)} cells, the header has {len(header)}")


def yaml_of(name: str, text: str) -> Any:
    """What YAML text says; aliases are refused, which a few lines of can stand for a page of terabytes.

    Parameters
    ----------
    name : str
        Of the file, for a fault; none for text.

    Raises
    ------
    InputError
        Not YAML.

    Examples
    --------
    >>> yaml_of("run.yaml", "isl_tokens: 8192")
    {'isl_tokens': 8192}
    >>> yaml_of("run.yaml", "price_factor: 1e1")
    {'price_factor': 10.0}
    """
    import yaml

    class Plain(yaml.SafeLoader):
        """Safe values, none of them by reference."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("an alias (*name) is not taken")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            if not all(isinstance(key, str) for key in found):
                raise yaml.YAMLError("a name is text")
            return found

    # YAML 1.1, which the loader keeps to, asks for a point and a sign in a number with an exponent; nobody else does
    Plain.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
    try:
        return yaml.load(text, Loader=Plain)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{name + ': ' if name else ''}not YAML: {error}") from None
