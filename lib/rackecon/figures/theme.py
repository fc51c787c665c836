"""One look for every chart: a fixed colour and mark per platform, ink for text, a light grid on one axis."""

from __future__ import annotations

from typing import Any, Final

GREY: Final = "#8b94a1"
ACCENT: Final = "#0b5fa5"
BAD: Final = "#9e411b"
PLATFORM_LIGHT: Final = {
    "h100-sxm": "#5c6470",
    "h200-sxm": "#468360",
    "b200-hgx": "#063c69",
    "gb200-nvl72": "#25a5a5",
    "gb300-nvl72": "#8d71f9",
    "mi355x": "#9e411b",
    "tpu-v7": "#a28c21",
    "trainium3": "#4e0823",
}
PLATFORM_DARK: Final = {
    "h100-sxm": "#8b94a1",
    "h200-sxm": "#bedabd",
    "b200-hgx": "#15aff3",
    "gb200-nvl72": "#53f4fa",
    "gb300-nvl72": "#885baa",
    "mi355x": "#e97b56",
    "tpu-v7": "#f6e84e",
    "trainium3": "#cf295e",
}
# Siblings take the family's hue and a dash
FAMILY: Final = {
    "a100-80gb-sxm": "h100-sxm",
    "h20": "h200-sxm",
    "h800-sxm": "h100-sxm",
    "b300-hgx": "b200-hgx",
    "vr-nvl72": "gb300-nvl72",
    "mi300x": "mi355x",
    "mi325x": "mi355x",
    "mi455x": "mi355x",
    "tpu-v5e": "tpu-v7",
    "tpu-v5p": "tpu-v7",
    "tpu-v6e": "tpu-v7",
    "trainium2": "trainium3",
}
OTHER: Final = "other"
DASHED: Final = ("h100-sxm", "h200-sxm")
FONT: Final = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def platform_colours(accelerators: list[str]) -> list[str]:
    """Light-theme colour of each platform, stable across pages.

    Examples
    --------
    >>> platform_colours(["gb200-nvl72", "mi300x"])
    ['#25a5a5', '#9e411b']
    """
    return [PLATFORM_LIGHT.get(FAMILY.get(name, name), GREY) for name in accelerators]


def swatch(accelerator: str) -> str:
    """Value of a style that gives a platform's colour in either theme; one that has none of its own is grey.

    Examples
    --------
    >>> swatch("mi300x"), swatch('mine" onload="')
    ('var(--p-mi300x)', 'var(--p-other)')
    """
    return f"var(--p-{accelerator if accelerator in PLATFORM_LIGHT or accelerator in FAMILY else OTHER})"


def platform_dashes(accelerators: list[str]) -> list[list[int]]:
    """Dash pattern of each platform: Hopper and siblings dashed, the rest solid."""
    return [[5, 3] if name in DASHED else [2, 2] if name in FAMILY else [1, 0] for name in accelerators]


def base_config() -> dict[str, Any]:
    """Vega-Lite configuration shared by all charts (light inks; pages swap them in the dark)."""
    ink, soft, grid = "#1c2026", "#59616d", "#e3e6ea"
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": soft,
            "titleColor": soft,
            "gridColor": grid,
            "domainColor": grid,
            "tickColor": grid,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "labelLimit": 170,
            "tickCount": 5,
        },
        "title": {
            "anchor": "start",
            "fontSize": 14,
            "fontWeight": 600,
            "color": ink,
            "subtitleColor": soft,
            "subtitleFontSize": 11.5,
            "subtitlePadding": 4,
            "offset": 12,
            "frame": "group",
        },
        "legend": {
            "labelColor": ink,
            "titleColor": soft,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "orient": "top",
            "layout": {"top": {"anchor": "start", "direction": "vertical", "margin": 4}},
            "symbolBaseFillColor": soft,
            "symbolBaseStrokeColor": soft,
        },
        "text": {"color": ink, "fontSize": 11},
        "line": {"strokeWidth": 2},
    }
