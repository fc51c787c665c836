"""Predictions of given points: identities of a closed loop, latencies, and rows that cannot be answered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackecon.errors import InputError
from rackecon.performance.parameters import load_parameters
from rackecon.serving.closed_loop import acceptance_length
from rackecon.serving.points import Points
from rackecon.serving.predict import predict, prepare
from rackecon.serving.query import software_years

AGGREGATED = {
    "accelerator": "h200-sxm",
    "model": "deepseek-r1",
    "weight_precision": "fp8",
    "isl": 1024,
    "osl": 1024,
    "engine": "sglang",
    "date": "2026-03-01",
    "mode": "aggregated",
    "tp": 8,
    "gpus": 8,
    "concurrency": 32,
    "length_draw": "uniform 80-100% of nominal",
}
SPLIT = {
    **AGGREGATED,
    "accelerator": "gb200-nvl72",
    "weight_precision": "fp4",
    "engine": "dynamo-trtllm",
    "mode": "disaggregated",
    "tp": 8,
    "ep": 8,
    "dp_attention": True,
    "decode_workers": 1,
    "decode_gpus": 8,
    "prefill_workers": 1,
    "prefill_gpus": 4,
    "prefill_tp": 4,
    "prefill_ep": 4,
    "prefill_dp_attention": True,
    "gpus": 12,
    "concurrency": 256,
}


def one(row, parameters=None, **changes):
    """Prediction of one row as a dict of scalars."""
    found = predict(Points.from_rows([{**row, **changes}]), parameters)
    return {name: getattr(found, name)[0] for name in found.__dataclass_fields__}


@pytest.mark.parametrize(("row", "mode"), [(AGGREGATED, "aggregated"), (SPLIT, "disaggregated")])
def test_closed_loop_identity(row, mode):
    """Requests in flight over the time that each takes is the rate, less ramp-up and drain of a finite run."""
    used = load_parameters()
    loop = used.values()[used.index(f"closed_loop.{mode}")]
    # intercepts scale rate and speed alike; without them the identity is exact
    points = Points.from_rows([row])
    found = predict(points, used.with_intercepts({}))
    rate = found.total_tok_s_per_gpu[0] * row["gpus"] / (0.9 * 2048)
    life_s = found.ttft_ms[0] / 1e3 + found.tpot_ms[0] / 1e3 * 0.9 * 1024
    assert rate == pytest.approx(loop * row["concurrency"] / life_s, rel=0.01)


def test_output_is_the_share_of_total_and_tpot_is_the_inverse_of_speed():
    found = one(AGGREGATED, isl=8192)
    assert found["output_tok_s_per_gpu"] == pytest.approx(found["total_tok_s_per_gpu"] / 9.0)
    assert found["tpot_ms"] * found["tok_s_per_user"] == pytest.approx(1000.0)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([AGGREGATED, SPLIT]), st.floats(1, 2000), st.floats(1.05, 4.0))
def test_more_load_gives_more_throughput_and_less_speed(row, concurrency, factor):
    physics = load_parameters().with_intercepts({})
    low, high = (one(row, physics, concurrency=concurrency * x) for x in (1.0, factor))
    assert high["total_tok_s_per_gpu"] >= low["total_tok_s_per_gpu"] * 0.98
    assert high["tok_s_per_user"] <= low["tok_s_per_user"] * (1 + 1e-6)
    assert high["ttft_ms"] >= low["ttft_ms"] * (1 - 1e-6)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([AGGREGATED, SPLIT]), st.floats(1, 2000), st.floats(2.0, 4.0))
def test_what_siblings_add_hardly_turns_the_order_of_loads(row, concurrency, factor):
    """Where physics is flat (few requests, or a full engine) the measured residual decides, within its noise of 7 %."""
    low, high = (one(row, concurrency=concurrency * x) for x in (1.0, factor))
    assert high["tok_s_per_user"] <= low["tok_s_per_user"] * 1.07


@pytest.mark.parametrize(("pp", "workers"), [(1, 4), (2, 2)])
def test_workers_of_a_pool_left_open_are_its_gpus_over_those_of_an_engine(pp, workers):
    given = {"pp": pp, "tp": 4, "ep": 4, "decode_gpus": 16, "prefill_gpus": 8, "prefill_workers": 2, "gpus": 24}
    stated = one(SPLIT, **given, decode_workers=workers)
    for left in ({"decode_workers": None}, {"decode_workers": None, "prefill_workers": None}, {"gpus": None}):
        found = one(SPLIT, **given | {"decode_workers": workers} | left)
        assert found["total_tok_s_per_gpu"] == stated["total_tok_s_per_gpu"], left
        assert found["tok_s_per_user"] == stated["tok_s_per_user"], left


def test_a_starved_decode_pool_queues_before_prefill():
    calm = one(SPLIT, isl=8192, osl=256, concurrency=8)
    starved = one(SPLIT, isl=8192, osl=256, concurrency=4096)
    assert calm["queued_share"] == pytest.approx(0.0, abs=1e-6)
    assert starved["queued_share"] > 0.3
    assert starved["ttft_ms"] > 10 * calm["ttft_ms"]


def test_a_prefix_cache_helps_and_speculation_speeds_up():
    assert one(AGGREGATED, isl=8192, prefix_cache_hit=0.8)["ttft_ms"] < one(AGGREGATED, isl=8192)["ttft_ms"]
    drafted = one(AGGREGATED, concurrency=4, speculative="mtp", draft_tokens=3, engine="trtllm")
    assert drafted["tok_s_per_user"] > 1.3 * one(AGGREGATED, concurrency=4, engine="trtllm")["tok_s_per_user"]


def test_acceptance_length_sums_the_chain():
    assert float(acceptance_length(np.array(3.0), 0.5)) == pytest.approx(1 + 0.5 + 0.25 + 0.125)


def test_what_does_not_fit_has_a_reason_and_no_number():
    found = one(AGGREGATED, tp=1, gpus=1)
    assert found["status"] == "does_not_fit"
    assert found["reason"]
    assert np.isnan(found["total_tok_s_per_gpu"])


def test_prepared_points_give_the_same_answers_and_repeat_cheaply():
    points = Points.from_rows([AGGREGATED, SPLIT])
    ready = prepare(points)
    first, second = predict(points), predict(points, load_parameters(), ready)
    assert np.array_equal(first.total_tok_s_per_gpu, second.total_tok_s_per_gpu)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"accelerator": "h2000"}, "h200"),
        ({"weight_precision": "fp9"}, "weight_precision"),
        ({"isl": -5}, "isl"),
        ({"concurrency": 0}, "concurrency"),
        ({"mode": "split"}, "mode"),
        ({"speculative": "medusa"}, "speculative"),
    ],
)
def test_a_bad_value_is_named_with_its_row(change, text):
    with pytest.raises(InputError, match=text) as caught:
        one(AGGREGATED, **change)
    assert "row 2" in str(caught.value)


def test_a_month_stands_for_its_middle_and_nonsense_is_refused():
    assert software_years("2026-01") == pytest.approx(14 / 365.25)
    with pytest.raises(InputError, match="ISO date"):
        software_years("yesterday")


def test_four_bit_experts_on_hopper_keep_a_sixteen_bit_cache():
    row = {**AGGREGATED, "model": "gpt-oss-120b", "weight_precision": "fp4"}
    assert Points.from_rows([row]).kv_precision == ("bf16",)
    assert Points.from_rows([{**row, "accelerator": "b200-hgx"}]).kv_precision == ("fp8",)


def test_no_first_token_comes_later_than_its_request_leaves() -> None:
    """C requests in flight and X finished a second stay C / X (Little); 32,768 tokens in overload two pools of MI355X."""
    shape = {"accelerator": "mi355x", "model": "deepseek-r1", "weight_precision": "fp8", "mode": "disaggregated"}
    shape |= {"tp": 8, "ep": 8, "prefill_tp": 8, "prefill_ep": 8, "decode_gpus": 8, "prefill_gpus": 8}
    lengths = ((1024, 1024), (8192, 1024), (32768, 256))
    rows = [shape | {"isl": i, "osl": o, "concurrency": c} for i, o in lengths for c in (16, 512, 4096)]
    found = predict(Points.from_rows(rows))
    tokens = np.array([row["isl"] + row["osl"] for row in rows])
    stay_ms = 1e3 * found.concurrency * tokens / (found.total_tok_s_per_gpu * found.gpus)
    assert (found.ttft_ms <= stay_ms * (1 + 1e-12)).all()
    assert found.ttft_ms[-1] == pytest.approx(stay_ms[-1], rel=1e-12)
    assert found.ttft_ms[0] < 0.1 * stay_ms[0]
