"""One table of assumptions: everything that can be set stands in it once, with a range that its defaults keep to."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.parameters import CATALOG, notebooks_dir, read_parameters
from rackecon.catalog.assumption_table import allowed_values
from rackecon.errors import InputError
from rackecon.pages.live import SLIDERS, slider_ends
from rackecon.sweeps.grid import MONEY, NUMBERS, WORDS

UNBOUND = {"speeds", "workloads"}  # lists of text or of speeds that page 11 prints, each checked where it is read


def test_every_field_of_the_assumptions_has_a_row():
    assert not [field.name for field in fields(Assumptions) if field.name not in allowed_values()]


def test_every_parameter_of_every_notebook_has_a_row_or_a_table_of_names():
    names = {n for path in notebooks_dir().glob("[0-9]*.ipynb") for n in read_parameters(path)}
    assert not names - set(allowed_values()) - set(CATALOG) - UNBOUND


def test_defaults_and_base_case_keep_to_the_ranges():
    base = catalog.base_case()
    for rule in allowed_values().values():
        if rule.base_case:
            assert rule.fault(getattr(base, rule.base_case)) == "", rule.name
            if rule.numeric:
                assert [rule.fault(end) for end in base.range(rule.base_case)] == ["", ""]
        elif rule.default and rule.numeric:
            assert rule.fault(float(rule.default)) == ""


def test_controls_and_grids_stay_inside():
    rules = allowed_values()
    for item in SLIDERS:
        low, high, step = slider_ends(item.key, sum(rules[item.parameter].slider[:2]) / 2.0)
        assert rules[item.parameter].low <= low < high <= rules[item.parameter].high
        assert 0 < step < high - low
    assert all(rules[name].numeric for name in (*MONEY, *NUMBERS))
    assert all(rules[name].choices for name in WORDS)


@pytest.mark.parametrize(
    ("name", "value"), [(r.name, v) for r in allowed_values().values() if r.numeric for v in (r.low, r.high)]
)
def test_just_outside_an_end_is_refused_and_the_end_is_not(name, value):
    rule = allowed_values()[name]
    assert "power of two" in rule.fault(value) or rule.fault(value) == ""
    beyond = math.nextafter(value, -math.inf if value == rule.low else math.inf)
    assert f"{name} " in rule.fault(beyond)
    assert "out of range" in rule.fault(beyond)
    if name in {field.name for field in fields(Assumptions)}:
        with pytest.raises(InputError, match=f"{name} .*out of range"):
            assumptions(**{name: beyond})
