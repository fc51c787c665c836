"""Layers that keep a state instead of a cache: their weights and the state of one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rackecon.catalog import architecture
from rackecon.errors import InputError, plain
from rackecon.intake.config_reader import Reader
from rackecon.intake.model_families import WAY_OUT


@dataclass(frozen=True)
class Recurrent:
    """One recurrent layer: weights [parameters], state of one request [bytes], heads of keys and of values, their width."""

    params: float = 0.0
    state_bytes: float = 0.0
    key_heads: int = 0
    value_heads: int = 0
    head_dim: int = 0


def _delta(c: Reader, hidden: int) -> Recurrent:
    keys, values = c.whole("linear_num_key_heads"), c.whole("linear_num_value_heads")
    width, wide, conv = (
        c.whole("linear_key_head_dim"),
        c.whole("linear_value_head_dim"),
        c.whole("linear_conv_kernel_dim", empty=architecture.CONV_WIDTH),
    )
    if width != wide or conv != architecture.CONV_WIDTH:
        raise InputError(
            f"config linear_value_head_dim, linear_conv_kernel_dim: only keys as wide as values and a convolution of "
            f"{architecture.CONV_WIDTH} have arithmetic here"
        )
    shapes = {"hidden": hidden, "linear_k_heads": keys, "linear_v_heads": values, "linear_head_dim": width}
    state = architecture.state_bytes(values * width * wide, (2 * keys + values) * width, conv)
    return Recurrent(architecture.linear_attention_params(shapes), state, keys, values, width)


def _kda(c: Reader, hidden: int) -> Recurrent:
    held = c.get("linear_attn_config") or {}
    known = {"full_attn_layers", "kda_layers", "head_dim", "num_heads", "short_conv_kernel_size", "use_full_rank_gate"}
    known.add("gate_lower_bound")
    other = sorted(str(key) for key in held if key not in known)
    if other:
        raise InputError(
            f"config linear_attn_config.{plain(other[0], 60)}: not read here and may change shapes; {WAY_OUT}"
        )
    inner = Reader(held, {})
    heads, width, conv = (
        inner.whole("num_heads"),
        inner.whole("head_dim"),
        inner.whole("short_conv_kernel_size", empty=4),
    )
    state = architecture.state_bytes(heads * width * width, 3 * heads * width, conv)
    weights = architecture.delta_params(hidden, heads, width, conv, inner.flag("use_full_rank_gate"))
    return Recurrent(weights, state, heads, heads, width)


def _lightning(c: Reader, hidden: int) -> Recurrent:
    heads = c.whole("num_attention_heads")
    width = c.whole("head_dim", empty=hidden // heads)
    c.skip("block_size")
    state = architecture.state_bytes(heads * width * width)
    return Recurrent(architecture.lightning_params(hidden, heads, width), state, heads, heads, width)


def _mamba(c: Reader, hidden: int) -> Recurrent:
    inner, state = c.whole("mamba_expand", empty=2) * hidden, c.whole("mamba_d_state", empty=16)
    conv = c.whole("mamba_d_conv", empty=4)
    rank = -(-hidden // 16) if c.get("mamba_dt_rank") in (None, "auto") else c.whole("mamba_dt_rank")
    kept = architecture.state_bytes(inner * state, inner, conv)
    return Recurrent(architecture.mamba_params(hidden, inner, state, rank, conv), kept, inner, inner, state)


def _mamba2(c: Reader, hidden: int) -> Recurrent:
    heads, state = c.whole("mamba_n_heads"), c.whole("mamba_d_state")
    groups, conv = c.whole("mamba_n_groups", empty=1), c.whole("mamba_d_conv", empty=4)
    inner = c.whole("mamba_d_ssm", empty=0)
    width = 0 if c.get("mamba_d_head") == "auto" else c.whole("mamba_d_head", empty=0)
    inner = inner or heads * width or c.whole("mamba_expand") * hidden
    c.skip("mamba_expand", "chunk_size", "mamba_chunk_size", "mamba_use_mlp")
    if not heads or inner % heads or (width and width * heads != inner):
        raise InputError(f"config mamba_n_heads: {heads} heads do not share {inner} channels evenly")
    kept = architecture.state_bytes(inner * state, inner + 2 * groups * state, conv)
    weights = architecture.mamba2_params(hidden, inner, state, groups, heads, conv)
    return Recurrent(weights, kept, heads, heads, inner // heads)


KINDS: Final[dict[str, Callable[[Reader, int], Recurrent]]] = {
    "delta": _delta,
    "kda": _kda,
    "lightning": _lightning,
    "mamba": _mamba,
    "mamba2": _mamba2,
}
OWN_KEYS: Final = (
    "mamba_n_heads", "mamba_d_head", "mamba_d_state", "mamba_n_groups", "mamba_d_conv", "mamba_expand", "mamba_d_ssm",
    "mamba_dt_rank", "mamba_chunk_size", "chunk_size", "mamba_use_mlp", "linear_num_key_heads", "linear_num_value_heads",
    "linear_key_head_dim", "linear_value_head_dim", "linear_conv_kernel_dim", "block_size",
)  # fmt: skip


def recurrent_layer(c: Reader, kind: str, hidden: int, present: bool) -> Recurrent:
    """One layer of a family's recurrent kind; nothing where the model has none of them.

    Parameters
    ----------
    kind : str
        delta, kda, lightning, mamba or mamba2; empty for families that have none.
    hidden : int
        Width of the model.
    present : bool
        Whether any layer is of it.

    Raises
    ------
    InputError
        A shape that is missing or has no arithmetic here.
    """
    if not kind or not present:
        if kind:
            c.skip(*OWN_KEYS)
        return Recurrent()
    return KINDS[kind](c, hidden)
