"""The residual's scales: the mean at points left out against a process that never had them, and the search for scales."""

from dataclasses import replace

import numpy as np
import pytest

from rackecon.evidence import scales
from rackecon.evidence.measured import load_evidence
from rackecon.performance.parameters import load_kernel
from rackecon.performance.residual import Residual


def test_the_mean_left_out_is_that_of_a_process_without_the_points():
    evidence, kernel = load_evidence(), load_kernel()
    chosen = evidence.prepared.sites.select(np.arange(0, len(evidence), 40))
    rng = np.random.default_rng(3)
    noise, aim = np.full(len(chosen), kernel["noise"]), rng.normal(0.0, 0.2, len(chosen))
    own = Residual(chosen, aim, aim, noise, kernel).covariance(chosen)
    rows = np.arange(0, len(chosen), 3)
    rest = np.setdiff1d(np.arange(len(chosen)), rows)
    weights = np.linalg.solve(own[np.ix_(rest, rest)] + np.diag(noise[rest] ** 2), aim[rest])
    without = Residual(chosen.select(rest), weights, weights, noise[rest], kernel)
    by_formula = scales.left_out(np.linalg.inv(own + np.diag(noise**2)), aim, rows)
    assert by_formula == pytest.approx(own[np.ix_(rows, rest)] @ weights, abs=1e-9)
    assert by_formula == pytest.approx(without.covariance(chosen.select(rows)) @ weights, abs=1e-9)


def few():
    """Every twelfth row: enough chips and models to leave some out, and quick."""
    whole = load_evidence()
    rows = np.arange(0, len(whole), 12)
    held = {
        name: getattr(whole, name)[rows]
        for name in ("total_tok_s_per_gpu", "tok_s_per_user", "weight", "broken", "newest", "throughput_only")
    }
    ready = replace(whole.prepared, sites=whole.prepared.sites.select(rows))
    return replace(whole, frame=whole.frame.iloc[rows].reset_index(drop=True), prepared=ready, **held)


def folds_without_platforms(evidence, aims):
    """Each platform left out."""
    chip = evidence.frame["accelerator"].to_numpy(dtype=str)
    return [scales.fold("accelerator", chip == name, aims, evidence) for name in np.unique(chip)]


def test_what_a_vendor_shares_is_found_where_platforms_are_left_out():
    """Errors that are one number a vendor make the vendor's term worth having; errors of no pattern do not."""
    evidence, kernel = few(), load_kernel()
    vendor = evidence.prepared.sites.names[:, 0]
    shared = np.where(vendor == "amd", 0.3, -0.1)
    folds = folds_without_platforms(evidence, (shared, shared))
    none = kernel | {"stack": 0.0, "stack_shape": 0.0}
    assert scales.criterion(evidence, folds, kernel | {"stack": 0.3}) < 0.9 * scales.criterion(evidence, folds, none)
    loose = np.random.default_rng(5).normal(0.0, 0.3, len(evidence))
    folds = folds_without_platforms(evidence, (loose, loose))
    assert scales.criterion(evidence, folds, kernel | {"stack": 0.3}) > 0.99 * scales.criterion(evidence, folds, none)


@pytest.mark.slow
def test_a_search_never_ends_above_its_start(monkeypatch):
    evidence = few()
    shared = np.where(evidence.prepared.sites.names[:, 0] == "amd", 0.3, -0.1)
    folds = folds_without_platforms(evidence, (shared, shared))
    monkeypatch.setattr(scales, "STEPS", (0.5, 0.4))
    found = scales.choose(evidence, folds)
    assert scales.criterion(evidence, folds, found) < scales.criterion(evidence, folds, load_kernel())
    assert {name: found[name] for name in scales.FIXED} == {name: load_kernel()[name] for name in scales.FIXED}
