"""An executed notebook as a page: offline, accessible, light and dark, on paper and on a phone."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rackecon import catalog
from rackecon.catalog import labels, relabelled
from rackecon.catalog.cached import by_data, of_arguments, one_state
from rackecon.figures.display import ANSWER, BESIDE_MIME, NO_EQUATIONS, VEGALITE_MIME, embedded, fluid
from rackecon.figures.lines import APART
from rackecon.figures.results import RESULTS_MIME
from rackecon.press.frame import framed_page
from rackecon.press.results import published

FOLD: Final = "fold"
"""Tag of a heading's cell whose section a page keeps folded until it is asked for."""
PROSE: Final = "note|measure|live-key"
"""Classes of paragraphs whose first uses of a term are explained."""
CLOSED: Final = "</p>|<code|<a |<dfn|<math|<details"
"""What ends a paragraph, and what in one no definition goes into or past."""
NO_TAG: Final = "(?![^<>]*(?:>|</button>))"
"""Not inside a tag, where the meaning of another term stands, and not in a term that is explained."""
LIVE: Final = '<section id="live"'
PAGES_FROM_TO: Final = re.compile(r"\bpages (\d\d) to (\d\d)\b")
ONE_PAGE: Final = re.compile(r"\bpage (\d\d)\b")
WAYLESS: Final = re.compile(
    r'<(a|script|style|pre|code|svg|button|select|title|h[1-6]|summary|caption|figcaption)\b.*?</\1>|<section id="live".*?</section>|<[^>]+>',
    re.S,
)
"""What holds no way to a page, or one already."""
CELL: Final = re.compile(r"^(<t[dh]\b[^>]*>)([^<>]+)(</t[dh]>)$")


@of_arguments()
def _markdown() -> Any:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class MathMlRenderer(IPythonRenderer):  # type: ignore[misc]
        """Equations as MathML: no script, no fonts, read aloud."""

        def _math(self, body: str, display: str) -> str:
            from latex2mathml.converter import convert

            return str(convert(body.strip(), display=display))

        def block_math(self, body: str) -> str:
            return f'<div class="math" tabindex="0">{self._math(body, "block")}</div>'

        def multiline_math(self, body: str) -> str:
            return self.block_math(body)

        def inline_math(self, body: str) -> str:
            return self._math(body, "inline")

    return MarkdownWithMath(renderer=MathMlRenderer(escape=False, anchor_link_text=""))


def to_html(text: str) -> str:
    """Markdown with equations as HTML; empty heading anchors of the converter are dropped."""
    out = str(_markdown()(text))
    return re.sub(r'<a class="anchor-link"[^>]*?(/>|>.*?</a>)', "", out)


def _code(source: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return str(highlight(source, PythonLexer(), HtmlFormatter(nowrap=False, cssclass="hl")))


def _words(text: Any) -> str:
    return " ".join(text) if isinstance(text, list) else str(text or "")


def _output(output: dict[str, Any], charts: list[dict[str, Any]]) -> str:
    data = output.get("data", {})
    if VEGALITE_MIME in data:
        spec = fluid(data[VEGALITE_MIME])
        number = len(charts) + 1
        charts.append(spec)
        text = html.escape(_told(str(spec.get("description", "chart"))), quote=True)
        title = spec.get("title") or {}
        title = title if isinstance(title, dict) else {"text": title}
        under = title.get("subtitle") or ""
        measure, *key = [under] if isinstance(under, str) else under
        finding, measure, told = (
            html.escape(_told(words)) for words in (_words(title.get("text")), measure, " ".join(key))
        )
        heading = f'<p class="finding">{finding}</p><p class="measure">{measure}</p>'
        below = f'<p class="measure key">{told}</p>' if told else ""
        return (
            f'<figure class="chart" id="chart-{number}" aria-label="{text}">{heading}<div class="canvas"></div>'
            f'<script type="application/json">{embedded(spec)}</script>{below}'
            f'<figcaption><span class="sr">{text}</span><span class="links"></span></figcaption></figure>'
        )
    if "text/html" in data:
        markup = "".join(data["text/html"])
        bare = markup[len(NO_EQUATIONS) : -len("</div>")] if markup.startswith(NO_EQUATIONS) else markup
        return named(bare)
    if RESULTS_MIME in data:
        return ""
    if "text/markdown" in data:
        return to_html("".join(data["text/markdown"]))
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    if output.get("output_type") == "stream":
        return f'<pre class="out">{html.escape("".join(output["text"]))}</pre>'
    if "text/plain" in data:
        return f'<pre class="out">{html.escape("".join(data["text/plain"]))}</pre>'
    return ""


def _numbered(body: str) -> str:
    """Every table with an address of its own, in order."""
    count = itertools.count(1)
    return re.sub(r'<div class="scroll"(?= tabindex)', lambda _: f'<div class="scroll" id="table-{next(count)}"', body)


def named(markup: str) -> str:
    """Names in place of the catalog's ids in prose, and in cells that hold an id alone; lengths in short form spelt out.

    Tags, code, scripts and quotations stay.

    Examples
    --------
    >>> named('<p id="chat">Within rag-summarise: <code>rag-summarise</code></p>')
    '<p id="chat">Within document summaries: <code>rag-summarise</code></p>'
    >>> named("<tr><th scope='row'>deepseek-r1</th><td>fp8, rag-summarise</td></tr>")
    "<tr><th scope='row'>DeepSeek-V3/R1</th><td>fp8, rag-summarise</td></tr>"
    >>> named("<p>at 8k/1k</p>")
    '<p>at 8k in, 1k out</p>'
    """
    skipped = re.compile(r"<(script|style|pre|code|td|th|select|q|blockquote)\b.*?</\1>|<[^>]+>", re.S)
    parts, at = [], 0
    known = {key: html.escape(name) for key, name in labels().items()}
    for found in skipped.finditer(markup):
        cell = CELL.match(found[0])
        whole = f"{cell[1]}{known.get(cell[2], _spelt(cell[2]))}{cell[3]}" if cell else found[0]
        parts += [_told(markup[at : found.start()], html.escape), whole]
        at = found.end()
    return "".join([*parts, _told(markup[at:], html.escape)])


def _told(text: str, written: Callable[[str], str] = str) -> str:
    """Words as a reader knows them: names for ids, as ``written`` gives them, lengths in full."""
    return _spelt(relabelled(text, written))


def _spelt(text: str) -> str:
    """Lengths as the field abbreviates them, in words."""
    return re.sub(r"\b(\d+)k/(\d+)k\b", r"\1k in, \2k out", text)


def linked(markup: str, names: Sequence[str]) -> str:
    """Numbers of pages in prose as ways to them.

    Examples
    --------
    >>> linked("<p>as page 14 says, <a>page 14</a></p>", ["14_market"])
    '<p>as <a href="14_market.html">page 14</a> says, <a>page 14</a></p>'
    >>> linked("<td>on pages 02 to 05, page 99</td>", ["02_moe_experts", "05_latency_targets"])
    '<td>on pages <a href="02_moe_experts.html">02</a> to <a href="05_latency_targets.html">05</a>, page 99</td>'
    """
    home = {name.partition("_")[0]: name for name in names}

    def way(number: str, words: str) -> str:
        return f'<a href="{home[number]}.html">{words}</a>' if number in home else words

    def told(text: str) -> str:
        text = PAGES_FROM_TO.sub(lambda m: f"pages {way(m[1], m[1])} to {way(m[2], m[2])}", text)
        return ONE_PAGE.sub(lambda m: way(m[1], m[0]), text)

    parts, at = [], 0
    for found in WAYLESS.finditer(markup):
        parts += [told(markup[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*parts, told(markup[at:])])


def _with_ids(markup: str, contents: list[tuple[str, str]]) -> str:
    def give(match: re.Match[str]) -> str:
        level, inner = match.group(1), match.group(3)
        text = re.sub(r"<[^>]+>", "", inner)
        key = re.sub(r"[^a-z0-9]+", "-", html.unescape(text).lower()).strip("-")
        if level == "2":
            contents.append((key, html.unescape(text)))
        return f'<h{level} id="{key}">{inner}</h{level}>'

    return re.sub(r"<h([1-4])( [^>]*)?>(.*?)</h\1>", give, markup, flags=re.S)


@by_data()
def _terms() -> dict[str, str]:
    return {row["term"]: row["meaning"] for row in catalog.read_rows("glossary")}


def _glossary(markup: str, used: set[str]) -> str:
    """First use of each glossary term in prose becomes a definition that opens on a click or with the keyboard.

    Prose is a paragraph, a computed note, and the line that says what a chart measures.
    """
    for term, meaning in _terms().items():
        if term in used:
            continue
        word = rf"\b({re.escape(term)}s?)\b{NO_TAG}"
        pattern = re.compile(rf'(<p(?: class="(?:{PROSE})")?>(?:(?!{CLOSED}).)*?){word}', re.S)
        found = pattern.search(markup)
        if found:
            used.add(term)
            dfn = f'<button type="button" class="dfn" aria-expanded="false" data-meaning="{html.escape(meaning, quote=True)}">{found[2]}</button>'
            markup = markup[: found.start(2)] + dfn + markup[found.end(2) :]
    return markup


def question(notebook: Mapping[str, Any]) -> str:
    """The question of a page: the text of its notebook's first heading."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"]).lstrip()
        if cell["cell_type"] == "markdown" and source.startswith("# "):
            return source.splitlines()[0][2:].strip()
    return ""


def files_beside(notebook: Mapping[str, Any]) -> dict[str, str]:
    """Scripts that hold what a page asks for when a reader wants it, by their name beside the page."""
    bundles = (
        output.get("data", {}).get(BESIDE_MIME, {}) for cell in notebook["cells"] for output in cell.get("outputs", [])
    )
    return {f"assets/{name}": f"window.rackeconBeside={text};\n" for bundle in bundles for name, text in bundle.items()}


@one_state()
def render_page(notebook: dict[str, Any], name: str, names: list[str], index: str = "") -> str:
    """The page of an executed notebook.

    Parameters
    ----------
    notebook : dict
        Executed and normalised.
    name : str
        Its name.
    names : list of str
        All pages in order, for previous and next.
    index : str
        Extra HTML at the end of the page, for the site's index.
    """
    charts: list[dict[str, Any]] = []
    contents: list[tuple[str, str]] = []
    used: set[str] = set()
    parts: list[str] = []
    sections = [parts]
    folded = False
    for cell in notebook["cells"]:
        source, tags = "".join(cell["source"]), cell.get("metadata", {}).get("tags", [])
        if cell["cell_type"] == "markdown" and source.lstrip().startswith("## "):
            parts += ["</details>"] if folded else []
            folded = FOLD in tags
            parts = (
                [f'<details class="fold part"><summary>{html.escape(_first_heading(source))}</summary>']
                if folded
                else []
            )
            sections.append(parts)
        if cell["cell_type"] == "markdown":
            parts.append(_glossary(_with_ids(to_html("".join(cell["source"])), contents), used))
        elif cell["cell_type"] == "code":
            parts.append(_code_cell(cell))
            outputs = [_output(output, charts) for output in cell.get("outputs", []) if output.get("name") != "stderr"]
            parts += [_glossary(_with_ids(markup, contents), used) for markup in outputs if markup]
    parts += ["</details>"] if folded else []
    body = _once(APART, _numbered(_arranged(["\n".join(part for part in section if part) for section in sections])))
    body = linked(body, names)
    position = names.index(name) if name in names else -1
    live = ["figures.js", "live.js"] if LIVE in body else []
    return framed_page(
        title=question(notebook) or name,
        description=published(notebook, name).get(ANSWER, ("", ""))[0][:200],
        body=body,
        contents=contents,
        around=(
            names[position - 1] if position > 0 else "",
            names[position + 1] if 0 <= position < len(names) - 1 else "",
        ),
        scripts=[*live, *(["vega.js"] if charts else [])],
        index=index,
        here="index.html" if index else f"{name}.html",
        walk=names or [name],
    )


def _once(words: str, body: str) -> str:
    """A page that says some words once, under the first chart that they are true of.

    Examples
    --------
    >>> _once(", as it rains", "<p>Wet, as it rains</p><p>Cold, as it rains</p>")
    '<p>Wet, as it rains</p><p>Cold</p>'
    """
    before, said, after = body.partition(f"{words}</p>")
    return before + said + after.replace(f"{words}</p>", "</p>")


def _arranged(sections: list[str]) -> str:
    """A page's sections in order. Round live controls, what stands before and after is kept as one picture each, and what
    no first screen shows is laid out once that screen stands."""
    at = next((i for i, section in enumerate(sections) if LIVE in section), None)
    if at is None:
        return "\n".join(section for section in sections if section)
    lead, live, after = re.split(rf"(?={LIVE})|(?<=</section>)(?=<script)", sections[at], maxsplit=2)
    if at:
        lead = "\n".join([sections[0], *map(_later, sections[1:at]), lead])
    return (
        f'<div class="apart">{lead}</div>\n{live}\n<div class="apart later">{after}{"".join(sections[at + 1 :])}</div>'
    )


def _later(section: str) -> str:
    return f'<section class="later">{section}</section>'


def _first_heading(source: str) -> str:
    return source.lstrip().splitlines()[0].lstrip("# ").strip()


def _code_cell(cell: Mapping[str, Any]) -> str:
    source, tags = "".join(cell["source"]), cell.get("metadata", {}).get("tags", [])
    if not source.strip():
        return ""
    if "injected-parameters" in tags:
        return f'<details class="code" open><summary>Parameters of this run</summary>{_code(source)}</details>'
    label = "Parameters" if "parameters" in tags else "Code"
    return f'<details class="code"><summary>{label}</summary>{_code(source)}</details>'
