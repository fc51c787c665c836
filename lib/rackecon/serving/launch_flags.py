"""A layout as launch flags of vLLM, SGLang and TensorRT-LLM, to start from; one engine of the deployment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rackecon.catalog import Model, model
from rackecon.errors import check_known

SERVERS = ("vllm", "sglang", "trtllm")
CHUNK_TOKENS = 8192
LENGTH_ROOM = (
    1.05  # longest sequence over the mean [-], 1 and more: own, so that no request is refused for a few tokens
)


def _lengths(row: Mapping[str, Any]) -> tuple[int, int]:
    """Longest sequence, and running sequences of one engine."""
    longest = math.ceil((float(row["isl_tokens"]) + float(row["osl_tokens"])) * LENGTH_ROOM)
    pool = float(row.get("decode_gpus") or 0.0) or float(row["gpus"])
    engines = max(pool / (float(row["tp"]) * float(row["pp"])), 1.0)
    return longest, max(math.ceil(float(row["concurrency"]) / engines), 1)


def launch_flags(row: Mapping[str, Any], server: str) -> str:
    """The command that starts one engine of an operating point.

    Parameters
    ----------
    row : mapping
        A frontier row with ``model``, lengths, precision, layout, ``gpus``, ``concurrency``, ``draft_tokens``.
    server : str
        ``vllm``, ``sglang`` or ``trtllm``.

    Returns
    -------
    str
        One shell command. ``MODEL`` stands for the checkpoint; of a disaggregated row it is the decode engine.

    Raises
    ------
    InputError
        Unknown server.

    Examples
    --------
    >>> row = {"model": "llama-3.3-70b", "isl_tokens": 1000, "osl_tokens": 1000, "weight_precision": "fp8",
    ...        "kv_precision": "fp8", "tp": 4, "ep": 1, "pp": 1, "dp_attention": False, "gpus": 4, "concurrency": 64,
    ...        "draft_tokens": 0, "mode": "aggregated"}
    >>> launch_flags(row, "vllm").split()[3:7]
    ['--tensor-parallel-size', '4', '--kv-cache-dtype', 'fp8']
    """
    check_known("server", server, SERVERS)
    arch = model(str(row["model"]))
    build = {"vllm": _vllm, "sglang": _sglang, "trtllm": _trtllm}[server]
    return " ".join(build(row, arch))


def _vllm(row: Mapping[str, Any], arch: Model) -> list[str]:
    longest, running = _lengths(row)
    tp, pp, wide = int(row["tp"]), int(row["pp"]), bool(row["dp_attention"])
    ranks = tp if wide else 1
    out = ["vllm", "serve", "MODEL", "--tensor-parallel-size", str(1 if wide else tp)]
    if wide:
        out += ["--data-parallel-size", str(tp)]
    if int(row["ep"]) > 1:
        out.append("--enable-expert-parallel")
    if pp > 1:
        out += ["--pipeline-parallel-size", str(pp)]
    if row["kv_precision"] == "fp8":
        out += ["--kv-cache-dtype", "fp8"]
    out += ["--max-model-len", str(longest), "--max-num-seqs", str(math.ceil(running / ranks))]
    out += ["--max-num-batched-tokens", str(CHUNK_TOKENS)]
    if row.get("mode") == "disaggregated":
        out += ["--kv-transfer-config", """'{"kv_connector":"NixlConnector","kv_role":"kv_both"}'"""]
    draft = int(row.get("draft_tokens") or 0)
    if draft:
        out += ["--speculative-config", f"""'{{"method":"{arch.draft_method}","num_speculative_tokens":{draft}}}'"""]
    return out


def _sglang(row: Mapping[str, Any], arch: Model) -> list[str]:
    longest, running = _lengths(row)
    tp, pp, wide = int(row["tp"]), int(row["pp"]), bool(row["dp_attention"])
    out = ["python", "-m", "sglang.launch_server", "--model-path", "MODEL", "--tp-size", str(tp)]
    if wide:
        out += ["--dp-size", str(tp), "--enable-dp-attention"]
    if int(row["ep"]) > 1:
        out += ["--ep-size", str(int(row["ep"]))]
        if wide:
            out += ["--moe-a2a-backend", "deepep"]
    if pp > 1:
        out += ["--pp-size", str(pp)]
    if row["kv_precision"] == "fp8":
        out += ["--kv-cache-dtype", "fp8_e4m3"]
    out += ["--context-length", str(longest), "--max-running-requests", str(running)]
    out += ["--chunked-prefill-size", str(CHUNK_TOKENS * (tp if wide else 1))]
    if row.get("mode") == "disaggregated":
        out += ["--disaggregation-mode", "decode"]
    draft = int(row.get("draft_tokens") or 0)
    if draft:
        method = "EAGLE" if arch.mtp_layers else "EAGLE3"
        out += ["--speculative-algorithm", method, "--speculative-num-steps", str(draft)]
        out += ["--speculative-eagle-topk", "1", "--speculative-num-draft-tokens", str(draft + 1)]
    return out


def _trtllm(row: Mapping[str, Any], arch: Model) -> list[str]:
    longest, running = _lengths(row)
    tp, pp, ep, wide = int(row["tp"]), int(row["pp"]), int(row["ep"]), bool(row["dp_attention"])
    batch = math.ceil(running / (tp if wide else 1))
    out = ["trtllm-serve", "MODEL", "--tp_size", str(tp), "--pp_size", str(pp), "--ep_size", str(ep)]
    out += ["--max_batch_size", str(batch), "--max_num_tokens", str(CHUNK_TOKENS), "--max_seq_len", str(longest)]
    extra = []
    if wide:
        extra.append("enable_attention_dp: true")
    cache = ["free_gpu_memory_fraction: 0.9"]
    if row["kv_precision"] == "fp8":
        cache.append("dtype: fp8")
    extra.append("kv_cache_config: {" + ", ".join(cache) + "}")
    draft = int(row.get("draft_tokens") or 0)
    if draft:
        kind = (
            f"decoding_type: MTP, num_nextn_predict_layers: {draft}"
            if arch.mtp_layers
            else f"decoding_type: Eagle, max_draft_len: {draft}"
        )
        extra.append("speculative_config: {" + kind + "}")
    if row.get("mode") == "disaggregated":
        extra.append("cache_transceiver_config: {backend: DEFAULT}")
    lines = "\\n".join(extra)
    return [*out, "--extra_llm_api_options", f"<(printf '{lines}\\n')"]
