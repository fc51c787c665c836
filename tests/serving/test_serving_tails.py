"""The tail factors are what the MLPerf runs at their limits show."""

import pytest

from rackecon import catalog
from rackecon.errors import InputError
from rackecon.serving.tails import tail_factors


def test_p99_factors_are_the_medians_of_runs_at_their_limit():
    runs = catalog.table("measured_mlperf")
    runs = runs[runs["round"] != "v6.0"]
    step = runs[runs["tpot_p99_ms"] >= 0.9 * runs["tpot_limit_ms"]]
    first = runs[runs["ttft_p99_ms"] >= 0.9 * runs["ttft_limit_ms"]]
    assert len(step) > 50
    assert len(first) > 15
    tpot, ttft = tail_factors("p99")
    assert tpot == pytest.approx((step["tpot_p99_ms"] / step["tpot_p50_ms"]).median(), abs=0.01)
    assert ttft == pytest.approx((first["ttft_p99_ms"] / first["ttft_mean_ms"]).median(), abs=0.05)


def test_a_median_is_left_alone_and_another_statistic_is_refused():
    assert tail_factors("median") == (1.0, 1.0)
    with pytest.raises(InputError, match="latency_statistic"):
        tail_factors("p95")
