"""Model arithmetic against published totals; known answers; each exception with its reason."""

from __future__ import annotations

import math

import pytest

from rackecon import catalog
from rackecon.catalog.architecture import attention_params, ffn_params

MODELS = catalog.models()
WANTED = [
    "gpt-oss-120b", "gpt-oss-20b", "deepseek-r1", "deepseek-v3", "deepseek-v3.2", "deepseek-v4-pro", "llama-3.1-8b",
    "llama-3.1-70b", "llama-3.1-405b", "llama-3.3-70b", "llama-4-scout", "llama-4-maverick", "mixtral-8x7b", "qwen3-8b",
    "qwen3-32b", "qwen3-30b-a3b", "qwen3-235b-a22b", "qwen3-coder-480b-a35b", "qwen3.5-397b-a17b", "kimi-k2", "kimi-k2.5",
    "glm-4.5", "glm-5", "minimax-m2",
]  # fmt: skip


def test_every_wanted_model_is_there():
    assert set(WANTED) <= set(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_total_parameters_are_within_two_percent_of_the_published_ones(name):
    model = MODELS[name]
    if not math.isfinite(model.published_total_params):
        assert model.exception_reason
        return
    assert model.total_params == pytest.approx(model.published_total_params, rel=0.02)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_computed_sizes_equal_the_ones_stated_with_the_configuration(name):
    row = next(r for r in catalog.read_rows("models") if r["id"] == name)
    model = MODELS[name]
    for size in (
        "total_params",
        "active_params",
        "native_weight_bytes",
        "kv_bytes_per_token_bf16",
        "kv_bytes_per_token_fp8",
    ):
        assert getattr(model, size) == pytest.approx(float(row[f"stated_{size}"]), rel=0.002), size


def test_models_carried_without_arithmetic_say_why():
    stated = {name for name, model in MODELS.items() if model.arithmetic == "stated"}
    assert stated == {
        "deepseek-v4-pro", "deepseek-v4-flash", "kimi-k3", "minimax-m3", "nemotron-3-nano-30b-a3b",
        "nemotron-3-super-120b-a12b", "nemotron-3-ultra-550b-a55b",
    }  # fmt: skip
    assert all(MODELS[name].exception_reason for name in stated)


def test_deepseek_v3_weighs_671_gb_in_fp8():
    model = MODELS["deepseek-v3"]
    assert model.total_params / 1e9 == pytest.approx(671.0, abs=0.1)
    assert model.native_weight_bytes / 1e9 == pytest.approx(672.9, abs=0.1)  # embedding and head stay in bf16


def test_deepseek_v3_cache_is_70272_bytes_a_token():
    # 61 layers x (512 + 64) values x 2 bytes
    assert MODELS["deepseek-v3"].kv_bytes_per_token_bf16 == 61 * 576 * 2 == 70272


def test_gpt_oss_120b_weighs_65_gb_as_released():
    assert MODELS["gpt-oss-120b"].native_weight_bytes / 1e9 == pytest.approx(65.25, abs=0.1)


def test_llama_layer_by_hand():
    # 4096 x 4096 twice, 4096 x 1024 twice; three matrices of 4096 x 14336
    shapes = {
        "hidden": 4096,
        "n_heads": 32,
        "n_kv_heads": 8,
        "head_dim": 128,
        "kv_lora_rank": 0,
        "gated_attention": False,
        "attention_bias": False,
    }
    assert attention_params(shapes) == 2 * 4096 * 4096 + 2 * 4096 * 1024
    assert ffn_params(4096, 14336, True) == 3 * 4096 * 14336


def test_memory_counts_gib_and_links_one_direction():
    chip = catalog.accelerator("gb200-nvl72")
    assert chip.hbm_bytes == 186 * 2**30
    assert chip.scaleup_bytes_per_s == 900e9
    assert chip.scaleout_bytes_per_s == 50e9


def test_a_chip_without_a_format_runs_it_wider():
    hopper = catalog.accelerator("h100-sxm")
    assert hopper.peak_flops("fp4") == hopper.peak_flops("bf16") == 989e12
    assert catalog.accelerator("b200-hgx").peak_flops("fp4") == 9e15


def test_announced_parts_are_marked():
    assert {k for k, a in catalog.accelerators().items() if a.status == "announced"} >= {"vr-nvl72", "mi455x"}
    vendors = {a.vendor for a in catalog.accelerators().values()}
    assert {"nvidia", "amd", "google", "aws", "intel"} <= vendors
