"""``rackecon report``: parameters are refused in one line before a kernel starts, and nothing committed is touched."""

from __future__ import annotations

import gc
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rackecon import cli
from rackecon.press.run import FAILED

ROOT = Path(__file__).resolve().parents[1]
RACKECON = [sys.executable, "-c", "from rackecon.cli import main; main()"]


TWO = ["-p", "accelerators", '["h100-sxm", "gb200-nvl72"]']
"""Platforms of a page that is made to see what happens to files: two are made sooner than seven."""
UNCHECKED = "from rackecon.appraisal import parameters; parameters.impossible = lambda values: ''; "
"""Lets through what is refused before any kernel, so that a cell fails."""


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RACKECON, *words], check=False, capture_output=True, text=True, cwd=cwd or ROOT)


@pytest.fixture
def refused(monkeypatch, capfd):
    """Status of a command and what it says: called here, as the process that would be started calls it."""
    monkeypatch.setattr(gc, "freeze", lambda: None)  # this process does not end with the command
    monkeypatch.chdir(ROOT)

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["rackecon", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capfd.readouterr().err

    return call


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
def test_a_bad_parameter_is_one_line_with_what_is_allowed(refused, words, expected):
    code, said = refused("report", "03_context_length", *words, "--name", "bad")
    assert code == 2
    assert len(said.strip().splitlines()) == 1
    assert all(part in said for part in expected), said
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
def test_a_bad_call_is_one_line(refused, words, expected):
    code, said = refused(*words)
    assert code == 2
    assert expected in said
    assert "Traceback" not in said


def test_a_command_ends_with_its_status_and_one_line():
    done = run("report", "03_contxt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rackecon: notebooks/: unknown notebook '03_contxt': nearest is '03_context_length'")
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def own_run():
    """Folder of a run of one's own, with the digests of every committed report before it."""
    before = digests()
    target = ROOT / "reports" / "runs" / "test-own"
    try:
        done = run("report", "03_context_length", *TWO, "-p", "isl_tokens", "131072", "--name", target.name)
        assert done.returncode == 0, done.stderr
        yield target, before
    finally:
        shutil.rmtree(target, ignore_errors=True)


@pytest.mark.slow
def test_a_run_of_ones_own_leaves_every_committed_report_alone(own_run):
    target, before = own_run
    page = (target / "03_context_length.html").read_text()
    assert "131,072" in page
    assert (target / "run.json").is_file()
    assert digests() == before
    again = run("report", "--from", target.name, "--name", target.name)
    assert again.returncode == 0, again.stderr
    assert (target / "03_context_length.html").read_text() == page


@pytest.mark.slow
def test_a_failed_notebook_names_cell_and_error_and_leaves_the_good_report(own_run):
    target, before = own_run

    def standing() -> dict[str, bytes]:
        files = (path for path in target.rglob("*") if path.is_file() and not path.name.startswith((".", FAILED)))
        return {str(path.relative_to(target)): path.read_bytes() for path in files}

    good = standing()
    words = ["report", "03_context_length", *TWO, "-p", "isl_tokens", "1000000", "--name", target.name]
    command = [sys.executable, "-c", UNCHECKED + RACKECON[-1], *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "03_context_length: cell" in done.stderr
    assert done.stdout == "0 of 1 pages\n"
    assert {"03_context_length.html", "index.html", "run.json", "results/03_context_length.csv"} <= good.keys()
    assert standing() == good, "a run of which nothing came changes no page, list of pages or record"
    assert digests() == before


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
