"""What the load model is held against: what a replica can do at most, sessions as requests to replay, a replayed cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rackecon.load.prefix_store import CacheTier, PrefixStore
from rackecon.load.replay import Fleet, replay
from rackecon.load.requests import Requests
from rackecon.load.sessions import NOBODY, FanOut, Sessions
from rackecon.load.step_times import StepTimes

SATURATED = (0.1, 0.9)
"""Ends between which a replica that all wait for is taken to be full, in shares of the requests."""


def sped(sent: Requests, speed: float) -> Requests:
    """The same arriving ``speed`` times as fast."""
    return replace(sent, arrival_s=sent.arrival_s / speed)


def saturated_rps(requests: Requests, times: StepTimes) -> float:
    """Requests a second that one replica ends when all wait from the start, between the first and last tenth."""
    all_at_once = Requests(np.zeros(len(requests)), requests.input_tokens, requests.output_tokens)
    end = np.sort(replay(all_at_once, Fleet(times=times)).end_s)
    low, high = (int(share * len(end)) for share in SATURATED)
    return float((high - low) / (end[high] - end[low]))


def session_requests(
    sessions: Sessions, live: int, turns: int, fan: FanOut = NOBODY, *, block_tokens: int = 512, seed: int = 0
) -> Requests:
    """Live sessions as requests to replay: each turn after the one before, its wait and the sub-agents it called.

    Parameters
    ----------
    sessions : Sessions
        Turns; each live session repeats recorded ones, from a turn drawn at random on.
    live, turns : int
        Sessions at once; turns of each.
    fan : FanOut
        Sub-agents; none by default.
    block_tokens : int
        Tokens of a block of the prefix cache.
    seed : int
        Of the draws.

    Returns
    -------
    Requests
        With ``blocks``: a turn's context begins with that of the turn before where the record reused it, a sub-agent's
        with a part of its caller's.
    """
    draw = np.random.default_rng(seed)
    starts = np.flatnonzero(sessions.first)
    ends = np.append(starts[1:], len(sessions.first))
    rows: list[tuple[int, float, list[int], float, int, float]] = []  # session, out, blocks, input, previous, wait
    joins: dict[int, list[int]] = {}
    fresh = 0
    for one in range(live):
        which = int(draw.integers(len(starts)))
        at, before, context = int(draw.integers(starts[which], ends[which])), -1, list[int]()
        called: list[int] = []
        for _ in range(turns):
            if at >= ends[which]:
                which = int(draw.integers(len(starts)))
                at, context = int(starts[which]), []
            tokens = float(sessions.input_tokens[at])
            size = max(int(tokens // block_tokens), 1)
            kept = context[: min(int(sessions.reusable_tokens[at] // block_tokens), size)]
            context = kept + list(range(fresh, fresh + size - len(kept)))
            fresh += size - len(kept)
            turn = len(rows)
            rows.append((one, float(sessions.output_tokens[at]), context, tokens, before, float(sessions.wait_s[at])))
            if called:
                joins[turn] = called
            called = []
            if draw.random() < fan.chance:
                for _ in range(fan.helpers):
                    own = max(int(fan.own_tokens // block_tokens), 1)
                    shared = context[: int(fan.prefix * len(context))]
                    called.append(len(rows))
                    given = fan.prefix * tokens + fan.own_tokens
                    rows.append((one, fan.output_tokens, shared + list(range(fresh, fresh + own)), given, turn, 0.0))
                    fresh += own
            before, at = turn, at + 1
    session, outputs, blocks, inputs, previous, waits = zip(*rows, strict=True)
    return Requests(
        np.zeros(len(rows)),
        np.round(np.array(inputs)).astype(np.int64),
        np.maximum(np.round(np.array(outputs)), 1.0).astype(np.int64),
        np.array(session),
        blocks,
        block_tokens,
        np.array(previous),
        np.array(waits),
        joins,
    )


def replayed_hits(
    blocks: Sequence[Sequence[int]], room_blocks: float, block_tokens: int, input_tokens: Sequence[int]
) -> float:
    """Share of input tokens that one least-recently-used cache holds, by replay of a trace.

    Parameters
    ----------
    blocks : sequence of sequences of int
        Ids of each request's blocks.
    room_blocks : float
        Size of the cache.
    block_tokens : int
        Tokens of a block.
    input_tokens : sequence of int
        Of each request; a last block that is not full counts the tokens it has.
    """
    store = PrefixStore([CacheTier("one", room_blocks)])
    cached = sum(
        min(store.take(ids, 0.0)[0] * block_tokens, tokens) for ids, tokens in zip(blocks, input_tokens, strict=True)
    )
    return cached / sum(input_tokens)
