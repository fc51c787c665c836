"""Latency under load in closed form: prompts queue for the engine, requests queue for slots, decode slows with company.

Three effects are kept apart. A prompt waits for the step under way and for prompts before it (a queue of one server a
replica, by Allen and Cunneen's formula with the burstiness that a replica sees). A request waits for a slot only where
batches fill up (the same formula with Erlang's C over all slots of the fleet). Decode of ``n`` requests is stretched by
the share of time that prompts take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.errors import InputError
from rackecon.load.requests import Requests
from rackecon.load.step_times import StepTimes

LATE: Final = 0.99
ITERATIONS: Final = 60
TAIL_POINTS: Final = 128
TAIL_MEANS: Final = 12.0
"""Mean waits after which a tail is cut: exp(-12) is far beyond the 99th percentile."""
MOST_SERVERS: Final = 4096
"""Slots counted: more at the same filling wait less still, and are not told apart."""
FEWEST_WINDOWS: Final = 30
STEADY: Final = 0.995
NEARBY: Final = 1.01  # ratio of running requests between which the step's elasticity is taken
MOST_ELASTIC: Final = 0.9  # of a step in running requests [-], below 1: longer queues than that are a backlog
"""Load beyond which no steady state is computed."""


def erlang_c(servers: int, offered: float) -> float:
    """Chance that an arrival waits in M/M/k.

    Parameters
    ----------
    servers : int
        Servers k.
    offered : float
        Work offered, in servers; below k.

    Notes
    -----
    By Erlang's B, :math:`1/B = \\sum_j k!/((k-j)! a^j)`, and :math:`C = B/(1 - \\rho(1 - B))`
    (Erlang 1917; Kleinrock, Queueing Systems I, 1975).

    Examples
    --------
    >>> round(erlang_c(2, 1.0), 4)
    0.3333
    """
    with np.errstate(over="ignore", divide="ignore"):  # of next to nothing offered: nobody waits
        blocked = 1.0 / (1.0 + float(np.cumprod(np.arange(servers, 0, -1) / offered).sum()))
    load = offered / servers
    return blocked / (1.0 - load * (1.0 - blocked))


@dataclass(frozen=True)
class Burstiness:
    """Variance over mean of the number of arrivals in a window, by the mean number of arrivals in it: 1 is Poisson."""

    arrivals: FloatArray
    dispersion: FloatArray

    @classmethod
    def poisson(cls) -> Burstiness:
        """Arrivals that know nothing of each other."""
        return cls(np.array([1.0]), np.array([1.0]))

    @classmethod
    def of(cls, requests: Requests) -> Burstiness:
        """Measured on arrivals, in windows of 2 arrivals to a thirtieth of all.

        Examples
        --------
        >>> one = np.ones(1000, dtype=np.int64)
        >>> float(Burstiness.of(Requests(np.arange(1000.0), one, one)).at(8.0))
        0.0
        """
        at = requests.arrival_s - requests.arrival_s[0]
        grid = 2.0 ** np.arange(1, max(int(np.log2(max(len(at) / FEWEST_WINDOWS, 4))), 2) + 1)
        found = []
        for mean in grid:
            width = mean / requests.rate_per_s
            whole = max(int(at[-1] / width + 1e-9), 2)
            counts = np.bincount((at / width + 1e-9).astype(np.int64), minlength=whole)[:whole]
            found.append(counts.var() / counts.mean())
        return cls(np.asarray(grid, dtype=np.float64), np.array(found, dtype=np.float64))

    def at(self, arrivals: float) -> float:
        """Over a time in which so many arrive on average."""
        return float(np.interp(np.log(max(arrivals, 1e-9)), np.log(self.arrivals), self.dispersion))


@dataclass(frozen=True)
class LengthMoments:
    """What of the lengths the formulas need, found once for a workload."""

    output_mean: float
    held_mean: float  # mean tokens held while decoding, weighted by output tokens
    prefill_mean_s: float
    prefill_cv2: float
    prefill_quantiles_s: FloatArray  # at the midpoints of equal shares
    output_cv2: float
    per_decoded: float  # mean of 1 / (output - 1) over requests with more than one

    @classmethod
    def of(cls, requests: Requests, times: StepTimes, cache_hit: float = 0.0) -> LengthMoments:
        """Of requests served by replicas of these step times, a share of each input cached."""
        inputs, outputs = requests.input_tokens.astype(float), requests.output_tokens.astype(float)
        prompts = times.prefill(inputs * (1.0 - cache_hit), inputs * cache_hit)
        decoded = np.maximum(outputs - 1.0, 0.0)
        weight = float(decoded.sum()) or 1.0
        shares = (np.arange(TAIL_POINTS) + 0.5) / TAIL_POINTS
        mean = float(prompts.mean())
        return cls(
            float(outputs.mean()),
            float((decoded * (inputs + 0.5 * outputs)).sum() / weight),
            mean,
            float(prompts.var() / mean**2) if mean > 0 else 0.0,
            np.quantile(prompts, shares),
            float(outputs.var() / outputs.mean() ** 2),
            float((1.0 / decoded[decoded > 0]).mean()) if decoded.any() else 0.0,
        )


@dataclass(frozen=True)
class Queueing:
    """Steady state of a fleet; latencies [s], infinite where load is not carried."""

    load: float  # of the saturated rate
    running: float  # requests in decode, a replica
    tpot_s: float
    ttft_mean_s: float
    ttft_p99_s: float


def _running(times: StepTimes, lengths: LengthMoments, rate: float) -> tuple[float, float]:
    """Requests in decode and time of a step, prompts between steps counted: Little's law as a fixed point."""
    decoded = lengths.output_mean - 1.0
    share = 0.0 if times.prefill_workers else rate * lengths.prefill_mean_s
    n, step = 0.0, times.step_s(1.0, lengths.held_mean)
    for _ in range(ITERATIONS):
        # A request always sees itself: one where nobody else runs, half a request above the mean from one on
        seen = n + max(1.0 - 0.5 * n, 0.5)
        step = times.step_s(seen, lengths.held_mean) / max(1.0 - share, 1e-3)
        wanted = min(rate * decoded * step, float(times.most))
        if abs(wanted - n) < 1e-6:
            break
        n = 0.5 * (n + wanted)
    return n, step


def saturated(times: StepTimes, lengths: LengthMoments) -> float:
    """Requests a second of a replica whose batch is always full.

    Own: a full batch, nothing waiting.
    """
    full = times.step_s(float(times.most), lengths.held_mean)
    decode = (lengths.output_mean - 1.0) * full / times.most
    if times.prefill_workers:
        return min(1.0 / max(decode, 1e-12), times.prefill_workers / lengths.prefill_mean_s)
    return 1.0 / (decode + lengths.prefill_mean_s)


def _late(waits: list[tuple[float, float]], base_s: float, lengths: LengthMoments) -> float:
    """99th percentile of base + prompt + waits, each nought or exponential: (chance, mean if any)."""
    prompts = lengths.prefill_quantiles_s + base_s
    high = float(prompts.max()) + sum(mean for _, mean in waits) * TAIL_MEANS + 1e-6
    limits = np.geomspace(max(float(prompts.min()), high * 1e-6), high, TAIL_POINTS)[:, None]
    stays, left = prompts <= limits, np.maximum(limits - prompts, 0.0)
    over = np.where(stays, 0.0, 1.0)
    for chance, mean in waits:
        # The longer wait rules the tail: the larger of the two chances is taken, not their convolution
        if mean > 0 and chance > 0:
            with np.errstate(over="ignore"):  # of a wait of next to nothing no chance is left
                over = np.maximum(over, chance * np.exp(-left / mean))
    kept = np.maximum.accumulate(1.0 - over.mean(axis=1))
    return float(np.interp(LATE, kept, limits[:, 0]))


def _waits(
    times: StepTimes, lengths: LengthMoments, rate: float, replicas: int, bursts: Burstiness
) -> tuple[tuple[float, float], float]:
    """Wait for prompts before: chance and mean if any; and the half step that a prompt waits for the engine."""
    mean, pool = lengths.prefill_mean_s, times.prefill_workers * replicas
    servers = pool or 1
    share = (rate if pool else rate / replicas) * mean / servers
    idle = max(1.0 - share, 1e-3)
    seen = max(bursts.at(rate * mean / idle) - 1.0, 0.0)
    if pool:
        chance = erlang_c(servers, servers * min(share, STEADY))
        wait = mean / (servers * idle) * (chance * (1.0 + lengths.prefill_cv2) + seen) / 2.0
    else:
        # The least busy of N: measured on the replay, the wait falls as the root of N
        wait = mean / idle * (share * (1.0 + lengths.prefill_cv2) / replicas**0.5 + seen / replicas) / 2.0
        chance = min(share / replicas**0.5 + seen / replicas / (1.0 + seen / replicas), 1.0)
    return (chance, wait / max(chance, 1e-9)), share


def queueing(
    times: StepTimes,
    lengths: LengthMoments,
    rate_per_s: float,
    replicas: int = 1,
    bursts: Burstiness | None = None,
) -> Queueing:
    """Latencies of a fleet at a mean rate.

    Parameters
    ----------
    times : StepTimes
        Of one replica.
    lengths : LengthMoments
        Of the requests.
    rate_per_s : float
        Arrivals a second at the whole fleet, spread to the least busy replica.
    replicas : int
        Replicas.
    bursts : Burstiness, optional
        Of the arrivals; Poisson by default.

    Returns
    -------
    Queueing
        Means and percentiles.

    Notes
    -----
    A prompt waits :math:`\\frac{s}{1-\\rho}\\,\\frac{\\rho(1 + c_s^2) + (D - 1)}{2}`, exact for bursts that arrive at once
    (Gaver 1959), with the dispersion D of arrivals over the time the queue forgets. Slots fill up as Hayward's
    approximation of peaked traffic says: Erlang's C of ``k/z`` servers offered ``n/z``, where the peakedness ``z`` grows as
    steps slow with company. Waits are exponential where they occur.

    Examples
    --------
    M/M/1 at half load, service 0.1 s: the mean time to the first token is 0.2 s.

    >>> draws = Requests(np.arange(20000.0), np.random.default_rng(1).exponential(1e5, 20000).astype(np.int64), np.ones(20000, np.int64))
    >>> one = StepTimes(np.full(2, 1e-9), np.zeros(2), (0.0, 1e-6, 0.0))
    >>> round(queueing(one, LengthMoments.of(draws, one), 5.0).ttft_mean_s, 2)
    0.2
    """
    if rate_per_s <= 0 or replicas < 1:
        raise InputError("queueing needs a positive rate and one replica or more")
    arriving = bursts or Burstiness.poisson()
    per, most = rate_per_s / replicas, saturated(times, lengths)
    load = per / most
    prompts, share = _waits(times, lengths, rate_per_s, replicas, arriving)
    if load >= STEADY:
        n, endless = float(times.most), float("inf")
        step = times.step_s(n, lengths.held_mean) / max(1.0 - share, 1e-3)
        return Queueing(load, n, step, endless, endless)
    n, step = _running(times, lengths, per)
    boundary = 0.0
    if not times.prefill_workers:
        boundary = 0.5 * (1.0 - np.exp(-n)) * times.step_s(max(n, 1.0), lengths.held_mean) * (1.0 - share)
    slots = _slot_wait(times, lengths, rate_per_s, replicas, arriving, n)
    base = boundary + times.first_token_s
    ahead = prompts[0] * prompts[1] + slots[0] * slots[1]
    mean = float(base + lengths.prefill_mean_s + ahead)
    # Prompts that came while this one waited run before its second token
    behind = share / (1.0 - share) / replicas**0.5 * (prompts[0] * prompts[1] + lengths.prefill_mean_s)
    behind = 0.0 if times.prefill_workers else min(behind, times.most * lengths.prefill_mean_s)
    late = _late([prompts, slots], base, lengths)
    return Queueing(load, n, step + behind * lengths.per_decoded, mean, late)


def _slot_wait(
    times: StepTimes, lengths: LengthMoments, rate: float, replicas: int, bursts: Burstiness, n: float
) -> tuple[float, float]:
    """Wait for a slot: chance, and mean if any [s]."""
    slots, most = times.most * replicas, saturated(times, lengths) * replicas
    if lengths.output_mean <= 1.0 or times.most < 2:
        return 0.0, 0.0
    at, above = (times.step_s(x, lengths.held_mean) for x in (max(n, 1.0), max(n, 1.0) * NEARBY))
    elasticity = min(np.log(above / at) / np.log(NEARBY), MOST_ELASTIC)
    burst = bursts.at(n * replicas)
    peaked = max((burst + 1.0) / 2.0, 1e-3) / (1.0 - elasticity)
    filled = min(n / times.most, STEADY)
    servers = min(max(round(slots / peaked), 1), MOST_SERVERS)
    spare = max(1.0 - rate / most, 1.0 - STEADY)
    return erlang_c(servers, servers * filled), (burst + lengths.output_cv2) / 2.0 / (most * spare)
