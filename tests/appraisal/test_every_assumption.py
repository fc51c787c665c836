"""Every assumption changes what its row of data/assumptions.csv says it changes, on every cost basis, or is refused there."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from test_evaluate import CARD, frontier

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.evaluate import evaluate
from rackecon.catalog.assumption_table import allowed_values
from rackecon.errors import InputError

BASES = {
    "ownership": {"cost_basis": "ownership"},
    "rental": {"cost_basis": "rental", "cost_tier": "3-year"},
    "build_up": {"cost_basis": "build_up"},
}
FIELDS = {field.name for field in fields(Assumptions)}
TOLD = [rule for rule in allowed_values().values() if rule.changes and rule.name in FIELDS]
OTHER = {"as_of_date": "2026-03-01", "cost_tier": "neocloud", "cost_vintage": "2025-08", "own_costs": "gb200-nvl72=9"}
"""Other values of what is not drawn from a list or a range."""
OTHER_BASIS = {"ownership": "rental", "rental": "build_up", "build_up": "ownership"}
FAST = replace(catalog.scenario("chat"), tpot_limit_ms=7.0)
"""A workload fast enough to sell at a premium."""
OWN_CARD = {"price_level", "as_of_date"}
"""Assumptions that choose a price card: tried without one given."""


class Unmoved(AssertionError):
    """The assumption was refused, or what it says it changes stayed as it was."""


def raise_if_unmoved(where, settings, given, column, before) -> None:
    try:
        after = evaluate(*where, **settings, **given)[column].to_numpy(dtype=float)
    except InputError as refused:
        raise Unmoved(str(refused)) from refused
    if np.array_equal(before, after, equal_nan=True):
        raise Unmoved(f"{column} stays {before} with {given}")


def another(rule):
    """An allowed value other than the base case's."""
    if rule.name in OTHER:
        return OTHER[rule.name]
    now = getattr(assumptions(), rule.name)
    if rule.kind == "flag":
        return not now
    if rule.choices:
        return next(choice for choice in rule.choices if choice and choice != now)
    now = 0.0 if now is None else float(now)
    near = now * 1.25 if now else 0.05
    return min(max(near, rule.low), rule.high)


def test_every_assumption_of_the_money_step_says_what_it_changes() -> None:
    assert FIELDS - {rule.name for rule in TOLD} == set()


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("rule", TOLD, ids=lambda rule: rule.name)
def test_it_changes_what_it_says_or_is_refused(rule, basis) -> None:
    base = BASES[basis]
    cards = {} if rule.name in OWN_CARD else {"price_cards": CARD}
    settings = {"search": frontier, "intervals": False, **cards}
    where = (["gb200-nvl72"], ["deepseek-r1"], [FAST if rule.name == "speed_premium" else "chat"])
    before = evaluate(*where, **settings, **base)[rule.changes].to_numpy(dtype=float)
    given = base | (BASES[OTHER_BASIS[basis]] if rule.name == "cost_basis" else {rule.name: another(rule)})
    if basis in rule.no_effect_on:
        with pytest.raises(Unmoved):
            raise_if_unmoved(where, settings, given, rule.changes, before)
    else:
        raise_if_unmoved(where, settings, given, rule.changes, before)
