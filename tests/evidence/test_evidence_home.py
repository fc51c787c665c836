"""A calibration of one's own lies apart from the shipped one, is read in its place, and can be taken back."""

import csv

import numpy as np
import pytest

from rackecon import catalog
from rackecon.errors import InputError
from rackecon.evidence import calibration, record
from rackecon.evidence.measured import load_evidence
from rackecon.performance.parameters import load_parameters


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    monkeypatch.setenv("RACKECON_USER_DATA", str(folder))
    return folder


def moved(name, value):
    """The shipped parameters with one fitted value moved, as a fit would leave it."""
    used = load_parameters()
    vector = used.to_vector()
    at = used.free().tolist().index(used.index(name))
    vector[at] = value
    return calibration.Fit(used.from_vector(vector), 0.0, 1, np.full(len(vector), 0.1))


def test_what_calibrate_writes_is_read_in_place_of_the_shipped_and_only_there(own):
    shipped = {p.name: p.read_bytes() for p in catalog.data_dir().glob("serving_*.csv")}
    before = load_parameters()
    digest = catalog.table_digest("serving_parameters")
    fitted = moved("host.trt", 2.5)
    calibration.write_parameters(fitted, load_evidence(), "2026-11-23", record.home(shipped=False))
    after = load_parameters()
    wanted = fitted.parameters.values()[before.index("host.trt")]
    assert after.values()[after.index("host.trt")] == pytest.approx(wanted, rel=1e-4)
    assert len(after.names) == len(before.names)
    assert catalog.table_digest("serving_parameters") != digest
    assert {p.name: p.read_bytes() for p in catalog.data_dir().glob("serving_*.csv")} == shipped
    for name in ("serving_parameters", "serving_intercepts"):
        (own / f"{name}.csv").unlink()
    assert load_parameters() == before


def test_intervals_follow_the_own_scales(own):
    from rackecon.evidence.intervals import interval_factors

    first = interval_factors("h100-sxm", "gpt-oss-120b", "aggregated", "total_tok_s_per_gpu")
    rows = [dict(row) for row in catalog.read_rows("residual_scales")]
    own.mkdir()
    with open(own / "residual_scales.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "log_low": "-1", "log_high": "1"} for row in rows)
    assert interval_factors("h100-sxm", "gpt-oss-120b", "aggregated", "total_tok_s_per_gpu") != first


def test_nowhere_to_write_is_one_line(monkeypatch):
    monkeypatch.setattr(record, "user_dir", lambda: None)
    with pytest.raises(InputError, match="set RACKECON_USER_DATA"):
        record.home(shipped=False)
    assert record.home(shipped=True) == catalog.data_dir()
