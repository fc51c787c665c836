"""Results leave a notebook as data beside the page, never in it."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from rackecon.figures.display import ANSWER, answer
from rackecon.figures.results import RESULTS_MIME, Figure, column_figures, publish


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.89, "1234570"),
        (0.0001234567, "0.000123457"),
        (-2.5e-9, "-2.5e-09"),
        (-0.0, "0"),
        (np.float64(3.0), "3"),
        (np.int64(12345678), "12345678"),
        (12345678, "12345678"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (None, ""),
        (math.nan, ""),
        (math.inf, ""),
        ("two\n words", "two words"),
    ],
)
def test_a_value_is_written_with_six_digits_and_what_is_missing_is_empty(value, text):
    assert Figure("a/b", value, "-").text == text


@pytest.mark.parametrize("key", ["", "-a", "a,b", "a  b", "a\nb", "<b>", "é", " a", "a "])
def test_a_key_is_plain(key):
    with pytest.raises(ValueError, match="no key of a result"):
        Figure(key, 1.0, "-")


def test_a_key_is_published_once():
    with pytest.raises(ValueError, match="given twice"):
        publish("p", Figure("a", 1, "-"), [Figure("a", 2, "-")])


def test_an_answer_publishes_itself_beside_its_markup():
    shown = answer("So it is.", lead="A < B.")._repr_mimebundle_()
    bold = '<p class="answer"><strong>A &lt; B.</strong> <span class="then">So it is.</span></p>'
    assert shown["text/html"] == f'<div class="mathjax_ignore">{bold}</div>'
    assert shown[RESULTS_MIME]["results"] == answer("A < B.", "So it is.")._repr_mimebundle_()[RESULTS_MIME]["results"]
    shown = answer("A < B.", "So it is.")._repr_mimebundle_()
    assert shown["text/html"] == '<div class="mathjax_ignore"><p class="answer">A &lt; B. So it is.</p></div>'
    assert shown[RESULTS_MIME] == {"results": [[ANSWER, "A < B. So it is.", "text"]]}


def test_a_bundle_is_json_whatever_the_values():
    frame = pd.DataFrame({"id": ["<x>"], "a": [np.nan], "b": [np.inf], "c": [1]})
    bundle = publish("p", column_figures(frame, ["id"], {"a": "-", "b": "-", "c": "-"}))._repr_mimebundle_()
    json.dumps(bundle, allow_nan=False)
    assert bundle[RESULTS_MIME]["results"] == [["x/a", "", "-"], ["x/b", "", "-"], ["x/c", "1", "-"]]
