"""The market page: who says a margin, which ways are drawn, and how far a newcomer's price may fall."""

from __future__ import annotations

import pandas as pd
import pytest

from rackecon import catalog
from rackecon.market.linked import mature_gain
from rackecon.pages import market
from rackecon.pages.economics_text import energy_quoted


def test_a_forecast_or_what_others_say_is_no_disclosure():
    """Projections and a statement about other companies were counted among what companies disclosed."""
    margins = market.company_margins()
    told = margins[margins["kind"] == "disclosed"]
    assert set(margins["kind"]) <= set(market.KINDS)
    assert margins.index[margins["kind"] == "disclosed"].tolist() == list(range(len(told)))
    words = "forecast|projection|guide"
    assert not told["note"].fillna("").str.contains(words).any()
    assert margins.loc[margins["note"].fillna("").str.contains(words), "kind"].eq("forecast").all()
    assert "AI application companies" not in set(told["entity"])
    every = catalog.table("margins")
    assert len(margins) == (every["measure"].isin(market.MARGINS) & (every["date"].astype(str) >= "2025-01-01")).sum()


def test_ways_that_are_drawn_are_told_apart_by_how_the_capacity_is_had():
    ways = ["own", "rent, 3 years", "rent, 1 year", "rent, reserved, mixed terms", "API"]
    drawn = pd.DataFrame(
        {"way": ways, "platform": ["A", "A", "B", "B", None], "accelerator": ["a", "a", "b", "b", None]}
    )
    lines = market.way_lines(drawn)
    assert lines["platform"].tolist() == ["own: A", "3 years: A", "API"]
    assert lines["kind"].tolist() == list(market.STYLES)


def test_a_newcomers_price_falls_by_its_central_gain_and_by_the_quartiles_of_gains():
    gain = mature_gain()
    found = market.falls_quoted(0.92, 1.45)
    assert found["falls"] == pytest.approx(1.0 - 0.92 / 1.45)
    assert found["falls_high"] == pytest.approx(1.0 - 0.92 / (1.0 + gain.high))
    assert found["falls_low"] <= found["falls"] <= found["falls_high"]


def test_electricity_of_this_load_and_of_a_build_up_are_both_named():
    """One page counted 1.78 kW of a GPU and the next 2.01 kW, and neither said why."""
    rows = pd.DataFrame(
        {
            "accelerator": ["b200-hgx"],
            "platform": ["B200"],
            "cost_label": "build-up cost",
            "energy_usd_per_gpu_hour": 0.1,
            "energy_share_of_cost": 0.05,
            "output_tok_s_per_mw_2026_07": 1.0,
        }
    )
    found = energy_quoted(rows)
    assert (found["platform"], found["here"]) == ("B200", 0.1)
    assert 0.1 < found["built"] < 0.3
    assert energy_quoted(rows.assign(cost_label="ownership"))["platform"] == ""
