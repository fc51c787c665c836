"""An own calibration: apart from the shipped data, read in its place, and shipped only when asked for."""

from __future__ import annotations

import csv
import shutil

import pytest

from rackecon import catalog
from rackecon.catalog.paths import FITTED, data_dir, shipped_rows
from rackecon.errors import InputError
from rackecon.evidence import calibration, record
from rackecon.evidence import residual as evidence_residual
from rackecon.evidence.calibration import Fit
from rackecon.performance.parameters import load_parameters

RESIDUALS = {}


@pytest.fixture
def moved(monkeypatch):
    """A fit without the minutes of fitting: one parameter one deviation from its prior."""

    def fit(evidence, start, **_):
        vector = start.to_vector()
        vector[0] = 1.0
        return Fit(start.from_vector(vector), 1.0, 1, vector * 0 + 1.0)

    def fit_residual(evidence, parameters):
        """The residual of these parameters, worked out once: every test here has the shipped rows."""
        key = tuple(parameters.values())
        if key not in RESIDUALS:
            RESIDUALS[key] = evidence_residual.fit_residual(evidence, parameters)
        return RESIDUALS[key]

    monkeypatch.setattr(calibration, "fit", fit)
    monkeypatch.setattr(record, "fit_residual", fit_residual)


def digests():
    return {path.name: path.read_bytes() for path in data_dir().glob("*.csv")}


def test_a_calibration_writes_to_the_own_folder_and_is_read_from_there(own, moved):
    before, shipped, digest = digests(), load_parameters(), catalog.table_digest("serving_parameters")
    lines = list(record.run())
    assert digests() == before
    wanted = {"serving_parameters.csv", "serving_intercepts.csv", "serving_residual.csv"}
    assert {path.name for path in own.iterdir()} == wanted
    assert "own/" in lines[-1]
    found = load_parameters()
    assert found.names == shipped.names
    first = found.free()[0]
    item = found.parameters[first]
    assert item.value == pytest.approx(shipped.from_vector(shipped.to_vector() * 0 + 1.0).values()[first], rel=1e-4)
    assert found.intercepts == {}
    assert catalog.table_digest("serving_parameters") != digest
    assert shipped_rows("serving_parameters")[first]["value"] != catalog.read_rows("serving_parameters")[first]["value"]


def test_a_dry_run_writes_nowhere(own, moved):
    before = digests()
    list(record.run(write=False))
    assert digests() == before
    assert not own.exists()


def test_shipped_data_are_written_only_on_request_and_without_own_rows(own, moved, tmp_path, monkeypatch):
    copy = tmp_path / "data"
    shutil.copytree(data_dir(), copy)
    monkeypatch.setenv("RACKECON_DATA", str(copy))
    before = digests()
    own.mkdir()
    (own / "prices.csv").write_bytes((copy / "prices.csv").read_bytes())
    with pytest.raises(InputError, match=r"holds prices\.csv"):
        list(record.run(shipped=True))
    assert digests() == before
    (own / "prices.csv").unlink()
    list(record.run(shipped=True))
    assert {name for name, held in digests().items() if held != before[name]} == {
        "serving_parameters.csv", "serving_intercepts.csv", "serving_residual.csv",
    }  # fmt: skip
    assert list(own.iterdir()) == []


def test_an_own_fit_of_other_parameters_is_refused_in_one_line(own):
    own.mkdir()
    rows = catalog.read_rows("serving_parameters")
    with open(own / "serving_parameters.csv", "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows[:-1])
    with pytest.raises(InputError, match="rackecon calibrate"):
        load_parameters()


def test_fitted_tables_are_tables():
    assert set(FITTED) <= set(catalog.table_names())
