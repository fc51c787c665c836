"""The load that a stated request rate puts on a stated layout, by Little's law."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.performance.parameters import ServingParameters
from rackecon.serving.points import Points
from rackecon.serving.predict import Predictions, predict
from rackecon.serving.query import CONCURRENCY

STEPS: Final = 24  # halvings of a range of 2^12 requests in flight: to 2 parts in a million


def requests_per_second(points: Points, found: Predictions) -> FloatArray:
    """Requests that a deployment finishes [1/s], of its rate of tokens over its GPUs.

    By definition.
    """
    n = points.numbers
    return np.asarray(found.total_tok_s_per_gpu * found.gpus / ((n["isl"] + n["osl"]) * n["length_draw"]))


def in_flight(
    points: Points, rate: FloatArray, parameters: ServingParameters | None = None
) -> tuple[FloatArray, FloatArray]:
    """Requests in flight at which a deployment finishes as many requests as come in.

    Parameters
    ----------
    points : Points
        Rows with mode and layout; their concurrency is not read.
    rate : array
        Requests that come in, over the whole deployment [1/s].
    parameters : ServingParameters, optional
        The shipped ones by default.

    Returns
    -------
    concurrency : array
        :math:`L = \\lambda W(L)`, below 1 where a request is mostly alone; NaN where more come in than can be served.
    most : array
        Requests that are served at the largest load tried [1/s].

    Notes
    -----
    Little (1961), Operations Research 9(3): throughput of the closed loop grows with what is in flight, so the load of a rate
    is found by halving. Arrivals that come in bursts wait longer: :mod:`rackecon.load.queueing`.

    Examples
    --------
    >>> row = dict(accelerator="h200-sxm", model="llama-3.1-8b", weight_precision="fp8", isl=1000, osl=200,
    ...     mode="aggregated", tp=1, gpus=1, concurrency=1)
    >>> float(in_flight(Points.from_rows([row]), np.array([5.0]))[0][0]) > 1.0
    True
    """

    def served(load: FloatArray) -> FloatArray:
        loaded = replace(points, numbers={**points.numbers, "concurrency": load})
        return requests_per_second(loaded, predict(loaded, parameters))

    low = np.ones(len(points))
    high = np.full(len(points), float(CONCURRENCY[-1]))
    most = served(high)
    high = np.where(np.isfinite(most) & (most < rate), np.nan, high)
    alone = served(low)
    for _ in range(STEPS):
        middle = np.sqrt(low * high)
        enough = served(np.where(np.isfinite(middle), middle, 1.0)) >= rate
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(alone > rate, rate / alone, high), most
