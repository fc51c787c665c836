"""The load page's tables agree with the library and its sentences with the tables."""

from __future__ import annotations

import pytest

from rackecon.appraisal.evaluate import evaluate
from rackecon.errors import InputError
from rackecon.load.derived import derived_utilisation
from rackecon.pages.load import figures, load_result, quoted

CASE = {"mean_rps": 300.0, "batch_price_factor": 0.5, "agent_model": "deepseek-v4-pro", "agent_tok_s_per_user": 50.0}


@pytest.mark.slow
def test_profit_is_revenue_of_the_share_sold_less_the_whole_cost():
    result = load_result(["h200-sxm", "gb200-nvl72"], "deepseek-r1", "chat", "azure2024_conv", **CASE)
    row = result.sold.set_index(["accelerator", "policy"]).loc[("h200-sxm", "fixed at the peak")]
    found = derived_utilisation("h200-sxm", "deepseek-r1", "chat", mean_rps=300.0)
    assert row["utilisation"] == pytest.approx(found.utilisation)
    sold = evaluate(["h200-sxm"], ["deepseek-r1"], ["chat"], utilisation=found.utilisation, intervals=False).iloc[0]
    assert row["profit_usd_per_gpu_hour"] == pytest.approx(sold["profit_usd_per_gpu_hour"], rel=1e-6)
    said = quoted(result)
    first, *others = said["earners"]
    assert first["profit"] == result.sold["profit_usd_per_gpu_hour"].max()
    assert all(one["low"] < one["profit"] < one["high"] for one in said["earners"])
    assert others
    assert said["tied"] >= 1
    assert {name for _, names in said["policies"] for name in names} == set(result.sold["platform"])
    assert said["peak_low"] <= said["peak_high"]
    assert len({one.key for one in figures(result)}) == len(figures(result))
    small, large = (result.sizes.groupby("accelerator")["utilisation"].nth(at).min() for at in (0, -1))
    assert small < large


def test_a_limit_that_nobody_keeps_is_one_line():
    with pytest.raises(InputError, match="no platform serves"):
        load_result(["tpu-v6e"], "llama-3.1-405b", "chat", "azure2024_conv", **CASE)
