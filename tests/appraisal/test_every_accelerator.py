"""Every shipped accelerator is searched and evaluated; what nobody published is blank, with its reason in words."""

import numpy as np
import pytest
from typer.testing import CliRunner

from rackecon import catalog
from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.appraisal.money import frontier_money, missing_money, platforms_for
from rackecon.cli import app
from rackecon.economics.power import draw_share, drawn_kw_per_gpu
from rackecon.economics.power_table import phase_draw
from rackecon.serving.frontier import search

SERVED = [chip.id for chip in catalog.accelerators().values() if chip.servable]
MODEL = "llama-3.1-8b"


@pytest.fixture(scope="module")
def table():
    return evaluate(SERVED, [MODEL], ["chat"]).set_index("accelerator")


@pytest.mark.parametrize("key", SERVED)
def test_an_accelerator_is_searched_and_its_blanks_are_explained(table, key):
    front = frontier_money(search(key, MODEL, 1000, 300).table)
    assert len(front)
    assert np.isfinite(front["total_tok_s_per_gpu"]).all()
    row, reasons = table.loc[key], missing_money(key, MODEL)
    assert np.isfinite(row["total_tok_s_per_gpu"])
    assert np.isnan(row["cost_usd_per_gpu_hour"]) == any(line.startswith("cost and profit") for line in reasons)
    assert np.isnan(row["cost_usd_per_gpu_hour"]) == bool(row["reason"])
    assert np.isnan(row["drawn_joules_per_total_token"]) == bool(row["power_reason"])
    assert np.isnan(row["provisioned_it_kw_per_gpu"]) <= bool(row["power_reason"])
    assert np.isnan(front["drawn_joules_per_total_token"]).all() == any(line.startswith("power") for line in reasons)


def test_a_cost_and_a_power_of_ones_own_fill_what_is_blank():
    given = {"cost_usd_per_gpu_hour": 1.5, "kw_per_gpu": 0.6}
    front = frontier_money(search("a100-80gb-sxm", MODEL, 1000, 300).table, utilisation=1.0, **given)
    rate = front["total_tok_s_per_gpu"].to_numpy()
    assert front["cost_usd_per_mtok_total"].to_numpy() == pytest.approx(1.5e6 / 3600.0 / rate)
    share = draw_share(phase_draw("a100-80gb-sxm"), front["decode_busy_share"], front["prefill_busy_share"])
    drawn = drawn_kw_per_gpu(catalog.accelerator("a100-80gb-sxm").tdp_w, 0.6, share)
    assert front["drawn_it_kw_per_gpu"].to_numpy() == pytest.approx(drawn)
    assert missing_money("a100-80gb-sxm", MODEL, **given) == []
    assert platforms_for(["a100-80gb-sxm"], assumptions(**given))["a100-80gb-sxm"].gpus_per_mw == pytest.approx(
        1e3 / 0.6
    )


def test_power_is_not_invented_where_the_board_power_is_unknown():
    assert np.isnan(drawn_kw_per_gpu(float("nan"), 1.0, 0.5))
    assert np.isnan(drawn_kw_per_gpu(500.0, float("nan"), 0.5))
    assert missing_money("tpu-v6e", MODEL, kw_per_gpu=0.4, cost_usd_per_gpu_hour=1.0) == [
        "power: no published board power: what is drawn is not known"
    ]


def test_a_build_up_takes_the_power_that_is_given():
    """One more provisioned kW is drawn too: its colocation and electricity, an eighth of a year of them before service."""
    key = "h100-sxm"
    costs = [platforms_for([key], assumptions(kw_per_gpu=kw))[key].cost.usd_per_gpu_hour for kw in (2.0, 3.0)]
    year = 188.7 * 12 + 1.25 * 0.0871 * 8760
    month = 1.11 ** (1 / 12) - 1
    charge = year * 0.125 * 12 * month / (1 - 1.11**-5)
    assert costs[1] - costs[0] == pytest.approx((year + charge) / 8760, rel=1e-9)


def test_the_command_says_each_reason_once_and_takes_both_figures():
    words = ["frontier", "--accelerator", "tpu-v6e", "--model", MODEL, "--isl", "1000", "--osl", "300"]
    plain = CliRunner().invoke(app, words)
    assert plain.exit_code == 0
    assert plain.output.count("Blank: cost and profit: no published $/GPU-hour") == 1
    assert plain.output.count("Blank: power: no published kW per GPU") == 1
    assert "nan" not in plain.output.lower()
    named = ["frontier", "--accelerator", "Google TPU v6e", "--model", "meta-llama/Llama-3.1-8B-Instruct", *words[5:]]
    assert CliRunner().invoke(app, named).output == plain.output
    paid = CliRunner().invoke(app, [*words, "--usd-per-gpu-hour", "1.2", "--kw-per-gpu", "0.4"])
    assert "cost and profit" not in paid.output
