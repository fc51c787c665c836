"""What public launch recipes set where a row or a query leaves it open."""

from __future__ import annotations

import numpy as np

from rackecon.arrays import BoolArray, FloatArray

LIGHT_LOAD = {"trt": 80.0, "amd": 2.0}  # requests per decode GPU up to which recipes of pools draft 3 tokens
SGLANG_DRAFT_TOKENS = 2.0  # that SGLang's recipes on NVIDIA run
UNKNOWN_DRAFT_TOKENS = 2.0  # of engines without public recipes: the mean of depths 1 to 3


def recipe_depth(
    family: str,
    load_per_gpu: FloatArray,
    dp_attention: BoolArray,
    aggregated: BoolArray | bool,
    weight_precision: str,
) -> FloatArray:
    """Draft depth that public recipes of an engine run where they draft [tokens].

    TensorRT-LLM's draft 3 tokens with tensor-parallel attention. With data-parallel attention they draft 1 in one engine, and
    3 at light load falling to 1 at heavy load in pools. SGLang's draft 2 on NVIDIA and 3 in one engine on AMD, whose pools draft
    1 with data-parallel attention and 3 falling to 1 by load elsewhere; ATOM's draft 3 of 8-bit weights, and of 4-bit ones
    its own default of 1. Source: runs that state it (data/measured_serving.csv) and launch scripts (data/launch_settings.csv),
    the newest of each.

    Parameters
    ----------
    family : str
        Of :func:`~rackecon.performance.families.engine_family`.
    load_per_gpu : array
        Requests per decode GPU.

    Examples
    --------
    >>> recipe_depth("trt", np.array([4.0, 160.0, 640.0]), np.array([True]), False, "fp4").tolist()
    [3.0, 2.0, 1.0]
    """
    spread = 3.0 - np.log2(np.maximum(load_per_gpu / LIGHT_LOAD.get(family, 1.0), 1e-9))
    spread = np.minimum(np.maximum(spread, 1.0), 3.0)
    if family == "trt":
        return np.where(dp_attention, np.where(aggregated, 1.0, spread), 3.0)
    if family == "amd":
        return np.where(aggregated, 3.0, np.where(dp_attention, 1.0, spread))
    stated = {"sglang": SGLANG_DRAFT_TOKENS, "atom": 1.0 if weight_precision == "fp4" else 3.0}
    alone = stated.get(family, UNKNOWN_DRAFT_TOKENS)
    return np.full(np.broadcast_shapes(np.shape(load_per_gpu), np.shape(dp_attention)), alone)
