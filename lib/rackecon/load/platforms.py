"""A platform's replica as the load model sees it: step times read off the calibrated serving model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog import Scenario, accelerator, model, racks
from rackecon.catalog.cached import by_data
from rackecon.errors import InputError
from rackecon.load.queueing import Burstiness, LengthMoments, queueing
from rackecon.load.replay import max_load
from rackecon.load.requests import Requests, load_trace
from rackecon.load.step_times import StepTimes
from rackecon.serving.frontier import candidates_together, search
from rackecon.serving.query import CONTEXT_ROOM, Query

LAYOUT: Final = ("tp", "ep", "pp", "dp_attention", "draft_tokens", "mode")
LONGER: Final = 1.5
"""A second context, by which a step's time per token held is found."""
LEAST_STEP: Final = 0.1  # of a step that contexts do not lengthen, at the least [-]
POOL_USE: Final = 1.0 / 1.1
"""Share of a prefill pool in use at its load: the search sizes pools with a tenth to spare."""
RACK_DOMAIN: Final = 16
"""Accelerators whose links reach further than this come by the rack, others by the server."""


@dataclass(frozen=True)
class Replica:
    """The deployment that a search chooses, its step times, and the unit it is bought in."""

    accelerator: str
    row: Mapping[str, Any]
    times: StepTimes
    closed_rps: float  # requests a second at the chosen closed-loop point
    unit_gpus: int

    @property
    def rps_per_gpu(self) -> float:
        """Requests a second and GPU at the chosen point."""
        return self.closed_rps / self.times.gpus

    @property
    def unit_rps(self) -> float:
        """Requests a second of one unit of purchase at the chosen point."""
        return self.closed_rps * self.unit_gpus / self.times.gpus


def _curve(rows: Mapping[str, Any], osl: float, total_tokens: float) -> tuple[FloatArray, FloatArray]:
    """Running requests of a decode engine and time of a token without prompts between [s]."""
    ok = np.asarray(rows["fits"], dtype=bool)
    rate = np.asarray(rows["total_tok_s_per_gpu"])[ok] * np.asarray(rows["gpus"])[ok] / total_tokens
    tpot = np.asarray(rows["tpot_ms"])[ok] / 1e3
    running = rate * osl * tpot / np.maximum(np.asarray(rows["decode_workers"])[ok], 1.0)
    mixed = np.asarray(rows["mode"])[ok] == "aggregated"
    pure = np.where(mixed, tpot * (1.0 - np.asarray(rows["prefill_gpu_share"])[ok]), tpot)
    order = np.argsort(running)
    return running[order], np.maximum.accumulate(pure[order])


def unit_gpus(accelerator_id: str) -> int:
    """GPUs of the least that is bought of a platform: a server, or a rack where the links reach through it.

    Links that reach through many racks do not make a pod the unit: a TPU v7 comes by the cube of 64 chips, not by 9,216. Where
    data/racks.csv has no rack, what is linked is one if it is no larger than the largest rack known.

    Examples
    --------
    >>> unit_gpus("h200-sxm"), unit_gpus("gb200-nvl72"), unit_gpus("tpu-v7"), unit_gpus("tpu-v6e")
    (8, 72, 64, 4)
    """
    chip, known = accelerator(accelerator_id), racks()
    if chip.scaleup_domain_gpus <= RACK_DOMAIN:
        return int(chip.gpus_per_server)
    if accelerator_id in known:
        return int(min(chip.scaleup_domain_gpus, known[accelerator_id].gpus_per_rack))
    largest = max(rack.gpus_per_rack for rack in known.values())
    return int(chip.scaleup_domain_gpus if chip.scaleup_domain_gpus <= largest else chip.gpus_per_server)


@by_data(512)
def platform_replica(accelerator_id: str, model_id: str, case: Scenario, max_gpus: int | None = None) -> Replica:
    """The most productive deployment within a scenario's limits, as step times for a replay.

    Parameters
    ----------
    accelerator_id, model_id : str
        Ids of the catalog.
    case : Scenario
        Lengths, cache hit and limits.
    max_gpus : int, optional
        Largest deployment; the search's by default.

    Returns
    -------
    Replica
        A whole deployment as one replica: its decode engines' batches together, its prompts in the engine or in a pool.

    Raises
    ------
    InputError
        Where no layout keeps the limits; the reason.
    """
    limits: dict[str, Any] = {
        "ttft_limit_ms": case.ttft_limit_ms,
        "tpot_limit_ms": case.tpot_limit_ms,
        "latency_statistic": case.latency_statistic,
    }
    given: dict[str, Any] = {"prefix_cache_hit": case.prefix_cache_hit, "max_gpus": max_gpus}
    front = search(accelerator_id, model_id, case.isl_tokens, case.osl_tokens, **given, **limits)
    row = front.best()
    if row is None:
        raise InputError(f"{accelerator_id} with {model_id}: {front.reason}")
    return replica_of(accelerator_id, model_id, case, row, max_gpus=max_gpus)


def replica_of(accelerator_id: str, model_id: str, case: Scenario, row: Mapping[str, Any], **options: Any) -> Replica:
    """A point that a search found, as step times for a replay.

    Parameters
    ----------
    accelerator_id, model_id, case
        As in :func:`platform_replica`.
    row : mapping
        The point, with the columns of a front.
    **options
        Of the search that found it, beside the scenario's.
    """
    given: dict[str, Any] = {"prefix_cache_hit": case.prefix_cache_hit, **options}
    held = {name: row[name] for name in LAYOUT}
    tokens = float(case.isl_tokens + case.osl_tokens)
    # A context that the model was not made for is probed from below
    room = CONTEXT_ROOM * (model(model_id).max_context_tokens or float("inf"))
    probe = LONGER if case.isl_tokens * LONGER + case.osl_tokens <= room else 1.0 / LONGER
    inputs = (case.isl_tokens, case.isl_tokens * probe)
    asked = [Query.of(accelerator_id, model_id, isl, case.osl_tokens, hold=held, **given) for isl in inputs]
    found = candidates_together(asked)
    curves = [_curve(rows, case.osl_tokens, isl + case.osl_tokens) for isl, rows in zip(inputs, found, strict=True)]
    rows = found[-1]
    engines = max(float(row["decode_workers"]), 1.0)
    most = max(int(curves[0][0].max() * engines), 1)
    n = np.arange(most + 1) / engines
    short, other = (np.interp(n, *curve) for curve in curves)
    context = case.isl_tokens + 0.5 * case.osl_tokens
    held_tokens = np.maximum(n * engines, 1.0)
    slope = np.maximum((other - short) / (held_tokens * case.isl_tokens * (probe - 1.0)), 0.0)
    rate = float(row["total_tok_s_per_gpu"]) * float(row["gpus"]) / tokens
    pool = round(float(row["prefill_workers"])) if row["mode"] == "disaggregated" else 0
    # A pool is sized for its load; an engine's own prompts take the share of its time that the search found
    prompt = pool / rate * POOL_USE if pool else float(row["prefill_gpu_share"]) / rate
    soonest = float(np.asarray(rows["ttft_ms"])[np.asarray(rows["fits"], dtype=bool)].min()) / 1e3
    fresh = case.isl_tokens * (1.0 - case.prefix_cache_hit)
    times = StepTimes(
        np.maximum(short - slope * held_tokens * context, LEAST_STEP * short),
        slope,
        (0.0, prompt / fresh, 0.0),
        first_token_s=max(min(soonest, float(row["ttft_ms"]) / 1e3) - prompt, 0.0),
        prefill_workers=pool,
        gpus=round(float(row["gpus"])),
    )
    unit = unit_gpus(accelerator_id)
    # A deployment wider than a server or rack is bought whole
    return Replica(accelerator_id, row, times, rate, unit * -(-times.gpus // unit))


@by_data(16)
def scaled_lengths(trace: str, case: Scenario) -> Requests:
    """Requests of a trace with their lengths scaled to a scenario's means."""
    seen = load_trace(trace)
    inputs, outputs = seen.input_tokens.astype(float), seen.output_tokens.astype(float)
    return Requests(
        seen.arrival_s,
        np.maximum(np.round(inputs * case.isl_tokens / inputs.mean()), 1.0).astype(np.int64),
        np.maximum(np.round(outputs * case.osl_tokens / outputs.mean()), 1.0).astype(np.int64),
    )


def open_load(replica: Replica, case: Scenario, lengths: Requests, replicas: int, bursts: Burstiness) -> float:
    """Share of the closed-loop rate that open arrivals may bring within the limits, 99 % of requests in time.

    Parameters
    ----------
    replica : Replica
        Deployment.
    case : Scenario
        Limits; a limit of None does not bind.
    lengths : Requests
        Lengths, as drawn.
    replicas : int
        Deployments that share the arrivals.
    bursts : Burstiness
        Of the arrivals.
    """
    moments = LengthMoments.of(lengths, replica.times, case.prefix_cache_hit)
    first = case.ttft_limit_ms / 1e3 if case.ttft_limit_ms else float("inf")
    token = case.tpot_limit_ms / 1e3 if case.tpot_limit_ms else float("inf")

    def kept(load: float) -> bool:
        found = queueing(replica.times, moments, load * replica.closed_rps * replicas, replicas, bursts)
        return found.load < 1.0 and found.ttft_p99_s <= first and found.tpot_s <= token * (1.0 + 1e-6)

    return min(max_load(kept, high=1.2), 1.0)
