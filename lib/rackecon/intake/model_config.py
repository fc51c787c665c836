"""A row of the table of models from a model's configuration: names of many families, one set of shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rackecon.catalog import architecture
from rackecon.errors import InputError, plain
from rackecon.intake.config_reader import Reader, inner_config
from rackecon.intake.model_families import WAY_OUT, Family, family_of, spellings, spelt_out, unread
from rackecon.intake.model_layers import blocks
from rackecon.intake.quantised import stored
from rackecon.intake.recurrent_layers import Recurrent, recurrent_layer
from rackecon.intake.selected_layers import Selected, compressed_attention, picked_blocks

MOST_PARAMS: Final = 1e14
STATED: Final = "layers of several shapes: sizes computed layer by layer from the configuration"
LONGEST_NAME: Final = 64


@dataclass(frozen=True)
class _Heads:
    """Attention of one kind of layer."""

    heads: int
    kv_heads: int
    head_dim: int
    v_head_dim: int  # 0 where values are as wide as keys

    @property
    def width(self) -> float:
        """Mean width of keys and values."""
        return (self.head_dim + (self.v_head_dim or self.head_dim)) / 2.0


def _latent(c: Reader, family: Family) -> dict[str, int]:
    """Shapes of latent attention; empty where the cache is of keys and values."""
    if not family.latent:
        return {}
    if "q_lora_rank" not in c.values:
        raise InputError("config: 'q_lora_rank' is missing; null stands for a query of one matrix")
    c.skip("num_key_value_heads", "head_dim", "qk_head_dim")
    return {
        "kv_lora_rank": c.whole("kv_lora_rank"),
        "q_lora_rank": c.whole("q_lora_rank", empty=0),
        "qk_nope_dim": c.whole("qk_nope_head_dim"),
        "rope_dim": c.whole("qk_rope_head_dim"),
        "v_head_dim": c.whole("v_head_dim"),
    }


def _heads(c: Reader, family: Family, hidden: int, latent: Mapping[str, int]) -> tuple[_Heads, _Heads]:
    """Attention of full layers, and of window layers."""
    heads = c.whole("num_attention_heads")
    if latent:
        one = _Heads(heads, 1, latent["qk_nope_dim"] + latent["rope_dim"], latent["v_head_dim"])
        return one, one
    kv_heads = c.whole("num_key_value_heads", empty=heads if family.every_head else None)
    if not c.has("head_dim") and hidden % heads:
        raise InputError(f"config: hidden_size {hidden} is not a multiple of num_attention_heads {heads}")
    width = c.whole("head_dim", empty=hidden // heads)
    full = _Heads(heads, kv_heads, width, c.whole("v_head_dim", empty=0))
    window = _Heads(
        heads,
        c.whole("window_key_value_heads", empty=kv_heads),
        c.whole("window_head_dim", empty=width),
        c.whole("window_v_head_dim", empty=full.v_head_dim),
    )
    for kind in (full, window):
        if kind.kv_heads < 1 or heads % kind.kv_heads:
            raise InputError(
                f"config: num_attention_heads {heads} is not a multiple of num_key_value_heads {kind.kv_heads}"
            )
    return full, window


def _feed_forward(c: Reader, family: Family, experts: int, layers: int, of: list[str]) -> dict[str, int]:
    """Columns of dense and routed feed-forward blocks."""
    inter = c.whole("intermediate_size", empty=0)
    routed, dense = of.count("experts"), of.count("dense")
    if experts and c.flag("dense_everywhere"):
        dense = layers
    if dense and not inter:
        raise InputError("config: 'intermediate_size' is missing")
    out = {"dense_ffn": inter if dense else 0, "dense_layers": dense, "n_experts": experts, "top_k": 0, "moe_layers": 0}
    out |= {"n_shared_experts": 0, "moe_inter": 0, "shared_inter": 0, "moe_latent": 0, "first_dense_layers": 0}
    if not experts:
        return out
    chosen = c.whole("num_experts_per_tok", empty=0)
    if not 1 <= chosen <= experts:
        raise InputError(f"config: {chosen} experts per token of {experts}")
    if not routed:
        raise InputError(f"config: {experts} experts and no layer that routes to them")
    wide = c.whole("moe_intermediate_size", empty=inter if family.wide_experts else 0)
    if not wide:
        raise InputError("config: 'moe_intermediate_size' is missing")
    shared_inter = c.whole("shared_expert_intermediate_size", empty=0)
    shared = c.whole("num_shared_experts", empty=1 if shared_inter else 0)
    if shared > 1 and shared_inter not in (0, wide):
        raise InputError(f"config: {shared} shared experts of a width of their own have no arithmetic here")
    first = next((i for i, kind in enumerate(of) if kind == "experts"), layers)
    return out | {
        "top_k": chosen,
        "n_shared_experts": shared,
        "moe_inter": wide,
        "shared_inter": (shared_inter or wide) if shared else 0,
        "moe_latent": c.whole("moe_latent_size", empty=0),
        "first_dense_layers": first,
        "moe_layers": routed,
    }


def _indexer(c: Reader, family: Family, layers: int) -> dict[str, int]:
    """Shapes of sparse attention's indexer, and the layers that have one."""
    if not family.indexed:
        return {"index_topk": 0, "index_heads": 0, "index_head_dim": 0, "index_layers": 0}
    kinds = c.items("indexer_types", layers)
    pattern = c.get("index_topk_pattern")
    every, skipped = max(c.whole("index_topk_freq", empty=1), 1), c.whole("index_skip_topk_offset", empty=2)
    if kinds:
        if any(kind not in ("full", "shared") for kind in kinds):
            raise InputError("config indexer_types: only 'full' and 'shared' have a meaning here")
        own = kinds.count("full")
    elif pattern is not None:
        raise InputError(f"config index_topk_pattern: not read here; {WAY_OUT}")
    else:
        # As the class of transformers spreads them: each of the first, then one in every so many
        own = sum(1 for i in range(layers) if max(i - skipped + 1, 0) % every == 0)
    return {
        "index_topk": c.whole("index_topk"),
        "index_heads": c.whole("index_n_heads"),
        "index_head_dim": c.whole("index_head_dim"),
        "index_layers": own,
    }


def _mixing(m: Mapping[str, Any], window: _Heads, apart: Mapping[str, bool], state: Recurrent) -> float:
    """Weights of all that mixes tokens [parameters]; ``apart`` is what the table of models has no column for."""
    other = dict(m) | {"n_kv_heads": window.kv_heads, "head_dim": window.head_dim, "v_head_dim": window.v_head_dim}
    full = architecture.attention_params({**m, **apart})
    out = m["full_layers"] * full + m["index_layers"] * architecture.indexer_params(m)
    if m["window_layers"]:
        out += m["window_layers"] * architecture.attention_params(dict(m) if m["kv_lora_rank"] else other)
    residuals = (
        (4 * m["layers"] + 2) * m["hidden"] if apart.get("attn_res_block_size") else 0
    )  # Kimi-K3's, of a row each
    return float(out + m["linear_layers"] * state.params + residuals)


def _selected(c: Reader, family: Family, m: dict[str, Any]) -> Selected | None:
    """Attention that reads a part of its cache; none where a family's reads all."""
    if family.selects == "entries":
        c.skip("num_key_value_heads")
        m |= {"window_tokens": c.whole("sliding_window"), "n_kv_heads": 1, "rope_dim": c.whole("qk_rope_head_dim")}
        found = compressed_attention(c, m)
        m["kv_fixed_bytes_bf16"] = found.window_bytes
        return found
    return picked_blocks(c, m, architecture.attention_params(m)) if family.selects == "blocks" else None


def _kind(m: Mapping[str, Any], family: Family) -> str:
    if family.selects:
        return {"entries": "v4", "blocks": "block-sparse"}[family.selects]
    if m["linear_layers"]:
        return "hybrid"
    return ("dsa" if m["index_heads"] else "mla") if m["kv_lora_rank"] else "gqa"


def _shapes(c: Reader, name: str, family: Family) -> tuple[dict[str, Any], Selected]:
    """Columns of shapes, and the weights of what mixes tokens with the cache that it keeps."""
    layers, hidden, context = (c.whole(key) for key in ("num_hidden_layers", "hidden_size", "max_position_embeddings"))
    experts = c.whole("num_experts", empty=0)
    made = blocks(c, layers, name, family.recurrent, bool(experts), bool(family.selects))
    mixers, of = [mixer for mixer, _ in made], [kind for _, kind in made]
    tokens = c.whole("sliding_window", empty=0)
    full, window = (mixers.count(kind) + (mixers.count("both") if kind == "full" else 0) for kind in ("full", "window"))
    if window and not tokens:
        raise InputError("config: sliding layers without sliding_window")
    if tokens >= context:  # a window over all that the model can see is none
        full, window = full + window, 0
    recurrent = mixers.count("recurrent") + mixers.count("both")
    state = recurrent_layer(c, family.recurrent, hidden, recurrent > 0)
    latent = _latent(c, family)
    wide, narrow = _heads(c, family, hidden, latent)
    forward = _feed_forward(c, family, experts, layers, of)
    twice = 2 if name == "longcat_flash" else 1  # two attentions and two dense blocks a layer
    if twice == 2:
        forward |= {"dense_layers": 2 * layers, "dense_ffn": c.whole("intermediate_size")}
    m: dict[str, Any] = {
        "layers": twice * layers, "hidden": hidden, "vocab": c.whole("vocab_size"),
        "n_heads": wide.heads, "n_kv_heads": wide.kv_heads, "head_dim": wide.head_dim, "v_head_dim": wide.v_head_dim,
        "qk_nope_dim": 0, "kv_lora_rank": 0, "rope_dim": 0, "q_lora_rank": 0 if latent else c.whole("q_lora_rank", empty=0),
        "window_tokens": tokens if window else 0, "full_layers": twice * full, "window_layers": window,
        "linear_layers": recurrent, "linear_k_heads": state.key_heads, "linear_v_heads": state.value_heads,
        "linear_head_dim": state.head_dim,
        **_indexer(c, family, layers), **forward, **latent,
        "gated": family.gated, "tied": c.flag("tie_word_embeddings", empty=family.tied),
        "attention_bias": family.wide_biases,
        "gated_attention": family.recurrent == "delta" and c.flag("attn_output_gate", empty=True),
        "mtp_layers": c.whole("num_nextn_predict_layers", empty=0), "max_context_tokens": context,
        "recurrent_state_bytes": recurrent * state.state_bytes,
        "window_head_dim": narrow.width if window and narrow.width != wide.width else 0,
        "kv_fixed_bytes_bf16": window * 2 * narrow.kv_heads * narrow.width * tokens * architecture.BF16_BYTES,
    }  # fmt: skip
    found = _selected(c, family, m)
    if found is None:
        apart = {key: c.flag(key) for key in ("value_is_key", *(("mla_use_output_gate",) if latent else ()))}
        if family.recurrent == "kda":
            apart["attn_res_block_size"] = c.whole("attn_res_block_size", empty=0) > 0
        sizes = (
            architecture.kv_bytes_per_token(m, width) for width in (architecture.BF16_BYTES, architecture.FP8_BYTES)
        )
        found = Selected(_mixing(m, narrow, apart, state), *sizes)
    return m, found


def model_row(config: Mapping[str, Any], model_id: str, side: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A row of the table of models.

    Parameters
    ----------
    config : mapping
        A Hugging Face configuration; the language model inside a wrapper is found.
    model_id : str
        Id of the new row: lower-case letters, digits, ``.`` and ``-``.
    side : mapping, optional
        ModelOpt's ``hf_quant_config.json`` from beside it.

    Returns
    -------
    dict
        Columns of data/models.csv; sizes follow from the shapes.

    Raises
    ------
    InputError
        An architecture that is not computed exactly, a key that may change shapes and is not read, missing or impossible
        shapes, a quantisation without arithmetic: one line that names it.

    Examples
    --------
    >>> row = model_row(dict(model_type="llama", num_hidden_layers=32, hidden_size=4096, vocab_size=128256,
    ...     num_attention_heads=32, num_key_value_heads=8, intermediate_size=14336, max_position_embeddings=131072), "x")
    >>> row["stated_total_params"] / 8.03e9
    1.00
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.\-]{0,63}", model_id):
        raise InputError(f"model id '{model_id[:80]}': lower-case letters, digits, '.' and '-' only")
    inner = inner_config(config)
    name, family = family_of(inner)
    c = Reader(spelt_out(inner), spellings())
    m, cached = _shapes(c, name, family)
    mixing = cached.params
    left = unread(c.values, c.read)
    if left:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise InputError(
            f"config {plain(left[0], LONGEST_NAME)}{more}: not read for model_type '{name}' and may change shapes; where it "
            f"changes none, delete it from a copy of the file; else {WAY_OUT}"
        )
    kept = stored(inner, side, bool(m["n_experts"]))
    m |= {"native_expert_bits": kept.expert_bits, "native_other_bits": kept.dense_bits}
    bare = architecture.sizes(m, mixing)
    body = bare["total_params"] - bare["routed_expert_params"] - bare["embed_params"]
    m["native_other_bits"] = kept.other_bits(mixing / body)
    kept_bytes = {"kv_bytes_per_token_bf16": cached.bf16_bytes, "kv_bytes_per_token_fp8": cached.fp8_bytes}
    sized, plainly = architecture.sizes(m, mixing) | kept_bytes, architecture.sizes(m)
    if sized["total_params"] > MOST_PARAMS:
        raise InputError(f"config: {sized['total_params']:.3g} parameters is no model")
    same_window = m["kv_fixed_bytes_bf16"] == architecture.window_bytes(m)
    simple = sized == plainly and same_window and not m["window_head_dim"]
    title = plain(str(inner.get("_name_or_path") or model_id).rstrip("/").split("/")[-1], LONGEST_NAME) or model_id
    out = {"id": model_id, "name": title, "attention": _kind(m, family), **m}
    out |= {f"stated_{key}": value for key, value in sized.items()}
    out |= (
        {"arithmetic": "computed", "exception_reason": ""}
        if simple
        else {"arithmetic": "stated", "exception_reason": STATED}
    )
    return out | {"native": kept.words, "mtp_params": ""}
