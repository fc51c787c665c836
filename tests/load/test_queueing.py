"""The closed form against exact queues, against the replay, and what it may never do."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replayed import saturated_rps

from rackecon.errors import InputError
from rackecon.load.queueing import Burstiness, LengthMoments, erlang_c, queueing
from rackecon.load.replay import Fleet, replay
from rackecon.load.requests import load_trace, steady
from rackecon.load.step_times import StepTimes

ENGINES = {
    "azure2023_conv": StepTimes.linear((10, 0.10), (15, 0.30, 0.0002), 32),
    "servegen_deepseek_r1_20min": StepTimes.linear((10, 0.05), (12, 0.15, 0.0001), 64),
}
trace = functools.cache(load_trace)


def test_erlang_is_the_textbooks():
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    # a = 4, k = 5: sum by hand, C = 0.5541
    blocked = (4**5 / math.factorial(5)) / sum(4**i / math.factorial(i) for i in range(6))
    assert erlang_c(5, 4.0) == pytest.approx(blocked / (1 - 0.8 * (1 - blocked)))


def errors(count: int, cases: list[tuple[str, int, float, float]]) -> np.ndarray:
    """Closed form over replay, less 1: mean and P99 of the first token, mean time per token."""
    out = []
    for name, replicas, cv, load in cases:
        times, lengths = ENGINES[name], trace(name)
        rate = load * replicas * saturated_rps(lengths.first(4000), times)
        sent = steady(lengths, count, rate, cv)
        seen = replay(sent, Fleet(times=times, replicas=replicas))
        found = queueing(times, LengthMoments.of(lengths, times), rate, replicas, Burstiness.of(sent))
        out.append(
            (
                found.ttft_mean_s / seen.ttft().mean - 1,
                found.ttft_p99_s / seen.ttft().p99 - 1,
                found.tpot_s / seen.tpot().mean - 1,
            )
        )
    return np.abs(out)


def test_it_follows_the_replay_at_moderate_load():
    cases = [(name, n, 1.0, load) for name in ENGINES for n in (1, 4) for load in (0.3, 0.6)]
    found = errors(10_000, cases)
    assert np.median(found, axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=0.10)
    assert found.max() < 0.25


@pytest.mark.slow
def test_it_follows_the_replay_with_bursts_and_near_saturation(capsys):
    cases = [(name, n, cv, load) for name in ENGINES for n in (1, 4) for cv in (1.0, 3.0) for load in (0.3, 0.6, 0.9)]
    found = errors(15_000, cases)
    middle, worse = np.median(found, axis=0), np.quantile(found, 0.9, axis=0)
    with capsys.disabled():
        print(
            "\nclosed form against replay, median (90th): "
            + ", ".join(
                f"{n} {m:.1%} ({w:.1%})"
                for n, m, w in zip(("TTFT mean", "TTFT P99", "TPOT"), middle, worse, strict=True)
            )
        )
    assert np.all(middle < 0.12)
    assert np.all(worse < [0.45, 0.6, 0.25])


def test_it_knows_bursts():
    lengths, times = trace("azure2023_conv"), ENGINES["azure2023_conv"]
    smooth, bursty = (Burstiness.of(steady(lengths, 20_000, 1.0, cv)) for cv in (1.0, 3.0))
    assert smooth.at(10) == pytest.approx(1.0, abs=0.1)
    assert bursty.at(300) == pytest.approx(9.0, rel=0.25)
    moments = LengthMoments.of(lengths, times)
    assert queueing(times, moments, 1.5, 1, bursty).ttft_p99_s > queueing(times, moments, 1.5, 1, smooth).ttft_p99_s


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 0.9), st.floats(1.01, 1.1), st.integers(1, 16))
def test_more_load_never_helps(load, more, replicas):
    times = ENGINES["azure2023_conv"]
    moments = MOMENTS
    one, two = (queueing(times, moments, x * 2.9 * replicas, replicas) for x in (load, load * more))
    assert two.tpot_s >= one.tpot_s - 1e-9
    assert two.ttft_mean_s >= one.ttft_mean_s - 1e-6
    assert one.ttft_mean_s <= one.ttft_p99_s


MOMENTS = LengthMoments.of(load_trace("azure2023_conv"), ENGINES["azure2023_conv"])


def test_beyond_saturation_nobody_is_served_in_time():
    found = queueing(ENGINES["azure2023_conv"], MOMENTS, 4.0)
    assert found.load > 1
    assert found.ttft_mean_s == found.ttft_p99_s == math.inf


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(InputError, match="positive rate"):
        queueing(ENGINES["azure2023_conv"], MOMENTS, 0.0)


def test_times_of_a_step_as_plain_numbers_are_those_of_arrays_and_take_no_more_room():
    """Lists of numbers take four times as much; a page keeps a hundred such tables."""
    draw = np.random.default_rng(3)
    times = StepTimes(draw.random(400), 1e-6 * draw.random(400), (0.0, 1e-6, 0.0))
    for running in (0.0, 0.3, 17.0, 398.99, 399.0, 500.0):
        assert times.step_s(running, 1234.5) == float(times.step(running, 1234.5))
    assert [numbers.itemsize * len(numbers) for pair in times._numbers for numbers in pair] == [8 * 400] * 4
