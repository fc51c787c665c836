"""Replacement against a worked textbook table, closed forms without a successor, enumeration and the price of the slot."""

import itertools

import numpy as np
import pytest

from rackecon.economics.returns import retire_age_years
from rackecon.errors import InputError
from rackecon.planner.replacement import Machine, replacement

NEVER = np.inf


def machine(name, earns, price, resale=0.0, years=12, **more):
    """Earnings by age whatever the year, at one price, resale by age."""
    ages = len(earns)
    sale = np.broadcast_to(np.asarray(resale, dtype=float), (ages + 1,))
    return Machine(
        name,
        np.tile(np.asarray(earns, dtype=float), (years, 1)),
        np.full(years, price),
        np.tile(sale, (years + 1, 1)),
        **more,
    )


def test_worked_table():
    """Taha, Operations Research: An Introduction, equipment replacement: a machine of 3 years, 4 years to go, $100,000 a new one.

    Revenue, operating cost and salvage by age; a machine of 6 years must be replaced. Optimum: $55,300 in two ways.
    """
    revenue = np.array([20.0, 19.0, 18.5, 17.2, 15.5, 14.0])
    cost = np.array([0.2, 0.6, 1.2, 1.5, 1.7, 1.8])
    salvage = np.array([100.0, 80.0, 60.0, 50.0, 30.0, 10.0, 5.0])
    table = machine("m", 1e3 * (revenue - cost), 100e3, 1e3 * salvage, years=4)
    best = replacement([table], start=("m", 3), idle=False)
    assert best.value_usd == pytest.approx(55_300.0, abs=1e-6)
    bought = [step.year for step in best.steps if step.sold and step.year < 4]
    assert bought in ([0, 3], [0, 1])  # R K K R, or R R K K
    assert sum(step.cash_usd for step in best.steps) == pytest.approx(55_300.0, abs=1e-6)
    # sold a year early and not replaced, the last one brings $80,000 instead of $79,800
    assert replacement([table], start=("m", 3)).value_usd == pytest.approx(55_500.0, abs=1e-6)


@pytest.mark.parametrize(("fall", "running"), [(0.3, 0.1), (0.21, 0.3), (0.1, 0.62)])
def test_without_successor_and_resale_it_goes_when_sales_no_longer_cover_running(fall, running):
    years = 12
    sales = (1.0 - fall) ** np.arange(years)
    alone = Machine(
        "m", np.tile((sales - running)[:, None], (1, years)), np.full(years, NEVER), np.zeros((years + 1, years + 1))
    )
    best = replacement([alone], start=("m", 0), rate_per_year=0.1)
    # the closed form is continuous; the last year begun is the last whose start it covers
    expected = int(np.floor(retire_age_years(1.0, running, fall))) + 1
    assert best.leaves_after_years == expected


def test_with_resale_it_goes_when_the_year_earns_less_than_waiting_to_sell_costs():
    rate, ages = 0.1, 10
    earns, sale = 10.0 * 0.6 ** np.arange(ages), 20.0 * 0.8 ** np.arange(ages + 1)
    best = replacement([machine("m", earns, NEVER, sale, years=ages)], start=("m", 0), rate_per_year=rate)
    gain = earns + sale[1:] / (1 + rate) - sale[:-1]
    assert best.leaves_after_years == int(np.argmax(gain < 0)) == 3
    assert best.keep_usd[0] > 0


def test_a_chain_of_like_machines_has_the_life_of_the_least_annual_cost():
    """The economic life: the age that makes the equal yearly worth of price, running costs and resale largest."""
    rate, ages, years = 0.12, 8, 240
    cost, sale = 1_000.0 * 1.3 ** np.arange(ages), 18_000.0 * 0.7 ** np.arange(ages + 1)
    v = 1.0 / (1.0 + rate)
    worth = np.array([
        (-18_000.0 - (cost[:n] * v ** np.arange(n)).sum() + sale[n] * v**n) * (1 - v) / (1 - v**n)
        for n in range(1, ages + 1)
    ])  # fmt: skip
    life = 1 + int(np.argmax(worth))
    assert 1 < life < ages
    income = 20_000.0
    best = replacement([machine("m", income - cost, 18_000.0, sale, years=years)], rate_per_year=rate)
    sold = [step.year for step in best.steps if step.sold]
    assert sold[:5] == [life * n for n in range(1, 6)]
    assert best.slot_usd_per_year[0] == pytest.approx(income + worth.max(), rel=1e-6)


def _enumerated(machines, start, years, v):
    """Every way through a slot of few years: keep, or put in any machine, or leave empty."""
    best = -np.inf
    names = [one.name for one in machines]
    for choice in itertools.product(["keep", "empty", *names], repeat=years):
        at, age, worth, ok = start, start[1] if start else 0, 0.0, True
        at = None if start is None else names.index(start[0])
        for t, what in enumerate(choice):
            if what == "keep":
                pass
            else:
                if at is not None:
                    worth += v**t * machines[at].resale[t, age]
                at, age = (None, 0) if what == "empty" else (names.index(what), 0)
                if at is not None:
                    worth -= v**t * machines[at].price[t]
            if at is not None:
                if age >= machines[at].earns.shape[1]:
                    ok = False
                    break
                worth += v**t * machines[at].works[t, age]
                age += 1
        if ok:
            end = 0.0 if at is None else machines[at].resale[years, age]
            best = max(best, worth + v**years * end)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_equals_enumeration(seed):
    draw = np.random.default_rng(seed)
    years, ages = 4, 5
    pair = [
        Machine(
            name,
            draw.uniform(-1.0, 4.0, (years, ages)),
            np.where(draw.uniform(size=years) < 0.7, draw.uniform(2.0, 6.0, years), NEVER),
            draw.uniform(0.0, 3.0, (years + 1, ages + 1)),
            draw.uniform(-2.0, 3.0, (years, ages)),
        )
        for name in ("old", "new")
    ]
    for start in (("old", 1), None):
        best = replacement(pair, start=start, rate_per_year=0.08)
        assert best.value_usd == pytest.approx(_enumerated(pair, start, years, 1 / 1.08), abs=1e-9)
        cash = sum(step.cash_usd / 1.08**step.year for step in best.steps)
        assert cash == pytest.approx(best.value_usd, abs=1e-9)


def test_the_price_of_the_slot_tells_when_to_leave_it():
    """Charged what its room earns otherwise, a machine without resale goes in the year a chain of successors would take it."""
    years = ages = 10
    old = machine("old", 8.0 * 0.7 ** np.arange(ages), NEVER, years=years)
    new = machine("new", 12.0 * 0.85 ** np.arange(ages), 20.0, years=years)
    chain = replacement([old, new], start=("old", 0), rate_per_year=0.1)
    room = replacement([new], rate_per_year=0.1).slot_usd_per_year
    charged = Machine("old", old.earns - room[:, None], old.price, old.resale)
    alone = replacement([charged], start=("old", 0), rate_per_year=0.1)
    assert 0 < alone.leaves_after_years == chain.leaves_after_years < years
    assert chain.value_usd == pytest.approx(
        alone.value_usd + replacement([new], rate_per_year=0.1).value_usd, rel=1e-12
    )


def test_better_successors_come_sooner_and_a_slot_that_nothing_fills_stays_empty():
    years = ages = 8
    old = machine("old", np.linspace(6.0, 1.0, ages), NEVER, years=years)
    gone = [
        replacement([old, machine("new", np.full(ages, earns), 10.0, years=years)], start=("old", 0)).leaves_after_years
        for earns in (3.0, 5.0, 8.0)
    ]
    assert gone == sorted(gone, reverse=True)
    assert gone[-1] < gone[0]
    none = replacement([machine("dear", np.ones(ages), 100.0, years=years)])
    assert none.value_usd == 0.0
    assert {step.action for step in none.steps} == {"empty"}


def test_it_is_let_where_rent_pays_more():
    let = machine("m", [3.0, 2.0, 1.0], 4.0, years=3, rent=np.tile([[1.0, 2.5, 2.0]], (3, 1)))
    best = replacement([let])
    assert [step.action for step in best.steps] == ["serve", "let", "let", "empty"]
    assert best.value_usd == pytest.approx(3.0 + 2.5 + 2.0 - 4.0)


def test_faults():
    one = machine("m", [1.0, 1.0], 1.0, years=2)
    with pytest.raises(InputError, match="at least one"):
        replacement([])
    with pytest.raises(InputError, match="unknown machine 'n'"):
        replacement([one], start=("n", 0))
    with pytest.raises(InputError, match="age 3 is out of range"):
        replacement([one], start=("m", 3))
    with pytest.raises(InputError, match="same years and ages"):
        replacement([one, machine("n", [1.0], 1.0, years=2)])
    with pytest.raises(InputError, match="price needs 2 years"):
        Machine("m", np.ones((2, 2)), np.ones(3), np.ones((3, 3)))
