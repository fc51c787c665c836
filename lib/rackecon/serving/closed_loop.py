"""Steady state of an engine under a concurrency cap: how many requests run, how many wait, what comes out.

Aggregated: running requests share each step with prefill, so a request's decode lasts
:math:`T(n) = (O/a)\\,t_{step}(n) + m\\,n\\,t_{prefill}`; concurrency splits as
:math:`C = n + X\\,T_{first}`, :math:`X = n/T`.
Disaggregated: decode has no prefill term; prefill is a queue used to :math:`\\rho = X t_{prefill}/w` that holds about
:math:`w \\kappa \\rho^2/(1-\\rho)` requests, and :math:`C = n + X\\,T_{first} + Q`: near saturation what is left of ``C`` waits.
An engine runs at most what fits in memory and what it was launched to take; beyond that requests wait too.
Source: Little's law (1961) and a queue of Pollaczek and Khinchine's form; how prefill and decode share a step is own
derivation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from rackecon.arrays import BoolArray, FloatArray
from rackecon.performance.cells import ByCell, Cells
from rackecon.performance.curve import StepCurve
from rackecon.performance.engine import Engine
from rackecon.performance.memory import Ledger, ledger, reserved_context
from rackecon.performance.step import (
    DecodeTerms,
    PassTerms,
    PrefillCurve,
    StepTime,
    decode_terms,
    pass_terms,
    prefill_curve,
)

MS = 1e-3
ITERATIONS = 6
BISECTIONS = 5
FALSE_POSITIONS = 12
STEADY_USE = 0.95  # busy share of a prefill pool beyond which its queue is a backlog
CHUNK_TOKENS = 8192.0
PROMPT_BATCHING = 48.0  # running requests per rank at which one more prompt joins a prefill pass
LEAST_RUNNING = 1e-2  # sequences from which the root is sought
DRAFTED_OUTPUTS = (1024.0, 8192.0)  # between which draft acceptance was measured [tokens]
WAIT_POWER = (
    0.7  # of requests on a rank in the wait behind other prompts [-], 0.5 to 1; own, `ttft_wait` is fitted beside it
)


@dataclass(frozen=True)
class Load(ByCell):
    """Real mean lengths and load of one engine (aggregated) or deployment (disaggregated)."""

    isl_tokens: FloatArray
    osl_tokens: FloatArray
    prefix_cache_hit: FloatArray
    concurrency: FloatArray
    draft_tokens: FloatArray
    speed: FloatArray  # software factor on time, 1 at the start of 2026
    # requests that a decode (or only) engine was launched to run at once
    limit: FloatArray = field(default_factory=lambda: np.full(1, np.inf))

    def running(self, room: Ledger) -> FloatArray:
        """Sequences that an engine runs at most: those that fit, up to the limit it was launched with."""
        return np.minimum(np.maximum(room.max_sequences, 1.0), self.limit)


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
    fits: BoolArray
    terms: DecodeTerms
    sequences: FloatArray  # running in one (decode) engine
    prefill_use: FloatArray  # time of the prefill pool that prompts take; 1 where the share of GPUs is one of time

    @property
    def step(self) -> StepTime:
        """Time of a decode step by operator [s]."""
        return self.terms.step(self.sequences)

    def step_at(self, cells: Cells) -> StepTime:
        """The same for some cells alone."""
        return self.terms.at(cells).step(cells.of(self.sequences))


def acceptance_length(draft_tokens: FloatArray, accept: FloatArray | float) -> FloatArray:
    """Tokens per verification step for a constant chance of acceptance per position.

    Notes
    -----
    .. math:: a = \\frac{1 - p^{k+1}}{1 - p}

    Source: Leviathan, Kalman and Matias (2023), equation 1.

    Examples
    --------
    >>> float(acceptance_length(np.array(3.0), 0.64))
    2.3117
    """
    p = np.asarray(accept, dtype=float)
    return np.asarray((1.0 - p ** (draft_tokens + 1.0)) / (1.0 - p))


def accepted(v: FloatArray, keys: Mapping[str, Any], osl_tokens: FloatArray) -> FloatArray:
    """Chance that a draft token is accepted, per position: longer answers of one text are easier to foresee.

    Notes
    -----
    .. math:: \\ln \\frac{p}{1 - p} = \\ln \\frac{p_0}{1 - p_0} + b \\log_2 \\frac{O}{1024}

    with the output held between 1,024 and 8,192 tokens, the lengths of public sweeps. Own form; ``accept`` and
    ``accept_longer`` are fitted.
    """
    p, doublings = v[keys["accept"]], np.log2(np.clip(osl_tokens, *DRAFTED_OUTPUTS) / DRAFTED_OUTPUTS[0])
    return np.asarray(1.0 / (1.0 + (1.0 / p - 1.0) * np.exp(-v[keys["accept_longer"]] * doublings)))


def _first_token(
    engine: Engine, v: FloatArray, latency: FloatArray, busy: FloatArray, per_rank: FloatArray, speed: FloatArray
) -> FloatArray:
    """Time to first token without a queue for slots: base, prefill, and the wait behind other prompts [s]."""
    wait = v[engine.keys["ttft_wait"]] * np.maximum(per_rank, 1e-3) ** WAIT_POWER
    wait = wait * np.where(engine.dp > 1, v[engine.keys["ttft_dp"]], 1.0)
    return np.asarray(v[engine.keys["ttft_base"]] * MS + (latency + wait * busy * engine.dp) * speed)


def tokens_per_step(engine: Engine, v: FloatArray, draft_tokens: FloatArray, osl_tokens: FloatArray) -> FloatArray:
    """Tokens of a sequence that a decode step gives: one, or with drafts those accepted too."""
    return np.where(draft_tokens > 0, acceptance_length(draft_tokens, accepted(v, engine.keys, osl_tokens)), 1.0)


def _speculation(engine: Engine, v: FloatArray, load: Load) -> FloatArray:
    return tokens_per_step(engine, v, load.draft_tokens, load.osl_tokens)


def context_tokens(isl_tokens: FloatArray, osl_tokens: FloatArray) -> FloatArray:
    """Mean context of a sequence over its decode: the input and half of the output [tokens].

    By definition: output grows evenly.
    """
    return np.asarray(isl_tokens + 0.5 * osl_tokens)


@dataclass(frozen=True)
class Prompts(ByCell):
    """Prefill of an engine before its load is known."""

    curve: PrefillCurve
    most: FloatArray  # prompts of a rank in one pass

    @cached_property
    def _alone(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None:
        """What no load changes, where a prompt fills a pass."""
        return self.curve.parts(self.most) if (self.most == 1.0).all() else None

    def times(self, concurrency: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Latency of a pass, and engine time per prompt, with so many requests on one engine [s]."""
        if self._alone is not None:
            return self.curve.under(concurrency, self._alone)
        prompts = concurrency / (self.curve.dp * PROMPT_BATCHING)
        np.minimum(np.maximum(prompts, 1.0, out=prompts), self.most, out=prompts)
        return self.curve.time(prompts, concurrency)


def prompts_of(engine: Engine, v: FloatArray, load: Load, shared: PassTerms | None = None) -> Prompts:
    """Prefill of engines for the lengths of a load."""
    fresh, past = load.isl_tokens * (1.0 - load.prefix_cache_hit), load.isl_tokens * load.prefix_cache_hit
    most = np.maximum(CHUNK_TOKENS / np.maximum(fresh, 1.0), 1.0)
    return Prompts(prefill_curve(engine, v, fresh, past, shared), most)


def aggregated(
    engine: Engine, v: FloatArray, load: Load, engines: FloatArray, shared: PassTerms | None = None
) -> Solution:
    """Solve many aggregated rows; ``load.concurrency`` is of the deployment of ``engines`` equal engines.

    Source: Little's law (1961); the fixed point of batch and rate is own derivation.
    """
    known = shared or pass_terms(engine, v)
    concurrency = load.concurrency / engines
    context = context_tokens(load.isl_tokens, load.osl_tokens)
    room = ledger(engine, reserved_context(engine, load.isl_tokens, load.osl_tokens))
    latency, busy = prompts_of(engine, v, load, known).times(concurrency)
    first = _first_token(engine, v, latency, busy, concurrency / engine.dp, load.speed)
    a = _speculation(engine, v, load)
    query = 1.0 + load.draft_tokens
    cap = load.running(room)
    mix = v[engine.keys["mix"]]
    n = np.minimum(concurrency, cap)
    terms = decode_terms(engine, v, query, context, known)
    curve = terms.curve
    steps, stall = load.osl_tokens / a * load.speed, mix * busy * load.speed
    for _ in range(ITERATIONS):
        life = steps * curve.total(n) + stall * n
        n = np.minimum(concurrency / (1.0 + first / life), cap)
    life = steps * curve.total(n) + stall * n
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
        terms,
        n,
        np.ones(1),
    )


@dataclass(frozen=True)
class DecodeSide:
    """The decode engines of a deployment before their number is known."""

    room: Ledger
    terms: DecodeTerms
    steps: FloatArray  # of one sequence, with the software's factor on time

    def rate(self, concurrency: FloatArray) -> FloatArray:
        """Requests per second of one engine fed by a prefill pool that keeps up, where it runs all that fit."""
        n = np.minimum(concurrency, np.maximum(self.room.max_sequences, 1.0))
        return np.asarray(n / (self.steps * self.terms.curve.total(n)))


def decode_side(engine: Engine, v: FloatArray, load: Load, shared: PassTerms | None = None) -> DecodeSide:
    """What of :func:`disaggregated` neither the load nor the prefill pool changes."""
    context = context_tokens(load.isl_tokens, load.osl_tokens)
    return DecodeSide(
        ledger(engine, reserved_context(engine, load.isl_tokens, load.osl_tokens)),
        decode_terms(engine, v, 1.0 + load.draft_tokens, context, shared),
        load.osl_tokens / _speculation(engine, v, load) * load.speed,
    )


def disaggregated(
    decode: Engine,
    prefill: Engine,
    v: FloatArray,
    load: Load,
    decode_workers: FloatArray,
    prefill_workers: FloatArray,
    side: DecodeSide | None = None,
    shared: PassTerms | None = None,
) -> Solution:
    """Solve many disaggregated rows: two pools, rate-matched.

    ``side`` is what :func:`decode_side` gave and ``shared`` the pass terms of ``prefill``, where they are known.

    Source: Little's law (1961) and a queue of Pollaczek and Khinchine's form; rate matching is own derivation.
    """
    ready = side or decode_side(decode, v, load)
    room, terms, steps = ready.room, ready.terms, ready.steps
    prefill_room = ledger(prefill, load.isl_tokens)
    pool = pool_prompts(decode, prefill, v, load, shared)
    (first, busy), queueing = pool.times(load.concurrency / prefill_workers), pool.queueing
    bound = prefill_workers / (busy * load.speed)
    most = np.minimum(load.concurrency / decode_workers, load.running(room))
    waiting = queueing * prefill_workers
    flight = _Flight(
        terms.curve,
        decode_workers / (steps * bound),
        decode_workers / load.concurrency,
        bound * first / load.concurrency,
        waiting / load.concurrency,
    )
    n, step_s = flight.root(most)
    life = steps * step_s
    rate = np.minimum(n / life * decode_workers, bound)
    decoding, starting = n * decode_workers, rate * first
    waited = np.maximum(load.concurrency - decoding, starting)
    used = np.minimum(rate / bound, STEADY_USE)
    queue = waiting * used * used / (1.0 - used)
    queued = np.maximum(waited - starting - queue, 0.0)
    gpus_p, gpus_d = prefill_workers * prefill.tp * prefill.pp, decode_workers * decode.tp * decode.pp
    return Solution(
        rate,
        decoding,
        life / load.osl_tokens,
        waited / rate,
        gpus_p / (gpus_p + gpus_d),
        queued,
        room.max_sequences,
        room.fits & prefill_room.fits,
        terms,
        n,
        used,
    )


@dataclass(frozen=True)
class PoolPrompts(ByCell):
    """What a prompt meets before a decode engine, whatever the load."""

    prompts: Prompts
    base_s: FloatArray
    handoff_s: FloatArray
    transfer_s: FloatArray
    speed: FloatArray
    queueing: FloatArray  # requests that queue before each worker, over :math:`\\rho^2/(1-\\rho)`

    def times(self, per_worker: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Time to first token without a queue, and of a worker that a prompt takes at the speed of 2026 [s].

        ``per_worker`` counts requests of the deployment on a prefill worker.
        """
        latency, busy = self.prompts.times(per_worker)
        return self.base_s + latency * self.speed + self.transfer_s, busy + self.handoff_s


def pool_prompts(
    decode: Engine, prefill: Engine, v: FloatArray, load: Load, shared: PassTerms | None = None
) -> PoolPrompts:
    """Prompts of a load between a prefill and a decode engine."""
    waiting = v[decode.keys["ttft_wait"]] * prefill.dp * np.where(prefill.dp > 1, v[decode.keys["ttft_dp"]], 1.0)
    return PoolPrompts(
        prompts_of(prefill, v, load, shared),
        v[decode.keys["ttft_base"]] * MS,
        v[prefill.keys["handoff"]] * MS / prefill.dp,
        v[decode.keys["kv_transfer"]] * MS,
        load.speed,
        waiting,
    )


@dataclass(frozen=True)
class _Flight(ByCell):
    """Requests of a deployment of two pools, over those in flight, as a function of what one decode engine runs."""

    curve: StepCurve
    use: FloatArray  # busy share of the prefill pool [s per sequence: over the time of a step]
    decoding: FloatArray  # per sequence
    starting: FloatArray  # in prefill and on the way, with the prefill pool all busy
    waiting: FloatArray

    def excess(self, n: FloatArray, step_s: FloatArray) -> FloatArray:
        """Log of requests in decode, prefill and queue over those in flight."""
        used = self.use * n
        used /= step_s
        free = 1.0 - used
        queue = used * used
        queue *= self.waiting
        queue /= np.maximum(free, 1e-4, out=free)
        queue += self.starting * used
        queue += self.decoding * n
        return np.log(queue, out=queue)

    def root(self, most: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Largest ``n`` up to ``most`` with ``excess(n) <= 0``, and its step [s]; cells with room for more keep ``most``."""
        step_s = self.curve.total(most)
        over = self.excess(most, step_s)
        n = np.broadcast_to(most, over.shape).copy()
        step_s = np.broadcast_to(step_s, over.shape).copy()
        cells = Cells(over.shape, np.flatnonzero(over > 0.0))
        if len(cells):
            full = self.at(cells)
            found = _root(full, cells.of(n), cells.of(over))
            n.reshape(-1)[cells.chosen] = found
            step_s.reshape(-1)[cells.chosen] = full.curve.total(found)
        return n, step_s


def _root(flight: _Flight, most: FloatArray, outside: FloatArray) -> FloatArray:
    """Where ``excess`` is zero, for a rising function of log ``n`` that is ``outside`` above zero at ``most``.

    Bisection in logs, then false positions that halve an end kept twice (Illinois), so that the answer is smooth in
    every parameter; within 1e-4 of the root.
    """
    low, inside = np.full_like(most, LEAST_RUNNING), np.full_like(most, np.nan)
    ratio = most / low  # of the ends
    for _ in range(BISECTIONS):
        ratio = np.sqrt(ratio)
        n = low * ratio
        value = flight.excess(n, flight.curve.total(n))
        over = value > 0.0
        low = np.where(over, low, n)
        outside, inside = np.where(over, value, outside), np.where(over, inside, -value)
    high = low * ratio
    for turn in range(1, FALSE_POSITIONS + 1):
        share = np.clip(inside / (inside + outside), 0.0, 1.0)
        n = np.where(np.isfinite(share), low * (high / low) ** share, high)
        if turn == FALSE_POSITIONS:
            break
        value, before = flight.excess(n, flight.curve.total(n)), over
        over = value > 0.0
        high, low = np.where(over, n, high), np.where(over, low, n)
        kept = np.where(over == before, 0.5, 1.0) if turn > 1 else 1.0
        outside, inside = np.where(over, value, outside * kept), np.where(over, inside * kept, -value)
    return n
