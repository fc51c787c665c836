"""Who leads by price and share sold, and by speed: the same as evaluating and ranking each case by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rackecon import catalog
from rackecon.answer.lead_map import (
    NO_ONE_SERVES,
    NOBODY,
    Cell,
    lead_map,
    line_marks,
    reigns,
    speed_lines,
)
from rackecon.answer.live_case import money_fronts
from rackecon.appraisal.evaluate import evaluate
from rackecon.evidence.novelty import best_run, fastest_measured
from rackecon.uncertainty.ranking import RankingDraws, rank
from rackecon.walks.findings import ahead_at_ends

FEW = ("h200-sxm", "gb300-nvl72", "tpu-v7")
MODEL, CASE = "deepseek-r1", "offline-batch"
METRIC = "profit_usd_per_rack_year"


@pytest.fixture(scope="module")
def found():
    return lead_map(evaluate(FEW, [MODEL], [CASE], licence_share=0.1), METRIC)


@pytest.mark.parametrize(("row", "column"), [(0, 18), (3, 0), (6, 4), (9, 11), (11, 18)])
def test_a_cell_is_the_ranking_of_its_own_case(found, row, column):
    price, share = found.prices[row], found.shares[column]
    table = evaluate(FEW, [MODEL], [CASE], utilisation=share, price_factor=price, licence_share=0.1)
    table = table.assign(price_level_low=1.0, price_level_high=1.0)
    first = rank(table, METRIC, RankingDraws()).iloc[0]
    cell = found.rows[row][column]
    if first["value"] <= 0:
        assert cell == Cell(NOBODY, 0.0)
        assert cell.kind == "none"
    else:
        assert cell.leader == first["accelerator"]
        assert cell.win_share == pytest.approx(first["win_share"], abs=1e-9)


def test_little_revenue_earns_nobody_and_much_somebody(found):
    revenue = np.outer(found.prices, found.shares)
    nobody = np.array([[cell.leader == NOBODY for cell in row] for row in found.rows])
    assert 0 < nobody.sum() < nobody.size
    assert revenue[nobody].max() <= revenue[~nobody].min() * 1.001


def test_where_nothing_is_served_no_cell_has_a_leader():
    impossible = replace(catalog.scenario(CASE), tpot_limit_ms=0.01)
    empty = lead_map(evaluate(FEW, [MODEL], [impossible]), METRIC)
    assert {cell.leader for row in empty.rows for cell in row} == {NO_ONE_SERVES}
    assert {cell.kind for row in empty.rows for cell in row} == {"none"}


@pytest.mark.parametrize(
    ("share", "kind"), [(0.9, "sure"), (0.8, "sure"), (0.7, "pale"), (0.6, "pale"), (0.59, "close")]
)
def test_a_lead_is_full_pale_or_hatched(share, kind):
    assert Cell("h200-sxm", share).kind == kind


@pytest.mark.parametrize("sold", [{}, {"utilisation": 0.7}])
def test_lines_are_the_profit_at_each_speed(sold):
    case = catalog.scenario("rag-summarise")
    lines = speed_lines(money_fronts(FEW, MODEL, case, **sold), METRIC, 1.0, 150.0)
    for speed in (10.0, 45.0, 120.0):
        rows = evaluate(FEW, [MODEL], [replace(case, tpot_limit_ms=1e3 / speed)], intervals=False, **sold)
        for row in rows.itertuples():
            here = next(profit for upto, profit in lines[row.accelerator] if upto >= speed)
            assert here == pytest.approx(row.profit_usd_per_rack_year, rel=1e-9)
    for line in lines.values():
        assert [upto for upto, _ in line] == sorted(upto for upto, _ in line)
        assert line[-1][0] == 150.0


def test_lines_of_shares_sold_by_load_have_each_platforms_own():
    case = catalog.scenario("rag-summarise")
    fronts = money_fronts(FEW, MODEL, case, sold_by_load=True)
    rows = evaluate(FEW, [MODEL], [case], sold_by_load=True, intervals=False)
    assert rows["utilisation"].nunique() == len(FEW)
    for row in rows.itertuples():
        assert fronts[row.accelerator]["utilisation"].unique().tolist() == [row.utilisation]
        assert row.profit_usd_per_rack_year in fronts[row.accelerator][METRIC].tolist()


def test_a_reign_ends_where_another_earns_more_and_where_nobody_does():
    lines = {"a": [(10.0, 9.0), (30.0, 4.0)], "b": [(20.0, 5.0), (40.0, -1.0)]}
    assert reigns(lines) == [(10.0, "a"), (20.0, "b"), (30.0, "a"), (40.0, NOBODY)]
    assert reigns({"a": []}) == []


def test_bands_evidence_and_runs_beside_the_lines_are_the_librarys():
    case, ends = catalog.scenario("rag-summarise"), (1.0, 150.0)
    fronts = money_fronts(FEW, MODEL, case)
    lines, marks = speed_lines(fronts, METRIC, *ends), line_marks(fronts, MODEL, case, METRIC, *ends)
    flat = {key: [(ends[0], line[0][1]), *line] for key, line in lines.items()}
    assert {key for key in FEW if marks[key].band} == ahead_at_ends(flat, ends[0])
    assert marks["tpu-v7"].measured_up_to == 0.0
    assert marks["h200-sxm"].measured_up_to == fastest_measured("h200-sxm", MODEL)
    for key in ahead_at_ends(flat, ends[0]):
        row = evaluate([key], [MODEL], [replace(case, tpot_limit_ms=1e3 / 45.0)]).iloc[0]
        band = next(pair for (upto, _), pair in zip(lines[key], marks[key].band, strict=True) if upto >= 45.0)
        for end, profit in zip(("low", "high"), band, strict=True):
            ratio = row[f"total_tok_s_per_gpu_{end}"] / row["total_tok_s_per_gpu"]
            expected = row["revenue_usd_per_rack_year"] * ratio - row["cost_usd_per_rack_year"]
            assert profit == pytest.approx(expected, rel=1e-9)
    assert marks["gb300-nvl72"].runs
    for speed, profit, run in marks["gb300-nvl72"].runs:
        assert run == best_run("gb300-nvl72", MODEL, 8192, 1024, speed)
        same = evaluate(["gb300-nvl72"], [MODEL], [replace(case, tpot_limit_ms=1e3 / speed)], intervals=False).iloc[0]
        earned = same["revenue_usd_per_rack_year"] * run.total_tok_s_per_gpu / same["total_tok_s_per_gpu"]
        assert profit == pytest.approx(earned - same["cost_usd_per_rack_year"], rel=1e-9)


def test_runs_of_another_format_later_software_or_a_cache_do_not_count():
    case = catalog.scenario("rag-summarise")
    fronts = money_fronts(["b200-hgx"], MODEL, case)

    def runs(**changed):
        return [
            run for *_, run in line_marks(fronts, MODEL, replace(case, **changed), METRIC, 1.0, 150.0)["b200-hgx"].runs
        ]

    assert "fp4" in {run.weight_precision for run in runs()}
    assert {run.weight_precision for run in runs(weight_precision="fp8")} == {"fp8"}
    assert max(run.date for run in runs()) > "2026-01-01" >= max(run.date for run in runs(software_date="2026-01-01"))
    assert runs(prefix_cache_hit=0.5) == []
    early = line_marks(fronts, MODEL, replace(case, software_date="2025-01-01"), METRIC, 1.0, 150.0)["b200-hgx"]
    assert early.measured_up_to == 0.0
