"""What a walk finds, as numbers and names: who leads, who loses, who cannot serve, what keeping a layout costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rackecon import catalog
from rackecon.evidence.novelty import unmeasured
from rackecon.units import HOURS_PER_YEAR
from rackecon.walks.walk import HELD, RETUNED

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "METRIC",
    "Basis",
    "FarEnd",
    "HeldLoss",
    "basis",
    "far_end",
    "held_loss",
    "leaders_at",
    "leading_rows",
    "losing_from",
    "named",
    "pair_drawn",
    "rate_error",
    "unserved_from",
]

METRIC: Final = "profit_usd_per_mw_year"
ASKED: Final = ("accelerator", "model", "isl_tokens", "osl_tokens", "tok_s_per_user")


@dataclass(frozen=True)
class Basis:
    """What money figures rest on."""

    cost_label: str
    utilisation: float
    power_vintage: str


@dataclass(frozen=True)
class FarEnd:
    """Leader and runner-up at one end of a walk, and what would turn them round."""

    leader: str
    rival: str
    gap_usd_per_mw_year: float
    cost_usd_per_gpu_hour: float
    flip_cost_usd_per_gpu_hour: float
    flip_rate_loss: float
    tied: bool


@dataclass(frozen=True)
class HeldLoss:
    """Largest ratio of the throughput of a layout searched anew to that of the first layout kept, and whose."""

    ratio: float
    platform: str


def rate_error() -> float:
    """Median error of predicted tokens per second and GPU on curves that calibration did not see, a share.

    Examples
    --------
    >>> 0.0 < rate_error() < 1.0
    True
    """
    scores = catalog.table("validation_scores").set_index(["scheme", "slice", "quantity"])["median_pct"].astype(float)
    return float(scores["held-out curves", "all with load", "total_tok_s_per_gpu"]) / 100.0


def basis(frame: pd.DataFrame) -> Basis:
    """Cost basis, utilisation and power vintage of evaluated rows; of a served one where there is one."""
    row = frame.iloc[int(frame[METRIC].notna().to_numpy().argmax())]
    return Basis(str(row["cost_label"]), float(row["utilisation"]), str(row["power_vintage"]))


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.dropna(subset=[METRIC]).sort_values([METRIC, "platform"], ascending=[False, True], kind="stable")


def leaders_at(frame: pd.DataFrame, x: str, at: float, error: float) -> tuple[str, ...]:
    """Platforms that lead at a point of the walk: the first, and those that it would not beat with its rate too high by ``error``.

    Where nothing measured stands near a row, its platform's name says so.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"x": 1, "platform": ["A", "B", "C"], METRIC: [9.0, 8.5, 5.0], "revenue_usd_per_mw_year": 10.0})
    >>> leaders_at(rows, "x", 1, 0.1)
    ('A', 'B')
    """
    return tuple(named(row) for row in leading_rows(frame, x, at, error).to_dict("records"))


def leading_rows(frame: pd.DataFrame, x: str, at: float, error: float) -> pd.DataFrame:
    """Rows of :func:`leaders_at`, the first first."""
    known = _ordered(frame[frame[x] == at])
    if known.empty:
        return known
    least = float(known[METRIC].iloc[0]) - error * max(float(known["revenue_usd_per_mw_year"].iloc[0]), 0.0)
    return known[known[METRIC] >= least]


def named(row: Mapping[Any, Any]) -> str:
    """Platform of an evaluated row, and in brackets what about it was never measured.

    Examples
    --------
    >>> where = {"model": "deepseek-r1", "isl_tokens": 8192, "osl_tokens": 1024, "tok_s_per_user": 40.0}
    >>> named({"platform": "TPU v7", "accelerator": "tpu-v7"} | where), named({"platform": "B200", "accelerator": "b200-hgx"} | where)
    ('TPU v7 (unmeasured platform)', 'B200')
    """
    if not set(ASKED) <= set(row):
        return str(row["platform"])
    why = unmeasured(*(row[name] for name in ASKED))
    return f"{row['platform']} ({why})" if why else str(row["platform"])


def losing_from(frame: pd.DataFrame, x: str) -> tuple[tuple[str, float], ...]:
    """Each platform that loses money somewhere on the walk, and the first point where it does."""
    bad = frame[frame[METRIC] < 0].sort_values(x, kind="stable").drop_duplicates("platform")
    return tuple((str(name), float(at)) for name, at in zip(bad["platform"], bad[x], strict=True))


def unserved_from(frame: pd.DataFrame, x: str) -> tuple[tuple[str, float, str], ...]:
    """Each platform that cannot serve some point within its limits: the first one, and why."""
    out = frame[frame["total_tok_s_per_gpu"].isna()].sort_values(x, kind="stable").drop_duplicates("platform")
    return tuple(
        (str(name), float(at), str(why)) for name, at, why in zip(out["platform"], out[x], out["reason"], strict=True)
    )


def held_loss(walk: pd.DataFrame, x: str) -> HeldLoss:
    """What keeping the first layout costs at most; a ratio of 1 and nobody where it costs nothing."""
    names = ["accelerator", x]
    both = walk[walk["line"] == HELD].merge(walk[walk["line"] == RETUNED], on=names, suffixes=("", "_free"))
    ratio = both["total_tok_s_per_gpu_free"] / both["total_tok_s_per_gpu"].where(both["total_tok_s_per_gpu"] > 0)
    if not ratio.max() > 1.0:
        return HeldLoss(1.0, "")
    worst = int(ratio.fillna(0.0).to_numpy().argmax())
    return HeldLoss(float(ratio.iloc[worst]), str(both["platform"].iloc[worst]))


def pair_drawn(frame: pd.DataFrame, x: str, other: str = "") -> tuple[str, ...]:
    """Two platforms to draw with their first layout kept: the leader at the start, and the one named or the next."""
    start = _ordered(frame[frame[x] == frame[x].min()])["accelerator"]
    named = frame[frame["platform"] == other]["accelerator"]
    return tuple(dict.fromkeys([*start.head(1), *named.head(1), *start.iloc[1:2]]))[:2]


def far_end(frame: pd.DataFrame, x: str, error: float) -> FarEnd | None:
    """First and second at the last point of a walk, and what turns them round; None where fewer than two serve it."""
    tops = _ordered(frame[frame[x] == frame[x].max()])
    if len(tops) < 2:
        return None
    first, second = tops.iloc[0], tops.iloc[1]
    gap = float(first[METRIC]) - float(second[METRIC])
    cost, revenue = float(first["cost_usd_per_gpu_hour"]), float(first["revenue_usd_per_mw_year"])
    loss = gap / revenue if revenue > 0 else math.inf
    return FarEnd(
        leader=named(first.to_dict()),
        rival=named(second.to_dict()),
        gap_usd_per_mw_year=gap,
        cost_usd_per_gpu_hour=cost,
        flip_cost_usd_per_gpu_hour=cost + gap / (float(first["gpus_per_mw"]) * HOURS_PER_YEAR),
        flip_rate_loss=loss,
        tied=loss <= error,
    )
