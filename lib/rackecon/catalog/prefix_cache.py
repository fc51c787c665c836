"""Input tokens that an unlimited prefix cache would hold, from the hashes of each request's blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rackecon.errors import InputError


@dataclass(frozen=True)
class PrefixShare:
    """Tokens held; None where one hash a request does not say how long the shared prefix is."""

    tokens: float | None
    note: str


def block_size(lengths: Sequence[float], counts: Sequence[int]) -> int | None:
    """Tokens of a block, from the inputs' lengths and how many blocks each has; None where no one size fits all.

    Parameters
    ----------
    lengths : sequence of float
        Input of each request [tokens].
    counts : sequence of int
        Its blocks; the last may be cut short, or, throughout the trace, left out.

    Returns
    -------
    int or None
        [tokens]; where several sizes fit, the power of two among them, which engines use, else the smallest.

    Notes
    -----
    :math:`n = \\lceil L/B \\rceil` holds for :math:`L/n \\le B < L/(n-1)`; :math:`n = \\lfloor L/B \\rfloor` for
    :math:`L/(n+1) < B \\le L/n`.

    Examples
    --------
    >>> block_size([1000, 520, 2000], [2, 2, 4])
    512
    """
    pairs = list(zip(lengths, counts, strict=True))
    whole = [(length, n) for length, n in pairs if length > 0]
    if all(n > 0 for _, n in whole):
        low = max(math.ceil(length / n) for length, n in whole)
        high = min((math.ceil(length / (n - 1)) - 1 for length, n in whole if n > 1), default=low)
        if low <= high:
            return _usual(low, high)
    full = [(length, n) for length, n in whole if n > 0]
    low = max(math.floor(length / (n + 1)) + 1 for length, n in whole)
    high = min((math.floor(length / n) for length, n in full), default=0)
    return _usual(low, high) if low <= high else None


def _usual(low: int, high: int) -> int:
    power = 2 ** math.ceil(math.log2(low))
    return power if power <= high else low


def cached_tokens(lengths: Sequence[float], blocks: Sequence[Sequence[str]], size: float | None) -> list[float]:
    """Leading tokens of each request that an earlier one has left in the cache.

    Parameters
    ----------
    lengths : sequence of float
        Input of each request in the order of arrival [tokens].
    blocks : sequence of sequence of str
        Its blocks' hashes, of the block alone or of all up to it: a block counts only after the same blocks before it.
    size : float or None
        Tokens of a block; None takes a request's blocks as equally long.

    Examples
    --------
    >>> cached_tokens([100, 100, 200], [["a", "b"], ["a", "b"], ["b", "a", "d"]], 64)
    [0.0, 100.0, 0.0]
    """
    known: dict[tuple[int, str], int] = {}
    out = []
    for length, row in zip(lengths, blocks, strict=True):
        place, hits, inside = 0, 0, True
        for block in row:
            key = (place, block)
            inside = inside and key in known
            hits += inside
            place = known.setdefault(key, len(known) + 1)
        each = size if size is not None else length / max(len(row), 1)
        out.append(float(min(hits * each, length)))
    return out


def prefix_share(
    name: str, lengths: Sequence[float], blocks: Sequence[Sequence[str]], given: int | None = None
) -> PrefixShare:
    """Cached tokens of a trace in order of arrival, and how they were counted.

    Parameters
    ----------
    name : str
        Of the file, for a fault.
    lengths, blocks
        As in :func:`cached_tokens`.
    given : int, optional
        Tokens of a block, where known.

    Raises
    ------
    InputError
        A block size that a request's number of blocks contradicts.
    """
    counts = [len(row) for row in blocks]
    if given is None and max(counts) <= 1:
        shortest: dict[str, float] = {}
        for length, row in zip(lengths, blocks, strict=True):
            for block in row:
                shortest[block] = min(length, shortest.get(block, length))
        seen: set[str] = set()
        most = 0.0
        for row in blocks:
            most += sum(shortest[block] for block in row if block in seen)
            seen.update(row)
        share = most / sum(lengths)
        return PrefixShare(
            None, f"one hash a request does not say how long the shared prefix is: at most {share:.1%} cached"
        )
    if given is not None:
        for length, n in zip(lengths, counts, strict=True):
            if n not in (math.floor(length / given), math.ceil(length / given)):
                raise InputError(
                    f"{name}: a request of {length:g} tokens has {n} blocks, which are not of {given} tokens"
                )
    size = given if given is not None else block_size(lengths, counts)
    how = f"blocks of {size} tokens" if size is not None else "blocks of a request taken as equally long"
    return PrefixShare(sum(cached_tokens(lengths, blocks, size)), f"unlimited prefix cache, {how}")
