"""Fallback pictures of charts, kept while they show the same thing.

Processors round the edges of letters and lines differently, by one grey level in 255, so that a chart redrawn elsewhere
is another file. Where the committed report holds the very same specification and a picture that looks the same, its
bytes are kept: a rebuild then changes a picture only where the chart changed.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rackecon.figures.display import VEGALITE_MIME

PNG_MIME = "image/png"
# A palette of 64 colours carries one edge pixel's rounding to many pixels, up and down alike, so that blocks of 8 x 8
# pixels keep their mean (13 grey levels at most on 36 charts); a mark that moved shifts its blocks by far more
BLOCK = 8
LARGEST_SHIFT = 24.0


def _charts(notebook: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if VEGALITE_MIME in data and PNG_MIME in data:
                yield json.dumps(data[VEGALITE_MIME], sort_keys=True), data


def same_picture(first: str, second: str) -> bool:
    """Whether two base64 PNGs have one size and differ by no more than rounding.

    Examples
    --------
    >>> import base64, io
    >>> from PIL import Image
    >>> def grey(level):
    ...     out = io.BytesIO()
    ...     Image.new("RGB", (8, 8), (level,) * 3).save(out, "PNG")
    ...     return base64.b64encode(out.getvalue()).decode()
    >>> same_picture(grey(100), grey(100)), same_picture(grey(100), grey(200))
    (True, False)
    """
    from PIL import Image

    one, two = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), dtype=np.int16)
        for text in (first, second)
    )
    if one.shape != two.shape:
        return False
    step = (one - two).mean(axis=2)
    padded = np.pad(step, [(0, -size % BLOCK) for size in step.shape])
    blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, -1, BLOCK).mean(axis=(1, 3))
    return bool(np.abs(blocks).max() <= LARGEST_SHIFT)


def pictures_of(path: str) -> dict[str, str]:
    """Pictures of an executed notebook by the specification of their chart; none where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as handle:
            return {spec: data[PNG_MIME] for spec, data in _charts(json.load(handle))}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def keep_pictures(notebook: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook with the pictures of ``before`` wherever specification and picture are the same."""
    known = {spec: data[PNG_MIME] for spec, data in _charts(before)}
    for spec, data in _charts(notebook):
        old = known.get(spec)
        if old is not None and same_picture(old, data[PNG_MIME]):
            data[PNG_MIME] = old
    return notebook
