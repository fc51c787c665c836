"""A full report's money over 10,000 parameter draws, one core."""

import numpy as np

from rackecon.economics.cost import implied_investment
from rackecon.economics.finance import crf
from rackecon.economics.money_step import level_price_factor, money_step, per_year
from rackecon.economics.returns import present_value_factors, returns
from rackecon.economics.tokens import cost_usd_per_mtok

ROWS, DRAWS, PLATFORMS = 70, 10_000, 7


def test_money_of_70_rows_over_10000_draws(benchmark):
    """7 platforms x 2 models x 5 scenarios: revenue, cost, profit, $/M, present value, break-evens per row and draw;
    ROI, IRR, payback and retirement age of the 7 base-case platforms in every draw."""
    rng = np.random.default_rng(1)
    rate = rng.uniform(500, 20_000, (ROWS, 1)) * np.exp(0.2 * rng.standard_normal((ROWS, DRAWS)))
    share = rng.uniform(0.01, 0.5, (ROWS, 1))
    cost = rng.uniform(1.0, 3.0, (ROWS, 1)) * rng.uniform(0.9, 1.2, DRAWS)
    wacc, decline = rng.uniform(0.07, 0.15, DRAWS), rng.uniform(0.0, 0.8, DRAWS)
    sold, level = rng.uniform(0.4, 0.816, DRAWS), rng.uniform(0.5, 2.0, DRAWS)

    def report():
        step = money_step(
            total_tok_s_per_gpu=rate,
            output_tok_s_per_gpu=rate * share,
            price_fresh_input_usd_per_mtok=0.5 * level,
            price_cached_input_usd_per_mtok=0.1 * level,
            price_output_usd_per_mtok=2.0 * level,
            prefix_cache_hit=0.2,
            utilisation=sold,
            cost_usd_per_gpu_hour=cost,
            price_factor=level_price_factor(wacc, decline, 4.0),
        )
        total, output = cost_usd_per_mtok(cost, rate, sold), cost_usd_per_mtok(cost, rate * share, sold)
        split = implied_investment(cost, running_share=0.2, rate_per_year=wacc, life_years=4.0)
        factors = present_value_factors(wacc, 0.0, 4.0)
        worth = per_year(step.profit_usd_per_gpu_hour, 72.0) * factors.cost_years
        first = slice(0, PLATFORMS)
        result = returns(
            investment_usd=split.investment_usd_per_gpu[first],
            revenue_usd_per_year=per_year(step.revenue_usd_per_gpu_hour[first]),
            running_cost_usd_per_year=per_year(split.running_usd_per_gpu_hour[first]),
            horizon_years=4.0,
            rate_per_year=wacc,
            price_decline_per_year=decline,
        )
        return step, total, output, worth, result, crf(wacc, 4.0)

    step, *_, result, _ = benchmark.pedantic(report, rounds=3, iterations=1, warmup_rounds=1)
    assert step.profit_usd_per_gpu_hour.shape == (ROWS, DRAWS)
    assert np.isfinite(result.npv_usd).all()
    assert benchmark.stats["min"] < 1.0
