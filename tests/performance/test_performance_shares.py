"""Shares of peak: central values of the kernel fits that they stand for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rackecon import catalog
from rackecon.catalog import accelerator
from rackecon.performance.shares import ATTENTION_SHARE, BANDWIDTH_SHARE, KV_BANDWIDTH_SHARE, product_share

DTYPES = {"bf16": ["bfloat16"], "fp8": ["fp8", "fp8_block"], "fp4": ["nvfp4"]}


def fits(op: str):
    table = catalog.table("kernel_fits")
    return table[(table["op"] == op) & ~table["low_confidence"] & ~table["note"].fillna("").str.contains("DO NOT USE")]


@pytest.mark.parametrize(
    ("chip", "hardware", "precision"),
    [
        ("h200-sxm", "h200_sxm", "bf16"),
        ("h200-sxm", "h200_sxm", "fp8"),
        ("b200-hgx", "b200_sxm", "bf16"),
        ("b200-hgx", "b200_sxm", "fp8"),
        ("b200-hgx", "b200_sxm", "fp4"),
        ("gb200-nvl72", "gb200", "fp4"),
        ("gb300-nvl72", "gb300", "bf16"),
        ("gb300-nvl72", "gb300", "fp8"),
        ("gb300-nvl72", "gb300", "fp4"),
    ],
)
def test_product_share_is_what_large_products_were_measured_at(chip, hardware, precision) -> None:
    table = fits("gemm")
    rows = table[(table["hw"] == hardware) & table["dtype"].isin(DTYPES[precision])]
    measured = [json.loads(text)["flop_frac_M>=4096_NK>=8192^2"] for text in rows["observed"]]
    assert product_share(accelerator(chip), precision) == pytest.approx(np.median(measured), rel=0.15)


def test_a_wider_format_stands_in_where_a_chip_lacks_one() -> None:
    assert product_share(accelerator("a100-80gb-sxm"), "fp8") == product_share(accelerator("a100-80gb-sxm"), "bf16")
    assert product_share(accelerator("h100-sxm"), "fp4") == product_share(accelerator("h100-sxm"), "bf16")


def test_the_share_of_one_vendor_is_not_lent_to_another() -> None:
    assert accelerator("mi455x").kernel_hw == accelerator("gb300-nvl72").kernel_hw
    assert product_share(accelerator("mi455x"), "fp4") > product_share(accelerator("gb300-nvl72"), "fp4")


@pytest.mark.parametrize("precision", ["bf16", "fp8"])
def test_attention_share_lies_inside_the_fits(precision) -> None:
    table = fits("prefill_attn_gqa")
    kind = {"bf16": "attn=bfloat16,kv=bfloat16", "fp8": "attn=fp8,kv=fp8"}[precision]
    measured = [json.loads(text)["ec"] for text in table[table["dtype"] == kind]["params"]]
    assert min(measured) < ATTENTION_SHARE[precision] < max(measured)
    assert ATTENTION_SHARE[precision] == pytest.approx(np.median(measured), rel=0.15)


def test_bandwidth_shares_lie_inside_the_fits() -> None:
    read = [json.loads(text)["em"] for text in fits("decode_attn_gqa")["params"]]
    assert min(read) < KV_BANDWIDTH_SHARE < max(read)
    table = fits("gemm")
    for precision, dtypes in DTYPES.items():
        rows = table[table["dtype"].isin(dtypes)]
        seen = [json.loads(text) for text in rows["observed"]]
        tops = [json.loads(text)["em"] for text in rows["params"]]
        assert min(x["bw_frac_M<=16_NK>=8192^2"] for x in seen) < BANDWIDTH_SHARE[precision] < max(tops)
