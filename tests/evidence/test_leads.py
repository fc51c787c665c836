"""Who leads a comparison within the model's error, and how a tie is said."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from rackecon.appraisal.site_limits import leaders, winners
from rackecon.evidence.leads import ahead, in_order, lead_words, rate_error
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
        }
    )


def test_a_lead_within_the_error_of_the_first_ones_revenue_is_a_tie() -> None:
    found = ahead(rows(5.0, 9.0, 8.0, 7.9), "profit_usd_year", 0.1)
    assert found["platform"].tolist() == ["B", "C"]  # by hand: 9 less a tenth of 10 is 8
    assert len(ahead(rows(9.0, 9.0 - 10.0 * rate_error() - 1e-6), "profit_usd_year")) == 1
    assert len(ahead(rows(9.0, 9.0 - 10.0 * rate_error() + 1e-6), "profit_usd_year")) == 2
    assert ahead(rows(math.nan), "profit_usd_year").empty


def test_equal_ones_come_by_id_and_those_without_a_figure_last() -> None:
    assert in_order(rows(math.nan, 1.0, 2.0, 1.0), "profit_usd_year")["platform"].tolist() == ["C", "B", "D", "A"]


def test_every_leader_column_says_a_tie_as_one_and_what_was_never_measured() -> None:
    """The columns of pages 05, 08, 10 and 14: the tie, then the first of the others."""
    close = rows(9.0, 8.9, 2.0).assign(platform=["B200", "TPU v7", "H200"])
    tie = "tie: B200 and TPU v7 (unmeasured platform)"
    one = leaders(close, "profit_usd_per_mw_year").iloc[0]
    assert (one["leader"], one["value"], one["runner_up"], one["next_value"]) == (tie, 9.0, "H200", 2.0)
    assert winners(close)["lead"].tolist() == [tie]
    promised = tier_table(close).iloc[0]
    assert (promised["leader"], promised["runner_up"]) == (tie, "H200")


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
