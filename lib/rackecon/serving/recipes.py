"""What public launch recipes set where a row or a query leaves it open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
LIGHT_LOAD = 80.0  # requests per data-parallel rank up to which recipes draft 3 tokens


def recipe_depth(
    load_per_gpu: FloatArray, dp_attention: NDArray[np.bool_], aggregated: NDArray[np.bool_] | bool
) -> FloatArray:
    """Draft depth of published TensorRT-LLM recipes [tokens]; ``load_per_gpu`` counts decode GPUs.

    They draft 3 tokens with tensor-parallel attention. With data-parallel attention they draft 1 in one engine (the
    benchmark's launch scripts), and 3 at light load falling to 1 at heavy load in pools (data/measured_serving.csv, rows
    that state it).

    Examples
    --------
    >>> recipe_depth(np.array([4.0, 160.0, 640.0]), np.array([True]), False).tolist()
    [3.0, 2.0, 1.0]
    """
    spread = np.clip(3.0 - np.log2(np.maximum(load_per_gpu, 1.0) / LIGHT_LOAD), 1.0, 3.0)
    return np.where(dp_attention, np.where(aggregated, 1.0, spread), 3.0)
