"""The search: a true front, its limits, reasons for nothing, and points that a prediction confirms."""

import numpy as np
import pytest

from rackecon.errors import InputError
from rackecon.performance.parameters import load_parameters
from rackecon.serving.explain import memory_use
from rackecon.serving.front import fronts, pareto_rows
from rackecon.serving.frontier import candidates, search
from rackecon.serving.launch_flags import SERVERS, launch_flags
from rackecon.serving.points import Points
from rackecon.serving.predict import predict
from rackecon.serving.query import Query


def test_the_front_has_no_dominated_point_and_is_sorted():
    front = search("gb200-nvl72", "deepseek-r1", 8192, 1024)
    speed, rate = front.rows["tok_s_per_user"], front.rows["total_tok_s_per_gpu"]
    assert len(front) > 10
    assert (np.diff(speed) > 0).all()
    assert (np.diff(rate) < 0).all()


def test_limits_bind_medians_and_percentiles():
    median = search("b200-hgx", "gpt-oss-120b", 1024, 1024, tpot_limit_ms=10, ttft_limit_ms=1000)
    strict = search(
        "b200-hgx", "gpt-oss-120b", 1024, 1024, tpot_limit_ms=10, ttft_limit_ms=1000, latency_statistic="p99"
    )
    assert (median.rows["tpot_ms"] <= 10).all()
    assert (median.rows["ttft_ms"] <= 1000).all()
    assert strict.best()["total_tok_s_per_gpu"] <= median.best()["total_tok_s_per_gpu"]


@pytest.mark.parametrize("mode", ["aggregated", "disaggregated"])
def test_a_prediction_confirms_each_point(mode):
    front = search("gb200-nvl72", "deepseek-r1", 1024, 1024, mode=mode, date="2026-03-01")
    rows = [{**row, "isl": 1024, "osl": 1024, "date": "2026-03-01"} for row in front.table.to_dict("records")]
    if mode == "aggregated":
        pools = {name: "" for name in rows[0] if name.startswith(("prefill_", "decode_"))}
        rows = [{**row, **pools} for row in rows]
    found = predict(Points.from_rows(rows))
    # of pools either side is found by iteration, from the load or from what runs
    rate, first = (1e-6, 1e-6) if mode == "aggregated" else (1e-3, 5e-3)
    assert np.allclose(found.total_tok_s_per_gpu, front.rows["total_tok_s_per_gpu"], rtol=rate)
    assert np.allclose(found.ttft_ms, front.rows["ttft_ms"], rtol=first)
    assert (found.bottleneck == front.rows["bottleneck"]).all()
    assert (front.rows["gpus"] == front.rows["prefill_gpus"] + front.rows["decode_gpus"]).all()
    share = front.rows["prefill_gpu_share"]
    assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize(("chip", "limit"), [("b200-hgx", None), ("gb300-nvl72", 2000.0)])
def test_a_prediction_confirms_points_whose_prompts_share_a_pass(chip, limit):
    """Rates were up to 14 % and first tokens up to 56 % off: pools that seemed to wait less than they do were on the front."""
    front = search(chip, "gpt-oss-120b", 4000, 500, mode="disaggregated", ttft_limit_ms=limit)
    found = predict(Points.from_rows([{**row, "isl": 4000, "osl": 500} for row in front.table.to_dict("records")]))
    for name, rel in (("total_tok_s_per_gpu", 3e-3), ("tok_s_per_user", 1e-3), ("ttft_ms", 5e-3)):
        assert getattr(found, name) == pytest.approx(front.rows[name], rel=rel), name


def test_nothing_fits_is_said_with_the_ledger():
    front = search("h100-sxm", "deepseek-r1", 1024, 1024, weight_precision="fp8", hold={"tp": 8, "pp": 1})
    assert front.best() is None
    assert front.reason.startswith("does not fit: per GPU: HBM 85.9 GB, weights")


def test_nothing_is_fast_enough_is_said_with_the_fastest():
    front = search("h100-sxm", "llama-3.3-70b", 1024, 1024, tpot_limit_ms=0.5)
    assert front.reason.startswith("no layout reaches 2,000 tok/s/user: the fastest gives")
    assert "e+" not in search("h100-sxm", "llama-3.3-70b", 131072, 4096, ttft_limit_ms=1.0).reason


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"isl_tokens": 0}, "isl_tokens"),
        ({"osl_tokens": float("nan")}, "osl_tokens"),
        ({"prefix_cache_hit": 1.0}, "prefix_cache_hit"),
        ({"tpot_limit_ms": -1}, "tpot_limit_ms"),
        ({"mode": "agregated"}, "aggregated"),
        ({"engine": "vlm"}, "vllm"),
        ({"hold": {"tpp": 8}}, "tp"),
    ],
)
def test_faults_are_named(arguments, text):
    given = {"isl_tokens": 1024, "osl_tokens": 1024, **arguments}
    with pytest.raises(InputError, match=text):
        search("h100-sxm", "llama-3.3-70b", **given)


def test_candidates_keep_their_order_when_lengths_change():
    first, second = (candidates("b200-hgx", "gpt-oss-120b", isl, 1024) for isl in (1024, 4096))
    for name in ("mode", "tp", "ep", "dp_attention", "draft_tokens"):
        assert (first[name] == second[name]).all()


@pytest.mark.parametrize("levels", [3, 40, 4000])
def test_a_front_holds_what_no_other_row_beats(levels):
    """With few levels, many rows have the same speed or rate."""
    rng = np.random.default_rng(levels)
    speed, rate = (np.exp(rng.integers(1, levels + 1, 600) / levels * 5.0) for _ in range(2))
    allowed = rng.random(600) < 0.7
    beaten = (speed >= speed[:, None]) & (rate >= rate[:, None]) & ((speed > speed[:, None]) | (rate > rate[:, None]))
    best = {(speed[i], rate[i]) for i in np.flatnonzero(allowed & ~(beaten & allowed).any(axis=1))}
    rows = pareto_rows(speed, rate, allowed)
    assert len(rows) == len(best)
    assert {(speed[i], rate[i]) for i in rows} == best
    assert (np.diff(speed[rows]) > 0).all()


def test_fronts_of_several_queries_are_those_that_each_has_alone():
    """One of the five has no row that is allowed."""
    rng = np.random.default_rng(5)
    slow = rng.integers(1, 60, 900) / 12.0
    speed, rate = np.exp(-slow), np.exp(slow + rng.random(900))
    query = rng.integers(0, 5, 900)
    allowed = (rng.random(900) < 0.7) & (query != 2)
    alone = [pareto_rows(speed, rate, allowed & (query == each)) for each in range(5)]
    assert min(len(alone[each]) for each in (0, 1, 3, 4)) > 3
    assert fronts(speed, rate, allowed, query).tolist() == np.concatenate(alone).tolist()


def test_a_query_of_other_lengths_is_the_one_that_is_asked_for_them():
    asked = Query.of("h200-sxm", "deepseek-r1", 1000, 500, prefix_cache_hit=0.3, tpot_limit_ms=20.0)
    assert asked.at(2000, 100) == Query.of("h200-sxm", "deepseek-r1", 2000, 100, tpot_limit_ms=20.0)
    with pytest.raises(InputError, match="prefix_cache_hit 1 is out of range"):
        asked.at(2000, 100, 1.0)


@pytest.mark.parametrize("chip", ["gb200-nvl72", "l40s"])
def test_the_front_is_the_best_of_all_candidates(chip):
    """Layouts that the search leaves out, because they do not fit, and its shortcuts lose nothing; what it holds beside the
    candidates, other numbers of decode engines, is beyond their front."""
    front = search(chip, "deepseek-r1", 2048, 512, tpot_limit_ms=40.0)
    every = candidates(chip, "deepseek-r1", 2048, 512)
    assert front.candidates >= len(every["fits"])
    allowed = every["fits"] & (every["tpot_ms"] <= 40.0)
    speed, rate = every["tok_s_per_user"][allowed], every["total_tok_s_per_gpu"][allowed]
    own_speed, own_rate = (front.rows[name][:, None] for name in ("tok_s_per_user", "total_tok_s_per_gpu"))
    near = 1.0 + 1e-12
    assert ((own_speed * near >= speed) & (own_rate * near >= rate)).any(axis=0).all()
    assert not ((speed > own_speed * near) & (rate > own_rate * near)).any()
    same = (np.abs(speed / own_speed - 1.0) < 1e-12) & (np.abs(rate / own_rate - 1.0) < 1e-12)
    assert same.any(axis=1).sum() > 0.4 * len(front)


def test_some_candidates_are_as_they_stand_among_all():
    every = candidates("gb200-nvl72", "deepseek-r1", 2048, 512)
    first, count = int((every["mode"] == "aggregated").sum()), len(every["fits"])
    only = np.array([3, 70, first - 1, first, (first + count) // 2, count - 1])
    some = candidates("gb200-nvl72", "deepseek-r1", 2048, 512, only=only)
    for name, values in some.items():
        if values.dtype.kind == "f":
            assert values == pytest.approx(every[name][only], rel=1e-12, nan_ok=True), name
        else:
            assert (values == every[name][only]).all(), name


def test_one_bench_serves_two_sets_of_parameters():
    """What a platform's passes cost is kept between searches, for the parameters it was worked out with alone."""
    used = load_parameters()
    slow = used.from_vector(used.to_vector() + 0.5)
    first, other, again = (search("h200-sxm", "deepseek-r1", 1024, 1024, parameters=p) for p in (used, slow, used))
    assert (first.table == again.table).all(axis=None)
    assert not np.array_equal(first.rows["tok_s_per_user"], other.rows["tok_s_per_user"])


def test_a_held_layout_is_held():
    front = search("b200-hgx", "deepseek-r1", 1024, 1024, hold={"tp": 8, "dp_attention": True})
    assert set(front.rows["tp"]) == {8.0}
    assert front.rows["dp_attention"].all()


def test_memory_adds_up_and_says_why_it_does_not_fit():
    row = search("h200-sxm", "llama-3.3-70b", 1024, 1024).table.iloc[0].to_dict()
    room = memory_use(row)
    assert room.fits
    assert room.reason == ""
    assert room.weights_gb + room.reserve_gb + room.cache_gb == pytest.approx(room.hbm_gb)
    full = memory_use({**row, "model": "deepseek-r1", "tp": 2})
    assert not full.fits
    assert "weights take" in full.reason


@pytest.mark.parametrize("server", SERVERS)
def test_flags_carry_layout_and_load(server):
    row = search("gb200-nvl72", "deepseek-r1", 8192, 1024, mode="disaggregated", hold={"tp": 8}).table.iloc[0].to_dict()
    text = launch_flags(row, server)
    assert {"vllm": "vllm serve", "sglang": "sglang.launch_server", "trtllm": "trtllm-serve"}[server] in text
    assert " 8 " in text
    wide = {**row, "dp_attention": True, "draft_tokens": 3}
    marks = {
        "vllm": ("--data-parallel-size 8", '"num_speculative_tokens":3'),
        "sglang": ("--enable-dp-attention", "--speculative-num-draft-tokens 4"),
        "trtllm": ("enable_attention_dp: true", "num_nextn_predict_layers: 3"),
    }
    for mark in marks[server]:
        assert mark in launch_flags(wide, server)


def test_an_unknown_server_is_named():
    with pytest.raises(InputError, match="sglang"):
        launch_flags({}, "sglan")


def test_parameters_move_the_front():
    used = load_parameters()
    slow = used.from_vector(used.to_vector() + np.array([3.0 if n.startswith("layer") else 0.0 for n in _free(used)]))
    base, other = (search("h200-sxm", "llama-3.3-70b", 1024, 1024, parameters=p) for p in (used, slow))
    assert other.rows["tok_s_per_user"].max() < base.rows["tok_s_per_user"].max()


def _free(used):
    return [used.names[i] for i in used.free()]
