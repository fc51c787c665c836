"""The page on input against output: both walks over the ratio, and what they find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rackecon import catalog
from rackecon.evidence.intervals import ratio_ends, row_factors
from rackecon.evidence.leads import rate_error
from rackecon.evidence.novelty import platform_named
from rackecon.figures.results import Figure, column_figures, field_figures, in_unit
from rackecon.lazy import pd
from rackecon.walks import findings
from rackecon.walks.findings import METRIC, Basis, FarEnd, HeldLoss
from rackecon.walks.walk import RETUNED, output_fixed, total_fixed

X: Final = "input_per_output"
SHARES: Final = (0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 0.95, 0.98)
RATIOS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
SHOWN: Final = (0.1, 0.5, 0.9, 0.98)
COLUMNS: Final = {"total_tok_s_per_gpu": "tok/s/GPU", METRIC: "USD/MW-year"}


@dataclass(frozen=True)
class RatioResult:
    """What the page computes: both walks, and the figures and names that its sentences quote."""

    total: pd.DataFrame
    free: pd.DataFrame
    output: pd.DataFrame
    model_name: str
    total_tokens: int = field(metadata=in_unit("tokens"))
    served: bool
    low: float = field(metadata=in_unit("input/output"))
    high: float = field(metadata=in_unit("input/output"))
    first: tuple[str, ...] = field(metadata=in_unit("text"))
    last: tuple[str, ...] = field(metadata=in_unit("text"))
    steady: bool
    """Whether the same platforms lead at both ends."""
    compared: int = field(metadata=in_unit("platforms"))
    """Platforms that serve both ends of the first walk."""
    poorer: int = field(metadata=in_unit("platforms"))
    """Those of them whose revenue is lower at its last ratio than at its first."""
    rate_least: float = field(metadata=in_unit("-"))
    rate_most: float = field(metadata=in_unit("-"))
    revenue_least: float = field(metadata=in_unit("-"))
    revenue_most: float = field(metadata=in_unit("-"))
    revenue_least_on: str
    revenue_most_on: str
    output_low: float
    output_high: float
    output_first: tuple[str, ...]
    output_last: tuple[str, ...]
    output_profits: tuple[float, float]
    """What the best platform makes a MW-year at the first and the last ratio of that walk."""
    output_change: float = field(metadata=in_unit("-"))
    share_low: float = field(metadata=in_unit("-"))
    share_high: float = field(metadata=in_unit("-"))
    loss: HeldLoss
    losing: tuple[tuple[str, float], ...]
    out: tuple[tuple[str, float, str], ...]
    far: FarEnd | None
    money_basis: Basis
    pair: tuple[str, ...]
    first_profit: float = math.nan
    last_profit: float = field(default=math.nan, metadata=in_unit("USD/MW-year"))
    last_low: float = field(default=math.nan, metadata=in_unit("USD/MW-year"))
    last_high: float = field(default=math.nan, metadata=in_unit("USD/MW-year"))
    input_price: float = field(default=math.nan, metadata=in_unit("-"))
    """What a fresh input token sells for, over an output token."""
    error: float = math.nan
    """Median error of searched rates."""
    least_low: float = field(default=math.nan, metadata=in_unit("-"))
    least_high: float = field(default=math.nan, metadata=in_unit("-"))
    """Ends of 90 % of the least factor on revenue, the rates' errors at the two ratios taken as independent."""
    most_low: float = field(default=math.nan, metadata=in_unit("-"))
    most_high: float = field(default=math.nan, metadata=in_unit("-"))

    @property
    def free_lines(self) -> pd.DataFrame:
        """The walk at a fixed total as its chart draws it."""
        return findings.drawn(self.free, X, METRIC)

    @property
    def output_lines(self) -> pd.DataFrame:
        """The walk at a fixed output as its chart draws it."""
        return findings.drawn(self.output, X, METRIC)

    @property
    def kept_lines(self) -> pd.DataFrame:
        """Two platforms at a fixed total, searched anew and with the first layout kept."""
        return findings.drawn_with_kept(self.total, self.pair, X, "total_tok_s_per_gpu")


def ratio_result(
    accelerators: Sequence[str], model: str, scenario: str, total_tokens: int, **overrides: Any
) -> RatioResult:
    """The share of input walked at a fixed total, and the input walked at a fixed output."""
    case = catalog.scenario(scenario)
    total = total_fixed(accelerators, model, case, total_tokens, SHARES, **overrides)
    output = output_fixed(accelerators, model, case, RATIOS, **overrides)
    return ratio_found(total, output, total_tokens, catalog.model(model).name)


def _changes(known: pd.DataFrame) -> dict[str, Any]:
    """By what token rate and revenue are multiplied from the first ratio to the last, over the platforms that serve both."""
    low, high = (known[known[X] == at].set_index("accelerator") for at in (known[X].min(), known[X].max()))
    both = low.index.intersection(high.index, sort=False)
    rate, revenue = (
        high.loc[both, name] / low.loc[both, name] for name in ("total_tok_s_per_gpu", "revenue_usd_per_mw_year")
    )
    outermost = (str(revenue.idxmin()), str(revenue.idxmax())) if len(both) else ("", "")
    least, most = (_factor(low, high, key, revenue) for key in outermost)
    least_on, most_on = (platform_named(key) if key else "" for key in outermost)
    return {
        "compared": len(both),
        "poorer": int((revenue < 1.0).sum()),
        "rate_least": float(rate.min()),
        "rate_most": float(rate.max()),
        "revenue_least": float(revenue.min()),
        "revenue_most": float(revenue.max()),
        "revenue_least_on": least_on,
        "revenue_most_on": most_on,
        **dict(zip(("least_low", "least_high"), least, strict=True)),
        **dict(zip(("most_low", "most_high"), most, strict=True)),
    }


def _factor(low: pd.DataFrame, high: pd.DataFrame, key: str, revenue: pd.Series) -> tuple[float, float]:
    """Ends of 90 % of a platform's change of revenue, which moves as its rate does; NaN of no platform."""
    if not key:
        return math.nan, math.nan
    under, over = (row_factors(rows.loc[[key]].reset_index())[0].tolist() for rows in (low, high))
    ends = ratio_ends(over, under)
    return float(revenue[key] * ends[0]), float(revenue[key] * ends[1])


def _input_price(known: pd.DataFrame) -> float:
    """Price of a fresh input token over that of an output token; NaN where there is no list."""
    listed = ["price_fresh_input_usd_per_mtok", "price_output_usd_per_mtok"]
    if known.empty or not set(listed) <= set(known):
        return math.nan
    fresh, written = (float(known[name].iloc[0]) for name in listed)
    return fresh / written


def ratio_found(total: pd.DataFrame, output: pd.DataFrame, total_tokens: int, model_name: str) -> RatioResult:
    """What both walks find."""
    free, fixed = total[total["line"] == RETUNED], output[output["line"] == RETUNED]
    known, priced = free.dropna(subset=[METRIC]), fixed.dropna(subset=[METRIC])
    served = len(known) > 0
    loss = findings.held_loss(total, X)
    share = known.groupby(X)["prefill_gpu_share"].mean()
    best = priced.groupby(X)[METRIC].max()
    low, high = (float(end) for end in (known if served else free)[X].agg(["min", "max"]))
    output_low, output_high = (float(best.index[0]), float(best.index[-1])) if len(best) else (math.nan, math.nan)
    return RatioResult(
        first_profit=findings.first_profit(free, X, low),
        **findings.first_ends(free, X, high, "last"),
        total=total,
        free=free,
        output=fixed,
        model_name=model_name,
        total_tokens=total_tokens,
        served=served,
        low=low,
        high=high,
        first=findings.leaders_at(free, X, low),
        last=findings.leaders_at(free, X, high),
        steady=served and len({frozenset(findings.leading_rows(known, X, at)["platform"]) for at in (low, high)}) == 1,
        **_changes(known),
        output_low=output_low,
        output_high=output_high,
        output_first=findings.leaders_at(fixed, X, output_low),
        output_last=findings.leaders_at(fixed, X, output_high),
        output_profits=(float(best.iloc[0]), float(best.iloc[-1])) if len(best) else (math.nan, math.nan),
        output_change=float(best.iloc[-1] / best.iloc[0] - 1.0) if len(best) > 1 and best.iloc[0] > 0 else math.nan,
        share_low=float(share.iloc[0]) if served else math.nan,
        share_high=float(share.iloc[-1]) if served else math.nan,
        loss=loss,
        losing=findings.losing_from(free, X),
        out=findings.unserved_from(free, X),
        far=findings.far_end(known, X) if served else None,
        money_basis=findings.basis(free),
        pair=findings.pair_drawn(free, X, loss.platform),
        input_price=_input_price(known),
        error=rate_error(),
    )


def split_rows(result: RatioResult) -> pd.DataFrame:
    """The best split at some ratios, and the balance of its pools by the rates that it reaches."""
    rows = result.free[result.free["input_share"].isin(SHOWN)].dropna(subset=["total_tok_s_per_gpu"])
    pools = rows[["prefill_gpus", "decode_gpus"]].fillna(0.0)
    gpus = [f"{p:g} : {d:g}" if p > 0 else "shared" for p, d in zip(*(pools[name] for name in pools), strict=True)]
    return rows.assign(gpus=gpus)


def figures(result: RatioResult) -> list[Figure]:
    """The page's results by key."""
    return [
        *field_figures(result),
        *column_figures(result.free, ["accelerator", "input_share"], COLUMNS, "total_fixed"),
        *column_figures(result.output, ["accelerator", X], COLUMNS, "output_fixed"),
    ]
