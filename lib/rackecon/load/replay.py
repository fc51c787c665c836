"""Discrete-event replay of requests over equal replicas.

Each replica batches continuously (:mod:`rackecon.load.replica`); arrivals are open, or follow the end of an earlier
request after a time to think. Pure Python: skipping from event to event leaves two or three events a request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray
from rackecon.errors import InputError, check_known
from rackecon.load.prefix_store import CacheTier, PrefixStore
from rackecon.load.replica import Book, Replica
from rackecon.load.requests import Requests
from rackecon.load.step_times import StepTimes

ROUTINGS: Final = ("least_requests", "round_robin", "random", "two_choices", "session", "prefix")
OVERLOAD: Final = 1.5
"""A replica this much busier than the mean loses its claim on a prefix."""
LOAD_STEP: Final = 0.005
"""How finely the highest load that keeps limits is found."""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Equal replicas and how requests reach them."""

    times: StepTimes
    replicas: int = 1
    routing: str = "least_requests"
    tiers: Sequence[CacheTier] = ()  # of each replica's prefix cache; none: no cache
    ttl_s: float = inf
    seed: int = 0

    def __post_init__(self) -> None:
        check_known("routing", self.routing, ROUTINGS)
        if self.replicas < 1:
            raise InputError(f"replicas {self.replicas} is out of range: needs 1 or more")


@dataclass(frozen=True)
class Latency:
    """Mean and percentiles of one latency [s]."""

    mean: float
    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, values: FloatArray) -> Latency:
        """Of the values of all requests."""
        if len(values) == 0:
            return cls(0.0, 0.0, 0.0, 0.0)
        p50, p90, p99 = np.percentile(values, (50, 90, 99))
        return cls(float(values.mean()), float(p50), float(p90), float(p99))


@dataclass(frozen=True)
class Replayed:
    """Times of every request [s], cached tokens, and how busy the replicas were."""

    arrival_s: FloatArray
    first_s: FloatArray
    end_s: FloatArray
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    hit_tokens: NDArray[np.int64]
    busy: float  # share of replica time with work
    replicas: int
    gpus: int

    @property
    def ttft_s(self) -> FloatArray:
        """Time to the first token."""
        return self.first_s - self.arrival_s

    @property
    def tpot_s(self) -> FloatArray:
        """Time per output token after the first; 0 for one token."""
        return (self.end_s - self.first_s) / np.maximum(self.output_tokens - 1, 1)

    @property
    def makespan_s(self) -> float:
        """First arrival to last end."""
        return float(self.end_s.max() - self.arrival_s.min())

    @property
    def cache_hit(self) -> float:
        """Share of input tokens read from the prefix cache."""
        return float(self.hit_tokens.sum() / max(self.input_tokens.sum(), 1))

    def ttft(self) -> Latency:
        """Of all requests."""
        return Latency.of(self.ttft_s)

    def tpot(self) -> Latency:
        """Of requests with more than one token."""
        return Latency.of(self.tpot_s[self.output_tokens > 1])

    def within(self, ttft_s: float = inf, tpot_s: float = inf) -> BoolArray:
        """Requests that kept both limits."""
        return np.asarray((self.ttft_s <= ttft_s) & (self.tpot_s <= tpot_s))

    def total_tok_s_per_gpu(self) -> float:
        """Input (cached too) and output tokens a second and GPU."""
        tokens = float(self.input_tokens.sum() + self.output_tokens.sum())
        return tokens / self.makespan_s / (self.replicas * self.gpus)


def _router(fleet: Fleet, replicas: list[Replica], requests: Requests) -> Callable[[int, float], int]:
    """Index of the replica that a request goes to."""
    count = len(replicas)
    if count == 1:
        return lambda request, now: 0
    draw = np.random.default_rng(fleet.seed)

    def least(request: int, now: float) -> int:
        loads = [r.unfinished for r in replicas]
        return loads.index(min(loads))

    def prefix(request: int, now: float) -> int:
        loads = [r.unfinished for r in replicas]
        allowed = OVERLOAD * (sum(loads) / count) + 1.0
        blocks = requests.blocks[request] if requests.blocks is not None else ()
        held = [
            r.store.peek(blocks, now) if r.store and load <= allowed else -1
            for r, load in zip(replicas, loads, strict=True)
        ]
        best = max(held)
        near = [i for i, h in enumerate(held) if h == best] if best > 0 else range(count)
        return min(near, key=loads.__getitem__)

    if fleet.routing == "least_requests":
        return least
    if fleet.routing == "prefix":
        return prefix
    if fleet.routing == "session":
        if requests.session is None:
            raise InputError("routing by session needs session ids")
        home = requests.session % count
        return lambda request, now: int(home[request])
    if fleet.routing == "round_robin":
        return lambda request, now: request % count
    picks = draw.integers(0, count, (len(requests), 2))
    if fleet.routing == "random":
        return lambda request, now: int(picks[request, 0])
    return lambda request, now: int(min(picks[request], key=lambda i: replicas[i].unfinished))


class _Arrivals:
    """Who comes next: open arrivals in order, followers of ended requests, prompts leaving a pool."""

    def __init__(self, requests: Requests) -> None:
        times = requests.arrival_s.tolist()
        before = requests.previous.tolist() if requests.previous is not None else [-1] * len(times)
        self.arrival = times
        self.think = requests.think_s.tolist() if requests.think_s is not None else []
        self.followers: dict[int, list[int]] = {}
        self.left: dict[int, int] = {}  # of a request that joins several: how many have not ended
        for request, previous in enumerate(before):
            joined = (requests.joins or {}).get(request, ())
            if joined:
                self.left[request] = len(joined) + (previous >= 0)
            for each in (*([previous] if previous >= 0 else []), *joined):
                self.followers.setdefault(each, []).append(request)
        self.waiting = [(t, i, True) for i, (t, p) in enumerate(zip(times, before, strict=True)) if p < 0]
        heapify(self.waiting)

    def ended(self, request: int, now: float) -> None:
        """Followers of a request are set to come."""
        for each in self.followers.get(request, ()):
            if each in self.left:
                self.left[each] -= 1
                if self.left[each]:
                    continue
            self.arrival[each] = now + self.think[each]
            heappush(self.waiting, (self.arrival[each], each, True))


def replay(requests: Requests, fleet: Fleet) -> Replayed:
    """Serve requests on a fleet until all have ended.

    Parameters
    ----------
    requests : Requests
        What arrives.
    fleet : Fleet
        Replicas, routing, prefix cache.

    Returns
    -------
    Replayed
        Every request once, in the order given.

    Examples
    --------
    Three requests by hand: prompts of 10 ms + 0.1 ms a token run alone, steps take 15.3 ms and more with company:

    >>> three = Requests(np.zeros(3), np.array([100, 100, 100]), np.array([1, 1, 1]))
    >>> replay(three, Fleet(times=StepTimes.linear((10, 0.1), (15, 0.3, 0.0002), 32))).end_s.round(3).tolist()
    [0.02, 0.04, 0.06]
    """
    times, cached = fleet.times, bool(fleet.tiers)
    if cached and requests.blocks is None:
        raise InputError("a prefix cache needs requests with blocks")
    book = Book(requests.input_tokens.tolist(), requests.output_tokens.tolist(), requests.blocks, requests.block_tokens)
    book.prefilled = times.prefill_workers > 0
    stores = [PrefixStore(fleet.tiers, fleet.ttl_s) if cached else None for _ in range(fleet.replicas)]
    replicas = [Replica(times, book, store) for store in stores]
    arrivals = _Arrivals(requests)
    if book.prefilled:
        _serve_pools(arrivals, replicas, fleet, requests, book)
    else:
        _serve(arrivals, replicas, _router(fleet, replicas, requests), book)
    end = np.array(book.end)
    span = float(end.max() - np.min(arrivals.arrival)) or 1.0
    return Replayed(
        np.array(arrivals.arrival),
        np.array(book.first) + times.first_token_s,
        end + times.first_token_s,
        requests.input_tokens,
        requests.output_tokens,
        np.array(book.hit),
        sum(r.busy for r in replicas) / (span * len(replicas)),
        fleet.replicas,
        times.gpus,
    )


def _serve(arrivals: _Arrivals, replicas: list[Replica], route: Callable[[int, float], int], book: Book) -> None:
    """Events in order of time; what ends at an instant frees its slot before who arrives then."""
    waiting, events = arrivals.waiting, [(inf, -1)]
    while True:
        soonest = waiting[0][0] if waiting else inf
        at, which = events[0]
        if at <= soonest:
            if which < 0:
                return
            heappop(events)
            replica = replicas[which]
            if replica.due != at:
                continue  # it was cut short since
            for request in replica.advance():
                if arrivals.followers:
                    arrivals.ended(request, at)
            if replica.due < inf:
                heappush(events, (replica.due, which))
        else:
            now, request, _ = heappop(waiting)
            which = route(request, now)
            replica = replicas[which]
            before = replica.due
            replica.arrive(request, now)
            if replica.due != before:
                heappush(events, (replica.due, which))


def _serve_pools(arrivals: _Arrivals, replicas: list[Replica], fleet: Fleet, requests: Requests, book: Book) -> None:
    """Prompts run first come first served in a pool of their own, then join a decode replica without a step of theirs."""
    times, ready = fleet.times, list[tuple[float, int, bool]]()
    free = [0.0] * (times.prefill_workers * fleet.replicas)
    store = PrefixStore(fleet.tiers, fleet.ttl_s) if fleet.tiers else None
    a, b, c = times.prefill_s
    route = _router(fleet, replicas, requests)
    events = [(inf, -1)]
    waiting = arrivals.waiting
    while True:
        coming, joining = (waiting[0][0] if waiting else inf), (ready[0][0] if ready else inf)
        at, which = events[0]
        if at <= min(coming, joining):
            if which < 0:
                return
            heappop(events)
            if replicas[which].due != at:
                continue
            for request in replicas[which].advance():
                arrivals.ended(request, at)
            if replicas[which].due < inf:
                heappush(events, (replicas[which].due, which))
        elif coming <= joining:
            now, request, _ = heappop(waiting)
            start, hit, wait = max(now, heappop(free)), 0, 0.0
            if store is not None:
                found, wait = store.take(requests.blocks[request], now)  # type: ignore[index]
                hit = min(found * book.block_tokens, book.input[request] - 1)
                book.hit[request] = hit
            fresh = book.input[request] - hit
            done = start + a + wait + fresh * (b + c * (hit + 0.5 * fresh))
            heappush(free, done)
            book.first[request] = done
            if book.output[request] <= 1:
                book.end[request] = done
                arrivals.ended(request, done)
            else:
                heappush(ready, (done, request, False))
        else:
            now, request, _ = heappop(ready)
            which = route(request, now)
            before = replicas[which].due
            replicas[which].arrive(request, now)
            if replicas[which].due != before:
                heappush(events, (replicas[which].due, which))


def max_load(kept: Callable[[float], bool], high: float = 1.5) -> float:
    """Highest load at which limits are still ``kept(load)``, by bisection; next to 0 if at none."""
    low = 0.0
    while high - low > LOAD_STEP:
        middle = 0.5 * (low + high)
        if kept(middle):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
