"""One look for every chart: a fixed colour and mark per platform, ink for text, a light grid on one axis."""

from __future__ import annotations

from typing import Any, Final

GREY: Final = "#8b94a1"
ACCENT: Final = "#0b5fa5"
BAD: Final = "#9e411b"
# The pages' own eight first, then the catalogue's others, each near the hue of its family where it has one, the farthest from all
# before it as eyes with full and with either kind of reduced colour vision see them
PLATFORM_LIGHT: Final = {
    "h100-sxm": "#5c6470",
    "h200-sxm": "#468360",
    "b200-hgx": "#063c69",
    "gb200-nvl72": "#25a5a5",
    "gb300-nvl72": "#8d71f9",
    "mi355x": "#9e411b",
    "tpu-v7": "#a28c21",
    "trainium3": "#4e0823",
    "a100-80gb-sxm": "#623131",
    "h20": "#0a6c3b",
    "h800-sxm": "#806c9d",
    "b300-hgx": "#6200b1",
    "vr-nvl72": "#9d1dd8",
    "mi300x": "#ce936c",
    "mi325x": "#937614",
    "mi455x": "#890000",
    "tpu-v5e": "#9da700",
    "tpu-v5p": "#589358",
    "tpu-v6e": "#314500",
    "trainium2": "#f56cd8",
    "gaudi3": "#764593",
    "groq-lpu1": "#274eff",
    "groq3-lpx": "#00a7ff",
    "cerebras-wse3": "#450093",
    "l40s": "#454e6c",
    "rtx-pro-6000-blackwell": "#272745",
    "openai-jalapeno": "#0a62b1",
    "l4": "#809dce",
    "gh200-144gb": "#00584e",
    "mi300a": "#e26c89",
    "inferentia2": "#ba58ce",
    "gaudi2": "#b11db1",
    "a10g": "#45314e",
}
PLATFORM_DARK: Final = {
    "h100-sxm": "#8b94a1",
    "h200-sxm": "#bedabd",
    "b200-hgx": "#15aff3",
    "gb200-nvl72": "#53f4fa",
    "gb300-nvl72": "#ae62e3",
    "mi355x": "#e97b56",
    "tpu-v7": "#f6e84e",
    "trainium3": "#cf295e",
    "a100-80gb-sxm": "#bab1ba",
    "h20": "#276c00",
    "h800-sxm": "#d8f5c4",
    "b300-hgx": "#4558ff",
    "vr-nvl72": "#9314ba",
    "mi300x": "#ebb100",
    "mi325x": "#a77614",
    "mi455x": "#b11476",
    "tpu-v5e": "#89ce80",
    "tpu-v5p": "#80b189",
    "tpu-v6e": "#ebce4e",
    "trainium2": "#e20ace",
    "gaudi3": "#9d4e3b",
    "groq-lpu1": "#9dff89",
    "groq3-lpx": "#800ae2",
    "cerebras-wse3": "#a79300",
    "l40s": "#6c8093",
    "rtx-pro-6000-blackwell": "#4589f5",
    "openai-jalapeno": "#4ed8ff",
    "l4": "#585889",
    "gh200-144gb": "#89eb89",
    "mi300a": "#ce6c62",
    "inferentia2": "#d880ce",
    "gaudi2": "#e29d14",
    "a10g": "#d8bae2",
}
OTHER: Final = "other"
FONT: Final = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def platform_colours(accelerators: list[str]) -> list[str]:
    """Light-theme colour of each platform, stable across pages.

    Examples
    --------
    >>> platform_colours(["gb200-nvl72", "mine"])
    ['#25a5a5', '#8b94a1']
    """
    return [PLATFORM_LIGHT.get(name, GREY) for name in accelerators]


def swatch(accelerator: str) -> str:
    """Value of a style that gives a platform's colour in either theme; one that has none of its own is grey.

    Examples
    --------
    >>> swatch("mi300x"), swatch('mine" onload="')
    ('var(--p-mi300x)', 'var(--p-other)')
    """
    return f"var(--p-{accelerator if accelerator in PLATFORM_LIGHT else OTHER})"


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
