"""Ends of intervals from residuals: what they are made of, what moves them and what must not."""

import numpy as np
import pytest

from rackecon import catalog
from rackecon.evidence.intervals import AT_SPEED, IN_ONE_RACK, interval_factors
from rackecon.evidence.record import NEW
from rackecon.evidence.widths import (
    FEWEST_HOMES,
    PEAKS,
    Misses,
    by_the_others,
    held_intervals,
    interval_ends,
    percentiles,
    widenings,
)

ONE, TWO = "aggregated", "disaggregated"
LINE = np.linspace(-1.0, 1.0, 201)  # 5th and 95th percentile -0.9 and 0.9, mean size 0.5025


def made(*parts, sound=None):
    """Rows of parts (kind, residuals, homes)."""
    off = np.concatenate([np.asarray(x, dtype=float) for _, x, _ in parts])
    kinds = np.concatenate([np.repeat(kind, len(x)) for kind, x, _ in parts])
    homes = np.concatenate([np.broadcast_to(home, len(x)) for _, x, home in parts])
    return Misses(off, kinds, homes, np.ones(len(off), dtype=bool) if sound is None else sound)


def spread(homes=FEWEST_HOMES, size=0.2, kind=ONE, rows=40, seed=3):
    """Normal residuals of equal homes."""
    off = size * np.random.default_rng(seed).standard_normal(homes * rows)
    return kind, off, np.repeat(np.arange(homes), rows)


def test_modes_share_a_shape_and_keep_their_size():
    found = percentiles(made((ONE, LINE, 0), (TWO, 3.0 * LINE, 0)))
    assert found[ONE] == pytest.approx((-0.9, 0.9), abs=0.01)
    assert found[TWO] == pytest.approx((-2.7, 2.7), abs=0.03)
    few = percentiles(made((ONE, LINE, 0), (TWO, [2.0], 0)))
    assert few[TWO] == pytest.approx(tuple(x * 1.015 for x in few[ONE]), rel=0.02)  # one row has no size of its own


def test_peak_rates_and_broken_builds_say_nothing_of_a_load():
    alone = interval_ends(made(spread()))
    with_peaks = made(spread(), spread(size=0.01, kind=PEAKS))
    assert interval_ends(with_peaks)[ONE] == alone[ONE]
    assert interval_ends(with_peaks)[PEAKS][1] < 0.1 * alone[ONE][1]
    rows = made(spread(), (ONE, np.full(30, 9.0), 0))
    broken = Misses(rows.off, rows.kinds, rows.homes, rows.off < 9.0)
    assert percentiles(broken)[ONE] == percentiles(made(spread()))[ONE]
    assert widenings(broken)[ONE] > widenings(made(spread()))[ONE]  # but are to be covered like the rest


def test_no_home_moves_its_own_interval():
    rows = made(spread())
    worse = Misses(np.where(rows.homes == 0, 5.0 * rows.off, rows.off), rows.kinds, rows.homes, rows.sound)
    own = rows.homes == 0
    for ends in (by_the_others, held_intervals):
        assert ends(worse)[:, own] == pytest.approx(ends(rows)[:, own])
        assert (np.abs(ends(worse)[:, ~own]) > np.abs(ends(rows)[:, ~own])).all()


def test_widened_until_nine_in_ten_of_every_home_lie_within():
    kind, off, homes = spread()
    uneven = made((kind, off * (1.0 + homes), homes))
    wider = widenings(uneven)[ONE]
    inside = uneven.inside(wider * by_the_others(uneven)).mean()
    less = uneven.inside((wider - 0.01) * by_the_others(uneven)).mean()
    assert wider > 1.0
    assert less < 0.9 <= inside


def test_too_few_homes_are_widened_together():
    rows = made(spread(FEWEST_HOMES - 1))
    assert held_intervals(rows) == pytest.approx(widenings(rows)[ONE] * by_the_others(rows))
    lone = made(spread(1))
    assert np.isnan(held_intervals(lone)).all()
    assert widenings(lone) == {ONE: 1.0}


def test_shipped_classes_are_every_kind_in_both_modes():
    table = catalog.table("residual_scales").set_index(["evidence", "quantity"])
    names = {f"{kind}{mode}" for kind in ("", *(f"{new} " for new in NEW), "new both ") for mode in (ONE, TWO)}
    # searched rates at new lengths have the ends of known ones
    racked = {f"{name}{IN_ONE_RACK}" for name in names if name.endswith(TWO) and not name.startswith("new lengths")}
    assert set(table.index.get_level_values(0)) == {*names, *racked, "drift of a quarter"}
    assert set(table.loc[sorted(racked)].index.get_level_values(1)) == {AT_SPEED}
    assert (table["log_low"] < 0).all()
    assert (table["log_high"] > 0).all()


@pytest.mark.parametrize("mode", [ONE, TWO])
@pytest.mark.parametrize("quantity", ["total_tok_s_per_gpu", "tok_s_per_user", "ttft_ms"])
def test_shipped_ends_hold_rows_with_a_load(quantity, mode):
    """Of rows that an answer can ask for: peak rates are known four times better than nine in ten of these."""
    points = catalog.table("validation_points")
    points = points[points["newest"] & ~points["throughput_only"] & (points["mode"] == mode)]
    off = np.log(points[f"measured_{quantity}"].astype(float) / points[f"held_out_{quantity}"].astype(float)).dropna()
    low, high = np.log(interval_factors("b200-hgx", "deepseek-r1", mode, quantity, also=()))
    assert 0.86 <= np.mean((off >= low) & (off <= high)) <= 0.95
