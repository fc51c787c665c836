"""Parameter and cache arithmetic of a transformer, from its published configuration.

All counts are of the text model as released: no draft module, no vision tower. Norm gains are counted where they are
wide enough to matter only as two vectors of the hidden size a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rackecon.units import BITS_PER_BYTE

BF16_BYTES = 2.0
FP8_BYTES = 1.0
CONV_WIDTH = 4
STATE_BYTES = 4.0  # engines keep recurrent state in FP32
# FlashMLA's FP8 layout: 512 fp8 values, 16 bytes of scales, the rotary part in bf16; an indexer key is 128 fp8 and a scale
SPARSE_FP8_SCALE_BYTES = 16.0
INDEX_KEY_SCALE_BYTES = 4.0


def attention_params(m: Mapping[str, Any]) -> float:
    """Weights of one full-attention layer (latent or grouped-query) [parameters].

    Notes
    -----
    GQA: :math:`h\\,d\\,(2 n_q + 2 n_{kv})`, queries doubled where the output is gated and of two factors where they have a
    rank, values of their own width, or none where they are the keys. MLA: query down and up (one matrix without a rank;
    :math:`h\\,r_q + r_q n_q d_{qk}`), latent down (:math:`h (r_{kv} + d_r)`), latent up
    (:math:`r_{kv} n_q (d_{nope} + d_v)`) and output (:math:`n_q d_v h`).

    Examples
    --------
    >>> attention_params(dict(hidden=4096, n_heads=32, n_kv_heads=8, head_dim=128, kv_lora_rank=0, gated_attention=False,
    ...     attention_bias=False))
    41943040.0
    """
    h, nq, rank = m["hidden"], m["n_heads"], m.get("q_lora_rank") or 0
    latent = m["kv_lora_rank"]
    width = m["qk_nope_dim"] + m["rope_dim"] if latent else m["head_dim"]
    value = (m.get("v_head_dim") or 0) or width
    asked = nq * width * (2 if m["gated_attention"] else 1)
    query = h * rank + rank * asked + rank if rank else h * asked
    if latent:
        kept = h * (latent + m["rope_dim"]) + latent * nq * (m["qk_nope_dim"] + value)
        gate = h * nq * value if m.get("mla_use_output_gate") else 0
        return float(query + kept + gate + nq * value * h + latent)
    nkv = m["n_kv_heads"]
    cached = h * nkv * (width if m.get("value_is_key") else width + value)
    bias = (nq * width + nkv * (width + value) + h + nq) if m["attention_bias"] else 0
    return float(query + cached + nq * value * h + bias)


def linear_attention_params(m: Mapping[str, Any]) -> float:
    """Weights of one gated delta-rule layer [parameters]: q, k, v, gate, two scalars a head, short convolution, output."""
    key, value = m["linear_k_heads"] * m["linear_head_dim"], m["linear_v_heads"] * m["linear_head_dim"]
    mixed = 2 * key + value
    return float(
        m["hidden"] * (mixed + value + 2 * m["linear_v_heads"])
        + mixed * CONV_WIDTH
        + value * m["hidden"]
        + 2 * m["linear_v_heads"]
    )


def mamba_params(hidden: float, inner: float, state: float, dt_rank: float, conv: float) -> float:
    """Weights of one Mamba-1 layer [parameters].

    Notes
    -----
    In and out projections, short convolution with bias, projection to step and state, step, :math:`A` and :math:`D`
    (arXiv:2312.00752, section 3.4).

    Examples
    --------
    >>> mamba_params(4096, 8192, 16, 256, 4) / 1e6
    105.3
    """
    mixed = inner * (conv + 1) + inner * (dt_rank + 2 * state) + dt_rank * inner + inner
    return float(hidden * 2 * inner + mixed + inner * (state + 1) + dt_rank + 2 * state + inner * hidden)


def mamba2_params(hidden: float, inner: float, state: float, groups: float, heads: float, conv: float) -> float:
    """Weights of one Mamba-2 layer [parameters]: gate, values, B, C and steps in one projection (arXiv:2405.21060).

    Examples
    --------
    >>> mamba2_params(2688, 4096, 128, 8, 64, 4) / 1e6
    38.7
    """
    mixed = inner + 2 * groups * state
    return float(hidden * (inner + mixed + heads) + mixed * (conv + 1) + 3 * heads + inner + inner * hidden)


def delta_params(hidden: float, heads: float, dim: float, conv: float, full_gate: bool = False) -> float:
    """Weights of one Kimi delta-attention layer [parameters]: q, k, v with convolutions, decay and gate of rank ``dim``.

    ``full_gate``: an output gate of one matrix (Kimi-K3).

    Source: arXiv:2510.26692, section 4.

    Examples
    --------
    >>> delta_params(2304, 32, 128, 4) / 1e6
    39.5
    """
    wide = heads * dim
    factored = hidden * dim + dim * wide
    low = factored + (hidden * wide if full_gate else factored)
    return float(3 * hidden * wide + 3 * wide * conv + low + hidden * heads + wide + heads + dim + wide * hidden)


def lightning_params(hidden: float, heads: float, dim: float) -> float:
    """Weights of one lightning-attention layer [parameters]: q, k, v, output gate, norm, output (arXiv:2501.08313).

    Examples
    --------
    >>> lightning_params(6144, 64, 128) / 1e6
    251.7
    """
    return float(5 * hidden * heads * dim + heads * dim)


def state_bytes(values: float, conv_channels: float = 0.0, conv: float = 1.0) -> float:
    """State of one request in one recurrent layer [bytes]: FP32 values, and the last inputs of a convolution in BF16.

    Examples
    --------
    >>> state_bytes(64 * 64 * 128, 6144, 4)
    2134016.0
    """
    return float(values * STATE_BYTES + conv_channels * (conv - 1) * BF16_BYTES)


def indexer_params(m: Mapping[str, Any]) -> float:
    """Weights of one sparse-attention indexer [parameters]."""
    if not m["index_heads"]:
        return 0.0
    return float(
        m["q_lora_rank"] * m["index_heads"] * m["index_head_dim"]
        + m["hidden"] * m["index_head_dim"]
        + m["hidden"] * m["index_heads"]
    )


def ffn_params(hidden: float, inter: float, gated: bool) -> float:
    """Weights of one feed-forward block [parameters].

    Examples
    --------
    >>> ffn_params(4096, 14336, True)
    176160768.0
    """
    return float((3 if gated else 2) * hidden * inter)


def kv_bytes_per_token(m: Mapping[str, Any], bytes_per_value: float) -> float:
    """Cache that one more token of context takes once sliding windows are full [bytes].

    Parameters
    ----------
    m : mapping
        Shapes of the model.
    bytes_per_value : float
        2 for BF16, 1 for FP8.

    Examples
    --------
    >>> from rackecon.catalog.models import model
    >>> model("gpt-oss-120b").kv_bytes_per_token_bf16
    36864.0
    """
    layers = m["full_layers"]
    if m["kv_lora_rank"]:
        latent, rope = m["kv_lora_rank"], m["rope_dim"]
        if m["index_heads"] and bytes_per_value == FP8_BYTES:
            per_layer = latent + SPARSE_FP8_SCALE_BYTES + BF16_BYTES * rope
            per_index = m["index_head_dim"] + INDEX_KEY_SCALE_BYTES
        else:
            per_layer = (latent + rope) * bytes_per_value
            per_index = m["index_head_dim"] * bytes_per_value
        return float(layers * per_layer + m["index_layers"] * per_index)
    value = (m.get("v_head_dim") or 0) or m["head_dim"]
    return float(layers * m["n_kv_heads"] * (m["head_dim"] + value) * bytes_per_value)


def window_bytes(m: Mapping[str, Any]) -> float:
    """Cache that a request's window layers take once full, in BF16, where their heads are those of full layers [bytes].

    Examples
    --------
    >>> window_bytes(dict(window_layers=18, window_tokens=128, n_kv_heads=8, head_dim=64)) / 1e6
    4.72
    """
    value = (m.get("v_head_dim") or 0) or m["head_dim"]
    return float(m["window_layers"] * m["window_tokens"] * m["n_kv_heads"] * (m["head_dim"] + value) * BF16_BYTES)


def sizes(m: Mapping[str, Any], mixing: float | None = None) -> dict[str, float]:
    """Totals of a model from its shapes.

    Parameters
    ----------
    m : mapping
        The integer and boolean fields of :class:`rackecon.catalog.models.Model`.
    mixing : float, optional
        Weights of everything that mixes tokens [parameters], where layers are of kinds that the shapes do not tell.

    Returns
    -------
    dict
        ``total_params``, ``active_params`` (no input embedding), ``routed_expert_params``, ``embed_params`` (input and
        output tables), ``native_weight_bytes``, ``kv_bytes_per_token_bf16``, ``kv_bytes_per_token_fp8``.
    """
    h, gated = m["hidden"], bool(m["gated"])
    attending = m["full_layers"] + m["window_layers"]
    if mixing is None:
        mixing = attending * attention_params(m) + m["index_layers"] * indexer_params(m)
        if m["linear_layers"]:
            mixing += m["linear_layers"] * linear_attention_params(m)
    norms = (2 * m["layers"] + 1) * h
    dense = m["dense_layers"] * ffn_params(h, m["dense_ffn"], gated)
    latent = m["moe_latent"] or 0
    expert = ffn_params(latent or h, m["moe_inter"], gated)
    if m["attention_bias"] and m["n_experts"]:
        expert += 2 * m["moe_inter"] + h
    router = m["moe_layers"] * (h + (1 if m["attention_bias"] else 0)) * m["n_experts"]
    shared = m["moe_layers"] * ffn_params(h, m["shared_inter"], gated) * m["n_shared_experts"]
    shared += m["moe_layers"] * 2 * h * latent  # into and out of the width that routed experts work in
    routed = m["moe_layers"] * m["n_experts"] * expert
    table = m["vocab"] * h
    embed = table if m["tied"] else 2 * table
    always = mixing + norms + dense + router + shared
    total = always + routed + embed
    active = always + m["moe_layers"] * m["top_k"] * expert + table
    other_bits = m["native_other_bits"]
    body_bytes = (total - routed - embed) * other_bits / BITS_PER_BYTE + embed * BF16_BYTES
    return {
        "total_params": float(total),
        "active_params": float(active),
        "routed_expert_params": float(routed),
        "embed_params": float(embed),
        "native_weight_bytes": float(body_bytes + routed * m["native_expert_bits"] / BITS_PER_BYTE),
        "kv_bytes_per_token_bf16": kv_bytes_per_token(m, BF16_BYTES),
        "kv_bytes_per_token_fp8": kv_bytes_per_token(m, FP8_BYTES),
    }
