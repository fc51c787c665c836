"""Fleets for users and for requests a second: against the search's own closed loop, by hand, and in their limits."""

import math

import numpy as np
import pytest
from typer.testing import CliRunner

from rackecon.appraisal.evaluate import evaluate
from rackecon.appraisal.measured_cost import measured_costs
from rackecon.appraisal.sizing import Ask, size_fleet
from rackecon.cli import app
from rackecon.errors import InputError
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.serving.frontier import candidates, search

MODEL, ISL, OSL = "llama-3.1-8b", 1000, 300


def one(**options):
    return size_fleet(MODEL, ISL, OSL, accelerators=["h100-sxm"], **options).iloc[0]


def test_no_smaller_fleet_of_the_search_carries_the_users():
    row = one(users=500, tpot_limit_ms=20.0, ttft_limit_ms=500.0)
    every = candidates("h100-sxm", MODEL, ISL, OSL, ttft_limit_ms=500.0, tpot_limit_ms=20.0)
    kept = every["fits"] & (every["tpot_ms"] <= 20.0) & (every["ttft_ms"] <= 500.0)
    by_hand = np.ceil(500.0 / every["concurrency"][kept]) * every["gpus"][kept]
    assert row["gpus"] == by_hand.min()
    assert row["deployments"] * row["in_flight_per_deployment"] >= 500
    # at the load that it has, not at the most that it could carry
    few = one(users=5, tpot_limit_ms=20.0)
    alone = search("h100-sxm", MODEL, ISL, OSL, hold={"tp": 1, "concurrency": 5, "mode": "aggregated"}).best()
    assert (few["gpus"], few["in_flight_per_deployment"]) == (1, 5)
    assert few["tok_s_per_user"] == pytest.approx(alone["tok_s_per_user"])
    assert row["tpot_ms"] <= 20.0
    assert row["ttft_ms"] <= 500.0


def test_money_of_a_fleet_by_hand():
    row = one(users=500, tpot_limit_ms=20.0, usd_per_gpu_hour=2.0)
    assert row["usd_per_hour"] == pytest.approx(2.0 * row["gpus"])
    assert row["usd_per_hour_units"] == pytest.approx(
        2.0 * row["unit_gpus"] * math.ceil(row["gpus"] / row["unit_gpus"])
    )
    # each request in flight takes time to the first token and 300 tokens: users over that time are the rate (Little)
    tokens_an_hour = row["requests_per_s"] * (ISL + OSL) * 3600.0
    assert row["usd_per_mtok"] == pytest.approx(
        2.0 * row["gpus"] / (0.999 * tokens_an_hour) * 1e6
    )  # sold in 0.999 of hours
    assert row["usd_per_hour_low"] <= row["usd_per_hour"] <= row["usd_per_hour_high"]
    assert row["usd_per_hour_high"] == pytest.approx(2.0 * row["gpus_high"])


def test_users_who_pause_need_fewer_gpus_and_more_users_more():
    fleets = [one(users=n, tpot_limit_ms=20.0)["gpus"] for n in (1, 100, 1000, 10_000)]
    assert fleets == sorted(fleets)
    assert fleets[0] == 1
    assert one(users=10_000, tpot_limit_ms=20.0, think_s=30.0)["gpus"] < fleets[-1] / 2
    # Denning and Buzen: 64 in flight at 3.6 a second carry 64 + 3.6 x 10 = 100 users
    assert float(Ask(1000, 500, users=500, think_s=10.0).needed(np.array(64.0), np.array(3.6))) == pytest.approx(5.0)


def test_requests_that_come_by_themselves_need_no_less_than_the_closed_loop():
    row = one(rps=60.0, tpot_limit_ms=20.0, ttft_limit_ms=500.0)
    front = search("h100-sxm", MODEL, ISL, OSL, tpot_limit_ms=20.0, ttft_limit_ms=500.0)
    least = 60.0 * (ISL + OSL) / float(front.best()["total_tok_s_per_gpu"])
    assert row["gpus"] >= least
    assert 0.0 < row["open_load_share"] <= 1.0
    assert row["requests_per_s"] == 60.0
    assert one(rps=600.0, tpot_limit_ms=20.0, ttft_limit_ms=500.0)["gpus"] > row["gpus"]
    spread = one(rps=60.0, tpot_limit_ms=20.0, ttft_limit_ms=500.0, lengths="azure2023_conv")
    assert spread["gpus"] >= row["gpus"]  # long prompts among short ones make others wait
    assert one(rps=60.0, ttft_limit_ms=25.0)["reason"].startswith("no layout gives the first token within 25 ms")
    assert "99 % of requests" in one(rps=60.0, ttft_limit_ms=80.0, lengths="azure2023_conv")["reason"]


def test_platforms_without_a_layout_or_a_cost_keep_their_row_and_reason():
    table = size_fleet(MODEL, ISL, OSL, users=10, tpot_limit_ms=0.01, accelerators=["h100-sxm", "groq-lpu1"])
    assert table["gpus"].isna().all()
    assert all("no layout reaches" in reason or "not modelled" in reason for reason in table["reason"])
    blank = size_fleet(MODEL, ISL, OSL, users=10, accelerators=["tpu-v6e", "a100-80gb-sxm"])
    assert blank["gpus"].notna().all()
    assert blank["usd_per_hour"].isna().all()
    assert blank["reason"].str.startswith("no published $/GPU-hour").all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one of users and rps"),
        ({"users": 5, "rps": 5}, "exactly one of users and rps"),
        ({"users": 0}, "users 0 is out of range"),
        ({"rps": math.nan}, "rps nan is out of range"),
        ({"rps": 5, "think_s": 1}, "think_s 1: needs"),
        ({"users": 5, "tpot_limit_ms": -1.0}, "tpot_limit_ms -1 is out of range"),
        ({"users": 5, "speed": 1}, "option of a search"),
    ],
)
def test_what_cannot_be_sized_is_one_line(given, message):
    with pytest.raises(InputError, match=message):
        one(**given)


def test_the_command_prints_fleets_and_writes_every_column(tmp_path):
    words = ["size", "--model", MODEL, "--isl", "1000", "--osl", "300", "--users", "200", "--tpot-ms", "25"]
    out = tmp_path / "fleet.csv"
    done = CliRunner().invoke(app, [*words, "--accelerator", "H100", "--accelerator", "tpu-v6e", "--csv", str(out)])
    assert done.exit_code == 0, done.exception
    assert "Blank: TPU v6e: no published $/GPU-hour" in done.output
    assert "nan" not in done.output.lower()
    assert out.read_text(encoding="utf-8").count("\n") == 3
    none = CliRunner().invoke(app, [*words[:-1], "0.1", "--accelerator", "h100-sxm"])
    assert none.exit_code == 1
    assert "None: H100: no layout reaches" in none.output


def test_one_cost_of_a_gpu_hour_whoever_quotes_it():
    """The fleet, a measured run and the evaluation stand on the same dollars, and the label names their terms."""
    row = {
        "accelerator": "gb200-nvl72", "gpus": "8", "model": "gpt-oss-120b", "weight_precision": "fp4", "engine": "vllm",
        "mode": "aggregated", "tp": "8", "ep": "1", "isl": "1024", "osl": "1024", "concurrency": "64",
        "total_tok_s_per_gpu": "5000", "date": "2026-01-15",
    }  # fmt: skip
    evaluated = evaluate(["gb200-nvl72"], ["gpt-oss-120b"], ["chat"], intervals=False).iloc[0]
    sized = size_fleet("gpt-oss-120b", 1000, 300, users=100, accelerators=["gb200-nvl72"]).iloc[0]
    measured = measured_costs([row])[0]
    assert sized["usd_per_gpu_hour"] == measured.usd_per_gpu_hour[0] == evaluated["cost_usd_per_gpu_hour"]
    low, high = (evaluated[f"cost_usd_per_gpu_hour_{end}"] for end in ("low", "high"))
    assert measured.usd_per_gpu_hour[1:] == (low, high)
    for label in (sized["cost_label"], measured.cost_label):
        assert label == "build-up cost at 11 % cost of capital over 5 years"


def test_ends_of_a_large_fleet_are_those_of_a_searched_rate() -> None:
    """Of one engine, so many users that whole engines do not matter: GPUs over either factor of the interval."""
    fleet = size_fleet(
        "gpt-oss-120b", 2000, 300, users=200_000, tpot_limit_ms=40.0, accelerators=["h100-sxm"], mode="aggregated"
    ).iloc[0]
    low, high = interval_factors("h100-sxm", "gpt-oss-120b", "aggregated", AT_SPEED, also=())
    assert fleet["gpus_low"] == pytest.approx(fleet["gpus"] / high, rel=0.01)
    assert fleet["gpus_high"] == pytest.approx(fleet["gpus"] / low, rel=0.01)
