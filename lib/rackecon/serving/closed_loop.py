"""Steady state of an engine under a concurrency cap: how many requests run, how many wait, what comes out.

Aggregated: running requests share each step with prefill, so a request's decode lasts
:math:`T(n) = (O/a)\\,t_{step}(n) + m\\,n\\,t_{prefill}`; concurrency splits as
:math:`C = n + X\\,T_{first}`, :math:`X = n/T`.
Disaggregated: decode has no prefill term; prefill is a queue used to :math:`\\rho = X t_{prefill}/w` that holds about
:math:`w \\kappa \\rho^2/(1-\\rho)` requests, and :math:`C = n + X\\,T_{first} + Q`: near saturation what is left of ``C`` waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rackecon.performance.engine import Engine
from rackecon.performance.memory import ledger, reserved_context
from rackecon.performance.step import StepTime, decode_terms, prefill_pass

__all__ = ["Load", "Solution", "acceptance_length", "aggregated", "decode_pool", "disaggregated"]

FloatArray = NDArray[np.float64]
MS = 1e-3
ITERATIONS = 6
BISECTIONS = 5
FALSE_POSITIONS = 4
STEADY_USE = 0.95  # busy share of a prefill pool beyond which its queue is a backlog
CHUNK_TOKENS = 8192.0
PROMPT_BATCHING = 48.0  # running requests per rank at which one more prompt joins a prefill pass
WAIT_POWER = 0.7


@dataclass(frozen=True)
class Load:
    """Real mean lengths and load of one engine (aggregated) or deployment (disaggregated)."""

    isl_tokens: FloatArray
    osl_tokens: FloatArray
    prefix_cache_hit: FloatArray
    concurrency: FloatArray
    draft_tokens: FloatArray
    speed: FloatArray  # software factor on time, 1 at the start of 2026


@dataclass(frozen=True)
class Solution:
    """Requests per second of the whole deployment, latencies, and where the time went."""

    requests_per_s: FloatArray
    running: FloatArray
    tpot_s: FloatArray
    ttft_s: FloatArray
    prefill_gpu_share: FloatArray
    queued: FloatArray
    max_sequences: FloatArray
    fits: NDArray[np.bool_]
    step: StepTime


def acceptance_length(draft_tokens: FloatArray, accept: FloatArray | float) -> FloatArray:
    """Tokens per verification step for a constant chance of acceptance per position.

    Notes
    -----
    .. math:: a = \\frac{1 - p^{k+1}}{1 - p}

    Examples
    --------
    >>> float(acceptance_length(np.array(3.0), 0.64))
    2.3117
    """
    p = np.asarray(accept, dtype=float)
    return np.asarray((1.0 - p ** (draft_tokens + 1.0)) / (1.0 - p))


def _first_token(
    engine: Engine, v: FloatArray, latency: FloatArray, busy: FloatArray, per_rank: FloatArray, speed: FloatArray
) -> FloatArray:
    """Time to first token without a queue for slots: base, prefill, and the wait behind other prompts [s]."""
    wait = v[engine.keys["ttft_wait"]] * np.maximum(per_rank, 1e-3) ** WAIT_POWER
    wait = wait * np.where(engine.dp > 1, v[engine.keys["ttft_dp"]], 1.0)
    return np.asarray(v[engine.keys["ttft_base"]] * MS + (latency + wait * busy * engine.dp) * speed)


def _speculation(engine: Engine, v: FloatArray, load: Load) -> FloatArray:
    return np.where(load.draft_tokens > 0, acceptance_length(load.draft_tokens, v[engine.keys["accept"]]), 1.0)


def aggregated(engine: Engine, v: FloatArray, load: Load, engines: FloatArray) -> Solution:
    """Solve many aggregated rows; ``load.concurrency`` is of the deployment of ``engines`` equal engines."""
    concurrency = load.concurrency / engines
    context = load.isl_tokens + 0.5 * load.osl_tokens
    room = ledger(engine, reserved_context(engine, load.isl_tokens, load.osl_tokens))
    fresh, past = load.isl_tokens * (1.0 - load.prefix_cache_hit), load.isl_tokens * load.prefix_cache_hit
    most_prompts = np.maximum(CHUNK_TOKENS / np.maximum(fresh, 1.0), 1.0)
    prompts = np.clip(concurrency / engine.dp / PROMPT_BATCHING, 1.0, most_prompts)
    latency, busy = prefill_pass(engine, v, fresh, past, prompts, concurrency)
    first = _first_token(engine, v, latency, busy, concurrency / engine.dp, load.speed)
    a = _speculation(engine, v, load)
    query = 1.0 + load.draft_tokens
    cap = np.maximum(room.max_sequences, 1.0)
    mix = v[engine.keys["mix"]]
    n = np.minimum(concurrency, cap)
    terms = decode_terms(engine, v, query, context)
    steps, stall = load.osl_tokens / a * load.speed, mix * busy * load.speed
    for _ in range(ITERATIONS):
        life = steps * terms.total(n) + stall * n
        n = np.minimum(concurrency / (1.0 + first / life), cap)
    step = terms.step(n)
    life = steps * step.total + stall * n
    rate = n / life
    queued = np.maximum(concurrency - n - rate * first, 0.0)
    share = np.clip(rate * busy * load.speed, 0.0, 1.0)
    return Solution(
        rate * engines,
        n * engines,
        life / load.osl_tokens,
        first + queued / rate,
        share,
        queued * engines,
        room.max_sequences,
        room.fits,
        step,
    )


def disaggregated(
    decode: Engine, prefill: Engine, v: FloatArray, load: Load, decode_workers: FloatArray, prefill_workers: FloatArray
) -> Solution:
    """Solve many disaggregated rows: two pools, rate-matched."""
    context = load.isl_tokens + 0.5 * load.osl_tokens
    room = ledger(decode, reserved_context(decode, load.isl_tokens, load.osl_tokens))
    prefill_room = ledger(prefill, load.isl_tokens)
    fresh, past = load.isl_tokens * (1.0 - load.prefix_cache_hit), load.isl_tokens * load.prefix_cache_hit
    most_prompts = np.maximum(CHUNK_TOKENS / np.maximum(fresh, 1.0), 1.0)
    per_worker = load.concurrency / prefill_workers
    prompts = np.clip(per_worker / prefill.dp / PROMPT_BATCHING, 1.0, most_prompts)
    latency, busy = prefill_pass(prefill, v, fresh, past, prompts, per_worker)
    busy = busy + v[prefill.keys["handoff"]] * MS / prefill.dp
    bound = prefill_workers / (busy * load.speed)
    first = v[decode.keys["ttft_base"]] * MS + latency * load.speed + v[decode.keys["kv_transfer"]] * MS
    a = _speculation(decode, v, load)
    query = 1.0 + load.draft_tokens
    most = np.minimum(load.concurrency / decode_workers, np.maximum(room.max_sequences, 1.0))
    waiting = v[decode.keys["ttft_wait"]] * prefill_workers * prefill.dp
    waiting = waiting * np.where(prefill.dp > 1, v[decode.keys["ttft_dp"]], 1.0)
    terms = decode_terms(decode, v, query, context)
    steps = load.osl_tokens / a * load.speed

    def excess(n: FloatArray) -> FloatArray:
        """Log of requests in decode, prefill and queue over those in flight."""
        rate = n / (steps * terms.total(n)) * decode_workers
        used = rate / bound
        queue = waiting * used * used / np.maximum(1.0 - used, 1e-4)
        return np.asarray(np.log((n * decode_workers + rate * first + queue) / load.concurrency))

    n = _root(excess, most)
    step = terms.step(n)
    life = steps * step.total
    rate = np.minimum(n / life * decode_workers, bound)
    waited = np.maximum(load.concurrency - n * decode_workers, rate * first)
    used = np.minimum(rate / bound, STEADY_USE)
    queue = waiting * used * used / (1.0 - used)
    queued = np.maximum(waited - rate * first - queue, 0.0)
    gpus_p, gpus_d = prefill_workers * prefill.tp * prefill.pp, decode_workers * decode.tp * decode.pp
    return Solution(
        rate,
        n * decode_workers,
        life / load.osl_tokens,
        waited / rate,
        gpus_p / (gpus_p + gpus_d),
        queued,
        room.max_sequences,
        room.fits & prefill_room.fits,
        step,
    )


def decode_pool(engine: Engine, v: FloatArray, load: Load, latency_s: FloatArray, busy_s: FloatArray) -> Solution:
    """One decode engine fed by a prefill pool that keeps up: rates per engine, first tokens without a prefill queue."""
    context = load.isl_tokens + 0.5 * load.osl_tokens
    room = ledger(engine, reserved_context(engine, load.isl_tokens, load.osl_tokens))
    wait = v[engine.keys["ttft_wait"]] * v[engine.keys["ttft_dp"]]
    first = v[engine.keys["ttft_base"]] * MS + latency_s + wait * busy_s + v[engine.keys["kv_transfer"]] * MS
    a = _speculation(engine, v, load)
    query = 1.0 + load.draft_tokens
    n = np.minimum(load.concurrency, np.maximum(room.max_sequences, 1.0))
    step = decode_terms(engine, v, query, context).step(n)
    life = load.osl_tokens / a * step.total * load.speed
    rate = n / life
    fits = room.fits & (load.concurrency <= room.max_sequences)
    none = np.zeros_like(rate)
    return Solution(rate, n, life / load.osl_tokens, first, none, none, room.max_sequences, fits, step)


def _root(excess: Callable[[FloatArray], FloatArray], most: FloatArray) -> FloatArray:
    """Largest ``n`` up to ``most`` with ``excess(n) <= 0``, for a rising function of log ``n``.

    Bisection in logs, then false positions that halve an end kept twice (Illinois), so that the answer is smooth in
    every parameter; within 6e-5 of the root.
    """
    low, high = np.full_like(most, 1e-2), most.copy()
    n, inside, outside = most, np.full_like(most, np.nan), np.full_like(most, np.nan)
    before = np.zeros_like(most, dtype=bool)
    for turn in range(BISECTIONS + FALSE_POSITIONS + 1):
        if turn > BISECTIONS:
            share = np.clip(inside / (inside + outside), 0.0, 1.0)
            n = np.where(np.isfinite(share), low * (high / low) ** share, high)
        elif turn:
            n = np.sqrt(low * high)
        value = excess(n)
        over = value > 0.0
        high, low = np.where(over, n, high), np.where(over, low, n)
        kept = np.where((over == before) & (turn > BISECTIONS + 1), 0.5, 1.0)
        outside, inside = np.where(over, value, outside * kept), np.where(over, inside * kept, -value)
        before = over
    return n
