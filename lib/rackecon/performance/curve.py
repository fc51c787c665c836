"""The time of a decode step as a curve of the running sequences, laid out for loops that ask for it many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon.arrays import FloatArray, IntArray
from rackecon.performance.cells import ByCell
from rackecon.performance.moe import GRID_LOG2_TOKENS

LAST_CELL = len(GRID_LOG2_TOKENS) - 1.001
LEAST_BATCH = 1e-3  # sequences: keeps an empty engine's step finite


def share_at(lines: tuple[FloatArray, FloatArray], starts: IntArray, tokens: FloatArray) -> FloatArray:
    """Share of a layer's experts that a step touches, by interpolation on the grid of log2 tokens.

    Own: the grid is that of :func:`rackecon.performance.moe.distinct_curve`.
    """
    position = np.log2(np.maximum(tokens, 1.0))
    position *= 1.0 / GRID_LOG2_TOKENS[1]
    np.minimum(position, LAST_CELL, out=position)
    at = starts + position.astype(np.intp)
    share = lines[1].take(at)
    share *= position
    share += lines[0].take(at)
    return share


@dataclass(frozen=True)
class StepCurve(ByCell):
    """Time of a decode step as a function of the running sequences alone, its coefficients summed and squared."""

    pp: FloatArray | None  # None with one stage everywhere
    per_rank: FloatArray | None  # of a sequence of the engine; None with one attention rank everywhere
    query: FloatArray
    linear: tuple[FloatArray, FloatArray, FloatArray]  # s per step, per sequence of the engine, per sequence of a rank
    rank_roof: tuple[FloatArray, FloatArray]  # squares: per sequence of a rank, per step
    roofs: tuple[tuple[FloatArray, FloatArray], ...]  # squares: per sequence of the engine, per step
    experts: tuple[FloatArray, FloatArray] | None  # likewise, with every expert touched; None without experts
    share_lines: tuple[FloatArray, FloatArray]
    row_start: IntArray

    def total(self, sequences: FloatArray) -> FloatArray:
        """Time of a step with ``sequences`` running [s]."""
        batch = np.maximum(sequences if self.pp is None else sequences / self.pp, LEAST_BATCH)
        square = batch * batch
        if self.per_rank is None:
            local, local_square = batch, square
        else:
            local = np.maximum(batch * self.per_rank, np.minimum(batch, 1.0))
            local_square = local * local
        out = self.linear[1] * batch
        out += self.linear[2] * local
        out += self.linear[0]
        out += np.sqrt(self.rank_roof[0] * local_square + self.rank_roof[1])
        for per_sequence, once in self.roofs:
            out += np.sqrt(per_sequence * square + once)
        if self.experts is not None:
            share = share_at(self.share_lines, self.row_start, batch * self.query)
            share *= share
            share *= self.experts[1]
            share += self.experts[0] * square
            out += np.sqrt(share, out=share)
        return out
