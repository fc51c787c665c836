"""Files that all pages share: the chart library once, the pages' own style and scripts."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rackecon.catalog.cached import of_arguments
from rackecon.catalog.written import write_file
from rackecon.errors import InputError

HERE: Final = Path(__file__).resolve().parent / "assets"
SCRIPTS: Final = ("figures.js", "find.js", "live.js")
SHARED: Final = ("vega.js", "page.css", "page.js", *SCRIPTS)
"""Names of the shared files."""


def lean(style: str) -> str:
    """A style sheet without comments, indents and ends of lines: a page carries what counts.

    Examples
    --------
    >>> lean("/* of two\\n   lines */\\n\\na,\\nb {\\n  margin: 0\\n} /* too */\\nc\\nd{}\\n").splitlines()
    ['a,b {margin: 0', '}c', 'd{}']
    """
    bare = re.sub(r"[ \t]*/\*.*?\*/", "", style, flags=re.S)
    return re.sub(r"(?<=[{};,])\n+", "", re.sub(r"^\s+", "", bare, flags=re.M))


@of_arguments()
def shared_files() -> dict[str, str]:
    """Text of each shared file by name."""
    import rjsmin

    from rackecon.figures.theme import GREY, OTHER, PLATFORM_DARK, PLATFORM_LIGHT

    light, dark = (dict(colours) | {OTHER: GREY} for colours in (PLATFORM_LIGHT, PLATFORM_DARK))

    def variables(colours: dict[str, str]) -> str:
        return "".join(f"--p-{name}:{value};" for name, value in sorted(colours.items()))

    style = (HERE / "page.css").read_text(encoding="utf-8")
    style = f":root{{{variables(light)}}}\n@media (prefers-color-scheme:dark){{:root{{{variables(dark)}}}}}\n" + style
    swap = json.dumps({PLATFORM_LIGHT[key]: PLATFORM_DARK[key] for key in PLATFORM_LIGHT}, sort_keys=True)
    script = f"window.rackeconDark={swap};\n" + rjsmin.jsmin((HERE / "page.js").read_text(encoding="utf-8"))
    return {
        "vega.js": f"(function(){{{_chart_library()}\n}})();\n",
        "page.css": lean(style),
        "page.js": script,
        **{name: rjsmin.jsmin((HERE / name).read_text(encoding="utf-8")) for name in SCRIPTS},
    }


def _chart_library() -> str:
    """The bundle of Vega, which takes two seconds to make and differs by version alone: kept, with its digest, on disk."""
    import vl_convert

    from rackecon.figures.renderer import VL_VERSION

    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rackecon"
    kept = home / f"vega-{VL_VERSION}-vl-convert-{version('vl-convert-python')}.js"
    try:
        digest, _, bundle = kept.read_text(encoding="utf-8").partition("\n")
        if digest == hashlib.sha256(bundle.encode()).hexdigest():
            return bundle
    except (OSError, UnicodeDecodeError):
        pass  # made afresh
    bundle = str(vl_convert.javascript_bundle(vl_version=VL_VERSION))  # type: ignore[call-arg]
    with suppress(InputError):  # a home that cannot be written to costs the two seconds each time
        write_file(kept, f"{hashlib.sha256(bundle.encode()).hexdigest()}\n{bundle}")
    return bundle


def write_shared_files(target: Path) -> None:
    """Write the shared files into ``target/assets`` where they differ."""
    for name, text in shared_files().items():
        path = target / "assets" / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_file(path, text)
