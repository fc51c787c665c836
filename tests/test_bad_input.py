"""A seeded sample of what `make torture` tries in full: bad input by every way in, and legal values at their ends."""

from __future__ import annotations

import sys

import bad_input
import legal
import pytest

from rackecon.appraisal.parameters import notebook_path, read_parameters, validate
from rackecon.catalog.text_file import yaml_of
from rackecon.errors import InputError

L40S = {"accelerators": ["l40s"]}
REPORTED = [
    ("00_executive_summary", {"tok_s_per_user": 10000.0}),
    ("00_executive_summary", {"accelerators": ["cerebras-wse3"]}),
    ("00_executive_summary", {"utilisation": 1.0}),
    *(
        (name, L40S)
        for name in (
            "00_executive_summary", "03_context_length", "04_prefill_decode_ratio", "05_latency_targets",
            "07_disaggregated_serving", "08_power", "09_cost", "10_revenue_and_roi",
        )
    ),
    ("01_platforms_and_models", {"accelerators": ["cerebras-wse3"]}),
    ("03_context_length", {"prefix_cache_hit": 0.0}),
    ("03_context_length", {"isl_tokens": 1_048_576}),
    ("04_prefill_decode_ratio", {"total_tokens": 1_048_576}),
    ("05_latency_targets", {"ttft_limit_ms": 1.0}),
    ("06_precision_and_software", {"baseline": "tpu-v7"}),
    ("06_precision_and_software", {"accelerators": ["h100-sxm"], "baseline": "h100-sxm"}),
    ("06_precision_and_software", {"model": "gpt-oss-20b"}),
    ("07_disaggregated_serving", {"accelerators": ["h100-sxm"], "scenarios": ["chat"]}),
    ("08_power", {"budget_usd": 1e12}),
    ("09_cost", {"cost_tier": "internal"}),
    ("09_cost", {"cost_tier": "3-year"}),
    ("09_cost", {"built": "tpu-v7"}),
    ("10_revenue_and_roi", {"price_factor": 0.001}),
    ("10_revenue_and_roi", {"utilisation": 0.01}),
    ("10_revenue_and_roi", {"cost_basis": "rental"}),
    ("10_revenue_and_roi", {"accelerators": ["b200-hgx", "b200-hgx"]}),
]  # fmt: skip
"""Legal values whose page once did not render, or said what was not so."""
SAMPLED = 10
PAGE = "01_platforms_and_models"


@pytest.mark.slow
@pytest.mark.parametrize("way", bad_input.WAYS)
def test_bad_input_is_one_line_by_every_way_in(tmp_path, way):
    made = bad_input.attempts(way, SAMPLED, tmp_path / "work", seed=7)
    assert [(what, why) for what, attempt in made if (why := attempt())] == []


@pytest.mark.slow
@pytest.mark.parametrize("accelerators", [["cerebras-wse3"], ["l40s"]])
def test_a_page_of_what_cannot_serve_says_true_words(accelerators):
    assert legal.judged(PAGE, {"accelerators": accelerators}) == ""


@pytest.mark.parametrize(("name", "change"), REPORTED, ids=str)
def test_what_broke_a_page_is_refused_before_a_kernel_or_rendered_by_the_torture(name, change):
    refused = validate(name, read_parameters(notebook_path(name)), change)
    assert refused or change in [tried for _, tried in legal.changes(name)]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<p>nan tokens</p>", "nan"),
        ("<p>$-3</p>", "$-"),
        ('<script type="application/json">{"a": NaN}</script>', "NaN in JSON"),
        ('<script type="application/json">{"datasets": {"a": []}}</script>', "a chart of nothing"),
        ("<p>1e+06 tokens</p>", "e+06"),
    ],
)
def test_untrue_words_are_found(page, said):
    assert said in legal.untrue(page)
    assert legal.untrue("<p>None of them, in finance: 3 %</p>".replace("None", "No one")) == ""


@pytest.mark.parametrize("text", ["1: 2", "null: 3", "a: {2: b}", "? [a]\n: b"])
def test_a_name_in_yaml_is_text(text):
    with pytest.raises(InputError, match="not YAML"):
        yaml_of("run.yaml", text)


def test_deep_json_of_a_parameter_is_text():
    from rackecon.cli.report import _value

    deep = "[" * (sys.getrecursionlimit() * 10)
    assert _value(deep) == deep
