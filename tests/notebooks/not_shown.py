"""What a source notebook and a sentence should not hold."""

from __future__ import annotations

from typing import Any

from rackecon.catalog.labels import _ids


def leftovers(notebook: dict[str, Any]) -> list[str]:
    """What running left in a notebook, in words; empty when it is clean."""
    found = []
    for i, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        if cell["outputs"]:
            found.append(f"cell {i} has outputs")
        if cell["execution_count"] is not None:
            found.append(f"cell {i} has an execution count")
    return found


def ids_in(text: str) -> list[str]:
    """Ids of the catalog with a hyphen or an underscore that stand in a text."""
    return _ids().findall(text)
