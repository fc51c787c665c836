"""Computed sentences of the economics pages: ties, losses, missing rows and single winners."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

from rackecon import catalog
from rackecon.economics.measures import EVERY_MEASURE
from rackecon.figures import economics as economics_charts
from rackecon.pages import economics_tables, economics_text
from rackecon.words import RUNS


def ranked(values, verdict):
    return pd.DataFrame(
        {
            "accelerator": ["a", "b"],
            "platform": ["A", "B"],
            "value": values,
            "value_low": [v - 1e6 for v in values],
            "value_high": [v + 1e6 for v in values],
            "win_share": [0.6, 0.4],
            "verdict": verdict,
        }
    )


ROW = {
    "platform": "A",
    "horizon_years": 4.0,
    "vendor_roi": 15.0,
    "profit_roi": 12.0,
    "npv_usd_per_rack": 3e7,
    "irr_per_year": 30.0,
    "payback_years": 0.25,
}


def test_answer_says_interval_wins_and_what_must_be_sold():
    one, two, paid = economics_text.revenue_answer(ranked([8e6, 7.9e6], "too close to call"), ROW)
    assert "between $7.00M and $9.00M" in one
    assert "60 of 100" in one
    assert one.startswith(
        "A and B cannot be told apart per rack: $8.00M and $7.90M a year. A leads in 60 of 100 cases, too close"
    )
    clear, *_ = economics_text.revenue_answer(ranked([8e6, 7.9e6], "a"), ROW)
    assert clear.startswith("A earns the most per rack: $8.00M a year, $100k more than B. It leads in")
    assert paid == "Over 4 years and before tax A's net present value is $30.0M a rack, the payback 3.0 months."
    sold = {**ROW, "utilisation": 0.5, "break_even_utilisation": 0.118, "demand_utilisation": 0.116}
    ends = dict.fromkeys(economics_text.RETURN_ENDS, np.nan) | {"npv_low": -1e6, "npv_high": 5e7, "load": 0.3}
    _, short = economics_text.return_sentences(sold, ranked([8e6, 7e6], "a"), ends)
    assert "must sell 11.8 % of its capacity and is taken to sell 50 %; load on public traces sells 30 %" in short
    assert "fills 11.6 % of a rack, too little" in short
    assert "(nine cases in ten: −$1.00M to $50.0M)" in short
    lost, no, _ = economics_text.revenue_answer(ranked([-1e5, -3e5], "nobody earns"), ROW)
    assert lost.startswith("A loses least")
    _, open_, _ = economics_text.revenue_answer(ranked([5e5, 4e5], "too close to call"), ROW)
    said = [text.partition(",")[0].removeprefix("A good investment: ") for text in (two, open_, no)]
    assert said == ["yes while these assumptions hold and its tokens sell", "cannot be told", "no"]
    none, *_ = economics_text.revenue_answer(ranked([np.nan, np.nan], "no result"), None)
    assert none == "No platform serves this workload within its limits."


def test_rented_capacity_claims_no_roi():
    told, needed = economics_text.return_sentences({**ROW, "vendor_roi": np.nan}, ranked([8e6, 7e6], "a"))
    assert "nothing is invested" in told
    assert not needed


def site(first, second):
    return pd.DataFrame(
        {
            "accelerator": ["a", "b", "a", "b"],
            "platform": ["A", "B", "A", "B"],
            "limit": ["10 MW", "10 MW", "$100M", "$100M"],
            "profit_usd_year": [*first, *second],
            "revenue_usd_year": 1e6,
        }
    ).assign(total_tok_s_per_gpu=1.0, total_tok_s_per_gpu_low=0.9, total_tok_s_per_gpu_high=1.1)


def test_a_site_has_a_winner_by_each_limit_or_one_for_both():
    two = economics_text.site_quoted(site((9e6, 8e6), (3e6, 5e6)))
    assert two["limits"] == [("10 MW", "A", 9e6, []), ("$100M", "B", 5e6, [])]
    assert (two["winners"], two["alike"], two["nobody"]) == (["A", "B"], False, False)
    assert (two["apart"], two["unsure"]) == (True, False)
    one = economics_text.site_quoted(site((9e6, 8e6), (6e6, 5e6)))
    assert (one["winners"], one["alike"]) == (["A"], True)
    lost = economics_text.site_quoted(site((-9e6, -8e6), (-6e6, np.nan)))
    assert lost["nobody"]
    assert lost["limits"] == [("10 MW", "B", -8e6, []), ("$100M", "A", -6e6, [])]
    assert economics_text.site_quoted(site((np.nan, np.nan), (1.0, 0.0)))["limits"][0] == ("10 MW", "", 0.0, [])


def test_a_site_that_two_platforms_fill_alike_has_no_winner():
    """The first would be ahead of the second in fewer than four of five measurements."""
    near = 9e6 - 0.02 * 1e6
    found = economics_text.site_quoted(site((9e6, near), (9e6, 1e6)))
    assert found["limits"] == [("10 MW", "A", 9e6, ["B"]), ("$100M", "A", 9e6, [])]
    assert not found["alike"]
    assert (found["apart"], found["unsure"]) == (False, True)


def test_limits_pick_different_platforms_only_where_no_tie_joins_them():
    near = 9e6 - 0.02 * 1e6
    rows = [site((9e6, 1e6), (1e6, 9e6)), site((9e6, near), (near, 9e6)), site((9e6, 1e6), (9e6, 1e6))]
    every = pd.concat([part.assign(model="m", scenario=f"s{k}") for k, part in enumerate(rows)])
    assert economics_text.limits_quoted(every) == {
        "pairs": 3,
        "apart": ["m s0"],
        "close": 1,
        "unseen": [],
    }


def test_what_moves_the_best_of_a_site_most_counts_its_own_case_and_its_limit_alone():
    rows = [("here", 5.0, "10 MW"), ("a", 4.0, "10 MW"), ("a", 5.5, "10 MW"), ("b", 9.0, "10 MW"), ("a", -50.0, "$1M")]
    swept = pd.DataFrame(rows, columns=["assumption", "profit_usd_year", "limit"])
    found = economics_text.site_moves(swept, "10 MW")
    assert found == {"moved": "b", "limit": "10 MW", "low": 5.0, "high": 9.0}
    assert economics_text.site_moves(swept, "2 MW")["moved"] == ""


def test_a_run_outside_its_platforms_interval_is_said_to_lie_there():
    rows = pd.DataFrame(
        {
            "accelerator": ["b200-hgx", "gb200-nvl72"],
            "platform": ["B200", "GB200 NVL72"],
            "model": "deepseek-r1",
            "isl_tokens": 8192,
            "osl_tokens": 1024,
            "tok_s_per_user": 30.0,
            "prefix_cache_hit": 0.0,
            "reason": "",
            "total_tok_s_per_gpu": 1e4,
        }
    )
    wide = rows.assign(total_tok_s_per_gpu_low=1.0, total_tok_s_per_gpu_high=1e9)
    narrow = rows.assign(total_tok_s_per_gpu_low=1e4, total_tok_s_per_gpu_high=1e4)
    assert "drafting)" in economics_text.interval_note(wide)
    assert "outside" not in economics_text.interval_note(wide)
    assert "both outside the platform's own interval" in economics_text.interval_note(narrow)


def test_who_lies_within_the_leaders_interval_is_named_and_who_leads_by_the_older_power():
    made = {"output_tok_s_per_mw_2026_07": [100.0, 95.0, 50.0], "output_tok_s_per_mw_2025_10": [80.0, 90.0, np.nan]}
    names = {"accelerator": ["a", "b", "c"], "platform": ["A", "B", "C"]}
    table = pd.DataFrame(
        {**names, "total_tok_s_per_gpu": 10.0, "total_tok_s_per_gpu_low": 9.0, "total_tok_s_per_gpu_high": 12.0}
    )
    found = economics_text.power_quoted(pd.DataFrame({**names, **made}), table)
    assert (found["first"], found["last"], found["ratio"]) == ("A", "C", 2.0)
    assert (found["low"], found["high"], found["inside"]) == (90.0, pytest.approx(120.0), ["B"])
    assert (found["before"], found["counted_before"]) == (["B"], True)
    assert economics_text.power_quoted(pd.DataFrame({**names, **made}).iloc[:0], table)["first"] == ""


def test_costs_within_the_cheapest_ones_interval_are_named():
    table = pd.DataFrame(
        {
            "accelerator": ["a", "b", "c"],
            "platform": ["A", "B", "C"],
            "cost_label": "published",
            "cost_usd_per_gpu_hour": 3.0,
            "cost_usd_per_mtok_output": [0.2, 0.1, 0.11],
            "cost_usd_per_mtok_output_low": [0.18, 0.08, 0.1],
            "cost_usd_per_mtok_output_high": [0.22, 0.12, 0.13],
        }
    )
    rents = pd.DataFrame(
        {
            "accelerator": ["a", "b", "c"],
            "own_usd_per_gpu_hour": 2.5,
            "rent_3_year_usd_per_gpu_hour": [np.nan, 4.0, 5.0],
            "rent_over_own": [1.5, np.nan, 2.0],
            "crossing_utilisation": [np.nan] * 3,
            "tier": "neocloud",
        }
    )
    found = economics_text.cost_quoted(table, rents)
    assert (found["platform"], found["inside"], found["worst"]) == ("B", ["C"], "A")
    assert (found["low"], found["high"], found["ratio"], found["most"]) == (0.08, 0.12, 2.0, 0.11)
    assert found["hours"] == [(2.5, "to own (neocloud, published)"), (4.0, "on a three-year rent")]
    assert (found["rent_low"], found["rent_high"], found["cross_low"]) == (1.5, 2.0, None)
    built = economics_text.cost_quoted(table.assign(cost_label="build-up cost"), rents)
    assert built["hours"][1] == (3.0, "built up from the price of the hardware")
    none = economics_text.cost_quoted(table.assign(cost_usd_per_mtok_output=np.nan), rents.iloc[:0])
    assert (none["platform"], none["rent_low"]) == ("", None)


def test_units_name_their_winners_and_the_sizes_of_racks():
    ranks = pd.DataFrame({"platform": ["A", "A"], "unit": ["per rack", "per MW"], "rank": [1, 1]})
    table = pd.DataFrame(
        {"gpus_per_rack": [8.0, 72.0, np.nan], "rack_it_kw": [12.0, 130.0, 9.0], "accelerator": ["a", "b", "c"]}
    )
    table = table.assign(total_tok_s_per_gpu=1.0, total_tok_s_per_gpu_low=0.9, total_tok_s_per_gpu_high=1.1)
    table["revenue_usd_per_gpu_hour"] = 10.0 / 8760.0
    for measure in EVERY_MEASURE.values():
        table[measure.column], table[measure.column.replace("profit", "revenue")] = [9.0, 1.0, np.nan], 10.0
    assert economics_text.units_quoted(ranks, table) == {
        "first": [("A", ["per rack", "per MW"])],
        "close": [],
        "unsure": False,
        "racks": [8.0, 72.0, 12.0, 130.0],
    }
    ranks.loc[1, "platform"] = "B"
    assert economics_text.units_quoted(ranks, table.iloc[2:]) == {
        "first": [("A", ["per rack"]), ("B", ["per MW"])],
        "close": [],
        "unsure": False,
        "racks": [],
    }


def test_prices_may_fall_to_the_least_and_the_most_break_even():
    frame = pd.DataFrame({"platform": ["A", "B", "C"], "break_even_price_factor": [0.5, 0.2, np.nan]})
    told = {"platform": "B", "last": "A", "losers": [], "least": 0.2, "most": 0.5}
    assert economics_text.price_quoted(frame) == told
    lost = frame.assign(break_even_price_factor=[1.5, 0.2, 1.0])
    assert economics_text.price_quoted(lost)["losers"] == ["C", "A"]
    assert economics_text.price_quoted(frame.iloc[2:])["platform"] == ""


def test_paid_back_are_those_with_an_end():
    frame = pd.DataFrame(
        {"accelerator": ["a", "b", "c"], "platform": ["A", "B", "C"], "payback_years": [np.inf, 0.5, np.nan]}
    )
    assert economics_text.cash_quoted(frame) == {"invested": 2, "back": 1, "ends": [("B", 0.5)]}
    assert economics_text.cash_quoted(frame.iloc[2:])["invested"] == 0


def test_by_load_names_who_takes_the_lead_and_who_lies_within_its_ends():
    frame = pd.DataFrame(
        {
            "accelerator": ["a", "b", "c"],
            "platform": ["A", "B", "C"],
            "utilisation": [0.3, 0.6, 0.6],
            "profit": [2.0, 3.0, 1.0],
            "profit_low": [1.9, 1.8, 0.9],
            "profit_high": [2.5, 3.5, 1.1],
            "profit_stated": [5.0, 2.5, 1.0],
        }
    )
    found = economics_text.load_quoted(frame)
    assert (found["stated"], found["leader"], found["near"]) == ("A", "B", ["A"])
    assert (found["stated_share"], found["stated_profit"], found["share"], found["profit"]) == (0.3, 2.0, 0.6, 3.0)
    assert economics_text.load_quoted(frame.iloc[:0]) == {"leader": ""}


def test_missing_platforms_are_named_with_their_reason():
    table = pd.DataFrame({"platform": ["A", "B"], "reason": ["", "does not fit"]})
    assert economics_text.missing_note(table) == "Without a figure: B (does not fit)."
    assert economics_text.missing_note(table, "a build-up") == "Without a build-up: B (does not fit)."
    assert economics_text.missing_note(table.iloc[:1]) == ""


def test_charts_carry_finding_basis_and_description():
    frame = pd.DataFrame(
        {"accelerator": ["h100-sxm", "tpu-v7"], "platform": ["H100", "TPU v7"], "kind": "own", "usd": [1.17, 1.21]}
    )
    spec = economics_charts.marks_by_platform(
        frame, "usd", "kind", title="T", subtitle="S", x_title="USD", kind_title="basis"
    ).to_dict()
    assert spec["title"] == {"text": "T", "subtitle": "S"}
    assert spec["description"] == "T. S"
    marked = frame.assign(
        usd_low=[1.0, 1.1], usd_high=[1.3, 1.4], usd_measured=[1.1, np.nan], run=RUNS[0], run_date="2026-05-01"
    )
    told = economics_charts.marks_by_platform(
        marked, "usd", "kind", title="T", subtitle="S", x_title="USD", kind_title="basis"
    ).to_dict()
    assert len(told["layer"]) == 3
    key = "Line: nine measurements in ten. Measured: at the best public rate, software of 2026-05"
    assert told["title"]["subtitle"] == ["S", key]
    ranks = pd.DataFrame(
        {
            "accelerator": ["h100-sxm", "tpu-v7"] * 2,
            "platform": ["H100", "TPU v7"] * 2,
            "unit": ["per rack"] * 2 + ["per MW"] * 2,
            "rank": [1, 2, 2, 1],
            "value": [2.0, 1.0, 1.0, 2.0],
        }
    )
    assert len(economics_charts.rank_lines(ranks, title="T", subtitle="S").to_dict()["layer"]) == 3


def test_download_holds_the_table_and_sources_are_looked_up():
    link = economics_tables.csv_link(pd.DataFrame({"month": [0, 1], "net_usd": [-1.0, 0.123456789]}), "a.csv", "save")
    body = base64.b64decode(link.markup.split("base64,")[1].split('"')[0]).decode()
    assert body == "month,net_usd\n0,-1.0\n1,0.12346\n"
    sources = economics_tables.sources_table(["semianalysisai-inferencex-app-661", "no-such"], "Sources")
    assert sources.markup.count("<tr>") == 2
    assert "github.com/SemiAnalysisAI/InferenceX-app" in re.sub("<[^>]*>", " ", sources.markup)


def test_every_source_that_a_page_lists_names_its_publisher():
    rows = catalog.table("sources")
    shown = economics_tables.sources_table(rows["source_id"], "Sources").markup
    cells = re.findall(r"<tr>(.*?)</tr>", shown.split("<tbody>")[1], re.DOTALL)
    assert len(cells) == len(rows)
    assert all("–" not in re.findall(r"<td.*?>(.*?)</td>", cell)[1] for cell in cells)


def test_tax_note_compares_before_and_after():
    flows = pd.DataFrame({"accelerator": ["a", "a", "b"], "present_value_usd": [-1e6, 3e6, 9e9]})
    untaxed = pd.DataFrame([{**ROW, "accelerator": "a"}])
    assert "is worth $2.00M instead of $30.0M" in economics_text.tax_note(flows, untaxed, "a", 0.21)
    assert "before tax" in economics_text.tax_note(flows, untaxed, "a", None)
