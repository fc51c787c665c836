"""The committed notebooks and reports: clean sources, executed reports that equal a rebuild byte for byte.

Each notebook is executed once, by strict nbval over reports/, with an older processor's instructions, from nothing that was
made before and in a kernel that has imported nothing of the library (started afresh under `make torture`). What its cells gave
is then rendered as `make report` renders it, and every file is the committed one, byte for byte. The committed pages were made
by kernels that know the library and by a newer processor: that they are the same says that no page hangs on the machine, on how
its kernel was started or on what another left behind. Some pages are also executed again as `make report` executes them; all of
them under `make torture`.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from executed import FOLDER
from not_shown import leftovers
from thorough import THOROUGH

from rackecon.appraisal.parameters import read_parameters, validate
from rackecon.catalog.kept import FOLDER as KEPT
from rackecon.figures.renderer import renderer
from rackecon.press.run import FIRST, longest_first, report_names, run_reports

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
REPORTS = sorted((ROOT / "reports").glob("*.ipynb"))
MOST_LINES = 20
OLDER = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "OPENBLAS_CORETYPE": "Nehalem"}
FORKED = ("06_precision_and_software", "09_cost")
"""Pages that are also executed as `make report` does; `make torture` takes all."""


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_pages_that_are_begun_first_are_pages():
    assert longest_first(report_names())[: len(FIRST)] == list(FIRST)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_source_notebook_is_stripped(path):
    assert leftovers(load(path)) == [], "run: make clean-notebooks"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_source_notebook_declares_every_parameter_with_its_meaning_and_valid_default(path):
    declared = read_parameters(path)
    assert declared
    for item in declared.values():
        assert item.meaning, f"{item.name} has no comment"
    assert validate(path.stem, declared, {item.name: item.default for item in declared.values()}) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_source_cells_are_short_and_define_nothing(path):
    for cell in load(path)["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            assert len(lines) <= MOST_LINES
            assert not any(line.startswith(("def ", "class ")) for line in lines)


DONE = ("check_parameters", "display", "enable", "publish")
"""Calls made for what they do; a kernel shows what any other gives only where it is the last expression of its cell."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_nothing_made_to_be_shown_is_lost_inside_a_cell(path):
    for cell in load(path)["cells"]:
        if cell["cell_type"] == "code":
            body = ast.parse("".join(cell["source"])).body
            called = [one for one in ast.walk(ast.Module(body, [])) if isinstance(one, ast.Expr)]
            lost = [ast.unparse(one.value) for one in called if one is not body[-1] and isinstance(one.value, ast.Call)]
            assert [text for text in lost if text.split("(")[0].split(".")[-1] not in DONE] == []


def test_every_source_has_its_report():
    assert [path.stem for path in REPORTS] == report_names()
    for path in REPORTS:
        assert path.with_suffix(".html").is_file()
        assert (path.parent / "results" / f"{path.stem}.csv").is_file()
    assert (ROOT / "reports" / "index.html").is_file()


@pytest.mark.parametrize("path", REPORTS, ids=lambda p: p.stem)
def test_every_cell_was_executed_in_order_without_an_error(path):
    counts = []
    for cell in load(path)["cells"]:
        if cell["cell_type"] == "code":
            counts.append(cell["execution_count"])
            assert all(output["output_type"] != "error" for output in cell["outputs"])
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", REPORTS, ids=lambda p: p.stem)
def test_report_cells_equal_the_source(path):
    def cells(file: Path) -> list[tuple[str, str]]:
        return [
            (cell["cell_type"], "".join(cell["source"]))
            for cell in load(file)["cells"]
            if "injected-parameters" not in cell["metadata"].get("tags", [])
        ]

    assert cells(path) == cells(ROOT / "notebooks" / path.name)


@dataclass(frozen=True)
class Run:
    """How strict nbval went over reports/, and the folders of what cells gave and of what pages share."""

    done: subprocess.CompletedProcess[str]
    gave: Path
    shared: Path


def python(*words: object, **environment: object) -> subprocess.CompletedProcess[str]:
    here = {key: str(value) for key, value in environment.items()} | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-W", "ignore", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ) | here)


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Run:
    """Every page, executed once."""
    gave, shared = (tmp_path_factory.mktemp(name) for name in ("gave", "shared"))
    environment = OLDER | {FOLDER: gave, KEPT: shared, "PYTHONWARNINGS": "ignore"}
    options = [
        *("--disable-plugin-autoload", "-p", "nbval.plugin"),
        "--nbval",
        "--nbval-current-env",
        "--nbval-cell-timeout=600",
        f"--nbval-sanitize-with={ROOT / 'tests' / 'notebooks' / 'nbval_sanitize.cfg'}",
        *("-q", "-p", "executed", "-p", "no:cacheprovider"),
    ]
    if beside := (os.cpu_count() or 2) - 2:  # other tests keep one core busy, and a kernel another
        options += ["-p", "xdist.plugin", "-n", str(beside + 1), "--dist", "loadfile", "--no-loadscope-reorder"]
    pages = [ROOT / "reports" / f"{name}.ipynb" for name in longest_first(path.stem for path in REPORTS)]
    with renderer(tmp_path_factory.mktemp("renderer")):
        return Run(python("-m", "pytest", *options, *pages, **environment), gave, shared)


@pytest.fixture(scope="module")
def rebuilt(executed, tmp_path_factory) -> Path:
    """A whole report of what nbval saw, in a folder of its own."""
    target = tmp_path_factory.mktemp("rebuilt") / "reports"
    done = python(Path(__file__).with_name("executed.py"), executed.gave, target, **OLDER)
    assert done.returncode == 0, done.stderr[-2000:]
    return target


def different(target: Path, *patterns: str) -> list[str]:
    """Committed files that a folder does not hold with the same bytes."""
    files = sorted(path for pattern in patterns for path in (ROOT / "reports").glob(pattern))
    return [path.name for path in files if (target / path.relative_to(ROOT / "reports")).read_bytes() != path.read_bytes()]


@pytest.mark.slow
def test_strict_nbval_with_kernels_that_know_nothing_of_the_library(executed):
    assert executed.done.returncode == 0, executed.done.stdout[-3000:] + executed.done.stderr[-1000:]
    assert " passed" in executed.done.stdout


@pytest.mark.slow
def test_rebuilding_gives_identical_files(rebuilt):
    assert different(rebuilt, "*.ipynb", "*.html", "assets/*", "api/*", "results/*") == [], (
        "run: make report, and commit reports/"
    )


@pytest.mark.slow
def test_forked_kernels_with_the_instructions_of_this_processor_give_the_same(executed, rebuilt, monkeypatch):
    names = report_names() if THOROUGH else list(FORKED)
    monkeypatch.setenv(KEPT, str(executed.shared))
    for path in executed.shared.iterdir():
        if not path.name.startswith("short-lists"):  # draws are many; all else is worked out by this processor
            path.unlink()
    for name in names:
        (rebuilt / f"{name}.html").unlink()
    outcomes = run_reports(names, {}, rebuilt, 2, force=True)
    assert [one.fault for one in outcomes] == [""] * len(names)
    assert different(rebuilt, *(f"{name}.*" for name in names), *(f"results/{name}.csv" for name in names)) == []
