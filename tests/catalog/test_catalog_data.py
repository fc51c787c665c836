"""data/ is valid as shipped, and each kind of damage is told in one line."""

from __future__ import annotations

import csv
import shutil
from functools import cache
from pathlib import Path

import pytest

from rackecon import catalog
from rackecon.catalog import check
from rackecon.catalog.check import check_data
from rackecon.catalog.user_rows import add_rows, checked_rows
from rackecon.errors import InputError

DATA = catalog.data_dir()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "data"
    shutil.copytree(DATA, target)
    return target


def rewrite(path: Path, change) -> None:
    with open(path, encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    rows = change(rows)
    with open(path, "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)


def set_cell(path: Path, line: int, column: str, value: str) -> None:
    def change(rows):
        rows[line - 1][rows[0].index(column)] = value
        return rows

    rewrite(path, change)


CELLS = [
    ("racks", 3, "rack_it_kw", "-4", ["racks.csv row 3", "rack_it_kw"]),
    ("racks", 3, "accelerator", "h2000", ["racks.csv", "h2000"]),
    ("scenarios", 2, "prefix_cache_hit", "1.4", ["scenarios.csv row 2", "prefix_cache_hit"]),
    ("scenarios", 2, "isl_tokens", "many", ["scenarios.csv row 2", "isl_tokens"]),
    ("accelerators", 4, "status", "rumoured", ["accelerators.csv row 4", "status"]),
    ("accelerators", 4, "grade", "guess", ["accelerators.csv row 4", "grade"]),
    ("models", 5, "id", "gpt-oss-120b", ["models.csv", "id"]),
    ("measured_serving", 9, "mode", "mixed", ["measured_serving.csv row 9", "mode"]),
    ("costs", 2, "low", "9e9", ["costs.csv row 2", "low"]),
    ("prices", 2, "value_cached_input", "99", ["prices.csv row 2", "cached input"]),
    ("power", 2, "source_id", "nobody", ["power.csv", "nobody"]),
    ("measured_mlperf", 2, "tpot_limit_ms", "-1", ["measured_mlperf.csv row 2", "tpot_limit_ms"]),
]
PUBLISHERS = [
    ("as H100", "as", "as H100"),
    ("Hot Chips 2025 coverage", "Hot", "donanimhaber.com 2025-08-26"),
    ("NOT FOUND", "NOT", ""),
    ("hardware.csv", "hardware.csv", "hardware.csv"),
    ("derived: H100", "derived:", "derived: H100"),
    ("perf-overview.md", "NVIDIA/TensorRT-LLM:docs/source/perf", "perf-overview.md"),
    ("a page", "elsewhere.com", "https://www.tomshardware.com/a-page"),
    ("a tool", "github.com/owner", "https://github.com/owner/tool"),
    ("Electric Power Monthly", "unknown (somewhere)", "https://www.eia.gov/"),
    ("a blog", "rackecon", "https://rackecon.org/"),
]


@pytest.fixture(scope="module", autouse=True)
def judged_once():
    """Frictionless judges data/ as shipped once: it takes seconds, and nothing here changes those tables."""
    judge = check._frictionless
    shipped = cache(lambda: judge(DATA))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "_frictionless", lambda home: shipped() if home == DATA else judge(home))
        yield


@pytest.fixture(scope="module")
def shipped():
    """Validation of data/ as shipped: seconds, so once."""
    return check_data()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> tuple[str, ...]:
    """Faults of a copy with every one of these cells damaged, validated once."""
    target = tmp_path_factory.mktemp("damaged") / "data"
    shutil.copytree(DATA, target)
    for table, line, column, value, _ in CELLS:
        set_cell(target / f"{table}.csv", line, column, value)
    for line, words in enumerate(PUBLISHERS, start=9):
        for column, value in zip(("title", "publisher", "address"), words, strict=True):
            set_cell(target / "sources.csv", line, column, value)
    return check_data(target).faults


def test_shipped_data_is_valid(shipped):
    assert shipped.faults == ()
    assert shipped.tables >= 26
    assert shipped.rows > 9000


def test_own_rows_are_checked_beside_it(own, tmp_path):
    given = tmp_path / "given.csv"
    given.write_text("accelerator,gpus_per_rack,rack_it_kw\nh100-sxm,16,30\n", encoding="utf-8")
    add_rows("racks", checked_rows("racks", given))
    assert check_data().faults == ()
    (own / "racks.csv").write_text("accelerator,gpus_per_rack,rack_it_kw\nh100-sxm,1.5,3\n", encoding="utf-8")
    assert "own/racks.csv row 2 gpus_per_rack" in check_data().faults[0]


def test_stale_prices_are_listed_against_the_as_of_date(shipped):
    assert any("llama-3.1-405b" in line and "2026-11-23" in line for line in shipped.remarks)


@pytest.mark.parametrize("words", [case[-1] for case in CELLS])
def test_a_bad_cell_is_one_line_with_table_row_and_column(damaged, words):
    assert [fault for fault in damaged if all(word in fault for word in words)], damaged
    assert all("\n" not in fault for fault in damaged)


@pytest.mark.parametrize(("line", "publisher"), [(line, words[1]) for line, words in enumerate(PUBLISHERS, start=9)])
def test_a_publisher_that_names_nobody_is_refused(damaged, line, publisher):
    assert [fault for fault in damaged if fault.startswith(f"sources.csv row {line}: publisher '{publisher}'")], damaged


def test_a_missing_column_is_named(copy):
    rewrite(copy / "racks.csv", lambda rows: [row[:3] + row[4:] for row in rows])
    assert "racks.csv: column 'rack_it_kw' is missing" in check_data(copy).faults


def test_a_missing_table_is_named(copy):
    (copy / "power.csv").unlink()
    assert "power.csv: the file is missing" in check_data(copy).faults


def test_an_undescribed_table_is_named(copy):
    (copy / "extra.csv").write_text("a\n1\n")
    assert "extra.csv: not described in datapackage.json" in check_data(copy).faults


def test_bytes_that_are_not_utf8_are_named(copy):
    with open(copy / "racks.csv", "ab") as handle:
        handle.write(b"\xff\xfe")
    assert any(fault.startswith("racks.csv: not UTF-8") for fault in check_data(copy).faults)


def test_broken_description_is_one_line(copy):
    (copy / "datapackage.json").write_text("{")
    found = check_data(copy)
    assert len(found.faults) == 1
    assert found.faults[0].startswith("datapackage.json: cannot be read")


@pytest.mark.parametrize("name", ["l20", "gb10", "mi308x", "b100", "h1000", "NVIDIA H100 80GB HBM3"])
def test_no_other_chip_is_suggested_for_its_spelling(name):
    with pytest.raises(InputError) as caught:
        catalog.accelerator(name)
    assert "nearest" not in str(caught.value)


def test_unknown_names_give_the_nearest():
    with pytest.raises(InputError, match="unknown accelerator 'h100-sxn': nearest is 'h100-sxm'"):
        catalog.accelerator("h100-sxn")
    with pytest.raises(InputError, match="unknown model 'deepsek-r1': nearest is 'deepseek-r1'"):
        catalog.model("deepsek-r1")
    with pytest.raises(InputError, match="unknown scenario 'chatt': nearest is 'chat'"):
        catalog.scenario("chatt")


def test_a_changed_number_reaches_the_records(copy, monkeypatch):
    set_cell(copy / "base_case.csv", 3, "value", "5")
    monkeypatch.setenv("RACKECON_DATA", str(copy))
    assert catalog.base_case().horizon_years == 5.0


def test_a_bad_number_in_a_record_names_table_row_and_column(copy, monkeypatch):
    set_cell(copy / "accelerators.csv", 2, "hbm_gib", "lots")
    monkeypatch.setenv("RACKECON_DATA", str(copy))
    with pytest.raises(InputError, match=r"accelerators\.csv row 2 column 'hbm_gib': 'lots' is not a number"):
        catalog.accelerators()


def test_no_cell_of_a_date_was_cut():
    """A bracket that opens closes: ``2025-02 (v`` is half of a remark."""
    for cells in catalog.read_rows("sources"):
        assert cells["date"].count("(") == cells["date"].count(")"), cells["source_id"]
