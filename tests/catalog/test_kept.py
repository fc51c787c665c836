"""Results kept for the pages of one report: made once, never a wrong or damaged one, and never in the way."""

from __future__ import annotations

import importlib
import os
import sqlite3
import threading

import numpy as np
import pytest

from rackecon import catalog
from rackecon.catalog import read_rows
from rackecon.catalog.assumption_table import allowed_values
from rackecon.catalog.cached import by_data, data_stamp, one_state
from rackecon.catalog.kept import FOLDER, REMEMBERED, SHELF, _packed, digest_of, kept, shelved
from rackecon.catalog.paths import noted_tables, table_names
from rackecon.claims import assess, claim
from rackecon.load.agentic import _agentic_front
from rackecon.pages import claims_page


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "kept"))
    return tmp_path / "kept"


def files(folder):
    return [path for path in folder.iterdir() if path.suffix != ".lock"]


def never():
    raise AssertionError("made again")


def test_made_once_for_each_key_and_state_of_the_tables(folder, tmp_path, monkeypatch):
    assert kept("sum", (1, 2), lambda: 3) == 3
    assert kept("sum", (1, 2), never) == 3
    assert kept("sum", (1, 3), lambda: 4) == 4
    assert kept("other", (1, 2), lambda: 5) == 5
    own = tmp_path / "own"
    own.mkdir()
    (own / "prices.csv").write_text("provider\n", encoding="utf-8")
    monkeypatch.setenv("RACKECON_USER_DATA", str(own))
    assert kept("sum", (1, 2), lambda: 6) == 6


def test_a_process_without_a_folder_remembers_until_a_table_changes(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("RACKECON_USER_DATA", str(own))
    assert kept("racks", tmp_path.name, lambda: len(read_rows("racks"))) > 0
    with noted_tables() as tables:
        assert kept("racks", tmp_path.name, never) > 0
        assert "racks" in tables
    (own / "racks.csv").write_text("racks_id\n", encoding="utf-8")
    assert kept("racks", tmp_path.name, lambda: -1) == -1


def test_a_process_remembers_no_more_than_so_many(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    for one in range(REMEMBERED + 1):
        kept("one", (tmp_path.name, one), lambda one=one: one)
    assert kept("one", (tmp_path.name, REMEMBERED), never) == REMEMBERED
    assert kept("one", (tmp_path.name, 0), lambda: -1) == -1


def test_what_cannot_be_written_is_remembered_beside_a_folder(folder):
    assert kept("call", folder.parent.name, lambda: never, disk=False) is never
    assert kept("call", folder.parent.name, never, disk=False) is never
    assert not folder.exists()


def test_a_value_without_a_text_of_its_own_is_not_kept(folder):
    assert [kept("sum", object(), lambda value=value: value) for value in (1, 2)] == [1, 2]
    assert not folder.exists()


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 200, None])
def test_a_damaged_file_is_made_again(folder, damage):
    kept("sum", 1, lambda: [1.0] * 50)
    (path,) = files(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?" if damage is None else damage)
    assert kept("sum", 1, lambda: "again") == "again"
    assert kept("sum", 1, never) == "again"


class Hostile:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize(
    "call", [os.mkdir, importlib.import_module("rackecon.catalog.written").write_file, eval, np.save, np.loadtxt]
)
def test_a_file_that_somebody_put_there_runs_nothing(folder, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    kept("sum", 1, lambda: 3)
    (path,) = files(folder)
    words = (
        ("__import__('os').mkdir('gone')",) if call is eval else ("gone", "x") if call is not os.mkdir else ("gone",)
    )
    path.write_bytes(_packed((Hostile(call, *words), [])))
    assert kept("sum", 1, lambda: "made again") == "made again"
    assert not list(tmp_path.glob("gone*"))


def test_arrays_and_records_come_back(folder):
    first = kept("values", 1, lambda: ([{"a": np.arange(3.0), "b": np.array(["x", "yy"])}], allowed_values()["pue"]))
    again = kept("values", 1, never)
    assert again[1] == first[1]
    assert np.array_equal(again[0][0]["a"], first[0][0]["a"])
    assert again[0][0]["b"].tolist() == ["x", "yy"]


def test_of_two_that_want_it_at_once_one_makes_it(folder):
    made, begun = [], threading.Event()

    def slow():
        made.append(1)
        begun.set()
        threading.Event().wait(0.3)
        return len(made)

    first = threading.Thread(target=kept, args=("sum", 1, slow))
    first.start()
    begun.wait(5.0)
    assert kept("sum", 1, slow) == 1
    first.join()
    assert made == [1]


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(FOLDER, str(tmp_path / "file" / "kept"))
    assert kept("sum", 1, lambda: 3) == 3


def test_no_temporary_file_stays(folder):
    kept("sum", 1, lambda: 3)
    assert all(not name.startswith(".") for name in os.listdir(folder))


def test_a_taken_result_counts_as_reading_its_tables(folder):
    with noted_tables() as first:
        kept("racks", 1, lambda: len(read_rows("racks")))
        assert first == {"racks"}
    with noted_tables() as second:
        kept("racks", 1, never)
        assert second == {"racks"}


@by_data()
def racks_known():
    return len(read_rows("racks"))


def test_a_result_counts_as_reading_what_it_took_from_memory_too_and_nothing_read_before(folder):
    racks_known()
    with noted_tables() as tables:
        read_rows("power")
        kept("racks", 2, racks_known)
        assert tables == {"power", "racks"}
    with noted_tables() as tables:
        assert kept("racks", 2, never) == racks_known()
        assert tables == {"racks"}


@pytest.mark.slow
def test_what_pages_share_rests_on_the_same_tables_whatever_was_read_before():
    one = claim("gb200-75m")
    makes = {
        "claims": lambda: assess(one),
        "cards": lambda: claims_page._card(assess(one)),
        "agents": lambda: _agentic_front("h200-sxm", "gpt-oss-120b", True, None, None, None),
    }
    first = {name: noted(make) for name, make in makes.items()}
    for name in table_names():
        catalog.table(name)
    again = {name: noted(make) for name, make in reversed(makes.items())}
    assert first == again
    assert min(map(len, first.values())) > 5


def noted(make):
    with noted_tables() as tables:
        make()
        return set(tables)


def squares(made):
    def make(numbers):
        made.extend(numbers)
        return [float(i * i) for i in numbers]

    return make


def test_of_many_small_results_those_that_lie_there_are_taken(folder):
    made = []
    assert shelved("squares", ["0", "1"], squares(made)) == [0.0, 1.0]
    assert shelved("squares", ["1", "0", "2"], lambda some: [("new", i) for i in some]) == [1.0, 0.0, ("new", 2)]
    assert shelved("others", ["0"], squares(made)) == [0.0]
    assert made == [0, 1, 0]


def test_small_results_are_made_again_when_a_table_changes_and_without_a_folder(folder, tmp_path, monkeypatch):
    made = []
    shelved("squares", ["0"], squares(made))
    own = tmp_path / "own"
    own.mkdir()
    (own / "prices.csv").write_text("provider\n", encoding="utf-8")
    monkeypatch.setenv("RACKECON_USER_DATA", str(own))
    shelved("squares", ["0"], squares(made))
    monkeypatch.delenv(FOLDER)
    shelved("squares", ["0"], squares(made))
    shelved("squares", ["0"], squares(made))
    assert made == [0, 0, 0, 0]


@pytest.mark.parametrize("damage", ["a value", "a hostile value", "the file"])
def test_a_damaged_shelf_is_no_fault_and_runs_nothing(folder, tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    shelved("squares", ["0"], lambda some: [1.0])
    packed = _packed((Hostile(os.mkdir, "gone"),))
    with sqlite3.connect(folder / SHELF) as other:
        if damage == "a value":
            other.execute("UPDATE shelf SET value = substr(value, 1, length(value) - 1)")
        elif damage == "a hostile value":
            other.execute("UPDATE shelf SET value = ?", (packed,))
        else:
            other.execute("DROP TABLE shelf")
    other.close()
    assert shelved("squares", ["0"], lambda some: [2.0]) == [2.0]
    assert not (tmp_path / "gone").exists()


def test_values_of_arrays_and_records_are_told_apart():
    record = allowed_values()["pue"]
    assert digest_of((record, np.arange(4.0)[::2])) == digest_of((record, np.array([0.0, 2.0])))
    assert len({digest_of(x) for x in (0.0, np.float64(0.0), np.zeros(1), np.arange(2000.0), np.zeros(2000))}) == 5


def test_one_state_is_held_by_its_own_thread_alone(tmp_path, monkeypatch):
    """A page of one thread that has looked at the tables hides no edit from a page of another."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("RACKECON_USER_DATA", str(own))
    seen = []
    with one_state():
        before = data_stamp()
        (own / "prices.csv").write_text("provider\n", encoding="utf-8")
        other = threading.Thread(target=lambda: seen.append(data_stamp()))
        other.start()
        other.join()
        assert data_stamp() == before
    assert seen == [data_stamp()]
    assert seen != [before]
