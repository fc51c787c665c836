"""Own rows: what is right is added apart from the shipped tables, what is wrong is one line and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog.user_rows import add_rows, checked_rows
from rackecon.economics.cost_table import records_from
from rackecon.economics.power_table import VINTAGE_METRICS
from rackecon.economics.price_table import card_from
from rackecon.errors import InputError
from rackecon.intake.config_files import read_config
from rackecon.intake.model_config import model_row
from rackecon.intake.traces import workload_row

LLAMA = {
    "model_type": "llama", "num_hidden_layers": 80, "hidden_size": 8192, "vocab_size": 128256, "num_attention_heads": 64,
    "num_key_value_heads": 8, "intermediate_size": 28672, "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168, "vocab_size": 129280, "num_attention_heads": 128,
    "num_key_value_heads": 128, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "n_routed_experts": 256, "num_experts_per_tok": 8, "n_shared_experts": 1, "moe_intermediate_size": 2048,
    "intermediate_size": 18432, "first_k_dense_replace": 3, "num_nextn_predict_layers": 1, "max_position_embeddings": 163840,
    "tie_word_embeddings": False, "quantization_config": {"quant_method": "fp8"},
}  # fmt: skip
GPT_OSS = {
    "model_type": "gpt_oss", "num_hidden_layers": 36, "hidden_size": 2880, "vocab_size": 201088, "num_attention_heads": 64,
    "num_key_value_heads": 8, "head_dim": 64, "num_local_experts": 128, "num_experts_per_tok": 4, "intermediate_size": 2880,
    "sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"] * 18, "max_position_embeddings": 131072,
    "tie_word_embeddings": False, "quantization_config": {"quant_method": "mxfp4"},
}  # fmt: skip
# as published, with what the class's defaults say left out
GEMMA = {
    "model_type": "gemma3", "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27, "intermediate_size": 4304},
    "text_config": {
        "model_type": "gemma3_text", "num_hidden_layers": 62, "hidden_size": 5376, "num_attention_heads": 32, "head_dim": 128,
        "num_key_value_heads": 16, "intermediate_size": 21504, "sliding_window": 1024,
    },
}  # fmt: skip
GEMMA_12B = {
    "model_type": "gemma3", "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27, "intermediate_size": 4304},
    "text_config": {
        "model_type": "gemma3_text", "num_hidden_layers": 48, "hidden_size": 3840, "num_attention_heads": 16,
        "num_key_value_heads": 8, "intermediate_size": 15360, "sliding_window": 1024,
    },
}  # fmt: skip
LLAMA_4 = {
    "model_type": "llama4",
    "text_config": {
        "model_type": "llama4_text", "num_hidden_layers": 48, "hidden_size": 5120, "vocab_size": 202048, "head_dim": 128,
        "num_attention_heads": 40, "num_key_value_heads": 8, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
        "interleave_moe_layer_step": 2, "num_local_experts": 128, "num_experts_per_tok": 1, "attention_chunk_size": 8192,
        "no_rope_layers": [], "max_position_embeddings": 1048576, "tie_word_embeddings": False,
    },
}  # fmt: skip
GLM = {
    "model_type": "glm4_moe", "num_hidden_layers": 92, "hidden_size": 5120, "vocab_size": 151552, "num_attention_heads": 96,
    "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 12288, "moe_intermediate_size": 1536, "n_routed_experts": 160,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3, "num_nextn_predict_layers": 1,
    "attention_bias": True, "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
QWEN_NEXT = {
    "model_type": "qwen3_next", "num_hidden_layers": 48, "hidden_size": 2048, "vocab_size": 151936, "num_attention_heads": 16,
    "num_key_value_heads": 2, "head_dim": 256, "num_experts": 512, "num_experts_per_tok": 10, "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512, "intermediate_size": 5120, "decoder_sparse_step": 1, "full_attention_interval": 4,
    "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    "max_position_embeddings": 262144, "tie_word_embeddings": False,
}  # fmt: skip
FAMILIES = {
    "llama-3.1-70b": (LLAMA, 70.55e9),
    "deepseek-r1": (DEEPSEEK, 671e9),
    "gpt-oss-120b": (GPT_OSS, 116.83e9),
    "gemma-3-27b": (GEMMA, 27.02e9),
    "gemma-3-12b": (GEMMA_12B, 11.77e9),
    "llama-4-maverick": (LLAMA_4, 400e9),
    "glm-4.5": (GLM, 355e9),
    "qwen3-next-80b-a3b": (QWEN_NEXT, 80e9),
}
ACCELERATOR = (
    "id,family,peak_bf16_flops,hbm_gib,hbm_tb_per_s,scaleup_gb_per_s,scaleup_domain_gpus,tdp_w\n"
    "mychip-1,hopper,1.2e15,96,4.0,450,8,750\n"
)
PRICE = (
    "provider,model_id,value_input,value_cached_input,value_output,valid_from\nme,gpt-oss-20b,0.1,0.02,0.4,2026-01-31\n"
)
MEASURED = (
    "date,accelerator,gpus,model,weight_precision,engine,mode,tp,ep,isl,osl,concurrency,total_tok_s_per_gpu\n"
    "2026-06-01,h100-sxm,8,llama-3.1-70b,fp8,vllm,aggregated,8,1,1024,1024,64,800\n"
)
TRACE = "timestamp,input_tokens,output_tokens,prefix_hash\n0,100,10,a b\n1,100,20,a b\n3,200,30,a c d e\n"
RACK = "accelerator,gpus_per_rack,rack_it_kw\na100-80gb-sxm,64,100\n"


@pytest.mark.parametrize("name", FAMILIES)
def test_import_is_within_two_percent_of_published_and_equals_the_shipped_shapes(name):
    config, published = FAMILIES[name]
    row, shipped = model_row(config, "new"), catalog.model(name)
    assert row["stated_total_params"] == pytest.approx(published, rel=0.02)
    assert row["stated_active_params"] == pytest.approx(shipped.active_params, rel=0.001)
    assert row["stated_kv_bytes_per_token_bf16"] == shipped.kv_bytes_per_token_bf16
    assert row["kv_fixed_bytes_bf16"] == shipped.kv_fixed_bytes_bf16
    assert row["recurrent_state_bytes"] == pytest.approx(shipped.recurrent_state_bytes, rel=1e-3)
    assert row["attention"] == shipped.attention


def test_an_added_model_is_served_like_the_shipped_one(own, tmp_path):
    row = model_row(LLAMA, "own-70b") | {"source_id": "own", "grade": "derived"}
    before = catalog.table_digest("models")
    add_rows("models", [row])
    assert catalog.model("own-70b").total_params == catalog.model("llama-3.1-70b").total_params
    assert catalog.table("models")["id"].iloc[-1] == "own-70b"
    assert catalog.table_digest("models") != before
    assert (own / "models.csv").is_file()


def test_added_accelerator_and_price_are_read(own, tmp_path):
    for table, text in (("accelerators", ACCELERATOR), ("prices", PRICE)):
        path = tmp_path / f"{table}.csv"
        path.write_text(text, encoding="utf-8")
        add_rows(table, checked_rows(table, path))
    assert catalog.accelerator("mychip-1").hbm_bytes == 96 * 2**30
    assert catalog.table("prices").iloc[-1]["provider"] == "me"


def test_trace_is_summed_up_by_hand(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text(TRACE, encoding="utf-8")
    row = workload_row(path, "mine")
    assert float(row["isl_mean"]) == pytest.approx(400 / 3, rel=1e-5)
    assert float(row["osl_p50"]) == 20
    assert float(row["ratio_agg_prefill_decode"]) == pytest.approx(400 / 60, rel=1e-5)
    assert float(row["interarrival_cv"]) == pytest.approx(0.5 / 1.5, rel=1e-5)
    # 64 is the power of two of which 100 tokens are 2 blocks and 200 are 4: the second hits whole, the third in one block
    assert float(row["prefix_hit_tokens_infinite"]) == pytest.approx((100 + 64) / 400, rel=1e-5)
    assert "blocks of 64 tokens" in row["note"]
    again = workload_row(path, "mine", block_tokens=50)
    assert float(again["prefix_hit_tokens_infinite"]) == pytest.approx((100 + 50) / 400, rel=1e-5)
    with pytest.raises(InputError, match="not of 40 tokens"):
        workload_row(path, "mine", block_tokens=40)


def without(text, column):
    lines = [line.split(",") for line in text.strip().splitlines()]
    index = lines[0].index(column)
    return "\n".join(",".join(cell for i, cell in enumerate(line) if i != index) for line in lines) + "\n"


BAD = [
    ("accelerators", without(ACCELERATOR, "tdp_w"), "'tdp_w' is missing"),
    ("accelerators", without(ACCELERATOR, "id"), "'id' is missing"),
    ("accelerators", ACCELERATOR.replace("hbm_gib", "hbm_gb"), "'hbm_gib' is missing"),
    ("accelerators", ACCELERATOR.replace("1.2e15", "1200"), "FLOP/s"),
    ("accelerators", ACCELERATOR.replace(",4.0,", ",4000,"), "TB/s"),
    ("accelerators", ACCELERATOR.replace(",96,", ",96e9,"), "out of range"),
    ("accelerators", ACCELERATOR.replace(",96,", ",-96,"), "out of range"),
    ("accelerators", ACCELERATOR.replace(",96,", ",nan,"), "not a"),
    ("accelerators", ACCELERATOR.replace(",96,", ",96 GB,"), "not a number"),
    ("accelerators", ACCELERATOR.replace("hopper", "hoper"), "nearest is 'hopper'"),
    ("accelerators", ACCELERATOR + ACCELERATOR.splitlines()[1], "already in row 2"),
    ("accelerators", ACCELERATOR.replace("mychip-1", "../x"), "is not an id"),
    ("accelerators", ACCELERATOR.replace("mychip-1", "<b>"), "is not an id"),
    ("accelerators", ACCELERATOR.replace("mychip-1", "x" * 65), "is not an id"),
    ("accelerators", ACCELERATOR.replace("mychip-1", "a\u202eb"), "control character"),
    ("accelerators", ACCELERATOR.replace(",8,", ",1.5,"), "whole number"),
    ("accelerators", "x," * 100_000 + "x\n", "columns are more"),
    ("costs", "accelerator,value,category\nh100-sxm,9,opex\n", "unknown category"),
    ("costs", "accelerator,value,category,basis\nh100-sxm,9,rental market price,spot\n", "has no year"),
    ("costs", "accelerator,value,basis\nh100-sxm,9,spot\n", "is not one of category"),
    ("power", "accelerator,value,unit\nh100-sxm,9,W\n", "unknown unit"),
    ("scenarios", "id,isl_tokens,osl_tokens\nmine,10.5,20\n", "whole number"),
    ("measured_serving", MEASURED.replace("vllm", "<script>"), "unknown engine"),
    ("measured_serving", MEASURED.replace("2026-06-01", "9999-12-31"), "out of range"),
    ("prices", PRICE.replace("2026-01-31", "9999-12-31"), "out of range"),
    ("accelerators", ACCELERATOR.replace("mychip-1", ""), "id is empty"),
    ("accelerators", ACCELERATOR + "short,row\n", "2 cells"),
    ("accelerators", ACCELERATOR.replace("tdp_w", "id"), "given twice"),
    ("accelerators", ACCELERATOR.splitlines()[0], "no rows"),
    ("accelerators", "", "empty"),
    ("accelerators", "\n\n\n", "empty"),
    ("accelerators", b"\xff\xfeid", "not UTF-8"),
    ("accelerators", b"PK\x03\x04\0\0\0", "not text"),
    ("accelerators", '"unclosed\n', "not CSV"),
    ("racks", RACK.replace("a100-80gb-sxm", "tpu-v99"), "unknown accelerator"),
    ("prices", without(PRICE, "value_output"), "'value_output' is missing"),
    ("prices", PRICE.replace("gpt-oss-20b", "gpt-oss-2b"), "unknown model_id"),
    ("prices", PRICE.replace(",0.4,", ",-0.4,"), "out of range"),
    ("prices", PRICE.replace(",0.4,", ",400000,"), "out of range"),
    ("prices", PRICE.replace(",0.02,", ",0.2,"), "costs more than fresh"),
    ("prices", PRICE.replace("2026-01-31", "31/01/2026"), "ISO date"),
    ("prices", PRICE.replace("valid_from", "valid_from,unit").replace("2026-01-31", "2026-01-31,$/k tokens"), "unit"),
    ("measured_serving", without(MEASURED, "concurrency"), "'concurrency' is missing"),
    ("measured_serving", MEASURED.replace("h100-sxm", "h100"), "unknown accelerator"),
    ("measured_serving", MEASURED.replace(",fp8,", ",fp9,"), "unknown weight_precision"),
    ("measured_serving", MEASURED.replace("aggregated", "both"), "unknown mode"),
    ("measured_serving", MEASURED.replace(",1024,1024,", ",-1024,1024,"), "out of range"),
    ("measured_serving", MEASURED.replace(",64,800", ",64,0"), "out of range"),
    ("workloads", without(TRACE, "output_tokens"), "'output_tokens' is missing"),
    ("workloads", TRACE.replace("1,100,20", "1,-100,20"), "is not 0 to"),
    ("workloads", TRACE.replace("1,100,20", "soon,100,20"), "seconds or an ISO time"),
    ("workloads", TRACE.replace("1,100,20", "1,many,20"), "not a number"),
    ("workloads", TRACE.replace("prefix_hash", "user_name"), "unknown column"),
    ("workloads", "timestamp,input_tokens,output_tokens\n0,1,1\n", "at least 2"),
    ("workloads", "timestamp,input_tokens,output_tokens\n5,1,1\n5,1,1\n", "span 0 s"),
    ("workloads", b"\xfftimestamp", "not UTF-8"),
    ("models", b"\xff{}", "not UTF-8"),
    ("models", "{", "not JSON"),
    ("models", "[1]", "not a JSON object"),
    ("models", json.dumps({k: v for k, v in LLAMA.items() if k != "hidden_size"}), "'hidden_size' is missing"),
    ("models", json.dumps(LLAMA | {"num_key_value_heads": 7}), "not a multiple"),
    ("models", json.dumps(LLAMA | {"num_attention_heads": 60, "num_key_value_heads": 60}), "not a multiple"),
    ("models", json.dumps(LLAMA | {"num_hidden_layers": -4}), "whole number"),
    ("models", json.dumps(LLAMA | {"num_hidden_layers": "many"}), "whole number"),
    ("models", json.dumps(LLAMA | {"hidden_size": 0}), "not between"),
    ("models", json.dumps(DEEPSEEK | {"num_experts_per_tok": 300}), "experts per token"),
    ("models", json.dumps(GPT_OSS | {"layer_types": ["full_attention"]}), "num_hidden_layers says"),
    ("models", json.dumps(GPT_OSS | {"layer_types": ["odd"] * 36}), "no arithmetic"),
    ("models", json.dumps(LLAMA | {"model_type": "mamba"}), "model_type: 'mamba'"),
    ("models", json.dumps(LLAMA | {"quantization_config": {"quant_method": "odd"}}), "is not one of"),
]


def read(table, path):
    if table == "models":
        return model_row(read_config(path), "new")
    if table == "workloads":
        return workload_row(path, "new")
    return checked_rows(table, path)


@pytest.mark.parametrize(("table", "content", "message"), BAD, ids=range(len(BAD)))
def test_bad_file_is_one_line(own, tmp_path, table, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read(table, path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not own.exists()


COMMANDS = {
    "accelerators": "add-accelerator",
    "prices": "add-price",
    "measured_serving": "add-measured",
    "workloads": "add-workload",
    "models": "add-model",
}


def run(own, *words):
    code = "from rackecon.cli import main; main()"
    environment = os.environ | {"RACKECON_USER_DATA": str(own)}
    return subprocess.run(
        [sys.executable, "-c", code, "data", *map(str, words)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("table", COMMANDS)
def test_command_refuses_in_one_line_and_writes_nothing_then_takes_what_is_right(table, tmp_path):
    own = tmp_path / "own"
    content = next(content for name, content, _ in BAD if name == table)
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run(own, COMMANDS[table], path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert not own.exists()
    good = {
        "accelerators": ACCELERATOR, "prices": PRICE, "measured_serving": MEASURED, "workloads": TRACE,
        "models": json.dumps(LLAMA),
    }  # fmt: skip
    path.write_text(good[table], encoding="utf-8")
    done = run(own, COMMANDS[table], path)
    assert done.returncode == 0, done.stderr
    assert (own / f"{table}.csv").is_file()
    assert not list(own.glob(".*"))


@pytest.mark.parametrize("table", ["accelerators", "prices", "models", "workloads"])
def test_a_gigabyte_of_junk_is_refused_at_once(own, tmp_path, table):
    path = tmp_path / "junk.csv"
    with open(path, "wb") as handle:
        handle.truncate(2**30)
    started = time.monotonic()
    # a trace may be large and is streamed; zeros are no text
    words = "not text" if table == "workloads" else "bytes is more than"
    with pytest.raises(InputError, match=words):
        read(table, path)
    assert time.monotonic() - started < 1.0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from(["accelerators", "prices", "measured_serving", "models", "workloads"]))
def test_any_bytes_are_one_line(own, tmp_path, content, table):
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(table, path)
    assert "\n" not in str(caught.value)


value = st.one_of(
    st.integers(-(10**12), 10**12), st.floats(), st.text(max_size=8), st.booleans(), st.none(), st.lists(st.integers())
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([LLAMA, DEEPSEEK, GPT_OSS, QWEN_NEXT]), st.data())
def test_any_change_of_a_configuration_is_a_sane_model_or_one_line(config, data):
    key = data.draw(st.sampled_from(sorted(config)))
    try:
        row = model_row(config | {key: data.draw(value)}, "new")
    except InputError as fault:
        assert "\n" not in str(fault)  # noqa: PT017
    else:
        assert 0 < row["stated_active_params"] <= row["stated_total_params"] * 1.5


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ACCELERATOR.splitlines()[0].split(",")), st.text(max_size=12))
def test_any_cell_of_an_accelerator_is_taken_or_one_line(own, tmp_path, column, cell):
    header, row = (line.split(",") for line in ACCELERATOR.splitlines())
    row[header.index(column)] = '"' + cell.replace('"', '""') + '"'
    path = tmp_path / "cell.csv"
    path.write_text(",".join(header) + "\n" + ",".join(row) + "\n", encoding="utf-8", newline="")
    try:
        checked_rows("accelerators", path)
    except InputError as fault:
        assert "\n" not in str(fault)  # noqa: PT017


def test_an_own_accelerator_with_cost_power_and_rack_earns_on_an_own_workload(own, tmp_path):
    tables = {
        "accelerators": ACCELERATOR,
        "racks": RACK.replace("a100-80gb-sxm", "mychip-1"),
        "costs": "accelerator,value\nmychip-1,2.5\n",
        "power": "accelerator,value\nmychip-1,1.4\n",
    }
    for table, text in tables.items():
        path = tmp_path / f"{table}.csv"
        path.write_text(text, encoding="utf-8")
        add_rows(table, checked_rows(table, path))
    assert catalog.accelerator("mychip-1").vendor == "nvidia"
    costs = {(r.accelerator, r.basis, r.vintage): r.usd_per_gpu_hour for r in records_from(catalog.read_rows("costs"))}
    assert costs["mychip-1", "ownership", "2026-07"] == 2.5
    power = catalog.table("power").set_index("accelerator").loc["mychip-1"]
    assert (power["metric"], float(power["value"])) == (VINTAGE_METRICS["2026-07"], 1.4)
    row = evaluate(["mychip-1"], ["gpt-oss-120b"], ["chat"], cost_usd_per_gpu_hour=2.5, price_level="list").iloc[0]
    assert row["profit_usd_per_rack_year"] > 0


def test_an_own_listing_replaces_the_published_ones_of_its_model_only(own, tmp_path):
    path = tmp_path / "price.csv"
    path.write_text(PRICE, encoding="utf-8")
    add_rows("prices", checked_rows("prices", path))
    card = card_from(catalog.read_rows("prices"), "gpt-oss-20b", "2026-11-23")
    assert (card.fresh_input, card.cached_input, card.output, card.listings) == (0.1, 0.02, 0.4, 1)
    assert card_from(catalog.read_rows("prices"), "deepseek-r1", "2026-11-23").listings > 1
