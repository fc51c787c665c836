"""pandas as ``pd``, loaded at its first use: loading takes longer than all of the library, and most commands do without."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
else:

    class _Lazy:
        def __getattr__(self, name: str) -> Any:
            found = getattr(import_module("pandas"), name)
            setattr(self, name, found)
            return found

    pd = _Lazy()

__all__ = ["pd"]
