"""Attention that reads a part of its cache: compressed entries (DeepSeek-V4) or blocks that an indexer picks (MiniMax-M3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rackecon.catalog.architecture import BF16_BYTES, FP8_BYTES
from rackecon.errors import InputError
from rackecon.intake.config_reader import Reader, shown
from rackecon.intake.model_families import WAY_OUT
from rackecon.units import BITS_PER_BYTE

RATIOS: Final = {"sliding_attention": 0, "compressed_sparse_attention": 4, "heavily_compressed_attention": 128}
"""Tokens of one cache entry by kind of layer; 0 keeps the window alone. Others have no arithmetic in the serving model."""
FP8_SCALES: Final = 8.0  # bytes of an entry's scales, whose rotary part stays in BF16
INDEX_KEY_BITS, INDEX_KEY_SCALES = 4.0, 4.0
"""An indexer's FP4 key beside an FP8 cache, and bytes of its scales."""


@dataclass(frozen=True)
class Selected:
    """Weights of all layers' attention [parameters]; bytes a token beyond the window in BF16 and FP8, and a full window's."""

    params: float
    bf16_bytes: float
    fp8_bytes: float
    window_bytes: float = 0.0


def _ratios(c: Reader, layers: int) -> list[int]:
    """Tokens of one entry in each layer; a list goes on for the layers of multi-token prediction."""
    given, kinds, rates = c.get("compress_ratios"), c.items("layer_types", layers), c.get("compress_rates")
    if kinds:
        wrong = [kind for kind in kinds if kind not in RATIOS]
        if wrong or (rates is not None and any(RATIOS.get(k) != v for k, v in dict(rates).items())):
            raise InputError(f"config layer_types, compress_rates: only {', '.join(RATIOS)} at 0, 4 and 128; {WAY_OUT}")
        return [RATIOS[kind] for kind in kinds]
    if not isinstance(given, list) or not layers <= len(given) <= layers + c.whole("num_nextn_predict_layers", empty=0):
        raise InputError(f"config compress_ratios: not a list of {layers} layers")
    wrong = [ratio for ratio in given[:layers] if isinstance(ratio, bool) or ratio not in RATIOS.values()]
    if wrong:
        raise InputError(f"config compress_ratios: {shown(wrong[0])} is not one of 0, 4, 128; {WAY_OUT}")
    return list(given[:layers])


def compressed_attention(c: Reader, m: dict[str, Any]) -> Selected:
    """DeepSeek-V4: one key of all heads, entries of 4 or 128 tokens beside a window in each layer.

    Notes
    -----
    Queries of a rank, output in groups of a rank, a compressor of two projections (twice as wide at 4 tokens, where entries
    overlap), an indexer at 4 tokens, and hyper-connections that mix ``hc_mult`` streams around each block. Source: the
    class of transformers 5 and the config of deepseek-ai/DeepSeek-V4-Flash.
    """
    hidden, heads, width, rank = m["hidden"], m["n_heads"], m["head_dim"], c.whole("q_lora_rank")
    low, groups, streams = c.whole("o_lora_rank"), c.whole("o_groups"), c.whole("hc_mult")
    keys, key = c.whole("index_n_heads"), c.whole("index_head_dim")
    c.skip("index_topk", "num_hash_layers", "hc_sinkhorn_iters", "compress_rope_theta", "qk_nope_head_dim")
    ratios = _ratios(c, m["layers"])
    counts = {ratio: ratios.count(ratio) for ratio in RATIOS.values()}
    query = hidden * rank + rank + rank * heads * width
    plain = query + hidden * width + width + heads * width * low + groups * low * hidden + heads
    heavy = 2 * hidden * width + 128 * width + width
    index = 2 * hidden * 2 * key + 4 * 2 * key + key + rank * keys * key + hidden * keys
    light = 2 * hidden * 2 * width + 4 * 2 * width + width + index
    streamed = (2 * m["layers"] * (2 + streams) * streams + streams) * streams * hidden
    rotary = c.whole("qk_rope_head_dim")
    entry = width - rotary + BF16_BYTES * rotary + FP8_SCALES
    fp8_key = key * INDEX_KEY_BITS / BITS_PER_BYTE + INDEX_KEY_SCALES
    return Selected(
        m["layers"] * plain + counts[128] * heavy + counts[4] * light + streamed,
        BF16_BYTES * (counts[4] * (width + key) / 4.0 + counts[128] * width / 128.0),
        counts[4] * (entry + fp8_key) / 4.0 + counts[128] * entry / 128.0,
        m["layers"] * m["window_tokens"] * width * BF16_BYTES,
    )


def picked_blocks(c: Reader, m: dict[str, Any], full: float) -> Selected:
    """MiniMax-M3: grouped queries of ``full`` weights a layer, and an indexer whose key of each token is cached beside.

    Source: the class of transformers 5 and the config of MiniMaxAI/MiniMax-M3.
    """
    layers, kinds = m["layers"], c.items("layer_types", m["layers"])
    held = c.get("sparse_attention_config") or {}
    if not isinstance(held, dict):
        raise InputError("config sparse_attention_config: not an object")
    inner = Reader(
        held,
        {
            "sparse_attention_freq": (),
            "index_n_heads": ("sparse_num_index_heads",),
            "index_head_dim": ("sparse_index_dim",),
        },
    )
    of = inner if held else c
    c.skip(
        "index_block_size",
        "index_topk_blocks",
        "index_local_blocks",
        "index_init_blocks",
        "index_n_heads",
        "index_head_dim",
    )
    marks = inner.items("sparse_attention_freq", layers)
    if kinds:
        marks = [int(kind == "minimax_m3_sparse") for kind in kinds]
    if marks is None or any(mark not in (0, 1) for mark in marks):
        raise InputError("config sparse_attention_freq: not a list of 0 and 1, one a layer")
    values = inner.items("sparse_disable_index_value", layers)
    if values and any(mark and not off for mark, off in zip(marks, values, strict=True)):
        raise InputError(f"config sparse_disable_index_value: an indexer with values has no arithmetic here; {WAY_OUT}")
    picked = sum(marks) if held.get("use_sparse_attention", True) else 0
    heads, width = (of.whole("index_n_heads"), of.whole("index_head_dim")) if picked else (0, 0)
    cached = 2 * layers * m["n_kv_heads"] * m["head_dim"] + picked * width
    weights = layers * full + picked * (m["hidden"] * (heads + 1) * width + 2 * width)
    return Selected(weights, cached * BF16_BYTES, cached * FP8_BYTES)
