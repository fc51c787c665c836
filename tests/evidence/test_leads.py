"""Who leads a comparison within the model's error, and how a tie is said."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from rackecon.appraisal.site_limits import leaders, winners
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.evidence.leads import DECIDED_SHARE, ahead, in_order, lead_words, level
from rackecon.walks.latency import tier_table


def rows(*profits: float, revenue: float = 10.0, names: str = "ABCD") -> pd.DataFrame:
    """One comparison, a platform a figure."""
    named = list(names[: len(profits)])
    return pd.DataFrame(
        {
            **{"model": "M", "scenario": "S", "limit": "10 MW", "tok_s_per_user_target": 30.0},
            "accelerator": [name.lower() for name in named],
            "platform": named,
            "profit_usd_per_mw_year": profits,
            "revenue_usd_per_mw_year": revenue,
            "profit_usd_year": profits,
            "revenue_usd_year": revenue,
            **{"cost_usd_per_mtok_output": 1.0, "layout": "L", "total_tok_s_per_gpu": 1.0},
            **{"total_tok_s_per_gpu_low": 0.8, "total_tok_s_per_gpu_high": 1.25},
        }
    )


def room(revenue: float = 10.0) -> float:
    """By hand: half widths of ln 1.25 either way, 0.8416 of 1.6449 standard deviations, two rates whose errors are independent."""
    reach = math.log(1.25) * 0.8416212 / 1.6448536
    return revenue * math.hypot(1.0 - math.exp(-reach), math.exp(reach) - 1.0)


def test_a_lead_that_four_of_five_measurements_would_not_bear_out_is_a_tie() -> None:
    assert room() == pytest.approx(1.62, abs=0.005)
    assert len(ahead(rows(9.0, 9.0 - room() - 1e-5), "profit_usd_year")) == 1
    assert len(ahead(rows(9.0, 9.0 - room() + 1e-5), "profit_usd_year")) == 2
    assert ahead(rows(5.0, 9.0, 8.0, 7.0), "profit_usd_year")["platform"].tolist() == ["B", "C"]
    assert ahead(rows(math.nan), "profit_usd_year").empty
    assert ahead(rows(-1.0, -1.1, revenue=0.0), "profit_usd_year")["platform"].tolist() == ["A"]


def test_ends_of_a_profit_or_of_a_rate_or_of_its_evidence_give_one_answer() -> None:
    low, high = interval_factors("b200-hgx", "deepseek-r1", "aggregated", AT_SPEED, also=())
    near = rows(9.0, 7.5).drop(columns=["total_tok_s_per_gpu_low", "total_tok_s_per_gpu_high"])
    known = near.assign(accelerator=["b200-hgx", "gb200-nvl72"], model="deepseek-r1", mode="aggregated")
    rates = near.assign(total_tok_s_per_gpu_low=low, total_tok_s_per_gpu_high=high)
    paid = near.assign(
        profit_usd_year_low=near["profit_usd_year"] + 10.0 * (low - 1.0),
        profit_usd_year_high=near["profit_usd_year"] + 10.0 * (high - 1.0),
    )
    for frame in (known, rates, paid):
        for gap in (0.5, 4.5):
            moved = frame.assign(profit_usd_year=[9.0, 9.0 - gap])
            if "profit_usd_year_low" in frame:
                moved = moved.assign(
                    profit_usd_year_low=moved["profit_usd_year"] + 10.0 * (low - 1.0),
                    profit_usd_year_high=moved["profit_usd_year"] + 10.0 * (high - 1.0),
                )
            assert len(ahead(moved, "profit_usd_year")) == (2 if gap == 0.5 else 1)


def test_the_rule_is_the_share_of_pairs_of_measurements_in_which_the_first_stays_first() -> None:
    """At the edge of a tie four in five of a million drawn pairs of rates leave the first ahead."""
    draws = np.random.default_rng(5).normal(size=(2, 1_000_000)) * math.log(1.25) / 1.6448536
    first, second = 10.0 * np.exp(draws)
    assert float((first - second > -room()).mean()) == pytest.approx(DECIDED_SHARE, abs=0.01)


def test_rates_and_costs_are_level_by_the_same_rule() -> None:
    reach = math.exp(math.log(1.25) * math.hypot(1.0, 1.0) * 0.8416212 / 1.6448536)
    frame = pd.DataFrame({"accelerator": ["a", "b"], "x": [1.0, reach - 1e-6]})
    ends = frame.assign(x_low=frame["x"] / 1.25, x_high=frame["x"] * 1.25)
    far = frame.assign(x=[1.0, reach + 1e-6])
    far = far.assign(x_low=far["x"] / 1.25, x_high=far["x"] * 1.25)
    assert level(ends, "x")["accelerator"].tolist() == ["b", "a"]
    assert level(ends, "x", most=False)["accelerator"].tolist() == ["a", "b"]
    assert [len(level(far, "x", most=most)) for most in (True, False)] == [1, 1]


def test_equal_ones_come_by_id_and_those_without_a_figure_last() -> None:
    assert in_order(rows(math.nan, 1.0, 2.0, 1.0), "profit_usd_year")["platform"].tolist() == ["C", "B", "D", "A"]


def test_every_leader_column_says_a_tie_as_one_and_what_was_never_measured() -> None:
    """The columns of pages 05, 08, 10 and 14: the tie, then the first of the others."""
    close = rows(9.0, 8.9, 2.0).assign(platform=["B200", "TPU v7", "H200"])
    tie = "tie: B200 and TPU v7 (unmeasured)"
    one = leaders(close, "profit_usd_per_mw_year").iloc[0]
    assert (one["leader"], one["value"], one["runner_up"], one["next_value"]) == (tie, 9.0, "H200", 2.0)
    assert winners(close)["lead"].tolist() == [tie]
    promised = tier_table(close).iloc[0]
    assert (promised["leader"], promised["runner_up"]) == (tie, "H200")


def test_who_comes_next_is_nobody_of_the_tie() -> None:
    """One of a wide error ties past one of a narrow: the narrow one comes next, not the tie's last."""
    wide = rows(9.0, 6.0, 5.0).assign(platform=["B200", "H200", "TPU v7"])
    wide = wide.assign(profit_usd_per_mw_year_high=wide["profit_usd_per_mw_year"] + [1.0, 0.1, 20.0])
    wide = wide.assign(profit_usd_per_mw_year_low=wide["profit_usd_per_mw_year"] - 0.1)
    tie = "tie: B200 and TPU v7 (unmeasured)"
    one, promised = leaders(wide, "profit_usd_per_mw_year").iloc[0], tier_table(wide).iloc[0]
    assert (one["leader"], one["leaders"], one["runner_up"], one["next_value"]) == (tie, "a c", "H200", 6.0)
    assert (promised["leader"], promised["runner_up"]) == (tie, "H200")


def test_where_nobody_earns_the_first_loses_least_and_ties_nobody() -> None:
    lost = rows(-1.0, -1.1, -9.0).assign(platform=["B200", "TPU v7", "H200"])
    least = "least loss: B200 and TPU v7 (unmeasured)"
    assert leaders(lost, "profit_usd_per_mw_year")["leader"].tolist() == [least]
    assert winners(lost)["lead"].tolist() == [least]
    assert tier_table(lost)["leader"].tolist() == [least]
    assert leaders(lost.tail(1), "profit_usd_per_mw_year")["leader"].tolist() == ["least loss: H200"]


def test_a_column_of_who_cannot_serve_stands_only_where_somebody_cannot() -> None:
    some = rows(9.0, 2.0).assign(total_tok_s_per_gpu=[1.0, math.nan])
    assert tier_table(some)["cannot"].tolist() == [some["platform"].iloc[1]]
    assert "cannot" not in tier_table(some.assign(total_tok_s_per_gpu=1.0))


@pytest.mark.parametrize(
    ("profits", "told"),
    [((9.0, 2.0), ("B200", "H200")), ((9.0,), ("B200", "")), ((9.0, 8.9), ("tie: B200 and H200", ""))],
)
def test_a_clear_lead_names_one_and_nobody_follows_where_nobody_is_left(profits, told) -> None:
    table = rows(*profits).assign(platform=["B200", "H200"][: len(profits)])
    one = leaders(table, "profit_usd_per_mw_year").iloc[0]
    assert (one["leader"], one["runner_up"]) == told
    assert winners(table.assign(profit_usd_year=math.nan)).empty
    assert lead_words([]) == ""
