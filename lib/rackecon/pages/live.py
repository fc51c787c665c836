"""The block of live controls: what the reader can move, with its data; the page's script does the rest."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rackecon import catalog
from rackecon.answer.live_case import BASES, DERIVED, GIVEN, NEWEST, OWN, USUAL, precisions, softwares
from rackecon.appraisal.parameters import notebook_path, read_parameters
from rackecon.catalog.assumption_table import allowed_values
from rackecon.economics.measures import MEASURES
from rackecon.errors import InputError
from rackecon.figures.display import Html, embedded
from rackecon.figures.theme import swatch
from rackecon.pages.live_figures import shade_key

NOTEBOOK = "00_executive_summary"


@dataclass(frozen=True)
class Slider:
    """One number that the reader can move; its ends and step stand in data/assumptions.csv."""

    key: str
    label: str
    unit: str
    source: str
    parameter: str
    """Name of the notebook's parameter that it stands for."""


SLIDERS = (
    Slider("speed", "Speed each user gets", "tok/s/user", "the workload's limit", "tok_s_per_user"),
    Slider("pout", "Output tokens", "$ per million", "base case", "price_output_usd_per_mtok"),
    Slider("pin", "Fresh input tokens", "$ per million", "base case", "price_input_usd_per_mtok"),
    Slider("util", "Share of capacity sold", "of capacity", "base case", "utilisation"),
    Slider("cost", "Cost per GPU-hour", "times the report's", "the report's cost basis", "cost_factor"),
    Slider("decline", "Yearly fall of prices", "a year", "base case", "price_decline_per_year"),
    Slider("years", "Years the rack earns", "years", "base case", "horizon_years"),
    Slider("elec", "Electricity", "$/kWh", "US industrial average", "electricity_usd_per_kwh"),
    Slider("pue", "PUE", "", "base case", "pue"),
    Slider("licence", "Licence share", "of revenue", "none by default", "licence_share"),
    Slider("wacc", "Cost of capital", "a year", "base case", "wacc"),
    Slider("tax", "Tax", "of profit", "before tax by default", "tax_rate"),
)
MENUS = {"model": "model", "scenario": "workload", "hit": "share of input cached", "metric": "measure"} | {
    "precision": "number format",
    "software": "software",
    "basis": "cost basis",
    "level": "price level",
    "sold": "share sold",
    "without": "without",
    "with": "with",
}
BESIDE = "platforms.js"
"""File beside the page with the figures of platforms that it was not made with."""
BASIS_WORDS = {
    "build_up": "built up from the hardware's price",
    "ownership": "published cost of owning, large cloud",
    "neocloud": "published cost of owning, smaller cloud",
    "rental": "three-year rent",
    OWN: "as the report was given",
}
LEVEL_WORDS = {"effective": "what buyers pay", "list": "list price, median"}
MENU_PARAMETERS = {"model": "model", "scenario": "scenario", "hit": "prefix_cache_hit", "metric": "measure"}
LISTS = ("accelerators", "models", "scenarios")
SHOWN = ("rack", "mw", "usd")
COST_UNIT = "$/GPU-hour"
PAIR_ROWS = (
    ("rack", "profit per rack-year"),
    ("mw", "profit per MW-year"),
    ("usd", "profit per invested dollar and year"),
    ("revenueRack", "revenue per rack-year"),
    ("rate", "tokens per second and GPU"),
    ("cost", "cost per GPU-hour"),
    ("sold", "share of capacity sold"),
    ("mtok", "cost per million total tokens"),
    ("margin", "margin"),
    ("payback", "payback"),
)
"""What two platforms are compared on: keys of the page's own evaluation."""
HEADS = (
    ("profit", "n"),
    ("90 % interval", ""),
    ("first, of 100", "n"),
    ("USD per million total tokens", "n"),
    ("margin", "n"),
    ("payback", "n"),
)


def live_block(data: Mapping[str, Any], beside: Mapping[str, Any] | None = None) -> Html:
    """Controls, verdict and table for the data of :func:`rackecon.answer.live_case.live_data`; further platforms, of
    :func:`rackecon.answer.live_case.beside_data`, in a file beside the page.

    Without a script the block stays hidden and the page's own table stands; where the page's arithmetic differs from the
    library's, it says so and shows no control.
    """
    base = data["base"]
    body = dict(data) | _words(data)
    hits = sorted({float(key.split("|")[2]) for key in data["fronts"]})
    lengths = {k: f"{catalog.label(k)}, {v['isl']:,} : {v['osl']:,}" for k, v in data["scenarios"].items()}
    options = _options(data)
    menus = (
        _menu("model", "Model", {k: str(v["name"]) for k, v in data["models"].items()}, base["model"])
        + _menu("scenario", "Workload, input : output tokens", lengths, base["scenario"])
        + _menu("hit", "Input served from cache", {f"{h:g}": f"{100 * h:.0f} %" for h in hits}, f"{base['hit']:g}")
        + "".join(
            _menu(key, MENUS[key].capitalize(), options[key], base[key], _share_words() if key == "sold" else "")
            for key in options
        )
    )
    sliders = "".join(_slider(item, float(base[item.key])) for item in SLIDERS)
    radios = "".join(
        f'<label><input type="radio" name="live-metric" data-key="metric" value="{key}"'
        f"{' checked' if base['metric'] == key else ''}> {MEASURES[key].name}</label>"
        for key in SHOWN
    )
    heads = "".join(f'<th scope="col" class="c{i} {kind}">{name}</th>' for i, (name, kind) in enumerate(HEADS))
    markup = (
        '<section id="live" hidden aria-label="Change an assumption"><div class="live-head">'
        '<p class="live-verdict"></p><p class="live-changed"></p></div><p class="sr live-spoken" role="status"></p>'
        f'<fieldset class="metric"><legend class="sr">Measure</legend>{radios}</fieldset>{_platform_boxes(data)}{other_boxes(data, beside)}'
        '<div class="scroll" tabindex="0" role="region" aria-label="Your case"><table class="live-table wide"><caption>'
        f'Your case, profit <span class="live-unit">{MEASURES[base["metric"]].yearly}</span>; bars hold nine cases in ten '
        '(<span class="live-drawn">every uncertain input drawn</span>); '
        "a hollow tick is the report's value</caption>"
        f'<thead><tr><th scope="col">platform</th>{heads}</tr></thead><tbody></tbody></table></div>'
        f'<p class="live-key">{shade_key()}</p>'
        f'<div class="live-controls">{menus}{sliders}</div>{_costs(data, beside)}<p class="live-status" role="alert"></p>{_pair(data)}'
        '<div class="live-buttons"><button type="button" class="live-reset">Back to the report\'s case</button>'
        '<button type="button" class="live-link">Copy a link to this case</button>'
        '<button type="button" class="live-json">Case as JSON</button>'
        '<button type="button" class="live-copy">Copy as command</button>'
        '<button type="button" class="live-mill">Copy as papermill</button></div>'
        '<p class="live-rerun">Rerun with these values: <code class="live-command"></code> or '
        '<code class="live-papermill"></code></p></section>'
        f'<script type="application/json" id="live-data">{embedded(body)}</script>'
    )
    if not beside:
        return Html(markup, "<live controls>")
    labels = {str(p["id"]): str(p["label"]) for p in beside["platforms"]}
    further = {name: value for name, value in beside.items() if name != "left"} | {
        "platforms": [p | {"swatch": _further(str(p["id"]))} for p in beside["platforms"]],
        "names": {key: f"cost of {label}" for key, label in labels.items()},
        "units": dict.fromkeys(labels, COST_UNIT),
    }
    return Html(markup, "<live controls>", beside={BESIDE: further})


def _further(accelerator: str) -> str:
    """Colour of a platform beside the page's own: its family's, told apart from it in either theme."""
    return f"color-mix(in oklab,{swatch(accelerator)} 55%,var(--ink))"


def _words(data: Mapping[str, Any]) -> dict[str, Any]:
    """Names and units of the controls, the notebook's parameters behind them, and what the page ran with beyond those."""
    declared = read_parameters(notebook_path(NOTEBOOK))
    commands = MENU_PARAMETERS | {item.key: item.parameter for item in SLIDERS}
    ran = {
        "accelerators": [p["id"] for p in data["platforms"]],
        "models": list(data["models"]),
        "scenarios": list(data["scenarios"]),
    }
    labels = {str(p["id"]): str(p["label"]) for p in data["platforms"] if p["id"] in data["base"]}
    plain = catalog.base_case()
    terms = {key: ",".join(f"{k}={v}" for k, v in BASES[key].items()) for key in BASES if key != plain.cost_basis}
    options = _options(data)
    return {
        "platforms": [p | {"swatch": swatch(str(p["id"]))} for p in data["platforms"]],
        "names": MENUS
        | {item.key: _inside(item.label) for item in SLIDERS}
        | {key: f"cost of {label}" for key, label in labels.items()},
        "units": {item.key: item.unit for item in SLIDERS} | dict.fromkeys(labels, COST_UNIT),
        "per": {key: MEASURES[key].yearly for key in SHOWN},
        "options": options,
        "choices": {
            "basis": terms,
            "level": {key: f"price_level={key}" for key in options["level"] if key != plain.price_level},
            "precision": {key: f"weight_precision={key}" for key in options["precision"] if key != USUAL},
            "software": {key: f"software_date={key}" for key in options["software"] if key != NEWEST},
        },
        "commands": commands,
        "defaults": {key: declared[name].default for key, name in commands.items()},
        "given": {name: ran[name] for name in LISTS if ran[name] != declared[name].default},
    }


def _options(data: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Choices of the menus that are neither model, workload nor cache share, with their words."""
    base = data["base"]
    formats = {key: "each platform's usual" if key == USUAL else key.upper() for key in precisions()}
    days = {key: "newest measured on each" if key == NEWEST else f"of {key}" for key in softwares()}
    return {
        "precision": formats | {base["precision"]: formats.get(base["precision"], str(base["precision"]).upper())},
        "software": days | {base["software"]: days.get(base["software"], f"of {base['software']}")},
        "basis": {key: BASIS_WORDS[key] for key in data["bases"]},
        "level": {key: LEVEL_WORDS[key] for key in data["models"][base["model"]]["levels"]},
        "sold": {GIVEN: "as set below", DERIVED: "derived from requests"},
    }


def _share_words() -> str:
    """How a share sold is derived."""
    from rackecon.appraisal.evaluate import FLEET

    mean = float(str(allowed_values()["mean_rps"].default))
    return (
        f"Derived for each platform: what a fleet {FLEET} of demand sells within the workload's own limits, at {mean:g} requests a second on "
        "average that come and go as in a public trace; page 15 shows how."
    )


def _platform_boxes(data: Mapping[str, Any]) -> str:
    """Which platforms take part."""
    boxes = "".join(
        f'<label><input type="checkbox" data-key="without" value="{_quoted(p["id"])}" checked> {html.escape(str(p["label"]))}</label>'
        for p in data["platforms"]
    )
    return f'<fieldset class="metric"><legend class="sr">Platforms compared</legend>{boxes}</fieldset>'


def other_boxes(data: Mapping[str, Any], beside: Mapping[str, Any] | None) -> str:
    """Platforms of the catalog, own rows among them, that the page was not made with: a box each, or the reason for none."""
    if not beside or not (beside["platforms"] or beside["left"]):
        return ""
    state, reasons = data["base"], dict[str, list[str]]()
    lengths = data["scenarios"][state["scenario"]]
    near = beside["measured"]["near"][f"{state['model']}|{lengths['isl']:.0f}|{lengths['osl']:.0f}"]
    for label, why in beside["left"].values():
        reasons.setdefault(str(why), []).append(
            f'<label><input type="checkbox" disabled> {html.escape(str(label))}</label>'
        )
    boxes = "".join(
        f'<label><input type="checkbox" data-key="with" value="{_quoted(p["id"])}"> '
        f"{html.escape(str(p['label']) + (f' ({why})' if (why := near[p['id']][2]) else ''))}</label>"
        for p in beside["platforms"]
    )
    barred = "".join(
        f'<fieldset class="metric"><legend>{html.escape(why[:1].upper() + why[1:])}</legend>{"".join(labels)}</fieldset>'
        for why, labels in reasons.items()
    )
    count = len(beside["platforms"]) + len(beside["left"])
    return (
        f'<details class="live-others" data-file="assets/{BESIDE}"><summary>{count} more platforms</summary>'
        f'<fieldset class="metric"><legend class="sr">Platforms to add</legend>{boxes}</fieldset>{barred}'
        '<p class="live-source">A row of your own supplies a cost that is not on record: <code>rackecon data add costs FILE</code>, '
        f"then <code>rackecon report {NOTEBOOK} --name mine</code>.</p></details>"
    )


def _quoted(text: object) -> str:
    return html.escape(str(text), quote=True)


def _costs(data: Mapping[str, Any], beside: Mapping[str, Any] | None) -> str:
    """A box for the cost of each platform, folded; those of platforms beside the page's own are shown once they take part."""
    further = beside or {"platforms": (), "base": {}}
    boxes = [_cost_box(p, data["base"], "") for p in data["platforms"]]
    boxes += [_cost_box(p, further["base"], f' data-beside="{_quoted(p["id"])}" hidden') for p in further["platforms"]]
    return (
        '<details class="live-costs"><summary>Cost per GPU-hour of each platform</summary><p class="live-source">All in, owned, '
        "at the base case's cost of capital, life and resale; the controls above move it from there.</p>"
        f'<div class="live-controls">{"".join(boxes)}</div></details>'
    )


def _cost_box(platform: Mapping[str, Any], base: Mapping[str, Any], shown: str) -> str:
    if platform["id"] not in base:
        return ""
    rule, key = allowed_values()["cost_usd_per_gpu_hour"], _quoted(platform["id"])
    return (
        f'<div class="live-row"{shown}><label for="live-{key}">{html.escape(str(platform["label"]))}</label>'
        f'<span class="live-value"><input type="number" id="live-{key}" data-key="{key}" min="{rule.low:g}" max="{rule.high:g}" '
        f'step="any" value="{base[platform["id"]]:g}"> {COST_UNIT}</span></div>'
    )


def _pair(data: Mapping[str, Any]) -> str:
    """Two platforms side by side; the page fills it."""
    menus = "".join(
        f'<label>{word} <select data-pair="{side}">'
        + "".join(
            f'<option value="{_quoted(p["id"])}">{html.escape(str(p["label"]))}</option>' for p in data["platforms"]
        )
        + "</select></label>"
        for side, word in (("a", "Compare"), ("b", "with"))
    )
    rows = "".join(
        f'<tr data-row="{key}"><th scope="row">{words}</th>{"<td class=n></td>" * 3}</tr>' for key, words in PAIR_ROWS
    )
    return (
        f'<section class="live-pair" aria-label="Two platforms side by side"><div class="live-pick">{menus}</div>'
        '<p class="pair-verdict"></p><div class="scroll" tabindex="0" role="region" aria-label="Two platforms side by side">'
        '<table class="pair-table"><caption>Two platforms in your case</caption><thead><tr><th scope="col">measure</th>'
        '<th scope="col" class="n"></th><th scope="col" class="n"></th><th scope="col" class="n">first over second</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _inside(label: str) -> str:
    """A label inside a sentence: its first letter small unless it is an abbreviation."""
    return label if label.isupper() else label[0].lower() + label[1:]


def _slider(item: Slider, value: float) -> str:
    low, high, step = slider_ends(item.key, value)
    ends = f'min="{low:g}" max="{high:g}"'
    return (
        f'<div class="live-row"><label for="live-{item.key}">{item.label}</label>'
        f'<span class="live-value"><input type="number" aria-label="{item.label}, typed" data-key="{item.key}" {ends} step="any" '
        f'value="{value:g}"> {item.unit}</span>'
        f'<div class="track"><input type="range" id="live-{item.key}" data-key="{item.key}" data-unit="{item.unit}" {ends} '
        f'step="{step:g}" value="{value:g}"></div>{_told(item.key)} '
        f'<span class="live-source">Report: {value:g}, {item.source}.</span></div></div>'
    )


def slider_ends(key: str, value: float) -> tuple[float, float, float]:
    """Ends and step of a control, its ends moved out to the report's own value where that lies beyond.

    Examples
    --------
    >>> slider_ends("speed", 400.0)
    (1.0, 400.0, 1.0)
    """
    item = next(item for item in SLIDERS if item.key == key)
    slider = allowed_values()[item.parameter].slider
    if slider is None:
        raise InputError(f"data/assumptions.csv: {item.parameter} has no ends of its control")
    return min(slider[0], value), max(slider[1], value), slider[2]


def _told(key: str) -> str:
    """Ribbon and flip sentence of a control; the division stays open."""
    return (
        f'<div class="ribbon" data-ribbon="{key}" aria-hidden="true"></div>'
        f'<div class="flip"><strong data-flip="{key}"></strong>'
    )


def _menu(key: str, label: str, options: Mapping[str, str], chosen: str, told: str = "") -> str:
    items = "".join(
        f'<option value="{html.escape(value, quote=True)}"{" selected" if value == chosen else ""}>{html.escape(text)}</option>'
        for value, text in options.items()
    )
    return (
        f'<div class="live-row menu"><label for="live-{key}">{label}</label><select id="live-{key}" data-key="{key}">{items}'
        f"</select>{_told(key)}{f' <span class=live-source>{html.escape(told)}</span>' if told else ''}</div></div>"
    )
