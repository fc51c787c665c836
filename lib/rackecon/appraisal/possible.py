"""Values that a notebook takes one by one and that cannot stand together: refused before any kernel starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

Values = Mapping[str, Any]


def impossible(values: Values) -> str:
    """Why a notebook's page cannot be made of these values, in one line; empty where it can.

    Parameters
    ----------
    values : mapping
        Every parameter that the notebook declares; each is legal by itself.

    Examples
    --------
    >>> impossible({"total_tokens": 1_048_576, "model": "deepseek-r1"})
    'total_tokens: 1,048,576 tokens exceed the 163,840 that deepseek-r1 was made for'
    >>> impossible({"total_tokens": 9216, "model": "deepseek-r1"})
    ''
    """
    return next((fault for needed, rule in RULES if needed <= values.keys() and (fault := rule(values))), "")


def _longer(name: str, tokens: float, models: Iterable[str]) -> str:
    from rackecon.catalog import model
    from rackecon.serving.query import context_fault

    return next((f"{name}: {fault}" for key in models if (fault := context_fault(model(key), tokens))), "")


def _long_input(values: Values) -> str:
    from rackecon.catalog import scenario

    return _longer("isl_tokens", values["isl_tokens"] + scenario(values["scenario"]).osl_tokens, [values["model"]])


def _long_request(values: Values) -> str:
    return _longer("total_tokens", values["total_tokens"], [values["model"]])


def _long_scenario(values: Values) -> str:
    from rackecon.catalog import scenario

    case = scenario(values["scenario"])
    return _longer(f"scenario {case.id}", case.isl_tokens + case.osl_tokens, [values["model"], *values["models"]])


def _no_experts(values: Values) -> str:
    from rackecon.catalog import models

    routed = [name for name, arch in models().items() if arch.is_moe]
    if values["model"] in routed:
        return ""
    return f"model: {values['model']} is dense and has no experts to vary; with experts are {', '.join(routed)}"


def _nobody_serves(values: Values) -> str:
    from rackecon.catalog import accelerator

    if any(accelerator(name).servable for name in values["accelerators"]):
        return ""
    return f"accelerators: none of {', '.join(values['accelerators'])} is served by the model"


def _not_served(values: Values) -> str:
    from rackecon.catalog import accelerator

    names = [*values["accelerators"], values.get("owned")]
    bad = next((name for name in names if name and not accelerator(name).servable), "")
    return f"accelerators: {bad} is not served by the model" if bad else ""


def renewal_fault(owned: str) -> str:
    """Why a site full of a platform cannot be renewed as data/plans/replace_h200.yaml says; empty where it can.

    Examples
    --------
    >>> renewal_fault("l40s")
    "owned: 'l40s' has no rack layout and power in data/"
    """
    from rackecon.appraisal.assumptions import assumptions
    from rackecon.appraisal.money import platforms_for
    from rackecon.catalog.plans import shipped_plan

    successors = shipped_plan("replace_h200")["platforms"]
    if owned in successors:
        return f"owned: '{owned}' is one of its own successors: {', '.join(successors)}"
    if not platforms_for([owned], assumptions())[owned].rack_it_kw > 0:
        return f"owned: '{owned}' has no rack layout and power in data/"
    return ""


def _no_renewal(values: Values) -> str:
    return renewal_fault(values["owned"])


def _no_cost(values: Values) -> str:
    from rackecon.appraisal.assumptions import assumptions
    from rackecon.appraisal.cost_comparison import rented
    from rackecon.appraisal.money import platforms_for

    asked = {name: values.get(name) for name in ("cost_basis", "cost_tier", "cost_vintage")}
    # a page that builds a cost up names the owner's tier, beside which its rents have their own
    assume = assumptions(**asked | (rented(str(values["cost_basis"])) if "built" in values else {}))
    found = platforms_for(values["accelerators"], assume)
    if any(platform.cost is not None for platform in found.values()):
        return ""
    return f"accelerators: {', '.join(found)}: {next(iter(found.values())).reason}"


def _not_reconciled(values: Values) -> str:
    from rackecon.economics.cost import select_cost

    tier, vintage = values["cost_tier"], values["cost_vintage"]
    if select_cost(values["built"], basis="ownership", tier=tier, vintage=vintage) is not None:
        return ""
    return f"built: no published cost of owning {values['built']} (cost_tier {tier}, cost_vintage {vintage}) to walk to"


def _no_market(values: Values) -> str:
    from rackecon.economics.market_table import market_models

    known = market_models()
    if values["model"] in known:
        return ""
    return f"model: no market price and volume of {values['model']}; known are {', '.join(known)}"


def _no_rent(values: Values) -> str:
    from rackecon.economics.market_table import TERMS, rent

    if any(rent(name) is not None for name in values["accelerators"]):
        return ""
    return (
        f"accelerators: no rent of term '{TERMS[0]}' for any of {', '.join(values['accelerators'])} in data/rents.csv"
    )


def _no_pair(values: Values) -> str:
    """A page of pairs compares two platforms that serve the case and have a cost; one of returns tells of one as well."""
    if "horizon_years" in values:
        return ""
    from rackecon.appraisal.evaluate import evaluate

    asked = values["accelerators"], [values["model"]], [values["scenario"]]
    rows = evaluate(*asked, intervals=False, cost_basis=values["cost_basis"])
    earns = rows["profit_usd_per_rack_year"].notna()
    if earns.sum() >= 2:
        return ""
    lacking = "; ".join(rows.loc[~earns, "accelerator"] + ": " + rows.loc[~earns, "reason"])
    return f"accelerators: two platforms with a result are compared, here {earns.sum()}" + (lacking and f" ({lacking})")


SURE: Final = {
    "utilisation": (1.0, "a share below 1"),
    "wacc": (0.0, "a rate above 0"),
    "electricity_usd_per_kwh": (0.0, "a price above 0"),
    "pue": (1.0, "a ratio above 1"),
}
"""Ends of ranges that are legal and leave nothing to draw, and what a distribution needs."""


def _nothing_to_draw(values: Values) -> str:
    names = (name for name, (end, _) in SURE.items() if values.get(name) == end)
    return next(
        (f"{n}: {SURE[n][0]:g} leaves nothing to draw around it; its distribution needs {SURE[n][1]}" for n in names),
        "",
    )


RULES: Final[tuple[tuple[set[str], Callable[[Values], str]], ...]] = (
    ({"isl_tokens", "model", "scenario"}, _long_input),
    ({"total_tokens", "model"}, _long_request),
    ({"experts", "model", "models", "scenario"}, _long_scenario),
    ({"experts", "model"}, _no_experts),
    ({"accelerators", "scenario"}, _nobody_serves),
    ({"accelerators", "scenarios"}, _nobody_serves),
    ({"accelerators", "owned"}, _not_served),
    ({"accelerators", "owned"}, _no_cost),
    ({"owned", "owned_age_years"}, _no_renewal),
    ({"accelerators", "mean_rps"}, _not_served),
    ({"accelerators", "mean_rps"}, _no_cost),
    ({"accelerators", "built"}, _no_cost),
    ({"built", "cost_tier", "cost_vintage"}, _not_reconciled),
    ({"accelerators", "draws", "metric", "scenario", "seed"}, _no_pair),
    ({"utilisation", "draws"}, _nothing_to_draw),
    ({"utilisation", "measure"}, _nothing_to_draw),
    ({"model", "seller_share"}, _no_market),
    ({"accelerators", "rent_factor"}, _no_rent),
)
"""Parameters that a notebook declares, and what must hold of them together."""
