"""What stands round the content of every page: head, contents, links to the other pages, scripts, and what may run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rackecon import catalog
from rackecon.appraisal.parameters import notebooks_dir
from rackecon.catalog.cached import of_arguments
from rackecon.catalog.paths import listed
from rackecon.figures.display import WHOLE
from rackecon.press.shared_files import shared_files
from rackecon.words import page_words

TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
POLICY: Final = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline' 'self' file:; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing is fetched and no script runs but the pages' own files; charts are drawn without ``eval``."""
LOOKUP: Final = {
    "glossary.html": "glossary",
    "find.html": "search",
    "data.html": "data",
    "parameters.html": "parameters",
    "api/rackecon.html": "library",
}
"""Pages beside the walk, by file."""
REFERENCE: Final = {
    "parameters.html": "Every parameter of every notebook, with default, unit and range",
    "api/rackecon.html": "The library, function by function",
}
"""Pages that only a whole site has, with what they hold."""
SUMMARY: Final = "00_executive_summary"
LATER: Final = '<script type="text/plain" data-'
"""How a script is named that a page asks for itself, once its text is painted."""
OWN_FILES: Final = "'self' file:"


@of_arguments()
def _environment() -> Any:
    import jinja2

    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["page_words"] = page_words
    return found


def framed_page(
    *,
    title: str,
    description: str,
    body: str,
    contents: Sequence[tuple[str, str]],
    root: str = "",
    around: tuple[str, str] = ("", ""),
    scripts: Sequence[str] = (),
    index: str = "",
    here: str = "",
    walk: Sequence[str] | None = None,
) -> str:
    """A whole page.

    Parameters
    ----------
    title, description : str
        Plain text of the head.
    body : str
        Markup of the content.
    contents : sequence of tuple of str
        Id and text of each heading.
    root : str
        Way to the folder of the pages.
    around : tuple of str
        Names of the previous and the next page, empty where there is none.
    scripts : sequence of str
        Shared scripts beyond ``page.js``, in order.
    index : str
        Markup of the list of all pages, on the index.
    here : str
        The page's own file, marked in the list of pages; of a notebook's page, what it is made of is linked.
    walk : sequence of str, optional
        Notebooks whose pages stand beside it; all by default.
    """
    import rackecon

    name = here.removesuffix(".html")
    previous, following = around
    return str(
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            description=description,
            body=unbroken(body),
            contents=contents,
            root=root,
            previous=previous,
            next=following,
            scripts=["page.js", *scripts],
            index=unbroken(index),
            policy=POLICY.format(scripts=OWN_FILES),
            here=here,
            pages=site_pages(notebook_names() if walk is None else walk),
            notebook=name if name in notebook_names() else "",
            edition=rackecon.__version__,
            vintage=catalog.base_case().as_of_date,
        )
    )


def notebook_names() -> list[str]:
    """Names of the report's notebooks, in order."""
    return [path.stem for path in listed(notebooks_dir(), "[0-9][0-9]_*.ipynb")]


def site_pages(walk: Sequence[str]) -> list[tuple[str, str]]:
    """File and words of every page that a reader may go to from any other; a run of some notebooks has no reference."""
    whole = set(walk) >= set(notebook_names())
    beside = [(path, words) for path, words in LOOKUP.items() if whole or path not in REFERENCE]
    pages = [(f"{name}.html", page_words(name)) for name in walk if name != SUMMARY]
    return [("index.html", "summary" if SUMMARY in walk else "index"), *pages, *beside]


def unbroken(markup: str) -> str:
    """No line break between a number and its per cent sign or MW, between a minus sign and its amount or in a date, outside
    tags, scripts and code.

    Examples
    --------
    >>> unbroken('<p title="5 %">5 %</p>').encode("ascii", "xmlcharrefreplace")
    b'<p title="5 %">5&#160;%</p>'
    >>> unbroken("<td>to −$2</td>")
    '<td>to <span class="nb">−$2</span></td>'
    >>> unbroken('<a href="/2026-01-02">of 2026-01</a>')
    '<a href="/2026-01-02">of <span class="nb">2026-01</span></a>'
    """
    skipped = r"<(script|style|pre|code|title|option)\b.*?</\1>|<span class=\"nb\">[^<]*|<[^>]+>"
    whole = {" %": "\u00a0%", " MW": "\u00a0MW"}

    def joined(found: re.Match[str]) -> str:
        part = found[0]
        return part if part.startswith("<") else whole.get(part) or f'<span class="nb">{part}</span>'

    return re.sub(rf"{skipped}|(?<=\d) (?:%|MW\b)|{WHOLE.pattern}", joined, markup, flags=re.S)


def standalone_page(page: Path) -> str:
    """A rendered page with the shared files inside: one file to mail. Its scripts run by their digests.

    What a page asks for when a reader wants it comes along too.
    """
    text, files = page.read_text(encoding="utf-8").replace(LATER, "<script "), dict(shared_files())
    for name in re.findall(r'data-file="assets/([a-z.]+)"', text):
        if (page.parent / "assets" / name).is_file():
            files[name] = (page.parent / "assets" / name).read_text(encoding="utf-8")
            first = '<script src="assets/page.js"></script>'
            text = text.replace(first, f'{first}<script src="assets/{name}"></script>', 1)
    named: list[str] = re.findall(r'<script src="assets/([a-z.]+)"></script>', text)
    digests = (base64.b64encode(hashlib.sha256(files[name].encode()).digest()).decode("ascii") for name in named)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    text = text.replace(f"script-src {_escaped(OWN_FILES)};", f"script-src {_escaped(allowed)};", 1)
    text = text.replace('<link rel="stylesheet" href="assets/page.css">', f"<style>{files['page.css']}</style>", 1)
    for name in named:
        text = text.replace(f'<script src="assets/{name}"></script>', f"<script>{files[name]}</script>", 1)
    return text


def _escaped(text: str) -> str:
    return text.replace("'", "&#39;")
