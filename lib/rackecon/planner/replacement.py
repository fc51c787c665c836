"""When to keep, let, sell or replace what stands in a slot: a dynamic program over years.

A *slot* is room for a machine: a position, a megawatt. At the start of each year the owner keeps what stands there and
works it, keeps it and lets it out, sells it and leaves the slot empty, or sells it and puts in something newer. With
:math:`V_t(s)` the worth of a slot in state ``s`` (empty, or a machine ``k`` of age ``a``) at the start of year ``t``,

.. math::

    V_t(k, a) = \\max\\{\\, W_t(k, a),\\; S_t(k, a) + V_t(\\varnothing) \\,\\}, \\quad
    W_t(k, a) = \\max(e_{kta}, l_{kta}) + v\\, V_{t+1}(k, a+1), \\quad
    V_t(\\varnothing) = \\max\\{\\, v\\, V_{t+1}(\\varnothing),\\; \\max_k\\, W_t(k, 0) - p_{kt} \\,\\}

with earnings ``e``, rent ``l``, price ``p``, resale ``S`` and yearly discount factor ``v``; at the end everything is sold.
Bellman (1955), "Equipment replacement policy", J. SIAM 3(3): the same recursion for one kind of machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rackecon.arrays import FloatArray, IntArray
from rackecon.errors import InputError, unknown_name


@dataclass(frozen=True)
class Machine:
    """What can stand in a slot, by year ``t`` and age ``a`` at its start [USD, worth at the start of the year].

    Parameters
    ----------
    earns : ndarray
        ``(years, ages)``: sales less running cost of a year's work.
    price : ndarray
        ``(years,)``: of a new one; infinite where it is not on sale.
    resale : ndarray
        ``(years + 1, ages + 1)``.
    rent : ndarray, optional
        ``(years, ages)``: rent less running cost of a year let out; nobody rents it by default.
    """

    name: str
    earns: FloatArray
    price: FloatArray
    resale: FloatArray
    rent: FloatArray = field(default_factory=lambda: np.array([[-np.inf]]))

    def __post_init__(self) -> None:
        years, ages = self.earns.shape
        if self.price.shape != (years,) or self.resale.shape != (years + 1, ages + 1):
            raise InputError(f"{self.name}: price needs {years} years, resale {years + 1} years by {ages + 1} ages")

    @property
    def works(self) -> FloatArray:
        """The better of serving and letting, by year and age."""
        return np.asarray(np.maximum(self.earns, self.rent))


@dataclass(frozen=True)
class Step:
    """One year of a slot: what is done, with which machine of which age at the start, and its cash [USD].

    The last step, a year after the last one worked, is what is sold at the end.
    """

    year: int
    action: str
    machine: str
    age: int
    sold: str
    """Machine sold at the start of the year; empty where none is."""
    cash_usd: float


@dataclass(frozen=True)
class Schedule:
    """The best plan of a slot, and what slots and machines are worth on the way.

    ``empty_usd[t]`` is the worth of an empty slot at the start of year ``t``; ``keep_usd[t]`` by how much keeping what stood
    there at the beginning one more year beats the best without it, where it has been kept until then.
    """

    steps: tuple[Step, ...]
    value_usd: float
    empty_usd: FloatArray
    keep_usd: FloatArray
    discount: float

    @property
    def slot_usd_per_year(self) -> FloatArray:
        """What an empty slot earns in each year: the price of its room [USD/year]."""
        return np.asarray(self.empty_usd[:-1] - self.discount * self.empty_usd[1:])

    @property
    def leaves_after_years(self) -> int:
        """Years after which the slot's first machine is sold: at the end at the latest."""
        return next((step.year for step in self.steps if step.sold), len(self.steps) - 1)


def replacement(
    machines: Sequence[Machine], *, start: tuple[str, int] | None = None, rate_per_year: float = 0.0, idle: bool = True
) -> Schedule:
    """The best years of keeping, letting, selling and buying for a slot.

    Parameters
    ----------
    machines : sequence of Machine
        Of one shape of years and ages; one that reaches its last age has to go.
    start : tuple of str and int, optional
        Machine and age that stand there; an empty slot by default.
    rate_per_year : float
        Discount rate [1/year].
    idle : bool
        Whether the slot may stand empty for a year.

    Raises
    ------
    InputError
        No machine, unlike shapes, an unknown start.

    Examples
    --------
    A machine that earns 10, 8, 6, ... and costs 15, in a slot of six years without discount: two of three years each.

    >>> fall = np.maximum(10.0 - 2.0 * np.arange(6.0), 0.0)
    >>> one = Machine("m", np.tile(fall, (6, 1)), np.full(6, 15.0), np.zeros((7, 7)))
    >>> best = replacement([one])
    >>> best.value_usd, [step.age for step in best.steps]
    (18.0, [0, 1, 2, 0, 1, 2, 0])
    """
    if not machines:
        raise InputError("a slot needs at least one machine")
    years, ages = machines[0].earns.shape
    if any(machine.earns.shape != (years, ages) for machine in machines):
        raise InputError("machines need the same years and ages")
    names = [machine.name for machine in machines]
    if start is not None and start[0] not in names:
        raise unknown_name("machine", start[0], names)
    if start is not None and not 0 <= start[1] <= ages:
        raise InputError(f"age {start[1]} is out of range: needs 0 to {ages} years")
    discount = 1.0 / (1.0 + rate_per_year)
    held, empty, keep, bought = _backward(machines, discount, idle)
    steps = _forward(machines, start, keep, empty, bought)
    first = None if start is None else names.index(start[0])
    value = empty[0] if first is None or start is None else held[0, first, start[1]]
    gain = np.full(years, np.nan)
    if first is not None and start is not None:
        for t in range(min(years, ages - start[1])):
            alone = machines[first].resale[t, start[1] + t] + empty[t]
            gain[t] = keep[t, first, start[1] + t] - alone
    return Schedule(steps, float(value), empty, gain, discount)


def _backward(
    machines: Sequence[Machine], discount: float, idle: bool
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Worth of states, of an empty slot and of keeping, and the machine bought into an empty slot (-1: none)."""
    (years, ages), count = machines[0].earns.shape, len(machines)
    held = np.zeros((years + 1, count, ages + 1))
    empty = np.zeros(years + 1)
    keep = np.full((years, count, ages + 1), -np.inf)
    bought = np.full(years, -1, dtype=np.intp)
    held[years] = [machine.resale[years] for machine in machines]
    for t in range(years - 1, -1, -1):
        for k, machine in enumerate(machines):
            keep[t, k, :ages] = machine.works[t] + discount * held[t + 1, k, 1:]
        new = np.array([keep[t, k, 0] - machine.price[t] for k, machine in enumerate(machines)])
        wait = discount * empty[t + 1] if idle else -np.inf
        bought[t] = int(np.argmax(new)) if new.max() > wait else -1
        empty[t] = max(wait, float(new.max()))
        for k, machine in enumerate(machines):
            held[t, k] = np.maximum(keep[t, k], machine.resale[t] + empty[t])
    return held, empty, keep, bought


def _forward(
    machines: Sequence[Machine], start: tuple[str, int] | None, keep: FloatArray, empty: FloatArray, bought: IntArray
) -> tuple[Step, ...]:
    """The years of the best plan and the sale at its end; of equals what stands there stays."""
    years = len(bought)
    at = None if start is None else [machine.name for machine in machines].index(start[0])
    age = 0 if start is None else start[1]
    steps = []
    for t in range(years + 1):
        cash, sold = 0.0, ""
        resale = 0.0 if at is None else float(machines[at].resale[t, age])
        if at is not None and (t == years or keep[t, at, age] < resale + empty[t]):
            cash, sold, at = resale, machines[at].name, None
        if at is None and t < years and bought[t] >= 0:
            at, age = int(bought[t]), 0
            cash -= float(machines[at].price[t])
        if at is None:
            steps.append(Step(t, "empty", "", 0, sold, cash))
            continue
        let = bool(machines[at].works[t, age] > machines[at].earns[t, age])
        cash += float(machines[at].works[t, age])
        steps.append(Step(t, "let" if let else "serve", machines[at].name, age, sold, cash))
        age += 1
    return tuple(steps)
