"""What walks find: each figure and name comes from the rows, and other rows give others."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rackecon import catalog
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.evidence.novelty import best_run
from rackecon.figures import charts
from rackecon.pages import context_length, decode_ratio, experts, latency
from rackecon.pages import split as split_page
from rackecon.pages.sentences import say, told
from rackecon.serving.tails import tail_factors
from rackecon.walks import findings
from rackecon.walks import software as software_walk
from rackecon.walks import split as split_walk
from rackecon.walks.walk import HELD, RETUNED, asked_ttft_ms, expert_counts, model_sizes, request_gpu_seconds
from rackecon.words import RUNS, STRETCHES

METRIC = "profit_usd_per_mw_year"


def walk(x: str, rates: dict[str, list[float]], profits: dict[str, list[float]], held: dict[str, list[float]]):
    """Rows of a walk over 1, 2, ... with the columns that the pages read."""
    rows = []
    for line, found in ((RETUNED, rates), (HELD, held)):
        for key, values in found.items():
            for i, rate in enumerate(values):
                profit = profits[key][i] if line == RETUNED else np.nan
                rows.append(
                    {
                        "accelerator": key,
                        "model": "deepseek-r1",
                        "mode": "aggregated",
                        "platform": catalog.accelerator(key).label,
                        x: float(i + 1),
                        "hit": 0.0,
                        "line": line,
                        "total_tok_s_per_gpu": rate,
                        "output_tok_s_per_gpu": rate,
                        METRIC: profit,
                        "prefill_gpu_share": 0.5,
                        "revenue_usd_per_mw_year": profit,
                        "cost_usd_per_gpu_hour": 1.0,
                        "gpus_per_mw": 500.0,
                        "cost_label": "own",
                        "utilisation": 0.6,
                        "power_vintage": "2026-07",
                        "reason": "",
                    }
                )
    return pd.DataFrame(rows)


def ratio(held_loss: float, last_profit: float) -> decode_ratio.RatioResult:
    rates = {"h200-sxm": [10.0, 20.0], "b200-hgx": [10.0, 40.0]}
    profits = {"h200-sxm": [3e6, 2e6], "b200-hgx": [2e6, last_profit]}
    held = {"h200-sxm": [10.0, 20.0 / held_loss], "b200-hgx": [10.0, 40.0]}
    frame = walk("input_per_output", rates, profits, held).assign(input_share=0.5)
    return decode_ratio.ratio_found(frame, frame, 9216, "M")


def test_the_chart_of_held_layouts_draws_whom_its_title_names():
    result = ratio(held_loss=4.0, last_profit=5e6)
    assert result.loss == findings.HeldLoss(4.0, "H200")
    assert "h200-sxm" in result.pair
    assert ratio(held_loss=1.0, last_profit=5e6).loss == findings.HeldLoss(1.0, "")


def test_more_input_earns_more_or_less_as_the_rows_say():
    assert ratio(2.0, 6e6).output_change == 1.0
    assert ratio(2.0, 1e6).output_change == pytest.approx(-1 / 3)


def test_a_lead_smaller_than_the_error_of_the_model_is_a_tie():
    close, clear = ratio(2.0, 2.01e6), ratio(2.0, 6e6)
    assert close.far is not None
    assert clear.far is not None
    # by hand: the gap over the leader's revenue, which the rows set equal to its profit
    assert close.far.flip_rate_loss == pytest.approx(0.01 / 2.01)
    assert close.far.tied
    assert set(close.last) == {"H200", "B200"}
    assert clear.far.flip_rate_loss == pytest.approx(4 / 6)
    assert not clear.far.tied
    assert clear.last == ("B200",)
    # one dollar per GPU-hour, 500 GPUs per MW, 8,760 hours: the cost at which a gap of 4M is gone
    assert clear.far.flip_cost_usd_per_gpu_hour == pytest.approx(1.0 + 4e6 / (500 * 8760))
    assert (clear.far.error_low, clear.far.error_high) == interval_factors(
        "b200-hgx", "deepseek-r1", "aggregated", AT_SPEED, also=()
    )


def test_what_more_input_does_is_said_of_all_platforms_and_not_of_the_one_it_suits():
    result = ratio(2.0, 6e6)
    assert (result.rate_least, result.rate_most) == (2.0, 4.0)
    assert (result.revenue_least, result.revenue_least_on) == (pytest.approx(2 / 3), "H200")
    assert (result.revenue_most, result.revenue_most_on) == (3.0, "B200")
    assert (result.poorer, result.compared) == (1, 2)


def context(profits: list[float], rates: list[float] | None = None, hit: float = 0.0) -> context_length.ContextResult:
    chips = {"h200-sxm": rates or [40.0, 10.0]}
    frame = walk("walked_tokens", chips, {"h200-sxm": profits}, chips)
    return context_length.context_found(frame, hit, "M")


def test_nothing_served_is_said_and_not_a_fault():
    result = context([np.nan, np.nan], [np.nan, np.nan])
    assert not result.served
    assert result.far is None
    assert say("03_context_length", "lead", **told(result)).startswith("No platform serves M")
    assert result.out == (("H200", 1.0, ""),)


def test_a_walk_without_a_cache_and_one_that_loses_are_told():
    result = context([1e6, -5e5])
    assert result.fall == 4.0
    assert result.losing == (("H200", 2.0),)
    assert "to −$500k. On short prompts H200 leads; on long ones H200 loses least." in say(
        "03_context_length", "answer", **told(result)
    )
    assert say("03_context_length", "cached", **told(result)) == ""


def test_the_longest_input_that_is_served_ends_the_answer():
    result = context([1e6, np.nan], [40.0, np.nan])
    assert (result.low, result.end, result.high) == (1, 1, 2)
    assert result.last == ("H200",)


def test_a_request_takes_what_the_rate_says():
    prefill, decode = request_gpu_seconds(8192, 1024, 1000.0, 0.25)
    assert float(prefill + decode) == pytest.approx(9.216)
    assert float(decode / prefill) == pytest.approx(3.0)


def test_it_is_counted_on_how_many_models_a_platform_is_ahead_and_marked_where():
    chips = ("h200-sxm", "b200-hgx")
    counts = walk(
        "experts", {k: [9.0, 6.0] for k in chips}, {k: [2e6, 1e6] for k in chips}, {k: [9.0, 5.0] for k in chips}
    )
    sizes = pd.concat(
        [
            counts[(counts["line"] == RETUNED) & (counts["experts"] == 1.0)].assign(
                model_name=name, **{METRIC: profits}, revenue_usd_per_mw_year=profits
            )
            for name, profits in (("A", [1e6, 3e6]), ("B", [2e6, 1e6]), ("C", [1e6, 2e6]), ("D", [1.99e6, 2e6]))
        ],
        ignore_index=True,
    )
    result = experts.experts_found(counts, counts.rename(columns={"experts": "top_k"}), sizes, "M")
    assert (result.winners, result.sold) == (((3, ("B200",)), (2, ("H200",))), 4)
    ends = {f"{METRIC}_{end}": sizes[METRIC] * factor for end, factor in (("low", 0.5), ("high", 1.5))}
    beside = experts.side_by_side(
        replace(result, sizes=sizes.assign(total_params_bn=1.0, active_params_bn=1.0, **ends))
    )
    assert beside.iloc[:, 1].tolist() == ["$1.00M ($0.50M to $1.50M)", "$3.00M* ($1.50M to $4.50M)"]
    assert [text.count("*") for text in beside.iloc[:, 4]] == [1, 1]
    assert result.loss.ratio == pytest.approx(6 / 5)
    assert set(result.keeps_most) == {"H200", "B200"}
    assert result.most_kept == result.tied_kept == pytest.approx(6 / 9)
    near = counts.assign(
        total_tok_s_per_gpu=counts["total_tok_s_per_gpu"].where(
            counts["platform"] != "B200", [9.0, 5.8] * (len(counts) // 2)
        )
    )
    apart = counts.assign(
        total_tok_s_per_gpu=counts["total_tok_s_per_gpu"].where(
            counts["platform"] != "B200", [9.0, 3.0] * (len(counts) // 2)
        )
    )
    for walked, names in ((near, ("H200", "B200")), (apart, ("H200",))):
        found = experts.experts_found(walked, walked.rename(columns={"experts": "top_k"}), sizes, "M")
        assert found.keeps_most == names
    assert (found.tied_kept, found.keeps_least) == (found.most_kept, "B200")


def test_a_model_that_few_gpus_cannot_read_in_time_is_told_apart():
    """Kimi-K2 drafts nothing: at 60 tok/s/user eight GPUs spend their steps on its weights, where DeepSeek-V3/R1 drafts."""
    fast = replace(catalog.scenario("chat"), tpot_limit_ms=1e3 / 60.0)
    sizes = model_sizes(["b200-hgx", "gb200-nvl72", "mi355x"], ["deepseek-r1", "kimi-k2"], fast)
    found = experts._spread(sizes)
    assert found is not None
    assert (found.model, found.few, found.few_gpus, found.leader) == ("Kimi-K2", ("B200", "MI355X"), 8, "GB200 NVL72")
    assert found.leader_gpus > 8
    assert experts._spread(sizes[sizes["model"] == "deepseek-r1"]) is None


FRONT = pd.DataFrame(
    {
        "accelerator": ["h200-sxm", "h200-sxm", "b200-hgx", "b200-hgx"],
        "model": "deepseek-r1",
        "mode": "aggregated",
        "platform": ["A", "A", "B", "B"],
        "tok_s_per_user": [20.0, 90.0, 30.0, 60.0],
        "total_tok_s_per_gpu": [50.0, 5.0, 100.0, 10.0],
    }
)


@pytest.mark.parametrize(("limit_ms", "most"), [(40.0, ("B",)), (1e3 / 70, ("A",)), (5.0, ())])
def test_a_front_is_named_by_what_it_draws(limit_ms, most):
    rates = {"h200-sxm": [10.0, 5.0]}
    tiers = walk("tok_s_per_user_target", rates, {"h200-sxm": [2e6, 1e6]}, {}).assign(cost_usd_per_mtok_output=1.0)
    firsts = tiers.rename(columns={"tok_s_per_user_target": "ttft_limit_s"})
    case = replace(catalog.scenario("chat"), tpot_limit_ms=limit_ms)
    result = latency.latency_found(FRONT, tiers, firsts, case, "M")
    assert (result.most, result.fastest, result.slowest) == (most, ("A",), "B")
    close = latency.latency_found(FRONT.replace(50.0, 99.0).replace(20.0, 30.0), tiers, firsts, case, "M").most
    assert close == (("B", "A") if limit_ms == 40.0 else most)
    assert result.slow_first == ()
    assert (result.slow, result.fast, result.losing) == (1.0, 2.0, ())


def test_how_much_dearer_a_fast_answer_is_has_the_errors_of_both_costs():
    speeds = walk("tok_s_per_user_target", {"h200-sxm": [10.0, 5.0]}, {"h200-sxm": [2e6, 1e6]}, {}).assign(
        cost_usd_per_mtok_output=[1.0, 3.0],
        cost_usd_per_mtok_output_low=[0.5, 2.0],
        cost_usd_per_mtok_output_high=[2.0, 6.0],
    )
    firsts = speeds.rename(columns={"tok_s_per_user_target": "ttft_limit_s"})
    result = latency.latency_found(FRONT, speeds, firsts, catalog.scenario("chat"), "M")
    assert result.times_low == pytest.approx(3.0 * np.exp(-np.hypot(np.log(1.5), np.log(2.0))))
    assert result.times_high == pytest.approx(3.0 * np.exp(np.hypot(np.log(2.0), np.log(2.0))))


def test_splits_that_do_not_fall_are_counted_and_the_best_gain_is_found():
    h200, mi355x = ("h200-sxm", "H200"), ("mi355x", "MI355X")
    rows = [(*h200, 10.0, 1, 9.0, 2.0), (*h200, 50.0, 1, 6.0, 1.0), (*h200, 50.0, 0, 2.0, 0.0)]
    rows += [(*mi355x, 10.0, 1, 8.0, 1.0), (*mi355x, 50.0, 1, 7.0, 1.5)]
    names = ["accelerator", "platform", "tok_s_per_user_target", "mode", "total_tok_s_per_gpu", "prefill_per_decode"]
    speeds = pd.DataFrame(rows, columns=names).assign(model="deepseek-r1", isl_tokens=8192, osl_tokens=1024)
    speeds = speeds.assign(mode=[split_walk.MODES[n] for n in speeds["mode"]], tok_s_per_user=speeds[names[2]])
    found = pd.DataFrame(
        {
            "accelerator": [h200[0], mi355x[0]],
            "platform": [h200[1], mi355x[1]],
            "model": "deepseek-r1",
            "workload": "W",
            "gain": [1.5, np.nan],
            "text": ["1.50", "only split"],
        }
    )
    result = split_page.split_found(found, speeds, "M", "W")
    assert (result.falling, result.split_platforms, result.moving) == (1, 2, "H200")
    assert (result.at_platform, result.at_speed, result.at_gain) == ("H200", 50.0, 3.0)
    assert (result.slow_split, result.slow_speed, result.fast_split, result.fast_speed) == (2.0, 10.0, 1.0, 50.0)
    assert (result.both, result.wins) == (1, 1)
    low, high = split_walk.gain_ends(h200[0], "deepseek-r1")
    assert (result.most_low, result.most_high) == pytest.approx((1.5 * low, 1.5 * high))
    assert (result.at_low, result.at_high) == pytest.approx((3.0 * low, 3.0 * high))
    assert result.sure == int(1.5 * low > 1.0)
    assert 0 <= result.compared_inside <= result.compared
    assert result.one_way == (("MI355X", "W", "only split"),)
    none = split_page.split_found(found.iloc[1:], speeds.iloc[:0], "M", "W")
    assert (none.both, none.at_platform, none.split_platforms, none.compared, none.sure) == (0, "", 0, 0, 0)


def test_software_runs_to_the_newest_measurement_in_half_years():
    dates = software_walk.software_dates()
    measured = catalog.table("measured_serving")
    assert dates[-1][1] == measured[measured["mode"] != "unstated"]["date"].max() < catalog.base_case().as_of_date
    assert all(day.endswith(("-01-01", "-07-01")) for _, day in dates[:-1])
    assert [year for year, _ in dates] == sorted(year for year, _ in dates)


def test_marks_of_a_stack_lie_apart():
    past = pd.DataFrame(
        {
            "accelerator": "h200-sxm",
            "platform": ["H200 a", "H200 a", "H200 a", "H200 b", "H200 b"],
            "months": [1, 2, 3, 1, 2],
            "gain": [1.0, 2.0, 1.5, 1.0, 1.01],
        }
    )
    out = software_walk.run_marks(past)
    assert out[out["platform"] == "H200 a"].set_index("run")["gain"].to_dict() == {
        "last": 1.5,
        "slowest": 1.0,
        "fastest": 2.0,
    }
    assert out[out["platform"] == "H200 b"]["run"].tolist() == ["last"]


def lever_rows(rows: list[tuple[str, str, list[float]]], bits: str = "FP4") -> pd.DataFrame:
    """Rates in FP8, FP8 with drafting, 4 bit, 4 bit with drafting; the first platform's 4 bit is named ``bits``."""
    return pd.DataFrame(
        [
            {
                "accelerator": chip,
                "platform": name,
                "weight_precision": "FP8" if step[0] == "fp8" else bits if nth == 0 else "FP4",
                "speculative": software_walk.NAMES[step[1]],
                "total_tok_s_per_gpu": rate,
            }
            for nth, (chip, name, rates) in enumerate(rows)
            for step, rate in zip(software_walk.STEPS, rates, strict=True)
        ]
    ).assign(model="deepseek-r1", mode="aggregated", isl_tokens=8192, osl_tokens=1024, asked_tok_s_per_user=30.0)


def test_the_order_in_which_factors_are_counted_is_said_and_4_bit_follows_a_chip_that_has_it():
    """By hand: the baseline gains 2 by drafting, the other 1.25 in 4 bit and 1.6 in FP8."""
    levers = lever_rows(
        [("h200-sxm", "H200", [100.0, 200.0, 100.0, 200.0]), ("b200-hgx", "B200", [250.0, 400.0, 480.0, 600.0])],
        "FP8 (no 4-bit)",
    )
    nobody = pd.DataFrame(columns=["platform", "months", "gain"])
    none = pd.DataFrame(columns=["platform", "year", "total_tok_s_per_gpu", "mode"])
    (lead,) = software_walk.found(levers, nobody, none, "h200-sxm").leads
    # chip, format, drafting; chip, drafting, format; drafting, chip, format
    by_hand = [(2.5, 1.92, 1.25), (2.5, 1.5, 1.6), (2.0, 1.5, 2.0)]
    assert np.allclose(sorted(lead.orders), sorted(by_hand))
    assert all(math.prod(one) == pytest.approx(lead.whole.value) for one in [*lead.orders, lead.factors])
    assert lead.share_ends(2) == pytest.approx((math.log(1.25) / math.log(6.0), math.log(2.0) / math.log(6.0)))
    assert (lead.alone.value, lead.even.value) == (2.5, 3.0)
    assert lead.even.low < 3.0 < lead.even.high


def test_a_lead_is_the_product_of_its_factors_and_its_parts_add_up():
    """Rates by hand: 100 for the baseline; 250, 400 and 600 for the other; no lever depends on another."""
    levers = lever_rows(
        [("h200-sxm", "H200", [100.0, 150.0, 160.0, 240.0]), ("b200-hgx", "B200", [250.0, 375.0, 400.0, 600.0])]
    )
    past = pd.DataFrame({"platform": ["A x", "A x", "B x"], "months": [1, 3, 2], "gain": [1.5, 1.2, 0.9]})
    learnt = pd.DataFrame({"platform": ["A", "A"], "year": [2025.5, 2026.4], "total_tok_s_per_gpu": [10.0, 17.0]})
    learnt["mode"] = ["aggregated", "disaggregated"]
    found = software_walk.found(levers, past, learnt, "h200-sxm")
    (lead,) = found.leads
    assert lead.factors == pytest.approx((2.5, 1.6, 1.5))
    assert lead.whole.value == pytest.approx(6.0)
    assert len(lead.orders) == math.factorial(3)
    low, high = interval_factors("b200-hgx", "deepseek-r1", "aggregated", AT_SPEED, also=())
    assert lead.whole.low == pytest.approx(6.0 * math.exp(-math.hypot(math.log(low), math.log(high))))
    assert lead.whole.high == pytest.approx(6.0 * math.exp(math.hypot(math.log(low), math.log(high))))
    runs = [
        best_run(chip, "deepseek-r1", 8192, 1024, 30.0, kind=kind, weight_precision=bits).total_tok_s_per_gpu
        for chip, kind, bits in (("b200-hgx", RUNS[0], "fp4"), ("h200-sxm", RUNS[1], "fp8"))
    ]
    assert lead.measured == pytest.approx(runs[0] / runs[1])
    assert found.stacks == 2
    assert found.parts["share"].sum() == pytest.approx(1.0)
    assert found.parts["share"].iloc[0] == pytest.approx(0.5114, abs=1e-4)  # ln 2.5 over ln 6
    assert found.measured == (("B x", 0.9), ("A x", 1.2))
    assert found.learnt == ("A", pytest.approx(1.7))
    assert found.runs is None
    run = learnt.assign(until=["2025-07-01", "2026-06-01"], total_tok_s_per_gpu_measured=[8.0, 10.0])
    assert software_walk.found(levers, past, run, "h200-sxm").runs == (
        "2025-07",
        "2026-06",
        pytest.approx(1.25),
        pytest.approx(1.7),
    )
    assert (found.kept, found.resplit) == ((1.2, 1.2), True)
    alike = software_walk.found(levers, past.iloc[2:], learnt.assign(mode="aggregated"), "h200-sxm")
    assert (alike.kept, alike.resplit) == (None, False)
    assert levers["ratio"].tolist() == pytest.approx([1.0, 1.5, 1.6, 2.4, 2.5, 3.75, 4.0, 6.0])
    nothing = software_walk.found(levers, past.head(0), learnt.head(0), "b200-hgx")
    assert (nothing.leads, nothing.measured, nothing.learnt) == ((), (), None)
    assert nothing.missing == ()


def test_a_walk_is_drawn_by_stretches_with_bands_of_the_leaders_and_measured_runs():
    lengths = [1024, 8192, 65536]
    rows = pd.DataFrame(
        {
            "accelerator": np.repeat(["gb200-nvl72", "tpu-v7"], 3),
            "platform": np.repeat(["GB200 NVL72", "TPU v7"], 3),
            "model": "deepseek-r1",
            "isl_tokens": lengths * 2,
            "osl_tokens": 1024,
            "tok_s_per_user": 30.0,
            "prefix_cache_hit": 0.0,
            "total_tok_s_per_gpu": 1e4,
            "revenue_usd_per_mw_year": 10.0,
            "cost_usd_per_mw_year": 4.0,
            METRIC: [6.0, 6.0, 6.0, 5.0, 5.0, 5.0],
            f"{METRIC}_low": 1.0,
            f"{METRIC}_high": 9.0,
        }
    )
    found = findings.drawn(rows, "isl_tokens", METRIC)
    mine = found[found["accelerator"] == "gb200-nvl72"]
    assert mine["isl_tokens"].tolist() == [1024, 8192, 8192, 65536]
    assert [kind.split()[0] for kind in mine["evidence"]] == ["within", "within", "beyond", "beyond"]
    assert mine[f"{METRIC}_low"].notna().all()
    other = found[found["accelerator"] == "tpu-v7"]
    assert set(other["evidence"]) == {"beyond what was measured"}
    assert other[[f"{METRIC}_low", f"{METRIC}_measured"]].isna().all(axis=None)
    best = best_run("gb200-nvl72", "deepseek-r1", 8192, 1024, 30.0).total_tok_s_per_gpu
    assert mine[f"{METRIC}_measured"].iloc[1] == pytest.approx(10.0 * best / 1e4 - 4.0)
    assert math.isnan(mine[f"{METRIC}_measured"].iloc[-1])
    drawn = charts.assumption_lines(found, "isl_tokens", METRIC, title="t", subtitle="s", x_title="x", y_title="y")
    told = json.dumps(drawn.to_dict())
    assert "Band: nine measurements in ten of GB200 NVL72. Measured: at the best public rate" in told
    assert set(found.loc[found[f"{METRIC}_measured"].notna(), "run"]) <= set(RUNS)
    cached = findings.drawn(rows.assign(prefix_cache_hit=0.9), "isl_tokens", METRIC)
    assert cached[f"{METRIC}_measured"].isna().all()


def test_a_measured_run_keeps_the_limit_on_the_first_token_that_is_walked():
    """One run at every limit would say that a machine answers within 0.3 s that needed more."""
    tight, loose = 600.0, 15000.0
    rows = front_rows([30.0, 30.0], [2e4, 2e4]).assign(limit=[tight, loose], asked_ttft_ms=[tight, loose])
    found = findings.drawn(rows, "limit", "total_tok_s_per_gpu")
    marks = dict(zip(found["limit"], found["total_tok_s_per_gpu_measured"], strict=True))
    for limit, rate in marks.items():
        run = best_run("gb200-nvl72", "deepseek-r1", 8192, 1024, 30.0, ttft_limit_ms=limit)
        assert rate == pytest.approx(run.total_tok_s_per_gpu)
    assert marks[tight] < 0.1 * marks[loose]
    promised = asked_ttft_ms(replace(catalog.scenario("rag-summarise"), latency_statistic="p99"))
    assert promised == pytest.approx(5000.0 / tail_factors("p99")[1])


@pytest.mark.parametrize("log", [False, True])
def test_a_chart_says_why_measured_runs_lie_outside_the_interval(log):
    rows = front_rows([20.0, 30.0], [1e5, 1e5])
    found = findings.drawn(rows, "tok_s_per_user", "total_tok_s_per_gpu", "tok_s_per_user")
    assert found["outside"].all()
    chart = charts.assumption_lines(
        found, "tok_s_per_user", "total_tok_s_per_gpu", title="t", subtitle="s", x_title="x", y_title="y", log_y=log
    )
    assert "2 of 2 marks lie outside nine in ten: lines show the best layout" in json.dumps(chart.to_dict())
    near = findings.drawn(front_rows([30.0], [1e4]), "tok_s_per_user", "total_tok_s_per_gpu", "tok_s_per_user")
    assert not near["outside"].any()


def front_rows(speeds: list[float], rates: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "accelerator": "gb200-nvl72",
            "platform": "GB200 NVL72",
            "model": "deepseek-r1",
            "mode": "disaggregated",
            "isl_tokens": 8192,
            "osl_tokens": 1024,
            "tok_s_per_user": speeds,
            "total_tok_s_per_gpu": rates,
        }
    )


def test_a_front_shows_each_measured_run_once_at_the_fastest_place_that_it_keeps():
    best = best_run("gb200-nvl72", "deepseek-r1", 8192, 1024, 30.0)
    rows = front_rows([30.0, 30.1, 900.0], [2e4, 1.9e4, 10.0])
    found = findings.drawn(rows, "tok_s_per_user", "total_tok_s_per_gpu", "tok_s_per_user", front=True)
    marks = found.dropna(subset=["total_tok_s_per_gpu_measured"])
    assert set(marks["tok_s_per_user"]) == {30.1}  # which stands in both stretches
    assert marks["total_tok_s_per_gpu_measured"].tolist() == pytest.approx([best.total_tok_s_per_gpu] * len(marks))
    assert found["evidence"].tolist() == [STRETCHES[0], STRETCHES[0], STRETCHES[1], STRETCHES[1]]


def test_bands_that_a_walk_does_not_bring_are_counted_from_the_rates():
    """A cost per token falls as the rate rises, so that its low end is that of the high rate."""
    rows = front_rows([20.0, 30.0], [2e4, 1e4]).assign(cost_usd_per_mtok_output=[1.0, 2.0])
    found = findings.drawn(rows, "tok_s_per_user", "cost_usd_per_mtok_output", "tok_s_per_user")
    low, high = interval_factors("gb200-nvl72", "deepseek-r1", "disaggregated", AT_SPEED, also=())
    assert found["cost_usd_per_mtok_output_low"].tolist() == pytest.approx([1.0 / high, 2.0 / high])
    assert found["cost_usd_per_mtok_output_high"].tolist() == pytest.approx([1.0 / low, 2.0 / low])


def test_software_of_a_day_before_any_run_lies_beyond_what_was_measured():
    rows = front_rows([30.0, 30.0], [1e4, 1e4]).assign(year=[2025.0, 2026.4], until=["2025-01-01", "2026-05-30"])
    found = findings.drawn(rows, "year", "total_tok_s_per_gpu")
    assert found[found["year"] == 2025.0]["evidence"].tolist() == [STRETCHES[1]]
    assert found[found["year"] == 2025.0]["total_tok_s_per_gpu_measured"].isna().all()
    assert STRETCHES[0] in set(found[found["year"] == 2026.4]["evidence"])


def test_only_the_shipped_number_of_experts_has_measured_runs():
    walk_ = expert_counts(["gb200-nvl72"], "deepseek-r1", catalog.scenario("chat"), [128, 256])
    found = findings.drawn(walk_[walk_["line"] == RETUNED], "experts", "total_tok_s_per_gpu", "asked_tok_s_per_user")
    assert set(found["evidence"]) == {STRETCHES[1]}
    assert found.dropna(subset=["total_tok_s_per_gpu_measured"])["experts"].tolist() == [256]


def both_ways(chips: dict[str, str], speeds: tuple[float, ...]) -> pd.DataFrame:
    """Platforms at promised speeds, shared and split, where splitting gains half."""
    names = ["accelerator", "platform", "tok_s_per_user_target", "mode", "total_tok_s_per_gpu"]
    modes = list(zip(split_walk.MODES, (1e4, 1.5e4), strict=True))
    rows = [(*chip, speed, *mode) for chip in chips.items() for speed in speeds for mode in modes]
    rows = pd.DataFrame(rows, columns=names).assign(model="deepseek-r1", isl_tokens=8192, osl_tokens=1024)
    return rows.assign(tok_s_per_user=rows["tok_s_per_user_target"], prefill_per_decode=1.0)


def test_a_measured_gain_compares_runs_alike_in_number_format_and_drafting():
    """B200 was measured split in FP8 alone: its shared runs in FP4 say nothing of splitting."""
    line = split_walk.gain_lines(both_ways({"b200-hgx": "B200"}, (10.0,))).iloc[0]
    shared, apart = (
        best_run("b200-hgx", "deepseek-r1", 8192, 1024, 10.0, mode=mode, kind=RUNS[1], weight_precision="fp8")
        for mode in split_walk.MODES
    )
    assert line["gain"] == pytest.approx(1.5)
    assert line["gain_measured"] == pytest.approx(apart.total_tok_s_per_gpu / shared.total_tok_s_per_gpu)
    assert line["gain_low"] < 1.5 < line["gain_high"]
    assert apart.total_tok_s_per_gpu < best_run(*("b200-hgx", "deepseek-r1", 8192, 1024, 10.0)).total_tok_s_per_gpu


def test_a_pair_of_runs_counts_once_at_the_fastest_promise_that_it_keeps_and_bands_are_those_of_its_platform():
    chips = {"b200-hgx": "B200", "gb300-nvl72": "GB300 NVL72"}
    lines = split_walk.gain_lines(both_ways(chips, (20.0, 30.0, 50.0)))
    runs = lines.dropna(subset=["gain_measured"]).drop_duplicates(["platform", split_walk.CASE[-1]])
    assert len(runs)
    assert not runs.duplicated(["platform", "gain_measured"]).any()
    assert set(lines.loc[lines["gain_low"].notna(), "platform"]) == set(runs["platform"]) == {"B200"}


def test_kept_layouts_are_drawn_beside_those_searched_anew_by_strength_and_without_bands():
    lengths = [1024, 65536]
    rows = pd.DataFrame(
        {
            "accelerator": "gb200-nvl72",
            "platform": "GB200 NVL72",
            "line": np.repeat([RETUNED, HELD], 2),
            "model": "deepseek-r1",
            "isl_tokens": lengths * 2,
            "osl_tokens": 1024,
            "tok_s_per_user": 30.0,
            "total_tok_s_per_gpu": [1e4, 6e3, 1e4, 2e3],
            "total_tok_s_per_gpu_low": 1e3,
            "total_tok_s_per_gpu_high": 2e4,
        }
    )
    y = "total_tok_s_per_gpu"
    found = findings.drawn_with_kept(rows, ["gb200-nvl72"], "isl_tokens", y)
    searched, held = (found[found["line"] == line] for line in (RETUNED, HELD))
    assert searched[f"{y}_low"].notna().all()
    assert held[[f"{y}_low", f"{y}_high", f"{y}_measured"]].isna().all(axis=None)
    assert "beyond what was measured" in set(held["evidence"])
    assert findings.drawn_with_kept(rows, ["tpu-v7"], "isl_tokens", y).empty
    drawn = charts.assumption_lines(
        found, "isl_tokens", y, dash="line", title="t", subtitle="s", x_title="x", y_title="y"
    ).to_dict()
    assert f"Strong: {RETUNED}; thin: {HELD}. Band: nine" in json.dumps(drawn)
    (widths,) = [part["encoding"]["size"]["scale"] for part in drawn["layer"] if "size" in part["encoding"]]
    assert widths["domain"] == [RETUNED, HELD]
    assert widths["range"][0] > widths["range"][1]
