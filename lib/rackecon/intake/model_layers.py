"""What each layer of a configuration is: how it mixes tokens, and whether it routes to experts."""

from __future__ import annotations

import re
from typing import Any, Final

from rackecon.errors import InputError
from rackecon.intake.config_reader import Reader, shown
from rackecon.intake.model_families import WAY_OUT

MIXERS: Final = {
    "full_attention": "full",
    "attention": "full",
    "deepseek_sparse_attention": "full",
    "indexed_attention": "full",
    "sliding_attention": "window",
    "chunked_attention": "window",
    "linear_attention": "recurrent",
    "mamba": "recurrent",
    "mamba2": "recurrent",
    "hybrid": "both",
}
ALONE: Final = {"M": ("recurrent", ""), "*": ("full", ""), "-": ("", "dense"), "E": ("", "experts")}
"""Letters of Nemotron-H: each layer is one block."""
ALONE_WORDS: Final = {
    "mamba": "M", "linear_attention": "M", "attention": "*", "full_attention": "*", "mlp": "-", "moe": "E",
}  # fmt: skip
ROUTED: Final = ("sparse", "moe", "hash_moe")
LETTERS: Final = {"L": "window", "S": "window", "G": "full"}
"""Letters of a repeated pattern: local (sliding) and global."""


def _lettered(pattern: str, layers: int, key: str) -> list[str]:
    """A pattern of letters, repeated over the layers.

    Examples
    --------
    >>> _lettered("LLLG", 6, "sliding_window_pattern")
    ['window', 'window', 'window', 'full', 'window', 'window']
    """
    unknown = sorted(set(pattern) - set(LETTERS))
    if unknown or not pattern:
        raise InputError(f"config {key}: {shown(''.join(unknown))} is not one of {' '.join(LETTERS)}; {WAY_OUT}")
    return [LETTERS[pattern[i % len(pattern)]] for i in range(layers)]


def _named(kinds: list[Any], key: str) -> list[str]:
    for kind in kinds:
        if not isinstance(kind, str) or kind not in MIXERS:
            raise InputError(
                f"config {key}: {shown(kind)} has no arithmetic here; allowed: {', '.join(MIXERS)}; {WAY_OUT}"
            )
    return [MIXERS[kind] for kind in kinds]


def _marked(c: Reader, layers: int) -> list[str] | None:
    """Lists of 0 and 1, of MiniMax (1 attends in full) and MiMo (1 has a window)."""
    for key, marks in (
        ("attn_type_list", {1: "full", 0: "recurrent"}),
        ("hybrid_layer_pattern", {0: "full", 1: "window"}),
    ):
        found = c.items(key, layers)
        if found:
            if any(not isinstance(mark, int) or mark not in marks for mark in found):
                raise InputError(f"config {key}: only 0 and 1 have a meaning here")
            return [marks[mark] for mark in found]
    return None


def _numbers(value: object, first: int, layers: int, key: str) -> set[int]:
    whole = isinstance(value, list) and all(isinstance(i, int) and first <= i < first + layers for i in value)
    if not whole:
        raise InputError(f"config {key}: not a list of layers from {first} to {first + layers - 1}")
    return set(value)  # type: ignore[call-overload,no-any-return]


def _periodic(c: Reader, layers: int, recurrent: str) -> list[str]:
    """Where attention comes at intervals among recurrent layers."""
    if recurrent == "kda":
        held = c.get("linear_attn_config")
        if not isinstance(held, dict):
            raise InputError("config: 'linear_attn_config' is missing")
        full = _numbers(held.get("full_attn_layers"), 1, layers, "linear_attn_config.full_attn_layers")
        return ["full" if i + 1 in full else "recurrent" for i in range(layers)]
    if recurrent == "delta":
        every = max(c.whole("full_attention_interval"), 1)
        return ["full" if (i + 1) % every == 0 else "recurrent" for i in range(layers)]
    if c.has("attn_layer_indices"):
        at = _numbers(c.get("attn_layer_indices"), 0, layers, "attn_layer_indices")
        return ["full" if i in at else "recurrent" for i in range(layers)]
    if recurrent == "mamba":
        period, offset = max(c.whole("attn_layer_period"), 1), c.whole("attn_layer_offset")
        return ["full" if i % period == offset else "recurrent" for i in range(layers)]
    raise InputError("config: 'layer_types' is missing; the model has layers with and without attention")


def _windowed(c: Reader, layers: int) -> list[str]:
    """Full and window layers of a family without a list of them."""
    every, first = c.get("sliding_window_pattern"), c.whole("max_window_layers", empty=0)
    if not c.flag("use_sliding_window", empty=True) or not c.whole("sliding_window", empty=0):
        return ["full"] * layers
    if isinstance(every, str):
        return _lettered(every, layers, "sliding_window_pattern")
    if every:
        step = max(c.whole("sliding_window_pattern"), 1)
        return ["full" if (i + 1) % step == 0 else "window" for i in range(layers)]
    return ["window" if i >= first or not c.has("use_sliding_window") else "full" for i in range(layers)]


def _mixers(c: Reader, layers: int, name: str, recurrent: str, selects: bool) -> list[str]:
    c.skip("sliding_window_pattern", "max_window_layers", "use_sliding_window", "full_attention_interval")
    if name == "falcon_h1":
        return ["both"] * layers
    if selects:  # what it reads of its cache is worked out apart
        return ["full"] * layers
    for key in ("layer_types", "layers_block_type"):
        listed = c.items(key, layers)
        if listed:
            return _named(listed, key)
    return _marked(c, layers) or (_periodic(c, layers, recurrent) if recurrent else None) or _windowed(c, layers)


def blocks(
    c: Reader, layers: int, name: str, recurrent: str, routed: bool, selects: bool = False
) -> list[tuple[str, str]]:
    """Blocks of each layer: mixer (full, window, recurrent, both or none) and feed-forward block (dense, experts or none).

    Parameters
    ----------
    name : str
        Model type.
    recurrent : str
        What the family's layers without attention are, empty where it has none.
    routed : bool
        Whether the model has experts.
    selects : bool
        Whether each layer attends to a part of its cache that it selects.

    Raises
    ------
    InputError
        A kind of layer that has no arithmetic here, by name, or a list of another length than the layers.
    """
    pattern = c.get("hybrid_override_pattern")
    words = c.items("layers_block_type", layers) if name == "nemotron_h" else None
    if words:
        unknown = [word for word in words if word not in ALONE_WORDS]
        if unknown:
            raise InputError(f"config layers_block_type: {shown(unknown[0])} is not one of {', '.join(ALONE_WORDS)}")
        pattern = "".join(ALONE_WORDS[word] for word in words)
    if name == "nemotron_h":
        if not isinstance(pattern, str):
            raise InputError("config: 'hybrid_override_pattern' is missing")
        if len(pattern) != layers:
            raise InputError(
                f"config hybrid_override_pattern: {len(pattern):,} layers, num_hidden_layers says {layers}"
            )
        if set(pattern) - set(ALONE):
            raise InputError(f"config hybrid_override_pattern: a letter is not one of {' '.join(ALONE)}; {WAY_OUT}")
        return [ALONE[letter] for letter in pattern]
    mixers = _mixers(c, layers, name, recurrent, selects)
    if not recurrent and "recurrent" in mixers:
        raise InputError(f"config: layers without attention have no arithmetic in '{name}'; {WAY_OUT}")
    experts = _expert_layers(c, layers) if routed else [False] * layers
    return [(mixer, "experts" if to else "dense") for mixer, to in zip(mixers, experts, strict=True)]


def _listed_experts(c: Reader, layers: int) -> list[bool] | None:
    """Expert layers of a model that lists them."""
    if isinstance(c.get("moe_layer_freq"), list):
        return [bool(item) for item in c.items("moe_layer_freq", layers) or []]
    kinds = c.items("mlp_layer_types", layers)
    if kinds:
        if any(kind not in ("dense", *ROUTED) for kind in kinds):
            raise InputError(
                f"config mlp_layer_types: only 'dense', {', '.join(map(repr, ROUTED))} have a meaning here"
            )
        return [kind in ROUTED for kind in kinds]
    listed = c.get("moe_layers_enum")
    if isinstance(listed, str) and re.fullmatch(r"\s*\d{1,4}(\s*,\s*\d{1,4})*\s*", listed):
        at = _numbers([int(item) for item in listed.split(",")], 0, layers, "moe_layers_enum")
        return [i in at for i in range(layers)]
    if isinstance(c.get("moe_layers"), list) and c.get("moe_layers"):
        at = _numbers(c.get("moe_layers"), 0, layers, "moe_layers")
        return [i in at for i in range(layers)]
    return None


def _expert_layers(c: Reader, layers: int) -> list[bool]:
    """Whether each layer routes to experts, for a model that does."""
    listed = _listed_experts(c, layers)
    dense = c.whole("first_k_dense_replace", empty=0)
    if dense > layers:
        raise InputError(f"config first_k_dense_replace: {dense} of {layers} layers")
    if listed:
        c.skip("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq")
        return listed
    if c.has("expert_layer_period"):
        period, offset = max(c.whole("expert_layer_period"), 1), c.whole("expert_layer_offset", empty=0)
        return [i % period == offset for i in range(layers)]
    if c.has("moe_layer_start_index"):
        first, every = c.whole("moe_layer_start_index"), max(c.whole("moe_layer_interval", empty=1), 1)
        last = -1 if c.get("moe_layer_end_index") == -1 else c.whole("moe_layer_end_index", empty=layers - 1)
        end = last if last >= 0 else layers - 1
        return [first <= i <= end and (i + 1) % every == 0 for i in range(layers)]
    apart = c.get("mlp_only_layers") or []
    apart = _numbers(apart, 0, layers, "mlp_only_layers") if apart else set()
    step = c.whole("decoder_sparse_step", empty=0) or c.whole("interleave_moe_layer_step", empty=0)
    every = step or max(c.whole("moe_layer_freq", empty=1), 1)
    return [i not in apart and i >= dense and ((i + 1) if step else i) % every == 0 for i in range(layers)]
