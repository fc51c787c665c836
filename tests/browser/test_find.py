"""Search: every word of every page, offline, in the page itself."""

from __future__ import annotations

import json
import re

import pytest

from conftest import REPORTS


@pytest.fixture
def page(browser):
    context = browser.new_context(offline=True, bypass_csp=True, viewport={"width": 1280, "height": 900})
    found = context.new_page()
    asked: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.goto((REPORTS / "find.html").as_uri())
    found.asked = asked
    yield found
    context.close()


def hits(page) -> list[str]:
    return page.locator("#search ol li").all_inner_texts()


def test_words_of_a_sentence_find_its_page_and_nothing_is_fetched(page):
    before = len(page.asked)
    page.fill("#search-box", "levered cover debt")
    assert any("revenue" in hit for hit in hits(page))
    assert all(word in hits(page)[0].lower() for word in ("levered", "cover", "debt"))
    assert re.match(r"\d+ passages?", page.inner_text("#search [role=status]"))
    assert page.locator("#search mark").count() >= 3
    assert len(page.asked) == before
    assert all(url.startswith("file:") for url in page.asked)


def test_every_link_of_a_result_is_there(page):
    page.fill("#search-box", "throughput")
    links = page.locator("#search ol a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert len(links) > 10
    for link in links:
        path, _, key = link.partition("#")
        text = (REPORTS / path).read_text(encoding="utf-8")
        assert not key or f'id="{key}"' in text, link


def test_the_beginning_of_a_word_counts_and_whole_words_come_first(page):
    page.fill("#search-box", "disagg")
    assert any("disaggregated" in hit for hit in hits(page))
    page.fill("#search-box", "zzz nowhere")
    assert hits(page) == []
    assert "No page has these words together" in page.inner_text("#search [role=status]")
    page.fill("#search-box", "(a+b[")
    assert "No page" in page.inner_text("#search [role=status]")


def test_a_search_has_an_address(page, browser):
    page.fill("#search-box", "break-even")
    page.wait_for_function("location.hash === '#q=break-even'")
    context = browser.new_context(offline=True)
    other = context.new_page()
    other.goto(page.evaluate("location.href"))
    assert other.input_value("#search-box") == "break-even"
    assert other.locator("#search ol li").count() == page.locator("#search ol li").count() > 0
    context.close()


def test_a_search_takes_a_moment_and_its_index_is_small(page):
    took = page.evaluate(
        """() => { const box = document.getElementById('search-box'), start = performance.now();
          for (const word of ['profit', 'the', 'context length', 'b200']) { box.value = word; box.dispatchEvent(new Event('input')); }
          return (performance.now() - start) / 4; }"""
    )
    assert took < 200
    held = page.text_content("#passages")
    assert len(held) < 400_000
    assert len(json.loads(held)["pages"]) >= 17


def test_without_a_script_the_table_of_everything_stands(browser):
    context = browser.new_context(offline=True, java_script_enabled=False)
    plain = context.new_page()
    plain.goto((REPORTS / "find.html").as_uri())
    assert not plain.is_visible("#search")
    assert plain.locator("table tbody tr").count() > 100
    context.close()
