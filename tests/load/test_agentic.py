"""Agents on platforms: the hit that follows, sessions and rates, and where measured replays stand."""

from __future__ import annotations

import numpy as np
import pytest

from rackecon import catalog
from rackecon.load import agentic
from rackecon.load.agentic import (
    HITS,
    _agreed,
    _with_loading,
    agentic_front,
    agentic_parameters,
    agentic_sessions,
    cache_tiers,
    replay_drafts,
)
from rackecon.load.agentic_runs import fitted_runs, measured_points, run_front, scores


@pytest.fixture(scope="module")
def stored():
    points = catalog.table("validation_agentic")
    return points.merge(catalog.table("measured_agentic")[["point_id", "accelerator", "model"]], on="point_id")


@pytest.fixture(scope="module")
def told(stored):
    return scores(stored).set_index(["part", "quantity"])


def test_sessions_have_the_means_that_runs_served():
    seen = agentic_sessions()
    assert seen.input_tokens.mean() == pytest.approx(118_700)
    assert seen.output_tokens.mean() == pytest.approx(955)
    assert seen.wait_s.max() == agentic_parameters().wait_cap_s


def test_the_hit_with_room_to_spare_is_the_published_one():
    """Above 95 % was seen, above 96 % is possible."""
    front = agentic_front("gb300-nvl72", "deepseek-v4-pro")
    assert 0.95 <= np.median(front.cache_hit) <= 0.97


def test_without_a_tier_behind_hbm_a_large_cache_finds_less():
    """A model of 137 kB a token leaves room for few contexts on one server of eight."""
    speed = 30.0
    held, alone = (agentic_front("h200-sxm", "minimax-m3", host_memory=x) for x in (True, False))
    assert held.rate_at(speed) > alone.rate_at(speed)
    assert held.cache_hit.min() >= alone.cache_hit.min()


def test_a_front_rises_in_speed_and_falls_in_rate():
    front = agentic_front("b200-hgx", "deepseek-v4-pro", mode="aggregated")
    assert np.all(np.diff(front.tok_s_per_user) > 0)
    assert np.all(np.diff(front.total_tok_s_per_gpu) < 0)
    assert np.isnan(front.rate_at(1e6))
    assert front.sessions_per_gpu_at(50.0) > front.sessions_per_gpu_at(150.0)


def test_points_of_curves_that_no_parameter_has_seen_are_met(told):
    """Asked: 25 % in the median, 80 % at the 90th percentile, 85 % of pairs in order."""
    assert told.loc[("scored curves", "rate at the speed"), "median_pct"] <= 25.0
    assert told.loc[("scored curves", "rate at the speed"), "p90_pct"] <= 80.0
    assert told.loc[("scored curves", "order of platforms"), "in_order_pct"] >= 85.0
    assert told.loc[("all published points", "rate at the speed"), "points"] == 26


def test_a_search_on_the_engine_of_the_runs_meets_points_held_out(told):
    """87 % in the median while searches were of another engine and MiniMax-M3 did not draft."""
    assert told.loc[("scored curves", "rate at the speed of a search"), "median_pct"] <= 35.0
    assert told.loc[("scored curves", "rate at the speed of a search"), "p90_pct"] <= 80.0


def test_a_search_finds_what_was_run_and_more(stored):
    """Layouts that fit only with a cache had been left out: a rack's wide experts gave half of a run's rate.

    Within 10 %: a run has loads that lie between two of a search, and one session alone waits no longer than its own cap.
    """
    both = stored.dropna(subset=["front"])
    assert (both["searched"] > 0.9 * both["front"]).all()


def test_a_model_that_cannot_draft_is_drafted_for_as_in_its_replays():
    """Replays of MiniMax-M3 reach 376 tok/s; without a draft model none reaches 250."""
    front = agentic_front("b300-hgx", "minimax-m3", mode="aggregated", engine="vllm")
    assert front.tok_s_per_user.max() > 376.0


def test_replays_of_a_model_all_draft_alike():
    runs = catalog.table("agentic_runs")
    assert (runs.groupby("model")[["draft_tokens", "tokens_per_step"]].nunique() == 1).all(axis=None)
    # three drafts accepted at 0.69 each make 1 + 0.69 + 0.69**2 + 0.69**3 tokens
    assert replay_drafts("deepseek-v4-pro") == (3.0, pytest.approx(0.69, abs=0.002))


@pytest.mark.parametrize("mode", ["aggregated", "disaggregated"])
def test_contexts_from_the_host_take_their_time_and_fill_their_lanes(mode):
    """Two GPUs of a prompt's kind at 10 bytes a second each; 20 bytes a request."""
    n = np.array([0.001, 1.0, 1e6])
    rows = {name: np.full(3, value) for name, value in {"tp": 2.0, "pp": 1.0, "gpus": 2.0, "prefill_gpus": 2.0}.items()}
    rows |= {
        "prefill_tp": np.full(3, 2.0),
        "dp_attention": np.zeros(3, bool),
        "prefill_dp_attention": np.zeros(3, bool),
    }
    rows |= {"mode": np.full(3, mode), "concurrency": n}
    if mode == "disaggregated":
        rows |= {"gpus": np.full(3, 50.0), "tp": np.full(3, 8.0)}  # decode's do not read
    found = _with_loading(rows, np.full(3, 4.0), np.full(3, 20.0), 10.0)
    assert found[0] == pytest.approx(5.0, rel=1e-3)  # alone: 4 s, and 20 bytes over two lanes
    assert found[1] == pytest.approx(4.0 + 1.0 / (1.0 - 1.0 / found[1]))
    assert n[2] / found[2] == pytest.approx(1.0, rel=1e-3)  # a request a second at the most
    ranks = rows | {"dp_attention": np.ones(3, bool), "prefill_dp_attention": np.ones(3, bool)}
    assert _with_loading(ranks, np.full(3, 4.0), np.full(3, 20.0), 10.0)[0] == pytest.approx(6.0, rel=1e-3)
    assert _with_loading(rows, np.full(3, 4.0), np.zeros(3), 10.0) == pytest.approx(4.0)


def test_a_row_need_fit_only_at_the_hit_it_settles_at():
    gap = np.where(np.array(HITS)[:, None] < 0.95, 0.5, -0.5)
    found, fits = np.stack([gap, np.array(HITS)[:, None]], axis=1), np.ones((len(HITS), 1), dtype=bool)
    fits[:5] = False
    value, hit = _agreed(found, fits)
    assert value == hit == pytest.approx(0.94)
    fits[5:] = False
    assert np.isnan(_agreed(found, fits)[0]).all()


def test_a_measured_run_is_met_at_its_own_sessions(told):
    assert told.loc[("scored curves", "speed of the run"), "median_pct"] <= 14.0
    assert told.loc[("scored curves", "rate of the run"), "median_pct"] <= 35.0


def test_no_more_than_half_of_the_curves_fit_anything():
    curves = catalog.table("measured_agentic").drop_duplicates("curve")
    assert (curves["split"] == "fit").mean() <= 0.5
    assert catalog.table("measured_agentic").groupby("curve")["split"].nunique().max() == 1


def test_what_is_fitted_lies_in_its_range():
    rows = catalog.table("agentic_parameters")
    assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"])).all()


def test_a_point_and_its_run_agree():
    points = catalog.table("measured_agentic").dropna(subset=["run_id"])
    both = points.merge(catalog.table("agentic_runs"), on="run_id", suffixes=("", "_run"))
    assert len(both) == len(points) == 21
    for name, of_run in (("gpus", "gpus_run"), ("concurrency_sessions", "sessions"), ("curve", "curve_run")):
        assert (both[name] == both[of_run]).all()


def test_a_run_of_more_sessions_is_slower_and_carries_more():
    runs, found = fitted_runs("b300-hgx minimax-m3")
    row = np.flatnonzero((runs["tp"] == 4).to_numpy())
    order = row[np.argsort(runs["sessions"].to_numpy()[row])]
    assert np.all(np.diff(found.turns_per_s[order]) > 0)
    assert np.all(np.diff(found.slow_tpot_s[order]) >= 0)
    assert np.all(found.slow_tpot_s >= found.tpot_s)


def test_one_session_alone_gives_a_turn_in_its_wait_and_service():
    """Where the only session waits, a run goes on after ten seconds: N (1 + s) = C + X z by hand."""
    runs, found = fitted_runs("b300-hgx minimax-m3")
    one = int(np.flatnonzero((runs["sessions"] == 1) & (runs["tp"] == 8))[0])
    seen, used = agentic_sessions(), agentic_parameters()
    wait = np.minimum(seen.wait_s[~seen.first], used.run_idle_cap_s).mean()
    decode = seen.output_tokens.mean() * found.tpot_s[one]
    most = 1.0 / (1.0 - used.subagent_requests) / (wait + decode)
    assert 0.8 * most < found.turns_per_s[one] < most


def test_room_is_counted_in_contexts_with_their_answers(monkeypatch):
    """What a deployment keeps is of sessions' mean contexts: all that a turn sends, and what it answers."""
    seen, asked, counted = agentic_sessions(), [], agentic._room_tokens

    def told(chip, arch, rows, context):
        asked.append(context)
        return counted(chip, arch, rows, context)

    monkeypatch.setattr(agentic, "_room_tokens", told)
    fitted_runs("b300-hgx minimax-m3")
    assert len(asked) == len(HITS)
    assert asked == pytest.approx([seen.input_tokens.mean() + seen.output_tokens.mean()] * len(asked))


def test_the_front_of_runs_holds_only_runs():
    front = run_front("b300-hgx minimax-m3")
    assert set(front.layout) <= set(catalog.table("agentic_runs")["run_id"])
    assert front.rate_at(front.tok_s_per_user[0]) == pytest.approx(front.total_tok_s_per_gpu[0])


@pytest.mark.slow
def test_the_stored_validation_is_what_the_shipped_parameters_give(stored):
    points = measured_points(searched=False)
    for name in ("front", "at_run", "run_speed"):
        np.testing.assert_allclose(points[name], stored[name], rtol=2e-3)


def test_a_rack_of_superchips_has_its_own_host_memory():
    assert cache_tiers("gb200-nvl72").set_index("tier").loc["host memory", "gb_per_gpu"] == 468
    assert cache_tiers("h200-sxm").set_index("tier").loc["host memory", "gb_per_gpu"] == 250
