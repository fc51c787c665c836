"""The two charts that follow the controls, as the library draws them."""

from __future__ import annotations

import re

import pytest

from rackecon.answer.lead_map import NO_ONE_SERVES, NOBODY, Cell, LeadMap, Marks
from rackecon.evidence.novelty import Run
from rackecon.pages.live import other_boxes
from rackecon.pages.live_figures import map_figure, map_finding, speed_figure, speed_finding

LABELS = {"h100-sxm": "H100", "b200-hgx": "B200", "tpu-v7": "TPU v7"}
LINES = {"h100-sxm": [(40.0, 2e6), (60.0, -1e6)], "b200-hgx": [(50.0, 1e6), (101.0, 5e5)]}


def test_lines_stand_where_their_values_are():
    figure = speed_figure(LINES, LABELS, 50.0, (1.0, 101.0), "rack")
    assert 'data-line="" style="stroke:var(--p-h100-sxm)" d="M0 1.3H39V100H59"' in figure.markup
    assert 'data-far="" style="stroke:var(--p-h100-sxm)" d=""' in figure.markup
    assert 'data-line="" style="stroke:var(--p-b200-hgx)" d="M0 34.2H49V50.7H100"' in figure.markup
    assert '<div class="rule" style="left:49%"><span>50 tok/s/user</span>' in figure.markup
    assert "At 50 tok/s/user: B200 $1.00M, H100 −$1.00M." in figure.text
    assert figure.text.startswith("Middle values put H100 first up to 40 tok/s/user, B200 above. profit per rack-year")


def test_what_lies_beyond_measurements_is_dashed_and_the_leaders_have_bands_and_runs():
    run = Run(9.0, "measured, not drafting", "2026-01-09", 41.0, "fp8")
    marks = {
        "h100-sxm": Marks([(1e6, 3e6), (-1.5e6, 0.0)], 40.0, ((41.0, 5e5, run),)),
        "b200-hgx": Marks([], 0.0, ()),
    }
    figure = speed_figure(LINES, LABELS, 50.0, (1.0, 101.0), "rack", marks)
    high, low = 3.06e6, -1.5e6
    place = {v: f"{round(100 * (high - v) / (high - low), 1):g}" for v in (3e6, 2e6, 1e6, 5e5, 0.0, -1e6, -1.5e6)}
    assert f'data-line="" style="stroke:var(--p-h100-sxm)" d="M0 {place[2e6]}H39"' in figure.markup
    assert f'data-far="" style="stroke:var(--p-h100-sxm)" d="M39 {place[-1e6]}H59"' in figure.markup
    assert 'data-line="" style="stroke:var(--p-b200-hgx)" d=""' in figure.markup
    around = f"M0 {place[3e6]}H39V{place[0.0]}H59V100H39V{place[1e6]}H0Z"
    assert f'data-band="" style="fill:var(--p-h100-sxm)" d="{around}"' in figure.markup
    assert 'data-band="" style="fill:var(--p-b200-hgx)" d=""' in figure.markup
    assert f'<i class="run k1" style="left:40%;top:{place[5e5]}%"></i>' in figure.markup
    key = re.sub(r"<[^>]+>", "", figure.markup)
    assert "Dashed: beyond what was measured; band: nine measurements in ten; lines: best layouts;" in key
    assert "best public runs:  not drafting, software of 2026-01" in key


def test_a_platform_that_serves_nothing_is_named_nowhere():
    figure = speed_figure(LINES | {"h100-sxm": []}, LABELS, 50.0, (1.0, 101.0), "usd")
    assert '<span data-name="" hidden>' in figure.markup
    assert re.search(r'data-dot="" style="[^"]*" hidden', figure.markup)
    assert "H100" not in figure.text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "No platform serves this workload"),
        ([(90.0, "b200-hgx")], "Middle values put B200 first at every speed up to 90 tok/s/user"),
        ([(90.0, NOBODY)], "Nobody earns at any speed up to 90 tok/s/user"),
        (
            [(20.0, "b200-hgx"), (40.0, "h100-sxm"), (90.0, NOBODY)],
            "Middle values put H100 first at 30 tok/s/user; the lead changes 2 times up to 90",
        ),
        # a lead of a third of a token a second is none; where no other change is left, it is told
        (
            [(25.0, "h100-sxm"), (40.0, "b200-hgx"), (40.2, "h100-sxm"), (40.3, "b200-hgx"), (90.0, NOBODY)],
            "Middle values put B200 first at 30 tok/s/user; the lead changes 2 times up to 90",
        ),
        (
            [(40.0, "b200-hgx"), (40.2, "h100-sxm"), (90.0, "b200-hgx")],
            "Middle values put B200 first at 30 tok/s/user; the lead changes 2 times up to 90",
        ),
    ],
)
def test_the_finding_of_the_lines_names_who_leads_where(found, words):
    assert speed_finding(found, LABELS, 30.0) == words


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([NOBODY], "Nobody earns at any price and share sold shown"),
        ([NO_ONE_SERVES], "No platform serves this workload within its limits"),
        (["b200-hgx"], "B200 leads at every price and share sold shown"),
        ([NOBODY, "b200-hgx"], "B200 leads wherever anybody earns"),
        (["h100-sxm", "b200-hgx"], "As price and share sold rise: H100, then B200"),
        (
            [NOBODY, "tpu-v7", "b200-hgx"],
            "As price and share sold rise: nobody earns, then TPU v7 (unmeasured), then B200",
        ),
    ],
)
def test_the_finding_of_the_map_names_leaders_as_revenue_rises(order, words):
    assert map_finding(order, LABELS | {NOBODY: "nobody earns"}) == words


def test_cells_of_one_kind_are_joined_and_names_stand_clear_of_the_ring():
    row = (Cell(NOBODY, 0.0),) * 8 + (Cell("b200-hgx", 0.5),) * 5 + (Cell("b200-hgx", 0.9),) * 6
    shares = tuple(0.075 + 0.05 * i for i in range(19))
    figure = map_figure(LeadMap((1.2, 0.8, 0.1), shares, (row, row, row)), LABELS, 0.6, "rack")
    assert (
        figure.markup.count("flex-grow:8")
        == figure.markup.count("flex-grow:5")
        == figure.markup.count("flex-grow:6")
        == 3
    )
    assert figure.markup.count('class="close" style="--swatch:var(--p-b200-hgx)') == 3
    name = re.search(r'left:([\d.]+)%;top:([\d.]+)%">B200<', figure.markup)
    ring = re.search(r'class="ring" style="left:([\d.]+)%;top:([\d.]+)%"', figure.markup)
    assert name
    assert ring
    assert abs(float(name.group(2)) - float(ring.group(2))) >= 10.0
    assert figure.text.startswith("B200 leads wherever anybody earns")


def test_platforms_that_a_page_was_not_made_with_have_a_box_or_a_reason():
    data = {
        "base": {"model": "deepseek-r1", "scenario": "rag-summarise"},
        "scenarios": {"rag-summarise": {"isl": 8192.0, "osl": 1024.0}},
    }
    near = {"mi300x": [0.0, [], "lengths beyond the measured"], "b300-hgx": [90.0, [], ""]}
    beside = {
        "platforms": [{"id": "mi300x", "label": "MI300X"}, {"id": "b300-hgx", "label": "<B300>"}],
        "left": {"a10g": ["A10G", "no cost"], "l4": ["L4", "no cost"], "wse": ["WSE", "not modelled: a wafer"]},
        "measured": {"near": {"deepseek-r1|8192|1024": near}},
    }
    told = other_boxes(data, beside)
    assert "<summary>5 more platforms</summary>" in told
    assert 'value="mi300x"> MI300X (lengths beyond the measured)</label>' in told
    assert 'value="b300-hgx"> &lt;B300&gt;</label>' in told
    assert told.count("disabled") == 3
    assert re.search(r"<legend>No cost</legend>.*A10G.*L4.*<legend>Not modelled: a wafer</legend>.*WSE", told)
    assert not other_boxes(data, None)
    assert not other_boxes(data, beside | {"platforms": [], "left": {}})
