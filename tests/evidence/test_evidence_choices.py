"""What searches prefer to public sweeps: held at the front that was measured, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rackecon.evidence import residual as fitting
from rackecon.evidence import validation
from rackecon.evidence.calibration import Fit
from rackecon.evidence.choices import Choices, choices_of, no_choices
from rackecon.evidence.measured import load_evidence
from rackecon.evidence.public_fronts import public_fronts, searched_points
from rackecon.performance.parameters import load_parameters
from rackecon.performance.residual import FEATURES, Sites


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


@pytest.fixture(scope="module")
def beaten(evidence):
    """A public front that the search beats somewhere by what was fitted to measured points alone, and what it finds."""
    physics = load_parameters().with_intercepts({})
    alone = replace(
        load_parameters(), residual=fitting._conditioned(evidence, physics, None, no_choices(evidence)).residual
    )
    for front in public_fronts(evidence):
        chosen = choices_of(evidence, alone, [front])
        if len(chosen):
            return alone, front, chosen
    raise AssertionError("no front is beaten")


def test_a_front_is_the_upper_envelope_with_its_slope(evidence):
    for front in public_fronts(evidence)[:20]:
        speed, rate = evidence.tok_s_per_user[front.rows], evidence.total_tok_s_per_gpu[front.rows]
        assert (np.diff(speed) > 0).all()
        assert (np.diff(rate) < 0).all()
        assert (front.slopes < 0).all()
        if len(speed) == 2:
            wanted = np.log(rate[1] / rate[0]) / np.log(speed[1] / speed[0])
            assert front.slopes == pytest.approx(np.clip([wanted] * 2, -4.0, -0.3))


def test_only_rows_given_make_fronts(evidence):
    few = np.zeros(len(evidence), dtype=bool)
    assert public_fronts(evidence, few) == []
    wanted = evidence.group == evidence.group[public_fronts(evidence)[0].rows[0]]
    assert {str(x.group) for x in public_fronts(evidence, wanted)} == set(evidence.frame["split_group"][wanted])


def test_a_choice_lies_on_the_measured_front_at_equal_speed(evidence, beaten):
    """Both rates fall by d / (1 - slope): along the front the total rises again by slope times that, d in all."""
    alone, front, chosen = beaten
    at = {evidence.frame["point_id"].iloc[i]: (i, s, f) for _, i, s, f in searched_points([(front, alone)], evidence)}
    means = alone.residual.mean(chosen.sites)
    for n, point in enumerate(chosen.ids):
        row, slope, found = at[point]
        above = np.log(found.rate_at(evidence.tok_s_per_user[row]) / evidence.total_tok_s_per_gpu[row])
        down = means[0][n] - chosen.total[n]
        assert above > 0
        assert down * (1 - slope) == pytest.approx(above)
        assert means[1][n] - chosen.user[n] == pytest.approx(down)


def test_conditioning_on_choices_lowers_what_the_search_promises(evidence, beaten):
    alone, _, chosen = beaten
    physics = load_parameters().with_intercepts({})
    both = replace(alone, residual=fitting._conditioned(evidence, physics, None, chosen).residual)
    totals = [p.residual.mean(chosen.sites)[0] for p in (alone, both)]
    assert totals[1].mean() < totals[0].mean()
    assert len(both.residual.sites) == len(alone.residual.sites) + len(chosen)


def test_one_site_is_chosen_once():
    names, features = np.array([["a"] * 8] * 3), np.zeros((3, len(FEATURES)))
    features[2, 0] = 1.0
    some = Choices(("x", "y", "z"), Sites(names, features), np.arange(3.0), np.arange(3.0))
    none = Choices((), some.sites.select(np.arange(0)), np.zeros(0), np.zeros(0))
    assert none.with_more(some).ids == ("x", "z")
    assert none.with_more(some).with_more(some).total.tolist() == [0.0, 2.0]


def test_what_comes_after_a_cut_is_predicted_from_what_came_before(evidence, monkeypatch):
    seen = []

    def fit(evidence, start, rows, evaluations=0):
        seen.append(rows)
        return Fit(start, 0.0, 0, np.zeros(len(start.free())))

    monkeypatch.setattr(validation, "fit", fit)
    monkeypatch.setattr(validation, "with_residual", lambda evidence, parameters, rows: parameters)
    cut = "2026-04-01"
    later = (evidence.frame["date"] >= cut).to_numpy()
    own, frozen = (validation.forward(evidence, load_parameters(), cut, frozen=x) for x in (False, True))
    assert [(x == ~later).all() for x in seen] == [True, True]
    assert np.isnan(own.total_tok_s_per_gpu[~later]).all()
    assert np.isfinite(own.total_tok_s_per_gpu[later]).all()
    gain = (own.tok_s_per_user - frozen.tok_s_per_user)[later]
    assert np.nanmin(gain) >= -1e-9  # software only gets faster
    assert np.nanmax(gain) > 0
