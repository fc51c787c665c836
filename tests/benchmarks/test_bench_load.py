"""A million requests through one replica class; the closed form; a table of sold shares; SimPy beside.

SimPy is a general simulator of others; by_simpy.py tells it the same replica. Of simulators of requests on replicas PyPI
has vidur (0.0.26), which fetches its profiles from a model hub whenever it starts, and so does not run without a network.
"""

import numpy as np
from by_simpy import Line
from replayed import saturated_rps

from rackecon.load.derived import sold_table
from rackecon.load.queueing import Burstiness, LengthMoments, queueing
from rackecon.load.replay import Fleet, replay
from rackecon.load.requests import load_trace, steady
from rackecon.load.sold_share import POLICIES
from rackecon.load.step_times import StepTimes

TIMES = StepTimes.linear((10, 0.10), (15, 0.30, 0.0002), 32)
LENGTHS = load_trace("azure2023_conv")
RATE = 0.8 * saturated_rps(LENGTHS.first(4000), TIMES)


def test_a_million_requests_through_eight_replicas(benchmark):
    """Azure's lengths, Poisson arrivals at 0.8 of saturation, continuous batching, least busy replica: under 60 s."""
    sent = steady(LENGTHS, 1_000_000, 8 * RATE)
    found = benchmark.pedantic(lambda: replay(sent, Fleet(times=TIMES, replicas=8)), rounds=1)
    assert np.all(found.end_s >= found.arrival_s)
    assert benchmark.stats["max"] < 60.0


def test_latency_in_closed_form(benchmark):
    """Percentiles of a fleet of 16 at a rate: under 10 ms."""
    moments, bursts = LengthMoments.of(LENGTHS, TIMES), Burstiness.poisson()
    benchmark(lambda: queueing(TIMES, moments, 16 * RATE, 16, bursts))
    assert benchmark.stats["median"] < 0.010


def test_sold_shares_of_four_platforms(benchmark):
    """4 platforms, 7 policies, with intervals."""
    platforms = ["h200-sxm", "b200-hgx", "gb200-nvl72", "mi355x"]
    found = benchmark.pedantic(lambda: sold_table(platforms, "deepseek-r1", "chat"), rounds=1)
    assert len(found) == len(platforms) * len(POLICIES)


def test_one_replica_beside_simpy(benchmark):
    """20,000 requests at 0.8 of saturation: every first token and end as SimPy has them, in less time than it takes."""
    import time

    sent = steady(LENGTHS, 20_000, RATE)
    begun = time.process_time()
    first, end = Line(sent, (10, 0.10), (15, 0.30, 0.0002), 32).run()
    theirs = time.process_time() - begun
    found = benchmark.pedantic(lambda: replay(sent, Fleet(times=TIMES)), rounds=3)
    assert np.allclose(found.arrival_s + found.ttft_s, first, atol=1e-6, rtol=0)
    assert np.allclose(found.end_s, end, atol=1e-6, rtol=0)
    assert benchmark.stats["min"] < theirs
