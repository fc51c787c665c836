"""Forked kernels: the outputs of a fresh one, nothing of another's, and an end with the report that started them."""

from __future__ import annotations

import ast
import importlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import executed
import nbformat
import nbval.kernel
import papermill
import psutil
import pytest
from papermill.exceptions import PapermillExecutionError

from rackecon.press import forks, kernels, run

CELLS = (
    "import os, sys; value = 3\nprint('text')",
    "value",
    "from rackecon.notebook import note; note('a *note*')",
    "print(os.environ.get('RACKECON_MARK'), os.path.basename(os.getcwd()), file=sys.stderr)",
)


def notebook(tmp_path: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = tmp_path / "asked.ipynb"
    nbformat.write(made, path)
    return path


def outputs(path: Path, **options) -> list:
    there = path.parent / "here"
    there.mkdir(exist_ok=True)
    done = papermill.execute_notebook(
        str(path),
        None,
        progress_bar=False,
        kernel_name="python3",
        resources={"metadata": {"path": str(there)}},
        extra_arguments=["--log-level=ERROR"],
        **options,
    )
    return [cell["outputs"] for cell in json.loads(nbformat.writes(done))["cells"]]


@pytest.mark.slow
def test_a_forked_kernel_gives_what_a_fresh_one_gives(tmp_path, monkeypatch):
    monkeypatch.setenv("RACKECON_MARK", "set")
    path = notebook(tmp_path, *CELLS)
    forked = outputs(path, **kernels.kernels())
    assert forked == outputs(path)
    assert "".join(forked[3][0]["text"]) == "set here\n"


def test_a_kernel_holds_nothing_of_the_one_before(tmp_path):
    outputs(notebook(tmp_path, "import rackecon; rackecon.mark = 1"), **kernels.kernels())
    seen = outputs(notebook(tmp_path, "import rackecon; hasattr(rackecon, 'mark')"), **kernels.kernels())
    assert "".join(seen[0][0]["data"]["text/plain"]) == "False"


def test_no_table_counts_as_read_before_a_page_reads_it(tmp_path):
    seen = outputs(
        notebook(tmp_path, "from rackecon.catalog.paths import tables_read; sorted(tables_read())"), **kernels.kernels()
    )
    assert "".join(seen[0][0]["data"]["text/plain"]) == "[]"


def test_kernels_remember_what_the_summary_asks_first_and_count_its_tables_as_read_once_they_ask_too(tmp_path):
    cells = (
        "from rackecon.serving import frontier; from rackecon.catalog.paths import tables_read\n"
        "frontier.find_together = lambda queries: [1 / 0 for _ in queries]  # nothing is searched",
        "from rackecon.serving.frontier import search_case; from rackecon.catalog import scenario\n"
        "len(search_case('gb300-nvl72', 'gpt-oss-120b', scenario('rag-summarise'))) > 5",
        "{'measured_serving', 'serving_residual'} <= tables_read()",
        "import sys; 'narwhals._pandas_like.dataframe' in sys.modules  # as a chart that was drawn leaves it",
    )
    seen = outputs(notebook(tmp_path, *cells), **kernels.kernels())
    assert ["".join(one[0]["data"]["text/plain"]) for one in seen[1:]] == ["True", "True", "True"]


def test_whatever_is_wrong_beforehand_is_left_to_the_cell_that_needs_it(monkeypatch):
    done = []

    def broken():
        done.append("read")
        raise KeyError("model")

    monkeypatch.setattr(forks, "_read", broken)
    monkeypatch.setattr(forks, "_draw", lambda: done.append("drawn"))
    forks._prepare(("no_such_module",), True)
    assert done == ["read", "drawn"]
    forks._prepare((), False)
    assert done == ["read", "drawn"]


@pytest.mark.slow
def test_kernels_of_nbval_have_imported_what_others_wrote_and_of_the_library_the_forking_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(forks, "RUNNING", forks.Host())
    monkeypatch.setattr(forks, "HOST", executed.HOST)
    monkeypatch.setattr(nbval.kernel, "KernelManager", executed.ForkedKernel)
    kernel = nbval.kernel.RunningKernel(nbval.kernel.CURRENT_ENV_KERNEL_NAME, str(tmp_path))
    asked = {"seen": "[one for one in __import__('sys').modules if one.startswith(('rackecon', 'pandas.api.types'))]"}
    reply = kernel.kc.execute("", user_expressions=asked, reply=True, timeout=60)
    kernel.stop()
    seen = ast.literal_eval(reply["content"]["user_expressions"]["seen"]["data"]["text/plain"])
    assert "pandas.api.types" in seen
    assert {one for one in seen if one.startswith("rackecon")} == {
        "rackecon",
        "rackecon.threads",
        "rackecon.press",
        "rackecon.press.forks",
    }


@pytest.mark.slow
def test_a_page_alone_finds_what_every_page_uses_imported_and_a_second_one_all(tmp_path, monkeypatch):
    monkeypatch.setattr(forks, "RUNNING", forks.Host())
    forks.expect(1)
    path = notebook(tmp_path, "import sys; [name in sys.modules for name in ('pandas', 'scipy.stats', 'altair')]")
    seen = ["".join(outputs(path, **kernels.kernels())[0][0]["data"]["text/plain"]) for _ in range(2)]
    assert seen == ["[True, False, True]", "[True, True, True]"]


@pytest.mark.parametrize("pages", [1, 2])
def test_what_kernels_use_is_imported_before_a_page_asks(monkeypatch, pages):
    host = forks.Host()
    monkeypatch.setattr(forks, "RUNNING", host)
    forks.expect(pages)
    assert host._process is not None
    host._process.kill()
    host._process.wait()


def test_the_process_that_kernels_are_forked_from_is_started_without_anything_of_jupyter():
    code = (
        "import sys; from rackecon.press import run; print([one for one in sys.modules if one.startswith('jupyter')])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_modules_that_rendering_takes_are_there():
    for name in run.RENDERING:
        importlib.import_module(name)


def test_a_kernel_that_has_run_its_cells_ends_without_an_interrupt(tmp_path, monkeypatch):
    sent, send = [], kernels._Process.send_signal
    monkeypatch.setattr(kernels._Process, "send_signal", lambda self, number: (sent.append(number), send(self, number)))
    outputs(notebook(tmp_path, "1"), **kernels.kernels())
    assert sent == [signal.SIGKILL]


def test_a_failing_cell_is_the_same_fault(tmp_path):
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError"):
        outputs(notebook(tmp_path, "1 / 0"), **kernels.kernels())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_kernels_end_with_the_report(tmp_path, number):
    path = notebook(
        tmp_path, f"import os, time\nopen({str(tmp_path / 'pid')!r} + str(os.getpid()), 'w').close()\ntime.sleep(60)"
    )
    code = (
        "import sys; from pathlib import Path; from rackecon.press import forks, run\n"
        "forks.HOST = 'from rackecon.press.forks import host; host([\"ipykernel.ipkernel\"], reading=False)'\n"  # sooner forked than with all that pages use
        "run.notebook_path = lambda name: Path(sys.argv[1])\n"
        "list(run._each(['a', 'b', 'c'], 2, lambda name: run.execute(name, {}, sys.argv[2], [])))\n"
    )
    script = tmp_path / "report.py"  # a plain script, run as it stands: no kernel runs it again
    script.write_text(code, encoding="utf-8")
    report = subprocess.Popen([sys.executable, script, path, tmp_path / "out"], stderr=subprocess.DEVNULL)
    while len(seen := list(tmp_path.glob("pid*"))) < 2:
        assert report.poll() is None
        time.sleep(0.1)
    report.send_signal(number)
    assert report.wait(30) != 0
    kernels_of = [int(one.name.removeprefix("pid")) for one in seen]
    until = time.monotonic() + 20
    while any(psutil.pid_exists(one) for one in kernels_of) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(psutil.pid_exists(one) for one in kernels_of)
    assert len(list(tmp_path.glob("pid*"))) == 2


def test_a_kernel_whose_host_ended_while_it_imported_ends_too(tmp_path):
    """Whoever is its parent by then is not the host, and lives on."""
    connection = tmp_path / "kernel.json"
    code = (
        "import os, sys; from rackecon.press.forks import _become\n"
        "_become(os.getpid(), ['-f', sys.argv[1]], os.getcwd(), dict(os.environ))"
    )
    subprocess.run([sys.executable, "-c", code, connection], check=True, timeout=60)
    assert connection.is_file(), "it came as far as its sockets"
