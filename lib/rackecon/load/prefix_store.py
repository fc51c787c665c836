"""A prefix cache of blocks in tiers: what is found, what is thrown out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from rackecon.errors import InputError

NEVER, LONG_AGO = float("-inf"), -1e300


@dataclass(frozen=True)
class CacheTier:
    """Room for cached prefixes and what reading it back costs."""

    name: str
    blocks: float  # room; inf: unlimited
    s_per_block: float = 0.0


class PrefixStore:
    """Least recently used blocks fall from each tier to the next and out of the last; old ones past a time to live.

    A request finds its longest leading run of blocks; what it read is moved to the first tier. The blocks of a request
    are touched last to first, so that the end of a prefix leaves before its beginning.

    Examples
    --------
    >>> store = PrefixStore([CacheTier("HBM", 3)])
    >>> store.take([1, 2, 3], 0.0), store.take([1, 2, 4], 1.0), store.take([9], 2.0), store.take([1, 2, 4], 3.0)
    ((0, 0.0), (2, 0.0), (0, 0.0), (2, 0.0))
    """

    __slots__ = ("_tiers", "_ttl", "found", "levels")

    def __init__(self, tiers: Sequence[CacheTier], ttl_s: float = float("inf")) -> None:
        if not tiers or not ttl_s > 0:
            raise InputError("a prefix cache needs a tier and a time to live above 0")
        self._tiers = tuple(tiers)
        self._ttl = ttl_s
        self.levels: list[OrderedDict[int, float]] = [OrderedDict() for _ in tiers]
        self.found = [0] * len(tiers)

    def peek(self, blocks: Sequence[int], now: float) -> int:
        """Leading blocks that are held."""
        oldest = max(now - self._ttl, LONG_AGO)
        for at, block in enumerate(blocks):
            if not any(level.get(block, NEVER) >= oldest for level in self.levels):
                return at
        return len(blocks)

    def take(self, blocks: Sequence[int], now: float) -> tuple[int, float]:
        """Leading blocks found and the time to read them [s]; all blocks of the request are held afterwards."""
        oldest, wait, hits = max(now - self._ttl, LONG_AGO), 0.0, 0
        for block in blocks:
            for depth, level in enumerate(self.levels):
                if level.get(block, NEVER) >= oldest:
                    wait += self._tiers[depth].s_per_block
                    self.found[depth] += 1
                    break
            else:
                break
            hits += 1
        first = self.levels[0]
        for block in reversed(blocks):
            for level in self.levels[1:]:
                level.pop(block, None)
            first[block] = now
            first.move_to_end(block)
        self._spill()
        return hits, wait

    def _spill(self) -> None:
        for depth, tier in enumerate(self._tiers):
            level = self.levels[depth]
            while len(level) > tier.blocks:
                block, when = level.popitem(last=False)
                if depth + 1 < len(self.levels):
                    self.levels[depth + 1][block] = when
                    self.levels[depth + 1].move_to_end(block)
