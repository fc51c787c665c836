"""Open arrivals against public ones: MLPerf's Server scenario sends at random at a rate, Offline all at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rackecon import catalog
from rackecon.evidence.mlperf import SCORED_ROUND, best_points, best_submissions, without_history
from rackecon.load.platforms import open_load, replica_of, scaled_lengths
from rackecon.load.queueing import Burstiness
from rackecon.performance.parameters import load_parameters

pytestmark = pytest.mark.slow  # two searches and a bisection for each of some twenty systems
LENGTHS = "azure2023_conv"


def _pairs() -> list[tuple[float, float]]:
    """Server over Offline of each system that submitted both: as measured, and as limits and queues allow."""
    rows = best_submissions()
    rows = rows[rows["round"] == SCORED_ROUND]
    used, base, out = without_history(load_parameters()), catalog.scenario("chat"), []
    for _, both in rows.groupby(["accelerator", "benchmark"]):
        server, offline = (both[both["scenario"] == name] for name in ("Server", "Offline"))
        if server.empty or offline.empty:
            continue
        sent, whole = server.iloc[0], offline.iloc[0]
        kept, free = (best_points(some.iloc[:1], used)[0] for some in (server, offline))
        if kept is None or free is None:
            continue
        case = replace(
            base,
            isl_tokens=float(sent["isl_tokens"]),
            osl_tokens=float(sent["osl_tokens"]),
            prefix_cache_hit=0.0,
            ttft_limit_ms=float(sent["ttft_limit_ms"]),
            tpot_limit_ms=float(sent["tpot_limit_ms"]),
            latency_statistic="p99",
        )
        chosen = {"weight_precision": kept["weight_precision"], "speculative": "none"}
        replica = replica_of(str(sent["accelerator"]), str(sent["model"]), case, kept, **chosen)
        many = max(round(float(sent["accelerators_total"]) / replica.times.gpus), 1)
        load = open_load(replica, case, scaled_lengths(LENGTHS, case), many, Burstiness.poisson())
        name = "output_tok_s_per_gpu"
        out.append((float(sent[name] / whole[name]), load * float(kept[name]) / float(free[name])))
    return out


def test_what_random_arrivals_cost_is_what_public_systems_lose_by_them():
    """Median error of the ratio at most a tenth, four in five within a third; nothing is fitted to it."""
    measured, found = np.array(_pairs()).T
    assert len(measured) >= 15
    error = np.abs(found / measured - 1.0)
    assert float(np.median(error)) <= 0.10
    assert float(np.quantile(error, 0.8)) <= 0.34
    assert float(np.median(found)) == pytest.approx(float(np.median(measured)), abs=0.05)
