"""Mixture-of-experts arithmetic: distinct experts under skewed popularity, and the slowest rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rackecon.arrays import FloatArray
from rackecon.catalog.cached import of_arguments

# Standard deviation of log expert popularity: the published skew (EP32 max/mean 2.56, expert CV 1.28) gives 1.0-1.1
POPULARITY_SIGMA = 1.0
GRID_LOG2_TOKENS = np.linspace(0.0, 20.0, 81)


@of_arguments(256)
def distinct_curve(n_experts: int, top_k: int, sigma: float = POPULARITY_SIGMA) -> FloatArray:
    """Expected distinct experts on the grid of log2 tokens, of log-normal popularity [experts].

    Notes
    -----
    .. math:: D(B) = \\sum_e 1 - (1 - p_e)^B, \\qquad \\sum_e p_e = k

    with ``p_e`` the chance that a token picks expert ``e`` when ``k`` are drawn without replacement by popularity;
    solved for the scale ``c`` of ``p_e = 1 - exp(-c w_e)``.

    Source: occupancy with unequal chances (the coupon collector's problem); the scale for draws without
    replacement is own derivation.
    """
    from statistics import NormalDist

    normal = NormalDist()
    z = np.array([normal.inv_cdf((i + 0.5) / n_experts) for i in range(n_experts)])
    weight = np.exp(sigma * z)
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = 0.5 * (low + high) if high < 1e5 else max(2 * low, top_k / weight.sum())
        total = float((-np.expm1(-middle * weight)).sum())
        if total < top_k:
            low = middle
        else:
            high = middle
    log_miss = -high * weight
    tokens = 2.0**GRID_LOG2_TOKENS
    return np.asarray((-np.expm1(tokens[:, None] * log_miss[None, :])).sum(axis=1))


def distinct_experts(tokens: ArrayLike, n_experts: int, top_k: int, sigma: float = POPULARITY_SIGMA) -> FloatArray:
    """Expected distinct experts that a batch of tokens touches in one layer [experts].

    Parameters
    ----------
    tokens : float or array
        Tokens in the step [tokens].
    n_experts, top_k : int
        Routed experts and experts per token.
    sigma : float
        Spread of log popularity [-]; 0 is uniform.

    Returns
    -------
    ndarray
        [experts], at least ``top_k`` for one token.

    Examples
    --------
    >>> float(distinct_experts(64, 256, 8))
    173.8
    >>> float(distinct_experts(64, 256, 8, sigma=0.0))
    222.5
    """
    logs = np.log2(np.maximum(np.asarray(tokens, dtype=float), 1.0))
    found: FloatArray = np.interp(logs, GRID_LOG2_TOKENS, distinct_curve(int(n_experts), int(top_k), float(sigma)))
    return found


def busiest_share(share: FloatArray, n_experts: FloatArray, ep: FloatArray) -> FloatArray:
    """Share of its experts that the busiest expert-parallel rank touches [-].

    Parameters
    ----------
    share : array (rows, grid)
        Share touched over all ranks.
    n_experts, ep : array (rows,)
        Routed experts and ranks.

    Notes
    -----
    A rank touches :math:`m = sE/R` experts on average; the largest of :math:`R` counts of that mean is about
    :math:`m + \\sqrt{2 m \\ln R}`, and never more than all of its experts.

    Source: the largest of ``R`` Gaussian counts, extreme-value theory.

    Examples
    --------
    >>> busiest_share(np.array([[0.1]]), np.array([256.0]), np.array([8.0])).round(4).tolist()
    [[0.214]]
    """
    ranks = np.maximum(ep, 1.0)[:, None]
    mean = np.maximum(share * n_experts[:, None] / ranks, 1e-9)
    return np.asarray(np.minimum(share * (1.0 + np.sqrt(2.0 * np.log(ranks) / mean)), np.maximum(share, 1.0)))


def rank_imbalance(ep: ArrayLike, per_doubling: ArrayLike) -> FloatArray:
    """Load of the busiest expert-parallel rank over the mean [-]; 1 for a single rank, growing with width.

    Own form: straight in the logarithm of the width, its slope fitted.

    Examples
    --------
    >>> float(rank_imbalance(8, 0.12))
    1.36
    """
    width = np.maximum(np.asarray(ep, dtype=float), 1.0)
    return np.asarray(1.0 + np.asarray(per_doubling, dtype=float) * np.log2(width))
