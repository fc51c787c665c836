"""Draws of the uncertain inputs: scrambled Sobol points, one recorded seed, correlation through common latent factors.

An input's score is :math:`z = \\sum_g \\lambda_g z_g + \\sqrt{1 - \\sum_g \\lambda_g^2}\\; z_{own}`, with latents ``g``
shared by inputs (a strong market lifts prices and sold share) or by platforms (serving error of one vendor). The
``z_g`` and ``z_own`` are independent standard normals: the *factors* that variance is attributed to.

Platforms of the reports' base case are drawn together. One beside them brings factors of its own, each from a seed that its
name makes, so that adding it leaves the draws of all others as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np

from rackecon import catalog
from rackecon.appraisal.evaluate import PLATFORMS
from rackecon.arrays import FloatArray
from rackecon.catalog.cached import of_arguments
from rackecon.catalog.kept import kept
from rackecon.errors import InputError, check_known
from rackecon.uncertainty.distributions import Distribution, distributions

SEED: Final = 20261123
"""The one seed behind every draw of the reports."""
PHYSICAL_POINTS: Final = 128
"""Distinct points of the physical inputs in a sample."""


@dataclass(frozen=True)
class Design:
    """Which independent normals there are for a set of platforms and models, and how inputs are made of them."""

    platforms: tuple[str, ...]
    vendors: tuple[str, ...]
    models: tuple[str, ...]
    inputs: Mapping[str, Distribution]
    owners: tuple[tuple[str, ...], ...]
    """Whose each column is: its factor (a latent's name, or an input's id for its own part), then vendor, platform, model or none."""

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """Factor of each column."""
        return tuple(name for name, *_ in self.owners)

    @cached_property
    def columns(self) -> dict[str, list[int]]:
        """Columns of each factor, in order."""
        found: dict[str, list[int]] = {}
        for i, name in enumerate(self.factors):
            found.setdefault(name, []).append(i)
        return found

    def scores(self, normals: FloatArray) -> Scores:
        """Scores of every input from independent normals of shape ``(draws, len(factors))``."""
        if normals.ndim != 2 or normals.shape[1] != len(self.factors):
            raise InputError(f"{len(self.factors)} columns of normals expected, got shape {normals.shape}")
        values: dict[str, FloatArray] = {}
        for name, item in self.inputs.items():
            own = normals[:, self.columns[name]]
            left = math.sqrt(max(1.0 - sum(x * x for x in item.loadings.values()), 0.0))
            z = left * own
            for latent, loading in item.loadings.items():
                part = normals[:, self.columns[latent]]
                z = z + loading * (part[:, self._vendor_index(item.scope)] if latent.endswith("/vendor") else part)
            values[name] = z
        return Scores(self, values)

    def _vendor_index(self, scope: str) -> list[int]:
        order = {name: i for i, name in enumerate(dict.fromkeys(self.vendors))}
        by_platform = [order[v] for v in self.vendors]
        if scope == "platform":
            return by_platform
        if scope == "cell":
            return by_platform * len(self.models)
        raise InputError(f"a latent per vendor needs an input per platform or cell, not scope '{scope}'")


@dataclass(frozen=True)
class Scores:
    """Normal scores of every input: ``(draws, 1)`` shared, ``(draws, platforms)``, ``(draws, models)``, or cells."""

    design: Design
    values: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def of(self, name: str, platform: int, model: int) -> FloatArray:
        """Scores of one input for one platform and model, shape ``(draws,)``."""
        check_known("uncertain input", name, self.values)
        scope = self.design.inputs[name].scope
        column = {"shared": 0, "platform": platform, "model": model}.get(
            scope, model * len(self.design.platforms) + platform
        )
        return np.asarray(self.values[name][:, column])

    def replaced(self, **scores: float | FloatArray) -> Scores:
        """The same draws with some inputs' scores set, for all platforms and models alike."""
        values = dict(self.values)
        for name, score in scores.items():
            check_known("uncertain input", name, values)
            values[name] = np.broadcast_to(np.asarray(score, dtype=float).reshape(-1, 1), values[name].shape)
        return Scores(self.design, values)


def design(platforms: Sequence[str], models: Sequence[str], inputs: Mapping[str, Distribution] | None = None) -> Design:
    """The independent factors for some platforms and models.

    Parameters
    ----------
    platforms, models : sequence of str
        Ids; a platform that the catalog does not know is a vendor of its own.
    inputs : mapping, optional
        Distributions, those of data/distributions.csv by default.

    Returns
    -------
    Design
        Latent factors first, then each input's own part; platforms, models or cells side by side.
    """
    known = dict(inputs) if inputs is not None else distributions()
    used = {name: item for name, item in known.items() if item.form != "fixed"}
    chips = catalog.accelerators()
    vendors = tuple(chips[key].vendor if key in chips else key for key in platforms)
    latents = dict.fromkeys(latent for item in used.values() for latent in item.loadings)
    every = dict.fromkeys(vendors)
    whose: dict[str, list[tuple[str, ...]]] = {
        "shared": [()],
        "platform": [(key,) for key in platforms],
        "model": [(key,) for key in models],
        "cell": [(key, model) for model, key in product(models, platforms)],
    }
    owners = [
        (latent, *who) for latent in latents for who in ([(v,) for v in every] if latent.endswith("/vendor") else [()])
    ]
    owners += [(name, *who) for name, item in used.items() for who in whose[item.scope]]
    return Design(tuple(platforms), vendors, tuple(models), used, tuple(owners))


@of_arguments(8)
def normal_points(draws: int, columns: int, seed: int = SEED) -> FloatArray:
    """Scrambled Sobol points turned into independent standard normals, read only.

    Parameters
    ----------
    draws : int
        A power of two, so that the sequence keeps its balance.
    columns : int
        Dimensions.
    seed : int
        Of the scrambling.

    Returns
    -------
    ndarray
        Shape ``(draws, columns)``.

    Examples
    --------
    >>> z = normal_points(1024, 3)
    >>> bool(np.all(np.abs(z.mean(axis=0)) < 1e-3) and np.all(np.abs(z.std(axis=0) - 1) < 5e-3))
    True
    """
    if draws < 1 or draws & (draws - 1):
        raise InputError(f"draws must be a power of two for a Sobol sequence, got {draws}")
    points = kept("normals", (draws, columns, seed), lambda: _normal_points(draws, columns, seed))
    points.flags.writeable = False
    return points


def _normal_points(draws: int, columns: int, seed: int) -> FloatArray:
    """What :func:`normal_points` gives; the import takes longer than a page's points."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = qmc.Sobol(columns, scramble=True, rng=np.random.default_rng(seed)).random(draws)
    return np.asarray(ndtri(np.clip(points, 1e-12, 1.0 - 1e-12)))


def sample(plan: Design, draws: int, seed: int = SEED, *, physical_points: int = PHYSICAL_POINTS) -> Scores:
    """Scores of every input of a design from the recorded seed.

    Parameters
    ----------
    draws : int
        A power of two.
    physical_points : int
        Distinct points of the physical inputs (:data:`rackecon.uncertainty.shortlist.PHYSICAL`), a power of two: the
        search is run at each. Consecutive draws, themselves a balanced set, share one.
    """
    home = [key for key in plan.platforms if key in PLATFORMS]
    together = plan if len(home) in (0, len(plan.platforms)) else design(home, plan.models, plan.inputs)
    normals = blocked(together, normal_points(draws, len(together.factors), seed), physical_points, seed)
    if together is plan:
        return plan.scores(normals)
    known = dict(zip(together.owners, normals.T, strict=True))
    columns = [known[who] if who in known else _apart(who, draws, seed, physical_points) for who in plan.owners]
    return plan.scores(np.stack(columns, axis=1))


def _apart(owner: tuple[str, ...], draws: int, seed: int, physical_points: int) -> FloatArray:
    """Normals of one factor that depend on no other: middles of equal steps of its distribution, in an order that its name makes."""
    from scipy.special import ndtri

    from rackecon.uncertainty.shortlist import PHYSICAL

    points = min(physical_points, draws) if owner[0] in PHYSICAL else draws
    order = np.random.default_rng([seed, *"|".join(owner).encode()]).permutation(points)
    return np.asarray(np.repeat(ndtri((order + 0.5) / points), draws // points))


def blocked(plan: Design, normals: FloatArray, physical_points: int, seed: int = SEED) -> FloatArray:
    """Normals whose physical columns take few distinct points, each shared by a run of consecutive draws."""
    from rackecon.uncertainty.shortlist import PHYSICAL

    columns = [i for i, name in enumerate(plan.factors) if name in PHYSICAL]
    if not columns or physical_points >= len(normals):
        return normals
    points = normal_points(physical_points, len(columns), seed + 1)
    out = normals.copy()
    # runs, not strides: every stride of a Sobol sequence sits in one slice of its first dimension
    out[:, columns] = points[np.arange(len(normals)) * physical_points // len(normals)]
    return out


def median_scores(plan: Design, draws: int = 1) -> Scores:
    """Every input at its median: the base case."""
    return plan.scores(np.zeros((draws, len(plan.factors))))
