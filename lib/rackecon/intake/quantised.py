"""Bits of weights, activations and cache, from what a checkpoint's files say of their quantisation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rackecon.errors import InputError
from rackecon.intake.config_reader import shown
from rackecon.intake.model_families import WAY_OUT

UNQUANTISED_BITS: Final = 16.0
SCALE_BITS: Final = {"nvfp4": 8.0, "mxfp4": 8.0, "mxfp8": 8.0, "int4": 16.0, "nf4": 32.0}
GROUPS: Final = {"nvfp4": 16, "mxfp4": 32, "mxfp8": 32, "int4": 128, "nf4": 64}
ZERO_POINT_BITS: Final = 4.0
VALUE_BITS: Final = {
    "bf16": 16.0, "fp8": 8.0, "mxfp8": 8.0, "int8": 8.0, "nvfp4": 4.0, "mxfp4": 4.0, "int4": 4.0, "nf4": 4.0,
}  # fmt: skip
METHODS: Final = (
    "fp8", "fbgemm_fp8", "mxfp4", "nvfp4", "compressed-tensors", "modelopt", "modelopt_fp4", "quark", "awq", "gptq",
    "auto-round", "bitsandbytes",
)  # fmt: skip
ALGORITHMS: Final = {
    "FP8": ("fp8", "fp8"),
    "FP8_PB_WO": ("fp8", "bf16"),
    "FP8_PER_CHANNEL_PER_TOKEN": ("fp8", "fp8"),
    "NVFP4": ("nvfp4", "nvfp4"),
    "NVFP4_AWQ": ("nvfp4", "nvfp4"),
    "W4A16_NVFP4": ("nvfp4", "bf16"),
    "W4A8_NVFP4_FP8": ("nvfp4", "fp8"),
    "MXFP8": ("mxfp8", "mxfp8"),
    "MXFP4": ("mxfp4", "mxfp4"),
    "W4A8_MXFP4_FP8": ("mxfp4", "fp8"),
    "W4A16_MXFP4": ("mxfp4", "bf16"),
    "INT4_AWQ": ("int4", "bf16"),
    "W4A16": ("int4", "bf16"),
    "W4A16_AWQ": ("int4", "bf16"),
    "W4A8_AWQ": ("int4", "fp8"),
    "W8A16": ("int8", "bf16"),
    "INT8_SQ": ("int8", "int8"),
    "W8A8_SQ_PER_CHANNEL": ("int8", "int8"),
}
"""Formats of weights and activations of ModelOpt's ``quant_algo``."""
_MIXING = re.compile(r"attn|attention|mixer|mamba|\b(q|k|v|o|qkv)_proj")
_DENSE = re.compile(r"shared_expert|mlp|feed_forward|ffn|(gate|up|down)_proj")
_SMALL = re.compile(
    r"norm|indexer|vision|visual|audio|image|multi_modal|mm_proj|mtp|router|gate$|bias|conv1d|in_proj_[ab]|embed|head"
)
_WHOLE_LAYER = re.compile(r"layers\.\d+\.?\*?$")
_EXPERTS = re.compile(r"experts?\b(?<!shared_expert)(?<!shared_experts)")


@dataclass(frozen=True)
class Stored:
    """How a checkpoint is stored, and what its files say that it runs with.

    Bits of routed experts, of what mixes tokens and of other blocks count scales; tables of words stay in 16 bits.
    """

    expert_bits: float = UNQUANTISED_BITS
    mixing_bits: float = UNQUANTISED_BITS
    dense_bits: float = UNQUANTISED_BITS
    format: str = "bf16"
    activations: str = "bf16"
    cache: str = "bf16"

    def other_bits(self, mixing_share: float) -> float:
        """Mean bits of what is not a routed expert, ``mixing_share`` of which mixes tokens.

        Examples
        --------
        >>> Stored(4.5, 16.0, 8.0).other_bits(0.25)
        10.0
        """
        return mixing_share * self.mixing_bits + (1.0 - mixing_share) * self.dense_bits

    @property
    def words(self) -> str:
        """For the column ``native``: the format first."""
        cache = f"; cache {self.cache.upper()}" if self.cache != "bf16" else ""
        if self.format == "bf16":
            return "BF16" + cache
        scales = " with scales" if self.format in SCALE_BITS else ""
        apart = [
            f"{name} {bits:g} bits"
            for name, bits in (("attention", self.mixing_bits), ("dense layers", self.dense_bits))
            if bits != self.expert_bits
        ]
        rest = f"; {', '.join(apart)}" if apart else ""
        return (
            f"{self.format.upper()} ({self.expert_bits:g} bits{scales}){rest}; activations {self.activations.upper()}"
            f"{cache}; tables of words 16 bits"
        )


def _bits(form: str, group: object = None, zero_point: bool = False) -> float:
    """Bits of a weight with its scales.

    Examples
    --------
    >>> _bits("nvfp4", 16), _bits("mxfp4", 32), _bits("int4", 128, zero_point=True), _bits("fp8")
    (4.5, 4.25, 4.15625, 8.0)
    """
    bits = VALUE_BITS[form]
    if form not in SCALE_BITS:
        return bits
    size = group if isinstance(group, int) and not isinstance(group, bool) else GROUPS[form]
    if size <= 0:  # a group of -1 is a whole column
        return bits
    return bits + (SCALE_BITS[form] + (ZERO_POINT_BITS if zero_point else 0.0)) / size


def _named(value: object, kind: object, group: object, where: str) -> str:
    """Format of a number of bits and a kind of number."""
    if value == 16:
        return "bf16"
    whole = str(kind).lower().startswith("int")
    if value == 8:
        return "int8" if whole else "fp8"
    if value == 4:
        return "int4" if whole else ("mxfp4" if group == 32 else "nvfp4")
    raise InputError(f"config {where}: {shown(value)} bits have no arithmetic here; allowed: 4, 8, 16")


def _dtype(text: object, group: object, where: str) -> str:
    word = str(text).lower()
    for known, form in (("mx_fp4", "mxfp4"), ("mxfp4", "mxfp4"), ("fp8", "fp8"), ("float8", "fp8"), ("int8", "int8")):
        if word.startswith(known):
            return form
    if word.startswith("fp4"):
        return "nvfp4" if group == 16 else "mxfp4"
    if word.startswith(("int4", "uint4")):
        return "int4"
    if word in ("bfloat16", "float16", "bf16", "fp16"):
        return "bf16"
    raise InputError(f"config {where}: dtype '{word[:40]}' has no arithmetic here; allowed: fp4, fp8, int4, int8")


def _table(value: object, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"config {where}: not an object")
    return value


def _left_out(quantised: Mapping[str, Any]) -> list[str]:
    """Names of the layers that stay in 16 bits."""
    out: list[str] = []
    for key in (
        "ignore",
        "exclude_modules",
        "exclude",
        "modules_to_not_convert",
        "modules_to_not_quantize",
        "llm_int8_skip_modules",
    ):
        value = quantised.get(key)
        if isinstance(value, list):
            out += [str(item) for item in value]
    return out


def _cache(quantised: Mapping[str, Any]) -> str:
    scheme = quantised.get("kv_cache_scheme")
    if isinstance(scheme, dict):
        return _named(scheme.get("num_bits"), scheme.get("type"), scheme.get("group_size"), "kv_cache_scheme")
    word = str(quantised.get("kv_cache_quant_algo") or scheme or "").upper()
    if word in ("", "NONE", "NULL"):
        return "bf16"
    found = {"FP8": "fp8", "NVFP4": "nvfp4", "INT8": "int8"}.get(word)
    if found is None:
        raise InputError(f"config kv_cache_quant_algo: '{word[:40]}' is not one of FP8, NVFP4, INT8")
    return found


@dataclass(frozen=True)
class _Part:
    """One group of layers of a format; ``of`` is all, experts, mixing or dense."""

    form: str
    bits: float
    activations: str
    of: str = "all"


def _of(names: Iterable[str]) -> str:
    """What kind of layers a group's names are of, where all are of one."""
    found = {
        "experts"
        if _EXPERTS.search(name)
        else "mixing"
        if _MIXING.search(name)
        else "dense"
        if _DENSE.search(name)
        else "all"
        for name in names
        if not _SMALL.search(name)
    }
    return found.pop() if len(found) == 1 else "all"


def _made(parts: Iterable[_Part], left_out: Iterable[str], cache: str, experts: bool) -> Stored:
    """Of groups of layers: the widest group that a kind of layer may be in, so never fewer bits than the weights have."""
    groups = list(parts)
    named = {group.of for group in groups}

    def widest(kind: str) -> _Part:
        fitting = [group for group in groups if group.of == kind] or [group for group in groups if group.of == "all"]
        return max(fitting, key=lambda group: group.bits, default=_Part("bf16", UNQUANTISED_BITS, "bf16"))

    out = [name for name in left_out if not _SMALL.search(name) and not _EXPERTS.search(name)]
    whole = any(_WHOLE_LAYER.search(name) for name in out)
    mixing = UNQUANTISED_BITS if whole or any(_MIXING.search(name) for name in out) else widest("mixing").bits
    dense = (
        UNQUANTISED_BITS
        if whole or any(_DENSE.search(name) and not _MIXING.search(name) for name in out)
        else widest("dense").bits
    )
    body = widest("experts" if experts else "dense")
    if experts and "experts" not in named and "all" not in named:
        body = widest("dense")
    bits = body.bits if experts else dense
    form = body.form if bits == body.bits else "bf16"
    return Stored(bits, mixing, dense, form, body.activations if form != "bf16" else "bf16", cache)


def _grouped(quantised: Mapping[str, Any], experts: bool) -> Stored:
    """``config_groups`` of compressed-tensors and ModelOpt: the widest of several groups, so never too few bits."""
    parts = []
    for name, held in _table(quantised["config_groups"], "config_groups").items():
        group = _table(held, f"config_groups.{str(name)[:40]}")
        weights = _table(group.get("weights"), f"config_groups.{str(name)[:40]}.weights")
        if not weights:
            continue
        form = _named(weights.get("num_bits"), weights.get("type", "float"), weights.get("group_size"), "config_groups")
        if str(quantised.get("format", "")).startswith("mxfp4"):
            form = "mxfp4"
        inputs = _table(group.get("input_activations"), "config_groups.input_activations")
        runs = (
            _named(inputs.get("num_bits"), inputs.get("type", "float"), inputs.get("group_size"), "input_activations")
            if inputs
            else "bf16"
        )
        zero = weights.get("symmetric") is False
        targets = _of(str(item) for item in group.get("targets") or [])
        parts.append(_Part(form, _bits(form, weights.get("group_size"), zero), runs, targets))
    if not parts:
        raise InputError("config quantization_config.config_groups: no group has weights")
    return _made(parts, _left_out(quantised), _cache(quantised), experts)


def _modelopt(quantised: Mapping[str, Any], experts: bool) -> Stored:
    """NVIDIA ModelOpt: ``quant_algo`` of the whole, or of each layer where it is mixed."""
    group = quantised.get("group_size")
    layers = quantised.get("quantized_layers")
    algorithm = str(quantised.get("quant_algo") or "").upper()
    if algorithm == "MIXED_PRECISION" and isinstance(layers, dict) and layers:
        parts = []
        for name, held in layers.items():
            form, runs = _algorithm(str(_table(held, "quantized_layers").get("quant_algo")).upper())
            parts.append(_Part(form, _bits(form, held.get("group_size")), runs, _of([str(name)])))
        return _made(parts, _left_out(quantised), _cache(quantised), experts)
    if algorithm in ("", "NONE", "MIXED_PRECISION"):
        if isinstance(quantised.get("config_groups"), dict):
            return _grouped(quantised, experts)
        if algorithm == "MIXED_PRECISION":
            raise InputError("config quant_algo: MIXED_PRECISION without quantized_layers or config_groups")
        return Stored(cache=_cache(quantised))
    form, runs = _algorithm(algorithm)
    return _made([_Part(form, _bits(form, group), runs)], _left_out(quantised), _cache(quantised), experts)


def _algorithm(word: str) -> tuple[str, str]:
    if word not in ALGORITHMS:
        raise InputError(f"config quant_algo: '{word[:40]}' is not one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[word]


def _quark(quantised: Mapping[str, Any], experts: bool) -> Stored:
    """AMD Quark: a global format and formats by name of layer."""
    whole = _table(quantised.get("global_quant_config"), "global_quant_config")
    layers = _table(quantised.get("layer_quant_config"), "layer_quant_config")
    parts, cache = [], "bf16"
    for name, held in [("", whole), *layers.items()]:
        held = _table(held, f"layer_quant_config.{str(name)[:40]}")
        weight = held.get("weight")
        weight = weight[0] if isinstance(weight, list) and weight else weight
        if isinstance(weight, dict):
            size = weight.get("group_size")
            form = _dtype(weight.get("dtype"), size, "quantization_config weight")
            inputs = held.get("input_tensors")
            inputs = inputs[0] if isinstance(inputs, list) and inputs else inputs
            runs = (
                _dtype(inputs.get("dtype"), inputs.get("group_size"), "input_tensors")
                if isinstance(inputs, dict)
                else "bf16"
            )
            parts.append(_Part(form, _bits(form, size), runs, _of([str(name)]) if name else "all"))
        kept = held.get("output_tensors")
        if isinstance(kept, dict) and re.search(r"k_proj|v_proj|kv", str(name)):
            cache = _dtype(kept.get("dtype"), None, "output_tensors")
    if not parts:
        raise InputError("config quantization_config: quark without a weight format")
    return _made(parts, _left_out(quantised), cache, experts)


def _by_bits(quantised: Mapping[str, Any], experts: bool) -> Stored:
    """AWQ, GPTQ and AutoRound: whole-number bits in groups, 16-bit activations; layers apart by name."""
    zero = bool(quantised.get("zero_point")) or quantised.get("sym") is False
    size = quantised.get("group_size", quantised.get("q_group_size"))
    bits = quantised.get("bits", quantised.get("w_bit"))

    def part(count: object, of: str) -> _Part:
        form = _named(count, "int", None, "quantization_config.bits")
        return _Part(form, _bits(form, size, zero), "bf16", of)

    parts, left_out = [part(bits, "all")], _left_out(quantised)
    for key in ("dynamic", "extra_config"):
        for name, held in _table(quantised.get(key), f"quantization_config.{key}").items():
            apart = held.get("bits") if isinstance(held, dict) else None
            if str(name).startswith("-:") or apart == UNQUANTISED_BITS:
                left_out.append(str(name).removeprefix("-:"))
            elif apart is not None:
                one = part(apart, _of([str(name)]))
                parts += [one, _Part(one.form, one.bits, "bf16")] if one.of == "all" else [one]
    widest = [
        replace(max((found for found in parts if found.of in (kind, "all")), key=lambda found: found.bits), of=kind)
        for kind in ("experts", "mixing", "dense")
    ]
    return _made(widest, left_out, "bf16", experts)


def _experts_apart(config: Mapping[str, Any], quantised: Mapping[str, Any]) -> _Part | None:
    """Routed experts of another format in an FP8 checkpoint (DeepSeek-V4, and NVIDIA's of it), by the key that says so."""
    if quantised.get("fmt") != "e4m3":
        return None
    word = str(quantised.get("moe_quant_algo") or "").upper()
    if word:
        form, runs = _algorithm(word)
        return _Part(form, _bits(form, quantised.get("group_size")), runs, "experts")
    if config.get("expert_dtype") is None:
        return None
    form = _dtype(config["expert_dtype"], None, "expert_dtype")
    return _Part(form, _bits(form), "fp8", "experts")


def stored(config: Mapping[str, Any], side: Mapping[str, Any] | None = None, experts: bool = False) -> Stored:
    """How the weights of a checkpoint are stored.

    Parameters
    ----------
    config : mapping
        Configuration; ``quantization_config`` (or ``compression_config``) inside says how.
    side : mapping, optional
        ModelOpt's ``hf_quant_config.json`` from beside it; it counts where the configuration itself is silent.
    experts : bool
        Whether the model routes to experts.

    Raises
    ------
    InputError
        A method, format or number of bits without arithmetic, by name.

    Examples
    --------
    >>> stored({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}).words
    'INT4 (4.125 bits with scales); activations BF16; tables of words 16 bits'
    """
    quantised = config.get("quantization_config") or config.get("compression_config")
    if not quantised and side:
        quantised = {"quant_method": "modelopt", **_table(side.get("quantization", side), "hf_quant_config")}
    if not quantised:
        apart = _experts_apart(config, {"fmt": "e4m3"}) if experts else None
        return _made([apart], (), "bf16", True) if apart else Stored()
    quantised = _table(quantised, "quantization_config")
    method = str(quantised.get("quant_method", "")).lower().replace("_", "-") or (
        "modelopt" if "quant_algo" in quantised else ""
    )
    if method in ("awq", "gptq", "auto-round"):
        return _by_bits(quantised, experts)
    apart = _experts_apart(config, quantised) if experts else None
    if apart is not None:
        return _made([apart, _Part("fp8", VALUE_BITS["fp8"], "fp8")], (), _cache(quantised), experts)
    if method == "quark":
        return _quark(quantised, experts)
    if method.startswith("modelopt"):
        return _modelopt(quantised, experts)
    if isinstance(quantised.get("config_groups"), dict):
        return _grouped(quantised, experts)
    if method in ("fp8", "fbgemm-fp8"):
        return _made([_Part("fp8", VALUE_BITS["fp8"], "fp8")], _left_out(quantised), _cache(quantised), experts)
    if method in ("mxfp4", "nvfp4"):
        # gpt-oss names what stays in 16 bits, or says nothing and means all but the experts
        one = _Part(method, _bits(method), "bf16", "experts" if experts else "all")
        return _made([one], _left_out(quantised), _cache(quantised), experts)
    if method == "bitsandbytes":
        form = "nf4" if quantised.get("load_in_4bit") else "int8" if quantised.get("load_in_8bit") else ""
        if form:
            return _made([_Part(form, _bits(form), "bf16")], _left_out(quantised), "bf16", experts)
    allowed = ", ".join(METHODS)
    raise InputError(
        f"config quantization_config.quant_method: '{method[:40]}' is not one of {allowed}; "
        f"take the config.json of the checkpoint it was made from; {WAY_OUT}"
    )
