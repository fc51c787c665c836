"""Hostile names and addresses: no script of theirs runs, and no page breaks."""

from __future__ import annotations

import json

import pytest
from hostile import NAMES, SCRIPT

from conftest import REPORTS
from rackecon.answer.live_case import live_data
from rackecon.figures.display import Html, note
from rackecon.pages.live import live_block
from rackecon.pages.live_figures import speed_figure
from rackecon.press.frame import standalone_page
from rackecon.press.html import render_page
from rackecon.press.shared_files import write_shared_files

ADDRESSES = [
    "#metric=toString", "#model=__proto__", "#scenario=constructor", "#metric=hasOwnProperty", "#__proto__=1", "#speed=1e999",
    "#speed=NaN", "#pout=", "#hit=valueOf", "#util=5", "#model=%3Cimg%20src%3Dq%20onerror%3Dwindow.broken%3D1%3E",
]  # fmt: skip
"""A few of those that the torture opens."""


@pytest.fixture(scope="module")
def live():
    return live_data(["h100-sxm", "b200-hgx"], ["gpt-oss-120b"], ["chat"], "gpt-oss-120b", "chat", "rack")


def opened(browser, path, address=""):
    page = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri() + address)
    page.wait_for_load_state("load")
    return page, faults


def written(tmp_path, *shown: Html):
    outputs = [{"output_type": "execute_result", "data": one._repr_mimebundle_()} for one in shown]
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": outputs}
    write_shared_files(tmp_path)
    (tmp_path / "20_x.html").write_text(render_page({"cells": [cell]}, "20_x", []), encoding="utf-8")
    return tmp_path / "20_x.html"


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_platform_is_text_wherever_it_is_named(browser, tmp_path, live, name):
    renamed = json.loads(json.dumps(live).replace('"h100-sxm"', json.dumps(name)).replace('"H100"', json.dumps(name)))
    assert name in json.dumps(renamed, ensure_ascii=False) or json.dumps(name)[1:-1] in json.dumps(renamed)
    lines = {name: [(50.0, 1e6)], "b200-hgx": [(40.0, 2e6)]}
    figure = speed_figure(lines, {name: name, "b200-hgx": "B200"}, 30.0, (1.0, 150.0), "rack")
    page, faults = opened(browser, written(tmp_path, live_block(renamed), figure, note(name)))
    page.wait_for_selector("#live[data-ribbons=filled]")
    assert page.evaluate("window.broken") is None
    assert faults == []
    assert name in page.locator(".live-table tbody th").all_text_contents()
    assert name in page.locator("#speed-profit [data-name]").all_text_contents()
    assert page.locator("img, svg[onload]").count() == 0


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_hostile_address_falls_back_with_a_word(browser, address):
    page, faults = opened(browser, REPORTS / "index.html", address)
    page.wait_for_selector("#live:not([hidden])")
    shown = page.inner_text(".live-verdict")
    assert "function" not in shown
    assert "NaN" not in shown
    assert "undefined" not in shown
    assert page.inner_text(".live-status").startswith("The address asks for what this page cannot show: ")
    assert page.evaluate("window.broken") is None
    assert faults == []


def test_a_heading_in_the_address_is_no_wrong_case(browser):
    page, _ = opened(browser, REPORTS / "index.html", "#all-pages")
    page.wait_for_selector("#live:not([hidden])")
    assert page.inner_text(".live-status") == ""


@pytest.mark.parametrize("alone", [False, True], ids=["page", "standalone"])
def test_the_policy_stops_a_script_that_got_in_and_lets_the_pages_own_work(browser, tmp_path, live, alone):
    path = written(tmp_path, live_block(live), Html(SCRIPT, "x"), Html("<script>window.broken=1</script>", "x"))
    if alone:
        path.write_text(standalone_page(path), encoding="utf-8")
    page, _ = opened(browser, path)
    page.wait_for_selector("#live:not([hidden])")
    assert page.locator(".live-table tbody tr").count() == 2
    assert page.locator("main img").count() == 1
    assert page.evaluate("window.broken") is None
