"""The set-up files agree with each other, and importing the package stays light."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from faults import Case, run
from places import without_privileges

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(name: str) -> dict[str, str]:
    """Versions by name of a lock file."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, flags=re.M)
    return {normal(package): version for package, version in found}


@pytest.fixture(scope="module")
def lock_names() -> set[str]:
    return set(locked("requirements.lock"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert match is not None
    return normal(match.group())


def test_conda_environment_installs_the_lock_and_the_package_and_nothing_else():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == "rackecon"
    assert environment["dependencies"] == ["python=3.11", "pip", {"pip": ["-r requirements.lock", "-e ."]}]


def test_conda_python_satisfies_pyproject(pyproject):
    assert pyproject["project"]["requires-python"] == ">=3.11"


def test_lock_pins_every_direct_dependency(pyproject, lock_names):
    direct = pyproject["project"]["dependencies"] + pyproject["dependency-groups"]["dev"]
    missing = {requirement_name(item) for item in direct} - lock_names
    assert not missing


def test_lock_names_no_host_and_no_hash():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--hash" not in text
    assert not re.search(r"--(extra-)?index", text)


def test_the_lock_with_hashes_pins_the_same_and_names_no_host():
    text = (ROOT / "requirements.hashed.lock").read_text(encoding="utf-8")
    assert locked("requirements.hashed.lock") == locked("requirements.lock")
    assert "://" not in text
    assert not re.search(r"--(extra-)?index|--find-links", text)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.fullmatch(r"[^\\\n]+==[^\n]+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\\n)?)+", entry), entry[:80]


def test_makefile_installs_from_the_same_two_entries():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-r requirements.lock -e ." in makefile


def test_ci_runs_the_test_command_of_the_readme():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("make lint", "make test", "make test-browser"):
        assert command in ci
    assert "make test" in readme


def test_gitignore_does_not_swallow_the_library():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert "lib/" not in ignored
    assert "lib" not in ignored


@pytest.mark.parametrize("module", ["pandas", "scipy", "altair", "papermill", "frictionless", "pydantic"])
def test_importing_the_package_loads_nothing_heavy(module):
    code = f"import sys, rackecon; sys.exit({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == 0


def test_readme_shows_the_figures_on_record():
    place = ROOT / "tests" / "benchmarks"
    found = importlib.util.spec_from_file_location("record", place / "record.py")
    record = importlib.util.module_from_spec(found)
    found.loader.exec_module(record)
    with open(place / "figures.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert record.MARKS[0] + record.table(rows) + record.MARKS[1] in text
    assert {row["key"] for row in rows} - {""} == {*record.MEASURED, *record.LONG}


@pytest.fixture(scope="module")
def installed(tmp_path_factory, pyproject):
    """The package as a wheel lays it out, without its checkout."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "lib" / "rackecon", site / "rackecon", ignore=shutil.ignore_patterns("__pycache__"))
    for source, target in pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"].items():
        shutil.copytree(ROOT / source, site / target)
    return site


def elsewhere(site, folder, *words, **environment):
    command = [sys.executable, "-c", "from rackecon.cli import main; main()", *words]
    given = os.environ | {"PYTHONPATH": str(site)} | environment
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=given)


def test_an_installed_package_has_its_notebooks_and_says_what_it_cannot(installed, tmp_path):
    listed = elsewhere(installed, tmp_path, "notebooks", "parameters").stdout.splitlines()
    assert {line.split("\t")[0] for line in listed} >= {path.stem for path in (ROOT / "notebooks").glob("0*.ipynb")}
    for words in (("new", "20_batch"), ("notebooks", "clean")):
        said = elsewhere(installed, tmp_path, *words).stderr
        assert (
            said
            == "rackecon: the notebooks of an installed package stay as they are: set RACKECON_NOTEBOOKS to a copy of them\n"
        )
    (tmp_path / "racks.csv").write_text("accelerator,gpus_per_rack,rack_it_kw\nl40s,8,10\n", encoding="utf-8")
    assert "set RACKECON_USER_DATA" in elsewhere(installed, tmp_path, "data", "add", "racks", "racks.csv").stderr
    assert [path.name for path in tmp_path.iterdir()] == ["racks.csv"]


@pytest.mark.slow
def test_an_installed_package_reports_into_the_current_folder_in_any_locale(installed, tmp_path):
    folder = tmp_path / "ä folder"
    folder.mkdir()
    words = ("report", "01_platforms_and_models", "--name", "first")
    done = elsewhere(installed, folder, *words, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    assert (folder / "reports" / "runs" / "first" / "01_platforms_and_models.html").is_file()
    assert not list(installed.rglob("reports"))


def test_a_checkout_that_cannot_be_written_answers_and_refuses_in_one_line(tmp_path):
    case = Case("report", ("report", "01_platforms_and_models"), lambda _: None, without_privileges)
    held = tmp_path / "reports"
    held.mkdir()
    held.chmod(0o555)
    ended = run(replace(case, environment={"RACKECON_REPORTS": str(held)}), tmp_path)
    assert (ended.code, len(ended.said.splitlines())) == (2, 1), ended.said
    assert "read-only" in ended.said
