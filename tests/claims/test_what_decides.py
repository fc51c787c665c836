"""What a verdict rests on is told apart by what was measured, with its interval and the allowances that it needs."""

import re

import pytest

from rackecon.claims import assess, assess_all, claim
from rackecon.claims.deciding import STATE_OF, deciding
from rackecon.pages.claims_page import card
from rackecon.pages.claims_text import deciding_text

pytestmark = pytest.mark.slow  # one pass over every claim takes some seconds
RUN = re.compile(r"\bIX_|\b[a-z]+-inferencex-feed\b")


def test_a_verdict_of_numbers_has_numbers_that_decide_it():
    for result in assess_all():
        found = deciding(result)
        assert bool(found) == (result.verdict in STATE_OF), result.claim.id
        assert bool(deciding_text(result)) == bool(found)
        assert all(one.least <= one.most and 0 <= one.allowed <= one.points for one in found)


def test_one_machine_measured_and_one_modelled_is_said_to_be_so():
    told = deciding_text(assess(claim("gb200-15x-gpu")))
    assert told.startswith("One machine measured, the other modelled: ")
    assert "90 % interval" in told
    assert "at 50 tok/s/user." in told


def test_a_number_that_falls_short_of_the_printed_one_is_said_to_pass_by_the_allowance():
    result = assess(claim("gb200-10k-dsr1"))
    (one,) = deciding(result)
    assert one.most < result.claim.value
    assert "by the rule's allowance alone" in deciding_text(result)


def test_cards_count_runs_and_name_none_by_its_id():
    for result in assess_all():
        assert not RUN.search(re.sub(r"<[^>]+>", " ", card(result).markup)), result.claim.id


def test_the_table_of_a_card_is_named_by_its_claim():
    markup = card(assess(claim("b200-2cents"))).markup
    assert f"<caption>{claim('b200-2cents').title}: total tok/s/GPU" in markup
