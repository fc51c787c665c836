"""Derived utilisation: what it is made of, how it moves, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rackecon.catalog import accelerator, racks, scenario
from rackecon.errors import InputError
from rackecon.load import derived
from rackecon.load.demand import Demand
from rackecon.load.derived import derived_utilisation, sold_table
from rackecon.load.platforms import _curve, open_load, platform_replica, scaled_lengths, unit_gpus
from rackecon.load.queueing import Burstiness
from rackecon.load.replay import Fleet, replay
from rackecon.load.requests import steady
from rackecon.load.sold_share import POLICIES

CHAT = scenario("chat")
HGX = platform_replica("h200-sxm", "deepseek-r1", CHAT)


SERVED = 0.999  # of all hours, data/costs.csv


def test_the_parts_multiply():
    found = derived_utilisation(
        "h200-sxm", "deepseek-r1", "chat", policy="fixed at the 99th percentile", mean_rps=200.0
    )
    assert found.utilisation == pytest.approx(found.shape_sold * found.open_load * SERVED)
    assert found.stranded_share == pytest.approx(1 - found.utilisation)
    assert 0.0 < found.low <= found.high <= 1.0


def test_hours_out_of_service_sell_nothing(monkeypatch):
    asked = ("h200-sxm", "deepseek-r1", CHAT)
    found = derived_utilisation(*asked)
    monkeypatch.setattr(derived, "hours_served_share", lambda: 0.5 * SERVED)
    less = derived_utilisation(*asked)
    for name in ("utilisation", "low", "high"):
        assert getattr(less, name) == pytest.approx(0.5 * getattr(found, name))
    assert (less.shape_sold, less.open_load) == (found.shape_sold, found.open_load)
    assert less.stranded_share == pytest.approx(1.0 - 0.5 * found.utilisation)


def test_flat_demand_of_a_large_fleet_sells_all_that_latency_and_hours_in_service_allow():
    flat = Demand("flat", "requests", 10.0, np.full(1008, 1.0), 1.0)
    found = derived_utilisation("h200-sxm", "deepseek-r1", CHAT, flat, mean_rps=20_000.0)
    assert found.utilisation == pytest.approx(found.open_load * SERVED, rel=0.005)


def test_a_pod_of_many_racks_is_bought_by_the_rack():
    """A TPU v7 comes by the cube of 64 chips; taken as a pod of 9,216 it sold 0.08 of its capacity to the default demand."""
    for key, rack in racks().items():
        assert unit_gpus(key) <= max(rack.gpus_per_rack, accelerator(key).gpus_per_server)
    asked = ("deepseek-r1", "rag-summarise", "azure2024_conv", "fixed at the 99th percentile")
    shares = [derived_utilisation(p, *asked, mean_rps=500.0).utilisation for p in ("h200-sxm", "gb300-nvl72", "tpu-v7")]
    assert min(shares) > 0.8 * max(shares)


def test_a_rack_is_a_coarser_unit_than_a_server_for_small_demand():
    small, large = (
        {p: derived_utilisation(p, "deepseek-r1", "chat", mean_rps=r).shape_sold for p in ("h200-sxm", "gb200-nvl72")}
        for r in (50.0, 50_000.0)
    )
    assert small["gb200-nvl72"] < small["h200-sxm"]
    assert large["gb200-nvl72"] == pytest.approx(large["h200-sxm"], rel=0.02)


def test_the_load_allowed_in_closed_form_is_kept_in_a_replay():
    lengths = scaled_lengths("azure2023_conv", CHAT)
    load = open_load(HGX, CHAT, lengths, 1, Burstiness.poisson())
    sent = steady(lengths, 6_000, 0.9 * load * HGX.closed_rps)
    found = replay(sent, Fleet(times=HGX.times))
    assert found.ttft().p99 <= 2.0
    assert found.tpot().p50 <= 0.020 * 1.05


def test_the_replica_of_a_search_carries_what_the_search_said():
    """At the chosen running batch, a token takes what the closed loop says, less the share of an engine's time that prompts take."""
    running = HGX.closed_rps * CHAT.osl_tokens * HGX.row["tpot_ms"] / 1e3
    step = float(HGX.times.step(running, CHAT.isl_tokens + CHAT.osl_tokens / 2))
    share = HGX.row["prefill_gpu_share"] if HGX.row["mode"] == "aggregated" else 0.0
    assert step * 1e3 == pytest.approx(HGX.row["tpot_ms"] * (1.0 - share), rel=1e-3)


def test_a_platform_that_cannot_serve_has_a_reason():
    hurried = replace(CHAT, tpot_limit_ms=0.1)
    table = sold_table(["h200-sxm"], "deepseek-r1", hurried, policies=["fixed at the peak"])
    assert "no layout reaches" in table["reason"][0]


def test_what_cannot_be_is_one_line():
    with pytest.raises(InputError, match="nearest is 'fixed at the 99th percentile'"):
        derived_utilisation("h200-sxm", "deepseek-r1", "chat", policy="fixed at the 98th percentile")
    with pytest.raises(InputError, match="mean_rps 0"):
        derived_utilisation("h200-sxm", "deepseek-r1", "chat", mean_rps=0.0)


def test_a_curve_leaves_prompts_out_of_the_steps_of_an_engine_that_does_both():
    """4 requests a second of 1,000 tokens at 40 ms run 160 at once, a quarter of whose steps is prompts; split over two engines at 20 ms, 40."""
    rows = {
        "fits": [True, True, False], "total_tok_s_per_gpu": [1000.0] * 3, "gpus": [8.0] * 3, "tpot_ms": [40.0, 20.0, 1.0],
        "decode_workers": [1.0, 2.0, 1.0], "mode": ["aggregated", "disaggregated", "aggregated"], "prefill_gpu_share": [0.25, 0.5, 0.5],
    }  # fmt: skip
    running, pure = _curve(rows, 1000.0, 2000.0)
    assert running.tolist() == pytest.approx([40.0, 160.0])
    assert pure.tolist() == pytest.approx([0.020, 0.030])


def test_of_all_policies_batch_work_in_what_is_left_sells_most() -> None:
    """On each platform, with its intervals about it and the rest stranded."""
    platforms, batch = ["h200-sxm", "b200-hgx", "gb200-nvl72", "mi355x"], "fixed at the 99th percentile, batch backfill"
    found = sold_table(platforms, "deepseek-r1", "chat")
    assert len(found) == len(platforms) * len(POLICIES)
    assert (found["reason"] == "").all()
    assert ((found["low"] <= found["utilisation"]) & (found["utilisation"] <= found["high"])).all()
    assert np.allclose(found["utilisation"] + found["stranded_share"], 1.0)
    sold = found.pivot(index="platform", columns="policy", values="utilisation")
    assert (sold[batch] > sold.drop(columns=batch).max(axis=1)).all()
