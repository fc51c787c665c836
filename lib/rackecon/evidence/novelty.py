"""What is new about a question to the fit: its platform, its model, the two together, its engine, lengths, speed or date.

Only rows that the fit used make anything known: data/serving_residual.csv lists them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon import catalog
from rackecon.catalog.cached import by_data
from rackecon.performance.families import engine_family

__all__ = ["Novelty", "fitted_pairs", "kind_of", "novelty"]

KINDS = ("known", "new pair", "new model", "new accelerator", "new both")
"""This model on this platform; each elsewhere; the platform with other models; the model on others; neither."""


@dataclass(frozen=True)
class Novelty:
    """How far a question lies from the rows of the fit."""

    kind: str  # of KINDS
    rows: int  # of the fit on this platform with this model
    engine_new: bool  # no row of the platform with this engine
    lengths_beyond: float  # octaves outside the lengths of the platform and model, or of all rows where there are none
    load_beyond: float  # octaves outside the loads per GPU

    def words(self) -> str:
        """The same as one sentence.

        Examples
        --------
        >>> novelty("tpu-v7", "deepseek-r1", "vllm-tpu", 1024, 1024).words()
        'platform without measured rows; engine new there'
        """
        base = {
            "known": f"{self.rows} measured rows of this model on this platform",
            "new pair": "model and platform measured, but not together",
            "new model": "model without measured rows",
            "new accelerator": "platform without measured rows",
            "new both": "neither platform nor model measured",
        }[self.kind]
        parts = [base]
        if self.engine_new:
            parts.append("engine new there")
        if self.lengths_beyond > 0:
            parts.append(f"lengths {2**self.lengths_beyond:.1f} times beyond the measured")
        if self.load_beyond > 0:
            parts.append(f"load {2**self.load_beyond:.1f} times beyond the measured")
        return "; ".join(parts)


@by_data(1, "serving_residual")
def _rows() -> dict[tuple[str, str], list[tuple[str, float, float, float]]]:
    found: dict[tuple[str, str], list[tuple[str, float, float, float]]] = {}
    for row in catalog.read_rows("serving_residual"):
        values = (row["engine"], float(row["log2_isl"]), float(row["log2_osl"]), float(row["log2_load"]))
        found.setdefault((row["accelerator"], row["model"]), []).append(values)
    return found


def fitted_pairs() -> frozenset[tuple[str, str]]:
    """Accelerators and models that the fit has seen together.

    Examples
    --------
    >>> ("mi355x", "deepseek-r1") in fitted_pairs(), ("mi355x", "minimax-m2.5") in fitted_pairs()
    (True, False)
    """
    return frozenset(_rows())


def kind_of(accelerator: str, model: str) -> str:
    """Which of :data:`KINDS` a platform and a model are."""
    pairs = fitted_pairs()
    if (accelerator, model) in pairs:
        return "known"
    chips, models = {a for a, _ in pairs}, {m for _, m in pairs}
    if accelerator in chips:
        return "new pair" if model in models else "new model"
    return "new accelerator" if model in models else "new both"


def novelty(
    accelerator: str,
    model: str,
    engine: str,
    isl_tokens: float,
    osl_tokens: float,
    load_per_gpu: float | None = None,
) -> Novelty:
    """What is new about a question.

    Parameters
    ----------
    accelerator, model, engine : str
        Ids and serving engine.
    isl_tokens, osl_tokens : float
        Mean lengths [tokens].
    load_per_gpu : float, optional
        Requests in flight per GPU.

    Examples
    --------
    >>> novelty("b200-hgx", "deepseek-r1", "trtllm", 131072, 1024).lengths_beyond > 3
    True
    """
    kind = kind_of(accelerator, model)
    rows = _rows()
    own = rows.get((accelerator, model), [])
    engines = {row[0] for pair, found in rows.items() for row in found if pair[0] == accelerator}
    near = np.array([row[1:] for row in (own or [row for found in rows.values() for row in found])])
    asked = np.log2([isl_tokens, osl_tokens])
    outside = np.maximum(near[:, :2].min(axis=0) - asked, asked - near[:, :2].max(axis=0))
    load = 0.0 if load_per_gpu is None else float(np.log2(load_per_gpu))
    over = 0.0 if load_per_gpu is None else max(near[:, 2].min() - load, load - near[:, 2].max(), 0.0)
    family = engine_family(engine, catalog.accelerator(accelerator).vendor)
    slack = 0.25  # of an octave: draws of 80 to 100 % of a nominal length are the same length
    beyond = float(np.maximum(outside.max() - slack, 0.0))
    return Novelty(kind, len(own), family not in engines, beyond, float(over))
