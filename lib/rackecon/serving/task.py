"""The space of a query: the layouts, draft depths, splits and loads to try, and what their passes cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from rackecon.arrays import BoolArray, FloatArray
from rackecon.catalog import Accelerator, Model
from rackecon.catalog.cached import of_arguments
from rackecon.errors import InputError
from rackecon.performance.cells import Cells
from rackecon.performance.engine import PRECISION_BITS, Engine, engine_of_layouts
from rackecon.performance.step import PassTerms, pass_terms
from rackecon.serving.layouts import (
    NODE_WIDTHS,
    NODES_WIDE,
    WIDE_FROM,
    Layout,
    decode_layouts,
    engine_layouts,
    matches,
    prefill_layouts,
)
from rackecon.serving.public_layouts import run_publicly
from rackecon.serving.query import CONCURRENCY, DRAFTS, MODES, SPARE, Query

LATEST = "9999-12-31"
POOL_VALUES = ("gpus", "concurrency", "decode_workers", "decode_gpus", "prefill_workers", "prefill_gpus")
"""Values held that leave pools no size to be matched in rate."""
COMBINATIONS = 24  # of decode engines and prefill workers tried where such a value is held


@dataclass(frozen=True)
class Task:
    """What a query leaves free, laid out."""

    query: Query

    @property
    def each(self) -> tuple[Task, ...]:
        """The queries that are evaluated together."""
        return (self,)

    @cached_property
    def values(self) -> FloatArray:
        """Parameter vector."""
        return self.query.parameters.values()

    @cached_property
    def drafts(self) -> FloatArray:
        """Draft depths to try [tokens]."""
        asked = self.query
        if asked.held.get("draft_tokens") is not None:
            return np.array([float(asked.held["draft_tokens"])])
        if asked.speculative == "none" or (asked.speculative is None and asked.arch.mtp_layers == 0):
            return np.zeros(1)
        return np.array(DRAFTS)

    @cached_property
    def loads(self) -> FloatArray:
        """Requests per attention rank to try: in flight, or running where pools are matched; all of them where held."""
        given = self.query.held.get("concurrency")
        return CONCURRENCY if given is None else np.array([float(given)])

    def layouts(self, mode: str) -> tuple[Layout, ...]:
        """Layouts of the aggregated or decode engine to try."""
        asked, held = self.query, self.query.held
        every = self._usual(mode)
        if not every and not any(self._usual(other) for other in asked.modes if other != mode):
            every = tuple(x for x in self._bench.layouts[mode] if self._holds(mode, x))
        if not every and "tp" in held:  # an unusual layout that is named in full
            names = ("tp", "ep", "pp")
            width = {name: int(held.get(name, 1)) for name in names}
            every = (Layout(**width, dp_attention=bool(held.get("dp_attention", False))),)
        return tuple(x for x in every if x.gpus <= asked.most_gpus and self._holds(mode, x))

    def _usual(self, mode: str) -> tuple[Layout, ...]:
        """Layouts of a mode that an open search tries too and that have the values held."""
        found = self._run_publicly(mode, "decode", self._bench.layouts[mode])
        return tuple(x for x in found if self._holds(mode, x))

    def _holds(self, mode: str, layout: Layout) -> bool:
        """Whether engines of a layout have the values held, and equal ones or those of a pool the GPUs held."""
        if not self.query.held:
            return True
        gpus = float(self.query.held.get("gpus", layout.gpus))
        enough = gpus % layout.gpus == 0.0 if mode == "aggregated" else gpus >= layout.gpus
        return enough and matches(layout, self.query.held)

    def spaces(self) -> list[tuple[str, tuple[Layout, ...]]]:
        """Modes to search, each with its layouts; a fault where the values held leave none."""
        found = [(mode, self.layouts(mode)) for mode in self.query.modes]
        if not any(layouts for _, layouts in found):
            raise InputError(f"no layout of {self.query.chip.id} has the held values {dict(self.query.held)}")
        return [(mode, layouts) for mode, layouts in found if layouts]

    @cached_property
    def prefill_layouts(self) -> tuple[Layout, ...]:
        """Layouts of a prefill engine to try."""
        return self._prefill_layouts(self.query)

    @property
    def feeders(self) -> int:
        """Prefill layouts tried per decode layout: of each choice the most productive of each size, and the soonest."""
        return (len(NODE_WIDTHS) + 1) * (2 if self._wide else 1)

    @property
    def prefill_choices(self) -> list[BoolArray]:
        """Among the prefill layouts, those from which engines are picked.

        All of them; and where wide ones are in reach, also those of the largest deployment that has none, so that a larger
        space has its picks too.
        """
        every = self.prefill_layouts
        choices = [np.ones(len(every), dtype=bool)]
        if self._wide:
            less = self._prefill_layouts(replace(self.query, most_gpus=WIDE_FROM - 1))
            choices.append(np.array([x in less for x in every]))
        return choices

    def _prefill_layouts(self, asked: Query) -> tuple[Layout, ...]:
        held = {name.removeprefix("prefill_"): value for name, value in asked.held.items() if "prefill_" in name}
        every = Task(asked)._run_publicly("disaggregated", "prefill", Task(asked)._bench.layouts["prefill"])
        return tuple(x for x in every if matches(x, held)) or (
            Layout(int(held.get("tp", 1)), int(held.get("ep", 1)), 1, bool(held.get("dp_attention", False))),
        )

    @property
    def _wide(self) -> bool:
        """Whether deployments are in reach that run experts over the network between nodes."""
        return self.query.most_gpus >= WIDE_FROM and self.query.chip.family in NODES_WIDE

    def _run_publicly(self, mode: str, role: str, layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
        """Those that public sweeps of the model had run by the query's date; all where too few say."""
        asked = self.query
        engine = asked.engine_of(mode)
        wide = mode == "disaggregated" and self._wide
        too_small = any(x.gpus > NODE_WIDTHS[-1] for x in self._bench.layouts["aggregated"])
        if wide or (too_small and mode == "aggregated"):  # a node that holds the model says nothing of one that cannot
            return layouts
        timeless = asked.parameters.residual is not None and not asked.parameters.residual.dated
        date = LATEST if timeless else asked.date
        known = run_publicly(asked.chip, asked.arch, engine, asked.weight, mode, role, date)
        if known and not too_small and all(x.gpus > NODE_WIDTHS[-1] for x in known):  # nor the other way round
            return layouts
        return tuple(x for x in layouts if x in known) or layouts if known else layouts

    @cached_property
    def matched(self) -> bool:
        """Whether pools are matched in rate, at each number of running sequences; else their sizes are enumerated."""
        return not any(name in self.query.held for name in POOL_VALUES)

    @cached_property
    def targets(self) -> FloatArray:
        """Medians of the time to first token that matched pools are sized for [ms]."""
        latest = self.query.limits.latest_ttft_ms
        return np.array(SPARE) * latest if math.isfinite(latest) else np.array([math.inf])

    def sizes(self, mode: str, layouts: tuple[Layout, ...]) -> tuple[int, int, int, int]:
        """Grid of a mode: layouts, draft depths, prefill layouts and sizes of pools, loads."""
        splits = 1 if mode == "aggregated" else self.feeders * (len(self.targets) if self.matched else COMBINATIONS)
        return len(layouts), len(self.drafts), splits, len(self.loads)

    @cached_property
    def _bench(self) -> _Bench:
        """Engine arrays of the platform and model."""
        asked = self.query
        first, second = ((asked.engine_of(mode), asked.kv_of(mode)) for mode in MODES)
        return _bench(asked.chip, asked.arch, asked.weight, first, second, asked.parameters.names, asked.most_gpus)

    def placed(self, mode: str, layouts: tuple[Layout, ...], axes: int = 0) -> tuple[Engine, PassTerms]:
        """Engine arrays of layouts with ``axes`` more axes behind theirs, and what each of their passes costs."""
        return self._bench.placed(mode, layouts, axes, self.values)


@dataclass(frozen=True)
class Tasks(Task):
    """Queries that differ in lengths, cache hit and values of parameters alone, and so leave the same free; the first
    stands for all."""

    points: tuple[Task, ...]

    @property
    def each(self) -> tuple[Task, ...]:
        """See :attr:`Task.each`."""
        return self.points

    @cached_property
    def values(self) -> FloatArray:
        """Parameter vectors, one after the other."""
        return np.concatenate([task.values for task in self.points])


@dataclass(frozen=True)
class _Bench:
    """Engines of a platform, model, precision and software, each built once, with the latest pass terms of each."""

    chip: Accelerator
    arch: Model
    weight: str
    settings: Mapping[str, tuple[str, str]]  # engine and cache precision of each mode
    layouts: Mapping[str, tuple[Layout, ...]]
    names: tuple[str, ...]
    known: dict[tuple[Any, ...], tuple[Engine, bytes, PassTerms]] = field(default_factory=dict)

    def placed(self, mode: str, layouts: tuple[Layout, ...], axes: int, v: FloatArray) -> tuple[Engine, PassTerms]:
        """See :meth:`Task.placed`."""
        key, values = (mode, layouts, axes), v.tobytes()
        found = self.known.get(key)
        if found is None or found[1] != values:
            every = self._rows[mode]
            if not all(x in every for x in layouts):  # an unusual layout that is named in full
                every = _numbered(layouts)
            if axes or layouts != tuple(every):
                known, terms = self.placed(mode, tuple(every), 0, v)
                rows = np.array([every[x] for x in layouts], dtype=np.intp).reshape(-1, *(1,) * axes)
                found = known.take(rows), values, terms.at(Cells(known.tp.shape, rows))
            else:
                engine = self._build(mode, layouts) if found is None else found[0]
                found = engine, values, pass_terms(engine, v)
            self.known[key] = found
        return found[0], found[2]

    @cached_property
    def _rows(self) -> dict[str, dict[Layout, int]]:
        """Row of each layout that engines of a mode are tried with, among all of them, which are built once."""
        first, second = MODES
        return {
            first: _numbered(self.layouts[first]),
            second: _numbered((*self.layouts[second], *self.layouts["prefill"])),
        }

    @cached_property
    def _index(self) -> dict[str, int]:
        """Position of each parameter."""
        return {name: i for i, name in enumerate(self.names)}

    def _build(self, mode: str, layouts: tuple[Layout, ...]) -> Engine:
        software, kv = self.settings[mode]
        tp, ep, pp = (np.array([getattr(x, name) for x in layouts], dtype=float) for name in ("tp", "ep", "pp"))
        widths = tp, ep, pp, np.array([x.dp_attention for x in layouts])
        return engine_of_layouts(self.chip, self.arch, self.weight, kv, software, mode, widths, self._index)


def _numbered(layouts: tuple[Layout, ...]) -> dict[Layout, int]:
    """Layouts by their first appearance."""
    return {x: i for i, x in enumerate(dict.fromkeys(layouts))}


@of_arguments(256)
def _bench(
    chip: Accelerator,
    arch: Model,
    weight: str,
    aggregated: tuple[str, str],
    pools: tuple[str, str],
    names: tuple[str, ...],
    most_gpus: int,
) -> _Bench:
    bits = PRECISION_BITS[weight]
    pools_of = [of(chip, arch, bits, most_gpus) for of in (decode_layouts, prefill_layouts)]
    layouts = (engine_layouts(chip, arch, bits), *pools_of)
    return _Bench(
        chip,
        arch,
        weight,
        dict(zip(MODES, (aggregated, pools), strict=True)),
        {name: tuple(found) for name, found in zip((*MODES, "prefill"), layouts, strict=True)},
        names,
    )
