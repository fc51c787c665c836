"""A new notebook passes the checks; two runs and two sweeps are compared in parameters and results."""

from __future__ import annotations

import json

import pytest
from not_shown import leftovers
from typer.testing import CliRunner

from rackecon.appraisal import parameters
from rackecon.appraisal.parameters import notebooks_dir, read_parameters, validate
from rackecon.cli import app
from rackecon.errors import InputError
from rackecon.press.results import write_results
from rackecon.press.run import report_names
from rackecon.sweeps.sweep import sweep

GRID = "{fixed: {accelerator: h100-sxm, model: gpt-oss-20b, isl_tokens: 1000, osl_tokens: 500, price_factor: %s}, grid: {utilisation: [0.5, 0.6]}}"


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    source = notebooks_dir() / "template.ipynb"
    (folder / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(parameters, "notebooks_dir", lambda: folder)
    return folder


def test_template_is_no_report():
    assert "template" not in report_names()


def test_new_notebook_is_clean_declares_its_parameters_and_names_itself(notebooks):
    done = CliRunner().invoke(app, ["new", "20_batch_size"])
    assert done.exit_code == 0
    path = notebooks / "20_batch_size.ipynb"
    made = json.loads(path.read_text(encoding="utf-8"))
    assert leftovers(made) == []
    declared = read_parameters(path)
    assert validate("20_batch_size", declared, {item.name: item.default for item in declared.values()}) == []
    code = "".join("".join(cell["source"]) for cell in made["cells"])
    assert code.count('"20_batch_size"') == 3
    assert '"template"' not in code


@pytest.mark.parametrize("name", ["batch", "2_batch", "20_Batch", "20_../../x", "20_batch_size.ipynb"])
def test_name_of_another_form_is_refused(notebooks, name):
    done = CliRunner().invoke(app, ["new", name])
    assert isinstance(done.exception, InputError)
    assert len(list(notebooks.iterdir())) == 1


def test_taken_number_is_refused(notebooks):
    CliRunner().invoke(app, ["new", "20_batch_size"])
    done = CliRunner().invoke(app, ["new", "20_other"])
    assert "taken by 20_batch_size" in str(done.exception)


def run_folder(folder, value, rows):
    folder.mkdir()
    record = {"version": "0.1.0", "notebooks": ["20_x"], "parameters": {"utilisation": value}, "data": {"prices": "aa"}}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    if rows:
        write_results(folder, "20_x", rows)


def compared(first, second):
    return CliRunner().invoke(app, ["compare", str(first), str(second)])


def test_runs_are_compared_in_parameters_and_results(tmp_path):
    same, lost = {"b200/profit": ("9", "USD")}, {"l40s/profit": ("", "USD")}
    run_folder(tmp_path / "a", 0.5, same | {"h100/profit": ("1.5", "USD"), "lead": ("B200", "text")})
    run_folder(tmp_path / "b", 0.6, same | lost | {"h100/profit": ("2.5", "USD"), "lead": ("H100", "text")})
    done = compared(tmp_path / "a", tmp_path / "b")
    assert "utilisation: A 0.5, B 0.6" in done.output
    assert "data: 0 differ" in done.output
    assert "results: 3 of 4 differ" in done.output
    assert "20_x h100/profit\n    A 1.5 USD\n    B 2.5 USD (+66.7 %)\n" in done.output
    assert "20_x lead\n    A B200\n    B H100\n" in done.output
    assert "20_x l40s/profit\n    A absent\n    B none\n" in done.output


def test_a_run_without_results_and_a_record_of_another_kind_are_one_line(tmp_path):
    run_folder(tmp_path / "a", 0.5, {})
    assert "no results in a/results/; run it again" in str(compared(tmp_path / "a", tmp_path / "a").exception)
    for text in ("[]", "null", "{}", "[" * 100_000):
        (tmp_path / "a" / "run.json").write_text(text, encoding="utf-8")
        done = compared(tmp_path / "a", tmp_path / "a")
        assert str(done.exception) == "a/run.json: not a run record"


def test_sweeps_are_compared_in_points(tmp_path):
    for name, factor in (("a", 1), ("b", 2)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(GRID % factor, encoding="utf-8")
        sweep(path, tmp_path / f"{name}.parquet")
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")])
    line = next(line for line in done.output.splitlines() if "revenue_usd_per_gpu_hour" in line)
    assert line.split() == ["revenue_usd_per_gpu_hour", "2", "+100.000%", "+100.000%"]


def test_unknown_run_names_the_nearest(tmp_path):
    done = CliRunner().invoke(app, ["compare", "nothing-here", "nor-here"])
    assert isinstance(done.exception, InputError)
