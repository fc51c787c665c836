"""What takes most of a decode step, in one word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rackecon.performance.step import StepTime

__all__ = ["bottlenecks"]

NAMES = np.array(["weights", "kv", "network", "host", "compute"])
COMPUTE_BOUND = 0.7
"""Share of arithmetic in the time of dense products from which reading the weights is not what binds."""


def bottlenecks(step: StepTime) -> NDArray[np.str_]:
    """Largest part of each step: weights, kv, network or host; compute where the weights' time is mostly arithmetic.

    Parameters
    ----------
    step : StepTime
        Steps by operator, one row each.

    Examples
    --------
    >>> one, none = np.ones(1), np.zeros(1)
    >>> step = StepTime(one, none, one, one, none, none, none, none)
    >>> bottlenecks(step).tolist()
    ['weights']
    >>> from dataclasses import replace
    >>> bottlenecks(replace(step, compute_share=0.8 * one)).tolist(), bottlenecks(replace(step, kv=9 * one)).tolist()
    (['compute'], ['kv'])
    """
    weights = step.attention_weights + step.dense + step.experts + step.head
    terms = np.stack(np.broadcast_arrays(weights, step.kv, step.network, step.fixed))
    largest = np.argmax(np.fmax(terms, 0.0), axis=0)  # what is not a number is none
    bound = (largest == 0) & (step.compute_share > COMPUTE_BOUND)
    return np.asarray(NAMES[np.where(bound, len(NAMES) - 1, largest)])
