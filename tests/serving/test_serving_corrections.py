"""Corrections of the physics by hand: what each term counts, what each coefficient moves, how far it may stray."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rackecon.performance.parameters import load_parameters
from rackecon.serving.corrections import (
    Conditions,
    correction,
    design,
    effect_sd,
    effect_terms,
    load_range,
    within_stay,
    without_history,
)


def _conditions(load=8.0, isl=1024.0, osl=1024.0, drafting=0.0, ranks=0.0, years=0.3) -> Conditions:
    return Conditions(*(np.atleast_1d(np.asarray(x, dtype=float)) for x in (load, isl, osl, drafting, ranks, years)))


def _terms(**changes: float) -> dict[str, float]:
    return {name.removeprefix("c|"): float(term[0]) for name, term in effect_terms("c", "m", _conditions(**changes))}


def test_a_term_counts_three_octaves_as_one_from_its_middle() -> None:
    """Of load 8 requests a GPU are the middle, of lengths as much output as input."""
    assert [_terms(load=x)["load"] for x in (8.0, 64.0, 1.0)] == [0.0, 1.0, -1.0]
    assert [_terms(isl=x)["input"] for x in (1024.0, 8192.0, 128.0)] == [0.0, 1.0, -1.0]


def test_terms_end_where_measurements_do() -> None:
    assert [_terms(load=x)["load"] for x in (0.0, 2.0**-1.5, 512.0, 1e6)] == [-1.5, -1.5, 2.0, 2.0]
    assert [_terms(isl=x)["input"] for x in (1e6, 1.0)] == [1.2, -1.2]


def test_terms_of_a_method_are_there_with_it() -> None:
    assert [(_terms(drafting=x)["draft"], _terms(ranks=x)["dp"]) for x in (0.0, 1.0)] == [(0.0, 0.0), (1.0, 1.0)]
    assert _terms()["c"] == 1.0


ERAS = ("before", "2025Q4a", "2025Q4b", "2026Q1a", "2026Q1b", "2026Q2a", "2026Q2b", "after")


@pytest.mark.parametrize(
    ("years", "era"),
    [(-0.3, 0), (-0.25, 1), (-0.2, 1), (-0.125, 2), (0.0, 3), (0.2, 4), (0.25, 5), (0.49, 6), (0.5, 7)],
)
def test_software_is_of_one_era(years, era) -> None:
    """Half quarters, each with its first day."""
    terms = _terms(years=years)
    assert [terms[name] for name in ERAS] == [float(i == era) for i in range(len(ERAS))]


def test_every_coefficient_has_its_own_term() -> None:
    names = [name for name, _ in effect_terms("c", "m", _conditions())]
    own = ["c", "c|load", "c|input", "c|draft", "c|dp", *(f"c|{era}" for era in ERAS)]
    first = [f"first token|{name}" for name in own[:5]]
    assert names == [*own, "model m", "model m|input", *first]


EFFECTS = {"c": 0.1, "c|input": 0.2, "c|2026Q2a": 0.05, "model m|input": 0.3, "first token|c": 0.7, "model other": 9.0}
"""With gaps between those that apply, and one of another model."""


def test_a_correction_adds_its_terms_in_logs() -> None:
    """Input eight times the output: the sum of rates is 0.1 + 0.2 + 0.05 + 0.3; the first token is late by 0.7 and as
    much sooner as rates are higher."""
    rate, first = correction(EFFECTS, "c", "m", _conditions(isl=8192.0))
    assert rate == pytest.approx([math.exp(0.65)], rel=1e-12)
    assert first == pytest.approx([math.exp(0.7 - 0.65)], rel=1e-12)


def test_corrections_of_the_first_token_add_up() -> None:
    effects = {"first token|c": 0.5, "first token|c|load": 0.25, "first token|c|dp": -1.0}
    rate, first = correction(effects, "c", "m", _conditions(load=[8.0, 64.0], ranks=[0.0, 1.0]))
    assert np.broadcast_to(rate, 2).tolist() == [1.0, 1.0]
    assert first == pytest.approx([math.exp(0.5), math.exp(0.5 + 0.25 - 1.0)], rel=1e-12)


def test_what_was_not_measured_is_not_corrected() -> None:
    for found in correction({"other": 1.0}, "c", "m", _conditions()):
        assert found.tolist() == [1.0]


def test_a_design_times_its_coefficients_is_the_correction() -> None:
    """Of points of three pairs of cell and model in mixed order, by the matrices and by each point alone."""
    cells, models = ("c", "d", "c", "c"), ("m", "m", "n", "m")
    where = _conditions(load=[8.0, 64.0, 1.0, 16.0], isl=[8192.0, 1024.0, 128.0, 1024.0], osl=[1024.0] * 4,
                        drafting=[0.0, 1.0, 0.0, 1.0], ranks=[0.0, 0.0, 1.0, 1.0], years=[0.3, -0.3, 0.3, 0.6])  # fmt: skip
    names, rate, first = design(cells, models, where)
    assert names == tuple(sorted(names))
    assert not set(names) & {"d|2026Q2a", "c|before", "d|dp", "d|input"}
    effects = {name: 0.1 + 0.01 * i for i, name in enumerate(names)}
    weights = np.array(list(effects.values()))
    for i, (cell, model) in enumerate(zip(cells, models, strict=True)):
        one = Conditions(*(getattr(where, name)[i : i + 1] for name in where.__dataclass_fields__))
        alone = correction(effects, cell, model, one)
        assert [np.exp(rate[i] @ weights), np.exp(first[i] @ weights)] == pytest.approx([float(x[0]) for x in alone])


@pytest.mark.parametrize(
    ("name", "sd"),
    [
        ("c", 0.03), ("c|load", 0.02), ("c|input", 0.02), ("c|draft", 0.02), ("c|dp", 0.02), ("c|2026Q1a", 0.06),
        ("h100|vllm|fp8|aggregated|2026Q1a", 0.15), ("h100|vllm|fp8|aggregated", 0.03), ("model m", 0.04),
        ("model m|input", 0.03), ("first token|c", 0.15), ("first token|c|load", 0.15),
    ],
)  # fmt: skip
def test_how_far_a_coefficient_may_stray(name, sd) -> None:
    assert effect_sd(name) == sd


def test_the_load_moves_rates_over_its_whole_range() -> None:
    """From -1.5 to 2 times the coefficient, whichever its sign; not at all without one."""
    assert [load_range({"c|load": x}, "c") for x in (0.2, -0.2)] == pytest.approx([math.exp(0.7)] * 2)
    assert load_range({"d|load": 0.2}, "c") == 1.0


def test_software_without_a_history_keeps_what_is_of_no_date() -> None:
    used = load_parameters()
    dated = replace(used, intercepts={"c": 0.1, "c|load": 0.2, "c|2026Q1a": 0.3, "c|after": 0.4})
    steady = without_history(dated)
    assert steady.intercepts == {"c": 0.1, "c|load": 0.2}
    moved = {x.name for x, y in zip(used.parameters, steady.parameters, strict=True) if x.value != y.value}
    assert moved
    assert all(name.startswith("trend.") for name in moved)
    assert all(x.value == 0.0 for x in steady.parameters if x.name.startswith("trend."))
    assert steady.residual is not None
    assert not steady.residual.dated
    assert used.first_token
    assert {mode: x.dated for mode, x in steady.first_token.items()} == dict.fromkeys(used.first_token, False)
    bare = without_history(replace(used, residual=None, first_token=None))
    assert (bare.residual, bare.first_token) == (None, {})


def test_a_first_token_is_held_within_its_request() -> None:
    """16 requests at 4 a second stay 4 s each."""
    held = within_stay(np.array([100.0, 4000.0, 4001.0]), np.array(16.0), np.array(4.0))
    assert held.tolist() == [100.0, 4000.0, 4000.0]
