"""Agents on a platform: sessions alive, the cache hit they leave each other, tokens a second and GPU at a speed.

A turn waits for a tool or a person, then is served; of ``N`` sessions, ``N - X z`` are in flight at ``X`` turns a second with
waits of mean ``z``. Each candidate of the serving model is solved for the hit at which memory left for the cache, sessions
alive and time between turns agree (:func:`rackecon.load.sessions.session_hit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Accelerator, Model, accelerator, model, table
from rackecon.load.sessions import Sessions, coding_sessions, session_hit
from rackecon.performance.engine import build_engine
from rackecon.performance.memory import ledger
from rackecon.performance.parameters import load_parameters
from rackecon.serving.closed_loop import CHUNK_TOKENS
from rackecon.serving.frontier import candidates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AgenticFront", "agentic_front", "agentic_sessions", "cache_tiers", "measured_errors"]

FloatArray = NDArray[np.float64]
HITS: Final = (0.0, 0.4, 0.6, 0.75, 0.85, 0.9, 0.93, 0.95, 0.96, 0.965)
ROOMS: Final = np.geomspace(1e3, 1e9, 37)
SERVICES: Final = (1.0, 5.0, 20.0, 80.0)
SPEED_QUANTILE: Final = 0.9
LAYOUT: Final = ("mode", "tp", "ep", "pp", "dp_attention", "engine", "kv_precision", "weight_precision")


def _stat(item: str, statistic: str) -> float:
    rows = table("agentic_workload")
    found = rows[(rows["item"] == item) & (rows["statistic"].fillna("") == statistic)]
    return float(found["value"].iloc[0])


def agentic_sessions() -> Sessions:
    """Recorded coding sessions scaled to the medians of the replayed corpus, waits cut as the replay cuts them."""
    seen = coding_sessions()
    long = _stat("input_tokens", "median") / float(np.median(seen.input_tokens))
    out = _stat("output_tokens", "median") / float(np.median(seen.output_tokens))
    means = float(seen.input_tokens.mean()) * long, float(seen.output_tokens.mean()) * out
    return seen.scaled(*means).capped(_stat("idle_cap_s", ""))


def cache_tiers(accelerator_id: str) -> pd.DataFrame:
    """Memory behind HBM of a platform: its own rows of data/cache_tiers.csv, else those of any."""
    rows = table("cache_tiers")
    own = rows[rows["accelerator"] == accelerator_id]
    other = rows[rows["accelerator"].isna() & ~rows["tier"].isin(own["tier"])]
    import pandas as pd

    return pd.concat([own, other])


@dataclass(frozen=True)
class AgenticFront:
    """Points on the front of tokens a second and GPU against the speed of a user."""

    accelerator: str
    model: str
    sessions_alive: FloatArray
    gpus: FloatArray
    cache_hit: FloatArray
    tok_s_per_user: FloatArray
    total_tok_s_per_gpu: FloatArray
    turns_per_s_per_gpu: FloatArray
    layout: NDArray[np.str_]

    def rate_at(self, tok_s_per_user: float) -> float:
        """Total tokens a second and GPU at a speed; NaN beyond the fastest point."""
        if not len(self.tok_s_per_user) or tok_s_per_user > self.tok_s_per_user[-1]:
            return float("nan")
        return float(np.exp(np.interp(tok_s_per_user, self.tok_s_per_user, np.log(self.total_tok_s_per_gpu))))

    def sessions_per_gpu_at(self, tok_s_per_user: float) -> float:
        """Sessions alive on a GPU at a speed; NaN beyond the fastest point."""
        if not len(self.tok_s_per_user) or tok_s_per_user > self.tok_s_per_user[-1]:
            return float("nan")
        return float(np.interp(tok_s_per_user, self.tok_s_per_user, self.sessions_alive / self.gpus))


def _room_tokens(chip: Accelerator, arch: Model, rows: dict[str, NDArray[Any]], context: float) -> FloatArray:
    """Tokens that the decode engines of each row can keep in HBM."""
    keys = np.stack([rows[name].astype(str) for name in LAYOUT], axis=1)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
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
    return np.asarray(held[inverse.reshape(-1)] * np.maximum(rows["decode_workers"], 1.0))


def _hit_table(sessions: Sessions) -> FloatArray:
    """Hit by room for each live session and time of service."""
    return np.array([[session_hit(sessions, 1.0, [room], r).hit for r in SERVICES] for room in ROOMS])


def _hit_of(grid: FloatArray, room: FloatArray, service_s: FloatArray) -> FloatArray:
    from scipy.interpolate import RegularGridInterpolator

    axes = np.log(ROOMS), np.log(np.array(SERVICES))
    points = np.stack(
        [np.clip(np.log(np.maximum(room, 1.0)), *axes[0][[0, -1]]), np.clip(np.log(service_s), *axes[1][[0, -1]])], -1
    )
    return np.asarray(RegularGridInterpolator(axes, grid)(points))


def _p90_speed(rows: dict[str, NDArray[Any]], turns: FloatArray, fresh_tokens: float) -> FloatArray:
    """Speed that nine in ten tokens keep: where prompts take more than a tenth of the steps, that of a step with one."""
    share = np.clip(rows["prefill_gpu_share"], 0.0, 0.999)
    token_s = 1.0 / rows["tok_s_per_user"]
    step_s = token_s * (1.0 - share)
    with_prompt = turns * max(fresh_tokens / CHUNK_TOKENS, 1.0)
    frequent = with_prompt / (with_prompt + (1.0 - share) / step_s) > 1.0 - SPEED_QUANTILE
    stalled = (rows["mode"] == "aggregated") & frequent
    return np.asarray(1.0 / np.where(stalled, step_s + share / np.maximum(with_prompt, 1e-12), token_s))


def agentic_front(
    accelerator_id: str,
    model_id: str,
    *,
    sessions: Sessions | None = None,
    host_memory: bool = True,
    date: str | None = None,
    mode: str | None = None,
) -> AgenticFront:
    """Front of a platform that serves sessions of agents.

    Parameters
    ----------
    accelerator_id, model_id : str
        Ids of the catalog.
    sessions : Sessions, optional
        Those of the replayed corpus by default.
    host_memory : bool
        Whether contexts that HBM lets go are kept in the host's memory.
    date, mode : str, optional
        Of the software; ``aggregated`` or ``disaggregated``, both by default.

    Returns
    -------
    AgenticFront
        By rising speed.
    """
    seen = sessions or agentic_sessions()
    isl, osl = float(seen.input_tokens.mean()), float(seen.output_tokens.mean())
    waits = float(seen.wait_s[~seen.first].mean())
    chip, arch = accelerator(accelerator_id), model(model_id)
    grid, tiers = _hit_table(seen), cache_tiers(accelerator_id)
    host = tiers[tiers["tier"] == "host memory"].iloc[0]
    best: list[tuple[FloatArray, ...]] = []
    layouts: NDArray[np.str_] | None = None
    for hit in HITS:
        rows = candidates(accelerator_id, model_id, isl, osl, prefix_cache_hit=hit, date=date, mode=mode)
        room = _room_tokens(chip, arch, rows, isl + osl)
        per_token = np.where(rows["kv_precision"] == "bf16", arch.kv_bytes_per_token_bf16, arch.kv_bytes_per_token_fp8)
        kept = rows["gpus"] * float(host["gb_per_gpu"]) * 1e9 / per_token if host_memory else 0.0
        loading = hit * isl * per_token / (float(host["gb_per_s_per_gpu"]) * 1e9 * rows["tp"] * rows["pp"])
        turns = rows["total_tok_s_per_gpu"] * rows["gpus"] / (isl + osl)
        service = rows["concurrency"] / np.maximum(turns, 1e-12) + (loading if host_memory else 0.0)
        # One session alone is less than one request in flight
        alone = rows["concurrency"] <= 1.0
        turns = np.where(alone, 1.0 / (service + waits), turns)
        alive = np.where(alone, 1.0, rows["concurrency"] + turns * waits)
        # Running contexts live in HBM; what is left of it and the host keep those that wait
        derived = _hit_of(grid, (room + kept) / alive, service)
        speed = _p90_speed(rows, turns, isl * (1.0 - hit))
        best.append((derived - hit, alive, turns, speed, rows["gpus"], rows["fits"] * 1.0))
        layouts = rows["layout"]
    assert layouts is not None
    return _front(accelerator_id, model_id, np.array(best), layouts, isl + osl)


def _front(name: str, arch: str, found: FloatArray, layouts: NDArray[np.str_], tokens: float) -> AgenticFront:
    """Candidates at the hit that agrees with itself, reduced to the front. Axes: hit, quantity, candidate."""
    gap, ok = found[:, 0], found[:, 5].min(axis=0) > 0
    # The highest tried hit that the derived one reaches, and how far to the next
    reach = gap >= 0
    level = np.where(reach.any(axis=0), len(HITS) - 1 - np.argmax(reach[::-1], axis=0), 0)
    nxt, at = np.minimum(level + 1, len(HITS) - 1), np.arange(gap.shape[1])
    fall = gap[level, at] - gap[nxt, at]
    part = np.where(fall > 0, np.clip(gap[level, at] / np.where(fall > 0, fall, 1.0), 0.0, 1.0), 0.0)
    alive, turns, speed, gpus = ((1 - part) * found[level, k, at] + part * found[nxt, k, at] for k in range(1, 5))
    hits = np.array(HITS)
    hit = (1 - part) * hits[level] + part * hits[nxt]
    rate = turns * tokens / gpus
    rows = np.flatnonzero(ok & np.isfinite(rate) & (rate > 0))
    order = rows[np.lexsort((-rate[rows], -speed[rows]))]
    before = np.maximum.accumulate(np.concatenate([[-np.inf], rate[order][:-1]]))
    keep = order[rate[order] > before][::-1]
    return AgenticFront(
        name, arch, alive[keep], gpus[keep], hit[keep], speed[keep], rate[keep], (turns / gpus)[keep], layouts[keep]
    )


def measured_errors(kw_per_gpu: dict[str, float] | None = None, host_memory: bool = True) -> pd.DataFrame:
    """Each measured agentic point beside the model: predicted over measured total tokens a second and GPU.

    Parameters
    ----------
    kw_per_gpu : dict of str to float, optional
        Utility power of a GPU with its share of everything [kW], for points that are published per megawatt; without
        it they are left out.
    host_memory : bool
        As in :func:`agentic_front`.

    Returns
    -------
    pandas.DataFrame
        ``curve, accelerator, model, speed, measured, predicted, ratio``; NaN where the model does not reach the speed.
    """
    import pandas as pd

    rows, fronts = [], dict[tuple[str, str, str | None], AgenticFront]()
    for point in table("measured_agentic").itertuples():
        # An engine without an orchestrator serves prompts and decode together
        mode = None if str(point.engine).startswith("dynamo") else "aggregated"
        key = (str(point.accelerator), str(point.model), mode)
        measured = float(point.total_tok_s_per_gpu)  # type: ignore[arg-type]
        if np.isnan(measured):
            if kw_per_gpu is None or key[0] not in kw_per_gpu:
                continue
            measured = float(point.total_tok_s_per_utility_mw) * kw_per_gpu[key[0]] / 1e3  # type: ignore[arg-type]
        if key not in fronts:
            fronts[key] = agentic_front(*key[:2], mode=mode, date=str(point.date), host_memory=host_memory)
        speed = float(point.p90_tok_s_per_user)  # type: ignore[arg-type]
        predicted = fronts[key].rate_at(speed)
        rows.append((point.curve, *key[:2], speed, measured, predicted, predicted / measured))
    return pd.DataFrame(rows, columns=["curve", "accelerator", "model", "speed", "measured", "predicted", "ratio"])
