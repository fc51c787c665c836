"""What takes most of a decode step, in one word, and how much of its time a GPU works."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import FloatArray
from rackecon.performance.step import StepTime

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
    terms = np.empty((4, *step.total.shape))
    terms[0], terms[1], terms[2], terms[3] = weights, step.kv, step.network, step.fixed
    largest = np.argmax(np.fmax(terms, 0.0), axis=0)  # what is not a number is none
    bound = (largest == 0) & (step.compute_share > COMPUTE_BOUND)
    return np.asarray(NAMES[np.where(bound, len(NAMES) - 1, largest)])


def busy_shares(
    step: StepTime, prefill_gpu_share: FloatArray, prefill_use: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Shares of GPU time that arithmetic and memory work for decode, and for prompts; the rest waits.

    Parameters
    ----------
    step : StepTime
        Decode steps by operator, one row each: network, kernel starts and host keep a GPU waiting.
    prefill_gpu_share : array
        Share of the time of one engine, or of the GPUs of two pools, that is there for prompts [-].
    prefill_use : array
        Share of that in which prompts are worked on [-].

    Returns
    -------
    tuple of ndarray
        ``(decode, prefill)`` [-]; their sum is at most 1.

    Examples
    --------
    >>> one, none = np.ones(1), np.zeros(1)
    >>> decode, prefill = busy_shares(StepTime(one, none, one, one, none, none, one, none), 0.2 * one, one)
    >>> float(decode[0]), float(prefill[0])
    (0.6, 0.2)
    """
    waiting = (step.network + step.fixed) / step.total
    return np.asarray((1.0 - prefill_gpu_share) * (1.0 - waiting)), np.asarray(prefill_gpu_share * prefill_use)
