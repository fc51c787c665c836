"""No id of the catalog stands in a sentence: templates, notebooks' prose and rendered outputs name things as readers do."""

from __future__ import annotations

import json
import re

import pytest
from not_shown import ids_in
from test_sentences import ALL, PAGES, cases, said

from rackecon.appraisal.parameters import notebooks_dir
from rackecon.catalog import accelerator, label, labels, relabelled
from rackecon.catalog.cached import one_state
from rackecon.evidence.novelty import measured_platforms
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


NEVER_RUN = "TPU v7"
NAMED_BEFORE = {
    "03_context_length": ("answer", "cached", "title", "cached_title"),
    "04_prefill_decode_ratio": ("answer", "title", "meaning"),
    "05_latency_targets": ("answer",),
}
"""Blocks whose leaders come named by :func:`rackecon.evidence.novelty.named`, which says more than whether a platform was ever run."""
SAYS_ITSELF = {
    "00_executive_summary": ("trust",),
    "11_claims": ("line_misattributed", "cited_point", "model", "needed_ratio"),
    "13_validation": ("fronts", "trust", "peer_fall"),
    "notes": ("missing",),
}
"""Blocks that are about what was measured or about what others say of a platform, or give no figure of it."""
BARE = re.compile(rf"(?<![\w-]){NEVER_RUN}(?![\w-])(?!(?:(?:, | and ){NEVER_RUN})* \()")


@one_state()
def never_run(value):
    """Values of a case with every platform in the place of one that nothing was measured on."""
    run = {*measured_platforms(), *(accelerator(key).label for key in measured_platforms())}
    if isinstance(value, str):
        return NEVER_RUN if value in run else value
    if isinstance(value, list):
        return [never_run(item) for item in value]
    return {key: never_run(item) for key, item in value.items()} if isinstance(value, dict) else value


def bare(text: str) -> str:
    """A sentence that names such a platform first without its mark; nothing where it has one."""
    first = re.search(rf"(?<![\w-]){NEVER_RUN}(?![\w-])", text)
    return text if first and BARE.match(text, first.start()) else ""


def test_a_name_without_its_mark_is_noticed():
    told = ["TPU v7 leads", "on TPU v7 and B200 (unmeasured)", "B200 and TPU v7, TPU v7"]
    assert list(map(bare, told)) == told
    marked = ["TPU v7 (unmeasured) leads TPU v7", "TPU v7, TPU v7 and TPU v7 (each: unmeasured)"]
    assert list(map(bare, marked)) == ["", ""]


@pytest.mark.parametrize("page", PAGES)
def test_a_sentence_marks_a_platform_that_was_never_run_wherever_it_names_one_first(page):
    exempt = (*NAMED_BEFORE.get(page, ()), *SAYS_ITSELF.get(page, ()))
    told = {
        (block, case): say(page, block, **never_run(found.get("with") or {}))
        for block, named_cases in cases(page).items()
        if block not in exempt
        for case, found in named_cases.items()
    }
    assert {one: text for one, text in told.items() if bare(text) or f"{NEVER_RUN} (unmeasured) (" in text} == {}
