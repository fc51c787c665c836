"""The page of the library's public functions, from their own help: pdoc's reading of it in the site's frame."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

from rackecon.press.frame import framed_page

TEMPLATES = Path(__file__).resolve().parent / "templates" / "api"
STYLE = (
    "<style>pre{white-space:pre-wrap;overflow-wrap:anywhere}.part{font-weight:600;margin:12px 0 4px}"
    ".docstring dt,.docstring li{margin:4px 0}.docstring dd{margin:0 0 6px 20px}</style>"
)


def _public() -> Any:
    """The public names as a module that is whole: `rackecon` itself imports each when it is first asked for."""
    import pdoc.doc

    import rackecon

    module = types.ModuleType("rackecon", rackecon.__doc__)
    names = [name for name in rackecon.__all__ if not name.startswith("_")]
    for name in names:
        setattr(module, name, getattr(rackecon, name))
    module.__dict__["__all__"] = names
    return pdoc.doc.Module(module)


def _plain(markup: str) -> str:
    """Without a second main part, repeated ids and headings out of order: pdoc makes whole pages, this is part of one."""
    markup = re.sub(r"<h6 id=\"[^\"]*\">(.*?)</h6>", r'<p class="part">\1</p>', markup)
    markup = markup.replace('<main class="pdoc">', "<div>").replace("</main>", "</div>")
    markup = re.sub(r'(<span class="def">\w+</span>)\s+', r"\1 ", markup)
    markup = re.sub(r"^ +(?=<)|[ \t]+$", "", markup, flags=re.M)
    return re.sub(r"\n{2,}", "\n", markup)


def api_page() -> str:
    """The page as HTML, for ``api/rackecon.html`` of a site; it fetches nothing beyond the site's own style."""
    import pdoc.render

    import rackecon

    module = _public()
    pdoc.render.configure(
        docformat="numpy", include_undocumented=False, show_source=False, search=False, template_directory=TEMPLATES
    )
    members = _plain(pdoc.render.html_module(module, {"rackecon": module}))
    names = [member.name for member in module.flattened_own_members if "." not in member.qualname]
    title = f"What can be imported from rackecon {rackecon.__version__}?"
    return framed_page(
        title=title,
        description="The library, function by function",
        body=f"{STYLE}<h1>{title}</h1>{members}",
        contents=[(name, name) for name in names],
        root="../",
        here="api/rackecon.html",
    )
