"""Memory of a GPU: shards add up, caches shard as their heads allow, what does not fit says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_performance_step import CHIPS, MODELS, engine_of

from rackecon.catalog import accelerator, model
from rackecon.performance.memory import ledger, reserved_context
from rackecon.performance.parameters import load_parameters


def room_of(engine, context=4096.0):
    return ledger(engine, np.array([float(context)]))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CHIPS), st.sampled_from(MODELS), st.sampled_from([1, 2, 4, 8]))
def test_shards_sum_to_the_model(chip, name, width):
    whole, shard = (float(room_of(engine_of(chip, name, (w, 1, 1, False))).weight_bytes[0]) for w in (1, width))
    assert shard * width == pytest.approx(whole, rel=1e-9)


def test_data_parallel_attention_replicates_attention_alone():
    plain, spread = (engine_of("b200-hgx", "deepseek-r1", (8, 8, 1, dp)) for dp in (False, True))
    extra = float((room_of(spread).weight_bytes - room_of(plain).weight_bytes)[0])
    assert extra == pytest.approx(float(plain.attention_bytes[0]) * 7 / 8, rel=1e-9)


def test_a_latent_cache_is_held_whole_on_each_tensor_rank_and_once_with_data_parallel_attention():
    tensor, spread = (room_of(engine_of("b200-hgx", "deepseek-r1", (8, 8, 1, dp)), 10_000) for dp in (False, True))
    one = 70272 / 2 * 10_000  # bytes of a latent in 8 bits
    assert float(tensor.sequence_bytes[0]) == pytest.approx(one, rel=1e-6)
    assert float(spread.sequence_bytes[0]) == pytest.approx(one, rel=1e-6)
    ratio = float(spread.max_sequences[0] / spread.cache_bytes[0] / (tensor.max_sequences[0] / tensor.cache_bytes[0]))
    assert ratio == pytest.approx(8.0, rel=1e-9)


def test_grouped_heads_shard_up_to_their_number():
    wide = room_of(engine_of("h200-sxm", "llama-3.3-70b", (8, 1, 1, False)), 1000).sequence_bytes[0]
    assert float(wide) == pytest.approx(327_680 / 2 * 1000 / 8, rel=1e-9)
    wider = room_of(engine_of("h200-sxm", "llama-3.3-70b", (16, 1, 1, False)), 1000).sequence_bytes[0]
    assert float(wider) == pytest.approx(float(wide), rel=1e-9)


def test_released_weights_weigh_what_is_published():
    plain = engine_of("gb200-nvl72", "gpt-oss-120b", (1, 1, 1, False), "fp4")
    # 65.25 GB native counts the input table once; the ledger holds table and head
    assert float(room_of(plain).weight_bytes[0]) / 1e9 == pytest.approx(65.25, rel=0.02)
    eight = engine_of("gb200-nvl72", "deepseek-r1", (8, 1, 1, False), "fp8")
    assert float(room_of(eight).weight_bytes[0]) * 8 / 1e9 == pytest.approx(672.9, rel=0.01)


def test_deepseek_in_eight_bits_fits_four_b200_and_not_eight_h100():
    assert room_of(engine_of("b200-hgx", "deepseek-r1", (4, 1, 1, False)), 2048).fits[0]
    none = room_of(engine_of("h100-sxm", "deepseek-r1", (8, 1, 1, False)), 2048)
    assert not none.fits[0]
    assert "weights 84." in none.text()
    assert float(none.hbm_bytes[0]) == accelerator("h100-sxm").hbm_bytes


def test_an_engine_without_eviction_sets_aside_whole_requests():
    from rackecon.performance.engine import build_engine

    used = load_parameters()
    index = {name: i for i, name in enumerate(used.names)}
    arch, chip = model("llama-3.3-70b"), accelerator("h200-sxm")
    one = np.array([1.0])
    engines = [
        build_engine([chip], [arch], ["fp8"], ["fp8"], [e], ["aggregated"], one * 2, one, one, np.array([False]), index)
        for e in ("trtllm", "vllm")
    ]
    kept = [float(reserved_context(e, one * 1000, one * 2000)[0]) for e in engines]
    assert kept[0] == 3000.0
    assert 2000.0 < kept[1] < 3000.0


def test_one_pool_keeps_the_whole_context_of_window_layers():
    from rackecon.performance.engine import build_engine

    used = load_parameters()
    index = {name: i for i, name in enumerate(used.names)}
    arch, chip, one = model("gpt-oss-120b"), accelerator("h200-sxm"), np.array([1.0])
    held = [
        float(
            room_of(
                build_engine([chip], [arch], ["fp4"], ["bf16"], [e], ["aggregated"], one, one, one, one < 0, index),
                10_000,
            ).sequence_bytes[0]
        )
        for e in ("trtllm", "vllm")
    ]
    assert held[0] == pytest.approx(73_728 * 10_000)  # both kinds of layer, 36 in all
    assert held[1] == pytest.approx(36_864 * 10_000 + 4_718_592)


def test_the_ledger_of_each_sequence_asked_for_is_told():
    """Of one layout, for two lengths on an axis before it: only the sequence differs, and is as long as it is."""
    engine = engine_of("h100-sxm", "llama-3.3-70b")
    short, long = ledger(engine, np.array([[1000.0], [4000.0]])).texts(0)
    start, _, one = short.rpartition("one sequence ")
    assert long.startswith(start)
    assert float(long.rpartition("one sequence ")[2].split()[0]) == pytest.approx(
        4.0 * float(one.split()[0]), abs=2.6e-3
    )  # three places are told
    assert short == room_of(engine, 1000.0).text()
