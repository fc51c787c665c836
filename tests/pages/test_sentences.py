"""Every block of every page's template, filled over its cases: all words said, none undefined, none left over."""

from __future__ import annotations

import ast
import contextlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

import rackecon
from rackecon.appraisal.parameters import notebooks_dir
from rackecon.errors import InputError
from rackecon.pages.sentences import SPACE, TEMPLATES, environment, say

PAGES = sorted(path.name.removesuffix(".md.j2") for path in TEMPLATES.glob("*.md.j2"))
CASES = Path(__file__).parent / "cases"
BROKEN = re.compile(r"\b(undefined|none of none|nan|None|NaN|inf|True|False)\b|[{}<>]|  | [,;:.)]|\( |\.\.|,,")
LIBRARY = Path(rackecon.__file__).parent
QUICK: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where built: each worker reads every case


@cache
def cases(page: str) -> dict[str, dict[str, dict[str, Any]]]:
    text = (CASES / f"{page}.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, Any]]] = yaml.load(text, Loader=QUICK)
    return found


def said(page: str, block: str, case: str) -> str:
    return say(page, block, **(cases(page)[block][case].get("with") or {}))


ALL = [(page, block, case) for page in PAGES for block, named in cases(page).items() for case in named]


@pytest.mark.parametrize(("page", "block", "case"), ALL, ids=lambda part: str(part).replace(" ", "-"))
def test_a_case_says_what_it_must_and_nothing_broken(page, block, case):
    one = cases(page)[block][case]
    assert set(one) <= {"with", "says", "never"}, f"{page} {block} {case}: with, says, never"
    text = said(page, block, case)
    assert not BROKEN.search(text), text
    assert [words for words in one.get("says", []) if words not in text] == [], text
    assert [words for words in one.get("never", []) if words in text] == [], text


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_case_that_states_its_words(page):
    blocks = set(environment().get_template(f"{page}.md.j2").blocks)
    assert set(cases(page)) == blocks
    silent = [block for block, named in cases(page).items() if not any(one.get("says") for one in named.values())]
    assert silent == []


def fragments(page: str) -> dict[str, set[str]]:
    """Stretches of plain words of each block of a template."""
    source = (TEMPLATES / f"{page}.md.j2").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for block in environment().parse(source).find_all(jinja2.nodes.Block):
        texts = (SPACE.sub(" ", data.data).strip() for data in block.find_all(jinja2.nodes.TemplateData))
        found[block.name] = {text for text in texts if re.search(r"[^\W\d_]", text)}
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_sentence_of_a_template_is_said_in_some_case(page):
    for block, texts in fragments(page).items():
        told = [said(page, block, case) for case in cases(page)[block]]
        assert [text for text in texts if not any(text in one for one in told)] == [], f"{page} {block}"


def calls() -> set[tuple[str, str]]:
    """Page and block of every ``say`` in the library and in the notebooks."""
    sources = [path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py")]
    for path in notebooks_dir().glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources.append("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    found = set()
    for source in sources:
        if "say(" not in source:
            continue
        tree = ast.parse(source)
        constants = {
            node.targets[0].id if isinstance(node, ast.Assign) else node.target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.targets[0] if isinstance(node, ast.Assign) else node.target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                page, block = node.args[:2]
                name = constants[page.id] if isinstance(page, ast.Name) else page.value
                found |= {(name, part) for part in chosen(block)}
    return found


def chosen(block: ast.expr) -> list[str]:
    """Blocks that an argument may name: a literal, or one of two by a condition."""
    if isinstance(block, ast.IfExp):
        return chosen(block.body) + chosen(block.orelse)
    assert isinstance(block, ast.Constant), "a block is named literally where it is said"
    return [block.value]


def test_every_block_is_said_somewhere_and_every_block_said_exists():
    there = {(page, block) for page in PAGES for block in environment().get_template(f"{page}.md.j2").blocks}
    assert calls() == there
    assert {path.name.removesuffix(".yaml") for path in CASES.glob("*.yaml")} == set(PAGES)


def test_rendering_is_strict():
    with pytest.raises(jinja2.UndefinedError):
        say("13_validation", "mlperf_software", used="x")
    with pytest.raises(InputError, match="unknown block 'mlprf'"):
        say("13_validation", "mlprf")


@pytest.mark.parametrize("value", [None, 0.5, float("nan"), True])
def test_nothing_bare_is_printed(value):
    template = environment().from_string("{{ x }}")
    with pytest.raises(ValueError, match="bare"):
        template.render(x=value)


CROWNED = [
    ("00_executive_summary", "headline", "platform"),
    ("00_executive_summary", "headline", "rival"),
    ("00_executive_summary", "sure", "rival"),
    ("05_latency_targets", "answer", "slowest"),
    ("08_power", "answer", "first"),
    ("08_power", "answer", "inside"),
    ("08_power", "answer", "before"),
    ("09_cost", "answer", "platform"),
    ("09_cost", "answer", "inside"),
    ("12_uncertainty", "answer", "platform"),
    ("12_uncertainty", "answer", "rival"),
    ("14_market", "answer", "entrant_platform"),
    ("14_market", "rent", "leader"),
    ("15_load", "answer", "best_platform"),
    ("16_plan", "answer", "near_platform"),
]
"""What an opening puts first, or next to the first."""


@pytest.mark.parametrize(("page", "block", "name"), CROWNED)
def test_an_opening_says_in_the_same_sentence_that_a_platform_was_never_measured(page, block, name):
    values = next(iter(cases(page)[block].values()))["with"]
    given = [[label] if isinstance(values[name], list) else label for label in ("TPU v7", "B200")]
    unseen, seen = (say(page, block, **{**values, name: one}) for one in given)
    assert "TPU v7 (unmeasured)" in unseen
    assert "unmeasured" not in seen.replace("beyond the measured", "")


MANY = re.compile(r"(?<![\w.,$%/+−–-])(?<!\bto )1 (?:(?!of\b|in\b|to\b|and\b|or\b)[a-z-]+ )?([a-z]+s)\b")
NO_COUNT = re.compile("as|decides|divides|gains|holds|is|its|keeps|leaves|lies|ms|orders|ours|sells|takes|times|was")
"""Words on s that follow a number and are not what it counts."""


def test_one_of_what_a_sentence_counts_is_not_said_as_many():
    """Every number that a case gives, set to one in its turn, where the case has what a sentence on one then asks for."""
    broken, tried = [], 0
    for page, block, case in ALL:
        given = cases(page)[block][case].get("with") or {}
        for name in [n for n, x in given.items() if isinstance(x, int | float) and not isinstance(x, bool)]:
            with contextlib.suppress(jinja2.UndefinedError, ZeroDivisionError):
                text = say(page, block, **{**given, name: type(given[name])(1)})
                tried += 1
                broken += [
                    (page, block, name, found[0]) for found in MANY.finditer(text) if not NO_COUNT.fullmatch(found[1])
                ]
    assert tried > 500
    assert broken == []
