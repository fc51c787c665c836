"""The verdict rule, branch by branch."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon.claims.verdict import MEANING, VERDICTS, Span, decide

NONE = Span()
IN, OUT = Span(9.0, 20.0), Span(1.0, 5.0)


@pytest.mark.parametrize(
    ("stated", "middle", "everywhere", "verdict"),
    [
        (True, IN, IN, "reproduced"),
        (True, NONE, IN, "reproduced at the edge"),
        (True, OUT, OUT, "not reproducible as stated"),
        (False, IN, Span(1.0, 99.0), "bounded"),
        (False, OUT, Span(1.0, 99.0), "reproduced at the edge"),
        (False, OUT, OUT, "not reproducible as stated"),
        (False, NONE, NONE, "not reproducible as stated"),
    ],
)
def test_each_branch(stated, middle, everywhere, verdict):
    assert decide(15.0, stated=stated, middle=middle, everywhere=everywhere) == verdict


def test_misattribution_stands_apart_whatever_the_numbers():
    for span in (IN, OUT, NONE):
        assert decide(15.0, stated=True, middle=span, everywhere=span, misattributed=True) == "misattributed"


def test_up_to_asks_only_whether_the_value_is_reached():
    assert decide(4.0, stated=False, middle=IN, everywhere=IN) == "not reproducible as stated"
    assert decide(4.0, stated=False, middle=IN, everywhere=IN, one_sided=True) == "bounded"
    assert decide(25.0, stated=False, middle=IN, everywhere=IN, one_sided=True) == "not reproducible as stated"


def test_the_last_printed_digit_counts():
    edge = Span(0.0406, 1.0)
    assert decide(0.04, stated=True, middle=edge, everywhere=edge) == "not reproducible as stated"
    assert decide(0.04, stated=True, middle=edge, everywhere=edge, step=0.005) == "reproduced"


@given(value=st.floats(0.1, 1e3), low=st.floats(0.1, 1e3), width=st.floats(0, 1e3), stated=st.booleans())
def test_a_wider_span_never_makes_a_verdict_worse(value, low, width, stated):
    narrow, wide = Span(low, low), Span(low, low + width)
    order = {"not reproducible as stated": 0, "reproduced at the edge": 1, "bounded": 2, "reproduced": 2}
    before = decide(value, stated=stated, middle=narrow, everywhere=narrow)
    after = decide(value, stated=stated, middle=wide, everywhere=wide)
    assert order[after] >= order[before]
    assert decide(value, stated=stated, middle=narrow, everywhere=wide) in VERDICTS


def test_every_verdict_has_a_meaning_and_empty_spans_hold_nothing():
    assert set(MEANING) == set(VERDICTS)
    assert not NONE.holds(0.0)
    assert not NONE.holds(math.inf, 1.0, one_sided=True)
