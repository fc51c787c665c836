"""Two editions compared: rows by their keys, answers and verdicts in words, a page and a feed that say the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rackecon.cli import app
from rackecon.errors import InputError
from rackecon.press.edition import AnswerChange, TableChange, answer_changes, read_edition, table_changes
from rackecon.press.results import write_results

PAGE = "00_executive_summary"
ATOM = "{http://www.w3.org/2005/Atom}"


def edition(folder: Path, vintage: str, racks: str, results: dict[str, tuple[str, str]]) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "base_case.csv").write_text(f"parameter,value\nas_of_date,{vintage}\n", encoding="utf-8")
    (folder / "data" / "racks.csv").write_text(f"accelerator,gpus\n{racks}", encoding="utf-8")
    write_results(folder / "reports", PAGE, results)
    return folder


@pytest.fixture
def both(tmp_path) -> tuple[Path, Path]:
    old = {"answer": ("A leads.", "text"), "profit/rack/a/value": ("5", "USD/a"), "point/a/layout": ("x", "text")}
    new = {
        "answer": ("B leads & wins.", "text"),
        "profit/rack/a/value": ("6", "USD/a"),
        "point/a/layout": ("y", "text"),
    }
    new |= {"profit/rack/verdict": ("too close to call", "text")}
    return (
        edition(tmp_path / "old", "2026-08-01", "a,8\nb,8\nc,72\n", old),
        edition(tmp_path / "new", "2026-11-23", "a,8\nb,16\nd,72\n", new),
    )


def test_rows_are_told_apart_by_their_keys(both):
    changes = {one.table: one for one in table_changes(both[0] / "data", both[1] / "data")}
    assert changes["racks"] == TableChange("racks", added=1, changed=1, dropped=1)
    assert changes["base_case"] == TableChange("base_case", 1, 0, 1)  # no key: whole rows
    assert table_changes(both[0] / "data", both[0] / "data") == []


def test_answers_verdicts_and_the_headlines_figures_are_told_and_the_rest_is_not(both):
    found = answer_changes(both[0] / "reports", both[1] / "reports")
    assert found == [
        AnswerChange(PAGE, "answer", "A leads.", "B leads & wins.", ""),
        AnswerChange(PAGE, "profit/rack/a/value", "5", "6", "USD/a"),
        AnswerChange(PAGE, "profit/rack/verdict", "absent", "too close to call", ""),
    ]


def test_the_command_writes_a_page_and_a_valid_feed_the_same_each_time(both, tmp_path):
    out = tmp_path / "out"
    arguments = ["edition", str(both[0]), str(both[1] / "reports"), "--out", str(out)]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert "data/racks.csv: 1 added, 1 changed, 1 dropped" in ran.output
    page = (out / "changes.html").read_text(encoding="utf-8")
    assert "Data as of 2026-11-23, before of 2026-08-01: 3 answers" in page
    assert "B leads &amp; wins." in page
    text = (out / "changes.atom").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    entries = root.findall(f"{ATOM}entry")
    assert len(entries) == 4
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 4
    for entry in [root, *entries]:
        assert entry.findtext(f"{ATOM}updated") == "2026-11-23T00:00:00Z"
    CliRunner().invoke(app, arguments)
    assert (out / "changes.atom").read_text(encoding="utf-8") == text


def test_a_folder_without_an_edition_is_refused_and_nothing_is_written(both, tmp_path):
    with pytest.raises(InputError, match="no reports/results/"):
        read_edition(tmp_path)
    out = tmp_path / "out"
    ran = CliRunner().invoke(app, ["edition", str(tmp_path), str(both[1]), "--out", str(out)])
    assert ran.exit_code != 0
    assert not out.exists()
