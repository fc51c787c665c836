"""The results of a page: numbers by key, with unit, published from the notebook without being shown on the page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from rackecon.lazy import pd

RESULTS_MIME: Final = "application/vnd.rackecon.results+json"
ODD: Final = re.compile(r"[^\w.:+/ -]+", re.ASCII)
KEY: Final = re.compile(r"[A-Za-z0-9][\w.:+/-]*(?: [\w.:+/-]+)*", re.ASCII)

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Figure:
    """One result.

    Parameters
    ----------
    key : str
        What it is, from the general to the particular: ``"gb300-nvl72/profit_usd_per_rack_year/p50"``.
    value : float, int, str, bool or None
        The number, or a name; None or a number that is not finite is a result that is not there.
    unit : str
        Unit of the value, ``"-"`` for a share, ``"text"`` for a name.
    digits : int
        Significant digits written of a float.

    Raises
    ------
    ValueError
        A key of other signs than letters, digits, single spaces and ``_ . : / + -``.

    Examples
    --------
    >>> Figure("h100-sxm/profit_usd_per_rack_year", 1234567.8, "USD").text
    '1234570'
    >>> Figure("lead", float("nan"), "-").text, Figure("lead", 0.25, "-").text
    ('', '0.25')
    """

    key: str
    value: Value
    unit: str
    digits: int = 6

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise ValueError(f"'{self.key}' is no key of a result")

    @property
    def text(self) -> str:
        """The value as it is written."""
        value = getattr(self.value, "item", lambda: self.value)()  # a NumPy scalar as Python's own
        if value is None:
            return ""
        if isinstance(value, str):
            return " ".join(value.split())
        if isinstance(value, bool):
            return "yes" if value else "no"
        return str(value) if isinstance(value, int) else _written(float(value), self.digits)


def _written(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return ""
    rounded = float(f"{value:.{digits}g}") + 0.0
    return f"{rounded:.0f}" if rounded == int(rounded) and abs(rounded) < 1e15 else repr(rounded)


def result_rows(figures: Iterable[Figure]) -> list[list[str]]:
    """Key, value and unit of each figure, as text.

    Raises
    ------
    ValueError
        A key twice.
    """
    rows, seen = [], set()
    for one in figures:
        if one.key in seen:
            raise ValueError(f"result '{one.key}' is given twice")
        seen.add(one.key)
        rows.append([one.key, one.text, one.unit])
    return rows


class Results:
    """Published results: data in the notebook, nothing on the page, one line in JupyterLab."""

    def __init__(self, page: str, figures: Iterable[Figure]) -> None:
        self.page, self.rows = page, result_rows(figures)

    def __repr__(self) -> str:
        return f"<{len(self.rows)} results of {self.page}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {RESULTS_MIME: {"page": self.page, "results": self.rows}, "text/plain": repr(self)}


def publish(page: str, *figures: Figure | Iterable[Figure]) -> Results:
    """The results of a page, for ``reports/results/<page>.csv``; the last line of a cell.

    Parameters
    ----------
    page : str
        Name of the notebook.
    *figures : Figure or iterable of Figure
        Results; a page may publish in several cells.

    Raises
    ------
    ValueError
        A key twice.

    Examples
    --------
    >>> publish("03_context_length", Figure("longest_tokens", 32768, "tokens"))
    <1 results of 03_context_length>
    """
    flat: list[Figure] = []
    for one in figures:
        flat += [one] if isinstance(one, Figure) else list(one)
    return Results(page, flat)


def column_figures(frame: pd.DataFrame, by: Sequence[str], units: Mapping[str, str], under: str = "") -> list[Figure]:
    """Cells of a table as results: the key is the row's names, without signs that a key cannot have, then the column's.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows whose names in ``by`` differ.
    by : sequence of str
        Columns that name a row.
    units : mapping
        Column to unit; these columns are taken.
    under : str, optional
        First part of each key.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"accelerator": ["h100-sxm"], "median_pct": [8.25]})
    >>> column_figures(frame, ["accelerator"], {"median_pct": "%"}, "held_out")
    [Figure(key='held_out/h100-sxm/median_pct', value=8.25, unit='%', digits=6)]
    >>> column_figures(frame.assign(tokens=1024.0), ["accelerator", "tokens"], {"median_pct": "%"})[0].key
    'h100-sxm/1024/median_pct'
    """
    start = [under] if under else []
    return [
        Figure("/".join([*start, *(key_part(row[name]) for name in by), column]), row[column], unit)
        for row in frame.to_dict("records")
        for column, unit in units.items()
    ]


def key_part(name: object) -> str:
    """A name as a part of a key, without signs that a key cannot have.

    Examples
    --------
    >>> key_part("DeepSeek-V3/R1"), key_part("mine (new) <b>"), key_part(1024.0)
    ('DeepSeek-V3/R1', 'mine new b', '1024')
    """
    if isinstance(name, float):
        name = _written(name, 6)
    return " ".join(ODD.sub(" ", str(name)).split()) or "-"


def in_unit(unit: str) -> dict[str, str]:
    """Metadata of a field of a page's result that is published: its unit."""
    return {"unit": unit}


def field_figures(result: Any, under: str = "", units: Mapping[str, str] = MappingProxyType({})) -> list[Figure]:
    """Fields of a page's result (a dataclass) that have a unit, as results by the name of the field; of several names all.

    Parameters
    ----------
    result : object
        A dataclass whose fields have their unit in their metadata: ``field(metadata=in_unit("USD"))``.
    under : str, optional
        First part of each key.
    units : mapping, optional
        Units of fields that differ from result to result.

    Examples
    --------
    >>> from dataclasses import field
    >>> @dataclass(frozen=True)
    ... class Held:
    ...     median_error: float = field(metadata=in_unit("-"))
    ...     name: str
    >>> field_figures(Held(0.08, "mine"), "held_out")
    [Figure(key='held_out/median_error', value=0.08, unit='-', digits=6)]
    """
    known = {one.name: one.metadata["unit"] for one in fields(result) if "unit" in one.metadata} | dict(units)
    start = f"{under}/" if under else ""
    values = {name: getattr(result, name) for name in known}
    told = {name: " / ".join(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return [Figure(start + name, told[name], unit) for name, unit in known.items()]
