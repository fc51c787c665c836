"""Walks that are advanced together find what each finds alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rackecon import catalog
from rackecon.answer import deciding
from rackecon.answer.deciding import (
    FINE,
    HALVINGS,
    NOBODY,
    Deciding,
    _Case,
    _flips,
    _outside,
    _Platforms,
    _speeds,
    deciding_assumptions,
)
from rackecon.appraisal.evaluate import evaluate
from rackecon.serving.query import software_date, software_years
from rackecon.walks import latency, walk
from rackecon.words import money

FEW = ("h100-sxm", "b200-hgx", "gb300-nvl72")
MODEL = "gpt-oss-120b"
PROFIT = "profit_usd_per_rack_year"
LEADS = ((0.4, "B"), (7.0, "C"), (7.00001, "D"), (300.0, "A"))
"""Where a lead ends that is A's at first."""


WHO = _Platforms(("A", "B", "C", "D"), np.array([True, False, False, False]))


def profit_at(x: float) -> np.ndarray:
    leader = [name for start, name in ((0.0, "A"), *LEADS) if start <= x][-1]
    return np.where(np.array(WHO.names) == leader, 1.0, 0.5)


def walked(walk, earned: Callable[[float], np.ndarray]):
    """What a walk finds where values earn so much, and what it asked for, round by round."""
    answers, asked = None, []
    while True:
        try:
            asked.append(walk.send(answers))
        except StopIteration as end:
            return end.value, asked
        answers = [earned(x) for x in asked[-1]]


def found(
    reign: list[tuple[float, str]], earned: Callable[[float], np.ndarray] = profit_at
) -> tuple[tuple[tuple[float, str, str], ...], int]:
    """Changes of lead, and how often values were asked for."""
    flips, asked = walked(_flips(reign, WHO), earned)
    return flips, len(asked)


def test_changes_of_lead_halved_together_are_those_halved_one_by_one():
    reign = [(x, WHO.leader(profit_at(x))) for x in (0.0, 1.0, 8.0, 9.0, 400.0)]
    together, rounds = found(reign)
    alone = [found([one, two])[0] for one, two in itertools.pairwise(reign)]
    assert together == tuple(flip for flips in alone for flip in flips)
    assert [after for _, _, after in together] == ["B", "D", "A"]
    assert together[2][0] == pytest.approx(300.0, rel=FINE)
    assert rounds <= HALVINGS


@pytest.mark.parametrize("sold", [{"utilisation": 0.4}, {"sold_by_load": True}])
def test_values_of_many_assumptions_at_once_are_those_of_each_walk(sold):
    case = catalog.scenario("chat")
    of = _Case(FEW, MODEL, case, sold)
    given = {"intervals": False, **sold}
    total = case.isl_tokens + case.osl_tokens
    each = {
        "isl_tokens": walk.context_length(FEW, MODEL, case, [700, 9000], (case.prefix_cache_hit,), False, **given),
        "prefix_cache_hit": walk.context_length(FEW, MODEL, case, [case.isl_tokens], (0.1, 0.7), False, **given),
        "input_per_output": walk.total_fixed(FEW, MODEL, case, total, [3.0 / 4.0], False, **given),
        "ttft_limit_ms": latency.first_token(FEW, MODEL, case, [150.0, 4000.0], case.latency_statistic, **given),
        "software_years": evaluate(FEW, [MODEL], [replace(case, software_date="2025-08-08")], **given),
        "utilisation": evaluate(FEW, [MODEL], [case], **given | {"utilisation": 0.7}),
    }
    asked = {
        "isl_tokens": [700.0, 9000.0],
        "prefix_cache_hit": [0.1, 0.7],
        "input_per_output": [3.0],
        "ttft_limit_ms": [150.0, 4000.0],
        "software_years": [software_years("2025-08-08")],
        "utilisation": [0.7],
    }
    for name, steps in of.at(asked).items():
        np.testing.assert_array_equal(np.concatenate(steps), each[name][PROFIT])
        assert [len(profit) for profit in steps] == [len(FEW)] * len(asked[name])


def test_beyond_its_range_an_assumption_is_tried_at_three_steps_a_side_until_the_lead_changes(monkeypatch):
    """From 8 up to 216 by a factor of 3, from 1 down to 1/8 by a half; below, B leads at once and nothing more is asked."""
    monkeypatch.setitem(deciding.ASSUMPTIONS, "isl_tokens", replace(deciding.ASSUMPTIONS["isl_tokens"], beyond=True))
    monkeypatch.setattr(deciding, "allowed_values", lambda: {"isl_tokens": SimpleNamespace(low=0.125, high=216.0)})

    def earned(x: float) -> np.ndarray:
        return np.array([0.0, 1.0, 0.0, 0.0] if x < 1.0 else [1.0, 0.0, 0.0, 0.0])

    reign, asked = walked(_outside([(1.0, "A"), (8.0, "A")], "isl_tokens", WHO), earned)
    assert [x for each in asked for x in each] == pytest.approx([0.5, 24.0, 72.0, 216.0])
    assert [name for _, name in reign] == ["B", "A", "A", "A", "A", "A"]


def test_speeds_by_hand(monkeypatch):
    """B200 earns 9 up to 20 tok/s/user and 4 up to 50; H100 6 up to 30. Of B200: 4 to 9 earned, 2 behind to 3 ahead."""
    lines = {"b200-hgx": [(20.0, 9.0), (50.0, 4.0)], "h100-sxm": [(30.0, 6.0)]}
    monkeypatch.setattr(deciding, "money_fronts", lambda *of, **given: {})
    monkeypatch.setattr(deciding, "speed_lines", lambda fronts, column, low, high: lines)
    of = _Case(tuple(lines), MODEL, catalog.scenario("chat"), {})
    item = _speeds(of, (15.0, 10.0, 50.0), "b200-hgx", PROFIT)
    assert (item.profit, item.lead, item.swing_usd) == ((4.0, 9.0), (-2.0, 3.0), 5.0)
    assert [(before, after) for _, before, after in item.flips] == [("B200", "H100"), ("H100", "B200")]
    assert [at for at, _, _ in item.flips] == pytest.approx([20.0, 30.0])
    assert item.workload


def test_whoever_earns_most_leads_unless_nobody_earns():
    assert WHO.leader(np.array([np.nan, 1.0, 3.0, 2.0])) == "C"
    assert WHO.leader(np.array([np.nan, -1.0, -3.0, 0.0])) == WHO.leader(np.full(4, np.nan)) == NOBODY
    assert WHO.ahead(np.array([5.0, np.nan, 3.0, 7.0])) == (5.0, -2.0)
    assert np.isnan(WHO.ahead(np.array([5.0, np.nan, np.nan, np.nan]))[1])


def test_software_of_a_date_is_no_newer_than_the_platform_was_measured_with():
    case, asked = catalog.scenario("chat"), {"software_years": [-0.4, 9.0]}
    before, after = _Case(FEW, MODEL, case, {}).at(asked)["software_years"]
    given = {"intervals": False, "search_options": {"date": software_date(-0.4)}}
    np.testing.assert_array_equal(before, evaluate(FEW, [MODEL], [case], **given)[PROFIT])
    np.testing.assert_array_equal(after, evaluate(FEW, [MODEL], [case], intervals=False)[PROFIT])
    assert all(before < after)


def hidden_at(x: float) -> np.ndarray:
    """Who earns most where a step holds several changes."""
    leader = "A" if x < 2.0 else "B" if x < 3.0 else "C" if x < 5.0 else "D"
    return np.where(np.array(WHO.names) == leader, 1.0, 0.5)


def test_a_step_that_holds_several_changes_of_lead_gives_each():
    places, _ = found([(1.0, "A"), (8.0, "D"), (9.0, "D")], hidden_at)
    assert [(before, after) for _, before, after in places] == [("A", "B"), ("B", "C"), ("C", "D")]
    assert [at for at, _, _ in places] == pytest.approx([2.0, 3.0, 5.0], rel=FINE)


def decided(*flips: tuple[float, str, str]) -> Deciding:
    return Deciding("isl_tokens", "context length", 8.0, 1.0, 100.0, "tokens", flips)


def test_every_stretch_where_another_leads_is_told_the_nearest_first():
    item = decided((20.0, "A", "B"), (40.0, "B", "TPU v7"), (90.0, "TPU v7", NOBODY))
    assert item.sentence() == (
        "Between 20 and 40 tokens: B; between 40 and 90: TPU v7 (unmeasured); above 90: nobody earns."
    )
    assert item.first_turn() == ("above 20 tokens", "B", True)
    assert item.brief() == "above 20: B, then TPU v7 (unmeasured), then nobody earns"
    assert (item.here, decided().brief()) == ("8", "")


def test_one_other_platform_is_told_with_its_stretches_and_many_with_their_number():
    assert decided((2.0, "B", "A"), (20.0, "A", "B")).first_turn() == ("below 2 and above 20 tokens", "B", False)
    assert decided((2.0, "C", "A"), (20.0, "A", "B")).brief() == "below 2: C; above 20: B"
    turns = [(float(at), *names) for at, names in zip(range(20, 70, 10), itertools.cycle((("A", "B"), ("B", "A"))))]
    assert decided(*turns).sentence() == "Between 20 and 30, between 40 and 50 and above 60 tokens: B."
    more = [*turns, (70.0, "B", "A"), (80.0, "A", "B")]
    assert decided(*more).first_turn() == ("in places above 20 tokens", "B", False)
    assert decided(*more).brief() == "in 4 stretches, the nearest between 20 and 30: B"
    shares = replace(decided((0.7, "A", "B")), show=lambda x: f"{100 * x:.0f} % sold", value=0.5)
    assert shares.brief() == "above 70 %: B"


def test_names_where_another_leads_are_told_by_their_number_where_they_are_many():
    models = replace(decided(), label="model", choices=(("M", "A"), ("N", "B"), ("O", "B"), ("P", "B"), ("Q", "A")))
    assert models.first_turn() == ("on 3 of 4 other models", "B", False)
    assert (models.brief(), models.here) == ("N, O and P: B", "")
    two = replace(models, choices=(("M", "A"), ("N", "B"), ("O", "C")))
    assert two.first_turn() == ("on N", "B", True)
    assert replace(models, choices=(("M", "A"), ("N", "A"))).brief() == ""


def test_who_leads_between_the_places_told_is_who_the_search_finds():
    """The table of the summary: at the middle of every stretch the library's own search finds the platform that is named."""
    case, chips = catalog.scenario("rag-summarise"), ["b200-hgx", "gb200-nvl72", "gb300-nvl72", "tpu-v7"]
    found = {item.name: item for item in deciding_assumptions(chips, "deepseek-r1", case)}
    for name in ("isl_tokens", "price_factor", "cost_factor"):
        item = found[name]
        flips = item.flips or item.beyond
        assert len(flips) > 1
        for (low, _, leader), (high, before, _) in itertools.pairwise(flips):
            assert leader == before
            profit = _Case(chips, "deepseek-r1", case, {}).at({name: [(low * high) ** 0.5]})[name][0]
            labels = [catalog.accelerator(key).label for key in chips]
            assert _Platforms(tuple(labels), np.array([True, False, False, False])).leader(profit) == leader


def test_a_date_is_no_amount_that_lies_below_another():
    dated = replace(
        decided((5.2, "B", "A"), (7.4, "A", "B")), name="software_years", value=6.0, show="2025-{:.0f}".format
    )
    assert "below" not in dated.brief() + dated.sentence()
    assert dated.brief() == "until 2025-5 and from 2025-7: B"


@pytest.mark.slow
def test_a_cost_that_the_case_multiplies_is_told_as_it_is_paid():
    chips, case = ["b200-hgx", "h200-sxm"], catalog.scenario("chat")
    found = {item.name: item for item in deciding_assumptions(chips, "gpt-oss-120b", case, cost_factor=2.0)}
    rows = evaluate(chips, ["gpt-oss-120b"], [case], intervals=False, cost_factor=2.0)
    paid = rows.sort_values("profit_usd_per_rack_year")["cost_usd_per_gpu_hour"].iloc[-1]
    assert found["cost_factor"].stated() == f"{money(paid)} per GPU-hour"
