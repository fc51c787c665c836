"""The closed loop by hand: requests in flight are somewhere, and each place holds what Little's law says."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rackecon.performance.cells import ByCell
from rackecon.performance.step import prefill_pass
from rackecon.serving.closed_loop import (
    Load,
    _first_token,
    _Flight,
    _speculation,
    acceptance_length,
    accepted,
    aggregated,
    context_tokens,
    decode_side,
    disaggregated,
    pool_prompts,
    prompts_of,
)
from rackecon.serving.layouts import Layout
from rackecon.serving.points import Points
from rackecon.serving.predict import _sites
from rackecon.serving.query import Query
from rackecon.serving.task import Task

LAYOUTS = (Layout(2), Layout(8), Layout(8, 8, 1, True), Layout(8, 1, 2))
ISL, OSL, HIT = 3000.0, 600.0, 0.25


def _bench(mode: str, concurrency: float, drafts: float = 0.0, speed: float = 0.8):
    task = Task(Query.of("h200-sxm", "gpt-oss-120b", 1024, 1024))
    engine, shared = task.placed(mode, LAYOUTS)
    one = np.ones(len(LAYOUTS))
    load = Load(ISL * one, OSL * one, HIT * one, concurrency * one, drafts * one, speed * one)
    return engine, task.values, load, shared


def test_the_mean_context_is_the_input_and_half_the_output() -> None:
    assert context_tokens(np.array([1000.0]), np.array([500.0])).tolist() == [1250.0]


def test_tokens_of_a_step_that_drafts() -> None:
    """1 + p + p^2 for two drafts; one without."""
    assert acceptance_length(np.array([0.0, 2.0]), 0.5).tolist() == [1.0, 1.75]
    engine, v, load, _ = _bench("aggregated", 8.0, 2.0)
    accept = accepted(v, engine.keys, load.osl_tokens) * np.ones(len(LAYOUTS))
    assert _speculation(engine, v, load) == pytest.approx(1.0 + accept + accept**2)
    longer = v.copy()
    longer[engine.keys["accept_longer"]] = 0.1
    short, twice = (replace(load, osl_tokens=tokens * np.ones(len(LAYOUTS))) for tokens in (1024.0, 2048.0))
    assert (_speculation(engine, longer, twice) > _speculation(engine, longer, short)).all()


def test_drafts_of_longer_outputs_are_accepted_more_often_between_the_lengths_of_public_sweeps():
    v, keys = np.array([0.6, 0.1]), {"accept": 0, "accept_longer": 1}
    found = accepted(v, keys, np.array([100.0, 1024.0, 2048.0, 8192.0, 65536.0]))
    three = 1.0 / (1.0 + np.exp(-(np.log(0.6 / 0.4) + 0.3)))  # three doublings of 0.1 each
    assert found[[0, 1]] == pytest.approx(0.6)
    assert found[2] == pytest.approx(1.0 / (1.0 + (0.4 / 0.6) * np.exp(-0.1)))
    assert found[[3, 4]] == pytest.approx(three)
    assert accepted(np.array([0.6, 0.0]), keys, np.array([8192.0])) == pytest.approx(0.6)


def test_a_first_token_waits_for_prompts_before_it() -> None:
    """The base, and at the software's speed a pass and the prompts of a rank before it, to the power 0.7."""
    engine, v, _, _ = _bench("aggregated", 8.0)
    one = np.ones(len(LAYOUTS))
    found = _first_token(engine, v, 0.5 * one, 0.1 * one, np.array([32.0, 1e-9, 32.0, 4.0]), 0.8 * one)
    wait = v[engine.keys["ttft_wait"]] * np.array([32.0, 1e-3, 32.0, 4.0]) ** 0.7
    wait[2] *= v[engine.keys["ttft_dp"]][0] * 8.0
    assert found == pytest.approx(v[engine.keys["ttft_base"]] * 1e-3 + (0.5 + wait * 0.1) * 0.8)


def test_a_pass_takes_more_prompts_the_more_run() -> None:
    """One each 48 requests of a rank, up to what 8,192 fresh tokens hold: 3.64 of 2,250."""
    engine, v, load, shared = _bench("aggregated", 8.0)
    prompts = prompts_of(engine, v, load, shared)
    assert prompts.most == pytest.approx([8192.0 / 2250.0] * 4)
    for load_of_engine, each in ((8.0, 1.0), (96.0, 2.0), (1e4, 8192.0 / 2250.0)):
        running = load_of_engine * engine.dp
        wanted = prefill_pass(engine, v, 2250.0 * np.ones(4), 750.0 * np.ones(4), each * np.ones(4), running, shared)
        for found, value in zip(prompts.times(running), wanted, strict=True):
            assert found == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("concurrency", "engines", "drafts"), [(4.0, 1.0, 0.0), (96.0, 3.0, 2.0), (20000.0, 2.0, 0.0)])
def test_requests_of_equal_engines_run_start_or_queue(concurrency, engines, drafts) -> None:
    engine, v, load, shared = _bench("aggregated", concurrency, drafts)
    done = aggregated(engine, v, load, np.full(4, engines), shared)
    each = concurrency / engines
    latency, busy = prompts_of(engine, v, load, shared).times(np.full(4, each))
    first = _first_token(engine, v, latency, busy, each / engine.dp, load.speed)
    tokens = _speculation(engine, v, load)
    step_s = done.terms.total(done.sequences)
    life = OSL / tokens * load.speed * step_s + v[engine.keys["mix"]] * busy * load.speed * done.sequences
    assert done.tpot_s == pytest.approx(life / OSL, rel=1e-12)
    assert done.requests_per_s == pytest.approx(engines * done.sequences / life, rel=1e-12)
    assert done.running == pytest.approx(engines * done.sequences)
    starting = done.requests_per_s * first
    assert done.running + starting + done.queued == pytest.approx(np.full(4, concurrency), rel=2e-3)
    assert done.ttft_s == pytest.approx(first + done.queued / done.requests_per_s, rel=1e-12)
    assert (done.sequences <= np.maximum(done.max_sequences, 1.0)).all()
    assert (done.queued > 0.05 * concurrency).any() == (concurrency == 20000.0)
    share = np.clip(done.requests_per_s / engines * busy * load.speed, 0.0, 1.0)
    assert done.prefill_gpu_share == pytest.approx(share)
    assert done.prefill_use.tolist() == [1.0]


@pytest.mark.parametrize(("concurrency", "workers"), [(16.0, 1.0), (256.0, 2.0), (4000.0, 1.0)])
def test_requests_of_two_pools_decode_start_or_queue(concurrency, workers) -> None:
    """The prefill engine in two stages has twice its tensor width of GPUs."""
    engine, v, load, shared = _bench("disaggregated", concurrency)
    prefill, fed = engine.take(np.full(4, 3)), None
    decoders, feeders = np.full(4, 2.0), np.full(4, workers)
    done = disaggregated(engine, prefill, v, load, decoders, feeders, decode_side(engine, v, load, shared), fed)
    assert done.prefill_gpu_share == pytest.approx(16.0 * workers / (16.0 * workers + 2.0 * engine.tp * engine.pp))
    pool = pool_prompts(engine, prefill, v, load)
    first, busy = pool.times(load.concurrency / feeders)
    bound = feeders / (busy * load.speed)
    life = OSL * load.speed * done.terms.total(done.sequences)
    rate = np.minimum(done.sequences * 2.0 / life, bound)
    assert done.requests_per_s == pytest.approx(rate, rel=1e-9)
    assert done.tpot_s == pytest.approx(life / OSL, rel=1e-9)
    assert done.running == pytest.approx(2.0 * done.sequences)
    used = np.minimum(rate / bound, 0.95)
    assert done.prefill_use == pytest.approx(used, rel=1e-9)
    waited = np.maximum(concurrency - done.running, rate * first)
    assert done.ttft_s == pytest.approx(waited / rate, rel=1e-9)
    queue = pool.queueing * feeders * used**2 / (1.0 - used)
    assert done.queued == pytest.approx(np.maximum(waited - rate * first - queue, 0.0), abs=1e-6 * concurrency)
    assert (done.running <= concurrency * (1.0 + 1e-9)).all()


def test_a_decode_pool_in_two_stages_has_both() -> None:
    engine, v, load, _ = _bench("disaggregated", 16.0)
    done = disaggregated(engine, engine.take(np.zeros(4, dtype=int)), v, load, np.ones(4), np.ones(4))
    assert done.prefill_gpu_share == pytest.approx([2.0 / 4.0, 2.0 / 10.0, 2.0 / 10.0, 2.0 / 18.0])


@dataclass(frozen=True)
class _Step(ByCell):
    """A step of so long whatever runs."""

    step_s: NDArray[np.float64]

    def total(self, n):
        return self.step_s + 0.0 * n


def _flight(waiting: float) -> _Flight:
    one = np.ones(3)
    return _Flight(_Step(0.02 * one), 0.001 * one, np.array([0.5, 0.05, 0.005]), 0.2 * one, waiting * one)


def test_what_runs_is_what_is_left_of_those_in_flight() -> None:
    """Without a queue: 1 over what a sequence takes of them in decode and in prefill, 0.2 x 0.001 / 0.02 each."""
    n, step_s = _flight(0.0).root(np.full(3, 1e6))
    assert n == pytest.approx(1.0 / (np.array([0.5, 0.05, 0.005]) + 0.01), rel=1e-12)
    assert step_s.tolist() == [0.02] * 3


def test_a_queue_holds_its_square_over_what_is_free() -> None:
    """The largest that keeps requests in decode, prefill and queue to those in flight."""
    n, _ = _flight(3.0).root(np.full(3, 1e6))
    use = n * 0.05
    held = np.array([0.5, 0.05, 0.005]) * n + 0.2 * use + 3.0 * use**2 / (1.0 - use)
    assert held == pytest.approx(np.ones(3), rel=1e-12)
    assert (use < 1.0).all()


def test_an_engine_with_room_for_more_than_come_runs_them_all() -> None:
    n, _ = _flight(0.0).root(np.array([1.5, 1e6, 1e6]))
    assert n[0] == 1.5
    assert n[1:] == pytest.approx(1.0 / np.array([0.06, 0.015]), rel=1e-12)


def test_excess_is_the_log_of_what_is_held_over_what_is_in_flight() -> None:
    flight = _flight(3.0)
    step_s = np.full(3, 0.02)
    found = flight.excess(np.full(3, 4.0), step_s)
    held = np.array([0.5, 0.05, 0.005]) * 4.0 + 0.2 * 0.2 + 3.0 * 0.2**2 / 0.8
    assert found == pytest.approx(np.log(held), rel=1e-12)
    full = flight.excess(np.full(3, 40.0), step_s)  # twice what the prefill pool does
    assert full == pytest.approx(np.log(np.array([0.5, 0.05, 0.005]) * 40.0 + 0.4 + 3.0 * 4.0 / 1e-4), rel=1e-12)


def test_a_row_as_what_is_learnt_sees_it() -> None:
    """Load, lengths and width in octaves; experts spread where stated or with more ranks than a node; years."""
    row = {"accelerator": "h200-sxm", "model": "deepseek-r1", "weight_precision": "fp8", "isl": 4096, "osl": 1024,
           "mode": "aggregated", "tp": 8, "gpus": 8, "concurrency": 64, "date": "2026-01-01"}  # fmt: skip
    changes = ({}, {"ep": 8, "dp_attention": "true"}, {"tp": 16, "gpus": 16, "dp_attention": "true", "speculative": "mtp"},
               {"tp": 8, "dp_attention": "true", "length_draw": "uniform"})  # fmt: skip
    points = Points.from_rows([{**row, **x} for x in changes])
    features = _sites(points, points.numbers["gpus"]).features
    assert features[:, 1:].tolist() == [
        [12.0, 10.0, 3.0, 0.0, 0.0, 0.0, 0.0],
        [12.0, 10.0, 3.0, 1.0, 1.0, 0.0, 0.0],
        [12.0, 10.0, 4.0, 1.0, 1.0, 1.0, 0.0],
        [np.log2(4096 * 0.9), np.log2(1024 * 0.9), 3.0, 0.0, 1.0, 0.0, 0.0],
    ]
    assert features[:, 0] - features[2, 0] == pytest.approx([1.0, 1.0, 0.0, 1.0])
