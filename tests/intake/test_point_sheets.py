"""Spreadsheets of points: read as people keep them, what stood for what is said, a bad row has its fault."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackecon.errors import InputError
from rackecon.evidence.answers import answer_each
from rackecon.intake.point_sheets import read_sheet

HEADER = "accelerator,model,weight_precision,isl,osl,gpus,tp,concurrency,engine"
LINE = "h200-sxm,deepseek-r1,fp8,1024,1024,8,8,64,vllm"
PLAIN = dict(zip(HEADER.split(","), LINE.split(","), strict=True))


def sheet(tmp_path, text):
    path = tmp_path / "points.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sheet(path)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{LINE}\n",
        f"\ufeff{HEADER}\r\n{LINE}\r\n,,,,,,,,\r\n",
        f"{HEADER}\n{LINE}\n".replace(",", ";"),
        f"{HEADER}\n{LINE}\n".replace(",", "\t"),
        f"{HEADER.title()}\n{LINE}\n",
        f"{HEADER},\n{LINE},\n",
        f'{HEADER}\nh200-sxm,deepseek-r1,fp8,"1,024","1 024",8,8,64,vllm\n',
        "GPU,Model ID,Quantization,Input len,Output-len (tokens),Num GPUs,tp_size,Max concurrency,Framework\n" + LINE,
    ],
)
def test_one_row_however_it_is_kept(tmp_path, text):
    found = sheet(tmp_path, text)
    assert found.points == [PLAIN]
    assert found.faults == [""]
    assert found.stood_for == [""]


@pytest.mark.parametrize(
    ("column", "cell", "stands_for"),
    [
        ("accelerator", "NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("accelerator", "AMD Instinct MI300X", "mi300x"),
        ("model", "openai/gpt-oss-120b", "gpt-oss-120b"),
        ("weight_precision", "NVFP4", "fp4"),
        ("weight_precision", "FP16", "bf16"),
        ("engine", "TensorRT-LLM", "trtllm"),
    ],
)
def test_a_name_stands_for_one_thing_and_that_is_said(tmp_path, column, cell, stands_for):
    found = sheet(tmp_path, f"{HEADER}\n" + ",".join((PLAIN | {column: cell}).values()))
    assert found.points[0][column] == stands_for
    assert found.stood_for == [f"{column} '{cell}' = {stands_for}"]
    assert found.cells[0][column] == cell


def test_an_engine_version_gives_the_date_of_its_measured_runs_where_there_are_any(tmp_path):
    found = sheet(tmp_path, f"{HEADER}\n{LINE[:-4]}vLLM 0.18.0\n{LINE[:-4]}vLLM 0.3\n")
    assert found.points[0]["date"] == "2026-05-22"
    assert "date 2026-05-22" in found.stood_for[0]
    assert "date" not in found.points[1]
    assert "version 0.3 not used" in found.stood_for[1]


def test_a_checkpoint_s_name_says_its_precision(tmp_path):
    found = sheet(
        tmp_path,
        f"{HEADER}\n" + ",".join((PLAIN | {"model": "nvidia/DeepSeek-R1-FP4", "weight_precision": ""}).values()),
    )
    assert found.points[0]["weight_precision"] == "fp4"
    assert "from the model's name" in found.stood_for[0]


@pytest.mark.parametrize("cell", ["", "-", "N/A", "na", "NaN", "None", "?", "\u2013"])
def test_what_says_nothing_is_open(tmp_path, cell):
    assert (
        sheet(tmp_path, f"{HEADER}\n" + ",".join((PLAIN | {"concurrency": cell}).values())).points[0]["concurrency"]
        == ""
    )


FAULTY = [
    ({"accelerator": "L20"}, "accelerator 'L20' is not in the catalogue; `rackecon data add-accelerator FILE` adds it"),
    ({"accelerator": "GH200"}, "not in the catalogue"),
    ({"accelerator": "NVIDIA H100 PCIe"}, "not in the catalogue"),
    ({"model": "acme/own-7b"}, "`rackecon data add-model FILE` adds it"),
    ({"weight_precision": "int8"}, "unknown weight_precision 'int8'; allowed: bf16, fp8, fp4, int4"),
    ({"engine": "triton"}, "unknown engine 'triton'; allowed:"),
    ({"engine": "x\x1b[31m" * 500}, "unknown engine"),
]


@pytest.mark.parametrize(("change", "fault"), FAULTY, ids=range(len(FAULTY)))
def test_a_name_that_stands_for_nothing_is_a_fault_without_another_s_name(tmp_path, change, fault):
    found = sheet(tmp_path, f"{HEADER}\n" + ",".join((PLAIN | change).values()) + f"\n{LINE}\n")
    assert fault in found.faults[0]
    assert "nearest" not in found.faults[0]
    assert len(found.faults[0]) < 300
    assert found.faults[1] == ""


def test_a_row_of_other_width_is_a_fault_and_the_next_is_read(tmp_path):
    found = sheet(tmp_path, f"{HEADER}\nh200-sxm,deepseek-r1\n{LINE},1,2\n{LINE}\n")
    assert found.faults == ["2 cells where the header has 9", "11 cells where the header has 9", ""]
    assert found.lines == [2, 3, 4]


@pytest.mark.parametrize(
    ("cell", "read", "fault"),
    [("0,5", "0.5", ""), ("0,25", "0.25", ""), ("37 %", "0.37", ""), ("37,5%", "0.375", ""), ("0,125", "0.125", "")],
)
def test_decimal_commas_and_per_cent(tmp_path, cell, read, fault):
    text = f"{HEADER},prefix_cache_hit\n{LINE},X\n".replace(",", ";").replace("X", cell)
    found = sheet(tmp_path, text)
    assert (found.points[0]["prefix_cache_hit"], found.faults[0]) == (read, fault)


def test_a_comma_that_may_be_either_is_asked_about(tmp_path):
    found = sheet(tmp_path, f"{HEADER}\n{LINE}\n".replace(",", ";").replace("1024", "8,192"))
    assert found.faults == ["isl '8,192': 8192 or 8.192? Write it without a comma"]


def test_columns_that_are_not_used_or_read_under_another_name_are_named(tmp_path):
    found = sheet(
        tmp_path,
        f"{HEADER},colour,total_tok_s_per_gpu\n{LINE},red,5\n".replace("concurrency", "concurency").replace(
            "gpus,", "num_gpus,"
        ),
    )
    assert found.remarks == [
        "column 'num_gpus' is read as 'gpus'",
        "column 'concurency' is not used; nearest is 'concurrency'",
        "column 'colour' is not used",
    ]
    assert "concurrency" not in found.points[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "empty"),
        ("accelerator,model\nb200-hgx,deepseek-r1\n", "'weight_precision' is missing"),
        (f"{HEADER},tp\n{LINE},8\n", "more than once"),
        (f"{HEADER},num_gpus,gpu_count\n{LINE},8,8\n".replace("gpus,tp", "x,tp"), "both stand for 'gpus'"),
        (f"{HEADER.replace('isl', 'isll')}\n{LINE}\n", "'isl' is missing; is 'isll' meant"),
        (b"\xff\xfe", "not UTF-8|not text"),
        (f'{HEADER}\n"{LINE}\n', "not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, text, wanted):
    with pytest.raises(InputError, match=wanted) as caught:
        sheet(tmp_path, text)
    assert "\n" not in str(caught.value)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PLAIN)), st.text(max_size=20))
def test_any_cell_is_read_or_a_fault_of_its_row(tmp_path, column, cell):
    path = tmp_path / "any.csv"
    with open(path, "w", encoding="utf-8", errors="replace", newline="") as handle:
        csv.writer(handle).writerows([list(PLAIN), list((PLAIN | {column: cell}).values()), list(PLAIN.values())])
    try:
        found = read_sheet(path)
    except InputError as fault:
        assert "\n" not in str(fault)  # noqa: PT017
        return
    assert found.faults[-1] == ""
    assert all(text.isprintable() for text in found.faults)


def run(*words):
    code = "from rackecon.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "predict", *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_command_answers_the_rest_and_strict_writes_nothing(tmp_path):
    path, out = tmp_path / "points.csv", tmp_path / "out.csv"
    path.write_text(
        f"{HEADER}\n{LINE}\n{LINE.replace('vllm', 'foobar')}\n{LINE.replace(',64,', ',32,')}\n", encoding="utf-8"
    )
    done = run(path, "-o", out, "--strict")
    assert (done.returncode, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1)
    assert "row 3: unknown engine 'foobar'" in done.stderr
    assert not out.exists()
    done = run(path, "-o", out)
    assert done.returncode == 0, done.stderr
    with open(out, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["status"] for row in rows] == ["ok", "refused", "ok"]
    assert "3 rows, 2 predicted, 1 refused" in done.stdout


def test_a_cache_outside_gpu_memory_and_a_point_that_may_be_thousands_are_named(tmp_path):
    line = "h100-sxm;llama-3.1-8b;bf16;{};100;1;1;8;vllm;{}"
    lines = [line.format("1000", "cpu"), line.format("1.000", ""), line.format("1.000.000", "false")]
    found = sheet(tmp_path, HEADER.replace(",", ";") + ";kv_offload\n" + "\n".join(lines) + "\n")
    assert "a cache outside GPU memory is not computed" in found.faults[0]
    assert found.faults[1] == "isl '1.000': 1000 or 1.000? Write it without a point"
    assert (found.faults[2], found.points[2]["isl"]) == ("", "1000000")


def test_adapters_and_tokenless_models_are_refused_by_name_and_one_token_is_computed(tmp_path):
    plain = LINE.replace(",1024,1024,", ",1024,0,"), LINE.replace(",1024,1024,", ",1024,1,")
    lines = [f"{LINE},16", f"{LINE},0", f"{plain[0]},", f"{plain[1]},"]
    found = sheet(tmp_path, f"{HEADER},lora_rank\n" + "\n".join(lines) + "\n")
    rows = answer_each(found.points, found.faults)
    assert [row["status"] for row in rows][1::2] == ["ok", "ok"]
    assert rows[0]["reason"] == "lora_rank 16: adapters are not computed; without it the row is of the base model"
    assert rows[2]["reason"].endswith("needs a positive number; an embedding or a reranker costs its prompt: ask for 1")
    assert float(rows[3]["predicted_output_tok_s_per_gpu"]) * 1025 == pytest.approx(
        float(rows[3]["predicted_total_tok_s_per_gpu"]), rel=1e-3
    )


def held(folder):
    """Sheets of a folder of the layout of RACKECON_CASES, and what must be of each."""
    return {
        "alias-accelerator": lambda rows, remarks: all(
            row["point"]["accelerator"] == row["cells"]["means"] for row in rows
        ),
        "alias-model-engine-precision": lambda rows, remarks: all(
            [row["point"][name] for name in ("model", "weight_precision", "engine")] == row["cells"]["means"].split()
            for row in rows
        ),
        "blanks-and-na": lambda rows, remarks: len(rows) == 2 and all(row["status"] == "ok" for row in rows),
        "header-case": lambda rows, remarks: rows[0]["status"] == "ok",
        "semicolon": lambda rows, remarks: rows[0]["status"] == "ok",
        "longer-than-context": lambda rows, remarks: rows[0]["status"] != "ok" and "tokens exceed" in rows[0]["reason"],
        "misspelt-column": lambda rows, remarks: (
            any("nearest is 'concurrency'" in text for text in remarks) and rows[0]["served_concurrency"]
        ),
        "not-in-catalogue": lambda rows, remarks: all(
            "add-accelerator" in row["reason"] for row in rows if row["status"] != "ok"
        ),
        "one-bad-of-1000": lambda rows, remarks: (
            [i for i, row in enumerate(rows, 1) if row["status"] != "ok"] == [501 - 1] and len(rows) == 1000
        ),
        "prefix-percent": lambda rows, remarks: "0.8 meant" in rows[0]["reason"],
        "request-rate": lambda rows, remarks: abs(float(rows[0]["predicted_total_tok_s_per_gpu"]) / 128 - 1) < 0.01,
    }


OWN_SHEETS = {
    "alias-accelerator": f"{HEADER},means\nMI355X{LINE[8:]},mi355x\nNVIDIA B200{LINE[8:]},b200-hgx\n",
    "alias-model-engine-precision": f"{HEADER},means\nh200-sxm,Qwen/Qwen3-32B,FP8,1000,100,1,1,4,vLLM,qwen3-32b fp8 vllm\n",
    "prefix-percent": f"{HEADER},prefix_cache_hit\n{LINE},80\n",
    "request-rate": f"{HEADER}\n{LINE}\n".replace("concurrency", "request_rate").replace(",64,", ",0.5,"),
    "misspelt-column": f"{HEADER}\n{LINE}\n".replace("concurrency", "concurrancy"),
}


@pytest.mark.slow
def test_every_sheet_of_a_folder_does_what_it_should(tmp_path, capsys):
    """Sheets of the folder in RACKECON_CASES, else of this room's own."""
    folder = Path(os.environ["RACKECON_CASES"]) / "predict" if "RACKECON_CASES" in os.environ else tmp_path
    if folder == tmp_path:
        for name, text in OWN_SHEETS.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    wanted, verdicts = held(folder), {}
    for path in sorted(folder.glob("*.csv")):
        found = read_sheet(path)
        rows = [
            row | {"point": point, "cells": cells}
            for row, point, cells in zip(
                answer_each(found.points, found.faults), found.points, found.cells, strict=True
            )
        ]
        verdicts[path.stem] = bool(wanted[path.stem](rows, found.remarks))
    with capsys.disabled():
        print(f"\n{sum(verdicts.values())} of {len(verdicts)} sheets do what they should")
    assert verdicts
    assert all(verdicts.values()), verdicts
