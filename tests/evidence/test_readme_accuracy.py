"""The table of accuracy in README.md: each cell is the figure of data/ to the digits it shows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rackecon import catalog
from rackecon.evidence.fronts import front_scores
from rackecon.pages.trust_page import FEWEST_SWEEPS, front_table

README = Path(__file__).parents[2] / "README.md"
QUANTITIES = ("total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms")
ROWS = {
    "whole curves, all with a load": ("held-out curves", "all with load"),
    "aggregated": ("held-out curves", "aggregated"),
    "disaggregated": ("held-out curves", "disaggregated"),
    "throughput tables without a load": ("held-out curves", "throughput tables"),
    "gpt-oss-120b": ("held-out curves", "model gpt-oss-120b"),
    "NVIDIA": ("held-out curves", "NVIDIA"),
    "AMD": ("held-out curves", "AMD"),
    "a model never seen, tables included": ("leave one model out", "all rows"),
    "a model never seen, with a load": ("leave one model out", "all with load"),
    "a pair of known platform and model never seen together": ("leave one pair out", "all with load"),
    "an engine new to its platform": ("leave one engine of a platform out", "all with load"),
    "lengths never seen": ("leave one set of lengths out", "all with load"),
    "an NVIDIA accelerator never seen": ("leave one accelerator out", "NVIDIA"),
    "an AMD accelerator never seen": ("leave one accelerator out", "AMD"),
}


def rows_of_readme() -> dict[str, list[str]]:
    """Cells of the table under "How accurate", by its first column."""
    part = README.read_text(encoding="utf-8").split("## How accurate", 1)[1].split("\n\nShare of held-out", 1)[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| ")
    ]
    return {cells[0]: cells[1:] for cells in lines if cells[0] not in ("held out", "---")}


def cell(median_pct: float, p90_pct: float) -> str:
    """A median with its 90th percentile, as a cell of the table."""
    return f"{median_pct:.1f} ({p90_pct:.0f})"


def test_every_row_of_the_table_is_checked():
    assert set(rows_of_readme()) == {*ROWS, "searched fronts at equal speed"}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_shows_the_figures_on_record(name):
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])
    points, *cells = rows_of_readme()[name]
    assert int(points) == int(scores.loc[(*ROWS[name], QUANTITIES[0]), "points"])
    for quantity, shown in zip(QUANTITIES, cells, strict=True):
        if shown == "–":
            assert (*ROWS[name], quantity) not in scores.index, quantity
            continue
        found = scores.loc[(*ROWS[name], quantity)]
        assert shown == cell(found["median_pct"], found["p90_pct"]), quantity


@pytest.fixture(scope="module")
def fronts() -> pd.DataFrame:
    return front_scores(catalog.table("validation_fronts")).set_index("slice")


def percent(log: float) -> str:
    """How far a search lies above what was measured, whole per cent with its sign."""
    return f"{100.0 * (np.exp(-log) - 1.0):+.0f}"


def test_searched_fronts_are_those_on_record(fronts):
    points, rate, *rest = rows_of_readme()["searched fronts at equal speed"]
    whole = fronts.loc["all"]
    assert (points, rate) == (str(int(whole["points"])), cell(whole["median_pct"], whole["p90_pct"]))
    assert rest == ["–", "–"]
    told = README.read_text(encoding="utf-8").replace("\n", " ")
    found = re.search(
        r"held out: median error (\d+) % \((\d+) % with .*?, bias (\S+) % \(positive: .*?\); (.*?)\. With", told
    )
    assert found is not None
    assert found.group(1, 2) == (f"{whole['median_pct']:.0f}", f"{whole['own_pct']:.0f}")
    assert found.group(3) == percent(whole["bias_log"])
    each = dict(one.rsplit(" ", 1) for one in found.group(4).split("; "))
    known = {one.removeprefix("accelerator ") for one in fronts.index if one.startswith("accelerator ")}
    assert set(each) == {catalog.label(one) for one in known}
    for one in known:
        assert each[catalog.label(one)] == percent(fronts.loc[f"accelerator {one}", "bias_log"])


def test_what_sweeps_drawn_again_would_say_is_that_of_the_page():
    told = re.search(
        r"nine in ten medians lie between (\d+) and (\d+) %, and the bias of (\S+), of (\d+) sweeps, between (\S+) and (\S+) %",
        README.read_text(encoding="utf-8"),
    )
    assert told is not None
    table = front_table().set_index("slice")
    whole, one = table.loc["all"], table.loc[told.group(3)]
    assert told.group(1, 2) == (f"{whole['median_low_pct']:.0f}", f"{whole['median_high_pct']:.0f}")
    ends = (f"{one[name]:+.0f}" for name in ("bias_low_pct", "bias_high_pct"))
    assert told.group(4, 5, 6) == (f"{one['sweeps']:.0f}", *ends)
    platforms = table.loc[[catalog.label(key) for key in catalog.accelerators() if catalog.label(key) in table.index]]
    assert told.group(3) == platforms.loc[platforms["sweeps"] >= FEWEST_SWEEPS, "bias_pct"].abs().idxmax()


def test_widths_of_intervals_are_those_on_record():
    told = re.search(r"median width in log: (.*?)\)", README.read_text(encoding="utf-8"))
    assert told is not None
    widths = catalog.table("validation_intervals").set_index(["evidence", "quantity"])["width_log"]
    for name, width in (one.rsplit(" ", 1) for one in told.group(1).split(", ")):
        assert width == f"{widths[name, 'total_tok_s_per_gpu']:.2f}", name


def test_coverage_and_later_rows_are_those_on_record():
    told = README.read_text(encoding="utf-8").replace("\n", " ")
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])["median_pct"]
    inside = re.search(r"90 % interval \(total tok/s per GPU\): overall (.*?)\. Intervals", told)
    assert inside is not None
    overall, *slices = inside.group(1).split(", ")
    for name, share in [("overall", overall), *(one.split(" ", 1) for one in slices)]:
        assert share == f"{scores['coverage of 90 % interval', name, 'total_tok_s_per_gpu']:.0f} %", name
    later = re.search(r"with the software of that date: (.*?) % off", told)
    cuts = [f"from {day}, software of the cut" for day in ("2025-12-01", "2026-02-01", "2026-04-01", "2026-05-01")]
    assert later is not None
    assert later.group(1) == ", ".join(f"{scores[cut, 'all with load', 'total_tok_s_per_gpu']:.0f}" for cut in cuts)
