"""The replay against an independent simulator, queues with exact answers, and laws that hold for any requests."""

from __future__ import annotations

import csv
import functools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replayed import replayed_hits, saturated_rps, sped
from thorough import part

from rackecon.errors import InputError
from rackecon.load.demand import demand
from rackecon.load.prefix_store import CacheTier, PrefixStore
from rackecon.load.queueing import erlang_c
from rackecon.load.replay import ROUTINGS, Fleet, max_load, replay
from rackecon.load.requests import Requests, load_trace, steady
from rackecon.load.sold_share import Policy, sold_share
from rackecon.load.step_times import StepTimes

REFERENCES = Path(__file__).parent / "references"
# The engines that the references were made with, printed beside them
ENGINES = {
    "E1": StepTimes.linear((10, 0.10), (15, 0.30, 0.0002), 32),
    "E2": StepTimes.linear((10, 0.05), (12, 0.15, 0.0001), 64),
}
trace = functools.cache(load_trace)
saturated = functools.cache(lambda name, engine: saturated_rps(trace(name), ENGINES[engine]))


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((REFERENCES / f"{name}.csv").read_text().splitlines()))


REPLAYS = [row for row in rows("des_reference") if row["engine"] in ENGINES and row["slice"] != "tiny_3_requests"]
SOON = [row for row in REPLAYS if row["servers"] in ("1", "3", "16") and float(row["load"]) < 1.0]


def exact_speed(row: dict[str, str]) -> float:
    """Six printed digits of speed move a chaotic queue by per cents: the load gives the rest."""
    if row["speed"] == "1.0":
        return 1.0
    sent = trace(row["slice"])
    rate = len(sent) / float(sent.arrival_s[-1] - sent.arrival_s[0])
    return float(row["load"]) * int(row["servers"]) * saturated(row["slice"], row["engine"]) / rate


def check(row: dict[str, str]) -> None:
    found = replay(
        sped(trace(row["slice"]), exact_speed(row)), Fleet(times=ENGINES[row["engine"]], replicas=int(row["servers"]))
    )
    ttft, tpot, kept = found.ttft(), found.tpot(), found.within(2.0, 0.05)
    expected = {
        "ttft_mean_s": ttft.mean,
        "ttft_p50_s": ttft.p50,
        "ttft_p90_s": ttft.p90,
        "ttft_p99_s": ttft.p99,
        "tpot_mean_ms": tpot.mean * 1e3,
        "tpot_p99_ms": tpot.p99 * 1e3,
        "e2e_p99_s": float(np.percentile(found.end_s - found.arrival_s, 99)),
        "att_ttft2s_and_tpot50ms": float(kept.mean()),
        "goodput_out_tok_s": float(found.output_tokens[kept].sum() / np.ptp(found.arrival_s)),
        "busy_fraction": found.busy,
        "makespan_s": found.makespan_s,
    }
    # 2 % on means and 5 % on P99 are promised; the same rules give the same numbers, so 0.1 % is asked
    for column, value in expected.items():
        assert value == pytest.approx(float(row[column]), rel=1e-3), (row["slice"], row["servers"], column)


@pytest.mark.parametrize("row", SOON, ids=lambda r: f"{r['slice']}-{r['servers']}-{float(r['load']):.2f}")
def test_the_independent_simulator_agrees(row):
    check(row)


@pytest.mark.slow
def test_the_independent_simulator_agrees_everywhere():
    assert (len(REPLAYS), len(SOON)) == (28, 8)
    for row in REPLAYS:
        if row not in SOON:
            check(row)


@pytest.mark.slow
def test_the_load_at_which_latency_breaks_is_the_references():
    found = [row for row in rows("des_max_load") if (row["arrivals"], row["share_of_requests"]) == ("trace", "0.99")]
    picked = [row for row in found if row["servers"] in ("1", "4")]
    assert len(picked) == 24
    for row in part(picked, 3):
        name, engine, servers = row["slice"], row["engine"], int(row["servers"])
        sent, (ttft, tpot) = trace(name), re.match(r"ttft(\d+)(?:_tpot(\d+))?", row["target"]).groups()
        limits = float(ttft), float(tpot) / 1e3 if tpot else math.inf
        rate = len(sent) / float(sent.arrival_s[-1] - sent.arrival_s[0])

        def attained(load: float) -> float:
            speed = load * servers * saturated(name, engine) / rate  # noqa: B023
            return replay(sped(sent, speed), Fleet(times=ENGINES[engine], replicas=servers)).within(*limits).mean()  # noqa: B023

        # known to 0.005; attainment wiggles by as much as a step of load crosses a burst
        edge = float(row["max_load"])
        assert attained(edge - 0.015) >= 0.99, row
        assert attained(edge + 0.015) < 0.99, row


@pytest.mark.parametrize(("load", "cv2"), [(0.5, 0.0), (0.7, 0.0), (0.5, 1.0)])
def test_one_server_is_pollaczek_and_khinchine(load, cv2):
    """M/D/1 and M/M/1: wait = load/(1-load) x (1+cv²)/2 services of 0.1 s."""
    count, draw = 200_000, np.random.default_rng(5)
    gaps = draw.exponential(0.1 / load, count)
    tokens = np.full(count, 100_000) if cv2 == 0 else np.maximum(draw.exponential(100_000, count).astype(np.int64), 1)
    sent = Requests(np.cumsum(gaps), tokens, np.ones(count, dtype=np.int64))
    found = replay(sent, Fleet(times=StepTimes.linear((0.0, 0.001), (1.0, 0.0, 0.0), 1)))
    exact = 0.1 * (1 + load / (1 - load) * (1 + cv2) / 2)
    assert found.ttft().mean == pytest.approx(exact, rel=0.02)
    if cv2:
        assert found.ttft().p99 == pytest.approx(0.1 / (1 - load) * math.log(100), rel=0.05)


def test_one_server_follows_lindley():
    """Each wait is the wait before, plus its service, less the gap, not below 0."""
    draw = np.random.default_rng(7)
    gaps, tokens = draw.exponential(0.11, 3000), draw.integers(1, 200_000, 3000)
    sent = Requests(np.cumsum(gaps), tokens, np.ones(3000, dtype=np.int64))
    found = replay(sent, Fleet(times=StepTimes.linear((0.0, 0.001), (1.0, 0.0, 0.0), 1)))
    wait, waits = 0.0, []
    for gap, service in zip(np.append(gaps[1:], 0.0), tokens * 1e-6, strict=True):
        waits.append(wait + service)
        wait = max(wait + service - gap, 0.0)
    assert found.ttft_s == pytest.approx(waits, abs=1e-9)


def test_a_pool_of_prompt_servers_is_erlang():
    """M/M/k: the mean wait is Erlang's C over k (1-load) services."""
    count, k, load, draw = 100_000, 4, 0.8, np.random.default_rng(6)
    sent = Requests(
        np.cumsum(draw.exponential(0.1 / (k * load), count)),
        np.maximum(draw.exponential(100_000, count).astype(np.int64), 1),
        np.ones(count, dtype=np.int64),
    )
    times = StepTimes(np.full(2, 1.0), np.zeros(2), (0.0, 1e-6, 0.0), prefill_workers=k)
    found = replay(sent, Fleet(times=times))
    assert found.ttft().mean == pytest.approx(0.1 * (1 + erlang_c(k, k * load) / (k * (1 - load))), rel=0.02)


requests = st.lists(st.tuples(st.floats(0.0, 0.5), st.integers(1, 3000), st.integers(1, 200)), min_size=1, max_size=60)


def made(drawn: list[tuple[float, int, int]]) -> Requests:
    gaps, inputs, outputs = zip(*drawn, strict=True)
    return Requests(np.cumsum(gaps), np.array(inputs), np.array(outputs))


@settings(max_examples=60, deadline=None)
@given(
    requests,
    st.integers(1, 3),
    st.sampled_from([r for r in ROUTINGS if r not in ("session", "prefix")]),
    st.sampled_from([0.0, 512.0]),
)
def test_every_request_ends_once_and_twice_the_same(drawn, replicas, routing, chunk):
    sent = made(drawn)
    times = StepTimes.linear((10, 0.1), (15, 0.3, 0.0002), 4, chunk_tokens=chunk, kv_tokens=6000.0)
    fleet = Fleet(times=times, replicas=replicas, routing=routing, seed=3)
    found = replay(sent, fleet)
    assert np.all(found.first_s > found.arrival_s)
    assert np.all((found.end_s > found.first_s) == (sent.output_tokens > 1))
    assert found.busy <= 1.0 + 1e-9
    again = replay(sent, fleet)
    assert np.array_equal(found.end_s, again.end_s)
    # No request is faster than alone on an empty replica
    alone = times.prefill(sent.input_tokens) if chunk == 0.0 else 0.0
    assert np.all(found.ttft_s >= alone - 1e-9)
    assert np.all(found.tpot_s[sent.output_tokens > 1] >= 0.015)


@settings(max_examples=30, deadline=None)
@given(requests, st.floats(1.1, 5.0))
def test_arriving_sooner_never_waits_less(drawn, speed):
    """One server, one request at a time: faster arrivals can only queue longer."""
    sent = made(drawn)
    fleet = Fleet(times=StepTimes.linear((10, 0.1), (15, 0.3, 0.0002), 1))
    slow, fast = replay(sent, fleet), replay(sped(sent, speed), fleet)
    assert np.all(fast.ttft_s >= slow.ttft_s - 1e-9)


def test_a_step_at_a_time_gives_what_skipping_gives():
    """The closed form over many steps against adding them up, prompts cut in: three requests by hand."""
    times = StepTimes.linear((10, 0.1), (15, 0.3, 0.01), 8)
    sent = Requests(np.array([0.0, 0.1, 0.1003]), np.array([100, 200, 50]), np.array([40, 30, 20]))
    clock, active, queue = 0.0, {}, [0, 1, 2]
    first, end = {}, {}
    while queue or active:
        if queue and sent.arrival_s[queue[0]] <= clock:
            r = queue.pop(0)
            clock += 0.010 + 0.0001 * sent.input_tokens[r]
            first[r], active[r] = clock, 1
            continue
        held = sum(int(sent.input_tokens[r]) + e for r, e in active.items())
        clock += (15 + 0.3 * len(active) + 0.01 * held) / 1e3
        for r in list(active):
            active[r] += 1
            if active[r] == sent.output_tokens[r]:
                end[r] = clock
                del active[r]
    found = replay(sent, Fleet(times=times))
    assert found.first_s == pytest.approx([first[r] for r in range(3)], abs=1e-9)
    assert found.end_s == pytest.approx([end[r] for r in range(3)], abs=1e-9)


@pytest.mark.parametrize(("room", "second_s"), [(200.0, 0.2), (199.0, 0.59)])
def test_a_request_waits_until_all_its_tokens_have_room(room: float, second_s: float) -> None:
    """Prompts of 100 ms, steps of 10 ms: two of 60 tokens in and 40 out need room for 200, or one for the other's 39 steps."""
    times = StepTimes.linear((100, 0.0), (10, 0.0, 0.0), 4, kv_tokens=room)
    found = replay(Requests(np.zeros(2), np.full(2, 60), np.full(2, 40)), Fleet(times=times))
    assert found.first_s.tolist() == pytest.approx([0.1, second_s])


def test_a_follower_comes_after_the_end_and_the_thought():
    sent = Requests(
        np.zeros(3),
        np.array([100, 100, 100]),
        np.array([10, 10, 10]),
        previous=np.array([-1, 0, 1]),
        think_s=np.array([0, 2.0, 3.0]),
    )
    found = replay(sent, Fleet(times=ENGINES["E1"]))
    assert found.arrival_s[1:] - found.end_s[:-1] == pytest.approx([2.0, 3.0])


def test_a_small_prefix_cache_finds_less_and_routing_by_prefix_finds_more():
    sent = trace("mooncake_conversation").first(2000)
    times = StepTimes.linear((10, 0.01), (15, 0.1, 0.00002), 64)
    hits = [
        replay(sent, Fleet(times=times, replicas=4, routing=r, tiers=[CacheTier("HBM", room)])).cache_hit
        for r, room in (("least_requests", 3e3), ("least_requests", 3e4), ("prefix", 3e4))
    ]
    assert hits == sorted(hits)
    assert hits[2] > hits[1] + 0.02
    ttl = replay(sent, Fleet(times=times, replicas=4, tiers=[CacheTier("HBM", 3e4)], ttl_s=30.0)).cache_hit
    assert ttl < hits[1]


def test_a_second_tier_keeps_what_the_first_lets_go():
    one, two = PrefixStore([CacheTier("HBM", 2)]), PrefixStore([CacheTier("HBM", 2), CacheTier("host", 10, 0.5)])
    for store in (one, two):
        store.take([1, 2], 0.0)
        store.take([3, 4], 1.0)
    assert one.take([1, 2], 2.0) == (0, 0.0)
    assert two.take([1, 2], 2.0) == (2, 1.0)


def test_mooncake_hits_are_the_published_ones():
    """Leading blocks of 512 tokens, unlimited: 37.4 and 65.1 % of input tokens."""
    for name, known in (("mooncake_conversation", 0.374), ("mooncake_synthetic", 0.651)):
        sent = trace(name)
        assert replayed_hits(sent.blocks, math.inf, 512, sent.input_tokens.tolist()) == pytest.approx(known, abs=0.001)


def test_bisection_finds_the_edge():
    assert max_load(lambda load: load < 0.731) == pytest.approx(0.731, abs=0.005)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Fleet(times=ENGINES["E1"], routing="least"), "nearest is"),
        (lambda: Fleet(times=ENGINES["E1"], replicas=0), "replicas 0"),
        (lambda: Requests(np.zeros(0), np.zeros(0), np.zeros(0)), "no requests"),
        (lambda: Requests(np.array([1.0, 0.0]), np.ones(2), np.ones(2)), "not in order"),
        (lambda: load_trace("azure2023_con"), "nearest is 'azure2023_conv'"),
        (lambda: load_trace("claude_code_sessions"), "clock for each session"),
        (
            lambda: replay(
                steady(trace("azure2023_code"), 5, 1.0), Fleet(times=ENGINES["E1"], tiers=[CacheTier("a", 1)])
            ),
            "blocks",
        ),
    ],
)
def test_what_cannot_be_is_one_line(make, words):
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.slow
def test_the_share_sold_within_limits_is_the_references():
    """Shape times the load that steady arrivals may bring, 99 % in time: within a point."""
    picked = [
        row
        for row in rows("sold_share_slo_reference")
        if row["policy"] == "fixed_peak" and row["measure"] == "requests" and row["servers"] in ("1", "4")
        and row["demand_trace"] == "azure2024_conv" and row["lengths"] == "azure2023_conv"
    ]  # fmt: skip
    assert len(picked) == 8
    for row in part(picked, 3):
        lengths, times, servers = trace(row["lengths"]), ENGINES[row["engine"]], int(row["servers"])
        ttft, tpot = re.match(r"ttft(\d+)(?:_tpot(\d+))?", row["target"]).groups()
        limits = float(ttft), float(tpot) / 1e3 if tpot else math.inf
        sold = sold_share(demand(row["demand_trace"]), Policy()).sold

        drawn = steady(lengths, 100_000, 1.0, 3.0 if row["arrivals"] == "gamma_cv3" else 1.0)
        full = saturated_rps(drawn.first(20_000), times)

        def attained(load: float) -> float:
            speed = load * servers * full / drawn.rate_per_s  # noqa: B023
            found = replay(sped(drawn, speed), Fleet(times=times, replicas=servers))  # noqa: B023
            return float(found.within(*limits)[len(found.end_s) // 10 :].mean())  # noqa: B023

        edge = 0.009 / sold
        assert attained(float(row["max_load"]) - edge) >= 0.99, row
        assert attained(float(row["max_load"]) + edge) < 0.99, row
        assert sold * float(row["max_load"]) == pytest.approx(float(row["sold_share_under_slo"]), abs=0.01)
