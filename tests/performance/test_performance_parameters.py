"""The parameter record: a vector and back, names, and what an unknown one says."""

import numpy as np
import pytest

from rackecon.catalog import accelerators, models
from rackecon.errors import InputError
from rackecon.performance.families import ENGINES, parameter_names
from rackecon.performance.parameters import load_parameters


def test_vector_and_back():
    used = load_parameters()
    again = used.from_vector(used.to_vector())
    assert np.allclose(again.values(), used.values(), rtol=1e-12)
    moved = used.natural(used.to_vector() + 0.1)
    free = used.free()
    assert (moved[free] > used.values()[free]).all()


def test_every_platform_model_and_engine_has_its_parameters():
    known = set(load_parameters().names)
    missing = {
        name
        for chip in accelerators().values()
        for arch in models().values()
        for engine in ENGINES
        for precision in ("bf16", "fp8", "fp4", "int4")
        for mode in ("aggregated", "disaggregated")
        for name in parameter_names(chip, arch, precision, engine, mode).values()
        if name not in known
    }
    assert not missing


def test_an_unknown_parameter_names_the_nearest():
    with pytest.raises(InputError, match=r"host\.trt"):
        load_parameters().index("host.trtt")


def test_values_are_positive_and_priors_have_a_width():
    for item in load_parameters().parameters:
        assert item.prior_sd > 0, item.name
        if item.scale == "log":
            assert item.value > 0, item.name
            assert item.prior > 0, item.name
