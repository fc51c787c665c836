"""A measured rate against the model: the verdict, and the one setting that explains most of the gap."""

import json
import math

import pytest
from typer.testing import CliRunner

from rackecon.cli import app
from rackecon.errors import InputError
from rackecon.evidence.diagnosis import _changes, diagnose
from rackecon.serving.points import Points
from rackecon.serving.predict import predict

ROW = {
    "date": "2026-05-15", "accelerator": "h100-sxm", "gpus": "8", "model": "llama-3.1-70b", "weight_precision": "fp8",
    "engine": "vllm", "mode": "aggregated", "tp": "8", "ep": "1", "isl": "1024", "osl": "1024", "concurrency": "64",
}  # fmt: skip


def rate(**change):
    return float(predict(Points.from_rows([ROW | change])).total_tok_s_per_gpu[0])


def test_a_rate_as_predicted_is_as_expected_and_far_ones_are_not():
    middle = rate()
    assert diagnose(ROW | {"total_tok_s_per_gpu": middle}).verdict == "as expected"
    assert diagnose(ROW | {"total_tok_s_per_gpu": middle / 3.0}).verdict == "low"
    assert diagnose(ROW | {"total_tok_s_per_gpu": middle * 3.0}).verdict == "high"


@pytest.mark.parametrize(
    "change",
    [
        {"concurrency": "16"},
        {"tp": "2", "ep": "1"},
        {"engine": "sglang"},
        {"weight_precision": "bf16"},
        {"kv_precision": "bf16"},
    ],
)
def test_a_hidden_setting_explains_all_of_the_gap(change):
    found = diagnose(ROW | {"total_tok_s_per_gpu": rate(**change)})
    (name, value), *_ = change.items()
    item = next(x for x in found.explanations if (x.setting, x.instead) == (name, value))
    assert item.explained == pytest.approx(1.0)
    assert item.predicted == pytest.approx(found.measured)
    assert found.explanations[0].explained == pytest.approx(1.0)


def test_the_share_explained_by_hand():
    found = diagnose(ROW | {"total_tok_s_per_gpu": 400.0})
    item = next(x for x in found.explanations if (x.setting, x.instead) == ("concurrency", "32"))
    by_hand = 1.0 - abs(math.log(rate(concurrency="32") / 400.0)) / abs(math.log(rate() / 400.0))
    assert item.explained == pytest.approx(by_hand)
    assert [x.explained for x in found.explanations] == sorted((x.explained for x in found.explanations), reverse=True)
    assert found.best_rate >= found.predicted * (1 - 1e-9)


def test_experts_and_drafts_are_changed_where_the_model_has_them():
    moe = ROW | {"model": "deepseek-r1", "accelerator": "h200-sxm", "engine": "sglang", "total_tok_s_per_gpu": "100"}
    assert {"ep", "dp_attention", "speculative"} <= {x.setting for x in diagnose(moe).explanations}
    dense = diagnose(ROW | {"total_tok_s_per_gpu": "100"})
    assert not {"ep", "dp_attention", "speculative"} & {x.setting for x in dense.explanations}
    assert {x.instead for x in dense.explanations if x.setting == "engine"} <= {"trtllm", "sglang"}


def test_what_cannot_be_diagnosed_is_one_line():
    with pytest.raises(InputError, match="nothing measured"):
        diagnose(ROW)
    with pytest.raises(InputError, match="not predicted as it is described"):
        diagnose(ROW | {"tp": "1", "gpus": "1", "model": "deepseek-r1", "total_tok_s_per_gpu": "5"})


def test_the_command_reads_a_benchmark_and_asks_for_what_it_lacks(tmp_path):
    run = {
        "backend": "vllm", "model_id": "meta-llama/Llama-3.1-70B-Instruct", "max_concurrency": 64, "duration": 100.0,
        "completed": 100, "total_input_tokens": 102_400, "total_output_tokens": 102_400, "date": "20260515-101500",
    }  # fmt: skip
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run), encoding="utf-8")
    asked = CliRunner().invoke(app, ["diagnose", str(path)])
    assert "give --set accelerator=..., --set gpus=..., --set weight_precision=..., --set tp=..." in str(
        asked.exception
    )
    given = [f"--set={word}" for word in ("accelerator=H100", "gpus=8", "weight_precision=fp8", "tp=8")]
    done = CliRunner().invoke(app, ["diagnose", str(path), *given])
    assert done.exit_code == 0, done.exception
    assert "measured 256 total tok/s/GPU" in done.output
    assert ": low" in done.output.splitlines()[0]
    assert "aggregated taken" in done.output.splitlines()[1]
    assert "of the gap" in done.output.splitlines()[2]
    assert all("-" not in line.split("explains ")[1] for line in done.output.splitlines() if "explains " in line)
    assert "needs COLUMN=VALUE" in str(CliRunner().invoke(app, ["diagnose", str(path), "--set", "gpus"]).exception)
    for wrong in ("8k", "0", "-8"):
        words = [word.replace("gpus=8", f"gpus={wrong}") for word in given]
        assert f"gpus: '{wrong}' is not a number of GPUs" in str(
            CliRunner().invoke(app, ["diagnose", str(path), *words]).exception
        )


def test_fewer_requests_and_cached_input_are_tried_in_steps():
    """Three quarters, half and a quarter of the load, as far as a request is left; half and nine tenths cached, or none."""
    row = {"accelerator": "h100-sxm", "model": "gpt-oss-20b", "weight_precision": "fp4", "engine": "vllm", "gpus": "1"}
    row |= {"isl": "1024", "osl": "1024", "date": "2026-03-01", "tp": "1", "ep": "1", "mode": "aggregated"}

    def tried(name: str, **given: str) -> list[str]:
        return [cells[name] for setting, _, cells in _changes(row | given) if setting == name]

    assert tried("concurrency", concurrency="64") == ["48", "32", "16"]
    assert tried("concurrency", concurrency="4") == ["3", "2", "1"]
    assert tried("concurrency", concurrency="3") == ["2"]  # three quarters and half of 3 are both 2
    assert tried("concurrency", concurrency="1") == []
    assert tried("prefix_cache_hit", concurrency="8") == ["0.5", "0.9"]
    assert tried("prefix_cache_hit", concurrency="8", prefix_cache_hit="0.5") == ["0", "0.9"]
