"""The verdict rule, row by row, and as data."""

import math
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon import catalog
from rackecon.claims import cells, model, required
from rackecon.claims.conditions import _chosen_words, option_words
from rackecon.claims.model import Rates
from rackecon.claims.records import claims
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


def _rates(*points: tuple[float, float, float, str]) -> Rates:
    value, low, high, kind = zip(*points, strict=True)
    return Rates(*(np.array(x) for x in (value, low, high)), kind, tuple((f"p{i}",) for i in range(len(points))))


STATED = replace(next(iter(claims().values())), metric="tok_s_per_gpu", value=10.0, value_step=0.5, bound="at least")


@pytest.fixture
def bounds(monkeypatch):
    """Runs repeat within a factor of 1.1; an interval may be as wide as a factor of 2."""
    monkeypatch.setattr(cells, "repeat_spread", lambda: 1.1)
    monkeypatch.setattr(cells, "widest_ratio", lambda: 2.0)
    monkeypatch.setattr(cells, "accounts", lambda claim, case, rate: (rate, 1))


@pytest.mark.parametrize(
    ("sign", "told"),
    [
        (
            1,  # printed to 0.5, so that 9.5 reaches ten; a measured 8.7 does with its repeats, and 8.6 does not
            {
                (9.5, 8.0, 12.0, "model"): TRUE,
                (9.4, 8.0, 12.0, "model"): OPEN,
                (8.0, 7.0, 9.5, "model"): OPEN,
                (8.0, 7.0, 9.4, "model"): FALSE,
                (8.7, 8.0, 9.4, "measured"): TRUE,
                (8.6, 8.0, 9.4, "measured"): FALSE,
                (20.0, 9.0, 18.1, "model"): OPEN,
                (4.0, 2.0, 9.0, "model"): OPEN,
            },
        ),
        (
            -1,  # of what falls with the rate 10.5 reaches ten; a measured 11.5 over 1.1 does too, and 11.7 over 1.1 does not
            {
                (10.5, 9.0, 12.0, "model"): TRUE,
                (10.6, 9.0, 12.0, "model"): OPEN,
                (12.0, 10.5, 13.0, "model"): OPEN,
                (12.0, 10.6, 13.0, "model"): FALSE,
                (11.5, 10.6, 12.0, "measured"): TRUE,
                (11.7, 10.6, 12.0, "measured"): FALSE,
                (12.0, 10.6, 21.3, "model"): OPEN,
            },
        ),
    ],
    ids=["rises with the rate", "falls with it"],
)
def test_a_number_of_ten_is_reached_failed_or_left_open_by_hand(bounds, sign, told):
    assert cells.states(STATED, sign, _rates(*told)) == tuple(told.values())


def test_a_number_claimed_as_equal_lies_within_or_beside_by_hand(bounds):
    told = {
        (10.0, 9.0, 11.0, "model"): TRUE,
        (8.0, 7.0, 9.5, "model"): TRUE,
        (8.0, 7.0, 9.4, "model"): FALSE,
        (12.0, 10.5, 13.0, "model"): TRUE,
        (12.0, 10.6, 13.0, "model"): FALSE,
        (10.0, 4.0, 9.0, "model"): OPEN,
    }
    assert cells.states(replace(STATED, bound="equals"), 1, _rates(*told)) == tuple(told.values())


def test_public_rates_that_reach_a_number_stand_beside_the_cells_by_hand(bounds, monkeypatch):
    """Of runs at 12, 8.7 and 8 the first two reach ten; each with its repeats on either side, and nothing of a model."""
    runs = [("a", 12.0, 30.0), ("b", 8.7, math.nan), ("c", 8.0, 50.0)]
    rows = [{"point_id": name, "total_tok_s_per_gpu": x, "tok_s_per_user": speed} for name, x, speed in runs]
    monkeypatch.setattr(cells, "peak_rows", lambda *of, **given: rows)
    measured, modelled, used = (
        Rates(*(np.array([float(i)]) for i in (n, n + 1, n + 2)), ("model",), (("x",),)) for n in (1, 4, 7)
    )
    main = cells.Cells(np.zeros(1), measured, modelled, used, (OPEN,))
    side = SimpleNamespace(accelerator="a", model="m", precision="fp8")
    found = cells._with_peaks(STATED, {"workload": "1024/1024"}, side, 1, main)
    assert (found.used.kind, found.state) == (("model", "measured", "measured"), (OPEN, TRUE, TRUE))
    assert found.used.points == (("x",), ("a",), ("b",))
    assert found.tok_s_per_user.tolist()[:2] == [0.0, 30.0]
    assert found.measured.value.tolist() == [1.0, 12.0, 8.7]
    assert found.measured.low == pytest.approx([2.0, 12.0 / 1.1, 8.7 / 1.1])
    assert found.measured.high == pytest.approx([3.0, 13.2, 9.57])
    assert found.used.value.tolist() == [7.0, 12.0, 8.7]
    assert np.isnan([found.modelled.value[1:], found.modelled.low[1:], found.modelled.high[1:]]).all()
    del rows[:2]
    assert cells._with_peaks(STATED, {"workload": "1024/1024"}, side, 1, main) is main


def test_the_upper_part_of_a_rising_condition_is_told_by_where_it_begins():
    """One value alone is told as itself, though nothing lies beyond it."""
    options = ("0.4", "0.6", "0.8")
    begins = _chosen_words("utilisation", options[1:], options)
    assert begins == f"{option_words('utilisation', '0.6')} or more"
    assert _chosen_words("utilisation", options[2:], options) == option_words("utilisation", "0.8")
    assert " or more" not in _chosen_words("utilisation", options[:2], options)
    assert " or more" not in _chosen_words("mode", options[1:], options)


def _front(*points: tuple[float, float, str]) -> SimpleNamespace:
    columns = ("tok_s_per_user", "total_tok_s_per_gpu", "mode")
    rows = {name: np.array([point[i] for point in points]) for i, name in enumerate(columns)}
    return type("Front", (SimpleNamespace,), {"__len__": lambda self: len(points)})(rows=rows)


def test_a_searched_front_is_read_between_its_points_by_hand(monkeypatch):
    """Rate 400 up to 20 tok/s/user, 100 at 80: 200 half-way, on its logarithm; the next faster point says the mode."""
    widths = {"aggregated": (0.8, 1.25), "disaggregated": (0.5, 2.0)}
    monkeypatch.setattr(model, "interval_factors", lambda chip, name, mode, scale, also: widths[mode])
    front = _front((20.0, 400.0, "aggregated"), (80.0, 100.0, "disaggregated"))
    side = model.Side("a", "m", front, "fp8", None, False)
    found = side.modelled(np.array([10.0, 20.0, 50.0, 80.0, 80.0 * (1 + 5e-10), 81.0]))
    assert found.value == pytest.approx([400.0, 400.0, 200.0, 100.0, 100.0, math.nan], nan_ok=True)
    assert found.low == pytest.approx([320.0, 320.0, 100.0, 50.0, 50.0, math.nan], nan_ok=True)
    assert found.high == pytest.approx([500.0, 500.0, 400.0, 200.0, 200.0, math.nan], nan_ok=True)
    assert (set(found.kind), set(found.points)) == ({"model"}, {()})
    assert np.isnan(model.Side("a", "m", _front(), "fp8", None, False).modelled(np.array([1.0, 2.0])).value).all()


def test_speeds_that_both_sides_reach_by_hand():
    """One serves 10 to 90 tok/s/user, the other 20 to 160: from 20 to 90 in steps of one factor."""
    one, other = (SimpleNamespace(front=_front((a, 2.0, "m"), (b, 1.0, "m"))) for a, b in ((10.0, 90.0), (20.0, 160.0)))
    grid = required._grid([one, other])
    assert (len(grid), grid[0]) == (required.SAMPLES, 20.0)
    assert grid[-1] == pytest.approx(90.0, rel=2e-9)
    assert grid[-1] < 90.0
    assert grid[1:] / grid[:-1] == pytest.approx(4.5 ** (1.0 / 60.0))
    faster = SimpleNamespace(front=_front((95.0, 2.0, "m"), (99.0, 1.0, "m")))
    assert len(required._grid([one, faster])) == len(required._grid([one, SimpleNamespace(front=_front())])) == 0


def test_what_other_sources_answer_is_not_searched(monkeypatch):
    monkeypatch.setattr(cells, "question", lambda case, which="subject": which)
    monkeypatch.setattr(cells, "published", lambda claim_id: [])
    compared = replace(STATED, metric=next(iter(set(cells.COMPARED) - set(cells.SPECIAL))))
    special = replace(STATED, metric=next(iter(cells.SPECIAL)))
    assert cells.questions(STATED, {"subject": "a"}) == ["subject"]
    assert cells.questions(compared, {"subject": "a"}) == ["subject", "baseline"]
    assert cells.questions(special, {"subject": "a"}) == cells.questions(STATED, {}) == []
    monkeypatch.setattr(cells, "published", lambda claim_id: ["a reading"])
    assert cells.questions(STATED, {"subject": "a"}) == []
