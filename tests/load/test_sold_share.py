"""Sold shares: reference results of an independent computation, a published day, limits."""

from __future__ import annotations

import csv
import functools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackecon.errors import InputError
from rackecon.load.demand import Demand, demand
from rackecon.load.sold_share import Policy, sold_share

REFERENCES = Path(__file__).parent / "references"
ROWS = list(csv.DictReader((REFERENCES / "sold_share_reference.csv").read_text().splitlines()))
POINT = 0.001  # the promise is one point; the computation is the same, so a tenth is asked


shaped = functools.cache(demand)


def policy(text: str) -> Policy:
    unit = re.search(r"_units(\d+)", text)
    size = 1.0 / int(unit[1]) if unit else 0.0
    if text.startswith("fixed"):
        quantile = {"peak": 1.0, "p99": 0.99, "p95": 0.95}[text.split("_")[1]]
        backfill = re.search(r"backfill(\d+)", text)
        return Policy(quantile=quantile, unit=size, backfill=int(backfill[1]) / 100 if backfill else 0.0)
    if text.startswith("daily"):
        basis = {"foresight": "foresight", "peak": "last_week" if "last_week" in text else "previous_day"}
        return Policy(
            kind="daily", quantile=0.99 if "p99" in text else 1.0, basis=basis[text.rsplit("_", maxsplit=1)[-1]]
        )
    found = re.match(r"auto_(\d+)min_margin(\d+)", text)
    assert found
    return Policy(kind="autoscaled", start_delay_min=int(found[1]), margin=int(found[2]) / 100, unit=size)


@pytest.fixture(scope="module")
def compared() -> list[tuple[dict[str, str], float, float]]:
    """Each reference row with the differences of the sold and the served share."""
    out = []
    for row in ROWS:
        shape = shaped(row["trace"], row["measure"])
        shape = shape.filled() if row["variant"] == "gaps_filled" else shape
        if row["policy"].startswith("backfill"):
            share = int(re.search(r"\d+", row["policy"])[0]) / 100
            found = sold_share(shape, Policy(quantile=0.99, backfill=share))
            out.append((row, found.batch_served - float(row["sold_share"]), 0.0))
            continue
        found = sold_share(shape, policy(row["policy"]))
        out.append((row, found.sold - float(row["sold_share"]), found.served - float(row["demand_served_share"])))
    return out


def test_every_reference_row_is_reproduced_within_a_point(compared):
    assert len(compared) == len(ROWS) > 400
    far = [
        (r["trace"], r["measure"], r["variant"], r["policy"], d, s)
        for r, d, s in compared
        if max(abs(d), abs(s)) > POINT
    ]
    assert not far, far


def test_deepseek_day_of_nodes_is_known():
    """226.75 of 278 nodes on average: a day resized as it went sells 0.8156 of a fleet held at its peak."""
    hours = np.full(24, (226.75 * 24 - 278) / 23)
    hours[14] = 278.0
    found = sold_share(Demand("day", "requests", 60.0, hours, 1.0), Policy())
    assert found.sold == pytest.approx(226.75 / 278, abs=1e-6)


def test_flat_demand_sells_all():
    flat = Demand("flat", "requests", 10.0, np.full(432, 3.0), 1.0)
    for each in (Policy(), Policy(kind="daily"), Policy(kind="autoscaled", start_delay_min=15)):
        found = sold_share(flat, each)
        assert found.sold == pytest.approx(1.0)
        assert found.served == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.1, 10.0), min_size=300, max_size=320), st.floats(0.5, 1.0), st.floats(0.0, 0.5))
def test_limits_hold_for_any_demand(values, quantile, backfill):
    shape = Demand("drawn", "requests", 10.0, np.array(values), 1.0)
    less, more = sold_share(shape, Policy(quantile=quantile)), sold_share(shape, Policy())
    assert less.sold >= more.sold - 1e-9
    assert less.served <= more.served + 1e-9 == pytest.approx(1.0)
    coarse = sold_share(shape, Policy(unit=0.3))
    assert coarse.sold <= more.sold + 1e-9
    filled = sold_share(shape, Policy(quantile=quantile, backfill=backfill))
    assert less.sold - 1e-9 <= filled.sold <= 1.0 + 1e-9


def test_a_coarse_unit_costs_a_small_fleet():
    shape = demand("azure2024_conv")
    shares = [sold_share(shape, Policy(kind="autoscaled", start_delay_min=5, unit=u)).sold for u in (0.01, 0.1, 0.34)]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Policy(kind="fixd"), "nearest is 'fixed'"),
        (lambda: Policy(quantile=1.4), "quantile 1.4 is out of range"),
        (lambda: demand("azure2024_cnv"), "nearest is 'azure2024_conv'"),
        (lambda: demand("azure2024_conv", "token"), "measure"),
        (lambda: sold_share(demand("azure2023_conv"), Policy(kind="daily")), "two days"),
        (lambda: demand("burstgpt_week1", "requests"), "no requests"),
    ],
)
def test_what_cannot_be_is_one_line(make, words):
    with pytest.raises(InputError, match=words):
        make()
