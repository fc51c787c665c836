"""Rows of conditions by hand: what they leave open, what cannot be, what is filled in, what load a rate puts on them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rackecon.catalog import accelerator, model
from rackecon.errors import InputError
from rackecon.performance.parameters import load_parameters
from rackecon.serving.explain import memory_use, step_breakdown
from rackecon.serving.frontier import search
from rackecon.serving.offered import in_flight, requests_per_second
from rackecon.serving.points import LENGTH_FACTOR, Points
from rackecon.serving.predict import predict, prepare, query_of
from rackecon.serving.query import (
    Limits,
    Query,
    context_fault,
    default_kv_precision,
    default_weight_precision,
    software_date,
    software_years,
    years_beyond,
)

ROW = {
    "accelerator": "h200-sxm", "model": "gpt-oss-120b", "weight_precision": "fp4", "isl": 1000, "osl": 500,
    "mode": "aggregated", "tp": 2, "gpus": 8, "concurrency": 64,
}  # fmt: skip
POOLS = {
    **ROW, "accelerator": "gb200-nvl72", "model": "deepseek-r1", "mode": "disaggregated", "tp": 8, "ep": 8,
    "dp_attention": "true", "decode_gpus": 16, "prefill_gpus": 12, "prefill_tp": 4, "prefill_ep": 4, "gpus": "",
}  # fmt: skip


def _points(*changes, row=ROW) -> Points:
    return Points.from_rows([{**row, **change} for change in changes or ({},)])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"isl": 1, "osl": 1}, ""),
        ({"isl": 0.5}, "isl is not a number of tokens"),
        ({"tp": 1e6, "gpus": ""}, ""),
        ({"tp": 1e6 + 1, "gpus": ""}, "tp 1e+06: needs a whole number up to 1,000,000"),
        ({"draft_tokens": 7}, ""),
        ({"draft_tokens": 8}, "draft_tokens 8: needs a whole number up to 7"),
        ({"concurrency": 1e8}, ""),
        ({"concurrency": 1.01e8}, "concurrency 1.01e+08: needs at most 100,000,000"),
        ({"prefix_cache_hit": 0.999}, ""),
        ({"prefix_cache_hit": 1.0}, "prefix_cache_hit 1: needs a share below 1"),
        ({"tp": 2, "pp": 4}, ""),
        ({"tp": 2, "pp": 8}, "gpus 8 is no multiple of the 16 GPUs of an engine"),
    ],
)
def test_what_can_and_what_cannot_be_of_a_row(change, fault) -> None:
    assert _points(change).faults == (fault,)


def test_pools_are_whole_engines() -> None:
    found = _points({}, {"decode_gpus": 12}, {"prefill_gpus": 6}, row=POOLS).faults
    wrong = [
        f"{name} is no multiple of the {size} GPUs of an engine"
        for name, size in (("decode_gpus 12", 8), ("prefill_gpus 6", 4))
    ]
    assert found == ("", *wrong)


def test_a_row_is_open_that_leaves_its_mode_layout_or_load() -> None:
    left = ({}, {"mode": ""}, {"tp": ""}, {"concurrency": ""}, {"gpus": ""})
    assert _points(*left).open.tolist() == [False, True, True, True, False]
    workers = {"decode_gpus": "", "prefill_gpus": "", "decode_workers": 2, "prefill_workers": 3}
    left = ({}, {"decode_gpus": ""}, {"prefill_gpus": ""}, {"prefill_tp": ""}, workers)
    assert _points(*left, row=POOLS).open.tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("column", "value", "read"),
    [
        ("dp_attention", "True", 1.0), ("dp_attention", "0", 0.0), ("dp_attention", "1.0", 1.0), ("dp_attention", "nan", math.nan),
        ("speculative", "mtp", 1.0), ("speculative", "eagle3", 1.0), ("speculative", "none", 0.0), ("speculative", "nan", 0.0),
        ("length_draw", "as stated", 1.0), ("length_draw", "uniform 80-100% of nominal", 0.9), ("draft_tokens", "0", 0.0),
        ("draft_tokens", "nan", math.nan), ("prefix_cache_hit", " 0.25 ", 0.25), ("gpus", None, math.nan),
    ],
)  # fmt: skip
def test_how_a_cell_is_read(column, value, read) -> None:
    assert _points({column: value}).numbers[column].tolist() == pytest.approx([read], nan_ok=True)
    assert LENGTH_FACTOR == 0.9


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dp_attention": "2"}, "row 3 column 'dp_attention': '2' is not true or false"),
        ({"isl": "ten"}, "row 3 column 'isl': 'ten' is not a number"),
        ({"osl": 0}, "row 3 column 'osl': 0 is out of range; needs a positive number; an embedding"),
        ({"isl": 0}, "row 3 column 'isl': 0 is out of range; needs a positive number$"),
        ({"draft_tokens": -1}, "needs a non-negative number"),
        ({"tpot_limit_ms": "inf"}, "row 3 column 'tpot_limit_ms': inf is out of range"),
        ({"model": " "}, "row 3: column 'model' is missing or empty"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(change, text) -> None:
    with pytest.raises(InputError, match=text):
        _points({}, change)


def test_engines_of_a_row_are_its_own_and_those_of_its_prefill_pool() -> None:
    """Prefill width as stated, else GPUs over workers, else that of decode; ranks beyond a node spread the experts too,
    within one they need not."""
    changes = ({}, {"prefill_tp": "", "prefill_workers": 6}, {"prefill_tp": "", "prefill_ep": ""}, {"tp": 16, "ep": 1})
    found = _points(*changes, row=POOLS)
    assert found.engines(prefill=True).tp.ravel().tolist() == [4.0, 2.0, 8.0, 4.0]
    assert found.engines(prefill=True).ep.ravel().tolist() == [4.0, 4.0, 1.0, 4.0]
    own = found.engines()
    assert (own.tp.ravel().tolist(), own.ep.ravel().tolist()) == ([8.0, 8.0, 8.0, 16.0], [8.0, 8.0, 8.0, 16.0])
    assert own.dp.ravel().tolist() == [8.0, 8.0, 8.0, 16.0]
    assert _points({"tp": 4, "ep": 1}, {"tp": 8, "ep": 1}, row=POOLS).engines().ep.ravel().tolist() == [1.0, 1.0]
    staged = _points({"pp": 2}, {"ep": "", "pp": ""}).engines()
    assert (staged.pp.ravel().tolist(), staged.ep.ravel().tolist()) == ([2.0, 1.0], [1.0, 1.0])


def test_a_prepared_row_has_its_engines_gpus_and_tokens() -> None:
    """Eight GPUs are four engines of 2, or two in two stages; without GPUs it is one engine."""
    ready = prepare(_points({}, {"pp": 2}, {"gpus": ""}, {"length_draw": "uniform"}))
    assert ready.agg_engines.tolist() == [4.0, 2.0, 1.0, 4.0]
    assert ready.gpus.tolist() == [8.0, 8.0, 2.0, 8.0]
    assert ready.tokens.tolist() == [1500.0, 1500.0, 1500.0, 1350.0]
    assert ready.output_share == pytest.approx([1.0 / 3.0] * 4)
    assert ready.conditions.load_per_gpu.tolist() == [8.0, 8.0, 32.0, 8.0]
    pools = prepare(_points({}, {"decode_workers": 1, "prefill_workers": 2}, {"gpus": 64}, row=POOLS))
    decode, prefill = pools.dis_workers
    assert (decode.tolist(), prefill.tolist()) == ([2.0, 1.0, 2.0], [3.0, 2.0, 3.0])
    assert pools.gpus.tolist() == [28.0, 16.0, 64.0]


def test_drafts_are_those_stated_or_usual() -> None:
    """With a method: the depth, else the recipe's of TensorRT-LLM, which is 3 without ranks, or the mean of the others."""
    drafts = ({"speculative": "mtp", "draft_tokens": 1}, {"speculative": "mtp"}, {"speculative": "mtp", "engine": "vllm"},
              {"draft_tokens": 3}, {"speculative": "mtp", "draft_tokens": 0, "engine": "trtllm"})  # fmt: skip
    load = prepare(_points(*({"engine": "trtllm", **x} for x in drafts))).agg_load
    assert load is not None
    assert load.draft_tokens.tolist() == [1.0, 3.0, 2.0, 0.0, 3.0]
    ranked = {**POOLS, "engine": "dynamo-trtllm", "speculative": "mtp", "model": "deepseek-r1"}
    heavy = prepare(_points({"concurrency": 80 * 16}, {"concurrency": 160 * 16}, row=ranked)).dis_load
    assert heavy is not None
    assert heavy.draft_tokens.tolist() == [3.0, 2.0]


def test_the_question_of_an_open_row_is_what_it_states() -> None:
    changes = ({"length_draw": "uniform", "tpot_limit_ms": 20, "latency_statistic": "p99", "prefix_cache_hit": 0.5},
               {"isl": 1, "osl": 1, "length_draw": "uniform", "mode": "", "speculative": "mtp", "draft_tokens": 2, "kv_precision": "fp8",
                "dp_attention": "true", "engine": "vllm"})  # fmt: skip
    used = load_parameters()
    points = _points(*({**x, "concurrency": ""} for x in changes))
    first, second = (query_of(points, i, used) for i in range(2))
    assert (first.isl_tokens, first.osl_tokens, first.prefix_cache_hit) == (900.0, 450.0, 0.5)
    assert first.limits == Limits.checked(None, 20.0, "p99", used)
    assert (first.mode, first.speculative, first.engine, first.kv) == ("aggregated", "none", None, None)
    assert first.held == {"tp": 2.0, "gpus": 8.0}
    assert (second.isl_tokens, second.osl_tokens, second.prefix_cache_hit) == (1.0, 1.0, 0.0)
    assert (second.mode, second.speculative, second.engine, second.kv) == (None, None, "vllm", "fp8")
    assert second.held == {"tp": 2.0, "gpus": 8.0, "dp_attention": True, "draft_tokens": 2.0}


def test_a_load_finishes_the_rate_that_it_was_found_for() -> None:
    """Twice the rate of a tenth of the most is more than twice the load; more than the most has none."""
    points = _points({"gpus": 4}, {"gpus": 4}, {"gpus": 4})
    most = in_flight(points, np.full(3, 1.0))[1]
    rates = most * np.array([0.1, 0.6, 1.01])
    loads, again = in_flight(points, rates)
    assert again == pytest.approx(most, rel=1e-12)
    assert math.isnan(loads[2])
    loaded = replace(points, numbers={**points.numbers, "concurrency": np.where(np.isfinite(loads), loads, 4096.0)})
    found = predict(loaded)
    assert requests_per_second(loaded, found)[:2] == pytest.approx(rates[:2], rel=1e-5)
    assert requests_per_second(loaded, found)[2] == pytest.approx(most[2], rel=1e-12)
    assert requests_per_second(loaded, found) == pytest.approx(found.total_tok_s_per_gpu * 4.0 / 1500.0, rel=1e-12)


BENCH = {"accelerator": "h100-sxm", "model": "llama-3.1-8b", "weight_precision": "bf16", "kv_precision": "bf16", "engine": "vllm",
         "mode": "aggregated", "tp": 1, "ep": 1, "pp": 1, "dp_attention": False, "isl_tokens": 1000, "osl_tokens": 1000}  # fmt: skip


def test_memory_of_a_gpu_by_hand() -> None:
    """8.03e9 weights of 2 bytes; a token holds 2 x 32 layers x 8 heads x 128 x 2 bytes = 131,072; nine tenths of what is
    left, less 2 GB, holds sequences."""
    arch = model("llama-3.1-8b")
    room = memory_use(BENCH)
    assert room.weights_gb == pytest.approx(arch.total_params * 2 / 1e9, rel=0.001)
    assert room.cache_gb == pytest.approx(0.9 * (room.hbm_gb - room.weights_gb) - 2.0, rel=1e-9)
    assert room.reserve_gb == pytest.approx(room.hbm_gb - room.weights_gb - room.cache_gb, rel=1e-9)
    assert room.max_sequences == pytest.approx(room.cache_gb / room.sequence_gb, rel=1e-9)
    assert 1000 * 131_072 / 1e9 < room.sequence_gb <= 2000 * 131_072 / 1e9
    assert (room.fits, room.reason) == (True, "")


def test_why_memory_does_not_hold_a_model() -> None:
    none = memory_use({**BENCH, "model": "llama-3.3-70b"})
    assert none.reason == f"weights take {none.weights_gb:.1f} GB of the {none.hbm_gb:.1f} GB of a GPU"
    assert none.cache_gb == 0.0
    long = memory_use({**BENCH, "accelerator": "l40s", "isl_tokens": 400_000})
    assert not long.fits
    assert long.reason == (
        f"weights {long.weights_gb:.1f} GB and reserve {long.reserve_gb:.1f} GB leave {long.cache_gb:.1f} GB of "
        f"{long.hbm_gb:.1f} GB, less than one sequence of {long.sequence_gb:.2f} GB"
    )


@pytest.mark.parametrize("hit", [0.0, 0.6])
@pytest.mark.parametrize("date", [None, "2025-12-01"])
def test_a_breakdown_of_any_date_and_cache_is_its_time_per_token(hit, date) -> None:
    """Of corrections too, where no process has been learnt."""
    used = load_parameters()
    for parameters in (used, replace(used, residual=None)):
        options = {"prefix_cache_hit": hit, "date": date, "parameters": parameters, "mode": "aggregated"}
        for point in search("h200-sxm", "gpt-oss-120b", 2000, 500, **options).table.to_dict("records")[::9]:
            done = step_breakdown({**point, "prefix_cache_hit": hit}, date=date, parameters=parameters)
            assert done.step_ms / done.tokens_per_step == pytest.approx(point["tpot_ms"], rel=1e-6)
            assert done.running_per_engine == point["running_per_engine"]
            assert done.operators_ms[done.slowest] == max(done.operators_ms.values())


def test_dates_there_and_back() -> None:
    assert [software_years(x) for x in ("2026-01-01", "2027-01-01", "2025-01-01")] == [0.0, 365 / 365.25, -365 / 365.25]
    for day in ("2025-10-09", "2026-02-28", "2026-12-31"):
        assert software_date(software_years(day)) == day
    assert years_beyond(accelerator("mi355x"), "2027-06-11") == pytest.approx(365 / 365.25)
    assert years_beyond(accelerator("mi355x"), "2026-01-01") == 0.0


def test_the_usual_weights() -> None:
    """FP4 arithmetic or a checkpoint of 4 bits, else 8 bits where the chip computes in them, else 16."""
    chips = {name: accelerator(name) for name in ("b200-hgx", "h100-sxm", "mi300x")}
    dense, four = model("llama-3.3-70b"), model("gpt-oss-120b")
    assert [default_weight_precision(x, dense) for x in chips.values()] == ["fp4", "fp8", "fp8"]
    assert [default_weight_precision(x, four) for x in chips.values()] == ["fp4"] * 3
    plain = replace(chips["h100-sxm"], peak_fp8_flops=math.nan)
    assert default_weight_precision(plain, dense) == "bf16"
    assert [default_kv_precision(plain, dense, x) for x in ("bf16", "int4", "fp8")] == ["bf16", "bf16", "fp8"]


def test_a_context_reaches_a_twentieth_beyond_what_a_model_was_made_for() -> None:
    arch = model("deepseek-r1")
    most = 1.05 * arch.max_context_tokens
    assert context_fault(arch, most) == ""
    assert context_fault(arch, most * 1.0001).endswith("tokens exceed the 163,840 that deepseek-r1 was made for")
    assert context_fault(arch, 2e12).startswith("2e+12 tokens")
    assert context_fault(replace(arch, max_context_tokens=0), 1e9) == ""


def test_a_question_holds_what_it_is_given() -> None:
    asked = Query.of(
        "h200-sxm", "gpt-oss-120b", 1, 1, hold={"mode": "aggregated", "tp": None}, max_gpus=16, date="2026-01-01"
    )
    assert (asked.mode, asked.modes, asked.held, asked.most_gpus, asked.years) == (
        "aggregated", ("aggregated",), {"mode": "aggregated"}, 16, 0.0,
    )  # fmt: skip
    assert Query.of("h200-sxm", "gpt-oss-120b", 1, 1, hold={"prefill_tp": 2}).modes == ("disaggregated",)
    assert Query.of("h200-sxm", "gpt-oss-120b", 1, 1).modes == ("aggregated", "disaggregated")
    for tokens, hit in ((0.999, 0.0), (1.0, -0.1), (1.0, 1.0)):
        with pytest.raises(InputError, match="out of range"):
            Query.of("h200-sxm", "gpt-oss-120b", tokens, 1, prefix_cache_hit=hit)


def test_how_far_latencies_exceed_their_limits() -> None:
    """A tail of 1.5 turns 30 ms into a median of 20, and 2 s of first token into 1 s at 2: the worse of both counts."""
    limits = Limits(ttft_ms=2000.0, tpot_ms=30.0, ttft_tail=2.0, tpot_tail=1.5)
    assert (limits.least_tok_s_per_user, limits.latest_ttft_ms) == (50.0, 1000.0)
    tpot, first = np.array([10.0, 20.0, 40.0, 10.0]), np.array([250.0, 1000.0, 500.0, 1500.0])
    assert limits.excess(tpot, first) == pytest.approx([0.5, 1.0, 2.0, 1.5])
    assert limits.keeps(tpot, first).tolist() == [True, True, False, False]
    assert (Limits().least_tok_s_per_user, Limits().latest_ttft_ms) == (0.0, math.inf)
