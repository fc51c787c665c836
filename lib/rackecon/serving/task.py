"""What a search looks for: platform, model, workload and what is held, checked in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.catalog import Accelerator, Model, accelerator, base_case, model
from rackecon.errors import InputError, unknown_name
from rackecon.performance.engine import PRECISION_BITS, Engine, build_engine
from rackecon.performance.families import ENGINES, default_engine
from rackecon.performance.parameters import ServingParameters, load_parameters
from rackecon.performance.step import PassTerms, pass_terms
from rackecon.serving.layouts import Layout, decode_layouts, default_precision, engine_layouts, matches, prefill_layouts
from rackecon.serving.points import years_since_2026
from rackecon.serving.tails import tail_factors

__all__ = ["MODES", "Limits", "Task"]

FloatArray = NDArray[np.float64]
MODES = ("aggregated", "disaggregated")
METHODS = ("none", "mtp", "eagle3")
MOST_GPUS = 128
CONCURRENCY = np.unique(np.round(2.0 ** np.arange(0.0, 12.01, 0.25)))
DRAFTS = (0.0, 1.0, 2.0, 3.0)
PREFILL_CHOICES = 2  # prefill layouts tried per decode layout: the most productive, the soonest


@dataclass(frozen=True)
class Limits:
    """Latency limits [ms], and the factors from the medians of a front to the statistic that they bind."""

    ttft_ms: float | None
    tpot_ms: float | None
    ttft_tail: float
    tpot_tail: float

    @classmethod
    def checked(
        cls, ttft_ms: float | None, tpot_ms: float | None, statistic: str, parameters: ServingParameters | None
    ) -> Limits:
        """Limits that are positive, of a statistic that is known."""
        tpot_tail, ttft_tail = tail_factors(statistic, parameters)
        for name, limit in (("ttft_limit_ms", ttft_ms), ("tpot_limit_ms", tpot_ms)):
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                raise InputError(f"{name} {limit:g} is out of range: needs a positive number of milliseconds")
        return cls(ttft_ms, tpot_ms, ttft_tail, tpot_tail)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is searched; :meth:`checked` makes one of what a caller gives."""

    chip: Accelerator
    arch: Model
    isl_tokens: float
    osl_tokens: float
    prefix_cache_hit: float
    weight: str
    kv: str
    engine: str | None
    years: float  # of the software, since the start of 2026
    mode: str | None
    most_gpus: int
    speculative: str | None
    parameters: ServingParameters
    held: Mapping[str, object]

    @classmethod
    def checked(
        cls,
        *,
        accelerator_id: str,
        model_id: str | Model,
        isl_tokens: float,
        osl_tokens: float,
        prefix_cache_hit: float,
        weight_precision: str | None,
        kv_precision: str | None,
        mode: str | None,
        engine: str | None,
        date: str | None,
        max_gpus: int | None,
        speculative: str | None,
        parameters: ServingParameters | None,
        hold: Mapping[str, object] | None,
    ) -> Task:
        """A task of the arguments of :func:`rackecon.serving.frontier.search`, with what they leave open filled in.

        Raises
        ------
        InputError
            Unknown name, or a length out of range.
        """
        chip = accelerator(accelerator_id)
        arch = model_id if isinstance(model_id, Model) else model(model_id)
        for name, value in (("isl_tokens", isl_tokens), ("osl_tokens", osl_tokens)):
            if not (math.isfinite(value) and value >= 1):
                raise InputError(f"{name} {value:g} is out of range: needs at least 1 token")
        if not 0.0 <= prefix_cache_hit < 1.0:
            raise InputError(f"prefix_cache_hit {prefix_cache_hit:g} is out of range: needs 0 to below 1")
        weight = weight_precision or default_precision(chip, arch)
        kv = kv_precision or ("fp8" if weight in ("fp8", "fp4") else "bf16")
        for kind, text, allowed in (
            ("mode", mode, MODES),
            ("speculative", speculative, METHODS),
            ("weight_precision", weight, tuple(PRECISION_BITS)),
            ("kv_precision", kv, tuple(PRECISION_BITS)),
            ("engine", engine, ENGINES),
        ):
            if text is not None and text not in allowed:
                raise unknown_name(kind, text, allowed)
        longest, both = arch.max_context_tokens, isl_tokens + osl_tokens
        if longest and both > longest * 1.05:
            raise InputError(f"{both:,.0f} tokens exceed the {longest:,} that {arch.id} was made for")
        return cls(
            chip=chip,
            arch=arch,
            isl_tokens=isl_tokens,
            osl_tokens=osl_tokens,
            prefix_cache_hit=prefix_cache_hit,
            weight=weight,
            kv=kv,
            engine=engine,
            years=years_since_2026(date or base_case().as_of_date),
            mode=mode,
            most_gpus=max_gpus or MOST_GPUS,
            speculative=speculative,
            parameters=parameters or load_parameters(),
            held=dict(hold or {}),
        )

    @cached_property
    def values(self) -> FloatArray:
        """Parameter vector."""
        return self.parameters.values()

    @cached_property
    def modes(self) -> tuple[str, ...]:
        """Modes to search."""
        return tuple(m for m in MODES if m == (self.mode or self.held.get("mode") or m))

    @cached_property
    def drafts(self) -> FloatArray:
        """Draft depths to try [tokens]."""
        if self.held.get("draft_tokens") is not None:
            return np.array([float(str(self.held["draft_tokens"]))])
        if self.speculative == "none" or (self.speculative is None and self.arch.mtp_layers == 0):
            return np.zeros(1)
        return np.array(DRAFTS)

    @cached_property
    def loads(self) -> FloatArray:
        """Requests in flight per attention rank to try."""
        given = self.held.get("concurrency")
        return CONCURRENCY if given is None else np.array([float(str(given))])

    def layouts(self, mode: str) -> tuple[Layout, ...]:
        """Layouts of the aggregated or decode engine to try."""
        every = self._bench.layouts[mode]
        found = tuple(x for x in every if matches(x, self.held) and x.gpus <= self.most_gpus)
        if not found:
            raise InputError(f"no layout of {self.chip.id} has the held values {dict(self.held)}")
        return found

    @property
    def prefill_layouts(self) -> tuple[Layout, ...]:
        """Layouts of a prefill engine to try."""
        return self._bench.layouts["prefill"]

    def engine_of(self, mode: str) -> str:
        """Serving engine of a mode: the one given, or the platform's usual."""
        return self.engine if self.engine is not None else default_engine(self.chip, mode)

    def sizes(self, mode: str, layouts: tuple[Layout, ...]) -> tuple[int, int, int, int]:
        """Grid of a mode: layouts, draft depths, prefill layouts, loads."""
        splits = 1 if mode == "aggregated" else PREFILL_CHOICES
        return len(layouts), len(self.drafts), splits, len(self.loads)

    @cached_property
    def _bench(self) -> _Bench:
        """Engine arrays of the platform and model."""
        engines = {mode: self.engine_of(mode) for mode in MODES}
        return _bench(self.chip, self.arch, self.weight, self.kv, *engines.values(), self.parameters.names)

    def placed(self, mode: str, layouts: tuple[Layout, ...], axes: int = 0) -> tuple[Engine, PassTerms]:
        """Engine arrays of layouts with ``axes`` more axes behind theirs, and what each of their passes costs."""
        return self._bench.placed(mode, layouts, axes, self.values)


@dataclass(frozen=True)
class _Bench:
    """Engines of a platform, model, precision and software, each built once, with the latest pass terms of each."""

    chip: Accelerator
    arch: Model
    weight: str
    kv: str
    engines: Mapping[str, str]
    layouts: Mapping[str, tuple[Layout, ...]]
    names: tuple[str, ...]
    known: dict[tuple[Any, ...], tuple[Engine, bytes, PassTerms]] = field(default_factory=dict)

    def placed(self, mode: str, layouts: tuple[Layout, ...], axes: int, v: FloatArray) -> tuple[Engine, PassTerms]:
        """See :meth:`Task.placed`."""
        key, values = (mode, layouts, axes), v.tobytes()
        found = self.known.get(key)
        if found is None or found[1] != values:
            engine = self._build(mode, layouts, axes) if found is None else found[0]
            found = self.known[key] = engine, values, pass_terms(engine, v)
        return found[0], found[2]

    def _build(self, mode: str, layouts: tuple[Layout, ...], axes: int) -> Engine:
        n = len(layouts)
        made = build_engine(
            [self.chip] * n,
            [self.arch] * n,
            [self.weight] * n,
            [self.kv] * n,
            [self.engines[mode]] * n,
            [mode] * n,
            np.array([x.tp for x in layouts], dtype=float),
            np.array([x.ep for x in layouts], dtype=float),
            np.array([x.pp for x in layouts], dtype=float),
            np.array([x.dp_attention for x in layouts]),
            {name: i for i, name in enumerate(self.names)},
        )
        return made.take(np.arange(n).reshape(n, *(1,) * axes)) if axes else made


@lru_cache(maxsize=256)
def _bench(
    chip: Accelerator, arch: Model, weight: str, kv: str, aggregated: str, pools: str, names: tuple[str, ...]
) -> _Bench:
    layouts = (engine_layouts(chip, arch), decode_layouts(chip, arch), prefill_layouts(chip, arch))
    return _Bench(
        chip,
        arch,
        weight,
        kv,
        dict(zip(MODES, (aggregated, pools), strict=True)),
        {name: tuple(found) for name, found in zip((*MODES, "prefill"), layouts, strict=True)},
        names,
    )
