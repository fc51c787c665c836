"""A platform that no measured run stands behind says so wherever a page draws or tabulates it by name."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rackecon.evidence.novelty import unseen_labels
from rackecon.figures.display import VEGALITE_MIME

REPORTS = sorted((Path(__file__).resolve().parents[2] / "reports").glob("[0-9][0-9]_*.html"))
SPEC = re.compile(r'<script type="application/json">(\{"\$schema".*?)</script>', re.S)
DRAWN = re.compile(r'<span(?: data-name=""| style="left)[^>]*>([^<]+)</span>')
"""Names beside the lines of the summary's live charts and on its map."""


def words(part: Any) -> Iterator[str]:
    """Every text of a chart's data, domains and orders."""
    if isinstance(part, dict):
        for value in part.values():
            yield from words(value)
    elif isinstance(part, list):
        for value in part:
            yield from words(value)
    elif isinstance(part, str):
        yield part


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_chart_says_it_in_a_notebook_too(path):
    cells, bare = json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"], unseen_labels()
    drawn = [output["data"][VEGALITE_MIME] for cell in cells for output in cell.get("outputs", []) if VEGALITE_MIME in output.get("data", {})]
    assert [text for spec in drawn for text in words(spec) if text.rpartition(": ")[2] in bare] == []


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_no_label_cell_or_heading_names_an_unmeasured_platform_bare(path):
    page, bare = path.read_text(encoding="utf-8"), unseen_labels()
    cells = [html.unescape(text) for text in re.findall(r"<t[hd]\b[^>]*>([^<]+?)\s*</t[hd]>", page)]
    heads = re.findall(r'<(?:th scope="row"|p class="finding")[^>]*>([^<]+?)\s*</(?:th|p)>', page)
    assert [text for text in heads for name in bare if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-]| \()", html.unescape(text))] == []
    labels = [html.unescape(text) for text in DRAWN.findall(page)]
    charts = [text.rpartition(": ")[2] for spec in SPEC.findall(page) for text in words(json.loads(spec)) if len(text) < 60]
    assert [text for text in (*cells, *labels, *charts) if text in bare] == []
    keys = re.findall(r'<p class="measure key">(.*?)</p>', page)
    shown = json.dumps(json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8")), ensure_ascii=False)
    assert "unmeasured platform" not in page + shown and not re.search(rf"({'|'.join(map(re.escape, bare))}), unmeasured", page + shown)
    assert [key for key in keys for name in bare if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-]| \()", key)] == []


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_paragraph_marks_such_a_platform_where_it_names_it_first_and_no_more(path):
    page, bare = path.read_text(encoding="utf-8"), unseen_labels()
    for paragraph in re.findall(r'<p class="(?:answer|note)">(.*?)</p>', page, re.S):
        text = html.unescape(re.sub(r"<[^>]+>", "", paragraph))
        for name in bare:
            marks = [found.start() for found in re.finditer(rf"(?<![\w-]){re.escape(name)} \(unmeasured[;)]", text)]
            assert len(marks) <= 1, text
            assert not marks or marks[0] == re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text).start(), text
