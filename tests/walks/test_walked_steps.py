"""What walks step through and what their tables keep, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from rackecon.catalog import scenario
from rackecon.walks import software, walk
from rackecon.walks.findings import METRIC, earning_nowhere
from rackecon.walks.latency import tier_table


def test_a_share_of_input_splits_a_total_and_says_the_ratio(monkeypatch):
    seen = {}

    def walked(accelerators, model, cases, held, **overrides):
        seen["cases"] = cases
        return pd.DataFrame()

    monkeypatch.setattr(walk, "_walk", walked)
    walk.total_fixed(["b200-hgx"], "deepseek-r1", scenario("chat"), 8000, (0.25, 0.8))
    lengths = [(case.isl_tokens, case.osl_tokens) for case, _ in seen["cases"]]
    assert lengths == [(2000, 6000), (6400, 1600)]
    columns = [at for _, at in seen["cases"]]
    assert [at["input_share"] for at in columns] == [0.25, 0.8]
    assert [at["input_per_output"] for at in columns] == pytest.approx([1 / 3, 4.0])


def test_dates_of_software_are_the_last_three_half_years_and_the_newest_measurement(monkeypatch):
    """The first of January is the year itself, the first of July half a year on, a day in October counts by its month."""
    monkeypatch.setattr(software, "newest_measurement", lambda: "2026-10-20")
    assert software.software_dates() == [
        (2025.5, "2025-07-01"), (2026.0, "2026-01-01"), (2026.5, "2026-07-01"), (2026.75, "2026-10-20"),
    ]  # fmt: skip


def test_platforms_that_earn_nowhere_are_named_in_the_order_of_the_walk():
    rows = pd.DataFrame({"platform": ["Z", "A", "A", "B"], METRIC: [-1.0, -2.0, 0.0, 1.0]})
    assert earning_nowhere(rows) == ("Z", "A")


def test_who_cannot_serve_is_a_column_only_where_somebody_cannot():
    told = {
        "platform": ["A", "B"],
        "accelerator": ["b200-hgx", "h100-sxm"],
        "model": "deepseek-r1",
        "mode": "aggregated",
    }
    money = {METRIC: [2.0, float("nan")], "revenue_usd_per_mw_year": [5.0, float("nan")], "layout": "TP8"}
    rates = {"total_tok_s_per_gpu": [900.0, float("nan")], "cost_usd_per_mtok_output": 0.5}
    rows = pd.DataFrame({**told, **money, **rates, "tok_s_per_user_target": 30.0})
    assert tier_table(rows)["cannot"].tolist() == ["B"]
    assert "cannot" not in tier_table(rows.head(1))
    assert tier_table(rows.tail(1))["cannot"].tolist() == ["all"]
