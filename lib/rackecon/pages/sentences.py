"""The words of the pages: one template a page in ``words/``, a block for each sentence or paragraph, filled from results.

A condition stands in the template beside the sentence that it chooses; Python hands over numbers and names. Rendering is
strict: a value that was not given, None, and a bare float are faults, so that every number passes a filter of
:mod:`rackecon.words` and none is printed as the machine holds it. What comes out is plain text; who shows it escapes it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from rackecon import catalog, words
from rackecon.catalog.cached import of_arguments, one_state
from rackecon.errors import check_known
from rackecon.evidence.novelty import platform_named

TEMPLATES: Final = Path(__file__).resolve().parent / "words"
SPACE: Final = re.compile(r"[ \t\r\n]+")
BEFORE_STOP: Final = re.compile(r" (?=[,;:.)](?:\s|$))")


def _printable(value: Any) -> Any:
    """What a template may print: text and whole numbers."""
    if value is None or isinstance(value, float | bool):
        raise ValueError(f"a template prints {value!r} bare: it needs a filter or a condition")
    return value


@of_arguments()
def environment() -> Any:
    """The strict Jinja environment of the words, with a filter for each function of :mod:`rackecon.words`.

    ``seen`` names a platform and says where it was never measured: a sentence that puts one first passes it through that.
    """
    import jinja2

    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # plain text: answer(), note() and table() escape it, once
        finalize=_printable,
    )
    found.filters["seen"] = platform_named
    found.filters.update({name: getattr(words, name) for name in words.__all__ if callable(getattr(words, name))})
    return found


def _named(value: Any) -> Any:
    """An id as its name, alone or in a sequence; everything else as it is."""
    if isinstance(value, str):
        return catalog.label(value)
    return type(value)(map(_named, value)) if type(value) in (list, tuple) else value


@one_state()
def say(page: str, block: str, **values: Any) -> str:
    """A sentence or paragraph of a page, filled; a value that is an id is said as its name.

    Parameters
    ----------
    page : str
        Name of the notebook, of which ``words/<page>.md.j2`` is the template.
    block : str
        Block of the template.
    **values
        What the block names.

    Returns
    -------
    str
        Plain text in one line.

    Raises
    ------
    InputError
        A block that the template does not have.
    jinja2.UndefinedError
        A name that was not given.
    ValueError
        None or a bare float where words are due.

    Examples
    --------
    >>> say("13_validation", "mlperf_software", used="no history", better=True, least_error=0.15, most_error=0.25)[-42:]
    'the median on v6.0 runs from 15 % to 25 %.'
    """
    template = environment().get_template(f"{page}.md.j2")
    check_known("block", block, template.blocks, f"words of {page}")
    text = "".join(template.blocks[block](template.new_context({key: _named(v) for key, v in values.items()})))
    return words.singular(BEFORE_STOP.sub("", SPACE.sub(" ", text)).strip())


def told(result: Any) -> dict[str, Any]:
    """Fields of a page's result that a sentence may quote, by name: all but its tables.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> told(SimpleNamespace(median_error=0.08, name="B200"))
    {'median_error': 0.08, 'name': 'B200'}
    """
    return {name: value for name, value in vars(result).items() if not hasattr(value, "columns")}
