"""Sessions and the prefix-cache hit that follows from them.

A cached block is found again if it is reused sooner than the cache turns over. How soon that is, the characteristic time
:math:`T`, solves *what was touched within T fills the room* (Denning's working set, 1968; Che et al. 2002): nothing is
replayed, and cold starts, growth of contexts and tiers follow from the distribution of times between turns alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import data_dir
from rackecon.errors import InputError

__all__ = ["ReuseCurve", "SessionHit", "Sessions", "coding_sessions", "session_hit"]

FloatArray = NDArray[np.float64]
BISECTIONS: Final = 60
LONGEST_S: Final = 1e7


@dataclass(frozen=True)
class ReuseCurve:
    """Hit of a least-recently-used cache by its size, from the reuse times of a trace's blocks."""

    room_blocks: FloatArray  # size that turns over within each reuse time
    hit: FloatArray  # share of input tokens found within it

    @classmethod
    def of(cls, blocks: Sequence[Sequence[int]], input_tokens: NDArray[np.int64], block_tokens: int) -> ReuseCurve:
        """Of the blocks of requests in order of arrival.

        Parameters
        ----------
        blocks : sequence of sequences of int
            Ids of each request's blocks.
        input_tokens : ndarray
            Of each request.
        block_tokens : int
            Tokens of a block; the last of a request holds what is left.

        Notes
        -----
        With :math:`m(t)` the share of accesses not reused within t, the mean working set is
        :math:`s(T) = \\sum_{t<T} m(t)`; a cache of s(T) blocks hits what is reused within T.
        """
        counts = np.array([len(ids) for ids in blocks])
        flat = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in blocks])
        n = len(flat)
        order = np.argsort(flat, kind="stable")
        again = flat[order][1:] == flat[order][:-1]
        reuse = np.full(n, n + 1)
        reuse[order[1:][again]] = order[1:][again] - order[:-1][again]
        tokens = np.full(n, float(block_tokens))
        tokens[np.cumsum(counts)[counts > 0] - 1] = (input_tokens - block_tokens * (counts - 1))[counts > 0]
        within = np.cumsum(np.bincount(reuse, minlength=n + 2)[: n + 1]) / n
        found = np.cumsum(np.bincount(reuse, weights=tokens, minlength=n + 2)[: n + 1]) / tokens.sum()
        room = np.concatenate([[0.0], np.cumsum(1.0 - within)[:-1]])
        return cls(room, found)

    def at(self, room_blocks: FloatArray | float) -> FloatArray:
        """Share of input tokens found in a cache of so many blocks."""
        return np.asarray(np.interp(room_blocks, self.room_blocks, self.hit))


@dataclass(frozen=True)
class Sessions:
    """Turns of sessions, one row each, as seen by a server that serves many of them at a time."""

    input_tokens: FloatArray
    output_tokens: FloatArray
    reusable_tokens: FloatArray  # leading tokens that an earlier turn of the session has had
    wait_s: FloatArray  # from the end of the turn before: think time or tool
    first: NDArray[np.bool_]  # first turn of a session

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
    import pandas as pd

    frame = pd.read_csv(data_dir() / "traces" / "claude_code_sessions.csv.gz")
    first = ~frame.duplicated("session").to_numpy()
    return Sessions(
        frame["input_tokens"].to_numpy(dtype=float),
        np.maximum(frame["output_tokens"].to_numpy(dtype=float), 1.0),
        frame["cached_unlimited"].to_numpy(dtype=float),
        frame["think_s"].fillna(0.0).to_numpy(dtype=float),
        first,
    )


@dataclass(frozen=True)
class _Waits:
    """Later turns grouped by their wait: sums of contexts and reusable tokens at each, and counts."""

    wait_s: FloatArray
    turns: FloatArray
    contexts: FloatArray
    reusable: FloatArray
    ended: float  # sessions for each later turn

    @classmethod
    def of(cls, sessions: Sessions) -> _Waits:
        later = ~sessions.first
        waits, group = np.unique(sessions.wait_s[later], return_inverse=True)
        held = (sessions.input_tokens + sessions.output_tokens)[later]
        count, contexts, again = (
            np.bincount(group, weights=x).astype(np.float64)
            for x in (np.ones(len(group)), held, sessions.reusable_tokens[later])
        )
        return cls(waits, count, contexts, again, float(sessions.first.sum() / max(later.sum(), 1)))

    def held_tokens(self, live: float, service_s: float, within_s: float) -> float:
        """Tokens touched within a time: contexts of live sessions until due again, and of sessions that ended."""
        cycle = float((self.turns * (self.wait_s + service_s)).sum())
        held = float((self.contexts * (np.minimum(self.wait_s, within_s) + service_s)).sum())
        # A session that ends leaves its context behind for as long as the cache takes to turn over
        left = self.ended * float(self.contexts.sum()) * within_s
        return live * (held + left) / cycle


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

    Returns
    -------
    SessionHit
        0 to the share an unlimited cache would find; less room, more sessions or longer waits give less.

    Examples
    --------
    >>> few, many = (session_hit(coding_sessions(), n, [5e6], 10.0).hit for n in (16, 64))
    >>> few > many
    True
    """
    if live <= 0 or service_s <= 0:
        raise InputError("sessions need one alive and a time of service above 0")
    total = float(sessions.input_tokens.sum())
    turnover, hits, room, before = [], [], 0.0, 0.0
    waits = _Waits.of(sessions)
    for tier in room_tokens:
        room += tier
        low, high = 0.0, LONGEST_S
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if waits.held_tokens(live, service_s, middle) <= room else (low, middle)
        # Too small for the turns under way: a share of them finds nothing
        fitting = min(room / max(waits.held_tokens(live, service_s, 0.0), 1.0), 1.0)
        within = min(low, ttl_s)
        found = fitting * float(waits.reusable[waits.wait_s <= within].sum()) / total
        turnover.append(within)
        hits.append(max(found - before, 0.0))
        before = max(found, before)
    live_tokens = live * float((sessions.input_tokens + sessions.output_tokens).mean())
    return SessionHit(before, tuple(hits), tuple(turnover), live_tokens)
