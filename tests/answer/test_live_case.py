"""What a page needs to recompute its case: packed fronts, bases of cost, choices beyond the money."""

from __future__ import annotations

import base64

import numpy as np
import pandas as pd
import pytest

from rackecon import catalog
from rackecon.answer import live_case, summary
from rackecon.answer.live_case import (
    BASES,
    base_costs,
    base_state,
    basis_of,
    beside_data,
    live_data,
    live_values,
    packed_front,
)
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog.assumption_table import allowed_values, choices_given
from rackecon.economics.revenue import PriceCard
from rackecon.errors import InputError
from rackecon.uncertainty.ranking import RankingDraws, profit_draws

FRONT = pd.DataFrame(
    {
        "tok_s_per_user": [4.25, 31.0, 180.0],
        "total_tok_s_per_gpu": [18123.0, 9000.0, 12.5],
        "drawn_it_kw_per_gpu": [1.62, 1.4, 1.1],
        "mode": ["disaggregated", "aggregated", "disaggregated"],
    }
)


def unpacked(packed: list) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """As assets/live.js reads a front."""
    raw = base64.b64decode(packed[6])
    n = len(raw) // 5
    places = np.frombuffer(raw[: 4 * n], "<u2") / 65535
    last = np.frombuffer(raw[4 * n :], "u1")
    speed = np.exp(packed[0] + (packed[1] - packed[0]) * places[:n])
    rate = np.exp(packed[2] + (packed[3] - packed[2]) * places[n:])
    power = packed[4] + (packed[5] - packed[4]) * (last & 127) / 127
    return speed, rate, power, "".join("d" if x & 128 else "a" for x in last)


def test_a_packed_front_is_read_back_within_a_ten_thousandth():
    speed, rate, power, modes = unpacked(packed_front(FRONT))
    np.testing.assert_allclose(speed, FRONT["tok_s_per_user"], rtol=1e-4)
    np.testing.assert_allclose(rate, FRONT["total_tok_s_per_gpu"], rtol=1e-4)
    np.testing.assert_allclose(power, FRONT["drawn_it_kw_per_gpu"], atol=0.5 * 0.52 / 127)
    assert modes == "dad"


def test_a_front_of_one_point_is_packed_too():
    speed, rate, _, modes = unpacked(packed_front(FRONT.head(1)))
    assert speed[0] == pytest.approx(4.25, rel=1e-7)
    assert rate[0] == pytest.approx(18123.0, rel=1e-7)
    assert modes == "d"


@pytest.mark.parametrize("basis", BASES)
def test_a_basis_is_recognised_and_costs_what_it_says(basis):
    assert basis_of(assumptions(**BASES[basis])) == basis
    found = base_costs(["gb200-nvl72"], **BASES[basis])
    row = evaluate(["gb200-nvl72"], ["gpt-oss-120b"], ["chat"], intervals=False, **BASES[basis]).iloc[0]
    assert found["gb200-nvl72"] == pytest.approx(row["cost_usd_per_gpu_hour"], rel=1e-5)


def test_data_of_a_page_knows_a_front_that_is_the_usual_one_again():
    data = live_data(["b200-hgx", "h100-sxm"], ["gpt-oss-120b"], ["chat"], "gpt-oss-120b", "chat", "rack")
    usual = data["fronts"]["gpt-oss-120b|chat|0|usual|newest"]
    assert all(isinstance(front, list) for front in usual.values())
    assert data["fronts"]["gpt-oss-120b|chat|0|fp4|newest"]["b200-hgx"] == "="
    assert isinstance(data["fronts"]["gpt-oss-120b|chat|0|bf16|newest"]["b200-hgx"], list)
    assert "gpt-oss-120b|chat|0.9|fp8|newest" not in data["fronts"]
    assert data["bases"]["build_up"]["b200-hgx"]["now"] == pytest.approx(data["base"]["b200-hgx"], rel=1e-3)


def test_a_number_format_and_a_date_chosen_reach_the_search():
    where = (["gb200-nvl72"], ["deepseek-r1"])
    usual, eight, older = (
        evaluate(*where, [summary.own_case("rag-summarise", None, None, text)], intervals=False).iloc[0]
        for text in ("", "weight_precision=fp8", "software_date=2026-01-01")
    )
    assert (usual["weight_precision"], eight["weight_precision"]) == ("fp4", "fp8")
    assert eight["total_tok_s_per_gpu"] < usual["total_tok_s_per_gpu"]
    assert older["total_tok_s_per_gpu"] < usual["total_tok_s_per_gpu"]


def test_choices_at_list_prices_start_from_the_listing():
    listed = summary.own_prices("deepseek-r1", 1.0, None, "price_level=list")["price_cards"]["deepseek-r1"]
    paid = summary.own_prices("deepseek-r1", 1.0, None)["price_cards"]["deepseek-r1"]
    assert listed.output > paid.output
    assert summary.own_money("price_level=list,software_date=2026-01-01") == {"price_level": "list"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weight_precision=fp9", "weight_precision"),
        ("weight_precision=", "has no value"),
        ("cost_basis=rental,cost_basis=rental", "is given twice"),
        ("software_date=soon", "is no date such as 2026-01-01"),
        ("wieght_precision=fp8", "wieght_precision"),
        ("gb200-nvl72=cheap", "no cost"),
    ],
)
def test_a_choice_that_is_none_is_refused_in_words(text, said):
    with pytest.raises(InputError, match=said):
        choices_given(text)
    assert said in allowed_values()["choices"].fault(text)


def test_choices_without_a_cost_name_none():
    assert choices_given(" weight_precision = fp8 ") == {"weight_precision": "fp8"}


def test_a_speed_and_a_limit_are_one_anothers_inverse_in_every_workload():
    """33.3 ms let pass what 30 tok/s/user refused: a point between was kept by the report and not by the page's control."""
    for key, case in catalog.scenarios().items():
        if case.tpot_limit_ms:
            state = base_state("gpt-oss-120b", case, "rack")
            assert 1e3 / state["speed"] == pytest.approx(case.tpot_limit_ms, rel=1e-9), key
            assert state["speed"] == round(state["speed"]), key


def test_quick_draws_centre_the_share_sold_of_each_platform_on_its_own():
    """With a share of its own a platform is drawn as if all had that share: the other's does not move it."""
    both = evaluate(["b200-hgx", "gb200-nvl72"], ["gpt-oss-120b"], ["chat"], sold_by_load=True)
    settings = RankingDraws()
    column = "profit_usd_per_rack_year"
    drawn = profit_draws(both, column, settings)
    assert both["utilisation"].nunique() == 2
    for k in range(2):
        share = float(both["utilisation"].iloc[k])
        alike = evaluate([*both["accelerator"]], ["gpt-oss-120b"], ["chat"], utilisation=share)
        np.testing.assert_allclose(profit_draws(alike, column, settings)[k], drawn[k], rtol=1e-9)


def test_a_case_that_the_menus_lack_is_offered_first():
    data = live_data(["b200-hgx"], ["gpt-oss-120b"], ["offline-batch"], "gpt-oss-20b", "chat", "rack", tax_rate=0.21)
    assert [*data["models"]] == ["gpt-oss-20b", "gpt-oss-120b"]
    assert [*data["scenarios"]] == ["chat", "offline-batch"]
    assert data["bases"]["rental"]["b200-hgx"]["c"] > 0  # rented capacity stands beside a taxed owner's


def test_platforms_beside_a_page_have_what_it_has_of_its_own_or_a_reason():
    data = live_data(["b200-hgx", "mi355x"], ["gpt-oss-120b"], ["chat"], "gpt-oss-120b", "chat", "rack")
    beside = beside_data(data, "chat")
    able = [p["id"] for p in beside["platforms"]]
    assert {"vr-nvl72", "mi300x", "rtx-pro-6000-blackwell"} <= set(able)
    assert sorted([*able, *beside["left"], "b200-hgx", "mi355x"]) == sorted(catalog.accelerators())
    assert beside["left"]["h20"] == ["H20", "no cost per GPU-hour on record"]
    assert beside["left"]["groq-lpu1"][1].startswith("not modelled: ")
    assert [*beside["fronts"]] == [*data["fronts"]]
    for rows in (*beside["fronts"].values(), *beside["bases"].values(), *beside["draws"].values()):
        assert [*rows] == able
    near = beside["measured"]["near"]["gpt-oss-120b|1024|1024"]
    assert near["vr-nvl72"][2] == "unmeasured"
    assert near["vr-nvl72"][:2] == [0.0, []]
    row = evaluate(["mi300x"], ["gpt-oss-120b"], ["chat"], intervals=False).iloc[0]
    assert beside["check"][0]["rows"]["mi300x"]["rack"] == pytest.approx(row["profit_usd_per_rack_year"], rel=1e-5)
    assert "rtx-pro-6000-blackwell" not in beside["check"][0]["rows"]  # no rack of it is on record


def test_a_platform_that_fits_nothing_a_page_offers_is_left_with_the_reason(monkeypatch):
    monkeypatch.setattr("rackecon.answer.live_case._unpaid", lambda key, _: "" if key == "a10g" else "not asked")
    data = live_data(["b200-hgx"], ["deepseek-r1"], ["chat"], "deepseek-r1", "chat", "rack")
    beside = beside_data(data, "chat")
    assert beside["platforms"] == []
    assert "does not fit" in beside["left"]["a10g"][1]


def test_cached_input_sells_at_the_lists_share_of_whatever_input_is_set_to(monkeypatch):
    """A list of $1 fresh, $0.25 cached: at $3 fresh, cached input sells at $0.75."""
    asked, base = {}, base_state("gpt-oss-120b", "rag-summarise", "rack")

    def evaluated(accelerators, models, cases, *, price_cards, **given):
        asked.update(price_cards)
        return pd.DataFrame(columns=["accelerator", "reason", "profit_usd_per_rack_year"])

    monkeypatch.setattr(
        live_case, "cards_for", lambda models, assume: {models[0]: PriceCard(models[0], 1.0, 0.25, 4.0)}
    )
    monkeypatch.setattr(live_case, "evaluate", evaluated)
    assert live_values(["b200-hgx"], base | {"pin": 3.0, "pout": 5.0}) == {}
    card = asked["gpt-oss-120b"]
    assert (card.fresh_input, card.cached_input, card.output) == (3.0, 0.75, 5.0)
