"""A notebook's own check of its parameters: strict at first, and no obstacle when its cells are run again."""

from __future__ import annotations

import re

import pytest

from rackecon.appraisal.parameters import check_parameters, notebook_path, notebooks_dir, read_parameters, validate
from rackecon.errors import InputError


@pytest.fixture
def namespace():
    return {name: item.default for name, item in read_parameters(notebook_path("template")).items()}


def test_what_is_allowed_is_told_in_words_and_whole_figures():
    told = {
        item.name: item.range
        for path in notebooks_dir().glob("[0-9]*.ipynb")
        for item in read_parameters(path).values()
    }
    assert told["budget_usd"] == "10,000 to 1,000,000,000,000"
    assert told["built"] == "ids of data/accelerators.csv"
    assert not [words for words in told.values() if re.search(r"\b(str|float)\b|\de\+", words)]


def test_a_misspelt_parameter_is_refused(namespace):
    with pytest.raises(InputError, match="nearest is 'utilisation'"):
        check_parameters("template", namespace | {"utilization": 0.5})


def test_cells_run_again_find_their_own_results_and_still_check_values(namespace):
    check_parameters("template", namespace)
    namespace |= {"case": "made by a later cell"}
    check_parameters("template", namespace)
    namespace["utilisation"] = 7.0
    with pytest.raises(InputError, match="out of range"):
        check_parameters("template", namespace)


def test_a_platform_twice_and_a_build_up_without_a_price_are_refused_before_anything_is_computed():
    declared = read_parameters(notebook_path("09_cost"))
    given = {key: item.default for key, item in declared.items()}
    assert validate("09_cost", declared, given) == []
    twice = validate("09_cost", declared, given | {"accelerators": ["h100-sxm", "h100-sxm"]})
    assert twice == ["09_cost: accelerators names 'h100-sxm' twice"]
    (unpriced,) = validate("09_cost", declared, given | {"built": "l40s"})
    assert unpriced.startswith("09_cost: built 'l40s' has no graded price of a rack or server; these have: ")
    assert "gb200-nvl72" in unpriced


@pytest.mark.parametrize(
    ("page", "given", "said"),
    [
        (
            "10_revenue_and_roi",
            {"cost_basis": "build_up", "cost_tier": "neocloud"},
            "cost_tier neocloud changes nothing with",
        ),
        (
            "10_revenue_and_roi",
            {"cost_basis": "rental"},
            "cost_basis rental has no cost_tier hyperscaler: allowed 3-year",
        ),
        (
            "10_revenue_and_roi",
            {"cost_basis": "rental", "cost_tier": "3-year", "tax_rate": 0.3},
            "tax_rate 0.3 changes nothing",
        ),
        ("12_uncertainty", {"cost_basis": "rental"}, "cost_basis rental has no cost_tier"),
    ],
)
def test_what_would_change_nothing_is_refused_before_any_kernel(page, given, said):
    declared = read_parameters(notebook_path(page))
    (fault,) = validate(page, declared, given)
    assert fault.startswith(f"{page}: ")
    assert said in fault
    assert validate(page, declared, {key: item.default for key, item in declared.items()} | given) == [fault]


@pytest.mark.parametrize(
    ("page", "given"),
    [
        ("10_revenue_and_roi", {"cost_tier": "neocloud"}),
        ("10_revenue_and_roi", {"cost_basis": "rental", "cost_tier": "3-year"}),
        ("10_revenue_and_roi", {"tax_rate": 0.3, "own_software_gain_per_year": 0.2}),
        ("09_cost", {"cost_basis": "rental"}),
        ("09_cost", {"cost_tier": "neocloud", "cost_vintage": "2025-08"}),
    ],
)
def test_what_does_change_the_page_is_allowed(page, given):
    assert validate(page, read_parameters(notebook_path(page)), given) == []
