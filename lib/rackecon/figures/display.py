"""How charts, tables and answers leave a notebook: one bundle that works offline in JupyterLab, in plain HTML and in mail."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rackecon.figures.results import RESULTS_MIME, Figure, result_rows
from rackecon.figures.theme import base_config

NO_EQUATIONS: Final = '<div class="mathjax_ignore">'
"""What output stands in, in a notebook: between two dollar signs JupyterLab would set an equation, and ours are money."""
ANSWER: Final = "answer"
"""Key under which a page's answer is published."""
CASE: Final = "case"
"""Key under which what an answer holds for is published."""
SENTENCE_END: Final = re.compile(r"(?<=[A-Za-z0-9)%][.])\s+(?=[A-Z0-9])")
"""Between two sentences."""
BEFORE: Final = ".page-before.ipynb"
"""Name, in the folder that a notebook runs in, of the page as it was made before: its pictures need not be drawn again."""
BESIDE_MIME: Final = "application/vnd.rackecon.beside+json"
"""Data that a page asks for when a reader wants them: a file of their own beside it, by name."""
WHOLE: Final = re.compile(r"−\$[0-9.,]+[kMbn]*|\b20\d\d-\d\d(?:-\d\d)?\b")
"""An amount below zero, or a date: what a line may not break in."""
VEGALITE_MIME = "application/vnd.vegalite.v5+json"
CONTAINER = "container"
FIXED_WIDTH = 560  # JupyterLab's output area has no width of its own while it draws: "container" would be 0 px


LEAVING: Final[dict[str, Callable[[Any], Any]]] = dict.fromkeys(("chart", "table", "words"), lambda part: part)
"""What is done to every chart's specification, to all markup and to every paragraph that leaves a notebook: :mod:`rackecon.notebook` sets it."""


class Html:
    """A piece of HTML with a text twin, shown by Jupyter; with results to publish where it states some, and data beside the page."""

    def __init__(
        self, markup: str, text: str, figures: Iterable[Figure] = (), beside: Mapping[str, Any] | None = None
    ) -> None:
        self.markup, self.text, self.rows, self.beside = markup, text, result_rows(figures), beside

    def _repr_html_(self) -> str:
        return self.markup

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "text/html": f"{NO_EQUATIONS}{LEAVING['table'](self.markup)}</div>",
            "text/plain": self.text,
        }
        shown |= {RESULTS_MIME: {"results": self.rows}} if self.rows else {}
        return shown | (
            {BESIDE_MIME: {name: embedded(data) for name, data in self.beside.items()}} if self.beside else {}
        )

    def __repr__(self) -> str:
        return self.text


def answer(*sentences: str, case: str = "") -> Html:
    """The page's answer: computed sentences, shown large under the question and published as its result ``answer``.

    The first sentence is the answer alone, in bold; ``case`` says before it what it holds for, where it does not.
    """
    text = LEAVING["words"](" ".join(filter(None, sentences)))
    lead, rest = first_sentence(text)
    told = f"<strong>{prose(lead)}</strong>" + (f' <span class="then">{prose(rest)}</span>' if rest else "")
    before = f'<p class="kicker">{prose(case)}</p>' if case else ""
    return Html(
        f'{before}<p class="answer">{told}</p>',
        f"{case} {text}".lstrip(),
        [Figure(ANSWER, text, "text"), *([Figure(CASE, case, "text")] if case else [])],
    )


def first_sentence(text: str) -> tuple[str, str]:
    """The first sentence of a text, and the rest.

    Examples
    --------
    >>> first_sentence("It costs $2.50. Who rents pays more.")
    ('It costs $2.50.', 'Who rents pays more.')
    """
    first, *rest = SENTENCE_END.split(text, maxsplit=1)
    return first, "".join(rest)


def note(text: str) -> Html:
    """A computed paragraph (what it means, what would change it)."""
    text = LEAVING["words"](text)
    return Html(f'<p class="note">{prose(text)}</p>', text)


def prose(text: str) -> str:
    """A sentence as HTML, a minus sign kept in one line with its amount, and a date in one.

    Examples
    --------
    >>> prose("between −$2 and $3")
    'between <span class="nb">−$2</span> and $3'
    >>> prose("of 2026-01")
    'of <span class="nb">2026-01</span>'
    """
    return WHOLE.sub(r'<span class="nb">\g<0></span>', html.escape(text, quote=False))


def chart_bundle(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Mime bundle of a chart: the specification at a fixed width, and a small PNG for what draws no specification."""
    spec = LEAVING["chart"](spec)
    text = str(spec.get("description") or _title(spec))
    fixed = spec | {"width": FIXED_WIDTH} if spec.get("width") == CONTAINER else spec
    return {VEGALITE_MIME: fixed, "image/png": _picture(fixed), "text/plain": f"<chart: {text}>"}, {}


def embedded(data: Any) -> str:
    """JSON for a script element, the same bytes each time: no sign in it can end the element or begin a comment.

    A number that is not finite, for which JSON has no sign, is null.

    Examples
    --------
    >>> embedded({"name": "</script>", "gpus": float("nan")})
    '{"gpus":null,"name":"\\\\u003c/script>"}'
    """
    try:
        text = _compact(data)
    except ValueError:
        text = _compact(_finite(data))
    return text.replace("<", "\\u003c")


def _compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def fluid(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification as a page draws it: as wide as its column, where the notebook had the fixed width.

    Examples
    --------
    >>> fluid({"width": FIXED_WIDTH})["width"], fluid({"width": 200})["width"]
    ('container', 200)
    """
    return spec | {"width": CONTAINER} if spec.get("width") == FIXED_WIDTH else spec


def _title(spec: dict[str, Any]) -> str:
    title = spec.get("title", "")
    if isinstance(title, dict):
        title = title.get("text", "")
    return " ".join(title) if isinstance(title, list) else str(title)


_KNOWN: dict[str, dict[str, str]] = {}


def _picture(spec: dict[str, Any]) -> str:
    """The chart's picture: that of the page as it was made before, where a copy of it lies here and holds the very chart."""
    from rackecon.figures.pictures import pictures_of

    here = os.path.abspath(BEFORE)
    if here not in _KNOWN:
        _KNOWN[here] = pictures_of(here)
    return _KNOWN[here].get(json.dumps(spec, sort_keys=True)) or _png(spec)


def _png(spec: dict[str, Any]) -> str:
    from PIL import Image

    from rackecon.figures.renderer import png_of

    raw = png_of(json.dumps(spec | {"background": "white"}))
    image = Image.open(io.BytesIO(raw)).convert("RGB").quantize(64)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode("ascii")


def enable() -> None:
    """Register the offline renderer and the theme with Altair; harmless to call twice."""
    import altair as alt

    # to ask for the names takes a look at all that is installed
    if alt.renderers.active != "rackecon" and "rackecon" not in alt.renderers.names():
        alt.renderers.register("rackecon", lambda spec, **_: chart_bundle(spec))
        alt.theme.register("rackecon", enable=False)(lambda: {"config": base_config()})
    alt.renderers.enable("rackecon")
    alt.theme.enable("rackecon")
    alt.data_transformers.enable("default", consolidate_datasets=True, max_rows=20000)
