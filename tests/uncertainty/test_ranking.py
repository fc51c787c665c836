"""Ranking: order, paired draws, the three verdicts, and draws that repeat."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rackecon.errors import InputError
from rackecon.evidence.leads import DECIDED_SHARE
from rackecon.uncertainty.distributions import distributions
from rackecon.uncertainty.ranking import RankingDraws, profit_draws, rank, sharing, verdicts


def frame(revenue, *, spread=1.2, cost=1.0, scenario="chat"):
    count = len(revenue)
    table = pd.DataFrame(
        {
            "model": "m",
            "scenario": scenario,
            "accelerator": [f"p{i}" for i in range(count)],
            "total_tok_s_per_gpu": 1000.0,
            "total_tok_s_per_gpu_low": 1000.0 / spread,
            "total_tok_s_per_gpu_high": 1000.0 * spread,
            "revenue_usd_per_gpu_hour": np.asarray(revenue, dtype=float),
            "cost_usd_per_gpu_hour": cost,
            "cost_usd_per_gpu_hour_low": cost,
            "cost_usd_per_gpu_hour_high": cost,
            "gpus_per_rack": 72.0,
            "utilisation": 0.6,
            "price_level_low": 0.5,
            "price_level_high": 1.5,
            "reason": "",
        }
    )
    table["profit_usd_per_rack_year"] = (table["revenue_usd_per_gpu_hour"] - cost) * 72 * 8760
    return table


def test_clear_lead_wins_nearly_every_draw():
    out = rank(frame([2.0, 5.0, 3.0]))
    assert list(out["accelerator"]) == ["p1", "p2", "p0"]
    assert out["win_share"].iloc[0] > 0.95
    assert set(out["verdict"]) == {"p1"}


def test_equal_platforms_are_too_close_to_call():
    out = rank(frame([3.0, 3.0, 2.99]))
    assert set(out["verdict"]) == {"too close to call"}
    assert out["accelerator"].iloc[0] == "p0"  # a tie is broken by id


def test_when_all_lose_nobody_earns():
    out = rank(frame([0.2, 0.3]))
    assert set(out["verdict"]) == {"nobody earns"}


def test_who_never_earns_shares_no_lead():
    out = rank(frame([1.1, 0.2], spread=2.0))
    first, second = out["win_share"]
    assert 0.0 == second < first < DECIDED_SHARE
    assert set(out["verdict"]) == {"earns alone"}
    assert set(rank(frame([1.1, 1.0], spread=2.0))["verdict"]) == {"too close to call"}


def test_row_without_result_comes_last_and_never_wins():
    table = frame([2.0, 9.0])
    table.loc[1, ["revenue_usd_per_gpu_hour", "profit_usd_per_rack_year"]] = np.nan
    table.loc[1, "reason"] = "does not fit"
    out = rank(table)
    assert list(out["accelerator"]) == ["p0", "p1"]
    assert out["rank"].tolist() == [1, 0]
    assert out["wins"].iloc[1] == 0
    empty = frame([np.nan])
    assert set(rank(empty)["verdict"]) == {"no result"}


def held_but_rate(**settings):
    return RankingDraws(held=("price_level", "utilisation", "capex"), **settings)


def test_shared_error_leaves_order_alone_where_own_error_does_not():
    table = frame([3.0, 2.6], spread=1.5)
    rate = distributions()["rate_error"]
    rest = {name: item for name, item in distributions().items() if name != "rate_error"}
    shared = {**rest, "rate_error": replace(rate, loadings={"serving": 1.0})}
    alone = {**rest, "rate_error": replace(rate, loadings={})}
    paired = rank(table, settings=held_but_rate(inputs=shared))
    apart = rank(table, settings=held_but_rate(inputs=alone))
    assert paired["win_share"].iloc[0] > 0.999
    assert apart["win_share"].iloc[0] < 0.9


def test_draws_repeat_and_match_the_stated_interval():
    settings = held_but_rate(draws=16_384)
    table = frame([3.0, 2.0])
    first = profit_draws(table, "profit_usd_per_rack_year", settings)
    assert np.array_equal(first, profit_draws(table, "profit_usd_per_rack_year", settings))
    revenue = first[0] / (72 * 8760) + 1.0
    assert np.quantile(revenue, [0.05, 0.95]) == pytest.approx([3.0 / 1.2, 3.0 * 1.2], rel=0.01)


def test_headline_is_the_middle_of_the_draws():
    """Every input's median is the base case; a product of skewed inputs stays near it."""
    drawn = profit_draws(frame([3.0, 2.0]), "profit_usd_per_rack_year", RankingDraws(draws=16_384))
    revenue = drawn / (72 * 8760) + 1.0
    assert np.median(revenue, axis=1) == pytest.approx([3.0, 2.0], rel=0.1)
    assert np.mean(revenue[0] < 3.0) == pytest.approx(0.5, abs=0.1)


def test_rent_is_a_contract_and_does_not_vary():
    table = frame([3.0, 2.0]).assign(running_usd_per_gpu_hour=1.0)
    settings = RankingDraws(held=("rate_error", "price_level", "utilisation"))
    assert np.ptp(profit_draws(table, "profit_usd_per_rack_year", settings), axis=1) == pytest.approx(0.0, abs=1e-6)
    owned = profit_draws(frame([3.0, 2.0]), "profit_usd_per_rack_year", settings)
    assert (np.ptp(owned, axis=1) > 0).all()


def test_verdicts_hold_one_row_a_comparison():
    table = pd.concat([frame([2.0, 5.0]), frame([0.1, 0.2], scenario="rag")])
    out = verdicts(rank(table))
    assert list(out["verdict"]) == ["p1", "nobody earns"]
    assert out["runner_up"].iloc[0] == "p0"


def test_unknown_metric_is_named():
    with pytest.raises(InputError, match="unknown metric 'profit': nearest is"):
        rank(frame([1.0]), metric="profit")


def test_sold_share_widens_the_interval():
    wide = rank(frame([3.0, 2.0]), settings=RankingDraws(draws=512))
    narrow = rank(frame([3.0, 2.0]), settings=RankingDraws(draws=512, held=("utilisation",)))
    assert (wide["value_high"] - wide["value_low"]).iloc[0] > (narrow["value_high"] - narrow["value_low"]).iloc[0]


@pytest.mark.parametrize(
    ("wins", "names"),
    [([0.1, 0.5, 0.15, 0.25], ["B", "D", "C"]), ([0.5, 0.35, 0.15], ["A", "B"]), ([0.9, 0.1], ["A", "B"]), ([0.04, 0.96], ["B", "A"]), ([0.3, 0.2, 0.1, 0.0], ["A", "B"])],
)  # fmt: skip
def test_a_lead_is_shared_by_those_who_together_come_first_often_enough(wins, names):
    """Four in five of the cases where anybody earns make a lead; who has them alone is named with the next."""
    assert sharing(pd.DataFrame({"platform": list("ABCD")[: len(wins)], "win_share": wins})) == names
