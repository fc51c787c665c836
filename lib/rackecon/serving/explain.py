"""Why an operating point is what it is: step time by operator, memory by use, and why another layout lost to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog import Accelerator, Model, accelerator, model
from rackecon.performance.engine import Engine, build_engine
from rackecon.performance.families import engine_family, intercept_cell
from rackecon.performance.memory import RESERVE_BYTES, ledger, reserved_context
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.performance.residual import Sites, load_feature, names_of
from rackecon.performance.step import decode_step
from rackecon.serving.closed_loop import Load, context_tokens, prompts_of, tokens_per_step
from rackecon.serving.corrections import Conditions, correction
from rackecon.serving.query import default_date, software_years
from rackecon.units import GB_BYTES, MS_PER_S

OPERATORS = {
    "attention_weights": "attention projections",
    "kv": "attention over the cache",
    "dense": "dense and shared layers",
    "experts": "routed experts",
    "head": "output head",
    "network": "network between GPUs",
    "fixed": "kernel starts and host",
}


PREFILL = "prefill of other requests"


@dataclass(frozen=True)
class StepBreakdown:
    """Milliseconds of one decode step by operator, as calibrated; they add up to ``step_ms``.

    One engine that does everything also spends each step's share of the prompts that join it.
    """

    operators_ms: dict[str, float]
    step_ms: float
    tokens_per_step: float
    running_per_engine: float

    @property
    def slowest(self) -> str:
        """Operator that takes the most time."""
        return max(self.operators_ms, key=lambda name: self.operators_ms[name])


@dataclass(frozen=True)
class MemoryUse:
    """Memory of one GPU [GB, 10^9 bytes]; the parts add up to ``hbm_gb``."""

    hbm_gb: float
    weights_gb: float
    reserve_gb: float
    cache_gb: float
    sequence_gb: float
    max_sequences: float
    fits: bool

    @property
    def reason(self) -> str:
        """Why it does not fit; empty where it does."""
        if self.fits:
            return ""
        if self.weights_gb > self.hbm_gb:
            return f"weights take {self.weights_gb:.1f} GB of the {self.hbm_gb:.1f} GB of a GPU"
        return (
            f"weights {self.weights_gb:.1f} GB and reserve {self.reserve_gb:.1f} GB leave {self.cache_gb:.1f} GB of "
            f"{self.hbm_gb:.1f} GB, less than one sequence of {self.sequence_gb:.2f} GB"
        )


def _engine(row: Mapping[str, Any], arch: Model, used: ServingParameters) -> Engine:
    return build_engine(
        [accelerator(str(row["accelerator"]))],
        [arch],
        [str(row["weight_precision"])],
        [str(row["kv_precision"])],
        [str(row["engine"])],
        [str(row["mode"])],
        np.array([float(row["tp"])]),
        np.array([float(row["ep"])]),
        np.array([float(row["pp"])]),
        np.array([bool(row["dp_attention"])]),
        {name: i for i, name in enumerate(used.names)},
    )


def step_breakdown(
    row: Mapping[str, Any],
    *,
    date: str | None = None,
    parameters: ServingParameters | None = None,
) -> StepBreakdown:
    """Where the time of a decode step goes at an operating point.

    Parameters
    ----------
    row : mapping
        A frontier row with ``accelerator``, ``model``, ``isl_tokens``, ``osl_tokens``, precision, engine, mode, layout,
        ``concurrency``, ``running_per_engine``, ``draft_tokens`` and, with a prefix cache, ``prefix_cache_hit``.
    date : str, optional
        ISO date of the software; the base case's by default.
    parameters : ServingParameters, optional
        The shipped ones by default.

    Returns
    -------
    StepBreakdown
        [ms], of one (decode) engine: ``step_ms`` over ``tokens_per_step`` is the row's time per output token.

    Examples
    --------
    >>> from rackecon.serving.frontier import search
    >>> best = search("h200-sxm", "llama-3.3-70b", 1024, 1024, mode="aggregated").table.iloc[0].to_dict()
    >>> done = step_breakdown(best)
    >>> abs(sum(done.operators_ms.values()) - done.step_ms) < 1e-9
    True
    """
    used = parameters or load_parameters()
    chip, arch = accelerator(str(row["accelerator"])), model(str(row["model"]))
    engine, v = _engine(row, arch, used), used.values()
    running = float(row["running_per_engine"])
    draft = np.array([float(row.get("draft_tokens") or 0.0)])
    context = context_tokens(np.array([float(row["isl_tokens"])]), np.array([float(row["osl_tokens"])]))
    step = decode_step(engine, v, np.array([running]), 1.0 + draft, context)
    cell = intercept_cell(
        chip.id,
        engine_family(str(row["engine"]), chip.vendor),
        str(row["weight_precision"]),
        str(row["mode"]),
    )
    years = software_years(date or default_date(chip))
    conditions = Conditions(
        *(
            np.array([float(x)])
            for x in (
                float(row["concurrency"]) / float(row["gpus"]),
                row["isl_tokens"],
                row["osl_tokens"],
                draft[0] > 0,
                bool(row["dp_attention"]),
                years,
            )
        )
    )
    factor, _ = correction(used.intercepts, cell, arch.id, conditions)
    if used.residual is not None:
        factor = np.exp(used.residual.mean(_site(row, chip, arch, years))[1])
    scale = math.exp(-float(v[engine.keys["trend"]][0]) * years) / float(factor[0]) * MS_PER_S
    parts = {text: float(getattr(step, name)[0]) * scale for name, text in OPERATORS.items()}
    tokens = float(tokens_per_step(engine, v, draft, np.array([float(row["osl_tokens"])]))[0])
    if row["mode"] == "aggregated":
        parts[PREFILL] = _prefill_s(engine, v, row) * running * tokens / float(row["osl_tokens"]) * scale
    return StepBreakdown(parts, sum(parts.values()), tokens, running)


def _site(row: Mapping[str, Any], chip: Accelerator, arch: Model, years: float) -> Sites:
    """A row as the residual process sees it."""
    names = names_of(chip, arch, str(row["engine"]), str(row["weight_precision"]), str(row["mode"]))
    isl, osl, tp = (math.log2(float(row[name])) for name in ("isl_tokens", "osl_tokens", "tp"))
    flags = (float(row["ep"]) > 1, bool(row["dp_attention"]), float(row.get("draft_tokens") or 0.0) > 0)
    load = float(load_feature(np.array(float(row["concurrency"]) / float(row["gpus"]))))
    return Sites(np.array([names]), np.array([(load, isl, osl, tp, *flags, years)], dtype=float))


def _prefill_s(engine: Engine, v: FloatArray, row: Mapping[str, Any]) -> float:
    """Time that the prompt of one more request keeps a step of an engine's others waiting [s]."""
    engines = float(row["gpus"]) / (float(row["tp"]) * float(row["pp"]))
    given = (
        row["isl_tokens"],
        row["osl_tokens"],
        row.get("prefix_cache_hit") or 0.0,
        float(row["concurrency"]) / engines,
    )
    load = Load(*(np.array([float(x)]) for x in (*given, row.get("draft_tokens") or 0.0, 1.0)))
    return float((v[engine.keys["mix"]] * prompts_of(engine, v, load).times(load.concurrency)[1])[0])


def memory_use(row: Mapping[str, Any]) -> MemoryUse:
    """What fills the memory of one GPU of the (decode) engine of a row.

    Parameters
    ----------
    row : mapping
        As for :func:`step_breakdown`; load and draft depth are not needed.

    Returns
    -------
    MemoryUse
        [GB, 10^9 bytes]; ``max_sequences`` is of the whole engine.
    """
    engine = _engine(row, model(str(row["model"])), load_parameters())
    isl, osl = np.array([float(row["isl_tokens"])]), np.array([float(row["osl_tokens"])])
    room = ledger(engine, reserved_context(engine, isl, osl))
    hbm, weights, cache, one = (
        float(np.atleast_1d(x)[0]) / GB_BYTES
        for x in (room.hbm_bytes, room.weight_bytes, room.cache_bytes, room.sequence_bytes)
    )
    reserve = max(hbm - weights - max(cache, 0.0), RESERVE_BYTES / GB_BYTES)
    return MemoryUse(hbm, weights, reserve, max(cache, 0.0), one, float(room.max_sequences[0]), bool(room.fits[0]))
