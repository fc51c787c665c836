"""Revenue, cost of tokens and DeepSeek's disclosed day, against published figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_check import published_cost_check

from rackecon.economics.checks import check_one_basis
from rackecon.economics.money_step import money_step, per_year
from rackecon.economics.tokens import cost_usd_per_mtok, token_cost
from rackecon.errors import InputError
from rackecon.units import SECONDS_PER_HOUR

CARD = {
    "price_fresh_input_usd_per_mtok": 0.55,
    "price_cached_input_usd_per_mtok": 0.14,
    "price_output_usd_per_mtok": 2.19,
}


def test_deepseek_disclosed_day():
    """Cost exactly 87,072 USD; theoretical revenue within 0.1 % of 562,027 (rounded token counts)."""
    gpus, day = 226.75 * 8, 24 * SECONDS_PER_HOUR
    fed, cached, made = 608e9, 342e9, 168e9
    step = money_step(
        total_tok_s_per_gpu=(fed + made) / day / gpus,
        output_tok_s_per_gpu=made / day / gpus,
        prefix_cache_hit=cached / fed,
        cost_usd_per_gpu_hour=2.0,
        utilisation=1.0,  # rates are averages over deployed nodes: idle hours are already inside
        **CARD,
    )
    cost, revenue = float(step.cost_usd_per_gpu_hour) * gpus * 24, float(step.revenue_usd_per_gpu_hour) * gpus * 24
    assert cost == 87_072.0
    assert revenue == pytest.approx(562_027, rel=1e-3)
    assert float(step.gross_margin) == pytest.approx(0.845, abs=5e-4)
    assert (revenue - cost) / cost == pytest.approx(5.45, abs=0.01)


def test_deepseek_prefill_decode_node_split():
    prefill, decode = 608e9 / 86_400 / 73_700, 168e9 / 86_400 / 14_800
    assert prefill == pytest.approx(95.5, abs=0.1)
    assert decode == pytest.approx(131.4, abs=0.1)
    assert prefill + decode == pytest.approx(226.75, rel=1e-3)
    cost = token_cost(
        2.0,
        (608e9 + 168e9) / 86_400 / 1814,
        168e9 / 86_400 / 1814,
        prefill_gpu_share=prefill / (prefill + decode),
        prefix_cache_hit=342 / 608,
    )
    assert prefill / (prefill + decode) == pytest.approx(0.42, abs=0.005)
    assert float(cost.total) == pytest.approx(0.112, abs=5e-4)  # 87,072 / 776e9
    charged = float(cost.output) * 168e3 + float(cost.fresh_input) * 266e3  # million tokens x USD per million
    assert charged == pytest.approx(87_072, rel=1e-9)  # every dollar lands on some token


@pytest.mark.parametrize(
    ("name", "published", "digit", "rate", "rate_digit", "usd_per_gpu_hour", "residual", "compatible"),
    [
        ("H200 DeepSeek-R1, 2026-04", 4.20, 0.01, 90, 10, 1.41, 0.036, True),
        ("GB300 DeepSeek-R1, 2026-04", 0.12, 0.01, 6000, 1000, 2.65, 0.022, True),
        # 1.95 / (25,320 x 0.0036) is 0.02139, which prints as 0.021: the figure and its own rate differ by 2.8 %.
        ("B200 gpt-oss-120b 1k/1k at 72 tok/s/user", 0.022, 0.001, 25_320, 1, 1.95, -0.028, False),
    ],
)
def test_published_cost_follows_from_its_own_inputs(
    name, published, digit, rate, rate_digit, usd_per_gpu_hour, residual, compatible
):
    check = published_cost_check(published, digit, rate, rate_digit, usd_per_gpu_hour)
    print(f"{name}: published {published}, computed {check['computed']:.5g}, residual {check['residual']:+.1%}")
    assert check["residual"] == pytest.approx(residual, abs=1e-3)
    assert check["compatible"] is compatible


def test_two_cents_needs_27083_total_tokens_per_second():
    assert float(cost_usd_per_mtok(1.95, 27_083)) == pytest.approx(0.02, rel=1e-4)


def test_vendor_roi_revenue_per_million_total_tokens():
    """10,000 total tok/s/GPU x 72 GPUs x 3 years at full sales: 75 MUSD is 1.10 USD per million total tokens."""
    flat = dict.fromkeys(CARD, 75e6 / (10_000 * 72 * 3 * 31.536e6) * 1e6)
    assert flat["price_output_usd_per_mtok"] == pytest.approx(1.10, abs=0.005)
    step = money_step(total_tok_s_per_gpu=10_000.0, output_tok_s_per_gpu=1_111.0, cost_usd_per_gpu_hour=0.0, **flat)
    assert float(per_year(step.revenue_usd_per_gpu_hour, 72)) * 3 == pytest.approx(75e6, rel=1e-9)


@given(st.floats(1, 1e5), st.floats(0, 1), st.floats(0.01, 1), st.floats(0, 0.95))
def test_money_is_linear_in_token_rates(rate, hit, sold, licence):
    kind = {
        "prefix_cache_hit": hit,
        "utilisation": sold,
        "licence_share": licence,
        "cost_usd_per_gpu_hour": 1.5,
        **CARD,
    }
    one = money_step(total_tok_s_per_gpu=rate, output_tok_s_per_gpu=rate / 9, **kind)
    two = money_step(total_tok_s_per_gpu=2 * rate, output_tok_s_per_gpu=2 * rate / 9, **kind)
    assert float(two.revenue_usd_per_gpu_hour) == pytest.approx(2 * float(one.revenue_usd_per_gpu_hour))
    assert float(one.profit_usd_per_gpu_hour) == pytest.approx(float(one.revenue_usd_per_gpu_hour) - 1.5)


def test_break_evens_break_even():
    kind = {"total_tok_s_per_gpu": 9000.0, "output_tok_s_per_gpu": 1000.0, "cost_usd_per_gpu_hour": 2.0}
    step = money_step(utilisation=0.6, **kind, **CARD)
    at_price = money_step(
        utilisation=0.6, **kind, **{name: price * float(step.break_even_price_factor) for name, price in CARD.items()}
    )
    at_sales = money_step(utilisation=float(step.break_even_utilisation), **kind, **CARD)
    assert float(at_price.profit_usd_per_gpu_hour) == pytest.approx(0.0, abs=1e-12)
    assert float(at_sales.profit_usd_per_gpu_hour) == pytest.approx(0.0, abs=1e-12)


def test_who_sells_nothing_earns_nothing_and_breaks_even_at_no_price():
    step = money_step(
        total_tok_s_per_gpu=9000.0, output_tok_s_per_gpu=1000.0, cost_usd_per_gpu_hour=2.0, utilisation=0.0, **CARD
    )
    assert (float(step.revenue_usd_per_gpu_hour), float(step.profit_usd_per_gpu_hour)) == (0.0, -2.0)
    assert np.isposinf(step.break_even_price_factor)
    assert np.isnan(step.break_even_utilisation)


@given(st.floats(0.01, 0.99), st.floats(0, 0.9))
def test_every_allocation_rule_recovers_the_same_cost(share, hit):
    for rule in ("gpu_seconds", "output_only", "price_ratio"):
        cost = token_cost(2.0, 9000.0, 1000.0, prefill_gpu_share=share, prefix_cache_hit=hit, rule=rule)
        hourly = 0.0036 * (
            float(cost.output) * 1000
            + float(cost.fresh_input) * 8000 * (1 - hit)
            + float(cost.cached_input) * 8000 * hit
        )
        assert hourly == pytest.approx(2.0, rel=1e-9)


def test_cost_per_token_goes_as_one_over_utilisation():
    assert float(cost_usd_per_mtok(2.0, 1000.0, 0.25)) == pytest.approx(4 * float(cost_usd_per_mtok(2.0, 1000.0)))
    assert np.isinf(float(cost_usd_per_mtok(2.0, 1000.0, 0.0)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"utilisation": 1.01}, r"utilisation must lie between 0 and 1, got 1.01"),
        ({"price_output_usd_per_mtok": -0.1}, r"price_output_usd_per_mtok must be 0 or more, got -0.1"),
        ({"licence_share": 1.5}, r"licence_share must lie between 0 and 1"),
        ({"cost_usd_per_gpu_hour": -1.0}, r"cost_usd_per_gpu_hour must be 0 or more"),
    ],
)
def test_contradictory_money_is_refused_in_one_line(change, message):
    kind = {"total_tok_s_per_gpu": 9.0, "output_tok_s_per_gpu": 1.0, "cost_usd_per_gpu_hour": 2.0, **CARD, **change}
    with pytest.raises(InputError, match=message) as caught:
        money_step(**kind)
    assert "\n" not in str(caught.value)


def test_two_cost_bases_together_are_refused():
    with pytest.raises(
        InputError, match=r"exactly one cost basis of build_up, usd_per_gpu_hour; got build_up and usd_per"
    ):
        check_one_basis(build_up={"rack": 1}, usd_per_gpu_hour=1.86)


def test_unknown_allocation_rule_names_the_nearest():
    with pytest.raises(InputError, match=r"unknown allocation rule 'gpu_second': nearest is 'gpu_seconds'"):
        token_cost(2.0, 9.0, 1.0, rule="gpu_second")
