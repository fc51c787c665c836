"""One chunk of a sweep: frontiers searched once per distinct physics, money for all of its points at once."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from rackecon.appraisal.assumptions import assumptions
from rackecon.appraisal.money import NO_LISTING, cards_for, level_factor, platform_costs, platforms_for
from rackecon.catalog.cached import by_data, one_state
from rackecon.catalog.paths import table_digests
from rackecon.economics.cost_table import residual_at
from rackecon.economics.money_step import money_step, revenue_fall
from rackecon.economics.power_table import drawn_it_kw
from rackecon.errors import InputError
from rackecon.sweeps.grid import MONEY, PHYSICS, SETTINGS, grid_from_text, points_of
from rackecon.units import HOURS_PER_YEAR

RESULTS: Final = (
    "total_tok_s_per_gpu",
    "output_tok_s_per_gpu",
    "tok_s_per_user",
    "tpot_ms",
    "ttft_ms",
    "revenue_usd_per_gpu_hour",
    "cost_usd_per_gpu_hour",
    "profit_usd_per_gpu_hour",
    "gross_margin",
    "cost_usd_per_mtok_total",
    "cost_usd_per_mtok_output",
    "break_even_price_factor",
    "profit_usd_per_rack_year",
    "profit_usd_per_mw_year",
)
"""Columns of numbers; ``layout`` and ``reason`` are text."""
Options = tuple[tuple[str, Any], ...]
FEW_POINTS: Final = 64  # of the same physics, below which several physics are paid for at once
RATES: Final = RESULTS[:5]
BUSY: Final = ("decode_busy_share", "prefill_busy_share")
_Group = tuple[float, Any, Any]  # cache hit and front of some points, and their places
KEPT_POINTS: Final = 4096  # pairs of points and operating points evaluated at once: bounds memory


def run_chunk(text: str, first: int, count: int, digests: dict[str, str] | None = None) -> Any:
    """Points ``first`` to ``first + count`` of a grid as an Arrow table: the one function that every worker runs.

    Parameters
    ----------
    text : str
        The grid file.
    first, count : int
        Numbers of the points.
    digests : dict, optional
        What the sweep was started with; a worker with other data refuses.

    Returns
    -------
    pyarrow.Table
        ``point``, every parameter given, :data:`RESULTS`, ``layout``, ``reason``.
    """
    with one_state():
        return _chunk(text, first, count, digests)


def _chunk(text: str, first: int, count: int, digests: dict[str, str] | None) -> Any:
    """See :func:`run_chunk`; the tables do not change under it."""
    import pyarrow as pa

    if digests is not None and digests != table_digests():
        raise InputError("a worker reads other data than the sweep was started with")
    points = points_of(grid_from_text(text), first, count)
    results = {name: np.full(count, math.nan) for name in RESULTS}
    words = {name: np.full(count, "", dtype=object) for name in ("layout", "reason")}
    names = [name for name in points if name in (*PHYSICS, *SETTINGS)]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, key in enumerate(zip(*(points[name].tolist() for name in names), strict=True)):
        groups.setdefault(tuple(None if k != k else k for k in key), []).append(index)
    records = by_data()(_records)
    asked = [_search_options(dict(zip(names, key, strict=True))) for key in groups]
    known = _searched(asked)
    alike: dict[tuple[Any, ...], list[_Group]] = {}
    for (key, rows), options in zip(groups.items(), asked, strict=True):
        fixed, front = dict(zip(names, key, strict=True)), known[options]
        if not len(front):
            words["reason"][rows] = front.reason
            continue
        settings = tuple((name, fixed[name]) for name in SETTINGS if name in fixed)
        alone = () if len(rows) < FEW_POINTS else (key,)
        one = float(fixed.get("prefix_cache_hit") or 0.0), front.rows, np.array(rows)
        alike.setdefault((fixed["accelerator"], fixed["model"], settings, *alone), []).append(one)
    for case, some in alike.items():
        _fill(some, records(*case[:3]), points, results, words)
    columns = {"point": _numbers(np.arange(first, first + count, dtype=np.int64), pa.int64())}
    for name, values in (points | results | words).items():
        columns[name] = _texts(values) if values.dtype == object else _numbers(values.astype(np.float64), pa.float64())
    return pa.Table.from_arrays(list(columns.values()), list(columns))


# Columns are made of their buffers: pyarrow.array asks pandas whether it knows the values, and each worker would import it
def _numbers(values: Any, kind: Any) -> Any:
    """Numbers as a column, without those that are none."""
    import pyarrow as pa

    return pa.Array.from_buffers(
        kind, len(values), [_known(values == values), pa.py_buffer(np.ascontiguousarray(values))]
    )


def _texts(values: Any) -> Any:
    """Words as a column."""
    import pyarrow as pa

    held = values.tolist()
    known = None if None not in held else _known(np.array([value is not None for value in held]))
    texts = list(map(str, held)) if known is None else ["" if value is None else str(value) for value in held]
    whole = "".join(texts)
    ends = np.zeros(len(texts) + 1, dtype=np.int32)
    lengths = map(len, texts if whole.isascii() else [text.encode() for text in texts])
    np.cumsum(np.fromiter(lengths, np.int32, len(texts)), out=ends[1:])
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(whole.encode()), known)


def _known(is_known: Any) -> Any:
    """A bit for each value, nothing where every one is known."""
    import pyarrow as pa

    return None if is_known.all() else pa.py_buffer(np.packbits(is_known, bitorder="little"))


def chunk_bytes(text: str, first: int, count: int, digests: dict[str, str] | None = None) -> bytes:
    """A chunk as the bytes of its Parquet file: small to send, and nothing left to do but write it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(run_chunk(text, first, count, digests), out, compression="zstd")
    return bytes(out.getvalue())


def _searched(asked: list[Options]) -> dict[Options, Any]:
    """Fronts of a chunk by what was asked."""
    from rackecon.serving.frontier import LENGTHS, searched
    from rackecon.serving.query import Query

    first: dict[Options, Query] = {}
    queries = {}
    for options in dict.fromkeys(asked):
        given = dict(options)
        lengths = {name: given.pop(name) for name in LENGTHS if name in given}
        alike = tuple(given.items())
        if alike not in first:
            where = (given.pop("accelerator"), given.pop("model"), lengths["isl_tokens"], lengths["osl_tokens"])
            first[alike] = Query.of(*where, **given)
        queries[options] = first[alike].at(**lengths)
    return dict(zip(queries, searched(list(queries.values())), strict=True))


def _search_options(fixed: dict[str, Any]) -> Options:
    physics = {n: v for n, v in fixed.items() if n in PHYSICS and v is not None}
    if "max_gpus" in physics:
        physics["max_gpus"] = int(physics["max_gpus"])
    return tuple(sorted(physics.items()))


def _records(accelerator: str, model: str, settings: tuple[tuple[str, Any], ...]) -> tuple[Any, Any, Any]:
    """Assumptions, platform and price card (None where nothing is listed) of a point."""
    assume = assumptions(**dict(settings)).stated_share()
    return assume, platforms_for([accelerator], assume)[accelerator], cards_for([model], assume)[model]


def _fill(some: list[_Group], found: tuple[Any, Any, Any], points: Any, results: Any, words: Any) -> None:
    """Results of all the points that share records."""
    sizes = np.array([len(front["total_tok_s_per_gpu"]) for _, front, _ in some])
    # a front's highest throughput comes first, so that of equal profits the most productive point is taken
    place = np.arange(max(sizes))
    at = np.minimum(place, sizes[:, None] - 1) + (np.cumsum(sizes) - sizes)[:, None]
    op = {name: np.concatenate([front[name] for _, front, _ in some])[at] for name in (*RATES, *BUSY, "layout")}
    op |= {"there": place < sizes[:, None], "hit": np.array([[share] for share, _, _ in some])}
    rows = np.concatenate([each for _, _, each in some])
    which = np.repeat(np.arange(len(some)), [len(each) for _, _, each in some])
    step = max(KEPT_POINTS // len(place), 1) * 4
    for start in range(0, len(rows), step):
        own = which[start : start + step] if len(some) > 1 else slice(None)
        part = {name: values[own] for name, values in op.items()}
        _fill_rows(rows[start : start + step], part, found, points, results, words)


def _fill_rows(some: Any, op: Any, found: tuple[Any, Any, Any], points: Any, results: Any, words: Any) -> None:
    """Results of some points; the operating points of each, or of all alike, on the second axis of ``op``."""
    assume, platform, card = found
    drawn = drawn_it_kw(platform.accelerator, platform.tdp_w, platform.it_kw_per_gpu, op)
    prices = dict.fromkeys(("fresh_input", "cached_input", "output"), 0.0)
    if card is not None:
        prices = {name: float(np.nan_to_num(getattr(card, name))) for name in prices}
    money = {n: points[n][some][:, None] if n in points else getattr(assume, n) for n in MONEY}
    cost = np.broadcast_to(_cost(platform, assume, money, drawn), (len(some), op["there"].shape[1]))
    fall = revenue_fall(money["price_decline_per_year"], money["own_software_gain_per_year"])
    step = money_step(
        total_tok_s_per_gpu=op["total_tok_s_per_gpu"],
        output_tok_s_per_gpu=op["output_tok_s_per_gpu"],
        price_fresh_input_usd_per_mtok=prices["fresh_input"],
        price_cached_input_usd_per_mtok=prices["cached_input"],
        price_output_usd_per_mtok=prices["output"],
        cost_usd_per_gpu_hour=cost,
        prefix_cache_hit=op["hit"],
        utilisation=money["utilisation"],
        licence_share=money["licence_share"],
        free_share=money["free_share"],
        price_factor=money["price_factor"] * level_factor(fall, money["horizon_years"]),
    )
    paid = card is not None and not platform.reason
    score = step.profit_usd_per_gpu_hour if paid else np.zeros_like(cost)
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 10.0 ** (8 - np.floor(np.log10(np.abs(np.where(score == 0, 1.0, score)))))
    best = np.argmax(np.where(op["there"] & np.isfinite(score), np.round(score * digits) / digits, -np.inf), axis=1)
    row = np.arange(len(some))
    each = {name: op[name][row if len(op[name]) > 1 else 0, best] for name in (*RATES, "layout")}
    for name in RATES:
        results[name][some] = each[name]
    words["layout"][some] = each["layout"]
    words["reason"][some] = platform.reason if card is not None else NO_LISTING
    chosen = np.where(np.isfinite(cost[row, best]), cost[row, best], math.nan)
    results["cost_usd_per_gpu_hour"][some] = chosen
    sold = np.broadcast_to(money["utilisation"], cost.shape)[:, 0]
    for name in ("total", "output"):
        with np.errstate(divide="ignore", invalid="ignore"):
            per = chosen / (each[f"{name}_tok_s_per_gpu"] * sold * 3600.0) * 1e6
        results[f"cost_usd_per_mtok_{name}"][some] = np.where(np.isfinite(per), per, math.nan)
    if card is None:
        return
    names = ("revenue_usd_per_gpu_hour", "profit_usd_per_gpu_hour", "gross_margin", "break_even_price_factor")
    for name in names:
        value = np.broadcast_to(getattr(step, name), cost.shape)[row, best]
        results[name][some] = np.where(np.isfinite(value), value, math.nan)
    yearly = results["profit_usd_per_gpu_hour"][some] * HOURS_PER_YEAR
    results["profit_usd_per_rack_year"][some] = yearly * platform.gpus_per_rack
    results["profit_usd_per_mw_year"][some] = yearly * platform.gpus_per_mw


def _cost(platform: Any, assume: Any, money: dict[str, Any], drawn: Any) -> Any:
    """Cost of a platform's GPU-hour at each point's terms and each operating point's draw."""
    years = money["horizon_years"]
    ends: Any = SimpleNamespace(
        **{n: money[n] for n in ("electricity_usd_per_kwh", "utilisation", "cost_factor", "wacc", "horizon_years")},
        pue=assume.pue,
        tax_rate=assume.tax_rate,
        resale_share=residual_at(years) if assume.residual_share is None else assume.residual_share,
    )
    return platform_costs([platform], ends, drawn, np.zeros(1, dtype=np.intp))[0]
