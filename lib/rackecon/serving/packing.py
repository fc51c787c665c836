"""What a rack that stands alone serves: whole deployments on its own GPUs, none of which reaches into another rack.

A site of many racks shares deployments among them, and earns per rack what its GPUs earn each. One rack may leave some idle.
"""

from __future__ import annotations

import numpy as np

from rackecon.serving.candidates import evaluate_all
from rackecon.serving.query import Query
from rackecon.serving.task import Task


def packed_tok_s(asked: Query, gpus: int) -> float:
    """Most that whole deployments on so many GPUs serve within a query's limits, different ones side by side if need be.

    Returns
    -------
    float
        Total tokens per second; 0 where none fits.

    Notes
    -----
    .. math:: M(n) = \\max_{g \\le n} \\bigl(r_g + M(n - g)\\bigr)

    with ``r_g`` the best rate of a deployment of ``g`` GPUs: the unbounded knapsack (Dantzig 1957), solved exactly.

    Examples
    --------
    >>> asked = Query.of("h200-sxm", "llama-3.3-70b", 2000, 300, tpot_limit_ms=40.0)
    >>> packed_tok_s(asked, 16) >= 2 * packed_tok_s(asked, 8) > 0.0
    True
    """
    rows = evaluate_all(Task(asked)).rows()
    kept = rows["fits"] & asked.limits.keeps(rows["tpot_ms"], rows["ttft_ms"]) & (rows["gpus"] <= gpus)
    sizes, rate = rows["gpus"][kept].astype(int), rows["total_tok_s_per_gpu"][kept] * rows["gpus"][kept]
    best = {int(size): float(rate[sizes == size].max()) for size in np.unique(sizes)}
    most = [0.0]
    for room in range(1, gpus + 1):  # what fits in less room fits here: no need to look one back
        most.append(max((served + most[room - size] for size, served in best.items() if size <= room), default=0.0))
    return most[gpus]
