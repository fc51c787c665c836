"""Calibration and validation: folds keep curves whole, derivatives are right, intervals cover, shipped scores hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rackecon import catalog
from rackecon.errors import InputError
from rackecon.evidence import calibration
from rackecon.evidence.ablation import ablate
from rackecon.evidence.fronts import within_reach
from rackecon.evidence.intervals import AT_SPEED, add_intervals, evidence_class, interval_factors
from rackecon.evidence.measured import CONFIGURATION, load_evidence
from rackecon.evidence.residual import _weights
from rackecon.performance.parameters import load_parameters
from rackecon.serving.corrections import Conditions, correction


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


def test_folds_keep_every_curve_whole_and_even(evidence) -> None:
    for shuffle in range(3):
        homes = calibration.homes_of(evidence, "curves", shuffle)
        for group in np.unique(evidence.group):
            assert len(set(homes[evidence.group == group])) == 1
        counts = np.bincount(homes)
        assert len(counts) == 5
        assert counts.min() > 0.9 * counts.mean()
    assert (calibration.homes_of(evidence, "curves", 0) != calibration.homes_of(evidence, "curves", 1)).any()


def test_broken_rows_carry_no_weight_and_repeats_count_once(evidence) -> None:
    assert (evidence.weight[evidence.broken] == 0).all()
    assert (evidence.weight[~evidence.broken] > 0).any()
    frame = evidence.frame[evidence.newest]
    assert not frame.duplicated(list(CONFIGURATION)).any()


def test_measured_pools_run_what_they_were_launched_to_run(evidence) -> None:
    """Little's law on what was measured: where more are sent than the limits sum to, as many run and the rest wait."""
    rows, frame = evidence.prepared.dis_rows, evidence.frame
    load, workers = evidence.prepared.dis_load, evidence.prepared.dis_workers[0]
    most = load.limit * workers
    decoding_s = load.osl_tokens / evidence.tok_s_per_user[rows]
    running = load.concurrency * decoding_s / (decoding_s + frame["ttft_ms"].to_numpy(dtype=float)[rows] / 1e3)
    bound = (load.concurrency > 1.02 * most) & frame["engine"].eq("dynamo-trtllm").to_numpy()[rows]
    bound &= evidence.newest[rows]
    assert bound.sum() > 35
    ratio = running[bound] / most[bound]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    assert np.quantile(np.abs(ratio - 1.0), 0.75) < 0.06


def test_jacobian_is_the_derivative_of_the_residuals(evidence) -> None:
    start = load_parameters()
    problem = calibration._problem(evidence, start, np.ones(len(evidence)))
    vector = np.concatenate([start.to_vector() * 0.5, np.zeros(len(problem.effects))])
    jacobian = problem.jacobian(vector)
    for column in (0, 14, len(start.free()) + 3):
        moved = vector.copy()
        moved[column] += calibration.STEP
        change = (problem.residuals(moved) - problem.residuals(vector)) / calibration.STEP
        assert np.abs(change - jacobian[:, column]).mean() <= 0.05 * np.abs(change).mean() + 1e-6


def test_fit_lowers_the_cost_and_a_held_out_curve_is_not_used(evidence) -> None:
    start = load_parameters()
    start = start.from_vector(np.zeros(len(start.free()))).with_intercepts({})
    rows = evidence.group % 9 != 0
    problem = calibration._problem(evidence, start, rows.astype(float))
    before = 0.5 * float((problem.residuals(np.zeros(len(start.free()) + len(problem.effects))) ** 2).sum())
    first = calibration.fit(evidence, start, rows, 3)
    assert first.cost < 0.7 * before
    spoilt = replace(evidence, total_tok_s_per_gpu=np.where(rows, evidence.total_tok_s_per_gpu, 1.0))
    second = calibration.fit(spoilt, start, rows, 3)
    assert np.allclose(first.parameters.values(), second.parameters.values(), rtol=1e-9)


def test_interval_classes_widen_with_distance_from_evidence() -> None:
    known = interval_factors("b200-hgx", "deepseek-r1", "aggregated", "total_tok_s_per_gpu", also=())
    foreign = interval_factors("tpu-v7", "deepseek-r1", "aggregated", "total_tok_s_per_gpu", also=())
    assert known[0] < 1 < known[1]
    assert foreign[0] < 1 < foreign[1]
    assert foreign[1] / foreign[0] > known[1] / known[0]
    assert evidence_class("tpu-v7", "deepseek-r1", "aggregated") == "new accelerator aggregated"
    import pandas as pd

    row = {
        "accelerator": ["b200-hgx"],
        "model": ["deepseek-r1"],
        "mode": ["aggregated"],
        "total_tok_s_per_gpu": [100.0],
    }
    out = add_intervals(pd.DataFrame(row))
    searched = interval_factors("b200-hgx", "deepseek-r1", "aggregated", AT_SPEED, also=())
    assert out["total_tok_s_per_gpu_low"][0] == pytest.approx(100 * searched[0])
    assert searched[0] < known[0] < 1.0 < known[1] < searched[1]


def test_shipped_scores_cover_and_stay_accurate() -> None:
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])["median_pct"]
    for name in ("overall", "aggregated", "disaggregated", "NVIDIA", "AMD"):
        assert 85 <= scores["coverage of 90 % interval", name, "total_tok_s_per_gpu"] <= 95
        assert 85 <= scores["coverage of 90 % interval", name, AT_SPEED] <= 95
    kept, beyond = within_reach(catalog.table("validation_fronts"))
    assert 0.8 * beyond <= kept < beyond
    assert scores["held-out curves", "all with load", "total_tok_s_per_gpu"] < 11
    assert scores["held-out curves", "disaggregated", "total_tok_s_per_gpu"] < 14
    assert scores["leave one model out", "all rows", "total_tok_s_per_gpu"] < 20


def test_scores_follow_from_the_committed_points() -> None:
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])["median_pct"]
    points = catalog.table("validation_points")
    points = points[points["newest"].astype(bool) & ~points["throughput_only"].astype(bool)]
    ratio = points["held_out_total_tok_s_per_gpu"] / points["measured_total_tok_s_per_gpu"]
    # the points carry the mean of three shuffles, the score the mean of three medians
    assert 100 * (ratio - 1).abs().median() == pytest.approx(
        scores["held-out curves", "all with load", "total_tok_s_per_gpu"], abs=1.5
    )


def test_nothing_measured_means_no_correction() -> None:
    conditions = Conditions(*(np.array([x]) for x in (8.0, 1024.0, 1024.0, 0.0, 0.0, 0.9)))
    rate, first = correction(load_parameters().intercepts, "tpu-v7|vllm|bf16|aggregated", "qwen3-235b-a22b", conditions)
    assert rate.tolist() == [1.0]
    assert first.tolist() == [1.0]


def test_taking_a_part_away_does_not_help_overall() -> None:
    table = ablate()
    whole = table[table["cell"] == "all rows"].set_index("part")["median_pct"]
    assert (whole.drop("all parts") >= whole["all parts"] * 0.98).all()
    assert whole["no host and launch time"] > 2 * whole["all parts"]


@pytest.mark.slow
def test_mlperf_scores_only_the_later_round() -> None:
    from rackecon.evidence.mlperf import mlperf_scores

    table = mlperf_scores()
    assert set(table["round"]) == {"v6.0"}
    assert len(table) > 40
    assert table.loc[table["benchmark"] != "gpt-oss-120b", "error_pct"].median() == pytest.approx(9.8, abs=0.1)
    assert (table.groupby(["scenario", "work", "age"])["factor"].std().fillna(0.0) < 1e-12).all()


@pytest.mark.slow
def test_effects_of_submissions_are_chosen_on_earlier_rounds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from rackecon.evidence import mlperf

    tried = mlperf.effects_tried()
    assert tried["earlier_pct"].is_monotonic_increasing
    assert set(tried["effects"]) == set(mlperf.EFFECTS)
    table, best = mlperf._scored("no history"), tried.iloc[0]
    changed = table.assign(ratio=table["ratio"].where(~table["scored"], 7.0))
    assert mlperf._earlier_pct(changed, best["effects"], best["strength"]) == pytest.approx(
        best["earlier_pct"], rel=1e-12
    )


def test_effects_of_groups_are_those_of_a_balanced_design_drawn_to_their_mean() -> None:
    import pandas as pd

    from rackecon.evidence.mlperf import _factors

    logs = np.array([0.02, 0.04, -0.04, -0.02, 0.0])
    table = pd.DataFrame({"scenario": ["a", "a", "b", "b", "c"], "ratio": np.exp(logs)})
    seen = np.array([True, True, True, True, False])
    # two of each: a group's effect is its mean, 0.03, times n s / (1 + n s)
    for strength, share in ((0.5, 0.5), (2.0, 0.8)):
        expected = np.array([0.03, 0.03, -0.03, -0.03, 0.0]) * share
        assert np.log(_factors(table, seen, ("scenario",), strength)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_a_first_token_of_random_arrivals_is_later_than_our_median_by_the_logs_of_earlier_rounds() -> None:
    from rackecon.evidence.mlperf import best_points, best_submissions, first_token_tail
    from rackecon.performance.parameters import load_parameters

    rows = best_submissions()
    rows = rows[(rows["scenario"] == "Server") & (rows["benchmark"] == "llama3.1-405b")].iloc[:1]
    row, (point,) = rows.iloc[0], best_points(rows, load_parameters())
    assert point is not None
    assert point["ttft_ms"] * first_token_tail() <= row["ttft_limit_ms"] * (1.0 + 1e-6)
    assert point["mode"] == "aggregated"


def _without_gpt_oss(scores: Any) -> float:
    return float(scores.loc[scores["benchmark"] != "gpt-oss-120b", "error_pct"].median())


@pytest.mark.slow
def test_software_readings_are_scored_apart_and_the_first_is_used() -> None:
    from rackecon.evidence.mlperf import SOFTWARE, mlperf_scores, software_readings

    table = software_readings().set_index("software")
    assert list(table.index) == list(SOFTWARE)
    assert table["scored_pct"].iloc[0] == pytest.approx(_without_gpt_oss(mlperf_scores()), rel=1e-12)
    assert table["earlier_pct"]["no history"] < table["earlier_pct"]["public build of the date"]
    dated = mlperf_scores(software="public build of the date")
    assert _without_gpt_oss(dated) == pytest.approx(table["scored_pct"]["public build of the date"], rel=1e-12)
    with pytest.raises(InputError, match=r"unknown software reading 'public'.*no history"):
        mlperf_scores(software="public")


@pytest.mark.slow
def test_first_guess_of_a_length_moves_only_its_own_benchmark() -> None:
    from rackecon.evidence.mlperf import FIRST_GUESS, mlperf_scores

    now, before = mlperf_scores(), mlperf_scores(first_guess=True)
    ratio = before["raw_tok_s_per_gpu"] / now["raw_tok_s_per_gpu"]
    own = now["benchmark"] == FIRST_GUESS[0]
    # what a request costs lies between its answer alone, unchanged, and its prompt alone
    most = 4070.0 / FIRST_GUESS[1]
    assert ((ratio[own] > 1.0) & (ratio[own] < most)).all()
    assert (ratio[~own] == 1.0).all()


def test_without_history_every_date_has_the_same_software() -> None:
    from rackecon.serving.corrections import without_history
    from rackecon.serving.frontier import search

    rates = {
        (name, date): search("b200-hgx", "deepseek-r1", 1000, 1000, date=date, parameters=used)
        .table["total_tok_s_per_gpu"]
        .max()
        for name, used in (("own", load_parameters()), ("steady", without_history(load_parameters())))
        for date in ("2025-10-10", "2026-06-10")
    }
    assert rates["steady", "2025-10-10"] == rates["steady", "2026-06-10"]
    assert rates["own", "2025-10-10"] < rates["own", "2026-06-10"]


def test_a_cell_of_more_runs_weighs_more_but_less_than_each_run_of_its_own():
    """Votes of a cell, one over the root of its repeats each, weigh as their sum to the power of 0.65."""
    known = load_evidence()
    repeats = known.frame.groupby(list(CONFIGURATION), dropna=False)["date"].transform("size").to_numpy()
    votes = 1.0 / np.sqrt(repeats)
    plain = ~known.throughput_only & (known.frame["flag"] == "").to_numpy()
    of_cell = {cell: votes[known.cell == cell].sum() for cell in np.unique(known.cell[plain])}
    few, many = min(of_cell, key=of_cell.__getitem__), max(of_cell, key=of_cell.__getitem__)
    one, other = (float((known.weight / votes)[plain & (known.cell == cell)][0]) for cell in (few, many))
    assert of_cell[many] > 10.0 * of_cell[few]
    assert one / other == pytest.approx((of_cell[many] / of_cell[few]) ** 0.35)


def test_weights_of_two_points_solve_their_covariance_and_noise() -> None:
    """Of variances 2 and covariance 1, noise of 1 and of 2: (3 1; 1 6) w = aim, by Cramer's rule over 17."""
    own, noise, aim = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0]), np.array([0.3, -0.2])
    found, speed = _weights(own, noise, [aim, np.array([0.3, np.nan])], furthest=100.0)
    assert found == pytest.approx([(6.0 * 0.3 + 0.2) / 17.0, (3.0 * -0.2 - 0.3) / 17.0])
    assert speed == pytest.approx([0.1, 0.0])  # alone: 0.3 over 2 and 1
