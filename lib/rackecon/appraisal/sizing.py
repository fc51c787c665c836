"""How many GPUs a number of users, or of requests a second, needs on each platform, and what they cost.

Every configuration of the search is looked at: one that carries few requests on few GPUs may be the smallest fleet,
though a wide one earns more per GPU. Users wait for their answers (a closed loop, as the search solves it); requests a
second come by themselves and queue (:mod:`rackecon.load.queueing`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon.appraisal.assumptions import Assumptions, assumptions
from rackecon.appraisal.evaluate import PLATFORMS
from rackecon.appraisal.money import Platform, cost_words, platform_cost, platforms_for
from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Scenario
from rackecon.catalog.cached import one_state
from rackecon.economics.cost_table import hours_served_share
from rackecon.economics.tokens import cost_usd_per_mtok
from rackecon.errors import InputError
from rackecon.evidence.intervals import AT_SPEED, interval_factors
from rackecon.evidence.novelty import also_new
from rackecon.lazy import pd
from rackecon.load.platforms import open_load, replica_of, scaled_lengths, unit_gpus
from rackecon.load.queueing import Burstiness
from rackecon.load.requests import Requests
from rackecon.serving.candidates import evaluate_all
from rackecon.serving.front import layout_texts, one_row
from rackecon.serving.frontier import find
from rackecon.serving.query import Query
from rackecon.serving.task import Task

MOST_USERS: Final = 1e9
NO_QUEUE: Final = "no fleet keeps the first token's limit for 99 % of requests that come by themselves"
LEAST_OPEN: Final = 0.05
"""Share of its closed-loop rate below which a deployment is not taken: it cannot keep the limit with a queue at all."""
TRIED: Final = 8
"""Layouts whose queue is looked at, those of the smallest fleets."""
ROUNDS: Final = 8  # a fleet that queueing enlarges queues less: settled in two or three


@dataclass(frozen=True)
class Ask:
    """What is to be served: users who each wait for their answer, or requests that come by themselves."""

    isl_tokens: float
    osl_tokens: float
    users: float | None = None
    rps: float | None = None
    lengths: str | None = None
    """Trace whose lengths, scaled to these means, requests have that come by themselves; None: all alike."""
    think_s: float = 0.0
    """Between an answer and a user's next request."""

    def __post_init__(self) -> None:
        if (self.users is None) == (self.rps is None):
            raise InputError("give exactly one of users and rps")
        for name, value in (("users", self.users), ("rps", self.rps)):
            if value is not None and not 0 < value <= MOST_USERS:
                raise InputError(f"{name} {value:g} is out of range: allowed above 0 to {MOST_USERS:,.0f}")
        if not 0 <= self.think_s <= 86400 or (self.think_s and self.users is None):
            raise InputError(f"think_s {self.think_s:g}: needs 0 to 86,400 seconds, with users")

    def needed(self, concurrency: FloatArray, rps: FloatArray) -> FloatArray:
        """Deployments, as a real number, of one that runs so many requests in flight at that rate.

        Notes
        -----
        A user cycles through an answer and a pause, so a deployment with ``C`` in flight at ``X`` requests a second
        carries :math:`C + X Z` users (the interactive response-time law, Denning and Buzen 1978).

        Examples
        --------
        >>> float(Ask(1000, 500, users=500, think_s=10.0).needed(np.array(64.0), np.array(3.6)))
        5.0
        """
        if self.rps is not None:
            return np.asarray(self.rps / rps)
        assert self.users is not None
        return np.asarray(self.users / (concurrency + rps * self.think_s))

    def served_rps(self, row: Mapping[str, Any], rps: float) -> float:
        """Requests a second that the whole of what is asked makes, on such deployments."""
        if self.rps is not None:
            return self.rps
        assert self.users is not None
        return self.users / (float(row["concurrency"]) / rps + self.think_s)


@one_state()
def size_fleet(
    model: str,
    isl_tokens: float,
    osl_tokens: float,
    *,
    users: float | None = None,
    rps: float | None = None,
    lengths: str | None = None,
    think_s: float = 0.0,
    accelerators: Iterable[str] = PLATFORMS,
    usd_per_gpu_hour: float | None = None,
    **options: Any,
) -> pd.DataFrame:
    """The smallest fleet of each platform that serves users, or requests a second, within latency limits.

    Parameters
    ----------
    model : str
        Id of the catalog.
    isl_tokens, osl_tokens : float
        Mean input and output length [tokens].
    users : float, optional
        Users with a request each in flight or, with ``think_s``, pausing.
    rps : float, optional
        Requests a second that arrive by themselves (Poisson); 99 % of first tokens keep the limit then.
    lengths : str, optional
        Public trace (``azure2023_conv``, ...) whose spread of lengths ``rps`` has, scaled to the means; all alike by default.
    think_s : float
        Pause of a user between an answer and the next request [s].
    accelerators : iterable of str
        Ids; those of the report by default.
    usd_per_gpu_hour : float, optional
        One's own cost; that of :func:`rackecon.appraisal.evaluate.evaluate` by default, its terms in ``cost_label``.
    **options
        Of :func:`rackecon.search`: ``ttft_limit_ms``, ``tpot_limit_ms``, ``latency_statistic``, ``prefix_cache_hit``,
        ``weight_precision``, ``engine``, ``max_gpus``, ``mode``, ...

    Returns
    -------
    pandas.DataFrame
        A row a platform, cheapest first, then by GPUs; ``reason`` where it has none or no cost. ``gpus_low`` and ``gpus_high``
        bound 90 % of the error of a searched rate at the promised speed, cost held; ``units`` are servers or racks of
        ``unit_gpus``, which cost ``usd_per_hour_units`` whole; other dollars are those of the GPUs used. GPUs are those in service,
        whose spares are in their cost; nothing is sold in hours out of service, which dollars per million tokens count.
        Latencies are medians of a deployment at the least load of the search that carries its share.

    Raises
    ------
    InputError
        Unknown id; both or none of users and rps; a value out of range.

    Examples
    --------
    >>> fleet = size_fleet("llama-3.1-8b", 1000, 300, users=500, tpot_limit_ms=40.0, accelerators=["h100-sxm"]).iloc[0]
    >>> bool(fleet["gpus_low"] <= fleet["gpus"] <= fleet["gpus_high"]), bool(fleet["tok_s_per_user"] >= 25.0)
    (True, True)
    """
    ask = Ask(float(isl_tokens), float(osl_tokens), users, rps, lengths, float(think_s))
    keys = list(dict.fromkeys(accelerators))
    assume = assumptions(cost_usd_per_gpu_hour=usd_per_gpu_hour)
    platforms = platforms_for(keys, assume)
    rows = [
        _fleet(Query.of(key, model, isl_tokens, osl_tokens, **options), ask, platforms[key], assume, options)
        for key in keys
    ]
    table = pd.DataFrame(rows)
    return table.sort_values(["usd_per_hour", "gpus"], kind="stable", na_position="last").reset_index(drop=True)


def _fleet(asked: Query, ask: Ask, money: Platform, assume: Assumptions, options: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"accelerator": asked.chip.id, "platform": money.label, **dict.fromkeys(COLUMNS, math.nan)}
    out |= {"layout": "", "reason": "", "cost_label": cost_words(money, assume) if money.cost else ""}
    if not asked.chip.servable:
        return out | {"reason": f"not modelled: {asked.chip.note}"}
    found = evaluate_all(Task(asked))
    every = found.rows()
    # What does not fit has no rate, load or size
    gpus, load, rated = (np.where(every["fits"], every[x], 1.0) for x in ("gpus", "concurrency", "total_tok_s_per_gpu"))
    each = rated * gpus / (ask.isl_tokens + ask.osl_tokens)
    kept = every["fits"] & asked.limits.keeps(every["tpot_ms"], every["ttft_ms"])
    fleets = []
    for carried in _ends(asked, every["mode"]):
        count = np.where(kept, np.maximum(np.ceil(ask.needed(load * carried, each * carried) - 1e-9), 1.0), np.inf)
        fleets.append((count * gpus, count))
    whole, count = fleets[1]
    if not np.isfinite(whole).any():
        return out | {"reason": find(asked).reason}
    # Of equal fleets, the one with most to spare
    order = np.lexsort((-count * each, whole))
    best, deployments, share = int(order[0]), float(count[order[0]]), 1.0
    if ask.rps is not None:
        best, deployments, share = _smallest_queued(asked, ask, every, order[np.isfinite(whole[order])], each, options)
        if not math.isfinite(deployments):
            return out | {"reason": NO_QUEUE}
    best = _at_its_load(every, best, ask.needed(load, each) <= deployments)
    row = one_row(every, best)
    total = deployments * float(gpus[best])
    # A queue enlarges the fleets of both ends as it does the middle
    ends = [float(np.min(fleet)) * total / float(whole[order[0]]) for fleet, _ in (fleets[2], fleets[0])]
    unit = unit_gpus(asked.chip.id)
    served = ask.served_rps(row, float(each[best]))
    out |= {
        "layout": str(
            layout_texts({name: np.array([row[name]]) for name in ("layout", "mode", "prefill_gpus", "decode_gpus")})[0]
        ),
        "weight_precision": row["weight_precision"],
        "deployments": deployments,
        "gpus": total,
        "gpus_low": math.ceil(ends[0] - 1e-9),
        "gpus_high": math.ceil(ends[1] - 1e-9) if math.isfinite(ends[1]) else math.inf,
        "unit_gpus": unit,
        "units": math.ceil(total / unit),
        "in_flight_per_deployment": row["concurrency"],
        "open_load_share": share,
        "requests_per_s": served,
        **{name: row[name] for name in ("tok_s_per_user", "tpot_ms", "ttft_ms")},
        "kw": total * money.kw_per_gpu,
    }
    return out | _money(out, money, assume, served * (ask.isl_tokens + ask.osl_tokens))


COLUMNS: Final = (
    *(
        "weight_precision",
        "deployments",
        "gpus",
        "gpus_low",
        "gpus_high",
        "unit_gpus",
        "units",
        "in_flight_per_deployment",
    ),
    *("open_load_share", "requests_per_s", "tok_s_per_user", "tpot_ms", "ttft_ms", "kw"),
    *("usd_per_gpu_hour", "usd_per_hour", "usd_per_hour_low", "usd_per_hour_high", "usd_per_hour_units"),
    *("usd_per_mtok", "usd_per_mtok_low", "usd_per_mtok_high"),
)


def _at_its_load(every: Mapping[str, Any], best: int, carries: BoolArray) -> int:
    """The same layout at the least load that carries what is asked: a fleet with room to spare is faster than at its full."""
    alike = carries & every["fits"]
    for name in ("layout", "mode", "draft_tokens", "gpus", "prefill_gpus"):
        alike = alike & (every[name] == every[name][best])
    rows = np.flatnonzero(alike)
    return int(rows[np.argmin(np.asarray(every["concurrency"])[rows])]) if len(rows) else best


def _ends(asked: Query, modes: NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Factors on what a GPU carries at the promised speed at the low end of 90 %, in the middle, and at the high end, by row."""
    pair, known = (asked.chip.id, asked.arch.id), {}
    for mode in np.unique(modes).tolist():
        also = also_new(*pair, asked.engine_of(mode), asked.isl_tokens, asked.osl_tokens)
        known[mode] = interval_factors(*pair, mode, AT_SPEED, also=also)
    low, high = (np.array([known[mode][end] for mode in modes.tolist()]) for end in (0, 1))
    return low, np.ones(len(low)), high


def _smallest_queued(
    asked: Query,
    ask: Ask,
    every: Mapping[str, Any],
    order: IntArray,
    each: FloatArray,
    options: Mapping[str, Any],
) -> tuple[int, float, float]:
    """Of the smallest fleets without a queue, one a layout, the smallest with it: its row, deployments and open load."""
    best, least = (int(order[0]), math.inf, 0.0), math.inf
    tried: set[tuple[str, ...]] = set()
    names = ("layout", "mode", "draft_tokens", "prefill_gpus")
    for at in order.tolist():
        gpus, layout = float(every["gpus"][at]), tuple(str(every[name][at]) for name in names)
        if layout in tried:
            continue
        if (
            math.ceil(float(ask.needed(every["concurrency"][at], each[at])) - 1e-9) * gpus >= least
            or len(tried) >= TRIED
        ):
            break
        tried.add(layout)
        count, share = _queued(asked, ask, one_row(every, at), float(each[at]), options)
        if count * gpus < least:
            best, least = (at, count, share), count * gpus
    return best


def _queued(
    asked: Query, ask: Ask, row: Mapping[str, Any], rps: float, options: Mapping[str, Any]
) -> tuple[float, float]:
    """Deployments for arrivals that come by themselves, and the share of its closed-loop rate that each then takes."""
    given = {
        name: value for name, value in options.items() if not name.endswith("_limit_ms") and name != "latency_statistic"
    }
    limits = asked.limits
    case = Scenario(
        "asked",
        "asked",
        "",
        round(ask.isl_tokens),
        round(ask.osl_tokens),
        asked.prefix_cache_hit,
        limits.ttft_ms,
        limits.tpot_ms,
        "median",
    )
    replica, arriving = replica_of(asked.chip.id, asked.arch.id, case, row, **given), float(ask.rps or 0.0)
    alike = Requests(np.arange(2.0), np.full(2, case.isl_tokens), np.full(2, case.osl_tokens))
    lengths = scaled_lengths(ask.lengths, case) if ask.lengths else alike
    count, share = math.ceil(arriving / rps - 1e-9), 1.0
    for _ in range(ROUNDS):
        share = open_load(replica, case, lengths, count, Burstiness.poisson())
        if share < LEAST_OPEN:
            return math.inf, 0.0
        wanted = math.ceil(arriving / (rps * share) - 1e-9)
        if wanted <= count:
            break
        count = wanted
    return float(count), share


def _money(row: Mapping[str, Any], money: Platform, assume: Assumptions, tok_s: float) -> dict[str, Any]:
    """Dollars an hour of the fleet's GPUs and of its whole units, and per million tokens served; the ends are of the number of GPUs."""
    if money.cost is None:
        return {"reason": money.reason}
    usd, sold = platform_cost(money, assume)[0], hours_served_share()
    out: dict[str, Any] = {"usd_per_gpu_hour": usd, "usd_per_hour_units": usd * row["units"] * row["unit_gpus"]}
    for end in ("", "_low", "_high"):
        hourly = usd * float(row[f"gpus{end}"])
        out[f"usd_per_hour{end}"] = hourly
        out[f"usd_per_mtok{end}"] = float(cost_usd_per_mtok(hourly, tok_s, sold)) if math.isfinite(hourly) else math.inf
    return out
