"""Step times: limits that physics sets, whatever the layout."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackecon.catalog import accelerator, model
from rackecon.performance.cells import Cells
from rackecon.performance.curve import share_at
from rackecon.performance.engine import PRECISION_BITS, build_engine, engine_of_layouts
from rackecon.performance.moe import distinct_experts, rank_imbalance
from rackecon.performance.parameters import load_parameters
from rackecon.performance.shares import reached_bandwidth
from rackecon.performance.step import decode_step, decode_terms, pass_terms, prefill_pass

USED = load_parameters()
V = USED.values()
INDEX = {name: i for i, name in enumerate(USED.names)}
CHIPS = ("h100-sxm", "h200-sxm", "b200-hgx", "gb200-nvl72", "mi300x", "mi355x", "tpu-v7")
MODELS = (
    "llama-3.3-70b",
    "gpt-oss-120b",
    "deepseek-r1",
    "deepseek-v3.2",
    "deepseek-v4-pro",
    "qwen3-next-80b-a3b",
    "llama-4-scout",
    "qwen3-30b-a3b",
    "gemma-3-27b",
)
chips, names = st.sampled_from(CHIPS), st.sampled_from(MODELS)
layouts = st.sampled_from([(1, 1, 1, False), (8, 1, 1, False), (8, 8, 1, False), (8, 8, 1, True), (4, 1, 2, False)])
QUICK = settings(max_examples=60, deadline=None)


def engine_of(chip, name, layout=(8, 1, 1, False), precision="fp8", kv="fp8", changes=None):
    """One engine row; ``changes`` replaces fields of the accelerator."""
    tp, ep, pp, dp = layout
    arch = model(name)
    record = replace(accelerator(chip), **(changes or {}))
    return build_engine(
        [record],
        [arch],
        [precision],
        [kv],
        ["vllm"],
        ["aggregated"],
        np.array([float(tp)]),
        np.array([float(ep if arch.is_moe else 1)]),
        np.array([float(pp)]),
        np.array([dp]),
        INDEX,
    )


def same(engine, other):
    """Whether two hold the same values, which may stand once for all rows in either."""
    named = [name for name in engine.__dataclass_fields__ if name not in ("keys", "distinct_share", "share_row")]
    pairs = [(getattr(engine, name), getattr(other, name)) for name in named]
    pairs += [(engine.keys[group], other.keys[group]) for group in engine.keys | other.keys]
    pairs.append((engine.distinct_share[engine.share_row], other.distinct_share[other.share_row]))
    return all(np.array_equal(*np.broadcast_arrays(one, two)) for one, two in pairs)


@pytest.mark.parametrize("name", ["deepseek-r1", "llama-3.3-70b", "gpt-oss-120b"])
def test_engines_of_one_platform_are_those_of_its_rows(name):
    tp, pp, ranks = np.array([1.0, 8.0, 8.0]), np.array([1.0, 1.0, 2.0]), np.array([False, True, False])
    ep, software = np.where(model(name).is_moe, tp, 1.0), ("fp8", "fp8", "trtllm", "aggregated")
    made = engine_of_layouts(accelerator("h200-sxm"), model(name), *software, (tp, ep, pp, ranks), INDEX)
    rows = build_engine(
        [accelerator("h200-sxm")] * 3, [model(name)] * 3, *([x] * 3 for x in software), tp, ep, pp, ranks, INDEX
    )
    assert made.hbm_bytes.size == 1
    assert same(made, rows)
    assert not same(made, replace(rows, tp=rows.tp[::-1]))


def step_s(engine, batch=16.0, query=1.0, context=4096.0):
    return decode_step(engine, V, np.array([batch]), np.array([query]), np.array([context])).total[0]


@QUICK
@given(chips, names)
def test_what_stands_once_for_all_layouts_gives_the_same_times(chip, name):
    """Rows of one platform that share what is not a layout's, and a choice of them: to the last bit."""
    wide, arch = np.array([1.0, 8.0, 8.0]), model(name)
    one = [accelerator(chip)] * 3, [arch] * 3, *([x] * 3 for x in ("fp8", "fp8", "vllm", "aggregated"))
    rows = build_engine(*one, wide, np.where(arch.is_moe, wide, 1.0), np.ones(3), np.array([False, False, True]), INDEX)
    shared, few = rows.condensed(), np.array([2, 0])
    assert shared.hbm_bytes.size == shared.keys["memory"].size == 1
    for engine, again in ((rows, shared), (rows.take(few), shared.take(few))):
        batch = np.full(len(engine.tp), 16.0)
        found, other = (decode_step(x, V, batch, np.ones(1), np.full(1, 4096.0)).total for x in (engine, again))
        assert found.tolist() == other.tolist()


@QUICK
@given(chips, names, layouts, st.floats(1.01, 4.0), st.floats(1, 512), st.floats(128, 65536))
def test_more_bandwidth_is_never_slower(chip, name, layout, factor, batch, context):
    base = accelerator(chip)
    faster = {"hbm_bytes_per_s": base.hbm_bytes_per_s * factor}
    assert step_s(engine_of(chip, name, layout, changes=faster), batch, 1.0, context) <= step_s(
        engine_of(chip, name, layout), batch, 1.0, context
    ) * (1 + 1e-12)


@QUICK
@given(chips, names, layouts, st.floats(1, 512), st.floats(128, 65536), st.floats(1.0, 8.0))
def test_a_step_never_falls_with_context_batch_or_drafts(chip, name, layout, batch, context, factor):
    engine = engine_of(chip, name, layout)
    base = step_s(engine, batch, 1.0, context)
    slack = 1 - 1e-12
    assert step_s(engine, batch, 1.0, context * factor) >= base * slack
    assert step_s(engine, batch * factor, 1.0, context) >= base * slack
    assert step_s(engine, batch, factor, context) >= base * slack


@QUICK
@given(st.sampled_from(CHIPS), st.sampled_from(("llama-3.1-8b", "llama-3.3-70b", "qwen3-32b")))
def test_batch_one_is_bound_by_weights_over_bandwidth(chip, name):
    arch = model(name)
    engine = engine_of(chip, name, (8, 1, 1, False))
    # projections, feed-forward in 8 bits and the head in 16, from eight memories at full published bandwidth
    head = arch.vocab * arch.hidden
    least = (arch.active_params - head + 2.0 * head) / (8.0 * accelerator(chip).hbm_bytes_per_s)
    faster = max(float(V[engine.keys["memory"]][0]), 1.0)  # a fitted multiplier above 1 absorbs kernel starts
    assert step_s(engine, 1.0, 1.0, 128.0) > least / faster


@QUICK
@given(names, st.floats(1, 4096))
def test_throughput_at_growing_batch_stays_under_the_roofline(name, batch):
    chip, arch = accelerator("h200-sxm"), model(name)
    rate = batch / step_s(engine_of("h200-sxm", name), batch, 1.0, 1024.0)
    peak = 8.0 * chip.peak_fp8_flops
    assert 2.0 * arch.active_params * rate < peak


@pytest.mark.parametrize("layout", [(8, 8, 1, True), (8, 8, 1, False), (8, 1, 2, False), (1, 1, 1, False)])
@pytest.mark.parametrize("name", ["deepseek-r1", "llama-3.3-70b"])
def test_terms_and_step_agree(name, layout):
    terms = decode_terms(engine_of("b200-hgx", name, layout), V, np.array([3.0]), np.array([2000.0]))
    for n in (np.array([0.2]), np.array([5.0]), np.array([37.0]), np.array([1e7])):
        assert terms.total(n)[0] == pytest.approx(terms.step(n).total[0], rel=1e-12)


def test_the_share_of_experts_is_read_off_its_curve():
    engine = engine_of("b200-hgx", "deepseek-r1", (8, 1, 1, False))
    tokens = np.array([1.0, 3.0, 64.0, 1000.0])
    read = share_at(engine.share_lines, np.zeros(1, dtype=np.intp), tokens)
    assert read == pytest.approx(distinct_experts(tokens, 256, 8) / 256, rel=1e-12)


def test_chosen_cells_have_the_times_of_the_whole_grid():
    """Layouts down, draft depths across, loads behind: any cells of the grid, by curve, by terms and by pass."""
    layouts = [(4, 1, 1, False), (8, 8, 1, True), (8, 1, 2, False)]
    many = build_engine(
        [accelerator("b200-hgx")] * 3,
        [model("deepseek-r1")] * 3,
        ["fp8"] * 3,
        ["fp8"] * 3,
        ["vllm"] * 3,
        ["aggregated"] * 3,
        *(np.array([float(x[i]) for x in layouts]) for i in range(3)),
        np.array([x[3] for x in layouts]),
        INDEX,
    ).take(np.arange(3).reshape(3, 1, 1))
    loads = np.array([1.0, 7.0, 60.0, 300.0, 2000.0])
    terms = decode_terms(many, V, np.array([[1.0], [3.0]]), np.array([4096.0]))
    whole = terms.total(loads)
    assert whole.shape == (3, 2, 5)
    chosen = np.array([0, 4, 13, 22, 29])
    cells = Cells(whole.shape, chosen)
    n = cells.of(loads)
    assert terms.curve.at(cells).total(n) == pytest.approx(whole.ravel()[chosen], rel=1e-14)
    assert terms.at(cells).step(n).total == pytest.approx(whole.ravel()[chosen], rel=1e-12)


def test_pass_terms_handed_on_change_nothing():
    engine = engine_of("b200-hgx", "deepseek-r1", (8, 8, 1, True))
    known, one = pass_terms(engine, V), np.ones(1)
    cells = Cells((1,), np.array([0, 0]))
    assert known.at(cells).network[1].tolist() == [known.network[1][0]]  # one value for all stays one
    alone, given = (prefill_pass(engine, V, 900 * one, 100 * one, one, 9 * one, x) for x in (None, known))
    assert alone == given
    terms = [decode_terms(engine, V, one, 900 * one, x) for x in (None, known)]
    assert terms[0].total(7 * one) == terms[1].total(7 * one)
    assert alone != prefill_pass(engine, 1.1 * V, 900 * one, 100 * one, one, 9 * one)


def test_window_layers_stop_growing_with_context():
    engine = engine_of("b200-hgx", "gpt-oss-120b", (1, 1, 1, False), "fp4")
    terms = [decode_terms(engine, V, np.array([1.0]), np.array([c])).kv[0] for c in (1e5, 2e5)]
    arch = model("gpt-oss-120b")
    full = 2 * arch.n_kv_heads * arch.head_dim * arch.full_layers * 1e5
    share = engine.kv_bandwidth * V[engine.keys["memory"]]
    growth = (terms[1] - terms[0]) * float(reached_bandwidth(engine.hbm_bytes_per_s, share)[0])
    assert growth == pytest.approx(full, rel=0.02)


def test_latent_attention_turns_compute_bound_with_drafts():
    engine = engine_of("h200-sxm", "deepseek-r1", (8, 8, 1, True), kv="bf16")
    one, four = (decode_terms(engine, V, np.array([q]), np.array([8192.0])).kv[0] for q in (1.0, 4.0))
    assert four > 2.0 * one  # the same cache is read once; the arithmetic is done for each drafted token


def test_sparse_attention_reads_little_of_a_long_context():
    dense, sparse = (
        decode_terms(engine_of("b200-hgx", name), V, np.array([1.0]), np.array([1e5])).kv[0]
        for name in ("deepseek-r1", "deepseek-v3.2")
    )
    assert sparse < 0.5 * dense


@QUICK
@given(st.integers(1, 512), st.floats(0.0, 1.0))
def test_rank_imbalance_is_at_least_one(ep, per_doubling):
    assert float(rank_imbalance(ep, per_doubling)) >= 1.0


@pytest.mark.parametrize(
    ("tokens", "experts", "top_k", "uniform", "skewed"),
    [(64, 256, 8, 222, 175), (16, 128, 4, 51, 42), (128, 384, 8, 358, 287), (1, 128, 8, 8, 8)],
)
def test_distinct_experts_match_the_published_table(tokens, experts, top_k, uniform, skewed):
    assert float(distinct_experts(tokens, experts, top_k, sigma=0.0)) == pytest.approx(uniform, abs=0.6)
    assert float(distinct_experts(tokens, experts, top_k, sigma=1.0)) == pytest.approx(skewed, rel=0.015)


@QUICK
@given(st.floats(1, 1e5), st.sampled_from([(256, 8), (128, 4), (512, 10), (8, 2)]), st.floats(0, 1.5))
def test_distinct_experts_stay_between_top_k_and_all(tokens, shape, sigma):
    experts, top_k = shape
    found = float(distinct_experts(tokens, experts, top_k, sigma=round(sigma, 1)))
    assert top_k * (1 - 1e-6) <= found <= experts * (1 + 1e-9)


@QUICK
@given(chips, names, layouts, st.integers(256, 32768), st.floats(0.0, 0.95))
def test_a_prefix_cache_shortens_prefill(chip, name, layout, isl, hit):
    engine = engine_of(chip, name, layout)
    one = np.array([1.0])
    full, _ = prefill_pass(engine, V, np.array([float(isl)]), np.array([0.0]), one)
    cached, _ = prefill_pass(engine, V, np.array([isl * (1 - hit)]), np.array([isl * hit]), one)
    assert cached[0] <= full[0] * (1 + 1e-9)


def test_light_load_shortens_prefill_of_data_parallel_attention():
    engine = engine_of("b200-hgx", "deepseek-r1", (8, 8, 1, True))
    fresh, past, one = np.array([8192.0]), np.array([0.0]), np.array([1.0])
    light, busy = prefill_pass(engine, V, fresh, past, one, np.array([1.0]))
    heavy, busy_heavy = prefill_pass(engine, V, fresh, past, one, np.array([4096.0]))
    assert light[0] < 0.8 * heavy[0]
    assert busy[0] == busy_heavy[0]


def test_an_indexer_reads_its_keys_of_the_whole_context() -> None:
    """Where nothing else is read, the cache's time is the keys of every token at the reached bandwidth."""
    made = engine_of("h200-sxm", "deepseek-v3.2")
    none = np.zeros(1)
    bare = replace(
        made, kv_full_bytes=none, kv_window_bytes=none, state_bytes=none, decode_flop_per_context=none, decode_flop_per_window=none
    )  # fmt: skip
    context, one = 8192.0, np.ones(1)
    read = decode_terms(bare, V, one, context * one).kv
    rate = reached_bandwidth(made.hbm_bytes_per_s, made.kv_bandwidth * V[made.keys["memory"]])
    assert made.kv_index_bytes[0] > 0
    assert read == pytest.approx(made.kv_index_bytes * context / made.kv_shard / rate, rel=1e-12)


@pytest.mark.parametrize(("width", "overlapped"), [(24, False), (32, True), (64, True)])
def test_experts_over_the_network_overlap_from_a_width_of_32(width: int, overlapped: bool) -> None:
    """All-to-all of DeepSeek-R1 between boxes: its start a layer is the one of two micro-batches in turn, or not."""
    made = engine_of("h100-sxm", "deepseek-r1", (width, width, 1, True))
    start = V[made.keys["wide_start" if overlapped else "a2a_start"]] * 1e-6
    assert made.crosses_nic[0] == 1.0
    assert pass_terms(made, V).network[0] == pytest.approx(made.moe_layers * start, rel=1e-12)


def test_what_starts_a_step_by_hand():
    """Layers, latent attention, experts and an index start kernels in each of their layers; the host, and a drafting head once."""
    for name in ("deepseek-v3.2", "deepseek-r1", "llama-3.3-70b"):
        engine, arch = engine_of("b200-hgx", name), model(name)
        at = {
            word: float(V[engine.keys[word]][0])
            for word in ("layer", "mla_layer", "moe_start", "index_layer", "host", "mtp_extra")
        }
        moe_layers = float(engine.moe_layers[0]) if arch.is_moe else 0.0
        kernels = arch.layers * at["layer"] + arch.index_layers * at["index_layer"] + moe_layers * at["moe_start"]
        kernels += arch.layers * at["mla_layer"] if arch.is_mla else 0.0
        by_hand = kernels * 1e-6 + at["host"] * 1e-3
        for query, more in ((1.0, 0.0), (3.0, at["mtp_extra"] * 1e-3)):
            terms = decode_terms(engine, V, np.array([query]), np.array([4096.0]))
            assert float(terms.fixed[0][0]) == pytest.approx(by_hand + more, rel=1e-12)
        assert float(terms.fixed[1][0]) == pytest.approx(float(V[engine.keys["sequence"]][0]) * 1e-6, rel=1e-12)


def test_what_is_sent_between_ranks_by_hand():
    """Tensor parallel: two rings a layer. Ranks over experts: two of three bytes a value to the others that a token reaches, in
    the open by a share. Ranks over experts that stay tensor parallel: a ring a layer, nothing per token of a rank."""
    tensor, spread, ranked = (
        engine_of("b200-hgx", "deepseek-r1", (8, ep, 1, dp)) for ep, dp in ((1, False), (8, True), (1, True))
    )
    chip = accelerator("b200-hgx")
    factor = float(V[tensor.keys["allreduce"]][0])
    start = float(tensor.link_start_s[0]) * factor
    rate = float(tensor.link_bytes_per_s[0])
    ring = 2.0 * 7.0 / 8.0 * float((tensor.hidden * tensor.value_bytes)[0]) / rate
    moe = float(tensor.moe_layers[0])
    found = [tuple(float(x[0]) for x in pass_terms(engine, V).network) for engine in (tensor, spread, ranked)]
    layers = model("deepseek-r1").layers
    assert chip.family == "blackwell"
    assert found[0] == pytest.approx((2.0 * layers * start, 2.0 * layers * factor * ring, 0.0), rel=1e-12)
    arrive, exposed = (float(V[spread.keys[word]][0]) for word in ("a2a_start", "exposed"))
    sent = float(spread.hidden[0]) * 3.0 * 8.0 * 7.0 / 8.0 / rate
    assert found[1] == pytest.approx((moe * arrive * 1e-6, 0.0, moe * sent * exposed), rel=1e-12)
    assert found[2] == pytest.approx((moe * 2.0 * start, moe * ring, 0.0), rel=1e-12)


def test_bits_of_a_weight_count_the_scales_of_its_format():
    # one scale of 16 bits for 32 weights of INT4; one of 8 for 16 of NVFP4
    assert PRECISION_BITS == {"bf16": 16.0, "fp8": 8.0, "fp4": 4 + 8 / 16, "int4": 4 + 16 / 32}
    routed = 60 * 384 * 3 * 7168 * 2048  # Kimi-K2.5: expert layers, experts, matrices, their sides
    assert engine_of("h200-sxm", "kimi-k2.5", precision="int4").routed_bytes == pytest.approx(routed * 4.5 / 8)


def test_compressed_attention_reads_an_entry_for_sixteen_tokens():
    # DeepSeek-V4-Flash: 43 layers, 64 heads of 512; two products of two operations a pair, one head of keys as values
    found = engine_of("b200-hgx", "deepseek-v4-flash", kv="fp8")
    assert found.decode_flop_per_context == pytest.approx(4 * 43 * 64 * 512 / 16)
    assert found.prefill_flop_per_pair == pytest.approx(4 * 43 * 64 * 512 / 16)
    assert (found.kv_window_bytes, found.window_layers) == (pytest.approx(43 * 512 * 2), 43.0)
    assert found.kv_full_bytes == 6880 / 2  # a token at 8 bits, as published: no product of heads and widths


def test_a_stated_window_cache_is_spread_over_the_tokens_of_its_window():
    """2,570 bytes at 16 bits for a window of 128 tokens: at 8 bits 1,285 / 128 bytes a token."""
    arch = replace(model("gpt-oss-120b"), arithmetic="stated", kv_fixed_bytes_bf16=2570.0, window_tokens=128)
    one, layout = np.ones(1), (np.array([False]), INDEX)
    made = build_engine(
        [accelerator("h200-sxm")], [arch], ["fp8"], ["fp8"], ["vllm"], ["aggregated"], one, one, one, *layout
    )
    assert made.kv_window_bytes == 1285 / 128


def test_blocks_that_a_native_8_bit_checkpoint_keeps_wide_are_read_wide():
    """Attention, dense layers and shared experts at 16 bits beside 8-bit experts: two bytes a parameter."""
    arch = replace(model("deepseek-r1"), native_other_bits=16.0)
    one, layout = np.ones(1), (np.array([False]), INDEX)
    made = build_engine(
        [accelerator("h200-sxm")], [arch], ["fp8"], ["fp8"], ["vllm"], ["aggregated"], one, one, one, *layout
    )
    assert made.dense_params > 0
    assert made.shared_params > 0
    assert made.dense_bytes == 2.0 * made.dense_params
    assert made.shared_bytes == 2.0 * made.shared_params
    assert made.attention_bytes == 2.0 * made.attention_params
