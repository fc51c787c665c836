"""The block of live controls: what the reader can move, with its data; the page's script does the rest."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from rackecon.reporting.display import Html

__all__ = ["live_block"]

SLIDERS = (
    # key, label, unit, low, high, step, source, papermill name
    ("speed", "Speed each user gets", "tok/s/user", 1, 150, 1, "the workload's limit", "tok_s_per_user"),
    ("pout", "Price of output tokens", "USD per million", 0.02, 6, 0.02, "median listing", "price_output_usd_per_mtok"),
    (
        "pin",
        "Price of fresh input tokens",
        "USD per million",
        0.01,
        3,
        0.01,
        "median listing",
        "price_input_usd_per_mtok",
    ),
    ("util", "Share of capacity sold", "of capacity", 0.05, 1, 0.01, "base case", "utilisation"),
    ("cost", "Cost per GPU-hour", "times published", 0.4, 3, 0.02, "published ownership", "cost_factor"),
    ("decline", "Yearly fall of prices", "a year", 0, 0.9, 0.01, "base case", "price_decline_per_year"),
    ("years", "Years the rack earns", "years", 1, 8, 0.25, "base case", "horizon_years"),
    ("elec", "Electricity", "USD/kWh", 0.02, 0.3, 0.005, "US industrial average", "electricity_usd_per_kwh"),
    ("pue", "PUE", "", 1, 2, 0.01, "base case", "pue"),
    ("licence", "Licence share of revenue", "of revenue", 0, 0.5, 0.01, "none by default", "licence_share"),
)


def live_block(data: Mapping[str, Any]) -> Html:
    """Controls, verdict and table for the data of :func:`rackecon.analysis.live_case.live_data`.

    Without a script, or where the page's arithmetic differs from the library's, the block stays hidden and the page's own
    table stands.
    """
    base = data["base"]
    names = {key: label.lower() for key, label, *_ in SLIDERS} | {
        "model": "model",
        "scenario": "workload",
        "hit": "share of input cached",
        "metric": "measure",
    }
    commands = {key: command for key, *_, command in SLIDERS if command} | {
        "model": "model",
        "scenario": "scenario",
        "hit": "prefix_cache_hit",
        "metric": "measure",
    }
    body = dict(data) | {"names": names, "commands": commands}
    rows = []
    for key, label, unit, low, high, step, source, _ in SLIDERS:
        value = base[key]
        low, high = min(low, value), max(high, value)
        rows.append(
            f'<div class="live-row"><label for="live-{key}"><span>{label}</span><span><input type="number" aria-label="{label}, typed" '
            f'data-key="{key}" min="{low:g}" max="{high:g}" step="any" value="{value:g}"> {unit}</span></label>'
            f'<input type="range" id="live-{key}" data-key="{key}" data-unit="{unit}" min="{low:g}" max="{high:g}" step="{step:g}" value="{value:g}">'
            f'<div class="ribbon" data-ribbon="{key}" aria-hidden="true"></div><div class="flip"><span data-flip="{key}"></span> '
            f"<span>(report: {value:g}, {source})</span></div></div>"
        )
    choices = (
        _select("model", "Model", [(k, v["name"]) for k, v in data["models"].items()], base["model"])
        + _select(
            "scenario",
            "Workload",
            [(k, f"{k}: {v['isl']:,} in, {v['osl']:,} out") for k, v in data["scenarios"].items()],
            base["scenario"],
        )
        + _select(
            "hit",
            "Share of input served from cache",
            [(f"{h:g}", f"{100 * h:.0f} %") for h in sorted({0.0, 0.9, base["hit"]})],
            f"{base['hit']:g}",
        )
    )
    radios = "".join(
        f'<label><input type="radio" name="live-metric" data-key="metric" value="{key}"{" checked" if base["metric"] == key else ""}> {text}</label>'
        for key, text in (("rack", "per rack"), ("mw", "per megawatt"), ("usd", "per invested dollar"))
    )
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).replace("</", "<\\/")
    markup = (
        '<section id="live" hidden aria-label="Change an assumption"><div class="live-head"><p class="live-verdict" role="status"></p>'
        '<p class="live-changed"></p></div>'
        f'<fieldset class="metric"><legend class="sr">Measure</legend>{radios}</fieldset>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Your case"><table class="live-table"><caption>Your case, profit <span class="live-unit"></span>; '
        "bars hold nine cases in ten (serving model, price, sold share, price of capital)</caption><thead><tr>"
        '<th scope="col">platform</th><th scope="col">middle</th><th scope="col">90 % interval</th><th scope="col">first, of 100</th>'
        '<th scope="col">USD per million total tokens</th><th scope="col">margin</th><th scope="col">payback</th></tr></thead><tbody></tbody></table></div>'
        f'<div class="live-controls">{choices}{"".join(rows)}</div>'
        '<p class="live-status"></p><div class="live-buttons"><button type="button" class="live-reset">Back to the report\'s case</button>'
        '<button type="button" class="live-link">Copy a link to this case</button><button type="button" class="live-copy">Copy as command</button></div>'
        '<code class="live-command"></code></section>'
        f'<script type="application/json" id="live-data">{text}</script>'
    )
    return Html(markup, "<live controls>")


def _select(key: str, label: str, options: list[tuple[str, str]], chosen: str) -> str:
    items = "".join(
        f'<option value="{html.escape(value, quote=True)}"{" selected" if value == chosen else ""}>{html.escape(text)}</option>'
        for value, text in options
    )
    return f'<div class="live-row"><label for="live-{key}"><span>{label}</span></label><select id="live-{key}" data-key="{key}">{items}</select></div>'
