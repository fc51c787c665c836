"""The verdict rule, row by row, and as data."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon import catalog
from rackecon.claims.verdict import (
    FALSE,
    NEEDS,
    OPEN,
    TRUE,
    Findings,
    Reading,
    decide,
    meanings,
    rules,
    verdicts,
    widest_ratio,
)
from rackecon.errors import InputError

SEEN, MODELLED = Reading(TRUE, measured=True), Reading(TRUE)
REFUTED, SHORT, UNDECIDED = Reading(FALSE, measured=True), Reading(FALSE), Reading(OPEN)


@pytest.mark.parametrize(
    ("readings", "verdict"),
    [
        ((SEEN,), "measured"),
        ((SEEN, SEEN), "measured"),
        ((SEEN, MODELLED), "holds if"),
        ((SEEN, REFUTED), "holds if"),
        ((MODELLED, UNDECIDED, SHORT), "holds if"),
        ((REFUTED,), "contradicted"),
        ((REFUTED, SHORT), "contradicted"),
        ((SHORT, SHORT), "exaggerated"),
        ((REFUTED, UNDECIDED), "not checkable"),
        ((SHORT, UNDECIDED), "not checkable"),
        ((UNDECIDED,), "not checkable"),
        ((), "not checkable"),
    ],
)
def test_each_row(readings, verdict):
    assert decide(readings) == verdict


def test_a_number_reached_at_some_speeds_only_holds_there():
    assert decide(Findings((SEEN,), everywhere=False)) == "holds if"


def test_what_its_author_alone_measured_is_not_called_measured():
    assert decide(Findings((SEEN,), own=True)) == "holds if"


@pytest.mark.parametrize("readings", [(SEEN,), (REFUTED,), ()])
def test_what_no_number_can_mend_comes_first(readings):
    assert decide(Findings(readings, misattributed=True, identity=True)) == "misattributed"
    assert decide(Findings(readings, identity=True, unpublished=True)) == "arithmetic"
    assert decide(Findings(readings, unpublished=True)) == "not checkable"


READING = st.builds(Reading, st.sampled_from((TRUE, FALSE, OPEN)), st.booleans())


@given(st.lists(READING, max_size=6))
def test_not_knowing_never_helps_a_claim(readings):
    """A reading that becomes undecided never turns another verdict into *measured* or *holds if*, nor one against."""
    before = decide(readings)
    for i in range(len(readings)):
        after = decide([*readings[:i], UNDECIDED, *readings[i + 1 :]])
        assert after == before or after in ("holds if", "not checkable")
        if after == "holds if":
            assert before in ("measured", "holds if")


def test_every_verdict_has_a_meaning_and_every_need_a_row():
    assert set(meanings()) == set(verdicts())
    assert {rule.needs for rule in rules()} == set(NEEDS)
    assert rules()[-1].needs == "otherwise"
    assert widest_ratio() == 4.0


def test_the_rule_is_data(tmp_path, monkeypatch):
    shutil.copytree(catalog.data_dir(), tmp_path / "data")
    path = tmp_path / "data" / "verdict_rule.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("exaggerated,false everywhere,4", "overdone,false everywhere,2"), encoding="utf-8")
    monkeypatch.setenv("RACKECON_DATA", str(tmp_path / "data"))
    assert decide([SHORT]) == "overdone"
    assert widest_ratio() == 2.0
    path.write_text(text.replace("exaggerated,false everywhere,", "exaggerated,false nowhere,"), encoding="utf-8")
    with pytest.raises(InputError, match="unknown needs 'false nowhere'"):
        rules()
