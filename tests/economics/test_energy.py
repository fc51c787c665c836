"""Drawn power by phase: recovered from made-up boards, held out by platform, as shipped."""

import numpy as np
import pandas as pd
import pytest

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.economics.energy import energy_rows, energy_scores, fit_draw, held_out, power_fit, wall_rows
from rackecon.economics.power_table import power_parameters


@pytest.fixture(scope="module")
def rows():
    return energy_rows()


def made(family, factor, count=400):
    draws = np.random.default_rng(1).dirichlet([1.0, 1.0, 1.0], count)
    share = 0.25 + factor * (0.4 * draws[:, 0] + 0.6 * draws[:, 1])
    return pd.DataFrame(
        {
            "accelerator": family,
            "family": family,
            "share": share,
            "decode_busy_share": draws[:, 0],
            "prefill_busy_share": draws[:, 1],
        }
    )


def test_the_fit_recovers_boards_that_follow_the_form():
    frame = pd.concat([made("blackwell", 1.1), made("cdna4", 0.9)], ignore_index=True)
    found = fit_draw(frame)
    assert found["idle"] == pytest.approx(0.25, abs=0.003)
    assert np.exp(found["family.blackwell"] - found["family.cdna4"]) == pytest.approx(1.1 / 0.9, rel=0.01)
    assert found["prefill"] / found["decode"] == pytest.approx(1.5, rel=0.02)
    assert found["family.hopper"] == pytest.approx(0.0, abs=1e-6)  # unseen: its prior


def test_a_platform_is_predicted_without_its_own_rows(rows):
    frame = rows.copy()
    predicted = held_out(frame, "accelerator")
    frame.loc[frame["accelerator"] == "mi355x", "share"] *= 0.5  # what is held out cannot move its own prediction
    again = held_out(frame, "accelerator")
    own = (frame["accelerator"] == "mi355x").to_numpy()
    assert again[own] == pytest.approx(predicted[own])
    assert np.abs(again[~own] / predicted[~own] - 1.0).max() > 0.01


def test_shipped_parameters_and_errors_are_those_of_the_measured_rows(rows):
    fitted = fit_draw(rows)
    for name, value in power_parameters().items():
        assert fitted[name] == pytest.approx(value, abs=0.02), name
    keys = ["scheme", "quantity", "platform", "phase"]
    shipped = catalog.table("validation_energy").set_index(keys)
    scores = energy_scores(rows).set_index(keys)
    assert list(scores.index) == list(shipped.index)
    whole = scores.xs("all", level="phase").xs("all", level="platform")
    print(whole[["points", "median_pct", "p90_pct", "bias_pct"]].round(1).to_string())
    for key in whole.index:
        assert whole.loc[key, "median_pct"] == pytest.approx(shipped.loc[(*key, "all", "all"), "median_pct"], abs=1.5)


def test_every_row_with_power_is_scored(rows):
    with_power = sum(
        int(catalog.table(n)["avg_power_w_per_gpu"].notna().sum()) for n in ("measured_serving", "measured_outside")
    )
    assert len(rows) == with_power
    assert rows["share"].between(0.2, 1.0).all()
    assert (rows["decode_busy_share"] + rows["prefill_busy_share"]).between(0.0, 1.0 + 1e-9).all()


def test_the_catalogue_draws_no_more_than_is_provisioned_on_the_same_basis():
    served = [chip.id for chip in catalog.accelerators().values() if chip.servable]
    table = evaluate(served, ["llama-3.1-8b"], ["chat", "offline-batch"])
    drawn = table["drawn_it_kw_per_gpu"].dropna()
    assert len(drawn) > 15
    assert (drawn <= table.loc[drawn.index, "provisioned_it_kw_per_gpu"] * (1 + 1e-9)).all()


def test_metered_systems_are_held_against_what_the_model_draws_or_say_why_not():
    """Three submissions of eight B200 are usable; by hand 1,710 W provisioned less the watts that boards leave unused."""
    rows = wall_rows()
    assert len(rows) == catalog.table("measured_mlperf")["power_w_per_accel"].notna().sum() == 13
    used = rows[rows["reason"] == ""]
    assert len(used) == 3
    assert rows.loc[rows["reason"] != "", "drawn_w"].isna().all()
    assert (used["drawn_w"].between(0.95 * used["measured_w"], 1.3 * used["measured_w"])).all()
    print((used["drawn_w"] / used["measured_w"] - 1.0).round(3).tolist())


def test_a_fit_of_power_is_written_where_that_is_asked_for_and_nowhere_else(monkeypatch, tmp_path):
    written = []
    monkeypatch.setattr(
        "rackecon.evidence.record.write_table", lambda name, table, folder: written.append((name, folder))
    )
    monkeypatch.setattr("rackecon.catalog.paths.fit_dir", lambda shipped: tmp_path)
    told = power_fit()
    assert written == []
    assert power_fit(write=True) == told
    assert written == [("power_parameters", tmp_path), ("validation_energy", tmp_path)]
