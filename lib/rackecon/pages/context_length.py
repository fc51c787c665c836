"""The page on context length: the walk over input lengths with and without a prefix cache, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon import catalog
from rackecon.evidence.novelty import named
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.lazy import pd
from rackecon.walks import findings
from rackecon.walks.findings import METRIC, Basis, FarEnd, HeldLoss
from rackecon.walks.walk import RETUNED, context_length, doubling_steps, fall_factor

X: Final = "walked_tokens"
SHORTEST: Final = 1024
COLUMNS: Final = {"total_tok_s_per_gpu": "tok/s/GPU", METRIC: "USD/MW-year", "cost_usd_per_mtok_output": "USD/Mtok"}


@dataclass(frozen=True)
class ContextResult:
    """What the page computes: the walk, and the figures and names that its sentences quote.

    ``first`` and ``last`` are the platforms ahead at the shortest and at the longest input that is served; more than
    one where the model cannot tell them apart.
    """

    walk: pd.DataFrame
    fresh: pd.DataFrame
    cached: pd.DataFrame
    model_name: str
    served: bool
    low: int = field(metadata=in_unit("tokens"))
    high: int = field(metadata=in_unit("tokens"))
    end: int = field(metadata=in_unit("tokens"))
    hit: float = field(metadata=in_unit("-"))
    first: tuple[str, ...] = field(metadata=in_unit("text"))
    last: tuple[str, ...] = field(metadata=in_unit("text"))
    cached_last: tuple[str, ...]
    fall: float = field(metadata=in_unit("-"))
    end_profit: float = field(metadata=in_unit("USD/MW-year"))
    helped: str
    hurt: tuple[str, ...]
    loss: HeldLoss
    losing: tuple[tuple[str, float], ...]
    out: tuple[tuple[str, float, str], ...]
    far: FarEnd | None
    money_basis: Basis
    pair: tuple[str, ...]
    end_low: float = field(default=float("nan"), metadata=in_unit("USD/MW-year"))
    end_high: float = field(default=float("nan"), metadata=in_unit("USD/MW-year"))
    start_profit: float = float("nan")
    start_low: float = float("nan")
    start_high: float = float("nan")
    cached_profit: float = field(default=float("nan"), metadata=in_unit("USD/MW-year"))
    cached_low: float = field(default=float("nan"), metadata=in_unit("USD/MW-year"))
    cached_high: float = field(default=float("nan"), metadata=in_unit("USD/MW-year"))

    @property
    def fresh_lines(self) -> pd.DataFrame:
        """The walk without a cache as its chart draws it."""
        return findings.drawn(self.fresh, X, METRIC)

    @property
    def cached_lines(self) -> pd.DataFrame:
        """The walk with a cache as its chart draws it."""
        return findings.drawn(self.cached, X, METRIC)

    @property
    def kept_lines(self) -> pd.DataFrame:
        """Two platforms without a cache, searched anew and with the first layout kept."""
        return findings.drawn_with_kept(self.walk[self.walk["hit"] == 0.0], self.pair, X, "total_tok_s_per_gpu")


def context_result(
    accelerators: Sequence[str], model: str, scenario: str, isl_tokens: int, prefix_cache_hit: float, **overrides: Any
) -> ContextResult:
    """Input walked from 1,024 tokens by doubling, without a cache and with one, at the scenario's output and limits."""
    lengths = doubling_steps(min(SHORTEST, isl_tokens), isl_tokens)
    hits = dict.fromkeys((0.0, float(prefix_cache_hit)))
    walk = context_length(accelerators, model, catalog.scenario(scenario), lengths, hits, **overrides)
    return context_found(walk, float(prefix_cache_hit), catalog.model(model).name)


def context_found(walk: pd.DataFrame, hit: float, model_name: str) -> ContextResult:
    """What a walk finds."""
    free = walk[walk["line"] == RETUNED]
    fresh, cached = free[free["hit"] == 0.0], free[free["hit"] == hit]
    low, high = int(fresh[X].min()), int(fresh[X].max())
    known = fresh.dropna(subset=[METRIC])
    served = len(known) > 0
    start, end = (int(known[X].min()), int(known[X].max())) if served else (low, high)
    ahead = findings.leading_rows(fresh, X, end)
    falls = fall_factor(fresh, X, "output_tok_s_per_gpu")
    gain = (
        (cached.set_index(["platform", X])[METRIC] - fresh.set_index(["platform", X])[METRIC])
        .dropna()
        .loc[lambda s: s.index.get_level_values(1) == high]
    )
    gain.index = gain.index.get_level_values(0)
    loss = findings.held_loss(walk[walk["hit"] == 0.0], X)
    return ContextResult(
        walk=walk,
        fresh=fresh,
        cached=cached,
        model_name=model_name,
        served=served,
        low=low,
        high=high,
        end=end,
        hit=hit,
        first=findings.leaders_at(fresh, X, start),
        last=findings.leaders_at(fresh, X, end),
        cached_last=findings.leaders_at(cached, X, high),
        fall=float(falls.get(ahead["platform"].iloc[0], 1.0)) if len(ahead) else float("nan"),
        helped=named(cached[(cached["platform"] == gain.idxmax()) & (cached[X] == high)].iloc[0].to_dict())
        if len(gain) and gain.max() > 0
        else "",
        hurt=tuple(str(name) for name in gain[gain < 0].index),
        loss=loss,
        losing=findings.losing_from(fresh, X),
        out=findings.unserved_from(fresh, X),
        far=findings.far_end(known, X) if served else None,
        money_basis=findings.basis(fresh),
        pair=findings.pair_drawn(fresh, X, loss.platform),
        **findings.first_ends(fresh, X, start, "start"),
        **findings.first_ends(fresh, X, end, "end"),
        **findings.first_ends(cached, X, high, "cached"),
    )


def figures(result: ContextResult) -> list[Figure]:
    """The page's results by key."""
    blocks = {"fresh": result.fresh} | ({"cached": result.cached} if result.hit > 0 else {})
    return [
        *field_figures(result),
        *(one for name, rows in blocks.items() for one in column_figures(rows, ["accelerator", X], COLUMNS, name)),
    ]
