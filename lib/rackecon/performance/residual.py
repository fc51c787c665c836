"""What measured siblings of a point say on top of the physics: a Gaussian process over chips, models, engines and loads.

The residual of a rate, log measured over physics, is a sum of terms. A term is shared by points that agree in some names
(engine and vendor, chip family, chip, model, architecture) and fades with the distance in load, lengths, layout or date.
Far from every measured point it fades to zero, the physics stays, and :meth:`Residual.sd` grows to that of the terms.

.. math:: k(x, x') = \\sum_t s_t^2 \\, [n_t(x) = n_t(x')] \\prod_{f \\in F_t} \\kappa_f(x, x')

Points that condition it and their weights in the mean are data/serving_residual.csv, written by ``rackecon calibrate``: measured
ones, and what searches prefer to them (:mod:`rackecon.evidence.choices`). Scales and lengths are data/residual_kernel.csv: half
way, in logs, between those that serve curves of known chips alone and those of least absolute error over four ways of holding out
at once (whole curves, pairs, models, accelerators), which put the searched front of one platform 15 % off.
The time to first token has a process of its own for each mode, conditioned on measured points alone: names of its scales
begin with the mode.
Source of the form: Rasmussen and Williams, *Gaussian Processes for Machine Learning* (2006), chapter 2 (mean 2.25, variance 2.26)
and equation 4.17 (Matern 3/2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import BoolArray, FloatArray, IntArray
from rackecon.catalog import Accelerator, Model
from rackecon.catalog.cached import of_arguments
from rackecon.performance.families import engine_family

NAMES = ("vendor", "family", "accelerator", "engine", "precision", "mode", "model", "architecture")
FEATURES = ("log2_load", "log2_isl", "log2_osl", "log2_tp", "experts", "dp_attention", "drafting", "years")
TERMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("stack", ("vendor", "engine", "mode"), ""),
    ("stack_shape", ("vendor", "engine", "mode"), "LIWD"),
    ("family_shape", ("family", "engine", "mode", "precision"), "LIWD"),
    ("chip_shape", ("accelerator", "engine", "mode", "precision"), "LIWD"),
    ("chip_date", ("accelerator", "engine", "mode"), "T"),
    ("chip_date_load", ("accelerator", "engine", "mode"), "TLD"),
    ("model", ("model",), ""),
    ("model_shape", ("model",), "LIW"),
    ("model_family", ("model", "family"), "I"),
    ("architecture", ("architecture",), "LW"),
    ("cell_shape", ("accelerator", "engine", "mode", "precision", "model"), "LIWD"),
)
"""Name of a term's scale, the names that must agree, and what it fades with: Load, In- and output lengths, Width of the
layout, Data-parallel attention and drafting, Time."""
LENGTHS = ("log2_isl", "log2_osl")
LOAD_GRID = np.arange(-8.0, 15.0)
"""log2 of requests in flight per GPU between which the load's factor is read on straight lines."""
DIGITS = 10
"""Of a surface, after the point: the last bits of a product depend on how many rows it has."""


def names_of(chip: Accelerator, arch: Model, engine: str, precision: str, mode: str) -> tuple[str, ...]:
    """Names of a point, in the order of :data:`NAMES`; a rack-scale domain counts as a family of its own.

    Examples
    --------
    >>> from rackecon.catalog import accelerator, model
    >>> names_of(accelerator("gb200-nvl72"), model("deepseek-r1"), "dynamo-trtllm", "fp4", "disaggregated")[1:4]
    ('blackwell rack', 'gb200-nvl72', 'trt')
    """
    family = chip.family + (" rack" if chip.rack_scale else "")
    kind = ("experts" if arch.is_moe else "dense") + (" latent" if arch.is_mla else "")
    return (chip.vendor, family, chip.id, engine_family(engine, chip.vendor), precision, mode, arch.id, kind)


@dataclass(frozen=True)
class Sites:
    """Points as the kernel sees them: names (points, names) and features (points, features)."""

    names: NDArray[np.str_]
    features: FloatArray

    def __len__(self) -> int:
        return len(self.features)

    def feature(self, name: str) -> FloatArray:
        """One feature of every point."""
        return np.asarray(self.features[:, FEATURES.index(name)])

    def select(self, rows: BoolArray | IntArray) -> Sites:
        """Some of the points."""
        return Sites(self.names[rows], self.features[rows])

    def joined(self, other: Sites) -> Sites:
        """These points, then others."""
        return Sites(np.concatenate([self.names, other.names]), np.concatenate([self.features, other.features]))


def load_feature(requests_per_gpu: FloatArray) -> FloatArray:
    """Load as the kernel takes it: log2 of requests in flight per GPU (1 where unknown), within :data:`LOAD_GRID`."""
    found = np.minimum(np.maximum(np.log2(np.maximum(requests_per_gpu, 1e-9)), LOAD_GRID[0]), LOAD_GRID[-1])
    return np.where(np.isnan(found), 0.0, found)


@dataclass(frozen=True, eq=False)
class Residual:
    """A fitted process: the points it has seen, their weights in the mean, the noise of each, scales and lengths.

    ``total`` and ``user`` are the weights :math:`(K + N)^{-1} y` for total rate and speed per user; ``noise`` is the
    standard deviation of each point [log].
    """

    sites: Sites
    total: FloatArray
    user: FloatArray
    noise: FloatArray
    kernel: Mapping[str, float]
    dated: bool = True  # whether the terms that fade with time count

    def without_history(self) -> Residual:
        """The same without what only a date explains."""
        return replace(self, dated=False)

    def mean(self, sites: Sites) -> tuple[FloatArray, FloatArray]:
        """Expected log of measured over physics at some points, for total rate and for speed per user."""
        out = np.zeros((2, len(sites)))
        column = FEATURES.index("log2_load")
        settings = sites.features.copy()
        settings[:, column] = 0.0
        order = np.lexsort(sites.names.T[::-1])
        fresh = (sites.names[order][1:] != sites.names[order][:-1]).any(axis=1)
        for rows in np.split(order, np.flatnonzero(fresh) + 1) if len(sites) else []:
            each, setting = np.unique(settings[rows], axis=0, return_inverse=True)
            surface = self.surface(tuple(sites.names[rows[0]]), each)
            out[:, rows] = Places.of(setting.reshape(-1), sites.features[rows, column]).read(surface)
        return out[0], out[1]

    def covariance(self, sites: Sites) -> FloatArray:
        """Prior covariance of some points with those seen, (points, seen)."""
        return _covariance(sites, self.sites, self.kernel, self.dated)

    def sd(self, sites: Sites) -> FloatArray:
        """Standard deviation of a measurement of speed or rate around physics and mean [log]; grows with distance."""
        if not len(self.sites):
            return np.full(len(sites), np.sqrt(self.prior_variance))
        k = self.covariance(sites)
        left = self.prior_variance - np.einsum("ij,ij->i", k @ self._inverse, k)
        return np.asarray(np.sqrt(np.clip(left, 0.0, None) + self.kernel["noise"] ** 2))

    @property
    def prior_variance(self) -> float:
        """Variance of a point far from all others [log^2]."""
        return float(sum(self.kernel[name] ** 2 for name, _, fading in TERMS if self.dated or "T" not in fading))

    @cached_property
    def _inverse(self) -> FloatArray:
        own = _covariance(self.sites, self.sites, self.kernel, self.dated)
        own[np.diag_indices(len(own))] += self.noise**2
        return np.asarray(np.linalg.inv(own))

    def surface(self, names: Sequence[str], features: FloatArray) -> FloatArray:
        """The mean over :data:`LOAD_GRID` for settings that share names.

        Parameters
        ----------
        names : sequence of str
            Of :func:`names_of`.
        features : array
            (settings, features); the load is not read.

        Returns
        -------
        ndarray
            (2, settings, grid): total rate, speed per user [log].
        """
        return self.shape(names, features).at(features)

    def shape(self, names: Sequence[str], features: FloatArray) -> Shape:
        """What of :meth:`surface` no length changes, so that many lengths share it; lengths and load are not read."""
        seen, _, runs = self._cells
        settings = np.array(features, dtype=float)
        settings[:, [FEATURES.index(name) for name in ("log2_load", *LENGTHS)]] = 0.0
        plain = self._weighed(tuple(map(str, names)), settings, ("", "L"), [0, len(seen)])[0]
        settings[:, FEATURES.index("years")] = 0.0
        faded = _faded(self, tuple(map(str, names)), settings.tobytes())
        return Shape(seen.select(runs), self.kernel, plain, faded)

    def _weighed(
        self, names: tuple[str, ...], features: FloatArray, fades: tuple[str, str], bounds: Sequence[int]
    ) -> FloatArray:
        """Sum over the points seen of each part of the terms that fade with lengths and load as stated, (parts, 2, settings, grid)."""
        seen, weights, _ = self._cells
        terms = [(name, agree, fading) for name, agree, fading in TERMS if self.dated or "T" not in fading]
        terms = [term for term in terms if "".join(key for key in "LI" if key in term[2]) in fades]
        known = dict(zip("WD", _near(self, features.tobytes()), strict=True))
        years, column = seen.feature("years"), features[:, FEATURES.index("years")]
        column = column[:1] if _same(features, ("years",)) else column
        sums = {of: np.zeros((len(features), len(seen))) for of in fades}
        some = np.zeros(len(seen), dtype=bool)
        for name, agree, fading in terms:
            alike = self._agreeing(agree, names)
            if not len(alike):
                continue
            some[alike] = True
            part: Any = self.kernel[name] ** 2
            for key in fading.replace("L", "").replace("I", ""):
                part = part * (known[key][:, alike] if key in known else _apart(column, years[alike], self.kernel))
            sums["".join(key for key in "LI" if key in fading)][:, alike] += part
        flat, loaded = weights[:, :, :1], weights[:, :, 1:]
        out = np.zeros((len(bounds) - 1, 2, len(features), len(LOAD_GRID)))
        for part, (start, end) in zip(out, pairwise(bounds), strict=True):
            if not some[start:end].any():
                continue
            without, many = (sums[of][:, start:end] for of in fades)
            for one, even, more in zip(part, flat[:, start:end], loaded[:, start:end], strict=True):
                one[:] = without @ even + many @ more
        return out

    def _agreeing(self, agree: tuple[str, ...], names: tuple[str, ...]) -> IntArray:
        """Cells of :attr:`_cells` that have some of these names; a few hundred kinds are asked for again and again."""
        columns = [NAMES.index(one) for one in agree]
        asked = (agree, tuple(names[i] for i in columns))
        if asked not in self._agreed:
            numbers = [self._numbers[i].get(names[i], -1) for i in columns]
            self._agreed[asked] = np.flatnonzero((self._names[:, columns] == numbers).all(axis=1))
        return self._agreed[asked]

    @cached_property
    def _agreed(self) -> dict[tuple[tuple[str, ...], tuple[str, ...]], IntArray]:
        """What :meth:`_agreeing` found."""
        return {}

    @cached_property
    def _numbers(self) -> list[dict[str, int]]:
        """Number of each name that the points seen have, by kind of name: texts take many times as long to compare."""
        return [{str(name): number for number, name in enumerate(np.unique(kind))} for kind in self._cells[0].names.T]

    @cached_property
    def _names(self) -> IntArray:
        """The same for each cell of :attr:`_cells`, (cells, names)."""
        kinds = zip(self._numbers, self._cells[0].names.T, strict=True)
        return np.array([[known[str(name)] for name in kind] for known, kind in kinds], dtype=np.intp).T

    @cached_property
    def _cells(self) -> tuple[Sites, FloatArray, IntArray]:
        """Points seen that differ in more than their load, by lengths; their weights (2, cells, 1 + grid): summed, and with
        the load's factor; where each pair of lengths begins."""
        lengths = [FEATURES.index(name) for name in LENGTHS]
        others = [i for i in range(1, len(FEATURES)) if i not in lengths]
        names = [np.unique(column, return_inverse=True)[1].reshape(-1, 1) for column in self.sites.names.T]
        alike = np.concatenate([self.sites.features[:, [*lengths, *others]], *names], 1)
        _, first, cell = np.unique(alike, axis=0, return_index=True, return_inverse=True)
        factors = np.concatenate([np.ones((1, len(self.sites))), _load(self.sites, self.kernel)]).T
        weights = np.zeros((2, len(first), len(LOAD_GRID) + 1))
        for out, one in zip(weights, (self.total, self.user), strict=True):
            np.add.at(out, cell.reshape(-1), one[:, None] * factors)
        pairs = self.sites.features[first][:, lengths]
        runs = np.flatnonzero((pairs[1:] != pairs[:-1]).any(axis=1)) + 1
        return self.sites.select(first), weights, np.concatenate([[0], runs])[: len(pairs)]


def _near(residual: Residual, settings: bytes) -> tuple[FloatArray, FloatArray]:
    """Factors of width and of attention between some settings and the cells seen; neither lengths nor dates move them."""
    features = np.frombuffer(settings).reshape(-1, len(FEATURES)).copy()
    features[:, FEATURES.index("years")] = 0.0
    return _near_settings(residual, features.tobytes())


@of_arguments(64)
def _near_settings(residual: Residual, settings: bytes) -> tuple[FloatArray, FloatArray]:
    features, seen = np.frombuffer(settings).reshape(-1, len(FEATURES)), residual._cells[0]
    return _width(features, seen, residual.kernel), _attention(features, seen, residual.kernel)


@of_arguments(256)
def _faded(residual: Residual, names: tuple[str, ...], settings: bytes) -> FloatArray:
    """The part of a shape that fades with lengths, of each pair of lengths seen: no date moves it, so that dates share it."""
    features = np.frombuffer(settings).reshape(-1, len(FEATURES))
    seen, _, runs = residual._cells
    return residual._weighed(names, features, ("I", "LI"), [*runs, len(seen)])


def by_mode(processes: Mapping[str, Residual], sites: Sites, otherwise: FloatArray) -> FloatArray:
    """Mean of the process of each point's mode, of the quantity it stands for in ``total`` [log].

    ``otherwise`` is that of points whose mode has no process.
    """
    out = otherwise.copy()
    for mode, process in processes.items():
        rows = sites.names[:, NAMES.index("mode")] == mode
        out[rows] = process.mean(sites.select(rows))[0]
    return out


@dataclass(frozen=True)
class Shape:
    """A surface of settings before their lengths are known: what no length moves, and what fades from each pair seen."""

    seen: Sites
    kernel: Mapping[str, float]
    plain: FloatArray  # (2, settings, grid)
    faded: FloatArray  # (pairs of lengths, 2, settings, grid)

    def at(self, features: FloatArray) -> FloatArray:
        """:meth:`Residual.surface` at the lengths of one point for all settings, or of one for each."""
        near = _lengths(features[:1] if _same(features, LENGTHS) else features, self.seen, self.kernel)
        added = np.tensordot(near[0], self.faded, 1) if len(near) == 1 else np.einsum("sl,lrsg->rsg", near, self.faded)
        # the last bits of a product depend on how many rows it has
        return np.asarray(np.round(self.plain + added, DIGITS), dtype=float)

    def at_each(self, log2_lengths: FloatArray) -> FloatArray:
        """:meth:`at` for all settings at several pairs of lengths (pairs, 2), one pair's settings after another's."""
        features = np.zeros((len(log2_lengths), len(FEATURES)))
        features[:, [FEATURES.index(name) for name in LENGTHS]] = log2_lengths
        each = self.faded.reshape(len(self.faded), -1)
        near = _lengths(features, self.seen, self.kernel)
        # one by one: the last bits of a product depend on how many rows it has
        added = np.stack([(one[None] @ each).reshape(self.plain.shape) for one in near], 1)
        whole = np.round(self.plain[:, None] + added, DIGITS)
        return np.asarray(whole.reshape(2, -1, len(LOAD_GRID)))


@dataclass(frozen=True)
class Places:
    """Where points of some settings and loads lie in the surfaces of those settings, of whatever process."""

    below: IntArray  # flat number of the grid point below each
    share: FloatArray  # of the way to the next

    @classmethod
    def of(cls, setting: IntArray, log2_load: FloatArray) -> Places:
        """Settings and loads (:func:`load_feature`) broadcast."""
        low, share = _on_grid(log2_load)
        return cls(setting * len(LOAD_GRID) + low, share)

    def read(self, surface: FloatArray) -> tuple[FloatArray, ...]:
        """Each quantity of a surface (total rate, speed per user) [log]."""
        left, above, out = 1.0 - self.share, self.below + 1, []
        for values in surface:
            flat = values.ravel()
            found, other = flat.take(self.below), flat.take(above)
            found *= left
            other *= self.share
            found += other
            out.append(found)
        return tuple(out)


def _covariance(first: Sites, second: Sites, kernel: Mapping[str, float], dated: bool) -> FloatArray:
    known = {key: of(first.features, second, kernel) for key, of in FADING.items()}
    known["L"] = _between(first.feature("log2_load"), second, kernel)
    same = [_alike(first.names[:, i], second.names[:, i]) for i in range(len(NAMES))]
    out = np.zeros((len(first), len(second)))
    for name, agree, fading in TERMS:
        if "T" in fading and not dated:
            continue
        part = np.full(out.shape, kernel[name] ** 2)
        for key in agree:
            part *= same[NAMES.index(key)]
        for key in fading:
            part *= known[key]
        out += part
    return out


def _alike(one: NDArray[np.str_], other: NDArray[np.str_]) -> BoolArray:
    """Which names of two lists agree; of their numbers, as texts of each pair take many times as long to compare."""
    _, code = np.unique(np.concatenate([one, other]), return_inverse=True)
    return np.asarray(code[: len(one), None] == code[None, len(one) :])


def _between(load: FloatArray, seen: Sites, kernel: Mapping[str, float]) -> FloatArray:
    """Load factor of points with those seen."""
    low, part = _on_grid(load)
    grid, share = _load(seen, kernel), part[:, None]
    return np.asarray(grid[low] * (1.0 - share) + grid[low + 1] * share)


def _on_grid(load: FloatArray) -> tuple[IntArray, FloatArray]:
    """Grid point below each load, and the share of the way to the next."""
    at = np.minimum(np.maximum(load, LOAD_GRID[0]), LOAD_GRID[-1]) - LOAD_GRID[0]
    low = np.minimum(at.astype(np.intp), len(LOAD_GRID) - 2)
    return low, np.asarray(at - low)


def _same(features: FloatArray, columns: tuple[str, ...]) -> bool:
    """Whether all points share some features, so that what depends on them alone is worked out once."""
    some = features[:, [FEATURES.index(name) for name in columns]]
    return len(features) > 1 and bool((some == some[0]).all())


def _matern(one: FloatArray, other: FloatArray, length: float) -> FloatArray:
    far = np.sqrt(3.0) / length * np.abs(one[:, None] - other[None, :])
    return np.asarray((1.0 + far) * np.exp(-far))


def _load(seen: Sites, kernel: Mapping[str, float]) -> FloatArray:
    """Load factor at the loads of :data:`LOAD_GRID`, on straight lines between them on both sides: a covariance."""
    low, part = _on_grid(seen.feature("log2_load"))
    own = _matern(LOAD_GRID, LOAD_GRID, kernel["load_length"])
    return np.asarray(own[:, low] * (1.0 - part) + own[:, low + 1] * part)


def _lengths(features: FloatArray, seen: Sites, kernel: Mapping[str, float]) -> FloatArray:
    first, second = (FEATURES.index(name) for name in ("log2_isl", "log2_osl"))
    length = kernel["tokens_length"]
    return np.asarray(
        _matern(features[:, first], seen.features[:, first], length)
        * _matern(features[:, second], seen.features[:, second], length)
    )


def _differ(features: FloatArray, seen: Sites, name: str) -> FloatArray:
    column = FEATURES.index(name)
    return np.asarray(features[:, column][:, None] != seen.features[:, column][None, :], dtype=float)


def _width(features: FloatArray, seen: Sites, kernel: Mapping[str, float]) -> FloatArray:
    column = FEATURES.index("log2_tp")
    near = _matern(features[:, column], seen.features[:, column], kernel["width_length"])
    return np.asarray(near * np.exp(-kernel["experts_distance"] * _differ(features, seen, "experts")))


def _attention(features: FloatArray, seen: Sites, kernel: Mapping[str, float]) -> FloatArray:
    far = kernel["attention_distance"] * _differ(features, seen, "dp_attention")
    return np.asarray(np.exp(-far - kernel["drafting_distance"] * _differ(features, seen, "drafting")))


def _time(features: FloatArray, seen: Sites, kernel: Mapping[str, float]) -> FloatArray:
    return _apart(features[:, FEATURES.index("years")], seen.feature("years"), kernel)


def _apart(years: FloatArray, others: FloatArray, kernel: Mapping[str, float]) -> FloatArray:
    """What is left of what dates share, (years, others)."""
    return np.asarray(np.exp(-np.abs(years[:, None] - others[None, :]) / kernel["time_length"]))


FADING = {"I": _lengths, "W": _width, "D": _attention, "T": _time}
"""What a term fades with, beside the load."""
