"""Words of the walks: each figure and name comes from the rows, and other rows give other words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rackecon import catalog
from rackecon.walks import latency as latency_walk
from rackecon.walks import software as software_walk
from rackecon.walks import split as split_walk
from rackecon.walks import stories as walk_stories
from rackecon.walks.walk import HELD, RETUNED

METRIC = "profit_usd_per_mw_year"


def walk(x: str, rates: dict[str, list[float]], profits: dict[str, list[float]], held: dict[str, list[float]]):
    """Rows of a walk over 1, 2, ... with the columns that the stories read."""
    rows = []
    for line, found in ((RETUNED, rates), (HELD, held)):
        for key, values in found.items():
            for i, rate in enumerate(values):
                profit = profits[key][i] if line == RETUNED else np.nan
                rows.append(
                    {
                        "accelerator": key,
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


def ratio(held_loss: float, last_profit: float) -> walk_stories.Story:
    rates = {"h200-sxm": [10.0, 20.0], "b200-hgx": [10.0, 40.0]}
    profits = {"h200-sxm": [3e6, 2e6], "b200-hgx": [2e6, last_profit]}
    held = {"h200-sxm": [10.0, 20.0 / held_loss], "b200-hgx": [10.0, 40.0]}
    frame = walk("input_per_output", rates, profits, held)
    return walk_stories.ratio_story(frame, frame, 9216)


def test_the_chart_of_held_layouts_draws_whom_its_title_names():
    story = ratio(held_loss=4.0, last_profit=5e6)
    assert story.held_title == "Keeping one split divides H200's throughput by up to 4"
    assert "h200-sxm" in story.pair
    assert ratio(held_loss=1.01, last_profit=5e6).held_title == "Searching the layout again hardly matters here"


def test_more_input_earns_more_or_less_as_the_rows_say():
    assert ratio(2.0, 6e6).cached_title == "At the same output, 2 input tokens per output earn 100 % more than 1"
    assert ratio(2.0, 1e6).cached_title == "At the same output, 2 input tokens per output earn 33 % less than 1"


def test_a_small_lead_is_not_told_as_none():
    assert "throughput were 0.5 % lower" in ratio(2.0, 2.01e6).flip
    assert "throughput were 67 % lower" in ratio(2.0, 6e6).flip


def test_a_winner_of_several_models_is_named_once():
    chips = ("h200-sxm", "b200-hgx")
    counts = walk(
        "experts", {k: [9.0, 6.0] for k in chips}, {k: [2e6, 1e6] for k in chips}, {k: [9.0, 5.0] for k in chips}
    )
    sizes = pd.concat(
        [
            counts[(counts["line"] == RETUNED) & (counts["experts"] == 1.0)].assign(
                model_name=name, **{METRIC: profits}
            )
            for name, profits in (("A", [1e6, 3e6]), ("B", [2e6, 1e6]), ("C", [1e6, 2e6]))
        ],
        ignore_index=True,
    )
    story = walk_stories.expert_story(counts, counts.rename(columns={"experts": "top_k"}), sizes)
    assert story.meaning == "Most profit per MW on real models: B200 on A and C; H200 on B."


def test_the_unit_of_a_lead_stands_once_and_agrees():
    story = ratio(2.0, 6e6)
    assert story.answer[1] == "H200 leads at first, then B200 from 2 input tokens per output token."
    assert "cheap to sell" in story.answer[0]
    # revenue that grows as the rate does is not said to be cheap
    assert "cheap to sell" not in ratio(2.0, 60e6).answer[0]


def test_a_front_is_named_by_what_it_draws():
    front = pd.DataFrame(
        {
            "platform": ["A", "A", "B", "B"],
            "tok_s_per_user": [20.0, 90.0, 30.0, 60.0],
            "total_tok_s_per_gpu": [50.0, 5.0, 100.0, 10.0],
        }
    )
    title = latency_walk._front_title
    assert title(front, 25.0) == "B makes most tokens at 25 tok/s/user, A reaches the highest speed"
    assert title(front, 70.0) == "A makes most tokens at 70 tok/s/user and reaches the highest speed"
    assert title(front, 200.0) == "Nobody keeps 200 tok/s/user; A is fastest"


def test_splits_that_do_not_fall_are_counted():
    ends = pd.DataFrame({"first": [2.0, 1.0], "last": [1.0, 1.5]}, index=["A", "B"])
    assert split_walk._split_title(ends).endswith("on 1 of 2 platforms")
    assert split_walk._split_title(ends.iloc[:1]) == "A faster promise needs fewer prefill GPUs per decode GPU"


def test_software_runs_to_the_report_date_in_half_years():
    dates = software_walk.software_dates()
    assert dates[-1][1] == catalog.base_case().as_of_date
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
