"""A chart's width: fixed where a notebook shows it, the column's where a page does."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd

from rackecon.figures import charts
from rackecon.figures.display import FIXED_WIDTH, VEGALITE_MIME, chart_bundle
from rackecon.figures.tables import table
from rackecon.press.html import render_page


def test_a_notebook_draws_at_a_fixed_width_and_its_page_at_the_columns():
    lines = pd.DataFrame({"accelerator": ["h100-sxm"] * 2, "platform": ["H100"] * 2, "x": [1.0, 2.0], "y": [3.0, 2.0]})
    chart = charts.assumption_lines(lines, "x", "y", title="A", subtitle="unit", x_title="x", y_title="y")
    data, _ = chart_bundle(chart.to_dict())
    assert data[VEGALITE_MIME]["width"] == FIXED_WIDTH
    cell = {
        "cell_type": "code",
        "source": [],
        "metadata": {},
        "outputs": [{"output_type": "display_data", "data": data}],
    }
    page = render_page({"cells": [cell]}, "20_x", [])
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    assert json.loads(found.group(1))["width"] == "container"


def test_a_form_that_knows_no_missing_value_leaves_a_dash():
    frame = pd.DataFrame({"part": ["a", "b"], "load": [1024.0, np.nan], "payback": [1.0, np.nan]})
    forms = {"load": lambda x: f"{x:,.0f}", "payback": lambda x: "never" if x != x else f"{x:g} years"}
    shown = table(frame, "Loads", formats=forms).markup
    assert re.findall(r"<td[^>]*>(.*?)</td>", shown) == ["1,024", "1 years", "–", "never"]
