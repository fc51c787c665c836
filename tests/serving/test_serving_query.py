"""One question: its defaults are those of the fit, its limits those of every page, its dates those of the data."""

from dataclasses import replace

import numpy as np
import pytest

from rackecon.catalog import accelerators, models, scenario
from rackecon.errors import InputError
from rackecon.performance.engine import PRECISION_BITS
from rackecon.serving.frontier import search, search_case
from rackecon.serving.points import Points
from rackecon.serving.query import MODES, Limits, Query, default_kv_precision, software_years
from rackecon.serving.task import Task
from rackecon.walks.software import levers, trend


def test_a_row_of_a_file_and_a_search_take_the_same_defaults():
    """Calibration lays its rows out as points, pages ask queries: cache, engine and date are the same for both."""
    chips, archs = [a for a in accelerators().values() if a.servable], list(models().values())[::4]
    for mode in MODES:
        asked = [
            Query.of(a.id, m.id, 512, 512, weight_precision=w)
            for a in chips
            for m in archs
            if not m.max_context_tokens or m.max_context_tokens >= 1024
            for w in PRECISION_BITS
        ]
        rows = [
            {
                "accelerator": q.chip.id,
                "model": q.arch.id,
                "weight_precision": q.weight,
                "isl": 512,
                "osl": 512,
                "mode": mode,
            }
            for q in asked
        ]
        points = Points.from_rows(rows)
        assert points.kv_precision == tuple(q.kv_of(mode) for q in asked)
        assert points.engine == tuple(q.engine_of(mode) for q in asked)
        assert (points.years == [q.years for q in asked]).all()


@pytest.mark.parametrize(
    ("chip", "arch", "weight", "engine", "kv"),
    [  # launch scripts of the public benchmark, commit 843c625
        ("h100-sxm", "gpt-oss-120b", "fp4", "vllm", "bf16"),
        ("h200-sxm", "gpt-oss-120b", "fp4", "trtllm", "bf16"),
        ("mi300x", "gpt-oss-120b", "fp4", "vllm", "bf16"),
        ("b200-hgx", "gpt-oss-120b", "fp4", "trtllm", "fp8"),
        ("mi355x", "gpt-oss-120b", "fp4", "atom", "fp8"),
        ("h200-sxm", "kimi-k2", "int4", "vllm", "bf16"),
        ("b200-hgx", "kimi-k2", "int4", "vllm", "bf16"),
        ("b200-hgx", "kimi-k2", "fp4", "vllm", "fp8"),
        ("h200-sxm", "deepseek-r1", "fp8", "sglang", "bf16"),
        ("h200-sxm", "deepseek-r1", "fp8", "trtllm", "fp8"),
        ("b200-hgx", "deepseek-r1", "fp8", "sglang", "fp8"),
        ("mi300x", "deepseek-r1", "fp8", "sglang", "fp8"),
    ],
)
def test_the_cache_is_that_of_the_public_launch_scripts(chip, arch, weight, engine, kv):
    assert default_kv_precision(accelerators()[chip], models()[arch], weight, engine) == kv


@pytest.mark.parametrize("chip", ["a100-80gb-sxm", "vr-nvl72", "trainium3", "tpu-v7"])
def test_only_hopper_keeps_a_latent_cache_in_16_bits_under_sglang(chip):
    assert default_kv_precision(accelerators()[chip], models()["deepseek-r1"], "fp8", "sglang") == "fp8"


def test_the_search_serves_gpt_oss_on_hopper_as_it_was_measured():
    front = search("h200-sxm", "gpt-oss-120b", 1024, 1024, tpot_limit_ms=20.0)
    assert set(front.rows["kv_precision"]) == {"bf16"}


@pytest.mark.parametrize("date", ["0001-01-01", "2022-12-31", "2030-01-01", "9999-12-31"])
def test_dates_far_from_the_measurements_are_refused(date):
    with pytest.raises(InputError, match=r"measurements .* allow 20\d\d-"):
        search("mi355x", "deepseek-r1", 8192, 1024, date=date)
    with pytest.raises(InputError, match="out of range"):
        software_years(date)


def test_limits_bind_the_statistic_they_name():
    limits = Limits.checked(1000.0, 20.0, "p99", None)
    assert limits.latest_ttft_ms == pytest.approx(1000.0 / limits.ttft_tail)
    assert limits.keeps(np.array([20.0 / limits.tpot_tail]), np.array([limits.latest_ttft_ms])).all()
    assert not limits.keeps(np.array([20.0]), np.zeros(1)).any()
    assert Limits().keeps(np.array([1e9]), np.array([1e9])).all()


def test_the_software_walk_keeps_percentiles():
    """It dropped the statistic: a p99 case was walked as a median one."""
    case = replace(scenario("chat"), latency_statistic="p99")
    asked = search_case("b200-hgx", "deepseek-r1", case, weight_precision="fp4", speculative="mtp").best()
    walked = levers(["b200-hgx"], "deepseek-r1", case).iloc[-1]
    assert walked["total_tok_s_per_gpu"] == asked["total_tok_s_per_gpu"]
    assert asked["tpot_ms"] * Limits.of_case(case).tpot_tail <= case.tpot_limit_ms * (1 + 1e-9)
    last = trend(["b200-hgx"], "deepseek-r1", case).iloc[-1]
    assert last["total_tok_s_per_gpu"] == search_case("b200-hgx", "deepseek-r1", case).best()["total_tok_s_per_gpu"]


def test_an_unknown_option_is_named():
    with pytest.raises(InputError, match="tpot_limit_ms"):
        Query.of("h200-sxm", "deepseek-r1", 1024, 1024, tpot_limit=20.0)


@pytest.mark.parametrize("limit", [0.0, -0.5, float("nan"), float("inf")])
def test_a_limit_is_a_positive_number_of_milliseconds(limit):
    for kind in ("ttft_limit_ms", "tpot_limit_ms"):
        with pytest.raises(InputError, match=f"^{kind} .* is out of range: needs a positive number of milliseconds$"):
            Query.of("h200-sxm", "gpt-oss-120b", 1024, 1024, **{kind: limit})
    assert Limits.checked(None, 0.5, "median", None).least_tok_s_per_user == 2000.0


def test_pools_that_may_cross_nodes_try_every_layout_and_one_engine_those_run_publicly():
    """H200 with 128 GPUs: public sweeps, which are of a few nodes, narrow down its engines that do everything alone."""
    task = Task(Query.of("h200-sxm", "deepseek-r1", 1024, 1024, max_gpus=128))
    assert task.layouts("disaggregated") == tuple(x for x in task._bench.layouts["disaggregated"] if x.gpus <= 128)
    assert set(task.layouts("aggregated")) < set(task._bench.layouts["aggregated"])


def test_pools_nobody_measured_on_a_chip_run_what_its_own_recipes_run_not_what_a_smaller_sibling_had_to():
    """DeepSeek-R1 takes two nodes of H100 and one of H200, whose public recipes feed from single nodes."""
    asked = {"mode": "disaggregated", "max_gpus": 64}
    held = [Task(Query.of(chip, "deepseek-r1", 8192, 1024, **asked)) for chip in ("h100-sxm", "h200-sxm")]
    assert [sorted(x.name for x in task.prefill_layouts) for task in held] == [["DEP16"], ["DEP8", "TEP8"]]
    assert [x.gpus for x in held[1].layouts("disaggregated")] == [8, 8]
    without = Task(Query.of("gh200-144gb", "deepseek-r1", 8192, 1024, **asked))  # nor recipes: all that its nodes hold
    assert without.prefill_layouts == without._bench.layouts["prefill"]
