"""Models sold today side by side, and a rack that serves one after another."""

import math

import pytest

from rackecon.appraisal.evaluate import evaluate
from rackecon.errors import InputError
from rackecon.market.succession import sold_today, succession

PAIR = ["gb200-nvl72", "h200-sxm"]


def test_a_rack_that_serves_two_models_earns_their_profits_by_time():
    table = evaluate(PAIR, ["gpt-oss-120b", "deepseek-r1"], ["chat"], intervals=False)
    one = table.set_index(["accelerator", "model"])["profit_usd_per_rack_year"]
    mixed = succession({"gpt-oss-120b": 0.25, "deepseek-r1": 0.75}, "chat", accelerators=PAIR).set_index("accelerator")
    for key in PAIR:
        by_hand = 0.25 * one[key, "gpt-oss-120b"] + 0.75 * one[key, "deepseek-r1"]
        assert mixed.loc[key, "value"] == pytest.approx(by_hand, rel=1e-12)


def test_a_platform_that_cannot_serve_one_of_them_says_so():
    row = succession({"llama-3.1-8b": 0.5, "deepseek-r1": 0.5}, "agentic-coding", accelerators=["tpu-v7"]).iloc[0]
    assert math.isnan(row["value"]) == bool(row["reason"])


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({}, "at least one model"),
        ({"gpt-oss-120b": 1.5}, "share from 0 to 1"),
        ({"gpt-oss-120b": 0.5, "deepseek-r1": 0.4}, "shares sum to 0.9"),
    ],
)
def test_shares_that_are_none_are_refused(shares, message):
    with pytest.raises(InputError, match=message):
        succession(shares, "chat", accelerators=PAIR)


def test_models_of_today_are_ranked_with_what_is_known_of_them():
    table = sold_today("chat", ["gpt-oss-120b", "deepseek-r1"], accelerators=PAIR).set_index("model")
    assert table.loc["gpt-oss-120b", "tokens_per_day"] > table.loc["deepseek-r1", "tokens_per_day"]
    assert table.loc["deepseek-r1", "measured_on"] == 2
    assert table.loc["gpt-oss-120b", "leader"] == "GB200 NVL72"
    assert (table["value"] >= table["next_value"]).all()
