"""A page is made again when anything it is made of, or what it gave, has changed; else it is left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rackecon.press import run, stamps
from rackecon.press.run import Outcome, report_names, run_reports

PAGE, OTHER = "03_context_length", "04_prefill_decode_ratio"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Copies of everything that a page is made of, and a maker that only notes which pages it was asked for."""
    places = {name: tmp_path / name for name in ("notebooks", "data", "own", "library")}
    shutil.copytree(run.notebooks_dir(), places["notebooks"])
    for name in ("data", "own", "library"):
        places[name].mkdir()
        (places[name] / "part.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.setattr(stamps, "notebook_path", lambda name: places["notebooks"] / f"{name}.ipynb")
    monkeypatch.setattr(stamps, "data_dir", lambda: places["data"])
    monkeypatch.setattr(stamps, "user_dir", lambda: places["own"])
    monkeypatch.setattr(stamps, "LIBRARY", places["library"])
    monkeypatch.setattr(stamps, "_installed", lambda: ["numpy-2.0.dist-info"])
    asked: list[str] = []

    def execute(name, parameters, target, walk):
        asked.append(name)
        folder = Path(target)
        (folder / "results").mkdir(parents=True, exist_ok=True)
        for file in (f"{name}.html", f"results/{name}.csv"):
            (folder / file).write_text(f"{name} {sorted(parameters.items())}", encoding="utf-8")
        (folder / f"{name}.ipynb").write_text('{"cells": []}', encoding="utf-8")
        return Outcome(name, 0.1, "")

    monkeypatch.setattr(run, "execute", execute)
    monkeypatch.setattr(run, "_write_site", lambda *_, **__: None)
    monkeypatch.setattr(run, "kept_home", lambda: tmp_path / "kept")  # what the checkout's own pages share stays
    return tmp_path / "pages", places, asked


def again(made, names=(PAGE, OTHER), given=None, **options):
    target, _, asked = made
    asked.clear()
    outcomes = run_reports(list(names), given or {}, target, jobs=1, **options)
    assert [outcome.name for outcome in outcomes] == list(names)
    assert [outcome.name for outcome in outcomes if not outcome.kept] == asked
    return list(asked)


def test_nothing_changed_makes_nothing_and_force_makes_all(made):
    assert again(made) == [PAGE, OTHER]
    assert again(made) == []
    assert again(made, force=True) == [PAGE, OTHER]
    assert again(made) == []


def test_what_pages_of_another_state_shared_goes_but_in_a_report_of_everything(made, tmp_path):
    went = tmp_path / "kept" / "of-another-state"
    went.mkdir(parents=True)
    again(made, force=True)
    assert went.is_dir()
    made[1]["data"].joinpath("part.csv").write_text("a,b\n1,3\n", encoding="utf-8")
    again(made)
    assert not went.exists()


@pytest.mark.parametrize("place", ["data", "own", "library"])
@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_any_change_of_tables_own_rows_or_library_makes_every_page_again(made, place, change):
    again(made)
    folder = made[1][place]
    if change == "edited":
        (folder / "part.csv").write_text("a,b\n1,3\n", encoding="utf-8")
    elif change == "added":
        (folder / "new.csv").write_text("a\n", encoding="utf-8")
    else:
        (folder / "part.csv").unlink()
    assert again(made) == [PAGE, OTHER]
    assert again(made) == []


def test_a_changed_notebook_makes_that_page_alone(made):
    again(made)
    path = made[1]["notebooks"] / f"{PAGE}.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("What", "Which", 1) + " ", encoding="utf-8")
    assert again(made) == [PAGE]


def test_another_value_makes_the_pages_again_and_the_first_value_too(made):
    again(made)
    assert again(made, given={"utilisation": 0.4}) == [PAGE, OTHER]
    assert again(made, given={"utilisation": 0.4}) == []
    assert again(made) == [PAGE, OTHER]


def test_versions_installed_are_part_of_it(made, monkeypatch):
    again(made)
    monkeypatch.setattr(stamps, "_installed", lambda: ["numpy-2.1.dist-info"])
    assert again(made) == [PAGE, OTHER]


@pytest.mark.parametrize("file", [f"{PAGE}.html", f"{PAGE}.ipynb", f"results/{PAGE}.csv"])
def test_a_page_that_was_changed_by_hand_or_is_gone_is_made_again(made, file):
    again(made)
    (made[0] / file).write_text("changed", encoding="utf-8")
    assert again(made) == [PAGE]
    (made[0] / file).unlink()
    assert again(made) == [PAGE]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"03_context_length": 3}'])
def test_a_spoilt_record_only_costs_time(made, text):
    again(made)
    (made[0] / stamps.NAME).write_text(text, encoding="utf-8")
    assert again(made) == [PAGE, OTHER]


def test_a_page_that_failed_is_tried_again(made, monkeypatch):
    again(made)
    good = run.execute
    (made[1]["data"] / "part.csv").write_text("x\n", encoding="utf-8")
    monkeypatch.setattr(run, "execute", lambda name, *_: Outcome(name, 0.1, f"{name}: cell 3"))
    assert [o.fault for o in run_reports([PAGE], {}, made[0], 1)] == [f"{PAGE}: cell 3"]
    monkeypatch.setattr(run, "execute", good)
    assert again(made, [PAGE]) == [PAGE]


def test_what_is_installed_is_told_by_name_and_version():
    assert any(name.startswith("numpy-") for name in stamps._installed())


def test_every_page_of_the_report_has_its_own_digest():
    names = report_names()
    found = stamps.made_of({name: {} for name in names}, names)
    assert len(set(found.values())) == len(names) == len(found)
