"""The committed notebooks and reports: clean sources, executed reports that equal a rebuild byte for byte.

Each notebook is executed twice. By the rebuild, with forked kernels and an older processor's instructions: every file is
the committed one, byte for byte, so that what is committed does not hang on the machine that made it; it takes nothing from
anything made before it. And by strict nbval over reports/, as a reader runs it, with fresh kernels and this processor's own
instructions, so that it does not hang on how its kernels were started either; what the rebuild has drawn and judged is
shared with it, as the pages of one report share it, and not drawn a second time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rackecon.appraisal.parameters import read_parameters, validate
from rackecon.catalog.kept import FOLDER
from rackecon.press.clean import leftovers
from rackecon.press.run import FIRST, longest_first, report_names

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
REPORTS = sorted((ROOT / "reports").glob("*.ipynb"))
MOST_LINES = 20


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


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Folder for what the rebuild works out and nbval shares."""
    return tmp_path_factory.mktemp("drawn")


@pytest.mark.slow
def test_rebuilding_gives_identical_files(tmp_path, drawn):
    code = (
        "import sys; from pathlib import Path; from rackecon.press.run import report_names, run_reports\n"
        "outcomes = run_reports(report_names(), {}, Path(sys.argv[1]), 2, force=True)\n"
        "sys.exit('; '.join(o.fault for o in outcomes if o.fault) or 0)\n"
    )
    script = tmp_path / "rebuild.py"
    script.write_text(code)
    target = tmp_path / "reports"
    older = {
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Nehalem",
        FOLDER: str(drawn),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(target)],
        check=False, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ) | older,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    different = [
        path.name
        for path in sorted(
            (
                *(ROOT / "reports").glob("*.ipynb"),
                *(ROOT / "reports").glob("*.html"),
                *(ROOT / "reports" / "assets").iterdir(),
                *(ROOT / "reports" / "api").iterdir(),
                *(ROOT / "reports" / "results").iterdir(),
            )
        )
        if (target / path.relative_to(ROOT / "reports")).read_bytes() != path.read_bytes()
    ]
    assert different == [], "run: make report, and commit reports/"


@pytest.mark.slow
def test_strict_nbval_with_fresh_kernels(drawn):
    environment = dict(os.environ) | {FOLDER: str(drawn)}
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "pytest",
        "--nbval",
        "--nbval-current-env",
        "--nbval-cell-timeout=600",
        f"--nbval-sanitize-with={ROOT / 'tests' / 'notebooks' / 'nbval_sanitize.cfg'}",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        *[str(ROOT / "reports" / f"{name}.ipynb") for name in longest_first(path.stem for path in REPORTS)],
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
