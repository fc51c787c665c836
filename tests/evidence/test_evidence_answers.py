"""Files of points: contract of columns, order, faults told in one line, and no use of measured values."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from rackecon.errors import InputError
from rackecon.evidence.answers import ADDED_COLUMNS, answer, answer_each, write_answers

ROW = {
    "accelerator": "b200-hgx",
    "model": "deepseek-r1",
    "weight_precision": "fp4",
    "isl": "1024",
    "osl": "1024",
    "engine": "trtllm",
    "mode": "aggregated",
    "tp": "8",
    "ep": "8",
    "concurrency": "64",
    "length_draw": "uniform 80-100% of nominal",
    "date": "2026-01-15",
}


def test_one_row_out_for_each_row_in_and_intervals_hold_the_value() -> None:
    found = answer([ROW, {**ROW, "concurrency": ""}, {**ROW, "mode": "", "tp": "", "ep": ""}])
    assert len(found) == 3
    for row in found:
        assert row["status"] == "ok"
        for name in ("total_tok_s_per_gpu", "output_tok_s_per_gpu", "tok_s_per_user"):
            low, value, high = (float(row[f"predicted_{name}{end}"]) for end in ("_low", "", "_high"))
            assert 0 < low < value < high
        assert row["bottleneck"] in ("weights", "kv", "compute", "network", "host")
    # equal input and output lengths: half of the tokens are output
    assert float(found[0]["predicted_output_tok_s_per_gpu"]) == pytest.approx(
        float(found[0]["predicted_total_tok_s_per_gpu"]) / 2, rel=1e-4
    )
    # an open load is the best one
    assert float(found[1]["predicted_total_tok_s_per_gpu"]) > float(found[0]["predicted_total_tok_s_per_gpu"])


def test_measured_columns_are_never_read() -> None:
    noisy = {**ROW, "total_tok_s_per_gpu": "1e9", "tok_s_per_user": "1e9", "ttft_ms": "0.001", "tpot_ms": "7"}
    assert answer([noisy]) == answer([ROW])


def test_limits_bind_a_searched_load() -> None:
    free = answer([{**ROW, "concurrency": ""}])[0]
    held = answer([{**ROW, "concurrency": "", "tpot_limit_ms": "15"}])[0]
    strict = answer([{**ROW, "concurrency": "", "tpot_limit_ms": "15", "latency_statistic": "p99"}])[0]
    assert float(held["predicted_tok_s_per_user"]) >= 1000 / 15
    rates = [float(row["predicted_total_tok_s_per_gpu"]) for row in (free, held, strict)]
    assert rates[0] > rates[1] >= rates[2]


def test_what_does_not_fit_says_so() -> None:
    found = answer([{**ROW, "accelerator": "h100-sxm", "weight_precision": "fp8", "tp": "8"}])[0]
    assert found["status"] == "does_not_fit"
    assert "memory" in found["reason"]
    assert found["predicted_total_tok_s_per_gpu"] == ""


def test_a_platform_without_facts_enough_is_unsupported_with_a_reason() -> None:
    found = answer([{**ROW, "accelerator": "cerebras-wse3", "engine": ""}])[0]
    assert found["status"] == "unsupported"
    assert found["reason"]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"accelerator": "b200"}, "nearest is 'b200-hgx'"),
        ({"isl": "-5"}, "'isl'"),
        ({"isl": "many"}, "not a number"),
        ({"date": "yesterday"}, "ISO date"),
        ({"weight_precision": "fp5"}, "unknown weight_precision"),
    ],
)
def test_a_bad_cell_names_its_row_and_column(change: dict[str, str], wanted: str) -> None:
    with pytest.raises(InputError, match=wanted):
        answer([{**ROW, **change}])


def test_one_bad_row_leaves_the_others_their_answers() -> None:
    rows = [ROW, {**ROW, "isl": "many"}, ROW, {**ROW, "accelerator": "nothing"}]
    found = answer_each(rows, ["", "", "4 cells", ""])
    assert [row["status"] for row in found] == ["ok", "refused", "refused", "refused"]
    assert found[0] == answer([ROW])[0]
    assert found[1]["reason"] == "column 'isl': 'many' is not a number"
    assert found[2]["reason"] == "4 cells"
    assert "unknown accelerator" in found[3]["reason"]


def test_what_was_served_is_told() -> None:
    given, searched = answer([ROW, {**ROW, "concurrency": "", "tp": "", "ep": ""}])
    assert given["served_as"] == "aggregated, TP8, 8 GPUs"
    assert float(given["served_concurrency"]) == 64
    assert float(searched["served_concurrency"]) > 64
    assert searched["served_as"].startswith("aggregated, ")


def rated(**change: str) -> dict[str, str]:
    return answer_each([{**ROW, "gpus": "8", "length_draw": "", "concurrency": "", **change}], [""])[0]


@pytest.mark.parametrize("rate", [0.5, 2.0, 8.0])
def test_a_request_rate_is_the_throughput_and_little_s_law_its_load(rate: float) -> None:
    found = rated(request_rate=f"{rate}")
    assert float(found["predicted_total_tok_s_per_gpu"]) == pytest.approx(rate * 2048 / 8, rel=1e-3)
    # L = rate x (first token + 1,023 more), with the medians of the same row
    seconds = float(found["predicted_ttft_ms"]) / 1e3 + 1023 / float(found["predicted_tok_s_per_user"])
    assert float(found["served_concurrency"]) == pytest.approx(rate * seconds, rel=0.1)


def test_a_rate_of_less_than_one_request_in_flight_leaves_the_gpus_idle() -> None:
    one = rated(concurrency="1")
    idle = rated(request_rate="0.001")
    assert idle["predicted_tok_s_per_user"] == one["predicted_tok_s_per_user"]
    assert float(idle["predicted_total_tok_s_per_gpu"]) == pytest.approx(0.001 * 2048 / 8, rel=1e-4)
    assert 0 < float(idle["served_concurrency"]) < 1


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"request_rate": "9999"}, "more than this deployment serves: at most"),
        ({"request_rate": "-1"}, "not above 0"),
        ({"request_rate": "fast"}, "not a number"),
        ({"request_rate": "1", "tp": ""}, "needs tp and gpus"),
        ({"concurrency": "64", "prefix_cache_hit": "80"}, "0.8 meant"),
        ({"concurrency": "64", "prefix_cache_hit": "-0.1"}, "non-negative"),
    ],
)
def test_a_rate_or_share_that_cannot_be_is_refused(change: dict[str, str], wanted: str) -> None:
    found = rated(**change)
    assert found["status"] == "refused"
    assert wanted in found["reason"]


def test_a_rate_waits_where_the_client_sends_no_more_at_once() -> None:
    assert rated(request_rate="9999", concurrency="64") == rated(concurrency="64")
    assert rated(request_rate="inf", concurrency="64") == rated(concurrency="64")


def test_write_keeps_columns_and_order(tmp_path: Path) -> None:
    rows = [{**ROW, "point_id": str(i)} for i in range(3)]
    header = ["point_id", *ROW]
    path = tmp_path / "out.csv"
    write_answers(path, header, rows, answer(rows))
    with open(path, newline="") as handle:
        written = list(csv.DictReader(handle))
    assert [row["point_id"] for row in written] == ["0", "1", "2"]
    assert list(written[0]) == [*header, *ADDED_COLUMNS]
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


def test_one_row_is_answered_without_heavy_imports(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n")
    code = (
        "import sys; from rackecon.cli import main; sys.argv=['rackecon','predict',{!r},'--output',{!r}]\n"
        "try:\n main()\nexcept SystemExit as end:\n assert not end.code\n"
        "assert not {{'pandas','scipy','altair'}} & set(sys.modules)".format(str(path), str(tmp_path / "out.csv"))
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_reports_a_fault_in_one_line_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("accelerator,model,weight_precision,isl,osl\nh100-sxmm,deepseek-r1,fp8,1024,1024\n")
    out = tmp_path / "out.csv"
    out.write_text("earlier")
    code = f"import sys; from rackecon.cli import main; sys.argv=['rackecon','predict',{str(path)!r},'--output',{str(out)!r}]; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "points.csv row 2: accelerator 'h100-sxmm' is not in the catalogue" in done.stderr
    assert out.read_text() == "earlier"
