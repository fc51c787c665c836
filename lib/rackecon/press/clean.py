"""A source notebook as it is committed: no outputs, no counters, constant ids."""

from __future__ import annotations

from typing import Any

from rackecon.press.run import normalise


def stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook without what running it left."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        source = cell["source"]
        text = "".join(source) if isinstance(source, list) else source
        cell["source"] = text.splitlines(keepends=True)
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    return normalise(notebook)
