"""Notebook parameters: what may be given, checked before any kernel starts and again in the first cell.

A notebook declares ``name: type = default  # meaning`` in its cell tagged ``parameters``; the range or choices of a name
stand in data/assumptions.csv, whatever the notebook.
"""

from __future__ import annotations

import ast
import difflib
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rackecon import catalog
from rackecon.appraisal.assumptions import PUBLISHED, assumptions
from rackecon.appraisal.possible import impossible
from rackecon.catalog.assumption_table import Allowed, allowed_values, finite_or_infinite
from rackecon.catalog.paths import PACKAGE, given_folder, in_checkout, listed
from rackecon.economics.cost_table import published_tiers
from rackecon.errors import InputError

CATALOG = {
    "accelerator": "accelerators",
    "agent_model": "models",
    "accelerators": "accelerators",
    "baseline": "accelerators",
    "built": "accelerators",
    "owned": "accelerators",
    "model": "models",
    "models": "models",
    "scenario": "scenarios",
    "scenarios": "scenarios",
}
TYPES = {
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "str": "text",
    "list[str]": "list of text",
    "list[int]": "list of whole numbers",
    "list[float]": "list of numbers",
}
"""What an annotation asks for, in words."""


def _allowed(name: str) -> Allowed | None:
    """The assumption that a parameter, or each value of its list, is held to; None where there is none."""
    known = allowed_values()
    near = (name, name.removesuffix("_list"), name.rstrip("s"))
    return next((known[key] for key in near if key in known), None)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook as its source declares it."""

    name: str
    type: str
    default: Any
    meaning: str

    @property
    def unit(self) -> str:
        """Unit, or empty."""
        rule = _allowed(self.name)
        return rule.unit if rule and rule.numeric else ""

    @property
    def kind(self) -> str:
        """Type as words.

        Examples
        --------
        >>> Parameter("pue", "float | None", None, "site power over IT power").kind
        'number or null'
        """
        plain = self.type.replace("| None", "").strip()
        return TYPES[plain] + (" or null" if plain != self.type else "")

    @property
    def range(self) -> str:
        """Allowed range or choices as words, without the unit."""
        rule = _allowed(self.name)
        if rule:
            return rule.range
        return f"ids of data/{CATALOG[self.name]}.csv" if self.name in CATALOG else f"any {self.kind}"

    @property
    def allowed(self) -> str:
        """Allowed range with its unit, or choices, as words."""
        return f"{self.range} {self.unit}".replace(" -", "").strip()


def notebooks_dir() -> Path:
    """Folder of the source notebooks: ``RACKECON_NOTEBOOKS`` if set, else of the checkout, else the copy in the package."""
    return given_folder("RACKECON_NOTEBOOKS") or in_checkout("notebooks") or PACKAGE / "_notebooks"


def own_notebooks() -> Path:
    """Folder of notebooks that may be changed.

    Raises
    ------
    InputError
        There are only those of an installed package.
    """
    folder = notebooks_dir()
    if folder.parent == PACKAGE:
        raise InputError(
            "the notebooks of an installed package stay as they are: set RACKECON_NOTEBOOKS to a copy of them"
        )
    return folder


def notebook_path(name: str) -> Path:
    """Path of a notebook by name, with or without number or ending; an unknown one names the nearest."""
    folder = notebooks_dir()
    stem = Path(name).name.removesuffix(".ipynb")
    known = [path.stem for path in listed(folder, "*.ipynb")]
    if stem in known:
        return folder / f"{stem}.ipynb"
    tail = [item for item in known if re.sub(r"^\d+_", "", item) == stem]
    if len(tail) == 1:
        return folder / f"{tail[0]}.ipynb"
    from rackecon.errors import unknown_name

    raise unknown_name("notebook", name, known, "notebooks/")


def read_parameters(path: Path) -> dict[str, Parameter]:
    """Parameters that a notebook declares, in order."""
    import json

    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, UnicodeDecodeError):
        raise InputError(f"{path.name}: not a notebook") from None
    found: dict[str, Parameter] = {}
    for cell in cells:
        if "parameters" not in cell.get("metadata", {}).get("tags", []):
            continue
        source = "".join(cell["source"])
        lines = source.splitlines()
        for node in ast.parse(source).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                text = lines[(node.end_lineno or node.lineno) - 1]
                meaning = text.split("#", 1)[1].strip() if "#" in text else ""
                found[node.target.id] = Parameter(
                    node.target.id, ast.unparse(node.annotation), ast.literal_eval(node.value), meaning
                )
    return found


def validate(
    name: str, declared: Mapping[str, Parameter], given: Mapping[str, Any], *, together: bool = True
) -> list[str]:
    """Faults of given values, each by itself and then, of one notebook, all together: one line each, empty where all is well."""
    faults = []
    for key, value in given.items():
        if key not in declared:
            near = difflib.get_close_matches(key, declared, n=1, cutoff=0.4)
            hint = f"; nearest is '{near[0]}'" if near else ""
            faults.append(f"{name}: unknown parameter '{key}'{hint}; it takes {', '.join(declared)}")
            continue
        fault = _fault(declared[key], value)
        if fault:
            faults.append(f"{name}: {fault}")
    if given and together and not faults:
        values = {key: given.get(key, parameter.default) for key, parameter in declared.items()}
        wrong = _without_effect(declared, given) or [fault for fault in [impossible(values)] if fault]
        return [f"{name}: {fault}" for fault in wrong]
    return faults


def _without_effect(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> list[str]:
    """Values that change nothing on the cost basis that they are given with, or that nobody publishes, one line each."""
    if "cost_basis" not in declared or "built" in declared:  # a build-up beside every basis reads all of them
        return []
    asked = {key: value for key, value in given.items() if value is not None and value != declared[key].default}
    try:
        used = assumptions(**{key: asked.get(key) for key in ("cost_basis", *PUBLISHED) if key in declared})
    except InputError as fault:
        return [str(fault)]
    basis, rules, faults = used.cost_basis, allowed_values(), []
    for key, value in asked.items():
        rule = rules.get(key)
        if rule and value and basis in rule.no_effect_on:
            others = [name for name in rules["cost_basis"].choices if name not in rule.no_effect_on]
            faults.append(f"{key} {value} changes nothing with cost_basis {basis}: allowed with {', '.join(others)}")
    tiers = published_tiers(basis)
    if basis != "build_up" and used.cost_tier not in tiers:
        faults.append(f"cost_basis {basis} has no cost_tier {used.cost_tier}: allowed {', '.join(tiers)}")
    return faults


def _fault(parameter: Parameter, value: Any) -> str:
    kind, name = parameter.type, parameter.name
    if value is None and "None" in kind:
        return ""
    plain = kind.replace("| None", "").strip()
    if plain.startswith("list"):
        if not isinstance(value, list) or not value:
            return f"{name} {value!r} is not a list of names such as {parameter.default!r}"
        faults = [_one(name, item, plain[5:-1] or "str") for item in value]
        faults += [f"{name} names '{item}' twice" for i, item in enumerate(value) if item in value[:i]]
        return next((fault for fault in faults if fault), "")
    return _one(name, value, plain)


def _one(name: str, value: Any, kind: str) -> str:
    if kind in ("int", "float"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{name} '{value}' is not a number"
        if kind == "int" and not finite_or_infinite(value).is_integer():
            return f"{name} {finite_or_infinite(value):g} is not a whole number"
        rule = _allowed(name)
        return replace(rule, name=name).fault(value) if rule else ""
    if kind == "bool":
        return "" if isinstance(value, bool) else f"{name} '{value}' is not true or false"
    if not isinstance(value, str):
        return f"{name} {value!r} is not text"
    if name in CATALOG:
        from rackecon.errors import unknown_name

        table = CATALOG[name]
        known: list[str] = list(
            catalog.accelerators()
            if table == "accelerators"
            else catalog.models()
            if table == "models"
            else catalog.scenarios()
        )
        if value not in known:
            return str(unknown_name(name.rstrip("s"), value, known))
        if name == "built":
            from rackecon.economics.build_up_table import has_capex

            if not has_capex(value):
                priced = ", ".join(key for key in known if has_capex(key))
                return f"built '{value}' has no graded price of a rack or server; these have: {priced}"
    rule = _allowed(name)
    return rule.fault(value) if rule else ""


_QUIET = {"In", "Out", "exit", "quit", "get_ipython", "open"}
_CHECKED = "__parameters_checked__"


def check_parameters(name: str, namespace: Mapping[str, Any]) -> None:
    """Check a notebook's variables against what it declares; its first code cell calls this.

    Run again in the same kernel, it finds the notebook's own results too, and then looks at the declared names alone.

    Raises
    ------
    InputError
        A variable that the notebook does not declare (a misspelt ``-p``), a wrong type or a value out of range.
    """
    declared = read_parameters(notebook_path(name))
    given = {
        key: value
        for key, value in namespace.items()
        if not key.startswith("_")
        and key not in _QUIET
        and not isinstance(value, types.ModuleType | type)
        and not callable(value)
    }
    if namespace.get(_CHECKED) == name:
        given = {key: value for key, value in given.items() if key in declared}
    faults = validate(name, declared, given)
    if faults:
        raise InputError(faults[0])
    if isinstance(namespace, dict):
        namespace[_CHECKED] = name
