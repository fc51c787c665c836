"""What the user adds wins: an accepted row changes the answer, at once, in this process as in a new one."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rackecon import catalog
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog import user_rows
from rackecon.catalog.paths import KEYS, OWN_SOURCE, shipped_rows
from rackecon.catalog.text_file import read_text, yaml_of
from rackecon.catalog.user_rows import add_rows, add_tables, checked_rows, complete
from rackecon.economics.build_up_table import hardware_price
from rackecon.errors import InputError, unknown_name
from rackecon.evidence.measured import load_evidence

CHIP, MODEL, CASE = "h100-sxm", "gpt-oss-20b", "chat"


def shipped(table, **key):
    return dict(next(row for row in shipped_rows(table) if all(row[name] == cell for name, cell in key.items())))


def added(tmp_path, table, row):
    """The row through the same door as a user's file."""
    path = tmp_path / f"{table}-file.csv"
    with open(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(row))
        writer.writeheader()
        writer.writerow(row)
    return add_rows(table, checked_rows(table, path))


ROWS = {
    "accelerators": lambda: shipped("accelerators", id=CHIP) | {"hbm_tb_per_s": "6.7"},
    "costs": lambda: {"accelerator": CHIP, "value": "9"},
    "power": lambda: {"accelerator": CHIP, "value": "5"},
    "racks": lambda: {"accelerator": CHIP, "gpus_per_rack": "16", "rack_it_kw": "30"},
    "models": lambda: shipped("models", id=MODEL) | {"layers": "48", "full_layers": "24", "window_layers": "24", "moe_layers": "48"},
    "prices": lambda: {
        "provider": "me", "model_id": MODEL, "value_input": "1", "value_output": "4", "valid_from": "2026-01-31",
    },
    "scenarios": lambda: shipped("scenarios", id=CASE) | {"isl_tokens": "4096"},
    "workloads": lambda: shipped("workloads", workload="azure2023_code") | {"isl_mean": "3000"},
    "measured_serving": lambda: {
        "date": "2026-06-01", "accelerator": CHIP, "gpus": "8", "model": "llama-3.1-70b", "weight_precision": "fp8",
        "engine": "vllm", "mode": "aggregated", "tp": "8", "ep": "1", "isl": "1024", "osl": "1024", "concurrency": "64",
        "total_tok_s_per_gpu": "800",
    },
}  # fmt: skip


def answer():
    """What the library says of one case, and what it holds against measurements and traces."""
    row = evaluate([CHIP], [MODEL], [CASE]).iloc[0]
    numbers = [round(float(row[name]), 6) for name in (
        "total_tok_s_per_gpu", "cost_usd_per_gpu_hour", "cost_usd_per_gpu_hour_low", "profit_usd_per_rack_year",
        "profit_usd_per_mw_year", "profit_usd_per_gpu_year", "drawn_utility_kw_per_gpu",
    )]  # fmt: skip
    return [*numbers, len(load_evidence()), float(catalog.table("workloads")["isl_mean"].sum())]


def test_every_table_that_takes_rows_has_a_key_and_a_row_here():
    assert set(ROWS) == set(KEYS)


@pytest.mark.slow
def test_each_accepted_row_changes_the_answer_of_a_live_process_to_that_of_a_new_one(own, tmp_path):
    said = [answer()]
    for table, row in ROWS.items():
        added(tmp_path, table, row())
        said.append(answer())
        assert said[-1] != said[-2], table
    code = "import sys, json; sys.path.insert(0, sys.argv[1]); import test_own_rows; print(json.dumps(test_own_rows.answer()))"
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == said[-1]


def test_an_own_cost_is_the_cost_with_no_foreign_tier_in_its_range_and_says_so(own, tmp_path):
    added(tmp_path, "costs", ROWS["costs"]())
    row = evaluate([CHIP, "h200-sxm"], [MODEL], [CASE]).set_index("accelerator")
    assert [row.loc[CHIP, f"cost_usd_per_gpu_hour{end}"] for end in ("", "_low", "_high")] == [9.0, 9.0, 9.0]
    assert row.loc[CHIP, "cost_label"].endswith(", own row")
    assert "own row" not in row.loc["h200-sxm", "cost_label"]


@pytest.mark.parametrize("table", sorted(ROWS))
def test_an_own_row_stands_in_place_of_the_shipped_one_of_its_key(own, tmp_path, table):
    before = catalog.read_rows(table)
    added(tmp_path, table, ROWS[table]())
    after = catalog.read_rows(table)
    mine = [row for row in after if row not in before]
    assert len(mine) == 1
    same = [row for row in before if all(row[name] == mine[0][name] for name in KEYS[table])]
    assert len(after) == len(before) - len(same) + 1
    assert len(catalog.table(table)) == len(after)
    assert table == "measured_serving" or mine[0].get("source_id", OWN_SOURCE) == OWN_SOURCE


def test_rows_edited_by_hand_lose_nothing(own, tmp_path):
    added(tmp_path, "racks", ROWS["racks"]())
    path = own / "racks.csv"
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    added(tmp_path, "racks", ROWS["racks"]() | {"accelerator": "a100-80gb-sxm"})
    assert [catalog.rack(name).gpus_per_rack for name in (CHIP, "a100-80gb-sxm")] == [16, 16]
    with pytest.raises(InputError, match=r"already in your own racks\.csv"):
        added(tmp_path, "racks", ROWS["racks"]())


def test_a_fault_in_an_own_row_names_the_users_file_and_the_check_finds_it(own, tmp_path):
    added(tmp_path, "accelerators", ROWS["accelerators"]())
    assert not user_rows.own_faults()
    path = own / "accelerators.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",6.7,", ",fast,"), encoding="utf-8")
    with pytest.raises(InputError, match=r"^own/accelerators\.csv row 2 column 'hbm_tb_per_s': 'fast' is not a number"):
        catalog.accelerators()
    assert [line.split(":")[0] for line in user_rows.own_faults()] == ["own/accelerators.csv row 2 hbm_tb_per_s"]
    (own / "nonsense.csv").write_text("a\n1\n", encoding="utf-8")
    assert len(user_rows.own_faults()) == 2


def _add_racks(names):
    for name in names:
        add_rows("racks", [complete("racks", {"accelerator": name, "gpus_per_rack": "8", "rack_it_kw": "10"})])


def test_rows_added_at_once_are_all_there(own):
    names = [f"chip-{index}" for index in range(20)]
    workers = [multiprocessing.get_context("fork").Process(target=_add_racks, args=(names[k::4],)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(names) <= set(catalog.racks())
    assert sorted(path.name for path in own.iterdir()) == ["racks.csv"]


WORKLOAD = {"workload": "mine", "isl_mean": "10", "osl_mean": "5"}
SCENARIO = {"id": "mine", "isl_tokens": "10", "osl_tokens": "5"}


@pytest.mark.parametrize("step", range(3))
def test_an_addition_cut_short_leaves_both_tables_or_none(own, monkeypatch, step):
    rename, left = os.replace, [step]

    def dying(source, target):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        rename(source, target)

    both = {
        "workloads": [complete("workloads", WORKLOAD)],
        "scenarios": [complete("scenarios", SCENARIO)],
    }
    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        add_tables(both)
    monkeypatch.setattr(os, "replace", rename)
    if step == 0:
        assert "mine" not in catalog.scenarios()
        add_tables(both)
    else:
        with pytest.raises(InputError, match="already"):
            add_tables(both)
    assert "mine" in catalog.scenarios()
    assert "mine" in {row["workload"] for row in catalog.read_rows("workloads")}
    assert sorted(path.name for path in own.iterdir()) == ["scenarios.csv", "workloads.csv"]


@pytest.mark.parametrize("foreign", ["\x1b[31mred", "a\u202eb", "x" * 5000, "\u200bhidden", "a\x00b"])
def test_a_message_shows_foreign_text_plainly(foreign):
    for fault in (unknown_name("accelerator", foreign, ["h100-sxm"]), InputError(f"{foreign} is not known")):
        assert str(fault).isprintable()
        assert len(str(fault)) <= 1200


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "."])
def test_only_an_ordinary_file_is_read(path):
    with pytest.raises(InputError, match="not an ordinary file"):
        read_text(Path(path))


def test_an_alias_bomb_is_refused_at_once():
    lines = ["a: &a [1,1,1,1,1,1,1,1,1]"]
    lines += [f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(InputError, match="alias"):
        yaml_of("bomb.yaml", "\n".join(lines))


def test_a_folder_that_takes_no_rows_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("RACKECON_USER_DATA", str(tmp_path / "file" / "own"))
    with pytest.raises(InputError, match="own: own rows cannot be written: Not a directory"):
        add_rows("racks", [complete("racks", {"accelerator": CHIP, "gpus_per_rack": "8", "rack_it_kw": "10"})])


def test_an_own_rate_card_changes_revenue_by_the_amount_worked_by_hand(own, tmp_path):
    added(tmp_path, "prices", ROWS["prices"]())
    row, base = evaluate([CHIP], [MODEL], [CASE]).iloc[0], catalog.base_case()
    made = row["total_tok_s_per_gpu"] - row["output_tok_s_per_gpu"], row["output_tok_s_per_gpu"]
    kept = base.utilisation * (1.0 - base.free_share) * row["level_price_factor"]
    assert row["revenue_usd_per_gpu_hour"] == pytest.approx(0.0036 * kept * (made[0] * 1.0 + made[1] * 4.0), rel=1e-12)


def test_an_own_cost_lowers_profit_by_the_difference_in_cost(own, tmp_path):
    before = evaluate([CHIP], [MODEL], [CASE]).iloc[0]
    added(tmp_path, "costs", ROWS["costs"]())
    after = evaluate([CHIP], [MODEL], [CASE]).iloc[0]
    more = 9.0 - before["cost_usd_per_gpu_hour"]
    assert before["profit_usd_per_gpu_year"] - after["profit_usd_per_gpu_year"] == pytest.approx(more * 8760, rel=1e-9)


def test_an_own_rent_moves_the_entrants_price_in_proportion(own, tmp_path):
    from rackecon.economics.market_table import rent
    from rackecon.market.levels import entrant

    published, before = rent("b200-hgx"), entrant(MODEL, CASE, accelerators=["b200-hgx"])
    added(tmp_path, "costs", {"accelerator": "b200-hgx", "value": "2.5", "basis": "rent - 3 yr"})
    after = entrant(MODEL, CASE, accelerators=["b200-hgx"])
    assert after.rent_usd_per_gpu_hour == 2.5
    assert after.price_usd_per_mtok / before.price_usd_per_mtok == pytest.approx(
        2.5 / published.usd_per_gpu_hour, rel=1e-12
    )


def test_an_own_price_of_the_server_moves_investment_and_cost_by_the_amounts_worked_by_hand(own, tmp_path):
    """A server at 400,000 instead of 285,000 USD: network, storage and installation 23 %, spares 5 %, upkeep and insurance
    3.825 % a year, an eighth of a year of them and of interest at 11 % before service, 12.5 % resold after five years."""
    basis = {"cost_basis": "build_up"}
    before = evaluate([CHIP], [MODEL], [CASE], **basis).iloc[0]
    added(tmp_path, "costs", {"accelerator": CHIP, "category": "capex server", "value": "400000"})
    after = evaluate([CHIP], [MODEL], [CASE], **basis).iloc[0]
    price = (400_000 - 285_000) / 8
    capital = price * 1.23 * 1.05
    upkeep = capital * 0.03825
    invested = capital * 1.11**0.125 + upkeep * 0.125
    month = 1.11 ** (1 / 12) - 1
    years = (1 - 1.11**-5) / (12 * month)
    hour = ((invested - 0.125 * price * 1.11**-5) / years + upkeep) / 8760
    assert after["investment_usd_per_gpu"] - before["investment_usd_per_gpu"] == pytest.approx(invested, rel=1e-9)
    assert after["cost_usd_per_gpu_hour"] - before["cost_usd_per_gpu_hour"] == pytest.approx(hour, rel=1e-9)
    assert before["profit_usd_per_gpu_year"] - after["profit_usd_per_gpu_year"] == pytest.approx(hour * 8760, rel=1e-9)
    assert after["cost_label"].endswith(", own row")


def test_an_own_price_is_spread_over_the_rack_that_the_user_states(own, tmp_path):
    added(tmp_path, "racks", ROWS["racks"]())
    added(
        tmp_path,
        "costs",
        {"accelerator": CHIP, "category": "capex rack", "value": "800000", "low": "7e5", "high": "9e5"},
    )
    price = hardware_price(CHIP)
    assert (price.usd, price.low, price.high, price.gpus, price.source_id) == (800_000, 7e5, 9e5, 16, OWN_SOURCE)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"value": "2.5"}, r"value: 2.5 is out of range, allowed at least 100 at most 1e\+09 USD per server or rack"),
        ({"value": "3e5", "basis": "on-demand"}, r"basis 'on-demand' is not one of category 'capex server'"),
        ({"value": "3e5", "unit": "$/GPU-hr"}, r"unit '\$/GPU-hr' is not one of category 'capex server'"),
        ({"value": "3e5", "low": "4e5", "high": "3e5"}, r"low 4e5 is above high 3e5"),
    ],
)
def test_a_price_of_hardware_that_cannot_be_one_is_refused_in_one_line(own, tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        added(tmp_path, "costs", {"accelerator": CHIP, "category": "capex server"} | row)
    assert not own.exists()
