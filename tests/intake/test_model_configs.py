"""Configurations of many families: counted exactly, or refused by name with a way that works."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rackecon import catalog
from rackecon.catalog.user_rows import add_rows, checked_rows
from rackecon.errors import InputError
from rackecon.intake.config_files import cached_folder, model_name, read_config, read_side
from rackecon.intake.model_config import model_row
from rackecon.intake.quantised import stored
from rackecon.serving.points import Points
from rackecon.serving.predict import predict
from rackecon.serving.query import default_kv_precision, default_weight_precision

PUBLISHED = 0.005
"""Largest difference from a published or counted total."""
WAY_OUT = "rackecon data add models FILE"
LLAMA = {
    "model_type": "llama", "num_hidden_layers": 80, "hidden_size": 8192, "vocab_size": 128256, "num_attention_heads": 64,
    "num_key_value_heads": 8, "intermediate_size": 28672, "max_position_embeddings": 131072,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168, "vocab_size": 129280, "num_attention_heads": 128,
    "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "n_routed_experts": 256, "num_experts_per_tok": 8, "n_shared_experts": 1, "moe_intermediate_size": 2048,
    "intermediate_size": 18432, "first_k_dense_replace": 3, "max_position_embeddings": 163840,
}  # fmt: skip


def spread(value):
    """A configuration with lists written out that the file writes as a pattern and how often it comes."""
    if isinstance(value, dict):
        if set(value) == {"repeat", "times"}:
            return value["repeat"] * value["times"]
        return {key: spread(item) for key, item in value.items()}
    return value


def rate(name):
    """Total tokens a second per GPU of one point."""
    row = dict.fromkeys(("isl", "osl"), 1000) | {
        "accelerator": "h200-sxm",
        "model": name,
        "weight_precision": "fp8",
        "mode": "aggregated",
        "concurrency": 16,
    }
    points = pd.DataFrame([row | {"tp": 8, "ep": 1, "gpus": 8}])
    return float(np.asarray(predict(Points.from_frame(points)).total_tok_s_per_gpu)[0])


MODELS = yaml.safe_load(Path(__file__).with_name("model_configs.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODELS)
def test_counts_and_cache_of_a_family(name):
    case = MODELS[name]
    row = model_row(spread(case["config"]), "new")
    assert row["stated_total_params"] / 1e9 == pytest.approx(case["total"], rel=PUBLISHED)
    if "active" in case:
        assert row["stated_active_params"] / 1e9 == pytest.approx(case["active"], rel=0.01)
    assert row["stated_kv_bytes_per_token_bf16"] == case["kv"]
    assert row["kv_fixed_bytes_bf16"] == case.get("fixed", 0)
    assert row["recurrent_state_bytes"] == case.get("state", 0)


@pytest.mark.parametrize(
    "name",
    [
        "gemma-4-31b",
        "mimo-v2-small",
        "jamba-large-1.5",
        "kimi-linear-48b-a3b",
        "step3-small",
        "deepseek-v4-flash",
        "minimax-m3",
    ],
)
def test_a_row_is_read_back_with_its_sizes_and_served(own, name):
    row = model_row(spread(MODELS[name]["config"]), "mine")
    add_rows("models", [row | {"source_id": "own", "grade": "derived"}])
    made = catalog.model("mine")
    assert made.total_params == pytest.approx(row["stated_total_params"], rel=1e-9)
    assert made.kv_bytes_per_token_bf16 == row["stated_kv_bytes_per_token_bf16"]
    assert rate("mine") > 0


@pytest.mark.parametrize("name", ["deepseek-v4-flash", "minimax-m3", "kimi-k3"])
def test_a_configuration_makes_the_row_that_is_shipped(name):
    """Shapes and sizes of data/models.csv, which were carried from the published files apart from this reader."""
    row, shipped = model_row(spread(MODELS[name]["config"]), "new"), catalog.model(name)
    for key in (
        "attention",
        "layers",
        "n_heads",
        "full_layers",
        "linear_layers",
        "window_tokens",
        "n_experts",
        "moe_latent",
        "dense_ffn",
    ):
        assert row[key] == getattr(shipped, key), key
    for key in (
        "total_params",
        "active_params",
        "routed_expert_params",
        "kv_bytes_per_token_bf16",
        "kv_bytes_per_token_fp8",
    ):
        assert row[f"stated_{key}"] == pytest.approx(getattr(shipped, key), rel=1e-4), key
    assert row["kv_fixed_bytes_bf16"] == shipped.kv_fixed_bytes_bf16
    assert row["recurrent_state_bytes"] == pytest.approx(shipped.recurrent_state_bytes, rel=1e-4)


SELECTED = [
    ("deepseek-v4-flash", {"compress_ratios": [8] * 43}, "8 is not one of 0, 4, 128"),
    ("deepseek-v4-flash", {"compress_ratios": [4] * 42}, "not a list of 43 layers"),
    ("deepseek-v4-flash", {"hc_mult": None}, "'hc_mult' is missing"),
    ("deepseek-v4-flash", {"layer_types": ["full_attention"] * 43}, "layer_types, compress_rates"),
    ("deepseek-v4-as-its-class-writes-it", {"compress_rates": {"compressed_sparse_attention": 8}}, "layer_types, compress_rates"),
    ("minimax-m3", {"attention_output_gate": True}, "attention_output_gate"),
    ("minimax-m3", {"sparse_attention_config": {"sparse_attention_freq": [2] * 60}}, "not a list of 0 and 1"),
    ("minimax-m3", {"sparse_attention_config": 7}, "sparse_attention_config"),
    ("kimi-k3", {"linear_attn_config": {"num_heads": 96, "head_dim": 128, "full_attn_layers": [4], "rank": 7}}, "linear_attn_config.rank"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "words"), SELECTED, ids=range(len(SELECTED)))
def test_selected_attention_of_another_shape_is_refused_by_name(name, change, words):
    config = spread(MODELS[name]["config"])
    config = dict(config.get("text_config", config)) | {"model_type": config["model_type"]}
    with pytest.raises(InputError, match=re.escape(words)):
        model_row(config | change, "new")


def test_experts_of_another_format_in_an_fp8_file():
    config = spread(MODELS["deepseek-v4-flash"]["config"])
    eight = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
    four = model_row(config | {"quantization_config": eight}, "new")
    assert (four["native_expert_bits"], four["native_other_bits"]) == (4.25, 8.0)
    nvidia = eight | {
        "quant_method": "modelopt",
        "quant_algo": "MIXED_PRECISION",
        "moe_quant_algo": "NVFP4",
        "group_size": 16,
    }
    assert model_row(config | {"quantization_config": nvidia}, "new")["native_expert_bits"] == 4.5
    plain = {key: value for key, value in config.items() if key != "expert_dtype"}
    assert model_row(plain | {"quantization_config": eight}, "new")["native_expert_bits"] == 8.0


def test_a_class_that_engines_know_counts_where_the_model_type_is_of_its_own():
    config = LLAMA | {"model_type": "acme", "architectures": ["LlamaForCausalLM"]}
    assert model_row(config, "new") == model_row(LLAMA, "new")


REFUSED = [
    ({"model_type": "mamba2"}, "model_type: 'mamba2'"),
    ({"model_type": ["llama"]}, "model_type"),
    ({"model_type": None}, "'model_type' is missing"),
    ({"model_type": "odd_vl", "text_config": {"hidden_size": 4096}}, "model_type: 'odd_vl'"),
    ({"num_moe_blocks": 8}, "num_moe_blocks"),
    ({"block_configs": [{"ffn": 1}]}, "block_configs"),
    ({"sparse_attention_config": {"block": 64}}, "sparse_attention_config"),
    ({"global_head_dim": 512}, "global_head_dim"),
    ({"mamba_d_state": 16}, "mamba_d_state"),
    ({"num_kv_shared_layers": 20}, "num_kv_shared_layers"),
    ({"hidden_size_per_layer_input": 256}, "hidden_size_per_layer_input"),
    ({"ffn_dim_multiplier": 1.3}, "ffn_dim_multiplier"),
    ({"an_unheard_of_number": 7}, "an_unheard_of_number"),
    ({"is_encoder_decoder": True}, "is_encoder_decoder"),
    ({"attn_type_list": [0] * 80}, "layers without attention"),
    ({"layer_types": ["linear_attention"] * 80}, "layers without attention"),
    ({"layer_types": ["mystery"] * 80}, "'mystery' has no arithmetic"),
    ({"layer_types": ["full_attention"] * 79}, "num_hidden_layers says 80"),
    ({"layer_types": ["sliding_attention"] * 80}, "without sliding_window"),
    ({"sliding_window": 4096, "sliding_window_pattern": "LLX"}, "is not one of"),
    ({"moe_intermediate_size": 2048, "num_experts_per_tok": 8}, "moe_intermediate_size"),
    ({"num_experts": 8, "n_routed_experts": 16, "num_experts_per_tok": 2}, "two spellings"),
    ({"num_key_value_heads": [8, 4] * 40}, "differs from layer to layer"),
    ({"text_config": {"model_type": "llama"}, "llm_config": {"model_type": "llama"}}, "both"),
    ({"hidden_size": 10**400}, "hidden_size"),
    ({"hidden_size": 10**5000}, "hidden_size"),
    ({"hidden_size": float("inf")}, "hidden_size"),
    ({"hidden_size": float("nan")}, "hidden_size"),
    ({"hidden_size": -8192}, "hidden_size"),
    ({"hidden_size": 8192.5}, "hidden_size"),
    ({"hidden_size": True}, "hidden_size"),
    ({"vocab_size": "many" * 5000}, "vocab_size"),
    ({"x" * 5000 + "_size": 7}, "xxx"),
    ({"\x1b[31mheads\u202e": 7}, "heads"),
    ({"intermediate_size": 10**9, "num_hidden_layers": 1000}, "is no model"),
    ({"quantization_config": {"quant_method": "gguf" * 500}}, "quant_method"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 3}}, "3 bits"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 10**400}}, "bits"),
    ({"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {}}}, "no group has weights"),
    ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP9"}}, "NVFP9"),
    ({"quantization_config": [1]}, "not an object"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_computed_exactly_is_refused_by_name_in_one_line(change, words):
    with pytest.raises(InputError) as caught:
        model_row(LLAMA | change, "new")
    text = str(caught.value)
    assert words in text
    assert len(text) <= 600
    assert text.isprintable()


@pytest.mark.parametrize("change", [{"model_type": "mamba2"}, {"num_moe_blocks": 8}, {"layer_types": ["mystery"] * 80}])
def test_a_refusal_names_a_way_that_works(change):
    with pytest.raises(InputError, match=WAY_OUT):
        model_row(LLAMA | change, "new")


@pytest.mark.parametrize(
    "key", ["q_lora_rank", "kv_lora_rank", "num_experts_per_tok", "moe_intermediate_size", "n_routed_experts"]
)
def test_a_latent_model_of_experts_without_one_of_its_shapes_is_refused(key):
    with pytest.raises(InputError):
        model_row({name: value for name, value in DEEPSEEK.items() if name != key}, "new")


@settings(max_examples=150, deadline=None)
@given(
    st.text(min_size=1, max_size=30), st.one_of(st.integers(1, 10**6), st.lists(st.integers(), min_size=1, max_size=3))
)
def test_a_key_is_read_or_harmless_or_named(key, value):
    """A number under any other name never passes without a word and changes nothing that passes."""
    plain = model_row(LLAMA, "new")
    try:
        row = model_row(LLAMA | {key: value}, "new")
    except InputError as fault:
        assert str(fault).isprintable()  # noqa: PT017
    else:
        assert key in LLAMA or row["stated_total_params"] == plain["stated_total_params"]


AS_PUBLISHED = {
    "phi-3.5-mini": {"full_attn_mod": 1, "interpolation_factor": 1, "original_max_position_embeddings": 4096, "auto_map": {"AutoConfig": "x"},
     "rope_scaling": {"type": "longrope", "long_factor": [1.0]}},
    "command-r7b": {"order_of_interleaved_layers": "local_attn_first", "rotary_pct": 1.0, "use_parallel_block": True, "layer_switch": 4},
    "ernie-4.5-300b-a47b": {"compression_ratio": 1.0, "moe_gate": "topk", "moe_use_aux_free": True, "moe_capacity": [64, 64, 64]},
    "minimax-text-01": {"layernorm_full_attention_alpha": 3.55, "postnorm": True, "shared_moe_mode": "sigmoid", "rotary_dim": 64},
    "jamba-large-1.5": {"mamba_inner_layernorms": True, "mamba_conv_bias": True, "use_mamba_kernels": True, "num_logits_to_keep": 1},
    "falcon-h1-34b": {"mlp_expansion_factor": 8, "mlp_multipliers": [1.0, 0.5], "ssm_multipliers": [0.3, 0.3], "mamba_chunk_size": 128},
    "deepseek-v2": {"ep_size": 1, "topk_method": "group_limited_greedy", "aux_loss_alpha": 0.001, "seq_aux": True, "pretraining_tp": 1},
    "longcat-flash": {"attention_method": "MLA", "mla_scale_q_lora": True, "router_bias": False},
    "llama-3.2-1b": {"bos_token_id": 128000, "torch_dtype": "bfloat16", "transformers_version": "4.45.0", "top_k": 50, "num_beams": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_keys_of_published_files_that_shape_nothing_are_let_by(name):
    config = spread(MODELS[name]["config"])
    assert model_row(config | AS_PUBLISHED[name], "new") == model_row(config, "new")


UNSTATED = [
    ("deepseek-v2", "n_shared_experts"),
    ("deepseek-v2", "first_k_dense_replace"),
    ("moonlight-16b-a3b", "q_lora_rank"),
    ("ernie-4.5-300b-a47b", "moe_num_shared_experts"),
    ("qwen3-next-80b-a3b", "shared_expert_intermediate_size"),
    ("jamba-large-1.5", "expert_layer_offset"),
    ("granite-4.0-h-tiny", "num_local_experts"),
    ("mimo-v2-small", "swa_num_key_value_heads"),
    ("bamba-9b", "attn_layer_indices"),
    ("mixtral-8x7b", "num_local_experts"),
    ("mixtral-8x7b", "num_key_value_heads"),
]


@pytest.mark.parametrize(("name", "key"), UNSTATED)
def test_what_a_class_would_fill_in_by_itself_must_be_stated(name, key):
    config = spread(MODELS[name]["config"])
    with pytest.raises(InputError, match="is missing"):
        model_row({word: value for word, value in config.items() if word != key}, "new")


GROUP_8 = {
    "weights": {"num_bits": 8, "type": "float"},
    "input_activations": {"num_bits": 8, "type": "float"},
    "targets": ["Linear"],
}
GROUP_4 = {"weights": {"num_bits": 4, "type": "float", "group_size": 16}, "targets": ["Linear"]}
INT_4 = {"weights": {"num_bits": 4, "type": "int", "group_size": 32, "symmetric": True}, "targets": ["Linear"]}
NAMED = {
    "a": {"weights": {"num_bits": 8, "type": "float"}, "targets": ["model.layers.0.self_attn.q_proj"]},
    "b": {"weights": {"num_bits": 4, "type": "float", "group_size": 16}, "targets": ["model.layers.0.mlp.up_proj"]},
}
FORMATS = [
    ("none", None, False, (16, 16, 16), "BF16", "bf16"),
    ("fp8 blocks", {"quant_method": "fp8"}, True, (8, 8, 8), "FP8", "fp8"),
    ("fp8 but norms and gates", {"quant_method": "fp8", "modules_to_not_convert": ["lm_head", "model.layers.0.post_attention_layernorm",
     "model.layers.0.mlp.gate"]}, True, (8, 8, 8), "FP8", "fp8"),
    ("fp8 but attention", {"quant_method": "fp8", "modules_to_not_convert": ["re:.*self_attn.*"]}, True, (8, 16, 8), "attention 16 bits", "fp8"),
    ("config groups of 8", {"quant_method": "compressed-tensors", "config_groups": {"g": GROUP_8}}, False, (8, 8, 8), "FP8", "fp8"),
    ("config groups of 4, whole numbers", {"quant_method": "compressed-tensors", "config_groups": {"g": INT_4}}, False, (4.5, 4.5, 4.5), "INT4", "int4"),
    ("mxfp4 packed", {"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized", "config_groups": {"g": {"weights": {"num_bits": 4,
     "group_size": 32}}}}, False, (4.25, 4.25, 4.25), "MXFP4", "fp4"),
    ("experts alone", {"quant_method": "compressed-tensors", "config_groups": {"g": INT_4}, "ignore": ["lm_head", "re:.*self_attn.*",
     "re:.*shared_experts.*"]}, True, (4.5, 16, 16), "INT4", "int4"),
    ("modelopt", {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "kv_cache_quant_algo": "FP8"}, False, (4.5, 4.5, 4.5), "cache FP8", "fp4"),
    ("modelopt by groups", {"quant_method": "modelopt", "quant_algo": "NVFP4", "config_groups": {"g": GROUP_4}, "kv_cache_scheme": {"num_bits": 8,
     "type": "float"}}, False, (4.5, 4.5, 4.5), "cache FP8", "fp4"),
    ("modelopt mixed", {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {"layers.0.self_attn.q_proj": {"quant_algo": "FP8"},
     "layers.0.mlp.experts.0.up_proj": {"quant_algo": "NVFP4", "group_size": 16}, "layers.0.mlp.shared_expert.up_proj": {"quant_algo": "FP8"}}}, True,
     (4.5, 8, 8), "NVFP4", "fp4"),
    ("groups by name", {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "config_groups": NAMED}, False, (4.5, 8, 4.5), "attention 8 bits", "fp4"),
    ("quark", {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4", "group_size": 32}}}, False, (4.25, 4.25, 4.25), "MXFP4", "fp4"),
    ("quark fp8", {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3"}, "input_tensors": {"dtype": "fp8_e4m3"}},
     "layer_quant_config": {"*k_proj": {"weight": {"dtype": "fp8_e4m3"}, "output_tensors": {"dtype": "fp8_e4m3"}}}}, False, (8, 8, 8), "cache FP8", "fp8"),
    ("awq", {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, False, (4.15625, 4.15625, 4.15625), "INT4", "int4"),
    ("gptq", {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}, False, (4.125, 4.125, 4.125), "INT4", "int4"),
    ("gptq of 8 bits", {"quant_method": "gptq", "bits": 8, "group_size": -1}, False, (8, 8, 8), "INT8", "fp8"),
    ("gptq but attention", {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": {"-:.*self_attn.*": {}}}, False, (4.125, 16, 4.125),
     "attention 16 bits", "int4"),
    ("gptq, attention in 8", {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": {"+:.*self_attn.*": {"bits": 8}}}, False,
     (4.125, 8, 4.125), "attention 8 bits", "int4"),
    ("auto-round", {"quant_method": "auto-round", "bits": 4, "group_size": 128, "extra_config": {"model.layers.0.mlp.shared_experts.up_proj": {"bits": 16}}},
     True, (4.125, 4.125, 16), "dense layers 16 bits", "int4"),
    ("bitsandbytes but attention", {"quant_method": "bitsandbytes", "load_in_8bit": True, "llm_int8_skip_modules": ["q_proj"]}, False, (8, 16, 8), "INT8", "fp8"),
    ("bitsandbytes", {"quant_method": "bitsandbytes", "load_in_4bit": True}, False, (4.5, 4.5, 4.5), "NF4", "int4"),
    ("gpt-oss", {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}, True, (4.25, 16, 16), "MXFP4", "fp4"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("quantised", "experts", "bits", "words", "runs"), [case[1:] for case in FORMATS], ids=[case[0] for case in FORMATS]
)
def test_bits_are_those_of_the_file_and_a_model_runs_in_them(own, quantised, experts, bits, words, runs):
    config = (DEEPSEEK if experts else LLAMA) | {"quantization_config": quantised}
    kept = stored(config, None, experts)
    assert (kept.expert_bits, kept.mixing_bits, kept.dense_bits) == bits
    assert words in kept.words
    row = model_row(config, "mine")
    add_rows("models", [row | {"source_id": "own", "grade": "derived"}])
    arch, chip = catalog.model("mine"), catalog.accelerator("a100-80gb-sxm")
    assert default_weight_precision(chip, arch) == runs
    assert default_kv_precision(chip, arch, "int4" if runs == "int4" else runs) == (
        "fp8" if "cache FP8" in kept.words or runs == "fp8" else "bf16"
    )
    # A sixteenth of a bit a weight above the widest of its parts, or below the narrowest, is a fault
    tables = arch.embed_params * 2
    mean = (row["stated_native_weight_bytes"] - tables) * 8 / (arch.total_params - arch.embed_params)
    assert min(bits) - 1 / 16 <= mean <= max(bits) + 1 / 16


@pytest.mark.parametrize(
    ("quantised", "experts", "runs"), [(*case[1:3], case[5]) for case in FORMATS], ids=[case[0] for case in FORMATS]
)
def test_the_serving_model_reads_the_bytes_that_the_files_hold(own, quantised, experts, runs):
    row = model_row((DEEPSEEK if experts else LLAMA) | {"quantization_config": quantised}, "mine")
    add_rows("models", [row | {"source_id": "own", "grade": "derived"}])
    point = {
        "accelerator": "b200-hgx",
        "model": "mine",
        "weight_precision": runs,
        "isl": 1000,
        "osl": 100,
        "mode": "aggregated",
    }
    engine = Points.from_rows([point | {"tp": 8, "ep": 8, "gpus": 8, "concurrency": 1}]).engines()
    parts = ("attention_bytes", "dense_bytes", "shared_bytes", "routed_bytes", "head_bytes")
    read = sum(float(getattr(engine, name)[0]) for name in parts)
    # the table of words that come in is not read
    assert read == pytest.approx(row["stated_native_weight_bytes"] - row["vocab"] * row["hidden"] * 2, rel=0.01)


def test_a_side_file_says_what_the_configuration_does_not(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    side = {
        "producer": {"name": "modelopt"},
        "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]},
    }
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(side), encoding="utf-8")
    row = model_row(read_config(tmp_path), "new", read_side(tmp_path))
    # 70.55e9 weights, 2 x 128,256 x 8,192 of them in 16 bits
    assert row["stated_native_weight_bytes"] == pytest.approx(72.66e9, rel=1e-3)
    assert row["native"].startswith("FP8")
    assert "cache FP8" in row["native"]


def test_a_folder_is_a_model_and_gives_its_name(tmp_path):
    folder = tmp_path / "Llama_3.3-70B"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert model_name(folder, read_config(folder)) == "llama-3.3-70b"
    assert model_name(folder / "config.json", LLAMA) == "llama-3.3-70b"
    assert model_name(folder, LLAMA | {"_name_or_path": "meta/Other-1"}) == "other-1"
    with pytest.raises(InputError, match=r"no config\.json"):
        read_config(tmp_path)


def test_params_json_of_two_makers(tmp_path):
    mistral = {
        "dim": 4096,
        "n_layers": 32,
        "head_dim": 128,
        "hidden_dim": 14336,
        "n_heads": 32,
        "n_kv_heads": 8,
        "vocab_size": 32768,
        "norm_eps": 1e-5,
    }
    meta = {
        "dim": 4096,
        "n_layers": 32,
        "n_heads": 32,
        "n_kv_heads": 8,
        "vocab_size": 128256,
        "multiple_of": 1024,
        "ffn_dim_multiplier": 1.3,
    }
    for params, total in ((mistral, 7.248e9), (meta, 8.030e9)):
        (tmp_path / "params.json").write_text(json.dumps(params), encoding="utf-8")
        assert model_row(read_config(tmp_path), "new")["stated_total_params"] == pytest.approx(total, rel=PUBLISHED)


def test_the_local_hugging_face_cache_is_read_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="not in the local"):
        cached_folder("meta-llama/Llama-3.3-70B-Instruct")
    at = tmp_path / "models--meta-llama--Llama-3.3-70B-Instruct"
    (at / "snapshots" / "abc").mkdir(parents=True)
    (at / "refs").mkdir()
    (at / "refs" / "main").write_text("abc", encoding="utf-8")
    (at / "snapshots" / "abc" / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert cached_folder("meta-llama/Llama-3.3-70B-Instruct") == at / "snapshots" / "abc"
    with pytest.raises(InputError, match="ORG/NAME"):
        cached_folder("../../etc/passwd")


STATED = (
    "id,layers,hidden,vocab,n_heads,n_kv_heads,head_dim,max_context_tokens,stated_total_params,stated_active_params,"
    "stated_kv_bytes_per_token_bf16\nmine,80,8192,128256,64,8,128,131072,7.0554e10,6.9503e10,327680\n"
)


def test_a_row_of_stated_sizes_is_taken_and_served(own, tmp_path):
    path = tmp_path / "row.csv"
    path.write_text(STATED, encoding="utf-8")
    add_rows("models", checked_rows("models", path))
    made, like = catalog.model("mine"), catalog.model("llama-3.1-70b")
    assert made.native_weight_bytes == pytest.approx(like.native_weight_bytes, rel=1e-3)
    rates = [rate(name) for name in ("mine", "llama-3.1-70b")]
    assert rates[0] == pytest.approx(rates[1], rel=0.05)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",80,8192", ",0.5,8192", "layers"),
        ("7.0554e10", "1e400", "stated_total_params"),
        ("6.9503e10", "9e12", "more than stated_total_params"),
        ("327680", "", "is empty"),
    ],
)
def test_a_row_of_impossible_sizes_is_refused(own, tmp_path, old, new, words):
    path = tmp_path / "row.csv"
    path.write_text(STATED.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        checked_rows("models", path)


def told(should):
    """What a case's words say in numbers: total in 1e9, KV bytes a token, weights in GB, bits, whether a refusal will do."""
    total = re.search(r"(\d+(?:\.\d+)?)B\b", should)
    cache = re.search(r"KV\b[^;]*? = ([\d,]+)", should) or re.search(r"KV ([\d,]{4,})", should)
    weights = re.search(r"([\d.]+) GB", should)
    bits = re.search(r"(?:FP4|FP8) ([\d.]+) bits", should)
    return (
        float(total[1]) if total else None,
        int(cache[1].replace(",", "")) if cache else None,
        float(weights[1]) if weights else None,
        float(bits[1]) if bits else None,
        bool(re.search(r"refus|or one line", should)),
    )


def verdict(folder, file, should):
    """Empty where a case does what it should, else what it does."""
    total, cache, weights, bits, refusal = told(should)
    path = folder / file
    try:
        row = model_row(read_config(path), "new", read_side(path))
    except InputError as fault:
        return "" if refusal and len(str(fault)) < 600 else f"refused: {fault}"
    wrong = []
    if total and abs(row["stated_total_params"] / 1e9 / total - 1) > PUBLISHED:
        wrong.append(f"{row['stated_total_params'] / 1e9:.4g}B is not {total}B")
    if cache and row["stated_kv_bytes_per_token_bf16"] != cache:
        wrong.append(f"cache {row['stated_kv_bytes_per_token_bf16']:.0f} is not {cache}")
    if weights and abs(row["stated_native_weight_bytes"] / 1e9 / weights - 1) > PUBLISHED:
        wrong.append(f"{row['stated_native_weight_bytes'] / 1e9:.4g} GB is not {weights} GB")
    if bits and row["native_expert_bits"] != bits:
        wrong.append(f"{row['native_expert_bits']} bits are not {bits}")
    return "; ".join(wrong)


def written_cases(folder):
    """A folder of cases of the layout that RACKECON_CASES points at."""
    (folder / "config_own").mkdir()
    rows = []
    for name, case in MODELS.items():
        (folder / "config_own" / f"{name}.json").write_text(json.dumps(spread(case["config"])), encoding="utf-8")
        rows.append(("config_own", f"config_own/{name}.json", f"{case['total']}B, KV = {case['kv']:,}"))
    (folder / "config_own" / "odd.json").write_text(json.dumps(LLAMA | {"model_type": "odd"}), encoding="utf-8")
    rows.append(("config_own", "config_own/odd.json", "or refuse by name"))
    with open(folder / "cases.csv", "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([("kind", "file", "should"), *rows])
    return folder


def test_every_case_of_a_folder_does_what_it_should(tmp_path, capsys):
    """Cases of configurations of the folder in RACKECON_CASES, else of one written from this room's own."""
    folder = Path(os.environ.get("RACKECON_CASES") or written_cases(tmp_path))
    with open(folder / "cases.csv", encoding="utf-8", newline="") as handle:
        cases = [row for row in csv.DictReader(handle) if row["kind"].startswith("config_")]
    found = {row["file"]: verdict(folder, row["file"], row["should"]) for row in cases}
    with capsys.disabled():
        print(f"\n{sum(not text for text in found.values())} of {len(found)} configurations do what they should")
    assert cases
    assert {file: text for file, text in found.items() if text} == {}


def test_a_case_that_does_not_is_told(tmp_path):
    folder = written_cases(tmp_path)
    assert "is not 7.5B" in verdict(folder, "config_own/llama-3.2-1b.json", "7.5B")
    assert "cache" in verdict(folder, "config_own/llama-3.2-1b.json", "KV 65,536")
    assert "refused" in verdict(folder, "config_own/odd.json", "7B")
