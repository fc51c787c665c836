"""Tables and sentences of the page on uncertainty."""

from __future__ import annotations

import math

import pandas as pd

from rackecon import catalog
from rackecon.analysis.uncertainty_checks import REPORTED
from rackecon.reporting import uncertainty_page as page
from rackecon.reporting.text import percent

NAMES = {"a": "Alpha", "b": "Beta"}


def test_percentiles_shown_are_among_those_checked() -> None:
    assert set(page.SHOWN) <= set(REPORTED)
    assert {column for column, _ in page.METRICS.values()} <= set(REPORTED)


def test_coverage_is_the_figure_of_the_validation_page() -> None:
    scores = catalog.table("validation_scores")
    part = scores[(scores["scheme"] == "coverage of 90 % interval") & (scores["slice"] == "overall")]
    told = page.physics_sentence()
    for value in part["median_pct"]:
        assert percent(value / 100.0) in told


def test_checks_are_told_from_the_table() -> None:
    told = page.checks_sentence()
    for share in catalog.table("uncertainty_checks")["share"]:
        assert percent(float(share), 2) in told


def test_closest_pair_first_each_with_its_own_figures() -> None:
    rows = [("a", "b", 0.9, math.nan, "utilisation"), ("b", "a", 0.6, 0.5, "utilisation")]
    names = ["leader", "rival", "beats_share", "x_flip", "x_input"]
    flips = pd.DataFrame(rows, columns=names).assign(y_input="wacc", x_flip_at_low_y=0.45, x_flip_at_high_y=math.nan)
    out = page.flip_table(flips, NAMES)
    assert out["pair"].tolist() == ["Beta over Alpha", "Alpha over Beta"]
    assert out["flips_at"].tolist() == ["0.5 share", "never"]
    assert out["beats_share"].tolist() == [0.6, 0.9]


def test_what_cannot_be_is_said() -> None:
    known = {
        "input": "utilisation",
        "now": 0.6,
        "needed": 0.75,
        "change": 0.25,
        "feasible": True,
        "holds": ((0.75, 1.0),),
    }
    never = {"input": "cost_factor", "now": 1.0, "needed": math.nan, "change": math.nan, "feasible": False, "holds": ()}
    table = pd.DataFrame(
        [
            known | {"target": 2e6, "best_value": 1.0, "best_output": 3e6},
            never | {"target": 2e6, "best_value": 0.01, "best_output": 1e6},
        ]
    )
    told = page.needed_rows(table)["feasible"].tolist()
    assert told == ["yes, with 75 % to 100 %", "no: $1.00M at best, at 0.01; $2.00M is needed"]
    even = pd.DataFrame(
        {
            "platform": ["Alpha", "Beta"],
            "break_even_output_usd_per_mtok": [3.0, 1.0],
            "price_output_usd_per_mtok": 2.0,
            "break_even_utilisation": [1.5, 0.3],
        }
    )
    assert page.break_even_rows(even)["sold"].tolist() == ["30 %", "not feasible"]


def test_inputs_that_change_the_leader_are_named() -> None:
    row = {"accelerator": "a", "input": "pue", "base": 5e6, "leader_at_low": "a", "leader_at_high": "a"}
    assert "No input alone" in page.leader_sentence(pd.DataFrame([row]), "a", NAMES)
    turned = page.leader_sentence(pd.DataFrame([row | {"leader_at_high": "b"}]), "a", NAMES)
    assert "PUE at its high end (Beta)" in turned
