"""What a search would rather run than public sweeps did, and how fast that can be taken to be.

A search has thousands of candidates, and the best of many uncertain predictions lies above what it does: the winner was
partly picked for its error. The engineers behind a public sweep had the same layouts at hand and left most of them out.
So where the best that a search finds beats the front of a sweep that the fit has seen, its rate is taken to be that of
the front, at the same speed, within a standard deviation (``choice`` of data/residual_kernel.csv). These points condition the residual
process beside the measured ones; what layouts of that kind are credited with elsewhere falls with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rackecon.arrays import FloatArray
from rackecon.evidence.measured import Evidence
from rackecon.evidence.public_fronts import PublicFront, searched_points
from rackecon.performance.parameters import ServingParameters
from rackecon.performance.residual import FEATURES, Sites, load_feature
from rackecon.serving.front import Frontier


@dataclass(frozen=True)
class Choices:
    """Configurations of searches, and what the logs of measured over physics are there taken to be."""

    ids: tuple[str, ...]  # point of the public front that each is held against
    sites: Sites
    total: FloatArray
    user: FloatArray

    def __len__(self) -> int:
        return len(self.ids)

    def with_more(self, other: Choices) -> Choices:
        """These, then those of the others that are at other sites."""
        known, new = {_key(self.sites, i) for i in range(len(self))}, np.zeros(len(other), dtype=bool)
        for i in range(len(other)):
            key = _key(other.sites, i)
            new[i] = key not in known
            known.add(key)
        names, features = (
            np.concatenate([getattr(self.sites, name), getattr(other.sites, name)[new]])
            for name in ("names", "features")
        )
        ids = self.ids + tuple(x for x, kept in zip(other.ids, new, strict=True) if kept)
        total, user = (np.concatenate([getattr(self, name), getattr(other, name)[new]]) for name in ("total", "user"))
        return Choices(ids, Sites(names, features), total, user)


def no_choices(evidence: Evidence) -> Choices:
    """None of them."""
    return Choices((), evidence.prepared.sites.select(np.arange(0)), np.zeros(0), np.zeros(0))


def choices_of(evidence: Evidence, parameters: ServingParameters, fronts: list[PublicFront]) -> Choices:
    """Where the search beats public fronts, and the logs at which it would not.

    Parameters
    ----------
    parameters : ServingParameters
        With their residual process.
    fronts : list of PublicFront
        Those that the fit has seen.

    Notes
    -----
    At equal speed the search lies :math:`d` above. A factor on the speed of everything moves a point along both axes, so
    on a front of slope :math:`s` (log rate by log speed) both rates fall by :math:`d / (1 - s)`.
    """
    ids: list[str] = []
    features: list[tuple[float, ...]] = []
    names: list[NDArray[np.str_]] = []
    down: list[float] = []
    known = evidence.prepared.sites
    for _, row, slope, found in searched_points([(front, parameters) for front in fronts], evidence):
        speed = float(evidence.tok_s_per_user[row])
        above = math.log(found.rate_at(speed) / float(evidence.total_tok_s_per_gpu[row])) if len(found) else math.nan
        if above > 0.0:
            ids.append(str(evidence.frame["point_id"].iloc[row]))
            names.append(known.names[row])
            features.append(_features(found, speed, known.features[row]))
            down.append(above / (1.0 - slope))
    none = no_choices(evidence)
    if not ids or parameters.residual is None:
        return none
    sites = Sites(np.array(names), np.array(features))
    total, user = (mean - np.array(down) for mean in parameters.residual.mean(sites))
    return none.with_more(Choices(tuple(ids), sites, total, user))


def _features(found: Frontier, speed: float, measured: FloatArray) -> tuple[float, ...]:
    """Features of the first point of a searched front that keeps a speed; lengths and date are those measured."""
    at = {name: values[np.searchsorted(found.rows["tok_s_per_user"], speed)] for name, values in found.rows.items()}
    own = dict(zip(FEATURES, measured.tolist(), strict=True))
    own |= {
        "log2_load": float(load_feature(np.array(at["concurrency"] / at["gpus"]))),
        "log2_tp": math.log2(at["tp"]),
        "experts": float(at["ep"] > 1),
        "dp_attention": float(at["dp_attention"]),
        "drafting": float(at["draft_tokens"] > 0),
    }
    return tuple(own[name] for name in FEATURES)


def _key(sites: Sites, i: int) -> tuple[object, ...]:
    return (*sites.names[i].tolist(), *np.round(sites.features[i], 3).tolist())
