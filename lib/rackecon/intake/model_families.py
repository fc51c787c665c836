"""Families of models that are computed exactly, and the keys of their configurations: an allow-list."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rackecon.catalog.cached import by_data
from rackecon.catalog.fields import rows_of
from rackecon.errors import InputError
from rackecon.intake.config_reader import shown

WAY_OUT: Final = "a row of stated sizes goes in with `rackecon data add models FILE` (CONTRIBUTING.md, A model)"


@dataclass(frozen=True)
class Family:
    """What a family's class takes for granted where a configuration does not say: a row of data/model_families.csv.

    Source: the configuration and modelling classes of transformers 5.24, and for the rest the files beside the weights.
    """

    model_type: str
    class_name: str
    gated: bool
    tied: bool
    latent: bool
    indexed: bool
    recurrent: str
    wide_experts: bool
    wide_biases: bool
    selects: str
    every_head: bool
    left_out: Mapping[str, Any]
    needed: tuple[str, ...]
    """Keys (either of a pair) without which the class takes numbers of its own, so that a file must state them."""


@by_data(1, "model_families")
def families() -> dict[str, Family]:
    """Families that are computed exactly, by model type.

    Examples
    --------
    >>> families()["gpt_oss"].left_out["sliding_window"]
    128
    """
    return {
        row.text("model_type"): Family(
            **row.fields_of(Family, "left_out", "needed"),
            left_out=json.loads(row.text("left_out") or "{}"),
            needed=tuple(row.text("needed").split()),
        )
        for row in rows_of("model_families")
    }


@by_data(1, "model_keys")
def spellings() -> dict[str, tuple[str, ...]]:
    """Usual name of a quantity, and what other families call it; what changes no shape stands for nothing, under the empty name.

    Examples
    --------
    >>> spellings()["head_dim"]
    ('attention_head_dim',)
    """
    out: dict[str, tuple[str, ...]] = {}
    for row in rows_of("model_keys"):
        out[row.text("stands_for")] = (*out.get(row.text("stands_for"), ()), row.text("key"))
    return out


def _llama4(out: dict[str, Any]) -> None:
    # One shared expert beside the routed ones, another width in dense layers, chunked attention where there is rotation
    expert = out.get("intermediate_size")
    out["sliding_window"] = out.pop("attention_chunk_size", None)
    turned, every = out.pop("no_rope_layers", None), out.pop("no_rope_layer_interval", None)
    if turned and not out.get("layer_types"):
        out["layer_types"] = ["chunked_attention" if item else "full_attention" for item in turned]
    out["sliding_window_pattern"] = every
    if out.get("num_local_experts"):
        out |= {"moe_intermediate_size": expert, "shared_expert_intermediate_size": expert}
        out["intermediate_size"] = out.pop("intermediate_size_mlp", None)


def _gemma4(out: dict[str, Any]) -> None:
    # Full layers have heads of their own width and, where keys are the values, their own number of them
    same = out.pop("attention_k_eq_v", None) is True
    out["window_head_dim"], out["window_key_value_heads"] = out.get("head_dim"), out.get("num_key_value_heads")
    out["head_dim"] = out.pop("global_head_dim", None) or out.get("head_dim")
    shared = out.pop("num_global_key_value_heads", None)
    if same:
        out["value_is_key"] = True
        out["num_key_value_heads"] = shared or out.get("num_key_value_heads")
    if out.pop("enable_moe_block", None):
        out["dense_everywhere"] = True
    elif out.get("num_experts") or out.get("top_k_experts"):
        raise InputError("config enable_moe_block: experts are given and not in use")


def _mimo(out: dict[str, Any]) -> None:
    if out.get("swa_num_attention_heads") not in (None, out.get("num_attention_heads")):
        raise InputError(f"config swa_num_attention_heads: other query heads in window layers; {WAY_OUT}")
    out.pop("swa_num_attention_heads", None)
    for theirs, ours in (
        ("swa_num_key_value_heads", "window_key_value_heads"),
        ("swa_head_dim", "window_head_dim"),
        ("swa_v_head_dim", "window_v_head_dim"),
    ):
        out[ours] = out.pop(theirs, None)
    out["sliding_window"] = out.get("sliding_window") or out.pop("sliding_window_size", None)
    out.pop("sliding_window_size", None)
    out.pop("attention_chunk_size", None)  # of its kernels, not of what a token sees


def _step3(out: dict[str, Any]) -> None:
    # Queries of a low rank over one group of keys
    out["q_lora_rank"] = out.pop("share_q_dim", None)


def _hunyuan(out: dict[str, Any]) -> None:
    if out.pop("use_cla", None):
        raise InputError(f"config use_cla: caches shared between layers have no arithmetic here; {WAY_OUT}")
    out.pop("cla_share_factor", None)
    mixed = out.pop("use_mixed_mlp_moe", None)
    if mixed and out.get("num_experts") and not out.get("shared_expert_intermediate_size"):
        out["shared_expert_intermediate_size"] = out.get("intermediate_size")
    elif not mixed:
        out.pop("num_shared_expert", None)


def _nemotron(out: dict[str, Any]) -> None:
    # Its shared block is one, however many experts it counts for
    if out.get("moe_shared_expert_intermediate_size"):
        out["n_shared_experts"] = 1
    kinds = out.get("layers_block_type")
    if out.get("num_hidden_layers") is None and isinstance(kinds, list):
        out["num_hidden_layers"] = len(kinds)


def _kimi(out: dict[str, Any]) -> None:
    # As the class of transformers writes it, where layers are listed apart
    if out.get("linear_attn_config") is None and out.get("linear_num_heads") is not None:
        out["linear_attn_config"] = {
            "num_heads": out.pop("linear_num_heads"),
            "head_dim": out.pop("linear_head_dim", None),
            "short_conv_kernel_size": out.pop("linear_conv_kernel_dim", None),
        }


def _minimax_m3(out: dict[str, Any]) -> None:
    # What is called intermediate is of the experts; layers that route name their width apart
    if out.pop("attention_output_gate", None):
        raise InputError(f"config attention_output_gate: has no arithmetic in this family; {WAY_OUT}")
    expert, out["intermediate_size"] = out.get("intermediate_size"), out.pop("dense_intermediate_size")
    out["moe_intermediate_size"] = out.get("moe_intermediate_size") or expert
    out["num_nextn_predict_layers"] = out.pop("num_mtp_modules", None) and 0


def _deepseek_v4(out: dict[str, Any]) -> None:
    # The class of transformers says what part of a head turns, the published file how many of its values
    part, width = out.get("partial_rotary_factor"), out.get("head_dim")
    if out.get("qk_rope_head_dim") is None and isinstance(part, float) and isinstance(width, int):
        out["qk_rope_head_dim"] = round(part * width)


def _granite(out: dict[str, Any]) -> None:
    # Without experts the shared block is the whole feed-forward block
    if not out.get("num_local_experts"):
        shared = out.pop("shared_intermediate_size", None)
        out["intermediate_size"] = shared or out.get("intermediate_size")
        out.pop("num_experts_per_tok", None)


def _longcat(out: dict[str, Any]) -> None:
    # A share of the choices falls on experts that do nothing: as many of the rest as on average
    real, chosen, empty = out.get("n_routed_experts"), out.get("moe_topk"), out.pop("zero_expert_num", None)
    out.pop("zero_expert_type", None)
    if out.get("attention_method") == "MLA":
        del out["attention_method"]
    if isinstance(real, int) and isinstance(chosen, int) and isinstance(empty, int) and 0 < real + empty < 10**6:
        out["moe_topk"] = round(chosen * real / (real + empty))


RESPELT: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "llama4_text": _llama4,
    "gemma4_text": _gemma4,
    "mimo_v2_flash": _mimo,
    "step3_text": _step3,
    "hunyuan_v1_moe": _hunyuan,
    "granitemoehybrid": _granite,
    "longcat_flash": _longcat,
    "nemotron_h": _nemotron,
    "kimi_linear": _kimi,
    "kimi_k3": _kimi,
    "deepseek_v4": _deepseek_v4,
    **dict.fromkeys(("minimax_m3", "minimax_m3_vl", "minimax_m3_vl_text"), _minimax_m3),
}


def family_of(config: Mapping[str, Any]) -> tuple[str, Family]:
    """Model type of a configuration, and its family.

    Raises
    ------
    InputError
        None, or one that is not computed exactly, by name.

    Examples
    --------
    >>> family_of({"model_type": "gemma"})[1].tied
    True
    """
    name, classes, known = config.get("model_type"), config.get("architectures"), families()
    if name not in (known if isinstance(name, str) else ()) and isinstance(classes, list) and classes:
        # engines go by the class of a file that names only that, or one with a model type of its own
        name = next((one.model_type for one in known.values() if one.class_name and one.class_name == classes[0]), name)
    if name is None:
        raise InputError(
            'config: \'model_type\' is missing; for a plain transformer with grouped queries add "model_type": "llama"'
        )
    if not isinstance(name, str) or name not in known:
        raise InputError(f"config model_type: {shown(name)} is not among those computed exactly; {WAY_OUT}")
    return name, known[name]


def spelt_out(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with what its class takes for granted, in the usual spelling."""
    name, family = family_of(config)
    out = dict(config)
    out |= {key: value for key, value in family.left_out.items() if not _given(out, key)}
    for key in family.needed:
        if not any(_given(out, word) for word in key.split("|")):
            either = "' or '".join(key.split("|"))
            raise InputError(f"config: '{either}' is missing; '{name}' must state it")
    if name in RESPELT:
        RESPELT[name](out)
    return out


def _given(config: Mapping[str, Any], key: str) -> bool:
    return any(name in config for name in (key, *spellings().get(key, ())))


_QUIET = re.compile(
    r"_token_(id|ids|index)$|^(bos|eos|pad|sep|mask|unk|img|boi|eoi|boa|eoa)_token|^(rope|rotary|yarn|mrope|ntk)_|_rope_theta$|rope_(interleave|theta)|position_embedding_type|^original_max_position"
    r"|dropout|_pdrop$|dtype|_coeff?$|loss|aux_|_eps$|epsilon|norm_topk|norm_type|(layer|rms|group|qk|gemma|_)norm|^(q|qk|k)_norm"
    r"|scal(e$|ing|e_)|_alpha$|^mup_|bias|_act$|_act_fn$|activation|swiglu|initializer|init_std|softcap|router_(?!top_?k)"
    r"|scoring|gating|jitter|capacity|drop_|parallel|implementation|checkpoint|kernels$|version|auto_map|template|tokenizer|vision|image"
    r"|video|audio|visual|speech|pixel|^vit_|^anyres_|^im_|_(start|end|newline|init)_id$|talker|projector|(^|_)mtp|nextn|^time_step|^output_(att|hid|rou|sco)|label|multimodal|^mm_"
    r"|^(embedding|residual|attention|attention_in|attention_out|key|logits?|lm_head|mlp|ssm|ssm_in|ssm_out)_multipliers?$"
)
_NEUTRAL_AT_1 = re.compile(r"(_mod|_factor|_ratio|_multiplier|_freq|_interval|_every_n_layers?|_step|_period|_stride)$")
_SHAPING = re.compile(
    r"expert|moe|pattern|type|attn|attention|layer|mamba|ssm|linear|sparse|block|index|global|swa|head|dim|size|rank|conv|window"
    r"|chunk|lora|top_?k|ffn|inter|mlp|latent|state|share|cla|group|dense|altup|laurel|compress|adapter|memory|depth|freq|period"
    r"|decoder|cross|multiplier|ratio|factor|width|expan"
)


def unread(config: Mapping[str, Any], read: set[str]) -> list[str]:
    """Keys that were not read and can change shapes: numbers, lists and objects of an unknown name, words that sound so.

    Examples
    --------
    >>> unread({"hidden_size": 4096, "num_blocks_more": 8, "rms_norm_eps": 1e-5, "moe_on": True}, {"hidden_size"})
    ['moe_on', 'num_blocks_more']
    """
    out, quiet = [], {*read, *spellings()[""]}
    for key, value in config.items():
        if key in quiet or value is None or value is False or value in (0, "", [], {}):
            continue
        if value == 1 and (isinstance(value, float) or _NEUTRAL_AT_1.search(key)):
            continue
        if _QUIET.search(key) and not (isinstance(value, dict) and not re.search(r"rope|vision|audio|auto|label", key)):
            continue
        counted = isinstance(value, list | dict) or (isinstance(value, int) and not isinstance(value, bool))
        if counted or _SHAPING.search(key):
            out.append(key)
    return sorted(out)
