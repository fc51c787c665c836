"""Agents on a platform: sessions alive, the cache hit they leave each other, tokens a second and GPU at a speed.

A turn waits for a tool or a person, then is served; of ``N`` sessions, ``N - X z`` are in flight at ``X`` turns a second with
waits of mean ``z``. Sub-agents send a share of the requests while the session that called them waits. Each candidate of the
serving model is solved for the hit at which memory left for the cache, sessions alive and time between turns agree
(:func:`rackecon.load.sessions.session_hit`); the slowest tenth of requests meet more others than the mean does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Accelerator, Model, accelerator, model, table
from rackecon.catalog.cached import by_data
from rackecon.catalog.kept import kept
from rackecon.lazy import pd
from rackecon.load.sessions import Sessions, coding_sessions, session_hit
from rackecon.performance.engine import build_engine
from rackecon.performance.memory import ledger
from rackecon.performance.parameters import load_parameters
from rackecon.serving.closed_loop import acceptance_length
from rackecon.serving.frontier import candidates

Rows = Mapping[str, NDArray[Any]]
HITS: Final = (0.0, 0.4, 0.6, 0.75, 0.85, 0.9, 0.93, 0.95, 0.96, 0.965)
ROOMS: Final = np.geomspace(1e3, 1e9, 37)
SERVICES: Final = (1.0, 5.0, 20.0, 80.0)
LIVE: Final = (1.0, 2.0, 4.0, 8.0, 32.0, 256.0)
AGENTS: Final = "agentic-coding"  # the workload of data/scenarios.csv that they are
SPEED_QUANTILE: Final = 0.9
MOST_PREFILLING: Final = 0.999  # share of an engine's time that prompts take at the most
COMPRESSED: Final = "v4"  # attention of data/models.csv that compresses contexts before it selects from them
LAYOUT: Final = ("mode", "tp", "ep", "pp", "dp_attention", "engine", "kv_precision", "weight_precision")
SUREST: Final = 0.999  # chance that a draft token is accepted, at the most
FEWER: Final = (0.03, 0.1, 0.3)  # loads below the least of a search, as shares of it


@dataclass(frozen=True)
class AgenticParameters:
    """What data/agentic_parameters.csv and data/agentic_workload.csv say of replays and of long contexts."""

    wait_cap_s: float  # of a session
    compressed_step: float  # time of a decode step of compressed attention over that of the serving model
    run_idle_cap_s: float  # where all sessions of a run wait
    subagent_requests: float  # share of requests


def _stat(item: str, statistic: str = "") -> float:
    rows = table("agentic_workload")
    found = rows[(rows["item"] == item) & (rows["statistic"].fillna("") == statistic)]
    return float(found["value"].iloc[0])


def agentic_parameters() -> AgenticParameters:
    """The shipped ones, or those of a user's own data."""
    values = table("agentic_parameters").set_index("parameter")["value"]
    fitted = float(values["session_wait_cap_s"]), float(values["compressed_attention_step"])
    return AgenticParameters(*fitted, _stat("idle_cap_s"), _stat("subagent_requests"))


def agentic_sessions(wait_cap_s: float | None = None) -> Sessions:
    """Recorded coding sessions scaled to the means that runs of the replayed corpus served, long waits cut."""
    cap = agentic_parameters().wait_cap_s if wait_cap_s is None else wait_cap_s
    return coding_sessions().scaled(_stat("input_tokens", "mean"), _stat("output_tokens", "mean")).capped(cap)


def cache_tiers(accelerator_id: str) -> pd.DataFrame:
    """Memory behind HBM of a platform: its own rows of data/cache_tiers.csv, else those of any."""
    rows = table("cache_tiers")
    own = rows[rows["accelerator"] == accelerator_id]
    other = rows[rows["accelerator"].isna() & ~rows["tier"].isin(own["tier"])]
    return pd.concat([own, other])


def _alike(rows: Rows, names: Sequence[str]) -> tuple[IntArray, IntArray]:
    """First row of each combination of columns, and the combination of every row."""
    code = np.zeros(len(rows["tp"]), dtype=np.int64)
    for name in names:
        values, found = np.unique(rows[name], return_inverse=True)
        code = code * len(values) + found
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first, inverse


def _room_tokens(chip: Accelerator, arch: Model, rows: Rows, context: float) -> FloatArray:
    """Tokens that the decode engines of each row can keep in HBM."""
    first, inverse = _alike(rows, LAYOUT)
    n = len(first)
    names = load_parameters().names
    engine = build_engine(
        [chip] * n,
        [arch] * n,
        [str(x) for x in rows["weight_precision"][first]],
        [str(x) for x in rows["kv_precision"][first]],
        [str(x) for x in rows["engine"][first]],
        [str(x) for x in rows["mode"][first]],
        rows["tp"][first].astype(float),
        rows["ep"][first].astype(float),
        rows["pp"][first].astype(float),
        rows["dp_attention"][first],
        {name: i for i, name in enumerate(names)},
    )
    held = ledger(engine, np.full(n, context)).max_sequences * context
    return np.asarray(held[inverse] * np.maximum(rows["decode_workers"], 1.0))


@by_data(16, "agentic_workload", "agentic_parameters")
def _hit_table(wait_cap_s: float) -> FloatArray:
    """Hit by room for each live session, live sessions that share a cache, and time of service."""
    seen = agentic_sessions(wait_cap_s)
    found = [
        [np.cumsum(session_hit(seen, n, np.diff(ROOMS * n, prepend=0.0).tolist(), r).by_tier) for r in SERVICES]
        for n in LIVE
    ]
    return np.moveaxis(np.array(found), -1, 0)


def _hit_of(grid: FloatArray, room: FloatArray, live: FloatArray, service_s: FloatArray) -> FloatArray:
    from scipy.interpolate import RegularGridInterpolator

    axes = np.log(ROOMS), np.log(np.array(LIVE)), np.log(np.array(SERVICES))
    asked = (
        np.clip(np.log(np.maximum(x, 1e-9)), *axis[[0, -1]])
        for x, axis in zip((room, live, service_s), axes, strict=True)
    )
    return np.asarray(RegularGridInterpolator(axes, grid)(np.stack(np.broadcast_arrays(*asked), -1)))


@dataclass(frozen=True)
class Settled:
    """Rows at the hit that agrees with itself."""

    sessions: FloatArray
    gpus: FloatArray
    turns_per_s: FloatArray
    tpot_s: FloatArray  # mean
    slow_tpot_s: FloatArray  # that nine in ten requests keep
    hit: FloatArray
    fits: BoolArray


def _slow(tpot_s: FloatArray, running: FloatArray, ranks: FloatArray, series: IntArray) -> FloatArray:
    """Time of a token that nine in ten requests keep.

    Requests in flight beside one are taken as Poisson on each rank; a request of the slowest tenth shares its engine with
    the number that one in ten exceeds (between whole numbers, by the continuous inverse).
    """
    from scipy.special import pdtrik

    beside = np.nan_to_num(pdtrik(SPEED_QUANTILE, np.maximum(running / ranks, 1e-9)), nan=0.0)
    busy = np.maximum(ranks * (1.0 + np.maximum(beside, 0.0)), running)
    out = np.empty_like(tpot_s)
    for rows in np.split(np.argsort(series, kind="stable"), np.flatnonzero(np.diff(np.sort(series))) + 1):
        order = rows[np.argsort(running[rows])]
        known = order[np.isfinite(tpot_s[order])]
        out[rows] = (
            np.interp(busy[rows], running[known], np.maximum.accumulate(tpot_s[known])) if len(known) else np.nan
        )
    return np.maximum(out, tpot_s)


@by_data(8, "agentic_runs")
def replay_drafts(model_id: str) -> tuple[float, float] | None:
    """Tokens that replays of a model draft a step, and the chance that one is accepted; None where none drafts.

    Examples
    --------
    >>> replay_drafts("deepseek-v4-pro"), replay_drafts("gpt-oss-120b")
    ((3.0, 0.69), None)
    """
    from scipy.optimize import brentq

    runs = table("agentic_runs")
    drafting = runs[(runs["model"] == model_id) & (runs["draft_tokens"] > 0)]
    if drafting.empty:
        return None
    depth, tokens = (float(drafting[name].iloc[0]) for name in ("draft_tokens", "tokens_per_step"))
    return depth, float(brentq(lambda chance: float(acceptance_length(np.array(depth), chance)) - tokens, 0.0, SUREST))


def _tokens_per_step(arch: Model, draft_tokens: FloatArray) -> FloatArray:
    """Tokens of a decode step with the drafts of replays, over those of the serving model."""
    replayed, used = replay_drafts(arch.id), load_parameters()
    if replayed is None:
        return np.ones(len(draft_tokens))
    # Answers of agents are shorter than the outputs from which acceptance rises
    known = used.values()[used.index(f"accept.{arch.draft_method}")]
    return np.asarray(acceptance_length(draft_tokens, replayed[1]) / acceptance_length(draft_tokens, known))


def _step_factor(arch: Model, draft_tokens: FloatArray, parameters: AgenticParameters) -> FloatArray:
    """Time of a decoded token over that of the serving model."""
    longer = parameters.compressed_step if arch.attention == COMPRESSED else 1.0
    return longer / _tokens_per_step(arch, draft_tokens)


def _with_loading(rows: Rows, service_s: FloatArray, loaded: FloatArray, lane: float) -> FloatArray:
    """Time of a request with contexts read from the host [s].

    Parameters
    ----------
    rows : mapping
        Columns of a front.
    service_s : ndarray
        Time of a request without [s].
    loaded : ndarray
        Bytes that a request reads.
    lane : float
        Between the host and one GPU [bytes/s].

    Notes
    -----
    Those GPUs read that take the prompt: of the prefill pool where there is one; attention ranks read each their own. Of
    ``C`` requests in flight :math:`X = C / T` a second read, at most :math:`k` of them:

    .. math:: T = a + \\frac{b}{1 - X / k}

    with :math:`b` of a request that reads alone (processor sharing; source: Kleinrock, Queueing Systems II, 1976, chapter 4), a
    quadratic in :math:`X`.

    Examples
    --------
    >>> row = {"tp": 2.0, "pp": 1.0, "dp_attention": False, "mode": "aggregated", "gpus": 2.0, "concurrency": 3.0}
    >>> one = _with_loading({name: np.array([x]) for name, x in row.items()}, np.array([1.0]), np.array([2.0]), 1.0)
    >>> one.tolist()  # the lanes read one request a second at the most, and 3 / 4.30 = 0.70 are: 1 + 1 / (1 - 0.70)
    [4.30]
    """
    split, gpus = rows["mode"] == "disaggregated", rows["gpus"]
    ranks = np.where(rows["dp_attention"], 1.0, rows["tp"] * rows["pp"])
    if split.any():
        ranks = np.where(split, np.where(rows["prefill_dp_attention"], 1.0, rows["prefill_tp"]), ranks)
        gpus = np.where(split, rows["prefill_gpus"], gpus)
    alone, each = loaded / (lane * ranks), loaded / (lane * gpus)
    queued = rows["concurrency"] * each
    half = (service_s + alone + queued) / 2.0
    return np.asarray(half + np.sqrt(np.maximum(half**2 - service_s * queued, 0.0)))


def settle(
    chip: Accelerator,
    arch: Model,
    rows_at: Callable[[float, float, float], Rows],
    *,
    host_memory: BoolArray | bool = True,
    sessions: FloatArray | None = None,
    parameters: AgenticParameters | None = None,
) -> Settled:
    """Rows of the serving model as agents load them.

    Parameters
    ----------
    chip, arch
        Records of the catalog.
    rows_at : callable
        Columns of a front for a mean input, a mean output [tokens] and a hit; the same rows in the same order for each
        hit, with ``series``, the number of the configuration that rows of different load share.
    host_memory : ndarray of bool or bool
        Whether contexts that HBM lets go are kept in the host's memory.
    sessions : ndarray, optional
        Sessions alive of a run, by row: where all of them wait, the run goes on after its own cap. By default as many
        as the load of each row implies, with no such cap.
    parameters : AgenticParameters, optional
        The shipped ones by default.

    Notes
    -----
    :math:`N (1 + s) = C + X z`: ``N`` sessions, ``s`` requests of sub-agents to each of their own, ``C`` requests in
    flight at ``X`` a second, waits of mean ``z``. Source: the interactive response time law (Denning and Buzen, 1978);
    counting the requests of sub-agents is own.
    """
    used = parameters or agentic_parameters()
    seen = agentic_sessions(used.wait_cap_s)
    isl, osl = float(seen.input_tokens.mean()), float(seen.output_tokens.mean())
    later = seen.wait_s[~seen.first]
    wait, alone = float(later.mean()), float(np.minimum(later, used.run_idle_cap_s).mean())
    helpers = used.subagent_requests / (1.0 - used.subagent_requests)
    grid, tiers = _hit_table(used.wait_cap_s), cache_tiers(chip.id)
    host = tiers[tiers["tier"] == "host memory"].iloc[0]
    found, able = [], []
    for hit in HITS:
        rows = rows_at(isl, osl, hit)
        factor = _step_factor(arch, rows["draft_tokens"], used)
        # A decode engine, and each of its attention ranks, keeps the contexts of its own sessions
        engines = np.maximum(rows["decode_workers"], 1.0)
        caches = engines * np.where(rows["dp_attention"], rows["tp"], 1.0)
        room = _room_tokens(chip, arch, rows, isl + osl)
        per_token = np.where(rows["kv_precision"] == "bf16", arch.kv_bytes_per_token_bf16, arch.kv_bytes_per_token_fp8)
        kept = np.where(host_memory, rows["gpus"] * float(host["gb_per_gpu"]) * 1e9 / per_token, 0.0)
        turns = np.maximum(rows["total_tok_s_per_gpu"] * rows["gpus"] / (isl + osl), 1e-12)
        token_s = rows["tpot_ms"] / 1e3
        own = np.where(
            rows["mode"] == "aggregated", 1.0 - np.clip(rows["prefill_gpu_share"], 0.0, MOST_PREFILLING), 1.0
        )
        slower = token_s * own * (factor - 1.0)
        loaded = np.where(host_memory, hit * isl * per_token, 0.0)
        service = rows["concurrency"] / turns + osl * slower
        service = _with_loading(rows, service, loaded, float(host["gb_per_s_per_gpu"]) * 1e9)
        turns = rows["concurrency"] / service
        # Where all others wait too, a run goes on after its own cap
        others = np.zeros(1) if sessions is None else (wait / (wait + service)) ** (sessions - 1.0)
        idle = wait * (1.0 - others) + alone * others
        alive = (rows["concurrency"] + turns * idle) / (1.0 + helpers)
        # Running contexts live in HBM; what is left of it and the host keep those that wait
        live = alive if sessions is None else sessions
        derived = _hit_of(grid, (room + kept) / live, live / caches, service)
        # Pools are as large as each hit needs them
        found.append((derived - hit, alive, rows["gpus"], turns, token_s + slower, engines))
        able.append(rows["fits"] > 0)
    alive, gpus, turns, tpot, engines, hit_found = _agreed(np.array(found), np.array(able))
    ranks = np.where(rows["dp_attention"], rows["tp"], 1.0)
    slow = _slow(tpot, turns * osl * tpot / engines, ranks, rows["series"])
    return Settled(alive, gpus, turns, tpot, slow, hit_found, np.isfinite(turns) & (turns > 0))


def _agreed(found: FloatArray, fits: BoolArray) -> tuple[FloatArray, ...]:
    """Quantities at the hit that agrees with itself, and the hit; NaN for a row that fits at none that it reaches.

    Parameters
    ----------
    found : ndarray
        ``(hits, quantities, rows)``; the first is how far the derived hit exceeds the one tried.
    fits : ndarray of bool
        ``(hits, rows)``.

    Examples
    --------
    >>> gap, value = np.full((10, 1), -0.5), np.arange(10.0)[:, None]
    >>> gap[:4] = 0.5
    >>> [x.tolist() for x in _agreed(np.stack([gap, value], axis=1), np.ones((10, 1), dtype=bool))]
    [[3.5], [0.8]]
    """
    gap = np.where(fits, found[:, 0], np.nan)
    # The highest tried hit that the derived one reaches, and how far to the next
    reach = gap >= 0
    level = np.where(reach.any(axis=0), len(HITS) - 1 - np.argmax(reach[::-1], axis=0), 0)
    nxt, at = np.minimum(level + 1, len(HITS) - 1), np.arange(gap.shape[1])
    fall = gap[level, at] - gap[nxt, at]
    part = np.where(fall > 0, np.clip(gap[level, at] / np.where(fall > 0, fall, 1.0), 0.0, 1.0), 0.0)
    hits, known = np.array(HITS), np.where(fits[level, at], 1.0, np.nan)
    ends = ((found[level, k, at], np.where(part > 0, found[nxt, k, at], 0.0)) for k in range(1, found.shape[1]))
    between = (known * ((1 - part) * one + part * two) for one, two in ends)
    return *between, (1 - part) * hits[level] + part * hits[nxt]


@dataclass(frozen=True)
class AgenticFront:
    """Points on the front of tokens a second and GPU against the speed that nine in ten requests keep."""

    accelerator: str
    model: str
    sessions_alive: FloatArray
    gpus: FloatArray
    cache_hit: FloatArray
    tok_s_per_user: FloatArray
    total_tok_s_per_gpu: FloatArray
    turns_per_s_per_gpu: FloatArray
    layout: NDArray[np.str_]

    @classmethod
    def of(cls, accelerator_id: str, model_id: str, rows: Rows, found: Settled) -> AgenticFront:
        """The rows that no other beats in both."""
        seen = agentic_sessions()
        tokens = float((seen.input_tokens + seen.output_tokens).mean())
        speed, rate = 1.0 / found.slow_tpot_s, found.turns_per_s * tokens / found.gpus
        able = np.flatnonzero(found.fits & np.isfinite(speed))
        order = able[np.lexsort((-rate[able], -speed[able]))]
        before = np.maximum.accumulate(np.concatenate([[-np.inf], rate[order][:-1]]))
        keep = order[rate[order] > before][::-1]
        alive, hit, turns, gpus = (x[keep] for x in (found.sessions, found.hit, found.turns_per_s, found.gpus))
        kept = rows["layout"][keep]
        return cls(accelerator_id, model_id, alive, gpus, hit, speed[keep], rate[keep], turns / gpus, kept)

    def _at(self, tok_s_per_user: float, values: FloatArray) -> float:
        if not len(self.tok_s_per_user) or tok_s_per_user > self.tok_s_per_user[-1]:
            return float("nan")
        return float(np.exp(np.interp(tok_s_per_user, self.tok_s_per_user, np.log(values))))

    def rate_at(self, tok_s_per_user: float) -> float:
        """Total tokens a second and GPU at a speed; NaN beyond the fastest point."""
        return self._at(tok_s_per_user, self.total_tok_s_per_gpu)

    def turns_at(self, tok_s_per_user: float) -> float:
        """Turns a second and GPU at a speed; NaN beyond the fastest point."""
        return self._at(tok_s_per_user, self.turns_per_s_per_gpu)

    def sessions_per_gpu_at(self, tok_s_per_user: float) -> float:
        """Sessions alive on a GPU at a speed; NaN beyond the fastest point."""
        return self._at(tok_s_per_user, self.sessions_alive / self.gpus)


def _numbered(rows: Rows) -> dict[str, NDArray[Any]]:
    """Rows of a search with the number of their configuration, and a few loads below the least of each."""
    names = (*LAYOUT, "draft_tokens", "prefill_tp", "prefill_ep", "prefill_dp_attention", "decode_workers")
    series = _alike(rows, names)[1]
    least = np.flatnonzero((rows["concurrency"] <= 1.0) & (rows["mode"] == "aggregated"))
    every = np.concatenate([np.arange(len(series)), *(least for _ in FEWER)])
    share = np.concatenate([np.ones(len(series)), *(np.full(len(least), x) for x in FEWER)])
    out = {name: values[every] for name, values in rows.items()} | {"series": series[every]}
    # A request alone meets nobody: half as many are served as fast
    for name in ("concurrency", "total_tok_s_per_gpu", "prefill_gpu_share"):
        out[name] = out[name] * share
    return out


def agentic_front(
    accelerator_id: str,
    model_id: str,
    *,
    host_memory: bool = True,
    date: str | None = None,
    mode: str | None = None,
    engine: str | None = None,
) -> AgenticFront:
    """Front of a platform that serves sessions of agents, over every configuration of the search.

    Drafts are as deep as in replays of the model, as far as it has any: also of a draft model beside one that cannot.

    Parameters
    ----------
    accelerator_id, model_id : str
        Ids of the catalog.
    host_memory : bool
        Whether contexts that HBM lets go are kept in the host's memory.
    date, mode, engine : str, optional
        Of the software; ``aggregated`` or ``disaggregated``, both by default; the usual of each mode by default.

    Returns
    -------
    AgenticFront
        By rising speed.
    """
    asked = (accelerator_id, model_id, host_memory, date, mode, engine)
    return kept("agents", asked, lambda: _agentic_front(*asked))


def _agentic_front(
    accelerator_id: str, model_id: str, host_memory: bool, date: str | None, mode: str | None, engine: str | None
) -> AgenticFront:
    """See :func:`agentic_front`."""
    last: dict[str, NDArray[Any]] = {}
    drafts = replay_drafts(model_id)
    given: dict[str, Any] = {"date": date, "mode": mode, "engine": engine}
    given["hold"] = {"draft_tokens": drafts[0]} if drafts else None

    def rows_at(isl: float, osl: float, hit: float) -> Rows:
        last.update(_numbered(candidates(accelerator_id, model_id, isl, osl, prefix_cache_hit=hit, **given)))
        return last

    found = settle(accelerator(accelerator_id), model(model_id), rows_at, host_memory=host_memory)
    return AgenticFront.of(accelerator_id, model_id, last, found)
