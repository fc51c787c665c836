"""From serving physics to the return on a rack, with an honest interval.

Units stand in names (``tpot_limit_ms``, ``profit_usd_per_rack_year``) or in square brackets. Rates are per GPU over all
GPUs, prefill and decode; *total* counts input and output tokens. A fault in what is given raises :class:`InputError`.

>>> from rackecon import evaluate
>>> row = evaluate(["b200-hgx"], ["gpt-oss-120b"], ["chat"], utilisation=0.5).iloc[0]
>>> bool(row["profit_usd_per_mw_year_low"] < row["profit_usd_per_mw_year"] < row["profit_usd_per_mw_year_high"])
True
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rackecon.threads import one_thread_each

one_thread_each()  # before anything loads linear algebra, in a command, a kernel and a program alike
__version__ = "0.1.0"

# The small public interface, imported when first asked for: `import rackecon` stays light
_HOMES = {
    "Frontier": "serving.front",
    "InputError": "errors",
    "Points": "serving.points",
    "accelerator": "catalog",
    "diagnose": "evidence.diagnosis",
    "dictionary": "catalog",
    "evaluate": "appraisal.evaluate",
    "frontier_money": "appraisal.money",
    "model": "catalog",
    "predict": "serving.predict",
    "results": "press.data_export",
    "scenario": "catalog",
    "search": "serving.frontier",
    "size_fleet": "appraisal.sizing",
    "sweep": "sweeps.sweep",
    "table": "catalog",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"rackecon.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rackecon' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
