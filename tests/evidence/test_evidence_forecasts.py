"""The ledger of forecasts: what is in it, that it is never overwritten, how it is scored; support of each pair."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from rackecon import catalog
from rackecon.cli import app
from rackecon.errors import InputError
from rackecon.evidence.forecasts import COLUMNS, KEY, ledger, named_pairs, score, write_forecasts
from rackecon.evidence.novelty import fitted_pairs
from rackecon.evidence.support import support_matrix


def test_the_ledger_holds_thirty_dated_predictions_of_pairs_that_nobody_has_measured():
    rows = ledger()
    assert len(rows) >= 30
    for row in rows:
        low, middle, high = (float(row[f"total_tok_s_per_gpu{end}"]) for end in ("_low", "", "_high"))
        assert low < middle < high
        assert len(row["code_digest"]) == len(row["data_digest"]) == 12
        assert row["software_date"] <= row["made"]
    assert not {(row["accelerator"], row["model"]) for row in rows} & fitted_pairs()
    assert {"vr-nvl72", "mi455x", "trainium3"} <= {row["accelerator"] for row in rows}


def test_a_forecast_on_record_is_never_written_again(tmp_path: Path):
    row = dict.fromkeys(COLUMNS, "1")
    path = write_forecasts([row], tmp_path, "2026-01-01")
    before = path.read_bytes()
    with pytest.raises(InputError, match="never edited"):
        write_forecasts([row, row], tmp_path, "2026-01-01")
    assert path.read_bytes() == before


def test_a_command_puts_forecasts_on_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rackecon.evidence.forecasts.forecast_dir", lambda: tmp_path)
    asked = ["forecasts", "make", "2026-12-31", "--pair", "gb300-nvl72:kimi-k2", "--pair", "h200-sxm:glm-5.2"]
    done = CliRunner().invoke(app, asked)
    assert done.output == "written to data/forecasts/2026-12-31.csv\n"
    with open(tmp_path / "2026-12-31.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {(row["made"], row["accelerator"], row["model"]) for row in rows} == {
        ("2026-12-31", "gb300-nvl72", "kimi-k2"), ("2026-12-31", "h200-sxm", "glm-5.2"),
    }  # fmt: skip
    for words, said in ((asked, "never edited"), ([*asked[:2], "soon"], "'soon' is no date")):
        fault = CliRunner().invoke(app, words).exception
        assert isinstance(fault, InputError)
        assert said in str(fault)
    wrong = CliRunner().invoke(app, [*asked[:2], "2027-01-31", "--pair", "h20000:kimi-k2"]).exception
    assert "unknown accelerator 'h20000'" in str(wrong)


def test_forecasts_are_made_for_the_pairs_of_the_newest_on_record_unless_others_are_named():
    newest = max(row["made"] for row in ledger())
    assert set(named_pairs()) == {(row["accelerator"], row["model"]) for row in ledger() if row["made"] == newest}


def test_older_forecasts_on_record_name_no_pairs(monkeypatch: pytest.MonkeyPatch):
    """Two days on record, the newer last: its pairs alone, each once."""
    record = [("2026-01-01", "a", "x"), ("2026-01-01", "b", "x"), ("2026-02-01", "c", "x"), ("2026-02-01", "c", "x")]
    names = ("made", "accelerator", "model")
    monkeypatch.setattr(
        "rackecon.evidence.forecasts.ledger", lambda: [dict(zip(names, row, strict=True)) for row in record]
    )
    assert named_pairs() == [("c", "x")]


def test_what_was_measured_before_or_elsewhere_scores_nothing():
    one = dict(zip(KEY, ("a", "m", "fp8", "8192", "1024"), strict=True)) | {"tok_s_per_user": "60"}
    made = one | {f"total_tok_s_per_gpu{end}": x for end, x in (("", "100"), ("_low", "80"), ("_high", "120"))}
    made |= {"made": "2026-11-28"}
    point = one | {"date": "2027-02-01", "total_tok_s_per_gpu": "160", "isl": "8192.0"}
    found = score([point], [made])[0]
    assert not found["inside"]
    y, high, low = (math.log(x) for x in (1.6, 1.2, 0.8))
    interval = high - low + 20.0 * (y - high)
    assert found["weighted_score"] == pytest.approx((0.5 * y + 0.05 * interval) / 1.5)
    for change in ({"date": "2026-11-28"}, {"tok_s_per_user": "64"}, {"model": "n"}):
        assert score([point | change], [made]) == []


def test_the_command_scores_a_file_and_names_a_missing_column(tmp_path: Path):
    path = tmp_path / "measured.csv"
    row = ledger()[0]
    made = sum(all(one[name] == row[name] for name in (*KEY, "tok_s_per_user")) for one in ledger())
    point = {name: row[name] for name in (*KEY, "tok_s_per_user", "total_tok_s_per_gpu")} | {"date": "2027-03-01"}
    with open(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(point))
        writer.writeheader()
        writer.writerow(point)
    done = CliRunner().invoke(app, ["forecasts", "score", str(path)])
    assert done.exit_code == 0
    assert f"{made} forecasts measured since, {made} inside" in done.output
    path.write_text("accelerator\nx\n")
    fault = CliRunner().invoke(app, ["forecasts", "score", str(path)]).exception
    assert isinstance(fault, InputError)
    assert "column 'model' is missing" in str(fault)


def test_a_support_grade_rests_on_held_out_rows():
    found = support_matrix().set_index(["accelerator", "model", "mode"])
    best = found.loc["b200-hgx", "deepseek-r1", "aggregated"]
    assert best["grade"] == "A"
    assert best["points"] >= 20
    points = catalog.table("validation_points")
    own = points[(points["accelerator"] == "b200-hgx") & (points["model"] == "deepseek-r1") & points["newest"]]
    assert best["points"] == (own["mode"] == "aggregated").sum()
    assert found.loc["tpu-v7", "kimi-k2.5", "aggregated"]["grade"] == "E"
    order = found["grade"].map("ABCDE".index)
    width = (found["high"] / found["low"]).groupby(order).median()
    assert width.iloc[-1] > width.iloc[0]


def test_a_row_is_told_what_of_it_was_measured(tmp_path: Path):
    path = tmp_path / "points.csv"
    path.write_text("accelerator,model,weight_precision,isl,osl\nmi355x,minimax-m2.5,fp8,1024,1024\n")
    done = CliRunner().invoke(app, ["predict", str(path), "--output", str(tmp_path / "out.csv"), "--explain-evidence"])
    assert done.exit_code == 0
    assert "row 2: model and platform measured, but not together" in done.output


def test_the_interval_told_of_an_open_row_is_that_of_its_answer(tmp_path: Path):
    """A search that splits pools, one engine held, a deployment that does not fit."""
    rows = ["b200-hgx,deepseek-r1,fp4,8192,1024,,,", "b200-hgx,deepseek-r1,fp4,8192,1024,aggregated,8,64"]
    rows.append("h100-sxm,deepseek-r1,fp8,8192,1024,aggregated,1,64")
    path, out = tmp_path / "points.csv", tmp_path / "out.csv"
    path.write_text("\n".join(["accelerator,model,weight_precision,isl,osl,mode,tp,concurrency", *rows]) + "\n")
    done = CliRunner().invoke(app, ["predict", str(path), "--output", str(out), "--explain-evidence"])
    told, found = done.output.splitlines()[-3:], pd.read_csv(out)
    assert found["served_as"].iloc[0].startswith("disaggregated")
    widths = set()
    for line, row in zip(told[:2], found.to_dict("records"), strict=False):
        value, low, high = (row[f"predicted_total_tok_s_per_gpu{end}"] for end in ("", "_low", "_high"))
        assert line.endswith(f"90 % interval of a rate {low / value:.2g} to {high / value:.2g} times the prediction")
        widths.add(round(high / value, 1))
    assert len(widths) == 2
    assert "interval" not in told[2]
    assert found["reason"].iloc[2] in told[2]
