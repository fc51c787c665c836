"""No id of the catalog stands in a sentence: templates, notebooks' prose and rendered outputs name things as readers do."""

from __future__ import annotations

import json
import re

import pytest
from not_shown import ids_in
from test_sentences import ALL, PAGES, said

from rackecon.appraisal.parameters import notebooks_dir
from rackecon.catalog import label, labels, relabelled
from rackecon.figures.display import note
from rackecon.pages.sentences import TEMPLATES, say
from rackecon.press.html import named, render_page

NOTEBOOKS = sorted(notebooks_dir().glob("[0-9][0-9]_*.ipynb"))


def prose(text: str) -> str:
    """Markdown without code and without addresses of links."""
    return re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.S)


def test_an_id_is_found_and_a_compound_word_is_not():
    assert ids_in("gb200-nvl72 within rag-summarise, as azure2024_conv asks") == [
        "gb200-nvl72", "rag-summarise", "azure2024_conv",
    ]  # fmt: skip
    assert ids_in("long-context offline work, H100-class, gpt-oss-120b") == []
    assert relabelled("at offline-batch, not offline-batching") == "at offline batch, not offline-batching"
    assert label("deepseek-r1") == labels()["deepseek-r1"] != "deepseek-r1"


@pytest.mark.parametrize("page", PAGES)
def test_no_template_holds_an_id(page):
    assert ids_in((TEMPLATES / f"{page}.md.j2").read_text(encoding="utf-8")) == []


def test_no_case_of_a_template_says_an_id():
    assert {one: found for one in ALL if (found := ids_in(said(*one)))} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_prose_of_a_notebook_holds_no_id(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    told = [prose("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown"]
    assert [ids_in(text) for text in told if ids_in(text)] == []


def test_an_id_given_to_a_sentence_is_said_as_its_name():
    words = say("13_validation", "spread", powers=3, shuffles=3, loaded=0.2, tables=None)
    assert ids_in(words) == []
    assert "DeepSeek-V3/R1" in say(
        "00_executive_summary", "grid_title", model="deepseek-r1", leaders=["gb200-nvl72"], losers=[], served=True
    )


def test_a_page_names_what_a_notebook_calls_by_id_but_leaves_code_and_values():
    shown = note("Within rag-summarise on gb200-nvl72.")._repr_mimebundle_()
    cell = {
        "cell_type": "code",
        "source": "",
        "metadata": {},
        "outputs": [{"output_type": "execute_result", "data": shown}],
    }
    page = render_page({"cells": [cell]}, "20_x", [])
    assert "Within document summaries on GB200 NVL72." in page
    kept = "<table><tr><td>[rag-summarise]</td></tr></table><code>-p scenario rag-summarise</code>"
    assert named(kept) == kept
    assert named("<td>rag-summarise</td>") == "<td>document summaries</td>"
