"""Malformed files of every kind that is read, drawn at random: each is one line, and nothing changes."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_extend_data import ACCELERATOR, DEEPSEEK, GPT_OSS, LLAMA, MEASURED, PRICE, QWEN_NEXT, RACK, TRACE
from typer.testing import CliRunner

from rackecon.catalog import data_dir
from rackecon.cli import _Commands, app
from rackecon.errors import InputError

EXAMPLES = 50  # bad files of each kind
COST = "accelerator,value\na100-80gb-sxm,2.5\n"
GRID = "fixed: {accelerator: h100-sxm, model: gpt-oss-20b, isl_tokens: 1000, osl_tokens: 500}\ngrid: {utilisation: [0.4, 0.6]}\n"
# kind: (command, a good file, columns it cannot do without, columns of numbers)
TABLES = {
    "accelerators": (
        ["data", "add-accelerator"], ACCELERATOR, ACCELERATOR.splitlines()[0].split(","),
        ["peak_bf16_flops", "hbm_gib", "hbm_tb_per_s", "scaleup_gb_per_s", "scaleup_domain_gpus", "tdp_w"],
    ),
    "prices": (
        ["data", "add-price"], PRICE, ["provider", "model_id", "value_input", "value_output", "valid_from"],
        ["value_input", "value_cached_input", "value_output"],
    ),
    "measured": (
        ["data", "add-measured"], MEASURED, MEASURED.splitlines()[0].split(","),
        ["gpus", "tp", "isl", "osl", "concurrency", "total_tok_s_per_gpu"],
    ),
    "trace": (
        ["data", "add-workload"], TRACE, ["timestamp", "input_tokens", "output_tokens"], ["input_tokens", "output_tokens"],
    ),
    "racks": (["data", "add", "racks"], RACK, RACK.splitlines()[0].split(","), ["gpus_per_rack", "rack_it_kw"]),
    "costs": (["data", "add", "costs"], COST, ["accelerator", "value"], ["value"]),
    "power": (["data", "add", "power"], COST, ["accelerator", "value"], ["value"]),
}  # fmt: skip
NEEDED_KEYS = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size", "intermediate_size")
BAD_NUMBER = st.sampled_from(["-1", "-1e9", "1e30", "nan", "inf", "many", "8 GB", "1,5", "0x10", "--", "1e"])


def written(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


@st.composite
def bad_table(draw: st.DrawFn, kind: str) -> bytes:
    _, text, needed, numbers = TABLES[kind]
    rows = [line.split(",") for line in text.strip().splitlines()]
    line = draw(st.integers(1, len(rows) - 1))
    faults = ["column", "renamed", "twice", "unknown", "number", "ragged", "bytes", "zero", "none"]
    if kind == "measured":  # leaves further columns out, with a word
        faults.remove("unknown")
    fault = draw(st.sampled_from(faults))
    if fault == "column":
        at = rows[0].index(draw(st.sampled_from(needed)))
        rows = [row[:at] + row[at + 1 :] for row in rows]
    elif fault == "renamed":
        at = rows[0].index(draw(st.sampled_from(needed)))
        rows[0][at] += draw(st.text("abcxyz_", min_size=1, max_size=5))
    elif fault == "twice":
        rows = [[*row, row[0]] for row in rows]
    elif fault == "unknown":
        rows = [[*row, "1"] for row in rows]
        rows[0][-1] = "zz" + draw(st.text("abcxyz", max_size=5))
    elif fault == "number":
        rows[line][rows[0].index(draw(st.sampled_from(numbers)))] = draw(BAD_NUMBER)
    elif fault == "ragged":
        rows[line] = rows[line] + ["x"] if draw(st.booleans()) else rows[line][:-1]
    elif fault == "none":
        rows = rows[: draw(st.integers(0, 1))]
    whole = written(rows)
    place = draw(st.integers(0, len(whole)))
    if fault in ("bytes", "zero"):
        junk = b"\0" if fault == "zero" else draw(st.sampled_from([b"\xff", b"\xc3(", b"\xe2\x28\xa1"]))
        whole = whole[:place] + junk + whole[place:]
    return whole


@st.composite
def bad_config(draw: st.DrawFn) -> bytes:
    config = dict(draw(st.sampled_from([LLAMA, DEEPSEEK, GPT_OSS, QWEN_NEXT])))
    fault = draw(st.sampled_from(["key", "number", "heads", "layers", "experts", "cut", "bytes", "list", "nested"]))
    if fault == "key":
        config.pop(draw(st.sampled_from(NEEDED_KEYS[:4])))
    elif fault == "number":
        config[draw(st.sampled_from(NEEDED_KEYS[:4]))] = draw(
            st.sampled_from([-1, 0, 0.5, 1e30, float("nan"), "many", "80 layers", [], {}, True])
        )
    elif fault == "heads":
        config |= {"num_key_value_heads": config["num_attention_heads"] + draw(st.integers(1, 9)), "kv_lora_rank": None}
    elif fault == "layers":
        config["layer_types"] = ["full_attention"] * (config["num_hidden_layers"] + draw(st.integers(1, 9)))
    elif fault == "experts":
        config |= {
            "n_routed_experts": 8,
            "num_experts_per_tok": 8 + draw(st.integers(1, 9)),
            "moe_intermediate_size": 64,
        }
    text = json.dumps([config] if fault == "list" else config).encode()
    place = draw(st.integers(0, len(text) - 1))
    if fault == "cut":
        return text[:place]
    if fault == "bytes":
        return text[:place] + b"\xff" + text[place:]
    return b"[" * 100_000 if fault == "nested" else text


@st.composite
def bad_grid(draw: st.DrawFn) -> bytes:
    fault = draw(st.sampled_from(["word", "number", "cut", "bytes", "section"]))
    text = GRID.encode()
    if fault == "word":
        old = draw(st.sampled_from([b"h100-sxm", b"gpt-oss-20b", b"utilisation", b"osl_tokens", b"fixed"]))
        return text.replace(old, old + draw(st.sampled_from([b"x", b"-9", b"_"])))
    if fault == "number":
        old = draw(st.sampled_from([b"1000", b"500", b"0.4"]))
        return text.replace(old, draw(st.sampled_from([b"-1", b"many", b"1e30", b".nan", b"[]", b"{}"])), 1)
    if fault == "section":
        return text + draw(st.sampled_from([b"more: {}\n", b"sobol: {samples: 0}\n", b"list: [1]\n", b"grid: 7\n"]))
    place = draw(st.integers(0, text.index(b"\n") - 1))
    return text[:place] if fault == "cut" else text[:place] + b"\xff" + text[place:]


KINDS = {kind: (held[0], bad_table(kind), held[1]) for kind, held in TABLES.items()}
KINDS["config"] = (["data", "add-model"], bad_config(), json.dumps(LLAMA))
KINDS["grid"] = (["sweep", "--quiet", "--output", "OUT"], bad_grid(), GRID)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


def refused(kind: str, path: Path, folder: Path) -> str:
    """The one line with which a file is refused, after checking that it is one and that nothing changed."""
    before = state(folder), state(data_dir())
    words = [str(folder / "out.parquet") if word == "OUT" else word for word in KINDS[kind][0]]
    done = CliRunner().invoke(app, [*words, str(path)])
    assert isinstance(done.exception, InputError), (done.exception, done.output)
    assert done.output == ""
    assert "\n" not in str(done.exception)
    assert (state(folder), state(data_dir())) == before
    return str(done.exception)


@pytest.fixture(autouse=True, scope="module")
def built_once():
    """Each command is built once, as in a process of its own, and not again for each of hundreds of files."""
    built = cache(_Commands().__getitem__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Commands, "__getitem__", lambda self, name: built(name))
        yield


@pytest.fixture
def own(own):
    """Own rows that are there already."""
    own.mkdir()
    (own / "racks.csv").write_bytes((data_dir() / "racks.csv").read_bytes().splitlines(keepends=True)[0])
    return own


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_files_are_one_line_each_and_change_nothing(own, tmp_path, kind):
    lines: set[str] = set()

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(KINDS[kind][1])
    def check(content: bytes) -> None:
        path = tmp_path / "file.csv"
        path.write_bytes(content)
        lines.add(refused(kind, path, own))

    check()
    assert len(lines) >= 5  # many kinds of fault, not one said over and over


@pytest.mark.parametrize("kind", KINDS)
def test_a_gigabyte_of_junk_is_refused_unread(own, tmp_path, kind):
    path = tmp_path / "junk.csv"
    with open(path, "wb") as handle:
        handle.truncate(2**30)
    # a trace may be large and is streamed; zeros are no text
    assert ("not text" if kind == "trace" else "bytes is more than") in refused(kind, path, own)


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_file_of_each_kind_is_taken(own, tmp_path, kind):
    path = tmp_path / "file.csv"
    path.write_text(KINDS[kind][2], encoding="utf-8")
    words = [str(tmp_path / "out.parquet") if word == "OUT" else word for word in KINDS[kind][0]]
    extra = ["--jobs", "1"] if kind == "grid" else []
    done = CliRunner().invoke(app, [*words, str(path), *extra])
    assert done.exit_code == 0, done.exception
