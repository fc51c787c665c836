"""Sentences of the validation page are filled from its tables; platforms go by their names."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from rackecon import catalog
from rackecon.catalog import label
from rackecon.catalog.paths import noted_tables
from rackecon.evidence.calibration import FOLDS
from rackecon.evidence.record import CUTS
from rackecon.evidence.validation import SHUFFLES
from rackecon.pages import mlperf_view, trust_page
from rackecon.pages import validation_page as page
from rackecon.pages.sentences import say
from rackecon.words import join_words, percent


def test_platforms_are_named_and_nobody_is_called_by_an_id():
    ids = set(catalog.accelerators())
    assert not ids & set(page.slice_table("accelerator")["accelerator"])
    assert ids >= set(page.slice_scores("accelerator")["accelerator"])
    words = page.slices_sentence() + say("13_validation", "trust", **vars(page.validation_result()))
    assert not [key for key in ids if "-" in key and key in words]


def test_makers_without_a_measured_row_follow_the_points(monkeypatch):
    assert "TPU v7" in page.validation_result().unmeasured
    rows = catalog.table("validation_points")
    extra = rows.iloc[:1].assign(accelerator="tpu-v7")
    real = catalog.table

    def table(name: str) -> pd.DataFrame:
        return pd.concat([rows, extra]) if name == "validation_points" else real(name)

    monkeypatch.setattr(catalog, "table", table)
    names = page.validation_result().unmeasured
    assert not [name for name in names if "TPU" in name]
    assert "Trainium3" in names


def test_the_result_is_that_of_the_scores_and_is_published():
    result = page.validation_result()
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])
    row = scores.loc[("held-out curves", "all with load", "total_tok_s_per_gpu")]
    assert (result.rate_median, result.rate_p90) == (row["median_pct"] / 100, row["p90_pct"] / 100)
    published = {one.key: one.value for one in page.validation_figures(result)}
    assert published["rate_median"] == result.rate_median
    assert sum(key.startswith("required/") for key in published) == 3 * (result.asked + 1)
    required = page.acceptance_table()
    assert required["met"].eq("yes").sum() == result.met
    assert required.loc[required["met"] == "", "what"].tolist() == ["MLPerf v6.0, gpt-oss-120b apart"]


def test_software_moves_as_far_as_the_quarters_say():
    steps = pd.DataFrame(
        {
            "platform": ["A", "A", "B", "B", "C"],
            "engine": "e",
            "weight_precision": "fp8",
            "quarter": ["2026Q1", "2026Q2"] * 2 + ["2026Q1"],
            "rate": [1.0, 1.1, 1.0, 1.5, 1.0],
        }
    )
    assert "by 10 % to 50 %, 30 % in the middle" in page.software_sentence(steps)
    assert page.software_sentence(steps[steps["platform"] == "C"]).startswith("No configuration")


def test_the_scatter_names_its_span_and_error():
    points = pd.DataFrame(
        {
            "measured_total_tok_s_per_gpu": [2.0, 50.0, 3000.0, 40.0],
            "error_pct": [-10.0, 20.0, 30.0, -5.0],
            "throughput_only": [False, False, False, True],
        }
    )
    told = "Over 3 orders of magnitude the mean of 3 held-out predictions is, in the middle, 20 % off under load, 5 % in tables of peak rates"
    assert page.spread_title(points) == told


def test_the_chart_of_all_rows_gives_the_error_of_the_answer():
    points, result = page.held_out("all"), page.validation_result()
    assert f"median held-out error is {percent(result.rate_median)} under load" in page.scatter_title(points)


def test_one_quantity_has_one_error_in_every_table():
    tested = trust_page.tested_table().set_index(["held_out", "of"])["median_pct"]
    fronts = trust_page.front_table().set_index("slice")
    assert fronts.loc[["all", "aggregated", "disaggregated"], "inside_pct"].isna().all()  # said once, of folds held out
    assert fronts.loc[["B200", "MI300X", "beyond 140 tok/s/user"], "inside_pct"].between(70.0, 100.0).all()
    peers = page.peer_table().set_index(["peer", "quantity", "conditions"])["error_pct"]
    assert tested["whole curves", "searched front at equal speed"] == fronts.loc["all", "median_pct"]
    assert tested["whole curves", "searched front of speed and rate alike"] == fronts.loc["all", "both_pct"]
    assert peers["rackecon", "tok/s per GPU", "accelerator held out"] == pytest.approx(
        tested["accelerators", "tok/s per GPU"]
    )
    result = page.validation_result()
    assert (result.front_median, result.front_own) == (
        fronts.loc["all", "median_pct"] / 100,
        fronts.loc["all", "own_pct"] / 100,
    )


@pytest.mark.parametrize("made", [trust_page.front_table, trust_page.found_orders])
def test_what_is_remembered_of_fronts_stands_on_every_table_that_it_reads(made):
    made()
    with noted_tables() as used:
        made()
        read = set(used)
    assert read == {"accelerators", "residual_scales", "serving_residual", "validation_fronts"}


def test_a_bias_is_told_from_zero_only_where_its_range_leaves_zero_out():
    table = trust_page.front_table()
    words = trust_page.fronts_sentence(table)
    sure = table[(table["bias_low_pct"] > 0) & (table["sweeps"] >= trust_page.FEWEST_SWEEPS)]["slice"]
    named = re.split("Those of |That of ", words)[1].partition(" keep")[0]
    assert named == join_words([one for one in sure if one in {chip.label for chip in catalog.accelerators().values()}])
    assert "that of H100, the largest (19 % over 8 sweeps), runs from −10 % to 36 %" in words
    open_ended = table.assign(bias_low_pct=-60.0, bias_high_pct=60.0)
    assert "No platform's can be told from zero" in trust_page.fronts_sentence(open_ended)
    few = table.assign(sweeps=table["sweeps"].where(table["slice"] != "H100", 2))
    assert "that of H100" not in trust_page.fronts_sentence(few)
    shown = trust_page.fronts_shown(table).set_index("slice")
    assert shown.loc["H100", "bias_range"] == "−10 to 36"


def test_every_platform_without_a_row_is_named_as_such():
    measured = set(catalog.table("validation_points")["accelerator"])
    without = {chip.label for key, chip in catalog.accelerators().items() if chip.servable and key not in measured}
    result = page.validation_result()
    assert {*result.unmeasured, *result.siblings} == without
    assert not {*result.unmeasured} & {*result.siblings}


def test_method_and_mlperf_are_told_from_their_tables(monkeypatch):
    assert f"{FOLDS} folds" in page.method_sentence()
    assert f"{SHUFFLES} shuffles" in page.method_sentence()
    told, real = mlperf_view.mlperf_sentence(), catalog.table
    assert f"{label('llama-2-70b')}, {label('mixtral-8x7b')} and gpt-oss-120b are estimates" in told
    lengths = real("mlperf_workloads")
    lengths.loc[lengths["benchmark"] == "mixtral-8x7b", "isl_grade"] = "published"
    monkeypatch.setattr(catalog, "table", lambda name: lengths if name == "mlperf_workloads" else real(name))
    assert f"{label('llama-2-70b')} and gpt-oss-120b are estimates" in mlperf_view.mlperf_sentence()


def test_what_is_tested_names_each_kind_once_with_both_ways():
    table = trust_page.tested_table()
    assert not table.duplicated(["held_out", "of"]).any()
    kinds = {"whole curves", "pairs of platform and model", "models", "accelerators", "platforms", "MLPerf v6.0"}
    assert kinds < set(table["held_out"])
    assert table["held_out"].str.startswith("all measured from ").sum() == len(CUTS)
    first = table.iloc[0]
    assert first["of"] == "tok/s per GPU"
    assert first["median_pct"] == pytest.approx(100 * page.validation_result().rate_median)
    asked = page.acceptance_table().set_index("what")["median"]
    mlperf = table[table["held_out"] == "MLPerf v6.0"]["median_pct"].tolist()
    assert mlperf == asked[["MLPerf v6.0, best submissions", "MLPerf v6.0, gpt-oss-120b apart"]].tolist()
    assert table["points"].gt(0).all()
