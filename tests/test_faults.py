"""A seeded sample of what `make torture` tries in full: steps that fail, places that take no output, inputs that cannot be read."""

from __future__ import annotations

import random
from pathlib import Path

import faults
import places
import pytest
from commands import WRITERS

from rackecon.catalog.written import check_output, locked, whole_file, write_file
from rackecon.errors import InputError

CASES = {case.name: case for case in WRITERS}
SEED = 22
SAMPLED = 3
PREDICT = CASES["predict"]


@pytest.fixture(scope="module", autouse=True)
def warm():
    """Every forked command finds imported what it would import for itself, as in `make torture`."""
    faults.warm()


@pytest.mark.slow
@pytest.mark.parametrize("place", places.PLACES)
def test_an_output_goes_where_it_can_and_is_refused_in_one_line_where_it_cannot(tmp_path, place):
    assert places.placed(PREDICT, "out.csv", place, tmp_path / "work") == ""


@pytest.mark.slow
@pytest.mark.parametrize("place", places.FOLDER_PLACES)
def test_a_folder_of_outputs_is_refused_where_it_cannot_be(tmp_path, place):
    assert places.placed_folder(places.EDITION, "out", place, tmp_path / "work") == ""


@pytest.mark.parametrize("place", places.REPORT_PLACES)
def test_a_report_that_cannot_be_written_is_refused_before_it_is_made(tmp_path, place):
    assert places.placed_report(place, tmp_path / "work") == ""


@pytest.mark.parametrize("fault", places.UNREADABLE)
def test_an_input_that_cannot_be_read_is_one_line(tmp_path, fault):
    assert places.unreadable(CASES["data add costs"], "costs.csv", fault, tmp_path / "work") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["predict", "data add-workload", "sweep", "report"])
def test_a_step_that_fails_or_kills_loses_nothing(tmp_path, name):
    case = CASES[name]
    before = faults.files(faults.fresh(case, tmp_path / "work"))
    ended = faults.run(case, tmp_path / "work")
    good = faults.files(tmp_path / "work")
    assert ended.code == 0, ended.said
    every = list(faults.faults_of(case, ended.steps, most=1000))
    assert {fault.kind for fault in every} >= {"read", "create", "write", "fsync", "rename", "lock"}
    for fault in random.Random(SEED).sample(every, SAMPLED if name == "predict" else 1):
        assert faults.judged(case, tmp_path / "work", before, good, fault) == "", fault


def test_two_writers_of_one_file_each_write_it_whole(tmp_path):
    path = tmp_path / "out.csv"
    with whole_file(path) as handle:
        handle.write(b"first")
        assert not path.exists()
    write_file(path, "second")
    assert path.read_text(encoding="utf-8") == "second"
    assert [item.name for item in tmp_path.iterdir()] == ["out.csv"]


def test_what_a_writer_that_died_left_is_written_over(tmp_path):
    (tmp_path / ".out.csv.new").write_text("half of a much longer fi", encoding="utf-8")
    write_file(tmp_path / "out.csv", "whole")
    assert {item.name: item.read_text(encoding="utf-8") for item in tmp_path.iterdir()} == {"out.csv": "whole"}


def test_a_name_of_the_longest_kind_is_written(tmp_path):
    path = tmp_path / ("ä" * 127)  # 254 bytes
    write_file(path, "text")
    assert path.read_text(encoding="utf-8") == "text"
    with pytest.raises(InputError, match="File name too long"):
        check_output(tmp_path / ("ä" * 128))


def test_a_folder_in_use_is_said_to_be(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match="in use"), locked(tmp_path, "in use"):
        raise AssertionError


def test_an_output_beside_itself_stays_a_file_of_the_same_mode(tmp_path):
    path: Path = tmp_path / "out.csv"
    path.write_text("earlier", encoding="utf-8")
    path.chmod(0o600)
    write_file(path, b"later")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"later", 0o600)
