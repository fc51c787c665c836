"""Factors of the model have a name, with unit, range and source beside it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import rackecon

LIBRARY = Path(rackecon.__file__).parent
ROOMS = ("performance", "serving", "economics", "load")
PLAIN = {0.0, 0.5, 1.0, 2.0, 3.0}
"""Halves, pairs and counts of axes."""
COUNTS = (
    "zeros",
    "ones",
    "full",
    "arange",
    "range",
    "max",
    "number",
    "min",
    "by_data",
    "of_arguments",
    "Date",
    "quantile",
)
"""Calls whose whole numbers are counts, sizes of a cache, digits or dates."""


def _bare(room: str) -> Iterator[str]:
    for file in sorted((LIBRARY / room).glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        named = {x for part in tree.body if isinstance(part, ast.Assign | ast.AnnAssign) for x in ast.walk(part)}
        for node in set(ast.walk(tree)) - named:
            called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            operands = (
                (node.left, node.right)
                if isinstance(node, ast.BinOp)
                else (node.left, *node.comparators)
                if isinstance(node, ast.Compare)
                else node.args
                if isinstance(node, ast.Call)
                else ()
            )
            for operand in operands:
                bare = operand.operand if isinstance(operand, ast.UnaryOp) else operand
                if not isinstance(bare, ast.Constant) or type(bare.value) not in (int, float):
                    continue
                counted = called in COUNTS and (isinstance(bare.value, int) or called == "quantile")
                if not (counted or _plain(float(bare.value))):
                    yield f"{room}/{file.name}:{bare.lineno}: {bare.value!r}"


def _plain(value: float) -> bool:
    """Whether a number is no factor: a small count, or a power of ten of a unit, a percentage or a guard."""
    return value in PLAIN or (value > 0 and f"{value:.0e}".startswith("1e") and not 1e-3 < value < 100.0)


def test_no_bare_factor_stands_in_an_expression() -> None:
    assert [found for room in ROOMS for found in _bare(room)] == []


def test_a_bare_factor_would_be_seen() -> None:
    assert not _plain(0.75)
    assert not _plain(4.0)
    assert _plain(1e-9)
    assert _plain(1000.0)
