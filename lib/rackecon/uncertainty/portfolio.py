"""Platforms x models x scenarios ready to be drawn: prices, costs, distributions, and short lists of configurations.

A cell's search is run in full at *scout* points: every physical input at its median, and each one far out alone. What
could be best at any of them, a tenth of all configurations, is what other physical points are evaluated on. How often
that misses what a full search finds is measured (:mod:`rackecon.uncertainty.shortlist_check`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.money import NO_LISTING, Platform, cards_for, platforms_for
from rackecon.arrays import FloatArray, IntArray
from rackecon.catalog import Scenario
from rackecon.catalog.kept import kept
from rackecon.economics.price_table import listings
from rackecon.economics.revenue import PriceCard
from rackecon.evidence.intervals import interval_factors
from rackecon.evidence.novelty import also_new
from rackecon.serving.query import case_options
from rackecon.uncertainty.distributions import Distribution, distributions, recentred
from rackecon.uncertainty.sampling import Design, design
from rackecon.uncertainty.shortlist import PHYSICAL, scouts, shortlists, work_at

Rows = Mapping[str, NDArray[Any]]
RECENTRED: Final = {
    "utilisation": "utilisation",
    "wacc": "wacc",
    "electricity_usd_per_kwh": "electricity_usd_per_kwh",
    "pue": "pue",
    "price_decline": "price_decline_per_year",
    "life_years": "horizon_years",
    "residual_share": "resale_share",
    "free_share": "free_share",
}
"""Inputs whose median is an assumption of the report: another assumption moves the whole distribution."""


@dataclass(frozen=True)
class Cell:
    """One platform serving one model under one scenario, ready to be drawn."""

    accelerator: str
    model: str
    scenario: str
    reason: str
    platform: Platform
    card: PriceCard | None
    platform_index: int
    model_index: int
    price: tuple[float, float, float, float]
    """Lowest, 10th and 90th percentile, highest price level: factors on the card."""


@dataclass(frozen=True)
class Portfolio:
    """Cells of platforms x models x scenarios with the distributions and factors behind their draws."""

    cells: tuple[Cell, ...]
    cases: Mapping[str, Scenario]
    inputs: Mapping[str, Distribution]
    plan: Design
    assume: Assumptions
    options: Mapping[str, Any] = field(default_factory=dict)
    lists: dict[tuple[Any, ...], Rows] = field(default_factory=dict, compare=False, repr=False)
    """Short lists already made, by cell and physical point."""
    places: dict[tuple[Any, ...], IntArray] = field(default_factory=dict, compare=False, repr=False)
    """Rows of the full search behind them."""

    @property
    def cost_label(self) -> str:
        """What the costs of its platforms rest on, for captions."""
        return next((cell.platform.cost.label() for cell in self.cells if cell.platform.cost is not None), "no cost")

    def listed(self, cell: Cell, scores: FloatArray) -> Rows:
        """Short list of a cell at one physical point: of a full search at a scout point, of the pool elsewhere."""
        key = self._key(cell, scores)
        if key not in self.lists:
            known = scouts(cell.model, self.cases[cell.scenario])
            self._list(cell, [scores], None if (known == scores).all(axis=1).any() else self.pool(cell))
        return self.lists[key]

    def _list(self, cell: Cell, points: Sequence[FloatArray], only: IntArray | None) -> None:
        """Put down the short lists of a cell at those of some physical points that have none, all of them in few passes."""
        some = [at for at in points if self._key(cell, at) not in self.lists]
        if not some:
            return
        case = self.cases[cell.scenario]
        work = work_at(case, cell.model, self.inputs, np.stack(some))
        found = shortlists(cell.accelerator, cell.model, case, work, self.searched_with(cell), only)
        for scores, (places, rows) in zip(some, found, strict=True):
            key = self._key(cell, scores)
            self.places[key], self.lists[key] = places, rows

    def prepare(self, cell: Cell, points: FloatArray) -> None:
        """Make the short lists of a cell at many physical points, or take those that another page made."""
        missing = [at for at in points if self._key(cell, at) not in self.lists]
        if not missing:
            return
        case = self.cases[cell.scenario]
        asked = sorted(self.searched_with(cell).items())
        physical = [self.inputs[name] for name in PHYSICAL]
        pool = (cell.accelerator, cell.model, cell.scenario)

        def make() -> tuple[list[Rows], IntArray]:
            only = self.pool(cell)
            self._list(cell, missing, only)
            return [self.listed(cell, at) for at in missing], only

        key = (cell.accelerator, cell.model, case, asked, physical, [at.tolist() for at in missing])
        rows, self.places[pool] = kept("short-lists", key, make)
        self.lists.update(zip((self._key(cell, at) for at in missing), rows, strict=True))

    def pool(self, cell: Cell) -> IntArray:
        """Rows of the full search that could be best at any scout point."""
        key = (cell.accelerator, cell.model, cell.scenario)
        if key not in self.places:
            known = scouts(cell.model, self.cases[cell.scenario])
            self._list(cell, list(known), None)
            self.places[key] = np.unique(np.concatenate([self.places[self._key(cell, at)] for at in known]))
        return self.places[key]

    def _key(self, cell: Cell, scores: FloatArray) -> tuple[Any, ...]:
        return (cell.accelerator, cell.model, cell.scenario, *scores.tolist())

    def error_ends(self, cell: Cell, mode: str, quantity: str) -> tuple[float, float]:
        """Ends of 90 % of what a quantity of a cell errs by in a mode, as :func:`~rackecon.evidence.intervals.interval_factors`."""
        pair, case = (cell.accelerator, cell.model), self.cases[cell.scenario]
        also = also_new(*pair, str(self.options.get("engine") or ""), case.isl_tokens, case.osl_tokens)
        return interval_factors(*pair, mode, quantity, also=also)

    def searched_with(self, cell: Cell) -> dict[str, Any]:
        """Options of a cell's searches: pools are sized for its limits."""
        asked = case_options(self.cases[cell.scenario])
        return {name: value for name, value in asked.items() if name != "prefix_cache_hit"} | dict(self.options)


def portfolio(
    accelerators: Sequence[str],
    models: Sequence[str],
    scenarios: Iterable[str | Scenario],
    *,
    price_cards: Mapping[str, PriceCard] | None = None,
    search_options: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Distribution] | None = None,
    **overrides: Any,
) -> Portfolio:
    """Search the short lists and line up distributions, prices and costs.

    Parameters
    ----------
    accelerators, models : sequence of str
        Ids.
    scenarios : iterable of str or Scenario
        Ids of data/scenarios.csv or records.
    price_cards, search_options : mapping, optional
        As in :func:`rackecon.appraisal.evaluate.evaluate`.
    inputs : mapping of Distribution, optional
        Those of data/distributions.csv by default; their medians follow the assumptions.
    **overrides
        Fields of :class:`~rackecon.appraisal.assumptions.Assumptions`.
    """
    assume = assumptions(**overrides).stated_share()
    known = dict(inputs) if inputs is not None else distributions()
    for name, owner in RECENTRED.items():
        known[name] = recentred(known[name], float(getattr(assume, owner)))
    cases = {c.id: c for c in map(catalog.as_scenario, scenarios)}
    platforms = platforms_for(accelerators, assume)
    cards = cards_for(models, assume, price_cards)
    widths = {name: _price_width(name, cards[name], assume, known["price_level"]) for name in models}
    cells = []
    for case in cases.values():
        for m, name in enumerate(models):
            for p, key in enumerate(accelerators):
                reason = platforms[key].reason
                if cards[name] is None:
                    reason = NO_LISTING
                cells.append(Cell(key, name, case.id, reason, platforms[key], cards[name], p, m, widths[name]))
    return Portfolio(
        tuple(cells), cases, known, design(accelerators, models, known), assume, dict(search_options or {})
    )


def _price_width(
    model: str, card: PriceCard | None, assume: Assumptions, item: Distribution
) -> tuple[float, float, float, float]:
    """Lowest, 10th and 90th percentile, highest output price over the middle one.

    At list prices those of the listings, the table's where few list the model; at effective prices those of what is paid
    of list prices (:func:`rackecon.economics.market_table.market_over_list`).
    """
    if assume.price_level == "effective" and card is not None and card.level_range() != (1.0, 1.0):
        return 0.0, *card.level_range(), math.inf
    found = listings(catalog.table("prices"), model, assume.as_of_date)["output"].to_numpy(dtype=float)
    found = found[found > 0]
    if len(found) < 3:
        return 0.0, item.low, item.high, math.inf
    least, low, high, most = np.quantile(found / np.median(found), [0.0, 0.1, 0.9, 1.0])
    return float(least), min(float(low), 1.0), max(float(high), 1.0), float(most)
