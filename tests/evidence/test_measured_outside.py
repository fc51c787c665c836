"""Measured rows that the fit does not use: what they hold, and that the fit has not seen them."""

import numpy as np
import pytest

from rackecon import catalog
from rackecon.evidence.measured import load_evidence


@pytest.fixture(scope="module")
def rows():
    return catalog.table("measured_outside").set_index("point_id")


def test_the_fit_has_not_seen_them(rows):
    assert not set(rows.index) & set(load_evidence().frame["point_id"])
    assert set(rows["why_outside"]) == {
        "newer than the fit",
        "vendor's own run of a part whose peaks are not published",
        "engine state far below the part, precision not stated",
    }


def test_power_over_rate_is_the_energy_that_the_source_prints(rows):
    drawn = rows[rows["avg_power_w_per_gpu"].notna()]
    joules = drawn["avg_power_w_per_gpu"] / drawn["total_tok_s_per_gpu"]
    # as printed by the source, 4 digits
    printed = {
        "IX_POWER-440673": 0.5434,
        "IX_POWER-441189": 0.0776,
        "IX_POWER-441459": 0.0672,
        "IX_POWER-441447": 0.2397,
    }
    for point, value in printed.items():
        assert joules[point] == pytest.approx(value, abs=6e-5)
    both = drawn[drawn["p90_power_w_per_gpu"].notna()]
    assert (both["p90_power_w_per_gpu"] >= both["avg_power_w_per_gpu"]).all()


def test_vendor_runs_are_published_and_a_doubtful_engine_an_estimate(rows):
    grades = rows.groupby("accelerator")["grade"].unique().to_dict()
    assert grades["openai-jalapeno"] == ["published"]
    assert grades["gaudi3"] == ["estimate"]
    assert np.isnan(catalog.accelerator("openai-jalapeno").peak_bf16_flops)
    assert not catalog.accelerator("openai-jalapeno").servable
