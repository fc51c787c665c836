"""A run's record holds every value, and says what a repetition would not have in common with it."""

from __future__ import annotations

import json

import pytest

from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.catalog.paths import table_digests
from rackecon.errors import InputError
from rackecon.press.record import changed_since, read_record, run_results, write_record
from rackecon.press.results import write_results

NAME = "03_context_length"


def test_every_value_is_kept_given_or_not(tmp_path):
    write_record(tmp_path, [NAME], {"utilisation": 0.4}, table_digests())
    record = read_record(tmp_path, str(tmp_path))
    declared = read_parameters(notebook_path(NAME))
    assert set(record["values"][NAME]) == set(declared)
    assert record["values"][NAME]["utilisation"] == 0.4
    assert record["values"][NAME]["isl_tokens"] == declared["isl_tokens"].default
    assert changed_since(record) == []


def test_a_changed_default_version_or_table_is_named(tmp_path):
    write_record(tmp_path, [NAME], {"utilisation": 0.4}, table_digests())
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    record["values"][NAME]["isl_tokens"] = 77
    record["version"] = "0.0.1"
    record["data"]["prices"] = "0" * 12
    lines = changed_since(record)
    assert lines[0].startswith("version 0.0.1")
    assert lines[1].startswith(f"{NAME} isl_tokens was 77")
    assert lines[2:] == ["data of prices"]


def test_the_record_holds_the_digest_of_the_results_and_the_report_goes_by_its_name(tmp_path):
    reports = tmp_path / "reports"
    write_results(reports, NAME, {"a": ("1", "-")})
    write_record(reports, [NAME], {}, table_digests())
    record = read_record(reports / "runs", "reports")
    assert list(record["results"]) == [NAME]
    assert run_results(reports / "runs", "reports") == {f"{NAME} a": ("1", "-")}
    write_results(reports, NAME, {"a": ("2", "-")})
    write_record(reports, [NAME], {}, table_digests())
    assert read_record(reports / "runs", "reports")["results"] != record["results"]


def test_no_record_says_that_pages_are_of_tables_that_changed_while_they_were_made(tmp_path):
    write_record(tmp_path, [NAME], {}, table_digests())
    with pytest.raises(InputError, match="data of prices changed while the pages were made"):
        write_record(tmp_path, [NAME], {}, table_digests() | {"prices": "0" * 12})
    assert not (tmp_path / "run.json").exists()
