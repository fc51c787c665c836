"""Who leads over two assumptions at once, and over the speed promised: what the summary's two charts draw.

Both take the report's own formulas with other arguments: :func:`~rackecon.economics.money_step.money_step` and the paired
draws of :mod:`rackecon.uncertainty.ranking`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog import Scenario
from rackecon.economics.measures import measure_of
from rackecon.economics.money_step import money_step, per_year
from rackecon.evidence.intervals import add_intervals
from rackecon.evidence.leads import DECIDED_SHARE
from rackecon.evidence.novelty import Run, front_of_runs, measured_up_to
from rackecon.lazy import pd
from rackecon.uncertainty.ranking import RankingDraws, draw_factors, win_counts
from rackecon.walks.findings import Line, ahead_at_ends, at_rates

NOBODY: Final = "none"
"""Stands for a platform where the best of them loses money."""
NO_ONE_SERVES: Final = ""
LEANING_SHARE: Final = 0.6
"""Share of the draws from which a leader that is not decided is drawn pale, not hatched."""
SHARES: Final = (0.05, 1.0, 19)
"""Share of capacity sold: ends of the map and number of columns."""
PRICES: Final = (1 / 32, 2.0, 12)
"""Every token price, times the chosen ones: ends of the map and number of rows, equal steps of the logarithm."""
NARROW: Final = 0.01
"""Width, as a share of its value, at which the place of a change of lead is known well enough."""
Flip = tuple[float, str, str]
"""Value at which the lead changes, who leads below it, who above it."""


@dataclass(frozen=True)
class Marks:
    """What a chart draws beside a line's middle values."""

    band: Line
    """Lowest and highest yearly profit of each step, nine measurements in ten; empty but for the platforms ahead at the ends."""
    measured_up_to: float
    """Speed beyond which nothing measured stands near [tok/s/user]."""
    runs: tuple[tuple[float, float, Run], ...]
    """Speed of each measured run, the profit at its rate, and the run."""


@dataclass(frozen=True)
class Cell:
    """Who leads at one price and share sold, and in which share of the draws it comes first."""

    leader: str
    win_share: float

    @property
    def kind(self) -> str:
        """How surely it leads: ``sure``, ``pale``, ``close``; ``none`` where nobody earns."""
        if self.leader in (NOBODY, NO_ONE_SERVES):
            return "none"
        return "sure" if self.win_share >= DECIDED_SHARE else "pale" if self.win_share >= LEANING_SHARE else "close"


@dataclass(frozen=True)
class LeadMap:
    """Cells by row, the highest price first, with the middles of rows and columns."""

    prices: tuple[float, ...]
    shares: tuple[float, ...]
    rows: tuple[tuple[Cell, ...], ...]


def middles(low: float, high: float, count: int) -> FloatArray:
    """Middles of ``count`` equal steps.

    Examples
    --------
    >>> middles(0.0, 1.0, 4).tolist()
    [0.125, 0.375, 0.625, 0.875]
    """
    return np.asarray(low + (high - low) * (np.arange(count) + 0.5) / count)


def lead_map(table: pd.DataFrame, metric: str) -> LeadMap:
    """Who leads at each price of all tokens and share of capacity sold, everything else held.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of :func:`rackecon.appraisal.evaluate.evaluate` of one model and scenario.
    metric : str
        One of :data:`rackecon.economics.measures.EVERY_MEASURE`'s columns.

    Notes
    -----
    A price on an axis is taken as given, so its own spread plays no part. The layout stays the one of the table.
    """
    settings, shares = RankingDraws(), middles(*SHARES)
    low, high, count = PRICES
    prices = np.exp(middles(float(np.log(low)), float(np.log(high)), count))[::-1]
    given = table.assign(price_level_low=1.0, price_level_high=1.0).reset_index(drop=True)
    column = {name: given[name].to_numpy(dtype=float) for name in given.columns if given[name].dtype.kind == "f"}
    grid: list[list[Cell]] = [[] for _ in prices]
    if table["profit_usd_per_gpu_year"].notna().any():
        units = column[measure_of(metric).gpus]
        for share in shares:
            factors = draw_factors(given.assign(utilisation=float(share)), settings)
            for row, price in zip(grid, prices, strict=True):
                step = money_step(
                    total_tok_s_per_gpu=column["total_tok_s_per_gpu"],
                    output_tok_s_per_gpu=column["output_tok_s_per_gpu"],
                    price_fresh_input_usd_per_mtok=price * np.nan_to_num(column["price_fresh_input_usd_per_mtok"]),
                    price_cached_input_usd_per_mtok=price * np.nan_to_num(column["price_cached_input_usd_per_mtok"]),
                    price_output_usd_per_mtok=price * np.nan_to_num(column["price_output_usd_per_mtok"]),
                    cost_usd_per_gpu_hour=column["cost_usd_per_gpu_hour"],
                    prefix_cache_hit=column["prefix_cache_hit"],
                    utilisation=float(share),
                    licence_share=np.nan_to_num(column["licence_share"]),
                    free_share=np.nan_to_num(column["free_share"]),
                    price_factor=np.nan_to_num(column["level_price_factor"]),
                )
                row.append(_cell(step, factors, units, given["accelerator"]))
    else:
        grid = [[Cell(NO_ONE_SERVES, 0.0)] * len(shares) for _ in prices]
    return LeadMap(tuple(prices.tolist()), tuple(shares.tolist()), tuple(tuple(row) for row in grid))


def _cell(step: Any, factors: Any, units: FloatArray, names: Any) -> Cell:
    profit = per_year(step.profit_usd_per_gpu_hour, units)
    if not np.isfinite(profit).any():
        return Cell(NO_ONE_SERVES, 0.0)
    at = int(np.nanargmax(profit))
    if profit[at] <= 0:
        return Cell(NOBODY, 0.0)
    revenue, cost = step.revenue_usd_per_gpu_hour[:, None], step.cost_usd_per_gpu_hour[:, None]
    wins = win_counts(per_year(revenue * factors.revenue - cost * factors.cost, units[:, None]))
    return Cell(str(names.iloc[at]), float(wins[at]) / factors.revenue.shape[1])


def speed_lines(fronts: Mapping[str, pd.DataFrame | str], metric: str, low: float, high: float) -> dict[str, Line]:
    """Yearly profit of each platform over the speed that every user gets, as steps between two speeds.

    Parameters
    ----------
    fronts : mapping
        Of :func:`rackecon.answer.live_case.money_fronts`, speeds rising.
    metric : str
        Column of yearly profit.
    low, high : float
        Ends of the speeds drawn [tok/s/user].

    Returns
    -------
    dict
        Accelerator id to the ends of its steps [tok/s/user] and their profits; empty where it serves nothing or its profit is
        unknown. Up to a step's speed the most productive layout that is at least as fast earns its profit.
    """
    out: dict[str, Line] = {}
    for key, front in fronts.items():
        rows = _between(front, metric, low, high)
        out[key] = list(zip(np.minimum(rows["tok_s_per_user"], high).tolist(), rows[metric].tolist(), strict=True))
    return out


def _between(front: pd.DataFrame | str, metric: str, low: float, high: float) -> pd.DataFrame:
    """Points of a front from a speed to the first that is at least as fast as another; none where nothing is known."""
    if isinstance(front, str):
        return pd.DataFrame({"tok_s_per_user": [], metric: []})
    known = front[(front["tok_s_per_user"] >= low) & front[metric].notna()]
    return known.head(int((known["tok_s_per_user"] < high).sum()) + 1)


def line_marks(
    fronts: Mapping[str, pd.DataFrame | str], model: str, case: Scenario, metric: str, low: float, high: float
) -> dict[str, Marks]:
    """What is drawn beside the lines of :func:`speed_lines`: bands of the platforms ahead at the ends, evidence, measured runs.

    Parameters
    ----------
    model, case : str, Scenario
        What the fronts serve; runs of another number format than one asked for, of software after a date asked for, or
        beside a prefix cache do not count.
    """
    lines = speed_lines(fronts, metric, low, high)
    ahead = ahead_at_ends({key: [(low, line[0][1]), *line] for key, line in lines.items() if line}, low)
    until, lengths = case.software_date or "9999", (case.isl_tokens, case.osl_tokens)
    out = {}
    for key, front in fronts.items():
        rows = _between(front, metric, low, high)
        band: Line = []
        if key in ahead:
            ends = (
                at_rates(rows, metric, add_intervals(rows)[f"total_tok_s_per_gpu_{end}"]) for end in ("low", "high")
            )
            band = list(zip(*(end.tolist() for end in ends), strict=True))
        found = []
        if len(rows) and not case.prefix_cache_hit:
            for run in front_of_runs(key, model, *lengths, until, case.weight_precision, (low, high)):
                at = min(int((rows["tok_s_per_user"] < run.tok_s_per_user).sum()), len(rows) - 1)
                profit = float(at_rates(rows.iloc[[at]], metric, run.total_tok_s_per_gpu).iloc[0])
                found.append((run.tok_s_per_user, profit, run))
        out[key] = Marks(band, measured_up_to(key, model, *lengths, until), tuple(found))
    return out


def reigns(lines: Mapping[str, Sequence[tuple[float, float]]]) -> list[tuple[float, str]]:
    """Who leads up to which speed, neighbours with the same leader joined.

    Examples
    --------
    >>> reigns({"a": [(10.0, 5.0), (20.0, 1.0)], "b": [(30.0, 2.0)]})
    [(10.0, 'a'), (30.0, 'b')]
    """
    out: list[tuple[float, str]] = []
    for speed in sorted({s for line in lines.values() for s, _ in line}):
        best, who = -np.inf, NO_ONE_SERVES
        for key, line in lines.items():
            value = next((v for s, v in line if s >= speed), None)
            if value is not None and value > best:
                best, who = value, key
        who = who if best > 0 else NOBODY
        if out and out[-1][1] == who:
            out.pop()
        out.append((speed, who))
    return out


def flips_of(found: Sequence[tuple[float, str]]) -> list[Flip]:
    """Where the lead changes between the leaders up to each value.

    Examples
    --------
    >>> flips_of([(10.0, "a"), (30.0, "b"), (40.0, "b")])
    [(10.0, 'a', 'b')]
    """
    return [(upto, before, after) for (upto, before), (_, after) in pairwise(found) if before != after]


def lasting(flips: Sequence[Flip]) -> list[Flip]:
    """Changes of lead without the leads that last for less than their place is known to (``NARROW``).

    Examples
    --------
    >>> lasting([(46.5, "A", "B"), (46.7, "B", "A"), (77.0, "A", "B"), (83.0, "B", "A")])
    [(77.0, 'A', 'B'), (83.0, 'B', 'A')]
    """
    kept: list[Flip] = []
    for at, before, after in flips:
        if kept and at - kept[-1][0] < NARROW * abs(at):
            since, first, _ = kept.pop()
            if first != after:
                kept.append((since, first, after))
        else:
            kept.append((at, before, after))
    return kept
