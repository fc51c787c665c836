"""Power, racks and price cards against published and hand-computed figures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackecon import catalog
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.money import platforms_for
from rackecon.economics.power import (
    PhaseDraw,
    draw_share,
    drawn_kw_per_gpu,
    gpus_for_site,
    joules_per_token,
    tokens_per_mw,
)
from rackecon.economics.power_table import VINTAGE_METRICS, phase_draw, power_parameters, provisioned_it_kw
from rackecon.economics.racks import rack_units
from rackecon.economics.revenue import (
    PriceCard,
    SpeedTier,
    blended_usd_per_mtok,
    revenue_usd_per_request,
    speed_premium,
)
from rackecon.errors import InputError


def test_published_tokens_per_megawatt():
    """H200 54 K and GB300 2.8 M tok/s/MW (NVIDIA, April 2026) from 93.3 and 5,900 tok/s/GPU at 1.73 and 2.10 kW."""
    assert float(tokens_per_mw(93.3, 1.73)) == pytest.approx(54_000, rel=5e-3)
    assert float(tokens_per_mw(5_900, 2.10)) == pytest.approx(2.8e6, rel=5e-3)


def test_fifteen_times_per_gpu_is_another_number_per_megawatt_by_vintage():
    assert pytest.approx(12.4, abs=0.05) == 15 * 1.73 / 2.10
    ratio = tokens_per_mw(15.0, np.array([2.10, 1.87])) / tokens_per_mw(1.0, np.array([1.73, 1.37]))
    assert ratio == pytest.approx([12.36, 10.99], abs=0.01)


def test_energy_per_token_is_the_inverse_of_tokens_per_power():
    assert float(joules_per_token(6000.0, 2.1)) * float(tokens_per_mw(6000.0, 2.1)) == pytest.approx(1e6)


def test_ml_energy_joules_per_output_token():
    """H100 gpt-oss-120b: 2 GPUs at 463 W, 10,762 tok/s gives 0.086 J per output token."""
    assert float(joules_per_token(10_762 / 2, 0.463)) == pytest.approx(0.086, abs=5e-4)


def test_a_board_draws_more_the_more_it_works_and_never_more_than_its_design_power():
    draw = PhaseDraw(0.3, 0.4, 0.6)
    assert float(draw_share(draw, 0.0, 0.0)) == pytest.approx(0.3)
    assert float(draw_share(draw, 0.5, 0.5)) == pytest.approx(0.8)
    assert float(draw_share(PhaseDraw(0.3, 0.5, 0.9), 0.1, 0.9)) == 1.0
    assert (np.diff(draw_share(draw, np.linspace(0, 1, 9), 0.0)) > 0).all()


def test_prompts_draw_more_than_decode_and_an_unmeasured_family_takes_the_common_values():
    value = power_parameters()
    assert value["idle"] < value["decode"] + value["idle"] < value["prefill"] + value["idle"] < 1.0
    assert phase_draw("tpu-v7") == PhaseDraw(value["idle"], value["decode"], value["prefill"])
    assert phase_draw("mi355x").decode < phase_draw("b200-hgx").decode


def test_drawn_power_is_below_provisioned_and_pue_multiplies():
    idle, busy = drawn_kw_per_gpu(1200.0, 1.87, np.array([0.3, 1.0]))
    assert idle == pytest.approx(1.87 - 0.7 * 1.2)
    assert busy == pytest.approx(1.87)
    assert float(drawn_kw_per_gpu(1200.0, 1.87, 1.0, pue=1.25)) == pytest.approx(1.87 * 1.25)


def test_power_limit_and_money_limit_rank_differently():
    kw, usd = np.array([1.37, 2.12]), np.array([26_000.0, 51_000.0])
    per_gpu = np.array([1.0, 1.7])
    by_power = gpus_for_site(site_mw=10.0, all_in_kw_per_gpu=kw) * per_gpu
    by_money = gpus_for_site(budget_usd=100e6, usd_per_gpu=usd) * per_gpu
    assert by_power.argmax() == 1
    assert by_money.argmax() == 0


def test_rack_units():
    units = rack_units(np.array([32, 72]), np.array([1.37, 1.87]), position_kw=132.0)
    assert units.gpus_per_position == pytest.approx([96.35, 70.59], rel=1e-4)
    assert units.rack_kw == pytest.approx([43.84, 134.64])
    assert units.gpus_per_mw == pytest.approx([729.9, 534.8], rel=1e-3)


CHIPS = sorted(key for key in catalog.accelerators() if np.isfinite(provisioned_it_kw(key)))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CHIPS), st.floats(0.0, 1.0), st.floats(1.0, 2.0))
def test_no_platform_draws_more_than_is_provisioned_on_the_same_basis(chip, share, pue):
    provisioned = provisioned_it_kw(chip)
    drawn_it, drawn_utility = (
        float(drawn_kw_per_gpu(catalog.accelerator(chip).tdp_w, provisioned, share, pue=factor))
        for factor in (1.0, pue)
    )
    assert 0 < drawn_it <= provisioned * (1 + 1e-12)
    assert drawn_utility == pytest.approx(drawn_it * pue)


@pytest.mark.parametrize("vintage", VINTAGE_METRICS)
def test_one_power_per_gpu_stands_behind_megawatt_position_and_rack(vintage):
    """A position is 132 kW and a megawatt 1000 kW of the same power: their ratio is one for every platform."""
    facts = platforms_for(CHIPS, assumptions(power_vintage=vintage)).values()
    known = [p for p in facts if np.isfinite(p.gpus_per_mw)]
    assert len(known) >= 8
    for p in known:
        assert p.gpus_per_position / p.gpus_per_mw == pytest.approx(0.132)
        assert p.rack_it_kw == pytest.approx(p.gpus_per_rack * provisioned_it_kw(p.accelerator), nan_ok=True)


def test_rack_powers_stated_elsewhere_are_near_or_inside_the_published_range():
    """data/racks.csv states nameplates; only the TPU cube's (100 kW for 64) is over a tenth away, and power.csv says so."""
    power = catalog.table("power")
    high = power[power["metric"] == VINTAGE_METRICS["2026-07"]].set_index("accelerator")["high"]
    ratio = {
        key: rack.rack_it_kw / rack.gpus_per_rack / provisioned_it_kw(key) for key, rack in catalog.racks().items()
    }
    far = {key for key, value in ratio.items() if abs(value - 1) > 0.12}
    assert far == {"tpu-v7"}
    assert float(high["tpu-v7"]) == pytest.approx(ratio["tpu-v7"] * provisioned_it_kw("tpu-v7"))


def test_request_revenue_by_hand():
    card = PriceCard("deepseek-r1", 0.55, 0.14, 2.19)
    by_hand = (8192 * 0.1 * 0.55 + 8192 * 0.9 * 0.14 + 1024 * 2.19) / 1e6
    assert float(revenue_usd_per_request(card, 8192, 1024, 0.9)) == pytest.approx(by_hand)
    assert float(blended_usd_per_mtok(card, 8192, 1024, 0.9)) == pytest.approx(by_hand / 9216 * 1e6)


def test_listings_spread_around_a_card_s_price():
    """Tenth and ninetieth percentile over the price of 2, which itself lies within; none without listings or for nothing."""
    known, none = {"output_p10_p90": (1.5, 3.0)}, {"output_p10_p90": (float("nan"), 3.0)}
    cards = [
        PriceCard("m", 0.5, 0.1, 2.0, **known),
        PriceCard("m", 0.5, 0.1, 4.0, **known),
        PriceCard("m", 0.5, 0.1, 1.0, **known),
    ]
    assert [card.level_range() for card in cards] == [(0.75, 1.5), (0.375, 1.0), (1.0, 3.0)]
    assert PriceCard("m", 0.5, 0.1, 2.0, **none).level_range() == (1.0, 1.0)
    assert (
        PriceCard("m", 0.5, 0.1, 0.0, **known).level_range()
        == PriceCard("m", 0.5, 0.1, 2.0).level_range()
        == (1.0, 1.0)
    )


def test_speed_premium_is_a_step_at_each_tier():
    tiers = (SpeedTier(200.0, 3.0, "b"), SpeedTier(100.0, 2.0, "a"))
    assert list(speed_premium(np.array([50.0, 100.0, 250.0]), tiers)) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PriceCard("m", -0.1, 0.0, 1.0), r"price_fresh_input_usd_per_mtok must be 0 or more"),
        (lambda: PriceCard("m", 0.1, 0.2, 1.0), r"cached input 0.2 above fresh input 0.1"),
        (lambda: drawn_kw_per_gpu(700.0, 1.37, 0.8, pue=0.5), r"pue must be 1 or more, got 0.5"),
        (lambda: gpus_for_site(site_mw=1.0, budget_usd=1.0), r"exactly one of site_mw and budget_usd"),
        (lambda: rack_units(0, 1.0, position_kw=132.0), r"gpus_per_rack must be above 0"),
    ],
)
def test_contradictions_are_refused_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
