"""Every legal end of a walk page's parameters gives a result whose sentences can all be said, or is refused in one line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from rackecon.appraisal.parameters import notebook_path, read_parameters, validate
from rackecon.catalog.assumption_table import allowed_values
from rackecon.errors import InputError
from rackecon.figures.results import result_rows
from rackecon.pages import context_length, decode_ratio, experts, latency, split
from rackecon.pages.sentences import environment, say, told

FEW = {"accelerators": ["b200-hgx", "h100-sxm"]}
NOBODY = {"accelerators": ["l40s"]}
ONE = {"accelerators": ["gb300-nvl72"]}


def _context(p: dict[str, Any]) -> Any:
    return context_length.context_result(
        p["accelerators"],
        p["model"],
        p["scenario"],
        p["isl_tokens"],
        p["prefix_cache_hit"],
        utilisation=p["utilisation"],
    )


def _ratio(p: dict[str, Any]) -> Any:
    return decode_ratio.ratio_result(
        p["accelerators"], p["model"], p["scenario"], p["total_tokens"], utilisation=p["utilisation"]
    )


def _experts(p: dict[str, Any]) -> Any:
    return experts.experts_result(p["accelerators"], p["model"], p["models"], p["scenario"], p["experts"], p["top_k"])


def _latency(p: dict[str, Any]) -> Any:
    return latency.latency_result(
        p["accelerators"],
        p["model"],
        p["scenario"],
        p["ttft_limit_ms"],
        p["latency_statistic"],
        utilisation=p["utilisation"],
    )


def _split(p: dict[str, Any]) -> Any:
    return split.split_result(p["accelerators"], p["model"], p["scenarios"], p["scenario"])


PAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], Callable[[Any], Any]]] = {
    "02_moe_experts": (_experts, experts.figures),
    "03_context_length": (_context, context_length.figures),
    "04_prefill_decode_ratio": (_ratio, decode_ratio.figures),
    "05_latency_targets": (_latency, latency.figures),
    "07_disaggregated_serving": (_split, split.figures),
}


def _ends(name: str) -> list[dict[str, Any]]:
    """Both ends of each number and each choice of a notebook, one at a time."""
    table = allowed_values()
    found: list[dict[str, Any]] = []
    for key, parameter in read_parameters(notebook_path(name)).items():
        if key not in table:
            continue
        rule = table[key]
        ends = rule.choices or [end for end in (rule.low, rule.high) if math.isfinite(end)]
        whole = parameter.type == "int"
        found += [{key: int(end) if whole else end} for end in ends]
    return found


CASES = [(name, change) for name in PAGES for change in (NOBODY, ONE, *_ends(name))]
QUICK = [("03_context_length", {"prefix_cache_hit": 0.0}), *((name, NOBODY) for name in PAGES)]


def _renders(name: str, change: dict[str, Any]) -> None:
    declared = read_parameters(notebook_path(name))
    given = {key: item.default for key, item in declared.items()} | FEW | change
    if validate(name, declared, given):
        return
    compute, figures = PAGES[name]
    try:
        result = compute(given)
    except InputError:  # refused: one line, as every InputError is printed
        return
    blocks = set(environment().get_template(f"{name}.md.j2").blocks)
    for block in blocks - {"tried"}:  # what exercises find comes from runs of their own
        text = say(name, block, **told(result))
        assert not {"nan", "None", "inf", "–"} & set(text.replace(",", " ").replace(".", " ").split()), text
    assert result_rows(figures(result))


@pytest.mark.parametrize(("name", "change"), QUICK, ids=str)
def test_nobody_served_or_no_cache_is_said_in_words(name, change):
    _renders(name, change)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "change"), CASES, ids=str)
def test_every_end_of_every_parameter_is_said_in_words_or_refused(name, change):
    _renders(name, change)
