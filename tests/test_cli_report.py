"""``rackecon report``: parameters are refused in one line before a kernel starts, and nothing committed is touched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RACKECON = [sys.executable, "-c", "from rackecon.cli import main; main()"]


TWO = ["-p", "accelerators", '["h100-sxm", "gb200-nvl72"]']
"""Platforms of a page that is made to see what happens to files: two are made sooner than seven."""
UNCHECKED = "from rackecon.appraisal import parameters; parameters.impossible = lambda values: ''; "
"""Lets through what is refused before any kernel, so that a cell fails."""


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RACKECON, *words], check=False, capture_output=True, text=True, cwd=cwd or ROOT)


def digests() -> dict[str, str]:
    files = [p for p in (ROOT / "reports").rglob("*") if p.is_file() and "runs" not in p.parts]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-p", "isl_tokn", "5"], ["unknown parameter 'isl_tokn'", "nearest is 'isl_tokens'"]),
        (["-p", "isl_tokens", "-5"], ["isl_tokens -5 is out of range", "1 to 1,048,576 tokens"]),
        (["-p", "isl_tokens", "many"], ["isl_tokens 'many' is not a number"]),
        (["-p", "accelerators", '["h100-sxn"]'], ["unknown accelerator 'h100-sxn'", "nearest is 'h100-sxm'"]),
        (["-p", "accelerators", "h100-sxm"], ["accelerators 'h100-sxm' is not a list"]),
        (["-p", "model", "gpt-oss-12b"], ["unknown model 'gpt-oss-12b'", "gpt-oss-120b"]),
        (["-p", "utilisation", "1.5"], ["utilisation 1.5 is out of range"]),
        (["-p", "isl_tokens", "2.5"], ["isl_tokens 2.5 is not a whole number"]),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else str(v),
)
def test_a_bad_parameter_is_one_line_with_what_is_allowed(words, expected):
    done = run("report", "03_context_length", *words, "--name", "bad")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(part in done.stderr for part in expected), done.stderr
    assert not (ROOT / "reports" / "runs" / "bad").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["report", "03_contxt"], "unknown notebook '03_contxt': nearest is '03_context_length'"),
        (["report", "03_context_length", "-p", "isl_tokens", "4096"], "need --name RUN"),
        (["report", "12_uncertainty", "--name", "x", "-p", "draws", "1000"], "not a power of two; nearest is 1024"),
        (["report", "--name", "../out"], "--name '../out'"),
        (["report", "--from", "nosuchrun"], "unknown run 'nosuchrun'"),
        (["reprt"], "reprt"),
        (["report", "-f", "missing.yaml", "--name", "x"], "missing.yaml: no such file"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_bad_call_is_one_line(words, expected):
    done = run(*words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_run_of_ones_own_leaves_every_committed_report_alone():
    import shutil

    before = digests()
    target = ROOT / "reports" / "runs" / "test-long"
    try:
        done = run("report", "03_context_length", *TWO, "-p", "isl_tokens", "131072", "--name", "test-long")
        assert done.returncode == 0, done.stderr
        page = (target / "03_context_length.html").read_text()
        assert "131,072" in page
        assert (target / "run.json").is_file()
        assert digests() == before
        again = run("report", "--from", "test-long", "--name", "test-long")
        assert again.returncode == 0, again.stderr
        assert (target / "03_context_length.html").read_text() == page
    finally:
        shutil.rmtree(target, ignore_errors=True)


@pytest.mark.slow
def test_a_failed_notebook_names_cell_and_error_and_leaves_the_good_report():
    import shutil

    target = ROOT / "reports" / "runs" / "test-fail"
    words = ["report", "03_context_length", *TWO, "--name", "test-fail"]
    try:
        assert run(*words, "-p", "isl_tokens", "4096").returncode == 0
        good = (target / "03_context_length.html").read_text()
        command = [sys.executable, "-c", UNCHECKED + RACKECON[-1], *words, "-p", "isl_tokens", "1000000"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 1
        assert "03_context_length: cell" in done.stderr
        assert (target / "03_context_length.html").read_text() == good
    finally:
        shutil.rmtree(target, ignore_errors=True)


@pytest.mark.slow
def test_plain_papermill_works_from_another_folder_and_refuses_a_misspelt_name(tmp_path):
    source = ROOT / "notebooks" / "09_cost.ipynb"
    command = [sys.executable, "-W", "ignore", "-m", "papermill", str(source), "out.ipynb", "--no-progress-bar"]
    good = subprocess.run(
        [*command, "-p", "horizon_years", "5"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert good.returncode == 0, good.stderr[-800:]
    bad = subprocess.run(
        [*command, "-p", "horizon_year", "5"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert bad.returncode != 0
    assert "unknown parameter 'horizon_year'; nearest is 'horizon_years'" in bad.stderr
