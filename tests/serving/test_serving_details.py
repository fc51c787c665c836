"""Small parts of the serving model by hand: sizes, shares, bounds, words."""

from dataclasses import replace

import numpy as np
import pytest

from rackecon.catalog import accelerator, model
from rackecon.errors import InputError
from rackecon.performance.parameters import load_parameters
from rackecon.performance.step import StepTime
from rackecon.serving.bottlenecks import bottlenecks
from rackecon.serving.explain import step_breakdown
from rackecon.serving.frontier import search
from rackecon.serving.launch_flags import launch_flags
from rackecon.serving.layouts import WIDE_FROM, Layout, decode_layouts
from rackecon.serving.offered import in_flight, requests_per_second
from rackecon.serving.points import Points
from rackecon.serving.pools import _settled
from rackecon.serving.predict import predict, prepare, solve
from rackecon.serving.query import CONCURRENCY, CONTEXT_ROOM, Query, software_years
from rackecon.serving.task import Task

SMALL = {"accelerator": "h200-sxm", "model": "llama-3.1-8b", "weight_precision": "fp8", "isl": 1000, "osl": 200}
ALONE = {**SMALL, "mode": "aggregated", "tp": 1, "gpus": 1}
POOLS = {
    "accelerator": "gb200-nvl72", "model": "deepseek-r1", "weight_precision": "fp4", "isl": 8192, "osl": 1024,
    "mode": "disaggregated", "tp": 8, "ep": 8, "dp_attention": "true", "decode_workers": 2, "prefill_workers": 3,
    "prefill_tp": 4, "prefill_ep": 4, "prefill_dp_attention": "true", "gpus": 28, "concurrency": 256,
}  # fmt: skip


def test_gpus_of_a_layout_are_tensor_by_pipeline_width() -> None:
    assert [Layout(8, 1, 2).gpus, Layout(4).gpus] == [16, 4]


def test_the_share_of_gpus_that_prefill_is_that_of_its_pool() -> None:
    found = predict(Points.from_rows([POOLS]))
    assert found.status[0] == "ok"
    assert found.prefill_gpu_share[0] == pytest.approx(12 / 28)


def test_pools_held_by_workers_and_by_gpus_are_the_same() -> None:
    held = {"mode": "disaggregated", "tp": 4, "ep": 4, "dp_attention": True, "prefill_tp": 4, "decode_workers": 2}
    by_workers = search("gb200-nvl72", "deepseek-r1", 1024, 1024, hold={**held, "prefill_workers": 1}).best()
    by_gpus = search("gb200-nvl72", "deepseek-r1", 1024, 1024, hold={**held, "prefill_gpus": 4}).best()
    assert by_workers is not None
    assert by_gpus is not None
    assert by_workers["gpus"] == by_gpus["gpus"] == 12.0
    assert by_workers["total_tok_s_per_gpu"] == by_gpus["total_tok_s_per_gpu"]


@pytest.mark.parametrize(("row", "engines"), [({**ALONE, "gpus": 2, "concurrency": 256}, 2), (POOLS, 2)])
def test_requests_beyond_a_launch_limit_wait_for_their_first_token(row, engines) -> None:
    """Little's law: those that run and those that wait are all; a limit above the load changes nothing."""
    used = load_parameters()
    index = {name: i for i, name in enumerate(used.names)}
    rows = [row, {**row, "max_sequences": 1024}, {**row, "max_sequences": 16}]
    *_, ((_, done),) = solve(prepare(Points.from_rows(rows)), used.values(), index)
    assert done.running[2] == 16 * engines < done.running[0] == done.running[1]
    assert done.ttft_s[1] == done.ttft_s[0]
    assert done.running + done.requests_per_s * done.ttft_s == pytest.approx([256] * 3)
    found = predict(Points.from_rows(rows))
    assert found.tok_s_per_user[2] > found.tok_s_per_user[1] == found.tok_s_per_user[0]
    assert found.total_tok_s_per_gpu[2] < found.total_tok_s_per_gpu[0]
    assert found.queued_share[2] > found.queued_share[0]


def test_a_launch_limit_needs_a_deployment() -> None:
    found = predict(Points.from_rows([{**SMALL, "max_sequences": 16}]))
    assert found.status[0] == "unsupported"
    assert found.reason[0].startswith("max_sequences is of a deployment")
    with pytest.raises(InputError, match="'max_sequences': 0 is out of range"):
        Points.from_rows([{**ALONE, "max_sequences": 0}])


def test_an_open_row_waits_for_nothing() -> None:
    assert predict(Points.from_rows([SMALL])).queued_share[0] == 0.0


@pytest.mark.parametrize("change", [{"pp": 0}, {"concurrency": 0}])
def test_zero_is_no_width_and_no_load(change) -> None:
    with pytest.raises(InputError, match=f"'{next(iter(change))}': 0 is out of range"):
        Points.from_rows([{**ALONE, "concurrency": 8, **change}])


def test_the_fastest_that_is_named_is_the_fastest_there_is() -> None:
    fastest = search("h200-sxm", "llama-3.1-8b", 1000, 200, speculative="none").rows["tok_s_per_user"].max()
    reason = search("h200-sxm", "llama-3.1-8b", 1000, 200, speculative="none", tpot_limit_ms=0.01).reason
    assert float(reason.rsplit(" ", 1)[1].replace(",", "")) == pytest.approx(fastest, rel=0.02)


def test_bounds_by_the_largest_of_summed_weights() -> None:
    one, none = np.ones(1), np.zeros(1)
    weights = StepTime(0.6 * one, 2.0 * one, 0.6 * one, 0.6 * one, 0.6 * one, none, none, none)
    assert bottlenecks(weights).tolist() == ["weights"]  # 2.4 against 2.0
    assert bottlenecks(replace(weights, kv=2.5 * one)).tolist() == ["kv"]
    # the same in milliseconds, as steps are; what is not a number is none
    short = StepTime(6e-4 * one, np.nan * one, 6e-4 * one, 6e-4 * one, 6e-4 * one, 3e-3 * one, none, none)
    assert bottlenecks(short).tolist() == ["network"]


def test_the_longest_sequence_of_a_server_has_five_in_a_hundred_to_spare() -> None:
    row = {**ALONE, "isl_tokens": 1000, "osl_tokens": 200, "pp": 1, "ep": 1, "dp_attention": False, "concurrency": 64}
    rest = {"kv_precision": "fp8", "draft_tokens": 0, "speculative": "none", "engine": "vllm"}
    assert " 1260" in launch_flags({**row, **rest}, "vllm")


def test_a_rate_below_that_of_one_request_is_a_share_of_it() -> None:
    """One request at a time gives r; a rate of r/2 is half a request in flight (Little)."""
    points = Points.from_rows([{**ALONE, "concurrency": 1}])
    alone = float(requests_per_second(points, predict(points))[0])
    assert float(in_flight(points, np.array([alone / 2.0]))[0][0]) == pytest.approx(0.5)


def test_what_is_missing_vanishes_on_the_line_through_two_places() -> None:
    """2 - x is missing: 1 from one place, and from 1 and 3 the line meets zero at 2; where nothing changes, it stays."""
    one = np.ones(1)
    assert _settled(one, 0.5 * one, None).tolist() == [1.5]
    assert _settled(3.0 * one, -one, (one, one)).tolist() == [2.0]
    assert _settled(one, 0.0 * one, (one, 0.0 * one)).tolist() == [1.0]


def test_a_cache_precision_that_a_row_names_is_the_one_it_has() -> None:
    """Of one row with the usual filled in, one with each precision named: only the first leaves it unnamed."""
    rows = [ALONE, {**ALONE, "kv_precision": "bf16"}, {**ALONE, "kv_precision": "fp8"}]
    points = Points.from_rows([{**row, "concurrency": 8} for row in rows])
    assert points.kv_precision[1:] == ("bf16", "fp8")
    assert [kv for _, kv in points.named] == ["", "bf16", "fp8"]


def test_a_month_or_a_year_alone_stands_for_its_middle() -> None:
    assert software_years("2026") == software_years("2026-07-01")
    assert software_years("2026-03") == software_years("2026-03-15")


def test_a_model_takes_its_whole_context_and_the_room_that_engines_give_it() -> None:
    most = int(CONTEXT_ROOM * model("gpt-oss-20b").max_context_tokens)
    assert search("h200-sxm", "gpt-oss-20b", most - 8, 8).reason == ""
    with pytest.raises(InputError, match="exceed"):
        search("h200-sxm", "gpt-oss-20b", most - 7, 8)


def test_experts_cross_nodes_from_the_deployment_that_is_run_so_on() -> None:
    """Public ones of 96 GPUs are the smallest with experts over the network between nodes."""
    chip, arch = accelerator("h200-sxm"), model("deepseek-r1")
    widest = [max(x.ep for x in decode_layouts(chip, arch, 8.0, most)) for most in (WIDE_FROM - 1, WIDE_FROM)]
    assert WIDE_FROM == 96
    assert widest == [16, 144]


def test_engines_that_do_everything_have_one_split() -> None:
    task = Task(Query.of("h200-sxm", "gpt-oss-120b", 1024, 1024, speculative="none", ttft_limit_ms=2000.0))
    layouts = task.layouts("aggregated")
    assert task.sizes("aggregated", layouts) == (len(layouts), 1, 1, len(CONCURRENCY))
    assert task.sizes("disaggregated", layouts[:1])[2] == 2 * task.feeders


def test_an_open_row_is_searched_at_the_lengths_that_it_drew() -> None:
    """Lengths drawn up to the stated ones are nine tenths of them on average."""
    row = {"accelerator": "h200-sxm", "model": "gpt-oss-120b", "weight_precision": "fp4", "tpot_limit_ms": 20.0}
    rows = [{**row, "isl": 2000, "osl": 1000, "length_draw": "uniform"}, {**row, "isl": 1800, "osl": 900}]
    found = predict(Points.from_rows(rows))
    assert found.total_tok_s_per_gpu[0] == pytest.approx(found.total_tok_s_per_gpu[1])


def test_a_breakdown_counts_the_tokens_of_a_step_that_drafts() -> None:
    """Parts of a step are its time, and a step's time over its tokens is the time per token, prefill among them."""
    point = search("h200-sxm", "deepseek-r1", 4096, 1024, mode="aggregated", hold={"draft_tokens": 3}).best()
    assert point is not None
    row = {"accelerator": "h200-sxm", "model": "deepseek-r1", "isl_tokens": 4096, "osl_tokens": 1024, **point}
    done = step_breakdown(row)
    assert done.tokens_per_step > 1.0
    assert done.step_ms / done.tokens_per_step == pytest.approx(point["tpot_ms"], rel=1e-6)
    assert sum(done.operators_ms.values()) == pytest.approx(done.step_ms)
