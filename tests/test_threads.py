"""Whoever imports the library does linear algebra in one thread, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rackecon.threads import BLAS, one_thread_each


@pytest.mark.parametrize(("given", "found"), [(None, "1"), ("3", "3")])
def test_the_environment_goes_first(monkeypatch, given, found):
    monkeypatch.delenv(BLAS, raising=False)
    if given is not None:
        monkeypatch.setenv(BLAS, given)
    one_thread_each()
    assert os.environ[BLAS] == found


def test_importing_it_loads_no_linear_algebra_that_would_not_see_it():
    code = f"import os, sys, rackecon; print(os.environ['{BLAS}'], 'numpy' in sys.modules)"
    alone = {name: value for name, value in os.environ.items() if name != BLAS}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=alone)
    assert done.stdout == "1 False\n"
