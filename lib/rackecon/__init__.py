"""rackecon: from serving physics to the return on a rack, with an honest interval."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# The small public interface, imported when first asked for: `import rackecon` stays light
_HOMES = {
    "InputError": "errors",
    "accelerator": "catalog",
    "evaluate": "analysis.evaluate",
    "frontier_money": "analysis.money",
    "model": "catalog",
    "predict": "serving.predict",
    "scenario": "catalog",
    "search": "serving.frontier",
    "sweep": "analysis.sweep",
    "table": "catalog",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"rackecon.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rackecon' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
