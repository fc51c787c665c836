"""What the steps of one replica take, as tables that a replay reads in nanoseconds."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rackecon.arrays import FloatArray


@dataclass(frozen=True)
class StepTimes:
    """Times of one replica's steps.

    A decode step of ``n`` running requests that hold ``S`` tokens takes ``once_s[n] + per_token_s[n] S`` and gives each
    ``1`` token (speculation is folded into the time of a token). A prompt of ``x`` new tokens behind ``p`` cached ones
    takes :math:`a + b x + c x (p + x/2)`.
    """

    once_s: FloatArray  # [s], index: running requests, 0 to most
    per_token_s: FloatArray  # [s] per token held
    prefill_s: tuple[float, float, float]  # a [s], b [s/token], c [s/token²]
    first_token_s: float = 0.0  # of a request, outside the engine
    kv_tokens: float = float("inf")  # tokens of cache that running requests may hold
    chunk_tokens: float = 0.0  # prompt tokens a step takes beside decode; 0: a prompt runs alone and whole
    prefill_workers: int = 0  # of a replica; 0: prompts share the replica's steps
    gpus: int = 1

    @property
    def most(self) -> int:
        """Requests that run at once."""
        return len(self.once_s) - 1

    @classmethod
    def linear(
        cls, prefill_ms: tuple[float, float], step_ms: tuple[float, float, float], most: int, **others: float
    ) -> StepTimes:
        """Times that are linear in batch and tokens held: ``a + b x`` and ``c0 + c1 n + c2 S`` [ms].

        Examples
        --------
        >>> round(float(StepTimes.linear((10, 0.1), (15, 0.3, 0.0002), 32).once_s[10]), 4)
        0.018
        """
        n = np.arange(most + 1, dtype=float)
        return cls(
            (step_ms[0] + step_ms[1] * n) / 1e3,
            np.full(most + 1, step_ms[2] / 1e3),
            (prefill_ms[0] / 1e3, prefill_ms[1] / 1e3, 0.0),
            **others,  # type: ignore[arg-type]
        )

    def prefill(self, fresh: FloatArray | float, past: FloatArray | float = 0.0) -> FloatArray:
        """Time of prompts on an empty replica [s]."""
        a, b, c = self.prefill_s
        new = np.asarray(fresh, dtype=float)
        return np.asarray(a + new * (b + c * (past + 0.5 * new)))

    def step(self, running: FloatArray | float, context_tokens: FloatArray | float) -> FloatArray:
        """Time of a decode step with ``running`` requests of a mean context [s], between whole batches by interpolation."""
        n = np.clip(np.asarray(running, dtype=float), 0.0, self.most)
        low = n.astype(np.intp)
        part = n - low
        once, token = (slope[low] * part + at[low] for slope, at in self._lines)
        return np.asarray(once + token * n * np.asarray(context_tokens))

    def step_s(self, running: float, context_tokens: float) -> float:
        """:meth:`step` of one number each: the same to the last bit, in a tenth of the time.

        Examples
        --------
        >>> times = StepTimes.linear((10, 0.1), (15, 0.3, 0.0002), 32)
        >>> times.step_s(7.3, 900.0) == float(times.step(7.3, 900.0))
        True
        """
        n = min(max(running, 0.0), float(self.most))
        low = int(n)
        once, token = (slope[low] * (n - low) + at[low] for slope, at in self._numbers)
        return once + token * n * context_tokens

    @cached_property
    def _numbers(self) -> tuple[tuple[array[float], array[float]], ...]:
        """:attr:`_lines` as what gives plain numbers, in a quarter of the memory of lists: a page has a hundred tables of ten thousand."""
        return tuple((array("d", slope.tobytes()), array("d", at.tobytes())) for slope, at in self._lines)

    @cached_property
    def _lines(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Slope behind each whole batch, and value at it, of both tables."""
        return tuple((np.diff(table, append=table[-1:]), table) for table in (self.once_s, self.per_token_s))
