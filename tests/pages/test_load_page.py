"""The load page's tables agree with the library and its sentences with the tables."""

from __future__ import annotations

import pytest

from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import label
from rackecon.errors import InputError
from rackecon.load.derived import derived_utilisation
from rackecon.pages.load import best_shown, figures, load_result, moves, quoted
from rackecon.words import money

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
    assert said["best_low"] < said["best_profit"] == result.sold["profit_usd_per_gpu_hour"].max() < said["best_high"]
    assert said["best_platform"] not in said["tied"]
    best = best_shown(result.sold).set_index("platform")
    assert best.index[0] == said["best_platform"]
    assert best["profit"].iloc[0].startswith(money(said["best_profit"]))
    first = result.sold[result.sold["platform"] == said["best_platform"]]
    top = first.loc[first["profit_usd_per_gpu_hour"].idxmax()]
    moved = {name: (low, high) for name, low, high in moves(result.sold)}
    assert moved["policy"] == (first["profit_usd_per_gpu_hour"].min(), top["profit_usd_per_gpu_hour"])
    for name in ("rate", "demand"):
        assert top["profit_usd_per_gpu_hour_low"] <= moved[name][0] <= top["profit_usd_per_gpu_hour"] <= moved[name][1]
        assert moved[name][0] < moved[name][1] <= top["profit_usd_per_gpu_hour_high"]
    shares = top["utilisation"] / top[["low", "high"]]
    sales = top["revenue_usd_per_gpu_hour"] / shares
    assert moved["demand"] == pytest.approx(tuple(sales - (top["revenue_usd_per_gpu_hour"] - said["best_profit"])))
    widths = [high - low for _, low, high in moves(result.sold)]
    assert widths == sorted(widths, reverse=True)
    assert {(name, way) for way, names in said["policies"] for name in names} == set(best["policy"].items())
    assert best.loc[label("h200-sxm"), ["peak_sold", "peak_stranded"]].tolist() == pytest.approx(
        [row["utilisation"], row["stranded_usd_per_gpu_hour"]]
    )
    assert {name for _, names in said["policies"] for name in names} == set(result.sold["platform"])
    assert said["peak_low"] <= said["peak_high"]
    assert len({one.key for one in figures(result)}) == len(figures(result))
    small, large = (result.sizes.groupby("accelerator")["utilisation"].nth(at).min() for at in (0, -1))
    assert small < large


def test_a_limit_that_nobody_keeps_is_one_line():
    with pytest.raises(InputError, match="no platform serves"):
        load_result(["tpu-v6e"], "llama-3.1-405b", "chat", "azure2024_conv", **CASE)
