"""Every equation of the model says where it comes from."""

import ast
import re
from pathlib import Path

import pytest

import rackecon

LIBRARY = Path(rackecon.__file__).parent
ROOMS = ("performance", "serving", "load", "evidence", "economics", "appraisal", "market", "uncertainty", "planner")
INLINE = ("performance", "serving", "economics", "load")
"""Rooms where an equation inside a sentence says so too."""
EQUATION = re.compile(r":math:`[^`]*(?:=|\\leq|\\geq)[^`]*`|``[^`]*[\w)\]] *[<>]?= *[^`]*[-+*/^][^`]*``")
SAYS = re.compile(r"Source|Own\b|own derivation|[Bb]y definition|et al|\b(19|20)\d\d\b")


def _equations() -> list[tuple[str, str]]:
    found = []
    for room in ROOMS:
        for file in sorted((LIBRARY / room).glob("*.py")):
            source = file.read_text(encoding="utf-8")
            if ".. math::" not in source and not (room in INLINE and EQUATION.search(source)):
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                    text = ast.get_docstring(node) or ""
                    if ".. math::" in text or (room in INLINE and EQUATION.search(text)):
                        found.append((f"{room}/{file.name}: {getattr(node, 'name', 'module')}", text))
    return found


EQUATIONS = _equations()


def test_equations_are_found() -> None:
    assert len(EQUATIONS) >= 38
    assert "serving/pools.py: matched" in dict(EQUATIONS)  # inside a sentence
    assert EQUATION.search("so that ``p = a * b`` holds")
    assert not EQUATION.search("``batch=4``, ``a == b``")


@pytest.mark.parametrize(("place", "text"), EQUATIONS, ids=[place for place, _ in EQUATIONS])
def test_an_equation_names_its_source(place: str, text: str) -> None:
    assert SAYS.search(text), (
        f"{place} has an equation whose docstring names no source: a paper, a page, or own derivation"
    )


def test_no_docstring_has_a_section_twice() -> None:
    """The second of two would go unread where sections are taken by name."""
    for file in sorted(LIBRARY.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                heads = re.findall(r"^([A-Z]\w+)\n-{3,}$", ast.get_docstring(node) or "", re.M)
                assert len(heads) == len(set(heads)), f"{file.name}: {getattr(node, 'name', 'module')} {heads}"
