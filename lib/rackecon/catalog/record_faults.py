"""What is wrong with a file of records, in the reader's words where the validator speaks of its types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from rackecon.errors import InputError, unknown_name

WORDS: Final = {
    "too_short": "is empty",
    "missing": "is missing",
    "dict_type": "is not a mapping",
    "model_type": "is not a mapping",
    "tuple_type": "is not a list",
    "list_type": "is not a list",
    "string_type": "is not text",
}


def record_fault(error: ValidationError, record: type[BaseModel], parts: Mapping[str, Any], called: str) -> InputError:
    """The first fault of a record in one line; a name it does not know goes before what it lacks, with the nearest.

    Parameters
    ----------
    record : type of pydantic.BaseModel
        What was to be read.
    parts : mapping
        The records inside it, by the name of their field.
    called : str
        What a fault of the whole is said of, such as ``plan``.

    Examples
    --------
    >>> class Site(BaseModel, extra="forbid"):
    ...     power_mw: float
    >>> try:
    ...     Site(powr_mw=3)
    ... except ValidationError as error:
    ...     str(record_fault(error, Site, {}, "site"))
    "unknown name 'powr_mw': nearest is 'power_mw'; allowed: power_mw"
    """
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    where = [str(part + 1) if isinstance(part, int) else part for part in first["loc"] if "[" not in str(part)]
    if first["type"] == "extra_forbidden":
        owner: Any = record
        for part in where[:-1]:
            owner = parts.get(part, owner)
        names = [field.alias or name for name, field in owner.model_fields.items()]
        return unknown_name("name", where[-1], names, ".".join(where[:-1]))
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return cause
    text = str(cause) if cause is not None else WORDS.get(first["type"], first["msg"])
    shown = first["input"]
    given = f" (given {shown!r})" if isinstance(shown, int | float | str) and cause is None else ""
    return InputError(f"{'.'.join(where) or called}: {text}{given}")
