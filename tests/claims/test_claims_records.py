"""The claim table: what it must hold, and what it refuses."""

import shutil

import pytest

from rackecon import catalog
from rackecon.claims import claim, claims, published, quotes, source, statements
from rackecon.errors import InputError

NEEDED = {
    "gb200-75m", "gb200-75m-gptoss", "gb200-30m", "moe-10x-mw", "blackwell-15x-cost", "gb300-50x-mw",
    "gb300-35x-cost", "b200-5x-software", "b200-2cents", "b200-10k-llama", "gb200-10k-dsr1", "b200-60k",
    "b200-1000-user", "gb200-1500k-rack", "deepseek-545", "vr-10x-mw", "mi355x-40pct", "tpu-v7-4x",
    "dynamo-disaggregated", "profit-chat-to-agents", "limits-bind", "rubin-67x-dollar", "rubin-150bn-gw",
    "jalapeno-1.9x-watt", "tpu-v7-50pct-dollar", "vllm-106x-opus",
}  # fmt: skip


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """A copy of data/ whose claim table a test may change: old text, new text."""
    shutil.copytree(catalog.data_dir(), tmp_path / "data")

    def change(old, new):
        path = tmp_path / "data" / "claims.csv"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        monkeypatch.setenv("RACKECON_DATA", str(tmp_path / "data"))

    return change


def test_the_claims_that_circulate_are_there():
    assert set(claims()) >= NEEDED


@pytest.mark.parametrize("key", sorted(NEEDED))
def test_each_claim_says_what_is_stated_and_cites_title_publisher_and_date(key):
    one = claim(key)
    assert one.statement
    assert one.stated
    assert one.token_counting
    for item in (*one.primary, *one.repeats):
        found = source(item)
        assert found.title
        assert found.publisher
        assert found.date.startswith("20")


def test_open_conditions_are_told_from_stated_ones():
    one = claim("gb200-75m")
    assert one.open_conditions == ("speculative", "engine", "utilisation", "token_price")
    assert one.conditions["workload"].stated
    assert one.only("workload") == "8192/1024"
    assert one.conditions["token_price"].options == ("cheapest", "paid", "list", "dearest")


def test_misattribution_follows_from_the_two_subjects():
    assert {key for key, one in claims().items() if one.misattributed} == {
        "gb200-75m-gptoss",
        "gb300-35x-gptoss",
        "gb200-2cents",
    }


def test_an_identity_and_what_was_never_published_say_what():
    assert {key for key, one in claims().items() if one.identity} == {
        "deepseek-545",
        "rubin-150bn-gw",
        "vllm-106x-opus",
    }
    assert "launch software" in claim("b200-5x-software").unpublished


def test_the_article_is_quoted_statement_by_statement():
    found = statements()
    assert {one.source_id for one in found if one.exact} == {"tca-best-revenue-per-rack", "tca-utilisation"}
    tried = {key for one in found for key in one.claim_ids}
    assert tried >= {"gb200-75m", "moe-10x-mw", "gb300-50x-mw", "gb300-35x-cost", "b200-5x-software", "b200-2cents"}
    restated = [one for one in found if not one.exact]
    assert [one.claim_ids for one in restated] == [("profit-chat-to-agents",)]
    assert "not to be had" in restated[0].note
    assert tried >= {"gb300-most-per-mw", "dynamo-disaggregated", "limits-bind", "profit-chat-to-agents"}


def test_a_statement_names_known_claims(edited, tmp_path):
    edited("gb200-75m,", "gb200-75m,")
    path = tmp_path / "data" / "claim_statements.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("moe-10x-mw", "moe-10x"), encoding="utf-8")
    with pytest.raises(InputError, match="nearest is 'moe-10x-mw'"):
        statements()


def test_every_claim_has_an_honest_version():
    assert all(one.honest for one in claims().values())


def test_numbers_that_others_measured_belong_to_a_claim_and_a_condition_of_it():
    for key in ("rubin-67x-dollar", "jalapeno-1.9x-watt", "tpu-v7-50pct-dollar"):
        found = published(key)
        assert {one.compared_with for one in found} == set(claim(key).conditions["compared_with"].options)
        assert all(one.low <= one.value <= one.high for one in found)
        assert all(source(one.source_id).publisher for one in found)
    assert published("gb200-75m") == []


def test_second_hand_rates_say_so():
    found = quotes("gb300-50x-mw")
    assert {q.kind for q in found} == {"second-hand", "interpolated"}
    assert all(source(q.source_id).publisher for q in found)


def test_an_unknown_claim_names_the_nearest():
    with pytest.raises(InputError, match="nearest is 'gb300-50x-mw'"):
        claim("gb300-50x")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rack_revenue_usd,75000000.0", "rack_revenue,75000000.0", "unknown metric 'rack_revenue': nearest"),
        ("rack_revenue_usd,75000000.0", "rack_revenue_usd,-1", "needs a positive number"),
        ("rack_revenue_usd,75000000.0", "rack_revenue_usd,many", "is not a number"),
        ("?cheapest|paid|list|dearest", "cheapest|paid|list|dearest", "several values need a leading"),
    ],
)
def test_a_broken_record_is_refused_in_one_line(edited, old, new, message):
    edited(old, new)
    with pytest.raises(InputError, match=message) as caught:
        claims()
    assert "\n" not in str(caught.value)


def test_a_source_is_the_row_of_its_id():
    rows = catalog.read_rows("sources")
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        found = source(row["source_id"])
        assert (found.title, found.address, found.date) == (row["title"], row["address"], row["date"])
    with pytest.raises(InputError, match="unknown source 'nowhere'"):
        source("nowhere")
