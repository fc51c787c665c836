"""Benchmark results changed at random, one place at a time: each is read or refused in one line, never anything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_benchmarks import API, FILES, IX

from rackecon.errors import InputError
from rackecon.intake.benchmark_layouts import runs_of
from rackecon.intake.benchmarks import filled_row, stated

JUNK = [
    None,
    "",
    "fast",
    -1,
    0,
    1e308,
    float("nan"),
    float("inf"),
    True,
    [],
    [1],
    {},
    {"avg": "x"},
    "1,5",
    "\u202e",
    10**400,
]
KINDS = [kind for kind in FILES if FILES[kind][0].startswith(("{", "["))]


def places(held, path=()):
    """Every path in nested lists and mappings."""
    if isinstance(held, dict | list):
        for key in held if isinstance(held, dict) else range(len(held)):
            yield (*path, key)
            yield from places(held[key], (*path, key))


def changed(held, path, value, drop):
    if len(path) == 1:
        if drop:
            del held[path[0]]
        else:
            held[path[0]] = value
    else:
        changed(held[path[0]], path[1:], value, drop)


def told(read) -> str:
    """What a reading is refused with; empty where it is none."""
    try:
        read()
    except InputError as fault:
        return str(fault)
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_changed_in_one_place_is_read_or_refused_in_one_line(kind):
    def read(held) -> None:
        for run in runs_of("run.json", json.dumps(held)):
            cells, _, _ = filled_row(stated(run, "2026-03-02"), FILES[kind][1])
            assert all(isinstance(cell, str) for cell in cells.values())

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        held = json.loads(FILES[kind][0])
        path = data.draw(st.sampled_from(list(places(held))))
        changed(held, path, data.draw(st.sampled_from(JUNK)), data.draw(st.booleans()))
        words = told(lambda: read(held))
        assert "\n" not in words
        assert words.isprintable()

    check()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from([FILES[kind][0] for kind in FILES]),
    st.integers(0, 10_000),
    st.sampled_from(["", "\n", "{", '"', ",", "x"]),
)
def test_text_cut_short_or_broken_is_refused_in_one_line(text, place, put):
    assert "\n" not in told(lambda: runs_of("run.json", text[: place % len(text)] + put))


@pytest.mark.parametrize("row", [IX, API])
def test_rows_of_a_list_are_refused_by_their_place(row):
    with pytest.raises(InputError, match=r"run\.json item 3"):
        runs_of("run.json", json.dumps([row, row, {"tput_per_gpu": None}]))
