"""Requests to replay: arrivals, lengths, blocks of their prefixes, sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rackecon.arrays import FloatArray, IntArray
from rackecon.catalog import data_dir, table
from rackecon.errors import InputError, unknown_name
from rackecon.lazy import pd


@dataclass(frozen=True)
class Requests:
    """Requests in order of arrival.

    A request with ``previous`` of 0 or more arrives ``think_s`` after that one ended, whatever ``arrival_s`` says; one that
    ``joins`` others waits for all of them too.
    """

    arrival_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    session: IntArray | None = None
    blocks: Sequence[Sequence[int]] | None = None  # ids of the prefix's blocks, first to last
    block_tokens: int = 0
    previous: IntArray | None = None
    think_s: FloatArray | None = None
    joins: Mapping[int, Sequence[int]] | None = None  # of a request: others that must have ended as well

    def __post_init__(self) -> None:
        n = len(self.arrival_s)
        if n == 0:
            raise InputError("no requests to replay")
        if len(self.input_tokens) != n or len(self.output_tokens) != n:
            raise InputError("arrivals and lengths differ in number")
        if int(self.input_tokens.min()) < 0 or int(self.output_tokens.min()) < 1:
            raise InputError("requests need 0 or more input tokens and 1 or more output tokens")
        if self.previous is None and np.any(np.diff(self.arrival_s) < 0):
            raise InputError("arrivals are not in order")

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def rate_per_s(self) -> float:
        """Mean arrivals a second over the span."""
        span = float(self.arrival_s[-1] - self.arrival_s[0])
        return (len(self) - 1) / span if span > 0 else float("inf")

    @property
    def interarrival_cv(self) -> float:
        """Standard deviation of the gaps over their mean."""
        gaps = np.diff(self.arrival_s)
        return float(gaps.std() / gaps.mean())

    def first(self, count: int) -> Requests:
        """The first ``count`` requests."""
        cut = slice(0, count)
        return replace(
            self,
            arrival_s=self.arrival_s[cut],
            input_tokens=self.input_tokens[cut],
            output_tokens=self.output_tokens[cut],
            session=None if self.session is None else self.session[cut],
            blocks=None if self.blocks is None else self.blocks[cut],
            previous=None if self.previous is None else self.previous[cut],
            think_s=None if self.think_s is None else self.think_s[cut],
            joins=None if self.joins is None else {i: who for i, who in self.joins.items() if i < count},
        )


def load_trace(name: str) -> Requests:
    """A trace of data/traces/ with arrivals on one clock.

    Examples
    --------
    >>> len(load_trace("azure2023_conv"))
    19366
    """
    known = table("request_traces").set_index("trace")
    if name not in known.index:
        raise unknown_name("request trace", name, list(known.index))
    frame = pd.read_csv(data_dir() / str(known.loc[name, "file"]))
    if "arrival_ms" not in frame:
        raise InputError(f"request trace '{name}' has a clock for each session; read it with rackecon.load.sessions")
    frame = frame.sort_values("arrival_ms", kind="stable")
    blocks: Any = None
    if "block_ids" in frame:
        blocks = [np.array(text.split(), dtype=np.int64).tolist() for text in frame["block_ids"].astype(str)]
    return Requests(
        frame["arrival_ms"].to_numpy(dtype=float) / 1e3,
        frame["input_tokens"].to_numpy(dtype=np.int64),
        np.maximum(frame["output_tokens"].to_numpy(dtype=np.int64), 1),
        session=frame["session"].to_numpy(dtype=np.int64) if "session" in frame else None,
        blocks=blocks,
        block_tokens=0 if blocks is None else int(known.loc[name, "block_tokens"]),  # type: ignore[arg-type]
    )


def steady(
    lengths: Requests, count: int, rate_per_s: float, cv: float = 1.0, seeds: tuple[int, int] = (11, 12)
) -> Requests:
    """Requests at one mean rate, their lengths drawn from a trace, their gaps exponential or Gamma.

    Parameters
    ----------
    lengths : Requests
        Where pairs of lengths are drawn from.
    count : int
        Requests.
    rate_per_s : float
        Mean arrivals a second.
    cv : float
        Variation of the gaps: 1 is Poisson.
    seeds : tuple of int
        Of the lengths and of the gaps.
    """
    picked = np.random.default_rng(seeds[0]).integers(0, len(lengths), count)
    source = np.random.default_rng(seeds[1])
    gaps = source.exponential(1.0, count) if cv == 1.0 else source.gamma(cv**-2, cv**2, count)
    return Requests(np.cumsum(gaps) / rate_per_s, lengths.input_tokens[picked], lengths.output_tokens[picked])
