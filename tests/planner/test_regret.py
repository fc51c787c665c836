"""Regret: at the median the plan's own program; of the best plan nothing; shares and faults."""

import copy

import numpy as np
import pytest

from rackecon.errors import InputError
from rackecon.planner.plan import plan
from rackecon.planner.regret import CLOSE, futures, regret
from rackecon.uncertainty.sampling import median_scores

BASE = {
    "platforms": ["h200-sxm", "gb200-nvl72", "gb300-nvl72"],
    "limits": {"power_mw": 2, "capital_usd": 4e7},
    "load_share": 0.9,
    "tiers": {"standard": {"tok_s_per_user": 30}, "fast": {"tok_s_per_user": 90, "price_multiple": 2}},
    "demand": [
        {"workload": "rag-summarise", "model": "deepseek-r1", "tokens_per_day": 1.5e12, "tiers": {"standard": 0.7, "fast": 0.3}},
        {"workload": "chat", "model": "gpt-oss-120b", "tokens_per_day": 1e12, "tiers": {"standard": 1}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def base():
    return plan(BASE)


@pytest.fixture(scope="module")
def judged(base):
    return regret(base, draws=8)


def test_with_every_input_at_its_median_the_program_is_the_plans_own(base):
    own = base.form.program
    (program,) = futures(base.form, median_scores)
    for name in ("flow_rate", "flow_value", "wanted", "bought_value", "kept_value"):
        assert getattr(program, name) == pytest.approx(getattr(own, name), rel=1e-9)
    for name, limit in own.limits.items():
        assert program.limits[name].per_bought == pytest.approx(limit.per_bought)


def test_present_value_is_judged_by_yearly_profit(base):
    other = plan({**copy.deepcopy(BASE), "objective": "npv"})
    (program,) = futures(other.form, median_scores)
    assert program.flow_value == pytest.approx(base.form.program.flow_value, rel=1e-9)
    assert program.bought_value == pytest.approx(base.form.program.bought_value, rel=1e-9)


def test_no_plan_beats_the_best_and_some_plan_comes_close_in_every_draw(judged):
    assert judged.profit.shape == (len(judged.plans), 8)
    assert np.all(judged.profit <= judged.best + 1e-6)
    assert 0.0 <= judged.leader_share <= 1.0
    table = judged.plans
    assert table["base"].sum() == table["robust"].sum() == 1
    assert judged.robust["mean_regret"] == table["mean_regret"].min() <= judged.base["mean_regret"]
    lost = (judged.best - judged.profit) / judged.best
    assert table["best_share"].to_numpy() == pytest.approx((lost <= CLOSE).mean(axis=1))
    assert np.all(table["p95_regret"] >= table["mean_regret"] * 0.5)
    assert lost.min(axis=0).max() < 0.2


def test_demand_and_prices_move_with_the_draws(base):
    from rackecon.uncertainty.sampling import sample

    some = futures(base.form, lambda design: sample(design, 8, physical_points=4))
    values = np.array([program.flow_value for program in some])
    assert np.all(values.std(axis=0) > 0)
    assert len({float(program.wanted[0]) for program in some}) == 8
    spent = np.array([program.limits["capital_usd"].per_bought for program in some])
    assert np.all(spent.std(axis=0) > 0)


def test_what_is_not_judged_by_profit_is_refused():
    demand = [{**item, "must_serve": 0.1} for item in BASE["demand"]]
    with pytest.raises(InputError, match="regret judges by profit"):
        regret(plan({**BASE, "demand": demand}), draws=8)
