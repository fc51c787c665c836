"""The mark of platforms that no measured run stands behind, in labels of charts and in heads and cells of tables, once a paragraph.

Sentences say it by :func:`rackecon.evidence.novelty.platform_named`; here the same is set wherever a chart or table that leaves
a notebook shows such a platform's name alone.
"""

from __future__ import annotations

import html
import re
from typing import Any, Final, cast

from rackecon.catalog.cached import by_data, one_state
from rackecon.evidence.novelty import UNSEEN, platform_named, unseen_labels

CELL: Final = re.compile(r"(<(t[hd])\b[^>]*>)([^<>]+?)(\s*</\2>)")
"""A cell of a table that holds words alone."""
NAMED_BY: Final = ("datasets", "domain", "sort")
"""Parts of a chart's specification that name what it draws."""
ROW: Final = 'scope="row"'
"""What tells the head of a row."""
SAID: Final = r"(?<![\w-])({})(?![\w-]| \()"
"""A name among words, not yet marked."""
BEFORE_NAME: Final = ": "
"""What parts a way or a unit from the platform in one label."""


@by_data()
def _marks() -> dict[str, str]:
    return {label: platform_named(label) for label in unseen_labels()}


@one_state()
def in_table(markup: str) -> str:
    """A table with the mark in every cell that names such a platform alone, and in the heads of rows that name one among others.

    Examples
    --------
    >>> in_table('<tr><th scope="row">TPU v7</th><td>B200</td><td>TPU v7 and B200</td></tr>')
    '<tr><th scope="row">TPU v7 <span class="ends">(unmeasured)</span></th><td>B200</td><td>TPU v7 and B200</td></tr>'
    >>> in_table('<th scope="row">TPU v7 over B200</th>')
    '<th scope="row">TPU v7 (unmeasured) over B200</th>'
    """

    def marked(cell: re.Match[str]) -> str:
        text = html.unescape(cell[3])
        if text in _marks():
            return f'{cell[1]}{cell[3]} <span class="ends">({UNSEEN})</span>{cell[4]}'
        return f"{cell[1]}{in_words(cell[3])}{cell[4]}" if ROW in cell[1] else cell[0]

    return CELL.sub(marked, markup)


@by_data()
def _said() -> re.Pattern[str]:
    return re.compile(SAID.format("|".join(re.escape(label) for label in sorted(_marks(), key=len)[::-1])))


def in_words(text: str) -> str:
    """A line under a chart with the mark behind each such platform.

    Examples
    --------
    >>> in_words("Bands: nine measurements in ten of B200 and TPU v7; dashed: TPU v7 (unmeasured)")
    'Bands: nine measurements in ten of B200 and TPU v7 (unmeasured); dashed: TPU v7 (unmeasured)'
    """
    return _said().sub(rf"\1 ({UNSEEN})", text)


@by_data()
def _marked() -> re.Pattern[str]:
    names = "|".join(re.escape(label) for label in sorted(_marks(), key=len)[::-1])
    return re.compile(rf"(?<![\w-])({names}) \({UNSEEN}(\)|; )")


def once(text: str) -> str:
    """A paragraph that marks each such platform where it names it first, and names it plainly from there on.

    Examples
    --------
    >>> once("TPU v7 (unmeasured) and B200 tie; TPU v7 (unmeasured; about 2 to 3) leads, then TPU v7 (unmeasured).")
    'TPU v7 (unmeasured) and B200 tie; TPU v7 (about 2 to 3) leads, then TPU v7.'
    """
    said: set[str] = set()

    def shown(found: re.Match[str]) -> str:
        if found[1] not in said:
            said.add(found[1])
            return found[0]
        return found[1] if found[2] == ")" else f"{found[1]} ("

    return _marked().sub(shown, text)


@one_state()
def on_chart(spec: dict[str, Any]) -> dict[str, Any]:
    """A chart's specification with the mark in its labels and in the line under it that says what bands and marks are."""
    title = spec.get("title")
    if isinstance(title, dict) and isinstance(title.get("subtitle"), list):
        measure, *key = title["subtitle"]
        spec = spec | {"title": title | {"subtitle": [measure, *map(in_words, key)]}}
    return cast(dict[str, Any], in_chart(spec))


def in_chart(spec: Any, inside: bool = False) -> Any:
    """A chart's specification with the mark in every label that is such a platform's name, or ends in it after a colon.

    Examples
    --------
    >>> in_chart({"datasets": {"a": [{"platform": "TPU v7", "way": "own: TPU v7"}]}, "title": "TPU v7"})
    {'datasets': {'a': [{'platform': 'TPU v7 (unmeasured)', 'way': 'own: TPU v7 (unmeasured)'}]}, 'title': 'TPU v7'}
    """
    if isinstance(spec, dict):
        return {key: in_chart(value, inside or key in NAMED_BY) for key, value in spec.items()}
    if isinstance(spec, list):
        return [in_chart(value, inside) for value in spec]
    if inside and isinstance(spec, str):
        before, colon, name = spec.rpartition(BEFORE_NAME)
        return f"{before}{colon}{_marks().get(name, name)}"
    return spec
