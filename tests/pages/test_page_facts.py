"""Sentences that quote data/: each figure is the table's, and another table gives another sentence."""

from __future__ import annotations

import pandas as pd
import pytest

from rackecon import catalog
from rackecon.pages import page_facts
from rackecon.words import number, percent


@pytest.fixture
def changed(monkeypatch):
    """Put a changed copy of a table in place of the shipped one."""

    def put(name: str, change) -> None:
        made, real = change(catalog.table(name)), catalog.table

        def table(asked: str) -> pd.DataFrame:
            return made.copy() if asked == name else real(asked)

        monkeypatch.setattr(catalog, "table", table)

    return put


def test_reach_of_measured_lengths_follows_the_rows(changed):
    rows = catalog.table("validation_points")
    far, any_model = int(rows.loc[rows["model"] == "deepseek-r1", "isl"].max()), int(rows["isl"].max())
    told = page_facts.measured_reach("deepseek-r1", far + 1)
    assert f"{far:,} input tokens for DeepSeek-V3/R1 and {any_model:,} for any model" in told
    assert "extrapolates" in told
    assert "lies within them" in page_facts.measured_reach("deepseek-r1", far)
    changed("validation_points", lambda t: t.assign(isl=t["isl"] * 2))
    assert f"{2 * far:,} input tokens" in page_facts.measured_reach("deepseek-r1", far)
    assert "No measured row" in page_facts.measured_reach("kimi-k2", 1024)


def test_traffic_spans_what_the_workloads_say(changed):
    walked = pd.DataFrame({"input_per_output": [0.1, 50.0]})
    told = page_facts.traffic_words(walked)
    rows = catalog.table("workloads").set_index("workload")["ratio_agg_prefill_decode"]
    least, most = rows["servegen_reason/deepseek-r1"], rows["tracelab_claude_codex"]
    assert f"has {number(least, 2)} to {number(most, 3)} input tokens" in told

    def fewer(table):
        return table[table["workload"] != "tracelab_claude_codex"]

    changed("workloads", fewer)
    assert number(most, 3) not in page_facts.traffic_words(walked)


def test_tails_are_those_of_the_calibration():
    from rackecon.serving.tails import tail_factors

    tpot, ttft = tail_factors("p99")
    told = page_facts.tail_words("p99")
    assert told.startswith("Limits bind the 99th percentile")
    assert f"TPOT by {number(tpot)} and TTFT by {number(ttft)}" in told


def test_the_weakest_output_is_the_one_with_the_largest_error(monkeypatch):
    assert "time to first token" in page_facts.accuracy_words()
    better = {key: one._replace(median=1.0) if key[2] == "ttft_ms" else one for key, one in page_facts.scores().items()}
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])["median_pct"]
    split = page_facts.accuracy_words(("aggregated", "disaggregated"))
    for name in ("aggregated", "disaggregated"):
        assert f"{percent(scores['held-out curves', name, 'total_tok_s_per_gpu'] / 100)} {name}" in split
    monkeypatch.setattr(page_facts, "scores", lambda: better)
    assert "Weakest of the model's outputs is time" not in page_facts.accuracy_words()


def test_recipes_are_the_extremes_measured(changed):
    told = page_facts.recipe_words()
    assert "2 prefill GPUs for 32 decode GPUs to 24 prefill GPUs for 8 decode GPUs" in told
    changed("measured_serving", lambda t: t[~((t["prefill_gpus"] == 24) & (t["decode_gpus"] == 8))])
    assert "24 prefill GPUs for 8" not in page_facts.recipe_words()


def test_routing_is_told_for_the_model_asked():
    few, many = (page_facts.routing_words(model) for model in ("mixtral-8x7b", "deepseek-r1"))
    assert few.split("even routing")[1] != many.split("even routing")[1]
    assert page_facts.routing_words("llama-3.3-70b") == "Llama-3.3-70B is dense: nothing is routed."


def test_draft_acceptance_follows_its_distribution(monkeypatch):
    rows = [dict(row, low="0.7") if row["id"] == "acceptance" else row for row in catalog.read_rows("distributions")]
    assert "0.85 to 1.2 times" in page_facts.draft_words()
    monkeypatch.setattr(catalog, "read_rows", lambda name: rows)
    assert "0.7 to 1.2 times" in page_facts.draft_words()
