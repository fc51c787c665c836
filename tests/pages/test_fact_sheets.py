"""The facts page: what fits beside the weights follows from memory, weights and cache alone."""

from __future__ import annotations

import pytest

from rackecon import catalog
from rackecon.pages import fact_sheets

CHIPS = ("h100-sxm", "h200-sxm", "b200-hgx", "gb300-nvl72")


def test_tokens_beside_the_weights_are_the_room_over_the_cache_of_a_token():
    chip, arch = catalog.accelerator("h200-sxm"), catalog.model("deepseek-r1")
    room = 8 * chip.hbm_bytes - fact_sheets.held_weights(chip, arch)[1]
    assert fact_sheets.tokens_beside("h200-sxm", "deepseek-r1") == pytest.approx(room / arch.kv_bytes_per_token_bf16)
    assert fact_sheets.tokens_beside("h200-sxm", "deepseek-r1", "fp8") >= fact_sheets.tokens_beside(
        "h200-sxm", "deepseek-r1"
    )


def test_where_the_weights_do_not_fit_no_token_does():
    assert fact_sheets.tokens_beside("h100-sxm", "kimi-k2") == 0.0
    assert fact_sheets.facts(("h100-sxm", "gb300-nvl72"), "kimi-k2").least_gb < 0


def test_most_and_least_room_are_those_of_the_chart():
    found = fact_sheets.facts(CHIPS, "deepseek-r1")
    left = found.memory[found.memory["part"] == fact_sheets.LEFT].set_index("platform")["gigabytes"]
    assert left[found.most[0]] == left.max() == found.most_gb
    assert left.idxmin() == found.least
    assert found.span == pytest.approx(
        max(catalog.accelerator(key).hbm_bytes_per_s for key in CHIPS)
        / min(catalog.accelerator(key).hbm_bytes_per_s for key in CHIPS)
    )
    assert found.span_low <= found.span <= found.span_high
    # parts are stacked as they come: what is left lies outermost on every bar
    assert list(dict.fromkeys(found.memory["part"])) == ["weights in FP8", "weights in FP4", fact_sheets.LEFT]
    whole = found.memory.groupby("platform")["gigabytes"].sum()
    assert whole["H200"] == pytest.approx(8 * catalog.accelerator("h200-sxm").hbm_bytes / 1e9)
