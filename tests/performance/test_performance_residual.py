"""The residual process against its closed form, its limits, and the bound on bandwidth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon.catalog import accelerator, model
from rackecon.performance.parameters import load_kernel, load_parameters
from rackecon.performance.residual import FEATURES, TERMS, Residual, Sites, names_of
from rackecon.performance.shares import MOST_BANDWIDTH, reached_bandwidth

KERNEL = load_kernel()


def sites(chip="b200-hgx", arch="deepseek-r1", **changes):
    """One point."""
    names = names_of(accelerator(chip), model(arch), "trtllm", "fp8", "aggregated")
    features = dict.fromkeys(FEATURES, 0.0) | {"log2_isl": 10.0, "log2_osl": 10.0, "log2_tp": 3.0} | changes
    return Sites(np.array([names]), np.array([[features[name] for name in FEATURES]]))


def conditioned(value):
    """The process after one point of 0.1."""
    own, noise = value.prior_variance, value.noise[0]
    weight = 0.1 / (own + noise**2)
    return Residual(value.sites, np.array([weight]), np.array([weight]), value.noise, value.kernel)


ONE = conditioned(Residual(sites(), np.zeros(1), np.zeros(1), np.array([0.07]), KERNEL))


def test_one_point_shrinks_by_the_share_of_its_noise():
    own = ONE.prior_variance
    assert ONE.mean(sites())[0][0] == pytest.approx(0.1 * own / (own + 0.07**2), rel=1e-9)
    left = own - own**2 / (own + 0.07**2) + KERNEL["noise"] ** 2
    assert ONE.sd(sites())[0] == pytest.approx(np.sqrt(left), rel=1e-9)


def test_far_from_all_points_physics_stays_and_the_spread_is_that_of_the_terms():
    far = sites("tpu-v7", "llama-3.1-8b")
    assert ONE.mean(far)[0][0] == pytest.approx(0.0, abs=1e-12)
    assert ONE.sd(far)[0] == pytest.approx(np.sqrt(ONE.prior_variance + KERNEL["noise"] ** 2))


def test_nearer_relatives_say_more():
    kin = [sites(), sites("b300-hgx"), sites("h200-sxm"), sites("mi355x")]
    means, spreads = [ONE.mean(x)[0][0] for x in kin], [ONE.sd(x)[0] for x in kin]
    assert means == sorted(means, reverse=True)
    assert spreads == sorted(spreads)


@given(st.floats(-4, 10), st.booleans())
def test_a_surface_reads_as_the_mean_does(load, drafting):
    point = sites(log2_load=load, drafting=float(drafting))
    direct = ONE.covariance(point) @ ONE.total
    assert ONE.mean(point)[0][0] == pytest.approx(direct[0], abs=1e-9)


def test_the_shipped_mean_is_the_covariance_times_the_weights():
    """Points that differ in load alone, and pairs of lengths, are summed before a surface is read."""
    used = load_parameters().residual
    some = used.sites.select(np.arange(0, len(used.sites), 10))
    direct = used.covariance(some)
    for mean, weights in zip(used.mean(some), (used.total, used.user), strict=True):
        assert mean == pytest.approx(direct @ weights, abs=1e-9)


@given(st.lists(st.floats(-9, 16), min_size=2, max_size=12))
def test_loads_make_a_covariance(loads):
    """Read on straight lines of the grid on both sides, so that no set of points has a negative variance."""
    points = [sites(log2_load=x) for x in loads]
    every = Sites(np.concatenate([x.names for x in points]), np.concatenate([x.features for x in points]))
    own = Residual(every, np.zeros(len(loads)), np.zeros(len(loads)), np.full(len(loads), 0.1), KERNEL).covariance(
        every
    )
    assert own == pytest.approx(own.T, abs=1e-12)
    assert np.linalg.eigvalsh(own).min() > -1e-9


def test_without_history_a_date_says_nothing():
    steady = ONE.without_history()
    assert steady.mean(sites(years=3.0))[0][0] == steady.mean(sites())[0][0] != ONE.mean(sites())[0][0]


@given(st.floats(0.01, 20.0))
def test_no_kernel_reads_faster_than_the_memory(share):
    assert float(reached_bandwidth(np.array(1.0), np.array(share))) <= MOST_BANDWIDTH


def test_what_fades_with_lengths_fades_with_no_date():
    """So that dates share it; the rest they do not."""
    assert not [name for name, _, fading in TERMS if {"I", "T"} <= set(fading)]
    one, other = (ONE.shape(sites().names[0], sites(years=years).features) for years in (0.0, 0.5))
    assert one.faded is other.faded
    assert not np.array_equal(one.plain, other.plain)


def test_software_never_slows_down():
    used = load_parameters()
    trends = [item for item in used.parameters if item.name.startswith("trend.")]
    assert len(trends) == 7
    assert all(item.scale == "log" and item.value > 0 for item in trends)
