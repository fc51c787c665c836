"""An engine as arrays: everything of accelerator, model, precision and layout that the step equations need.

One row is one candidate or one measured point. Parameter values are gathered by position, so that the same arrays serve
any parameter vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Accelerator, Model
from rackecon.performance.families import engine_family, parameter_names
from rackecon.performance.moe import GRID_LOG2_TOKENS, busiest_share, distinct_curve
from rackecon.performance.shares import ATTENTION_SHARE, BANDWIDTH_SHARE, KV_BANDWIDTH_SHARE, product_share
from rackecon.units import BITS_PER_BYTE

# Bits a weight takes with its scales: NVFP4 and MXFP4 4.25-4.5, INT4 in groups of 32 4.5
PRECISION_BITS = {"bf16": 16.0, "fp8": 8.0, "fp4": 4.5, "int4": 4.5}
KV_BITS = {"bf16": 16.0, "fp8": 8.0, "fp4": 4.5, "int4": 8.0}
# Output length set aside per sequence: all of it without eviction (TensorRT-LLM), else the mean resident part, a margin
RESERVE_SHARE = {"trt": 1.0, "sglang": 0.7, "amd": 0.7, "atom": 0.6, "vllm": 0.6}
# TensorRT-LLM keeps window layers' whole context unless told otherwise: gpt-oss throughput tables, error 12 % to 8 %
ONE_POOL = ("trt",)
# Engines whose data-parallel attention keeps dense layers, shared experts and the head whole on every rank
REPLICATES = ("trt",)
FLOP_PER_PAIR = (
    4.0  # of a query and a key of one width: a product and a sum each in scores and in values; by definition
)
COMPRESSED_VIEW = 16.0
"""Tokens of context per entry that compressed attention reads, over all layers: own, between its kinds' 4 and 128."""
LINK_SHARE = 0.75
"""Of a link's rate that collectives reach [-], 0 to 1. Own start: the fitted ``allreduce`` and ``exposed`` multiply it."""
LINK_START_S, NETWORK_START_S = 4.0e-6, 25e-6
"""Start of a collective inside a scale-up domain and between nodes [s], 1e-6 to 1e-4. Own starts: ``allreduce`` multiplies."""
EXPERT_READ_SHARE = 0.9  # of the bandwidth of dense products, in reading the weights of many small ones


@dataclass(frozen=True)
class Engine:
    """Arrays of one shape (or scalars that broadcast); bytes, FLOP and counts are of the whole model unless said."""

    tp: FloatArray
    ep: FloatArray
    pp: FloatArray
    dp: FloatArray  # data-parallel attention ranks: 1 or tp
    attention_tp: FloatArray
    dense_tp: FloatArray  # ranks that share the weights of dense layers, shared experts and the head
    hbm_bytes: FloatArray
    hbm_bytes_per_s: FloatArray
    expert_flops: FloatArray  # reachable FLOP/s of routed experts
    other_flops: FloatArray
    attention_flops: FloatArray
    expert_bandwidth: FloatArray  # share of HBM bandwidth that kernels reach in reading weights
    other_bandwidth: FloatArray
    kv_bandwidth: FloatArray
    link_bytes_per_s: FloatArray
    link_start_s: FloatArray
    nic_bytes_per_s: FloatArray
    crosses_nic: FloatArray
    hidden: FloatArray
    layers: FloatArray
    full_layers: FloatArray
    window_layers: FloatArray
    window_tokens: FloatArray
    linear_layers: FloatArray
    sparse_tokens: FloatArray
    index_layers: FloatArray  # layers that score and pick the context they attend to
    moe_layers: FloatArray
    n_experts: FloatArray
    top_k: FloatArray
    distinct_share: FloatArray  # (curves, grid): distinct experts over all experts, on the busiest rank
    share_row: IntArray  # curve of each row; a choice of rows shares the curves, which are 81 numbers each
    attention_bytes: FloatArray
    dense_bytes: FloatArray
    shared_bytes: FloatArray
    routed_bytes: FloatArray
    head_bytes: FloatArray
    attention_params: FloatArray
    dense_params: FloatArray
    shared_params: FloatArray
    expert_params: FloatArray  # one expert of one layer
    head_params: FloatArray
    kv_full_bytes: FloatArray  # per token of context, all full layers
    kv_window_bytes: FloatArray  # per token in window, all window layers
    kv_index_bytes: FloatArray
    state_bytes: FloatArray
    kv_shard: FloatArray
    decode_flop_per_context: FloatArray  # per query token and context token, all full layers, whole model
    decode_flop_per_window: FloatArray
    prefill_flop_per_pair: FloatArray  # per (query, key) pair, all full layers, whole model
    prefill_flop_per_window: FloatArray
    value_bytes: FloatArray
    keys: dict[str, IntArray]  # parameter group -> position in the parameter vector
    is_moe: FloatArray
    is_mla: FloatArray
    expert_width: FloatArray  # inner size of one expert
    reserve_share: FloatArray  # share of the output length that the scheduler sets aside
    window_kept_tokens: FloatArray  # context that window layers keep in memory

    @cached_property
    def share_lines(self) -> tuple[FloatArray, FloatArray]:
        """The curves of ``distinct_share`` as straight pieces, one after the other: value at position 0, and slope."""
        slope = np.diff(self.distinct_share, axis=1, append=self.distinct_share[:, -1:])
        start = self.distinct_share - slope * np.arange(slope.shape[1])
        return start.ravel(), slope.ravel()

    def take(self, rows: IntArray | BoolArray) -> Engine:
        """The same engine arrays for a choice of rows; what stands once for all stays so."""
        values = {name: x if x.size == 1 and name not in OF_ROWS else x[rows] for name, x in self._arrays.items()}
        keys = {name: at if at.size == 1 else at[rows] for name, at in self.keys.items()}
        return Engine(**values, distinct_share=self.distinct_share, keys=keys)

    def condensed(self) -> Engine:
        """The same, with one value for all rows where they agree in what is not a layout's: it is not worked with row by row."""
        values = {name: x if name in OF_ROWS else _one(x) for name, x in self._arrays.items()}
        keys = {name: _one(at) for name, at in self.keys.items()}
        return Engine(**values, distinct_share=self.distinct_share, keys=keys)

    @property
    def _arrays(self) -> dict[str, Any]:
        """Fields with a value for each row."""
        return {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("distinct_share", "keys")
        }

    def shifted(self, by: IntArray, moved: BoolArray) -> Engine:
        """The same with those parameters of each row that ``moved`` names so much further on in a vector."""
        return replace(self, keys={name: at + by if moved[at].any() else at for name, at in self.keys.items()})


OF_ROWS = ("tp", "ep", "pp", "dp", "share_row")


def _one(values: NDArray[Any]) -> NDArray[Any]:
    """One value where all are the same."""
    return values[:1] if values.size > 1 and (values == values[0]).all() else values


def _expert_precision(model: Model, precision: str) -> tuple[float, str]:
    """Bits and arithmetic format of routed experts."""
    if model.native_expert_bits < BITS_PER_BYTE and precision in ("fp4", "int4"):
        return model.native_expert_bits, "fp4" if precision == "fp4" else "int4"
    return PRECISION_BITS[precision], precision


def _other_precision(model: Model, precision: str) -> tuple[float, str]:
    """Bits and arithmetic format of everything that is not a routed expert."""
    four = model.native_expert_bits < BITS_PER_BYTE and precision in ("fp4", "int4")
    if four or precision == model.native_precision == "fp8":
        bits = model.native_other_bits
        return bits, precision if bits < BITS_PER_BYTE else "fp8" if bits < PRECISION_BITS["bf16"] else "bf16"
    if precision in ("fp4", "int4") and model.is_mla:
        return 8.0, "fp8"  # released 4-bit checkpoints of latent-attention models keep attention in 8 or 16 bits
    return PRECISION_BITS[precision], precision


def build_engine(
    accelerators: Sequence[Accelerator],
    models: Sequence[Model],
    weight_precision: Sequence[str],
    kv_precision: Sequence[str],
    engines: Sequence[str],
    modes: Sequence[str],
    tp: FloatArray,
    ep: FloatArray,
    pp: FloatArray,
    dp_attention: BoolArray,
    parameter_index: dict[str, int],
) -> Engine:
    """Arrays for many (accelerator, model, precision, engine, layout) rows.

    Parameters
    ----------
    accelerators, models : sequence
        One record a row.
    weight_precision, kv_precision, engines, modes : sequence of str
        One name a row.
    tp, ep, pp : array
        Layout of one engine [GPU].
    dp_attention : array of bool
        Whether attention runs data-parallel over the ``tp`` ranks.
    parameter_index : dict
        Position of each parameter in the vector.
    """
    cache: dict[tuple[str, str, str, str, str, str], tuple[dict[str, float], dict[str, int]]] = {}
    rows, keyed = [], []
    for a, m, w, k, e, mode in zip(accelerators, models, weight_precision, kv_precision, engines, modes, strict=True):
        tag = (a.id, m.id, w, k, e, mode)
        if tag not in cache:
            cache[tag] = _of_all(a, m, w, k, e, mode, parameter_index)
        rows.append(cache[tag][0])
        keyed.append(cache[tag][1])
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    keys = {group: np.array([row[group] for row in keyed], dtype=np.intp) for group in keyed[0]}
    curves: dict[str, FloatArray] = {}
    for m in models:
        if m.id not in curves:
            curves[m.id] = _curve(m)
    return _laid_out(columns, keys, np.stack([curves[m.id] for m in models]), tp, ep, pp, dp_attention)


def engine_of_layouts(
    chip: Accelerator,
    arch: Model,
    weight: str,
    kv: str,
    software: str,
    mode: str,
    layouts: tuple[FloatArray, FloatArray, FloatArray, BoolArray],
    parameter_index: dict[str, int],
) -> Engine:
    """:func:`build_engine` of one platform, model and software in several layouts, condensed.

    ``layouts`` are its ``tp``, ``ep``, ``pp`` and ``dp_attention``.
    """
    constants, named = _of_all(chip, arch, weight, kv, software, mode, parameter_index)
    columns = {name: np.array([value]) for name, value in constants.items()}
    keys = {group: np.array([at], dtype=np.intp) for group, at in named.items()}
    return _laid_out(columns, keys, _curve(arch)[None], *layouts).condensed()


def _of_all(
    a: Accelerator, m: Model, weight: str, kv: str, software: str, mode: str, parameter_index: dict[str, int]
) -> tuple[dict[str, float], dict[str, int]]:
    """What every layout shares, and the place of each of its parameters."""
    family = engine_family(software, a.vendor)
    constants = {**_constants(a, m, weight, kv), "reserve_share": RESERVE_SHARE[family]}
    constants["replicates"] = float(family in REPLICATES)
    constants["window_kept_tokens"] = np.inf if family in ONE_POOL else constants["window_tokens"]
    names = parameter_names(a, m, weight, software, mode)
    return constants, {group: parameter_index[name] for group, name in names.items()}


def _curve(m: Model) -> FloatArray:
    """Share of a layer's experts that tokens touch, over :data:`~rackecon.performance.moe.GRID_LOG2_TOKENS`."""
    return distinct_curve(m.n_experts, m.top_k) / m.n_experts if m.is_moe else np.ones(len(GRID_LOG2_TOKENS))


def _laid_out(
    columns: dict[str, FloatArray],
    keys: dict[str, IntArray],
    distinct: FloatArray,
    tp: FloatArray,
    ep: FloatArray,
    pp: FloatArray,
    dp_attention: BoolArray,
) -> Engine:
    """Engines of what layouts do not change, for each row or once for all, and of the layout of each."""
    tp, ep, pp = (np.asarray(x, dtype=float) for x in (tp, ep, pp))
    dp = np.where(dp_attention, tp, 1.0)
    attention_tp = tp / dp
    heads_shard = np.minimum(attention_tp, columns.pop("kv_heads"))
    domain = columns.pop("domain")
    link_start = np.where(tp > domain, NETWORK_START_S, columns.pop("link_start"))
    return Engine(
        tp=tp,
        ep=ep,
        pp=pp,
        dp=dp,
        attention_tp=attention_tp,
        dense_tp=np.where(columns.pop("replicates") > 0, attention_tp, tp),
        kv_shard=heads_shard,
        crosses_nic=np.where(np.maximum(tp, ep) > domain, 1.0, 0.0),
        link_start_s=link_start,
        distinct_share=busiest_share(distinct, columns["n_experts"], ep),
        share_row=np.arange(len(tp)),
        keys=keys,
        **columns,
    )


def _constants(a: Accelerator, m: Model, weight: str, kv: str) -> dict[str, float]:
    """What depends on accelerator, model and precisions alone, and not on a layout or an engine."""
    return {
        **_speeds(a, m, weight, kv),
        **_shape(m),
        **_weights(m, weight),
        **_attention(m, KV_BITS[kv] / BITS_PER_BYTE),
    }


def _speeds(a: Accelerator, m: Model, weight: str, kv: str) -> dict[str, float]:
    """Peaks, bandwidths and links of an accelerator, and the shares of them that kernels reach."""
    expert_format, other_format = _expert_precision(m, weight)[1], _other_precision(m, weight)[1]
    attention_format = "fp8" if kv == "fp8" and np.isfinite(a.peak_fp8_flops) else "bf16"
    nic = a.scaleout_bytes_per_s if np.isfinite(a.scaleout_bytes_per_s) else a.scaleup_bytes_per_s
    return {
        "hbm_bytes": a.hbm_bytes,
        "hbm_bytes_per_s": a.hbm_bytes_per_s,
        "expert_flops": a.peak_flops(expert_format) * product_share(a, expert_format),
        "other_flops": a.peak_flops(other_format) * product_share(a, other_format),
        "attention_flops": a.peak_flops(attention_format) * ATTENTION_SHARE[attention_format],
        "expert_bandwidth": EXPERT_READ_SHARE * BANDWIDTH_SHARE[weight],
        "other_bandwidth": BANDWIDTH_SHARE[other_format],
        "kv_bandwidth": KV_BANDWIDTH_SHARE,
        "link_bytes_per_s": a.scaleup_bytes_per_s * LINK_SHARE,
        "link_start": LINK_START_S,
        "nic_bytes_per_s": nic * LINK_SHARE,
        "domain": float(a.scaleup_domain_gpus),
    }


def _shape(m: Model) -> dict[str, float]:
    """Layers, widths and experts of a model."""
    return {
        "hidden": float(m.hidden),
        "layers": float(m.layers),
        "full_layers": float(m.full_layers),
        "window_layers": float(m.layers if m.attention == "v4" else m.window_layers),
        "window_tokens": float(m.window_tokens or 1),
        "linear_layers": float(m.linear_layers),
        "sparse_tokens": float(m.index_topk or np.inf),
        "index_layers": float(m.index_layers),
        "moe_layers": float(m.moe_layers),
        "n_experts": float(max(m.n_experts, 1)),
        "top_k": float(m.top_k),
        "value_bytes": 2.0,
        "is_moe": float(m.is_moe),
        "is_mla": float(m.is_mla),
        "expert_width": float(max(m.moe_inter, 1)),
    }


def _weights(m: Model, weight: str) -> dict[str, float]:
    """Parameters of a token by block, and the bytes that a precision takes for them."""
    expert_bits, (other_bits, other_format) = _expert_precision(m, weight)[0], _other_precision(m, weight)
    eight = (other_bits, other_format) == (8.0, "fp8")  # of attention alone: other blocks have the precision's bits
    per_expert = m.routed_expert_params / max(m.moe_layers * m.n_experts, 1) if m.is_moe else 0.0
    shared = m.moe_layers * (3 if m.gated else 2) * m.hidden * m.shared_inter * m.n_shared_experts if m.is_moe else 0.0
    dense = m.dense_layers * (3 if m.gated else 2) * m.hidden * m.dense_ffn
    head = m.vocab * m.hidden
    attention = max(m.active_params - dense - shared - head - m.moe_layers * m.top_k * per_expert, 0.0)
    return {
        "attention_bytes": attention * other_bits / BITS_PER_BYTE,
        "dense_bytes": dense * (PRECISION_BITS[weight] if eight else other_bits) / BITS_PER_BYTE,
        "shared_bytes": shared * (expert_bits if eight else other_bits) / BITS_PER_BYTE,
        "routed_bytes": m.routed_expert_params * expert_bits / BITS_PER_BYTE,
        "head_bytes": head * 2.0,
        "attention_params": attention,
        "dense_params": dense,
        "shared_params": shared,
        "expert_params": per_expert,
        "head_params": float(head),
    }


def _attention(m: Model, kv_bytes: float) -> dict[str, float]:
    """Cache of a token, of a window and of an index at so many bytes a value, and FLOP per token attended to."""
    full, window, kv_heads = m.kv_bytes_per_token_bf16 / 2.0 * kv_bytes, 0.0, 1.0
    decode_flop = FLOP_PER_PAIR * m.full_layers * m.n_heads * m.attention_width
    prefill_flop, window_flop = decode_flop, 0.0
    if m.is_mla:
        decode_flop = 2.0 * m.full_layers * m.n_heads * (2 * m.kv_lora_rank + m.rope_dim)
        prefill_flop = 2.0 * m.full_layers * m.n_heads * (m.qk_nope_dim + m.rope_dim + m.v_head_dim)
    else:
        window_flop = FLOP_PER_PAIR * m.window_layers * m.n_heads * (m.window_head_dim or m.attention_width)
        kv_heads = float(m.n_kv_heads)
        if m.arithmetic == "stated":  # as the stated window cache says, where window layers have heads of their own
            window = m.kv_fixed_bytes_bf16 / 2.0 * kv_bytes / max(m.window_tokens, 1)
        else:
            per_layer = 2.0 * m.n_kv_heads * m.attention_width * kv_bytes
            full, window = m.full_layers * per_layer, m.window_layers * per_layer
        if m.attention == "v4":
            kv_heads, window = 1.0, m.layers * m.head_dim * 2.0 * kv_bytes
            decode_flop = prefill_flop = FLOP_PER_PAIR * m.layers * m.n_heads * m.head_dim / COMPRESSED_VIEW
    return {
        "kv_heads": kv_heads,
        "kv_full_bytes": full,
        "kv_window_bytes": window,
        "kv_index_bytes": m.index_layers * m.index_head_dim * kv_bytes,
        "state_bytes": float(m.recurrent_state_bytes),
        "decode_flop_per_context": decode_flop,
        "decode_flop_per_window": window_flop,
        "prefill_flop_per_pair": prefill_flop,
        "prefill_flop_per_window": window_flop,
    }
