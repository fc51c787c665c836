"""What each part of the model buys: the same measured rows with one part taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rackecon.catalog.kept import kept
from rackecon.evidence.measured import Evidence, load_evidence
from rackecon.evidence.residual import corrected_logs
from rackecon.lazy import pd
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.serving.corrections import without_history


def _held(parameters: ServingParameters, chosen: Callable[[str], bool], value: float | None) -> ServingParameters:
    """Parameters whose name is chosen set to a value, or to their prior."""
    items = tuple(
        replace(item, value=item.prior if value is None else value) if chosen(item.name) else item
        for item in parameters.parameters
    )
    return replace(parameters, parameters=items)


PARTS: dict[str, Callable[[ServingParameters], ServingParameters]] = {
    "all parts": lambda p: p,
    "no shrunk corrections": lambda p: p.with_intercepts({}),
    "no software history": without_history,
    "no queue before prefill pools": lambda p: _held(p, lambda name: name == "ttft_wait.disaggregated", 1e-3),
    "no rank imbalance": lambda p: _held(p, lambda name: name.startswith("imbalance."), 1e-6),
    "kernel speeds at their priors": lambda p: _held(
        p, lambda name: name.split(".")[0] in ("memory", "compute", "expert", "narrow"), None
    ),
    "expert products as fast as dense ones": lambda p: _held(p, lambda name: name.split(".")[0] == "expert", 1.0),
    "no activations through memory": lambda p: _held(p, lambda name: name.startswith("elementwise."), 1e-6),
    "no host and launch time": lambda p: _held(
        p, lambda name: name.split(".")[0] in ("host", "layer", "sequence", "moe_start", "mla_layer"), 1e-6
    ),
}


def ablate() -> pd.DataFrame:
    """Median error with one part taken away, nothing refitted, per accelerator, model and mode.

    Returns
    -------
    pandas.DataFrame
        ``part``, ``cell`` (``all rows`` too), ``points``, ``median_pct`` and ``bias_log`` of total tok/s per GPU. The
        parameters have seen these rows: the figures rank causes, they are not the accuracy.
    """
    rows = kept("ablation", "all", lambda: _ablated(load_evidence(), load_parameters()))
    return pd.DataFrame(rows, columns=["part", "cell", "points", "median_pct", "bias_log"])


def _ablated(held: Evidence, used: ServingParameters) -> list[tuple[str, str, int, float, float]]:
    """Rows of :func:`ablate`."""
    use = held.newest & ~held.broken
    rows = []
    for part, change in PARTS.items():
        changed = change(used)
        total, _, _ = corrected_logs(held, changed)
        residual = total - np.log(held.total_tok_s_per_gpu)
        for cell in ("all rows", *sorted(set(held.cell))):
            chosen = use & np.isfinite(residual) & ((held.cell == cell) | (cell == "all rows"))
            if chosen.any():
                error = 100.0 * np.abs(np.expm1(residual[chosen]))
                bias = float(np.median(residual[chosen]))
                rows.append((part, str(cell), int(chosen.sum()), float(np.median(error)), bias))
    return rows
