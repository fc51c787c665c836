"""Speed of the serving model on one core: steps, closed loops, frontier candidates, calibration's inner call."""

import time
import tracemalloc

import numpy as np
import pytest

from rackecon.performance.parameters import load_parameters
from rackecon.performance.step import decode_terms
from rackecon.serving.closed_loop import Load, aggregated
from rackecon.serving.frontier import search
from rackecon.serving.points import Points
from rackecon.serving.predict import prepare, solve

BLOCK = 4096
ROW = {
    "accelerator": "b200-hgx",
    "model": "deepseek-r1",
    "weight_precision": "fp4",
    "isl": 8192,
    "osl": 1024,
    "engine": "trtllm",
    "mode": "aggregated",
    "tp": 8,
    "ep": 8,
    "gpus": 8,
}


@pytest.fixture(scope="module")
def block():
    rows = [{**ROW, "concurrency": 1 + i % 512, "dp_attention": i % 2 == 0} for i in range(BLOCK)]
    return prepare(Points.from_rows(rows))


def test_step_evaluations(benchmark, block):
    """Layout, batch, draft depth and context of each row: at least 3 million steps a second."""
    v = load_parameters().values()
    rng = np.random.default_rng(1)
    batch, query = rng.uniform(1, 512, BLOCK), rng.integers(1, 5, BLOCK).astype(float)
    context = rng.uniform(512, 32768, BLOCK)
    steps = 8

    def run():
        terms = decode_terms(block.agg, v, query, context)
        for _ in range(steps):
            terms.total(batch)

    benchmark(run)
    rate = steps * BLOCK / benchmark.stats.stats.median
    benchmark.extra_info["steps_per_s"] = rate
    assert rate > 3e6


def test_closed_loop_solves(benchmark, block):
    """Memory check, prefill, waiting and the loop of each row: at least 0.3 million a second."""
    v = load_parameters().values()
    load = block.agg_load
    given = Load(
        load.isl_tokens,
        load.osl_tokens,
        load.prefix_cache_hit,
        load.concurrency,
        np.tile([0.0, 1.0, 2.0, 3.0], BLOCK // 4),
        load.speed,
    )
    benchmark(aggregated, block.agg, v, given, block.agg_engines)
    rate = BLOCK / benchmark.stats.stats.median
    benchmark.extra_info["solves_per_s"] = rate
    assert rate > 3e5


def test_calibration_call(benchmark, block):
    """One evaluation of every row for one parameter vector, as a fit repeats it."""
    used = load_parameters()
    index = {name: i for i, name in enumerate(used.names)}
    benchmark(solve, block, used.values(), index)
    assert benchmark.stats.stats.median < 0.05


@pytest.mark.benchmark(timer=time.process_time)
def test_frontier_of_one_workload(benchmark):
    """Every layout, split, load and draft depth with memory check and limits: a million a second of processor time."""
    found = benchmark(search, "gb200-nvl72", "deepseek-r1", 8192, 1024, tpot_limit_ms=25.0)
    rate = found.candidates / benchmark.stats.stats.min
    benchmark.extra_info["candidates_per_s"] = rate
    assert rate > 1e6


def test_a_report_of_searches_stays_quick_and_small():
    """12 accelerators x 6 models x 5 workloads: under 20 s, under 1 GB."""
    chips = ("h100-sxm", "h200-sxm", "b200-hgx", "b300-hgx", "gb200-nvl72", "gb300-nvl72")
    chips += ("mi300x", "mi325x", "mi355x", "tpu-v7", "a100-80gb-sxm", "l40s")
    names = ("gpt-oss-120b", "deepseek-r1", "llama-3.3-70b", "qwen3-30b-a3b", "kimi-k2", "deepseek-v3.2")
    lengths = ((1024, 1024), (8192, 1024), (1024, 8192), (32768, 1024), (131072 - 2048, 1024))
    tracemalloc.start()
    start = time.perf_counter()
    for chip in chips:
        for name in names:
            for isl, osl in lengths:
                if name != "qwen3-30b-a3b" or isl + osl <= 40960:
                    search(chip, name, isl, osl, tpot_limit_ms=50.0)
    assert time.perf_counter() - start < 20.0
    assert tracemalloc.get_traced_memory()[1] < 1e9
    tracemalloc.stop()
