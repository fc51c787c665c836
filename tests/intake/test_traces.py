"""Trace layouts as published: told apart by content, units seen, malformed lines named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from thorough import tries

from rackecon.catalog import data_dir
from rackecon.errors import InputError
from rackecon.intake.traces import read_trace, workload_row
from rackecon.load.prefix_store import CacheTier
from rackecon.load.replay import Fleet, replay
from rackecon.load.step_times import StepTimes

AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4800,10\n"
    "2023-11-16 18:17:04.0319600,3200,8\n2023-11-16 18:17:06.0781490,120,30\n"
)
AZURE_2024 = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:01.017335+00:00,2399,6\n"
BURST = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,470,20,490,Conversation log\n"
    "45,ChatGPT,1090,230,1320,Conversation log\n118,GPT-4,420,280,700,Conversation log\n140,ChatGPT,1360,0,1360,API log\n"
)
MOONCAKE = [
    {"timestamp": 0, "input_length": 1500, "output_length": 50, "hash_ids": [0, 1, 2]},
    {"timestamp": 27000, "input_length": 1600, "output_length": 60, "hash_ids": [0, 1, 3, 4]},
    {"timestamp": 30000, "input_length": 900, "output_length": 70, "hash_ids": [0, 5]},
]
BAILIAN = [
    {"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.1, "input_length": 80, "output_length": 30, "type": "text",
     "turn": 1, "hash_ids": [9, 8, 7, 6, 5]},
    {"chat_id": 160, "parent_chat_id": 159, "timestamp": 75.2, "input_length": 112, "output_length": 20, "type": "text",
     "turn": 2, "hash_ids": [9, 8, 7, 6, 5, 77, 78]},
]  # fmt: skip
SERVEGEN = [{"request_id": i, "timestamp": i * 0.5, "data": {"input_tokens": 10, "output_tokens": 4}} for i in range(3)]

AZURE_IMAGES = "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2024-10-01 00:00:00.011,0,500,20\n2024-10-01 00:00:02.011,2,1500,40\n"
BURST_3 = (
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "19440110.0,a-1,43,GPT-4,906,446,1352,Conversation log\n19440161.0,a-1,2,ChatGPT,1400,0,1400,Conversation log\n"
    "19440192.0,b-2,8,GPT-4,1779,124,1903,Conversation log\n"
)
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n4.314579,396,109\n4.541877,879,55\n"
SPLITWISE = "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n0,2,0,1,1,4096,32\n1,2,0,3,1,2048,8\n"
# Of the first session's four blocks in its second request two are known; the other session's have the same numbers and are others
WEKA = [
    {"id": "a", "models": ["m"], "block_size": 64, "hash_id_scope": "local", "requests": [
        {"t": 0.0, "type": "n", "model": "m", "in": 128, "out": 10, "hash_ids": [1, 2], "api_time": 1.0},
        {"t": 2.0, "type": "subagent", "agent_id": "s", "requests": [
            {"t": 3.0, "type": "n", "model": "m", "in": 256, "out": 30, "hash_ids": [1, 2, 3, 4]}]}]},
    {"id": "b", "models": ["m"], "block_size": 64, "hash_id_scope": "local", "requests": [
        {"t": 0.0, "type": "s", "model": "m", "in": 128, "out": 20, "hash_ids": [1, 2]}]},
]  # fmt: skip


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# name: text, requests, mean input and output tokens, span [s], share of input in an unlimited cache
FILES = {
    "azure": (AZURE, 3, 2706.67, 16.0, 2.098, None),
    "azure 2024": (AZURE_2024, 2, 2280.5, 5.5, 1.007, None),
    "burstgpt": (BURST, 3, 660.0, 176.67, 113.0, None),
    "mooncake": (lines(MOONCAKE), 3, 1333.33, 60.0, 30.0, 0.384),
    "bailian": (lines(BAILIAN), 2, 96.0, 25.0, 14.1, 80 / 192),
    "servegen": (lines(SERVEGEN), 3, 10.0, 4.0, 1.0, None),
    "azure with images": (AZURE_IMAGES, 2, 1000.0, 30.0, 2.0, None),
    "burstgpt with sessions": (BURST_3, 2, 1342.5, 285.0, 82.0, None),
    "vidur": (VIDUR, 3, 549.67, 69.33, 4.542, None),
    "splitwise": (SPLITWISE, 2, 3072.0, 20.0, 2.0, None),
    "agentic sessions": (lines(WEKA), 3, 170.67, 20.0, 3.0, 128 / 512),
    "dynamo, nanoseconds since 1970": (
        lines(
            [
                {
                    "timestamp": str(1753780607550317897 + i * 10**9),
                    "input_length": 600,
                    "output_length": 8,
                    "hash_ids": [7, i],
                }
                for i in range(3)
            ]
        ),
        3,
        600.0,
        8.0,
        2.0,
        1024 / 1800,
    ),
    "mooncake with sessions": (
        lines([{"session_id": "s", **row} for row in MOONCAKE]),
        3,
        1333.33,
        60.0,
        30.0,
        0.384,
    ),
    "semicolons and decimal commas": (VIDUR.replace(",", ";").replace(".", ","), 3, 549.67, 69.33, 4.542, None),
    "tabs": (VIDUR.replace(",", "\t"), 3, 549.67, 69.33, 4.542, None),
}


@pytest.fixture
def saved(tmp_path: Path):
    def save(text: str, name: str = "trace") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return save


@pytest.mark.parametrize("name", FILES)
def test_a_published_layout_is_told_by_its_content(saved, name):
    text, count, inputs, outputs, span, hit = FILES[name]
    path = saved(text)
    trace, row = read_trace(path), workload_row(path, "mine")
    assert len(trace.times_s) == count == row["n_requests"]
    assert float(row["isl_mean"]) == pytest.approx(inputs, abs=0.01)
    assert float(row["osl_mean"]) == pytest.approx(outputs, abs=0.01)
    assert trace.times_s[-1] == pytest.approx(span, abs=0.001)
    if hit is not None:
        assert float(row["prefix_hit_tokens_infinite"]) == pytest.approx(hit, abs=1e-3)


def test_failures_and_sessions_are_counted(saved):
    assert read_trace(saved(BURST)).failed == 1
    found = read_trace(saved(lines(BAILIAN)))
    assert found.sessions.tolist() == [0, 0]
    assert "1 sessions of 2 turns" in found.notes


def test_the_whole_published_hours_agree_with_what_is_known_of_them():
    for name, count, inputs, outputs in (
        ("azure2023_code", 8819, 2047.85, 27.88),
        ("azure2023_conv", 19366, 1154.69, 211.12),
    ):
        found = read_trace(data_dir() / "traces" / f"{name}.csv.gz")
        assert len(found.times_s) == count
        assert found.input_tokens.mean() == pytest.approx(inputs, abs=0.1)
        assert found.output_tokens.mean() == pytest.approx(outputs, abs=0.1)


def test_a_gzipped_file_of_blocks_keeps_them(tmp_path):
    path = tmp_path / "trace.jsonl.gz"
    path.write_bytes(gzip.compress(lines(MOONCAKE).encode()))
    assert read_trace(path).blocks == [[0, 1, 2], [0, 1, 3, 4], [0, 5]]


def test_an_own_trace_can_be_replayed_with_its_cache(saved):
    sent = read_trace(saved(lines(MOONCAKE))).requests()
    times = StepTimes.linear((10, 0.1), (15, 0.3, 0.0002), 32)
    found = replay(sent, Fleet(times=times, tiers=[CacheTier("HBM", 100)]))
    assert found.hit_tokens.tolist() == [0, 1024, 512]
    assert read_trace(saved(AZURE)).requests().blocks is None


def test_epoch_milliseconds_are_seen_and_a_given_unit_rules(saved):
    text = "timestamp,input_tokens,output_tokens\n1714521600000,100,10\n1714521601000,200,20\n1714521603000,200,20\n"
    found = read_trace(saved(text))
    assert found.times_s[-1] == pytest.approx(3.0)
    assert "read as ms since 1970" in found.notes[0]
    small = text.replace("17145216", "")
    assert read_trace(saved(small)).times_s[-1] == pytest.approx(3000.0)
    assert read_trace(saved(small), time_unit="ms").times_s[-1] == pytest.approx(3.0)


def test_an_odd_rate_is_asked_about(saved):
    slow = "timestamp,input_tokens,output_tokens\n0,1,1\n9000,1,1\n18000,1,1\n"
    assert any("time-unit" in note for note in read_trace(saved(slow)).notes)
    assert not any("time-unit" in note for note in read_trace(saved(slow), time_unit="ms").notes)


BAD = [
    (AZURE.replace(",3200,", ",many,"), "line 3 ContextTokens: 'many' is not a number"),
    (AZURE.replace("18:17:04", "25:17:04"), "line 3 TIMESTAMP"),
    (lines(MOONCAKE).replace('"output_length": 60', '"output_length": -60'), "line 2 output_length: -60 is not 0 to"),
    (lines(MOONCAKE).replace(', "output_length": 60', ""), "line 2 output_length: is missing"),
    (lines(MOONCAKE).replace("[0, 1, 3, 4]", "[0, 1.5]"), "line 2 hash_ids: is not a list"),
    (lines(MOONCAKE).replace("[0, 1, 3, 4]}", "[0, 1"), "line 2: not JSON"),
    (BURST.replace("118,GPT-4,420", "118,420"), "row 4: 5 cells"),
]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"block_size": 32}, "line 2 block_size: 32"), ({"requests": [{"t": 0, "in": 5}]}, "line 2 out: is missing")],
)
def test_an_agentic_session_of_another_shape_is_named(saved, change, words):
    with pytest.raises(InputError, match=words):
        read_trace(saved(lines([WEKA[0], WEKA[1] | change])))
    found = read_trace(saved(lines(WEKA)))
    assert found.sessions.tolist() == [0, 1, 0]
    assert any("not of a service" in note for note in found.notes)


@pytest.mark.parametrize(("text", "words"), BAD, ids=range(len(BAD)))
def test_a_malformed_line_is_named_or_counted(saved, text, words):
    path = saved(text)
    with pytest.raises(InputError, match=r"^trace ") as caught:
        read_trace(path)
    assert words in str(caught.value)
    found = read_trace(path, skip_bad=True)
    assert found.skipped == 1
    assert len(found.times_s) == 2
    assert any("1 malformed lines skipped" in note for note in found.notes)


def test_unknown_fields_name_the_layouts(saved):
    with pytest.raises(InputError, match="known layouts: Azure"):
        read_trace(saved("a,b,c\n1,2,3\n"))
    with pytest.raises(InputError, match="time unit"):
        read_trace(saved(AZURE), time_unit="min")


@pytest.mark.slow
def test_many_lines_are_read_in_bounded_memory(tmp_path):
    import tracemalloc

    path, lines = tmp_path / "long.csv", tries(30_000, 300_000)
    draw = np.random.default_rng(0)
    with open(path, "w") as handle:
        handle.write("timestamp,input_tokens,output_tokens\n")
        handle.writelines(
            f"{t:.3f},{i},{o}\n"
            for t, i, o in zip(
                np.cumsum(draw.exponential(0.1, lines)),
                draw.integers(1, 9999, lines),
                draw.integers(1, 999, lines),
                strict=True,
            )
        )
    tracemalloc.start()
    found = read_trace(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.times_s) == lines
    assert peak < 10 * path.stat().st_size
