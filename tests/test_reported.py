"""Attempts that once broke it, each in its smallest form, where no test of its own room holds it already."""

from __future__ import annotations

import html
import json
import re

import bad_input
import hostile
import pandas as pd
import pytest
from commands import ACCELERATOR, CASE, CONFIG, GRID, MEASURED, TRACE
from typer.testing import CliRunner

from rackecon.appraisal.parameters import notebook_path, read_parameters, validate
from rackecon.catalog import accelerator
from rackecon.catalog.text_file import read_text, yaml_of
from rackecon.catalog.user_rows import checked_id
from rackecon.catalog.written import csv_text
from rackecon.cli import app
from rackecon.errors import InputError
from rackecon.evidence.intervals import evidence_class, interval_factors
from rackecon.evidence.measured import load_evidence
from rackecon.figures.display import embedded
from rackecon.figures.tables import table
from rackecon.press.frame import framed_page
from rackecon.press.html import named
from rackecon.serving.frontier import search
from rackecon.serving.query import default_date


@pytest.mark.parametrize(
    ("chip", "model"), [("mi355x", "deepseek-r1"), ("gb200-nvl72", "deepseek-r1"), ("h100-sxm", "gpt-oss-120b")]
)
def test_software_is_no_faster_by_default_than_when_it_was_last_measured(chip, model):
    frame, family = load_evidence().frame, accelerator(chip).family
    newest = default_date(accelerator(chip))
    assert newest == max(frame.loc[[accelerator(key).family == family for key in frame["accelerator"]], "date"])
    usual, then = (search(chip, model, 8192, 1024, date=date).best() for date in (None, newest))
    assert usual["total_tok_s_per_gpu"] == then["total_tok_s_per_gpu"]


CANNOT = [
    {"gpus": "3", "tp": "2"}, {"gpus": "1e308"}, {"concurrency": "1e308"}, {"isl": "nan"}, {"isl": "1e308"}, {"gpus": "inf"},
]  # fmt: skip
OPEN = ("gpus", "tp", "ep", "concurrency")


def predicted(folder, changes):
    header, row = (line.split(",") for line in MEASURED.strip().splitlines())
    lines = [dict(zip(header, row, strict=True)) | change for change in changes]
    (folder / "points.csv").write_text(csv_text(header, lines), encoding="utf-8")
    done = CliRunner().invoke(app, ["predict", str(folder / "points.csv"), "-o", str(folder / "out.csv")])
    assert done.exception is None, done.exception
    return pd.read_csv(folder / "out.csv")


def test_a_layout_or_load_that_cannot_be_is_refused_by_its_row_and_has_no_number(tmp_path):
    out = predicted(tmp_path, CANNOT)
    assert set(out["status"]) <= {"refused", "unsupported"}
    assert out["reason"].str.len().min() > 10
    assert out["predicted_total_tok_s_per_gpu"].isna().all()


def test_nan_in_a_cell_is_a_cell_left_open(tmp_path):
    nan, empty = (predicted(tmp_path, [{name: cell} for name in OPEN]) for cell in ("nan", ""))
    assert set(nan["status"]) == {"ok"}
    assert nan["predicted_total_tok_s_per_gpu"].tolist() == empty["predicted_total_tok_s_per_gpu"].tolist()


REFUSED = {
    "servers of a GPU and a half": (
        ("data", "add-accelerator", "file.csv"),
        {"file.csv": ACCELERATOR.replace("tdp_w", "tdp_w,gpus_per_server").replace(",750", ",750,1.5").encode()},
    ),
    "draws of no number": (("report", "12_uncertainty", "-p", "draws", "NaN", "--name", "x"), {}),
    "a seed beyond all": (("report", "12_uncertainty", "-p", "seed", "1e400", "--name", "x"), {}),
    "a seed of 400 digits": (("report", "12_uncertainty", "-p", "seed", "9" * 400, "--name", "x"), {}),
    "a seed of 5,000 digits": (("report", "12_uncertainty", "-p", "seed", "9" * 5000, "--name", "x"), {}),
    "a run that is a list": (("report", "--from", "run", "--name", "x"), {"run/run.json": b"[]"}),
    "a run that is nothing": (("report", "--from", "run", "--name", "x"), {"run/run.json": b"null"}),
    "a run of no fields": (("report", "--from", "run", "--name", "x"), {"run/run.json": b"{}"}),
    "a deep run": (("report", "--from", "run", "--name", "x"), {"run/run.json": b"[" * 100_000}),
    "results that are no Parquet": (("compare", "a.parquet", "a.parquet"), {"a.parquet": b"PAR1" + bytes(90) + b"PAR1"}),
    "an endless file of parameters": (("report", "-f", "/dev/zero", "--name", "x"), {}),
    "a file of names that are none": (("report", "-f", "x.yaml", "--name", "x"), {"x.yaml": b"1: 2\n"}),
    "a million columns": (("data", "add", "costs", "file.csv"), {"file.csv": b"x," * 10**6 + b"x\n"}),
    "a time that is no later one": (
        ("data", "add-workload", "trace.csv", "--id", "x"),
        {"trace.csv": TRACE.replace("\n3,", "\n9999-12-31T23:59:59,").replace("\n0,", "\n9999-12-31T23:59:58,").encode()},
    ),
    "sweep of a tier that is none": (("sweep", "grid.yaml", "-o", "out.parquet", "--jobs", "1"), {"grid.yaml": GRID.encode().replace(b"fixed: {", b"fixed: {cost_tier: gold, ")}),
    "sweep without its scheduler": (("sweep", "grid.yaml", "-o", "out.parquet", "--scheduler", "nonsense://nowhere"), {"grid.yaml": GRID.encode()}),
    "a date before all software": (("frontier", *CASE, "--date", "0001-01-01"), {}),
    "a date after all software": (("frontier", *CASE, "--date", "9999-12-31"), {}),
    "a name of control characters": (("frontier", *CASE[2:], "--accelerator", "\x1b[31mred\u202e" + "x" * 5000), {}),
    **{
        f"{key} of 400 digits": (("data", "add-model", "config.json", "--id", "x"), {"config.json": json.dumps(CONFIG | {key: 10**400}).encode()})
        for key in CONFIG if isinstance(CONFIG[key], int) and not isinstance(CONFIG[key], bool)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_line_and_nothing_is_written(tmp_path, name):
    words, given = REFUSED[name]
    assert bad_input.judged((name, words, given, True), tmp_path / "work") == ""


def test_a_manifest_that_is_a_list_is_one_line_or_made_again(tmp_path):
    given = {"grid.yaml": GRID.encode(), "out.parquet.parts/manifest.json": b"[]"}
    words = ("sweep", "grid.yaml", "-o", "out.parquet", "--jobs", "1", "--quiet")
    assert bad_input.judged(("manifest", words, given, False), tmp_path / "work") == ""


def test_a_number_in_yaml_may_be_written_with_an_exponent_alone(tmp_path):
    declared = read_parameters(notebook_path("10_revenue_and_roi"))
    (tmp_path / "x.yaml").write_text("price_factor: 1e1\n", encoding="utf-8")
    given = yaml_of("x.yaml", read_text(tmp_path / "x.yaml"))
    assert validate("10_revenue_and_roi", declared, given) == []


ODD_IDS = [
    "../x", '"', "'", "<b>", "a b", "a/b", "a\\b", "-x", ".x", "_x", "a\u202eb", "x" * 65, "x" * 1999, "", " ", "ä", "a;b", "a&b",
    "a?b", "a#b", "a%b", "a,b", "a:b", "a\tb", "a\nb", "a\0b", "$a", "a(b", "a]b", "a{b", "a|b", "a*b", "a~b",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_IDS)
def test_an_odd_id_is_refused(name):
    with pytest.raises(InputError, match="is not an id"):
        checked_id("id", name)


@pytest.mark.parametrize("name", ["constructor", "toString", "valueOf", "hasOwnProperty"])
def test_a_word_of_every_object_is_no_name(name, tmp_path):
    with pytest.raises(InputError, match="word of JavaScript"):
        checked_id("id", name)
    row = hostile.base_rows()["accelerators"]
    for column in ("label", "vendor", "note"):
        given = {"file.csv": hostile.csv_bytes(row | {column: name})}
        assert (
            bad_input.judged((column, ("data", "add", "accelerators", "file.csv"), given, True), tmp_path / "work")
            == ""
        )


def test_a_measured_part_of_another_maker_has_the_interval_of_a_pair_never_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("RACKECON_USER_DATA", str(tmp_path))
    before = evidence_class("h100-sxm", "deepseek-r1", "aggregated")
    row = hostile.base_rows()["accelerators"] | {"vendor": "acme"}
    (tmp_path / "accelerators.csv").write_text(csv_text(list(row), [row]), encoding="utf-8")
    assert (before, evidence_class("h100-sxm", "deepseek-r1", "aggregated")) == ("aggregated", "new pair aggregated")
    low, high = interval_factors("h100-sxm", "deepseek-r1", "aggregated", "total_tok_s_per_gpu", also=())
    assert 0 < low < 1 < high


@pytest.mark.parametrize("name", hostile.NAMES)
def test_nothing_in_a_page_takes_a_name_for_markup(name, tmp_path, monkeypatch):
    assert "<" not in embedded({"model": name})
    assert json.loads(embedded({"model": name})) == {"model": name}
    monkeypatch.setenv("RACKECON_USER_DATA", str(tmp_path))
    row = hostile.base_rows()["accelerators"] | {"label": name}
    (tmp_path / "accelerators.csv").write_text(csv_text(list(row), [row]), encoding="utf-8")
    shown = named("<p>On h100-sxm it runs.</p><td>h100-sxm</td>")
    assert not re.search(r"<(?!/?(p|td)>)", shown), shown


@pytest.mark.parametrize("name", hostile.NAMES)
def test_a_cell_of_a_table_is_text_whatever_stands_in_it(name):
    frame = pd.DataFrame({"platform": [name], "note": [name * 9], "a": [1], "b": [2], "c": [name]})
    shown = table(frame, name).markup
    assert not re.search(r"<(img|svg|script|!--|a )", shown), shown


def test_every_page_has_a_policy_that_lets_no_foreign_script_run():
    page = framed_page(title="x", description="x", body="<p>words</p>", contents=[])
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    policy = dict(part.split(maxsplit=1) for part in html.unescape(found[1]).split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' file:"
