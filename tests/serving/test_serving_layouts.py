"""Layouts of an engine and how one is started, in full."""

from dataclasses import replace

import numpy as np
import pytest

from rackecon.catalog import accelerator, model
from rackecon.serving.launch_flags import launch_flags
from rackecon.serving.layouts import Layout, decode_layouts, engine_layouts, matches, prefill_layouts
from rackecon.serving.public_layouts import _by, _layout

NODE = ["TP1", "TP2", "TP4", "TP8"]
EXPERTS = ["TEP2", "TEP4", "TEP8", "DEP2", "DEP4", "DEP8"]


def _names(found: list[Layout]) -> list[str]:
    return [x.name for x in found]


def test_the_name_of_a_layout_is_the_usual_one() -> None:
    every = [Layout(8, 1, 2), Layout(8, 8), Layout(8, 8, 1, True), Layout(8, 1, 1, True), Layout(4)]
    assert _names(every) == ["TP8 PP2", "TEP8", "DEP8", "DP8", "TP4"]


def test_engines_stay_in_a_node_that_holds_the_model() -> None:
    assert _names(engine_layouts(accelerator("b200-hgx"), model("llama-3.3-70b"))) == NODE
    assert _names(engine_layouts(accelerator("b200-hgx"), model("deepseek-r1"), 4.0)) == NODE + EXPERTS


def test_engines_take_two_nodes_where_one_is_too_small() -> None:
    """DeepSeek-R1 in 8 bits over 8 H100."""
    two = ["TP8 PP2", "TP16", "TEP8 PP2", "TEP16", "DEP16"]
    assert _names(engine_layouts(accelerator("h100-sxm"), model("deepseek-r1"), 8.0)) == NODE + EXPERTS + two
    dense = replace(model("llama-3.3-70b"), total_params=700e9)
    assert _names(engine_layouts(accelerator("h100-sxm"), dense, 8.0)) == [*NODE, "TP8 PP2", "TP16"]


def test_weights_may_take_nine_tenths_of_a_node() -> None:
    chip, arch = accelerator("h100-sxm"), model("llama-3.3-70b")
    most = 0.9 * 8 * chip.hbm_bytes  # of one byte each
    at, over = (replace(arch, total_params=most * x) for x in (1.0, 1.0 + 1e-12))
    assert [len(engine_layouts(chip, x, 8.0)) for x in (at, over)] == [4, 6]
    assert len(engine_layouts(chip, over, 4.0)) == 4
    assert [len(of(chip, x)) for of in (engine_layouts, decode_layouts) for x in (at, over)] == [4, 6, 4, 5]


def test_layouts_of_a_question_that_says_no_more_are_of_eight_bits_and_128_gpus() -> None:
    chip, arch = (
        accelerator("h200-sxm"),
        replace(model("deepseek-r1"), total_params=0.9 * 8 * accelerator("h200-sxm").hbm_bytes),
    )
    for of in (decode_layouts, prefill_layouts):
        assert of(chip, arch) == of(chip, arch, 8.0, 128) != of(chip, arch, 8.0, 95)
        assert of(chip, arch) != of(chip, replace(arch, total_params=arch.total_params * 1.001))


@pytest.mark.parametrize(
    ("chip", "gpus", "wide"),
    [
        ("gb200-nvl72", 64, ["DEP16", "DEP32", "DEP48"]),
        ("gb200-nvl72", 96, ["DEP16", "DEP32", "DEP48"]),
        ("mi355x", 96, ["DEP16"]),
        ("h200-sxm", 95, ["DEP16"]),
        ("h200-sxm", 96, ["DEP16", "DEP72", "DEP144"]),
    ],
)
def test_decode_engines_are_as_wide_as_their_domain_and_on_hopper_wider(chip, gpus, wide) -> None:
    assert _names(decode_layouts(accelerator(chip), model("deepseek-r1"), 8.0, gpus)) == NODE + EXPERTS + wide


def test_a_decode_engine_has_no_stages_and_no_width_twice() -> None:
    found = _names(decode_layouts(accelerator("h100-sxm"), model("deepseek-r1"), 8.0, 64))
    assert found == [*NODE, *EXPERTS, "TP16", "TEP16", "DEP16"]
    assert _names(decode_layouts(accelerator("gb200-nvl72"), model("llama-3.3-70b"), 8.0, 128)) == NODE


def test_there_are_no_more_ranks_than_experts() -> None:
    """Of gpt-oss-120b there are 128: 72 fit, 144 do not."""
    found = _names(decode_layouts(accelerator("h200-sxm"), model("gpt-oss-120b"), 4.0, 128))
    assert found == [*NODE, *EXPERTS, "DEP16", "DEP72"]
    few = replace(model("gpt-oss-120b"), n_experts=16)
    assert _names(decode_layouts(accelerator("gb200-nvl72"), few, 4.0))[-1] == "DEP16"


@pytest.mark.parametrize(
    ("chip", "bits", "gpus", "wide"),
    [
        ("b200-hgx", 8.0, 128, []),
        ("h200-sxm", 8.0, 95, ["DEP16"]),
        ("h200-sxm", 8.0, 96, ["DEP16", "DEP32"]),
        ("h100-sxm", 8.0, 95, ["DEP16", "TP16"]),
    ],
)
def test_prefill_engines_cross_nodes_on_hopper_alone(chip, bits, gpus, wide) -> None:
    assert _names(prefill_layouts(accelerator(chip), model("deepseek-r1"), bits, gpus)) == NODE + EXPERTS + wide
    assert _names(prefill_layouts(accelerator(chip), model("llama-3.3-70b"), bits, gpus)) == NODE


def test_a_layout_matches_what_is_held_of_it() -> None:
    one = Layout(8, 8, 1, True)
    held = [
        {},
        {"tp": 8, "ep": 8.0},
        {"concurrency": 3, "gpus": 64},
        {"dp_attention": True, "tp": 8},
        {"tp": 4},
        {"tp": 8, "ep": 1},
    ]
    assert [matches(one, x) for x in held] == [True, True, True, True, False, False]


def test_a_measured_row_is_the_layout_it_states() -> None:
    """Attention ranks beyond a node spread the experts too, whatever a recipe states of them."""
    stated = {"tp": "8", "ep": "2", "pp": "2", "dp_attention": "True", "prefill_tp": "16", "prefill_ep": "1"}
    assert _layout(stated, "") == Layout(8, 2, 2, True)
    assert _layout({**stated, "prefill_dp_attention": "true"}, "prefill_") == Layout(16, 16, 1, True)
    assert _layout({**stated, "prefill_dp_attention": "false"}, "prefill_") == Layout(16, 1, 1, False)
    assert _layout({"tp": "4", "ep": "", "dp_attention": ""}, "") == Layout(4, 1, 1, False)


def test_layouts_are_known_from_ten_rows_up_and_from_the_day_they_were_run(monkeypatch) -> None:
    """Before the first of them, what it ran; after, what was run by then."""
    days = ["2025-10-09", *(f"2026-01-{day:02d}" for day in range(1, 10))]
    rows = [(day, Layout(2 ** (i % 4))) for i, day in enumerate(days)]
    family = "of this test alone"
    keys = [(family, False, "vllm", "fp8", "aggregated", model_id, "decode") for model_id in ("ten", "nine")]
    monkeypatch.setattr("rackecon.serving.public_layouts._seen", lambda: {keys[0]: rows, keys[1]: rows[:-1]})
    known = [_by(keys[0], date) for date in ("2024-01-01", "2025-10-09", "2026-01-01", "2026-01-02", "2027-01-01")]
    assert [sorted(x.tp for x in found or ()) for found in known] == [[1], [1], [1, 2], [1, 2, 4], [1, 2, 4, 8]]
    assert _by(keys[1], "2027-01-01") is None


WIDE = {
    "model": "deepseek-r1", "isl_tokens": 8192, "osl_tokens": 1024, "kv_precision": "fp8", "tp": 8, "ep": 8, "pp": 1,
    "dp_attention": True, "gpus": 28, "decode_gpus": 16, "concurrency": 400, "draft_tokens": 2, "mode": str(np.array(["disaggregated"])[0]),
}  # fmt: skip
PLAIN = {
    "model": "llama-3.3-70b", "isl_tokens": 1000, "osl_tokens": 100, "kv_precision": "bf16", "tp": 4, "ep": 1, "pp": 2,
    "dp_attention": False, "gpus": 16, "concurrency": 33, "draft_tokens": 1, "mode": "aggregated",
}  # fmt: skip
BARE = {**PLAIN, "pp": 1, "gpus": 8, "concurrency": 0.4, "draft_tokens": 0}
"""In turn: two decode engines of 200 requests each, 25 a rank, up to 1.05 x 9,216 = 9,677 tokens long; two engines of two
stages with 17 of 33 requests at the most, up to 1,155 tokens; one request."""


@pytest.mark.parametrize(
    ("row", "started"),
    [
        (
            WIDE,
            "vllm serve MODEL --tensor-parallel-size 1 --data-parallel-size 8 --enable-expert-parallel --kv-cache-dtype fp8 "
            "--max-model-len 9677 --max-num-seqs 25 --max-num-batched-tokens 8192 --kv-transfer-config "
            """'{"kv_connector":"NixlConnector","kv_role":"kv_both"}' """
            """--speculative-config '{"method":"mtp","num_speculative_tokens":2}'""",
        ),
        (
            PLAIN,
            "vllm serve MODEL --tensor-parallel-size 4 --pipeline-parallel-size 2 --max-model-len 1155 --max-num-seqs 17 "
            """--max-num-batched-tokens 8192 --speculative-config '{"method":"eagle3","num_speculative_tokens":1}'""",
        ),
        (
            BARE,
            "vllm serve MODEL --tensor-parallel-size 4 --max-model-len 1155 --max-num-seqs 1 --max-num-batched-tokens 8192",
        ),
    ],
)
def test_how_vllm_is_started(row, started) -> None:
    assert launch_flags(row, "vllm") == started


@pytest.mark.parametrize(
    ("row", "started"),
    [
        (
            WIDE,
            "--tp-size 8 --dp-size 8 --enable-dp-attention --ep-size 8 --moe-a2a-backend deepep --kv-cache-dtype fp8_e4m3 "
            "--context-length 9677 --max-running-requests 200 --chunked-prefill-size 65536 --disaggregation-mode decode "
            "--speculative-algorithm EAGLE --speculative-num-steps 2 --speculative-eagle-topk 1 "
            "--speculative-num-draft-tokens 3",
        ),
        (
            PLAIN,
            "--tp-size 4 --pp-size 2 --context-length 1155 --max-running-requests 17 --chunked-prefill-size 8192 "
            "--speculative-algorithm EAGLE3 --speculative-num-steps 1 --speculative-eagle-topk 1 "
            "--speculative-num-draft-tokens 2",
        ),
        (
            {**BARE, "ep": 4},
            "--tp-size 4 --ep-size 4 --context-length 1155 --max-running-requests 1 --chunked-prefill-size 8192",
        ),
    ],
)
def test_how_sglang_is_started(row, started) -> None:
    assert launch_flags(row, "sglang") == f"python -m sglang.launch_server --model-path MODEL {started}"


@pytest.mark.parametrize(
    ("row", "started", "extra"),
    [
        (
            WIDE,
            "--tp_size 8 --pp_size 1 --ep_size 8 --max_batch_size 25 --max_num_tokens 8192 --max_seq_len 9677",
            r"enable_attention_dp: true\nkv_cache_config: {free_gpu_memory_fraction: 0.9, dtype: fp8}\n"
            r"speculative_config: {decoding_type: MTP, num_nextn_predict_layers: 2}\n"
            r"cache_transceiver_config: {backend: DEFAULT}\n",
        ),
        (
            PLAIN,
            "--tp_size 4 --pp_size 2 --ep_size 1 --max_batch_size 17 --max_num_tokens 8192 --max_seq_len 1155",
            r"kv_cache_config: {free_gpu_memory_fraction: 0.9}\nspeculative_config: {decoding_type: Eagle, max_draft_len: 1}\n",
        ),
        (
            BARE,
            "--tp_size 4 --pp_size 1 --ep_size 1 --max_batch_size 1 --max_num_tokens 8192 --max_seq_len 1155",
            r"kv_cache_config: {free_gpu_memory_fraction: 0.9}\n",
        ),
    ],
)
def test_how_tensorrt_llm_is_started(row, started, extra) -> None:
    assert launch_flags(row, "trtllm") == f"trtllm-serve MODEL {started} --extra_llm_api_options <(printf '{extra}')"


def test_a_row_without_a_draft_depth_drafts_nothing() -> None:
    bare = {name: value for name, value in BARE.items() if name != "draft_tokens"}
    for server in ("vllm", "sglang", "trtllm"):
        assert launch_flags(bare, server) == launch_flags(BARE, server)
