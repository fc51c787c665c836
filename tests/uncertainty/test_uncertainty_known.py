"""Known answers: Ishigami's Sobol indices, a linear tornado, a portfolio whose win probability is analytic."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rackecon.economics.restated import capital_charge_usd_per_gpu_hour, terms_factor
from rackecon.errors import InputError
from rackecon.uncertainty.distributions import check_distributions, distributions, recentred
from rackecon.uncertainty.outcomes import beaten, compare, percentiles
from rackecon.uncertainty.sampling import design, normal_points, sample
from rackecon.uncertainty.sensitivity import indices, sobol_points


def grouped_sobol(function, groups, columns, draws=1024):
    """Indices of groups of columns of independent standard normals."""
    values = function(sobol_points(groups, columns, draws))
    return indices(values.reshape(len(groups) + 2, draws), list(groups))


def test_ishigami_indices() -> None:
    """f = sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1 on (-pi, pi): published closed form."""
    from scipy.special import ndtr

    def ishigami(z: np.ndarray) -> np.ndarray:
        x = math.pi * (2.0 * ndtr(z) - 1.0)
        return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])

    table = grouped_sobol(ishigami, {"x1": [0], "x2": [1], "x3": [2]}, 3, draws=4096).set_index("factor")
    v1 = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    v2 = 7.0**2 / 8
    v13 = 0.1**2 * math.pi**8 * (1 / 18 - 1 / 50)
    v = v1 + v2 + v13
    for name, first, total in (("x1", v1 / v, (v1 + v13) / v), ("x2", v2 / v, v2 / v), ("x3", 0.0, v13 / v)):
        assert table.loc[name, "first"] == pytest.approx(first, abs=0.01)
        assert table.loc[name, "total"] == pytest.approx(total, abs=0.01)
        assert table.loc[name, "total_low"] <= total + 0.01
        assert table.loc[name, "total_high"] >= total - 0.01


def test_groups_of_columns_count_as_one_factor() -> None:
    table = grouped_sobol(lambda z: z[:, 0] + z[:, 1] + z[:, 2], {"two": [0, 1], "one": [2]}, 3).set_index("factor")
    assert table.loc["two", "first"] == pytest.approx(2 / 3, abs=0.02)
    assert table.loc["one", "total"] == pytest.approx(1 / 3, abs=0.02)


def test_constant_function_has_no_drivers() -> None:
    table = grouped_sobol(lambda z: np.ones(len(z)), {"a": [0], "b": [1]}, 2, draws=64)
    assert (table[["first", "total"]] == 0).all().all()


@pytest.mark.parametrize(("gap", "rho"), [(0.5, 0.0), (0.5, 0.8), (-1.0, 0.3)])
def test_win_share_of_two_normals_is_analytic(gap: float, rho: float) -> None:
    """A = 10 + gap + e_a, B = 10 + e_b with correlated unit errors: P(A > B) = Phi(gap / sqrt(2 - 2 rho))."""
    z = normal_points(16384, 3)
    a, b = (math.sqrt(rho) * z[:, 0] + math.sqrt(1 - rho) * z[:, i] for i in (1, 2))
    drawn = np.stack([10 + gap + a, 10 + b])
    wins, regret = compare(drawn)
    s = math.sqrt(2 - 2 * rho)
    expected = 0.5 * math.erfc(-gap / s / math.sqrt(2))
    assert wins[0] == pytest.approx(expected, abs=0.003)
    assert beaten(drawn)[0, 1] == pytest.approx(expected, abs=0.003)
    density = math.exp(-0.5 * (gap / s) ** 2) / math.sqrt(2 * math.pi)
    shortfall = s * density - gap * (1 - expected)
    assert regret[0] == pytest.approx(shortfall, abs=0.003)


def test_nobody_wins_where_nobody_earns() -> None:
    wins, regret = compare(np.array([[-1.0, -2.0], [-3.0, 1.0]]))
    assert wins.tolist() == [0.0, 0.5]
    assert regret.tolist() == [2.0, 1.5]


def test_missing_platform_never_wins() -> None:
    drawn = np.array([[1.0, 1.0], [np.nan, np.nan]])
    wins, regret = compare(drawn)
    assert wins.tolist() == [1.0, 0.0]
    assert np.isnan(regret[1])
    assert beaten(drawn)[0, 1] == 1.0


def test_percentiles_of_a_known_distribution() -> None:
    draws = np.exp(normal_points(16384, 1)[:, 0])
    assert percentiles(draws) == pytest.approx(np.exp([-1.64485, 0.0, 1.64485]), rel=0.003)
    assert percentiles(np.array([1.0, np.inf, 2.0, 3.0]))[1] == 2.0
    assert np.isnan(percentiles(np.array([1.0, np.nan]))).all()


def test_medians_are_the_base_case() -> None:
    from rackecon import catalog

    base, known = catalog.base_case(), distributions()
    for name, value in (
        ("utilisation", base.utilisation),
        ("wacc", base.wacc),
        ("electricity_usd_per_kwh", base.electricity_usd_per_kwh),
        ("pue", base.pue),
        ("price_decline", base.price_decline_per_year),
        ("life_years", base.horizon_years),
    ):
        assert float(known[name].quantile_of_normal(np.zeros(1))[0]) == pytest.approx(value, rel=1e-12)


def test_draws_have_their_percentiles_and_bounds() -> None:
    z = normal_points(16384, 1)[:, 0]
    for item in distributions().values():
        if item.form in ("fixed", "evidence", "listings"):
            continue
        x = item.quantile_of_normal(z)
        assert np.quantile(x, [0.1, 0.9]) == pytest.approx([item.low, item.high], rel=2e-3, abs=2e-3)
        assert x.min() >= item.lower
        assert x.max() <= item.upper


def test_common_latent_factors_correlate_inputs() -> None:
    plan = design(["h100-sxm", "b200-hgx", "mi355x"], ["deepseek-r1"])
    scores = sample(plan, 16384)
    market = np.corrcoef(scores.of("price_level", 0, 0), scores.of("utilisation", 0, 0))[0, 1]
    assert market == pytest.approx(0.6 * 0.4, abs=0.01)
    same = np.corrcoef(scores.of("rate_error", 0, 0), scores.of("rate_error", 1, 0))[0, 1]
    other = np.corrcoef(scores.of("rate_error", 0, 0), scores.of("rate_error", 2, 0))[0, 1]
    assert same == pytest.approx(0.25 + 0.316**2, abs=0.01)
    assert other == pytest.approx(0.25, abs=0.01)
    for z in scores.values.values():
        assert z.std(axis=0) == pytest.approx(1.0, abs=0.08)


def test_same_seed_same_draws() -> None:
    plan = design(["h100-sxm"], ["deepseek-r1"])
    assert np.array_equal(sample(plan, 64).of("wacc", 0, 0), sample(plan, 64).of("wacc", 0, 0))
    assert not np.array_equal(sample(plan, 64).of("wacc", 0, 0), sample(plan, 64, seed=1).of("wacc", 0, 0))


ROW = {"id": "x", "label": "x", "drives": "d", "form": "two_piece_normal", "low": "1", "central": "2", "high": "3"}
ROW |= {
    "lower": "",
    "upper": "",
    "unit": "-",
    "scope": "shared",
    "loadings": "",
    "source_id": "s",
    "grade": "estimate",
    "basis": "b",
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"low": "4"}, "low (p10) 4 is above high (p90) 3"),
        ({"central": "9"}, "central 9 lies outside low 1 to high 3"),
        ({"unit": "share", "low": "0.5", "central": "0.9", "high": "1.2"}, "a share must lie in 0 to 1"),
        ({"unit": "share", "low": "-0.1", "central": "0.1", "high": "0.2"}, "a share must lie in 0 to 1"),
        ({"form": "logit_normal", "low": "0", "central": "0.5", "high": "0.9"}, "strictly inside 0 to 1"),
        ({"form": "two_piece_lognormal", "low": "0", "lower": "0"}, "needs low above 0"),
        ({"form": "normall"}, "unknown form 'normall'"),
        ({"scope": "rack"}, "unknown scope 'rack'"),
        ({"loadings": "market=0.9;capital=0.6"}, "more than the whole variance"),
        ({"loadings": "market"}, "is not name=number"),
        ({"loadings": "market=nan"}, "more than the whole variance"),
        ({"loadings": "serving/vendor=0.3"}, "a latent per vendor needs an input per platform or cell"),
        ({"form": "fixed", "central": "1.2", "lower": "-1", "upper": "1"}, "central 1.2 is not in -1 to 1"),
        ({"high": ""}, "must both be numbers"),
        ({"low": "abc"}, "is not a number"),
    ],
)
def test_senseless_distributions_are_refused_in_one_line(change: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as fault:
        check_distributions([{**ROW, **change}])
    assert said in str(fault.value)
    assert "\n" not in str(fault.value)
    assert "row 2" in str(fault.value)


def test_recentring_keeps_the_width_in_its_own_scale() -> None:
    moved = recentred(distributions()["utilisation"], 0.7)
    logit = [math.log(x / (1 - x)) for x in (moved.low, moved.central, moved.high)]
    was = distributions()["utilisation"]
    before = [math.log(x / (1 - x)) for x in (was.low, was.central, was.high)]
    assert np.diff(logit) == pytest.approx(np.diff(before))
    with pytest.raises(InputError, match="strictly inside"):
        recentred(was, 1.0)


def test_a_cost_at_its_own_terms_is_itself_and_others_move_it_the_right_way() -> None:
    def cost(rate: float = 0.1, years: float = 4.0, resale: float = 0.0, tax: float = 0.0, **price: float) -> float:
        return 2.0 * float(terms_factor(rate, years, resale, tax, kept_share=0.2, built=(0.1, 4.0), **price))

    assert cost() == pytest.approx(2.0, rel=1e-12)
    assert cost(years=6) < cost() < cost(years=3)
    assert cost(0.05) < cost() < cost(0.2)
    assert cost(resale=0.2) < cost() < cost(tax=0.2)
    assert cost(capex_factor=1.5) == pytest.approx(0.4 + 1.6 * 1.5)
    # by hand: 1.6 of charge pays 1.6 x 8760 x A(10 %, 4 years); 20 % of it resold four years on
    month = 1.1 ** (1 / 12) - 1
    invested = 1.6 * 8760 * (1 - 1.1**-4) / (12 * month)
    left = float(capital_charge_usd_per_gpu_hour(invested, 0.2 * invested, 0.1, 4.0))
    assert cost(resale=0.2) == pytest.approx(0.4 + left, rel=1e-12)
    # no interest: straight line
    assert float(capital_charge_usd_per_gpu_hour(35040.0, 0.0, 0.0, 4)) == pytest.approx(1.0)


def test_a_share_moved_twice_is_the_share_moved_once() -> None:
    """Odds of 1 in 4 to 4: each end's odds are multiplied by sixteen, whatever lay between."""
    start = replace(distributions()["utilisation"], low=1 / 9, central=0.2, high=1 / 3, lower=0.0, upper=1.0)
    moved = recentred(start, 0.8)
    assert (moved.low, moved.central, moved.high) == pytest.approx((2 / 3, 0.8, 8 / 9))
    again = recentred(recentred(start, 0.4), 0.8)
    assert (again.low, again.high) == pytest.approx((moved.low, moved.high))
