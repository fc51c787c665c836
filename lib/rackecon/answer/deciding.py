"""Which assumptions decide the answer, of the workload and of money: each over its range, and beyond it where nothing flips."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Final, TypeVar

import numpy as np

from rackecon import catalog
from rackecon.answer.lead_map import Flip, flips_of, lasting, reigns, speed_lines
from rackecon.answer.live_case import money_fronts
from rackecon.appraisal.evaluate import cell_profits, evaluate, profits
from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.arrays import BoolArray, FloatArray
from rackecon.catalog import Scenario
from rackecon.catalog.assumption_table import allowed_values
from rackecon.catalog.cached import one_state
from rackecon.catalog.kept import kept
from rackecon.economics.measures import MEASURES
from rackecon.evidence.novelty import platform_named
from rackecon.lazy import pd
from rackecon.serving.query import context_fault, software_date, software_years
from rackecon.walks import software, walk
from rackecon.words import join_words, money, number, percent

NOBODY: Final = "nobody earns"
SCAN: Final = 11
"""Values tried over a range."""
BEYOND: Final = 3
"""Values tried on either side of it, up to the end of what makes sense."""
FINE: Final = 2e-4
"""Width, as a share of its value, at which a change of lead is placed: it is told with up to four digits."""
HALVINGS: Final = 14
MOST_HALVINGS: Final = 4 * HALVINGS
"""Of a step that holds several changes."""
MOST_STRETCHES: Final = 3
"""Stretches of one platform that a sentence names."""
MODELS: Final = "02_moe_experts"
"""Page whose models stand side by side."""
SPEED: Final = "tok_s_per_user"
DATED: Final = "software_years"
T = TypeVar("T")
Walk = Generator[Sequence[float], Sequence[FloatArray], T]
"""Asks for values of an assumption, is given the profit of every platform at each, and ends with what it found."""


@dataclass(frozen=True)
class Deciding:
    """One assumption: its range, what the leader's profit and lead do over it, and where the lead changes."""

    name: str
    label: str
    value: float
    low: float
    high: float
    unit: str
    flips: tuple[Flip, ...]
    """Value, who leads below it, who above it, inside the range."""
    beyond: tuple[Flip, ...] = ()
    """The same outside the range, looked for only where nothing flips inside."""
    profit: tuple[float, float] = (math.nan, math.nan)
    """Least and most that the platform earns which leads at the report's value."""
    lead: tuple[float, float] = (math.nan, math.nan)
    """Least and most that it is ahead of the best other; below zero where it is passed."""
    page: str = ""
    workload: bool = False
    """Whether it belongs to the workload; to money otherwise."""
    source: str = ""
    """Where the range comes from."""
    show: Callable[[float], str] | None = None
    choices: tuple[tuple[str, str], ...] = ()
    """Where values are names: each with who leads there, the report's own first."""

    @property
    def swing_usd(self) -> float:
        """By how much that profit moves over the range; 0 where it is nowhere known."""
        return self.profit[1] - self.profit[0] if self.profit[0] == self.profit[0] else 0.0

    def told(self, value: float) -> str:
        """A value with its unit.

        Examples
        --------
        >>> Deciding("f", "share sold", 0.6, 0.4, 0.8, "of capacity", ()).told(0.6)
        '0.6 of capacity'
        """
        return self.show(value) if self.show else f"{number(value)} {self.unit}".strip()

    def stated(self) -> str:
        """The report's value."""
        return self.choices[0][0] if self.choices else self.told(self.value)

    def ends(self) -> str:
        """The range in words."""
        if self.choices:
            return join_words([name for name, _ in self.choices[1:]])
        return _between(self.told(self.low), self.told(self.high), "to")

    @property
    def flips_inside(self) -> bool:
        """Whether another platform, or nobody, leads somewhere in the range."""
        return bool(self.flips) or len({who for _, who in self.choices}) > 1

    def sentence(self) -> str:
        """Where the lead changes, in words."""
        if self.choices:
            told = "; ".join(f"{join_words(names)}: {platform_named(who)}" for who, names in self._choosers())
            return f"{told}." if told else "No choice here changes who leads."
        if self.flips:
            where = self._where(self.flips)
            return f"{where[0].upper()}{where[1:]}."
        if self.beyond:
            return f"No value in this range changes who leads; outside it, {self._where(self.beyond)}."
        return "No value in this range changes who leads."

    @property
    def here(self) -> str:
        """The report's value without its unit; nothing where values are names."""
        return "" if self.choices else self.stated().removesuffix(self._unit).rstrip()

    def first_turn(self) -> tuple[str, str, bool]:
        """Where the lead changes for the first time, in words, who leads there, and whether others follow further on."""
        if self.choices:
            (who, names), *more = self._choosers()
            of = f"{len(names)} of {len(self.choices) - 1} other {self.label}s" if len(names) > 2 else join_words(names)
            return f"on {of}", platform_named(who), bool(more)
        (who, where), *rest = self._others(self.flips)
        sides = self._sides(self.flips)
        if rest or sum((len(side) + 1) // 2 for side in sides) > 2:
            where = f"{'' if rest else 'in places '}{sides[0][0][0]}"
        return where, platform_named(who), bool(rest)

    def brief(self) -> str:
        """Where another leads, as short as a cell asks: one other with its stretches, of several the first place on either side."""
        if self.choices:
            return self.sentence().removesuffix(".") if self.flips_inside else ""
        flips = self.flips or self.beyond
        if not flips:
            return ""
        others = self._others(flips)
        if len(others) == 1:
            return f"{self._bare(others[0][1])}: {platform_named(others[0][0])}"
        sides = ((side[0][0], _in_order([who for _, who in side])) for side in self._sides(flips))
        return "; ".join(f"{self._bare(where)}: {leads}" for where, leads in sides)

    def _bare(self, where: str) -> str:
        """A place without its unit, which the range beside it gives; a share keeps its sign."""
        return where.removesuffix(self._unit).rstrip() + (" %" if self._unit.startswith("%") else "")

    def _choosers(self) -> list[tuple[str, list[str]]]:
        """Who else leads, and at which names."""
        others: dict[str, list[str]] = {}
        for name, who in self.choices[1:]:
            if who != self.choices[0][1]:
                others.setdefault(who, []).append(name)
        return list(others.items())

    def _sides(self, flips: Sequence[Flip]) -> list[list[tuple[str, str]]]:
        """Where leads begin and whose they are, going up and down from the report's value; the side with the nearer first."""
        flips = lasting(flips) or flips
        below, above = self._ways
        up = [(f"{above} {self.told(at)}", at, after) for at, _, after in flips if at > self.value]
        down = [(f"{below} {self.told(at)}", at, before) for at, before, _ in reversed(flips) if at <= self.value]
        sides = sorted((side for side in (up, down) if side), key=lambda side: abs(side[0][1] - self.value))
        return [[(where, platform_named(who)) for where, _, who in side] for side in sides]

    def _where(self, flips: Sequence[Flip]) -> str:
        """Who else leads, and where: the nearest to the report's value first."""
        (first, begun), *rest = self._others(flips)
        later = [f"{where.removesuffix(self._unit).rstrip()}: {platform_named(who)}" for who, where in rest]
        return "; ".join([f"{begun}: {platform_named(first)}", *later])

    @property
    def _ways(self) -> tuple[str, str]:
        """What stands before a value that a stretch reaches up to, and one that it begins at: dates have words of their own."""
        return ("until", "from") if self.name == DATED else ("below", "above")

    @property
    def _unit(self) -> str:
        """What follows the number in words."""
        return self.told(self.high).partition(" ")[2]

    def _others(self, flips: Sequence[Flip]) -> list[tuple[str, str]]:
        """Who else leads, and the stretches where they do, in words."""
        flips = lasting(flips) or flips
        ends = [-math.inf, *(at for at, _, _ in flips), math.inf]
        leaders = [flips[0][1], *(after for _, _, after in flips)]
        own = leaders[sum(at <= self.value for at, _, _ in flips)]
        found: dict[str, list[tuple[float, float]]] = {}
        stretches = [(pair, who) for pair, who in zip(itertools.pairwise(ends), leaders, strict=True) if who != own]
        for pair, who in sorted(stretches, key=lambda one: min(abs(end - self.value) for end in one[0])):
            found.setdefault(who, []).append(pair)
        return [(who, self._stretches(pairs)) for who, pairs in found.items()]

    def _stretches(self, pairs: Sequence[tuple[float, float]]) -> str:
        """Stretches of values in words, the unit said once; of many the first that is given, and how many there are.

        Examples
        --------
        >>> Deciding("s", "speed", 30, 10, 150, "tok/s", ())._stretches([(94, 100), (146, math.inf)])
        'between 94 and 100 and above 146 tok/s'
        >>> Deciding("s", "speed", 30, 10, 150, "tok/s", ())._stretches([(94, 100), (10, 12), (110, 117), (130, 136)])
        'in 4 stretches, the nearest between 94 and 100 tok/s'
        """
        if len(pairs) > MOST_STRETCHES:
            return f"in {len(pairs)} stretches, the nearest {self._stretches(pairs[:1])}"
        each, pairs, (below, above) = [], sorted(pairs), self._ways
        for low, high in pairs:
            if low == -math.inf or high == math.inf:
                each.append(f"{below} {self.told(high)}" if low == -math.inf else f"{above} {self.told(low)}")
            else:
                ends = self.told(low), self.told(high)
                each.append(f"near {ends[0]}" if ends[0] == ends[1] else f"between {_between(*ends)}")
        return join_words([*(one.removesuffix(self._unit).rstrip() for one in each[:-1]), each[-1]])


def _in_order(leaders: Sequence[str]) -> str:
    """Who leads one after another; those that come back are named once, with all that lead between.

    Examples
    --------
    >>> _in_order(["B200", "H100", "B200", "H100", "nobody earns"])
    'B200 and H100 by turns, then nobody earns'
    """
    groups: list[list[str]] = []
    for who in leaders:
        back = next((i for i, group in enumerate(groups) if who in group), len(groups))
        groups[back:] = [list(dict.fromkeys([*itertools.chain(*groups[back:]), who]))]
    return ", then ".join(join_words(group) + (" by turns" if len(group) > 1 else "") for group in groups)


def _between(low: str, high: str, word: str = "and") -> str:
    """Two values with one unit, which is said once.

    Examples
    --------
    >>> _between("2 s", "10 s"), _between("$1 per hour", "$2 per hour", "to"), _between("1", "2")
    ('2 and 10 s', '$1 to $2 per hour', '1 and 2')
    """
    unit = low.partition(" ")[2]
    return f"{low.removesuffix(unit).strip()} {word} {high}" if unit and high.endswith(unit) else f"{low} {word} {high}"


@dataclass(frozen=True)
class Assumption:
    """Words for one assumption."""

    label: str
    unit: str
    source: str
    """Where its range comes from."""
    page: str = ""
    """Page that explains it, where data/assumptions.csv does not name one."""
    workload: bool = False
    beyond: bool = True
    """Whether the rest of its allowed range is looked at where nothing flips inside; a search each is dear."""


OURS: Final = "lowest to highest of the report's workloads"
ASSUMPTIONS: Final = {
    "isl_tokens": Assumption("context length", "input tokens", OURS, workload=True, beyond=False),
    "input_per_output": Assumption(
        "prefill to decode", "input tokens per output token", OURS, "04_prefill_decode_ratio", True, False
    ),
    "prefix_cache_hit": Assumption("cache share", "of input", OURS, workload=True, beyond=False),
    "tok_s_per_user": Assumption(
        "speed each user gets", "tok/s/user", "free tier to fast tier", "05_latency_targets", True, False
    ),
    "ttft_limit_ms": Assumption("first-token limit", "ms", OURS, workload=True, beyond=False),
    "price_factor": Assumption(
        "price of tokens", "times the price it sells at", "cheapest to dearest listing at the as-of date", "14_market"
    ),
    DATED: Assumption("software date", "", "software on record", "06_precision_and_software", beyond=False),
    "utilisation": Assumption("share of capacity sold", "of capacity", "base case range", "15_load"),
    "cost_factor": Assumption("cost per GPU-hour", "times the case's", "hyperscaler to neocloud tier and rents"),
    "price_decline_per_year": Assumption("yearly fall of prices", "a year", "base case range", "14_market"),
    "horizon_years": Assumption("years the rack earns", "years", "base case range"),
    "electricity_usd_per_kwh": Assumption("electricity", "USD/kWh", "base case range"),
    "pue": Assumption("PUE", "", "base case range"),
}


@dataclass(frozen=True)
class _Platforms:
    """Names of the platforms that profits are of, and which of them is the one that leads at the report's values."""

    names: tuple[str, ...]
    mine: BoolArray

    @classmethod
    def of(cls, rows: pd.DataFrame, accelerator: str) -> _Platforms:
        """Those of some rows."""
        return cls(tuple(rows["platform"]), (rows["accelerator"] == accelerator).to_numpy(dtype=bool))

    def leader(self, profit: FloatArray) -> str:
        """Whoever earns most, if anybody earns."""
        best = int(np.argmax(np.nan_to_num(profit, nan=-np.inf)))
        return self.names[best] if profit[best] > 0 else NOBODY

    def ahead(self, profit: FloatArray) -> tuple[float, float]:
        """Profit of the platform, and by how much it is ahead of the best other; NaN where it does not serve."""
        mine, others = float(profit[self.mine][0]), profit[~self.mine]
        known = others[~np.isnan(others)]
        return mine, mine - float(known.max()) if len(known) else math.nan


@dataclass(frozen=True)
class _Case:
    """What one assumption at a time is changed of."""

    accelerators: Sequence[str]
    model: str
    scenario: Scenario
    overrides: dict[str, Any]
    measure: str = "rack"

    def now(self) -> pd.DataFrame:
        """Every platform with nothing changed."""
        return evaluate(self.accelerators, [self.model], [self.scenario], **self.overrides, intervals=False)

    def at(self, asked: Mapping[str, Sequence[float]]) -> dict[str, Sequence[FloatArray]]:
        """Profit of every platform at some values of each of some assumptions; what is of a kind is worked out together."""
        walked = [(name, x) for name, values in asked.items() if name in WALKED for x in values]
        changes = [{name: x} for name, values in asked.items() if name not in WALKED for x in values]
        keys = self.accelerators
        cells = [(key, self.model, case) for one in walked for key, case in zip(keys, self._cases(*one), strict=True)]
        steps = iter(cell_profits(cells, self.measure, **self.overrides).reshape(-1, len(keys)))
        paid = iter(profits(keys, self.model, self.scenario, self.measure, changes, **self.overrides))
        return {
            name: list(itertools.islice(steps if name in WALKED else paid, len(values)))
            for name, values in asked.items()
        }

    def _cases(self, name: str, x: float) -> list[Scenario]:
        """The workload that each platform serves with one assumption at a value."""
        if name == DATED:
            return software.dated(self.accelerators, self.scenario, x)
        return [self._changed(name, x)] * len(self.accelerators)

    def _changed(self, name: str, x: float) -> Scenario:
        """The workload with one assumption at a value."""
        s, mark = self.scenario, f"{name} {x!r}"
        if name == "ttft_limit_ms":
            return replace(s, id=mark, ttft_limit_ms=x)
        if name == "prefix_cache_hit":
            return walk.resized(s, mark, s.isl_tokens, s.osl_tokens, x)
        if name == "isl_tokens":
            return walk.resized(s, mark, x, s.osl_tokens)
        total, share = s.isl_tokens + s.osl_tokens, x / (1.0 + x)
        return walk.resized(s, mark, total * share, total * (1.0 - share))


def _range(name: str, scenario: Scenario, prices: tuple[float, float], model: str) -> tuple[float, float, float] | None:
    """The report's value of an assumption and its range; None where the workload has none."""
    base = catalog.base_case()
    if name == "price_factor":
        return 1.0, *prices
    if name == "cost_factor":
        return 1.0, 0.6, 2.4
    if name == "tok_s_per_user":
        value = scenario.promised_tok_s_per_user or 10.0
        return value, min(10.0, value), max(150.0, value)
    if name == DATED:
        dates = [software_years(day) for _, day in software.software_dates()]
        day = software_years(scenario.software_date) if scenario.software_date else dates[-1]
        return day, min(dates[0], day), max(dates[-1], day)
    if name in OF_WORKLOADS:
        own = OF_WORKLOADS[name](scenario)
        if own is None:
            return None
        known = [own, *(x for x in map(OF_WORKLOADS[name], catalog.scenarios().values()) if x is not None)]
        room = max(catalog.model(model).max_context_tokens - scenario.osl_tokens, own)
        return own, min(known), min(max(known), room if name == "isl_tokens" else math.inf)
    low, high = base.range(name)
    return float(getattr(base, name)), float(low), float(high)


OF_WORKLOADS: Final[dict[str, Callable[[Scenario], float | None]]] = {
    "isl_tokens": lambda case: float(case.isl_tokens),
    "input_per_output": lambda case: case.isl_tokens / case.osl_tokens,
    "prefix_cache_hit": lambda case: case.prefix_cache_hit,
    "ttft_limit_ms": lambda case: case.ttft_limit_ms,
}
WALKED: Final = (*OF_WORKLOADS, DATED)
"""Assumptions that change what is searched; the others change money alone."""


@one_state()
def deciding_assumptions(
    accelerators: Sequence[str], model: str, scenario: Scenario, measure: str = "rack", **overrides: Any
) -> list[Deciding]:
    """Each assumption over its sourced range, one at a time: the leader's profit, its lead, and where the lead changes.

    The workload's are walked by :mod:`rackecon.walks`, as on the pages that explain them. Sorted by whether the lead
    changes, then by the swing of the leader's profit.
    """
    key = (tuple(accelerators), model, scenario, measure, sorted(overrides.items()))
    return list(
        kept("deciding", key, lambda: _found(_Case(accelerators, model, scenario, dict(overrides), measure)), False)
    )


def _found(case: _Case) -> list[Deciding]:
    """What :func:`deciding_assumptions` gives."""
    column, scenario = MEASURES[case.measure].column, case.scenario
    start = case.now()
    if not start[column].notna().any():
        return []
    lead = start.sort_values(column, ascending=False, kind="stable", na_position="last").iloc[0]
    card = (float(lead["price_level_low"]), float(lead["price_level_high"]))
    factor = float(case.overrides.get("cost_factor", 1.0))  # a value of the walk is one too: its words count it once
    shows = _shows(float(lead["price_output_usd_per_mtok"]), float(lead["cost_usd_per_gpu_hour"]) / factor)
    top = str(lead["accelerator"])
    ends: dict[str, tuple[float, float, float]] = {}
    for name in ASSUMPTIONS:
        if spread := _range(name, scenario, card, case.model):
            ends[name] = spread
        if spread and name in case.overrides:
            value = float(case.overrides[name])
            ends[name] = value, min(spread[1], value), max(spread[2], value)
    who = _Platforms.of(start, top)
    walks = {name: _walked(name, each, who) for name, each in ends.items() if name != SPEED}
    items = _together(case, walks)
    if SPEED in ends:
        items[SPEED] = _speeds(case, ends[SPEED], top, column)
    found = [_models(case, lead, column), *(replace(items[name], show=shows.get(name)) for name in ends)]
    return sorted(found, key=lambda item: (not item.flips_inside, -item.swing_usd))


def _together(case: _Case, walks: Mapping[str, Walk[Deciding]]) -> dict[str, Deciding]:
    """What walks of some assumptions find: each asks for values, and what all of them ask for is worked out at once."""
    found: dict[str, Deciding] = {}
    answers: dict[str, Any] = dict.fromkeys(walks)
    while answers:
        asked = {}
        for name, answer in answers.items():
            try:
                asked[name] = walks[name].send(answer)
            except StopIteration as end:
                found[name] = end.value
        answers = case.at(asked) if asked else {}
    return found


def _walked(name: str, ends: tuple[float, float, float], who: _Platforms) -> Walk[Deciding]:
    """One assumption over its range."""
    value, low, high = ends
    grid = np.geomspace(low, high, SCAN) if low > 0 else np.linspace(low, high, SCAN)
    steps = np.unique(np.concatenate([grid, [value]])).tolist()
    found = yield steps
    reign = [(step, who.leader(profit)) for step, profit in zip(steps, found, strict=True)]
    paid = [who.ahead(profit) for profit in found]
    flips = yield from _flips(reign, who)
    beyond: tuple[Flip, ...] = ()
    if not flips:
        further = yield from _outside(reign, name, who)
        beyond = yield from _flips(further, who)
    return _over(name, ends, flips, beyond, paid)


def _over(
    name: str,
    ends: tuple[float, float, float],
    flips: tuple[Flip, ...],
    beyond: tuple[Flip, ...],
    paid: Sequence[tuple[float, float]],
) -> Deciding:
    """An assumption with its words, and the least and most of what was paid over its range."""
    words = ASSUMPTIONS[name]
    page = words.page or allowed_values()[name].page
    profit, lead = _spans(paid)
    return Deciding(
        name, words.label, *ends, words.unit, flips, beyond, profit, lead, page, words.workload, words.source
    )


def _speeds(case: _Case, ends: tuple[float, float, float], accelerator: str, column: str) -> Deciding:
    """The speed promised, at every step of every platform's front: a lead may last for a few tokens a second only."""
    value, low, high = ends
    fronts = money_fronts(case.accelerators, case.model, case.scenario, **case.overrides)
    lines = speed_lines(fronts, column, low, high)
    labels = {key: catalog.accelerator(key).label for key in case.accelerators}
    reign = [(upto, labels.get(key, NOBODY)) for upto, key in reigns(lines)]
    flips = tuple(flips_of(reign))
    paid = []
    for speed in sorted({value, *(upto for line in lines.values() for upto, _ in line)}):
        at = {key: next((profit for upto, profit in line if upto >= speed), math.nan) for key, line in lines.items()}
        others = [profit for key, profit in at.items() if key != accelerator and profit == profit]
        paid.append((at[accelerator], at[accelerator] - max(others) if others else math.nan))
    return _over(SPEED, ends, flips, (), paid)


def _models(case: _Case, lead: pd.Series, column: str) -> Deciding:
    """The report's model beside those of the page on experts that hold the case's context, each at its own price."""
    listed = [str(name) for name in read_parameters(notebook_path(MODELS))["models"].default]
    tokens = case.scenario.isl_tokens + case.scenario.osl_tokens
    models = [key for key in dict.fromkeys([case.model, *listed]) if not context_fault(catalog.model(key), tokens)]
    rows = walk.model_sizes(case.accelerators, models, case.scenario, **case.overrides, intervals=False)
    groups = {str(key): group for key, group in rows.groupby("model", sort=False) if group[column].notna().any()}
    top = str(lead["accelerator"])
    found = [(group, _Platforms.of(group, top), group[column].to_numpy(dtype=float)) for group in groups.values()]
    paid = [who.ahead(profit) for _, who, profit in found]
    choices = tuple((str(group["model_name"].iloc[0]), who.leader(profit)) for group, who, profit in found)
    (profit, ahead), nothing = _spans(paid), math.nan
    return Deciding(
        "model", "model", nothing, nothing, nothing, "", (), (), profit, ahead, MODELS, True, "each at its own price",
        choices=choices,
    )  # fmt: skip


def _shows(price: float, cost: float) -> dict[str, Callable[[float], str]]:
    """Values in the words of a reader: dollars of the leader's own card and cost, tokens, seconds, months."""
    return {
        "isl_tokens": lambda x: f"{x:,.0f} input tokens" if x == round(x) else f"{number(x)} input tokens",
        "input_per_output": lambda x: f"{number(x)} in per token out",
        "prefix_cache_hit": lambda x: f"{percent(x)} of input cached",
        "tok_s_per_user": lambda x: f"{number(x)} tok/s/user",
        "ttft_limit_ms": lambda x: f"{number(x / 1e3)} s",
        "price_factor": lambda x: f"{money(x * price)} per million output tokens",
        DATED: lambda x: software_date(x)[:7],
        "utilisation": lambda x: f"{percent(x)} sold",
        "cost_factor": lambda x: f"{money(x * cost)} per GPU-hour",
        "price_decline_per_year": lambda x: f"{percent(x)} a year",
        "electricity_usd_per_kwh": lambda x: f"{money(x)}/kWh",
    }


def _spans(pairs: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least and most of the first and of the second of pairs, as far as they are known."""
    profit, lead = ([pair[k] for pair in pairs if pair[k] == pair[k]] for k in (0, 1))
    none = (math.nan, math.nan)
    return (min(profit), max(profit)) if profit else none, (min(lead), max(lead)) if lead else none


def _outside(reign: Sequence[tuple[float, str]], name: str, who: _Platforms) -> Walk[list[tuple[float, str]]]:
    """Leaders from the ends of the range outwards, each side no further than the first change."""
    below, above = [reign[0]], [reign[-1]]
    reach = (allowed_values()[name].low, allowed_values()[name].high) if ASSUMPTIONS[name].beyond else ()
    sides = []
    for seen, end in zip((below, above), reach, strict=False):
        start = seen[0][0]
        if start != end and (end < start) == (seen is below):
            space = np.geomspace if min(start, end) > 0 else np.linspace
            sides.append((seen, space(start, end, BEYOND + 1).tolist()))
    for turn in range(1, BEYOND + 1):
        going = [(seen, steps[turn]) for seen, steps in sides if seen[-1][1] == seen[0][1]]
        if not going:
            break
        found = yield [step for _, step in going]
        for (seen, step), profit in zip(going, found, strict=True):
            seen.append((step, who.leader(profit)))
    return [*reversed(below), *above]


@dataclass
class _Change:
    """A step within which the lead changes, for the first time at the place that is halved."""

    low: float
    high: float
    before: str
    after: str
    end: float
    last: str
    """Where the step ends, and who leads there."""
    halved: int = 0

    @property
    def wide(self) -> bool:
        """Whether it is to be halved once more."""
        return self.high - self.low > FINE * abs(self.high) and self.halved < HALVINGS

    @property
    def rest(self) -> _Change | None:
        """The rest of the step, where the lead changes again."""
        return (
            _Change(self.high, self.end, self.after, self.last, self.end, self.last)
            if self.after != self.last
            else None
        )

    @property
    def middle(self) -> float:
        """Where it is halved."""
        return math.sqrt(self.low * self.high) if self.low > 0 else (self.low + self.high) / 2.0


def _flips(reign: Sequence[tuple[float, str]], who: _Platforms) -> Walk[tuple[Flip, ...]]:
    """Where the lead changes, each place found by halving the step that holds it, all of them at a time.

    A step may hold several: what is left of it is halved in its turn until it ends with who leads there.
    """
    pairs = itertools.pairwise(reign)
    changes = [
        _Change(low, high, before, after, high, after) for (low, before), (high, after) in pairs if before != after
    ]
    found: list[_Change] = []
    for _ in range(MOST_HALVINGS):
        wide = []
        while changes:
            each = changes.pop()
            if each.wide:
                wide.append(each)
                continue
            found.append(each)
            if rest := each.rest:
                changes.append(rest)
        if not wide:
            break
        profits = yield [each.middle for each in wide]
        for each, profit in zip(wide, profits, strict=True):
            there, each.halved = who.leader(profit), each.halved + 1
            if there == each.before:
                each.low = each.middle
            else:
                each.high, each.after = each.middle, there  # whoever leads right there, not at the end of the step
        changes = wide
    places = [((each.low + each.high) / 2.0, each.before, each.after) for each in (*found, *changes)]
    return tuple(sorted(places, key=itemgetter(0)))
