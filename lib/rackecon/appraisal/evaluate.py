"""One row per platform, model and scenario: the most profitable operating point, and everything it earns.

The serving frontier gives every non-dominated operating point; money decides among those inside the scenario's latency
limits. Where no row is possible the reason stands in its place: an answer, not a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.money import (
    NO_LISTING,
    ROI_KIND,
    TOKEN_COUNTING,
    Terms,
    cards_for,
    gpus_of,
    money_columns,
    platforms_for,
    profits_usd_per_gpu_hour,
    return_columns,
    with_money,
)
from rackecon.arrays import FloatArray, IntArray
from rackecon.catalog import Scenario, base_case
from rackecon.catalog.assumption_table import allowed_values
from rackecon.catalog.cached import by_data, one_state
from rackecon.economics.measures import EVERY_MEASURE
from rackecon.economics.money_step import per_year
from rackecon.economics.revenue import PriceCard
from rackecon.evidence.intervals import interval_columns, rate_factors
from rackecon.lazy import pd
from rackecon.serving.front import COLUMNS
from rackecon.serving.query import Limits
from rackecon.units import HOURS_PER_YEAR
from rackecon.words import number

if TYPE_CHECKING:
    from rackecon.load.derived import DerivedUtilisation

PLATFORMS: Final = ("h100-sxm", "h200-sxm", "b200-hgx", "gb200-nvl72", "gb300-nvl72", "mi355x", "tpu-v7")
"""Platforms of the reports' base case."""
FLEET: Final = "fixed at the 99th percentile"
"""Policy of the fleet whose share sold is derived: bought once for the 99th percentile of demand."""
PROFIT_COLUMNS: Final = tuple(measure.column for measure in EVERY_MEASURE.values())
UNITS_OF_YEARS: Final = ("rack", "mw", "position", "invested_usd")
PER_RATE: Final = (
    *("cost_usd_per_mtok_total", "cost_usd_per_mtok_output"),
    *("break_even_output_usd_per_mtok", "break_even_utilisation"),
)
"""Columns in inverse proportion to the rate: a cost of tokens, the price and the share sold that pay for them."""
EMPTY_COLUMNS: Final = (
    *COLUMNS,
    *("engine", "mode", "layout", "weight_precision", "kv_precision", "speculative", "bottleneck", "evidence"),
    *("allocation_rule", "resells", "revenue_usd_per_gpu_hour", "profit_usd_per_gpu_hour", "gross_margin"),
    *("payback_years", "level_price_factor", "licence_share", "free_share", "speed_premium"),
    *("price_fresh_input_usd_per_mtok", "price_cached_input_usd_per_mtok", "price_output_usd_per_mtok"),
    *("price_level_low", "price_level_high", "break_even_price_factor"),
    *("break_even_launch_price_factor", "cost_usd_per_mtok_output_by_phase"),
    *("cost_usd_per_mtok_fresh_input_by_phase", "drawn_it_kw_per_gpu", "drawn_utility_kw_per_gpu"),
    *("provisioned_it_kw_per_gpu", "provisioned_utility_kw_per_gpu", "energy_usd_per_gpu_hour"),
    *("energy_share_of_cost", "drawn_joules_per_total_token", "total_tok_s_per_mw", "output_tok_s_per_mw"),
    *("rack_it_kw", "investment_usd_per_gpu", "vendor_roi", "profit_roi", "npv_usd_per_gpu", "npv_usd_per_rack"),
    *("irr_per_year", "retire_age_years", "running_usd_per_gpu_hour", "residual_usd_per_gpu"),
    *(f"gpus_per_{unit}" for unit in UNITS_OF_YEARS),
    *(f"{what}_usd_per_{unit}_year" for unit in UNITS_OF_YEARS for what in ("revenue", "cost")),
    *(f"{name}{end}" for name in ("cost_usd_per_gpu_hour", *PER_RATE) for end in ("", "_low", "_high")),
    *(
        f"{name}{end}"
        for name in ("total_tok_s_per_gpu", "output_tok_s_per_gpu", "tok_s_per_user", "ttft_ms", *PROFIT_COLUMNS)
        for end in ("_low", "_high")
    ),
)
"""Columns that stand, empty, where no platform serves any case."""
ASKED: Final = ("accelerator", "model", "scenario", "isl_tokens", "osl_tokens", "prefix_cache_hit")
HEADING: Final = (*ASKED, "reason")
PAID_BY: Final = (
    "total_tok_s_per_gpu",
    "output_tok_s_per_gpu",
    "tok_s_per_user",
    "prefill_gpu_share",
    "decode_busy_share",
    "prefill_busy_share",
)
"""What money depends on."""
SAME: Final = 2e-8  # of the best profit, further below which none rounds to it in nine digits
Search = Callable[..., Any]
"""Signature of :func:`rackecon.serving.frontier.search`."""


def _searched(
    cells: Sequence[tuple[str, str, Scenario]], options: Mapping[str, Any] | None, search: Search | None
) -> Sequence[Any]:
    """Front of each accelerator, model and scenario."""
    from rackecon.serving.frontier import searched
    from rackecon.serving.query import Query, case_options

    given = options or {}
    if search is None:
        return searched([Query.of_case(*cell, **given) for cell in cells])
    return [search(key, name, x.isl_tokens, x.osl_tokens, **{**case_options(x), **given}) for key, name, x in cells]


def _fitting(
    cells: Sequence[tuple[str, str, Scenario]], options: Mapping[str, Any] | None, search: Search | None
) -> Iterator[tuple[Mapping[str, Any], IntArray, str]]:
    """Columns of each cell's front, its points inside the latency limits, and why there are none."""
    for (_, _, case), frontier in zip(cells, _searched(cells, options, search), strict=True):
        front = _columns(frontier)
        fit = np.zeros(0, dtype=np.intp)
        if front:
            latencies = (np.asarray(front[n], dtype=float) for n in ("tpot_ms", "ttft_ms"))
            fit = np.flatnonzero(Limits.of_case(case).keeps(*latencies))
        yield front, fit, frontier.reason if not front else ("" if len(fit) else _limit_reason(case))


def _columns(front: Any) -> Mapping[str, Any]:
    """Columns of a front, of the searches of tests too, which have a table only."""
    if hasattr(front, "rows"):
        return {name: values for name, values in front.rows.items() if len(front)}
    return {name: front.table[name].to_numpy() for name in front.table}


def _limit_reason(scenario: Scenario) -> str:
    limits = []
    if scenario.tpot_limit_ms is not None:
        limits.append(f"{number(1000.0 / scenario.tpot_limit_ms)} tok/s/user")
    if scenario.ttft_limit_ms is not None:
        limits.append(f"a first token within {number(scenario.ttft_limit_ms / 1000.0)} s")
    return f"no layout reaches {' and '.join(limits)}" if limits else "no layout found"


@one_state()
def evaluate(
    accelerators: Iterable[str],
    models: Iterable[str],
    scenarios: Iterable[str | Scenario],
    *,
    price_cards: Mapping[str, PriceCard] | None = None,
    search_options: Mapping[str, Any] | None = None,
    search: Search | None = None,
    intervals: bool = True,
    **overrides: Any,
) -> pd.DataFrame:
    """The most profitable operating point of every platform, model and scenario, with what it earns.

    Parameters
    ----------
    accelerators, models : iterable of str
        Ids of the catalog.
    scenarios : iterable of str or Scenario
        Ids of data/scenarios.csv, or records (a changed copy walks an assumption).
    price_cards : mapping of str to PriceCard, optional
        Cards by model id, in place of the median listing at the as-of date.
    search_options : mapping, optional
        Passed to :func:`rackecon.serving.frontier.search` (precision, mode, engine, speculative, hold, ...).
    search : callable, optional
        Another search of the same signature (tests, held layouts).
    intervals : bool
        Whether to add the 90 % intervals of the serving model.
    **overrides
        Fields of :class:`~rackecon.appraisal.assumptions.Assumptions`: ``utilisation``, ``horizon_years``, ``wacc``,
        ``cost_basis``, ``cost_tier``, ``cost_vintage``, ``power_vintage``, ``electricity_usd_per_kwh``, ``pue``,
        ``price_decline_per_year``, ``price_factor``, ``licence_share``, ``free_share``, ``speed_premium``,
        ``cost_usd_per_gpu_hour``, ``kw_per_gpu``, ``cost_factor``, ...

    Returns
    -------
    pandas.DataFrame
        One row per combination in the order given. Yearly money is the level equivalent of the falling price over the
        horizon at the cost of capital; ``reason`` says why a row has none, ``power_reason`` why it has no power. ``*_low`` and ``*_high`` bound 90 % of the
        serving model's error, prices and costs held. Every row carries cost basis, tier and vintage, power vintage,
        token counting and the kinds of ROI. With ``sold_by_load`` each row's ``utilisation`` is its platform's own, between
        ``utilisation_low`` and ``utilisation_high``.

    Raises
    ------
    InputError
        Unknown id or assumption; an assumption that contradicts itself.

    Examples
    --------
    >>> row = evaluate(["b200-hgx"], ["gpt-oss-120b"], ["chat"], utilisation=0.5, cost_usd_per_gpu_hour=2.0).iloc[0]
    >>> float(row["revenue_usd_per_gpu_hour"] - row["profit_usd_per_gpu_hour"])  # USD per GPU-hour
    2.00
    """
    assume = assumptions(**overrides)
    keys, names = list(accelerators), list(models)
    cases = [catalog.as_scenario(s) for s in scenarios]
    for name in names:
        catalog.model(name)
    platforms = platforms_for(keys, assume)
    cards = cards_for(names, assume, price_cards)
    fronts: list[Mapping[str, Any]] = []
    kept: list[IntArray] = []
    grid: list[dict[str, Any]] = []
    shares: list[DerivedUtilisation | None] = []
    cells = [(key, name, case) for name in names for case in cases for key in keys]
    for (key, name, case), (front, fit, reason) in zip(cells, _fitting(cells, search_options, search), strict=True):
        grid.append(_heading(key, name, case, reason, cards[name], platforms[key].reason))
        shares.append(sold_by_load(key, name, case) if assume.sold_by_load and len(fit) else None)
        fronts.append(front)
        kept.append(fit)
    served = [cell for cell, fit in enumerate(kept) if len(fit)]
    heads = {name: [row[name] for row in grid] for name in HEADING}
    if not served:
        nothing = dict.fromkeys((*PROFIT_COLUMNS, *EMPTY_COLUMNS), np.nan) | {
            "utilisation": np.nan if assume.sold_by_load else assume.utilisation
        }
        return pd.DataFrame(_labelled(heads, nothing, assume, platforms, cards), index=range(len(grid)))
    for cell in served:
        if (share := shares[cell]) is not None:
            grid[cell] |= {"sold_share": share.utilisation}
    best = _best(
        [fronts[i] for i in served], [kept[i] for i in served], [grid[i] for i in served], (assume, platforms, cards)
    )
    if assume.sold_by_load:
        ends = [share for cell in served if (share := shares[cell]) is not None]
        best |= {f"utilisation_{end}": np.array([getattr(x, end) for x in ends]) for end in ("low", "high")}
    if intervals:
        best |= interval_columns(best)
        best |= _money_intervals(best)
    found = {name: values for name, values in best.items() if name not in HEADING}
    if len(served) < len(grid):  # as a frame, which knows what an empty cell of each kind of column is
        frame = pd.DataFrame(found, index=served).reindex(range(len(grid)))
        found = {name: frame[name] for name in found}
    return pd.DataFrame(_labelled(heads, found, assume, platforms, cards), index=range(len(grid)))


@by_data(256)
def sold_by_load(accelerator: str, model: str, case: Scenario) -> DerivedUtilisation:
    """Share sold on a platform by a fleet of fixed size at the demand that data/assumptions.csv holds by default.

    Source: :func:`rackecon.load.derived.derived_utilisation`, with its interval over public demand shapes and days.

    Examples
    --------
    >>> from rackecon import catalog
    >>> found = sold_by_load("b200-hgx", "gpt-oss-120b", catalog.scenario("chat"))
    >>> found.low < found.utilisation < found.high
    True
    """
    from rackecon.load.derived import derived_utilisation

    told = allowed_values()
    shape, demand = str(told["demand_shape"].default), float(told["mean_rps"].default)
    return derived_utilisation(accelerator, model, case, shape, FLEET, mean_rps=demand)


def share_sold(accelerator: str, model: str, case: Scenario, by_load: bool) -> dict[str, float]:
    """``sold_share`` of a platform's points as :func:`rackecon.appraisal.money.with_money` takes it, where the load sets it.

    Examples
    --------
    >>> share_sold("b200-hgx", "gpt-oss-120b", catalog.scenario("chat"), False)
    {}
    """
    return {"sold_share": sold_by_load(accelerator, model, case).utilisation} if by_load else {}


def _best(
    fronts: Sequence[Mapping[str, Any]],
    kept: Sequence[IntArray],
    heads: Sequence[Mapping[str, Any]],
    terms: tuple[Assumptions, Mapping[str, Any], Mapping[str, PriceCard | None]],
) -> dict[str, Any]:
    """Columns of the most profitable point kept of each front, with money and returns."""
    points = _points(fronts, kept, heads)
    paid = money_columns(points, *terms)
    sizes = [len(fit) for fit in kept]
    chosen = _chosen(paid["profit_usd_per_gpu_hour"], points["total_tok_s_per_gpu"], sizes)
    starts = _starts(sizes)
    best: dict[str, Any] = {name: [head[name] for head in heads] for name in HEADING if name != "reason"}
    places = [fit[at] for fit, at in zip(kept, chosen - starts, strict=True)]
    for name in fronts[0]:
        if name not in best:
            best[name] = np.array([front[name][at] for front, at in zip(fronts, places, strict=True)])
    added = {name: values[chosen] if np.ndim(values) else values for name, values in paid.items()}
    best = {name: values for name, values in best.items() if name not in added} | added
    return best | return_columns(best, *terms[:2])


def _points(
    fronts: Sequence[Mapping[str, Any]],
    kept: Sequence[IntArray],
    heads: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The points kept of each front, with what money asks of them: all that its head says but why it has none."""
    sizes = [len(fit) for fit in kept]
    points: dict[str, Any] = {
        name: np.repeat([head[name] for head in heads], sizes) for name in heads[0] if name != "reason"
    }
    for name in PAID_BY:
        each = [np.asarray(front[name], dtype=float)[fit] for front, fit in zip(fronts, kept, strict=True)]
        points[name] = np.concatenate(each)
    return points


def _starts(sizes: Sequence[int]) -> IntArray:
    """Where each of some runs of points begins."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]])


def _chosen(profit: FloatArray, rate: FloatArray, sizes: Sequence[int]) -> IntArray:
    """The most profitable of each run of points.

    Without a price or a cost nothing can be compared by profit: the run's highest throughput is then taken. Ties go to
    the higher throughput, then to the first.
    """
    own, starts = np.repeat(np.arange(len(sizes)), sizes), _starts(sizes)
    known = np.where(np.isfinite(profit), profit, -np.inf)
    top = np.maximum.reduceat(known, starts)[own]
    near = known >= top - SAME * np.abs(top)
    # Rounded, so that two machines with different last bits choose the same layout.
    by_profit, by_rate = np.full((2, len(own)), -np.inf)
    for rounded, values in ((by_profit, known), (by_rate, rate)):
        rounded[near] = [float(f"{x:.9g}") for x in values[near]]
    order: IntArray = np.lexsort((-by_rate, -by_profit, own))
    return order[starts]


@one_state()
def profits(
    accelerators: Iterable[str],
    model: str,
    scenario: str | Scenario,
    measure: str,
    changes: Sequence[Mapping[str, Any]],
    *,
    price_cards: Mapping[str, PriceCard] | None = None,
    search_options: Mapping[str, Any] | None = None,
    search: Search | None = None,
    **overrides: Any,
) -> FloatArray:
    """Yearly profit of every platform under each of many changes of money, as :func:`evaluate` finds it, on arrays.

    Parameters
    ----------
    accelerators, model, scenario
        As in :func:`evaluate`, one model and scenario.
    measure : str
        Of :data:`~rackecon.economics.measures.EVERY_MEASURE`.
    changes : sequence of mapping
        Fields of :class:`~rackecon.appraisal.assumptions.Assumptions`, beside or in place of the overrides.
    price_cards, search_options, search, **overrides
        As in :func:`evaluate`.

    Returns
    -------
    ndarray
        A row for each change, a value for each platform [USD/year per unit]; NaN where there is none.

    Examples
    --------
    >>> changes = [{"utilisation": share} for share in (0.3, 0.6)]
    >>> little, much = profits(["b200-hgx"], "gpt-oss-120b", "chat", "gpu", changes)[:, 0]
    >>> bool(little < much)
    True
    """
    keys, case = list(accelerators), catalog.as_scenario(scenario)
    terms = []
    for change in changes:
        assume = assumptions(**{**overrides, **change})
        terms.append((assume, platforms_for(keys, assume), cards_for([model], assume, price_cards)))
    return _cell_profits([(key, model, case) for key in keys], measure, terms, search_options, search)


@one_state()
def cell_profits(
    cells: Sequence[tuple[str, str, Scenario]],
    measure: str,
    *,
    price_cards: Mapping[str, PriceCard] | None = None,
    search_options: Mapping[str, Any] | None = None,
    search: Search | None = None,
    **overrides: Any,
) -> FloatArray:
    """Yearly profit of each accelerator, model and scenario, as :func:`evaluate` finds it, without its other columns.

    Parameters
    ----------
    cells : sequence of (str, str, Scenario)
        Accelerator, model and scenario of each.
    measure : str
        Of :data:`~rackecon.economics.measures.EVERY_MEASURE`.
    price_cards, search_options, search, **overrides
        As in :func:`evaluate`.

    Returns
    -------
    ndarray
        A value for each cell [USD/year per unit]; NaN where there is none.

    Examples
    --------
    >>> chat = catalog.scenario("chat")
    >>> slow, fast = (replace(chat, tpot_limit_ms=x) for x in (50.0, 10.0))
    >>> much, little = cell_profits([("b200-hgx", "gpt-oss-120b", case) for case in (slow, fast)], "gpu")
    >>> bool(little < much)
    True
    """
    assume = assumptions(**overrides)
    platforms = platforms_for(dict.fromkeys(key for key, _, _ in cells), assume)
    cards = cards_for(dict.fromkeys(name for _, name, _ in cells), assume, price_cards)
    return _cell_profits(cells, measure, [(assume, platforms, cards)], search_options, search).ravel()


def _cell_profits(
    cells: Sequence[tuple[str, str, Scenario]],
    measure: str,
    terms: Sequence[Terms],
    options: Mapping[str, Any] | None,
    search: Search | None,
) -> FloatArray:
    """A row for each set of assumptions, a value for each cell."""
    found = np.full((len(terms), len(cells)), np.nan)
    fits = list(_fitting(cells, options, search))
    served = [cell for cell, (_, fit, _) in enumerate(fits) if len(fit)]
    if not served or not terms:
        return found
    by_load = any(assume.sold_by_load for assume, _, _ in terms)
    heads = [_asked(*cells[i]) | share_sold(*cells[i], by_load) for i in served]
    kept = [fits[i][1] for i in served]
    points, sizes = _points([fits[i][0] for i in served], kept, heads), [len(fit) for fit in kept]
    profit = profits_usd_per_gpu_hour(points, terms)
    chosen = _chosen(profit.ravel(), np.tile(points["total_tok_s_per_gpu"], len(terms)), sizes * len(terms))
    unit = EVERY_MEASURE[measure].gpus
    for row, best, (_, platforms, _) in zip(found, profit.ravel()[chosen].reshape(len(terms), -1), terms, strict=True):
        gpus = gpus_of([platforms[cells[i][0]] for i in served])[unit] if unit else 1.0
        row[served] = per_year(best, gpus)
    return found


def frontier_points(
    accelerators: Iterable[str],
    model: str,
    scenario: str | Scenario,
    *,
    price_cards: Mapping[str, PriceCard] | None = None,
    search_options: Mapping[str, Any] | None = None,
    search: Search | None = None,
    **overrides: Any,
) -> pd.DataFrame:
    """Whole frontiers of several platforms with their money, latency limits lifted.

    Parameters
    ----------
    accelerators : iterable of str
        Ids.
    model : str
        Model id.
    scenario : str or Scenario
        Lengths and cache hit; its limits are set aside.
    price_cards, search_options, search, **overrides
        As in :func:`evaluate`.

    Returns
    -------
    pandas.DataFrame
        Every frontier point with the columns of :func:`rackecon.appraisal.money.with_money` and ``platform``, grouped by
        platform, in order of interactivity; platforms that do not fit are absent.
    """
    assume = assumptions(**overrides)
    case = catalog.as_scenario(scenario)
    free = replace(case, ttft_limit_ms=None, tpot_limit_ms=None)
    keys = list(accelerators)
    platforms, cards = platforms_for(keys, assume), cards_for([model], assume, price_cards)
    blocks = []
    for key, front in zip(keys, _searched([(key, model, free) for key in keys], search_options, search), strict=True):
        table = front.table
        if len(table):
            ours = table.sort_values("tok_s_per_user", kind="stable")
            ours = ours.assign(accelerator=key, platform=platforms[key].label, model=model, scenario=case.id)
            blocks.append(ours.assign(**share_sold(key, model, case, assume.sold_by_load)))
    if not blocks:
        return pd.DataFrame()
    points = pd.concat(blocks, ignore_index=True).assign(prefix_cache_hit=case.prefix_cache_hit)
    return with_money(points, assume, platforms, cards)


def _money_intervals(best: Mapping[str, Any]) -> dict[str, Any]:
    """Money at the ends of the serving model's intervals, prices and costs held."""
    revenue, cost = best["revenue_usd_per_gpu_hour"], best["cost_usd_per_gpu_hour"]
    out: dict[str, Any] = {}
    for end, moved in rate_factors(best).items():
        for measure in EVERY_MEASURE.values():
            gpus = best[measure.gpus] if measure.gpus else 1.0
            out[f"{measure.column}_{end}"] = (revenue * moved - cost) * gpus * HOURS_PER_YEAR
        other = "high" if end == "low" else "low"
        for column in PER_RATE:
            out[f"{column}_{other}"] = best[column] / moved
    return out


def _heading(key: str, name: str, case: Scenario, reason: str, card: PriceCard | None, no_cost: str) -> dict[str, Any]:
    if not reason and card is None:
        reason = NO_LISTING
    return _asked(key, name, case) | {"reason": reason or no_cost}


def _asked(key: str, name: str, case: Scenario) -> dict[str, Any]:
    """What a cell asks: :data:`ASKED`."""
    return dict(zip(ASKED, (key, name, case.id, case.isl_tokens, case.osl_tokens, case.prefix_cache_hit), strict=True))


def _labelled(
    heads: Mapping[str, Any],
    found: Mapping[str, Any],
    assume: Assumptions,
    platforms: Mapping[str, Any],
    cards: Mapping[str, PriceCard | None],
) -> dict[str, Any]:
    """All columns in order, with those that say on which basis each figure stands."""
    plat = [platforms[key] for key in heads["accelerator"]]
    first = {"accelerator": heads["accelerator"], "platform": [p.label for p in plat]}
    return {
        **first,
        **{name: values for name, values in heads.items() if name not in first},
        **found,
        "cost_basis": [p.cost.basis if p.cost else "none" for p in plat],
        "cost_label": [p.cost.label() if p.cost else "no published $/GPU-hour" for p in plat],
        "cost_grade": [p.cost.grade if p.cost else "" for p in plat],
        "cost_source_id": [p.cost.source_id if p.cost else "" for p in plat],
        "unsold_hours": [p.cost.unsold_hours if p.cost else "" for p in plat],
        "power_vintage": assume.power_vintage if assume.kw_per_gpu is None else "given",
        "power_reason": [p.power_reason for p in plat],
        "rack_grade": [p.rack_grade for p in plat],
        "horizon_years": assume.horizon_years,
        "token_counting": TOKEN_COUNTING,
        "roi_kind": ROI_KIND,
        "investment_rule": [p.investment_rule for p in plat],
        "price_rule": [card.rule if (card := cards.get(m)) else "none" for m in heads["model"]],
        "price_date": [card.newest_listing if (card := cards.get(m)) else "" for m in heads["model"]],
    }


def moved(
    accelerators: Iterable[str],
    model: str,
    scenario: str,
    swept: Iterable[str],
    others: Iterable[tuple[str, Any, dict[str, Any]]],
    **overrides: Any,
) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Rows of :func:`evaluate` as asked, with each of some assumptions at both ends of its range, and under other changes.

    Yields
    ------
    dict, pandas.DataFrame
        ``assumption`` and ``value`` as text, and the rows.
    """
    keys, ranged = list(accelerators), base_case().range
    ends = [(name, end, {name: end}) for name in swept for end in ranged(name)]
    for name, value, change in [("as on this page", "", {}), *ends, *others]:
        yield {"assumption": name, "value": str(value)}, evaluate(keys, [model], [scenario], **{**overrides, **change})
