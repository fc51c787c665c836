"""Prefix caching counted block by block: sizes found, positions minded, a bound never passed off as a share."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackecon.catalog.prefix_cache import block_size, cached_tokens, prefix_share

lengths = st.lists(st.integers(1, 20_000), min_size=2, max_size=30)


@given(lengths, st.sampled_from([16, 64, 512]))
def test_a_size_found_explains_every_request(tokens, size):
    for rule in (math.ceil, math.floor):
        counts = [rule(length / size) for length in tokens]
        if not any(counts):
            continue
        found = block_size(tokens, counts)
        assert found is not None
        assert [math.ceil(t / found) for t in tokens] == counts or [math.floor(t / found) for t in tokens] == counts


def test_no_size_fits_uneven_blocks():
    assert block_size([100, 100], [2, 5]) is None


def test_a_block_counts_only_after_the_same_blocks_and_never_beyond_the_input():
    hashes = [["s", "x"], ["s", "y", "x"], ["t", "x"], ["s", "x"]]
    assert cached_tokens([900, 1400, 1000, 900], hashes, 512) == [0, 512, 0, 900]


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), min_size=1, max_size=12))
def test_block_hits_equal_the_longest_prefix_of_an_earlier_request(rows):
    found = cached_tokens([10.0 * len(row) for row in rows], rows, 10.0)
    for index, row in enumerate(rows):
        longest = 0
        for before in rows[:index]:
            same = next(
                (i for i, (a, b) in enumerate(zip(row, before, strict=False)) if a != b), min(len(row), len(before))
            )
            longest = max(longest, same)
        assert found[index] == 10.0 * longest


def test_one_hash_a_request_gives_a_bound_and_no_share():
    found = prefix_share("trace.csv", [100.0, 400.0, 200.0], [["a"], ["a"], ["b"]])
    assert found.tokens is None
    assert "at most 14.3%" in found.note  # 100 of 700: the shared part is no longer than the shorter of the two


def test_equal_blocks_where_no_size_fits():
    found = prefix_share("trace.csv", [100.0, 100.0], [["a", "b"], ["a", "c", "d", "e", "f"]])
    assert found.tokens == pytest.approx(20.0)
    assert "equally long" in found.note
