"""``rackecon frontier``: a table, a file, a reason, one line for a fault."""

import csv

import pytest
from typer.testing import CliRunner

from rackecon.cli import app
from rackecon.errors import InputError

RUN = CliRunner()
BASE = ["frontier", "--accelerator", "h200-sxm", "--model", "llama-3.3-70b", "--isl", "1024", "--osl", "1024"]


def test_table_file_and_explanation(tmp_path):
    target = tmp_path / "front.csv"
    done = RUN.invoke(app, [*BASE, "--csv", str(target), "--explain"])
    assert done.exit_code == 0, done.output
    assert "tok_s_per_user" in done.output
    assert "trtllm-serve" in done.output
    with open(target, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) > 5
    for name in ("layout", "total_tok_s_per_gpu", "total_tok_s_per_gpu_low", "cost_usd_per_mtok_total"):
        assert float(rows[0][name]) > 0 if name != "layout" else rows[0][name]


def test_no_layout_is_a_reason_and_status_one():
    done = RUN.invoke(app, [*BASE, "--tpot-limit-ms", "0.1"])
    assert done.exit_code == 1
    assert "no layout reaches" in done.output


def test_a_fault_leaves_no_file(tmp_path):
    target = tmp_path / "front.csv"
    done = RUN.invoke(app, [*BASE[:2], "h2000", *BASE[3:], "--csv", str(target)])
    assert isinstance(done.exception, InputError)
    assert not target.exists()


@pytest.mark.parametrize("option", [["--weight-precision", "fp7"], ["--mode", "both"], ["--isl", "-1"]])
def test_faults_in_options(option):
    assert isinstance(RUN.invoke(app, [*BASE, *option]).exception, InputError)
