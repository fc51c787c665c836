"""What is new to the fit, how wide that makes an interval, and searched fronts beside measured ones."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rackecon import catalog
from rackecon.evidence import fronts, public_fronts, validation
from rackecon.evidence.calibration import homes_of
from rackecon.evidence.fronts import both_ratio, front_ranges, front_repeats, front_scores
from rackecon.evidence.intervals import AT_SPEED, evidence_class, interval_columns, interval_factors
from rackecon.evidence.measured import load_evidence
from rackecon.evidence.novelty import ALSO_NEW, fitted_pairs, novelty
from rackecon.evidence.record import NEW, SCHEMES
from rackecon.evidence.residual import corrected_logs, fit_first_token, fit_residual
from rackecon.evidence.scores import QUANTITIES
from rackecon.evidence.validation import SHUFFLES, HeldOut
from rackecon.performance.parameters import load_parameters
from rackecon.serving.corrections import without_history
from rackecon.serving.points import Points
from rackecon.serving.predict import predict, prepare
from rackecon.walks.findings import METRIC, leaders_at


def test_front_scores_of_two_points_by_hand():
    points = pd.DataFrame(
        {
            "split_group": ["a", "a", "b"], "shuffle": 1, "accelerator": ["x", "x", "y"], "mode": ["aggregated"] * 3,
            "tok_s_per_user": [10.0, 150.0, 30.0], "log_ratio": [np.log(0.5), np.nan, np.log(1.25)],
            "log_ratio_both": np.log([0.8, 1.25, 0.8]), "measured": 100.0, "own": [130.0, 300.0, np.nan],
        }
    )  # fmt: skip
    found = front_scores(points).set_index("slice")
    assert found.loc["all", ["points", "sweeps", "unreached"]].tolist() == [2, 2, 1]
    assert found.loc["accelerator x", "median_pct"] == pytest.approx(100.0)  # searched twice the measured
    assert found.loc["accelerator y", "median_pct"] == pytest.approx(20.0)
    assert found.loc[["all", "accelerator y"], "both_pct"].tolist() == pytest.approx([25.0, 25.0])
    assert found.loc["all", "own_pct"] == pytest.approx(30.0)  # where both reach: 300 stands where no search does
    assert found.loc["all", "bias_log"] == pytest.approx(0.5 * (np.log(0.5) + np.log(1.25)))
    assert "band beyond 140 tok/s/user" not in found.index
    assert found["inside_pct"].isna().all()  # nobody asked
    found = front_scores(points.assign(inside=[0.0, np.nan, 1.0])).set_index("slice")
    assert found.loc[["all", "accelerator x", "accelerator y"], "inside_pct"].tolist() == [50.0, 0.0, 100.0]


def test_sweeps_drawn_again_leave_a_bias_open_where_they_are_few_and_unlike():
    """By hand: of two sweeps drawn twice, one in four draws holds the first alone, one in four the second alone."""
    of = {"accelerator": "x", "mode": "aggregated", "tok_s_per_user": 30.0, "shuffle": 1}
    rows = [of | {"split_group": "a", "log_ratio": np.log(0.5)}, of | {"split_group": "b", "log_ratio": np.log(1.25)}]
    unreached = [of | {"split_group": "b", "log_ratio": np.nan}]
    two = front_ranges(pd.DataFrame(rows + unreached), ["all"]).iloc[0]
    assert two[["bias_low_log", "bias_high_log"]].tolist() == pytest.approx([np.log(0.5), np.log(1.25)])
    assert two[["median_low_pct", "median_high_pct"]].tolist() == pytest.approx([20.0, 100.0])
    one = front_ranges(pd.DataFrame(rows[:1] * 5), ["all", "mode aggregated"])
    assert one[["bias_low_log", "bias_high_log"]].to_numpy() == pytest.approx(
        np.log(0.5)
    )  # a sweep has nobody to differ from
    many = [of | {"split_group": str(i), "log_ratio": x} for i, x in enumerate(np.linspace(-0.2, 0.4, 64))]
    found = front_ranges(pd.DataFrame(many), ["all"]).iloc[0]
    assert (
        -0.02 < found["bias_low_log"] < 0.1 < found["bias_high_log"] < 0.22
    )  # of 64, nine in ten medians: ranks 26 to 39
    drawn = fronts._drawn_medians(np.array([3.0, 1.0, 2.0]), np.array([[1, 1, 0], [0, 0, 0], [1, 2, 2], [2, 1, 0]]))
    assert drawn == pytest.approx([2.0, np.nan, 2.0, 3.0], nan_ok=True)


def test_ranges_of_shipped_fronts_hold_their_figures():
    points = catalog.table("validation_fronts")
    found = front_scores(points)
    ranges = found.merge(front_ranges(points, found["slice"]), on="slice")
    for figure, low, high in (
        ("median_pct", "median_low_pct", "median_high_pct"),
        ("bias_log", "bias_low_log", "bias_high_log"),
    ):
        assert (ranges[low] <= ranges[figure]).all(), figure
        assert (ranges[figure] <= ranges[high]).all(), figure


def test_a_front_moved_by_a_factor_on_both_axes_is_off_by_it():
    speed, rate = np.array([10.0, 40.0, 80.0]), np.array([4000.0, 3000.0, 500.0])
    for by in (0.7, 1.0, 1.3):
        for at in ((10.0, 4000.0), (40.0, 3000.0), (80.0, 500.0), (80.0, 100.0), (5.0, 4000.0)):
            assert both_ratio(speed, rate, by * at[0], by * at[1]) == pytest.approx(np.log(by), abs=1e-12)
    assert np.isnan(both_ratio(speed[:0], rate[:0], 10.0, 10.0))


def test_a_sweep_predicted_exactly_meets_its_own_front_and_one_off_by_a_factor_lies_off_by_it():
    known = load_evidence()
    one = max(public_fronts.public_fronts(known), key=lambda front: len(front.rows))
    assert set(one.rows) <= set(one.every)
    for rate in (1.0, 1.2):
        off = np.full(len(known), np.log(rate))
        held = HeldOut(off, np.zeros(len(known)), off, off, one.rows, {})
        own = fronts.own_front(one, known, held)
        for row in one.rows:
            speed, measured = known.tok_s_per_user[row], known.total_tok_s_per_gpu[row]
            assert fronts._at(float(speed), *own) == pytest.approx(rate * measured)
        assert np.isnan(fronts._at(1.01 * float(known.tok_s_per_user[one.every].max()), *own))
    empty = fronts.own_front(one, known, replace(held, tok_s_per_user=np.full(len(known), np.nan)))
    assert np.isnan(fronts._at(30.0, *empty))


def test_a_searched_rate_twice_the_measured_one_is_off_by_the_log_of_two(monkeypatch: pytest.MonkeyPatch):
    """Of one row on a public front, at its own speed; all others were not held against one."""
    known = load_evidence()
    row = int(public_fronts.public_fronts(known)[0].rows[0])
    speed, rate = (float(of[row]) for of in (known.tok_s_per_user, known.total_tok_s_per_gpu))
    front = SimpleNamespace(rate_at=lambda at: 2.0 * rate if at == speed else np.nan)
    monkeypatch.setattr(validation, "searched_by_home", lambda *_: [(None, row, front)])
    found = validation._at_speed(known, np.zeros(len(known), dtype=int), {})
    assert found[row] == pytest.approx(np.log(2.0))
    assert np.isfinite(found).sum() == 1


def test_repeats_of_a_front_on_the_same_build_lie_together_and_later_ones_apart():
    known = load_evidence()
    found = front_repeats(known)
    assert found["days"].tolist() == ["1 to 7", "8 to 30", "31 to 60", "61 to 120"]
    assert found["median_pct"].is_monotonic_increasing
    assert found["median_pct"].iloc[0] < 2.0 < 10.0 < found["median_pct"].iloc[2]
    alike = replace(known, total_tok_s_per_gpu=2000.0 / known.tok_s_per_user)
    assert front_repeats(alike)["both_pct"].max() <= front_repeats(alike)["median_pct"].max()


def test_shipped_fronts_hold_every_band_and_are_those_of_the_table():
    points = catalog.table("validation_fronts")
    found = front_scores(points).set_index("slice")
    known = points[points["log_ratio"].notna()]
    assert found.loc["all", "points"] == (known["shuffle"] == 1).sum()
    each = [front_scores(part).set_index("slice").loc["all", "median_pct"] for _, part in points.groupby("shuffle")]
    assert len(each) == SHUFFLES
    assert found.loc["all", "median_pct"] == pytest.approx(np.mean(each))
    ratio = np.log(known["measured"] / known["searched"]).to_numpy()
    assert ratio == pytest.approx(known["log_ratio"].to_numpy(), abs=2e-4)
    assert sum(name.startswith("band ") for name in found.index) == 6
    inside = front_scores(fronts.with_inside(points)).set_index("slice")["inside_pct"]
    assert 86.0 <= inside["all"] <= 94.0


def test_only_fitted_rows_make_a_pair_known():
    measured = catalog.table("measured_serving")
    unstated = measured[(measured["accelerator"] == "mi355x") & (measured["model"] == "minimax-m2.5")]
    assert len(unstated) > 0
    assert ("mi355x", "minimax-m2.5") not in fitted_pairs()
    assert evidence_class("mi355x", "minimax-m2.5", "aggregated") == "new pair aggregated"
    assert evidence_class("h100-sxm", "deepseek-v4-pro", "aggregated") == "new model aggregated"
    assert evidence_class("tpu-v7", "deepseek-v4-pro", "aggregated") == "new both aggregated"
    assert novelty("h200-sxm", "deepseek-r1", "vllm", 1024, 1024).engine_new


def test_choices_of_searches_make_nothing_known():
    rows = catalog.read_rows("serving_residual")
    chosen = [row for row in rows if row["kind"] == "choice"]
    assert {row["kind"] for row in rows} == {"measured", "choice", "first token"}
    measured = {(row["accelerator"], row["model"]) for row in rows if row["kind"] == "measured"}
    assert fitted_pairs() == measured
    assert {row["point_id"].split(" ")[-1] for row in chosen} <= {row["point_id"] for row in rows}


@pytest.mark.parametrize("quantity", ["total_tok_s_per_gpu", "tok_s_per_user"])
def test_intervals_widen_with_what_is_new_and_with_the_date(quantity):
    def width(*args, **more):
        low, high = interval_factors(*args, quantity, **more, also=())
        return np.log(high / low)

    known = width("b200-hgx", "deepseek-r1", "aggregated")
    assert known < width("b200-hgx", "mixtral-8x7b", "aggregated") < width("tpu-v7", "deepseek-v4-pro", "aggregated")
    late = [width("b200-hgx", "deepseek-r1", "aggregated", years_beyond=x) for x in (0.0, 0.25, 1.0)]
    assert late[0] == known < late[1] < late[2]


def test_every_class_covers_nine_cases_in_ten_of_what_was_held_out():
    """By homes held against the others; the widening is the others' too where they are five or more."""
    scored = catalog.table("validation_intervals")
    assert set(scored["evidence"]) == {"known", *NEW}
    assert scored["coverage_pct"].between(86.0, 94.0).all()


def test_both_ways_are_the_other_tables_beside_physics_alone():
    """Same rows, same folds: what is learnt is as in the other tables, and nears what the fit had not seen."""
    both = catalog.table("validation_physics").set_index(["scheme", "slice", "quantity"])
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])
    fits = both[both.index.get_level_values("scheme") != "searched fronts"]
    assert (fits["median_pct"] - scores.loc[fits.index, "median_pct"]).abs().max() == 0.0
    assert (fits["points"] == scores.loc[fits.index, "points"]).all()
    intervals = catalog.table("validation_intervals").set_index(["evidence", "quantity"])
    for evidence, scheme in SCHEMES.items():
        for quantity in ("total_tok_s_per_gpu", "tok_s_per_user"):
            row = both.loc[(scheme, "all with load", quantity)]
            assert row["weighted_score"] == intervals.loc[(evidence, quantity), "weighted_score"]
            # of a model never seen nothing was learnt: its intervals are those of physics
            assert row["weighted_score"] < row["physics_weighted_score"] * (1.01 if evidence == "new model" else 1.0)
    seen = both[both.index.get_level_values("scheme") == "held-out curves"]
    first = seen.index.get_level_values("quantity") == "ttft_ms"  # of AMD's, physics alone is as near
    assert (seen["median_pct"] < seen["physics_median_pct"] * np.where(first, 1.04, 1.0)).all()
    whole = front_scores(catalog.table("validation_fronts")).iloc[0]
    front = both.loc[("searched fronts", "at equal speed", "total_tok_s_per_gpu")]
    assert front["median_pct"] == pytest.approx(whole["median_pct"], rel=1e-4)
    assert front["points"] == whole["points"]


def test_physics_alone_has_its_own_residuals_and_no_process():
    zero, one = np.zeros(2), np.ones(2)
    held = HeldOut(
        zero, zero, zero, zero, np.array([0, 0]), {0: load_parameters()}, (one, 2.0 * one, 3.0 * one)
    ).alone()
    assert [held.by_name(name)[0] for name in QUANTITIES] == [1.0, 2.0, 3.0]
    assert held.parameters[0].residual is None
    assert held.parameters[0].first_token is None


@pytest.mark.slow
def test_the_shipped_residual_is_that_of_the_shipped_physics():
    evidence, shipped = load_evidence(), load_parameters()
    again = fit_residual(evidence, shipped).residual
    sites = evidence.prepared.sites
    for fresh, kept in zip(again.mean(sites), shipped.residual.mean(sites), strict=True):
        assert fresh == pytest.approx(kept, abs=2e-3)
    for mode, fresh in fit_first_token(evidence, shipped).items():
        at = sites.select((evidence.frame["mode"] == mode).to_numpy())
        assert fresh.residual.mean(at)[0] == pytest.approx(shipped.first_token[mode].mean(at)[0], abs=5e-3)
    with_it, without = (corrected_logs(evidence, p)[0] for p in (shipped, shipped.with_intercepts({})))
    use = evidence.newest & ~evidence.broken
    error = [np.median(np.abs(x - np.log(evidence.total_tok_s_per_gpu))[use]) for x in (with_it, without)]
    assert error[0] < 0.06 < error[1]


WIDE = {
    "accelerator": "h100-sxm", "model": "deepseek-r1", "weight_precision": "fp8", "kv_precision": "bf16",
    "engine": "dynamo-sglang", "mode": "disaggregated", "isl": 2000, "osl": 100, "date": "2025-05-05",
    "tp": 72, "ep": 72, "dp_attention": True, "decode_workers": 1, "decode_gpus": 72,
    "prefill_tp": 32, "prefill_ep": 32, "prefill_dp_attention": True,
}  # fmt: skip


def test_wide_experts_between_nodes_match_the_public_replication():
    """96 H100, 2,000 tokens in, 256 requests a decode GPU: 52.3k in per prefill node, 22.3k out per decode node of 8.

    LMSYS, "Deploying DeepSeek with PD Disaggregation and Large-Scale Expert Parallelism on 96 H100 GPUs", 2025-05-05.
    Not fitted, but the estimates ``exposed.wide`` and ``a2a_start.wide`` were made with these figures in view. Operators of
    wide deployments wrote their own engines: no trend of public builds.
    """
    rows = [
        {**WIDE, "prefill_workers": n, "prefill_gpus": 32 * n, "gpus": 72 + 32 * n, "concurrency": c}
        for n, c in ((1, 20000), (20, 20500))
    ]
    found = predict(Points.from_rows(rows), without_history(load_parameters()))
    requests = found.total_tok_s_per_gpu * np.array([row["gpus"] for row in rows]) / 2100.0
    assert requests[0] * 2000 / 4 == pytest.approx(52300, rel=0.25)
    assert requests[1] * 100 / 9 == pytest.approx(22300, rel=0.25)


def test_a_day_of_wide_experts_matches_the_published_one():
    """DeepSeek's day to 2025-02-28: 608 and 168 billion tokens over 226.75 nodes of 8 at 20 to 22 tok/s/user.

    Mean context per output token 4,989 and 3.62 tokens in per token out make 4,383 in and 1,211 out; 56.3 % cached.
    Pools of the size that keeps prefill busy: with the published share of prefill nodes (13 to 18) it is 27 % low. The
    estimates of the test above apply. The load is not published: it is the one that gives the published speed.
    """
    row = {
        **WIDE, "accelerator": "h800-sxm", "isl": 4383, "osl": 1211, "prefix_cache_hit": 0.563, "tp": 144, "ep": 144,
        "decode_workers": 3, "decode_gpus": 432, "prefill_workers": 5, "prefill_gpus": 160, "gpus": 592,
        "draft_tokens": 1, "speculative": "mtp", "concurrency": 28000, "date": "2025-02-27",
    }  # fmt: skip
    found = predict(Points.from_rows([row]), without_history(load_parameters()))
    measured = (608e9 + 168e9) / 86400.0 / (226.75 * 8)
    assert 20.0 <= found.tok_s_per_user[0] <= 22.5
    assert found.total_tok_s_per_gpu[0] == pytest.approx(measured, rel=0.25)


def test_a_residual_without_points_is_the_physics():
    used = load_parameters()
    row = {**WIDE, "tp": 16, "ep": 16, "prefill_tp": 16, "prefill_ep": 16, "decode_gpus": 16, "prefill_workers": 1,
           "prefill_gpus": 16, "gpus": 32, "concurrency": 64}  # fmt: skip
    kept = used.residual
    empty = replace(kept, sites=kept.sites.select(np.arange(0)), total=np.zeros(0), user=np.zeros(0), noise=np.zeros(0))
    found = [
        predict(Points.from_rows([row]), p).tok_s_per_user[0]
        for p in (replace(used, residual=empty), used.with_intercepts({}), used)
    ]
    assert found[0] == pytest.approx(found[1])
    assert found[2] != pytest.approx(found[1], rel=1e-3)


def test_the_first_token_has_a_process_by_mode_and_one_far_from_all_is_the_physics():
    used = load_parameters()
    assert set(used.first_token) == {"aggregated", "disaggregated"}
    row = {"accelerator": "b200-hgx", "model": "deepseek-r1", "weight_precision": "fp8", "engine": "trtllm",
           "mode": "aggregated", "tp": 8, "ep": 1, "isl": 8192, "osl": 1024, "gpus": 8, "concurrency": 64}  # fmt: skip
    rows = [row, row | {"accelerator": "tpu-v7", "engine": "vllm-tpu"}]
    found, plain = (predict(Points.from_rows(rows), p).ttft_ms for p in (used, used.with_intercepts({})))
    shift = used.first_token["aggregated"].mean(prepare(Points.from_rows(rows)).sites)[0]
    assert found == pytest.approx(plain * np.exp(shift), rel=1e-9)
    assert abs(shift[0]) > 0.01
    assert shift[1] == 0.0


def test_a_leader_that_was_never_measured_is_named_so():
    rows = pd.DataFrame(
        {
            "x": 1, "platform": ["TPU v7", "GB200 NVL72"], "accelerator": ["tpu-v7", "gb200-nvl72"], "model": "deepseek-r1",
            "isl_tokens": 8192, "osl_tokens": 1024, "tok_s_per_user": 40.0, METRIC: [9.0, 8.9],
            "revenue_usd_per_mw_year": 10.0, "mode": "aggregated",
        }
    )  # fmt: skip
    assert leaders_at(rows, "x", 1) == ("TPU v7 (unmeasured)", "GB200 NVL72")


def test_what_else_is_new_widens_by_what_its_class_is_wider():
    """Of a known pair the ends are those of the class where it is wider; searched rates at new lengths have the known ones."""
    table = catalog.table("residual_scales").set_index(["evidence", "quantity"])
    pair, mode = ("h200-sxm", "deepseek-r1"), "aggregated"
    for name in ALSO_NEW:
        for quantity in (*QUANTITIES, AT_SPEED):
            plain = np.log(interval_factors(*pair, mode, quantity, also=()))
            wide = np.log(interval_factors(*pair, mode, quantity, also=(name,)))
            if (f"{name} {mode}", quantity) not in table.index:
                assert (name, quantity) == ("new lengths", AT_SPEED)
                assert wide.tolist() == plain.tolist()
                continue
            row = table.loc[(f"{name} {mode}", quantity)]
            assert wide[0] == pytest.approx(min(plain[0], row["log_low"]))
            assert wide[1] == pytest.approx(max(plain[1], row["log_high"]))
            assert wide[1] - wide[0] > plain[1] - plain[0]


def test_rows_of_a_table_know_what_else_is_new():
    row = {
        "accelerator": ["h200-sxm"] * 3,
        "model": ["deepseek-r1"] * 3,
        "mode": ["aggregated"] * 3,
        "ttft_ms": [1.0] * 3,
    }
    row |= {
        "engine": ["sglang", "vllm", "sglang"],
        "isl_tokens": [8192.0, 8192.0, 131072.0],
        "osl_tokens": [1024.0] * 3,
    }
    known, engine, lengths = (interval_columns(row)["ttft_ms_high"]).tolist()
    assert known < min(engine, lengths)
    assert interval_columns({k: v for k, v in row.items() if k != "engine"})["ttft_ms_high"].tolist() == [
        known,
        known,
        lengths,
    ]


def test_an_engine_is_left_out_of_a_platform_that_others_ran_on():
    known = load_evidence()
    homes = homes_of(known, "engine")
    frame = known.frame.assign(home=homes)
    alone = frame[frame["accelerator"].isin(["mi300x", "l40s"])]
    assert (alone["home"] == -1).all()
    for engine in ("trtllm", "dynamo-trtllm"):  # one family
        assert frame[(frame["accelerator"] == "h100-sxm") & (frame["engine"] == engine)]["home"].nunique() == 1
    both = frame[(frame["accelerator"] == "mi355x")].groupby("engine")["home"].unique()
    assert set(both["atom"]).isdisjoint(both["mori-sglang"])


def test_each_set_of_lengths_of_sweeps_is_left_out_alone():
    known = load_evidence()
    homes = homes_of(known, "lengths")
    frame = known.frame.assign(home=homes)[~known.throughput_only]
    sets = frame.groupby("home")[["isl", "osl"]].agg(lambda x: len(set(np.round(np.log2(x)))))
    assert len(sets) == 3
    assert (sets == 1).all().all()
