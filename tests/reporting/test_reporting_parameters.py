"""A notebook's own check of its parameters: strict at first, and no obstacle when its cells are run again."""

from __future__ import annotations

import pytest

from rackecon.errors import InputError
from rackecon.reporting.parameters import check_parameters, notebook_path, read_parameters


@pytest.fixture
def namespace():
    return {name: item.default for name, item in read_parameters(notebook_path("template")).items()}


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
