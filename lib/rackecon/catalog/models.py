"""Models: architectures from their published configurations, with the sizes that follow from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rackecon.catalog import architecture
from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import Row, rows_of
from rackecon.errors import check_known

EIGHT_BITS: Final = 8.0
ROOM_FOR_SCALES: Final = 1.0
"""Bits a weight that scales of blocks add at most to 8."""


@dataclass(frozen=True)
class Model:
    """One model. ``active_params`` leaves out the input embedding (a table read, not a product)."""

    id: str
    name: str
    attention: str
    layers: int
    hidden: int
    vocab: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    qk_nope_dim: int
    v_head_dim: int
    kv_lora_rank: int
    rope_dim: int
    q_lora_rank: int
    window_tokens: int
    window_head_dim: float  # mean width of keys and values in window layers; 0 where it is that of full layers
    full_layers: int
    window_layers: int
    linear_layers: int
    linear_k_heads: int
    linear_v_heads: int
    linear_head_dim: int
    index_topk: int
    index_heads: int
    index_head_dim: int
    index_layers: int
    dense_ffn: int
    dense_layers: int
    n_experts: int
    top_k: int
    n_shared_experts: int
    moe_inter: int
    shared_inter: int
    moe_latent: int
    first_dense_layers: int
    moe_layers: int
    gated: bool
    tied: bool
    attention_bias: bool
    gated_attention: bool
    mtp_layers: int
    max_context_tokens: int
    native: str
    native_expert_bits: float
    native_other_bits: float
    kv_fixed_bytes_bf16: float
    recurrent_state_bytes: float
    published_total_params: float
    arithmetic: str
    exception_reason: str
    source_id: str
    total_params: float
    active_params: float
    routed_expert_params: float
    embed_params: float
    native_weight_bytes: float
    kv_bytes_per_token_bf16: float
    kv_bytes_per_token_fp8: float
    kernel_experts: int  # experts of the released model, whose grouped kernels were measured; a walk's variants keep it

    @property
    def is_moe(self) -> bool:
        """Whether any layer routes tokens to experts."""
        return self.n_experts > 0

    @property
    def draft_method(self) -> str:
        """What drafts its tokens where drafts are used: its own heads, or a draft model beside it."""
        return "mtp" if self.mtp_layers else "eagle3"

    @property
    def native_precision(self) -> str:
        """Precision of the serving model that the released weights run in: bf16, fp8, fp4 or int4."""
        if self.native_expert_bits >= EIGHT_BITS:
            return "bf16" if self.native_expert_bits > EIGHT_BITS + ROOM_FOR_SCALES else "fp8"
        return "int4" if self.native.startswith(("INT4", "NF4")) else "fp4"

    @property
    def native_cache(self) -> str:
        """Precision of the cache that the released files ask for: fp8, or none."""
        return "fp8" if re.search(r"cache (FP8|INT8|NVFP4)", self.native) else ""

    @property
    def attention_width(self) -> float:
        """Mean width of a head's keys and values in full layers."""
        return (self.head_dim + (self.v_head_dim or self.head_dim)) / 2.0

    @property
    def is_mla(self) -> bool:
        """Whether the cache holds one compressed latent per token, shared by all heads."""
        return self.kv_lora_rank > 0


_SIZES = (
    "total_params", "active_params", "routed_expert_params", "embed_params", "native_weight_bytes", "kv_bytes_per_token_bf16",
    "kv_bytes_per_token_fp8",
)  # fmt: skip


def model_from_row(row: Row) -> Model:
    """A model from one row of the table: shapes read, sizes computed (or carried, where ``arithmetic`` says stated)."""
    values = row.fields_of(Model, *_SIZES, "kernel_experts", window_head_dim=0.0)
    if values["arithmetic"] == "stated":
        for name in _SIZES:
            values[name] = row.number(f"stated_{name}", 0.0)
    else:
        values.update(architecture.sizes({key: value for key, value in values.items() if not isinstance(value, str)}))
    return Model(**values, kernel_experts=row.whole("n_experts"))


def models() -> dict[str, Model]:
    """All models by id, in the table's order."""
    return dict(_models())


@by_data(1, "models")
def _models() -> dict[str, Model]:
    return {row.text("id"): model_from_row(row) for row in rows_of("models")}


def model(name: str) -> Model:
    """One model by id.

    Raises
    ------
    InputError
        Unknown id, with the nearest one.

    Examples
    --------
    >>> model("deepseek-r1").kv_bytes_per_token_bf16
    70272.0
    """
    known = models()
    check_known("model", name, known)
    return known[name]
