"""Traces and searches of a folder of cases: the one in RACKECON_CASES, else one of its layout written from this room's own."""

from __future__ import annotations

import csv
import os
import re
import shlex
from pathlib import Path

import pytest
from test_traces import AZURE, BAILIAN, BURST, MOONCAKE, SPLITWISE, VIDUR, lines
from typer.testing import CliRunner

from rackecon.cli import app

AWQ = (
    '{"model_type": "qwen3", "hidden_size": 5120, "intermediate_size": 17408, "num_hidden_layers": 40, "num_attention_heads": 40, '
    '"num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 40960, "tie_word_embeddings": false, '
    '"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": true}}'
)
EPOCH = "timestamp,input_tokens,output_tokens\n1714521600000,100,10\n1714521601000,200,20\n1714521603000,200,20\n"
TRACES = {
    "azure.csv": (AZURE, "3 requests"),
    "mooncake.jsonl": (lines(MOONCAKE), "3 requests in 30 s: cached = 38.4 %"),
    "burstgpt.csv": (BURST, "3 requests, 1 failure left out and counted"),
    "bailian.jsonl": (lines(BAILIAN), "2 requests: cached = 41.7 %"),
    "vidur.csv": (VIDUR, "3 requests"),
    "splitwise.csv": (SPLITWISE, "2 requests"),
    "epoch-ms.csv": (EPOCH, "3 s: epoch ms; say so"),
}
SEARCHES = {
    "tpu-v6e.txt": ("--accelerator tpu-v6e --model llama-3.1-8b", "a front; power and money blank with the reason"),
    "trainium2.txt": ("--accelerator trainium2 --model llama-3.1-70b", "a front"),
    "a10g.txt": ("--accelerator a10g --model llama-3.1-8b --usd-per-gpu-hour 1.1 --kw-per-gpu 0.5", "a front"),
    "no-price.txt": ("--accelerator a100-80gb-sxm --model llama-3.1-8b", "print the reason once"),
}


@pytest.fixture
def folder(own, tmp_path):
    if "RACKECON_CASES" in os.environ:
        return Path(os.environ["RACKECON_CASES"])
    for kind in ("trace", "frontier"):
        (tmp_path / kind).mkdir()
    cases = [("kind", "file", "should")]
    for name, (text, should) in TRACES.items():
        (tmp_path / "trace" / name).write_text(text, encoding="utf-8")
        cases.append(("trace", f"trace/{name}", should))
    (tmp_path / "frontier" / "awq.json").write_text(AWQ, encoding="utf-8")
    commands = {
        name: (f"rackecon frontier {given} --isl 1000 --osl 300", should) for name, (given, should) in SEARCHES.items()
    }
    added = "rackecon data add-model frontier/awq.json --id x && rackecon frontier --accelerator a100-80gb-sxm --model x --isl 1000 --osl 300"
    for name, (text, should) in (commands | {"awq.txt": (added, "int4 weights, bf16 cache")}).items():
        (tmp_path / "frontier" / name).write_text(text, encoding="utf-8")
        cases.append(("frontier", f"frontier/{name}", should))
    with open(tmp_path / "cases.csv", "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(cases)
    return tmp_path


def of_kind(folder: Path, kind: str) -> list[dict[str, str]]:
    with open(folder / "cases.csv", encoding="utf-8", newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["kind"] == kind]


def said(words: list[str], folder: Path) -> str:
    done = CliRunner().invoke(app, [str(folder / word) if (folder / word).is_file() else word for word in words])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.output


def test_every_trace_of_a_folder_goes_in_as_it_is(folder):
    cases = of_kind(folder, "trace")
    assert len(cases) >= 5
    for number, row in enumerate(cases):
        output = said(["data", "add-workload", row["file"], "--id", f"trace-{number}"], folder)
        print(row["file"], "|", output.splitlines()[0])
        should = row["should"].split("Whole")[0].split("whole")[0]
        for count in re.findall(r"(\d+) requests", should):
            assert f"{count} requests" in output
        for share in re.findall(r"= ([\d.]+) %", should):
            assert share.split(".")[0] in output, row["file"]
        if "failure" in should:
            assert "1 without a response left out" in output
        if "epoch" in should:
            assert "in 3s" in output or "in 3 s" in output
            assert "ms since 1970" in output


def test_every_search_of_a_folder_answers(folder):
    cases = of_kind(folder, "frontier")
    assert len(cases) >= 4
    for row in cases:
        output = ""
        for command in (folder / row["file"]).read_text(encoding="utf-8").strip().split("&&"):
            output = said(shlex.split(command)[1:], folder)
        assert "on the front" in output, row["file"]
        if "reason" in row["should"]:
            assert output.count("Blank: cost and profit") == 1
        if "int4 weights, bf16 cache" in row["should"]:
            assert "weights int4, cache bf16" in output
