"""Sessions and the prefix-cache hit that follows from them.

A cached block is found again if what was touched since leaves it room (Denning's working set, 1968; Che et al. 2002):
nothing is replayed, and cold starts, growth of contexts and tiers follow from the distribution of times between turns alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rackecon.arrays import BoolArray, FloatArray
from rackecon.catalog import data_dir
from rackecon.catalog.cached import of_arguments
from rackecon.errors import InputError
from rackecon.lazy import pd

BISECTIONS: Final = 60
LONGEST_S: Final = 1e7
GROUPS_PER_OCTAVE: Final = 4.0
"""How finely turns are told apart by time and by tokens."""


@dataclass(frozen=True)
class Sessions:
    """Turns of sessions, one row each, as seen by a server that serves many of them at a time."""

    input_tokens: FloatArray
    output_tokens: FloatArray
    reusable_tokens: FloatArray  # leading tokens that an earlier turn of the session has had
    wait_s: FloatArray  # from the end of the turn before: think time or tool
    first: BoolArray  # first turn of a session

    @property
    def turns(self) -> float:
        """Mean turns of a session."""
        return float(len(self.first) / self.first.sum())

    def capped(self, idle_s: float) -> Sessions:
        """The same with waits cut at ``idle_s``."""
        return Sessions(
            self.input_tokens, self.output_tokens, self.reusable_tokens, np.minimum(self.wait_s, idle_s), self.first
        )

    def scaled(self, input_tokens: float, output_tokens: float) -> Sessions:
        """The same with other mean lengths."""
        long, out = input_tokens / self.input_tokens.mean(), output_tokens / self.output_tokens.mean()
        return Sessions(
            self.input_tokens * long, self.output_tokens * out, self.reusable_tokens * long, self.wait_s, self.first
        )


def coding_sessions() -> Sessions:
    """Recorded sessions of coding agents: data/traces/claude_code_sessions.csv.gz.

    Examples
    --------
    >>> found = coding_sessions()
    >>> round(float(found.reusable_tokens.sum() / found.input_tokens.sum()), 3)
    0.963
    """
    path = data_dir() / "traces" / "claude_code_sessions.csv.gz"
    found = path.stat()
    return _recorded(path, (found.st_mtime_ns, found.st_size, found.st_ino))


@of_arguments(1)
def _recorded(path: Path, state: tuple[int, ...]) -> Sessions:
    """Sessions of a file in the state that it is in."""
    frame = pd.read_csv(path)
    first = ~frame.duplicated("session").to_numpy()
    return Sessions(
        frame["input_tokens"].to_numpy(dtype=float),
        np.maximum(frame["output_tokens"].to_numpy(dtype=float), 1.0),
        frame["cached_unlimited"].to_numpy(dtype=float),
        frame["think_s"].fillna(0.0).to_numpy(dtype=float),
        first,
    )


@dataclass(frozen=True)
class FanOut:
    """Sub-agents that a turn calls in a burst: each takes over a prefix and sends one request; the session waits for all.

    A share of turns, chosen evenly, calls ``helpers``; each has ``prefix`` of the caller's context and ``own_tokens`` more.
    """

    chance: float
    helpers: int
    prefix: float
    own_tokens: float
    output_tokens: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.chance <= 1.0 and 0.0 <= self.prefix <= 1.0 and self.helpers >= 1):
            raise InputError("a fan-out needs a chance and a prefix from 0 to 1 and one helper or more")

    @property
    def requests(self) -> float:
        """Requests of sub-agents for each turn of a session.

        Examples
        --------
        >>> FanOut(chance=0.08, helpers=4, prefix=0.5, own_tokens=2000.0, output_tokens=500.0).requests
        0.32
        """
        return self.chance * self.helpers


NOBODY: Final = FanOut(0.0, 1, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class _Touches:
    """How soon the turns of a session touch its context again, sorted, and what they leave behind.

    Between two turns lie the service of the first, as long as its output, and the wait for the second. Of a context the
    part that the next turn reuses is touched again; the rest, and what sub-agents hold of their own, never is.
    """

    apart_s: FloatArray  # from turn to turn, rising
    reused: FloatArray  # tokens touched again then
    passed_s: FloatArray  # running sums over turns: of the time between them,
    reused_s: FloatArray  # of reused tokens by it,
    reused_sum: FloatArray  # of reused tokens,
    squares_s: FloatArray  # of squared contexts by the time, and
    squares_sum: FloatArray  # of squared contexts
    left: float  # tokens never touched again
    idle_s: FloatArray  # waits of the turns, in the same order

    @classmethod
    def of(cls, sessions: Sessions, service_s: float, fan: FanOut) -> _Touches:
        last = np.append(sessions.first[1:], True)
        held = sessions.input_tokens + sessions.output_tokens
        reused = np.minimum(np.where(last, 0.0, np.append(sessions.reusable_tokens[1:], 0.0)), held)
        idle = np.where(last, 0.0, np.append(sessions.wait_s[1:], 0.0))
        served = service_s * (sessions.output_tokens / sessions.output_tokens.mean() + fan.chance)
        order = np.argsort(idle + served, kind="stable")
        apart, again, squares = (idle + served)[order], reused[order], (held**2)[order]
        passed, reused_s, reused_sum, squares_s, squares_sum = (
            np.append(0.0, np.cumsum(x)) for x in (apart, again * apart, again, squares * apart, squares)
        )
        own = fan.requests * (fan.own_tokens + fan.output_tokens) * len(held)
        left = float((held - reused).sum()) + own
        return cls(apart, again, passed, reused_s, reused_sum, squares_s, squares_sum, left, idle[order])

    def within(self, time_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the tokens that one session touches within a time."""
        at = np.searchsorted(self.apart_s, time_s, side="right")
        cycle = self.passed_s[-1]
        mean = self.reused_s[at] + time_s * (self.reused_sum[-1] - self.reused_sum[at] + self.left)
        square = self.squares_s[at] + time_s * (self.squares_sum[-1] - self.squares_sum[at])
        return mean / cycle, np.maximum(square / cycle - (mean / cycle) ** 2, 0.0)

    def grouped(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Turns alike in time and in what they reuse as one: time apart, wait, reused tokens, how many."""
        some = np.flatnonzero(self.reused > 0)
        time = np.floor(GROUPS_PER_OCTAVE * np.log2(np.maximum(self.apart_s[some], 1e-3)))
        size = np.floor(GROUPS_PER_OCTAVE * np.log2(self.reused[some]))
        _, group, count = np.unique(time * 1e4 + size, return_inverse=True, return_counts=True)
        apart, idle, reused = (
            np.bincount(group, weights=x[some]) / count for x in (self.apart_s, self.idle_s, self.reused)
        )
        return apart, idle, reused, count.astype(np.float64)


def _excess(room: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Mean of what a room exceeds a gamma-distributed sum by, zero where it does not."""
    from scipy.special import gammainc

    scale = np.maximum(variance / mean, mean * 1e-9)
    shape, ratio = mean / scale, np.maximum(room, 0.0) / scale
    return np.asarray(np.maximum(room, 0.0) * gammainc(shape, ratio) - mean * gammainc(shape + 1.0, ratio))


@dataclass(frozen=True)
class SessionHit:
    """Share of input tokens found, by tier, and the time within which a tier turns over [s]."""

    hit: float
    by_tier: tuple[float, ...]
    turnover_s: tuple[float, ...]
    live_tokens: float  # contexts of the live sessions


def session_hit(
    sessions: Sessions,
    live: float,
    room_tokens: Sequence[float],
    service_s: float,
    ttl_s: float = float("inf"),
    fan: FanOut = NOBODY,
) -> SessionHit:
    """Prefix-cache hit of live sessions on one replica.

    Parameters
    ----------
    sessions : Sessions
        Turns, waits and contexts.
    live : float
        Sessions alive at once on the replica.
    room_tokens : sequence of float
        Room for cached tokens in each tier, the fastest first.
    service_s : float
        Mean time that a turn is served [s].
    ttl_s : float
        Time to live of a cached context [s].
    fan : FanOut
        Sub-agents that turns call; they run while the session waits, and find what they share with it.

    Returns
    -------
    SessionHit
        0 to the share an unlimited cache would find; less room, more sessions or longer waits give less.

    Notes
    -----
    What the other sessions touch between two turns of one is a sum over few, so it spreads: it is taken as gamma-distributed
    with its mean and variance, :math:`S`. The last touched block of a request is the first of its prefix, so a prefix of
    :math:`g` tokens is found in part, :math:`E[\\min((R - S)^+, g)]` of it in a room of :math:`R`. With many sessions this
    is the characteristic time of Che et al. (2002).

    Examples
    --------
    >>> few, many = (session_hit(coding_sessions(), n, [5e6], 10.0).hit for n in (16, 64))
    >>> few > many
    True
    """
    if live <= 0 or service_s <= 0:
        raise InputError("sessions need one alive and a time of service above 0")
    shared = fan.requests * fan.prefix * float(sessions.input_tokens.sum())
    total = float(sessions.input_tokens.sum()) + shared + fan.requests * fan.own_tokens * len(sessions.input_tokens)
    touches = _Touches.of(sessions, service_s, fan)
    apart, idle, reused, count = touches.grouped()
    mean, variance = (max(live - 1.0, 0.0) * x for x in touches.within(apart))
    mean = np.maximum(mean, 1.0)
    rooms = np.cumsum(np.asarray(room_tokens, dtype=float))
    # A session's own sub-agents come between its turns
    free = rooms[:, None] - fan.requests * (fan.own_tokens + fan.output_tokens)
    found = _excess(free, mean, variance) - _excess(free - reused, mean, variance)
    kept = np.where(idle <= ttl_s, np.minimum(found, reused), 0.0) @ count
    # Sub-agents find what their caller has just touched, as far as one context has room
    context = float(sessions.input_tokens.mean())
    hits = np.maximum.accumulate((kept + shared * np.clip(rooms / context, 0.0, 1.0)) / total)
    turnover = _turnover(touches, live, rooms)
    live_tokens = live * float((sessions.input_tokens + sessions.output_tokens).mean())
    return SessionHit(
        float(hits[-1]),
        tuple(np.diff(hits, prepend=0.0).tolist()),
        tuple(np.minimum(turnover, ttl_s).tolist()),
        live_tokens,
    )


def _turnover(touches: _Touches, live: float, rooms: FloatArray) -> FloatArray:
    """Time within which the live sessions touch as much as each room holds [s]."""
    low, high = np.zeros(len(rooms)), np.full(len(rooms), LONGEST_S)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        under = live * touches.within(middle)[0] <= rooms
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return low
