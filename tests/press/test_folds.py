"""A table in a fold keeps its caption where the fold's own line does not say the same."""

import html
import re
from pathlib import Path

import pytest

from rackecon.press.shared_files import shared_files

PAGES = sorted((Path(__file__).parents[2] / "reports").glob("*.html"))
HIDDEN = "details.fold>summary+.scroll:not(:has(~.scroll)) caption{position:absolute"
AFTER_SUMMARY = re.compile(
    r'<details class="fold[^>]*><summary>((?:(?!</summary>).)*)</summary>(<div class="scroll".*?)</details>', re.S
)
CAPTION = re.compile(r"<caption>(.*?)</caption>", re.S)


def test_captions_are_hidden_by_one_rule():
    style = shared_files()["page.css"]
    assert HIDDEN in style
    assert len(re.findall(r"caption\{position:absolute", style)) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_hidden_caption_is_the_summary_word_for_word(page):
    for summary, inside in AFTER_SUMMARY.findall(page.read_text(encoding="utf-8")):
        captions = CAPTION.findall(inside)
        if len(captions) == 1:
            said = re.sub(r" \([\d,]+ rows?\)$", "", html.unescape(re.sub(r"<[^>]+>", "", summary)))
            assert html.unescape(re.sub(r"<[^>]+>", "", captions[0])) == said
