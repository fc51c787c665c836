"""Evidence, model answers, what must be true, and that verdict and prose follow the data."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from rackecon import catalog
from rackecon.claims import assess, assess_all, claim, claims, conditions_needed, measured, record
from rackecon.claims.accuracy import front_residuals, front_scale, scale_table
from rackecon.claims.evidence import measured_front, peak_rows, software_gains
from rackecon.claims.model import cases
from rackecon.claims.operating_point import ratio_points, variants
from rackecon.claims.required import holding_speeds, required, speed_for_revenue
from rackecon.claims.special import blended_range
from rackecon.claims.verdict import VERDICTS
from rackecon.pages.claims_page import section
from rackecon.pages.claims_text import evidence_text, required_text, verdict_text

pytestmark = pytest.mark.slow  # one pass over every claim takes some seconds
FRONT = ("h200-sxm", "deepseek-r1", "1024/1024", "fp8")


@pytest.fixture(scope="module")
def results():
    return {r.claim.id: r for r in assess_all()}


def test_a_measured_front_falls_and_is_read_honestly():
    front = measured_front(*FRONT, "none")
    assert (np.diff(front.tok_s_per_user) > 0).all()
    assert (np.diff(front.total_tok_s_per_gpu) < 0).all()
    point = front.at(float(front.tok_s_per_user[-1]))
    assert point.kind == "measured"
    assert point.total_tok_s_per_gpu == front.total_tok_s_per_gpu[-1]
    between = front.at(56.0)
    assert between.kind == "interpolated"
    assert front.total_tok_s_per_gpu[-1] < between.total_tok_s_per_gpu < front.total_tok_s_per_gpu[0]
    assert front.at(300.0).kind == "none"


def test_speculation_only_adds_points():
    without, allowed = measured_front(*FRONT, "none"), measured_front(*FRONT, "mtp")
    assert allowed.points > without.points
    assert allowed.at(50.0).total_tok_s_per_gpu > without.at(50.0).total_tok_s_per_gpu


def test_points_too_far_apart_are_not_read_between():
    front = measured_front("gb300-nvl72", "deepseek-r1", "1024/1024", "fp4", "mtp")
    assert front.at(115.0).kind == "none"


def test_the_60000_is_a_public_8k_peak():
    assert peak_rows("b200-hgx", "gpt-oss-120b", "8192/1024", "fp4")[0]["total_tok_s_per_gpu"] == pytest.approx(61612.7)


def test_five_times_by_software_is_rarer_than_one_public_pair_in_a_hundred():
    gains = software_gains(65.0, same_layout=False)
    assert len(gains) > 300
    assert 1.0 < np.median(gains) < 1.5
    assert np.mean(gains >= 5.0) < 0.01


def test_every_claim_has_a_verdict_and_an_interval(results):
    for r in results.values():
        assert r.verdict in VERDICTS
        assert r.low <= r.high
        assert len(r.points)


def test_stated_conditions_leave_one_modelled_point(results):
    for key in ("gb200-15x-gpu", "gb200-10k-dsr1", "b200-10k-llama", "b200-2cents"):
        kinds = [k for k in results[key].points.kind if k == "model"]
        assert len(kinds) == 1
        assert results[key].stated


def test_the_75_million_is_bounded_by_price_and_utilisation(results):
    r = results["gb200-75m"]
    assert r.verdict == "bounded"
    assert len(cases(r.claim)) == 6
    model = r.points.frame.query("kind == 'model'")
    assert model["value"].min() < 75e6 < model["value"].max()
    assert set(model["tok_s_per_user"]) == {50.0}


def test_the_gpt_oss_version_is_misattributed_and_tested_on_its_own(results):
    r = results["gb200-75m-gptoss"]
    assert r.verdict == "misattributed"
    needed = required(r.claim)
    prices = blended_range("gpt-oss-120b", "8192/1024", r.claim.date)
    assert prices["cheapest"] < prices["list"] < prices["dearest"] < 0.5
    full = needed.frame[(needed.frame["x"] == 1.0)].set_index("series")["y"]
    assert full["1 year"] == pytest.approx(5 * full["5 years"])
    # in one year the price must lie above every listing of the day
    assert full["1 year"] > prices["dearest"]
    assert "deepseek-r1" in verdict_text(r)


def test_fifty_times_needs_the_fast_end_of_the_old_machine(results):
    for key in ("gb300-50x-mw", "gb300-35x-cost"):
        r = results[key]
        assert r.verdict == "reproduced at the edge"
        assert (r.points.position > 0.9).all()


def test_deepseek_arithmetic(results):
    r = results["deepseek-545"]
    assert r.computed == pytest.approx(5.45, abs=0.01)
    assert r.verdict == "reproduced"
    assert r.low < 5.45 < r.high


def test_intervals_hold_the_middle(results):
    for r in results.values():
        assert (r.points.low <= r.points.value * (1 + 1e-9)).all()
        assert (r.points.value <= r.points.high * (1 + 1e-9)).all()


def test_roots_meet_the_claimed_value():
    one = claim("b200-2cents")
    [(_, speed)] = holding_speeds(one)
    lines = {name: part.set_index("x")["y"] for name, part in required(one).frame.groupby("series")}
    gap = lines["modelled"] / lines["needed"]
    assert gap[gap.index < speed].min() > 1.0 > gap[gap.index > speed].max()


def test_an_unstated_count_of_tokens_is_tried_both_ways(results):
    r = results["gb200-1500k-rack"]
    frame = r.points.frame.query("kind == 'model'").set_index("case")["value"]
    assert frame["1k/1k, total tokens counted"] == pytest.approx(2 * frame["1k/1k, output tokens counted"])
    assert frame["8k/1k, total tokens counted"] == pytest.approx(9 * frame["8k/1k, output tokens counted"])


def test_a_lower_price_needs_a_slower_user():
    one = claim("gb200-75m")
    case = cases(one)[0]
    cheap, dear = (speed_for_revenue(one, case, price, 1.0) for price in (1.5, 3.0))
    assert cheap < dear


def test_ratio_grows_with_speed_when_only_the_new_side_speculates():
    found = ratio_points("gb300-nvl72", "h200-sxm", "deepseek-r1", ["1024/1024", "8192/1024"], date="2026-02-16")
    per_gpu = found[found["basis"] == "GPU"]
    for _, part in per_gpu.groupby("workload"):
        assert (np.diff(part["ratio"]) > 0).all()
    assert set(per_gpu["tok_s_per_user"]) == {30.0, 50.0, 75.0, 100.0}
    short, long = (
        per_gpu[per_gpu["workload"] == w].set_index("tok_s_per_user")["ratio"] for w in ("1024/1024", "8192/1024")
    )
    assert short[100.0] > long[100.0]
    per_mw = found[found["basis"] == "MW"]["ratio"].to_numpy()
    assert per_mw == pytest.approx(per_gpu["ratio"].to_numpy() * 1.73 / 2.10)


def test_changing_one_condition_changes_the_ratio():
    found = variants(
        "gb300-nvl72", "h200-sxm", "deepseek-r1", "1024/1024", 100.0,
        precision="fp4", baseline_precision="fp8", date="2026-02-16",
    ).set_index("variant")  # fmt: skip
    assert found.loc["MTP on both sides", "GPU"] < found.loc["MTP on the new side only", "GPU"]
    assert found.loc["kW and $ of 2026", "MW"] == pytest.approx(
        found.loc["MTP on the new side only", "MW"] / 1.27, rel=0.01
    )


def test_another_value_in_the_data_changes_verdict_and_prose(tmp_path, monkeypatch):
    before = assess(claim("b200-10k-llama"))
    assert before.verdict == "reproduced"
    shutil.copytree(catalog.data_dir(), tmp_path / "data")
    path = tmp_path / "data" / "claims.csv"
    text = path.read_text(encoding="utf-8")
    [line] = [row for row in text.splitlines() if row.startswith("b200-10k-llama,")]
    path.write_text(text.replace(line, line.replace(",10000,", ",90000,", 1)), encoding="utf-8")
    monkeypatch.setenv("RACKECON_DATA", str(tmp_path / "data"))
    after = assess(claim("b200-10k-llama"))
    assert after.verdict == "not reproducible as stated"
    assert "Claimed: 90,000" in verdict_text(after)
    assert "Not reproducible as stated" in section(after).markup
    assert verdict_text(before) != verdict_text(after)
    assert "90,000 total tok/s/GPU" in required_text(after.claim)


def test_prose_gives_the_hand_computed_figures():
    text = required_text(claim("gb200-75m"))
    assert "$4.18M" in text
    assert "$5.20M" in text
    assert "$1.10 over 3 years; $9.91 per million output tokens" in text
    other = required_text(claim("gb200-75m-gptoss"))
    assert "$1.59 over 1 year, $0.528 over 3 years, $0.396 over 4 years and $0.317 over 5 years" in other
    assert "23.5 times" in required_text(claim("blackwell-15x-cost"))
    assert "27,083" in required_text(claim("b200-5x-software"))
    assert "12.1 times" in required_text(claim("moe-10x-mw"))


def test_evidence_names_what_was_measured():
    assert "(interpolated)" in evidence_text(claim("gb200-10k-dsr1"))
    assert "no public measurement" in evidence_text(claim("tpu-v7-4x"))
    rows = measured(claim("gb200-15x-gpu"))
    assert {row["side"] for row in rows} == {"subject", "baseline"}


def test_conditions_needed_are_in_words(results):
    assert conditions_needed(results["gb200-15x-gpu"]) == "at 50 tok/s/user"
    far = dataclasses.replace(results["gb200-15x-gpu"].claim, value=1e6)
    assert conditions_needed(assess(far)).startswith("nowhere: the nearest interval ends")


def test_a_record_is_plain_json(results):
    found = record(results["gb300-50x-mw"])
    json.dumps(found)
    assert found["claimed"] == 50
    assert found["sources"][0]["publisher"]
    assert found["conditions_open"] == ["baseline_speculative"]


def test_each_section_has_its_anchor_and_quotes_only_what_was_said(results):
    for key, r in results.items():
        markup = section(r).markup
        assert f'id="{key}"' in markup
        assert ("<q>" in markup) == ("(paraphrased" not in r.claim.statement)


def test_a_platform_without_enough_points_takes_its_familys_scale():
    assert front_scale("h200-sxm", "deepseek-r1", "none").name == "h200-sxm deepseek-r1 none"
    assert front_scale("h800-sxm", "deepseek-r1", "none").name == "hopper deepseek-r1 none"
    assert front_scale("tpu-v7", "gpt-oss-120b", "none").name == "gpt-oss-120b none"
    assert front_scale("tpu-v7", "kimi-k2", "none").name == "all"


def test_committed_scales_are_those_of_the_committed_model():
    kept = catalog.table("claim_scales").set_index("class")
    for fresh in scale_table(front_residuals()):
        assert kept.loc[fresh.name, "log_mid"] == pytest.approx(fresh.log_mid, abs=0.25), "rackecon claims --rescale"


def test_the_command_prints_every_claim():
    command = "import sys; from rackecon.cli import main; sys.argv = ['rackecon', 'claims', '--json']; main()"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    keys = {"id", "subject", "claimed", "computed", "computed_low", "computed_high", "verdict", "sources"}
    assert keys | {"conditions_needed"} <= set(found[0])
    assert len(found) == len(claims())
