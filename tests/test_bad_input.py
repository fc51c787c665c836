"""A seeded sample of what `make torture` tries in full: bad input by every way in, and legal values at their ends."""

from __future__ import annotations

import sys

import bad_input
import legal
import pytest

from rackecon.catalog.text_file import yaml_of
from rackecon.errors import InputError

SAMPLED = 10
PAGE = "01_platforms_and_models"


@pytest.mark.slow
@pytest.mark.parametrize("way", bad_input.WAYS)
def test_bad_input_is_one_line_by_every_way_in(tmp_path, way):
    broken = [(what, why) for what, why in bad_input.attempts(way, SAMPLED, tmp_path / "work", seed=7) if why]
    assert broken == []


@pytest.mark.slow
@pytest.mark.parametrize("accelerators", [["cerebras-wse3"], ["l40s"]])
def test_a_page_of_what_cannot_serve_says_true_words(accelerators):
    assert legal.judged(PAGE, {"accelerators": accelerators}) == ""


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<p>nan tokens</p>", "nan"),
        ("<p>$-3</p>", "$-"),
        ('<script type="application/json">{"a": NaN}</script>', "NaN in JSON"),
        ('<script type="application/json">{"datasets": {"a": []}}</script>', "a chart of nothing"),
        ("<p>1e+06 tokens</p>", "e+06"),
    ],
)
def test_untrue_words_are_found(page, said):
    assert said in legal.untrue(page)
    assert legal.untrue("<p>None of them, in finance: 3 %</p>".replace("None", "No one")) == ""


@pytest.mark.parametrize("text", ["1: 2", "null: 3", "a: {2: b}", "? [a]\n: b"])
def test_a_name_in_yaml_is_text(text):
    with pytest.raises(InputError, match="not YAML"):
        yaml_of("run.yaml", text)


def test_deep_json_of_a_parameter_is_text():
    from rackecon.cli.report import _value

    deep = "[" * (sys.getrecursionlimit() * 10)
    assert _value(deep) == deep
