"""Tables and sentences of the page on uncertainty."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from rackecon import catalog
from rackecon.economics.measures import MEASURES
from rackecon.pages import flip_view
from rackecon.pages import uncertainty_page as page
from rackecon.uncertainty.numerical_checks import REPORTED
from rackecon.uncertainty.sensitivity import FlipMap
from rackecon.words import percent

NAMES = {"a": "Alpha", "b": "Beta"}


def test_percentiles_shown_are_among_those_checked() -> None:
    assert set(page.SHOWN) <= set(REPORTED)
    assert {measure.column for measure in MEASURES.values()} <= set(REPORTED)
    assert set(page.OUTPUT_UNITS) == set(page.SHOWN)


def wins(**columns: list[float]) -> pd.DataFrame:
    shown = {
        "p5": [1e6, -1e6],
        "p50": [2e6, 1e6],
        "p95": [9e6, 8e6],
        "win_share": [0.6, 0.4],
        "expected_regret": [1e5, 9e5],
    }
    return pd.DataFrame(
        {"accelerator": ["a", "b"], "platform": ["Alpha", "Beta"], "beats_next_share": 0.55} | shown | columns
    )


def test_the_leader_is_read_off_the_win_table_with_or_without_a_rival() -> None:
    lead = page.leading(wins(rank=[1, 2]))
    assert (lead.platform, lead.rival, lead.middle, lead.beats) == ("Alpha", "Beta", 2e6, 0.55)
    alone = page.leading(wins(rank=[1, 0]))
    assert (alone.platform, alone.rival, alone.beats) == ("Alpha", None, None)
    assert page.leading(wins(rank=[0, 0])) == page.Leader(None)
    assert page.leading(wins(rank=[1, 2], win_share=[0.6, 0.0])).only
    assert not page.leading(wins(rank=[1, 2], win_share=[0.6, 0.1])).only
    assert "No platform has a result" in page.answer_text(page.Leader(None), "rack")


def swings(**columns: list[object]) -> pd.DataFrame:
    """Two inputs of the tornado, the widest first: one of a known range, one of the evidence's width."""
    shown = {
        "input": ["price_decline", "rate_error"],
        "unit": ["share/year", "log factor"],
        "low_value": [0.0, math.nan],
        "high_value": [0.45, math.nan],
        "at_low": [9e6, 4e6],
        "base": [5e6, 5e6],
        "at_high": [2e6, 6e6],
        "swing": [7e6, 2e6],
    }
    return pd.DataFrame({"accelerator": "a"} | shown | columns)


def test_the_main_driver_is_said_with_its_ends_and_the_profit_between_them() -> None:
    told = page.moves_sentence(swings(), "a", "rack")
    assert "yearly fall of prices (0 % to 45 %) moves its profit most: $2.00M to $9.00M a year" in told
    assert [(one.key, one.value) for one in page.driver_figures(swings(), "a", "rack")] == [
        ("driver/input", "price_decline"), ("driver/low", 2e6), ("driver/high", 9e6),
    ]  # fmt: skip
    hump = page.moves_sentence(swings(at_low=[4e6, 4e6], base=[5e6, 5e6]), "a", "rack")
    assert "$2.00M to $5.00M" in hump
    width = page.moves_sentence(swings().iloc[1:], "a", "usd")
    assert "the throughput error moves its profit most" in width


def test_without_a_driver_none_is_named() -> None:
    still = swings(swing=[0.0, 0.0])
    assert page.moves_sentence(still, "a", "rack") == "No uncertain input moves its profit."
    assert {one.value for one in page.driver_figures(still, "a", "rack")} == {None}


def test_inputs_of_the_tornado_carry_their_units() -> None:
    rows = page.tornado_rows(swings(), "a")
    assert list(rows["assumption"]) == ["yearly fall of prices, 0 % to 45 %", "throughput error"]
    assert page.ends_text({"low_value": 0.85, "high_value": 1.2, "unit": "factor"}) == "0.85 to 1.2 times"
    assert page.ends_text({"low_value": 1.09, "high_value": 1.54, "unit": "-"}) == "1.09 to 1.54"


def test_coverage_is_the_figure_of_the_validation_page() -> None:
    scores = catalog.table("validation_scores")
    part = scores[(scores["scheme"] == "coverage of 90 % interval") & (scores["slice"] == "overall")]
    told = page.physics_sentence()
    shown = part[part["quantity"] != "total_tok_s_per_gpu"]["median_pct"]
    assert len(shown) == 3
    for value in shown:
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
    assert out["flips_at"].tolist() == ["50 %", "never"]
    assert out["beats_share"].tolist() == [0.6, 0.9]
    assert page.flipping(out, turns=True)["pair"].tolist() == ["Beta over Alpha", "Alpha over Beta"]
    still = page.flip_table(flips.assign(x_flip=math.nan, x_flip_at_low_y=math.nan), NAMES)
    assert page.flipping(still, turns=True).empty
    assert page.flipping(still, turns=False).columns.tolist() == ["pair", "beats_share", "decided_by"]


def test_an_input_whose_width_is_the_evidence_s_shows_it() -> None:
    swings = pd.DataFrame(
        [
            {
                "accelerator": "a",
                "input": "rate_error",
                "swing": 1.0,
                "low_value": math.nan,
                "high_value": math.nan,
                "unit": "-",
            }
        ]
    )
    (told,) = page.tornado_rows(swings, "a", worth=lambda name, score: 0.1 * score)["assumption"]
    assert told == "throughput error, 13 % lower to 13 % higher"
    (bare,) = page.tornado_rows(swings, "a")["assumption"]
    assert bare == "throughput error"


def test_a_pair_says_which_of_its_platforms_was_never_measured() -> None:
    flips = pd.DataFrame(
        [("tpu-v7", "b200-hgx", 0.7, 0.5, "utilisation")],
        columns=["leader", "rival", "beats_share", "x_flip", "x_input"],
    )
    flips = flips.assign(y_input="wacc", x_flip_at_low_y=0.45, x_flip_at_high_y=0.5)
    out = page.flip_table(flips, {"tpu-v7": "TPU v7", "b200-hgx": "B200"})
    assert out["pair"].tolist() == ["TPU v7 (unmeasured) over B200"]


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
    assert told == ["yes", "no: $1.00M at best, at 0.01; $2.00M is needed"]
    even = pd.DataFrame(
        {
            "platform": ["Alpha", "Beta"],
            "break_even_output_usd_per_mtok": [3.0, 1.0],
            "break_even_output_usd_per_mtok_low": [2.0, 0.6],
            "break_even_output_usd_per_mtok_high": [4.0, 1.6],
            "price_output_usd_per_mtok": 2.0,
            "break_even_utilisation": [1.5, 0.3],
            "break_even_utilisation_low": [0.9, 0.2],
            "break_even_utilisation_high": [2.5, 0.6],
        }
    )
    assert page.break_even_rows(even)["sold"].tolist() == ["30 % (20 % to 60 %)", "> 100 % (90 % to > 100 %)"]
    assert page.break_even_rows(even)["price"].tolist() == ["1 (0.6 to 1.6)", "3 (2 to 4)"]


def test_what_brings_the_second_level_is_said_of_what_can_be_alone() -> None:
    needed = pd.DataFrame(
        {
            "input": ["price_factor", "utilisation", "cost_factor"],
            "change": [0.25, math.nan, -0.05],
            "feasible": [True, False, True],
        }
    )
    assert page.level_sentence(needed, "Beta") == (
        "Beta would draw level if it alone had 25 % higher prices or 5 % lower cost per GPU-hour."
    )
    assert "alone brings Beta level" in page.level_sentence(needed.iloc[1:2], "Beta")
    assert page.level_sentence(None, None) == ""


def test_inputs_that_change_the_leader_are_named() -> None:
    row = {"accelerator": "a", "input": "pue", "base": 5e6, "leader_at_low": "a", "leader_at_high": "a"}
    assert "No input alone" in page.leader_sentence(pd.DataFrame([row]), "a", NAMES, "rack")
    turned = page.leader_sentence(pd.DataFrame([row | {"leader_at_high": "b"}]), "a", NAMES, "usd")
    assert "PUE at its high end (Beta)" in turned
    assert "earns 45 % a year" in page.leader_sentence(pd.DataFrame([row | {"base": 0.45}]), "a", NAMES, "usd")


def test_a_profit_per_dollar_is_told_in_per_cent() -> None:
    lead = page.Leader("Alpha", -0.3, 1.04, 3.01, 0.31, 0.88, "Beta", 0.54, 0.21)
    told = page.answer_text(lead, "usd")
    assert "lie between −30 % and 301 % a year" in told
    assert "earns 88 % a year less" in told
    assert "$" not in told


def flip_map(leaders: list[str]) -> FlipMap:
    side = [float(k) for k in range(math.isqrt(len(leaders)))]
    cells = [(x, y) for y in side for x in side]
    table = pd.DataFrame(cells, columns=["x", "y"]).assign(leader=leaders, difference=1.0)
    return FlipMap(table, "utilisation", "wacc", "")


def test_the_map_is_titled_by_who_leads_on_how_much_of_it() -> None:
    assert flip_view.flip_title(flip_map(["a", "a", "a", "b"]), NAMES, "b") == (
        "With only these two inputs drawn, Alpha leads in 75 of 100 and Beta in 25"
    )
    middle = flip_map(["a", "a", "a", "a", "b", "a", "a", "a", "a"])  # one cell of nine, in which most draws fall
    middle = replace(middle, x_input="rate_error")
    assert (
        flip_view.flip_title(middle, NAMES, "b")
        == "With only these two inputs of Beta drawn, Beta leads in 62 of 100 and Alpha in 38"
    )
    assert flip_view.flip_title(flip_map(["b"] * 4), NAMES, "a") == "Beta leads on the whole map"


def test_a_map_has_round_ticks_at_their_places() -> None:
    off = [100.0 * math.expm1(0.2 * k) for k in range(-12, 13)]  # −91 % to +1,000 %, evenly spaced in logarithms
    ticks = flip_view.round_ticks(off, True)
    assert {0.0, -50.0, 100.0} <= set(ticks)
    assert ticks[0.0] == pytest.approx(12.0)
    assert ticks[100.0] == pytest.approx(12.0 + math.log(2.0) / 0.2, abs=0.1)
    assert all(later - earlier >= 2.4 for earlier, later in zip(ticks.values(), list(ticks.values())[1:], strict=False))
    assert flip_view.round_ticks([0.05 * k for k in range(25)], False) == {
        value: pytest.approx(20.0 * value) for value in (0.0, 0.5, 1.0)
    }


def test_where_a_lead_changes_is_said_in_units() -> None:
    rows = [("a", "b", 0.9, -0.21, "rate_error")]
    flips = pd.DataFrame(rows, columns=["leader", "rival", "beats_share", "x_flip", "x_input"])
    out = page.flip_table(flips.assign(y_input="wacc", x_flip_at_low_y=0.09, x_flip_at_high_y=math.nan), NAMES)
    assert out.iloc[0][["flips_at", "at_low", "at_high"]].tolist() == ["21 % lower", "9 % higher", "never"]
    price = flips.assign(x_input="price_level", x_flip=1.74, y_input="wacc", x_flip_at_low_y=0.5, x_flip_at_high_y=2.0)
    assert page.flip_table(price, NAMES)["flips_at"].tolist() == ["$1.74 per million output"]
    fall = flips.assign(
        x_input="price_decline", x_flip=0.518, y_input="wacc", x_flip_at_low_y=0.5, x_flip_at_high_y=2.0
    )
    assert page.flip_table(fall, NAMES)["flips_at"].tolist() == ["52 % a year"]


def test_limits_tell_the_resale_of_the_distributions(monkeypatch) -> None:
    from dataclasses import replace

    known = dict(page.distributions())
    for central, words in (
        (0.0, "at least half the draws resell nothing"),
        (0.2, "the draws resell 20 % in the middle"),
    ):
        changed = known | {"residual_share": replace(known["residual_share"], central=central)}
        monkeypatch.setattr(page, "distributions", lambda changed=changed: changed)
        assert words in page.limits_sentence()


def test_a_basis_names_its_source_and_not_its_id() -> None:
    shown = page.basis_table().markup
    assert "Base case of this report" in shown
    assert "facts-on-workloads" not in shown
