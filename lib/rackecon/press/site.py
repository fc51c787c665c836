"""The pages together: shared assets, and an index that leads with the answer."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from rackecon.catalog.cached import of_arguments

__all__ = ["assets", "standalone_page", "write_assets", "write_index", "write_reference"]

HERE = Path(__file__).resolve().parent
SUMMARY = "00_executive_summary"
REFERENCE = {
    "parameters.html": "Every parameter of every notebook, with default, unit and range",
    "api/rackecon.html": "The library, function by function",
}


@of_arguments()
def assets() -> dict[str, str]:
    """Shared files of the pages by name: the chart library once, the page's own style and scripts."""
    import vl_convert

    from rackecon.figures.display import VL_VERSION
    from rackecon.figures.theme import FAMILY, PLATFORM_DARK, PLATFORM_LIGHT

    bundle = vl_convert.javascript_bundle(vl_version=VL_VERSION)  # type: ignore[call-arg]
    light = dict(PLATFORM_LIGHT) | {name: PLATFORM_LIGHT[base] for name, base in FAMILY.items()}
    dark = dict(PLATFORM_DARK) | {name: PLATFORM_DARK[base] for name, base in FAMILY.items()}

    def variables(colours: dict[str, str]) -> str:
        return "".join(f"--p-{name}:{value};" for name, value in sorted(colours.items()))

    style = (HERE / "assets" / "page.css").read_text(encoding="utf-8")
    style = f":root{{{variables(light)}}}\n@media (prefers-color-scheme:dark){{:root{{{variables(dark)}}}}}\n" + style
    swap = json.dumps({PLATFORM_LIGHT[key]: PLATFORM_DARK[key] for key in PLATFORM_LIGHT}, sort_keys=True)
    script = f"window.rackeconDark={swap};\n" + (HERE / "assets" / "page.js").read_text(encoding="utf-8")
    return {
        "vega.js": f"(function(){{{bundle}\n}})();\n",
        "page.css": style,
        "page.js": script,
        **{name: (HERE / "assets" / name).read_text(encoding="utf-8") for name in ("figures.js", "live.js")},
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def write_assets(target: Path) -> None:
    """Write the shared files into ``target/assets`` where they differ."""
    for name, text in assets().items():
        path = target / "assets" / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            _write(path, text)


def write_reference(target: Path, names: Sequence[str]) -> None:
    """Write the pages of parameters and of the library's functions."""
    from rackecon.press.api_page import api_page
    from rackecon.press.parameters_page import parameters_page

    for path, text in zip(REFERENCE, (parameters_page(names), api_page()), strict=True):
        _write(target / path, text)


def write_index(target: Path) -> None:
    """Write index.html: the executive summary where there is one, with a list of all pages and their answers."""
    from rackecon.press.html import page_meta, render_page

    pages = []
    for path in sorted(target.glob("[0-9][0-9]_*.ipynb")):
        title, answer = page_meta(json.loads(path.read_text(encoding="utf-8")))
        pages.append((path.stem, title, answer))
    if not pages:
        return
    items = "".join(
        f'<li><a href="{name}.html">{html.escape(title)}</a><p>{html.escape(answer)}</p></li>'
        for name, title, answer in pages
        if name != SUMMARY
    )
    links = "".join(
        f'<p><a href="{path}">{words}</a></p>' for path, words in REFERENCE.items() if (target / path).is_file()
    )
    listing = f'<section id="pages"><h2 id="all-pages">All pages</h2><ol class="pages">{items}</ol>{links}</section>'
    first = target / f"{SUMMARY}.ipynb"
    source = first if first.is_file() else target / f"{pages[0][0]}.ipynb"
    notebook = json.loads(source.read_text(encoding="utf-8"))
    page = render_page(notebook, source.stem, [name for name, _, _ in pages], index=listing)
    _write(target / "index.html", page)


def standalone_page(page: Path) -> str:
    """A rendered page with its assets inlined: one file to mail."""
    text = page.read_text(encoding="utf-8")
    files = assets()
    text = re.sub(
        r'<link rel="stylesheet" href="assets/page.css">', lambda _: f"<style>{files['page.css']}</style>", text
    )
    return re.sub(
        r'<script (?:defer )?src="assets/([a-z.]+)"></script>', lambda m: f"<script>{files[m.group(1)]}</script>", text
    )
