"""Worked numbers and changed assumptions of the economics pages come from the rows they are given."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from rackecon import catalog
from rackecon.appraisal.cost_comparison import basis_marks, cost_bases
from rackecon.economics.power import drawn_kw_per_gpu
from rackecon.pages import economics_examples as examples


def test_changed_assumptions_are_named_with_their_units():
    names = [
        "as on this page",
        "utilisation",
        "electricity_usd_per_kwh",
        "pue",
        "wacc",
        "published cost",
        "power_vintage",
    ]
    frame = pd.DataFrame({"assumption": names, "value": ["", "0.4", "0.05", "1.09", "0.07", "neocloud", "2025-10"]})
    out = examples.changed_words(frame.assign(profit=1.0))
    assert not out["assumption"].str.contains("_").any()
    assert out["value"].tolist() == ["", "40 %", "0.05 USD/kWh", "1.09", "7 %", "neocloud", "2025-10"]
    assert (out["profit"] == 1.0).all()


def test_the_drawn_power_of_the_example_is_the_equation_of_its_figures():
    chip, share, pue = catalog.accelerator("gb200-nvl72"), 0.75, 1.25
    drawn = float(drawn_kw_per_gpu(chip.tdp_w, 1.87, share, pue=pue))
    rows = {"accelerator": ["tpu-v5e", "gb200-nvl72"], "platform": ["TPU v5e", chip.label]}
    power = pd.DataFrame(
        {**rows, "provisioned_it_kw_per_gpu_2026_07": [np.nan, 1.87], "drawn_utility_kw_per_gpu": [1.0, drawn]}
    )
    told = examples.draw_example(power, pue)
    assert chip.label in told
    assert "a TDP of 1.2 kW of which 75 % is drawn" in told
    assert "(1.87 − 1.2 × 0.25) × 1.25 = 1.96 kW" in told
    assert examples.draw_example(power.iloc[:1], pue) == "No platform has all figures of the equation."


def test_crossing_of_own_and_rent_is_that_of_the_first_row_with_both():
    against = pd.DataFrame(
        {
            "platform": ["A", "B"],
            "own_usd_per_gpu_hour": [2.0, 1.0],
            "rent_on_demand_usd_per_gpu_hour": [math.nan, 4.0],
            "crossing_utilisation": [math.nan, 0.25],
        }
    )
    assert (
        examples.rent_example(against)
        == "With the figures of B: $1.00 to own and $4.00 on demand cross at a use of 25 %."
    )
    assert examples.rent_example(against.iloc[:1]).startswith("No platform")


def test_launch_factors_are_told_by_the_fall_of_prices():
    launch = pd.DataFrame(
        {
            "price_decline_per_year": [0.0, 0.3, 0.3, 0.6],
            "launch_usd_per_mtok_total": [1.0, 1.5, 3.0, 4.0],
            "levelised_usd_per_mtok_total": [1.0, 1.0, 2.0, 1.0],
        }
    )
    assert examples.launch_words(launch).endswith("1.5 times at 30 % and 4.0 times at 60 %.")
    assert examples.launch_words(launch.iloc[:0]) == "No platform has a cost per token."


def test_the_source_of_drawn_power_counts_its_measurements_and_states_their_error(monkeypatch):
    assert "rests on 65 measurements of B200, B300, H100 and MI355X, missed by 8 % (median)" in examples.draw_source()
    real = catalog.table("validation_energy")
    gone = real[real["platform"] != "mi355x"]
    monkeypatch.setattr(catalog, "table", lambda name: gone)
    assert "MI355X" not in examples.draw_source()


def test_errors_of_energy_stand_by_platform_and_phase():
    found = examples.energy_errors()
    assert set(found["platform"]) == {"all", "B200", "B300", "H100", "MI355X"}
    assert set(found["phase"]) == {"all", "mostly decode", "mostly prompts"}
    whole = found[(found["platform"] == "all") & (found["phase"] == "all")].iloc[0]
    assert (
        whole["power_points"]
        == found.loc[(found["phase"] == "all") & (found["platform"] != "all"), "power_points"].sum()
    )
    assert 0 < whole["power_median_pct"] < whole["joules_median_pct"] < 100


def test_listings_are_told_where_they_differ_most(monkeypatch):
    from dataclasses import replace

    from rackecon.economics import price_table

    card = replace(
        price_table.price_card("gpt-oss-120b"),
        fresh_input_range=(1.0, 2.0),
        cached_input_range=(0.0, 9.0),
        output_range=(1.0, 5.0),
    )
    monkeypatch.setattr(price_table, "price_card", lambda model: card)
    told = examples.price_span("gpt-oss-120b")
    assert told.endswith("differ by up to 5.0 times: output sells for $1.00 to $5.00 per million tokens.")


def test_ownership_marks_are_those_of_the_tier_asked_for():
    bases = cost_bases(["h100-sxm"])
    cheap, dear = (
        basis_marks(bases, tier).set_index("kind")["usd_per_gpu_hour"] for tier in ("hyperscaler", "neocloud")
    )
    assert cheap["own, 2026-07"] < dear["own, 2026-07"]
    assert cheap["rent, 3 years"] == dear["rent, 3 years"]
