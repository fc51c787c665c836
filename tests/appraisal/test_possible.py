"""Values that are legal one by one and impossible together are refused in one line, before any kernel starts."""

from __future__ import annotations

import pytest

from rackecon.appraisal.parameters import notebook_path, read_parameters, validate
from rackecon.errors import InputError
from rackecon.press.run import run_reports


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("03_context_length", {"isl_tokens": 1_048_576}, "exceed the 163,840 that deepseek-r1 was made for"),
        ("04_prefill_decode_ratio", {"total_tokens": 1_048_576}, "exceed the 163,840 that deepseek-r1 was made for"),
        ("02_moe_experts", {"scenario": "agentic-coding"}, "exceed the 40,960 that qwen3-235b-a22b was made for"),
        ("02_moe_experts", {"model": "llama-3.3-70b"}, "llama-3.3-70b is dense and has no experts to vary; with"),
        ("09_cost", {"cost_tier": "internal"}, "no published cost of owning gb200-nvl72"),
        ("09_cost", {"cost_tier": "3-year"}, "no published cost of owning gb200-nvl72"),
        ("09_cost", {"accelerators": ["l40s"]}, "l40s: no published $/GPU-hour"),
        ("00_executive_summary", {"utilisation": 1.0}, "utilisation: 1 leaves nothing to draw"),
        ("00_executive_summary", {"electricity_usd_per_kwh": 0.0}, "electricity_usd_per_kwh: 0 leaves nothing to draw"),
        ("00_executive_summary", {"pue": 1.0}, "pue: 1 leaves nothing to draw"),
        ("10_revenue_and_roi", {"utilisation": 1.0}, "utilisation: 1 leaves nothing to draw"),
        ("10_revenue_and_roi", {"wacc": 0.0}, "wacc: 0 leaves nothing to draw"),
        ("14_market", {"accelerators": ["l40s"]}, "no rent of term '3 years' for any of l40s"),
        (
            "14_market",
            {"model": "llama-3.1-405b"},
            "no market price and volume of llama-3.1-405b; known are deepseek-r1",
        ),
        ("12_uncertainty", {"accelerators": ["gb300-nvl72"]}, "two platforms with a result are compared, here 1"),
        ("12_uncertainty", {"accelerators": ["b200-hgx", "cerebras-wse3"]}, "here 1 (cerebras-wse3: "),
        ("15_load", {"accelerators": ["b200-hgx", "cerebras-wse3"]}, "cerebras-wse3 is not served by the model"),
        ("15_load", {"accelerators": ["l40s"]}, "l40s: no published $/GPU-hour"),
        ("16_plan", {"accelerators": ["l40s"]}, "l40s: no published $/GPU-hour"),
        ("16_plan", {"owned": "l40s"}, "owned: 'l40s' has no rack layout and power"),
        ("16_plan", {"owned": "gb300-nvl72"}, "owned: 'gb300-nvl72' is one of its own successors: b200-hgx"),
        ("16_plan", {"accelerators": ["b200-hgx", "cerebras-wse3"]}, "cerebras-wse3 is not served by the model"),
        ("05_latency_targets", {"accelerators": ["cerebras-wse3"]}, "none of cerebras-wse3 is served by the model"),
    ],
)
def test_what_cannot_stand_together_is_refused_before_any_kernel(name, given, said, tmp_path):
    (fault,) = validate(name, read_parameters(notebook_path(name)), given)
    assert said in fault
    with pytest.raises(InputError) as told:
        run_reports([name], given, tmp_path / "x")
    assert said in str(told.value)
    assert not (tmp_path / "x").exists()


def test_many_notebooks_are_each_held_to_their_own_rules(tmp_path):
    given = {"model": "llama-3.1-405b"}
    with pytest.raises(InputError, match="14_market: model: no market price"):
        run_reports(["13_validation", "14_market"], given, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_longer_model_takes_what_a_shorter_one_does_not():
    declared = read_parameters(notebook_path("04_prefill_decode_ratio"))
    assert validate("04", declared, {"total_tokens": 1_000_000, "model": "deepseek-v4-pro"}) == []


@pytest.mark.parametrize("name", ["03_context_length", "09_cost", "14_market", "15_load", "16_plan"])
def test_every_default_stands(name):
    declared = read_parameters(notebook_path(name))
    assert validate(name, declared, {key: parameter.default for key, parameter in declared.items()}) == []
