"""A rack on its own against every way to fill it, tried one by one."""

from __future__ import annotations

import numpy as np
import pytest

from rackecon.serving import packing
from rackecon.serving.packing import packed_tok_s
from rackecon.serving.query import Query

ASKED = Query.of("h200-sxm", "llama-3.3-70b", 2000, 300, ttft_limit_ms=1000.0, tpot_limit_ms=40.0)


class Known:
    """Deployments of 22 GPUs at 100 tok/s each, of 48 at 110 and 130, of 8 at 50; the last three break a limit or do not fit."""

    def rows(self):
        return {
            "fits": np.array([True, True, True, True, False, True, True]),
            "gpus": np.array([22.0, 48.0, 48.0, 8.0, 1.0, 1.0, 1.0]),
            "total_tok_s_per_gpu": np.array([100.0, 110.0, 130.0, 50.0, 1e6, 1e6, 1e6]),
            "tpot_ms": np.array([30.0, 30.0, 39.0, 30.0, 30.0, 41.0, 30.0]),
            "ttft_ms": np.array([900.0, 900.0, 900.0, 900.0, 900.0, 900.0, 1001.0]),
        }


@pytest.mark.parametrize(
    ("gpus", "served"),
    [
        (72, 48 * 130 + 22 * 100),  # 70 of 72
        (96, 2 * 48 * 130),
        (47, 2 * 22 * 100),  # three of 8 and one of 22 serve 3,400
        (46, 2 * 22 * 100),
        (21, 2 * 8 * 50),
        (7, 0),
    ],
)
def test_a_rack_is_filled_with_what_serves_most(monkeypatch, gpus, served):
    monkeypatch.setattr(packing, "evaluate_all", lambda task: Known())
    assert packed_tok_s(ASKED, gpus) == pytest.approx(served)


def test_a_rack_of_the_base_case_serves_no_more_than_its_gpus_and_more_in_a_larger_one():
    asked = Query.of("gb300-nvl72", "deepseek-r1", 8192, 1024, ttft_limit_ms=5000.0, tpot_limit_ms=33.0)
    each = [packed_tok_s(asked, gpus) / gpus for gpus in (24, 72, 48 * 3)]
    assert each[0] < each[1] < each[2]
