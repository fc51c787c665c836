"""The parameter record: a vector and back, names, and what an unknown one says."""

import numpy as np
import pytest

from rackecon.catalog import accelerator, accelerators, model, models
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


def test_a_part_of_the_parameters_is_fitted_with_the_others_held():
    known = load_parameters()
    part = known.holding_others(["cdna", "mori"])
    assert {part.names[i] for i in part.free()} == {x for x in known.names if "cdna" in x or "mori" in x}
    moved = part.from_vector(np.ones(len(part.free())))
    held = [i for i in range(len(known.names)) if i not in part.free()]
    assert (moved.values()[held] == known.values()[held]).all()
    with pytest.raises(InputError, match="no fitted parameter's name holds cdnna"):
        known.holding_others(["cdnna"])


def test_cdna3_has_a_host_time_of_its_own():
    """MI300X's builds are slower than its kernels; shared, that time halved what MI355X was predicted unseen."""
    names = [
        parameter_names(accelerator(chip), model("deepseek-r1"), "fp8", engine, "aggregated")["host"]
        for chip, engine in (("mi300x", "sglang"), ("mi355x", "sglang"), ("mi355x", "atom"), ("h200-sxm", "sglang"))
    ]
    assert names == ["host.cdna3", "host.amd", "host.atom", "host.sglang"]


def test_a_wide_prefill_has_the_grouped_product_that_public_recipes_name_for_its_chip_and_format():
    """Of 8-bit experts small Blackwell nodes run another than large domains; 4-bit experts and Hopper have one each."""
    asked = [
        ("b200-hgx", "fp8"),
        ("gb200-nvl72", "fp8"),
        ("b200-hgx", "fp4"),
        ("h200-sxm", "fp8"),
        ("b200-hgx", "bf16"),
    ]
    names = [
        parameter_names(accelerator(chip), model("deepseek-r1"), kind, "sglang", "disaggregated")["wide_prefill"]
        for chip, kind in asked
    ]
    of = "wide_prefill.sglang"
    assert names == [f"{of}.node", of, f"{of}.fp4", f"{of}.hopper", of]
