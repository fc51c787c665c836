"""The page on mixture-of-experts models: experts and experts per token walked, real models side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon import catalog
from rackecon.evidence.leads import rate_error
from rackecon.evidence.novelty import named, platform_named
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.figures.tables import spans
from rackecon.lazy import pd
from rackecon.walks import findings
from rackecon.walks.findings import METRIC, Basis, HeldLoss
from rackecon.walks.walk import RETUNED, doubling_steps, expert_counts, expert_top_k, model_sizes
from rackecon.words import money, number

FEWEST_EXPERTS: Final = 64
FEWEST_PER_TOKEN: Final = 2
HELD_UP: Final = 1 / 3
"""Share of the leader's rate below which a platform lies far behind."""
ASKED_RATE: Final = ("total_tok_s_per_gpu", "asked_tok_s_per_user")
"""Columns of what the walks draw, and of the speed that a measured run must keep."""


@dataclass(frozen=True)
class Spread:
    """The largest model that does not draft and whose weights hold up a small domain and not a large one: who reads them on how many GPUs."""

    model: str
    few: tuple[str, ...]
    few_gpus: int
    leader: str
    leader_gpus: int


@dataclass(frozen=True)
class ExpertsResult:
    """What the page computes: its walks, and the figures and names that its sentences quote."""

    counts: pd.DataFrame
    top_ks: pd.DataFrame
    sizes: pd.DataFrame
    model_name: str
    served: bool
    low: int = field(metadata=in_unit("experts"))
    high: int = field(metadata=in_unit("experts"))
    k_low: int
    k_high: int
    keeps_most: tuple[str, ...]
    """Platforms that the model's error does not tell apart, the first first; likewise below."""
    most_kept: float = field(metadata=in_unit("-"))
    tied_kept: float
    most_tb: float
    most_gpus: int
    keeps_least: str
    least_kept: float = field(metadata=in_unit("-"))
    least_tb: float
    least_gpus: int
    falls_most: tuple[str, ...]
    most_fall: float = field(metadata=in_unit("-"))
    tied_fall: float
    falls_least: str
    least_fall: float = field(metadata=in_unit("-"))
    lost: tuple[str, ...]
    winners: tuple[tuple[int, tuple[str, ...]], ...]
    """On how many real models who makes the most profit per MW, or cannot be told from who does."""
    sold: int
    """Real models that somebody serves at a price."""
    spread: Spread | None
    loss: HeldLoss
    error: float
    money_basis: Basis
    pair: tuple[str, ...]

    @property
    def count_lines(self) -> pd.DataFrame:
        """The walk over experts as its chart draws it."""
        return _lines(self.counts, "experts")

    @property
    def top_k_lines(self) -> pd.DataFrame:
        """The walk over experts per token as its chart draws it."""
        return _lines(self.top_ks, "top_k")

    @property
    def kept_lines(self) -> pd.DataFrame:
        """Two platforms over experts, searched anew and with the first layout kept."""
        return findings.drawn_with_kept(self.counts, self.pair, "experts", *ASKED_RATE)


def _lines(walk: pd.DataFrame, x: str) -> pd.DataFrame:
    return findings.drawn(walk[walk["line"] == RETUNED], x, *ASKED_RATE)


def experts_result(
    accelerators: Sequence[str], model: str, models: Sequence[str], scenario: str, experts: int, top_k: int
) -> ExpertsResult:
    """Experts and experts per token walked by doubling, and real models, at a scenario's limits."""
    case, arch = catalog.scenario(scenario), catalog.model(model)
    counts = expert_counts(accelerators, model, case, doubling_steps(FEWEST_EXPERTS, experts))
    top_ks = expert_top_k(accelerators, model, case, doubling_steps(FEWEST_PER_TOKEN, top_k))
    return experts_found(counts, top_ks, model_sizes(accelerators, models, case), arch.name)


def _ratios(walk: pd.DataFrame, x: str) -> tuple[pd.DataFrame, pd.Series]:
    """Served rows of a walk, and last over first throughput of each platform, lowest first."""
    free = walk[(walk["line"] == RETUNED) & walk["total_tok_s_per_gpu"].notna()].sort_values(x, kind="stable")
    ends = free.groupby("platform", sort=False)["total_tok_s_per_gpu"]
    return free, (ends.last() / ends.first()).sort_values(kind="stable")


def _near(shares: pd.Series[float], error: float) -> list[str]:
    """Platforms whose share lies within the model's error of the highest, the highest first.

    Examples
    --------
    >>> import pandas as pd
    >>> _near(pd.Series({"A": 0.6, "B": 0.75, "C": 0.8}), 0.08)
    ['C', 'B']
    """
    near = shares[shares >= (1.0 - error) * shares.max()]
    return [str(name) for name in near.sort_values(ascending=False, kind="stable").index]


def _room(frame: pd.DataFrame, platform: str) -> tuple[float, int]:
    """Memory [TB] and accelerators of a platform's scale-up domain."""
    chip = catalog.accelerator(str(frame.loc[frame["platform"] == platform, "accelerator"].iloc[0]))
    return chip.scaleup_domain_gpus * chip.hbm_bytes / 1e12, chip.scaleup_domain_gpus


def _winners(sizes: pd.DataFrame) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """On how many models who is ahead, most first, and last who serves and never is."""
    ahead = [
        set(findings.leading_rows(sizes, "model_name", name)["accelerator"])
        for name in dict.fromkeys(sizes["model_name"])
    ]
    found: dict[int, list[str]] = {}
    for chip in dict.fromkeys(sizes.loc[sizes[METRIC].notna(), "accelerator"]):
        found.setdefault(sum(chip in one for one in ahead), []).append(platform_named(str(chip)))
    return tuple((count, tuple(found[count])) for count in sorted(found, reverse=True))


def _spread(sizes: pd.DataFrame) -> Spread | None:
    """Where platforms that come close on other models lie far apart; none where no model shows it."""
    if not {"draft_tokens", "bottleneck", "tp", "total_params_bn"} <= set(sizes):
        return None
    rows = sizes.dropna(subset=["total_tok_s_per_gpu", METRIC]).sort_values("total_params_bn", kind="stable")
    for name in rows["model_name"].unique()[::-1]:
        one = rows[rows["model_name"] == name]
        first = one.loc[one[METRIC].idxmax()]
        domains = one["accelerator"].map(lambda key: catalog.accelerator(key).scaleup_domain_gpus)
        held_up = (one["draft_tokens"] == 0) & (one["bottleneck"] == "weights") & (domains < first["tp"])
        small = one[held_up & (one["total_tok_s_per_gpu"] < HELD_UP * first["total_tok_s_per_gpu"])]
        if len(small):
            names = tuple(platform_named(key) for key in small["accelerator"])
            leader = platform_named(str(first["accelerator"]))
            return Spread(str(name), names, int(small["tp"].max()), leader, int(first["tp"]))
    return None


def experts_found(counts: pd.DataFrame, top_ks: pd.DataFrame, sizes: pd.DataFrame, model_name: str) -> ExpertsResult:
    """What the walks and the real models find."""
    error = rate_error()
    free, kept = _ratios(counts, "experts")
    _, falls = _ratios(top_ks, "top_k")
    high = int(counts["experts"].max())
    most, dear = _near(kept, error), _near(1.0 / falls, error)
    least = str(kept.index[0]) if len(kept) else ""
    loss = findings.held_loss(counts, "experts")
    chips = dict(zip(counts["platform"], counts["accelerator"], strict=True))
    rooms = [_room(counts, name) for name in (*most, least) if name] or [(math.nan, 0)]
    (most_tb, most_gpus), (least_tb, least_gpus) = min(rooms[:-1] or rooms), rooms[-1]
    return ExpertsResult(
        counts=counts,
        top_ks=top_ks,
        sizes=sizes,
        model_name=model_name,
        served=len(kept) > 0,
        low=int(counts["experts"].min()),
        high=high,
        k_low=int(top_ks["top_k"].min()),
        k_high=int(top_ks["top_k"].max()),
        keeps_most=tuple(platform_named(chips[name]) for name in most),
        most_kept=min(float(kept.iloc[-1]), 1.0) if most else math.nan,
        tied_kept=min(float(kept[most].min()), 1.0) if most else math.nan,
        most_tb=most_tb,
        most_gpus=most_gpus,
        keeps_least=platform_named(chips[least]) if least else "",
        least_kept=min(float(kept.iloc[0]), 1.0) if least else math.nan,
        least_tb=least_tb,
        least_gpus=least_gpus,
        falls_most=tuple(platform_named(chips[name]) for name in dear),
        most_fall=float(1.0 / falls.iloc[0]) if dear else math.nan,
        tied_fall=float(1.0 / falls[dear].max()) if dear else math.nan,
        falls_least=platform_named(chips[str(falls.index[-1])]) if len(falls) else "",
        least_fall=float(1.0 / falls.iloc[-1]) if len(falls) else math.nan,
        lost=tuple(sorted(set(counts["platform"]) - set(free.loc[free["experts"] == high, "platform"]))),
        winners=_winners(sizes),
        sold=sizes.loc[sizes[METRIC].notna(), "model_name"].nunique(),
        spread=_spread(sizes),
        loss=loss,
        error=error,
        money_basis=findings.basis(sizes),
        pair=tuple(dict.fromkeys(chips[name] for name in (*most[:1], loss.platform) if name in chips)),
    )


def side_by_side(result: ExpertsResult) -> pd.DataFrame:
    """Profit per MW-year of each platform on each real model, with nine measurements in ten, smallest model first.

    A star marks who is ahead on a model, a dagger a figure that nothing measured stands near.
    """
    sizes = result.sizes.sort_values("total_params_bn", kind="stable")
    out = pd.DataFrame({"platform": list(dict.fromkeys(result.sizes["platform"]))})
    for name, rows in sizes.groupby("model_name", sort=False):
        ends = rows.set_index("platform").reindex(out["platform"])
        total, active = rows["total_params_bn"].iloc[0], rows["active_params_bn"].iloc[0]
        column = f"{name}: {number(total)} bn, {number(active)} active"
        told = spans(money, *(ends[METRIC + end] for end in ("", "_low", "_high")), none="–")
        ahead = set(findings.leading_rows(rows, "model_name", name)["platform"])
        beyond = {
            row["platform"] for row in rows.dropna(subset=[METRIC]).to_dict("records") if named(row) != row["platform"]
        }
        marks = ["*" * (one in ahead) + "†" * (one in beyond) for one in out["platform"]]
        parts = (text.partition(" ") for text in told)  # the figure, and its interval behind it
        out[column] = [f"{figure}{mark}{gap}{ends}" for (figure, gap, ends), mark in zip(parts, marks, strict=True)]
    return out


def figures(result: ExpertsResult) -> list[Figure]:
    """The page's results by key."""
    rate = {"total_tok_s_per_gpu": "tok/s/GPU"}
    walks: list[tuple[str, pd.DataFrame, str]] = [
        ("experts", result.counts, "experts"),
        ("top_k", result.top_ks, "top_k"),
    ]
    tables: list[Any] = [
        one
        for under, rows, x in walks
        for one in column_figures(rows[rows["line"] == RETUNED], ["accelerator", x], rate, under)
    ]
    return [
        *field_figures(result),
        *tables,
        *column_figures(result.sizes, ["accelerator", "model"], {METRIC: "USD/MW-year"}, "models"),
    ]
