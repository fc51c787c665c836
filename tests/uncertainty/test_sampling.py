"""Draws of platforms compared: those of the base case together, each other one apart from all."""

from __future__ import annotations

import numpy as np
import pytest

from rackecon.appraisal.evaluate import PLATFORMS
from rackecon.uncertainty.ranking import RankingDraws, draw_scores
from rackecon.uncertainty.sampling import design, sample

SETTINGS = RankingDraws()


def test_a_platform_added_leaves_the_draws_of_all_others_to_the_last_bit():
    alone, more = draw_scores(PLATFORMS, SETTINGS), draw_scores(["mi300x", *PLATFORMS, "gaudi3"], SETTINGS)
    for name in ("rate", "capital"):
        np.testing.assert_array_equal(getattr(more, name)[1:-1], getattr(alone, name))
    for name in ("price", "sold"):
        np.testing.assert_array_equal(getattr(more, name), getattr(alone, name))
    np.testing.assert_array_equal(draw_scores([*PLATFORMS, "mi300x"], SETTINGS).rate[-1], more.rate[0])


def test_a_platform_added_shares_what_its_kind_shares_and_has_the_rest_of_its_own():
    scores = draw_scores([*PLATFORMS, "mi300x", "vr-nvl72", "gaudi3"], RankingDraws(draws=16384))
    amd, nvidia = PLATFORMS.index("mi355x"), PLATFORMS.index("b200-hgx")
    like = np.corrcoef(scores.rate)
    shared, vendor = 0.5**2, 0.5**2 + 0.316**2  # loadings of data/distributions.csv
    assert like[-3, amd] == pytest.approx(vendor, abs=0.02)
    assert like[-2, nvidia] == pytest.approx(vendor, abs=0.02)
    for one, other in ((-3, nvidia), (-1, amd), (-1, -2)):
        assert like[one, other] == pytest.approx(shared, abs=0.02)
    assert np.corrcoef(scores.capital)[-1, 0] == pytest.approx(0.7**2, abs=0.02)
    for row in (*scores.rate[-3:], *scores.capital[-3:]):
        assert np.median(row) == pytest.approx(0.0, abs=0.02)
        assert row.std() == pytest.approx(1.0, abs=0.01)


def test_a_platform_added_draws_physical_inputs_at_few_points_for_each_model():
    models = ("deepseek-r1", "gpt-oss-120b")
    alone, more = (sample(design(keys, models), 512) for keys in (PLATFORMS, [*PLATFORMS, "mi300x"]))
    for name, values in alone.values.items():
        for model in range(2):
            np.testing.assert_array_equal(more.of(name, 3, model), alone.of(name, 3, model), err_msg=name)
        assert np.isfinite(more.values[name]).all()
        assert len(values) == 512
    assert not np.array_equal(more.of("rate_error", 7, 0), more.of("rate_error", 7, 1))
