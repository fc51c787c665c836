"""How often the short list misses what a full search would have found, draw by draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.uncertainty.portfolio import Portfolio
from rackecon.uncertainty.propagate import Terms, drawn_it_kw, propagate
from rackecon.uncertainty.sampling import SEED, sample
from rackecon.uncertainty.shortlist import KEPT, RATES, exact_rows

TOLERANCE: Final = 0.01
"""Difference that counts as a miss [-], either way: a wrong choice or a wrong rate."""


@dataclass(frozen=True)
class ShortlistCheck:
    """Throughput of the short list's choice over that of a full search under the same draw, ``(cells, draws)``."""

    ratio: FloatArray

    @property
    def missed_share(self) -> float:
        """Share of cells and draws in which the two differ by more than :data:`TOLERANCE` [-]."""
        known = np.isfinite(self.ratio)
        return float(np.mean(np.abs(self.ratio[known] - 1.0) > TOLERANCE))


def check_shortlist(made: Portfolio, draws: int) -> ShortlistCheck:
    """Search every configuration afresh in every draw and compare the throughput of the most profitable one.

    Parameters
    ----------
    draws : int
        A power of two.

    Returns
    -------
    ShortlistCheck
        1 where neither finds a configuration inside the limits, 0 or inf where only one of them does.
    """
    scores = sample(made.plan, draws, SEED, physical_points=draws)
    quick = propagate(made, scores)
    ratio = np.full((len(made.cells), draws), np.nan)
    for i, cell in enumerate(made.cells):
        if cell.reason:
            continue
        terms = Terms(made, cell, scores)
        for d in range(draws):
            rows = exact_rows(cell.accelerator, cell.model, terms.work, d, made.searched_with(cell))
            fits = rows["fits"].astype(bool)
            for name in RATES:
                fits &= np.isfinite(rows[name])
            if fits.any():
                able = {name: rows[name][fits] for name in KEPT}
                _, ok, rates = terms.choose(able, np.array([d]), drawn_it_kw(cell, able))
                found = rates[0, 0] if ok[0] else 0.0
            else:
                found = 0.0
            mine = quick.values["total_tok_s_per_gpu"][i, d]
            with np.errstate(all="ignore"):
                ratio[i, d] = 1.0 if found == mine else mine / found
    return ShortlistCheck(ratio)
