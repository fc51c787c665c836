"""Families of models that are computed exactly, and the keys of their configurations: an allow-list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon.errors import InputError
from rackecon.intake.config_reader import shown

WAY_OUT: Final = "a row of stated sizes goes in with `rackecon data add models FILE` (CONTRIBUTING.md, A model)"


@dataclass(frozen=True)
class Family:
    """What a family's class takes for granted where a configuration does not say.

    Source: the configuration and modelling classes of transformers 5.24, and for the rest the files beside the weights.
    """

    gated: bool = True  # feed-forward block of three matrices
    tied: bool = False  # one table for words in and out
    latent: bool = False  # a cache of latents, always
    indexed: bool = False  # sparse attention by an indexer, always
    recurrent: str = ""  # what its layers without attention are: delta, kda, lightning, mamba, mamba2
    wide_experts: bool = False  # experts as wide as intermediate_size says
    wide_biases: bool = False  # biases that reach experts and router
    selects: str = ""  # what attention reads of its cache: entries that stand for tokens, or blocks; all where empty
    every_head: bool = False  # as many heads of keys as of queries where no number is given
    left_out: Mapping[str, Any] = field(default_factory=dict)


_PLAIN, _WIDE = Family(), Family(wide_experts=True)
_HEADS = Family(every_head=True)
_LATENT = Family(latent=True)
_QWEN = Family(left_out={"use_sliding_window": False, "max_window_layers": 28})
_QWEN3 = Family(left_out={"use_sliding_window": False, "max_window_layers": 28, "head_dim": 128})
_DELTA = Family(recurrent="delta", left_out={"full_attention_interval": 4, "head_dim": 256})
_LIGHTNING = Family(recurrent="lightning", wide_experts=True)
_NEOX = Family(gated=False, every_head=True)
_GEMMA_3: Final = {
    "vocab_size": 262208, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "sliding_window": 4096,
    "sliding_window_pattern": 6, "max_position_embeddings": 131072,
}  # fmt: skip
FAMILIES: Final[dict[str, Family]] = {
    **dict.fromkeys(("llama", "phi3", "olmo", "olmo2", "granite", "internlm2", "stablelm", "hunyuan_v1_dense"), _HEADS),
    **dict.fromkeys(("glm", "glm4"), Family(left_out={"head_dim": 128})),
    **dict.fromkeys(("glm4_moe", "glm4v_text", "glm4v_moe_text", "mimo", "dots1", "bailing_moe"), _PLAIN),
    **dict.fromkeys(("solar_open", "ministral3", "seed_oss"), Family(left_out={"head_dim": 128})),
    **dict.fromkeys(("bailing_moe_v2", "hunyuan_v1_moe", "internlm3"), _PLAIN),
    **dict.fromkeys(("qwen2", "qwen2_moe", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"), _QWEN),
    **dict.fromkeys(("qwen3_moe",), _QWEN),
    **dict.fromkeys(("qwen3", "qwen3_vl_text", "qwen3_vl_moe_text", "qwen3_omni_moe_text"), _QWEN3),
    **dict.fromkeys(("qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text"), _DELTA),
    **dict.fromkeys(("mixtral", "olmoe", "phimoe", "granitemoe", "granitemoeshared"), _WIDE),
    "minimax_m2": Family(wide_experts=True, left_out={"head_dim": 128}),
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "kimi_k2", "glm4_moe_lite", "longcat_flash"), _LATENT),
    **dict.fromkeys(("deepseek_v32", "glm_moe_dsa"), Family(latent=True, indexed=True)),
    **dict.fromkeys(("minimax", "minimax_text_01", "minimax_m1"), _LIGHTNING),
    "ernie4_5": Family(tied=True, left_out={"head_dim": 128}),
    "ernie4_5_moe": Family(tied=True),
    **dict.fromkeys(("gpt_neox", "phi"), _NEOX),
    **dict.fromkeys(("apertus", "arcee"), Family(gated=False)),
    "nemotron": Family(gated=False, every_head=True),
    "nemotron_h": Family(gated=False, recurrent="mamba2"),
    "granitemoehybrid": Family(recurrent="mamba2", wide_experts=True, every_head=True),
    "bamba": Family(recurrent="mamba2"),
    "falcon_h1": Family(recurrent="mamba2"),
    "jamba": Family(recurrent="mamba", wide_experts=True),
    **dict.fromkeys(("kimi_linear", "kimi_k3"), Family(recurrent="kda", latent=True, left_out={"q_lora_rank": None})),
    "deepseek_v4": Family(selects="entries"),
    **dict.fromkeys(
        ("minimax_m3", "minimax_m3_vl", "minimax_m3_vl_text"), Family(selects="blocks", left_out={"head_dim": 128})
    ),
    "mistral": Family(left_out={"sliding_window": 4096}),
    "gpt_oss": Family(
        wide_experts=True,
        wide_biases=True,
        left_out={"sliding_window": 128, "sliding_window_pattern": 2, "head_dim": 64},
    ),
    "mimo_v2_flash": Family(left_out={"head_dim": 192, "v_head_dim": 128}),
    "step3_text": Family(),
    "starcoder2": Family(gated=False, tied=True),
    "gemma": Family(tied=True, left_out={"head_dim": 256}),
    "cohere": Family(tied=True, every_head=True),
    "smollm3": Family(tied=True, left_out={"use_sliding_window": False}),
    "gemma2": Family(tied=True, left_out={"sliding_window": 4096, "sliding_window_pattern": 2, "head_dim": 256}),
    "gemma3_text": Family(tied=True, left_out=_GEMMA_3),
    "gemma4_text": Family(tied=True),
    "cohere2": Family(tied=True, left_out={"sliding_window": 4096, "sliding_window_pattern": 4}),
    **dict.fromkeys(
        ("exaone4", "exaone4_5_text"), Family(left_out={"sliding_window": 4096, "sliding_window_pattern": 4})
    ),
    "olmo3": Family(every_head=True, left_out={"sliding_window": 4096, "sliding_window_pattern": 4}),
    "llama4_text": Family(left_out={"no_rope_layer_interval": 4, "attention_chunk_size": 8192}),
}
"""Model types that are computed exactly."""
_DENSE_FIRST: Final = "first_k_dense_replace|mlp_layer_types"
_SHARED: Final = ("num_experts", "num_shared_experts")
NEEDED: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            "mixtral", "olmoe", "phimoe", "granitemoe", "granitemoeshared", "minimax_m2", "minimax", "minimax_text_01",
            "minimax_m1", "qwen3_moe", "qwen3_vl_moe_text", "qwen3_omni_moe_text", "gpt_oss", "llama4_text", "longcat_flash",
            "hunyuan_v1_moe",
        ),
        ("num_experts",),
    ),
    **dict.fromkeys(
        ("qwen2_moe", "qwen3_next", "qwen3_5_moe", "qwen3_5_moe_text", "step3_text", "granitemoehybrid"),
        ("num_experts", "shared_expert_intermediate_size"),
    ),
    **dict.fromkeys(
        (
            "deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2", "glm_moe_dsa", "glm4_moe", "glm4_moe_lite",
            "glm4v_moe_text", "kimi_linear", "kimi_k3",
        ),
        (*_SHARED, _DENSE_FIRST),
    ),
    **dict.fromkeys(("solar_open", "dots1", "bailing_moe", "bailing_moe_v2"), _SHARED),
    "deepseek_v4": (*_SHARED, "head_dim", "sliding_window", "compress_ratios|layer_types"),
    **dict.fromkeys(
        ("minimax_m3", "minimax_m3_vl", "minimax_m3_vl_text"),
        ("num_experts", "dense_intermediate_size", "shared_intermediate_size", "moe_layer_freq|mlp_layer_types"),
    ),
    "ernie4_5_moe": (*_SHARED, "moe_layer_start_index"),
    "jamba": ("num_experts", "expert_layer_period", "expert_layer_offset"),
    "mimo_v2_flash": (
        "num_experts", "swa_num_key_value_heads", "hybrid_layer_pattern|layer_types", "moe_layer_freq|mlp_layer_types",
    ),
}  # fmt: skip
"""Keys (either of a pair) without which a family's class takes numbers of its own, so that a file must state them."""
OF_CLASSES: Final = {
    "LlamaForCausalLM": "llama", "MistralForCausalLM": "mistral", "Qwen2ForCausalLM": "qwen2", "DeepseekV4ForCausalLM": "deepseek_v4",
}  # fmt: skip
"""Model types of files that name only a class, or one with a model type of their own: engines go by the class."""
SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "hidden_size": ("n_embd", "dim"),
    "num_attention_heads": ("n_head", "n_heads"),
    "num_key_value_heads": ("n_kv_heads", "num_attention_groups"),
    "head_dim": ("attention_head_dim",),
    "intermediate_size": ("n_inner", "ffn_hidden_size", "hidden_dim"),
    "max_position_embeddings": (
        "max_position_embedding", "n_positions", "max_seq_len", "max_sequence_length", "model_max_length",
    ),
    "num_experts": ("n_routed_experts", "num_local_experts", "num_routed_experts", "moe_num_experts"),
    "num_experts_per_tok": (
        "experts_per_token", "top_k_experts", "num_experts_per_token", "moe_topk", "moe_top_k", "moe_k",
    ),
    "moe_intermediate_size": ("expert_ffn_hidden_size", "expert_intermediate_size"),
    "num_shared_experts": ("n_shared_experts", "num_shared_expert", "moe_num_shared_experts"),
    "shared_expert_intermediate_size": (
        "share_expert_dim", "moe_shared_expert_intermediate_size", "shared_intermediate_size",
    ),
    "sliding_window_pattern": ("_sliding_window_pattern", "layer_switch"),
    "num_nextn_predict_layers": ("mtp_num_hidden_layers", "num_mtp_layers"),
    "mamba_n_heads": ("mamba_num_heads",),
    "mamba_d_head": ("mamba_head_dim",),
    "mamba_d_state": ("ssm_state_size",),
    "mamba_n_groups": ("n_groups",),
    "mamba_d_conv": ("conv_kernel",),
    "mamba_expand": ("expand",),
    "attn_output_gate": ("attention_output_gate",),
    "moe_latent_size": ("routed_expert_hidden_size",),
}  # fmt: skip
"""Usual name of a quantity, and what other families call it."""


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
    name = config.get("model_type")
    classes = config.get("architectures")
    known = isinstance(name, str) and name in FAMILIES
    if not known and isinstance(classes, list) and classes and isinstance(classes[0], str):
        name = OF_CLASSES.get(classes[0], name)
    if name is None:
        raise InputError(
            'config: \'model_type\' is missing; for a plain transformer with grouped queries add "model_type": "llama"'
        )
    if not isinstance(name, str) or name not in FAMILIES:
        raise InputError(f"config model_type: {shown(name)} is not among those computed exactly; {WAY_OUT}")
    return name, FAMILIES[name]


def spelt_out(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with what its class takes for granted, in the usual spelling."""
    name, family = family_of(config)
    out = dict(config)
    out |= {key: value for key, value in family.left_out.items() if not _given(out, key)}
    for key in NEEDED.get(name, ()):
        if not any(_given(out, word) for word in key.split("|")):
            either = "' or '".join(key.split("|"))
            raise InputError(f"config: '{either}' is missing; '{name}' must state it")
    if name in RESPELT:
        RESPELT[name](out)
    return out


def _given(config: Mapping[str, Any], key: str) -> bool:
    return any(name in config for name in (key, *SPELLINGS.get(key, ())))


_QUIET = re.compile(
    r"_token_(id|ids|index)$|^(bos|eos|pad|sep|mask|unk|img|boi|eoi|boa|eoa)_token|^(rope|rotary|yarn|mrope|ntk)_|_rope_theta$|rope_(interleave|theta)|position_embedding_type|^original_max_position"
    r"|dropout|_pdrop$|dtype|_coeff?$|loss|aux_|_eps$|epsilon|norm_topk|norm_type|(layer|rms|group|qk|gemma|_)norm|^(q|qk|k)_norm"
    r"|scal(e$|ing|e_)|_alpha$|^mup_|bias|_act$|_act_fn$|activation|swiglu|initializer|init_std|softcap|router_(?!top_?k)"
    r"|scoring|gating|jitter|capacity|drop_|parallel|implementation|checkpoint|kernels$|version|auto_map|template|tokenizer|vision|image"
    r"|video|audio|visual|speech|pixel|^vit_|^anyres_|^im_|_(start|end|newline|init)_id$|talker|projector|(^|_)mtp|nextn|^time_step|^output_(att|hid|rou|sco)|label|multimodal|^mm_"
    r"|^(embedding|residual|attention|attention_in|attention_out|key|logits?|lm_head|mlp|ssm|ssm_in|ssm_out)_multipliers?$"
)
_QUIET_KEYS: Final = frozenset(
    (
        "mlp_expansion_factor", "mamba_inner_layernorms", "calc_logits_for_entire_prompt", "shared_moe_mode", "class_num", "dense_list",
        "pool_type", "num_media_embeds", "moe_gate", "order_of_interleaved_layers", "interpolation_factor", "org_vocab_size",
        "_name_or_path", "architectures", "attention_value_scale", "attn_scale", "attn_temperature_tuning",
        "bad_words_ids", "bias_update_speed", "chunk_size_feed_forward", "clip_qkv", "compression_config",
        "diversity_penalty", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size", "ep_size",
        "exponential_decay_length_penalty", "finetuning_task", "floor_scale", "for_llm_compressor",
        "full_attn_alpha_factor", "full_attn_beta_factor", "generation_config", "id",
        "index_share_for_mtp_iteration", "initial_context_length", "input_jitter_noise", "interleaved",
        "is_decoder", "length_penalty", "linear_attn_alpha_factor", "linear_attn_beta_factor", "logits_scaling",
        "mamba_dt_init_floor", "mamba_dt_max", "mamba_dt_min", "mamba_dt_scale", "mamba_norm_before_gate",
        "mamba_ssm_dtype", "max_length", "max_new_tokens", "min_length", "mla_scale_kv_lora",
        "mla_scale_q_lora", "mla_use_nope", "mlp_alpha_factor", "mlp_beta_factor", "model_type",
        "moe_renormalize", "moe_shared_expert_overlap", "moe_use_aux_free_sampling", "n_group", "name",
        "no_repeat_ngram_size", "no_rope_layer_interval", "no_rope_layers", "non_attention_biases", "norm_eps", "norm_topk_prob",
        "num_beam_groups", "num_beams", "num_expert_group", "num_expert_groups", "num_limited_groups",
        "num_logits_to_keep", "num_return_sequences", "orig_max_position_embeddings", "output_gate_type",
        "partial_rotary_factor", "postnorm", "prefix", "pretraining_tp", "problem_type", "pruned_heads",
        "qk_head_dim", "quantization_config", "query_pre_attn_scalar", "remove_invalid_values",
        "repetition_penalty", "rescale_prenorm_residual", "residual_in_fp32", "return_dict", "rms_norm_eps",
        "rope_local_base_freq", "rope_parameters", "rope_percent", "rope_scaling", "rope_theta",
        "rotary_emb_base", "rotary_pct", "seq_aux", "seq_length", "task_specific_params", "temperature",
        "tie_encoder_decoder", "top_k", "top_p", "topk_group", "topk_method", "topk_scaling_factor",
        "torchscript", "typical_p", "use_bfloat16", "use_bidirectional_attention", "use_cache",
        "use_grouped_topk", "use_moe", "use_routing_bias", "vocab_size_per_layer_input",
    )
)  # fmt: skip
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
    out = []
    for key, value in config.items():
        if key in read or key in _QUIET_KEYS or value is None or value is False or value in (0, "", [], {}):
            continue
        if value == 1 and (isinstance(value, float) or _NEUTRAL_AT_1.search(key)):
            continue
        if _QUIET.search(key) and not (isinstance(value, dict) and not re.search(r"rope|vision|audio|auto|label", key)):
            continue
        counted = isinstance(value, list | dict) or (isinstance(value, int) and not isinstance(value, bool))
        if counted or _SHAPING.search(key):
            out.append(key)
    return sorted(out)
