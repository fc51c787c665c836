"""A model row from a Hugging Face ``config.json``: names of many families, one set of shapes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rackecon.catalog import architecture
from rackecon.errors import InputError

__all__ = ["model_row", "read_config"]

LARGEST_BYTES: Final = 2**20
LIMITS: Final = {
    "num_hidden_layers": (1, 1000),
    "hidden_size": (64, 200_000),
    "vocab_size": (256, 5_000_000),
    "num_attention_heads": (1, 4096),
    "num_key_value_heads": (1, 4096),
    "head_dim": (8, 4096),
    "max_position_embeddings": (128, 1_000_000_000),
}
BITS: Final = {"fp8": 8.0, "mxfp4": 4.25, "nvfp4": 4.5, "compressed-tensors": 4.5, "awq": 4.25, "gptq": 4.25}
REFUSED: Final = {
    "mamba": "state-space layers have no arithmetic here",
    "ssm_state_size": "state-space layers have no arithmetic here",
    "compress_ratios": "compressed attention has no arithmetic here",
    "hybrid_override_pattern": "state-space layers have no arithmetic here",
    "encoder_layers": "encoder-decoder models are not served by the model",
}


# What a family's class in transformers says where its files leave it out
LEFT_OUT: Final[dict[str, dict[str, Any]]] = {
    "gemma3_text": {
        "vocab_size": 262208,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "sliding_window": 4096,
        "sliding_window_pattern": 6,
        "max_position_embeddings": 131072,
    },
    "llama4_text": {"no_rope_layer_interval": 4, "attention_chunk_size": 8192},
}


def _spelt_out(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with its language model's keys on top and its family's habits in the usual spelling."""
    inner = config.get("text_config")
    out = {**config, **inner} if isinstance(inner, dict) else dict(config)
    out |= {k: v for k, v in LEFT_OUT.get(str(out.get("model_type")), {}).items() if out.get(k) is None}
    if out.get("model_type") == "llama4_text":
        # one shared expert beside the routed ones, another width in dense layers, chunked attention where there is rotation
        expert = out.get("intermediate_size")
        out |= {
            "moe_intermediate_size": expert,
            "shared_expert_intermediate_size": expert,
            "intermediate_size": out.get("intermediate_size_mlp"),
            "sliding_window": out["attention_chunk_size"],
            "sliding_window_pattern": out["no_rope_layer_interval"],
        }
    return out


def read_config(path: Path) -> dict[str, Any]:
    """A configuration from its file; size and first byte are looked at before the rest is read."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size > LARGEST_BYTES:
        raise InputError(
            f"{path.name}: {path.stat().st_size:,} bytes is more than a configuration may have ({LARGEST_BYTES:,})"
        )
    try:
        found = json.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 text (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path.name}: not a JSON object")
    return found


class _Config:
    """Typed reading of a configuration, with the key in the fault."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def has(self, *names: str) -> bool:
        return any(self.values.get(name) is not None for name in names)

    def whole(self, *names: str, empty: int | None = None) -> int:
        """First of several spellings of one key, as a whole number of at least 0."""
        for name in names:
            value = self.values.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"config {name}: {str(value)[:60]!r} is not a whole number")
            if value != int(value) or value < 0 or value > 10**12:
                raise InputError(f"config {name}: {value!r} is not a whole number of at least 0")
            low, high = LIMITS.get(names[0], (0, 10**9))
            if not low <= value <= high:
                raise InputError(f"config {name}: {value!r} is not between {low} and {high}")
            return int(value)
        if empty is None:
            raise InputError(f"config: '{names[0]}' is missing")
        return empty

    def flag(self, name: str) -> bool:
        value = self.values.get(name) or False
        if not isinstance(value, bool):
            raise InputError(f"config {name}: {str(value)[:60]!r} is not true or false")
        return value

    def words(self, name: str) -> list[str]:
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise InputError(f"config {name}: not a list of words")
        return value


def _layers(c: _Config, layers: int) -> tuple[int, int, int]:
    """(full, window, linear) attention layers."""
    types = c.words("layer_types")
    if types:
        if len(types) != layers:
            raise InputError(f"config layer_types: {len(types)} layers, num_hidden_layers says {layers}")
        known = {"full_attention": 0, "sliding_attention": 1, "chunked_attention": 1, "linear_attention": 2}
        counts = [0, 0, 0]
        for kind in types:
            if kind not in known:
                raise InputError(f"config layer_types: '{kind}' has no arithmetic here; allowed: {', '.join(known)}")
            counts[known[kind]] += 1
        return counts[0], counts[1], counts[2]
    if c.has("linear_num_value_heads"):
        every = c.whole("full_attention_interval")
        full = layers // every if every else 0
        return full, 0, layers - full
    if c.has("sliding_window_pattern") and c.has("sliding_window"):
        full = layers // max(c.whole("sliding_window_pattern"), 1)
        return full, layers - full, 0
    if c.has("sliding_window") and c.values.get("use_sliding_window", True):
        return 0, layers, 0
    return layers, 0, 0


def model_row(config: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    """A row of the table of models.

    Parameters
    ----------
    config : mapping
        A Hugging Face configuration; a ``text_config`` inside stands for the language model.
    model_id : str
        Id of the new row: lower-case letters, digits, ``.`` and ``-``.

    Returns
    -------
    dict
        Columns of data/models.csv; sizes follow from the shapes.

    Raises
    ------
    InputError
        Missing or impossible shapes, architectures without arithmetic: one line.

    Examples
    --------
    >>> row = model_row(dict(num_hidden_layers=32, hidden_size=4096, vocab_size=128256, num_attention_heads=32,
    ...     num_key_value_heads=8, intermediate_size=14336, max_position_embeddings=131072), "llama-like")
    >>> row["stated_total_params"] / 8.03e9
    1.00
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.\-]{0,63}", model_id):
        raise InputError(f"model id '{model_id[:80]}': lower-case letters, digits, '.' and '-' only")
    merged = _spelt_out(config)
    c = _Config(merged)
    for key, why in REFUSED.items():
        if c.has(key) or str(merged.get("model_type", "")).startswith(key):
            raise InputError(f"config {key}: {why}; add the row to models.csv with stated sizes")
    layers, hidden = c.whole("num_hidden_layers", "n_layer"), c.whole("hidden_size", "n_embd")
    heads = c.whole("num_attention_heads", "n_head")
    latent = c.whole("kv_lora_rank", empty=0)
    kv_heads = 1 if latent else c.whole("num_key_value_heads", empty=heads)
    rope = c.whole("qk_rope_head_dim") if latent else 0
    nope = c.whole("qk_nope_head_dim") if latent else 0
    if not latent and not c.has("head_dim") and hidden % heads:
        raise InputError(f"config: hidden_size {hidden} is not a multiple of num_attention_heads {heads}")
    head_dim = nope + rope if latent else c.whole("head_dim", empty=hidden // heads)
    if heads % kv_heads:
        raise InputError(f"config: num_attention_heads {heads} is not a multiple of num_key_value_heads {kv_heads}")
    if latent and not c.has("q_lora_rank"):
        raise InputError("config: latent attention without q_lora_rank has no arithmetic here")
    full, window, linear = _layers(c, layers)
    tokens = c.whole("sliding_window", "attention_chunk_size", empty=0) if window else 0
    if window and not tokens:
        raise InputError("config: sliding layers without sliding_window")
    experts = c.whole("n_routed_experts", "num_local_experts", "num_experts", empty=0)
    chosen = c.whole("num_experts_per_tok", "experts_per_token", "top_k_experts", empty=0)
    if experts and not 1 <= chosen <= experts:
        raise InputError(f"config: {chosen} experts per token of {experts}")
    inter = c.whole("intermediate_size", "n_inner", empty=0)
    moe_inter = (c.whole("moe_intermediate_size", empty=0) or inter) if experts else 0
    dense = (c.whole("first_k_dense_replace", empty=0) if experts else layers) or 0
    if dense > layers:
        raise InputError(f"config first_k_dense_replace: {dense} of {layers} layers")
    step = c.whole("decoder_sparse_step", "interleave_moe_layer_step", empty=1) if experts else 1
    moe = layers - dense if step <= 1 else (layers - dense) // step
    dense = layers - moe if experts else layers
    if not (moe_inter if experts else inter):
        raise InputError("config: 'intermediate_size' is missing")
    if dense and not inter:
        raise InputError("config: dense layers without intermediate_size")
    shared_inter = c.whole("shared_expert_intermediate_size", empty=0)
    shared = c.whole("n_shared_experts", "num_shared_experts", empty=1 if shared_inter else 0) if experts else 0
    gpt_oss = merged.get("model_type") == "gpt_oss"
    linear_heads = (c.whole("linear_num_key_heads"), c.whole("linear_num_value_heads")) if linear else (0, 0)
    linear_dim = c.whole("linear_key_head_dim") if linear else 0
    index_heads = c.whole("index_n_heads", empty=0)
    expert_bits, other_bits, native = _precision(merged, bool(experts))
    shapes: dict[str, Any] = {
        "attention": "hybrid" if linear else ("dsa" if index_heads else "mla") if latent else "gqa",
        "layers": layers,
        "hidden": hidden,
        "vocab": c.whole("vocab_size"),
        "n_heads": heads,
        "n_kv_heads": kv_heads,
        "head_dim": head_dim,
        "qk_nope_dim": nope,
        "v_head_dim": c.whole("v_head_dim") if latent else 0,
        "kv_lora_rank": latent,
        "rope_dim": rope,
        "q_lora_rank": c.whole("q_lora_rank", empty=0) if latent else 0,
        "window_tokens": tokens,
        "full_layers": full,
        "window_layers": window,
        "linear_layers": linear,
        "linear_k_heads": linear_heads[0],
        "linear_v_heads": linear_heads[1],
        "linear_head_dim": linear_dim,
        "index_topk": c.whole("index_topk", empty=0),
        "index_heads": index_heads,
        "index_head_dim": c.whole("index_head_dim", empty=0) if index_heads else 0,
        "index_layers": layers if index_heads else 0,
        "dense_ffn": inter if dense else 0,
        "dense_layers": dense,
        "n_experts": experts,
        "top_k": chosen if experts else 0,
        "n_shared_experts": shared,
        "moe_inter": moe_inter,
        "shared_inter": (shared_inter or moe_inter) if shared else 0,
        "moe_latent": 0,
        "first_dense_layers": c.whole("first_k_dense_replace", empty=0) if experts else 0,
        "moe_layers": moe if experts else 0,
        "gated": True,
        "tied": c.flag("tie_word_embeddings")
        if c.has("tie_word_embeddings")
        else "gemma" in str(merged.get("model_type")),
        # The wide biases of gpt-oss reach experts and router; elsewhere a bias is below a thousandth of the weights
        "attention_bias": gpt_oss,
        "gated_attention": bool(linear) and bool(merged.get("attn_output_gate", True)),
        "mtp_layers": c.whole("num_nextn_predict_layers", "mtp_num_hidden_layers", empty=0),
        "max_context_tokens": c.whole("max_position_embeddings", "n_positions", empty=32768),
        "native_expert_bits": expert_bits,
        "native_other_bits": other_bits,
        "kv_fixed_bytes_bf16": window * 2 * kv_heads * head_dim * tokens * architecture.BF16_BYTES,
        "recurrent_state_bytes": linear
        * (
            linear_heads[1] * linear_dim * (c.whole("linear_value_head_dim", empty=linear_dim)) * 4.0
            + (2 * linear_heads[0] + linear_heads[1]) * linear_dim * (architecture.CONV_WIDTH - 1) * 2.0
        ),
    }
    sized = architecture.sizes(shapes)
    if sized["total_params"] > 1e14:
        raise InputError(f"config: {sized['total_params']:.3g} parameters is no model")
    out = {
        "id": model_id,
        "name": str(merged.get("_name_or_path") or model_id).split("/")[-1][:64] or model_id,
        **shapes,
    }
    out |= {f"stated_{name}": value for name, value in sized.items()}
    out |= {"native": native, "arithmetic": "computed", "exception_reason": "", "mtp_params": ""}
    return out


def _precision(config: Mapping[str, Any], moe: bool) -> tuple[float, float, str]:
    """Bits of expert and other weights as released, with the words for them."""
    quantised = config.get("quantization_config")
    if not isinstance(quantised, dict):
        return 16.0, 16.0, "BF16"
    method = str(quantised.get("quant_method", "")).lower()
    if method not in BITS:
        allowed = ", ".join(BITS)
        raise InputError(f"config quantization_config.quant_method: '{method[:40]}' is not one of {allowed}")
    bits = BITS[method]
    # Formats of 4 bits are applied to experts; attention and embeddings stay in 16
    return bits, (bits if bits == 8.0 or not moe else 16.0), method.upper()
