"""What tokens sell for: price cards, blended revenue, speed premium, sold share of capacity.

A *price card* keeps fresh input, cached input and output apart. The base case is the median standard listing of a model
over providers, each provider's newest listing in force at the as-of date; cheapest and dearest give the range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_non_negative, check_positive, check_share
from rackecon.errors import InputError
from rackecon.units import TOKENS_PER_MTOK


@dataclass(frozen=True)
class PriceCard:
    """List prices of one model [USD per million tokens], with the range over providers and where they come from."""

    model: str
    fresh_input: float
    cached_input: float
    output: float
    as_of_date: str = ""
    rule: str = "given"
    listings: int = 1
    fresh_input_range: tuple[float, float] = (float("nan"), float("nan"))
    cached_input_range: tuple[float, float] = (float("nan"), float("nan"))
    output_range: tuple[float, float] = (float("nan"), float("nan"))
    output_p10_p90: tuple[float, float] = (float("nan"), float("nan"))
    newest_listing: str = ""
    """Date of the newest price in it, at most the as-of date."""
    cached_note: str = ""

    def __post_init__(self) -> None:
        for name in ("fresh_input", "cached_input", "output"):
            check_non_negative(f"price_{name}_usd_per_mtok", getattr(self, name))
        if self.cached_input > self.fresh_input:
            raise InputError(
                f"price card of {self.model}: cached input {self.cached_input:g} above fresh input {self.fresh_input:g}"
            )

    def scaled(self, factor: float) -> PriceCard:
        """The same card with every price multiplied."""
        return replace(
            self,
            fresh_input=self.fresh_input * factor,
            cached_input=self.cached_input * factor,
            output=self.output * factor,
            rule=f"{self.rule} x {factor:g}",
        )

    def level_range(self) -> tuple[float, float]:
        """10th and 90th percentile of the listings' output price over the card's own [-]; 1 and 1 without listings."""
        low, high = self.output_p10_p90
        if not (self.output > 0 and np.isfinite(low) and np.isfinite(high)):
            return 1.0, 1.0
        return min(low / self.output, 1.0), max(high / self.output, 1.0)


@dataclass(frozen=True)
class SpeedTier:
    """A price multiple that holds from an interactivity upwards."""

    from_tok_s_per_user: float
    multiple: float
    basis: str


def revenue_usd_per_request(
    card: PriceCard, isl_tokens: Numeric, osl_tokens: Numeric, prefix_cache_hit: Numeric = 0.0
) -> FloatArray:
    """What one request pays at list price [USD].

    Parameters
    ----------
    isl_tokens, osl_tokens : float or array
        Input (cached counted) and output tokens.
    prefix_cache_hit : float or array
        Share of input billed as cached [-].

    Returns
    -------
    ndarray
        [USD/request].

    Notes
    -----
    By the sellers' price cards.

    Examples
    --------
    >>> float(revenue_usd_per_request(PriceCard("m", 0.55, 0.14, 2.19), 8192, 1024, 0.5))
    0.0050688
    """
    hit = check_share("prefix_cache_hit", prefix_cache_hit)
    fed = check_non_negative("isl_tokens", isl_tokens)
    made = check_non_negative("osl_tokens", osl_tokens)
    paid = fed * ((1.0 - hit) * card.fresh_input + hit * card.cached_input) + made * card.output
    return np.asarray(paid / TOKENS_PER_MTOK)


def blended_usd_per_mtok(
    card: PriceCard, isl_tokens: Numeric, osl_tokens: Numeric, prefix_cache_hit: Numeric = 0.0
) -> FloatArray:
    """Revenue per million *total* tokens (input, cached counted, plus output) of a workload [USD/Mtok].

    Own definition.

    Examples
    --------
    >>> float(blended_usd_per_mtok(PriceCard("m", 0.55, 0.14, 2.19), 8192, 1024))
    0.73222
    """
    total = np.asarray(isl_tokens, dtype=float) + np.asarray(osl_tokens, dtype=float)
    paid = revenue_usd_per_request(card, isl_tokens, osl_tokens, prefix_cache_hit)
    return np.asarray(paid / check_positive("isl_tokens + osl_tokens", total) * TOKENS_PER_MTOK)


def speed_premium(tok_s_per_user: Numeric, tiers: tuple[SpeedTier, ...]) -> FloatArray:
    """Price multiple at an interactivity: that of the highest tier reached, 1 below all [-].

    Examples
    --------
    >>> float(speed_premium(130.0, (SpeedTier(100.0, 2.0, "fast"),)))
    2.0
    """
    speed = np.asarray(tok_s_per_user, dtype=float)
    multiple = np.ones_like(speed)
    for tier in sorted(tiers, key=lambda t: t.from_tok_s_per_user):
        multiple = np.where(speed >= tier.from_tok_s_per_user, tier.multiple, multiple)
    return np.asarray(multiple)
