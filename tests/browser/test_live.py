"""The live controls: what they show equals the library, moves with the sliders, and is kept in the address."""

from __future__ import annotations

import json

import pytest
from conftest import REPORTS

from rackecon.analysis.evaluate import PLATFORMS
from rackecon.analysis.live_case import live_values

TOLERANCE = 1e-3


@pytest.fixture
def page(browser):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    found = context.new_page()
    found.goto((REPORTS / "index.html").as_uri())
    found.wait_for_selector("#live:not([hidden])", timeout=15000)
    yield found
    context.close()


def data(page) -> dict:
    return json.loads(page.text_content("#live-data"))


def shown(page, state: dict) -> dict:
    return page.evaluate("s => window.rackecon.evaluate(s)", state)


def test_controls_appear_because_the_page_agrees_with_the_library(page):
    assert page.is_visible(".live-controls")
    assert page.inner_text(".live-status") == ""
    assert "This is the report's own case" in page.inner_text(".live-changed")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"util": 0.35},
        {"pout": 0.9, "pin": 0.2},
        {"cost": 1.7, "decline": 0.5},
        {"years": 2.0, "elec": 0.15, "pue": 1.5},
        {"speed": 60},
        {"speed": 90, "licence": 0.2},
        {"scenario": "chat", "speed": 50},
        {"scenario": "agentic-coding", "speed": 60, "hit": 0.9},
        {"model": "gpt-oss-120b"},
        {"model": "gpt-oss-120b", "scenario": "reasoning", "speed": 50, "util": 0.8},
        {"scenario": "offline-batch", "speed": 1},
    ],
    ids=str,
)
def test_money_agrees_with_the_library_to_a_thousandth(page, change):
    facts = data(page)
    state = {**facts["base"], **change}
    if "model" in change:
        state |= {"pin": facts["models"][change["model"]]["pin"], "pout": facts["models"][change["model"]]["pout"]}
    state["hit"] = change.get("hit", facts["scenarios"][state["scenario"]]["hit"])
    ours, theirs = live_values(PLATFORMS, state), shown(page, state)
    assert ours
    for key, values in ours.items():
        mine = theirs[key]
        assert "why" not in mine, (key, mine)
        for name in ("rack", "mw", "usd", "mtok", "revenueRack"):
            scale = max(abs(values[name]), 1e-9)
            if name in ("rack", "mw", "usd"):
                scale = max(scale, abs(values[name] / values["margin"]) if values["margin"] else scale)
            assert abs(mine[name] - values[name]) <= TOLERANCE * scale, (key, name, mine[name], values[name])
        if values["payback"] < 10:
            assert mine["payback"] == pytest.approx(values["payback"], rel=0.02), key
    for key, mine in theirs.items():
        assert ("why" in mine) == (key not in ours), (key, mine)


def test_dragging_a_slider_changes_verdict_table_address_and_command(page):
    before = page.inner_text(".live-verdict")
    page.locator("#live-cost").evaluate(
        "e => { e.value = '2.6'; e.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    assert page.inner_text(".live-verdict") != before
    assert "Changed by the reader" in page.inner_text(".live-changed")
    page.wait_for_function("location.hash.includes('cost=2.6')")
    assert "cost_factor 2.6" in page.inner_text(".live-command")
    page.click(".live-reset")
    assert page.inner_text(".live-verdict") == before


def test_a_model_chosen_by_menu_brings_its_prices(page):
    page.select_option("#live-model", "gpt-oss-120b")
    price = data(page)["models"]["gpt-oss-120b"]["pout"]
    assert float(page.input_value("#live-pout")) == pytest.approx(price, abs=0.02)


def test_a_shared_address_opens_the_same_case(browser):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((REPORTS / "index.html").as_uri() + "#util=0.9&metric=mw&nonsense=1&years=99")
    page.wait_for_selector("#live:not([hidden])")
    assert page.input_value("#live-util") == "0.9"
    assert page.is_checked("input[value=mw]")
    assert float(page.input_value("#live-years")) <= 8
    context.close()


def test_ribbons_and_flip_sentences_are_filled(page):
    page.wait_for_function("document.querySelectorAll('.ribbon i').length >= 33 * 5")
    assert all(text.strip() for text in page.locator("[data-flip]").all_inner_texts())
