"""When a version of a serving engine was measured: the date of a run that names a version and no day."""

from __future__ import annotations

import re
from typing import Final

from rackecon.catalog.cached import by_data
from rackecon.catalog.paths import read_rows

VERSION: Final = re.compile(r"(?<![\w.])v?(\d+\.\d+(?:\.\d+)?)")


def version_in(text: str) -> str | None:
    """Version that a name, an image or a sentence states; None where it states none.

    Examples
    --------
    >>> version_in("vllm/vllm-openai-rocm:v0.17.0"), version_in("SGLang 0.5"), version_in("trt")
    ('0.17.0', '0.5', None)
    """
    found = VERSION.search(text)
    return found[1] if found else None


def version_date(engine: str, version: str) -> str | None:
    """Newest date of a measured run of an engine's version, of two numbers or of three; None where none is measured.

    Examples
    --------
    >>> version_date("sglang", "0.5.12"), version_date("sglang", "9.9")
    ('2026-06-11', None)
    """
    return _versions().get((engine, version))


@by_data(1, "measured_serving")
def _versions() -> dict[tuple[str, str], str]:
    out: dict[tuple[str, str], str] = {}
    for row in read_rows("measured_serving"):
        version = version_in(row["engine_version"].split("|")[-1])
        for word in {version, ".".join(version.split(".")[:2])} if version else ():
            out[row["engine"], word] = max(out.get((row["engine"], word), ""), row["date"])
    return out
