"""Derived cache hits against replays, published figures and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replayed import session_requests

from rackecon.errors import InputError
from rackecon.load.prefix_store import CacheTier, PrefixStore
from rackecon.load.replay import Fleet, replay
from rackecon.load.requests import Requests
from rackecon.load.sessions import NOBODY, FanOut, Sessions, coding_sessions, session_hit
from rackecon.load.step_times import StepTimes

SESSIONS = coding_sessions()
BURST = FanOut(chance=0.08, helpers=4, prefix=0.5, own_tokens=4000.0, output_tokens=400.0)
FAST = StepTimes.linear((10, 0.002), (15, 0.3, 0.0), 64)


@pytest.mark.parametrize(("room", "known"), [(5e6, 0.9496), (1e7, 0.9590), (2e7, 0.9596)])
def test_thirty_two_coding_sessions_hit_what_an_independent_replay_found(room, known):
    """A constructed timeline of the same sessions, 32 open on average, one shared cache: room from 5M tokens up."""
    served = 10.0
    assert session_hit(SESSIONS, 32, [room], served).hit == pytest.approx(known, abs=0.03)


def test_a_time_to_live_costs_what_the_trace_says():
    """Unlimited room: 79, 92 and 96 % at 60, 300 and 3600 s from arrival to arrival."""
    for ttl, known in ((60.0, 0.788), (300.0, 0.916), (3600.0, 0.960)):
        assert session_hit(SESSIONS, 10, [1e12], 1.0, ttl).hit == pytest.approx(known, abs=0.03)


def test_tiers_add_up_and_the_first_takes_the_shortest_waits():
    one = session_hit(SESSIONS, 64, [2e7], 10.0)
    two = session_hit(SESSIONS, 64, [5e6, 1.5e7], 10.0)
    assert two.hit == pytest.approx(one.hit)
    assert sum(two.by_tier) == pytest.approx(two.hit)
    assert two.turnover_s[0] < two.turnover_s[1]


@settings(max_examples=25, deadline=None)
@given(st.floats(1, 200), st.floats(1e5, 1e8), st.floats(1.05, 4.0))
def test_more_room_helps_and_more_sessions_hurt(live, room, more):
    base = session_hit(SESSIONS, live, [room], 10.0).hit
    assert session_hit(SESSIONS, live, [room * more], 10.0).hit >= base - 1e-9
    assert session_hit(SESSIONS, live * more, [room], 10.0).hit <= base + 1e-9
    assert 0.0 <= base <= SESSIONS.reusable_tokens.sum() / SESSIONS.input_tokens.sum() + 1e-9


def test_one_context_that_fits_is_always_found():
    sure = Sessions(np.full(10, 1000.0), np.full(10, 10.0), np.full(10, 900.0), np.full(10, 5.0), np.arange(10) == 0)
    assert session_hit(sure, 1, [1e9], 1.0).hit == pytest.approx(0.9 * 0.9)
    assert session_hit(sure, 100, [1010.0], 1.0).hit < 0.1


def test_nobody_alive_is_refused():
    with pytest.raises(InputError, match="one alive"):
        session_hit(SESSIONS, 0, [1.0], 1.0)


def test_a_turn_waits_for_every_sub_agent_it_called():
    """By hand: a turn of 20 ms, two sub-agents one after the other of 20 ms each, then the next turn."""
    times = StepTimes.linear((10, 0.1), (15, 0.0, 0.0), 1)
    one = np.ones(4, dtype=np.int64)
    calls = Requests(
        np.zeros(4), 100 * one, one, previous=np.array([-1, 0, 0, 0]), think_s=np.zeros(4), joins={3: [1, 2]}
    )
    found = replay(calls, Fleet(times=times))
    assert found.end_s.round(3).tolist() == [0.02, 0.04, 0.06, 0.08]
    alone = Requests(np.zeros(4), 100 * one, one, previous=np.array([-1, 0, 0, 0]), think_s=np.zeros(4))
    assert sorted(replay(alone, Fleet(times=times)).arrival_s.round(3)) == [0.0, 0.02, 0.02, 0.02]


def test_sub_agents_begin_with_a_part_of_their_callers_context():
    sent = session_requests(SESSIONS.capped(60.0), 4, 30, BURST, seed=3)
    helpers = [i for who in sent.joins.values() for i in who]
    assert helpers
    assert len(helpers) % BURST.helpers == 0
    for i in helpers:
        caller = int(sent.previous[i])
        assert sent.session[i] == sent.session[caller]
        shared = sum(a == b for a, b in zip(sent.blocks[i], sent.blocks[caller], strict=False))
        assert shared == int(BURST.prefix * len(sent.blocks[caller]))


def _sent(requests: Requests) -> Sessions:
    """The turns of live sessions as they were sent: what the closed form is told of a replay."""
    helper = np.zeros(len(requests), dtype=bool)
    helper[[i for who in requests.joins.values() for i in who]] = True
    first = (requests.previous < 0)[~helper]
    again = np.zeros(len(requests))
    before: dict[int, list[int]] = {}
    for i in np.flatnonzero(~helper):
        now, then = requests.blocks[i], before.get(int(requests.session[i]), [])
        unlike = [at for at, (a, b) in enumerate(zip(now, then, strict=False)) if a != b]
        again[i] = requests.block_tokens * (unlike[0] if unlike else min(len(now), len(then)))
        before[int(requests.session[i])] = now
    own = np.argsort(requests.session[~helper], kind="stable")
    columns = (requests.input_tokens, requests.output_tokens, again, requests.think_s)
    return Sessions(*(np.asarray(x, dtype=float)[~helper][own] for x in columns), first[own])


def _replayed_directly(requests: Requests, served_s: float, rooms: list[float]) -> list[float]:
    """Hits of one least-recently-used cache where a turn is served for as long as its output, nobody in its way."""
    begin, end = np.zeros(len(requests)), np.zeros(len(requests))
    for i, before in enumerate(requests.previous):
        after = [end[j] for j in (before, *requests.joins.get(i, ())) if j >= 0]
        begin[i] = max(after, default=0.0) + (requests.think_s[i] if before >= 0 else 0.0)
        end[i] = begin[i] + served_s * requests.output_tokens[i]
    span = min(end[requests.session == one].max() for one in np.unique(requests.session))
    order = np.argsort(begin, kind="stable")
    order = order[begin[order] < span]
    counted = (requests.previous[order] >= 0) & (begin[order] > 0.1 * span)  # the cache is warm by then
    out = []
    for room in rooms:
        store = PrefixStore([CacheTier("HBM", room / requests.block_tokens)])
        found = [store.take(requests.blocks[i], 0.0)[0] * requests.block_tokens for i in order]
        hit = np.minimum(found, requests.input_tokens[order])[counted]
        out.append(float(hit.sum() / requests.input_tokens[order][counted].sum()))
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("live", "turns", "fan", "rooms"),
    [(8, 1000, NOBODY, [1.5e5, 3e5, 6e5]), (24, 600, BURST, [3e5, 1e6, 2e6, 6e6])],
)
def test_small_caches_and_few_sessions_hit_what_a_direct_replay_finds(live, turns, fan, rooms):
    """Within three points, from room for one context in twenty to room for all."""
    seen = SESSIONS.capped(120.0)
    requests = session_requests(seen, live, turns, fan, block_tokens=2048, seed=1)
    known, token_s = _sent(requests), 8.0 / seen.output_tokens.mean()
    for room, direct in zip(rooms, _replayed_directly(requests, token_s, rooms), strict=True):
        found = session_hit(known, live, [room], token_s * float(known.output_tokens.mean()), fan=fan).hit
        assert found == pytest.approx(direct, abs=0.03), room


def test_many_sessions_share_a_cache_as_one_turnover_time_says():
    """The limit of Che et al.: what is reused within the time in which the room is touched is found."""
    even = Sessions(*(np.full(400, x) for x in (1000.0, 10.0, 900.0)), np.tile([5.0, 50.0], 200), np.arange(400) == 0)
    # 1e4 sessions touch 1010 (10 + 0.2 T)-ish tokens; room for all that waits 5 s and not for those that wait 50 s
    found = session_hit(even, 1e4, [0.45 * 1e4 * 1010.0], 1.0)
    assert found.hit == pytest.approx(0.45, abs=0.01)
    assert 6.0 < found.turnover_s[0] < 51.0


@pytest.mark.parametrize("room", [6e6, 2e7])
def test_the_hit_with_bursts_of_sub_agents_is_within_three_points_of_a_replay(room):
    seen = SESSIONS.capped(120.0)
    for fan in (FanOut(0.0, 1, 0.0, 0.0, 0.0), BURST):
        sent = session_requests(seen, 24, 60, fan, seed=1)
        found = replay(sent, Fleet(times=FAST, tiers=[CacheTier("HBM", room / 512)]))
        served = float((found.end_s - found.arrival_s).mean())
        later = sent.previous >= 0  # the replay begins in the middle of recorded sessions
        hit = found.hit_tokens[later].sum() / found.input_tokens[later].sum()
        assert hit == pytest.approx(session_hit(seen, 24, [room], served, fan=fan).hit, abs=0.03)


def test_live_sessions_are_those_in_flight_and_those_that_wait():
    """N (1 + s) = C + X z, the law that agents on a platform are solved by, against a replay."""
    sent = session_requests(SESSIONS.capped(60.0), 12, 80, BURST, seed=5)
    found = replay(sent, Fleet(times=FAST))
    helper = np.zeros(len(sent), dtype=bool)
    helper[[i for who in sent.joins.values() for i in who]] = True
    span = min(found.end_s[sent.session == one].max() for one in range(12))  # until the first session is done
    middle = found.arrival_s < span
    flying = float((found.end_s - found.arrival_s)[middle].sum()) / span
    rate, wait = float(middle.sum()) / span, float(sent.think_s[middle & ~helper].mean())
    extra = float(helper[middle].sum() / (~helper[middle]).sum())
    assert 12 * (1.0 + extra) == pytest.approx(flying + rate * wait, rel=0.15)


def test_sub_agents_take_room_and_share_what_they_can():
    tight, wide = 3e6, 1e8
    assert (
        session_hit(SESSIONS, 32, [tight], 10.0, fan=BURST).hit < session_hit(SESSIONS, 32, [wide], 10.0, fan=BURST).hit
    )
    whole = FanOut(0.08, 4, 1.0, 1.0, 1.0)
    assert session_hit(SESSIONS, 32, [wide], 10.0, fan=whole).hit > session_hit(SESSIONS, 32, [wide], 10.0).hit
    with pytest.raises(InputError, match="fan-out"):
        FanOut(1.5, 1, 0.0, 0.0, 0.0)
