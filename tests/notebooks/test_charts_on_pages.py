"""What every chart and every published number of the shipped pages keeps to."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPORTS = Path(__file__).resolve().parents[2] / "reports"
PAGES = sorted(REPORTS.glob("*.ipynb"))


def encodings(part: Any) -> Iterator[dict[str, Any]]:
    """Every encoding of a place in a specification."""
    if isinstance(part, dict):
        yield from (part["encoding"][way] for way in ("x", "y") if way in part.get("encoding", {}))
        for inner in part.values():
            yield from encodings(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from encodings(inner)


def charts(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    bundles = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return [data["application/vnd.vegalite.v5+json"] for data in bundles if "application/vnd.vegalite.v5+json" in data]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_log_axis_names_round_figures_or_the_steps_of_its_walk(path):
    """Left to itself Vega labels 20k, 10k, 2k, 1k."""
    for chart in charts(path):
        logs = [one for one in encodings(chart) if one.get("scale", {}).get("type") == "log"]
        drawn = [one["axis"] for one in logs if one.get("axis")]
        assert not logs or drawn, chart["title"]["text"]
        for axis in drawn:
            values = axis["values"]
            digits = {f"{value:.3e}".partition("e")[0] for value in values}
            assert values == sorted(values)
            assert len(values) >= 2
            assert digits <= {"1.000", "2.000", "3.000", "5.000"} or len(values) <= 8, chart["title"]["text"]


def test_a_year_has_one_name_in_the_units_of_results():
    units = {row[2] for path in sorted((REPORTS / "results").glob("*.csv")) for row in csv.reader(path.open(encoding="utf-8"))}
    assert {"USD/year", "USD/MW-year", "years"} <= units
    assert units.isdisjoint({"a", "1/a", "USD/a", "USD/yr", "USD a year", "year"})
