"""Nothing moves unnoticed: predictions, fronts and money are those that were last written on purpose."""

from __future__ import annotations

import csv

import pytest
from make import ANSWERS, earned, predicted, searched

COMMAND = "a change meant to move results writes them again: python tests/reference/make.py"


def written(start: str) -> dict[str, float]:
    with ANSWERS.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))[1:]
    return {key: float(value) for key, value in rows if key.startswith(start)}


@pytest.mark.parametrize(("start", "made"), [("predict/", predicted), ("search/", searched), ("money/", earned)])
def test_answers_are_those_written(start: str, made: object) -> None:
    found = {key: float(value) for key, value in made().items() if value == value}  # type: ignore[operator]
    before = written(start)
    assert before
    assert sorted(found) == sorted(before), COMMAND
    moved = {
        key: (before[key], found[key]) for key in found if found[key] != pytest.approx(before[key], rel=2e-9, abs=1e-12)
    }
    assert not moved, f"{len(moved)} of {len(found)} moved, first {next(iter(moved.items()))}; {COMMAND}"
