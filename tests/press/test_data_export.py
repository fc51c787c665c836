"""Every table and result as files for other programs: whole, typed, described, and only where a user wants them."""

import json
import os

import pandas as pd
import pyarrow.parquet as pq
import pytest
from frictionless import Package
from typer.testing import CliRunner

import rackecon
from rackecon.catalog.paths import data_dir, table_names
from rackecon.cli import app
from rackecon.errors import InputError
from rackecon.press.data_export import export_data, report_data, results
from rackecon.press.run import report_names, reports_dir


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "out"
    export_data(target)
    return target


def test_every_table_and_result_is_there_in_both_formats(folder):
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    stems = [*(f"tables/{name}" for name in table_names()), "results/results"]
    assert written == {"datapackage.json", *(f"{stem}.{end}" for stem in stems for end in ("csv", "parquet"))}


def test_the_description_names_every_column_of_every_file(folder):
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for item in package["resources"]:
        fields = [field["name"] for field in item["schema"]["fields"]]
        path = folder / item["path"]
        found = list(pd.read_csv(path, nrows=0)) if item["format"] == "csv" else pq.read_schema(path).names
        assert found == fields, item["path"]
        assert all(field["description"] for field in item["schema"]["fields"])


def test_the_csv_files_keep_to_their_schema(folder):
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    package["resources"] = [r for r in package["resources"] if r["name"] in ("costs", "power", "racks", "results")]
    report = Package.from_descriptor(package, basepath=str(folder)).validate()
    assert report.valid, report.to_summary()


def test_parquet_holds_the_same_numbers_with_units(folder):
    costs = pq.read_table(folder / "tables/costs.parquet")
    frame = rackecon.table("costs")
    assert costs.to_pandas()["value"].to_numpy() == pytest.approx(frame["value"].to_numpy(dtype=float), nan_ok=True)
    said = costs.schema.field("value").metadata
    assert said[b"description"].decode() == rackecon.dictionary("costs").loc["value", "description"]
    assert (
        pq.read_schema(folder / "tables/measured_serving.parquet").field("total_tok_s_per_gpu").metadata[b"unit"]
        == b"tok/s/GPU"
    )


def test_results_are_those_of_the_pages():
    page = results("12_uncertainty")
    assert set(page["page"]) == {"12_uncertainty"}
    assert page["number"].notna().sum() > 10
    assert page.loc[page["unit"] == "text", "number"].isna().all()
    assert set(results()["page"]) <= set(report_names())
    with pytest.raises(InputError, match=r"unknown page '09_costs': nearest is '09_cost'"):
        results("09_costs")


def test_a_dictionary_has_a_row_a_column_and_says_what_is_allowed():
    said = rackecon.dictionary("measured_serving")
    assert list(said.index) == list(rackecon.table("measured_serving").columns)
    assert said.loc["mode", "allowed"] == "aggregated, disaggregated, unstated"
    assert said.loc["isl", ["unit", "type"]].tolist() == ["tokens", "number"]
    with pytest.raises(InputError, match=r"unknown table 'cost': nearest is 'costs'"):
        rackecon.dictionary("cost")


def test_own_rows_are_exported_too(own, tmp_path):
    own.mkdir()
    (own / "costs.csv").write_text(
        "category,accelerator,basis,value,unit\nTCO $/GPU-hr (SemiAnalysis Jul-2026 model),l40s,own - hyperscaler,0.77,$/GPU-hr\n",
        encoding="utf-8",
    )
    export_data(tmp_path / "out")
    costs = pd.read_csv(tmp_path / "out/tables/costs.csv")
    assert 0.77 in costs.loc[costs["accelerator"] == "l40s", "value"].tolist()


def test_a_folder_that_is_not_the_users_is_refused_and_nothing_is_written(tmp_path):
    held = tmp_path / "held"
    held.mkdir()
    (held / "mine.txt").write_text("mine", encoding="utf-8")
    before = sorted(path.name for path in reports_dir().iterdir())
    for target, message in (
        (held, "holds something already"),
        (reports_dir() / "data", "which the program writes itself"),
        (data_dir() / "out", "which the program writes itself"),
        (tmp_path / "no" / "out", "does not exist"),
    ):
        done = CliRunner().invoke(app, ["data", "export", str(target)])
        assert message in str(done.exception), done.output
    assert [path.name for path in tmp_path.iterdir()] == ["held"]
    assert sorted(path.name for path in reports_dir().iterdir()) == before


def test_the_command_says_what_it_wrote(tmp_path):
    done = CliRunner().invoke(app, ["data", "export", str(tmp_path / "out")])
    assert done.exit_code == 0, done.exception
    assert f"{len(table_names())} tables" in done.output


def test_a_report_keeps_its_data_beside_it_and_leaves_it_alone_while_nothing_is_newer(tmp_path):
    """reports/data: the same files as an export, made again only when a published number changes."""
    (tmp_path / "results").mkdir()
    number = tmp_path / "results" / "09_cost.csv"
    number.write_text("key,value,unit\n", encoding="utf-8")
    assert report_data(tmp_path)
    made = {path.name for path in (tmp_path / "data" / "tables").iterdir()}
    assert made == {f"{name}.{end}" for name in table_names() for end in ("csv", "parquet")}
    assert not report_data(tmp_path)
    later = (tmp_path / "data" / "datapackage.json").stat().st_mtime + 5
    os.utime(number, (later, later))
    assert report_data(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".data")] == []
