"""Words of the claims page: what is missing, what is asked and who is named come from the records and the curves."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from rackecon.claims import assess, claim
from rackecon.pages import claims_page, claims_text


def result(*left: str):
    return SimpleNamespace(claim=SimpleNamespace(open_conditions=left))


def test_what_is_missing_most_is_counted():
    results = [result("workload", "baseline_precision", "baseline_speculative"), result("workload"), result()]
    told = claims_text.open_sentence(results)
    assert told == "2 leave open what the number depends on: the lengths in 2 and the older machine's settings in 1."


def test_a_platform_is_named_and_a_model_keeps_its_id():
    assert claims_text._subject("gb200-nvl72") == "GB200 NVL72"
    assert claims_text._subject("gpt-oss-120b") == "gpt-oss-120b"


@pytest.mark.parametrize(
    ("claim_id", "curves", "title"),
    [
        (
            "gb200-75m",
            {
                "needed, a": (4.0, 2.0),
                "needed, b": (6.0, 3.0),
                "list price of 2025-10-09": (1.5, 1.5),
                "dearest price of 2025-10-09": (9.0, 9.0),
            },
            "$75.0M on deepseek-r1 needs $2.00 to $3.00 per million tokens, fully sold; the list price is $1.50",
        ),
        (
            "b200-2cents",
            {"needed, 1k/1k": (300.0, 200.0), "modelled, 1k/1k": (500.0, 900.0)},
            "$0.02 needs 200 tok/s per GPU; the model reaches up to 900",
        ),
    ],
)
def test_the_chart_of_what_must_be_true_says_what_it_finds(claim_id, curves, title):
    rows = [(name, x, y) for name, ends in curves.items() for x, y in zip((0.3, 1.0), ends, strict=True)]
    assert claims_page._required_title(claim(claim_id), pd.DataFrame(rows, columns=["series", "x", "y"])) == title


@pytest.mark.parametrize(
    ("claim_id", "told"),
    [
        ("gb200-30m", "DeepSeek-V3/R1, on TensorRT-LLM, at 50 tok/s/user"),  # its text is of gpt-oss-120b
        ("gb200-75m", "on TensorRT-LLM, at 50 tok/s/user"),
    ],
)
def test_what_a_claim_leaves_open_is_named_where_prices_stand_for_one_of_it(claim_id, told):
    assert claims_page.required(claim(claim_id)).reading.startswith(told)


def test_one_is_not_many():
    one = claim("gb200-75m-gptoss")
    horizons = claims_page.required(one).frame["series"].unique()
    assert "1 year" in horizons
    assert "1 years" not in horizons
    assert "1 public rates" not in claims_text.evidence_text(assess(one))


def test_only_what_nothing_measures_is_called_unmeasured():
    assert "Nothing measures TPU v6e and TPU v7" in claims_text.model_text(assess(claim("tpu-v7-4x")))
    assert "Nothing measures" not in claims_text.model_text(assess(claim("gb200-15x-gpu")))
